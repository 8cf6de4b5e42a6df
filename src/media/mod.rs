//! What a media file is: type, duration, bit rate, title, cover and chapters, found while its bytes stream by once.
//!
//! It knows no torrents and no hashing, and it never goes back: the bytes may come from a download that is not stored.
//! Structures are walked as they pass, so that what is not wanted (pictures, sample tables, the sound itself) is never
//! kept; tag crates want a file to seek in, or the whole tag in memory.

mod comments;
mod container;
mod flac;
mod frames;
mod id3;
mod matroska;
mod mp4;
mod mp4_track;
mod ogg;
mod scanner;
mod seen;
#[cfg(test)]
pub mod testing;
mod wav;

pub use scanner::{Scanner, WINDOW_BYTES_MAX};
pub use seen::{CHAPTERS_MAX, TEXT_BYTES_MAX, WARNINGS_MAX};

use crate::mime;

/// Facts about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The MIME type: by the content where that tells it, by the name's extension otherwise.
    pub mime: String,
    /// What a page or feed can do with it, by the MIME type.
    pub kind: Kind,
    /// The duration in milliseconds, where the content tells it.
    pub duration_ms: Option<u64>,
    /// The mean bit rate of the file in bits a second, where the content tells a duration.
    pub bitrate_bps: Option<u32>,
    /// The title in its tags.
    pub title: Option<String>,
    /// The cover in its tags.
    pub cover: Option<Cover>,
    /// The chapters in its tags, by their start.
    pub chapters: Vec<Chapter>,
}

/// A picture in a file's tags. The picture itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// Its MIME type, as the tag says it.
    pub mime: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// A chapter in a file's tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    /// Where it begins, in milliseconds.
    pub start_ms: u64,
    /// Its title; empty where it has none.
    pub title: String,
}

/// What a [`Scanner`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The facts.
    pub facts: Facts,
    /// What the author should look at, a sentence each, without the path: a damaged tag, a file that is cut off, content
    /// that is not what the name says.
    pub warnings: Vec<String>,
}

/// What a page or feed can do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is listened to.
    Audio,
    /// It is watched.
    Video,
    /// It is downloaded.
    Other,
}

impl Facts {
    /// What a MIME type tells: what can be done with such a file, and nothing more.
    pub fn of_mime(mime: String) -> Self {
        let kind = Kind::of_mime(&mime);
        let (duration_ms, bitrate_bps, title, cover, chapters) = (None, None, None, None, Vec::new());
        Self { mime, kind, duration_ms, bitrate_bps, title, cover, chapters }
    }
}

impl Kind {
    /// What can be done with a file of this name.
    pub fn of(name: &str) -> Self {
        Self::of_mime(&mime::of(name))
    }

    /// What can be done with a file of this MIME type.
    pub fn of_mime(mime: &str) -> Self {
        match mime.split_once('/') {
            Some(("audio", _)) => Self::Audio,
            Some(("video", _)) => Self::Video,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests;
