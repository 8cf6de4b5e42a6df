//! One reader in the order of the bytes, a thread a core for pieces, and one for whoever needs the order: buffers go
//! round between them and bound the memory.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use sha2::{Digest, Sha384};

use super::files::{changed, open, unreadable};
use super::group::{Group, Hashes};
use super::layout::Layout;
use super::tree::LEAF_BYTES;
use super::{BUFFERED_BYTES_MAX, Content, Listener, Source, Work};
use crate::problem::Problem;

/// The most bytes of one buffer; a larger piece goes through several.
const BUFFER_BYTES_MAX: usize = 4 << 20;
/// The fewest buffers for each thread: one that it hashes and one that is read.
const BUFFERS_PER_THREAD: usize = 2;
/// The most buffers, small as they may be.
const BUFFERS_MAX: usize = 256;

/// The hashes of all pieces and the SHA-384 of each source, where that is wanted.
pub(super) fn hash(
    work: &Work<'_>,
    sources: &mut [Source],
    listener: Option<&mut dyn Listener>,
) -> Result<(Hashes, Vec<[u8; 48]>), Problem> {
    let pieces = work.layout.pieces();
    let grid = Grid::new(work);
    let mut hashes = Hashes::new(pieces, work.wanted);
    let count = sources.len();

    thread::scope(|scope| {
        let (spare_in, spare) = sync_channel(grid.buffers);
        for _ in 0..grid.buffers {
            spare_in.send(Vec::new()).expect("the channel holds all buffers, and its receiver lives");
        }
        let pool = Arc::new(spare_in);
        let piece_workers: Vec<_> = (0..work.threads)
            .map(|_| {
                // As deep as there are buffers, so that only the lack of a buffer makes the reader wait.
                let (chunks, inbox) = sync_channel::<Arc<Chunk>>(grid.buffers);
                let pool = Arc::clone(&pool);
                (chunks, scope.spawn(move || hash_pieces(work, &inbox, &pool)))
            })
            .collect();
        let in_order = (work.wanted.sha384 || listener.is_some()).then(|| {
            let (chunks, inbox) = sync_channel::<Arc<Chunk>>(grid.buffers);
            let pool = Arc::clone(&pool);
            (chunks, scope.spawn(move || hear_files(work, count, listener, &inbox, &pool)))
        });

        let read = read_all(work, &grid, sources, &spare, |group, chunk| {
            let (worker, _) = &piece_workers[group % piece_workers.len()];
            if let Some((files, _)) = &in_order {
                files.send(Arc::clone(&chunk)).expect("a worker lives until its channel closes");
            }
            worker.send(chunk).expect("a worker lives until its channel closes");
        });

        let sha384 = in_order.map(|(chunks, thread)| {
            drop(chunks);
            thread.join().expect("hashing does not panic")
        });
        for (chunks, thread) in piece_workers {
            drop(chunks);
            for (first, some) in thread.join().expect("hashing does not panic") {
                hashes.put(first, &some);
            }
        }
        read.map(|()| (hashes, sha384.unwrap_or_default()))
    })
}

/// A filled buffer on its way to the hashers; the last one who holds it gives it back.
struct Chunk {
    bytes: Vec<u8>,
    /// Its first piece.
    first: usize,
    /// How many pieces it holds, wholly where they are several.
    pieces: usize,
    /// Where in its piece it begins; not 0 only for a large piece that goes through several buffers.
    at: u64,
    /// Whether its pieces end here.
    is_end: bool,
}

impl Chunk {
    /// The bytes of each of its pieces.
    fn runs(&self, layout: &Layout) -> Vec<&[u8]> {
        if self.pieces == 1 {
            return vec![&self.bytes];
        }
        let mut rest = &self.bytes[..];
        let mut run = |index| {
            let bytes = usize::try_from(layout.piece(index).bytes).expect("a piece fits into a buffer");
            let (run, after) = rest.split_at(bytes);
            rest = after;
            run
        };
        (self.first..self.first + self.pieces).map(&mut run).collect()
    }
}

/// How the bytes are cut: into groups of whole pieces, each for one thread, or one large piece in several buffers.
struct Grid {
    buffer_bytes: usize,
    pieces_in_group: usize,
    buffers: usize,
}

