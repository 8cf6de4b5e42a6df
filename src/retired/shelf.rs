//! The folder in which retired torrents are kept: what is in it, what comes, and what goes.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::choose::{Chosen, Size, choose};
use super::kept::{Candidate, Kept, Named, remove};
use super::{FOLDER, Limits, TORRENTS_MAX};
use crate::hash::Progress;
use crate::id::InfoHashes;
use crate::problem::Problem;
use crate::units::{count_text, size_text};

/// The most folders that are looked at: those of as many torrents as are kept, and as many again.
const FOLDERS_MAX: usize = 2 * TORRENTS_MAX;
/// The most torrents that are told of one by one.
const TOLD_MAX: usize = 10;
/// What is done with the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// What is not published any more is kept there, and what has been kept for long enough goes.
    Write,
    /// It stays as it is: for a preview.
    Read,
}

/// The torrents that are kept.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    limits: Limits,
    now: OffsetDateTime,
    usage: Use,
    /// The newest first.
    kept: Vec<Kept>,
    /// Folders that were made since it was opened.
    added: Vec<PathBuf>,
    /// Folders that are not needed any more.
    gone: Vec<PathBuf>,
    /// Whether the folder may be empty since it was opened.
    may_be_empty: bool,
    /// Whether it can't be used, which was told.
    is_unusable: bool,
    problems: Vec<Problem>,
}

impl Shelf {
    /// Reads what is kept beside the lock in `root`. What can't be read stays as it is, and is told.
    pub fn open(root: &Path, limits: Limits, now: OffsetDateTime, usage: Use) -> Self {
        // Without `./` before it, as a person would write it.
        let folder = if root == Path::new(".") { PathBuf::from(FOLDER) } else { root.join(FOLDER) };
        // Whole seconds are what records have.
        let now = now.replace_nanosecond(0).expect("0 is a number of nanoseconds");
        let (kept, added, gone, problems) = Default::default();
        let mut shelf =
            Self { folder, limits, now, usage, kept, added, gone, may_be_empty: false, is_unusable: false, problems };
        match folders(&shelf.folder) {
            Ok(folders) => folders.into_iter().for_each(|(path, named)| shelf.read(path, named)),
            // Of a file it is told when there is something to keep.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => shelf.unusable("read", &error),
        }
        shelf
    }

    /// Takes in those of `candidates` whose bytes are still there, and lets go of what is `published` again, of what has been
    /// kept for long enough, and of what there is no room for. The folders that go are there until [`Shelf::close`].
    pub fn retire(&mut self, candidates: Vec<Candidate>, published: &HashSet<InfoHashes>, progress: &dyn Progress) {
        let kept = std::mem::take(&mut self.kept);
        let (again, mut kept): (Vec<_>, Vec<_>) =
            kept.into_iter().partition(|kept| published.contains(&kept.torrent.info_hashes));
        self.gone.extend(again.into_iter().map(|kept| kept.folder));
        let new = self.new_ones(candidates, &mut kept, published);
        let items = kept
            .into_iter()
            .map(|kept| Item::Kept(Box::new(kept)))
            .chain(new.into_iter().map(|candidate| Item::New(Box::new(candidate))));

        let (folder, now) = (&self.folder, self.now);
        let size = |item: &Item| match item {
            Item::Kept(kept) => Size { retired: kept.record.retired, bytes: kept.bytes() },
            Item::New(candidate) => Size { retired: now, bytes: candidate.entry.bytes },
        };
        let (mut added, mut lost) = (Vec::new(), Vec::new());
        let keep = |item| match item {
            Item::Kept(kept) => Some(*kept),
            Item::New(candidate) => match Kept::bring(&candidate, folder, now, progress) {
                Ok(kept) => {
                    added.push(kept.folder.clone());
                    Some(kept)
                }
                Err(problem) => {
                    lost.push(problem);
                    None
                }
            },
        };
        let Chosen { kept, expired, beyond } = choose(items.collect(), self.limits, now, size, keep);
        self.kept = kept;
        self.kept.sort_by(|a, b| (Reverse(a.record.retired), &a.folder).cmp(&(Reverse(b.record.retired), &b.folder)));
        // One whose files were damaged has others now.
        self.gone.retain(|folder| !added.contains(folder));
        self.added = added;
        self.tell(lost, &beyond);
        let folder = |item| if let Item::Kept(kept) = item { Some(kept.folder) } else { None };
        self.gone.extend(expired.into_iter().chain(beyond).filter_map(folder));
    }

