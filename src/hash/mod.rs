//! From disk to hashes: each file is read once, and its pieces are hashed on all cores.
//!
//! It knows files, streams and piece lengths, and nothing of torrents or sites.
//!
//! Where pieces and trees alone are wanted of files, each thread reads and hashes pieces by itself (`apart`), several at
//! a time. Where somebody needs the bytes in their order (a SHA-384, a [`Listener`], or a stream, which has no other
//! order), one thread reads for all (`pipeline`). Either way the memory is bounded: [`BUFFERED_BYTES_MAX`].

mod apart;
mod files;
mod group;
mod layout;
mod pipeline;
mod tree;

use std::io::Read;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Mutex;
use std::{fmt, thread};

use crate::fingerprint::Fingerprint;
use crate::id::PieceHash;
use crate::lanes::Kernel;
use crate::metainfo::Tree;
use crate::problem::Problem;
use crate::units::PieceLength;
use files::{check_unchanged, open};
use layout::Layout;

/// The most bytes that are held in buffers while files are hashed, however large files and pieces are; the hashes
/// themselves, 20 and 32 bytes a piece, come to it.
pub const BUFFERED_BYTES_MAX: usize = 16 << 20;
/// The most threads that hash pieces.
const THREADS_MAX: usize = 32;

/// What is to be hashed: a file, as it was when its size was taken (one that differs when it is read, or after, is an
/// error), a stream, or zeros.
#[derive(Debug)]
pub struct Source {
    content: Content,
    /// Zeros that follow it in the v1 pieces.
    pad: u64,
}

enum Content {
    File {
        path: PathBuf,
        fingerprint: Fingerprint,
    },
    Zeros {
        bytes: u64,
        is_absent: bool,
    },
    /// Nobody locks it: as a `Mutex` it may be looked at from all threads, as its neighbours are.
    Stream {
        name: String,
        bytes: u64,
        read: Mutex<Box<dyn Read + Send>>,
    },
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => write!(f, "{}", path.display()),
            Self::Zeros { bytes, .. } => write!(f, "{bytes} zeros"),
            Self::Stream { name, bytes, .. } => write!(f, "{name}, {bytes} bytes"),
        }
    }
}

impl Source {
    /// Looks at the file at `path`, which must be a regular, readable file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Problem> {
        let path = path.into();
        let (_, fingerprint) = open(&path)?;
        Ok(Self { content: Content::File { path, fingerprint }, pad: 0 })
    }

    /// As many zeros, in the place of a file that is not there or that pads (BEP 47). They are in the v1 pieces, and
    /// nowhere else: a tree they have not, their SHA-384 is that of nothing, and a [`Listener`] does not hear of them.
    pub fn zeros(bytes: u64) -> Self {
        Self { content: Content::Zeros { bytes, is_absent: false }, pad: 0 }
    }

    /// The place of a file of `bytes` bytes that is not there: as [`Source::zeros`], but pieces with a byte of it are not
    /// hashed where pieces alone are wanted; in their place stand zeros.
    pub fn absent(bytes: u64) -> Self {
        Self { content: Content::Zeros { bytes, is_absent: true }, pad: 0 }
    }

    /// What `read` gives, `bytes` bytes, read once and in order; `name` is what problems call it. It gives more or less
    /// bytes: that is an error. It can be hashed once.
    pub fn stream(name: impl Into<String>, bytes: u64, read: Box<dyn Read + Send>) -> Self {
        Self { content: Content::Stream { name: name.into(), bytes, read: Mutex::new(read) }, pad: 0 }
    }

    /// The same with zeros behind it in the v1 pieces, up to the end of a piece, as each file of a hybrid torrent of
    /// several files has them (BEP 47); no zeros behind an empty one. The source must begin with a piece.
    pub fn padded(self, piece_length: PieceLength) -> Self {
        let bytes = self.bytes();
        Self { pad: bytes.next_multiple_of(u64::from(piece_length.bytes())) - bytes, ..self }
    }

    /// What the file was like when it was opened, where it is one.
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        if let Content::File { fingerprint, .. } = &self.content { Some(fingerprint) } else { None }
    }

    /// Whether it stands in the place of a file.
    pub fn is_zeros(&self) -> bool {
        matches!(self.content, Content::Zeros { .. })
    }

    /// Its size in bytes, without the zeros that pad it.
    pub fn bytes(&self) -> u64 {
        match &self.content {
            Content::File { fingerprint, .. } => fingerprint.bytes,
            Content::Zeros { bytes, .. } | Content::Stream { bytes, .. } => *bytes,
        }
    }
}

