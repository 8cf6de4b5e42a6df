//! Peers that wait for the disk: each once, the longest waiting first.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;

use crate::id::{InfoHash, PeerId};
use crate::tracker::compact::{pack_v4, pack_v6};
use crate::tracker::index::Index;
use crate::tracker::random::{Keyed, Random};
use crate::tracker::{Kind, Seconds, Sighting};

/// Peers for which room is kept, though none waits.
const AT_REST_MAX: usize = 32_768;

/// Hashes for what is kept by torrent and address, with a key of its own that nobody outside can know.
#[derive(Debug, Clone, Copy)]
pub struct Keys(Keyed);

impl Default for Keys {
    fn default() -> Self {
        // The standard library's hasher gets its key from the system; it is what takes its time with each hash.
        Self(Keyed::new(&mut Random::new(RandomState::new().hash_one(0))))
    }
}

impl BuildHasher for Keys {
    type Hasher = <Keyed as BuildHasher>::Hasher;

    fn build_hasher(&self) -> Self::Hasher {
        self.0.build_hasher()
    }
}

/// Where a peer is: 6 or 18 bytes in network order, as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub info_hash: InfoHash,
    bytes: [u8; 18],
    len: u8,
}

impl Place {
    pub fn new(info_hash: InfoHash, addr: SocketAddr) -> Self {
        let (bytes, len) = match addr {
            SocketAddr::V4(addr) => {
                let mut bytes = [0; 18];
                bytes[..6].copy_from_slice(&pack_v4(*addr.ip(), addr.port()));
                (bytes, 6)
            }
            SocketAddr::V6(addr) => (pack_v6(*addr.ip(), addr.port()), 18),
        };
        Self { info_hash, bytes, len }
    }

    pub fn addr(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    fn hash(&self, keys: Keys) -> u64 {
        let mut all = [0; 38];
        all[..20].copy_from_slice(&self.info_hash.0);
        all[20..].copy_from_slice(&self.bytes);
        keys.0.hash(&all)
    }
}

/// What is to be written of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub place: Place,
    /// None where it is gone.
    pub seen: Option<Seen>,
}

/// A peer as it was last heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub peer_id: PeerId,
    pub kind: Kind,
    pub counted: bool,
    pub uploaded: u64,
    pub downloaded: u64,
    pub at: Seconds,
}

impl Row {
    pub fn seen(sighting: &Sighting) -> Self {
        let &Sighting { info_hash, addr, peer_id, kind, counted, uploaded, downloaded, at } = sighting;
        let seen = Seen { peer_id, kind, counted, uploaded, downloaded, at };
        Self { place: Place::new(info_hash, addr), seen: Some(seen) }
    }

    pub fn gone(info_hash: InfoHash, addr: SocketAddr) -> Self {
        Self { place: Place::new(info_hash, addr), seen: None }
    }
}

/// The latest row of each peer.
#[derive(Debug, Clone, Default)]
pub(super) struct Peers {
    keys: Keys,
    rows: VecDeque<Row>,
    /// The number of the first row; the index holds numbers, which go round.
    first: u32,
    index: Index,
}

impl Peers {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    pub fn get(&self, place: &Place) -> Option<&Row> {
        self.find(place, place.hash(self.keys)).and_then(|at| self.rows.get(at))
    }

    /// Takes a row in the place of the former one of its peer; where there is none, behind all others, if there are
    /// fewer than `max`. Returns whether it was taken.
    pub fn put(&mut self, row: Row, max: usize) -> bool {
        let hash = row.place.hash(self.keys);
        if let Some(at) = self.find(&row.place, hash) {
            self.rows[at] = row;
            return true;
        }
        if self.rows.len() >= max {
            return false;
        }
        let number = self.first.wrapping_add(narrow(self.rows.len()));
        self.rows.push_back(row);
        let (rows, first, keys) = (&self.rows, self.first, self.keys);
        self.index.insert(hash, number as usize, |number| row_at(rows, first, number).place.hash(keys));
        true
    }

