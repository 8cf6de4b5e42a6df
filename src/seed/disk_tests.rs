//! Files that are damaged in every way, and what is sent of them.

#![expect(clippy::cast_possible_truncation, reason = "torrents of a few pieces")]

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::Arc;

use proptest::prelude::*;
use tokio::sync::watch;

use super::super::status::DamageKind;
use super::super::status::{Health, Verdict};
use super::super::test_house::{House, PIECE, Way, modified};
use super::super::torrents::Remembered;
use super::super::{Folders, Torrent, cached};
use super::*;
use crate::metainfo::{self, Hashes, Info, Layout};
use crate::wire::Bitfield;

/// A torrent of four files: 2.5 pieces, an empty one, 5 bytes, and the rest of 4 pieces and 100 bytes.
fn house() -> House {
    House::new(&[("a", PIECE * 5 / 2), ("empty", 0), ("b", 5), ("c", PIECE * 3 / 2 + 95)])
}

fn entry(house: &House) -> Entry {
    Entry::new(&house.torrent, watch::Sender::new(0), &HashMap::new())
}

/// An entry whose pieces have all been hashed and are relied upon.
fn verified(house: &House) -> Entry {
    let entry = entry(house);
    look(&entry);
    entry.age();
    (0..5).for_each(|piece| verify_piece(&entry, piece).expect("as its hash says"));
    assert_eq!(entry.health(), Health::Verified);
    house.next_tick();
    entry
}

fn read(entry: &Entry, piece: u32, begin: u32, bytes: u32) -> Result<Vec<u8>, Refused> {
    let mut out = Vec::new();
    let block = Block { piece, begin, bytes };
    // What is read without waiting is the same, or nothing.
    let mut quick = vec![7; 100];
    let is_quick = cached::read_blocks(entry, &[block], &mut quick).is_some();
    let result = read_blocks(entry, &[block], &mut out);
    assert!(!is_quick || (result.is_ok() && out == quick));
    assert_eq!(result.is_err(), out.is_empty());
    result.map(|()| {
        assert_eq!(out[..PIECE_HEADER_BYTES], piece_header(block));
        out.split_off(PIECE_HEADER_BYTES)
    })
}

fn piece_of(house: &House, piece: usize) -> Vec<u8> {
    house.piece(piece as u32)
}

/// What peers may ask for.
fn offered(entry: &Entry) -> Bitfield {
    entry.offers().borrow().as_ref().expect("still seeded").as_ref().clone()
}

/// Changes one byte in place and sets the time of the last change back.
fn flip(house: &House, name: &str, at: usize) {
    let before = modified(&house.path(name));
    let mut bytes = fs::read(house.path(name)).expect("a file");
    bytes[at] ^= 1;
    let mut file = OpenOptions::new().write(true).open(house.path(name)).expect("writable");
    file.write_all(&bytes).expect("room");
    file.set_modified(before).expect("a settable time");
}

/// A torrent that begins and ends with padding in its pieces: 2.5 pieces, an empty file, 5 bytes, a whole piece.
fn padded() -> House {
    House::padded(&[("a", PIECE * 5 / 2), ("empty", 0), ("b", 5), ("c", PIECE)])
}

#[test]
fn padding_is_zeros_that_lie_nowhere() {
    let house = padded();
    for entry in [entry(&house), verified(&house)] {
        let pieces = entry.content.wire_pieces();
        assert_eq!((pieces.count(), pieces.bytes_of(4)), (5, Some(PIECE as u32)));
        for (piece, begin, bytes) in
            [(2, 0, PIECE), (2, PIECE / 2 - 3, 20), (2, PIECE / 2 + 1, 9), (3, 0, PIECE), (3, 2, 90)]
        {
            for read in
                [read(&entry, piece, begin as u32, bytes as u32), read(&entry, piece, begin as u32, bytes as u32)]
            {
                let read = read.expect("as its hash says");
                assert!(read == piece_of(&house, piece as usize)[begin..][..bytes], "{bytes} of {piece} from {begin}");
            }
        }
    }
}

