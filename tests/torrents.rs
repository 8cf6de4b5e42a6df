//! `everseed torrent`, as it is typed: torrents of all kinds made, shown, linked and verified, and what makes none.

use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use everseed::metainfo::{self, Kind};
use expect_test::{Expect, expect};

mod house;
use house::{House, KIB, noise};

/// Runs `everseed torrent` with words that spaces separate, and compares all that it said.
#[track_caller]
fn told(house: &House, words: &str, expected: &Expect) {
    expected.assert_eq(&run(house, words));
}

fn run(house: &House, words: &str) -> String {
    let args: Vec<_> = ["torrent"].into_iter().chain(words.split(' ')).collect();
    house.run(&args).whole()
}

/// A folder `set` with two files and what lies between them.
fn set() -> House {
    House::new()
        .write("set/b/a.bin", &noise(1, 50 * KIB))
        .write("set/b.txt", &noise(2, 40 * KIB))
        .write("set/empty", b"")
        .write("set/.hidden", b"x")
        .write("set/.git/config", b"x")
}

#[test]
fn a_hybrid_torrent_is_made_and_shown() {
    let house = set();
    told(
        &house,
        "create set --hybrid --piece-length 32K --source here --comment words",
        &expect![[r#"
        [stdout]
        set.torrent: 92.2 kB in 4 pieces of 32 KiB, info-hash 59c8acab3b3e931525f557eaad5be563e941c146, v2 8fe8e3c3e1679f1d55278dbf7271e0537e5df39138d30316e4501c847a235c54
        [exit 0]
    "#]],
    );
    told(
        &house,
        "show set.torrent",
        &expect![[r#"
        [stdout]
        name       set
        kind       hybrid (v1 and v2)
        info-hash  59c8acab3b3e931525f557eaad5be563e941c146
        v2         8fe8e3c3e1679f1d55278dbf7271e0537e5df39138d30316e4501c847a235c54
        v2 short   8fe8e3c3e1679f1d55278dbf7271e0537e5df391
        size       92.2 kB (92160 bytes)
        pieces     4 of 32 KiB
        padding    2 pads (38912 bytes)
        private    no
        source     here
        created by everseed 0.1.0
        comment    words
        file       set/b/a.bin (51200 bytes)
        file       set/b.txt (40960 bytes)
        file       set/empty (0 bytes)
        magnet     magnet:?xt=urn:btih:59c8acab3b3e931525f557eaad5be563e941c146&dn=set&xl=92160
        [exit 0]
    "#]],
    );
    told(
        &house,
        "show set.torrent --json",
        &expect![[r#"
        [stdout]
        {
          "name": "set",
          "kind": "hybrid",
          "info_hash": "59c8acab3b3e931525f557eaad5be563e941c146",
          "info_hash_v2": "8fe8e3c3e1679f1d55278dbf7271e0537e5df39138d30316e4501c847a235c54",
          "info_hash_v2_truncated": "8fe8e3c3e1679f1d55278dbf7271e0537e5df391",
          "bytes": 92160,
          "piece_length": 32768,
          "pieces": 4,
          "pads": 2,
          "pad_bytes": 38912,
          "private": false,
          "source": "here",
          "trackers": [],
          "web_seeds": [],
          "creation_date": null,
          "created_by": "everseed 0.1.0",
          "comment": "words",
          "files": [
            {
              "path": "set/b/a.bin",
              "bytes": 51200
            },
            {
              "path": "set/b.txt",
              "bytes": 40960
            },
            {
              "path": "set/empty",
              "bytes": 0
            }
          ],
          "magnet": "magnet:?xt=urn:btih:59c8acab3b3e931525f557eaad5be563e941c146&dn=set&xl=92160"
        }
        [exit 0]
    "#]],
    );
}

#[test]
fn a_hybrid_torrent_is_linked_and_verified_by_both_versions() {
    let house = set();
    house.run(&["torrent", "create", "set", "--hybrid", "--piece-length", "32K"]).ok();
    told(
        &house,
        "magnet set.torrent",
        &expect![[r#"
            [stdout]
            magnet:?xt=urn:btih:a1c58dd34e8ed56daf09f7bdcb761ec47c0b939a&dn=set&xl=92160
            [exit 0]
        "#]],
    );
    told(
        &house,
        "magnet set.torrent --v2",
        &expect![[r#"
            [stdout]
            magnet:?xt=urn:btih:a1c58dd34e8ed56daf09f7bdcb761ec47c0b939a&xt=urn:btmh:12204e52c65ef8f1fe58a1054fb967dc399626e2254d0fa84191cdf39a5bfd281047&dn=set&xl=92160
            [exit 0]
        "#]],
    );
    told(
        &house,
        "verify set.torrent set",
        &expect![[r#"
        [stdout]
        set: 4 pieces, all as the torrent says
        [exit 0]
    "#]],
    );
}

#[test]
fn a_v2_torrent_is_made_shown_linked_and_verified() {
    let house = set();
    told(
        &house,
        "create set/b.txt --v2 -o one.torrent",
        &expect![[r#"
        [stdout]
        one.torrent: 41.0 kB in 3 pieces of 16 KiB, info-hash v2 a2b07dab82dd981e55d88921667da5dcb2a2bbf7fb785bc025031a6eec08941a
        [exit 0]
    "#]],
    );
    told(
        &house,
        "show one.torrent",
        &expect![[r#"
        [stdout]
        name       b.txt
        kind       v2
        v2         a2b07dab82dd981e55d88921667da5dcb2a2bbf7fb785bc025031a6eec08941a
        v2 short   a2b07dab82dd981e55d88921667da5dcb2a2bbf7
        size       41.0 kB (40960 bytes)
        pieces     3 of 16 KiB
        private    no
        created by everseed 0.1.0
        file       b.txt (40960 bytes)
        magnet     magnet:?xt=urn:btmh:1220a2b07dab82dd981e55d88921667da5dcb2a2bbf7fb785bc025031a6eec08941a&dn=b.txt&xl=40960
        [exit 0]
    "#]],
    );
    told(
        &house,
        "magnet one.torrent",
        &expect![[r#"
        [stdout]
        magnet:?xt=urn:btmh:1220a2b07dab82dd981e55d88921667da5dcb2a2bbf7fb785bc025031a6eec08941a&dn=b.txt&xl=40960
        [exit 0]
    "#]],
    );
    told(
        &house,
        "verify one.torrent set",
        &expect![[r#"
        [stdout]
        set: 3 pieces, all as the torrent says
        [exit 0]
    "#]],
    );
    told(
        &house,
        "create set/b --v2 -o tree.torrent",
        &expect![[r#"
        [stdout]
        tree.torrent: 51.2 kB in 4 pieces of 16 KiB, info-hash v2 751399072dc7fe3e41dafb13bfdecd700c3103ff82111d3cdacc1c49aa3b569c
        [exit 0]
    "#]],
    );
    told(
        &house,
        "verify tree.torrent set/b",
        &expect![[r#"
        [stdout]
        set/b: 4 pieces, all as the torrent says
        [exit 0]
    "#]],
    );
    told(
        &house,
        "verify tree.torrent set/b/a.bin",
        &expect![[r#"
        [stdout]
        set/b/a.bin: 4 pieces, all as the torrent says
        [exit 0]
    "#]],
    );
}

#[test]
fn verify_names_bad_pieces_and_files_by_every_version() {
    let house = set();
    for kind in Kind::ALL {
        let file = format!("{kind}.torrent");
        house.run(&["torrent", "create", "set", "-o", &file, &format!("--{kind}"), "--piece-length", "16K"]).ok();
    }
    let mut changed = noise(1, 50 * KIB);
    changed[20 * KIB] ^= 1;
    changed[50 * KIB - 1] ^= 1;
    let house = house.write("set/b/a.bin", &changed).write("set/empty", b"no");
    let verified = |kind: Kind| run(&house, &format!("verify {kind}.torrent set"));
    expect![[r#"
        [stdout]
        set/empty: has 2 bytes, not 0
        set/b/a.bin: bad pieces: 1, 3
        set/b.txt: bad pieces: 3
        set: 2 of 6 pieces are not as the torrent says
        [exit 2]
        [stdout]
        set/empty: has 2 bytes, not 0
        set/b/a.bin: bad pieces: 1, 3
        set: 2 of 7 pieces are not as the torrent says
        [exit 2]
        [stdout]
        set/empty: has 2 bytes, not 0
        set/b/a.bin: bad pieces: 1, 3
        set: 2 of 7 pieces are not as the torrent says
        [exit 2]
    "#]]
    .assert_eq(&Kind::ALL.map(verified).concat());
    fs::remove_file(house.root().join("set/b/a.bin")).expect("removed");
    expect![[r#"
        [stdout]
        set/b/a.bin: can't be read: No such file or directory (os error 2)
        set/empty: has 2 bytes, not 0
        set/b/a.bin: bad pieces: 0, 1, 2, 3
        set/b.txt: bad pieces: 3
        set: 4 of 6 pieces are not as the torrent says
        [exit 2]
        [stdout]
        set/b/a.bin: can't be read: No such file or directory (os error 2)
        set/empty: has 2 bytes, not 0
        set/b/a.bin: bad pieces: 0, 1, 2, 3
        set: 4 of 7 pieces are not as the torrent says
        [exit 2]
        [stdout]
        set/b/a.bin: can't be read: No such file or directory (os error 2)
        set/empty: has 2 bytes, not 0
        set/b/a.bin: bad pieces: 0, 1, 2, 3
        set: 4 of 7 pieces are not as the torrent says
        [exit 2]
    "#]]
    .assert_eq(&Kind::ALL.map(verified).concat());
}

#[test]
fn the_versions_of_a_hybrid_that_are_of_different_content_are_told_apart() {
    let house = set();
    house.run(&["torrent", "create", "set", "--hybrid"]).ok();
    let path = house.root().join("set.torrent");
    let mut bytes = fs::read(&path).expect("read");
    let pieces = bytes.windows(8).position(|bytes| bytes == b"6:pieces").expect("it is of v1 too");
    bytes[pieces + 20] ^= 1;
    fs::write(&path, bytes).expect("written");
    told(
        &house,
        "verify set.torrent set",
        &expect![[r#"
            [stdout]
            set.torrent: its v1 and v2 hashes are of different content, pieces: 0
            set/b/a.bin: bad pieces: 0
            set: 1 of 7 pieces are not as the torrent says
            [exit 2]
        "#]],
    );
}

#[test]
fn many_bad_pieces_are_counted_and_not_all_named() {
    let house = House::new().write("a.bin", &noise(1, 1000 * KIB));
    house.run(&["torrent", "create", "a.bin", "--piece-length", "16K"]).ok();
    let house = house.write("a.bin", &noise(2, 1000 * KIB));
    told(
        &house,
        "verify a.bin.torrent a.bin",
        &expect![[r#"
        [stdout]
        a.bin: bad pieces: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 and 43 more
        a.bin: 63 of 63 pieces are not as the torrent says
        [exit 2]
    "#]],
    );
}

#[test]
fn trackers_stand_in_tiers_and_globs_choose_files() {
    let house = set();
    let create = [
        "torrent",
        "create",
        "set",
        "-o",
        "a.torrent",
        "--name",
        "a b",
        "--private",
        "--announce",
        "https://a.example.org/announce,udp://a.example.org:6969/announce",
        "--announce",
        "https://b.example.org/announce",
        "--include",
        "*.txt",
        "--include",
        ".git/*",
        "--include",
        "b/*",
        "--exclude",
        "b",
        "--threads",
        "1",
    ];
    house.run(&create).ok();
    let shown = run(&house, "show a.torrent");
    let shown = shown.lines().filter(|line| !line.starts_with("magnet")).collect::<Vec<_>>().join("\n");
    expect![[r#"
        [stdout]
        name       a b
        kind       v1
        info-hash  49026f87b401851e7c79b575366259f6e24d5e81
        size       41.0 kB (40961 bytes)
        pieces     3 of 16 KiB
        private    yes
        tracker    https://a.example.org/announce (tier 1)
        tracker    udp://a.example.org:6969/announce (tier 1)
        tracker    https://b.example.org/announce (tier 2)
        created by everseed 0.1.0
        file       a b/.git/config (1 bytes)
        file       a b/b.txt (40960 bytes)
        [exit 0]"#]]
    .assert_eq(&shown);
}

#[test]
fn a_dry_run_tells_what_would_be_made_and_makes_nothing() {
    let house = set();
    told(
        &house,
        "create set --hybrid --dry-run",
        &expect![[r#"
        [stdout]
        torrent    set.torrent (953 bytes), not written
        name       set
        kind       hybrid (v1 and v2)
        size       92.2 kB (92160 bytes)
        pieces     7 of 16 KiB
        file       set/b/a.bin (51200 bytes)
        file       set/b.txt (40960 bytes)
        file       set/empty (0 bytes)
        [exit 0]
    "#]],
    );
    told(
        &house,
        "create set --v2 --dry-run --json",
        &expect![[r#"
        [stdout]
        {
          "torrent": "set.torrent",
          "torrent_bytes": 605,
          "name": "set",
          "kind": "v2",
          "info_hash": null,
          "info_hash_v2": null,
          "bytes": 92160,
          "piece_length": 16384,
          "pieces": 7,
          "files": [
            {
              "path": "set/b/a.bin",
              "bytes": 51200
            },
            {
              "path": "set/b.txt",
              "bytes": 40960
            },
            {
              "path": "set/empty",
              "bytes": 0
            }
          ],
          "magnet": null
        }
        [exit 0]
    "#]],
    );
    assert!(!house.root().join("set.torrent").exists());
    told(
        &house,
        "create set --v2 --json",
        &expect![[r#"
        [stdout]
        {
          "torrent": "set.torrent",
          "torrent_bytes": 605,
          "name": "set",
          "kind": "v2",
          "info_hash": null,
          "info_hash_v2": "63f84ea4c02d174be0aff97e507307b978e292b6be1ee2b27f0c91d09a00d73b",
          "bytes": 92160,
          "piece_length": 16384,
          "pieces": 7,
          "files": [
            {
              "path": "set/b/a.bin",
              "bytes": 51200
            },
            {
              "path": "set/b.txt",
              "bytes": 40960
            },
            {
              "path": "set/empty",
              "bytes": 0
            }
          ],
          "magnet": "magnet:?xt=urn:btmh:122063f84ea4c02d174be0aff97e507307b978e292b6be1ee2b27f0c91d09a00d73b&dn=set&xl=92160"
        }
        [exit 0]
    "#]],
    );
    for kind in Kind::ALL {
        let (kind, file) = (format!("--{kind}"), format!("{kind}.torrent"));
        let create = ["torrent", "create", "set", &kind, "--json", "-o", &file];
        let (dry, made) = (house.run(&[&create[..], &["--dry-run"]].concat()).ok(), house.run(&create).ok());
        let without_hashes = |text: &str| -> Vec<String> {
            let hashed = |line: &&str| !line.contains("info_hash") && !line.contains("magnet");
            text.lines().filter(hashed).map(str::to_owned).collect()
        };
        assert_eq!(without_hashes(&dry.stdout), without_hashes(&made.stdout));
    }
}

/// It is made of nothing but a hole, and is not read.
#[test]
fn a_file_of_a_terabyte_is_planned_at_once() {
    let house = House::new();
    File::create(house.root().join("large")).and_then(|file| file.set_len(1 << 40)).expect("a hole");
    told(
        &house,
        "create large --dry-run",
        &expect![[r#"
        [stdout]
        torrent    large.torrent (1310837 bytes), not written
        name       large
        kind       v1
        size       1.1 TB (1099511627776 bytes)
        pieces     65536 of 16 MiB
        file       large (1099511627776 bytes)
        [exit 0]
    "#]],
    );
    told(
        &house,
        "create large --dry-run --hybrid",
        &expect![[r#"
        [stdout]
        torrent    large.torrent (3408165 bytes), not written
        name       large
        kind       hybrid (v1 and v2)
        size       1.1 TB (1099511627776 bytes)
        pieces     65536 of 16 MiB
        file       large (1099511627776 bytes)
        [exit 0]
    "#]],
    );
    told(
        &house,
        "create large --piece-length 16K",
        &expect![[r#"
            [stderr]
            error: "large" would have 67108864 pieces and 1 file, too many for a torrent
              help: choose a larger piece length, or pack the files into an archive
            [exit 3]
        "#]],
    );
}

#[test]
fn wrong_usage_is_told() {
    let house = set();
    let wrong = [
        "create set --v1 --hybrid",
        "create set --name a/b",
        "create set --include [",
        "create set --exclude {a",
        "create set/b.txt --exclude *.txt",
        "create set --exclude *",
        "create set --threads 0",
        "create set --announce https://a.example.org/announce,",
        "create set -o set/b.txt",
        "create set -o nowhere/a.torrent",
    ];
    expect![[r#"
        [stderr]
        error: the argument '--v1' cannot be used with '--hybrid'

        Usage: everseed torrent create --v1 <PATH>

        For more information, try '--help'.
        [exit 3]
        [stderr]
        error: --name: "a/b" is not the name of a file or folder
          help: write a name without /, \ and NUL
        [exit 3]
        [stderr]
        error: --include: error parsing glob '[': unclosed character class; missing ']'
          help: write it as *.mp3, notes/* or {a,b}.txt
        [exit 3]
        [stderr]
        error: --exclude: error parsing glob '{a': unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)
          help: write it as *.mp3, notes/* or {a,b}.txt
        [exit 3]
        [stderr]
        error: set/b.txt: is a file; --include and --exclude choose the files of a folder
          help: leave them out
        [exit 3]
        [stderr]
        error: set: the folder holds no file that --include and --exclude leave
          help: choose others
        [exit 3]
        [stderr]
        error: invalid value '0' for '--threads <N>': number would be zero for non-zero type

        For more information, try '--help'.
        [exit 3]
        [stderr]
        error: --announce: "" is not an announce URL
          help: write it with its scheme, https or http or udp, as https://show.example.org/announce
        [exit 3]
        [stderr]
        error: set/b.txt: exists already
          help: add --force to write over it, or name another file
        [exit 3]
        [stderr]
        error: nowhere/a.torrent: can't be written: No such file or directory (os error 2)
          help: make room there, or name a folder that exists and can be written
        [exit 1]
    "#]]
    .assert_eq(&wrong.map(|words| run(&house, words)).concat());
    assert!(!house.root().join("set.torrent").exists());
}

#[test]
fn names_that_clients_change_are_told_with_better_ones() {
    let house = House::new()
        .write("set: one/Part 1: why?.mp3", b"1")
        .write("set: one/con.txt", b"2")
        .write("set: one/end. /a", b"3")
        .write("set: one/end. /b", b"3")
        .write("set: one/README", b"4")
        .write("set: one/readme", b"5")
        .write("set: one/\u{e4}", b"6")
        .write("set: one/a\u{308}", b"7");
    let said = house.run(&["torrent", "create", "set: one", "-o", "a.torrent"]).whole();
    expect![[r#"
        [stdout]
        a.torrent: 8 B in 1 piece of 16 KiB, info-hash d1edf6ef5f39b66956a6a7c49740d3fd2bd11bed
        [stderr]
        warning: the torrent "set: one" has a name with :, which some clients can't save or ask for
          help: name it with --name "set_ one"
        warning: set: one/Part 1: why?.mp3: has a name with :, which some clients can't save or ask for
          help: rename it, for example to "Part 1_ why_.mp3"
        warning: set: one/con.txt: has a name that is a device on Windows
          help: rename it, for example to "con_.txt"
        warning: set: one/end. : has a name with a space at its beginning, or a space or dot at its end, which some clients drop
          help: rename it, for example to "end__"
        warning: set: one/readme: differs from set: one/README in upper and lower case or in Unicode form alone; many systems take them for one
          help: rename it, for example to "readme-2"
        warning: set: one/ä: differs from set: one/A-UMLAUT in upper and lower case or in Unicode form alone; many systems take them for one
          help: rename it, for example to "a-2"
        [exit 0]
    "#]].assert_eq(&said.replace("a\u{308}", "A-UMLAUT"));
    let house = (0..30).fold(House::new(), |house, n| house.write(&format!("many/a:{n}"), b"1"));
    let said = run(&house, "create many");
    assert_eq!(said.matches("warning: ").count(), 21, "{said}");
    assert!(said.contains("warning: 10 names more that some clients change\n"), "{said}");
}

#[test]
fn a_name_that_is_not_utf_8_is_told() {
    let house = House::new().write("set/a", b"1");
    let name = std::ffi::OsStr::from_bytes(b"b\xff");
    fs::write(house.root().join("set").join(name), b"2").expect("written");
    fs::write(house.root().join(name), b"2").expect("written");
    let one =
        house::everseed().args(["torrent", "create"]).arg(name).current_dir(house.root()).output().expect("it runs");
    assert_eq!(one.status.code(), Some(3));
    told(
        &house,
        "create set",
        &expect![[r#"
        [stderr]
        error: set/b�: has no UTF-8 name that a torrent could have
          help: rename it, or leave it out with --exclude
        [exit 3]
    "#]],
    );
    assert!(String::from_utf8_lossy(&one.stderr).contains("has no UTF-8 name"), "{one:?}");
    told(
        &house,
        "create set --exclude b*",
        &expect![[r#"
            [stdout]
            set.torrent: 1 B in 1 piece of 16 KiB, info-hash d23d1c399390aaf1124d70871915cbec092934dd
            [exit 0]
        "#]],
    );
}

/// The former torrent stays when a new one can't be made, and nothing is left beside it.
#[test]
fn what_can_not_be_read_leaves_the_former_torrent_whole() {
    let house = set();
    house.run(&["torrent", "create", "set"]).ok();
    let former = house::files(&house.root());
    std::os::unix::fs::symlink("nowhere", house.root().join("set/link")).expect("a link to nothing");
    told(
        &house,
        "create set --force --hybrid",
        &expect![[r#"
        [stderr]
        error: set/link: can't be read: No such file or directory (os error 2)
        [exit 3]
    "#]],
    );
    fs::remove_file(house.root().join("set/link")).expect("removed");
    assert_eq!(house::files(&house.root()), former);
}

#[test]
fn what_is_no_torrent_is_told_by_every_command() {
    let bytes = |text: &str| text.as_bytes().to_vec();
    let v1 = |path: &str| {
        bytes(&format!("d4:infod5:filesld6:lengthi0e4:path{path}ee4:name1:s12:piece lengthi16384e6:pieces0:ee"))
    };
    let tree =
        |tree: &str| bytes(&format!("d4:infod9:file tree{tree}12:meta versioni2e4:name1:s12:piece lengthi16384eee"));
    let bad = [
        ("empty", Vec::new()),
        ("noise", noise(1, 1000)),
        ("page", bytes("<!doctype html>")),
        ("cut", v1("l1:aee")[..60].to_vec()),
        ("up", v1("l2:..1:ae")),
        ("slash", v1("l3:../e")),
        ("latin", v1("l1:?e").into_iter().map(|byte| if byte == b'?' { 0xe4 } else { byte }).collect()),
        ("tree-up", tree("d2:..d0:d6:lengthi0eeee")),
        ("tree-slash", tree("d4:a/..d0:d6:lengthi0eeee")),
        ("tree-both", tree("d1:ad0:d6:lengthi0ee1:bd0:d6:lengthi0eeeee")),
        ("bomb", tree(&"d1:a".repeat(100_000))),
        ("list-bomb", vec![b'l'; 1_000_000]),
        ("long", bytes("99999999999999999999:a")),
    ];
    let house = bad.iter().fold(House::new(), |house, (name, bytes)| house.write(name, bytes));
    let shown = bad.iter().map(|(name, _)| run(&house, &format!("show {name}"))).collect::<Vec<_>>().concat();
    expect![[r#"
        [stderr]
        error: empty: not a torrent: byte 0: the data end inside a value
          help: name a .torrent; this is none, or a part of one
        [exit 3]
        [stderr]
        error: noise: not a torrent: byte 0: no value begins with this byte
          help: name a .torrent; this is none, or a part of one
        [exit 3]
        [stderr]
        error: page: not a torrent: byte 0: no value begins with this byte
          help: name a .torrent; this is none, or a part of one
        [exit 3]
        [stderr]
        error: cut: not a torrent: byte 51: the data end inside a value
          help: name a .torrent; this is none, or a part of one
        [exit 3]
        [stderr]
        error: up: byte 16: `info.files.path` is not a list of one to 64 UTF-8 names, none of them `..`
          help: make it again, or get it from elsewhere; clients would refuse it too
        [exit 3]
        [stderr]
        error: slash: byte 16: `info.files.path` is not a list of one to 64 UTF-8 names, none of them `..`
          help: make it again, or get it from elsewhere; clients would refuse it too
        [exit 3]
        [stderr]
        error: latin: byte 16: `info.files.path` is not a list of one to 64 UTF-8 names, none of them `..`
          help: make it again, or get it from elsewhere; clients would refuse it too
        [exit 3]
        [stderr]
        error: tree-up: byte 24: `info.file tree` is not of UTF-8 names, none of them `..`, at most 64 in a path
          help: make it again, or get it from elsewhere; clients would refuse it too
        [exit 3]
        [stderr]
        error: tree-slash: byte 26: `info.file tree` is not of UTF-8 names, none of them `..`, at most 64 in a path
          help: make it again, or get it from elsewhere; clients would refuse it too
        [exit 3]
        [stderr]
        error: tree-both: byte 23: `info.file tree` is not of names that are either a file or a folder
          help: make it again, or get it from elsewhere; clients would refuse it too
        [exit 3]
        [stderr]
        error: bomb: not a torrent: byte 283: lists and dictionaries are nested too deeply
          help: name a .torrent; this is none, or a part of one
        [exit 3]
        [stderr]
        error: list-bomb: not a torrent: byte 68: lists and dictionaries are nested too deeply
          help: name a .torrent; this is none, or a part of one
        [exit 3]
        [stderr]
        error: long: not a torrent: byte 0: the data end inside a value
          help: name a .torrent; this is none, or a part of one
        [exit 3]
    "#]]
    .assert_eq(&shown);
    for (name, _) in &bad {
        for words in [format!("magnet {name}"), format!("verify {name} .")] {
            assert_eq!(run(&house, &words), run(&house, &format!("show {name}")), "{words}");
        }
    }
}

#[test]
fn folders_deeper_than_a_torrent_are_told() {
    let deep = |depth: usize| format!("set/{}file", "a/".repeat(depth));
    let house = House::new().write(&deep(metainfo::PATH_NAMES_MAX - 1), b"1");
    for kind in Kind::ALL {
        run(&house, &format!("create set --{kind} -o {kind}.torrent"));
        assert!(Path::new(&house.root().join(format!("{kind}.torrent"))).exists(), "{kind}");
    }
    let house = house.write(&deep(metainfo::PATH_NAMES_MAX), b"1");
    told(
        &house,
        "create set --v2",
        &expect![[r#"
        [stderr]
        error: set: holds folders in folders beyond 64
          help: pack them into an archive
        [exit 3]
    "#]],
    );
}
