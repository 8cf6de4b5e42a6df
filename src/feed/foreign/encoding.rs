//! The encoding of a document: what its first bytes say, and how that which is inserted is written in it.

use quick_xml::events::Event;

/// How the bytes of a document are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    /// UTF-16; whether the high byte stands first.
    Utf16 {
        big: bool,
    },
    /// One in which ASCII is ASCII.
    Legacy(&'static encoding_rs::Encoding),
}

impl Encoding {
    /// The bytes of a text that is ASCII.
    pub(super) fn encode(self, ascii: &str) -> Vec<u8> {
        debug_assert!(ascii.is_ascii(), "what is inserted fits into every encoding");
        match self {
            Self::Utf8 | Self::Legacy(_) => ascii.as_bytes().to_vec(),
            Self::Utf16 { big: true } => ascii.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Self::Utf16 { big: false } => ascii.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        }
    }
}

/// The encoding of a document that begins like this. The error says what it is written in.
pub(super) fn detect(beginning: &[u8]) -> Result<Encoding, String> {
    match beginning {
        [0xef, 0xbb, 0xbf, ..] => Ok(Encoding::Utf8),
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [b'<', 0, 0, 0, ..] | [0, 0, 0, b'<', ..] => {
            Err("is written in UTF-32".to_owned())
        }
        [0xff, 0xfe, ..] | [b'<', 0, ..] => Ok(Encoding::Utf16 { big: false }),
        [0xfe, 0xff, ..] | [0, b'<', ..] => Ok(Encoding::Utf16 { big: true }),
        // `<?xm` in the code pages of mainframes.
        [0x4c, 0x6f, 0xa7, 0x94, ..] => Err("is written in EBCDIC".to_owned()),
        [b'+', b'/', b'v', ..] => Err("is written in UTF-7".to_owned()),
        _ => match declared(beginning) {
            Some(label) => labelled(&label),
            None => Ok(Encoding::Utf8),
        },
    }
}

fn labelled(label: &str) -> Result<Encoding, String> {
    match encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()) {
        Some(encoding) if encoding == encoding_rs::UTF_8 => Ok(Encoding::Utf8),
        Some(encoding) if encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE => {
            Err(format!("says that it is written in `{label}`, and is not"))
        }
        Some(encoding) if encoding.is_ascii_compatible() => Ok(Encoding::Legacy(encoding)),
        _ => Err(format!("says that it is written in `{label}`, which is not read")),
    }
}

/// The encoding that the XML declaration names.
fn declared(beginning: &[u8]) -> Option<String> {
    let beginning = beginning.trim_ascii_start();
    if !beginning.starts_with(b"<?xml") {
        return None;
    }
    let end = beginning.windows(2).position(|two| two == b"?>")? + 2;
    let declaration = String::from_utf8_lossy(&beginning[..end]);
    match quick_xml::Reader::from_str(&declaration).read_event() {
        Ok(Event::Decl(declaration)) => declaration.encoding()?.ok().map(|label| label.trim().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_first_bytes_tell_the_encoding() {
        let cases: [&[u8]; 22] = [
            b"",
            b"<rss>",
            b"\xef\xbb\xbf<?xml version='1.0' encoding='iso-8859-1'?>",
            b"\xff\xfe<\0",
            b"\xfe\xff\0<",
            b"<\0?\0",
            b"\0<\0r",
            b"<?xml version=\"1.0\"?>",
            b"<?xml version='1.0' encoding = ' UTF-8 ' ?>",
            b"\r\n <?xml version='1.0' encoding='ISO-8859-15'?>",
            b"<?xml version='1.0' encoding='windows-1251'?>",
            b"<?xml version='1.0' encoding='Shift_JIS'?>",
            b"<?xml version='1.0' encoding='utf-16'?>",
            b"<?xml version='1.0' encoding='iso-2022-jp'?>",
            b"<?xml version='1.0' encoding='iso-2022-kr'?>",
            b"<?xml version='1.0' encoding='utf-7'?>",
            b"<?xml version='1.0' encoding='utf-32'?>",
            b"<?xml version='1.0' encoding='nonsense'?>",
            b"\xff\xfe\0\0<\0\0\0",
            b"\0\0\0<",
            b"\x4c\x6f\xa7\x94\x93",
            b"+/v8-",
        ];
        let found: Vec<_> = cases
            .iter()
            .map(|beginning| match detect(beginning) {
                Ok(Encoding::Legacy(encoding)) => encoding.name().to_owned(),
                Ok(encoding) => format!("{encoding:?}"),
                Err(error) => error,
            })
            .collect();
        expect![[r#"
            Utf8
            Utf8
            Utf8
            Utf16 { big: false }
            Utf16 { big: true }
            Utf16 { big: false }
            Utf16 { big: true }
            Utf8
            Utf8
            ISO-8859-15
            windows-1251
            Shift_JIS
            says that it is written in `utf-16`, and is not
            says that it is written in `iso-2022-jp`, which is not read
            says that it is written in `iso-2022-kr`, which is not read
            says that it is written in `utf-7`, which is not read
            says that it is written in `utf-32`, which is not read
            says that it is written in `nonsense`, which is not read
            is written in UTF-32
            is written in UTF-32
            is written in EBCDIC
            is written in UTF-7"#]]
        .assert_eq(&found.join("\n"));
    }
}
