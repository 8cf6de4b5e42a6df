//! The everseed: a permanent seed that sends only bytes it has verified; files and sockets around [`crate::wire`].
//!
//! It knows torrents and the files they are made of, and not where either comes from. Files are opened for reading
//! only. Time is tokio's, so that a test can set it.
//!
//! A hybrid torrent is verified by its v1 pieces and by the trees of its files, and known by both of its info-hashes; one
//! of v2 alone by the trees and the truncated one.
//!
//! ```text
//! sockets -> peer (one task a connection) -> wire::Connection -> blocks -> disk (hash, compare, read) -> socket
//!                                 verify (all files, in the background) -> torrents (the state) -> announce
//! ```

mod announce;
mod cached;
mod content;
mod dial;
mod disk;
mod disks;
mod doors;
mod faults;
mod hashes;
mod hello;
mod meta;
mod peer;
mod peers;
mod reading;
mod scrub;
mod server;
mod state;
mod status;
mod stream;
#[cfg(test)]
mod test_house;
#[cfg(test)]
mod test_peer;
mod torrents;
mod utp;
mod utp_door;
mod utp_table;
mod utp_wire;
mod verify;
mod warrant;

pub use announce::{Announce, Query, STOP_WITHIN, Said, TRACKERS_MAX, ask};
pub use content::{Folders, Place, Torrent};
pub use disks::ANSWER_WITHIN;
pub use scrub::Scrubbed;
pub use server::{Sockets, bind};
pub use status::{Damage, DamageKind, DamagedFile, Health, ScrubState, Status, Verdict};
pub use warrant::{Reading, Warrant};

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;

use crate::id::{InfoHash, PeerId};
use crate::pace::{Allowance, Pace};
use crate::wire::{Local, Offer};
use announce::Announcer;
use dial::Calls;
use disks::Disks;
use doors::Doors;
use hello::{EXCHANGES_MAX, Keys};
use reading::{HASHED_BYTES_PER_SEC, HASHINGS_MAX};
use torrents::{Entry, Remembered};
use utp_door::Door;

/// The most connections in all, unless [`Limits`] say otherwise.
pub const CONNECTIONS_MAX: usize = 2000;
/// The most connections from one IPv4 address or one IPv6 /64, unless [`Limits`] say otherwise.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 64;
/// The most connections that have not said yet which torrent they are for, unless [`Limits`] say otherwise.
pub const HALF_OPEN_MAX: usize = 512;
/// The time in which each torrent is read once, unless [`Limits`] say otherwise.
pub const SCRUB_PERIOD: Duration = Duration::from_secs(30 * 24 * 3600);
/// The most bytes a second that are read for it, unless [`Limits`] say otherwise.
pub const SCRUB_BYTES_PER_SEC: NonZeroU64 = NonZeroU64::new(32 * 1024 * 1024).expect("it is not 0");
/// What is read from disk for a connection at a time, in bytes: together with [`crate::wire::OUTPUT_BYTES_MAX`] all
/// that waits in memory for a peer that does not read.
pub const BATCH_BYTES_MAX: u32 = 128 * 1024;
/// The same where many peers are sent something: each has an equal share of [`BATCHES_BYTES_MAX`], but this much.
pub const BATCH_BYTES_MIN: u32 = 16 * 1024;
/// What is shared by all who are sent something, in bytes.
pub const BATCHES_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The most reads from disk at a time, for peers.
pub const READS_MAX: usize = 32;
/// The most of these for one torrent.
pub const READS_OF_ONE_MAX: usize = 8;
/// How long a peer may take nothing of what is sent to it.
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(60);
/// How often files are looked at for changes: all that something is wrong with, so that a restored one is found and
/// verified at once, and of the others [`LOOK_TORRENTS_MIN`] or, where these are more, one of [`LOOK_PARTS`].
pub const LOOK_EVERY: Duration = Duration::from_secs(8);
/// The torrents that are always looked at together.
pub const LOOK_TORRENTS_MIN: usize = 500;
/// So many looks at the most see all files. A file that is asked for is looked at in any case.
pub const LOOK_PARTS: usize = 8;
/// At most how many bytes a second are read to verify files that nobody asked for yet.
pub const VERIFY_BYTES_PER_SEC: u64 = 256 * 1024 * 1024;
/// The most faults that are told of one torrent.
pub const FAULTS_MAX: usize = 16;

