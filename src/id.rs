//! The identifiers of the protocol: info-hashes, peer ids and piece hashes, each 20 bytes and none mistaken for another.

use std::fmt;
use std::str::FromStr;

/// The SHA-1 of the bytes of a torrent's `info` dictionary (BEP 3): the name of a swarm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHash(pub [u8; 20]);

/// The 20 bytes by which a client names itself in a handshake and an announce (BEP 3, BEP 20).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 20]);

/// The SHA-1 of one piece of a v1 torrent (BEP 3).
pub type PieceHash = [u8; 20];

/// A text that is not forty hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnInfoHash(String);

impl fmt::Display for NotAnInfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an info-hash of 40 hexadecimal digits: {:?}", self.0)
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

impl FromStr for InfoHash {
    type Err = NotAnInfoHash;

    fn from_str(text: &str) -> Result<Self, NotAnInfoHash> {
        let refuse = || NotAnInfoHash(text.to_owned());
        let digits: &[u8; 40] = text.as_bytes().try_into().map_err(|_| refuse())?;
        let mut hash = [0; 20];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            let high = hex_value(pair[0]).ok_or_else(refuse)?;
            let low = hex_value(pair[1]).ok_or_else(refuse)?;
            *byte = high << 4 | low;
        }
        Ok(Self(hash))
    }
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
    fn what_is_not_forty_hexadecimal_digits_is_refused() {
        for text in ["", "01", &"g".repeat(40), &"0".repeat(41), "é".repeat(20).as_str()] {
            let error = text.parse::<InfoHash>().expect_err(text);
            assert!(error.to_string().contains("40 hexadecimal digits"), "{error}");
        }
    }
}
