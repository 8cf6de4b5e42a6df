//! What the rooms of a running server share: the site in force, the tracker, the seed and the way to the disk, and
//! how they are kept in step.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fmt::{self, Write};
use std::num::NonZeroU64;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use super::announce::Tracker;
use super::clock;
use super::history::History;
use super::http;
use super::log::Log;
use super::quota::{Meter, Quota, Stage};
use super::shelf::Shelf;
use super::site::{OwnTrackers, Published, Site};
use super::status::{Everseed, FAULTS_MAX, Named, Open, Row, Scrub, Scrubbing, Snapshot, carried};
use super::web::WebSent;
use crate::id::{InfoHash, InfoHashes};
use crate::pace::Allowance;
use crate::seed::{self, Health, Seed};
use crate::store::{self, Lifetime, MonthSent, Point, Sample, Scrubbed, Writer};
use crate::tracker::{self, Counts, RELOAD_BATCH, Reload, Seconds, SeedState};

/// Lines that one look at the torrents' health writes at most.
const HEALTH_LINES_MAX: usize = 20;

/// How long announces have the swarms between two steps of putting a site in force.
const TURN: Duration = Duration::from_micros(100);

/// Torrents for which a snapshot is taken on every request; of more it is kept for a second.
const SNAPSHOT_QUICK_MAX: usize = 1000;

/// A running server.
pub struct State {
    /// The folder of the site.
    pub root: PathBuf,
    /// The names of the path below which the site is published, where the manifest is not to be asked.
    pub base: Option<Vec<String>>,
    /// Announce URLs that lead here.
    pub own: OwnTrackers,
    /// The tracker.
    pub tracker: Tracker,
    /// The permanent seed.
    pub seed: Arc<Seed>,
    /// Where it listens.
    pub peer_port: u16,
    /// The way to the disk.
    pub writer: Arc<Writer>,
    /// What the web server counts.
    pub http: Arc<http::Counters>,
    /// What leaves over HTTP of the torrents' files.
    pub web: WebSent,
    /// What of the site's files is read for it at one time.
    pub shelf: Arc<Shelf>,
    /// The time series.
    pub history: History,
    /// The peers' pace while no quota is used up.
    pub upload_bytes_per_sec: Option<NonZeroU64>,
    /// When the server started, in seconds since 1970.
    pub started_secs: u64,
    /// Whether the metrics have an address of their own.
    pub has_metrics_apart: bool,
    /// Where lines for the operator go.
    pub log: Log,
    /// What others warn of.
    pub warnings: Warnings,
    /// What changes while it runs.
    pub inner: Inner,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("root", &self.root).finish_non_exhaustive()
    }
}

/// The most warnings of others that are kept.
const WARNINGS_MAX: usize = 16;

/// What others have to say to who watches the server; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    /// Puts these in the place of the former ones; at most `WARNINGS_MAX` of them.
    pub fn set(&self, mut lines: Vec<String>) {
        lines.truncate(WARNINGS_MAX);
        *lock(&self.0) = lines;
    }
}

/// What changes while a server runs. Each lock covers memory alone.
#[derive(Debug, Default)]
pub struct Inner {
    site: RwLock<Arc<Site>>,
    /// What is wrong with the files of the site, while a former state of it is in force.
    site_fault: Mutex<Option<String>>,
    snapshot: Mutex<Option<Arc<Snapshot>>>,
    /// Bytes sent in the lifetime of each torrent, as the store knows them.
    sent: Mutex<HashMap<InfoHash, u64>>,
    /// What the seed had sent in all when that was looked at last.
    sent_in_all: AtomicU64,
    /// Which samples were passed on.
    sampled: Mutex<Sampled>,
    /// What left in this month.
    meter: Mutex<Meter>,
    /// What may still leave in it, where there is a quota.
    allowance: OnceLock<Arc<Allowance>>,
    /// What is done, or would be, about those that are damaged.
    healing: Mutex<HashMap<InfoHash, String>>,
    /// Torrents that are not seeded, and what the operator was told of each.
    told: Mutex<HashMap<InfoHash, Vec<String>>>,
}

