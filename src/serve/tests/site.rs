//! A built site is read and checked.

use std::fs;

use expect_test::expect;

use super::show::{Show, link};
use crate::id::{InfoHash, InfoHashV2, InfoHashes};
use crate::metainfo::Kind;
use crate::serve::packed::Packed;
use crate::serve::site::{OwnTrackers, load, load_again};

fn problems(show: &Show) -> String {
    let problems = load(&show.root(), &OwnTrackers::default()).expect_err("a fault");
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    show.anonymous(&(lines.join("\n") + "\n"))
}

#[test]
fn a_site_without_a_manifest_is_served_as_it_is() {
    let show = Show::at("https://show.example.org/");
    fs::remove_file(show.path("everseed.json")).expect("removed");
    let site = load(&show.root(), &OwnTrackers::default()).expect("a site");
    assert!(!site.has_manifest && site.torrents.is_empty());
}

#[test]
fn torrents_come_with_their_files_and_pages() {
    let mut show = Show::at("https://show.example.org/a/b%20c/");
    let hash = show.release("ep1.mp3", b"some sound");
    show.release("ep2.mp3", b"some other sound");
    show.manifest.torrents.push(show.manifest.torrents[0].clone());
    show.publish();
    let site = load(&show.root(), &OwnTrackers::default()).expect("a site");
    assert_eq!(site.base, ["a", "b c"]);
    assert_eq!(site.torrents.len(), 2, "a torrent that stands twice counts once");
    assert_eq!(site.torrents[0].entry.info_hashes.main(), hash);
    assert!(site.torrents[0].files(&show.root()).eq([show.path("media/ep1.mp3")]));
    assert_eq!(site.torrents[0].read(&show.root()).map(|torrent| torrent.info_hashes.main()), Ok(hash));
    assert_eq!((site.medium("media/ep1.mp3"), site.medium("media/ep0.mp3")), (Some(hash), None));
    assert_eq!(site.page(&site.torrents[0].entry), Some("episodes/ep1.mp3/"));
}

#[test]
fn a_torrent_whose_file_looks_as_it_did_is_not_read_again() {
    let mut show = Show::at("https://show.example.org/");
    for name in ["same", "rewritten", "renamed"] {
        show.release(name, name.as_bytes());
    }
    // Padding is noted where it is read.
    show.release_files("padded", Kind::Hybrid, &[("a", &[1; 9]), ("b", &[2; 9])]);
    show.publish();
    let own = OwnTrackers::default();
    let first = load(&show.root(), &own).expect("a site");
    let torrent = fs::read(show.path("torrents/rewritten.torrent")).expect("it is there");
    show.write("torrents/new", &torrent);
    fs::rename(show.path("torrents/new"), show.path("torrents/rewritten.torrent")).expect("renamed");
    show.manifest.torrents[2].title = "Another title".into();
    show.release("new", b"new");
    show.publish();
    let kept = |site: &crate::serve::site::Site| -> Vec<bool> {
        let pairs = site.torrents.iter().zip(&first.torrents);
        pairs.map(|(one, former)| std::sync::Arc::ptr_eq(&one.entry, &former.entry)).collect()
    };
    let second = load_again(&show.root(), &own, &first).expect("a site");
    assert_eq!((second.torrents.len(), kept(&second)), (5, vec![true, false, false, false]));
    assert_eq!(second.pad("media/padded", "16375"), Some(16375));
    assert_eq!(second.medium("media/same"), Some(first.torrents[0].entry.info_hashes.main()));

    // Announce URLs that lead here are told apart by where the site is published.
    show.manifest.base_url = "https://other.example.org/".into();
    show.publish();
    assert_eq!(kept(&load_again(&show.root(), &own, &first).expect("a site")), [false; 4]);
}

