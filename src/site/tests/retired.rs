//! Media that are replaced and episodes that go: what of them stays, where, for how long, and what leads to it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use expect_test::expect;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::super::{LockUse, Summary, build_watched};
use super::stopped::verified;
use super::{EP1, House, two_episodes};
use crate::manifest::{Entry, Manifest};
use crate::metainfo::{self, Torrent};
use crate::output::restore;

const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

/// A built site of two episodes.
fn published() -> House {
    let house = two_episodes().with(|options| {
        options.now = Some(NOW);
        options.accept_changed = true;
    });
    house.build();
    house
}

/// Puts another file in the place of a medium.
fn replace(house: &House, name: &str, content: &str) {
    let path = house.root().join("content").join(name);
    let new = path.with_extension("new");
    fs::write(&new, content).and_then(|()| fs::rename(new, path)).expect("moved there");
}

fn remove(house: &House, name: &str) {
    fs::remove_file(house.root().join("content").join(name)).expect("removed");
}

fn at_day(house: House, day: i64) -> House {
    house.with(|options| options.now = Some(NOW + Duration::days(day)))
}

fn entries(house: &House) -> Vec<Entry> {
    Manifest::parse(house.output("everseed.json").as_bytes()).expect("a manifest").torrents
}

fn retired(house: &House) -> Vec<Entry> {
    entries(house).into_iter().filter(|entry| entry.retired.is_some()).collect()
}

/// The titles of what is retired.
fn titles(house: &House) -> Vec<String> {
    retired(house).into_iter().map(|entry| entry.title).collect()
}

/// What is kept beside the lock.
fn shelf(house: &House) -> usize {
    fs::read_dir(house.root().join("retired")).map_or(0, Iterator::count)
}

fn torrent(house: &House, path: &str) -> Torrent {
    metainfo::parse(fs::read(house.out().join(path)).expect("there")).expect("a torrent")
}

fn warnings(summary: &Summary) -> Vec<String> {
    let about = |text: &String| text.contains("published any more") || text.contains("retired");
    summary.warnings.iter().map(ToString::to_string).filter(about).collect()
}

