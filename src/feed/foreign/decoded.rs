//! A document as UTF-8 that is read once from its beginning, and the way back from its characters to the bytes they
//! are made of. It knows no XML.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

use super::encoding::Encoding;

/// The most bytes of one tag, text, comment or CDATA section: more is not held.
pub(super) const TOKEN_BYTES_MAX: u64 = 8 << 20;
/// The bytes that are read at once.
const CHUNK_BYTES: usize = 64 << 10;
/// The byte order mark.
const MARK: &str = "\u{feff}";
/// What stands for bytes that are no character.
const REPLACEMENT: &str = "\u{fffd}";

/// A document as UTF-8. Bytes that are no character are one U+FFFD.
pub(super) struct Decoded<R> {
    source: R,
    decoder: Decoder,
    /// Bytes of the source that are not decoded yet: the beginning of a character.
    raw: Vec<u8>,
    ended: bool,
    text: Vec<u8>,
    /// How much of `text` was taken.
    taken: usize,
    /// The position of the first byte that was not taken.
    position: u64,
    /// The line that this byte stands on.
    line: usize,
    /// The position at which the present token begins.
    token: u64,
    is_over: bool,
    /// The line of the first bytes that are no character.
    invalid_line: Option<usize>,
    /// The line of the first character that XML does not allow, and its number.
    forbidden: Option<(usize, u32)>,
    map: Map,
}

impl<R: Read> Decoded<R> {
    /// The document in `source`. A byte order mark does not belong to it: it begins behind that.
    pub(super) fn new(source: R, encoding: Encoding) -> Self {
        Self {
            source,
            decoder: Decoder::new(encoding),
            raw: Vec::new(),
            ended: false,
            text: Vec::new(),
            taken: 0,
            position: 0,
            line: 1,
            token: 0,
            is_over: false,
            invalid_line: None,
            forbidden: None,
            map: Map { from: 0, to: 0, runs: VecDeque::new(), invalid_at: None },
        }
    }

    /// The line of the byte that is read next, from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Whether reading failed because a token has more than [`TOKEN_BYTES_MAX`].
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What is wrong with the characters, of each kind the first, with the line.
    pub(super) fn faults(&self) -> impl Iterator<Item = (usize, String)> {
        let invalid = "bytes that are no text in the encoding of the feed: feed readers refuse them";
        let invalid = self.invalid_line.map(|line| (line, invalid.to_owned()));
        let forbidden = self.forbidden.map(|(line, number)| {
            (line, format!("the character U+{number:04X}, which XML does not allow: feed readers refuse it"))
        });
        invalid.into_iter().chain(forbidden)
    }

    /// Looks for what is wrong in the text that was decoded, of which nothing was taken.
    fn look(&mut self) {
        let line_of = |at: usize| self.line + self.text[..at].split(|byte| *byte == b'\n').count() - 1;
        if let (Some(at), None) = (self.map.invalid_at.take(), self.invalid_line) {
            self.invalid_line = Some(line_of(at));
        }
        if self.forbidden.is_none() {
            self.forbidden = forbidden(&self.text).map(|(at, number)| (line_of(at), number));
        }
    }

    /// Says that a token begins here. What was before it is forgotten.
    pub(super) fn begin_token(&mut self) {
        self.token = self.position;
        self.map.forget_before(self.position);
    }

    /// The offset in the source of the character at `position`, which is not before the present token. A position
    /// inside of a character has none.
    pub(super) fn offset_of(&self, position: u64) -> u64 {
        self.map.offset_of(position)
    }

    /// Some programs put a mark before that of another one.
    fn skip_marks(&mut self) {
        while self.text[self.taken..].starts_with(MARK.as_bytes()) {
            self.taken += MARK.len();
            self.map.forget_before(MARK.len() as u64);
            self.map.from = 0;
        }
    }

    fn decode_more(&mut self) -> io::Result<()> {
        let kept = self.raw.len();
        self.raw.resize(kept + CHUNK_BYTES, 0);
        let read = self.source.read(&mut self.raw[kept..]);
        self.raw.truncate(kept + *read.as_ref().unwrap_or(&0));
        self.ended = read? == 0;
        let used = self.decoder.decode(&self.raw, self.ended, &mut self.text, &mut self.map);
        self.raw.drain(..used);
        self.look();
        Ok(())
    }
}