    /// What is kept, the newest first.
    pub fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// Ends with it, and tells what is worth a look. Where the site `has_changed`, what is not needed any more is removed; else what was
    /// taken in is, which still is where it was published.
    pub fn close(mut self, has_changed: bool) -> Vec<Problem> {
        let done = if has_changed { std::mem::take(&mut self.gone) } else { std::mem::take(&mut self.added) };
        if self.usage == Use::Read || done.is_empty() && !self.may_be_empty {
            return self.problems;
        }
        let removed = done.iter().try_for_each(|folder| remove(folder));
        // One that is not empty stays.
        let _ = fs::remove_dir(&self.folder);
        self.problems.extend(removed.err().map(|error| {
            let message = format!("holds what is not needed any more, and can't be removed: {error}");
            Problem::at(&self.folder, message).help("make it writable for the user who builds")
        }));
        self.problems
    }

    fn read(&mut self, folder: PathBuf, named: Named) {
        if named == Named::Leftover {
            self.gone.push(folder);
            return;
        }
        match Kept::read(&folder) {
            Ok(Some(kept)) => match kept.changed() {
                None => self.kept.push(kept),
                Some(path) => {
                    let message =
                        format!("changed since {:?} was retired, which is not seeded any longer", kept.record.title);
                    self.problems.push(Problem::at(path, message));
                    self.gone.push(folder);
                }
            },
            // Somebody else's, as it seems.
            Ok(None) => {}
            Err(problem) => self.problems.push(problem),
        }
    }

    /// The `candidates` that are new, each once. Of one that is kept already another build was killed before its site was there,
    /// or went into another folder: it is retired as of now.
    fn new_ones(
        &mut self,
        candidates: Vec<Candidate>,
        kept: &mut [Kept],
        published: &HashSet<InfoHashes>,
    ) -> Vec<Candidate> {
        if self.usage == Use::Read || self.limits.days == 0 || self.is_unusable {
            return Vec::new();
        }
        let mut seen = published.clone();
        let mut new = Vec::new();
        for candidate in candidates {
            let hashes = candidate.entry.info_hashes;
            if !seen.insert(hashes) {
                continue;
            }
            match kept.iter_mut().find(|kept| kept.torrent.info_hashes == hashes) {
                // That it can't be written down makes it go earlier, and no more.
                Some(kept) => drop(kept.retire_again(self.now)),
                None => new.push(candidate),
            }
        }
        let missing: Vec<_> = new.extract_if(.., |candidate| !candidate.is_there()).collect();
        if !missing.is_empty() {
            let named = named(missing.iter().map(|candidate| &*candidate.entry.title));
            let message = format!("not published any more, and not seeded any longer, for the files are gone: {named}");
            self.problems.push(Problem::new(message));
        }
        // Before anything is read for it.
        self.may_be_empty = !new.is_empty();
        match if new.is_empty() { Ok(()) } else { fs::create_dir_all(&self.folder) } {
            Ok(()) => new,
            Err(error) => {
                self.unusable("written", &error);
                Vec::new()
            }
        }
    }

    fn unusable(&mut self, how: &str, error: &io::Error) {
        let message = format!("can't be {how}: {error}; what is not published any more is not seeded any longer");
        let help = "make it a folder that the user who builds can write, or say `retired_days = 0` in [torrent]";
        self.problems.push(Problem::at(&self.folder, message).help(help));
        self.is_unusable = true;
    }

    fn tell(&mut self, mut lost: Vec<Problem>, beyond: &[Item]) {
        let more = lost.split_off(lost.len().min(TOLD_MAX)).len();
        self.problems.append(&mut lost);
        if more > 0 {
            let more = count_text(more as u64, "more torrent");
            self.problems.push(Problem::new(format!("{more} can't be seeded any longer")));
        }
        if beyond.is_empty() || self.usage == Use::Read {
            return;
        }
        let named = named(beyond.iter().map(Item::title));
        let message = format!("has no room for what is not published any more: {named}");
        let help = format!("give it more than {} with `retired_max` in [torrent]", size_text(self.limits.bytes_max));
        self.problems.push(Problem::at(&self.folder, message).help(help));
    }
}

/// What the rule chooses among.
enum Item {
    Kept(Box<Kept>),
    New(Box<Candidate>),
}

impl Item {
    fn title(&self) -> &str {
        match self {
            Self::Kept(kept) => &kept.record.title,
            Self::New(candidate) => &candidate.entry.title,
        }
    }
}

/// The first of `titles`, and how many more there are.
fn named<'t>(titles: impl ExactSizeIterator<Item = &'t str>) -> String {
    let more = titles.len().saturating_sub(TOLD_MAX);
    let named: Vec<_> = titles.take(TOLD_MAX).map(|title| format!("{title:?}")).collect();
    let named = named.join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

/// The folders below `shelf` that are ours, in the order of their names.
fn folders(shelf: &Path) -> io::Result<Vec<(PathBuf, Named)>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(shelf)? {
        let entry = entry?;
        let named = entry.file_name().to_str().and_then(Named::of);
        folders.extend(named.filter(|_| folders.len() < FOLDERS_MAX).map(|named| (entry.path(), named)));
    }
    folders.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(folders)
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
