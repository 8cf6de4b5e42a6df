//! Announces to trackers that a test plays, over UDP and HTTP.

use std::fs;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::test_house::{House, PIECE};
use super::*;
use crate::problem::Problem;
use crate::seed::Options;

const PATIENCE: Duration = Duration::from_secs(20);

/// A tracker over UDP that tells of each announce it gets by the number of its event.
async fn udp_tracker() -> (String, mpsc::Receiver<(InfoHash, u8)>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("udp://{}/announce", socket.local_addr().expect("bound"));
    let (tell, told) = mpsc::channel(16);
    tokio::spawn(async move {
        let mut packet = [0; 200];
        while let Ok((bytes, from)) = socket.recv_from(&mut packet).await {
            let transaction = &packet[12..16];
            let answer = if bytes == 16 {
                [&[0; 4], transaction, &[5; 8]].concat()
            } else {
                assert_eq!((bytes, &packet[..8]), (98, &[5; 8][..]));
                let hash = InfoHash(packet[16..36].try_into().expect("20 bytes"));
                tell.send((hash, packet[83])).await.expect("a listener");
                [&[0, 0, 0, 1], transaction, &[0, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1]].concat()
            };
            socket.send_to(&answer, from).await.expect("sent");
        }
    });
    (url, told)
}

/// A tracker over HTTP that answers everything with `body` and tells of each request line.
async fn http_tracker(body: &'static str) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/announce", listener.local_addr().expect("bound"));
    let (tell, told) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.expect("a request"));
            }
            let request = String::from_utf8(request).expect("ASCII");
            tell.send(request.lines().next().unwrap_or_default().to_owned()).await.expect("a listener");
            let answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.expect("sent");
        }
    });
    (url, told)
}

/// A seed of one torrent, and what stops it.
fn run(house: &House, trackers: &[&str]) -> (Arc<Seed>, oneshot::Sender<()>, JoinHandle<Result<(), Problem>>) {
    let options = Options::new(PeerId(*b"-ES0100-abcdefghijkl"), 6881);
    // A busy machine may take its time.
    let seed = Seed::new(&Options { stop_within: PATIENCE, ..options });
    seed.set_torrents(vec![house.with_trackers(trackers)]);
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(Arc::clone(&seed).serve(crate::seed::Sockets::default(), async move { _ = stopped.await }));
    (seed, stop, task)
}

async fn next<T>(told: &mut mpsc::Receiver<T>) -> T {
    timeout(PATIENCE, told.recv()).await.expect("in time").expect("a tracker")
}

#[tokio::test]
async fn over_udp_and_http_a_torrent_is_started_and_at_the_end_stopped() {
    let house = House::new(&[("a", PIECE)]);
    let (udp, mut udp_told) = udp_tracker().await;
    let (http, mut http_told) = http_tracker("d8:intervali1800e5:peers0:e").await;
    let (seed, stop, task) = run(&house, &[&udp, &http, "wss://tracker.example.org"]);
    let hash = house.torrent.info_hash();
    assert_eq!(next(&mut udp_told).await, (hash, Event::Started as u8));
    let line = next(&mut http_told).await;
    assert!(line.starts_with("GET /announce?info_hash=") && line.contains("&event=started HTTP/1.1"), "{line}");
    let taken = async {
        while !seed.announces().iter().all(|announce| announce.said == Said::Taken) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, taken).await.expect("both have taken it");
    assert_eq!(seed.announces().len(), 2, "what is not spoken here is not tried");
    stop.send(()).expect("it runs");
    timeout(PATIENCE, task).await.expect("in time").expect("no panic").expect("not by itself");
    assert_eq!(next(&mut udp_told).await, (hash, Event::Stopped as u8));
    assert!(next(&mut http_told).await.contains("&event=stopped"));
}

#[tokio::test]
async fn a_damaged_torrent_is_taken_back_and_a_restored_one_announced_again() {
    let house = House::new(&[("a", PIECE)]);
    let (url, mut told) = udp_tracker().await;
    let (seed, _stop, _task) = run(&house, &[&url]);
    assert_eq!(next(&mut told).await.1, Event::Started as u8);
    fs::remove_file(house.path("a")).expect("removed");
    seed.look().await;
    assert_eq!(next(&mut told).await.1, Event::Stopped as u8);
    fs::write(house.path("a"), &house.content).expect("restored");
    seed.look().await;
    assert_eq!(next(&mut told).await.1, Event::Started as u8);
}

