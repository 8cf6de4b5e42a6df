//! Somebody else's client downloads from a running `everseed serve`: librqbit through the tracker and the everseed,
//! and pieces through the web seed alone.
#![cfg(feature = "serve")]

mod house;

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;

use everseed::metainfo::{self, Torrent};
use house::{House, KIB, MIB, PATIENCE, Server, episode, files, until};
use librqbit::{AddTorrent, AddTorrentOptions, Session, SessionOptions};
use sha1::{Digest, Sha1};

/// A librqbit that knows nobody but the trackers it is told of.
async fn client(folder: &Path) -> Arc<Session> {
    let options = SessionOptions {
        dht: None,
        disable_local_service_discovery: true,
        ipv4_only: true,
        ..SessionOptions::default()
    };
    Session::new_with_opts(folder.to_owned(), options).await.expect("a session")
}

/// Downloads what `torrent` names into `folder`, or fails the test.
async fn download(folder: &Path, torrent: AddTorrent<'_>) {
    let session = client(folder).await;
    let options = AddTorrentOptions { overwrite: true, ..AddTorrentOptions::default() };
    let finished = async {
        let added = session.add_torrent(torrent, Some(options)).await.expect("added");
        added.into_handle().expect("a torrent").wait_until_completed().await.expect("completed");
    };
    tokio::time::timeout(PATIENCE, finished).await.expect("the download ends");
    session.stop().await;
}

fn torrent(server: &Server, slug: &str) -> Torrent {
    let response = server.get(&format!("/torrents/{slug}.torrent"));
    assert_eq!(response.status, 200);
    metainfo::parse(response.body).expect("a torrent")
}

