//! Reading the files of one order once: hashes and facts.

use std::num::NonZeroUsize;

use super::{Content, Order, Problem, named};
use crate::hash::{self, Listener, Progress, Source, Wanted};
use crate::media::{Kind, Scanner};
use crate::metainfo::{self, Hashes};
use crate::units::PieceLength;

/// The content of `order`, whose files are `sources`.
pub fn files(
    order: &Order,
    sources: &mut [Source],
    piece_length: PieceLength,
    threads: Option<NonZeroUsize>,
    progress: &dyn Progress,
) -> Result<Content, Problem> {
    let mut files: Vec<_> =
        sources.iter().enumerate().map(|(index, source)| named(order, index, source.bytes())).collect();
    // Only what stands alone is heard, watched and named by a digest in feeds.
    let mut scan = match &files[..] {
        [file] if order.single && file.facts.kind != Kind::Other => Some(Scan(Scanner::new(&order.name, file.bytes))),
        _ => None,
    };
    let wanted = Wanted { v1: order.kind.has_v1(), v2: order.kind.has_v2(), sha384: order.integrity };
    progress.expect(files.iter().map(|file| file.bytes).sum());
    let digests = hash::hash(hash::Order {
        threads,
        listener: scan.as_mut().map(|scan| scan as &mut dyn Listener),
        ..hash::Order::new(sources, piece_length, wanted, progress)
    })?;
    for (file, sha384) in files.iter_mut().zip(&digests.sha384) {
        file.sha384 = Some(*sha384);
    }
    let mut warnings = Vec::new();
    if let (Some(Scan(scanner)), [file]) = (scan, &mut files[..]) {
        let found = scanner.finish();
        file.facts = found.facts;
        warnings = found.warnings;
    }
    let hashes = match order.kind {
        metainfo::Kind::V1 => Hashes::V1(digests.pieces),
        metainfo::Kind::V2 => Hashes::V2(digests.trees),
        metainfo::Kind::Hybrid => Hashes::Hybrid { pieces: digests.pieces, trees: digests.trees },
    };
    Ok(Content { piece_length, hashes, files, remote: None, warnings })
}

/// A scanner that listens while a file is hashed.
struct Scan(Scanner);

impl Listener for Scan {
    fn bytes(&mut self, _file: usize, bytes: &[u8]) {
        self.0.push(bytes);
    }
}
