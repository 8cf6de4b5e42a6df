//! What the former build wrote: the files that may be replaced and removed, and by what they are known again unread.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;
use crate::fsx;
use crate::output;
use crate::problem::Problem;

/// Changes when the meaning of the file does.
const VERSION: u32 = 1;

/// The files of one output folder that are everseed's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    /// The output folder: for people, and against two folders with one hash.
    output: PathBuf,
    /// The files by their paths below it.
    pub files: BTreeMap<String, Option<Known>>,
}

/// A file that was placed, and the one it came from, as they were then: bytes, mtime, ctime and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    source: [i64; 4],
    output: [i64; 4],
}

impl Known {
    /// What `source` and `output` are like.
    pub fn new(source: &Fingerprint, output: &Fingerprint) -> Self {
        let numbers = |of: &Fingerprint| [of.bytes.cast_signed(), of.mtime_ns, of.ctime_ns, of.inode.cast_signed()];
        Self { source: numbers(source), output: numbers(output) }
    }
}

impl Record {
    /// An empty record of the folder `output`.
    pub fn new(output: &Path) -> Self {
        Self { version: VERSION, output: output.to_owned(), files: BTreeMap::new() }
    }

    /// The record of `output` below the folder `state`. One that is missing, damaged or of another version is none.
    pub fn load(state: &Path, output: &Path) -> Option<Self> {
        let json = fs::read(output::memory(state, "outputs", output)).ok()?;
        let record: Self = serde_json::from_slice(&json).ok()?;
        (record.version == VERSION && record.output == output).then_some(record)
    }

    /// Writes it below the folder `state`.
    pub fn save(&self, state: &Path) -> Result<(), Problem> {
        let path = output::memory(state, "outputs", &self.output);
        let json = serde_json::to_vec(self).map_err(|error| error.to_string());
        let folder = path.parent().expect("a file stands in a folder");
        json.and_then(|json| {
            fs::create_dir_all(folder).and_then(|()| fsx::write_whole(&path, &json)).map_err(|error| error.to_string())
        })
        .map_err(|error| Problem::at(&path, format!("can't be written: {error}")))
    }
}