fn downloaded_is_published(folder: &Path, house: &House) {
    let got = files(folder);
    let published = files(&house.root().join(".everseed/site/media"));
    assert_eq!(got.len(), 1, "one file was asked for: {:?}", got.keys());
    for (name, bytes) in got {
        assert!(published[&name] == bytes, "{name} has other bytes than were published");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn librqbit_downloads_by_torrent_and_by_magnet_through_our_tracker() {
    let house = House::new().page("ep1.md", &episode("One", "2026-05-01", "ep1.mp3")).media("ep1.mp3", 2 * MIB + 321);
    let server = house.serve();
    let torrent = torrent(&server, "ep1");

    let folder = house.beside("by-torrent");
    download(&folder, AddTorrent::from_bytes(torrent.bytes().to_vec())).await;
    downloaded_is_published(&folder, &house);

    let folder = house.beside("by-magnet");
    download(&folder, AddTorrent::from_url(metainfo::magnet(&torrent))).await;
    downloaded_is_published(&folder, &house);

    until("all of it is verified", || server.shows_verified());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn librqbit_downloads_a_release_of_several_files() {
    let house = House::furnished();
    let server = house.serve();
    let folder = house.beside("set");
    download(&folder, AddTorrent::from_bytes(torrent(&server, "set").bytes().to_vec())).await;
    let published = files(&house.root().join(".everseed/site/media/set"));
    let got: std::collections::BTreeMap<_, _> =
        files(&folder).into_iter().map(|(name, bytes)| (name.trim_start_matches("set/").to_owned(), bytes)).collect();
    // librqbit makes no file where there are no bytes.
    let with_bytes = |map: std::collections::BTreeMap<String, Vec<u8>>| {
        map.into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect::<std::collections::BTreeMap<_, _>>()
    };
    assert!(with_bytes(got) == with_bytes(published));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_outlives_the_death_of_the_server() {
    let house = House::new().page("ep1.md", &episode("One", "2026-05-01", "ep1.mp3")).media("ep1.mp3", 4 * MIB);
    let server = house.serve();
    let url = server.url().to_owned();
    let torrent = torrent(&server, "ep1");
    let folder = house.beside("got");
    download(&folder, AddTorrent::from_bytes(torrent.bytes().to_vec())).await;
    server.kill();

    // The same addresses again, so that the torrent stays the same and its clients find the tracker.
    let http = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let house = house.serving_with(&["--listen", &http]);
    let server = house.serve();
    assert_eq!(server.url(), url);
    let folder = house.beside("got-again");
    download(&folder, AddTorrent::from_bytes(torrent.bytes().to_vec())).await;
    downloaded_is_published(&folder, &house);
}

/// Every piece, asked for as a client with no peers does (BEP 19).
#[test]
fn the_web_seed_alone_gives_every_piece() {
    let house = House::furnished();
    let server = house.serve();
    for slug in ["ep1", "ep2", "set"] {
        let torrent = torrent(&server, slug);
        let info = &torrent.metainfo.info;
        let base = &torrent.metainfo.web_seeds[0];
        let mut content = Vec::new();
        for (path, bytes) in info.files() {
            let url = if base.ends_with('/') { format!("{base}{path}") } else { base.clone() };
            content.extend(fetch(&server, &url, bytes));
        }
        for (index, piece) in content.chunks(info.piece_length.bytes() as usize).enumerate() {
            assert_eq!(
                <[u8; 20]>::from(Sha1::digest(piece)),
                info.pieces().expect("of v1")[index],
                "piece {index} of {slug}"
            );
        }
    }
}

/// The `bytes` bytes at `url`, in ranges of an odd length.
fn fetch(server: &Server, url: &str, bytes: u64) -> Vec<u8> {
    let path = url.strip_prefix(server.url().trim_end_matches('/')).expect("on this server");
    let mut content = Vec::new();
    while (content.len() as u64) < bytes {
        let (start, end) = (content.len() as u64, (content.len() + 100 * KIB) as u64 + 2);
        let range =
            format!("GET {path} HTTP/1.1\r\nHost: a\r\nRange: bytes={start}-{end}\r\nConnection: close\r\n\r\n");
        let response = server.request(&range);
        assert_eq!(response.status, 206);
        let last = (end).min(bytes - 1);
        assert_eq!(response.header("content-range"), Some(&*format!("bytes {start}-{last}/{bytes}")));
        content.extend(response.body);
    }
    content
}

/// `stopped` is said and the database flushed, without anybody's help.
#[test]
fn a_server_that_is_asked_to_stop_ends_well_and_soon() {
    let house = House::furnished();
    for signal in ["TERM", "INT"] {
        let server = house.serve();
        let (status, took) = server.stop_with(signal);
        assert_eq!(status.code(), Some(0));
        assert!(took < PATIENCE, "{took:?}");
    }
}

/// Neither a tracker that does not answer nor those who are connected and say half of something hold it up.
#[test]
fn a_server_ends_soon_whoever_keeps_it_waiting() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    silent.set_read_timeout(Some(PATIENCE)).expect("set");
    let url = format!("udp://{}/announce", silent.local_addr().expect("bound"));
    let house = House::furnished().toml(&format!(
        "[site]\ntitle = \"A\"\nbase_url = \"https://a.example.org/\"\n[torrent]\ntrackers = [\"{url}\"]\n"
    ));
    house.build().ok();
    let server = house.serve_site();
    let halves: [(_, &[u8]); 5] = [
        (server.http(), b""),
        (server.http(), b"GET / HTTP/1.1\r\nHo"),
        (server.http(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (server.peers(), b""),
        (server.peers(), b"\x13BitTorrent prot"),
    ];
    let connected = halves.map(|(to, bytes)| {
        let mut stream = TcpStream::connect(to).expect("connected");
        stream.write_all(bytes).expect("sent");
        stream
    });
    silent.recv(&mut [0; 64]).expect("the tracker is asked, and would be told of the end");
    let (status, took) = server.stop();
    assert_eq!(status.code(), Some(0));
    assert!(took < PATIENCE, "{took:?}");
    drop(connected);
}
