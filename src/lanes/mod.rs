//! SHA-1 and SHA-256 of several messages at once, interleaved in the instructions of one core.
//!
//! The rounds of one message wait for each other; those of other messages fill the time. The processor decides how many
//! run together: sixteen in AVX-512, four in the SHA extensions of x86-64, else one at a time by the `sha1` and `sha2`
//! crates. It knows messages, and nothing of files, pieces or trees.

use sha1::block_api::compress as sha1_compress;
use sha2::block_api::compress256 as sha256_compress;

#[cfg(target_arch = "x86_64")]
mod x86;

/// The bytes that SHA-1 and SHA-256 take at a time.
pub const BLOCK_BYTES: usize = 64;
/// The most messages that run together in any kernel.
pub const LANES_MAX: usize = WIDE_LANES;

const WIDE_LANES: usize = 16;
/// Where fewer messages run, four at a time are quicker than sixteen of which some are nobody's.
#[cfg(target_arch = "x86_64")]
const WIDE_LANES_MIN: usize = 11;
/// The same where one at a time is all there is beside.
#[cfg(target_arch = "x86_64")]
const WIDE_LANES_MIN_ALONE: usize = 4;

type Block = [u8; BLOCK_BYTES];

/// A way of hashing that this processor has.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kernel {
    #[cfg(target_arch = "x86_64")]
    sha: Option<x86::Sha>,
    #[cfg(target_arch = "x86_64")]
    wide: Option<x86::Wide>,
}

