//! A seed at a real socket, and leechers made of a few bytes each.

#![expect(clippy::cast_possible_truncation, reason = "torrents of a few pieces")]

use std::fs;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::test_house::{House, PIECE};
use super::super::{Health, Options, Torrent};
use super::*;
use crate::id::{InfoHash, PeerId};
use crate::wire::Handshake;

/// Longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    seed: Arc<Seed>,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Problem>>,
}

impl Running {
    fn start(torrents: Vec<Torrent>, options: &Options) -> Self {
        let seed = Seed::new(options);
        seed.set_torrents(torrents);
        let listener = bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(Arc::clone(&seed).serve(vec![listener], async move { _ = stopped.await }));
        Self { seed, address, stop, task }
    }

    async fn stop(self) {
        self.stop.send(()).expect("it runs");
        let ended = timeout(PATIENCE, self.task).await.expect("it stops");
        ended.expect("without a panic").expect("not by itself");
    }

    /// Waits until a torrent stands so.
    async fn reaches(&self, torrent: &Torrent, health: Health) {
        let mut changes = self.seed.changes();
        let wait = async {
            while self.seed.health(&torrent.info_hash()) != Some(health) {
                changes.changed().await.expect("the seed lives");
            }
        };
        timeout(PATIENCE, wait).await.expect("the health is reached");
    }
}

/// A client that says what a test wants.
struct Leecher(TcpStream);

impl Leecher {
    async fn greet(address: SocketAddr, info_hash: InfoHash) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("a listener");
        let mut hello = Vec::new();
        Handshake { extended: false, fast: false, v2: false, info_hash, peer_id: PeerId(*b"-TT0000-abcdefghijkl") }
            .write(&mut hello);
        stream.write_all(&hello).await.expect("sent");
        let mut answer = [0; 68];
        timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("in time").expect("a handshake");
        assert_eq!(answer[28..48], info_hash.0);
        Self(stream)
    }

    async fn ask(&mut self, piece: u32, begin: u32, bytes: u32) {
        self.0.write_all(&request(piece, begin, bytes)).await.expect("sent");
    }

    /// The next message with its number, or nothing at the end.
    async fn message(&mut self) -> Option<Vec<u8>> {
        let next = async {
            let length = self.0.read_u32().await.ok()?;
            let mut body = vec![0; length as usize];
            self.0.read_exact(&mut body).await.ok()?;
            Some(body)
        };
        timeout(PATIENCE, next).await.expect("in time")
    }

    /// The bytes of the next block.
    async fn block(&mut self) -> Option<Vec<u8>> {
        loop {
            let mut message = self.message().await?;
            if message.first() == Some(&7) {
                return Some(message.split_off(9));
            }
        }
    }

    /// The whole content, block for block.
    async fn download(address: SocketAddr, house: &House) -> Vec<u8> {
        let mut leecher = Self::greet(address, house.torrent.info_hash()).await;
        let mut content = Vec::new();
        for (piece, bytes) in (0..).zip(house.content.chunks(PIECE)) {
            let half = bytes.len().div_ceil(2);
            leecher.ask(piece, 0, half as u32).await;
            leecher.ask(piece, half as u32, (bytes.len() - half) as u32).await;
            content.extend(leecher.block().await.expect("a half"));
            content.extend(leecher.block().await.expect("the other"));
        }
        content
    }
}

fn request(piece: u32, begin: u32, bytes: u32) -> Vec<u8> {
    let numbers = [13_u32.to_be_bytes(), [0; 4], piece.to_be_bytes(), begin.to_be_bytes(), bytes.to_be_bytes()];
    let [length, _, rest @ ..] = numbers;
    [&length[..], &[6], rest.as_flattened()].concat()
}

fn options() -> Options {
    Options::new(PeerId(*b"-ES0100-abcdefghijkl"), 6881)
}

