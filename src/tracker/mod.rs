//! The tracker without sockets, clocks or disks: bytes and an instant in, bytes and changes out.
//!
//! There is one [`Swarms`] for all transports. [`http`] and [`udp`] turn bytes into an [`Announce`] and a [`Reply`]
//! back into bytes; [`address`] says which address of a client counts. What an announce changed comes out as a list
//! of [`Change`]s, which the caller hands to a store at its leisure.
//!
//! Under a lock a caller needs only the middle step. Two peers meet:
//!
//! ```
//! use everseed::id::InfoHash;
//! use everseed::tracker::{self, Options, Reply, Seconds, Swarms, http};
//! # fn main() -> Result<(), tracker::Refusal> {
//! let mut swarms = Swarms::new(Options::default(), 1);
//! swarms.set_torrents([InfoHash([b'a'; 20])]);
//! let (mut reply, mut changes, mut body) = (Reply::default(), Vec::new(), Vec::new());
//! let arrived_at = "198.51.100.1".parse().expect("an address");
//!
//! let query = http::parse_announce(b"info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-EX0001-000000000000&port=6881&left=0")?;
//! let seed = query.announce("192.0.2.7".parse().expect("an address"), arrived_at);
//! swarms.announce(&seed, Seconds(1_700_000_000), &mut reply, &mut changes)?;
//! assert_eq!((reply.counts.complete, reply.peers()), (1, 0));
//!
//! let query = http::parse_announce(b"info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-EX0001-000000000001&port=6882&left=9")?;
//! let leecher = query.announce("192.0.2.8".parse().expect("an address"), arrived_at);
//! swarms.announce(&leecher, Seconds(1_700_000_060), &mut reply, &mut changes)?;
//! assert_eq!(reply.v4.iter().collect::<Vec<_>>(), [(seed.addr, None)]);
//! assert_eq!(changes.len(), 2);
//! http::write_reply(&mut body, &reply, query.form);
//! assert!(body.starts_with(b"d8:completei1e"));
//! # Ok(())
//! # }
//! ```

pub mod address;
mod announce;
mod array;
mod change;
pub mod compact;
mod completed;
mod connection_id;
mod few;
mod group;
pub mod http;
pub(crate) mod index;
mod load;
mod peer;
pub(crate) mod random;
mod reload;
mod shelf;
mod swarm;
mod swarms;
#[cfg(test)]
mod tests;
pub mod udp;

pub use announce::{Announce, Contacts, Counts, Event, Families, Refusal, Reply, Retry, Seconds};
pub use change::{Change, Kind, Sighting, Tally};
pub use load::INTERVAL_GROWN_MAX_SECS;
pub use reload::{RELOAD_BATCH, Reload, Reloaded};
pub use swarms::{
    ANNOUNCES_PER_SEC_MAX, CALL_BATCH, EXPIRE_BATCH, LEECHERS_OF_ONE_MAX, NUMWANT_MAX, OPEN_TORRENTS_MAX, Open,
    Options, PEERS_MAX, PEERS_PER_ADDRESS_MAX, PEERS_PER_TORRENT_MAX, RETIRED_MAX, SeedState, Status, Swarms,
    TORRENTS_MAX,
};