    /// Moves the `count` longest waiting ones to `into`.
    pub fn take(&mut self, count: usize, into: &mut Self) {
        for _ in 0..count {
            let Some(&row) = self.rows.front() else { break };
            let (rows, first, keys) = (&self.rows, self.first, self.keys);
            let hash_at = |number| row_at(rows, first, number).place.hash(keys);
            self.index.remove(row.place.hash(keys), first as usize, hash_at);
            self.rows.pop_front();
            self.first = first.wrapping_add(1);
            into.put(row, usize::MAX);
        }
        if self.rows.capacity() > AT_REST_MAX.max(4 * self.rows.len()) {
            self.rows.shrink_to(AT_REST_MAX.max(2 * self.rows.len()));
        }
    }

    fn find(&self, place: &Place, hash: u64) -> Option<usize> {
        let number = self.index.find(hash, |number| row_at(&self.rows, self.first, number).place == *place)?;
        Some(narrow(number).wrapping_sub(self.first) as usize)
    }
}

fn row_at(rows: &VecDeque<Row>, first: u32, number: usize) -> &Row {
    &rows[narrow(number).wrapping_sub(first) as usize]
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).expect("peers that wait and their numbers have 32 bits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MAX: usize = 1500;

    fn row(number: u16, uploaded: u64) -> Row {
        let [high, low] = number.to_be_bytes();
        let addr = if number.is_multiple_of(3) {
            format!("[2001:db8::{number:x}]:1")
        } else {
            format!("192.0.{high}.{low}:1")
        };
        let place = Place::new(InfoHash([low % 4; 20]), addr.parse().expect("an address"));
        let (peer_id, kind, at) = (PeerId([low; 20]), Kind::Leecher, Seconds(uploaded));
        let seen = Seen { peer_id, kind, counted: false, uploaded, downloaded: 0, at };
        Row { place, seen: (uploaded > 0).then_some(seen) }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn they_agree_with_a_list(
            first in any::<bool>(),
            steps in prop::collection::vec((0..2500_u16, 0..900_u16, 0..1200_usize), 1..20),
        ) {
            let (mut peers, mut model) = (Peers::default(), Vec::<Row>::new());
            // Numbers that go round.
            peers.first = if first { u32::MAX - 700 } else { 0 };
            for (step, (from, count, taken)) in steps.into_iter().enumerate() {
                for number in from..from + count {
                    let row = row(number, step as u64);
                    let known = model.iter_mut().find(|known| known.place == row.place);
                    let has_room = known.is_some() || peers.len() < MAX;
                    prop_assert_eq!(peers.put(row, MAX), has_room);
                    match known {
                        Some(known) => *known = row,
                        None if has_room => model.push(row),
                        None => {}
                    }
                }
                let mut oldest = Peers::default();
                peers.take(taken, &mut oldest);
                let expected: Vec<Row> = model.drain(..taken.min(model.len())).collect();
                prop_assert!(oldest.iter().eq(&expected));
                prop_assert!(peers.iter().eq(&model));
                prop_assert_eq!(peers.len(), model.len());
                prop_assert!(model.iter().all(|row| peers.get(&row.place) == Some(row)));
                prop_assert!(expected.iter().all(|row| peers.get(&row.place).is_none()));
            }
        }
    }

    #[test]
    fn a_peer_that_waits_costs_a_hundred_bytes_and_room_is_given_back() {
        assert!(size_of::<Row>() <= 88, "{}", size_of::<Row>());
        let (mut peers, mut taken) = (Peers::default(), Peers::default());
        for number in 0..u16::MAX {
            peers.put(row(number, 1), usize::MAX);
        }
        assert!(peers.rows.capacity() > AT_REST_MAX);
        peers.take(usize::MAX, &mut taken);
        assert_eq!((peers.len(), taken.len()), (0, usize::from(u16::MAX)));
        assert!(peers.rows.capacity() <= AT_REST_MAX);
    }
}
