//! The folder in which files become whole before they are put in place. It is below the data folder, is one healer's at a
//! time, and holds nothing between two of them.

use std::fs::{self, File, FileTimes, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::Watch;
use super::look::{Ill, LEADS_OUT, Why, leads_out};
use crate::fingerprint::Fingerprint;
use crate::fsx;
use crate::output;
use crate::problem::Problem;
use crate::units::size_text;

/// Its name below the data folder.
pub const FOLDER: &str = "heal";
/// So many bytes of a disk stay free.
pub const RESERVE_BYTES: u64 = 64 << 20;
/// The file that is locked by the healer that uses it.
const LOCK: &str = "lock";
/// How many bytes are copied at a time, and how many where the disk fails in between.
const COPIED_BYTES: usize = 1 << 20;
const SECTOR_BYTES: usize = 4096;

/// The folder, held as long as this lives.
#[derive(Debug)]
pub(super) struct Quarantine {
    path: PathBuf,
    bytes_max: Option<u64>,
    _lock: File,
}

/// The part of it for one torrent; dropped, it is empty again.
#[derive(Debug)]
pub(super) struct Ward {
    /// Where the files lie, as [`crate::metainfo::Info::files`] names them.
    pub folder: PathBuf,
    /// How many bytes may still be written to it.
    left: Option<u64>,
}

impl Quarantine {
    /// Takes the folder below `data`, and empties it.
    pub fn take(data: &Path, bytes_max: Option<u64>) -> Result<Self, Problem> {
        let path = data.join(FOLDER);
        let failed = |error: io::Error| {
            Problem::at(&path, format!("can't be written: {error}"))
                .help("let the user that runs everseed write there, or name another folder with --data")
        };
        fs::create_dir_all(&path).map_err(failed)?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Problem::at(&path, "another everseed is healing").help("wait until it is done"));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name() != LOCK {
                remove(&entry.path()).map_err(failed)?;
            }
        }
        Ok(Self { path, bytes_max, _lock: lock })
    }

    /// An empty ward.
    pub fn ward(&self) -> Result<Ward, Problem> {
        let folder = self.path.join("ward");
        let made = remove(&folder).and_then(|()| fs::create_dir(&folder));
        made.map_err(|error| Problem::at(&folder, format!("can't be made: {error}")))?;
        Ok(Ward { folder, left: self.bytes_max })
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        // What is left is removed by the next one.
        let _ = remove(&self.folder);
    }
}

impl Ward {
    /// Makes `name` a file of `bytes` bytes that holds what can be read of `from`, and zeros elsewhere.
    pub fn copy(&mut self, from: Option<&Path>, name: &str, bytes: u64, watch: Watch<'_>) -> Result<(), Problem> {
        let to = self.folder.join(name);
        let failed = |error: io::Error| Problem::at(&to, format!("can't be written: {error}"));
        let parent = to.parent().unwrap_or(&self.folder);
        fs::create_dir_all(parent).map_err(failed)?;
        let is_shared = from.is_some_and(|from| fsx::reflink(from, &to).is_ok());
        if !is_shared {
            self.claim(bytes)?;
        }
        // Not with its permissions: what may not be written to could not be mended.
        let file =
            File::options().read(true).write(true).create(true).truncate(!is_shared).open(&to).map_err(failed)?;
        if let Some(from) = from.filter(|_| !is_shared) {
            copy_what_can_be_read(from, &file, bytes, watch).map_err(|problem| problem.or_at(&to))?;
        }
        file.set_len(bytes).map_err(failed)
    }

    /// Takes `bytes` bytes of what may be written.
    pub fn claim(&mut self, bytes: u64) -> Result<(), Problem> {
        if let Some(left) = &mut self.left {
            let wanted = size_text(bytes);
            let message = format!("{wanted} are to be written, and {} of the quarantine are left", size_text(*left));
            *left = left.checked_sub(bytes).ok_or_else(|| Problem::at(&self.folder, message))?;
        }
        room(&self.folder, bytes)
    }

