//! What the former build published and this one does not: what of it is given to the shelf, and what the site then has of it.

use std::collections::HashSet;
use std::path::Path;

use super::content::Content;
use super::ledger::Ledger;
use super::options::{LockUse, Options};
use super::plan::Plan;
use super::write::Output;
use crate::hash;
use crate::manifest::Entry;
use crate::problem::Problem;
use crate::retired::{Candidate, FOLDER, Scene, Shelf, Told, Use};

/// What to do about a medium that was written over.
const MOVE: &str = "move a new file into the place of a medium (`mv`) rather than writing into the one that is there: then \
    peers can finish what they began";

/// The shelf of the site, where it has one.
pub fn shelf(options: &Options) -> Option<Shelf> {
    // A preview publishes nothing, and takes nothing back.
    let usage = if options.lock == LockUse::Read { Use::Read } else { Use::Write };
    options.now.map(|now| Shelf::open(&options.root, options.retired, now, usage))
}

/// Retires what `output` has and `plan` has not, and adds what is kept to the plan. What is told of it is given back.
pub fn retire(
    shelf: &mut Shelf,
    options: &Options,
    content: &Content,
    ledger: &Ledger,
    output: &Output,
    plan: &mut Plan,
    progress: &dyn hash::Progress,
) -> Vec<Told> {
    let live: HashSet<_> = plan.manifest.torrents.iter().map(|entry| entry.info_hashes).collect();
    let former = output.manifest().unwrap_or_default();
    let was_published = |entry: &&Entry| {
        // The lock may be brought up to date before the site is.
        let is_draft = slug_of(entry).is_some_and(|slug| content.kept_back.contains(slug));
        let is_of_this_site = former.base_url == options.base_url.as_str() && !is_draft;
        entry.retired.is_none() && (is_of_this_site || ledger.has_published(entry.info_hashes))
    };
    let candidates = former.torrents.iter().filter(was_published);
    let candidates = candidates.filter_map(|entry| candidate(entry, output.path(), options.lock)).collect();
    shelf.retire(candidates, &live, progress);
    if !shelf.kept().is_empty() && plan.is_in_the_way_of_retired() {
        let message = format!("would be published as {FOLDER}, where what is not published any more stands");
        plan.warnings.push(Problem::at(format!("static/{FOLDER}"), message).help("give the file another name"));
        return Vec::new();
    }
    let trackers = options.announce_tiers();
    let pages = plan.manifest.torrents.iter().filter_map(|entry| entry.page.as_deref()).collect();
    let scene = Scene { base_url: &options.base_url, trackers: &trackers, pages: &pages };
    let listed = shelf.kept().iter().map(|kept| kept.listed(scene)).collect();
    plan.add_retired(listed);
    shelf.kept().iter().map(|kept| kept.told(options.retired)).collect()
}

/// A torrent of the site in the folder `out` with its files there; `None`: they are somebody else's to have.
fn candidate(entry: &Entry, out: &Path, lock: LockUse) -> Option<Candidate> {
    let files: Vec<_> = entry.files.iter().map(|file| file.path.below(out)).collect();
    let is_elsewhere = lock.is_alone() || entry.files.iter().any(|file| file.url.is_some());
    if is_elsewhere && !files.iter().all(|path| path.exists()) {
        return None;
    }
    Some(Candidate { entry: entry.clone(), torrents: vec![entry.torrent.below(out)], places: vec![files], help: MOVE })
}

fn slug_of(entry: &Entry) -> Option<&str> {
    entry.torrent.as_str().strip_prefix("torrents/")?.strip_suffix(".torrent")
}
