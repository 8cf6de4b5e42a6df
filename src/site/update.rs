//! The lock by itself: brought up to date, or held against the media, without a site being written.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::content::{self, Content};
use super::ledger::Ledger;
use super::options::Options;
use super::{Error, as_texts, keep, make_all, order_again, remarks};
use crate::hash;
use crate::lock;
use crate::output::hold_state;
use crate::problem::Problem;
use crate::release::{self, Cache, Downloads, Tally};

/// How a lock is brought up to date.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// Whether records that no page has any more are taken out.
    pub prune: bool,
    /// The folder in which downloaded media are kept, under the names that they are published by.
    pub keep: Option<PathBuf>,
}

/// What bringing a lock up to date did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockSummary {
    /// The lock.
    pub lock: PathBuf,
    /// Its records.
    pub records: usize,
    /// Records that are new.
    pub added: usize,
    /// Records whose torrent or GUID is another one than before.
    pub changed: usize,
    /// Records that are as they were.
    pub unchanged: usize,
    /// Records that were taken out, because no page has them any more.
    pub removed: usize,
    /// Files that were read and hashed; others were known.
    pub files_hashed: usize,
    /// Their bytes.
    pub bytes_hashed: u64,
    /// What is not wrong and still worth a look.
    #[serde(serialize_with = "as_texts")]
    pub warnings: Vec<Problem>,
}

/// What was found when a lock was held against the media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The lock.
    pub lock: PathBuf,
    /// The releases that were looked at.
    pub releases: usize,
    /// Each that is not as the lock says, in order.
    pub findings: Vec<Problem>,
}

/// Brings the lock of the site up to date, and writes nothing else but what builds remember below the folder `state`.
///
/// Media that are known to be as they were are not read.
pub fn update_lock(
    options: &Options,
    state: &Path,
    how: &Update,
    progress: &dyn hash::Progress,
) -> Result<LockSummary, Error> {
    let (state, _held) = hold_state(state).map_err(Error::Trouble)?;
    let (mut content, mut ledger) = open(options, &state)?;
    let mut cache = Cache::load(state.join("hashes"));
    let downloads = Downloads { check: true, keep: how.keep.clone() };
    let made = make_all(options, &content, &ledger, &downloads, &mut cache, progress);
    // What was hashed is kept, whatever comes of it.
    cache.save().map_err(Error::Trouble)?;
    let made = made?;
    let mut warnings = keep(&mut ledger, options, &mut content, &made)?;
    warnings.append(&mut content.warnings);
    warnings.extend(remarks(&content, &made));
    let left_over = ledger.left_over(&content);
    for slug in &left_over {
        if how.prune {
            ledger.remove(slug);
        } else {
            let warning =
                Problem::at(lock::path(&options.root), format!("`{slug}` has a record, and no page that is published"));
            warnings.push(warning.help("take it out with --prune, if it is not to come back"));
        }
    }
    ledger.write().map_err(Error::Trouble)?;
    let Tally { added, changed, unchanged } = ledger.tally();
    Ok(LockSummary {
        lock: lock::path(&options.root),
        records: ledger.len(),
        added,
        changed,
        unchanged,
        removed: if how.prune { left_over.len() } else { 0 },
        files_hashed: cache.files_hashed(),
        bytes_hashed: cache.bytes_hashed(),
        warnings,
    })
}

/// Reads and hashes every medium, whatever is remembered of it, and holds it against the lock. Nothing is changed.
pub fn verify_lock(options: &Options, state: &Path, progress: &dyn hash::Progress) -> Result<Verified, Error> {
    let (state, _held) = hold_state(state).map_err(Error::Trouble)?;
    let (content, ledger) = open(options, &state)?;
    let locked = ledger.locked().map_err(|problem| Error::Content(vec![problem]))?;
    let mut findings = Vec::new();
    for source in &content.releases {
        let page = &source.text.file;
        let Some(record) = locked.lock.media.get(&source.slug) else {
            findings.push(Problem::at(page, "has no record in everseed.lock").help("run `everseed lock`"));
            continue;
        };
        findings.extend(locked.torrent(&source.slug, record).err());
        match release::make(&order_again(options, &ledger, source), &mut Cache::none(), progress) {
            Err(problem) => findings.push(problem.or_at(page)),
            Ok(made) => {
                let made_of = lock::Record { origin: source.medium.origin.clone(), ..record.clone() };
                findings
                    .extend(release::held_against(&made_of, &source.slug, &made).map(|problem| problem.or_at(page)));
            }
        }
    }
    let has_page = |slug: &str| content.releases.iter().any(|release| release.slug == slug);
    let pageless = locked.lock.media.keys().filter(|slug| !has_page(slug));
    findings.extend(pageless.map(|slug| {
        Problem::at(lock::path(&options.root), format!("`{slug}` has a record, and no page that is published"))
            .help("take it out with `everseed lock --prune`, if it is not to come back")
    }));
    Ok(Verified { lock: lock::path(&options.root), releases: content.releases.len(), findings })
}

fn open(options: &Options, state: &Path) -> Result<(Content, Ledger), Error> {
    let refused = |problem| Error::Content(vec![problem]);
    let ledger = Ledger::open(&options.root).map_err(refused)?;
    let own = [(state.to_owned(), "what builds remember")];
    let content = content::load(options, None, &own).map_err(Error::Content)?;
    Ok((content, ledger))
}
