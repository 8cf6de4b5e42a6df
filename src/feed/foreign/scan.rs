//! One pass over a feed, event by event: what is needed is kept with its place, the rest goes by.

mod alternates;
mod values;

use std::io::{self, Read};
use std::mem;
use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::errors::IllFormedError;
use quick_xml::events::{BytesStart, Event};

use alternates::{Alternate, is_our_link};

use super::attributes::{Attributes, offset_in};
use super::decoded::{Decoded, TOKEN_BYTES_MAX};
use super::encoding::Encoding;
use super::entities::Entities;
use super::fields::{Field, Parent};
use super::namespaces::{NAMESPACES_MAX, Namespaces, Space};
use super::text::{self, LONE_AMPERSAND};
use super::{
    Anchor, ENCLOSURES_MAX, Enclosure, FEED_MIME, Foreign, Format, ITEMS_MAX, Item, LINK_TITLE, Layout, Length, MARKER,
    Place, base, format_of,
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
pub(super) const KEPT_BYTES_MAX: usize = 128 << 20;
/// The most bytes of a name, of a prefix and of a namespace.
const NAME_BYTES_MAX: usize = 64 << 10;
/// What keeping the span takes of something that an earlier run inserted.
const FORMER_BYTES: usize = size_of::<(Place, u64)>();
/// What keeping an enclosure takes besides its texts: with the span of what will follow it, so that what was amended is
/// read again.
const ENCLOSURE_BYTES: usize = size_of::<Enclosure>() + FORMER_BYTES;
/// What is kept of the items.
const TEXTS: &str = "titles, descriptions and addresses";
/// What is kept of the namespaces and of the elements that are open.
const NAMES: &str = "names and namespaces";
/// What is kept of the faults.
const FAULTS: &str = "faults";
/// The most bytes of a name that are shown.
const SHOWN_BYTES_MAX: usize = 256;
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

/// How much of a feed is kept at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    pub(super) items: usize,
    pub(super) bytes: usize,
    /// Whether the links to torrents are kept as well, whosever they are.
    pub(super) links: bool,
}

impl Most {
    pub(super) const OF_A_FEED: Self = Self { items: ITEMS_MAX, bytes: KEPT_BYTES_MAX, links: false };
}

