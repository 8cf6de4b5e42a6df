//! Attaching as a user meets it: a site that another generator has built, the whole command line, whole output.

#[path = "../house/mod.rs"]
mod house;

mod feeds;
mod lock;
mod usage;

use std::fs;

use expect_test::expect;
use house::attach::{Attached, BASE, bare, enclosure, episodes, item, rss};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

/// What a command printed, below what was typed.
fn told(site: &Attached, args: &[&str]) -> String {
    format!("$ {}\n{}", args.join(" "), site.run(args).whole())
}

#[test]
fn a_site_gets_torrents_and_its_feed_names_them() {
    let site = Attached::show();
    let before = site.files();
    expect![[r#"
        [stdout]
        public: 1 feed, 2 torrents; hashed 2 files (1.4 MB), wrote 5, removed 0, left 0 as they were
        [exit 0]
    "#]]
    .assert_eq(&site.attach(&[]).whole());
    let after = site.files();
    let added: Vec<_> = after.keys().filter(|name| !before.contains_key(*name)).collect();
    assert_eq!(added, ["everseed.json", "torrents.xml", "torrents/ep1.torrent", "torrents/ep2.torrent"]);
    for (name, bytes) in before.iter().filter(|(name, _)| *name != "feed.xml") {
        assert!(after[name] == *bytes, "{name} differs");
    }
    let feed = site.text("feed.xml");
    assert_eq!(bare(&feed), rss(&episodes()));
    expect![[r#"
        <?xml version="1.0" encoding="utf-8"?>
        <rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:podcast="https://podcastindex.org/namespace/1.0">
          <channel>
            <title>A show</title>
            <link>https://show.example.org/</link>
            <!-- everseed --><atom:link rel="alternate" type="application/rss+xml" title="Torrents" href="https://show.example.org/torrents.xml"/>
            <description>About things.</description>
            <language>en</language>
            <item>
              <title>Two</title>
              <guid isPermaLink="false">two</guid>
              <link>https://show.example.org/two/</link>
              <pubDate>08 May 2026 06:00:00 GMT</pubDate>
              <itunes:duration>0:20</itunes:duration>
              <enclosure url="https://show.example.org/audio/ep2.mp3" length="1048593" type="audio/mpeg"/>
              <!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1048593" bitrate="127736" default="true" title="Standard">
                <podcast:source uri="https://show.example.org/audio/ep2.mp3"/>
                <podcast:source uri="https://show.example.org/torrents/ep2.torrent" contentType="application/x-bittorrent"/>
                <podcast:source uri="magnet:?xt=urn:btih:a1fa75228a293c219553145aaf24d58d3cc6922b&amp;dn=ep2.mp3&amp;xl=1048593&amp;tr=https%3A%2F%2Fshow.example.org%2Fannounce&amp;ws=https%3A%2F%2Fshow.example.org%2Faudio%2Fep2.mp3" contentType="application/x-bittorrent"/>
                <podcast:integrity type="sri" value="sha384-/NJw9B2+21Tn21JUhzVGu5iSZquZAtsrkpML8/XVcjpCFnmYgM+q4WKZvu6Hs/RK"/>
              </podcast:alternateEnclosure>
            </item>
            <item>
              <title>One</title>
              <guid isPermaLink="false">one</guid>
              <link>https://show.example.org/one/</link>
              <pubDate>01 May 2026 06:00:00 GMT</pubDate>
              <itunes:duration>0:20</itunes:duration>
              <enclosure url="https://show.example.org/audio/ep1.mp3" length="307200" type="audio/mpeg"/>
              <!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="307200" bitrate="127826" default="true" title="Standard">
                <podcast:source uri="https://show.example.org/audio/ep1.mp3"/>
                <podcast:source uri="https://show.example.org/torrents/ep1.torrent" contentType="application/x-bittorrent"/>
                <podcast:source uri="magnet:?xt=urn:btih:e40f9fc054874c25db1463d1115da237f938ec48&amp;dn=ep1.mp3&amp;xl=307200&amp;tr=https%3A%2F%2Fshow.example.org%2Fannounce&amp;ws=https%3A%2F%2Fshow.example.org%2Faudio%2Fep1.mp3" contentType="application/x-bittorrent"/>
                <podcast:integrity type="sri" value="sha384-oUHOH5QSSKR1mb9ym1qsEORVDcmznlkVCm/B6B6eFKGnSElZcF5xqBXyi6xkis3+"/>
              </podcast:alternateEnclosure>
            </item>
          </channel>
        </rss>
    "#]].assert_eq(&feed);
    let torrent = site.torrent("ep1").metainfo;
    assert_eq!(torrent.trackers, [["https://show.example.org/announce"]]);
    assert_eq!(torrent.web_seeds, ["https://show.example.org/audio/ep1.mp3"]);
    let manifest = json(&site.text("everseed.json"));
    assert_eq!(manifest["torrents"][0]["files"][0]["path"], "audio/ep2.mp3");
    assert!(!site.root().join("everseed.lock").exists(), "it was not asked for");
}

#[test]
fn a_second_run_changes_nothing() {
    let site = Attached::show();
    site.attach(&[]).ok();
    let before = site.stamps();
    expect![[r#"
        [stdout]
        public: 1 feed, 2 torrents; hashed 0 files (0 B), wrote 0, removed 0, left 5 as they were
        [exit 0]
    "#]]
    .assert_eq(&site.attach(&[]).whole());
    assert_eq!(site.stamps(), before);
    // The generator writes its feed anew, and the next run gives the same bytes.
    let amended = site.files();
    let site = site.feed("feed.xml", &rss(&episodes()));
    site.attach(&[]).ok();
    assert!(site.files() == amended);
}

#[test]
fn a_dry_run_shows_what_would_be_inserted_and_writes_nothing() {
    let site = Attached::show();
    let before = site.stamps();
    expect![[r#"
        [stdout]
        public/everseed.json: added
        public/feed.xml:5: + <!-- everseed --><atom:link rel="alternate" type="application/rss+xml" title="Torrents" href="https://show.example.org/torrents.xml"/>
        public/feed.xml:14: + <!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1048593" bitrate="127736" default="true" title="Standard">
        public/feed.xml:14: +   <podcast:source uri="https://show.example.org/audio/ep2.mp3"/>
        public/feed.xml:14: +   <podcast:source uri="https://show.example.org/torrents/ep2.torrent" contentType="application/x-bittorrent"/>
        public/feed.xml:14: +   <podcast:source uri="magnet:?xt=urn:btih:a1fa75228a293c219553145aaf24d58d3cc6922b&amp;dn=ep2.mp3&amp;xl=1048593&amp;tr=https%3A%2F%2Fshow.example.org%2Fannounce&amp;ws=https%3A%2F%2Fshow.example.org%2Faudio%2Fep2.mp3" contentType="application/x-bittorrent"/>
        public/feed.xml:14: +   <podcast:integrity type="sri" value="sha384-/NJw9B2+21Tn21JUhzVGu5iSZquZAtsrkpML8/XVcjpCFnmYgM+q4WKZvu6Hs/RK"/>
        public/feed.xml:14: + </podcast:alternateEnclosure>
        public/feed.xml:22: + <!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="307200" bitrate="127826" default="true" title="Standard">
        public/feed.xml:22: +   <podcast:source uri="https://show.example.org/audio/ep1.mp3"/>
        public/feed.xml:22: +   <podcast:source uri="https://show.example.org/torrents/ep1.torrent" contentType="application/x-bittorrent"/>
        public/feed.xml:22: +   <podcast:source uri="magnet:?xt=urn:btih:e40f9fc054874c25db1463d1115da237f938ec48&amp;dn=ep1.mp3&amp;xl=307200&amp;tr=https%3A%2F%2Fshow.example.org%2Fannounce&amp;ws=https%3A%2F%2Fshow.example.org%2Faudio%2Fep1.mp3" contentType="application/x-bittorrent"/>
        public/feed.xml:22: +   <podcast:integrity type="sri" value="sha384-oUHOH5QSSKR1mb9ym1qsEORVDcmznlkVCm/B6B6eFKGnSElZcF5xqBXyi6xkis3+"/>
        public/feed.xml:22: + </podcast:alternateEnclosure>
        public/torrents.xml: added
        public/torrents/ep1.torrent: added
        public/torrents/ep2.torrent: added
        public: 1 feed, 2 torrents; hashed 2 files (1.4 MB), would write 5, remove 0, leave 0 as they are
        [exit 0]
    "#]].assert_eq(&site.attach(&["--dry-run"]).whole());
    assert_eq!(site.stamps(), before);
    let summary = json(&site.attach(&["--dry-run", "--json"]).ok().stdout);
    assert_eq!((&summary["dry_run"], &summary["files_written"]), (&true.into(), &5.into()));
    let changes: Vec<_> = summary["changes"].as_array().expect("a list").iter().collect();
    let done: Vec<_> = changes.iter().map(|change| format!("{} {}", change["does"], change["path"])).collect();
    expect![[r#"
        "added" "everseed.json"
        "amended" "feed.xml"
        "added" "torrents.xml"
        "added" "torrents/ep1.torrent"
        "added" "torrents/ep2.torrent""#]]
    .assert_eq(&done.join("\n"));
    assert_eq!(site.stamps(), before);
    site.attach(&[]).ok();
    let before = site.stamps();
    let run = site.attach(&["--dry-run"]).ok();
    assert!(run.stdout.contains("would write 0, remove 0, leave 5 as they are"), "{}", run.stdout);
    assert_eq!(site.stamps(), before);
}

/// A feed with one item whose medium is there, and one whose medium is not.
fn half() -> Attached {
    let gone = item("Gone", 15, &[enclosure(&format!("{BASE}audio/gone.mp3"), 1000)]);
    Attached::show().feed("feed.xml", &rss(&[&[gone][..], &episodes()].concat()))
}

#[test]
fn an_enclosure_without_its_medium_is_told_and_the_rest_is_done() {
    let site = half();
    expect![[r#"
        [stdout]
        public: 1 feed, 2 torrents; hashed 2 files (1.4 MB), wrote 5, removed 0, left 0 as they were, 1 finding
        [stderr]
        warning: public/feed.xml:14: the enclosure "https://show.example.org/audio/gone.mp3" leads to no file that is here
          help: name the folder of the media with --media, or let `everseed lock` download it once, and keep everseed.lock and torrents/ in version control
        [exit 0]
    "#]].assert_eq(&site.attach(&[]).whole());
    let feed = site.text("feed.xml");
    assert_eq!(feed.matches("<podcast:alternateEnclosure").count(), 2, "{feed}");
    let summary = json(&site.attach(&["--json"]).ok().stdout);
    assert_eq!(summary["findings"][0]["rule"], "no-media");
    assert_eq!(summary["feeds"][0]["with_torrent"], 2);
}

#[test]
fn with_strict_a_finding_keeps_all_from_being_written() {
    let site = half();
    let before = site.stamps();
    let run = site.attach(&["--strict", "--summary", "summary.md"]);
    expect![[r#"
        [stderr]
        error: public/feed.xml:14: the enclosure "https://show.example.org/audio/gone.mp3" leads to no file that is here
          help: name the folder of the media with --media, or let `everseed lock` download it once, and keep everseed.lock and torrents/ in version control
        1 finding; nothing was changed
        [exit 2]
    "#]].assert_eq(&run.whole());
    expect![[r###"
        ## public: nothing was changed

        ### 1 finding

        - public/feed.xml:14: the enclosure "https://show.example.org/audio/gone.mp3" leads to no file that is here
          help: name the folder of the media with --media, or let \`everseed lock\` download it once, and keep everseed.lock and torrents/ in version control

    "###]].assert_eq(&fs::read_to_string(site.root().join("summary.md")).expect("written"));
    assert_eq!(site.stamps(), before);
    assert_eq!(site.run_with(&["attach", "--base-url", BASE], &[("EVERSEED_STRICT", "yes")]).code, Some(2));
    let site = site.put("everseed.toml", b"[attach]\nstrict = true\n");
    assert_eq!(site.attach(&[]).code, Some(2));
    assert_eq!(site.stamps(), before);
    site.run_with(&["attach", "--base-url", BASE], &[("EVERSEED_STRICT", "0")]).ok();
}

#[test]
fn a_site_may_stand_below_a_path_and_move() {
    let moved = |text: &str| text.replace(BASE, "https://example.org/show/");
    let site = Attached::show().feed("feed.xml", &moved(&rss(&episodes()))).at("https://example.org/show");
    site.attach(&["--strict"]).ok();
    assert_eq!(site.torrent("ep1").metainfo.web_seeds, ["https://example.org/show/audio/ep1.mp3"]);
    assert_eq!(site.torrent("ep1").metainfo.trackers, [["https://example.org/show/announce"]]);
    let feed = site.text("feed.xml");
    assert!(feed.contains("https://example.org/show/torrents/ep1.torrent"), "{feed}");
    let hash = site.torrent("ep1").info_hashes;
    // To another address: the generator has written it anew, or only what was inserted is old.
    for fresh in [true, false] {
        let text = if fresh { rss(&episodes()) } else { site.text("feed.xml").replace("/show/audio/", "/audio/") };
        let text = text.replace("https://example.org/audio/", &format!("{BASE}audio/"));
        let there = Attached::show().feed("feed.xml", &text);
        there.attach(&["--strict"]).ok();
        let feed = there.text("feed.xml");
        assert_eq!(bare(&feed), bare(&text));
        assert_eq!(feed.matches("<podcast:alternateEnclosure").count(), 2, "{feed}");
        assert!(!feed.contains("example.org/show/torrents"), "{feed}");
        assert!(there.torrent("ep1").info_hashes == hash, "the address is no part of it");
    }
}

#[test]
fn pages_are_touched_only_where_their_author_asks_for_links() {
    let page = "<!doctype html>\n<p>One\n<div data-everseed=\"ep1\"></div>\n<p>End\n";
    let site = Attached::show().put("public/one/index.html", page.as_bytes());
    site.attach(&[]).ok();
    assert_eq!(site.text("one/index.html"), page);
    let index = site.text("index.html");
    expect![[r#"
        [stdout]
        public: 1 feed, 2 torrents, 1 element of pages; hashed 0 files (0 B), wrote 1, removed 0, left 5 as they were
        [exit 0]
    "#]]
    .assert_eq(&site.attach(&["--html"]).whole());
    expect![[r#"
        <!doctype html>
        <p>One
        <div data-everseed="ep1"><!-- everseed --><a class="everseed-download" href="https://show.example.org/audio/ep1.mp3" download aria-label="Download: One">Download</a> <span class="everseed-size">(307.2 kB)</span> <a class="everseed-torrent" href="https://show.example.org/torrents/ep1.torrent" type="application/x-bittorrent" aria-label="Torrent: One">Torrent</a> <a class="everseed-magnet" href="magnet:?xt=urn:btih:e40f9fc054874c25db1463d1115da237f938ec48&amp;dn=ep1.mp3&amp;xl=307200&amp;tr=https%3A%2F%2Fshow.example.org%2Fannounce&amp;ws=https%3A%2F%2Fshow.example.org%2Faudio%2Fep1.mp3" aria-label="Magnet link: One">Magnet link</a></div>
        <p>End
    "#]].assert_eq(&site.text("one/index.html"));
    assert_eq!(site.text("index.html"), index);
    let before = site.stamps();
    site.run_with(&["attach", "--base-url", BASE], &[("EVERSEED_HTML", "1")]).ok();
    assert_eq!(site.stamps(), before);
}

#[test]
fn the_summary_is_added_to_a_file_for_the_pages_of_ci_jobs() {
    let site = half().put("summary.md", b"# What was here\n\n");
    site.run_with(&["attach", "--base-url", BASE], &[("EVERSEED_SUMMARY", "summary.md")]).ok();
    expect![[r##"
        # What was here

        ## Torrents of https://show.example.org/

        public: 1 feed, 2 torrents; hashed 2 files (1.4 MB), wrote 5, removed 0, left 0 as they were, 1 finding

        | Title | Size | Torrent | Magnet link |
        | --- | ---: | --- | --- |
        | Two | 1.0 MB | [ep2.torrent](<https://show.example.org/torrents/ep2.torrent>) | `magnet:?xt=urn:btih:a1fa75228a293c219553145aaf24d58d3cc6922b&dn=ep2.mp3&xl=1048593&tr=https%3A%2F%2Fshow.example.org%2Fannounce&ws=https%3A%2F%2Fshow.example.org%2Faudio%2Fep2.mp3` |
        | One | 307.2 kB | [ep1.torrent](<https://show.example.org/torrents/ep1.torrent>) | `magnet:?xt=urn:btih:e40f9fc054874c25db1463d1115da237f938ec48&dn=ep1.mp3&xl=307200&tr=https%3A%2F%2Fshow.example.org%2Fannounce&ws=https%3A%2F%2Fshow.example.org%2Faudio%2Fep1.mp3` |

        ### 1 finding

        - public/feed.xml:14: the enclosure "https://show.example.org/audio/gone.mp3" leads to no file that is here
          help: name the folder of the media with --media, or let \`everseed lock\` download it once, and keep everseed.lock and torrents/ in version control

    "##]].assert_eq(&fs::read_to_string(site.root().join("summary.md")).expect("written"));
    let before = site.stamps();
    expect![[r#"
        [stderr]
        error: nowhere/summary.md: the summary can't be written: No such file or directory (os error 2)
          help: name a file in a folder that exists and can be written with --summary
        [exit 1]
    "#]]
    .assert_eq(&site.attach(&["--accept-changed", "--summary", "nowhere/summary.md"]).whole());
    assert_eq!(site.stamps(), before);
}

#[test]
#[cfg(feature = "serve")]
fn an_attached_site_is_served_tracked_and_seeded() {
    use house::{KIB, MIB};

    let site = Attached::new()
        .feed("feed.xml", &rss(&episodes()))
        .media("public/audio/ep1.mp3", 300 * KIB)
        .media("masters/ep2.mp3", MIB + 17);
    site.attach(&["--media", "masters", "--strict"]).ok();
    let server = site.serve();
    assert_eq!(server.greeted("seeding"), "2 of 2 torrents");
    for name in ["everseed.json", "feed.xml", "torrents.xml", "torrents/ep1.torrent", "audio/ep2.mp3"] {
        let answer = server.get(&format!("/{name}"));
        assert_eq!(answer.status, 200, "{name}");
        assert!(answer.body == site.files()[name], "{name}");
    }
    let hash = site.torrent("ep1").info_hashes.main().0;
    let hash = hash.iter().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    let id = "%01".repeat(20);
    let answer = server.get(&format!(
        "/announce?info_hash={hash}&peer_id={id}&port=20001&uploaded=0&downloaded=0&left=5&compact=1&event=started"
    ));
    let text = answer.body.escape_ascii().to_string();
    assert!(text.contains("8:completei1e") && text.contains("8:intervali"), "{text}");
}

#[test]
fn an_episode_that_goes_takes_its_torrent_with_it() {
    let site = Attached::show();
    site.attach(&[]).ok();
    let site = site.feed("feed.xml", &rss(&episodes()[..1]));
    expect![[r#"
        [stdout]
        public/everseed.json: replaced
        public/feed.xml:5: + <!-- everseed --><atom:link rel="alternate" type="application/rss+xml" title="Torrents" href="https://show.example.org/torrents.xml"/>
        public/feed.xml:14: + <!-- everseed --><podcast:alternateEnclosure type="audio/mpeg" length="1048593" bitrate="127736" default="true" title="Standard">
        public/feed.xml:14: +   <podcast:source uri="https://show.example.org/audio/ep2.mp3"/>
        public/feed.xml:14: +   <podcast:source uri="https://show.example.org/torrents/ep2.torrent" contentType="application/x-bittorrent"/>
        public/feed.xml:14: +   <podcast:source uri="magnet:?xt=urn:btih:a1fa75228a293c219553145aaf24d58d3cc6922b&amp;dn=ep2.mp3&amp;xl=1048593&amp;tr=https%3A%2F%2Fshow.example.org%2Fannounce&amp;ws=https%3A%2F%2Fshow.example.org%2Faudio%2Fep2.mp3" contentType="application/x-bittorrent"/>
        public/feed.xml:14: +   <podcast:integrity type="sri" value="sha384-/NJw9B2+21Tn21JUhzVGu5iSZquZAtsrkpML8/XVcjpCFnmYgM+q4WKZvu6Hs/RK"/>
        public/feed.xml:14: + </podcast:alternateEnclosure>
        public/torrents.xml: replaced
        public/torrents/ep1.torrent: removed
        public: 1 feed, 1 torrent; hashed 0 files (0 B), would write 3, remove 1, leave 1 as they are, 1 finding
        [stderr]
        warning: public/torrents/ep1.torrent: goes: no feed has an enclosure for "One" any more
          help: let the feed name all episodes, if its torrent is to stay
        [exit 0]
    "#]].assert_eq(&site.attach(&["--dry-run"]).whole());
    site.attach(&[]).ok();
    assert!(!site.public().join("torrents/ep1.torrent").exists());
    assert!(site.public().join("audio/ep1.mp3").exists(), "it is the author's");
}