/// What the owner of a [`Seed`] decides.
#[derive(Debug, Clone)]
pub struct Options {
    /// How it names itself: `-ES0100-` and 12 random bytes.
    pub peer_id: PeerId,
    /// The port that other peers connect to.
    pub peer_port: u16,
    /// How long telling other trackers that it stops may take, all of them together.
    pub stop_within: Duration,
    /// What an operator may set.
    pub limits: Limits,
}

impl Options {
    /// Everything by default but the two that have none.
    pub fn new(peer_id: PeerId, peer_port: u16) -> Self {
        Self { peer_id, peer_port, stop_within: STOP_WITHIN, limits: Limits::default() }
    }
}

/// What an operator may set of the seed: `[seed]` of `everseed.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub connections_max: usize,
    /// Connections from one IPv4 address or one IPv6 /64.
    pub connections_per_address_max: usize,
    /// Connections that have not said yet which torrent they are for.
    pub half_open_max: usize,
    /// Bytes a second to all peers together; unset, as fast as they take them.
    pub upload_bytes_per_sec: Option<NonZeroU64>,
    /// Bytes a second of each torrent.
    pub upload_of_one_bytes_per_sec: Option<NonZeroU64>,
    /// Whether leechers that the tracker knows and that have not come are dialled.
    pub dial: bool,
    /// Whether the peers of a torrent that is not private are told of each other (BEP 11).
    pub pex: bool,
    /// How the media are read again in the background; unset, never.
    pub scrub: Option<Scrub>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            connections_per_address_max: CONNECTIONS_PER_ADDRESS_MAX,
            half_open_max: HALF_OPEN_MAX,
            upload_bytes_per_sec: None,
            upload_of_one_bytes_per_sec: None,
            dial: true,
            pex: true,
            scrub: Some(Scrub::default()),
        }
    }
}

/// How all media are read again and again, so that what rots is found before somebody asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrub {
    /// The time in which each torrent is read once, where [`Scrub::bytes_per_sec`] are enough for that.
    pub period: Duration,
    /// The most bytes that are read for it in a second.
    pub bytes_per_sec: NonZeroU64,
}

impl Default for Scrub {
    fn default() -> Self {
        Self { period: SCRUB_PERIOD, bytes_per_sec: SCRUB_BYTES_PER_SEC }
    }
}

/// The seed of a set of torrents.
pub struct Seed {
    local: Local,
    epoch: Instant,
    // Locks cover memory only: no file is touched and nothing awaits while one is held.
    /// The torrents by each of their info-hashes; those of v2 are truncated.
    torrents: RwLock<HashMap<InfoHash, Arc<Entry>>>,
    /// Verdicts of a former run, in the order of their torrents.
    remembered: Mutex<Vec<Verdict>>,
    doors: Arc<Doors>,
    reads: Arc<Semaphore>,
    hashings: Arc<Semaphore>,
    hash_pace: Pace,
    limits: Limits,
    keys: RwLock<Keys>,
    exchanges: Semaphore,
    calls: Calls,
    door: Mutex<Option<Door>>,
    pace: Pace,
    announcer: Mutex<Announcer>,
    stop_within: Duration,
    changes: watch::Sender<u64>,
    disks: Disks,
    look_wanted: Notify,
    verify_wanted: Notify,
    sent: AtomicU64,
    /// Bytes of metadata and hashes that were sent.
    sent_beside: AtomicU64,
    /// How many peers something is read or written for.
    sending: AtomicUsize,
}

impl Seed {
    /// A seed of nothing yet.
    pub fn new(options: &Options) -> Arc<Self> {
        let local = Local {
            peer_id: options.peer_id,
            port: options.peer_port,
            client: concat!("everseed ", env!("CARGO_PKG_VERSION")).into(),
        };
        Arc::new(Self {
            local,
            epoch: Instant::now(),
            torrents: RwLock::default(),
            remembered: Mutex::default(),
            doors: Arc::new(Doors::new(&options.limits)),
            reads: Arc::new(Semaphore::new(READS_MAX)),
            hashings: Arc::new(Semaphore::new(HASHINGS_MAX)),
            hash_pace: Pace::new(Some(HASHED_BYTES_PER_SEC)),
            limits: options.limits.clone(),
            keys: RwLock::default(),
            exchanges: Semaphore::new(EXCHANGES_MAX),
            calls: Calls::default(),
            door: Mutex::default(),
            pace: Pace::new(options.limits.upload_bytes_per_sec),
            announcer: Mutex::default(),
            stop_within: options.stop_within,
            changes: watch::Sender::new(0),
            disks: Disks::default(),
            look_wanted: Notify::new(),
            verify_wanted: Notify::new(),
            sent: AtomicU64::new(0),
            sent_beside: AtomicU64::new(0),
            sending: AtomicUsize::new(0),
        })
    }

