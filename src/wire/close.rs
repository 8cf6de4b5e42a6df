//! Why a conversation ends.

use std::fmt;

/// Why a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The first bytes are not a handshake of the peer protocol.
    NotBitTorrent,
    /// The peer that was dialled answers for another torrent.
    OtherTorrent,
    /// The peer is this program.
    Ourselves,
    /// The handshake did not come in time.
    HandshakeLate,
    /// A message is longer than any that is passed over.
    MessageTooLong,
    /// A `request` or `cancel` whose length is not that of one, or a block that nobody asked for.
    Malformed,
    /// A request for bytes that the torrent does not have. Its sender has another torrent in mind, and every answer
    /// would mislead it.
    OutOfRange,
    /// A request for more than [`super::BLOCK_BYTES_MAX`], from a peer that takes no reject (BEP 6). No client sends
    /// one, and left unanswered it would be waited for.
    BlockTooLarge,
    /// A request for a piece that was offered and has since been found bad, from a peer that takes no reject (BEP 6).
    /// BEP 3 has no message that takes an offer back; the next conversation begins without it.
    Withdrawn,
    /// Nothing came for [`super::SILENCE_MAX`].
    Silent,
    /// Nothing that there is was asked for during [`super::IDLE_MAX`].
    Idle,
    /// The peer is a seed itself.
    Useless,
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotBitTorrent => "does not speak the peer protocol",
            Self::OtherTorrent => "answers for another torrent",
            Self::Ourselves => "is this program itself",
            Self::HandshakeLate => "sent no handshake in time",
            Self::MessageTooLong => "sent a message that is too long",
            Self::Malformed => "sent a message that no leecher sends",
            Self::OutOfRange => "asked for bytes that the torrent does not have",
            Self::BlockTooLarge => "asked for too large a block",
            Self::Withdrawn => "asked for a piece that is no longer good",
            Self::Silent => "was silent for too long",
            Self::Idle => "asked for nothing for too long",
            Self::Useless => "is a seed itself",
        })
    }
}
