//! The folder of the database, which one server at a time uses.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::problem::Problem;

/// The file that is locked by the server that uses the folder.
const LOCK: &str = "lock";
/// The database.
const DATABASE: &str = "everseed.sqlite3";

/// The data folder of a server, held for it alone as long as this lives.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Takes the folder at `path`; it is created. A folder that another server uses, or that can't be written, is an
    /// error.
    ///
    /// Whoever builds a site below it takes it before, so that the site of a running server stays as it is.
    pub fn lock(path: impl Into<PathBuf>) -> Result<Self, Problem> {
        let path = path.into();
        let failed = |what: &str, error: std::io::Error| {
            Problem::at(&path, format!("the data folder can't be {what}: {error}"))
                .help("name a folder that can be written with `--data DIR`")
        };
        fs::create_dir_all(&path).map_err(|error| failed("made", error))?;
        let file = File::options().create(true).truncate(false).write(true).open(path.join(LOCK));
        let file = file.map_err(|error| failed("written", error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path, _lock: file }),
            Err(TryLockError::WouldBlock) => Err(Problem::at(&path, "another everseed uses this data folder")
                .help("stop it, or give this one a folder of its own with `--data DIR`")),
            Err(TryLockError::Error(error)) => Err(failed("locked", error)),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database in it.
    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }
}
