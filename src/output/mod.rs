//! A folder that is published, while it changes: files wait beside it and come into place together or not at all, held
//! by one process at a time. It knows nothing of what the files say.

mod interim;
mod journal;
mod media;
mod staging;

pub use journal::{Does, Watch};
pub use media::Media;
pub use staging::{Staging, recover, restore};

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use crate::id::hex;
use crate::manifest;
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// The folder of a project that holds what builds remember.
pub const STATE_FOLDER: &str = ".everseed";

/// A file of an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A small file of the author's: a copy, so that an editor at work on it does not write into the site.
    Copy(PathBuf),
    /// A medium: placed without copying it where the file system can.
    Media(PathBuf),
}

/// Takes the folder `state`, in which builds keep what they know, for this process: as long as the file is held.
pub fn hold_state(state: &Path) -> Result<(PathBuf, File), Problem> {
    fs::create_dir_all(state).map_err(|error| unwritable(state, &error))?;
    let state = state.canonicalize().map_err(|error| unwritable(state, &error))?;
    let path = state.join("build.lock");
    let file = File::create(&path).map_err(|error| unwritable(&path, &error))?;
    lock(&file, &path)?;
    Ok((state, file))
}

/// The file below the folder `state` that holds what is remembered of the folder `out`, of the kind `what`.
pub fn memory(state: &Path, what: &str, out: &Path) -> PathBuf {
    let hash = Sha1::digest(out.as_os_str().as_encoded_bytes());
    state.join(what).join(format!("{}.json", hex(&hash[..8])))
}

/// Takes the folder `path` for this process, as long as the file is held: another one may know it from elsewhere.
pub fn hold(path: &Path) -> Result<File, Problem> {
    let folder = File::open(path).map_err(|error| cannot_write(path, &error))?;
    lock(&folder, path)?;
    Ok(folder)
}

/// The manifest that is true while files at the places `replaced` become others; `None` where that of `out` is true until
/// `new` is in its place.
pub fn interim_manifest(out: &Path, new: &[u8], replaced: &BTreeSet<&SitePath>) -> Option<String> {
    interim::manifest(&fs::read(manifest::place().below(out)).ok()?, new, replaced)
}

/// Removes the folders of `out` that hold nothing any more, now that the files at the places `removed` are gone.
pub fn remove_empty_folders(out: &Path, removed: &[SitePath]) {
    let above = |place: &SitePath| {
        let path = place.below(out);
        path.ancestors().skip(1).take_while(|folder| *folder != out).map(Path::to_owned).collect::<Vec<_>>()
    };
    let folders: BTreeSet<_> = removed.iter().flat_map(above).collect();
    // The deepest first; those that are not empty stay.
    for folder in folders.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}

/// A folder or file that is not to be written to, with what to do about it.
pub fn unwritable(path: &Path, error: &io::Error) -> Problem {
    cannot_write(path, error).help("make it writable for the user who builds, or name another folder")
}

/// The folders on the way from `out`, which people know as `shown`, to `place` are folders, or not there yet.
pub fn check_folders(out: &Path, shown: &Path, place: &SitePath) -> Result<(), Problem> {
    let (mut folder, mut shown) = (out.to_owned(), shown.to_owned());
    let mut names: Vec<_> = place.names().collect();
    names.pop();
    for name in names {
        folder.push(name);
        shown.push(name);
        match fs::symlink_metadata(&folder) {
            Ok(metadata) if !metadata.is_dir() => {
                let what = if metadata.is_symlink() { "a symbolic link" } else { "a file" };
                return Err(
                    Problem::at(&shown, format!("is {what}, and the site has a folder of that name")).help("remove it")
                );
            }
            _ => {}
        }
    }
    Ok(())
}

fn lock(file: &File, path: &Path) -> Result<(), Problem> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            Err(Problem::at(path, "another build of this site is running").help("wait until it is done"))
        }
        Err(TryLockError::Error(error)) => Err(cannot_write(path, &error)),
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Problem {
    Problem::at(path, format!("can't be written: {error}"))
}
