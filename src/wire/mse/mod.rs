//! Message stream encryption (MSE/PE): what comes before the handshake of the peer protocol where a client hides it;
//! bytes in, bytes out, with secrets and padding from the caller.
//!
//! It hides what is spoken from lines that throttle it and keeps nothing secret from anyone who knows the info-hash.
//! There is no BEP of it; the protocol is that of Vuze, as libtorrent and Transmission speak it:
//!
//! ```text
//! A -> B   Ya, PadA
//! B -> A   Yb, PadB
//! A -> B   HASH("req1", S), HASH("req2", SKEY) ^ HASH("req3", S),
//!          ENCRYPT(VC, crypto_provide, len(PadC), PadC, len(IA)), ENCRYPT(IA)
//! B -> A   ENCRYPT(VC, crypto_select, len(PadD), PadD)
//! both     what was selected: RC4 or plain bytes
//! ```
//!
//! The one that is called is [`Accepting`], the caller [`Dialling`]; both end with an [`Established`]. A hello costs either
//! side two powers of 768-bit numbers, 0.2 ms of a core, and so does rubbish that is as long as a key.

mod accept;
mod dial;
mod keys;
#[cfg(test)]
mod tests;

pub use accept::Accepting;
pub use dial::{Dialling, Provide};

use std::fmt;

use rc4::{Rc4, StreamCipher};

use super::PROTOCOL;
use crate::id::InfoHash;

/// The bytes of a secret number: 160 bits, as others take them; more cost time and buy nothing here.
pub const SECRET_BYTES: usize = 20;
/// The bytes of a public key: 768 bits.
pub const KEY_BYTES: usize = 96;
/// The most bytes of each padding.
pub const PADDING_BYTES_MAX: usize = 512;
/// The most bytes of IA, what the caller says at once with its hello. Clients send their handshake of 68 bytes.
pub const INITIAL_BYTES_MAX: usize = 4096;
/// The most bytes that either side leaves in the inbox while it is not established.
pub const PARTIAL_BYTES_MAX: usize = INITIAL_BYTES_MAX;

/// Whether a stream that begins with `first` is in the clear; nothing while that can't be told.
pub fn is_plain(first: &[u8]) -> Option<bool> {
    let known = first.len().min(PROTOCOL.len());
    if first[..known] != PROTOCOL[..known] {
        return Some(false);
    }
    (known == PROTOCOL.len()).then_some(true)
}

/// What names a torrent in the hello: HASH("req2", SKEY), where SKEY is its info-hash (of v2, the truncated one).
pub fn torrent_key(info_hash: &InfoHash) -> [u8; 20] {
    keys::hash(*b"req2", &[&info_hash.0])
}

/// Both sides know each other: the peer protocol begins.
#[derive(Debug)]
pub struct Established {
    /// The torrent that it is about.
    pub info_hash: InfoHash,
    /// What the stream is encrypted with from here on; nothing where it is plain.
    pub ciphers: Option<Ciphers>,
    /// What came of the peer protocol so far, in the clear: all that stood in the inbox, which is empty now.
    pub initial: Vec<u8>,
}

/// The two key streams of a connection, each where its direction stands.
pub struct Ciphers {
    incoming: Rc4,
    outgoing: Rc4,
}

impl Ciphers {
    /// Decrypts what came next.
    pub fn decrypt(&mut self, bytes: &mut [u8]) {
        self.incoming.apply_keystream(bytes);
    }

    /// Encrypts what is sent next.
    pub fn encrypt(&mut self, bytes: &mut [u8]) {
        self.outgoing.apply_keystream(bytes);
    }
}

impl fmt::Debug for Ciphers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ciphers").finish_non_exhaustive()
    }
}

/// Why a stream is not encrypted as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The public key is one with which every secret is the same, or none at all: 0, 1, or not below P - 1.
    WeakKey,
    /// What follows the padding did not come within [`PADDING_BYTES_MAX`].
    NoSync,
    /// Nobody here has the torrent.
    UnknownTorrent,
    /// The constant that verifies the key is another.
    NotVerified,
    /// The other side takes neither RC4 nor plain bytes, or selects what was not provided.
    NoCipher,
    /// A padding is longer than [`PADDING_BYTES_MAX`].
    PaddingTooLong,
    /// IA is longer than [`INITIAL_BYTES_MAX`].
    InitialTooLong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WeakKey => "sent a public key that is none",
            Self::NoSync => "did not go on with the hello behind its padding",
            Self::UnknownTorrent => "asked for a torrent that is not here",
            Self::NotVerified => "encrypts with another key",
            Self::NoCipher => "takes no cipher that is known",
            Self::PaddingTooLong => "sent too long a padding",
            Self::InitialTooLong => "said too much before it was answered",
        })
    }
}

impl std::error::Error for Fault {}

/// The constant by which both sides know that they have the same key.
const VERIFICATION: [u8; 8] = [0; 8];
/// Bits of `crypto_provide` and `crypto_select`.
const PLAIN: u32 = 1;
const RC4: u32 = 2;

/// What is in the clear of what stands behind the exchange: `initial`, and the whole of `inbox`.
fn established(
    info_hash: InfoHash,
    mut ciphers: Ciphers,
    selected: u32,
    initial: Vec<u8>,
    inbox: &mut Vec<u8>,
) -> Established {
    let mut initial = initial;
    let from = initial.len();
    initial.append(inbox);
    let ciphers = (selected == RC4).then(|| {
        ciphers.decrypt(&mut initial[from..]);
        ciphers
    });
    Established { info_hash, ciphers, initial }
}

/// Takes bytes off `inbox` up to and with `mark`, which begins within [`PADDING_BYTES_MAX`] bytes from where this was
/// first called; `passed` counts them. False while it has not come.
fn pass_to(mark: &[u8], inbox: &mut Vec<u8>, passed: &mut usize) -> Result<bool, Fault> {
    let found = inbox.windows(mark.len()).position(|window| window == mark);
    let padding = found.unwrap_or_else(|| (inbox.len() + 1).saturating_sub(mark.len()));
    *passed += padding;
    if *passed > PADDING_BYTES_MAX {
        return Err(Fault::NoSync);
    }
    inbox.drain(..padding + found.map_or(0, |_| mark.len()));
    Ok(found.is_some())
}

/// Takes the first `count` bytes off `inbox`, decrypted; nothing while they have not all come.
fn take(count: usize, inbox: &mut Vec<u8>, ciphers: &mut Ciphers) -> Option<Vec<u8>> {
    if inbox.len() < count {
        return None;
    }
    let mut bytes: Vec<u8> = inbox.drain(..count).collect();
    ciphers.decrypt(&mut bytes);
    Some(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
