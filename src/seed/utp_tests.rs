//! The gate by itself, and strangers who speak uTP by hand.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;

use super::super::utp_wire::PACKET_BYTES_MAX;
use super::*;

const PATIENCE: Duration = Duration::from_secs(20);
const DATA: u8 = 0x01;

fn address(n: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], n))
}

/// A packet without anything in it.
fn packet(kind: u8, number: u16) -> Vec<u8> {
    header(kind, number, 0, 0, 0).to_vec()
}

fn header(kind: u8, number: u16, window: u32, sequence: u16, acknowledged: u16) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[0] = kind;
    header[2..4].copy_from_slice(&number.to_be_bytes());
    header[12..16].copy_from_slice(&window.to_be_bytes());
    header[16..18].copy_from_slice(&sequence.to_be_bytes());
    header[18..20].copy_from_slice(&acknowledged.to_be_bytes());
    header
}

#[test]
fn packets_are_let_through_for_streams_there_are_and_a_few_hellos() {
    let (mut state, now) = (State::default(), Instant::now());
    assert!(!state.admits(address(1), &packet(DATA, 8), now), "nobody has said hello");
    assert!(!state.admits(address(1), &[HELLO; 19], now), "it is cut off");
    assert!(state.admits(address(1), &packet(HELLO, 7), now));
    assert!(!state.admits(address(1), &packet(HELLO, 7), now), "it is said again");
    state.newest = Newest::From(address(1));
    state.sends(address(1), &packet(STATE, 7));
    assert!(matches!(state.newest, Newest::Is(key) if key == (address(1), 8)));
    assert!(state.admits(address(1), &packet(DATA, 8), now) && !state.admits(address(2), &packet(DATA, 8), now));
    assert!(!state.admits(address(1), &packet(HELLO, 7), now), "it is a stream");
    let heard = (0..1000).filter(|n| state.admits(address(*n), &packet(HELLO, 100), now)).count();
    assert_eq!(heard, HELLOS_MAX);
    state.sends(address(0), &packet(RESET, 100));
    assert!(state.admits(address(0), &packet(HELLO, 100), now), "that one was refused");
    state.sweep(now + HELLO_MAX);
    assert!(state.hellos.is_empty());
}

#[test]
fn who_speaks_over_a_stream_of_a_former_run_is_told_that_it_is_gone() {
    let said = header(STATE, 8, 0, 500, 77);
    let [one, other] = refusals(&said).expect("an answer");
    assert_eq!((one, other), (header(RESET, 7, 0, 0, 500), header(RESET, 9, 0, 0, 500)));
    for silent in [packet(RESET, 8), packet(HELLO, 8), b"d1:ad2:id20:abcdefghije1:q4:pinge".to_vec(), vec![DATA; 19]] {
        assert_eq!(refusals(&silent), None, "{silent:?}");
    }
    let (mut state, now) = (State::default(), Instant::now());
    let answered = (0..1000).filter(|_| state.may_refuse(now)).count();
    assert_eq!(u32::try_from(answered), Ok(REFUSALS_PER_SEC));
    assert!(state.may_refuse(now + Duration::from_secs(1)));
}

#[test]
fn what_lingers_is_reset_in_time_or_when_there_is_too_much_of_it() {
    let (mut state, now) = (State::default(), Instant::now());
    let lingering = u16::try_from(LINGERING_MAX).expect("a few hundred");
    for number in 0..=lingering {
        state.streams.insert((address(1), number), None);
        state.ended((address(1), number), false, now);
    }
    assert_eq!(state.resets, [(address(1), 0)]);
    state.sweep(now + LINGER_MAX);
    assert_eq!((state.resets.len(), state.streams.len()), (LINGERING_MAX + 1, LINGERING_MAX), "the first has gone");
    state.sweep(now + LINGER_MAX + GOING);
    assert!(state.streams.is_empty() && state.lingering.is_empty() && state.going.is_empty());
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
    utp.gate.state().sweep(Instant::now() + LINGER_MAX);
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
