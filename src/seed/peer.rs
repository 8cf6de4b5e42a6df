//! One connection: its stream, its conversation and the blocks it waits for.

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{sleep_until, timeout_at};

use super::doors::Ticket;
use super::hello::{self, Hello};
use super::peers::Told;
use super::reading::{self, Read};
use super::stream::{Moved, Stream};
use super::torrents::Entry;
use super::{BATCH_BYTES_MAX, BATCH_BYTES_MIN, BATCHES_BYTES_MAX, Seed, WRITE_STALL_MAX};
use crate::id::{InfoHash, NodeHash};
use crate::wire::mse::Ciphers;
use crate::wire::{Bitfield, Close, Connection, HANDSHAKE_WITHIN, HashRequest, PARTIAL_BYTES_MAX, PEX_EVERY};

/// What a peer is sent at most before others have their turn: what is in the cache can be read without a pause, and some
/// take it without one.
const TURN_BYTES_MAX: usize = 1024 * 1024;

/// Speaks with a peer that came, until one of both has enough. `came` is what it has said already.
///
/// The reason is nobody's concern: peers that leave and peers that are let go are everyday life.
pub(super) async fn converse(seed: Arc<Seed>, mut stream: Stream, came: Vec<u8>, ticket: Ticket) {
    let began = seed.now();
    // It covers the exchange of keys; what is left of it, the handshake.
    let hello = timeout_at(seed.epoch + began + HANDSHAKE_WITHIN, hello::accept(&seed, &mut stream, came));
    let hello = tokio::select! {
        biased;
        () = ticket.give_way() => return,
        hello = hello => hello,
    };
    let Ok(Ok(hello)) = hello else { return };
    let Ok(address) = stream.peer_address() else { return };
    let connection = Connection::new(began).with_peer_at(address.ip());
    let _ = Conversation::new(seed, stream, ticket, connection, hello).run().await;
}

/// Speaks with a peer that was called, about the torrent of `swarm`. True where it answered with a handshake.
pub(super) async fn converse_called(
    seed: Arc<Seed>,
    stream: Stream,
    ticket: Ticket,
    (connection, hello): (Connection, Hello),
    swarm: Swarm,
) -> bool {
    let mut conversation = Conversation::new(seed, stream, ticket, connection, hello);
    conversation.swarm = Some(swarm);
    let _ = conversation.run().await;
    conversation.connection.peer_id().is_some()
}

/// Why a conversation is over.
enum End {
    /// The peer left, or the line failed.
    Gone,
    /// It is let go.
    Close,
}

impl From<Close> for End {
    fn from(_: Close) -> Self {
        Self::Close
    }
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// Something that the disk is asked for.
type Underway<T> = Pin<Box<dyn Future<Output = T> + Send>>;

struct Conversation {
    seed: Arc<Seed>,
    stream: Stream,
    ciphers: Option<Box<Ciphers>>,
    ticket: Ticket,
    connection: Connection,
    /// What came and is less than a message, or waits until there is room for what it asks.
    inbox: Vec<u8>,
    outbox: Outbox,
    reading: Option<Underway<Read>>,
    hashing: Option<(HashRequest, Underway<Option<Vec<NodeHash>>>)>,
    /// The torrent, once the peer has named it.
    swarm: Option<Swarm>,
    /// Whether its handshake is done.
    is_known: bool,
    /// What is known of the first that it said after its handshake.
    first_word: FirstWord,
    /// Held while blocks are read or written.
    sending: Option<Sending>,
    /// Bytes that were written in this turn.
    turn_bytes: usize,
    /// Whether the turn is over, so that nothing goes on over the stream before [`Stream::arrived`].
    rests: bool,
}

/// One of those who hold bytes for their peers.
struct Sending(Arc<Seed>);

impl Sending {
    fn begin(seed: &Arc<Seed>) -> Self {
        seed.sending.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(seed))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.sending.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The first that a peer says after its handshake, and whether it has had an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FirstWord {
    Awaited,
    Heard,
    Answered,
}

/// What is being written.
#[derive(Default)]
struct Outbox {
    bytes: Vec<u8>,
    written: usize,
    /// How many of the bytes are content.
    content: u64,
    /// When the peer last took some.
    moved: Duration,
    /// Whether what follows goes in a packet of its own.
    alone: bool,
}

/// The torrent that a conversation is about.
pub(super) struct Swarm {
    entry: Arc<Entry>,
    offers: watch::Receiver<Option<Arc<Bitfield>>>,
    /// The peer's number among those of the torrent.
    number: u64,
    /// The port at which it was called, where it was.
    called: Option<u16>,
    /// Its place among those who are called and have not answered.
    place: Option<OwnedSemaphorePermit>,
    /// Whether it has said where it takes connections.
    listens: bool,
    /// What it has been told of the others, and when it may be told more.
    told: Told,
    tell_at: Duration,
}

impl Swarm {
    /// A peer joins those of a torrent.
    pub fn enter(entry: Arc<Entry>, info_hash: InfoHash, ip: IpAddr) -> Self {
        entry.connections.fetch_add(1, Ordering::Relaxed);
        Self {
            offers: entry.offers(),
            number: entry.peers.come(info_hash, ip),
            entry,
            called: None,
            place: None,
            listens: false,
            told: Told::default(),
            tell_at: Duration::ZERO,
        }
    }

