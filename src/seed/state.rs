//! What is known of the files and pieces of one torrent, and the conclusion that is drawn of it.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::disk::FileFault;
use super::scrub::Scrubs;
use super::status::Health;
use crate::fingerprint::Fingerprint;
use crate::wire::Bitfield;

/// What peers may ask for; nothing once the torrent is no longer seeded.
pub(super) type Offered = Option<Arc<Bitfield>>;

#[derive(Debug)]
pub(super) struct State {
    pub health: Health,
    /// A state for each of the torrent's slots.
    pub files: Box<[FileState]>,
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
    /// Why nobody can tell what its pieces should be.
    pub torrent_fault: Option<Box<str>>,
    /// Reads of it that do not come back.
    pub stuck: u32,
    /// Whether nothing is asked of its disk, which does not answer for others.
    pub is_disk_silent: bool,
    /// When all of it was read again.
    pub scrubs: Scrubs,
    /// Whether it is no longer seeded.
    pub is_retired: bool,
    /// Whether there are verdicts that were not given to [`super::Seed::take_verdicts`] yet.
    pub has_news: bool,
    /// Who follows what is offered; nobody, where no peer is there.
    pub followers: Option<watch::Sender<Offered>>,
    /// The places for reads of it, once there were some.
    pub reads: Option<Arc<Semaphore>>,
}

#[derive(Debug)]
pub(super) struct FileState {
    /// Whether it need not be here.
    pub is_elsewhere: bool,
    pub seen: Option<Seen>,
    /// How it looked when it last matched as a whole.
    pub whole: Whole,
    /// Whether no bad piece was found in it since.
    pub is_trusted: bool,
    /// What the system said when a piece could not be read.
    pub trouble: Option<Box<str>>,
}

/// How a file looked when it last matched as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whole {
    Unknown,
    /// As it was last seen, which nearly all do.
    AsSeen,
    Once(Box<Fingerprint>),
}

#[derive(Debug)]
pub(super) struct Seen {
    pub what: Result<Fingerprint, FileFault>,
    pub since: Instant,
}

/// A set of pieces. As nearly all sets have none or all of them, these two take no room.
#[derive(Debug)]
pub(super) struct Pieces {
    len: u32,
    count: u32,
    bits: Option<Box<Bitfield>>,
}

impl Pieces {
    /// None of `len` pieces.
    pub fn none(len: u32) -> Self {
        Self { len, count: 0, bits: None }
    }

    /// How many pieces there are, in the set or not.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// How many are in the set.
    pub fn count(&self) -> u32 {
        self.count
    }

    pub fn is_all(&self) -> bool {
        self.count == self.len
    }

    pub fn has(&self, piece: u32) -> bool {
        match &self.bits {
            Some(bits) => bits.get(piece),
            None => self.count > 0 && piece < self.len,
        }
    }

    /// Returns whether it was otherwise before.
    pub fn put(&mut self, piece: u32, value: bool) -> bool {
        if piece >= self.len || self.has(piece) == value {
            return false;
        }
        let all = self.count > 0;
        let len = self.len;
        let bits =
            self.bits.get_or_insert_with(|| Box::new(if all { Bitfield::full(len) } else { Bitfield::empty(len) }));
        bits.put(piece, value);
        if value {
            self.count += 1;
        } else {
            self.count -= 1;
        }
        if self.count == 0 || self.count == self.len {
            self.bits = None;
        }
        true
    }

    /// The pieces that are in the set.
    pub fn bits(&self) -> Bitfield {
        match &self.bits {
            Some(bits) => (**bits).clone(),
            None if self.count > 0 => Bitfield::full(self.len),
            None => Bitfield::empty(self.len),
        }
    }

    /// The pieces that are not in the set.
    pub fn others(&self) -> Bitfield {
        match &self.bits {
            Some(bits) => bits.inverse(),
            None if self.count > 0 => Bitfield::empty(self.len),
            None => Bitfield::full(self.len),
        }
    }
}

