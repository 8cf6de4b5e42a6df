//! Announcing to the trackers of others: our own puts this seed into its replies itself.
//!
//! Each URL of a torrent is a target of its own, whatever tier it stands in: the peers of a swarm are spread over
//! its trackers, and a seed is to be found through each. `started`, then again at the tracker's interval, and `stopped`
//! at the end or when the files turn out damaged; never `completed`, and peers are not asked for. Who has not got the
//! files yet asks for peers with [`ask`].

mod ask;
mod http;
mod schedule;
mod udp;

pub use ask::{Query, ask};
pub use schedule::{Announce, Said};

use std::net::SocketAddr;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::{Health, Seed, Torrent};
use crate::id::{InfoHash, PeerId};
use schedule::{Job, Schedule};

/// The most trackers that one torrent is announced to.
pub const TRACKERS_MAX: usize = 16;
/// How long after a look at the health of all torrents the next one comes: while thousands are verified, it changes
/// all the time.
const LOOK_PAUSE: Duration = Duration::from_millis(200);
/// The most announces under way at a time.
const IN_FLIGHT_MAX: usize = 16;
/// The most of them at the end, when all of them have to go out in little time.
const LAST_IN_FLIGHT_MAX: usize = 64;
/// How long one announce may take.
const ANNOUNCE_WITHIN: Duration = Duration::from_secs(20);
/// How long all `stopped` together may take, unless [`super::Options`] say otherwise.
pub const STOP_WITHIN: Duration = Duration::from_millis(900);

/// What an announce says.
#[derive(Debug, Clone, Copy)]
struct Request {
    info_hash: InfoHash,
    peer_id: PeerId,
    port: u16,
    /// Bytes of content sent.
    uploaded: u64,
    /// Bytes of content that are still to come; none, for a seed.
    left: u64,
    /// How many peers are asked for.
    peers_wanted: u32,
    /// By which a tracker knows us again under another address.
    key: u32,
    event: Event,
}

/// Why an announce is made (BEP 3); the numbers are those of BEP 15.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Periodic = 0,
    Started = 2,
    Stopped = 3,
}

/// What a tracker says to an announce.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    /// How long it wants to be left alone.
    interval: Duration,
    /// Those that were asked for.
    peers: Vec<SocketAddr>,
}

/// Why an announce failed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failure {
    /// Nothing came that a tracker would say: others need not be sent to it now.
    Unreachable(String),
    /// The tracker says no.
    Refused(String),
}

/// The state that [`Seed`] holds for its announcer.
#[derive(Debug, Default)]
pub(super) struct Announcer {
    /// The torrents that have trackers.
    pub torrents: Vec<Torrent>,
    schedule: Schedule,
}

impl Announcer {
    /// The trackers that are announced to: those of a kind that is spoken here, each once, up to [`TRACKERS_MAX`].
    pub fn trackers_of(tiers: &[Vec<String>]) -> Vec<String> {
        let mut urls: Vec<String> = Vec::new();
        for url in tiers.iter().flatten() {
            let spoken = ["http://", "https://", "udp://"].iter().any(|scheme| url.starts_with(scheme));
            if spoken && urls.len() < TRACKERS_MAX && !urls.contains(url) {
                urls.push(url.clone());
            }
        }
        urls
    }
}

impl Seed {
    /// How the announces to other trackers go.
    pub fn announces(&self) -> Vec<Announce> {
        self.announcer().schedule.announces()
    }

