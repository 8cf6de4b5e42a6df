//! The output folder: what differs is written beside it first, then renamed into place, so that a build that fails or is killed
//! leaves the former site whole and every link leads somewhere at each instant.

use std::collections::BTreeSet;
use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Error;
use super::plan::{Entry, Plan};
use super::record::{Known, Record};
use crate::fingerprint::Fingerprint;
use crate::fsx;
use crate::manifest;
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// The folders of a site in which no output may stand.
const SOURCES: [&str; 4] = ["content", "static", "templates", "themes"];
/// The staging folder within the output, where there can be none beside it.
const INNER_STAGING: &str = ".everseed-staging";

/// What was done to the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Files that are new or differ.
    pub written: usize,
    /// Files that are as they were.
    pub unchanged: usize,
    /// Files of the former build that are no more.
    pub removed: usize,
}

/// An output folder, held by this build alone.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    state: PathBuf,
    /// What the former build wrote; `None`: nobody knows.
    former: Option<Record>,
    /// Released when it is dropped.
    _lock: File,
}

impl Output {
    /// Takes the folder `out` for the site in `root`, with what is known of it below the folder `state`. A folder that holds
    /// other things than a site of everseed is refused.
    pub fn open(out: &Path, state: &Path, root: &Path) -> Result<Self, Error> {
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            move |error: io::Error| {
                let problem = Problem::at(&path, format!("can't be written: {error}"));
                Error::Trouble(problem.help("make it writable for the user who builds, or name another folder"))
            }
        };
        fs::create_dir_all(state).map_err(unwritable(state))?;
        let state = state.canonicalize().map_err(unwritable(state))?;
        let lock_path = state.join("build.lock");
        let lock = File::create(&lock_path).map_err(unwritable(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let problem = Problem::at(&lock_path, "another build of this site is running");
                return Err(Error::Trouble(problem.help("wait until it is done")));
            }
            Err(TryLockError::Error(error)) => return Err(unwritable(&lock_path)(error)),
        }
        let path = real(out).map_err(unwritable(out))?;
        let refused = |problem| Error::Content(vec![problem]);
        place_fits(&path, &state, root)
            .map_err(|why| refused(Problem::at(out, why).help("name a folder that holds nothing else: public")))?;
        let former = Record::load(&state, &path);
        let output = Self { path, state, former, _lock: lock };
        output.is_ours(out).map_err(refused)?;
        // What a killed build left.
        for staging in [output.staging_beside(), output.path.join(INNER_STAGING)] {
            remove_folder(&staging).map_err(unwritable(&staging))?;
        }
        Ok(output)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder what `plan` says. `guard` is asked when everything is staged and nothing is in place yet; its error ends the
    /// build and leaves the former site.
    pub fn write(self, plan: &Plan, guard: impl FnOnce() -> Result<(), Problem>) -> Result<Written, Problem> {
        let changed = self.changed(plan)?;
        let mut written = Written { written: changed.len(), unchanged: plan.files.len() - changed.len(), removed: 0 };
        let staging = self.staging()?;
        let done = self.stage(plan, &changed, &staging).and_then(|()| guard()).and_then(|()| {
            self.record_all(plan)?;
            self.rename(&changed, &staging)?;
            written.removed = self.remove_former(plan)?;
            self.record(plan)
        });
        let cleaned = remove_folder(&staging).map_err(|error| self.problem(&staging, &error));
        done.and(cleaned).map(|()| written)
    }

