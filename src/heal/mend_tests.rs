use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use expect_test::expect;

use super::*;
use crate::fingerprint::Fingerprint;
use crate::hash::Progress;
use crate::heal::testing::{Mirror, PIECE, Show, options, quiet, unknown};
use crate::heal::{Options, examine};
use crate::metainfo::Kind;

fn look(show: &Show) -> Look {
    examine(&show.subject(), unknown, 2, quiet()).expect("a look")
}

fn heal(show: &Show, options: Options, consent: bool) -> Outcome {
    let healer = Healer::new(options, &show.data()).expect("a quarantine of its own");
    healer.heal(&show.subject(), &look(show), consent, &Vec::new, quiet())
}

/// What came of it, a line each.
fn told(outcome: &Outcome) -> String {
    let healed = outcome.healed.iter().map(|Healed { name, bytes, .. }| format!("healed {name}: {bytes}"));
    let left = outcome.left.iter().map(|Left { name, problem }| format!("left {name}: {}", problem.message()));
    let tried = outcome.tried.iter().map(|tried| format!("{tried}, {} bytes", tried.bytes));
    healed.chain(left).chain(tried).collect::<Vec<_>>().join("\n")
}

const FILES: [(&str, usize); 3] = [("a", 3 * PIECE + 100), ("b", 2 * PIECE), ("c", 5 * PIECE + 1)];

/// Without the swarm, which has nobody.
fn from(mirrors: &[&Mirror]) -> Options {
    Options { swarm: false, ..options(mirrors) }
}

