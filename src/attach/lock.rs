//! The lock of a site that another generator builds: brought up to date, or held against the media, without the site being
//! touched.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::Serialize;

use super::data::Data;
use super::desk::Desk;
use super::gather::Medium;
use super::make::{self, Whence};
use super::options::{Options, Place};
use super::plan::Planner;
use super::report::{Error, Finding, as_texts};
use crate::hash;
use crate::lock;
use crate::problem::Problem;
use crate::release::{self, Cache, Downloads, Ledger, Origin, Tally};

/// How a lock is brought up to date.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// Whether records that no feed has any more are taken out.
    pub prune: bool,
    /// The folder in which downloaded media are kept, under the names that they are published by.
    pub keep: Option<PathBuf>,
}

/// What bringing a lock up to date did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LockSummary {
    /// The lock.
    pub lock: PathBuf,
    /// The file for templates, where one is written.
    pub data: Option<PathBuf>,
    /// Its records.
    pub records: usize,
    /// Records that are new.
    pub added: usize,
    /// Records whose torrent or GUID is another one than before.
    pub changed: usize,
    /// Records that are as they were.
    pub unchanged: usize,
    /// Records that were taken out, because no feed has them any more.
    pub removed: usize,
    /// Files that were read and hashed; others were known.
    pub files_hashed: usize,
    /// Their bytes.
    pub bytes_hashed: u64,
    /// What should be looked at, in the order of the files.
    pub findings: Vec<Finding>,
    /// Records that no feed has.
    #[serde(serialize_with = "as_texts")]
    pub warnings: Vec<Problem>,
}

/// What was found when a lock was held against the media.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// The lock.
    pub lock: PathBuf,
    /// The media that were looked at.
    pub releases: usize,
    /// Each that is not as the lock says, in order.
    pub findings: Vec<Problem>,
}

/// Brings the lock of the site up to date, and the file for templates ([`Options::data`]), and writes nothing into the site.
///
/// Media that are neither in the site nor below the folders of media are downloaded; those that the lock knows are
/// downloaded again only if their servers do not say that they are what they were.
pub fn update_lock(options: &Options, how: &Update, progress: &dyn hash::Progress) -> Result<LockSummary, Error> {
    // Nothing is placed: the site is only read.
    let options = &Options { locked: false, place: Place::None, ..options.clone() };
    let mut desk = Desk::open(options)?;
    let mut cache = desk.cache();
    let downloads = Downloads { check: true, keep: how.keep.clone() };
    let made = make::make(desk.scene(), Whence::Servers(&downloads), &desk.ledger, &mut cache, progress);
    // What was hashed is kept, whatever comes of it.
    cache.save().map_err(Error::Trouble)?;
    let (releases, mut findings) = made?;
    let changes = desk.enter(&releases, &mut findings);
    let changes = desk.changes(&releases, changes);
    if !changes.is_empty() && !options.accept_changed {
        return Err(Error::Changed(changes));
    }
    findings.append(&mut desk.findings);
    findings.sort();
    findings.dedup();
    let mut warnings = Vec::new();
    let Desk { feeds, media, mut ledger, .. } = desk;
    let left_over = left_over(&ledger, &media);
    for slug in &left_over {
        if how.prune {
            ledger.remove(slug);
        } else {
            let warning = Problem::at(lock::path(&options.root), format!("`{slug}` has a record, and no enclosure"));
            warnings.push(warning.help("take it out with --prune, if it is not to come back"));
        }
    }
    ledger.write().map_err(Error::Trouble)?;
    if let Some(path) = &options.data {
        let planner = Planner::new(options, &feeds, &media, &releases);
        Data::of(&planner).write(path).map_err(Error::Trouble)?;
    }
    let Tally { added, changed, unchanged } = ledger.tally();
    Ok(LockSummary {
        lock: lock::path(&options.root),
        data: options.data.clone(),
        records: ledger.now().media.len(),
        added,
        changed,
        unchanged,
        removed: if how.prune { left_over.len() } else { 0 },
        files_hashed: cache.files_hashed(),
        bytes_hashed: cache.bytes_hashed(),
        findings,
        warnings,
    })
}

/// Reads and hashes every medium, those on other servers too, and holds it against the lock. Nothing is changed.
pub fn verify_lock(options: &Options, progress: &dyn hash::Progress) -> Result<Verified, Error> {
    let options = &Options { locked: false, place: Place::None, ..options.clone() };
    let Desk { feeds, media, ledger, .. } = Desk::open(options)?;
    let path = lock::path(&options.root);
    if ledger.former().is_none() {
        return Err(Error::Content(vec![lock::missing(&options.root)]));
    }
    let mut findings = Vec::new();
    for medium in &media {
        let first = medium.first();
        let shown = &feeds[first.feed].shown;
        let Some(record) = ledger.record(&medium.slug).filter(|record| record.origin == medium.origin()) else {
            let message = format!("the enclosure {:?} has no record in everseed.lock", medium.address.feed_url);
            findings.push(first.problem(&feeds, message).help("run `everseed lock`"));
            continue;
        };
        findings.extend(lock::read_torrent(ledger.folder(), &medium.slug, record).err());
        let web = || Origin::Url(medium.address.direct_url.clone());
        let origin = medium.path().map_or_else(web, |path| Origin::File(path.clone()));
        let order = make::order(options, &ledger, medium, &feeds, origin);
        match release::make(&order, &mut Cache::none(), progress) {
            Err(problem) => findings.push(problem.or_at(shown)),
            Ok(made) => {
                let found = release::held_against(record, &medium.slug, &made);
                findings.extend(found.map(|problem| problem.or_at_line(shown, first.enclosure(&feeds).line)));
            }
        }
    }
    findings.extend(left_over(&ledger, &media).into_iter().map(|slug| {
        Problem::at(&path, format!("`{slug}` has a record, and no enclosure"))
            .help("take it out with `everseed lock --prune`, if it is not to come back")
    }));
    Ok(Verified { lock: path, releases: media.len(), findings })
}

/// The slugs of records that no medium has.
fn left_over(ledger: &Ledger, media: &[Medium]) -> Vec<String> {
    let slugs: HashSet<_> = media.iter().map(|medium| &medium.slug).collect();
    ledger.now().media.keys().filter(|slug| !slugs.contains(slug)).cloned().collect()
}
