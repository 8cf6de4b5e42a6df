//! The waist of publishing: media files in, a torrent with its links and the facts about its media out.
//!
//! It knows neither pages nor feeds, so that whoever has media files, a content folder or a foreign feed, comes by here.
//!
//! An [`Order`] says what is wanted; [`make`] reads its files, once, and gives the [`Release`]. A [`Cache`] remembers
//! what was read:
//!
//! ```
//! use everseed::metainfo::{self, Kind};
//! use everseed::release::{self, Cache, Order, Origin};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let (path, hashes) = (folder.path().join("ep001.mp3"), folder.path().join("hashes"));
//! # std::fs::write(&path, [7; 40_000])?;
//! let order = Order {
//!     kind: Kind::Hybrid,
//!     trackers: vec![vec!["https://show.example.org/announce".into()]],
//!     integrity: true,
//!     ..Order::of_file("ep001.mp3", Origin::File(path))
//! };
//! let mut cache = Cache::load(&hashes);
//! let release = release::make(&order, &mut cache, &())?;
//! assert_eq!(metainfo::parse(release.torrent.bytes().to_vec())?, release.torrent);
//! assert_eq!(release.files[0].bytes, 40_000);
//! assert!(release.files[0].sha384.is_some());
//! cache.save()?;
//!
//! let mut cache = Cache::load(&hashes);
//! assert_eq!(release::make(&order, &mut cache, &())?, release);
//! assert_eq!(cache.bytes_hashed(), 0);
//! # Ok(())
//! # }
//! ```

mod cache;
mod ledger;
mod locked;
mod plan;
mod survey;

pub use cache::Cache;
pub use ledger::{Ledger, Tally};
pub use locked::{change, held_against, locked, record};
pub use plan::{Plan, plan};
pub use survey::{Downloads, Fault, Task, survey};

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::baseurl::BaseUrl;
use crate::hash::Progress;
use crate::media::Facts;
use crate::metainfo::{self, Draft, Hashes, Info, Kind, Layout, Torrent};
use crate::problem::Problem;
use crate::sitepath::encode_segment;
use crate::units::PieceLength;

/// What is said of a remote medium whose server sends files from their start only.
const WITHOUT_RANGES: &str = "its server does not answer ranges of bytes: podcast apps can't seek in it, and torrent \
    clients can't use it as a web seed";
/// What is to be said of a v2 torrent of several files: libtorrent 2.1.1 stops at the padding between them.
const V2_OF_SEVERAL: &str = "clients do not complete a v2 torrent of several files from a web seed alone, and need a peer that has it; kind `hybrid` is \
     complete for all";
/// What is to be said of a v2 torrent whose only file stands at a URL that does not end in its name.
const V2_ELSEWHERE: &str = "clients look for the only file of a v2 torrent below its web seed by the torrent's name, which the URL does not end in; kind \
     `hybrid` is complete for all";

/// What is to be released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The torrent's `name`: of the file, or of the folder that holds the files.
    pub name: String,
    /// The files in the order in which they stand in the torrent.
    pub files: Vec<FileOrder>,
    /// Whether the one file stands alone, without a folder around it.
    pub single: bool,
    /// For which versions of the protocol.
    pub kind: Kind,
    /// The piece length; `None`: the automatic one ([`PieceLength::automatic`]).
    pub piece_length: Option<PieceLength>,
    /// The piece length that content of so many bytes is published with: it stays, whatever the automatic one is now.
    pub published: Option<(u64, PieceLength)>,
    /// Whether peers come from the trackers alone (BEP 27).
    pub private: bool,
    /// `source` of the torrent ([`Info::source`]).
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
    /// Whether the SHA-384 of each file is wanted. One file's can't be computed on several cores, so it takes longer
    /// than the pieces.
    pub integrity: bool,
    /// How many threads hash the pieces; `None`: one for each core.
    pub threads: Option<NonZeroUsize>,
}

impl Order {
    /// The order of a single file, called `name`: a v1 torrent with the automatic piece length and nothing else in it.
    pub fn of_file(name: impl Into<String>, origin: Origin) -> Self {
        Self {
            name: name.into(),
            files: vec![FileOrder { origin, path: Vec::new() }],
            single: true,
            kind: Kind::V1,
            piece_length: None,
            published: None,
            private: false,
            source: None,
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            creation_date: None,
            created_by: None,
            comment: None,
            integrity: false,
            threads: None,
        }
    }
}

/// A file of an [`Order`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOrder {
    /// Where it is to be had.
    pub origin: Origin,
    /// The names of its path in the torrent, outermost first; empty for a single file.
    pub path: Vec<String>,
}

/// Where a file is to be had.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// On disk.
    File(PathBuf),
    /// At a URL, http or https.
    Url(String),
}

impl Origin {
    /// Its path, where it is on disk.
    pub fn path(&self) -> Option<&PathBuf> {
        if let Self::File(path) = self { Some(path) } else { None }
    }

