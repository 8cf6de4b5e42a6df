//! Lines for the operator, and the limit on those that a stranger can cause.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::clock;

/// Where lines for the operator go. Cheap to clone.
#[derive(Clone)]
pub struct Log(Arc<dyn Fn(&str) + Send + Sync>);

impl Log {
    /// Lines are given to `sink`, without a line feed.
    pub fn new(sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Lines go to stderr.
    pub fn stderr() -> Self {
        Self::new(|line| put(io::stderr().lock(), line))
    }

    /// Lines are kept for the caller to look at.
    pub fn memory() -> (Self, Arc<Mutex<Vec<String>>>) {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let log = Self::new(move |line| {
            if let Ok(mut lines) = kept.lock() {
                lines.push(line.to_owned());
            }
        });
        (log, lines)
    }

    /// Writes one line.
    pub fn line(&self, line: impl AsRef<str>) {
        (self.0)(line.as_ref());
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

/// A line that can't be written is lost: the disk below stderr may be full, or nobody may read it any more, and what is
/// told of a server must not end it. `eprintln!` would panic.
fn put(mut to: impl Write, line: &str) {
    let _ = writeln!(to, "{line}");
}

/// Lets one line through every `every_secs` seconds and counts the others.
#[derive(Debug)]
pub struct Throttle {
    every_secs: u64,
    next_at_secs: AtomicU64,
    held_back: AtomicU64,
}

impl Throttle {
    /// A throttle that lets the first line through.
    pub const fn new(every_secs: u64) -> Self {
        Self { every_secs, next_at_secs: AtomicU64::new(0), held_back: AtomicU64::new(0) }
    }

    /// Writes the line to `log` if its turn has come.
    pub fn line(&self, log: &Log, line: impl FnOnce() -> String) {
        if let Some(held_back) = self.pass(clock::now_secs()) {
            let more = if held_back > 0 { format!(" ({held_back} more like it)") } else { String::new() };
            log.line(format!("{}{more}", line()));
        }
    }

    /// Whether a line may be written at `now_secs`, and how many were held back since the last one.
    fn pass(&self, now_secs: u64) -> Option<u64> {
        let next = self.next_at_secs.load(Ordering::Relaxed);
        let claimed = now_secs >= next
            && self
                .next_at_secs
                .compare_exchange(next, now_secs.saturating_add(self.every_secs), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if claimed {
            Some(self.held_back.swap(0, Ordering::Relaxed))
        } else {
            self.held_back.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_lets_one_line_through_and_counts_the_rest() {
        let throttle = Throttle::new(60);
        let passed = [1000, 1000, 1059, 1060, 1061, 5000].map(|now| throttle.pass(now));
        assert_eq!(passed, [Some(0), None, None, Some(2), None, Some(1)]);
    }

    #[test]
    fn a_line_that_cannot_be_written_is_lost_and_no_more() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        put(Full, "one");
        let mut written = Vec::new();
        put(&mut written, "two");
        assert_eq!(written, b"two\n");
    }

    #[test]
    fn lines_reach_the_sink() {
        let (log, lines) = Log::memory();
        let throttle = Throttle::new(60);
        throttle.line(&log, || "one".into());
        throttle.line(&log, || unreachable!("held back"));
        log.line("two");
        assert_eq!(*lines.lock().expect("no panic"), ["one", "two"]);
    }
}
