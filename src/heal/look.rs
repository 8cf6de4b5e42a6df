//! What is wrong with the files of a torrent, and whether it is decay or may be their author's work.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::pieces::{Part, Pieces};
use super::{Place, Subject, Watch};
use crate::fingerprint::Fingerprint;
use crate::problem::Problem;

/// The most threads that hash.
const THREADS_MAX: usize = 16;
/// The most bytes that all of them hold, where a piece has fewer.
const BUFFERED_BYTES_MAX: usize = 64 << 20;

/// What is wrong with a torrent's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The files that are not as the torrent says, or may not be: a piece that is bad can lie in several.
    pub ills: Vec<Ill>,
    /// The pieces that are not as the torrent says.
    pub bad: BTreeSet<u64>,
    /// How many pieces there are.
    pub pieces: u64,
}

/// A file that is not as its torrent says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ill {
    /// Its place among the torrent's files.
    pub file: usize,
    /// What is wrong with it.
    pub why: Why,
    /// How many of its pieces are bad.
    pub bad_pieces: u64,
    /// How many of its bytes lie in them.
    pub bad_bytes: u64,
    /// What stands there now.
    pub(super) seen: Option<Fingerprint>,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is gone.
    Missing,
    /// Its bytes are others, and neither its size nor its time is.
    Decayed,
    /// It was written to since it was last known to be right: it may be a new version.
    Changed(Change),
    /// It can't be healed, and why.
    Blocked(String),
}

/// What has changed about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It has so many bytes.
    Size(u64),
    /// It has another time.
    Time,
}

impl Look {
    /// Whether all is as the torrent says.
    pub fn is_whole(&self) -> bool {
        self.ills.is_empty()
    }
}

impl Why {
    /// Whether it is healed: plainly, or with consent.
    pub fn is_healed(&self, consent: bool) -> bool {
        match self {
            Self::Missing | Self::Decayed => true,
            Self::Changed(_) => consent,
            Self::Blocked(_) => false,
        }
    }
}

/// To be said behind the name of the file.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Decayed => f.write_str("has decayed"),
            Self::Changed(Change::Size(bytes)) => write!(f, "has {bytes} bytes now, and may be a new version"),
            Self::Changed(Change::Time) => f.write_str("was written to, and may be a new version"),
            Self::Blocked(why) => f.write_str(why),
        }
    }
}

/// Reads the files of `subject` and finds out what is wrong with them. `known` tells how a file looked when it was last
/// known to be right. `threads` hash at a time.
///
/// Errors: a file that changes while it is read, and being stopped.
pub fn examine(
    subject: &Subject<'_>,
    known: impl Fn(&Path) -> Option<Fingerprint>,
    threads: usize,
    watch: Watch<'_>,
) -> Result<Look, Problem> {
    let info = &subject.torrent.metainfo.info;
    let pieces = Pieces::new(info);
    let standing: Vec<_> = subject.files.iter().map(|place| Standing::of(place, &subject.root)).collect();
    watch.progress.expect(info.total_bytes());
    let examination = Examination {
        subject,
        pieces: &pieces,
        standing: &standing,
        unreadable: standing.iter().map(|_| AtomicBool::new(false)).collect(),
        next: AtomicU64::new(0),
        bad: Mutex::default(),
        watch,
    };
    let threads = threads.clamp(1, THREADS_MAX).min((BUFFERED_BYTES_MAX / pieces.bytes_max()).max(1));
    thread::scope(|scope| {
        // The last of them is this one.
        for _ in 1..threads {
            scope.spawn(|| examination.run());
        }
        examination.run();
    });
    watch.go_on()?;
    for (place, standing) in subject.files.iter().zip(&standing) {
        if Standing::of(place, &subject.root) != *standing {
            return Err(Problem::at(&place.path, "was changed while it was read").help("run it again when it is done"));
        }
    }
    Ok(examination.conclude(known))
}

/// What is said of a file that is none of the site's.
pub(super) const LEADS_OUT: &str = "is a symbolic link that leads out of the site";

/// Whether a file of the site is a symbolic link to one outside of the site's folder `root`: that is nobody's to replace.
pub(super) fn leads_out(path: &Path, root: &Path) -> bool {
    let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    let real = |path: &Path| path.canonicalize().ok();
    is_link && real(path).zip(real(root)).is_none_or(|(file, root)| !file.starts_with(root))
}

/// What stands in the place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    Here(Fingerprint),
    Missing,
    /// It is published elsewhere, and is not here.
    Elsewhere,
    Blocked(String),
}

impl Standing {
    fn of(place: &Place, root: &Path) -> Self {
        let (path, is_elsewhere) = (&place.path, place.url.is_some());
        match fs::metadata(path) {
            Ok(_) if leads_out(path, root) => Self::Blocked(LEADS_OUT.into()),
            Ok(metadata) if metadata.is_file() => Self::Here(Fingerprint::of(&metadata)),
            Ok(_) => Self::Blocked("is not a regular file".into()),
            // A link that leads nowhere is no place for a file.
            Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(path).is_ok() => {
                Self::Blocked("is a symbolic link that leads nowhere".into())
            }
            Err(error) if error.kind() == ErrorKind::NotFound && is_elsewhere => Self::Elsewhere,
            Err(error) if error.kind() == ErrorKind::NotFound => Self::Missing,
            Err(error) => Self::Blocked(format!("can't be looked at: {error}")),
        }
    }
}

