//! The Merkle trees of BEP 52: leaves of 16 KiB, hashed two by two up to one root.

use crate::lanes::Kernel;

/// The bytes of a leaf; the last leaf of a file is as short as it is.
pub(super) const LEAF_BYTES: usize = 16 * 1024;
/// What stands for a leaf behind the end of a file: a hash of zeros, not the hash of zeros.
pub(super) const ZERO_LEAF: [u8; 32] = [0; 32];

/// The v2 hashes of one file (BEP 52).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// The root of its tree: `pieces root`.
    pub root: [u8; 32],
    /// The hash of each piece, as `piece layers` has it; none where the file is no longer than one piece.
    pub layer: Vec<[u8; 32]>,
}

/// The root over `nodes`, with `beyond` for each node that is missing from `width`, a power of two.
pub(super) fn root(kernel: Kernel, mut nodes: Vec<[u8; 32]>, mut beyond: [u8; 32], mut width: u64) -> [u8; 32] {
    while width > 1 {
        if nodes.len() % 2 == 1 {
            nodes.push(beyond);
        }
        nodes = kernel.sha256_pairs(&nodes);
        beyond = kernel.sha256_pairs(&[beyond, beyond])[0];
        width /= 2;
    }
    nodes[0]
}

/// The root over `width` leaves that all lie behind the end of a file.
pub(super) fn zeros_root(kernel: Kernel, width: u64) -> [u8; 32] {
    root(kernel, vec![ZERO_LEAF], ZERO_LEAF, width)
}
