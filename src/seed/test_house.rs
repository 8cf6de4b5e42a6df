//! A folder of files and the torrent of them, for the tests of this module.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};

use sha1::{Digest, Sha1};
use tempfile::TempDir;

use super::{Folders, Torrent};
use crate::metainfo::{self, Draft, File, Hashes, Info, Kind, Layout, encode, merkle};
use crate::units::PieceLength;

/// The bytes in a piece of every torrent made here.
pub const PIECE: usize = 16384;

/// As the tests of a [`House`] call the folder of its files.
const FOLDER: &str = "media";

pub struct House {
    pub dir: TempDir,
    pub torrent: Torrent,
    /// The same as it is published.
    pub published: metainfo::Torrent,
    /// The content of all files, one behind the other; padding too.
    pub content: Vec<u8>,
    /// The files with their sizes, without padding.
    pub files: Vec<(String, usize)>,
}

impl House {
    /// A torrent of v1 of files with these names and sizes, whose bytes follow a pattern without short repeats.
    pub fn new(files: &[(&str, usize)]) -> Self {
        Self::of(Kind::V1, files, |files| files)
    }

    /// The same with padding behind each file, so that the next one begins with a piece (BEP 47).
    pub fn padded(files: &[(&str, usize)]) -> Self {
        Self::of(Kind::V1, files, |files| pads(files, true))
    }

    /// The same of v1 and v2 both. A file alone has no padding.
    pub fn hybrid(files: &[(&str, usize)]) -> Self {
        Self::of(Kind::Hybrid, files, |files| pads(files, false))
    }

    /// The same of v2 alone. The files are to stand in the order of a tree.
    pub fn v2(files: &[(&str, usize)]) -> Self {
        Self::of(Kind::V2, files, |files| files)
    }

    /// The same with pieces of so many bytes.
    pub fn with_pieces(piece_bytes: usize, kind: Kind, files: &[(&str, usize)]) -> Self {
        Self::cut(piece_bytes, kind, files, |files| files)
    }

    fn of(kind: Kind, files: &[(&str, usize)], lay: impl FnOnce(Vec<File>) -> Vec<File>) -> Self {
        Self::cut(PIECE, kind, files, lay)
    }

    fn cut(piece_bytes: usize, kind: Kind, files: &[(&str, usize)], lay: impl FnOnce(Vec<File>) -> Vec<File>) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        fs::create_dir(dir.path().join(FOLDER)).expect("a folder in it");
        let own = noise(files.iter().map(|(_, bytes)| bytes).sum());
        let mut rest = &own[..];
        let mut trees = Vec::new();
        let piece_length = PieceLength::new(piece_bytes as u64).expect("a power of two");
        for (name, bytes) in files {
            let (own, behind) = rest.split_at(*bytes);
            fs::write(dir.path().join(FOLDER).join(name), own).expect("a file in it");
            let leaves: Vec<_> = own.chunks(16384).map(merkle::leaf).collect();
            trees.push(merkle::tree(&leaves, piece_length));
            rest = behind;
        }
        let file =
            |(name, bytes): &(&str, usize)| File { path: vec![(*name).into()], bytes: *bytes as u64, is_pad: false };
        let layout = lay(files.iter().map(file).collect());
        let mut rest = &own[..];
        let mut content = Vec::new();
        for file in &layout {
            let bytes = usize::try_from(file.bytes).expect("small");
            let (own, behind) = rest.split_at(if file.is_pad { 0 } else { bytes });
            content.extend_from_slice(own);
            content.resize(content.len() + bytes - own.len(), 0);
            rest = behind;
        }
        let pieces = content.chunks(piece_bytes).map(|piece| Sha1::digest(piece).into()).collect();
        let made = encode(&Draft {
            info: Info {
                name: "set".into(),
                piece_length,
                private: false,
                layout: Layout::Multi(layout),
                source: None,
                hashes: match kind {
                    Kind::V1 => Hashes::V1(pieces),
                    Kind::V2 => Hashes::V2(trees),
                    Kind::Hybrid => Hashes::Hybrid { pieces, trees },
                },
            },
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            creation_date: None,
            created_by: None,
            comment: None,
        });
        let files: Vec<_> = files.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect();
        let torrent = seeded(dir.path(), &made, files.iter().map(|(name, _)| (name.as_str(), false)), &[]);
        Self { dir, torrent, published: made, content, files }
    }

    /// The torrent where the files of these names are published elsewhere.
    pub fn with_elsewhere(&self, names: &[&str]) -> Torrent {
        self.placed(&self.published, |name| (name, names.contains(&name)), &[])
    }

    /// The torrent where the file of one name lies at another.
    pub fn with_moved(&self, from: &str, to: &str) -> Torrent {
        self.placed(&self.published, |name| (if name == from { to } else { name }, false), &[])
    }

    /// The torrent with trackers of others.
    pub fn with_trackers(&self, trackers: &[&str]) -> Torrent {
        self.placed(&self.published, |name| (name, false), trackers)
    }

    /// The torrent as it is where its `.torrent` says something else.
    pub fn with_info(&self, change: impl FnOnce(&mut Info)) -> Torrent {
        let mut changed = self.published.clone();
        change(&mut changed.metainfo.info);
        self.placed(&changed, |name| (name, false), &[])
    }

    /// The same with its files below another root.
    pub fn with_root(&self, root: &Path, change: impl FnOnce(&mut Info)) -> Torrent {
        let mut changed = self.published.clone();
        change(&mut changed.metainfo.info);
        seeded(root, &changed, self.files.iter().map(|(name, _)| (name.as_str(), false)), &[])
    }

    fn placed<'a>(
        &'a self,
        torrent: &metainfo::Torrent,
        place: impl Fn(&'a str) -> (&'a str, bool),
        trackers: &[&str],
    ) -> Torrent {
        let places = self.files.iter().map(|(name, _)| place(name));
        seeded(self.dir.path(), torrent, places, trackers)
    }

    /// The bytes of a piece.
    pub fn piece(&self, piece: u32) -> Vec<u8> {
        let content = &self.torrent.0;
        let (start, bytes) = content.piece(piece);
        let mut out = vec![0; bytes as usize];
        let index = |n: u64| usize::try_from(n).expect("small");
        for span in content.spans(start, bytes.into()) {
            let file = &self.originals()[span.slot];
            out[index(span.at)..][..index(span.bytes)]
                .copy_from_slice(&file[index(span.offset)..][..index(span.bytes)]);
        }
        out
    }

    /// The files that hold a byte, as they were.
    fn originals(&self) -> Vec<Vec<u8>> {
        let own = noise(self.files.iter().map(|(_, bytes)| bytes).sum());
        let mut rest = &own[..];
        let files = self.files.iter().map(|(_, bytes)| {
            let (own, behind) = rest.split_at(*bytes);
            rest = behind;
            own.to_vec()
        });
        files.filter(|file| !file.is_empty()).collect()
    }

    /// Writes all files anew, as they were.
    pub fn restore(&self) {
        let names = self.files.iter().filter(|(_, bytes)| *bytes > 0).map(|(name, _)| self.path(name));
        for (path, bytes) in names.zip(self.originals()) {
            match fs::symlink_metadata(&path) {
                Ok(other) if other.is_dir() => fs::remove_dir(&path).expect("an empty folder"),
                Ok(other) if !other.is_file() => fs::remove_file(&path).expect("removed"),
                _ => {}
            }
            fs::write(path, bytes).expect("room");
        }
    }

    /// What stands before its disk.
    pub fn obstacle(&self) -> &Obstacle {
        &self.torrent.0.slots[0].place.folder().obstacle
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(FOLDER).join(name)
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

/// What stands between a test and the disk below a folder.
#[derive(Debug, Default)]
pub struct Obstacle {
    /// What becomes of who comes, and how many wait.
    way: Mutex<(Way, usize)>,
    changed: Condvar,
    device: AtomicU64,
}

/// What becomes of who goes to the disk.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    #[default]
    Free,
    /// Whoever reads waits until the way is another one.
    ReadsHang,
    /// So does whoever looks.
    LooksHang,
    /// The next one that looks passes, and then it is [`Way::LooksHang`].
    OneLooks,
    /// Reads fail with this error of the system.
    ReadsFail(i32),
}

