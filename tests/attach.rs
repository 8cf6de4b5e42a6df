//! Attaching as a user meets it: a site that another generator has built, the whole command line, whole output.

mod house;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use expect_test::expect;
use house::attach::{Attached, BASE, bare, enclosure, episodes, item, rss};
use house::web::{File, Web};
use house::{KIB, MIB, mp3};

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
fn with_a_lock_neither_media_nor_network_are_needed() {
    let site = Attached::show();
    expect![[r#"
        [stdout]
        everseed.lock: 2 records; added 2, changed 0, removed 0; hashed 2 files (1.4 MB); for templates data/everseed.json
        [exit 0]
    "#]]
    .assert_eq(&site.lock(&[]).whole());
    assert_eq!(site.files().len(), 4, "the site is not touched");
    site.attach(&[]).ok();
    // As in CI: what is in version control, and what the generator makes of it.
    let clone = Attached::new()
        .feed("feed.xml", &rss(&episodes()))
        .taking(&site, |name| name == "everseed.lock" || name.starts_with("torrents/"));
    expect![[r#"
        [stdout]
        public: 1 feed, 2 torrents; hashed 0 files (0 B), wrote 5, removed 0, left 0 as they were
        [exit 0]
    "#]]
    .assert_eq(&clone.attach(&["--locked"]).whole());
    let mut expected = site.files();
    expected.retain(|name, _| !name.starts_with("audio/"));
    assert!(clone.files() == expected);
    assert!(!clone.root().join(".everseed").exists());
    let before = clone.stamps();
    clone.run_with(&["attach", "--base-url", BASE], &[("EVERSEED_LOCKED", "1")]).ok();
    assert_eq!(clone.stamps(), before);
}

#[test]
fn what_the_lock_does_not_know_is_told() {
    let site = Attached::show();
    let mut all = told(&site, &["attach", "--base-url", BASE, "--locked"]);
    site.lock(&["--no-data"]).ok();
    assert!(!site.root().join("data").exists());
    let new = item("New", 15, &[enclosure(&format!("{BASE}audio/new.mp3"), 1000)]);
    let site = site.feed("feed.xml", &rss(&[&[new][..], &episodes()].concat()));
    all += &told(&site, &["attach", "--base-url", BASE, "--locked"]);
    all += &told(&site, &["attach", "--base-url", BASE, "--locked", "--accept-changed"]);
    expect![[r#"
        $ attach --base-url https://show.example.org/ --locked
        [stderr]
        error: everseed.lock: is missing
          help: run `everseed lock` where the media are, and keep what it writes in version control
        [exit 3]
        $ attach --base-url https://show.example.org/ --locked
        [stdout]
        public: 1 feed, 2 torrents; hashed 0 files (0 B), wrote 5, removed 0, left 0 as they were, 1 finding
        [stderr]
        warning: public/feed.xml:14: the enclosure "https://show.example.org/audio/new.mp3" has no record in everseed.lock
          help: run `everseed lock` where the media are, and keep everseed.lock and torrents/ in version control
        [exit 0]
        $ attach --base-url https://show.example.org/ --locked --accept-changed
        [stderr]
        error: --locked and --accept-changed contradict each other
          help: `everseed lock --accept-changed` changes what is locked
        [exit 3]
    "#]].assert_eq(&all);
}

#[test]
fn a_lock_of_a_site_is_brought_up_to_date_verified_and_pruned() {
    let site = Attached::show().put("everseed.toml", format!("[attach]\nbase_url = \"{BASE}\"\n").as_bytes());
    let mut all = String::new();
    for args in [&["lock"][..], &["lock", "--json"], &["lock", "--verify"], &["lock", "--verify", "--no-data"]] {
        all += &told(&site, args);
    }
    let data = json(&fs::read_to_string(site.root().join("data/everseed.json")).expect("written"));
    assert_eq!(data["media"]["ep1"]["url"], "https://show.example.org/audio/ep1.mp3");
    site.attach(&[]).ok();
    let site = site
        .put("public/audio/ep1.mp3", &mp3(9, 300 * KIB))
        .feed("feed.xml", &rss(&episodes()[1..]))
        .without("public/audio/ep2.mp3");
    for args in [
        &["lock", "--verify"][..],
        &["lock"],
        &["attach"],
        &["lock", "--accept-changed", "--prune", "--data", "elsewhere.json"],
        &["lock", "--verify"],
    ] {
        all += &told(&site, args);
    }
    expect![[r#"
        $ lock
        [stdout]
        everseed.lock: 2 records; added 2, changed 0, removed 0; hashed 2 files (1.4 MB); for templates data/everseed.json
        [exit 0]
        $ lock --json
        [stdout]
        {"lock":"everseed.lock","data":"data/everseed.json","records":2,"added":0,"changed":0,"unchanged":2,"removed":0,"files_hashed":0,"bytes_hashed":0,"findings":[],"warnings":[]}
        [exit 0]
        $ lock --verify
        [stdout]
        everseed.lock: 2 releases, all as it says
        [exit 0]
        $ lock --verify --no-data
        [stderr]
        error: the argument '--verify' cannot be used with '--no-data'

        Usage: everseed lock --verify [ROOT]

        For more information, try '--help'.
        [exit 3]
        $ lock --verify
        [stdout]
        public/feed.xml:14: the medium of `ep1`: its info-hash is 4de009cfbc7e7e9db81c2d271f3563f29b201332, and was e40f9fc054874c25db1463d1115da237f938ec48 when it was published
        everseed.lock: `ep2` has a record, and no enclosure
          help: take it out with `everseed lock --prune`, if it is not to come back
        everseed.lock: 1 release, 2 findings
        [exit 2]
        $ lock
        [stderr]
        error: public/feed.xml:14: the torrent of `ep1` would become another one: its info-hash is 4de009cfbc7e7e9db81c2d271f3563f29b201332, and was e40f9fc054874c25db1463d1115da237f938ec48 when it was published
          help: what is published under a name stays as it is: give the new file another name, take the setting back, or say that it is meant with --accept-changed
        [exit 2]
        $ attach
        [stderr]
        error: public/feed.xml:14: the torrent of `ep1` would become another one: its info-hash is 4de009cfbc7e7e9db81c2d271f3563f29b201332, and was e40f9fc054874c25db1463d1115da237f938ec48 when it was published
          help: what is published under a name stays as it is: give the new file another name, take the setting back, or say that it is meant with --accept-changed
        [exit 2]
        $ lock --accept-changed --prune --data elsewhere.json
        [stdout]
        everseed.lock: 1 record; added 0, changed 1, removed 1; hashed 0 files (0 B); for templates elsewhere.json
        [exit 0]
        $ lock --verify
        [stdout]
        everseed.lock: 1 release, all as it says
        [exit 0]
    "#]].assert_eq(&all);
    assert!(site.root().join("elsewhere.json").exists());
    assert!(!site.root().join("torrents/ep2.torrent").exists());
}

#[test]
#[cfg(feature = "fetch")]
fn media_of_another_server_are_downloaded_for_the_lock_alone() {
    let web = Web::new();
    web.put("far.mp3", File::of(&mp3(3, 200 * KIB)));
    let far = rss(&[item("Far", 1, &[enclosure(&web.url("far.mp3"), 200 * KIB)])]);
    let site = Attached::new().feed("feed.xml", &far);
    let mut all = site.attach(&[]).whole();
    assert_eq!(web.asked_count(), 0, "attaching asks no server");
    all += &site.lock(&[]).whole();
    let asked = web.asked_count();
    all += &site.attach(&[]).whole();
    all += &site.attach(&["--locked"]).whole();
    assert_eq!(web.asked_count(), asked);
    expect![[r#"
        [stdout]
        public: 1 feed, 0 torrents; hashed 0 files (0 B), wrote 2, removed 0, left 1 as they were, 2 findings
        [stderr]
        warning: public/feed.xml:14: the enclosure "http://127.0.0.1:PORT/far.mp3" is http, on a site that is https
        warning: public/feed.xml:14: the enclosure "http://127.0.0.1:PORT/far.mp3" leads to no file that is here
          help: name the folder of the media with --media, or let `everseed lock` download it once, and keep everseed.lock and torrents/ in version control
        [exit 0]
        [stdout]
        everseed.lock: 1 record; added 1, changed 0, removed 0; hashed 1 file (204.8 kB); for templates data/everseed.json, 1 finding
        [stderr]
        warning: public/feed.xml:14: the enclosure "http://127.0.0.1:PORT/far.mp3" is http, on a site that is https
        [exit 0]
        [stdout]
        public: 1 feed, 1 torrent; hashed 0 files (0 B), wrote 4, removed 0, left 0 as they were, 1 finding
        [stderr]
        warning: public/feed.xml:14: the enclosure "http://127.0.0.1:PORT/far.mp3" is http, on a site that is https
        [exit 0]
        [stdout]
        public: 1 feed, 1 torrent; hashed 0 files (0 B), wrote 0, removed 0, left 4 as they were, 1 finding
        [stderr]
        warning: public/feed.xml:15: the enclosure "http://127.0.0.1:PORT/far.mp3" is http, on a site that is https
        [exit 0]
    "#]].assert_eq(&web.hide_port(&all));
    assert_eq!(site.torrent("far").metainfo.web_seeds, [web.url("far.mp3")]);
}

#[test]
fn media_are_found_below_a_folder_by_their_paths_then_by_their_names() {
    let site = Attached::new()
        .feed("feed.xml", &rss(&episodes()))
        .media("../masters/audio/ep1.mp3", 300 * KIB)
        .media("../masters/old/2026/ep2.mp3", MIB + 17);
    let run = site.attach(&["--media", "../masters"]);
    expect![[r#"
        [stdout]
        public: 1 feed, 2 torrents; hashed 2 files (1.4 MB), wrote 7, removed 0, left 0 as they were
        [exit 0]
    "#]]
    .assert_eq(&run.whole());
    assert_eq!(site.torrent("ep2").metainfo.web_seeds, ["https://show.example.org/audio/ep2.mp3"]);
    // What the feed says is true: the media are there.
    assert_eq!(site.files()["audio/ep1.mp3"].len(), 300 * KIB);
    let before = site.stamps();
    site.attach(&["--media", "../masters"]).ok();
    assert_eq!(site.stamps(), before);

    let none = Attached::new()
        .feed("feed.xml", &rss(&episodes()))
        .media("masters/ep1.mp3", 300 * KIB)
        .media("masters/ep2.mp3", MIB + 17);
    none.attach(&["--media", "masters", "--place", "none"]).ok();
    assert!(!none.public().join("audio").exists());
    assert!(none.public().join("torrents/ep1.torrent").exists());
    none.run_with(&["attach", "--base-url", BASE], &[("EVERSEED_MEDIA", "masters"), ("EVERSEED_PLACE", "all")]).ok();
    assert!(none.public().join("audio/ep1.mp3").exists());
}

#[test]
fn two_files_that_could_be_meant_are_both_shown() {
    let site = Attached::new()
        .feed("feed.xml", &rss(&episodes()))
        .media("masters/a/ep1.mp3", 300 * KIB)
        .media("masters/b/ep1.mp3", 300 * KIB)
        .media("masters/ep2.mp3", MIB + 17);
    let before = site.stamps();
    expect![[r#"
        [stderr]
        error: public/feed.xml: https://show.example.org/audio/ep1.mp3: two files could be it: DIR/project/masters/a/ep1.mp3 and DIR/project/masters/b/ep1.mp3
          help: name the folder that holds the right one: --media; or move the other one out of it
        [exit 3]
    "#]].assert_eq(&site.attach(&["--media", "masters"]).whole());
    assert_eq!(site.stamps(), before);
    site.attach(&["--media", "masters/a", "--media", "masters"]).ok();
}

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
fn trackers_are_those_of_the_configuration_or_of_the_flag() {
    let site = Attached::show().put(
        "everseed.toml",
        b"[torrent]\nkind = \"hybrid\"\ntrackers = [\"udp://other.example.org:6969/announce\"]\n\
          [tracker]\nurl = \"https://t.example.org/announce\"\n",
    );
    site.attach(&[]).ok();
    assert_eq!(
        site.torrent("ep1").metainfo.trackers,
        [["https://t.example.org/announce"], ["udp://other.example.org:6969/announce"]]
    );
    assert!(site.torrent("ep1").info_hashes.v2().is_some());
    site.run_with(&["attach", "--base-url", BASE], &[("EVERSEED_TRACKER_URL", "https://u.example.org/announce")]).ok();
    assert_eq!(site.torrent("ep1").metainfo.trackers[0], ["https://u.example.org/announce"]);
    let changed = site.attach(&["--kind", "v1"]);
    assert_eq!(changed.code, Some(2), "{}", changed.stderr);
    site.attach(&["--kind", "v1", "--accept-changed", "--tracker-url", "https://v.example.org/announce"]).ok();
    assert_eq!(site.torrent("ep1").metainfo.trackers[0], ["https://v.example.org/announce"]);
    assert!(site.torrent("ep1").info_hashes.v2().is_none());
}

#[test]
fn a_site_that_cannot_be_written_is_named_and_left_as_it_was() {
    let site = Attached::show();
    let before = site.stamps();
    let allow = |mode| fs::set_permissions(site.public(), fs::Permissions::from_mode(mode)).expect("set");
    allow(0o555);
    // Root writes everywhere: there is nothing to see then.
    if fs::write(site.public().join("probe"), "").is_ok() {
        return;
    }
    let run = site.attach(&[]);
    allow(0o755);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.starts_with("error: public"), "{}", run.stderr);
    assert_eq!(site.stamps(), before);
}

#[test]
fn a_file_where_a_folder_is_to_be_is_named_and_the_site_left_as_it_was() {
    let site = Attached::show().put("public/torrents", b"a file of the author's");
    let before = site.stamps();
    expect![[r#"
        [stderr]
        error: public/torrents: is a file, and the site has a folder of that name
          help: remove it
        [exit 3]
    "#]]
    .assert_eq(&site.attach(&[]).whole());
    assert_eq!(site.stamps(), before);
    let site = site.without("public/torrents").put("public/torrents.xml", b"the author's");
    let before = site.stamps();
    expect![[r#"
        [stderr]
        error: public/torrents.xml: was not written by everseed, and would be replaced
          help: move it to another place, or name another with --torrent-feed
        [exit 3]
    "#]]
    .assert_eq(&site.attach(&[]).whole());
    assert_eq!(site.stamps(), before);
    site.attach(&["--torrent-feed", "feeds/torrents.xml"]).ok();
    assert!(site.text("feed.xml").contains("https://show.example.org/feeds/torrents.xml"));
    assert_eq!(site.text("torrents.xml"), "the author's");
}

#[test]
fn a_site_may_be_a_symbolic_link() {
    let site = Attached::show();
    fs::rename(site.public(), site.beside("out")).expect("moved");
    symlink("../out", site.public()).expect("linked");
    expect![[r#"
        [stdout]
        public: 1 feed, 2 torrents; hashed 2 files (1.4 MB), wrote 5, removed 0, left 0 as they were
        [exit 0]
    "#]]
    .assert_eq(&site.attach(&[]).whole());
    assert!(site.public().is_symlink());
    assert!(site.beside("out/everseed.json").exists());
    assert_eq!(fs::read_dir(site.beside("")).expect("a folder").count(), 2, "nothing is left beside it");
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
        error: public/feed.xml:24: `</chanel>` ends `<channel>`, which begins on line 3 (column 3)
          help: mend the template that writes the feed; feed readers stumble there too
        [exit 3]
        [stderr]
        error: public/feed.xml:25: the file ends inside of `<rss>`, which begins on line 2 (column 1)
          help: mend the template that writes the feed; feed readers stumble there too
        [exit 3]
        [stderr]
        error: public/feed.xml:22: the value of an attribute stands in no quotation marks (column 70)
          help: mend the template that writes the feed; feed readers stumble there too
        [exit 3]
        [stderr]
        error: public/feed.xml:4: `&` begins no reference (column 14)
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
          <!-- everseed --><link rel="alternate" type="application/rss+xml" title="Torrents" href="https://show.example.org/torrents.xml"/>
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
fn two_lines_of_configuration_are_enough() {
    let config = format!("[attach]\nsite = \"out\"\nbase_url = \"{BASE}\"\n");
    let site = Attached::show().put("everseed.toml", config.as_bytes());
    fs::rename(site.public(), site.root().join("out")).expect("moved");
    expect![[r#"
        [stdout]
        out: 1 feed, 2 torrents; hashed 2 files (1.4 MB), wrote 5, removed 0, left 0 as they were
        [exit 0]
    "#]]
    .assert_eq(&site.run(&["attach"]).whole());
    // From elsewhere, too: its paths count from its folder.
    let elsewhere =
        |args: &[&str]| house::Run::of(house::everseed().args(args).current_dir(site.beside("")), &site.beside(""));
    let run = elsewhere(&["attach", "project"]).ok();
    assert!(run.stdout.starts_with("project/out: 1 feed, 2 torrents; hashed 0 files (0 B), wrote 0"), "{}", run.stdout);
    elsewhere(&["attach", "project", "--config", "project/everseed.toml"]).ok();
}

#[test]
fn what_is_wrong_before_anything_is_read_is_told_at_once() {
    let site = Attached::new().put("dist/index.html", b"");
    let mut all = String::new();
    for args in [
        &["attach"][..],
        &["attach", "nowhere"],
        &["attach", "--site", "nowhere", "--base-url", BASE],
        &["attach", "--site", "public/index.html", "--base-url", BASE],
        &["attach", "--site", "public", "--base-url", "show.example.org"],
        &["attach", "--site", "public", "--base-url", BASE, "--media", "nowhere"],
        &["attach", "--site", "public", "--base-url", BASE, "--config", "nowhere.toml"],
        &["attach", "--site", "public", "--base-url", BASE, "--prefix", "x"],
        &["attach", "--place", "some"],
        &["attach", "--fix", "length,title"],
        &["lock", "--media", "audio", "--feed", "feed.xml"],
        &["lock", "--no-data", "--data", "x"],
    ] {
        all += &told(&site, args);
    }
    let toml = "[attach]\nfeed = [\"a\"]\n";
    all += &told(&Attached::new().put("everseed.toml", toml.as_bytes()), &["attach"]);
    let toml = "[attach]\nbase_url = \"a\"\nplace = \"x\"\n[tracker]\nurl = \"b\"\n";
    all += &told(&Attached::new().put("everseed.toml", toml.as_bytes()), &["attach"]);
    expect![[r#"
        $ attach
        [stderr]
        error: .: the site may be any of the folders public, dist
          help: name the one with --site, or with `site` in the table [attach] of everseed.toml
        error: it is not said at which address the site will stand
          help: say it with --base-url https://show.example.org/, or with `base_url` in the table [attach] of everseed.toml
        2 errors; nothing was changed
        [exit 3]
        $ attach nowhere
        [stderr]
        error: nowhere: is not a folder
          help: name the folder of the project
        [exit 3]
        $ attach --site nowhere --base-url https://show.example.org/
        [stderr]
        error: nowhere: can't be read: No such file or directory (os error 2)
          help: build the site first, or name its folder with --site
        [exit 3]
        $ attach --site public/index.html --base-url https://show.example.org/
        [stderr]
        error: public/index.html: is not a folder
          help: name the folder that the generator writes with --site
        [exit 3]
        $ attach --site public --base-url show.example.org
        [stderr]
        error: --base-url: "show.example.org" is not a base URL: it does not begin with https://
          help: write it as https://show.example.org/ or https://example.org/show/
        [exit 3]
        $ attach --site public --base-url https://show.example.org/ --media nowhere
        [stderr]
        error: public: holds no feed whose items have enclosures
          help: let the generator write an RSS feed with an <enclosure> in each item; --feed names one
        [exit 3]
        $ attach --site public --base-url https://show.example.org/ --config nowhere.toml
        [stderr]
        error: nowhere.toml: can't be read: No such file or directory (os error 2)
          help: name the folder that holds everseed.toml, or make one with `everseed init FOLDER`
        [exit 3]
        $ attach --site public --base-url https://show.example.org/ --prefix x
        [stderr]
        error: public: holds no feed whose items have enclosures
          help: let the generator write an RSS feed with an <enclosure> in each item; --feed names one
        [exit 3]
        $ attach --place some
        [stderr]
        error: invalid value 'some' for '--place <WHICH>': "some" is not one of linked, all, none

        For more information, try '--help'.
        [exit 3]
        $ attach --fix length,title
        [stderr]
        error: invalid value 'title' for '--fix <WHAT>': "title" is not one of length, duration

        For more information, try '--help'.
        [exit 3]
        $ lock --media audio --feed feed.xml
        [stderr]
        error: --media is for a site that another generator builds
          help: name its folder with --site, or with `site` in the table [attach] of everseed.toml
        [exit 3]
        $ lock --no-data --data x
        [stderr]
        error: the argument '--no-data' cannot be used with '--data <FILE>'

        Usage: everseed lock --no-data [ROOT]

        For more information, try '--help'.
        [exit 3]
        $ attach
        [stderr]
        error: everseed.toml:2: unknown key `feed`
          help: did you mean `feeds`?
        [exit 3]
        $ attach
        [stderr]
        error: everseed.toml:2: `base_url`: "a" is not a base URL: it does not begin with https://
          help: write it as https://show.example.org/ or https://example.org/show/
        error: everseed.toml:3: `place`: "x" is not one of linked, all, none
        error: everseed.toml:5: `url`: "b" is not an announce URL
          help: write it with its scheme, https or http, as https://show.example.org/announce
        3 errors; nothing was changed
        [exit 3]
    "#]].assert_eq(&all);
}

#[test]
fn a_site_that_everseed_builds_is_not_attached_to() {
    let house = house::House::furnished();
    house.build().ok();
    let before = house::files(&house.public());
    expect![[r#"
        [stderr]
        error: public/everseed.json: was written by "everseed 0.1.0", not by attaching
          help: a site that `everseed build` makes has its torrents already; else remove the file, and attach again
        [exit 3]
    "#]]
    .assert_eq(&house.run(&["attach"]).whole());
    assert!(house::files(&house.public()) == before);
    // Nor does its build write over a site of another generator.
    let site = Attached::show();
    site.attach(&[]).ok();
    let before = site.stamps();
    let run = house.run(&["build", "-o", &site.public().display().to_string()]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
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
    let run = site.attach(&["--summary", "nowhere/summary.md"]);
    assert_eq!(run.code, Some(1));
    expect![[r#"
        error: nowhere/summary.md: the summary can't be written: No such file or directory (os error 2)
          help: name a file in a folder that exists and can be written with --summary
    "#]]
    .assert_eq(&run.stderr.lines().skip(2).map(|line| format!("{line}\n")).collect::<String>());
}

#[test]
fn an_attached_site_is_served_tracked_and_seeded() {
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
    let hash: String = site.torrent("ep1").info_hashes.main().0.iter().map(|byte| format!("%{byte:02x}")).collect();
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
        public: 1 feed, 1 torrent; hashed 0 files (0 B), would write 3, remove 1, leave 1 as they are
        [exit 0]
    "#]].assert_eq(&site.attach(&["--dry-run"]).whole());
    site.attach(&[]).ok();
    assert!(!site.public().join("torrents/ep1.torrent").exists());
    assert!(site.public().join("audio/ep1.mp3").exists(), "it is the author's");
}

#[test]
fn a_medium_that_changes_is_refused_until_it_is_meant() {
    let site = Attached::show();
    site.attach(&[]).ok();
    let site = site.put("public/audio/ep1.mp3", &mp3(9, 300 * KIB));
    let before = site.stamps();
    expect![[r#"
        [stderr]
        error: public/feed.xml:29: the torrent of `ep1` would become another one: its info-hash is 4de009cfbc7e7e9db81c2d271f3563f29b201332, and was e40f9fc054874c25db1463d1115da237f938ec48 when it was published
          help: what is published under a name stays as it is: give the new file another name, take the setting back, or say that it is meant with --accept-changed
        [exit 2]
    "#]].assert_eq(&site.attach(&[]).whole());
    assert_eq!(site.stamps(), before);
    site.attach(&["--accept-changed"]).ok();
    assert_eq!(bare(&site.text("feed.xml")), rss(&episodes()));
}
