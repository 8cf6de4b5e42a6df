//! Two foreign decoders agree with ours about what is bencode, and two foreign readers about what a torrent says.

use std::fmt::Write as _;
use std::io::{Seek, Write as _};

use everseed::bencode::{self, Fault};
use everseed::metainfo::{self, Torrent};
use expect_test::expect;
use serde_json::{Value, json};

use crate::house::{House, files, noise};
use crate::{printed, script};

/// Encodings at the edges of what is valid.
const EDGES: [&[u8]; 40] = [
    b"",
    b"i0e",
    b"i-1e",
    b"i-0e",
    b"i01e",
    b"i-01e",
    b"ie",
    b"i-e",
    b"i+1e",
    b"i 1e",
    b"i1_0e",
    b"i1",
    b"0:",
    b"00:",
    b"1:",
    b"01:a",
    b"+1:a",
    b"-1:a",
    b"1_0:aaaaaaaaaa",
    b"2:a",
    b"1:ab",
    b"le",
    b"l",
    b"li1e",
    b"lei0e",
    b"de",
    b"d",
    b"d1:ae",
    b"di1e1:ae",
    b"d1:ai1e1:bi2ee",
    b"d1:bi1e1:ai2ee",
    b"d1:ai1e1:ai2ee",
    b"d0:i1ee",
    b"d2:aa0:1:b0:e",
    b"i9223372036854775807e",
    b"i9223372036854775808e",
    b"i-9223372036854775807e",
    b"i18446744073709551616e",
    b"i1e\n",
    b"99999999999999999999:a",
];

/// What a mutation puts in: the letters of bencode.
const LETTERS: &[u8] = b"0123456789ilde:-";

