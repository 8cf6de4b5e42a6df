//! A few peers in one piece of memory: first all fronts, then all backs, so that looking at all fronts is looking at a
//! few cache lines.

use super::peer::{Back, Front, Peer};

/// Peers in one piece, which is as long as they need; it is made anew when one comes or goes.
#[derive(Debug, Clone, Default)]
pub struct Few<const N: usize>(Box<[u8]>);

impl<const N: usize> Few<N> {
    const PEER_BYTES: usize = Front::<N>::BYTES + Back::BYTES;

    pub fn len(&self) -> usize {
        self.0.len() / Self::PEER_BYTES
    }

    /// The front of the peer at `at`.
    ///
    /// # Panics
    /// Where there is none.
    pub fn front(&self, at: usize) -> Front<N> {
        Front::read(&self.fronts()[at * Front::<N>::BYTES..])
    }

    pub fn set_front(&mut self, at: usize, front: &Front<N>) {
        let fronts = self.fronts().len();
        front.write(&mut self.0[..fronts][at * Front::<N>::BYTES..]);
    }

    pub fn back(&self, at: usize) -> Back {
        Back::read(&self.0[self.fronts().len() + at * Back::BYTES..])
    }

    pub fn set_back(&mut self, at: usize, back: &Back) {
        let fronts = self.fronts().len();
        back.write(&mut self.0[fronts + at * Back::BYTES..]);
    }

    /// Where the peer of this address stands.
    pub fn position(&self, addr: &[u8; N]) -> Option<usize> {
        self.fronts().chunks_exact(Front::<N>::BYTES).position(|front| front[..N] == *addr)
    }

    pub fn push(&mut self, peer: &Peer<N>) {
        let (fronts, backs) = self.0.split_at(self.fronts().len());
        let mut all = vec![0; self.0.len() + Self::PEER_BYTES].into_boxed_slice();
        let (more_fronts, more_backs) = all.split_at_mut(fronts.len() + Front::<N>::BYTES);
        more_fronts[..fronts.len()].copy_from_slice(fronts);
        peer.front.write(&mut more_fronts[fronts.len()..]);
        more_backs[..backs.len()].copy_from_slice(backs);
        peer.back.write(&mut more_backs[backs.len()..]);
        self.0 = all;
    }

    /// Takes out the last one.
    pub fn pop(&mut self) -> Option<Peer<N>> {
        let last = self.len().checked_sub(1)?;
        let peer = Peer { front: self.front(last), back: self.back(last) };
        let (fronts, backs) = self.0.split_at(self.fronts().len());
        let fronts = &fronts[..fronts.len() - Front::<N>::BYTES];
        self.0 = [fronts, &backs[..backs.len() - Back::BYTES]].concat().into_boxed_slice();
        Some(peer)
    }

    pub fn swap(&mut self, a: usize, b: usize) {
        let (front_a, back_a) = (self.front(a), self.back(a));
        let (front_b, back_b) = (self.front(b), self.back(b));
        self.set_front(a, &front_b);
        self.set_back(a, &back_b);
        self.set_front(b, &front_a);
        self.set_back(b, &back_a);
    }

    fn fronts(&self) -> &[u8] {
        &self.0[..self.len() * Front::<N>::BYTES]
    }
}
