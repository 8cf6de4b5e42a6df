//! The waist of publishing: media files in, a torrent with its links and the facts about its media out.
//!
//! It knows neither pages nor feeds, so that whoever has media files, a content folder or a foreign feed, comes by here.

use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::hash::{self, Cache, Progress, Source, Wanted};
use crate::media::{self, Facts};
use crate::metainfo::{self, Draft, Hashes, Info, Kind, Layout, TORRENT_BYTES_MAX, Torrent, Tree, merkle};
use crate::problem::Problem;
use crate::units::{PieceLength, count_text};

/// What is to be released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The torrent's `name`: of the file, or of the folder that holds the files.
    pub name: String,
    /// The files in the order in which they stand in the torrent; where it is shared by v2, they stand in the order of
    /// [`metainfo::tree_order`] instead.
    pub files: Vec<FileOrder>,
    /// Whether the one file stands alone, without a folder around it.
    pub single: bool,
    /// The versions of the protocol that it is shared by.
    pub kind: Kind,
    /// The piece length; `None`: the automatic one ([`PieceLength::automatic`]).
    pub piece_length: Option<PieceLength>,
    /// Whether peers come from the trackers alone (BEP 27).
    pub private: bool,
    /// `source`: a text that gives the same content another info-hash.
    pub source: Option<String>,
    /// Announce URLs in tiers (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// Web seeds (BEP 19).
    pub web_seeds: Vec<String>,
    /// The content's own date in seconds since 1970, where it has one.
    pub creation_date: Option<i64>,
    /// `created by`.
    pub created_by: Option<String>,
    /// `comment`.
    pub comment: Option<String>,
    /// Whether the SHA-384 of each file is wanted. One file's can't be computed on several cores, so it takes five
    /// times as long as the pieces.
    pub integrity: bool,
    /// How many threads hash the pieces; `None`: one for each core.
    pub threads: Option<NonZeroUsize>,
}

/// A file of an [`Order`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOrder {
    /// Where it stands on disk.
    pub source: PathBuf,
    /// The names of its path in the torrent, outermost first; empty for a single file.
    pub path: Vec<String>,
}

/// What was released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The torrent.
    pub torrent: Torrent,
    /// Its magnet link.
    pub magnet: String,
    /// Its files, in the torrent's order.
    pub files: Vec<ReleasedFile>,
}

/// A file of a [`Release`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasedFile {
    /// Where it stands on disk.
    pub source: PathBuf,
    /// The names of its path in the torrent, outermost first; empty for a single file.
    pub path: Vec<String>,
    /// Its size in bytes.
    pub bytes: u64,
    /// The SHA-384 of its content, where the order wanted it.
    pub sha384: Option<[u8; 48]>,
    /// What it is.
    pub facts: Facts,
}

/// Makes the torrent of `order`; files that `cache` knows are not read again.
///
/// A file that can't be read, or that changes meanwhile, is a problem that names it.
pub fn make(order: &Order, cache: &mut Cache, progress: &dyn Progress) -> Result<Release, Problem> {
    plan(order)?.make(cache, progress)
}

/// An [`Order`] whose files have been looked at and not read.
#[derive(Debug)]
pub struct Plan<'a> {
    order: &'a Order,
    /// In the torrent's order.
    files: Vec<(&'a FileOrder, Source)>,
    info: Info,
}

/// Looks at the files of `order`, and settles what the torrent will be but for its hashes.
///
/// A file that can't be read is a problem that names it, and what would make a `.torrent` that nobody reads is one.
pub fn plan(order: &Order) -> Result<Plan<'_>, Problem> {
    let mut files = Vec::with_capacity(order.files.len());
    for file in &order.files {
        files.push((file, Source::open(&file.source)?));
    }
    if order.kind.has_v2() {
        files.sort_by(|(a, _), (b, _)| metainfo::tree_order(&a.path, &b.path));
    }
    let sizes: Vec<_> = files.iter().map(|(_, source)| source.bytes()).collect();
    let total = sizes.iter().try_fold(0_u64, |sum, &bytes| sum.checked_add(bytes).filter(|&sum| sum < 1 << 62));
    let total = total.ok_or_else(|| Problem::new(format!("{:?} would have 2^62 bytes or more", order.name)))?;
    let piece_length = order.piece_length.unwrap_or_else(|| PieceLength::automatic(total));
    fits(order, &sizes, piece_length)?;
    let layout = match &files[..] {
        _ if order.single => Layout::Single(total),
        // A v2 tree that holds one file of the torrent's own name is that file.
        [(file, _)] if order.kind == Kind::V2 && file.path == [&order.name[..]] => Layout::Single(total),
        _ => {
            let file = |(file, source): &(&FileOrder, Source)| metainfo::File {
                path: file.path.clone(),
                bytes: source.bytes(),
                is_pad: false,
            };
            let files: Vec<_> = files.iter().map(file).collect();
            Layout::Multi(if order.kind == Kind::Hybrid { metainfo::padded(files, piece_length) } else { files })
        }
    };
    let info = Info {
        name: order.name.clone(),
        piece_length,
        private: order.private,
        source: order.source.clone(),
        hashes: unknown(order.kind, &layout, &sizes, piece_length),
        layout,
    };
    Ok(Plan { order, files, info })
}

