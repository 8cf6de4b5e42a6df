//! Bad company, in thousands, on the loopback network: whatever it does, a good peer has its bytes a second after it
//! connects, an announce is answered within that time, and the server's memory stays below a bound that is named here.
#![cfg(all(feature = "serve", target_os = "linux"))]

mod house;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everseed::id::InfoHash;
use everseed::metainfo;
use everseed::tracker::udp::{ANNOUNCE, CONNECT, PROTOCOL_ID};
use house::{House, MIB, Server, episode, noise, peer, tracker, until};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Who comes at once.
const CROWD: usize = 10_000;
/// From one address, where its limit is not the story.
const OF_AN_ADDRESS: usize = 40;
/// How long a good peer waits at most, from its connecting to its first block.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// What the server's memory grows by at most, in KiB: 8 for each connection that is let in by default, and 16 MiB.
const GROWTH_KIB_MAX: u64 = 8 * 2000 + 16 * 1024;
/// HTTP connections that are let in by default.
const WEB_CONNECTIONS: usize = 4000;
/// The same for these: what has sent half a request has a buffer for the rest.
const WEB_GROWTH_KIB_MAX: u64 = 24 * WEB_CONNECTIONS as u64 + 16 * 1024;

#[test]
fn silence() {
    let siege = Siege::new();
    let crowd = siege.crowd(CROWD);
    siege.is_held();
    drop(crowd);
}

#[test]
fn silence_from_one_address() {
    let siege = Siege::new();
    let crowd: Vec<_> = (0..CROWD).map(|_| siege.connected(Ipv4Addr::new(127, 9, 9, 9))).collect();
    siege.is_held();
    drop(crowd);
}

#[test]
fn a_byte_at_a_time() {
    let siege = Siege::new();
    let mut crowd = siege.crowd(CROWD);
    for byte in &peer::handshake(&siege.info_hash)[..3] {
        // Those who gave way are hung up on.
        crowd.iter_mut().for_each(|stream| drop(stream.write(&[*byte])));
        siege.is_held();
    }
}

#[test]
fn bad_handshakes_all_at_once() {
    let siege = Siege::new();
    for round in 0..5 {
        let mut crowd = siege.crowd(40);
        for (number, stream) in crowd.iter_mut().enumerate() {
            let garbage = noise(round * 40 + number as u64, 68);
            drop(stream.write(&garbage));
        }
        siege.is_held();
    }
}

/// The first message of an encrypted handshake alone, whose answer costs us most (MSE).
#[test]
fn half_of_an_encrypted_handshake() {
    let siege = Siege::new();
    let mut crowd = siege.crowd(CROWD / 4);
    for (number, stream) in crowd.iter_mut().enumerate() {
        drop(stream.write(&noise(number as u64, 96 + number % 512)));
    }
    siege.is_held();
}

#[test]
fn three_million_requests_without_reading() {
    const REQUESTS: u32 = 3_000_000;
    let siege = Siege::new();
    let greedy: Vec<_> = (0..4)
        .map(|number| {
            let mut stream = peer::unchoked(Siege::address(number), siege.peers, &siege.info_hash).expect("let in");
            stream.set_write_timeout(Some(Duration::from_millis(300))).expect("set");
            for first in (0..REQUESTS).step_by(1000) {
                // No two are alike, so that none stands for another.
                let requests: Vec<_> =
                    (first..first + 1000).map(|n| peer::request(0, n % 8192, 8192 + n / 8192)).collect();
                if stream.write_all(&requests.concat()).is_err() {
                    // It is not listened to any more, which is as good as it gets.
                    break;
                }
            }
            stream
        })
        .collect();
    siege.is_held();
    drop(greedy);
}

#[test]
fn messages_that_say_they_are_4_gib() {
    let siege = Siege::new();
    for number in 0..200 {
        let mut stream = peer::unchoked(Siege::address(number), siege.peers, &siege.info_hash).expect("let in");
        drop(stream.write_all(&[&[0xff; 4][..], &[peer::PIECE], &[0; 4096]].concat()));
        assert!(is_hung_up_on(&mut stream));
    }
    siege.is_held();
}

