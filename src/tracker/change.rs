//! What an announce changed, for a store to keep or another node to follow.

use std::net::SocketAddr;

use super::Seconds;
use crate::id::{InfoHash, PeerId};

/// One change of a swarm: who, where, what, when.
///
/// Each is idempotent. Counts travel as the total they have reached and never as a step, so that the largest one is
/// the truth in whatever order they come; of a peer's changes the last one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A peer was heard.
    Seen(Sighting),
    /// A peer left, or was not heard for too long.
    Gone {
        /// The swarm it left.
        info_hash: InfoHash,
        /// Where it was.
        addr: SocketAddr,
        /// When.
        at: Seconds,
    },
    /// A peer completed its download.
    Completed {
        /// The swarm.
        info_hash: InfoHash,
        /// Who.
        addr: SocketAddr,
        /// Downloads completed in the torrent's lifetime, this one included.
        completed: u64,
        /// When.
        at: Seconds,
    },
    /// Peers moved bytes among each other.
    Moved {
        /// The swarm.
        info_hash: InfoHash,
        /// Bytes uploaded in the torrent's lifetime, as peers report them.
        uploaded: u64,
        /// Bytes downloaded in the torrent's lifetime, as peers report them.
        downloaded: u64,
        /// When.
        at: Seconds,
    },
}

/// A peer as it was last heard: what a store keeps of it, and all that a restart needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The swarm.
    pub info_hash: InfoHash,
    /// Where.
    pub addr: SocketAddr,
    /// Who.
    pub peer_id: PeerId,
    /// What it has.
    pub kind: Kind,
    /// Its download was counted as completed, and is not counted again.
    pub counted: bool,
    /// The bytes it last said it had uploaded.
    pub uploaded: u64,
    /// The bytes it last said it had downloaded.
    pub downloaded: u64,
    /// When.
    pub at: Seconds,
}

/// What a peer has and wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// It has everything.
    Seed = 0,
    /// It lacks something and wants it.
    Leecher = 1,
    /// It lacks something and wants nothing (BEP 21).
    Partial = 2,
}

/// What peers have reported of one torrent in its lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Downloads completed.
    pub completed: u64,
    /// Bytes uploaded.
    pub uploaded: u64,
    /// Bytes downloaded.
    pub downloaded: u64,
}
