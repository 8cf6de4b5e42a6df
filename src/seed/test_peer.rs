//! A seed at real sockets, and peers made of a few bytes each, for the tests of this module.

#![expect(clippy::cast_possible_truncation, reason = "torrents of a few pieces")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::hello::{self, Hello};
use super::stream::Stream;
use super::test_house::{House, PIECE};
use super::utp::Utp;
use super::{Health, Options, Seed, Sockets, Torrent, bind};
use crate::id::{InfoHash, PeerId};
use crate::problem::Problem;
use crate::wire::mse::Ciphers;
use crate::wire::{HANDSHAKE_BYTES, Handshake};

/// Longer than anything here takes; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A seed that runs.
pub struct Running {
    pub seed: Arc<Seed>,
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), Problem>>,
}

impl Running {
    pub fn start(torrents: Vec<Torrent>, options: &Options) -> Self {
        Self::start_at(sockets(), torrents, options)
    }

    pub fn start_at((tcp, utp): (TcpListener, std::net::UdpSocket), torrents: Vec<Torrent>, options: &Options) -> Self {
        let seed = Seed::new(options);
        seed.set_torrents(torrents);
        let address = tcp.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let sockets = Sockets { tcp: vec![tcp], utp: Some(utp) };
        let task = tokio::spawn(Arc::clone(&seed).serve(sockets, async move { _ = stopped.await }));
        Self { seed, address, stop, task }
    }

    pub async fn stop(self) {
        self.stop.send(()).expect("it runs");
        let ended = timeout(PATIENCE, self.task).await.expect("it stops");
        ended.expect("without a panic").expect("not by itself");
    }

    /// Waits until peers can be called over uTP.
    pub async fn reaches_door(&self) {
        // Whoever is answered over uTP has come through it.
        Leecher::connect(self.address, true).await;
        assert!(self.seed.utp_door().is_some());
    }

    /// Waits until a torrent stands so.
    pub async fn reaches(&self, torrent: &Torrent, health: Health) {
        let mut changes = self.seed.changes();
        let wait = async {
            while self.seed.health(&torrent.info_hash()) != Some(health) {
                changes.changed().await.expect("the seed lives");
            }
        };
        timeout(PATIENCE, wait).await.expect("the health is reached");
    }
}

/// A port of TCP and UDP that is free.
pub fn sockets() -> (TcpListener, std::net::UdpSocket) {
    loop {
        let tcp = bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        if let Ok(udp) = std::net::UdpSocket::bind(tcp.local_addr().expect("bound")) {
            return (tcp, udp);
        }
    }
}

pub fn options() -> Options {
    Options::new(PeerId(*b"-ES0100-abcdefghijkl"), 6881)
}

/// How a peer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Tcp,
    TcpEncrypted,
    Utp,
    UtpEncrypted,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::Tcp, Self::TcpEncrypted, Self::Utp, Self::UtpEncrypted];

    pub fn is_utp(self) -> bool {
        matches!(self, Self::Utp | Self::UtpEncrypted)
    }

    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::TcpEncrypted | Self::UtpEncrypted)
    }
}

/// A client that says what a test wants.
pub struct Leecher {
    pub stream: Stream,
    pub ciphers: Option<Box<Ciphers>>,
    /// What has come and was not looked at yet, in the clear.
    pub inbox: Vec<u8>,
    // The stream over uTP lives in it.
    _utp: Option<Arc<Utp>>,
}

impl Leecher {
    /// Comes to a seed.
    pub async fn connect(address: SocketAddr, is_utp: bool) -> Self {
        let (stream, utp) = if is_utp {
            let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
            let utp = Arc::new(Utp::with(socket.into_std().expect("a socket"), 1, 1 << 20).expect("uTP"));
            let line = timeout(PATIENCE, utp.connect(address)).await.expect("in time").expect("an answer");
            (Stream::Utp(Box::new(line)), Some(utp))
        } else {
            (Stream::tcp(TcpStream::connect(address).await.expect("a listener")), None)
        };
        Self { stream, ciphers: None, inbox: Vec::new(), _utp: utp }
    }