#[test]
fn nested_bencode() {
    let siege = Siege::new();
    let open = |text: &str, times: usize| [&[0], text.repeat(times).as_bytes()].concat();
    let bodies = [
        open("l", 16_000),
        open("d1:m", 4_000),
        open("d1:md1:a", 2_000),
        [&[0][..], b"d1:m", "l".repeat(7_000).as_bytes(), "e".repeat(7_000).as_bytes(), b"e"].concat(),
        [&[0][..], b"99999999999999999999:"].concat(),
        [&[0][..], b"d13:metadata_sizei-9223372036854775808ee"].concat(),
    ];
    for (number, body) in bodies.iter().cycle().take(300).enumerate() {
        let mut stream = peer::unchoked(Siege::address(number), siege.peers, &siege.info_hash).expect("let in");
        drop(stream.write_all(&peer::message(peer::EXTENDED, body)));
    }
    siege.is_held();
}

#[test]
fn handshakes_for_torrents_that_nobody_knows() {
    let siege = Siege::new();
    let mut crowd = siege.crowd(CROWD);
    for (number, stream) in crowd.iter_mut().enumerate() {
        let mut info_hash = siege.info_hash;
        info_hash.0[..8].copy_from_slice(&number.to_be_bytes());
        drop(stream.write(&peer::handshake(&info_hash)));
    }
    siege.is_held();
    assert!(crowd.iter_mut().all(is_hung_up_on));
}

#[test]
fn connections_over_utp_that_are_never_made() {
    let siege = Siege::new();
    for number in 0..50 {
        let socket = UdpSocket::bind((Siege::address(number * OF_AN_ADDRESS), 0)).expect("a port");
        for id in 0..1000_u16 {
            // A SYN (BEP 29): version 1, no extension, an id of its own.
            let mut packet = [0; 20];
            packet[0] = 0x41;
            packet[2..4].copy_from_slice(&id.to_be_bytes());
            packet[15] = 0x10;
            packet[17] = 1;
            // What the system has no room for is lost, as on any network.
            drop(socket.send_to(&packet, siege.peers));
        }
    }
    siege.is_held();
}

/// A hash that no torrent of the site has is answered, and leaves nothing in memory or in the log.
#[test]
fn announces_of_torrents_that_nobody_serves() {
    const AT_ONCE: u32 = 50;
    let siege = Siege::new();
    let socket = UdpSocket::bind((Siege::address(0), 0)).expect("a port");
    socket.connect(siege.server.http()).expect("a route");
    socket.set_read_timeout(Some(Duration::from_secs(1))).expect("set");
    let mut answer = [0; 2048];
    let (mut asked, mut refused) = (0, 0);
    let mut rounds = |rounds: u32| {
        let mut id = [0; 8];
        for round in 0..rounds {
            if round % 100 == 0 {
                socket.send(&[&PROTOCOL_ID.to_be_bytes()[..], &CONNECT.to_be_bytes(), &[7; 4]].concat()).expect("sent");
                assert_eq!(socket.recv(&mut answer).expect("an id"), 16);
                id.copy_from_slice(&answer[8..16]);
            }
            for _ in 0..AT_ONCE {
                asked += 1;
                let mut packet = [&id[..], &ANNOUNCE.to_be_bytes(), &[8; 4], &noise(asked, 20)].concat();
                packet.resize(98, 1);
                socket.send(&packet).expect("sent");
            }
            // What the system has no room for is lost, as on any network.
            let answers = (0..AT_ONCE).map_while(|_| socket.recv(&mut answer).ok().map(|_| answer[3] == 3));
            refused += answers.filter(|is_refusal| *is_refusal).count() as u64;
        }
        (asked, refused)
    };
    // The first ones find tables empty that are there from then on.
    rounds(50);
    let (anon_kib, lines) = (siege.server.anon_kib(), siege.server.lines());
    let (asked, refused) = rounds(600);
    assert!(refused > asked / 2, "{refused} of {asked} are refused");
    until("it has grown by 1 MiB at most", || siege.server.anon_kib() <= anon_kib + 1024);
    assert!(siege.server.lines() <= lines + 1, "{} lines", siege.server.lines() - lines);
    siege.is_held();
}

