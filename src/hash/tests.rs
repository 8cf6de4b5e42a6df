//! Hashing against the plain way of doing it, over sizes around every border.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use sha1::{Digest, Sha1};
use sha2::Sha384;
use tempfile::TempDir;

use super::*;
use crate::units::PieceLength;

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
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next).take(len.div_ceil(8)).flatten().collect();
    bytes.truncate(len);
    bytes
}

fn plain(contents: &[Vec<u8>], piece_length: PieceLength) -> Digests {
    Digests {
        pieces: contents
            .concat()
            .chunks(piece_length.bytes() as usize)
            .map(|piece| Sha1::digest(piece).into())
            .collect(),
        sha384: contents.iter().map(|bytes| Sha384::digest(bytes).into()).collect(),
    }
}

fn check(sizes: &[usize], piece_length: u64, threads: usize) {
    let folder = Folder::new();
    let contents: Vec<_> = sizes.iter().enumerate().map(|(i, &size)| noise(i as u64 + 1, size)).collect();
    let sources: Vec<_> = contents.iter().enumerate().map(|(i, bytes)| folder.file(&format!("f{i}"), bytes)).collect();
    let piece_length = PieceLength::new(piece_length).expect("a power of two");
    let threads = NonZeroUsize::new(threads);
    let digests = hash(&sources, piece_length, Wanted::PiecesAndSha384, threads, &()).expect("hashed");
    assert_eq!(digests, plain(&contents, piece_length), "{sizes:?} in pieces of {piece_length}");
}