#[test]
fn padding_that_its_torrent_says_is_no_zeros_is_a_fault_of_the_torrent() {
    let house = padded();
    let torrent = house.with_info(|info: &mut Info| {
        let (Hashes::V1(pieces), Layout::Multi(files)) = (&mut info.hashes, &mut info.layout) else {
            panic!("it is v1, and has files")
        };
        pieces.push([7; 20]);
        files.push(metainfo::File { path: vec![".pad".into(), "9".into()], bytes: 9, is_pad: true });
    });
    let entry = Entry::new(&torrent, watch::Sender::new(0), &HashMap::new());
    look(&entry);
    entry.age();
    (0..5).for_each(|piece| verify_piece(&entry, piece).expect("as its hash says"));
    verify_piece(&entry, 5).expect_err("no hash of zeros");
    assert_eq!(entry.health(), Health::Degraded);
    assert_eq!(entry.status().faults, ["its padding is not of zeros, as its pieces say"]);
}

#[test]
fn a_torrent_of_v2_alone_is_verified_by_the_trees_of_its_files() {
    let house = House::v2(&[("a", PIECE * 5 / 2), ("b", 5), ("c", PIECE), ("empty", 0)]);
    for entry in [entry(&house), verified(&house)] {
        for piece in 0..5 {
            let whole = piece_of(&house, piece);
            let read = read(&entry, piece as u32, 0, whole.len() as u32).expect("as its tree says");
            assert!(read == whole, "piece {piece}");
        }
    }
    for (name, at, piece) in [("a", PIECE + 9, 1), ("a", PIECE * 2 + 9, 2), ("b", 4, 3), ("c", 0, 4)] {
        let entry = verified(&house);
        flip(&house, name, at);
        for other in 0..5 {
            assert_eq!(read(&entry, other, 0, 5).is_err(), other == piece, "{name} at {at}: piece {other}");
        }
        assert_eq!((entry.health(), entry.status().pieces_bad), (Health::Degraded, 1));
        house.restore();
    }
    let entry = verified(&house);
    fs::write(house.path("b"), b"longer").expect("written");
    look(&entry);
    assert_eq!(entry.status().faults, ["media/b is 1 byte longer than its torrent says"]);
    let offered = offered(&entry);
    assert!(!offered.get(3) && offered.count() == 4, "its neighbours share no piece with it");
}

#[test]
fn a_hybrid_torrent_is_verified_with_its_padding() {
    let house = House::hybrid(&[("a", PIECE * 5 / 2), ("b", 5), ("c", PIECE)]);
    let entry = verified(&house);
    for piece in 0..5 {
        let whole = piece_of(&house, piece);
        assert_eq!(whole.len(), PIECE, "with padding");
        assert!(read(&entry, piece as u32, 0, PIECE as u32).expect("as its hash says") == whole);
    }
    flip(&house, "b", 0);
    read(&entry, 3, 0, 1).expect_err("damaged");
    assert_eq!(entry.status().faults, ["media/b differs from its torrent in 1 of 1 pieces"]);
}

