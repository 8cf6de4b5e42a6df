//! What of the site's files is read for the web at one time, by all connections together: so many bytes, and so many
//! threads that wait for a disk, few of them for one file, so that one that does not answer keeps nobody waiting who
//! asks for another. Reads of torrents' files stand with those for peers instead, see [`crate::seed::Warrant`].

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::seed::ANSWER_WITHIN;

/// Bytes of a file that are read at a time.
pub const CHUNK_BYTES_MAX: usize = 128 * 1024;
/// The same where many are read and not sent yet, since their clients do not take them.
pub const CHUNK_BYTES_MIN: usize = 16 * 1024;
/// What is read and not sent yet of all files, in bytes; beyond it each connection has [`CHUNK_BYTES_MIN`] and no more.
pub const CHUNKS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Each chunk is so small a part of what is left at the most.
const PARTS: usize = 16;
/// Threads that wait for disks at the most.
pub const WAITING_MAX: usize = 64;
/// Those of them that wait for the same.
pub const WAITING_OF_ONE_MAX: usize = 8;
/// Lines that are known before those that nobody stands in are forgotten.
const LINES_KEPT: usize = 256;

/// What all answers share.
#[derive(Debug)]
pub struct Shelf {
    bytes_max: usize,
    held: AtomicUsize,
    waiting: Arc<Semaphore>,
    // A std Mutex: nothing awaits and no file is touched while it is held.
    lines: Mutex<HashMap<Of, Weak<Semaphore>>>,
}

/// What a line is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Of {
    /// The folder of the site.
    Root,
    /// What is found below this name in it.
    Below(String),
    /// An open file.
    File {
        /// Where it lies.
        device: u64,
        /// Which it is there.
        inode: u64,
    },
}

/// A line of those who wait for a disk.
#[derive(Debug, Clone)]
pub struct Line {
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
}

/// Room for a chunk, until it is dropped.
#[derive(Debug)]
pub struct Room {
    shelf: Arc<Shelf>,
    bytes: usize,
}

impl Default for Shelf {
    fn default() -> Self {
        Self::of(CHUNKS_BYTES_MAX)
    }
}

impl Shelf {
    /// Room for so many bytes.
    pub fn of(bytes_max: usize) -> Self {
        let waiting = Arc::new(Semaphore::new(WAITING_MAX));
        Self { bytes_max, held: AtomicUsize::new(0), waiting, lines: Mutex::default() }
    }

    /// The line for what may not answer.
    pub fn line(&self, of: Of) -> Line {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let own = lines.get(&of).and_then(Weak::upgrade).unwrap_or_else(|| {
            if lines.len() >= LINES_KEPT {
                lines.retain(|_, line| line.strong_count() > 0);
            }
            let own = Arc::new(Semaphore::new(WAITING_OF_ONE_MAX));
            lines.insert(of, Arc::downgrade(&own));
            own
        });
        Line { own, all: Arc::clone(&self.waiting) }
    }

    /// Whether a connection may have more than one chunk, and each of them whole.
    pub fn is_ample(&self) -> bool {
        self.share(self.held()) == CHUNK_BYTES_MAX
    }

    /// Room for a chunk of `wanted` bytes, or for as many of them as there is.
    pub fn take(self: &Arc<Self>, wanted: usize) -> Room {
        let part = |held| self.share(held).min(wanted);
        let before = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| Some(held + part(held)));
        let (Ok(held) | Err(held)) = before;
        Room { shelf: Arc::clone(self), bytes: part(held) }
    }

    /// Bytes that are read, or about to be, and not sent yet.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn share(&self, held: usize) -> usize {
        (self.bytes_max.saturating_sub(held) / PARTS).clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX)
    }
}

impl Line {
    /// Does `work` on a thread that may block, in its turn. Where that takes too long it is given up (`TimedOut`); the
    /// thread keeps its place until it comes back.
    pub async fn wait<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        let working = async {
            let own = Arc::clone(&self.own).acquire_owned().await.map_err(io::Error::other)?;
            let all = Arc::clone(&self.all).acquire_owned().await.map_err(io::Error::other)?;
            let working = spawn_blocking(move || {
                let _places = (own, all);
                work()
            });
            working.await.map_err(io::Error::other)
        };
        let silent = |_| {
            let message = format!("it does not answer within {} s", ANSWER_WITHIN.as_secs());
            io::Error::new(io::ErrorKind::TimedOut, message)
        };
        timeout(ANSWER_WITHIN, working).await.map_err(silent)?
    }
}

impl Room {
    /// How many bytes fit.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.shelf.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test(start_paused = true)]
    async fn a_file_that_does_not_answer_keeps_nobody_waiting_who_asks_for_another() {
        let shelf = Shelf::default();
        let file = |inode| Of::File { device: 1, inode };
        let begun = Arc::new(AtomicUsize::new(0));
        let hanging = (0..3 * WAITING_OF_ONE_MAX).map(|_| {
            let ((hold, wait), line, begun) = (mpsc::channel::<()>(), shelf.line(file(1)), Arc::clone(&begun));
            let hang = move || {
                begun.fetch_add(1, Ordering::Relaxed);
                wait.recv()
            };
            (tokio::spawn(async move { line.wait(hang).await }), hold)
        });
        let (hanging, held): (Vec<_>, Vec<_>) = hanging.unzip();
        while begun.load(Ordering::Relaxed) < WAITING_OF_ONE_MAX {
            tokio::task::yield_now().await;
        }
        // Timers go off at whole milliseconds.
        tokio::time::advance(ANSWER_WITHIN + std::time::Duration::from_millis(2)).await;
        for one in hanging {
            let error = one.await.expect("no panic").expect_err("it hangs");
            assert_eq!(error.to_string(), "it does not answer within 5 s");
        }
        assert_eq!(begun.load(Ordering::Relaxed), WAITING_OF_ONE_MAX, "no more threads than these");
        assert_eq!(shelf.waiting.available_permits(), WAITING_MAX - WAITING_OF_ONE_MAX);
        assert_eq!(shelf.line(file(2)).wait(|| 7).await.expect("another file"), 7);
        assert_eq!(shelf.line(Of::Root).wait(|| 8).await.expect("a folder"), 8);
        drop(held);
        assert_eq!(shelf.line(file(1)).wait(|| 9).await.expect("it answers again"), 9);
        (0..3 * LINES_KEPT as u64).for_each(|inode| drop(shelf.line(file(inode))));
        assert!(shelf.lines.lock().expect("nobody panics").len() <= LINES_KEPT);
    }

    #[test]
    fn chunks_become_smaller_as_room_becomes_scarce_and_larger_again() {
        let shelf = Arc::new(Shelf::default());
        let mut taken: Vec<Room> = Vec::new();
        while shelf.is_ample() {
            taken.push(shelf.take(usize::MAX));
            assert_eq!(taken.last().map(Room::bytes), Some(CHUNK_BYTES_MAX));
        }
        assert!(shelf.held() > CHUNKS_BYTES_MAX * 9 / 10);
        while taken.last().is_some_and(|room| room.bytes() > CHUNK_BYTES_MIN) {
            taken.push(shelf.take(usize::MAX));
        }
        assert!(shelf.held() <= CHUNKS_BYTES_MAX);
        assert_eq!(shelf.take(9).bytes(), 9);
        let full = shelf.held();
        drop((0..100).map(|_| shelf.take(usize::MAX)).collect::<Vec<_>>());
        assert_eq!((shelf.held(), shelf.is_ample()), (full, false));
        drop(taken);
        assert_eq!((shelf.held(), shelf.is_ample()), (0, true));
    }
}
