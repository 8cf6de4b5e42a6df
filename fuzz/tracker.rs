//! A tracker of three torrents that anybody says anything to: announces and scrapes as queries of HTTP and as packets of
//! UDP, with headers of proxies, at any time.
//!
//! What must hold: nothing panics; what is refused changes nothing; an answer over HTTP is strict bencode, over UDP one
//! packet, and no longer than what was said where the sender's address is not proven; nobody is given itself, or an address
//! that was held back.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use everseed_fuzz::bencode;
use everseed_fuzz::id::InfoHash;
use everseed_fuzz::tracker::address::{self, Forwarding, Networks, Standing};
use everseed_fuzz::tracker::udp::{self, ConnectionIds, REPLY_BYTES_MAX, Request};
use everseed_fuzz::tracker::{Announce, Change, NUMWANT_MAX, Options, Reply, SeedState, Seconds, Swarms, http};
use libfuzzer_sys::fuzz_target;

/// Torrents as they stand in a query without escapes, so that the fuzzer finds them.
const TORRENTS: [InfoHash; 3] = [InfoHash([b'a'; 20]), InfoHash([b'b'; 20]), InfoHash([b'c'; 20])];
const ARRIVED_AT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
/// What an answer over HTTP has at most: the most peers as dictionaries, and all else.
const HTTP_BYTES_MAX: usize = NUMWANT_MAX as usize * 128 + 1024;

fuzz_target!(|data: &[u8]| {
    let mut house = House::new();
    let mut rest = data;
    while let [what, who, length, said @ ..] = rest {
        let (said, behind) = said.split_at(said.len().min(usize::from(*length) * 2));
        rest = behind;
        house.now.0 += u64::from(*who >> 4) * 60;
        let from = client(*who);
        match what % 8 {
            0 => house.http_announce(said, from),
            1 => house.http_announce(&query(*what, said), from),
            2 => house.http_scrape(said),
            3 => house.udp(said, from, false),
            4 => house.udp(said, from, true),
            5 => house.udp(&packet(*what, said), from, true),
            6 => proxied(said, from.ip()),
            _ => house.turn(*who),
        }
    }
});

fn client(who: u8) -> SocketAddr {
    let low = who & 3;
    match who & 12 {
        0 => SocketAddr::new(Ipv4Addr::new(192, 0, 2, low).into(), 7000),
        4 => SocketAddr::new(Ipv4Addr::new(127, 0, 0, low).into(), 7000),
        8 => SocketAddr::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, low.into()).into(), 7000),
        _ => SocketAddr::new(Ipv4Addr::new(192, 0, 2, low).to_ipv6_mapped().into(), 7000),
    }
}

/// A query that is right so far, and goes on as it likes.
fn query(what: u8, said: &[u8]) -> Vec<u8> {
    let hash = TORRENTS[usize::from(what >> 3) % TORRENTS.len()].0;
    let (who, rest) = said.split_first().unwrap_or((&0, &[]));
    let port = 1 + u16::from(who & 7);
    let mut query = [b"info_hash=", &hash[..], b"&peer_id=-EX0001-00000000000", &[b'0' + who % 10]].concat();
    query.extend_from_slice(format!("&port={port}&left={}&", who >> 7).as_bytes());
    query.extend_from_slice(rest);
    query
}

/// An announce of a torrent that is served, otherwise as the bytes have it.
fn packet(what: u8, said: &[u8]) -> Vec<u8> {
    let mut packet = said.to_vec();
    packet.resize(packet.len().max(udp::ANNOUNCE_BYTES), what);
    packet[8..12].copy_from_slice(&udp::ANNOUNCE.to_be_bytes());
    packet[16..36].copy_from_slice(&TORRENTS[usize::from(what >> 3) % TORRENTS.len()].0);
    packet
}

struct House {
    swarms: Swarms,
    ids: ConnectionIds,
    reply: Reply,
    changes: Vec<Change>,
    now: Seconds,
}

impl House {
    fn new() -> Self {
        let options =
            Options { seed_addresses: vec![Ipv4Addr::new(203, 0, 113, 1).into()], seed_port: 6881, ..Options::default() };
        let mut swarms = Swarms::new(options, 1);
        swarms.set_torrents(TORRENTS);
        swarms.set_seed(&TORRENTS[0], SeedState::Offered);
        let ids = ConnectionIds::new([7; 16]);
        Self { swarms, ids, reply: Reply::default(), changes: Vec::new(), now: Seconds(1_700_000_000) }
    }