#[test]
fn idle_connections_to_the_web_server() {
    let siege = Siege::new();
    let download = siege.begun_download();
    let mut crowd: Vec<_> = (0..CROWD).map(|number| siege.web(number)).collect();
    // A third of them says nothing, a third is slow, and a third is kept open after an announce.
    let request = tracker::request(&siege.info_hash, true);
    for stream in crowd.iter_mut().skip(2).step_by(3) {
        // Those who gave way are hung up on.
        if stream.write(request.as_bytes()).is_ok() {
            stream.set_nonblocking(false).expect("set");
            drop(stream.read(&mut [0; 4096]));
            stream.set_nonblocking(true).expect("set");
        }
    }
    siege.announces_are_answered();
    for byte in &request.as_bytes()[..3] {
        crowd.iter_mut().skip(1).step_by(3).for_each(|stream| drop(stream.write(&[*byte])));
        siege.announces_are_answered();
    }
    let gave_way = siege.counted("everseed_http_gave_way_total");
    assert!(gave_way >= CROWD - WEB_CONNECTIONS, "{gave_way} of {CROWD} gave way");
    assert_eq!(siege.counted("everseed_http_turned_away_total"), 0);
    siege.is_whole(download);
    drop(crowd);
}

#[test]
fn one_address_does_not_push_out_those_of_others() {
    let siege = Siege::new();
    let request = tracker::request(&siege.info_hash, true);
    let mut others: Vec<_> = (0..50).map(|number| siege.web(number * OF_AN_ADDRESS)).collect();
    let crowd: Vec<_> = (0..CROWD)
        .map(|_| peer::connect(Ipv4Addr::new(127, 9, 9, 9), siege.server.http()).expect("the system takes it"))
        .collect();
    siege.announces_are_answered();
    for stream in &mut others {
        stream.set_nonblocking(false).expect("set");
        stream.write_all(request.as_bytes()).expect("it is open");
        let mut answer = [0; 15];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    }
    drop(crowd);
}

#[test]
fn a_flood_that_takes_every_descriptor_of_the_web_server() {
    let siege = Siege::new();
    let _ = siege.descriptors_are_few();
    let crowd: Vec<_> = (0..500).map(|number| siege.web(number)).collect();
    // There was no descriptor for a newcomer: they are too few for anybody to give way for lack of places.
    let none = "\neverseed_http_gave_way_total 0\n";
    until("somebody has given way", || !siege.server.get("/metrics").text().contains(none));
    siege.announces_are_answered();
    drop(crowd);
    siege.is_held();
}

#[test]
fn a_flood_that_takes_every_descriptor() {
    let siege = Siege::new();
    let is_full = siege.descriptors_are_few();
    let crowd = siege.crowd(500);
    until("all descriptors are in use", is_full);
    drop(crowd);
    siege.is_held();
    // What could not be opened meanwhile is hashed at the next look.
    until("all of it is verified", || siege.server.shows_verified());
}

/// A server with one torrent, alone on the machine.
struct Siege {
    server: Server,
    house: House,
    peers: SocketAddr,
    info_hash: InfoHash,
    /// Its memory before, in KiB.
    anon_kib: u64,
    _alone: MutexGuard<'static, ()>,
}

/// One of these tests at a time: they measure time, and ten thousand connections are many for one process.
static ALONE: Mutex<()> = Mutex::new(());

