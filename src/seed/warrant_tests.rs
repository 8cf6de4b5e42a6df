//! Files that are damaged in every way, and what of them is read to be sent over HTTP.

use std::fs::{self, OpenOptions};

use super::super::test_house::{House, PIECE, Way, modified};
use super::super::{Health, Options, READS_OF_ONE_MAX, Torrent};
use super::*;
use crate::id::PeerId;

const PIECE_BYTES: u64 = PIECE as u64;

fn seed_of(torrents: &[&Torrent]) -> Arc<Seed> {
    let seed = Seed::new(&Options::new(PeerId([7; 20]), 1));
    seed.set_torrents(torrents.iter().map(|&torrent| torrent.clone()).collect());
    seed
}

/// A seed whose pieces have all been hashed and are relied upon.
fn verified(house: &House) -> Arc<Seed> {
    let seed = seed_of(&[&house.torrent]);
    let entry = entry(&seed, &house.torrent);
    disk::look(&entry);
    entry.age();
    (0..entry.content.pieces()).for_each(|piece| disk::verify_piece(&entry, piece).expect("as its hash says"));
    assert_eq!(entry.health(), Health::Verified);
    house.next_tick();
    seed
}

fn entry(seed: &Seed, torrent: &Torrent) -> Arc<Entry> {
    seed.entry(&torrent.info_hash()).expect("it is seeded")
}

fn open_of(
    seed: &Arc<Seed>,
    house: &House,
    torrents: &[&Torrent],
    name: &str,
    range: (u64, u64),
) -> Result<Arc<Reading>, String> {
    let name_of_all = format!("media/{name}");
    let holders: Vec<_> = torrents.iter().map(|torrent| (torrent.info_hash(), &name_of_all[..])).collect();
    let warrant = seed.warrant(&holders).expect("a file of theirs");
    warrant.open(File::open(house.path(name)).expect("a file"), range.0, range.1).map(Arc::new)
}

fn open(seed: &Arc<Seed>, house: &House, name: &str, range: (u64, u64)) -> Result<Arc<Reading>, String> {
    open_of(seed, house, &[&house.torrent], name, range)
}

async fn read(reading: &Arc<Reading>, at: u64, bytes: usize) -> Result<Bytes, String> {
    Arc::clone(reading).read(at, bytes).await.map_err(|error| error.to_string())
}

fn hashed(entry: &Entry) -> u32 {
    entry.state().hashed.count()
}

/// Changes one byte in place.
fn flip(house: &House, name: &str, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(house.path(name)).expect("writable");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("it is so long");
    file.write_all_at(&[byte[0] ^ 1], at).expect("room");
}

/// The same as decay does it: nothing shows it.
fn rot(entry: &Entry, house: &House, name: &str, at: u64) {
    flip(house, name, at);
    disk::look(entry);
    entry.age();
    let pieces = entry.content.pieces();
    (0..pieces).for_each(|piece| _ = disk::verify_piece(entry, piece));
}

#[tokio::test]
async fn bytes_of_a_piece_that_is_bad_are_refused_and_the_others_are_read() {
    let house = House::new(&[("a", PIECE * 3 + 7), ("b", 100)]);
    let seed = verified(&house);
    rot(&entry(&seed, &house.torrent), &house, "a", PIECE_BYTES + 9);
    let why = "media/a differs from its torrent in 1 of 4 pieces";
    for range in [(0, 3 * PIECE_BYTES + 7), (PIECE_BYTES, 1), (PIECE_BYTES - 1, 2), (2 * PIECE_BYTES - 1, 9)] {
        assert_eq!(open(&seed, &house, "a", range).expect_err("it is bad"), why, "{range:?}");
    }
    for (at, bytes) in [(0, PIECE), (2 * PIECE_BYTES, PIECE + 7), (5, 1)] {
        let reading = open(&seed, &house, "a", (at, bytes as u64)).expect("good pieces");
        assert!(
            read(&reading, at, bytes).await.expect("readable")
                == house.content[usize::try_from(at).expect("small")..][..bytes]
        );
        assert_eq!(read(&reading, PIECE_BYTES, 1).await.expect_err("it is bad"), why);
    }
    assert_eq!(open(&seed, &house, "b", (0, 100)).map(drop), Ok(()), "it has no part in that piece");
    assert!(seed.warrant(&[(house.torrent.info_hash(), "media/c")]).is_none());
}

#[tokio::test]
async fn what_is_verified_and_looks_as_it_did_is_read_without_hashing() {
    let house = House::new(&[("a", PIECE * 2)]);
    let verdicts = verified(&house).take_verdicts();
    let seed = seed_of(&[]);
    seed.remember(verdicts);
    seed.set_torrents(vec![house.torrent.clone()]);
    let reading = open(&seed, &house, "a", (0, 2 * PIECE_BYTES)).expect("known to be right");
    assert!(read(&reading, 0, 2 * PIECE).await.expect("readable") == house.content);
    assert_eq!(hashed(&entry(&seed, &house.torrent)), 0);
}

