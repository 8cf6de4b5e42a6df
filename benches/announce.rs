//! Announces a second into swarms of 10, 1,000 and 100,000 peers: the core alone, and with HTTP's or UDP's bytes around it.
//!
//! `cargo bench --bench announce`. One thread, no sockets; each announce comes from a peer that is known and asks for
//! 50 others. The rates are those of the fastest of [`ROUNDS`], the others having been disturbed by the machine.

#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use everseed::id::{InfoHash, PeerId};
use everseed::tracker::udp::{self, ConnectionIds, Request};
use everseed::tracker::{Announce, Event, Families, Options, Reply, Seconds, Swarms, http};

/// Times that each figure is measured.
const ROUNDS: usize = 5;
/// How long each of them lasts at least.
const ROUND: Duration = Duration::from_millis(200);
const PEERS_MAX: u32 = 100_000;
const ARRIVED_AT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const NOW: Seconds = Seconds(1_700_000_000);

/// One tracker under load, and buffers that are used again.
struct Bench {
    swarms: Swarms,
    reply: Reply,
    changes: Vec<everseed::tracker::Change>,
    out: Vec<u8>,
    ids: ConnectionIds,
}

fn main() {
    println!("announces a second, one thread, 50 of 80 % leechers and 20 % seeds given (ns each)");
    println!(
        "{:>9} {:>9} {:>18} {:>24} {:>24}",
        "torrents", "peers", "core", "HTTP parse to write", "UDP parse to write"
    );
    for (torrents, peers) in [(10_000, 10), (1, 10), (1, 1_000), (1, PEERS_MAX), (100, 1_000)] {
        let announces = announces(torrents, peers);
        let queries: Vec<String> = announces.iter().map(query).collect();
        let mut bench = Bench::filled(torrents, &announces);
        let packets: Vec<Vec<u8>> = announces.iter().map(|announce| packet(announce, &bench.ids)).collect();
        let core = rate(announces.len(), |at| bench.core(&announces[at]));
        let over_http = rate(announces.len(), |at| bench.over_http(queries[at].as_bytes(), announces[at].addr.ip()));
        let over_udp = rate(announces.len(), |at| bench.over_udp(&packets[at], announces[at].addr));
        println!("{torrents:>9} {peers:>9} {} {} {}", shown(core, 18), shown(over_http, 24), shown(over_udp, 24));
    }
}

impl Bench {
    fn filled(torrents: u32, announces: &[Announce]) -> Self {
        let mut swarms = Swarms::new(Options::default(), 1);
        swarms.set_torrents((0..torrents).map(info_hash));
        let ids = ConnectionIds::new([7; 16]);
        let mut bench = Self { swarms, reply: Reply::default(), changes: Vec::new(), out: Vec::new(), ids };
        announces.iter().for_each(|announce| bench.core(announce));
        bench
    }

    fn core(&mut self, announce: &Announce) {
        self.changes.clear();
        let answered = self.swarms.announce(announce, NOW, &mut self.reply, &mut self.changes);
        assert!(answered.is_ok(), "every torrent of the bench is served");
    }

    fn over_http(&mut self, query: &[u8], client: IpAddr) {
        let query = http::parse_announce(query).expect("the bench writes announces");
        self.core(&query.announce(client, ARRIVED_AT));
        self.out.clear();
        http::write_reply(&mut self.out, &self.reply, query.form);
    }

    fn over_udp(&mut self, packet: &[u8], client: SocketAddr) {
        let Some(Request::Announce { transaction, announce }) = udp::parse(packet, client, ARRIVED_AT, &self.ids, NOW)
        else {
            panic!("the bench writes announces")
        };
        self.core(&announce);
        self.out.clear();
        udp::write_announce(&mut self.out, transaction, &self.reply, announce.families);
    }
}

/// Each peer of each torrent once, in an order that jumps from torrent to torrent.
fn announces(torrents: u32, peers: u32) -> Vec<Announce> {
    let all = (0..peers).flat_map(|peer| (0..torrents).map(move |torrent| (torrent, peer)));
    all.map(|(torrent, peer)| {
        let mut peer_id = *b"-EX0001-000000000000";
        peer_id[8..12].copy_from_slice(&peer.to_be_bytes());
        // A prime step, so that neighbours in time are strangers in memory.
        let peer = u32::try_from(u64::from(peer) * 7919 % u64::from(peers)).expect("below the number of peers");
        Announce {
            info_hash: info_hash(torrent),
            peer_id: PeerId(peer_id),
            addr: SocketAddr::new(Ipv4Addr::from_bits(0x0a00_0000 + peer).into(), 6881),
            arrived_at: ARRIVED_AT,
            uploaded: 0,
            downloaded: 0,
            left: u64::from(!peer.is_multiple_of(5)),
            event: Event::Update,
            numwant: None,
            families: Families::V4,
            named: false,
            held_back: false,
        }
    })
    .collect()
}

fn info_hash(torrent: u32) -> InfoHash {
    let mut hash = [0xa5; 20];
    hash[..4].copy_from_slice(&torrent.wrapping_mul(0x9e37_79b1).to_be_bytes());
    InfoHash(hash)
}

fn query(announce: &Announce) -> String {
    let mut query = String::from("info_hash=");
    let escape = |query: &mut String, bytes: &[u8]| {
        for byte in bytes {
            write!(query, "%{byte:02x}").expect("a string takes everything");
        }
    };
    escape(&mut query, &announce.info_hash.0);
    query.push_str("&peer_id=-EX0001-");
    escape(&mut query, &announce.peer_id.0[8..]);
    let left = announce.left;
    write!(
        query,
        "&port=6881&uploaded=0&downloaded=0&left={left}&corrupt=0&key=A1B2C3D4&numwant=50&compact=1&no_peer_id=1"
    )
    .expect("a string takes everything");
    query
}

fn packet(announce: &Announce, ids: &ConnectionIds) -> Vec<u8> {
    let mut packet = ids.issue(announce.addr.ip(), NOW).to_be_bytes().to_vec();
    packet.extend_from_slice(&[0, 0, 0, 1, 9, 9, 9, 9]);
    packet.extend_from_slice(&announce.info_hash.0);
    packet.extend_from_slice(&announce.peer_id.0);
    packet.extend_from_slice(&[0; 8]);
    packet.extend_from_slice(&announce.left.to_be_bytes());
    packet.extend_from_slice(&[0; 20]);
    packet.extend_from_slice(&50_u32.to_be_bytes());
    packet.extend_from_slice(&announce.addr.port().to_be_bytes());
    packet
}

/// Nanoseconds of one call, of the fastest round.
fn rate(inputs: usize, mut call: impl FnMut(usize)) -> u128 {
    (0..ROUNDS)
        .map(|_| {
            let (start, mut calls) = (Instant::now(), 0);
            while start.elapsed() < ROUND {
                // The clock is read once in a thousand calls: it costs a tenth of one.
                for _ in 0..1000 {
                    call(calls % inputs);
                    calls += 1;
                }
            }
            start.elapsed().as_nanos() / calls as u128
        })
        .min()
        .unwrap_or(0)
}

fn shown(nanos: u128, width: usize) -> String {
    let text = format!("{} ({nanos})", 1_000_000_000 / nanos.max(1));
    format!("{text:>width$}")
}
