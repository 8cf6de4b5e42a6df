//! Start, run and end of a server.

use std::fmt;
use std::future::ready;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::announce::Tracker;
use super::bound::Bound;
use super::clock;
use super::data::DataFolder;
use super::dht;
use super::front::Front;
use super::heal::{self, Healing};
use super::history::History;
use super::http::{self, Counters};
use super::log::Log;
use super::quota::Quota;
use super::reload::Watch;
use super::route;
use super::site::{self, OwnTrackers, Site};
use super::state::{self, Inner, State, Warnings};
use super::udp::Wire;
use super::web::WebSent;
use crate::chores::Chores;
use crate::fetch::swarm::Dht;
use crate::heal::Mode;
use crate::id::PeerId;
use crate::problem::Problem;
use crate::seed::{self, Seed};
use crate::store::{Loaded, Store, Trouble, Writer, WriterOptions};
use crate::tracker::address::Networks;
use crate::tracker::{self, Seconds, Swarms, Tally};

/// The longest that the end takes.
pub const END_MAX: Duration = Duration::from_secs(2);
/// How much of it the seed has to say goodbye to other trackers and the web server to finish its answers.
const GOODBYE_MAX: Duration = Duration::from_secs(1);
/// How much of it is left for what these two still bring to the database.
const LAST_WRITE_MAX: Duration = Duration::from_millis(350);
/// What a busy machine takes beside.
const END_SPARE: Duration = Duration::from_millis(500);
const _: () = assert!(
    GOODBYE_MAX.as_millis() + LAST_WRITE_MAX.as_millis() + END_SPARE.as_millis() <= END_MAX.as_millis()
        && http::SHUTDOWN_MAX.as_millis() < GOODBYE_MAX.as_millis(),
    "each part of the end has its time, and all together have theirs"
);
/// The most connections to the metrics at one time, where they have an address of their own.
const METRICS_CONNECTIONS_MAX: usize = 64;
/// How often the manifest is looked at and peers expire.
const TICK: Duration = Duration::from_secs(1);
/// The shortest time between two looks at the torrents' health.
const HEALTH_PAUSE: Duration = Duration::from_millis(200);
/// How often the seed is told of leechers that may not have come to it.
const CALL_EVERY: Duration = Duration::from_secs(10);
/// The most of them that it is told of at a time.
const CALLED_MAX: usize = 256;
/// Ticks between two looks at what the seed has sent.
const SENT_EVERY_TICKS: u64 = 5;
/// Ticks between two points of the time series, of which the store keeps the last in ten minutes.
const SAMPLE_EVERY_TICKS: u64 = 60;
/// The torrents have theirs in so many parts, one with each look at what was sent.
const SAMPLE_PARTS: usize = 12;
const _: () = assert!(SAMPLE_PARTS as u64 * SENT_EVERY_TICKS == SAMPLE_EVERY_TICKS, "each has one in that time");

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the built site.
    pub site: PathBuf,
    /// The path below which the site is published, as `/show/`; unset, it is that of the manifest's `base_url`.
    pub base_path: Option<String>,
    /// Addresses at which strangers reach the permanent seed; none: the one at which an announce arrived.
    pub public_addresses: Vec<IpAddr>,
    /// The port at which they do; unset, it is the one that was bound.
    pub public_peer_port: Option<u16>,
    /// Proxies whose word about a client's address is taken.
    pub trusted_proxies: Networks,
    /// Announce URLs that lead here, beside `announce` below the site's `base_url`.
    pub own_trackers: Vec<String>,
    /// Whether the site is a mirror of another's: all trackers of its torrents are others', and are announced to.
    pub is_mirror: bool,
    /// What `/healthz` warns of beside its own, which others keep up to date.
    pub warnings: Warnings,
    /// The tracker's limits and intervals. What is said of the seed in it is set from the fields above.
    pub tracker: tracker::Options,
    /// The web server's limits.
    pub http: http::Options,
    /// The permanent seed's limits.
    pub seed: seed::Limits,
    /// How much may leave in a month; unset, it is only counted.
    pub quota: Option<Quota>,
    /// What is done about damaged files.
    pub healing: Healing,
    /// The mainline DHT, if torrents that are not private are announced there.
    pub dht: Option<Dht>,
    /// [`GOODBYE_MAX`]; a test on a busy machine has more.
    pub(super) goodbye_max: Duration,
}

