//! Peers that write their bytes themselves: a good one, which says how long it waited, and what bad ones are made of.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use everseed::id::InfoHash;
use socket2::{Domain, Socket, Type};

/// What a peer that answers has answered after.
const PATIENCE: Duration = Duration::from_secs(20);

/// Connects from one of the loopback network's addresses, which are sixteen million; nobody waits longer than
/// [`PATIENCE`] for a byte of it.
pub fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from.into(), 0).into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// The first 68 bytes of a peer (BEP 3) that knows the extension protocol (BEP 10).
pub fn handshake(info_hash: &InfoHash) -> Vec<u8> {
    let mut bytes = b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\0".to_vec();
    bytes.extend(info_hash.0);
    bytes.extend(b"-XX0001-abcdefghijkl");
    bytes
}

/// A message with its length in front.
pub fn message(id: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(1 + body.len()).expect("a message is far below 4 GiB");
    [&length.to_be_bytes()[..], &[id], body].concat()
}

pub const UNCHOKE: u8 = 1;
pub const INTERESTED: u8 = 2;
pub const REQUEST: u8 = 6;
pub const PIECE: u8 = 7;
pub const EXTENDED: u8 = 20;

/// Asks for `bytes` bytes at `begin` of a piece.
pub fn request(piece: u32, begin: u32, bytes: u32) -> Vec<u8> {
    message(REQUEST, [piece, begin, bytes].map(u32::to_be_bytes).as_flattened())
}

/// The id and the body of the next message that is not a keep-alive.
pub fn next(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut message = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut message)?;
        if let Some((&id, body)) = message.split_first() {
            return Ok((id, body.to_vec()));
        }
    }
}

/// A peer that is through with its handshake and may ask.
pub fn unchoked(from: Ipv4Addr, to: SocketAddr, info_hash: &InfoHash) -> io::Result<TcpStream> {
    let mut stream = connect(from, to)?;
    greet(&mut stream, info_hash)?;
    Ok(stream)
}

/// Says who it is and what it wants, and waits until it may ask.
pub fn greet(stream: &mut (impl Read + Write), info_hash: &InfoHash) -> io::Result<()> {
    stream.write_all(&[handshake(info_hash), message(INTERESTED, &[])].concat())?;
    stream.read_exact(&mut [0; 68])?;
    while next(stream)?.0 != UNCHOKE {}
    Ok(())
}

/// What a good peer connects, greets and asks for, and how long all of it takes.
#[expect(clippy::disallowed_methods, reason = "a test measures how long a peer waits")]
pub fn block(from: Ipv4Addr, to: SocketAddr, info_hash: &InfoHash, piece: u32) -> io::Result<(Vec<u8>, Duration)> {
    let start = Instant::now();
    let mut stream = unchoked(from, to, info_hash)?;
    stream.write_all(&request(piece, 0, 16384))?;
    loop {
        let (id, body) = next(&mut stream)?;
        if id == PIECE {
            return Ok((body[8..].to_vec(), start.elapsed()));
        }
    }
}
