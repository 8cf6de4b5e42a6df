//! The content of a torrent: where each piece lies in the files, and which pieces are what the torrent says.

use std::path::PathBuf;

use sha1::{Digest, Sha1};

use crate::hash::{self, Source, Wanted};
use crate::id::{NodeHash, PieceHash};
use crate::metainfo::merkle::{self, BLOCK_BYTES};
use crate::metainfo::{Info, Kind, Layout, Tree};
use crate::problem::Problem;

/// How the content of a torrent is laid out.
#[derive(Debug)]
pub struct Content<'t> {
    info: &'t Info,
    /// Files and padding, in the order in which pieces are cut from them.
    spans: Vec<Span>,
    /// The place of each file among the spans.
    files: Vec<usize>,
    pieces: usize,
}

/// A file, or padding, among the bytes that pieces are cut from.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// Which file; `None` is padding.
    file: Option<usize>,
    start: u64,
    bytes: u64,
}

/// Bytes of a piece that lie in one file, or are padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which file; `None` is padding, which is zeros.
    pub file: Option<usize>,
    /// Where they begin in it.
    pub at: u64,
    pub bytes: u64,
}

/// What the files of a torrent turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Whether each piece is there, and right.
    pub good: Vec<bool>,
    /// Whether some pieces are right for v1 and wrong for v2, or the other way round: then no files are those of the
    /// torrent.
    pub is_contradictory: bool,
}

impl<'t> Content<'t> {
    /// The content of a torrent.
    pub fn new(info: &'t Info) -> Self {
        let piece_bytes = u64::from(info.piece_length.bytes());
        let (mut start, mut files, mut spans) = (0, Vec::new(), Vec::new());
        let mut span = |is_pad: bool, bytes: u64| {
            let file = (!is_pad).then_some(files.len());
            files.extend(file.map(|_| spans.len()));
            spans.push(Span { file, start, bytes });
            start += match info.kind() {
                // Each file begins with a piece of its own, and nothing lies between them (BEP 52).
                Kind::V2 => info.piece_length.count(bytes) * piece_bytes,
                Kind::V1 | Kind::Hybrid => bytes,
            };
        };
        match &info.layout {
            Layout::Single(bytes) => span(false, *bytes),
            Layout::Multi(all) => all.iter().for_each(|file| span(file.is_pad, file.bytes)),
        }
        let pieces = usize::try_from(info.piece_count()).expect("the hashes of all pieces are in memory");
        Self { info, spans, files, pieces }
    }

    /// The bytes of a file.
    pub fn file_bytes(&self, file: usize) -> u64 {
        self.spans[self.files[file]].bytes
    }

    /// Where the bytes of a piece lie, in their order.
    pub fn parts(&self, piece: usize) -> Vec<Part> {
        let piece_bytes = u64::from(self.info.piece_length.bytes());
        let (from, to) = (piece as u64 * piece_bytes, (piece as u64 + 1) * piece_bytes);
        let first = self.spans.partition_point(|span| span.start + span.bytes <= from);
        let spans = self.spans[first..].iter().take_while(|span| span.start < to).filter(|span| span.bytes > 0);
        let parts = spans.map(|span| {
            let (begin, end) = (span.start.max(from), (span.start + span.bytes).min(to));
            Part { file: span.file, at: begin - span.start, bytes: end - begin }
        });
        parts.collect()
    }

    /// The first piece that begins behind a file.
    pub fn behind(&self, file: usize) -> usize {
        let span = self.spans[self.files[file]];
        let piece_bytes = u64::from(self.info.piece_length.bytes());
        usize::try_from((span.start + span.bytes).div_ceil(piece_bytes)).unwrap_or(self.pieces)
    }

    /// Up to which byte of a file pieces from `piece` on are missing, one behind the other.
    pub fn missing_until(&self, file: usize, piece: usize, good: &[bool]) -> u64 {
        let span = self.spans[self.files[file]];
        let run = good[piece..].iter().take_while(|is_good| !**is_good).count();
        let end = (piece + run) as u64 * u64::from(self.info.piece_length.bytes());
        end.saturating_sub(span.start).min(span.bytes)
    }

