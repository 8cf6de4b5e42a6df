//! What bytes are packed in, by their first ones, and the MIME type that follows from it and the name.

use super::{Kind, mime};

/// What bytes are packed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// MPEG audio frames: MP3 and its elders.
    Mpeg,
    /// AAC in ADTS frames.
    Adts,
    /// MPEG-4 and QuickTime boxes.
    Mp4,
    /// Ogg pages.
    Ogg,
    /// FLAC's own.
    Flac,
    /// RIFF chunks of type WAVE.
    Wav,
    /// Matroska and WebM.
    Matroska,
    /// The profile of Matroska for the web.
    WebM,
}

impl Container {
    /// By the first bytes of the content; MPEG audio frames have no mark and are not told here.
    pub fn of_content(head: &[u8]) -> Option<Self> {
        let riff = [b"RIFF".as_slice(), b"RF64", b"BW64"].iter().any(|mark| head.starts_with(mark));
        Some(match head {
            [b'O', b'g', b'g', b'S', ..] => Self::Ogg,
            [b'f', b'L', b'a', b'C', ..] => Self::Flac,
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Self::Matroska,
            _ if riff && head.get(8..12) == Some(b"WAVE") => Self::Wav,
            _ => match head.get(4..8)? {
                b"ftyp" | b"moov" | b"mdat" | b"wide" | b"pnot" => Self::Mp4,
                // So common a word that what follows must fit too.
                b"free" | b"skip" if head[..2] == [0; 2] => Self::Mp4,
                _ => return None,
            },
        })
    }

    /// By a MIME type.
    pub fn of_mime(mime: &str) -> Option<Self> {
        let (kind, subtype) = mime.split_once('/')?;
        if !matches!(kind, "audio" | "video" | "application") {
            return None;
        }
        Some(match subtype.strip_prefix("x-").unwrap_or(subtype) {
            "mpeg" | "mp3" | "mpeg3" if kind == "audio" => Self::Mpeg,
            "aac" | "aacp" | "hx-aac-adts" => Self::Adts,
            "mp4" | "m4a" | "m4b" | "m4v" | "quicktime" | "3gpp" | "3gpp2" => Self::Mp4,
            "ogg" | "opus" | "vorbis" => Self::Ogg,
            "flac" => Self::Flac,
            "wav" | "wave" | "vnd.wave" => Self::Wav,
            "webm" => Self::WebM,
            "matroska" => Self::Matroska,
            _ => return None,
        })
    }

    /// Whether both are packed the same way.
    fn fits(self, other: Self) -> bool {
        let like = |container| if container == Self::WebM { Self::Matroska } else { container };
        like(self) == like(other)
    }

    /// The MIME type of what is packed so.
    fn mime(self, video: bool) -> &'static str {
        match (self, video) {
            (Self::Mpeg, _) => "audio/mpeg",
            (Self::Adts, _) => "audio/aac",
            (Self::Mp4, false) => "audio/mp4",
            (Self::Mp4, true) => "video/mp4",
            (Self::Ogg, false) => "audio/ogg",
            (Self::Ogg, true) => "video/ogg",
            (Self::Flac, _) => "audio/flac",
            (Self::Wav, _) => "audio/wav",
            (Self::WebM, false) => "audio/webm",
            (Self::WebM, true) => "video/webm",
            // RFC 9559.
            (Self::Matroska, false) => "audio/matroska",
            (Self::Matroska, true) => "video/matroska",
        }
    }
}

/// The MIME type of content packed in `container` under `name`, and a warning where the two disagree.
pub fn judge(name: &str, container: Option<Container>, video: bool) -> (String, Option<String>) {
    let named = mime::of(name);
    let expected = Container::of_mime(&named);
    let Some(container) = container else {
        let warning = expected.map(|_| format!("its name says {named}, but its content is not"));
        return (named, warning);
    };
    let found = container.mime(video);
    let fits = expected.is_some_and(|expected| container.fits(expected));
    // A film without pictures is still a film by its name; one table says how that one is sent.
    if fits && (Kind::of_mime(&named) == Kind::of_mime(found) || named == "video/quicktime") {
        return (named, None);
    }
    let said = named != "application/octet-stream" && !fits;
    let warning = said.then(|| format!("its name says {named}, but its content is {found}"));
    (found.to_owned(), warning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_container() {
        let cases: [(&[u8], Option<Container>); 10] = [
            (b"OggS\0\x02", Some(Container::Ogg)),
            (b"fLaC\0\0\0\x22", Some(Container::Flac)),
            (b"\x1a\x45\xdf\xa3\x01", Some(Container::Matroska)),
            (b"RIFF\0\0\0\0WAVEfmt ", Some(Container::Wav)),
            (b"RF64\xff\xff\xff\xffWAVEds64", Some(Container::Wav)),
            (b"RIFF\0\0\0\0AVI LIST", None),
            (b"\0\0\0\x20ftypM4A ", Some(Container::Mp4)),
            (b"some free text", None),
            (b"", None),
            (b"<!doctype html>", None),
        ];
        for (head, expected) in cases {
            assert_eq!(Container::of_content(head), expected, "{head:?}");
        }
    }

    #[test]
    fn content_overrules_the_name_and_says_so() {
        let cases = [
            ("a.mp3", Some(Container::Mpeg), false, "audio/mpeg", None),
            ("a.m4b", Some(Container::Mp4), false, "audio/mp4", None),
            ("a.mp4", Some(Container::Mp4), false, "audio/mp4", None),
            ("a.m4a", Some(Container::Mp4), true, "video/mp4", None),
            ("a.mov", Some(Container::Mp4), false, "video/quicktime", None),
            ("a", Some(Container::Mp4), true, "video/mp4", None),
            ("a.mkv", Some(Container::Matroska), true, "video/matroska", None),
            ("a.webm", Some(Container::WebM), false, "audio/webm", None),
            (
                "a.mp3",
                Some(Container::Mp4),
                false,
                "audio/mp4",
                Some("its name says audio/mpeg, but its content is audio/mp4"),
            ),
            (
                "a.zip",
                Some(Container::Ogg),
                false,
                "audio/ogg",
                Some("its name says application/zip, but its content is audio/ogg"),
            ),
            ("a.mp3", None, false, "audio/mpeg", Some("its name says audio/mpeg, but its content is not")),
            ("a.iso", None, false, "application/octet-stream", None),
        ];
        for (name, container, video, mime, warning) in cases {
            let expected = (mime.to_owned(), warning.map(str::to_owned));
            assert_eq!(judge(name, container, video), expected, "{name} {container:?}");
        }
    }
}