impl Plan<'_> {
    /// The info dictionary to be; its hashes are as many as it will have, and mean nothing.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// How many bytes the `.torrent` will have; fewer where v2 files have the same content, whose hashes stand there once.
    pub fn torrent_bytes(&self) -> usize {
        metainfo::encoded_bytes(&self.draft(self.info.hashes.clone()))
    }

    fn draft(&self, hashes: Hashes) -> Draft {
        let order = self.order;
        Draft {
            info: Info { hashes, ..self.info.clone() },
            trackers: order.trackers.clone(),
            web_seeds: order.web_seeds.clone(),
            creation_date: order.creation_date,
            created_by: order.created_by.clone(),
            comment: order.comment.clone(),
        }
    }

    /// Reads and hashes the files that `cache` does not know, and makes the torrent.
    ///
    /// A file that can't be read, or that changed since it was looked at, is a problem that names it.
    pub fn make(self, cache: &mut Cache, progress: &dyn Progress) -> Result<Release, Problem> {
        let (hashes, sha384) = self.hash(cache, progress)?;
        let torrent = metainfo::encode(&self.draft(hashes));
        let magnet = metainfo::magnet(&torrent);
        let release = |(index, (file, source)): (usize, (&FileOrder, Source))| {
            let bytes = source.bytes();
            let name = file.path.last().unwrap_or(&self.order.name);
            let facts = media::facts(&file.source, name, bytes);
            let sha384 = sha384.get(index).copied();
            ReleasedFile { source: file.source.clone(), path: file.path.clone(), bytes, sha384, facts }
        };
        let files = self.files.into_iter().enumerate().map(release).collect();
        Ok(Release { torrent, magnet, files })
    }

    /// The hashes of the content, and the SHA-384 of each file where it is wanted.
    fn hash(&self, cache: &mut Cache, progress: &dyn Progress) -> Result<(Hashes, Vec<[u8; 48]>), Problem> {
        let (order, piece_length) = (self.order, self.info.piece_length);
        let (mut pieces, mut sha384) = (Vec::new(), Vec::new());
        if order.kind.has_v1() || order.integrity {
            let (sources, is_pad): (Vec<_>, Vec<_>) = with_pads(&self.info.layout, &self.files).unzip();
            let wanted = if order.integrity { Wanted::PiecesAndSha384 } else { Wanted::Pieces };
            let digests = match order.threads {
                None => cache.digests(&sources, piece_length, wanted, progress)?,
                threads => {
                    progress.expect(sources.iter().map(Source::bytes).sum());
                    hash::hash(&sources, piece_length, wanted, threads, progress)?
                }
            };
            pieces = digests.pieces;
            sha384 =
                digests.sha384.into_iter().zip(is_pad).filter(|(_, is_pad)| !is_pad).map(|(hash, _)| hash).collect();
        }
        let mut trees = Vec::new();
        if order.kind.has_v2() {
            for (file, source) in &self.files {
                trees.push(tree(&file.source, source, piece_length, progress)?);
            }
        }
        let hashes = match order.kind {
            Kind::V1 => Hashes::V1(pieces),
            Kind::V2 => Hashes::V2(trees),
            Kind::Hybrid => Hashes::Hybrid { pieces, trees },
        };
        Ok((hashes, if order.integrity { sha384 } else { Vec::new() }))
    }
}

/// What v1 pieces are cut from, and whether it is a pad.
fn with_pads(layout: &Layout, files: &[(&FileOrder, Source)]) -> impl Iterator<Item = (Source, bool)> {
    let pads: Vec<_> = match layout {
        Layout::Single(_) => vec![None],
        Layout::Multi(files) => files.iter().map(|file| file.is_pad.then_some(file.bytes)).collect(),
    };
    let mut files = files.iter();
    pads.into_iter().filter_map(move |pad| match pad {
        Some(bytes) => Some((Source::zeros(bytes), true)),
        None => files.next().map(|(_, source)| (source.clone(), false)),
    })
}

