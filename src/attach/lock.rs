//! The lock of a site that another generator builds: brought up to date, or held against the media, without the site being
//! touched.

use std::path::PathBuf;

use serde::Serialize;

use super::{Error, Finding, Options, as_texts};
use crate::hash;
use crate::problem::Problem;

/// How a lock is brought up to date.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// Whether records that no feed has any more are taken out.
    pub prune: bool,
    /// The folder in which downloaded media are kept, under the names that they are published by.
    pub keep: Option<PathBuf>,
    /// The file in which templates find the links of each medium ([`super::Data`]); `None`: none is written.
    pub data: Option<PathBuf>,
}

/// What bringing a lock up to date did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockSummary {
    /// The lock.
    pub lock: PathBuf,
    /// The file for templates, where one is written.
    pub data: Option<PathBuf>,
    /// Its records.
    pub records: usize,
    /// Records that are new.
    pub added: usize,
    /// Records whose torrent or GUID is another one than before.
    pub changed: usize,
    /// Records that are as they were.
    pub unchanged: usize,
    /// Records that were taken out, because no feed has them any more.
    pub removed: usize,
    /// Files that were read and hashed; others were known.
    pub files_hashed: usize,
    /// Their bytes.
    pub bytes_hashed: u64,
    /// What should be looked at, in the order of the files.
    pub findings: Vec<Finding>,
    /// What was noticed in the media, and records that no feed has.
    #[serde(serialize_with = "as_texts")]
    pub warnings: Vec<Problem>,
}

/// What was found when a lock was held against the media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The lock.
    pub lock: PathBuf,
    /// The media that were looked at.
    pub releases: usize,
    /// Each that is not as the lock says, in order.
    pub findings: Vec<Problem>,
}

/// Brings the lock up to date.
pub fn update_lock(_options: &Options, _how: &Update, _progress: &dyn hash::Progress) -> Result<LockSummary, Error> {
    Err(Error::Trouble(Problem::new("not written yet")))
}

/// Holds the lock against the media.
pub fn verify_lock(_options: &Options, _progress: &dyn hash::Progress) -> Result<Verified, Error> {
    Err(Error::Trouble(Problem::new("not written yet")))
}
