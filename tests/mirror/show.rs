//! A show is mirrored, followed, and kept.

use expect_test::expect;

use super::house::attach::{Attached, BASE, episodes, rss};
use super::house::web::{File, Web};
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
    let original = content(files(&publisher.house.public()));
    for source in ["everseed.json", "torrents.xml", "feed.xml", ""] {
        let fan = Fan::of(&publisher.web.url(source));
        let round = fan.round();
        assert_eq!((round.fetched, round.missing, round.left_out), (if source == "feed.xml" { 2 } else { 3 }, 0, 0));
        let mirrored = content(fan.files());
        let wanted = original.iter().filter(|(name, _)| source != "feed.xml" || !name.contains("set"));
        let names: Vec<_> = mirrored.iter().map(|(name, _)| name.clone()).collect();
        assert!(mirrored == wanted.cloned().collect::<Vec<_>>(), "{source}: {names:?}");
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

#[test]
fn a_show_that_everseed_was_attached_to_is_mirrored_by_its_own_feed() {
    let web = Web::new();
    let feed = rss(&episodes()).replace(BASE, &web.url(""));
    let site = Attached::show().at(&web.url("")).feed("feed.xml", &feed);
    site.attach(&[]).ok();
    site.files().iter().for_each(|(name, bytes)| web.put(name, File::of(bytes)));
    let fan = Fan::of(&web.url("feed.xml"));
    let round = fan.round();
    assert_eq!((round.fetched, round.missing), (2, 0), "{}", fan.told());
    expect![[r#"
        Two: audio/ep2.mp3
        One: audio/ep1.mp3
    "#]]
    .assert_eq(&fan.listed());
    let (mirrored, original) = (fan.files(), site.files());
    assert!(
        mirrored
            .iter()
            .all(|(name, bytes)| ["everseed.json", "index.html"].contains(&name.as_str()) || original[name] == *bytes)
    );
}

/// An item of a feed that says nothing of info-hashes.
fn bare_item(name: &str, day: u8) -> String {
    format!(
        "<item><title>{name}</title><pubDate>{day:02} May 2026 06:00:00 GMT</pubDate>\
         <enclosure url='{name}.torrent' type='application/x-bittorrent' length='1'/></item>"
    )
}

#[test]
fn a_feed_that_tells_no_info_hash_is_followed_by_its_torrents() {
    let publisher = Publisher::new();
    let web = &publisher.web;
    let put = |name: &str, slug: &str| {
        let torrent =
            std::fs::read(publisher.house.public().join(format!("torrents/{slug}.torrent"))).expect("it is there");
        web.put(&format!("bare/{name}.torrent"), File::of(&torrent));
    };
    let feed = |items: &[String]| {
        let text = format!("<rss version='2.0'><channel><title>Bare</title>{}</channel></rss>", items.concat());
        web.put("bare/feed.xml", File::of(text.as_bytes()));
    };
    put("a", "ep1");
    feed(&[bare_item("a", 1)]);
    let fan = Fan::of(&web.url("bare/feed.xml"));
    let mut mirror = fan.mirror();
    assert_eq!(mirror.round(day(1), None).fetched, 1);
    web.asked();
    // Nothing is new, and nothing but the feed asked for; also by the next run.
    mirror.round(day(2), None);
    assert_eq!(web.asked().len(), 1);
    // The same address leads to another torrent, and there is one more.
    put("a", "ep2");
    put("b", "set");
    feed(&[bare_item("a", 1), bare_item("b", 2)]);
    assert_eq!(mirror.round(day(3), None).fetched, 2);
    expect![[r#"
        b: media/set/a.bin
        a: media/ep2.mp3
        a: media/ep1.mp3
    "#]]
    .assert_eq(&fan.listed());
    expect![[r#"
        /bare/a.torrent, unless it is the same
        /bare/b.torrent
        /bare/feed.xml, unless it is the same
        /media/ep2.mp3, range: bytes=0-1048592
        /media/set/a.bin, range: bytes=0-102400
        /media/set/sub/b.bin, range: bytes=0-51199"#]]
    .assert_eq(&asked(&publisher));
    drop(mirror);
    let round = fan.round();
    assert_eq!((round.fetched, round.missing), (0, 0));
    expect![[r#"
        /bare/a.torrent, unless it is the same
        /bare/b.torrent, unless it is the same
        /bare/feed.xml, unless it is the same"#]]
    .assert_eq(&asked(&publisher));
}

#[test]
fn a_show_with_another_tracker_is_announced_to_that() {
    let publisher = Publisher::new();
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    fan.round();
    let url = publisher.web.url("");
    let publisher = publisher.change(|house| {
        house.toml(&format!(
            "[site]\ntitle = \"A show\"\nbase_url = \"{url}\"\n[torrent]\ntrackers = [\"udp://tracker.example.org:6969\"]\n"
        ))
    });
    publisher.web.asked();
    fan.told();
    assert_eq!(fan.round().fetched, 0);
    expect![[r#"
        /everseed.json, unless it is the same
        /torrents/ep1.torrent
        /torrents/ep2.torrent
        /torrents/set.torrent"#]]
    .assert_eq(&asked(&publisher));
    let (mirrored, original) = (fan.files(), files(&publisher.house.public()));
    assert!(content(mirrored) == content(original));
    assert_eq!(fan.round().fetched, 0);
    assert_eq!(asked(&publisher), "/everseed.json, unless it is the same");
}

#[test]
fn a_round_that_takes_too_long_looks_at_the_show_again_first() {
    let publisher = Publisher::new();
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    let mut mirror = fan.mirror();
    let over = tokio::time::Instant::now();
    let round = mirror.round(day(1), Some(over));
    assert_eq!((round.is_cut, round.fetched), (true, 0));
    let round = mirror.round(day(1), Some(over + super::house::PATIENCE));
    assert_eq!((round.is_cut, round.fetched), (false, 3));
    mirror.stop().now();
    assert!(mirror.round(day(1), None).trouble.is_some());
}

/// Which torrents a feed names that tells no info-hash, only its server knows; until it has said so, nothing goes.
#[test]
fn what_a_feed_may_still_name_is_neither_retired_nor_removed() {
    let publisher = Publisher::new();
    let web = &publisher.web;
    let torrent = |slug: &str| {
        std::fs::read(publisher.house.public().join(format!("torrents/{slug}.torrent"))).expect("it is there")
    };
    let item =
        |name: &str, query: &str, day: u8| bare_item(name, day).replace(".torrent'", &format!(".torrent{query}'"));
    let feed = |items: &[String]| {
        let text = format!("<rss version='2.0'><channel><title>Bare</title>{}</channel></rss>", items.concat());
        web.put("bare/feed.xml", File::of(text.as_bytes()));
    };
    web.put("bare/a.torrent", File::of(&torrent("ep1")));
    web.put("bare/b.torrent", File::of(&torrent("set")));
    feed(&[item("a", "", 1), item("b", "", 2)]);
    for (forgets, budget, is_rolling) in
        [(true, None, false), (false, Some(500_000), false), (false, Some(500_000), true)]
    {
        feed(&[item("a", "", 1), item("b", "", 2)]);
        let fan = Fan::of(&web.url("bare/feed.xml")).with(|options| {
            (options.forgets_withdrawn, options.budget_bytes, options.is_rolling) = (forgets, budget, is_rolling);
        });
        let mut mirror = fan.mirror();
        assert_eq!(mirror.round(day(1), None).fetched, 2, "{}", fan.told());
        let before = fan.listed();
        fan.told();
        // All addresses are others, and lead to the same.
        feed(&[item("a", "?v=2", 1), item("b", "?v=2", 2)]);
        web.put("bare/a.torrent?v=2", File::of(&torrent("ep1")));
        web.put("bare/b.torrent?v=2", File::of(&torrent("set")));
        assert_eq!(mirror.round(day(2), None).fetched, 0);
        assert_eq!((fan.listed(), fan.told()), (before.clone(), String::new()));
        drop(mirror);
        // What was remembered of them is gone.
        std::fs::remove_file(fan.data().join("mirror.json")).expect("removed");
        assert_eq!(fan.round().fetched, 0);
        assert!(!fan.told().contains("removed") && fan.listed() == before);
        // They lead nowhere for now, and there is a new one that needs the room.
        feed(&[item("c", "", 3), item("a", "?v=3", 1), item("b", "?v=3", 2)]);
        web.put("bare/c.torrent", File::of(&torrent("ep2")));
        let fan = fan.with(|options| options.budget_bytes = budget.map(|_| 1_100_000));
        fan.round();
        let told = fan.told();
        assert!(!told.contains("removed") && fan.listed().ends_with(&before), "{told}");
        assert_eq!(fan.entries().len(), if budget.is_some() { 2 } else { 3 }, "{told}");
    }
}

/// A moved show says where it is by a redirect, and its relative addresses count from there.
#[test]
fn a_document_behind_a_redirect_is_read_where_it_stands() {
    let publisher = Publisher::new();
    publisher.web.put("old/feed", File::redirect(302, &publisher.web.url("everseed.json")));
    let fan = Fan::of(&publisher.web.url("old/feed"));
    assert_eq!(fan.round().fetched, 3, "{}", fan.told());
    // Also by what is remembered of it, without its server.
    let asked = publisher.web.asked();
    assert!(asked.iter().any(|line| line.starts_with("/media/ep1.mp3")), "{asked:?}");
    std::fs::remove_file(fan.site().join("media/ep1.mp3")).expect("removed");
    let round = fan.round();
    assert_eq!((round.fetched, round.missing), (1, 0), "{}", fan.told());
}
