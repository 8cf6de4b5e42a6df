//! Verified reads: no byte of a file leaves that does not belong to a piece that matches its hash.
//!
//! A piece is hashed when it is first asked for, and again when size, modification time, inode or change time of one
//! of its files differ from what they were. The bytes sent are those that were hashed, or bytes read later from a file
//! that looks the same before and after the reading. Files are opened for reading only. A symbolic link is
//! followed where it leads to a file of the site; another one is a fault, as it is where the site is read, and nothing
//! of it is sent, neither to peers nor over HTTP.
//!
//! A file system stamps changes with the ticks of a clock, so two changes within one tick look alike. What is read
//! within [`settles_within`] of first seeing a fingerprint is therefore sent, if it matches, and not
//! relied upon afterwards.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::content::{Slot, Span};
use super::meta::Check;
use super::torrents::{Entry, Outcome};
use crate::fingerprint::Fingerprint;
use crate::fsx;
use crate::id::NodeHash;
use crate::wire::{Block, PIECE_HEADER_BYTES, piece_header};

/// The bytes that are read and hashed at a time.
const CHUNK_BYTES: usize = 64 * 1024;
/// The same where the system does not read ahead.
const SCRUB_CHUNK_BYTES: usize = 1024 * 1024;

/// Why a file can't be what its torrent says, before a byte of it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileFault {
    /// There is none.
    Missing,
    /// It is a folder, a pipe or a device.
    NotAFile,
    /// It is a symbolic link to something that is not of the site.
    LeadsOut,
    /// It has this many bytes.
    Size(u64),
    /// The system says why.
    Unreadable(String),
}

/// Why blocks are not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The piece does not match, or a file of it is not there or has the wrong size.
    Bad,
    /// A file changed while it was read.
    Changing,
    /// Too many files are open.
    Busy,
    /// What its torrent says of it is not to be had.
    Unknown,
    /// The disk does not answer.
    Silent,
}

/// Reads `blocks` and appends each with its header, as they go onto the wire. On refusal `out` is as it was.
pub(super) fn read_blocks(entry: &Entry, blocks: &[Block], out: &mut Vec<u8>) -> Result<(), Refused> {
    let before = out.len();
    // Exactly, as peers that do not read leave it lying.
    out.reserve_exact(blocks.iter().map(|block| PIECE_HEADER_BYTES + block.bytes as usize).sum());
    for run in blocks.chunk_by(|a, b| a.piece == b.piece) {
        let start = out.len();
        for block in run {
            out.extend_from_slice(&piece_header(*block));
            out.resize(out.len() + block.bytes as usize, 0);
        }
        // What was verified and looks unchanged is read as it is; whatever else, the hash decides.
        if read_known(entry, run, &mut out[start..]).is_none() {
            let read = hash_piece(entry, run[0].piece, Reach::Cache, run, &mut out[start..]);
            if let Err(refused) = read {
                out.truncate(before);
                return Err(refused);
            }
        }
    }
    Ok(())
}

/// Hashes a piece without sending anything of it.
pub(super) fn verify_piece(entry: &Entry, piece: u32) -> Result<(), Refused> {
    hash_piece(entry, piece, Reach::Cache, &[], &mut [])
}

/// Hashes a piece as the disk gives it, and not as the system remembers it, as far as that can be had: what another
/// process holds in its memory, and caches of the disk, of a file server or of ZFS, stay what they are.
pub(super) fn scrub_piece(entry: &Entry, piece: u32) -> Result<(), Refused> {
    hash_piece(entry, piece, Reach::Disk, &[], &mut [])
}

/// How far down a reading goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Bytes that the system has in memory are taken from there.
    Cache,
    Disk,
}

/// Looks at every file of a torrent, without reading any but the `.torrent`, where that was not to be had.
pub(super) fn look(entry: &Entry) {
    if entry.lacks_meta() {
        // Told of by it, whatever comes of it.
        let _ = entry.meta();
    }
    for slot in 0..entry.content.slots.len() {
        look_at(entry, slot);
        entry.beat();
    }
}

