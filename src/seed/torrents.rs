//! A torrent that is seeded, with the one state of it that serving, counting and showing read.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::READS_OF_ONE_MAX;
use super::content::{Content, Slot, Torrent};
use super::disk::{FileFault, settles_within};
use super::faults::ranges;
use super::meta::Meta;
use super::peers::Peers;
use super::state::{FileState, Offered, Seen, State, Whole};
use super::status::{Damage, DamagedFile, Health, Status, Verdict};
use crate::fingerprint::Fingerprint;
use crate::id::{InfoHash, InfoHashV2};
use crate::pace::Pace;
use crate::wire::Offer;

/// What came of hashing a piece.
#[derive(Debug)]
pub(super) enum Outcome {
    Matched,
    Differs,
    /// Reading this file failed, and the system says why.
    Unreadable(usize, String),
}

/// A torrent that is seeded. There are thousands of them, of which few have peers: what those need is made when they
/// come, and goes when they are gone.
#[derive(Debug)]
pub(super) struct Entry {
    pub content: Arc<Content>,
    // Std Mutexes: nothing awaits and no file is touched while one is held.
    state: Mutex<State>,
    meta: Mutex<Held>,
    pub sent: AtomicU64,
    pub connections: AtomicUsize,
    /// Grows with every bit that is read of its files.
    pulse: AtomicU32,
    /// The piece from which on the next one is looked for that is to be tried again.
    again_from: AtomicU32,
    pace: OnceLock<Box<Pace>>,
    /// Who is connected for it.
    pub peers: Peers,
    changes: watch::Sender<u64>,
}

/// What is known of a file from a former run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remembered {
    pub fingerprint: Fingerprint,
    pub is_damaged: bool,
}

/// What the `.torrent` says, where it was needed of late.
#[derive(Debug, Default)]
struct Held {
    meta: Option<Arc<Meta>>,
    /// Its `info` dictionary, which connections may hold for longer: all hold the same.
    info_bytes: Option<Weak<[u8]>>,
    is_used: bool,
}

impl Held {
    fn info_bytes(&self) -> Option<Arc<[u8]>> {
        self.info_bytes.as_ref()?.upgrade()
    }

    fn let_go(&mut self) {
        self.meta = None;
        if self.info_bytes().is_none() {
            // Its room is given back with the last who knows of it.
            self.info_bytes = None;
        }
    }
}

impl Entry {
    /// `remembered`: the verdicts of a former run, by the paths of the files.
    pub fn new(torrent: &Torrent, changes: watch::Sender<u64>, remembered: &HashMap<PathBuf, Remembered>) -> Self {
        let content = Arc::clone(&torrent.0);
        let file = |slot: &Slot| {
            let known = (!remembered.is_empty()).then(|| remembered.get(&slot.place.path())).flatten();
            FileState {
                is_elsewhere: slot.place.is_elsewhere,
                seen: None,
                whole: known.map_or(Whole::Unknown, |known| Whole::Once(Box::new(known.fingerprint))),
                is_trusted: known.is_some_and(|known| !known.is_damaged),
                trouble: None,
            }
        };
        let files = content.slots.iter().map(file).collect();
        Self {
            state: Mutex::new(State::new(content.pieces(), files)),
            content,
            meta: Mutex::default(),
            sent: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            pulse: AtomicU32::new(0),
            again_from: AtomicU32::new(0),
            pace: OnceLock::new(),
            peers: Peers::default(),
            changes,
        }
    }

    /// The 20 bytes by which the seed knows it.
    pub fn info_hash(&self) -> InfoHash {
        self.content.info_hashes.main()
    }

    /// Whether `torrent` is this one with the same files, so that what is known of it stays true.
    pub fn is(&self, torrent: &Torrent) -> bool {
        let (own, other) = (&self.content, &torrent.0);
        let places = |content: &Content| content.slots.iter().map(|slot| slot.place.clone()).collect::<Vec<_>>();
        own.info_hashes == other.info_hashes && own.source.is(&other.source) && places(own) == places(other)
    }

    /// What a new peer is offered; nothing where the torrent is no longer seeded, or nobody can tell what its pieces
    /// should be. It blocks.
    pub fn offer(&self) -> Option<Offer> {
        let metadata = if self.content.is_private { None } else { Some(Arc::clone(&self.meta()?.info_bytes)) };
        self.offer_with(metadata)
    }

