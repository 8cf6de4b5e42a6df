//! `feed.xml`: the feed for podcast apps (RSS 2.0, PSP-1, the podcast namespace).

use super::alternate::{self, Attributes, Facts};
use super::xml::{Xml, channel, limited, rfc2822};
use super::{CHAPTERS_MIME, Category, Channel, DESCRIPTION_BYTES_MAX, Episode, Medium, Show};
use crate::units::whole_secs;

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
        xml.text("itunes:duration", &whole_secs(ms).max(1).to_string());
    }
    let facts = Facts {
        url: &medium.url,
        mime: &medium.mime,
        bytes: medium.bytes,
        bitrate_bps: medium.bitrate_bps,
        torrent_url: &medium.torrent_url,
        magnet: &medium.magnet,
        sha384: medium.sha384.as_ref(),
        is_default: true,
    };
    xml.open("podcast:alternateEnclosure", &borrowed(&alternate::attributes(&facts)));
    for (name, attributes) in alternate::children(&facts) {
        xml.empty(&format!("podcast:{name}"), &borrowed(&attributes));
    }
    xml.close("podcast:alternateEnclosure");
}

fn borrowed(attributes: &Attributes) -> Vec<(&str, &str)> {
    attributes.iter().map(|(name, value)| (*name, &**value)).collect()
}

fn yes_no(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
