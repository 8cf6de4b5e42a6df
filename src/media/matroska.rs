//! Matroska and WebM: elements as they pass; the sound itself only where the length was not known when it was written.

use super::container::Container;
use super::scanner::{End, Reader, Step};
use super::seen::Seen;

/// How large an element can be whose content is read, in bytes.
const ELEMENT_BYTES_MAX: u64 = 1 << 12;
/// A time in nanoseconds, in which lengths are counted unless the file says otherwise (RFC 9559, 5.1.2.9).
const SCALE_NANOS: u64 = 1_000_000;
const NANOS_A_SECOND: u64 = 1_000_000_000;

// Elements by their numbers (RFC 9559, 5).
const EBML: u32 = 0x1a45_dfa3;
const DOC_TYPE: u32 = 0x4282;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TIMESTAMP_SCALE: u32 = 0x002a_d7b1;
const DURATION: u32 = 0x4489;
const TITLE: u32 = 0x7ba9;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK_ENTRY: u32 = 0xae;
const TRACK_TYPE: u32 = 0x83;
const CHAPTERS: u32 = 0x1043_a770;
const EDITION: u32 = 0x45b9;
const CHAPTER: u32 = 0xb6;
const CHAPTER_START: u32 = 0x91;
const CHAPTER_DISPLAY: u32 = 0x80;
const CHAPTER_TEXT: u32 = 0x85;
const ATTACHMENTS: u32 = 0x1941_a469;
const ATTACHED: u32 = 0x61a7;
const ATTACHED_MIME: u32 = 0x4660;
const ATTACHED_DATA: u32 = 0x465c;
const CLUSTER: u32 = 0x1f43_b675;
const CLUSTER_TIME: u32 = 0xe7;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;
const BLOCK_DURATION: u32 = 0x9b;
const SIMPLE_BLOCK: u32 = 0xa3;

/// Reads Matroska.
#[derive(Debug, Default)]
pub struct Matroska {
    /// The elements around what comes next, and where they end.
    open: Vec<(u32, u64)>,
    scale_nanos: Option<u64>,
    duration: Option<f64>,
    /// The time of the cluster at hand, and the last time of a block, in units of the scale.
    cluster: u64,
    last: u64,
    /// When the last block begins.
    block: u64,
    webm: bool,
    chapter: Option<(u64, String)>,
    attached_mime: String,
    sound: bool,
}

impl Reader for Matroska {
    fn step(&mut self, at: u64, window: &[u8], seen: &mut Seen) -> Step {
        while self.open.last().is_some_and(|&(_, end)| end <= at) {
            self.close(seen);
        }
        // A number says its own length by its first byte, an element begins with two.
        let head = |window: &[u8]| {
            let (id, id_bytes) = number(window, 4, true)?;
            let (size, size_bytes) = number(&window[id_bytes..], 8, false)?;
            Some((u32::try_from(id).ok()?, size, id_bytes + size_bytes, size_bytes))
        };
        let around = self.open.last().map_or(u64::MAX, |&(_, end)| end);
        let inside = usize::try_from(around - at).unwrap_or(usize::MAX).min(window.len());
        let window = &window[..inside];
        let Some((id, size, head_bytes, size_bytes)) = head(window) else {
            if window.len() < 12 && around - at > window.len() as u64 {
                return Step::More(window.len() + 1);
            }
            seen.warn("it is damaged: an element has no number or no length");
            return Step::Take(around - at);
        };
        let unknown = size == (1 << (7 * size_bytes)) - 1;
        // An element of unknown length ends where one begins that can't be in it.
        if unknown_ends(self.open.last().copied(), id) {
            self.close(seen);
            return self.step(at, window, seen);
        }
        let content = at.saturating_add(head_bytes as u64);
        let end = if unknown { around } else { content.saturating_add(size) };
        if end > around || (unknown && !matches!(id, SEGMENT | CLUSTER)) {
            seen.warn("it is damaged: an element is longer than what is around it");
            return Step::Take(around - at);
        }
        let whole = end - at;
        let parent = self.open.last().map(|&(id, _)| id);
        let known = self.duration.is_some();
        match (parent, id) {
            (None, EBML | SEGMENT)
            | (Some(SEGMENT), INFO | TRACKS | CHAPTERS | ATTACHMENTS)
            | (Some(TRACKS), TRACK_ENTRY)
            | (Some(CHAPTERS), EDITION)
            | (Some(EDITION), CHAPTER)
            | (Some(CHAPTER), CHAPTER_DISPLAY)
            | (Some(ATTACHMENTS), ATTACHED) => self.open(id, end),
            (Some(SEGMENT), CLUSTER) if !known || unknown => self.open(id, end),
            (Some(CLUSTER), BLOCK_GROUP) if !known => self.open(id, end),
            (Some(ATTACHED), ATTACHED_DATA) => {
                if self.attached_mime.starts_with("image/") {
                    seen.cover(&self.attached_mime, size, false);
                }
                return Step::Take(whole);
            }
            (Some(CLUSTER), SIMPLE_BLOCK) | (Some(BLOCK_GROUP), BLOCK) if !known => {
                let need = head_bytes as u64 + size.min(10);
                let need = usize::try_from(need).expect("a small number");
                let Some(block) = window.get(head_bytes..need) else { return Step::More(need) };
                self.block(block);
                return Step::Take(whole);
            }
            (
                Some(EBML | INFO | TRACK_ENTRY | CHAPTER | CHAPTER_DISPLAY | ATTACHED | CLUSTER | BLOCK_GROUP),
                DOC_TYPE | TIMESTAMP_SCALE | DURATION | TITLE | TRACK_TYPE | CHAPTER_START | CHAPTER_TEXT
                | ATTACHED_MIME | CLUSTER_TIME | BLOCK_DURATION,
            ) if size <= ELEMENT_BYTES_MAX => {
                let need = usize::try_from(whole).expect("no more than the maximum and a head");
                let Some(content) = window.get(head_bytes..need) else { return Step::More(need) };
                self.read(id, content, seen);
                return Step::Take(whole);
            }
            _ => return Step::Take(whole),
        }
        Step::Take(head_bytes as u64)
    }