#[test]
fn a_torrent_file_is_read_again_while_it_is_needed_and_its_loss_is_told() {
    let house = house();
    let mut folders = Folders::below(house.dir.path());
    let places = ["a", "empty", "b", "c"].map(|name| folders.place(&format!("media/{name}"), false)).to_vec();
    let kept_at = folders.place("torrents/set.torrent", false);
    let torrent = Torrent::kept_at(kept_at.clone(), &house.published, places, &[]).expect("a place for each");
    let entry = Entry::new(&torrent, watch::Sender::new(0), &HashMap::new());
    let offers = entry.offers();
    let offered = || offers.borrow().clone().expect("it is seeded");
    assert!(offered().all());
    look(&entry);
    assert_eq!(read(&entry, 0, 0, 9), Err(Refused::Unknown));
    assert_eq!(entry.health(), Health::Degraded);
    assert!(offered().none(), "nothing can be hashed");
    let why = "No such file or directory (os error 2)";
    assert_eq!(entry.status().faults, [format!("torrents/set.torrent cannot be read: {why}")]);

    fs::create_dir(house.dir.path().join("torrents")).expect("a folder");
    fs::write(kept_at.path(), house.published.bytes()).expect("written");
    look(&entry);
    assert_eq!((entry.health(), entry.status().faults), (Health::Verifying, Vec::new()));
    assert!(offered().all());
    entry.age();
    (0..5).for_each(|piece| verify_piece(&entry, piece).expect("as its hash says"));
    assert_eq!(entry.health(), Health::Verified);
    let info_bytes = || entry.offer().and_then(|offer| offer.metadata).expect("it is not private");
    let held = info_bytes();
    (0..3).for_each(|_| entry.rest());
    assert!(Arc::ptr_eq(&entry.offer_at_once().and_then(|offer| offer.metadata).expect("held by one"), &held));
    verify_piece(&entry, 0).expect("its hash is read again");
    assert!(Arc::ptr_eq(&info_bytes(), &held), "whoever comes holds the same");
    drop(held);
    (0..2).for_each(|_| entry.rest());
    assert!(entry.offer_at_once().is_none(), "nobody holds it any more");
    assert!(entry.offer().is_some());

    fs::write(kept_at.path(), House::new(&[("a", 7)]).published.bytes()).expect("written");
    read(&entry, 0, 0, 9).expect("it is known");
    verify_piece(&entry, 0).expect("its hash is held");
    entry.rest();
    verify_piece(&entry, 0).expect("it was used, and is held for once more");
    (0..2).for_each(|_| entry.rest());
    verify_piece(&entry, 0).expect_err("it is another's");
    assert_eq!(entry.status().faults, ["torrents/set.torrent is another torrent now"]);
    assert!(offered().all(), "all of it was hashed");
    // As whoever touches it: what was hashed has to be hashed again, which can't be.
    house.next_tick();
    fs::write(house.path("c"), fs::read(house.path("c")).expect("a file")).expect("written");
    look(&entry);
    let left: Vec<bool> = (0..5).map(|piece| offered().get(piece)).collect();
    let of_c = entry.content.pieces_of(2);
    assert_eq!(left, (0..5).map(|piece| !of_c.contains(&piece)).collect::<Vec<_>>());
}

#[test]
fn what_is_published_elsewhere_need_not_be_here_and_is_sent_where_it_is() {
    let house = house();
    // The first file takes half of the third piece, and the second the 5 bytes behind it.
    let content = fs::read(house.path("a")).expect("a file");
    fs::remove_file(house.path("a")).expect("removed");
    let entry = Entry::new(&house.with_elsewhere(&["a"]), watch::Sender::new(0), &HashMap::new());
    look(&entry);
    assert_eq!((entry.health(), entry.status().faults), (Health::Elsewhere, Vec::new()));
    entry.age();
    (3..5).for_each(|piece| verify_piece(&entry, piece).expect("as its hash says"));
    read(&entry, 2, 0, 9).expect_err("a part of it is elsewhere");
    read(&entry, 3, 0, 9).expect("all of it is here");
    assert_eq!((entry.health(), entry.status().pieces_bad), (Health::Elsewhere, 0));

    house.next_tick();
    flip(&house, "c", PIECE);
    look(&entry);
    assert_eq!(entry.health(), Health::Elsewhere, "no fault is known");
    entry.age();
    verify_piece(&entry, 3).expect_err("damaged");
    assert_eq!(entry.status().faults, ["media/c differs from its torrent in 1 of 3 pieces"]);
    assert_eq!(entry.health(), Health::Degraded);
    house.next_tick();
    flip(&house, "c", PIECE);
    look(&entry);
    entry.age();
    verify_piece(&entry, 3).expect("restored");
    fs::remove_file(house.path("b")).expect("removed");
    look(&entry);
    assert_eq!((entry.health(), entry.status().faults.join("")), (Health::Degraded, "media/b is missing".into()));

    fs::write(house.path("a"), &content[1..]).expect("a part of it came");
    look(&entry);
    assert!(entry.status().faults.contains(&"media/a is 1 byte shorter than its torrent says".into()));
    fs::write(house.path("a"), content).expect("all of it came");
    fs::write(house.path("b"), &house.content[PIECE * 5 / 2..][..5]).expect("written");
    look(&entry);
    entry.age();
    assert_eq!(entry.health(), Health::Verifying);
    (0..5).for_each(|piece| verify_piece(&entry, piece).expect("as its hash says"));
    assert_eq!((entry.health(), entry.unknown_piece(0)), (Health::Verified, None));
}

