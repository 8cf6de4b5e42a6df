//! How fast bytes may leave: whoever wants to send takes its turn here, and knows nothing of what the others send.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep_until};

/// What was not used is kept for so long: a sender that was busy elsewhere catches up a little, and no burst is long.
const BURST: Duration = Duration::from_millis(100);
/// How long one turn may keep the others waiting: it asks for no more bytes than go in that time, see
/// [`Pace::turn_bytes`].
const TURN: Duration = Duration::from_millis(250);
/// The least bytes of a turn, however slow the pace is: a block as clients ask for them.
const TURN_BYTES_MIN: u32 = 16 * 1024;

/// Bytes that have taken their turn and not left yet, at most; of more, some never will.
const ON_ITS_WAY_MAX: u64 = 8 << 20;

/// A pace that may be changed at any time, or none.
#[derive(Debug)]
pub struct Pace {
    bytes_per_sec: watch::Sender<Option<NonZeroU64>>,
    /// When the next turn begins. Held while it is waited for: tokio's Mutex is a queue in the order of arrival, so that
    /// of many senders none is forgotten.
    free_at: Mutex<Option<Instant>>,
    allowance: OnceLock<Arc<Allowance>>,
}

/// Bytes that may leave before a slower pace is in force, for all paces that share it. Each turn is counted when it is
/// taken, so that what is used up is known before the next one begins.
#[derive(Debug)]
pub struct Allowance {
    left: AtomicU64,
    then: NonZeroU64,
}

impl Allowance {
    /// One without an end, as long as nobody sets it; `then` are the bytes a second of each pace once it is used up.
    pub fn new(then: NonZeroU64) -> Self {
        Self { left: AtomicU64::new(u64::MAX), then }
    }

    /// Sets how many bytes are left.
    pub fn set(&self, left: u64) {
        self.left.store(left, Ordering::Relaxed);
    }

    /// Takes in how many bytes are left as somebody says who counts what has left. What is counted here is about to
    /// leave: that others know of a little more means nothing.
    pub fn correct(&self, left: u64) {
        let correct = |known: u64| (left < known || left - known > ON_ITS_WAY_MAX).then_some(left);
        // It stays as it is where that is right.
        let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, correct);
    }

    fn take(&self, bytes: u64) {
        let take = |left: u64| Some(left.saturating_sub(bytes));
        // It always takes something.
        let _ = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
    }

    fn pace(&self) -> Option<NonZeroU64> {
        (self.left.load(Ordering::Relaxed) == 0).then_some(self.then)
    }
}

impl Pace {
    /// A pace of so many bytes a second; without them, nobody waits.
    pub fn new(bytes_per_sec: Option<NonZeroU64>) -> Self {
        let bytes_per_sec = watch::Sender::new(bytes_per_sec);
        Self { bytes_per_sec, free_at: Mutex::default(), allowance: OnceLock::new() }
    }

    /// Counts what is taken as part of `allowance`, from now on. A pace has one at most: the first.
    pub fn share(&self, allowance: &Arc<Allowance>) {
        self.allowance.get_or_init(|| Arc::clone(allowance));
    }

    /// Changes the pace, also for those who wait.
    pub fn set(&self, bytes_per_sec: Option<NonZeroU64>) {
        self.bytes_per_sec.send_if_modified(|known| std::mem::replace(known, bytes_per_sec) != bytes_per_sec);
    }

    /// The pace in force.
    pub fn bytes_per_sec(&self) -> Option<NonZeroU64> {
        self.slower(*self.bytes_per_sec.borrow())
    }

    /// Takes `bytes` where nobody has to wait; false where a pace is in force.
    pub fn pass(&self, bytes: u64) -> bool {
        let is_free = self.bytes_per_sec().is_none();
        if is_free {
            self.count(bytes);
        }
        is_free
    }

    /// How many of `bytes_max` are to be taken in one turn, so that a slow pace is shared by many in small parts.
    pub fn turn_bytes(&self, bytes_max: u32) -> u32 {
        let Some(rate) = self.bytes_per_sec() else { return bytes_max };
        let turn = u128::from(rate.get()) * TURN.as_millis() / 1000;
        u32::try_from(turn).unwrap_or(u32::MAX).max(TURN_BYTES_MIN).min(bytes_max)
    }

    /// Waits until `bytes` may leave. Turns are given in the order in which they were asked for; whoever stops waiting
    /// has taken nothing.
    pub async fn take(&self, bytes: u64) {
        if self.pass(bytes) {
            return;
        }
        let mut free_at = self.free_at.lock().await;
        let mut rates = self.bytes_per_sec.subscribe();
        loop {
            let Some(rate) = self.slower(*rates.borrow_and_update()) else {
                *free_at = None;
                self.count(bytes);
                return;
            };
            let now = Instant::now();
            let free = free_at.map_or(now, |free| free.max(now.checked_sub(BURST).unwrap_or(free)));
            if free <= now {
                *free_at = Some(free + cost(bytes, rate));
                self.count(bytes);
                return;
            }
            tokio::select! {
                () = sleep_until(free) => {}
                changed = rates.changed() => {
                    changed.expect("the sender lives as long as this");
                    // What a slower pace had to wait for is not waited for any more.
                    if self.bytes_per_sec() != Some(rate) {
                        *free_at = None;
                    }
                }
            }
        }
    }
}