impl Options {
    /// Everything by default but the folder.
    pub fn new(site: impl Into<PathBuf>) -> Self {
        Self {
            site: site.into(),
            base_path: None,
            public_addresses: Vec::new(),
            public_peer_port: None,
            trusted_proxies: Networks::default(),
            own_trackers: Vec::new(),
            is_mirror: false,
            warnings: Warnings::default(),
            tracker: tracker::Options::default(),
            http: http::Options::default(),
            seed: seed::Limits::default(),
            quota: None,
            healing: Healing::default(),
            dht: None,
            goodbye_max: GOODBYE_MAX,
        }
    }
}

/// What a server that has started can say of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Whether the site has a manifest; without one nothing is tracked or seeded.
    pub has_manifest: bool,
    /// The torrents of the site.
    pub torrents: u64,
    /// Those of them that are seeded.
    pub seeded: u64,
    /// Peers that are known from a former run.
    pub peers_restored: usize,
    /// What is wrong, a line each.
    pub faults: Vec<String>,
}

/// Why a server did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartError {
    /// The site is not one that can be served: every fault that was found.
    Site(Vec<Problem>),
    /// The site may be right, and something else stood in the way.
    Trouble(Problem),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(problems) => {
                let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Self::Trouble(problem) => problem.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<Problem> for StartError {
    fn from(problem: Problem) -> Self {
        Self::Trouble(problem)
    }
}

/// A server that has started and not run yet.
#[derive(Debug)]
pub struct Server {
    state: Arc<State>,
    watch: Watch,
    pub(super) http: TcpListener,
    udp: Vec<(Wire, [u8; 16])>,
    metrics: Option<TcpListener>,
    peer: TcpListener,
    utp: Option<std::net::UdpSocket>,
    http_options: http::Options,
    goodbye_max: Duration,
    peers_restored: usize,
    /// How often it looks at what changes; a test can't wait a second.
    pub(super) tick: Duration,
    healing: Healing,
    /// The DHT, and the port that is announced there.
    dht: Option<(Dht, u16)>,
    // Held as long as the server lives.
    data: DataFolder,
}

impl Server {
    /// Reads the site, opens the database in `data`, restores counts and peers, and looks for the site's media. It
    /// holds its thread while it does.
    pub async fn start(bound: Bound, data: DataFolder, options: Options, log: Log) -> Result<Self, StartError> {
        let root = std::path::absolute(&options.site)
            .map_err(|error| Problem::at(&options.site, format!("is no path: {error}")))?;
        let own = OwnTrackers {
            urls: options.own_trackers,
            udp_ports: bound.udp_addr().map(|addr| addr.port()).into_iter().collect(),
            is_mirror: options.is_mirror,
        };
        // Before the site is read, so that what changes meanwhile is seen.
        let watch = Watch::new(site::stamp(&root));
        let site = site::load(&root, &own).map_err(StartError::Site)?;
        if !site.has_manifest {
            log.line(format!(
                "WARNING: {} has no everseed.json: its files are served, and nothing is tracked or seeded",
                root.display()
            ));
        }

        let now = Seconds(clock::now_secs());
        let Memory { loaded, verdicts, writer } = remember(&data.database(), &root, &site, now, &log)?;
        let peer_port = bound.peer_addr().port();
        let public_peer_port = options.public_peer_port.unwrap_or(peer_port);
        let fault = bound.utp_fault.iter();
        fault.for_each(|it| log.line(format!("WARNING: peers come over TCP alone, not over uTP: {it}")));
        if let Some(addr) = bound.metrics_addr() {
            log.line(format!("the metrics are at http://{addr}/metrics, and not at the address of the site"));
        }
        let seed_id = peer_id()?;
        let mut seed_options = seed::Options::new(seed_id, peer_port);
        let upload_bytes_per_sec = options.seed.upload_bytes_per_sec;
        seed_options.limits = options.seed;
        // Nine tenths, so that it ends by itself.
        seed_options.stop_within = options.goodbye_max * 9 / 10;
        let seed = Seed::new(&seed_options);
        seed.remember(verdicts);

        let mut swarms = Swarms::new(
            tracker::Options {
                seed_addresses: options.public_addresses,
                seed_port: public_peer_port,
                seed_id,
                ..options.tracker
            },
            random()?,
        );
        swarms.set_torrents(site.torrents.iter().map(|one| one.entry.info_hashes));
        for (info_hash, lifetime) in &loaded.lifetimes {
            let (completed, uploaded, downloaded) = (lifetime.completed, lifetime.uploaded, lifetime.downloaded);
            swarms.restore_tally(*info_hash, Tally { completed, uploaded, downloaded });
        }
        let peers_restored = swarms.restore(loaded.peers, now);
        let sink = Arc::clone(&writer);
        let tracker =
            Tracker::new(swarms, options.trusted_proxies, Box::new(move |changes| sink.push(changes)), log.clone());

        let state = Arc::new(State {
            base: options.base_path.as_deref().map(site::path_names),
            root,
            own,
            tracker,
            seed,
            peer_port,
            writer,
            http: Arc::new(Counters::default()),
            web: WebSent::new(loaded.lifetimes.iter().map(|(info_hash, lifetime)| (*info_hash, lifetime.web_sent))),
            shelf: Arc::default(),
            history: History::new(data.database()),
            upload_bytes_per_sec,
            started_secs: now.0,
            has_metrics_apart: bound.metrics.is_some(),
            log,
            warnings: options.warnings,
            inner: Inner::default(),
        });
        state.restore_sent(loaded.lifetimes.iter().map(|(info_hash, lifetime)| (*info_hash, lifetime.sent)));
        state.restore_months(options.quota, loaded.months);
        // Before anything leaves: the quota may be used up.
        state.count_month();
        state.enforce(site);
        state.restore_scrubs(&loaded.scrubs);
        state.look_for_media().await;
        let key = data.secret()?;
        let wire = |socket| Wire::new(socket).map(|wire| (wire, key));
        let udp = bound.udp.into_iter().map(wire).collect::<Result<_, _>>();
        let udp = udp.map_err(|error| Problem::new(format!("UDP can't be served: {error}")))?;
        let listen = |listener, what| {
            TcpListener::from_std(listener).map_err(|error| Problem::new(format!("{what} can't be served: {error}")))
        };
        Ok(Self {
            http: listen(bound.http, "HTTP")?,
            udp,
            metrics: bound.metrics.map(|socket| listen(socket, "the metrics' port")).transpose()?,
            peer: listen(bound.peer, "the peers' port")?,
            utp: bound.utp,
            state,
            watch,
            http_options: options.http,
            goodbye_max: options.goodbye_max,
            peers_restored,
            tick: TICK,
            healing: options.healing,
            dht: options.dht.map(|dht| (dht, public_peer_port)),
            data,
        })
    }

    /// How it stands.
    pub fn summary(&self) -> Summary {
        let (torrents, seeded, faults) = self.state.summary();
        let has_manifest = self.state.site().has_manifest;
        Summary { has_manifest, torrents, seeded, peers_restored: self.peers_restored, faults }
    }

    /// Serves until `until`, and then ends within [`END_MAX`]: connections are closed, other trackers are told
    /// `stopped`, and the database is written.
    ///
    /// It ends by itself, and says why, where a part of it has: a server that goes on in part misleads peers unseen.
    pub async fn run(self, until: impl Future<Output = ()>) -> Result<(), Problem> {
        let Self {
            state,
            watch,
            http,
            udp,
            metrics,
            peer,
            utp,
            http_options,
            goodbye_max,
            tick,
            healing,
            dht,
            data,
            ..
        } = self;
        // Before anything is answered: whoever has had an answer may send one.
        let hangups = signal(SignalKind::hangup()).ok();
        let (end, ending) = watch::channel(());
        let ended = || {
            let mut ending = ending.clone();
            async move {
                // The sender never sends: that it is gone is the message.
                let _ = ending.changed().await;
            }
        };
        let mut rooms = Chores::default();
        if let Some(metrics) = metrics {
            let options = http::Options { connections_max: METRICS_CONNECTIONS_MAX, ..http_options.clone() };
            let (counters, log, state) = (Arc::default(), state.log.clone(), Arc::clone(&state));
            let answer = move |_, request| ready(route::answer_metrics(&state, &request));
            rooms.spawn(
                "the web server of the metrics",
                http::serve(metrics, None, options, counters, log, answer, ended()),
            );
        }
        let routed = Arc::clone(&state);
        rooms.spawn(
            "the web server",
            http::serve(
                http,
                Some(Front::new(Arc::clone(&state))),
                http_options,
                Arc::clone(&state.http),
                state.log.clone(),
                move |ends, request| route::answer(Arc::clone(&routed), ends, request),
                ended(),
            ),
        );
        let sockets = seed::Sockets { tcp: vec![peer], utp };
        rooms.spawn_fallible("the permanent seed", Arc::clone(&state.seed).serve(sockets, ended()));
        let mut chores = Chores::default();
        for (wire, key) in udp {
            chores.spawn("the tracker over UDP", wire.serve(Arc::clone(&state), key));
        }
        chores.spawn("the clock", every_tick(Arc::clone(&state), tick));
        chores.spawn("the look at the manifest", follow_site(Arc::clone(&state), watch, tick, hangups));
        chores.spawn("the look at the torrents' health", follow_health(Arc::clone(&state)));
        if let Some((dht, port)) = dht {
            chores.spawn("announcing to the DHT", dht::announce(Arc::clone(&state), dht, port));
        }
        if healing.mode != Mode::Off {
            chores.spawn("healing", heal::follow(Arc::clone(&state), healing, data.path().to_owned()));
        }
        if state.seed.is_dialling() {
            chores.spawn("the look for leechers", call_leechers(Arc::clone(&state)));
        }
        let outcome = tokio::select! {
            () = until => Ok(()),
            problem = rooms.fallen() => Err(problem),
            problem = chores.fallen() => Err(problem),
        };

        drop(end);
        chores.shutdown().await;
        // Most of what waits for the disk goes there meanwhile.
        let writer = Arc::clone(&state.writer);
        let flush = tokio::task::spawn_blocking(move || writer.flush(goodbye_max));
        if timeout(goodbye_max, rooms.ended()).await.is_err() {
            rooms.shutdown().await;
        }
        // It has had its time. What went wrong is tried once more and told below.
        let _ = flush.await;
        state.count_month();
        state.pass_on_sent();
        state.pass_on_samples(1);
        state.pass_on_total();
        state.pass_on_verdicts();
        state.pass_on_scrubs();
        let writer = Arc::clone(&state.writer);
        drop(state);
        let last = tokio::task::spawn_blocking(move || match Arc::try_unwrap(writer) {
            Ok(writer) => writer.close(LAST_WRITE_MAX),
            // A file that is still being looked for holds on to it.
            Err(writer) => writer.flush(LAST_WRITE_MAX),
        });
        let last = last.await;
        let last =
            last.unwrap_or_else(|error| Err(Problem::new(format!("the database was not written at the end: {error}"))));
        outcome.and(last)
    }
}

/// The manifest is looked at again and again, and when the operator asks for it. Nothing else is done here: the disk may
/// not answer.
async fn follow_site(state: Arc<State>, mut watch: Watch, tick: Duration, mut hangups: Option<Signal>) {
    let mut ticks = interval(tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let asked = tokio::select! {
            _ = ticks.tick() => false,
            Some(()) = async { hangups.as_mut()?.recv().await } => true,
        };
        watch.look(&state, asked).await;
    }
}

/// What is done again and again: silent peers expire, counts go to the store.
async fn every_tick(state: Arc<State>, tick: Duration) {
    let mut ticks = interval(tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count: u64 = 0;
    let mut changes = state.seed.changes();
    loop {
        ticks.tick().await;
        count += 1;
        state.tracker.expire();
        state.count_month();
        state.forget_snapshot();
        if count.is_multiple_of(SENT_EVERY_TICKS) {
            state.pass_on_sent_if_any();
            state.pass_on_samples(SAMPLE_PARTS);
            // As they come, where some have: those of a minute of verifying would be thousands. A scrub that finds all as
            // it was changes nothing.
            if count.is_multiple_of(SAMPLE_EVERY_TICKS) || changes.has_changed().unwrap_or(false) {
                changes.mark_unchanged();
                state.pass_on_verdicts();
                state.pass_on_scrubs();
            }
        }
        if count.is_multiple_of(SAMPLE_EVERY_TICKS) {
            state.pass_on_total();
        }
    }
}

/// The tracker offers the seed where its files are whole, as soon as that changes.
async fn follow_health(state: Arc<State>) {
    let mut changes = state.seed.changes();
    loop {
        state.look_at_health();
        // While thousands of torrents are verified, one look stands for many changes.
        tokio::time::sleep(HEALTH_PAUSE).await;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// The seed is told of leechers, of those of a former run at once: after an outage, nobody else may be left to them.
async fn call_leechers(state: Arc<State>) {
    let mut rounds = interval(CALL_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let named = state.tracker.swarms().leechers(CALLED_MAX, Seconds(clock::now_secs()));
        for (info_hash, addresses) in named {
            state.seed.dial(&info_hash, addresses);
        }
    }
}

/// What a former run has left, and the way to the disk for this one.
struct Memory {
    loaded: Loaded,
    verdicts: Vec<seed::Verdict>,
    writer: Arc<Writer>,
}

/// Opens the database and reads it, but for what it says of files that the site does not have any more.
fn remember(database: &Path, root: &Path, site: &Site, now: Seconds, log: &Log) -> Result<Memory, Problem> {
    let opened = Store::open(database)?;
    if let Some(notice) = opened.notice {
        log.line(format!("WARNING: {notice}"));
    }
    let mut store = opened.store;
    let loaded = store.load(now)?;
    let is_media = |path: &Path| site.medium(state::file_of(path).strip_prefix(root).ok()?.to_str()?);
    let mut verdicts = Vec::new();
    store.retain_verdicts(|verdict| {
        let is_media = is_media(&verdict.path).is_some();
        verdicts.extend(state::from_words(verdict).filter(|_| is_media));
        is_media
    })?;
    store.rest();
    let trouble_log = log.clone();
    let options = WriterOptions { clock: clock::passed, ..WriterOptions::default() };
    let writer = Writer::start(store, options, move |trouble| match trouble {
        Trouble::Began(problem) => trouble_log.line(format!("WARNING: {problem}")),
        Trouble::Ended => trouble_log.line("the database is written again"),
    })?;
    Ok(Memory { loaded, verdicts, writer: Arc::new(writer) })
}

/// The name of the seed among peers (BEP 20).
fn peer_id() -> Result<PeerId, Problem> {
    let mut id = *b"-ES0100-############";
    getrandom::fill(&mut id[8..]).map_err(no_randomness)?;
    Ok(PeerId(id))
}

fn random() -> Result<u64, Problem> {
    getrandom::u64().map_err(no_randomness)
}

fn no_randomness(error: getrandom::Error) -> Problem {
    Problem::new(format!("the system gives no random numbers: {error}"))
}
