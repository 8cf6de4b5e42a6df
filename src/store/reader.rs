//! A second connection to the file, for those who show what stands in it: it never waits for the writer, nor the
//! writer for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{Point, Verdict, file, rows, series, trouble};
use crate::id::InfoHash;
use crate::problem::Problem;
use crate::tracker::Seconds;

/// How long a reading waits where the file is locked as a whole, as it is for a moment when it is closed.
const BUSY_WAIT: Duration = Duration::from_millis(500);

/// Reads the time series of a file that a [`Store`](super::Store) has open.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    db: Connection,
}

impl Reader {
    /// Opens the file at `path` for reading alone. It is there, and of the current version: a store has opened it.
    pub fn open(path: &Path) -> Result<Self, Problem> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).and_then(|db| {
            db.busy_timeout(BUSY_WAIT)?;
            db.pragma_update(None, "cache_size", file::CACHE_KIB)?;
            Ok(db)
        });
        Ok(Self { path: path.to_owned(), db: db.map_err(|error| trouble(path, "read", &error))? })
    }

    /// The time series of a torrent from the bucket of `since` on, in order, after the last point before it: what holds
    /// until the next one.
    pub fn series(&self, info_hash: &InfoHash, since: Seconds) -> Result<Vec<Point>, Problem> {
        series::of_torrent(&self.db, info_hash, since).map_err(|error| trouble(&self.path, "read", &error))
    }

    /// What is remembered of files.
    pub fn verdicts(&self) -> Result<Vec<Verdict>, Problem> {
        rows::verdicts(&self.db).map_err(|error| trouble(&self.path, "read", &error))
    }

    /// The time series of all torrents together.
    pub fn series_total(&self, since: Seconds) -> Result<Vec<Point>, Problem> {
        series::of_all(&self.db, since).map_err(|error| trouble(&self.path, "read", &error))
    }
}