    fn finish(mut self: Box<Self>, end: &End<'_>, seen: &mut Seen) {
        let inside = self.open.iter().any(|&(_, end)| end != u64::MAX);
        if end.is_cut() || (inside && !end.rest.is_empty()) {
            seen.warn("it is cut off");
        }
        while !self.open.is_empty() {
            self.close(seen);
        }
        seen.container = Some(if self.webm { Container::WebM } else { Container::Matroska });
        if !self.sound && !seen.video {
            seen.container = None;
        }
        let scale = u128::from(self.scale_nanos.unwrap_or(SCALE_NANOS));
        let units = match self.duration {
            // Thousandths of a unit, so that a fraction counts.
            Some(units) if units.is_finite() && units > 0.0 => thousandths(units),
            _ => u128::from(self.last) * 1000,
        };
        seen.duration(units.saturating_mul(scale) / 1000, NANOS_A_SECOND);
    }
}

impl Matroska {
    fn open(&mut self, id: u32, end: u64) {
        if id == CHAPTER {
            self.chapter = Some((0, String::new()));
        }
        self.open.push((id, end));
    }

    fn close(&mut self, seen: &mut Seen) {
        if let Some((CHAPTER, _)) = self.open.pop()
            && let Some((nanos, title)) = self.chapter.take()
        {
            seen.chapter(nanos / 1_000_000, &title);
        }
    }

    fn read(&mut self, id: u32, content: &[u8], seen: &mut Seen) {
        let number = || content.iter().take(8).fold(0, |number: u64, &byte| number << 8 | u64::from(byte));
        let text = || String::from_utf8_lossy(content);
        match id {
            DOC_TYPE => self.webm = content == b"webm",
            TIMESTAMP_SCALE => self.scale_nanos = Some(number()),
            DURATION => {
                let single = content.try_into().map(f32::from_be_bytes).map(f64::from);
                self.duration = content.try_into().map(f64::from_be_bytes).or(single).ok();
            }
            TITLE => seen.title(&text()),
            TRACK_TYPE => {
                seen.video |= number() == 1;
                self.sound |= number() == 2;
            }
            CHAPTER_START => self.chapter = self.chapter.take().map(|(_, title)| (number(), title)),
            CHAPTER_TEXT => {
                if let Some((_, title)) = self.chapter.as_mut().filter(|(_, title)| title.is_empty()) {
                    *title = text().into_owned();
                }
            }
            ATTACHED_MIME => self.attached_mime = text().into_owned(),
            CLUSTER_TIME => self.cluster = number(),
            BLOCK_DURATION => self.last = self.last.max(self.block.saturating_add(number())),
            _ => {}
        }
    }

    /// A block: its track's number, its time in its cluster, and the sound or pictures.
    fn block(&mut self, head: &[u8]) {
        let Some((_, at)) = number(head, 8, false) else { return };
        let Some(&[high, low]) = head.get(at..at + 2) else { return };
        self.block = self.cluster.saturating_add_signed(i64::from(i16::from_be_bytes([high, low])));
        self.last = self.last.max(self.block);
    }
}

