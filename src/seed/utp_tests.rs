//! Strangers who speak uTP by hand.

use std::collections::VecDeque;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;

use super::super::utp_table::{HELLO, LINGER_MAX};
use super::super::utp_wire::PACKET_BYTES_MAX;
use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
const DATA: u8 = 0x01;

fn header(kind: u8, number: u16, window: u32, sequence: u16, acknowledged: u16) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[0] = kind;
    header[2..4].copy_from_slice(&number.to_be_bytes());
    header[12..16].copy_from_slice(&window.to_be_bytes());
    header[16..18].copy_from_slice(&sequence.to_be_bytes());
    header[18..20].copy_from_slice(&acknowledged.to_be_bytes());
    header
}

async fn at_loopback() -> (Utp, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = socket.local_addr().expect("bound");
    (Utp::new(socket.into_std().expect("a socket"), 10).expect("uTP"), address)
}

/// Somebody who speaks uTP packet for packet.
struct Stranger(UdpSocket);

impl Stranger {
    async fn new(to: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        socket.connect(to).await.expect("an address");
        Self(socket)
    }

    async fn send(&self, header: [u8; HEADER_BYTES], payload: &[u8]) {
        self.0.send(&[&header[..], payload].concat()).await.expect("sent");
    }

    /// The next packet of this kind: its sequence number.
    async fn next(&self, kind: u8) -> u16 {
        let mut packet = [0; PACKET_BYTES_MAX];
        loop {
            timeout(PATIENCE, self.0.recv(&mut packet)).await.expect("in time").expect("a packet");
            if packet[0] == kind {
                return u16::from_be_bytes([packet[16], packet[17]]);
            }
        }
    }
}

#[tokio::test]
async fn a_stream_whose_peer_takes_nothing_is_reset_when_its_conversation_is_over() {
    let (utp, at) = at_loopback().await;
    // A stream holds the socket.
    let streams = || Arc::strong_count(&utp.streams());
    let none = streams();
    let stranger = Stranger::new(at).await;
    stranger.send(header(HELLO, 7, 0, 1, 0), b"").await;
    let mut line = utp.accept().await;
    let theirs = stranger.next(STATE).await;
    // Its window is closed, and stays so.
    stranger.send(header(DATA, 8, 0, 2, theirs.wrapping_sub(1)), b"x").await;
    line.keep();
    line.stream.read_u8().await.expect("a byte");
    line.stream.write_all(&[1; 1000]).await.expect("taken in");
    drop(line);
    for _ in 0..100 {
        yield_now().await;
    }
    assert_eq!(streams(), none + 1, "it waits for its bytes to be taken");
    utp.gate.table().sweep(Instant::now() + LINGER_MAX);
    utp.gate.nudge.notify_one();
    let gone = async {
        while streams() > none {
            yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("it goes");
}

#[tokio::test]
async fn a_peer_that_has_not_taken_everything_is_told_of_the_end() {
    let (utp, at) = at_loopback().await;
    let stranger = Stranger::new(at).await;
    stranger.send(header(HELLO, 7, 0, 1, 0), b"").await;
    let mut line = utp.accept().await;
    let theirs = stranger.next(STATE).await;
    // Its window is closed.
    stranger.send(header(DATA, 8, 0, 2, theirs.wrapping_sub(1)), b"x").await;
    line.keep();
    line.stream.read_u8().await.expect("a byte");
    line.stream.write_all(&[1; 1000]).await.expect("taken in");
    drop(line);
    utp.farewell();
    let mut packet = [0; PACKET_BYTES_MAX];
    let mut resets = Vec::new();
    while resets.len() < 2 {
        let bytes = timeout(PATIENCE, stranger.0.recv(&mut packet)).await.expect("in time").expect("a packet");
        if packet[0] == RESET {
            resets.push(packet[..bytes].to_vec());
        }
    }
    // Under the number that it listens to, and as an answer to the last that it has said.
    assert_eq!(resets, [header(RESET, 7, 0, 0, 2), header(RESET, 9, 0, 0, 2)]);
}

#[tokio::test]
async fn a_call_is_made_also_where_the_system_has_not_said_yet_that_the_socket_has_room() {
    let ((utp, at), (other, _)) = (at_loopback().await, at_loopback().await);
    let both = async { tokio::join!(utp.accept(), other.connect(at)) };
    let (_accepted, called) = timeout(PATIENCE, both).await.expect("in time");
    assert_eq!(called.expect("an answer").address(), at);
}

#[tokio::test]
async fn a_flood_of_hellos_leaves_room_for_who_goes_on() {
    let (utp, at) = at_loopback().await;
    let stranger = Stranger::new(at).await;
    let flood = async {
        for number in 0..=u16::MAX {
            // As fast as they are taken in: a full socket would throw them away, and the good one with them.
            stranger.send(header(HELLO, number.wrapping_mul(2), 0, 1, 0), b"").await;
            yield_now().await;
        }
        panic!("nobody else came through");
    };
    let (good, _) = at_loopback().await;
    let comes = async {
        let mut line = good.connect(at).await.expect("an answer");
        line.stream.write_all(b"y").await.expect("taken in");
        line
    };
    let accepts = async {
        let mut newcomers = VecDeque::new();
        loop {
            let line = utp.accept().await;
            if line.address().ip() == at.ip() && line.address() != stranger.0.local_addr().expect("bound") {
                return line;
            }
            newcomers.push_back(line);
            if newcomers.len() > 64 {
                newcomers.pop_front();
            }
        }
    };
    let both = async { tokio::join!(comes, accepts) };
    let (_line, mut accepted) = tokio::select! {
        both = timeout(PATIENCE, both) => both.expect("in time"),
        () = flood => unreachable!("it panics"),
    };
    assert_eq!(accepted.stream.read_u8().await.expect("a byte"), b'y');
}
