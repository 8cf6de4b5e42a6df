//! What templates find: the data of a page, which the authors of themes rely on.
//!
//! Every `url` is a percent-encoded path below the site's root, to be written behind `root`, the way from the page to there.

use serde::Serialize;
use serde_json::{Map, Number, Value};

/// The data of every page.
#[derive(Debug, Serialize)]
pub struct Page {
    /// `index`, `episode`, `page` or `404`.
    pub kind: &'static str,
    /// Its title.
    pub title: String,
    /// A sentence on what it is, or empty.
    pub description: String,
    /// Its path.
    pub url: String,
    /// Its absolute URL.
    pub canonical: String,
    /// The absolute URL of its picture.
    pub image: Option<String>,
    /// Its text as HTML, or empty.
    pub content: String,
    /// The author's own data.
    pub extra: Map<String, Value>,
}

/// The data of the site.
#[derive(Debug, Serialize)]
pub struct Site {
    /// Its title.
    pub title: String,
    /// What it is about, or empty.
    pub description: String,
    /// Its language tag.
    pub language: String,
    /// Its absolute URL, with a `/` at the end.
    pub base_url: String,
    /// Who makes it.
    pub author: Option<String>,
    /// The path of its cover.
    pub image: Option<String>,
    /// The program that made it, with its version.
    pub generator: &'static str,
    /// The path of the podcast feed, where there is anything to hear or see.
    pub feed: Option<&'static str>,
    /// The path of the torrent feed.
    pub torrent_feed: &'static str,
    /// The URL of the live numbers, or empty.
    pub swarms_api: String,
    /// The path of the page with live numbers.
    pub swarms_page: Option<&'static str>,
    /// The plain pages.
    pub pages: Vec<Link>,
    /// The author's own data.
    pub extra: Map<String, Value>,
}

/// A page that another one names.
#[derive(Debug, Clone, Serialize)]
pub struct Link {
    /// Its title.
    pub title: String,
    /// Its path.
    pub url: String,
}

/// The data of a release.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_field_names, reason = "templates and feeds call the number of an episode so")]
pub struct Episode {
    /// Its title.
    pub title: String,
    /// A sentence on what it is, or empty.
    pub description: String,
    /// `2026-05-01`.
    pub date: String,
    /// `1 May 2026`.
    pub date_text: String,
    /// The path of its page.
    pub url: String,
    /// The number of its season.
    pub season: Option<u32>,
    /// Its number in the season.
    pub episode: Option<u32>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The path of its picture.
    pub image: Option<String>,
    /// `audio`, `video` or `files`.
    pub kind: &'static str,
    /// Its notes as HTML; on its own page alone.
    pub content: String,
    /// The file, where it is one.
    pub media: Option<Media>,
    /// All files.
    pub files: Vec<File>,
    /// Whether it is several files.
    pub multi: bool,
    /// `1:02:03`.
    pub duration_text: Option<String>,
    /// Its duration in whole seconds.
    pub duration_secs: Option<u64>,
    /// The size of all files in bytes.
    pub bytes: u64,
    /// The same for people.
    pub size_text: String,
    /// Its transcript.
    pub transcript: Option<Transcript>,
    /// Its chapters by their start; none where it is not listened to or watched.
    pub chapters: Vec<Chapter>,
    /// The path of the same as JSON, where it has any.
    pub chapters_url: Option<String>,
    /// Its torrent.
    pub torrent: Torrent,
    /// The next release.
    pub newer: Option<Link>,
    /// The one before.
    pub older: Option<Link>,
    /// The author's own data.
    pub extra: Map<String, Value>,
}

/// The one file of a release.
#[derive(Debug, Clone, Serialize)]
pub struct Media {
    /// Its path; its URL where it is on another server.
    pub url: String,
    /// Whether it is on another server.
    pub is_remote: bool,
    /// Its name.
    pub name: String,
    /// Its MIME type.
    pub mime: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The same for people.
    pub size_text: String,
}

/// A file of a release.
#[derive(Debug, Clone, Serialize)]
pub struct File {
    /// Its path in the torrent's folder.
    pub name: String,
    /// Its path below the site's root; its URL where it is on another server.
    pub url: String,
    /// Whether it is on another server.
    pub is_remote: bool,
    /// Its size in bytes.
    pub bytes: u64,
    /// The same for people.
    pub size_text: String,
}

/// A transcript.
#[derive(Debug, Clone, Serialize)]
pub struct Transcript {
    /// Its path.
    pub url: String,
    /// Its MIME type.
    pub mime: String,
    /// Its language tag.
    pub language: String,
}

/// A chapter.
#[derive(Debug, Clone, Serialize)]
pub struct Chapter {
    /// Its title; empty where it has none.
    pub title: String,
    /// Where it begins in seconds, as a number: `#t=` and this behind the URL of the medium leads there.
    pub start_secs: Number,
    /// `1:02:03`, of the second in which it begins.
    pub start_text: String,
}

/// A torrent.
#[derive(Debug, Clone, Serialize)]
pub struct Torrent {
    /// The path of the `.torrent`.
    pub url: String,
    /// The magnet link.
    pub magnet: String,
    /// The info-hash in hexadecimal digits: of v1, else the first 40 digits of that of v2.
    pub info_hash: String,
    /// The info-hash of v2.
    pub info_hash_v2: Option<String>,
    /// `v1`, `v2` or `hybrid`.
    pub kind: &'static str,
    /// Its name: of the file, or of the folder.
    pub name: String,
    /// Bytes in a piece, for people.
    pub piece_length_text: String,
    /// How many pieces it has.
    pub pieces: u64,
    /// Whether peers come from the trackers alone.
    pub private: bool,
}
