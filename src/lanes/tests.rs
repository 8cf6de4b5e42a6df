//! Every kernel that the processor has, against the `sha1` and `sha2` crates.

use proptest::prelude::*;
use sha1::Digest;

use super::*;

fn hex(hash: &[u8]) -> String {
    hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Messages of these lengths, all different.
fn messages(lens: &[usize]) -> Vec<Vec<u8>> {
    let byte = |message: usize, at: usize| (message.wrapping_mul(151) ^ at.wrapping_mul(0x9e37_79b9)).to_le_bytes()[1];
    lens.iter().enumerate().map(|(message, &len)| (0..len).map(|at| byte(message, at)).collect()).collect()
}

fn check(lens: &[usize]) {
    let messages = messages(lens);
    let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let sha1: Vec<[u8; 20]> = slices.iter().map(|message| sha1::Sha1::digest(message).into()).collect();
    let sha256: Vec<[u8; 32]> = slices.iter().map(|message| sha2::Sha256::digest(message).into()).collect();
    for kernel in Kernel::all() {
        assert_eq!(kernel.sha1_many(&slices), sha1, "SHA-1 of {lens:?} by {}", kernel.name());
        assert_eq!(kernel.sha256_many(&slices), sha256, "SHA-256 of {lens:?} by {}", kernel.name());
    }
}

#[test]
fn messages_of_all_lengths_hash_as_the_crates_do() {
    let lens: Vec<usize> = (0..=300).collect();
    check(&lens);
    // Alone, and the short ones last.
    lens.iter().for_each(|&len| check(&[len]));
    check(&lens.into_iter().rev().collect::<Vec<_>>());
}

#[test]
fn any_number_of_messages_hashes_as_the_crates_do() {
    for count in 0..=2 * LANES_MAX + 3 {
        for len in [0, 55, 56, 64, 200, 1024] {
            check(&vec![len; count]);
        }
    }
}

#[test]
fn the_test_vectors_of_the_standard() {
    for kernel in Kernel::all() {
        let abc: [&[u8]; 20] = [b"abc"; 20];
        let sha1: Vec<_> = kernel.sha1_many(&abc).iter().map(|hash| hex(hash)).collect();
        assert_eq!(sha1, ["a9993e364706816aba3e25717850c26c9cd0d89d"; 20], "{}", kernel.name());
        let sha256: Vec<_> = kernel.sha256_many(&abc).iter().map(|hash| hex(hash)).collect();
        let want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256, [want; 20], "{}", kernel.name());
    }
}

#[test]
fn pairs_hash_as_their_bytes_together_do() {
    for pairs in 0..=2 * LANES_MAX + 3 {
        let hashes: Vec<[u8; 32]> = (0..2 * pairs).map(|n| [u8::try_from(n).expect("few"); 32]).collect();
        let want: Vec<[u8; 32]> =
            hashes.chunks(2).map(|pair| sha2::Sha256::digest(pair.as_flattened()).into()).collect();
        Kernel::all().into_iter().for_each(|kernel| assert_eq!(kernel.sha256_pairs(&hashes), want));
    }
}

#[test]
fn the_best_kernel_is_the_last_of_all() {
    let all = Kernel::all();
    let best = Kernel::best();
    assert_eq!(all.last().map(|kernel| (kernel.name(), kernel.lanes())), Some((best.name(), best.lanes())));
    assert!(all.iter().all(|kernel| kernel.lanes() <= LANES_MAX));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_messages_hash_as_the_crates_do(lens in proptest::collection::vec(0_usize..3000, 0..40)) {
        check(&lens);
    }

    /// The last lanes may end early, as the last piece of a torrent does.
    #[test]
    fn lanes_that_are_fed_bit_by_bit_hash_as_the_crates_do(
        steps in proptest::collection::vec((1_usize..5, 0_usize..40), 0..6),
        rests in proptest::collection::vec(0_usize..200, 1..40),
    ) {
        let lanes = rests.len();
        for kernel in Kernel::all() {
            let mut active = lanes;
            let mut hashed = Sha1Lanes::new(kernel, lanes);
            let mut whole = vec![Vec::new(); lanes];
            for (n, &(blocks, fewer)) in steps.iter().enumerate() {
                active = active.saturating_sub(fewer).max(1);
                let runs = messages(&vec![blocks * BLOCK_BYTES + n * BLOCK_BYTES; active]);
                hashed.update(&runs.iter().map(Vec::as_slice).collect::<Vec<_>>());
                whole.iter_mut().zip(&runs).for_each(|(whole, run)| whole.extend_from_slice(run));
            }
            let rests = messages(&rests);
            whole.iter_mut().zip(&rests).for_each(|(whole, rest)| whole.extend_from_slice(rest));
            let want: Vec<[u8; 20]> = whole.iter().map(|message| sha1::Sha1::digest(message).into()).collect();
            let rests: Vec<&[u8]> = rests.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(hashed.finish(&rests), want, "{}", kernel.name());
        }
    }
}