    /// The same for a peer that is called; its place is given back when it answers.
    pub fn call(
        entry: Arc<Entry>,
        info_hash: InfoHash,
        address: SocketAddr,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let mut swarm = Self::enter(entry, info_hash, address.ip());
        swarm.called = Some(address.port());
        swarm.place = place;
        swarm
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        self.entry.connections.fetch_sub(1, Ordering::Relaxed);
        self.entry.peers.go(self.number);
    }
}

impl Conversation {
    fn new(seed: Arc<Seed>, stream: Stream, ticket: Ticket, connection: Connection, hello: Hello) -> Self {
        let Hello { inbox, ciphers } = hello;
        Self {
            seed,
            stream,
            ciphers,
            ticket,
            connection,
            inbox,
            outbox: Outbox::default(),
            reading: None,
            hashing: None,
            swarm: None,
            is_known: false,
            first_word: FirstWord::Awaited,
            sending: None,
            turn_bytes: 0,
            rests: false,
        }
    }

    async fn run(&mut self) -> Result<(), End> {
        loop {
            self.work().await?;
            let wants_input = self.connection.wants_input();
            let deadline = self.seed.epoch + self.deadline();
            tokio::select! {
                // What is rare first: whoever reads without a pause keeps it from nobody.
                biased;
                () = self.ticket.give_way() => return Err(End::Close),
                have = offered(&mut self.swarm) => self.connection.offer_now(have.ok_or(End::Close)?)?,
                hashes = finished(self.hashing.as_mut().map(|(_, underway)| underway)) => {
                    if let Some((request, _)) = self.hashing.take() {
                        self.connection.answer_hashes(&request, hashes.as_deref());
                    }
                }
                read = finished(self.reading.as_mut()) => {
                    self.reading = None;
                    self.connection.reject(&read.bad)?;
                    self.connection.give_back(read.rest);
                    self.fill(read.bytes, read.content);
                }
                moved = go_on(&mut self.stream, self.rests, wants_input.then_some(&mut self.inbox), self.outbox.rest()) => match moved? {
                    // Meanwhile what is underway went on: it may hold the place that others wait for.
                    None => self.rests = false,
                    Some(Moved::In(0)) => return Err(End::Gone),
                    Some(Moved::In(bytes)) => {
                        if let Some(ciphers) = &mut self.ciphers {
                            let from = self.inbox.len() - bytes;
                            ciphers.decrypt(&mut self.inbox[from..]);
                        }
                    }
                    Some(Moved::Out(bytes)) => self.rests = self.wrote(bytes),
                },
                () = sleep_until(deadline) => {
                    let now = self.seed.now();
                    if !self.outbox.rest().is_empty() && now >= self.outbox.moved + WRITE_STALL_MAX {
                        return Err(End::Close);
                    }
                    self.connection.tick(now)?;
                }
            }
        }
    }

