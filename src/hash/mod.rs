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

/// A file to be hashed, as it was when its size was taken; one that differs when it is read, or after, is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source(Content);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    File { path: PathBuf, fingerprint: Fingerprint },
    Zeros { bytes: u64 },
}

impl Source {
    /// Looks at the file at `path`, which must be a regular, readable file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Problem> {
        let path = path.into();
        let (_, fingerprint) = open(&path)?;
        Ok(Self(Content::File { path, fingerprint }))
    }

    /// As many zeros, in the place of a file that is not there.
    pub fn zeros(bytes: u64) -> Self {
        Self(Content::Zeros { bytes })
    }

    /// Whether it stands in the place of a file.
    pub fn is_zeros(&self) -> bool {
        matches!(self.0, Content::Zeros { .. })
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        match &self.0 {
            Content::File { fingerprint, .. } => fingerprint.bytes,
            Content::Zeros { bytes } => *bytes,
        }
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
    // Looked at before it is opened: opening a pipe would wait for a writer.
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "is a folder, not a file" } else { "is not a regular file" };
        return Err(Problem::at(path, what));
    }
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    Ok((file, Fingerprint::of(&metadata)))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::at(path, format!("can't be read: {error}"))
}

#[cfg(test)]
mod tests;