    fn http_announce(&mut self, query: &[u8], from: SocketAddr) {
        let mut body = Vec::new();
        let answered = http::parse_announce(query).and_then(|query| {
            let announce = Announce { held_back: from.port() == 0, ..query.announce(from.ip(), ARRIVED_AT) };
            self.announce(&announce)?;
            http::write_reply(&mut body, &self.reply, query.form);
            Ok(())
        });
        if let Err(refusal) = answered {
            body.clear();
            http::write_failure(&mut body, refusal, &self.swarms);
        }
        assert!(body.len() <= HTTP_BYTES_MAX, "{} bytes", body.len());
        let value = bencode::decode(&body).expect("an answer is strict bencode");
        assert_eq!(value.get("failure reason").is_none(), value.get("peers").is_some());
    }

    fn http_scrape(&mut self, query: &[u8]) {
        let mut body = Vec::new();
        match http::parse_scrape(query).and_then(|hashes| http::scrape(&self.swarms, &hashes)) {
            Ok(files) => http::write_scrape(&mut body, &files),
            Err(refusal) => http::write_failure(&mut body, refusal, &self.swarms),
        }
        bencode::decode(&body).expect("an answer is strict bencode");
    }

    /// A packet as it is, or with an id that was issued to its sender, which the fuzzer can't guess.
    fn udp(&mut self, said: &[u8], from: SocketAddr, proven: bool) {
        let mut packet = said.to_vec();
        if proven && let Some(id) = packet.first_chunk_mut::<8>() {
            *id = self.ids.issue(from.ip(), self.now).to_be_bytes();
        }
        let mut out = Vec::new();
        match udp::parse(&packet, from, ARRIVED_AT, &self.ids, self.now) {
            None => {}
            Some(Request::Connect { transaction }) => {
                udp::write_connect(&mut out, transaction, self.ids.issue(from.ip(), self.now));
                assert!(out.len() <= packet.len(), "an address that is not proven gets no more than came from it");
            }
            Some(Request::Announce { transaction, announce }) => {
                assert!(proven, "an id was guessed");
                match self.announce(&announce) {
                    Ok(()) => udp::write_announce(&mut out, transaction, &self.reply, announce.families),
                    Err(refusal) => {
                        udp::write_error(&mut out, transaction, refusal);
                        assert!(out.len() < packet.len());
                    }
                }
            }
            Some(Request::Scrape { transaction, hashes }) => {
                assert!(proven, "an id was guessed");
                udp::write_scrape(&mut out, transaction, hashes.iter().map(|hash| self.swarms.scrape(&hash)));
            }
        }
        assert!(out.len() <= REPLY_BYTES_MAX);
    }

    fn announce(&mut self, announce: &Announce) -> Result<(), everseed_fuzz::tracker::Refusal> {
        let before = (self.swarms.peers(), self.counts());
        self.changes.clear();
        let outcome = self.swarms.announce(announce, self.now, &mut self.reply, &mut self.changes);
        if outcome.is_err() {
            assert_eq!((self.swarms.peers(), self.counts()), before, "a refused announce changes nothing");
            assert!(self.changes.is_empty());
            return outcome;
        }
        assert!(self.reply.peers() <= NUMWANT_MAX as usize);
        for (addr, id) in self.reply.v4.iter().chain(self.reply.v6.iter()) {
            assert!(addr != announce.addr && id != Some(announce.peer_id), "nobody is given itself");
            assert!(addr.port() != 0 && addr.ip() == addr.ip().to_canonical());
        }
        outcome
    }

    fn counts(&self) -> Vec<everseed_fuzz::tracker::Status> {
        self.swarms.statuses().collect()
    }

    /// What happens beside announces: an expiry, another list of torrents, the everseed comes or goes.
    fn turn(&mut self, how: u8) {
        self.changes.clear();
        match how & 3 {
            0 => drop(self.swarms.expire(self.now, &mut self.changes)),
            1 => drop(self.swarms.set_torrents(TORRENTS.into_iter().take(usize::from(how >> 2 & 3)))),
            2 => drop(self.swarms.set_torrents(TORRENTS)),
            _ => drop(self.swarms.set_seed(&TORRENTS[1], SeedState::Offered)),
        }
    }
}

/// Headers, a line each, that a client or a proxy sent.
fn proxied(lines: &[u8], socket: IpAddr) {
    let headers: Vec<_> = lines
        .split(|&byte| byte == b'\n')
        .take(64)
        .filter_map(|line| {
            let (&which, value) = line.split_first()?;
            Some((if which & 1 == 0 { Forwarding::Forwarded } else { Forwarding::XForwardedFor }, value))
        })
        .collect();
    let trusted = Networks::parse(["127.0.0.0/8", "192.0.2.3"]).expect("networks");
    for trusted in [&Networks::default(), &trusted] {
        let client = address::client(socket, &headers, trusted);
        assert_eq!(client.ip, client.ip.to_canonical());
        match client.standing {
            Standing::Direct | Standing::HeldBack(_) => assert_eq!(client.ip, socket.to_canonical()),
            _ => assert!(trusted.contain(socket.to_canonical()), "a stranger is believed"),
        }
    }
}
