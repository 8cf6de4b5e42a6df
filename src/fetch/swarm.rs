//! The files of a torrent from those who have them: librqbit, driven into a folder of its own, and let go of afterwards.
//!
//! Nothing of a session stays: no listener is opened, no tracker is asked, nothing is remembered, and who drops
//! [`download`] ends it. librqbit is neither shown the folder of a site nor believed: it writes through `store`, which
//! knows the folder of quarantine alone, and what lies there afterwards is hashed by the caller.

#[path = "swarm_store.rs"]
mod store;

use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use librqbit::api::TorrentIdOrHash;
use librqbit::limits::LimitsConfig;
use librqbit::storage::StorageFactoryExt;
use librqbit::{
    AddTorrent, AddTorrentOptions, DhtSessionConfig, ManagedTorrent, ManagedTorrentState, Session, SessionOptions,
};
use tokio::runtime::Builder;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::metainfo::{self, Layout};
use crate::problem::Problem;
use store::Store;

/// The most peers that a download begins with; further ones are left out.
pub const PEERS_MAX: usize = 500;
/// The least rate that can be set, in bytes a second: librqbit takes a block of 16 KiB at once or not at all.
pub const BYTES_PER_SEC_MIN: u32 = 16 * 1024;
/// What peers get of what has come so far, at most, in bytes a second. It is not counted with what the everseed sends, so
/// it is little; none at all would have some of them stop giving.
const UPLOAD_BYTES_PER_SEC: NonZeroU32 = NonZeroU32::new(128 * 1024).expect("it is not 0");
/// So many bytes are progress: fewer in [`Limits::stall_within`] are a peer that trickles.
const PROGRESS_BYTES: u64 = 64 * 1024;
/// The most bytes that may come beyond twice those that are wanted: peers that go on sending what is not the torrent's.
const WASTE_BYTES_MAX: u64 = 64 << 20;
/// The threads of [`download_here`].
const THREADS: usize = 2;
/// How often it is looked at how far the download is.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is to be downloaded.
#[derive(Clone)]
pub struct Wanted<'w> {
    /// The torrent, which has pieces of v1.
    pub torrent: &'w metainfo::Torrent,
    /// Where to: a folder that holds nothing but this. Its files come to lie at the paths of [`metainfo::Info::files`]
    /// below it; pieces that lie there already, and match, are not fetched.
    pub folder: &'w Path,
    /// Where each of them comes to lie instead, as [`metainfo::Info::files`] has them.
    pub paths: Option<&'w [PathBuf]>,
    /// Which files, by their places in [`metainfo::Info::files`]; `None`: all of them. Of their neighbours, which share a
    /// piece with them, there may be parts as well.
    pub files: Option<&'w [usize]>,
    /// Peers to begin with.
    pub peers: Vec<SocketAddr>,
    /// The mainline DHT, if it may be asked for more of them. It is not asked about private torrents (BEP 27).
    pub dht: Option<Dht>,
    /// Told of the bytes that have come so far, now and then.
    pub progress: &'w (dyn Fn(u64) + Sync),
}

impl<'w> Wanted<'w> {
    /// All files of `torrent` below `folder`, from nobody yet.
    pub fn new(torrent: &'w metainfo::Torrent, folder: &'w Path) -> Self {
        Self { torrent, folder, paths: None, files: None, peers: Vec::new(), dht: None, progress: &|_| () }
    }
}

impl fmt::Debug for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted")
            .field("torrent", &self.torrent.info_hashes)
            .field("folder", &self.folder)
            .field("paths", &self.paths)
            .field("files", &self.files)
            .field("peers", &self.peers)
            .field("dht", &self.dht)
            .finish_non_exhaustive()
    }
}

/// How the mainline DHT is found (BEP 5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dht {
    /// Nodes to begin with, as `host:port`; empty: those that the world uses.
    pub bootstrap: Vec<String>,
}

/// How long is waited, and how much is taken.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long no progress may be made.
    pub stall_within: Duration,
    /// The most bytes a second, at least [`BYTES_PER_SEC_MIN`]; unset, as fast as they come.
    pub bytes_per_sec: Option<NonZeroU64>,
    /// The most peers that are connected at a time.
    pub peers_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { stall_within: Duration::from_secs(90), bytes_per_sec: None, peers_max: 40 }
    }
}

