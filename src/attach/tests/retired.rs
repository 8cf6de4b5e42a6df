//! Media that are replaced and episodes that no feed names any more: what of them stays, where there is still something.

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::*;
use crate::metainfo;

const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

/// A site with two episodes that was attached to: the file of one is the generator's, that of the other is placed.
fn published() -> House {
    let house = House::new(&[EP2, EP1]).with(&["public/audio/ep1.mp3", "media/audio/ep2.mp3"]);
    let house = house.set(|options| {
        options.media = vec![options.root.join("media")];
        options.accept_changed = true;
        options.now = Some(NOW);
    });
    house.attach();
    house
}

/// Moves another file into the place of one.
fn replace(house: &House, path: &str, content: &str) {
    house.put("new", content);
    fs::rename(house.path("new"), house.path(path)).expect("moved there");
}

fn at_day(house: House, day: i64) -> House {
    house.set(|options| options.now = Some(NOW + Duration::days(day)))
}

/// The titles of what is retired, each with what its file holds; every torrent of the manifest has its `.torrent`.
fn retired(house: &House) -> Vec<String> {
    let read = |place: &SitePath| fs::read(place.below(&house.options.site)).expect("there");
    let entries = house.manifest().torrents.into_iter();
    let listed = entries.filter_map(|entry| {
        let torrent = metainfo::parse(read(&entry.torrent)).expect("a torrent");
        assert_eq!(torrent.info_hashes, entry.info_hashes);
        entry.retired.as_ref()?;
        let seed = format!("https://show.example.org/{}", entry.files[0].path);
        assert_eq!(torrent.metainfo.web_seeds, [seed]);
        Some(format!("{}: {}", entry.title, String::from_utf8_lossy(&read(&entry.files[0].path))))
    });
    listed.collect()
}

/// What is kept beside the lock.
fn shelf(house: &House) -> usize {
    fs::read_dir(house.path("retired")).map_or(0, Iterator::count)
}

fn told(house: &House, summary: &Summary) -> String {
    let findings = summary.findings.iter().filter(|finding| finding.rule != "medium" && finding.rule != "length");
    let findings = findings.map(|finding| format!("{}: {}", finding.rule, finding.problem));
    let warnings = summary.warnings.iter().map(ToString::to_string);
    house.shown(&findings.chain(warnings).collect::<Vec<_>>().join("\n"))
}

