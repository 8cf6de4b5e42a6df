//! Hashes asked for and proved as a client proves them: by pairing them up to the root that it knows.

use std::fs;

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::super::test_house::{House, PIECE};
use super::*;
use crate::metainfo::{self, Hashes, Kind, Layout};

/// The blocks of a piece here.
const BLOCKS: usize = 4;

/// Files of 9.25 pieces of four blocks, of one piece, of three blocks and of one.
fn house() -> House {
    House::with_pieces(PIECE * BLOCKS, Kind::V2, &[("a", PIECE * 37), ("b", PIECE * 4), ("c", PIECE * 2 + 5), ("d", 9)])
}

fn entry(house: &House) -> Entry {
    Entry::new(&house.torrent, watch::Sender::new(0), &HashMap::new())
}

fn root(house: &House, slot: usize) -> NodeHash {
    let trees = house.published.metainfo.info.trees().expect("it is v2");
    trees[slot].as_ref().expect("it is not empty").root
}

fn both(left: &NodeHash, right: &NodeHash) -> NodeHash {
    Sha256::digest([*left, *right].concat()).into()
}

/// The root that `hashes`, the answer to `request`, lead to: those of the layer, and then those beside each node.
fn proved(request: &HashRequest, hashes: &[NodeHash]) -> NodeHash {
    let (own, uncles) = hashes.split_at(request.length as usize);
    let mut nodes = own.to_vec();
    while nodes.len() > 1 {
        nodes = nodes.chunks(2).map(|pair| both(&pair[0], &pair[1])).collect();
    }
    let mut index = request.index / request.length;
    uncles.iter().fold(nodes[0], |node, uncle| {
        let node = if index.is_multiple_of(2) { both(&node, uncle) } else { both(uncle, &node) };
        index /= 2;
        node
    })
}

#[test]
fn every_run_of_every_layer_is_proved_up_to_the_root() {
    let house = house();
    let entry = entry(&house);
    for (slot, height) in [(0, 6), (1, 2), (2, 2)] {
        let root = root(&house, slot);
        for base_layer in 0..height {
            for doublings in 0..=height - base_layer {
                let length = 1 << doublings;
                for index in (0..1_u32 << (height - base_layer)).step_by(length as usize) {
                    let request =
                        HashRequest { root, base_layer, index, length, proof_layers: height - base_layer - 1 };
                    let hashes = hashes(&entry, &request).expect("the file is there");
                    assert_eq!(hashes.len(), (length + height - base_layer - doublings) as usize, "{request:?}");
                    assert_eq!(hashes.len(), (length + request.uncles()) as usize, "{request:?}");
                    assert_eq!(proved(&request, &hashes), root, "{request:?}");
                }
            }
        }
    }
}

#[test]
fn proofs_end_below_the_node_that_the_peer_knows() {
    let house = house();
    let request =
        |length, proof_layers| HashRequest { root: root(&house, 0), base_layer: 0, index: 4, length, proof_layers };
    // As libtorrent asks for the blocks of a piece of four that it has the hash of: two layers, the second of which can
    // be computed but for the node that it knows.
    let hashes =
        |length, proof_layers| hashes(&entry(&house), &request(length, proof_layers)).map(|hashes| hashes.len());
    assert_eq!([0, 1, 2, 5].map(|proofs| hashes(4, proofs)), [Some(4), Some(4), Some(5), Some(8)]);
    assert_eq!([0, 1].map(|proofs| hashes(2, proofs)), [Some(2), Some(3)]);
}

#[test]
fn what_does_not_fit_the_tree_is_refused() {
    let house = house();
    let entry = entry(&house);
    let good = HashRequest { root: root(&house, 0), base_layer: 2, index: 8, length: 8, proof_layers: 3 };
    assert!(hashes(&entry, &good).is_some());
    for bad in [
        HashRequest { root: [7; 32], ..good },
        HashRequest { base_layer: 6, ..good },
        HashRequest { base_layer: u32::MAX, ..good },
        HashRequest { index: 16, ..good },
        HashRequest { index: 4, ..good },
        HashRequest { index: u32::MAX, ..good },
        HashRequest { length: 16, index: 16, ..good },
        HashRequest { length: 0, ..good },
        HashRequest { length: HASHES_MAX + 1, index: 0, ..good },
        HashRequest { proof_layers: 4, ..good },
        HashRequest { proof_layers: u32::MAX, ..good },
        // The file of one block is its own root.
        HashRequest { root: root(&house, 3), base_layer: 0, index: 0, length: 1, proof_layers: 0 },
    ] {
        assert_eq!(hashes(&entry, &bad), None, "{bad:?}");
    }
    let v1 = House::new(&[("a", PIECE)]);
    assert_eq!(hashes(&self::entry(&v1), &good), None);
}

