//! What was measured, as a table in Markdown, and which of the goals are met.

use std::time::Duration;

use super::bare::Kind;
use super::rivals::{Who, Writes};
use super::{Answered, Latencies};

/// What is wanted of everseed over each wire, as multiples of another's figures.
const GOALS: [(&str, Figure, Who, f64); 9] = [
    ("UDP", Figure::Rate, Who::Aquatic, 1.1),
    ("UDP", Figure::Processor, Who::Aquatic, 0.9),
    ("UDP", Figure::P99, Who::Ours(Kind::Null), 1.3),
    ("HTTP, kept", Figure::Rate, Who::Ours(Kind::Bare), 0.7),
    ("HTTP, kept", Figure::P99, Who::Ours(Kind::Null), 1.3),
    ("HTTP, new", Figure::Processor, Who::Opentracker, 1.0),
    ("HTTP, new", Figure::P99, Who::Ours(Kind::Null), 1.3),
    // Between two writes of the database: those of others keep nothing.
    ("UDP", Figure::QuietP99, Who::Ours(Kind::Null), 1.3),
    ("HTTP, kept", Figure::QuietP99, Who::Ours(Kind::Null), 1.3),
];

/// One of the figures of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    /// Announces a second; more is better.
    Rate,
    /// Seconds of its processor for 100,000 announces; less is better, as of all that follow.
    Processor,
    /// The latency of the middle, in microseconds.
    P50,
    /// The latency that one of a hundred exceeds.
    P99,
    /// The same two of announces during which no database was written.
    QuietP50,
    QuietP99,
}

/// What all servers have shown, with torrents of one shape.
#[derive(Debug, Default)]
pub struct Report {
    columns: Vec<Column>,
    notes: Vec<String>,
}

/// A server over one wire.
#[derive(Debug)]
pub struct Column {
    wire: &'static str,
    who: Who,
    bytes_per_peer: Option<f64>,
    /// Of each round.
    figures: Vec<(Figure, f64)>,
    lost: usize,
    answered: usize,
    writing_nanos: u64,
    watched_nanos: u128,
}

impl Column {
    /// An empty one.
    pub fn new(wire: &'static str, who: Who) -> Self {
        let (figures, bytes_per_peer) = (Vec::new(), None);
        Self { wire, who, bytes_per_peer, figures, lost: 0, answered: 0, writing_nanos: 0, watched_nanos: 0 }
    }

    /// Takes in a turn at the highest rate, and what it took of the server's processor.
    pub fn add(&mut self, answered: Answered, processor: Duration) {
        self.figures.push((Figure::Rate, answered.rate()));
        let each = processor.as_secs_f64() / answered.count.max(1) as f64;
        self.figures.push((Figure::Processor, each * 100_000.0));
    }

    /// Takes in a turn at a lower rate.
    pub fn add_latencies(&mut self, latencies: &Latencies, writes: &Writes, lasting: Duration) {
        let mut take = |p50: Figure, p99: Figure, mut nanos: Vec<u64>| {
            for (figure, share) in [(p50, 0.5), (p99, 0.99)] {
                let at = (nanos.len().saturating_sub(1) as f64 * share) as usize;
                if at < nanos.len() {
                    self.figures.push((figure, *nanos.select_nth_unstable(at).1 as f64 / 1000.0));
                }
            }
        };
        take(Figure::P50, Figure::P99, latencies.each().map(|(due, heard)| heard - due).collect());
        if self.who.keeps() {
            let quiet = latencies.each().filter(|&(due, heard)| writes.are_over(due, heard));
            take(Figure::QuietP50, Figure::QuietP99, quiet.map(|(due, heard)| heard - due).collect());
        }
        self.lost += latencies.lost;
        self.answered += latencies.count();
        self.writing_nanos += writes.nanos();
        self.watched_nanos += lasting.as_nanos();
    }

    /// Takes in what the server's memory has grown by, for each peer.
    pub fn set_bytes_per_peer(&mut self, bytes: f64) {
        self.bytes_per_peer = Some(bytes);
    }

    /// The median of the highest rates, if there is any.
    pub fn rate(&self) -> Option<f64> {
        self.median(Figure::Rate)
    }

    fn latencies(&self, p50: Figure, p99: Figure) -> String {
        let (p50, p99) = (self.median(p50), self.median(p99));
        if p50.is_some() { format!("{}, {}", shown(p50), shown(p99)) } else { String::new() }
    }

