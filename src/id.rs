//! The identifiers of the protocol: info-hashes, peer ids and piece hashes, none mistaken for another.

use std::fmt;
use std::str::FromStr;

/// The SHA-1 of the bytes of a torrent's `info` dictionary (BEP 3): the name of a swarm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHash(pub [u8; 20]);

/// The SHA-256 of the bytes of the `info` dictionary of a v2 or hybrid torrent (BEP 52).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHashV2(pub [u8; 32]);

/// The info-hashes of a torrent: it has one for each version of the protocol that its content is hashed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InfoHashes {
    /// BEP 3 alone.
    V1(InfoHash),
    /// BEP 52 alone.
    V2(InfoHashV2),
    /// Both (BEP 52, "upgrade path").
    Hybrid(InfoHash, InfoHashV2),
}

impl InfoHashes {
    /// Those of a torrent that has one or both.
    pub fn of(v1: Option<InfoHash>, v2: Option<InfoHashV2>) -> Option<Self> {
        match (v1, v2) {
            (Some(v1), None) => Some(Self::V1(v1)),
            (None, Some(v2)) => Some(Self::V2(v2)),
            (Some(v1), Some(v2)) => Some(Self::Hybrid(v1, v2)),
            (None, None) => None,
        }
    }

    /// The info-hash of v1.
    pub fn v1(self) -> Option<InfoHash> {
        match self {
            Self::V1(v1) | Self::Hybrid(v1, _) => Some(v1),
            Self::V2(_) => None,
        }
    }

    /// The info-hash of v2.
    pub fn v2(self) -> Option<InfoHashV2> {
        match self {
            Self::V2(v2) | Self::Hybrid(_, v2) => Some(v2),
            Self::V1(_) => None,
        }
    }

    /// The 20 bytes that name the torrent where only one name is wanted: that of v1, else the truncated one of v2.
    pub fn main(self) -> InfoHash {
        match self {
            Self::V1(v1) | Self::Hybrid(v1, _) => v1,
            Self::V2(v2) => v2.truncated(),
        }
    }

    /// Every 20 bytes by which trackers and peers know it: a hybrid torrent has two swarms.
    pub fn swarms(self) -> impl Iterator<Item = InfoHash> {
        self.v1().into_iter().chain(self.v2().map(InfoHashV2::truncated))
    }
}

impl From<InfoHash> for InfoHashes {
    fn from(v1: InfoHash) -> Self {
        Self::V1(v1)
    }
}

impl InfoHashV2 {
    /// Its first 20 bytes, which trackers, the DHT and handshakes use (BEP 52).
    pub fn truncated(self) -> InfoHash {
        let (first, _) = self.0.split_first_chunk().expect("32 bytes begin with 20");
        InfoHash(*first)
    }
}

/// The 20 bytes by which a client names itself in a handshake and an announce (BEP 3, BEP 20).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 20]);

/// The SHA-1 of one piece of a v1 torrent (BEP 3).
pub type PieceHash = [u8; 20];

/// The SHA-256 of a node of a v2 file's Merkle tree (BEP 52).
pub type NodeHash = [u8; 32];

/// A text that is not the hexadecimal digits of an info-hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnInfoHash {
    text: String,
    digits: usize,
}

impl fmt::Display for NotAnInfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an info-hash of {} hexadecimal digits: {:?}", self.digits, self.text)
    }
}

impl std::error::Error for NotAnInfoHash {}

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Display for InfoHashV2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for InfoHashV2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl FromStr for InfoHash {
    type Err = NotAnInfoHash;

    fn from_str(text: &str) -> Result<Self, NotAnInfoHash> {
        from_hex(text).map(Self).ok_or_else(|| NotAnInfoHash { text: text.to_owned(), digits: 40 })
    }
}

impl FromStr for InfoHashV2 {
    type Err = NotAnInfoHash;

    fn from_str(text: &str) -> Result<Self, NotAnInfoHash> {
        from_hex(text).map(Self).ok_or_else(|| NotAnInfoHash { text: text.to_owned(), digits: 64 })
    }
}

/// The bytes that `text` writes as twice as many hexadecimal digits.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = hex_value(*high)? << 4 | hex_value(*low)?;
    }
    Some(bytes)
}

/// Lower-case hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    struct Hex<'a>(&'a [u8]);
    impl fmt::Display for Hex<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_hex(f, self.0)
        }
    }
    Hex(bytes).to_string()
}

/// The value of one hexadecimal digit of either case.
pub fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_info_hash_is_read_in_either_case_and_written_in_lower() {
        let text = "0123456789ABCDEF0123456789abcdef01234567";
        let hash: InfoHash = text.parse().expect("40 digits");
        assert_eq!(hash.to_string(), text.to_lowercase());
    }

    #[test]
    fn a_v2_info_hash_is_known_on_the_wire_by_its_first_twenty_bytes() {
        let v2: InfoHashV2 = "0123456789abcdef".repeat(4).parse().expect("64 digits");
        assert_eq!(v2.to_string(), "0123456789abcdef".repeat(4));
        assert_eq!(v2.truncated().to_string(), "0123456789abcdef0123456789abcdef01234567");
        let v1 = InfoHash([1; 20]);
        assert_eq!(InfoHashes::Hybrid(v1, v2).swarms().collect::<Vec<_>>(), [v1, v2.truncated()]);
        assert_eq!(InfoHashes::V2(v2).main(), v2.truncated());
        "01".repeat(20).parse::<InfoHashV2>().expect_err("too short");
    }

    #[test]
    fn what_is_not_forty_hexadecimal_digits_is_refused() {
        for text in ["", "01", &"g".repeat(40), &"0".repeat(41), "é".repeat(20).as_str()] {
            let error = text.parse::<InfoHash>().expect_err(text);
            assert!(error.to_string().contains("40 hexadecimal digits"), "{error}");
        }
    }
}
