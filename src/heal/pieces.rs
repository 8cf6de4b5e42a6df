//! Where the bytes of a torrent's pieces lie in its files, and whether a piece is what the torrent says: by v1, by v2, or
//! by both where it has both.

use std::ops::Range;

use sha1::{Digest, Sha1};

use crate::metainfo::{Info, Kind, Layout, merkle};

/// The pieces of a torrent.
#[derive(Debug)]
pub(super) struct Pieces<'i> {
    info: &'i Info,
    /// The files that are no padding, in the torrent's order.
    files: Vec<Span>,
    count: u64,
    stream_bytes: u64,
}

/// A file among the bytes that pieces are cut from.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u64,
    bytes: u64,
}

/// Bytes of a piece that lie in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Which file.
    pub file: usize,
    /// Where they begin in it.
    pub offset: u64,
    /// Where they begin in the piece.
    pub at: usize,
    pub bytes: usize,
}

impl Part {
    /// The place of its bytes in those of the piece.
    pub fn range(&self) -> Range<usize> {
        self.at..self.at + self.bytes
    }

    /// The byte of the file behind its last.
    pub fn end(&self) -> u64 {
        self.offset + self.bytes as u64
    }
}

impl<'i> Pieces<'i> {
    pub fn new(info: &'i Info) -> Self {
        let piece_bytes = u64::from(info.piece_length.bytes());
        let mut end = 0;
        let mut place = |bytes: u64| {
            let span = Span { start: end, bytes };
            end += match info.kind() {
                // Each file begins with a piece of its own, and nothing lies between them (BEP 52).
                Kind::V2 => info.piece_length.count(bytes) * piece_bytes,
                Kind::V1 | Kind::Hybrid => bytes,
            };
            span
        };
        let files = match &info.layout {
            Layout::Single(bytes) => vec![place(*bytes)],
            Layout::Multi(files) => {
                let spans: Vec<_> = files.iter().map(|file| (file.is_pad, place(file.bytes))).collect();
                spans.into_iter().filter(|(is_pad, _)| !is_pad).map(|(_, span)| span).collect()
            }
        };
        Self { info, files, count: info.piece_count(), stream_bytes: end }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The most bytes that one has.
    pub fn bytes_max(&self) -> usize {
        self.info.piece_length.bytes() as usize
    }

    /// The bytes of a file.
    pub fn file_bytes(&self, file: usize) -> u64 {
        self.files[file].bytes
    }

    /// The pieces that hold a byte of a file.
    pub fn of_file(&self, file: usize) -> Range<u64> {
        let Span { start, bytes } = self.files[file];
        let piece_bytes = u64::from(self.info.piece_length.bytes());
        start / piece_bytes..if bytes == 0 { start / piece_bytes } else { (start + bytes).div_ceil(piece_bytes) }
    }

    /// How many bytes a piece has, padding among them.
    pub fn bytes(&self, piece: u64) -> usize {
        let piece_bytes = u64::from(self.info.piece_length.bytes());
        let bytes = match self.info.kind() {
            // The last piece of each file is as short as the file is.
            Kind::V2 => return self.parts(piece).iter().map(|part| part.bytes).sum(),
            Kind::V1 | Kind::Hybrid => (self.stream_bytes - piece * piece_bytes).min(piece_bytes),
        };
        usize::try_from(bytes).unwrap_or(self.bytes_max())
    }

    /// Where the bytes of a piece lie. What no part covers is padding, which is zeros.
    pub fn parts(&self, piece: u64) -> Vec<Part> {
        let piece_bytes = u64::from(self.info.piece_length.bytes());
        let (from, to) = (piece * piece_bytes, (piece + 1) * piece_bytes);
        let first = self.files.partition_point(|span| span.start + span.bytes <= from);
        let files = self.files.iter().enumerate().skip(first).take_while(|(_, span)| span.start < to);
        let parts = files.filter(|(_, span)| span.bytes > 0).map(|(file, span)| {
            let (begin, end) = (span.start.max(from), (span.start + span.bytes).min(to));
            // Both are at most a piece, which is in memory.
            let size = |bytes: u64| usize::try_from(bytes).unwrap_or(self.bytes_max());
            Part { file, offset: begin - span.start, at: size(begin - from), bytes: size(end - begin) }
        });
        parts.collect()
    }

    /// Whether `bytes` are those of the piece.
    pub fn is(&self, piece: u64, bytes: &[u8]) -> bool {
        let index = usize::try_from(piece).unwrap_or(usize::MAX);
        let is_v1 = self.info.pieces().is_none_or(|pieces| {
            let found: [u8; 20] = Sha1::digest(bytes).into();
            pieces.get(index) == Some(&found)
        });
        is_v1
            && self.info.trees().is_none_or(|trees| self.parts(piece).iter().all(|part| self.is_v2(trees, part, bytes)))
    }

    /// Whether the bytes of a piece that lie in one file are those of the file's tree (BEP 52).
    fn is_v2(&self, trees: &[Option<crate::metainfo::Tree>], part: &Part, bytes: &[u8]) -> bool {
        let Some(Some(tree)) = trees.get(part.file) else { return false };
        let length = self.info.piece_length;
        let Some(bytes) = bytes.get(part.range()) else { return false };
        let leaves: Vec<_> = bytes.chunks(merkle::BLOCK_BYTES as usize).map(merkle::leaf).collect();
        if tree.layer.is_empty() {
            return merkle::tree(&leaves, length).is_some_and(|found| found.root == tree.root);
        }
        let index = usize::try_from(part.offset / u64::from(length.bytes())).unwrap_or(usize::MAX);
        tree.layer.get(index) == Some(&merkle::piece(&leaves, length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heal::testing::{Show, noise};
    use crate::metainfo::{File, Hashes, padded};
    use crate::units::PieceLength;
    use proptest::prelude::*;

    #[test]
    fn every_piece_of_every_kind_is_known_by_its_bytes_and_by_no_others() {
        for kind in Kind::ALL {
            let show = Show::new(kind, &[("a", 40_000), ("b", 0), ("c", 16_384), ("d", 70_001)]);
            let pieces = Pieces::new(&show.torrent.metainfo.info);
            assert_eq!(pieces.count(), show.torrent.metainfo.info.piece_count());
            for piece in 0..pieces.count() {
                let mut bytes = vec![0; pieces.bytes(piece)];
                for part in pieces.parts(piece) {
                    let from = usize::try_from(part.offset).expect("small");
                    bytes[part.range()].copy_from_slice(&show.content[part.file][from..from + part.bytes]);
                }
                assert!(pieces.is(piece, &bytes), "{kind} {piece}");
                for part in pieces.parts(piece) {
                    let mut wrong = bytes.clone();
                    wrong[part.range().end - 1] ^= 1;
                    assert!(!pieces.is(piece, &wrong), "{kind} {piece}");
                }
                let neighbour = (piece + 1) % pieces.count();
                assert!(!pieces.is(neighbour, &bytes), "{kind} {piece}");
            }
        }
    }

    /// What a torrent of files with these sizes says of them; hashes are not looked at.
    fn info(kind: Kind, sizes: &[u64]) -> Info {
        let length = PieceLength::new(16_384).expect("a power of two");
        let file = |(index, &bytes): (usize, &u64)| File { path: vec![index.to_string()], bytes, is_pad: false };
        let files = sizes.iter().enumerate().map(file).collect();
        Info {
            name: "set".into(),
            piece_length: length,
            private: false,
            source: None,
            layout: Layout::Multi(if kind == Kind::Hybrid { padded(files, length) } else { files }),
            hashes: match kind {
                Kind::V1 => Hashes::V1(Vec::new()),
                Kind::V2 => Hashes::V2(Vec::new()),
                Kind::Hybrid => Hashes::Hybrid { pieces: Vec::new(), trees: Vec::new() },
            },
        }
    }

    proptest! {
        #[test]
        fn parts_cover_each_byte_of_each_file_once(sizes in prop::collection::vec(0_u64..100_000, 1..6)) {
            for kind in Kind::ALL {
                let info = info(kind, &sizes);
                let pieces = Pieces::new(&info);
                let mut ends = vec![0; sizes.len()];
                for piece in 0..pieces.count() {
                    for part in pieces.parts(piece) {
                        prop_assert_eq!(part.offset, ends[part.file]);
                        prop_assert!(part.range().end <= pieces.bytes(piece));
                        prop_assert!(pieces.of_file(part.file).contains(&piece));
                        ends[part.file] += part.bytes as u64;
                    }
                }
                prop_assert_eq!(&ends, &sizes);
            }
        }
    }

    #[test]
    fn noise_has_no_two_blocks_alike() {
        let noise = noise(3, 65_536);
        let blocks: std::collections::HashSet<_> = noise.chunks(16_384).collect();
        assert_eq!(blocks.len(), 4);
    }
}