/// Whether the innermost element, if it has no length of its own, ends before one with this number.
fn unknown_ends(innermost: Option<(u32, u64)>, id: u32) -> bool {
    let on_top =
        matches!(id, CLUSTER | INFO | TRACKS | CHAPTERS | ATTACHMENTS | 0x1c53_bb6b | 0x1254_c367 | 0x114d_9b74);
    match innermost {
        Some((CLUSTER, _)) => on_top || matches!(id, SEGMENT | EBML),
        _ => false,
    }
}

/// A number that says its length by the zeros it begins with (RFC 8794, 4), with the mark or without, and its length.
fn number(bytes: &[u8], bytes_max: usize, marked: bool) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > bytes_max {
        return None;
    }
    let low = if marked { u64::from(first) } else { u64::from(first) & ((1 << (8 - length)) - 1) };
    let rest = bytes.get(1..length)?;
    Some((rest.iter().fold(low, |number, &byte| number << 8 | u64::from(byte)), length))
}

/// A length in thousandths of its unit.
fn thousandths(units: f64) -> u128 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of a positive float saturates")]
    let thousandths = (units * 1000.0).round() as u128;
    thousandths
}

#[cfg(test)]
mod tests {
    use super::super::testing::{element, element_id, told};
    use super::*;

    fn head(doc_type: &[u8]) -> Vec<u8> {
        element(EBML, &[&element(DOC_TYPE, &[doc_type])])
    }

    fn track(kind: u8) -> Vec<u8> {
        element(TRACK_ENTRY, &[&element(TRACK_TYPE, &[&[kind]])])
    }

    #[test]
    fn the_length_stands_in_front_in_units_of_the_scale() {
        let scale = element(TIMESTAMP_SCALE, &[&2_000_000_u32.to_be_bytes()]);
        let info = element(INFO, &[&scale, &element(DURATION, &[&1500.25_f32.to_be_bytes()])]);
        let of =
            |tracks: &[u8]| element(SEGMENT, &[&info, &element(TRACKS, &[tracks]), &element(CLUSTER, &[&[0xff; 90]])]);
        assert_eq!(
            told("a.mkv", &[head(b"matroska"), of(&[track(1), track(2)].concat())].concat()),
            "video/matroska 3001 ms"
        );
        assert_eq!(told("a.webm", &[head(b"webm"), of(&track(2))].concat()), "audio/webm 3001 ms");
        let text = "video/webm\nwarning: its name says video/webm, but its content is not";
        assert_eq!(told("a.webm", &[head(b"webm"), of(&track(17))].concat()).replace(" 3001 ms", ""), text);
    }

    #[test]
    fn or_the_last_block_tells_it_in_a_stream() {
        let cluster = |time: u16, content: &[u8]| {
            let unknown =
                [element_id(CLUSTER).as_slice(), &[0xff], &element(CLUSTER_TIME, &[&time.to_be_bytes()])].concat();
            [unknown, content.to_vec()].concat()
        };
        let group =
            element(BLOCK_GROUP, &[&element(BLOCK, &[b"\x81\0\x30\0sound"]), &element(BLOCK_DURATION, &[&[20]])]);
        let segment = [
            [element_id(SEGMENT).as_slice(), &[1], &[0xff; 7]].concat(),
            element(TRACKS, &[&track(2)]),
            cluster(0, &element(SIMPLE_BLOCK, &[b"\x81\0\x10\0sound"])),
            cluster(1000, &element(SIMPLE_BLOCK, &[b"\x81\x7f\xff\0sound"])),
            cluster(40_000, &[element(SIMPLE_BLOCK, &[b"\x81\xff\xff\0sound"]), group].concat()),
        ];
        assert_eq!(told("a.webm", &[head(b"webm"), segment.concat()].concat()), "audio/webm 40068 ms");
    }

    #[test]
    fn what_is_damaged_is_a_warning() {
        let cut = [head(b"webm"), element(SEGMENT, &[&element(TRACKS, &[&track(2)]), &[0; 50]])].concat();
        let warning = "warning: it is damaged: an element has no number or no length";
        assert_eq!(told("a.webm", &cut), format!("audio/webm\n{warning}"));
        let long =
            [head(b"webm"), element(SEGMENT, &[&element(TRACKS, &[&track(2)]), &element(INFO, &[b"\x44\x89\x90"])])]
                .concat();
        let warning = "warning: it is damaged: an element is longer than what is around it";
        assert_eq!(told("a.webm", &long), format!("audio/webm\n{warning}"));
        assert_eq!(told("a.webm", &long[..long.len() - 2]), "audio/webm\nwarning: it is cut off");
    }
}
