//! Where files and pieces lie: the sources laid end to end, and cut.
//!
//! v1 pieces go over the borders of files (BEP 3). A v2 piece belongs to one file and begins with it (BEP 52); where
//! v2 alone is wanted, each file is laid to a border of pieces, and nothing is read between them.

use std::ops::Range;

use super::tree::{LEAF_BYTES, ZERO_LEAF, root, zeros_root};
use super::{Content, Source, Wanted};
use crate::lanes::Kernel;
use crate::metainfo::Tree;
use crate::units::PieceLength;

pub(super) struct Layout {
    spans: Vec<Span>,
    piece_bytes: u64,
    total: u64,
    v2_alone: bool,
    /// Where bytes are missing, in their order.
    absent: Vec<Range<u64>>,
}

/// The place of a source.
struct Span {
    start: u64,
    bytes: u64,
    is_file: bool,
}

/// One piece, of v1 or v2 or both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// Where it begins.
    pub start: u64,
    /// How many bytes are hashed for v1, or where that is not wanted, for v2.
    pub bytes: u64,
    /// How many of these are in its v2 tree: what lies behind the end of the file is not.
    pub file_bytes: u64,
    /// How many leaves its v2 tree has: a power of two.
    pub leaves: u64,
}

/// Bytes that are read from one source, or zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The index of the source.
    pub source: usize,
    /// Where they begin in the file; `None` for zeros.
    pub at: Option<u64>,
    pub bytes: usize,
}

impl Layout {
    pub fn new(sources: &[Source], piece_length: PieceLength, wanted: Wanted) -> Self {
        let piece_bytes = u64::from(piece_length.bytes());
        let v2_alone = wanted.v2 && !wanted.v1;
        if wanted.v2 {
            assert!(piece_bytes.is_power_of_two() && piece_bytes >= LEAF_BYTES as u64, "v2 pieces hold whole leaves");
        }
        let mut total = 0_u64;
        let mut place = |source: &Source| {
            let is_file = !matches!(source.content, Content::Zeros { .. });
            let span = Span { start: total, bytes: source.bytes(), is_file };
            if wanted.v2 && is_file && span.bytes > 0 {
                assert!(total.is_multiple_of(piece_bytes), "each file of a hybrid torrent begins with a piece");
            }
            total += match (v2_alone, is_file) {
                (true, true) => span.bytes.next_multiple_of(piece_bytes),
                (true, false) => 0,
                (false, _) => span.bytes + source.pad,
            };
            span
        };
        let spans: Vec<_> = sources.iter().map(&mut place).collect();
        let is_absent = |source: &Source| matches!(source.content, Content::Zeros { is_absent: true, .. });
        let absent = (spans.iter().zip(sources))
            .filter(|(span, source)| is_absent(source) && span.bytes > 0 && !v2_alone)
            .map(|(span, _)| span.start..span.start + span.bytes);
        let absent = absent.collect();
        Self { spans, piece_bytes, total, v2_alone, absent }
    }

    pub fn piece_bytes(&self) -> u64 {
        self.piece_bytes
    }

    /// How many pieces there are.
    pub fn pieces(&self) -> usize {
        usize::try_from(self.total.div_ceil(self.piece_bytes)).expect("the hashes of all pieces fit into memory")
    }

    /// The parts of `pieces` in which no byte is missing.
    pub fn present(&self, pieces: Range<usize>) -> Vec<Range<usize>> {
        let mut present: Vec<Range<usize>> = Vec::new();
        for piece in pieces {
            let start = piece as u64 * self.piece_bytes;
            let next = self.absent.partition_point(|absent| absent.end <= start);
            if self.absent.get(next).is_some_and(|absent| absent.start < start + self.piece_bytes) {
                continue;
            }
            match present.last_mut() {
                Some(last) if last.end == piece => last.end += 1,
                _ => present.push(piece..piece + 1),
            }
        }
        present
    }

    pub fn piece(&self, index: usize) -> Piece {
        let start = index as u64 * self.piece_bytes;
        let span = &self.spans[self.source_at(start)];
        let file_left = if span.is_file { (span.start + span.bytes).saturating_sub(start) } else { 0 };
        let file_bytes = file_left.min(self.piece_bytes);
        let bytes = if self.v2_alone { file_bytes } else { self.piece_bytes.min(self.total - start) };
        let leaves = if span.bytes <= self.piece_bytes {
            span.bytes.div_ceil(LEAF_BYTES as u64).next_power_of_two()
        } else {
            self.piece_bytes / LEAF_BYTES as u64
        };
        Piece { start, bytes, file_bytes, leaves }
    }

    /// What stands in the `bytes` bytes from `start` on.
    pub fn parts(&self, start: u64, bytes: usize) -> impl Iterator<Item = Part> {
        let mut source = self.source_at(start);
        let (mut at, mut left) = (start, bytes);
        std::iter::from_fn(move || {
            while left > 0 {
                let span = &self.spans[source];
                let end = self.spans.get(source + 1).map_or(self.total, |next| next.start);
                let file_end = span.start + if span.is_file { span.bytes } else { 0 };
                let (until, within) = if at < file_end { (file_end, true) } else { (end, false) };
                let bytes = left.min(usize::try_from(until - at).unwrap_or(usize::MAX));
                let part = Part { source, at: within.then(|| at - span.start), bytes };
                at += bytes as u64;
                left -= bytes;
                source += usize::from(at == end);
                if bytes > 0 {
                    return Some(part);
                }
            }
            None
        })
    }

    /// The tree of each file that is not empty, from the roots of its pieces.
    pub fn trees(&self, kernel: Kernel, roots: &[[u8; 32]]) -> Vec<Option<Tree>> {
        let piece_leaves = self.piece_bytes / LEAF_BYTES as u64;
        let zeros = zeros_root(kernel, piece_leaves);
        let tree = |span: &Span| {
            if !span.is_file || span.bytes == 0 {
                return None;
            }
            let first = usize::try_from(span.start / self.piece_bytes).expect("pieces are counted in memory");
            let pieces = usize::try_from(span.bytes.div_ceil(self.piece_bytes)).expect("pieces are counted in memory");
            let layer = &roots[first..first + pieces];
            if let [root] = layer {
                return Some(Tree { root: *root, layer: Vec::new() });
            }
            let root = root(kernel, layer.to_vec(), zeros, pieces.next_power_of_two() as u64);
            Some(Tree { root, layer: layer.to_vec() })
        };
        self.spans.iter().map(tree).collect()
    }

    /// The source that holds the byte at `at`, or the zeros behind it.
    fn source_at(&self, at: u64) -> usize {
        // Of several that begin there the last holds it: the others are empty.
        self.spans.partition_point(|span| span.start <= at).saturating_sub(1)
    }
}

/// The root of a piece's tree over `leaves`.
pub(super) fn piece_root(kernel: Kernel, leaves: Vec<[u8; 32]>, piece: Piece) -> [u8; 32] {
    if leaves.is_empty() { ZERO_LEAF } else { root(kernel, leaves, ZERO_LEAF, piece.leaves) }
}
