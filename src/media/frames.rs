//! MPEG audio and AAC in ADTS: frames that say how long they are, counted by hopping from header to header.

use super::container::Container;
use super::scanner::{End, Reader, Step};
use super::seen::{Seen, be16, be32, le32};

/// How long the header of an ID3v2 tag is.
pub const ID3_HEADER_BYTES: usize = 10;
/// How many bytes make sure that frames begin here: three of the longest.
pub const SURE_BYTES: usize = 3 * (1 << 13);
/// How many bytes a frame's header takes.
const HEADER_BYTES: usize = 7;
/// How long an ID3v1 tag is.
const ID3V1_BYTES: usize = 128;
/// How long the header of an APE tag is.
const APE_HEADER_BYTES: usize = 32;

/// Whether a frame could begin here.
pub fn may_begin(head: &[u8]) -> bool {
    Header::parse(head).is_some()
}

/// Whether frames begin here: three that agree, or as many as there are.
pub fn begins(head: &[u8]) -> bool {
    let Some(first) = Header::parse(head) else { return false };
    let mut at = first.bytes;
    for _ in 0..2 {
        let Some(rest) = head.get(at..) else { return false };
        if rest.is_empty() {
            return true;
        }
        match Header::parse(rest) {
            Some(next) if next.key == first.key => at += next.bytes,
            _ => return rest.starts_with(b"TAG"),
        }
    }
    true
}

/// What the frames of one stream have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    /// The two bits of the version: 3 is MPEG-1, 2 is MPEG-2, 0 is 2.5.
    version: u8,
    /// 1, 2 or 3; 0 is AAC.
    layer: u8,
    /// Samples a second.
    rate: u32,
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    key: Key,
    /// How long the frame is, with its header.
    bytes: usize,
    samples: u32,
    mono: bool,
}

