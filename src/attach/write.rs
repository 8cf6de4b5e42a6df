//! The files of a plan come into place: all of them, or none.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::gather::slug_of;
use super::plan::{Entry, Plan};
use super::report::{Change, Done, Finding, Inserted};
use super::site::Site;
use crate::fsx;
use crate::manifest;
use crate::metainfo::{self, TORRENT_BYTES_MAX};
use crate::output::{self, Does, Staging, Watch};
use crate::problem::Problem;
use crate::retired;
use crate::sitepath::SitePath;

/// What is to be done to a site.
#[derive(Debug)]
pub struct Work<'a> {
    site: &'a Site,
    plan: &'a Plan<'a>,
    /// In the order in which the files come into place.
    changed: Vec<(&'a SitePath, Does, &'a Entry<'a>)>,
    removed: Vec<SitePath>,
    /// Files that are as they should be.
    pub unchanged: usize,
}

impl<'a> Work<'a> {
    /// What differs between `plan` and what stands in `site`. A file that is to be written and was not written by attaching
    /// is a problem.
    pub fn new(site: &'a Site, plan: &'a Plan<'a>) -> Result<Self, Vec<Problem>> {
        let (mut changed, mut problems, mut unchanged) = (Vec::new(), Vec::new(), 0);
        for (place, entry) in plan {
            match does(site, place, entry) {
                Ok(Some(does)) => changed.push((place, does, entry)),
                Ok(None) => unchanged += 1,
                Err(problem) => problems.push(problem),
            }
        }
        problems.dedup();
        if !problems.is_empty() {
            return Err(problems);
        }
        changed.sort_by_key(|(place, does, entry)| (rank(place, entry), *does == Does::Replaces, *place));
        let former = site.former.iter().flat_map(|former| &former.torrents);
        let former = former.flat_map(|entry| entry.files.iter().map(|file| &file.path).chain([&entry.torrent]));
        let is_gone = |place: &&SitePath| {
            // A manifest could name any file, and media are the generator's.
            (slug_of(place.as_str()).is_some() || retired::is_place(place))
                && !plan.contains_key(*place)
                && output::check_folders(&site.path, site.name(), place).is_ok()
                && fs::symlink_metadata(place.below(&site.path)).is_ok_and(|metadata| metadata.is_file())
        };
        let removed = former.filter(is_gone).cloned().collect::<BTreeSet<_>>().into_iter().collect();
        Ok(Self { site, plan, changed, removed, unchanged })
    }

    /// What becomes of each file, in the order of their paths; `with_edits`: with what is put into it.
    pub fn changes(&self, with_edits: bool) -> Vec<Change> {
        let changed = self.changed.iter().map(|(place, does, entry)| {
            let edits = match entry {
                Entry::Edits(edits) if with_edits => &edits[..],
                _ => &[],
            };
            let done = match (does, entry) {
                (_, Entry::Edits(_)) => Done::Amended,
                (Does::Adds, _) => Done::Added,
                _ => Done::Replaced,
            };
            let inserted = edits.iter().map(|edit| Inserted {
                line: edit.line,
                removed_bytes: edit.span.end - edit.span.start,
                text: String::from_utf8_lossy(&edit.bytes).into_owned(),
            });
            Change { path: place.to_string(), does: done, edits: inserted.collect() }
        });
        let gone = |place: &SitePath| Change { path: place.to_string(), does: Done::Removed, edits: Vec::new() };
        let mut all: Vec<_> = changed.chain(self.removed.iter().map(gone)).collect();
        all.sort_by(|a, b| a.path.cmp(&b.path));
        all
    }

    /// How many files are written, and how many go.
    pub fn counts(&self) -> (usize, usize) {
        (self.changed.len(), self.removed.len())
    }

    /// What goes, or has gone with what the generator removed, for the author to look at.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        let former = self.site.former.iter().flat_map(|former| &former.torrents);
        let is_gone = |entry: &&manifest::Entry| entry.retired.is_none() && !self.plan.contains_key(&entry.torrent);
        former.filter(is_gone).map(|entry| {
            let does =
                if self.plan.contains_key(&retired::torrent_place(entry.info_hashes)) { "is retired" } else { "goes" };
            let message = format!("{does}: no feed has an enclosure for {:?} any more", entry.title);
            let problem = Problem::at(self.site.shown(&entry.torrent), message);
            let help = "let the feed name all episodes, if its torrent is to stay";
            Finding { rule: "removed", problem: problem.help(help) }
        })
    }

    /// Does it. `watch` sees each change. `guard` is asked when everything is staged and nothing is in place yet; its error
    /// leaves the site as it was, as does every error later on.
    pub fn commit(&self, guard: impl FnOnce() -> Result<(), Problem>, watch: Watch) -> Result<(), Problem> {
        if self.changed.is_empty() && self.removed.is_empty() {
            return guard();
        }
        let mut staging = Staging::make(&self.site.path)?;
        let done = self.stage(&mut staging).and_then(|()| guard()).and_then(|()| staging.commit(watch));
        done.and(staging.clean())?;
        output::remove_empty_folders(&self.site.path, &self.removed);
        Ok(())
    }

    fn stage(&self, staging: &mut Staging) -> Result<(), Problem> {
        // Bytes that are retired are in their new place before others take their former one.
        let is_new = |(place, does, _): &&(&SitePath, Does, &Entry)| *does == Does::Adds && retired::is_place(place);
        stage(staging, self.changed.iter().filter(is_new))?;
        if let Some(json) = self.interim() {
            staging.put_bytes(&manifest::place(), Does::Replaces, json.as_bytes())?;
        }
        stage(staging, self.changed.iter().filter(|change| !is_new(change)))?;
        self.removed.iter().for_each(|place| staging.remove(place));
        Ok(())
    }

    /// The manifest that is true while files are replaced, where neither the former nor the new one is.
    fn interim(&self) -> Option<String> {
        let place = manifest::place();
        let new = self.changed.iter().find_map(|(at, _, entry)| match entry {
            Entry::Bytes(bytes) if **at == place => Some(bytes),
            _ => None,
        })?;
        let replaced = self.changed.iter().filter(|(_, does, _)| *does == Does::Replaces).map(|(place, ..)| *place);
        output::interim_manifest(&self.site.path, new, &replaced.collect())
    }
}

