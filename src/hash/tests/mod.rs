//! Hashing against the plain way of doing it, over sizes around every border, by both ways.

mod stream;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha384};
use tempfile::TempDir;

use super::*;

const K16: usize = 16 * 1024;
const M: usize = 1 << 20;
const V1: Wanted = Wanted { v1: true, v2: false, sha384: false };
const V2: Wanted = Wanted { v1: false, v2: true, sha384: false };
const HYBRID: Wanted = Wanted { v1: true, v2: true, sha384: false };

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> Source {
        std::fs::write(self.path(name), bytes).expect("written");
        Source::open(self.path(name)).expect("a readable file")
    }
}

/// Bytes that differ from each other and from every other seed's.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = vec![0; len.next_multiple_of(8)];
    for word in bytes.as_chunks_mut().0 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *word = state.to_le_bytes();
    }
    bytes.truncate(len);
    bytes
}

fn piece_length(bytes: usize) -> PieceLength {
    PieceLength::foreign(i64::try_from(bytes).expect("small")).expect("a piece length")
}

fn with_sha384(wanted: Wanted) -> Wanted {
    Wanted { sha384: true, ..wanted }
}

/// The tree of BEP 52 by its definition: all leaves of a power of two of pieces.
fn plain_tree(bytes: &[u8], piece: usize) -> Option<Tree> {
    let level = |nodes: &[[u8; 32]]| -> Vec<[u8; 32]> {
        nodes.chunks(2).map(|pair| Sha256::digest(pair.as_flattened()).into()).collect()
    };
    let mut nodes: Vec<[u8; 32]> = bytes.chunks(K16).map(|leaf| Sha256::digest(leaf).into()).collect();
    let pieces = bytes.len().div_ceil(piece);
    let width = if pieces > 1 { pieces.next_power_of_two() * piece / K16 } else { nodes.len().next_power_of_two() };
    nodes.resize(width, [0; 32]);
    let mut layer = Vec::new();
    loop {
        if pieces > 1 && nodes.len() == pieces.next_power_of_two() {
            layer = nodes[..pieces].to_vec();
        }
        match nodes[..] {
            [root] => return (!bytes.is_empty()).then_some(Tree { root, layer }),
            _ => nodes = level(&nodes),
        }
    }
}

/// `zeros` behind each content.
fn plain(contents: &[Vec<u8>], pads: &[usize], piece: usize, wanted: Wanted) -> Digests {
    let padded = |(bytes, pad): (&Vec<u8>, &usize)| [bytes.clone(), vec![0; *pad]].concat();
    let stream = contents.iter().zip(pads).map(padded).collect::<Vec<_>>().concat();
    let pieces = stream.chunks(piece).map(|piece| Sha1::digest(piece).into());
    let trees = contents.iter().map(|bytes| plain_tree(bytes, piece));
    let sha384 = contents.iter().map(|bytes| Sha384::digest(bytes).into());
    Digests {
        pieces: if wanted.v1 { pieces.collect() } else { Vec::new() },
        trees: if wanted.v2 { trees.collect() } else { Vec::new() },
        sha384: if wanted.sha384 { sha384.collect() } else { Vec::new() },
    }
}

/// Hashes files of these sizes by both ways.
fn check(sizes: &[usize], piece: usize, threads: usize, wanted: Wanted) {
    let folder = Folder::new();
    let contents: Vec<_> = sizes.iter().enumerate().map(|(i, &size)| noise(i as u64 + 1, size)).collect();
    let is_padded = wanted.v1 && wanted.v2 && sizes.len() > 1;
    let open = |(i, bytes): (usize, &Vec<u8>)| {
        let source = folder.file(&format!("f{i}"), bytes);
        if is_padded { source.padded(piece_length(piece)) } else { source }
    };
    let mut sources: Vec<_> = contents.iter().enumerate().map(open).collect();
    let pad = |size: &usize| if is_padded { size.next_multiple_of(piece) - size } else { 0 };
    let pads: Vec<_> = sizes.iter().map(pad).collect();
    for wanted in [wanted, with_sha384(wanted)] {
        let mut order = Order::new(&mut sources, piece_length(piece), wanted, &());
        order.threads = NonZeroUsize::new(threads);
        let digests = hash(order).expect("hashed");
        let want = plain(&contents, &pads, piece, wanted);
        assert!(digests == want, "{sizes:?} in pieces of {piece} on {threads} threads: {wanted:?}");
    }
}

#[test]
fn sizes_around_every_border_hash_as_the_plain_way_does() {
    for wanted in [V1, V2, HYBRID] {
        for size in [0, 1, K16 - 1, K16, K16 + 1, 2 * K16 - 1, 2 * K16, 2 * K16 + 1, 5 * K16 + 1] {
            check(&[size], K16, 2, wanted);
            check(&[size], 2 * K16, 2, wanted);
            check(&[size, 3, size], 2 * K16, 3, wanted);
        }
        check(&[3 * M + 5], 128 * 1024, 2, wanted);
        check(&[3 * M + 1], M, 3, wanted);
        check(&[0, 1, 0, M, 3, 0], 2 * K16, 2, wanted);
        check(&[M / 2, 2 * M, 1], M, 1, wanted);
    }
    // Pieces that are larger than a buffer.
    check(&[8 * M + 1, 4], 8 * M, 2, HYBRID);
    check(&[16 * M + 1], 16 * M, 2, V1);
}

