//! A peer in as few bytes as its address, its name and its counters need: 42 of IPv4, 54 of IPv6, without a gap.

use super::Seconds;
use super::change::Kind;
use crate::id::PeerId;

/// Bits of a moment that are kept: 17 years of seconds.
const SEEN_BITS: u32 = 29;
const SEEN_MASK: u32 = (1 << SEEN_BITS) - 1;
/// A moment that lies farther back than this, 8.5 years, lies ahead: a clock was set back.
const AHEAD_FROM: u32 = 1 << (SEEN_BITS - 1);
const COUNTED: u32 = 1 << SEEN_BITS;
const KIND_SHIFT: u32 = SEEN_BITS + 1;
/// The largest counter that is kept: 281 TB in one session. Larger ones are cut to it.
const BYTES_MAX: u64 = (1 << 48) - 1;

/// A peer: its address as the `N` = 6 or 18 bytes that go onto the wire, and what is remembered of it.
///
/// Every field is an array of bytes, so that peers stand in an array without gaps. What is looked at when peers are
/// drawn comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer<const N: usize> {
    pub addr: [u8; N],
    pub id: PeerId,
    /// From the top: 2 bits of kind, 1 of `counted`, and the moment modulo 2^29 seconds.
    seen: [u8; 4],
    uploaded: [u8; 6],
    downloaded: [u8; 6],
}

impl<const N: usize> Peer<N> {
    /// A peer that was heard `at`, and of which nothing was counted yet.
    pub fn new(addr: [u8; N], id: PeerId, kind: Kind, at: Seconds) -> Self {
        let mut peer = Self { addr, id, seen: [0; 4], uploaded: [0; 6], downloaded: [0; 6] };
        peer.set_kind(kind);
        peer.set_seen(at);
        peer
    }

    /// What it has and wants.
    pub fn kind(&self) -> Kind {
        match self.word() >> KIND_SHIFT {
            0 => Kind::Seed,
            1 => Kind::Leecher,
            _ => Kind::Partial,
        }
    }

    pub fn set_kind(&mut self, kind: Kind) {
        self.set_word((self.word() & (SEEN_MASK | COUNTED)) | ((kind as u32) << KIND_SHIFT));
    }

    /// Whether its download was counted as completed.
    pub fn counted(&self) -> bool {
        self.word() & COUNTED != 0
    }

    pub fn set_counted(&mut self, counted: bool) {
        self.set_word((self.word() & !COUNTED) | (u32::from(counted) * COUNTED));
    }

    /// Seconds since it was heard; none where that lies ahead of `now`, because a clock was set back.
    pub fn age_secs(&self, now: Seconds) -> u64 {
        let age = low(now).wrapping_sub(self.word()) & SEEN_MASK;
        if age < AHEAD_FROM { u64::from(age) } else { 0 }
    }

    pub fn set_seen(&mut self, at: Seconds) {
        self.set_word((self.word() & !SEEN_MASK) | low(at));
    }

    /// Bytes it said it has uploaded and downloaded, up to 2^48.
    pub fn moved(&self) -> (u64, u64) {
        (widen(self.uploaded), widen(self.downloaded))
    }

    pub fn set_moved(&mut self, uploaded: u64, downloaded: u64) {
        (self.uploaded, self.downloaded) = (narrow(uploaded), narrow(downloaded));
    }

    fn word(&self) -> u32 {
        u32::from_le_bytes(self.seen)
    }

    fn set_word(&mut self, word: u32) {
        self.seen = word.to_le_bytes();
    }
}

/// The largest counter of a peer that `bytes` is kept as.
pub fn kept(bytes: u64) -> u64 {
    bytes.min(BYTES_MAX)
}

fn low(at: Seconds) -> u32 {
    u32::try_from(at.0 & u64::from(SEEN_MASK)).expect("29 bits")
}

fn narrow(bytes: u64) -> [u8; 6] {
    kept(bytes).to_le_bytes().first_chunk().copied().expect("6 of 8 bytes")
}

fn widen(bytes: [u8; 6]) -> u64 {
    let mut wide = [0; 8];
    wide[..6].copy_from_slice(&bytes);
    u64::from_le_bytes(wide)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_peer_has_no_gaps() {
        assert_eq!((size_of::<Peer<6>>(), align_of::<Peer<6>>()), (42, 1));
        assert_eq!((size_of::<Peer<18>>(), align_of::<Peer<18>>()), (54, 1));
    }

    #[test]
    fn a_moment_ahead_has_no_age_and_the_kept_bits_wrap_unnoticed() {
        let peer = |at| Peer::new([0; 6], PeerId([0; 20]), Kind::Leecher, Seconds(at));
        let wrap = 1 << SEEN_BITS;
        for at in [0, 1_700_000_000, wrap - 1, 4 * wrap - 5, u64::MAX - 100] {
            assert_eq!(peer(at).age_secs(Seconds(at)), 0);
            assert_eq!(peer(at).age_secs(Seconds(at + 100)), 100);
            assert_eq!(peer(at).age_secs(Seconds(at.saturating_sub(100))), 0);
        }
    }

    proptest! {
        #[test]
        fn what_is_kept_is_read_back(
            id in any::<[u8; 20]>(), addr in any::<[u8; 18]>(), kind in 0..3_usize, counted in any::<bool>(),
            uploaded in any::<u64>(), downloaded in 0..=BYTES_MAX, at in 0..u64::MAX / 2, age in 0..u64::from(AHEAD_FROM),
        ) {
            let kind = [Kind::Seed, Kind::Leecher, Kind::Partial][kind];
            let mut peer = Peer::new(addr, PeerId(id), Kind::Partial, Seconds(1));
            peer.set_counted(!counted);
            peer.set_moved(uploaded, downloaded);
            peer.set_seen(Seconds(at));
            peer.set_counted(counted);
            peer.set_kind(kind);
            prop_assert_eq!((peer.addr, peer.id), (addr, PeerId(id)));
            prop_assert_eq!((peer.kind(), peer.counted()), (kind, counted));
            prop_assert_eq!(peer.moved(), (uploaded.min(BYTES_MAX), downloaded));
            prop_assert_eq!(peer.age_secs(Seconds(at + age)), age);
        }
    }
}
