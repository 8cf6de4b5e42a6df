//! FLAC: its length from STREAMINFO, or from its frames' numbers where that was written before the end was known.

use super::comments::{Comments, tell_picture};
use super::scanner::{End, Reader, Step};
use super::seen::{Seen, be16, be32, be64};

/// How long STREAMINFO is.
const STREAMINFO_BYTES: usize = 34;
/// How much of a picture is looked at, in bytes.
const PICTURE_HEAD_BYTES: usize = 4096;
/// How long a frame's header can be.
const FRAME_HEADER_BYTES_MAX: usize = 16;

/// What STREAMINFO says (RFC 9639, 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamInfo {
    /// How many samples a block holds, if all but the last hold as many.
    block_samples: Option<u64>,
    /// Samples a second.
    pub rate: u32,
    /// 0 where it was not known when this was written.
    samples: u64,
}

impl StreamInfo {
    /// What the block with this content says.
    pub fn parse(block: &[u8]) -> Option<Self> {
        let (least, most) = (be16(block, 0)?, be16(block, 2)?);
        let bits = be64(block, 10)?;
        let block_samples = (least == most).then_some(u64::from(most));
        let rate = u32::try_from(bits >> 44).expect("twenty bits");
        (rate > 0).then_some(Self { block_samples, rate, samples: bits & 0xf_ffff_ffff })
    }
}

/// Reads FLAC.
#[derive(Debug, Default)]
pub struct Flac {
    at: At,
    info: StreamInfo,
    comments: Option<Comments>,
    /// How much of the comments is still to come.
    comments_left: u64,
    last_block: bool,
    frames: Numbers,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Mark,
    BlockHeader,
    StreamInfo(usize),
    Comments,
    Picture(usize),
    /// Frames that are counted.
    Frames,
}

impl Reader for Flac {
    fn step(&mut self, _at: u64, window: &[u8], seen: &mut Seen) -> Step {
        match self.at {
            At::Mark => {
                self.at = At::BlockHeader;
                Step::Take(4)
            }
            At::BlockHeader if self.last_block => {
                self.at = At::Frames;
                let known = self.info.samples > 0 || self.info.rate == 0;
                if known { Step::Take(u64::MAX) } else { self.frames.step(window) }
            }
            At::BlockHeader => {
                let Some(header) = be32(window, 0) else { return Step::More(4) };
                self.last_block = header >> 31 == 1;
                let bytes = (header & 0x00ff_ffff) as usize;
                match (header >> 24) & 0x7f {
                    0 if bytes >= STREAMINFO_BYTES => self.at = At::StreamInfo(bytes),
                    4 if bytes > 0 => {
                        self.at = At::Comments;
                        (self.comments, self.comments_left) = (Some(Comments::new(0)), bytes as u64);
                    }
                    6 if bytes > 0 => self.at = At::Picture(bytes),
                    _ => return Step::Take(4 + bytes as u64),
                }
                Step::Take(4)
            }
            At::StreamInfo(bytes) if window.len() < STREAMINFO_BYTES => Step::More(STREAMINFO_BYTES.min(bytes)),
            At::StreamInfo(bytes) => {
                self.info = StreamInfo::parse(window).unwrap_or_default();
                self.at = At::BlockHeader;
                Step::Take(bytes as u64)
            }
            At::Comments => {
                let taken = usize::try_from(self.comments_left).unwrap_or(usize::MAX).min(window.len());
                self.comments_left -= taken as u64;
                if let Some(comments) = &mut self.comments {
                    comments.push(&window[..taken], seen);
                    if self.comments_left == 0 {
                        comments.end(seen);
                        self.at = At::BlockHeader;
                    }
                }
                Step::Take(taken as u64)
            }
            At::Picture(bytes) if window.len() < PICTURE_HEAD_BYTES.min(bytes) => {
                Step::More(PICTURE_HEAD_BYTES.min(bytes))
            }
            At::Picture(bytes) => {
                tell_picture(&window[..PICTURE_HEAD_BYTES.min(bytes)], seen);
                self.at = At::BlockHeader;
                Step::Take(bytes as u64)
            }
            At::Frames => self.frames.step(window),
        }
    }

    fn finish(mut self: Box<Self>, end: &End<'_>, seen: &mut Seen) {
        let head_over = self.at == At::Frames || (self.at == At::BlockHeader && self.last_block);
        if !head_over {
            return seen.warn("it is cut off in its head");
        }
        // What was asked for more of can still be a whole header; the sound behind it is not looked at.
        self.frames.search(end.rest);
        let samples =
            if self.info.samples > 0 { self.info.samples } else { self.frames.samples(self.info.block_samples) };
        seen.duration(u128::from(samples), u64::from(self.info.rate));
        if samples == 0 {
            seen.warn("it does not tell its length");
        }
    }
}

/// The numbers of the frames, which stand in their headers; a header is believed where it carries on the count.
#[derive(Debug, Default)]
struct Numbers {
    /// The last header that was believed.
    last: Option<FrameHeader>,
    /// The last one that was not, which the next one can prove right: the stream is damaged in between.
    candidate: Option<FrameHeader>,
}

/// A frame's header (RFC 9639, 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FrameHeader {
    /// Whether the number is of the first sample, and not of the frame.
    by_sample: bool,
    number: u64,
    samples: u64,
}