    /// Announces until it is to stop, and then that it stops.
    pub(super) async fn announce(self: Arc<Self>, mut stopped: watch::Receiver<()>) {
        let mut changes = self.changes();
        changes.mark_changed();
        let mut flying = JoinSet::new();
        let mut look_at = self.now();
        loop {
            let mut is_changed = changes.has_changed().unwrap_or(false);
            if is_changed && self.now() >= look_at {
                changes.mark_unchanged();
                is_changed = false;
                let wanted = self.wanted();
                self.announcer().schedule.want(&wanted, self.now());
                look_at = self.now() + LOOK_PAUSE;
            }
            let due = {
                let mut announcer = self.announcer();
                let now = self.now();
                while flying.len() < IN_FLIGHT_MAX
                    && let Some(job) = announcer.schedule.next(now)
                {
                    flying.spawn(perform(Arc::clone(&self), job, ANNOUNCE_WITHIN));
                }
                announcer.schedule.due().filter(|_| flying.len() < IN_FLIGHT_MAX)
            };
            let looks = is_changed.then_some(look_at);
            let wake = async {
                match due.into_iter().chain(looks).min() {
                    Some(due) => sleep_until(self.epoch + due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(Ok((job, result))) = flying.join_next() => self.announcer().schedule.done(&job, result, self.now()),
                _ = changes.changed(), if !is_changed => changes.mark_changed(),
                () = wake => {}
                _ = stopped.changed() => break,
            }
        }
        drop(flying);
        // Whoever has not taken it by then finds out by our absence.
        let _ = timeout(self.stop_within, Arc::clone(&self).say_stopped()).await;
    }

    async fn say_stopped(self: Arc<Self>) {
        let mut flying = JoinSet::new();
        let jobs = self.announcer().schedule.stop();
        for job in jobs {
            if flying.len() >= LAST_IN_FLIGHT_MAX {
                flying.join_next().await;
            }
            flying.spawn(perform(Arc::clone(&self), job, self.stop_within));
        }
        flying.join_all().await;
    }

    /// What is to be announced: torrents that are not known to be damaged.
    fn wanted(&self) -> Vec<(InfoHash, String)> {
        let announcer = self.announcer();
        let mut wanted = Vec::new();
        for torrent in &announcer.torrents {
            if self.health(&torrent.info_hash()).is_some_and(|health| health <= Health::Verifying) {
                // A hybrid one has two swarms.
                let swarms = torrent.0.info_hashes.swarms();
                wanted.extend(swarms.flat_map(|hash| torrent.0.trackers.iter().map(move |url| (hash, url.clone()))));
            }
        }
        wanted
    }

    pub(super) fn announcer(&self) -> MutexGuard<'_, Announcer> {
        self.announcer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Announces once. Returns how long the tracker wants to be left alone.
async fn perform(seed: Arc<Seed>, job: Job, within: Duration) -> (Job, Result<Duration, Failure>) {
    let PeerId([.., a, b, c, d]) = seed.local.peer_id;
    let request = Request {
        info_hash: job.info_hash,
        peer_id: seed.local.peer_id,
        port: seed.local.port,
        uploaded: seed.status(&job.info_hash).map_or(0, |status| status.sent_bytes),
        key: u32::from_be_bytes([a, b, c, d]),
        left: 0,
        peers_wanted: 0,
        event: job.event,
    };
    let result = announce_once(&job.url, request, within).await.map(|answer| answer.interval);
    (job, result)
}

async fn announce_once(url: &str, request: Request, within: Duration) -> Result<Answer, Failure> {
    let late = || Err(Failure::Unreachable(format!("no answer within {} s", within.as_secs_f32())));
    if url.starts_with("udp://") {
        return timeout(within, udp::announce(url, &request)).await.unwrap_or_else(|_| late());
    }
    let (tell, told) = oneshot::channel();
    let url = url.to_owned();
    // A thread of its own and not one of the runtime's: those are waited for when the program ends.
    let thread = std::thread::Builder::new().name("announce".into());
    let spawned = thread.spawn(move || drop(tell.send(http::announce(&url, &request, within))));
    match spawned {
        Ok(_) => told.await.unwrap_or_else(|_| late()),
        Err(error) => Err(Failure::Unreachable(error.to_string())),
    }
}

#[cfg(test)]
mod tests;
