//! Where in an array an item with a given hash stands: 6 to 12 bytes an item, and no growth that anybody waits for.
//!
//! It holds places alone. The hash of an item is computed from the item again where it is needed, so a caller passes in
//! what computes it; hashes come from a key that nobody outside knows (see [`super::random::Keyed`]).

use hashbrown::HashTable;

/// Items of a table on average, before another table is begun. A table that has just so many is nearly full, at 1,024
/// slots.
const ITEMS_PER_TABLE: usize = 800;

/// A hash table of places that grows by one table at a time (linear hashing): where one table of a million places
/// would move all of them at once, in tens of milliseconds, this moves some two thousand.
#[derive(Debug, Clone, Default)]
pub struct Index {
    tables: Vec<HashTable<u32>>,
    len: usize,
}

impl Index {
    /// An index with room for `len` places, as far as that is one table.
    pub fn with_capacity(len: usize) -> Self {
        Self { tables: vec![HashTable::with_capacity(len.min(ITEMS_PER_TABLE))], len: 0 }
    }

    /// The place with this hash of which `is` holds.
    pub fn find(&self, hash: u64, is: impl Fn(usize) -> bool) -> Option<usize> {
        let table = self.tables.get(table(hash, self.tables.len()))?;
        table.find(hash, |&place| is(place as usize)).map(|&place| place as usize)
    }

    /// The places with this hash, and perhaps some with others.
    pub fn each(&self, hash: u64) -> impl Iterator<Item = usize> {
        let table = self.tables.get(table(hash, self.tables.len()));
        table.into_iter().flat_map(move |table| table.iter_hash(hash)).map(|&place| place as usize)
    }

    /// Adds a place. The items of all places stand in their array already, this one too.
    pub fn insert(&mut self, hash: u64, place: usize, hash_at: impl Fn(usize) -> u64) {
        if self.len >= self.tables.len() * ITEMS_PER_TABLE {
            self.add_table(&hash_at);
        }
        let at = table(hash, self.tables.len());
        self.tables[at].insert_unique(hash, narrow(place), |&place| hash_at(place as usize));
        self.len += 1;
    }

    /// Takes out a place. The items of all others stand in their array still.
    pub fn remove(&mut self, hash: u64, place: usize, hash_at: impl Fn(usize) -> u64) {
        let at = table(hash, self.tables.len());
        let Some(table) = self.tables.get_mut(at) else { return };
        if let Ok(entry) = table.find_entry(hash, |&other| other as usize == place) {
            entry.remove();
            self.len -= 1;
        }
        // An eighth full is what one table less would not make half full.
        if table.capacity() > 8 * table.len().max(4) {
            table.shrink_to(2 * table.len(), |&place| hash_at(place as usize));
        }
        if self.tables.len() > 1 && 2 * self.len < (self.tables.len() - 1) * ITEMS_PER_TABLE {
            self.drop_table(&hash_at);
        }
    }

    /// Tells that the item with this hash went from one place to another.
    pub fn moved(&mut self, hash: u64, from: usize, to: usize) {
        self.replace(hash, narrow(from), narrow(to));
    }

    /// Tells that two items, with these hashes, have changed places.
    pub fn swapped(&mut self, (hash_a, a): (u64, usize), (hash_b, b): (u64, usize)) {
        // By way of a place that is nobody's: hashes may be alike, and each of the two is to be found by its own.
        self.replace(hash_a, narrow(a), NOWHERE);
        self.replace(hash_b, narrow(b), narrow(a));
        self.replace(hash_a, NOWHERE, narrow(b));
    }

    fn replace(&mut self, hash: u64, from: u32, to: u32) {
        let at = table(hash, self.tables.len());
        let place = self.tables.get_mut(at).and_then(|table| table.find_mut(hash, |&place| place == from));
        *place.expect("who stands in the array stands in the index") = to;
    }

    /// Begins another table with about half of what stands in one of the others.
    fn add_table(&mut self, hash_at: &impl Fn(usize) -> u64) {
        let count = self.tables.len();
        if count == 0 {
            self.tables.push(HashTable::new());
            return;
        }
        let split = &mut self.tables[count - (1 << count.ilog2())];
        let hashed = std::mem::take(split).into_iter().map(|place| (hash_at(place as usize), place));
        let (go, stay): (Vec<_>, Vec<_>) = hashed.partition(|&(hash, _)| table(hash, count + 1) == count);
        *split = filled(&stay, hash_at);
        self.tables.push(filled(&go, hash_at));
    }

