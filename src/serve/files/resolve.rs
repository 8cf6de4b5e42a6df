//! From names to an open file that lies in the site's folder, whatever symbolic links say.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::conditional::Validators;
use super::path::UrlPath;

/// The file of a folder that stands for it.
pub const INDEX: &str = "index.html";
/// The page of the site that is the body of a 404.
pub const NOT_FOUND_PAGE: &str = "404.html";

/// The last second of the year 9999: dates beyond it do not fit into a header.
const HTTP_DATE_SECS_MAX: u64 = 253_402_300_799;

/// What a path names.
#[derive(Debug)]
pub enum Found {
    /// A file.
    File(OpenFile),
    /// A folder that was asked for without the `/` at its end.
    Folder,
}

/// A file that was opened for reading.
#[derive(Debug)]
pub struct OpenFile {
    /// The file.
    pub file: File,
    /// Its size in bytes when it was opened.
    pub bytes: u64,
    /// What tells this version of it from another.
    pub validators: Validators,
    /// Its path below the root, names with `/` between them.
    pub path: String,
    /// The same without symbolic links.
    pub real: String,
}

/// Opens what `path` names below `root`; `None` where it names nothing that is served.
///
/// The root is resolved on every call, so that it may be a symbolic link that is switched to a new release.
pub fn resolve(root: &Path, path: &UrlPath, now: SystemTime) -> io::Result<Option<Found>> {
    let root = root.canonicalize()?;
    let mut below: PathBuf = path.names.iter().collect();
    let Some(mut real) = inside(&root, &below) else { return Ok(None) };
    let mut metadata = fs::metadata(&real)?;
    if metadata.is_dir() {
        if !path.folder {
            // Only where there is something to go to.
            return Ok(inside(&root, &below.join(INDEX)).map(|_| Found::Folder));
        }
        below.push(INDEX);
        let Some(index) = inside(&root, &below) else { return Ok(None) };
        metadata = fs::metadata(&index)?;
        real = index;
    } else if path.folder {
        return Ok(None);
    }
    // Checked before opening: to open a FIFO is to wait for its writer.
    if !metadata.is_file() {
        return Ok(None);
    }
    let file = match File::open(&real) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            return Ok(None);
        }
        opened => opened?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(None);
    }
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (path, real) = (text(&below), text(real.strip_prefix(&root).unwrap_or(&real)));
    Ok(Some(Found::File(OpenFile { bytes: metadata.len(), validators: validators(&metadata, now), file, path, real })))
}

impl OpenFile {
    /// The names by which it may be known.
    pub fn names(&self) -> [&str; 2] {
        [&self.path, &self.real]
    }
}

/// The real path of `below`, if it exists, lies below `root` (which is real) and passes through no dot-file.
fn inside(root: &Path, below: &Path) -> Option<PathBuf> {
    // Whatever keeps a path from being resolved (no such file, a file where a folder should be, links in a circle, no
    // permission) looks the same from outside.
    let real = root.join(below).canonicalize().ok()?;
    let open =
        real.strip_prefix(root).is_ok_and(|below| !below.iter().any(|name| name.as_encoded_bytes().starts_with(b".")));
    open.then_some(real)
}

fn validators(metadata: &Metadata, now: SystemTime) -> Validators {
    let nanos = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    // Strong: a write changes the size or the time to the nanosecond, a file put in place of another the inode.
    let etag = format!("\"{:x}-{nanos:x}-{:x}\"", metadata.size(), metadata.ino());
    let modified = u64::try_from(metadata.mtime())
        .ok()
        .filter(|&secs| secs <= HTTP_DATE_SECS_MAX)
        .map(|secs| SystemTime::UNIX_EPOCH + Duration::from_secs(secs))
        // A date of the future must not be sent (RFC 9110 section 8.8.2.1).
        .filter(|&modified| modified <= now);
    Validators { etag, modified }
}
