//! What a `.torrent` says of the bytes: held while it is needed, and read again when it is needed again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sha1::{Digest, Sha1};

use super::content::{Content, Source};
use crate::fsx;
use crate::id::{NodeHash, PieceHash};
use crate::lanes::Kernel;
use crate::metainfo::{self, Hashes, TORRENT_BYTES_MAX, Tree, merkle};
use crate::units::PieceLength;

/// The most hashes of blocks that are kept of a torrent, of 128 MiB; but always those of a piece.
const KEPT_HASHES_MAX: usize = 8192;

/// The `info` dictionary and the hashes of the pieces.
#[derive(Debug)]
pub(super) struct Meta {
    /// The `info` dictionary as it stands in the `.torrent`, for those who have a magnet link alone.
    pub info_bytes: Arc<[u8]>,
    /// The SHA-1 of each piece, where there is v1.
    pieces: Vec<PieceHash>,
    /// The tree of each file that holds a byte, where there is v2.
    pub trees: Vec<Tree>,
    /// What [`Meta::layers`] gives, once it was asked for: who wants all hashes of a file asks often.
    layers: Vec<OnceLock<Vec<Vec<NodeHash>>>>,
    /// The hashes of the blocks of pieces that peers have asked for, as they are proved by the trees; the last ones
    /// behind.
    // A std Mutex: nothing awaits and no file is touched while it is held.
    kept: Mutex<VecDeque<(u32, Arc<[NodeHash]>)>>,
}

impl Meta {
    pub fn of(torrent: &metainfo::Torrent) -> Self {
        let (pieces, trees) = match torrent.metainfo.info.hashes.clone() {
            Hashes::V1(pieces) => (pieces, Vec::new()),
            Hashes::V2(trees) => (Vec::new(), trees),
            Hashes::Hybrid { pieces, trees } => (pieces, trees),
        };
        let trees: Vec<Tree> = trees.into_iter().flatten().collect();
        let layers = trees.iter().map(|_| OnceLock::new()).collect();
        Self { info_bytes: torrent.info_bytes().into(), pieces, trees, layers, kept: Mutex::default() }
    }

    /// Finds it where `content` says; else says why it is not there. It blocks.
    pub fn find(content: &Content) -> Result<Arc<Self>, String> {
        let place = match &content.source {
            Source::Held(meta) => return Ok(Arc::clone(meta)),
            Source::At(place) => place,
        };
        let said = |what: String| format!("{} {what}", place.name());
        let bytes = fsx::read_at_most(&place.path(), TORRENT_BYTES_MAX as u64)
            .map_err(|error| said(format!("cannot be read: {error}")))?;
        match metainfo::parse(bytes) {
            Ok(torrent) if torrent.info_hashes == content.info_hashes => Ok(Arc::new(Self::of(&torrent))),
            Ok(_) => Err(said("is another torrent now".into())),
            Err(error) => Err(said(format!("is damaged: {error}"))),
        }
    }

    /// The hashes of the blocks of a piece, where they are kept.
    pub fn kept_leaves(&self, piece: u32) -> Option<Arc<[NodeHash]>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().find(|(number, _)| *number == piece).map(|(_, leaves)| Arc::clone(leaves))
    }

    /// Keeps them, in the place of those that were kept for the longest time.
    pub fn keep_leaves(&self, piece: u32, leaves: Arc<[NodeHash]>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((piece, leaves));
        let mut count: usize = kept.iter().map(|(_, leaves)| leaves.len()).sum();
        while count > KEPT_HASHES_MAX && kept.len() > 1 {
            count -= kept.pop_front().map_or(0, |(_, leaves)| leaves.len());
        }
    }

    /// Hashes the piece `number` of `content`.
    pub fn check<'a>(&'a self, content: &Content, number: u32) -> Check<'a> {
        let v1 = self.pieces.get(number as usize).map(|wanted| (Sha1::new(), wanted));
        let v2 = self.leaves(content, number);
        let is_one = if self.trees.is_empty() { v1.is_some() } else { v2.is_some() };
        Check { v1, v2, is_one }
    }

    /// Hashes the blocks of the piece `number` of `content`, where there is v2.
    pub fn leaves<'a>(&'a self, content: &Content, number: u32) -> Option<Leaves<'a>> {
        let slot = content.slots_of(number).next()?;
        let wanted = (self.trees.get(slot)?, number - content.pieces_of(slot).start);
        Some(Leaves { length: content.piece_length(), wanted, kernel: Kernel::best(), hashes: Vec::new() })
    }

    /// The layers of the tree of a file from its pieces up to the one below its root; none where it has one piece.
    pub fn layers(&self, content: &Content, slot: usize) -> &[Vec<NodeHash>] {
        let (tree, length) = (&self.trees[slot], content.piece_length());
        self.layers[slot].get_or_init(|| {
            let height = merkle::height_of(tree.layer.len());
            if height == 0 {
                Vec::new()
            } else {
                merkle::layers(tree.layer.clone(), merkle::piece_height(length), height)
            }
        })
    }
}