    fn median(&self, figure: Figure) -> Option<f64> {
        let mut rounds: Vec<f64> =
            self.figures.iter().filter(|(of, _)| *of == figure).map(|(_, value)| *value).collect();
        rounds.sort_by(f64::total_cmp);
        rounds.get(rounds.len() / 2).copied()
    }
}

impl Report {
    /// What the lines have in their columns.
    pub fn print_head(torrents: usize, peers: usize) {
        println!("\n{torrents} torrents of {peers} peers:\n");
        println!(
            "| wire | server | k announces/s | CPU s per 100,000 | p50, p99 at half of it, µs | bytes a peer | \
             everseed's rate to it | its CPU | its p99 |"
        );
        println!("|---|---|---:|---:|---:|---:|---:|---:|---:|");
    }

    /// What could not be measured, or has a word to be said about.
    pub fn note(&mut self, text: String) {
        eprintln!("{text}");
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Writes the lines of a wire.
    pub fn print(&mut self, columns: Vec<Column>) {
        let own = columns.iter().find(|column| column.who == Who::Everseed);
        for column in &columns {
            let name = column.who.name();
            let ratio = |figure: Figure| {
                let other = own.filter(|own| own.who != column.who)?;
                Some(other.median(figure)? / column.median(figure)?)
            };
            println!(
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                column.wire,
                if column.who == Who::Everseed { format!("**{name}**") } else { name.into() },
                shown(column.rate().map(|rate| rate / 1000.0)),
                shown(column.median(Figure::Processor)),
                column.latencies(Figure::P50, Figure::P99),
                column.bytes_per_peer.map_or_else(String::new, |bytes| format!("{bytes:.0}")),
                shown(ratio(Figure::Rate)),
                shown(ratio(Figure::Processor)),
                shown(ratio(Figure::P99)),
            );
            if column.who.keeps() {
                let share = 100.0 * column.writing_nanos as f64 / column.watched_nanos.max(1) as f64;
                let (wire, quiet) = (column.wire, column.latencies(Figure::QuietP50, Figure::QuietP99));
                println!(
                    "| {wire} | {name}, but in the {share:.0} % of the time that it writes its database | | | {quiet} \
                     | | | | |"
                );
            }
            if column.lost > 0 {
                let (wire, lost, of) = (column.wire, column.lost, column.lost + column.answered);
                self.notes.push(format!("{wire}: {name} left {lost} of {of} announces at half of its rate unanswered"));
            }
        }
        self.columns.extend(columns);
    }

    /// Writes what was wanted, and what is to be said beside.
    pub fn print_goals(&self) {
        println!("\n| goal | wanted | reached | |\n|---|---|---:|---|");
        let median = |wire: &str, who: Who, figure: Figure| {
            let column = self.columns.iter().find(|column| column.wire == wire && column.who == who)?;
            column.median(figure)
        };
        for (wire, figure, than, limit) in GOALS {
            let others = if figure == Figure::QuietP99 { Figure::P99 } else { figure };
            let (Some(own), Some(other)) = (median(wire, Who::Everseed, figure), median(wire, than, others)) else {
                continue;
            };
            let ratio = own / other;
            let (name, is_met, most) = match figure {
                Figure::Rate => ("rate", ratio >= limit, "at least"),
                Figure::Processor => ("processor time", ratio <= limit, "at most"),
                Figure::P50 | Figure::QuietP50 => ("p50", ratio <= limit, "at most"),
                Figure::P99 => ("p99", ratio <= limit, "at most"),
                Figure::QuietP99 => ("p99 between writes", ratio <= limit, "at most"),
            };
            let (than, verdict) = (than.name(), if is_met { "met" } else { "**missed**" });
            println!("| {wire}: {name} to the {than}'s | {most} {limit:.1} | {ratio:.2} | {verdict} |");
        }
        println!();
        self.notes.iter().for_each(|note| println!("- {note}"));
    }
}

/// With three digits, or as nothing.
fn shown(figure: Option<f64>) -> String {
    match figure {
        None => String::new(),
        Some(figure) if figure >= 100.0 => format!("{figure:.0}"),
        Some(figure) if figure >= 10.0 => format!("{figure:.1}"),
        Some(figure) => format!("{figure:.2}"),
    }
}
