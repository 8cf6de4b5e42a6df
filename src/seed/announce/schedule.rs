//! When which tracker is told what; moments in, announces out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::{Event, Failure};
use crate::id::InfoHash;

/// The most announces to one host at a time.
const HOST_IN_FLIGHT_MAX: usize = 4;
/// The shortest interval at which a tracker is announced to, whatever it asks for.
const INTERVAL_MIN: Duration = Duration::from_secs(60);
/// The longest, so that a tracker that was restarted hears of us within the day.
const INTERVAL_MAX: Duration = Duration::from_secs(6 * 3600);
/// How long after a first failure it is tried again; twice as long after each further one.
const RETRY_FIRST: Duration = Duration::from_secs(60);
/// How often that doubles: to 64 minutes.
const RETRY_DOUBLINGS_MAX: u32 = 6;

/// How announcing a torrent to one tracker goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announce {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The tracker.
    pub url: String,
    /// What came of the last announce.
    pub said: Said,
    /// How many announces failed since the last one that did not.
    pub failures: u32,
}

/// What came of an announce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// There was none yet.
    Nothing,
    /// The tracker has taken it.
    Taken,
    /// Why it did not.
    Failed(String),
}

/// An announce to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub info_hash: InfoHash,
    pub url: String,
    pub event: Event,
}

#[derive(Debug, Default)]
pub(super) struct Schedule {
    targets: BTreeMap<(InfoHash, String), Target>,
    hosts: HashMap<String, Host>,
}

#[derive(Debug)]
struct Target {
    host: String,
    wanted: bool,
    /// Whether the tracker may know of us.
    started: bool,
    in_flight: bool,
    due: Duration,
    said: Said,
    failures: u32,
}

/// A host with all torrents announced to it: where it does not answer for one, the others wait too.
#[derive(Debug, Default)]
struct Host {
    in_flight: usize,
    failures: u32,
    retry_at: Duration,
}

impl Schedule {
    /// Replaces what is to be announced.
    pub fn want(&mut self, wanted: &[(InfoHash, String)], now: Duration) {
        let set: HashSet<_> = wanted.iter().collect();
        for (key, target) in &mut self.targets {
            let is_wanted = set.contains(key);
            if target.wanted != is_wanted {
                target.wanted = is_wanted;
                target.due = now;
            }
        }
        for (info_hash, url) in wanted {
            let new = || Target {
                host: host_of(url),
                wanted: true,
                started: false,
                in_flight: false,
                due: now,
                said: Said::Nothing,
                failures: 0,
            };
            self.targets.entry((*info_hash, url.clone())).or_insert_with(new);
        }
        self.tidy();
    }

    /// The next announce that is due, which is under way from now until [`Schedule::done`].
    pub fn next(&mut self, now: Duration) -> Option<Job> {
        let hosts = &mut self.hosts;
        // Thousands are passed over each time: their hosts are looked up only where that makes a difference.
        let due = self.targets.iter_mut().find(|(_, target)| {
            let has_room = |host: &Host| host.has_room() && host.retry_at <= now;
            !target.in_flight && target.due <= now && hosts.get(&target.host).is_none_or(has_room)
        });
        let ((info_hash, url), target) = due?;
        hosts.entry(target.host.clone()).or_default().in_flight += 1;
        target.in_flight = true;
        let event = match (target.wanted, target.started) {
            (true, false) => Event::Started,
            (true, true) => Event::Periodic,
            (false, _) => Event::Stopped,
        };
        Some(Job { info_hash: *info_hash, url: url.clone(), event })
    }

    /// When the next announce is due.
    pub fn due(&self) -> Option<Duration> {
        self.targets.values().filter(|target| !target.in_flight).fold(None, |first, target| {
            if first.is_some_and(|first| first <= target.due) {
                // Whatever is to be said of its host.
                return first;
            }
            let due = match self.hosts.get(&target.host) {
                Some(host) if !host.has_room() => return first,
                Some(host) => target.due.max(host.retry_at),
                None => target.due,
            };
            Some(first.map_or(due, |first: Duration| first.min(due)))
        })
    }

