//! The tracker under load beside other trackers: announces a second, processor time and memory of each, and how long an
//! answer takes at half of the highest rate.
//!
//! `cargo bench --bench load`, on Linux with two cores, ends after at most twelve minutes; `cargo bench --bench load -- udp`
//! measures one wire (`udp`, `kept` or `new`, the two manners of HTTP), and `-- udp 100` only with so many torrents.
//! The server has one core and the load the other, everything stays on loopback, and the servers take turns in each
//! round; the median of the rounds counts. A closed loop finds the rate, an open one the latency: each announce counts
//! from when it should have left. An everseed has turns as long as its database waits between two writes, so that each
//! has one in it, and stands still while others have theirs. `opentracker` (Debian's package), `aquatic_udp` and `aquatic_http`
//! (`cargo install`) are measured where the search path has them. The null server answers everybody the same; the bare
//! tracker has no expiry, IPv6, keeping or checks: they show what the system calls alone take.
//! What cannot be measured is told, and the bench goes on.

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
#[path = "load/machine.rs"]
mod machine;
#[path = "shared/memory.rs"]
mod memory;
#[path = "shared/processor.rs"]
mod processor;
#[path = "load/report.rs"]
mod report;
#[path = "load/rivals.rs"]
mod rivals;
#[path = "load/udp.rs"]
mod udp;
#[path = "load/wire.rs"]
mod wire;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bare::Kind;
use everseed::store::FLUSH_EVERY;
use http::Manner;
use machine::Machine;
use report::{Column, Report};
use rivals::{Rival, Who, Wire};
use wire::Crowd;

/// Times that each figure is measured.
const ROUNDS: usize = 3;
/// How long the rate is looked for each time, and how long latencies are.
const TURN: Duration = Duration::from_secs(2);
/// How long a server may take to be there: 100,000 torrents are read before.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a server may keep all clients waiting.
const SILENT_MAX: Duration = Duration::from_secs(5);
/// After so long no other turn begins, and no server gets to know its peers any more.
const WHOLE: Duration = Duration::from_secs(11 * 60);
const TOO_LATE: &str = "the time is over";
/// Torrents and peers of each.
const SHAPES: [(usize, usize); 2] = [(100_000, 10), (100, 1_000)];
/// The peers from which on their memory is told: that of fewer is hidden by what any server has.
const WEIGHED_MIN: usize = 1_000_000;
/// What can be measured by itself.
const PARTS: [&str; 3] = ["udp", "kept", "new"];
/// HTTP in its two manners.
const MANNERS: [(&str, Manner, &str); 2] = [("kept", Manner::Kept, "HTTP, kept"), ("new", Manner::New, "HTTP, new")];
/// Whom the load goes to, in this order.
const ALL: [Who; 6] =
    [Who::Ours(Kind::Null), Who::Ours(Kind::Bare), Who::Opentracker, Who::Aquatic, Who::Other, Who::Everseed];

/// A figure, or why it could not be had.
pub type Measured<T> = Result<T, String>;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [flag, kind, wire, port] = &args[..]
        && flag == "--serve"
    {
        let kind = if kind == "null" { Kind::Null } else { Kind::Bare };
        let port = port.parse().expect("a port");
        return if wire == "udp" { bare::serve_udp(kind, port) } else { bare::serve_http(kind, port) };
    }
    let asked: Vec<&str> = args.iter().map(String::as_str).filter(|arg| PARTS.contains(arg)).collect();
    let sizes: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    if asked.len() + sizes.len() < args.len() || sizes.iter().any(|size| SHAPES.iter().all(|(known, _)| known != size))
    {
        println!(
            "what can be asked for: {}, {}",
            PARTS.join(", "),
            SHAPES.map(|(size, _)| size.to_string()).join(", ")
        );
        return;
    }
    let asks = |part: &str| asked.is_empty() || asked.contains(&part);
    let (until, machine) = (now() + WHOLE, Machine::new());
    rivals::take_load_core();
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (torrents, peers) in SHAPES.into_iter().filter(|(torrents, _)| sizes.is_empty() || sizes.contains(torrents)) {
        if now() > until {
            println!("\n{torrents} torrents of {peers} peers are not measured: {TOO_LATE}");
            continue;
        }
        eprintln!("a site of {torrents} torrents is made");
        let site = folder.path().join(format!("site-{torrents}"));
        let crowd = Crowd { torrents: rivals::publish(&site, torrents), peers };
        let folder = folder.path().join(format!("data-{torrents}"));
        let mut house = House { crowd, site, folder, until, report: Report::default() };
        Report::print_head(torrents, peers);
        if asks("udp") {
            house.measure_udp();
        }
        let manners: Vec<_> = MANNERS.into_iter().filter(|(part, ..)| asks(part)).collect();
        if !manners.is_empty() {
            house.measure_http(&manners);
        }
        house.report.print_goals();
    }
    println!("\nOther programs had {:.0} % of the machine meanwhile.", machine.others_percent());
}

