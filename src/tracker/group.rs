//! The peers of one swarm and one address family in one array, seeds in front, with an index by address.

use std::collections::HashMap;

use super::change::Kind;
use super::random::Keyed;
use super::{Announce, Seconds};
use crate::id::PeerId;

/// Up to so many peers are found by looking at each, which is faster than an index and costs no memory.
const INDEX_FROM: usize = 24;
/// An index is given up below so many, and not at once, lest a swarm at the threshold builds it again and again.
const INDEX_UNTIL: usize = 12;
/// Bytes a second and peer that are believed, 10 Gbit/s: what a peer claims beyond it does not enter the torrent's totals.
const BELIEVED_BYTES_PER_SEC: u64 = 1_250_000_000;

/// A peer: its address as the `N` = 6 or 18 bytes that go onto the wire, and what is remembered of it.
#[derive(Debug, Clone)]
pub struct Peer<const N: usize> {
    pub uploaded: u64,
    pub downloaded: u64,
    pub seen: Seconds,
    pub addr: [u8; N],
    pub id: PeerId,
    pub kind: Kind,
    pub counted: bool,
}

/// The peers of one family. `peers[..seeds]` are the seeds, so that leechers can be drawn without looking at them.
#[derive(Debug, Clone)]
pub struct Group<const N: usize> {
    peers: Vec<Peer<N>>,
    seeds: usize,
    partials: usize,
    index: Option<HashMap<[u8; N], u32, Keyed>>,
}

impl<const N: usize> Default for Group<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// What hearing a peer changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// It was stored at this announce.
    pub added: bool,
    /// It went from lacking something to having everything, for the first time.
    pub completed: bool,
    /// Bytes it uploaded since its last announce.
    pub uploaded: u64,
    /// Bytes it downloaded since its last announce.
    pub downloaded: u64,
}

impl<const N: usize> Group<N> {
    /// Nobody.
    pub const fn new() -> Self {
        Self { peers: Vec::new(), seeds: 0, partials: 0, index: None }
    }

    /// All peers, the seeds first.
    pub fn peers(&self) -> &[Peer<N>] {
        &self.peers
    }

    /// How many of them are seeds.
    pub fn seeds(&self) -> usize {
        self.seeds
    }

    /// How many of them are partial seeds.
    pub fn partials(&self) -> usize {
        self.partials
    }

    /// Where the peer at `addr` stands.
    pub fn position(&self, addr: &[u8; N]) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(addr).map(|&position| position as usize),
            None => self.peers.iter().position(|peer| peer.addr == *addr),
        }
    }

    /// Hears the peer at `addr`, which is added where there is `room` and it is not known; `None` where there is not.
    pub fn hear(
        &mut self,
        addr: [u8; N],
        announce: &Announce,
        kind: Kind,
        now: Seconds,
        room: bool,
        keyed: Keyed,
    ) -> Option<(usize, Heard)> {
        let Some(position) = self.position(&addr) else {
            let peer = Peer {
                uploaded: announce.uploaded,
                downloaded: announce.downloaded,
                seen: now,
                addr,
                id: announce.peer_id,
                kind,
                counted: false,
            };
            return room.then(|| (self.insert(peer, keyed), Heard { added: true, ..Heard::default() }));
        };
        let peer = &mut self.peers[position];
        let mut heard = Heard::default();
        if peer.id == announce.peer_id {
            let believed = (now.since(peer.seen) + 1).saturating_mul(BELIEVED_BYTES_PER_SEC);
            heard.uploaded = step(peer.uploaded, announce.uploaded).min(believed);
            heard.downloaded = step(peer.downloaded, announce.downloaded).min(believed);
            heard.completed = peer.kind != Kind::Seed && kind == Kind::Seed && !peer.counted;
            peer.counted |= heard.completed;
        } else {
            // Another client took over the address: nothing that was known of the former one holds (rule 10).
            peer.id = announce.peer_id;
            peer.counted = false;
        }
        peer.uploaded = announce.uploaded;
        peer.downloaded = announce.downloaded;
        peer.seen = now;
        Some((self.set_kind(position, kind), heard))
    }

    /// Adds a peer that is not there yet.
    pub fn insert(&mut self, peer: Peer<N>, keyed: Keyed) -> usize {
        let kind = peer.kind;
        let last = self.peers.len();
        if let Some(index) = &mut self.index {
            index.insert(peer.addr, narrow(last));
        }
        self.peers.push(peer);
        if self.index.is_none() && self.peers.len() > INDEX_FROM {
            let mut index = HashMap::with_capacity_and_hasher(2 * self.peers.len(), keyed);
            index.extend(self.peers.iter().enumerate().map(|(position, peer)| (peer.addr, narrow(position))));
            self.index = Some(index);
        }
        match kind {
            Kind::Seed => {
                self.swap(last, self.seeds);
                self.seeds += 1;
                self.seeds - 1
            }
            Kind::Partial => {
                self.partials += 1;
                last
            }
            Kind::Leecher => last,
        }
    }

    /// Takes out the peer at `position`. Only peers behind it change their places.
    pub fn remove(&mut self, position: usize) -> Peer<N> {
        let mut position = position;
        if position < self.seeds {
            self.seeds -= 1;
            self.swap(position, self.seeds);
            position = self.seeds;
        }
        self.swap(position, self.peers.len() - 1);
        let peer = self.peers.pop().expect("the position is that of a peer");
        self.partials -= usize::from(peer.kind == Kind::Partial);
        if let Some(index) = &mut self.index {
            index.remove(&peer.addr);
        }
        self.give_back();
        peer
    }

    /// Clamps the peer's time to `now`, where a clock jumped ahead and back, and tells whether it lived too long.
    pub fn is_dead(&mut self, position: usize, now: Seconds, life_secs: u64) -> bool {
        let peer = &mut self.peers[position];
        peer.seen = peer.seen.min(now);
        now.since(peer.seen) > life_secs
    }

    fn set_kind(&mut self, position: usize, kind: Kind) -> usize {
        let former = std::mem::replace(&mut self.peers[position].kind, kind);
        self.partials -= usize::from(former == Kind::Partial);
        self.partials += usize::from(kind == Kind::Partial);
        match (former == Kind::Seed, kind == Kind::Seed) {
            (false, true) => {
                self.swap(position, self.seeds);
                self.seeds += 1;
                self.seeds - 1
            }
            (true, false) => {
                self.seeds -= 1;
                self.swap(position, self.seeds);
                self.seeds
            }
            _ => position,
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        self.peers.swap(a, b);
        if let Some(index) = &mut self.index {
            for position in [a, b] {
                index.insert(self.peers[position].addr, narrow(position));
            }
        }
    }

    /// Returns memory that a swarm no longer needs after most of its peers left.
    fn give_back(&mut self) {
        let peers = self.peers.len();
        if peers < INDEX_UNTIL {
            self.index = None;
        }
        if self.peers.capacity() > 4 * peers.max(4) {
            self.peers.shrink_to(2 * peers);
            if let Some(index) = &mut self.index {
                index.shrink_to(2 * peers);
            }
        }
    }
}

