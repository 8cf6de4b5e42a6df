//! ID3v2 tags as they pass: the title, the chapters, and the head of the cover. Other frames are not kept.
//!
//! It knows versions 2.2, 2.3 and 2.4, and no compressed or encrypted frames.

use super::frames::{ID3_HEADER_BYTES, id3_bytes};
use super::seen::{Seen, be32};

/// How much of a frame is kept, in bytes.
const FRAME_BYTES_MAX: usize = 1 << 17;
/// How much of a picture's frame is kept: its type and description.
const PICTURE_HEAD_BYTES: usize = 1 << 10;
/// How much is freed of unsynchronisation at a time.
const BLOCK_BYTES: usize = 1 << 12;

/// A tag that is half read.
#[derive(Debug)]
pub struct Id3 {
    /// 2, 3 or 4; another version is passed over.
    version: u8,
    /// How many of its bytes are still to come.
    left: u64,
    /// How many of those are frames; the others are the footer.
    footer: u64,
    /// Whether a zero stands after each 0xff (2.2 and 2.3).
    unsynchronised: bool,
    after_ff: bool,
    at: At,
    /// What is kept of the part at hand.
    kept: Vec<u8>,
    /// How much of it is still to come.
    part_left: u64,
}

/// The part at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// The four bytes that say how long the extended header is.
    ExtendedSize,
    Extended,
    FrameHeader,
    Frame(Frame),
    /// Padding, or what is not understood.
    Rest,
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Frame {
    what: What,
    bytes: u32,
    flags: Flags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Title,
    Picture,
    Chapter,
    Other,
}

/// The flags of a frame that change how its content is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Flags {
    /// Compressed or encrypted.
    locked: bool,
    unsynchronised: bool,
    /// Bytes before the content.
    extra: usize,
    /// Whether the last four of those are its size.
    says_size: bool,
}

impl Id3 {
    /// The tag whose header begins `head`.
    pub fn begin(head: &[u8]) -> Option<Self> {
        let left = id3_bytes(head)? - ID3_HEADER_BYTES as u64;
        let (version, flags) = (head[3], head[5]);
        let footer = if flags & 0x10 == 0 { 0 } else { ID3_HEADER_BYTES as u64 };
        // In version 2.2 the second flag means a compression that was never defined.
        let (at, part_left) = match version {
            3 | 4 if flags & 0x40 != 0 => (At::ExtendedSize, 4),
            2 if flags & 0x40 == 0 => (At::FrameHeader, 6),
            3 | 4 => (At::FrameHeader, 10),
            _ => (At::Rest, 0),
        };
        let unsynchronised = flags & 0x80 != 0 && version < 4;
        Some(Self { version, left, footer, unsynchronised, after_ff: false, at, kept: Vec::new(), part_left })
    }

    /// How many of its bytes are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Whether all its bytes have passed.
    pub fn is_whole(&self) -> bool {
        self.left == 0
    }

    /// Takes from `bytes` what belongs to the tag; gives how much that was.
    pub fn push(&mut self, bytes: &[u8], seen: &mut Seen) -> usize {
        let mine = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        for block in bytes[..mine].chunks(BLOCK_BYTES) {
            let frames = usize::try_from(self.left.saturating_sub(self.footer)).unwrap_or(usize::MAX);
            let block_frames = &block[..block.len().min(frames)];
            if self.unsynchronised {
                let mut freed = Vec::with_capacity(block_frames.len());
                for &byte in block_frames {
                    if !(self.after_ff && byte == 0) {
                        freed.push(byte);
                    }
                    self.after_ff = byte == 0xff;
                }
                self.read(&freed, seen);
            } else {
                self.read(block_frames, seen);
            }
            self.left -= block.len() as u64;
        }
        mine
    }

    /// All its bytes have passed.
    pub fn end(&self, seen: &mut Seen) {
        if matches!(self.at, At::Frame(_) | At::Extended | At::ExtendedSize) {
            seen.warn("its ID3 tag is damaged: it ends within a frame");
        }
    }

    fn read(&mut self, mut bytes: &[u8], seen: &mut Seen) {
        while !bytes.is_empty() && self.at != At::Rest {
            let part = usize::try_from(self.part_left).unwrap_or(usize::MAX).min(bytes.len());
            let room = self.room().saturating_sub(self.kept.len()).min(part);
            self.kept.extend_from_slice(&bytes[..room]);
            self.part_left -= part as u64;
            bytes = &bytes[part..];
            // A part of no bytes follows at once.
            while self.part_left == 0 && self.at != At::Rest {
                self.next_part(seen);
                self.kept.clear();
            }
        }
    }

