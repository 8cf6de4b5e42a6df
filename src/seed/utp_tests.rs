//! Strangers who speak uTP by hand.

use std::collections::VecDeque;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::super::utp_table::tests::header;
use super::super::utp_table::{HELLO, LINGER_MAX};
use super::super::utp_wire::PACKET_BYTES_MAX;
use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
const DATA: u8 = 0x01;

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

/// A peer that leaves lying what was written to it; the stream is not held any more.
async fn one_that_takes_nothing(utp: &Utp, at: SocketAddr) -> Stranger {
    let stranger = Stranger::new(at).await;
    stranger.send(header(HELLO, 7, 0, 1, 0), b"").await;
    let mut line = utp.accept().await;
    let theirs = stranger.next(STATE).await;
    // Its window is closed, and stays so.
    stranger.send(header(DATA, 8, 0, 2, theirs.wrapping_sub(1)), b"x").await;
    line.keep();
    line.stream.read_u8().await.expect("a byte");
    line.stream.write_all(&[1; 1000]).await.expect("taken in");
    stranger
}

#[tokio::test]
async fn a_stream_whose_peer_takes_nothing_is_reset_when_its_conversation_is_over() {
    let (utp, at) = at_loopback().await;
    // A stream holds the socket.
    let streams = || Arc::strong_count(&utp.streams());
    let none = streams();
    let _stranger = one_that_takes_nothing(&utp, at).await;
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
    let stranger = one_that_takes_nothing(&utp, at).await;
    utp.farewell();
    let mut packet = [0; PACKET_BYTES_MAX];
    let reset = loop {
        let bytes = timeout(PATIENCE, stranger.0.recv(&mut packet)).await.expect("in time").expect("a packet");
        if packet[0] == RESET {
            break packet[..bytes].to_vec();
        }
    };
    // Under the number that it listens to, and as an answer to the last that it has said.
    assert_eq!(reset, header(RESET, 7, 0, 0, 2));
}

#[tokio::test]
async fn a_call_is_made_also_where_the_system_has_not_said_yet_that_the_socket_has_room() {
    let ((utp, at), (other, _)) = (at_loopback().await, at_loopback().await);
    let both = async { tokio::join!(utp.accept(), other.connect(at)) };
    let (_accepted, called) = timeout(PATIENCE, both).await.expect("in time");
    assert_eq!(called.expect("an answer").address(), at);
}

#[tokio::test]
async fn a_peer_opens_several_streams_and_none_of_the_others_is_lost() {
    let (utp, at) = at_loopback().await;
    let before = utp.streams();
    let other = Stranger::new(at).await;
    other.send(header(HELLO, 100, 0, 1, 0), b"").await;
    let mut others = utp.accept().await;
    let theirs = other.next(STATE).await;
    let stranger = Stranger::new(at).await;
    let mut lines = Vec::new();
    for number in [7, 9, 11] {
        stranger.send(header(HELLO, number, 0, 1, 0), b"").await;
        let line = timeout(PATIENCE, utp.accept()).await.expect("in time");
        assert_eq!(line.end.key, (stranger.0.local_addr().expect("bound"), number + 1));
        lines.push(line);
    }
    assert!(Arc::ptr_eq(&before, &utp.streams()), "nothing began again");
    other.send(header(DATA, 101, 0, 2, theirs.wrapping_sub(1)), b"x").await;
    assert_eq!(timeout(PATIENCE, others.stream.read_u8()).await.expect("in time").expect("a byte"), b'x');
}

#[tokio::test]
async fn a_hello_under_the_number_of_our_own_call_harms_nobody() {
    let ((utp, at), other) = (at_loopback().await, UdpSocket::bind("127.0.0.1:0").await.expect("a free port"));
    let before = utp.streams();
    other.connect(at).await.expect("an address");
    let (other, called) = (Stranger(other), Arc::new(utp));
    let address = other.0.local_addr().expect("bound");
    let calls = tokio::spawn({
        let utp = Arc::clone(&called);
        async move { utp.connect(address).await }
    });
    let mut packet = [0; PACKET_BYTES_MAX];
    timeout(PATIENCE, other.0.recv(&mut packet)).await.expect("in time").expect("a hello");
    let (number, sequence) = ([packet[2], packet[3]], [packet[16], packet[17]]);
    let (number, sequence) = (u16::from_be_bytes(number), u16::from_be_bytes(sequence));
    other.send(header(STATE, number, 0, 1, sequence), b"").await;
    let line = timeout(PATIENCE, calls).await.expect("in time").expect("no panic").expect("an answer");
    assert_eq!(line.end.key, (address, number));
    // The first of them is none that can be told from the call, the second is.
    other.send(header(HELLO, number.wrapping_add(1), 0, 1, 0), b"").await;
    other.send(header(HELLO, number.wrapping_add(3), 0, 1, 0), b"").await;
    let accepted = timeout(PATIENCE, called.accept()).await.expect("in time");
    assert_eq!(accepted.end.key, (address, number.wrapping_add(4)));
    assert!(Arc::ptr_eq(&before, &called.streams()), "nothing began again");
}

#[tokio::test]
async fn hellos_that_become_no_stream_make_nobody_wait() {
    let (utp, at) = at_loopback().await;
    let stranger = Stranger::new(at).await;
    for number in 0..100 {
        stranger.send(header(HELLO, number, 0, 1, 0), b"with a payload").await;
        let mut cut_off = header(HELLO, number, 0, 1, 0);
        cut_off[1] = 1;
        stranger.send(cut_off, &[0]).await;
    }
    stranger.send(header(HELLO, 500, 0, 1, 0), b"").await;
    let line = timeout(PATIENCE, utp.accept()).await.expect("in time");
    assert_eq!(line.end.key.1, 501);
}

#[tokio::test(start_paused = true)]
async fn it_begins_again_where_what_reads_the_packets_stops() {
    let (utp, at) = at_loopback().await;
    utp.run().options.cancellation_token.cancel();
    let comes = async {
        sleep(PAUSE * 2).await;
        let stranger = Stranger::new(at).await;
        stranger.send(header(HELLO, 7, 0, 1, 0), b"").await;
        stranger
    };
    let (line, _stranger) = tokio::join!(utp.accept(), comes);
    assert_eq!(line.end.key.1, 8);
    assert!(!utp.run().options.cancellation_token.is_cancelled());
}

#[tokio::test]
async fn a_flood_of_hellos_leaves_room_for_who_goes_on() {
    let (utp, at) = at_loopback().await;
    let before = utp.streams();
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
    assert!(Arc::ptr_eq(&before, &utp.streams()), "nothing began again");
}
