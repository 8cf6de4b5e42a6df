//! Threads that each read and hash pieces by themselves, as many at a time as the processor hashes together.
//!
//! Mapping the files instead of reading them would be a third faster, and a file that shrinks meanwhile would kill the
//! process.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use super::files::Files;
use super::group::{Group, Hashes};
use super::tree::LEAF_BYTES;
use super::{BUFFERED_BYTES_MAX, Source, THREADS_MAX, Work};
use crate::problem::Problem;

/// The bytes of a thread's buffers, for all pieces that it hashes together: they stay in the cache of its core.
const READ_BYTES: usize = 512 << 10;
const _: () = assert!(READ_BYTES * THREADS_MAX <= BUFFERED_BYTES_MAX, "the buffers of all threads are bounded");
/// The most bytes of pieces that are hashed together, but for one piece that is larger: all of them are under way in
/// the system's cache, where memory is small too. What it costs is that of pieces above 4 MiB fewer are together.
const GROUP_BYTES_MAX: u64 = 64 << 20;
/// How far the system is asked to read ahead of the threads; it holds that in its own cache.
const READ_AHEAD_BYTES: u64 = 16 << 20;
/// How many bytes a thread reads before it tells of them.
const TOLD_BYTES: u64 = 4 << 20;

/// What a thread tells.
enum News {
    Read(u64),
    Hashed(usize, Hashes),
    Failed(Problem),
}

/// The hashes of all pieces of `sources`, which are files and zeros.
pub(super) fn hash(work: &Work<'_>, sources: &[Source]) -> Result<Hashes, Problem> {
    let pieces = work.layout.pieces();
    let mut hashes = Hashes::new(pieces, work.wanted);
    let claims = Claims { next: AtomicUsize::new(0), ahead: AtomicUsize::new(0), pieces };
    thread::scope(|scope| {
        let (news, inbox) = channel();
        for _ in 0..work.threads.min(pieces) {
            let (news, claims) = (news.clone(), &claims);
            scope.spawn(move || Reader { work, claims, files: Files::new(sources), news, untold: 0 }.run());
        }
        drop(news);
        let mut failed = None;
        for news in inbox {
            match news {
                News::Read(bytes) => work.progress.advance(bytes),
                News::Hashed(first, some) => hashes.put(first, &some),
                News::Failed(problem) => {
                    claims.stop();
                    failed.get_or_insert(problem);
                }
            }
        }
        failed.map_or(Ok(hashes), Err)
    })
}

/// Which pieces are taken.
struct Claims {
    next: AtomicUsize,
    /// Up to which piece the system was asked to read ahead.
    ahead: AtomicUsize,
    pieces: usize,
}

impl Claims {
    /// The next pieces for a thread of `threads`: `lanes` of them, and fewer near the end, so that all threads end
    /// together.
    fn take(&self, lanes: usize, threads: usize) -> Option<Range<usize>> {
        let mut size = 0;
        let first = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
            size = self.pieces.saturating_sub(next).div_ceil(threads).min(lanes);
            (size > 0).then_some(next + size)
        });
        first.ok().map(|first| first..first + size)
    }

    /// The pieces up to `end` that nobody has asked the system for.
    fn take_ahead(&self, end: usize) -> Range<usize> {
        let end = end.min(self.pieces);
        self.ahead.fetch_max(end, Ordering::Relaxed)..end
    }

    fn stop(&self) {
        self.next.store(self.pieces, Ordering::Relaxed);
    }
}

struct Reader<'w> {
    work: &'w Work<'w>,
    claims: &'w Claims,
    files: Files<'w>,
    news: Sender<News>,
    /// Bytes that were read and not told of.
    untold: u64,
}

