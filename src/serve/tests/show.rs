//! A built site in a temporary folder, as any tool could have written it.

use std::fs;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};
use tempfile::TempDir;

use crate::id::{InfoHash, InfoHashes};
use crate::manifest::{Entry, File, Manifest};
use crate::metainfo::{self, Draft, Hashes, Info, Kind, Layout, merkle};
use crate::sitepath::SitePath;
use crate::units::PieceLength;

pub struct Show {
    dir: TempDir,
    pub manifest: Manifest,
}

impl Show {
    /// A site without a torrent, published at `base_url`.
    pub fn at(base_url: &str) -> Self {
        let show = Self {
            dir: tempfile::tempdir().expect("a temporary folder"),
            manifest: Manifest {
                generator: "a test".into(),
                title: "A show".into(),
                base_url: base_url.into(),
                torrents: Vec::new(),
            },
        };
        show.write("index.html", b"<p>home");
        show.publish();
        show
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("public")
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.root().join(below)
    }

    pub fn write(&self, below: &str, bytes: &[u8]) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("below a folder")).expect("a folder");
        fs::write(path, bytes).expect("written");
    }

    /// Adds a release of one file with its torrent; it stands in the manifest after [`Show::publish`].
    pub fn release(&mut self, name: &str, content: &[u8]) -> InfoHash {
        let announce = format!("{}announce", self.manifest.base_url);
        self.release_with(name, content, vec![vec![announce]])
    }

    pub fn release_with(&mut self, name: &str, content: &[u8], trackers: Vec<Vec<String>>) -> InfoHash {
        let piece_length = PieceLength::new(16384).expect("a power of two");
        let pieces = content.chunks(16384).map(|piece| Sha1::digest(piece).into()).collect();
        let layout = Layout::Single(content.len() as u64);
        let info =
            Info { name: name.into(), piece_length, private: false, source: None, layout, hashes: Hashes::V1(pieces) };
        let torrent = metainfo::encode(&Draft {
            info,
            trackers,
            web_seeds: Vec::new(),
            creation_date: None,
            created_by: None,
            comment: None,
        });
        let path = |text: String| SitePath::new(text).expect("below the root");
        let entry = Entry {
            info_hashes: torrent.info_hashes,
            name: name.into(),
            title: format!("Title of {name}"),
            torrent: path(format!("torrents/{name}.torrent")),
            magnet: metainfo::magnet(&torrent),
            bytes: content.len() as u64,
            files: vec![File { path: path(format!("media/{name}")), bytes: content.len() as u64, url: None }],
            page: Some(format!("{}episodes/{name}/", self.manifest.base_url)),
            published: None,
            retired: None,
        };
        self.write(&format!("torrents/{name}.torrent"), torrent.bytes());
        self.write(&format!("media/{name}"), content);
        self.manifest.torrents.push(entry);
        torrent.info_hashes.main()
    }

    /// Adds a release of several files, in the order of a tree, below `media/NAME/`.
    pub fn release_files(&mut self, name: &str, kind: Kind, files: &[(&str, &[u8])]) -> InfoHashes {
        let piece_length = PieceLength::new(16384).expect("a power of two");
        let file = |(path, bytes): &(&str, &[u8])| metainfo::File {
            path: path.split('/').map(str::to_owned).collect(),
            bytes: bytes.len() as u64,
            is_pad: false,
        };
        let own: Vec<_> = files.iter().map(file).collect();
        let layout = if kind == Kind::Hybrid { metainfo::padded(own, piece_length) } else { own };
        let mut rest = files.iter();
        let stream = layout.iter().flat_map(|file| {
            if file.is_pad {
                vec![0; usize::try_from(file.bytes).expect("less than a piece")]
            } else {
                rest.next().expect("as many files").1.to_vec()
            }
        });
        let stream: Vec<u8> = stream.collect();
        let pieces = stream.chunks(16384).map(|piece| Sha1::digest(piece).into()).collect();
        let tree = |(_, bytes): &(&str, &[u8])| {
            let leaves: Vec<_> = bytes.chunks(16384).map(merkle::leaf).collect();
            merkle::tree(&leaves, piece_length)
        };
        let trees = files.iter().map(tree).collect();
        let hashes = match kind {
            Kind::V1 => Hashes::V1(pieces),
            Kind::V2 => Hashes::V2(trees),
            Kind::Hybrid => Hashes::Hybrid { pieces, trees },
        };
        let layout = Layout::Multi(layout);
        let torrent = metainfo::encode(&Draft {
            info: Info { name: name.into(), piece_length, private: false, source: None, layout, hashes },
            trackers: vec![vec![format!("{}announce", self.manifest.base_url)]],
            web_seeds: Vec::new(),
            creation_date: None,
            created_by: None,
            comment: None,
        });
        let path = |text: String| SitePath::new(text).expect("below the root");
        let published = |(below, bytes): &(&str, &[u8])| {
            self.write(&format!("media/{name}/{below}"), bytes);
            File { path: path(format!("media/{name}/{below}")), bytes: bytes.len() as u64, url: None }
        };
        let entry = Entry {
            info_hashes: torrent.info_hashes,
            name: name.into(),
            title: format!("Title of {name}"),
            torrent: path(format!("torrents/{name}.torrent")),
            magnet: metainfo::magnet(&torrent),
            bytes: torrent.metainfo.info.total_bytes(),
            files: files.iter().map(published).collect(),
            page: None,
            published: None,
            retired: None,
        };
        self.write(&format!("torrents/{name}.torrent"), torrent.bytes());
        self.manifest.torrents.push(entry);
        torrent.info_hashes
    }

    /// Writes the manifest, in the place of the former one and at once.
    pub fn publish(&self) {
        self.write("everseed.json.new", self.manifest.to_json().as_bytes());
        fs::rename(self.path("everseed.json.new"), self.path("everseed.json")).expect("renamed");
    }

    /// `text` with the folder written as `SITE`.
    pub fn anonymous(&self, text: &str) -> String {
        text.replace(&self.root().display().to_string(), "SITE").replace(&self.dir.path().display().to_string(), "DIR")
    }
}

/// `len` bytes that differ from piece to piece.
pub fn noise(len: usize) -> Vec<u8> {
    (0..len as u64).map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).to_le_bytes()[0]).collect()
}

/// A symbolic link at `link` to `to`.
pub fn link(to: impl AsRef<Path>, link: impl AsRef<Path>) {
    std::os::unix::fs::symlink(to, link).expect("a link");
}