/// The work of several threads.
struct Examination<'e> {
    subject: &'e Subject<'e>,
    pieces: &'e Pieces<'e>,
    standing: &'e [Standing],
    unreadable: Vec<AtomicBool>,
    next: AtomicU64,
    bad: Mutex<BTreeSet<u64>>,
    watch: Watch<'e>,
}

/// What came of reading a piece.
enum Piece {
    Good,
    Bad,
    /// A part of it is published elsewhere, so nothing can be said of it here.
    Unknown,
}

impl Examination<'_> {
    fn run(&self) {
        let mut reader = Reader::default();
        let mut buffer = Vec::new();
        loop {
            let piece = self.next.fetch_add(1, Ordering::Relaxed);
            if piece >= self.pieces.count() || self.watch.is_stopped() {
                return;
            }
            let parts = self.pieces.parts(piece);
            buffer.clear();
            buffer.resize(self.pieces.bytes(piece), 0);
            if let Piece::Bad = self.piece(piece, &parts, &mut reader, &mut buffer) {
                self.bad.lock().unwrap_or_else(PoisonError::into_inner).insert(piece);
            }
            let bytes: usize = parts.iter().map(|part| part.bytes).sum();
            self.watch.progress.advance(bytes as u64);
        }
    }

    fn piece(&self, piece: u64, parts: &[Part], reader: &mut Reader, buffer: &mut [u8]) -> Piece {
        if parts.iter().any(|part| self.standing[part.file] == Standing::Elsewhere) {
            return Piece::Unknown;
        }
        for part in parts {
            let Standing::Here(seen) = &self.standing[part.file] else { return Piece::Bad };
            if part.end() > seen.bytes {
                return Piece::Bad;
            }
            let path = &self.subject.files[part.file].path;
            if reader.read(path, part.offset, &mut buffer[part.range()]).is_err() {
                self.unreadable[part.file].store(true, Ordering::Relaxed);
                return Piece::Bad;
            }
        }
        if self.pieces.is(piece, buffer) { Piece::Good } else { Piece::Bad }
    }

    fn conclude(&self, known: impl Fn(&Path) -> Option<Fingerprint>) -> Look {
        let bad = std::mem::take(&mut *self.bad.lock().unwrap_or_else(PoisonError::into_inner));
        let is_wrong = |file: usize| match &self.standing[file] {
            Standing::Here(seen) => {
                seen.bytes != self.pieces.file_bytes(file) || self.unreadable[file].load(Ordering::Relaxed)
            }
            Standing::Missing | Standing::Blocked(_) => true,
            Standing::Elsewhere => false,
        };
        let mut ill: BTreeSet<usize> = (0..self.standing.len()).filter(|&file| is_wrong(file)).collect();
        for &piece in &bad {
            let parts = self.pieces.parts(piece);
            // A piece that a file is known to be bad in says nothing of its neighbours.
            if !parts.iter().any(|part| is_wrong(part.file)) {
                ill.extend(parts.iter().map(|part| part.file));
            }
        }
        let ills = ill.into_iter().map(|file| {
            let bad_here: Vec<u64> = bad.range(self.pieces.of_file(file)).copied().collect();
            let parts = bad_here.iter().flat_map(|&piece| self.pieces.parts(piece));
            let bad_bytes = parts.filter(|part| part.file == file).map(|part| part.bytes as u64).sum();
            let (why, seen) = match &self.standing[file] {
                Standing::Missing | Standing::Elsewhere => (Why::Missing, None),
                Standing::Blocked(why) => (Why::Blocked(why.clone()), None),
                Standing::Here(seen) => (self.why(file, seen, &known), Some(*seen)),
            };
            Ill { file, why, bad_pieces: bad_here.len() as u64, bad_bytes, seen }
        });
        let ills = ills.collect();
        Look { ills, pieces: self.pieces.count(), bad }
    }

    fn why(&self, file: usize, seen: &Fingerprint, known: impl Fn(&Path) -> Option<Fingerprint>) -> Why {
        let path = &self.subject.files[file].path;
        if let Err(error) = File::open(path)
            && error.kind() == ErrorKind::PermissionDenied
        {
            return Why::Blocked(format!("can't be read: {error}"));
        }
        if seen.bytes != self.pieces.file_bytes(file) {
            return Why::Changed(Change::Size(seen.bytes));
        }
        let is_untouched = match known(path) {
            Some(known) => known.bytes == seen.bytes && known.mtime_ns == seen.mtime_ns,
            None => seen.mtime_ns <= self.subject.published_ns,
        };
        if is_untouched { Why::Decayed } else { Why::Changed(Change::Time) }
    }
}

/// Reads parts of files, and keeps the last one open: pieces come in runs.
#[derive(Debug, Default)]
pub(super) struct Reader {
    last: Option<(std::path::PathBuf, File)>,
}

impl Reader {
    /// Fills `buffer` with the bytes of the file from `offset` on.
    pub fn read(&mut self, path: &Path, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            self.last = Some((path.to_owned(), File::open(path)?));
        }
        let Some((_, file)) = &self.last else { return Err(ErrorKind::NotFound.into()) };
        file.read_exact_at(buffer, offset)
    }
}

#[cfg(test)]
#[path = "look_tests.rs"]
mod tests;