#[test]
fn a_torrent_without_a_place_for_each_file_is_refused() {
    let house = house();
    let places = |count: usize| (0..count).map(|n| Folders::below("/").place(&n.to_string(), false)).collect();
    for count in [0, 3, 5] {
        let problem = Torrent::new(&house.published, places(count), &[]).expect_err("four are needed");
        assert_eq!(problem.message(), format!("\"set\" has 4 files, and places were named for {count}"));
    }
    Torrent::new(&house.published, places(4), &[]).expect("each has one");
}

#[test]
fn blocks_come_out_of_pieces_that_span_files() {
    let house = house();
    for entry in [entry(&house), verified(&house)] {
        for (begin, bytes) in [(0, PIECE), (1, 1), (PIECE / 2 - 3, 20), (0, 100)] {
            for piece in 0..5 {
                let whole = piece_of(&house, piece);
                let (Some(end), number) = (Some(begin + bytes).filter(|&end| end <= whole.len()), piece as u32) else {
                    continue;
                };
                let block = read(&entry, number, begin as u32, bytes as u32).expect("a good piece");
                assert!(block == whole[begin..end], "piece {piece} from {begin}");
            }
        }
    }
}

#[test]
fn a_batch_holds_the_messages_of_its_blocks_one_behind_the_other() {
    let house = house();
    let blocks = [(0, 5, 10), (0, 15, 7), (2, 8190, 12), (0, 0, 1)];
    let blocks = blocks.map(|(piece, begin, bytes)| Block { piece, begin, bytes });
    for entry in [entry(&house), verified(&house)] {
        let mut out = b"before".to_vec();
        read_blocks(&entry, &blocks, &mut out).expect("good pieces");
        let mut expected = b"before".to_vec();
        for block in blocks {
            expected.extend_from_slice(&piece_header(block));
            let start = block.begin as usize;
            expected.extend_from_slice(&piece_of(&house, block.piece as usize)[start..][..block.bytes as usize]);
        }
        assert!(out == expected);
    }
}

#[test]
fn a_flipped_byte_is_never_sent_even_with_its_time_set_back() {
    let house = house();
    let entry = verified(&house);
    flip(&house, "a", PIECE + 7);
    assert_eq!(read(&entry, 1, 0, 16), Err(Refused::Bad));
    assert!(read(&entry, 0, 0, 16).is_ok_and(|block| block == piece_of(&house, 0)[..16]));
    assert!(read(&entry, 4, 0, 16).is_ok());
    let status = entry.status();
    assert_eq!((status.health, status.pieces_bad), (Health::Degraded, 1));
    assert_eq!(status.faults, ["media/a differs from its torrent in 1 of 3 pieces"]);
    let offered = offered(&entry);
    assert!(!offered.get(1) && offered.count() == 4);
}

