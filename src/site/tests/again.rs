//! Builds after builds: what did not change is neither hashed nor written.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use expect_test::expect;

use super::{EP1, EP2, House, two_episodes};
use crate::metainfo;

#[test]
fn a_second_build_hashes_nothing_and_rewrites_nothing() {
    let house = two_episodes().file("static/logo.svg", "<svg/>").page("notes.txt", "not a page");
    let first = house.build();
    assert_eq!((first.releases, first.files_hashed, first.files_written, first.files_unchanged), (2, 2, 17, 0));
    let times = || house.listing().iter().map(|path| mtime(&house.out().join(path))).collect::<Vec<_>>();
    let before = times();
    let second = house.build();
    assert_eq!((second.files_hashed, second.bytes_hashed, second.files_written, second.files_unchanged), (0, 0, 0, 17));
    assert_eq!(times(), before);
}

#[test]
fn one_more_episode_hashes_one_file_and_a_lost_one_is_taken_away() {
    let house = House::with_episode();
    house.build();
    house.write("content/ep2.md", EP2);
    house.write("content/ep2.mp3", "medium 2");
    assert_eq!(house.build().files_hashed, 1);
    fs::remove_file(house.root().join("content/ep1.md")).expect("removed");
    let summary = house.build();
    assert_eq!((summary.files_hashed, summary.files_removed), (0, 3));
    assert!(!house.out().join("episodes/ep1").exists(), "emptied folders are removed");
    assert!(!house.listing().iter().any(|path| path.contains("ep1")));
}

#[test]
fn another_slug_for_the_same_file_hashes_nothing() {
    let house = House::with_episode();
    house.build();
    house.write("content/ep1.md", EP1.replace("media", "slug = \"first\"\nmedia"));
    let summary = house.build();
    assert_eq!((summary.files_hashed, summary.files_removed), (0, 3));
    assert_eq!(house.output("media/first.mp3"), "medium 1");
    assert_eq!(house.build().files_hashed, 0);
}

#[test]
fn two_builds_in_two_places_are_equal_byte_for_byte() {
    let (a, b) = (two_episodes(), two_episodes());
    a.build();
    b.build();
    // A history makes no difference either.
    b.write("content/page.md", "+++\ntitle = \"P\"\n+++\n");
    b.build();
    fs::remove_file(b.root().join("content/page.md")).expect("removed");
    b.build();
    assert_eq!(a.contents(), b.contents());
}

#[test]
fn a_changed_medium_is_another_torrent_and_the_same_guid() {
    let house = House::with_episode().with(|options| options.accept_changed = true);
    house.build();
    let torrent = |house: &House| {
        metainfo::parse(fs::read(house.out().join("torrents/ep1.torrent")).expect("read"))
            .expect("a torrent")
            .info_hashes
    };
    let guid = |house: &House| house.output("feed.xml").lines().find(|line| line.contains("<guid")).map(str::to_owned);
    let before = (torrent(&house), guid(&house));
    fs::remove_file(house.root().join("content/ep1.mp3")).expect("removed");
    house.write("content/ep1.mp3", "medium, mended");
    assert_eq!(house.build().files_hashed, 1);
    assert_eq!(house.output("media/ep1.mp3"), "medium, mended");
    assert_ne!(torrent(&house), before.0);
    assert_eq!(guid(&house), before.1);
}

#[test]
fn drafts_are_built_when_they_are_asked_for() {
    let draft = EP2.replace("media", "draft = true\nmedia");
    let mut house = House::with_episode().page("ep2.md", &draft).page("bad.md", "+++\ndraft = true\nseason = 0\n+++\n");
    assert_eq!(house.build().releases, 1);
    house.options.drafts = true;
    expect![[r#"
        content/bad.md: has no `title`
          help: add a line to its front matter: title = "..."
        content/bad.md:3: `season` is 0, not a whole number from 1
          help: write it as season = 1, or leave it out
        content/ep2.md:5: `media` "ep2.mp3" does not exist
          help: did you mean `ep1.mp3`?"#]]
    .assert_eq(&house.faults());
    fs::remove_file(house.root().join("content/bad.md")).expect("removed");
    house.write("content/ep2.mp3", "medium 2");
    assert_eq!(house.build().releases, 2);
}

fn mtime(path: &Path) -> (i64, i64) {
    let metadata = fs::metadata(path).expect("there");
    (metadata.mtime(), metadata.mtime_nsec())
}
