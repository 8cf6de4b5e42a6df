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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer<const N: usize> {
    pub front: Front<N>,
    pub back: Back,
}

/// What is looked at when peers are drawn or looked for. It stands apart from the rest, so that a peer of a large swarm
/// is a fifth of a cache line.
///
/// Every field is an array of bytes, so that many stand in an array without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Front<const N: usize> {
    pub addr: [u8; N],
    /// From the top: 2 bits of kind, 1 of `counted`, and the moment modulo 2^29 seconds.
    seen: [u8; 4],
    /// All pairs of the id's bytes, one xor the other: two ids of different tags differ.
    tag: [u8; 2],
}

/// What is needed when the peer itself announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Back {
    /// The id without its last two bytes, which follow from these and the tag.
    id: [u8; 18],
    uploaded: [u8; 6],
    downloaded: [u8; 6],
}

impl<const N: usize> Peer<N> {
    /// A peer that was heard `at`, and of which nothing was counted yet.
    pub fn new(addr: [u8; N], id: PeerId, kind: Kind, at: Seconds) -> Self {
        let mut peer = Self {
            front: Front { addr, seen: [0; 4], tag: [0; 2] },
            back: Back { id: [0; 18], uploaded: [0; 6], downloaded: [0; 6] },
        };
        peer.set_id(id);
        peer.front.set_kind(kind);
        peer.front.set_seen(at);
        peer
    }

    /// The name it gives itself.
    pub fn id(&self) -> PeerId {
        let mut id = [0; 20];
        id[..18].copy_from_slice(&self.back.id);
        id[18..].copy_from_slice(&self.front.tag);
        // The tag without all pairs but the last is the last.
        let last = tag(PeerId(id));
        id[18..].copy_from_slice(&last);
        PeerId(id)
    }

    pub fn set_id(&mut self, id: PeerId) {
        self.front.tag = tag(id);
        self.back.id = *id.0.first_chunk().expect("18 of 20 bytes");
    }
}

impl<const N: usize> Front<N> {
    /// The bytes of one.
    pub const BYTES: usize = N + 6;

    /// The one that stands at the beginning of `bytes`, which hold one at least.
    pub fn read(bytes: &[u8]) -> Self {
        let (addr, rest) = bytes.split_first_chunk().expect("N bytes");
        let (seen, rest) = rest.split_first_chunk().expect("4 bytes");
        Self { addr: *addr, seen: *seen, tag: *rest.first_chunk().expect("2 bytes") }
    }

    /// Puts it to the beginning of `bytes`.
    pub fn write(&self, bytes: &mut [u8]) {
        bytes[..N].copy_from_slice(&self.addr);
        bytes[N..N + 4].copy_from_slice(&self.seen);
        bytes[N + 4..N + 6].copy_from_slice(&self.tag);
    }

    /// Whether its name may be the one that has this tag; where it is not, it surely is another one.
    pub fn may_be(&self, tag: [u8; 2]) -> bool {
        self.tag == tag
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
        if self.is_ahead(now) { 0 } else { u64::from(self.age(now)) }
    }

    /// Whether the moment at which it was heard lies ahead of `now`.
    pub fn is_ahead(&self, now: Seconds) -> bool {
        self.age(now) >= AHEAD_FROM
    }

    fn age(&self, now: Seconds) -> u32 {
        low(now).wrapping_sub(self.word()) & SEEN_MASK
    }

    pub fn set_seen(&mut self, at: Seconds) {
        self.set_word((self.word() & !SEEN_MASK) | low(at));
    }

    fn word(&self) -> u32 {
        u32::from_le_bytes(self.seen)
    }

    fn set_word(&mut self, word: u32) {
        self.seen = word.to_le_bytes();
    }
}

impl Back {
    /// The bytes of one.
    pub const BYTES: usize = 30;

    /// The one that stands at the beginning of `bytes`, which hold one at least.
    pub fn read(bytes: &[u8]) -> Self {
        let (id, rest) = bytes.split_first_chunk().expect("18 bytes");
        let (uploaded, rest) = rest.split_first_chunk().expect("6 bytes");
        Self { id: *id, uploaded: *uploaded, downloaded: *rest.first_chunk().expect("6 bytes") }
    }

    /// Puts it to the beginning of `bytes`.
    pub fn write(&self, bytes: &mut [u8]) {
        bytes[..18].copy_from_slice(&self.id);
        bytes[18..24].copy_from_slice(&self.uploaded);
        bytes[24..30].copy_from_slice(&self.downloaded);
    }

    /// Bytes it said it has uploaded and downloaded, up to 2^48.
    pub fn moved(&self) -> (u64, u64) {
        (widen(self.uploaded), widen(self.downloaded))
    }

    pub fn set_moved(&mut self, uploaded: u64, downloaded: u64) {
        (self.uploaded, self.downloaded) = (narrow(uploaded), narrow(downloaded));
    }
}

/// What stands of an id where peers are drawn.
pub fn tag(id: PeerId) -> [u8; 2] {
    id.0.as_chunks::<2>().0.iter().fold([0; 2], |[a, b], [c, d]| [a ^ c, b ^ d])
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
        assert_eq!((size_of::<Front<6>>(), Front::<6>::BYTES, align_of::<Front<6>>()), (12, 12, 1));
        assert_eq!((size_of::<Front<18>>(), Front::<18>::BYTES, align_of::<Front<18>>()), (24, 24, 1));
        assert_eq!((size_of::<Back>(), Back::BYTES, align_of::<Back>()), (30, 30, 1));
    }

    #[test]
    fn a_moment_ahead_has_no_age_and_the_kept_bits_wrap_unnoticed() {
        let peer = |at| Peer::new([0; 6], PeerId([0; 20]), Kind::Leecher, Seconds(at)).front;
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
            peer.front.set_counted(!counted);
            peer.back.set_moved(uploaded, downloaded);
            peer.front.set_seen(Seconds(at));
            peer.front.set_counted(counted);
            peer.front.set_kind(kind);
            let mut bytes = [0; 24 + Back::BYTES];
            peer.front.write(&mut bytes);
            peer.back.write(&mut bytes[24..]);
            let peer = Peer::<18> { front: Front::read(&bytes), back: Back::read(&bytes[24..]) };
            prop_assert_eq!((peer.front.addr, peer.id()), (addr, PeerId(id)));
            prop_assert!(peer.front.may_be(tag(PeerId(id))));
            prop_assert_eq!((peer.front.kind(), peer.front.counted()), (kind, counted));
            prop_assert_eq!(peer.back.moved(), (uploaded.min(BYTES_MAX), downloaded));
            prop_assert_eq!(peer.front.age_secs(Seconds(at + age)), age);
        }
    }
}