#[test]
fn a_byte_flipped_in_the_same_tick_of_the_clock_is_not_sent_either() {
    let house = house();
    let entry = entry(&house);
    assert!(read(&entry, 1, 0, 16).is_ok());
    flip(&house, "a", PIECE + 7);
    assert_eq!(read(&entry, 1, 0, 16), Err(Refused::Bad));
    // Repaired, possibly without looking different: the next pass finds it.
    flip(&house, "a", PIECE + 7);
    assert_eq!(entry.unknown_piece(0), Some(0));
    look(&entry);
    entry.age();
    (0..5).for_each(|piece| verify_piece(&entry, piece).expect("as its hash says"));
    assert_eq!((entry.health(), entry.unknown_piece(0)), (Health::Verified, None));
}

/// Puts a pipe in the place of a file: whoever opens it waits.
fn pipe(path: &std::path::Path) {
    fs::remove_file(path).expect("removed");
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo runs").success());
}

#[test]
fn a_link_within_the_site_is_followed() {
    let house = house();
    fs::rename(house.path("a"), house.dir.path().join("elsewhere")).expect("renamed");
    std::os::unix::fs::symlink("../elsewhere", house.path("a")).expect("linked");
    let entry = verified(&house);
    assert!(read(&entry, 0, 0, 16).is_ok_and(|block| block == piece_of(&house, 0)[..16]));
}

#[test]
fn damage_is_named_and_a_restored_file_is_served_again() {
    type Damage = fn(&House);
    let cases: [(Damage, &str, Health); 8] = [
        (
            |h| truncate(h, PIECE as u64 * 5 / 2 - 3),
            "media/a is 3 bytes shorter than its torrent says",
            Health::Degraded,
        ),
        (|h| truncate(h, PIECE as u64 * 5 / 2 + 1), "media/a is 1 byte longer than its torrent says", Health::Degraded),
        (|h| fs::remove_file(h.path("a")).expect("removed"), "media/a is missing", Health::Degraded),
        (
            |h| {
                fs::remove_file(h.path("a")).expect("removed");
                fs::create_dir(h.path("a")).expect("a folder");
            },
            "media/a is not a regular file",
            Health::Degraded,
        ),
        (|h| pipe(&h.path("a")), "media/a is not a regular file", Health::Degraded),
        (
            |h| {
                fs::remove_file(h.path("a")).expect("removed");
                let outside = std::env::current_exe().expect("it has a path");
                std::os::unix::fs::symlink(outside, h.path("a")).expect("linked");
            },
            "media/a is a symbolic link that leads out of the site",
            Health::Degraded,
        ),
        (
            |h| {
                let time = modified(&h.path("a"));
                fs::write(h.path("new"), vec![0; PIECE * 5 / 2]).expect("a file");
                OpenOptions::new()
                    .write(true)
                    .open(h.path("new"))
                    .and_then(|f| f.set_modified(time))
                    .expect("its time");
                fs::rename(h.path("new"), h.path("a")).expect("renamed");
            },
            "media/a differs from its torrent in 3 of 3 pieces",
            Health::Degraded,
        ),
        (
            |h| ["a", "b", "c"].iter().for_each(|name| fs::remove_file(h.path(name)).expect("removed")),
            "media/a is missing, media/b is missing, media/c is missing",
            Health::Missing,
        ),
    ];
    for (damage, fault, health) in cases {
        let house = house();
        let entry = verified(&house);
        damage(&house);
        for piece in 0..3 {
            assert!(read(&entry, piece, 0, 16).is_err(), "{fault}: piece {piece}");
        }
        look(&entry);
        (0..5).for_each(|piece| _ = verify_piece(&entry, piece));
        let status = entry.status();
        assert_eq!((status.faults.join(", ").as_str(), status.health), (fault, health));
        // Piece 2 is shared with the damaged file, piece 4 lies in another.
        assert!(!offered(&entry).get(2), "{fault}");
        assert_eq!(offered(&entry).get(4), health == Health::Degraded, "{fault}");

        house.restore();
        look(&entry);
        entry.age();
        // What was found by hashing stays so until the hash says otherwise.
        let until_hashed = if fault.contains("differs") { Health::Degraded } else { Health::Verifying };
        assert_eq!(entry.health(), until_hashed, "{fault}");
        while let Some(piece) = entry.unknown_piece(0) {
            verify_piece(&entry, piece).expect("restored");
        }
        assert_eq!(entry.health(), Health::Verified, "{fault}");
        assert!(offered(&entry).all());
    }
}

