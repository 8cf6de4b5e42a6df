//! Vorbis comments as they pass, in Ogg and FLAC: the title, the chapters, and the head of the cover.

use std::collections::BTreeMap;

use super::seen::{CHAPTERS_MAX, Seen, TEXT_BYTES_MAX, be32, le32};

/// How much of a comment is kept, in bytes.
const COMMENT_BYTES_MAX: usize = 4096;

/// A comment header that is half read (<https://xiph.org/vorbis/doc/v-comment.html>).
#[derive(Debug)]
pub struct Comments {
    at: At,
    /// How much of the part at hand is still to come.
    left: u64,
    kept: Vec<u8>,
    /// How many comments are still to come.
    count: u32,
    chapters: BTreeMap<u16, (Option<u64>, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Prefix,
    VendorBytes,
    Vendor,
    Count,
    CommentBytes,
    Comment,
    Over,
}

impl Comments {
    /// Comments that begin after so many bytes.
    pub fn new(prefix_bytes: u64) -> Self {
        Self { at: At::Prefix, left: prefix_bytes, kept: Vec::new(), count: 0, chapters: BTreeMap::new() }
    }

    /// The next bytes of the header.
    pub fn push(&mut self, mut bytes: &[u8], seen: &mut Seen) {
        while self.at != At::Over {
            let part = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            let room = COMMENT_BYTES_MAX.saturating_sub(self.kept.len()).min(part);
            self.kept.extend_from_slice(&bytes[..room]);
            bytes = &bytes[part..];
            self.left -= part as u64;
            if self.left > 0 {
                return;
            }
            self.next_part(seen);
            self.kept.clear();
        }
    }

    /// The header ended.
    pub fn end(&self, seen: &mut Seen) {
        if self.at != At::Over {
            seen.warn("its comments are damaged: they end too early");
        }
        for (start_ms, title) in self.chapters.values() {
            if let Some(start_ms) = start_ms {
                seen.chapter(*start_ms, title);
            }
        }
    }

    fn next_part(&mut self, seen: &mut Seen) {
        let number = || le32(&self.kept, 0).unwrap_or_default();
        (self.at, self.left) = match self.at {
            At::Prefix => (At::VendorBytes, 4),
            At::VendorBytes => (At::Vendor, u64::from(number())),
            At::Vendor => (At::Count, 4),
            At::Count => {
                self.count = number();
                self.next_comment()
            }
            At::CommentBytes => (At::Comment, u64::from(number())),
            At::Comment => {
                let kept = std::mem::take(&mut self.kept);
                self.tell(&kept, seen);
                self.kept = kept;
                self.next_comment()
            }
            At::Over => (At::Over, 0),
        };
    }

    fn next_comment(&mut self) -> (At, u64) {
        match self.count.checked_sub(1) {
            Some(left) => {
                self.count = left;
                (At::CommentBytes, 4)
            }
            None => (At::Over, 0),
        }
    }

    fn tell(&mut self, comment: &[u8], seen: &mut Seen) {
        let Some(equals) = comment.iter().position(|&byte| byte == b'=') else { return };
        let (key, value) = (comment[..equals].to_ascii_uppercase(), &comment[equals + 1..]);
        match key.as_slice() {
            b"TITLE" => seen.title(&String::from_utf8_lossy(value)),
            b"METADATA_BLOCK_PICTURE" => tell_picture(&base64(value), seen),
            [b'C', b'H', b'A', b'P', b'T', b'E', b'R', a, b, c, what @ ..] => {
                let digits = [*a, *b, *c];
                let Some(index) = std::str::from_utf8(&digits).ok().and_then(|digits| digits.parse().ok()) else {
                    return;
                };
                if self.chapters.len() >= CHAPTERS_MAX && !self.chapters.contains_key(&index) {
                    return;
                }
                let value = String::from_utf8_lossy(&value[..value.len().min(TEXT_BYTES_MAX)]);
                let chapter = self.chapters.entry(index).or_default();
                match what {
                    b"" => chapter.0 = timestamp_ms(&value),
                    b"NAME" => chapter.1 = value.into_owned(),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

/// A FLAC picture block by its head (RFC 9639, 8.8).
pub fn tell_picture(head: &[u8], seen: &mut Seen) {
    let mut tell = || {
        let kind = be32(head, 0)?;
        let mime_bytes = be32(head, 4)? as usize;
        let mime = head.get(8..8_usize.checked_add(mime_bytes)?)?;
        let description_bytes = be32(head, 8 + mime_bytes)? as usize;
        let size = (8 + mime_bytes + 4 + 16).checked_add(description_bytes)?;
        seen.cover(&String::from_utf8_lossy(mime), u64::from(be32(head, size)?), kind == 3);
        Some(())
    };
    if tell().is_none() {
        seen.warn("the picture in its tags is damaged, and is passed over");
    }
}

/// Hours, minutes, and seconds with or without a fraction: `00:01:02.500`.
fn timestamp_ms(text: &str) -> Option<u64> {
    let (clock, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let number = |text: &str| if text.len() <= 5 { text.parse::<u64>().ok() } else { None };
    let secs = clock.split(':').try_fold(0, |secs: u64, part| Some(secs.checked_mul(60)? + number(part)?))?;
    let millis: u64 = if fraction.is_empty() { 0 } else { format!("{fraction:0<3}").get(..3)?.parse().ok()? };
    secs.checked_mul(1000)?.checked_add(millis)
}

/// As much of base64 text as is well formed.
fn base64(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for &c in text {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count).to_le_bytes()[0]);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_people_write_it() {
        let cases = [
            ("00:00:00.000", Some(0)),
            ("01:02:03.5", Some(3_723_500)),
            ("2:03", Some(123_000)),
            ("7.1234567", Some(7123)),
            ("", None),
            ("a:b", None),
            ("99999:99999:99999:99999:99999:99999:99999:99999:99999:99999:99999:99999:99999", None),
            ("1.ä", None),
        ];
        for (text, expected) in cases {
            assert_eq!(timestamp_ms(text), expected, "{text}");
        }
    }

    #[test]
    fn base64_is_read_as_far_as_it_goes() {
        assert_eq!(base64(b"AAAAAwAAAAppbWFnZS9wbmc="), b"\0\0\0\x03\0\0\0\x0aimage/png");
        assert_eq!(base64(b"QUI\nQw"), b"AB");
    }
}
