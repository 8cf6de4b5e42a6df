//! What fits: how many bytes may be kept, and who goes where others need the room. It knows neither disk nor network.

use std::collections::{BTreeSet, HashMap};

use time::OffsetDateTime;

use crate::id::InfoHash;

/// What is kept, and how much of it there may be.
#[derive(Debug, Clone)]
pub struct Ledger {
    bytes_max: Option<u64>,
    is_rolling: bool,
    used_bytes: u64,
    kept: HashMap<InfoHash, (u64, Standing)>,
    /// Those that are retired, in the order in which they go: the one that was retired first goes first.
    retired: BTreeSet<(OffsetDateTime, InfoHash)>,
    /// The others, by how old they are: the last one is the oldest.
    current: BTreeSet<(usize, InfoHash)>,
}

/// How a torrent stands in the show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is published, and this is its place among the others: 0 is the newest.
    Current(usize),
    /// It is not published any more, since then.
    Retired(OffsetDateTime),
}

/// Whether there is room for a torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// There is.
    Fits,
    /// There is when these have gone, in this order.
    After(Vec<InfoHash>),
    /// There is not: so many bytes are lacking, whoever may go.
    Lacks(u64),
}

impl Ledger {
    /// Nothing is kept yet. `is_rolling`: the oldest of what is published may go too.
    pub fn new(bytes_max: Option<u64>, is_rolling: bool) -> Self {
        Self {
            bytes_max,
            is_rolling,
            used_bytes: 0,
            kept: HashMap::new(),
            retired: BTreeSet::new(),
            current: BTreeSet::new(),
        }
    }

    /// The bytes of all that is kept.
    #[cfg(test)]
    fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// Takes in a torrent, or what has changed about it.
    pub fn put(&mut self, hash: InfoHash, bytes: u64, standing: Standing) {
        self.remove(hash);
        self.used_bytes = self.used_bytes.saturating_add(bytes);
        self.kept.insert(hash, (bytes, standing));
        match standing {
            Standing::Current(place) => self.current.insert((place, hash)),
            Standing::Retired(since) => self.retired.insert((since, hash)),
        };
    }

    /// Takes out a torrent.
    pub fn remove(&mut self, hash: InfoHash) {
        let Some((bytes, standing)) = self.kept.remove(&hash) else { return };
        self.used_bytes -= bytes;
        match standing {
            Standing::Current(place) => self.current.remove(&(place, hash)),
            Standing::Retired(since) => self.retired.remove(&(since, hash)),
        };
    }

    /// Who goes because more is kept than may be: what remains of it, where that is not enough, stays.
    pub fn excess(&self) -> Vec<InfoHash> {
        let over = self.bytes_max.map_or(0, |max| self.used_bytes.saturating_sub(max));
        self.leavers(over, usize::MAX).unwrap_or_else(|leavers| leavers)
    }

    /// Whether there is room for a torrent that is not kept.
    pub fn admits(&self, bytes: u64, standing: Standing) -> Verdict {
        let Some(max) = self.bytes_max else { return Verdict::Fits };
        let lacks = self.used_bytes.saturating_add(bytes).saturating_sub(max);
        match standing {
            _ if lacks == 0 => Verdict::Fits,
            // One retired torrent does not drive out another.
            Standing::Retired(_) => Verdict::Lacks(lacks),
            // Nor does anything that would not fit into an empty folder.
            Standing::Current(_) if bytes > max => Verdict::Lacks(bytes - max),
            Standing::Current(place) => match self.leavers(lacks, place) {
                Ok(leavers) => Verdict::After(leavers),
                Err(leavers) => {
                    let freed: u64 = leavers.iter().map(|hash| self.bytes_of(hash)).sum();
                    Verdict::Lacks(lacks - freed)
                }
            },
        }
    }

    /// Those whose going frees `wanted` bytes, those that were retired first in front; all who may go where that is not
    /// enough. Of what is published only what is older than the one at `place` may go.
    fn leavers(&self, wanted: u64, place: usize) -> Result<Vec<InfoHash>, Vec<InfoHash>> {
        // With no place, everything is younger than nothing.
        let is_older = |of: usize| place == usize::MAX || of > place;
        let rolling = self.current.iter().rev().filter(|(of, _)| self.is_rolling && is_older(*of));
        let all = self.retired.iter().map(|(_, hash)| *hash).chain(rolling.map(|(_, hash)| *hash));
        let (mut freed, mut leavers) = (0, Vec::new());
        for hash in all {
            if freed >= wanted {
                break;
            }
            freed += self.bytes_of(&hash);
            leavers.push(hash);
        }
        if freed >= wanted { Ok(leavers) } else { Err(leavers) }
    }