/// The hashing of a piece, of bytes that come one behind the other: by all hashes that its torrent has of it. Peers of
/// the two swarms of a hybrid check by one of both, and bytes that suit one alone would be bad to the other.
pub(super) struct Check<'a> {
    v1: Option<(Sha1, &'a PieceHash)>,
    v2: Option<Leaves<'a>>,
    /// Whether there is such a piece, which else can't match.
    is_one: bool,
}

impl Check<'_> {
    /// Takes the next bytes: all but the last time a multiple of [`merkle::BLOCK_BYTES`].
    pub fn update(&mut self, bytes: &[u8]) {
        self.pad(bytes);
        self.v2.iter_mut().for_each(|leaves| leaves.update(bytes));
    }

    /// Takes padding (BEP 47), which is nothing to v2.
    pub fn pad(&mut self, zeros: &[u8]) {
        self.v1.iter_mut().for_each(|(sha1, _)| sha1.update(zeros));
    }

    /// Whether the bytes are those of the piece.
    pub fn matches(self) -> bool {
        self.is_one
            && self.v1.is_none_or(|(sha1, wanted)| <[u8; 20]>::from(sha1.finalize()) == *wanted)
            && self.v2.is_none_or(|leaves| leaves.matching().is_some())
    }
}

/// The hashes of the blocks of a piece of v2.
pub(super) struct Leaves<'a> {
    length: PieceLength,
    /// The tree of its file, and which piece of the file it is.
    wanted: (&'a Tree, u32),
    kernel: Kernel,
    hashes: Vec<NodeHash>,
}

impl Leaves<'_> {
    /// Takes the next bytes: all but the last time a multiple of [`merkle::BLOCK_BYTES`].
    pub fn update(&mut self, bytes: &[u8]) {
        let blocks: Vec<&[u8]> = bytes.chunks(merkle::BLOCK_BYTES as usize).collect();
        self.hashes.extend(self.kernel.sha256_many(&blocks));
    }

    /// The hashes, where they are those of the piece.
    pub fn matching(self) -> Option<Vec<NodeHash>> {
        let (tree, piece) = self.wanted;
        let matches = match tree.layer.get(piece as usize) {
            Some(wanted) => merkle::piece(&self.hashes, self.length) == *wanted,
            // No longer than a piece: the root is its hash.
            None => merkle::tree(&self.hashes, self.length).is_some_and(|found| found.root == tree.root),
        };
        matches.then_some(self.hashes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tokio::sync::watch;

    use super::super::Torrent;
    use super::super::disk::{self, Refused};
    use super::super::test_house::{House, PIECE};
    use super::super::torrents::Entry;
    use super::*;

    #[test]
    fn a_hybrid_is_right_where_both_of_its_hashes_say_so() {
        let house = House::hybrid(&[("a", PIECE * 2 + 7), ("b", PIECE), ("c", 5)]);
        let entry = |torrent: &Torrent| Entry::new(torrent, watch::Sender::new(0), &HashMap::new());
        let verified = |torrent: &Torrent| {
            let entry = entry(torrent);
            (0..entry.content.pieces()).map(|piece| disk::verify_piece(&entry, piece)).collect::<Vec<_>>()
        };
        assert_eq!(verified(&house.torrent), [Ok(()); 5]);
        let other_v2 = house.with_info(|info| {
            let Hashes::Hybrid { trees, .. } = &mut info.hashes else { panic!("a hybrid") };
            let tree = trees[0].as_mut().expect("it has bytes");
            tree.layer[1] = [7; 32];
        });
        let bad = Err(Refused::Bad);
        assert_eq!(verified(&other_v2), [Ok(()), bad, Ok(()), Ok(()), Ok(())]);
        let other_v1 = house.with_info(|info| {
            let Hashes::Hybrid { pieces, .. } = &mut info.hashes else { panic!("a hybrid") };
            pieces[4] = [7; 20];
        });
        assert_eq!(verified(&other_v1), [Ok(()), Ok(()), Ok(()), Ok(()), bad]);
    }
}
