//! One conversation with a peer: what it said, what it may still say, and what it is owed.

mod listen;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::handshake::Handshake;
use super::message::{self, Block, id};
use super::{
    Bitfield, Close, HANDSHAKE_BYTES, HANDSHAKE_WITHIN, HASH_REQUESTS_MAX, HashRequest, IDLE_MAX, KEEP_ALIVE_EVERY,
    Local, METADATA_REQUESTS_MAX, MetadataPiece, OUTPUT_BYTES_MAX, Offer, PEX_EVERY, REQUESTS_MAX, SILENCE_MAX,
    USELESS_AFTER, extended, pex,
};
use crate::id::{InfoHash, NodeHash, PeerId};

/// A conversation, from the first byte of either handshake on.
#[derive(Debug)]
pub struct Connection {
    stage: Stage,
    body: Body,
    theirs: Theirs,
    requests: VecDeque<Block>,
    hash_requests: VecDeque<HashRequest>,
    metadata_requests: VecDeque<i64>,
    /// Bytes of metadata that were sent or are to be.
    metadata_given: u64,
    /// Whether a request for hashes was taken and has not been answered.
    hashing: bool,
    output: Vec<u8>,
    /// Of the output, the bytes that are our handshake.
    handshake_bytes: usize,
    unchoked: bool,
    began: Duration,
    heard: Duration,
    asked: Duration,
    spoke: Duration,
    useless_since: Option<Duration>,
    told_peers: Option<Duration>,
}

#[derive(Debug)]
enum Stage {
    Greeting,
    /// The handshake has come and waits for [`Connection::accept`].
    Asked(Handshake),
    /// Our handshake is said and waits for its answer.
    Dialled(Box<Dialled>),
    Talking(Talk),
}

#[derive(Debug)]
struct Dialled {
    local: Local,
    info_hash: InfoHash,
    offer: Offer,
}

#[derive(Debug)]
struct Talk {
    offer: Offer,
    /// The pieces that the peer has been told of.
    told: Arc<Bitfield>,
    /// The first piece of which it is not known whether the peer has been told; none where it knows all.
    tell_from: Option<u32>,
    /// Whether the peer has been told that we are a seed and nothing else.
    told_upload_only: bool,
}