#[test]
#[ignore = "needs the Python modules libtorrent and bencode.py; .ci/run installs them"]
fn foreign_decoders_agree_about_what_is_bencode() {
    let mut cases: Vec<Vec<u8>> = EDGES.iter().map(|&edge| edge.to_vec()).collect();
    let torrents = published();
    cases.extend(torrents.iter().map(|torrent| torrent.bytes().to_vec()));
    for torrent in &torrents {
        // The pieces' hashes are of no interest here, and most mutations would fall among them.
        let mut short = torrent.metainfo.clone();
        let bytes = short.info.piece_length.bytes().into();
        let pieces = short.info.pieces().expect("of v1")[..1].to_vec();
        short.info.hashes = metainfo::Hashes::V1(pieces);
        short.info.layout = metainfo::Layout::Single(bytes);
        let short = metainfo::encode(&short);
        cases.extend((0..5_000).map(|seed| mutated(short.bytes(), seed)));
    }

    let mut accepted = 0;
    let mut wrong = String::new();
    for (case, judged) in cases.iter().zip(judged(&cases)) {
        let ours = bencode::decode(case).map_err(|error| error.fault);
        accepted += usize::from(ours.is_ok());
        let foreign: Vec<_> = judged.chars().map(|verdict| verdict == 'c').collect();
        let agreed = match ours {
            Ok(_) => foreign == [true, true],
            // bencode.py has integers of any size, libtorrent as we those of 64 bits.
            Err(Fault::IntegerBeyond64Bits) => !foreign[0],
            Err(_) => foreign == [false, false],
        };
        if !agreed {
            writeln!(wrong, "{judged} {ours:?}: {}", case.escape_ascii()).expect("a String takes all that is written");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(accepted > cases.len() / 20, "only {accepted} of {} were accepted", cases.len());
}

/// The first letter is what libtorrent says, the second what bencode.py says: `n` no, `l` let through, `c` canonical.
#[test]
#[ignore = "needs the Python modules libtorrent and bencode.py; .ci/run installs them"]
fn foreign_decoders_let_through_what_is_not_canonical() {
    let edges = EDGES.map(<[u8]>::to_vec);
    let mut lenient = String::new();
    for (edge, judged) in edges.iter().zip(judged(&edges)) {
        if bencode::decode(edge).is_err() && judged != "nn" {
            writeln!(lenient, "{judged} {}", edge.escape_ascii()).expect("a String takes all that is written");
        }
    }
    expect![[r#"
        ln i-0e
        ln i01e
        ln i-01e
        nl i+1e
        nl i 1e
        nl i1_0e
        ln 00:
        ln 01:a
        nl 1_0:aaaaaaaaaa
        ln 1:ab
        ln lei0e
        ll d1:bi1e1:ai2ee
        ll d1:ai1e1:ai2ee
        lc i9223372036854775808e
        lc i18446744073709551616e
        ln i1e\n
    "#]]
    .assert_eq(&lenient);
}

#[test]
#[ignore = "needs the Python modules libtorrent and torf; .ci/run installs them"]
fn libtorrent_and_torf_read_what_was_meant() {
    let house = furnished();
    house.build().ok();
    let folder = house.public().join("torrents");
    let torrents = files(&folder);
    assert_eq!(torrents.len(), 5);
    let mut command = script("torrents.py");
    command.args(torrents.keys().map(|name| folder.join(name)));
    let said = printed(command);
    let mut read = said.lines();
    for (name, bytes) in torrents {
        let torrent = metainfo::parse(bytes).expect("a torrent");
        let meant = meaning(&torrent);
        for reader in ["libtorrent", "torf"] {
            let line = read.next().expect("a line for each torrent and reader");
            let said: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(said, meant, "{name}, as {reader} reads it");
        }
    }
}

/// A show with names and settings of several kinds.
fn furnished() -> House {
    House::furnished()
        .page("nachtzug.md", "+++\ntitle = \"Züge\"\ndate = 2026-05-10\nmedia = \"Züge & Brücken.mp3\"\n+++\n")
        .media("Züge & Brücken.mp3", 70_000)
        .page("closed/index.md", "+++\ntitle = \"Closed\"\ndate = 2026-05-11\nfiles = [\"ä\"]\nprivate = true\n+++\n")
        .media("closed/ä/ö.bin", 40_000)
        .media("closed/ä/z.bin", 1)
}

fn published() -> Vec<Torrent> {
    let house = furnished();
    house.build().ok();
    let torrents = files(&house.public().join("torrents"));
    torrents.into_values().map(|bytes| metainfo::parse(bytes).expect("a torrent")).collect()
}

fn meaning(torrent: &Torrent) -> Value {
    let metainfo = &torrent.metainfo;
    json!({
        "info_hash": torrent.info_hashes.main().to_string(),
        "name": metainfo.info.name,
        "files": metainfo.info.files(),
        "piece_bytes": metainfo.info.piece_length.bytes(),
        "pieces": metainfo.info.piece_count(),
        "private": metainfo.info.private,
        "trackers": metainfo.trackers.concat(),
        "web_seeds": metainfo.web_seeds,
        "created": metainfo.creation_date.unwrap_or(0),
        "created_by": metainfo.created_by,
    })
}

/// The verdicts of the foreign decoders, a word a case.
fn judged(cases: &[Vec<u8>]) -> Vec<String> {
    let mut lines = tempfile::tempfile().expect("a temporary file");
    lines.write_all(cases.iter().map(|case| hex(case)).collect::<String>().as_bytes()).expect("written");
    lines.rewind().expect("at its start again");
    let mut command = script("decode.py");
    command.stdin(lines);
    let output = printed(command);
    let verdicts: Vec<_> = output.lines().map(str::to_owned).collect();
    assert_eq!(verdicts.len(), cases.len());
    verdicts
}

fn hex(bytes: &[u8]) -> String {
    let mut line = String::new();
    for byte in bytes {
        write!(line, "{byte:02x}").expect("a String takes all that is written");
    }
    line.push('\n');
    line
}

/// `bytes` with one to three changes, the same for the same seed.
pub fn mutated(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let chance: Vec<usize> =
        noise(seed + 1, 64).chunks(4).map(|four| u32::from_le_bytes(four.try_into().expect("four")) as usize).collect();
    for change in chance[1..].chunks(4).take(1 + chance[0] % 3) {
        if bytes.is_empty() {
            break;
        }
        let at = change[0] % bytes.len();
        let letter = LETTERS[change[1] % LETTERS.len()];
        match change[2] % 6 {
            0 => bytes[at] = letter,
            1 => bytes.insert(at, letter),
            2 => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            4 => bytes[at] ^= 1 << (change[3] % 8),
            _ => {
                let end = (at + change[3] % 16).min(bytes.len());
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}
