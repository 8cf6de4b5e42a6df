//! What a show's documents say is a stranger's word.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use everseed::id::InfoHashes;
use everseed::manifest::{Entry, File as ListedFile, Manifest};
use everseed::metainfo::{self, Draft, File as TorrentFile, Hashes, Info, Layout, Torrent};
use everseed::mirror::Mirror;
use everseed::sitepath::SitePath;
use everseed::units::PieceLength;
use expect_test::expect;
use sha1::{Digest, Sha1};

use super::house::web::{File, Web};
use super::house::{KIB, PATIENCE, mp3, noise};
use super::{Fan, Publisher, day};

fn path(text: &str) -> SitePath {
    SitePath::new(text).expect("below the root")
}

/// A v1 torrent of one file.
fn torrent_of(name: &str, content: &[u8]) -> Torrent {
    torrent(name, Layout::Single(content.len() as u64), Hashes::V1(pieces(content)))
}

fn torrent(name: &str, layout: Layout, hashes: Hashes) -> Torrent {
    let piece_length = PieceLength::new(16 * KIB as u64).expect("a power of two");
    metainfo::encode(&Draft {
        info: Info { name: name.into(), piece_length, private: false, source: None, layout, hashes },
        trackers: Vec::new(),
        web_seeds: Vec::new(),
        creation_date: None,
        created_by: None,
        comment: None,
    })
}

fn pieces(content: &[u8]) -> Vec<[u8; 20]> {
    content.chunks(16 * KIB).map(|piece| Sha1::digest(piece).into()).collect()
}

/// What a manifest says of a torrent.
fn entry(torrent: &Torrent, at: &str, files: &[&str]) -> Entry {
    let info = &torrent.metainfo.info;
    let files = files.iter().zip(info.files());
    Entry {
        info_hashes: torrent.info_hashes,
        name: info.name.clone(),
        title: info.name.clone(),
        torrent: path(at),
        magnet: metainfo::magnet(torrent),
        bytes: info.total_bytes(),
        files: files.map(|(name, (_, bytes))| ListedFile { path: path(name), bytes, url: None }).collect(),
        page: None,
        published: None,
        retired: None,
    }
}

/// Publishes what `torrents` say.
fn publish(web: &Web, torrents: Vec<Entry>) {
    let (generator, title, base_url) = ("a stranger".into(), "A show".into(), web.url(""));
    web.put("everseed.json", File::of(Manifest { generator, title, base_url, torrents }.to_json().as_bytes()));
}

