//! The core's own randomness, from one seed that the caller passes in: numbers, a shuffle without an array, and hashes.

use std::hash::{BuildHasher, Hasher};

/// Draws of one [`Shuffle`] at most; a swarm so full of unsuitable peers that more would be needed gives fewer.
pub const DRAWS_MAX: usize = 512;
/// Slots of the shuffle's table. A draw fills one slot at most, so the table stays at most half full.
const SLOTS: usize = 2 * DRAWS_MAX;

/// A generator of the xoshiro256++ family: fast, small, and good enough to pick peers with; no secret depends on it.
#[derive(Debug, Clone)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The generator that `seed` determines.
    pub fn new(seed: u64) -> Self {
        // SplitMix64 spreads the seed, so that neither 0 nor neighbouring seeds give poor beginnings.
        let mut sum = seed;
        let state = std::array::from_fn(|_| {
            sum = sum.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (sum ^ (sum >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        });
        Self { state }
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number from 0 to `bound` - 1, each as likely; 0 where `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        // The high half of a product of 64 bits; the bias is below 2^-32 and smaller than any test can see.
        let product = u128::from(self.next()) * u128::from(bound);
        u32::try_from(product >> 64).unwrap_or(0)
    }
}

/// The numbers 0 to n-1 in random order, drawn one by one: a Fisher-Yates shuffle that stores only the places it
/// moved, so that a draw costs the same in a swarm of ten and of a million.
#[derive(Debug, Clone)]
pub struct Shuffle {
    /// (round, place, number): a slot of a former round is an empty one.
    slots: Vec<(u32, u32, u32)>,
    round: u32,
    drawn: u32,
    total: u32,
    /// The last draw.
    batch: Vec<u32>,
}

impl Default for Shuffle {
    fn default() -> Self {
        Self { slots: vec![(0, 0, 0); SLOTS], round: 0, drawn: 0, total: 0, batch: Vec::new() }
    }
}

impl Shuffle {
    /// Begins anew with the numbers below `total`.
    pub fn begin(&mut self, total: usize) {
        self.total = u32::try_from(total).unwrap_or(u32::MAX);
        self.drawn = 0;
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.slots.fill((0, 0, 0));
            self.round = 1;
        }
    }

    /// Up to `count` more numbers, none of them twice; none after the last, or after [`DRAWS_MAX`].
    pub fn draw(&mut self, count: usize, random: &mut Random) -> &[u32] {
        self.batch.clear();
        while self.batch.len() < count && self.drawn < self.total && (self.drawn as usize) < DRAWS_MAX {
            let here = self.drawn;
            let there = here + random.below(self.total - here);
            let moved = self.get(here);
            let picked = self.get(there);
            self.set(there, moved);
            self.drawn += 1;
            self.batch.push(picked);
        }
        &self.batch
    }

    fn get(&self, place: u32) -> u32 {
        let (round, _, number) = self.slots[self.slot(place)];
        if round == self.round { number } else { place }
    }

    fn set(&mut self, place: u32, number: u32) {
        let slot = self.slot(place);
        self.slots[slot] = (self.round, place, number);
    }

    /// The slot that holds `place`, or the free one where it belongs.
    fn slot(&self, place: u32) -> usize {
        let mut slot = place.wrapping_mul(0x9e37_79b1) as usize >> 16 & (SLOTS - 1);
        loop {
            let (round, held, _) = self.slots[slot];
            if round != self.round || held == place {
                return slot;
            }
            slot = (slot + 1) & (SLOTS - 1);
        }
    }
}

/// Hashes for the core's maps, keyed so that nobody outside can choose addresses that collide.
///
/// Not the standard library's `RandomState`: it reads its key from the environment, and hashes at a third of the speed.
#[derive(Debug, Clone, Copy)]
pub struct Keyed([u64; 2]);

impl Keyed {
    /// A key from the generator.
    pub fn new(random: &mut Random) -> Self {
        Self([random.next() | 1, random.next() | 1])
    }
}

impl BuildHasher for Keyed {
    type Hasher = KeyedHasher;

    fn build_hasher(&self) -> KeyedHasher {
        KeyedHasher { state: self.0[0], key: self.0 }
    }
}

impl Keyed {
    /// The hash of bytes of a fixed length. Unlike that of a slice it takes no length in.
    pub fn hash(self, bytes: &[u8]) -> u64 {
        let mut hasher = self.build_hasher();
        hasher.write(bytes);
        hasher.finish()
    }
}

/// The hasher of [`Keyed`]: each word is folded in by a multiplication of 128 bits.
#[derive(Debug, Clone)]
pub struct KeyedHasher {
    state: u64,
    key: [u64; 2],
}

impl Hasher for KeyedHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.state = fold(self.state.rotate_left(5) ^ word, self.key[1]);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        fold(self.state, self.key[0])
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let high = u64::try_from((u128::from(a) * u128::from(b)) >> 64).unwrap_or(0);
    high ^ a.wrapping_mul(b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_shuffle_draws_each_number_once() {
        let (mut random, mut shuffle) = (Random::new(7), Shuffle::default());
        for total in [0, 1, 2, 10, DRAWS_MAX, DRAWS_MAX + 1, 1_000_000] {
            shuffle.begin(total);
            let mut drawn = shuffle.draw(7, &mut random).to_vec();
            drawn.extend_from_slice(shuffle.draw(usize::MAX, &mut random));
            assert!(shuffle.draw(1, &mut random).is_empty());
            assert_eq!(drawn.len(), total.min(DRAWS_MAX));
            assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), drawn.len());
            assert!(drawn.iter().all(|&number| (number as usize) < total));
        }
    }

    #[test]
    fn rounds_that_wrap_forget_the_former_ones() {
        let (mut random, mut shuffle) = (Random::new(7), Shuffle::default());
        shuffle.begin(5);
        shuffle.draw(5, &mut random);
        shuffle.round = u32::MAX;
        shuffle.begin(5);
        let drawn: HashSet<u32> = shuffle.draw(9, &mut random).iter().copied().collect();
        assert_eq!(drawn.len(), 5);
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let sequence = |seed| {
            let mut random = Random::new(seed);
            (0..4).map(|_| random.next()).collect::<Vec<_>>()
        };
        assert_eq!(sequence(1), sequence(1));
        assert_ne!(sequence(1), sequence(2));
        assert_eq!(Random::new(1).below(0), 0);
        assert_eq!(Random::new(1).below(1), 0);
    }

    #[test]
    fn hashes_depend_on_the_key_and_on_every_byte() {
        let a = Keyed::new(&mut Random::new(1));
        let b = Keyed::new(&mut Random::new(2));
        assert_ne!(a.hash_one([0_u8; 18]), b.hash_one([0_u8; 18]));
        let all: HashSet<u64> = (0..18)
            .map(|at| {
                let mut bytes = [0_u8; 18];
                bytes[at] = 1;
                a.hash_one(bytes)
            })
            .collect();
        assert_eq!(all.len(), 18);
    }
}