    /// Reads the files at `paths` and finds out which pieces are right. What is not there, or has another size, is wrong.
    pub fn check(&self, paths: &[PathBuf]) -> Result<Checked, Problem> {
        let mut is_present = Vec::with_capacity(self.spans.len());
        let mut sources = Vec::with_capacity(self.spans.len());
        for span in &self.spans {
            let source = span.file.map_or_else(
                || Source::zeros(span.bytes),
                |file| match Source::open(&paths[file]) {
                    Ok(source) if source.bytes() == span.bytes => source,
                    _ => Source::absent(span.bytes),
                },
            );
            is_present.push(span.file.is_none() || !source.is_zeros());
            sources.push(source);
        }
        let kind = self.info.kind();
        let wanted = Wanted { v1: kind.has_v1(), v2: kind.has_v2(), sha384: false };
        let found = hash::hash(hash::Order::new(&mut sources, self.info.piece_length, wanted, &()))?;
        let v1 = self.info.pieces().map(|wanted| self.good_of_v1(wanted, &found.pieces, &is_present));
        let v2 = self.info.trees().map(|wanted| self.good_of_v2(wanted, &found.trees));
        let is_contradictory = matches!((&v1, &v2), (Some(v1), Some(v2)) if v1 != v2);
        let both = |one: Vec<bool>, other: Vec<bool>| one.into_iter().zip(other).map(|(a, b)| a && b).collect();
        let good = [v1, v2].into_iter().flatten().reduce(both).unwrap_or_default();
        Ok(Checked { good, is_contradictory })
    }

    fn good_of_v1(&self, wanted: &[PieceHash], found: &[PieceHash], is_present: &[bool]) -> Vec<bool> {
        let mut good: Vec<bool> = wanted.iter().zip(found).map(|(wanted, found)| wanted == found).collect();
        let piece_bytes = u64::from(self.info.piece_length.bytes());
        let absent = self.spans.iter().zip(is_present).filter(|(span, present)| !**present && span.bytes > 0);
        for (span, _) in absent {
            // What stands in the place of a file that is not there says nothing of the pieces in it.
            let pieces = span.start / piece_bytes..=(span.start + span.bytes - 1) / piece_bytes;
            pieces.for_each(|piece| good[usize::try_from(piece).expect("a piece of the torrent")] = false);
        }
        good
    }

    fn good_of_v2(&self, wanted: &[Option<Tree>], found: &[Option<Tree>]) -> Vec<bool> {
        let mut good = vec![false; self.pieces];
        let nodes = |tree: &Tree| if tree.layer.is_empty() { vec![tree.root] } else { tree.layer.clone() };
        for (&place, wanted) in self.files.iter().zip(wanted) {
            let (Some(wanted), Some(found)) = (wanted, found.get(place).and_then(Option::as_ref)) else { continue };
            let first = self.first_piece(place);
            let pairs = nodes(wanted).into_iter().zip(nodes(found)).enumerate();
            pairs.for_each(|(index, (wanted, found))| good[first + index] = wanted == found);
        }
        good
    }

    fn first_piece(&self, place: usize) -> usize {
        let piece_bytes = u64::from(self.info.piece_length.bytes());
        usize::try_from(self.spans[place].start / piece_bytes).expect("a piece of the torrent")
    }
}

/// The hash of a piece as its bytes come.
#[derive(Debug)]
pub struct PieceHasher<'c> {
    content: &'c Content<'c>,
    piece: usize,
    sha1: Option<Sha1>,
    leaves: Option<Leaves>,
}

/// The leaves of a piece of v2.
#[derive(Debug, Default)]
struct Leaves {
    hashes: Vec<NodeHash>,
    block: Vec<u8>,
}

