//! The feeds as data and as bytes: what a show has to say in, `feed.xml` and `torrents.xml` out; no disk, no clock.
//!
//! There are two feeds because an item has one enclosure: podcast apps and torrent clients that find two, or one of
//! the other kind, take the wrong one.

mod alternate;
mod chapters;
pub mod foreign;
mod guid;
mod podcast;
mod torrents;
mod xml;

pub use chapters::{CHAPTERS_MIME, chapters, seconds};
pub use guid::{episode_guid, show_guid};
pub use podcast::podcast;
pub use torrents::torrents;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::id::InfoHash;

/// The most bytes of a description in a feed; directories refuse more.
pub const DESCRIPTION_BYTES_MAX: usize = 4000;

/// What both feeds say about the show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its title.
    pub title: String,
    /// Plain text; what is beyond [`DESCRIPTION_BYTES_MAX`] is cut off.
    pub description: String,
    /// The absolute URL of its home page.
    pub link: String,
    /// The absolute URL at which this feed stands.
    pub feed_url: String,
    /// The language tag (RFC 5646).
    pub language: String,
    /// The program that wrote it.
    pub generator: String,
    /// The copyright notice.
    pub copyright: Option<String>,
}

/// What `feed.xml` says beyond that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Show {
    /// Who makes it.
    pub author: Option<String>,
    /// The address that directories write to.
    pub email: Option<String>,
    /// The absolute URL of the cover.
    pub image: Option<String>,
    /// Where directories put it.
    pub categories: Vec<Category>,
    /// Whether it holds matter for adults.
    pub explicit: bool,
    /// Whether episodes are heard from the first one on.
    pub serial: bool,
    /// `podcast:guid`: the identity of the show, for good ([`show_guid`]).
    pub guid: Uuid,
}

/// A category of the show, and those below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// The names of its sub-categories.
    pub children: Vec<String>,
}

/// An episode in `feed.xml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// Its title.
    pub title: String,
    /// The absolute URL of its page.
    pub link: String,
    /// Its identity, which never changes.
    pub guid: String,
    /// When it was published.
    pub date: OffsetDateTime,
    /// HTML of `p ol ul li a b i strong em` alone, within [`DESCRIPTION_BYTES_MAX`].
    pub description: String,
    /// All of its notes as HTML with absolute URLs.
    pub content: String,
    /// The medium.
    pub medium: Medium,
    /// The absolute URL of its cover, where it has its own.
    pub image: Option<String>,
    /// Whether it holds matter for adults, where it differs from the show.
    pub explicit: Option<bool>,
    /// The number of its season, from 1.
    pub season: Option<u32>,
    /// Its number in the season, from 1.
    pub episode: Option<u32>,
    /// The transcript.
    pub transcript: Option<Transcript>,
    /// The absolute URL of its [`chapters`], where it has any.
    pub chapters_url: Option<String>,
}

/// The one medium of an episode, and the ways to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    /// The absolute URL of the file.
    pub url: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its MIME type.
    pub mime: String,
    /// Its mean bit rate in bits a second.
    pub bitrate_bps: Option<u32>,
    /// Its duration in milliseconds.
    pub duration_ms: Option<u64>,
    /// The SHA-384 of its bytes, where it is known.
    pub sha384: Option<[u8; 48]>,
    /// The absolute URL of its `.torrent`.
    pub torrent_url: String,
    /// Its magnet link.
    pub magnet: String,
}

/// A transcript of an episode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// Its absolute URL.
    pub url: String,
    /// Its MIME type.
    pub mime: String,
    /// Its language tag.
    pub language: String,
}

/// A release in `torrents.xml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TorrentItem {
    /// Its title.
    pub title: String,
    /// The absolute URL of its page.
    pub link: String,
    /// When it was published.
    pub date: OffsetDateTime,
    /// Plain text; what is beyond [`DESCRIPTION_BYTES_MAX`] is cut off.
    pub description: String,
    /// The info-hash: the item's guid.
    pub info_hash: InfoHash,
    /// The absolute URL of the `.torrent`.
    pub torrent_url: String,
    /// The size of the `.torrent` itself, in bytes.
    pub torrent_bytes: u64,
}

#[cfg(test)]
mod tests;
