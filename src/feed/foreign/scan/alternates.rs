//! What stands in a feed beside its enclosures: what is ours, alternate enclosures of others, and what only looks like an
//! enclosure.

use std::io::Read;

use quick_xml::events::BytesStart;

use super::{Attributes, FORMER_BYTES, Fault, Kind, LINK_TITLE, Place, Scan, TEXTS, URL_BYTES_MAX};
use crate::feed::foreign::{Format, TorrentLink};
use crate::mime::TORRENT_MIME;

/// An alternate enclosure that has begun.
pub(super) struct Alternate {
    /// Where it begins, with the marker before it, if there is one.
    pub(super) marked: Option<Place>,
    pub(super) is_default: bool,
    /// Whether there is a source by way of BitTorrent: there is in ours.
    pub(super) has_torrent: bool,
    /// The `.torrent` files and magnet links that its sources name.
    pub(super) torrents: Vec<String>,
    /// The first `.torrent` and the first magnet link that its sources name, where links are kept.
    pub(super) link: Option<TorrentLink>,
}

impl<R: Read> Scan<R> {
    /// Tells of an element that would be read if it were not of another namespace.
    pub(super) fn stranger(&mut self, parent: Kind, name: &str, attributes: &Attributes) -> Result<(), Fault> {
        let fault = match (self.feed.format, parent, name) {
            (Format::Rss, Kind::Root, "channel") => {
                "the `<channel>` is of another namespace than the feed: it is not read"
            }
            (Format::Rss, Kind::Channel, "item") => "an `<item>` is of another namespace than the feed: it is not read",
            (Format::Rss, Kind::Item, "enclosure") => {
                "an `<enclosure>` is of another namespace than the feed: it is not read"
            }
            (Format::Atom, Kind::Channel, "entry") => {
                "an `<entry>` is of another namespace than the feed: it is not read"
            }
            (Format::Atom, Kind::Item, "link") if attributes.rel() == "enclosure" => {
                "a `<link>` is of another namespace than the feed: it is not read"
            }
            _ => return Ok(()),
        };
        self.tell_once(self.begin.place.line, fault)
    }

    /// A source of an alternate enclosure. Where one that is not ours names a `.torrent`, its author needs no second one.
    pub(super) fn source(&mut self, start: &BytesStart, attributes: &Attributes) -> Result<(), Fault> {
        let is_torrent = attributes.get("contentType").is_some_and(|mime| mime == TORRENT_MIME);
        let uri = attributes.raw("uri").map(|uri| self.value(start, uri)).transpose()?.unwrap_or_default();
        let uri = uri.trim();
        let is_link = uri.ends_with(".torrent") || uri.starts_with("magnet:");
        let is_named = is_link && uri.len() <= URL_BYTES_MAX;
        if is_named && self.most.links {
            self.link(uri)?;
        }
        let Some(alternate) = &mut self.alternate else { return Ok(()) };
        alternate.has_torrent |= is_torrent;
        if is_named && !(is_torrent && alternate.marked.is_some()) {
            alternate.torrents.push(uri.to_owned());
            self.keep_bytes(size_of::<String>() + uri.len(), TEXTS)?;
        }
        Ok(())
    }

    /// A `.torrent` or a magnet link that a source names.
    fn link(&mut self, uri: &str) -> Result<(), Fault> {
        let Some(alternate) = &mut self.alternate else { return Ok(()) };
        let link = alternate.link.get_or_insert_default();
        let place = if uri.starts_with("magnet:") { &mut link.magnet } else { &mut link.torrent };
        if place.is_some() {
            return Ok(());
        }
        *place = Some(uri.to_owned());
        self.keep_bytes(size_of::<TorrentLink>() + uri.len(), TEXTS)
    }

    pub(super) fn end_alternate(&mut self) -> Result<(), Fault> {
        let alternate = self.alternate.take().expect("it was there when it began");
        self.begun().item.links.extend(alternate.link);
        match alternate.marked {
            Some(begin) if alternate.has_torrent => self.end_ours(begin),
            _ => {
                let item = &mut self.begun().item;
                item.has_default |= alternate.is_default;
                item.torrents.extend(alternate.torrents);
                Ok(())
            }
        }
    }

    /// Something of ours ends that begins there.
    pub(super) fn end_ours(&mut self, begin: Place) -> Result<(), Fault> {
        // One for each enclosure is counted with that, and the link.
        if self.feed.former.len() > self.enclosures {
            self.keep_bytes(FORMER_BYTES, TEXTS)?;
        }
        let end = self.here().offset;
        self.feed.former.push((begin, end));
        Ok(())
    }
}

/// Whether a link behind our marker is ours: what [`Foreign::amend`] writes, and has written.
pub(super) fn is_our_link(attributes: &Attributes) -> bool {
    attributes.raw("rel").is_some()
        && matches!(&*attributes.rel(), "alternate" | "related")
        && attributes.get("title").is_some_and(|title| title == LINK_TITLE)
}
