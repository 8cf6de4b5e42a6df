//! Leechers that wait to be called, at real sockets.

use tokio::net::TcpListener;

use super::super::test_house::{House, PIECE};
use super::super::test_peer::{Leecher, PATIENCE, Running, handshake, options, sockets};
use super::super::utp::{Line, Utp};
use super::super::{bind, hello};
use super::*;
use crate::wire::HANDSHAKE_BYTES;

/// The next call that comes.
async fn called(listener: &TcpListener) -> Stream {
    let (stream, _) = timeout(PATIENCE, listener.accept()).await.expect("in time").expect("a call");
    Stream::tcp(stream)
}

/// Answers a call as a leecher, and takes all there is.
async fn download(stream: Stream, hello: Hello, house: &House) -> Vec<u8> {
    let mut leecher = Leecher::on(stream, hello);
    let theirs = leecher.take(HANDSHAKE_BYTES).await.expect("a handshake");
    assert_eq!(theirs[28..48], house.torrent.info_hash().0);
    let mut answer = Vec::new();
    handshake(house.torrent.info_hash()).write(&mut answer);
    leecher.send(&answer).await;
    leecher.content(house).await
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

const PLAIN: Hello = Hello { inbox: Vec::new(), ciphers: None };

#[tokio::test]
async fn a_leecher_that_does_not_come_is_called() {
    let house = House::new(&[("a", PIECE * 3 + 7)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    let (listener, address) = listener();
    running.seed.dial(&house.torrent.info_hash(), vec![address]);
    assert!(download(called(&listener).await, PLAIN, &house).await == house.content);
    running.stop().await;
}

#[tokio::test]
async fn one_that_insists_on_encryption_is_called_once_more() {
    let house = House::new(&[("a", PIECE * 3 + 7)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    let (listener, address) = listener();
    running.seed.dial(&house.torrent.info_hash(), vec![address]);
    drop(called(&listener).await);
    let own = Seed::new(&options());
    own.set_torrents(vec![house.torrent.clone()]);
    let mut stream = called(&listener).await;
    let hello = timeout(PATIENCE, hello::accept(&own, &mut stream, Vec::new())).await.expect("in time");
    let hello = hello.expect("a good one");
    assert_eq!(hello.inbox.len(), HANDSHAKE_BYTES, "it comes with the hello");
    assert!(download(stream, hello, &house).await == house.content);
    running.stop().await;
}

#[tokio::test]
async fn a_torrent_that_is_retired_during_the_hello_is_not_served() {
    let house = House::new(&[("a", PIECE)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    let (listener, address) = listener();
    let info_hash = house.torrent.info_hash();
    running.seed.dial(&info_hash, vec![address]);
    drop(called(&listener).await);
    let mut stream = called(&listener).await;
    let own = Seed::new(&options());
    own.set_torrents(vec![house.torrent.clone()]);
    // It has said its part of the hello, and so has been offered the torrent.
    let mut came = Vec::new();
    timeout(PATIENCE, stream.read(&mut came)).await.expect("in time").expect("the first part");
    let entry = running.seed.entry(&info_hash).expect("seeded");
    assert_eq!((entry.connections.load(Ordering::Relaxed), entry.peers.has(address)), (1, true), "it counts");
    running.seed.set_torrents(Vec::new());
    let hello = timeout(PATIENCE, hello::accept(&own, &mut stream, came)).await.expect("in time").expect("a good one");
    let mut leecher = Leecher::on(stream, hello);
    leecher.take(HANDSHAKE_BYTES).await.expect("said before it was retired");
    assert_eq!(leecher.take(1).await, None, "hung up on");
    running.stop().await;
}

/// A leecher that takes no TCP, and the call that it gets.
async fn called_over_utp(running: &Running, house: &House) -> (Utp, Line) {
    let (tcp, udp) = sockets();
    drop(tcp);
    let address = udp.local_addr().expect("bound");
    let utp = Utp::with(udp, 1, 1 << 20).expect("uTP");
    running.reaches_door().await;
    running.seed.dial(&house.torrent.info_hash(), vec![address]);
    let line = timeout(PATIENCE, utp.accept()).await.expect("in time");
    (utp, line)
}

#[tokio::test]
async fn one_that_takes_no_tcp_is_called_over_utp() {
    let house = House::new(&[("a", PIECE * 3 + 7)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    let (_utp, line) = called_over_utp(&running, &house).await;
    assert!(download(Stream::Utp(Box::new(line)), PLAIN, &house).await == house.content);
    running.stop().await;
}

#[tokio::test]
async fn one_that_was_called_over_utp_is_told_of_the_end() {
    let house = House::new(&[("a", PIECE)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    let (_utp, line) = called_over_utp(&running, &house).await;
    let mut stream = Stream::Utp(Box::new(line));
    let mut came = Vec::new();
    timeout(PATIENCE, stream.read(&mut came)).await.expect("in time").expect("a handshake");
    let ends = async {
        loop {
            if let Err(error) = stream.read(&mut came).await {
                return error.kind();
            }
        }
    };
    let (end, ()) = tokio::join!(timeout(PATIENCE, ends), running.stop());
    // Of a stream that is cut off it is another.
    assert_eq!(end.expect("in time"), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn who_is_there_is_not_called() {
    let house = House::new(&[("a", PIECE)]);
    let running = Running::start(vec![house.torrent.clone()], &options());
    let info_hash = house.torrent.info_hash();
    // It has not said at which port it listens.
    let _there = Leecher::greet(running.address, info_hash).await;
    let (listener, address) = listener();
    let other = bind("127.0.0.2:0".parse().expect("an address")).expect("a free port");
    running.seed.dial(&info_hash, vec![address, other.local_addr().expect("bound")]);
    let _call = called(&other).await;
    let unasked = std::future::poll_fn(|cx| std::task::Poll::Ready(listener.poll_accept(cx).is_pending()));
    assert!(unasked.await, "the first of the queue was passed over");
    running.stop().await;
}

#[tokio::test]
async fn it_does_not_speak_with_itself() {
    let house = House::new(&[("a", PIECE)]);
    let mut options = options();
    let (tcp, udp) = sockets();
    options.peer_port = tcp.local_addr().expect("bound").port();
    let running = Running::start_at((tcp, udp), vec![house.torrent.clone()], &options);
    let (listener, address) = listener();
    running.seed.dial(&house.torrent.info_hash(), vec![running.address, address]);
    let _call = called(&listener).await;
    let connections = || running.seed.status(&house.torrent.info_hash()).expect("seeded").connections;
    while connections() != 1 {
        tokio::task::yield_now().await;
    }
    running.stop().await;
}

fn address(n: usize) -> SocketAddr {
    let [.., high, middle, low] = n.to_be_bytes();
    SocketAddr::new([198, high, middle, low].into(), PORT_MIN)
}

const HASH: InfoHash = InfoHash([1; 20]);

#[tokio::test(start_paused = true)]
async fn nobody_is_called_twice_within_a_while() {
    let calls = Calls::default();
    let now = Instant::now();
    calls.want(HASH, vec![address(1), address(1), address(2)], now);
    calls.want(InfoHash([2; 20]), vec![address(1)], now);
    assert_eq!([calls.next(now), calls.next(now)], [1, 2].map(|n| Some((HASH, address(n)))));
    assert_eq!(calls.next(now), None, "for another torrent, it is the same client");
    calls.want(HASH, vec![address(1)], now + AGAIN_AFTER / 2);
    assert_eq!(calls.next(now + AGAIN_AFTER / 2), None);
    calls.want(HASH, vec![address(1)], now + AGAIN_AFTER);
    assert_eq!(calls.next(now + AGAIN_AFTER), Some((HASH, address(1))));
}

#[test]
fn addresses_that_are_nobodys_are_not_called() {
    let calls = Calls::default();
    let nobodys = ["0.0.0.0:6881", "224.0.0.1:6881", "[::]:6881", "198.51.100.1:0", "198.51.100.1:25"];
    calls.want(HASH, nobodys.map(|text| text.parse().expect("an address with a port")).to_vec(), Instant::now());
    assert_eq!(calls.next(Instant::now()), None);
}

#[test]
fn many_leechers_of_one_torrent_keep_none_of_another_waiting() {
    let calls = Calls::default();
    let now = Instant::now();
    calls.want(HASH, (0..QUEUE_MAX).map(address).collect(), now);
    calls.want(InfoHash([2; 20]), vec![address(QUEUE_MAX), address(QUEUE_MAX + 1)], now);
    let order: Vec<_> = std::iter::from_fn(|| calls.next(now)).map(|(info_hash, _)| info_hash.0[0]).collect();
    assert_eq!((&order[..5], order.len()), (&[1, 2, 1, 2, 1][..], QUEUE_OF_ONE_MAX + 2));
    assert!(calls.state().queues.is_empty() && calls.state().turns.is_empty());
}

#[test]
fn of_one_network_few_are_called() {
    let calls = Calls::default();
    let ports = (PORT_MIN..PORT_MIN + 100).map(|port| SocketAddr::new([198, 51, 100, 1].into(), port));
    let hosts =
        (0..100).map(|n| SocketAddr::new(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, n).into(), 6881));
    calls.want(HASH, ports.chain(hosts).collect(), Instant::now());
    assert_eq!(std::iter::from_fn(|| calls.next(Instant::now())).count(), 2 * QUEUE_OF_NETWORK_MAX);
}

#[test]
fn the_queue_and_the_memory_are_bounded() {
    let calls = Calls::default();
    let now = Instant::now();
    let torrents = || (0..=u8::try_from(QUEUE_MAX / QUEUE_OF_ONE_MAX).expect("few")).map(|n| InfoHash([n; 20]));
    let want_all = |round: usize| {
        for (part, info_hash) in torrents().enumerate() {
            let from = round * QUEUE_MAX + part * QUEUE_OF_ONE_MAX;
            calls.want(info_hash, (from..from + QUEUE_OF_ONE_MAX).map(address).collect(), now);
        }
    };
    want_all(0);
    assert_eq!(std::iter::from_fn(|| calls.next(now)).count(), QUEUE_MAX, "the last torrent found no room");
    for round in 1..=REMEMBERED_MAX / QUEUE_MAX {
        want_all(round);
        while calls.next(now).is_some() {}
    }
    let remembered = calls.state().again_at.len();
    assert_eq!((remembered, calls.state().queued.len()), (REMEMBERED_MAX, 0));
    calls.want(HASH, Vec::new(), now + AGAIN_AFTER);
    assert_eq!(calls.state().again_at.capacity(), 0);
}
