//! What is known of the files and pieces of one torrent, and the conclusion that is drawn of it.

use tokio::time::Instant;

use super::disk::FileFault;
use super::status::Health;
use crate::fingerprint::Fingerprint;
use crate::wire::Bitfield;

#[derive(Debug)]
pub(super) struct State {
    pub health: Health,
    /// There are no pieces of v1, which are the ones that are sent.
    pub has_no_v1: bool,
    pub files: Vec<FileState>,
    /// How many files can't be right.
    pub faulty: usize,
    /// How many of these can't be read at all.
    pub gone: usize,
    /// How many of these are published elsewhere, and so may be gone.
    pub excused: usize,
    /// Pieces that match, as hashed here or remembered.
    pub good: Pieces,
    /// Pieces that were hashed here since their files last changed.
    pub hashed: Pieces,
    pub bad: Pieces,
    /// Bad pieces of files that may be gone.
    pub excused_pieces: Pieces,
    /// Bad pieces that may become good without their files looking different.
    pub recheck: Pieces,
}

#[derive(Debug)]
pub(super) struct FileState {
    /// Whether it need not be here.
    pub is_elsewhere: bool,
    pub seen: Option<Seen>,
    /// How it looked when it was last known to match as a whole.
    pub remembered: Option<Fingerprint>,
    /// What the system said when a piece could not be read.
    pub trouble: Option<String>,
}

#[derive(Debug)]
pub(super) struct Seen {
    pub what: Result<Fingerprint, FileFault>,
    pub since: Instant,
}

#[derive(Debug)]
pub(super) struct Pieces {
    pub bits: Bitfield,
    pub count: u32,
}

impl Pieces {
    pub fn new(len: u32) -> Self {
        Self { bits: Bitfield::empty(len), count: 0 }
    }

    /// Returns whether it was otherwise before.
    pub fn put(&mut self, piece: u32, value: bool) -> bool {
        match (self.bits.get(piece), value) {
            (false, true) => self.count += 1,
            (true, false) => self.count -= 1,
            _ => return false,
        }
        self.bits.put(piece, value);
        true
    }
}

impl State {
    pub fn conclude(&self) -> Health {
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
    pub fn count(&mut self, slot: usize, step: fn(usize, usize) -> usize) {
        let file = &self.files[slot];
        let (gone, excused, faulty) = (file.is_gone(), file.is_excused(), file.is_faulty());
        self.gone = step(self.gone, gone.into());
        self.excused = step(self.excused, excused.into());
        self.faulty = step(self.faulty, faulty.into());
    }
}

impl FileState {
    /// Whether it is published elsewhere and not here, which is as it may be.
    pub fn is_excused(&self) -> bool {
        self.is_elsewhere && matches!(self.seen, Some(Seen { what: Err(FileFault::Missing), .. }))
    }

    pub fn is_gone(&self) -> bool {
        matches!(&self.seen, Some(Seen { what: Err(fault), .. }) if fault.is_absence())
    }

    pub fn is_faulty(&self) -> bool {
        matches!(self.seen, Some(Seen { what: Err(_), .. }))
    }

    pub fn is_as_remembered(&self) -> bool {
        let Some(Seen { what: Ok(fingerprint), .. }) = &self.seen else { return false };
        self.remembered == Some(*fingerprint)
    }
}
