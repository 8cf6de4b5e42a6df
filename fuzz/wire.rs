//! A conversation with a peer that says anything at all, held by a shell that does anything a shell may do.
//!
//! What must hold: nothing panics; what waits in memory is bounded; no block leaves that is not one of the torrent's, of a
//! piece that is good; a request is answered once at most; what we say is well-formed; and all is the same however the
//! peer's bytes are split.

#![no_main]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use everseed_fuzz::id::{InfoHash, PeerId};
use everseed_fuzz::units::PieceLength;
use everseed_fuzz::wire::{
    BLOCK_BYTES_MAX, Bitfield, Block, Close, Connection, HANDSHAKE_BYTES, Handshake, Local, OUTPUT_BYTES_MAX, Offer,
    PARTIAL_BYTES_MAX, Pieces, REQUESTS_MAX,
};
use libfuzzer_sys::fuzz_target;

/// The torrent's hashes: of v1, and of v2 truncated.
const HASH: InfoHash = InfoHash([7; 20]);
const V2: InfoHash = InfoHash([2; 20]);
/// Its pieces, and how long those are that do not end a file.
const PIECES: u32 = 5;
const PIECE: u32 = 256 * 1024;
/// The most that a reply has: as many hashes as an answer may hold, which is more than a piece of metadata.
const REPLY_BYTES_MAX: usize = 5 + 48 + 32 * (512 + 50);
/// The bytes of a reject.
const REJECT_BYTES: usize = 17;

fuzz_target!(|data: &[u8]| {
    let whole = Shell::run(data, false);
    let split = Shell::run(data, true);
    assert_eq!(whole, split, "it depends on how the bytes are split");
});

/// What is left to be interpreted of the fuzzer's bytes.
struct Data<'a>(&'a [u8]);

impl<'a> Data<'a> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    fn number(&mut self) -> u32 {
        u32::from_be_bytes([0, self.byte(), self.byte(), self.byte()])
    }

    /// A number near those at which something ends, or any.
    fn edge(&mut self) -> u32 {
        const EDGES: [u32; 8] = [0, 5, 7, 16384, BLOCK_BYTES_MAX, PIECE - 16384, PIECE, u32::MAX];
        let how = self.byte();
        match EDGES.get(usize::from(how % 16)) {
            Some(edge) => edge.wrapping_add((how >> 4 & 3).into()).wrapping_sub(2),
            None => self.number(),
        }
    }
}

/// All that came of a conversation.
#[derive(Debug, Default, PartialEq, Eq)]
struct Transcript {
    said: Vec<u8>,
    blocks: Vec<Block>,
    told: Vec<bool>,
    closed: Option<Close>,
}

struct Shell {
    connection: Connection,
    offer: Offer,
    inbox: Vec<u8>,
    /// What the conversation has taken of the peer's bytes.
    heard: Heard,
    taken: VecDeque<Block>,
    transcript: Transcript,
    now: Duration,
    split: bool,
}

/// The peer's bytes, read once more by plainer means: how many requests are in them.
#[derive(Default)]
struct Heard {
    greeted: bool,
    bytes: Vec<u8>,
    requests: usize,
}

impl Shell {
    fn run(data: &[u8], split: bool) -> Transcript {
        let mut data = Data(data);
        let how = data.byte();
        let offer = offer(how, data.byte());
        let local = local();
        let now = Duration::from_secs(1000);
        let connection = if how & 1 == 0 {
            Connection::new(now)
        } else {
            Connection::dial(&local, if how & 2 == 0 { HASH } else { V2 }, offer.clone(), now)
        };
        let mut shell = Self {
            connection: connection.with_peer_at([192, 0, 2, how].into()),
            offer,
            inbox: Vec::new(),
            heard: Heard::default(),
            taken: VecDeque::new(),
            transcript: Transcript::default(),
            now,
            split,
        };
        if let Err(close) = shell.converse(&mut data) {
            shell.transcript.closed = Some(close);
        }
        shell.transcript
    }

    fn converse(&mut self, data: &mut Data) -> Result<(), Close> {
        let greeting = data.byte();
        if greeting & 1 == 0 {
            // Most conversations begin as they should.
            let handshake = Handshake {
                extended: greeting & 2 != 0,
                fast: greeting & 4 != 0,
                v2: greeting & 8 != 0,
                info_hash: if greeting & 16 == 0 { HASH } else { V2 },
                peer_id: PeerId([b'p'; 20]),
            };
            let mut bytes = Vec::new();
            handshake.write(&mut bytes);
            self.hear(&bytes)?;
        }
        if greeting & 32 != 0 {
            self.hear(&message(20, b"\0d1:md11:lt_donthavei7e11:upload_onlyi3e11:ut_metadatai3e6:ut_pexi1eee"))?;
        }
        while !data.0.is_empty() {
            self.act(data)?;
        }
        self.take_output();
        Ok(())
    }

