//! Hashes of the trees of v2 files (BEP 52 "hash request"), for peers that have a magnet link alone and for those that
//! look for the damaged block of a piece: from the pieces upwards as the `.torrent` has them, below from the files.

use std::collections::HashMap;

use super::disk;
use super::meta::Meta;
use super::torrents::Entry;
use crate::id::NodeHash;
use crate::metainfo::{Tree, merkle};
use crate::wire::{HASHES_MAX, HashRequest};

/// The most bytes that are read and hashed for one request, but always a piece.
pub(super) const HASHED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The hashes that `request` asks for: [`HashRequest::length`] ones of the layer, and behind them those that lead from
/// there up to the root, lowest first. Nothing where the torrent has no such tree, where the request does not fit it,
/// or where what stands in the file is not what the tree says. It blocks.
pub(super) fn hashes(entry: &Entry, request: &HashRequest) -> Option<Vec<NodeHash>> {
    let meta = entry.meta()?;
    // Of several files with the same content any will do whose bytes are there.
    let slots = (0..meta.trees.len()).filter(|&slot| meta.trees[slot].root == request.root);
    slots.into_iter().find_map(|slot| of_file(entry, &meta, slot, request))
}

fn of_file(entry: &Entry, meta: &Meta, slot: usize, request: &HashRequest) -> Option<Vec<NodeHash>> {
    let tree = &meta.trees[slot];
    let file = File::new(entry, slot, tree);
    let HashRequest { base_layer, index, length, proof_layers, .. } = *request;
    let (first, length) = (u64::from(index), u64::from(length));
    let width = length.next_power_of_two();
    let in_layer = 1_u64.checked_shl(file.height.checked_sub(base_layer)?)?;
    let fits = (1..=u64::from(HASHES_MAX)).contains(&length)
        && first.is_multiple_of(width)
        && first + length <= in_layer
        && base_layer.checked_add(proof_layers)? < file.height;
    if !fits {
        return None;
    }
    let above = meta.layers(&entry.content, slot);
    let below = file.below(base_layer, first, first + length)?;
    let node = |layer: u32, index: u64| -> NodeHash {
        let (layers, layer_of, from) = if layer >= file.piece_height {
            (above, layer - file.piece_height, 0)
        } else {
            let up = file.piece_height - layer;
            let layers = below.get(&(index >> up)).map_or(&[][..], Vec::as_slice);
            (layers, layer, index >> up << up)
        };
        let nodes = layers.get(layer_of as usize);
        let at = usize::try_from(index - from).ok();
        nodes.zip(at).and_then(|(nodes, at)| nodes.get(at)).copied().unwrap_or_else(|| merkle::beyond(layer))
    };
    let mut hashes: Vec<_> = (first..first + length).map(|index| node(base_layer, index)).collect();
    // Whoever has the hashes computes the node that stands this high above them; from there on it needs the one beside
    // each, up to the last layer that it asked to be proved.
    for up in width.ilog2()..=proof_layers {
        hashes.push(node(base_layer + up, first >> up ^ 1));
    }
    Some(hashes)
}

/// A file with its tree. Layers are counted from the leaves, which are 0.
struct File<'a> {
    entry: &'a Entry,
    slot: usize,
    /// The layer of the root.
    height: u32,
    /// The layer of the pieces; that of the root where there is no more than one.
    piece_height: u32,
}

/// The layers of a tree, or of a part of one, from the lowest up to the one below its root.
type Layers = Vec<Vec<NodeHash>>;

impl<'a> File<'a> {
    fn new(entry: &'a Entry, slot: usize, tree: &Tree) -> Self {
        let blocks = entry.content.slots[slot].bytes.div_ceil(merkle::BLOCK_BYTES.into());
        let height = merkle::height_of(usize::try_from(blocks).unwrap_or(usize::MAX / 2));
        let piece_height = merkle::piece_height(entry.content.piece_length());
        Self { entry, slot, height, piece_height: if tree.layer.is_empty() { height } else { piece_height } }
    }

    /// Below the pieces, of each piece that holds what stands from `from` to `to` in `layer`; none where that is above.
    fn below(&self, layer: u32, from: u64, to: u64) -> Option<HashMap<u64, Layers>> {
        let Some(up) = self.piece_height.checked_sub(layer).filter(|&up| up > 0) else { return Some(HashMap::new()) };
        let pieces = self.entry.content.pieces_of(self.slot);
        let (from, to) = (from >> up, (((to - 1) >> up) + 1).min(pieces.len() as u64));
        let bytes = to.saturating_sub(from).saturating_mul(self.entry.content.piece_length().bytes().into());
        if to > from + 1 && bytes > HASHED_BYTES_MAX {
            return None;
        }
        let layers = (from..to).map(|piece| {
            let number = pieces.start + u32::try_from(piece).ok()?;
            let leaves = disk::leaves(self.entry, number)?;
            Some((piece, merkle::layers(leaves, 0, self.piece_height)))
        });
        layers.collect()
    }
}

#[cfg(test)]
#[path = "hashes_tests.rs"]
mod tests;
