//! Builds that are stopped while files come into place, at every single step: what stands then, and what stands again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use expect_test::expect;

use super::super::{Error, Summary, build_watched};
use super::{EP1, House, two_episodes};
use crate::hash::{self, Source};
use crate::manifest::Manifest;
use crate::metainfo;
use crate::output::{recover, restore};

/// A built site, and then other content: a medium mended, one new, one gone, a page that changed.
fn changed() -> House {
    let house = two_episodes().page("old.md", "+++\ntitle = \"Old\"\n+++\n").file("static/a/b/logo.svg", "<svg/>");
    house.build();
    for gone in ["content/ep1.mp3", "content/ep2.md", "content/old.md"] {
        fs::remove_file(house.root().join(gone)).expect("removed");
    }
    house
        .with(|options| options.accept_changed = true)
        .file("content/ep1.mp3", "medium 1, mended")
        .page("ep3.md", &EP1.replace("One", "Three").replace("ep1", "ep3"))
        .file("content/ep3.mp3", "medium 3")
        .file("static/c/d/logo.svg", "<svg></svg>")
}

/// Builds until the change `stop` to the output, counted from 0, which is not done.
fn build_until(house: &House, stop: usize, how: How) -> Result<Summary, Error> {
    let mut steps = 0;
    let state = house.root().join("../state");
    build_watched(&house.options, &house.out(), &state, &(), &mut || {
        steps += 1;
        match how {
            _ if steps != stop + 1 => Ok(()),
            How::Killed => killed(),
            How::Failed => Err(io::ErrorKind::StorageFull.into()),
        }
    })
}

#[derive(Clone, Copy)]
enum How {
    Killed,
    Failed,
}

/// Unwinds past everything that would tidy up after an error.
fn killed() -> ! {
    resume_unwind(Box::new("killed"))
}

/// Whether it ran to its end.
fn kill(run: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(run)).is_ok()
}

/// Each torrent that the standing manifest names has its `.torrent` and its bytes; their names.
pub fn verified(out: &Path) -> Vec<String> {
    let manifest = Manifest::parse(&fs::read(out.join("everseed.json")).expect("a manifest")).expect("well-formed");
    let entries = manifest.torrents.into_iter();
    let verify = |entry: crate::manifest::Entry| {
        let torrent = fs::read(entry.torrent.below(out)).expect("a torrent");
        let torrent = metainfo::parse(torrent).expect("well-formed");
        assert_eq!(torrent.info_hashes, entry.info_hashes);
        let open = |file: &crate::manifest::File| Source::open(file.path.below(out)).expect("a medium");
        let mut sources: Vec<_> = entry.files.iter().map(open).collect();
        let info = torrent.metainfo.info;
        let wanted = hash::Wanted { v1: true, ..hash::Wanted::default() };
        let order = hash::Order::new(&mut sources, info.piece_length, wanted, &());
        let digests = hash::hash(order).expect("readable");
        assert_eq!(Some(&digests.pieces[..]), info.pieces(), "{}", entry.name);
        entry.name
    };
    entries.map(verify).collect()
}

fn tree(house: &House) -> BTreeMap<String, Vec<u8>> {
    house.contents().into_iter().collect()
}

/// The folders of the output, which are as telling as its files.
fn folders(house: &House) -> Vec<String> {
    let walk = walkdir::WalkDir::new(house.out()).sort_by_file_name().into_iter().flatten();
    let folders = walk.filter(|entry| entry.file_type().is_dir());
    folders.map(|entry| entry.path().strip_prefix(house.out()).expect("below").display().to_string()).collect()
}

fn staging_is_left(house: &House) -> bool {
    house.root().join("../.public.everseed-staging").exists()
}