impl Pace {
    fn count(&self, bytes: u64) {
        if let Some(allowance) = self.allowance.get() {
            allowance.take(bytes);
        }
    }

    /// `bytes_per_sec`, or what is slower once an allowance is used up.
    fn slower(&self, bytes_per_sec: Option<NonZeroU64>) -> Option<NonZeroU64> {
        let then = self.allowance.get().and_then(|allowance| allowance.pace());
        bytes_per_sec.into_iter().chain(then).min()
    }
}

/// How long `bytes` take.
fn cost(bytes: u64, rate: NonZeroU64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.get());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn rate(bytes: u64) -> Option<NonZeroU64> {
        NonZeroU64::new(bytes)
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_leave_at_the_pace_and_without_one_at_once() {
        let pace = Pace::new(rate(1000));
        let start = Instant::now();
        for _ in 0..5 {
            pace.take(500).await;
        }
        assert_eq!(start.elapsed(), Duration::from_secs(2), "the first turn is free, and each pays for the one before");
        pace.set(None);
        pace.take(1 << 60).await;
        assert_eq!(start.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_worth_a_short_burst_and_no_more() {
        let pace = Pace::new(rate(1000));
        pace.take(1).await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let start = Instant::now();
        for _ in 0..4 {
            pace.take(100).await;
        }
        assert_eq!(start.elapsed(), Duration::from_millis(200), "one turn of four was saved up");
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_given_in_order_and_a_new_pace_holds_for_those_who_wait() {
        let pace = Arc::new(Pace::new(rate(1)));
        pace.take(1_000_000).await;
        let start = Instant::now();
        let (done, mut order) = tokio::sync::mpsc::unbounded_channel();
        for n in 0..3 {
            let (pace, done) = (Arc::clone(&pace), done.clone());
            tokio::spawn(async move {
                pace.take(1000).await;
                done.send((n, start.elapsed())).expect("a listener");
            });
            tokio::task::yield_now().await;
        }
        pace.set(rate(1000));
        let mut came = Vec::new();
        for _ in 0..3 {
            came.push(order.recv().await.expect("a turn"));
        }
        let secs = Duration::from_secs;
        assert_eq!(came, [(0, secs(0)), (1, secs(1)), (2, secs(2))]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_has_taken_nothing() {
        let pace = Pace::new(rate(1000));
        pace.take(1000).await;
        assert!(tokio::time::timeout(Duration::from_millis(10), pace.take(1_000_000)).await.is_err());
        let start = Instant::now();
        pace.take(1).await;
        assert_eq!(start.elapsed(), Duration::from_millis(990));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_allowed_leaves_at_once_and_the_next_turn_of_every_way_out_is_slow() {
        let allowance = Arc::new(Allowance::new(NonZeroU64::new(1000).expect("it is not 0")));
        let (one, other) = (Pace::new(None), Pace::new(rate(1_000_000_000)));
        [&one, &other].into_iter().for_each(|pace| pace.share(&allowance));
        let start = Instant::now();
        one.take(1 << 40).await;
        allowance.set(1500);
        one.take(1000).await;
        assert_eq!((one.bytes_per_sec(), other.bytes_per_sec()), (None, rate(1_000_000_000)));
        other.take(1000).await;
        assert_eq!((one.bytes_per_sec(), other.bytes_per_sec()), (rate(1000), rate(1000)), "500 more than allowed");
        assert!(start.elapsed() < Duration::from_millis(1) && !one.pass(1));
        for _ in 0..3 {
            one.take(1000).await;
        }
        assert!(start.elapsed() >= Duration::from_secs(2), "the first turn is free: {:?}", start.elapsed());
        // That the pace is then set to the same frees nobody who waits for it.
        let start = Instant::now();
        tokio::join!(one.take(1), async { one.set(rate(1000)) });
        assert!(start.elapsed() >= Duration::from_millis(900), "{:?}", start.elapsed());
        one.set(None);
        allowance.set(10);
        assert!(one.pass(10) && !one.pass(1));
        allowance.correct(ON_ITS_WAY_MAX);
        assert!(!one.pass(1), "it is on its way");
        allowance.correct(ON_ITS_WAY_MAX + 1);
        allowance.correct(5);
        assert!(one.pass(5) && !one.pass(1));
    }

    #[test]
    fn a_slow_pace_is_shared_in_small_turns() {
        let turn = |bytes_per_sec| Pace::new(bytes_per_sec).turn_bytes(128 * 1024);
        assert_eq!((turn(None), turn(rate(u64::MAX))), (128 * 1024, 128 * 1024));
        assert_eq!((turn(rate(400_000)), turn(rate(1))), (100_000, TURN_BYTES_MIN));
    }
}
