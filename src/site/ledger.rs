//! The lock while a site is made: what it said before, what it will say, and what must not change between the two.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::content::{Content, Release};
use super::locked::Locked;
use super::options::Options;
use crate::feed;
use crate::lock::{self, Lock, Record};
use crate::metainfo::Torrent;
use crate::problem::Problem;
use crate::release;
use crate::units::PieceLength;

/// What to do about a published torrent that would become another one.
const CHANGED: &str = "what is published under a name stays as it is: give the new one another slug, take \
    the setting back, or say that it is meant with --accept-changed";

/// A lock that is brought up to date.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    former: Option<Lock>,
    now: Lock,
    /// The torrents of records that are new or other ones.
    torrents: Vec<(String, Torrent)>,
    /// The releases whose records were taken out.
    removed: Vec<String>,
    /// What would change of what is published.
    changes: Vec<Problem>,
    tally: Tally,
}

/// How the records of a lock moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that are new.
    pub added: usize,
    /// Those whose torrent or GUID is another one.
    pub changed: usize,
    /// Those that are as they were.
    pub unchanged: usize,
}

impl Ledger {
    /// Reads the lock in `folder`.
    pub fn open(folder: &Path) -> Result<Self, Problem> {
        let former = Lock::read(folder)?;
        let now = former.clone().unwrap_or_default();
        Ok(Self {
            folder: folder.to_owned(),
            former,
            now,
            torrents: Vec::new(),
            removed: Vec::new(),
            changes: Vec::new(),
            tally: Tally::default(),
        })
    }

    /// The lock as it was, to build from it alone or to hold it against the media.
    pub fn locked(&self) -> Result<Locked, Problem> {
        let Some(lock) = &self.former else {
            let problem = Problem::at(lock::path(&self.folder), "is missing");
            return Err(
                problem.help("run `everseed lock` where the media are, and keep what it writes in version control")
            );
        };
        Ok(Locked { folder: self.folder.clone(), lock: lock.clone() })
    }

    /// What is known of the remote medium of `source`, which is ordered so.
    pub fn known(&self, source: &Release, order: &release::Order) -> Option<release::Content> {
        let record = self.record(&source.slug).filter(|record| record.origin == source.medium.origin)?;
        record.remote.as_ref()?;
        // What does not fit is read again.
        let torrent = lock::read_torrent(&self.folder, &source.slug, record).ok()?;
        release::locked(order, record, &torrent, &source.text.file).ok()
    }

    /// The piece length that `source` is published with, and how many bytes it has there.
    pub fn piece_length(&self, source: &Release) -> Option<(u64, PieceLength)> {
        self.record(&source.slug).map(|record| (record.bytes, record.piece_length))
    }

    /// Gives the show and its episodes the identities that they had before, or those that they have from now on.
    pub fn identify(&mut self, options: &Options, content: &mut Content) {
        let former = self.former.as_ref().and_then(|lock| lock.show_guid);
        let guid = options.show.guid.or(former).unwrap_or_else(|| computed_guid(options));
        if let Some(former) = former.filter(|former| *former != guid) {
            let message = format!("`guid` of the show is {guid}, and was {former}");
            self.changes.push(Problem::at(&options.config_path, message).help(CHANGED));
        }
        // With the address of an example it would be the GUID of every show that began as that example.
        let is_settled = former.is_some() || options.show.guid.is_some() || !options.identity_url.is_placeholder();
        self.now.show_guid = is_settled.then_some(guid);
        content.show_guid = Some(guid);
        for release in &mut content.releases {
            let former = self.record(&release.slug).and_then(|record| record.guid.clone());
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
        let former = self.record(&source.slug);
        let other_guid = former.is_some_and(|former| former.guid != record.guid);
        let counted = match former.map(|former| release::change(former, &record)) {
            None => &mut self.tally.added,
            Some(None) if !other_guid => &mut self.tally.unchanged,
            Some(None) => &mut self.tally.changed,
            Some(Some(change)) => {
                let message = format!("the torrent of `{}` would become another one: {change}", source.slug);
                self.changes.push(Problem::at(&source.text.file, message).help(CHANGED));
                &mut self.tally.changed
            }
        };
        *counted += 1;
        self.torrents.push((source.slug.clone(), made.torrent.clone()));
        self.now.media.insert(source.slug.clone(), record);
    }

    fn record(&self, slug: &str) -> Option<&Record> {
        self.former.as_ref()?.media.get(slug)
    }

    /// What would change of what is published, in the order of the files.
    pub fn take_changes(&mut self) -> Vec<Problem> {
        let mut changes = std::mem::take(&mut self.changes);
        changes.sort();
        changes
    }

    /// How the records moved.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// What is to be said of releases of `content` that are new and were published under another slug, as it seems: podcast
    /// apps would take them for other episodes.
    pub fn renamed(&self, content: &Content) -> Vec<Problem> {
        let left_over: Vec<_> = self
            .left_over(content)
            .into_iter()
            .filter_map(|slug| {
                let record = self.record(&slug)?;
                Some((slug, record))
            })
            .collect();
        let renamed = |release: &Release| {
            let now = self.now.media.get(&release.slug).filter(|_| self.record(&release.slug).is_none())?;
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

    /// The slugs of records that no release of `content` has, drafts included.
    pub fn left_over(&self, content: &Content) -> Vec<String> {
        let slugs: HashSet<_> =
            content.releases.iter().map(|release| &release.slug).chain(&content.kept_back).collect();
        let has = |slug: &String| slugs.contains(slug);
        self.now.media.keys().filter(|slug| !has(slug)).cloned().collect()
    }

    /// Takes the record of a release out.
    pub fn remove(&mut self, slug: &str) {
        self.now.media.remove(slug);
        self.removed.push(slug.to_owned());
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.now.media.len()
    }

    /// Writes the lock and its torrents, where they differ from what is there.
    pub fn write(&self) -> Result<(), Problem> {
        // The torrents first: the lock names them.
        for (slug, torrent) in &self.torrents {
            lock::write_torrent(&self.folder, slug, torrent)?;
        }
        self.now.write(&self.folder)?;
        self.removed.iter().try_for_each(|slug| lock::remove_torrent(&self.folder, slug))
    }
}

/// The show's `podcast:guid`, as long as nothing says another one.
fn computed_guid(options: &Options) -> Uuid {
    feed::show_guid(&options.identity_url.join("feed.xml"))
}
