//! The folder in which files wait, on the file system of the output, until all of them can come into place.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, BufWriter};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::journal::{Does, Journal, Watch};
use super::{Entry, cannot_write, unwritable};
use crate::fsx;
use crate::problem::Problem;
use crate::sitepath::SitePath;
use crate::splice::{self, Edit};

/// Its name within the output, where it can't stand beside it; there, the output's name comes before it.
const NAME: &str = ".everseed-staging";

/// Files on their way.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    out: PathBuf,
    journal: Journal,
}

impl Staging {
    /// An empty one for the folder `out`, which exists and is held by the caller.
    pub fn make(out: &Path) -> Result<Self, Problem> {
        recover(out, &mut || Ok(()))?;
        let [beside, inner] = places(out);
        let path = if fs::create_dir(&beside).is_ok() {
            let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
            if device(&beside) == device(out) {
                beside
            } else {
                remove_folder(&beside)?;
                make_folder(inner, out)?
            }
        } else {
            make_folder(inner, out)?
        };
        Ok(Self { journal: Journal::new(out, &path), out: out.to_owned(), path })
    }

    /// Prepares `entry` for its `place`.
    pub fn put(&mut self, place: &SitePath, does: Does, entry: &Entry) -> Result<(), Problem> {
        match entry {
            Entry::Bytes(bytes) => self.put_bytes(place, does, bytes),
            Entry::Copy(source) => self.put_file(place, does, source, fsx::copy),
            Entry::Media(source) => self.put_file(place, does, source, |from, to| fsx::place(from, to).map(drop)),
        }
    }

    fn put_file(
        &mut self,
        place: &SitePath,
        does: Does,
        source: &Path,
        put: impl Fn(&Path, &Path) -> io::Result<()>,
    ) -> Result<(), Problem> {
        let to = self.journal.add(place, does);
        put(source, &to).map_err(|error| {
            Problem::at(place.below(&self.out), format!("can't be put there from {}: {error}", source.display()))
        })
    }

    /// Prepares `bytes` for their `place`.
    pub fn put_bytes(&mut self, place: &SitePath, does: Does, bytes: &[u8]) -> Result<(), Problem> {
        let to = self.journal.add(place, does);
        fs::write(&to, bytes).map_err(|error| cannot_write(&place.below(&self.out), &error))
    }

    /// Prepares the file at `place` for `edits` ([`splice::apply`]), with the permissions that it has.
    pub fn put_spliced(&mut self, place: &SitePath, edits: &[Edit]) -> Result<(), Problem> {
        let to = self.journal.add(place, Does::Replaces);
        let place = place.below(&self.out);
        let written = File::open(&place).and_then(|source| {
            let permissions = source.metadata()?.permissions();
            let mut target = BufWriter::new(File::create(&to)?);
            splice::apply(BufReader::new(source), edits, &mut target)?;
            target.into_inner()?.set_permissions(permissions)
        });
        written.map_err(|error| cannot_write(&place, &error))
    }

    /// The file at `place` goes.
    pub fn remove(&mut self, place: &SitePath) {
        self.journal.add(place, Does::Removes);
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.journal.is_empty()
    }

    /// Brings everything into place, or nothing.
    pub fn commit(&self, watch: Watch) -> Result<(), Problem> {
        self.journal.commit(watch)
    }

    /// Removes what is not needed any more. What the next build needs in order to go back stays.
    pub fn clean(self) -> Result<(), Problem> {
        match Journal::load(&self.out, &self.path)? {
            Some(_) => Ok(()),
            None => remove_folder(&self.path),
        }
    }
}

/// Puts the former site back where a build of the folder `out` was killed before it was done. `false`: there was no need, or
/// a build is at it.
///
/// # Errors
/// A file that can't be put back.
pub fn restore(out: &Path) -> Result<bool, Problem> {
    let Ok(real) = out.canonicalize() else { return Ok(false) };
    if !real.is_dir() || places(&real).iter().all(|place| !place.exists()) {
        return Ok(false);
    }
    let folder = File::open(&real).map_err(|error| Problem::at(out, format!("can't be read: {error}")))?;
    match folder.try_lock() {
        Ok(()) => recover(&real, &mut || Ok(())),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(cannot_write(out, &error)),
    }
}

/// Puts the former site back where a build was killed, and removes what it left. `out` is held by the caller.
pub fn recover(out: &Path, watch: Watch) -> Result<bool, Problem> {
    let mut was_interrupted = false;
    for staging in places(out) {
        if let Some(journal) = Journal::load(out, &staging)? {
            journal.undo(watch)?;
            was_interrupted = true;
        }
        remove_folder(&staging)?;
    }
    Ok(was_interrupted)
}

/// Where it can stand: beside the output, and in it.
fn places(out: &Path) -> [PathBuf; 2] {
    let name = out.file_name().unwrap_or_default().display();
    [out.with_file_name(format!(".{name}{NAME}")), out.join(NAME)]
}

fn make_folder(path: PathBuf, out: &Path) -> Result<PathBuf, Problem> {
    fs::create_dir(&path).map_err(|error| unwritable(out, &error))?;
    Ok(path)
}

fn remove_folder(path: &Path) -> Result<(), Problem> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot_write(path, &error)),
        _ => Ok(()),
    }
}
