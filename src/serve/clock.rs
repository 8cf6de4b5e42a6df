//! The time, read here and nowhere else on this floor; every rule below takes it as an argument.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "the one clock of the serve floor; what it tells is passed on")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Seconds since 1970; 0 on a machine whose clock stands before that.
pub fn now_secs() -> u64 {
    secs(now())
}

/// `time` in seconds since 1970.
pub fn secs(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// The time since this was first asked for, by a clock that never goes back.
#[expect(clippy::disallowed_methods, reason = "the one clock of the serve floor; what it tells is passed on")]
pub fn passed() -> Duration {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGUN.elapsed()
}