impl Grid {
    fn new(work: &Work<'_>) -> Self {
        let at_once = BUFFERS_PER_THREAD * (work.threads + 1);
        let buffer_bytes = (BUFFERED_BYTES_MAX / at_once).min(BUFFER_BYTES_MAX) / LEAF_BYTES * LEAF_BYTES;
        let fit =
            usize::try_from(buffer_bytes as u64 / work.layout.piece_bytes()).expect("no more than a buffer's bytes");
        let pieces_in_group = fit.clamp(1, work.kernel.lanes());
        // Small groups take less than the buffers might.
        let filled = buffer_bytes / fit.max(1) * pieces_in_group;
        Self { buffer_bytes, pieces_in_group, buffers: (BUFFERED_BYTES_MAX / filled).min(BUFFERS_MAX) }
    }
}

/// Reads all sources end to end into buffers that end where groups do; `send` takes the number of the group too.
fn read_all(
    work: &Work<'_>,
    grid: &Grid,
    sources: &mut [Source],
    spare: &Receiver<Vec<u8>>,
    mut send: impl FnMut(usize, Arc<Chunk>),
) -> Result<(), Problem> {
    let (layout, pieces) = (work.layout, work.layout.pieces());
    let mut reader = Reader { sources, current: 0, file: None };
    for (group, first) in (0..pieces).step_by(grid.pieces_in_group).enumerate() {
        let pieces = grid.pieces_in_group.min(pieces - first);
        let bytes: u64 = (first..first + pieces).map(|index| layout.piece(index).bytes).sum();
        let mut at = 0;
        while at < bytes {
            let mut buffer = spare.recv().expect("buffers come back: their holders outlive the reader");
            let want = if pieces > 1 { bytes } else { (bytes - at).min(grid.buffer_bytes as u64) };
            buffer.resize(usize::try_from(want).expect("a buffer fits into memory"), 0);
            let mut chunk = Chunk { bytes: buffer, first, pieces, at, is_end: at + want == bytes };
            let mut rest = &mut chunk.bytes[..];
            for part in (first..first + pieces).flat_map(|index| parts(layout, index, pieces, at, want)) {
                let (into, after) = rest.split_at_mut(part.bytes);
                reader.read(part.source, part.at, into)?;
                work.progress.advance(if part.at.is_some() { part.bytes as u64 } else { 0 });
                rest = after;
            }
            send(group, Arc::new(chunk));
            at += want;
        }
    }
    reader.go_to(usize::MAX)
}

/// The parts of piece `index`, or of `want` bytes of it from `at` on where it is alone in its buffers.
fn parts(
    layout: &Layout,
    index: usize,
    pieces: usize,
    at: u64,
    want: u64,
) -> impl Iterator<Item = super::layout::Part> {
    let piece = layout.piece(index);
    let bytes = if pieces > 1 { piece.bytes } else { want };
    layout.parts(piece.start + at, usize::try_from(bytes).expect("a buffer fits into memory"))
}

/// The sources, read one after another.
struct Reader<'s> {
    sources: &'s mut [Source],
    /// The source that is being read.
    current: usize,
    file: Option<File>,
}

impl Reader<'_> {
    /// Fills `buffer` with what comes next of a source; `at` is known to be where the last one ended.
    fn read(&mut self, source: usize, at: Option<u64>, buffer: &mut [u8]) -> Result<(), Problem> {
        if at.is_none() {
            buffer.fill(0);
            return Ok(());
        }
        self.go_to(source)?;
        match &mut self.sources[source].content {
            Content::Zeros { .. } => unreachable!("zeros are not read"),
            Content::File { path, fingerprint } => {
                let file = if let Some(file) = &mut self.file {
                    file
                } else {
                    let (file, found) = open(path)?;
                    if found != *fingerprint {
                        return Err(changed(path));
                    }
                    self.file.insert(file)
                };
                file.read_exact(buffer).map_err(|error| match error.kind() {
                    ErrorKind::UnexpectedEof => changed(path),
                    _ => unreadable(path, &error),
                })
            }
            Content::Stream { name, bytes, read } => {
                exclusive(read).read_exact(buffer).map_err(|error| match error.kind() {
                    ErrorKind::UnexpectedEof => {
                        Problem::new(format!("{name}: ended before the {bytes} bytes that were announced"))
                    }
                    _ => broken(name, &error),
                })
            }
        }
    }

    /// Leaves the sources before `source` behind; streams among them must have come to their ends.
    fn go_to(&mut self, source: usize) -> Result<(), Problem> {
        let last = source.min(self.sources.len());
        if self.current < last {
            self.file = None;
        }
        for source in &mut self.sources[self.current.min(last)..last] {
            let Content::Stream { name, bytes, read } = &mut source.content else { continue };
            let mut more = Vec::new();
            let read = exclusive(read).take(1).read_to_end(&mut more);
            read.map_err(|error| broken(name, &error))?;
            if !more.is_empty() {
                return Err(Problem::new(format!("{name}: goes on after the {bytes} bytes that were announced")));
            }
        }
        self.current = self.current.max(last);
        Ok(())
    }
}