#[test]
fn a_mirror_gives_the_bad_pieces_alone_and_everything_else_stays() {
    for kind in Kind::ALL {
        let show = Show::new(kind, &FILES);
        let mirror = Mirror::of(&show);
        let before = show.tree();
        let (time, modified) = (UNIX_EPOCH + Duration::from_secs(1_000_000_000), || {
            let metadata = fs::metadata(show.path("c")).expect("a file");
            (metadata.modified().expect("its time"), metadata.permissions().mode() & 0o777)
        });
        fs::set_permissions(show.path("c"), Permissions::from_mode(0o640)).expect("set");
        File::options().write(true).open(show.path("c")).and_then(|file| file.set_modified(time)).expect("set");
        // Two neighbours and one apart, in the middle of the file.
        for at in [PIECE + 5, 2 * PIECE + 5, 4 * PIECE + 50] {
            show.rot("c", at);
        }
        let outcome = heal(&show, from(&[&mirror]), false);
        assert_eq!(show.wrong(), Vec::<&str>::new(), "{kind}: {}", told(&outcome));
        assert!(outcome.is_whole() && look(&show).is_whole());
        assert_eq!(modified(), (time, 0o640));
        assert_eq!(show.tree(), [&["data/heal/lock".to_owned()], &before[..]].concat());
        assert!(mirror.asked().len() <= 2, "a run is one request: {:?}", mirror.asked());
    }
    let show = Show::new(Kind::V2, &FILES);
    let mirror = Mirror::of(&show);
    for at in [PIECE + 5, 2 * PIECE + 5, 4 * PIECE + 50] {
        show.rot("c", at);
    }
    let outcome = heal(&show, from(&[&mirror]), false);
    expect![[r#"
        healed media/c: 49152
        http://127.0.0.1:PORT/copy/: 3 pieces, 49152 bytes"#]]
    .assert_eq(&mirror.hide_port(&told(&outcome)));
    expect![[r#"
        /copy/media/c 16384-49151
        /copy/media/c 65536-81919"#]]
    .assert_eq(&mirror.asked().join("\n"));
}

#[test]
fn what_one_mirror_lacks_the_next_one_gives() {
    let show = Show::new(Kind::V1, &FILES);
    let (first, second) = (Mirror::of(&show), Mirror::of(&show));
    for at in [0, 4 * PIECE] {
        show.rot("c", at);
    }
    // The first one is damaged as well, elsewhere in one of the same pieces.
    first.rot("c", 4 * PIECE + 9);
    second.rot("c", 9);
    let outcome = heal(&show, from(&[&first, &second]), false);
    assert_eq!(show.wrong(), Vec::<&str>::new());
    expect![[r#"
        healed media/c: 32668
        http://127.0.0.1:PORT/copy/: 1 piece; wrong there as well: 1 piece, 32768 bytes
        http://127.0.0.1:PORT/copy/: 1 piece, 16384 bytes"#]]
    .assert_eq(&second.hide_port(&first.hide_port(&told(&outcome))));
}

#[test]
fn a_missing_file_comes_back_with_its_folder() {
    for kind in Kind::ALL {
        let show = Show::new(kind, &[("a", 3 * PIECE + 100), ("b", 0)]);
        let mirror = Mirror::of(&show);
        fs::remove_dir_all(show.path("")).expect("removed");
        let outcome = heal(&show, from(&[&mirror]), false);
        assert_eq!(show.wrong(), Vec::<&str>::new(), "{kind}: {}", told(&outcome));
        assert_eq!(outcome.healed.len(), 2);
    }
}

#[test]
fn a_file_that_may_be_a_new_version_is_left_unless_somebody_consents() {
    for kind in Kind::ALL {
        let show = Show::new(kind, &FILES);
        let mirror = Mirror::of(&show);
        fs::write(show.path("b"), "a new version").expect("written");
        show.rot("c", 4 * PIECE);
        let outcome = heal(&show, from(&[&mirror]), false);
        assert_eq!(show.wrong(), ["b"], "{kind}: {}", told(&outcome));
        assert_eq!(outcome.left[0].problem.message(), "has 13 bytes now, and may be a new version");
        let outcome = heal(&show, from(&[&mirror]), true);
        assert_eq!(show.wrong(), Vec::<&str>::new(), "{kind}: {}", told(&outcome));
        assert!(outcome.is_whole());
    }
}

/// Pieces of v1 go over the borders of files.
#[test]
fn of_two_files_that_share_a_bad_piece_the_damaged_one_is_healed() {
    let show = Show::new(Kind::V1, &FILES);
    let mirror = Mirror::of(&show);
    let inode = |name: &str| Fingerprint::of(&fs::metadata(show.path(name)).expect("a file")).inode;
    let b = inode("b");
    show.rot("a", 3 * PIECE + 50);
    let outcome = heal(&show, from(&[&mirror]), false);
    assert_eq!(show.wrong(), Vec::<&str>::new(), "{}", told(&outcome));
    assert_eq!((outcome.healed.len(), inode("b")), (1, b), "its neighbour is the same file");

    // Also where the neighbour seems to be a new version.
    show.rot("a", 3 * PIECE + 50);
    let seen = Fingerprint::of(&fs::metadata(show.path("b")).expect("a file"));
    let earlier = Fingerprint { mtime_ns: seen.mtime_ns - 1, ..seen };
    let known = |path: &std::path::Path| (path == show.path("b")).then_some(earlier);
    let subject = show.subject();
    let found = examine(&subject, known, 2, quiet()).expect("a look");
    assert_eq!(found.ills.len(), 2);
    let healer = Healer::new(from(&[&mirror]), &show.data()).expect("a quarantine of its own");
    let outcome = healer.heal(&subject, &found, false, &Vec::new, quiet());
    drop(healer);
    assert!(outcome.is_whole() && outcome.healed.len() == 1, "{}", told(&outcome));
    assert_eq!(show.wrong(), Vec::<&str>::new());

    // And where both are damaged, one of them for certain.
    fs::remove_file(show.path("a")).expect("removed");
    show.rot("b", 5);
    let outcome = heal(&show, from(&[&mirror]), false);
    assert_eq!(show.wrong(), ["b"], "nothing was known of its damage: {}", told(&outcome));
    assert_eq!(outcome.left[0].problem.message(), "has turned out to be damaged as well");
    let outcome = heal(&show, from(&[&mirror]), false);
    assert_eq!(show.wrong(), Vec::<&str>::new(), "{}", told(&outcome));
}

#[test]
fn what_nobody_has_stays_as_it_is_and_each_source_is_told_of() {
    let show = Show::new(Kind::V1, &FILES);
    let (gone, other, mirror) = (Mirror::of(&show), Mirror::of(&show), Mirror::of(&show));
    gone.remove("c");
    (0..6).for_each(|piece| other.rot("c", piece * PIECE));
    mirror.rot("c", 0);
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let nobody = format!("http://{port}/");
    (0..5).for_each(|piece| show.rot("c", piece * PIECE + 1));
    let before = fs::read(show.path("c")).expect("a file");
    let mut options = from(&[&gone, &other, &mirror]);
    options.mirrors.insert(0, nobody.clone());
    options.swarm = true;
    let outcome = heal(&show, options, false);
    assert!(fs::read(show.path("c")).expect("a file") == before);
    let told = told(&outcome).replace(&nobody, "http://127.0.0.1:PORT/");
    let told = [&gone, &other, &mirror].into_iter().fold(told, |told, mirror| mirror.hide_port(&told));
    expect![[r#"
        left media/b: 1 piece could not be had
        left media/c: 1 piece could not be had
        http://127.0.0.1:PORT/: 0 pieces; http://127.0.0.1:PORT/media/b: Connection refused (os error 111), 0 bytes
        http://127.0.0.1:PORT/copy/: 0 pieces; http://127.0.0.1:PORT/copy/media/c: answered 404 Not Found, 100 bytes
        http://127.0.0.1:PORT/copy/: 0 pieces; what is there is not what the torrent says, 81920 bytes
        http://127.0.0.1:PORT/copy/: 4 pieces; wrong there as well: 1 piece, 81920 bytes
        the swarm: 0 pieces; nobody is known who has "set", 0 bytes"#]]
    .assert_eq(&told);
}

/// Stops at the step `left` steps from now.
struct StopAfter<'s> {
    left: AtomicU64,
    stop: &'s AtomicBool,
}

impl Progress for StopAfter<'_> {
    fn advance(&self, _: u64) {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn neighbours_that_are_all_damaged_are_healed_together() {
    for kind in Kind::ALL {
        let show = Show::new(kind, &FILES);
        let mirror = Mirror::of(&show);
        show.rot("a", 5);
        fs::remove_file(show.path("b")).expect("removed");
        show.rot("c", 4 * PIECE);
        let outcome = heal(&show, from(&[&mirror]), false);
        assert!(outcome.is_whole() && outcome.healed.len() == 3, "{kind}: {}", told(&outcome));
        assert_eq!(show.wrong(), Vec::<&str>::new());
    }
}

/// At each step at which it can be stopped the site is as it was, or whole.
#[test]
fn a_healing_that_is_stopped_leaves_the_site_as_it_was() {
    let show = Show::new(Kind::V1, &[("a", 2 * PIECE), ("c", 5 * PIECE + 1)]);
    let mirror = Mirror::of(&show);
    for at in [0, 3 * PIECE] {
        show.rot("c", at);
    }
    fs::remove_file(show.path("a")).expect("removed");
    let before = fs::read(show.path("c")).expect("a file");
    let found = look(&show);
    for steps in 0.. {
        let stop = AtomicBool::new(false);
        let progress = StopAfter { left: AtomicU64::new(steps), stop: &stop };
        let healer = Healer::new(from(&[&mirror]), &show.data()).expect("a quarantine of its own");
        let outcome =
            healer.heal(&show.subject(), &found, false, &Vec::new, Watch { progress: &progress, stop: &stop });
        drop(healer);
        let is_stopped = stop.load(Ordering::Relaxed);
        assert!(!show.tree().iter().any(|path| path.contains("ward")), "{:?}", show.tree());
        assert_eq!(outcome.is_whole(), show.wrong().is_empty(), "{steps}: {}", told(&outcome));
        if !is_stopped {
            break;
        }
        assert!(steps < 100, "it is stopped again and again");
        if !outcome.is_whole() {
            assert!(fs::read(show.path("c")).expect("a file") == before, "{steps}: {}", told(&outcome));
            assert!(!show.path("a").exists(), "{steps}: {}", told(&outcome));
        }
    }
    assert_eq!(show.wrong(), Vec::<&str>::new());
}

#[test]
fn a_file_that_changes_while_it_is_healed_is_left() {
    let show = Show::new(Kind::V1, &FILES);
    let mirror = Mirror::of(&show);
    show.rot("c", 0);
    let found = look(&show);
    fs::write(show.path("c"), "the author was quicker").expect("written");
    let healer = Healer::new(from(&[&mirror]), &show.data()).expect("a quarantine of its own");
    let outcome = healer.heal(&show.subject(), &found, false, &Vec::new, quiet());
    assert_eq!(fs::read(show.path("c")).expect("a file"), b"the author was quicker");
    assert_eq!(outcome.left.len(), 1, "{}", told(&outcome));
    // And one that has come back.
    fs::remove_file(show.path("c")).expect("removed");
    let found = look(&show);
    fs::write(show.path("c"), "back").expect("written");
    let outcome = healer.heal(&show.subject(), &found, false, &Vec::new, quiet());
    assert_eq!(fs::read(show.path("c")).expect("a file"), b"back");
    assert_eq!(outcome.left[0].problem.message(), "was changed meanwhile, and is left as it is");
    // A build is at work.
    fs::remove_file(show.path("c")).expect("removed");
    let found = look(&show);
    let build = crate::output::hold(&show.subject().root).expect("held");
    let outcome = healer.heal(&show.subject(), &found, false, &Vec::new, quiet());
    assert_eq!(outcome.left[0].problem.message(), "another build of this site is running");
    drop(build);
    assert!(healer.heal(&show.subject(), &found, false, &Vec::new, quiet()).is_whole());
}

#[test]
fn a_quarantine_without_room_is_told_before_anything_is_fetched() {
    let show = Show::new(Kind::V1, &FILES);
    let mirror = Mirror::of(&show);
    fs::remove_file(show.path("c")).expect("removed");
    let small = Options { quarantine_bytes_max: Some(4 * PIECE as u64), ..from(&[&mirror]) };
    let outcome = heal(&show, small, false);
    expect!["left media/c: 81.9 kB are to be written, and 65.5 kB of the quarantine are left"]
        .assert_eq(&told(&outcome));
    assert_eq!((mirror.asked().len(), show.wrong()), (0, vec!["c"]));
}

#[test]
fn other_names_of_a_damaged_file_are_counted() {
    let show = Show::new(Kind::V1, &FILES);
    let mirror = Mirror::of(&show);
    fs::hard_link(show.path("c"), show.dir.path().join("the author's")).expect("linked");
    show.rot("c", 0);
    let outcome = heal(&show, from(&[&mirror]), false);
    assert_eq!((outcome.healed[0].other_names, show.wrong()), (1, Vec::new()));
}

/// A symbolic link stays one.
#[test]
fn the_file_behind_a_link_is_healed() {
    let show = Show::new(Kind::V1, &FILES);
    let mirror = Mirror::of(&show);
    let behind = show.dir.path().join("site/behind");
    fs::rename(show.path("c"), &behind).expect("moved");
    std::os::unix::fs::symlink(&behind, show.path("c")).expect("linked");
    show.rot("c", 0);
    assert!(heal(&show, from(&[&mirror]), false).is_whole());
    assert!(fs::symlink_metadata(show.path("c")).expect("a link").is_symlink());
    assert_eq!(show.wrong(), Vec::<&str>::new());
}

/// What lies outside of the site may be anything, and is not replaced; nor is it where the link is put there between the
/// look and the healing.
#[test]
fn the_file_behind_a_link_out_of_the_site_is_left_alone() {
    let show = Show::new(Kind::V1, &FILES);
    let mirror = Mirror::of(&show);
    show.rot("c", 0);
    let damaged = fs::read(show.path("c")).expect("read");
    let outside = show.dir.path().join("outside");
    let link = || {
        fs::rename(show.path("c"), &outside).expect("moved");
        std::os::unix::fs::symlink(&outside, show.path("c")).expect("linked");
    };
    let options = from(&[&mirror]);
    let healer = Healer::new(options, &show.data()).expect("a healer");
    let look = examine(&show.subject(), unknown, 1, quiet()).expect("a look");
    link();
    let outcome = healer.heal(&show.subject(), &look, true, &Vec::new, quiet());
    assert!(!outcome.is_whole() && fs::read(&outside).expect("read") == damaged);
    drop(healer);
    let look = examine(&show.subject(), unknown, 1, quiet()).expect("a look");
    assert_eq!(look.ills[0].why.to_string(), "is a symbolic link that leads out of the site");
    assert!(!heal(&show, from(&[&mirror]), true).is_whole());
    assert!(fs::read(&outside).expect("read") == damaged);
}

/// What hardly sends is asked again when nobody else has it.
#[test]
fn a_copy_that_trickles_is_the_last_resort() {
    let show = Show::new(Kind::V1, &FILES);
    let (one, other) = (Mirror::of(&show), Mirror::of(&show));
    other.remove("a");
    show.rot("a", 0);
    let never_enough = crate::fetch::Slow { bytes: u64::MAX, within: Duration::ZERO };
    let outcome = heal(&show, Options { slow: never_enough, ..from(&[&one, &other]) }, false);
    assert!(outcome.is_whole(), "{}", told(&outcome));
    let tried: Vec<_> = outcome.tried.iter().map(|tried| (tried.source == one.url, tried.pieces)).collect();
    assert_eq!(tried, [(true, 0), (false, 0), (true, 1)], "{}", told(&outcome));
}