    /// Its URL, where it has one.
    pub fn url(&self) -> Option<&str> {
        if let Self::Url(url) = self { Some(url) } else { None }
    }
}

/// What is known of the content of an order, however it became known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Bytes in each piece.
    pub piece_length: PieceLength,
    /// What it is checked by.
    pub hashes: Hashes,
    /// The files, in the order's order.
    pub files: Vec<Known>,
    /// What the server of a remote one said.
    pub remote: Option<Remote>,
    /// What the author should look at, without the page that names it.
    pub warnings: Vec<String>,
}

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its size in bytes.
    pub bytes: u64,
    /// The SHA-384 of its content, where the order wants it.
    pub sha384: Option<[u8; 48]>,
    /// What it is.
    pub facts: Facts,
}

/// What the server of a remote medium said of it.
pub use crate::lock::Remote;

/// What was released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The torrent.
    pub torrent: Torrent,
    /// Its magnet link.
    pub magnet: String,
    /// Its files, in the torrent's order.
    pub files: Vec<ReleasedFile>,
    /// What the server of a remote one said.
    pub remote: Option<Remote>,
    /// What the author should look at, without the page that names it.
    pub warnings: Vec<String>,
}

/// A file of a [`Release`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleasedFile {
    /// Where it is to be had.
    pub origin: Origin,
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
    let tasks = [Task { order, known: None }];
    let contents = survey(&tasks, cache, &Downloads::default(), progress);
    let mut contents = contents.map_err(|mut faults| faults.remove(0).problem)?;
    Ok(assemble(order, contents.remove(0)))
}

/// Makes the torrent of `order`, whose `content` is known.
pub fn assemble(order: &Order, content: Content) -> Release {
    let files: Vec<_> = (order.files.iter().zip(content.files))
        .map(|(file, Known { bytes, sha384, facts })| ReleasedFile {
            origin: file.origin.clone(),
            path: file.path.clone(),
            bytes,
            sha384,
            facts,
        })
        .collect();
    let sizes: Vec<_> = files.iter().map(|file| file.bytes).collect();
    let info = Info {
        name: order.name.clone(),
        piece_length: content.piece_length,
        private: order.private,
        source: order.source.clone(),
        layout: layout(order, content.piece_length, &sizes),
        hashes: content.hashes,
    };
    let torrent = metainfo::encode(&draft(order, info, content.remote.as_ref()));
    let magnet = metainfo::magnet(&torrent);
    let mut warnings = content.warnings;
    if content.remote.as_ref().is_some_and(|remote| !remote.ranges) {
        warnings.push(WITHOUT_RANGES.to_owned());
    }
    if order.kind == Kind::V2 && !order.web_seeds.is_empty() {
        if files.len() > 1 {
            warnings.push(V2_OF_SEVERAL.to_owned());
        } else if !torrent.metainfo.web_seeds.iter().any(|url| url.ends_with('/')) {
            warnings.push(V2_ELSEWHERE.to_owned());
        }
    }
    Release { torrent, magnet, files, remote: content.remote, warnings }
}

/// Announce URLs in tiers (BEP 12) for a site at `base_url`: its own tracker, which is `announce` below it if it is not
/// `own`; the same over UDP; then each further one.
pub fn announce_tiers(base_url: &BaseUrl, own: Option<&str>, udp: &[String], further: &[String]) -> Vec<Vec<String>> {
    let mut tiers = vec![vec![own.map_or_else(|| base_url.join("announce"), str::to_owned)]];
    if !udp.is_empty() {
        tiers.push(udp.to_vec());
    }
    tiers.extend(further.iter().map(|url| vec![url.clone()]));
    tiers
}

/// All that the torrent of `order` says, with `info` in it.
fn draft(order: &Order, info: Info, remote: Option<&Remote>) -> Draft {
    let direct = remote.and_then(|remote| remote.direct_url.as_ref());
    let web_seed = |url: &String| match (direct, order.files.first()) {
        // Torrent clients do not follow redirects as they should.
        (Some(direct), Some(file)) if file.origin.url() == Some(url) => direct.clone(),
        _ => url.clone(),
    };
    // To a v2 torrent clients count the padding of its only file, and so ask for the name below the URL (BEP 19).
    let ending = format!("/{}", encode_segment(&order.name));
    let web_seed = |url: &String| {
        let url = web_seed(url);
        match url.strip_suffix(&ending) {
            Some(folder) if order.kind == Kind::V2 && order.single => format!("{folder}/"),
            _ => url,
        }
    };
    Draft {
        info,
        trackers: order.trackers.clone(),
        web_seeds: order.web_seeds.iter().map(web_seed).collect(),
        creation_date: order.creation_date,
        created_by: order.created_by.clone(),
        comment: order.comment.clone(),
    }
}

