//! Other people's feeds: what stands in them and where, and the edits that put our links there. It splices and never
//! rewrites: what the edits do not name stays what it is. It knows no file, no medium and no torrent.

use std::fmt;
use std::io::{self, Read, Seek};

use time::OffsetDateTime;

use crate::splice::Edit;

/// The most items of a feed.
pub const ITEMS_MAX: usize = 100_000;
/// The most enclosures of an item.
pub const ENCLOSURES_MAX: usize = 64;

/// The format of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RSS 2.0 and its forerunners whose root is `rss`.
    Rss,
    /// Atom (RFC 4287).
    Atom,
}

/// A feed that another program wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// What it is written in.
    pub format: Format,
    /// The title of the show; empty where there is none.
    pub title: String,
    /// The address of its home page.
    pub link: Option<String>,
    /// Plain text, at most [`DESCRIPTION_BYTES_MAX`](super::DESCRIPTION_BYTES_MAX) bytes.
    pub description: String,
    /// The language tag.
    pub language: Option<String>,
    /// The address that the feed gives as its own (`atom:link rel="self"`).
    pub self_url: Option<String>,
    /// The items that have enclosures, as they stand in the feed.
    pub items: Vec<Item>,
    /// What is wrong with single elements, with the line: an enclosure without an address.
    pub faults: Vec<(usize, String)>,
}

/// An item (RSS) or entry (Atom) with enclosures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// Its title; empty where there is none.
    pub title: String,
    /// The address of its page; where there is none, its guid if that is one.
    pub link: Option<String>,
    /// Its identity.
    pub guid: Option<String>,
    /// When it was published; `None` also where that cannot be understood.
    pub date: Option<OffsetDateTime>,
    /// Plain text, at most [`DESCRIPTION_BYTES_MAX`](super::DESCRIPTION_BYTES_MAX) bytes.
    pub description: String,
    /// What `itunes:duration` says, in seconds; `None` also where that cannot be understood.
    pub duration_secs: Option<u64>,
    /// Whether there is an `itunes:duration`, whatever it says.
    pub has_duration: bool,
    /// Its enclosures, one at least.
    pub enclosures: Vec<Enclosure>,
}

/// An `enclosure` (RSS) or a `link rel="enclosure"` (Atom).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosure {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The address as the feed gives it, references resolved, without white space around it.
    pub url: String,
    /// The size that the feed gives, in bytes.
    pub length: Option<u64>,
    /// The MIME type that the feed gives.
    pub mime: Option<String>,
}

/// Why a feed was not read.
#[derive(Debug)]
pub enum Error {
    /// It is something else; what stands where the root of a feed would.
    NotAFeed(String),
    /// It is no XML.
    Broken {
        /// The line, from 1.
        line: usize,
        /// The character of the line, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// It is written in an encoding that is not read; which.
    Encoding(String),
    /// There is more of something than is read.
    TooLarge {
        /// The line, from 1.
        line: usize,
        /// What there is too much of.
        message: String,
    },
    /// It could not be read.
    Io(io::Error),
}

impl Error {
    /// The line of the feed, from 1, where one is to blame.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Broken { line, .. } | Self::TooLarge { line, .. } => Some(*line),
            Self::NotAFeed(_) | Self::Encoding(_) | Self::Io(_) => None,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&'static str> {
        None
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFeed(found) => write!(f, "is not a feed: its root is {found}"),
            Self::Broken { column, message, .. } => write!(f, "{message} (column {column})"),
            Self::Encoding(message) | Self::TooLarge { message, .. } => f.write_str(message),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

/// What is to stand in a feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amendment {
    /// The absolute URL of `torrents.xml`; without one there is no link to it.
    pub torrents_feed: Option<String>,
    /// For each of the feed's items what becomes of it.
    pub items: Vec<ItemAmendment>,
}

/// What is to stand in an item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemAmendment {
    /// For each enclosure what is to follow it.
    pub alternates: Vec<Option<Alternate>>,
    /// For each enclosure its `length` in bytes; `None` leaves what is there.
    pub lengths: Vec<Option<u64>>,
    /// The `itunes:duration` in seconds, where there is none.
    pub duration_secs: Option<u64>,
}

/// A `podcast:alternateEnclosure`: the file of an enclosure by way of BitTorrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternate {
    /// The MIME type of the file.
    pub mime: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its mean bit rate in bits a second.
    pub bitrate_bps: Option<u32>,
    /// The absolute URL of its `.torrent`.
    pub torrent_url: String,
    /// Its magnet link.
    pub magnet: String,
    /// The SHA-384 of its bytes, where it is known.
    pub sha384: Option<[u8; 48]>,
}

/// Whether a file that begins like this may be a feed: its root is `rss` or `feed`.
pub fn looks_like_a_feed(_beginning: &[u8]) -> bool {
    false
}

/// Reads the feed that `source` holds from its beginning.
pub fn read(_source: &mut (impl Read + Seek)) -> Result<Foreign, Error> {
    Err(Error::NotAFeed("nothing".to_owned()))
}

impl Foreign {
    /// The edits that make the feed say what `amendment` says: in the order of their spans, which do not overlap. What
    /// an earlier run inserted and `amendment` does not want goes.
    pub fn amend(&self, _amendment: &Amendment) -> Vec<Edit> {
        Vec::new()
    }
}
