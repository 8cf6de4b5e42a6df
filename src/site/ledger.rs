//! The lock while a site is made: what it said before, what it will say, and what must not change between the two.

use std::collections::HashSet;
use std::path::Path;

use uuid::Uuid;

use super::content::{Content, Release};
use super::locked::Locked;
use super::options::Options;
use crate::feed;
use crate::id::InfoHashes;
use crate::lock::{self, Record};
use crate::problem::Problem;
use crate::release::{self, Tally};
use crate::units::PieceLength;

/// What to do about a published torrent that would become another one.
const CHANGED: &str = "what is published under a name stays as it is: give the new one another slug, take \
    the setting back, or say that it is meant with --accept-changed";

/// The lock of a site that is brought up to date.
#[derive(Debug)]
pub struct Ledger {
    lock: release::Ledger,
    /// What would change of what is published.
    changes: Vec<Problem>,
}

impl Ledger {
    /// Reads the lock in `folder`.
    pub fn open(folder: &Path) -> Result<Self, Problem> {
        Ok(Self { lock: release::Ledger::open(folder)?, changes: Vec::new() })
    }

    /// The lock as it was, to build from it alone or to hold it against the media.
    pub fn locked(&self) -> Result<Locked, Problem> {
        let lock = self.lock.former().ok_or_else(|| lock::missing(self.lock.folder()))?;
        Ok(Locked { folder: self.lock.folder().to_owned(), lock: lock.clone() })
    }

    /// What is known of the remote medium of `source`, which is ordered so.
    pub fn known(&self, source: &Release, order: &release::Order) -> Option<release::Content> {
        self.lock.known(&source.slug, &source.medium.origin, order, &source.text.file)
    }

    /// The piece length that `source` is published with, and how many bytes it has there.
    pub fn piece_length(&self, source: &Release) -> Option<(u64, PieceLength)> {
        self.lock.piece_length(&source.slug)
    }

    /// Gives the show and its episodes the identities that they had before, or those that they have from now on.
    pub fn identify(&mut self, options: &Options, content: &mut Content) {
        let former = self.lock.former().and_then(|lock| lock.show_guid);
        let guid = options.show.guid.or(former).unwrap_or_else(|| computed_guid(options));
        if let Some(former) = former.filter(|former| *former != guid) {
            let message = format!("`guid` of the show is {guid}, and was {former}");
            self.changes.push(Problem::at(&options.config_path, message).help(CHANGED));
        }
        // With the address of an example it would be the GUID of every show that began as that example.
        let is_settled = former.is_some() || options.show.guid.is_some() || !options.identity_url.is_placeholder();
        self.lock.identify(is_settled.then_some(guid));
        content.show_guid = Some(guid);
        for release in &mut content.releases {
            let former = self.lock.record(&release.slug).and_then(|record| record.guid.clone());
            let computed = || feed::episode_guid(&release.slug).to_string();
            let guid = release.guid.clone().or_else(|| former.clone()).unwrap_or_else(computed);
            if let Some(former) = former.filter(|former| *former != guid) {
                let message = format!("`guid` is {guid}, and was {former} when it was published");
                self.changes.push(Problem::at(&release.text.file, message).help(CHANGED));
            }
            release.guid = Some(guid);
        }
    }

    /// Takes in what was made of each release of `content`.
    pub fn enter_all(&mut self, content: &Content, made: &[release::Release]) {
        for (source, made) in content.releases.iter().zip(made) {
            self.enter(source, made);
        }
    }

    /// Takes in what was `made` of a release.
    fn enter(&mut self, source: &Release, made: &release::Release) {
        let record = release::record(made, source.medium.origin.clone(), source.guid.clone());
        if let Some(change) = self.lock.enter(&source.slug, record, &made.torrent) {
            let message = format!("the torrent of `{}` would become another one: {change}", source.slug);
            self.changes.push(Problem::at(&source.text.file, message).help(CHANGED));
        }
    }

    /// What would change of what is published, in the order of the files.
    pub fn take_changes(&mut self) -> Vec<Problem> {
        let mut changes = std::mem::take(&mut self.changes);
        changes.sort();
        changes
    }

    /// How the records moved.
    pub fn tally(&self) -> Tally {
        self.lock.tally()
    }

    /// What is to be said of releases of `content` that are new and were published under another slug, as it seems: podcast
    /// apps would take them for other episodes.
    pub fn renamed(&self, content: &Content) -> Vec<Problem> {
        let left_over: Vec<_> = self
            .left_over(content)
            .into_iter()
            .filter_map(|slug| {
                let record = self.lock.record(&slug)?;
                Some((slug, record))
            })
            .collect();
        let renamed = |release: &Release| {
            let now = self.lock.now().media.get(&release.slug).filter(|_| self.lock.record(&release.slug).is_none())?;
            let is_same =
                |former: &Record| former.origin == now.origin || former.sha384.is_some() && former.sha384 == now.sha384;
            let (slug, former) = left_over.iter().find(|(_, former)| is_same(former))?;
            let guid = former.guid.as_ref().filter(|guid| Some(*guid) != now.guid.as_ref())?;
            let message =
                format!("seems to be `{slug}` of everseed.lock, and podcast apps will take it for another episode");
            let help = format!("keep its identity with guid = {guid:?}, or its address with slug = {slug:?}");
            Some(Problem::at(&release.text.file, message).help(help))
        };
        content.releases.iter().filter_map(renamed).collect()
    }

    /// Whether the lock had a torrent of these info-hashes: it was published.
    pub fn has_published(&self, hashes: InfoHashes) -> bool {
        self.lock.former().is_some_and(|lock| lock.media.values().any(|record| record.info_hashes == hashes))
    }

    /// The slugs of records that no release of `content` has, drafts included.
    pub fn left_over(&self, content: &Content) -> Vec<String> {
        let slugs: HashSet<_> =
            content.releases.iter().map(|release| &release.slug).chain(&content.kept_back).collect();
        let has = |slug: &String| slugs.contains(slug);
        self.lock.now().media.keys().filter(|slug| !has(slug)).cloned().collect()
    }

    /// Takes the record of a release out.
    pub fn remove(&mut self, slug: &str) {
        self.lock.remove(slug);
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.lock.now().media.len()
    }

    /// Writes the lock and its torrents, where they differ from what is there.
    pub fn write(&self) -> Result<(), Problem> {
        self.lock.write()
    }
}

/// The show's `podcast:guid`, as long as nothing says another one.
fn computed_guid(options: &Options) -> Uuid {
    feed::show_guid(&options.identity_url.join("feed.xml"))
}
