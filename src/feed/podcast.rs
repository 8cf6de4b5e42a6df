//! `feed.xml`: the feed for podcast apps (RSS 2.0, PSP-1, the podcast namespace).

use super::xml::{Xml, channel, limited, rfc2822};
use super::{CHAPTERS_MIME, Category, Channel, DESCRIPTION_BYTES_MAX, Episode, Medium, Show};

/// The bytes of `feed.xml`. The episodes stand in it as they are given: newest first.
pub fn podcast(about: &Channel, show: &Show, episodes: &[Episode]) -> Vec<u8> {
    let mut xml = Xml::new();
    xml.open(
        "rss",
        &[
            ("version", "2.0"),
            ("xmlns:itunes", "http://www.itunes.com/dtds/podcast-1.0.dtd"),
            ("xmlns:podcast", "https://podcastindex.org/namespace/1.0"),
            ("xmlns:atom", "http://www.w3.org/2005/Atom"),
            ("xmlns:content", "http://purl.org/rss/1.0/modules/content/"),
        ],
    );
    xml.open("channel", &[]);
    channel(&mut xml, about, episodes.iter().map(|episode| episode.date).max());
    self::show(&mut xml, about, show);
    for episode in episodes {
        self::episode(&mut xml, episode);
    }
    xml.close("channel");
    xml.close("rss");
    xml.finish()
}

fn show(xml: &mut Xml, about: &Channel, show: &Show) {
    xml.text("podcast:guid", &show.guid.to_string());
    // Locked: another host asks the owner, at the address given, before it takes the show over.
    match &show.email {
        Some(email) => xml.text_with("podcast:locked", &[("owner", email)], "yes"),
        None => xml.text("podcast:locked", "yes"),
    }
    if let Some(author) = &show.author {
        xml.text("itunes:author", author);
    }
    if let Some(email) = &show.email {
        xml.open("itunes:owner", &[]);
        xml.text("itunes:name", show.author.as_deref().unwrap_or(&about.title));
        xml.text("itunes:email", email);
        xml.close("itunes:owner");
    }
    xml.text("itunes:type", if show.serial { "serial" } else { "episodic" });
    xml.text("itunes:explicit", yes_no(show.explicit));
    for category in &show.categories {
        self::category(xml, category);
    }
    if let Some(image) = &show.image {
        xml.empty("itunes:image", &[("href", image)]);
        // RSS 2.0's own, for readers that know no itunes namespace: title and link are the channel's.
        xml.open("image", &[]);
        xml.text("url", image);
        xml.text("title", &about.title);
        xml.text("link", &about.link);
        xml.close("image");
    }
}

fn category(xml: &mut Xml, category: &Category) {
    if category.children.is_empty() {
        return xml.empty("itunes:category", &[("text", &category.name)]);
    }
    xml.open("itunes:category", &[("text", &category.name)]);
    for child in &category.children {
        xml.empty("itunes:category", &[("text", child)]);
    }
    xml.close("itunes:category");
}

fn episode(xml: &mut Xml, episode: &Episode) {
    xml.open("item", &[]);
    xml.text("title", &episode.title);
    xml.text("link", &episode.link);
    xml.text_with("guid", &[("isPermaLink", "false")], &episode.guid);
    xml.text("pubDate", &rfc2822(episode.date));
    if !episode.description.is_empty() {
        xml.html("description", limited(&episode.description, DESCRIPTION_BYTES_MAX));
    }
    if !episode.content.is_empty() {
        xml.html("content:encoded", &episode.content);
    }
    medium(xml, &episode.medium);
    if let Some(image) = &episode.image {
        xml.empty("itunes:image", &[("href", image)]);
    }
    if let Some(explicit) = episode.explicit {
        xml.text("itunes:explicit", yes_no(explicit));
    }
    if let Some(season) = episode.season {
        xml.text("itunes:season", &season.to_string());
        xml.text("podcast:season", &season.to_string());
    }
    if let Some(number) = episode.episode {
        xml.text("itunes:episode", &number.to_string());
        xml.text("podcast:episode", &number.to_string());
    }
    xml.text("itunes:episodeType", "full");
    if let Some(transcript) = &episode.transcript {
        let attributes = [("url", &*transcript.url), ("type", &*transcript.mime), ("language", &*transcript.language)];
        xml.empty("podcast:transcript", &attributes);
    }
    if let Some(url) = &episode.chapters_url {
        xml.empty("podcast:chapters", &[("url", url), ("type", CHAPTERS_MIME)]);
    }
    xml.close("item");
}

fn medium(xml: &mut Xml, medium: &Medium) {
    let bytes = medium.bytes.to_string();
    xml.empty("enclosure", &[("url", &medium.url), ("length", &bytes), ("type", &medium.mime)]);
    if let Some(ms) = medium.duration_ms {
        // Whole seconds, rounded; a jingle of 0.4 s is not one of no length.
        xml.text("itunes:duration", &ms.saturating_add(500).div_euclid(1000).max(1).to_string());
    }
    let bitrate = medium.bitrate_bps.map(|bps| bps.to_string());
    let mut attributes = vec![("type", &*medium.mime), ("length", &*bytes)];
    if let Some(bitrate) = &bitrate {
        attributes.push(("bitrate", bitrate));
    }
    attributes.extend([("default", "true"), ("title", "Standard")]);
    xml.open("podcast:alternateEnclosure", &attributes);
    // HTTP first: the first source is the one that apps take. The type is repeated at the magnet link, else parsers
    // take it for audio.
    xml.empty("podcast:source", &[("uri", &medium.url)]);
    for uri in [&medium.torrent_url, &medium.magnet] {
        xml.empty("podcast:source", &[("uri", uri), ("contentType", "application/x-bittorrent")]);
    }
    if let Some(sha384) = &medium.sha384 {
        let integrity = integrity(sha384);
        xml.empty("podcast:integrity", &[("type", "sri"), ("value", &integrity)]);
    }
    xml.close("podcast:alternateEnclosure");
}

fn yes_no(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// A hash as `podcast:integrity` and pages write it (Subresource Integrity).
pub fn integrity(sha384: &[u8; 48]) -> String {
    format!("sha384-{}", base64(sha384))
}

/// Base64 (RFC 4648, section 4) of a hash whose length is a multiple of three, so that there is no padding.
fn base64(hash: &[u8; 48]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (groups, _) = hash.as_chunks::<3>();
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    groups
        .iter()
        .map(|&[a, b, c]| u32::from_be_bytes([0, a, b, c]))
        .flat_map(|bits| [bits >> 18, bits >> 12, bits >> 6, bits].map(digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let mut hash = [0; 48];
        hash[..6].copy_from_slice(b"foobar");
        hash[45..].copy_from_slice(&[0xfb, 0xff, 0xff]);
        assert_eq!(base64(&hash), format!("Zm9vYmFy{}+///", "A".repeat(52)));
    }
}
