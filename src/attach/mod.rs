//! Torrents for a site that another generator has built: its feeds are amended, `.torrent` files, `torrents.xml` and
//! `everseed.json` are added, and every other byte stays as it is.
//!
//! It knows nothing of servers and asks none: what it leaves for them is `everseed.json`. The lock alone downloads media
//! of other servers ([`update_lock`]).
//!
//! ```
//! use everseed::attach::{Options, attach};
//! use everseed::baseurl::BaseUrl;
//!
//! let project = tempfile::tempdir()?;
//! let site = project.path().join("public");
//! std::fs::create_dir(&site)?;
//! std::fs::write(site.join("ep1.mp3"), "the medium")?;
//! let feed = "<rss version='2.0'><channel><title>A show</title><item><title>One</title><guid>1</guid>\
//!     <enclosure url='https://show.example.org/ep1.mp3' length='10' type='audio/mpeg'/></item></channel></rss>";
//! std::fs::write(site.join("feed.xml"), feed)?;
//!
//! let base_url = BaseUrl::parse("https://show.example.org/")?;
//! let options = Options { root: project.path().into(), ..Options::new(&site, base_url) };
//! let summary = attach(&options, &()).expect("attached");
//! assert_eq!(summary.releases[0].torrent, "https://show.example.org/torrents/ep1.torrent");
//! assert!(site.join("torrents/ep1.torrent").is_file());
//! assert!(std::fs::read_to_string(site.join("feed.xml"))?.contains("<podcast:alternateEnclosure"));
//! // A second run changes nothing.
//! assert_eq!(attach(&options, &()).expect("attached").files_written, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod data;
mod desk;
mod feeds;
mod gather;
mod lock;
mod make;
mod media;
mod options;
mod outline;
mod page;
mod pages;
mod plan;
mod prefix;
mod report;
mod retire;
mod site;
mod slug;
mod write;

pub use lock::{LockSummary, Update, Verified, update_lock, verify_lock};
pub use options::{Fix, NotAChoice, Options, Place};
pub use report::{Change, Done, Error, FeedSummary, Finding, Inserted, Released, Summary};

use crate::hash;
use crate::output;
use crate::release::Cache;
use crate::retired::{Listed, Told};
use data::Data;
use desk::Desk;
use make::{Scene, Whence};
use plan::{Entry, Plan, Planner};
use write::Work;

/// Attaches torrents to a site that another generator has built.
///
/// Feeds are found, or named in [`Options::feeds`]; the media that their enclosures lead to are found in the site, below
/// [`Options::media`], or in the lock. What is not to be had is a [`Finding`], and the rest is done. What a run learns
/// of the media is remembered below `.everseed/` in [`Options::root`], by a dry run too. A lock that is there is brought
/// up to date, unless [`Options::locked`] asks for nothing but what is in it; then a change of what is published is one
/// of the lock, and [`Options::accept_changed`] has no meaning.
///
/// Everything comes into place, or nothing does. A second run changes nothing.
pub fn attach(options: &Options, progress: &dyn hash::Progress) -> Result<Summary, Error> {
    attach_watched(options, progress, &mut || Ok(()))
}

/// Attaches; `watch` sees each change to the site, and can stop it there.
fn attach_watched(options: &Options, progress: &dyn hash::Progress, watch: output::Watch) -> Result<Summary, Error> {
    let mut desk = Desk::open(options)?;
    let mut cache = desk.cache();
    let still = output::Media::look(make::files(&desk.media));
    let whence = if options.locked { Whence::Lock } else { Whence::Files };
    let made = make::make(desk.scene(), whence, &desk.ledger, &mut cache, progress);
    // What was hashed is kept, whatever comes of it.
    cache.save().map_err(Error::Trouble)?;
    let (releases, mut findings) = made?;
    findings.append(&mut desk.findings);

    let changes = desk.enter(&releases, &mut findings);
    let changes = desk.changes(&releases, changes);
    if !changes.is_empty() && !options.accept_changed {
        return Err(Error::Changed(changes));
    }
    let scene = desk.scene();
    let planner = Planner::new(options, &desk.feeds, &desk.media, &releases);
    let mut shelf = retire::shelf(options, &desk.site);
    let (listed, retired) = match &mut shelf {
        Some(shelf) => retire::retire(shelf, scene, &desk.ledger, &planner, progress, &mut findings),
        None => (Vec::new(), Vec::new()),
    };
    let attached = put(&desk, &planner, listed, Found { cache, still, findings, retired }, watch);
    let mut warnings = shelf.map(|shelf| shelf.close(attached.is_ok())).unwrap_or_default();
    let mut summary = attached?;
    summary.warnings.append(&mut warnings);
    Ok(summary)
}

