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
    kept: HashMap<InfoHash, Size>,
    /// Those that are retired, in the order in which they go: the one that was retired first goes first.
    retired: BTreeSet<(OffsetDateTime, InfoHash)>,
    /// The others, by how old they are: the last one is the oldest.
    current: BTreeSet<(usize, InfoHash)>,
}

/// What counts of a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// The bytes of its files.
    pub bytes: u64,
    /// How it stands in the show.
    pub standing: Standing,
    /// When it was published, where that is known.
    pub published: Option<OffsetDateTime>,
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

    /// Takes in a torrent, or what has changed about it.
    pub fn put(&mut self, hash: InfoHash, size: Size) {
        self.remove(hash);
        self.used_bytes = self.used_bytes.saturating_add(size.bytes);
        self.kept.insert(hash, size);
        match size.standing {
            Standing::Current(place) => self.current.insert((place, hash)),
            Standing::Retired(since) => self.retired.insert((since, hash)),
        };
    }

    /// Takes out a torrent.
    pub fn remove(&mut self, hash: InfoHash) {
        let Some(size) = self.kept.remove(&hash) else { return };
        self.used_bytes -= size.bytes;
        match size.standing {
            Standing::Current(place) => self.current.remove(&(place, hash)),
            Standing::Retired(since) => self.retired.remove(&(since, hash)),
        };
    }

    /// Who goes because more is kept than may be; what stays although it is still too much, does.
    pub fn excess(&self) -> Vec<InfoHash> {
        let over = self.bytes_max.map_or(0, |max| self.used_bytes.saturating_sub(max));
        self.leavers(over, None).0
    }

    /// Whether there is room for a torrent that is not kept.
    pub fn admits(&self, size: Size) -> Verdict {
        let Some(max) = self.bytes_max else { return Verdict::Fits };
        let lacks = self.used_bytes.saturating_add(size.bytes).saturating_sub(max);
        match size.standing {
            _ if lacks == 0 => Verdict::Fits,
            // One retired torrent does not drive out another.
            Standing::Retired(_) => Verdict::Lacks(lacks),
            // Nor does anything that would not fit into an empty folder.
            Standing::Current(_) if size.bytes > max => Verdict::Lacks(size.bytes - max),
            Standing::Current(_) => match self.leavers(lacks, Some(&size)) {
                (leavers, freed) if freed >= lacks => Verdict::After(leavers),
                (_, freed) => Verdict::Lacks(lacks - freed),
            },
        }
    }

    /// Those whose going frees `wanted` bytes, and how many these are, those that were retired first in front; all who may
    /// go where that is not enough. None goes for one that is older: what the show has given up, nobody else may have.
    fn leavers(&self, wanted: u64, newcomer: Option<&Size>) -> (Vec<InfoHash>, u64) {
        let goes_for_it = |hash: &InfoHash| {
            let dates = newcomer.and_then(|newcomer| newcomer.published).zip(self.kept.get(hash)?.published);
            dates.is_none_or(|(newcomer, own)| newcomer >= own).then_some(*hash)
        };
        let is_younger = |place: usize| match newcomer.map(|newcomer| newcomer.standing) {
            Some(Standing::Current(newcomer)) => newcomer < place,
            _ => true,
        };
        let rolling = self.current.iter().rev().filter(|(place, _)| self.is_rolling && is_younger(*place));
        let retired = self.retired.iter().filter_map(|(_, hash)| goes_for_it(hash));
        let (mut freed, mut leavers) = (0, Vec::new());
        for hash in retired.chain(rolling.map(|(_, hash)| *hash)) {
            if freed >= wanted {
                break;
            }
            freed += self.bytes_of(&hash);
            leavers.push(hash);
        }
        (leavers, freed)
    }

    fn bytes_of(&self, hash: &InfoHash) -> u64 {
        self.kept.get(hash).map_or(0, |size| size.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(n: u8) -> InfoHash {
        InfoHash([n; 20])
    }

    fn day(day: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + time::Duration::days(day)
    }

    fn current(bytes: u64, place: usize) -> Size {
        Size { bytes, standing: Standing::Current(place), published: None }
    }

    fn retired(bytes: u64, since: i64) -> Size {
        Size { bytes, standing: Standing::Retired(day(since)), published: None }
    }

    /// Two that are published and three that are not, 10 bytes each.
    fn ledger(bytes_max: u64, is_rolling: bool) -> Ledger {
        let mut ledger = Ledger::new(Some(bytes_max), is_rolling);
        let sizes = [current(10, 0), current(10, 1), retired(10, 5), retired(10, 3), retired(10, 9)];
        (0..).zip(sizes).for_each(|(n, size)| ledger.put(hash(n), size));
        ledger
    }

    #[test]
    fn what_was_retired_first_goes_first_and_no_more_than_is_needed() {
        let ledger = ledger(55, false);
        assert_eq!((ledger.used_bytes, ledger.excess()), (50, vec![]));
        assert_eq!(ledger.admits(current(5, 0)), Verdict::Fits);
        assert_eq!(ledger.admits(current(6, 0)), Verdict::After(vec![hash(3)]));
        assert_eq!(ledger.admits(current(16, 0)), Verdict::After(vec![hash(3), hash(2)]));
        assert_eq!(ledger.admits(current(35, 0)), Verdict::After(vec![hash(3), hash(2), hash(4)]));
        assert_eq!(ledger.admits(current(36, 0)), Verdict::Lacks(1), "what is published stays");
        assert_eq!(ledger.admits(retired(6, 10)), Verdict::Lacks(1), "nor does one retired torrent drive out another");
        assert_eq!(ledger.admits(retired(5, 10)), Verdict::Fits);
    }

    #[test]
    fn what_is_retired_does_not_go_for_what_is_older() {
        let mut ledger = Ledger::new(Some(10), false);
        ledger.put(hash(0), Size { published: Some(day(3)), ..retired(10, 9) });
        let of = |published| ledger.admits(Size { published, ..current(4, 7) });
        assert_eq!(of(Some(day(2))), Verdict::Lacks(4));
        assert_eq!((of(Some(day(3))), of(None)), (Verdict::After(vec![hash(0)]), Verdict::After(vec![hash(0)])));
    }

    #[test]
    fn where_it_rolls_the_oldest_go_for_newer_ones() {
        let ledger = ledger(55, true);
        let all = vec![hash(3), hash(2), hash(4), hash(1)];
        assert_eq!(ledger.admits(current(36, 0)), Verdict::After(all), "the one at place 0 is not older");
        assert_eq!(ledger.admits(current(36, 1)), Verdict::Lacks(1));
        assert_eq!(ledger.admits(current(56, 0)), Verdict::Lacks(1), "nobody goes for what never fits");
    }

    #[test]
    fn a_budget_that_has_become_smaller_is_met_as_far_as_it_can_be() {
        assert_eq!(ledger(25, false).excess(), [hash(3), hash(2), hash(4)]);
        assert_eq!(ledger(5, false).excess(), [hash(3), hash(2), hash(4)]);
        assert_eq!(ledger(5, true).excess(), [hash(3), hash(2), hash(4), hash(1), hash(0)]);
        assert_eq!(Ledger::new(None, true).admits(current(u64::MAX, 0)), Verdict::Fits);
    }

    #[test]
    fn what_changes_is_counted_once() {
        let mut ledger = ledger(55, false);
        ledger.put(hash(0), retired(20, 1));
        assert_eq!((ledger.used_bytes, ledger.admits(current(1, 0))), (60, Verdict::After(vec![hash(0)])));
        ledger.remove(hash(0));
        ledger.remove(hash(0));
        assert_eq!(ledger.used_bytes, 40);
    }

    proptest! {
        #[test]
        fn who_goes_makes_room(
            kept in prop::collection::vec((0_u64..100, prop::option::of(0_i64..9)), 0..20),
            max in 0_u64..1000, wanted in 0_u64..300, place in 0_usize..20, is_rolling: bool,
        ) {
            let mut ledger = Ledger::new(Some(max), is_rolling);
            for (n, (bytes, since)) in (0_u8..).zip(kept) {
                ledger.put(hash(n), since.map_or(current(bytes, n.into()), |since| retired(bytes, since)));
            }
            let leavers = match ledger.admits(current(wanted, place)) {
                Verdict::Fits => Vec::new(),
                Verdict::After(leavers) => leavers,
                Verdict::Lacks(_) => return Ok(()),
            };
            leavers.into_iter().for_each(|hash| ledger.remove(hash));
            prop_assert!(ledger.used_bytes + wanted <= max);
        }
    }
}