    /// How much is kept of the part at hand.
    fn room(&self) -> usize {
        match self.at {
            At::ExtendedSize | At::FrameHeader => ID3_HEADER_BYTES,
            At::Frame(Frame { what: What::Picture, .. }) => PICTURE_HEAD_BYTES,
            At::Frame(Frame { what: What::Title | What::Chapter, .. }) => FRAME_BYTES_MAX,
            At::Extended | At::Frame(_) | At::Rest => 0,
        }
    }

    /// The part at hand is over.
    fn next_part(&mut self, seen: &mut Seen) {
        let frame_header = if self.version == 2 { 6 } else { 10 };
        (self.at, self.part_left) = match self.at {
            At::ExtendedSize => {
                let size = be32(&self.kept, 0).unwrap_or_default();
                // In 2.4 the size counts its own bytes.
                let left = if self.version == 3 { size } else { unsynchsafe(size).saturating_sub(4) };
                (At::Extended, u64::from(left))
            }
            At::Extended => (At::FrameHeader, frame_header),
            At::FrameHeader => {
                if let Some(frame) = Frame::parse(self.version, &self.kept) {
                    (At::Frame(frame), u64::from(frame.bytes))
                } else {
                    if self.kept.first() != Some(&0) {
                        seen.warn("its ID3 tag is damaged: what follows a frame is none");
                    }
                    (At::Rest, 0)
                }
            }
            At::Frame(frame) => {
                frame.tell(self.version, &self.kept, seen);
                (At::FrameHeader, frame_header)
            }
            At::Rest => (At::Rest, 0),
        };
    }
}

impl Frame {
    /// The header in `head`; none where padding begins.
    fn parse(version: u8, head: &[u8]) -> Option<Self> {
        let id_bytes = if version == 2 { 3 } else { 4 };
        let id = head.get(..id_bytes)?;
        if !id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
            return None;
        }
        let bytes = match version {
            2 => be32(head, 2)? & 0x00ff_ffff,
            3 => be32(head, 4)?,
            // Some writers of 2.4 put plain numbers there, which can show.
            _ => be32(head, 4).map(|size| if size & 0x8080_8080 == 0 { unsynchsafe(size) } else { size })?,
        };
        let bits = if version == 2 { 0 } else { *head.get(9)? };
        let flags = match version {
            3 => Flags { locked: bits & 0xc0 != 0, extra: usize::from(bits & 0x20 != 0), ..Flags::default() },
            4 => Flags {
                locked: bits & 0x0c != 0,
                unsynchronised: bits & 2 != 0,
                extra: usize::from(bits & 0x40 != 0) + if bits & 1 == 0 { 0 } else { 4 },
                says_size: bits & 1 != 0,
            },
            _ => Flags::default(),
        };
        let what = match id {
            b"TIT2" | b"TT2" => What::Title,
            b"APIC" | b"PIC" => What::Picture,
            b"CHAP" => What::Chapter,
            _ => What::Other,
        };
        Some(Self { what, bytes, flags })
    }

    /// What the frame with this content says, of which the end can be missing.
    fn tell(self, version: u8, content: &[u8], seen: &mut Seen) {
        if self.what == What::Other {
            return;
        }
        if self.flags.locked {
            return seen.warn("a frame of its ID3 tag is compressed or encrypted, and is not read");
        }
        // Its size without the zeros that stand after each 0xff, where it says that.
        let whole =
            self.flags.says_size.then(|| be32(content, self.flags.extra.saturating_sub(4)).map(unsynchsafe)).flatten();
        let content = content.get(self.flags.extra..).unwrap_or_default();
        let freed = self.flags.unsynchronised.then(|| unsynchronise(content));
        let content = freed.as_deref().unwrap_or(content);
        match self.what {
            What::Title => seen.title(&text(content)),
            What::Picture => self.tell_picture(version, content, whole, seen),
            What::Chapter => tell_chapter(version, content, seen),
            What::Other => {}
        }
    }

    fn tell_picture(self, version: u8, content: &[u8], whole: Option<u32>, seen: &mut Seen) {
        let Some((&encoding, rest)) = content.split_first() else { return };
        let (mime, rest) = if version == 2 {
            let (format, rest) = rest.split_at(rest.len().min(3));
            let mime = if format == b"PNG" { "image/png" } else { "image/jpeg" };
            (mime.to_owned(), rest)
        } else {
            let end = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
            let mime = latin1(&rest[..end]);
            // A bare format is what old writers put there.
            let mime = if mime.contains('/') { mime } else { format!("image/{}", mime.to_ascii_lowercase()) };
            (mime.replace("image/jpg", "image/jpeg"), rest.get(end + 1..).unwrap_or_default())
        };
        let Some((&kind, description)) = rest.split_first() else { return };
        let picture = if matches!(encoding, 1 | 2) {
            description.chunks_exact(2).position(|pair| pair == [0, 0]).map(|at| at * 2 + 2)
        } else {
            description.iter().position(|&byte| byte == 0).map(|at| at + 1)
        };
        let Some(picture) = picture else { return };
        let before = content.len() - description.len() + picture + if whole.is_some() { 0 } else { self.flags.extra };
        seen.cover(&mime, u64::from(whole.unwrap_or(self.bytes)).saturating_sub(before as u64), kind == 3);
    }
}