/// What loads a server.
pub trait Load {
    /// How many announces are answered in about this time, as fast as they are.
    fn rate(&mut self, crowd: &Crowd, lasting: Duration) -> Measured<Answered>;

    /// How long answers take at `rate` announces a second, each counted from when it should have left. `watch` is called
    /// all the time, with the nanoseconds since the start.
    fn latencies(
        &mut self,
        crowd: &Crowd,
        rate: f64,
        lasting: Duration,
        watch: &mut dyn FnMut(u64),
    ) -> Measured<Latencies>;
}

/// A site of torrents, and who announces to its tracker.
struct House {
    crowd: Crowd,
    site: PathBuf,
    folder: PathBuf,
    until: Instant,
    report: Report,
}

/// A server that knows its peers, and what loads it.
struct Contestant<C> {
    rival: Rival,
    load: C,
    /// The server's memory before it knew any peer.
    empty_bytes: u64,
}

impl House {
    fn measure_udp(&mut self) {
        let until = self.until;
        let mut all = self.enter(Wire::Udp, |rival, crowd| {
            let mut client = udp::Client::new(rival.addr())?;
            client.wait(crowd, READY_WITHIN)?;
            if rival.who != Who::Ours(Kind::Null) {
                client.fill(crowd, until)?;
            }
            Ok(client)
        });
        self.contest("UDP", all.iter_mut().collect());
    }

