//! What was hashed before.

use std::path::Path;

use super::*;

struct Desk {
    folder: Folder,
    cache: Cache,
}

impl Desk {
    fn new() -> Self {
        let folder = Folder::new();
        let cache = Cache::load(folder.path("hashes"));
        Self { folder, cache }
    }

    /// The cache as another run finds it.
    fn reload(&mut self) {
        self.cache.save().expect("saved");
        self.cache = Cache::load(self.folder.path("hashes"));
    }

    fn digests(&mut self, sources: &mut [Source], wanted: Wanted) -> Digests {
        self.cache.digests(sources, piece_length(K16), wanted, &()).expect("hashed")
    }

    fn hashed(&self) -> (usize, u64) {
        (self.cache.files_hashed(), self.cache.bytes_hashed())
    }
}

#[test]
fn a_second_time_nothing_is_hashed_until_a_file_changes() {
    let mut desk = Desk::new();
    let mut sources = [desk.folder.file("a", &noise(1, 40_000))];
    let first = desk.digests(&mut sources, with_sha384(V1));
    desk.reload();
    assert_eq!(desk.digests(&mut sources, with_sha384(V1)), first);
    assert_eq!(desk.hashed(), (0, 0));

    std::fs::remove_file(desk.folder.path("a")).expect("removed");
    desk.folder.file("b", b"takes the inode");
    let mut sources = [desk.folder.file("a", &noise(2, 40_000))];
    assert_ne!(desk.digests(&mut sources, with_sha384(V1)), first);
    assert_eq!(desk.hashed(), (1, 40_000));
}

#[test]
fn what_was_not_wanted_before_is_hashed_and_what_was_is_kept() {
    let mut desk = Desk::new();
    let mut sources = [desk.folder.file("a", &noise(1, 40_000)), desk.folder.file("b", &[])];
    let mut hashed = Vec::new();
    for wanted in [V1, V1, with_sha384(V1), V1, V2, with_sha384(V1), V2, with_sha384(V2)] {
        let digests = desk.digests(&mut sources, wanted);
        let whole = plain(&[noise(1, 40_000), vec![]], &[0, 0], K16, wanted);
        assert!(!wanted.v1 || digests.pieces == whole.pieces);
        assert!(!wanted.v2 || digests.trees == whole.trees);
        assert!(!wanted.sha384 || digests.sha384 == whole.sha384);
        hashed.push(desk.hashed().0);
        desk.reload();
    }
    assert_eq!(hashed, [2, 0, 2, 0, 2, 0, 0, 0]);
}

#[test]
fn files_with_zeros_between_them_are_another_torrent() {
    let mut desk = Desk::new();
    let bytes = [noise(1, 40_000), noise(2, 40_000)];
    let mut plain_sources = [desk.folder.file("a", &bytes[0]), desk.folder.file("b", &bytes[1])];
    let again = |name| Source::open(desk.folder.path(name)).expect("the file").padded(piece_length(K16));
    let mut padded = [again("a"), again("b")];
    let pads = [49_152 - 40_000; 2];
    for _ in 0..2 {
        assert_eq!(desk.digests(&mut plain_sources, V1).pieces, plain(&bytes, &[0, 0], K16, V1).pieces);
        assert_eq!(desk.digests(&mut padded, HYBRID), plain(&bytes, &pads, K16, HYBRID));
        desk.reload();
    }
}

#[test]
fn a_damaged_cache_is_an_empty_one() {
    let mut desk = Desk::new();
    let mut sources = [desk.folder.file("a", &noise(1, 40_000))];
    desk.digests(&mut sources, with_sha384(HYBRID));
    desk.reload();
    let path = desk.folder.path("hashes");
    let saved = std::fs::read(&path).expect("saved");
    for damaged in [&saved[..saved.len() - 1], b"", b"de", b"d7:entriesle7:versioni99ee"] {
        std::fs::write(&path, damaged).expect("written");
        desk.cache = Cache::load(&path);
        desk.digests(&mut sources, with_sha384(HYBRID));
        assert_eq!(desk.hashed().0, 1);
    }
    // Its hashes are fewer than the file has.
    let trees = saved.windows(7).rposition(|window| window == b"5:trees").expect("a key") + 7;
    let version = saved.windows(9).rposition(|window| window == b"7:version").expect("a key");
    std::fs::write(&path, [&saved[..trees], b"leee", &saved[version..]].concat()).expect("written");
    desk.cache = Cache::load(&path);
    desk.digests(&mut sources, with_sha384(HYBRID));
    assert_eq!(desk.hashed().0, 1);
}

#[test]
fn a_hard_link_that_was_made_to_a_file_is_no_change_of_it() {
    let mut desk = Desk::new();
    let of = |path: &Path| Fingerprint::of(&std::fs::metadata(path).expect("the file"));
    let path = desk.folder.path("a");
    desk.digests(&mut [desk.folder.file("a", b"medium")], V1);
    let before = of(&path);
    std::fs::hard_link(&path, desk.folder.path("b")).expect("linked");
    desk.cache.relinked(&[(path.clone(), [before, of(&path)])].into());
    desk.reload();

    let mut sources = [Source::open(&path).expect("opened")];
    desk.digests(&mut sources, V1);
    assert_eq!(desk.hashed().0, 0);
    // Another file's fingerprint changes nothing.
    let other = Fingerprint { bytes: 1, ..before };
    desk.cache.relinked(&[(path, [other, before])].into());
    desk.digests(&mut sources, V1);
    assert_eq!(desk.hashed().0, 0);
}
