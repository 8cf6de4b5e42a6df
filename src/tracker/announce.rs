//! What a peer says and what it is told, whichever wire carries it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::compact::unpack;
use crate::id::{InfoHash, PeerId};

/// A moment in seconds of Unix time, so that it means the same after a restart.
///
/// The caller reads the clock. Differences saturate: a clock that jumps back makes nothing older than it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seconds(pub u64);

impl Seconds {
    /// The seconds that passed since `earlier`; none where `earlier` is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The largest `left` that is kept, and the one assumed where a client names none (rule 6): a client that does not
/// know yet what it lacks is a leecher.
pub const LEFT_UNKNOWN: u64 = i64::MAX as u64;

/// One announce (BEP 3, BEP 15), parsed and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announce {
    /// The swarm it is about.
    pub info_hash: InfoHash,
    /// The name the client gives itself.
    pub peer_id: PeerId,
    /// Where the client can be reached: the address it came from, never an IPv4-mapped one, and the port it named.
    /// With port 0 it gets peers and is not stored.
    pub addr: SocketAddr,
    /// The local address at which the announce arrived, unspecified where that is not known.
    pub arrived_at: IpAddr,
    /// Bytes the client says it has uploaded in this session.
    pub uploaded: u64,
    /// Bytes the client says it has downloaded in this session.
    pub downloaded: u64,
    /// Bytes the client still lacks; 0 makes it a seed.
    pub left: u64,
    /// What has happened.
    pub event: Event,
    /// How many peers it wants; `None` is the default number.
    pub numwant: Option<u32>,
    /// Which addresses the wire can carry back.
    pub families: Families,
    /// Whether it wants to know the names of the peers it is given, which lie apart in memory: most clients don't.
    pub named: bool,
    /// The address is that of a proxy and not the client's (see [`super::address::Standing::HeldBack`]): it gets
    /// peers and is handed to nobody.
    pub held_back: bool,
}

/// The `event` of an announce. Only [`Event::Stopped`] has an effect of its own (rule 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Event {
    /// A regular announce, or an event that is not known.
    #[default]
    Update,
    /// The first announce of a session.
    Started,
    /// The download is complete; some clients never say it and some say it every time, so nothing depends on it.
    Completed,
    /// The client leaves.
    Stopped,
    /// A partial seed (BEP 21): it wants nothing more, though it lacks something.
    Paused,
}

/// The address families a reply may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Families {
    /// IPv4 and IPv6: HTTP carries both (BEP 7).
    #[default]
    Both,
    /// IPv4 alone: UDP over IPv4 (BEP 15).
    V4,
    /// IPv6 alone: UDP over IPv6 (BEP 15).
    V6,
}

impl Families {
    /// Whether IPv4 addresses may be given.
    pub fn v4(self) -> bool {
        self != Self::V6
    }

    /// Whether IPv6 addresses may be given.
    pub fn v6(self) -> bool {
        self != Self::V4
    }
}

/// The answer to an announce. A caller keeps one and has it filled again and again, so that its lists are allocated
/// once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Seconds until the client should come back, with the jitter of this reply.
    pub interval_secs: u32,
    /// Seconds before which it should not.
    pub interval_min_secs: u32,
    /// The swarm after this announce.
    pub counts: Counts,
    /// IPv4 peers, as they stand in `peers` (BEP 23).
    pub v4: Contacts<6>,
    /// IPv6 peers, as they stand in `peers6` (BEP 7).
    pub v6: Contacts<18>,
    /// The address the client is seen under (BEP 24); unspecified where the tracker knows it to be a proxy's.
    pub external_ip: IpAddr,
    /// Something for the client's log.
    pub warning: Option<&'static str>,
    /// The everseed has the torrent, but no address of it is one the client could reach: the operator should
    /// configure the public addresses.
    pub seed_unreachable: bool,
}

impl Default for Reply {
    fn default() -> Self {
        Self {
            interval_secs: 0,
            interval_min_secs: 0,
            counts: Counts::default(),
            v4: Contacts::default(),
            v6: Contacts::default(),
            external_ip: Ipv4Addr::UNSPECIFIED.into(),
            warning: None,
            seed_unreachable: false,
        }
    }
}

impl Reply {
    /// How many peers it names.
    pub fn peers(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Empties the lists for the next answer; their memory stays.
    pub(super) fn clear(&mut self) {
        self.v4.clear();
        self.v6.clear();
        self.warning = None;
        self.seed_unreachable = false;
    }
}

/// Peers of one family, as bytes that go onto the wire as they are: address and port in network order, `N` = 6 or 18.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contacts<const N: usize> {
    addrs: Vec<[u8; N]>,
    /// None where the announce wanted none.
    ids: Vec<PeerId>,
}