/// Looks at one of its files.
pub(super) fn look_at(entry: &Entry, slot: usize) {
    // What looks as it did needs no opening; a change of its permissions shows in its change time.
    if let Ok(metadata) = metadata(&entry.content.slots[slot])
        && metadata.is_file()
        && entry.looked(slot) == Some(Fingerprint::of(&metadata))
    {
        return;
    }
    // Told of by `open_seen`, whatever it is.
    let _ = open_seen(entry, slot);
}

/// Opens a file, and takes in how it looks or what is wrong with it.
fn open_seen(entry: &Entry, slot: usize) -> Result<(File, Fingerprint), Refused> {
    let opened = open(&entry.content.slots[slot]);
    let now = Instant::now();
    match opened {
        Ok((file, fingerprint)) => {
            entry.saw(slot, Ok(fingerprint), now);
            Ok((file, fingerprint))
        }
        Err(Trouble::File(fault)) => {
            entry.saw(slot, Err(fault), now);
            Err(Refused::Bad)
        }
        Err(Trouble::Ours) => Err(Refused::Busy),
    }
}

/// Reads the blocks of one piece that was hashed before; nothing where a file looks different now.
fn read_known(entry: &Entry, run: &[Block], out: &mut [u8]) -> Option<()> {
    let piece = run[0].piece;
    let (piece_start, _) = entry.content.piece(piece);
    let mut opened: Option<(usize, File, Fingerprint)> = None;
    let mut rest = out;
    for block in run {
        let (data, behind) = rest[PIECE_HEADER_BYTES..].split_at_mut(block.bytes as usize);
        rest = behind;
        // What no span covers is padding, and zero already.
        for span in entry.content.spans(piece_start + u64::from(block.begin), block.bytes.into()) {
            if opened.as_ref().is_none_or(|(slot, ..)| *slot != span.slot) {
                check_after(opened.take())?;
                let wanted = entry.hashed_as(piece, span.slot)?;
                let (file, fingerprint) = open(&entry.content.slots[span.slot]).ok()?;
                if fingerprint != wanted {
                    return None;
                }
                opened = Some((span.slot, file, wanted));
            }
            let (_, file, _) = opened.as_mut()?;
            let (at, bytes) = (usize::try_from(span.at).ok()?, usize::try_from(span.bytes).ok()?);
            #[cfg(test)]
            entry.content.slots[span.slot].place.folder().obstacle.on_read().ok()?;
            file.seek(SeekFrom::Start(span.offset)).ok()?;
            file.read_exact(&mut data[at..][..bytes]).ok()?;
            entry.beat();
        }
    }
    check_after(opened)
}

fn check_after(opened: Option<(usize, File, Fingerprint)>) -> Option<()> {
    let unchanged = opened.is_none_or(|(_, file, wanted)| fingerprint_of(&file) == Some(wanted));
    unchanged.then_some(())
}

/// Reads and hashes a whole piece, and copies the blocks of `run` out of the very bytes that are hashed.
fn hash_piece(entry: &Entry, piece: u32, reach: Reach, run: &[Block], out: &mut [u8]) -> Result<(), Refused> {
    let started = Instant::now();
    let meta = entry.meta().ok_or(Refused::Unknown)?;
    let mut check = meta.check(&entry.content, piece);
    let read = read_piece(entry, piece, reach, |part| match part {
        Part::Zeros(bytes) => hash_zeros(&mut check, bytes),
        Part::Bytes(at, bytes) => {
            check.update(bytes);
            copy_overlaps(at, bytes, run, out);
        }
    })?;
    let outcome = match read.trouble {
        Some((slot, why)) => Outcome::Unreadable(slot, why),
        None if check.matches() => Outcome::Matched,
        None => Outcome::Differs,
    };
    let matched = matches!(outcome, Outcome::Matched);
    entry.hashed(piece, outcome, &read.files, started);
    if matched { Ok(()) } else { Err(Refused::Bad) }
}

