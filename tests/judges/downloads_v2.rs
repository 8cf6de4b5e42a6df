//! Hybrid torrents, padded ones of v1 and torrents of v2 alone, of a site that another tool could have written: downloaded through tracker
//! and everseed by their v1 side, and from the web seed.

use std::collections::BTreeMap;
use std::path::Path;

use everseed::manifest::{Entry, File, Manifest};
use everseed::metainfo::{self, Draft, Hashes, Info, Kind, Layout, Torrent, merkle};
use everseed::sitepath::SitePath;
use everseed::units::PieceLength;
use sha1::{Digest, Sha1};

use crate::clients::{Client, Wanted};
use crate::downloads::{at_fixed_ports, health, rewritten};
use crate::house::{House, KIB, MIB, Server, files, noise};
use crate::net::{Net, SERVER};

/// The names of a torrent of one file and of one of several.
const RELEASES: [&str; 2] = ["ep.mp3", "set"];
const PIECE: usize = 64 * KIB;

#[test]
#[ignore = "needs root, iproute2 and the Python module libtorrent; .ci/run installs them"]
fn libtorrent_completes_hybrid_torrents() {
    completes_both_ways(Kind::Hybrid, Client::Libtorrent);
}

#[test]
#[ignore = "needs root, iproute2 and qbittorrent-nox; .ci/run installs them"]
fn qbittorrent_completes_hybrid_torrents() {
    completes_both_ways(Kind::Hybrid, Client::Qbittorrent);
}

#[test]
#[ignore = "needs root, iproute2 and rtorrent; .ci/run installs them"]
fn rtorrent_completes_hybrid_torrents() {
    completes_both_ways(Kind::Hybrid, Client::Rtorrent);
}

/// These two know no padding: they ask the web seed for it as for any file.
#[test]
#[ignore = "needs root, iproute2 and aria2c; .ci/run installs them"]
fn aria2_completes_padded_torrents_of_v1() {
    completes_both_ways(Kind::V1, Client::Aria2);
}

#[test]
#[ignore = "needs root, iproute2 and transmission-cli; .ci/run installs them"]
fn transmission_completes_padded_torrents_of_v1() {
    completes_both_ways(Kind::V1, Client::Transmission);
}

#[test]
#[ignore = "needs root, iproute2 and the Python module libtorrent; .ci/run installs them"]
fn libtorrent_completes_torrents_of_v2_alone() {
    completes_both_ways(Kind::V2, Client::Libtorrent);
}

/// As `build` writes them: one file, which clients look for below the web seed by its name, and one in a folder.
#[test]
#[ignore = "needs root, iproute2 and the Python module libtorrent; .ci/run installs them"]
fn libtorrent_completes_the_v2_torrents_of_a_site_from_the_web_seed() {
    Net::inside(|net| {
        let page = |title: &str, media: &str| {
            format!("+++\ntitle = \"{title}\"\ndate = 2026-05-01\nkind = \"v2\"\n{media}\n+++\n")
        };
        let house = House::new()
            .serving_with(&at_fixed_ports())
            .page("one.md", &page("One", "media = \"one.zip\""))
            .media("one.zip", 100_000)
            .page("two.md", &page("Two", "files = [\"two.bin\"]"))
            .media("two.bin", 100_001)
            .page("three.md", &page("Three", "files = [\"in\"]"))
            .media("in/three.bin", 100_002);
        let server = house.serve();
        let room = net.room();
        let media = files(&house.root().join(".everseed/site/media"));
        for (slug, place) in [("one", "one.zip"), ("two", "two/two.bin"), ("three", "three/in/three.bin")] {
            let torrent = metainfo::parse(server.get(&format!("/torrents/{slug}.torrent")).body).expect("a torrent");
            // A client that is done before its first announce was answered never tells that it is.
            let torrent = rewritten(&torrent, |metainfo| metainfo.trackers.clear());
            let folder = house.beside(slug);
            let got = Client::Libtorrent.start(&room, &Wanted::Torrent(torrent.bytes()), &folder, None).finished();
            let got: Vec<_> = files(&got).into_values().collect();
            assert!(got == [media[place].clone()], "{slug}: {} files", got.len());
        }
    });
}

fn completes_both_ways(kind: Kind, client: Client) {
    Net::inside(|net| {
        let (house, torrents) = published(kind);
        let server = house.serve_site();
        let room = net.room();
        for (name, torrent) in RELEASES.into_iter().zip(torrents) {
            let download = |torrent: &Torrent, way: &str| {
                let folder = house.beside(&format!("{name}-{way}"));
                is_published(&client.start(&room, &Wanted::Torrent(torrent.bytes()), &folder, None).finished(), name);
            };
            download(&rewritten(&torrent, |metainfo| metainfo.web_seeds.clear()), "everseed");
            let row = health(&server, &torrent);
            let sent = row["sent_bytes"].as_u64();
            assert!(sent >= Some(torrent.metainfo.info.total_bytes()), "the everseed sent {sent:?} bytes of {name}");
            // A client of both versions tells both swarms.
            assert_eq!((row["completed"].as_u64(), row["leechers"].as_u64()), (Some(1), Some(0)), "{row}");
            if client.knows_web_seeds() {
                download(&rewritten(&torrent, |metainfo| metainfo.trackers.clear()), "web-seed");
                assert_eq!(health(&server, &torrent)["sent_bytes"].as_u64(), sent, "the everseed was not asked");
            }
        }
        is_well(&server);
    });
}

