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
mod site;
mod slug;
mod write;

pub use data::Data;
pub use lock::{LockSummary, Update, Verified, update_lock, verify_lock};
pub use options::{Fix, NotAChoice, Options, Place};

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::hash;
use crate::output;
use crate::problem::Problem;
use crate::release::{self, Cache, Ledger, Release};
use feeds::Feed;
use gather::Medium;
use make::{From, Scene};
use plan::{Entry, Plan, Planner};
use site::Site;
use write::Work;

/// The folder of the project that holds what runs remember.
const STATE_FOLDER: &str = ".everseed";

/// Why nothing was attached. The site stands as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A feed, a name or a setting is wrong: every fault that was found, in order.
    Content(Vec<Problem>),
    /// What is published already would become something else: each instance, in order.
    Changed(Vec<Problem>),
    /// There are findings, and they were not to be overlooked ([`Options::strict`]).
    Findings(Vec<Finding>),
    /// Media can't be read: each of those that were tried, in order.
    Media(Vec<Problem>),
    /// The site may be right, and something else failed.
    Trouble(Problem),
}

/// Attaches torrents to a site that another generator has built.
///
/// Feeds are found, or named in [`Options::feeds`]; the media that their enclosures lead to are found in the site, below
/// [`Options::media`], or in the lock. What is not to be had is a [`Finding`], and the rest is done. The hash of each file
/// is remembered below `.everseed/` in [`Options::root`]. A lock that is there is brought up to date, unless
/// [`Options::locked`] asks for nothing but what is in it.
///
/// Everything comes into place, or nothing does. A second run changes nothing.
pub fn attach(options: &Options, progress: &dyn hash::Progress) -> Result<Summary, Error> {
    let desk = Desk::open(options)?;
    let from = if options.locked { From::Lock } else { From::Files };
    let Desk { site, feeds, media, mut findings, mut ledger, state } = desk;
    let mut cache = state.as_ref().map_or_else(Cache::none, |state| Cache::load(state.path.join("hashes")));
    let files = output::Media::look(make::files(&media));
    let scene = Scene { options, site: &site, feeds: &feeds, media: &media };
    let made = make::make(scene, from, &ledger, &mut cache, progress);
    // What was hashed is kept, whatever comes of it.
    cache.save().map_err(Error::Trouble)?;
    let (releases, unknown) = made?;
    findings.extend(unknown);

    let warnings = enter(scene, &releases, &mut ledger, &mut findings);
    let changes = changes(scene, &releases, &ledger, warnings.changes);
    if !changes.is_empty() && !options.accept_changed {
        return Err(Error::Changed(changes));
    }
    let planner = Planner::new(options, &feeds, &media, &releases);
    let (plan, slots) = plan(scene, &planner, &mut findings)?;
    findings.sort();
    findings.dedup();
    if options.strict && !findings.is_empty() {
        return Err(Error::Findings(findings));
    }
    let work = Work::new(&site, &plan).map_err(Error::Content)?;
    if !options.dry_run {
        if ledger.former().is_some() && !options.locked {
            files.unchanged().and_then(|()| ledger.write()).map_err(Error::Trouble)?;
        }
        let written = work.commit(|| files.unchanged());
        // Placing media as hard links changes their ctime, and with it what the cache knows them by.
        cache.relinked(&files.relinked());
        written.and(cache.save()).map_err(Error::Trouble)?;
    }
    let (files_written, files_removed) = work.counts();
    Ok(Summary {
        site: options.site.clone(),
        base_url: options.base_url.to_string(),
        dry_run: options.dry_run,
        feeds: (0..feeds.len()).map(|number| of_feed(number, &feeds, &planner)).collect(),
        releases: planner.released(),
        slots,
        files_hashed: cache.files_hashed(),
        bytes_hashed: cache.bytes_hashed(),
        files_written,
        files_unchanged: work.unchanged,
        files_removed,
        findings,
        warnings: warnings.told,
        changes: work.changes(options.dry_run),
    })
}

/// All that a run begins with.
struct Desk {
    site: Site,
    feeds: Vec<Feed>,
    /// The oldest first.
    media: Vec<Medium>,
    findings: Vec<Finding>,
    ledger: Ledger,
    /// What runs remember; none where media are not looked at.
    state: Option<State>,
}

/// A folder, held by this process.
struct State {
    path: PathBuf,
    _held: std::fs::File,
}