    fn act(&mut self, data: &mut Data) -> Result<(), Close> {
        let action = data.byte();
        match action % 16 {
            0 | 1 => {
                let count = data.byte().into();
                self.hear(data.bytes(count))?;
            }
            2 | 3 => {
                let (number, count) = (data.byte(), data.byte());
                self.hear(&message(number, data.bytes((count % 64).into())))?;
            }
            4 | 5 | 6 => {
                let number = if action & 16 == 0 { 6 } else { 8 };
                let (piece, bytes) = (u32::from(data.byte() % 8), data.edge());
                let begin = if action & 32 == 0 {
                    // Up to the end of the piece, or a byte further.
                    let size = self.offer.pieces.bytes_of(piece).unwrap_or(PIECE);
                    size.wrapping_sub(bytes).wrapping_add((action >> 6 & 1).into())
                } else {
                    data.edge()
                };
                let block = [piece, begin, bytes].map(u32::to_be_bytes);
                let repeated = if action & 0xc0 == 0xc0 { 200 } else { 1 };
                self.hear(&message(number, block.as_flattened()).repeat(repeated))?;
            }
            7 => {
                let numbers = [data.byte().into(), data.edge(), data.edge(), data.byte().into()];
                let body = [&[b'r'; 32][..], numbers.map(u32::to_be_bytes).as_flattened()].concat();
                self.hear(&message(21, &body).repeat(usize::from(action / 16) + 1))?;
            }
            8 => {
                self.offer.have = have(data.byte());
                let result = self.connection.offer_now(Arc::clone(&self.offer.have));
                if self.connection.is_open() {
                    result?;
                }
            }
            9 => {
                let mut out = Vec::new();
                let was_there = self.connection.take_handshake(&mut out, self.now);
                assert_eq!(out.len(), if was_there { HANDSHAKE_BYTES } else { 0 });
                self.transcript.said.append(&mut out);
            }
            10 => self.take_output(),
            11 => self.take_blocks(data.number()),
            12 => {
                let bad: Vec<_> = self.taken.drain(..).collect();
                self.connection.reject(&bad)?;
            }
            13 => {
                if let Some(request) = self.connection.take_hash_request() {
                    assert!((1..=512).contains(&request.length) && self.offer.v2.is_some());
                    assert_eq!(self.connection.take_hash_request(), None, "one at a time");
                    let count = (request.length + request.uncles()) as usize;
                    let hashes = vec![[action; 32]; count];
                    self.connection.answer_hashes(&request, (action & 16 == 0).then_some(&hashes[..]));
                }
            }
            14 => {
                let peers: Vec<_> =
                    (0..data.byte()).map(|n| SocketAddr::from(([192, 0, 2, n], data.byte().into()))).collect();
                let told = self.connection.tell_peers(&peers, &peers, self.now);
                assert!(!told || self.offer.pex);
                self.transcript.told.push(told);
            }
            _ => {
                self.now += Duration::from_secs(data.byte().into());
                assert!(self.connection.deadline() <= self.now + Duration::from_secs(15 * 60));
                self.connection.tick(self.now)?;
                if self.connection.is_open() {
                    assert!(self.connection.deadline() > self.now, "it would be waited for in vain");
                }
            }
        }
        // There may be room again for what was left lying.
        self.work()
    }

    /// Reads from the socket, if the conversation wants it.
    fn hear(&mut self, bytes: &[u8]) -> Result<(), Close> {
        if !self.connection.wants_input() {
            return Ok(());
        }
        if self.split {
            for &byte in bytes {
                self.inbox.push(byte);
                self.work()?;
            }
        } else {
            self.inbox.extend_from_slice(bytes);
        }
        self.work()
    }

    fn work(&mut self) -> Result<(), Close> {
        loop {
            let done = self.connection.receive(&self.inbox, self.now)?;
            self.heard.hear(&self.inbox[..done]);
            self.inbox.drain(..done);
            match self.connection.asks_for() {
                Some(HASH | V2) => self.connection.accept(&local(), self.offer.clone(), self.now)?,
                Some(_) => return Err(Close::OtherTorrent),
                None if done == 0 => break,
                None => {}
            }
        }
        assert!(self.inbox.len() < PARTIAL_BYTES_MAX || !self.connection.wants_input());
        Ok(())
    }