/// How far a peer's counter went; one that went back began anew, at 0.
fn step(former: u64, latter: u64) -> u64 {
    latter.checked_sub(former).unwrap_or(latter)
}

fn narrow(position: usize) -> u32 {
    u32::try_from(position).expect("a torrent has fewer peers than 2^32: PEERS_PER_TORRENT_MAX")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracker::random::Random;
    use proptest::prelude::*;

    fn peer(number: u16, kind: Kind) -> Peer<6> {
        let [high, low] = number.to_be_bytes();
        Peer {
            uploaded: 0,
            downloaded: 0,
            seen: Seconds(0),
            addr: [10, 0, high, low, 0, 1],
            id: PeerId([0; 20]),
            kind,
            counted: false,
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put(u16, Kind),
        Remove(u16),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let kind = prop_oneof![Just(Kind::Seed), Just(Kind::Leecher), Just(Kind::Partial)];
        let step = prop_oneof![
            3 => (0_u16..60, kind).prop_map(|(number, kind)| Step::Put(number, kind)),
            2 => (0_u16..60).prop_map(Step::Remove),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn the_array_agrees_with_a_map(steps in steps()) {
            let keyed = Keyed::new(&mut Random::new(1));
            let (mut group, mut model) = (Group::<6>::default(), HashMap::new());
            for step in steps {
                match step {
                    Step::Put(number, kind) => {
                        let addr = peer(number, kind).addr;
                        match group.position(&addr) {
                            Some(position) => { group.set_kind(position, kind); }
                            None => { group.insert(peer(number, kind), keyed); }
                        }
                        model.insert(addr, kind);
                    }
                    Step::Remove(number) => {
                        let addr = peer(number, Kind::Seed).addr;
                        let position = group.position(&addr);
                        prop_assert_eq!(position.is_some(), model.remove(&addr).is_some());
                        if let Some(position) = position {
                            prop_assert_eq!(group.remove(position).addr, addr);
                        }
                    }
                }
                prop_assert_eq!(group.peers().len(), model.len());
                prop_assert_eq!(group.seeds(), model.values().filter(|&&kind| kind == Kind::Seed).count());
                prop_assert_eq!(group.partials(), model.values().filter(|&&kind| kind == Kind::Partial).count());
                for (at, peer) in group.peers().iter().enumerate() {
                    prop_assert_eq!(model.get(&peer.addr), Some(&peer.kind));
                    prop_assert_eq!(at < group.seeds(), peer.kind == Kind::Seed);
                    prop_assert_eq!(group.position(&peer.addr), Some(at));
                }
            }
        }
    }

    #[test]
    fn memory_is_given_back_when_most_peers_left() {
        let keyed = Keyed::new(&mut Random::new(1));
        let mut group = Group::<6>::default();
        for number in 0..10_000 {
            group.insert(peer(number, Kind::Leecher), keyed);
        }
        while group.peers().len() > 20 {
            group.remove(0);
        }
        assert!(group.peers.capacity() <= 160, "{}", group.peers.capacity());
        assert!(group.index.as_ref().is_some_and(|index| index.capacity() <= 200));
        while group.peers().len() > 3 {
            group.remove(0);
        }
        assert!(group.index.is_none());
    }

    #[test]
    fn a_counter_that_goes_back_counts_from_nought() {
        assert_eq!(step(10, 25), 15);
        assert_eq!(step(25, 10), 10);
        assert_eq!(step(0, u64::MAX), u64::MAX);
    }
}