#[test]
fn a_damaged_file_that_changes_stays_damaged_until_it_is_hashed() {
    let house = house();
    let entry = verified(&house);
    flip(&house, "a", 3);
    look(&entry);
    entry.age();
    (0..5).for_each(|piece| _ = verify_piece(&entry, piece));
    let faults = ["media/a differs from its torrent in 1 of 3 pieces"];
    let mut changes = entry.changes();
    for is_restored in [false, true] {
        house.next_tick();
        if is_restored {
            flip(&house, "a", 3);
        } else {
            let file = OpenOptions::new().write(true).open(house.path("a")).expect("writable");
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("touched");
        }
        changes.mark_unchanged();
        look(&entry);
        assert!(changes.has_changed().expect("it lives"), "whoever hashes what is suspect is woken");
        assert_eq!(
            (entry.health(), entry.status().faults.as_slice()),
            (Health::Degraded, &faults.map(String::from)[..])
        );
        assert!(!offered(&entry).get(0) && offered(&entry).count() == 4);
        assert_eq!((entry.suspect_piece(0), entry.suspect_piece(1)), (Some(0), None));
        entry.age();
        assert_eq!(verify_piece(&entry, 0).is_ok(), is_restored);
        assert_eq!((entry.suspect_piece(0), offered(&entry).get(0)), (None, is_restored));
    }
    assert_eq!((entry.health(), entry.status().faults), (Health::Verifying, Vec::new()));
    (1..5).for_each(|piece| verify_piece(&entry, piece).expect("as its hash says"));
    assert_eq!(entry.health(), Health::Verified);
}

#[test]
fn a_restored_file_is_served_on_its_next_request() {
    let house = house();
    let entry = verified(&house);
    fs::remove_file(house.path("a")).expect("removed");
    assert_eq!(read(&entry, 0, 0, 16), Err(Refused::Bad));
    house.restore();
    assert!(read(&entry, 0, 0, 16).is_ok_and(|block| block == piece_of(&house, 0)[..16]));
}

/// What a restart makes of `verdicts`.
fn restarted(house: &House, verdicts: &[Verdict]) -> Entry {
    let remembered = verdicts.iter().map(|verdict| {
        let Verdict { path, fingerprint, is_damaged, .. } = verdict.clone();
        (path, Remembered { fingerprint, is_damaged })
    });
    Entry::new(&house.torrent, watch::Sender::new(0), &remembered.collect())
}

/// What is to be healed: the files with their bad pieces and what became of them.
fn damage(entry: &Entry) -> Vec<(String, Vec<std::ops::Range<u32>>, DamageKind)> {
    let files = entry.damage().map(|damage| damage.files).unwrap_or_default();
    files.into_iter().map(|file| (file.name, file.bad_pieces, file.kind)).collect()
}

#[test]
fn a_remembered_verdict_saves_the_pass_and_not_the_check() {
    let house = house();
    let verified = verified(&house);
    let verdicts = verified.take_verdicts();
    assert_eq!(verdicts.len(), 3, "a file each that holds a byte");
    assert_eq!(verified.take_verdicts(), [], "they are taken once");
    let entry = restarted(&house, &verdicts);
    assert_eq!(entry.health(), Health::Verifying);
    look(&entry);
    assert_eq!((entry.health(), entry.unknown_piece(0)), (Health::Verified, None));
    assert_eq!(entry.take_verdicts(), [], "they are known");

    // A verdict that fits a file with other bytes: what a memory that lies would say.
    flip(&house, "a", 3);
    let mut lies = verdicts.clone();
    let metadata = fs::metadata(house.path("a")).expect("a file");
    lies[0].fingerprint = Fingerprint::of(&metadata);
    let entry = restarted(&house, &lies);
    look(&entry);
    assert_eq!(entry.health(), Health::Verified);
    assert_eq!(read(&entry, 0, 0, 16), Err(Refused::Bad));
    assert_eq!(entry.health(), Health::Degraded);
    // What it found out is remembered, though the file does not look different.
    let verdicts = entry.take_verdicts();
    assert_eq!(verdicts, [Verdict { is_damaged: true, ..lies[0].clone() }]);
    let entry = restarted(&house, &[verdicts, lies[1..].to_vec()].concat());
    look(&entry);
    assert_eq!((entry.health(), entry.unknown_piece(0)), (Health::Verifying, Some(0)));
    entry.age();
    (0..5).for_each(|piece| _ = verify_piece(&entry, piece));
    assert_eq!(damage(&entry), [("media/a".to_owned(), only(0..1), DamageKind::Decayed)]);
}

