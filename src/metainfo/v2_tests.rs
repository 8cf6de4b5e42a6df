//! Torrents of v2 and hybrid ones: made, read back, and read from foreign hands.

use expect_test::expect;
use proptest::prelude::*;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::*;
use crate::bencode;
use crate::id::{InfoHash, InfoHashV2, hex};

const PIECE: usize = 32768;

/// A torrent of `files` with pieces of 32 KiB; one file with an empty path stands alone.
fn draft(kind: Kind, name: &str, files: &[(&str, Vec<u8>)]) -> Draft {
    let piece_length = PieceLength::new(PIECE as u64).expect("a power of two");
    let file = |(path, content): &(&str, Vec<u8>)| File {
        path: path.split('/').map(str::to_owned).collect(),
        bytes: content.len() as u64,
        is_pad: false,
    };
    let layout = match files {
        [("", content)] => Layout::Single(content.len() as u64),
        _ if kind == Kind::Hybrid => Layout::Multi(padded(files.iter().map(file).collect(), piece_length)),
        _ => Layout::Multi(files.iter().map(file).collect()),
    };
    let mut contents = files.iter().map(|(_, content)| content);
    let stream = match &layout {
        Layout::Single(_) => files[0].1.clone(),
        Layout::Multi(files) => (files.iter())
            .flat_map(|file| {
                let zeros = || vec![0; usize::try_from(file.bytes).expect("small")];
                if file.is_pad { zeros() } else { contents.next().expect("a content for each file").clone() }
            })
            .collect(),
    };
    let pieces = || stream.chunks(PIECE).map(|piece| Sha1::digest(piece).into()).collect();
    let tree = |(_, content): &(&str, Vec<u8>)| {
        let leaves: Vec<_> = content.chunks(merkle::BLOCK_BYTES as usize).map(merkle::leaf).collect();
        merkle::tree(&leaves, piece_length)
    };
    let trees = || files.iter().map(tree).collect();
    let hashes = match kind {
        Kind::V1 => Hashes::V1(pieces()),
        Kind::V2 => Hashes::V2(trees()),
        Kind::Hybrid => Hashes::Hybrid { pieces: pieces(), trees: trees() },
    };
    Draft {
        info: Info { name: name.into(), piece_length, private: false, source: None, layout, hashes },
        trackers: vec![],
        web_seeds: vec![],
        creation_date: None,
        created_by: None,
        comment: None,
    }
}

/// Two files longer than a piece with the same content, one that ends with a piece, one that is empty.
fn several() -> Vec<(&'static str, Vec<u8>)> {
    let content = |len: usize| (0..=250).cycle().take(len).collect::<Vec<u8>>();
    let files = [("b-c", 40000), ("b/a", 40000), ("b/d", 0), ("e", PIECE), ("é", 5)];
    let mut files = files.map(|(name, len)| (name, content(len))).to_vec();
    files.sort_by_key(|(name, _)| name.split('/').map(str::to_owned).collect::<Vec<_>>());
    files
}

/// The bytes of a torrent with hashes as the first of their digits.
fn shown(torrent: &Torrent) -> String {
    let mut text = String::new();
    let mut bytes = torrent.bytes();
    while let Some((&first, rest)) = bytes.split_first() {
        if bytes.starts_with(b"32:") || bytes.starts_with(b"64:") || bytes.starts_with(b"6:pieces") {
            let at = if first == b'6' && bytes[1] == b':' { 8 } else { 0 };
            let colon = at + bytes[at..].iter().position(|&byte| byte == b':').expect("a string's length");
            let len: usize = str::from_utf8(&bytes[at..colon]).expect("digits").parse().expect("digits");
            text.extend([&bytes[..colon].escape_ascii().to_string(), ":", &hex(&bytes[colon + 1..colon + 3]), "…"]);
            bytes = &bytes[colon + 1 + len..];
        } else {
            text += &first.escape_ascii().to_string();
            bytes = rest;
        }
    }
    text
}