    /// Speaks on, on a stream that somebody else has opened.
    pub fn on(stream: Stream, Hello { inbox, ciphers }: Hello) -> Self {
        Self { stream, ciphers, inbox, _utp: None }
    }

    /// Comes to a seed and says which torrent it wants.
    pub async fn greet(address: SocketAddr, info_hash: InfoHash) -> Self {
        Self::greet_by(Way::Tcp, address, info_hash).await
    }

    pub async fn greet_by(way: Way, address: SocketAddr, info_hash: InfoHash) -> Self {
        Self::greet_as(way, address, &handshake(info_hash)).await
    }

    pub async fn greet_as(way: Way, address: SocketAddr, handshake: &Handshake) -> Self {
        let mut leecher = Self::connect(address, way.is_utp()).await;
        let mut hello = Vec::new();
        handshake.write(&mut hello);
        if way.is_encrypted() {
            let own = Seed::new(&options());
            let dial = hello::dial(&own, &mut leecher.stream, handshake.info_hash, &hello);
            let said = timeout(PATIENCE, dial).await.expect("in time").expect("an answer");
            (leecher.inbox, leecher.ciphers) = (said.inbox, said.ciphers);
        } else {
            leecher.send(&hello).await;
        }
        let answer = leecher.take(HANDSHAKE_BYTES).await.expect("a handshake");
        assert_eq!(answer[28..48], handshake.info_hash.0);
        leecher
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        if let Some(ciphers) = &mut self.ciphers {
            ciphers.encrypt(&mut bytes);
        }
        self.stream.write_all(&bytes).await.expect("sent");
    }

    pub async fn ask(&mut self, piece: u32, begin: u32, bytes: u32) {
        self.send(&request(piece, begin, bytes)).await;
    }

    /// The next bytes, or nothing at the end.
    pub async fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.inbox.len() < count {
            let bytes = timeout(PATIENCE, self.stream.read(&mut self.inbox)).await.expect("in time").ok()?;
            if let Some(ciphers) = &mut self.ciphers {
                let from = self.inbox.len() - bytes;
                ciphers.decrypt(&mut self.inbox[from..]);
            }
        }
        let rest = self.inbox.split_off(count);
        Some(std::mem::replace(&mut self.inbox, rest))
    }

    /// The next message with its number, or nothing at the end.
    pub async fn message(&mut self) -> Option<Vec<u8>> {
        let length = self.take(4).await?.try_into().expect("4 bytes");
        self.take(u32::from_be_bytes(length) as usize).await
    }

    /// The next message with this number.
    pub async fn next(&mut self, number: u8) -> Option<Vec<u8>> {
        loop {
            let message = self.message().await?;
            if message.first() == Some(&number) {
                return Some(message);
            }
        }
    }

    /// The bytes of the next block.
    pub async fn block(&mut self) -> Option<Vec<u8>> {
        Some(self.next(7).await?.split_off(9))
    }

    /// The whole content, block for block.
    pub async fn content(&mut self, house: &House) -> Vec<u8> {
        let mut content = Vec::new();
        for (piece, bytes) in (0..).zip(house.content.chunks(PIECE)) {
            let half = bytes.len().div_ceil(2);
            self.ask(piece, 0, half as u32).await;
            self.ask(piece, half as u32, (bytes.len() - half) as u32).await;
            content.extend(self.block().await.expect("a half"));
            content.extend(self.block().await.expect("the other"));
        }
        content
    }

    /// The same for who has not come yet.
    pub async fn download(address: SocketAddr, house: &House) -> Vec<u8> {
        Self::greet(address, house.torrent.info_hash()).await.content(house).await
    }
}

/// What a leecher says first that knows of no extension.
pub fn handshake(info_hash: InfoHash) -> Handshake {
    Handshake { extended: false, fast: false, v2: false, info_hash, peer_id: PeerId(*b"-TT0000-abcdefghijkl") }
}

pub fn request(piece: u32, begin: u32, bytes: u32) -> Vec<u8> {
    let numbers = [13_u32.to_be_bytes(), [0; 4], piece.to_be_bytes(), begin.to_be_bytes(), bytes.to_be_bytes()];
    let [length, _, rest @ ..] = numbers;
    [&length[..], &[6], rest.as_flattened()].concat()
}
