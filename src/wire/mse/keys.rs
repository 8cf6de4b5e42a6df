//! The key exchange (Diffie-Hellman over 768 bits) and the keys that come of it.

use num_bigint::BigUint;
use rc4::{KeyInit, Rc4, StreamCipher};
use sha1::{Digest, Sha1};

use super::{Ciphers, Fault, KEY_BYTES, SECRET_BYTES};
use crate::id::InfoHash;

/// P, the prime; G, the generator, is 2.
const PRIME: [u8; KEY_BYTES] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc9, 0x0f, 0xda, 0xa2, 0x21, 0x68, 0xc2, 0x34, 0xc4, 0xc6, 0x62,
    0x8b, 0x80, 0xdc, 0x1c, 0xd1, 0x29, 0x02, 0x4e, 0x08, 0x8a, 0x67, 0xcc, 0x74, 0x02, 0x0b, 0xbe, 0xa6, 0x3b, 0x13,
    0x9b, 0x22, 0x51, 0x4a, 0x08, 0x79, 0x8e, 0x34, 0x04, 0xdd, 0xef, 0x95, 0x19, 0xb3, 0xcd, 0x3a, 0x43, 0x1b, 0x30,
    0x2b, 0x0a, 0x6d, 0xf2, 0x5f, 0x14, 0x37, 0x4f, 0xe1, 0x35, 0x6d, 0x6d, 0x51, 0xc2, 0x45, 0xe4, 0x85, 0xb5, 0x76,
    0x62, 0x5e, 0x7e, 0xc6, 0xf4, 0x4c, 0x42, 0xe9, 0xa6, 0x3a, 0x36, 0x21, 0x00, 0x00, 0x00, 0x00, 0x00, 0x09, 0x05,
    0x63,
];
/// The first bytes of each key stream, which are too regular to be used.
const DISCARDED_BYTES: usize = 1024;

/// What both sides know and nobody between them: S.
pub(super) struct Shared([u8; KEY_BYTES]);

/// The side of the exchange that we are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Caller,
    Called,
}

/// The public key of a secret.
pub(super) fn public(secret: &[u8; SECRET_BYTES]) -> [u8; KEY_BYTES] {
    power(&BigUint::from(2_u8), secret)
}

/// What the owner of `secret` shares with the owner of the public key `theirs`.
pub(super) fn shared(secret: &[u8; SECRET_BYTES], theirs: &[u8; KEY_BYTES]) -> Result<Shared, Fault> {
    let theirs = BigUint::from_bytes_be(theirs);
    let one = BigUint::from(1_u8);
    if theirs <= one || theirs >= prime() - one {
        return Err(Fault::WeakKey);
    }
    Ok(Shared(power(&theirs, secret)))
}

impl Shared {
    /// HASH("req1", S): where the caller's hello begins.
    pub fn sync(&self) -> [u8; 20] {
        hash(*b"req1", &[&self.0])
    }

    /// `torrent_key` hidden, or what is hidden found again: ^ HASH("req3", S).
    pub fn mask(&self, mut torrent_key: [u8; 20]) -> [u8; 20] {
        torrent_key.iter_mut().zip(hash(*b"req3", &[&self.0])).for_each(|(byte, mask)| *byte ^= mask);
        torrent_key
    }

    /// The key streams of a side, for a torrent.
    pub fn ciphers(&self, side: Side, info_hash: &InfoHash) -> Ciphers {
        let cipher = |name| {
            let mut cipher = Rc4::new_from_slice(&hash(name, &[&self.0, &info_hash.0])).expect("RC4 takes 20 bytes");
            cipher.write_keystream(&mut [0; DISCARDED_BYTES]);
            cipher
        };
        let (ours, theirs) = match side {
            Side::Caller => (*b"keyA", *b"keyB"),
            Side::Called => (*b"keyB", *b"keyA"),
        };
        Ciphers { incoming: cipher(theirs), outgoing: cipher(ours) }
    }
}

/// SHA-1 over a name and what follows it.
pub(super) fn hash(name: [u8; 4], rest: &[&[u8]]) -> [u8; 20] {
    let hasher = Sha1::new().chain_update(name);
    rest.iter().fold(hasher, Digest::chain_update).finalize().into()
}

fn power(base: &BigUint, secret: &[u8; SECRET_BYTES]) -> [u8; KEY_BYTES] {
    let number = base.modpow(&BigUint::from_bytes_be(secret), &prime()).to_bytes_be();
    let mut key = [0; KEY_BYTES];
    // Short numbers begin with zeros.
    key[KEY_BYTES - number.len()..].copy_from_slice(&number);
    key
}

fn prime() -> BigUint {
    BigUint::from_bytes_be(&PRIME)
}