    /// The same where nothing is to be read for it.
    pub fn offer_at_once(&self) -> Option<Offer> {
        let metadata = if self.content.is_private { None } else { Some(self.held_info_bytes()?) };
        self.offer_with(metadata)
    }

    fn offer_with(&self, metadata: Option<Arc<[u8]>>) -> Option<Offer> {
        let have = self.offers().borrow().clone()?;
        Some(Offer {
            pieces: self.content.wire_pieces(),
            have,
            metadata,
            v2: self.content.info_hashes.v2().map(InfoHashV2::truncated),
            pex: !self.content.is_private,
        })
    }

    /// Follows what is offered.
    pub fn offers(&self) -> watch::Receiver<Offered> {
        let mut state = self.state();
        let offered = state.offered();
        state.followers.get_or_insert_with(|| watch::Sender::new(offered)).subscribe()
    }

    /// The places for reads that run at a time: a slow disk below one torrent leaves room for reading the others. When
    /// the torrent falls silent, nobody goes on waiting for one.
    pub fn reads(&self) -> Arc<Semaphore> {
        let mut state = self.state();
        Arc::clone(state.reads.get_or_insert_with(|| Arc::new(Semaphore::new(READS_OF_ONE_MAX))))
    }

    /// A number that changes with every bit that is read of its files.
    pub fn pulse(&self) -> u32 {
        self.pulse.load(Ordering::Relaxed)
    }

    /// Something was read.
    pub fn beat(&self) {
        self.pulse.fetch_add(1, Ordering::Relaxed);
    }

