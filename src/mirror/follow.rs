//! A show followed for as long as the program runs: a round, a pause, a round.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::Mirror;
use super::round::Round;
use super::stop::Stop;
use crate::problem::Problem;

/// How often the pause is doubled at most while the show can't be read.
const DOUBLINGS_MAX: u32 = 5;
/// The longest pause, also where the show's server asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);

/// How often the show is read.
pub struct Pace {
    /// The pause between two rounds.
    pub every: Duration,
    /// The time of day; torrents are retired by it.
    pub now: fn() -> OffsetDateTime,
    /// A number from 0 to 1 by chance, so that not all mirrors ask at the same moment.
    pub chance: fn() -> f64,
    /// What ends a pause early.
    pub wake: Arc<Notify>,
    /// Told after each round what is not as it should be, a line each.
    pub watched: Arc<dyn Fn(Vec<String>) + Send + Sync>,
}

impl std::fmt::Debug for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pace").field("every", &self.every).finish_non_exhaustive()
    }
}

/// Follows the show. It ends by a panic of a round alone; dropped, it ends the round.
pub async fn follow(mut mirror: Mirror, pace: Pace) -> Result<(), Problem> {
    let _ending = Ending(mirror.stop());
    let mut failures = 0;
    loop {
        let (now, until) = ((pace.now)(), Instant::now() + pace.every);
        let round = spawn_blocking(move || {
            let round = mirror.round(now, Some(until));
            (mirror, round)
        });
        let (back, round) =
            round.await.map_err(|error| Problem::new(format!("a round of the mirror has failed: {error}")))?;
        mirror = back;
        mirror.tell_outcome(&round);
        (pace.watched)(round.warnings(now));
        failures = if round.unread.is_some() { failures + 1 } else { 0 };
        tokio::select! {
            () = sleep(pause(&round, failures, pace.every, (pace.chance)())) => {}
            () = pace.wake.notified() => {}
        }
    }
}

/// How long to wait after a round, of which the last `failures` could not read the show.
fn pause(round: &Round, failures: u32, every: Duration, chance: f64) -> Duration {
    if round.is_cut && failures == 0 {
        // It has taken as long as a pause does, and there is more to do.
        return Duration::ZERO;
    }
    let doubled = every.saturating_mul(1 << failures.saturating_sub(1).min(DOUBLINGS_MAX));
    let asked = round.unread.as_ref().map_or(Duration::ZERO, |failed| failed.after);
    // Up to an eighth more.
    doubled.max(asked).min(PAUSE_MAX).mul_f64(1.0 + chance / 8.0)
}

/// Ends the round that is under way.
struct Ending(Stop);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::Failed;

    #[test]
    fn a_show_that_cannot_be_read_is_asked_less_and_less_often() {
        let hour = Duration::from_secs(3600);
        let secs = |round: &Round, failures, chance| pause(round, failures, hour, chance).as_secs();
        let fine = Round::default();
        assert_eq!([secs(&fine, 0, 0.0), secs(&fine, 0, 1.0)], [3600, 4050]);
        let cut = Round { is_cut: true, ..Round::default() };
        assert_eq!(secs(&cut, 0, 1.0), 0);
        let unread = |after| {
            let failed = Failed { after: Duration::from_secs(after), ..Problem::new("gone").into() };
            Round { unread: Some(failed), is_cut: true, ..Round::default() }
        };
        assert_eq!([1, 2, 3, 99].map(|failures| secs(&unread(0), failures, 0.0)), [3600, 7200, 14400, 86400]);
        assert_eq!(secs(&unread(9000), 1, 0.0), 9000);
        assert_eq!(secs(&unread(u64::MAX), 1, 0.0), 86400);
    }
}
