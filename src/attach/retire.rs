//! What a former run published and this one does not: what of it is still to be had, and is given to the shelf.

use std::collections::HashSet;
use std::path::PathBuf;

use super::gather::slug_of;
use super::make::Scene;
use super::options::{Options, Place};
use super::plan::Planner;
use super::report::Finding;
use super::site::Site;
use crate::hash;
use crate::lock;
use crate::manifest::Entry;
use crate::problem::Problem;
use crate::release::Ledger;
use crate::retired::{Candidate, FOLDER, Listed, Scene as Listing, Shelf, Told, Use};

/// What to do about a medium that was written over.
const MOVE: &str = "keep media in a folder of their own (--media), and move a new file into the place of a former one (`mv`): then \
    peers can finish what they began";
/// The most names at the end of a path that are looked for below a folder of media.
const NAMES_MAX: usize = 32;

/// The shelf of the project, where it has one.
pub fn shelf(options: &Options, site: &Site) -> Option<Shelf> {
    // Below the site its folders would be published as they are.
    if options.root.canonicalize().is_ok_and(|root| root.starts_with(&site.path)) {
        return None;
    }
    let usage = if options.dry_run || options.locked { Use::Read } else { Use::Write };
    options.now.map(|now| Shelf::open(&options.root, options.retired, now, usage))
}

/// Retires what the site had and `planner` has not. What is kept is given back, as it is to stand in the site and as it is told of.
pub fn retire(
    shelf: &mut Shelf,
    scene: Scene,
    ledger: &Ledger,
    planner: &Planner,
    progress: &dyn hash::Progress,
    findings: &mut Vec<Finding>,
) -> (Vec<Listed>, Vec<Told>) {
    let Scene { options, site, feeds, .. } = scene;
    let published = planner.made().iter().map(|made| made.release.torrent.info_hashes).collect();
    let candidates = site.former.iter().flat_map(|former| {
        // A site for another address may have been a trial.
        let is_of_this_site = former.base_url == options.base_url.as_str();
        let in_lock = |entry: &Entry| {
            let records = ledger.former().into_iter().flat_map(|lock| lock.media.values());
            records.map(|record| record.info_hashes).any(|hashes| hashes == entry.info_hashes)
        };
        let was_published = move |entry: &&Entry| entry.retired.is_none() && (is_of_this_site || in_lock(entry));
        former.torrents.iter().filter(was_published)
    });
    let candidates = candidates.filter_map(|entry| candidate(entry, options, site)).collect();
    shelf.retire(candidates, &published, progress);
    let folder = site.path.join(FOLDER);
    if !shelf.kept().is_empty() && folder.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir()) {
        let problem = Problem::at(
            site.name().join(FOLDER),
            "is no folder, and what is not published any more stands in one of that name",
        );
        findings.push(Finding {
            rule: "retired",
            problem: problem.help("give the file another name, or say `retired_days = 0` in [torrent]"),
        });
        return (Vec::new(), Vec::new());
    }
    let trackers = options.announce_tiers();
    let pages: HashSet<_> =
        (planner.made().iter()).filter_map(|made| made.medium.first().item(feeds).link.as_deref()).collect();
    let listing = Listing { base_url: &options.base_url, trackers: &trackers, pages: &pages };
    let kept = shelf.kept().iter();
    kept.map(|kept| (kept.listed(listing), kept.told(options.retired))).unzip()
}

/// A torrent of the site with the files that may be its own; `None`: they are on another server.
fn candidate(entry: &Entry, options: &Options, site: &Site) -> Option<Candidate> {
    let [file] = &entry.files[..] else { return None };
    let here = file.path.below(&site.path);
    if file.url.is_some() && !here.exists() {
        return None;
    }
    let slug = slug_of(entry.torrent.as_str());
    let torrents = [Some(entry.torrent.below(&site.path)), slug.map(|slug| lock::torrent_path(&options.root, slug))];
    let mut places = vec![vec![here]];
    // Where no medium is to be placed in the site, none is that was not there.
    if options.place != Place::None {
        places.extend(below_media(options, file).into_iter().map(|path| vec![path]));
    }
    Some(Candidate { entry: entry.clone(), torrents: torrents.into_iter().flatten().collect(), places, help: MOVE })
}

/// The files below the folders of media that have the end of the path of `file`, and its size; the longest end first.
fn below_media(options: &Options, file: &crate::manifest::File) -> Vec<PathBuf> {
    let names: Vec<_> = file.path.names().collect();
    let names = &names[names.len().saturating_sub(NAMES_MAX)..];
    let ends = (0..names.len()).map(|at| names[at..].iter().collect::<PathBuf>());
    let paths = ends.flat_map(|end| options.media.iter().map(move |folder| folder.join(&end)));
    paths
        .filter(|path| path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() == file.bytes))
        .collect()
}
