//! What is known of each torrent's files: the one state that serving, counting and showing read.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::disk::{FileFault, settles_within};
use super::{FAULTS_MAX, Place, READS_OF_ONE_MAX, Torrent};
use crate::fingerprint::Fingerprint;
use crate::id::InfoHash;
use crate::metainfo::{Info, Layout};
use crate::wire::{self, Bitfield, Offer};

/// How a torrent stands. The variants are ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Every piece matched its hash when its files were last changed or first seen.
    Verified,
    /// No fault is known and not every piece has been hashed yet; pieces are hashed when they are asked for.
    Verifying,
    /// It is of v2 alone, which is not spoken to peers here. Its files are there, with their sizes.
    WebSeedOnly,
    /// What can't be sent of it is published elsewhere, and need not be here.
    Elsewhere,
    /// Some of its pieces can't be sent.
    Degraded,
    /// None of its files is there to be read.
    Missing,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verified => "verified",
            Self::Verifying => "verifying",
            Self::WebSeedOnly => "web seed only",
            Self::Elsewhere => "elsewhere",
            Self::Degraded => "degraded",
            Self::Missing => "missing",
        })
    }
}

/// What a status page shows of a torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How it stands.
    pub health: Health,
    /// Its pieces.
    pub pieces: u32,
    /// Pieces that matched their hash.
    pub pieces_verified: u32,
    /// Pieces that are not sent, those aside that are published elsewhere.
    pub pieces_bad: u32,
    /// What is wrong, a sentence a file: `media/ep1.mp3 is 3 bytes shorter than its torrent says`.
    /// At most [`FAULTS_MAX`], and one that counts the others.
    pub faults: Vec<String>,
    /// Bytes of its content sent to peers, as counted here and restored by [`super::Seed::add_sent`].
    pub sent_bytes: u64,
    /// Peers connected for it.
    pub connections: usize,
}

/// That a file matched its torrent as a whole when it looked like this. Kept across restarts, it saves the pass over
/// all files at the start; a piece is hashed before its first sending nevertheless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The file.
    pub path: PathBuf,
    /// What it looked like.
    pub fingerprint: Fingerprint,
}

/// A file with content, as its torrent sees it.
#[derive(Debug)]
pub(super) struct Slot {
    pub path: PathBuf,
    /// As people know it.
    pub name: String,
    /// Whether it is published elsewhere, so that it need not be here.
    pub is_elsewhere: bool,
    /// Where its bytes begin in the torrent's.
    pub start: u64,
    pub bytes: u64,
}

/// A run of bytes within one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Its index in [`Entry::slots`].
    pub slot: usize,
    /// Where it begins among the bytes that were asked for.
    pub at: u64,
    /// Where it begins in the file.
    pub offset: u64,
    pub bytes: u64,
}

/// What came of hashing a piece.
#[derive(Debug)]
pub(super) enum Outcome {
    Matched,
    Differs,
    /// Reading this file failed, and the system says why.
    Unreadable(usize, String),
}

/// A torrent that is seeded.
#[derive(Debug)]
pub(super) struct Entry {
    pub info_hash: InfoHash,
    pub info: Info,
    info_bytes: Arc<[u8]>,
    /// The bytes that pieces are cut from, with padding.
    stream_bytes: u64,
    /// The files that hold a byte, in the torrent's order. An empty file has no piece, so nothing of it is ever read.
    /// Between two of them there may be padding (BEP 47), which is zeros and lies nowhere.
    pub slots: Vec<Slot>,
    // A std Mutex: nothing awaits and no file is touched while it is held.
    state: Mutex<State>,
    pub sent: AtomicU64,
    pub connections: AtomicUsize,
    /// A stalled disk below one torrent leaves room for reading the others.
    pub reads: Arc<Semaphore>,
    /// What peers may ask for; nothing once the torrent is no longer seeded, or where it has no pieces of v1.
    offered: watch::Sender<Option<Arc<Bitfield>>>,
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    health: Health,
    /// There are no pieces of v1, which are the ones that are sent.
    has_no_v1: bool,
    files: Vec<FileState>,
    /// How many files can't be right.
    faulty: usize,
    /// How many of these can't be read at all.
    gone: usize,
    /// How many of these are published elsewhere, and so may be gone.
    excused: usize,
    /// Pieces that match, as hashed here or remembered.
    good: Pieces,
    /// Pieces that were hashed here since their files last changed.
    hashed: Pieces,
    bad: Pieces,
    /// Bad pieces of files that may be gone.
    excused_pieces: Pieces,
    /// Bad pieces that may become good without their files looking different.
    recheck: Pieces,
}

