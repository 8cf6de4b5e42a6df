//! Files that must be what they were when their sizes were taken, opened as they are needed.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{Content, Source};
use crate::fingerprint::Fingerprint;
use crate::fsx;
use crate::lanes::LANES_MAX;
use crate::problem::Problem;

/// The most files that a thread keeps open: one for each piece that it hashes.
const OPEN_MAX: usize = LANES_MAX;

/// The system is asked to read ahead of files from this size on: smaller ones would be opened once more for it, and it
/// reads ahead by itself.
const READ_AHEAD_FILE_BYTES_MIN: u64 = 2 << 20;

/// Opens the regular file at `path`.
pub(super) fn open(path: &Path) -> Result<(File, Fingerprint), Problem> {
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

/// Whether each file is still what it was.
pub(super) fn check_unchanged(sources: &[Source]) -> Result<(), Problem> {
    for source in sources {
        let Content::File { path, fingerprint } = &source.content else { continue };
        let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if Fingerprint::of(&metadata) != *fingerprint {
            return Err(changed(path));
        }
    }
    Ok(())
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::at(path, format!("can't be read: {error}"))
}

pub(super) fn changed(path: &Path) -> Problem {
    Problem::at(path, "changed while it was hashed").help("run the command again when the file is complete")
}

/// The files that one thread has open, the one that was needed last in front.
pub(super) struct Files<'s> {
    sources: &'s [Source],
    open: Vec<(usize, File)>,
}

impl<'s> Files<'s> {
    pub fn new(sources: &'s [Source]) -> Self {
        Self { sources, open: Vec::with_capacity(OPEN_MAX) }
    }

    /// Fills `buffer` with the bytes of the file from `at` on.
    pub fn read(&mut self, source: usize, at: u64, buffer: &mut [u8]) -> Result<(), Problem> {
        let (path, file) = self.file(source)?;
        file.read_exact_at(buffer, at).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => changed(path),
            _ => unreadable(path, &error),
        })
    }

    /// Has the system read these bytes of a large file from the disk before they are asked for.
    pub fn read_ahead(&mut self, source: usize, at: u64, bytes: u64) -> Result<(), Problem> {
        if self.sources[source].bytes() < READ_AHEAD_FILE_BYTES_MIN {
            return Ok(());
        }
        let (_, file) = self.file(source)?;
        fsx::read_ahead(file, at, bytes);
        Ok(())
    }

    fn file(&mut self, source: usize) -> Result<(&'s Path, &File), Problem> {
        let Content::File { path, fingerprint } = &self.sources[source].content else {
            unreachable!("zeros have no place in a file, and streams no place at all");
        };
        if let Some(found) = self.open.iter().position(|(index, _)| *index == source) {
            self.open[..=found].rotate_right(1);
        } else {
            let (file, found) = open(path)?;
            if found != *fingerprint {
                return Err(changed(path));
            }
            self.open.truncate(OPEN_MAX - 1);
            self.open.insert(0, (source, file));
        }
        Ok((path, &self.open[0].1))
    }
}
