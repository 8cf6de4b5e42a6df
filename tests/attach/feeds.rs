//! What stands in the feeds that are amended, and what is told of it.

use expect_test::expect;

use super::house::KIB;
use super::house::attach::{Attached, BASE, bare, enclosure, episodes, item, rss};
use super::{json, told};

#[test]
fn what_the_feed_says_wrongly_is_told_and_mended_when_asked_for() {
    let wrong = |text: &str| {
        text.replace("length=\"307200\"", "length=\"0\"").replace("<itunes:duration>0:20</itunes:duration>\n      ", "")
    };
    let feed = wrong(&rss(&episodes()));
    let site = Attached::show().feed("feed.xml", &feed);
    expect![[r#"
        [stdout]
        public: 1 feed, 2 torrents; hashed 2 files (1.4 MB), wrote 5, removed 0, left 0 as they were, 3 findings
        [stderr]
        warning: public/feed.xml:13: "Two" has no itunes:duration; its file lasts 1:06
          help: add it to the feed's template, or let --fix duration do it
        warning: public/feed.xml:20: "One" has no itunes:duration; its file lasts 0:19
          help: add it to the feed's template, or let --fix duration do it
        warning: public/feed.xml:20: the enclosure "https://show.example.org/audio/ep1.mp3" has the length 0, and its file has 307200 bytes
          help: mend the feed's template, or let --fix length do it
        [exit 0]
    "#]].assert_eq(&site.attach(&[]).whole());
    assert_eq!(bare(&site.text("feed.xml")), feed);
    expect![[r#"
        [stdout]
        public: 1 feed, 2 torrents; hashed 0 files (0 B), wrote 1, removed 0, left 4 as they were
        [exit 0]
    "#]]
    .assert_eq(&site.attach(&["--fix", "length,duration"]).whole());
    let mended = site.text("feed.xml");
    expect![[r#"
        <?xml version="1.0" encoding="utf-8"?>
        <rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:podcast="https://podcastindex.org/namespace/1.0">
          <channel>
            <title>A show</title>
            <link>https://show.example.org/</link>
            <description>About things.</description>
            <language>en</language>
            <item>
              <title>Two</title>
              <guid isPermaLink="false">two</guid>
              <link>https://show.example.org/two/</link>
              <pubDate>08 May 2026 06:00:00 GMT</pubDate>
              <itunes:duration>66</itunes:duration>
              <enclosure url="https://show.example.org/audio/ep2.mp3" length="1048593" type="audio/mpeg"/>
            </item>
            <item>
              <title>One</title>
              <guid isPermaLink="false">one</guid>
              <link>https://show.example.org/one/</link>
              <pubDate>01 May 2026 06:00:00 GMT</pubDate>
              <itunes:duration>19</itunes:duration>
              <enclosure url="https://show.example.org/audio/ep1.mp3" length="307200" type="audio/mpeg"/>
            </item>
          </channel>
        </rss>
    "#]].assert_eq(&bare(&mended));
    assert!(mended.contains("length=\"307200\""), "{mended}");
    let before = site.stamps();
    assert_eq!(site.attach(&["--fix", "length", "--fix", "duration", "--strict"]).ok().stderr, "");
    assert_eq!(site.stamps(), before);
    // What is mended stays so: it is true.
    assert_eq!(site.attach(&[]).ok().stderr, "");
    assert_eq!(site.stamps(), before);
}

#[test]
fn feeds_share_media_and_an_episode_has_several_formats() {
    let url = |name: &str| format!("{BASE}audio/{name}");
    let both = |len| vec![enclosure(&url("ep1.mp3"), 300 * KIB), enclosure(&url("ep1.ogg"), len)];
    let site = Attached::show()
        .media("public/audio/ep1.ogg", 200 * KIB)
        .feed("feed.xml", &rss(&[episodes()[0].clone(), item("One", 1, &both(200 * KIB))]))
        .feed("en/podcast.rss", &rss(&episodes()));
    let run = site.attach(&["--json"]).ok();
    let summary = json(&run.stdout);
    let feeds: Vec<_> = summary["feeds"].as_array().expect("a list").iter().map(ToString::to_string).collect();
    expect![[r#"
        {"enclosures":2,"items":2,"path":"en/podcast.rss","with_torrent":2}
        {"enclosures":3,"items":2,"path":"feed.xml","with_torrent":3}"#]]
    .assert_eq(&feeds.join("\n"));
    let releases = summary["releases"].as_array().expect("a list");
    let shown = |one: &serde_json::Value| format!("{} {} {}", one["slug"], one["title"], one["bytes"]);
    expect![[r#"
        "ep2" "Two" 1048593
        "ep1.ogg" "One (ep1.ogg)" 204800
        "ep1" "One" 307200"#]]
    .assert_eq(&releases.iter().map(shown).collect::<Vec<_>>().join("\n"));
    for name in ["feed.xml", "en/podcast.rss"] {
        let feed = site.text(name);
        assert_eq!(feed.matches("default=\"true\"").count(), 2, "one an item: {feed}");
        assert_eq!(feed.matches("https://show.example.org/torrents.xml").count(), 1, "{feed}");
    }
    assert_eq!(site.text("feed.xml").matches("<podcast:alternateEnclosure").count(), 3);
    let before = site.stamps();
    site.attach(&[]).ok();
    assert_eq!(site.stamps(), before);
    // One feed alone, named as it stands in the site.
    let site = site.feed("feed.xml", &rss(&episodes())).feed("en/podcast.rss", &rss(&episodes()));
    site.attach(&["--feed", "en/podcast.rss"]).ok();
    assert_eq!(site.text("feed.xml"), rss(&episodes()));
    assert_ne!(site.text("en/podcast.rss"), rss(&episodes()));
    site.attach(&["--feed", "public/feed.xml", "--feed", "en/podcast.rss"]).ok();
    assert_ne!(site.text("feed.xml"), rss(&episodes()));
}

#[test]
fn a_tracking_prefix_stays_in_the_feed_and_is_taken_off_for_the_web_seed() {
    let counted = rss(&episodes()).replace("url=\"https://", "url=\"https://count.example.org/e/");
    let site = Attached::show().feed("feed.xml", &counted);
    site.attach(&["--prefix", "https://count.example.org/e/", "--strict"]).ok();
    let feed = site.text("feed.xml");
    assert_eq!(bare(&feed), counted);
    assert!(
        feed.contains("<podcast:source uri=\"https://count.example.org/e/show.example.org/audio/ep1.mp3\""),
        "{feed}"
    );
    assert_eq!(site.torrent("ep1").metainfo.web_seeds, ["https://show.example.org/audio/ep1.mp3"]);
    let before = site.stamps();
    let prefixes = ("EVERSEED_PREFIX", "https://other.example.org/,https://count.example.org/e/");
    site.run_with(&["attach", "--base-url", BASE], &[prefixes]).ok();
    assert_eq!(site.stamps(), before);
    // Without it they are media of another server.
    assert_eq!(site.attach(&["--strict"]).code, Some(2));
}

#[test]
fn what_is_no_feed_is_passed_over_or_named() {
    let html = "<!doctype html>\n<html><head><title>No feed</title></head><body><p>&nbsp;<br></body></html>\n";
    let site = Attached::show()
        .feed("page.xml", html)
        .feed(
            "sitemap.xml",
            "<?xml version=\"1.0\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\"/>\n",
        )
        .feed("news.xml", &rss(&[item("News", 1, &[])]));
    let run = site.attach(&["--strict"]).ok();
    assert!(run.stdout.starts_with("public: 1 feed, 2 torrents"), "{}", run.stdout);
    assert_eq!(site.text("page.xml"), html);
    assert_eq!(site.text("news.xml"), rss(&[item("News", 1, &[])]));
    let before = site.stamps();
    let site = site.put("feed.xml", rss(&episodes()).as_bytes());
    let mut all = String::new();
    for feed in ["page.xml", "sitemap.xml", "nowhere.xml", "feed.xml", "news.xml"] {
        // Of the project's folder and of the site: the one in the site is meant.
        all += &told(&site, &["attach", "--base-url", BASE, "--dry-run", "--feed", feed]);
    }
    all += &told(&site, &["attach", "--base-url", BASE, "--feed", "../project/feed.xml"]);
    all += &told(&Attached::new(), &["attach", "--base-url", BASE]);
    expect![[r#"
        $ attach --base-url https://show.example.org/ --dry-run --feed page.xml
        [stderr]
        error: public/page.xml: is not a feed: its root is `html`
          help: name an RSS or Atom feed; an HTML page is none, whatever its file is called
        [exit 3]
        $ attach --base-url https://show.example.org/ --dry-run --feed sitemap.xml
        [stderr]
        error: public/sitemap.xml: is not a feed: its root is `urlset`
          help: name an RSS or Atom feed; an HTML page is none, whatever its file is called
        [exit 3]
        $ attach --base-url https://show.example.org/ --dry-run --feed nowhere.xml
        [stderr]
        error: nowhere.xml: is not there, nor in public
          help: name a feed by its path, or by that below the site
        [exit 3]
        $ attach --base-url https://show.example.org/ --dry-run --feed feed.xml
        [stdout]
        public: 1 feed, 2 torrents; hashed 0 files (0 B), would write 0, remove 0, leave 5 as they are
        [exit 0]
        $ attach --base-url https://show.example.org/ --dry-run --feed news.xml
        [stderr]
        error: public: holds no feed whose items have enclosures
          help: let the generator write an RSS feed with an <enclosure> in each item; --feed names one
        [exit 3]
        $ attach --base-url https://show.example.org/ --feed ../project/feed.xml
        [stderr]
        error: ../project/feed.xml: is not in the site public
          help: name a feed of the folder that --site names
        [exit 3]
        $ attach --base-url https://show.example.org/
        [stderr]
        error: public: holds no feed whose items have enclosures
          help: let the generator write an RSS feed with an <enclosure> in each item; --feed names one
        [exit 3]
    "#]]
    .assert_eq(&all);
    assert_eq!(site.stamps(), before);
}

#[test]
fn broken_xml_is_named_by_file_line_and_column() {
    let text = rss(&episodes());
    let mut all = String::new();
    for broken in [
        text.replace("</channel>", "</chanel>"),
        text.replace("</rss>\n", ""),
        text.replace("length=\"307200\"", "length=307200"),
        text.replace("A show", "A & show"),
    ] {
        let site = Attached::show().feed("feed.xml", &broken).feed("en/feed.xml", &text);
        let before = site.stamps();
        all += &site.attach(&[]).whole();
        assert_eq!(site.stamps(), before, "the other feed is not amended either");
    }
    expect![[r#"
        [stderr]
        error: public/feed.xml:24:3: `</chanel>` ends `<channel>`, which begins on line 3
          help: mend the template that writes the feed; feed readers stumble there too
        [exit 3]
        [stderr]
        error: public/feed.xml:25:1: the file ends inside of `<rss>`, which begins on line 2
          help: mend the template that writes the feed; feed readers stumble there too
        [exit 3]
        [stderr]
        error: public/feed.xml:22:70: the value of an attribute stands in no quotation marks
          help: mend the template that writes the feed; feed readers stumble there too
        [exit 3]
        [stderr]
        error: public/feed.xml:4:14: `&` begins no reference
          help: write `&` as `&amp;`
        [exit 3]
    "#]]
    .assert_eq(&all);
}

#[test]
fn feeds_of_every_make_are_the_same_but_for_what_is_inserted() {
    let text = rss(&episodes());
    let minified = text.lines().map(str::trim).collect::<Vec<_>>().concat();
    let awkward = [
        text.replace('\n', "\r\n"),
        format!("\u{feff}{text}"),
        minified,
        text.replace("    ", "\t"),
        text.replace("\"/>", "\" ></enclosure>"),
        text.replace("<title>One</title>", "<title><![CDATA[One <b>&]]></title><!-- <enclosure url=\"a\"/> -->"),
        text.replace(
            "https://podcastindex.org/namespace/1.0",
            "https://github.com/Podcastindex-org/podcast-namespace/blob/main/docs/1.0.md",
        ),
        text.replace("xmlns:podcast=", "xmlns:p=").replace("xmlns:atom=", "xmlns:a="),
        text.replace("url=\"", "\n  url='").replace(".mp3\"", ".mp3'"),
    ];
    for (number, feed) in awkward.iter().enumerate() {
        let site = Attached::show().feed("feed.xml", feed);
        site.attach(&[]).ok();
        let amended = site.text("feed.xml");
        assert_eq!(bare(&amended), *feed, "feed {number}");
        assert_eq!(amended.matches("application/x-bittorrent").count(), 4, "feed {number}: {amended}");
        let before = site.stamps();
        site.attach(&[]).ok();
        assert_eq!(site.stamps(), before, "feed {number}");
    }
    // Namespaces that are not declared come into the root's start tag, and nothing else.
    let none = text.replace(" xmlns:podcast=\"https://podcastindex.org/namespace/1.0\"", "");
    let site = Attached::show().feed("feed.xml", &none);
    site.attach(&[]).ok();
    let amended = bare(&site.text("feed.xml"));
    assert_eq!(amended.replace(" xmlns:podcast=\"https://podcastindex.org/namespace/1.0\"", ""), none);
    assert_eq!(amended.matches("xmlns:podcast").count(), 1);
}

#[test]
fn an_atom_feed_gets_what_its_format_allows() {
    let atom = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" \
         xmlns:podcast=\"https://podcastindex.org/namespace/1.0\">\n  <title>A show</title>\n  <id>{BASE}</id>\n  \
         <updated>2026-05-01T06:00:00Z</updated>\n  <entry>\n    <title>One</title>\n    <id>{BASE}one</id>\n    \
         <updated>2026-05-01T06:00:00Z</updated>\n    <link rel=\"enclosure\" href=\"{BASE}audio/ep1.mp3\" \
         length=\"307200\" type=\"audio/mpeg\"/>\n  </entry>\n</feed>\n"
    );
    let site = Attached::show().without("public/feed.xml").feed("atom.xml", &atom);
    site.attach(&["--strict"]).ok();
    let amended = site.text("atom.xml");
    assert_eq!(bare(&amended), atom);
    expect![[r#"
        <?xml version="1.0" encoding="utf-8"?>
        <feed xmlns="http://www.w3.org/2005/Atom" xmlns:podcast="https://podcastindex.org/namespace/1.0">
          <title>A show</title>
          <!-- everseed --><link rel="related" type="application/rss+xml" title="Torrents" href="https://show.example.org/torrents.xml"/>
          <id>https://show.example.org/</id>
          <updated>2026-05-01T06:00:00Z</updated>
          <entry>
            <title>One</title>
            <id>https://show.example.org/one</id>
            <updated>2026-05-01T06:00:00Z</updated>
            <link rel="enclosure" href="https://show.example.org/audio/ep1.mp3" length="307200" type="audio/mpeg"/>
            <!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="307200" bitrate="127826" default="true" title="Standard">
              <podcast:source uri="https://show.example.org/audio/ep1.mp3"/>
              <podcast:source uri="https://show.example.org/torrents/ep1.torrent" contentType="application/x-bittorrent"/>
              <podcast:source uri="magnet:?xt=urn:btih:e40f9fc054874c25db1463d1115da237f938ec48&amp;dn=ep1.mp3&amp;xl=307200&amp;tr=https%3A%2F%2Fshow.example.org%2Fannounce&amp;ws=https%3A%2F%2Fshow.example.org%2Faudio%2Fep1.mp3" contentType="application/x-bittorrent"/>
              <podcast:integrity type="sri" value="sha384-oUHOH5QSSKR1mb9ym1qsEORVDcmznlkVCm/B6B6eFKGnSElZcF5xqBXyi6xkis3+"/>
            </podcast:alternateEnclosure>
          </entry>
        </feed>
    "#]].assert_eq(&amended);
}

/// What podcast hosts and people write into feeds, and what becomes of it.
#[test]
fn an_enclosure_leads_where_a_client_would_go() {
    let urls = [
        "/audio/ep1.mp3",
        "https://show.example.org/audio/ep2.mp3?source=feed&amp;v=2",
        "https://show.example.org/audio/with%20space.mp3",
        "https://show.example.org/audio/f\u{fc}r.mp3",
        "http://show.example.org/audio/plain.mp3",
        "https://cdn.example.net/2026/far.mp3",
        "https://show.example.org/audio/",
        "https://show.example.org/audio/%2e%2e/ep1.mp3",
        "ftp://show.example.org/audio/ep1.mp3",
        "https://show.example.org/audio/ep1.mp3#t=30",
    ];
    let items: Vec<_> = urls
        .iter()
        .enumerate()
        .map(|(index, url)| {
            let title = char::from(b'A' + u8::try_from(index).expect("few"));
            item(&title.to_string(), 28 - u8::try_from(index).expect("few"), &[enclosure(url, 10 * KIB)])
        })
        .collect();
    let names = ["ep1", "ep2", "with space", "f\u{fc}r", "plain"];
    let site = Attached::new().feed("feed.xml", &rss(&items));
    let site = names.iter().fold(site, |site, name| site.media(&format!("public/audio/{name}.mp3"), 10 * KIB));
    expect![[r#"
        [stdout]
        public: 1 feed, 5 torrents; hashed 5 files (51.2 kB), wrote 8, removed 0, left 0 as they were, 9 findings
        [stderr]
        warning: public/feed.xml:14: the enclosure "/audio/ep1.mp3" is relative, which some podcast apps can't resolve
        warning: public/feed.xml:22: the enclosure "https://show.example.org/audio/ep2.mp3?source=feed&v=2" has a query (`?`), which stays in the web seed
        warning: public/feed.xml:38: the enclosure "https://show.example.org/audio/für.mp3" has characters that are not percent-encoded
        warning: public/feed.xml:46: the enclosure "http://show.example.org/audio/plain.mp3" is http, on a site that is https
        warning: public/feed.xml:54: the enclosure "https://cdn.example.net/2026/far.mp3" leads to no file that is here
          help: name the folder of the media with --media, or let `everseed lock` download it once, and keep everseed.lock and torrents/ in version control
        warning: public/feed.xml:62: the enclosure "https://show.example.org/audio/" names no file: its path ends in `/`
        warning: public/feed.xml:70: the enclosure "https://show.example.org/audio/%2e%2e/ep1.mp3" has a `.` or `..` that is percent-encoded
        warning: public/feed.xml:78: the enclosure "ftp://show.example.org/audio/ep1.mp3" leads to `ftp:`, not to a file on a web server
        warning: public/feed.xml:86: two items have the enclosure "https://show.example.org/audio/ep1.mp3#t=30"; the other is on line 14
        [exit 0]
    "#]].assert_eq(&site.attach(&[]).whole());
    assert_eq!(bare(&site.text("feed.xml")), rss(&items));
    let manifest = json(&site.text("everseed.json"));
    let of = |entry: &serde_json::Value| format!("{} {}", entry["torrent"], entry["files"][0]["path"]);
    let torrents: Vec<_> = manifest["torrents"].as_array().expect("a list").iter().map(of).collect();
    expect![[r#"
        "torrents/ep2.torrent" "audio/ep2.mp3"
        "torrents/with-space.torrent" "audio/with space.mp3"
        "torrents/fur.torrent" "audio/für.mp3"
        "torrents/plain.torrent" "audio/plain.mp3"
        "torrents/ep1.torrent" "audio/ep1.mp3""#]]
    .assert_eq(&torrents.join("\n"));
    let before = site.stamps();
    site.attach(&[]).ok();
    assert_eq!(site.stamps(), before);
}

#[test]
fn what_others_wrote_beside_an_enclosure_stays() {
    let theirs = "      <podcast:alternateEnclosure type=\"audio/mpeg\" length=\"1000\" default=\"true\">\n        \
        <podcast:source uri=\"https://cdn.example.net/ep1-low.mp3\"/>\n      </podcast:alternateEnclosure>\n";
    let with = rss(&[item("One", 1, &[enclosure(&format!("{BASE}audio/ep1.mp3"), 300 * KIB), theirs.to_owned()])]);
    let site = Attached::show().feed("feed.xml", &with);
    site.attach(&["--strict"]).ok();
    let amended = site.text("feed.xml");
    assert_eq!(bare(&amended), with);
    assert_eq!(amended.matches("<podcast:alternateEnclosure").count(), 2, "{amended}");
    assert_eq!(amended.matches("default=\"true\"").count(), 1, "theirs is the one that apps take: {amended}");
}
