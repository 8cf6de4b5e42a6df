//! One conversation with a peer: what it said, what it may still say, and what it is owed.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::bitfield::full_byte;
use super::extended::{self, Said};
use super::handshake::{HANDSHAKE_BYTES, Handshake, NotAHandshake};
use super::message::{self, Block, id};
use super::{
    Bitfield, EXTENDED_BYTES_MAX, HANDSHAKE_WITHIN, IDLE_MAX, KEEP_ALIVE_EVERY, MESSAGE_BYTES_MAX, OUTPUT_BYTES_MAX,
    REQUESTS_MAX, SILENCE_MAX, USELESS_AFTER,
};
use crate::id::{InfoHash, PeerId};
use crate::units::PieceLength;

/// What we say of ourselves.
#[derive(Debug, Clone)]
pub struct Local {
    /// Our peer id.
    pub peer_id: PeerId,
    /// The port at which we take connections (BEP 10 `p`).
    pub port: u16,
    /// Our name and version (BEP 10 `v`).
    pub client: String,
}

/// What is offered of a torrent.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Bytes in each piece but the last.
    pub piece_length: PieceLength,
    /// Bytes of all pieces.
    pub total_bytes: u64,
    /// The pieces that may be asked for: those not known to be bad.
    pub have: Arc<Bitfield>,
    /// The `info` dictionary, or nothing for a private torrent, whose metadata strangers do not get (BEP 27).
    pub metadata: Option<Arc<[u8]>>,
}

/// Why a conversation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The first bytes are not a handshake of the peer protocol.
    NotBitTorrent,
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
    /// A request for more than [`super::BLOCK_BYTES_MAX`]. No client sends one, and left unanswered it would be
    /// waited for.
    BlockTooLarge,
    /// A request for a piece that was offered and has since been found bad. BEP 3 has no message that takes an offer
    /// back; the next conversation begins without it.
    Withdrawn,
    /// Nothing came for [`super::SILENCE_MAX`].
    Silent,
    /// Nothing was asked for during [`super::IDLE_MAX`].
    Idle,
    /// The peer is a seed itself.
    Useless,
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotBitTorrent => "does not speak the peer protocol",
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

/// A conversation, from the first byte of the peer's handshake on.
#[derive(Debug)]
pub struct Connection {
    stage: Stage,
    body: Body,
    requests: VecDeque<Block>,
    output: Vec<u8>,
    /// The number under which the peer takes `ut_metadata` messages, once it has said so.
    peer_metadata_id: Option<u8>,
    unchoked: bool,
    began: Duration,
    heard: Duration,
    asked: Duration,
    spoke: Duration,
    useless_since: Option<Duration>,
}

#[derive(Debug)]
enum Stage {
    Greeting,
    /// The handshake has come and waits for [`Connection::accept`].
    Asked(Handshake),
    Talking(Talk),
}

#[derive(Debug)]
struct Talk {
    offer: Offer,
    /// The pieces that the peer has been told of.
    told: Arc<Bitfield>,
    /// The first piece of which it is not known whether the peer has been told; none where it knows all.
    tell_from: Option<u32>,
}

/// The rest of a message that is taken in without being held.
#[derive(Debug, Clone, Copy)]
enum Body {
    None,
    PassOver(usize),
    Bitfield { at: usize, bytes: usize, full: bool },
}

impl Connection {
    /// A conversation that begins now, with the peer to speak first.
    pub fn new(now: Duration) -> Self {
        Self {
            stage: Stage::Greeting,
            body: Body::None,
            requests: VecDeque::new(),
            output: Vec::new(),
            peer_metadata_id: None,
            unchoked: false,
            began: now,
            heard: now,
            asked: now,
            spoke: now,
            useless_since: None,
        }
    }

    /// Takes what came and returns how many of the bytes are done with; the rest is to be passed again, with what
    /// comes behind it. While [`Connection::wants_input`], that is less than a message; else read no more for now.
    pub fn receive(&mut self, bytes: &[u8], now: Duration) -> Result<usize, Close> {
        let mut done = 0;
        while let Some(taken) = self.step(&bytes[done..], now)? {
            done += taken;
            self.heard = now;
        }
        Ok(done)
    }

    /// Whether there is room for what further messages ask for. Where there is none, the peer waits in its own send
    /// buffer, which costs nobody else anything.
    pub fn wants_input(&self) -> bool {
        self.requests.len() < REQUESTS_MAX && self.output.len() < OUTPUT_BYTES_MAX
    }

    /// The torrent the peer asks for, from the arrival of its handshake to [`Connection::accept`]. Where there is no
    /// such torrent, hang up.
    pub fn asks_for(&self) -> Option<InfoHash> {
        if let Stage::Asked(handshake) = &self.stage { Some(handshake.info_hash) } else { None }
    }