#[test]
fn a_file_that_comes_back_as_it_was_counts_as_it_did() {
    let house = house();
    let entry = verified(&house);
    fs::rename(house.path("a"), house.path("gone")).expect("renamed");
    look(&entry);
    assert_eq!(damage(&entry), [("media/a".to_owned(), only(0..3), DamageKind::Missing)]);
    fs::rename(house.path("gone"), house.path("a")).expect("renamed");
    // Renaming changes its change time, as far as that is told apart, so that it is another file for all we know; a disk
    // that is mounted again gives the same one.
    let seen = Fingerprint::of(&fs::metadata(house.path("c")).expect("a file"));
    entry.saw(2, Err(FileFault::Missing), Instant::now());
    assert_eq!(entry.status().pieces_bad, 5);
    entry.saw(2, Ok(seen), Instant::now());
    let status = entry.status();
    assert_eq!((status.pieces_bad, status.pieces_verified), (3, 2));
    assert_eq!(read(&entry, 4, 0, 9).map(|block| block.len()), Ok(9), "after it was hashed");
}

#[test]
fn decay_is_told_from_what_an_author_did() {
    type Change = fn(&House);
    let flipped_and_newer: Change = |house| {
        flip(house, "a", PIECE + 1);
        let file = OpenOptions::new().write(true).open(house.path("a")).expect("writable");
        file.set_modified(modified(&house.path("c")) + Duration::from_secs(1)).expect("a settable time");
    };
    let a_folder: Change = |house| {
        fs::remove_file(house.path("a")).expect("removed");
        fs::create_dir(house.path("a")).expect("a folder");
    };
    let cases: [(Change, Vec<std::ops::Range<u32>>, DamageKind); 5] = [
        (|house| flip(house, "a", PIECE + 1), only(1..2), DamageKind::Decayed),
        (flipped_and_newer, only(1..2), DamageKind::Replaced),
        (|house| truncate(house, 9), only(0..3), DamageKind::Replaced),
        (a_folder, only(0..3), DamageKind::Replaced),
        (|house| fs::remove_file(house.path("a")).expect("removed"), only(0..3), DamageKind::Missing),
    ];
    for (change, pieces, kind) in cases {
        let house = house();
        let entry = verified(&house);
        assert_eq!(entry.damage(), None);
        change(&house);
        look(&entry);
        (0..5).for_each(|piece| _ = verify_piece(&entry, piece));
        assert_eq!(damage(&entry), [("media/a".to_owned(), pieces, kind)]);
    }
    // What was damaged before anybody looked may be anything.
    let house = house();
    flip(&house, "a", 0);
    let entry = entry(&house);
    (0..5).for_each(|piece| _ = verify_piece(&entry, piece));
    assert_eq!(damage(&entry), [("media/a".to_owned(), only(0..1), DamageKind::Replaced)]);
}

