//! What is said and offered to a peer: ourselves, a torrent, and how its bytes are cut into pieces.

use std::sync::Arc;

use super::Bitfield;
use crate::id::{InfoHash, PeerId};
use crate::units::PieceLength;

/// The bytes of a block that clients ask for.
const ASKED_BYTES: u32 = 16 * 1024;

/// What we say of ourselves.
#[derive(Debug, Clone)]
pub struct Local {
    /// Our peer id.
    pub peer_id: PeerId,
    /// The port at which we take connections (BEP 10 `p`).
    pub port: u16,
    /// Our name and version (BEP 10 `v`).
    pub client: String,
}

/// What is offered of a torrent.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The pieces there are.
    pub pieces: Pieces,
    /// The pieces that may be asked for: those not known to be bad.
    pub have: Arc<Bitfield>,
    /// The `info` dictionary, or nothing for a private torrent, whose metadata strangers do not get (BEP 27).
    pub metadata: Option<Arc<[u8]>>,
    /// The truncated v2 info-hash of a torrent that has one (BEP 52): hash requests are taken then, and a peer that is
    /// dialled by the v1 hash of a hybrid may answer by this one.
    pub v2: Option<InfoHash>,
    /// Whether peers may be told of each other (BEP 11), which they are not where a torrent is private (BEP 27).
    pub pex: bool,
}

/// How many bytes each piece has. A clone costs a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pieces {
    length: PieceLength,
    count: u32,
    /// The pieces that are shorter than the others, and how many bytes they have, in the order of the pieces.
    short: Arc<[(u32, u32)]>,
    /// Whether a request may ask for what is behind the end of a short piece.
    reaches: bool,
}

impl Pieces {
    /// Those of `total` bytes in one stream (BEP 3), which is how hybrids are cut too: only the last may be short.
    pub fn of_stream(length: PieceLength, total: u64) -> Self {
        Self { reaches: false, ..Self::of_files(length, [total]) }
    }

    /// Those of files with these sizes, each of which begins with a piece of its own (BEP 52): a torrent of v2 alone.
    ///
    /// Pieces are numbered in 32 bits; there are none beyond them.
    pub fn of_files(length: PieceLength, files: impl IntoIterator<Item = u64>) -> Self {
        let mut count = 0_u64;
        let mut short = Vec::new();
        for bytes in files {
            count = count.saturating_add(length.count(bytes));
            let rest = u32::try_from(bytes % u64::from(length.bytes())).unwrap_or(0);
            if let (Ok(last), true) = (u32::try_from(count.saturating_sub(1)), rest > 0) {
                short.push((last, rest));
            }
        }
        Self { length, count: u32::try_from(count).unwrap_or(u32::MAX), short: short.into(), reaches: true }
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The bytes of one; nothing where there is no such piece.
    pub fn bytes_of(&self, piece: u32) -> Option<u32> {
        if piece >= self.count {
            return None;
        }
        let short = self.short.binary_search_by_key(&piece, |&(piece, _)| piece);
        Some(short.map_or(self.length.bytes(), |at| self.short[at].1))
    }

    /// Where the last block of a piece may end; nothing where there is no such piece. Of a torrent of v2 alone that is
    /// behind the bytes of a short one, as if zeros followed: libtorrent 2.0 takes each file for padded (BEP 47) and
    /// asks for whole blocks.
    pub fn end_of(&self, piece: u32) -> Option<u32> {
        let bytes = self.bytes_of(piece)?;
        let whole = bytes.checked_next_multiple_of(ASKED_BYTES).map_or(bytes, |end| end.min(self.length.bytes()));
        Some(if self.reaches { whole } else { bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length() -> PieceLength {
        PieceLength::new(16384).expect("a power of two")
    }

    #[test]
    fn of_a_stream_the_last_piece_may_be_short() {
        let bytes = |total, piece| Pieces::of_stream(length(), total).bytes_of(piece);
        assert_eq!([0, 1, 2].map(|piece| bytes(16385, piece)), [Some(16384), Some(1), None]);
        assert_eq!([0, 1].map(|piece| bytes(16384, piece)), [Some(16384), None]);
        assert_eq!(bytes(0, 0), None);
        assert_eq!(Pieces::of_stream(length(), u64::MAX).count(), u32::MAX);
    }

    #[test]
    fn of_files_the_last_piece_of_each_may_be_short_and_an_empty_one_has_none() {
        let pieces = Pieces::of_files(length(), [5, 0, 2 * 16384, 16384 + 7]);
        let bytes: Vec<_> = (0..6).map(|piece| pieces.bytes_of(piece)).collect();
        assert_eq!(bytes, [Some(5), Some(16384), Some(16384), Some(16384), Some(7), None]);
        assert_eq!(pieces.count(), 5);
    }

    #[test]
    fn of_files_the_last_block_of_a_short_piece_may_be_asked_for_whole() {
        let length = PieceLength::new(65536).expect("a power of two");
        let files = Pieces::of_files(length, [5, 65536 + 16385, 65536 - 1]);
        let ends: Vec<_> = (0..5).map(|piece| files.end_of(piece)).collect();
        assert_eq!(ends, [Some(16384), Some(65536), Some(32768), Some(65536), None]);
        assert_eq!(Pieces::of_stream(length, 5).end_of(0), Some(5));
    }
}
