//! The rounds of SHA-1 and SHA-256 in the instructions of x86-64: two to four messages interleaved in the SHA
//! extensions, or sixteen in AVX-512, a word of each in one register.
//!
//! It knows blocks and states, and nothing of messages and their ends. What is unsafe here is to read and write vectors
//! through pointers, and to call what the processor may not have: a [`Sha`] or a [`Wide`] is the proof that it has it.
#![expect(
    unsafe_code,
    reason = "vectors are read through pointers, and instructions that a processor may lack are called"
)]
// The words of a state have the letters of FIPS 180-4, and a step names the words it takes by number.
#![expect(clippy::many_single_char_names, clippy::needless_range_loop, reason = "letters and numbers of FIPS 180-4")]
#![expect(clippy::unused_self, reason = "a proof is asked for, and not looked at")]

use std::arch::is_x86_feature_detected;
use std::arch::x86_64::{
    __m128i, __m512i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_loadu_si128, _mm_set_epi32,
    _mm_set_epi64x, _mm_setzero_si128, _mm_sha1msg1_epu32, _mm_sha1msg2_epu32, _mm_sha1nexte_epu32,
    _mm_sha1rnds4_epu32, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8,
    _mm_shuffle_epi32, _mm_storeu_si128, _mm_xor_si128, _mm512_add_epi32, _mm512_loadu_si512, _mm512_rol_epi32,
    _mm512_ror_epi32, _mm512_set1_epi32, _mm512_set4_epi32, _mm512_setzero_si512, _mm512_shuffle_epi8,
    _mm512_shuffle_i32x4, _mm512_srli_epi32, _mm512_storeu_si512, _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use super::{Block, SHA256_K, WIDE_LANES};

/// The processor has the SHA extensions.
#[derive(Debug, Clone, Copy)]
pub struct Sha(());

/// The processor has AVX-512.
#[derive(Debug, Clone, Copy)]
pub struct Wide(());

impl Sha {
    /// The proof, where the processor gives it.
    pub fn detect() -> Option<Self> {
        let has =
            is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1");
        has.then_some(Self(()))
    }

    /// Takes the blocks of each run, all equally many, into its SHA-1 state.
    pub fn sha1<const N: usize>(self, states: &mut [[u32; 5]; N], runs: &[&[Block]; N]) {
        // SAFETY: `self` was made where the processor has the instructions.
        unsafe { sha1_sha(states, runs) }
    }

    /// Takes the blocks of each run, all equally many, into its SHA-256 state.
    pub fn sha256<const N: usize>(self, states: &mut [[u32; 8]; N], runs: &[&[Block]; N]) {
        // SAFETY: `self` was made where the processor has the instructions.
        unsafe { sha256_sha(states, runs) }
    }
}

impl Wide {
    /// The proof, where the processor gives it.
    pub fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        has.then_some(Self(()))
    }

    /// Takes the blocks of each run, all equally many, into its SHA-1 state.
    pub fn sha1(self, states: &mut [[u32; 5]; WIDE_LANES], runs: &[&[Block]; WIDE_LANES]) {
        // SAFETY: `self` was made where the processor has the instructions.
        unsafe { sha1_wide(states, runs) }
    }

    /// Takes the blocks of each run, all equally many, into its SHA-256 state.
    pub fn sha256(self, states: &mut [[u32; 8]; WIDE_LANES], runs: &[&[Block]; WIDE_LANES]) {
        // SAFETY: `self` was made where the processor has the instructions.
        unsafe { sha256_wide(states, runs) }
    }
}

