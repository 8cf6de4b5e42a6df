//! Files against the hashes of their torrent, each read once by the fast hasher: by v1, by v2, or by both.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::hash::{self, Progress, Source, Wanted};
use crate::id::PieceHash;
use crate::metainfo::{Info, Kind, Layout, Tree};
use crate::problem::Problem;

/// The most bad pieces that are named for one file.
pub const BAD_PIECES_NAMED_MAX: usize = 20;

/// Where a file of a torrent is expected.
#[derive(Debug)]
pub struct Place {
    pub path: PathBuf,
    /// Whether it is published elsewhere: then it need not be here, and nothing is said of its pieces where it is not.
    pub is_elsewhere: bool,
}

/// What came of reading the files of a torrent.
#[derive(Debug)]
pub struct Checked {
    /// Its files, in the order of [`Info::files`].
    pub files: Vec<Outcome>,
    /// The pieces that are not what v1 or v2 says, `absent` ones among them.
    pub bad: BTreeSet<u64>,
    /// The pieces with a byte of a file that is not there, or has another size.
    pub absent: BTreeSet<u64>,
    /// The pieces of which v1 and v2 say different things: the torrent contradicts itself.
    pub contradicting: Vec<u64>,
    /// How many bytes were read.
    pub read_bytes: u64,
}

/// What came of one file.
#[derive(Debug)]
pub struct Outcome {
    pub path: PathBuf,
    /// Why it was not read.
    pub absence: Option<Absence>,
    /// The pieces that hold a byte of it.
    pub pieces: Range<u64>,
}

/// Why a file was not read.
#[derive(Debug)]
pub enum Absence {
    /// It is published elsewhere, and is not here.
    Elsewhere,
    Missing(Problem),
    /// It has so many bytes, and should have as many as the second says.
    Size(u64, u64),
    /// It is no file, or the system does not open it.
    Unreadable(Problem),
}

impl Checked {
    /// The bad pieces that hold a byte of `file`.
    pub fn bad_of(&self, file: &Outcome) -> Vec<u64> {
        self.bad.range(file.pieces.clone()).copied().collect()
    }
}

impl Outcome {
    /// What is wrong with it, where it was not read and should have been.
    pub fn problem(&self) -> Option<Problem> {
        match self.absence.as_ref()? {
            Absence::Elsewhere => None,
            Absence::Missing(problem) | Absence::Unreadable(problem) => Some(problem.clone()),
            Absence::Size(found, wanted) => Some(Problem::at(&self.path, format!("has {found} bytes, not {wanted}"))),
        }
    }
}

/// Reads the files of a torrent that lie at `places`, one for each of [`Info::files`]. `progress` is told of the bytes that
/// are read, not of those that are expected.
///
/// Errors: a file that can't be read to its end, or that changes while it is read.
pub fn check(info: &Info, places: Vec<Place>, progress: &dyn Progress) -> Result<Checked, Problem> {
    let (parts, mut sources) = parts(info, places);
    let wanted = Wanted { v1: info.kind().has_v1(), v2: info.kind().has_v2(), sha384: false };
    let digests = hash::hash(hash::Order::new(&mut sources, info.piece_length, wanted, progress))?;
    let absent = pieces_where(info, &parts, |absence| !matches!(absence, Absence::Elsewhere));
    let unknown = pieces_where(info, &parts, |absence| matches!(absence, Absence::Elsewhere));
    let bad = |found: BTreeSet<u64>| &(&found | &absent) - &unknown;
    let v1 = info.pieces().map(|pieces| bad(bad_of_v1(pieces, &digests.pieces)));
    let v2 = info.trees().map(|trees| bad(bad_of_v2(info, &parts, trees, &digests.trees)));
    let contradicting = match (&v1, &v2) {
        (Some(v1), Some(v2)) => v1.symmetric_difference(v2).copied().collect(),
        _ => Vec::new(),
    };
    let read = parts.iter().filter(|part| part.absence.is_none() && part.path.is_some());
    let read_bytes = read.map(|part| part.bytes).sum();
    let bad = [v1, v2].into_iter().flatten().reduce(|one, other| &one | &other).unwrap_or_default();
    let files = parts.into_iter().filter_map(|part| {
        let pieces = part.pieces(info);
        Some(Outcome { path: part.path?, absence: part.absence, pieces })
    });
    Ok(Checked { files: files.collect(), bad, absent, contradicting, read_bytes })
}

