//! The least that can be served: trackers without expiry, IPv6, keeping or checks, on one thread and the bare system
//! calls, and servers that answer everybody the same. What a whole tracker takes beyond them is its own.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

use super::wire::{Dice, NUMWANT};

const BATCH: usize = 32;
const PACKET_BYTES_MAX: usize = 1500;
/// Peers of a swarm beyond which it has an index.
const SCANNED_MAX: usize = 16;
const EVENTS: usize = 64;
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// A server of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It answers everybody the same.
    Null,
    /// It knows its peers.
    Bare,
}

/// Serves announces over UDP for ever.
pub fn serve_udp(kind: Kind, port: u16) {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).expect("the port is free");
    let mut swarms = Swarms::default();
    let mut memory = vec![[0_u8; PACKET_BYTES_MAX]; BATCH];
    let mut out = vec![[0_u8; PACKET_BYTES_MAX]; BATCH];
    let mut from = [None::<SockaddrIn>; BATCH];
    let mut bytes = [0; BATCH];
    let (mut receiving, mut sending) = (MultiHeaders::preallocate(BATCH, None), MultiHeaders::preallocate(BATCH, None));
    loop {
        let mut packets = memory.iter_mut();
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(packets.next().expect("one for each"))]);
        let fd = socket.as_raw_fd();
        let received = recvmmsg(fd, &mut receiving, &mut slices, MsgFlags::MSG_WAITFORONE, None);
        let Ok(received) = received else { continue };
        let mut count = 0;
        for (at, message) in received.enumerate() {
            (from[at], bytes[at]) = (message.address, message.bytes);
            count += 1;
        }
        for at in 0..count {
            let packet = &memory[at][..bytes[at]];
            let client: SockaddrIn = from[at].expect("a datagram has a sender");
            bytes[at] = answer_packet(kind, &mut swarms, packet, client, &mut out[at]);
        }
        let slices: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|at| [IoSlice::new(&out[at][..bytes[at]])]);
        // Whoever does not take an answer has none.
        let _ = sendmmsg(fd, &mut sending, &slices[..count], &from[..count], [], MsgFlags::empty());
    }
}

fn answer_packet(kind: Kind, swarms: &mut Swarms, packet: &[u8], client: SockaddrIn, out: &mut [u8]) -> usize {
    out[..4].copy_from_slice(&packet[8..12]);
    out[4..8].copy_from_slice(&packet[12..16]);
    if packet.len() == 16 {
        out[8..16].copy_from_slice(&[7; 8]);
        return 16;
    }
    out[8..12].copy_from_slice(&1800_u32.to_be_bytes());
    if kind == Kind::Null {
        out[12..74].fill(1);
        return 74;
    }
    let info_hash = packet[16..36].first_chunk().expect("20 bytes");
    let mut peer = [0; 6];
    peer[..4].copy_from_slice(&client.ip().octets());
    peer[4..].copy_from_slice(&packet[96..98]);
    let is_seed = packet[64..72] == [0; 8];
    let (seeds, leechers, bytes) = swarms.announce(info_hash, peer, is_seed, &mut out[20..]);
    out[12..16].copy_from_slice(&leechers.to_be_bytes());
    out[16..20].copy_from_slice(&seeds.to_be_bytes());
    20 + bytes
}

/// Serves announces over HTTP for ever.
pub fn serve_http(kind: Kind, port: u16) {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("the port is free");
    listener.set_nonblocking(true).expect("a socket");
    let epoll = Epoll::new(EpollCreateFlags::empty()).expect("the system has epoll");
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, u64::MAX)).expect("watched");
    let mut swarms = Swarms::default();
    let mut connections: Vec<Option<(TcpStream, SocketAddr)>> = Vec::new();
    let mut events = [EpollEvent::empty(); EVENTS];
    let (mut request, mut reply) = ([0; REQUEST_BYTES_MAX], Vec::new());
    loop {
        let ready = epoll.wait(&mut events, EpollTimeout::NONE).expect("epoll waits");
        for event in &events[..ready] {
            if event.data() == u64::MAX {
                while let Ok((stream, from)) = listener.accept() {
                    stream.set_nonblocking(true).expect("a socket");
                    stream.set_nodelay(true).expect("a TCP socket");
                    let slot = connections.iter().position(Option::is_none).unwrap_or(connections.len());
                    let event = EpollEvent::new(EpollFlags::EPOLLIN, slot as u64);
                    epoll.add(&stream, event).expect("watched");
                    if slot == connections.len() {
                        connections.push(None);
                    }
                    connections[slot] = Some((stream, from));
                }
                continue;
            }
            let slot = usize::try_from(event.data()).expect("a slot");
            let Some((stream, from)) = &mut connections[slot] else { continue };
            let bytes = match stream.read(&mut request) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Ok(bytes) if bytes > 0 => bytes,
                _ => {
                    connections[slot] = None;
                    continue;
                }
            };
            let request = &request[..bytes];
            let is_last = !request.ends_with(b"\r\nConnection: keep-alive\r\n\r\n");
            answer_request(kind, &mut swarms, request, *from, &mut reply);
            if stream.write_all(&reply).is_err() || is_last {
                connections[slot] = None;
            }
        }
    }
}