#[test]
fn hashes_of_blocks_need_their_piece_and_those_above_it_no_file() {
    let house = house();
    let entry = entry(&house);
    let mut bytes = fs::read(house.path("a")).expect("a file");
    bytes[PIECE * 5] ^= 1;
    fs::write(house.path("a"), &bytes).expect("written");
    let blocks = |index| HashRequest { root: root(&house, 0), base_layer: 0, index, length: 4, proof_layers: 1 };
    assert!(hashes(&entry, &blocks(0)).is_some() && hashes(&entry, &blocks(4)).is_none());
    assert_eq!(entry.status().pieces_bad, 1, "it is told");
    fs::remove_file(house.path("a")).expect("removed");
    assert!(hashes(&entry, &blocks(0)).is_some() && hashes(&entry, &blocks(8)).is_none(), "what was found is known");
    let pieces = HashRequest { base_layer: 2, ..blocks(0) };
    assert!(hashes(&entry, &pieces).is_some());
}

#[test]
fn all_blocks_of_a_long_piece_are_answered_in_one() {
    // A file that is too short: that it was looked for shows in what is said of it.
    let piece_blocks = 1024;
    let piece_bytes = piece_blocks * PIECE as u64;
    let house = House::with_pieces(PIECE * BLOCKS, Kind::V2, &[("a", 9)]);
    let torrent = house.with_info(|info| {
        let path = vec!["a".to_owned()];
        info.piece_length = crate::units::PieceLength::new(piece_bytes).expect("a power of two");
        info.layout = Layout::Multi(vec![metainfo::File { path, bytes: 3 * piece_bytes, is_pad: false }]);
        info.hashes = Hashes::V2(vec![Some(Tree { root: [7; 32], layer: vec![[8; 32]; 3] })]);
    });
    let entry = Entry::new(&torrent, watch::Sender::new(0), &HashMap::new());
    let request = HashRequest { root: [7; 32], base_layer: 0, index: 1024, length: 1024, proof_layers: 9 };
    assert_eq!(hashes(&entry, &request), None);
    assert_eq!(entry.status().faults, ["media/a is 50331639 bytes shorter than its torrent says"]);
}

#[test]
fn one_request_reads_no_more_than_its_bound() {
    // A file that is not there: whether it was looked for shows in what is said of it.
    let piece_bytes = (PIECE * BLOCKS) as u64;
    let pieces = HASHED_BYTES_MAX / piece_bytes + 1;
    let house = House::with_pieces(PIECE * BLOCKS, Kind::V2, &[("a", 9)]);
    let torrent = house.with_info(|info| {
        let tree = Tree { root: [7; 32], layer: vec![[8; 32]; usize::try_from(pieces).expect("few")] };
        let path = vec!["a".to_owned()];
        info.layout = Layout::Multi(vec![metainfo::File { path, bytes: pieces * piece_bytes, is_pad: false }]);
        info.hashes = Hashes::V2(vec![Some(tree)]);
    });
    let is_looked_for = |index, length| {
        let entry = Entry::new(&torrent, watch::Sender::new(0), &HashMap::new());
        let request = HashRequest { root: [7; 32], base_layer: 1, index, length, proof_layers: 0 };
        assert_eq!(hashes(&entry, &request), None);
        !entry.status().faults.is_empty()
    };
    // There are two hashes to a piece.
    assert!(is_looked_for(0, 512) && 512 == 2 * (pieces - 1) && !is_looked_for(0, 1024));
    let torrent = house.with_info(|info| {
        let tree = Tree { root: [7; 32], layer: vec![[8; 32]; 512] };
        let path = vec!["a".to_owned()];
        info.piece_length = crate::units::PieceLength::new(2 * piece_bytes).expect("a power of two");
        info.layout = Layout::Multi(vec![metainfo::File { path, bytes: 1024 * piece_bytes, is_pad: false }]);
        info.hashes = Hashes::V2(vec![Some(tree)]);
    });
    let entry = Entry::new(&torrent, watch::Sender::new(0), &HashMap::new());
    for (base_layer, length, is_read) in [(2, 512, false), (2, 256, true)] {
        let request = HashRequest { root: [7; 32], base_layer, index: 0, length, proof_layers: 0 };
        assert_eq!(hashes(&entry, &request), None);
        assert_eq!(!entry.status().faults.is_empty(), is_read, "{length}");
    }
}
