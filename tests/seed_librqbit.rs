//! librqbit, which is not ours, downloads from the seed: by `.torrent` and by magnet link.
#![cfg(feature = "serve")]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use everseed::id::PeerId;
use everseed::metainfo::{Draft, File, Hashes, Info, Layout, Torrent, encode};
use everseed::seed::{Folders, Options, Seed, Sockets, bind};
use everseed::units::PieceLength;
use librqbit::{AddTorrent, AddTorrentOptions, Session, SessionOptions};
use sha1::{Digest, Sha1};
use tempfile::TempDir;

/// Longer than a download takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);
const PIECE: usize = 64 * 1024;
/// Names and sizes: a piece that spans three files, an empty file, a last piece of 3 bytes.
const FILES: [(&str, usize); 4] = [("one.bin", 300_000), ("two.txt", 11), ("empty", 0), ("three.bin", 420_888)];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_torrent() {
    let (media, torrent) = release(false);
    let address = seed(media.path(), &torrent).await;
    download(media.path(), AddTorrent::from_bytes(torrent.bytes().to_vec()), address).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_magnet() {
    let (media, torrent) = release(false);
    let address = seed(media.path(), &torrent).await;
    let magnet = format!("magnet:?xt=urn:btih:{}", torrent.info_hashes.main());
    download(media.path(), AddTorrent::from_url(magnet), address).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_torrent_by_its_file() {
    let (media, torrent) = release(true);
    let address = seed(media.path(), &torrent).await;
    download(media.path(), AddTorrent::from_bytes(torrent.bytes().to_vec()), address).await;
}

/// A folder of files and the torrent of them.
fn release(private: bool) -> (TempDir, Torrent) {
    let media = TempDir::new().expect("a temporary folder");
    let mut content = Vec::new();
    for (name, bytes) in FILES {
        // Squares of the position: no two pieces are alike.
        let at = content.len() as u64;
        let own: Vec<u8> = (at..at + bytes as u64).map(|n| (n * n / 251).to_le_bytes()[0]).collect();
        fs::write(media.path().join(name), &own).expect("a file");
        content.extend(own);
    }
    let layout = FILES.map(|(name, bytes)| File { path: vec![name.into()], bytes: bytes as u64, is_pad: false });
    let torrent = encode(&Draft {
        info: Info {
            name: "release".into(),
            piece_length: PieceLength::new(PIECE as u64).expect("a power of two"),
            private,
            layout: Layout::Multi(layout.to_vec()),
            source: None,
            hashes: Hashes::V1(content.chunks(PIECE).map(|piece| Sha1::digest(piece).into()).collect()),
        },
        trackers: Vec::new(),
        web_seeds: Vec::new(),
        creation_date: None,
        created_by: None,
        comment: None,
    });
    (media, torrent)
}

/// Seeds it for as long as the test's runtime lives.
async fn seed(media: &Path, torrent: &Torrent) -> SocketAddr {
    let listener = bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let address = listener.local_addr().expect("bound");
    let seed = Seed::new(&Options::new(PeerId(*b"-ES0100-abcdefghijkl"), address.port()));
    let mut folders = Folders::below(media);
    let files = FILES.map(|(name, _)| folders.place(name, false)).to_vec();
    seed.set_torrents(vec![everseed::seed::Torrent::new(torrent, files, &[]).expect("all its files")]);
    seed.look().await;
    assert_eq!(seed.statuses(|_| true)[0].1.faults, Vec::<String>::new());
    tokio::spawn(Arc::clone(&seed).serve(Sockets { tcp: vec![listener], utp: None }, std::future::pending()));
    address
}

/// Downloads with librqbit from this peer alone, and compares every file.
async fn download(media: &Path, what: AddTorrent<'_>, peer: SocketAddr) {
    let target = TempDir::new().expect("a temporary folder");
    let options = SessionOptions {
        dht: None,
        disable_trackers: true,
        disable_local_service_discovery: true,
        persistence: None,
        listen: None,
        ..SessionOptions::default()
    };
    let session = Session::new_with_opts(target.path().to_owned(), options).await.expect("a session");
    let options = AddTorrentOptions {
        initial_peers: Some(vec![peer]),
        output_folder: Some(target.path().to_str().expect("UTF-8").to_owned()),
        disable_trackers: true,
        ..AddTorrentOptions::default()
    };
    let whole = async {
        let added = session.add_torrent(what, Some(options)).await.expect("a torrent");
        let handle = added.into_handle().expect("a torrent to download");
        handle.wait_until_completed().await.expect("a download");
    };
    tokio::time::timeout(PATIENCE, whole).await.expect("in time");
    session.stop().await;
    for (name, _) in FILES {
        let (ours, theirs) = (fs::read(media.join(name)), fs::read(target.path().join(name)));
        assert!(ours.expect("a file") == theirs.expect("its copy"), "{name}");
    }
}
