//! Our torrents are those that libtorrent makes of the same files, byte for byte; libtorrent, torf and parse-torrent
//! read them as they were meant.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Seek, Write as _};
use std::path::PathBuf;

use everseed::bencode::{self, Limits};
use everseed::metainfo::{self, Kind, Layout, Torrent};
use serde_json::{Value, json};

use crate::bencode::mutated;
use crate::house::{House, noise};
use crate::{node_script, printed, script};

/// As deep as the tree of the deepest file is.
const DEEP: Limits = Limits { depth_max: 68, bytes_max: 1 << 20, values_max: 100_000 };
const PIECE_LENGTHS: [u64; 2] = [16 * 1024, 64 * 1024];

/// Files of all sizes at which something begins or ends: blocks, pieces, layers of a tree.
fn sizes() -> BTreeSet<u64> {
    let edges = [1, 16_384, 65_536, 5 * 65_536, 8 * 65_536];
    edges.into_iter().flat_map(|edge| [edge - 1, edge, edge + 1]).collect()
}

/// The folders of the show that become torrents.
fn furnished() -> House {
    let mut house = House::new();
    let mut write = |path: &str, len: u64| {
        let seed = path.len() as u64 + len;
        house =
            std::mem::replace(&mut house, House::new()).write(path, &noise(seed, usize::try_from(len).expect("small")));
    };
    for len in sizes() {
        write(&format!("sizes/{len:07}"), len);
        if len > 0 {
            write(&format!("single/{len}.bin"), len);
        }
    }
    for name in ["Züge & Brücken.mp3", "日本語/テスト.txt", "a\u{308}", "😀", "Ä", "a b c", "[x]{y}~@=$!^,;'.bin"]
    {
        write(&format!("names/{name}"), 20_000);
    }
    let deep = (0..30).map(|n| format!("folder {n}/")).collect::<Vec<_>>().concat();
    write(&format!("deep/{deep}file"), 40_000);
    write(&format!("deep/{deep}empty"), 0);
    write("deep/top", 1);
    write("one/file", 40_000);
    write("one deep/in/file", 40_000);
    write("empties/a", 0);
    write("empties/b", 5);
    write("empties/c", 0);
    for name in ["twins/a", "twins/b/c", "twins/d"] {
        house = house.write(name, &vec![7; 300_000]);
    }
    house
}

/// A torrent that we made, and what the judges are asked about it.
struct Case {
    kind: Kind,
    path: PathBuf,
    torrent: Torrent,
    question: Value,
}

impl Case {
    fn new(house: &House, content: &str, kind: Kind, piece_bytes: u64) -> Self {
        let file = format!("{}.{kind}.{piece_bytes}.torrent", content.replace('/', " "));
        let (flag, length) = (format!("--{kind}"), piece_bytes.to_string());
        house.run(&["torrent", "create", content, "-o", &file, &flag, "--piece-length", &length]).ok();
        let path = house.root().join(file);
        let torrent = metainfo::parse(fs::read(&path).expect("read")).expect("a torrent");
        assert_eq!(torrent.metainfo.info.kind(), kind);
        let name = &torrent.metainfo.info.name;
        // In our order: for v1, libtorrent keeps whatever order it is given, and by itself takes that of the disk.
        let files: Vec<_> = match &torrent.metainfo.info.layout {
            Layout::Single(bytes) => vec![(name.clone(), *bytes)],
            Layout::Multi(files) => (files.iter().filter(|file| !file.is_pad))
                .map(|file| (format!("{name}/{}", file.path.join("/")), file.bytes))
                .collect(),
        };
        let root = house.root().join(content);
        let question = json!({
            "root": root.parent().expect("a folder of the show"),
            "files": files,
            "kind": kind.as_str(),
            "piece_bytes": piece_bytes,
            "torrent": path,
        });
        Self { kind, path, torrent, question }
    }

    /// As every reader should read it.
    fn meant(&self) -> Value {
        let info = &self.torrent.metainfo.info;
        json!({
            "v1": self.torrent.info_hashes.v1().map(|hash| hash.to_string()),
            "v2": self.torrent.info_hashes.v2().map(|hash| hash.to_string()),
            "files": info.files(),
            "pieces": info.piece_count(),
        })
    }

    /// As a reader that knows v1 alone should read it.
    fn meant_by_v1(&self) -> Value {
        let mut meant = self.meant();
        meant.as_object_mut().expect("an object").remove("v2");
        meant
    }

    /// The bytes that libtorrent's are compared with.
    fn bytes(&self) -> (String, Option<String>) {
        let root = bencode::decode_within(self.torrent.bytes(), DEEP).expect("bencode");
        (hex(self.torrent.info_bytes()), root.get("piece layers").map(|layers| hex(layers.raw)))
    }
}

fn hex(bytes: &[u8]) -> String {
    everseed::id::hex(bytes)
}

/// What libtorrent and torf say of each case.
fn judged(cases: &[Case]) -> Vec<Value> {
    let mut questions = tempfile::tempfile().expect("a temporary file");
    for case in cases {
        writeln!(questions, "{}", case.question).expect("written");
    }
    questions.rewind().expect("at its start again");
    let mut command = script("trees.py");
    command.stdin(questions);
    let answers: Vec<_> =
        printed(command).lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")).collect();
    assert_eq!(answers.len(), cases.len());
    answers
}

