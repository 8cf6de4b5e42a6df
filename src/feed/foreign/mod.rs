//! Other people's feeds: what stands in them and where, and the edits that put our links there. It splices and never
//! rewrites: what the edits do not name stays what it is. It knows no file, no medium and no torrent.

mod amend;
mod attributes;
#[cfg(test)]
mod awkward;
mod base;
mod date;
mod decoded;
mod encoding;
mod entities;
mod fields;
mod namespaces;
#[cfg(test)]
mod properties;
mod scan;
mod sniff;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::io::{self, BufRead, Read, Seek};
use std::sync::Arc;

use time::OffsetDateTime;

use decoded::Decoded;
use encoding::Encoding;
use namespaces::{Meanings, Space};
use scan::{Fault, Most};

pub use sniff::{SNIFFED_BYTES, looks_like_a_feed};

use crate::splice::Edit;

/// The most items of a feed.
pub const ITEMS_MAX: usize = 100_000;
/// The most enclosures of an item.
pub const ENCLOSURES_MAX: usize = 64;
/// The bytes at the beginning of a feed that tell its encoding.
const BEGINNING_BYTES: u64 = 1024;
/// The comment behind which every element stands that [`Foreign::amend`] inserts.
const MARKER: &str = "everseed";
/// The title of our link.
const LINK_TITLE: &str = "Torrents";
/// The type of RSS feeds, as links name it.
const FEED_MIME: &str = "application/rss+xml";

/// The format of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RSS 2.0 and its forerunners whose root is `rss`.
    Rss,
    /// Atom (RFC 4287).
    Atom,
}

/// What a feed is written in whose root has this name, of this namespace; `None` if it is no feed. RSS has no namespace;
/// some declare a default one, and mean RSS all the same.
fn format_of(name: &str, space: Space) -> Option<Format> {
    let local = name.split_once(':').map_or(name, |(_, local)| local);
    match (space, local) {
        (Space::Atom, "feed") => Some(Format::Atom),
        _ if name == "rss" => Some(Format::Rss),
        _ => None,
    }
}

/// A feed that another program wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// What it is written in.
    pub format: Format,
    /// The title of the show; empty where there is none.
    pub title: String,
    /// The address of its home page.
    pub link: Option<String>,
    /// Plain text, at most [`DESCRIPTION_BYTES_MAX`](super::DESCRIPTION_BYTES_MAX) bytes.
    pub description: String,
    /// The language tag.
    pub language: Option<String>,
    /// The address that the feed gives as its own (`atom:link rel="self"`).
    pub self_url: Option<String>,
    /// The items that have enclosures, as they stand in the feed.
    pub items: Vec<Item>,
    /// What is wrong with single elements, with the line, in the order of the lines: an enclosure without an address. Also
    /// that the feed is not well-formed, of each kind the first, as far as it is read all the same.
    pub faults: Vec<(usize, String)>,
    encoding: Encoding,
    /// Behind the name in the root's start tag; `None` before there is one.
    root: Option<Place>,
    /// Where our link goes; `None` without a channel.
    anchor: Option<Anchor>,
    /// What an earlier run inserted: where it begins, and the offset of its end.
    former: Vec<(Place, u64)>,
    /// The feeds that links of the channel lead to which are not ours.
    linked: Vec<String>,
    meanings: Meanings,
    last_layout: Layout,
}

/// An item (RSS) or entry (Atom) with enclosures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// Its title; empty where there is none.
    pub title: String,
    /// The address of its page; where there is none, its guid if that is one.
    pub link: Option<String>,
    /// Its identity.
    pub guid: Option<String>,
    /// When it was published; `None` also where that cannot be understood.
    pub date: Option<OffsetDateTime>,
    /// Plain text, at most [`DESCRIPTION_BYTES_MAX`](super::DESCRIPTION_BYTES_MAX) bytes.
    pub description: String,
    /// What `itunes:duration` says, in seconds; `None` also where that cannot be understood.
    pub duration_secs: Option<u64>,
    /// Whether there is an `itunes:duration`, whatever it says.
    pub has_duration: bool,
    /// Its enclosures, one at least.
    pub enclosures: Vec<Enclosure>,
    /// What its alternate enclosures lead to by way of BitTorrent, ours among them; [`read_links`] alone keeps that.
    pub links: Vec<TorrentLink>,
    /// Whether an alternate enclosure that is not ours is the default.
    has_default: bool,
    /// The `.torrent` files and magnet links that alternate enclosures name which are not ours.
    torrents: Vec<String>,
    /// The prefix that means the namespace of `itunes:duration` behind the first enclosure.
    itunes: Option<Arc<str>>,
}