#[derive(Debug)]
struct FileState {
    /// Whether it need not be here.
    is_elsewhere: bool,
    seen: Option<Seen>,
    /// How it looked when it was last known to match as a whole.
    remembered: Option<Fingerprint>,
    /// What the system said when a piece could not be read.
    trouble: Option<String>,
}

#[derive(Debug)]
struct Seen {
    what: Result<Fingerprint, FileFault>,
    since: Instant,
}

#[derive(Debug)]
struct Pieces {
    bits: Bitfield,
    count: u32,
}

impl Pieces {
    fn new(len: u32) -> Self {
        Self { bits: Bitfield::empty(len), count: 0 }
    }

    /// Returns whether it was otherwise before.
    fn put(&mut self, piece: u32, value: bool) -> bool {
        match (self.bits.get(piece), value) {
            (false, true) => self.count += 1,
            (true, false) => self.count -= 1,
            _ => return false,
        }
        self.bits.put(piece, value);
        true
    }
}

impl Entry {
    pub fn new(torrent: Torrent, changes: watch::Sender<u64>, remembered: &HashMap<PathBuf, Fingerprint>) -> Self {
        let Torrent { info_hash, info, info_bytes, files, trackers: _ } = torrent;
        let stream_bytes = info.stream_bytes();
        let pieces = u32::try_from(info.pieces().unwrap_or_default().len())
            .expect("a torrent of 64 MiB holds fewer than 2^32 hashes");
        let slots: Vec<Slot> = files
            .into_iter()
            .zip(places(&info))
            .filter(|(_, (_, bytes))| *bytes > 0)
            .map(|(Place { path, name, is_elsewhere }, (start, bytes))| Slot { path, name, is_elsewhere, start, bytes })
            .collect();
        let files = slots.iter().map(|slot| FileState {
            is_elsewhere: slot.is_elsewhere,
            seen: None,
            remembered: remembered.get(&slot.path).copied(),
            trouble: None,
        });
        let state = State {
            health: match info.pieces() {
                None => Health::WebSeedOnly,
                Some([]) => Health::Verified,
                Some(_) => Health::Verifying,
            },
            has_no_v1: info.pieces().is_none(),
            files: files.collect(),
            faulty: 0,
            gone: 0,
            excused: 0,
            good: Pieces::new(pieces),
            hashed: Pieces::new(pieces),
            bad: Pieces::new(pieces),
            excused_pieces: Pieces::new(pieces),
            recheck: Pieces::new(pieces),
        };
        let offered = watch::Sender::new(info.pieces().map(|_| Arc::new(Bitfield::full(pieces))));
        Self {
            info_hash,
            info,
            info_bytes,
            stream_bytes,
            slots,
            state: Mutex::new(state),
            sent: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            reads: Arc::new(Semaphore::new(READS_OF_ONE_MAX)),
            offered,
            changes,
        }
    }

    /// Whether `torrent` is this one with the same files, so that what is known of it stays true.
    pub fn is(&self, torrent: &Torrent) -> bool {
        let sizes = torrent.info.files();
        let files = torrent.files.iter().zip(&sizes).filter(|(_, (_, bytes))| *bytes > 0).map(|(file, _)| file);
        self.info_hash == torrent.info_hash
            && self
                .slots
                .iter()
                .map(|slot| (&slot.path, &slot.name, slot.is_elsewhere))
                .eq(files.map(|file| (&file.path, &file.name, file.is_elsewhere)))
    }

    /// What a new peer is offered; nothing where the torrent is no longer seeded.
    pub fn offer(&self) -> Option<Offer> {
        Some(Offer {
            pieces: wire::Pieces::of_stream(self.info.piece_length, self.stream_bytes),
            have: self.offered.borrow().clone()?,
            metadata: (!self.info.private).then(|| Arc::clone(&self.info_bytes)),
            v2: None,
            pex: false,
        })
    }

