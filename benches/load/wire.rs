//! What the load says: announces of many peers of many torrents, as packets and as requests.

use std::fmt::Write as _;

use super::Measured;

/// The bytes of an announce over UDP (BEP 15).
pub const PACKET_BYTES: usize = 98;
/// Peers that an announce asks for.
pub const NUMWANT: u8 = 50;
/// The port of the first peer of a torrent; the others have the following ones.
const FIRST_PORT: u16 = 2000;

/// Torrents, and peers of each.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// The torrents, by their info-hashes.
    pub torrents: Vec<[u8; 20]>,
    /// Peers of each.
    pub peers: usize,
}

/// One peer of one torrent.
#[derive(Debug, Clone, Copy)]
pub struct Announcer {
    torrent: usize,
    peer: u16,
}

impl Crowd {
    /// All peers of all torrents.
    pub fn len(&self) -> usize {
        self.torrents.len() * self.peers
    }

    /// The peer that stands at `index`; neighbours are of different torrents.
    pub fn at(&self, index: usize) -> Announcer {
        let peer = u16::try_from(index / self.torrents.len()).expect("peers have ports of their own");
        Announcer { torrent: index % self.torrents.len(), peer }
    }

    /// Whether an answer that tells of so many peers comes from a tracker that knows the crowd. Some leave out who asks.
    pub fn check(&self, known: usize) -> Measured<()> {
        let peers = self.peers;
        if known + 1 >= peers { Ok(()) } else { Err(format!("it knows {known} of {peers} peers of a torrent")) }
    }

    /// Writes the packet of an announce; `packet` holds the bytes that are always the same ([`packet`]).
    pub fn write_packet(&self, packet: &mut [u8; PACKET_BYTES], transaction: u32, announcer: Announcer) {
        packet[12..16].copy_from_slice(&transaction.to_be_bytes());
        packet[16..36].copy_from_slice(&self.torrents[announcer.torrent]);
        packet[52..56].copy_from_slice(&self.tag(announcer));
        packet[71] = announcer.left();
        packet[96..98].copy_from_slice(&announcer.port().to_be_bytes());
    }

    /// Writes the request of an announce over HTTP.
    pub fn write_request(&self, out: &mut String, announcer: Announcer, close: bool) {
        out.clear();
        out.push_str("GET /announce?info_hash=");
        escape(out, &self.torrents[announcer.torrent]);
        out.push_str("&peer_id=-LD0001-00000000");
        escape(out, &self.tag(announcer));
        let (port, left) = (announcer.port(), announcer.left());
        // What a client of these days sends.
        write!(
            out,
            "&port={port}&uploaded=0&downloaded=0&left={left}&corrupt=0&key=0A1B2C3D&numwant={NUMWANT}&compact=1\
             &no_peer_id=1&supportcrypto=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load/1.0\r\n\
             Accept-Encoding: gzip\r\nConnection: {}\r\n\r\n",
            if close { "close" } else { "keep-alive" },
        )
        .expect("a string takes everything");
    }

    /// What tells a peer's id from all others'.
    fn tag(&self, announcer: Announcer) -> [u8; 4] {
        let index = announcer.torrent * self.peers + usize::from(announcer.peer);
        u32::try_from(index).expect("peers are few").to_be_bytes()
    }
}

impl Announcer {
    fn port(self) -> u16 {
        FIRST_PORT + self.peer
    }

    /// One of five is a seed.
    fn left(self) -> u8 {
        u8::from(!self.peer.is_multiple_of(5))
    }
}

/// The packet of an announce, but for what differs from peer to peer.
pub fn packet(connection: [u8; 8]) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    packet[..8].copy_from_slice(&connection);
    packet[11] = 1;
    packet[36..52].copy_from_slice(b"-LD0001-00000000");
    packet[95] = NUMWANT;
    packet
}

/// The packet that asks for a connection id.
pub fn connect() -> [u8; 16] {
    let mut packet = [0; 16];
    packet[..8].copy_from_slice(&0x0417_2710_1980_u64.to_be_bytes());
    packet
}

/// A row of numbers without end in no order that a cache would guess.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// The same row for the same `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// The next one below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let wide = u128::from(self.0) * bound as u128;
        usize::try_from(wide >> 64).expect("below the bound")
    }
}

fn escape(out: &mut String, bytes: &[u8]) {
    const HEX: [u8; 16] = *b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}
