//! What outlives a restart, in one SQLite file: lifetime counts, the peers, a time series, and the seed's verdicts.
//!
//! [`Store`] has few verbs: open, load, append a [`Batch`] in one transaction. [`Writer`] owns a store in a thread of
//! its own and takes [`Change`](crate::tracker::Change)s from whoever has them, so that nobody ever waits for a disk.
//! [`Reader`] reads the time series beside it, with a connection of its own.
//! None of them reads a clock: the time travels in what is written.
//!
//! What is written in a second is bounded as well: of peers [`FLUSH_PEERS_MAX`] a flush, as many as come at the rate beyond
//! which the tracker asks its peers to come less often; counts are in the next flush in any case.
//!
//! The file is bounded by torrents and days and never by announces: a peer is one row while it lives, and the series
//! has a row in ten minutes for two days, a row an hour for two months and a row a day after that, of torrents in
//! which something moved.

mod batch;
mod file;
mod month;
mod pending;
mod reader;
mod rows;
mod series;
#[cfg(test)]
mod tests;
mod writer;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::fingerprint::Fingerprint;
use crate::id::InfoHash;
use crate::problem::Problem;
use crate::tracker::{Seconds, Sighting};

pub use batch::Batch;
pub use file::{DAMAGED_KEPT_MAX, VERSION};
pub use month::Month;
pub use reader::Reader;
pub use writer::{
    FLUSH_EVERY, FLUSH_PEERS_MAX, Health, PENDING_PEERS_MAX, PENDING_SAMPLES_MAX, Trouble, Writer, WriterOptions,
};

/// Seconds of one bucket of the time series: ten minutes.
pub const BUCKET_SECS: u64 = 600;
/// Days of which the series keeps every bucket; after that one an hour.
pub const FINE_DAYS: u64 = 2;
/// Days of which the series keeps hours; after that one bucket a day.
pub const HOURLY_DAYS: u64 = 60;
/// Days of which the series keeps anything.
pub const SERIES_DAYS_MAX: u64 = 3650;
/// Months of which it is kept what left.
pub const MONTHS_MAX: u32 = 120;
/// Seconds for which an unheard peer is kept at most. How long it lives is the tracker's to say, which is less.
pub const PEER_KEPT_SECS: u64 = 24 * 3600;
/// Rows of a batch after which the memory that writing it took is kept for the next one.
const ROWS_AT_REST_MAX: usize = 256;
/// Bytes of one remembered verdict at most; a longer one is not kept.
pub const VERDICT_BYTES_MAX: usize = 64 * 1024;

/// The lifetime counts of a torrent. None of them ever goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Lifetime {
    /// Downloads completed.
    pub completed: u64,
    /// Bytes that peers say they uploaded.
    pub uploaded: u64,
    /// Bytes that peers say they downloaded.
    pub downloaded: u64,
    /// Bytes of content that the everseed sent to peers.
    pub sent: u64,
    /// Bytes of content that were sent over HTTP.
    pub web_sent: u64,
}

/// A torrent at one moment, for the time series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Which torrent.
    pub info_hash: InfoHash,
    /// How it stood.
    pub point: Point,
}

/// A torrent, or all of them, at one moment. The last one of a bucket stands for it; where a bucket is missing, nothing
/// changed since the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Point {
    /// When; a point read back has the beginning of its bucket.
    pub at: Seconds,
    /// Peers that have everything.
    pub seeds: u64,
    /// Peers that lack something.
    pub leechers: u64,
    /// What had been counted until then.
    pub lifetime: Lifetime,
}

impl Point {
    /// A number for what it says, whenever it was: a few bytes stand for the last of each of thousands of torrents.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seeds, self.leechers, self.lifetime).hash(&mut hasher);
        hasher.finish()
    }
}

/// What came of reading all files of a torrent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrubbed {
    /// Which torrent.
    pub info_hash: InfoHash,
    /// When the last of its pieces was read.
    pub at: Seconds,
    /// Pieces that were not as the torrent says.
    pub bad_pieces: u32,
}