    /// Answers the peer's handshake with ours, what there is to have, and what we understand.
    pub fn accept(&mut self, local: &Local, offer: Offer, now: Duration) -> Result<(), Close> {
        let Stage::Asked(theirs) = self.stage else { return Ok(()) };
        if theirs.peer_id == local.peer_id {
            return Err(Close::Ourselves);
        }
        Handshake { extended: true, info_hash: theirs.info_hash, peer_id: local.peer_id }.write(&mut self.output);
        if !offer.have.none() {
            message::write(&mut self.output, id::BITFIELD, offer.have.bytes());
        }
        if theirs.extended {
            let metadata_bytes = offer.metadata.as_ref().map(|metadata| metadata.len());
            extended::write_handshake(&mut self.output, local, metadata_bytes);
        }
        self.stage = Stage::Talking(Talk { told: Arc::clone(&offer.have), offer, tell_from: None });
        self.asked = now;
        Ok(())
    }

    /// Replaces what is offered: the peer is told of new pieces (`have`), and asked-for ones that are no longer good
    /// end the conversation.
    pub fn offer_now(&mut self, have: Arc<Bitfield>) -> Result<(), Close> {
        let Stage::Talking(talk) = &mut self.stage else { return Ok(()) };
        talk.offer.have = have;
        talk.tell_from = Some(0);
        if self.requests.iter().any(|block| !talk.offer.have.get(block.piece)) {
            return Err(Close::Withdrawn);
        }
        Ok(())
    }

    /// Moves what is to be written to the end of `out`: everything but blocks.
    pub fn take_output(&mut self, out: &mut Vec<u8>, now: Duration) {
        if let Stage::Talking(talk) = &mut self.stage {
            talk.tell(&mut self.output);
        }
        if !self.output.is_empty() {
            self.spoke = now;
            out.append(&mut self.output);
            // What a burst needed is not kept for years of silence.
            self.output.shrink_to(1024);
        }
    }

    /// Takes the blocks that are to be read and sent next: the first one, and as many behind it as fit into
    /// `bytes_max` together. To be called when what was taken before is written: a peer that takes its blocks lives,
    /// though it may have nothing to say for as long as its requests last.
    pub fn take_blocks(&mut self, bytes_max: u32, now: Duration) -> Vec<Block> {
        let mut sum = 0_u32;
        let fitting = self.requests.iter().take_while(|block| {
            sum = sum.saturating_add(block.bytes);
            sum <= bytes_max
        });
        let count = fitting.count().max(usize::from(!self.requests.is_empty()));
        if count > 0 {
            self.spoke = now;
            self.heard = now;
            self.asked = now;
        }
        self.requests.drain(..count).collect()
    }

    /// When [`Connection::tick`] has something to do.
    pub fn deadline(&self) -> Duration {
        if !matches!(self.stage, Stage::Talking(_)) {
            return self.began + HANDSHAKE_WITHIN;
        }
        let ends = [self.heard + SILENCE_MAX, self.asked + IDLE_MAX, self.spoke + KEEP_ALIVE_EVERY];
        ends.into_iter().chain(self.useless_since.map(|since| since + USELESS_AFTER)).min().unwrap_or(self.began)
    }

    /// Does what is due: ends the conversation where a time has run out, or says that we are still there.
    pub fn tick(&mut self, now: Duration) -> Result<(), Close> {
        if !matches!(self.stage, Stage::Talking(_)) {
            return if now < self.deadline() { Ok(()) } else { Err(Close::HandshakeLate) };
        }
        if self.useless_since.is_some_and(|since| now >= since + USELESS_AFTER) {
            return Err(Close::Useless);
        }
        if now >= self.heard + SILENCE_MAX {
            return Err(Close::Silent);
        }
        if now >= self.asked + IDLE_MAX {
            return Err(Close::Idle);
        }
        if now >= self.spoke + KEEP_ALIVE_EVERY {
            if self.output.is_empty() {
                message::keep_alive(&mut self.output);
            }
            self.spoke = now;
        }
        Ok(())
    }

    /// Takes the next thing off `bytes` and returns its size; nothing where it is not whole or not to be taken now.
    fn step(&mut self, bytes: &[u8], now: Duration) -> Result<Option<usize>, Close> {
        match self.stage {
            Stage::Greeting => match Handshake::parse(bytes) {
                Ok(None) => Ok(None),
                Ok(Some(handshake)) => {
                    self.stage = Stage::Asked(handshake);
                    Ok(Some(HANDSHAKE_BYTES))
                }
                Err(NotAHandshake) => Err(Close::NotBitTorrent),
            },
            Stage::Asked(_) => Ok(None),
            Stage::Talking(_) if !self.wants_input() => Ok(None),
            Stage::Talking(_) => match self.body {
                Body::None => self.message(bytes, now),
                _ => Ok(self.continue_body(bytes, now)),
            },
        }
    }

    fn continue_body(&mut self, bytes: &[u8], now: Duration) -> Option<usize> {
        if bytes.is_empty() {
            return None;
        }
        let taken;
        match &mut self.body {
            Body::None => return None,
            Body::PassOver(rest) => {
                taken = bytes.len().min(*rest);
                *rest -= taken;
                if *rest == 0 {
                    self.body = Body::None;
                }
            }
            Body::Bitfield { at, bytes: whole, full } => {
                let Stage::Talking(talk) = &self.stage else { return None };
                let len = talk.offer.have.len();
                taken = bytes.len().min(*whole - *at);
                *full &= bytes[..taken].iter().zip(*at..).all(|(&byte, at)| byte == full_byte(at, len));
                *at += taken;
                if at == whole {
                    if *full {
                        self.useless_since = Some(now);
                    }
                    self.body = Body::None;
                }
            }
        }
        Some(taken)
    }