impl Obstacle {
    /// Sets what becomes of those who come, and of those who wait.
    pub fn set(&self, way: Way) {
        self.way.lock().expect("nobody panics").0 = way;
        self.changed.notify_all();
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.way.lock().expect("nobody panics").1
    }

    /// Lets the folder be on a disk of its own.
    pub fn set_device(&self, device: u64) {
        self.device.store(device, Ordering::Relaxed);
    }

    pub fn device(&self) -> Option<u64> {
        Some(self.device.load(Ordering::Relaxed)).filter(|&device| device != 0)
    }

    /// Nothing where something stands in the way, which the system's cache would hide.
    pub fn is_free(&self) -> Option<()> {
        (self.way.lock().expect("nobody panics").0 == Way::Free).then_some(())
    }

    pub fn on_look(&self) {
        if self.wait_while(|way| way == Way::LooksHang) == Way::OneLooks {
            self.way.lock().expect("nobody panics").0 = Way::LooksHang;
        }
    }

    pub fn on_read(&self) -> io::Result<()> {
        match self.wait_while(|way| matches!(way, Way::ReadsHang | Way::LooksHang | Way::OneLooks)) {
            Way::ReadsFail(code) => Err(io::Error::from_raw_os_error(code)),
            _ => Ok(()),
        }
    }

    fn wait_while(&self, hangs: impl Fn(Way) -> bool) -> Way {
        let mut state = self.way.lock().expect("nobody panics");
        state.1 += 1;
        let mut state = self.changed.wait_while(state, |(way, _)| hangs(*way)).expect("nobody panics");
        state.1 -= 1;
        state.0
    }
}

fn seeded<'a>(
    root: &Path,
    torrent: &metainfo::Torrent,
    files: impl Iterator<Item = (&'a str, bool)>,
    trackers: &[&str],
) -> Torrent {
    let mut folders = Folders::below(root);
    let places = files.map(|(name, is_elsewhere)| folders.place(&format!("{FOLDER}/{name}"), is_elsewhere)).collect();
    let tier: Vec<String> = trackers.iter().map(|&url| url.to_owned()).collect();
    Torrent::new(torrent, places, &[tier]).expect("a place for each file")
}

/// Padding behind each file that does not end with a piece; behind an only one if `alone`.
fn pads(files: Vec<File>, alone: bool) -> Vec<File> {
    if files.len() < 2 && !alone {
        return files;
    }
    let mut padded = Vec::new();
    for file in files {
        let bytes = usize::try_from(file.bytes).expect("small");
        let pad = bytes.next_multiple_of(PIECE) - bytes;
        padded.push(file);
        if pad > 0 {
            padded.push(File { path: vec![".pad".into(), pad.to_string()], bytes: pad as u64, is_pad: true });
        }
    }
    padded
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