#[test]
fn paths_that_are_not_a_strangers_to_choose_are_not_used() {
    let web = Web::new();
    let mut entries = Vec::new();
    let long = "x".repeat(256);
    let wanted = [
        "everseed.json",
        "EVERSEED.JSON/a",
        "announce",
        "api/swarms.json",
        ".hidden/a.mp3",
        "a/.b",
        "kept/a.mp3",
        &long,
        "one",
        "one/two",
        "ONE",
        "a\u{301}",
        "\u{e1}",
        "fine/a.mp3",
    ];
    for (index, name) in wanted.into_iter().enumerate() {
        let content = noise(index as u64, 20 * KIB);
        let torrent = torrent_of("a.mp3", &content);
        web.put(&percent(name), File::of(&content));
        // The manifest itself is what stands there.
        entries.push(entry(&torrent, &format!("t/{index}.torrent"), &[name]));
        web.put(&format!("t/{index}.torrent"), File::of(torrent.bytes()));
    }
    publish(&web, entries);
    let fan = Fan::of(&web.url("everseed.json"));
    let round = fan.round();
    assert_eq!((round.fetched, round.missing), (13, 1), "{}", fan.told());
    expect![[r#"
        kept/HASH/published.torrent kept/HASH/0/a.mp3
        kept/HASH/published.torrent kept/HASH/0/a.mp3
        kept/HASH/published.torrent kept/HASH/0/a.mp3
        kept/HASH/published.torrent kept/HASH/0/a.mp3
        kept/HASH/published.torrent kept/HASH/0/a.mp3
        kept/HASH/published.torrent kept/HASH/0/a.mp3
        kept/HASH/published.torrent kept/HASH/0/a.mp3
        t/8.torrent one
        kept/HASH/published.torrent kept/HASH/0/a.mp3
        kept/HASH/published.torrent kept/HASH/0/a.mp3
        t/11.torrent a(U+0301)
        kept/HASH/published.torrent kept/HASH/0/a.mp3
        t/13.torrent fine/a.mp3
    "#]]
    .assert_eq(&paths(&fan));
    assert_eq!(fan.files().len(), 13 * 2 + 2, "and nothing else but the manifest and the page");
}

/// A path as it is asked for.
fn percent(name: &str) -> String {
    path(name).url()
}

fn paths(fan: &Fan) -> String {
    let line = |entry: Entry| {
        let hash = entry.info_hashes.main().to_string();
        format!("{} {}\n", entry.torrent, entry.files[0].path).replace(&hash, "HASH")
    };
    let lines: String = fan.entries().into_iter().map(line).collect();
    // As it is escaped, one form of a letter is told from the other.
    lines.replace('\u{301}', "(U+0301)")
}

#[test]
fn a_torrent_that_is_another_than_the_show_says_is_refused() {
    let web = Web::new();
    let (one, other) = (noise(1, 20 * KIB), noise(2, 20 * KIB));
    let (said, given) = (torrent_of("a.mp3", &one), torrent_of("a.mp3", &other));
    web.put("a.torrent", File::of(given.bytes()));
    web.put("a.mp3", File::of(&other));
    publish(&web, vec![entry(&said, "a.torrent", &["a.mp3"])]);
    let fan = Fan::of(&web.url("everseed.json"));
    let round = fan.round();
    assert_eq!((round.fetched, round.missing), (0, 1));
    let own = given.info_hashes.main().to_string();
    expect![[r#"
        WARNING: mirror: a.mp3 can't be mirrored: http://127.0.0.1:PORT/a.torrent: its info-hash is HASH, and the show says another
          help: the show may be published again at this moment; it is tried again"#]].assert_eq(&web.hide_port(&fan.told()).replace(&own, "HASH"));
    web.put("a.torrent", File::of(b"<html>"));
    assert_eq!((fan.round().missing, fan.told().contains("not a torrent")), (1, true));
}

#[test]
fn a_torrent_that_contradicts_itself_is_refused() {
    let web = Web::new();
    let (one, other) = (noise(1, 20 * KIB), noise(2, 20 * KIB));
    let tree = |content: &[u8]| {
        let leaves: Vec<_> = content.chunks(16 * KIB).map(metainfo::merkle::leaf).collect();
        metainfo::merkle::tree(&leaves, PieceLength::new(16 * KIB as u64).expect("a power of two"))
    };
    let hashes = Hashes::Hybrid { pieces: pieces(&one), trees: vec![tree(&other)] };
    let contradictory = torrent("a.mp3", Layout::Single(20 * KIB as u64), hashes);
    let file = |name: &str| TorrentFile { path: vec![name.into()], bytes: 20 * KIB as u64, is_pad: false };
    let twice = Hashes::V1(pieces(&[&one[..], &other].concat()));
    let twice = torrent("b", Layout::Multi(vec![file("a"), file("a")]), twice);
    assert!(matches!(contradictory.info_hashes, InfoHashes::Hybrid(..)));
    web.put("a.torrent", File::of(contradictory.bytes()));
    web.put("b.torrent", File::of(twice.bytes()));
    web.put("a.mp3", File::of(&one));
    let entries = vec![entry(&contradictory, "a.torrent", &["a.mp3"]), entry(&twice, "b.torrent", &["b/1", "b/2"])];
    publish(&web, entries);
    let fan = Fan::of(&web.url("everseed.json"));
    let round = fan.round();
    assert_eq!((round.fetched, round.missing), (0, 2));
    expect![[r#"
        WARNING: mirror: b can't be mirrored: http://127.0.0.1:PORT/b.torrent: two of its files are called "b/a"
        WARNING: mirror: a.mp3 can't be fetched: its v1 and v2 hashes are of different content"#]]
    .assert_eq(&web.hide_port(&fan.told()));
}

#[test]
fn a_show_that_vanishes_lies_or_shrinks_takes_nothing_away() {
    let publisher = Publisher::new();
    let fan = Fan::of(&publisher.web.url(""));
    let mut mirror = fan.mirror();
    mirror.round(day(1), None);
    let (before, files) = (fan.listed(), fan.files().len());
    fan.told();
    let documents: [&[u8]; 5] =
        [b"", b"<html>", b"{\"version\": 2}", b"{\"version\": 1, \"base_url\"", &noise(1, 1000)];
    let unread: Vec<_> = documents
        .into_iter()
        .map(|document| {
            publisher.web.put("everseed.json", File::of(document));
            let problem = mirror.round(day(2), None).unread.expect("it can't be read").problem;
            publisher.web.hide_port(problem.message())
        })
        .collect();
    expect![[r#"
        http://127.0.0.1:PORT/everseed.json: is neither a manifest of everseed nor a feed
        http://127.0.0.1:PORT/everseed.json: is neither a manifest of everseed nor a feed
        http://127.0.0.1:PORT/everseed.json: a manifest of version 2; this everseed reads version 1
        http://127.0.0.1:PORT/everseed.json: not a manifest: EOF while parsing an object at line 1 column 25
        http://127.0.0.1:PORT/everseed.json: is neither a manifest of everseed nor a feed"#]]
    .assert_eq(&unread.join("\n"));
    assert_eq!((fan.listed(), fan.files().len()), (before.clone(), files));
    publisher.web.remove("everseed.json");
    assert!(mirror.round(day(2), None).unread.is_some());
    assert_eq!((fan.listed(), fan.files().len()), (before.clone(), files));
    publish(&publisher.web, Vec::new());
    mirror.round(day(3), None);
    assert_eq!(fan.files().len(), files);
    assert!(fan.entries().iter().all(|entry| entry.retired.as_deref() == Some("2026-06-03T12:00:00Z")));
    publisher.publish();
    mirror.round(day(4), None);
    assert_eq!((fan.listed(), fan.files().len()), (before, files), "and all is as it was when it is back");
    expect![[r#"
        mirror: the show has given up 3 torrents
        mirror: the show publishes 3 retired torrents again"#]]
    .assert_eq(&fan.told());
}

#[test]
fn a_file_that_somebody_put_there_stays() {
    let publisher = Publisher::new();
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    fs::create_dir_all(fan.site().join("media")).expect("a folder");
    fs::write(fan.site().join("media/ep1.mp3"), "somebody's own").expect("written");
    assert_eq!(fan.round().fetched, 3);
    expect![[r#"
        A set: media/set/a.bin
        Two: media/ep2.mp3
        One: kept/HASH/0/ep1.mp3
    "#]]
    .assert_eq(&fan.listed());
    assert_eq!(fan.files()["media/ep1.mp3"], b"somebody's own");
    assert!(fan.entries().iter().all(|entry| fan.site().join(entry.files[0].path.as_str()).is_file()));
}

#[test]
fn a_folder_that_is_no_mirrors_is_left_alone() {
    let publisher = Publisher::new();
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    fs::create_dir_all(fan.data()).expect("a folder");
    std::os::unix::fs::symlink(publisher.house.public(), fan.site()).expect("linked");
    let refused = Mirror::open(fan.data(), fan.options.clone(), Arc::new(|_: &str| ())).expect_err("refused");
    assert!(refused.message().contains("and not by a mirror"), "{refused}");
    for source in ["ftp://a.example.org/", "https://user@a.example.org/", "show.example.org", ""] {
        let fan = Fan::of(source);
        let refused = Mirror::open(fan.data(), fan.options.clone(), Arc::new(|_: &str| ())).expect_err(source);
        assert!(refused.message().contains("is not the address of a show"), "{refused}");
    }
}

#[test]
fn two_torrents_at_one_path_are_both_kept() {
    let web = Web::new();
    let (one, other) = (mp3(1, 20 * KIB), mp3(2, 20 * KIB));
    let (first, second) = (torrent_of("a.mp3", &one), torrent_of("a.mp3", &other));
    for (name, torrent) in [("a", &first), ("b", &second)] {
        web.put(&format!("{name}.torrent"), File::of(torrent.bytes()));
    }
    web.put("a.mp3", File::of(&one));
    web.put("elsewhere/b.mp3", File::of(&other));
    let mut at_the_same = entry(&second, "b.torrent", &["a.mp3"]);
    at_the_same.files[0].url = Some(web.url("elsewhere/b.mp3"));
    publish(&web, vec![entry(&first, "a.torrent", &["a.mp3"]), at_the_same]);
    let fan = Fan::of(&web.url("everseed.json"));
    let mut mirror = fan.mirror();
    assert_eq!(mirror.round(day(1), None).fetched, 2, "{}", fan.told());
    expect![[r#"
        a.torrent a.mp3
        kept/HASH/published.torrent kept/HASH/0/a.mp3
    "#]]
    .assert_eq(&paths(&fan));
    web.asked();
    publish(&web, vec![entry(&first, "a.torrent", &["a.mp3"]), entry(&second, "b.torrent", &["b.mp3"])]);
    assert_eq!(mirror.round(day(2), None).fetched, 0);
    expect![[r#"
        a.torrent a.mp3
        b.torrent b.mp3
    "#]]
    .assert_eq(&paths(&fan));
    // And they change places.
    publish(&web, vec![entry(&first, "a.torrent", &["b.mp3"]), entry(&second, "b.torrent", &["a.mp3"])]);
    assert_eq!((mirror.round(day(3), None).fetched, web.asked().len()), (0, 2));
    expect![[r#"
        a.torrent b.mp3
        b.torrent a.mp3
    "#]]
    .assert_eq(&paths(&fan));
    let files = fan.files();
    assert!(files["b.mp3"] == one && files["a.mp3"] == other && files.len() == 6);
}

#[test]
fn a_torrent_has_no_more_web_seeds_asked_than_are_named() {
    let web = Web::new();
    let content = noise(1, 20 * KIB);
    let plain = torrent_of("a.mp3", &content);
    let mut draft: Draft = plain.metainfo.clone();
    draft.web_seeds = (0..40).map(|index| web.url(&format!("seed{index}/a.mp3"))).collect();
    let torrent = metainfo::encode(&draft);
    web.put("a.torrent", File::of(torrent.bytes()));
    publish(&web, vec![entry(&torrent, "a.torrent", &["a.mp3"])]);
    let fan = Fan::of(&web.url("everseed.json"));
    assert_eq!(fan.round().missing, 1);
    let asked = web.asked().into_iter().filter(|line| line.contains(".mp3")).count();
    assert_eq!(asked, everseed::mirror::WEB_SEEDS_MAX);
}

#[test]
fn of_many_that_are_missing_some_are_told_and_all_are_counted() {
    let web = Web::new();
    let entries = (0..25).map(|index| {
        let torrent = torrent_of("a.mp3", &noise(index, 20 * KIB));
        entry(&torrent, &format!("{index}.torrent"), &[&format!("{index}.mp3")])
    });
    publish(&web, entries.collect());
    let fan = Fan::of(&web.url("everseed.json"));
    assert_eq!((fan.round().missing, fan.told().lines().filter(|line| line.starts_with("WARNING")).count()), (25, 20));
}

/// A manifest may name the files of one torrent in each other's places.
#[test]
fn files_of_one_torrent_that_change_places_keep_their_bytes() {
    let web = Web::new();
    let (one, other) = (noise(1, 20 * KIB), noise(2, 20 * KIB));
    let file = |name: &str| TorrentFile { path: vec![name.into()], bytes: 20 * KIB as u64, is_pad: false };
    let layout = Layout::Multi(vec![file("a"), file("b")]);
    let torrent = torrent("set", layout, Hashes::V1(pieces(&[&one[..], &other].concat())));
    web.put("a.torrent", File::of(torrent.bytes()));
    web.put("set/a", File::of(&one));
    web.put("set/b", File::of(&other));
    let list = |at: &str, files: [&str; 2]| publish(&web, vec![entry(&torrent, at, &files)]);
    list("a.torrent", ["set/a", "set/b"]);
    let fan = Fan::of(&web.url("everseed.json"));
    let mut mirror = fan.mirror();
    assert_eq!(mirror.round(day(1), None).fetched, 1, "{}", fan.told());
    let moves = [
        ["set/b", "set/a"],
        ["set/a", "set/c"],
        ["set/c", "set/d"],
        ["set/d", "set/c"],
        ["SET/d", "set/c"],
        ["set/c/x", "set/a"],
    ];
    for (files, name) in moves.into_iter().zip(["a", "a", "a", "set/d", "b", "set/c/y"]) {
        let at = format!("{name}.torrent");
        list(&at, files);
        let round = mirror.round(day(2), None);
        assert_eq!((round.fetched, round.missing, round.trouble), (0, 0, None), "{files:?}: {}", fan.told());
        let mut here = fan.files();
        assert!(
            here.remove(files[0]) == Some(one.clone()) && here.remove(files[1]) == Some(other.clone()),
            "{files:?}"
        );
        let left: Vec<_> = here.into_keys().filter(|name| *name != at).collect();
        assert_eq!(left, ["everseed.json", "index.html"], "{files:?}");
    }
}

/// Names that no file system takes, and a path on which something of the operator's stands, concern their own torrents.
#[test]
fn a_torrent_that_cannot_lie_where_the_show_has_it_holds_up_no_other() {
    let web = Web::new();
    let long = format!("{}.mp3", "x".repeat(280));
    let torrent_name = format!("{}.torrent", "y".repeat(244));
    let mut entries = Vec::new();
    for (index, (name, at, file)) in [
        (&*long, "long.torrent", "long.mp3"),
        ("b.mp3", &*torrent_name, "b.mp3"),
        ("c.mp3", "c.torrent", "taken/c.mp3"),
        ("d.mp3", "d.torrent", "d.mp3"),
    ]
    .into_iter()
    .enumerate()
    {
        let content = noise(index as u64, 20 * KIB);
        let torrent = torrent_of(name, &content);
        web.put(file, File::of(&content));
        web.put(at, File::of(torrent.bytes()));
        entries.push(entry(&torrent, at, &[file]));
    }
    publish(&web, entries);
    let fan = Fan::of(&web.url("everseed.json"));
    fs::create_dir_all(fan.site()).expect("a folder");
    fs::write(fan.site().join("taken"), "the operator's").expect("written");
    let mut mirror = fan.mirror();
    let round = mirror.round(day(1), None);
    assert_eq!((round.fetched, round.missing, round.trouble), (4, 0, None), "{}", fan.told());
    expect![[r#"
        long.torrent long.mp3
        kept/HASH/published.torrent kept/HASH/0/b.mp3
        kept/HASH/published.torrent kept/HASH/0/c.mp3
        d.torrent d.mp3
    "#]]
    .assert_eq(&paths(&fan));
    assert_eq!(fan.files()["taken"], b"the operator's");
    assert_eq!(fan.files().len(), 4 * 2 + 3, "nothing is left of the first tries");
    let round = mirror.round(day(2), None);
    assert_eq!((round.fetched, round.missing, round.trouble), (0, 0, None), "{}", fan.told());
}

/// A server that hardly sends is asked when nobody else has it, and then for a while only.
#[test]
fn a_trickle_is_the_last_resort_and_holds_up_nobody() {
    let (slow, web) = (Web::new(), Web::new());
    let mut entries = Vec::new();
    for (index, name) in ["a.mp3", "b.mp3"].into_iter().enumerate() {
        let content = noise(index as u64, 50 * KIB);
        let torrent = torrent_of(name, &content);
        slow.put(name, File::of(&content));
        web.put(&format!("{name}.torrent"), File::of(torrent.bytes()));
        let mut entry = entry(&torrent, &format!("{name}.torrent"), &[name]);
        entry.files[0].url = Some(slow.url(name));
        entries.push(entry);
    }
    publish(&web, entries);
    // Whatever it sends is too little.
    let slow_always = everseed::fetch::Slow { bytes: u64::MAX, within: Duration::ZERO };
    let fan = Fan::of(&web.url("everseed.json")).with(|options| {
        (options.slow, options.slow_for) = (slow_always, Duration::ZERO);
    });
    let round = fan.round();
    assert_eq!((round.fetched, round.missing, round.trouble), (0, 2, None));
    let told = fan.told();
    assert!(told.contains("4 of 4 pieces are missing") && told.contains("sent less than"), "{told}");
    let asked = slow.asked().len();
    assert_eq!(asked, 2, "once each");
    let fan = fan.with(|options| options.slow_for = PATIENCE);
    assert_eq!(fan.round().fetched, 2, "{}", fan.told());
    assert_eq!(slow.asked().len(), 4, "and again when nobody else has it");
}

/// Neither a redirect nor a torrent has us ask our own network.
#[test]
fn a_redirect_does_not_lead_into_our_network() {
    let publisher = Publisher::new();
    // The same server, by an address that the show does not stand at.
    let port = publisher.web.url("").split(':').nth(2).expect("a port").trim_end_matches('/').to_owned();
    for name in ["media/ep1.mp3", "torrents/ep2.torrent"] {
        publisher.web.put(name, File::redirect(302, &format!("http://127.0.0.2:{port}/elsewhere")));
    }
    publisher.web.put("elsewhere", File::of(b"secret"));
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    let round = fan.round();
    let told = fan.told();
    assert_eq!((round.fetched, round.missing), (1, 2), "{told}");
    assert_eq!(told.matches("is an address of this machine or its network").count(), 2, "{told}");
    assert!(!publisher.web.asked().iter().any(|line| line.starts_with("/elsewhere")));
}
