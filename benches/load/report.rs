//! What was measured, as tables in Markdown.

use std::time::Duration;

use super::Latencies;
use super::rivals::{Rival, Who};

/// What one round has shown.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Announces a second.
    pub rate: f64,
    /// Seconds of the server's processor for 100,000 announces.
    pub processor: f64,
}

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// Announces a second; more is better.
    Rate,
    /// Processor time; less is better.
    Processor,
    /// The latency of the middle; less is better.
    P50,
    /// The latency that one of a hundred exceeds; less is better.
    P99,
}

/// What is wanted of everseed, as a multiple of another's figure.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    /// Of which figure.
    pub row: Row,
    /// The other.
    pub than: Who,
    /// The least of a rate, and the most of all others.
    pub limit: f64,
}

/// The figures of all servers.
#[derive(Debug)]
pub struct Table {
    title: String,
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    who: Who,
    rates: Vec<f64>,
    processors: Vec<f64>,
    p50s: Vec<f64>,
    p99s: Vec<f64>,
    lost: usize,
}

impl Figures {
    /// Lets `load` run, which returns a rate.
    pub fn of(rival: &Rival, load: impl FnOnce() -> f64, lasting: Duration) -> Self {
        let before = rival.processor_time();
        let rate = load();
        let taken = rival.processor_time().saturating_sub(before);
        let announces = rate * lasting.as_secs_f64();
        Self { rate, processor: taken.as_secs_f64() / announces * 100_000.0 }
    }
}

impl Table {
    /// An empty one.
    pub fn new(title: String) -> Self {
        Self { title, columns: Vec::new() }
    }

    /// Takes in a round of a server.
    pub fn add(&mut self, who: Who, figures: Figures) {
        let column = self.column(who);
        column.rates.push(figures.rate);
        column.processors.push(figures.processor);
    }

    /// Takes in the latencies of a round.
    pub fn add_latencies(&mut self, who: Who, mut latencies: Latencies) {
        let column = self.column(who);
        column.p50s.push(latencies.quantile(0.5));
        column.p99s.push(latencies.quantile(0.99));
        column.lost += latencies.lost;
    }

    /// Writes it, and which of the goals are met.
    pub fn print(mut self, goals: &[Goal]) {
        println!("### {}\n", self.title);
        println!("| | k announces/s | CPU s per 100,000 | p50 µs | p99 µs | lost |");
        println!("|---|---:|---:|---:|---:|---:|");
        for column in &mut self.columns {
            let [rate, processor, p50, p99] =
                [Row::Rate, Row::Processor, Row::P50, Row::P99].map(|row| column.median(row));
            let (name, lost) = (column.who.name(), column.lost);
            println!("| {name} | {:.0} | {processor:.2} | {p50:.0} | {p99:.0} | {lost} |", rate / 1000.0);
        }
        println!();
        for goal in goals {
            let mut figure = |who: Who| {
                let column = self.columns.iter_mut().find(|column| column.who == who)?;
                Some(column.median(goal.row))
            };
            let (Some(own), Some(other)) = (figure(Who::Everseed), figure(goal.than)) else { continue };
            let ratio = own / other;
            let (name, is_met, most) = match goal.row {
                Row::Rate => ("rate", ratio >= goal.limit, "at least"),
                Row::Processor => ("processor time", ratio <= goal.limit, "at most"),
                Row::P50 => ("p50", ratio <= goal.limit, "at most"),
                Row::P99 => ("p99", ratio <= goal.limit, "at most"),
            };
            let (than, limit) = (goal.than.name(), goal.limit);
            let verdict = if is_met { "met" } else { "missed" };
            println!("- {name}: {ratio:.2} of the {than}'s; wanted {most} {limit:.1}: {verdict}");
        }
        println!();
    }

    fn column(&mut self, who: Who) -> &mut Column {
        let at = self.columns.iter().position(|column| column.who == who).unwrap_or_else(|| {
            let [rates, processors, p50s, p99s] = [const { Vec::new() }; 4];
            self.columns.push(Column { who, rates, processors, p50s, p99s, lost: 0 });
            self.columns.len() - 1
        });
        &mut self.columns[at]
    }
}

impl Column {
    fn median(&mut self, row: Row) -> f64 {
        let rounds = match row {
            Row::Rate => &mut self.rates,
            Row::Processor => &mut self.processors,
            Row::P50 => &mut self.p50s,
            Row::P99 => &mut self.p99s,
        };
        rounds.sort_by(f64::total_cmp);
        rounds.get(rounds.len() / 2).copied().unwrap_or(f64::NAN)
    }
}