/// The samples that the store was given, so that it is told news alone.
#[derive(Debug, Default)]
struct Sampled {
    /// A digest of the last sample of each swarm, in the tracker's order.
    digests: Vec<u64>,
    /// The swarm that comes next.
    next: usize,
}

/// How a site that was put in force differs from the former one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// Torrents that are new.
    pub added: usize,
    /// Torrents that are withdrawn.
    pub removed: usize,
}

impl State {
    /// The site in force.
    pub fn site(&self) -> Arc<Site> {
        Arc::clone(&self.inner.site.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes what the store knows that the seed has sent, once and before the first [`State::enforce`].
    pub fn restore_sent(&self, sent: impl IntoIterator<Item = (InfoHash, u64)>) {
        lock(&self.inner.sent).extend(sent.into_iter().filter(|(_, sent)| *sent > 0));
    }

    /// Takes what the store knows of scrubs, once and after the first [`State::enforce`].
    pub fn restore_scrubs(&self, scrubs: &[Scrubbed]) {
        let now = clock::now_secs();
        let ago = |at: Seconds| Duration::from_secs(now.saturating_sub(at.0));
        let scrubs = scrubs.iter().map(|&Scrubbed { info_hash, at, bad_pieces }| seed::Scrubbed {
            info_hash,
            ago: ago(at),
            bad_pieces,
        });
        self.seed.remember_scrubs(&scrubs.collect::<Vec<_>>());
    }

    /// Goes on counting what left in each month, under this quota.
    pub fn restore_months(&self, quota: Option<Quota>, months: impl IntoIterator<Item = MonthSent>) {
        if let Some(quota) = quota {
            let allowance = self.inner.allowance.get_or_init(|| Arc::new(Allowance::new(quota.of_each())));
            self.web.pace().share(allowance);
            self.seed.share(allowance);
        }
        *lock(&self.inner.meter) = Meter::new(quota, months);
    }

    /// Counts what has left since the last time, and slows everything down, or not any more, as the quota asks for. What
    /// leaves until the next time is counted turn by turn, so that the quota's end holds at once.
    pub fn count_month(&self) {
        let mut meter = lock(&self.inner.meter);
        let counted = meter.count(Seconds(clock::now_secs()), self.seed.sent_in_all_bytes(), self.web.since_start());
        let then = meter.quota().map(Quota::of_each);
        if let (Some(allowance), Some(left)) = (self.inner.allowance.get(), meter.left_bytes()) {
            match counted.turned {
                Some(Stage::Free) => allowance.set(left),
                _ => allowance.correct(left),
            }
        }
        drop(meter);
        if let Some(month) = counted.grown {
            self.writer.month(month);
        }
        if let Some(stage) = counted.turned {
            let slow = then.filter(|_| stage == Stage::Slowed);
            self.web.pace().set(slow);
            let normal = self.upload_bytes_per_sec;
            self.seed.set_upload(slow.map(|slow| normal.map_or(slow, |normal| normal.min(slow))).or(normal));
        }
        if let Some(line) = counted.line {
            self.log.line(line);
        }
    }

    /// Puts a site in force, in the tracker, in the seed and on the pages. A torrent that is new is offered until a
    /// fault is found.
    pub fn enforce(&self, site: Site) -> Changed {
        let former = self.site();
        let changed = changed(&former, &site);
        self.pass_on_sent();
        self.seed.set_torrents(site.torrents.iter().map(|one| one.seed.clone()).collect());
        // A torrent that is new to the seed goes on where it stopped.
        for (info_hash, known) in lock(&self.inner.sent).iter() {
            if let Some(status) = self.seed.status(info_hash) {
                self.seed.add_sent(info_hash, known.saturating_sub(status.sent_bytes));
            }
        }
        let healths = self.healths(&site);
        // Each with its seed, so that no announce meets a torrent without it.
        let torrents = site.torrents.iter().zip(&healths);
        let torrents = torrents.map(|(one, health)| (one.entry.info_hashes, health.map(offered)));
        let options = self.tracker.swarms().options().clone();
        let mut reload = Reload::new(torrents, &options);
        while !self.tracker.swarms().reload(&mut reload) {
            std::thread::sleep(TURN);
        }
        *self.inner.site.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(site);
        *lock(&self.inner.site_fault) = None;
        *lock(&self.inner.snapshot) = None;
        changed
    }

    /// Looks which media are there, without reading them: before it, every torrent counts as seeded.
    pub async fn look_for_media(&self) {
        self.seed.look().await;
        self.look_at_health();
    }

    /// Says what is wrong with the files of the site; returns whether that is news.
    pub fn set_site_fault(&self, fault: Option<String>) -> bool {
        let mut known = lock(&self.inner.site_fault);
        let news = *known != fault;
        *known = fault;
        drop(known);
        *lock(&self.inner.snapshot) = None;
        news
    }

    /// Says what is done, or would be, about a torrent that is damaged.
    pub fn set_healing(&self, info_hash: &InfoHash, text: Option<String>) {
        let mut healing = lock(&self.inner.healing);
        let former = match text {
            Some(text) => healing.insert(*info_hash, text),
            None => healing.remove(info_hash),
        };
        let is_news = former.as_ref() != healing.get(info_hash);
        drop(healing);
        if is_news {
            *lock(&self.inner.snapshot) = None;
        }
    }

    /// Offers the everseed in the swarms of which it has the bytes, withdraws it from the others, and tells the
    /// operator what changed.
    pub fn look_at_health(&self) {
        let site = self.site();
        let healths = self.healths(&site);
        for some in site.torrents.iter().zip(&healths).collect::<Vec<_>>().chunks(RELOAD_BATCH) {
            let mut swarms = self.tracker.swarms();
            for (one, health) in some {
                let Some(health) = health else { continue };
                for hash in one.entry.info_hashes.swarms() {
                    swarms.set_seed(&hash, offered(*health));
                }
            }
        }
        *lock(&self.inner.snapshot) = None;
        self.tell(&site);
    }

    /// How the torrents of `site` stand, in its order; nothing for those that the seed does not know: it has been given
    /// the ones of another site, which is about to be in force.
    fn healths(&self, site: &Site) -> Vec<Option<Health>> {
        site.torrents.iter().map(|one| self.seed.health(&one.entry.info_hashes.main())).collect()
    }

    /// Gives the store what was sent since the last time.
    pub fn pass_on_sent(&self) {
        for (info_hash, web_sent) in self.web.grown() {
            self.writer.web_sent(info_hash, web_sent);
        }
        let by_seed = self.seed.sent();
        let mut sent = lock(&self.inner.sent);
        for (info_hash, bytes) in by_seed {
            if bytes > sent.get(&info_hash).copied().unwrap_or(0) {
                sent.insert(info_hash, bytes);
                self.writer.sent(info_hash, bytes);
            }
        }
    }

    /// The same, where the seed has sent anything at all.
    pub fn pass_on_sent_if_any(&self) {
        let in_all = self.seed.sent_bytes();
        if self.inner.sent_in_all.swap(in_all, Ordering::Relaxed) != in_all || !self.web.is_passed_on() {
            self.pass_on_sent();
        }
    }

    /// Gives the store a point of the time series for one of `parts` of the torrents, those that are next, as far as it
    /// says something new: so thousands of them neither stop the world nor fill the memory once a minute.
    pub fn pass_on_samples(&self, parts: usize) {
        let at = Seconds(clock::now_secs());
        let web = self.web.each();
        let sent = lock(&self.inner.sent);
        let mut sampled = lock(&self.inner.sampled);
        let of = |known: &HashMap<InfoHash, u64>, info_hash: &InfoHash| known.get(info_hash).copied().unwrap_or(0);
        let swarms = self.tracker.swarms();
        let count = swarms.torrents();
        let Sampled { digests, next } = &mut *sampled;
        digests.resize(count, 0);
        let first = if *next < count { *next } else { 0 };
        let part = count.div_ceil(parts);
        *next = first + part;
        let turn = swarms.statuses().zip(digests).skip(first).take(part);
        let mut news = Vec::new();
        for (tracker::Status { info_hash, counts, lifetime, .. }, digest) in turn {
            let point = Point {
                at,
                seeds: counts.complete,
                leechers: counts.incomplete,
                lifetime: Lifetime {
                    completed: lifetime.completed,
                    uploaded: lifetime.uploaded,
                    downloaded: lifetime.downloaded,
                    sent: of(&sent, &info_hash),
                    web_sent: of(&web, &info_hash),
                },
            };
            // The place of a swarm may be another's after the site has changed.
            let said = point.digest() ^ u64::from_ne_bytes(*info_hash.0.first_chunk().expect("8 of 20 bytes"));
            if std::mem::replace(digest, said) != said {
                news.push(Sample { info_hash, point });
            }
        }
        drop((swarms, sampled, sent));
        self.writer.sample(news);
    }

    /// Gives the store a point of the time series of all torrents together.
    pub fn pass_on_total(&self) {
        let mut total = Point { at: Seconds(clock::now_secs()), ..Point::default() };
        for tracker::Status { counts, lifetime, .. } in self.tracker.swarms().statuses() {
            total.seeds += counts.complete;
            total.leechers += counts.incomplete;
            total.lifetime.completed = total.lifetime.completed.saturating_add(lifetime.completed);
            total.lifetime.uploaded = total.lifetime.uploaded.saturating_add(lifetime.uploaded);
            total.lifetime.downloaded = total.lifetime.downloaded.saturating_add(lifetime.downloaded);
        }
        // Torrents that are withdrawn count on, so that the sums never go down.
        total.lifetime.sent = sum(lock(&self.inner.sent).values());
        total.lifetime.web_sent = sum(self.web.each().values());
        self.writer.total(total);
    }

    /// Gives the store what the seed found out about the files, so that a restart need not read them all.
    pub fn pass_on_verdicts(&self) {
        let (site, root) = (self.site(), &self.root);
        // The store has one verdict a path; of several torrents of a file, all but the first have a name of their own.
        let is_first = |verdict: &seed::Verdict| {
            let path = verdict.path.strip_prefix(root).ok().and_then(Path::to_str);
            path.and_then(|path| site.medium(path)).is_none_or(|first| first == verdict.info_hash)
        };
        let verdicts = self.seed.take_verdicts().into_iter().map(|verdict| in_words(is_first(&verdict), verdict));
        self.writer.put_verdicts(verdicts);
    }

    /// Gives the store what the seed has read again, so that it goes on from there after a restart.
    pub fn pass_on_scrubs(&self) {
        let now = clock::now_secs();
        for seed::Scrubbed { info_hash, ago, bad_pieces } in self.seed.take_scrubs() {
            let at = Seconds(now.saturating_sub(ago.as_secs()));
            self.writer.scrubbed(Scrubbed { info_hash, at, bad_pieces });
        }
    }

    /// How it stands, in short: the torrents, those of them that are seeded, and what is wrong.
    pub fn summary(&self) -> (u64, u64, Vec<String>) {
        let site = self.site();
        let mut faults = self.own_faults();
        let mut seeded = 0;
        for one in &site.torrents {
            let Some(status) = self.seed.status(&one.entry.info_hashes.main()) else { continue };
            seeded += u64::from(is_seeded(status.health));
            status.faults.iter().for_each(|fault| faults.add(format!("{}: {fault}", one.entry.shown_title())));
        }
        (site.torrents.len() as u64, seeded, faults.list())
    }

    /// What is wrong with more than a torrent.
    fn own_faults(&self) -> Faults {
        let mut faults = Faults::default();
        if let Some(fault) = lock(&self.inner.site_fault).clone() {
            faults.add(fault);
        }
        if let Some(problem) = self.writer.health().trouble {
            faults.add(problem.message().to_owned());
        }
        faults
    }

    /// Lets go of a snapshot that is too old to be given to anybody.
    pub fn forget_snapshot(&self) {
        let now = clock::now_secs();
        let old = lock(&self.inner.snapshot).take_if(|snapshot| snapshot.generated != now);
        // Which may take a while.
        drop(old);
    }

    /// The state of everything, at most a second old where it takes some work to tell.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let now = clock::now_secs();
        let mut kept = lock(&self.inner.snapshot);
        let fresh =
            |snapshot: &&Arc<Snapshot>| snapshot.generated == now && snapshot.torrents.len() > SNAPSHOT_QUICK_MAX;
        if let Some(snapshot) = kept.as_ref().filter(fresh) {
            return Arc::clone(snapshot);
        }
        let snapshot = Arc::new(self.look(now));
        *kept = Some(Arc::clone(&snapshot));
        snapshot
    }

    fn look(&self, now: u64) -> Snapshot {
        let site = self.site();
        let swarms = self.tracker.swarms();
        let tracked: Vec<Counts> =
            site.torrents.iter().map(|one| counts(one.entry.info_hashes, |hash| swarms.status(hash))).collect();
        let (addresses, addresses_learned) = (swarms.seed_addresses(), swarms.options().seed_addresses.is_empty());
        let (torrents, peers) = swarms.open();
        let open = swarms.options().open.map(|_| Open { torrents: torrents as u64, peers: peers as u64 });
        drop(swarms);
        let web = self.web.each();
        let healing = lock(&self.inner.healing).clone();
        let mut faults = self.own_faults();
        let meter = lock(&self.inner.meter);
        let (month, mut warnings) = (meter.usage(), meter.warning().into_iter().collect::<Vec<_>>());
        drop(meter);
        warnings.extend(lock(&self.warnings.0).iter().cloned());
        let mut everseed = Everseed {
            peer_port: self.peer_port,
            addresses: addresses.iter().map(ToString::to_string).collect(),
            addresses_learned,
            month,
            warnings,
            connections: self.seed.connections() as u64,
            torrents: site.torrents.len() as u64,
            open,
            ..Everseed::default()
        };
        let mut torrents = Vec::with_capacity(site.torrents.len());
        let mut downloaded: u64 = 0;
        for (one, counts) in site.torrents.iter().zip(tracked) {
            let hash = one.entry.info_hashes.main();
            let seed = self.seed.status(&hash);
            everseed.seeded += u64::from(seed.as_ref().is_some_and(|seed| is_seeded(seed.health)));
            for fault in seed.iter().flat_map(|seed| &seed.faults) {
                faults.add(format!("{}: {fault}", one.entry.shown_title()));
            }
            let mut row = row(&site, one, seed.as_ref(), counts, now);
            row.web_sent_bytes = web.get(&hash).copied().unwrap_or(0);
            row.carried_bytes = carried(row.completed, row.named.bytes(), row.sent_bytes, row.web_sent_bytes);
            row.heal = healing.get(&hash).map(|text| text.as_str().into());
            everseed.sent_bytes = everseed.sent_bytes.saturating_add(row.sent_bytes);
            everseed.web_sent_bytes = everseed.web_sent_bytes.saturating_add(row.web_sent_bytes);
            downloaded = downloaded.saturating_add(row.completed.saturating_mul(row.named.bytes()));
            if let Some(scrub) = row.scrub {
                everseed.scrubbed += 1;
                let since = everseed.scrubbed_since.get_or_insert(scrub.at);
                *since = scrub.at.min(*since);
            }
            torrents.push(row);
        }
        // Of the sums, so that what was sent of one torrent and never completed is not lost: rather too little.
        everseed.carried_bytes = carried(1, downloaded, everseed.sent_bytes, everseed.web_sent_bytes);
        everseed.faults = faults.list();
        Snapshot { title: site.title.clone(), torrents, everseed, generated: now }
    }

    /// A line for each torrent that is not seeded any more, or is again.
    fn tell(&self, site: &Site) {
        let mut told = lock(&self.inner.told);
        let mut lines = Vec::new();
        let mut still_told = HashSet::new();
        for one in &site.torrents {
            let hash = one.entry.info_hashes.main();
            let Some(health) = self.seed.health(&hash) else { continue };
            if is_as_meant(health) {
                told.remove(&hash);
                continue;
            }
            if is_seeded(health) {
                if told.remove(&hash).is_some() {
                    lines.push(format!("seed: {} is seeded again", one.entry.shown_title()));
                }
                continue;
            }
            still_told.insert(hash);
            // As it stands now, where that has changed again: the next look comes to it.
            let Some(status) = self.seed.status(&hash).filter(|status| !is_seeded(status.health)) else { continue };
            if told.get(&hash) != Some(&status.faults) {
                let mut line =
                    format!("WARNING: seed: {} is not seeded, it is {}", one.entry.shown_title(), status.health);
                for fault in &status.faults {
                    write!(line, "\n  {fault}").expect("a String takes all that is written");
                }
                lines.push(line);
                told.insert(hash, status.faults.clone());
            }
        }
        told.retain(|hash, _| still_told.contains(hash));
        drop(told);
        for line in lines.iter().take(HEALTH_LINES_MAX) {
            self.log.line(line);
        }
        if lines.len() > HEALTH_LINES_MAX {
            let more = lines.len() - HEALTH_LINES_MAX;
            self.log.line(format!("seed: {more} more torrents have changed; the status page names them"));
        }
    }
}

fn changed(former: &Site, site: &Site) -> Changed {
    fn hashes(site: &Site) -> HashSet<&InfoHashes> {
        site.torrents.iter().map(|one| &one.entry.info_hashes).collect()
    }
    let (before, now) = (hashes(former), hashes(site));
    Changed { added: now.difference(&before).count(), removed: before.difference(&now).count() }
}

/// Whether the everseed has, as far as is known, all bytes of a torrent: then the tracker hands it out.
fn is_seeded(health: Health) -> bool {
    matches!(health, Health::Verified | Health::Verifying)
}

/// Whether it is not seeded and need not be.
fn is_as_meant(health: Health) -> bool {
    health == Health::Elsewhere
}

fn offered(health: Health) -> SeedState {
    if is_seeded(health) { SeedState::Offered } else { SeedState::Withdrawn }
}

/// What is written behind the info-hash of a verdict on a file that was found damaged since.
const DAMAGED: u8 = 1;

/// What stands between a path and what tells the torrents of it apart; no path has it.
const PATH_END: u8 = 0;

/// A verdict as it is kept: the info-hash, and one byte more where the file was found damaged. Of a torrent that is not
/// the `first` of its file, the info-hash stands behind the path too.
fn in_words(is_first: bool, verdict: seed::Verdict) -> store::Verdict {
    let mut words = verdict.info_hash.0.to_vec();
    words.extend(verdict.is_damaged.then_some(DAMAGED));
    let mut path = verdict.path.into_os_string().into_vec();
    if !is_first {
        path.push(PATH_END);
        path.extend_from_slice(&verdict.info_hash.0);
    }
    store::Verdict { path: OsString::from_vec(path).into(), fingerprint: verdict.fingerprint, verdict: words }
}

/// The file that a verdict is kept for.
pub fn file_of(path: &Path) -> &Path {
    let bytes = path.as_os_str().as_bytes();
    let end = bytes.iter().position(|&byte| byte == PATH_END).unwrap_or(bytes.len());
    Path::new(OsStr::from_bytes(&bytes[..end]))
}

/// A verdict that was kept; nothing where it is in words of another version.
pub fn from_words(verdict: store::Verdict) -> Option<seed::Verdict> {
    let store::Verdict { path, fingerprint, verdict: words } = verdict;
    let (info_hash, rest) = words.split_first_chunk()?;
    let is_damaged = match rest {
        [] => false,
        [DAMAGED] => true,
        _ => return None,
    };
    let info_hash = InfoHash(*info_hash);
    let mut path = path.into_os_string().into_vec();
    path.truncate(path.iter().position(|&byte| byte == PATH_END).unwrap_or(path.len()));
    Some(seed::Verdict { info_hash, path: OsString::from_vec(path).into(), fingerprint, is_damaged })
}

/// The one swarm of a torrent in numbers, or the two of a hybrid one together.
fn counts(hashes: InfoHashes, tracked: impl Fn(&InfoHash) -> Option<tracker::Status>) -> Counts {
    let mut offered = false;
    let swarms = hashes.swarms().filter_map(|hash| tracked(&hash));
    swarms.fold(Counts::default(), |sum, tracker::Status { counts, seed, .. }| Counts {
        // The everseed is one, though it is in both.
        complete: sum.complete + counts.complete
            - u64::from(seed == SeedState::Offered && std::mem::replace(&mut offered, true)),
        incomplete: sum.incomplete + counts.incomplete,
        downloaders: sum.downloaders + counts.downloaders,
        downloaded: sum.downloaded + counts.downloaded,
    })
}

/// A torrent as it is shown.
fn row(site: &Site, one: &Published, seed: Option<&seed::Status>, counts: Counts, now: u64) -> Row {
    let scrub = seed.map_or_else(seed::ScrubState::default, |seed| seed.scrub);
    Row {
        named: Named::of(&one.entry, site.page(&one.entry)),
        seeds: counts.complete,
        leechers: counts.incomplete,
        completed: counts.downloaded,
        sent_bytes: seed.map_or(0, |seed| seed.sent_bytes),
        health: match seed.map_or(Health::Missing, |seed| seed.health) {
            Health::Verified => "verified",
            Health::Verifying => "verifying",
            Health::Elsewhere => "elsewhere",
            Health::Degraded => "degraded",
            Health::Missing => "missing",
        },
        bad_pieces: seed.map_or(0, |seed| seed.pieces_bad.into()),
        pieces: one.pieces,
        scrub: scrub
            .last
            .map(|(ago, bad_pieces)| Scrub { at: now.saturating_sub(ago.as_secs()), bad_pieces: bad_pieces.into() }),
        scrubbing: scrub.progress.map(|(done, of)| Scrubbing { done: done.into(), of: of.into() }),
        connections: seed.map_or(0, |seed| seed.connections as u64),
        web_sent_bytes: 0,
        carried_bytes: 0,
        heal: None,
    }
}

/// Faults, up to [`FAULTS_MAX`] by name.
#[derive(Default)]
struct Faults {
    named: Vec<String>,
    more: usize,
}

impl Faults {
    fn add(&mut self, fault: String) {
        if self.named.len() < FAULTS_MAX { self.named.push(fault) } else { self.more += 1 }
    }