/// The hashes of the blocks of a piece of v2, where it is as its tree says.
pub(super) fn leaves(entry: &Entry, piece: u32) -> Option<Vec<NodeHash>> {
    let meta = entry.meta()?;
    let mut leaves = meta.leaves(&entry.content, piece)?;
    let read = read_piece(entry, piece, Reach::Cache, |part| {
        // Padding is nothing to v2.
        if let Part::Bytes(_, bytes) = part {
            leaves.update(bytes);
        }
    });
    let read_whole = read.is_ok_and(|read| read.trouble.is_none());
    let matching = leaves.matching().filter(|_| read_whole);
    if matching.is_none() {
        // What it says of the piece is told, as wherever else a piece is found to be bad.
        let _ = verify_piece(entry, piece);
    }
    matching
}

/// A part of a piece, in order.
enum Part<'a> {
    /// So much padding (BEP 47), which is to be found in no file.
    Zeros(u64),
    /// What stands from a byte of the piece on.
    Bytes(u64, &'a [u8]),
}

/// What a piece was read from.
struct Taken {
    /// The files, as they looked before and after.
    files: Vec<(usize, Fingerprint)>,
    /// The file that could not be read to the end, and why; the rest of the piece was not read then.
    trouble: Option<(usize, String)>,
}

/// Reads a whole piece; `each` gets every part of it.
fn read_piece(entry: &Entry, piece: u32, reach: Reach, mut each: impl FnMut(Part)) -> Result<Taken, Refused> {
    let (piece_start, piece_bytes) = entry.content.piece(piece);
    let mut files = Vec::new();
    let chunk_bytes = if reach == Reach::Disk { SCRUB_CHUNK_BYTES } else { CHUNK_BYTES };
    let mut chunk = vec![0; chunk_bytes.min(piece_bytes as usize)];
    let mut at = 0;
    for span in entry.content.spans(piece_start, piece_bytes.into()) {
        each(Part::Zeros(span.at - at));
        at = span.at;
        let (mut file, fingerprint) = open_seen(entry, span.slot)?;
        files.push((span.slot, fingerprint));
        if reach == Reach::Disk {
            fsx::forget_cached(&file, span.offset, span.bytes);
        }
        let read = read_span(entry, &mut file, span, &mut chunk, |part| {
            each(Part::Bytes(at, part));
            at += part.len() as u64;
        });
        if fingerprint_of(&file) != Some(fingerprint) {
            look_at(entry, span.slot);
            return Err(Refused::Changing);
        }
        if reach == Reach::Disk && entry.connections.load(Ordering::Relaxed) == 0 {
            // What nobody asks for does not take the room of what is asked for.
            fsx::forget_cached(&file, span.offset, span.bytes);
        }
        if let Err(error) = read {
            return Ok(Taken { files, trouble: Some((span.slot, error.to_string())) });
        }
    }
    each(Part::Zeros(u64::from(piece_bytes) - at));
    Ok(Taken { files, trouble: None })
}

/// Hashes padding (BEP 47), which `out` of [`hash_piece`] holds already.
fn hash_zeros(check: &mut Check, bytes: u64) {
    static ZEROS: [u8; CHUNK_BYTES] = [0; CHUNK_BYTES];
    let mut rest = bytes;
    while rest > 0 {
        let part = usize::try_from(rest).map_or(CHUNK_BYTES, |rest| rest.min(CHUNK_BYTES));
        check.pad(&ZEROS[..part]);
        rest -= part as u64;
    }
}

/// Reads a span in chunks; `each` gets every one.
fn read_span(
    entry: &Entry,
    file: &mut File,
    span: Span,
    chunk: &mut [u8],
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    file.seek(SeekFrom::Start(span.offset))?;
    let mut rest = span.bytes;
    while rest > 0 {
        let bytes = usize::try_from(rest).map_or(chunk.len(), |rest| rest.min(chunk.len()));
        #[cfg(test)]
        entry.content.slots[span.slot].place.folder().obstacle.on_read()?;
        file.read_exact(&mut chunk[..bytes])?;
        entry.beat();
        each(&chunk[..bytes]);
        rest -= bytes as u64;
    }
    Ok(())
}

