//! The waist of publishing: media files in, a torrent with its links and the facts about its media out.
//!
//! It knows neither pages nor feeds, so that whoever has media files, a content folder or a foreign feed, comes by here.

use std::path::PathBuf;

use crate::hash::{Cache, Progress, Source, Wanted};
use crate::media::{self, Facts};
use crate::metainfo::{self, Draft, Info, Layout, TORRENT_BYTES_MAX, Torrent};
use crate::problem::Problem;
use crate::units::PieceLength;

/// What is to be released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The torrent's `name`: of the file, or of the folder that holds the files.
    pub name: String,
    /// The files in the order in which they stand in the torrent.
    pub files: Vec<FileOrder>,
    /// Whether the one file stands alone, without a folder around it.
    pub single: bool,
    /// The piece length; `None`: the automatic one ([`PieceLength::automatic`]).
    pub piece_length: Option<PieceLength>,
    /// Whether peers come from the trackers alone (BEP 27).
    pub private: bool,
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
    let mut sources = order.files.iter().map(|file| Source::open(&file.source)).collect::<Result<Vec<_>, _>>()?;
    let total = sources.iter().map(Source::bytes).sum();
    let piece_length = order.piece_length.unwrap_or_else(|| PieceLength::automatic(total));
    fits(order, piece_length.count(total))?;
    let wanted = Wanted { v1: true, v2: false, sha384: order.integrity };
    let digests = cache.digests(&mut sources, piece_length, wanted, progress)?;
    let files: Vec<_> = order
        .files
        .iter()
        .zip(&sources)
        .enumerate()
        .map(|(index, (file, source))| {
            let sha384 = if order.integrity { digests.sha384.get(index).copied() } else { None };
            let bytes = source.bytes();
            let name = file.path.last().unwrap_or(&order.name);
            let facts = media::facts(&file.source, name, bytes);
            ReleasedFile { source: file.source.clone(), path: file.path.clone(), bytes, sha384, facts }
        })
        .collect();
    let layout = if order.single {
        Layout::Single(total)
    } else {
        let file = |file: &ReleasedFile| metainfo::File { path: file.path.clone(), bytes: file.bytes };
        Layout::Multi(files.iter().map(file).collect())
    };
    let info = Info { name: order.name.clone(), piece_length, private: order.private, layout, pieces: digests.pieces };
    let torrent = metainfo::encode(&Draft {
        info,
        trackers: order.trackers.clone(),
        web_seeds: order.web_seeds.clone(),
        creation_date: order.creation_date,
        created_by: order.created_by.clone(),
        comment: order.comment.clone(),
    });
    let magnet = metainfo::magnet(&torrent);
    Ok(Release { torrent, magnet, files })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn order(files: Vec<FileOrder>, single: bool) -> Order {
        Order {
            name: "ep1.mp3".into(),
            files,
            single,
            piece_length: None,
            private: false,
            trackers: vec![vec!["https://show.example.org/announce".into()]],
            web_seeds: vec![],
            creation_date: None,
            created_by: None,
            comment: None,
            integrity: false,
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
        assert_eq!(info.pieces, [<[u8; 20]>::from(Sha1::digest(b"onetwo"))]);
        assert_eq!(info.files()[2], ("ep1.mp3/in/c".to_owned(), 3));
        assert!(release.magnet.contains(&release.torrent.info_hash.to_string()));
        assert_eq!(release.files[0].facts.kind, media::Kind::Other);
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
    }

    #[test]
    fn a_missing_file_is_named() {
        let file = FileOrder { source: "/nowhere/ep1.mp3".into(), path: vec![] };
        let problem = make(&order(vec![file], true), &mut Cache::none(), &()).expect_err("missing");
        assert!(problem.to_string().starts_with("/nowhere/ep1.mp3: can't be read"), "{problem}");
    }
}
