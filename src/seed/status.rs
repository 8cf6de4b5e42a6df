//! How a torrent stands, as others are told of it.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use crate::fingerprint::Fingerprint;
use crate::id::InfoHash;

/// How a torrent stands. The variants are ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Every piece matched its hash when its files were last changed or first seen.
    Verified,
    /// No fault is known and not every piece has been hashed yet; pieces are hashed when they are asked for.
    Verifying,
    /// What can't be sent of it is published elsewhere, and need not be here.
    Elsewhere,
    /// Some of its pieces can't be sent.
    Degraded,
    /// None of its files is there to be read, or their disk does not answer.
    Missing,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verified => "verified",
            Self::Verifying => "verifying",
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
    /// At most [`super::FAULTS_MAX`], and one that counts the others.
    pub faults: Vec<String>,
    /// Bytes of its content sent to peers, as counted here and restored by [`super::Seed::add_sent`].
    pub sent_bytes: u64,
    /// Peers connected for it.
    pub connections: usize,
    /// When all of it was read again.
    pub scrub: ScrubState,
}

/// How the scrub of a torrent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScrubState {
    /// How long ago all of it was read, and how many of its pieces were not as the torrent says; nothing where it was not.
    pub last: Option<(Duration, u32)>,
    /// How many of its pieces have been read, and of how many; nothing where it is not its turn.
    pub progress: Option<(u32, u32)>,
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
    /// Whether a bad piece was found in it since: then it is read again, and this tells whether it has changed.
    pub is_damaged: bool,
}

/// What of a torrent's files is not as the torrent says: what there is to heal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The files, in the torrent's order; one at least.
    pub files: Vec<DamagedFile>,
}

/// A file that is not as its torrent says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedFile {
    /// Where it lies, or should lie.
    pub path: PathBuf,
    /// As people know it.
    pub name: String,
    /// The bytes that it should have.
    pub bytes: u64,
    /// The torrent's pieces that are bad because of it, in order and without gaps between those of a range.
    pub bad_pieces: Vec<Range<u32>>,
    /// What became of it.
    pub kind: DamageKind,
}

/// What became of a file. It tells which is the truth, the file or its torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DamageKind {
    /// There is none: the torrent is the truth.
    Missing,
    /// Its size and time are as they were when it last matched as a whole, and its bytes are not: the torrent is the
    /// truth.
    Decayed,
    /// It is another one than it was, or it is not known what it was: its author may have replaced it, and the file is
    /// the truth, unless somebody says otherwise.
    Replaced,
    /// The system does not give it, or a part of it.
    Unreadable,
}
