//! Torrents as data (BEP 3, BEP 52): what a `.torrent` says, its bytes, its info-hash and its magnet link; no disk, no network.
//!
//! The info-hash is always the hash of the bytes that stand in the file. A torrent that is made here is encoded,
//! parsed back and compared before anyone sees it.
//!
//! ```
//! use everseed::metainfo::{self, Draft, Hashes, Info, Layout};
//! use everseed::units::PieceLength;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let torrent = metainfo::encode(&Draft {
//!     info: Info {
//!         name: "ep001.mp3".into(),
//!         piece_length: PieceLength::new(32_768)?,
//!         private: false,
//!         source: None,
//!         layout: Layout::Single(40_000),
//!         // The SHA-1 of each piece; `everseed::release` finds it out.
//!         hashes: Hashes::V1(vec![[1; 20], [2; 20]]),
//!     },
//!     trackers: vec![vec!["https://show.example.org/announce".into()]],
//!     web_seeds: vec![],
//!     creation_date: None,
//!     created_by: None,
//!     comment: None,
//! });
//! assert_eq!(metainfo::parse(torrent.bytes().to_vec())?, torrent);
//! let hash = torrent.info_hashes.main();
//! assert_eq!(
//!     metainfo::magnet(&torrent),
//!     format!("magnet:?xt=urn:btih:{hash}&dn=ep001.mp3&xl=40000&tr=https%3A%2F%2Fshow.example.org%2Fannounce"),
//! );
//! # Ok(())
//! # }
//! ```

mod amend;
mod build;
mod kind;
mod magnet;
pub mod merkle;
mod parse;
mod tree;
mod urls;

pub use amend::with_sources;
pub use build::{Draft, encode, encoded_bytes};
pub use kind::{Kind, NotAKind};
pub use magnet::{full_magnet, magnet};
pub use parse::{Error, FILES_MAX, PATH_NAMES_MAX, parse};
pub use tree::{padded, tree_order};
pub use urls::{NotAUrl, TRACKER_SCHEMES, check_tracker, check_web_seed};

use crate::id::{InfoHashes, NodeHash, PieceHash};
use crate::units::PieceLength;

/// The most bytes a `.torrent` has: 2,000,000 pieces and their file lists stay below it.
pub const TORRENT_BYTES_MAX: usize = 64 << 20;

/// A `.torrent` that was read or made: its meaning and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torrent {
    /// What it says.
    pub metainfo: Metainfo,
    /// The info-hashes: SHA-1 and SHA-256 of [`Torrent::info_bytes`], as the content is hashed.
    pub info_hashes: InfoHashes,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The suggested name: of the file, or of the folder that holds the files.
    pub name: String,
    /// Bytes in each piece but the last.
    pub piece_length: PieceLength,
    /// Whether peers come from the trackers alone (BEP 27).
    pub private: bool,
    /// `source`: a text that gives the same content another info-hash, as trackers of closed groups ask for.
    pub source: Option<String>,
    /// The content.
    pub layout: Layout,
    /// What the content is checked by.
    pub hashes: Hashes,
}

/// One file, or a folder of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// One file with this many bytes, named by [`Info::name`].
    Single(u64),
    /// Files below a folder that is named by [`Info::name`], in the order in which their bytes make pieces. Where there are
    /// v2 hashes, this is the order of the `file tree`.
    Multi(Vec<File>),
}

/// A file of a multi-file torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The names of its path below the torrent's folder, outermost first.
    pub path: Vec<String>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether it is padding (BEP 47): zeros that nobody stores, so that the next file begins with a piece.
    pub is_pad: bool,
}

/// The hashes of the content, for each version of the protocol that it is shared by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hashes {
    /// The SHA-1 of each piece, in order (BEP 3).
    V1(Vec<PieceHash>),
    /// The Merkle tree of each file, in order; `None` for an empty one (BEP 52).
    V2(Vec<Option<Tree>>),
    /// Both: each file begins with a piece, by padding (BEP 47), so that the pieces are the same.
    Hybrid {
        /// As in [`Hashes::V1`]; the pads are hashed with the files.
        pieces: Vec<PieceHash>,
        /// As in [`Hashes::V2`]; pads have none.
        trees: Vec<Option<Tree>>,
    },
}

/// The Merkle tree of a file, down to its pieces (BEP 52).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// `pieces root`.
    pub root: NodeHash,
    /// The hash of each piece, from `piece layers`; empty where the file is no longer than a piece, whose hash then is
    /// the root.
    pub layer: Vec<NodeHash>,
}

impl Info {
    /// The versions of the protocol that it is shared by.
    pub fn kind(&self) -> Kind {
        match self.hashes {
            Hashes::V1(_) => Kind::V1,
            Hashes::V2(_) => Kind::V2,
            Hashes::Hybrid { .. } => Kind::Hybrid,
        }
    }

    /// The SHA-1 of each piece, where it is shared by v1.
    pub fn pieces(&self) -> Option<&[PieceHash]> {
        match &self.hashes {
            Hashes::V1(pieces) | Hashes::Hybrid { pieces, .. } => Some(pieces),
            Hashes::V2(_) => None,
        }
    }

    /// The Merkle tree of each file that is no pad, where it is shared by v2.
    pub fn trees(&self) -> Option<&[Option<Tree>]> {
        match &self.hashes {
            Hashes::V2(trees) | Hashes::Hybrid { trees, .. } => Some(trees),
            Hashes::V1(_) => None,
        }
    }

    /// How many pieces there are. A v2 file begins with a piece of its own.
    pub fn piece_count(&self) -> u64 {
        match &self.layout {
            Layout::Multi(files) if self.kind() == Kind::V2 => {
                files.iter().map(|file| self.piece_length.count(file.bytes)).sum()
            }
            _ => self.piece_length.count(self.stream_bytes()),
        }
    }

    /// The bytes of all files, without padding.
    pub fn total_bytes(&self) -> u64 {
        match &self.layout {
            Layout::Single(bytes) => *bytes,
            Layout::Multi(files) => files.iter().filter(|file| !file.is_pad).map(|file| file.bytes).sum(),
        }
    }

    /// The bytes that v1 pieces are cut from: those of all files, with padding.
    pub fn stream_bytes(&self) -> u64 {
        match &self.layout {
            Layout::Single(bytes) => *bytes,
            Layout::Multi(files) => files.iter().map(|file| file.bytes).sum(),
        }
    }

    /// The files, without padding, with the paths at which a client saves them: below the torrent's own folder where
    /// there are several.
    pub fn files(&self) -> Vec<(String, u64)> {
        match &self.layout {
            Layout::Single(bytes) => vec![(self.name.clone(), *bytes)],
            // A tree of one file is that file, whatever the torrent is called.
            Layout::Multi(files) if self.kind() == Kind::V2 && matches!(&files[..], [file] if file.path.len() == 1) => {
                files.iter().map(|file| (file.path.join("/"), file.bytes)).collect()
            }
            Layout::Multi(files) => files
                .iter()
                .filter(|file| !file.is_pad)
                .map(|file| (format!("{}/{}", self.name, file.path.join("/")), file.bytes))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod v2_tests;
