//! A torrent to be seeded: how its bytes are cut into pieces, and where they stand in files. Nothing here changes.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::announce::Announcer;
use super::meta::Meta;
use crate::id::{InfoHash, InfoHashes};
use crate::metainfo::{self, Info, Kind, Layout};
use crate::problem::Problem;
use crate::units::PieceLength;
use crate::wire;

/// A torrent to be seeded, with a place for each of its files. A clone costs a counter.
#[derive(Debug, Clone)]
pub struct Torrent(pub(super) Arc<Content>);

/// A folder that holds files of torrents, held once however many files it has.
pub struct Folder {
    path: PathBuf,
    /// The folder that no file's place leads out of.
    root: Arc<Path>,
    /// As people know it, with a `/` at its end; empty for the root.
    name: Box<str>,
    /// The device that it was last seen on; 0 before.
    device: AtomicU64,
    #[cfg(test)]
    pub(super) obstacle: super::test_house::Obstacle,
}

/// Places of files below one root.
#[derive(Debug)]
pub struct Folders {
    root: Arc<Path>,
    known: HashMap<Box<str>, Arc<Folder>>,
}

/// Where a file lies.
#[derive(Debug, Clone)]
pub struct Place {
    folder: Arc<Folder>,
    file: Box<str>,
    /// Whether it is published elsewhere, so that it need not be here.
    pub(super) is_elsewhere: bool,
}

impl Folders {
    /// Places below `root`, an absolute path, which no symbolic link at one of them leads out of.
    pub fn below(root: impl AsRef<Path>) -> Self {
        Self { root: root.as_ref().into(), known: HashMap::new() }
    }

    /// The place of the file at `name`, a path with `/` between its names, by which people know it.
    pub fn place(&mut self, name: &str, is_elsewhere: bool) -> Place {
        let (folder, file) = name.split_at(name.rfind('/').map_or(0, |at| at + 1));
        if !self.known.contains_key(folder) {
            let path = self.root.join(folder.trim_end_matches('/'));
            let made = Folder {
                path,
                root: Arc::clone(&self.root),
                name: folder.into(),
                device: AtomicU64::new(0),
                #[cfg(test)]
                obstacle: super::test_house::Obstacle::default(),
            };
            self.known.insert(folder.into(), Arc::new(made));
        }
        Place { folder: Arc::clone(&self.known[folder]), file: file.into(), is_elsewhere }
    }
}

impl Place {
    /// The absolute path.
    pub fn path(&self) -> PathBuf {
        self.folder.path.join(&*self.file)
    }

    /// As people know it.
    pub fn name(&self) -> String {
        format!("{}{}", self.folder.name, self.file)
    }

    /// Whether the symbolic link that stands here leads to something below the root.
    pub(super) fn leads_inside(&self) -> io::Result<bool> {
        Ok(self.path().canonicalize()?.starts_with(self.folder.root.canonicalize()?))
    }

    /// Whether people know it so.
    pub(super) fn is_called(&self, name: &str) -> bool {
        name.strip_prefix(&*self.folder.name) == Some(&*self.file)
    }

    pub(super) fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        let folder = |place: &Self| (place.folder.path.clone(), place.folder.name.clone());
        let same_folder = Arc::ptr_eq(&self.folder, &other.folder) || folder(self) == folder(other);
        same_folder && (&self.file, self.is_elsewhere) == (&other.file, other.is_elsewhere)
    }
}

impl Eq for Place {}

impl Folder {
    /// The device that it was last seen on; 0 before.
    pub(super) fn device(&self) -> u64 {
        self.device.load(Ordering::Relaxed)
    }

    /// Whether it lies, or would, on another device than its files were last seen on.
    pub(super) fn has_lost_its_disk(&self) -> bool {
        let seen = self.device();
        let now = || self.path.ancestors().find_map(|folder| folder.metadata().ok()).map(|metadata| metadata.dev());
        seen != 0 && now().is_some_and(|now| now != seen)
    }

    pub(super) fn is_on(&self, device: u64) {
        #[cfg(test)]
        let device = self.obstacle.device().unwrap_or(device);
        self.device.store(device, Ordering::Relaxed);
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

#[derive(Debug)]
pub(super) struct Content {
    pub info_hashes: InfoHashes,
    pub is_private: bool,
    length: PieceLength,
    pieces: u32,
    /// The bytes that pieces are cut from: with padding, and with what is missing behind a v2 file up to its last
    /// piece's end.
    stream_bytes: u64,
    /// Each file begins with a piece of its own, and its last piece ends with it (BEP 52).
    is_by_file: bool,
    /// The files that hold a byte, in the torrent's order. An empty file has no piece, so nothing of it is ever read.
    /// Between two of them there may be padding (BEP 47), which is zeros and lies nowhere.
    pub slots: Box<[Slot]>,
    pub source: Source,
    /// The trackers of others that it is announced to.
    pub trackers: Box<[String]>,
    /// What [`Content::wire_pieces`] gives, once it was asked for.
    wire_pieces: OnceLock<wire::Pieces>,
}

/// Where to find what the `.torrent` says of the bytes.
#[derive(Debug)]
pub(super) enum Source {
    /// Here.
    Held(Arc<Meta>),
    /// In the `.torrent` at this place.
    At(Place),
}

impl Source {
    /// Whether it is the same place. What is held needs none.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Held(_), Self::Held(_)) => true,
            (Self::At(own), Self::At(other)) => own == other,
            _ => false,
        }
    }
}

