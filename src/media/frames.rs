//! MPEG audio and AAC in ADTS: frames that say how long they are, counted by hopping from header to header.

use super::container::Container;
use super::scanner::{End, Reader, Step};
use super::seen::{Seen, TICKS, be16, be32, le32, ticks};

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
            0 => Self::parse_adts(*head),
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
    fn parse_adts(head: [u8; HEADER_BYTES]) -> Option<Self> {
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
    counted: u64,
    frame_bytes: u64,
    /// Samples by their rate: streams of several rates can be joined.
    samples: Vec<(u32, u64)>,
    /// Bytes that belong to no frame, since the last one.
    strange: u64,
    /// The same, before a frame that came after others.
    between: u64,
    /// Whether there was a frame since the start, or since a tag in front of what was joined to it.
    inside: bool,
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
                    if !self.inside && rest.len() < header.bytes {
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
            self.counted -= 1;
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
        if !std::mem::replace(&mut self.inside, true)
            && let Some(info) = bytes.get(..header.bytes).and_then(|frame| Info::parse(header, frame))
        {
            // Of what was joined to it nobody takes delay and padding off.
            if self.counted == 0 {
                self.info = Some(info);
            }
            return;
        }
        self.last = Some(*header);
        self.counted += 1;
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
            return whole(ID3_HEADER_BYTES).or_else(|| {
                let bytes = id3_bytes(rest)?;
                self.inside = false;
                Some(Step::Take(bytes))
            });
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

    fn tell(self, seen: &mut Seen) {
        // Two frames can be chance where most of the bytes are something else.
        if self.counted == 0 || (self.counted < 4 && self.frame_bytes < self.strange + self.between) {
            if self.info.is_none() {
                seen.container = None;
            }
            return;
        }
        let mut units: u128 = self.samples.iter().map(|&(rate, samples)| ticks(samples, rate)).sum();
        if let (Some(info), Some((rate, _))) = (&self.info, self.samples.first()) {
            units = units.saturating_sub(ticks(u64::from(info.delay) + u64::from(info.padding), *rate));
            if let Some(frames) = info.frames.filter(|&frames| self.counted + 1 < u64::from(frames)) {
                seen.warn(&format!("it is cut off: it holds {} of {frames} frames", self.counted));
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

#[cfg(test)]
mod tests {
    use super::super::testing::{adts_frame, id3, mp3_frame, mpeg_frame, scan, told, vbr, xing};
    use super::*;

    /// What so many frames of 1,152 samples at 44,100 a second last, less these samples.
    fn ms(frames: u64, less: u64) -> u64 {
        ((frames * 1152 - less) * 1000 + 22_050) / 44_100
    }

    #[test]
    fn frames_are_counted_whatever_their_bit_rate_is() {
        assert_eq!(scan("a.mp3", &vbr(100)).facts.duration_ms, Some(ms(100, 0)));
        assert_eq!(scan("a.mp3", &mp3_frame(128)).facts.duration_ms, Some(ms(1, 0)));
        let found = scan("a.mp3", &mp3_frame(128).repeat(1000));
        assert_eq!((found.facts.duration_ms, found.facts.bitrate_bps), (Some(ms(1000, 0)), Some(127_708)));
    }

    #[test]
    fn a_frame_of_facts_is_no_sound_and_its_delay_and_padding_are_taken_off() {
        assert_eq!(scan("a.mp3", &[xing(50, 576, 1000), vbr(50)].concat()).facts.duration_ms, Some(ms(50, 1576)));
        let mut other = xing(50, 576, 1000);
        other[156..160].copy_from_slice(b"GOGO");
        assert_eq!(scan("a.mp3", &[other, vbr(50)].concat()).facts.duration_ms, Some(ms(50, 0)));
        let mut vbri = mp3_frame(64);
        vbri[36..40].copy_from_slice(b"VBRI");
        vbri[50..54].copy_from_slice(&50_u32.to_be_bytes());
        assert_eq!(told("a.mp3", &[vbri, vbr(50)].concat()), format!("audio/mpeg {} ms", ms(50, 0)));
        let cut = told("a.mp3", &[xing(50, 0, 0), vbr(30)].concat());
        assert_eq!(cut, "audio/mpeg 784 ms\nwarning: it is cut off: it holds 30 of 50 frames");
    }

    #[test]
    fn tags_in_front_and_at_the_end_are_no_sound() {
        let tag = |title: &str| id3(&[(b"TIT2", &[b"\x03", title.as_bytes()].concat())]);
        let padded = [b"ID3\x03\0\0\0\0\x03\x68".as_slice(), &[0; 488]].concat();
        let mut old = [b"TAG".as_slice(), &[0; 125]].concat();
        old[3..7].copy_from_slice(b"Old\xdc");
        let ape =
            |header: u8| [b"APETAGEX\xd0\x07\0\0\x40\0\0\0\0\0\0\0\0\0\0".as_slice(), &[header], &[0; 8]].concat();
        let ape = [ape(0xa0), vec![0xff; 32], ape(0x80)].concat();
        let bytes =
            [padded.clone(), tag("First"), tag("Second"), vec![0; 77], vbr(20), ape.clone(), old.clone()].concat();
        assert_eq!(told("a.mp3", &bytes), "audio/mpeg 522 ms\ntitle First");
        let bytes = [padded, vbr(20), old, tag("Last")].concat();
        assert_eq!(told("a.mp3", &bytes), "audio/mpeg 522 ms\ntitle OldÜ");
    }

    #[test]
    fn what_was_joined_adds_up() {
        let part = [id3(&[(b"TIT2", b"\x03Part")]), xing(50, 576, 1000), vbr(50)].concat();
        assert_eq!(scan("a.mp3", &part.repeat(3)).facts.duration_ms, Some(ms(150, 1576)));
    }

    #[test]
    fn bytes_between_frames_are_passed_over() {
        // A header that no other follows is none.
        let chance = [vec![0xff; 300], mp3_frame(320)[..90].to_vec(), vec![0x55; 1000]].concat();
        let bytes = [vbr(40), chance.clone(), vbr(40)].concat();
        let warning = format!("warning: it is damaged: {} bytes between its frames belong to none", chance.len());
        assert_eq!(told("a.mp3", &bytes), format!("audio/mpeg 2090 ms\n{warning}"));
        // Before the first frame nothing is damaged.
        assert_eq!(told("a.mp3", &[chance, vbr(40)].concat()), "audio/mpeg 1045 ms");
        let cut = [vbr(40), mp3_frame(128)[..200].to_vec()].concat();
        assert_eq!(told("a.mp3", &cut), "audio/mpeg 1045 ms\nwarning: its last frame is cut off");
    }

    #[test]
    fn streams_of_two_rates_follow_each_other() {
        let slow = mpeg_frame([0xff, 0xf3, 0x40, 0xc0], 72 * 32_000 / 22_050);
        let found = scan("a.mp3", &[vbr(10), slow.repeat(10)].concat());
        assert_eq!(found.facts.duration_ms, Some(522));
    }

    #[test]
    fn every_version_and_layer_has_its_length_and_samples() {
        let cases = [
            // MPEG-1: layer III at 48,000, layer II, layer I.
            ([0xff, 0xfb, 0x94, 0x00], 384, 24_000),
            ([0xff, 0xfd, 0x90, 0x00], 522, 26_122),
            ([0xff, 0xff, 0x84, 0x00], 256, 8000),
            // MPEG-2: layer III, layer II, and layer I at 16,000.
            ([0xff, 0xf3, 0x82, 0x00], 208 + 1, 26_122),
            ([0xff, 0xf5, 0x84, 0x00], 384, 48_000),
            ([0xff, 0xf7, 0x88, 0x00], 4 * 12 * 128_000 / 16_000, 24_000),
            // MPEG-2.5 layer III at 8,000.
            ([0xff, 0xe3, 0x28, 0x00], 144, 72_000),
        ];
        for (header, bytes, micros) in cases {
            let header: [u8; 4] = header;
            let parsed = Header::parse(&[header.as_slice(), &[0; 3]].concat()).expect("a header");
            let length = u64::from(parsed.samples) * 1_000_000 / u64::from(parsed.key.rate);
            assert_eq!((parsed.bytes, length), (bytes, micros), "{header:x?}");
        }
        // A free and a forbidden bit rate, a forbidden sample rate, version and layer.
        for header in
            [[0xff, 0xfb, 0x00], [0xff, 0xfb, 0xf0], [0xff, 0xfb, 0x9c], [0xff, 0xeb, 0x90], [0xff, 0xe1, 0x90]]
        {
            assert_eq!(Header::parse(&[header.as_slice(), &[0; 4]].concat()), None, "{header:x?}");
        }
    }

    #[test]
    fn adts_counts_its_raw_blocks() {
        let bytes = [adts_frame(100, 0).repeat(10), adts_frame(300, 1).repeat(5)].concat();
        assert_eq!(told("a.aac", &bytes), "audio/aac 464 ms");
        assert_eq!(
            told("a.mp3", &bytes),
            "audio/aac 464 ms\nwarning: its name says audio/mpeg, but its content is audio/aac"
        );
    }

    #[test]
    fn two_frames_in_much_else_are_chance() {
        let mut bytes = vec![0x55; 100_000];
        bytes[5000..5834].copy_from_slice(&mp3_frame(128).repeat(2));
        bytes[5834..5838].copy_from_slice(&mp3_frame(32)[..4]);
        assert_eq!(told("a.mp3", &bytes), "audio/mpeg\nwarning: its name says audio/mpeg, but its content is not");
    }
}
