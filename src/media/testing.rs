//! Little media in every format, made of silence, and what the scanner says of them.

use super::flac::crc8;
use super::{Found, Scanner};

/// What is found in `bytes` under `name`: pushed at once, byte by byte, and in odd cuts, which must all say the same.
#[track_caller]
pub fn scan(name: &str, bytes: &[u8]) -> Found {
    let cut = |size: usize| {
        let mut scanner = Scanner::new(name, bytes.len() as u64);
        bytes.chunks(size).for_each(|bytes| scanner.push(bytes));
        scanner.finish()
    };
    let found = cut(bytes.len().max(1));
    for size in [1, 2, 13, 4099] {
        assert_eq!(cut(size), found, "{name} in cuts of {size} bytes");
    }
    found
}

/// What is found, in a line for each fact that there is.
#[track_caller]
pub fn told(name: &str, bytes: &[u8]) -> String {
    let Found { facts, warnings } = scan(name, bytes);
    let mut lines = vec![facts.duration_ms.map_or(facts.mime.clone(), |ms| format!("{} {ms} ms", facts.mime))];
    lines.extend(facts.title.map(|title| format!("title {title}")));
    lines.extend(facts.cover.map(|cover| format!("cover {} {}", cover.mime, cover.bytes)));
    lines.extend(facts.chapters.iter().map(|chapter| format!("{} ms {}", chapter.start_ms, chapter.title)));
    lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n")
}

/// A silent frame of MPEG-1 layer III at 44,100 samples a second: 1,152 of them.
pub fn mp3_frame(kbps: usize) -> Vec<u8> {
    let index = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320].iter().position(|&rate| rate == kbps);
    let index = u8::try_from(index.expect("a bit rate of the table") + 1).expect("at most 14");
    mpeg_frame([0xff, 0xfb, index << 4, 0x00], 144_000 * kbps / 44_100)
}

/// A frame with this header.
pub fn mpeg_frame(header: [u8; 4], bytes: usize) -> Vec<u8> {
    let mut frame = header.to_vec();
    frame.resize(bytes, 0);
    frame
}

/// `count` frames of changing bit rates, none of them 0xff inside.
pub fn vbr(count: usize) -> Vec<u8> {
    (0..count).flat_map(|index| mp3_frame([32, 128, 64, 320, 192][index % 5])).collect()
}

/// The frame in front that tells how many others there are, and the encoder's delay and padding.
pub fn xing(frames: u32, delay: u32, padding: u32) -> Vec<u8> {
    let mut frame = mp3_frame(128);
    frame[36..40].copy_from_slice(b"Xing");
    frame[40..44].copy_from_slice(&15_u32.to_be_bytes());
    frame[44..48].copy_from_slice(&frames.to_be_bytes());
    frame[156..165].copy_from_slice(b"LAME3.100");
    frame[177..180].copy_from_slice(&(delay << 12 | padding).to_be_bytes()[1..]);
    frame
}

/// A silent frame of AAC at 44,100 samples a second with so many raw blocks after the first.
pub fn adts_frame(bytes: usize, blocks: u8) -> Vec<u8> {
    let size = u32::try_from(bytes).expect("small").to_be_bytes();
    let mut frame =
        vec![0xff, 0xf1, 0x50, 0x80 | size[2] >> 3, size[2] << 5 | size[3] >> 3, size[3] << 5 | 0x1f, 0xfc | blocks];
    frame.resize(bytes, 0);
    frame
}

/// An ID3 tag of version 2.4 with these frames, not synchsafe beyond 127 bytes a frame.
pub fn id3(frames: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let synchsafe = |size: usize| [size >> 21, size >> 14, size >> 7, size].map(|bits| bits.to_le_bytes()[0] & 0x7f);
    let frame =
        |(id, content): &(&[u8; 4], &[u8])| [id.as_slice(), &synchsafe(content.len()), &[0, 0], content].concat();
    let frames: Vec<u8> = frames.iter().flat_map(frame).collect();
    [b"ID3\x04\0\0".as_slice(), &synchsafe(frames.len()), &frames].concat()
}

/// A second of silent MP3 whose tag has these chapters: where each begins, in milliseconds, and its title.
pub fn mp3_with_chapters(chapters: &[(u32, &str)]) -> Vec<u8> {
    let frames: Vec<_> = chapters
        .iter()
        .map(|&(start_ms, title)| {
            let title = id3(&[(b"TIT2", &[b"\x03", title.as_bytes()].concat())]);
            // The frames in a chapter's frame stand there without the header of a tag.
            [b"c\0".as_slice(), &words(&[start_ms, start_ms, u32::MAX, u32::MAX]), &title[10..]].concat()
        })
        .collect();
    let frames: Vec<_> = frames.iter().map(|content| (b"CHAP", content.as_slice())).collect();
    [id3(&frames), mp3_frame(64).repeat(38)].concat()
}

/// A box of MPEG-4.
pub fn mp4_box(kind: &[u8], content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let size = u32::try_from(content.len() + 8).expect("small").to_be_bytes();
    [size.as_slice(), kind, &content].concat()
}