impl<R: Read> BufRead for Decoded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken == self.text.len() {
            if self.position - self.token > TOKEN_BYTES_MAX {
                self.is_over = true;
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            while self.taken == self.text.len() && !self.ended {
                self.text.clear();
                self.taken = 0;
                self.decode_more()?;
                if self.position == 0 {
                    self.skip_marks();
                }
            }
        }
        Ok(&self.text[self.taken..])
    }

    fn consume(&mut self, amount: usize) {
        let taken = &self.text[self.taken..self.taken + amount];
        self.line += taken.iter().map(|&byte| usize::from(byte == b'\n')).sum::<usize>();
        self.taken += amount;
        self.position += amount as u64;
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

/// Where characters come from: runs of those that are made of as many bytes.
struct Map {
    /// The position of the first run.
    from: u64,
    /// Its offset in the source.
    to: u64,
    runs: VecDeque<Run>,
    /// Where in the text that is being decoded the first bytes stand that are no character.
    invalid_at: Option<usize>,
}

#[derive(Clone, Copy)]
struct Run {
    characters: u32,
    /// The bytes of each in the source.
    source_bytes: u8,
    /// The bytes of each as UTF-8.
    text_bytes: u8,
}

impl Run {
    /// How many of its characters stand wholly within `bytes` of text.
    fn characters_within(self, bytes: u64) -> u32 {
        let characters = bytes / u64::from(self.text_bytes);
        u32::try_from(characters).map_or(self.characters, |characters| characters.min(self.characters))
    }

    fn text_bytes(self, characters: u32) -> u64 {
        u64::from(characters) * u64::from(self.text_bytes)
    }

    fn source_bytes(self, characters: u32) -> u64 {
        u64::from(characters) * u64::from(self.source_bytes)
    }
}

impl Map {
    fn push(&mut self, characters: usize, source_bytes: u8, text_bytes: u8) {
        let mut characters = u32::try_from(characters).expect("a chunk has fewer");
        if let Some(last) = self.runs.back_mut()
            && (last.source_bytes, last.text_bytes) == (source_bytes, text_bytes)
            && let Some(sum) = last.characters.checked_add(characters)
        {
            last.characters = sum;
            characters = 0;
        }
        if characters > 0 {
            self.runs.push_back(Run { characters, source_bytes, text_bytes });
        }
    }

    fn forget_before(&mut self, position: u64) {
        while let Some(first) = self.runs.front_mut() {
            let gone = first.characters_within(position - self.from);
            self.from += first.text_bytes(gone);
            self.to += first.source_bytes(gone);
            first.characters -= gone;
            if first.characters > 0 {
                break;
            }
            self.runs.pop_front();
        }
    }

    fn offset_of(&self, position: u64) -> u64 {
        let (mut from, mut to) = (self.from, self.to);
        for run in &self.runs {
            let before = run.characters_within(position - from);
            from += run.text_bytes(before);
            to += run.source_bytes(before);
            if before < run.characters {
                break;
            }
        }
        to
    }
}

enum Decoder {
    Utf8,
    Utf16 {
        big: bool,
    },
    Legacy {
        decoder: Box<encoding_rs::Decoder>,
        /// The bytes of a character that it was given and has not given back.
        pending: u8,
    },
}

impl Decoder {
    fn new(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Utf8 => Self::Utf8,
            Encoding::Utf16 { big } => Self::Utf16 { big },
            Encoding::Legacy(encoding) => {
                Self::Legacy { decoder: Box::new(encoding.new_decoder_without_bom_handling()), pending: 0 }
            }
        }
    }

    /// Decodes `raw`, behind which nothing comes if it is the `last`, and says how much of it was used.
    fn decode(&mut self, raw: &[u8], last: bool, text: &mut Vec<u8>, map: &mut Map) -> usize {
        match self {
            Self::Utf8 => decode_utf8(raw, last, text, map),
            Self::Utf16 { big } => decode_utf16(*big, raw, last, text, map),
            Self::Legacy { decoder, pending } => {
                decode_legacy(decoder, pending, raw, last, text, map);
                raw.len()
            }
        }
    }
}

/// The first character of a text in UTF-8 that XML does not allow: where, and its number.
fn forbidden(text: &[u8]) -> Option<(usize, u32)> {
    text.iter().enumerate().find_map(|(at, byte)| match byte {
        b'\t' | b'\n' | b'\r' => None,
        0..0x20 => Some((at, u32::from(*byte))),
        0xef => match text.get(at + 1..at + 3)? {
            [0xbf, last @ (0xbe | 0xbf)] => Some((at, 0xff40 + u32::from(*last))),
            _ => None,
        },
        _ => None,
    })
}