/// Steps are written out by the compiler, so that the words of a block stay in registers.
macro_rules! steps {
    ($step:ident: $($i:literal)*) => { $($step!($i);)* };
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn sha1_sha<const N: usize>(states: &mut [[u32; 5]; N], runs: &[&[Block]; N]) {
    let swap = _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f);
    let mut abcd = [_mm_setzero_si128(); N];
    let mut e = abcd;
    for lane in 0..N {
        let [a, b, c, d, last] = states[lane].map(u32::cast_signed);
        abcd[lane] = _mm_set_epi32(a, b, c, d);
        e[lane] = _mm_set_epi32(last, 0, 0, 0);
    }
    for n in 0..runs[0].len() {
        let (abcd_before, e_before) = (abcd, e);
        let mut w = [[_mm_setzero_si128(); 4]; N];
        let mut former = abcd;
        // Four rounds of each lane: one lane's wait for their own results is another's time.
        macro_rules! step {
            ($i:literal) => {
                for lane in 0..N {
                    let w = &mut w[lane];
                    let next = if $i < 4 {
                        _mm_shuffle_epi8(load(&runs[lane][n], $i), swap)
                    } else {
                        let far = _mm_sha1msg1_epu32(w[$i % 4], w[($i + 1) % 4]);
                        _mm_sha1msg2_epu32(_mm_xor_si128(far, w[($i + 2) % 4]), w[($i + 3) % 4])
                    };
                    w[$i % 4] = next;
                    let with_e =
                        if $i == 0 { _mm_add_epi32(e[lane], next) } else { _mm_sha1nexte_epu32(former[lane], next) };
                    former[lane] = abcd[lane];
                    abcd[lane] = _mm_sha1rnds4_epu32::<{ $i / 5 }>(abcd[lane], with_e);
                }
            };
        }
        steps!(step: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
        for lane in 0..N {
            e[lane] = _mm_sha1nexte_epu32(former[lane], e_before[lane]);
            abcd[lane] = _mm_add_epi32(abcd[lane], abcd_before[lane]);
        }
    }
    for lane in 0..N {
        let [d, c, b, a] = words(abcd[lane]);
        states[lane] = [a, b, c, d, _mm_extract_epi32::<3>(e[lane]).cast_unsigned()];
    }
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn sha256_sha<const N: usize>(states: &mut [[u32; 8]; N], runs: &[&[Block]; N]) {
    let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let mut abef = [_mm_setzero_si128(); N];
    let mut cdgh = abef;
    for lane in 0..N {
        let [a, b, c, d, e, f, g, h] = states[lane].map(u32::cast_signed);
        abef[lane] = _mm_set_epi32(a, b, e, f);
        cdgh[lane] = _mm_set_epi32(c, d, g, h);
    }
    for n in 0..runs[0].len() {
        let (abef_before, cdgh_before) = (abef, cdgh);
        let mut w = [[_mm_setzero_si128(); 4]; N];
        macro_rules! step {
            ($i:literal) => {
                let k = [0, 1, 2, 3].map(|j| SHA256_K[4 * $i + j].cast_signed());
                let k = _mm_set_epi32(k[3], k[2], k[1], k[0]);
                for lane in 0..N {
                    let w = &mut w[lane];
                    let next = if $i < 4 {
                        _mm_shuffle_epi8(load(&runs[lane][n], $i % 4), swap)
                    } else {
                        let far = _mm_sha256msg1_epu32(w[$i % 4], w[($i + 1) % 4]);
                        let middle = _mm_alignr_epi8::<4>(w[($i + 3) % 4], w[($i + 2) % 4]);
                        _mm_sha256msg2_epu32(_mm_add_epi32(far, middle), w[($i + 3) % 4])
                    };
                    w[$i % 4] = next;
                    let with_k = _mm_add_epi32(next, k);
                    cdgh[lane] = _mm_sha256rnds2_epu32(cdgh[lane], abef[lane], with_k);
                    abef[lane] = _mm_sha256rnds2_epu32(abef[lane], cdgh[lane], _mm_shuffle_epi32::<0x0e>(with_k));
                }
            };
        }
        steps!(step: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        for lane in 0..N {
            abef[lane] = _mm_add_epi32(abef[lane], abef_before[lane]);
            cdgh[lane] = _mm_add_epi32(cdgh[lane], cdgh_before[lane]);
        }
    }
    for lane in 0..N {
        let ([f, e, b, a], [h, g, d, c]) = (words(abef[lane]), words(cdgh[lane]));
        states[lane] = [a, b, c, d, e, f, g, h];
    }
}

/// Which quarters of two registers a shuffle takes.
const EVEN: i32 = 0x88;
const ODD: i32 = 0xdd;

/// Three-way logic by its truth table (`vpternlog`).
const XOR: i32 = 0x96;
const CHOOSE: i32 = 0xca;
const MAJORITY: i32 = 0xe8;

#[target_feature(enable = "avx512f,avx512bw")]
fn sha1_wide(states: &mut [[u32; 5]; WIDE_LANES], runs: &[&[Block]; WIDE_LANES]) {
    let mut state = gathered(states);
    for n in 0..runs[0].len() {
        let mut w = transposed(runs, n);
        let [mut a, mut b, mut c, mut d, mut e] = state;
        macro_rules! rounds {
            ($logic:ident, $k:literal: $($i:literal)*) => {
                let k = _mm512_set1_epi32(u32::cast_signed($k));
                macro_rules! round {
                    ($round:literal) => {
                        if $round >= 16 {
                            let (far, near) = (w[($round + 2) % 16], w[($round + 13) % 16]);
                            let mixed = _mm512_ternarylogic_epi32::<XOR>(near, w[($round + 8) % 16], far);
                            w[$round % 16] = _mm512_rol_epi32::<1>(_mm512_xor_si512(mixed, w[$round % 16]));
                        }
                        let logic = _mm512_ternarylogic_epi32::<$logic>(b, c, d);
                        let early = _mm512_add_epi32(e, _mm512_add_epi32(w[$round % 16], k));
                        e = d;
                        d = c;
                        c = _mm512_rol_epi32::<30>(b);
                        b = a;
                        a = _mm512_add_epi32(_mm512_rol_epi32::<5>(a), _mm512_add_epi32(early, logic));
                    };
                }
                steps!(round: $($i)*);
            };
        }
        rounds!(CHOOSE, 0x5a82_7999: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
        rounds!(XOR, 0x6ed9_eba1: 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39);
        rounds!(MAJORITY, 0x8f1b_bcdc: 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59);
        rounds!(XOR, 0xca62_c1d6: 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79);
        let mixed = [a, b, c, d, e];
        for i in 0..5 {
            state[i] = _mm512_add_epi32(state[i], mixed[i]);
        }
    }
    scatter(&state, states);
}

#[target_feature(enable = "avx512f,avx512bw")]
fn sha256_wide(states: &mut [[u32; 8]; WIDE_LANES], runs: &[&[Block]; WIDE_LANES]) {
    let mut state = gathered(states);
    for n in 0..runs[0].len() {
        let mut w = transposed(runs, n);
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        macro_rules! xor3 {
            ($x:expr, $y:expr, $z:expr) => {
                _mm512_ternarylogic_epi32::<XOR>($x, $y, $z)
            };
        }
        macro_rules! round {
            ($i:literal) => {
                if $i >= 16 {
                    let (x, y) = (w[($i + 1) % 16], w[($i + 14) % 16]);
                    let s0 = xor3!(_mm512_ror_epi32::<7>(x), _mm512_ror_epi32::<18>(x), _mm512_srli_epi32::<3>(x));
                    let s1 = xor3!(_mm512_ror_epi32::<17>(y), _mm512_ror_epi32::<19>(y), _mm512_srli_epi32::<10>(y));
                    let far = _mm512_add_epi32(w[$i % 16], w[($i + 9) % 16]);
                    w[$i % 16] = _mm512_add_epi32(far, _mm512_add_epi32(s0, s1));
                }
                let k = _mm512_set1_epi32(SHA256_K[$i].cast_signed());
                let s1 = xor3!(_mm512_ror_epi32::<6>(e), _mm512_ror_epi32::<11>(e), _mm512_ror_epi32::<25>(e));
                let early = _mm512_add_epi32(h, _mm512_add_epi32(w[$i % 16], k));
                let chosen = _mm512_ternarylogic_epi32::<CHOOSE>(e, f, g);
                let t1 = _mm512_add_epi32(_mm512_add_epi32(early, chosen), s1);
                let s0 = xor3!(_mm512_ror_epi32::<2>(a), _mm512_ror_epi32::<13>(a), _mm512_ror_epi32::<22>(a));
                let t2 = _mm512_add_epi32(s0, _mm512_ternarylogic_epi32::<MAJORITY>(a, b, c));
                h = g;
                g = f;
                f = e;
                e = _mm512_add_epi32(d, t1);
                d = c;
                c = b;
                b = a;
                a = _mm512_add_epi32(t1, t2);
            };
        }
        steps!(round: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
        steps!(round: 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
        let mixed = [a, b, c, d, e, f, g, h];
        for i in 0..8 {
            state[i] = _mm512_add_epi32(state[i], mixed[i]);
        }
    }
    scatter(&state, states);
}

/// The words of block `n` of each lane: word `i` of all lanes in register `i`.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn transposed(runs: &[&[Block]; WIDE_LANES], n: usize) -> [__m512i; 16] {
    let swap = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    let mut rows = [_mm512_setzero_si512(); 16];
    for lane in 0..WIDE_LANES {
        rows[lane] = _mm512_shuffle_epi8(load_wide(&runs[lane][n]), swap);
    }
    let mut pairs = rows;
    for i in 0..8 {
        pairs[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    // In `fours[4 * i + j]` stand the words j, j + 4, j + 8 and j + 12 of rows 4i to 4i + 3, each in one quarter.
    let mut fours = pairs;
    for i in 0..4 {
        let (low, high) = (4 * i, 4 * i + 1);
        fours[low] = _mm512_unpacklo_epi64(pairs[low], pairs[low + 2]);
        fours[low + 1] = _mm512_unpackhi_epi64(pairs[low], pairs[low + 2]);
        fours[low + 2] = _mm512_unpacklo_epi64(pairs[high], pairs[high + 2]);
        fours[low + 3] = _mm512_unpackhi_epi64(pairs[high], pairs[high + 2]);
    }
    let mut columns = fours;
    for j in 0..4 {
        let upper_even = _mm512_shuffle_i32x4::<EVEN>(fours[j], fours[4 + j]);
        let upper_odd = _mm512_shuffle_i32x4::<ODD>(fours[j], fours[4 + j]);
        let lower_even = _mm512_shuffle_i32x4::<EVEN>(fours[8 + j], fours[12 + j]);
        let lower_odd = _mm512_shuffle_i32x4::<ODD>(fours[8 + j], fours[12 + j]);
        columns[j] = _mm512_shuffle_i32x4::<EVEN>(upper_even, lower_even);
        columns[4 + j] = _mm512_shuffle_i32x4::<EVEN>(upper_odd, lower_odd);
        columns[8 + j] = _mm512_shuffle_i32x4::<ODD>(upper_even, lower_even);
        columns[12 + j] = _mm512_shuffle_i32x4::<ODD>(upper_odd, lower_odd);
    }
    columns
}

/// Word `i` of each lane's state in register `i`.
#[target_feature(enable = "avx512f")]
#[inline]
fn gathered<const WORDS: usize>(states: &[[u32; WORDS]; WIDE_LANES]) -> [__m512i; WORDS] {
    let mut state = [_mm512_setzero_si512(); WORDS];
    for i in 0..WORDS {
        let mut words = [0; WIDE_LANES];
        for lane in 0..WIDE_LANES {
            words[lane] = states[lane][i];
        }
        // SAFETY: sixteen words are read, as many as there are; `loadu` asks for no alignment.
        state[i] = unsafe { _mm512_loadu_si512(words.as_ptr().cast()) };
    }
    state
}

#[target_feature(enable = "avx512f")]
#[inline]
fn scatter<const WORDS: usize>(state: &[__m512i; WORDS], states: &mut [[u32; WORDS]; WIDE_LANES]) {
    for i in 0..WORDS {
        let mut words = [0_u32; WIDE_LANES];
        // SAFETY: sixteen words are written, as many as there is place for; `storeu` asks for no alignment.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), state[i]) };
        for lane in 0..WIDE_LANES {
            states[lane][i] = words[lane];
        }
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load_wide(block: &Block) -> __m512i {
    // SAFETY: 64 bytes are read, as many as there are; `loadu` asks for no alignment.
    unsafe { _mm512_loadu_si512(block.as_ptr().cast()) }
}

/// The bytes of the four words from word `4 * quarter` on.
#[target_feature(enable = "sse2")]
#[inline]
fn load(block: &Block, quarter: usize) -> __m128i {
    let (quarters, _) = block.as_chunks::<16>();
    // SAFETY: sixteen bytes are read, as many as there are; `loadu` asks for no alignment.
    unsafe { _mm_loadu_si128(quarters[quarter].as_ptr().cast()) }
}

#[target_feature(enable = "sse2")]
#[inline]
fn words(vector: __m128i) -> [u32; 4] {
    let mut words = [0_u32; 4];
    // SAFETY: sixteen bytes are written, as many as there is place for; `storeu` asks for no alignment.
    unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), vector) };
    words
}