    /// Takes in what came of an announce: the interval that the tracker asks for, or why there is none.
    pub fn done(&mut self, job: &Job, result: Result<Duration, Failure>, now: Duration) {
        let Some(target) = self.targets.get_mut(&(job.info_hash, job.url.clone())) else { return };
        target.in_flight = false;
        let host = self.hosts.entry(target.host.clone()).or_default();
        host.in_flight = host.in_flight.saturating_sub(1);
        match &result {
            Err(Failure::Unreachable(_)) => {
                // Of several at once that found nobody, the first counts.
                if host.retry_at <= now {
                    host.failures += 1;
                    host.retry_at = now + retry_after(host.failures);
                }
            }
            Ok(_) | Err(Failure::Refused(_)) => host.failures = 0,
        }
        match result {
            Ok(interval) => {
                target.said = Said::Taken;
                target.failures = 0;
                target.started = true;
                target.due = now + interval.clamp(INTERVAL_MIN, INTERVAL_MAX);
            }
            Err(Failure::Unreachable(why) | Failure::Refused(why)) => {
                target.said = Said::Failed(why);
                target.failures += 1;
                target.due = now + retry_after(target.failures);
            }
        }
        if job.event == Event::Stopped {
            // Once is enough: a tracker that has not heard it finds out by our absence.
            target.started = false;
        }
        if target.wanted == (job.event == Event::Stopped) {
            // It changed while this was under way.
            target.due = now;
        }
        self.tidy();
    }

    /// The last announces: `stopped` to every tracker that may know of us and answers.
    pub fn stop(&mut self) -> Vec<Job> {
        let targets = std::mem::take(&mut self.targets);
        let told = targets.into_iter().filter(|(_, target)| {
            let answers = self.hosts.get(&target.host).is_none_or(|host| host.failures == 0);
            (target.started || target.in_flight) && answers
        });
        told.map(|((info_hash, url), _)| Job { info_hash, url, event: Event::Stopped }).collect()
    }

    pub fn announces(&self) -> Vec<Announce> {
        let announces = self.targets.iter().map(|((info_hash, url), target)| Announce {
            info_hash: *info_hash,
            url: url.clone(),
            said: target.said.clone(),
            failures: target.failures,
        });
        announces.collect()
    }

    /// Forgets what is not wanted and known to nobody, and hosts that nothing is announced to.
    fn tidy(&mut self) {
        self.targets.retain(|_, target| target.wanted || target.started || target.in_flight);
        if self.hosts.len() > self.targets.len() {
            let used: HashSet<_> = self.targets.values().map(|target| &target.host).collect();
            self.hosts.retain(|host, _| used.contains(host));
        }
    }
}

impl Host {
    /// A host that did not answer is tried with one announce.
    fn has_room(&self) -> bool {
        self.in_flight < if self.failures == 0 { HOST_IN_FLIGHT_MAX } else { 1 }
    }
}

fn retry_after(failures: u32) -> Duration {
    RETRY_FIRST * (1 << failures.saturating_sub(1).min(RETRY_DOUBLINGS_MAX))
}