    fn is_ours(&self, out: &Path) -> Result<(), Problem> {
        let refuse = |why: String| Err(Problem::at(out, why).help("name a folder that is empty or not there yet"));
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return refuse(format!("can't be read: {error}")),
        };
        if self.former.is_some() || self.path.join(manifest::FILE_NAME).is_file() {
            return Ok(());
        }
        // A `.git` of a page host's branch is no content.
        let foreign =
            entries.flatten().map(|entry| entry.file_name()).find(|name| !name.as_encoded_bytes().starts_with(b"."));
        match foreign {
            None => Ok(()),
            Some(name) => refuse(format!("is not empty, and was not built by everseed: it holds {}", name.display())),
        }
    }

    /// The files that are to be written.
    fn changed<'p>(&self, plan: &'p Plan) -> Result<Vec<Change<'p>>, Problem> {
        let mut changed = Vec::new();
        for (place, entry) in &plan.files {
            self.check_folders(place)?;
            let path = place.below(&self.path);
            let existing = match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(self.problem(&path, &error)),
                Ok(metadata) if metadata.is_dir() => {
                    return Err(
                        Problem::at(&path, "is a folder, and the site has a file of that name").help("remove it")
                    );
                }
                Ok(metadata) => Some(metadata),
            };
            if let Some(metadata) = &existing {
                if self.is_same(place, entry, &path, metadata).map_err(|error| self.problem(&path, &error))? {
                    continue;
                }
                if self.former.as_ref().is_some_and(|former| !former.files.contains_key(place.as_str())) {
                    return Err(Problem::at(
                        &path,
                        "was not written by everseed, and the site has a file of that name",
                    )
                    .help("move it to another place, or remove it"));
                }
            }
            changed.push(Change { rank: rank(place), replaces: existing.is_some(), place, entry });
        }
        // What is new comes before what is replaced: only the latter can be linked to from what is in place already.
        changed.sort_by_key(|change| (change.rank, change.replaces, change.place));
        Ok(changed)
    }

    /// The folders on the way to a file are folders.
    fn check_folders(&self, place: &SitePath) -> Result<(), Problem> {
        let mut folder = self.path.clone();
        let mut names: Vec<_> = place.names().collect();
        names.pop();
        for name in names {
            folder.push(name);
            match fs::symlink_metadata(&folder) {
                Ok(metadata) if !metadata.is_dir() => {
                    let what = if metadata.is_symlink() { "a symbolic link" } else { "a file" };
                    return Err(Problem::at(&folder, format!("is {what}, and the site has a folder of that name"))
                        .help("remove it"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn is_same(&self, place: &SitePath, entry: &Entry, path: &Path, metadata: &Metadata) -> io::Result<bool> {
        if !metadata.is_file() {
            return Ok(false);
        }
        let (source, is_copy) = match entry {
            Entry::Bytes(bytes) => return Ok(metadata.len() == bytes.len() as u64 && fs::read(path)? == *bytes),
            Entry::Copy(source) => (source, true),
            Entry::Media(source) => (source, false),
        };
        let of_source = fs::metadata(source)?;
        if of_source.len() != metadata.len() {
            return Ok(false);
        }
        let is_same_file = of_source.ino() == metadata.ino() && of_source.dev() == metadata.dev();
        if is_same_file {
            // A copy must not be a second name of its source.
            return Ok(!is_copy);
        }
        let known = self.former.as_ref().and_then(|former| former.files.get(place.as_str())).copied().flatten();
        if known == Some(Known::new(&Fingerprint::of(&of_source), &Fingerprint::of(metadata))) {
            return Ok(true);
        }
        // Media are not read for this: they may be large, and placing them again is cheaper or as dear.
        Ok(is_copy && fs::read(source)? == fs::read(path)?)
    }

    /// A folder for files on their way, on the file system of the output.
    fn staging(&self) -> Result<PathBuf, Problem> {
        fs::create_dir_all(&self.path).map_err(|error| self.problem(&self.path, &error))?;
        let beside = self.staging_beside();
        if fs::create_dir(&beside).is_ok() {
            let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
            if device(&beside) == device(&self.path) {
                return Ok(beside);
            }
            remove_folder(&beside).map_err(|error| self.problem(&beside, &error))?;
        }
        let inner = self.path.join(INNER_STAGING);
        fs::create_dir(&inner).map_err(|error| self.problem(&inner, &error))?;
        Ok(inner)
    }

    fn staging_beside(&self) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().display();
        self.path.with_file_name(format!(".{name}{INNER_STAGING}"))
    }

    fn stage(&self, plan: &Plan, changed: &[Change], staging: &Path) -> Result<(), Problem> {
        debug_assert!(changed.len() <= plan.files.len());
        for (at, change) in changed.iter().enumerate() {
            let to = staging.join(at.to_string());
            let staged = match change.entry {
                Entry::Bytes(bytes) => fs::write(&to, bytes),
                Entry::Copy(source) => fsx::copy(source, &to),
                Entry::Media(source) => fsx::place(source, &to).map(|_| ()),
            };
            staged.map_err(|error| self.problem(&change.place.below(&self.path), &error))?;
        }
        Ok(())
    }

    fn rename(&self, changed: &[Change], staging: &Path) -> Result<(), Problem> {
        for (at, change) in changed.iter().enumerate() {
            let to = change.place.below(&self.path);
            let folder = to.parent().expect("a file stands in a folder");
            fs::create_dir_all(folder)
                .and_then(|()| fs::rename(staging.join(at.to_string()), &to))
                .map_err(|error| self.problem(&to, &error))?;
        }
        Ok(())
    }

    /// Removes what the former build wrote and this one does not, and folders that are empty then.
    fn remove_former(&self, plan: &Plan) -> Result<usize, Problem> {
        let mut removed = 0;
        let mut folders = BTreeSet::new();
        for name in self.former.iter().flat_map(|former| former.files.keys()) {
            let Ok(place) = SitePath::new(name.as_str()) else { continue };
            // Through a symbolic link it could be anybody's.
            if plan.files.contains_key(&place) || self.check_folders(&place).is_err() {
                continue;
            }
            let path = place.below(&self.path);
            if fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_dir()) {
                fs::remove_file(&path).map_err(|error| self.problem(&path, &error))?;
                removed += 1;
            }
            let above = path.ancestors().skip(1).take_while(|folder| *folder != self.path);
            folders.extend(above.map(Path::to_owned));
        }
        // The deepest first; those that are not empty stay.
        for folder in folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
        Ok(removed)
    }

    /// Writes down what will be everseed's, before it is: a build that is killed then knows its files.
    fn record_all(&self, plan: &Plan) -> Result<(), Problem> {
        let mut record = Record::new(&self.path);
        let former = self.former.iter().flat_map(|former| former.files.keys().cloned());
        record.files.extend(former.chain(plan.files.keys().map(SitePath::to_string)).map(|name| (name, None)));
        record.save(&self.state)
    }

    fn record(&self, plan: &Plan) -> Result<(), Problem> {
        let mut record = Record::new(&self.path);
        for (place, entry) in &plan.files {
            let known = match entry {
                Entry::Bytes(_) => None,
                Entry::Copy(source) | Entry::Media(source) => {
                    let of = |path: &Path| fs::metadata(path).map(|metadata| Fingerprint::of(&metadata)).ok();
                    of(source).zip(of(&place.below(&self.path))).map(|(source, output)| Known::new(&source, &output))
                }
            };
            record.files.insert(place.to_string(), known);
        }
        record.save(&self.state)
    }

    fn problem(&self, path: &Path, error: &io::Error) -> Problem {
        Problem::at(path, format!("can't be written: {error}"))
    }
}

/// A file that is to be written.
struct Change<'p> {
    rank: u8,
    replaces: bool,
    place: &'p SitePath,
    entry: &'p Entry,
}

/// In which order files come into place: what is linked to before what links, and the manifest, which `serve` watches, last.
fn rank(place: &SitePath) -> u8 {
    let text = place.as_str();
    match text {
        manifest::FILE_NAME => 7,
        "sitemap.xml" | "robots.txt" => 6,
        "feed.xml" | "torrents.xml" => 5,
        "index.html" => 4,
        _ if text.starts_with("media/") => 0,
        _ if text.starts_with("torrents/") => 2,
        _ if text.ends_with(".html") => 3,
        _ => 1,
    }
}

/// The absolute path of `out`, which need not exist, without symbolic links in what exists of it.
fn real(out: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(out)?;
    let mut rest = Vec::new();
    for ancestor in absolute.ancestors() {
        match ancestor.canonicalize() {
            Ok(real) => return Ok(rest.iter().rev().fold(real, |path, name| path.join(name))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match ancestor.file_name() {
                Some(name) => rest.push(name.to_owned()),
                None => return Err(io::ErrorKind::InvalidInput.into()),
            },
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::InvalidInput.into())
}

fn place_fits(out: &Path, state: &Path, root: &Path) -> Result<(), String> {
    if out.exists() && !out.is_dir() {
        return Err("is a file; the site is written into a folder".into());
    }
    if root.starts_with(out) {
        return Err("is the site's own folder, or holds it; the output would stand among its sources".into());
    }
    if let Some(folder) = SOURCES.iter().find(|folder| out.starts_with(root.join(folder))) {
        return Err(format!("is inside the site's folder {folder}, which is read for the site"));
    }
    if state.starts_with(out) {
        return Err("holds the folder in which builds keep what they know".into());
    }
    Ok(())
}

fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