/// What left in a month. Neither count ever goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonthSent {
    /// Which month.
    pub month: Month,
    /// Bytes of content sent to peers.
    pub sent: u64,
    /// Bytes of content sent over HTTP.
    pub web_sent: u64,
}

/// What the seed found out about a file, and how the file looked then. The verdict holds while the file looks so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The file.
    pub path: PathBuf,
    /// What it looked like.
    pub fingerprint: Fingerprint,
    /// What was found, in the seed's own words; at most [`VERDICT_BYTES_MAX`].
    pub verdict: Vec<u8>,
}

/// All that a tracker needs after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded {
    /// The counts of each torrent that was ever served.
    pub lifetimes: Vec<(InfoHash, Lifetime)>,
    /// The peers heard within the last [`PEER_KEPT_SECS`].
    pub peers: Vec<Sighting>,
    /// The last scrub of each torrent.
    pub scrubs: Vec<Scrubbed>,
    /// What left in each month, the latest last.
    pub months: Vec<MonthSent>,
}

/// An opened store.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// A damaged file was found and set aside: to be said loudly.
    pub notice: Option<Problem>,
}

/// The store in one SQLite file. A second process may read it meanwhile.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    db: Connection,
    known: rows::Known,
    /// The hour of the last clearing.
    cleared_hour: u64,
}

impl Store {
    /// Opens the file at `path`, and creates it and its folder where there is none.
    ///
    /// A file of a newer version is refused, a file of another program too. A damaged one is set aside under another
    /// name, and a new one begun; [`Opened::notice`] says so.
    pub fn open(path: &Path) -> Result<Opened, Problem> {
        let (db, notice) = file::open(path)?;
        let store = Self { path: path.to_owned(), db, known: rows::Known::default(), cleared_hour: 0 };
        Ok(Opened { store, notice })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the counts of all torrents, and the peers that were heard not too long before `now`.
    pub fn load(&self, now: Seconds) -> Result<Loaded, Problem> {
        rows::load(&self.db, now).map_err(|error| self.trouble("read", &error))
    }

    /// Writes a batch in one transaction: all of it, or nothing.
    pub fn append(&mut self, batch: &Batch) -> Result<(), Problem> {
        let hour = batch.latest().0 / 3600;
        let clearing = hour > self.cleared_hour;
        let written = rows::append(&mut self.db, batch, &mut self.known, clearing);
        if let Err(error) = written {
            // What the transaction had inserted is gone, and so are the rows that were remembered.
            self.known = rows::Known::default();
            return Err(self.trouble("written", &error));
        }
        self.cleared_hour = self.cleared_hour.max(hour);
        if batch.len() > ROWS_AT_REST_MAX {
            self.rest();
        }
        Ok(())
    }

    /// All remembered verdicts.
    pub fn verdicts(&self) -> Result<Vec<Verdict>, Problem> {
        rows::verdicts(&self.db).map_err(|error| self.trouble("read", &error))
    }

    /// Remembers verdicts, each in place of the former one of its file.
    pub fn put_verdicts(&mut self, verdicts: impl IntoIterator<Item = Verdict>) -> Result<(), Problem> {
        let mut batch = Batch::default();
        verdicts.into_iter().for_each(|verdict| batch.verdict(verdict));
        self.append(&batch)
    }

    /// Gives all remembered verdicts to `keep`, one after another, and forgets those that it does not want: of files that
    /// no torrent names any more.
    pub fn retain_verdicts(&mut self, keep: impl FnMut(Verdict) -> bool) -> Result<(), Problem> {
        let forgotten = rows::retain_verdicts(&mut self.db, keep);
        forgotten.map_err(|error| self.trouble("written", &error))
    }

    /// Lets go of what SQLite keeps of the file in memory, which the page cache has as well.
    pub fn rest(&self) {
        file::rest(&self.db);
    }

    fn trouble(&self, done: &str, error: &rusqlite::Error) -> Problem {
        trouble(&self.path, done, error)
    }
}

fn trouble(path: &Path, done: &str, error: &rusqlite::Error) -> Problem {
    Problem::at(path, format!("the database cannot be {done}: {error}"))
        .help("see that the disk has room and the file can be written; everseed goes on and tries again")
}
