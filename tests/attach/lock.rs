//! Where media are found, and what is known of those that are not here.

use std::fs;

use expect_test::expect;

use super::house::attach::{Attached, BASE, bare, enclosure, episodes, item, rss};
#[cfg(feature = "fetch")]
use super::house::web::{File, Web};
use super::house::{KIB, MIB, mp3};
use super::{json, told};

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
fn a_link_that_leads_to_nothing_keeps_no_other_medium_from_the_lock() {
    let web = Web::new();
    web.put("far.mp3", File::of(&mp3(3, 200 * KIB)));
    web.put("dead.mp3", File::of(&mp3(4, 200 * KIB)));
    let items = ["far", "dead"].map(|name| item(name, 1, &[enclosure(&web.url(&format!("{name}.mp3")), 200 * KIB)]));
    let site = Attached::new().feed("feed.xml", &rss(&items));
    site.lock(&[]).ok();
    web.change("dead.mp3", |file| *file = File::redirect(302, "/nowhere.mp3"));
    let site =
        site.feed("feed.xml", &rss(&[&items[..], &[item("New", 2, &[enclosure(&web.url("new.mp3"), 1)])]].concat()));
    expect![[r#"
        [stdout]
        everseed.lock: 2 records; added 0, changed 0, removed 0; hashed 0 files (0 B); for templates data/everseed.json, 5 findings
        [stderr]
        warning: public/feed.xml:14: the enclosure "http://127.0.0.1:PORT/far.mp3" is http, on a site that is https
        warning: public/feed.xml:22: http://127.0.0.1:PORT/dead.mp3 (redirected to http://127.0.0.1:PORT/nowhere.mp3): answered 404 Not Found
          help: name the folder of the media with --media, or let `everseed lock` download it once, and keep everseed.lock and torrents/ in version control
        warning: public/feed.xml:22: the enclosure "http://127.0.0.1:PORT/dead.mp3" is http, on a site that is https
        warning: public/feed.xml:30: http://127.0.0.1:PORT/new.mp3: answered 404 Not Found
          help: name the folder of the media with --media, or let `everseed lock` download it once, and keep everseed.lock and torrents/ in version control
        warning: public/feed.xml:30: the enclosure "http://127.0.0.1:PORT/new.mp3" is http, on a site that is https
        [exit 0]
    "#]].assert_eq(&web.hide_port(&site.lock(&[]).whole()));
    assert_eq!(site.attach(&["--locked"]).code, Some(0));
    assert!(site.public().join("torrents/dead.torrent").exists(), "what is known of it stays");
    // Where nothing at all answers it is the network, and no fault of the feed.
    let none = Attached::new().feed("feed.xml", &rss(&[item("New", 2, &[enclosure(&web.url("new.mp3"), 1)])]));
    assert_eq!(none.lock(&[]).code, Some(1));
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
        error: public/feed.xml:22: https://show.example.org/audio/ep1.mp3: two files could be it: DIR/project/masters/a/ep1.mp3 and DIR/project/masters/b/ep1.mp3
          help: name the folder that holds the right one: --media; or move the other one out of it
        [exit 3]
    "#]].assert_eq(&site.attach(&["--media", "masters"]).whole());
    assert_eq!(site.stamps(), before);
    site.attach(&["--media", "masters/a", "--media", "masters"]).ok();
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