impl Numbers {
    fn step(&mut self, window: &[u8]) -> Step {
        if window.len() < FRAME_HEADER_BYTES_MAX {
            return Step::More(FRAME_HEADER_BYTES_MAX);
        }
        Step::Take(self.search(window) as u64)
    }

    /// Looks for headers as far as they can be whole; gives how far that is.
    fn search(&mut self, window: &[u8]) -> usize {
        let whole = if window.len() < FRAME_HEADER_BYTES_MAX {
            window.len()
        } else {
            window.len() - FRAME_HEADER_BYTES_MAX + 1
        };
        let mut at = 0;
        while let Some(next) = window[at..whole].iter().position(|&byte| byte == 0xff) {
            at += next;
            if let Some(header) = FrameHeader::parse(&window[at..]) {
                self.meet(header);
            }
            at += 1;
        }
        whole
    }

    fn meet(&mut self, header: FrameHeader) {
        let follows = |before: FrameHeader| {
            let step = if header.by_sample { before.samples } else { 1 };
            before.by_sample == header.by_sample && before.number.checked_add(step) == Some(header.number)
        };
        if self.last.is_none_or(follows) || self.candidate.is_some_and(follows) {
            self.last = Some(header);
            self.candidate = None;
        } else {
            self.candidate = Some(header);
        }
    }

    /// How many samples end with the last frame.
    fn samples(&self, block_samples: Option<u64>) -> u64 {
        match (self.last, block_samples) {
            (Some(last), _) if last.by_sample => last.number.saturating_add(last.samples),
            (Some(last), Some(block)) => last.number.saturating_mul(block).saturating_add(last.samples),
            _ => 0,
        }
    }
}

impl FrameHeader {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; 4] = bytes.first_chunk()?;
        let (size_code, rate_code) = (head[2] >> 4, head[2] & 15);
        let depth = (head[3] >> 1) & 7;
        if head[0] != 0xff || head[1] & 0xfe != 0xf8 || size_code == 0 || rate_code == 15 {
            return None;
        }
        if head[3] >> 4 > 10 || depth == 3 || head[3] & 1 == 1 {
            return None;
        }
        // The number is coded as UTF-8 codes a character, with up to seven bytes.
        let first = *bytes.get(4)?;
        let length = match first.leading_ones() as usize {
            0 => 1,
            1 | 8 => return None,
            length => length,
        };
        let low = if length == 1 { u64::from(first) } else { u64::from(first) & ((1 << (7 - length)) - 1) };
        let rest = bytes.get(5..4 + length)?;
        let number = rest
            .iter()
            .try_fold(low, |number, &byte| (byte & 0xc0 == 0x80).then_some(number << 6 | u64::from(byte & 0x3f)))?;
        let mut at = 4 + length;
        let samples = match size_code {
            1 => 192,
            code @ 2..=5 => 576 << (code - 2),
            6 => {
                at += 1;
                u64::from(*bytes.get(at - 1)?) + 1
            }
            7 => {
                at += 2;
                u64::from(be16(bytes, at - 2)?) + 1
            }
            code => 256 << (code - 8),
        };
        at += match rate_code {
            12 => 1,
            13 | 14 => 2,
            _ => 0,
        };
        (crc8(bytes.get(..at)?) == *bytes.get(at)?).then_some(Self { by_sample: head[1] & 1 == 1, number, samples })
    }
}

/// RFC 9639, 9.1.8.
pub fn crc8(bytes: &[u8]) -> u8 {
    bytes
        .iter()
        .fold(0, |crc, &byte| (0..8).fold(crc ^ byte, |crc, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 7 }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{flac, flac_frame, told};

    #[test]
    fn the_length_stands_in_front() {
        assert_eq!(told("a.flac", &flac(441_000, &[])), "audio/flac 10000 ms");
        let tagged = [b"ID3\x03\0\0\0\0\0\x05\0\0\0\0\0".to_vec(), flac(441_000, &[])].concat();
        assert_eq!(told("a.flac", &tagged), "audio/flac 10000 ms");
        assert_eq!(told("a.flac", &flac(0, &[])), "audio/flac\nwarning: it does not tell its length");
        assert_eq!(told("a.flac", &flac(9, &[])[..20]), "audio/flac\nwarning: it is cut off in its head");
        assert_eq!(
            told("a.flac", &flac(441_000, &[(6, &[0xff; 50])])),
            "audio/flac 10000 ms\nwarning: the picture in its tags is damaged, and is passed over"
        );
    }

    #[test]
    fn or_in_the_number_of_the_last_frame() {
        let frames =
            |numbers: std::ops::Range<u8>| numbers.flat_map(|number| flac_frame(number, None)).collect::<Vec<_>>();
        let whole = [flac(0, &[]), frames(0..200), flac_frame(200, Some(99))].concat();
        assert_eq!(told("a.flac", &whole), format!("audio/flac {} ms", (200 * 4096 + 100) * 10 / 441));
        // A frame that does not carry on the count is chance, two that carry on each other are not.
        let chance = [flac(0, &[]), frames(0..9), flac_frame(77, None), frames(9..10)].concat();
        assert_eq!(told("a.flac", &chance), "audio/flac 929 ms");
        let damaged = [flac(0, &[]), frames(0..9), frames(20..40)].concat();
        assert_eq!(told("a.flac", &damaged), "audio/flac 3715 ms");
    }
}
