//! Peers that announce, over each wire and from an address of their choice.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use everseed::id::InfoHash;

use super::{PATIENCE, peer};

/// Bytes as a query names them.
pub fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat()
}

/// A leecher's announce, after which the connection is kept or closed.
pub fn request(info_hash: &InfoHash, is_kept: bool) -> String {
    let hash = escaped(&info_hash.0);
    let connection = if is_kept { "keep-alive" } else { "close" };
    format!(
        "GET /announce?info_hash={hash}&peer_id=-XX0001-abcdefghijkl&port=6999&left=1&compact=1 HTTP/1.1\r\n\
         Host: test\r\nConnection: {connection}\r\n\r\n"
    )
}

/// Announces over a connection of its own; the whole answer, and how long it took.
#[expect(clippy::disallowed_methods, reason = "a test measures how long a peer waits")]
pub fn over_http(from: Ipv4Addr, to: SocketAddr, info_hash: &InfoHash) -> io::Result<(Vec<u8>, Duration)> {
    let start = Instant::now();
    let mut stream = peer::connect(from, to)?;
    stream.write_all(request(info_hash, false).as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok((answer, start.elapsed()))
}

/// Connects and announces (BEP 15); the answer to the announce, and how long both took.
#[expect(clippy::disallowed_methods, reason = "a test measures how long a peer waits")]
pub fn over_udp(from: Ipv4Addr, to: SocketAddr, info_hash: &InfoHash) -> io::Result<(Vec<u8>, Duration)> {
    let start = Instant::now();
    let socket = UdpSocket::bind((from, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let ask = |packet: &[u8]| {
        socket.send_to(packet, to)?;
        let mut answer = [0; 1500];
        let bytes = socket.recv(&mut answer)?;
        io::Result::Ok(answer[..bytes].to_vec())
    };
    // The protocol's number, action 0 and a transaction id.
    let connected = ask(&[&0x0417_2710_1980_u64.to_be_bytes()[..], &[0; 4], b"abcd"].concat())?;
    let id = connected.get(8..16).ok_or(io::ErrorKind::InvalidData)?;
    let mut packet = [id, &[0, 0, 0, 1], b"efgh", &info_hash.0, b"-XX0001-abcdefghijkl", &[0; 8]].concat();
    packet.extend(1_u64.to_be_bytes());
    // Uploaded, event, ip and key; as many peers as there are; port.
    packet.extend([0; 20]);
    packet.extend([0xff; 4]);
    packet.extend(6999_u16.to_be_bytes());
    Ok((ask(&packet)?, start.elapsed()))
}

/// What a tracker says over both wires of a torrent: nothing, where it takes the announce, or else why it does not.
pub fn refusals(to: SocketAddr, info_hash: &InfoHash) -> [Option<String>; 2] {
    let from = Ipv4Addr::LOCALHOST;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (http, _) = over_http(from, to, info_hash).expect("an answer");
    let http = text(&http);
    let reason = http.split("14:failure reason").nth(1).and_then(|rest| {
        let (length, rest) = rest.split_once(':')?;
        Some(rest[..length.parse().ok()?].to_owned())
    });
    assert!(reason.is_some() || http.contains("5:peers"), "{http}");
    let (udp, _) = over_udp(from, to, info_hash).expect("an answer");
    // Action 1 is an announce, 3 an error; a transaction id follows.
    let refused = match &udp[..8] {
        b"\0\0\0\x01efgh" => None,
        b"\0\0\0\x03efgh" => Some(text(&udp[8..])),
        other => panic!("{}", other.escape_ascii()),
    };
    [reason, refused]
}
