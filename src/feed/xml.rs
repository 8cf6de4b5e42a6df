//! Writing XML 1.0 with indentation: elements, text and attributes, nothing that a parser may refuse.

use std::borrow::Cow;

use quick_xml::Writer;
use quick_xml::events::{BytesCData, BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::Channel;

/// An XML document as it grows.
pub(super) struct Xml(Writer<Vec<u8>>);

type Attributes<'a> = &'a [(&'a str, &'a str)];

impl Xml {
    pub(super) fn new() -> Self {
        let mut xml = Self(Writer::new_with_indent(Vec::new(), b' ', 2));
        xml.write(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)));
        xml
    }

    /// Begins an element that holds others.
    pub(super) fn open(&mut self, name: &str, attributes: Attributes) {
        self.write(Event::Start(start(name, attributes)));
    }

    /// Ends it.
    pub(super) fn close(&mut self, name: &str) {
        self.write(Event::End(BytesEnd::new(name)));
    }

    /// An element without content.
    pub(super) fn empty(&mut self, name: &str, attributes: Attributes) {
        self.write(Event::Empty(start(name, attributes)));
    }

    /// An element that holds text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.text_with(name, &[], text);
    }

    /// An element with attributes that holds text.
    pub(super) fn text_with(&mut self, name: &str, attributes: Attributes, text: &str) {
        self.open(name, attributes);
        self.write(Event::Text(BytesText::new(&valid(text))));
        self.close(name);
    }

    /// An element that holds HTML, as CDATA, in which a person can read it.
    pub(super) fn html(&mut self, name: &str, html: &str) {
        self.open(name, &[]);
        for part in BytesCData::escaped(&valid(html)) {
            self.write(Event::CData(part));
        }
        self.close(name);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let mut bytes = self.0.into_inner();
        bytes.push(b'\n');
        bytes
    }

    fn write(&mut self, event: Event) {
        self.0.write_event(event).expect("a Vec takes all that is written");
    }
}

/// The elements with which both feeds begin. `lastBuildDate` is the newest item's date and not the clock's, so that
/// the same content gives the same bytes.
pub(super) fn channel(xml: &mut Xml, channel: &Channel, newest: Option<OffsetDateTime>) {
    xml.text("title", &channel.title);
    xml.text("link", &channel.link);
    xml.empty("atom:link", &[("href", &channel.feed_url), ("rel", "self"), ("type", "application/rss+xml")]);
    xml.text("description", limited(&channel.description, super::DESCRIPTION_BYTES_MAX));
    xml.text("language", &channel.language);
    if let Some(copyright) = &channel.copyright {
        xml.text("copyright", copyright);
    }
    xml.text("generator", &channel.generator);
    if let Some(newest) = newest {
        xml.text("lastBuildDate", &rfc2822(newest));
    }
}

/// The longest beginning of `text` that has at most `bytes_max` bytes and ends at a character's end.
pub(super) fn limited(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or(0)]
}

/// A moment as RSS writes it: `Fri, 01 May 2026 06:00:00 +0000`.
pub(super) fn rfc2822(date: OffsetDateTime) -> String {
    date.format(&Rfc2822).expect("years from 1900 to 9999 stand in this format")
}

fn start<'a>(name: &'a str, attributes: Attributes) -> BytesStart<'a> {
    let mut start = BytesStart::new(name);
    for (key, value) in attributes {
        start.push_attribute((*key, &*valid(value)));
    }
    start
}

/// `text` without the characters that XML 1.0 has no way to write (its production `Char`).
fn valid(text: &str) -> Cow<'_, str> {
    let is_valid = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    if text.chars().all(is_valid) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter(|&c| is_valid(c)).collect())
    }
}
