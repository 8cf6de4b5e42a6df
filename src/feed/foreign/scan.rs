//! One pass over a feed, event by event: what is needed is kept with its place, the rest goes by.

use std::borrow::Cow;
use std::io::{self, Read};
use std::mem;

use quick_xml::Reader;
use quick_xml::errors::IllFormedError;
use quick_xml::events::attributes::AttrError;
use quick_xml::events::{BytesStart, Event};

use super::decoded::{Decoded, TOKEN_BYTES_MAX};
use super::encoding::Encoding;
use super::fields::{Field, Parent};
use super::namespaces::{NAMESPACES_MAX, Namespaces, Space};
use super::text::{self, LONE_AMPERSAND};
use super::{
    Anchor, ENCLOSURES_MAX, Enclosure, FEED_MIME, Foreign, Format, ITEMS_MAX, Item, Layout, Length, MARKER, Place,
};
use crate::feed::xml::limited;

/// The most elements within each other.
const DEPTH_MAX: usize = 256;
/// The most attributes of an element.
const ATTRIBUTES_MAX: usize = 256;
/// The most bytes of a text that are looked at: more are needed for nothing.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// The most bytes of an address.
const URL_BYTES_MAX: usize = 64 << 10;
/// The most bytes of all that is kept of a feed.
const KEPT_BYTES_MAX: usize = 128 << 20;
/// What keeping an item, an enclosure or a span takes besides its texts, at most.
const RECORD_BYTES: usize = 512;
/// The most bytes of an indentation; a longer one is not copied.
const INDENT_BYTES_MAX: usize = 256;
/// The bytes of the buffer that is held from one event to the next.
const BUFFER_BYTES: usize = 64 << 10;

/// Why a scan ended early.
pub(super) enum Fault {
    /// The document is broken at this position of its decoded text.
    At(u64, String),
    /// There is too much of something, on this line.
    TooLarge(usize, String),
    NotAFeed(String),
    Io(io::Error),
}

/// Reads the feed in `source`.
pub(super) fn scan(source: impl Read, encoding: Encoding) -> Result<Foreign, Fault> {
    let scan = Scan {
        reader: Reader::from_reader(Decoded::new(source, encoding)),
        namespaces: Namespaces::default(),
        open: Vec::new(),
        feed: Foreign::new(encoding),
        own: Space::None,
        channels: 0,
        anchor_rank: 0,
        is_behind_channel_tag: false,
        begin: At::default(),
        gap: Gap::default(),
        marker: None,
        ours: None,
        pending: Pending::default(),
        item: None,
        text: None,
        kept_bytes: 0,
    };
    scan.run()
}

/// A place in the source, and its position in the decoded text.
#[derive(Debug, Clone, Copy, Default)]
struct At {
    position: u64,
    place: Place,
}

/// What stands between the last markup and the present event.
#[derive(Debug, Default)]
struct Gap {
    from: Place,
    /// Whether that is white space alone.
    is_white: bool,
    /// The line break with which the line of the event begins, and the white space behind it; empty where the event
    /// does not begin its line.
    indent: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `rss`.
    Root,
    /// `channel`, or `feed`.
    Channel,
    Item,
    Enclosure,
    /// A child of the channel that our link can follow; the higher, the better.
    Anchor(u8),
    /// A text that is kept.
    Text(Field),
    /// An element that stands behind our marker.
    Ours,
    /// An alternate enclosure that does not.
    Alternate,
    Other,
}

struct Open {
    kind: Kind,
    name: Box<str>,
    line: usize,
}

/// What is known of an enclosure or an anchor before it ends.
#[derive(Default)]
struct Pending {
    indent: String,
    enclosure: Option<Enclosure>,
}

/// An item that has begun.
struct Begun {
    item: Item,
    parent: Parent,
    indent: String,
    /// What is wrong with one of its texts, which matters if it has enclosures.
    fault: Option<Fault>,
}

