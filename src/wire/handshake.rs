//! The first 68 bytes of each direction (BEP 3), with the bit that announces extended messages (BEP 10).

use crate::id::{InfoHash, PeerId};

/// The name of the protocol, behind its length.
pub const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";
/// The bytes of a handshake.
pub const HANDSHAKE_BYTES: usize = 68;

/// Bit 20 from the right of the reserved bytes: extended messages (BEP 10).
const EXTENDED: (usize, u8) = (5, 0x10);

/// What a handshake says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// Whether extended messages are understood (BEP 10).
    pub extended: bool,
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
        Ok(Some(Self { extended: bytes[20 + EXTENDED.0] & EXTENDED.1 != 0, info_hash, peer_id }))
    }

    /// Appends the 68 bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut reserved = [0; 8];
        if self.extended {
            reserved[EXTENDED.0] |= EXTENDED.1;
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
        let handshake =
            Handshake { extended: true, info_hash: InfoHash([3; 20]), peer_id: PeerId(*b"-XX0100-abcdefghijkl") };
        let mut bytes = Vec::new();
        handshake.write(&mut bytes);
        assert_eq!(bytes.len(), HANDSHAKE_BYTES);
        for end in 0..HANDSHAKE_BYTES {
            assert_eq!(Handshake::parse(&bytes[..end]), Ok(None), "{end}");
        }
        assert_eq!(Handshake::parse(&bytes), Ok(Some(handshake)));
    }

    #[test]
    fn what_is_none_is_known_by_its_first_wrong_byte() {
        for bytes in [&b"G"[..], b"\x13BitTorrent Protocol", b"\x00\x00\x00\x00", b"\x14"] {
            assert_eq!(Handshake::parse(bytes), Err(NotAHandshake));
        }
    }
}
