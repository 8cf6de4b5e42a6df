//! What was seen of a medium so far, as every format tells it: bounded, and text made fit to print.

use super::container::Container;
use super::{Chapter, Cover};

/// How many chapters are kept.
pub const CHAPTERS_MAX: usize = 1000;
/// How long a title, of the medium or of a chapter, can be in bytes; the rest is cut.
pub const TEXT_BYTES_MAX: usize = 1024;
/// How many warnings are kept.
pub const WARNINGS_MAX: usize = 16;
/// The longest duration that is believed: a year, in milliseconds.
const DURATION_MS_MAX: u64 = 366 * 24 * 3600 * 1000;

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    /// What the bytes are packed in.
    pub container: Option<Container>,
    /// Whether there is something to watch.
    pub video: bool,
    duration_ms: Option<u64>,
    title: Option<String>,
    cover: Option<(bool, Cover)>,
    chapters: Vec<Chapter>,
    warnings: Vec<String>,
}

impl Seen {
    /// So many units of which `rate` are a second.
    pub fn duration(&mut self, units: u128, rate: u64) {
        let ms = units.saturating_mul(1000).saturating_add(u128::from(rate) / 2).checked_div(u128::from(rate));
        match ms.map(u64::try_from) {
            Some(Ok(ms @ 1..=DURATION_MS_MAX)) => self.duration_ms = Some(ms),
            None | Some(Ok(0)) => {}
            Some(_) => self.warn("it claims to last longer than a year, which is not believed"),
        }
    }

    /// The duration in milliseconds, if one was seen.
    pub fn duration_ms(&self) -> Option<u64> {
        self.duration_ms
    }

    /// A title; the first one that is not empty counts.
    pub fn title(&mut self, text: &str) {
        let text = clean(text);
        if self.title.is_none() && !text.is_empty() {
            self.title = Some(text);
        }
    }

    /// A picture of so many bytes; the first one that says it is the `front` counts, else the first.
    pub fn cover(&mut self, mime: &str, bytes: u64, front: bool) {
        if self.cover.as_ref().is_none_or(|(was_front, _)| front && !was_front) {
            self.cover = Some((front, Cover { mime: clean(mime), bytes }));
        }
    }

    /// A chapter that begins after so many milliseconds.
    pub fn chapter(&mut self, start_ms: u64, title: &str) {
        if self.chapters.len() < CHAPTERS_MAX {
            self.chapters.push(Chapter { start_ms, title: clean(title) });
        } else {
            self.warn(&format!("it has more than {CHAPTERS_MAX} chapters; the others are left out"));
        }
    }

    /// The author should look at this.
    pub fn warn(&mut self, sentence: &str) {
        if self.warnings.len() < WARNINGS_MAX && !self.warnings.iter().any(|known| known == sentence) {
            self.warnings.push(sentence.to_owned());
        }
    }

    /// Title, cover, chapters by their start, and warnings.
    pub fn into_parts(mut self) -> (Option<String>, Option<Cover>, Vec<Chapter>, Vec<String>) {
        self.chapters.sort_by_key(|chapter| chapter.start_ms);
        self.chapters.dedup();
        (self.title, self.cover.map(|(_, cover)| cover), self.chapters, self.warnings)
    }
}

/// Text in one line: what ends at a NUL, without control characters, at most [`TEXT_BYTES_MAX`] bytes.
fn clean(text: &str) -> String {
    let mut line = String::new();
    let first = text.trim_start_matches('\0').split('\0').next().unwrap_or_default();
    for part in first.split(|c: char| c.is_whitespace() || c.is_control()).filter(|part| !part.is_empty()) {
        let space = usize::from(!line.is_empty());
        for c in std::iter::repeat_n(' ', space).chain(part.chars()) {
            if line.len() + c.len_utf8() > TEXT_BYTES_MAX {
                return line;
            }
            line.push(c);
        }
    }
    line
}

/// A tick of a second that all rates in use divide evenly.
pub const TICKS: u64 = 28_224_000;

/// So many samples at so many a second, in ticks.
pub fn ticks(samples: u64, rate: u32) -> u128 {
    (u128::from(samples) * u128::from(TICKS)).checked_div(u128::from(rate)).unwrap_or_default()
}

/// Two bytes of a big-endian number at `at`.
pub fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Four bytes of a big-endian number at `at`.
pub fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Eight bytes of a big-endian number at `at`.
pub fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Two bytes of a little-endian number at `at`.
pub fn le16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Four bytes of a little-endian number at `at`.
pub fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Eight bytes of a little-endian number at `at`.
pub fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_one_line_of_bounded_length() {
        assert_eq!(clean("  A\tnight \u{7}\r\n out\0second value"), "A night out");
        assert_eq!(clean("\0\0"), "");
        assert_eq!(clean(&"ä".repeat(2000)).len(), TEXT_BYTES_MAX);
    }

    #[test]
    fn a_front_cover_counts_before_another_picture_and_the_first_title_before_the_next() {
        let mut seen = Seen::default();
        seen.cover("image/png", 1, false);
        seen.cover("image/jpeg", 2, true);
        seen.cover("image/jpeg", 3, true);
        seen.title(" ");
        seen.title("One");
        seen.title("Two");
        let (title, cover, _, _) = seen.into_parts();
        assert_eq!((title.as_deref(), cover), (Some("One"), Some(Cover { mime: "image/jpeg".into(), bytes: 2 })));
    }

    #[test]
    fn chapters_and_warnings_have_a_maximum_and_a_duration_is_believable() {
        let mut seen = Seen::default();
        for index in 0..=CHAPTERS_MAX as u64 {
            seen.chapter(CHAPTERS_MAX as u64 - index, "");
        }
        for index in 0..100 {
            seen.warn(&index.to_string());
        }
        seen.duration(u128::MAX, 1);
        seen.duration(5, 0);
        assert_eq!(seen.duration_ms(), None);
        seen.duration(48_000 * 3, 48_000);
        assert_eq!(seen.duration_ms(), Some(3000));
        let (_, _, chapters, warnings) = seen.into_parts();
        assert_eq!((chapters.len(), chapters[0].start_ms, warnings.len()), (CHAPTERS_MAX, 1, WARNINGS_MAX));
    }
}