struct Scan<R> {
    reader: Reader<Decoded<R>>,
    namespaces: Namespaces,
    open: Vec<Open>,
    feed: Foreign,
    /// The namespace of the feed's own elements.
    own: Space,
    channels: usize,
    anchor_rank: u8,
    /// Whether the last event was the start tag of the channel, behind which our link can stand.
    is_behind_channel_tag: bool,
    begin: At,
    gap: Gap,
    /// Where a marker, with the white space before it, begins, of which nothing has followed yet.
    marker: Option<Place>,
    /// Where the present element of ours begins.
    ours: Option<Place>,
    pending: Pending,
    item: Option<Begun>,
    /// The text of the present element, where it is kept.
    text: Option<String>,
    kept_bytes: usize,
}

impl<R: Read> Scan<R> {
    fn run(mut self) -> Result<Foreign, Fault> {
        let mut buffer = Vec::new();
        let mut after_markup = true;
        loop {
            buffer.clear();
            buffer.shrink_to(BUFFER_BYTES);
            self.reader.get_mut().begin_token();
            self.begin = At { position: self.reader.buffer_position(), place: self.here() };
            if after_markup {
                self.gap.from = self.begin.place;
                self.gap.is_white = true;
                self.gap.indent.clear();
            }
            let is_behind_channel_tag = mem::take(&mut self.is_behind_channel_tag);
            let event = self.reader.read_event_into(&mut buffer).map_err(|error| self.fault_of(error))?;
            after_markup = !matches!(event, Event::Text(_) | Event::GeneralRef(_) | Event::CData(_));
            match event {
                Event::Eof => return self.finish(),
                Event::Start(start) => self.start(&start, false)?,
                Event::Empty(start) => self.start(&start, true)?,
                Event::End(_) => {
                    self.marker = None;
                    self.end()?;
                }
                Event::Text(text) => {
                    self.characters(&text)?;
                    if let (true, Some(anchor)) = (is_behind_channel_tag, &mut self.feed.anchor) {
                        anchor.indent = self.gap.indent.as_str().into();
                    }
                }
                Event::CData(text) => {
                    self.outside()?;
                    self.marker = None;
                    self.gap.is_white = false;
                    self.gap.indent.clear();
                    self.keep(&text);
                }
                Event::GeneralRef(name) => self.reference(&name)?,
                Event::Comment(text) => self.comment(&text),
                Event::Decl(_) | Event::DocType(_) | Event::PI(_) => self.marker = None,
            }
        }
    }

    /// The place behind the last event.
    fn here(&self) -> Place {
        let decoded = self.reader.get_ref();
        Place { offset: decoded.offset_of(self.reader.buffer_position()), line: decoded.line() }
    }

    fn finish(self) -> Result<Foreign, Fault> {
        if let Some(open) = self.open.last() {
            let message = format!("the file ends inside of `<{}>`, which begins on line {}", open.name, open.line);
            return Err(Fault::At(self.begin.position, message));
        }
        if self.feed.root.is_none() {
            return Err(Fault::NotAFeed("it is empty".to_owned()));
        }
        Ok(Foreign { meanings: self.namespaces.into_meanings(), ..self.feed })
    }

    fn fault_of(&self, error: quick_xml::Error) -> Fault {
        let message = match error {
            quick_xml::Error::Io(_) if self.reader.get_ref().is_over() => {
                let message = format!("a tag or text of more than {} MiB", TOKEN_BYTES_MAX >> 20);
                return Fault::TooLarge(self.begin.place.line, message);
            }
            quick_xml::Error::Io(error) => return Fault::Io(io::Error::new(error.kind(), error)),
            quick_xml::Error::IllFormed(IllFormedError::UnclosedReference) => LONE_AMPERSAND.to_owned(),
            quick_xml::Error::IllFormed(IllFormedError::UnmatchedEndTag(name)) => format!("`</{name}>` ends nothing"),
            quick_xml::Error::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => {
                let line = self.open.last().map_or(1, |open| open.line);
                format!("`</{found}>` ends `<{expected}>`, which begins on line {line}")
            }
            quick_xml::Error::Syntax(error) => error.to_string(),
            error => error.to_string(),
        };
        Fault::At(self.reader.error_position(), message)
    }

