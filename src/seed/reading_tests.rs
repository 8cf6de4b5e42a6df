//! Who waits for whom where blocks and hashes are read.

#![expect(clippy::cast_possible_truncation, reason = "small numbers")]

use tokio::time::timeout;

use super::super::disks::ANSWER_WITHIN;
use super::super::test_house::{House, PIECE, Way};
use super::super::test_peer::{PATIENCE, options};
use super::super::{READS_MAX, READS_OF_ONE_MAX};
use super::*;
use crate::metainfo::Kind;
use crate::wire::HashRequest;

const MIB: usize = 1 << 20;

async fn seeded(house: &House) -> (Arc<Seed>, Arc<Entry>) {
    let seed = Seed::new(&options());
    seed.set_torrents(vec![house.torrent.clone()]);
    seed.look().await;
    let entry = seed.entry(&house.torrent.info_hash()).expect("it is seeded");
    (seed, entry)
}

#[tokio::test]
async fn a_job_ends_when_it_has_hashed_enough_and_what_was_hashed_is_read_in_one() {
    const PIECES: u32 = 7;
    let house = House::with_pieces(MIB, Kind::V1, &[("a", MIB * PIECES as usize)]);
    let (seed, entry) = seeded(&house).await;
    let asked: Vec<_> = (0..PIECES).map(|piece| Block { piece, begin: 3, bytes: 1 }).collect();
    let come = async |blocks: &[Block]| read(Arc::clone(&seed), Arc::clone(&entry), blocks.to_vec(), Vec::new()).await;
    let first = come(&asked).await;
    assert_eq!((&first.rest[..], first.bad.len(), first.content), (&asked[4..], 0, 4), "after four of a MiB each");
    let second = come(&first.rest).await;
    assert_eq!((second.rest.len(), second.content), (0, 3));
    let bytes: Vec<u8> = [first.bytes, second.bytes].concat().chunks(PIECE_HEADER_BYTES + 1).map(|it| it[13]).collect();
    assert_eq!(bytes, (0..PIECES as usize).map(|piece| house.content[piece * MIB + 3]).collect::<Vec<_>>());

    entry.age();
    (0..PIECES).for_each(|piece| disk::verify_piece(&entry, piece).expect("as its hash says"));
    let known = come(&asked).await;
    assert_eq!((known.rest.len(), known.content), (0, u64::from(PIECES)));
}

#[tokio::test(start_paused = true)]
async fn who_comes_waits_behind_no_read() {
    let house = House::new(&[("a", PIECE)]);
    let (seed, entry) = seeded(&house).await;
    assert!(seed.offer(&entry).await.is_some());
    let _all = seed.reads.acquire_many(READS_MAX as u32).await.expect("open");
    let own = entry.reads();
    let _own = own.acquire_many(READS_OF_ONE_MAX as u32).await.expect("open");
    assert!(timeout(PATIENCE, seed.offer(&entry)).await.expect("at once").is_some());
}

/// Two hashes of a layer of [`of_v2`].
fn asked(house: &House, base_layer: u32, index: u32) -> HashRequest {
    let trees = house.published.metainfo.info.trees().expect("it is v2");
    let root = trees[0].as_ref().expect("it is not empty").root;
    HashRequest { root, base_layer, index, length: 2, proof_layers: 0 }
}

fn of_v2(name: &str) -> House {
    House::with_pieces(4 * PIECE, Kind::V2, &[(name, 8 * PIECE)])
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_hangs_keeps_no_hashes_of_others_waiting() {
    let (stalled, other) = (of_v2("a"), of_v2("b"));
    let (seed, a) = seeded(&stalled).await;
    seed.set_torrents(vec![stalled.torrent.clone(), other.torrent.clone()]);
    let b = seed.entry(&other.torrent.info_hash()).expect("it is seeded");
    let ask = |entry: &Arc<Entry>, house: &House, layer| {
        tokio::spawn(hashes(Arc::clone(&seed), Arc::clone(entry), asked(house, layer, 0)))
    };
    stalled.obstacle().set(Way::ReadsHang);
    let hanging = ask(&a, &stalled, 0);
    while stalled.obstacle().waiting() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(ask(&b, &other, 2).await.expect("no panic").is_some(), "what its .torrent says, at once");
    let waiting = ask(&b, &other, 0);
    while !hanging.is_finished() {
        tokio::time::advance(ANSWER_WITHIN).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(hanging.await.expect("no panic"), None);
    assert!(waiting.await.expect("no panic").is_some(), "when it is known that the disk before it hangs");
    assert_eq!(seed.hashings.available_permits(), HASHINGS_MAX);
    stalled.obstacle().set(Way::Free);
}

#[tokio::test(start_paused = true)]
async fn hashes_that_were_found_are_known_and_others_are_found_at_a_pace() {
    const BLOCKS: u32 = 64;
    let house = House::with_pieces(BLOCKS as usize * PIECE, Kind::V2, &[("a", 2 * BLOCKS as usize * PIECE)]);
    let (seed, entry) = seeded(&house).await;
    let ask = async |index| hashes(Arc::clone(&seed), Arc::clone(&entry), asked(&house, 0, index)).await;
    let began = tokio::time::Instant::now();
    let first = ask(0).await;
    assert!(first.is_some() && began.elapsed().is_zero(), "the first turn is free");
    assert_eq!((seed.sent_bytes(), seed.sent_in_all_bytes()), (0, 2 * 32), "no content, but bytes");
    assert!(ask(BLOCKS).await.is_some());
    let bytes = u64::from(BLOCKS) * PIECE as u64;
    let pause = Duration::from_nanos(1_000_000_000 * bytes / HASHED_BYTES_PER_SEC.get());
    assert!(began.elapsed() >= pause, "{:?}", began.elapsed());
    std::fs::remove_file(house.path("a")).expect("removed");
    let before = tokio::time::Instant::now();
    assert!(ask(0).await == first && ask(BLOCKS + 2).await.is_some() && before.elapsed().is_zero());
}