#[test]
fn only_other_trackers_are_announced_to() {
    let mut show = Show::at("https://show.example.org/");
    let urls = [
        "https://show.example.org/announce",
        "https://show.example.org:443/announce",
        "https://SHOW.example.org/announce",
        "udp://show.example.org:6969/announce",
        "udp://tracker.example.org:6969",
        "http://own.example.org/announce",
        "https://show.example.org:8443/announce",
        "udp://show.example.org:7070/announce",
        "nonsense",
    ];
    show.release_with("ep1.mp3", b"sound", urls.iter().map(|&url| vec![url.to_owned()]).collect());
    show.publish();
    let own =
        OwnTrackers { urls: vec!["http://own.example.org/announce".into()], udp_ports: vec![6969], is_mirror: false };
    let site = load(&show.root(), &own).expect("a site");
    let expected = [
        "udp://tracker.example.org:6969",
        "https://show.example.org:8443/announce",
        "udp://show.example.org:7070/announce",
        "nonsense",
    ];
    assert_eq!(site.torrents[0].other_trackers.concat(), expected);
    assert_eq!(site.torrents[0].other_trackers.len(), 4, "tiers that are left empty are gone");
    // A mirror tracks nothing for the show, wherever its trackers are, and has none of its pages.
    let mirror = load(&show.root(), &OwnTrackers { is_mirror: true, urls: Vec::new(), ..own.clone() }).expect("a site");
    assert_eq!(mirror.torrents[0].other_trackers.concat(), urls);
    let mirror = load(&show.root(), &OwnTrackers { is_mirror: true, ..own }).expect("a site");
    assert_eq!(mirror.torrents[0].other_trackers.len(), urls.len() - 1, "but for the one that it was told is its own");
    let mut entry = mirror.torrents[0].entry.unpack();
    entry.page = Some("https://show.example.org/episodes/ep1/".into());
    let packed = Packed::of(&entry);
    assert_eq!((site.page(&packed), mirror.page(&packed)), (Some("episodes/ep1/"), entry.page.as_deref()));
}