impl Item {
    /// The magnet link that an alternate enclosure of the item, which is not ours, gives beside the `.torrent` at this URL, if
    /// it is another one than `magnet`: it was made from something older.
    pub fn other_magnet(&self, torrent_url: &str, magnet: &str) -> Option<&str> {
        let is_named = self.torrents.iter().any(|uri| uri == torrent_url);
        let mut magnets = self.torrents.iter().filter(|uri| is_named && uri.starts_with("magnet:"));
        if magnets.clone().any(|uri| uri == magnet) { None } else { magnets.next().map(String::as_str) }
    }

    /// Whether an alternate enclosure of the item that is not ours leads to the torrent already.
    fn names(&self, alternate: &Alternate) -> bool {
        self.torrents.iter().any(|uri| *uri == alternate.torrent_url || *uri == alternate.magnet)
    }
}

/// What an alternate enclosure leads to by way of BitTorrent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TorrentLink {
    /// The address of its first `.torrent`, as the feed gives it.
    pub torrent: Option<String>,
    /// Its first magnet link.
    pub magnet: Option<String>,
}

/// An `enclosure` (RSS) or a `link rel="enclosure"` (Atom).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosure {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The address as the feed gives it, references resolved, without white space around it.
    pub url: String,
    /// The size that the feed gives, in bytes.
    pub length: Option<u64>,
    /// The MIME type that the feed gives.
    pub mime: Option<String>,
    /// The `xml:base` in scope, resolved by those around it; relative itself where none of them is absolute.
    pub base: Option<Arc<str>>,
    length_at: Length,
    begin: Place,
    end: Place,
    layout: Layout,
    /// The prefix that means the podcast namespace behind it.
    podcast: Option<Arc<str>>,
}

/// A place in the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    offset: u64,
    line: usize,
}

/// Where the `length` of an enclosure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    /// Its value begins there and ends at that offset.
    Value(Place, u64),
    /// There is none; it would stand there.
    Missing(Place),
}

/// How an element is set among others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Layout {
    /// The line break before it and the white space with which its line begins; empty where it begins none.
    indent: Arc<str>,
    /// By what its children are indented further.
    unit: Arc<str>,
}

/// Where our link goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Anchor {
    end: Place,
    indent: Arc<str>,
    /// The prefix that means Atom there.
    prefix: Option<Arc<str>>,
}

/// Why a feed was not read.
#[derive(Debug)]
pub enum Error {
    /// It is something else; what speaks for that.
    NotAFeed(String),
    /// It is no XML.
    Broken {
        /// The line, from 1.
        line: usize,
        /// The character of the line, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// It is written in an encoding that is not read; which.
    Encoding(String),
    /// There is more of something than is read.
    TooLarge {
        /// The line, from 1.
        line: usize,
        /// What there is too much of.
        message: String,
    },
    /// It could not be read.
    Io(io::Error),
}

impl Error {
    /// The line of the feed, from 1, where one is to blame.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Broken { line, .. } | Self::TooLarge { line, .. } => Some(*line),
            Self::NotAFeed(_) | Self::Encoding(_) | Self::Io(_) => None,
        }
    }

    /// The character of the line, from 1, where that is known.
    pub fn column(&self) -> Option<usize> {
        if let Self::Broken { column, .. } = self { Some(*column) } else { None }
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotAFeed(_) => "name an RSS or Atom feed; an HTML page is none, whatever its file is called",
            Self::Broken { message, .. } if message == text::LONE_AMPERSAND => "write `&` as `&amp;`",
            Self::Broken { message, .. } if message.starts_with("the entity") => {
                "write the character itself, or its number: `&#160;`"
            }
            Self::Broken { message, .. } if message.starts_with("`<`") => {
                "write `<` as `&lt;`, or end what is before it"
            }
            Self::Broken { .. } => "mend the template that writes the feed; feed readers stumble there too",
            Self::Encoding(_) => "have the feed written in UTF-8",
            Self::TooLarge { .. } => "have less written into the feed, or split it",
            Self::Io(_) => return None,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFeed(found) => write!(f, "is not a feed: {found}"),
            Self::Broken { message, .. } | Self::Encoding(message) | Self::TooLarge { message, .. } => {
                f.write_str(message)
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

/// What is to stand in a feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amendment {
    /// The absolute URL of `torrents.xml`; without one there is no link to it.
    pub torrents_feed: Option<String>,
    /// For each of the feed's items what becomes of it.
    pub items: Vec<ItemAmendment>,
}

/// What is to stand in an item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemAmendment {
    /// For each enclosure what is to follow it.
    pub alternates: Vec<Option<Alternate>>,
    /// For each enclosure its `length` in bytes; `None` leaves what is there.
    pub lengths: Vec<Option<u64>>,
    /// The `itunes:duration` in seconds, where there is none.
    pub duration_secs: Option<u64>,
}

/// A `podcast:alternateEnclosure`: the file of an enclosure by way of BitTorrent. Where the item has one already that names
/// this `.torrent` and is not ours, the author's template writes it, and no other is inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternate {
    /// The absolute URL of the file, where the enclosure's own is relative.
    pub url: Option<String>,
    /// The MIME type of the file.
    pub mime: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its mean bit rate in bits a second.
    pub bitrate_bps: Option<u32>,
    /// The absolute URL of its `.torrent`.
    pub torrent_url: String,
    /// Its magnet link.
    pub magnet: String,
    /// The SHA-384 of its bytes, where it is known.
    pub sha384: Option<[u8; 48]>,
}

