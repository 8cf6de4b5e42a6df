//! The core's own randomness, from one seed that the caller passes in: numbers, a shuffle without an array, and hashes.

use std::hash::{BuildHasher, Hasher};

/// Draws of one [`Shuffle`] at most; a swarm so full of unsuitable peers that more would be needed gives fewer.
pub const DRAWS_MAX: usize = 512;
/// Numbers below which all are kept in order to be shuffled. Of more, those that were drawn are kept.
const DENSE_MAX: usize = 256;
/// Slots of the table of those: at most half of it is full.
const SLOTS: usize = 2 * DRAWS_MAX;
/// Tries for one draw at most, of which each meets a number that was drawn before: all but impossible.
const TRIES_MAX: usize = 64 * DENSE_MAX;

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

/// The numbers 0 to n-1 in random order, drawn one by one, at the same cost in a swarm of a thousand and of a million:
/// few numbers are shuffled (Fisher-Yates); of many any is taken that was not drawn before.
#[derive(Debug, Clone)]
pub struct Shuffle {
    total: u32,
    drawn: u32,
    /// Of few numbers: all, those that were drawn in front.
    dense: [u16; DENSE_MAX],
    /// Of many: those that were drawn, each below the round. A slot of a former round is an empty one.
    sparse: Vec<u64>,
    round: u32,
    /// The last draw.
    batch: Vec<u32>,
}

impl Default for Shuffle {
    fn default() -> Self {
        Self { total: 0, drawn: 0, dense: [0; DENSE_MAX], sparse: vec![0; SLOTS], round: 0, batch: Vec::new() }
    }
}

impl Shuffle {
    /// Begins anew with the numbers below `total`.
    pub fn begin(&mut self, total: usize) {
        self.total = u32::try_from(total).unwrap_or(u32::MAX);
        self.drawn = 0;
        if total <= DENSE_MAX {
            self.dense[..total].iter_mut().zip(0..).for_each(|(number, at)| *number = at);
            return;
        }
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.sparse.fill(0);
            self.round = 1;
        }
    }

    /// Up to `count` more numbers, none of them twice; none after the last, or after [`DRAWS_MAX`].
    pub fn draw(&mut self, count: usize, random: &mut Random) -> &[u32] {
        self.batch.clear();
        let drawn = self.drawn as usize;
        let count = count.min((self.total as usize).min(DRAWS_MAX) - drawn);
        if self.total as usize <= DENSE_MAX {
            for here in drawn..drawn + count {
                let others = self.total as usize - here;
                let there = here + random.below(u32::try_from(others).unwrap_or(0)) as usize;
                self.dense.swap(here, there);
                self.batch.push(self.dense[here].into());
            }
        } else {
            for _ in 0..TRIES_MAX {
                if self.batch.len() == count {
                    break;
                }
                let number = random.below(self.total);
                if self.is_new(number) {
                    self.batch.push(number);
                }
            }
        }
        self.drawn += u32::try_from(self.batch.len()).unwrap_or(0);
        &self.batch
    }

    /// Whether a number is drawn for the first time in this round, which it then is.
    fn is_new(&mut self, number: u32) -> bool {
        let drawn = u64::from(self.round) << 32 | u64::from(number);
        let mut slot = number.wrapping_mul(0x9e37_79b1) as usize >> 16 & (SLOTS - 1);
        loop {
            let held = self.sparse[slot];
            if held == drawn {
                return false;
            }
            if held >> 32 != u64::from(self.round) {
                self.sparse[slot] = drawn;
                return true;
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
        for total in [0, 1, 2, 10, DENSE_MAX, DENSE_MAX + 1, DRAWS_MAX, DRAWS_MAX + 1, 1_000_000] {
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
        shuffle.begin(DRAWS_MAX);
        shuffle.draw(DRAWS_MAX, &mut random);
        shuffle.round = u32::MAX;
        shuffle.begin(DRAWS_MAX);
        let drawn: HashSet<u32> = shuffle.draw(usize::MAX, &mut random).iter().copied().collect();
        assert_eq!(drawn.len(), DRAWS_MAX);
    }

    #[test]
    fn every_number_is_drawn_as_often_at_every_place() {
        let (mut random, mut shuffle) = (Random::new(7), Shuffle::default());
        // Few numbers, all of them; and of many a third.
        for (total, count, rounds) in [(12_u32, 12, 24_000), (300, 100, 30_000)] {
            let mut seen = vec![[0_u32; 2]; total as usize];
            for _ in 0..rounds {
                shuffle.begin(total as usize);
                let drawn = shuffle.draw(count, &mut random);
                assert_eq!(drawn.len(), count);
                seen[drawn[0] as usize][0] += 1;
                seen[drawn[count - 1] as usize][1] += 1;
            }
            let expected = f64::from(rounds) / f64::from(total);
            for place in 0..2 {
                let far = seen.iter().map(|seen| (f64::from(seen[place]) - expected).powi(2) / expected);
                let (chi_square, freedom) = (far.sum::<f64>(), f64::from(total - 1));
                // Six deviations.
                assert!((chi_square - freedom).abs() < 6.0 * (2.0 * freedom).sqrt(), "{total}: {chi_square}");
            }
        }
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