/// The ID3v2 Chapter Frame Addendum, 3.1: the frames in a chapter are looked through for its title, and not deeper.
fn tell_chapter(version: u8, content: &[u8], seen: &mut Seen) {
    let id = content.iter().position(|&byte| byte == 0).unwrap_or(content.len());
    let (Some(start_ms), Some(mut rest)) = (be32(content, id + 1), content.get(id + 17..)) else {
        return seen.warn("its ID3 tag is damaged: a chapter is too short");
    };
    let mut title = String::new();
    while let Some(frame) = Frame::parse(version, rest) {
        let (content, next) =
            rest[ID3_HEADER_BYTES..].split_at((frame.bytes as usize).min(rest.len() - ID3_HEADER_BYTES));
        if frame.what == What::Title && !frame.flags.locked {
            let content = content.get(frame.flags.extra..).unwrap_or_default();
            title = if frame.flags.unsynchronised { text(&unsynchronise(content)) } else { text(content) };
            break;
        }
        rest = next;
    }
    seen.chapter(u64::from(start_ms), &title);
}

/// A number of seven bits a byte.
fn unsynchsafe(size: u32) -> u32 {
    size.to_be_bytes().iter().fold(0, |number, &byte| number << 7 | u32::from(byte & 0x7f))
}

/// Content without the zeros that stand after each 0xff.
fn unsynchronise(content: &[u8]) -> Vec<u8> {
    let mut after_ff = false;
    let keep = |byte: &u8| !std::mem::replace(&mut after_ff, *byte == 0xff) || *byte != 0;
    content.iter().copied().filter(keep).collect()
}