    /// Refuses text that stands outside of the root.
    fn outside(&self) -> Result<(), Fault> {
        match (self.open.is_empty(), self.feed.root.is_some()) {
            (false, _) => Ok(()),
            (true, true) => Err(Fault::At(self.begin.position, "there is text behind the root element".to_owned())),
            (true, false) => Err(Fault::NotAFeed("it begins with text".to_owned())),
        }
    }

    fn characters(&mut self, text: &str) -> Result<(), Fault> {
        let is_space = |c| matches!(c, ' ' | '\t' | '\r' | '\n');
        let visible = text.trim_end_matches(is_space);
        indentation(&text[visible.len()..]).clone_into(&mut self.gap.indent);
        if !visible.is_empty() {
            self.outside()?;
            self.gap.is_white = false;
            self.marker = None;
        }
        self.keep(text);
        Ok(())
    }

    fn reference(&mut self, name: &str) -> Result<(), Fault> {
        self.marker = None;
        self.gap.is_white = false;
        self.gap.indent.clear();
        if !text::is_reference(name) {
            return Err(Fault::At(self.begin.position, LONE_AMPERSAND.to_owned()));
        }
        self.outside()?;
        let Some(Open { kind: Kind::Text(field), .. }) = self.open.iter().rev().find(|open| open.kind != Kind::Other)
        else {
            return Ok(());
        };
        match text::referred(name) {
            Some(character) => self.keep(character.encode_utf8(&mut [0; 4])),
            // It is HTML, which has more of them.
            None if field.is_html() => self.keep(&format!("&{name};")),
            None => {
                let fault = Fault::At(self.begin.position, text::unknown_entity(name));
                match &mut self.item {
                    Some(Begun { fault: known @ None, .. }) => *known = Some(fault),
                    Some(_) => {}
                    None => return Err(fault),
                }
            }
        }
        Ok(())
    }

    /// Adds to the text that is kept, if one is.
    fn keep(&mut self, more: &str) {
        if let Some(text) = &mut self.text {
            text.push_str(limited(more, TEXT_BYTES_MAX - text.len()));
        }
    }

    fn comment(&mut self, text: &str) {
        let here = self.open.last().map(|open| open.kind);
        let is_ours = text.trim() == MARKER && matches!(here, Some(Kind::Item | Kind::Channel));
        self.marker = is_ours.then_some(if self.gap.is_white { self.gap.from } else { self.begin.place });
    }