    /// Replaces what is seeded, also while it runs. A torrent that is the same with the same files keeps its state;
    /// one that is no longer there lets its peers go.
    pub fn set_torrents(&self, torrents: Vec<Torrent>) {
        self.announcer().torrents = torrents.iter().filter(|one| !one.0.trackers.is_empty()).cloned().collect();
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = self.torrents.write().unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::take(&mut *entries);
        let mut gone: HashMap<InfoHash, Arc<Entry>> = former
            .iter()
            .filter(|(hash, entry)| entry.info_hash() == **hash)
            .map(|(h, e)| (*h, Arc::clone(e)))
            .collect();
        for torrent in torrents {
            let info_hash = torrent.info_hash();
            let entry = match former.get(&info_hash) {
                Some(entry) if entry.is(&torrent) => gone.remove(&info_hash).unwrap_or_else(|| Arc::clone(entry)),
                former => {
                    let entry = Entry::new(&torrent, self.changes.clone(), &recall(&remembered, info_hash));
                    if let Some(former) = former {
                        // Its files have moved; what it has sent stays told.
                        entry.sent.store(former.sent.load(Ordering::Relaxed), Ordering::Relaxed);
                    }
                    Arc::new(entry)
                }
            };
            for hash in torrent.0.info_hashes.swarms() {
                entries.insert(hash, Arc::clone(&entry));
            }
        }
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Keys::of(entries.keys());
        remembered.retain(|verdict| !entries.contains_key(&verdict.info_hash));
        // Room for thousands is never needed again.
        remembered.shrink_to_fit();
        drop((entries, remembered));
        gone.values().for_each(|entry| entry.retire());
        self.changes.send_modify(|n| *n = n.wrapping_add(1));
        self.verify_wanted.notify_one();
    }

