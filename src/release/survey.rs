//! Reading the content of an order: hashes and facts, from memory where the files are what they were.

use super::{Content, Known, Order, Origin};
use crate::hash::{Cache, Progress, Source, Wanted};
use crate::media;
use crate::metainfo::{Hashes, TORRENT_BYTES_MAX};
use crate::problem::Problem;
use crate::units::PieceLength;

/// Finds out what there is to know of the content of `order`; files that `cache` knows are not read again.
///
/// A file that can't be read, or that changes meanwhile, is a problem that names it.
pub fn survey(order: &Order, cache: &mut Cache, progress: &dyn Progress) -> Result<Content, Problem> {
    let sources = order.files.iter().map(|file| source(&file.origin)).collect::<Result<Vec<_>, _>>()?;
    let total = sources.iter().map(Source::bytes).sum();
    let piece_length = order.piece_length.unwrap_or_else(|| PieceLength::automatic(total));
    fits(order, piece_length.count(total))?;
    let wanted = if order.integrity { Wanted::PiecesAndSha384 } else { Wanted::Pieces };
    let digests = cache.digests(&sources, piece_length, wanted, progress)?;
    let files = order
        .files
        .iter()
        .zip(&sources)
        .enumerate()
        .map(|(index, (file, source))| {
            let sha384 = if order.integrity { digests.sha384.get(index).copied() } else { None };
            let bytes = source.bytes();
            let name = file.path.last().unwrap_or(&order.name);
            let path = file.origin.path().expect("a file that is read here is on disk");
            Known { bytes, sha384, facts: media::facts(path, name, bytes).facts }
        })
        .collect();
    Ok(Content { piece_length, hashes: Hashes::V1(digests.pieces), files, remote: None })
}

fn source(origin: &Origin) -> Result<Source, Problem> {
    match origin {
        Origin::File(path) => Source::open(path),
        Origin::Url(url) => Err(Problem::new(format!("{url}: is not read yet"))),
    }
}

/// Refuses, before anything is hashed, what would make a `.torrent` that nobody reads.
fn fits(order: &Order, pieces: u64) -> Result<(), Problem> {
    /// What a file adds to its path: keys, lengths and the ends of its dictionary and lists.
    const FILE_BYTES: usize = 64;
    let name = |name: &String| name.len() + 8;
    let files: usize = order.files.iter().map(|file| FILE_BYTES + file.path.iter().map(name).sum::<usize>()).sum();
    let bytes = (files as u64).saturating_add(pieces.saturating_mul(20));
    if bytes <= TORRENT_BYTES_MAX as u64 / 2 {
        return Ok(());
    }
    let message =
        format!("{:?} would have {pieces} pieces and {} files, too many for a torrent", order.name, order.files.len());
    Err(Problem::new(message).help("choose a larger piece length, or pack the files into an archive"))
}
