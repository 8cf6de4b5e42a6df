//! What is known of each torrent's files: the one state that serving, counting and showing read.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::disk::{FileFault, settles_within};
use super::spans::{Slot, Span, places};
use super::state::{FileState, Pieces, Seen, State};
use super::status::{Health, Status, Verdict};
use super::{Place, READS_OF_ONE_MAX, Torrent};
use crate::fingerprint::Fingerprint;
use crate::id::InfoHash;
use crate::metainfo::Info;
use crate::wire::{self, Bitfield, Offer};

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

    /// The pieces that hold a byte of a file.
    pub fn pieces_of(&self, slot: &Slot) -> std::ops::Range<u32> {
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
