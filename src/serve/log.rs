//! Lines for the operator, and the limit on those that a stranger can cause.

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::clock;

/// Lines that wait to be written to stderr. Beyond them lines are lost, and counted.
pub const LINES_MAX: usize = 1000;
/// How long the end waits for lines that nobody reads.
pub const FLUSH_MAX: Duration = Duration::from_millis(200);

/// Where lines for the operator go. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    sink: Arc<dyn Fn(&str) + Send + Sync>,
    writer: Option<SyncSender<Line>>,
}

/// What the thread that writes is given.
enum Line {
    Text(String),
    /// Everything before it is written: to be answered.
    Flush(SyncSender<()>),
}

impl Log {
    /// Lines are given to `sink`, without a line feed.
    pub fn new(sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { sink: Arc::new(sink), writer: None }
    }

    /// Lines go to stderr, by a thread of their own: a pipe that nobody reads, or a terminal that is held, keeps no
    /// task of the server waiting.
    pub fn stderr() -> Self {
        Self::to(io::stderr())
    }

    fn to(output: impl Write + Send + 'static) -> Self {
        let (writer, lines) = sync_channel(LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        let thread = thread::Builder::new().name("log".into()).spawn(move || write_lines(output, &lines, &counted));
        if thread.is_err() {
            // Whoever has no thread left loses the log last.
            return Self::new(|line| put(io::stderr().lock(), line));
        }
        let sender = writer.clone();
        let sink = move |line: &str| {
            if let Err(TrySendError::Full(_)) = sender.try_send(Line::Text(line.to_owned())) {
                lost.fetch_add(1, Ordering::Relaxed);
            }
        };
        Self { sink: Arc::new(sink), writer: Some(writer) }
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
        (self.sink)(line.as_ref());
    }

    /// Waits until what was said is written, but not longer than `FLUSH_MAX`: for the end of the program.
    pub fn flush(&self) {
        let (answer, answered) = sync_channel(1);
        if let Some(writer) = &self.writer
            && writer.try_send(Line::Flush(answer)).is_ok()
        {
            let _ = answered.recv_timeout(FLUSH_MAX);
        }
    }
}

fn write_lines(mut output: impl Write, lines: &Receiver<Line>, lost: &AtomicU64) {
    for line in lines {
        match line {
            Line::Text(line) => put(&mut output, &line),
            Line::Flush(answer) => drop(answer.send(())),
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            put(&mut output, &format!("WARNING: {lost} lines are lost here: nobody read them in time"));
        }
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

    #[test]
    fn an_output_that_nobody_reads_keeps_nobody_waiting_and_what_is_lost_is_counted() {
        struct Pipe(SyncSender<String>);
        impl Write for Pipe {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
                self.0.send(text).map_err(|_| io::ErrorKind::BrokenPipe)?;
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        // Room for nothing: whoever writes waits for whoever reads.
        let (pipe, read) = sync_channel(0);
        let log = Log::to(Pipe(pipe));
        for n in 0..LINES_MAX + 10 {
            log.line(n.to_string());
        }
        let mut text = String::new();
        while !text.contains("lost") || !text.ends_with('\n') {
            text.push_str(&read.recv().expect("a line"));
        }
        // One line may have been on its way to the reader already.
        let lost = text.lines().find(|line| line.contains("lost")).expect("told").to_owned();
        assert!(lost.starts_with("WARNING: 10 lines") || lost.starts_with("WARNING: 9 lines"), "{lost}");
        let reader = thread::spawn(move || read.iter().collect::<String>());
        log.line("the last one");
        log.flush();
        drop(log);
        assert!(reader.join().expect("no panic").ends_with("the last one\n"));
    }
}