/// Prepares the files of `changes`.
fn stage<'c>(
    staging: &mut Staging,
    changes: impl Iterator<Item = &'c (&'c SitePath, Does, &'c Entry<'c>)>,
) -> Result<(), Problem> {
    for (place, does, entry) in changes {
        match entry {
            Entry::Bytes(bytes) => staging.put_bytes(place, *does, bytes)?,
            Entry::Media(path) => staging.put(place, *does, &output::Entry::Media(path.clone()))?,
            Entry::Edits(edits) => staging.put_spliced(place, edits)?,
        }
    }
    Ok(())
}

/// What is linked to comes before what links to it, and the manifest last.
fn rank(place: &SitePath, entry: &Entry) -> u8 {
    match entry {
        Entry::Media(_) => 0,
        Entry::Bytes(_) if place.as_str() == manifest::FILE_NAME => 4,
        Entry::Bytes(_) if place.as_str().ends_with(".torrent") => 1,
        Entry::Bytes(_) => 2,
        Entry::Edits(_) => 3,
    }
}

/// What is done to the file at `place`; `None`: it is what it should be.
fn does(site: &Site, place: &SitePath, entry: &Entry) -> Result<Option<Does>, Problem> {
    if let Entry::Edits(edits) = entry {
        return Ok((!edits.is_empty()).then_some(Does::Replaces));
    }
    output::check_folders(&site.path, site.name(), place)?;
    let (path, shown) = (place.below(&site.path), site.shown(place));
    let unreadable = |error: &io::Error| Problem::at(&shown, format!("can't be read: {error}"));
    let metadata = match fs::symlink_metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Does::Adds)),
        Err(error) => return Err(unreadable(&error)),
    };
    if !metadata.is_file() {
        return Err(Problem::at(&shown, "is no file, and attaching writes one of that name").help("remove it"));
    }
    let is_same = |bytes: &[u8]| {
        let is_as_long = metadata.len() == bytes.len() as u64;
        Ok(is_as_long && fs::read(&path).map_err(|error| unreadable(&error))? == bytes)
    };
    match entry {
        Entry::Media(source) => return medium(site, place, source, &metadata),
        Entry::Bytes(bytes) if is_same(bytes)? => return Ok(None),
        _ => {}
    }
    if is_ours(site, place, &path).map_err(|error| unreadable(&error))? {
        return Ok(Some(Does::Replaces));
    }
    let help = if place.as_str().ends_with(".torrent") {
        "move it to another place, or remove it"
    } else {
        "move it to another place, or name another with --torrent-feed"
    };
    Err(Problem::at(&shown, "was not written by everseed, and would be replaced").help(help))
}

/// What is done to the file at `place`, which is to be the medium `source`, and is like `metadata`.
fn medium(site: &Site, place: &SitePath, source: &Path, metadata: &Metadata) -> Result<Option<Does>, Problem> {
    let of_source = fs::metadata(source).map_err(|error| Problem::at(source, format!("can't be read: {error}")))?;
    let is_same_file = (of_source.ino(), of_source.dev()) == (metadata.ino(), metadata.dev());
    // It was placed with the time of its source.
    let is_like = of_source.len() == metadata.len() && of_source.modified().ok() == metadata.modified().ok();
    if is_same_file || is_like {
        return Ok(None);
    }
    let mut former = site.former.iter().flat_map(|former| &former.torrents).flat_map(|entry| &entry.files);
    if former.any(|file| file.path == *place) {
        return Ok(Some(Does::Replaces));
    }
    let problem =
        Problem::at(site.shown(place), format!("was not placed by everseed, and is not {}", source.display()));
    Err(problem.help("move it to another place, or use --place linked"))
}

/// Whether the file at `place`, which differs from what is to stand there, was written by everseed.
fn is_ours(site: &Site, place: &SitePath, path: &Path) -> io::Result<bool> {
    if place.as_str() == manifest::FILE_NAME || site.published(place).is_some() {
        // Another one is refused where the site is opened.
        return Ok(true);
    }
    if place.as_str().ends_with(".torrent") {
        let read = fsx::read_at_most(path, TORRENT_BYTES_MAX as u64)?;
        let by = metainfo::parse(read).ok().and_then(|torrent| torrent.metainfo.created_by);
        return Ok(by.is_some_and(|by| by.starts_with("everseed ")));
    }
    let text = fs::read(path)?;
    Ok(String::from_utf8_lossy(&text).contains("<generator>everseed "))
}
