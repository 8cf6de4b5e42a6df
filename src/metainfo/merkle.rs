//! The arithmetic of v2's Merkle trees (BEP 52): blocks hashed, hashes paired up to a root, zeros where there is no more
//! content. It knows neither files nor torrents.
//!
//! This is the plain reading of BEP 52, one node at a time: the layers of torrents that are read are checked by it. Where
//! files are hashed, `hash` makes the trees with many nodes at a time.

use sha2::{Digest, Sha256};

use super::Tree;
use crate::id::NodeHash;
use crate::units::PieceLength;

/// The bytes of a leaf: one block of the peer protocol. The last block of a file is hashed as it is, without padding.
pub const BLOCK_BYTES: u32 = 16 * 1024;

/// What stands in the place of a leaf beyond the end of a file.
const NO_LEAF: NodeHash = [0; 32];

/// The hash of a block.
pub fn leaf(block: &[u8]) -> NodeHash {
    Sha256::digest(block).into()
}

/// The hash of a piece that holds `leaves`, with leaves of zeros where the file ends before the piece does.
pub fn piece(leaves: &[NodeHash], piece_length: PieceLength) -> NodeHash {
    up_to(leaves.to_vec(), NO_LEAF, piece_height(piece_length))
}

/// The tree of a file that has these leaves and none less; `None` for an empty file, which has no tree.
pub fn tree(leaves: &[NodeHash], piece_length: PieceLength) -> Option<Tree> {
    let blocks_per_piece = 1 << piece_height(piece_length);
    match leaves.len() {
        0 => None,
        // No longer than a piece: only as high as the leaves need.
        few if few <= blocks_per_piece => {
            Some(Tree { root: up_to(leaves.to_vec(), NO_LEAF, height_of(few)), layer: Vec::new() })
        }
        _ => Some(tree_of_pieces(
            leaves.chunks(blocks_per_piece).map(|leaves| piece(leaves, piece_length)).collect(),
            piece_length,
        )),
    }
}

/// The tree above the pieces of a file that is longer than a piece.
pub fn tree_of_pieces(layer: Vec<NodeHash>, piece_length: PieceLength) -> Tree {
    Tree { root: root_of_pieces(&layer, piece_length), layer }
}

/// The root above the pieces of a file that is longer than a piece.
pub fn root_of_pieces(layer: &[NodeHash], piece_length: PieceLength) -> NodeHash {
    up_to(layer.to_vec(), beyond(piece_height(piece_length)), height_of(layer.len()))
}

/// The layers from `nodes` up to the one below the root, which is `height` layers above them: what stands there for the
/// file, without what stands for what is [`beyond`] its end. `nodes` are themselves in layer `layer`.
pub fn layers(nodes: Vec<NodeHash>, layer: u32, height: u32) -> Vec<Vec<NodeHash>> {
    let mut beyond = beyond(layer);
    let mut layers = vec![nodes];
    for _ in 1..height {
        let below = layers.last().expect("there is one from the beginning");
        let above = below.chunks(2).map(|pair| both(&pair[0], pair.get(1).unwrap_or(&beyond))).collect();
        beyond = both(&beyond, &beyond);
        layers.push(above);
    }
    layers
}

/// The hash of a node of `layer`, counted from the leaves, which are 0, that lies beyond the end of the file.
pub fn beyond(layer: u32) -> NodeHash {
    up_to(vec![NO_LEAF], NO_LEAF, layer)
}

/// The root `height` layers above `nodes`; `beyond` is the hash of a node of their layer beyond the end of the file.
fn up_to(mut nodes: Vec<NodeHash>, mut beyond: NodeHash, height: u32) -> NodeHash {
    for _ in 0..height {
        let pair = |pair: &[NodeHash]| both(&pair[0], pair.get(1).unwrap_or(&beyond));
        nodes = nodes.chunks(2).map(pair).collect();
        beyond = both(&beyond, &beyond);
    }
    nodes.first().copied().unwrap_or(beyond)
}

fn both(left: &NodeHash, right: &NodeHash) -> NodeHash {
    Sha256::new().chain_update(left).chain_update(right).finalize().into()
}

/// How many layers a tree has above this many nodes.
pub fn height_of(nodes: usize) -> u32 {
    nodes.next_power_of_two().ilog2()
}

/// How many layers a piece has above its leaves.
pub fn piece_height(piece_length: PieceLength) -> u32 {
    (piece_length.bytes() / BLOCK_BYTES).max(1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn length(bytes: u64) -> PieceLength {
        PieceLength::new(bytes).expect("a power of two")
    }

    /// As BEP 52 says it, without a thought for speed: all leaves, zeros up to a power of two, pairs up to the root.
    fn root_by_the_book(leaves: &[NodeHash], leaves_wanted: usize) -> NodeHash {
        let mut nodes = leaves.to_vec();
        nodes.resize(leaves_wanted, [0; 32]);
        while nodes.len() > 1 {
            nodes = nodes.chunks(2).map(|pair| Sha256::digest(pair.concat()).into()).collect();
        }
        nodes[0]
    }

    #[test]
    fn a_file_of_one_block_is_its_own_root() {
        let tree = tree(&[leaf(b"hi\n")], length(16384)).expect("not empty");
        assert_eq!(crate::id::hex(&tree.root), "98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4");
        assert!(tree.layer.is_empty());
        assert_eq!(super::tree(&[], length(16384)), None);
    }

    #[test]
    fn a_file_that_fills_a_piece_has_no_layer_and_one_block_more_makes_two_pieces() {
        let leaves: Vec<_> = (0..3).map(|n| [n; 32]).collect();
        assert!(tree(&leaves[..2], length(32768)).expect("not empty").layer.is_empty());
        let longer = tree(&leaves, length(32768)).expect("not empty");
        assert_eq!(longer.layer, [both(&[0; 32], &[1; 32]), both(&[2; 32], &[0; 32])]);
        assert_eq!(longer.root, both(&longer.layer[0], &longer.layer[1]));
    }

    proptest! {
        #[test]
        fn the_root_is_that_of_all_leaves_for_every_piece_length(count in 1_u8..=70, doublings in 0_u32..5) {
            let leaves: Vec<_> = (0..count).map(|n| leaf(&[n])).collect();
            let piece_length = length(16384 << doublings);
            let tree = tree(&leaves, piece_length).expect("not empty");
            prop_assert_eq!(tree.root, root_by_the_book(&leaves, leaves.len().next_power_of_two()));
            let pieces = leaves.len().div_ceil(1 << doublings);
            prop_assert_eq!(tree.layer.len(), if pieces == 1 { 0 } else { pieces });
            for (hash, leaves) in tree.layer.iter().zip(leaves.chunks(1 << doublings)) {
                prop_assert_eq!(*hash, root_by_the_book(leaves, 1 << doublings));
            }
        }
    }
}
