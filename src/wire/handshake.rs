//! The first 68 bytes of each direction (BEP 3), with the bits that announce extended messages (BEP 10), the fast
//! extension (BEP 6) and v2 (BEP 52).

use crate::id::{InfoHash, PeerId};

/// The name of the protocol, behind its length.
pub const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";
/// The bytes of a handshake.
pub const HANDSHAKE_BYTES: usize = 68;

/// Bit 20 from the right of the reserved bytes: extended messages (BEP 10).
const EXTENDED: (usize, u8) = (5, 0x10);
/// The third bit from the right: the fast extension (BEP 6).
const FAST: (usize, u8) = (7, 0x04);
/// The 4th most significant bit of the last reserved byte: v2 (BEP 52 "Upgrade Path").
const V2: (usize, u8) = (7, 0x10);

/// What a handshake says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// Whether extended messages are understood (BEP 10).
    pub extended: bool,
    /// Whether the messages of the fast extension are understood (BEP 6).
    pub fast: bool,
    /// Whether a handshake by the v1 hash of a hybrid torrent may be answered by its v2 hash (BEP 52).
    pub v2: bool,
    /// The torrent that is asked for.
    pub info_hash: InfoHash,
    /// Who speaks.
    pub peer_id: PeerId,
}

impl Handshake {
    /// Reads a handshake. `Ok(None)` while bytes are missing; an error as soon as they can't be one, so that an
    /// encrypted hello or a browser's request is not waited for.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, NotAHandshake> {
        let known = bytes.len().min(PROTOCOL.len());
        if bytes[..known] != PROTOCOL[..known] {
            return Err(NotAHandshake);
        }
        let Some(bytes) = bytes.first_chunk::<HANDSHAKE_BYTES>() else { return Ok(None) };
        let mut info_hash = InfoHash([0; 20]);
        let mut peer_id = PeerId([0; 20]);
        info_hash.0.copy_from_slice(&bytes[28..48]);
        peer_id.0.copy_from_slice(&bytes[48..68]);
        let [extended, fast, v2] = [EXTENDED, FAST, V2].map(|(at, bit)| bytes[PROTOCOL.len() + at] & bit != 0);
        Ok(Some(Self { extended, fast, v2, info_hash, peer_id }))
    }

    /// Appends the 68 bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut reserved = [0; 8];
        for ((at, bit), said) in [(EXTENDED, self.extended), (FAST, self.fast), (V2, self.v2)] {
            reserved[at] |= if said { bit } else { 0 };
        }
        out.extend_from_slice(PROTOCOL);
        out.extend_from_slice(&reserved);
        out.extend_from_slice(&self.info_hash.0);
        out.extend_from_slice(&self.peer_id.0);
    }
}

/// Bytes with which no handshake begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAHandshake;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_shorter_bytes_are_waited_for() {
        for (extended, fast, v2, reserved) in [
            (true, false, false, [0, 0, 0, 0, 0, 0x10, 0, 0]),
            (false, true, false, [0, 0, 0, 0, 0, 0, 0, 0x04]),
            (false, false, true, [0, 0, 0, 0, 0, 0, 0, 0x10]),
            (true, true, true, [0, 0, 0, 0, 0, 0x10, 0, 0x14]),
        ] {
            let peer_id = PeerId(*b"-XX0100-abcdefghijkl");
            let handshake = Handshake { extended, fast, v2, info_hash: InfoHash([3; 20]), peer_id };
            let mut bytes = Vec::new();
            handshake.write(&mut bytes);
            assert_eq!((bytes.len(), &bytes[20..28]), (HANDSHAKE_BYTES, &reserved[..]));
            for end in 0..HANDSHAKE_BYTES {
                assert_eq!(Handshake::parse(&bytes[..end]), Ok(None), "{end}");
            }
            assert_eq!(Handshake::parse(&bytes), Ok(Some(handshake)));
        }
    }

    #[test]
    fn what_is_none_is_known_by_its_first_wrong_byte() {
        for bytes in [&b"G"[..], b"\x13BitTorrent Protocol", b"\x00\x00\x00\x00", b"\x14"] {
            assert_eq!(Handshake::parse(bytes), Err(NotAHandshake));
        }
    }
}
