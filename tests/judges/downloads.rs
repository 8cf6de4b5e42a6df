//! Each client downloads an episode and a release of several files: through tracker and everseed, from the web seed,
//! from a magnet link, and across the death of the server.

use std::path::Path;
use std::time::Duration;

use everseed::bencode;
use everseed::metainfo::{self, Metainfo, Torrent};
use everseed::store::Store;
use everseed::tracker::Seconds;
use serde_json::Value;

use crate::clients::{Client, Download, Wanted};
use crate::house::{House, MIB, PATIENCE, Server, episode, files};
use crate::net::{Net, Room, SERVER};

/// The slug of an episode and that of a release of several files.
const RELEASES: [&str; 2] = ["ep2", "set"];

#[test]
#[ignore = "needs root, iproute2 and aria2c; .ci/run installs them"]
fn aria2_completes_from_the_everseed_and_from_the_web_seed() {
    completes_both_ways(Client::Aria2);
}

#[test]
#[ignore = "needs root, iproute2 and the Python module libtorrent; .ci/run installs them"]
fn libtorrent_completes_from_the_everseed_and_from_the_web_seed() {
    completes_both_ways(Client::Libtorrent);
}

#[test]
#[ignore = "needs root, iproute2 and qbittorrent-nox; .ci/run installs them"]
fn qbittorrent_completes_from_the_everseed_and_from_the_web_seed() {
    completes_both_ways(Client::Qbittorrent);
}

#[test]
#[ignore = "needs root, iproute2 and rtorrent; .ci/run installs them"]
fn rtorrent_which_knows_no_web_seed_completes_from_the_everseed() {
    completes_both_ways(Client::Rtorrent);
}

#[test]
#[ignore = "needs root, iproute2 and transmission-cli; .ci/run installs them"]
fn transmission_completes_from_the_everseed_and_from_the_web_seed() {
    completes_both_ways(Client::Transmission);
}

#[test]
#[ignore = "needs root, iproute2 and aria2c; .ci/run installs them"]
fn aria2_completes_from_a_magnet_link() {
    completes_from_a_magnet_link(Client::Aria2);
}

#[test]
#[ignore = "needs root, iproute2 and the Python module libtorrent; .ci/run installs them"]
fn libtorrent_completes_from_a_magnet_link() {
    completes_from_a_magnet_link(Client::Libtorrent);
}

#[test]
#[ignore = "needs root, iproute2 and transmission-cli; .ci/run installs them"]
fn transmission_completes_from_a_magnet_link() {
    completes_from_a_magnet_link(Client::Transmission);
}

#[test]
#[ignore = "needs root, iproute2 and aria2c; .ci/run installs them"]
fn aria2_outlives_the_death_of_the_server() {
    outlives_the_death_of_the_server(Client::Aria2);
}

#[test]
#[ignore = "needs root, iproute2 and the Python module libtorrent; .ci/run installs them"]
fn libtorrent_outlives_the_death_of_the_server() {
    outlives_the_death_of_the_server(Client::Libtorrent);
}

fn completes_both_ways(client: Client) {
    Net::inside(|net| {
        let house = House::furnished().serving_with(&at_fixed_ports());
        let server = house.serve();
        let room = net.room();
        for slug in RELEASES {
            let torrent = torrent(&server, slug);
            let everseed = rewritten(&torrent, |metainfo| metainfo.web_seeds.clear());
            downloads(client, &room, &Wanted::Torrent(everseed.bytes()), &house, &format!("{slug}-everseed"));
            let sent = health(&server, &torrent)["sent_bytes"].as_u64();
            assert!(sent >= Some(torrent.metainfo.info.total_bytes()), "the everseed sent {sent:?} bytes of {slug}");
            assert_eq!(scrape(&server, &torrent), Scrape { complete: 1, downloaded: 1, incomplete: 0 });
            if !client.knows_web_seeds() {
                continue;
            }

            let web_seed = rewritten(&torrent, |metainfo| metainfo.trackers.clear());
            downloads(client, &room, &Wanted::Torrent(web_seed.bytes()), &house, &format!("{slug}-web-seed"));
            assert_eq!(health(&server, &torrent)["sent_bytes"].as_u64(), sent, "the everseed was not asked");
            assert_eq!(scrape(&server, &torrent), Scrape { complete: 1, downloaded: 1, incomplete: 0 });
        }
    });
}

fn completes_from_a_magnet_link(client: Client) {
    Net::inside(|net| {
        let house = House::furnished().serving_with(&at_fixed_ports());
        let server = house.serve();
        let room = net.room();
        for slug in RELEASES {
            let link = metainfo::magnet(&torrent(&server, slug));
            downloads(client, &room, &Wanted::Magnet(&link), &house, &format!("{slug}-magnet"));
        }
    });
}