impl State {
    /// What is known at first: nothing, but how its files looked when they were last known to match.
    pub fn new(pieces: u32, files: Box<[FileState]>) -> Self {
        let none = || Pieces::none(pieces);
        let mut state = Self {
            health: Health::Verifying,
            files,
            faulty: 0,
            gone: 0,
            excused: 0,
            good: none(),
            hashed: none(),
            bad: none(),
            excused_pieces: none(),
            recheck: none(),
            torrent_fault: None,
            stuck: 0,
            is_disk_silent: false,
            scrubs: Scrubs::default(),
            is_retired: false,
            has_news: false,
            followers: None,
            reads: None,
        };
        state.health = state.conclude();
        state
    }

    pub fn conclude(&self) -> Health {
        let all_gone = !self.files.is_empty() && self.gone == self.files.len() && self.excused < self.faulty;
        if self.is_silent() || all_gone {
            Health::Missing
        } else if self.excused < self.faulty
            || self.excused_pieces.count() < self.bad.count()
            || self.torrent_fault.is_some()
        {
            Health::Degraded
        } else if self.excused > 0 {
            Health::Elsewhere
        } else if self.good.is_all() {
            Health::Verified
        } else {
            Health::Verifying
        }
    }

    /// What peers may ask for.
    pub fn offered(&self) -> Offered {
        let have = || {
            if self.is_silent() {
                Bitfield::empty(self.bad.len())
            } else if self.torrent_fault.is_some() {
                // What has to be hashed first can't be.
                self.hashed.bits()
            } else {
                self.bad.others()
            }
        };
        (!self.is_retired).then(|| Arc::new(have()))
    }

    /// Takes in that all of its pieces match.
    pub fn is_whole(&mut self) {
        for file in &mut self.files {
            self.has_news |= !file.is_as_remembered();
            file.whole = Whole::AsSeen;
            file.is_trusted = true;
        }
    }

    /// Whether its disk does not answer.
    pub fn is_silent(&self) -> bool {
        self.stuck > 0 || self.is_disk_silent
    }

    /// Tells those who follow.
    pub fn tell_followers(&self) {
        if let Some(followers) = &self.followers {
            followers.send_replace(self.offered());
        }
    }

    /// Whether it is known, without further hashing, how a piece stands.
    pub fn knows(&self, piece: u32) -> bool {
        (self.good.has(piece) || self.bad.has(piece)) && !self.recheck.has(piece)
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

    /// Whether it looks as it did when it last matched as a whole, and nothing is known to be wrong with it since.
    pub fn is_as_remembered(&self) -> bool {
        self.is_trusted && self.whole == Whole::AsSeen && self.looks().is_some()
    }

    /// How it looks, where that can be right.
    pub fn looks(&self) -> Option<Fingerprint> {
        self.seen.as_ref()?.what.as_ref().ok().copied()
    }

    /// How it looked when it last matched as a whole.
    pub fn whole(&self) -> Option<Fingerprint> {
        match &self.whole {
            Whole::Unknown => None,
            Whole::AsSeen => self.looks(),
            Whole::Once(fingerprint) => Some(**fingerprint),
        }
    }

    /// Takes in how it looks now.
    pub fn see(&mut self, what: Result<Fingerprint, FileFault>, now: Instant) {
        let whole = self.whole();
        self.whole = match (whole, &what) {
            (None, _) => Whole::Unknown,
            (Some(whole), Ok(now)) if whole == *now => Whole::AsSeen,
            (Some(whole), _) => Whole::Once(Box::new(whole)),
        };
        self.seen = Some(Seen { what, since: now });
        self.trouble = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_takes_room_only_while_it_has_some_and_lacks_some() {
        for len in [0, 1, 9] {
            let mut pieces = Pieces::none(len);
            assert_eq!((pieces.is_all(), pieces.others()), (len == 0, Bitfield::full(len)));
            assert!(!pieces.put(len, true) && !pieces.has(len), "there is no such piece");
            for piece in 0..len {
                assert!(pieces.put(piece, true) && !pieces.put(piece, true) && pieces.has(piece));
                assert_eq!(pieces.bits.is_some(), piece + 1 < len);
            }
            assert_eq!((pieces.is_all(), pieces.count(), pieces.others()), (true, len, Bitfield::empty(len)));
            for piece in 0..len {
                assert!(pieces.put(piece, false) && !pieces.has(piece));
                assert_eq!((pieces.bits.is_some(), pieces.count()), (piece + 1 < len, len - piece - 1));
            }
        }
    }
}