#[test]
fn a_failing_disk_is_told_and_served_again_when_it_works() {
    let house = house();
    let entry = verified(&house);
    assert!(read(&entry, 0, 0, 9).is_ok());
    house.obstacle().set(Way::ReadsFail(5));
    for piece in [0, 1, 4] {
        assert_eq!(read(&entry, piece, 0, 9), Err(Refused::Bad), "piece {piece}");
    }
    let why = "Input/output error (os error 5)";
    assert_eq!(
        entry.status().faults,
        [
            format!("media/a cannot be read in 2 of 3 pieces: {why}"),
            format!("media/c cannot be read in 1 of 3 pieces: {why}")
        ]
    );
    assert_eq!(
        damage(&entry),
        [
            ("media/a".to_owned(), only(0..2), DamageKind::Unreadable),
            ("media/c".to_owned(), only(4..5), DamageKind::Unreadable)
        ]
    );
    house.obstacle().set(Way::Free);
    while let Some(piece) = entry.unknown_piece(0) {
        verify_piece(&entry, piece).expect("as its hash says");
    }
    assert_eq!((entry.health(), entry.damage()), (Health::Verified, None));
}

#[test]
fn a_piece_that_the_disk_does_not_give_is_tried_again() {
    let house = house();
    let entry = verified(&house);
    let looked = entry.looked(0).expect("a file");
    let outcome = Outcome::Unreadable(0, "Input/output error".into());
    entry.hashed(1, outcome, &[(0, looked)], Instant::now());
    let status = entry.status();
    assert_eq!(status.faults, ["media/a cannot be read in 1 of 3 pieces: Input/output error"]);
    assert_eq!((status.health, entry.unknown_piece(0)), (Health::Degraded, Some(1)));
    verify_piece(&entry, 1).expect("the disk has recovered");
    assert_eq!((entry.health(), entry.unknown_piece(0)), (Health::Verified, None));
}

#[test]
fn a_want_of_descriptors_is_not_held_against_the_file() {
    for code in [23, 24] {
        assert!(matches!(Trouble::from(io::Error::from_raw_os_error(code)), Trouble::Ours));
    }
    let error = io::Error::from(ErrorKind::PermissionDenied);
    assert!(matches!(Trouble::from(error), Trouble::File(FileFault::Unreadable(_))));
}

#[test]
fn files_are_named_up_to_a_limit() {
    let files: Vec<(String, usize)> = (0..20).map(|n| (format!("f{n}"), 10)).collect();
    let files: Vec<(&str, usize)> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    let house = House::new(&files);
    let entry = entry(&house);
    files.iter().for_each(|(name, _)| fs::remove_file(house.path(name)).expect("removed"));
    look(&entry);
    let faults = entry.status().faults;
    assert_eq!(faults.len(), 17);
    assert_eq!(faults.last().map(String::as_str), Some("and 4 more"));
}

fn truncate(house: &House, bytes: u64) {
    let file = OpenOptions::new().write(true).open(house.path("a")).expect("writable");
    file.set_len(bytes).expect("its length");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]
    #[test]
    fn no_wrong_byte_ever_leaves(
        steps in proptest::collection::vec((0_u8..5, any::<prop::sample::Index>(), any::<bool>()), 1..30)
    ) {
        let house = house();
        let entry = entry(&house);
        for (kind, at, read_too) in steps {
            match kind {
                0 => house.restore(),
                1 if house.path("c").exists() => {
                    let bytes = fs::read(house.path("c")).expect("a file");
                    if !bytes.is_empty() {
                        flip(&house, "c", at.index(bytes.len()));
                    }
                }
                2 => truncate(&house, at.index(PIECE * 3) as u64),
                3 => entry.age(),
                4 => look(&entry),
                _ => {}
            }
            // Ageing claims that time has passed, so it has to.
            house.next_tick();
            if read_too {
                let piece = at.index(5);
                let whole = piece_of(&house, piece);
                if let Ok(block) = read(&entry, piece as u32, 0, whole.len() as u32) {
                    prop_assert!(block == whole);
                }
            }
        }
    }
}

/// One range, which is not meant as what lies in it.
fn only(range: std::ops::Range<u32>) -> Vec<std::ops::Range<u32>> {
    std::iter::once(range).collect()
}
