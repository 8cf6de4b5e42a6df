//! How long something took, again and again: counts by ranges of time, in atomics alone. Of clocks it knows nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper ends of the ranges but the last one: in seconds, as they are shown, and in nanoseconds.
const BOUNDS: [(&str, u64); 14] = [
    ("0.00001", 10_000),
    ("0.000025", 25_000),
    ("0.00005", 50_000),
    ("0.0001", 100_000),
    ("0.00025", 250_000),
    ("0.0005", 500_000),
    ("0.001", 1_000_000),
    ("0.0025", 2_500_000),
    ("0.005", 5_000_000),
    ("0.01", 10_000_000),
    ("0.025", 25_000_000),
    ("0.1", 100_000_000),
    ("0.5", 500_000_000),
    ("1", 1_000_000_000),
];

/// The counts.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Of each range, the last of which has no end.
    counts: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

/// The counts at one moment.
#[derive(Debug, PartialEq)]
pub struct Counted {
    /// How many took as long as this or less; the last one counts all of them.
    pub buckets: [(&'static str, u64); BOUNDS.len() + 1],
    /// How long all of them took together.
    pub sum: Duration,
}

impl Histogram {
    /// Counts so many that took this long each.
    pub fn count(&self, took: Duration, count: u64) {
        if count == 0 {
            return;
        }
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let range = BOUNDS.partition_point(|(_, most)| *most < nanos);
        self.counts[range].fetch_add(count, Ordering::Relaxed);
        self.nanos.fetch_add(nanos.saturating_mul(count), Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn counted(&self) -> Counted {
        let mut below = 0;
        let buckets = std::array::from_fn(|range| {
            below += self.counts[range].load(Ordering::Relaxed);
            (BOUNDS.get(range).map_or("+Inf", |(text, _)| text), below)
        });
        Counted { buckets, sum: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)) }
    }
}

impl Counted {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets[BOUNDS.len()].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_are_as_they_are_shown() {
        for (text, nanos) in BOUNDS {
            let secs: f64 = text.parse().expect("a number");
            assert_eq!(Duration::from_secs_f64(secs), Duration::from_nanos(nanos));
        }
        assert!(BOUNDS.is_sorted_by(|one, next| one.1 < next.1));
    }

    #[test]
    fn a_time_is_in_its_range_and_in_all_longer_ones() {
        let histogram = Histogram::default();
        let ms = Duration::from_millis;
        for (took, count) in [(ms(1), 2), (ms(1) + Duration::from_nanos(1), 3), (ms(5000), 4), (ms(9), 0)] {
            histogram.count(took, count);
        }
        let counted = histogram.counted();
        let of = |le: &str| counted.buckets.iter().find(|(text, _)| *text == le).map(|(_, count)| *count);
        assert_eq!(
            [of("0.0005"), of("0.001"), of("0.0025"), of("1"), of("+Inf")],
            [Some(0), Some(2), Some(5), Some(5), Some(9)]
        );
        assert_eq!((counted.count(), counted.sum), (9, Duration::new(20, 5_000_003)));
    }
}
