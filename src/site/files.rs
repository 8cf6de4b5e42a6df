//! Reading the site's files: texts within their limits, and folders that are published as they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::root::{Root, is_dot_file};
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// The deepest folder below one that is read.
pub const DEPTH_MAX: usize = 64;
/// The most files of a folder that is published as it is.
const FILES_MAX: usize = 100_000;

/// The files of a folder that is published as it is, by their paths in it.
pub fn files_below(
    root: &Root,
    folder: &Path,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> BTreeMap<SitePath, PathBuf> {
    let mut files = BTreeMap::new();
    let walk = WalkDir::new(folder).sort_by_file_name().max_depth(DEPTH_MAX);
    for entry in walk.into_iter().filter_entry(|entry| entry.depth() == 0 || !is_dot_file(entry.path())) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                problems
                    .push(Problem::at(root.shown(error.path().unwrap_or(folder)), format!("can't be read: {error}")));
                continue;
            }
        };
        let shown = root.shown(entry.path());
        if entry.file_type().is_symlink() {
            warnings
                .push(Problem::at(shown, "is a symbolic link, and not published").help("put the file itself there"));
        } else if entry.file_type().is_file() {
            let below = entry.path().strip_prefix(folder).expect("found below it");
            match below.to_str().and_then(|below| SitePath::new(below).ok()) {
                Some(path) => {
                    files.insert(path, entry.path().to_owned());
                }
                None => problems.push(Problem::at(shown, "has a name that no URL can hold").help("rename the file")),
            }
        }
        if files.len() > FILES_MAX {
            problems.push(Problem::at(root.shown(folder), format!("holds more than {FILES_MAX} files")));
            break;
        }
    }
    files
}

/// The text of a file of at most `bytes_max` bytes, or why there is none.
pub fn read_text(path: &Path, bytes_max: u64) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("can't be read: {error}");
    let bytes = fs::metadata(path).map_err(unreadable)?.len();
    if bytes > bytes_max {
        return Err(format!("has {bytes} bytes; at most {bytes_max} are read"));
    }
    String::from_utf8(fs::read(path).map_err(unreadable)?).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        format!("is not UTF-8 in line {}", 1 + String::from_utf8_lossy(before).matches('\n').count())
    })
}