/// Bit rates in kilobits a second by the header's index less one: MPEG-1 layers I, II, III, then MPEG-2 layer I, others.
const KBPS: [[u32; 14]; 5] = [
    [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/// Samples a second by an ADTS header's index.
const ADTS_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350];

impl Header {
    fn parse(head: &[u8]) -> Option<Self> {
        let head: &[u8; HEADER_BYTES] = head.first_chunk()?;
        if head[0] != 0xff || head[1] & 0xe0 != 0xe0 {
            return None;
        }
        match (head[1] >> 1) & 3 {
            0 => Self::parse_adts(head),
            bits => Self::parse_mpeg(*head, 4 - bits),
        }
    }

    /// ISO 11172-3, 2.4.1.3. A free bit rate, of which the header does not tell the length, is refused.
    fn parse_mpeg(head: [u8; HEADER_BYTES], layer: u8) -> Option<Self> {
        let version = (head[1] >> 3) & 3;
        if version == 1 {
            return None;
        }
        let table = match (version, layer) {
            (3, layer) => usize::from(layer) - 1,
            (_, 1) => 3,
            _ => 4,
        };
        let kbps = KBPS[table].get(usize::from(head[2] >> 4).checked_sub(1)?)?;
        let rate = *[44_100, 48_000, 32_000].get(usize::from((head[2] >> 2) & 3))?;
        let rate = match version {
            3 => rate,
            2 => rate / 2,
            _ => rate / 4,
        };
        let padding = u32::from((head[2] >> 1) & 1);
        let samples = match (layer, version) {
            (1, _) => 384,
            (3, 0 | 2) => 576,
            _ => 1152,
        };
        let bytes = match layer {
            1 => (12_000 * kbps / rate + padding) * 4,
            _ => samples / 8 * 1000 * kbps / rate + padding,
        };
        let key = Key { version, layer, rate };
        Some(Self { key, bytes: bytes as usize, samples, mono: head[3] >> 6 == 3 })
    }

    /// ISO 14496-3, 1.A.2.2.
    fn parse_adts(head: &[u8; HEADER_BYTES]) -> Option<Self> {
        if head[1] & 0xf0 != 0xf0 {
            return None;
        }
        let rate = *ADTS_RATES.get(usize::from((head[2] >> 2) & 15))?;
        let bytes = usize::from(head[3] & 3) << 11 | usize::from(head[4]) << 3 | usize::from(head[5] >> 5);
        let samples = 1024 * (u32::from(head[6] & 3) + 1);
        let key = Key { version: (head[1] >> 3) & 1, layer: 0, rate };
        (bytes >= HEADER_BYTES).then_some(Self { key, bytes, samples, mono: false })
    }
}

/// Counts frames.
#[derive(Debug, Default)]
pub struct Frames {
    /// What the frames have in common; `None` while they are looked for.
    key: Option<Key>,
    /// The same, of the last frame that was counted.
    last: Option<Header>,
    frames: u64,
    frame_bytes: u64,
    /// Samples by their rate: streams of several rates can be joined.
    samples: Vec<(u32, u64)>,
    /// Bytes that belong to no frame, since the last one.
    strange: u64,
    /// The same, before a frame that came after others.
    between: u64,
    info: Option<Info>,
    /// The title in an ID3v1 tag, which counts after all others.
    title: Option<String>,
}

impl Reader for Frames {
    fn step(&mut self, _at: u64, window: &[u8], seen: &mut Seen) -> Step {
        let mut at = 0;
        loop {
            let ask = |bytes: usize| if at > 0 { Step::Take(at as u64) } else { Step::More(bytes) };
            let Some(rest) = window.get(at..) else { return Step::Take(at as u64) };
            if rest.len() < HEADER_BYTES {
                return ask(HEADER_BYTES);
            }
            let header = Header::parse(rest);
            let found = match (self.key, header) {
                (Some(key), Some(header)) if header.key == key => {
                    // The first frame can be none, which only its content tells.
                    if self.frames == 0 && self.info.is_none() && rest.len() < header.bytes {
                        return ask(header.bytes);
                    }
                    self.count(&header, rest);
                    at += header.bytes;
                    continue;
                }
                (Some(_), _) => match self.tag(rest) {
                    Some(Step::Take(bytes)) => return Step::Take(at as u64 + bytes),
                    Some(Step::More(bytes)) => return ask(bytes),
                    None => {
                        self.key = None;
                        continue;
                    }
                },
                (None, found) => found,
            };
            match found {
                Some(header) if rest.len() < header.bytes + HEADER_BYTES => return ask(header.bytes + HEADER_BYTES),
                Some(header) if follows(header, &rest[header.bytes..]) => {
                    seen.container.get_or_insert(header.key.container());
                    if self.last.is_some() {
                        self.between += self.strange;
                    }
                    self.strange = 0;
                    self.key = Some(header.key);
                }
                _ => {
                    let search = &rest[1..=rest.len() - HEADER_BYTES];
                    // Tags are looked for only where frames or other tags end.
                    let next = 1 + search.iter().position(|&byte| byte == 0xff).unwrap_or(search.len());
                    self.strange += next as u64;
                    at += next;
                }
            }
        }
    }

    fn finish(mut self: Box<Self>, end: &End<'_>, seen: &mut Seen) {
        if let Some(header) = Header::parse(end.rest).filter(|header| header.bytes <= end.rest.len()) {
            let known = self.last.map(|last| last.key).or(self.key);
            if known.is_none_or(|key| key == header.key) && (known.is_some() || header.bytes == end.rest.len()) {
                seen.container.get_or_insert(header.key.container());
                self.count(&header, end.rest);
            }
        } else if self.key.is_some() && may_begin(end.rest) {
            seen.warn("its last frame is cut off");
        }
        if let Some(last) = self.last.filter(|_| end.missing > 0 && self.key.is_some()) {
            self.frames -= 1;
            self.add(last.key.rate, |samples| samples - u64::from(last.samples));
            seen.warn("its last frame is cut off");
        }
        if self.between > 0 {
            seen.warn(&format!("it is damaged: {} bytes between its frames belong to none", self.between));
        }
        self.tell(seen);
    }
}

impl Frames {
    /// Counts a frame, which begins `bytes`.
    fn count(&mut self, header: &Header, bytes: &[u8]) {
        if self.frames == 0 && self.info.is_none() {
            self.info = bytes.get(..header.bytes).and_then(|frame| Info::parse(header, frame));
            if self.info.is_some() {
                return;
            }
        }
        self.last = Some(*header);
        self.frames += 1;
        self.frame_bytes += header.bytes as u64;
        self.add(header.key.rate, |samples| samples + u64::from(header.samples));
    }

    fn add(&mut self, rate: u32, change: impl FnOnce(u64) -> u64) {
        match self.samples.iter_mut().find(|(known, _)| *known == rate) {
            Some((_, samples)) => *samples = change(*samples),
            // At most as many as there are rates.
            None => self.samples.push((rate, change(0))),
        }
    }

    /// A tag that stands where a frame could.
    fn tag(&mut self, rest: &[u8]) -> Option<Step> {
        let whole = |bytes: usize| if rest.len() < bytes { Some(Step::More(bytes)) } else { None };
        if rest.starts_with(b"TAG") {
            return whole(ID3V1_BYTES).or_else(|| {
                let title: String = rest[3..33].iter().map(|&byte| char::from(byte)).collect();
                self.title.get_or_insert(title);
                Some(Step::Take(ID3V1_BYTES as u64))
            });
        }
        if rest.starts_with(b"ID3") {
            return whole(ID3_HEADER_BYTES).or_else(|| id3_bytes(rest).map(Step::Take));
        }
        if rest.starts_with(b"APETAGE") {
            return whole(APE_HEADER_BYTES).or_else(|| {
                // The size counts the footer; the flag says that this is the header, and not the footer.
                let header = rest[23] & 0x20 != 0;
                let items = if header { u64::from(le32(rest, 12)?) } else { 0 };
                Some(Step::Take(APE_HEADER_BYTES as u64 + items))
            });
        }
        None
    }

    fn tell(self: Box<Self>, seen: &mut Seen) {
        // Two frames can be chance where most of the bytes are something else.
        if self.frames == 0 || (self.frames < 4 && self.frame_bytes < self.strange + self.between) {
            if self.info.is_none() {
                seen.container = None;
            }
            return;
        }
        // The smallest number that all rates divide evenly.
        const TICKS: u64 = 28_224_000;
        let ticks = |rate: u32, samples: u64| u128::from(samples) * u128::from(TICKS) / u128::from(rate);
        let mut units: u128 = self.samples.iter().map(|&(rate, samples)| ticks(rate, samples)).sum();
        if let (Some(info), Some((rate, _))) = (&self.info, self.samples.first()) {
            units = units.saturating_sub(ticks(*rate, u64::from(info.delay) + u64::from(info.padding)));
            if let Some(frames) = info.frames.filter(|&frames| self.frames + 1 < u64::from(frames)) {
                seen.warn(&format!("it is cut off: it holds {} of {frames} frames", self.frames));
            }
        }
        seen.duration(units, TICKS);
        if let Some(title) = self.title {
            seen.title(&title);
        }
    }
}

impl Key {
    fn container(self) -> Container {
        if self.layer == 0 { Container::Adts } else { Container::Mpeg }
    }
}

/// Whether what stands behind a frame shows that it is one.
fn follows(header: Header, next: &[u8]) -> bool {
    let agrees = Header::parse(next).is_some_and(|next| next.key == header.key);
    agrees || next.starts_with(b"TAG") || next.starts_with(b"ID3") || next.starts_with(b"APETAGE")
}

/// How long the ID3v2 tag is that begins here.
pub fn id3_bytes(head: &[u8]) -> Option<u64> {
    let [b'I', b'D', b'3', version, _, flags, a, b, c, d, ..] = *head else { return None };
    if version == 0xff || [a, b, c, d].iter().any(|byte| byte & 0x80 != 0) {
        return None;
    }
    let size = [a, b, c, d].iter().fold(0, |size, &byte| size << 7 | u64::from(byte));
    let footer = if flags & 0x10 == 0 { 0 } else { ID3_HEADER_BYTES as u64 };
    Some(ID3_HEADER_BYTES as u64 + size + footer)
}

/// What an encoder wrote into a first frame that is none (Xing, Info or VBRI).
#[derive(Debug, Default, PartialEq, Eq)]
struct Info {
    frames: Option<u32>,
    /// Samples at the start and the end that are not part of what was recorded.
    delay: u16,
    padding: u16,
}

impl Info {
    fn parse(header: &Header, frame: &[u8]) -> Option<Self> {
        if header.key.layer != 3 {
            return None;
        }
        if frame.get(36..40) == Some(b"VBRI") {
            return Some(Self { frames: be32(frame, 36 + 14), ..Self::default() });
        }
        let side = match (header.key.version, header.mono) {
            (3, false) => 32,
            (3, true) | (_, false) => 17,
            (_, true) => 9,
        };
        let tag = frame.get(4 + side..)?;
        if !tag.starts_with(b"Xing") && !tag.starts_with(b"Info") {
            return None;
        }
        let flags = be32(tag, 4).unwrap_or_default();
        let frames = if flags & 1 == 0 { None } else { be32(tag, 8) };
        let sizes = [(1, 4), (2, 4), (4, 100), (8, 4)];
        let at = 8 + sizes.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, bytes)| bytes).sum::<usize>();
        let encoder = tag.get(at..).unwrap_or_default();
        let tells = [b"LAME", b"Lavf", b"Lavc"].iter().any(|name| encoder.starts_with(*name));
        // Two numbers of 12 bits, of which a LAME tag tells (http://gabriel.mp3-tech.org/mp3infotag.html).
        let (delay, padding) = match (be16(encoder, 21), be16(encoder, 22)) {
            (Some(first), Some(second)) if tells => (first >> 4, second & 0xfff),
            _ => (0, 0),
        };
        Some(Self { frames, delay, padding })
    }
}