#[tokio::test]
async fn what_is_not_known_is_hashed_before_it_is_read() {
    let house = House::new(&[("a", PIECE * 3)]);
    let seed = seed_of(&[&house.torrent]);
    let entry = entry(&seed, &house.torrent);
    let reading = open(&seed, &house, "a", (0, 3 * PIECE_BYTES)).expect("nothing is known");
    assert!(read(&reading, 9, PIECE).await.expect("good") == house.content[9..][..PIECE]);
    assert_eq!(hashed(&entry), 2, "and no more than what is asked for");

    // The change is seen, whoever looks first.
    house.next_tick();
    flip(&house, "a", PIECE_BYTES);
    let why = "media/a differs from its torrent in 1 of 3 pieces";
    assert_eq!(read(&reading, PIECE_BYTES, 1).await.expect_err("damaged midway"), why);
    assert_eq!(open(&seed, &house, "a", (0, 3 * PIECE_BYTES)).expect_err("known now"), why);
    let reading = open(&seed, &house, "a", (0, PIECE_BYTES)).expect("nothing is known of these");
    assert!(read(&reading, 0, PIECE).await.expect("good") == house.content[..PIECE]);
    house.next_tick();
    flip(&house, "a", PIECE_BYTES);
    disk::look(&entry);
    assert_eq!(entry.health(), Health::Degraded, "until it is hashed");
    entry.age();
    disk::verify_piece(&entry, 1).expect("restored");
    let reading = open(&seed, &house, "a", (0, 3 * PIECE_BYTES)).expect("restored");
    assert!(read(&reading, 0, 3 * PIECE).await.expect("good") == house.content);
}

#[tokio::test]
async fn a_file_of_another_size_is_refused_until_it_has_its_own() {
    let house = House::new(&[("a", PIECE * 3)]);
    let seed = verified(&house);
    let reading = open(&seed, &house, "a", (0, 3 * PIECE_BYTES)).expect("good");
    fs::write(house.path("a"), &house.content[..PIECE]).expect("written");
    let why = "media/a is 32768 bytes shorter than its torrent says";
    assert_eq!(open(&seed, &house, "a", (0, 1)).expect_err("cut short"), why);
    assert_eq!(read(&reading, 0, 9).await.expect_err("cut short"), why);
    house.restore();
    let reading = open(&seed, &house, "a", (0, 3 * PIECE_BYTES)).expect("nothing is known");
    assert!(read(&reading, 0, 3 * PIECE).await.expect("good") == house.content);
}

#[tokio::test]
async fn who_downloads_a_file_gets_it_to_the_end_when_another_one_takes_its_name() {
    let house = House::new(&[("a", PIECE * 3)]);
    let seed = verified(&house);
    let whole = (0, 3 * PIECE_BYTES);
    let [named, removed] = [whole, whole].map(|range| open(&seed, &house, "a", range).expect("good"));
    let other = house.path("other");
    fs::write(&other, vec![7; PIECE * 3]).expect("written");
    fs::rename(&other, house.path("a")).expect("renamed");
    for reading in [&named, &removed] {
        assert!(read(reading, 0, PIECE * 3).await.expect("the former one") == house.content);
    }
    read(&open(&seed, &house, "a", whole).expect("nothing is known"), 0, 9).await.expect_err("it is another file");

    // Whatever happened to its bytes in secret shows in its names alone, which are as many as before.
    house.restore();
    let entry = entry(&seed, &house.torrent);
    disk::look(&entry);
    entry.age();
    (0..3).for_each(|piece| disk::verify_piece(&entry, piece).expect("restored"));
    house.next_tick();
    let reading = open(&seed, &house, "a", whole).expect("good");
    let before = modified(&house.path("a"));
    flip(&house, "a", 5);
    File::options().write(true).open(house.path("a")).expect("writable").set_modified(before).expect("set");
    read(&reading, 0, 9).await.expect_err("flipped in secret");
}

#[tokio::test]
async fn a_piece_that_a_neighbour_spoils_is_read_as_it_is() {
    let house = House::new(&[("a", PIECE * 3 / 2), ("b", PIECE)]);
    let seed = verified(&house);
    let entry = entry(&seed, &house.torrent);
    fs::remove_file(house.path("b")).expect("removed");
    disk::look(&entry);
    assert_eq!(entry.status().pieces_bad, 2);
    let reading = open(&seed, &house, "a", (0, PIECE_BYTES * 3 / 2)).expect("it is another file's fault");
    assert!(read(&reading, 0, PIECE * 3 / 2).await.expect("good") == house.content[..PIECE * 3 / 2]);
    flip(&house, "a", 0);
    let reading = open(&seed, &house, "a", (0, 1)).expect("nothing is known");
    read(&reading, 0, 1).await.expect_err("damaged by itself");
}