impl Kernel {
    /// The quickest that this processor has.
    pub fn best() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            sha: x86::Sha::detect(),
            #[cfg(target_arch = "x86_64")]
            wide: x86::Wide::detect(),
        }
    }

    /// All that this processor has, the `sha1` and `sha2` crates first and the quickest last.
    pub fn all() -> Vec<Self> {
        let mut kernels = vec![Self::default()];
        #[cfg(target_arch = "x86_64")]
        {
            let Self { sha, wide } = Self::best();
            kernels.extend(sha.map(|sha| Self { sha: Some(sha), wide: None }));
            kernels.extend(wide.map(|wide| Self { sha: None, wide: Some(wide) }));
            kernels.extend(sha.zip(wide).map(|(sha, wide)| Self { sha: Some(sha), wide: Some(wide) }));
        }
        kernels
    }

    /// How many messages run together at its best.
    pub fn lanes(self) -> usize {
        #[cfg(target_arch = "x86_64")]
        {
            match self {
                Self { wide: Some(_), .. } => WIDE_LANES,
                Self { sha: Some(_), .. } => 4,
                Self { sha: None, wide: None } => 1,
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        1
    }

    /// The instructions that it uses, for a person.
    pub fn name(self) -> &'static str {
        #[cfg(target_arch = "x86_64")]
        {
            match self {
                Self { wide: Some(_), sha: Some(_) } => "AVX-512 and SHA extensions",
                Self { wide: Some(_), sha: None } => "AVX-512",
                Self { wide: None, sha: Some(_) } => "SHA extensions",
                Self { wide: None, sha: None } => "one at a time",
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        "one at a time"
    }

    /// The SHA-1 of each message, of whatever lengths.
    pub fn sha1_many(self, messages: &[&[u8]]) -> Vec<[u8; 20]> {
        self.finish::<Sha1>(&[], messages, &[])
    }

    /// The SHA-256 of each message, of whatever lengths.
    pub fn sha256_many(self, messages: &[&[u8]]) -> Vec<[u8; 32]> {
        self.finish::<Sha256>(&[], messages, &[])
    }

    /// The SHA-256 of each two neighbours together: the level above in a Merkle tree. They are even in number.
    pub fn sha256_pairs(self, hashes: &[[u8; 32]]) -> Vec<[u8; 32]> {
        assert!(hashes.len().is_multiple_of(2), "each hash has a neighbour");
        let mut padding = [[0; BLOCK_BYTES]];
        pad(&mut padding, 0, BLOCK_BYTES as u64);
        let (blocks, _) = hashes.as_flattened().as_chunks::<BLOCK_BYTES>();
        let mut parents = Vec::with_capacity(blocks.len());
        for blocks in blocks.chunks(LANES_MAX) {
            let mut states = [Sha256::START; LANES_MAX];
            let mut runs: [&[Block]; LANES_MAX] = [&[]; LANES_MAX];
            for (run, block) in runs.iter_mut().zip(blocks) {
                *run = std::slice::from_ref(block);
            }
            let (states, lanes) = (&mut states[..blocks.len()], blocks.len());
            self.compress::<Sha256>(states, &runs[..lanes]);
            self.compress::<Sha256>(states, &[&padding[..]; LANES_MAX][..lanes]);
            parents.extend(states.iter().map(Sha256::hash));
        }
        parents
    }

    /// The hashes of messages of which `states` have taken the first `before` bytes, whole blocks; where `states` are
    /// none, of messages from their beginnings. `rests` are the bytes that follow.
    fn finish<F: Function>(self, states: &[F::State], rests: &[&[u8]], before: &[u64]) -> Vec<F::Hash> {
        let mut hashes = vec![F::Hash::default(); rests.len()];
        let mut messages = rests.iter().enumerate().map(|(index, rest)| {
            let state = states.get(index).copied().unwrap_or(F::START);
            (state, Rest::new(index, rest, before.get(index).copied().unwrap_or(0)))
        });
        let mut running_states = Vec::with_capacity(LANES_MAX);
        let mut running: Vec<Rest> = Vec::with_capacity(LANES_MAX);
        loop {
            while running.len() < LANES_MAX
                && let Some((state, rest)) = messages.next()
            {
                running_states.push(state);
                running.push(rest);
            }
            // All go as far as the one that comes to an end first; its place is another's then.
            let Some(blocks) = running.iter().map(|rest| rest.run().len()).min() else { return hashes };
            let mut runs: [&[Block]; LANES_MAX] = [&[]; LANES_MAX];
            for (run, rest) in runs.iter_mut().zip(&running) {
                *run = &rest.run()[..blocks];
            }
            self.compress::<F>(&mut running_states, &runs[..running.len()]);
            for lane in (0..running.len()).rev() {
                if running[lane].is_over_after(blocks) {
                    let rest = running.swap_remove(lane);
                    hashes[rest.index] = F::hash(&running_states.swap_remove(lane));
                }
            }
        }
    }

    /// Takes the blocks of each run, all equally many, into its state.
    fn compress<F: Function>(self, mut states: &mut [F::State], mut runs: &[&[Block]]) {
        while !states.is_empty() {
            let lanes = self.compress_some::<F>(states, runs);
            states = &mut states[lanes..];
            runs = &runs[lanes..];
        }
    }

    /// Takes the first runs into the first states, as many as run together; how many those are.
    #[cfg(target_arch = "x86_64")]
    fn compress_some<F: Function>(self, states: &mut [F::State], runs: &[&[Block]]) -> usize {
        let wide_min = if self.sha.is_some() { WIDE_LANES_MIN } else { WIDE_LANES_MIN_ALONE };
        if let Some(wide) = self.wide.filter(|_| states.len() >= wide_min) {
            if let Some((states, runs)) = states.first_chunk_mut().zip(runs.first_chunk()) {
                F::wide(wide, states, runs);
                return WIDE_LANES;
            }
            let mut all = [F::START; WIDE_LANES];
            let mut all_runs = [runs[0]; WIDE_LANES];
            all[..states.len()].copy_from_slice(states);
            all_runs[..runs.len()].copy_from_slice(runs);
            F::wide(wide, &mut all, &all_runs);
            states.copy_from_slice(&all[..states.len()]);
            return states.len();
        }
        let Some(sha) = self.sha else {
            F::one(&mut states[0], runs[0]);
            return 1;
        };
        if let Some((states, runs)) = states.first_chunk_mut::<4>().zip(runs.first_chunk()) {
            F::sha(sha, states, runs);
            4
        } else if let Some((states, runs)) = states.first_chunk_mut::<3>().zip(runs.first_chunk()) {
            F::sha(sha, states, runs);
            3
        } else if let Some((states, runs)) = states.first_chunk_mut::<2>().zip(runs.first_chunk()) {
            F::sha(sha, states, runs);
            2
        } else {
            F::one(&mut states[0], runs[0]);
            1
        }
    }

    /// Takes the first runs into the first states, as many as run together; how many those are.
    #[cfg(not(target_arch = "x86_64"))]
    fn compress_some<F: Function>(self, states: &mut [F::State], runs: &[&[Block]]) -> usize {
        F::one(&mut states[0], runs[0]);
        1
    }
}

/// Messages whose SHA-1 is computed together, as their bytes come.
#[derive(Debug)]
pub struct Sha1Lanes {
    kernel: Kernel,
    states: Vec<[u32; 5]>,
    /// How many bytes each lane has taken.
    bytes: Vec<u64>,
}

impl Sha1Lanes {
    /// As many messages, all empty as yet.
    pub fn new(kernel: Kernel, lanes: usize) -> Self {
        Self { kernel, states: vec![Sha1::START; lanes], bytes: vec![0; lanes] }
    }

    /// Takes the next bytes of the first lanes, as many lanes as there are `runs`: equally long, and whole blocks of
    /// [`BLOCK_BYTES`].
    pub fn update(&mut self, runs: &[&[u8]]) {
        let Some(first) = runs.first() else { return };
        let (len, states) = (first.len(), &mut self.states[..runs.len()]);
        assert!(len.is_multiple_of(BLOCK_BYTES), "runs are whole blocks");
        assert!(runs.iter().all(|run| run.len() == len), "runs are equally long");
        self.bytes.iter_mut().take(runs.len()).for_each(|bytes| *bytes += len as u64);
        for (states, runs) in states.chunks_mut(LANES_MAX).zip(runs.chunks(LANES_MAX)) {
            let mut blocks: [&[Block]; LANES_MAX] = [&[]; LANES_MAX];
            for (blocks, run) in blocks.iter_mut().zip(runs) {
                (*blocks, _) = run.as_chunks();
            }
            self.kernel.compress::<Sha1>(states, &blocks[..runs.len()]);
        }
    }

    /// The hash of each message, whose last bytes stand in `rests`, of whatever lengths.
    pub fn finish(self, rests: &[&[u8]]) -> Vec<[u8; 20]> {
        assert_eq!(rests.len(), self.states.len(), "each message comes to an end");
        self.kernel.finish::<Sha1>(&self.states, rests, &self.bytes)
    }
}

/// What is left of a message: its whole blocks, then those that its last bytes are padded to.
struct Rest<'m> {
    index: usize,
    body: &'m [Block],
    tail: [Block; 2],
    /// Which blocks of the tail are still to come.
    tail_left: std::ops::Range<usize>,
}

impl<'m> Rest<'m> {
    fn new(index: usize, rest: &'m [u8], before: u64) -> Self {
        let (body, last) = rest.as_chunks();
        let mut tail = [[0; BLOCK_BYTES]; 2];
        tail.as_flattened_mut()[..last.len()].copy_from_slice(last);
        let blocks = if last.len() + 1 + LENGTH_BYTES > BLOCK_BYTES { 2 } else { 1 };
        pad(&mut tail[..blocks], last.len(), before + rest.len() as u64);
        Self { index, body, tail, tail_left: 0..blocks }
    }

    /// The blocks that stand together: it ends where they do only if they are the tail's.
    fn run(&self) -> &[Block] {
        if self.body.is_empty() { &self.tail[self.tail_left.clone()] } else { self.body }
    }

    /// Goes on by `blocks` of its run; whether nothing is left.
    fn is_over_after(&mut self, blocks: usize) -> bool {
        if self.body.is_empty() {
            self.tail_left.start += blocks;
        } else {
            self.body = &self.body[blocks..];
        }
        self.tail_left.is_empty()
    }
}

/// The length of a message in bits, as it ends the padding.
const LENGTH_BYTES: usize = 8;

/// Ends a message of `bytes` bytes, of which the last `filled` stand in `tail` (FIPS 180-4, 5.1.1).
fn pad(tail: &mut [Block], filled: usize, bytes: u64) {
    let tail = tail.as_flattened_mut();
    tail[filled] = 0x80;
    let length = tail.last_chunk_mut::<LENGTH_BYTES>().expect("a tail is one block or two");
    *length = (bytes * 8).to_be_bytes();
}

/// A hash function of the family: blocks of 64 bytes into a state of words.
trait Function {
    type State: Copy;
    type Hash: Clone + Default;
    const START: Self::State;

    fn one(state: &mut Self::State, run: &[Block]);
    #[cfg(target_arch = "x86_64")]
    fn sha<const N: usize>(sha: x86::Sha, states: &mut [Self::State; N], runs: &[&[Block]; N]);
    #[cfg(target_arch = "x86_64")]
    fn wide(wide: x86::Wide, states: &mut [Self::State; WIDE_LANES], runs: &[&[Block]; WIDE_LANES]);
    fn hash(state: &Self::State) -> Self::Hash;
}

struct Sha1;

impl Function for Sha1 {
    type State = [u32; 5];
    type Hash = [u8; 20];
    const START: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

    fn one(state: &mut [u32; 5], run: &[Block]) {
        sha1_compress(state, run);
    }
    #[cfg(target_arch = "x86_64")]
    fn sha<const N: usize>(sha: x86::Sha, states: &mut [[u32; 5]; N], runs: &[&[Block]; N]) {
        sha.sha1(states, runs);
    }
    #[cfg(target_arch = "x86_64")]
    fn wide(wide: x86::Wide, states: &mut [[u32; 5]; WIDE_LANES], runs: &[&[Block]; WIDE_LANES]) {
        wide.sha1(states, runs);
    }
    fn hash(state: &[u32; 5]) -> [u8; 20] {
        let mut hash = [0; 20];
        hash.as_chunks_mut().0.iter_mut().zip(state).for_each(|(bytes, word)| *bytes = word.to_be_bytes());
        hash
    }
}

struct Sha256;

impl Function for Sha256 {
    type State = [u32; 8];
    type Hash = [u8; 32];
    const START: [u32; 8] =
        [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

    fn one(state: &mut [u32; 8], run: &[Block]) {
        sha256_compress(state, run);
    }
    #[cfg(target_arch = "x86_64")]
    fn sha<const N: usize>(sha: x86::Sha, states: &mut [[u32; 8]; N], runs: &[&[Block]; N]) {
        sha.sha256(states, runs);
    }
    #[cfg(target_arch = "x86_64")]
    fn wide(wide: x86::Wide, states: &mut [[u32; 8]; WIDE_LANES], runs: &[&[Block]; WIDE_LANES]) {
        wide.sha256(states, runs);
    }
    fn hash(state: &[u32; 8]) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.as_chunks_mut().0.iter_mut().zip(state).for_each(|(bytes, word)| *bytes = word.to_be_bytes());
        hash
    }
}

/// The constants of the 64 rounds of SHA-256 (FIPS 180-4, 4.2.2).
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
static SHA256_K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

#[cfg(test)]
mod tests;