/// What to compute. With `v1` and `v2` both, the torrent is a hybrid one: each file must begin with a piece
/// ([`Source::padded`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The SHA-1 of each piece of the sources laid end to end (BEP 3).
    pub v1: bool,
    /// The tree of each file (BEP 52). The piece length is a power of two from 16 KiB on.
    pub v2: bool,
    /// The SHA-384 of each file, for `integrity` in feeds. One file's can't be computed on several cores, so it takes
    /// up to ten times as long as the pieces.
    pub sha384: bool,
}

/// What reading the sources gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    /// The SHA-1 of each v1 piece; empty where v1 was not wanted.
    pub pieces: Vec<PieceHash>,
    /// The tree of each source, in the order of the sources; `None` for an empty file and for zeros. Empty where v2 was
    /// not wanted.
    pub trees: Vec<Option<Tree>>,
    /// The SHA-384 of each source, in the order of the sources; empty where it was not wanted.
    pub sha384: Vec<[u8; 48]>,
}

/// Told how hashing goes on; called from one thread at a time.
pub trait Progress: Sync {
    /// `bytes` more will be hashed.
    fn expect(&self, bytes: u64) {
        let _ = bytes;
    }
    /// `bytes` more have been read.
    fn advance(&self, bytes: u64) {
        let _ = bytes;
    }
}

/// Nobody watches.
impl Progress for () {}

/// Hears every byte of every file in the same pass, from one thread.
pub trait Listener: Send {
    /// The next `bytes` of the source at index `file`. Sources come in their order, and empty ones are left out.
    fn bytes(&mut self, file: usize, bytes: &[u8]);
}

/// What [`hash`] is to do.
pub struct Order<'o> {
    /// What is hashed, in the torrent's order.
    pub sources: &'o mut [Source],
    /// How it is cut.
    pub piece_length: PieceLength,
    /// What is computed.
    pub wanted: Wanted,
    /// How many threads hash pieces; `None`: as many as there are cores.
    pub threads: Option<NonZeroUsize>,
    /// Who watches.
    pub progress: &'o dyn Progress,
    /// Who hears the bytes.
    pub listener: Option<&'o mut dyn Listener>,
}

impl<'o> Order<'o> {
    /// On all cores, and with nobody who hears the bytes.
    pub fn new(
        sources: &'o mut [Source],
        piece_length: PieceLength,
        wanted: Wanted,
        progress: &'o dyn Progress,
    ) -> Self {
        Self { sources, piece_length, wanted, threads: None, progress, listener: None }
    }
}

/// Reads the sources once and hashes them.
///
/// It holds at most [`BUFFERED_BYTES_MAX`] in buffers, and few files open. A file that can't be read, or that is not
/// what it was when its [`Source`] was opened, is an error that names it.
pub fn hash(order: Order<'_>) -> Result<Digests, Problem> {
    let Order { sources, piece_length, wanted, threads, progress, listener } = order;
    let layout = Layout::new(sources, piece_length, wanted);
    let threads = threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let kernel = Kernel::best();
    let has_stream = sources.iter().any(|source| matches!(source.content, Content::Stream { .. }));
    let work = Work { layout: &layout, wanted, kernel, threads: threads.min(THREADS_MAX), progress };
    let (hashes, sha384) = if wanted.sha384 || listener.is_some() || has_stream {
        pipeline::hash(&work, sources, listener)?
    } else {
        (apart::hash(&work, sources)?, Vec::new())
    };
    // After the last byte of all: a file that was changed behind the reader is not what was hashed.
    check_unchanged(sources)?;
    let trees = if wanted.v2 { layout.trees(kernel, &hashes.roots) } else { Vec::new() };
    Ok(Digests { pieces: hashes.pieces, trees, sha384 })
}

/// What both ways need to know.
struct Work<'w> {
    layout: &'w Layout,
    wanted: Wanted,
    kernel: Kernel,
    threads: usize,
    progress: &'w dyn Progress,
}

#[cfg(test)]
mod tests;
