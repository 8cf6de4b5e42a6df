//! `.torrent` files whose content is still to come. They are fetched before any content is, so that the content can be
//! had from peers when the show's own server is gone.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::fsx;
use crate::id::InfoHash;
use crate::metainfo::{self, TORRENT_BYTES_MAX, Torrent};
use crate::output;
use crate::problem::Problem;

/// The most bytes of all of them.
pub const WAITING_BYTES_MAX: u64 = 1 << 30;
/// The folder below the data folder.
const FOLDER: &str = "waiting";

/// The folder, and what is in it.
#[derive(Debug)]
pub struct Waiting {
    folder: PathBuf,
    files: HashMap<InfoHash, File>,
    bytes: u64,
    bytes_max: u64,
}

#[derive(Debug, Clone, Copy)]
struct File {
    bytes: u64,
    /// The size of the content, once it was looked for.
    content_bytes: Option<u64>,
}

impl Waiting {
    /// Those that a former run left below `data`.
    pub fn open(data: &Path) -> Result<Self, Problem> {
        let folder = data.join(FOLDER);
        fs::create_dir_all(&folder).map_err(|error| output::unwritable(&folder, &error))?;
        let unreadable = |error| Problem::at(&folder, format!("can't be read: {error}"));
        let mut waiting =
            Self { folder: folder.clone(), files: HashMap::new(), bytes: 0, bytes_max: WAITING_BYTES_MAX };
        for file in fs::read_dir(&folder).map_err(unreadable)? {
            let file = file.map_err(unreadable)?;
            let hash = file.file_name().to_str().and_then(|name| name.strip_suffix(".torrent")?.parse().ok());
            if let (Some(hash), Ok(metadata)) = (hash, file.metadata()) {
                waiting.bytes += metadata.len();
                waiting.files.insert(hash, File { bytes: metadata.len(), content_bytes: None });
            }
        }
        Ok(waiting)
    }

    /// The size of the content of a torrent that waits.
    pub fn content_bytes(&mut self, hash: InfoHash) -> Option<u64> {
        let known = self.files.get(&hash)?.content_bytes;
        let bytes = known.or_else(|| Some(self.read(hash)?.metainfo.info.total_bytes()))?;
        self.files.get_mut(&hash)?.content_bytes = Some(bytes);
        Some(bytes)
    }

    /// A torrent that waits; one that is damaged does not.
    pub fn read(&mut self, hash: InfoHash) -> Option<Torrent> {
        self.files.get(&hash)?;
        let bytes = fsx::read_at_most(&self.path(hash), TORRENT_BYTES_MAX as u64).ok();
        let torrent = bytes.and_then(|bytes| metainfo::parse(bytes).ok());
        let torrent = torrent.filter(|torrent| torrent.info_hashes.main() == hash);
        if torrent.is_none() {
            self.remove(hash);
        }
        torrent
    }

    /// Takes in a torrent.
    ///
    /// Errors: `Ok(false)` where there is no room for one more, and those of the disk.
    pub fn put(&mut self, torrent: &Torrent) -> Result<bool, Problem> {
        let (hash, bytes) = (torrent.info_hashes.main(), torrent.bytes().len() as u64);
        self.remove(hash);
        if self.bytes + bytes > self.bytes_max {
            return Ok(false);
        }
        let path = self.path(hash);
        fsx::write_whole(&path, torrent.bytes()).map_err(|error| output::unwritable(&path, &error))?;
        self.bytes += bytes;
        self.files.insert(hash, File { bytes, content_bytes: Some(torrent.metainfo.info.total_bytes()) });
        Ok(true)
    }

    /// Forgets a torrent.
    pub fn remove(&mut self, hash: InfoHash) {
        if let Some(file) = self.files.remove(&hash) {
            self.bytes -= file.bytes;
            // One that stays is found by the next run.
            let _ = fsx::remove_if_there(&self.path(hash));
        }
    }

    /// Forgets the others.
    pub fn retain(&mut self, is_wanted: impl Fn(InfoHash) -> bool) {
        let gone: Vec<_> = self.files.keys().copied().filter(|hash| !is_wanted(*hash)).collect();
        gone.into_iter().for_each(|hash| self.remove(hash));
    }

    fn path(&self, hash: InfoHash) -> PathBuf {
        self.folder.join(format!("{hash}.torrent"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::{Draft, Hashes, Info, Layout, encode};
    use crate::units::PieceLength;

    fn torrent(name: &str) -> Torrent {
        encode(&Draft {
            info: Info {
                name: name.into(),
                piece_length: PieceLength::new(16384).expect("a power of two"),
                private: false,
                source: None,
                layout: Layout::Single(7),
                hashes: Hashes::V1(vec![[1; 20]]),
            },
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            creation_date: None,
            created_by: None,
            comment: None,
        })
    }

    #[test]
    fn those_that_wait_are_known_to_the_next_run_up_to_the_maximum() {
        let data = tempfile::tempdir().expect("a temporary folder");
        let (one, other) = (torrent("a"), torrent("b"));
        let hashes = [&one, &other].map(|torrent| torrent.info_hashes.main());
        let mut waiting = Waiting::open(data.path()).expect("a folder");
        waiting.bytes_max = one.bytes().len() as u64 + 1;
        assert_eq!([&one, &one, &other].map(|torrent| waiting.put(torrent)), [Ok(true), Ok(true), Ok(false)]);
        let mut next = Waiting::open(data.path()).expect("a folder");
        assert_eq!((next.content_bytes(hashes[0]), next.read(hashes[0])), (Some(7), Some(one)));
        assert_eq!((next.content_bytes(hashes[1]), next.read(hashes[1])), (None, None));
        fs::write(next.path(hashes[0]), "torn").expect("written");
        assert_eq!((next.read(hashes[0]), next.bytes), (None, 0), "and is fetched again");
        waiting.retain(|_| false);
        assert!(waiting.files.is_empty() && !waiting.path(hashes[0]).exists());
    }
}
