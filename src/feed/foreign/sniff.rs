//! Telling by its beginning whether a file may be a feed.

use std::io::Read;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::decoded::Decoded;
use super::namespaces::{Namespaces, Space};
use super::{encoding, format_of, text};

/// How many bytes of a file tell whether it is a feed.
pub const SNIFFED_BYTES: u64 = 64 << 10;

/// Whether a file that begins like this may be a feed: its root is `rss`, or `feed` of Atom's namespace. `beginning` is
/// the whole file, or its first [`SNIFFED_BYTES`]; where the root has not begun within these, the file may be one.
pub fn looks_like_a_feed(beginning: &[u8]) -> bool {
    let is_cut = beginning.len() as u64 >= SNIFFED_BYTES;
    let Ok(encoding) = encoding::detect(beginning) else { return false };
    let mut text = String::new();
    if Decoded::new(beginning, encoding).read_to_string(&mut text).is_err() {
        return false;
    }
    let mut reader = Reader::from_str(&text);
    loop {
        let begin = reader.buffer_position();
        match reader.read_event() {
            Ok(Event::Text(text)) if text.trim_ascii().is_empty() => {}
            Ok(Event::Decl(_) | Event::DocType(_) | Event::Comment(_) | Event::PI(_)) => {}
            Ok(Event::Start(start) | Event::Empty(start)) => return is_root(&start, false),
            Ok(Event::Eof) => return is_cut,
            Ok(_) => return false,
            Err(_) => {
                let rest = usize::try_from(begin).ok().and_then(|at| text.get(at..)).unwrap_or_default();
                let tag = rest.trim_ascii_start().strip_prefix('<').unwrap_or_default();
                if tag.is_empty() || tag.starts_with(['!', '?']) {
                    return is_cut;
                }
                // The root's tag, which is longer than what was given.
                let end = tag.find([' ', '\t', '\r', '\n', '>', '/']);
                return end.is_none() && is_cut
                    || is_root(&BytesStart::from_content(tag, end.unwrap_or(tag.len())), true);
            }
        }
    }
}

/// Whether a start tag, of which the end may be missing, is the root's of a feed.
fn is_root(start: &BytesStart, is_cut: bool) -> bool {
    let name = start.name().0;
    let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
    let mut namespaces = Namespaces::default();
    for attribute in start.attributes().map_while(Result::ok) {
        let key = attribute.key.0;
        let declared = if key == "xmlns" { Some("") } else { key.strip_prefix("xmlns:") };
        if let (Some(declared), Ok(uri)) =
            (declared, text::attribute_value(&attribute.value, |name| Ok(name.to_owned())))
        {
            namespaces.declare(1, declared, &uri);
        }
    }
    // What is cut off may declare it.
    let space = if is_cut && !namespaces.is_declared(prefix) { Space::Atom } else { namespaces.space(prefix) };
    format_of(name, space).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_known_by_its_beginning() {
        let utf16: Vec<u8> =
            "\u{feff}<?xml version='1.0'?><rss><chan".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let feeds: [&[u8]; 11] = [
            b"<rss>",
            b"<rss version='2.0' xml",
            b"<?xml version='1.0'?>\n<?xml-stylesheet href='x'?><!-- <html> --><!DOCTYPE rss [<!ENTITY a 'b'>]>\r\n<rss\r\n",
            b"\xef\xbb\xbf<feed xmlns='http://www.w3.org/2005/Atom' xmlns:a='",
            b"<a:feed xmlns:a",
            b"\n <rss/>",
            b"<rss><channel><title>\xe9",
            b"<rss",
            b"<rss xmlns='http://www.w3.org/2005/Atom'>",
            b"<feed xmlns='http://www.w3.org/2005/Atom'>",
            &utf16,
        ];
        for feed in feeds {
            assert!(looks_like_a_feed(feed), "{}", String::from_utf8_lossy(feed));
        }
        let others: [&[u8]; 14] = [
            b"",
            b"rss",
            b"<html><rss>",
            b"<!DOCTYPE html><html",
            b"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>",
            b"<!-- <rss>",
            b"<rssx>",
            b"\x7fELF<rss>",
            b"words <rss>",
            b"<feed>",
            b"<feed xmlns='urn:x'><",
            b"<feed xmlns='urn:x' xmlns:a='",
            b"<a:feed xmlns='http://www.w3.org/2005/Atom'/>",
            b"<x:rss xmlns:x='urn:x'/>",
        ];
        for other in others {
            assert!(!looks_like_a_feed(other), "{}", String::from_utf8_lossy(other));
        }
        // What is whole has no root that is still to come.
        let cut = usize::try_from(SNIFFED_BYTES).expect("small");
        for (before, text, behind) in
            [("<!-- ", "a", ""), ("", " ", ""), ("<!DOCTYPE rss [", " ", ""), ("", " ", "<fe")]
        {
            let text = |bytes: usize| format!("{before}{}{behind}", text.repeat(bytes - before.len() - behind.len()));
            assert!(looks_like_a_feed(text(cut).as_bytes()), "{before}");
            assert!(!looks_like_a_feed(text(cut - 1).as_bytes()), "{before}");
        }
    }
}