/// Checks that libtorrent makes the same of each case, and reads it as it was meant.
fn agrees(cases: &[Case]) {
    for (case, answer) in cases.iter().zip(judged(cases)) {
        let path = case.path.display();
        let (info, layers) = case.bytes();
        let made = &answer["made"];
        assert_eq!(made["info"].as_str(), Some(&info[..]), "info of {path}");
        assert_eq!(made["layers"].as_str(), layers.as_deref(), "piece layers of {path}");
        assert_eq!(answer["read"], case.meant(), "{path}, as libtorrent reads it");
        if case.kind.has_v1() {
            assert_eq!(answer["torf"], case.meant_by_v1(), "{path}, as torf reads it");
        }
    }
}

#[test]
#[ignore = "needs the Python modules libtorrent and torf; .ci/run installs them"]
fn our_torrents_are_libtorrents_byte_for_byte() {
    let house = furnished();
    let mut contents: Vec<_> =
        ["sizes", "names", "deep", "one", "one deep", "empties", "twins"].map(str::to_owned).to_vec();
    contents.extend(sizes().into_iter().filter(|&len| len > 0).map(|len| format!("single/{len}.bin")));
    let mut cases = Vec::new();
    for content in &contents {
        for kind in Kind::ALL {
            cases.extend(PIECE_LENGTHS.map(|bytes| Case::new(&house, content, kind, bytes)));
        }
    }
    agrees(&cases);
}

#[test]
#[ignore = "needs the Python modules libtorrent and torf; .ci/run installs them"]
fn torrents_of_five_thousand_files_are_libtorrents_byte_for_byte() {
    let house = (0..5000).fold(House::new(), |house, n: u64| {
        house.write(&format!("many/{:02}/{n:04}.bin", n % 50), &noise(n, usize::try_from(n % 300).expect("small")))
    });
    agrees(&Kind::ALL.map(|kind| Case::new(&house, "many", kind, 16 * 1024)));
}

/// libtorrent sorts whole paths, where `.` and `-` come before `/`, and a tree sorts name by name: beside a folder `b` it
/// puts `b.txt` first in the list of v1, so that its own hybrid torrent is one that it refuses to read. It reads ours.
#[test]
#[ignore = "needs the Python modules libtorrent and torf; .ci/run installs them"]
fn libtorrent_reads_the_hybrid_torrents_that_it_makes_wrongly() {
    let house = House::new().write("set/b/a", &vec![1; 20_000]).write("set/b.txt", &vec![2; 20_000]);
    let cases = Kind::ALL.map(|kind| Case::new(&house, "set", kind, 16 * 1024));
    for (case, answer) in cases.iter().zip(judged(&cases)) {
        let (info, layers) = case.bytes();
        assert_eq!(answer["read"], case.meant(), "{}", case.kind);
        assert_eq!(answer["made"]["layers"].as_str(), layers.as_deref(), "{}", case.kind);
        let is_hybrid = case.kind == Kind::Hybrid;
        assert_eq!(answer["made"]["info"].as_str() == Some(&info[..]), !is_hybrid, "{}", case.kind);
        assert_eq!(answer["made"]["is_read"].as_bool(), Some(!is_hybrid), "{}", case.kind);
    }
}

#[test]
#[ignore = "needs Node with parse-torrent; .ci/run installs it"]
fn parse_torrent_reads_torrents_as_they_were_meant() {
    let house = furnished();
    let mut cases = Vec::new();
    for content in ["sizes", "names", "deep", "one", "empties", "twins", "single/65537.bin"] {
        cases.extend([Kind::V1, Kind::Hybrid].map(|kind| Case::new(&house, content, kind, 16 * 1024)));
    }
    let mut command = node_script("trees.cjs");
    command.args(cases.iter().map(|case| &case.path));
    let said = printed(command);
    assert_eq!(said.lines().count(), cases.len());
    for (case, line) in cases.iter().zip(said.lines()) {
        let read: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(read, case.meant_by_v1(), "{}", case.path.display());
    }
}

/// What we let through, no client is misled by: libtorrent, which is strict about v2, lets it through and reads the same.
#[test]
#[ignore = "needs the Python modules libtorrent and torf; .ci/run installs them"]
fn what_we_read_in_a_changed_torrent_libtorrent_reads_too() {
    let house = House::new().write("set/b/a", &noise(1, 40_000)).write("set/c", b"").write("set/d", &noise(2, 7));
    let mut accepted = Vec::new();
    for kind in Kind::ALL {
        let case = Case::new(&house, "set", kind, 16 * 1024);
        let before = accepted.len();
        for seed in 0..20_000 {
            let Ok(torrent) = metainfo::parse(mutated(case.torrent.bytes(), seed)) else { continue };
            let path = house.root().join(format!("{kind}.{seed}.torrent"));
            fs::write(&path, torrent.bytes()).expect("written");
            accepted.push(Case { kind, question: json!({ "torrent": path }), path, torrent });
        }
        assert!(accepted.len() > before + 200, "only {} of {kind} were accepted", accepted.len() - before);
    }
    for (case, answer) in accepted.iter().zip(judged(&accepted)) {
        assert_eq!(answer["read"], case.meant(), "{}", case.torrent.bytes().escape_ascii());
    }
}
