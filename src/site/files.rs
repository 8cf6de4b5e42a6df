//! Reading the site's files: texts within their limits, and folders that are published as they are.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::root::{Root, is_dot_file};
use crate::fsx;
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// The deepest folder below one that is read.
pub const DEPTH_MAX: usize = 64;
/// The most files of a folder that is published as it is.
const FILES_MAX: usize = 100_000;

/// Dot-files that nobody means to publish, and that stand in many folders.
const UNTOLD: [&str; 4] = [".DS_Store", ".gitattributes", ".gitignore", ".gitkeep"];

/// The files of a folder that is published as it is, by their paths in it.
pub fn files_below(
    root: &Root,
    folder: &Path,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> BTreeMap<SitePath, PathBuf> {
    let mut files = BTreeMap::new();
    let mut walk = WalkDir::new(folder).sort_by_file_name().max_depth(DEPTH_MAX).into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                problems
                    .push(Problem::at(root.shown(error.path().unwrap_or(folder)), format!("can't be read: {error}")));
                continue;
            }
        };
        let shown = root.shown(entry.path());
        if entry.depth() > 0 && is_dot_file(entry.path()) {
            if entry.file_type().is_dir() {
                walk.skip_current_dir();
            }
            if !UNTOLD.iter().any(|name| entry.file_name() == *name) {
                let warning = Problem::at(shown, "begins with a dot, and is not published: page hosts drop such names");
                warnings.push(warning.help("name it without the dot, or put it onto the web server by yourself"));
            }
            continue;
        }
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
        if is_too_deep(&entry) {
            problems.push(too_deep(shown));
        }
        if files.len() > FILES_MAX {
            problems.push(Problem::at(root.shown(folder), format!("holds more than {FILES_MAX} files")));
            break;
        }
    }
    files
}

/// Whether `entry` is a folder that is not looked into.
pub fn is_too_deep(entry: &DirEntry) -> bool {
    entry.depth() == DEPTH_MAX && entry.file_type().is_dir()
}

/// Says so.
pub fn too_deep(shown: &Path) -> Problem {
    Problem::at(shown, format!("stands in folders beyond {DEPTH_MAX}, and is not read")).help("move it nearer")
}

/// The text of the file `path`, which people see as `shown`, of at most `bytes_max` bytes.
pub fn read_text(path: &Path, shown: &Path, bytes_max: u64) -> Result<String, Problem> {
    let bytes = fsx::read_at_most(path, bytes_max).map_err(|error| {
        let help = if error.kind() == ErrorKind::FileTooLarge {
            "divide it, or publish it as a file of a release"
        } else {
            "make it readable for the user who builds"
        };
        Problem::at(shown, format!("can't be read: {error}")).help(help)
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = 1 + String::from_utf8_lossy(before).matches('\n').count();
        Problem::at(shown, "is not UTF-8").line(line).help("save it as UTF-8")
    })
}
