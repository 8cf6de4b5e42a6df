//! Torrents of files in a temporary folder.

use std::fs;
use std::path::{Path, PathBuf};

use time::macros::datetime;

use super::record::{self, Record};
use super::{Candidate, Kept, kept};
use crate::hash::{self, Source, Wanted};
use crate::manifest;
use crate::metainfo::{self, Draft, File, Hashes, Info, Kind, Layout, Torrent, padded};
use crate::sitepath::SitePath;
use crate::units::PieceLength;

/// Writes `files`, their paths and contents in the torrent's order, below `folder`, and makes the torrent `name` of them.
pub fn torrent(folder: &Path, name: &str, kind: Kind, files: &[(&str, &str)]) -> (Torrent, Vec<PathBuf>) {
    let piece_length = PieceLength::new(16384).expect("a power of two");
    let paths: Vec<PathBuf> = files.iter().map(|(path, _)| folder.join(path)).collect();
    for (path, (_, content)) in paths.iter().zip(files) {
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, content).expect("written");
    }
    let part = |(path, content): &(&str, &str)| File {
        path: path.split('/').map(str::to_owned).collect(),
        bytes: content.len() as u64,
        is_pad: false,
    };
    let parts: Vec<File> = files.iter().map(part).collect();
    let (name, layout) = match files {
        [(name, content)] => (*name, Layout::Single(content.len() as u64)),
        _ if kind == Kind::Hybrid => (name, Layout::Multi(padded(parts, piece_length))),
        _ => (name, Layout::Multi(parts)),
    };
    let mut left = paths.iter().map(|path| Source::open(path).expect("a file"));
    let mut sources: Vec<Source> = match &layout {
        Layout::Single(_) => left.collect(),
        Layout::Multi(parts) => (parts.iter())
            .map(|part| if part.is_pad { Source::zeros(part.bytes) } else { left.next().expect("one for each") })
            .collect(),
    };
    let wanted = Wanted { v1: kind.has_v1(), v2: kind.has_v2(), sha384: false };
    let digests = hash::hash(hash::Order::new(&mut sources, piece_length, wanted, &())).expect("hashed");
    let of_files = sources.iter().map(|source| !source.is_zeros());
    let trees = digests.trees.into_iter().zip(of_files).filter(|(_, is_file)| *is_file).map(|(tree, _)| tree).collect();
    let hashes = match kind {
        Kind::V1 => Hashes::V1(digests.pieces),
        Kind::V2 => Hashes::V2(trees),
        Kind::Hybrid => Hashes::Hybrid { pieces: digests.pieces, trees },
    };
    let info = Info { name: name.into(), piece_length, private: false, source: None, layout, hashes };
    let torrent = metainfo::encode(&Draft {
        info,
        trackers: vec![vec!["https://show.example.org/announce".into()]],
        web_seeds: vec!["https://show.example.org/media/".into()],
        creation_date: Some(1_777_593_600),
        created_by: Some("everseed 0.0.9".into()),
        comment: Some("https://show.example.org/episodes/ep1/".into()),
    });
    (torrent, paths)
}

/// A torrent that is published in `site`, as whoever replaces it gives it away. Its files stand in a folder of its name.
pub fn published(site: &Path, name: &str, files: &[(&str, &str)]) -> Candidate {
    let folder = site.join("media").join(name);
    let (torrent, paths) = torrent(&folder, name, Kind::V1, files);
    let at = site.join(format!("{name}.torrent"));
    fs::write(&at, torrent.bytes()).expect("written");
    let place = |path: &str| SitePath::new(path).expect("below the root");
    let file = |(path, content): &(&str, &str)| manifest::File {
        path: place(&format!("media/{name}/{path}")),
        bytes: content.len() as u64,
        url: None,
    };
    let entry = manifest::Entry {
        info_hashes: torrent.info_hashes,
        name: torrent.metainfo.info.name.clone(),
        title: name.to_uppercase(),
        torrent: place(&format!("{name}.torrent")),
        magnet: metainfo::magnet(&torrent),
        bytes: torrent.metainfo.info.total_bytes(),
        files: files.iter().map(file).collect(),
        page: Some(format!("https://show.example.org/{name}/")),
        published: Some("2026-05-01".into()),
        retired: None,
    };
    Candidate { entry, torrents: vec![at], places: vec![paths], help: "do not write over it" }
}

/// Every file below `folder`.
pub fn listing(folder: &Path) -> Vec<String> {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().flatten();
    let files = walk.filter(|entry| !entry.file_type().is_dir());
    files.map(|entry| entry.path().strip_prefix(folder).expect("below").display().to_string()).collect()
}

/// A torrent as it is kept in a folder that is not there.
pub fn kept(torrent: Torrent) -> Kept {
    let folder = PathBuf::from("/nowhere");
    let files = kept::files_of(&torrent, &folder).expect("plain names");
    let file = |(path, bytes)| record::File { path, bytes, mtime_ns: 0 };
    let record = Record {
        retired: datetime!(2026-06-01 12:00 UTC),
        title: "One".into(),
        page: Some("https://show.example.org/episodes/ep1/".into()),
        published: None,
        files: torrent.metainfo.info.files().into_iter().map(file).collect(),
    };
    Kept { torrent, record, files, folder }
}