    /// Puts the last table back into the one that it was split from.
    fn drop_table(&mut self, hash_at: &impl Fn(usize) -> u64) {
        let Some(last) = self.tables.pop() else { return };
        let count = self.tables.len();
        let whole = &mut self.tables[count - (1 << count.ilog2())];
        whole.reserve(last.len(), |&place| hash_at(place as usize));
        for place in last {
            whole.insert_unique(hash_at(place as usize), place, |&place| hash_at(place as usize));
        }
    }
}

/// A place where nothing stands.
const NOWHERE: u32 = u32::MAX;

/// Which of `count` tables holds a hash. A table decides by the lowest and the highest bits, this by those between.
fn table(hash: u64, count: usize) -> usize {
    if count <= 1 {
        return 0;
    }
    let whole = 1_usize << count.ilog2();
    let number = usize::try_from(hash >> 24 & 0xffff_ffff).expect("32 bits");
    let number = number & (2 * whole - 1);
    if number < count { number } else { number - whole }
}

fn filled(items: &[(u64, u32)], hash_at: &impl Fn(usize) -> u64) -> HashTable<u32> {
    let mut table = HashTable::with_capacity(items.len());
    for &(hash, place) in items {
        table.insert_unique(hash, place, |&place| hash_at(place as usize));
    }
    table
}

fn narrow(place: usize) -> u32 {
    u32::try_from(place).expect("there are fewer torrents and peers than 2^32: TORRENTS_MAX and PEERS_MAX")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracker::random::{Keyed, Random};
    use proptest::prelude::*;
    use std::hash::BuildHasher;

    #[derive(Debug, Clone)]
    enum Step {
        Push(usize),
        Remove(usize, usize),
        Swap(usize, usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (1..2000_usize).prop_map(Step::Push),
            2 => (any::<usize>(), 1..2000_usize).prop_map(|(at, times)| Step::Remove(at, times)),
            1 => any::<(usize, usize)>().prop_map(|(a, b)| Step::Swap(a, b)),
        ];
        prop::collection::vec(step, 0..16)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// With `spread` hashes alone, so that many items have the same one.
        #[test]
        fn every_item_is_found_at_its_place(steps in steps(), spread in prop_oneof![Just(3000_u64), Just(u64::MAX)]) {
            let keyed = Keyed::new(&mut Random::new(3));
            let hash = |item: u64| keyed.hash_one(item % spread);
            let (mut index, mut items, mut next) = (Index::default(), Vec::new(), 0);
            for step in steps {
                match step {
                    Step::Push(times) => for _ in 0..times {
                        items.push(next);
                        index.insert(hash(next), items.len() - 1, |place| hash(items[place]));
                        next += 1;
                    },
                    Step::Remove(at, times) => for step in 0..times.min(items.len()) {
                        let (at, last) = ((at % items.len() + step * 7919) % items.len(), items.len() - 1);
                        if at != last {
                            index.swapped((hash(items[at]), at), (hash(items[last]), last));
                            items.swap(at, last);
                        }
                        index.remove(hash(items[last]), last, |place| hash(items[place]));
                        items.pop();
                    },
                    Step::Swap(a, b) if !items.is_empty() && a % items.len() != b % items.len() => {
                        let (a, b) = (a % items.len(), b % items.len());
                        index.swapped((hash(items[a]), a), (hash(items[b]), b));
                        items.swap(a, b);
                    }
                    Step::Swap(..) => {}
                }
                prop_assert_eq!(index.len, items.len());
                for (place, &item) in items.iter().enumerate() {
                    prop_assert_eq!(index.find(hash(item), |other| items[other] == item), Some(place));
                    prop_assert!(index.each(hash(item)).any(|other| other == place));
                }
                prop_assert_eq!(index.find(hash(next), |other| items[other] == next), None);
                let most = index.tables.iter().map(HashTable::len).max().unwrap_or(0);
                prop_assert!(spread < u64::MAX || most < 3 * ITEMS_PER_TABLE, "{} in one table", most);
                prop_assert!(index.tables.len() * ITEMS_PER_TABLE <= 2 * items.len() + 2 * ITEMS_PER_TABLE);
            }
        }
    }

    #[test]
    fn an_item_costs_at_most_twelve_bytes() {
        let keyed = Keyed::new(&mut Random::new(3));
        let mut index = Index::default();
        for place in 0..100_000 {
            index.insert(keyed.hash_one(place), place, |place| keyed.hash_one(place));
            if place > 5000 && place % 997 == 0 {
                // A slot has the place, a byte of the hash, and capacity is 7/8 of the slots.
                let bytes: usize = index.tables.iter().map(|table| table.capacity() * 8 / 7 * 5).sum();
                assert!(bytes <= 12 * place, "{bytes} for {place}");
            }
        }
    }
}
