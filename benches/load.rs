//! The tracker under load beside other trackers: announces a second, processor time of each, and how long an answer takes
//! at half of the highest rate.
//!
//! `cargo bench --bench load`, on Linux with two cores; `cargo bench --bench load -- udp` measures one wire (`udp`, `kept`
//! or `new`, the two manners of HTTP), and `-- udp 100` only with so many torrents.
//! The server has one core and the load the other, everything stays on loopback, and the servers take turns in each
//! round; the median of the rounds counts. A closed loop finds the rate, an open one the latency: each announce counts
//! from when it should have left. `opentracker` (Debian's package) and `aquatic_udp` (`cargo install aquatic_udp`) are
//! measured where the search path has them. The null server answers everybody the same; the bare tracker has no expiry,
//! IPv6, keeping or checks: they show what the system calls alone take.

#![expect(clippy::disallowed_methods, reason = "a bench measures time")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "nobody reads more than three digits"
)]
#![expect(clippy::cast_sign_loss, reason = "rates and times are never negative")]

#[path = "load/bare.rs"]
mod bare;
#[path = "load/http.rs"]
mod http;
#[path = "load/report.rs"]
mod report;
#[path = "load/rivals.rs"]
mod rivals;
#[path = "load/udp.rs"]
mod udp;
#[path = "load/wire.rs"]
mod wire;

use std::time::{Duration, Instant};

use bare::Kind;
use http::Manner;
use report::{Figures, Goal, Row, Table};
use rivals::{Rival, Who, Wire};
use wire::Crowd;

/// Times that each figure is measured.
const ROUNDS: usize = 3;
/// How long the rate is looked for each time, and how long latencies are.
const CLOSED: Duration = Duration::from_millis(1500);
const OPEN: Duration = Duration::from_millis(1500);
/// How long a server may take to be there: 100,000 torrents are read before.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Torrents and peers of each.
const SHAPES: [(usize, usize); 2] = [(100_000, 10), (100, 1_000)];
/// What can be measured by itself.
const PARTS: [&str; 3] = ["udp", "kept", "new"];
/// HTTP in its two manners, with what is wanted of it.
const MANNERS: [(&str, Manner, &str, [Goal; 2]); 2] = [
    (
        "kept",
        Manner::Kept,
        "HTTP, connections kept",
        [
            Goal { row: Row::Rate, than: Who::Ours(Kind::Bare), limit: 0.7 },
            Goal { row: Row::P99, than: Who::Ours(Kind::Null), limit: 1.3 },
        ],
    ),
    (
        "new",
        Manner::New,
        "HTTP, a connection for each announce",
        [
            Goal { row: Row::Processor, than: Who::Opentracker, limit: 1.0 },
            Goal { row: Row::P99, than: Who::Ours(Kind::Null), limit: 1.3 },
        ],
    ),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, kind, wire, port] = &args[..]
        && flag == "--serve"
    {
        let kind = if kind == "null" { Kind::Null } else { Kind::Bare };
        let port = port.parse().expect("a port");
        return if wire == "udp" { bare::serve_udp(kind, port) } else { bare::serve_http(kind, port) };
    }
    let sizes: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let parts = || args.iter().filter(|arg| PARTS.contains(&arg.as_str()));
    let asked = |part: &str| parts().next().is_none() || parts().any(|asked| asked == part);
    rivals::take_load_core();
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (torrents, peers) in SHAPES.into_iter().filter(|(torrents, _)| sizes.is_empty() || sizes.contains(torrents)) {
        let site = folder.path().join(format!("site-{torrents}"));
        let crowd = Crowd { torrents: rivals::publish(&site, torrents), peers };
        let house = House { crowd, site, folder: folder.path().join(format!("data-{torrents}")) };
        if asked("udp") {
            house.measure_udp();
        }
        let manners = MANNERS.into_iter().filter(|(part, ..)| asked(part)).collect::<Vec<_>>();
        if !manners.is_empty() {
            house.measure_http(&manners);
        }
    }
}

/// A site of torrents, and who announces to its tracker.
struct House {
    crowd: Crowd,
    site: std::path::PathBuf,
    folder: std::path::PathBuf,
}

impl House {
    fn start(&self, wire: Wire, all: &[Who]) -> Vec<Rival> {
        let start = |&who: &Who| {
            let folder = self.folder.join(format!("{wire:?}-{}", who.name()).replace(' ', "-"));
            let started = Rival::start(who, wire, &self.site, &folder, &self.crowd.torrents);
            started.inspect_err(|error| println!("{} is left out: {error}\n", who.name())).ok()
        };
        all.iter().filter_map(start).collect()
    }

