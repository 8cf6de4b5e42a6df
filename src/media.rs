//! What a media file is: its MIME type by its name, its duration and bit rate by its content.

use std::path::Path;

use lofty::config::ParseOptions;
use lofty::file::AudioFile;
use lofty::probe::Probe;

use crate::mime;

/// Facts about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The MIME type, by the file's extension.
    pub mime: String,
    /// What a page or feed can do with it.
    pub kind: Kind,
    /// The duration in milliseconds, where the content tells it.
    pub duration_ms: Option<u64>,
    /// The mean bit rate in bits a second, where the content tells a duration.
    pub bitrate_bps: Option<u32>,
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
        Self { mime, kind, duration_ms: None, bitrate_bps: None }
    }
}

impl Kind {
    /// What can be done with a file of this name.
    pub fn of(name: &str) -> Self {
        Self::of_mime(&mime::of(name))
    }

    fn of_mime(mime: &str) -> Self {
        match mime.split_once('/') {
            Some(("audio", _)) => Self::Audio,
            Some(("video", _)) => Self::Video,
            _ => Self::Other,
        }
    }
}

/// Looks at the file at `path`, which is published under `name` and holds `bytes` bytes.
///
/// A duration that can't be found out is absent and no error: the file is published all the same.
pub fn facts(path: &Path, name: &str, bytes: u64) -> Facts {
    let Facts { mime, kind, .. } = Facts::of_mime(mime::of(name));
    let duration_ms = if kind == Kind::Other { None } else { duration_ms(path) };
    let bitrate_bps = duration_ms
        .and_then(|ms| (u128::from(bytes) * 8 * 1000).checked_div(u128::from(ms)))
        .and_then(|bps| u32::try_from(bps).ok());
    Facts { mime, kind, duration_ms, bitrate_bps }
}

fn duration_ms(path: &Path) -> Option<u64> {
    // Cover art is of no use here, and it can be larger than the tags' limits allow.
    let options = ParseOptions::new().read_cover_art(false).read_tags(false);
    let file = Probe::open(path).ok()?.options(options).guess_file_type().ok()?.read().ok()?;
    let duration = file.properties().duration();
    u64::try_from(duration.as_millis()).ok().filter(|&ms| ms > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight thousand samples a second of silence, 8 bit, one channel.
    fn wav(secs: u32) -> Vec<u8> {
        let data = 8000 * secs;
        let mut bytes = Vec::new();
        bytes.extend(b"RIFF");
        bytes.extend((36 + data).to_le_bytes());
        bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        bytes.extend(8000_u32.to_le_bytes());
        bytes.extend(8000_u32.to_le_bytes());
        bytes.extend(b"\x01\0\x08\0data");
        bytes.extend(data.to_le_bytes());
        bytes.resize(44 + data as usize, 0x80);
        bytes
    }

    #[test]
    fn a_recording_has_a_duration_and_what_is_none_has_no_duration() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a.wav");
        std::fs::write(&path, wav(3)).expect("written");
        let facts_of = facts(&path, "a.wav", 24_044);
        assert_eq!(
            facts_of,
            Facts { mime: "audio/wav".into(), kind: Kind::Audio, duration_ms: Some(3000), bitrate_bps: Some(64_117) }
        );
        std::fs::write(&path, "not a recording").expect("written");
        assert_eq!(facts(&path, "a.wav", 15).duration_ms, None);
        assert_eq!(facts(&path, "a.iso", 15).kind, Kind::Other);
    }
}