impl<const N: usize> Default for Contacts<N> {
    fn default() -> Self {
        Self { addrs: Vec::new(), ids: Vec::new() }
    }
}

impl<const N: usize> Contacts<N> {
    /// The compact form: one address after the other.
    pub fn compact(&self) -> &[u8] {
        self.addrs.as_flattened()
    }

    /// Each peer's address, and its name where the announce wanted names.
    pub fn iter(&self) -> impl Iterator<Item = (SocketAddr, Option<PeerId>)> {
        let ids = self.ids.iter().copied().map(Some).chain(std::iter::repeat(None));
        self.addrs.iter().zip(ids).filter_map(|(addr, id)| Some((unpack(addr)?, id)))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.addrs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.addrs.is_empty()
    }

    /// Adds a peer. Either all have a name or none has.
    pub(super) fn push(&mut self, addr: [u8; N], id: Option<PeerId>) {
        self.addrs.push(addr);
        self.ids.extend(id);
    }

    pub(super) fn swap(&mut self, a: usize, b: usize) {
        self.addrs.swap(a, b);
        if !self.ids.is_empty() {
            self.ids.swap(a, b);
        }
    }

    fn clear(&mut self) {
        self.addrs.clear();
        self.ids.clear();
    }
}

/// A swarm in numbers, as a scrape tells it (BEP 48).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Peers that have everything, the everseed included while it is offered.
    pub complete: u64,
    /// Peers that lack something, partial seeds included.
    pub incomplete: u64,
    /// Peers that lack something and want it: `incomplete` without the partial seeds (BEP 21).
    pub downloaders: u64,
    /// Downloads completed in the torrent's lifetime.
    pub downloaded: u64,
}

/// Why a peer is turned away: said to the peer, and no concern of the operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each name is the sentence that `reason` gives")]
pub enum Refusal {
    NotServed,
    Withdrawn,
    Full,
    InfoHashMissing,
    InfoHashTwice,
    InfoHashMalformed,
    PeerIdMissing,
    PeerIdTwice,
    PeerIdMalformed,
    FullScrapeClosed,
    ScrapeTooLong,
}

/// When a client that was turned away may come again (BEP 31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// After so many minutes.
    Minutes(u32),
    /// Not at all: the same request will fail again.
    Never,
}

impl Refusal {
    /// The sentence for the client's log. It repeats nothing the client sent, names no path, and is short enough
    /// that a UDP error is no larger than the request (rules 2 and 18).
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotServed => "this tracker does not serve that torrent",
            Self::Withdrawn => "this torrent was withdrawn by its publisher",
            Self::Full => "this tracker has no room for another torrent",
            Self::InfoHashMissing => "info_hash is missing",
            Self::InfoHashTwice => "info_hash stands twice; announce one torrent a request",
            Self::InfoHashMalformed => "info_hash is not 20 percent-encoded bytes",
            Self::PeerIdMissing => "peer_id is missing",
            Self::PeerIdTwice => "peer_id stands twice",
            Self::PeerIdMalformed => "peer_id is not 20 percent-encoded bytes",
            Self::FullScrapeClosed => "this tracker answers scrapes of named torrents only",
            Self::ScrapeTooLong => "too many torrents in one scrape",
        }
    }

    /// When to try again. A torrent that is not served may be published later, and room come free; a malformed request stays one.
    pub fn retry(self) -> Retry {
        match self {
            Self::NotServed | Self::Full => Retry::Minutes(60),
            _ => Retry::Never,
        }
    }

    /// A short name for counters and logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::NotServed => "not_served",
            Self::Withdrawn => "withdrawn",
            Self::Full => "full",
            Self::InfoHashMissing => "info_hash_missing",
            Self::InfoHashTwice => "info_hash_twice",
            Self::InfoHashMalformed => "info_hash_malformed",
            Self::PeerIdMissing => "peer_id_missing",
            Self::PeerIdTwice => "peer_id_twice",
            Self::PeerIdMalformed => "peer_id_malformed",
            Self::FullScrapeClosed => "full_scrape_closed",
            Self::ScrapeTooLong => "scrape_too_long",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Refusal {}

impl From<Seconds> for Duration {
    fn from(seconds: Seconds) -> Self {
        Self::from_secs(seconds.0)
    }
}
