//! Requests for hashes of a v2 file's tree, and their answers (BEP 52 "peer messages").

use super::HASHES_MAX;
use super::message::{self, id};
use crate::id::NodeHash;

/// The bytes of a request's body.
pub(super) const REQUEST_BYTES: usize = 32 + 4 * 4;
/// The layers of the tallest tree there can be, of 16 KiB blocks numbered in 64 bits.
const LAYERS_MAX: u32 = 50;

/// A request for a run of hashes of one layer of a file's tree, and for those that lead from there up to the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashRequest {
    /// The root of the file's tree: its `pieces root`.
    pub root: NodeHash,
    /// The layer, counted from that of the blocks, which is 0.
    pub base_layer: u32,
    /// The first hash of that layer.
    pub index: u32,
    /// How many hashes of it, from 1 to [`HASHES_MAX`].
    pub length: u32,
    /// How many layers above it to prove: see [`HashRequest::uncles`].
    pub proof_layers: u32,
}

impl HashRequest {
    /// How many hashes stand in the answer behind the [`HashRequest::length`] ones, lowest layer first: of each layer
    /// from that of the node they make together up to the last proof layer, the one beside the node that can be
    /// computed. Of 2 hashes that is one a proof layer (BEP 52 leaves out log2(length) - 1 of them); a hash alone has
    /// one beside it in its own layer too, so that of n proof layers it takes n + 1, as libtorrent counts them.
    pub fn uncles(&self) -> u32 {
        self.proof_layers.saturating_add(1).saturating_sub(self.length.next_power_of_two().ilog2())
    }

    pub(super) fn parse(body: &[u8; REQUEST_BYTES]) -> Self {
        let (root, rest) = body.split_first_chunk::<32>().expect("48 bytes begin with 32");
        let number = |at: usize| u32::from_be_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
        Self { root: *root, base_layer: number(0), index: number(4), length: number(8), proof_layers: number(12) }
    }

    /// Whether some tree might answer it. BEP 52 has `index` a multiple of `length` and `length` a power of two, unless
    /// the layer ends before; so much of a short one must hold as well.
    pub(super) fn is_sane(&self) -> bool {
        (1..=HASHES_MAX).contains(&self.length)
            && self.index.is_multiple_of(self.length.next_power_of_two())
            && self.base_layer < LAYERS_MAX
            && self.proof_layers < LAYERS_MAX
    }

    /// Appends the answer: the hashes, or a `hash reject` where there are none, or not as many as an answer has.
    pub(super) fn write_answer(&self, out: &mut Vec<u8>, hashes: Option<&[NodeHash]>) {
        let fits = |hashes: &&[NodeHash]| hashes.len() <= (HASHES_MAX + LAYERS_MAX) as usize;
        let hashes = hashes.filter(fits);
        let number = if hashes.is_some() { id::HASHES } else { id::HASH_REJECT };
        let hashes = hashes.unwrap_or_default();
        let mut body = Vec::with_capacity(REQUEST_BYTES + size_of_val(hashes));
        body.extend_from_slice(&self.root);
        for number in [self.base_layer, self.index, self.length, self.proof_layers] {
            body.extend_from_slice(&number.to_be_bytes());
        }
        body.extend_from_slice(hashes.as_flattened());
        message::write(out, number, &body);
    }
}