impl Desk {
    fn open(options: &Options) -> Result<Self, Error> {
        let refused = |problem| Error::Content(vec![problem]);
        let site = Site::open(&options.site).map_err(refused)?;
        let ledger = Ledger::open(&options.root).map_err(refused)?;
        if options.locked && ledger.former().is_none() {
            let problem = Problem::at(crate::lock::path(&options.root), "is missing");
            return Err(refused(
                problem.help("run `everseed lock` where the media are, and keep what it writes in version control"),
            ));
        }
        let state = if options.locked {
            None
        } else {
            not_in_the_site(options, &site).map_err(refused)?;
            let (path, held) = output::hold_state(&options.root.join(STATE_FOLDER)).map_err(Error::Trouble)?;
            Some(State { path, _held: held })
        };
        let feeds = feeds::find(options, &site)?;
        let (media, mut findings) = gather::gather(options, &site, &feeds, ledger.former())?;
        findings.extend(feeds::findings(&feeds));
        Ok(Self { site, feeds, media, findings, ledger, state })
    }
}

/// What runs remember, and the lock, are no part of what is published.
fn not_in_the_site(options: &Options, site: &Site) -> Result<(), Problem> {
    if options.root.canonicalize().is_ok_and(|root| root.starts_with(&site.path)) {
        let problem = Problem::at(&options.root, "is the project's folder, and stands in the site");
        return Err(problem.help("name a folder outside: everseed attach FOLDER --site DIR"));
    }
    Ok(())
}

/// What is told of releases that were taken into the lock.
struct Entered {
    /// How published torrents would become others, by the index of the medium.
    changes: Vec<(usize, String)>,
    /// What was noticed in the media.
    told: Vec<Problem>,
}

/// Takes the releases into `ledger`, and tells what is odd about them.
fn enter(scene: Scene, releases: &[Option<Release>], ledger: &mut Ledger, findings: &mut Vec<Finding>) -> Entered {
    let Scene { options, media, feeds, .. } = scene;
    let mut entered = Entered { changes: Vec::new(), told: Vec::new() };
    for (index, (medium, release)) in media.iter().zip(releases).enumerate() {
        let Some(release) = release else { continue };
        findings.extend(make::differences(options, medium, release, ledger, feeds));
        let told = |warning: &String| medium.first().problem(feeds, format!("{}: {warning}", medium.source));
        entered.told.extend(release.warnings.iter().map(told));
        let record = release::record(release, medium.origin(), make::guid(medium, feeds));
        let change = ledger.enter(&medium.slug, record, release.torrent.clone());
        entered.changes.extend(change.map(|change| (index, change)));
    }
    entered
}

/// What would change of what is published, by the lock and by what stands in the site.
///
/// What the lock has is as the lock has it, whatever stands in the site: it was changed on purpose, or not at all.
fn changes(scene: Scene, releases: &[Option<Release>], ledger: &Ledger, by_lock: Vec<(usize, String)>) -> Vec<Problem> {
    let Scene { options, site, media, feeds } = scene;
    let mut changes: BTreeMap<usize, String> = by_lock.into_iter().collect();
    let mut gone = Vec::new();
    for (index, (medium, release)) in media.iter().zip(releases).enumerate() {
        if options.locked || ledger.record(&medium.slug).is_some() {
            continue;
        }
        let Some(former) = site.published(&medium.torrent_place()) else { continue };
        let now = release.as_ref().map(|release| release.torrent.info_hashes);
        let former_name = crate::lock::names(former);
        match now {
            Some(now) if now == former => {}
            Some(now) => {
                let now = crate::lock::names(now);
                let change = format!("its info-hash is {now}, and was {former_name} when it was published");
                changes.entry(index).or_insert(change);
            }
            None => gone.push(index),
        }
    }
    let told = |(index, change): (usize, String)| {
        let medium = &media[index];
        let message = format!("the torrent of `{}` would become another one: {change}", medium.slug);
        medium.first().problem(feeds, message).help(make::CHANGED)
    };
    let gone = gone.into_iter().map(|index| {
        let medium = &media[index];
        let message =
            format!("the torrent of `{}` is published and would go: nothing is known of its file", medium.slug);
        medium.first().problem(feeds, message).help(make::GONE)
    });
    changes.into_iter().map(told).chain(gone).collect()
}

