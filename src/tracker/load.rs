//! How often peers are asked to return: less often when more come than the operator wants.

use super::{Options, Seconds};

/// The longest interval that load makes: two hours. One that an operator sets longer stays as it is.
pub const INTERVAL_GROWN_MAX_SECS: u32 = 7200;
/// A second counts for an eighth of the rate, so that it follows what comes within some ten seconds.
const SMOOTH: u64 = 8;
/// Parts of an announce in which the rate is kept.
const PARTS: u64 = 256;
/// Seconds without an announce after which there is no rate left.
const QUIET_SECS: u64 = 120;

/// The rate of announces, and the interval that follows from it.
///
/// The interval is the greatest of three: the configured one; the one at which all known peers, each coming once, keep
/// to the configured rate; and the configured one times how far the measured rate is above it. The second holds the
/// rate there. The third acts within seconds, on a crowd that is yet to come to be known and on clients that return
/// early. It is in proportion to the rate and does not add up, so the two don't swing.
#[derive(Debug, Clone)]
pub struct Load {
    /// The second that is counted.
    second: Seconds,
    count: u64,
    /// Announces a second, in [`PARTS`].
    rate: u64,
    interval_secs: u32,
    interval_min_secs: u32,
    /// The longest interval that somebody was told who may still wait for its end, and until when.
    longest_secs: u32,
    longest_until: Seconds,
}

impl Load {
    pub fn new(options: &Options) -> Self {
        let interval_secs = options.interval_secs;
        Self {
            second: Seconds::default(),
            count: 0,
            rate: 0,
            interval_secs,
            interval_min_secs: options.interval_min_secs,
            longest_secs: interval_secs,
            longest_until: Seconds::default(),
        }
    }

    /// Counts an announce that is answered.
    pub fn count(&mut self) {
        self.count += 1;
    }

    /// Looks at the clock, once or more a second, while the tracker knows so many peers.
    pub fn look(&mut self, now: Seconds, peers: usize, options: &Options) {
        if now == self.second {
            return;
        }
        // A clock that was set back begins a new second.
        let passed = now.since(self.second).max(1);
        self.rate = self.rate - self.rate / SMOOTH + self.count * PARTS / SMOOTH;
        if passed > QUIET_SECS {
            self.rate = 0;
        }
        for _ in 1..passed.min(QUIET_SECS) {
            self.rate -= self.rate / SMOOTH;
        }
        (self.second, self.count) = (now, 0);
        self.interval_secs = interval_secs(self.rate, peers as u64, options);
        let min_secs = u64::from(options.interval_min_secs) * u64::from(self.interval_secs);
        self.interval_min_secs = u32::try_from(min_secs / u64::from(options.interval_secs.max(1))).unwrap_or(u32::MAX);
        let life_secs = u64::from(self.longest_secs) * 3 / 2;
        // Where a clock was set back, nobody waits longer than from now on.
        self.longest_until = self.longest_until.min(Seconds(now.0.saturating_add(life_secs)));
        if self.interval_secs >= self.longest_secs || now > self.longest_until {
            self.longest_secs = self.interval_secs;
            self.longest_until = Seconds(now.0.saturating_add(u64::from(self.interval_secs) * 3 / 2));
        }
    }

    /// Takes in how many peers a former run knew: it told them the interval at which so many keep to the rate, and they
    /// live as long.
    pub fn restore(&mut self, peers: usize, now: Seconds, options: &Options) {
        self.longest_secs = self.longest_secs.max(interval_secs(0, peers as u64, options));
        self.longest_until = Seconds(now.0.saturating_add(self.life_secs()));
    }

    /// Seconds after which a peer is asked to return, before the jitter of its reply.
    pub fn interval_secs(&self) -> u32 {
        self.interval_secs
    }

    /// Seconds before which it is asked not to, in proportion.
    pub fn interval_min_secs(&self) -> u32 {
        self.interval_min_secs
    }

    /// Seconds unheard after which a peer is gone: 1.5 intervals (rule 22), of the longest that it may have been told.
    pub fn life_secs(&self) -> u64 {
        u64::from(self.longest_secs) * 3 / 2
    }

    /// Announces a second, of the last ten seconds or so.
    pub fn per_sec(&self) -> u64 {
        self.rate / PARTS
    }
}

fn interval_secs(rate: u64, peers: u64, options: &Options) -> u32 {
    let usual = options.interval_secs;
    let per_sec_max = u64::from(options.announces_per_sec_max);
    if per_sec_max == 0 {
        return usual;
    }
    let by_peers = peers / per_sec_max;
    let by_rate = u64::from(usual).saturating_mul(rate) / (per_sec_max * PARTS);
    let grown = u32::try_from(by_peers.max(by_rate)).unwrap_or(u32::MAX).min(INTERVAL_GROWN_MAX_SECS);
    grown.max(usual)
}