    fn start(&mut self, start: &BytesStart, is_empty: bool) -> Result<(), Fault> {
        let name = start.name().0;
        if !name.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | ':')) {
            return Err(Fault::At(self.begin.position, "`<` begins no tag".to_owned()));
        }
        if self.open.len() == DEPTH_MAX {
            return Err(self.too_large(format!("more than {DEPTH_MAX} elements within each other")));
        }
        let attributes = self.attributes(start)?;
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let marker = self.marker.take();
        let kind = self.kind(start, self.namespaces.space(prefix), local, &attributes, marker)?;
        if let Kind::Ours = kind {
            self.ours = marker;
        }
        if let Kind::Text(_) = kind {
            self.text = Some(String::new());
            self.pending.indent.clone_from(&self.gap.indent);
        } else {
            // Words of two paragraphs do not become one.
            self.keep(" ");
        }
        self.open.push(Open { kind, name: name.into(), line: self.begin.place.line });
        if kind == Kind::Channel && !is_empty {
            self.channel();
        }
        if is_empty { self.end() } else { Ok(()) }
    }

    /// The attributes of an element; its declarations are taken.
    fn attributes<'a>(&mut self, start: &'a BytesStart) -> Result<Attributes<'a>, Fault> {
        let within = self.begin.position + 1;
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| {
                let (at, message) = attribute_fault(start, &error);
                Fault::At(within + at as u64, message)
            })?;
            let Cow::Borrowed(value) = attribute.value else { unreachable!("a value is a part of its tag") };
            let key = attribute.key.0;
            if let Some(at) = value.find('<') {
                let at = offset_in(start, value) + at;
                return Err(Fault::At(within + at as u64, format!("`<` in the value of `{key}`")));
            }
            if attributes.len() == ATTRIBUTES_MAX {
                return Err(self.too_large(format!("more than {ATTRIBUTES_MAX} attributes")));
            }
            let declared = if key == "xmlns" { Some("") } else { key.strip_prefix("xmlns:") };
            if let Some(prefix) = declared {
                let uri = self.value(start, value)?;
                if !self.namespaces.declare(self.open.len() + 1, prefix, uri.trim()) {
                    return Err(self.too_large(format!("more than {NAMESPACES_MAX} namespaces")));
                }
            }
            attributes.push((key, value));
        }
        Ok(Attributes(attributes))
    }

    /// The value of an attribute of the present element.
    fn value(&self, start: &str, raw: &str) -> Result<String, Fault> {
        text::attribute_value(raw).map_err(|(at, message)| {
            let at = offset_in(start, raw) + at;
            Fault::At(self.begin.position + 1 + at as u64, message)
        })
    }

    fn too_large(&self, message: String) -> Fault {
        Fault::TooLarge(self.begin.place.line, message)
    }

    fn kind(
        &mut self,
        start: &BytesStart,
        space: Space,
        local: &str,
        attributes: &Attributes,
        marker: Option<Place>,
    ) -> Result<Kind, Fault> {
        let Some(parent) = self.open.last().map(|open| open.kind) else {
            return self.root(start, space, local, attributes);
        };
        let is_own = space == self.own;
        let is_atom = self.feed.format == Format::Atom;
        let is_link = space == Space::Atom && local == "link";
        Ok(match parent {
            Kind::Root if is_own && local == "channel" => Kind::Channel,
            Kind::Channel if is_own && local == if is_atom { "entry" } else { "item" } => {
                self.begin_item();
                Kind::Item
            }
            Kind::Channel if is_link && marker.is_some() && attributes.rel() == "alternate" => Kind::Ours,
            Kind::Channel if is_link => self.channel_link(start, attributes)?,
            Kind::Channel => {
                let field = Field::of_channel(self.feed.format, is_own, local, attributes);
                field.map_or(Kind::Other, Kind::Text)
            }
            Kind::Item if space == Space::Podcast && local == "alternateEnclosure" => {
                if marker.is_some() {
                    return Ok(Kind::Ours);
                }
                let is_default = attributes.get("default").is_some_and(|value| value.trim() == "true");
                self.begun().item.has_default |= is_default;
                Kind::Alternate
            }
            Kind::Alternate if space == Space::Podcast && local == "source" => {
                self.torrent_source(start, attributes)?;
                Kind::Other
            }
            Kind::Item if is_own && !is_atom && local == "enclosure" => self.enclosure(start, attributes, "url")?,
            Kind::Item if is_link && is_atom => match &*attributes.rel() {
                "enclosure" => self.enclosure(start, attributes, "href")?,
                "alternate" => {
                    if let (None, Some(href)) = (&self.begun().item.link, attributes.get("href")) {
                        let href = self.value(start, href)?;
                        self.begun().item.link = Some(href.trim().to_owned());
                    }
                    Kind::Other
                }
                _ => Kind::Other,
            },
            Kind::Item => {
                let field = Field::of_item(self.feed.format, is_own, space, local, attributes);
                field.map_or(Kind::Other, Kind::Text)
            }
            _ => Kind::Other,
        })
    }

    /// A `.torrent` that an alternate enclosure names which is not ours: its author needs no second one.
    fn torrent_source(&mut self, start: &BytesStart, attributes: &Attributes) -> Result<(), Fault> {
        let Some(uri) = attributes.get("uri") else { return Ok(()) };
        let uri = self.value(start, uri)?.trim().to_owned();
        if uri.ends_with(".torrent") && uri.len() <= URL_BYTES_MAX {
            self.keep_bytes(RECORD_BYTES + uri.len())?;
            self.begun().item.torrents.push(uri);
        }
        Ok(())
    }

    fn root(&mut self, start: &BytesStart, space: Space, local: &str, attributes: &Attributes) -> Result<Kind, Fault> {
        if self.feed.root.is_some() {
            return Err(Fault::At(self.begin.position, "there is a second root element".to_owned()));
        }
        let name = start.name().0;
        let (format, kind) = match (space, local) {
            (Space::Atom, "feed") => (Format::Atom, Kind::Channel),
            // Some declare a default namespace, and mean RSS all the same.
            (Space::None | Space::Other(_), "rss") if name == "rss" => (Format::Rss, Kind::Root),
            _ => return Err(Fault::NotAFeed(format!("its root is `{name}`"))),
        };
        self.feed.format = format;
        self.feed.root = Some(self.place_within(start, name.len()));
        self.own = space;
        if format == Format::Atom {
            let language = attributes.get("xml:lang").map(str::trim).filter(|language| !language.is_empty());
            self.feed.language = language.map(str::to_owned);
        }
        Ok(kind)
    }

    /// The place of a byte of the present tag, counted from the beginning of its name.
    fn place_within(&self, start: &str, at: usize) -> Place {
        let offset = self.reader.get_ref().offset_of(self.begin.position + 1 + at as u64);
        Place { offset, line: self.begin.place.line + start[..at].matches('\n').count() }
    }

    /// The channel has begun: our link can stand there if there is no better place.
    fn channel(&mut self) {
        self.channels += 1;
        if self.channels == 1 {
            let prefix = self.namespaces.prefix(Space::Atom);
            self.feed.anchor = Some(Anchor { end: self.here(), indent: "".into(), prefix });
            self.is_behind_channel_tag = true;
        }
    }

    fn channel_link(&mut self, start: &BytesStart, attributes: &Attributes) -> Result<Kind, Fault> {
        let rel = attributes.rel();
        let is_self = rel == "self";
        let mime = attributes.get("type").unwrap_or_default().trim();
        if let (Some(href), "alternate", FEED_MIME) = (attributes.get("href"), &*rel, mime) {
            let href = self.value(start, href)?.trim().to_owned();
            self.keep_bytes(RECORD_BYTES + href.len())?;
            self.feed.linked.push(href);
        }
        if !is_self && (rel != "alternate" || self.feed.format != Format::Atom) {
            return Ok(Kind::Other);
        }
        let href = attributes.get("href").map(|href| self.value(start, href)).transpose()?;
        let href = href.map(|href| href.trim().to_owned()).filter(|href| !href.is_empty());
        let known = if is_self { &mut self.feed.self_url } else { &mut self.feed.link };
        *known = known.take().or(href);
        self.pending.indent.clone_from(&self.gap.indent);
        Ok(Kind::Anchor(if is_self { 3 } else { 2 }))
    }

    fn begin_item(&mut self) {
        self.item = Some(Begun {
            item: Item::new(self.begin.place.line),
            parent: Parent::default(),
            indent: self.gap.indent.clone(),
            fault: None,
        });
    }

    fn begun(&mut self) -> &mut Begun {
        self.item.as_mut().expect("inside of an item one has begun")
    }

    fn enclosure(&mut self, start: &BytesStart, attributes: &Attributes, key: &str) -> Result<Kind, Fault> {
        let line = self.begin.place.line;
        let raw = attributes.get(key).unwrap_or_default();
        let url = self.value(start, raw)?.trim().to_owned();
        if url.is_empty() {
            self.keep_bytes(RECORD_BYTES)?;
            self.feed.faults.push((line, format!("the enclosure has no `{key}`")));
            return Ok(Kind::Other);
        }
        if url.len() > URL_BYTES_MAX {
            return Err(self.too_large(format!("an address of more than {} KiB", URL_BYTES_MAX >> 10)));
        }
        if let Some(at) = raw.find('\u{fffd}') {
            let at = self.begin.position + 1 + (offset_in(start, raw) + at) as u64;
            return Err(Fault::At(at, format!("`{key}` is no text in the encoding of the feed")));
        }
        if self.begun().item.enclosures.len() == ENCLOSURES_MAX {
            return Err(self.too_large(format!("an item with more than {ENCLOSURES_MAX} enclosures")));
        }
        let raw_length = attributes.get("length");
        let length = raw_length.map(|raw| self.value(start, raw)).transpose()?;
        let mime = attributes.get("type").map(|raw| self.value(start, raw)).transpose()?;
        let mime = mime.map(|mime| limited(mime.trim(), TEXT_BYTES_MAX).to_owned()).filter(|mime| !mime.is_empty());
        let length_at = match raw_length {
            Some(raw) => {
                let at = offset_in(start, raw);
                let end = self.place_within(start, at + raw.len());
                Length::Value(self.place_within(start, at), end.offset)
            }
            // Behind the quotation mark that ends the address.
            None => Length::Missing(self.place_within(start, offset_in(start, raw) + raw.len() + 1)),
        };
        let layout = self.layout();
        self.pending.enclosure = Some(Enclosure {
            line,
            url,
            length: length.and_then(|length| length.trim().parse().ok()),
            mime,
            length_at,
            begin: self.begin.place,
            end: self.begin.place,
            layout,
            podcast: None,
        });
        Ok(Kind::Enclosure)
    }

    /// How the lines around the present element are indented; the same layout is held once.
    fn layout(&mut self) -> Layout {
        let begun = self.item.as_ref().expect("inside of an item one has begun");
        let indent = self.gap.indent.as_str();
        let deeper = indent.strip_prefix(begun.indent.as_str()).filter(|_| !begun.indent.is_empty());
        let unit = match deeper {
            Some(deeper) if !deeper.is_empty() => deeper,
            _ if indent.ends_with('\t') => "\t",
            _ => "  ",
        };
        let last = &mut self.feed.last_layout;
        if *last.indent != *indent || *last.unit != *unit {
            *last = Layout { indent: indent.into(), unit: unit.into() };
        }
        last.clone()
    }

    /// The innermost element ends.
    fn end(&mut self) -> Result<(), Fault> {
        let Some(Open { kind, .. }) = self.open.pop() else { return Ok(()) };
        self.namespaces.leave(self.open.len() + 1);
        match kind {
            Kind::Text(field) => {
                let text = self.text.take().unwrap_or_default();
                match &mut self.item {
                    Some(Begun { item, parent, .. }) => field.put_into_item(&text, item, parent),
                    None => field.put_into_channel(&text, &mut self.feed),
                }
                if let (None, Some(rank)) = (&self.item, field.anchor_rank()) {
                    self.anchor(rank);
                }
            }
            Kind::Anchor(rank) => self.anchor(rank),
            Kind::Enclosure => {
                let (end, podcast) = (self.here(), self.namespaces.prefix(Space::Podcast));
                let itunes = self.namespaces.prefix(Space::Itunes);
                let enclosure = self.pending.enclosure.take().expect("it was there when it began");
                let item = &mut self.begun().item;
                item.itunes = itunes;
                item.enclosures.push(Enclosure { end, podcast, ..enclosure });
            }
            Kind::Ours => {
                let begin = self.ours.take().expect("it was there when it began");
                self.keep_bytes(RECORD_BYTES)?;
                let end = self.here().offset;
                self.feed.former.push((begin, end));
            }
            Kind::Item => self.end_item()?,
            Kind::Root | Kind::Channel | Kind::Alternate => {}
            Kind::Other => self.keep(" "),
        }
        Ok(())
    }

    /// A child of the channel has ended, which our link can follow.
    fn anchor(&mut self, rank: u8) {
        if self.channels == 1 && rank > self.anchor_rank {
            self.anchor_rank = rank;
            let (indent, prefix) = (self.pending.indent.as_str().into(), self.namespaces.prefix(Space::Atom));
            self.feed.anchor = Some(Anchor { end: self.here(), indent, prefix });
        }
    }

    fn end_item(&mut self) -> Result<(), Fault> {
        let Begun { mut item, parent, fault, .. } = self.item.take().expect("inside of an item one has begun");
        if item.enclosures.is_empty() {
            return Ok(());
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        if self.feed.items.len() == ITEMS_MAX {
            return Err(self.too_large(format!("more than {ITEMS_MAX} items")));
        }
        if item.link.is_none() && parent.guid_is_link {
            item.link.clone_from(&item.guid);
        }
        let texts = item.title.len() + item.description.len();
        let links = [&item.link, &item.guid].into_iter().flatten().map(String::len).sum::<usize>();
        let enclosures = item.enclosures.iter();
        let enclosures = enclosures.map(|one| RECORD_BYTES + one.url.len() + one.mime.as_ref().map_or(0, String::len));
        self.keep_bytes(RECORD_BYTES + texts + links + enclosures.sum::<usize>())?;
        self.feed.items.push(item);
        Ok(())
    }

    fn keep_bytes(&mut self, bytes: usize) -> Result<(), Fault> {
        self.kept_bytes += bytes;
        if self.kept_bytes <= KEPT_BYTES_MAX {
            return Ok(());
        }
        Err(self.too_large(format!("titles, descriptions and addresses of more than {} MiB", KEPT_BYTES_MAX >> 20)))
    }
}