/// The text of a frame: a byte for the encoding, then the text.
fn text(content: &[u8]) -> String {
    let Some((&encoding, text)) = content.split_first() else { return String::new() };
    match encoding {
        1 | 2 => {
            let little = text.starts_with(&[0xff, 0xfe]);
            let unit = |pair: &[u8]| {
                let pair = [pair[0], pair[1]];
                if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
            };
            let units = text.chunks_exact(2).map(unit).skip_while(|&unit| unit == 0xfeff);
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        3 => String::from_utf8_lossy(text).into_owned(),
        _ => latin1(text),
    }
}

fn latin1(text: &[u8]) -> String {
    text.iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use id3::frame::{Chapter, Content, Picture, PictureType, TableOfContents};
    use id3::{Encoder, Encoding, Frame, Tag, TagLike, Version};

    use super::super::testing::{id3, told, words};

    /// What another program wrote, with a picture of so many bytes, in front of MP3.
    fn written(version: Version, unsynchronised: bool, encoding: Encoding) -> Vec<u8> {
        let frame = |content| Frame::with_content("TIT2", Content::Text(content)).set_encoding(Some(encoding));
        let mut tag = Tag::with_version(version);
        tag.add_frame(Frame::with_content("TPE1", Content::Text("Somebody".into())));
        tag.add_frame(frame("Größe ÿ".into()));
        tag.add_frame(Picture {
            mime_type: "image/png".into(),
            picture_type: PictureType::CoverFront,
            description: "ÿ".into(),
            data: [0xff, 0xe0, 0xff, 0x00].repeat(1000),
        });
        if version != Version::Id3v22 {
            for (start_time, title) in [(0, "Anfang"), (90_500, "Mitte ÿ"), (0x00ff_00ff, "Ende")] {
                tag.add_frame(Chapter {
                    element_id: format!("chp{start_time}"),
                    start_time,
                    end_time: start_time + 1,
                    start_offset: u32::MAX,
                    end_offset: u32::MAX,
                    frames: vec![Frame::with_content("TIT3", Content::Text("Sub".into())), frame(title.into())],
                });
            }
            tag.add_frame(TableOfContents {
                element_id: "toc".into(),
                top_level: true,
                ordered: true,
                elements: vec!["chp0".into()],
                frames: vec![],
            });
        }
        let mut bytes = Vec::new();
        let encoder = Encoder::new().version(version).unsynchronisation(unsynchronised).padding(100);
        encoder.encode(&tag, &mut bytes).expect("written");
        [bytes, super::super::testing::vbr(10)].concat()
    }

    #[test]
    fn what_another_program_wrote_is_read_in_every_version() {
        let chapters = "\n0 ms Anfang\n90500 ms Mitte ÿ\n16711935 ms Ende";
        for (version, chapters) in [(Version::Id3v22, ""), (Version::Id3v23, chapters), (Version::Id3v24, chapters)] {
            for unsynchronised in [false, true] {
                let encodings: &[Encoding] = if version == Version::Id3v24 {
                    &[Encoding::Latin1, Encoding::UTF16, Encoding::UTF16BE, Encoding::UTF8]
                } else {
                    &[Encoding::Latin1, Encoding::UTF16]
                };
                for encoding in encodings {
                    let told = told("a.mp3", &written(version, unsynchronised, *encoding));
                    // In 2.4 a frame's size is that which it takes in the file.
                    let cover = if unsynchronised && version == Version::Id3v24 { 5000 } else { 4000 };
                    assert_eq!(
                        told,
                        format!("audio/mpeg 261 ms\ntitle Größe ÿ\ncover image/png {cover}{chapters}"),
                        "{version} {unsynchronised} {encoding:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_damaged_tag_is_a_warning_and_the_sound_is_counted() {
        let title = |tail: &[u8]| [id3(&[(b"TIT2", b"\x03Title")]), tail.to_vec()].concat();
        let sound = super::super::testing::vbr(10);
        // The last frame says it is longer than the tag; what follows a frame is none; a chapter ends within its times.
        let mut long = title(&sound);
        long[17] = 100;
        let mut none = id3(&[(b"TIT2", b"\x03Title"), (b"TXXX", b"a")]);
        none[26] = b'!';
        let none = [none, sound.clone()].concat();
        let short = [id3(&[(b"CHAP", b"c\0\0\0\0\0\0")]), sound.clone()].concat();
        let locked = {
            let mut locked = title(&sound);
            locked[19] = 8;
            locked
        };
        let cases = [
            (long, "warning: its ID3 tag is damaged: it ends within a frame"),
            (none, "title Title\nwarning: its ID3 tag is damaged: what follows a frame is none"),
            (short, "warning: its ID3 tag is damaged: a chapter is too short"),
            (locked, "warning: a frame of its ID3 tag is compressed or encrypted, and is not read"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(told("a.mp3", &bytes), format!("audio/mpeg 261 ms\n{expected}"));
        }
    }

    #[test]
    fn a_cover_of_many_megabytes_is_not_kept_and_what_follows_is_read() {
        let large = [b"ID3\x03\0\0\x01\0\0\x2bAPIC".as_slice(), &words(&[0x0020_0000]), b"\0\0\0JPG\0\x03\0"].concat();
        let large = [large, vec![0xff; 0x0020_0000 - 7], b"TIT2\0\0\0\x06\0\0\0Title".to_vec(), vec![0; 7]].concat();
        let mut scanner = super::super::Scanner::new("a.mp3", 1 << 24);
        for bytes in large.chunks(1 << 20) {
            scanner.push(bytes);
        }
        let facts = scanner.finish().facts;
        assert_eq!(facts.title.as_deref(), Some("Title"));
        assert_eq!(facts.cover.map(|cover| (cover.mime, cover.bytes)), Some(("image/jpeg".into(), 0x0020_0000 - 7)));
    }
}