/// Everything that is to stand in the site, and how many elements of pages are filled.
fn plan(scene: Scene, planner: &Planner, findings: &mut Vec<Finding>) -> Result<(Plan, usize), Error> {
    let Scene { options, site, media, feeds } = scene;
    let mut plan = planner.files().map_err(|problem| Error::Content(vec![problem]))?;
    for (number, feed) in feeds.iter().enumerate() {
        let edits = feeds::edits(feed, &planner.amendment(number)).map_err(Error::Trouble)?;
        plan.insert(feed.place.clone(), Entry::Edits(edits));
    }
    if !options.html {
        return Ok((plan, 0));
    }
    let names = gather::by_name(options, media, feeds);
    let links = |name: &str| {
        let medium = &media[*names.get(name.trim())?];
        let made = planner.made().iter().find(|made| made.medium.slug == medium.slug)?;
        Some(planner.links(made))
    };
    let pages = pages::fill(site, &links).map_err(Error::Trouble)?;
    plan.extend(pages.edits.into_iter().map(|(place, edits)| (place, Entry::Edits(edits))));
    findings.extend(pages.findings);
    Ok((plan, pages.slots))
}

fn of_feed(number: usize, feeds: &[Feed], planner: &Planner) -> FeedSummary {
    let feed = &feeds[number];
    let with_torrent = planner.made().iter().flat_map(|made| &made.medium.uses).filter(|one| one.feed == number);
    FeedSummary {
        path: feed.place.to_string(),
        items: feed.content.items.len(),
        enclosures: feed.content.items.iter().map(|item| item.enclosures.len()).sum(),
        with_torrent: with_torrent.count(),
    }
}

/// Something in the site that its author should look at, and that keeps nothing else from being done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where, what, and what to do.
    pub problem: Problem,
    /// A word for what kind of thing it is, the same in each version: `no-media`, `length`, `duration`, `guid`, ...
    pub rule: &'static str,
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("Finding", 2)?;
        fields.serialize_field("rule", self.rule)?;
        fields.serialize_field("message", &self.problem.to_string())?;
        fields.end()
    }
}

/// What was attached, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The site's folder.
    pub site: PathBuf,
    /// Where the site stands.
    pub base_url: String,
    /// Whether nothing was written because that was asked for.
    pub dry_run: bool,
    /// The feeds that were looked at, in the order of their paths.
    pub feeds: Vec<FeedSummary>,
    /// What was released, the newest first.
    pub releases: Vec<Released>,
    /// Elements of pages that were filled.
    pub slots: usize,
    /// Files that were read and hashed; others were known.
    pub files_hashed: usize,
    /// Their bytes.
    pub bytes_hashed: u64,
    /// Files of the site that are new or differ.
    pub files_written: usize,
    /// Files that are as they were.
    pub files_unchanged: usize,
    /// Files of a former run that are no more.
    pub files_removed: usize,
    /// What should be looked at, in the order of the files.
    pub findings: Vec<Finding>,
    /// What was noticed in the media themselves.
    #[serde(serialize_with = "as_texts")]
    pub warnings: Vec<Problem>,
    /// What becomes of each file that differs, in the order of their paths.
    pub changes: Vec<Change>,
}

/// A feed that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeedSummary {
    /// Its path below the site.
    pub path: String,
    /// Its items that have enclosures.
    pub items: usize,
    /// Their enclosures.
    pub enclosures: usize,
    /// The enclosures that have a torrent now.
    pub with_torrent: usize,
}

/// A medium that has a torrent now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Released {
    /// The name it goes by in `torrents/`, in the lock and in pages.
    pub slug: String,
    /// The title of its item.
    pub title: String,
    /// Its URL without tracking prefixes: the web seed.
    pub url: String,
    /// The URL of its `.torrent`.
    pub torrent: String,
    /// Its magnet link.
    pub magnet: String,
    /// The info-hash that it goes by.
    pub info_hash: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether its bytes are in the site, where the server seeds them.
    pub is_in_site: bool,
}

/// What becomes of a file of the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Its path below the site.
    pub path: String,
    /// What is done to it.
    pub does: Done,
    /// What is put into it, and where; told where nothing is written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Inserted>,
}

/// What is done to a file of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Done {
    /// There was none.
    Added,
    /// It is written anew.
    Replaced,
    /// Spans of it become others.
    Amended,
    /// It goes.
    Removed,
}

/// A span of a file that becomes another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inserted {
    /// The line in the file as it was, counted from 1.
    pub line: usize,
    /// How many bytes go.
    pub removed_bytes: u64,
    /// What comes.
    pub text: String,
}

fn as_texts<S: Serializer>(warnings: &[Problem], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(warnings.iter().map(ToString::to_string))
}