#[test]
fn a_build_that_is_killed_at_any_step_is_taken_back() {
    let mut seen = Vec::new();
    for stop in 0.. {
        let house = changed();
        let (before, folders_before) = (tree(&house), folders(&house));
        let ended = kill(|| drop(build_until(&house, stop, How::Killed)));
        let names = verified(&house.out());
        if ended {
            assert!(stop > 20, "it ended after {stop} steps");
            break;
        }
        if !seen.contains(&names) {
            seen.push(names);
        }
        assert_eq!(restore(&house.out()), Ok(true), "step {stop}");
        assert_eq!((tree(&house), folders(&house)), (before, folders_before), "step {stop}");
        assert!(!staging_is_left(&house));
        assert_eq!(restore(&house.out()), Ok(false), "there is nothing left to do");
        assert_eq!(verified(&house.out()), ["ep2.mp3", "ep1.mp3"]);
    }
    // While the bytes of the mended medium come into place, no manifest names it.
    expect![[r#"
        [
            [
                "ep2.mp3",
                "ep1.mp3",
            ],
            [
                "ep2.mp3",
            ],
            [
                "ep1.mp3",
                "ep3.mp3",
            ],
        ]
    "#]]
    .assert_debug_eq(&seen);
}

#[test]
fn taking_back_can_be_killed_as_well() {
    for stop in [3, 12, 25] {
        let house = changed();
        let before = tree(&house);
        assert!(!kill(|| drop(build_until(&house, stop, How::Killed))));
        let out = house.out().canonicalize().expect("a folder");
        // One step further each time.
        let undo = || {
            let mut steps = 0;
            recover(&out, &mut || {
                steps += 1;
                if steps == 1 { Ok(()) } else { killed() }
            })
        };
        while !kill(|| assert_eq!(undo(), Ok(true))) {
            verified(&out);
        }
        assert_eq!(tree(&house), before, "step {stop}");
    }
}

#[test]
fn the_next_build_after_a_killed_one_is_whole() {
    let fresh = changed();
    fresh.build();
    let house = changed();
    assert!(!kill(|| drop(build_until(&house, 14, How::Killed))));
    assert!(staging_is_left(&house));
    house.build();
    assert!(!staging_is_left(&house));
    assert_eq!(tree(&house), tree(&fresh));
    assert_eq!(house.build().files_written, 0);
}

#[test]
fn a_step_that_fails_leaves_the_former_site() {
    let house = changed();
    let (before, folders_before) = (tree(&house), folders(&house));
    let mut stop = 0;
    let summary = loop {
        match build_until(&house, stop, How::Failed) {
            Err(Error::Trouble(problem)) => {
                assert!(problem.to_string().contains("can't be written: no storage space"), "{problem}");
            }
            Err(error) => panic!("{error:?}"),
            Ok(summary) => break summary,
        }
        assert_eq!(tree(&house), before, "step {stop}");
        assert_eq!(folders(&house), folders_before, "step {stop}");
        assert!(!staging_is_left(&house));
        stop += 1;
    };
    assert!(stop > 20, "{stop}");
    assert_eq!(verified(&house.out()), ["ep1.mp3", "ep3.mp3"]);
    assert!(summary.files_removed > 0);
}

#[test]
fn a_first_build_that_is_killed_leaves_nothing() {
    let house = House::with_episode();
    assert!(!kill(|| drop(build_until(&house, 5, How::Killed))));
    assert_eq!(restore(&house.out()), Ok(true));
    assert_eq!(house.listing(), [""; 0]);
    house.build();
}

#[test]
fn a_build_that_is_running_is_not_taken_back() {
    let house = changed();
    let state = house.root().join("../state");
    let mut asked = Vec::new();
    build_watched(&house.options, &house.out(), &state, &(), &mut || {
        asked.push(restore(&house.out()));
        Ok(())
    })
    .expect("built");
    assert!(asked.iter().all(|answer| *answer == Ok(false)), "{asked:?}");
}

#[test]
fn a_journal_that_cannot_be_read_is_told() {
    let house = House::with_episode();
    house.build();
    house.write("../.public.everseed-staging/journal.json", "{\"version\":9,\"steps\":[],\"folders\":[]}");
    expect![[r#"
        trouble: [folder]/.public.everseed-staging/journal.json: a build was interrupted, and how far it came can't be read: it is of version 9
          help: remove the folder [folder]/.public.everseed-staging, and build again: the site may be half of each build"#]]
    .assert_eq(&house.faults());
}
