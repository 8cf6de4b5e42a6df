//! What is remembered of the files that are kept: how they looked when they were last read and found right, and when that
//! was. It reads no file's content; without it all is read again.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use time::OffsetDateTime;

use crate::fingerprint::Fingerprint;
use crate::fsx;
use crate::id::{InfoHash, hex};
use crate::output;
use crate::problem::Problem;

/// The file below the data folder.
const FILE_NAME: &str = "verified.json";
/// The most bytes of the file.
const BYTES_MAX: u64 = 64 << 20;
/// The version of its format; another one is begun anew.
const VERSION: u32 = 1;

/// How the files of a torrent look, all of them: whoever writes one of them changes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looks(String);

impl Looks {
    /// Of files with these fingerprints, in the torrent's order.
    pub fn of(files: impl IntoIterator<Item = Fingerprint>) -> Self {
        let mut sha1 = Sha1::new();
        for Fingerprint { bytes, mtime_ns, ctime_ns, inode } in files {
            sha1.update(bytes.to_le_bytes());
            sha1.update(mtime_ns.to_le_bytes());
            sha1.update(ctime_ns.to_le_bytes());
            sha1.update(inode.to_le_bytes());
        }
        let digest: [u8; 20] = sha1.finalize().into();
        Self(hex(&digest))
    }
}

/// When files are read again although they look as they did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reread {
    /// Never: somebody else reads them, as a server does that scrubs.
    #[default]
    Never,
    /// When they were last read so long ago.
    After(Duration),
    /// In each round.
    Always,
}

/// What is remembered, by what each torrent is called here.
#[derive(Debug, Default)]
pub struct Record {
    verified: BTreeMap<String, Verified>,
    /// Those that are not as they should be.
    damaged: HashSet<InfoHash>,
    is_changed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Verified {
    /// In seconds since 1970.
    at: i64,
    looks: Looks,
}

#[derive(Default, Serialize, Deserialize)]
struct Wire {
    version: u32,
    verified: BTreeMap<String, Verified>,
}

impl Record {
    /// What a former run has written below `data`; nothing where that can't be read.
    pub fn read(data: &Path) -> Self {
        let bytes = fsx::read_at_most(&data.join(FILE_NAME), BYTES_MAX).unwrap_or_default();
        let wire: Wire = serde_json::from_slice(&bytes).unwrap_or_default();
        let verified = if wire.version == VERSION { wire.verified } else { BTreeMap::new() };
        Self { verified, ..Self::default() }
    }

    /// Writes it, if it has changed.
    pub fn write(&mut self, data: &Path) -> Result<(), Problem> {
        if !self.is_changed {
            return Ok(());
        }
        let at = data.join(FILE_NAME);
        let wire = Wire { version: VERSION, verified: self.verified.clone() };
        let json = serde_json::to_vec(&wire).expect("strings and numbers are JSON");
        fsx::write_whole(&at, &json).map_err(|error| output::unwritable(&at, &error))?;
        self.is_changed = false;
        Ok(())
    }

    /// Whether files of which nothing but their looks is known are to be read at `now`.
    pub fn is_due(&self, hash: InfoHash, looks: &Looks, reread: Reread, now: OffsetDateTime) -> bool {
        let Some(last) = self.verified.get(&hash.to_string()).filter(|last| last.looks == *looks) else { return true };
        match reread {
            Reread::Never => false,
            // A clock that was set back makes nothing younger.
            Reread::After(period) => {
                u64::try_from(now.unix_timestamp() - last.at).is_ok_and(|secs| secs >= period.as_secs())
            }
            Reread::Always => true,
        }
    }

    /// Whether a torrent's files look as they did when they were last found right.
    pub fn is_known(&self, hash: InfoHash, looks: &Looks) -> bool {
        self.verified.get(&hash.to_string()).is_some_and(|last| last.looks == *looks)
    }

    /// A torrent's files were read at `now`, and are right.
    pub fn found_right(&mut self, hash: InfoHash, looks: Looks, now: OffsetDateTime) {
        self.damaged.remove(&hash);
        self.verified.insert(hash.to_string(), Verified { at: now.unix_timestamp(), looks });
        self.is_changed = true;
    }

    /// A torrent's files were moved, and look otherwise by that.
    pub fn moved(&mut self, hash: InfoHash, looks: Looks) {
        if let Some(last) = self.verified.get_mut(&hash.to_string()) {
            last.looks = looks;
            self.is_changed = true;
        }
    }

    /// A torrent's files are not what they should be.
    pub fn found_damaged(&mut self, hash: InfoHash) {
        self.damaged.insert(hash);
        self.is_changed |= self.verified.remove(&hash.to_string()).is_some();
    }

    /// Whether a torrent's files are not what they should be.
    pub fn is_damaged(&self, hash: InfoHash) -> bool {
        self.damaged.contains(&hash)
    }

    /// Forgets a torrent.
    pub fn remove(&mut self, hash: InfoHash) {
        self.damaged.remove(&hash);
        self.is_changed |= self.verified.remove(&hash.to_string()).is_some();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(ctime_ns: i64) -> Looks {
        Looks::of([Fingerprint { bytes: 1, mtime_ns: 2, ctime_ns, inode: 3 }])
    }

    #[test]
    fn files_are_due_when_they_look_otherwise_or_were_read_long_ago_and_that_outlasts_a_run() {
        let data = tempfile::tempdir().expect("a temporary folder");
        let (hash, begin) = (InfoHash([1; 20]), OffsetDateTime::UNIX_EPOCH);
        let mut record = Record::read(data.path());
        assert!(record.is_due(hash, &looks(4), Reread::Never, begin), "nothing is known");
        record.found_right(hash, looks(4), begin);
        record.write(data.path()).expect("written");
        let mut record = Record::read(data.path());
        let day = Duration::from_secs(86_400);
        let due = |looks: &Looks, reread, after: Duration| record.is_due(hash, looks, reread, begin + after);
        assert!(due(&looks(5), Reread::Never, Duration::ZERO), "its ctime is another");
        assert!(!due(&looks(4), Reread::Never, 99 * day));
        assert_eq!([1, 2].map(|days| due(&looks(4), Reread::After(2 * day), days * day)), [false, true]);
        assert!(due(&looks(4), Reread::Always, Duration::ZERO));
        assert!(!record.is_due(hash, &looks(4), Reread::After(day), begin - day), "the clock was set back");
        record.moved(hash, looks(6));
        assert!(record.is_known(hash, &looks(6)) && !record.is_known(hash, &looks(4)));
        record.found_damaged(hash);
        assert!(record.is_damaged(hash) && record.is_due(hash, &looks(6), Reread::Never, begin));
        std::fs::write(data.path().join(FILE_NAME), "{\"version\": 9, \"verified\": {}}").expect("written");
        assert!(Record::read(data.path()).verified.is_empty());
    }
}
