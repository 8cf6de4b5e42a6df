//! Whole feeds, read back by a parser of other hands.

use expect_test::expect;
use time::macros::datetime;

use super::*;

fn channel() -> Channel {
    Channel {
        title: "Tides & Tables".into(),
        description: "A show\u{0} about <the coast>".into(),
        link: "https://show.example.org/".into(),
        feed_url: "https://show.example.org/feed.xml".into(),
        language: "en".into(),
        generator: "everseed".into(),
        copyright: Some("2026 Tide Tables".into()),
    }
}

fn show() -> Show {
    Show {
        author: Some("Ines Tarrow".into()),
        email: Some("hello@show.example.org".into()),
        image: Some("https://show.example.org/cover.jpg".into()),
        categories: vec![
            Category { name: "Science".into(), children: vec!["Nature".into()] },
            Category { name: "Arts".into(), children: vec![] },
        ],
        explicit: false,
        serial: true,
        guid: show_guid("https://show.example.org/feed.xml"),
    }
}

fn episode() -> Episode {
    Episode {
        title: "The lamp".into(),
        link: "https://show.example.org/episodes/ep1/".into(),
        guid: episode_guid("ep1").to_string(),
        date: datetime!(2026-05-01 06:00 +1),
        description: "<p>A ]]> lamp</p>".into(),
        content: "<p>A lamp</p><table></table>".into(),
        medium: Medium {
            url: "https://show.example.org/media/ep1.mp3".into(),
            bytes: 240_760,
            mime: "audio/mpeg".into(),
            bitrate_bps: Some(64_000),
            duration_ms: Some(100_050),
            sha384: Some([0; 48]),
            torrent_url: "https://show.example.org/torrents/ep1.torrent".into(),
            magnet: "magnet:?xt=urn:btih:00&dn=ep1.mp3".into(),
        },
        image: Some("https://show.example.org/episodes/ep1/art.jpg".into()),
        explicit: Some(true),
        season: Some(1),
        episode: Some(2),
        transcript: Some(Transcript {
            url: "https://show.example.org/episodes/ep1/ep1.vtt".into(),
            mime: "text/vtt".into(),
            language: "en".into(),
        }),
        chapters_url: Some("https://show.example.org/episodes/ep1/chapters.json".into()),
    }
}

