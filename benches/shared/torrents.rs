//! The torrents of a bench.

use everseed::id::InfoHash;

/// The info-hash of the torrent of this number, which is no neighbour of the next one's.
pub fn info_hash(torrent: u32) -> InfoHash {
    let mut hash = [0xa5; 20];
    hash[..4].copy_from_slice(&torrent.wrapping_mul(0x9e37_79b1).to_be_bytes());
    InfoHash(hash)
}