    /// Writes bytes of `name`, which is made where there is none.
    pub fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), Problem> {
        let to = self.folder.join(name);
        let written = (|| {
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)?;
            }
            let file = File::options().write(true).create(true).truncate(false).open(&to)?;
            file.write_all_at(bytes, offset)
        })();
        written.map_err(|error| Problem::at(&to, format!("can't be written: {error}")))
    }

    /// Puts `name`, which is whole, in the place of what `ill` found at `to` below the site's folder `root`.
    ///
    /// Errors, with which nothing has changed: something else stands there by now, a build is at work, the disk.
    pub fn put_in_place(&self, name: &str, to: &Path, ill: &Ill, root: &Path, like: &Path) -> Result<(), Problem> {
        let from = self.folder.join(name);
        if leads_out(to, root) {
            return Err(Problem::at(to, LEADS_OUT).help("put the file itself into the site's folder"));
        }
        // A symbolic link stays one; the file that it leads to is the one that is healed.
        let to = &to.canonicalize().unwrap_or_else(|_| to.to_owned());
        let failed = |error: io::Error| Problem::at(to, format!("can't be replaced: {error}"));
        let folder = to.parent().ok_or_else(|| Problem::at(to, "has no folder"))?;
        if ill.seen.is_none() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let (beside, _beside) = beside(&from, to, folder)?;
        let ready = beside.as_deref().unwrap_or(&from);
        dress(ready, if ill.seen.is_some() { to } else { like }, ill).map_err(failed)?;
        // The name must not arrive on the disk before the bytes do.
        File::open(ready).and_then(|file| file.sync_all()).map_err(failed)?;

        // Builds hold it too: none of them changes the file between the look and the rename.
        let _held = output::hold(root)?;
        match (fs::metadata(to).map(|metadata| Fingerprint::of(&metadata)), ill.seen) {
            (Ok(now), Some(seen)) if now == seen => fs::rename(ready, to).map_err(failed)?,
            (Err(error), None) if error.kind() == ErrorKind::NotFound => fs::rename(ready, to).map_err(failed)?,
            (Err(error), _) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {
                return Err(Problem::at(to, "was changed meanwhile, and is left as it is").help("run it again"));
            }
        }
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

/// A copy of `from` in `folder`, where the two lie on different disks: a rename does not cross them.
fn beside(from: &Path, to: &Path, folder: &Path) -> Result<(Option<PathBuf>, Option<Remove>), Problem> {
    let failed = |error: io::Error| Problem::at(folder, format!("can't be written: {error}"));
    let (here, there) = (fs::metadata(from).map_err(failed)?, fs::metadata(folder).map_err(failed)?);
    if here.dev() == there.dev() {
        return Ok((None, None));
    }
    room(folder, here.len())?;
    let mut name = std::ffi::OsString::from(".");
    name.push(to.file_name().unwrap_or_default());
    name.push(".healed");
    let beside = folder.join(name);
    let remove = Remove(beside.clone());
    fsx::remove_if_there(&beside).and_then(|()| fsx::copy(from, &beside)).map_err(failed)?;
    // What was hashed is the other one.
    match fsx::is_same(from, &beside) {
        Ok(true) => Ok((Some(beside), Some(remove))),
        Ok(false) => Err(Problem::at(&beside, "has other bytes than were written to it").help("check the disk")),
        Err(error) => Err(failed(error)),
    }
}

/// Removes a file where it still has this name.
struct Remove(PathBuf);

impl Drop for Remove {
    fn drop(&mut self) {
        let _ = fsx::remove_if_there(&self.0);
    }
}

/// Gives a file the permissions and, as far as that is allowed, the owner of `like`; and the time it had, where its bytes
/// alone had changed.
fn dress(file: &Path, like: &Path, ill: &Ill) -> io::Result<()> {
    if let Ok(metadata) = fs::metadata(like) {
        fs::set_permissions(file, metadata.permissions())?;
        let own = fs::metadata(file)?;
        if (own.uid(), own.gid()) != (metadata.uid(), metadata.gid()) {
            // Only root may give files away; to others it stays theirs.
            let _ = chown(file, Some(metadata.uid()), Some(metadata.gid()));
        }
    }
    if let (Why::Decayed, Some(seen)) = (&ill.why, ill.seen)
        && let Ok(ns) = u64::try_from(seen.mtime_ns)
    {
        let times = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_nanos(ns));
        File::open(file)?.set_times(times)?;
    }
    Ok(())
}

/// Whether the disk below `folder` has room for `bytes` bytes, and [`RESERVE_BYTES`] beside.
fn room(folder: &Path, bytes: u64) -> Result<(), Problem> {
    match fsx::available_bytes(folder) {
        Some(available) if available < bytes.saturating_add(RESERVE_BYTES) => {
            let (wanted, available) = (size_text(bytes), size_text(available));
            Err(Problem::at(folder, format!("{wanted} are to be written, and the disk has {available} left"))
                .help("make room on the disk, or name a folder on another one with --data"))
        }
        _ => Ok(()),
    }
}

/// Copies what there is of `bytes` bytes; where the disk gives an error, zeros stay.
fn copy_what_can_be_read(from: &Path, to: &File, bytes: u64, watch: Watch<'_>) -> Result<(), Problem> {
    let unreadable = |error: io::Error| Problem::at(from, format!("can't be read: {error}"));
    let unwritable = |error: io::Error| Problem::new(format!("can't be written: {error}"));
    let file = File::open(from).map_err(unreadable)?;
    let bytes = bytes.min(file.metadata().map_err(unreadable)?.len());
    let mut buffer = vec![0; COPIED_BYTES];
    let mut at = 0;
    while at < bytes {
        watch.go_on()?;
        let len = usize::try_from(bytes - at).map_or(COPIED_BYTES, |rest| rest.min(COPIED_BYTES));
        let chunk = &mut buffer[..len];
        if file.read_exact_at(chunk, at).is_ok() {
            to.write_all_at(chunk, at).map_err(unwritable)?;
        } else {
            for (sector, index) in chunk.chunks_mut(SECTOR_BYTES).zip(0_u64..) {
                let at = at + index * SECTOR_BYTES as u64;
                if file.read_exact_at(sector, at).is_ok() {
                    to.write_all_at(sector, at).map_err(unwritable)?;
                }
            }
        }
        at += len as u64;
    }
    Ok(())
}

#[cfg(test)]
#[path = "quarantine_tests.rs"]
mod tests;
