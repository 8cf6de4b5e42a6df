//! A show is mirrored, followed, and kept.

use expect_test::expect;

use super::house::{KIB, episode, files};
use super::{Fan, Publisher, day};

/// The media of a site, and its torrents.
fn content(files: std::collections::BTreeMap<String, Vec<u8>>) -> Vec<(String, Vec<u8>)> {
    files.into_iter().filter(|(name, _)| name.starts_with("media/") || name.starts_with("torrents/")).collect()
}

/// What the show's server was asked since, without tags that differ for each run.
fn asked(publisher: &Publisher) -> String {
    let line = |line: String| {
        let conditional =
            line.split_once(", if-none-match").map(|(before, _)| format!("{before}, unless it is the same"));
        let mut line = conditional.unwrap_or(line);
        for entry in publisher.manifest().torrents {
            line = line.replace(&entry.info_hashes.main().to_string(), &format!("HASH of {}", entry.name));
        }
        line
    };
    publisher.web.asked().into_iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_show_is_mirrored_by_each_of_its_documents() {
    let publisher = Publisher::new();
    let published = content(files(&publisher.house.public()));
    for source in ["everseed.json", "torrents.xml", "feed.xml", ""] {
        let fan = Fan::of(&publisher.web.url(source));
        let round = fan.round();
        assert_eq!((round.fetched, round.missing, round.left_out), (if source == "feed.xml" { 2 } else { 3 }, 0, 0));
        let mirrored = content(fan.files());
        let wanted = published.iter().filter(|(name, _)| source != "feed.xml" || !name.contains("set"));
        let names = |content: &[(String, Vec<u8>)]| content.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        if source == "everseed.json" || source.is_empty() {
            assert!(mirrored == wanted.cloned().collect::<Vec<_>>(), "{:?}", names(&mirrored));
        } else {
            let media = |(name, _): &&(String, Vec<u8>)| name.starts_with("media/");
            let wanted: Vec<_> = wanted.filter(media).cloned().collect();
            assert!(
                mirrored.iter().filter(media).cloned().collect::<Vec<_>>() == wanted,
                "{source}: {:?}",
                names(&mirrored)
            );
        }
    }
}

#[test]
fn what_is_here_is_not_asked_for_again() {
    let publisher = Publisher::new();
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    fan.round();
    publisher.web.asked();
    let round = fan.round();
    assert_eq!((round.fetched, round.missing), (0, 0));
    let asked = publisher.web.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].starts_with("/everseed.json, if-none-match: "), "{asked:?}");
    drop((publisher, fan.told()));
    let round = fan.round();
    assert!(round.unread.is_some_and(|failed| failed.is_unreachable));
    assert_eq!(fan.entries().len(), 3, "the show outlives its publisher");
}

#[test]
fn a_show_is_followed_and_what_it_gives_up_is_kept() {
    let publisher = Publisher::new();
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    let mut mirror = fan.mirror();
    mirror.round(day(1), None);
    let first = fan.files();

    // One more, one less, one replaced.
    let publisher = publisher.change(|house| {
        std::fs::remove_file(house.root().join("content/ep2.md")).expect("removed");
        house
            .page("ep3.md", &episode("Three", "2026-05-15", "ep3.mp3"))
            .media("ep3.mp3", 200 * KIB)
            .write("content/ep1.mp3", &super::house::mp3(99, 310 * KIB))
    });
    publisher.web.asked();
    let round = mirror.round(day(2), None);
    assert_eq!((round.fetched, round.missing), (2, 0));
    expect![[r#"
        Three: media/ep3.mp3
        A set: media/set/a.bin
        One: media/ep1.mp3
        Two, retired by the show: retired/HASH/ep2.mp3
        One, retired 2026-06-02T12:00:00Z: kept/HASH/0/ep1.mp3
    "#]]
    .assert_eq(&fan.listed());
    expect![[r#"
        mirror: A set is here, 153.6 kB, 10 pieces from web seeds
        mirror: Two is here, 1.0 MB, 17 pieces from web seeds
        mirror: One is here, 307.2 kB, 10 pieces from web seeds
        mirror: the show has given up 2 torrents
        mirror: Three is here, 204.8 kB, 13 pieces from web seeds
        mirror: One is here, 317.4 kB, 10 pieces from web seeds"#]]
    .assert_eq(&fan.told());
    let now = fan.files();
    for (place, name) in [(3, "media/ep2.mp3"), (4, "media/ep1.mp3")] {
        assert!(now[fan.entries()[place].files[0].path.as_str()] == first[name], "the old bytes of {name}");
    }
    assert!(now["media/ep1.mp3"] != first["media/ep1.mp3"], "the new ones");
    expect![[r#"
        /everseed.json, unless it is the same
        /media/ep1.mp3, range: bytes=0-317439
        /media/ep3.mp3, range: bytes=0-204799
        /retired/HASH of ep2.mp3.torrent
        /torrents/ep1.torrent
        /torrents/ep3.torrent"#]]
    .assert_eq(&asked(&publisher));
}

#[test]
fn a_lost_file_is_fetched_again() {
    let publisher = Publisher::new();
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    fan.round();
    let before = fan.files();
    for lost in ["media/ep1.mp3", "torrents/ep2.torrent", "media/set/sub/b.bin"] {
        std::fs::remove_file(fan.site().join(lost)).expect("removed");
    }
    publisher.web.asked();
    let round = fan.round();
    assert_eq!((round.fetched, round.missing), (3, 0));
    assert!(fan.files() == before);
    expect![[r#"
        /everseed.json, unless it is the same
        /media/ep1.mp3, range: bytes=0-307199
        /media/set/a.bin, range: bytes=98304-102400
        /media/set/sub/b.bin, range: bytes=0-51199
        /torrents/ep2.torrent"#]]
    .assert_eq(&asked(&publisher));
}
