//! A run of attaching, from the site to its releases: what building the plan of the site begins with.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

use super::feeds::{self, Feed};
use super::gather::{self, Medium};
use super::make::{self, Scene};
use super::options::Options;
use super::plan::{Entry, Plan};
use super::report::{Error, Finding};
use super::site::Site;
use crate::lock;
use crate::manifest;
use crate::output;
use crate::problem::Problem;
use crate::release::{self, Cache, Ledger, Release};

/// All that a run begins with.
pub struct Desk<'o> {
    options: &'o Options,
    /// The site.
    pub site: Site,
    /// Its feeds.
    pub feeds: Vec<Feed>,
    /// The media that their enclosures lead to, the oldest first.
    pub media: Vec<Medium>,
    /// What is odd about them.
    pub findings: Vec<Finding>,
    /// The lock.
    pub ledger: Ledger,
    /// What runs remember; none where media are not looked at.
    state: Option<State>,
}

/// A folder, held by this process.
struct State {
    path: PathBuf,
    _held: File,
}

impl<'o> Desk<'o> {
    /// Takes the site and what runs remember for this process, and reads the feeds.
    pub fn open(options: &'o Options) -> Result<Self, Error> {
        let refused = |problem| Error::Content(vec![problem]);
        let mut site = Site::open(&options.site)?;
        let ledger = Ledger::open(&options.root).map_err(refused)?;
        if options.locked && ledger.former().is_none() {
            return Err(refused(lock::missing(&options.root)));
        }
        let state = if options.locked {
            None
        } else {
            not_in_the_site(options, &site).map_err(refused)?;
            let (path, held) = output::hold_state(&options.root.join(output::STATE_FOLDER)).map_err(Error::Trouble)?;
            // Generators that clean their output take what was published with it.
            site.recall(&path).map_err(Error::Trouble)?;
            Some(State { path, _held: held })
        };
        let feeds = feeds::find(options, &site)?;
        let (media, mut findings) = gather::gather(options, &site, &feeds, ledger.former())?;
        findings.extend(feeds::findings(&feeds));
        findings.extend(gather::elsewhere(options, &feeds, &media));
        Ok(Self { options, site, feeds, media, findings, ledger, state })
    }

    /// What it is about.
    pub fn scene(&self) -> Scene<'_> {
        Scene { options: self.options, site: &self.site, feeds: &self.feeds, media: &self.media }
    }

    /// The hashes of media that former runs have read.
    pub fn cache(&self) -> Cache {
        self.state.as_ref().map_or_else(Cache::none, |state| Cache::load(state.path.join("hashes")))
    }

    /// Whether the lock is brought up to date: one that is there, and is not all that is looked at.
    pub fn writes_lock(&self) -> bool {
        self.ledger.former().is_some() && !self.options.locked
    }

    /// Keeps what `plan` publishes for the next run, where the site does not.
    pub fn remember(&self, plan: &Plan) -> Result<(), Problem> {
        let Some(state) = &self.state else { return Ok(()) };
        match plan.get(&manifest::place()) {
            Some(Entry::Bytes(json)) => self.site.remember(&state.path, json),
            _ => Ok(()),
        }
    }

    /// Takes the releases into the lock, and tells what is odd about them.
    ///
    /// What is given back is how those that the lock has would become others, by the index of the medium.
    pub fn enter(&mut self, releases: &[Option<Release>], findings: &mut Vec<Finding>) -> Vec<(usize, String)> {
        let mut changes = Vec::new();
        for (index, (medium, release)) in self.media.iter().zip(releases).enumerate() {
            let Some(release) = release else { continue };
            findings.extend(make::differences(self.options, medium, release, &self.ledger, &self.feeds));
            let find = |warning: &String| {
                let problem = medium.first().problem(&self.feeds, format!("{}: {warning}", medium.source));
                Finding { rule: "medium", problem }
            };
            findings.extend(release.warnings.iter().map(find));
            if self.options.locked {
                continue;
            }
            // A GUID stays what it was when it was first seen, and another one is told of each time.
            let former = self.ledger.record(&medium.slug).and_then(|record| record.guid.clone());
            let guid = former.filter(|_| !self.options.accept_changed).or_else(|| make::guid(medium, &self.feeds));
            let record = release::record(release, medium.origin(), guid);
            let change = self.ledger.enter(&medium.slug, record, &release.torrent);
            changes.extend(change.map(|change| (index, change)));
        }
        changes
    }

    /// What would change of what is published, by the lock and by what stands in the site.
    ///
    /// What the lock has is as the lock has it, whatever stands in the site: it was changed on purpose, or not at all.
    pub fn changes(&self, releases: &[Option<Release>], by_lock: Vec<(usize, String)>) -> Vec<Problem> {
        if self.options.locked {
            return Vec::new();
        }
        let mut changes: BTreeMap<usize, Problem> = BTreeMap::new();
        let of = |medium: &Medium, message: String| medium.first().problem(&self.feeds, message);
        for (index, change) in by_lock {
            changes.insert(index, of(&self.media[index], another(&self.media[index], &change)).help(make::CHANGED));
        }
        for (index, (medium, release)) in self.media.iter().zip(releases).enumerate() {
            if self.ledger.record(&medium.slug).is_some() {
                continue;
            }
            let Some(former) = self.site.published(&medium.torrent_place()) else { continue };
            match release.as_ref().map(|release| release.torrent.info_hashes) {
                Some(now) if now == former => {}
                Some(now) => {
                    let (now, former) = (lock::names(now), lock::names(former));
                    let change = format!("its info-hash is {now}, and was {former} when it was published");
                    changes.insert(index, of(medium, another(medium, &change)).help(make::CHANGED));
                }
                None => {
                    let message = format!(
                        "the torrent of `{}` is published and would go: nothing is known of its file",
                        medium.slug
                    );
                    changes.insert(index, of(medium, message).help(make::GONE));
                }
            }
        }
        changes.into_values().collect()
    }
}

fn another(medium: &Medium, change: &str) -> String {
    format!("the torrent of `{}` would become another one: {change}", medium.slug)
}

/// What runs remember, and the lock, are no part of what is published.
fn not_in_the_site(options: &Options, site: &Site) -> Result<(), Problem> {
    if options.root.canonicalize().is_ok_and(|root| root.starts_with(&site.path)) {
        let problem = Problem::at(&options.root, "is the project's folder, and stands in the site");
        return Err(problem.help("name a folder outside: everseed attach FOLDER --site DIR"));
    }
    Ok(())
}