    /// Does all that can be done without waiting.
    async fn work(&mut self) -> Result<(), End> {
        let now = self.seed.now();
        self.listen(now).await?;
        if self.outbox.rest().is_empty() {
            if self.reading.is_none() {
                self.speak(now);
            } else {
                // What waits for its pace or for a disk does so for minutes, perhaps.
                let mut bytes = Vec::new();
                self.connection.take_output(&mut bytes, now);
                if !bytes.is_empty() {
                    self.fill(bytes, 0);
                }
            }
            // There is room again for what was left lying; it is taken before more is read from the socket.
            self.listen(now).await?;
        }
        if self.inbox.is_empty() {
            // Thousands of quiet peers hold nothing.
            self.inbox = Vec::new();
        }
        Ok(())
    }

    async fn listen(&mut self, now: Duration) -> Result<(), End> {
        loop {
            let done = self.connection.receive(&self.inbox, now)?;
            self.inbox.drain(..done);
            if done > 0 && self.is_known && self.first_word == FirstWord::Awaited {
                self.first_word = FirstWord::Heard;
            }
            debug_assert!(
                self.inbox.len() <= PARTIAL_BYTES_MAX || !self.connection.wants_input(),
                "what can be done with is done before more is read"
            );
            let Some(info_hash) = self.connection.asks_for() else { break };
            let entry = self.seed.entry(&info_hash).ok_or(End::Close)?;
            let swarm = Swarm::enter(entry, info_hash, self.stream.peer_address()?.ip());
            let offer = tokio::select! {
                biased;
                () = self.ticket.give_way() => None,
                offer = timeout_at(self.seed.epoch + self.connection.deadline(), self.seed.offer(&swarm.entry)) => offer.ok().flatten(),
            };
            let offer = offer.ok_or(End::Close)?;
            self.swarm = Some(swarm);
            self.connection.accept(&self.seed.local, offer, now)?;
        }
        if !self.is_known && self.connection.is_open() {
            self.is_known = true;
            self.ticket.known();
            self.swarm.iter_mut().for_each(|swarm| swarm.place = None);
        }
        if let Some(swarm) = self.swarm.as_mut().filter(|swarm| !swarm.listens)
            && self.is_known
            && let Some(port) = swarm.called.or_else(|| self.connection.listen_port())
        {
            swarm.listens = true;
            swarm.entry.peers.listens(swarm.number, port);
        }
        Ok(())
    }

    /// Begins to write what is next, or to read it from the disk.
    fn speak(&mut self, now: Duration) {
        if let Some(swarm) = &self.swarm
            && let Some(request) = self.connection.take_hash_request()
        {
            let hashes = reading::hashes(Arc::clone(&self.seed), Arc::clone(&swarm.entry), request);
            self.hashing = Some((request, Box::pin(hashes)));
        }
        self.tell_of_others(now);
        // What was written stays for now: memory that has been used once need not be cleared to be read into.
        let buffer = std::mem::take(&mut self.outbox).bytes;
        let mut bytes = Vec::new();
        if self.stream.is_utp() && self.connection.take_handshake(&mut bytes, now) {
            self.fill(bytes, 0);
            self.outbox.alone = true;
            return;
        }
        self.connection.take_output(&mut bytes, now);
        if self.first_word == FirstWord::Heard {
            self.first_word = FirstWord::Answered;
            if self.stream.is_utp() && bytes.is_empty() {
                // libtorrent says whether it is interested once this is acknowledged, and an acknowledgement that goes
                // with nothing waits for 40 ms: it goes with a keep-alive.
                bytes.extend_from_slice(&[0; 4]);
            }
        }
        if !bytes.is_empty() {
            return self.fill(bytes, 0);
        }
        let Some(swarm) = &self.swarm else { return };
        if let Some(piece) = self.connection.take_metadata(now) {
            self.ticket.asked();
            let (seed, entry) = (Arc::clone(&self.seed), Arc::clone(&swarm.entry));
            self.reading = Some(Box::pin(reading::metadata(seed, entry, piece)));
            return;
        }
        let share = BATCHES_BYTES_MAX / self.seed.sending.load(Ordering::Relaxed).max(1);
        let share = u32::try_from(share).unwrap_or(u32::MAX).clamp(BATCH_BYTES_MIN, BATCH_BYTES_MAX);
        let bytes_max = self.seed.paces(&swarm.entry).fold(share, |bytes, pace| pace.turn_bytes(bytes));
        let blocks = self.connection.take_blocks(bytes_max, now);
        if blocks.is_empty() {
            self.sending = None;
        } else {
            self.ticket.asked();
            self.sending.get_or_insert_with(|| Sending::begin(&self.seed));
            let (seed, entry) = (Arc::clone(&self.seed), Arc::clone(&swarm.entry));
            self.reading = Some(Box::pin(reading::read(seed, entry, blocks, buffer)));
        }
    }

