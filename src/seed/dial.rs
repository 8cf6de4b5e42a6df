//! Calls: leechers that have not come are connected to, a few at a time, and nobody twice within a while.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::Seed;
use super::hello::{self, Hello};
use super::peer::{self, Swarm};
use super::stream::Stream;
use super::torrents::Entry;
use super::utp_door::Door;
use crate::id::InfoHash;
use crate::tracker::address::household;
use crate::wire::{Connection, HANDSHAKE_WITHIN};

/// Addresses that wait to be called; those beyond it are not.
pub const QUEUE_MAX: usize = 2048;
/// The same of one torrent: invented leechers of one leave room for those of others.
pub const QUEUE_OF_ONE_MAX: usize = 128;
/// The most of these at one IPv4 address or one IPv6 /64.
pub const QUEUE_OF_NETWORK_MAX: usize = 8;
/// Calls at a time that have not led to a conversation yet.
pub const CALLS_MAX: usize = 32;
/// How long an address is left alone after a call, whatever came of it.
pub const AGAIN_AFTER: Duration = Duration::from_secs(10 * 60);
/// Addresses of which that is remembered; while there are so many, nobody is called.
pub const REMEMBERED_MAX: usize = 16 * 1024;
/// Peers of a torrent from which on none is called for it.
pub const ENOUGH: usize = 20;
/// How long a connection over TCP may take, and one over uTP.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Below it, ports are those of other services: no client takes one, and who names one has something else in mind.
pub const PORT_MIN: u16 = 1024;

/// What is to be called, and what was.
#[derive(Debug, Default)]
pub(super) struct Calls {
    // A std Mutex: nothing awaits while it is held.
    state: Mutex<State>,
    wanted: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The addresses of each torrent that has any.
    queues: HashMap<InfoHash, VecDeque<SocketAddr>>,
    /// These torrents in the order of their turns, so that many addresses of one keep none of another's waiting.
    turns: VecDeque<InfoHash>,
    /// The same for those who ask whether an address stands there.
    queued: HashSet<(InfoHash, SocketAddr)>,
    /// When each address may be called again. An address is a client, which is called for one torrent at a time.
    again_at: HashMap<SocketAddr, Instant>,
}

impl Calls {
    /// Queues addresses of leechers of a torrent.
    fn want(&self, info_hash: InfoHash, addresses: Vec<SocketAddr>, now: Instant) {
        let mut guard = self.state();
        let state = &mut *guard;
        state.forget_what_is_past(now);
        for address in addresses {
            let ip = address.ip().to_canonical();
            let address = SocketAddr::new(ip, address.port());
            let nobody = ip.is_unspecified() || ip.is_multicast() || address.port() < PORT_MIN;
            if nobody || state.queued.len() >= QUEUE_MAX || state.again_at.contains_key(&address) {
                continue;
            }
            let queue = state.queues.entry(info_hash).or_default();
            let near = || queue.iter().filter(|queued| household(queued.ip()) == household(ip)).count();
            let has_room = queue.len() < QUEUE_OF_ONE_MAX && near() < QUEUE_OF_NETWORK_MAX;
            if has_room && state.queued.insert((info_hash, address)) {
                if queue.is_empty() {
                    state.turns.push_back(info_hash);
                }
                queue.push_back(address);
            }
        }
        drop(guard);
        self.wanted.notify_one();
    }

    /// The next one to be called.
    fn next(&self, now: Instant) -> Option<(InfoHash, SocketAddr)> {
        let mut guard = self.state();
        let state = &mut *guard;
        while let Some(next) = state.pop() {
            if state.again_at.len() < REMEMBERED_MAX && !state.again_at.contains_key(&next.1) {
                state.again_at.insert(next.1, now + AGAIN_AFTER);
                return Some(next);
            }
        }
        None
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next one of those that are queued.
    fn pop(&mut self) -> Option<(InfoHash, SocketAddr)> {
        let info_hash = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&info_hash)?;
        let address = queue.pop_front()?;
        if queue.is_empty() {
            self.queues.remove(&info_hash);
        } else {
            self.turns.push_back(info_hash);
        }
        self.queued.remove(&(info_hash, address));
        Some((info_hash, address))
    }

    fn forget_what_is_past(&mut self, now: Instant) {
        self.again_at.retain(|_, at| *at > now);
        if self.again_at.is_empty() {
            self.again_at = HashMap::new();
        }
    }
}

impl Seed {
    /// Calls leechers of a torrent that have not come, soon and as far as limits allow: within `QUEUE_MAX` addresses,
    /// none twice in `AGAIN_AFTER`, none that is there already, and none while `ENOUGH` are.
    pub fn dial(&self, info_hash: &InfoHash, addresses: Vec<SocketAddr>) {
        if self.limits.dial && self.entry(info_hash).is_some_and(|entry| self.wants_peers(&entry)) {
            self.calls.want(*info_hash, addresses, Instant::now());
        }
    }

    /// Whether peers are to be called for a torrent. Half of the places are for those who come by themselves.
    fn wants_peers(&self, entry: &Entry) -> bool {
        let few = entry.connections.load(Ordering::Relaxed) < ENOUGH;
        few && !entry.is_retired() && self.doors.connections() < self.limits.connections_max.div_ceil(2)
    }

