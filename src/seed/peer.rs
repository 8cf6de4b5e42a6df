//! One connection: its socket, its conversation and the blocks it waits for.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BufMut;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::disk::{self, Refused};
use super::doors::Ticket;
use super::torrents::Entry;
use super::{BATCH_BYTES_MAX, Seed, WRITE_STALL_MAX};
use crate::wire::{Bitfield, Block, Close, Connection, PARTIAL_BYTES_MAX};

/// What is read from a socket at a time, in bytes.
const READ_BYTES: usize = 4096;

/// Speaks with a peer until one of both has enough.
pub(super) async fn converse(seed: Arc<Seed>, stream: TcpStream, ticket: Ticket) {
    // Blocks are written whole and replies are small: neither is to wait for the other. Failing, it is only slower.
    let _ = stream.set_nodelay(true);
    let connection = Connection::new(seed.now());
    let mut conversation = Conversation {
        seed,
        stream,
        ticket,
        connection,
        inbox: Vec::new(),
        outbox: Outbox::default(),
        reading: None,
        swarm: None,
    };
    // The reason is nobody's concern yet: peers that leave and peers that are let go are everyday life.
    let _ = conversation.run().await;
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

struct Conversation {
    seed: Arc<Seed>,
    stream: TcpStream,
    ticket: Ticket,
    connection: Connection,
    /// What came and is less than a message, or waits until there is room for what it asks.
    inbox: Vec<u8>,
    outbox: Outbox,
    reading: Option<Pin<Box<dyn Future<Output = Read> + Send>>>,
    /// The torrent, once the peer has named it.
    swarm: Option<Swarm>,
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
}

struct Swarm {
    entry: Arc<Entry>,
    offers: watch::Receiver<Option<Arc<Bitfield>>>,
}

impl Drop for Swarm {
    fn drop(&mut self) {
        self.entry.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What came of reading blocks: their messages, and how many bytes of content are in them.
struct Read {
    bytes: Vec<u8>,
    outcome: Result<u64, Refused>,
}

impl Conversation {
    async fn run(&mut self) -> Result<(), End> {
        loop {
            self.work().await?;
            let wants_input = self.connection.wants_input();
            let wants_output = !self.outbox.bytes.is_empty();
            let deadline = self.seed.epoch + self.deadline();
            tokio::select! {
                ready = self.stream.readable(), if wants_input => {
                    ready?;
                    self.read()?;
                }
                ready = self.stream.writable(), if wants_output => {
                    ready?;
                    self.write()?;
                }
                read = finished(&mut self.reading) => {
                    self.reading = None;
                    self.outbox.content = read.outcome.map_err(|_| End::Close)?;
                    self.outbox.fill(read.bytes, self.seed.now());
                    self.write()?;
                }
                have = offered(&mut self.swarm) => {
                    self.connection.offer_now(have.ok_or(End::Close)?)?;
                }
                () = sleep_until(deadline) => {
                    let now = self.seed.now();
                    if wants_output && now >= self.outbox.moved + WRITE_STALL_MAX {
                        return Err(End::Close);
                    }
                    self.connection.tick(now)?;
                }
                () = self.ticket.give_way() => return Err(End::Close),
            }
        }
    }

    /// Does all that can be done without waiting.
    async fn work(&mut self) -> Result<(), End> {
        let now = self.seed.now();
        self.listen(now).await?;
        if let Some(swarm) = &self.swarm
            && let Some(request) = self.connection.take_hash_request()
        {
            let hashes = self.seed.hashes(&swarm.entry, request).await;
            self.connection.answer_hashes(&request, hashes.as_deref());
        }
        if self.outbox.bytes.is_empty() && self.reading.is_none() {
            let mut bytes = Vec::new();
            self.connection.take_output(&mut bytes, now);
            if bytes.is_empty() {
                self.read_blocks(now);
            } else {
                self.outbox.fill(bytes, now);
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
            let Some(info_hash) = self.connection.asks_for() else { return Ok(()) };
            let entry = self.seed.entry(&info_hash).ok_or(End::Close)?;
            let offers = entry.offers();
            let offer = self.seed.offer(&entry).await.ok_or(End::Close)?;
            entry.connections.fetch_add(1, Ordering::Relaxed);
            self.swarm = Some(Swarm { entry, offers });
            self.connection.accept(&self.seed.local, offer, now)?;
            self.ticket.known();
        }
    }

    fn read_blocks(&mut self, now: Duration) {
        let Some(swarm) = &self.swarm else { return };
        let blocks = self.connection.take_blocks(BATCH_BYTES_MAX, now);
        if !blocks.is_empty() {
            self.ticket.asked();
            self.reading = Some(Box::pin(read(Arc::clone(&self.seed), Arc::clone(&swarm.entry), blocks)));
        }
    }

    fn read(&mut self) -> Result<(), End> {
        debug_assert!(self.inbox.len() <= PARTIAL_BYTES_MAX, "what can be done with is done before more is read");
        self.inbox.reserve(READ_BYTES);
        match self.stream.try_read_buf(&mut (&mut self.inbox).limit(READ_BYTES)) {
            Ok(0) => Err(End::Gone),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&mut self) -> Result<(), End> {
        match self.stream.try_write(&self.outbox.bytes[self.outbox.written..]) {
            Ok(bytes) => {
                self.outbox.written += bytes;
                self.outbox.moved = self.seed.now();
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        if self.outbox.written == self.outbox.bytes.len() {
            if let Some(swarm) = &self.swarm {
                swarm.entry.sent.fetch_add(self.outbox.content, Ordering::Relaxed);
                self.seed.sent.fetch_add(self.outbox.content, Ordering::Relaxed);
            }
            self.outbox = Outbox::default();
        }
        Ok(())
    }

    fn deadline(&self) -> Duration {
        let deadline = self.connection.deadline();
        if self.outbox.bytes.is_empty() { deadline } else { deadline.min(self.outbox.moved + WRITE_STALL_MAX) }
    }
}

impl Outbox {
    fn fill(&mut self, bytes: Vec<u8>, now: Duration) {
        self.bytes = bytes;
        self.written = 0;
        self.moved = now;
    }
}

async fn read(seed: Arc<Seed>, entry: Arc<Entry>, blocks: Vec<Block>) -> Read {
    let reading = seed.read_for_peer(&entry, move |entry| {
        let mut bytes = Vec::new();
        let content = blocks.iter().map(|block| u64::from(block.bytes)).sum();
        let outcome = disk::read_blocks(entry, &blocks, &mut bytes).map(|()| content);
        Read { bytes, outcome }
    });
    reading.await.unwrap_or_else(|refused| Read { bytes: Vec::new(), outcome: Err(refused) })
}

async fn finished(reading: &mut Option<Pin<Box<dyn Future<Output = Read> + Send>>>) -> Read {
    match reading {
        Some(reading) => reading.await,
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