impl<'c> PieceHasher<'c> {
    pub fn new(content: &'c Content<'c>, piece: usize) -> Self {
        let kind = content.info.kind();
        let (sha1, leaves) = (kind.has_v1().then(Sha1::new), kind.has_v2().then(Leaves::default));
        Self { content, piece, sha1, leaves }
    }

    /// Takes the next bytes of a file.
    pub fn update(&mut self, bytes: &[u8]) {
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(bytes);
        }
        if let Some(leaves) = &mut self.leaves {
            leaves.update(bytes);
        }
    }

    /// Takes padding, which is in no tree.
    pub fn pad(&mut self, mut bytes: u64) {
        const ZEROS: [u8; 4096] = [0; 4096];
        let Some(sha1) = &mut self.sha1 else { return };
        while bytes > 0 {
            let some = usize::try_from(bytes).map_or(ZEROS.len(), |bytes| bytes.min(ZEROS.len()));
            sha1.update(&ZEROS[..some]);
            bytes -= some as u64;
        }
    }

    /// Whether it is the piece.
    pub fn finish(self) -> bool {
        let Self { content, piece, sha1, leaves } = self;
        let is_v1 = sha1.is_none_or(|sha1| {
            let found: PieceHash = sha1.finalize().into();
            content.info.pieces().and_then(|pieces| pieces.get(piece)) == Some(&found)
        });
        is_v1 && leaves.is_none_or(|leaves| content.is_v2(piece, &leaves.finish()))
    }
}

impl Leaves {
    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES as usize - self.block.len()));
            self.block.extend_from_slice(taken);
            bytes = rest;
            if self.block.len() == BLOCK_BYTES as usize {
                self.hashes.push(merkle::leaf(&self.block));
                self.block.clear();
            }
        }
    }

    fn finish(mut self) -> Vec<NodeHash> {
        if !self.block.is_empty() {
            self.hashes.push(merkle::leaf(&self.block));
        }
        self.hashes
    }
}

