//! Hashes of the trees of v2 files (BEP 52 "hash request"), for peers that have a magnet link alone and for those that
//! look for the damaged block of a piece: from the pieces upwards as the `.torrent` has them, below from the files.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

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
    files(entry, &meta, request).find_map(|file| of_file(&meta, &file, request))
}

/// How many bytes of files are to be hashed for that; nothing where there are no such hashes. It blocks.
pub(super) fn bytes_to_hash(entry: &Entry, request: &HashRequest) -> Option<u64> {
    let meta = entry.meta()?;
    let file = files(entry, &meta, request).next()?;
    let unknown = file.pieces_below(request)?.filter(|&piece| meta.kept_leaves(file.number(piece)).is_none());
    Some((unknown.count() as u64).saturating_mul(entry.content.piece_length().bytes().into()))
}

/// The files whose tree the request fits.
fn files<'a>(entry: &'a Entry, meta: &'a Meta, request: &HashRequest) -> impl Iterator<Item = File<'a>> {
    let request = *request;
    let trees = meta.trees.iter().enumerate().filter(move |(_, tree)| tree.root == request.root);
    trees.map(move |(slot, tree)| File::new(entry, slot, tree)).filter(move |file| file.fits(&request))
}

fn of_file(meta: &Meta, file: &File<'_>, request: &HashRequest) -> Option<Vec<NodeHash>> {
    let HashRequest { base_layer, index, length, proof_layers, .. } = *request;
    let (first, length) = (u64::from(index), u64::from(length));
    let width = length.next_power_of_two();
    let above = meta.layers(&file.entry.content, file.slot);
    let below = file.below(meta, request)?;
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

    /// Whether a request is for hashes that the tree has.
    fn fits(&self, request: &HashRequest) -> bool {
        let HashRequest { base_layer, index, length, proof_layers, .. } = *request;
        let (first, length) = (u64::from(index), u64::from(length));
        let in_layer = self.height.checked_sub(base_layer).and_then(|up| 1_u64.checked_shl(up));
        (1..=u64::from(HASHES_MAX)).contains(&length)
            && first.is_multiple_of(length.next_power_of_two())
            && in_layer.is_some_and(|in_layer| first + length <= in_layer)
            && base_layer.checked_add(proof_layers).is_some_and(|layer| layer < self.height)
    }

    /// The pieces of the file that are to be hashed for a request; nothing where they are too many.
    fn pieces_below(&self, request: &HashRequest) -> Option<Range<u64>> {
        let up = self.piece_height.saturating_sub(request.base_layer);
        if up == 0 {
            return Some(0..0);
        }
        let pieces = self.entry.content.pieces_of(self.slot);
        let (from, to) = (u64::from(request.index), u64::from(request.index) + u64::from(request.length));
        let (from, to) = (from >> up, (((to - 1) >> up) + 1).min(pieces.len() as u64));
        let count = to.saturating_sub(from);
        let bytes = count.saturating_mul(self.entry.content.piece_length().bytes().into());
        (count <= 1 || bytes <= HASHED_BYTES_MAX).then_some(from..from + count)
    }

    /// Below the pieces, of each piece that holds what a request asks for; none where that is above.
    fn below(&self, meta: &Meta, request: &HashRequest) -> Option<HashMap<u64, Layers>> {
        let layers = self.pieces_below(request)?.map(|piece| {
            let leaves = self.leaves(meta, self.number(piece))?;
            Some((piece, merkle::layers(leaves.to_vec(), 0, self.piece_height)))
        });
        layers.collect()
    }

    fn leaves(&self, meta: &Meta, number: u32) -> Option<Arc<[NodeHash]>> {
        if let Some(kept) = meta.kept_leaves(number) {
            return Some(kept);
        }
        let leaves: Arc<[NodeHash]> = disk::leaves(self.entry, number)?.into();
        meta.keep_leaves(number, Arc::clone(&leaves));
        Some(leaves)
    }

    /// The number in the torrent of a piece of the file.
    fn number(&self, piece: u64) -> u32 {
        let first = self.entry.content.pieces_of(self.slot).start;
        u32::try_from(piece).ok().and_then(|piece| first.checked_add(piece)).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
#[path = "hashes_tests.rs"]
mod tests;