/// The numbers of `pieces`, as far as they are named.
pub fn named(pieces: &[u64]) -> String {
    let named: Vec<_> = pieces.iter().take(BAD_PIECES_NAMED_MAX).map(ToString::to_string).collect();
    match pieces.len().saturating_sub(BAD_PIECES_NAMED_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// A file or a pad of the torrent, in its order.
struct Part {
    /// Where it is expected; a pad is nowhere.
    path: Option<PathBuf>,
    bytes: u64,
    /// Why it is not read.
    absence: Option<Absence>,
    /// The byte of the content, pads and all, at which it begins.
    start: u64,
}

impl Part {
    fn pieces(&self, info: &Info) -> Range<u64> {
        let piece_bytes = u64::from(info.piece_length.bytes());
        let first = self.start / piece_bytes;
        first..if self.bytes == 0 { first } else { (self.start + self.bytes).div_ceil(piece_bytes) }
    }
}

/// The parts of the content, and what is there: zeros in the place of a pad, nothing in that of a file that is not there
/// or has another size.
fn parts(info: &Info, places: Vec<Place>) -> (Vec<Part>, Vec<Source>) {
    let piece_bytes = u64::from(info.piece_length.bytes());
    let mut start = 0;
    let mut sources = Vec::new();
    let mut part = |place: Option<Place>, bytes: u64| {
        let (source, absence) = match &place {
            None => (Source::zeros(bytes), None),
            Some(place) => match source(place, bytes) {
                Ok(source) => (source, None),
                Err(absence) => (Source::absent(bytes), Some(absence)),
            },
        };
        sources.push(source);
        let part = Part { path: place.map(|place| place.path), bytes, absence, start };
        start += match info.kind() {
            // Each file begins with a piece, also where no pads say so.
            Kind::V2 => info.piece_length.count(bytes) * piece_bytes,
            Kind::V1 | Kind::Hybrid => bytes,
        };
        part
    };
    let mut places = places.into_iter();
    let parts = match &info.layout {
        Layout::Single(bytes) => vec![part(places.next(), *bytes)],
        Layout::Multi(files) => {
            files.iter().map(|file| part(if file.is_pad { None } else { places.next() }, file.bytes)).collect()
        }
    };
    (parts, sources)
}

fn source(place: &Place, bytes: u64) -> Result<Source, Absence> {
    match Source::open(&place.path) {
        Ok(source) if source.bytes() == bytes => Ok(source),
        Ok(source) => Err(Absence::Size(source.bytes(), bytes)),
        Err(_) if place.is_elsewhere && is_missing(&place.path) => Err(Absence::Elsewhere),
        Err(problem) if is_missing(&place.path) => Err(Absence::Missing(problem)),
        Err(problem) => Err(Absence::Unreadable(problem)),
    }
}

/// Whether nothing is there, not even a link that leads nowhere.
fn is_missing(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// The pieces with a byte of a file that was not read. What stands in its place says nothing of them.
fn pieces_where(info: &Info, parts: &[Part], is_meant: impl Fn(&Absence) -> bool) -> BTreeSet<u64> {
    let meant = parts.iter().filter(|part| part.absence.as_ref().is_some_and(&is_meant));
    meant.flat_map(|part| part.pieces(info)).collect()
}

/// The pieces that are not what v1 says.
fn bad_of_v1(wanted: &[PieceHash], found: &[PieceHash]) -> BTreeSet<u64> {
    let pairs = (0..).zip(wanted.iter().zip(found));
    pairs.filter(|(_, (wanted, found))| wanted != found).map(|(index, _)| index).collect()
}

/// The pieces that are not what v2 says. What was `found` has a place for each part, what is `wanted` for each file.
fn bad_of_v2(info: &Info, parts: &[Part], wanted: &[Option<Tree>], found: &[Option<Tree>]) -> BTreeSet<u64> {
    let mut bad = BTreeSet::new();
    let nodes = |tree: &Tree| if tree.layer.is_empty() { vec![tree.root] } else { tree.layer.clone() };
    for ((part, found), wanted) in parts.iter().zip(found).filter(|(part, _)| part.path.is_some()).zip(wanted) {
        let (wanted, found) = (wanted.as_ref().map(nodes), found.as_ref().map(nodes));
        let first = part.start / u64::from(info.piece_length.bytes());
        let pairs = (first..)
            .zip(wanted.unwrap_or_default())
            .zip(found.unwrap_or_default().into_iter().map(Some).chain(std::iter::repeat(None)));
        bad.extend(pairs.filter(|((_, wanted), found)| Some(*wanted) != *found).map(|((index, _), _)| index));
    }
    bad
}