    /// Tells the peer of others of its swarm, where it wants to know and has not been told for a while (BEP 11).
    fn tell_of_others(&mut self, now: Duration) {
        let Some(swarm) = self.swarm.as_mut().filter(|swarm| now >= swarm.tell_at) else { return };
        if self.connection.wants_pex() {
            let (added, dropped, told) = swarm.entry.peers.news(swarm.number, swarm.told);
            let is_news = !added.is_empty() || !dropped.is_empty();
            if !is_news || self.connection.tell_peers(&added, &dropped, now) {
                swarm.told = told;
                swarm.tell_at = now + PEX_EVERY;
            }
        }
    }

    fn fill(&mut self, mut bytes: Vec<u8>, content: u64) {
        if let Some(ciphers) = &mut self.ciphers {
            ciphers.encrypt(&mut bytes);
        }
        if self.outbox.rest().is_empty() {
            self.outbox = Outbox { bytes, written: 0, content, moved: self.seed.now(), alone: false };
        } else {
            // What was said while it was read is not written yet.
            self.outbox.bytes.append(&mut bytes);
            self.outbox.content += content;
        }
    }

    /// Takes note that so much was written; true where others are to have their turn: the stream of uTP, which lives on
    /// the same thread, where what was written is to leave before more is; or other peers.
    fn wrote(&mut self, bytes: usize) -> bool {
        self.turn_bytes += bytes;
        self.ticket.took(bytes as u64);
        let is_over = self.turn_bytes >= TURN_BYTES_MAX;
        if is_over {
            self.turn_bytes = 0;
        }
        self.outbox.written += bytes;
        self.outbox.moved = self.seed.now();
        if !self.outbox.rest().is_empty() {
            return is_over;
        }
        if let Some(swarm) = &self.swarm {
            swarm.entry.sent.fetch_add(self.outbox.content, Ordering::Relaxed);
            self.seed.sent.fetch_add(self.outbox.content, Ordering::Relaxed);
        }
        self.outbox.content = 0;
        std::mem::take(&mut self.outbox.alone) || is_over
    }

    fn deadline(&self) -> Duration {
        let deadline = self.connection.deadline();
        if self.outbox.rest().is_empty() { deadline } else { deadline.min(self.outbox.moved + WRITE_STALL_MAX) }
    }
}

impl Outbox {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.written..]
    }
}

/// Reads or writes; where the stream rests, waits until it need not, and gives nothing.
async fn go_on(
    stream: &mut Stream,
    rests: bool,
    inbox: Option<&mut Vec<u8>>,
    outbox: &[u8],
) -> io::Result<Option<Moved>> {
    if rests { stream.arrived().await.map(|()| None) } else { stream.transfer(inbox, outbox).await.map(Some) }
}

async fn finished<T>(underway: Option<&mut Underway<T>>) -> T {
    match underway {
        Some(underway) => underway.await,
        None => pending().await,
    }
}

/// What is offered now, when it changed; nothing when the torrent is no longer seeded.
async fn offered(swarm: &mut Option<Swarm>) -> Option<Arc<Bitfield>> {
    let Some(swarm) = swarm else { return pending().await };
    // The sender lives in the entry that stands beside the receiver.
    swarm.offers.changed().await.ok()?;
    swarm.offers.borrow_and_update().clone()
}