    fn take_output(&mut self) {
        let mut out = Vec::new();
        self.connection.take_output(&mut out, self.now);
        let most = OUTPUT_BYTES_MAX + REPLY_BYTES_MAX + 2 * REQUESTS_MAX * REJECT_BYTES;
        assert!(out.len() <= most, "{} bytes wait", out.len());
        while let Some(piece) = self.connection.take_metadata(self.now) {
            piece.write(&mut out);
        }
        self.transcript.said.append(&mut out);
        self.check_answers();
    }

    fn take_blocks(&mut self, bytes_max: u32) {
        let blocks = self.connection.take_blocks(bytes_max, self.now);
        assert!(blocks.len() <= REQUESTS_MAX);
        let sum: u64 = blocks.iter().map(|block| u64::from(block.bytes)).sum();
        assert!(sum <= bytes_max.into() || blocks.len() == 1);
        for block in &blocks {
            let (bytes, end) = (self.offer.pieces.bytes_of(block.piece), self.offer.pieces.end_of(block.piece));
            let (bytes, end) = bytes.zip(end).expect("one of the torrent's pieces");
            assert!(self.offer.have.get(block.piece), "a bad piece");
            assert!((1..=BLOCK_BYTES_MAX).contains(&block.bytes));
            assert!(block.begin < bytes && u64::from(block.begin) + u64::from(block.bytes) <= end.into());
        }
        self.taken = blocks.iter().copied().collect();
        self.transcript.blocks.extend(blocks);
        self.check_answers();
    }

    /// What was said so far is what a peer understands, and there are no more rejects and blocks than requests. A block
    /// that turns out bad is taken and rejected: that counts once.
    fn check_answers(&self) {
        let said = &self.transcript.said;
        if said.is_empty() {
            return;
        }
        assert!(Handshake::parse(said).expect("a handshake").is_some());
        let mut rest = &said[HANDSHAKE_BYTES..];
        let mut rejects = 0;
        while let Some((&length, after)) = rest.split_first_chunk::<4>() {
            let (body, behind) = after.split_at(u32::from_be_bytes(length) as usize);
            match (body.first(), body.len()) {
                (None, _) | (Some(1 | 14 | 15), 1) | (Some(4), 5) | (Some(5), 2) | (Some(20 | 22), 2..) => {}
                (Some(23), 49) => {}
                (Some(16), 13) => rejects += 1,
                other => panic!("{other:?} is said"),
            }
            rest = behind;
        }
        assert!(rest.is_empty(), "part of a message is said");
        assert!(rejects <= self.heard.requests && self.transcript.blocks.len() <= self.heard.requests);
    }
}

impl Heard {
    fn hear(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        if !self.greeted && self.bytes.len() >= HANDSHAKE_BYTES {
            self.bytes.drain(..HANDSHAKE_BYTES);
            self.greeted = true;
        }
        while self.greeted {
            let Some((&length, after)) = self.bytes.split_first_chunk::<4>() else { return };
            let length = u32::from_be_bytes(length) as usize;
            if after.len() < length {
                return;
            }
            self.requests += usize::from(after[..length].first() == Some(&6));
            self.bytes.drain(..4 + length);
        }
    }
}

fn local() -> Local {
    Local { peer_id: PeerId(*b"-ES0100-abcdefghijkl"), port: 6881, client: "everseed".into() }
}

/// A torrent of five pieces, of one of two shapes.
fn offer(how: u8, good: u8) -> Offer {
    let length = PieceLength::new(PIECE.into()).expect("a power of two");
    let bytes = 4 * u64::from(PIECE) + 5;
    Offer {
        pieces: if how & 4 == 0 {
            Pieces::of_stream(length, bytes)
        } else {
            Pieces::of_files(length, [7, 0, bytes - u64::from(PIECE)])
        },
        have: have(good),
        metadata: (how & 8 == 0).then(|| vec![b'm'; 40_000].into()),
        v2: (how & 16 == 0).then_some(V2),
        pex: how & 32 == 0,
    }
}

/// The pieces whose bits are not set: most are good.
fn have(bad: u8) -> Arc<Bitfield> {
    let mut have = Bitfield::full(PIECES);
    (0..PIECES).filter(|piece| bad >> piece & 1 == 1).for_each(|piece| have.put(piece, false));
    Arc::new(have)
}

fn message(number: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(1 + body.len()).expect("it is short");
    [&length.to_be_bytes()[..], &[number], body].concat()
}
