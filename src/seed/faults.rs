//! What is said of damaged files: a sentence each, with the pieces that they are to blame for.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::FAULTS_MAX;
use super::disk::FileFault;
use super::disks::ANSWER_WITHIN;
use super::state::{FileState, Seen, State};
use super::status::{DamageKind, Health};
use super::torrents::Entry;

impl Entry {
    /// A sentence a file, up to [`FAULTS_MAX`], and one that counts the others.
    pub fn faults(&self, state: &State) -> Vec<String> {
        if state.is_silent() {
            let what = match &*self.content.slots {
                [slot] => format!("{} does not answer", slot.place.name()),
                _ => "its files do not answer".into(),
            };
            return vec![format!("{what}: reading takes more than {} s", ANSWER_WITHIN.as_secs())];
        }
        if state.bad.count() == 0 && state.faulty == 0 {
            return state.torrent_fault.iter().map(ToString::to_string).collect();
        }
        let bad = self.bad_pieces_of_files(state);
        let sentences = self.content.slots.iter().zip(&state.files).enumerate().filter_map(|(index, (slot, file))| {
            let name = slot.place.name();
            if file.is_excused() {
                return None;
            }
            if let Some(Seen { what: Err(fault), .. }) = &file.seen {
                return Some(format!("{name} {}", fault.said_of(slot.bytes)));
            }
            let count = bad.get(&index)?.len();
            let pieces = self.content.pieces_of(index);
            let pieces = pieces.end - pieces.start;
            Some(match &file.trouble {
                None => format!("{name} differs from its torrent in {count} of {pieces} pieces"),
                Some(why) => format!("{name} cannot be read in {count} of {pieces} pieces: {why}"),
            })
        });
        let mut faults: Vec<String> = state.torrent_fault.iter().map(ToString::to_string).chain(sentences).collect();
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

    /// Whether a bad piece is one of those of a file, as [`Entry::bad_pieces_of_files`] has it.
    pub fn is_to_blame(&self, state: &State, piece: u32, slot: usize) -> bool {
        let files_of = |piece| self.content.slots_of(piece);
        if files_of(piece).count() < 2 {
            return true;
        }
        let is_alone = |&piece: &u32| state.bad.has(piece) && files_of(piece).count() == 1;
        let is_damaged =
            |slot: usize| state.files[slot].is_faulty() || self.content.pieces_of(slot).any(|piece| is_alone(&piece));
        is_damaged(slot) || !files_of(piece).any(is_damaged)
    }

    /// The bad pieces of each file that has some, those aside that need not be here. A piece of several files is one of
    /// those of them that are known to be damaged by themselves, and one of all where none is.
    pub fn bad_pieces_of_files(&self, state: &State) -> HashMap<usize, Vec<u32>> {
        let blamed = |&piece: &u32| state.bad.has(piece) && !state.excused_pieces.has(piece);
        let bad = || (0..state.bad.len()).filter(blamed);
        let files_of = |piece| self.content.slots_of(piece);
        let damaged: HashSet<usize> = bad().filter(|&piece| files_of(piece).count() == 1).flat_map(files_of).collect();
        let is_damaged = |slot: &usize| damaged.contains(slot) || state.files[*slot].is_faulty();
        let mut pieces: HashMap<usize, Vec<u32>> = HashMap::new();
        for piece in bad() {
            let any = files_of(piece).any(|slot| is_damaged(&slot));
            for slot in files_of(piece).filter(|slot| !any || is_damaged(slot)) {
                pieces.entry(slot).or_default().push(piece);
            }
        }
        pieces
    }
}

impl FileState {
    /// What became of a file that is damaged.
    pub fn kind_of_damage(&self) -> DamageKind {
        let looks = match &self.seen {
            Some(Seen { what: Err(FileFault::Missing), .. }) => return DamageKind::Missing,
            Some(Seen { what: Err(FileFault::Unreadable(_)), .. }) => return DamageKind::Unreadable,
            Some(Seen { what: Err(FileFault::NotAFile | FileFault::LeadsOut | FileFault::Size(_)), .. }) | None => {
                return DamageKind::Replaced;
            }
            Some(Seen { what: Ok(_), .. }) if self.trouble.is_some() => return DamageKind::Unreadable,
            Some(Seen { what: Ok(looks), .. }) => looks,
        };
        match self.whole() {
            Some(whole) if (whole.bytes, whole.mtime_ns) == (looks.bytes, looks.mtime_ns) => DamageKind::Decayed,
            _ => DamageKind::Replaced,
        }
    }
}

/// The runs of numbers that follow each other.
pub(super) fn ranges(sorted: &[u32]) -> Vec<Range<u32>> {
    sorted.chunk_by(|a, b| a + 1 == *b).map(|run| run[0]..run[run.len() - 1] + 1).collect()
}