/// Scheme, host and port.
fn host_of(url: &str) -> String {
    url.split('/').take(3).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://tracker.example.org/announce";
    const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn wanted(torrents: u8) -> Vec<(InfoHash, String)> {
        (0..torrents).map(|n| (InfoHash([n; 20]), URL.to_owned())).collect()
    }

    fn unreachable() -> Result<Duration, Failure> {
        Err(Failure::Unreachable("nobody there".into()))
    }

    #[test]
    fn a_torrent_starts_goes_on_and_stops() {
        let mut schedule = Schedule::default();
        schedule.want(&wanted(1), secs(0));
        let job = schedule.next(secs(0)).expect("due at once");
        assert_eq!((job.event, schedule.next(secs(0)), schedule.due()), (Event::Started, None, None));
        schedule.done(&job, Ok(HALF_AN_HOUR), secs(1));
        assert_eq!((schedule.due(), schedule.next(secs(1800))), (Some(secs(1801)), None));
        let job = schedule.next(secs(1801)).expect("due");
        assert_eq!(job.event, Event::Periodic);
        schedule.done(&job, Ok(Duration::ZERO), secs(1801));
        assert_eq!(schedule.due(), Some(secs(1861)), "not more often than every minute");
        // Damaged: it is taken back, and is back when it is restored.
        schedule.want(&[], secs(1810));
        let job = schedule.next(secs(1810)).expect("due at once");
        assert_eq!(job.event, Event::Stopped);
        schedule.want(&wanted(1), secs(1811));
        schedule.done(&job, Ok(HALF_AN_HOUR), secs(1812));
        assert_eq!(schedule.next(secs(1812)).map(|job| job.event), Some(Event::Started));
    }

    #[test]
    fn what_is_not_wanted_any_more_is_forgotten_once_it_has_stopped() {
        let mut schedule = Schedule::default();
        schedule.want(&wanted(2), secs(0));
        let first = schedule.next(secs(0)).expect("due");
        schedule.want(&[], secs(1));
        assert_eq!(schedule.announces().len(), 1, "the second was never announced");
        schedule.done(&first, Ok(HALF_AN_HOUR), secs(2));
        let stop = schedule.next(secs(2)).expect("due at once");
        assert_eq!(stop.event, Event::Stopped);
        schedule.done(&stop, unreachable(), secs(3));
        assert!(schedule.announces().is_empty() && schedule.hosts.is_empty());
    }

    #[test]
    fn a_host_gets_few_announces_at_a_time_and_one_while_it_does_not_answer() {
        let mut schedule = Schedule::default();
        schedule.want(&wanted(10), secs(0));
        let jobs: Vec<_> = std::iter::from_fn(|| schedule.next(secs(0))).collect();
        assert_eq!(jobs.len(), HOST_IN_FLIGHT_MAX);
        jobs.iter().for_each(|job| schedule.done(job, unreachable(), secs(20)));
        assert_eq!(schedule.next(secs(20)), None);
        assert_eq!(schedule.due(), Some(secs(80)), "the other six wait as well");
        let jobs: Vec<_> = std::iter::from_fn(|| schedule.next(secs(80))).collect();
        assert_eq!(jobs.len(), 1);
        schedule.done(&jobs[0], unreachable(), secs(100));
        assert_eq!(schedule.due(), Some(secs(220)), "twice as long");
        let job = schedule.next(secs(220)).expect("due");
        schedule.done(&job, Ok(HALF_AN_HOUR), secs(221));
        assert_eq!(std::iter::from_fn(|| schedule.next(secs(221))).count(), HOST_IN_FLIGHT_MAX);
    }

    #[test]
    fn a_refusal_is_shown_and_concerns_one_torrent() {
        let mut schedule = Schedule::default();
        schedule.want(&wanted(2), secs(0));
        let job = schedule.next(secs(0)).expect("due");
        schedule.done(&job, Err(Failure::Refused("not registered".into())), secs(1));
        let said: Vec<_> =
            schedule.announces().into_iter().map(|announce| (announce.said, announce.failures)).collect();
        assert_eq!(said, [(Said::Failed("not registered".into()), 1), (Said::Nothing, 0)]);
        assert!(schedule.next(secs(1)).is_some());
        assert_eq!(retry_after(1000), secs(64 * 60));
    }

    #[test]
    fn at_the_end_those_that_may_know_of_us_and_answer_are_told() {
        let mut schedule = Schedule::default();
        let mut all = wanted(3);
        all.push((InfoHash([9; 20]), "udp://dead.example.org:6969".into()));
        schedule.want(&all, secs(0));
        let jobs: Vec<_> = std::iter::from_fn(|| schedule.next(secs(0))).collect();
        assert_eq!(jobs.len(), 4);
        schedule.done(&jobs[0], Ok(HALF_AN_HOUR), secs(1));
        schedule.done(&jobs[1], Err(Failure::Refused("no".into())), secs(1));
        schedule.done(&jobs[3], unreachable(), secs(1));
        let stopped: Vec<_> = schedule.stop().into_iter().map(|job| (job.info_hash, job.event)).collect();
        assert_eq!(stopped, [(InfoHash([0; 20]), Event::Stopped), (InfoHash([2; 20]), Event::Stopped)]);
    }
}
