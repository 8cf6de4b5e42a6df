//! Ogg: the length by the last page's position, for Opus, Vorbis, FLAC and Speex, also where streams follow each other.

use super::comments::Comments;
use super::container::Container;
use super::flac::StreamInfo;
use super::scanner::{End, Reader, Step};
use super::seen::{Seen, TICKS, le16, le32, le64, ticks};

/// How long a page's header is, without its segment table (RFC 3533).
const PAGE_HEADER_BYTES: usize = 27;
/// How many streams can run side by side.
const STREAMS_MAX: usize = 16;
/// Opus counts so many samples a second, whatever went in (RFC 7845, 4).
const OPUS_RATE: u32 = 48_000;

/// Reads Ogg.
#[derive(Debug, Default)]
pub struct Ogg {
    streams: Vec<Stream>,
    /// Ticks of the chain's links that are over.
    ticks: u128,
    /// Whether the link at hand had other pages than the first ones of its streams.
    begun: bool,
    /// The page at hand's stream and position, which count once the page was there.
    page: Option<(u32, u64)>,
}

/// A stream of the link at hand.
#[derive(Debug)]
struct Stream {
    serial: u32,
    sound: Option<Sound>,
    /// Its comments, until they are over.
    comments: Option<Comments>,
    /// The position of its last page in samples.
    position: u64,
}

#[derive(Debug, Clone, Copy)]
struct Sound {
    rate: u32,
    /// Samples at the start that are not part of what was recorded.
    skip: u64,
    /// What stands before the comments in their packet.
    comments_at: u64,
}

impl Sound {
    /// What the first packet of a stream says.
    fn parse(packet: &[u8]) -> Option<Self> {
        let sound = if packet.starts_with(b"OpusHead") {
            Self { rate: OPUS_RATE, skip: u64::from(le16(packet, 10)?), comments_at: 8 }
        } else if packet.starts_with(b"\x01vorbis") {
            Self { rate: le32(packet, 12)?, skip: 0, comments_at: 7 }
        } else if packet.starts_with(b"\x7fFLAC") {
            Self { rate: StreamInfo::parse(packet.get(17..)?)?.rate, skip: 0, comments_at: 4 }
        } else if packet.starts_with(b"Speex   ") {
            Self { rate: le32(packet, 36)?, skip: 0, comments_at: 0 }
        } else {
            return None;
        };
        (sound.rate > 0).then_some(sound)
    }
}

impl Reader for Ogg {
    fn step(&mut self, _at: u64, window: &[u8], seen: &mut Seen) -> Step {
        self.turn_page();
        if window.len() < PAGE_HEADER_BYTES {
            return Step::More(PAGE_HEADER_BYTES);
        }
        if !window.starts_with(b"OggS") {
            seen.warn("it is damaged: bytes between its pages belong to none");
            let search = &window[1..=window.len() - PAGE_HEADER_BYTES];
            let next = search.iter().position(|&byte| byte == b'O').unwrap_or(search.len());
            return Step::Take(next as u64 + 1);
        }
        let segments = usize::from(window[26]);
        let Some(lacing) = window.get(PAGE_HEADER_BYTES..PAGE_HEADER_BYTES + segments) else {
            return Step::More(PAGE_HEADER_BYTES + segments);
        };
        let header = PAGE_HEADER_BYTES + segments;
        let page = header + lacing.iter().map(|&length| usize::from(length)).sum::<usize>();
        let (serial, position) = (le32(window, 14).unwrap_or_default(), le64(window, 6).unwrap_or_default());
        let first = window[5] & 2 != 0;
        let in_comments = self.stream(serial).is_some_and(|stream| stream.comments.is_some());
        if first || in_comments {
            let Some(body) = window.get(header..page) else { return Step::More(page) };
            if first {
                self.begin(serial, body, seen);
            } else if let Some(stream) = self.stream(serial) {
                stream.comments(lacing, body, seen);
            }
        }
        self.begun |= !first;
        // A page on which no packet ends has no position.
        self.page = Some((serial, position)).filter(|_| !first && position != u64::MAX);
        Step::Take(page as u64)
    }

    fn finish(mut self: Box<Self>, end: &End<'_>, seen: &mut Seen) {
        if end.missing == 0 {
            self.turn_page();
        }
        if end.missing > 0 || !end.rest.is_empty() {
            seen.warn("it is cut off in a page");
        }
        self.end_link();
        seen.duration(self.ticks, TICKS);
    }
}

impl Ogg {
    fn stream(&mut self, serial: u32) -> Option<&mut Stream> {
        self.streams.iter_mut().find(|stream| stream.serial == serial)
    }

    /// The page at hand was there.
    fn turn_page(&mut self) {
        if let Some((serial, position)) = self.page.take()
            && let Some(stream) = self.stream(serial)
        {
            stream.position = position;
        }
    }

    /// A stream begins, and with it a link of the chain if others were running.
    fn begin(&mut self, serial: u32, packet: &[u8], seen: &mut Seen) {
        if self.begun {
            self.end_link();
        }
        seen.video |= packet.starts_with(b"\x80theora") || packet.starts_with(b"BBCD\0");
        let sound = Sound::parse(packet);
        seen.container = Some(Container::Ogg);
        if self.streams.len() < STREAMS_MAX {
            let comments = sound.map(|sound| Comments::new(sound.comments_at));
            self.streams.push(Stream { serial, sound, comments, position: 0 });
        }
    }

    fn end_link(&mut self) {
        let lasts = |stream: &Stream| {
            let sound = stream.sound?;
            let samples = stream.position.saturating_sub(sound.skip);
            Some(ticks(samples, sound.rate))
        };
        self.ticks = self.ticks.saturating_add(self.streams.iter().filter_map(lasts).max().unwrap_or_default());
        self.streams.clear();
        self.begun = false;
    }
}