impl Content<'_> {
    /// Whether these are the leaves of a piece of v2.
    fn is_v2(&self, piece: usize, leaves: &[NodeHash]) -> bool {
        let length = self.info.piece_length;
        let file = self.parts(piece).iter().find_map(|part| part.file);
        let tree = file.and_then(|file| Some((file, self.info.trees()?.get(file)?.as_ref()?)));
        let Some((file, tree)) = tree else { return false };
        if tree.layer.is_empty() {
            return merkle::tree(leaves, length).is_some_and(|found| found.root == tree.root);
        }
        let index = piece - self.first_piece(self.files[file]);
        tree.layer.get(index) == Some(&merkle::piece(leaves, length))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;
    use crate::metainfo::Torrent;
    use crate::release::{self, Cache, FileOrder, Order, Origin};
    use crate::units::PieceLength;

    /// Files of these sizes, and their torrent.
    fn made(kind: Kind, sizes: &[usize]) -> (TempDir, Torrent, Vec<PathBuf>) {
        let dir = TempDir::new().expect("a temporary folder");
        let mut paths = Vec::new();
        for (index, bytes) in sizes.iter().enumerate() {
            let path = dir.path().join(index.to_string());
            // Bytes without short repeats.
            let content: Vec<u8> =
                (0..*bytes as u64).map(|n| ((n + 7 * index as u64) * n / 251).to_le_bytes()[0]).collect();
            fs::write(&path, content).expect("written");
            paths.push(path);
        }
        let files = paths.iter().enumerate();
        let files =
            files.map(|(index, path)| FileOrder { origin: Origin::File(path.clone()), path: vec![index.to_string()] });
        let order = Order {
            files: files.collect(),
            single: false,
            kind,
            piece_length: Some(PieceLength::new(32 * 1024).expect("a power of two")),
            ..Order::of_file("set", Origin::File(paths[0].clone()))
        };
        let torrent = release::make(&order, &mut Cache::none(), &()).expect("made").torrent;
        (dir, torrent, paths)
    }

    /// Whether each piece is right, as hashed by its bytes.
    fn piecewise(content: &Content, paths: &[PathBuf]) -> Vec<bool> {
        let files: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap_or_default()).collect();
        let piece = |piece| {
            let mut hasher = PieceHasher::new(content, piece);
            for part in content.parts(piece) {
                match part.file {
                    None => hasher.pad(part.bytes),
                    Some(file) => {
                        let at = usize::try_from(part.at).expect("small");
                        let bytes = usize::try_from(part.bytes).expect("small");
                        files[file][at..at + bytes].chunks(1000).for_each(|chunk| hasher.update(chunk));
                    }
                }
            }
            hasher.finish()
        };
        (0..content.pieces).map(piece).collect()
    }

    const SIZES: [usize; 6] = [100_000, 0, 32_768, 11, 70_001, 16_384];

    #[test]
    fn every_piece_of_every_kind_is_found_right_and_a_wrong_one_wrong() {
        for kind in [Kind::V1, Kind::V2, Kind::Hybrid] {
            let (_dir, torrent, paths) = made(kind, &SIZES);
            let content = Content::new(&torrent.metainfo.info);
            assert!(piecewise(&content, &paths).into_iter().all(|is_right| is_right), "{kind}");
            let checked = content.check(&paths).expect("hashed");
            assert!(checked.good.iter().all(|is_good| *is_good) && !checked.is_contradictory, "{kind}");
            // A byte of the last file, and all of the third.
            let mut last = fs::read(&paths[4]).expect("read");
            last[40_000] ^= 1;
            fs::write(&paths[4], last).expect("written");
            let wrong = piecewise(&content, &paths);
            let checked = content.check(&paths).expect("hashed");
            assert_eq!((&checked.good, checked.is_contradictory), (&wrong, false), "{kind}");
            assert_eq!(wrong.iter().filter(|is_right| !**is_right).count(), 1, "{kind}");
            fs::remove_file(&paths[2]).expect("removed");
            let checked = content.check(&paths).expect("hashed");
            let touched = |piece: &usize| content.parts(*piece).iter().any(|part| part.file == Some(2));
            let expected: Vec<bool> = (0..content.pieces).map(|piece| wrong[piece] && !touched(&piece)).collect();
            assert_eq!((checked.good, checked.is_contradictory), (expected, false), "{kind}");
        }
    }

    #[test]
    fn behind_a_file_and_to_the_end_of_what_is_missing() {
        let (_dir, torrent, _) = made(Kind::V1, &SIZES);
        let content = Content::new(&torrent.metainfo.info);
        // 100,000 bytes are three pieces and a bit, 219,164 six and a half.
        assert_eq!((content.pieces, content.behind(0), content.behind(1), content.behind(5)), (7, 4, 4, 7));
        let mut good = vec![false; 7];
        assert_eq!(content.missing_until(0, 0, &good), 100_000);
        assert_eq!(content.missing_until(4, 4, &good), 70_001);
        good[2] = true;
        assert_eq!((content.missing_until(0, 0, &good), content.missing_until(0, 3, &good)), (65_536, 100_000));
        assert_eq!(content.missing_until(2, 2, &good), 0, "it begins behind");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn parts_cover_each_byte_of_each_file_once(sizes in prop::collection::vec(0_usize..100_000, 1..6)) {
            for kind in [Kind::V1, Kind::V2, Kind::Hybrid] {
                prop_assume!(sizes.iter().any(|bytes| *bytes > 0));
                let (_dir, torrent, _) = made(kind, &sizes);
                let content = Content::new(&torrent.metainfo.info);
                let mut ends = vec![0; sizes.len()];
                for part in (0..content.pieces).flat_map(|piece| content.parts(piece)) {
                    let Some(file) = part.file else { continue };
                    prop_assert_eq!(part.at, ends[file]);
                    ends[file] += part.bytes;
                }
                let sizes: Vec<_> = sizes.iter().map(|bytes| *bytes as u64).collect();
                prop_assert_eq!(&ends, &sizes);
            }
        }
    }
}