    /// The devices that its files were last seen on.
    pub fn devices(&self) -> impl Iterator<Item = u64> + '_ {
        let device = |slot: usize| self.content.slots[slot].place.folder().device();
        let folders = (0..self.content.slots.len()).map(device).filter(|&device| device != 0);
        // Files of one folder stand beside each other, and most torrents have one.
        folders.scan(0, |last, device| Some((std::mem::replace(last, device) != device).then_some(device))).flatten()
    }

    /// Whether one of its reads does not come back.
    pub fn is_stuck(&self) -> bool {
        self.state().stuck > 0
    }

    /// Takes in that a read does not come back: nothing of it is offered until it does.
    pub fn falls_silent(&self) {
        let mut state = self.state();
        state.stuck += 1;
        if let Some(reads) = state.reads.take() {
            reads.close();
        }
        self.settle(state, true);
    }

    /// Takes in that a read has come back.
    pub fn answers_again(&self) {
        let mut state = self.state();
        state.stuck = state.stuck.saturating_sub(1);
        self.settle(state, true);
    }

    /// Takes in whether its disk does not answer for others.
    pub fn disk_is_silent(&self, is_silent: bool) {
        let mut state = self.state();
        if std::mem::replace(&mut state.is_disk_silent, is_silent) != is_silent {
            self.settle(state, true);
        }
    }

    /// How fast its bytes leave, where that is limited to so many a second.
    pub fn pace(&self, bytes_per_sec: Option<NonZeroU64>) -> Option<&Pace> {
        bytes_per_sec?;
        Some(self.pace.get_or_init(|| Box::new(Pace::new(bytes_per_sec))))
    }

    /// What the `.torrent` says of the bytes; nothing where it is not to be had, which is told then. It blocks.
    pub fn meta(&self) -> Option<Arc<Meta>> {
        {
            let mut held = self.held();
            if let Some(meta) = &held.meta {
                let meta = Arc::clone(meta);
                held.is_used = true;
                return Some(meta);
            }
        }
        let found = Meta::find(&self.content);
        let mut state = self.state();
        let fault = found.as_ref().err().map(|fault| fault.as_str().into());
        if state.torrent_fault == fault {
            drop(state);
        } else {
            state.torrent_fault = fault;
            // It makes a difference to what is offered.
            self.settle(state, true);
        }
        let mut found = found.ok()?;
        let mut held = self.held();
        held.is_used = true;
        if let Some(meta) = &held.meta {
            // Somebody else has read it meanwhile.
            return Some(Arc::clone(meta));
        }
        if let (Some(own), Some(meta)) = (held.info_bytes(), Arc::get_mut(&mut found)) {
            meta.info_bytes = own;
        }
        held.info_bytes = Some(Arc::downgrade(&found.info_bytes));
        held.meta = Some(Arc::clone(&found));
        Some(found)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.meta.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The `info` dictionary, where it is held.
    fn held_info_bytes(&self) -> Option<Arc<[u8]>> {
        let mut held = self.held();
        let info_bytes = held.info_bytes()?;
        held.is_used = true;
        Some(info_bytes)
    }

    /// Whether nobody can tell what its pieces should be.
    pub fn lacks_meta(&self) -> bool {
        self.state().torrent_fault.is_some()
    }

    /// Lets go of what its `.torrent` says, where no peer is there for whom it would be read again: who goes through
    /// thousands of torrents in the background holds one at a time.
    pub fn rest_from_reading(&self) {
        if self.connections.load(Ordering::Relaxed) == 0 {
            self.held().let_go();
        }
    }

    /// Lets go of what nobody has needed since it was last called.
    pub fn rest(&self) {
        let mut held = self.held();
        if !std::mem::take(&mut held.is_used) {
            held.let_go();
        }
        drop(held);
        let mut state = self.state();
        if state.followers.as_ref().is_some_and(|followers| followers.receiver_count() == 0) {
            state.followers = None;
        }
        // Whoever waits for one of these places, or has one, holds them too.
        state.reads.take_if(|reads| Arc::strong_count(reads) == 1);
    }

    /// Ends the offer: peers that are connected for it are let go.
    pub fn retire(&self) {
        let mut state = self.state();
        state.is_retired = true;
        state.tell_followers();
    }

    pub fn is_retired(&self) -> bool {
        self.state().is_retired
    }

    pub fn health(&self) -> Health {
        self.state().health
    }

    pub fn status(&self) -> Status {
        let state = self.state();
        Status {
            health: state.health,
            pieces: state.good.len(),
            pieces_verified: state.good.count(),
            pieces_bad: state.bad.count() - state.excused_pieces.count(),
            faults: self.faults(&state),
            sent_bytes: self.sent.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            scrub: state.scrubs.state(state.good.len()),
        }
    }

    /// The verdicts that are worth remembering and were not taken yet: those of a torrent that is verified as a whole,
    /// and those that were found to be wrong.
    pub fn take_verdicts(&self) -> Vec<Verdict> {
        let mut state = self.state();
        if !std::mem::take(&mut state.has_news) {
            return Vec::new();
        }
        let is_verified = state.health == Health::Verified;
        let files = self.content.slots.iter().zip(&state.files);
        let verdicts = files.filter(|(_, file)| is_verified || !file.is_trusted).filter_map(|(slot, file)| {
            Some(Verdict {
                info_hash: self.info_hash(),
                path: slot.place.path(),
                fingerprint: file.whole()?,
                is_damaged: !is_verified,
            })
        });
        verdicts.collect()
    }

    /// Whether a folder of its files lies on another disk than when they were last seen: what was mounted there is gone.
    pub fn has_lost_its_disk(&self) -> bool {
        self.content.slots.iter().any(|slot| slot.place.folder().has_lost_its_disk())
    }

    /// What of its files is not as it says; nothing where nothing is known to be wrong with them, or their disk does not
    /// answer.
    pub fn damage(&self) -> Option<Damage> {
        let state = self.state();
        if state.is_silent() {
            return None;
        }
        let bad = self.bad_pieces_of_files(&state);
        let files = self.content.slots.iter().zip(&state.files).enumerate().filter_map(|(index, (slot, file))| {
            let pieces = bad.get(&index)?;
            Some(DamagedFile {
                path: slot.place.path(),
                name: slot.place.name(),
                bytes: slot.bytes,
                bad_pieces: ranges(pieces),
                kind: file.kind_of_damage(),
            })
        });
        let files: Vec<_> = files.collect();
        (!files.is_empty()).then_some(Damage { files })
    }

    /// Takes in how a file looks. Where it changed, nothing that was known of its pieces counts any more, but that some
    /// did not match: until they are hashed again, these stay as they were.
    pub fn saw(&self, slot: usize, what: Result<Fingerprint, FileFault>, now: Instant) {
        let mut state = self.state();
        if state.files[slot].seen.as_ref().is_some_and(|seen| seen.what == what) {
            return;
        }
        let faulty = what.is_err();
        let was_faulty = state.files[slot].is_faulty();
        let (mut bad_changed, mut has_suspects) = (false, false);
        state.count(slot, |count, one| count - one);
        state.files[slot].see(what, now);
        state.count(slot, |count, one| count + one);
        let excused = state.files[slot].is_excused();
        for piece in self.content.pieces_of(slot) {
            // A piece may hold many files; those beside this one are looked at where they can make a difference.
            let files = || self.content.slots_of(piece).map(|slot| &state.files[slot]);
            let any_faulty = faulty || (state.bad.has(piece) && files().any(FileState::is_faulty));
            // Of a file that could not be read at all nothing was hashed.
            let suspect = state.bad.has(piece) && !any_faulty && !was_faulty;
            let bad = any_faulty || suspect;
            let good = !bad && state.files[slot].is_as_remembered() && files().all(FileState::is_as_remembered);
            let excused = excused || (state.excused_pieces.has(piece) && files().any(FileState::is_excused));
            bad_changed |= state.bad.put(piece, bad);
            state.excused_pieces.put(piece, excused);
            state.good.put(piece, good);
            state.hashed.put(piece, false);
            state.recheck.put(piece, suspect);
            has_suspects |= suspect;
        }
        bad_changed |= state.torrent_fault.is_some();
        self.settle(state, bad_changed);
        if has_suspects {
            self.changes.send_modify(|n| *n = n.wrapping_add(1));
        }
    }

    /// How the file looked when it was last seen, if nothing was wrong with it.
    pub fn looked(&self, slot: usize) -> Option<Fingerprint> {
        self.state().files[slot].looks()
    }

    /// How the file must look for `piece` to be sent without being hashed; nothing where it must be hashed.
    pub fn hashed_as(&self, piece: u32, slot: usize) -> Option<Fingerprint> {
        let state = self.state();
        state.files[slot].looks().filter(|_| state.hashed.has(piece))
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
            files.iter().for_each(|(slot, _)| state.files[*slot].is_trusted = false);
            state.has_news = true;
        }
        // What was bad may be repaired without showing it, and a disk may recover.
        state.recheck.put(piece, !matched && (!settled || matches!(outcome, Outcome::Unreadable(..))));
        if let Outcome::Unreadable(slot, why) = outcome {
            state.files[slot].trouble = Some(why.into());
        }
        let bad_changed = state.bad.put(piece, !matched);
        state.good.put(piece, matched);
        state.hashed.put(piece, matched);
        self.settle(state, bad_changed);
    }

    /// The first piece from `from` on that is to be hashed for its state to be known.
    pub fn unknown_piece(&self, from: u32) -> Option<u32> {
        let state = self.state();
        (from..state.good.len()).find(|&piece| !state.knows(piece))
    }

    /// The first piece from `from` on that did not match before its file changed, and was not hashed since.
    pub fn suspect_piece(&self, from: u32) -> Option<u32> {
        let state = self.state();
        if state.recheck.count() == 0 {
            return None;
        }
        let is_readable = |piece| self.content.slots_of(piece).all(|slot| state.files[slot].trouble.is_none());
        (from..state.recheck.len()).find(|&piece| state.recheck.has(piece) && is_readable(piece))
    }

    /// The first piece from `from` on of which nothing is known.
    pub fn new_piece(&self, from: u32) -> Option<u32> {
        let state = self.state();
        (from..state.good.len()).find(|&piece| !state.good.has(piece) && !state.bad.has(piece))
    }

    /// A piece that is bad and may be good by now, each time the next one of those.
    pub fn piece_to_try_again(&self) -> Option<u32> {
        let state = self.state();
        let from = self.again_from.load(Ordering::Relaxed);
        let mut pieces = (from..state.recheck.len()).chain(0..from);
        let piece = pieces.find(|&piece| state.recheck.has(piece))?;
        self.again_from.store(piece + 1, Ordering::Relaxed);
        Some(piece)
    }

    /// Whether it is known, without further hashing, how a piece stands.
    pub fn knows(&self, piece: u32) -> bool {
        self.state().knows(piece)
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
        if health_changed && health == Health::Verified {
            state.is_whole();
        }
        if bad_changed {
            // Under the lock, so that of two changes the later one is told last.
            state.tell_followers();
        }
        drop(state);
        if health_changed {
            self.changes.send_modify(|n| *n = n.wrapping_add(1));
        }
    }

    /// A number that changes with its health, and when some of it is to be hashed again at once.
    #[cfg(test)]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
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

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