/// Downloads what is wanted, and ends when all of it is there or nothing comes any more. Dropped before, it ends as well.
///
/// Files are only right if the caller finds them so. After an error there may be parts of them.
///
/// Errors: a torrent of v2 alone, nobody to ask, no progress, a disk that takes nothing more.
pub async fn download(wanted: Wanted<'_>, limits: &Limits) -> Result<(), Problem> {
    let info = &wanted.torrent.metainfo.info;
    let name = &info.name;
    if info.pieces().is_none() {
        return Err(Problem::new(format!("{name:?} is a torrent of v2 alone, which is not fetched from peers"))
            .help("fetch it from a web seed"));
    }
    let dht = wanted.dht.as_ref().filter(|_| !info.private);
    if wanted.peers.is_empty() && dht.is_none() {
        return Err(Problem::new(format!("nobody is known who has {name:?}")).help("try again when a peer is there"));
    }
    let store = Store::new(info, wanted.folder, wanted.paths)?;
    let failed = |why: String| {
        // The disk's own words, where it was the disk.
        store.fault().unwrap_or_else(|| Problem::new(format!("{name:?} can't be fetched from peers: {why}")))
    };

    let mut options = session_options(dht);
    // However this ends, everything that the session has started ends with it.
    let _end = options.cancellation_token.get_or_insert_default().clone().drop_guard();
    let session = Session::new_with_opts(wanted.folder.to_owned(), options).await;
    let session = session.map_err(|error| failed(format!("{error:#}")))?;
    let options = AddTorrentOptions {
        only_files: wanted.files.map(|files| ids(&info.layout, files)),
        // What lies in the folder already was put there to be completed.
        overwrite: true,
        output_folder: Some(String::new()),
        disable_trackers: true,
        initial_peers: Some(wanted.peers.iter().take(PEERS_MAX).copied().collect()),
        peer_limit: Some(limits.peers_max),
        ratelimits: LimitsConfig {
            upload_bps: Some(UPLOAD_BYTES_PER_SEC),
            download_bps: limits.bytes_per_sec.map(rate),
        },
        storage_factory: Some(store.clone().boxed()),
        ..AddTorrentOptions::default()
    };
    let bytes = AddTorrent::from_bytes(wanted.torrent.bytes().to_vec());
    let added = session.add_torrent(bytes, Some(options)).await.map_err(|error| failed(format!("{error:#}")))?;
    let torrent = added.into_handle().ok_or_else(|| failed("it was not added".into()))?;

    let outcome = follow(&torrent, &wanted, limits).await;
    // Takes the files away from whoever still writes: nothing changes in the folder after this.
    let _ = session.delete(TorrentIdOrHash::Id(torrent.id()), false).await;
    store.close();
    match (outcome, store.fault()) {
        (Err(_), Some(fault)) => Err(fault),
        (Err(why), None) => Err(failed(why).help("try again when more peers are there")),
        (Ok(()), _) => Ok(()),
    }
}

/// [`download`] for a thread that may wait; it ends soon after `is_stopped`. It may not be called from an async task.
pub fn download_here(
    wanted: Wanted<'_>,
    limits: &Limits,
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> Result<(), Problem> {
    // Several threads: librqbit waits for the disk on those of the runtime.
    let runtime = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("swarm")
        .enable_all()
        .build()
        .map_err(|error| Problem::new(format!("can't start threads for a download: {error}")))?;
    let outcome = runtime.block_on(async {
        let mut ticks = interval(LOOK_EVERY);
        let mut download = pin!(download(wanted, limits));
        loop {
            tokio::select! {
                outcome = &mut download => return outcome,
                _ = ticks.tick() => if is_stopped() {
                    return Err(Problem::new("stopped before it was done"));
                },
            }
        }
    });
    // Not waited for: a name can take a minute to look up.
    runtime.shutdown_background();
    outcome
}

/// A session that leaves no trace.
fn session_options(dht: Option<&Dht>) -> SessionOptions {
    let dht = dht.map(|dht| DhtSessionConfig {
        bootstrap_addrs: (!dht.bootstrap.is_empty()).then(|| dht.bootstrap.clone()),
        port: None,
        persistence: None,
    });
    SessionOptions {
        dht,
        disable_trackers: true,
        fastresume: false,
        persistence: None,
        listen: None,
        disable_local_service_discovery: true,
        client_name_and_version: Some(concat!("everseed ", env!("CARGO_PKG_VERSION"), " (rqbit)").into()),
        ..SessionOptions::default()
    }
}

/// Waits for the end; why it is not a good one, as words to go behind "can't be fetched from peers".
async fn follow(torrent: &Arc<ManagedTorrent>, wanted: &Wanted<'_>, limits: &Limits) -> Result<(), String> {
    let fetched_max = wanted.torrent.metainfo.info.stream_bytes().saturating_mul(2).saturating_add(WASTE_BYTES_MAX);
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Stand::default();
    let mut since = Instant::now();
    let mut completed = torrent.wait_until_completed();
    loop {
        tokio::select! {
            ended = &mut completed => return ended.map_err(|error| format!("{error:#}")),
            _ = ticks.tick() => {}
        }
        // `wait_until_completed` waits on where a torrent falls into an error while it is live.
        let now = torrent.with_state(Stand::of)?;
        (wanted.progress)(now.verified_bytes);
        if now.fetched_bytes > fetched_max {
            return Err("peers go on sending bytes that are not the torrent's".into());
        }
        if now.is_beyond(&last) {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() >= limits.stall_within {
            let secs = limits.stall_within.as_secs_f64();
            return Err(format!("nothing came for {secs} s ({})", now.peers));
        }
    }
}

/// How far a download is.
#[derive(Debug, Default)]
struct Stand {
    checked_bytes: u64,
    fetched_bytes: u64,
    verified_bytes: u64,
    peers: Peers,
}

#[derive(Debug, Default)]
struct Peers {
    seen: u32,
    connected: u32,
}

impl fmt::Display for Peers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { seen: 0, .. } => f.write_str("no peer was found"),
            Self { seen, connected } => write!(f, "of {seen} known peers {connected} are connected"),
        }
    }
}

