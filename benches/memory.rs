//! Bytes of memory a peer, and the longest that an announce and an expiry take, with a million peers; and the longest
//! step of putting another list of 100,000 torrents in force.
//!
//! `cargo bench --bench memory` (Linux). Each line is a process of its own, whose anonymous memory is looked at before
//! and after; that includes what the allocator adds. Every peer announces twice, with byte totals that move. The times
//! are the longest of all calls, each being the shortest of [`ROUNDS`]: a machine that is busy otherwise disturbs one
//! round and not the same call in all.

#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

#[path = "shared/memory.rs"]
mod memory;
#[path = "shared/torrents.rs"]
mod torrents;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::Range;
use std::process::{Command, ExitCode};
use std::time::Instant;

use everseed::id::PeerId;
use everseed::tracker::{Announce, Change, Event, Families, Open, Options, Reload, Reply, Seconds, Swarms};
use torrents::info_hash;

const ROUNDS: usize = 3;
const PEERS: u32 = 1_000_000;
const NOW: Seconds = Seconds(1_700_000_000);
/// What no announce waits for.
const PAUSE_MAX_MS: f64 = 5.0;

/// Torrents, whether their peers are of IPv6, whether they are of the site, and the most bytes a peer.
const SHAPES: [(u32, bool, bool, f64); 6] = [
    (100_000, false, true, 56.0),
    (100_000, true, true, 72.0),
    (100, false, true, 56.0),
    (100, true, true, 72.0),
    (2, false, true, 56.0),
    (100_000, false, false, 56.0),
];

fn main() -> ExitCode {
    if let Some(shape) = std::env::var_os("EVERSEED_BENCH_SHAPE").and_then(|shape| shape.to_str()?.parse().ok()) {
        return measure(shape);
    }
    println!(
        "{:>9} {:>6} {:>7} {:>18} {:>26} {:>26}",
        "torrents", "family", "of", "bytes a peer", "longest announce, ms", "longest expiry call, ms"
    );
    let failed = (0..SHAPES.len()).filter(|shape| {
        let exe = std::env::current_exe().expect("a process has a program");
        let status = Command::new(exe).env("EVERSEED_BENCH_SHAPE", shape.to_string()).status();
        !status.expect("it runs again").success()
    });
    let failed = failed.count();
    let pauses = [reload(0..100_000, 50_000..150_000), reload(0..100_000, 0..100_001)];
    for (what, millis) in ["half of 100,000 torrents are others", "one more than 100,000 torrents"].iter().zip(pauses) {
        println!("{what}: the longest step takes {millis:.2} ms (max {PAUSE_MAX_MS})");
    }
    if failed == 0 && pauses.iter().all(|millis| *millis <= PAUSE_MAX_MS) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The longest step, in milliseconds, between the first list in force and the second.
fn reload(first: Range<u32>, second: Range<u32>) -> f64 {
    let mut steps = Vec::new();
    for _ in 0..ROUNDS {
        let mut swarms = Swarms::new(Options::default(), 1);
        swarms.set_torrents(first.clone().map(info_hash));
        let torrents = second.clone().map(|torrent| (info_hash(torrent), None));
        let mut reload = Reload::new(torrents, swarms.options());
        let (mut step, mut done) = (0, false);
        while !done {
            let start = Instant::now();
            done = swarms.reload(&mut reload);
            let nanos = nanos_since(start);
            match steps.get_mut(step) {
                None => steps.push(nanos),
                Some(shortest) => *shortest = nanos.min(*shortest),
            }
            step += 1;
        }
    }
    millis(&steps)
}

fn millis(nanos: &[u64]) -> f64 {
    let longest = nanos.iter().copied().filter(|&nanos| nanos < u64::MAX).max().unwrap_or(0);
    f64::from(u32::try_from(longest).unwrap_or(u32::MAX)) / 1e6
}

fn measure(shape: usize) -> ExitCode {
    let (torrents, v6, of_site, bytes_max) = SHAPES[shape];
    let calls = 2 * PEERS as usize;
    let (mut announces, mut expiries) = (vec![u64::MAX; calls], vec![u64::MAX; 100_000]);
    let (mut reply, mut changes): (Reply, Vec<Change>) = (Reply::default(), Vec::with_capacity(100_000));
    let mut bytes_per_peer = 0.0;
    for round in 0..ROUNDS {
        let before = resident_bytes();
        let open = (!of_site).then(Open::default);
        let mut swarms = Swarms::new(Options { open, ..Options::default() }, 1);
        if of_site {
            swarms.set_torrents((0..torrents).map(info_hash));
        }
        for (call, nanos) in announces.iter_mut().enumerate() {
            let announce = announce(u32::try_from(call).expect("two million"), torrents, v6);
            let start = Instant::now();
            let answered = swarms.announce(&announce, NOW, &mut reply, &mut changes);
            *nanos = (*nanos).min(nanos_since(start));
            assert!(answered.is_ok(), "every torrent is tracked");
            changes.clear();
        }
        assert_eq!(swarms.peers(), PEERS as usize);
        if round == 0 {
            bytes_per_peer = (resident_bytes() - before) / f64::from(PEERS);
        }
        let later = Seconds(NOW.0 + 3000);
        for nanos in &mut expiries {
            let start = Instant::now();
            swarms.expire(later, &mut changes);
            *nanos = (*nanos).min(nanos_since(start));
            changes.clear();
            if swarms.peers() == 0 {
                break;
            }
        }
        assert_eq!(swarms.peers(), 0);
    }
    let (announce, expiry) = (millis(&announces), millis(&expiries));
    println!(
        "{torrents:>9} {:>6} {:>7} {:>18} {:>26} {:>26}",
        if v6 { "IPv6" } else { "IPv4" },
        if of_site { "site" } else { "others" },
        format!("{bytes_per_peer:.1} (max {bytes_max})"),
        format!("{announce:.2} (max {PAUSE_MAX_MS})"),
        format!("{expiry:.2} (max {PAUSE_MAX_MS})"),
    );
    let is_within = bytes_per_peer <= bytes_max && announce <= PAUSE_MAX_MS && expiry <= PAUSE_MAX_MS;
    if is_within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The `call`th announce: each peer once, then each once more.
fn announce(call: u32, torrents: u32, v6: bool) -> Announce {
    let peer = call % PEERS;
    let mut peer_id = *b"-EX0001-000000000000";
    peer_id[8..12].copy_from_slice(&peer.to_be_bytes());
    let ip: IpAddr = if v6 {
        Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(peer) << 64 | 1).into()
    } else {
        Ipv4Addr::from_bits(0x0a00_0000 + peer).into()
    };
    Announce {
        info_hash: info_hash(peer % torrents),
        peer_id: PeerId(peer_id),
        addr: SocketAddr::new(ip, 6881),
        arrived_at: Ipv4Addr::new(198, 51, 100, 1).into(),
        uploaded: u64::from(call) * 1000,
        downloaded: u64::from(call) * 2000,
        left: u64::from(!(peer / torrents).is_multiple_of(5)),
        event: Event::Update,
        numwant: None,
        families: Families::Both,
        named: false,
        held_back: false,
    }
}

fn nanos_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX - 1)
}

/// The anonymous memory of this process, as Linux tells it.
fn resident_bytes() -> f64 {
    let kib = memory::anon_kib(std::process::id()).expect("Linux tells what a process has");
    f64::from(u32::try_from(kib).expect("less than a terabyte")) * 1024.0
}