/// Reads the feed in `source`.
pub(super) fn scan(source: impl Read, encoding: Encoding, most: Most) -> Result<Foreign, Fault> {
    let scan = Scan {
        reader: Reader::from_reader(Decoded::new(source, encoding)),
        most,
        namespaces: Namespaces::default(),
        entities: Entities::default(),
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
        alternate: None,
        text: None,
        told: Vec::new(),
        enclosures: 0,
        base: None,
        kept_bytes: 0,
        open_bytes: 0,
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
    /// Our link.
    Ours,
    /// An alternate enclosure, whosever it is.
    Alternate,
    Other,
}

struct Open {
    kind: Kind,
    name: Box<str>,
    line: usize,
    base: Option<Arc<str>>,
}

/// What is known of an enclosure or an anchor before it ends.
#[derive(Default)]
struct Pending {
    indent: String,
    enclosure: Option<Enclosure>,
    /// The base in the element that begins.
    base: Option<Arc<str>>,
}

/// An item that has begun.
struct Begun {
    item: Item,
    parent: Parent,
    indent: String,
    /// What is wrong with one of its texts, which matters if it has enclosures.
    fault: Option<Fault>,
    /// The line of a link that is an enclosure, but not for RSS.
    linked: Option<usize>,
}

struct Scan<R> {
    reader: Reader<Decoded<R>>,
    most: Most,
    namespaces: Namespaces,
    entities: Entities,
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
    /// Where our present link begins.
    ours: Option<Place>,
    alternate: Option<Alternate>,
    pending: Pending,
    item: Option<Begun>,
    /// The text of the present element, where it is kept.
    text: Option<String>,
    /// The faults that are told once, as far as they were.
    told: Vec<&'static str>,
    /// How many enclosures there were.
    enclosures: usize,
    /// The base of the last enclosure.
    base: Option<Arc<str>>,
    kept_bytes: usize,
    /// The bytes of the names of the elements that are open.
    open_bytes: usize,
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
                Event::Comment(text) => self.comment(&text)?,
                Event::DocType(doctype) => {
                    self.marker = None;
                    self.entities = Entities::of(&doctype);
                }
                Event::Decl(_) => {
                    self.marker = None;
                    if self.begin.position > 0 {
                        self.tell_once(
                            self.begin.place.line,
                            "there is something before `<?xml`, were it a blank line: feed readers refuse that",
                        )?;
                    }
                }
                Event::PI(_) => self.marker = None,
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
        let mut faults = self.feed.faults;
        faults.extend(self.reader.get_ref().faults());
        faults.sort_by_key(|(line, _)| *line);
        Ok(Foreign { faults, meanings: self.namespaces.into_meanings(), ..self.feed })
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

    /// Tells what is wrong with something.
    fn tell(&mut self, line: usize, fault: impl Into<String>) -> Result<(), Fault> {
        let fault = fault.into();
        self.keep_bytes(size_of::<(usize, String)>() + fault.len(), FAULTS)?;
        self.feed.faults.push((line, fault));
        Ok(())
    }

    /// The same, the first time.
    fn tell_once(&mut self, line: usize, fault: &'static str) -> Result<(), Fault> {
        if self.told.contains(&fault) {
            return Ok(());
        }
        self.told.push(fault);
        self.tell(line, fault)
    }

    /// Tells, the first time, that `wrong` stands in the `text` of the present event.
    fn tell_within(&mut self, text: &str, wrong: &str, fault: &'static str) -> Result<(), Fault> {
        match text.find(wrong) {
            Some(at) => self.tell_once(self.begin.place.line + text[..at].matches('\n').count(), fault),
            None => Ok(()),
        }
    }

    fn characters(&mut self, text: &str) -> Result<(), Fault> {
        self.tell_within(text, "]]>", "`]]>` in a text, which XML does not allow: feed readers refuse it")?;
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
        if text::referred(name).is_some_and(|character| !text::is_allowed(character)) {
            let fault = "a reference to a character that XML does not allow: feed readers refuse it";
            self.tell_once(self.begin.place.line, fault)?;
        }
        let Some(Open { kind: Kind::Text(field), .. }) = self.open.iter().rev().find(|open| open.kind != Kind::Other)
        else {
            return Ok(());
        };
        match text::referred(name) {
            Some(character) => self.keep(character.encode_utf8(&mut [0; 4])),
            // It is HTML, which has more of them.
            None if field.is_html() => self.keep(&format!("&{name};")),
            None => match (self.entities.text(name), &mut self.item) {
                (Ok(text), _) => self.keep(&text),
                (Err(message), Some(Begun { fault, .. })) => {
                    fault.get_or_insert(Fault::At(self.begin.position, message));
                }
                (Err(message), None) => return Err(Fault::At(self.begin.position, message)),
            },
        }
        Ok(())
    }

    /// Adds to the text that is kept, if one is.
    fn keep(&mut self, more: &str) {
        if let Some(text) = &mut self.text {
            text.push_str(limited(more, TEXT_BYTES_MAX - text.len()));
        }
    }

    fn comment(&mut self, text: &str) -> Result<(), Fault> {
        let here = self.open.last().map(|open| open.kind);
        let is_ours = text.trim() == MARKER && matches!(here, Some(Kind::Item | Kind::Channel));
        self.marker = is_ours.then_some(if self.gap.is_white { self.gap.from } else { self.begin.place });
        if !text.contains("--") && !text.ends_with('-') {
            return Ok(());
        }
        // Its end may make them two.
        let text = format!("{text}-");
        self.tell_within(&text, "--", "`--` in a comment, which XML does not allow: feed readers refuse it")
    }

    fn start(&mut self, start: &BytesStart, is_empty: bool) -> Result<(), Fault> {
        let name = start.name().0;
        if !name.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | ':')) {
            return Err(Fault::At(self.begin.position, "`<` begins no tag".to_owned()));
        }
        if self.open.len() == DEPTH_MAX {
            return Err(self.too_large(format!("more than {DEPTH_MAX} elements within each other")));
        }
        if name.len() > NAME_BYTES_MAX {
            return Err(self.too_large(format!("a name of more than {} KiB", NAME_BYTES_MAX >> 10)));
        }
        let attributes = self.attributes(start)?;
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        for prefix in attributes.prefixes().chain([prefix]) {
            self.undeclared(prefix)?;
        }
        self.open_bytes += name.len();
        self.keep_bytes(0, NAMES)?;
        let base = self.open.last().and_then(|open| open.base.clone());
        let base = match attributes.get("xml:base") {
            Some(value) if value.len() > URL_BYTES_MAX => return Err(self.long_address()),
            Some(value) => base::within(base.as_ref(), &value),
            None => base,
        };
        self.pending.base.clone_from(&base);
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
        // Only the elements that are known have enclosures in them.
        let base = base.filter(|_| matches!(kind, Kind::Root | Kind::Channel | Kind::Item));
        self.open.push(Open { kind, name: name.into(), line: self.begin.place.line, base });
        if kind == Kind::Channel && !is_empty {
            self.channel();
        }
        if is_empty { self.end() } else { Ok(()) }
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
            return self.root(start, space, attributes);
        };
        let is_own = space == self.own;
        let is_atom = self.feed.format == Format::Atom;
        // Where RSS is declared to be Atom, its own `link` is one without an address.
        let is_link =
            space == Space::Atom && local == "link" && (is_atom || !is_own || attributes.raw("href").is_some());
        if !is_own {
            self.stranger(parent, start.name().0, attributes)?;
        }
        Ok(match parent {
            Kind::Root if is_own && local == "channel" => Kind::Channel,
            Kind::Channel if is_own && local == if is_atom { "entry" } else { "item" } => {
                self.begin_item();
                Kind::Item
            }
            Kind::Channel if is_link && marker.is_some() && is_our_link(attributes) => Kind::Ours,
            Kind::Channel if is_link => self.channel_link(start, attributes)?,
            Kind::Channel => {
                let field = Field::of_channel(self.feed.format, is_own, local, attributes);
                field.map_or(Kind::Other, Kind::Text)
            }
            Kind::Item if space == Space::Podcast && local == "alternateEnclosure" => {
                self.alternate = Some(Alternate {
                    marked: marker,
                    is_default: attributes.get("default").is_some_and(|value| value == "true"),
                    has_torrent: false,
                    torrents: Vec::new(),
                    link: None,
                });
                Kind::Alternate
            }
            Kind::Alternate if space == Space::Podcast && local == "source" => {
                self.source(start, attributes)?;
                Kind::Other
            }
            Kind::Item if is_own && !is_atom && local == "enclosure" => self.enclosure(start, attributes, "url")?,
            Kind::Item if is_link && !is_atom => {
                if attributes.rel() == "enclosure" {
                    let line = self.begin.place.line;
                    self.begun().linked.get_or_insert(line);
                }
                Kind::Other
            }
            Kind::Item if is_link => match &*attributes.rel() {
                "enclosure" => self.enclosure(start, attributes, "href")?,
                "alternate" => {
                    if let (None, Some(href)) = (&self.begun().item.link, attributes.raw("href")) {
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

    fn root(&mut self, start: &BytesStart, space: Space, attributes: &Attributes) -> Result<Kind, Fault> {
        if self.feed.root.is_some() {
            return Err(Fault::At(self.begin.position, "there is a second root element".to_owned()));
        }
        let name = start.name().0;
        let Some(format) = format_of(name, space) else {
            return Err(Fault::NotAFeed(format!("its root is `{}`", limited(name, SHOWN_BYTES_MAX))));
        };
        self.feed.format = format;
        self.feed.root = Some(self.place_within(start, name.len()));
        self.own = space;
        Ok(match format {
            Format::Rss => Kind::Root,
            Format::Atom => {
                self.feed.language = attributes.get("xml:lang").filter(|language| !language.is_empty());
                Kind::Channel
            }
        })
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
        let mime = attributes.get("type").unwrap_or_default();
        if let (Some(href), "alternate" | "related", FEED_MIME) = (attributes.raw("href"), &*rel, &*mime) {
            let href = self.value(start, href)?.trim().to_owned();
            self.keep_bytes(size_of::<String>() + href.len(), TEXTS)?;
            self.feed.linked.push(href);
        }
        if !is_self && (rel != "alternate" || self.feed.format != Format::Atom) {
            return Ok(Kind::Other);
        }
        let href = attributes.raw("href").map(|href| self.value(start, href)).transpose()?;
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
            linked: None,
        });
    }

    fn begun(&mut self) -> &mut Begun {
        self.item.as_mut().expect("inside of an item one has begun")
    }

    fn enclosure(&mut self, start: &BytesStart, attributes: &Attributes, key: &str) -> Result<Kind, Fault> {
        let line = self.begin.place.line;
        let raw = attributes.raw(key).unwrap_or_default();
        let url = self.address(start, raw)?.trim().to_owned();
        if url.is_empty() {
            self.tell(line, format!("the enclosure has no `{key}`"))?;
            return Ok(Kind::Other);
        }
        if url.len() > URL_BYTES_MAX {
            return Err(self.long_address());
        }
        if let Some(at) = raw.find('\u{fffd}') {
            let at = self.begin.position + 1 + (offset_in(start, raw) + at) as u64;
            return Err(Fault::At(at, format!("`{key}` is no text in the encoding of the feed")));
        }
        if self.begun().item.enclosures.len() == ENCLOSURES_MAX {
            return Err(self.too_large(format!("an item with more than {ENCLOSURES_MAX} enclosures")));
        }
        let raw_length = attributes.raw("length");
        let length = raw_length.map(|raw| self.value(start, raw)).transpose()?;
        let mime = attributes.raw("type").map(|raw| self.value(start, raw)).transpose()?;
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
            base: self.pending.base.clone(),
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
        let Some(Open { kind, name, .. }) = self.open.pop() else { return Ok(()) };
        self.open_bytes -= name.len();
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
                self.enclosures += 1;
                let item = &mut self.begun().item;
                item.itunes = itunes;
                item.enclosures.push(Enclosure { end, podcast, ..enclosure });
            }
            Kind::Ours => {
                let begin = self.ours.take().expect("it was there when it began");
                self.end_ours(begin)?;
            }
            Kind::Item => self.end_item()?,
            Kind::Alternate => self.end_alternate()?,
            Kind::Root | Kind::Channel => {}
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
        let Begun { mut item, parent, fault, linked, .. } = self.item.take().expect("inside of an item one has begun");
        if item.enclosures.is_empty() {
            let fault = "an atom:link that is an enclosure is not one for podcast apps: they look for `<enclosure>`";
            return linked.map_or(Ok(()), |line| self.tell(line, fault));
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        if self.feed.items.len() == self.most.items {
            return Err(self.too_large(format!("more than {} items", self.most.items)));
        }
        if item.link.is_none() && parent.guid_is_link {
            item.link.clone_from(&item.guid);
        }
        item.enclosures.shrink_to_fit();
        item.torrents.shrink_to_fit();
        let texts = item.title.len() + item.description.len();
        let links = [&item.link, &item.guid].into_iter().flatten().map(String::len).sum::<usize>();
        let mut bytes = size_of::<Item>() + texts + links;
        for enclosure in &item.enclosures {
            bytes += ENCLOSURE_BYTES + enclosure.url.len() + enclosure.mime.as_ref().map_or(0, String::len);
            // One that several share is held once.
            let is_shared = matches!((&enclosure.base, &self.base), (Some(one), Some(last)) if Arc::ptr_eq(one, last));
            if let (Some(base), false) = (&enclosure.base, is_shared) {
                bytes += base.len();
                self.base = Some(base.clone());
            }
        }
        self.keep_bytes(bytes, TEXTS)?;
        self.feed.items.push(item);
        Ok(())
    }

    /// Counts what is kept more, which is some of `what`.
    fn keep_bytes(&mut self, bytes: usize, what: &str) -> Result<(), Fault> {
        self.kept_bytes += bytes;
        if self.kept_bytes + self.open_bytes + self.namespaces.kept_bytes() <= self.most.bytes {
            return Ok(());
        }
        Err(self.too_large(format!("{what} of more than {} MiB", self.most.bytes >> 20)))
    }
}

/// The last line break of white space, and what stands behind it; nothing where there is none.
fn indentation(white: &str) -> &str {
    let Some(at) = white.rfind('\n') else { return "" };
    let at = at - usize::from(white[..at].ends_with('\r'));
    if white.len() - at > INDENT_BYTES_MAX { "" } else { &white[at..] }
}
