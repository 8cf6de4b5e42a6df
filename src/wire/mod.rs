//! The peer protocol, upload only (BEP 3, 6, 9, 10, 11, 21, 52, 54): bytes and a moment in, bytes and blocks to read out;
//! no socket, file, clock or chance.
//!
//! A [`Connection`] is one conversation, with a peer that came ([`Connection::new`]) or that was called
//! ([`Connection::dial`]). Whoever holds the socket feeds it what came ([`Connection::receive`]), writes what it says
//! ([`Connection::take_output`]), and reads the blocks it is asked for ([`Connection::take_blocks`]), each sent behind
//! its [`piece_header`], the metadata ([`Connection::take_metadata`]) and the hashes
//! ([`Connection::take_hash_request`]). Moments are [`std::time::Duration`]s since
//! any fixed instant of the caller's.
//!
//! A stream that does not begin with [`PROTOCOL`] may be encrypted: [`mse`] comes before the conversation then.

mod bitfield;
mod close;
mod connection;
mod extended;
mod handshake;
mod hashes;
pub mod loose;
mod message;
pub mod mse;
mod offer;
mod pex;

pub use bitfield::Bitfield;
pub use close::Close;
pub use connection::Connection;
pub use extended::MetadataPiece;
pub use handshake::{HANDSHAKE_BYTES, Handshake, PROTOCOL};
pub use hashes::HashRequest;
pub use message::{Block, PIECE_HEADER_BYTES, piece_header};
pub use offer::{Local, Offer, Pieces};

use std::time::Duration;

/// The most blocks a peer has queued with us; told to it as `reqq` (BEP 10). Beyond it, nothing more is read from it.
pub const REQUESTS_MAX: usize = 512;
/// The largest block that is answered, in bytes; real clients ask for 16 KiB, some for 32 or 128.
pub const BLOCK_BYTES_MAX: u32 = 128 * 1024;
/// The most hashes of one layer that a request may ask for. BEP 52 has 512 at most, and libtorrent, which asks for those
/// of all blocks of a piece at once, the number of them in a piece of 128 MiB.
pub const HASHES_MAX: u32 = 8192;
/// The most requests for hashes that a peer has queued with us; beyond it, nothing more is read from it.
pub const HASH_REQUESTS_MAX: usize = 16;
/// The most peers that a message says are there, and the most that it says are gone (BEP 11).
pub const PEX_PEERS_MAX: usize = 50;
/// How often a peer is told of others at most (BEP 11).
pub const PEX_EVERY: Duration = Duration::from_secs(60);
/// Replies other than blocks that may wait to be written, in bytes; beyond it, nothing more is read from the peer.
/// One reply more may stand behind it, and a reject for each block that was asked for.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// The longest extended message (BEP 10) that is looked at, in bytes; a longer one is passed over.
pub const EXTENDED_BYTES_MAX: usize = 16 * 1024;
/// The longest message of any kind that is passed over, in bytes; a longer one ends the conversation.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// The most bytes that [`Connection::receive`] leaves unconsumed while it still wants input.
pub const PARTIAL_BYTES_MAX: usize = 4 + 1 + EXTENDED_BYTES_MAX;
/// The most pieces of metadata that a peer has asked for and not been sent; beyond it, nothing more is read from it.
pub const METADATA_REQUESTS_MAX: usize = 64;
/// How often a peer is sent the metadata in one conversation; beyond it, it is told that it has them.
pub const METADATA_COPIES_MAX: u64 = 4;
/// How long a peer may take for its handshake.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(20);
/// How long a peer may say nothing at all. BEP 3 has keep-alives every 2 minutes, and clients are late with them.
pub const SILENCE_MAX: Duration = Duration::from_secs(4 * 60);
/// How long a peer may go without asking for a block or for metadata.
pub const IDLE_MAX: Duration = Duration::from_secs(15 * 60);
/// After how long without a message of ours a keep-alive is sent.
pub const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(100);
/// How long a peer that needs nothing from us, being a seed itself, is kept: what it still has to say arrives.
pub const USELESS_AFTER: Duration = Duration::from_secs(2);