fn torrent_item() -> TorrentItem {
    TorrentItem {
        title: "The lamp".into(),
        link: "https://show.example.org/episodes/ep1/".into(),
        date: Some(datetime!(2026-05-01 06:00 +1)),
        description: "é".repeat(2001),
        info_hash: InfoHash([0xab; 20]),
        torrent_url: "https://show.example.org/torrents/ep1.torrent".into(),
        torrent_bytes: 472,
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn a_podcast_feed_is_this_and_a_foreign_parser_reads_it() {
    let bytes = podcast(&channel(), &show(), &[episode()]);
    expect![[r#"
        <?xml version="1.0" encoding="utf-8"?>
        <rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/">
          <channel>
            <title>Tides &amp; Tables</title>
            <link>https://show.example.org/</link>
            <atom:link href="https://show.example.org/feed.xml" rel="self" type="application/rss+xml"/>
            <description>A show about &lt;the coast&gt;</description>
            <language>en</language>
            <copyright>2026 Tide Tables</copyright>
            <generator>everseed</generator>
            <lastBuildDate>Fri, 01 May 2026 06:00:00 +0100</lastBuildDate>
            <podcast:guid>ee8652b0-fb36-5d4d-b957-cb3daeec47a6</podcast:guid>
            <podcast:locked owner="hello@show.example.org">yes</podcast:locked>
            <itunes:author>Ines Tarrow</itunes:author>
            <itunes:owner>
              <itunes:name>Ines Tarrow</itunes:name>
              <itunes:email>hello@show.example.org</itunes:email>
            </itunes:owner>
            <itunes:type>serial</itunes:type>
            <itunes:explicit>false</itunes:explicit>
            <itunes:category text="Science">
              <itunes:category text="Nature"/>
            </itunes:category>
            <itunes:category text="Arts"/>
            <itunes:image href="https://show.example.org/cover.jpg"/>
            <image>
              <url>https://show.example.org/cover.jpg</url>
              <title>Tides &amp; Tables</title>
              <link>https://show.example.org/</link>
            </image>
            <item>
              <title>The lamp</title>
              <link>https://show.example.org/episodes/ep1/</link>
              <guid isPermaLink="false">e07536c3-8ab9-5355-9341-a13139628591</guid>
              <pubDate>Fri, 01 May 2026 06:00:00 +0100</pubDate>
              <description><![CDATA[<p>A ]]]]><![CDATA[> lamp</p>]]></description>
              <content:encoded><![CDATA[<p>A lamp</p><table></table>]]></content:encoded>
              <enclosure url="https://show.example.org/media/ep1.mp3" length="240760" type="audio/mpeg"/>
              <itunes:duration>100</itunes:duration>
              <podcast:alternateEnclosure type="audio/mpeg" length="240760" bitrate="64000" default="true" title="Standard">
                <podcast:source uri="https://show.example.org/media/ep1.mp3"/>
                <podcast:source uri="https://show.example.org/torrents/ep1.torrent" contentType="application/x-bittorrent"/>
                <podcast:source uri="magnet:?xt=urn:btih:00&amp;dn=ep1.mp3" contentType="application/x-bittorrent"/>
                <podcast:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/>
              </podcast:alternateEnclosure>
              <itunes:image href="https://show.example.org/episodes/ep1/art.jpg"/>
              <itunes:explicit>true</itunes:explicit>
              <itunes:season>1</itunes:season>
              <podcast:season>1</podcast:season>
              <itunes:episode>2</itunes:episode>
              <podcast:episode>2</podcast:episode>
              <itunes:episodeType>full</itunes:episodeType>
              <podcast:transcript url="https://show.example.org/episodes/ep1/ep1.vtt" type="text/vtt" language="en"/>
              <podcast:chapters url="https://show.example.org/episodes/ep1/chapters.json" type="application/json+chapters"/>
            </item>
          </channel>
        </rss>
    "#]].assert_eq(&text(bytes.clone()));

    let read = rss::Channel::read_from(&bytes[..]).expect("RSS");
    let item = &read.items()[0];
    assert_eq!(read.title(), "Tides & Tables");
    assert_eq!(item.description(), Some("<p>A ]]> lamp</p>"));
    assert_eq!(item.content(), Some("<p>A lamp</p><table></table>"));
    assert_eq!(item.enclosure().map(rss::Enclosure::url), Some("https://show.example.org/media/ep1.mp3"));
    let sources = &item.extensions()["podcast"]["alternateEnclosure"][0].children()["source"];
    assert_eq!(sources[2].attrs()["uri"], "magnet:?xt=urn:btih:00&dn=ep1.mp3");
}

#[test]
fn a_podcast_feed_holds_only_what_is_known() {
    let channel = Channel { copyright: None, ..channel() };
    let show = Show { author: None, email: None, image: None, categories: vec![], serial: false, ..show() };
    let medium = Medium { bitrate_bps: None, duration_ms: None, ..episode().medium };
    let episode = Episode {
        description: String::new(),
        content: String::new(),
        medium,
        image: None,
        explicit: None,
        season: None,
        episode: None,
        transcript: None,
        chapters_url: None,
        ..episode()
    };
    expect![[r#"
        <?xml version="1.0" encoding="utf-8"?>
        <rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/">
          <channel>
            <title>Tides &amp; Tables</title>
            <link>https://show.example.org/</link>
            <atom:link href="https://show.example.org/feed.xml" rel="self" type="application/rss+xml"/>
            <description>A show about &lt;the coast&gt;</description>
            <language>en</language>
            <generator>everseed</generator>
            <lastBuildDate>Fri, 01 May 2026 06:00:00 +0100</lastBuildDate>
            <podcast:guid>ee8652b0-fb36-5d4d-b957-cb3daeec47a6</podcast:guid>
            <podcast:locked>yes</podcast:locked>
            <itunes:type>episodic</itunes:type>
            <itunes:explicit>false</itunes:explicit>
            <item>
              <title>The lamp</title>
              <link>https://show.example.org/episodes/ep1/</link>
              <guid isPermaLink="false">e07536c3-8ab9-5355-9341-a13139628591</guid>
              <pubDate>Fri, 01 May 2026 06:00:00 +0100</pubDate>
              <enclosure url="https://show.example.org/media/ep1.mp3" length="240760" type="audio/mpeg"/>
              <podcast:alternateEnclosure type="audio/mpeg" length="240760" default="true" title="Standard">
                <podcast:source uri="https://show.example.org/media/ep1.mp3"/>
                <podcast:source uri="https://show.example.org/torrents/ep1.torrent" contentType="application/x-bittorrent"/>
                <podcast:source uri="magnet:?xt=urn:btih:00&amp;dn=ep1.mp3" contentType="application/x-bittorrent"/>
                <podcast:integrity type="sri" value="sha384-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/>
              </podcast:alternateEnclosure>
              <itunes:episodeType>full</itunes:episodeType>
            </item>
          </channel>
        </rss>
    "#]].assert_eq(&text(podcast(&channel, &show, &[episode])));
}

#[test]
fn a_torrent_feed_is_this_and_a_foreign_parser_reads_it() {
    let bytes = torrents(&channel(), &[torrent_item()]);
    let shown = text(bytes.clone()).replace(&"é".repeat(1999), "…");
    expect![[r#"
        <?xml version="1.0" encoding="utf-8"?>
        <rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom">
          <channel>
            <title>Tides &amp; Tables</title>
            <link>https://show.example.org/</link>
            <atom:link href="https://show.example.org/feed.xml" rel="self" type="application/rss+xml"/>
            <description>A show about &lt;the coast&gt;</description>
            <language>en</language>
            <copyright>2026 Tide Tables</copyright>
            <generator>everseed</generator>
            <lastBuildDate>Fri, 01 May 2026 06:00:00 +0100</lastBuildDate>
            <item>
              <title>The lamp</title>
              <link>https://show.example.org/episodes/ep1/</link>
              <guid isPermaLink="false">abababababababababababababababababababab</guid>
              <pubDate>Fri, 01 May 2026 06:00:00 +0100</pubDate>
              <description>…é</description>
              <enclosure url="https://show.example.org/torrents/ep1.torrent" length="472" type="application/x-bittorrent"/>
            </item>
          </channel>
        </rss>
    "#]].assert_eq(&shown);

    let read = rss::Channel::read_from(&bytes[..]).expect("RSS");
    assert_eq!(read.items()[0].description().map(str::len), Some(DESCRIPTION_BYTES_MAX));
}

#[test]
fn an_empty_feed_has_no_date_of_its_own() {
    assert!(!text(torrents(&channel(), &[])).contains("lastBuildDate"));
}