    fn measure_http(&mut self, manners: &[(&str, Manner, &'static str)]) {
        let until = self.until;
        let mut all = self.enter(Wire::Http, |rival, crowd| {
            let mut client = http::Client::new(rival.port);
            client.wait(READY_WITHIN)?;
            if rival.who == Who::Opentracker {
                // It closes after each answer.
                client.manner = Manner::New;
                let mut filling = udp::Client::new(rival.addr())?;
                filling.wait(crowd, READY_WITHIN)?;
                filling.fill(crowd, until)?;
            } else if rival.who != Who::Ours(Kind::Null) {
                client.fill(crowd, until)?;
                client.check(crowd)?;
            }
            Ok(client)
        });
        for &(_, manner, name) in manners {
            let takes_part = |who: Who| manner == Manner::New || who != Who::Opentracker;
            let mut some: Vec<_> = all.iter_mut().filter(|contestant| takes_part(contestant.rival.who)).collect();
            some.iter_mut().for_each(|contestant| contestant.load.manner = manner);
            self.contest(name, some);
        }
    }

    /// Starts all servers, one after another, and lets them know their peers.
    fn enter<C>(&mut self, wire: Wire, ready: impl Fn(&Rival, &Crowd) -> Measured<C>) -> Vec<Contestant<C>> {
        let mut all = Vec::new();
        let is_named = |who: &Who| *who != Who::Other || std::env::var_os("EVERSEED_OTHER").is_some();
        for who in ALL.into_iter().filter(is_named) {
            let folder = self.folder.join(format!("{wire:?}-{}", who.name()).replace(' ', "-"));
            let entered = Rival::start(who, wire, &self.site, &folder, &self.crowd.torrents).and_then(|rival| {
                let empty_bytes = rival.memory()?;
                let load = ready(&rival, &self.crowd)?;
                rival.pause();
                eprintln!("{} knows its peers over {wire:?}", who.name());
                Ok(Contestant { rival, load, empty_bytes })
            });
            match entered {
                Ok(contestant) => all.push(contestant),
                Err(error) => self.report.note(format!("{wire:?}: {} is left out: {error}", who.name())),
            }
        }
        all
    }

    /// Gives each its turns, and writes what they have shown.
    fn contest<C: Load>(&mut self, wire: &'static str, mut all: Vec<&mut Contestant<C>>) {
        let mut columns: Vec<Column> = all.iter().map(|contestant| Column::new(wire, contestant.rival.who)).collect();
        for round in 1..=ROUNDS {
            for (contestant, column) in all.iter_mut().zip(&mut columns) {
                let shown = self.turn(wire, contestant, |rival, load, crowd| {
                    let before = rival.processor_time()?;
                    let answered = load.rate(crowd, turn_of(rival.who))?;
                    Ok((answered, rival.processor_time()?.saturating_sub(before)))
                });
                if let Some((answered, processor)) = shown {
                    column.add(answered, processor);
                }
            }
            eprintln!("{wire}: rates, {round} of {ROUNDS}");
        }
        if self.crowd.len() >= WEIGHED_MIN {
            for (contestant, column) in all.iter().zip(&mut columns) {
                if let Ok(bytes) = contestant.rival.memory().map(|bytes| bytes.saturating_sub(contestant.empty_bytes))
                    && contestant.rival.who != Who::Ours(Kind::Null)
                {
                    column.set_bytes_per_peer(bytes as f64 / self.crowd.len() as f64);
                }
            }
        }
        for round in 1..=ROUNDS {
            for (contestant, column) in all.iter_mut().zip(&mut columns) {
                let Some(rate) = column.rate() else { continue };
                let shown = self.turn(wire, contestant, |rival, load, crowd| {
                    let mut writes = rival.writes();
                    let mut watch = |elapsed| writes.look(elapsed);
                    let latencies = load.latencies(crowd, rate / 2.0, turn_of(rival.who), &mut watch)?;
                    Ok((latencies, writes))
                });
                if let Some((latencies, writes)) = shown {
                    column.add_latencies(&latencies, &writes, turn_of(contestant.rival.who));
                }
            }
            eprintln!("{wire}: latencies, {round} of {ROUNDS}");
        }
        self.report.print(columns);
    }

    /// Lets one measure, a second time where it can't at first.
    fn turn<C, T>(
        &mut self,
        wire: &str,
        contestant: &mut Contestant<C>,
        mut measure: impl FnMut(&Rival, &mut C, &Crowd) -> Measured<T>,
    ) -> Option<T> {
        let mut reason = String::from(TOO_LATE);
        for _ in 0..2 {
            if now() > self.until {
                break;
            }
            contestant.rival.resume();
            let measured = measure(&contestant.rival, &mut contestant.load, &self.crowd);
            contestant.rival.pause();
            match measured {
                Ok(figure) => return Some(figure),
                Err(error) => reason = error,
            }
        }
        self.report.note(format!("{wire}: a turn of {} was not measured: {reason}", contestant.rival.who.name()));
        None
    }
}

/// How long the turn of a server is.
fn turn_of(who: Who) -> Duration {
    if who.keeps() { FLUSH_EVERY } else { TURN }
}

/// How many announces were answered, and in which time.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    count: usize,
    within: Duration,
}

impl Answered {
    /// Announces a second.
    pub fn rate(self) -> f64 {
        self.count as f64 / self.within.as_secs_f64()
    }
}

/// When each announce should have left, and when its answer came, in nanoseconds since the start.
#[derive(Debug, Default)]
pub struct Latencies {
    each: Vec<(u64, u64)>,
    /// Announces that were not answered.
    pub lost: usize,
}

impl Latencies {
    /// Takes in one.
    pub fn add(&mut self, due: u64, heard: u64) {
        self.each.push((due, heard.max(due)));
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.each.len()
    }

    /// All of them.
    pub fn each(&self) -> impl Iterator<Item = (u64, u64)> {
        self.each.iter().copied()
    }
}

/// The time, read here and nowhere else.
pub fn now() -> Instant {
    Instant::now()
}
