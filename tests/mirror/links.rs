//! What a mirror hands out that knows its own address: the show's torrents, which name the mirror as well.

use everseed::baseurl::BaseUrl;
use everseed::metainfo::{self, Metainfo};
use expect_test::expect;

use super::{Fan, Publisher};

const ARCHIVE: &str = "https://archive.example.org/show/";

fn at(fan: Fan, url: Option<&str>) -> Fan {
    fan.with(|options| options.base_url = url.map(|url| BaseUrl::parse(url).expect("an address")))
}

/// Trackers, web seeds and links of what is handed out.
fn sources(fan: &Fan) -> String {
    let line = |entry: everseed::manifest::Entry| {
        let bytes = std::fs::read(entry.torrent.below(&fan.site())).expect("it is there");
        let torrent = metainfo::parse(bytes).expect("a torrent");
        assert_eq!(torrent.info_hashes, entry.info_hashes);
        let Metainfo { trackers, web_seeds, .. } = torrent.metainfo;
        let (_, named) = entry.magnet.split_once("&tr=").unwrap_or_default();
        format!("{}: {trackers:?} {web_seeds:?}\n  &tr={named}\n", entry.title)
    };
    fan.entries().into_iter().map(line).collect()
}

#[test]
fn torrents_and_links_name_the_mirror_behind_the_show_and_only_where_it_stands_now() {
    let publisher = Publisher::new();
    let fan = at(Fan::of(&publisher.web.url("everseed.json")), Some(ARCHIVE));
    assert_eq!(fan.round().fetched, 3);
    let base = super::manifest(&fan.site()).base_url;
    assert_eq!(base, ARCHIVE);
    let first = sources(&fan);
    let shown = first
        .replace(&publisher.web.url(""), "SHOW/")
        .replace(&publisher.web.url("").replace(':', "%3A").replace('/', "%2F"), "SHOW%2F");
    expect![[r#"
        A set: [["SHOW/announce"], ["https://archive.example.org/show/announce"]] ["SHOW/media/", "https://archive.example.org/show/media/"]
          &tr=SHOW%2Fannounce&ws=SHOW%2Fmedia%2F&tr=https%3A%2F%2Farchive.example.org%2Fshow%2Fannounce&ws=https%3A%2F%2Farchive.example.org%2Fshow%2Fmedia%2F
        Two: [["SHOW/announce"], ["https://archive.example.org/show/announce"]] ["SHOW/media/ep2.mp3", "https://archive.example.org/show/media/ep2.mp3"]
          &tr=SHOW%2Fannounce&ws=SHOW%2Fmedia%2Fep2.mp3&tr=https%3A%2F%2Farchive.example.org%2Fshow%2Fannounce&ws=https%3A%2F%2Farchive.example.org%2Fshow%2Fmedia%2Fep2.mp3
        One: [["SHOW/announce"], ["https://archive.example.org/show/announce"]] ["SHOW/media/ep1.mp3", "https://archive.example.org/show/media/ep1.mp3"]
          &tr=SHOW%2Fannounce&ws=SHOW%2Fmedia%2Fep1.mp3&tr=https%3A%2F%2Farchive.example.org%2Fshow%2Fannounce&ws=https%3A%2F%2Farchive.example.org%2Fshow%2Fmedia%2Fep1.mp3
    "#]].assert_eq(&shown);
    // What was published stays as it was.
    let entry = &fan.entries()[0];
    let kept = fan.data().join(format!("published/{}.torrent", entry.info_hashes.main()));
    let original = |path: &str| std::fs::read(publisher.house.public().join(path)).expect("it is there");
    assert!(std::fs::read(kept).expect("it is there") == original(entry.torrent.as_str()));

    // It is not asked for again, nor read, and a move is no change of anything else.
    publisher.web.asked();
    let round = fan.round();
    assert_eq!((round.read, round.remembered, publisher.web.asked().len()), (0, 3, 1));
    let fan = at(fan, Some("https://other.example.org/"));
    let round = fan.round();
    assert_eq!((round.read, round.remembered, publisher.web.asked().len()), (0, 3, 1));
    assert_eq!(
        sources(&fan),
        first
            .replace(ARCHIVE, "https://other.example.org/")
            .replace("https%3A%2F%2Farchive.example.org%2Fshow%2F", "https%3A%2F%2Fother.example.org%2F")
    );
    let fan = at(fan, None);
    fan.round();
    let show = publisher.manifest();
    for (entry, named) in fan.entries().iter().zip(&show.torrents) {
        assert_eq!(entry.magnet, named.magnet);
        let handed_out = std::fs::read(entry.torrent.below(&fan.site())).expect("it is there");
        assert!(handed_out == original(named.torrent.as_str()), "{}", entry.title);
    }
    assert_eq!(std::fs::read_dir(fan.data().join("published")).expect("a folder").count(), 0);
}

#[test]
fn a_show_with_another_tracker_goes_on_naming_the_mirror() {
    let publisher = Publisher::new();
    let fan = at(Fan::of(&publisher.web.url("everseed.json")), Some(ARCHIVE));
    fan.round();
    let url = publisher.web.url("");
    let publisher = publisher.change(|house| {
        house.toml(&format!(
            "[site]\ntitle = \"A show\"\nbase_url = \"{url}\"\n[torrent]\ntrackers = [\"udp://tracker.example.org:6969\"]\n"
        ))
    });
    fan.round();
    let shown = sources(&fan);
    assert_eq!(shown.matches("udp://tracker.example.org:6969").count(), 3, "{shown}");
    assert_eq!(shown.matches("[\"https://archive.example.org/show/announce\"]]").count(), 3, "{shown}");
    publisher.web.asked();
    fan.round();
    assert_eq!(publisher.web.asked().len(), 1, "and is not asked for again");
}

#[test]
fn a_private_torrent_is_handed_out_as_it_is() {
    let publisher = Publisher::of(super::house::House::furnished(), "[torrent]\nprivate = true\n");
    let fan = at(Fan::of(&publisher.web.url("everseed.json")), Some(ARCHIVE));
    assert_eq!(fan.round().fetched, 3);
    assert!(!sources(&fan).contains("archive"));
}

#[test]
fn who_mirrors_a_mirror_has_it_as_a_source_and_names_both() {
    let publisher = Publisher::new();
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    fan.round();
    let web = super::house::web::Web::new();
    let url = web.url("");
    let fan = at(fan, Some(&url));
    fan.round();
    fan.files().iter().for_each(|(name, bytes)| web.put(name, super::house::web::File::of(bytes)));
    drop(publisher);
    let other = at(Fan::of(&url), Some(ARCHIVE));
    assert_eq!(other.round().fetched, 3, "{}", other.told());
    let shown = sources(&other);
    assert_eq!(shown.matches(&format!("[\"{url}announce\"], [\"{ARCHIVE}announce\"]]")).count(), 3, "{shown}");
}
