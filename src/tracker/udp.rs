//! The tracker's UDP wire (BEP 15, 41): one packet in, at most one packet out.
//!
//! What does not prove its sender's address is dropped in silence, so that nobody can use the tracker to send
//! packets to others; a connect is answered with as many bytes as it has.

use std::net::{IpAddr, SocketAddr};

use super::announce::LEFT_UNKNOWN;
use super::{Announce, Counts, Event, Families, Refusal, Reply, Seconds};
use crate::id::{InfoHash, PeerId};

pub use super::connection_id::ConnectionIds;

/// The largest packet that is answered with: an IPv6 packet of 1,280 bytes, which every path carries whole, without
/// its own 40 bytes and UDP's 8 (rule 19).
pub const REPLY_BYTES_MAX: usize = 1280 - 40 - 8;
/// Torrents in one scrape at most; those beyond it are not answered (BEP 15 "up to about 74").
pub const SCRAPE_HASHES_MAX: usize = 74;

/// What a `connect` begins with (BEP 15).
pub const PROTOCOL_ID: u64 = 0x0417_2710_1980;
/// The action that asks for a connection id.
pub const CONNECT: u32 = 0;
/// The action that announces.
pub const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
/// The action of an answer that is a refusal.
pub const ERROR: u32 = 3;
/// The bytes of a `connect` and of its answer.
pub const CONNECT_BYTES: usize = 16;
/// The bytes of an announce without options (BEP 41).
pub const ANNOUNCE_BYTES: usize = 98;
const ANNOUNCE_REPLY_HEAD_BYTES: usize = 20;

/// What a client asks for, with the transaction by which it knows the answer again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request<'p> {
    /// A connection id.
    Connect {
        /// To be repeated in the answer.
        transaction: u32,
    },
    /// Peers.
    Announce {
        /// To be repeated in the answer.
        transaction: u32,
        /// The announce.
        announce: Announce,
    },
    /// Numbers.
    Scrape {
        /// To be repeated in the answer.
        transaction: u32,
        /// The torrents, in the order of the answer; [`SCRAPE_HASHES_MAX`] at most.
        hashes: Hashes<'p>,
    },
}

/// The torrents that a scrape names, where they stand in its packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashes<'p>(&'p [[u8; 20]]);

impl Hashes<'_> {
    /// Each of them, doubled ones too.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = InfoHash> {
        self.0.iter().map(|hash| InfoHash(*hash))
    }
}

/// Reads a packet from `client` that arrived at the local address `arrived_at`. `None` is a packet to be dropped:
/// too short, torn, of an unknown action, or with a connection id that was not issued to this address (rule 18).
pub fn parse<'p>(
    packet: &'p [u8],
    client: SocketAddr,
    arrived_at: IpAddr,
    ids: &ConnectionIds,
    now: Seconds,
) -> Option<Request<'p>> {
    let (connection, rest) = packet.split_first_chunk().map(|(id, rest)| (u64::from_be_bytes(*id), rest))?;
    let (action, rest) = rest.split_first_chunk().map(|(action, rest)| (u32::from_be_bytes(*action), rest))?;
    let (transaction, body) = rest.split_first_chunk().map(|(id, rest)| (u32::from_be_bytes(*id), rest))?;
    if action == CONNECT {
        return (connection == PROTOCOL_ID).then_some(Request::Connect { transaction });
    }
    if !ids.holds(connection, client.ip(), now) {
        return None;
    }
    match action {
        ANNOUNCE => Some(Request::Announce { transaction, announce: announce(body, client, arrived_at)? }),
        SCRAPE => {
            let (hashes, torn) = body.as_chunks::<20>();
            let hashes = Hashes(&hashes[..hashes.len().min(SCRAPE_HASHES_MAX)]);
            torn.is_empty().then_some(Request::Scrape { transaction, hashes })
        }
        _ => None,
    }
}

/// Appends the answer to a connect.
pub fn write_connect(out: &mut Vec<u8>, transaction: u32, connection: u64) {
    head(out, CONNECT, transaction);
    out.extend_from_slice(&connection.to_be_bytes());
}

