//! What a torrent will be but for its hashes, from a look at its files.

use super::{Order, draft, layout};
use crate::hash::Source;
use crate::metainfo::{self, Hashes, Info, Kind, Layout, TORRENT_BYTES_MAX, Tree};
use crate::problem::Problem;
use crate::units::{PieceLength, count_text};

/// The most bytes of the content of a torrent: sums with padding stay numbers of 63 bits.
const BYTES_MAX: u64 = 1 << 62;

/// An [`Order`] whose files have been looked at and not read.
#[derive(Debug)]
pub struct Plan<'a> {
    order: &'a Order,
    info: Info,
}

/// Looks at the files of `order`, which are on disk, and settles what the torrent will be but for its hashes.
///
/// A file that can't be read is a problem that names it, and what would make a `.torrent` that nobody reads is one.
pub fn plan(order: &Order) -> Result<Plan<'_>, Problem> {
    let mut sizes = Vec::with_capacity(order.files.len());
    for file in &order.files {
        let path = file.origin.path().ok_or_else(|| Problem::new("what is on another server can't be looked at"))?;
        sizes.push(Source::open(path)?.bytes());
    }
    let piece_length = settle(order, &sizes)?;
    let layout = layout(order, piece_length, &sizes);
    let info = Info {
        name: order.name.clone(),
        piece_length,
        private: order.private,
        source: order.source.clone(),
        hashes: unknown(order.kind, &layout, &sizes, piece_length),
        layout,
    };
    Ok(Plan { order, info })
}

impl Plan<'_> {
    /// The info dictionary to be; its hashes are as many as it will have, and mean nothing.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// How many bytes the `.torrent` will have; fewer where v2 files have the same content, whose hashes stand there once.
    pub fn torrent_bytes(&self) -> usize {
        metainfo::encoded_bytes(&draft(self.order, self.info.clone(), None))
    }
}

/// The piece length of `order`, whose files have these `sizes`, if that makes a `.torrent` that can be read.
pub(super) fn settle(order: &Order, sizes: &[u64]) -> Result<PieceLength, Problem> {
    let total = sizes.iter().try_fold(0_u64, |sum, &bytes| sum.checked_add(bytes).filter(|&sum| sum < BYTES_MAX));
    let total = total.ok_or_else(|| Problem::new(format!("{:?} would have 2^62 bytes or more", order.name)))?;
    let published = order.published.filter(|(bytes, _)| *bytes == total).map(|(_, length)| length);
    let piece_length = order.piece_length.or(published).unwrap_or_else(|| PieceLength::automatic(total));
    fits(order, sizes, piece_length)?;
    Ok(piece_length)
}

/// As many hashes as the content has, none of them known. The roots differ, as those of files do.
fn unknown(kind: Kind, layout: &Layout, sizes: &[u64], piece_length: PieceLength) -> Hashes {
    let many = |bytes| usize::try_from(piece_length.count(bytes)).expect("few enough for a torrent");
    let stream = match layout {
        Layout::Single(bytes) => *bytes,
        Layout::Multi(files) => files.iter().map(|file| file.bytes).sum(),
    };
    let tree = |(index, &bytes): (usize, &u64)| {
        let mut root = [0; 32];
        root[..8].copy_from_slice(&(index as u64).to_be_bytes());
        let nodes = Some(many(bytes)).filter(|&count| count > 1).unwrap_or_default();
        (bytes > 0).then(|| Tree { root, layer: vec![[0; 32]; nodes] })
    };
    let pieces = || vec![[0; 20]; many(stream)];
    let trees = || sizes.iter().enumerate().map(tree).collect();
    match kind {
        Kind::V1 => Hashes::V1(pieces()),
        Kind::V2 => Hashes::V2(trees()),
        Kind::Hybrid => Hashes::Hybrid { pieces: pieces(), trees: trees() },
    }
}

/// Refuses, before anything is hashed, what would make a `.torrent` that nobody reads.
fn fits(order: &Order, sizes: &[u64], piece_length: PieceLength) -> Result<(), Problem> {
    /// What a file adds to its path in v1's list: keys, lengths and the ends of its dictionary and lists.
    const FILE_BYTES: u64 = 64;
    /// What a file adds to its path in v2's tree, with its root and the key of its layer.
    const LEAF_BYTES: u64 = 128;
    let name = |name: &String| name.len() as u64 + 8;
    let names: u64 = order.files.iter().flat_map(|file| &file.path).map(name).sum();
    let files = order.files.len() as u64;
    let pieces = match order.kind {
        Kind::V1 => piece_length.count(sizes.iter().sum()),
        Kind::V2 | Kind::Hybrid => sizes.iter().map(|&bytes| piece_length.count(bytes)).sum(),
    };
    let v1 = files * FILE_BYTES + names;
    let v2 = files * LEAF_BYTES + names;
    let (listed, hash_bytes) = match order.kind {
        Kind::V1 => (v1, 20),
        Kind::V2 => (v2, 32),
        // The pads are listed as well.
        Kind::Hybrid => (v1 + files * FILE_BYTES + v2, 20 + 32),
    };
    if listed.saturating_add(pieces.saturating_mul(hash_bytes)) <= TORRENT_BYTES_MAX as u64 / 2 {
        return Ok(());
    }
    let (pieces, files) = (count_text(pieces, "piece"), count_text(files, "file"));
    let message = format!("{:?} would have {pieces} and {files}, too many for a torrent", order.name);
    Err(Problem::new(message).help("choose a larger piece length, or pack the files into an archive"))
}