/// Reads the feed that `source` holds from its beginning.
///
/// Of the feed only items with enclosures are held, and of these only what [`Item`] says.
pub fn read(source: &mut (impl Read + Seek)) -> Result<Foreign, Error> {
    read_most(source, Most::OF_A_FEED)
}

/// As [`read`], and with [`Item::links`]: for who wants what the feed leads to, and does not write to it.
pub fn read_links(source: &mut (impl Read + Seek)) -> Result<Foreign, Error> {
    read_most(source, Most { links: true, ..Most::OF_A_FEED })
}

fn read_most(source: &mut (impl Read + Seek), most: Most) -> Result<Foreign, Error> {
    let mut beginning = Vec::new();
    source.rewind().map_err(Error::Io)?;
    source.take(BEGINNING_BYTES).read_to_end(&mut beginning).map_err(Error::Io)?;
    let encoding = encoding::detect(&beginning).map_err(Error::Encoding)?;
    source.rewind().map_err(Error::Io)?;
    let fault = match scan::scan(&mut *source, encoding, most) {
        Ok(feed) => return Ok(feed),
        Err(fault) => fault,
    };
    Err(match fault {
        Fault::At(position, message) => {
            source.rewind().map_err(Error::Io)?;
            let (line, column) = locate(Decoded::new(source, encoding), position).map_err(Error::Io)?;
            Error::Broken { line, column, message }
        }
        Fault::TooLarge(line, message) => Error::TooLarge { line, message },
        Fault::NotAFeed(found) => Error::NotAFeed(found),
        Fault::Io(error) => Error::Io(error),
    })
}

/// The line and the character of the line at a position, from 1. Only errors need it: they read the feed once more.
fn locate(mut text: Decoded<impl Read>, position: u64) -> io::Result<(usize, usize)> {
    let (mut left, mut line, mut column) = (position, 1, 1);
    loop {
        let bytes = text.fill_buf()?;
        let count = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        if count == 0 {
            return Ok((line, column));
        }
        for byte in &bytes[..count] {
            match byte {
                b'\n' => (line, column) = (line + 1, 1),
                // The later bytes of a character.
                0x80..0xc0 => {}
                _ => column += 1,
            }
        }
        left -= count as u64;
        text.consume(count);
        text.begin_token();
    }
}

impl Foreign {
    fn new(encoding: Encoding) -> Self {
        Self {
            format: Format::Rss,
            title: String::new(),
            link: None,
            description: String::new(),
            language: None,
            self_url: None,
            items: Vec::new(),
            faults: Vec::new(),
            encoding,
            root: None,
            anchor: None,
            former: Vec::new(),
            linked: Vec::new(),
            meanings: Meanings::default(),
            last_layout: Layout::default(),
        }
    }

    /// The edits that make the feed say what `amendment` says: in the order of their spans, which do not overlap. What
    /// an earlier run inserted and `amendment` does not want goes.
    ///
    /// An edit may put there what stands there already ([`changing`](crate::splice::changing)).
    ///
    /// ```
    /// use std::io::Cursor;
    ///
    /// use everseed::feed::foreign::{Amendment, read};
    /// use everseed::splice::apply;
    ///
    /// let rss = b"<rss version='2.0'>\n<channel>\n <title>A show</title>\n</channel>\n</rss>";
    /// let feed = read(&mut Cursor::new(rss)).expect("a feed");
    /// let torrents_feed = Some("https://example.org/torrents.xml".to_owned());
    /// let mut amended = Vec::new();
    /// apply(&rss[..], &feed.amend(&Amendment { torrents_feed, items: Vec::new() }), &mut amended)?;
    /// assert_eq!(
    ///     String::from_utf8_lossy(&amended),
    ///     "<rss xmlns:atom=\"http://www.w3.org/2005/Atom\" version='2.0'>\n<channel>\n <title>A show</title>\n \
    ///      <!-- everseed --><atom:link rel=\"alternate\" type=\"application/rss+xml\" title=\"Torrents\" \
    ///      href=\"https://example.org/torrents.xml\"/>\n</channel>\n</rss>"
    /// );
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn amend(&self, amendment: &Amendment) -> Vec<Edit> {
        amend::amend(self, amendment)
    }
}

impl Item {
    fn new(line: usize) -> Self {
        Self {
            line,
            title: String::new(),
            link: None,
            guid: None,
            date: None,
            description: String::new(),
            duration_secs: None,
            has_duration: false,
            enclosures: Vec::new(),
            has_default: false,
            links: Vec::new(),
            torrents: Vec::new(),
            itunes: None,
        }
    }
}