/// Why a stream could not be read; it may say so itself.
fn broken(name: &str, error: &io::Error) -> Problem {
    let told = Problem::carried_by(error).cloned();
    told.unwrap_or_else(|| Problem::new(format!("{name}: can't be read: {error}")))
}

fn exclusive<T: ?Sized>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}

fn hash_pieces(work: &Work<'_>, inbox: &Receiver<Arc<Chunk>>, pool: &SyncSender<Vec<u8>>) -> Vec<(usize, Hashes)> {
    let mut hashes = Vec::new();
    let mut begun = None;
    while let Ok(chunk) = inbox.recv() {
        let range = chunk.first..chunk.first + chunk.pieces;
        let mut group = begun.take().unwrap_or_else(|| Group::new(work.kernel, work.layout, range, work.wanted));
        let runs = chunk.runs(work.layout);
        if chunk.is_end {
            hashes.push((chunk.first, group.finish(&runs)));
        } else {
            group.update(&runs);
            begun = Some(group);
        }
        give_back(chunk, pool);
    }
    hashes
}

/// Whoever needs the bytes of `count` sources in their order.
fn hear_files(
    work: &Work<'_>,
    count: usize,
    mut listener: Option<&mut dyn Listener>,
    inbox: &Receiver<Arc<Chunk>>,
    pool: &SyncSender<Vec<u8>>,
) -> Vec<[u8; 48]> {
    let mut hashes = Vec::new();
    let mut sha = Sha384::new();
    while let Ok(chunk) = inbox.recv() {
        for (index, run) in (chunk.first..).zip(chunk.runs(work.layout)) {
            let mut rest = run;
            for part in work.layout.parts(work.layout.piece(index).start + chunk.at, run.len()) {
                let (bytes, after) = rest.split_at(part.bytes);
                rest = after;
                if part.at.is_none() {
                    continue;
                }
                if work.wanted.sha384 {
                    while hashes.len() < part.source {
                        hashes.push(sha.finalize_reset().into());
                    }
                    sha.update(bytes);
                }
                if let Some(listener) = &mut listener {
                    listener.bytes(part.source, bytes);
                }
            }
        }
        give_back(chunk, pool);
    }
    while work.wanted.sha384 && hashes.len() < count {
        hashes.push(sha.finalize_reset().into());
    }
    hashes
}

fn give_back(chunk: Arc<Chunk>, pool: &SyncSender<Vec<u8>>) {
    if let Some(chunk) = Arc::into_inner(chunk) {
        // Nobody takes it when the reader has stopped.
        let _ = pool.send(chunk.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{THREADS_MAX, Wanted};
    use super::*;
    use crate::lanes::Kernel;
    use crate::units::PieceLength;

    #[test]
    fn buffers_stay_within_their_limit_and_each_thread_has_some() {
        let wanted = Wanted { v1: true, ..Wanted::default() };
        let pieces = (0..=28).map(|power| 1 << power).chain([100_000, 3_000_001]);
        for piece_length in pieces.map(|bytes| PieceLength::foreign(bytes).expect("a piece length")) {
            let layout = Layout::new(&[Source::zeros(1 << 40)], piece_length, wanted);
            for threads in 1..=THREADS_MAX {
                let work = Work { layout: &layout, wanted, kernel: Kernel::best(), threads, progress: &() };
                let grid = Grid::new(&work);
                let group = grid.pieces_in_group as u64 * layout.piece_bytes();
                let largest = usize::try_from(group).expect("small").min(grid.buffer_bytes);
                assert!(grid.buffers * largest <= BUFFERED_BYTES_MAX, "{piece_length} on {threads} threads");
                assert!(grid.buffers >= BUFFERS_PER_THREAD * (threads + 1), "{piece_length} on {threads} threads");
            }
        }
    }
}
