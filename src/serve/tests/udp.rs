//! The tracker over UDP, from outside.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;

use super::server::{House, bound_at, int, one_release};
use crate::id::InfoHash;
use crate::serve::Options;

/// Longer than any answer takes.
const ANSWER_MAX: Duration = Duration::from_secs(20);

struct Client {
    // Connected: the system drops what does not come from the address that was asked.
    socket: UdpSocket,
}

impl Client {
    async fn new(from: &str, to: SocketAddr) -> Self {
        let socket = UdpSocket::bind(from).await.expect("a free port");
        socket.connect(to).await.expect("a route");
        Self { socket }
    }

    async fn ask(&self, packet: &[u8]) -> Vec<u8> {
        self.socket.send(packet).await.expect("sent");
        let mut answer = vec![0; 2048];
        let receive = tokio::time::timeout(ANSWER_MAX, self.socket.recv(&mut answer));
        let bytes = receive.await.expect("an answer").expect("received");
        answer.truncate(bytes);
        answer
    }

    async fn connection(&self) -> [u8; 8] {
        let mut packet = 0x0417_2710_1980_u64.to_be_bytes().to_vec();
        packet.extend([0, 0, 0, 0, 1, 2, 3, 4]);
        let answer = self.ask(&packet).await;
        assert_eq!((answer.len(), &answer[..8]), (16, &[0, 0, 0, 0, 1, 2, 3, 4][..]));
        answer[8..].try_into().expect("8 bytes")
    }

    async fn announce(&self, hash: InfoHash, peer: u8, port: u16, left: u64) -> Vec<u8> {
        let mut packet = self.connection().await.to_vec();
        packet.extend([0, 0, 0, 1, 9, 9, 9, 9]);
        packet.extend(hash.0);
        packet.extend([peer; 20]);
        packet.extend(0_u64.to_be_bytes());
        packet.extend(left.to_be_bytes());
        packet.extend(0_u64.to_be_bytes());
        packet.extend([0; 12]);
        packet.extend((-1_i32).to_be_bytes());
        packet.extend(port.to_be_bytes());
        self.ask(&packet).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_over_udp_and_one_over_http_meet() {
    let (show, hash) = one_release();
    let house = House::open(&show).await;
    let over_http = house.announce(hash, b'a', "&left=5").await;
    assert_eq!(int(&over_http, "incomplete"), Some(1));
    let client = Client::new("127.0.0.1:0", house.at).await;
    let answer = client.announce(hash, b'b', 4711, 5).await;
    assert_eq!(&answer[..8], [0, 0, 0, 1, 9, 9, 9, 9]);
    assert_eq!(&answer[12..20], [0, 0, 0, 2, 0, 0, 0, 1], "two leechers and the everseed");
    assert!(answer[20..].chunks(6).any(|peer| peer == [127, 0, 0, 1, 0x1b, 0xb9]), "{answer:?}");
    let again = house.announce(hash, b'a', "&left=5").await;
    assert!(super::server::peers(&again).contains(&"127.0.0.1:4711".parse().expect("an address")));

    let mut scrape = client.connection().await.to_vec();
    scrape.extend([0, 0, 0, 2, 5, 5, 5, 5]);
    scrape.extend(hash.0);
    let answer = client.ask(&scrape).await;
    assert_eq!(answer, [0, 0, 0, 2, 5, 5, 5, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
    let refused = client.announce(InfoHash([7; 20]), b'b', 4711, 5).await;
    assert_eq!(&refused[..8], [0, 0, 0, 3, 9, 9, 9, 9]);
    let metrics = house.get("/metrics").await.text();
    assert!(metrics.contains("everseed_announces_total{wire=\\\"udp\\\"} 2"), "{metrics}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_21_a_reply_leaves_from_the_address_that_was_asked() {
    let (show, hash) = one_release();
    for wildcard in ["0.0.0.0:0", "[::]:0"] {
        let bound = bound_at(wildcard);
        let port = bound.http_addr().port();
        let house = House::with(&show, Options::new(show.root()), bound).await;
        for address in ["127.0.0.1", "127.0.0.2", "127.9.9.9"] {
            let server = SocketAddr::new(address.parse().expect("an address"), port);
            let client = Client::new("127.0.0.1:0", server).await;
            let answer = client.announce(hash, b'b', 4711, 5).await;
            // The everseed stands under the address at which the announce arrived (rule 14).
            let octets: Vec<u8> = address.split('.').map(|octet| octet.parse().expect("a number")).collect();
            assert_eq!(&answer[20..24], octets, "{wildcard} asked at {address}");
        }
        house.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_19_a_client_over_ipv6_gets_peers_of_18_bytes() {
    let (show, hash) = one_release();
    let bound = bound_at("[::]:0");
    let port = bound.http_addr().port();
    if bound.http_addr().is_ipv4() {
        // A machine without IPv6.
        return;
    }
    let house = House::with(&show, Options::new(show.root()), bound).await;
    let server = SocketAddr::new("::1".parse().expect("an address"), port);
    let client = Client::new("[::1]:0", server).await;
    client.announce(hash, b'a', 4711, 5).await;
    let answer = Client::new("[::1]:0", server).await.announce(hash, b'b', 4712, 5).await;
    assert_eq!((answer.len() - 20) % 18, 0, "{answer:?}");
    assert!(answer[20..].chunks(18).any(|peer| peer.ends_with(&[0, 1, 0x12, 0x67])), "{answer:?}");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_that_come_together_are_answered_one_by_one_each_to_its_sender() {
    const EACH: u32 = 100;
    let (show, hash) = one_release();
    let bound = bound_at("0.0.0.0:0");
    let port = bound.http_addr().port();
    let house = House::with(&show, Options::new(show.root()), bound).await;
    let mut clients = Vec::new();
    for address in ["127.0.0.1", "127.0.0.2", "127.0.0.1"] {
        let client = Client::new("127.0.0.1:0", SocketAddr::new(address.parse().expect("an address"), port)).await;
        let connection = client.connection().await;
        clients.push((client, connection));
    }
    for transaction in 0..EACH {
        for (client, connection) in &clients {
            let scrape = [&connection[..], &[0, 0, 0, 2], &transaction.to_be_bytes(), &hash.0].concat();
            client.socket.send(&scrape).await.expect("sent");
            // Nobody is owed an answer to this one.
            client.socket.send(&scrape[..15]).await.expect("sent");
        }
    }
    for (client, _) in &clients {
        let mut answered = Vec::new();
        for _ in 0..EACH {
            let mut answer = [0; 64];
            let receive = tokio::time::timeout(ANSWER_MAX, client.socket.recv(&mut answer));
            assert_eq!(receive.await.expect("an answer").expect("received"), 20);
            answered.push(u32::from_be_bytes(answer[4..8].try_into().expect("4 bytes")));
        }
        answered.sort_unstable();
        assert_eq!(answered, (0..EACH).collect::<Vec<_>>());
    }
    house.close().await;
}
