//! What came, taken apart: the handshake, then one message after the other.

use std::time::Duration;

use super::{Body, Connection, Stage};
use crate::wire::bitfield::full_byte;
use crate::wire::extended;
use crate::wire::handshake::{HANDSHAKE_BYTES, Handshake, NotAHandshake};
use crate::wire::hashes::{self, HashRequest};
use crate::wire::message::{self, Block, id};
use crate::wire::{BLOCK_BYTES_MAX, Close, EXTENDED_BYTES_MAX, MESSAGE_BYTES_MAX, METADATA_COPIES_MAX};

impl Connection {
    /// Takes the next thing off `bytes` and returns its size; nothing where it is not whole or not to be taken now.
    pub(super) fn step(&mut self, bytes: &[u8], now: Duration) -> Result<Option<usize>, Close> {
        match self.stage {
            Stage::Greeting | Stage::Dialled(_) => match Handshake::parse(bytes) {
                Ok(None) => Ok(None),
                Ok(Some(handshake)) => self.shake(handshake, now).map(|()| Some(HANDSHAKE_BYTES)),
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

    fn shake(&mut self, theirs: Handshake, now: Duration) -> Result<(), Close> {
        self.theirs.peer_id = Some(theirs.peer_id);
        match std::mem::replace(&mut self.stage, Stage::Greeting) {
            Stage::Dialled(ours) => {
                // A peer that knows both hashes of a hybrid may go on by that of v2 (BEP 52 "Upgrade Path").
                if theirs.info_hash != ours.info_hash && Some(theirs.info_hash) != ours.offer.v2 {
                    return Err(Close::OtherTorrent);
                }
                if theirs.peer_id == ours.local.peer_id {
                    return Err(Close::Ourselves);
                }
                self.open(theirs, &ours.local, ours.offer, now);
            }
            _ => self.stage = Stage::Asked(theirs),
        }
        Ok(())
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
                    self.cancel(block);
                }
                Ok(Some(4 + length))
            }
            id::HASH_REQUEST => {
                if length != 1 + hashes::REQUEST_BYTES {
                    return Err(Close::Malformed);
                }
                let Some(body) = body.and_then(<[u8]>::first_chunk) else { return Ok(None) };
                self.hash_request(HashRequest::parse(body), now);
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
                match number {
                    id::INTERESTED => {
                        self.useless_since = None;
                        self.unchoke();
                    }
                    id::HAVE_ALL => self.useless_since = Some(now),
                    _ => {}
                }
                // Whatever else it is, and whatever later protocols make of its number, it is not for a seed.
                self.body = pass_over(length - 1);
                Ok(Some(5))
            }
        }
    }

    fn request(&mut self, block: Block, now: Duration) -> Result<(), Close> {
        let Stage::Talking(talk) = &self.stage else { return Ok(()) };
        let size = talk.offer.pieces.bytes_of(block.piece).ok_or(Close::OutOfRange)?;
        let reach = talk.offer.pieces.end_of(block.piece).ok_or(Close::OutOfRange)?;
        let end = block.begin.checked_add(block.bytes).ok_or(Close::OutOfRange)?;
        if block.bytes == 0 || block.begin >= size || end > reach {
            return Err(Close::OutOfRange);
        }
        let (good, told) = (talk.offer.have.get(block.piece), talk.told.get(block.piece));
        self.useless_since = None;
        if !good || block.bytes > BLOCK_BYTES_MAX {
            if self.theirs.fast {
                // Time goes on for who asks for nothing else: some ask for a rejected block again and again.
                message::reject(&mut self.output, block);
                return Ok(());
            }
            return match (good, told) {
                (true, _) => Err(Close::BlockTooLarge),
                (_, true) => Err(Close::Withdrawn),
                // What was not offered is left unanswered, as BEP 3 leaves requests to a choking peer.
                _ => Ok(()),
            };
        }
        self.asked = now;
        self.unchoke();
        // Each request is answered once (BEP 6); without rejects, one that is repeated is the same one.
        if self.theirs.fast || !self.requests.contains(&block) {
            self.requests.push_back(block);
        }
        Ok(())
    }

    /// A request that is cancelled before it is answered is answered by a reject (BEP 6); one whose block is on its way
    /// is answered by the block.
    fn cancel(&mut self, block: Block) {
        let waiting = self.requests.len();
        self.requests.retain(|queued| *queued != block);
        if self.theirs.fast {
            (self.requests.len()..waiting).for_each(|_| message::reject(&mut self.output, block));
        }
    }

    fn hash_request(&mut self, request: HashRequest, now: Duration) {
        let Stage::Talking(talk) = &self.stage else { return };
        if talk.offer.v2.is_none() || !request.is_sane() {
            request.write_answer(&mut self.output, None);
            return;
        }
        self.asked = now;
        self.useless_since = None;
        self.hash_requests.push_back(request);
    }

    /// Everyone who is interested is unchoked: TCP shares the line, and no slot is there to be waited for.
    fn unchoke(&mut self) {
        if !self.unchoked {
            self.unchoked = true;
            message::write(&mut self.output, id::UNCHOKE, &[]);
        }
    }

    fn extended(&mut self, number: u8, body: &[u8], now: Duration) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        match number {
            extended::HANDSHAKE => {
                let said = extended::read_handshake(body);
                let theirs = &mut self.theirs;
                let known = (theirs.lt_donthave, theirs.upload_only);
                for (known, said) in [
                    (&mut theirs.ut_metadata, said.ut_metadata),
                    (&mut theirs.ut_pex, said.ut_pex),
                    (&mut theirs.lt_donthave, said.lt_donthave),
                    (&mut theirs.upload_only, said.upload_only_id),
                ] {
                    if let Some(number) = said {
                        // 0 takes it back.
                        *known = (number != 0).then_some(number);
                    }
                }
                theirs.port = said.port.or(theirs.port);
                let is_new = |known: Option<u8>, now: Option<u8>| known.is_none() && now.is_some();
                if is_new(known.0, theirs.lt_donthave) || is_new(known.1, theirs.upload_only) {
                    // What was withdrawn before can be told now.
                    talk.tell_from = Some(0);
                }
                if said.upload_only {
                    self.useless_since = Some(now);
                }
            }
            extended::UT_METADATA => {
                if let (Some(number), Some(piece)) = (self.theirs.ut_metadata, extended::read_metadata_request(body)) {
                    self.asked = now;
                    self.useless_since = None;
                    let metadata = talk.offer.metadata.as_deref();
                    let span = metadata.and_then(|metadata| extended::metadata_span(metadata, piece));
                    let bytes = span.map_or(0, |span| span.len() as u64);
                    let copies = metadata.map_or(0, <[u8]>::len) as u64 * METADATA_COPIES_MAX;
                    if bytes > 0 && self.metadata_given + bytes <= copies {
                        self.metadata_given += bytes;
                        self.metadata_requests.push_back(piece);
                    } else {
                        extended::write_metadata(&mut self.output, number, piece, None);
                    }
                }
            }
            _ => {}
        }
    }
}

fn pass_over(bytes: usize) -> Body {
    if bytes == 0 { Body::None } else { Body::PassOver(bytes) }
}
