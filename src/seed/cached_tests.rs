//! Reads that wait for nothing, beside those that may.

use std::collections::HashMap;
use std::fs;

use tokio::sync::watch;

use super::super::disk;
use super::super::test_house::{House, PIECE};
use super::*;

fn verified(house: &House) -> Entry {
    let entry = Entry::new(&house.torrent, watch::Sender::new(0), &HashMap::new());
    disk::look(&entry);
    entry.age();
    (0..entry.content.pieces()).for_each(|piece| disk::verify_piece(&entry, piece).expect("as its hash says"));
    house.next_tick();
    entry
}

/// Whether the file system of `house` can be asked what is in the cache.
fn can_be_asked(house: &House, name: &str) -> bool {
    let file = cached::open(&house.path(name));
    file.and_then(|file| cached::read(&file, &mut [IoSliceMut::new(&mut [0])], 0)).is_ok()
}

#[test]
fn blocks_of_many_pieces_and_files_are_those_that_the_disk_gives() {
    for house in [
        House::new(&[("a", PIECE * 5 / 2), ("empty", 0), ("b", 5), ("c", PIECE * 3 / 2 + 95)]),
        House::padded(&[("a", PIECE * 2 + 7), ("b", 5), ("c", PIECE)]),
        House::v2(&[("a", PIECE * 2 + 7), ("b", 5), ("c", PIECE)]),
    ] {
        let entry = verified(&house);
        let block = |piece: u32, begin, bytes| Block { piece, begin, bytes };
        let whole = (0..entry.content.pieces()).map(|piece| block(piece, 0, entry.content.piece(piece).1));
        let mut blocks: Vec<Block> = whole.clone().collect();
        blocks.extend((0..600).map(|n| block(0, n, 1)));
        blocks.extend(whole.rev().filter(|block| block.bytes > 2).map(|it| block(it.piece, 1, it.bytes - 2)));
        let (mut quick, mut slow) = (vec![1; 3 * PIECE], Vec::new());
        disk::read_blocks(&entry, &blocks, &mut slow).expect("as its hash says");
        assert_eq!(read_blocks(&entry, &blocks, &mut quick).is_some(), can_be_asked(&house, "a"));
        assert!(quick == slow || !can_be_asked(&house, "a"));
    }
}

#[test]
fn what_was_not_hashed_or_looks_different_is_left_to_the_disk() {
    let read = |entry: &Entry| read_blocks(entry, &[Block { piece: 0, begin: 0, bytes: 10 }], &mut Vec::new());
    let house = House::new(&[("a", PIECE)]);
    let fresh = Entry::new(&house.torrent, watch::Sender::new(0), &HashMap::new());
    assert_eq!(read(&fresh), None);
    let changes: [fn(&House); 4] = [
        |house| fs::write(house.path("a"), &house.content).expect("written"),
        |house| {
            let file = fs::File::options().write(true).open(house.path("a")).expect("opened");
            file.set_len(9).expect("cut off");
        },
        |house| {
            fs::write(house.path("b"), &house.content).expect("written");
            fs::rename(house.path("b"), house.path("a")).expect("renamed");
        },
        |house| fs::remove_file(house.path("a")).expect("removed"),
    ];
    for change in changes {
        let house = House::new(&[("a", PIECE)]);
        let entry = verified(&house);
        assert_eq!(read(&entry).is_some(), can_be_asked(&house, "a"));
        change(&house);
        assert_eq!(read(&entry), None);
    }
}
