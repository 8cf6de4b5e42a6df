//! A few pieces that are hashed together, as their bytes come.

use super::Wanted;
use super::layout::{Layout, Piece, piece_root};
use super::tree::LEAF_BYTES;
use crate::id::PieceHash;
use crate::lanes::{Kernel, Sha1Lanes};

pub(super) struct Group {
    kernel: Kernel,
    pieces: Vec<Piece>,
    sha1: Option<Sha1Lanes>,
    trees: Option<Vec<Leaves>>,
}

/// The leaves of one piece.
struct Leaves {
    hashes: Vec<[u8; 32]>,
    /// How many bytes of the file are still to come.
    left: u64,
}

/// The hashes of all pieces, as they come.
pub(super) struct Hashes {
    /// Of v1; none where they are not wanted.
    pub pieces: Vec<PieceHash>,
    /// The roots of the v2 pieces; none where they are not wanted.
    pub roots: Vec<[u8; 32]>,
}

impl Hashes {
    pub fn new(pieces: usize, wanted: Wanted) -> Self {
        Self {
            pieces: vec![PieceHash::default(); if wanted.v1 { pieces } else { 0 }],
            roots: vec![[0; 32]; if wanted.v2 { pieces } else { 0 }],
        }
    }

    /// Puts the hashes of some pieces to the others.
    pub fn put(&mut self, first: usize, some: &Self) {
        let into = |len: usize| if len == 0 { 0..0 } else { first..first + len };
        self.pieces[into(some.pieces.len())].copy_from_slice(&some.pieces);
        self.roots[into(some.roots.len())].copy_from_slice(&some.roots);
    }
}

impl Group {
    /// The pieces from the first to before the last of `range`.
    pub fn new(kernel: Kernel, layout: &Layout, range: std::ops::Range<usize>, wanted: Wanted) -> Self {
        let pieces: Vec<_> = range.map(|index| layout.piece(index)).collect();
        let sha1 = wanted.v1.then(|| Sha1Lanes::new(kernel, pieces.len()));
        let leaves = |piece: &Piece| Leaves { hashes: Vec::new(), left: piece.file_bytes };
        let trees = wanted.v2.then(|| pieces.iter().map(leaves).collect());
        Self { kernel, pieces, sha1, trees }
    }

    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Takes the next bytes of the first pieces: equally long, and whole leaves.
    pub fn update(&mut self, runs: &[&[u8]]) {
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(runs);
        }
        self.hash_leaves(runs);
    }

    /// The hashes, after the last bytes of each piece, of whatever lengths.
    pub fn finish(mut self, rests: &[&[u8]]) -> Hashes {
        self.hash_leaves(rests);
        let kernel = self.kernel;
        let roots = self.trees.into_iter().flatten().zip(&self.pieces);
        Hashes {
            pieces: self.sha1.map(|sha1| sha1.finish(rests)).unwrap_or_default(),
            roots: roots.map(|(leaves, piece)| piece_root(kernel, leaves.hashes, *piece)).collect(),
        }
    }

    fn hash_leaves(&mut self, runs: &[&[u8]]) {
        let Some(trees) = &mut self.trees else { return };
        let mut of_file = Vec::with_capacity(runs.len());
        for (leaves, run) in trees.iter_mut().zip(runs) {
            let bytes = run.len().min(usize::try_from(leaves.left).unwrap_or(usize::MAX));
            leaves.left -= bytes as u64;
            of_file.push(run[..bytes].chunks(LEAF_BYTES));
        }
        let counts: Vec<_> = of_file.iter().map(ExactSizeIterator::len).collect();
        let messages: Vec<_> = of_file.into_iter().flatten().collect();
        let mut hashes = self.kernel.sha256_many(&messages).into_iter();
        for (leaves, count) in trees.iter_mut().zip(counts) {
            leaves.hashes.extend(hashes.by_ref().take(count));
        }
    }
}