    /// Takes verdicts of a former run, for torrents that [`Seed::set_torrents`] brings after it.
    pub fn remember(&self, verdicts: Vec<Verdict>) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.is_empty() {
            *remembered = verdicts;
        } else {
            remembered.extend(verdicts);
        }
        // It is stable: of two verdicts on a file the later one stays behind the other.
        remembered.sort_by_key(|verdict| verdict.info_hash);
    }

    /// The verdicts to give to [`Seed::remember`] after a restart, but those that were taken before and still hold.
    pub fn take_verdicts(&self) -> Vec<Verdict> {
        self.entries().iter().flat_map(|entry| entry.take_verdicts()).collect()
    }

    /// What of a torrent's files is to be healed; nothing where nothing is known to be wrong with them.
    pub fn damage(&self, info_hash: &InfoHash) -> Option<Damage> {
        self.entry(info_hash)?.damage()
    }

    /// Whether the disk that a torrent's files were last seen on is not there any more, as far as can be told.
    pub fn has_lost_its_disk(&self, info_hash: &InfoHash) -> bool {
        self.entry(info_hash).is_some_and(|entry| entry.has_lost_its_disk())
    }

    /// How a torrent stands.
    pub fn status(&self, info_hash: &InfoHash) -> Option<Status> {
        self.entry(info_hash).map(|entry| entry.status())
    }

    /// How a torrent stands, in short; cheap enough to be asked on every announce.
    pub fn health(&self, info_hash: &InfoHash) -> Option<Health> {
        self.entry(info_hash).map(|entry| entry.health())
    }

    /// The torrents of which something was sent, and how much, in no order.
    pub fn sent(&self) -> Vec<(InfoHash, u64)> {
        let torrents = self.torrents.read().unwrap_or_else(PoisonError::into_inner);
        // A hybrid one stands there twice.
        let each = torrents.iter().filter(|(hash, entry)| entry.info_hash() == **hash);
        each.map(|(hash, entry)| (*hash, entry.sent.load(Ordering::Relaxed))).filter(|(_, sent)| *sent > 0).collect()
    }

    /// How those torrents stand whose health is wanted, in no order.
    pub fn statuses(&self, is_wanted: impl Fn(Health) -> bool) -> Vec<(InfoHash, Status)> {
        let wanted = self.entries().into_iter().filter(|entry| is_wanted(entry.health()));
        wanted.map(|entry| (entry.info_hash(), entry.status())).collect()
    }

    /// A number that changes whenever the health of a torrent does, or the set of torrents.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// How many peers are connected.
    pub fn connections(&self) -> usize {
        self.doors.connections()
    }

    /// Bytes of content sent to peers since this was made; what [`Seed::add_sent`] restored is not among them.
    pub fn sent_bytes(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The same with the metadata and the hashes that were sent: what a quota is to count.
    pub fn sent_in_all_bytes(&self) -> u64 {
        self.sent_bytes() + self.sent_beside.load(Ordering::Relaxed)
    }

    /// Adds bytes that a former run sent to what a torrent's [`Status`] shows; call it after [`Seed::set_torrents`].
    pub fn add_sent(&self, info_hash: &InfoHash, bytes: u64) {
        if let Some(entry) = self.entry(info_hash) {
            entry.sent.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Whether it calls leechers that have not come, where it is told of any.
    pub fn is_dialling(&self) -> bool {
        self.limits.dial
    }

    /// Changes how many bytes a second leave to all peers together, at once.
    pub fn set_upload(&self, bytes_per_sec: Option<NonZeroU64>) {
        self.pace.set(bytes_per_sec);
    }

    /// Counts what leaves to peers as part of `allowance`, after which a slower pace holds.
    pub fn share(&self, allowance: &Arc<Allowance>) {
        self.pace.share(allowance);
    }

    /// What is offered of a torrent to a peer; nothing where it is no longer seeded. It may read the disk.
    async fn offer(self: &Arc<Self>, entry: &Arc<Entry>) -> Option<Offer> {
        // Who comes waits behind no read, unless there is something to be read for it.
        let held = if self.is_silent(entry) { None } else { entry.offer_at_once() };
        let mut offer = match held {
            Some(offer) => offer,
            None => self.read_for_peer(entry, Entry::offer).await.ok()??,
        };
        offer.pex &= self.limits.pex;
        Some(offer)
    }

    /// The door over uTP, while it is open.
    fn utp_door(&self) -> Option<Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_utp_door(&self, door: Option<Door>) {
        *self.door.lock().unwrap_or_else(PoisonError::into_inner) = door;
    }

    /// The pace of a torrent, and that of all.
    fn paces<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = &'a Pace> {
        entry.pace(self.limits.upload_of_one_bytes_per_sec).into_iter().chain([&self.pace])
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry(&self, info_hash: &InfoHash) -> Option<Arc<Entry>> {
        self.torrents.read().unwrap_or_else(PoisonError::into_inner).get(info_hash).cloned()
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        let torrents = self.torrents.read().unwrap_or_else(PoisonError::into_inner);
        // A hybrid one stands there twice.
        torrents
            .iter()
            .filter(|(hash, entry)| entry.info_hash() == **hash)
            .map(|(_, entry)| Arc::clone(entry))
            .collect()
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }
}

/// The verdicts on the files of a torrent, by their paths; of two on the same file the later one.
fn recall(verdicts: &[Verdict], info_hash: InfoHash) -> HashMap<PathBuf, Remembered> {
    let first = verdicts.partition_point(|verdict| verdict.info_hash < info_hash);
    let own = verdicts[first..].iter().take_while(|verdict| verdict.info_hash == info_hash);
    let mut files = HashMap::<PathBuf, Remembered>::new();
    for verdict in own {
        let Verdict { fingerprint, mut is_damaged, .. } = *verdict;
        // Of two that were kept of it the worse one counts: then it is read again.
        let other = files.get(&verdict.path).filter(|other| other.fingerprint == fingerprint);
        is_damaged |= other.is_some_and(|other| other.is_damaged);
        files.insert(verdict.path.clone(), Remembered { fingerprint, is_damaged });
    }
    files
}