impl Stream {
    /// A page of the packet that holds the comments, which the second packet of the stream does.
    fn comments(&mut self, lacing: &[u8], body: &[u8], seen: &mut Seen) {
        // A packet ends with the first segment that is not full.
        let ends = lacing.iter().position(|&length| length < 255);
        let mine = &lacing[..ends.map_or(lacing.len(), |end| end + 1)];
        let bytes = mine.iter().map(|&length| usize::from(length)).sum::<usize>();
        let Some(comments) = &mut self.comments else { return };
        comments.push(&body[..bytes], seen);
        if ends.is_some() {
            comments.end(seen);
            self.comments = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{comments, flac, ogg_page, ogg_page_laced, opus_head, told};

    /// Opus of so many samples, of which 312 are skipped.
    fn opus(serial: u32, samples: u64) -> Vec<u8> {
        let tags = [b"OpusTags".as_slice(), &comments(&[])].concat();
        let head = [ogg_page(serial, 2, 0, &[&opus_head(312)]), ogg_page(serial, 0, 0, &[&tags])];
        [head.concat(), ogg_page(serial, 0, u64::MAX, &[&[7; 99]]), ogg_page(serial, 4, samples, &[&[7; 99]])].concat()
    }

    #[test]
    fn the_last_page_tells_the_length_and_links_of_a_chain_add_up() {
        assert_eq!(told("a.opus", &opus(1, 48_312)), "audio/ogg 1000 ms");
        assert_eq!(told("a.opus", &[opus(1, 48_312), opus(1, 24_312), opus(2, 312)].concat()), "audio/ogg 1500 ms");
    }

    #[test]
    fn a_film_is_as_long_as_its_sound() {
        let vorbis = [b"\x01vorbis\0\0\0\0\x02\x44\xac\0\0".as_slice(), &[0; 14]].concat();
        let tags = [b"\x03vorbis".as_slice(), &comments(&[b"title=T"]), &[1]].concat();
        let film = [
            ogg_page(1, 2, 0, &[b"\x80theora"]),
            ogg_page(2, 2, 0, &[&vorbis]),
            ogg_page(1, 0, 0, &[b"\x81theora"]),
            ogg_page(2, 0, 0, &[&tags, b"\x05vorbis"]),
            ogg_page(2, 0, 88_200, &[&[0; 9]]),
            ogg_page(1, 0, u64::MAX / 2, &[&[0; 9]]),
        ];
        assert_eq!(told("a.ogv", &film.concat()), "video/ogg 2000 ms\ntitle T");
    }

    #[test]
    fn flac_in_ogg_is_counted_at_its_rate() {
        let head = [b"\x7fFLAC\x01\0\0\x01".as_slice(), &flac(0, &[])].concat();
        let tags = [b"\x84\0\0\x10".as_slice(), &comments(&[b"TITLE=T"])].concat();
        let bytes = [ogg_page(1, 2, 0, &[&head]), ogg_page(1, 0, 0, &[&tags]), ogg_page(1, 4, 4410, &[&[0; 9]])];
        assert_eq!(told("a.oga", &bytes.concat()), "audio/ogg 100 ms\ntitle T");
    }

    #[test]
    fn comments_reach_over_pages_and_a_large_picture_is_not_kept() {
        let picture = [
            b"METADATA_BLOCK_PICTURE=AAAAAwAAAAppbWFnZS9qcGVnAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAA".as_slice(),
            &vec![b'A'; 90_000],
        ]
        .concat();
        let tags = comments(&[
            &picture,
            b"CHAPTER002=00:01:00.000",
            b"CHAPTER001=00:00:00.000",
            b"CHAPTER002NAME=Zwei",
            b"title=T",
        ]);
        let tags = [b"OpusTags".as_slice(), &tags].concat();
        let (first, rest) = tags.split_at(255 * 255);
        let (last, full) = (u8::try_from(rest.len() % 255).expect("small"), rest.len() / 255);
        let lacing = [vec![255; full], vec![last]].concat();
        let bytes = [
            ogg_page(1, 2, 0, &[&opus_head(0)]),
            ogg_page_laced(1, 0, u64::MAX, &[255; 255], first),
            ogg_page_laced(1, 1, 0, &lacing, rest),
            ogg_page(1, 4, 48_000, &[&[0; 9]]),
        ];
        let expected = "audio/ogg 1000 ms\ntitle T\ncover image/jpeg 65536\n0 ms \n60000 ms Zwei";
        assert_eq!(told("a.opus", &bytes.concat()), expected);
    }

    #[test]
    fn what_is_damaged_is_passed_over() {
        let whole = opus(1, 48_312);
        let garbage = [whole.as_slice(), b"Ogg and OggOggS", &ogg_page(1, 4, 96_312, &[&[0; 9]])].concat();
        let warning = "warning: it is damaged: bytes between its pages belong to none";
        assert_eq!(told("a.opus", &garbage), format!("audio/ogg 1000 ms\n{warning}\nwarning: it is cut off in a page"));
        let garbage = [whole.as_slice(), b"Ogg and OggO", &ogg_page(1, 4, 96_312, &[&[0; 9]])].concat();
        assert_eq!(told("a.opus", &garbage), format!("audio/ogg 2000 ms\n{warning}"));
        let cut = &whole[..whole.len() - 1];
        assert_eq!(told("a.opus", cut), "audio/ogg\nwarning: it is cut off in a page");
        let short = [ogg_page(1, 2, 0, &[&opus_head(0)]), ogg_page(1, 0, 480, &[b"OpusTags\xff\0\0\0"])].concat();
        assert_eq!(told("a.opus", &short), "audio/ogg 10 ms\nwarning: its comments are damaged: they end too early");
    }
}
