//! One thread, a tracker, and announces to it: to the core alone, and as the bytes of HTTP and UDP.

#[path = "torrents.rs"]
mod torrents;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use everseed::id::PeerId;
use everseed::tracker::udp::{self, ConnectionIds, Request};
use everseed::tracker::{Announce, Change, Event, Families, Options, Reply, Seconds, Swarms, http};
use torrents::info_hash;

/// Times that each figure is measured.
pub const ROUNDS: usize = 5;
/// How long each of these times is at least.
const ROUND: Duration = Duration::from_millis(200);
/// Calls between two looks at the clock, so few that most of them are not interrupted by what else runs.
pub const CALLS: u64 = 250;
const ARRIVED_AT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
const NOW: Seconds = Seconds(1_700_000_000);

/// The fewest nanoseconds of one announce that were measured.
#[derive(Debug, Clone, Copy)]
pub struct Nanos {
    /// Of the tracker's core.
    pub core: u64,
    /// From the query to the reply.
    pub http: u64,
    /// From packet to packet.
    pub udp: u64,
}

/// Torrents and peers of each, who announce themselves again and again, in an order that jumps from torrent to torrent.
struct Crowd {
    bench: Bench,
    announces: Vec<Announce>,
    queries: Vec<String>,
    packets: Vec<Vec<u8>>,
    nanos: Nanos,
}

/// Measures crowds of these torrents and peers in turns, and keeps what the fastest turns of each show: the others have
/// been disturbed by the machine.
pub fn measure<const N: usize>(shapes: [(u32, u32); N]) -> [Nanos; N] {
    let mut crowds = shapes.map(|(torrents, peers)| Crowd::new(torrents, peers));
    for round in 1..=ROUNDS {
        crowds.iter_mut().for_each(Crowd::round);
        eprintln!("round {round} of {ROUNDS}");
    }
    crowds.map(|crowd| crowd.nanos)
}

impl Crowd {
    fn new(torrents: u32, peers: u32) -> Self {
        let announces: Vec<Announce> = (0..torrents * peers).map(|number| announce(number, torrents, peers)).collect();
        let mut bench = Bench::new(torrents);
        announces.iter().for_each(|announce| bench.core(announce));
        assert_eq!(bench.peers(), announces.len(), "every peer is known");
        let queries = announces.iter().map(query).collect();
        let packets = announces.iter().map(|announce| packet(announce, &bench.ids)).collect();
        let nanos = Nanos { core: u64::MAX, http: u64::MAX, udp: u64::MAX };
        Self { bench, announces, queries, packets, nanos }
    }

    fn round(&mut self) {
        let Self { bench, announces, queries, packets, nanos } = self;
        nanos.core = nanos.core.min(nanos_of(announces.len(), |at| bench.core(&announces[at])));
        let over_http = |at: usize| bench.over_http(queries[at].as_bytes(), announces[at].addr.ip());
        nanos.http = nanos.http.min(nanos_of(announces.len(), over_http));
        let over_udp = |at: usize| bench.over_udp(&packets[at], announces[at].addr);
        nanos.udp = nanos.udp.min(nanos_of(announces.len(), over_udp));
    }
}

/// One tracker under load, and buffers that are used again.
pub struct Bench {
    swarms: Swarms,
    reply: Reply,
    changes: Vec<Change>,
    out: Vec<u8>,
    ids: ConnectionIds,
}

impl Bench {
    /// One that tracks these torrents and knows no peer.
    pub fn new(torrents: u32) -> Self {
        let mut swarms = Swarms::new(Options::default(), 1);
        swarms.set_torrents((0..torrents).map(info_hash));
        let ids = ConnectionIds::new([7; 16]);
        Self { swarms, reply: Reply::default(), changes: Vec::new(), out: Vec::new(), ids }
    }

    /// Peers that are known.
    pub fn peers(&self) -> usize {
        self.swarms.peers()
    }

    /// Lets the core answer.
    pub fn core(&mut self, announce: &Announce) {
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

/// The announce of one of `torrents * peers` peers; the following one is of the next torrent.
pub fn announce(number: u32, torrents: u32, peers: u32) -> Announce {
    let (torrent, peer) = (number % torrents, number / torrents);
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

/// Nanoseconds of one call: the lower quartile of what [`CALLS`] of them take.
fn nanos_of(inputs: usize, mut call: impl FnMut(usize)) -> u64 {
    let (start, mut at, mut each) = (Instant::now(), 0, Vec::new());
    while start.elapsed() < ROUND {
        let begun = Instant::now();
        for _ in 0..CALLS {
            call(at);
            at = (at + 1) % inputs;
        }
        each.push(u64::try_from(begun.elapsed().as_nanos()).expect("seconds") / CALLS);
    }
    let quarter = each.len() / 4;
    *each.select_nth_unstable(quarter).1
}
