//! `torrents.xml`: the feed for torrent clients (BEP 36).

use super::xml::{Xml, channel, limited, rfc2822};
use super::{Channel, DESCRIPTION_BYTES_MAX, TorrentItem};
use crate::mime::TORRENT_MIME;

/// The bytes of `torrents.xml`. The items stand in it as they are given: newest first.
///
/// An enclosure is the `.torrent`, never a magnet link, and its length is that of the `.torrent`.
pub fn torrents(about: &Channel, items: &[TorrentItem]) -> Vec<u8> {
    let mut xml = Xml::new();
    xml.open("rss", &[("version", "2.0"), ("xmlns:atom", "http://www.w3.org/2005/Atom")]);
    xml.open("channel", &[]);
    channel(&mut xml, about, items.iter().filter_map(|item| item.date).max());
    for item in items {
        xml.open("item", &[]);
        xml.text("title", &item.title);
        xml.text("link", &item.link);
        xml.text_with("guid", &[("isPermaLink", "false")], &item.info_hash.to_string());
        if let Some(date) = item.date {
            xml.text("pubDate", &rfc2822(date));
        }
        if !item.description.is_empty() {
            xml.text("description", limited(&item.description, DESCRIPTION_BYTES_MAX));
        }
        let length = item.torrent_bytes.to_string();
        let attributes = [("url", &*item.torrent_url), ("length", &*length), ("type", TORRENT_MIME)];
        xml.empty("enclosure", &attributes);
        xml.close("item");
    }
    xml.close("channel");
    xml.close("rss");
    xml.finish()
}
