//! The peers of one swarm and one address family in one array, seeds in front; of many peers with an index by address.

use super::array::Array;
use super::change::Kind;
use super::few::Few;
use super::index::Index;
use super::peer::{Back, Front, Peer, kept};
use super::random::Keyed;
use super::{Announce, Seconds};

/// Up to so many peers stand in one piece without a gap, and are found by looking at each, which is faster than an
/// index and costs no memory.
const FEW_MAX: usize = 24;
/// An index is given up below so many, and not at once, lest a swarm at the threshold builds it again and again.
const MANY_MIN: usize = 12;
/// Bytes a second and peer that are believed, 10 Gbit/s: what a peer claims beyond it does not enter the torrent's totals.
const BELIEVED_BYTES_PER_SEC: u64 = 1_250_000_000;

/// The peers of one family. The first `seeds` are the seeds, so that leechers can be drawn without looking at them.
#[derive(Debug, Clone)]
pub struct Group<const N: usize> {
    places: Places<N>,
    seeds: u32,
    partials: u32,
}

#[derive(Debug, Clone)]
enum Places<const N: usize> {
    Few(Few<N>),
    Many(Box<Many<N>>),
}

#[derive(Debug, Clone)]
struct Many<const N: usize> {
    fronts: Array<Front<N>>,
    backs: Array<Back>,
    index: Index,
}