/// A file with content, as its torrent sees it.
#[derive(Debug)]
pub(super) struct Slot {
    pub place: Place,
    /// Where its bytes begin in the torrent's.
    pub start: u64,
    pub bytes: u64,
}

/// A run of bytes within one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Its index in [`Content::slots`].
    pub slot: usize,
    /// Where it begins among the bytes that were asked for.
    pub at: u64,
    /// Where it begins in the file.
    pub offset: u64,
    pub bytes: u64,
}

impl Torrent {
    /// Takes the files of `torrent` in the order of [`Info::files`], which leaves out padding (BEP 47), and the
    /// trackers it is announced to over the network, in tiers (BEP 12): all but our own.
    ///
    /// As many files as the torrent has; otherwise bytes of it would lie nowhere, and no file could be blamed.
    pub fn new(torrent: &metainfo::Torrent, files: Vec<Place>, trackers: &[Vec<String>]) -> Result<Self, Problem> {
        Self::from(torrent, files, trackers, Source::Held(Arc::new(Meta::of(torrent))))
    }

    /// The same for a torrent that stands in a file of its own: the hashes of its pieces are read there while they are
    /// needed, and not held in memory for years.
    pub fn kept_at(
        place: Place,
        torrent: &metainfo::Torrent,
        files: Vec<Place>,
        trackers: &[Vec<String>],
    ) -> Result<Self, Problem> {
        Self::from(torrent, files, trackers, Source::At(place))
    }

    fn from(
        torrent: &metainfo::Torrent,
        files: Vec<Place>,
        trackers: &[Vec<String>],
        source: Source,
    ) -> Result<Self, Problem> {
        let info = &torrent.metainfo.info;
        let wanted = info.files().len();
        if files.len() != wanted {
            let message = format!("{:?} has {wanted} files, and places were named for {}", info.name, files.len());
            return Err(Problem::new(message).help("name a place for each file, in the torrent's order"));
        }
        let places = places(info);
        let is_by_file = info.kind() == Kind::V2;
        let pieces = u32::try_from(info.piece_count()).map_err(|_| {
            let message = format!("{:?} has {} pieces", info.name, info.piece_count());
            Problem::new(message).help("peers number pieces in 32 bits; make the torrent with longer ones")
        })?;
        let slots = files.into_iter().zip(&places).filter(|(_, (_, bytes))| *bytes > 0);
        let slots = slots.map(|(place, &(start, bytes))| Slot { place, start, bytes }).collect();
        let stream_bytes = match places.last() {
            Some((start, bytes)) if is_by_file => start + bytes,
            _ => info.stream_bytes(),
        };
        Ok(Self(Arc::new(Content {
            info_hashes: torrent.info_hashes,
            is_private: info.private,
            length: info.piece_length,
            pieces,
            stream_bytes,
            is_by_file,
            slots,
            source,
            trackers: Announcer::trackers_of(trackers).into(),
            wire_pieces: OnceLock::new(),
        })))
    }

    /// The 20 bytes by which the seed knows it.
    pub fn info_hash(&self) -> InfoHash {
        self.0.info_hashes.main()
    }

    /// The absolute paths of its files, the empty ones aside.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.0.slots.iter().map(|slot| slot.place.path())
    }
}

impl Content {
    /// How many pieces there are.
    pub fn pieces(&self) -> u32 {
        self.pieces
    }

    /// The number of bytes in each piece that is not a last one.
    pub fn piece_length(&self) -> PieceLength {
        self.length
    }

    /// The pieces as peers know them.
    pub fn wire_pieces(&self) -> wire::Pieces {
        let made = || {
            if self.is_by_file {
                wire::Pieces::of_files(self.length, self.slots.iter().map(|slot| slot.bytes))
            } else {
                wire::Pieces::of_stream(self.length, self.stream_bytes)
            }
        };
        self.wire_pieces.get_or_init(made).clone()
    }