#[tokio::test]
async fn a_leecher_gets_the_content_at_once_and_the_torrent_is_verified_beside() {
    let house = House::new(&[("a", PIECE * 3 + 7), ("b", 100), ("empty", 0)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    assert!(Leecher::download(running.address, &house).await == house.content);
    running.reaches(&house.torrent, Health::Verified).await;
    assert!(Leecher::download(running.address, &house).await == house.content);
    let sent = 2 * house.content.len() as u64;
    running.seed.add_sent(&house.torrent.info_hash(), 1000);
    let status = running.seed.status(&house.torrent.info_hash()).expect("seeded");
    assert_eq!((status.sent_bytes, running.seed.sent_bytes()), (sent + 1000, sent));
    assert_eq!((status.pieces, status.pieces_verified, status.faults), (4, 4, Vec::new()));
    running.stop().await;
}

#[tokio::test]
async fn forty_bad_handshakes_at_once_and_silent_connections_harm_nobody() {
    let house = House::new(&[("a", PIECE)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    let mut others = Vec::new();
    for n in 0..40_u8 {
        let mut stream = TcpStream::connect(running.address).await.expect("a listener");
        match n % 4 {
            0 => stream.write_all(&[n; 96]).await.expect("sent"),
            1 => stream.write_all(b"\x13BitTorrent protocol\0\0").await.expect("sent"),
            2 => {
                let mut hello = Vec::new();
                let unknown = Handshake {
                    extended: true,
                    fast: false,
                    v2: false,
                    info_hash: InfoHash([n; 20]),
                    peer_id: PeerId([n; 20]),
                };
                unknown.write(&mut hello);
                stream.write_all(&hello).await.expect("sent");
            }
            _ => {}
        }
        others.push(stream);
    }
    assert!(Leecher::download(running.address, &house).await == house.content);
    for (n, mut stream) in others.into_iter().enumerate() {
        if n % 2 == 0 {
            // Hung up on; a reset is an end as well.
            let end = timeout(PATIENCE, stream.read(&mut [0; 8])).await.expect("in time");
            assert_eq!(end.unwrap_or(0), 0);
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn in_a_full_house_a_good_client_gets_in() {
    let house = House::new(&[("a", PIECE)]);
    let mut options = options();
    options.limits.connections_max = 3;
    let running = Running::start(vec![house.torrent.clone()], &options);
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(running.address).await.expect("a listener"));
    }
    assert!(Leecher::download(running.address, &house).await == house.content);
    running.stop().await;
}

#[tokio::test]
async fn a_hundred_thousand_requests_without_reading_cost_what_the_socket_holds() {
    const MIB: u64 = 1 << 20;
    let house = House::new(&[("a", PIECE * 64)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    let mut greedy = Leecher::greet(running.address, house.torrent.info_hash()).await;
    let asked: Vec<u8> = (0..100_000_u32).flat_map(|n| request(n % 64, n / 64, 8192)).collect();
    // It ends by being told to wait: the pipe fills, as nothing is read at the other end.
    let sending = async { greedy.0.write_all(&asked).await };
    let downloads = async {
        for _ in 0..3 {
            assert!(Leecher::download(running.address, &house).await == house.content);
        }
    };
    tokio::select! {
        biased;
        () = downloads => {}
        Err(error) = sending => panic!("hung up on: {error}"),
    }
    let content = house.content.len() as u64;
    let sent = running.seed.sent_bytes() - 3 * content;
    assert!(sent < 32 * MIB, "{sent} bytes were taken from disk for a peer that reads nothing");
    // And when it reads, it is served on, beyond what was underway.
    for n in 0..4000 {
        let block = greedy.block().await.expect("a block in its turn");
        let start = n % 64 * PIECE + n / 64;
        assert!(block == house.content[start..start + 8192], "block {n}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_missing_file_is_told_and_a_restored_one_announced_to_who_is_there() {
    let house = House::new(&[("a", PIECE), ("b", PIECE)]);
    fs::remove_file(house.path("b")).expect("removed");
    let running = Running::start(vec![house.torrent.clone()], &options());
    running.reaches(&house.torrent, Health::Degraded).await;
    let status = running.seed.status(&house.torrent.info_hash()).expect("seeded");
    assert_eq!(status.faults, ["media/b is missing"]);
    let mut leecher = Leecher::greet(running.address, house.torrent.info_hash()).await;
    assert_eq!(leecher.message().await.as_deref(), Some(&[5, 0x80][..]), "a bitfield without piece 1");

    fs::write(house.path("b"), &house.content[PIECE..]).expect("restored");
    running.seed.look().await;
    assert_eq!(leecher.message().await.as_deref(), Some(&[4, 0, 0, 0, 1][..]), "have piece 1");
    leecher.ask(1, 0, 16384).await;
    assert!(leecher.block().await.is_some_and(|block| block == house.content[PIECE..]));
    running.reaches(&house.torrent, Health::Verified).await;

    fs::remove_file(house.path("b")).expect("removed");
    leecher.ask(1, 0, 16384).await;
    assert_eq!(leecher.block().await, None, "hung up on");
    assert_eq!(running.seed.health(&house.torrent.info_hash()), Some(Health::Degraded));
    running.stop().await;
}

#[tokio::test]
async fn torrents_come_and_go_while_it_runs() {
    let (first, second) = (House::new(&[("a", PIECE)]), House::new(&[("b", PIECE * 2)]));
    let running = Running::start(vec![first.torrent.clone()], &options());
    running.reaches(&first.torrent, Health::Verified).await;
    let mut leecher = Leecher::greet(running.address, first.torrent.info_hash()).await;
    running.seed.set_torrents(vec![first.torrent.clone(), second.torrent.clone()]);
    assert_eq!(running.seed.health(&first.torrent.info_hash()), Some(Health::Verified), "it keeps its state");
    assert!(Leecher::download(running.address, &second).await == second.content);
    leecher.ask(0, 0, 16384).await;
    assert!(leecher.block().await.is_some_and(|block| block == first.content));

    running.seed.set_torrents(vec![second.torrent.clone()]);
    assert_eq!(leecher.block().await, None, "its torrent is gone");
    assert_eq!(running.seed.statuses().len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_torrent_whose_files_move_is_looked_at_anew_and_keeps_its_count() {
    let house = House::new(&[("a", PIECE)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    assert!(Leecher::download(running.address, &house).await == house.content);
    running.seed.set_torrents(vec![house.with_moved("a", "b")]);
    running.seed.look().await;
    let status = running.seed.status(&house.torrent.info_hash()).expect("seeded");
    assert_eq!((status.health, status.sent_bytes), (Health::Missing, PIECE as u64));
    fs::rename(house.path("a"), house.path("b")).expect("renamed");
    running.seed.look().await;
    running.reaches(&house.torrent, Health::Verified).await;
    running.stop().await;
}

#[tokio::test]
async fn it_stops_at_once_and_hangs_up() {
    let house = House::new(&[("a", PIECE)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    let mut leecher = Leecher::greet(running.address, house.torrent.info_hash()).await;
    let (seed, address) = (Arc::clone(&running.seed), running.address);
    running.stop().await;
    assert_eq!(leecher.block().await, None);
    assert_eq!(seed.connections(), 0);
    bind(address).expect("the port is free again");
}
