//! From disk to hashes: each file is read once, its pieces are hashed on all cores, and what was hashed is remembered.
//!
//! It knows files and piece lengths, and nothing of torrents or sites.

mod cache;
mod pipeline;

pub use cache::Cache;
pub use pipeline::{Wanted, hash};

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::fingerprint::Fingerprint;
use crate::id::PieceHash;
use crate::problem::Problem;

/// A file to be hashed, as it was when its size was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it stands.
    pub path: PathBuf,
    /// What it was like; a file that differs when it is read, or after, is an error.
    pub fingerprint: Fingerprint,
}

impl Source {
    /// Looks at the file at `path`, which must be a regular, readable file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Problem> {
        let path = path.into();
        let (_, fingerprint) = open(&path)?;
        Ok(Self { path, fingerprint })
    }
}

/// What reading the files gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    /// The SHA-1 of each v1 piece of the files laid end to end (BEP 3).
    pub pieces: Vec<PieceHash>,
    /// The SHA-384 of each file, in the order of the files; empty where it was not wanted.
    pub sha384: Vec<[u8; 48]>,
}

/// Told how hashing goes on; called from one thread at a time.
pub trait Progress: Sync {
    /// `bytes` more will be hashed.
    fn expect(&self, bytes: u64) {
        let _ = bytes;
    }
    /// `bytes` more have been read.
    fn advance(&self, bytes: u64) {
        let _ = bytes;
    }
}

/// Nobody watches.
impl Progress for () {}

fn open(path: &Path) -> Result<(File, Fingerprint), Problem> {
    let unreadable = |error: std::io::Error| Problem::at(path, format!("can't be read: {error}"));
    // Looked at before it is opened: opening a pipe would wait for a writer.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "is a folder, not a file" } else { "is not a regular file" };
        return Err(Problem::at(path, what));
    }
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    Ok((file, Fingerprint::of(&metadata)))
}

#[cfg(test)]
mod tests;
