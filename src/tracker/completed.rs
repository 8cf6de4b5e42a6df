//! Who completed a download lately, so that no client is counted twice.

use std::collections::{HashSet, VecDeque};

use super::random::Keyed;
use crate::id::{InfoHash, PeerId};

/// Completions of all torrents that are remembered. A client that announces over IPv4 and IPv6 alike, or comes back
/// from another port, completes once, while fewer than so many others have.
pub const COMPLETED_MAX: usize = 16_384;

/// The last [`COMPLETED_MAX`] completions, each as a hash of torrent and client.
#[derive(Debug)]
pub struct Completed {
    keyed: Keyed,
    known: HashSet<u64, Keyed>,
    /// The same, the oldest first.
    order: VecDeque<u64>,
}

impl Completed {
    pub fn new(keyed: Keyed) -> Self {
        Self { keyed, known: HashSet::with_hasher(keyed), order: VecDeque::new() }
    }

    /// Whether this client's completion of this torrent is one of the last.
    pub fn holds(&self, info_hash: InfoHash, peer_id: PeerId) -> bool {
        self.known.contains(&self.hash(info_hash, peer_id))
    }

    /// Remembers a completion; returns whether it is news.
    pub fn insert(&mut self, info_hash: InfoHash, peer_id: PeerId) -> bool {
        let hash = self.hash(info_hash, peer_id);
        let is_news = self.known.insert(hash);
        if is_news {
            self.order.push_back(hash);
        }
        if self.order.len() > COMPLETED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        is_news
    }

    fn hash(&self, info_hash: InfoHash, peer_id: PeerId) -> u64 {
        let mut bytes = [0; 40];
        bytes[..20].copy_from_slice(&info_hash.0);
        bytes[20..].copy_from_slice(&peer_id.0);
        self.keyed.hash(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracker::random::Random;

    #[test]
    fn the_last_ones_are_known_and_the_oldest_is_forgotten() {
        let mut completed = Completed::new(Keyed::new(&mut Random::new(1)));
        let client = |number: usize| {
            let mut id = [0; 20];
            id[..8].copy_from_slice(&number.to_le_bytes());
            PeerId(id)
        };
        let (one, other) = (InfoHash([1; 20]), InfoHash([2; 20]));
        for number in 0..=COMPLETED_MAX {
            assert!(completed.insert(one, client(number)));
            assert!(!completed.insert(one, client(number)));
        }
        assert!(!completed.holds(one, client(0)));
        assert!(completed.holds(one, client(1)) && completed.holds(one, client(COMPLETED_MAX)));
        assert!(!completed.holds(other, client(1)));
        assert_eq!((completed.known.len(), completed.order.len()), (COMPLETED_MAX, COMPLETED_MAX));
    }
}