#[test]
fn sizes_around_every_border_hash_as_the_plain_way_does() {
    const K16: usize = 16 * 1024;
    const M: usize = 1 << 20;
    for size in [0, 1, K16 - 1, K16, K16 + 1, M - 1, M, M + 1, 3 * M + 5] {
        check(&[size], 16 * 1024, 2);
    }
    check(&[5 * M + 1], 2 << 20, 3);
    check(&[0, 1, 0, M, 3, 0], 32 * 1024, 2);
    check(&[M / 2, 2 * M, 1], 1 << 20, 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_files_hash_as_the_plain_way_does(
        sizes in proptest::collection::vec(0_usize..200_000, 1..8),
        power in 14_u32..19,
        threads in 1_usize..5,
    ) {
        check(&sizes, 1 << power, threads);
    }
}

#[test]
fn a_second_time_nothing_is_hashed_until_a_file_changes() {
    let folder = Folder::new();
    let piece_length = PieceLength::new(16384).expect("a power of two");
    let digests = |cache: &mut Cache, source: &Source| {
        cache.digests(std::slice::from_ref(source), piece_length, Wanted::PiecesAndSha384, &()).expect("hashed")
    };
    let source = folder.file("a", &noise(1, 40_000));
    let mut cache = Cache::load(folder.path("hashes"));
    let first = digests(&mut cache, &source);
    cache.save().expect("saved");

    let mut cache = Cache::load(folder.path("hashes"));
    assert_eq!(digests(&mut cache, &source), first);
    assert_eq!((cache.files_hashed(), cache.bytes_hashed()), (0, 0));

    std::fs::remove_file(folder.path("a")).expect("removed");
    folder.file("b", b"takes the inode");
    let source = folder.file("a", &noise(2, 40_000));
    assert_ne!(digests(&mut cache, &source), first);
    assert_eq!((cache.files_hashed(), cache.bytes_hashed()), (1, 40_000));
}

#[test]
fn pieces_alone_are_known_without_the_sha384_and_not_the_other_way_round() {
    let folder = Folder::new();
    let source = folder.file("a", &noise(1, 40_000));
    let piece_length = PieceLength::new(16384).expect("a power of two");
    let mut hashed = Vec::new();
    for wanted in [Wanted::Pieces, Wanted::Pieces, Wanted::PiecesAndSha384, Wanted::Pieces] {
        let mut cache = Cache::load(folder.path("hashes"));
        let digests = cache.digests(std::slice::from_ref(&source), piece_length, wanted, &()).expect("hashed");
        assert!(wanted == Wanted::Pieces || digests.sha384.len() == 1);
        hashed.push(cache.files_hashed());
        cache.save().expect("saved");
    }
    assert_eq!(hashed, [1, 0, 1, 0]);
}

#[test]
fn a_damaged_cache_is_an_empty_one() {
    let folder = Folder::new();
    let source = folder.file("a", &noise(1, 1000));
    let mut cache = Cache::load(folder.path("hashes"));
    let piece_length = PieceLength::new(16384).expect("a power of two");
    cache.digests(std::slice::from_ref(&source), piece_length, Wanted::PiecesAndSha384, &()).expect("hashed");
    cache.save().expect("saved");
    let saved = std::fs::read(folder.path("hashes")).expect("saved");
    for damaged in [&saved[..saved.len() - 1], b"", b"de", b"d7:entriesle7:versioni99ee"] {
        std::fs::write(folder.path("hashes"), damaged).expect("written");
        let mut cache = Cache::load(folder.path("hashes"));
        cache.digests(std::slice::from_ref(&source), piece_length, Wanted::PiecesAndSha384, &()).expect("hashed");
        assert_eq!(cache.files_hashed(), 1);
    }
}

#[test]
fn a_file_that_changes_meanwhile_is_named() {
    struct Truncate(PathBuf);
    impl Progress for Truncate {
        fn advance(&self, _: u64) {
            std::fs::File::options().write(true).open(&self.0).and_then(|file| file.set_len(10)).expect("truncated");
        }
    }
    let folder = Folder::new();
    let source = folder.file("a", &noise(1, 5 << 20));
    let piece_length = PieceLength::new(16384).expect("a power of two");
    let truncate = Truncate(folder.path("a"));
    let problem =
        hash(std::slice::from_ref(&source), piece_length, Wanted::Pieces, None, &truncate).expect_err("it changed");
    assert_eq!(problem.message(), "changed while it was hashed");
    let problem = hash(&[source], piece_length, Wanted::Pieces, None, &()).expect_err("it has changed since");
    assert!(problem.to_string().contains(&folder.path("a").display().to_string()), "{problem}");
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
    struct Count(AtomicU64, AtomicU64);
    impl Progress for Count {
        fn expect(&self, bytes: u64) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
        fn advance(&self, bytes: u64) {
            self.1.fetch_add(bytes, Ordering::Relaxed);
        }
    }
    let folder = Folder::new();
    let sources = [folder.file("a", &noise(1, 3_000_000)), folder.file("b", &noise(2, 17))];
    let count = Count::default();
    let piece_length = PieceLength::new(65536).expect("a power of two");
    Cache::none().digests(&sources, piece_length, Wanted::PiecesAndSha384, &count).expect("hashed");
    assert_eq!((count.0.into_inner(), count.1.into_inner()), (3_000_017, 3_000_017));
}

#[test]
fn a_hard_link_that_was_made_to_a_file_is_no_change_of_it() {
    let folder = Folder::new();
    let piece_length = PieceLength::new(16384).expect("a power of two");
    let of = |path: &std::path::Path| Fingerprint::of(&std::fs::metadata(path).expect("the file"));
    let path = folder.path("a");
    let mut cache = Cache::load(folder.path("cache"));
    cache.digests(&[folder.file("a", b"medium")], piece_length, Wanted::PiecesAndSha384, &()).expect("hashed");
    let before = of(&path);
    std::fs::hard_link(&path, folder.path("b")).expect("linked");
    cache.relinked(&[(path.clone(), [before, of(&path)])].into());
    cache.save().expect("saved");

    let mut cache = Cache::load(folder.path("cache"));
    cache.digests(&[Source::open(&path).expect("opened")], piece_length, Wanted::PiecesAndSha384, &()).expect("known");
    assert_eq!(cache.files_hashed(), 0);
    // Another file's fingerprint changes nothing.
    let other = Fingerprint { bytes: 1, ..before };
    cache.relinked(&[(path.clone(), [other, before])].into());
    cache.digests(&[Source::open(&path).expect("opened")], piece_length, Wanted::PiecesAndSha384, &()).expect("known");
    assert_eq!(cache.files_hashed(), 0);
}