    /// Calls those who are queued, until it is to stop.
    pub(super) async fn call_leechers(self: Arc<Self>, mut stopped: watch::Receiver<()>) {
        let places = Arc::new(Semaphore::new(CALLS_MAX));
        let mut calls = JoinSet::new();
        loop {
            let next = async {
                let place = Arc::clone(&places).acquire_owned().await.ok();
                loop {
                    if let Some(next) = self.calls.next(Instant::now()) {
                        return (place, next);
                    }
                    self.calls.wanted.notified().await;
                }
            };
            tokio::select! {
                (place, (info_hash, address)) = next => {
                    let entry = self.entry(&info_hash).filter(|entry| self.wants_peers(entry));
                    if let Some(entry) = entry.filter(|entry| !entry.peers.has(address)) {
                        let call = Call { seed: Arc::clone(&self), entry, info_hash, address };
                        calls.spawn(Arc::new(call).make(Arc::clone(&places), place));
                    }
                }
                Some(_) = calls.join_next() => {}
                _ = stopped.changed() => break,
            }
        }
        calls.shutdown().await;
    }
}

/// A peer that is called.
struct Call {
    seed: Arc<Seed>,
    entry: Arc<Entry>,
    info_hash: InfoHash,
    address: SocketAddr,
}

/// What came of an attempt.
enum Outcome {
    /// It is a peer; whatever was to be said has been said.
    Spoken,
    /// There is no way to it.
    Unreached,
    /// It hung up without a word, as those do that insist on encryption.
    HungUp,
    /// Nothing more is to be tried.
    Enough,
}

impl Call {
    /// First over TCP, which almost everybody takes, and where nobody takes it over uTP; in the clear, which almost
    /// everybody takes, and where it is hung up on encrypted.
    async fn make(self: Arc<Self>, places: Arc<Semaphore>, place: Option<OwnedSemaphorePermit>) {
        let mut place = place;
        let mut door = None;
        let mut encrypted = false;
        loop {
            let attempt = Arc::clone(&self).attempt(door.clone(), encrypted, place.take());
            let outcome = match &door {
                None => attempt.await,
                // A stream over uTP lives on its own thread.
                Some(door) => door.run(attempt).await.unwrap_or(Outcome::Enough),
            };
            match outcome {
                Outcome::Unreached if door.is_none() && !encrypted => {
                    door = self.seed.utp_door();
                    if door.is_none() {
                        return;
                    }
                }
                Outcome::HungUp if !encrypted => encrypted = true,
                _ => return,
            }
            place = Arc::clone(&places).acquire_owned().await.ok();
        }
    }

    async fn attempt(
        self: Arc<Self>,
        door: Option<Door>,
        encrypted: bool,
        place: Option<OwnedSemaphorePermit>,
    ) -> Outcome {
        let Some(ticket) = self.seed.doors.admit(self.address.ip()) else { return Outcome::Enough };
        let Ok(Ok(mut stream)) = timeout(CONNECT_WITHIN, self.connect(door)).await else { return Outcome::Unreached };
        if self.is_ourselves(&stream) {
            return Outcome::Enough;
        }
        // Before it is offered: what is withdrawn from now on is withdrawn from this peer too.
        let swarm = Swarm::call(Arc::clone(&self.entry), self.info_hash, self.address, place);
        let Some(offer) = self.seed.offer(&self.entry).await else { return Outcome::Enough };
        let began = self.seed.now();
        let mut connection =
            Connection::dial(&self.seed.local, self.info_hash, offer, began).with_peer_at(self.address.ip());
        let mut hello = Hello { inbox: Vec::new(), ciphers: None };
        if encrypted {
            let mut initial = Vec::new();
            connection.take_handshake(&mut initial, began);
            let exchange = hello::dial(&self.seed, &mut stream, self.info_hash, &initial);
            hello = tokio::select! {
                biased;
                () = ticket.give_way() => return Outcome::Enough,
                exchanged = timeout(HANDSHAKE_WITHIN, exchange) => match exchanged {
                    Ok(Ok(hello)) => hello,
                    _ => return Outcome::Enough,
                },
            };
        }
        let conversation = peer::converse_called(Arc::clone(&self.seed), stream, ticket, (connection, hello), swarm);
        let spoken = conversation.await;
        if spoken {
            Outcome::Spoken
        } else if self.seed.now() < began + HANDSHAKE_WITHIN {
            Outcome::HungUp
        } else {
            Outcome::Enough
        }
    }

    async fn connect(&self, door: Option<Door>) -> io::Result<Stream> {
        match door {
            Some(Door { utp, .. }) => Ok(Stream::Utp(Box::new(utp.connect(self.address).await?))),
            None => Ok(Stream::tcp(TcpStream::connect(self.address).await?)),
        }
    }

    /// Whether the tracker was told of us by somebody else. Through an address translation it does not show here; then
    /// the handshake tells.
    fn is_ourselves(&self, stream: &Stream) -> bool {
        stream.local_ip() == Some(self.address.ip()) && self.address.port() == self.seed.local.port
    }
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
