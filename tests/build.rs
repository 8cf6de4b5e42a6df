//! What a build leaves behind: the same bytes everywhere, nothing done twice, nothing lost when it fails.

mod house;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use house::{House, KIB, Run, episode, everseed, files};

/// Inode and times of every file: what changes when a file is rewritten.
fn stamps(root: &Path) -> Vec<(String, u64, i64, i64)> {
    let stamp = |name: String| {
        let metadata = fs::metadata(root.join(&name)).expect("a file");
        (name, metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
    };
    files(root).into_keys().map(stamp).collect()
}

fn summary(run: &Run) -> serde_json::Value {
    serde_json::from_str(&run.stdout).expect("JSON")
}

#[test]
fn a_second_build_hashes_and_rewrites_nothing() {
    let house = House::furnished();
    let first = summary(&house.run(&["build", "--json"]).ok());
    assert_eq!(first["files_hashed"], 5);
    let before = stamps(&house.public());
    let second = summary(&house.run(&["build", "--json"]).ok());
    assert_eq!(second["files_hashed"], 0, "{second}");
    assert_eq!(second["files_written"], 0, "{second}");
    assert_eq!(second["files_removed"], 0, "{second}");
    assert_eq!(stamps(&house.public()), before);
}

#[test]
fn two_builds_in_other_folders_and_time_zones_are_equal_byte_for_byte() {
    let build = |zone: &str| {
        let house = House::furnished();
        Run::of(everseed().arg("build").env("TZ", zone).current_dir(house.root()), &house.root()).ok();
        files(&house.public())
    };
    let (here, there) = (build("UTC"), build("Pacific/Auckland"));
    assert_eq!(here.keys().collect::<Vec<_>>(), there.keys().collect::<Vec<_>>());
    for (name, bytes) in here {
        assert!(there[&name] == bytes, "{name} differs");
    }
}

#[test]
fn a_build_that_fails_leaves_the_former_site_standing() {
    let house = House::furnished();
    house.build().ok();
    let before = stamps(&house.public());
    let house = house.page("ep3.md", &episode("Three", "2026-06-01", "nowhere.mp3"));
    assert_eq!(house.build().code, Some(3));
    assert_eq!(stamps(&house.public()), before);
}

#[test]
fn a_build_that_was_killed_is_taken_back_before_its_site_is_served() {
    let house = House::furnished();
    house.build().ok();
    // What it leaves: the feed is the new one already, and the former one is kept.
    let staging = house.root().join(".public.everseed-staging");
    fs::create_dir(&staging).expect("made");
    fs::rename(house.public().join("feed.xml"), staging.join("former-0")).expect("moved");
    fs::write(house.public().join("feed.xml"), "half of another site").expect("written");
    let journal = "{\"version\":1,\"steps\":[{\"place\":\"feed.xml\",\"does\":\"replaces\"}],\"folders\":[]}";
    fs::write(staging.join("journal.json"), journal).expect("written");
    let server = house.serve_site();
    assert!(server.get("/feed.xml").text().starts_with("<?xml"));
    assert!(!staging.exists());
    server.said("a build was killed here");
}

#[test]
fn every_address_that_no_file_may_take_is_answered_by_the_server() {
    let house = House::furnished();
    house.build().ok();
    let server = house.serve_site();
    for path in everseed::manifest::SERVED {
        assert_ne!(server.get(&format!("/{path}")).status, 404, "{path}");
    }
}

#[test]
fn what_is_gone_from_the_content_goes_from_the_site_and_what_is_not_ours_stays() {
    let house = House::furnished();
    house.build().ok();
    fs::write(house.public().join("CNAME"), "show.example.org").expect("written");
    fs::remove_file(house.root().join("content/ep1.md")).expect("removed");
    house.build().ok();
    let left = files(&house.public());
    assert!(left.contains_key("CNAME"));
    for name in ["episodes/ep1/index.html", "media/ep1.mp3", "torrents/ep1.torrent"] {
        assert!(!left.contains_key(name), "{name} is still there");
    }
    assert!(!house.public().join("episodes/ep1").exists(), "its folder is gone too");
}

#[test]
fn a_folder_of_somebody_else_is_not_written_to() {
    let house = House::furnished();
    fs::create_dir(house.beside("theirs")).expect("made");
    fs::write(house.beside("theirs/index.html"), "theirs").expect("written");
    let run = house.run(&["build", "-o", "../theirs"]);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert_eq!(files(&house.beside("theirs")).len(), 1);
}

#[test]
fn nothing_published_is_a_link_or_hidden() {
    let house = House::furnished();
    house.build().ok();
    for entry in walkdir::WalkDir::new(house.public()).min_depth(1) {
        let entry = entry.expect("readable");
        assert!(!entry.path_is_symlink(), "{}", entry.path().display());
        assert!(!entry.file_name().to_string_lossy().starts_with('.'), "{}", entry.path().display());
    }
}

#[test]
fn drafts_are_built_when_asked_for() {
    let house = House::furnished()
        .page("later.md", "+++\ntitle = \"Later\"\ndate = 2026-06-01\nmedia = \"ep1.mp3\"\ndraft = true\n+++\n");
    house.build().ok();
    assert!(!house.public().join("episodes/later/index.html").exists());
    house.run(&["build", "--drafts"]).ok();
    assert!(house.public().join("episodes/later/index.html").exists());
}

#[test]
fn an_address_with_a_path_is_in_every_link() {
    let house = House::furnished();
    house.run(&["build", "--base-url", "https://example.org/show"]).ok();
    let made = files(&house.public());
    let text = |name: &str| String::from_utf8_lossy(&made[name]).into_owned();
    assert!(text("feed.xml").contains("https://example.org/show/media/ep1.mp3"));
    assert!(text("404.html").contains("/show/"));
    let torrent = everseed::metainfo::parse(made["torrents/ep1.torrent"].clone()).expect("a torrent");
    assert_eq!(torrent.metainfo.trackers, [["https://example.org/show/announce"]]);
    assert_eq!(torrent.metainfo.web_seeds, ["https://example.org/show/media/ep1.mp3"]);
}

#[test]
fn the_identity_of_a_show_and_its_info_hashes_do_not_follow_the_address() {
    let house = House::furnished();
    house.build().ok();
    let before = files(&house.public());
    house.run(&["build", "--base-url", "http://127.0.0.1:8080/"]).ok();
    let after = files(&house.public());
    let between = |made: &std::collections::BTreeMap<String, Vec<u8>>, name: &str, start: &str| {
        let text = String::from_utf8_lossy(&made[name]).into_owned();
        let rest = text.split(start).skip(1).map(|rest| rest.split('<').next().unwrap_or_default().to_owned());
        rest.collect::<Vec<_>>()
    };
    for (name, start) in [
        ("feed.xml", "<podcast:guid>"),
        ("feed.xml", "<guid isPermaLink=\"false\">"),
        ("torrents.xml", "<guid isPermaLink=\"false\">"),
    ] {
        let found = between(&before, name, start);
        assert!(!found.is_empty(), "{start} in {name}");
        assert_eq!(found, between(&after, name, start));
    }
}

#[test]
fn a_changed_medium_is_hashed_alone() {
    let house = House::furnished();
    house.build().ok();
    let house = house.media("ep1.mp3", 400 * KIB);
    let built = summary(&house.run(&["build", "--json", "--accept-changed"]).ok());
    assert_eq!(built["files_hashed"], 1, "{built}");
    assert_eq!(fs::metadata(house.public().join("media/ep1.mp3")).expect("there").len(), 400 * KIB as u64);
}

#[test]
fn the_example_builds_without_a_warning() {
    let house = House::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/site-example");
    let copy = house.beside("example");
    for (name, bytes) in files(Path::new(example)) {
        if name.starts_with("public/") || name.starts_with(".everseed/") {
            continue;
        }
        let path = copy.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }
    let run = Run::of(everseed().args(["build", "--json"]).current_dir(&copy), &house.beside("")).ok();
    assert_eq!(run.stderr, "");
    assert_eq!(summary(&run)["torrents"], 4);
}

#[test]
fn a_new_show_builds_without_a_warning() {
    let house = House::new();
    let shown = house.beside("");
    let new = house.beside("new");
    Run::of(everseed().arg("init").arg(&new), &shown).ok();
    let run = Run::of(everseed().args(["build", "--json"]).current_dir(&new), &shown).ok();
    assert_eq!(run.stderr, "");
    assert_eq!(summary(&run)["pages"], 4, "{}", run.stdout);
}
