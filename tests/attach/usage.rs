//! What is typed and configured, and the folders that it leads to.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use expect_test::expect;

use super::house::attach::{Attached, BASE};
use super::house::{self, House, KIB};
use super::told;

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
    expect![[r#"
        [stderr]
        error: everseed.toml: there is no table `[site]`
          help: the site is another generator's: `everseed attach` adds torrents to it, and `everseed serve --site` serves it
        [exit 3]
    "#]]
    .assert_eq(&site.run(&["build"]).whole());
    // From elsewhere, too: its paths count from its folder.
    let elsewhere =
        |args: &[&str]| house::Run::of(house::everseed().args(args).current_dir(site.beside("")), &site.beside(""));
    let run = elsewhere(&["attach", "project"]).ok();
    assert!(run.stdout.starts_with("project/out: 1 feed, 2 torrents; hashed 0 files (0 B), wrote 0"), "{}", run.stdout);
    elsewhere(&["attach", "project", "--config", "project/everseed.toml"]).ok();
}

#[test]
#[expect(clippy::too_many_lines, reason = "the snapshot is long, the story is short")]
fn what_is_wrong_before_anything_is_read_is_told_at_once() {
    let site = Attached::show().put("dist/index.html", b"");
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
        error: nowhere: there is no such folder
          help: name the folder that holds the media: --media
        [exit 3]
        $ attach --site public --base-url https://show.example.org/ --config nowhere.toml
        [stderr]
        error: nowhere.toml: can't be read: No such file or directory (os error 2)
          help: name the folder that holds everseed.toml, or make one with `everseed init FOLDER`
        [exit 3]
        $ attach --site public --base-url https://show.example.org/ --prefix x
        [stderr]
        error: "x" is no tracking prefix: it does not begin with https://
          help: write in --prefix or `prefixes` what stands before the host of the file: https://track.example.org/e/*/
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
        error: .: the site may be any of the folders public, dist
          help: name the one with --site, or with `site` in the table [attach] of everseed.toml
        error: it is not said at which address the site will stand
          help: say it with --base-url https://show.example.org/, or with `base_url` in the table [attach] of everseed.toml
        2 errors; nothing was changed
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
    let house = House::furnished();
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
fn every_setting_may_come_from_the_environment_and_an_empty_one_says_nothing() {
    let site = Attached::show().media("masters/ep1.mp3", 300 * KIB).without("public/audio/ep1.mp3");
    fs::rename(site.public(), site.root().join("out")).expect("moved");
    let env = [
        ("EVERSEED_SITE", "out"),
        ("EVERSEED_BASE_URL", BASE),
        ("EVERSEED_MEDIA", "masters"),
        ("EVERSEED_FEED", "feed.xml"),
        ("EVERSEED_PREFIX", ""),
        ("EVERSEED_TRACKER_URL", "https://t.example.org/announce"),
        ("EVERSEED_PLACE", "none"),
        ("EVERSEED_HTML", ""),
        ("EVERSEED_FIX", "length,duration"),
        ("EVERSEED_LOCKED", "no"),
        ("EVERSEED_STRICT", "1"),
        ("EVERSEED_SUMMARY", "summary.md"),
        ("EVERSEED_TORRENT_FEED", "feeds/torrents.xml"),
        ("EVERSEED_KIND", "hybrid"),
        ("EVERSEED_CONFIG", ""),
    ];
    expect![[r#"
        [stdout]
        out: 1 feed, 2 torrents; hashed 2 files (1.4 MB), wrote 5, removed 0, left 0 as they were
        [exit 0]
    "#]]
    .assert_eq(&site.run_with(&["attach"], &env).whole());
    assert!(site.root().join("summary.md").exists() && site.root().join("out/feeds/torrents.xml").exists());
    // What is typed comes before it.
    let run = site.run_with(&["attach", "--site", "elsewhere"], &env);
    assert!(run.stderr.starts_with("error: elsewhere: "), "{}", run.stderr);
    let run = site.run_with(&["lock"], &env).ok();
    assert!(run.stdout.starts_with("everseed.lock: 2 records"), "{}", run.stdout);
    for (name, wrong) in
        [("EVERSEED_PLACE", "x"), ("EVERSEED_FIX", "x"), ("EVERSEED_HTML", "x"), ("EVERSEED_KIND", "x")]
    {
        let run = site.run_with(&["attach", "--site", "out", "--base-url", BASE], &[(name, wrong)]);
        assert_eq!(run.code, Some(3), "{name}: {}", run.stderr);
    }
}

#[test]
fn the_lock_of_a_show_takes_no_flags_of_another_generators_site() {
    let house = House::furnished().described();
    let mut all = String::new();
    for args in [&["--base-url", BASE][..], &["--feed", "feed.xml"], &["--prefix", BASE], &["--no-data"]] {
        all += &house.run(&[&["lock"], args].concat()).whole();
    }
    expect![[r#"
        [stderr]
        error: --base-url is for a site that another generator builds
          help: name its folder with --site, or with `site` in the table [attach] of everseed.toml
        [exit 3]
        [stderr]
        error: --feed is for a site that another generator builds
          help: name its folder with --site, or with `site` in the table [attach] of everseed.toml
        [exit 3]
        [stderr]
        error: --prefix is for a site that another generator builds
          help: name its folder with --site, or with `site` in the table [attach] of everseed.toml
        [exit 3]
        [stderr]
        error: --no-data is for a site that another generator builds
          help: name its folder with --site, or with `site` in the table [attach] of everseed.toml
        [exit 3]
    "#]]
    .assert_eq(&all);
    // A variable that is set for other commands is not meant.
    let mut command = house::everseed();
    command.arg("lock").env("EVERSEED_BASE_URL", BASE).env("EVERSEED_TRACKER_URL", "x").current_dir(house.root());
    let run = house::Run::of(&mut command, &house.beside("")).ok();
    assert!(run.stdout.starts_with("everseed.lock: 3 records"), "{}", run.stdout);
}

#[test]
fn a_run_that_was_killed_is_taken_back_by_the_next_one() {
    let site = Attached::show();
    site.attach(&[]).ok();
    let before = site.files();
    // What it leaves: the feed is a new one already, and the former one is kept.
    let staging = site.root().join(".public.everseed-staging");
    fs::create_dir(&staging).expect("made");
    fs::rename(site.public().join("feed.xml"), staging.join("former-0")).expect("moved");
    fs::write(site.public().join("feed.xml"), "half of another feed").expect("written");
    let journal = "{\"version\":1,\"steps\":[{\"place\":\"feed.xml\",\"does\":\"replaces\"}],\"folders\":[]}";
    fs::write(staging.join("journal.json"), journal).expect("written");
    site.attach(&["--strict"]).ok();
    assert!(site.files() == before);
    assert!(!staging.exists());
}