/// The attributes of an element, raw.
pub(super) struct Attributes<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Attributes<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(found, _)| *found == key).map(|(_, value)| *value)
    }

    /// What a link leads to (RFC 4287, section 4.2.7.2).
    fn rel(&self) -> String {
        let rel = self.get("rel").unwrap_or("alternate").trim().to_ascii_lowercase();
        rel.strip_prefix("http://www.iana.org/assignments/relation/").unwrap_or(&rel).to_owned()
    }
}

/// Where `part`, which is a part of `whole`, begins in it.
fn offset_in(whole: &str, part: &str) -> usize {
    part.as_ptr().addr().checked_sub(whole.as_ptr().addr()).filter(|at| *at <= whole.len()).unwrap_or(0)
}

/// The last line break of white space, and what stands behind it; nothing where there is none.
fn indentation(white: &str) -> &str {
    let Some(at) = white.rfind('\n') else { return "" };
    let at = at - usize::from(white[..at].ends_with('\r'));
    if white.len() - at > INDENT_BYTES_MAX { "" } else { &white[at..] }
}

/// Where in a tag an attribute is wrong, and how.
fn attribute_fault(start: &str, error: &AttrError) -> (usize, String) {
    match *error {
        AttrError::Duplicated(at, _) => {
            let name = start.get(at..).unwrap_or_default();
            let end = name.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(name.len());
            (at, format!("the attribute `{}` stands twice", &name[..end]))
        }
        AttrError::ExpectedEq(at) => (at, "an attribute has no `=`".to_owned()),
        AttrError::ExpectedValue(at) => (at, "an attribute has no value".to_owned()),
        AttrError::UnquotedValue(at) => (at, "the value of an attribute stands in no quotation marks".to_owned()),
        AttrError::ExpectedQuote(at, _) => (at, "the value of an attribute does not end".to_owned()),
    }
}