/// What a run has found until it puts something into the site.
struct Found {
    cache: Cache,
    still: output::Media,
    findings: Vec<Finding>,
    retired: Vec<Told>,
}

/// Puts what `planner` has, and what is `listed` as retired, into the site.
fn put(
    desk: &Desk,
    planner: &Planner,
    listed: Vec<Listed>,
    found: Found,
    watch: output::Watch,
) -> Result<Summary, Error> {
    let scene = desk.scene();
    let Scene { options, .. } = scene;
    let Found { mut cache, mut still, mut findings, retired } = found;
    let (plan, slots) = plan(scene, planner, listed, &mut still, &mut findings)?;
    findings.extend(planner.findings());
    let work = Work::new(&desk.site, &plan).map_err(Error::Content)?;
    findings.extend(work.findings());
    findings.sort();
    findings.dedup();
    if options.strict && !findings.is_empty() {
        return Err(Error::Findings(findings));
    }
    if !options.dry_run {
        let guard = || {
            still.unchanged()?;
            desk.feeds.iter().try_for_each(|feed| feed.still.unchanged())?;
            if desk.writes_lock() {
                desk.ledger.write()?;
                // Whoever keeps it has it kept up to date.
                if let Some(data) = options.data.as_ref().filter(|data| data.is_file()) {
                    Data::of(planner).write(data)?;
                }
            }
            Ok(())
        };
        let written = work.commit(guard, watch);
        // Placing media as hard links changes their ctime, and with it what the cache knows them by.
        cache.relinked(&still.relinked());
        if written.is_ok() {
            let placed = desk.media.iter().filter(|medium| medium.is_placed);
            cache.placed(placed.filter_map(|medium| Some((medium.path()?, medium.place().below(&desk.site.path)))));
        }
        let saved = cache.save();
        written.and(saved).and_then(|()| desk.remember(&plan)).map_err(Error::Trouble)?;
    }
    let (files_written, files_removed) = work.counts();
    Ok(Summary {
        site: options.site.clone(),
        base_url: options.base_url.to_string(),
        dry_run: options.dry_run,
        feeds: of_feeds(scene, planner),
        releases: planner.released(),
        slots,
        files_hashed: cache.files_hashed(),
        bytes_hashed: cache.bytes_hashed(),
        files_written,
        files_unchanged: work.unchanged,
        files_removed,
        findings,
        retired,
        warnings: Vec::new(),
        changes: work.changes(options.dry_run),
    })
}

/// Everything that is to stand in the site, and how many elements of pages are filled. What pages are made of is taken
/// into `still`.
fn plan<'r>(
    scene: Scene,
    planner: &Planner<'r>,
    listed: Vec<Listed>,
    still: &mut output::Media,
    findings: &mut Vec<Finding>,
) -> Result<(Plan<'r>, usize), Error> {
    let Scene { options, site, media, feeds } = scene;
    let mut plan = planner.files(listed).map_err(|problem| Error::Content(vec![problem]))?;
    for (number, feed) in feeds.iter().enumerate() {
        let edits = feeds::edits(feed, &planner.amendment(number)).map_err(Error::Trouble)?;
        if plan.insert(feed.place.clone(), Entry::Edits(edits)).is_some() {
            return Err(Error::Content(vec![plan::taken(&feed.shown)]));
        }
    }
    if !options.html {
        return Ok((plan, 0));
    }
    let names = gather::by_name(options, media, feeds);
    let links = |name: &str| planner.links_of(*names.get(name.trim())?);
    let pages = pages::fill(site, still, &links).map_err(Error::Trouble)?;
    plan.extend(pages.edits.into_iter().map(|(place, edits)| (place, Entry::Edits(edits))));
    findings.extend(pages.findings);
    Ok((plan, pages.slots))
}

fn of_feeds(scene: Scene, planner: &Planner) -> Vec<FeedSummary> {
    let mut with_torrent = vec![0; scene.feeds.len()];
    planner.made().iter().flat_map(|made| &made.medium.uses).for_each(|one| with_torrent[one.feed] += 1);
    let of = |(feed, with_torrent): (&feeds::Feed, usize)| FeedSummary {
        path: feed.place.to_string(),
        items: feed.content.items.len(),
        enclosures: feed.content.items.iter().map(|item| item.enclosures.len()).sum(),
        with_torrent,
    };
    scene.feeds.iter().zip(with_torrent).map(of).collect()
}

#[cfg(test)]
mod tests;