#[test]
fn foreign_piece_lengths_need_not_be_powers_of_two() {
    for piece in [1000, 16_000, 100_000, 1_000_001] {
        check(&[3 * piece + 7, 1, 0, piece], piece, 2, V1);
    }
    check(&[70], 1, 2, V1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_files_hash_as_the_plain_way_does(
        sizes in proptest::collection::vec(0_usize..150_000, 1..6),
        power in 14_u32..19,
        threads in 1_usize..5,
    ) {
        for wanted in [V1, V2, HYBRID] {
            check(&sizes, 1 << power, threads, wanted);
        }
    }
}

#[test]
fn zeros_are_in_the_v1_pieces_and_nowhere_else() {
    let folder = Folder::new();
    let contents = [noise(1, 40_000), noise(2, 5)];
    let pad = 65_536 - 40_000;
    for wanted in [HYBRID, with_sha384(HYBRID)] {
        let mut sources = [folder.file("a", &contents[0]), Source::zeros(pad), folder.file("b", &contents[1])];
        let digests = hash(Order::new(&mut sources, piece_length(65_536), wanted, &())).expect("hashed");
        let want = plain(&contents, &[65_536 - 40_000, 0], 65_536, HYBRID);
        assert_eq!(digests.pieces, want.pieces);
        assert_eq!(digests.trees, [want.trees[0].clone(), None, want.trees[1].clone()]);
        if wanted.sha384 {
            let nothing: [u8; 48] = Sha384::digest(b"").into();
            assert_eq!(digests.sha384[1], nothing);
            assert_eq!(digests.sha384[2], <[u8; 48]>::from(Sha384::digest(&contents[1])));
        }
    }
}

#[test]
#[should_panic(expected = "each file of a hybrid torrent begins with a piece")]
fn a_hybrid_torrent_without_padding_is_none() {
    let folder = Folder::new();
    let mut sources = [folder.file("a", b"one"), folder.file("b", b"two")];
    let _ = hash(Order::new(&mut sources, piece_length(K16), HYBRID, &()));
}

#[test]
fn a_file_that_changes_meanwhile_is_named() {
    struct Change<F>(F);
    impl<F: Fn() + Sync> Progress for Change<F> {
        fn advance(&self, _: u64) {
            self.0();
        }
    }
    for wanted in [V1, V2, with_sha384(V1)] {
        let folder = Folder::new();
        let path = folder.path("a");
        let writable = || std::fs::File::options().write(true).open(&path).expect("a file");
        let mut sources = [folder.file("a", &noise(1, 5 * M)), folder.file("b", &noise(2, 9 * M))];
        let truncate = Change(|| writable().set_len(10).expect("truncated"));
        let problem = hash(Order::new(&mut sources, piece_length(K16), wanted, &truncate)).expect_err("it changed");
        assert_eq!(problem.message(), "changed while it was hashed");
        let problem = hash(Order::new(&mut sources, piece_length(K16), wanted, &())).expect_err("it has changed since");
        assert!(problem.to_string().contains(&path.display().to_string()), "{problem}");

        sources[0] = folder.file("a", &noise(1, 5 * M));
        let grow = Change(|| writable().set_len(20_000_000).expect("grown"));
        let problem = hash(Order::new(&mut sources, piece_length(K16), wanted, &grow)).expect_err("it grew");
        assert!(problem.to_string().contains(&path.display().to_string()), "{problem}");
    }
}

#[test]
fn what_is_no_regular_file_is_refused_by_name() {
    let folder = Folder::new();
    let problem = Source::open(folder.path("")).expect_err("a folder");
    assert_eq!(problem.message(), "is a folder, not a file");
    let problem = Source::open(folder.path("missing")).expect_err("nothing");
    assert!(problem.message().starts_with("can't be read: No such file"), "{problem}");
}

#[test]
fn progress_adds_up_to_the_bytes_read() {
    #[derive(Default)]
    struct Count(AtomicU64);
    impl Progress for Count {
        fn advance(&self, bytes: u64) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }
    let folder = Folder::new();
    let piece_length = piece_length(65536);
    for wanted in [V1, HYBRID, with_sha384(V1), with_sha384(HYBRID)] {
        let open = |name, bytes: &[u8]| folder.file(name, bytes).padded(piece_length);
        let mut sources = [open("a", &noise(1, 3_000_000)), open("b", &noise(2, 17))];
        let count = Count::default();
        hash(Order::new(&mut sources, piece_length, wanted, &count)).expect("hashed");
        assert_eq!(count.0.into_inner(), 3_000_017, "{wanted:?}");
    }
}

#[test]
fn more_files_than_may_be_open_at_once_are_hashed() {
    let folder = Folder::new();
    let content = noise(1, 1200 * 33);
    let files = content.chunks(33).enumerate();
    let mut sources: Vec<_> = files.map(|(n, bytes)| folder.file(&n.to_string(), bytes)).collect();
    let mut order = Order::new(&mut sources, piece_length(K16), V1, &());
    order.threads = NonZeroUsize::new(2);
    let digests = hash(order).expect("hashed");
    let want: Vec<PieceHash> = content.chunks(K16).map(|piece| Sha1::digest(piece).into()).collect();
    assert_eq!(digests.pieces, want);
}
