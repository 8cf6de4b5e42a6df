//! A lock that is brought up to date: what it said before, and what it will say. It does not know what names the releases.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::{Content, Order, change, locked};
use crate::lock::{self, Lock, Record};
use crate::metainfo::Torrent;
use crate::problem::Problem;
use crate::units::PieceLength;

/// A lock that is brought up to date.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    former: Option<Lock>,
    now: Lock,
    /// The torrents of the releases that were taken in.
    torrents: Vec<(String, Torrent)>,
    /// The releases whose records were taken out.
    removed: Vec<String>,
    tally: Tally,
}

/// How the records of a lock moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that are new.
    pub added: usize,
    /// Those whose torrent or GUID is another one.
    pub changed: usize,
    /// Those that are as they were.
    pub unchanged: usize,
}

impl Ledger {
    /// Reads the lock in `folder`.
    pub fn open(folder: &Path) -> Result<Self, Problem> {
        let former = Lock::read(folder)?;
        let now = former.clone().unwrap_or_default();
        let (torrents, removed, tally) = (Vec::new(), Vec::new(), Tally::default());
        Ok(Self { folder: folder.to_owned(), former, now, torrents, removed, tally })
    }

    /// The folder of the lock.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The lock as it was, where there is one.
    pub fn former(&self) -> Option<&Lock> {
        self.former.as_ref()
    }

    /// The lock as it will be.
    pub fn now(&self) -> &Lock {
        &self.now
    }

    /// Gives the show its `podcast:guid`; `None`: it has none yet.
    pub fn identify(&mut self, show_guid: Option<Uuid>) {
        self.now.show_guid = show_guid;
    }

    /// What the lock said of the release `slug`.
    pub fn record(&self, slug: &str) -> Option<&Record> {
        self.former.as_ref()?.media.get(slug)
    }

    /// What is known of the remote medium of `slug`, which is made of `origin` and ordered so; `page` names it.
    pub fn known(&self, slug: &str, origin: &lock::Origin, order: &Order, page: &Path) -> Option<Content> {
        let record = self.record(slug).filter(|record| record.origin == *origin)?;
        record.remote.as_ref()?;
        // What does not fit is read again.
        let torrent = lock::read_torrent(&self.folder, slug, record).ok()?;
        locked(order, record, &torrent, page).ok()
    }

    /// The piece length that the release `slug` is published with, and how many bytes it has there.
    pub fn piece_length(&self, slug: &str) -> Option<(u64, PieceLength)> {
        self.record(slug).map(|record| (record.bytes, record.piece_length))
    }

    /// Takes in the `record` of a release and its `torrent`. What is told is how the torrent would become another one.
    pub fn enter(&mut self, slug: &str, record: Record, torrent: &Torrent) -> Option<String> {
        let former = self.record(slug);
        let other_guid = former.is_some_and(|former| former.guid != record.guid);
        let change = former.map(|former| change(former, &record));
        let counted = match &change {
            None => &mut self.tally.added,
            Some(None) if !other_guid => &mut self.tally.unchanged,
            Some(_) => &mut self.tally.changed,
        };
        *counted += 1;
        self.torrents.push((slug.to_owned(), torrent.clone()));
        self.now.media.insert(slug.to_owned(), record);
        change.flatten()
    }

    /// How the records moved.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Takes the record of a release out.
    pub fn remove(&mut self, slug: &str) {
        self.now.media.remove(slug);
        self.removed.push(slug.to_owned());
    }

    /// Writes the lock and its torrents, where they differ from what is there.
    pub fn write(&self) -> Result<(), Problem> {
        // The torrents first: the lock names them.
        for (slug, torrent) in &self.torrents {
            lock::write_torrent(&self.folder, slug, torrent)?;
        }
        self.now.write(&self.folder)?;
        self.removed.iter().try_for_each(|slug| lock::remove_torrent(&self.folder, slug))
    }
}