#[test]
fn what_is_wrong_with_a_site_names_the_file_and_the_remedy() {
    let mut text = String::new();
    let mut show = Show::at("https://show.example.org/");
    for json in ["", "{", "[]", "{\"version\": 9}", "{\"version\": 1, \"base_url\": \"show\", \"torrents\": []}"] {
        show.write("everseed.json", json.as_bytes());
        text += &problems(&show);
    }
    show.release("ep1.mp3", b"sound");
    let json = show.manifest.to_json();
    for (from, to) in [("media/ep1.mp3", "../secret"), ("torrents/ep1.mp3.torrent", "/etc/passwd")] {
        show.write("everseed.json", json.replace(from, to).as_bytes());
        text += &problems(&show);
    }
    expect![[r#"
        SITE/everseed.json:1: not a manifest: EOF while parsing a value at line 1 column 0
          help: build the site again; the format is described in the README
        SITE/everseed.json:1: not a manifest: EOF while parsing an object at line 1 column 1
          help: build the site again; the format is described in the README
        SITE/everseed.json:1: not a manifest: invalid length 0, expected struct Version with 1 element at line 1 column 2
          help: build the site again; the format is described in the README
        SITE/everseed.json: a manifest of version 9; this everseed reads version 1
          help: use the version of everseed that built this site, or build it again with this one
        SITE/everseed.json: `base_url` is not an absolute URL with a `/` at its end: "show"
          help: build the site again
        SITE/everseed.json: torrents[0]: "../secret" is not a path below the site's root (no `..`, no leading `/`, no `\`)
          help: build the site again; the format is described in the README
        SITE/everseed.json: torrents[0]: "/etc/passwd" is not a path below the site's root (no `..`, no leading `/`, no `\`)
          help: build the site again; the format is described in the README
    "#]].assert_eq(&text);
}

#[test]
fn a_torrent_that_is_not_what_the_manifest_says_is_a_fault_and_all_are_told() {
    let mut show = Show::at("https://show.example.org/");
    for name in ["a", "b", "c", "d", "e", "f"] {
        show.release(name, name.as_bytes());
    }
    fs::remove_file(show.path("torrents/a.torrent")).expect("removed");
    show.write("torrents/b.torrent", b"nonsense");
    fs::copy(show.path("torrents/d.torrent"), show.path("torrents/c.torrent")).expect("copied");
    show.manifest.torrents[3].files[0].bytes = 7;
    fs::remove_file(show.path("media/e")).expect("removed");
    fs::write(show.root().with_file_name("secret"), "secret").expect("written");
    link("../../secret", show.path("media/e"));
    fs::remove_file(show.path("media/f")).expect("a missing medium is the seed's to tell");
    show.publish();
    expect![[r#"
        SITE/torrents/a.torrent: can't be read: No such file or directory (os error 2)
          help: the manifest names it; build or copy the site again
        SITE/torrents/b.torrent: not a torrent: byte 0: no value begins with this byte
          help: build the site again, or copy all of it
        SITE/torrents/c.torrent: its info-hash is 65eb17c58ee38aa6d65035bda22ed4c5e03d66af, the manifest says 45a45dc36e06a8d2cfa30199759a5b250ff17a90
          help: build the site again, or copy all of it
        SITE/everseed.json: the files of torrents/d.torrent are not those of d
          help: build the site again, or copy all of it
        SITE/media/e: a symbolic link that leads out of the site
          help: put the file itself there; a hard link will do
    "#]].assert_eq(&problems(&show));
}

#[test]
fn info_hashes_of_both_versions_are_compared_and_a_swarm_is_of_one_torrent() {
    let mut show = Show::at("https://show.example.org/");
    let files: [(&str, &[u8]); 2] = [("a", b"sound"), ("b", b"more")];
    for name in ["a", "b", "c", "d"] {
        show.release_files(name, Kind::Hybrid, &files);
    }
    let hashes: Vec<InfoHashes> = show.manifest.torrents.iter().map(|entry| entry.info_hashes).collect();
    let v1 = hashes[1].main();
    let said = [
        hashes[0],
        InfoHashes::V1(v1),
        InfoHashes::Hybrid(InfoHash([1; 20]), InfoHashV2([2; 32])),
        InfoHashes::Hybrid(v1, hashes[3].v2().expect("it is hybrid")),
    ];
    show.manifest.torrents.iter_mut().zip(said).for_each(|(entry, said)| entry.info_hashes = said);
    show.publish();
    let mut text = problems(&show);
    for (n, hash) in hashes.iter().enumerate() {
        text = text.replace(&hash.main().to_string(), &format!("V1-{n}"));
        text = text.replace(&hash.v2().expect("it is hybrid").to_string(), &format!("V2-{n}"));
    }
    expect![[r#"
        SITE/everseed.json: torrents/b.torrent and torrents/d.torrent are both torrents of the swarm V1-1
          help: build the site again, or copy all of it
        SITE/torrents/b.torrent: its info-hash of v2 is V2-1, the manifest says none
          help: build the site again, or copy all of it
        SITE/torrents/c.torrent: its info-hash is V1-2, the manifest says 0101010101010101010101010101010101010101; its info-hash of v2 is V2-2, the manifest says 0202020202020202020202020202020202020202020202020202020202020202
          help: build the site again, or copy all of it
        SITE/torrents/d.torrent: its info-hash is V1-3, the manifest says V1-1
          help: build the site again, or copy all of it
    "#]].assert_eq(&text);
}

#[test]
fn a_folder_that_is_none_is_a_fault() {
    let show = Show::at("https://show.example.org/");
    for path in ["nowhere", "index.html"] {
        let problems = load(&show.path(path), &OwnTrackers::default()).expect_err("no folder");
        assert!(problems[0].to_string().contains("help: name the folder of a built site"), "{:?}", problems[0]);
    }
}