#[test]
fn an_episode_that_no_feed_names_any_more_is_kept_for_its_days() {
    let house = published();
    house.put("public/feed.xml", &feed(&[EP2]));
    let summary = house.attach();
    expect![[r#"
        removed: public/torrents/ep1.torrent: is retired: no feed has an enclosure for "one" any more
          help: let the feed name all episodes, if its torrent is to stay"#]]
    .assert_eq(&told(&house, &summary));
    assert_eq!(retired(&house), ["one: public/audio/ep1.mp3"]);
    assert_eq!(summary.retired[0].until, "2026-07-01T12:00:00Z");
    assert!(house.path("public/audio/ep1.mp3").exists(), "it is the generator's");
    assert!(!house.path("public/torrents/ep1.torrent").exists());
    let house = at_day(house, 29);
    let summary = house.attach();
    assert_eq!((summary.files_written, summary.files_removed, told(&house, &summary)), (0, 0, String::new()));
    // Generators that clean their output take it along, and it is put there again.
    fs::remove_dir_all(house.path("public")).expect("removed");
    house.put("public/feed.xml", &feed(&[EP2]));
    house.attach();
    assert_eq!(retired(&house), ["one: public/audio/ep1.mp3"]);
    let house = at_day(house, 30);
    assert_eq!(house.attach().files_removed, 2);
    assert_eq!((retired(&house), shelf(&house)), (vec![], 0));
    assert!(!house.path("public/retired").exists() && !house.path("retired").exists());
}

#[test]
fn a_medium_that_is_replaced_is_kept_where_its_bytes_are_still_somewhere() {
    let house = published();
    replace(&house, "media/audio/ep2.mp3", "mended");
    // The one in the site is the one that counts until it is removed.
    fs::remove_file(house.path("public/audio/ep2.mp3")).expect("removed");
    let summary = house.attach();
    expect![[r#"not published any more, and not seeded any longer, for the files are gone: "two""#]]
        .assert_eq(&told(&house, &summary));
    assert_eq!((retired(&house), shelf(&house)), (vec![], 0));

    // Where the folder of media still has the former one, it is taken from there.
    let house = published();
    replace(&house, "public/audio/ep1.mp3", "mended");
    house.put("media/audio/ep1.mp3", "public/audio/ep1.mp3");
    house.attach();
    assert_eq!(retired(&house), ["one: public/audio/ep1.mp3"]);
}

#[test]
fn what_is_gone_with_the_generators_output_is_told_in_a_line() {
    let house = published();
    fs::remove_dir_all(house.path("public")).expect("removed");
    fs::remove_dir_all(house.path("media")).and_then(|()| fs::create_dir(house.path("media"))).expect("emptied");
    house.put("public/feed.xml", &feed(&[("three", "https://show.example.org/audio/ep3.mp3")]));
    let house = house.with(&["public/audio/ep3.mp3"]);
    let summary = house.attach();
    expect![[r#"
        removed: public/torrents/ep1.torrent: goes: no feed has an enclosure for "one" any more
          help: let the feed name all episodes, if its torrent is to stay
        removed: public/torrents/ep2.torrent: goes: no feed has an enclosure for "two" any more
          help: let the feed name all episodes, if its torrent is to stay
        not published any more, and not seeded any longer, for the files are gone: "two", "one""#]]
    .assert_eq(&told(&house, &summary));
    assert_eq!((retired(&house), shelf(&house)), (vec![], 0));
    let again = house.attach();
    assert_eq!((again.files_written, told(&house, &again)), (0, String::new()));
}

#[test]
fn the_lock_has_the_torrent_where_the_site_has_lost_it() {
    let house = published();
    update_lock(&house.options, &Update::default(), &()).expect("locked");
    fs::remove_dir_all(house.path("public")).expect("removed");
    house.put("public/feed.xml", &feed(&[("three", "https://show.example.org/audio/ep3.mp3")]));
    let house = house.with(&["public/audio/ep3.mp3"]);
    house.attach();
    assert_eq!(retired(&house), ["two: media/audio/ep2.mp3"]);
}

#[test]
fn an_episode_that_comes_back_is_published_and_not_retired() {
    let house = published();
    let before = house.tree();
    house.put("public/feed.xml", &feed(&[EP2]));
    house.attach();
    assert_eq!(shelf(&house), 1);
    house.put("public/feed.xml", &feed(&[EP2, EP1]));
    house.attach();
    assert_eq!(house.tree(), before);
}

#[test]
fn a_dry_run_a_strict_one_and_one_from_the_lock_keep_nothing() {
    let house = published();
    update_lock(&house.options, &Update::default(), &()).expect("locked");
    house.put("public/feed.xml", &feed(&[EP2]));
    let before = house.tree();
    let house = house.set(|options| options.dry_run = true);
    house.attach();
    let house = house.set(|options| (options.dry_run, options.strict) = (false, true));
    assert!(house.refused().starts_with("findings: "));
    assert_eq!(house.tree(), before);
    let house = house.set(|options| (options.strict, options.accept_changed, options.locked) = (false, false, true));
    house.attach();
    assert_eq!((retired(&house), shelf(&house)), (vec![], 0));
}

#[test]
fn where_no_medium_is_to_be_placed_none_is_that_was_not_there() {
    let house = published().set(|options| options.place = Place::None);
    fs::remove_file(house.path("public/audio/ep2.mp3")).expect("removed");
    house.put("public/feed.xml", &feed(&[("three", "https://show.example.org/audio/ep3.mp3")]));
    let house = house.with(&["public/audio/ep3.mp3"]);
    house.attach();
    assert_eq!(retired(&house), ["one: public/audio/ep1.mp3"]);
}

#[test]
fn a_file_in_the_way_is_a_finding() {
    let house = published().with(&["public/retired"]);
    house.put("public/feed.xml", &feed(&[EP2]));
    let summary = house.attach();
    expect![[r#"
        retired: public/retired: is no folder, and what is not published any more stands in one of that name
          help: give the file another name, or say `retired_days = 0` in [torrent]
        removed: public/torrents/ep1.torrent: goes: no feed has an enclosure for "one" any more
          help: let the feed name all episodes, if its torrent is to stay"#]]
    .assert_eq(&told(&house, &summary));
    assert_eq!((retired(&house), shelf(&house)), (vec![], 1));
    fs::remove_file(house.path("public/retired")).expect("removed");
    house.attach();
    assert_eq!(retired(&house), ["one: public/audio/ep1.mp3"]);
}

#[test]
fn a_run_that_is_killed_or_fails_at_any_step_loses_nothing() {
    let changed = || {
        let house = published();
        house.put("public/feed.xml", &feed(&[("three", "https://show.example.org/audio/ep3.mp3"), EP1]));
        let house = house.with(&["public/audio/ep3.mp3"]);
        replace(&house, "public/audio/ep1.mp3", "mended");
        house.with(&["media/public/audio/ep1.mp3"])
    };
    let site = |house: &House| {
        let files = house.tree().into_iter();
        files.filter(|(path, _)| path.starts_with("public/")).collect::<BTreeMap<_, _>>()
    };
    let whole = changed();
    whole.attach();
    assert_eq!(retired(&whole), ["two: media/audio/ep2.mp3"]);
    for is_killed in [true, false] {
        for stop in 0.. {
            let house = changed();
            let (before, all) = (site(&house), house.tree());
            let mut step = 0;
            let mut watch = || {
                step += 1;
                match is_killed {
                    _ if step != stop + 1 => Ok(()),
                    true => resume_unwind(Box::new("killed")),
                    false => Err(io::ErrorKind::StorageFull.into()),
                }
            };
            let run = || attach_watched(&house.options, &(), &mut watch).is_ok();
            if matches!(catch_unwind(AssertUnwindSafe(run)), Ok(true)) {
                assert!(stop > 12, "it ended after {stop} steps");
                break;
            }
            retired(&house);
            if is_killed {
                assert_eq!(output::restore(&house.options.site), Ok(true), "step {stop}");
                assert_eq!(site(&house), before, "step {stop}");
            } else {
                assert_eq!(house.tree(), all, "step {stop}");
            }
            house.attach();
            assert_eq!(site(&house), site(&whole), "step {stop}");
        }
    }
}