#[tokio::test]
async fn what_cannot_be_sent_to_peers_is_not_announced_and_a_hybrid_is_in_two_swarms() {
    let trackers = ["udp://tracker.example.org:6969"];
    let wanted = async |torrent| {
        let seed = Seed::new(&Options::new(PeerId(*b"-ES0100-abcdefghijkl"), 6881));
        seed.set_torrents(vec![torrent]);
        seed.look().await;
        seed.wanted()
    };
    let elsewhere = House::new(&[("a", PIECE)]);
    fs::remove_file(elsewhere.path("a")).expect("removed");
    assert_eq!(wanted(elsewhere.with_elsewhere(&["a"])).await, []);
    for house in [House::v2(&[("a", PIECE)]), House::hybrid(&[("a", PIECE)])] {
        let swarms = house.published.info_hashes.swarms();
        let expected: Vec<_> = swarms.map(|hash| (hash, trackers[0].to_owned())).collect();
        assert_eq!(wanted(house.with_trackers(&trackers)).await, expected);
    }
}

#[tokio::test]
async fn a_refusal_stands_in_the_list() {
    let house = House::new(&[("a", PIECE)]);
    let (url, mut told) = http_tracker("d14:failure reason14:not registerede").await;
    let (seed, _stop, _task) = run(&house, &[&url]);
    next(&mut told).await;
    let failed = async {
        loop {
            let announces = seed.announces();
            if announces.first().is_some_and(|announce| announce.failures == 1) {
                return announces;
            }
            tokio::task::yield_now().await;
        }
    };
    let announces = timeout(PATIENCE, failed).await.expect("in time");
    assert_eq!(announces[0].said, Said::Failed("not registered".into()));
}

#[tokio::test]
async fn who_has_nothing_yet_asks_for_peers_and_is_gone_again() {
    let (url, mut told) = http_tracker("d8:intervali1800e5:peers12:\x7f\0\0\x01\x1a\x11\x7f\0\0\x01\0\0e").await;
    let (udp, mut udp_told) = udp_tracker().await;
    let query = Query {
        info_hash: InfoHash([7; 20]),
        trackers: vec![vec![url.clone(), "http://127.0.0.1:1/announce".into()], vec![udp, url]],
        peer_id: PeerId(*b"-ES0100-abcdefghijkl"),
        port: 6881,
        left: 12,
    };
    let peers = timeout(PATIENCE, ask(&query)).await.expect("in time");
    assert_eq!(peers, ["127.0.0.1:6673".parse().expect("an address")], "port 0 is nobody's");
    let line = next(&mut told).await;
    assert!(line.contains("&left=12&compact=1&numwant=100&") && line.contains("&event=started"), "{line}");
    let line = next(&mut told).await;
    assert!(line.contains("&left=12&compact=1&numwant=0&") && line.contains("&event=stopped"), "{line}");
    let events = [next(&mut udp_told).await, next(&mut udp_told).await];
    assert_eq!(events, [(query.info_hash, Event::Started as u8), (query.info_hash, Event::Stopped as u8)]);
}

#[tokio::test]
async fn no_more_peers_are_taken_than_are_named() {
    let many: Vec<u8> = (1..=600_u16).flat_map(|port| [&[127, 0, 0, 1], &port.to_be_bytes()[..]].concat()).collect();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/announce", listener.local_addr().expect("bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.expect("a request"));
            }
            let body = [format!("d8:intervali1800e5:peers{}:", many.len()).as_bytes(), &many, b"e"].concat();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(&[head.as_bytes(), &body].concat()).await.expect("sent");
        }
    });
    let query = Query {
        info_hash: InfoHash([7; 20]),
        trackers: vec![vec![url]],
        peer_id: PeerId(*b"-ES0100-abcdefghijkl"),
        port: 6881,
        left: 12,
    };
    assert_eq!(timeout(PATIENCE, ask(&query)).await.expect("in time").len(), ask::PEERS_MAX);
}