#[tokio::test]
async fn of_two_torrents_of_a_file_one_is_enough_if_its_hash_says_so_now() {
    let house = House::new(&[("a", PIECE * 2)]);
    // The same file, as another torrent had it before it was replaced.
    let former = House::with_pieces(PIECE * 2, crate::metainfo::Kind::V1, &[("a", PIECE * 2)]);
    let other = former.with_root(house.dir.path(), |info| {
        let crate::metainfo::Hashes::V1(pieces) = &mut info.hashes else { panic!("it is v1") };
        pieces[0] = [9; 20];
    });
    let torrents = [&other, &house.torrent];
    let seed = seed_of(&torrents);
    for torrent in torrents {
        let entry = entry(&seed, torrent);
        disk::look(&entry);
        entry.age();
        (0..entry.content.pieces()).for_each(|piece| _ = disk::verify_piece(&entry, piece));
    }
    assert_eq!(entry(&seed, &other).health(), Health::Degraded);
    let reading = open_of(&seed, &house, &torrents, "a", (0, 2 * PIECE_BYTES)).expect("one says that it is good");
    assert!(read(&reading, 0, PIECE).await.expect("good") == house.content[..PIECE]);

    // What the second one knows is old: a disk that forgets is found out by hashing.
    let own = entry(&seed, &house.torrent);
    house.next_tick();
    flip(&house, "a", 0);
    let looks = Fingerprint::of(&fs::metadata(house.path("a")).expect("a file"));
    for entry in [&own, &entry(&seed, &other)] {
        entry.saw(0, Ok(looks), Instant::now());
        entry.age();
    }
    (0..2).for_each(|piece| own.hashed(piece, super::super::torrents::Outcome::Matched, &[(0, looks)], Instant::now()));
    let reading = open_of(&seed, &house, &torrents, "a", (0, 2 * PIECE_BYTES)).expect("one says that it is good");
    read(&reading, 0, 9).await.expect_err("neither says so now");
    assert!(read(&reading, PIECE_BYTES, PIECE).await.expect("good") == house.content[PIECE..]);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_does_not_answer_is_given_up_and_takes_no_more_threads_than_its_share() {
    let [stalled, other] = ["a", "b"].map(|name| House::new(&[(name, PIECE)]));
    let seed = seed_of(&[&stalled.torrent, &other.torrent]);
    for house in [&stalled, &other] {
        let entry = entry(&seed, &house.torrent);
        disk::look(&entry);
        entry.age();
        disk::verify_piece(&entry, 0).expect("as its hash says");
    }
    let reading = open(&seed, &stalled, "a", (0, PIECE_BYTES)).expect("good");
    stalled.obstacle().set(Way::ReadsHang);
    let waiting = (0..READS_OF_ONE_MAX + 3).map(|_| tokio::spawn(Arc::clone(&reading).read(0, 9)));
    let waiting: Vec<_> = waiting.collect();
    while stalled.obstacle().waiting() < READS_OF_ONE_MAX {
        tokio::task::yield_now().await;
    }
    // Timers go off at whole milliseconds.
    tokio::time::advance(ANSWER_WITHIN + Duration::from_millis(2)).await;
    let why = "media/a does not answer: reading takes more than 5 s";
    for one in waiting {
        let error = one.await.expect("no panic").expect_err("it hangs");
        assert_eq!((error.kind(), error.to_string().as_str()), (io::ErrorKind::TimedOut, why));
    }
    assert_eq!(stalled.obstacle().waiting(), READS_OF_ONE_MAX);
    assert_eq!(read(&reading, 0, 9).await.expect_err("at once"), why);
    assert!(reading.read_at_once(0, 9).is_none());
    let good = open(&seed, &other, "b", (0, PIECE_BYTES)).expect("good");
    assert!(read(&good, 0, PIECE).await.expect("readable") == other.content);

    stalled.obstacle().set(Way::Free);
    while entry(&seed, &stalled.torrent).is_stuck() {
        tokio::task::yield_now().await;
    }
    assert!(read(&reading, 0, PIECE).await.expect("readable") == stalled.content);
}

#[tokio::test]
async fn what_is_in_the_systems_cache_is_read_at_once_where_it_is_known_to_be_right() {
    let house = House::new(&[("a", PIECE * 2)]);
    let seed = verified(&house);
    let reading = open(&seed, &house, "a", (0, 2 * PIECE_BYTES)).expect("good");
    let at_once = |at| reading.read_at_once(at, 9);
    // Some file systems can't be asked.
    let can = cached::read(&reading.file, &mut [IoSliceMut::new(&mut [0; 9])], 0).is_ok_and(|bytes| bytes == 9);
    assert_eq!(at_once(5).is_some_and(|bytes| bytes == house.content[5..14]), can);
    assert!(at_once(2 * PIECE_BYTES - 1).is_none(), "it ends there");
    flip(&house, "a", PIECE_BYTES);
    assert!(at_once(0).is_none(), "it looks otherwise");
    rot(&entry(&seed, &house.torrent), &house, "a", 0);
    assert!(at_once(0).is_none(), "it is known to be bad");
}
