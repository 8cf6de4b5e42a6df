//! The journal of an output that is being changed: while it stands, every file that a step replaced or removed is kept, so
//! that a build that fails goes back to the former site, and one that was killed is taken back by whoever comes next.
//!
//! The folder itself is not exchanged for a new one, which would be a single step: it may be a mount point, be mounted into
//! a container or be somebody's working folder, and those would hold on to the former one; and a tree of hard links
//! changes the `ctime` of every medium, so that a seed would have to read all of them again after each build. Going
//! back, as databases do, and not on: a step that failed would fail again, and the former site is whole without it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cannot_write;
use crate::fsx;
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// Its name in the folder of files on their way.
const FILE_NAME: &str = "journal.json";
/// Changes when the meaning of the file does.
const VERSION: u32 = 1;
/// The most bytes of a journal: a line for each file of a very large site.
const BYTES_MAX: u64 = 1 << 30;

/// Asked before each change to the output. An error is taken for one of the file system.
pub type Watch<'a> = &'a mut dyn FnMut() -> io::Result<()>;

/// What is done to an output, step by step.
#[derive(Debug, Serialize, Deserialize)]
pub struct Journal {
    version: u32,
    steps: Vec<Step>,
    /// Folders that there were not before.
    folders: BTreeSet<String>,
    /// The output.
    #[serde(skip)]
    out: PathBuf,
    /// The folder of files on their way: each step's new file before, its former file after.
    #[serde(skip)]
    staging: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Step {
    place: String,
    does: Does,
}

/// What a step does to the file at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Does {
    /// There was none.
    Adds,
    /// It becomes another.
    Replaces,
    /// It goes.
    Removes,
}

impl Journal {
    /// No steps yet, for the folder `out`.
    pub fn new(out: &Path, staging: &Path) -> Self {
        let (out, staging) = (out.to_owned(), staging.to_owned());
        Self { version: VERSION, steps: Vec::new(), folders: BTreeSet::new(), out, staging }
    }

    /// The journal that stands in `staging`, if there is one.
    pub fn load(out: &Path, staging: &Path) -> Result<Option<Self>, Problem> {
        let path = staging.join(FILE_NAME);
        let unusable = |why: String| {
            Problem::at(&path, format!("a build was interrupted, and how far it came can't be read: {why}")).help(
                format!("remove the folder {}, and build again: the site may be half of each build", staging.display()),
            )
        };
        let mut json = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut json));
        match read {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(unusable(error.to_string())),
            Ok(_) => {}
        }
        let journal: Self = serde_json::from_slice(&json).map_err(|error| unusable(error.to_string()))?;
        if journal.version != VERSION {
            return Err(unusable(format!("it is of version {}", journal.version)));
        }
        Ok(Some(Self { out: out.to_owned(), staging: staging.to_owned(), ..journal }))
    }

    /// Adds a step, and tells where its new file is to be put; not asked for by one that removes.
    pub fn add(&mut self, place: &SitePath, does: Does) -> PathBuf {
        self.steps.push(Step { place: place.to_string(), does });
        if does == Does::Adds {
            let path = place.below(&self.out);
            let new = path.ancestors().skip(1).take_while(|folder| *folder != self.out && !folder.exists());
            let below = new.filter_map(|folder| folder.strip_prefix(&self.out).ok()?.to_str().map(str::to_owned));
            self.folders.extend(below);
        }
        self.new_file(self.steps.len() - 1)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Does the steps, in their order; or, where one of them fails, none.
    pub fn commit(&self, watch: Watch) -> Result<(), Problem> {
        let path = self.staging.join(FILE_NAME);
        let json = serde_json::to_vec(self).expect("texts and numbers are JSON");
        // A new file has its bytes on the disk before its name is there, or a power cut could leave an empty one.
        fsx::sync_below(&self.staging)
            .and_then(|()| fsx::write_whole(&path, &json))
            .map_err(|error| cannot_write(&path, &error))?;
        let done = self.steps.iter().enumerate().try_for_each(|(number, step)| {
            self.apply(number, step, watch).map_err(|error| cannot_write(&self.out.join(&step.place), &error))
        });
        match done {
            Ok(()) => fs::remove_file(&path).map_err(|error| cannot_write(&path, &error)),
            Err(problem) => match self.undo(&mut || Ok(())) {
                Ok(()) => Err(problem),
                Err(undoing) => Err(undoing.help(format!(
                    "this came after another error, {:?}; the next build puts the former site back, once it can",
                    problem.message()
                ))),
            },
        }
    }

    /// Puts everything back that steps have done, whether some of it is back already or not.
    pub fn undo(&self, watch: Watch) -> Result<(), Problem> {
        for (number, step) in self.steps.iter().enumerate().rev() {
            self.take_back(number, step, watch).map_err(|error| {
                let path = self.out.join(&step.place);
                Problem::at(path, format!("can't be put back as it was before the build: {error}"))
                    .help("make it writable for the user who builds, and build again")
            })?;
        }
        // The deepest first; those that are not empty stay.
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(self.out.join(folder));
        }
        let path = self.staging.join(FILE_NAME);
        fsx::remove_if_there(&path).map_err(|error| cannot_write(&path, &error))
    }

    fn apply(&self, number: usize, step: &Step, watch: Watch) -> io::Result<()> {
        let to = self.out.join(&step.place);
        let (new, former) = (self.new_file(number), self.former_file(number));
        match step.does {
            Does::Adds => {
                fs::create_dir_all(to.parent().expect("a file stands in a folder"))?;
                watch()?;
                fs::rename(new, to)
            }
            Does::Replaces => {
                watch()?;
                // A second name, so that there is a file at each instant; where there are no hard links, almost so.
                fs::hard_link(&to, &former).or_else(|_| fs::rename(&to, &former))?;
                watch()?;
                fs::rename(new, to)
            }
            Does::Removes => {
                watch()?;
                fs::rename(to, former)
            }
        }
    }

    /// What a step has done shows in the folder of files on their way: its new file is gone from there, its former one is there.
    fn take_back(&self, number: usize, step: &Step, watch: Watch) -> io::Result<()> {
        let place = SitePath::new(step.place.as_str()).map_err(|error| io::Error::other(error.to_string()))?;
        let to = place.below(&self.out);
        let former = self.former_file(number);
        let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
        if step.does == Does::Adds {
            if !is_there(&self.new_file(number)) && is_there(&to) {
                self.check_folders(&place)?;
                watch()?;
                fs::remove_file(to)?;
            }
        } else if is_there(&former) {
            self.check_folders(&place)?;
            fs::create_dir_all(to.parent().expect("a file stands in a folder"))?;
            watch()?;
            fs::rename(&former, to)?;
            // Where it had not been replaced yet these were two names of one file, which such a renaming leaves.
            fsx::remove_if_there(&former)?;
        }
        Ok(())
    }

    /// Through a symbolic link it could be anybody's file.
    fn check_folders(&self, place: &SitePath) -> io::Result<()> {
        let path = place.below(&self.out);
        let mut folders = path.ancestors().skip(1).take_while(|folder| *folder != self.out);
        if folders.any(Path::is_symlink) {
            return Err(io::Error::other("a folder on the way to it is a symbolic link"));
        }
        Ok(())
    }

    fn new_file(&self, number: usize) -> PathBuf {
        self.staging.join(format!("new-{number}"))
    }

    fn former_file(&self, number: usize) -> PathBuf {
        self.staging.join(format!("former-{number}"))
    }
}