/// Numbers as a box holds them.
pub fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A track with this number that lasts so many units of 1/44100 s, with more boxes in it and in its table.
pub fn mp4_track(id: u32, handler: &[u8], units: u32, more: &[u8], table: &[u8]) -> Vec<u8> {
    let tkhd = mp4_box(b"tkhd", &[&words(&[0, 0, 0, id, 0, units])]);
    let mdhd = mp4_box(b"mdhd", &[&words(&[0, 0, 0, 44_100, units, 0])]);
    let hdlr = mp4_box(b"hdlr", &[&words(&[0, 0]), handler, &[0; 13]]);
    let minf = mp4_box(b"minf", &[&mp4_box(b"stbl", &[table])]);
    mp4_box(b"trak", &[&tkhd, more, &mp4_box(b"mdia", &[&mdhd, &hdlr, &minf])])
}

/// The head of a movie in thousandths of a second.
pub fn mvhd(ms: u32) -> Vec<u8> {
    mp4_box(b"mvhd", &[&words(&[0, 0, 0, 1000, ms, 0])])
}

/// A page of Ogg with these packets of less than 64 KiB; the flag 2 is for a stream's first.
pub fn ogg_page(serial: u32, flags: u8, position: u64, packets: &[&[u8]]) -> Vec<u8> {
    let lacing: Vec<u8> = packets
        .iter()
        .flat_map(|packet| {
            let full = std::iter::repeat_n(255, packet.len() / 255);
            full.chain([u8::try_from(packet.len() % 255).expect("less than 255")])
        })
        .collect();
    ogg_page_laced(serial, flags, position, &lacing, &packets.concat())
}

/// A page of Ogg whose last packet may go on.
pub fn ogg_page_laced(serial: u32, flags: u8, position: u64, lacing: &[u8], body: &[u8]) -> Vec<u8> {
    let count = u8::try_from(lacing.len()).expect("at most 255 segments");
    let (position, serial) = (position.to_le_bytes(), serial.to_le_bytes());
    [b"OggS\0".as_slice(), &[flags], &position, &serial, &[0; 8], &[count], lacing, body].concat()
}

/// The packet that begins Opus which skips so many samples.
pub fn opus_head(skip: u16) -> Vec<u8> {
    [b"OpusHead\x01\x02".as_slice(), &skip.to_le_bytes(), &48_000_u32.to_le_bytes(), &[0; 3]].concat()
}

/// Comments without what stands in front of them.
pub fn comments(comments: &[&[u8]]) -> Vec<u8> {
    let size = |size: usize| u32::try_from(size).expect("small").to_le_bytes();
    let mut bytes = [size(4).as_slice(), b"test", &size(comments.len())].concat();
    for comment in comments {
        bytes.extend(size(comment.len()));
        bytes.extend_from_slice(comment);
    }
    bytes
}

/// FLAC's head at 44,100 samples a second, which says so many, with these other blocks.
pub fn flac(samples: u64, blocks: &[(u8, &[u8])]) -> Vec<u8> {
    let bits = 44_100_u64 << 44 | 1 << 41 | 15 << 36 | samples;
    let info = [4096_u16.to_be_bytes(), 4096_u16.to_be_bytes()].concat();
    let info = [info.as_slice(), &[0; 6], &bits.to_be_bytes(), &[0; 16]].concat();
    let all: Vec<_> = [(0, info.as_slice())].into_iter().chain(blocks.iter().copied()).collect();
    let mut bytes = b"fLaC".to_vec();
    for (index, (kind, content)) in all.iter().enumerate() {
        let last = if index + 1 == all.len() { 0x80 } else { 0 };
        bytes.push(kind | last);
        bytes.extend(&u32::try_from(content.len()).expect("small").to_be_bytes()[1..]);
        bytes.extend_from_slice(content);
    }
    bytes
}

/// A frame of FLAC with this number below 2048 that holds 4,096 samples, or so many less one as `last` says.
pub fn flac_frame(number: u8, last: Option<u16>) -> Vec<u8> {
    let size = if last.is_some() { 0x70 } else { 0xc0 };
    let number = if number < 128 { vec![number] } else { vec![0xc0 | number >> 6, 0x80 | number & 0x3f] };
    let mut header = [[0xff, 0xf8, size | 9, 0x18].as_slice(), &number].concat();
    header.extend(last.iter().flat_map(|samples| samples.to_be_bytes()));
    header.push(crc8(&header));
    header.extend([0xff; 40]);
    header
}

/// A chunk of RIFF.
pub fn chunk(id: &[u8], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).expect("small").to_le_bytes();
    let pad: &[u8] = if content.len().is_multiple_of(2) { &[] } else { &[0] };
    [id, &size, content, pad].concat()
}

/// WAVE of 8,000 bytes a second with these chunks behind its format.
pub fn wav(mark: &[u8], chunks: &[&[u8]]) -> Vec<u8> {
    let rate = 8000_u32.to_le_bytes();
    let format = chunk(b"fmt ", &[b"\x01\0\x01\0".as_slice(), &rate, &rate, b"\x01\0\x08\0"].concat());
    [mark, &[0xff; 4], b"WAVE", &format, &chunks.concat()].concat()
}

/// An element of Matroska.
pub fn element(id: u32, content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    let mut size = (content.len() as u64).to_be_bytes();
    size[0] = 1;
    [&element_id(id), size.as_slice(), &content].concat()
}

/// The number of an element, as it is written.
pub fn element_id(id: u32) -> Vec<u8> {
    id.to_be_bytes().into_iter().skip_while(|&byte| byte == 0).collect()
}
