//! A folder of files and the torrent of them, for the tests of this module.

use std::fs;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};
use tempfile::TempDir;

use super::{Place, Torrent};
use crate::metainfo::{self, Draft, File, Hashes, Info, Layout, encode};
use crate::units::PieceLength;

/// The bytes in a piece of every torrent made here.
pub const PIECE: usize = 16384;

pub struct House {
    pub dir: TempDir,
    pub torrent: Torrent,
    /// The same as it is published.
    pub published: metainfo::Torrent,
    /// The content of all files, one behind the other.
    pub content: Vec<u8>,
}

impl House {
    /// A torrent of files with these names and sizes, whose bytes follow a pattern without short repeats.
    pub fn new(files: &[(&str, usize)]) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let content = noise(files.iter().map(|(_, bytes)| bytes).sum());
        let mut rest = &content[..];
        for (name, bytes) in files {
            let (own, behind) = rest.split_at(*bytes);
            fs::write(dir.path().join(name), own).expect("a file in it");
            rest = behind;
        }
        let layout =
            files.iter().map(|(name, bytes)| File { path: vec![(*name).into()], bytes: *bytes as u64, is_pad: false });
        let draft = Draft {
            info: Info {
                name: "set".into(),
                piece_length: PieceLength::new(PIECE as u64).expect("a power of two"),
                private: false,
                layout: Layout::Multi(layout.collect()),
                source: None,
                hashes: Hashes::V1(content.chunks(PIECE).map(|piece| Sha1::digest(piece).into()).collect()),
            },
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            creation_date: None,
            created_by: None,
            comment: None,
        };
        let made = encode(&draft);
        let places = files.iter().map(|(name, _)| Place {
            path: dir.path().join(name),
            name: format!("media/{name}"),
            is_elsewhere: false,
        });
        let places = places.collect();
        let torrent = Torrent::new(&made, places, Vec::new()).expect("a place for each file");
        Self { dir, torrent, published: made, content }
    }

    /// The same with padding behind each file, so that the next one begins with a piece (BEP 47).
    pub fn padded(files: &[(&str, usize)]) -> Self {
        let mut house = Self::new(files);
        let (mut layout, mut content) = (Vec::new(), Vec::new());
        for (name, bytes) in files {
            let own = fs::read(house.path(name)).expect("a file");
            content.extend(own);
            layout.push(File { path: vec![(*name).into()], bytes: *bytes as u64, is_pad: false });
            let pad = content.len().next_multiple_of(PIECE) - content.len();
            if pad > 0 {
                content.resize(content.len() + pad, 0);
                layout.push(File { path: vec![".pad".into(), pad.to_string()], bytes: pad as u64, is_pad: true });
            }
        }
        house.torrent.info.layout = Layout::Multi(layout);
        house.torrent.info.hashes = Hashes::V1(content.chunks(PIECE).map(|piece| Sha1::digest(piece).into()).collect());
        house.content = content;
        house
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Waits until the file system's clock has moved on, so that the next change can be told from the last.
    pub fn next_tick(&self) {
        let stamp = || {
            fs::write(self.path(".tick"), b"x").expect("a file");
            modified(&self.path(".tick"))
        };
        let first = stamp();
        while stamp() == first {}
    }
}

pub fn modified(path: &Path) -> std::time::SystemTime {
    fs::metadata(path).and_then(|metadata| metadata.modified()).expect("its time")
}

pub fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        // xorshift32, for bytes that a shifted copy does not match.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    std::iter::repeat_with(next).take(bytes).collect()
}