/// Copies into `out`, which holds the messages of `run`, what of their blocks lies in `part`, which begins at byte
/// `at` of the piece.
fn copy_overlaps(at: u64, part: &[u8], run: &[Block], out: &mut [u8]) {
    let mut rest = out;
    let end = at + part.len() as u64;
    for block in run {
        let (data, behind) = rest[PIECE_HEADER_BYTES..].split_at_mut(block.bytes as usize);
        rest = behind;
        let begin = u64::from(block.begin);
        let (from, to) = (begin.max(at), (begin + u64::from(block.bytes)).min(end));
        if from < to {
            // Both differences are below the length of a slice that is in memory.
            let index = |from: u64, base: u64| usize::try_from(from - base).expect("an index into a slice");
            data[index(from, begin)..index(to, begin)].copy_from_slice(&part[index(from, at)..index(to, at)]);
        }
    }
}

/// Why a file can't be opened.
enum Trouble {
    /// It is the file's.
    File(FileFault),
    /// Too many files are open here, which says nothing of this one.
    Ours,
}

/// Opens a file that can be what its torrent says.
fn open(slot: &Slot) -> Result<(File, Fingerprint), Trouble> {
    // Asked before opening: to open a pipe would wait for someone to write into it.
    if !metadata(slot)?.is_file() {
        return Err(Trouble::File(FileFault::NotAFile));
    }
    let file = File::open(slot.place.path())?;
    let fingerprint = Fingerprint::of(&file.metadata()?);
    if fingerprint.bytes != slot.bytes {
        return Err(Trouble::File(FileFault::Size(fingerprint.bytes)));
    }
    Ok((file, fingerprint))
}

/// How a file looks at its path.
fn metadata(slot: &Slot) -> Result<Metadata, Trouble> {
    #[cfg(test)]
    slot.place.folder().obstacle.on_look();
    let path = slot.place.path();
    let mut metadata = std::fs::symlink_metadata(&path)?;
    if metadata.is_symlink() {
        if !slot.place.leads_inside()? {
            return Err(Trouble::File(FileFault::LeadsOut));
        }
        metadata = std::fs::metadata(&path)?;
    }
    slot.place.folder().is_on(metadata.dev());
    Ok(metadata)
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        /// `ENFILE` and `EMFILE`, the same numbers on every Unix.
        const TOO_MANY_OPEN: [i32; 2] = [23, 24];
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::File(FileFault::Missing),
            _ if cfg!(unix) && error.raw_os_error().is_some_and(|code| TOO_MANY_OPEN.contains(&code)) => Self::Ours,
            _ => Self::File(FileFault::Unreadable(error.to_string())),
        }
    }
}

fn fingerprint_of(file: &File) -> Option<Fingerprint> {
    file.metadata().ok().map(|metadata| Fingerprint::of(&metadata))
}

/// How long after a fingerprint was first seen a further change is sure to look different: some ticks of the clock
/// that the file system stamps with, which is at most 10 ms slow, or 2 s where it counts whole seconds.
pub(super) fn settles_within(fingerprint: &Fingerprint) -> Duration {
    if fingerprint.ctime_ns % 1_000_000_000 == 0 { Duration::from_millis(2500) } else { Duration::from_millis(50) }
}

impl FileFault {
    /// What is to be said of a file that should have `bytes` bytes, behind its name.
    pub fn said_of(&self, bytes: u64) -> String {
        match self {
            Self::Missing => "is missing".into(),
            Self::NotAFile => "is not a regular file".into(),
            Self::LeadsOut => "is a symbolic link that leads out of the site".into(),
            Self::Unreadable(why) => format!("cannot be read: {why}"),
            Self::Size(size) => {
                let (difference, word) =
                    if *size < bytes { (bytes - size, "shorter") } else { (size - bytes, "longer") };
                let unit = if difference == 1 { "byte" } else { "bytes" };
                format!("is {difference} {unit} {word} than its torrent says")
            }
        }
    }

    /// Whether there is nothing to read, rather than something else.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Missing | Self::Unreadable(_))
    }
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
