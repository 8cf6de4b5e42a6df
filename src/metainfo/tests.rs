//! Torrents made, read back, and read from foreign hands.

use expect_test::expect;
use proptest::prelude::*;
use sha1::{Digest, Sha1};

use super::*;
use crate::id::InfoHash;

fn draft(layout: Layout) -> Draft {
    let piece_length = PieceLength::new(16384).expect("a power of two");
    let hashes = Hashes::V1(Vec::new());
    let info = Info { name: "ep 1.mp3".into(), piece_length, private: false, source: None, layout, hashes };
    let pieces = vec![[7; 20]; usize::try_from(piece_length.count(info.total_bytes())).expect("few")];
    Draft {
        info: Info { hashes: Hashes::V1(pieces), ..info },
        trackers: vec![vec!["https://show.example.org/announce".into()]],
        web_seeds: vec!["https://show.example.org/media/ep%201.mp3".into()],
        creation_date: Some(1_700_000_000),
        created_by: Some("everseed".into()),
        comment: None,
    }
}

fn error(bytes: &[u8]) -> String {
    parse(bytes.to_vec()).expect_err("no torrent").to_string()
}

#[test]
fn a_single_file_torrent_has_these_bytes() {
    let torrent = encode(&draft(Layout::Single(20000)));
    let text = torrent.bytes().escape_ascii().to_string();
    expect![[r#"d8:announce33:https://show.example.org/announce10:created by8:everseed13:creation datei1700000000e4:infod6:lengthi20000e4:name8:ep 1.mp312:piece lengthi16384e6:pieces40:\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07e8:url-listl41:https://show.example.org/media/ep%201.mp3ee"#]]
    .assert_eq(&text);
    assert_eq!(torrent.info_hashes.v1(), Some(InfoHash(Sha1::digest(torrent.info_bytes()).into())));
    assert!(torrent.info_bytes().starts_with(b"d6:lengthi20000e") && torrent.info_bytes().ends_with(b"e"));
}

#[test]
fn several_trackers_stand_in_tiers_and_a_private_torrent_says_so() {
    let mut draft = draft(Layout::Multi(vec![
        File { path: vec!["a".into(), "b.txt".into()], bytes: 3, is_pad: false },
        File { path: vec!["c".into()], bytes: 0, is_pad: false },
    ]));
    draft.trackers.push(vec!["udp://show.example.org:6969/announce".into()]);
    draft.info.private = true;
    draft.info.name = "set".into();
    let torrent = encode(&draft);
    let text = torrent.bytes().escape_ascii().to_string();
    assert!(
        text.contains(
            "13:announce-listll33:https://show.example.org/announceel36:udp://show.example.org:6969/announceee"
        ),
        "{text}"
    );
    assert!(text.contains("5:filesld6:lengthi3e4:pathl1:a5:b.txteed6:lengthi0e4:pathl1:ceee4:name3:set"), "{text}");
    assert!(text.contains("7:privatei1e"), "{text}");
    assert_eq!(torrent.metainfo.info.files(), [("set/a/b.txt".to_owned(), 3), ("set/c".to_owned(), 0)]);
}

#[test]
fn the_info_hash_is_of_the_bytes_in_the_file_unknown_keys_and_all() {
    let bytes =
        b"d4:infod6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa6:source4:here1:xi9eee";
    let torrent = parse(bytes.to_vec()).expect("a torrent");
    assert!(torrent.info_bytes().ends_with(b"6:source4:here1:xi9ee"));
    assert_eq!(torrent.info_hashes.v1(), Some(InfoHash(Sha1::digest(torrent.info_bytes()).into())));
}

#[test]
fn one_string_is_a_url_list_and_an_empty_announce_list_gives_way_to_announce() {
    let bytes = b"d8:announce3:u:a13:announce-listllee4:infod6:lengthi0e4:name1:a12:piece lengthi16384e6:pieces0:e8:url-list3:u:be";
    let metainfo = parse(bytes.to_vec()).expect("a torrent").metainfo;
    assert_eq!(metainfo.trackers, [["u:a"]]);
    assert_eq!(metainfo.web_seeds, ["u:b"]);
}

#[test]
fn what_is_no_torrent_names_the_byte_and_the_field() {
    let cases = [
        &b"<html>"[..],
        b"de",
        b"d4:infoi1ee",
        b"d4:infod6:lengthi1e4:name2:..12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee",
        b"d4:infod6:lengthi1e4:name1:a12:piece lengthi0e6:pieces20:aaaaaaaaaaaaaaaaaaaaee",
        b"d4:infod6:lengthi-1e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee",
        b"d4:infod6:lengthi16385e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee",
        b"d4:infod6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces19:aaaaaaaaaaaaaaaaaaaee",
        b"d4:infod4:name1:a12:piece lengthi16384e6:pieces0:ee",
        b"d4:infod5:filesle4:name1:a12:piece lengthi16384e6:pieces0:ee",
        b"d4:infod5:filesld6:lengthi1e4:pathl2:..eee4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee",
        b"d4:infod9:file treede4:name1:a12:piece lengthi16384eee",
    ];
    let text = cases.map(error).join("\n");
    expect![[r#"
        not a torrent: byte 0: no value begins with this byte
        byte 0: `info` is not a dictionary
        byte 7: `info` is not a dictionary
        byte 7: `info.name` is not the UTF-8 name of one file or folder
        byte 7: `info.piece length` is not a positive number of bytes up to 256 MiB
        byte 16: `info.length` is not a number of bytes
        byte 7: `info.pieces` is not one hash for each piece of the content
        byte 7: `info.pieces` is not a string of 20 bytes for each piece
        byte 7: `info` is not a dictionary with either `length` or `files`
        byte 15: `info.files` is not a list of one to 1,000,000 files
        byte 16: `info.files.path` is not a list of one to 64 UTF-8 names, none of them `..`
        byte 7: `info.meta version` is not 2 where there is a `file tree`, and there alone"#]]
    .assert_eq(&text);
}

#[test]
fn a_magnet_link_escapes_what_it_carries() {
    let torrent = encode(&draft(Layout::Single(1)));
    let link = magnet(&torrent).replace(&torrent.info_hashes.main().to_string(), "HASH");
    expect!["magnet:?xt=urn:btih:HASH&dn=ep%201.mp3&xl=1&tr=https%3A%2F%2Fshow.example.org%2Fannounce&ws=https%3A%2F%2Fshow.example.org%2Fmedia%2Fep%25201.mp3"]
        .assert_eq(&link);
}

proptest! {
    #[test]
    fn no_bytes_panic_the_parser(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&draft(Layout::Single(40000))).bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(torrent) = parse(bytes.clone()) {
            prop_assert_eq!(torrent.bytes(), &bytes[..]);
        }
    }
}
