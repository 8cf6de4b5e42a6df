//! Torrents as data (BEP 3): what a `.torrent` says, its bytes, its info-hash and its magnet link; no disk, no network.
//!
//! The info-hash is always the hash of the bytes that stand in the file. A torrent that is made here is encoded,
//! parsed back and compared before anyone sees it.

mod build;
mod magnet;
mod parse;
mod urls;

pub use build::{Draft, encode};
pub use magnet::magnet;
pub use parse::{Error, parse};
pub use urls::{NotAUrl, TRACKER_SCHEMES, check_tracker, check_web_seed};

use crate::id::{InfoHash, PieceHash};
use crate::units::PieceLength;

/// The most bytes a `.torrent` has: 2,000,000 pieces and their file lists stay below it.
pub const TORRENT_BYTES_MAX: usize = 64 << 20;

/// A `.torrent` that was read or made: its meaning and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torrent {
    /// What it says.
    pub metainfo: Metainfo,
    /// The info-hash: the SHA-1 of [`Torrent::info_bytes`].
    pub info_hash: InfoHash,
    bytes: Vec<u8>,
    info_span: std::ops::Range<usize>,
}

impl Torrent {
    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The `info` dictionary as it stands in the file: what BEP 9 hands out and what the info-hash is the hash of.
    pub fn info_bytes(&self) -> &[u8] {
        &self.bytes[self.info_span.clone()]
    }
}

/// What a `.torrent` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metainfo {
    /// What is shared.
    pub info: Info,
    /// Announce URLs in tiers (`announce`, and `announce-list` of BEP 12); the first of the first tier is `announce`.
    pub trackers: Vec<Vec<String>>,
    /// Web seeds (`url-list`, BEP 19).
    pub web_seeds: Vec<String>,
    /// `creation date`, in seconds since 1970.
    pub creation_date: Option<i64>,
    /// `created by`.
    pub created_by: Option<String>,
    /// `comment`.
    pub comment: Option<String>,
}

/// The `info` dictionary: what is shared, and the hashes it is checked by.
///
/// The hashes of each protocol version stand apart, so that a v2 or hybrid torrent (BEP 52) is the same type with
/// another field filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The suggested name: of the file, or of the folder that holds the files.
    pub name: String,
    /// Bytes in each piece but the last.
    pub piece_length: PieceLength,
    /// Whether peers come from the trackers alone (BEP 27).
    pub private: bool,
    /// The content.
    pub layout: Layout,
    /// The hashes of the v1 pieces, in order.
    pub pieces: Vec<PieceHash>,
}

/// One file, or a folder of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// One file with this many bytes, named by [`Info::name`].
    Single(u64),
    /// Files below a folder that is named by [`Info::name`], in the order in which their bytes make pieces.
    Multi(Vec<File>),
}

/// A file of a multi-file torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The names of its path below the torrent's folder, outermost first.
    pub path: Vec<String>,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Info {
    /// The bytes of all files.
    pub fn total_bytes(&self) -> u64 {
        match &self.layout {
            Layout::Single(bytes) => *bytes,
            Layout::Multi(files) => files.iter().map(|file| file.bytes).sum(),
        }
    }

    /// The files with the paths at which a client saves them: below the torrent's own folder where there are several.
    pub fn files(&self) -> Vec<(String, u64)> {
        match &self.layout {
            Layout::Single(bytes) => vec![(self.name.clone(), *bytes)],
            Layout::Multi(files) => {
                files.iter().map(|file| (format!("{}/{}", self.name, file.path.join("/")), file.bytes)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests;