/// The load sends each request in one piece.
fn answer_request(kind: Kind, swarms: &mut Swarms, request: &[u8], from: SocketAddr, reply: &mut Vec<u8>) {
    let mut out = [b'x'; 512];
    let (mut seeds, mut leechers, mut bytes) = (2, 7, 54);
    if kind == Kind::Bare {
        let query = &request[b"GET /announce?info_hash=".len()..];
        let mut rest = query;
        let info_hash = std::array::from_fn(|_| {
            let (byte, after) = match rest {
                [b'%', high, low, after @ ..] => (hex(*high) << 4 | hex(*low), after),
                [byte, after @ ..] => (*byte, after),
                [] => (0, rest),
            };
            rest = after;
            byte
        });
        let port = number(rest, *b"&port=");
        let mut peer = [0; 6];
        if let SocketAddr::V4(from) = from {
            peer[..4].copy_from_slice(&SocketAddrV4::ip(&from).octets());
        }
        peer[4..].copy_from_slice(&u16::try_from(port).unwrap_or(0).to_be_bytes());
        (seeds, leechers, bytes) = swarms.announce(&info_hash, peer, number(rest, *b"&left=") == 0, &mut out);
    }
    let mut body = Vec::with_capacity(600);
    write!(body, "d8:completei{seeds}e10:incompletei{leechers}e8:intervali1800e5:peers{bytes}:").expect("memory");
    body.extend_from_slice(&out[..bytes]);
    body.push(b'e');
    reply.clear();
    let length = body.len();
    write!(reply, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n").expect("memory");
    reply.extend_from_slice(&body);
}

fn number(query: &[u8], name: [u8; 6]) -> u64 {
    let at = query.windows(name.len()).position(|bytes| bytes == name);
    let digits = at.map_or(&[][..], |at| &query[at + name.len()..]);
    digits.iter().take_while(|digit| digit.is_ascii_digit()).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 32) - b'a' + 10,
    }
}

struct Swarms {
    each: HashMap<[u8; 20], Swarm, BuildHasherDefault<First>>,
    dice: Dice,
}

impl Default for Swarms {
    fn default() -> Self {
        Self { each: HashMap::default(), dice: Dice::new(1) }
    }
}

#[derive(Default)]
struct Swarm {
    peers: Vec<[u8; 6]>,
    is_seed: Vec<bool>,
    seeds: u32,
    index: HashMap<[u8; 6], usize, BuildHasherDefault<First>>,
}

/// One multiplication of eight bytes. Info-hashes are hashes already; peers on one host differ in the upper bits alone,
/// and a table looks at the lower ones.
#[derive(Default)]
struct First(u64);

impl Hasher for First {
    fn finish(&self) -> u64 {
        let product = u128::from(self.0) * 0x9e37_79b9_7f4a_7c15;
        (product >> 64) as u64 ^ product as u64
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut word = [0; 8];
        let length = bytes.len().min(8);
        word[..length].copy_from_slice(&bytes[bytes.len() - length..]);
        self.0 ^= u64::from_le_bytes(word);
    }

    fn write_usize(&mut self, _: usize) {}
}

impl Swarms {
    /// Takes in a peer, writes others, and returns seeds, leechers and the bytes written.
    fn announce(&mut self, info_hash: &[u8; 20], peer: [u8; 6], is_seed: bool, out: &mut [u8]) -> (u32, u32, usize) {
        let swarm = self.each.entry(*info_hash).or_default();
        let at = swarm.place(peer);
        swarm.seeds = swarm.seeds + u32::from(is_seed) - u32::from(swarm.is_seed[at]);
        swarm.is_seed[at] = is_seed;
        let count = swarm.peers.len();
        let first = self.dice.below(count);
        let others = (0..count).map(|step| (first + step) % count).filter(|&other| other != at);
        let mut bytes = 0;
        for other in others.take(usize::from(NUMWANT)) {
            out[bytes..bytes + 6].copy_from_slice(&swarm.peers[other]);
            bytes += 6;
        }
        let all = u32::try_from(count).expect("few");
        (swarm.seeds, all - swarm.seeds, bytes)
    }
}

impl Swarm {
    fn place(&mut self, peer: [u8; 6]) -> usize {
        let known = if self.peers.len() > SCANNED_MAX {
            self.index.get(&peer).copied()
        } else {
            self.peers.iter().position(|other| *other == peer)
        };
        known.unwrap_or_else(|| {
            self.peers.push(peer);
            self.is_seed.push(false);
            let at = self.peers.len() - 1;
            if at == SCANNED_MAX {
                self.index = self.peers.iter().enumerate().map(|(at, peer)| (*peer, at)).collect();
            } else if at > SCANNED_MAX {
                self.index.insert(peer, at);
            }
            at
        })
    }
}