#[test]
fn a_medium_that_is_replaced_stays_for_those_who_have_its_link() {
    let house = published();
    let before = torrent(&house, "torrents/ep1.torrent");
    replace(&house, "ep1.mp3", "medium 1, mended");
    let summary = house.build();
    assert_eq!(warnings(&summary), [""; 0]);
    let [entry] = &retired(&house)[..] else { panic!("one is retired") };
    expect![[r#"
        [
          {
            "title": "One",
            "info_hash": "5c6e4ecb6d8590f70fb72e704699996d2939b185",
            "bytes": 8,
            "retired": "2026-06-01T12:00:00Z",
            "until": "2026-07-01T12:00:00Z"
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&summary.retired).expect("JSON"));
    expect![[r#"
        Entry {
            info_hashes: V1(
                5c6e4ecb6d8590f70fb72e704699996d2939b185,
            ),
            name: "ep1.mp3",
            title: "One",
            torrent: SitePath(
                "retired/5c6e4ecb6d8590f70fb72e704699996d2939b185.torrent",
            ),
            magnet: "magnet:?xt=urn:btih:5c6e4ecb6d8590f70fb72e704699996d2939b185&dn=ep1.mp3&xl=8&tr=https%3A%2F%2Fshow.example.org%2Fannounce&ws=https%3A%2F%2Fshow.example.org%2Fretired%2F5c6e4ecb6d8590f70fb72e704699996d2939b185%2Fep1.mp3",
            bytes: 8,
            files: [
                File {
                    path: SitePath(
                        "retired/5c6e4ecb6d8590f70fb72e704699996d2939b185/ep1.mp3",
                    ),
                    bytes: 8,
                    url: None,
                },
            ],
            page: Some(
                "https://show.example.org/episodes/ep1/",
            ),
            published: Some(
                "2026-05-01",
            ),
            retired: Some(
                "2026-06-01T12:00:00Z",
            ),
        }
    "#]].assert_debug_eq(entry);
    let now = torrent(&house, entry.torrent.as_str());
    assert_eq!((now.info_hashes, now.info_bytes()), (before.info_hashes, before.info_bytes()));
    assert_eq!(now.metainfo.web_seeds, [format!("https://show.example.org/{}", entry.files[0].path)]);
    assert_eq!(now.metainfo.trackers, before.metainfo.trackers);
    assert_eq!(house.output(entry.files[0].path.as_str()), "medium 1");
    assert_eq!(house.output("media/ep1.mp3"), "medium 1, mended");
    assert_eq!(verified(&house.out()), ["ep2.mp3", "ep1.mp3", "ep1.mp3"]);
    // Nothing leads there.
    let others =
        house.contents().into_iter().filter(|(path, _)| path != "everseed.json" && !path.starts_with("retired/"));
    let names = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(&before.info_hashes.main().to_string());
    let leading: Vec<_> = others.filter(|(_, bytes)| names(bytes)).map(|(path, _)| path).collect();
    assert_eq!(leading, [""; 0]);
}

#[test]
fn the_same_history_gives_the_same_site_and_a_second_build_changes_nothing() {
    let build = || {
        let house = published();
        replace(&house, "ep1.mp3", "medium 1, mended");
        house.build();
        house
    };
    let (one, other) = (build(), at_day(build(), 0));
    assert_eq!(one.contents(), other.contents());
    let one = at_day(one, 29);
    let summary = one.build();
    assert_eq!((summary.files_written, summary.files_removed, summary.files_hashed), (0, 0, 0));
    assert_eq!(one.contents(), other.contents());
}

#[test]
fn an_episode_that_goes_stays_for_its_days_and_its_page_goes_at_once() {
    let house = published();
    remove(&house, "ep1.md");
    house.build();
    let [entry] = &retired(&house)[..] else { panic!("one is retired") };
    assert_eq!((&entry.title[..], entry.page.as_deref()), ("One", None));
    assert!(!house.out().join("episodes/ep1").exists());
    let house = at_day(house, 30);
    let summary = house.build();
    assert_eq!((titles(&house), shelf(&house), summary.files_removed), (vec![], 0, 2));
    assert!(!house.out().join("retired").exists());
    assert!(!house.root().join("retired").exists());
}

#[test]
fn an_episode_that_comes_back_is_published_and_not_retired() {
    let house = published();
    let before = house.contents();
    replace(&house, "ep1.mp3", "medium 1, mended");
    house.build();
    replace(&house, "ep1.mp3", "medium 1");
    house.build();
    assert_eq!(titles(&house), ["One"], "the mended one");
    assert_eq!(shelf(&house), 1);
    assert_eq!(house.output("media/ep1.mp3"), "medium 1");
    replace(&house, "ep1.mp3", "medium 1, mended");
    assert_eq!(at_day(house, 1).build().retired[0].retired, "2026-06-02T12:00:00Z");
    let house = published();
    remove(&house, "ep2.md");
    house.build();
    house.write("content/ep2.md", super::EP2);
    house.build();
    assert_eq!(house.contents(), before);
    assert_eq!(shelf(&house), 0);
}

#[test]
fn a_setting_that_makes_another_torrent_retires_the_former_one_with_the_bytes_that_stay() {
    let house = published().with(|options| options.kind = metainfo::Kind::Hybrid);
    assert_eq!(warnings(&house.build()), [""; 0]);
    assert_eq!(titles(&house).len(), 2);
    assert_eq!(verified(&house.out()).len(), 4);
    assert_eq!(house.build().files_written, 0);
}

#[test]
fn a_release_of_several_files_keeps_its_folder() {
    let page = "+++\ntitle = \"Set\"\ndate = 2026-05-09\nfiles = [\"a.bin\", \"sub\"]\n+++\n";
    for kind in [metainfo::Kind::V1, metainfo::Kind::V2, metainfo::Kind::Hybrid] {
        let house =
            House::new().page("set/index.md", page).file("content/set/a.bin", "a").file("content/set/sub/b.bin", "b");
        let house = house.with(|options| (options.now, options.accept_changed, options.kind) = (Some(NOW), true, kind));
        house.build();
        replace(&house, "set/a.bin", "A");
        house.build();
        let [entry] = &retired(&house)[..] else { panic!("one is retired") };
        let folder = format!("retired/{}", entry.info_hashes.main());
        let files: Vec<_> = entry.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(files, [format!("{folder}/set/a.bin"), format!("{folder}/set/sub/b.bin")]);
        assert_eq!(house.output(files[0]), "a");
        let seeds = torrent(&house, entry.torrent.as_str()).metainfo.web_seeds;
        assert_eq!(seeds, [format!("https://show.example.org/{folder}/")]);
    }
}

#[test]
fn bytes_that_were_written_over_are_lost_which_is_told_once() {
    let house = published();
    // As where the file system has no reflinks: the published file is the author's.
    let published = house.out().join("media/ep1.mp3");
    fs::remove_file(&published)
        .and_then(|()| fs::hard_link(house.root().join("content/ep1.mp3"), &published))
        .expect("linked");
    house.write("content/ep1.mp3", "MEDIUM 1");
    expect![[r#"
        "One" is not published any more, and can't be seeded any longer: media/ep1.mp3 has other bytes now
          help: move a new file into the place of a medium (`mv`) rather than writing into the one that is there: then peers can finish what they began"#]].assert_eq(&warnings(&house.build()).join("\n"));
    assert_eq!((titles(&house), shelf(&house)), (vec![], 0));
    assert!(!house.root().join("retired").exists());
    assert_eq!(warnings(&house.build()), [""; 0]);
}

#[test]
fn a_preview_and_a_draft_retire_nothing() {
    let house = published();
    replace(&house, "ep1.mp3", "medium 1, mended");
    house.build();
    replace(&house, "ep2.mp3", "medium 2, tried");
    let house = house.with(|options| options.lock = LockUse::Read);
    house.build();
    assert_eq!((titles(&house), shelf(&house)), (vec!["One".to_owned()], 1));
    // What nobody was to see has no former readers.
    let draft = EP1.replace("One", "Draft").replace("media", "slug = \"draft\"\ndraft = true\nmedia");
    let house = house.page("draft.md", &draft).with(|options| options.drafts = true);
    house.build();
    assert_eq!(entries(&house).len(), 4);
    let house = house.with(|options| (options.lock, options.drafts) = (LockUse::Write, false));
    assert_eq!(warnings(&house.build()), [""; 0]);
    assert!(!titles(&house).contains(&"Draft".to_owned()));
}

#[test]
fn a_site_that_was_built_for_another_address_retires_what_the_lock_has() {
    let house = published();
    let elsewhere = crate::baseurl::BaseUrl::parse("http://127.0.0.1:8080/").expect("a URL");
    // A preview of something that was never published.
    replace(&house, "ep1.mp3", "medium 1, tried");
    let url = house.options.base_url.clone();
    let house = house.with(|options| (options.base_url, options.lock) = (elsewhere, LockUse::Read));
    house.build();
    let house = house.with(|options| (options.base_url, options.lock) = (url, LockUse::Write));
    replace(&house, "ep1.mp3", "medium 1, mended");
    remove(&house, "ep2.md");
    house.build();
    assert_eq!(titles(&house), ["Two"]);
}

#[test]
fn a_build_from_the_lock_alone_keeps_what_is_there() {
    let house = published();
    replace(&house, "ep1.mp3", "medium 1, mended");
    house.build();
    let house = house.with(|options| (options.lock, options.accept_changed) = (LockUse::Alone, false));
    assert_eq!((house.build().files_written, titles(&house)), (0, vec!["One".to_owned()]));
    remove(&house, "ep2.md");
    house.build();
    assert_eq!(titles(&house).len(), 2);
    verified(&house.out());
}

#[test]
fn a_file_of_the_author_in_the_way_is_told() {
    let house = published().file("static/retired", "mine");
    remove(&house, "ep1.md");
    let summary = house.build();
    expect![[r#"
        static/retired: would be published as retired, where what is not published any more stands
          help: give the file another name"#]]
    .assert_eq(&warnings(&summary).join("\n"));
    assert_eq!((summary.retired.len(), titles(&house).len(), shelf(&house)), (0, 0, 1));
    for path in [house.root().join("static/retired"), house.out().join("retired")] {
        fs::remove_file(path).expect("removed");
    }
    let house = house.file("static/retired/notes.txt", "mine");
    assert_eq!(house.build().retired.len(), 1);
}

/// A build that replaces one medium, takes an episode away and lets another go for good.
fn changed() -> House {
    let house = House::with_episode().page("ep0.md", &EP1.replace("One", "Zero").replace("ep1", "ep0"));
    let house =
        house.file("content/ep0.mp3", "medium 0").page("ep2.md", super::EP2).file("content/ep2.mp3", "medium 2");
    let house = house.with(|options| (options.now, options.accept_changed) = (Some(NOW - Duration::days(30)), true));
    house.build();
    remove(&house, "ep0.md");
    house.build();
    replace(&house, "ep1.mp3", "medium 1, mended");
    remove(&house, "ep2.md");
    at_day(house, 0)
}

fn build_until(house: &House, stop: usize, fail: impl Fn() -> io::Result<()>) -> bool {
    let mut steps = 0;
    let state = house.root().join("../state");
    let build = || {
        build_watched(&house.options, &house.out(), &state, &(), &mut || {
            steps += 1;
            if steps == stop + 1 { fail() } else { Ok(()) }
        })
        .is_ok()
    };
    catch_unwind(AssertUnwindSafe(build)).unwrap_or(false)
}

fn tree(house: &House) -> BTreeMap<String, Vec<u8>> {
    house.contents().into_iter().collect()
}

#[test]
fn a_build_that_is_killed_at_any_step_loses_nothing() {
    let whole = changed();
    whole.build();
    let mut seen = Vec::new();
    for stop in 0.. {
        let house = changed();
        let before = tree(&house);
        let ended = build_until(&house, stop, || resume_unwind(Box::new("killed")));
        // Each torrent that is named has its bytes at each moment.
        let names = verified(&house.out());
        let retired = titles(&house);
        if !seen.contains(&(names.clone(), retired.clone())) {
            seen.push((names, retired));
        }
        if ended {
            assert!(stop > 20, "it ended after {stop} steps");
            break;
        }
        assert_eq!(restore(&house.out()), Ok(true), "step {stop}");
        assert_eq!(tree(&house), before, "step {stop}");
        house.build();
        assert_eq!(tree(&house), tree(&whole), "step {stop}");
        assert_eq!(shelf(&house), 2, "step {stop}");
    }
    expect![[r#"
        [
            (
                [
                    "ep2.mp3",
                    "ep1.mp3",
                    "ep0.mp3",
                ],
                [
                    "Zero",
                ],
            ),
            (
                [
                    "ep2.mp3",
                    "ep0.mp3",
                    "ep1.mp3",
                ],
                [
                    "Zero",
                    "One",
                ],
            ),
            (
                [
                    "ep1.mp3",
                    "ep1.mp3",
                    "ep2.mp3",
                ],
                [
                    "One",
                    "Two",
                ],
            ),
        ]
    "#]]
    .assert_debug_eq(&seen);
}

#[test]
fn a_build_that_fails_at_any_step_keeps_nothing_and_loses_nothing() {
    let mut stop = 0;
    loop {
        let house = changed();
        let (before, kept) = (tree(&house), shelf(&house));
        if build_until(&house, stop, || Err(io::ErrorKind::StorageFull.into())) {
            break;
        }
        assert_eq!((tree(&house), shelf(&house)), (before, kept), "step {stop}");
        stop += 1;
    }
    assert!(stop > 20, "{stop}");
}