    /// Follows what is offered.
    pub fn offers(&self) -> watch::Receiver<Option<Arc<Bitfield>>> {
        self.offered.subscribe()
    }

    /// Ends the offer: peers that are connected for it are let go.
    pub fn retire(&self) {
        self.offered.send_replace(None);
    }

    pub fn is_retired(&self) -> bool {
        self.offered.borrow().is_none()
    }

    pub fn health(&self) -> Health {
        self.state().health
    }

    pub fn status(&self) -> Status {
        let state = self.state();
        Status {
            health: state.health,
            pieces: state.good.bits.len(),
            pieces_verified: state.good.count,
            pieces_bad: state.bad.count - state.excused_pieces.count,
            faults: self.faults(&state),
            sent_bytes: self.sent.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
        }
    }

    /// The verdicts that are worth remembering: those of a torrent that is verified as a whole.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let state = self.state();
        if state.health != Health::Verified {
            return Vec::new();
        }
        let files = self.slots.iter().zip(&state.files);
        let verdicts = files.filter_map(|(slot, file)| {
            let seen = file.seen.as_ref()?.what.as_ref().ok()?;
            Some(Verdict { info_hash: self.info_hash, path: slot.path.clone(), fingerprint: *seen })
        });
        verdicts.collect()
    }

    /// Where the bytes from `offset` on stand in the files; padding between them stands in none.
    pub fn spans(&self, offset: u64, bytes: u64) -> impl Iterator<Item = Span> + '_ {
        let first = self.slots.partition_point(|slot| slot.start + slot.bytes <= offset);
        let end = offset + bytes;
        (first..self.slots.len()).map_while(move |index| {
            let slot = &self.slots[index];
            let from = slot.start.max(offset);
            let to = (slot.start + slot.bytes).min(end);
            (from < to).then(|| Span { slot: index, at: from - offset, offset: from - slot.start, bytes: to - from })
        })
    }

    /// Where `piece` begins in the torrent's bytes, and how many it has.
    pub fn piece(&self, piece: u32) -> (u64, u32) {
        let length = self.info.piece_length;
        (u64::from(piece) * u64::from(length.bytes()), length.of_piece(piece, self.stream_bytes).unwrap_or(0))
    }

    /// Takes in how a file looks. Where it changed, nothing that was known of its pieces counts any more.
    pub fn saw(&self, slot: usize, what: Result<Fingerprint, FileFault>, now: Instant) {
        let mut state = self.state();
        if state.files[slot].seen.as_ref().is_some_and(|seen| seen.what == what) {
            return;
        }
        let faulty = what.is_err();
        let mut bad_changed = false;
        state.count(slot, |count, one| count - one);
        state.files[slot].seen = Some(Seen { what, since: now });
        state.files[slot].trouble = None;
        state.count(slot, |count, one| count + one);
        let excused = state.files[slot].is_excused();
        for piece in self.pieces_of(&self.slots[slot]) {
            let (offset, bytes) = self.piece(piece);
            // A piece may hold many files; those beside this one are looked at where they can make a difference.
            let files = || self.spans(offset, u64::from(bytes)).map(|span| &state.files[span.slot]);
            let bad = faulty || (state.bad.bits.get(piece) && files().any(FileState::is_faulty));
            let good = state.files[slot].is_as_remembered() && files().all(FileState::is_as_remembered);
            let excused = excused || (state.excused_pieces.bits.get(piece) && files().any(FileState::is_excused));
            bad_changed |= state.bad.put(piece, bad);
            state.excused_pieces.put(piece, excused);
            state.good.put(piece, good);
            state.hashed.put(piece, false);
            state.recheck.put(piece, false);
        }
        self.settle(state, bad_changed);
    }

    /// How the file looked when it was last seen, if nothing was wrong with it.
    pub fn looked(&self, slot: usize) -> Option<Fingerprint> {
        self.state().files[slot].seen.as_ref()?.what.as_ref().ok().copied()
    }

    /// How the file must look for `piece` to be sent without being hashed; nothing where it must be hashed.
    pub fn hashed_as(&self, piece: u32, slot: usize) -> Option<Fingerprint> {
        let state = self.state();
        let seen = state.files[slot].seen.as_ref().filter(|_| state.hashed.bits.get(piece))?;
        seen.what.as_ref().ok().copied()
    }

    /// Takes in what came of hashing `piece`, which was read from `started` on, from files that looked like `files`
    /// before and after.
    pub fn hashed(&self, piece: u32, outcome: Outcome, files: &[(usize, Fingerprint)], started: Instant) {
        let mut state = self.state();
        let mut settled = true;
        for (slot, fingerprint) in files {
            let Some(Seen { what: Ok(seen), since }) = &state.files[*slot].seen else { return };
            if seen != fingerprint {
                return;
            }
            settled &= started >= *since + settles_within(fingerprint);
        }
        let matched = matches!(outcome, Outcome::Matched);
        // Unsettled, the bytes were right and may be sent, but the file may yet change without showing it.
        if matched && !settled {
            return;
        }
        if !matched {
            files.iter().for_each(|(slot, _)| state.files[*slot].remembered = None);
        }
        // What was bad may be repaired without showing it, and a disk may recover.
        state.recheck.put(piece, !matched && (!settled || matches!(outcome, Outcome::Unreadable(..))));
        if let Outcome::Unreadable(slot, why) = outcome {
            state.files[slot].trouble = Some(why);
        }
        let bad_changed = state.bad.put(piece, !matched);
        state.good.put(piece, matched);
        state.hashed.put(piece, matched);
        self.settle(state, bad_changed);
    }

    /// The first piece from `from` on that is to be hashed for its state to be known.
    pub fn unknown_piece(&self, from: u32) -> Option<u32> {
        let state = self.state();
        let known = |piece| (state.good.bits.get(piece) || state.bad.bits.get(piece)) && !state.recheck.bits.get(piece);
        (from..state.good.bits.len()).find(|&piece| !known(piece))
    }

    /// How long, from `now`, until what is read of the files counts; nothing where it does already.
    pub fn settles_in(&self, now: Instant) -> Option<Duration> {
        let state = self.state();
        let settles = state.files.iter().filter_map(|file| match &file.seen {
            Some(Seen { what: Ok(fingerprint), since, .. }) => Some(*since + settles_within(fingerprint)),
            _ => None,
        });
        settles.max()?.checked_duration_since(now).filter(|rest| !rest.is_zero())
    }

    /// Draws the conclusions of a change, and tells them.
    fn settle(&self, mut state: MutexGuard<'_, State>, bad_changed: bool) {
        let health = state.conclude();
        let health_changed = health != state.health;
        state.health = health;
        if bad_changed {
            // Under the lock, so that of two changes the later one is told last.
            self.offered.send_if_modified(|offered| {
                let seeded = offered.is_some();
                if seeded {
                    *offered = Some(Arc::new(state.bad.bits.inverse()));
                }
                seeded
            });
        }
        drop(state);
        if health_changed {
            self.changes.send_modify(|n| *n = n.wrapping_add(1));
        }
    }

    fn faults(&self, state: &State) -> Vec<String> {
        if state.bad.count == 0 && state.faulty == 0 {
            return Vec::new();
        }
        let bad = self.bad_pieces_of_files(state);
        let sentences = self.slots.iter().zip(&state.files).enumerate().filter_map(|(index, (slot, file))| {
            let name = &slot.name;
            if file.is_excused() {
                return None;
            }
            if let Some(Seen { what: Err(fault), .. }) = &file.seen {
                return Some(format!("{name} {}", fault.said_of(slot.bytes)));
            }
            let count = bad.get(&index)?;
            let pieces = self.pieces_of(slot);
            let pieces = pieces.end - pieces.start;
            Some(match &file.trouble {
                None => format!("{name} differs from its torrent in {count} of {pieces} pieces"),
                Some(why) => format!("{name} cannot be read in {count} of {pieces} pieces: {why}"),
            })
        });
        let mut faults: Vec<String> = sentences.collect();
        if faults.is_empty() && state.health == Health::Degraded {
            faults.push("its padding is not of zeros, as its pieces say".into());
        }
        if faults.len() > FAULTS_MAX {
            let more = faults.len() - FAULTS_MAX;
            faults.truncate(FAULTS_MAX);
            faults.push(format!("and {more} more"));
        }
        faults
    }

    /// How many bad pieces each file has, those aside that need not be here. A piece of several files is counted for those of them that are known to be
    /// damaged by themselves, and for all where none is.
    fn bad_pieces_of_files(&self, state: &State) -> HashMap<usize, u32> {
        let blamed = |&piece: &u32| state.bad.bits.get(piece) && !state.excused_pieces.bits.get(piece);
        let bad = || (0..state.bad.bits.len()).filter(blamed);
        let files_of = |piece| {
            let (offset, bytes) = self.piece(piece);
            self.spans(offset, bytes.into()).map(|span| span.slot)
        };
        let damaged: HashSet<usize> = bad().filter(|&piece| files_of(piece).count() == 1).flat_map(files_of).collect();
        let is_damaged = |slot: &usize| damaged.contains(slot) || state.files[*slot].is_faulty();
        let mut counts = HashMap::new();
        for piece in bad() {
            let any = files_of(piece).any(|slot| is_damaged(&slot));
            for slot in files_of(piece).filter(|slot| !any || is_damaged(slot)) {
                *counts.entry(slot).or_default() += 1;
            }
        }
        counts
    }

    fn pieces_of(&self, slot: &Slot) -> std::ops::Range<u32> {
        let length = u64::from(self.info.piece_length.bytes());
        let piece = |n: u64| u32::try_from(n).expect("pieces are numbered in 32 bits");
        piece(slot.start / length)..piece((slot.start + slot.bytes).div_ceil(length))
    }

    /// Moves what was seen into the past, where it has settled.
    #[cfg(test)]
    pub fn age(&self) {
        for file in &mut self.state().files {
            if let Some(seen) = &mut file.seen {
                seen.since -= std::time::Duration::from_secs(10);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where each file that is no padding begins in the bytes that pieces are cut from, and how many it has.
fn places(info: &Info) -> Vec<(u64, u64)> {
    match &info.layout {
        Layout::Single(bytes) => vec![(0, *bytes)],
        Layout::Multi(files) => {
            let starts = files.iter().scan(0, |end, file| {
                let start = *end;
                *end += file.bytes;
                Some((start, file))
            });
            starts.filter(|(_, file)| !file.is_pad).map(|(start, file)| (start, file.bytes)).collect()
        }
    }
}

impl State {
    fn conclude(&self) -> Health {
        if !self.files.is_empty() && self.gone == self.files.len() && self.excused < self.faulty {
            Health::Missing
        } else if self.excused < self.faulty || self.excused_pieces.count < self.bad.count {
            Health::Degraded
        } else if self.excused > 0 {
            Health::Elsewhere
        } else if self.has_no_v1 {
            Health::WebSeedOnly
        } else if self.good.count == self.good.bits.len() {
            Health::Verified
        } else {
            Health::Verifying
        }
    }

    /// Adds what is to be said of a file to the counts, or takes it back.
    fn count(&mut self, slot: usize, step: fn(usize, usize) -> usize) {
        let file = &self.files[slot];
        let (gone, excused, faulty) = (file.is_gone(), file.is_excused(), file.is_faulty());
        self.gone = step(self.gone, gone.into());
        self.excused = step(self.excused, excused.into());
        self.faulty = step(self.faulty, faulty.into());
    }
}

impl FileState {
    /// Whether it is published elsewhere and not here, which is as it may be.
    fn is_excused(&self) -> bool {
        self.is_elsewhere && matches!(self.seen, Some(Seen { what: Err(FileFault::Missing), .. }))
    }

    fn is_gone(&self) -> bool {
        matches!(&self.seen, Some(Seen { what: Err(fault), .. }) if fault.is_absence())
    }

    fn is_faulty(&self) -> bool {
        matches!(self.seen, Some(Seen { what: Err(_), .. }))
    }

    fn is_as_remembered(&self) -> bool {
        let Some(Seen { what: Ok(fingerprint), .. }) = &self.seen else { return false };
        self.remembered == Some(*fingerprint)
    }
}