/// The server is killed while a client downloads, and comes back at its addresses; the client finishes, and what was
/// counted before is still known.
fn outlives_the_death_of_the_server(client: Client) {
    const BYTES_PER_SEC: u32 = 6 << 20;
    const SENT: u64 = 24 << 20;
    Net::inside(|net| {
        let house = House::new()
            .page("small.md", &episode("Small", "2026-05-01", "small.mp3"))
            .media("small.mp3", MIB)
            .page("large.md", &episode("Large", "2026-05-08", "large.mp3"))
            .media("large.mp3", 64 * MIB)
            .serving_with(&at_fixed_ports());
        let room = net.room();
        let server = house.serve();
        let small = torrent(&server, "small");
        let large = rewritten(&torrent(&server, "large"), |metainfo| metainfo.web_seeds.clear());
        downloads(client, &room, &Wanted::Torrent(small.bytes()), &house, "small");
        assert_eq!(scrape(&server, &small).downloaded, 1);

        while !is_written(&house, &small) {
            // The database is written every 5 s; a client that is not held back may be done by then.
            std::thread::sleep(Duration::from_millis(100));
        }

        let folder = house.beside("large");
        let mut download = client.start(&room, &Wanted::Torrent(large.bytes()), &folder, Some(BYTES_PER_SEC));
        until("a part was sent", &mut download, || health(&server, &large)["sent_bytes"].as_u64() > Some(SENT));
        server.kill();
        assert!(download.runs(), "the client was to be in the middle of it");

        let server = house.serve();
        assert_eq!(scrape(&server, &small).downloaded, 1);
        is_published(&download.finished(), &house, "large");
        assert_eq!(scrape(&server, &large).downloaded, 1);
    });
}

/// Addresses that are the same after a restart; nobody else is in the server's room.
pub fn at_fixed_ports() -> [&'static str; 4] {
    ["--listen", "10.77.0.1:8080", "--peer-listen", "10.77.0.1:6881"]
}

/// Whether the database knows that a torrent was downloaded.
fn is_written(house: &House, torrent: &Torrent) -> bool {
    let database = house.root().join(".everseed/everseed.sqlite3");
    let store = Store::open(&database).expect("a server has it open, and others may read it").store;
    let loaded = store.load(Seconds(0)).expect("a database");
    loaded.lifetimes.iter().any(|(hash, counted)| *hash == torrent.info_hashes.main() && counted.completed > 0)
}

/// Downloads into a folder of that name, and compares.
fn downloads(client: Client, room: &Room, wanted: &Wanted, house: &House, name: &str) {
    let got = client.start(room, wanted, &house.beside(name), None).finished();
    is_published(&got, house, name.split('-').next().unwrap_or_default());
}

/// Whether the files below `got` are those of the release, byte for byte.
fn is_published(got: &Path, house: &House, slug: &str) {
    let mut published = files(&house.root().join(".everseed/site/media"));
    published.retain(|path, _| path.starts_with(&format!("{slug}/")) || path.starts_with(&format!("{slug}.")));
    assert!(!published.is_empty(), "{slug} has files");
    let mut got = files(got);
    // Some clients make no file where there are no bytes.
    got.retain(|_, bytes| !bytes.is_empty());
    published.retain(|_, bytes| !bytes.is_empty());
    assert_eq!(got.keys().collect::<Vec<_>>(), published.keys().collect::<Vec<_>>());
    for (path, bytes) in got {
        assert!(published[&path] == bytes, "{path} has other bytes than were published");
    }
}

fn torrent(server: &Server, slug: &str) -> Torrent {
    let response = server.get(&format!("/torrents/{slug}.torrent"));
    assert_eq!(response.status, 200);
    let torrent = metainfo::parse(response.body).expect("a torrent");
    assert!(torrent.metainfo.trackers[0][0].contains(SERVER), "{:?}", torrent.metainfo.trackers);
    torrent
}

/// The same torrent with other ways to it.
pub fn rewritten(torrent: &Torrent, change: impl FnOnce(&mut Metainfo)) -> Torrent {
    let mut metainfo = torrent.metainfo.clone();
    change(&mut metainfo);
    let rewritten = metainfo::encode(&metainfo);
    assert_eq!(rewritten.info_hashes.main(), torrent.info_hashes.main());
    rewritten
}

/// What the server's API says of a torrent.
pub fn health(server: &Server, torrent: &Torrent) -> Value {
    let response = server.get(&format!("/api/swarms.json?info_hash={}", torrent.info_hashes.main()));
    assert_eq!(response.status, 200);
    let answer: Value = serde_json::from_slice(&response.body).expect("JSON");
    answer["torrents"][0].clone()
}

/// A torrent's counts.
#[derive(Debug, PartialEq, Eq)]
pub struct Scrape {
    pub complete: i64,
    pub downloaded: i64,
    pub incomplete: i64,
}

/// What the tracker says of a torrent.
pub fn scrape(server: &Server, torrent: &Torrent) -> Scrape {
    let hash = torrent.info_hashes.main().to_string();
    let escaped: Vec<_> = hash.as_bytes().chunks(2).map(|two| format!("%{}", two.escape_ascii())).collect();
    let response = server.get(&format!("/scrape?info_hash={}", escaped.concat()));
    let reply = bencode::decode(&response.body).expect("bencode");
    let (_, counts) = &reply.get("files").and_then(|files| files.as_dict()).expect("a dictionary")[0];
    let count = |key| counts.get(key).and_then(bencode::Value::as_int).expect("a number");
    Scrape { complete: count("complete"), downloaded: count("downloaded"), incomplete: count("incomplete") }
}

/// Asks again and again while the client runs, for at most [`PATIENCE`].
fn until(what: &str, download: &mut Download, mut happened: impl FnMut() -> bool) {
    const PAUSE: Duration = Duration::from_millis(20);
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        if happened() {
            return;
        }
        assert!(download.runs(), "it ended before {what}");
        std::thread::sleep(PAUSE);
    }
    panic!("not within {PATIENCE:?}: {what}");
}