/// The files of `order`, which have these `sizes`, as they stand in its torrent.
fn layout(order: &Order, piece_length: PieceLength, sizes: &[u64]) -> Layout {
    match (&order.files[..], sizes) {
        ([_], [bytes]) if order.single => Layout::Single(*bytes),
        // A v2 tree that holds one file of the torrent's own name is that file.
        ([file], [bytes]) if order.kind == Kind::V2 && file.path == [&order.name[..]] => Layout::Single(*bytes),
        (files, sizes) => {
            let file = |(file, bytes): (&FileOrder, &u64)| metainfo::File {
                path: file.path.clone(),
                bytes: *bytes,
                is_pad: false,
            };
            let files = files.iter().zip(sizes).map(file).collect();
            Layout::Multi(if order.kind == Kind::Hybrid { metainfo::padded(files, piece_length) } else { files })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(files: Vec<FileOrder>, single: bool) -> Order {
        let trackers = vec![vec!["https://show.example.org/announce".into()]];
        Order { files, single, trackers, ..Order::of_file("ep1.mp3", Origin::File("ep1.mp3".into())) }
    }

    #[test]
    fn files_become_a_torrent_whose_pieces_are_theirs() {
        use sha1::{Digest, Sha1};
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str, bytes: &[u8]| {
            std::fs::write(dir.path().join(name), bytes).expect("written");
            FileOrder { origin: Origin::File(dir.path().join(name)), path: vec!["in".into(), name.into()] }
        };
        let files = vec![file("a", b"one"), file("b", b""), file("c", b"two")];
        let release = make(&order(files, false), &mut Cache::none(), &()).expect("made");
        let info = &release.torrent.metainfo.info;
        assert_eq!(info.pieces().expect("of v1"), [<[u8; 20]>::from(Sha1::digest(b"onetwo"))]);
        assert_eq!(info.files()[2], ("ep1.mp3/in/c".to_owned(), 3));
        assert!(release.magnet.contains(&release.torrent.info_hashes.main().to_string()));
        assert_eq!(release.files[0].facts.kind, crate::media::Kind::Other);
    }

    #[test]
    fn pads_between_the_files_of_a_hybrid_torrent_are_hashed() {
        use sha1::{Digest, Sha1};
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str, bytes: &[u8]| {
            std::fs::write(dir.path().join(name), bytes).expect("written");
            FileOrder { origin: Origin::File(dir.path().join(name)), path: vec![name.into()] }
        };
        let files = vec![file("a", b"one"), file("b", &vec![7; 40_000])];
        let order = Order {
            kind: Kind::Hybrid,
            piece_length: PieceLength::new(32768).ok(),
            integrity: true,
            ..order(files, false)
        };
        let plan = plan(&order).expect("planned");
        let bytes = plan.torrent_bytes();
        assert_eq!((plan.info().piece_count(), plan.info().total_bytes()), (3, 40_003));
        let release = make(&order, &mut Cache::none(), &()).expect("made");
        assert_eq!(release.torrent.bytes().len(), bytes);
        let first = [&b"one"[..], &vec![0; 32765]].concat();
        assert_eq!(release.torrent.metainfo.info.pieces().expect("of v1")[0], <[u8; 20]>::from(Sha1::digest(first)));
        assert_eq!(release.files[1].sha384, Some(sha2::Sha384::digest(vec![7; 40_000]).into()));
        let order = Order { kind: Kind::V2, ..order };
        let v2 = make(&order, &mut Cache::none(), &()).expect("made");
        assert_eq!(v2.torrent.metainfo.info.trees(), release.torrent.metainfo.info.trees());
        assert_eq!(v2.files, release.files);
    }

    #[test]
    fn a_file_alone_in_its_folder_has_no_pad() {
        use sha1::{Digest, Sha1};
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("a");
        std::fs::write(&path, b"one").expect("written");
        let file = FileOrder { origin: Origin::File(path), path: vec!["a".into()] };
        let order = Order { kind: Kind::Hybrid, ..order(vec![file], false) };
        let info = make(&order, &mut Cache::none(), &()).expect("made").torrent.metainfo.info;
        assert_eq!(info.pieces().expect("of v1"), [<[u8; 20]>::from(Sha1::digest(b"one"))]);
        assert_eq!(info.stream_bytes(), 3);
    }

    #[test]
    fn what_makes_no_torrent_is_refused_before_it_is_hashed() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("large");
        // A hole: nothing is stored, and nothing is read.
        std::fs::File::create(&path).and_then(|file| file.set_len(100 << 30)).expect("made");
        let mut order = order(vec![FileOrder { origin: Origin::File(path), path: vec![] }], true);
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
        let file = FileOrder { origin: Origin::File("/nowhere/ep1.mp3".into()), path: vec![] };
        let problem = make(&order(vec![file], true), &mut Cache::none(), &()).expect_err("missing");
        assert!(problem.to_string().starts_with("/nowhere/ep1.mp3: can't be read"), "{problem}");
    }
}