    fn measure_udp(&self) {
        let all =
            [Who::Ours(Kind::Null), Who::Ours(Kind::Bare), Who::Opentracker, Who::Aquatic, Who::Other, Who::Everseed];
        let mut clients = Vec::new();
        for rival in self.start(Wire::Udp, &all) {
            let mut client = udp::Client::connect(rival.addr(), READY_WITHIN).expect("it answers a connect");
            if rival.who != Who::Ours(Kind::Null) {
                client.fill(&self.crowd);
            }
            eprintln!("{} knows its peers", rival.who.name());
            clients.push((rival, client));
        }
        let mut table = Table::new(format!("UDP, {}", self.shape()));
        let mut rates = vec![0.0; clients.len()];
        for _ in 0..ROUNDS {
            for (index, (rival, client)) in clients.iter_mut().enumerate() {
                let figures = Figures::of(rival, || client.rate(&self.crowd, CLOSED), CLOSED);
                rates[index] = f64::max(rates[index], figures.rate);
                table.add(rival.who, figures);
            }
        }
        for _ in 0..ROUNDS {
            for (index, (rival, client)) in clients.iter_mut().enumerate() {
                let latencies = client.latencies(&self.crowd, rates[index] / 2.0, OPEN);
                table.add_latencies(rival.who, latencies);
            }
        }
        table.print(&[
            Goal { row: Row::Rate, than: Who::Aquatic, limit: 1.1 },
            Goal { row: Row::Processor, than: Who::Aquatic, limit: 0.9 },
            Goal { row: Row::P99, than: Who::Ours(Kind::Null), limit: 1.3 },
        ]);
    }

    fn measure_http(&self, manners: &[(&str, Manner, &str, [Goal; 2])]) {
        let all =
            [Who::Ours(Kind::Null), Who::Ours(Kind::Bare), Who::Opentracker, Who::Aquatic, Who::Other, Who::Everseed];
        let mut clients = Vec::new();
        for rival in self.start(Wire::Http, &all) {
            let mut client = http::Client::new(rival.port);
            client.wait(READY_WITHIN);
            if rival.who == Who::Opentracker {
                // It closes after each answer.
                udp::Client::connect(rival.addr(), READY_WITHIN).expect("it answers a connect").fill(&self.crowd);
            } else if rival.who != Who::Ours(Kind::Null) {
                client.fill(&self.crowd);
            }
            eprintln!("{} knows its peers", rival.who.name());
            clients.push((rival, client));
        }
        for (_, manner, name, goals) in manners {
            let mut table = Table::new(format!("{name}, {}", self.shape()));
            let takes_part = |rival: &Rival| *manner == Manner::New || rival.who != Who::Opentracker;
            let mut rates = vec![0.0; clients.len()];
            for _ in 0..ROUNDS {
                for (index, (rival, client)) in
                    clients.iter_mut().enumerate().filter(|(_, (rival, _))| takes_part(rival))
                {
                    let figures = Figures::of(rival, || client.rate(&self.crowd, *manner, CLOSED), CLOSED);
                    rates[index] = f64::max(rates[index], figures.rate);
                    table.add(rival.who, figures);
                }
            }
            for _ in 0..ROUNDS {
                for (index, (rival, client)) in
                    clients.iter_mut().enumerate().filter(|(_, (rival, _))| takes_part(rival))
                {
                    let latencies = client.latencies(&self.crowd, *manner, rates[index] / 2.0, OPEN);
                    table.add_latencies(rival.who, latencies);
                }
            }
            table.print(goals);
        }
    }

    fn shape(&self) -> String {
        format!("{} torrents of {} peers", self.crowd.torrents.len(), self.crowd.peers)
    }
}

/// How long each answer took, in nanoseconds.
#[derive(Debug, Default)]
pub struct Latencies {
    each: Vec<u64>,
    /// Announces that were not answered.
    pub lost: usize,
}

impl Latencies {
    /// Takes in one.
    pub fn add(&mut self, nanos: u64) {
        self.each.push(nanos);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.each.len()
    }

    /// The one that `share` of them do not exceed, in microseconds.
    pub fn quantile(&mut self, share: f64) -> f64 {
        if self.each.is_empty() {
            return f64::NAN;
        }
        let at = ((self.each.len() - 1) as f64 * share) as usize;
        *self.each.select_nth_unstable(at).1 as f64 / 1000.0
    }
}

/// The time, read here and nowhere else.
pub fn now() -> Instant {
    Instant::now()
}