    fn bytes_of(&self, hash: &InfoHash) -> u64 {
        self.kept.get(hash).map_or(0, |(bytes, _)| *bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(n: u8) -> InfoHash {
        InfoHash([n; 20])
    }

    fn retired(day: i64) -> Standing {
        Standing::Retired(OffsetDateTime::UNIX_EPOCH + time::Duration::days(day))
    }

    /// Two that are published and three that are not, 10 bytes each.
    fn ledger(bytes_max: u64, is_rolling: bool) -> Ledger {
        let mut ledger = Ledger::new(Some(bytes_max), is_rolling);
        let standings = [Standing::Current(0), Standing::Current(1), retired(5), retired(3), retired(9)];
        (0..).zip(standings).for_each(|(n, standing)| ledger.put(hash(n), 10, standing));
        ledger
    }

    #[test]
    fn what_was_retired_first_goes_first_and_no_more_than_is_needed() {
        let ledger = ledger(55, false);
        assert_eq!((ledger.used_bytes(), ledger.excess()), (50, vec![]));
        assert_eq!(ledger.admits(5, Standing::Current(0)), Verdict::Fits);
        assert_eq!(ledger.admits(6, Standing::Current(0)), Verdict::After(vec![hash(3)]));
        assert_eq!(ledger.admits(16, Standing::Current(0)), Verdict::After(vec![hash(3), hash(2)]));
        assert_eq!(ledger.admits(35, Standing::Current(0)), Verdict::After(vec![hash(3), hash(2), hash(4)]));
        assert_eq!(ledger.admits(36, Standing::Current(0)), Verdict::Lacks(1), "what is published stays");
        assert_eq!(ledger.admits(6, retired(10)), Verdict::Lacks(1), "nor does one retired torrent drive out another");
        assert_eq!(ledger.admits(5, retired(10)), Verdict::Fits);
    }

    #[test]
    fn where_it_rolls_the_oldest_go_for_newer_ones() {
        let ledger = ledger(55, true);
        assert_eq!(
            ledger.admits(36, Standing::Current(0)),
            Verdict::After(vec![hash(3), hash(2), hash(4), hash(1)]),
            "the one at place 0 is not older"
        );
        assert_eq!(ledger.admits(36, Standing::Current(1)), Verdict::Lacks(1));
        assert_eq!(ledger.admits(56, Standing::Current(0)), Verdict::Lacks(1), "nobody goes for what never fits");
    }

    #[test]
    fn a_budget_that_has_become_smaller_is_met_as_far_as_it_can_be() {
        assert_eq!(ledger(25, false).excess(), [hash(3), hash(2), hash(4)]);
        assert_eq!(ledger(5, false).excess(), [hash(3), hash(2), hash(4)]);
        assert_eq!(ledger(5, true).excess(), [hash(3), hash(2), hash(4), hash(1), hash(0)]);
        assert_eq!(Ledger::new(None, true).admits(u64::MAX, Standing::Current(0)), Verdict::Fits);
    }

    #[test]
    fn what_changes_is_counted_once() {
        let mut ledger = ledger(55, false);
        ledger.put(hash(0), 20, retired(1));
        assert_eq!((ledger.used_bytes(), ledger.admits(1, Standing::Current(0))), (60, Verdict::After(vec![hash(0)])));
        ledger.remove(hash(0));
        ledger.remove(hash(0));
        assert_eq!(ledger.used_bytes(), 40);
    }

    proptest! {
        #[test]
        fn who_goes_makes_room(
            kept in prop::collection::vec((0_u64..100, prop::option::of(0_i64..9)), 0..20),
            max in 0_u64..1000, wanted in 0_u64..300, place in 0_usize..20, is_rolling: bool,
        ) {
            let mut ledger = Ledger::new(Some(max), is_rolling);
            for (n, (bytes, since)) in (0_u8..).zip(kept) {
                ledger.put(hash(n), bytes, since.map_or(Standing::Current(n.into()), retired));
            }
            let leavers = match ledger.admits(wanted, Standing::Current(place)) {
                Verdict::Fits => Vec::new(),
                Verdict::After(leavers) => leavers,
                Verdict::Lacks(_) => return Ok(()),
            };
            leavers.into_iter().for_each(|hash| ledger.remove(hash));
            prop_assert!(ledger.used_bytes() + wanted <= max);
        }
    }
}
