//! One reader, a thread a core for SHA-1, and one for SHA-384: buffers go round between them and bound the memory.

use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use sha1::{Digest, Sha1};
use sha2::Sha384;

use super::{Content, Digests, Progress, Source, open, unreadable};
use crate::fingerprint::Fingerprint;
use crate::id::PieceHash;
use crate::problem::Problem;
use crate::units::PieceLength;

/// The most bytes of one buffer; a larger piece goes through several.
const BUFFER_BYTES_MAX: usize = 1 << 20;
/// The least bytes of all buffers, so that readers and hashers do not wait for each other.
const BUFFERED_BYTES_MIN: usize = 8 << 20;
/// The most bytes of all buffers: the memory that hashing takes, however large pieces and files are.
const BUFFERED_BYTES_MAX: usize = 64 << 20;
/// The most threads that hash pieces.
const THREADS_MAX: usize = 64;

/// What to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The pieces alone.
    Pieces,
    /// The pieces, and the SHA-384 of each file, for `integrity` in feeds.
    PiecesAndSha384,
}

/// Reads `sources` once, in order, and hashes them as pieces of `piece_length` bytes on up to `threads` threads
/// (all cores where `None`).
///
/// It holds at most 64 MiB in buffers. A file that can't be read, or that changes while it is read, is an error that
/// names it.
pub fn hash(
    sources: &[Source],
    piece_length: PieceLength,
    wanted: Wanted,
    threads: Option<NonZeroUsize>,
    progress: &dyn Progress,
) -> Result<Digests, Problem> {
    let total: u64 = sources.iter().map(Source::bytes).sum();
    let threads = threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let grid = Grid::new(piece_length, total, threads.min(THREADS_MAX));

    thread::scope(|scope| {
        let (spare_in, spare) = sync_channel(grid.buffers);
        for _ in 0..grid.buffers {
            spare_in.send(Vec::new()).expect("the channel holds all buffers, and its receiver lives");
        }
        let pool = Arc::new(spare_in);
        let piece_workers: Vec<_> = (0..grid.threads)
            .map(|_| {
                // As deep as there are buffers, so that only the lack of a buffer makes the reader wait.
                let (chunks, inbox) = sync_channel::<Chunk>(grid.buffers);
                let pool = Arc::clone(&pool);
                (chunks, scope.spawn(move || hash_pieces(&inbox, piece_length, &pool)))
            })
            .collect();
        let file_worker = (wanted == Wanted::PiecesAndSha384).then(|| {
            let (chunks, inbox) = sync_channel::<Chunk>(grid.buffers);
            let pool = Arc::clone(&pool);
            let ends: Vec<u64> = ends(sources);
            (chunks, scope.spawn(move || hash_files(&inbox, &ends, &pool)))
        });

        let read = read_all(sources, &grid, progress, &spare, |group, chunk| {
            let (worker, _) = &piece_workers[group % piece_workers.len()];
            if let Some((files, _)) = &file_worker {
                files.send(Arc::clone(&chunk)).expect("a worker lives until its channel closes");
            }
            worker.send(chunk).expect("a worker lives until its channel closes");
        });

        let sha384 = file_worker.map(|(chunks, thread)| {
            drop(chunks);
            thread.join().expect("hashing does not panic")
        });
        let mut lanes: Vec<_> = piece_workers
            .into_iter()
            .map(|(chunks, thread)| {
                drop(chunks);
                thread.join().expect("hashing does not panic").into_iter()
            })
            .collect();
        read?;
        Ok(Digests { pieces: grid.collect(&mut lanes), sha384: sha384.unwrap_or_default() })
    })
}

/// A filled buffer on its way to the hashers; the last one who holds it gives it back.
type Chunk = Arc<Vec<u8>>;

/// How the bytes are cut: into groups of whole pieces, each for one thread, each in one or more buffers.
struct Grid {
    total: u64,
    /// Bytes of a buffer.
    chunk: usize,
    /// Bytes of a group: one large piece in several buffers, or several small pieces in one.
    group: u64,
    pieces: usize,
    pieces_in_group: usize,
    buffers: usize,
    threads: usize,
}

impl Grid {
    fn new(piece_length: PieceLength, total: u64, threads: usize) -> Self {
        let piece = piece_length.bytes() as usize;
        let (chunk, pieces_in_group) = if piece < BUFFER_BYTES_MAX {
            (BUFFER_BYTES_MAX / piece * piece, BUFFER_BYTES_MAX / piece)
        } else {
            (BUFFER_BYTES_MAX, 1)
        };
        let group = pieces_in_group * piece;
        // Two groups a thread: one that is hashed and one that is read.
        let buffered = (2 * threads * group).clamp(BUFFERED_BYTES_MIN, BUFFERED_BYTES_MAX);
        Self {
            total,
            chunk,
            group: group as u64,
            pieces: usize::try_from(piece_length.count(total)).expect("pieces fit into memory"),
            pieces_in_group,
            buffers: buffered / chunk,
            threads,
        }
    }

    /// The pieces in order again, from lanes in which every thread left its groups one after another.
    fn collect(&self, lanes: &mut [std::vec::IntoIter<PieceHash>]) -> Vec<PieceHash> {
        let mut pieces = Vec::with_capacity(self.pieces);
        for group in 0..self.pieces.div_ceil(self.pieces_in_group) {
            let lane = &mut lanes[group % self.threads];
            pieces.extend(lane.take(self.pieces_in_group));
        }
        assert_eq!(pieces.len(), self.pieces, "every piece was hashed");
        pieces
    }
}

