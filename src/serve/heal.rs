//! Healing while a site is served: what is wrong is looked at closely, and the status page says what would be done about
//! it; where the operator wants that, it is done.
//!
//! The work is done by a thread of its own, one torrent at a time; this task decides when.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::data::DataFolder;
use super::site::{Published, Site};
use super::state::{self, State};
use crate::fingerprint::Fingerprint;
use crate::hash::Progress;
use crate::heal::{self, Healer, Look, Mode, Outcome, Place, Plan, Subject, Watch};
use crate::id::{InfoHash, PeerId};
use crate::metainfo::Torrent;
use crate::problem::Problem;
use crate::seed::{self, Health, Query};
use crate::store::Reader;
use crate::units::size_text;

/// The port that is named where peers are asked for: nobody listens there, and the seed's own is left out of it, since
/// who asked is gone a moment later (RFC 863).
const PORT_OF_NOBODY: u16 = 9;
/// The most peers of our own tracker that are asked for bytes.
const PEERS_MAX: usize = 200;
/// At most how many bytes of a torrent are read, or fetched, in a second.
const READ_BYTES_PER_SEC: u64 = 64 << 20;
/// The least torrents that are missing at once for it to be the disk that is missing.
const MISSING_AT_ONCE_MIN: usize = 3;

/// What an operator may set of healing.
#[derive(Debug, Clone, Default)]
pub struct Healing {
    /// Whether it is done.
    pub mode: Mode,
    /// From where.
    pub options: heal::Options,
    /// When.
    pub(super) pauses: Pauses,
}

/// How long is waited.
#[derive(Debug, Clone)]
pub(super) struct Pauses {
    /// Before damage is looked at closely: the seed may find more, and a file may still be on its way.
    pub look: Duration,
    /// Before it is healed, from when it was found.
    pub decayed: Duration,
    /// Before a file that is gone is fetched again.
    pub missing: Duration,
    /// After the first failure; it doubles with each further one.
    pub again: Duration,
    /// The longest of these.
    pub again_max: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(2),
            decayed: Duration::from_secs(15),
            missing: Duration::from_secs(120),
            again: Duration::from_secs(60),
            again_max: Duration::from_secs(6 * 3600),
        }
    }
}

/// A torrent of the site below `root` as one to be healed; `torrent` is what [`Published::read`] gives.
pub fn subject<'t>(root: &Path, site: &Site, one: &Published, torrent: &'t Torrent) -> Subject<'t> {
    let entry = one.entry.unpack();
    let place = |file: crate::manifest::File| Place { path: file.path.below(root), below: file.path, url: file.url };
    let published = entry.torrent.below(root);
    Subject {
        title: one.entry.shown_title().to_owned(),
        root: root.to_owned(),
        base_url: site.base_url.clone(),
        torrent,
        files: entry.files.into_iter().map(place).collect(),
        // Of a torrent that can't be looked at nothing is older.
        published_ns: std::fs::metadata(published).map_or(i64::MIN, |metadata| Fingerprint::of(&metadata).mtime_ns),
    }
}

/// How the files that the database in the folder `data` knows looked when they were last known to be right.
pub fn known(data: &Path) -> Result<HashMap<PathBuf, Fingerprint>, Problem> {
    Ok(remembered(data)?.into_iter().map(|verdict| (verdict.path, verdict.fingerprint)).collect())
}

/// What the database in the folder `data` says of files. A server may have it open.
pub fn remembered(data: &Path) -> Result<Vec<seed::Verdict>, Problem> {
    let database = DataFolder::database_in(data);
    if !database.exists() {
        return Ok(Vec::new());
    }
    Ok(Reader::open(&database)?.verdicts()?.into_iter().filter_map(state::from_words).collect())
}

/// Peers that the trackers in `tiers` know of a torrent.
pub async fn ask_trackers(one: &Published, tiers: Vec<Vec<String>>) -> Vec<SocketAddr> {
    let Some(info_hash) = one.entry.info_hashes.v1() else { return Vec::new() };
    let mut peer_id = *b"-ES0100-############";
    if getrandom::fill(&mut peer_id[8..]).is_err() {
        return Vec::new();
    }
    let left = one.entry.files().map(|file| file.bytes).sum();
    seed::ask(&Query { info_hash, trackers: tiers, peer_id: PeerId(peer_id), port: PORT_OF_NOBODY, left }).await
}

/// Follows the health of the torrents for as long as the server runs.
pub async fn follow(state: Arc<State>, healing: Healing, data: PathBuf) {
    let mut changes = state.seed.changes();
    let mut patients: HashMap<InfoHash, Patient> = HashMap::new();
    loop {
        changes.mark_unchanged();
        admit(&state, &healing, &mut patients);
        let next = patients.iter().filter_map(|(info_hash, patient)| Some((patient.due?, *info_hash))).min();
        if let Some((_, info_hash)) = next.filter(|(due, _)| *due <= Instant::now()) {
            treat(&state, &healing, &data, info_hash, &mut patients).await;
            continue;
        }
        let waited = tokio::select! {
            waited = changes.changed() => waited,
            () = sleep_until(next.map_or_else(Instant::now, |(due, _)| due)), if next.is_some() => Ok(()),
        };
        if waited.is_err() {
            return;
        }
    }
}

