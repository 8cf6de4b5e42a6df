//! The messages of BEP 3, 6 and 52: their numbers, and how those that we send are written.

/// The numbers of the messages that mean something to a seed; all others are passed over.
pub(super) mod id {
    pub const UNCHOKE: u8 = 1;
    pub const INTERESTED: u8 = 2;
    pub const HAVE: u8 = 4;
    pub const BITFIELD: u8 = 5;
    pub const REQUEST: u8 = 6;
    pub const PIECE: u8 = 7;
    pub const CANCEL: u8 = 8;
    /// BEP 6, as the next two.
    pub const HAVE_ALL: u8 = 14;
    pub const HAVE_NONE: u8 = 15;
    pub const REJECT: u8 = 16;
    /// BEP 10.
    pub const EXTENDED: u8 = 20;
    /// BEP 52, as the next two.
    pub const HASH_REQUEST: u8 = 21;
    pub const HASHES: u8 = 22;
    pub const HASH_REJECT: u8 = 23;
}

/// A span of bytes within a piece: what a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// The piece.
    pub piece: u32,
    /// The first byte, counted from the start of the piece.
    pub begin: u32,
    /// The number of bytes.
    pub bytes: u32,
}

impl Block {
    /// Reads the body of a `request` or a `cancel`.
    pub(super) fn parse(body: [u8; 12]) -> Self {
        let [piece, begin, bytes] = [0, 4, 8].map(|at| [body[at], body[at + 1], body[at + 2], body[at + 3]]);
        Self { piece: u32::from_be_bytes(piece), begin: u32::from_be_bytes(begin), bytes: u32::from_be_bytes(bytes) }
    }
}

/// The bytes of a [`piece_header`].
pub const PIECE_HEADER_BYTES: usize = 13;

/// What stands in front of a block's bytes in a `piece` message.
pub fn piece_header(block: Block) -> [u8; PIECE_HEADER_BYTES] {
    let mut header = [0; PIECE_HEADER_BYTES];
    header[..4].copy_from_slice(&(9 + block.bytes).to_be_bytes());
    header[4] = id::PIECE;
    header[5..9].copy_from_slice(&block.piece.to_be_bytes());
    header[9..].copy_from_slice(&block.begin.to_be_bytes());
    header
}

/// Appends a message.
pub(super) fn write(out: &mut Vec<u8>, id: u8, body: &[u8]) {
    let length = u32::try_from(1 + body.len()).expect("messages that are sent are far below 4 GiB");
    out.extend_from_slice(&length.to_be_bytes());
    out.push(id);
    out.extend_from_slice(body);
}

/// Appends the refusal of a request (BEP 6).
pub(super) fn reject(out: &mut Vec<u8>, block: Block) {
    write(out, id::REJECT, [block.piece, block.begin, block.bytes].map(u32::to_be_bytes).as_flattened());
}

/// Appends a keep-alive: a message without anything in it.
pub(super) fn keep_alive(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; 4]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_written_byte_by_byte_as_bep_3_says() {
        let mut out = Vec::new();
        write(&mut out, id::HAVE, &7_u32.to_be_bytes());
        keep_alive(&mut out);
        assert_eq!(out, [0, 0, 0, 5, 4, 0, 0, 0, 7, 0, 0, 0, 0]);
        out.clear();
        reject(&mut out, Block { piece: 1, begin: 2, bytes: 3 });
        assert_eq!(out, [0, 0, 0, 13, 16, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
        let header = piece_header(Block { piece: 1, begin: 2, bytes: 16384 });
        assert_eq!(header, [0, 0, 0x40, 9, 7, 0, 0, 0, 1, 0, 0, 0, 2]);
        let block = Block::parse([0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
        assert_eq!(block, Block { piece: 1, begin: 2, bytes: 3 });
    }
}