/// What the peer has said of itself.
#[derive(Debug, Default)]
struct Theirs {
    ip: Option<IpAddr>,
    peer_id: Option<PeerId>,
    /// Whether it understands the messages of BEP 6.
    fast: bool,
    /// The numbers under which it takes extended messages, once it has said so.
    ut_metadata: Option<u8>,
    ut_pex: Option<u8>,
    lt_donthave: Option<u8>,
    upload_only: Option<u8>,
    /// Where it takes connections.
    port: Option<u16>,
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
            theirs: Theirs::default(),
            requests: VecDeque::new(),
            hash_requests: VecDeque::new(),
            metadata_requests: VecDeque::new(),
            metadata_given: 0,
            hashing: false,
            output: Vec::new(),
            handshake_bytes: 0,
            unchoked: false,
            began: now,
            heard: now,
            asked: now,
            spoke: now,
            useless_since: None,
            told_peers: None,
        }
    }

    /// A conversation that we begin now, about the torrent that is known to the peer by `info_hash`: our handshake is
    /// its first output. The peer's is to name the same torrent.
    pub fn dial(local: &Local, info_hash: InfoHash, offer: Offer, now: Duration) -> Self {
        let mut connection = Self::new(now);
        connection.write_handshake(local, info_hash, &offer);
        connection.stage = Stage::Dialled(Box::new(Dialled { local: local.clone(), info_hash, offer }));
        connection
    }

    /// The same with a peer that is at `ip`: it is told so (BEP 10 `yourip`). To be called before anything is received.
    pub fn with_peer_at(mut self, ip: IpAddr) -> Self {
        self.theirs.ip = Some(ip);
        self
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
        self.requests.len() < REQUESTS_MAX
            && self.hash_requests.len() < HASH_REQUESTS_MAX
            && self.metadata_requests.len() < METADATA_REQUESTS_MAX
            && self.output.len() < OUTPUT_BYTES_MAX
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
        // By the hash it asked by, also where it would take the v2 one of a hybrid (BEP 52 "Upgrade Path"): it has
        // found us in the swarm of v1, and the pieces are the same.
        self.write_handshake(local, theirs.info_hash, &offer);
        self.open(theirs, local, offer, now);
        Ok(())
    }

    /// Whether both handshakes are said: the peer is one, and has asked for a torrent or answered for it.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Talking(_))
    }

    /// How the peer names itself, from the arrival of its handshake on.
    pub fn peer_id(&self) -> Option<PeerId> {
        self.theirs.peer_id
    }

    /// The port at which the peer takes connections, once it has said so (BEP 10 `p`).
    pub fn listen_port(&self) -> Option<u16> {
        self.theirs.port
    }

    /// Replaces what is offered. The peer is told of new pieces (`have`), and of those that are no longer good where it
    /// understands that (BEP 54). Asked-for ones that are no longer good are rejected (BEP 6); with a peer that
    /// understands neither the conversation ends, at once or when it asks for one.
    pub fn offer_now(&mut self, have: Arc<Bitfield>) -> Result<(), Close> {
        let talk = match &mut self.stage {
            Stage::Talking(talk) => talk,
            Stage::Dialled(ours) => {
                ours.offer.have = have;
                return Ok(());
            }
            // What is offered then is said by `accept`.
            Stage::Greeting | Stage::Asked(_) => return Ok(()),
        };
        talk.offer.have = have;
        talk.tell_from = Some(0);
        let is_good = |block: &Block| talk.offer.have.get(block.piece);
        if self.requests.iter().all(is_good) {
            return Ok(());
        }
        if !self.theirs.fast && self.theirs.lt_donthave.is_none() {
            return Err(Close::Withdrawn);
        }
        let bad: Vec<Block> = self.requests.iter().filter(|block| !is_good(block)).copied().collect();
        self.requests.retain(is_good);
        // First that the piece is gone, then the rejects, so that nobody asks for it again in between.
        talk.tell(&self.theirs, &mut self.output);
        if self.theirs.fast {
            bad.into_iter().for_each(|block| message::reject(&mut self.output, block));
        }
        Ok(())
    }

    /// Moves our handshake alone to the end of `out`, where it waits to be written; false where it does not. Over uTP
    /// it is to be sent in a packet of its own, before [`Connection::take_output`] gives what follows: Transmission 3.00
    /// leaves unread what comes in one packet with it.
    pub fn take_handshake(&mut self, out: &mut Vec<u8>, now: Duration) -> bool {
        if self.handshake_bytes == 0 {
            return false;
        }
        out.extend(self.output.drain(..std::mem::take(&mut self.handshake_bytes)));
        self.spoke = now;
        true
    }

    /// Moves what is to be written to the end of `out`: everything but blocks and metadata.
    pub fn take_output(&mut self, out: &mut Vec<u8>, now: Duration) {
        if let Stage::Talking(talk) = &mut self.stage {
            talk.tell(&self.theirs, &mut self.output);
        }
        if !self.output.is_empty() {
            self.spoke = now;
            self.handshake_bytes = 0;
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

    /// Takes the piece of the metadata that is to be sent next.
    pub fn take_metadata(&mut self, now: Duration) -> Option<MetadataPiece> {
        let Stage::Talking(talk) = &self.stage else { return None };
        let piece = self.metadata_requests.pop_front()?;
        // A peer that no longer takes them does not wait for them.
        let (peers_id, metadata) = (self.theirs.ut_metadata?, talk.offer.metadata.as_ref()?);
        self.spoke = now;
        self.heard = now;
        Some(MetadataPiece { peers_id, piece, metadata: Arc::clone(metadata) })
    }

    /// Takes back blocks that [`Connection::take_blocks`] gave and that can't be sent: they are rejected (BEP 6), or the
    /// conversation ends where the peer does not understand that.
    pub fn reject(&mut self, blocks: &[Block]) -> Result<(), Close> {
        if !blocks.is_empty() && !self.theirs.fast {
            return Err(Close::Withdrawn);
        }
        blocks.iter().for_each(|&block| message::reject(&mut self.output, block));
        Ok(())
    }

    /// Takes back blocks that [`Connection::take_blocks`] gave and that have to wait for another turn: they are the next
    /// ones again.
    pub fn give_back(&mut self, blocks: Vec<Block>) {
        blocks.into_iter().rev().for_each(|block| self.requests.push_front(block));
    }

    /// Takes the next request for hashes (BEP 52), to be answered by [`Connection::answer_hashes`] before another one is
    /// given; nothing either while too much waits to be written.
    pub fn take_hash_request(&mut self) -> Option<HashRequest> {
        if self.hashing || self.output.len() >= OUTPUT_BYTES_MAX {
            return None;
        }
        let request = self.hash_requests.pop_front();
        self.hashing = request.is_some();
        request
    }

    /// Answers what [`Connection::take_hash_request`] gave: with [`HashRequest::length`] hashes and
    /// [`HashRequest::uncles`] behind them, or with a refusal.
    pub fn answer_hashes(&mut self, request: &HashRequest, hashes: Option<&[NodeHash]>) {
        if std::mem::take(&mut self.hashing) {
            request.write_answer(&mut self.output, hashes);
        }
    }

    /// Whether the peer wants to be told of others, and the torrent allows it.
    pub fn wants_pex(&self) -> bool {
        matches!(&self.stage, Stage::Talking(talk) if talk.offer.pex) && self.theirs.ut_pex.is_some()
    }

    /// Tells the peer of others that have come and gone since this was last said to it, up to
    /// [`super::PEX_PEERS_MAX`] of each (BEP 11). Where it is not the time yet (see [`PEX_EVERY`]), or the peer does not
    /// want it, nothing is said and false returned: what was to be said is to be said later.
    pub fn tell_peers(&mut self, added: &[SocketAddr], dropped: &[SocketAddr], now: Duration) -> bool {
        let Some(number) = self.theirs.ut_pex.filter(|_| self.wants_pex()) else { return false };
        if self.told_peers.is_some_and(|told| now < told + PEX_EVERY) || self.output.len() >= OUTPUT_BYTES_MAX {
            return false;
        }
        let told = pex::write(&mut self.output, number, added, dropped);
        if told {
            self.told_peers = Some(now);
        }
        told
    }

    /// When [`Connection::tick`] has something to do.
    pub fn deadline(&self) -> Duration {
        if !self.is_open() {
            return self.began + HANDSHAKE_WITHIN;
        }
        let ends = [self.asked + IDLE_MAX, self.spoke + KEEP_ALIVE_EVERY].into_iter();
        let useless = self.useless_since.map(|since| since + USELESS_AFTER);
        ends.chain(self.silent_at()).chain(useless).min().unwrap_or(self.began)
    }

    /// When the peer has been silent for too long; nothing while nothing is read from it, as it waits for us then.
    fn silent_at(&self) -> Option<Duration> {
        self.wants_input().then(|| self.heard + SILENCE_MAX)
    }

    /// Does what is due: ends the conversation where a time has run out, or says that we are still there.
    pub fn tick(&mut self, now: Duration) -> Result<(), Close> {
        if !self.is_open() {
            return if now < self.deadline() { Ok(()) } else { Err(Close::HandshakeLate) };
        }
        if self.useless_since.is_some_and(|since| now >= since + USELESS_AFTER) {
            return Err(Close::Useless);
        }
        if self.silent_at().is_some_and(|at| now >= at) {
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

    fn write_handshake(&mut self, local: &Local, info_hash: InfoHash, offer: &Offer) {
        // Only of a hybrid: libtorrent hangs up on who says it knows v2 of a torrent that has none.
        let v2 = offer.v2.is_some_and(|v2| v2 != info_hash);
        let ours = Handshake { extended: true, fast: true, v2, info_hash, peer_id: local.peer_id };
        ours.write(&mut self.output);
        self.handshake_bytes = HANDSHAKE_BYTES;
    }

    /// Says what follows the handshakes.
    fn open(&mut self, theirs: Handshake, local: &Local, offer: Offer, now: Duration) {
        self.theirs.fast = theirs.fast;
        if theirs.fast && offer.have.none() {
            message::write(&mut self.output, id::HAVE_NONE, &[]);
        } else if theirs.fast && offer.have.all() {
            message::write(&mut self.output, id::HAVE_ALL, &[]);
        } else if !offer.have.none() {
            message::write(&mut self.output, id::BITFIELD, offer.have.bytes());
        }
        if theirs.extended {
            extended::write_handshake(&mut self.output, local, &offer, self.theirs.ip);
        }
        let told_upload_only = extended::is_upload_only(&offer);
        self.stage = Stage::Talking(Talk { told: Arc::clone(&offer.have), offer, tell_from: None, told_upload_only });
        self.asked = now;
    }
}

impl Talk {
    /// Appends what the peer has not been told, as much as the output holds: a `have` for a new piece, a `donthave` for
    /// one that is no longer good, to a peer that understands it.
    fn tell(&mut self, theirs: &Theirs, output: &mut Vec<u8>) {
        let Some(from) = self.tell_from else { return };
        let is_upload_only = extended::is_upload_only(&self.offer);
        if !is_upload_only {
            self.tell_upload_only(false, theirs, output);
        }
        let all = if self.told == self.offer.have { from } else { self.offer.have.len() };
        for piece in from..all {
            let have = self.offer.have.get(piece);
            if have == self.told.get(piece) || (!have && theirs.lt_donthave.is_none()) {
                continue;
            }
            if output.len() >= OUTPUT_BYTES_MAX {
                self.tell_from = Some(piece);
                return;
            }
            Arc::make_mut(&mut self.told).put(piece, have);
            match theirs.lt_donthave {
                Some(number) if !have => extended::write_dont_have(output, number, piece),
                _ => message::write(output, id::HAVE, &piece.to_be_bytes()),
            }
        }
        self.tell_from = None;
        if is_upload_only {
            self.tell_upload_only(true, theirs, output);
        }
    }

    fn tell_upload_only(&mut self, is_upload_only: bool, theirs: &Theirs, output: &mut Vec<u8>) {
        if let Some(number) = theirs.upload_only.filter(|_| self.told_upload_only != is_upload_only) {
            extended::write_upload_only(output, number, is_upload_only);
            self.told_upload_only = is_upload_only;
        }
    }
}