/// A torrent that is not well.
#[derive(Debug)]
struct Patient {
    /// What the seed says of it.
    faults: Vec<String>,
    bad_pieces: u32,
    is_missing: bool,
    /// When it was found so.
    since: Instant,
    /// When it is looked at next; not before something changes, where it is nothing.
    due: Option<Instant>,
    failures: u32,
}

/// Takes note of who is ill, and who is well again.
fn admit(state: &State, healing: &Healing, patients: &mut HashMap<InfoHash, Patient>) {
    let now = Instant::now();
    let ill: HashMap<InfoHash, seed::Status> = state
        .seed
        .statuses(|health| matches!(health, Health::Degraded | Health::Missing))
        .into_iter()
        // What a disk holds that does not answer is not damaged for all that is known, and a look at it would hang.
        .filter(|(info_hash, _)| state.seed.damage(info_hash).is_some())
        .collect();
    patients.retain(|info_hash, _| {
        let is_ill = ill.contains_key(info_hash);
        if !is_ill {
            state.set_healing(info_hash, None);
        }
        is_ill
    });
    for (info_hash, status) in ill {
        let is_known = patients
            .get(&info_hash)
            .is_some_and(|patient| patient.faults == status.faults && patient.bad_pieces == status.pieces_bad);
        if !is_known {
            let patient = Patient {
                faults: status.faults,
                bad_pieces: status.pieces_bad,
                is_missing: status.health == Health::Missing,
                since: now,
                due: Some(now + healing.pauses.look),
                failures: 0,
            };
            patients.insert(info_hash, patient);
        }
    }
}

/// What the thread has found, and done.
struct Treated {
    plan: Plan,
    look: Look,
    outcome: Option<Outcome>,
}

/// Looks at one torrent closely, and heals it where that is wanted.
async fn treat(
    state: &Arc<State>,
    healing: &Healing,
    data: &Path,
    info_hash: InfoHash,
    patients: &mut HashMap<InfoHash, Patient>,
) {
    let missing = patients.values().filter(|patient| patient.is_missing).count();
    let site = state.site();
    let Some(patient) = patients.get_mut(&info_hash) else { return };
    let are_many_missing = missing >= MISSING_AT_ONCE_MIN && missing * 2 > site.torrents.len();
    let is_disk_gone = patient.is_missing && (are_many_missing || state.seed.has_lost_its_disk(&info_hash));
    let pause = if patient.is_missing { healing.pauses.missing } else { healing.pauses.decayed };
    let ripe = patient.since + pause;
    let does = healing.mode == Mode::On && !is_disk_gone && ripe <= Instant::now();
    // What is not known of it is settled by a further look.
    patient.due = None;
    let Some(treated) = in_thread(state, &site, healing, data, info_hash, does).await else { return };
    match treated {
        Err(problem) => {
            state.set_healing(&info_hash, Some(format!("can't be looked at: {}", problem.message())));
            patient.fail(healing);
        }
        Ok(treated) if treated.look.is_whole() => {
            // It has come back by itself.
            state.set_healing(&info_hash, None);
            state.look_for_media().await;
            patient.fail(healing);
        }
        Ok(Treated { plan, outcome: None, .. }) => {
            let text = match (healing.mode, plan.is_healing) {
                (Mode::On, true) if is_disk_gone && !are_many_missing => {
                    "its disk is not where it was: it is not fetched \
                     again by itself; `everseed heal` does it"
                        .to_owned()
                }
                (Mode::On, true) if is_disk_gone => format!(
                    "{missing} torrents are missing at once, as if a disk were: they are not fetched again by \
                     themselves; `everseed heal` does it"
                ),
                (Mode::On, true) => {
                    patient.due = Some(ripe);
                    plan.deed()
                }
                (_, true) => format!("{}; `everseed heal --yes` does it", plan.deed()),
                (_, false) => not_healed(&plan),
            };
            state.set_healing(&info_hash, Some(text));
        }
        Ok(Treated { plan, outcome: Some(outcome), .. }) => {
            tell(state, &plan, &outcome);
            if outcome.is_whole() {
                state.set_healing(&info_hash, None);
            } else {
                let why = outcome.left.first().map(|left| format!("{} {}", left.name, left.problem.message()));
                let again = patient.fail(healing);
                state.set_healing(
                    &info_hash,
                    Some(format!("{}; tried again in {} s", why.unwrap_or_default(), again.as_secs())),
                );
            }
            state.look_for_media().await;
        }
    }
}

