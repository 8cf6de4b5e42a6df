//! Files that are damaged get their bytes back: from mirrors, from web seeds, from the swarm; and nothing else changes.
#![cfg(feature = "serve")]

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use everseed::fetch::swarm::{self, Limits, Wanted};
use everseed::id::PeerId;
use everseed::metainfo::{Draft, File, Hashes, Info, Layout, Torrent, encode};
use everseed::seed::{Folders, Options, Seed, bind};
use everseed::units::PieceLength;
use sha1::{Digest, Sha1};
use tempfile::TempDir;

const PIECE: usize = 64 * 1024;
/// Names and sizes: a piece that spans three files, an empty file, a last piece of 3 bytes.
const FILES: [(&str, usize); 4] = [("one.bin", 300_000), ("zwei ü.txt", 11), ("empty", 0), ("three.bin", 420_888)];

/// A folder of files and the torrent of them, with its pieces padded or not.
struct Release {
    media: TempDir,
    torrent: Torrent,
}

impl Release {
    fn new(is_padded: bool) -> Self {
        let media = TempDir::new().expect("a temporary folder");
        let (mut content, mut layout) = (Vec::new(), Vec::new());
        for (name, bytes) in FILES {
            // Squares of the position: no two pieces are alike.
            let at = content.len() as u64;
            let own: Vec<u8> = (at..at + bytes as u64).map(|n| (n * n / 251).to_le_bytes()[0]).collect();
            fs::write(media.path().join(name), &own).expect("a file");
            content.extend(own);
            layout.push(File { path: vec![name.into()], bytes: bytes as u64, is_pad: false });
            let pad = content.len().next_multiple_of(PIECE) - content.len();
            if is_padded && pad > 0 {
                content.resize(content.len() + pad, 0);
                layout.push(File { path: vec![".pad".into(), pad.to_string()], bytes: pad as u64, is_pad: true });
            }
        }
        let torrent = encode(&Draft {
            info: Info {
                name: "release".into(),
                piece_length: PieceLength::new(PIECE as u64).expect("a power of two"),
                private: false,
                layout: Layout::Multi(layout),
                source: None,
                hashes: Hashes::V1(content.chunks(PIECE).map(|piece| Sha1::digest(piece).into()).collect()),
            },
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            creation_date: None,
            created_by: None,
            comment: None,
        });
        Self { media, torrent }
    }

    /// Seeds it for as long as the test's runtime lives.
    fn seed(&self) -> SocketAddr {
        let listener = bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let seed = Seed::new(&Options::new(PeerId(*b"-ES0100-abcdefghijkl"), address.port()));
        let mut folders = Folders::below(self.media.path());
        let files = FILES.map(|(name, _)| folders.place(name, false)).to_vec();
        let torrent = everseed::seed::Torrent::new(&self.torrent, files, &[]).expect("all its files");
        seed.set_torrents(vec![torrent]);
        tokio::spawn(
            Arc::clone(&seed).serve(everseed::seed::Sockets { tcp: vec![listener], utp: None }, std::future::pending()),
        );
        address
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.media.path().join(name)).expect("a file")
    }
}

fn limits() -> Limits {
    Limits { stall_within: Duration::from_secs(60), ..Limits::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_swarm_gives_all_files_and_what_is_there_is_kept() {
    for is_padded in [false, true] {
        let release = Release::new(is_padded);
        let folder = TempDir::new().expect("a temporary folder");
        // Half of it is there, and a file that is too long.
        fs::create_dir(folder.path().join("release")).expect("a folder");
        fs::write(folder.path().join("release/one.bin"), &release.bytes("one.bin")[..4 * PIECE]).expect("a part");
        fs::write(folder.path().join("release/zwei ü.txt"), [7; 30]).expect("a file");
        let got = std::sync::atomic::AtomicU64::new(0);
        let wanted = Wanted {
            peers: vec![release.seed()],
            progress: &|bytes| got.store(bytes, std::sync::atomic::Ordering::Relaxed),
            ..Wanted::new(&release.torrent, folder.path())
        };
        swarm::download(wanted, &limits()).await.expect("a download");
        for (name, _) in FILES {
            assert!(
                fs::read(folder.path().join("release").join(name)).expect("a file") == release.bytes(name),
                "{name}"
            );
        }
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
        let fetched = got.into_inner();
        assert!(fetched <= 720_899 - 4 * PIECE as u64 + PIECE as u64, "{fetched} bytes came");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_files_those_that_are_wanted_come() {
    for is_padded in [false, true] {
        let release = Release::new(is_padded);
        let folder = TempDir::new().expect("a temporary folder");
        let wanted =
            Wanted { peers: vec![release.seed()], files: Some(&[0]), ..Wanted::new(&release.torrent, folder.path()) };
        swarm::download(wanted, &limits()).await.expect("a download");
        let one = fs::read(folder.path().join("release/one.bin")).expect("a file");
        assert!(one == release.bytes("one.bin"));
        let three = fs::metadata(folder.path().join("release/three.bin"));
        assert!(three.map_or(0, |three| three.len()) < PIECE as u64, "no more than its share of a piece");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swarm_of_nobody_ends_with_why() {
    let release = Release::new(false);
    let folder = TempDir::new().expect("a temporary folder");
    let wanted = Wanted::new(&release.torrent, folder.path());
    let problem = swarm::download(wanted.clone(), &limits()).await.expect_err("nobody");
    assert_eq!(problem.to_string(), "nobody is known who has \"release\"\n  help: try again when a peer is there");

    // Somebody who accepts and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let peers = vec![silent.local_addr().expect("bound")];
    let limits = Limits { stall_within: Duration::from_millis(500), ..Limits::default() };
    let problem = swarm::download(Wanted { peers, ..wanted }, &limits).await.expect_err("nothing comes");
    assert_eq!(
        problem.to_string(),
        "\"release\" can't be fetched from peers: nothing came for 0.5 s (of 1 known peers 0 are connected)\n  \
         help: try again when more peers are there"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_nothing_is_told_by_its_own_words() {
    let release = Release::new(false);
    let folder = TempDir::new().expect("a temporary folder");
    // A folder stands where a file should come to be.
    fs::create_dir_all(folder.path().join("release/one.bin")).expect("a folder");
    let wanted = Wanted { peers: vec![release.seed()], ..Wanted::new(&release.torrent, folder.path()) };
    let problem = swarm::download(wanted, &limits()).await.expect_err("it can't be written").to_string();
    let below = problem.strip_prefix(&*folder.path().display().to_string());
    assert_eq!(below, Some("/release/one.bin: can't be written: Is a directory (os error 21)"), "{problem}");
}

/// Dropped in the middle, nothing of it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_is_dropped_ends() {
    let release = Release::new(false);
    let folder = TempDir::new().expect("a temporary folder");
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let peers = vec![silent.local_addr().expect("bound")];
    let mut peer = {
        // Its future may go to another thread.
        fn is_send<T: Send>(it: T) -> T {
            it
        }
        let limits = limits();
        let wanted = Wanted { peers, ..Wanted::new(&release.torrent, folder.path()) };
        let download = is_send(swarm::download(wanted, &limits));
        tokio::pin!(download);
        tokio::select! {
            outcome = &mut download => panic!("it waits for the peer: {outcome:?}"),
            peer = silent.accept() => peer.expect("a connection").0,
        }
    };
    // The connection is closed by who has no more use for it.
    let mut said = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut peer, &mut said);
    let ended = tokio::time::timeout(Duration::from_secs(30), read).await;
    assert!(ended.is_ok(), "the peer is still connected");
}