fn replace(source_bytes: u8, text: &mut Vec<u8>, map: &mut Map) {
    map.invalid_at.get_or_insert(text.len());
    text.extend_from_slice(REPLACEMENT.as_bytes());
    map.push(1, source_bytes, 3);
}

fn decode_utf8(raw: &[u8], last: bool, text: &mut Vec<u8>, map: &mut Map) -> usize {
    let mut used = 0;
    loop {
        let error = std::str::from_utf8(&raw[used..]).err();
        let valid = error.map_or(raw.len() - used, |error| error.valid_up_to());
        text.extend_from_slice(&raw[used..used + valid]);
        // Bytes are the same on both sides: where characters begin does not matter.
        map.push(valid, 1, 1);
        used += valid;
        let wrong = match error {
            None => return used,
            Some(error) => error.error_len(),
        };
        // The beginning of a character at the end: the rest may come with the next chunk.
        let Some(wrong) = wrong.or(last.then_some(raw.len() - used)) else { return used };
        replace(u8::try_from(wrong).expect("at most three bytes begin a character"), text, map);
        used += wrong;
    }
}

fn decode_utf16(big: bool, raw: &[u8], last: bool, text: &mut Vec<u8>, map: &mut Map) -> usize {
    let unit = |at: usize| {
        let bytes = [*raw.get(at)?, *raw.get(at + 1)?];
        Some(if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let mut used = 0;
    while let Some(first) = unit(used) {
        let is_lead = (0xd800..0xdc00).contains(&first);
        let second = unit(used + 2).filter(|_| is_lead);
        if is_lead && second.is_none() && !last {
            return used;
        }
        let length = if let Some(Ok(character)) = char::decode_utf16([first].into_iter().chain(second)).next() {
            let before = text.len();
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            let length = if is_lead { 4 } else { 2 };
            map.push(1, length, u8::try_from(text.len() - before).expect("at most four"));
            length
        } else {
            replace(2, text, map);
            2
        };
        used += usize::from(length);
    }
    if last && used < raw.len() {
        replace(1, text, map);
        used += 1;
    }
    used
}

fn decode_legacy(
    decoder: &mut encoding_rs::Decoder,
    pending: &mut u8,
    raw: &[u8],
    last: bool,
    text: &mut Vec<u8>,
    map: &mut Map,
) {
    let mut step = |bytes: &[u8], last: bool, text: &mut Vec<u8>, map: &mut Map| {
        // A byte ends one character and, where it does not fit, the ones before it: four at most.
        let mut characters = [0; 32];
        let (_, _, written, has_errors) = decoder.decode_to_utf8(bytes, &mut characters, last);
        if has_errors {
            map.invalid_at.get_or_insert(text.len());
        }
        *pending += u8::try_from(bytes.len()).expect("one byte at a time");
        if let Some(last) = characters[..written].last() {
            text.extend_from_slice(&characters[..written]);
            // An ASCII character that ends a broken one stands for itself.
            let itself = u8::from(*pending > 1 && bytes == [*last] && last.is_ascii());
            map.push(1, *pending - itself, u8::try_from(written).expect("fewer than 32") - itself);
            map.push(itself.into(), 1, 1);
            *pending = 0;
        }
        *pending == 0
    };
    let mut used = 0;
    let mut is_between = step(&[], false, text, map);
    while used < raw.len() {
        if is_between {
            let ascii = raw[used..].iter().take_while(|byte| byte.is_ascii()).count();
            text.extend_from_slice(&raw[used..used + ascii]);
            map.push(ascii, 1, 1);
            used += ascii;
        }
        if let Some(byte) = raw.get(used..=used) {
            is_between = step(byte, false, text, map);
            used += 1;
        }
    }
    if last {
        step(&[], true, text, map);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes a few at a time.
    struct Few<'a>(&'a [u8], usize);

    impl Read for Few<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len());
            self.0.read(&mut buffer[..count])
        }
    }

    /// The text of `bytes`, and for each of its ASCII characters the offset that it comes from.
    fn decode(bytes: &[u8], encoding: Encoding, few: usize) -> (String, Vec<(char, u64)>) {
        let mut decoded = Decoded::new(Few(bytes, few), encoding);
        let (mut text, mut offsets) = (Vec::new(), Vec::new());
        while let Some(&byte) = decoded.fill_buf().expect("read").first() {
            if byte.is_ascii() {
                offsets.push((char::from(byte), decoded.offset_of(decoded.position)));
            }
            if byte == b'<' {
                decoded.begin_token();
            }
            decoded.consume(1);
            text.push(byte);
        }
        (String::from_utf8(text).expect("UTF-8"), offsets)
    }

    fn check(bytes: &[u8], encoding: Encoding, text: &str, width: usize, big: bool) {
        for few in [1, 2, 3, 5, 1000] {
            let (found, offsets) = decode(bytes, encoding, few);
            assert_eq!(found, text, "{few} at a time");
            for (character, offset) in offsets {
                let at = usize::try_from(offset).expect("small") + usize::from(width == 2 && big);
                assert_eq!(char::from(bytes[at]), character, "at {offset} of {text}");
            }
        }
    }

    #[test]
    fn every_encoding_leads_back_to_its_bytes() {
        let text = "<a b='\u{e9}'>\u{20ac} caf\u{e9}\u{e9}</a>";
        check(text.as_bytes(), Encoding::Utf8, text, 1, false);
        let (latin, ..) = encoding_rs::WINDOWS_1252.encode(text);
        check(&latin, Encoding::Legacy(encoding_rs::WINDOWS_1252), text, 1, false);
        let japanese = "<\u{8868}>\u{8868}\u{ff71}|\u{30bd}\\</\u{8868}> a";
        for encoding in [encoding_rs::SHIFT_JIS, encoding_rs::EUC_JP, encoding_rs::GB18030, encoding_rs::UTF_8] {
            let (bytes, ..) = encoding.encode(japanese);
            let encoding = if encoding == encoding_rs::UTF_8 { Encoding::Utf8 } else { Encoding::Legacy(encoding) };
            check(&bytes, encoding, japanese, 1, false);
        }
        let wide = "<a>\u{e9}\u{20ac}\u{1f600} x</a>";
        let little: Vec<u8> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
        check(&little, Encoding::Utf16 { big: false }, wide, 2, false);
        let big: Vec<u8> = wide.encode_utf16().flat_map(u16::to_be_bytes).collect();
        check(&big, Encoding::Utf16 { big: true }, wide, 2, true);
    }

    #[test]
    fn a_document_begins_behind_its_marks() {
        let text = "\u{feff}\u{feff}<a>\u{feff}</a>";
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let (gb18030, ..) = encoding_rs::GB18030.encode(text);
        check(text.as_bytes(), Encoding::Utf8, &text[6..], 1, false);
        check(&utf16, Encoding::Utf16 { big: true }, &text[6..], 2, true);
        check(&gb18030, Encoding::Legacy(encoding_rs::GB18030), &text[6..], 1, false);
        assert_eq!(decode(MARK.as_bytes(), Encoding::Utf8, 1).0, "");
    }

    #[test]
    fn bytes_that_are_no_character_are_one_replacement() {
        check(b"a\xff<\xe2\x82>\xe2\x82", Encoding::Utf8, "a\u{fffd}<\u{fffd}>\u{fffd}", 1, false);
        let lone = [b'<', 0, 0, 0xd8, b'a', 0, 0, 0xdc, b'>', 0, 0, 0xd8];
        let little = Encoding::Utf16 { big: false };
        check(&lone, little, "<\u{fffd}a\u{fffd}>\u{fffd}", 2, false);
        assert_eq!(decode(b"<\0a", little, 1).0, "<\u{fffd}");
        check(b"a\x81<b>\x81", Encoding::Legacy(encoding_rs::SHIFT_JIS), "a\u{fffd}<b>\u{fffd}", 1, false);
    }

    #[test]
    fn a_token_that_is_too_long_is_not_held() {
        let endless = io::repeat(b'a').take(TOKEN_BYTES_MAX * 2);
        let mut decoded = Decoded::new(endless, Encoding::Utf8);
        io::copy(&mut decoded, &mut io::sink()).expect_err("one token");
        assert!(decoded.is_over() && decoded.position < TOKEN_BYTES_MAX + 2 * CHUNK_BYTES as u64);
        let mut decoded = Decoded::new(io::repeat(b'a').take(TOKEN_BYTES_MAX * 2), Encoding::Utf8);
        while !decoded.fill_buf().expect("many tokens").is_empty() {
            decoded.consume(1.max(decoded.text.len() - decoded.taken));
            decoded.begin_token();
        }
        assert!(!decoded.is_over());
    }
}