    fn list(mut self) -> Vec<String> {
        if self.more > 0 {
            self.named.push(format!("and {} more", self.more));
        }
        self.named
    }
}

fn sum<'a>(counts: impl Iterator<Item = &'a u64>) -> u64 {
    counts.fold(0, |sum, count| sum.saturating_add(*count))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // None of these is left half changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::Fingerprint;

    #[test]
    fn verdicts_of_torrents_of_one_file_are_kept_beside_each_other() {
        let fingerprint = Fingerprint { bytes: 1, mtime_ns: 2, ctime_ns: 3, inode: 4 };
        let verdict = |hash: u8, is_damaged| seed::Verdict {
            info_hash: InfoHash([hash; 20]),
            path: "/srv/media/a.mp3".into(),
            fingerprint,
            is_damaged,
        };
        let [first, second, third] = [verdict(1, false), verdict(2, true), verdict(0, false)];
        let kept = [(true, &first), (false, &second), (false, &third)].map(|(is, one)| in_words(is, one.clone()));
        let paths: HashSet<_> = kept.iter().map(|one| one.path.clone()).collect();
        assert_eq!((paths.len(), kept[0].path.as_path()), (3, first.path.as_path()));
        assert!(kept.iter().all(|one| file_of(&one.path) == first.path));
        assert_eq!(kept.map(from_words), [first, second, third].map(Some));
    }
}