/// Appends the answer to an announce: 6-byte peers for a client over IPv4, 18-byte ones over IPv6, and never more
/// than fit into [`REPLY_BYTES_MAX`].
pub fn write_announce(out: &mut Vec<u8>, transaction: u32, reply: &Reply, families: Families) {
    head(out, ANNOUNCE, transaction);
    out.extend_from_slice(&reply.interval_secs.to_be_bytes());
    out.extend_from_slice(&narrow(reply.counts.incomplete).to_be_bytes());
    out.extend_from_slice(&narrow(reply.counts.complete).to_be_bytes());
    let (peers, size) = if families.v6() { (reply.v6.compact(), 18) } else { (reply.v4.compact(), 6) };
    out.extend_from_slice(&peers[..peers.len().min(peers_max(size) * size)]);
}

/// Appends the answer to a scrape: the numbers of each torrent in its place, noughts for one that is not served.
pub fn write_scrape(out: &mut Vec<u8>, transaction: u32, files: impl IntoIterator<Item = Option<Counts>>) {
    head(out, SCRAPE, transaction);
    for counts in files {
        let counts = counts.unwrap_or_default();
        for number in [counts.complete, counts.downloaded, counts.incomplete] {
            out.extend_from_slice(&narrow(number).to_be_bytes());
        }
    }
}

/// Appends an error with its reason, which is smaller than any announce.
pub fn write_error(out: &mut Vec<u8>, transaction: u32, refusal: Refusal) {
    head(out, ERROR, transaction);
    out.extend_from_slice(refusal.reason().as_bytes());
}

/// The announce of a packet behind its head of 16 bytes. What follows it are options (BEP 41): they carry the path
/// of the announce URL, which says nothing here, since the info-hash alone names a swarm.
fn announce(body: &[u8], client: SocketAddr, arrived_at: IpAddr) -> Option<Announce> {
    let body: &[u8; ANNOUNCE_BYTES - CONNECT_BYTES] = body.first_chunk()?;
    let ip = client.ip().to_canonical();
    let families = if ip.is_ipv4() { Families::V4 } else { Families::V6 };
    let peers_max = u32::try_from(peers_max(if ip.is_ipv4() { 6 } else { 18 })).unwrap_or(u32::MAX);
    // The field at 68 is an address that the client names: ignored (rule 12); the one at 72 a key that nobody needs.
    Some(Announce {
        info_hash: InfoHash(at(body, 0)),
        peer_id: PeerId(at(body, 20)),
        addr: SocketAddr::new(ip, u16::from_be_bytes(at(body, 80))),
        arrived_at: arrived_at.to_canonical(),
        downloaded: u64::from_be_bytes(at(body, 40)),
        left: u64::from_be_bytes(at(body, 48)).min(LEFT_UNKNOWN),
        uploaded: u64::from_be_bytes(at(body, 56)),
        event: match u32::from_be_bytes(at(body, 64)) {
            1 => Event::Completed,
            2 => Event::Started,
            3 => Event::Stopped,
            // Not in BEP 15; it is what libtorrent sends for `paused` (BEP 21).
            4 => Event::Paused,
            _ => Event::Update,
        },
        // A negative number is the default (rule 7).
        numwant: u32::try_from(i32::from_be_bytes(at(body, 76))).ok().map(|wanted| wanted.min(peers_max)),
        families,
        named: false,
        held_back: false,
    })
}

/// The `N` bytes of an announce that begin at `offset`.
fn at<const N: usize>(body: &[u8; ANNOUNCE_BYTES - CONNECT_BYTES], offset: usize) -> [u8; N] {
    body[offset..].first_chunk().copied().expect("the fields lie within the 82 bytes")
}

/// How many peers of `size` bytes fit into a reply.
const fn peers_max(size: usize) -> usize {
    (REPLY_BYTES_MAX - ANNOUNCE_REPLY_HEAD_BYTES) / size
}

fn head(out: &mut Vec<u8>, action: u32, transaction: u32) {
    out.extend_from_slice(&action.to_be_bytes());
    out.extend_from_slice(&transaction.to_be_bytes());
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
