//! Which torrents are kept: a rule of moments and sizes, without the disk.

use std::cmp::Reverse;

use time::OffsetDateTime;

use super::{Limits, TORRENTS_MAX};

/// What the rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// When it was retired.
    pub retired: OffsetDateTime,
    /// The bytes of its files.
    pub bytes: u64,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Chosen<T, U> {
    /// What is kept, the newest first.
    pub kept: Vec<U>,
    /// What has been kept for long enough.
    pub expired: Vec<T>,
    /// What there is no room for.
    pub beyond: Vec<T>,
}

/// Chooses among `items`: the newest first, as long as there is room. One that fits is handed to `keep`, and takes no room where
/// that has nothing to keep.
pub fn choose<T, U>(
    mut items: Vec<T>,
    limits: Limits,
    now: OffsetDateTime,
    size: impl Fn(&T) -> Size,
    mut keep: impl FnMut(T) -> Option<U>,
) -> Chosen<T, U> {
    items.sort_by_key(|item| Reverse(size(item).retired));
    let mut chosen = Chosen { kept: Vec::new(), expired: Vec::new(), beyond: Vec::new() };
    let mut left = limits.bytes_max;
    let mut is_full = false;
    for item in items {
        let Size { retired, bytes } = size(&item);
        if limits.end(retired) <= now {
            chosen.expired.push(item);
        } else if is_full || bytes > left || chosen.kept.len() == TORRENTS_MAX {
            // One that has no room in an empty folder either takes none from the others.
            is_full |= bytes <= limits.bytes_max;
            chosen.beyond.push(item);
        } else if let Some(kept) = keep(item) {
            left -= bytes;
            chosen.kept.push(kept);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-06-30 12:00 UTC);

    /// Items of a name, the days since they were retired, and their bytes.
    type Item = (char, i64, u64);

    fn chosen(items: &[Item], days: u32, bytes_max: u64) -> [String; 3] {
        let size = |item: &Item| Size { retired: NOW - Duration::days(item.1), bytes: item.2 };
        // A capital has lost its bytes.
        let keep = |item: Item| item.0.is_lowercase().then_some(item);
        let chosen = choose(items.to_vec(), Limits { days, bytes_max }, NOW, size, keep);
        [chosen.kept, chosen.expired, chosen.beyond].map(|items| items.iter().map(|item| item.0).collect())
    }

    #[test]
    fn each_is_kept_for_its_days_and_no_longer() {
        assert_eq!(chosen(&[('a', 29, 1), ('b', 30, 1), ('c', 31, 1)], 30, 9), ["a", "bc", ""]);
        assert_eq!(chosen(&[('a', 0, 1)], 0, 9), ["", "a", ""], "never");
        assert_eq!(chosen(&[('a', -1, 1)], 30, 9), ["a", "", ""], "a clock that was set back");
        assert_eq!(chosen(&[('a', 0, 1)], u32::MAX, 9), ["a", "", ""]);
    }

    #[test]
    fn the_oldest_have_no_room() {
        assert_eq!(chosen(&[('a', 3, 4), ('b', 1, 4), ('c', 2, 4)], 30, 12), ["bca", "", ""]);
        assert_eq!(chosen(&[('a', 3, 4), ('b', 1, 4), ('c', 2, 4)], 30, 11), ["bc", "", "a"]);
        assert_eq!(chosen(&[('a', 3, 1), ('b', 1, 4), ('c', 2, 4)], 30, 7), ["b", "", "ca"], "nor is a gap filled");
    }

    #[test]
    fn one_that_never_fits_takes_nothing_from_the_others() {
        assert_eq!(chosen(&[('a', 1, 8), ('b', 2, 4)], 30, 7), ["b", "", "a"]);
        assert_eq!(chosen(&[('A', 1, 7), ('b', 2, 4)], 30, 7), ["b", "", ""], "nor one that has lost its bytes");
        assert_eq!(chosen(&[('a', 1, 0)], 30, 0), ["a", "", ""]);
    }

    #[test]
    fn so_many_are_kept() {
        let items: Vec<_> = (0..=TORRENTS_MAX).map(|_| ('a', 1, 0)).collect();
        let [kept, _, beyond] = chosen(&items, 30, 0);
        assert_eq!((kept.len(), beyond.len()), (TORRENTS_MAX, 1));
    }
}
