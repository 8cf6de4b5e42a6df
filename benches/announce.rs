//! Announces a second into swarms of 10, 1,000 and 100,000 peers: the core alone, and with HTTP's or UDP's bytes around it.
//!
//! `cargo bench --bench announce`. One thread, no sockets; each announce comes from a peer that is known and asks for
//! 50 others. The rates are those of the fastest of [`tracker::ROUNDS`], the others having been disturbed by the machine.

#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

#[path = "shared/tracker.rs"]
mod tracker;

fn main() {
    println!("one thread, 50 of 80 % leechers and 20 % seeds given; announces a second (nanoseconds each)\n");
    println!("| torrents × peers each | core | HTTP, query to reply | UDP, packet to packet |\n|---|---:|---:|---:|");
    let shapes = [(1, 10), (1, 1_000), (1, 100_000), (100, 1_000), (10_000, 10)];
    for ((torrents, peers), nanos) in shapes.into_iter().zip(tracker::measure(shapes)) {
        let [core, http, udp] = [nanos.core, nanos.http, nanos.udp].map(shown);
        println!("| {torrents} × {peers} | {core} | {http} | {udp} |");
    }
}

fn shown(nanos: u64) -> String {
    format!("{} ({nanos})", 1_000_000_000 / nanos.max(1))
}
