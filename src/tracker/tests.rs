//! The rules of the wire, each by its name: what a client sends, what it is told, and what is kept.

mod counting;
mod everseed;
mod invariants;
mod keeping;
mod load;
mod open;
mod packets;
mod queries;
mod selection;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::announce::LEFT_UNKNOWN;
use super::*;
use crate::bencode;
use crate::id::{InfoHash, PeerId};

/// The torrent that every test serves.
const TORRENT: InfoHash = InfoHash(*b"everseed torrent one");
/// One that no test serves at first.
const OTHER: InfoHash = InfoHash(*b"everseed torrent two");
/// When the tests begin.
const START: Seconds = Seconds(1_700_000_000);

/// A tracker with its clock, and what its last answer was.
struct House {
    swarms: Swarms,
    now: Seconds,
    reply: Reply,
    changes: Vec<Change>,
}

impl House {
    fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        let mut swarms = Swarms::new(options, 42);
        swarms.set_torrents([TORRENT]);
        Self { swarms, now: START, reply: Reply::default(), changes: Vec::new() }
    }

    /// Lets a peer announce, and returns the addresses it is given.
    fn announce(&mut self, announce: &Announce) -> BTreeSet<String> {
        self.swarms.announce(announce, self.now, &mut self.reply, &mut self.changes).expect("a torrent that is served");
        self.given().into_iter().collect()
    }

    /// The addresses of the last reply in their order, IPv4 before IPv6.
    fn given(&self) -> Vec<String> {
        self.reply.v4.iter().chain(self.reply.v6.iter()).map(|(addr, _)| addr.to_string()).collect()
    }

    fn refusal(&mut self, announce: &Announce) -> Refusal {
        self.swarms.announce(announce, self.now, &mut self.reply, &mut self.changes).expect_err("refused")
    }

    fn wait(&mut self, secs: u64) -> &mut Self {
        self.now.0 += secs;
        self
    }

    /// Expires whatever is due, however many calls it takes.
    fn expire(&mut self) -> usize {
        (0..50).map(|_| self.swarms.expire(self.now, &mut self.changes)).sum()
    }

    /// (complete, incomplete, downloaded)
    fn tallies(&self) -> (u64, u64, u64) {
        let counts = self.swarms.scrape(&TORRENT).expect("a torrent that is served");
        (counts.complete, counts.incomplete, counts.downloaded)
    }

    fn lifetime(&self) -> Tally {
        self.swarms.status(&TORRENT).expect("a torrent that is served").lifetime
    }

    fn body(&self, form: http::Form) -> Vec<u8> {
        let mut body = Vec::new();
        http::write_reply(&mut body, &self.reply, form);
        bencode::decode(&body).expect("strict bencode");
        body
    }
}

/// A leecher at `addr`, whose name depends on its address alone.
fn leecher(addr: &str) -> Announce {
    let addr: SocketAddr = addr.parse().expect("an address with a port");
    let mut peer_id = *b"-EX0001-            ";
    let name = addr.to_string();
    let tail = &name.as_bytes()[name.len().saturating_sub(12)..];
    peer_id[8..8 + tail.len()].copy_from_slice(tail);
    Announce {
        info_hash: TORRENT,
        peer_id: PeerId(peer_id),
        addr,
        arrived_at: ip("198.51.100.1"),
        uploaded: 0,
        downloaded: 0,
        left: 1000,
        event: Event::Update,
        numwant: None,
        families: Families::Both,
        named: false,
        held_back: false,
    }
}

fn seed(addr: &str) -> Announce {
    Announce { left: 0, ..leecher(addr) }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// The query of `announce`, with every byte of the identifiers escaped.
fn query(announce: &Announce) -> String {
    let escaped = |bytes: &[u8; 20]| bytes.map(|b| format!("%{b:02X}")).concat();
    let event = match announce.event {
        Event::Update => "",
        Event::Started => "started",
        Event::Completed => "completed",
        Event::Stopped => "stopped",
        Event::Paused => "paused",
    };
    let numwant = announce.numwant.map_or(String::new(), |wanted| format!("&numwant={wanted}"));
    format!(
        "info_hash={}&peer_id={}&port={}&uploaded={}&downloaded={}&left={}&event={event}{numwant}",
        escaped(&announce.info_hash.0),
        escaped(&announce.peer_id.0),
        announce.addr.port(),
        announce.uploaded,
        announce.downloaded,
        announce.left,
    )
}

fn set(addrs: &[&str]) -> BTreeSet<String> {
    addrs.iter().map(|&addr| addr.to_owned()).collect()
}