impl Stand {
    fn of(state: &ManagedTorrentState) -> Result<Self, String> {
        match state {
            ManagedTorrentState::Initializing(checking) => {
                Ok(Self { checked_bytes: checking.get_checked_bytes(), ..Self::default() })
            }
            ManagedTorrentState::Live(live) => {
                let snapshot = live.stats_snapshot();
                let peers = Peers { seen: snapshot.peer_stats.seen, connected: snapshot.peer_stats.live };
                Ok(Self {
                    checked_bytes: u64::MAX,
                    fetched_bytes: snapshot.fetched_bytes,
                    verified_bytes: snapshot.downloaded_and_checked_bytes,
                    peers,
                })
            }
            ManagedTorrentState::Error(error) => Err(format!("{error:#}")),
            ManagedTorrentState::Paused(_) | ManagedTorrentState::None => Ok(Self::default()),
        }
    }

    fn is_beyond(&self, last: &Self) -> bool {
        self.checked_bytes > last.checked_bytes
            || self.verified_bytes > last.verified_bytes
            || self.fetched_bytes >= last.fetched_bytes + PROGRESS_BYTES
    }
}

/// Places among the files without padding as places among all, by which librqbit counts.
fn ids(layout: &Layout, wanted: &[usize]) -> Vec<usize> {
    match layout {
        Layout::Single(_) => wanted.to_vec(),
        Layout::Multi(files) => {
            let real: Vec<_> = files.iter().enumerate().filter(|(_, file)| !file.is_pad).map(|(id, _)| id).collect();
            wanted.iter().filter_map(|&place| real.get(place).copied()).collect()
        }
    }
}

fn rate(bytes_per_sec: NonZeroU64) -> NonZeroU32 {
    let least = NonZeroU32::new(BYTES_PER_SEC_MIN).expect("it is not 0");
    NonZeroU32::try_from(bytes_per_sec).unwrap_or(NonZeroU32::MAX).max(least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::File;

    #[test]
    fn files_are_counted_with_their_padding() {
        let file = |is_pad| File { path: vec!["a".into()], bytes: 1, is_pad };
        let layout = Layout::Multi(vec![file(false), file(true), file(false), file(true), file(false)]);
        assert_eq!(ids(&layout, &[0, 1, 2, 3]), [0, 2, 4]);
        assert_eq!(ids(&Layout::Single(1), &[0]), [0]);
    }

    #[test]
    fn a_rate_is_one_that_can_be_kept() {
        let rated = |bytes: u64| rate(NonZeroU64::new(bytes).expect("not 0")).get();
        assert_eq!([1, 100_000, u64::MAX].map(rated), [BYTES_PER_SEC_MIN, 100_000, u32::MAX]);
    }

    #[test]
    fn a_trickle_is_no_progress_and_a_piece_is() {
        let last = Stand { checked_bytes: u64::MAX, fetched_bytes: 100, verified_bytes: 10, peers: Peers::default() };
        let with = |fetched_bytes, verified_bytes| Stand {
            checked_bytes: u64::MAX,
            fetched_bytes,
            verified_bytes,
            peers: Peers::default(),
        };
        assert!(!with(100 + PROGRESS_BYTES - 1, 10).is_beyond(&last));
        assert!(with(100 + PROGRESS_BYTES, 10).is_beyond(&last));
        assert!(with(101, 11).is_beyond(&last));
    }
}