#[test]
fn torrents_of_all_kinds_have_these_bytes() {
    let text = |kind, files: &[(&str, Vec<u8>)]| shown(&encode(&draft(kind, "set", files)));
    let one = [("", vec![7; 40000])];
    expect!["d4:infod9:file treed3:setd0:d6:lengthi40000e11:pieces root32:cb18…eee12:meta versioni2e4:name3:set12:piece lengthi32768ee12:piece layersd32:cb18…64:54d0…ee"].assert_eq(&text(Kind::V2, &one));
    expect!["d4:infod9:file treed3:setd0:d6:lengthi40000e11:pieces root32:cb18…eee6:lengthi40000e12:meta versioni2e4:name3:set12:piece lengthi32768e6:pieces40:cc86…e12:piece layersd32:cb18…64:54d0…ee"].assert_eq(&text(Kind::Hybrid, &one));
    expect![[r#"d4:infod9:file treed1:bd1:ad0:d6:lengthi40000e11:pieces root32:ab67…ee1:dd0:d6:lengthi0eeee3:b-cd0:d6:lengthi40000e11:pieces root32:ab67…ee1:ed0:d6:lengthi32768e11:pieces root32:d9e1…ee2:\xc3\xa9d0:d6:lengthi5e11:pieces root32:08bb…eee12:meta versioni2e4:name3:set12:piece lengthi32768ee12:piece layersd32:ab67…64:d9e1…ee"#]].assert_eq(&text(Kind::V2, &several()));
    expect![[r#"d4:infod9:file treed1:bd1:ad0:d6:lengthi40000e11:pieces root32:ab67…ee1:dd0:d6:lengthi0eeee3:b-cd0:d6:lengthi40000e11:pieces root32:ab67…ee1:ed0:d6:lengthi32768e11:pieces root32:d9e1…ee2:\xc3\xa9d0:d6:lengthi5e11:pieces root32:08bb…eee5:filesld6:lengthi40000e4:pathl1:b1:aeed4:attr1:p6:lengthi25536e4:pathl4:.pad5:25536eed6:lengthi0e4:pathl1:b1:deed6:lengthi40000e4:pathl3:b-ceed4:attr1:p6:lengthi25536e4:pathl4:.pad5:25536eed6:lengthi32768e4:pathl1:eeed6:lengthi5e4:pathl2:\xc3\xa9eed4:attr1:p6:lengthi32763e4:pathl4:.pad5:32763eee12:meta versioni2e4:name3:set12:piece lengthi32768e6:pieces120:9dbe…e12:piece layersd32:ab67…64:d9e1…ee"#]].assert_eq(&text(Kind::Hybrid, &several()));
}

#[test]
fn each_version_has_its_info_hash_and_magnet_links_carry_both_on_request() {
    let link = |kind| {
        let torrent = encode(&draft(kind, "set", &several()));
        let v1 = InfoHash(Sha1::digest(torrent.info_bytes()).into());
        let v2 = InfoHashV2(Sha256::digest(torrent.info_bytes()).into());
        let hashes = torrent.info_hashes;
        assert_eq!((hashes.v1(), hashes.v2()), (kind.has_v1().then_some(v1), kind.has_v2().then_some(v2)));
        let hidden = |link: String| link.replace(&v1.to_string(), "V1").replace(&v2.to_string(), "V2");
        format!("{}\n{}\n", hidden(magnet(&torrent)), hidden(full_magnet(&torrent)))
    };
    expect![[r#"
        magnet:?xt=urn:btih:V1&dn=set&xl=112773
        magnet:?xt=urn:btih:V1&dn=set&xl=112773
        magnet:?xt=urn:btmh:1220V2&dn=set&xl=112773
        magnet:?xt=urn:btmh:1220V2&dn=set&xl=112773
        magnet:?xt=urn:btih:V1&dn=set&xl=112773
        magnet:?xt=urn:btih:V1&xt=urn:btmh:1220V2&dn=set&xl=112773
    "#]]
    .assert_eq(&Kind::ALL.map(link).concat());
}

#[test]
fn pads_are_counted_as_pieces_and_not_as_files() {
    let info = draft(Kind::Hybrid, "set", &several()).info;
    assert_eq!(info.files(), draft(Kind::V2, "set", &several()).info.files());
    assert_eq!((info.total_bytes(), info.stream_bytes()), (40000 + 40000 + 32768 + 5, 6 * 32768));
    assert_eq!((info.piece_count(), draft(Kind::V2, "set", &several()).info.piece_count()), (6, 6));
    assert_eq!(draft(Kind::V1, "set", &several()).info.piece_count(), 4);
}

#[test]
fn a_tree_of_one_file_is_that_file() {
    let files = [("a", vec![1])];
    assert_eq!(draft(Kind::V2, "set", &files).info.files(), [("a".to_owned(), 1)]);
    assert_eq!(encode(&draft(Kind::V2, "set", &files)).metainfo.info.files(), [("a".to_owned(), 1)]);
    assert_eq!(draft(Kind::Hybrid, "set", &files).info.files(), [("set/a".to_owned(), 1)]);
    let alone = parse(encode(&draft(Kind::V2, "a", &[("", vec![1])])).bytes().to_vec()).expect("a torrent");
    assert_eq!(alone.metainfo.info.layout, Layout::Single(1));
}

#[test]
#[should_panic(expected = "in the order of a tree")]
fn files_out_of_order_make_no_tree() {
    encode(&draft(Kind::V2, "set", &[("b", vec![1]), ("a", vec![2])]));
}

#[test]
#[should_panic(expected = "none is a folder of another")]
fn a_file_is_no_folder() {
    encode(&draft(Kind::V2, "set", &[("a", vec![1]), ("a/b", vec![2])]));
}

#[test]
#[should_panic(expected = "the parser reads")]
fn a_hybrid_without_its_pads_is_not_written() {
    let mut draft = draft(Kind::Hybrid, "set", &several());
    let Layout::Multi(files) = &mut draft.info.layout else { panic!("several files") };
    files.retain(|file| !file.is_pad);
    encode(&draft);
}

/// The error for a torrent with each of `changes`: what stands in it and what comes in its place.
fn errors(torrent: &Torrent, changes: &[(&[u8], &[u8])]) -> String {
    let error = |(from, to): &(&[u8], &[u8])| {
        let bytes = torrent.bytes();
        let at = bytes.windows(from.len()).position(|bytes| bytes == *from).expect("it stands there");
        let misleading = [&bytes[..at], to, &bytes[at + from.len()..]].concat();
        format!("{}\n", parse(misleading).expect_err("misleading"))
    };
    changes.iter().map(error).collect()
}

#[test]
fn a_tree_that_misleads_is_refused() {
    let torrent = encode(&draft(Kind::V2, "set", &several()));
    let layers = torrent.bytes().windows(14).position(|bytes| bytes == b"12:piece layer").expect("it has layers");
    expect![[r#"
        byte 352: `info.meta version` is not 1 or 2, the versions that are known
        byte 7: `info.meta version` is not 2 where there is a `file tree`, and there alone
        byte 7: `info.piece length` is not a power of two from 16 KiB to 256 MiB, as v2 has it
        byte 7: `info.piece length` is not a power of two from 16 KiB to 256 MiB, as v2 has it
        byte 440: `piece layers` is not a hash of 32 bytes for each piece of its file
        byte 24: `info.file tree` is not of UTF-8 names, none of them `..`, at most 64 in a path
        byte 25: `info.file tree` is not of UTF-8 names, none of them `..`, at most 64 in a path
        byte 22: `info.file tree` is not of UTF-8 names, none of them `..`, at most 64 in a path
        byte 270: `info.file tree` is not of UTF-8 names, none of them `..`, at most 64 in a path
        byte 100: `info.file tree` is not folders that each hold a file or a folder
        byte 100: `info.file tree` is not of names that are either a file or a folder
        byte 112: `info.file tree.length` is not a number of bytes
        byte 103: `info.file tree.pieces root` is not a hash of 32 bytes
        byte 103: `info.file tree.length` is not a number of bytes
        byte 273: `info.file tree` is not of files with fewer than 2^63 bytes in all
        byte 443: `piece layers` is not a hash of 32 bytes for each piece of its file
        byte 0: `piece layers` is not of files that are longer than a piece alone
        byte 0: `piece layers` is not there for each file that is longer than a piece
        byte 440: `piece layers` is not of hashes that lead to the root of their file
        byte 440: `piece layers` is not of hashes that lead to the root of their file
    "#]]
    .assert_eq(&errors(
        &torrent,
        &[
            (b"12:meta versioni2e", b"12:meta versioni3e"),
            (b"12:meta versioni2e", b""),
            (b"12:piece lengthi32768e", b"12:piece lengthi32767e"),
            (b"12:piece lengthi32768e", b"12:piece lengthi8192e"),
            (b"12:piece lengthi32768e", b"12:piece lengthi16384e"),
            (b"1:bd1:a", b"2:..d1:a"),
            (b"1:bd1:a", b"3:a/bd1:a"),
            (b"1:bd1:a", b"0:d1:a"),
            (b"2:\xc3\xa9d0:d", b"2:\xff\xffd0:d"),
            (b"1:dd0:d6:lengthi0eee", b"1:dde"),
            (b"1:dd0:d6:lengthi0eee", b"1:dd0:d6:lengthi0ee1:xd0:d6:lengthi0eeee"),
            (b"1:dd0:d6:lengthi0eee", b"1:dd0:d6:lengthi-1eee"),
            (b"1:dd0:d6:lengthi0eee", b"1:dd0:d6:lengthi1eee"),
            (b"1:dd0:d6:lengthi0eee", b"1:dd0:dee"),
            (b"6:lengthi5e", b"6:lengthi9223372036854775807e"),
            (b"6:lengthi40000e", b"6:lengthi40000000e"),
            (b"12:piece layersd", b"12:piece layersd1:a0:"),
            (b"12:piece layers", b"12:piece layerz"),
            (&torrent.bytes()[layers + 20..layers + 60], &[&torrent.bytes()[layers + 20..layers + 59], b"!"].concat()),
            (&torrent.bytes()[layers + 60..layers + 90], &[b'?'; 30]),
        ],
    ));
}

#[test]
fn a_hybrid_whose_versions_differ_is_refused() {
    let torrent = encode(&draft(Kind::Hybrid, "set", &several()));
    let disagree: [(&[u8], &[u8]); 10] = [
        // Another size, name, order; a pad that is none, is too long, or is missing.
        (b"d6:lengthi5e4:path", b"d6:lengthi6e4:path"),
        (b"4:pathl1:b1:de", b"4:pathl1:b1:xe"),
        (b"4:pathl1:b1:de", b"4:pathl1:d1:be"),
        (b"d4:attr1:p6:length", b"d4:attr1:x6:length"),
        (b"d4:attr1:p6:lengthi25536e", b"d4:attr1:p6:lengthi25537e"),
        (b"d4:attr1:p6:lengthi25536e4:pathl4:.pad5:25536ee", b""),
        (b"d6:lengthi0e4:pathl1:b1:dee", b""),
        (b"d4:attr1:p6:lengthi25536e", b"d4:attr1:p6:lengthi25535e"),
        (b"d4:attr1:p6:lengthi32763e", b"d4:attr1:p6:lengthi1e"),
        (b"4:pathl2:\xc3\xa9ee", b"4:pathl2:\xc3\xa9eed4:attr1:p6:lengthi0e4:pathl1:aee"),
    ];
    let texts = errors(&torrent, &disagree);
    assert_eq!(
        texts.lines().filter(|line| line.contains("`info.file tree` is not of the same files")).count(),
        10,
        "{texts}"
    );
    expect![[r#"
        byte 7: `info` is not a dictionary with either `length` or `files`
        byte 7: `info.pieces` is not a string of 20 bytes for each piece
    "#]]
    .assert_eq(&errors(&torrent, &[(b"5:files", b"5:filez"), (b"6:pieces120:", b"6:piecet120:")]));
    let single = encode(&draft(Kind::Hybrid, "set", &[("", vec![7; 40000])]));
    expect![[r#"
        byte 7: `info.file tree` is not of the same files as v1's, in that order and padded to pieces
        byte 7: `info.file tree` is not of the same files as v1's, in that order and padded to pieces
    "#]]
    .assert_eq(&errors(&single, &[(b"9:file treed3:set", b"9:file treed3:sex"), (b"4:name3:set", b"4:name3:sex")]));
}

/// As libtorrent's `canonical_files_no_tail_padding` writes them.
#[test]
fn the_last_file_of_a_foreign_hybrid_need_not_be_padded_and_pads_may_follow_empty_files() {
    let mut draft = draft(Kind::Hybrid, "set", &[("a", vec![1]), ("b", vec![]), ("c", vec![2])]);
    let Layout::Multi(files) = &mut draft.info.layout else { panic!("several files") };
    files.swap(1, 2);
    let last = files.pop().expect("a pad");
    assert!(last.is_pad && files[2].is_pad);
    let Hashes::Hybrid { pieces, .. } = &mut draft.info.hashes else { panic!("a hybrid") };
    pieces[1] = Sha1::digest([2]).into();
    assert_eq!(encode(&draft).metainfo, draft);
}

#[test]
fn pads_of_a_foreign_v1_torrent_stand_anywhere() {
    let bytes = b"d4:infod5:filesld4:attr2:px6:lengthi3e4:pathl1:aeed4:attr1:h6:lengthi1e4:pathl1:beed4:attr1:p6:lengthi9e4:pathl1:ceee4:name1:s12:piece lengthi20000e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
    let info = parse(bytes.to_vec()).expect("a torrent").metainfo.info;
    assert_eq!(info.files(), [("s/b".to_owned(), 1)]);
    assert_eq!((info.total_bytes(), info.stream_bytes(), info.piece_count()), (1, 13, 1));
}

#[test]
fn a_torrent_of_a_million_files_is_read_and_one_of_more_is_not() {
    let v1 = |files: usize| {
        let file = |n: usize| format!("d6:lengthi0e4:pathl7:{n:07}ee");
        let files = (0..files).map(file).collect::<Vec<_>>().concat();
        format!("d4:infod5:filesl{files}e4:name1:s12:piece lengthi16384e6:pieces0:ee").into_bytes()
    };
    let v2 = |files: usize| {
        let files = (0..files).map(|n| format!("7:{n:07}d0:d6:lengthi0eee")).collect::<Vec<_>>().concat();
        format!("d4:infod9:file treed{files}e12:meta versioni2e4:name1:s12:piece lengthi16384eee").into_bytes()
    };
    let Layout::Multi(files) = parse(v1(FILES_MAX)).expect("a torrent").metainfo.info.layout else { panic!("several") };
    assert_eq!(files.len(), FILES_MAX);
    drop(files);
    for bytes in [v1(FILES_MAX + 1), v2(FILES_MAX + 1)] {
        let error = parse(bytes).expect_err("too many").to_string();
        assert!(error.contains("1,000,000 files"), "{error}");
    }
}

#[test]
fn a_tree_is_as_deep_as_a_path() {
    let nested = |depth: usize| {
        let (tree, ends) = ("d1:a".repeat(depth), "e".repeat(depth));
        let info = format!("9:file tree{tree}d0:d6:lengthi0eee{ends}12:meta versioni2e4:name1:s12:piece lengthi16384e");
        parse(format!("d4:infod{info}ee").into_bytes())
    };
    let info = nested(PATH_NAMES_MAX).expect("as deep as is allowed").metainfo.info;
    assert_eq!(info.files(), [(format!("s{}", "/a".repeat(PATH_NAMES_MAX)), 0)]);
    let error = |depth| nested(depth).expect_err("too deep").to_string();
    expect![[r#"
        not a torrent: byte 282: lists and dictionaries are nested too deeply
        not a torrent: byte 283: lists and dictionaries are nested too deeply
        not a torrent: byte 283: lists and dictionaries are nested too deeply"#]]
    .assert_eq(&[65, 66, 1_000_000].map(error).join("\n"));
}

#[test]
fn small_torrents_do_not_fill_the_memory() {
    let folders = 60;
    let name = format!("4000:{}", "n".repeat(4000));
    let files = (0..10_000).map(|n| format!("4:{n:04}d0:d6:lengthi0eee")).collect::<Vec<_>>().concat();
    let tree = format!("{}d{files}e{}", format!("d{name}").repeat(folders), "e".repeat(folders));
    let bytes = format!("d4:infod9:file tree{tree}12:meta versioni2e4:name1:s12:piece lengthi16384eee").into_bytes();
    let error = parse(bytes).expect_err("10,000 paths of 240 kB").to_string();
    assert!(error.contains("128 MiB of paths"), "{error}");

    let layer = vec![[7; 32]; 4000];
    let length = PieceLength::new(16384).expect("a power of two");
    let tree = merkle::tree_of_pieces(layer, length);
    let trees = vec![Some(tree); 1000];
    let files = (0..1000).map(|n| File { path: vec![format!("{n:04}")], bytes: 4000 * 16384, is_pad: false });
    let mut out = Vec::new();
    let mut root = bencode::Dict::begin(&mut out);
    let mut info = bencode::Dict::begin(root.key("info"));
    super::tree::write(info.key("file tree"), "s", &Layout::Multi(files.collect()), &trees);
    info.int("meta version", 2).string("name", "s").int("piece length", 16384);
    info.end();
    super::tree::write_layers(root.key("piece layers"), &trees);
    root.end();
    assert!(out.len() < 300_000);
    let error = parse(out).expect_err("4,000,000 hashes").to_string();
    assert!(error.contains("2,097,152 hashes"), "{error}");
}

/// Drafts of every kind.
fn drafts() -> impl Strategy<Value = Draft> {
    let name = prop::sample::select(vec!["a", "b", "b-", "b.c", "\u{e9}", "a b", ".pad"]);
    let path = proptest::collection::vec(name.clone(), 1..4);
    let size = prop_oneof![Just(0), Just(1), Just(16384), Just(16385), Just(PIECE), 1_usize..100_000];
    let files = proptest::collection::btree_map(path, (size, any::<u8>()), 1..6);
    let texts = (any::<Option<String>>(), any::<Option<String>>(), any::<bool>(), any::<Option<i64>>());
    let kind = prop::sample::select(Kind::ALL.to_vec());
    (kind, name, any::<bool>(), files, texts).prop_map(|(kind, name, single, mut files, texts)| {
        let paths: Vec<_> = files.keys().cloned().collect();
        files.retain(|path, _| !paths.iter().any(|other| other != path && path.starts_with(other)));
        let mut files: Vec<_> =
            files.into_iter().map(|(path, (len, byte))| (path.join("/"), vec![byte; len])).collect();
        // A v2 tree that holds one file of the torrent's own name is that file.
        if single || (files.len() == 1 && files[0].0 == name) {
            files.truncate(1);
            files[0].0.clear();
        }
        let files: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), content.clone())).collect();
        let (source, comment, private, creation_date) = texts;
        let mut draft = draft(kind, name, &files);
        draft.info.source = source;
        draft.info.private = private;
        let trackers = vec![vec!["udp://a".into(), "udp://b".into()], vec!["c".into()]];
        Draft { trackers, creation_date, comment, ..draft }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_written_reads_back(draft in drafts()) {
        let torrent = encode(&draft);
        let again = parse(torrent.bytes().to_vec()).expect("a torrent");
        prop_assert_eq!(&again.metainfo, &draft);
        prop_assert_eq!(&again, &torrent);
    }

    #[test]
    fn no_change_of_a_torrent_panics(
        draft in drafts(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let mut bytes = encode(&draft).bytes().to_vec();
        for (at, byte, how) in changes {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes[at] = b"0123456789ilde:-"[usize::from(byte % 16)],
                2 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Ok(torrent) = parse(bytes.clone()) {
            prop_assert_eq!(torrent.bytes(), &bytes[..]);
            // What a foreign hand wrote can be shown, linked and counted.
            let info = &torrent.metainfo.info;
            prop_assert_eq!(info.files().iter().map(|(_, bytes)| bytes).sum::<u64>(), info.total_bytes());
            prop_assert!(info.piece_count() >= info.piece_length.count(info.total_bytes()));
            prop_assert!(full_magnet(&torrent).starts_with("magnet:?xt=urn:bt"));
        }
    }

    #[test]
    fn a_torrent_that_ends_early_is_none(draft in drafts(), at in any::<prop::sample::Index>()) {
        let torrent = encode(&draft);
        let end = at.index(torrent.bytes().len());
        prop_assert!(parse(torrent.bytes()[..end].to_vec()).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(bytes).is_err());
    }
}
