//! The README's plots: how long an announce takes in swarms of 10 to 100,000 peers, and how long it takes to get to know
//! a peer while up to a million are known.
//!
//! `cargo bench --bench plots` (one to two minutes) writes `benches/plots/announce.svg` and `benches/plots/insert.svg`.
//! One thread, no sockets; each point is the fastest of several rounds, as in `announce`.

#![expect(clippy::disallowed_methods, reason = "a bench measures time")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "nobody reads more than three digits of a plot"
)]

#[path = "plots/figure.rs"]
mod figure;
#[path = "shared/tracker.rs"]
mod tracker;

use std::time::Instant;

use everseed::tracker::Announce;
use figure::Figure;
use tracker::{Bench, Nanos};

/// Peers of the one torrent that is announced.
const SIZES: [u32; 9] = [10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000];
/// Peers that become known.
const PEERS: u32 = 1_000_000;
/// So many are measured together, and each tenfold of them is shown in so many parts.
const INSERTS: usize = 100;
const PARTS_OF_TENFOLD: f64 = 4.0;
/// Torrents that they are of; one alone takes half of them at most.
const TORRENTS: [(&str, u32); figure::LINES_MAX] =
    [("2 torrents", 2), ("100 torrents", 100), ("100,000 torrents", 100_000)];
const MADE_BY: &str = "cargo bench, target plots";

fn main() -> std::io::Result<()> {
    let nanos = tracker::measure(SIZES.map(|size| (1, size)));
    let line = |of: fn(&Nanos) -> u64| {
        let points = SIZES.iter().zip(&nanos).map(|(&size, nanos)| (f64::from(size), of(nanos) as f64));
        points.collect::<Vec<_>>()
    };
    let (core, http, udp) = (line(|nanos| nanos.core), line(|nanos| nanos.http), line(|nanos| nanos.udp));
    let inserts = inserted();
    let announce = Figure {
        title: "Time of an announce, by the peers of its torrent",
        along: "peers of the torrent (the reply has up to 50 of them)",
        up: "nanoseconds, from query to reply and from packet to packet",
        made_by: MADE_BY,
        lines: [("HTTP", http), ("UDP", udp), ("core alone", core)],
    };
    let insert = Figure {
        title: "Time of getting to know a peer, by the peers that are known",
        along: "peers known",
        up: "nanoseconds, in the core; the new peer asks for no others",
        made_by: MADE_BY,
        lines: inserts,
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/plots");
    for (name, figure) in [("announce.svg", announce), ("insert.svg", insert)] {
        std::fs::write(format!("{folder}/{name}"), figure.to_svg())?;
        println!("benches/plots/{name}");
    }
    Ok(())
}

/// For each number of torrents: the peers known in the middle of each part, and the nanoseconds of one more.
fn inserted() -> [(&'static str, Vec<(f64, f64)>); figure::LINES_MAX] {
    let mut each = TORRENTS.map(|_| vec![f64::MAX; PEERS as usize / INSERTS]);
    for round in 1..=tracker::ROUNDS {
        for (each, (_, torrents)) in each.iter_mut().zip(TORRENTS) {
            let mut bench = Bench::new(torrents);
            let mut announces = Vec::with_capacity(INSERTS);
            for (first, nanos) in (0..PEERS).step_by(INSERTS).zip(each) {
                let new = |peer: u32| Announce { numwant: Some(0), ..tracker::announce(peer, torrents, PEERS) };
                announces.clear();
                announces.extend((first..).take(INSERTS).map(new));
                let start = Instant::now();
                announces.iter().for_each(|announce| bench.core(announce));
                // The same in each round, so that the fastest is the one that nothing has disturbed.
                *nanos = nanos.min(start.elapsed().as_nanos() as f64 / INSERTS as f64);
            }
            assert_eq!(bench.peers(), PEERS as usize, "every peer became known");
        }
        eprintln!("new peers, round {round} of {}", tracker::ROUNDS);
    }
    let parts = (PARTS_OF_TENFOLD * (f64::from(PEERS) / INSERTS as f64).log10()) as u32;
    let edge = |part: u32| 10_f64.powf(f64::from(part) / PARTS_OF_TENFOLD).round();
    let mut lines = TORRENTS.map(|(name, _)| (name, Vec::new()));
    for ((_, points), each) in lines.iter_mut().zip(&each) {
        for (from, to) in (0..parts).map(|part| (edge(part), edge(part + 1))) {
            let nanos = &each[from as usize..to as usize];
            points.push(((from * to).sqrt() * INSERTS as f64, nanos.iter().sum::<f64>() / nanos.len() as f64));
        }
    }
    lines
}