impl Siege {
    fn new() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("its limit");
        setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("as many as it may");
        let house = House::new().page("ep1.md", &episode("One", "2026-05-01", "ep1.mp3")).media("ep1.mp3", 4 * MIB);
        let server = house.serve();
        let torrent = metainfo::parse(server.get("/torrents/ep1.torrent").body).expect("a torrent");
        let (peers, info_hash) = (server.peers(), torrent.info_hashes.main());
        let mut siege = Self { server, house, peers, info_hash, anon_kib: 0, _alone: alone };
        // What the first peer costs is not theirs.
        siege.a_good_peer_is_served(250 * 250);
        siege.anon_kib = siege.server.anon_kib();
        siege
    }

    /// The address of a member of a crowd.
    fn address(number: usize) -> Ipv4Addr {
        let [high, low] = u16::try_from(number / OF_AN_ADDRESS + 1).expect("crowds are small").to_be_bytes();
        Ipv4Addr::new(127, 1, high, low)
    }

    /// A connection to the web server, from one of many networks; it never waits.
    fn web(&self, number: usize) -> TcpStream {
        let network = u8::try_from(number / OF_AN_ADDRESS).expect("crowds are small");
        let stream = peer::connect(Ipv4Addr::new(127, 3, network, 1), self.server.http());
        let stream = stream.expect("the system takes it, whatever becomes of it");
        stream.set_nonblocking(true).expect("set");
        stream
    }

    /// Somebody who downloads a file, and has read only the beginning of it.
    fn begun_download(&self) -> TcpStream {
        let mut stream = peer::connect(Ipv4Addr::new(127, 2, 0, 1), self.server.http()).expect("a connection");
        stream.write_all(b"GET /media/ep1.mp3 HTTP/1.0\r\n\r\n").expect("sent");
        stream.read_exact(&mut [0; 1]).expect("an answer");
        stream
    }

    /// Reads the rest of it.
    #[track_caller]
    fn is_whole(&self, mut download: TcpStream) {
        let mut bytes = Vec::new();
        download.read_to_end(&mut bytes).expect("to its end");
        let published = std::fs::read(self.house.root().join("content/ep1.mp3")).expect("its medium");
        assert!(bytes.ends_with(&published), "it broke off after {} bytes", bytes.len());
    }

    /// A metric without labels.
    fn counted(&self, name: &str) -> usize {
        let metrics = self.server.get("/metrics").text();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {name} in:\n{metrics}"))
    }

    /// Leaves the server 64 more descriptors than it has, and says how to know that they are in use.
    fn descriptors_are_few(&self) -> impl Fn() -> bool + use<> {
        let pid = self.server.pid();
        let open = move || std::fs::read_dir(format!("/proc/{pid}/fd")).expect("its own").count();
        let before = open();
        let limit = format!("--nofile={0}:{0}", before + 64);
        let status = Command::new("prlimit").args(["--pid", &pid.to_string(), &limit]).status();
        assert!(status.expect("prlimit, of util-linux").success());
        move || open() >= before + 60
    }

    fn connected(&self, from: Ipv4Addr) -> TcpStream {
        let stream = peer::connect(from, self.peers).expect("the system takes it, whatever becomes of it");
        stream.set_nonblocking(true).expect("set");
        stream
    }

    /// So many connections, each from an address with few others; they never wait.
    fn crowd(&self, connections: usize) -> Vec<TcpStream> {
        (0..connections).map(|number| self.connected(Self::address(number))).collect()
    }

    /// Good peers are served in time, and memory is within its bound. A machine that others use too stops for a moment
    /// now and then, whoever is served: that is no fault of the server, unless it happens to most of them.
    #[track_caller]
    fn is_held(&self) {
        Self::nobody_waits("a block", |number| self.a_good_peer_is_served(number));
        self.has_not_grown_by(GROWTH_KIB_MAX);
    }

    /// An announce over a new connection is answered in time, and so is one over UDP.
    #[track_caller]
    fn announces_are_answered(&self) {
        let to = self.server.http();
        Self::nobody_waits("HTTP", |number| {
            let (answer, waited) = tracker::over_http(Self::good(number), to, &self.info_hash).expect("an answer");
            assert!(answer.starts_with(b"HTTP/1.1 200 OK"), "{}", answer.escape_ascii());
            waited
        });
        Self::nobody_waits("UDP", |number| {
            let (answer, waited) = tracker::over_udp(Self::good(number), to, &self.info_hash).expect("an answer");
            assert_eq!(&answer[..8], b"\0\0\0\x01efgh");
            waited
        });
        self.has_not_grown_by(WEB_GROWTH_KIB_MAX);
    }

    #[track_caller]
    fn nobody_waits(what: &str, wait: impl Fn(usize) -> Duration) {
        let mut waits = [0, 1, 2, 3, 4].map(wait);
        waits.sort_unstable();
        assert!(waits[2] <= WAIT_MAX, "{what}: good peers have waited for {waits:?}");
    }

    #[track_caller]
    fn has_not_grown_by(&self, kib_max: u64) {
        let grown = self.server.anon_kib().saturating_sub(self.anon_kib);
        assert!(grown <= kib_max, "it has grown by {grown} KiB");
    }

    /// The address of a good peer.
    fn good(number: usize) -> Ipv4Addr {
        let [high, low] = u16::try_from(number).expect("few are good").to_be_bytes();
        Ipv4Addr::new(127, 2, high, low + 1)
    }

    /// Returns how long it took.
    #[track_caller]
    fn a_good_peer_is_served(&self, number: usize) -> Duration {
        let (bytes, waited) = peer::block(Self::good(number), self.peers, &self.info_hash, 0).expect("a block");
        let published = std::fs::read(self.house.root().join("content/ep1.mp3")).expect("its medium");
        assert!(bytes == published[..bytes.len()]);
        waited
    }
}

/// Whether the server closes this connection, whatever it says before.
fn is_hung_up_on(stream: &mut TcpStream) -> bool {
    stream.set_nonblocking(false).expect("set");
    loop {
        match stream.read(&mut [0; 4096]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}