/// The Merkle tree of the file at `path`, which must be what `source` was; `None` for an empty one.
pub fn tree(
    path: &Path,
    source: &Source,
    piece_length: PieceLength,
    progress: &dyn Progress,
) -> Result<Option<Tree>, Problem> {
    let unreadable = |error: std::io::Error| Problem::at(path, format!("can't be read: {error}"));
    let mut file = File::open(path).map_err(unreadable)?;
    let mut block = vec![0; merkle::BLOCK_BYTES as usize];
    let (mut leaves, mut layer, mut left) = (Vec::new(), Vec::new(), source.bytes());
    progress.expect(left);
    while left > 0 {
        let bytes = usize::try_from(left).unwrap_or(block.len()).min(block.len());
        file.read_exact(&mut block[..bytes]).map_err(unreadable)?;
        leaves.push(merkle::leaf(&block[..bytes]));
        left -= bytes as u64;
        progress.advance(bytes as u64);
        if left > 0 && leaves.len() as u64 * u64::from(merkle::BLOCK_BYTES) == u64::from(piece_length.bytes()) {
            layer.push(merkle::piece(&leaves, piece_length));
            leaves.clear();
        }
    }
    if Source::open(path)? != *source {
        return Err(Problem::at(path, "changed while it was read").help("wait until it is written, and try again"));
    }
    if layer.is_empty() {
        return Ok(merkle::tree(&leaves, piece_length));
    }
    layer.push(merkle::piece(&leaves, piece_length));
    Ok(Some(merkle::tree_of_pieces(layer, piece_length)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn order(files: Vec<FileOrder>, single: bool) -> Order {
        Order {
            name: "ep1.mp3".into(),
            files,
            single,
            kind: Kind::V1,
            piece_length: None,
            private: false,
            source: None,
            trackers: vec![vec!["https://show.example.org/announce".into()]],
            web_seeds: vec![],
            creation_date: None,
            created_by: None,
            comment: None,
            integrity: false,
            threads: None,
        }
    }

    #[test]
    fn files_become_a_torrent_whose_pieces_are_theirs() {
        use sha1::{Digest, Sha1};
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str, bytes: &[u8]| {
            std::fs::write(dir.path().join(name), bytes).expect("written");
            FileOrder { source: dir.path().join(name), path: vec!["in".into(), name.into()] }
        };
        let files = vec![file("a", b"one"), file("b", b""), file("c", b"two")];
        let release = make(&order(files, false), &mut Cache::none(), &()).expect("made");
        let info = &release.torrent.metainfo.info;
        assert_eq!(info.pieces().expect("of v1"), [<[u8; 20]>::from(Sha1::digest(b"onetwo"))]);
        assert_eq!(info.files()[2], ("ep1.mp3/in/c".to_owned(), 3));
        assert!(release.magnet.contains(&release.torrent.info_hashes.main().to_string()));
        assert_eq!(release.files[0].facts.kind, media::Kind::Other);
    }

    #[test]
    fn files_of_a_tree_stand_in_its_order_and_pads_between_them_are_hashed() {
        use sha1::{Digest, Sha1};
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str, bytes: &[u8]| {
            std::fs::write(dir.path().join(name), bytes).expect("written");
            FileOrder { source: dir.path().join(name), path: vec![name.into()] }
        };
        let files = vec![file("b", &vec![7; 40_000]), file("a", b"one")];
        let order = Order {
            kind: Kind::Hybrid,
            piece_length: PieceLength::new(32768).ok(),
            integrity: true,
            ..order(files, false)
        };
        let plan = plan(&order).expect("planned");
        let bytes = plan.torrent_bytes();
        assert_eq!((plan.info().piece_count(), plan.info().total_bytes()), (3, 40_003));
        let release = plan.make(&mut Cache::none(), &()).expect("made");
        assert_eq!(release.torrent.bytes().len(), bytes);
        let first = [&b"one"[..], &vec![0; 32765]].concat();
        assert_eq!(release.torrent.metainfo.info.pieces().expect("of v1")[0], <[u8; 20]>::from(Sha1::digest(first)));
        assert_eq!(release.files.iter().map(|file| file.path.join("/")).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(release.files[1].sha384, Some(sha2::Sha384::digest(vec![7; 40_000]).into()));
        let order = Order { kind: Kind::V2, ..order };
        let v2 = make(&order, &mut Cache::none(), &()).expect("made");
        assert_eq!(v2.torrent.metainfo.info.trees(), release.torrent.metainfo.info.trees());
        assert_eq!(v2.files, release.files);
    }

    #[test]
    fn what_makes_no_torrent_is_refused_before_it_is_hashed() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("large");
        // A hole: nothing is stored, and nothing is read.
        std::fs::File::create(&path).and_then(|file| file.set_len(100 << 30)).expect("made");
        let mut order = order(vec![FileOrder { source: path, path: vec![] }], true);
        order.piece_length = PieceLength::new(16384).ok();
        let problem = make(&order, &mut Cache::none(), &()).expect_err("too many pieces");
        assert!(problem.to_string().contains("6553600 pieces"), "{problem}");
        order.piece_length = None;
        // 6,400 pieces of 16 MiB.
        for (kind, hash_bytes) in [(Kind::V1, 20), (Kind::V2, 32), (Kind::Hybrid, 52)] {
            let order = Order { kind, ..order.clone() };
            let bytes = plan(&order).expect("few enough").torrent_bytes();
            assert!((0..400).contains(&(bytes - 6400 * hash_bytes)), "{kind}: {bytes}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let file = FileOrder { source: "/nowhere/ep1.mp3".into(), path: vec![] };
        let problem = make(&order(vec![file], true), &mut Cache::none(), &()).expect_err("missing");
        assert!(problem.to_string().starts_with("/nowhere/ep1.mp3: can't be read"), "{problem}");
    }
}