impl Reader<'_> {
    fn run(mut self) {
        let piece_bytes = self.work.layout.piece_bytes();
        let lanes = self.work.kernel.lanes();
        let lanes = lanes.min(usize::try_from(GROUP_BYTES_MAX / piece_bytes).unwrap_or(lanes)).max(1);
        let ahead = usize::try_from(READ_AHEAD_BYTES.div_ceil(piece_bytes)).expect("a few pieces");
        let mut buffer = vec![0; READ_BYTES];
        while let Some(range) = self.claims.take(lanes, self.work.threads) {
            // At least as much as all threads take next, so that the disk is not idle while they hash.
            let ahead = self.claims.take_ahead(range.end + ahead.max(lanes));
            let mut told = self.read_ahead(ahead).map_err(News::Failed);
            for range in self.work.layout.present(range) {
                let first = range.start;
                told = told.and_then(|()| self.hash(range, &mut buffer).map_err(News::Failed)).map(|hashes| {
                    self.send(News::Hashed(first, hashes));
                });
            }
            self.tell(0);
            told.unwrap_or_else(|failed| self.send(failed));
        }
    }

    fn tell(&mut self, bytes_min: u64) {
        if self.untold > bytes_min {
            let news = News::Read(std::mem::take(&mut self.untold));
            self.send(news);
        }
    }

    fn send(&self, news: News) {
        self.news.send(news).expect("the news are read until all threads have ended");
    }

    fn hash(&mut self, range: Range<usize>, buffer: &mut [u8]) -> Result<Hashes, Problem> {
        let mut group = Group::new(self.work.kernel, self.work.layout, range, self.work.wanted);
        let mut left: Vec<_> = group.pieces().iter().map(|piece| (piece.start, piece.bytes)).collect();
        // 32 KiB of each of sixteen pieces, or 128 KiB of each of four.
        let run = READ_BYTES / left.len() / LEAF_BYTES * LEAF_BYTES;
        let mut rests = vec![0; left.len()];
        while left.iter().any(|(_, bytes)| *bytes > 0) {
            let mut is_whole = vec![false; left.len()];
            for (lane, ((start, bytes), buffer)) in left.iter_mut().zip(buffer.chunks_mut(run)).enumerate() {
                let take = run.min(usize::try_from(*bytes).unwrap_or(run));
                if take > 0 {
                    self.read(*start, &mut buffer[..take])?;
                    *start += take as u64;
                    *bytes -= take as u64;
                    is_whole[lane] = take == run;
                    rests[lane] = take % run;
                }
            }
            // Of v1 pieces the last alone is short; those of v2 end where their files do, and have nothing more to add.
            let lanes = is_whole.iter().rposition(|whole| *whole).map_or(0, |last| last + 1);
            let runs: Vec<_> = buffer
                .chunks(run)
                .zip(is_whole)
                .map(|(run, whole)| if whole { run } else { &[] })
                .take(lanes)
                .collect();
            group.update(&runs);
        }
        let rests: Vec<_> = buffer.chunks(run).zip(rests).map(|(buffer, rest)| &buffer[..rest]).collect();
        Ok(group.finish(&rests))
    }

    fn read(&mut self, start: u64, buffer: &mut [u8]) -> Result<(), Problem> {
        let mut rest = &mut *buffer;
        for part in self.work.layout.parts(start, rest.len()) {
            let (into, after) = rest.split_at_mut(part.bytes);
            match part.at {
                Some(at) => {
                    self.files.read(part.source, at, into)?;
                    self.untold += part.bytes as u64;
                }
                None => into.fill(0),
            }
            rest = after;
        }
        self.tell(TOLD_BYTES);
        Ok(())
    }

    fn read_ahead(&mut self, range: Range<usize>) -> Result<(), Problem> {
        if range.is_empty() {
            return Ok(());
        }
        let (first, last) = (self.work.layout.piece(range.start), self.work.layout.piece(range.end - 1));
        let bytes = usize::try_from(last.start + last.bytes - first.start).expect("a few pieces fit into memory");
        for part in self.work.layout.parts(first.start, bytes) {
            if let Some(at) = part.at {
                self.files.read_ahead(part.source, at, part.bytes as u64)?;
            }
        }
        Ok(())
    }
}