/// Reads all files end to end into buffers that end where groups do.
fn read_all(
    sources: &[Source],
    grid: &Grid,
    progress: &dyn Progress,
    spare: &Receiver<Vec<u8>>,
    mut send: impl FnMut(usize, Chunk),
) -> Result<(), Problem> {
    let mut files = Reader { rest: sources.iter(), current: None };
    let mut at = 0;
    while at < grid.total {
        let until_group_ends = grid.group - at % grid.group;
        let want = until_group_ends.min(grid.total - at).min(grid.chunk as u64);
        let mut buffer = spare.recv().expect("buffers come back: their holders outlive the reader");
        buffer.resize(usize::try_from(want).expect("a chunk fits into memory"), 0);
        files.fill(&mut buffer)?;
        progress.advance(want);
        send(usize::try_from(at / grid.group).expect("groups are fewer than pieces"), Arc::new(buffer));
        at += want;
    }
    files.close()
}

/// The files as one stream.
struct Reader<'s> {
    rest: std::slice::Iter<'s, Source>,
    current: Option<Open<'s>>,
}

/// The file that is being read, and how many of its bytes are still to come.
struct Open<'s> {
    content: &'s Content,
    file: Option<File>,
    left: u64,
}

impl Reader<'_> {
    fn fill(&mut self, mut buffer: &mut [u8]) -> Result<(), Problem> {
        while !buffer.is_empty() {
            let Some(open) = self.current.as_mut().filter(|open| open.left > 0) else {
                self.next()?;
                continue;
            };
            let want = usize::try_from(open.left).unwrap_or(usize::MAX).min(buffer.len());
            let got = open.read(&mut buffer[..want])?;
            open.left -= got as u64;
            buffer = &mut buffer[got..];
        }
        Ok(())
    }

    /// Opens the next file, after a look at whether the former one is still what it was.
    fn next(&mut self) -> Result<(), Problem> {
        self.close()?;
        let Source(content) = self.rest.next().expect("the sizes of all files add up to the bytes that are asked for");
        self.current = Some(Open::new(content)?);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Problem> {
        self.current.take().map_or(Ok(()), Open::close)
    }
}

impl<'s> Open<'s> {
    fn new(content: &'s Content) -> Result<Self, Problem> {
        match content {
            Content::Zeros { bytes } => Ok(Self { content, file: None, left: *bytes }),
            Content::File { path, fingerprint } => {
                let (file, found) = open(path)?;
                if found != *fingerprint {
                    return Err(changed(path));
                }
                Ok(Self { content, file: Some(file), left: fingerprint.bytes })
            }
        }
    }

    /// Reads at least one byte.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Problem> {
        let (Content::File { path, .. }, Some(file)) = (self.content, &mut self.file) else {
            buffer.fill(0);
            return Ok(buffer.len());
        };
        match file.read(buffer).map_err(|error| unreadable(path, &error))? {
            0 => Err(changed(path)),
            got => Ok(got),
        }
    }

    fn close(self) -> Result<(), Problem> {
        let (Content::File { path, fingerprint }, Some(file)) = (self.content, self.file) else { return Ok(()) };
        let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
        if Fingerprint::of(&metadata) == *fingerprint { Ok(()) } else { Err(changed(path)) }
    }
}

fn changed(path: &Path) -> Problem {
    Problem::at(path, "changed while it was hashed").help("run the command again when the file is complete")
}

fn hash_pieces(inbox: &Receiver<Chunk>, piece_length: PieceLength, pool: &SyncSender<Vec<u8>>) -> Vec<PieceHash> {
    let piece = piece_length.bytes() as usize;
    let mut hashes = Vec::new();
    let mut sha = Sha1::new();
    let mut filled = 0;
    while let Ok(chunk) = inbox.recv() {
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.len().min(piece - filled));
            sha.update(part);
            filled += part.len();
            if filled == piece {
                hashes.push(sha.finalize_reset().into());
                filled = 0;
            }
            rest = after;
        }
        give_back(chunk, pool);
    }
    if filled > 0 {
        hashes.push(sha.finalize().into());
    }
    hashes
}

/// `ends`: where each file ends in the stream.
fn hash_files(inbox: &Receiver<Chunk>, ends: &[u64], pool: &SyncSender<Vec<u8>>) -> Vec<[u8; 48]> {
    let mut hashes = Vec::with_capacity(ends.len());
    let mut sha = Sha384::new();
    let mut at = 0;
    let close_files = |at: u64, sha: &mut Sha384, hashes: &mut Vec<[u8; 48]>| {
        while hashes.len() < ends.len() && ends[hashes.len()] == at {
            hashes.push(sha.finalize_reset().into());
        }
    };
    close_files(0, &mut sha, &mut hashes);
    while let Ok(chunk) = inbox.recv() {
        let mut rest = &chunk[..];
        while !rest.is_empty() {
            let left = ends[hashes.len()] - at;
            let (part, after) = rest.split_at(rest.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
            sha.update(part);
            at += part.len() as u64;
            close_files(at, &mut sha, &mut hashes);
            rest = after;
        }
        give_back(chunk, pool);
    }
    hashes
}

fn give_back(chunk: Chunk, pool: &SyncSender<Vec<u8>>) {
    if let Some(buffer) = Arc::into_inner(chunk) {
        // Nobody takes it when the reader has stopped.
        let _ = pool.send(buffer);
    }
}

fn ends(sources: &[Source]) -> Vec<u64> {
    let sum = |sum: &mut u64, source: &Source| {
        *sum += source.bytes();
        Some(*sum)
    };
    sources.iter().scan(0, sum).collect()
}