    fn message(&mut self, bytes: &[u8], now: Duration) -> Result<Option<usize>, Close> {
        let Some((&length, rest)) = bytes.split_first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(length) as usize;
        if length == 0 {
            return Ok(Some(4));
        }
        if length > MESSAGE_BYTES_MAX {
            return Err(Close::MessageTooLong);
        }
        let Some((&number, rest)) = rest.split_first() else { return Ok(None) };
        let body = rest.get(..length - 1);
        match number {
            id::REQUEST | id::CANCEL => {
                if length != 13 {
                    return Err(Close::Malformed);
                }
                let Some(&body) = body.and_then(<[u8]>::first_chunk) else { return Ok(None) };
                let block = Block::parse(body);
                if number == id::REQUEST {
                    self.request(block, now)?;
                } else {
                    self.requests.retain(|queued| *queued != block);
                }
                Ok(Some(4 + length))
            }
            id::EXTENDED if length - 1 <= EXTENDED_BYTES_MAX => {
                let Some(body) = body else { return Ok(None) };
                if let Some((&number, body)) = body.split_first() {
                    self.extended(number, body, now);
                }
                Ok(Some(4 + length))
            }
            id::PIECE => Err(Close::Malformed),
            id::BITFIELD => {
                // A peer without metadata may send one of a wrong size; it says nothing then.
                let fits = matches!(&self.stage, Stage::Talking(talk) if talk.offer.have.bytes().len() == length - 1);
                self.body = if fits && length > 1 {
                    Body::Bitfield { at: 0, bytes: length - 1, full: true }
                } else {
                    pass_over(length - 1)
                };
                Ok(Some(5))
            }
            _ => {
                if number == id::INTERESTED {
                    self.useless_since = None;
                    self.unchoke();
                }
                // Whatever else it is, and whatever later protocols make of its number, it is not for a seed.
                self.body = pass_over(length - 1);
                Ok(Some(5))
            }
        }
    }

    fn request(&mut self, block: Block, now: Duration) -> Result<(), Close> {
        let Stage::Talking(talk) = &self.stage else { return Ok(()) };
        let size = talk.offer.piece_length.of_piece(block.piece, talk.offer.total_bytes).ok_or(Close::OutOfRange)?;
        let end = block.begin.checked_add(block.bytes).ok_or(Close::OutOfRange)?;
        if block.bytes == 0 || end > size {
            return Err(Close::OutOfRange);
        }
        if block.bytes > super::BLOCK_BYTES_MAX {
            return Err(Close::BlockTooLarge);
        }
        self.asked = now;
        self.useless_since = None;
        if !talk.offer.have.get(block.piece) {
            // What was never offered is left unanswered, as BEP 3 leaves requests to a choking peer.
            return if talk.told.get(block.piece) { Err(Close::Withdrawn) } else { Ok(()) };
        }
        self.unchoke();
        if !self.requests.contains(&block) {
            self.requests.push_back(block);
        }
        Ok(())
    }

    /// Everyone who is interested is unchoked: TCP shares the line, and no slot is there to be waited for.
    fn unchoke(&mut self) {
        if !self.unchoked {
            self.unchoked = true;
            message::write(&mut self.output, id::UNCHOKE, &[]);
        }
    }

    fn extended(&mut self, number: u8, body: &[u8], now: Duration) {
        let Stage::Talking(talk) = &self.stage else { return };
        match number {
            extended::HANDSHAKE => {
                let Said { ut_metadata, upload_only } = extended::read_handshake(body);
                if let Some(number) = ut_metadata {
                    self.peer_metadata_id = (number != 0).then_some(number);
                }
                if upload_only {
                    self.useless_since = Some(now);
                }
            }
            extended::UT_METADATA => {
                if let (Some(number), Some(piece)) = (self.peer_metadata_id, extended::read_metadata_request(body)) {
                    self.asked = now;
                    self.useless_since = None;
                    extended::write_metadata(&mut self.output, number, piece, talk.offer.metadata.as_deref());
                }
            }
            _ => {}
        }
    }
}

impl Talk {
    /// Appends a `have` for pieces that the peer has not been told of, as many as the output holds.
    fn tell(&mut self, output: &mut Vec<u8>) {
        let Some(from) = self.tell_from else { return };
        for piece in from..self.offer.have.len() {
            if self.offer.have.get(piece) && !self.told.get(piece) {
                if output.len() >= OUTPUT_BYTES_MAX {
                    self.tell_from = Some(piece);
                    return;
                }
                Arc::make_mut(&mut self.told).put(piece, true);
                message::write(output, id::HAVE, &piece.to_be_bytes());
            }
        }
        self.tell_from = None;
    }
}

fn pass_over(bytes: usize) -> Body {
    if bytes == 0 { Body::None } else { Body::PassOver(bytes) }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
