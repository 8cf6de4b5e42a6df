//! The everseed against other seeds of the same file, to the same leechers: bytes a second, bytes for each second of
//! the seed's processor time, fairness among 200 leechers, and how long a client waits for its first block.
//!
//! `cargo bench --bench seed` (eight minutes, as root, on Linux: it makes a network of its own); `cargo bench --bench seed -- 256`
//! takes a file of 256 MiB instead of 1 GiB. `.ci/install-judges` installs the other seeds and the leechers; what is
//! not there is told and left out. All seeds have checked the file before, and it is in the page cache.

#![expect(clippy::disallowed_methods, reason = "a bench measures time")]
#![expect(clippy::cast_precision_loss, reason = "nobody reads more than three digits")]

#[path = "seed/leechers.rs"]
mod leechers;
#[path = "seed/network.rs"]
mod network;
#[path = "shared/processor.rs"]
mod processor;
#[path = "seed/seeds.rs"]
mod seeds;
#[path = "seed/sink.rs"]
mod sink;

use std::time::{Duration, Instant};

use leechers::Leecher;
use network::Tracker;
use seeds::{Content, Seed};

/// Times that each figure is measured, one seed after another; the median counts.
const ROUNDS: usize = 3;
/// How long each of them is measured.
const WINDOW: Duration = Duration::from_secs(2);
/// Leechers at a time.
const COUNTS: [usize; 2] = [1, 8];
/// Leechers among whom fairness is measured, and for how long: some seeds give slots in turns.
const CROWD: usize = 200;
const CROWD_WINDOW: Duration = Duration::from_secs(6);
/// How long a first block is waited for.
const FIRST_BLOCK_MAX: Duration = Duration::from_secs(12);
const MIB: u64 = 1 << 20;

fn main() {
    // `cargo bench` adds `--bench` to what it was given.
    let size = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(1024);
    if !network::is_inside() {
        return network::enter();
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let content = Content::new(dir.path(), size * MIB);
    let seeds: Vec<Seed> = Seed::all(dir.path(), &content);
    let leechers = Leecher::all();
    println!("{size} MiB, medians of {ROUNDS} rounds of {} s\n", WINDOW.as_secs());
    println!("| leechers | seed | MB/s | CPU s/GiB | MB/s to the best other | bytes a CPU second to the best other |");
    println!("|---|---|---|---|---|---|");
    for leecher in leechers.iter().filter(|leecher| leecher.is_measured()) {
        for count in COUNTS {
            let mut rates = vec![Vec::new(); seeds.len()];
            for _ in 0..ROUNDS {
                for (seed, rates) in seeds.iter().zip(&mut rates) {
                    rates.push(measured(seed, &content, *leecher, count));
                }
            }
            let median = |figure: fn(&Rate) -> f64| -> Vec<f64> {
                rates.iter().map(|rates| middle(rates.iter().map(figure).collect())).collect()
            };
            let (wall, cpu) = (median(|rate| rate.wall), median(|rate| rate.cpu));
            for (number, seed) in seeds.iter().enumerate() {
                let gib = if cpu[number] > 0.0 { format!("{:.2}", 1073.74 / cpu[number]) } else { "-".to_owned() };
                let (to_wall, to_cpu) = (ratio(&wall, number), ratio(&cpu, number));
                let (leecher, mbs) = (leecher.name(), wall[number]);
                println!("| {count} × {leecher} | {} | {mbs:.0} | {gib} | {to_wall} | {to_cpu} |", seed.name);
            }
        }
    }
    let names: Vec<_> = seeds.iter().map(|seed| seed.name.as_str()).collect();
    println!("\n| | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    for leecher in leechers.iter().filter(|leecher| leecher.is_timed()) {
        let cells: Vec<_> = seeds.iter().map(|seed| first_block(seed, &content, *leecher)).collect();
        println!("| first block to {} | {} |", leecher.name(), cells.join(" | "));
    }
    let cells: Vec<_> = seeds.iter().map(|seed| fairness(seed, &content)).collect();
    println!("| least of {CROWD} leechers to the mean | {} |", cells.join(" | "));
}

/// Millions of bytes, a second and a second of the seed's processor time.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    wall: f64,
    cpu: f64,
}

fn measured(seed: &Seed, content: &Content, leecher: Leecher, count: usize) -> Rate {
    let at_work = leecher.start(seed, content, count);
    // What a client does before it asks is no affair of the seed.
    let (quiet, patience) = (at_work.bytes(), Instant::now());
    while at_work.bytes() < quiet + 4 * MIB {
        if patience.elapsed() > FIRST_BLOCK_MAX {
            return Rate::default();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let (start, bytes, cpu) = (Instant::now(), at_work.bytes(), seed.cpu());
    std::thread::sleep(WINDOW);
    let (took, bytes, cpu) = (start.elapsed(), at_work.bytes() - bytes, seed.cpu().saturating_sub(cpu));
    let megabytes = bytes as f64 / 1e6;
    // A tick of the processor's clock at least, so that nothing is divided by nothing.
    Rate { wall: megabytes / took.as_secs_f64(), cpu: megabytes / cpu.as_secs_f64().max(0.01) }
}

fn middle(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// One's figure to the best of the others.
fn ratio(figures: &[f64], number: usize) -> String {
    let others = figures.iter().enumerate().filter(|(other, _)| *other != number);
    let best = others.map(|(_, figure)| *figure).fold(0.0, f64::max);
    if best > 0.0 { format!("{:.2}", figures[number] / best) } else { "-".to_owned() }
}

/// What the least served of many leechers with one demand got, to what they got in the mean.
fn fairness(seed: &Seed, content: &Content) -> String {
    let sinks = sink::start(seed.address, content, CROWD, 16);
    std::thread::sleep(CROWD_WINDOW / 6);
    let before = sinks.each();
    std::thread::sleep(CROWD_WINDOW);
    let got: Vec<u64> = sinks.each().iter().zip(before).map(|(after, before)| after - before).collect();
    let (least, sum) = (got.iter().min().copied().unwrap_or(0), got.iter().sum::<u64>());
    let served = got.iter().filter(|&&bytes| bytes > 0).count();
    let mean = sum as f64 / CROWD as f64;
    format!("{:.2} ({served} served)", least as f64 / mean.max(1.0))
}

/// From a client's first announce to its first block.
fn first_block(seed: &Seed, content: &Content, leecher: Leecher) -> String {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let tracker = Tracker::new(seed.address);
        let at_work = leecher.start_with(&tracker, content, 1);
        let Some(asked) = tracker.asked(FIRST_BLOCK_MAX) else { return "never asked".to_owned() };
        let quiet = network::bytes();
        // As much as no greeting has.
        while network::bytes() < quiet + 48 * 1024 {
            if asked.elapsed() > FIRST_BLOCK_MAX {
                return format!("> {} s", FIRST_BLOCK_MAX.as_secs());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        times.push(asked.elapsed().as_secs_f64());
        drop(at_work);
        // What is under way arrives, and is not taken for the next one's.
        std::thread::sleep(Duration::from_millis(300));
    }
    format!("{:.2} s", middle(times))
}
