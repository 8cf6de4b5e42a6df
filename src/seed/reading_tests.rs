//! Who waits for whom where blocks and hashes are read.

#![expect(clippy::cast_possible_truncation, reason = "small numbers")]

use tokio::time::timeout;

use super::super::test_house::{House, PIECE};
use super::super::test_peer::{PATIENCE, options};
use super::super::{READS_MAX, READS_OF_ONE_MAX};
use super::*;
use crate::metainfo::Kind;

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