impl Patient {
    /// Puts it off, and returns for how long.
    fn fail(&mut self, healing: &Healing) -> Duration {
        let Pauses { again, again_max, .. } = healing.pauses;
        let pause = again.saturating_mul(2_u32.saturating_pow(self.failures)).min(again_max);
        self.failures = self.failures.saturating_add(1);
        self.due = Some(Instant::now() + pause);
        pause
    }
}

fn not_healed(plan: &Plan) -> String {
    if plan.needs_consent {
        let name = &plan.name;
        format!(
            "it may be a new version: build the site again, or take back what was published with \
             `everseed heal --yes --force {name:?}`"
        )
    } else {
        "it can't be healed".into()
    }
}

/// Sets a flag when it is dropped.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Looks, and heals if it `does`, in a thread that nobody waits for at the end: what it puts in place is whole. Nothing
/// where the torrent is none of the site's any more.
async fn in_thread(
    state: &Arc<State>,
    site: &Arc<Site>,
    healing: &Healing,
    data: &Path,
    info_hash: InfoHash,
    does: bool,
) -> Option<Result<Treated, Problem>> {
    let index = site.torrents.iter().position(|one| one.entry.info_hashes.main() == info_hash)?;
    let (sender, receiver) = oneshot::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let _stop = StopOnDrop(Arc::clone(&stop));
    let work = Work {
        state: Arc::clone(state),
        site: Arc::clone(site),
        index,
        options: healing.options.clone(),
        data: data.to_owned(),
        runtime: Handle::current(),
        stop,
    };
    let spawned = std::thread::Builder::new().name("heal".into()).spawn(move || {
        // The server may have ended.
        let _ = sender.send(work.run(does));
    });
    if let Err(error) = spawned {
        return Some(Err(Problem::new(format!("can't start a thread: {error}"))));
    }
    Some(receiver.await.unwrap_or_else(|_| Err(Problem::new("the thread that heals has fallen"))))
}

/// What the thread needs.
struct Work {
    state: Arc<State>,
    site: Arc<Site>,
    index: usize,
    options: heal::Options,
    data: PathBuf,
    runtime: Handle,
    stop: Arc<AtomicBool>,
}

impl Work {
    fn run(self, does: bool) -> Result<Treated, Problem> {
        let one = &self.site.torrents[self.index];
        let torrent = one.read(&self.state.root)?;
        let mut subject = subject(&self.state.root, &self.site, one, &torrent);
        if self.state.own.is_mirror && self.state.own.urls.is_empty() {
            // It does not know its own address: what stands at that of the manifest is the site that this is a copy of.
            subject.base_url.clear();
        }
        let known = known(&self.data)?;
        let watch = Watch { progress: &Unhurried, stop: &self.stop };
        // One thread: there is a site to be served meanwhile.
        let look = heal::examine(&subject, |path| known.get(path).copied(), 1, watch)?;
        let plan = Plan::of(&subject, &look, &self.options, false);
        if !does || !plan.is_healing {
            return Ok(Treated { plan, look, outcome: None });
        }
        self.state.set_healing(&one.entry.info_hashes.main(), Some(format!("now: {}", plan.deed())));
        let healer = Healer::new(self.options.clone(), &self.data)?;
        let outcome = healer.heal(&subject, &look, false, &|| self.peers(one), watch);
        Ok(Treated { plan, look, outcome: Some(outcome) })
    }

    fn peers(&self, one: &Published) -> Vec<SocketAddr> {
        let own =
            one.entry.info_hashes.v1().map(|info_hash| self.state.tracker.swarms().members(&info_hash, PEERS_MAX));
        let others = self.runtime.block_on(ask_trackers(one, one.other_trackers.clone()));
        own.unwrap_or_default().into_iter().chain(others).collect()
    }
}

/// Rests after each piece, so that [`READ_BYTES_PER_SEC`] are read at most.
struct Unhurried;

impl Progress for Unhurried {
    fn advance(&self, bytes: u64) {
        std::thread::sleep(Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / READ_BYTES_PER_SEC));
    }
}

/// Lines for the operator on what was done.
fn tell(state: &State, plan: &Plan, outcome: &Outcome) {
    for healed in &outcome.healed {
        let sources: Vec<_> =
            outcome.tried.iter().filter(|tried| tried.pieces > 0).map(|tried| &*tried.source).collect();
        let from = if sources.is_empty() { String::new() } else { format!(", from {}", sources.join(" and ")) };
        state.log.line(format!(
            "heal: {} of {} is whole again ({}{from})",
            healed.name,
            plan.title,
            size_text(healed.bytes)
        ));
        if let Some(note) = healed.note() {
            state.log.line(format!("WARNING: heal: {}: {note}", healed.name));
        }
    }
    if outcome.left.is_empty() {
        return;
    }
    let mut lines = vec![format!("WARNING: heal: {} is not whole", plan.title)];
    lines.extend(outcome.left.iter().map(|left| format!("  {}: {}", left.name, left.problem.message())));
    lines.extend(outcome.tried.iter().filter(|tried| tried.problem.is_some()).map(|tried| format!("  {tried}")));
    state.log.line(lines.join("\n"));
}