fn is_well(server: &Server) {
    let answer = server.get("/healthz").text();
    assert!(answer.contains("\"status\":\"ok\""), "{answer}");
}

/// The files of a release, below the folder that clients save them in, in the order of a tree: the largest is behind one
/// that leaves most of its piece, and the last one leaves some.
fn content(name: &str) -> BTreeMap<String, Vec<u8>> {
    let file = |name: &str, seed, bytes| (name.to_owned(), noise(seed, bytes));
    match name {
        "set" => [
            file("set/a.bin", 1, KIB + 1),
            file("set/b.bin", 2, MIB + 17),
            file("set/empty.txt", 3, 0),
            file("set/sub/c.bin", 4, PIECE),
            file("set/sub/d.bin", 5, 7),
        ]
        .into(),
        name => [file(name, 6, MIB + 17)].into(),
    }
}

/// A site with both releases as torrents of this kind.
fn published(kind: Kind) -> (House, [Torrent; 2]) {
    let mut house = House::new().serving_with(&at_fixed_ports());
    let torrents = RELEASES.map(|name| torrent(name, kind));
    let path = |text: String| SitePath::new(text).expect("below the root");
    let mut entries = Vec::new();
    for (name, torrent) in RELEASES.into_iter().zip(&torrents) {
        let content = content(name);
        let files = content.iter().map(|(below, bytes)| File {
            path: path(format!("media/{below}")),
            bytes: bytes.len() as u64,
            url: None,
        });
        entries.push(Entry {
            info_hashes: torrent.info_hashes,
            name: name.into(),
            title: name.into(),
            torrent: path(format!("torrents/{name}.torrent")),
            magnet: metainfo::magnet(torrent),
            bytes: torrent.metainfo.info.total_bytes(),
            files: files.collect(),
            page: None,
            published: None,
            retired: None,
        });
        house = house.write(&format!("public/torrents/{name}.torrent"), torrent.bytes());
        for (below, bytes) in content {
            house = house.write(&format!("public/media/{below}"), &bytes);
        }
    }
    let manifest = Manifest {
        generator: "a judge".into(),
        title: "A show".into(),
        base_url: format!("http://{SERVER}:8080/"),
        torrents: entries,
    };
    (house.write("public/everseed.json", manifest.to_json().as_bytes()), torrents)
}

fn torrent(name: &str, kind: Kind) -> Torrent {
    let piece_length = PieceLength::new(PIECE as u64).expect("a power of two");
    let content = content(name);
    let file = |(below, bytes): (&String, &Vec<u8>)| metainfo::File {
        path: below.split('/').skip(1).map(str::to_owned).collect(),
        bytes: bytes.len() as u64,
        is_pad: false,
    };
    let layout = match content.get(name) {
        Some(bytes) => Layout::Single(bytes.len() as u64),
        None if kind.has_v1() => Layout::Multi(metainfo::padded(content.iter().map(file).collect(), piece_length)),
        None => Layout::Multi(content.iter().map(file).collect()),
    };
    let mut stream = Vec::new();
    for bytes in content.values() {
        stream.extend(bytes);
        if kind.has_v1() && matches!(layout, Layout::Multi(_)) {
            stream.resize(stream.len().next_multiple_of(PIECE), 0);
        }
    }
    let pieces = stream.chunks(PIECE).map(|piece| Sha1::digest(piece).into()).collect();
    let tree = |bytes: &Vec<u8>| {
        let leaves: Vec<_> = bytes.chunks(16 * KIB).map(merkle::leaf).collect();
        merkle::tree(&leaves, piece_length)
    };
    let trees = content.values().map(tree).collect();
    let hashes = match kind {
        Kind::V1 => Hashes::V1(pieces),
        Kind::V2 => Hashes::V2(trees),
        Kind::Hybrid => Hashes::Hybrid { pieces, trees },
    };
    metainfo::encode(&Draft {
        info: Info { name: name.into(), piece_length, private: false, source: None, layout, hashes },
        trackers: vec![vec![format!("http://{SERVER}:8080/announce")], vec![format!("udp://{SERVER}:8080/announce")]],
        web_seeds: vec![format!("http://{SERVER}:8080/media/")],
        creation_date: None,
        created_by: None,
        comment: None,
    })
}

/// Whether the files below `got` are those of the release, byte for byte. Padding is saved by clients that do not know it.
fn is_published(got: &Path, name: &str) {
    let mut got = files(got);
    got.retain(|path, bytes| !bytes.is_empty() && !path.contains("/.pad/"));
    let mut published = content(name);
    // Some clients make no file where there are no bytes.
    published.retain(|_, bytes| !bytes.is_empty());
    assert_eq!(got.keys().collect::<Vec<_>>(), published.keys().collect::<Vec<_>>());
    for (path, bytes) in got {
        assert!(published[&path] == bytes, "{path} has other bytes than were published");
    }
}
