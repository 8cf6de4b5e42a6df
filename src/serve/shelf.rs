//! What of the site's files is read for the web at one time, by all connections together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a file that are read at a time.
pub const CHUNK_BYTES_MAX: usize = 128 * 1024;
/// The same where many are read and not sent yet, since their clients do not take them.
pub const CHUNK_BYTES_MIN: usize = 16 * 1024;
/// What is read and not sent yet of all files, in bytes; beyond it each connection has [`CHUNK_BYTES_MIN`] and no more.
pub const CHUNKS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Each chunk is so small a part of what is left at the most.
const PARTS: usize = 16;

/// What all answers share.
#[derive(Debug)]
pub struct Shelf {
    bytes_max: usize,
    held: AtomicUsize,
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
        Self { bytes_max, held: AtomicUsize::new(0) }
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
