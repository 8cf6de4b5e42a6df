//! WAVE in RIFF, RF64 and BW64: its length by the size of its data, or of the file where that was not known.

use super::id3::Id3;
use super::scanner::{End, Reader, Step};
use super::seen::{Seen, le32, le64};

/// How much of a list of texts is looked at, in bytes.
const LIST_BYTES_MAX: u64 = 1 << 16;
/// The size of what was streamed, or is too large for 32 bits.
const UNKNOWN: u32 = u32::MAX;

/// Reads WAVE.
#[derive(Debug, Default)]
pub struct Wav {
    at: At,
    bytes_a_second: u32,
    /// The size of the data in RF64.
    large: Option<u64>,
    data: Option<Data>,
}

/// The sound.
#[derive(Debug, Clone, Copy)]
struct Data {
    begin: u64,
    /// How many bytes it holds; `None`: all that follow.
    bytes: Option<u64>,
}

#[derive(Debug, Default)]
enum At {
    #[default]
    Mark,
    Chunk,
    /// In a tag, with so many bytes behind it.
    Tag(Box<Id3>, u64),
}

impl Reader for Wav {
    fn step(&mut self, at: u64, window: &[u8], seen: &mut Seen) -> Step {
        match &mut self.at {
            At::Mark => {
                self.at = At::Chunk;
                Step::Take(12)
            }
            At::Tag(tag, behind) => {
                if tag.is_whole() {
                    let behind = *behind;
                    tag.end(seen);
                    self.at = At::Chunk;
                    return if behind > 0 { Step::Take(behind) } else { self.chunk(at, window, seen) };
                }
                Step::Take(tag.push(window, seen) as u64)
            }
            At::Chunk => self.chunk(at, window, seen),
        }
    }

    fn finish(self: Box<Self>, end: &End<'_>, seen: &mut Seen) {
        match self.data {
            None => seen.warn("it is cut off before its sound"),
            Some(data) => {
                let there = end.at.saturating_sub(data.begin);
                let bytes = data.bytes.map_or(there, |bytes| bytes.min(there));
                seen.duration(u128::from(bytes), u64::from(self.bytes_a_second));
            }
        }
        // The byte that makes a chunk's size even is often left out at the end.
        if end.is_cut() && end.missing > 1 {
            seen.warn("it is cut off");
        }
    }
}

impl Wav {
    fn chunk(&mut self, at: u64, window: &[u8], seen: &mut Seen) -> Step {
        let (Some(id), Some(size)) = (window.get(..4), le32(window, 4)) else { return Step::More(8) };
        let even = |size: u64| size.saturating_add(size & 1);
        let whole = 8 + even(u64::from(size));
        // A small chunk whose content is wanted.
        let need = |bytes: u64| usize::try_from(whole.min(8 + bytes)).expect("a small number");
        match id {
            b"fmt " | b"ds64" if window.len() < need(16) => return Step::More(need(16)),
            b"fmt " => self.bytes_a_second = le32(&window[..need(16)], 8 + 8).unwrap_or_default(),
            b"ds64" => self.large = le64(&window[..need(16)], 8 + 8),
            b"data" if self.data.is_none() => {
                let bytes = match (size, self.large) {
                    (UNKNOWN, Some(large)) => Some(large),
                    (UNKNOWN | 0, _) => None,
                    (size, _) => Some(u64::from(size)),
                };
                self.data = Some(Data { begin: at.saturating_add(8), bytes });
                return Step::Take(bytes.map_or(u64::MAX, |bytes| even(bytes).saturating_add(8)));
            }
            b"LIST" => {
                if window.len() < need(LIST_BYTES_MAX) {
                    return Step::More(need(LIST_BYTES_MAX));
                }
                tell_list(&window[8..need(LIST_BYTES_MAX)], seen);
            }
            b"id3 " | b"ID3 " => {
                if window.len() < need(10) {
                    return Step::More(need(10));
                }
                if let Some(tag) = Id3::begin(&window[8..]) {
                    let behind = whole.checked_sub(8 + 10 + tag.left());
                    if let Some(behind) = behind.filter(|_| whole >= 18) {
                        self.at = At::Tag(Box::new(tag), behind);
                        return Step::Take(18);
                    }
                }
                seen.warn("its ID3 tag is damaged, and is passed over");
            }
            _ => {}
        }
        Step::Take(whole)
    }
}

/// The title in a list of texts.
fn tell_list(list: &[u8], seen: &mut Seen) {
    let Some(mut rest) = list.strip_prefix(b"INFO") else { return };
    while let (Some(id), Some(size)) = (rest.get(..4), le32(rest, 4)) {
        let text = &rest[8..];
        let size = (size as usize).min(text.len());
        if id == b"INAM" {
            seen.title(&String::from_utf8_lossy(&text[..size]));
        }
        rest = text.get(size + (size & 1)..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{chunk, id3, told, wav};

    #[test]
    fn the_data_tells_the_length() {
        assert_eq!(told("a.wav", &wav(b"RIFF", &[&chunk(b"data", &[0x80; 8001])])), "audio/wav 1000 ms");
        let behind = [chunk(b"data", &[0x80; 801]), chunk(b"LIST", b"INFOINAM\x03\0\0\0abc\0")].concat();
        assert_eq!(told("a.wav", &wav(b"RIFF", &[&behind])), "audio/wav 100 ms\ntitle abc");
        let tag = id3(&[(b"TIT2", b"\x03Title")]);
        let tagged = [chunk(b"id3 ", &tag), chunk(b"JUNK", &[9; 33]), chunk(b"data", &[0x80; 800])].concat();
        assert_eq!(told("a.wav", &wav(b"RIFF", &[&tagged])), "audio/wav 100 ms\ntitle Title");
    }

    #[test]
    fn a_size_that_was_not_known_is_that_of_the_file() {
        for size in [[0; 4], [0xff; 4]] {
            let streamed = wav(b"RIFF", &[b"data", &size, &[0x80; 8000]]);
            assert_eq!(told("a.wav", &streamed), "audio/wav 1000 ms");
        }
        let sizes = [u64::MAX.to_le_bytes(), 4000_u64.to_le_bytes(), 4000_u64.to_le_bytes()].concat();
        let large =
            [chunk(b"ds64", &[sizes.as_slice(), &[0; 4]].concat()), b"data\xff\xff\xff\xff".to_vec(), vec![0x80; 4000]];
        let bytes =
            [b"RF64\xff\xff\xff\xffWAVE".as_slice(), &large[0], &wav(b"RF64", &[&large[1], &large[2]])[12..]].concat();
        assert_eq!(told("a.wav", &bytes), "audio/wav 500 ms");
    }

    #[test]
    fn what_is_cut_off_is_as_long_as_what_is_there() {
        let whole = wav(b"RIFF", &[&chunk(b"data", &[0x80; 8000])]);
        assert_eq!(told("a.wav", &whole[..whole.len() - 4000]), "audio/wav 500 ms\nwarning: it is cut off");
        assert_eq!(told("a.wav", &whole[..30]), "audio/wav\nwarning: it is cut off before its sound");
        let damaged = wav(b"RIFF", &[&chunk(b"id3 ", b"ID3\x04\0\0\x7f\0\0\0"), &chunk(b"data", &[0x80; 800])]);
        assert_eq!(told("a.wav", &damaged), "audio/wav 100 ms\nwarning: its ID3 tag is damaged, and is passed over");
    }
}
