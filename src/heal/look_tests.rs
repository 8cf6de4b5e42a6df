use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, UNIX_EPOCH};

use expect_test::expect;

use super::*;
use crate::heal::testing::{PIECE, Show, quiet, unknown};
use crate::heal::{Options, Plan};
use crate::metainfo::Kind;

fn look(show: &Show) -> Look {
    examine(&show.subject(), unknown, 2, quiet()).expect("a look")
}

/// Each file that is wrong with why, and the bad pieces.
fn told(show: &Show, look: &Look) -> String {
    let options = Options { mirrors: vec!["https://a.example.org/".into()], swarm: false, ..Options::default() };
    let plan = Plan::of(&show.subject(), look, &options, false);
    format!("{plan}\n  {}\n  bad: {:?} of {}", plan.deed(), look.bad, look.pieces)
}

const FILES: [(&str, usize); 3] = [("a", 3 * PIECE + 100), ("b", 2 * PIECE), ("c", PIECE + 1)];

#[test]
fn what_is_whole_is_said_to_be_for_every_kind() {
    for kind in Kind::ALL {
        for files in [&FILES[..], &[("a", 5), ("b", 0)], &[("a", 4 * PIECE)], &[("a", 0)]] {
            let show = Show::new(kind, files);
            let look = look(&show);
            assert!(look.is_whole() && look.bad.is_empty(), "{kind}: {}", told(&show, &look));
        }
    }
}

#[test]
fn each_kind_of_damage_is_told_apart() {
    for kind in Kind::ALL {
        let show = Show::new(kind, &[("a", 3 * PIECE), ("b", 2 * PIECE), ("c", PIECE), ("d", PIECE), ("e", 0)]);
        show.rot("a", PIECE + 7);
        std::fs::remove_file(show.path("b")).expect("removed");
        std::fs::remove_file(show.path("e")).expect("removed");
        File::options().write(true).open(show.path("c")).and_then(|file| file.set_len(5)).expect("cut");
        std::fs::remove_file(show.path("d")).expect("removed");
        std::fs::create_dir(show.path("d")).expect("a folder");
        expect![[r#"
            One
              media/a has decayed: 1 bad piece (16.4 kB), and neither its size nor its time has changed
              media/b is missing (32.8 kB)
              media/c has 5 bytes now, and may be a new version: 1 bad piece (16.4 kB)
              media/d is not a regular file
              media/e is missing (0 B)
              3 pieces (49.2 kB) would be fetched from https://a.example.org/
              bad: {1, 3, 4, 5, 6} of 7"#]]
        .assert_eq(&told(&show, &look(&show)));
    }
}

#[test]
fn a_file_is_decayed_only_where_nobody_has_written_to_it() {
    let show = Show::new(Kind::V1, &[("a", 2 * PIECE)]);
    let before = Fingerprint::of(&std::fs::metadata(show.path("a")).expect("a file"));
    show.rot("a", 0);
    let why = |known: Option<Fingerprint>, published_ns: i64| {
        let subject = Subject { published_ns, ..show.subject() };
        let look = examine(&subject, |_| known, 1, quiet()).expect("a look");
        look.ills[0].why.clone()
    };
    let later = Fingerprint { mtime_ns: before.mtime_ns + 1, ..before };
    assert_eq!(why(Some(before), 0), Why::Decayed, "what is remembered counts");
    assert_eq!(why(Some(later), i64::MAX), Why::Changed(Change::Time));
    assert_eq!(why(Some(Fingerprint { bytes: 1, ..before }), i64::MAX), Why::Changed(Change::Time));
    assert_eq!(why(None, before.mtime_ns), Why::Decayed, "it is no younger than its torrent");
    assert_eq!(why(None, before.mtime_ns - 1), Why::Changed(Change::Time));
    // Its attributes may change without its bytes.
    std::fs::set_permissions(show.path("a"), Permissions::from_mode(0o600)).expect("set");
    assert_eq!(why(Some(before), 0), Why::Decayed);
    let time = UNIX_EPOCH + Duration::from_secs(1);
    File::options().write(true).open(show.path("a")).and_then(|file| file.set_modified(time)).expect("set");
    assert_eq!(why(Some(before), i64::MAX), Why::Changed(Change::Time));
}

#[test]
fn a_piece_of_two_files_is_blamed_on_the_one_that_is_known_to_be_wrong() {
    let show = Show::new(Kind::V1, &FILES);
    std::fs::remove_file(show.path("a")).expect("removed");
    let found = look(&show);
    assert_eq!(found.ills.iter().map(|ill| ill.file).collect::<Vec<_>>(), [0]);
    // Where both are there, each of them may be.
    let show = Show::new(Kind::V1, &FILES);
    show.rot("a", 3 * PIECE + 99);
    let found = look(&show);
    assert_eq!(found.ills.iter().map(|ill| ill.file).collect::<Vec<_>>(), [0, 1]);
    // By v2 it is known which.
    for kind in [Kind::V2, Kind::Hybrid] {
        let show = Show::new(kind, &FILES);
        show.rot("a", 3 * PIECE + 99);
        assert_eq!(look(&show).ills.iter().map(|ill| ill.file).collect::<Vec<_>>(), [0]);
    }
}

#[test]
fn a_file_that_is_published_elsewhere_need_not_be_here() {
    let show = Show::new(Kind::V1, &FILES);
    std::fs::remove_file(show.path("b")).expect("removed");
    let mut subject = show.subject();
    subject.files[1].url = Some("https://media.example.org/b".into());
    assert!(examine(&subject, unknown, 2, quiet()).expect("a look").is_whole());
    show.rot("a", 0);
    let found = examine(&subject, unknown, 2, quiet()).expect("a look");
    assert_eq!((found.ills.len(), found.bad.len()), (1, 1));
}

#[test]
fn a_look_that_is_stopped_says_so() {
    let show = Show::new(Kind::V1, &FILES);
    let stop = AtomicBool::new(true);
    let problem = examine(&show.subject(), unknown, 2, Watch { progress: &(), stop: &stop }).expect_err("stopped");
    assert_eq!(problem.to_string(), "stopped before it was done");
}
