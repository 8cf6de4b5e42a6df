//! The folder of the database, which one server at a time uses.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::fsx;
use crate::problem::Problem;

/// The file that is locked by the server that uses the folder.
const LOCK: &str = "lock";
/// The database.
const DATABASE: &str = "everseed.sqlite3";

/// What connection ids over UDP are made with.
const SECRET: &str = "udp.secret";
const SECRET_BYTES: usize = 16;

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

    /// The secret that connection ids over UDP are made with (BEP 15). It is kept, so that the ids that clients hold stay
    /// good over a restart: a client whose id is refused waits for an answer that does not come.
    pub fn secret(&self) -> Result<[u8; SECRET_BYTES], Problem> {
        let path = self.path.join(SECRET);
        let mut secret = [0; SECRET_BYTES];
        if let Ok(kept) = fsx::read_at_most(&path, SECRET_BYTES as u64)
            && kept.len() == SECRET_BYTES
        {
            secret.copy_from_slice(&kept);
            return Ok(secret);
        }
        getrandom::fill(&mut secret)
            .map_err(|error| Problem::new(format!("the system gives no random numbers: {error}")))?;
        // Nobody else's to read: with it, addresses can be forged.
        let written = fsx::remove_if_there(&path)
            .and_then(|()| File::options().write(true).create_new(true).mode(0o600).open(&path))
            .and_then(|mut file| file.write_all(&secret));
        written.map_err(|error| Problem::at(&path, format!("can't be written: {error}")))?;
        Ok(secret)
    }

    /// The database in it.
    pub fn database(&self) -> PathBuf {
        Self::database_in(&self.path)
    }

    /// The database of the data folder at `path`, whoever uses it.
    pub fn database_in(path: &Path) -> PathBuf {
        path.join(DATABASE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_kept_and_a_damaged_one_is_replaced() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let folder = DataFolder::lock(dir.path()).expect("a folder of its own");
        let first = folder.secret().expect("made");
        assert_ne!(first, [0; SECRET_BYTES]);
        assert_eq!(folder.secret().expect("kept"), first);
        fs::write(dir.path().join(SECRET), "short").expect("written");
        let second = folder.secret().expect("made anew");
        assert_ne!(second, first);
        assert_eq!(folder.secret().expect("kept"), second);
    }
}