/// Fronts without what leads to them, which is looked up once and not for each.
#[derive(Debug, Clone, Copy)]
pub enum View<'a, const N: usize> {
    Few(&'a Few<N>),
    One(&'a [Front<N>]),
    Many(&'a Array<Front<N>>),
}

impl<const N: usize> View<'_, N> {
    /// The front of the peer at `at`.
    ///
    /// # Panics
    /// Where there is none.
    #[inline]
    pub fn at(&self, at: usize) -> Front<N> {
        match self {
            Self::Few(peers) => peers.front(at),
            Self::One(fronts) => fronts[at],
            Self::Many(fronts) => *fronts.at(at),
        }
    }
}

/// How addresses are hashed, and how many peers one may be.
///
/// All peers of an address are counted without an index of their own: where there is a maximum, the ports of an address
/// have but a few hashes, about as many as the root of the maximum. So looking for one peer looks at that many peers at
/// most, and counting all of an address at that many hashes.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    keyed: Keyed,
    /// The most peers of an address, where there is a maximum, and the hashes of its ports.
    limit: Option<(u16, u16)>,
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

impl<const N: usize> Default for Group<N> {
    fn default() -> Self {
        Self { places: Places::Few(Few::default()), seeds: 0, partials: 0 }
    }
}

impl<const N: usize> Group<N> {
    /// All peers.
    pub fn len(&self) -> usize {
        match &self.places {
            Places::Few(peers) => peers.len(),
            Places::Many(many) => many.fronts.len(),
        }
    }

    /// What is looked at when peers are drawn, of the one at `at`; the seeds stand first.
    ///
    /// # Panics
    /// Where there is none.
    pub fn front(&self, at: usize) -> Front<N> {
        match &self.places {
            Places::Few(peers) => peers.front(at),
            Places::Many(many) => *many.fronts.at(at),
        }
    }

    /// The peer at `at`.
    pub fn at(&self, at: usize) -> Peer<N> {
        let back = match &self.places {
            Places::Few(peers) => peers.back(at),
            Places::Many(many) => *many.backs.at(at),
        };
        Peer { front: self.front(at), back }
    }

    /// All fronts, to be looked at in any order.
    pub fn view(&self) -> View<'_, N> {
        match &self.places {
            Places::Few(peers) => View::Few(peers),
            Places::Many(many) => many.fronts.one_piece().map_or(View::Many(&many.fronts), View::One),
        }
    }

    /// How many of them are seeds.
    pub fn seeds(&self) -> usize {
        self.seeds as usize
    }

    /// How many of them are partial seeds.
    pub fn partials(&self) -> usize {
        self.partials as usize
    }

    /// Where the peer at `addr` stands.
    pub fn position(&self, addr: &[u8; N], addresses: Addresses) -> Option<usize> {
        match &self.places {
            Places::Few(peers) => peers.position(addr),
            Places::Many(many) => many.index.find(addresses.hash(addr), |at| many.fronts.at(at).addr == *addr),
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
        addresses: Addresses,
    ) -> Option<(usize, Heard)> {
        let Some(position) = self.position(&addr, addresses) else {
            if !room || self.is_full_for(&addr, addresses) {
                return None;
            }
            let mut peer = Peer::new(addr, announce.peer_id, kind, now);
            peer.back.set_moved(announce.uploaded, announce.downloaded);
            return Some((self.insert(&peer, addresses), Heard { added: true, ..Heard::default() }));
        };
        let mut peer = self.at(position);
        let mut heard = Heard::default();
        if peer.id() == announce.peer_id {
            let believed = (peer.front.age_secs(now) + 1).saturating_mul(BELIEVED_BYTES_PER_SEC);
            let (uploaded, downloaded) = peer.back.moved();
            heard.uploaded = step(uploaded, announce.uploaded).min(believed);
            heard.downloaded = step(downloaded, announce.downloaded).min(believed);
            heard.completed = peer.front.kind() != Kind::Seed && kind == Kind::Seed && !peer.front.counted();
            peer.front.set_counted(peer.front.counted() | heard.completed);
        } else {
            // Another client took over the address: nothing that was known of the former one holds (rule 10).
            peer.set_id(announce.peer_id);
            peer.front.set_counted(false);
        }
        peer.back.set_moved(announce.uploaded, announce.downloaded);
        peer.front.set_seen(now);
        match &mut self.places {
            Places::Few(peers) => peers.set_back(position, &peer.back),
            Places::Many(many) => *many.backs.at_mut(position) = peer.back,
        }
        Some((self.set_kind(position, kind, peer.front, addresses), heard))
    }

    /// Adds a peer that is not there yet.
    pub fn insert(&mut self, peer: &Peer<N>, addresses: Addresses) -> usize {
        let (kind, last) = (peer.front.kind(), self.len());
        match &mut self.places {
            Places::Few(peers) if last < FEW_MAX => peers.push(peer),
            Places::Few(peers) => {
                let index = Index::with_capacity(2 * FEW_MAX);
                let mut many = Many { fronts: Array::default(), backs: Array::default(), index };
                for at in 0..peers.len() {
                    many.push(&Peer { front: peers.front(at), back: peers.back(at) }, addresses);
                }
                many.push(peer, addresses);
                self.places = Places::Many(Box::new(many));
            }
            Places::Many(many) => many.push(peer, addresses),
        }
        match kind {
            Kind::Seed => {
                self.swap(last, self.seeds(), addresses);
                self.seeds += 1;
                self.seeds() - 1
            }
            Kind::Partial => {
                self.partials += 1;
                last
            }
            Kind::Leecher => last,
        }
    }

    /// Takes out the peer at `position`. Only peers behind it change their places.
    pub fn remove(&mut self, position: usize, addresses: Addresses) -> Peer<N> {
        let mut position = position;
        if position < self.seeds() {
            self.seeds -= 1;
            self.swap(position, self.seeds(), addresses);
            position = self.seeds();
        }
        self.swap(position, self.len() - 1, addresses);
        let peer = match &mut self.places {
            Places::Few(peers) => peers.pop(),
            Places::Many(many) => many.pop(addresses),
        };
        let peer = peer.expect("the position is that of a peer");
        self.partials -= u32::from(peer.front.kind() == Kind::Partial);
        if let Places::Many(many) = &self.places
            && many.fronts.len() < MANY_MIN
        {
            let mut few = Few::default();
            for (&front, &back) in many.fronts.iter().zip(many.backs.iter()) {
                few.push(&Peer { front, back });
            }
            self.places = Places::Few(few);
        }
        peer
    }

    /// Clamps the peer's time to `now`, where a clock jumped ahead and back, and tells whether it lived too long.
    pub fn is_dead(&mut self, position: usize, now: Seconds, life_secs: u64) -> bool {
        let mut front = self.front(position);
        if front.is_ahead(now) {
            front.set_seen(now);
            self.set_front(position, &front);
        }
        front.age_secs(now) > life_secs
    }

    fn set_front(&mut self, at: usize, front: &Front<N>) {
        match &mut self.places {
            Places::Few(peers) => peers.set_front(at, front),
            Places::Many(many) => *many.fronts.at_mut(at) = *front,
        }
    }

    /// Whether the address of `addr` is as many peers as one may be.
    fn is_full_for(&self, addr: &[u8; N], addresses: Addresses) -> bool {
        let Some((peers_max, hashes)) = addresses.limit else { return false };
        let is_same = |front: &Front<N>| host(&front.addr) == host(addr);
        match &self.places {
            Places::Few(peers) => {
                let fronts = (0..peers.len()).map(|at| peers.front(at));
                fronts.filter(|front| is_same(front)).count() >= usize::from(peers_max)
            }
            Places::Many(many) => {
                let of = |hash| {
                    let fronts = many.index.each(hash).map(|at| many.fronts.at(at));
                    fronts.filter(move |front| is_same(front) && addresses.hash(&front.addr) == hash)
                };
                let all = (0..hashes).flat_map(|port| of(addresses.hash_of(host(addr), port)));
                all.take(usize::from(peers_max)).count() == usize::from(peers_max)
            }
        }
    }

    /// Puts `front` to its place, with another kind, and returns the place where it stands then.
    fn set_kind(&mut self, position: usize, kind: Kind, mut front: Front<N>, addresses: Addresses) -> usize {
        let former = front.kind();
        front.set_kind(kind);
        self.set_front(position, &front);
        self.partials -= u32::from(former == Kind::Partial);
        self.partials += u32::from(kind == Kind::Partial);
        match (former == Kind::Seed, kind == Kind::Seed) {
            (false, true) => {
                self.swap(position, self.seeds(), addresses);
                self.seeds += 1;
                self.seeds() - 1
            }
            (true, false) => {
                self.seeds -= 1;
                self.swap(position, self.seeds(), addresses);
                self.seeds()
            }
            _ => position,
        }
    }

    fn swap(&mut self, a: usize, b: usize, addresses: Addresses) {
        if a == b {
            return;
        }
        match &mut self.places {
            Places::Few(peers) => peers.swap(a, b),
            Places::Many(many) => {
                let hash = |at| addresses.hash(&many.fronts.at(at).addr);
                many.index.swapped((hash(a), a), (hash(b), b));
                many.fronts.swap(a, b);
                many.backs.swap(a, b);
            }
        }
    }
}

impl<const N: usize> Many<N> {
    fn push(&mut self, peer: &Peer<N>, addresses: Addresses) {
        let fronts = &mut self.fronts;
        fronts.push(peer.front);
        self.backs.push(peer.back);
        let hash_at = |at| addresses.hash(&fronts.at(at).addr);
        self.index.insert(addresses.hash(&peer.front.addr), fronts.len() - 1, hash_at);
    }

    fn pop(&mut self, addresses: Addresses) -> Option<Peer<N>> {
        let (fronts, last) = (&self.fronts, self.fronts.len().checked_sub(1)?);
        let hash_at = |at| addresses.hash(&fronts.at(at).addr);
        self.index.remove(hash_at(last), last, hash_at);
        Some(Peer { front: self.fronts.pop()?, back: self.backs.pop()? })
    }
}

impl Addresses {
    /// Addresses that may be any number of peers.
    pub fn any(keyed: Keyed) -> Self {
        Self { keyed, limit: None }
    }

    /// Addresses that may be so many peers, at least one.
    pub fn limited(keyed: Keyed, peers_max: u16) -> Self {
        let peers_max = peers_max.max(1);
        Self { keyed, limit: Some((peers_max, peers_max.isqrt())) }
    }

    fn hash<const N: usize>(self, addr: &[u8; N]) -> u64 {
        match self.limit {
            None => self.keyed.hash(addr),
            Some((_, hashes)) => {
                let port = self.keyed.hash(&addr[N - 2..]) % u64::from(hashes);
                self.hash_of(host(addr), u16::try_from(port).expect("below a number of 16 bits"))
            }
        }
    }

    fn hash_of(self, host: &[u8], port: u16) -> u64 {
        let mut bytes = [0; 10];
        bytes[..host.len()].copy_from_slice(host);
        bytes[8..].copy_from_slice(&port.to_le_bytes());
        self.keyed.hash(&bytes)
    }
}

/// What counts as one address: all of an IPv4 address; of an IPv6 address the 64 bits of its network, since a host
/// gives itself the others.
fn host<const N: usize>(addr: &[u8; N]) -> &[u8] {
    if N == 6 { &addr[..4] } else { &addr[..8] }
}

/// How far a peer's counter went; one that went back began anew, at 0.
fn step(former: u64, latter: u64) -> u64 {
    let latter = kept(latter);
    latter.checked_sub(former).unwrap_or(latter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PeerId;
    use crate::tracker::random::Random;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// A peer of one of 400 addresses, each of which has up to 5 ports.
    fn peer(number: u16, kind: Kind) -> Peer<6> {
        let [high, low] = (number / 5).to_be_bytes();
        let port = u8::try_from(number % 5).expect("below 5");
        let addr = [10, 0, high, low, 0, 1 + port];
        Peer::new(addr, id(addr), kind, Seconds(0))
    }

    fn id(addr: [u8; 6]) -> PeerId {
        let mut id = *b"-EX0001-------......";
        id[14..].copy_from_slice(&addr);
        PeerId(id)
    }

    fn unlimited() -> Addresses {
        Addresses::any(Keyed::new(&mut Random::new(1)))
    }

    #[derive(Debug, Clone)]
    enum Step {
        Put(u16, Kind),
        Remove(u16),
        /// Many peers one after the other.
        PutAll(u16, u16, Kind),
        RemoveAll(u16, u16),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let kind = || prop_oneof![Just(Kind::Seed), Just(Kind::Leecher), Just(Kind::Partial)];
        let step = prop_oneof![
            30 => (0_u16..60, kind()).prop_map(|(number, kind)| Step::Put(number, kind)),
            20 => (0_u16..60).prop_map(Step::Remove),
            1 => (0_u16..2000, 0..2000_u16, kind()).prop_map(|(from, count, kind)| Step::PutAll(from, count, kind)),
            1 => (0_u16..2000, 0..2000_u16).prop_map(|(from, count)| Step::RemoveAll(from, count)),
        ];
        prop::collection::vec(step, 0..120)
    }

    fn agree(group: &Group<6>, model: &HashMap<[u8; 6], Kind>, addresses: Addresses) -> Result<(), TestCaseError> {
        prop_assert_eq!(group.len(), model.len());
        prop_assert_eq!(group.seeds(), model.values().filter(|&&kind| kind == Kind::Seed).count());
        prop_assert_eq!(group.partials(), model.values().filter(|&&kind| kind == Kind::Partial).count());
        for at in 0..group.len() {
            let peer = group.at(at);
            prop_assert_eq!(peer.front, group.view().at(at));
            prop_assert_eq!(peer.id(), id(peer.front.addr));
            prop_assert_eq!(model.get(&peer.front.addr), Some(&peer.front.kind()));
            prop_assert_eq!(at < group.seeds(), peer.front.kind() == Kind::Seed);
            prop_assert_eq!(group.position(&peer.front.addr, addresses), Some(at));
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn the_array_agrees_with_a_map(steps in steps(), limit in prop::option::of(1_u16..7)) {
            let keyed = Keyed::new(&mut Random::new(1));
            let addresses = limit.map_or(Addresses::any(keyed), |limit| Addresses::limited(keyed, limit));
            let (mut group, mut model) = (Group::<6>::default(), HashMap::new());
            let put = |group: &mut Group<6>, model: &mut HashMap<[u8; 6], Kind>, number, kind| {
                let peer = peer(number, kind);
                let addr = peer.front.addr;
                let here = model.keys().filter(|known| known[..4] == addr[..4]).count();
                let is_full = limit.is_some_and(|limit| here >= usize::from(limit));
                prop_assert_eq!(group.is_full_for(&addr, addresses), is_full);
                match group.position(&addr, addresses) {
                    Some(position) => drop(group.set_kind(position, kind, group.front(position), addresses)),
                    None if is_full => return Ok(()),
                    None => drop(group.insert(&peer, addresses)),
                }
                model.insert(addr, kind);
                Ok(())
            };
            let remove = |group: &mut Group<6>, model: &mut HashMap<[u8; 6], Kind>, number| {
                let addr = peer(number, Kind::Seed).front.addr;
                let position = group.position(&addr, addresses);
                prop_assert_eq!(position.is_some(), model.remove(&addr).is_some());
                if let Some(position) = position {
                    prop_assert_eq!(group.remove(position, addresses).front.addr, addr);
                }
                Ok(())
            };
            for step in steps {
                match step {
                    Step::Put(number, kind) => put(&mut group, &mut model, number, kind)?,
                    Step::Remove(number) => remove(&mut group, &mut model, number)?,
                    Step::PutAll(from, count, kind) => for number in from..from + count {
                        put(&mut group, &mut model, number % 2000, kind)?;
                    },
                    Step::RemoveAll(from, count) => for number in from..from + count {
                        remove(&mut group, &mut model, number % 2000)?;
                    },
                }
                agree(&group, &model, addresses)?;
            }
        }
    }

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let limited = Addresses::limited(Keyed::new(&mut Random::new(1)), 30);
        let mut group = Group::<18>::default();
        let addr = |network: u8, host: u8| {
            let mut addr = [0x20; 18];
            (addr[7], addr[15]) = (network, host);
            addr
        };
        for host in 0..30 {
            assert!(!group.is_full_for(&addr(1, host), limited));
            group.insert(&Peer::new(addr(1, host), PeerId([0; 20]), Kind::Leecher, Seconds(0)), limited);
        }
        assert!(group.is_full_for(&addr(1, 99), limited));
        assert!(!group.is_full_for(&addr(2, 99), limited));
    }

    #[test]
    fn memory_is_given_back_when_most_peers_left() {
        let mut group = Group::<6>::default();
        for number in 0..10_000 {
            group.insert(&peer(number, Kind::Leecher), unlimited());
        }
        while group.len() > MANY_MIN {
            group.remove(0, unlimited());
        }
        assert!(matches!(group.places, Places::Many(_)));
        group.remove(0, unlimited());
        assert!(matches!(group.places, Places::Few(_)));
        assert_eq!(group.len(), MANY_MIN - 1);
    }

    #[test]
    fn a_group_of_few_is_three_words_and_its_peers() {
        assert_eq!(size_of::<Group<6>>(), 24);
    }

    #[test]
    fn a_counter_that_goes_back_counts_from_nought() {
        assert_eq!(step(10, 25), 15);
        assert_eq!(step(25, 10), 10);
        assert_eq!(step(0, u64::MAX), (1 << 48) - 1);
        assert_eq!(step((1 << 48) - 1, u64::MAX), 0);
    }
}