    /// Where `piece` begins in the torrent's bytes, and how many it has.
    pub fn piece(&self, piece: u32) -> (u64, u32) {
        let start = u64::from(piece) * u64::from(self.length.bytes());
        let end = match self.slot_at(start) {
            Some(slot) if self.is_by_file => slot.start + slot.bytes,
            _ => self.stream_bytes,
        };
        let rest = end.saturating_sub(start).min(self.length.bytes().into());
        (start, u32::try_from(rest).unwrap_or(self.length.bytes()))
    }

    /// Where the bytes from `offset` on stand in the files; padding between them stands in none.
    pub fn spans(&self, offset: u64, bytes: u64) -> impl Iterator<Item = Span> + '_ {
        let first = self.slots.partition_point(|slot| slot.start + slot.bytes <= offset);
        let end = offset + bytes;
        (first..self.slots.len()).map_while(move |index| {
            let slot = &self.slots[index];
            let from = slot.start.max(offset);
            let to = (slot.start + slot.bytes).min(end);
            (from < to).then(|| Span { slot: index, at: from - offset, offset: from - slot.start, bytes: to - from })
        })
    }

    /// The files that a piece holds bytes of.
    pub fn slots_of(&self, piece: u32) -> impl Iterator<Item = usize> + '_ {
        let (offset, bytes) = self.piece(piece);
        self.spans(offset, bytes.into()).map(|span| span.slot)
    }

    /// The pieces that hold a byte of a file.
    pub fn pieces_of(&self, slot: usize) -> Range<u32> {
        let Slot { start, bytes, .. } = self.slots[slot];
        let length = u64::from(self.length.bytes());
        let piece = |n: u64| u32::try_from(n).expect("pieces are numbered in 32 bits");
        piece(start / length)..piece((start + bytes).div_ceil(length))
    }

    fn slot_at(&self, offset: u64) -> Option<&Slot> {
        self.slots.get(self.slots.partition_point(|slot| slot.start + slot.bytes <= offset))
    }
}

/// Where each file that is no padding begins in the bytes that pieces are cut from, and how many it has.
fn places(info: &Info) -> Vec<(u64, u64)> {
    let files = match &info.layout {
        Layout::Single(bytes) => return vec![(0, *bytes)],
        Layout::Multi(files) => files,
    };
    let length = u64::from(info.piece_length.bytes());
    let starts = files.iter().scan(0, |end: &mut u64, file| {
        if info.kind() == Kind::V2 {
            *end = end.next_multiple_of(length);
        }
        let start = *end;
        *end += file.bytes;
        Some((start, file))
    });
    starts.filter(|(_, file)| !file.is_pad).map(|(start, file)| (start, file.bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::test_house::{House, PIECE};
    use super::*;

    const LENGTH: u64 = PIECE as u64;

    #[test]
    fn files_of_v2_begin_with_a_piece_each_and_end_their_last_one() {
        let house = House::v2(&[("a", PIECE * 2 + 5), ("an empty one", 0), ("b", 7), ("c", PIECE)]);
        let content = &house.torrent.0;
        let pieces: Vec<_> = (0..content.pieces()).map(|piece| content.piece(piece)).collect();
        let whole = u32::try_from(PIECE).expect("small");
        assert_eq!(pieces, [(0, whole), (LENGTH, whole), (2 * LENGTH, 5), (3 * LENGTH, 7), (4 * LENGTH, whole)]);
        let ranges: Vec<_> = (0..3).map(|slot| content.pieces_of(slot)).collect();
        assert_eq!(ranges, [0..3, 3..4, 4..5]);
        let span = Span { slot: 1, at: 0, offset: 0, bytes: 7 };
        assert_eq!(content.spans(3 * LENGTH, LENGTH).collect::<Vec<_>>(), [span]);
        let wire = content.wire_pieces();
        assert_eq!((0..6).map(|piece| wire.bytes_of(piece)).collect::<Vec<_>>(), {
            let mut bytes: Vec<_> = pieces.iter().map(|(_, bytes)| Some(*bytes)).collect();
            bytes.push(None);
            bytes
        });
    }

    #[test]
    fn a_folder_is_held_once_and_gives_its_files_their_paths_and_names() {
        let mut folders = Folders::below("/srv/site");
        let places = ["a.mp3", "media/a.mp3", "media/b.mp3"].map(|name| folders.place(name, false));
        assert_eq!(places.clone().map(|place| place.name()), ["a.mp3", "media/a.mp3", "media/b.mp3"]);
        let paths = ["/srv/site/a.mp3", "/srv/site/media/a.mp3", "/srv/site/media/b.mp3"];
        assert_eq!(places.clone().map(|place| place.path()), paths.map(PathBuf::from));
        assert!(Arc::ptr_eq(places[1].folder(), places[2].folder()));
        let again = Folders::below("/srv/site").place("media/a.mp3", false);
        assert!(again == places[1] && again != places[2] && again != Folders::below("/srv").place("media/a.mp3", true));
    }
}
