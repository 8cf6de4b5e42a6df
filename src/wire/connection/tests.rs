//! Conversations, stepped byte by byte with a moment that the test sets.

mod dial;
mod fast;
mod hashes;
mod pex;

use proptest::prelude::*;

use super::*;
use crate::units::PieceLength;
use crate::wire::{BLOCK_BYTES_MAX, METADATA_COPIES_MAX, PARTIAL_BYTES_MAX, Pieces};

const SECOND: Duration = Duration::from_secs(1);
const START: Duration = Duration::from_secs(1000);
const HASH: InfoHash = InfoHash([7; 20]);
/// The bytes of a peer's handshake, whole.
const HELLO: usize = HANDSHAKE_BYTES;

/// A conversation with the bytes that wait before it, as a shell holds them.
struct Peer {
    connection: Connection,
    offer: Offer,
    inbox: Vec<u8>,
    now: Duration,
}

impl Peer {
    /// A peer that has said nothing, and may ask for a torrent of three pieces, the last of 5 bytes.
    fn new() -> Self {
        Self::to_be_offered(offer(&[0, 1, 2], false))
    }

    fn to_be_offered(offer: Offer) -> Self {
        Self { connection: Connection::new(START), offer, inbox: Vec::new(), now: START }
    }

    /// A peer that has shaken hands over that torrent, without knowing BEP 6.
    fn talking() -> Self {
        Self::new().greeted(&hello(true))
    }

    fn greeted(mut self, hello: &[u8]) -> Self {
        self.say(hello).expect("a handshake");
        self.hear();
        self
    }

    fn say(&mut self, bytes: &[u8]) -> Result<(), Close> {
        self.inbox.extend_from_slice(bytes);
        self.work()
    }

    fn work(&mut self) -> Result<(), Close> {
        loop {
            let done = self.connection.receive(&self.inbox, self.now)?;
            self.inbox.drain(..done);
            if self.connection.asks_for() == Some(HASH) {
                self.connection.accept(&local(), self.offer.clone(), self.now)?;
            } else if done == 0 {
                return Ok(());
            }
        }
    }

    fn hear(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.connection.take_output(&mut out, self.now);
        while let Some(piece) = self.connection.take_metadata(self.now) {
            piece.write(&mut out);
        }
        out
    }

    fn blocks(&mut self) -> Vec<Block> {
        self.connection.take_blocks(u32::MAX, self.now)
    }

    fn later(&mut self, secs: u64) -> Result<(), Close> {
        self.now += SECOND * u32::try_from(secs).expect("few seconds");
        self.connection.tick(self.now)
    }
}

fn local() -> Local {
    Local { peer_id: PeerId(*b"-ES0100-abcdefghijkl"), port: 6881, client: "everseed test".into() }
}

fn offer(have: &[u32], private: bool) -> Offer {
    let mut bits = Bitfield::empty(3);
    have.iter().for_each(|&piece| bits.put(piece, true));
    Offer {
        pieces: Pieces::of_stream(PieceLength::new(256 * 1024).expect("a power of two"), 2 * 256 * 1024 + 5),
        have: Arc::new(bits),
        metadata: (!private).then(|| Arc::from(&b"d4:name1:ae"[..])),
        v2: None,
        pex: false,
    }
}

fn hello(extended: bool) -> Vec<u8> {
    greeting(Handshake { extended, fast: false, v2: false, info_hash: HASH, peer_id: PeerId([b'p'; 20]) })
}

/// The handshake of a peer that knows all that there is.
fn modern_hello() -> Vec<u8> {
    greeting(Handshake { extended: true, fast: true, v2: true, info_hash: HASH, peer_id: PeerId([b'p'; 20]) })
}

fn greeting(handshake: Handshake) -> Vec<u8> {
    let mut out = Vec::new();
    handshake.write(&mut out);
    out
}

/// An extended handshake that says no more than `m`.
fn understands(m: &str) -> Vec<u8> {
    message(id::EXTENDED, format!("\0d1:md{m}ee").as_bytes())
}

fn message(id: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    message::write(&mut out, id, body);
    out
}

fn block(id: u8, piece: u32, begin: u32, bytes: u32) -> Vec<u8> {
    message(id, &[piece.to_be_bytes(), begin.to_be_bytes(), bytes.to_be_bytes()].concat())
}

fn request(piece: u32, begin: u32, bytes: u32) -> Vec<u8> {
    block(id::REQUEST, piece, begin, bytes)
}

#[test]
fn a_handshake_is_answered_with_handshake_bitfield_and_extensions_in_this_order() {
    let mut peer = Peer::new();
    peer.say(&hello(true)).expect("a handshake");
    let answer = peer.hear();
    let expected = [
        &b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x04"[..],
        &[7; 20],
        b"-ES0100-abcdefghijkl",
        b"\0\0\0\x02\x05\xe0",
        b"\0\0\0\x66\x14\x00",
        b"d1:md11:ut_metadatai1ee13:metadata_sizei11e1:pi6881e4:reqqi512e11:upload_onlyi1e1:v13:everseed teste",
    ]
    .concat();
    assert_eq!(answer.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn who_does_not_know_extensions_hears_none_and_who_can_have_nothing_gets_no_bitfield() {
    let mut connection = Connection::new(START);
    assert_eq!(connection.receive(&hello(false), START), Ok(HELLO));
    connection.accept(&local(), offer(&[], false), START).expect("accepted");
    let mut out = Vec::new();
    connection.take_output(&mut out, START);
    assert_eq!(out.len(), HELLO);
}

#[test]
fn a_conversation_means_the_same_wherever_it_is_split() {
    let said = [
        hello(true),
        message(20, b"\x00d1:md11:ut_metadatai3eee"),
        message(id::BITFIELD, &[0x80]),
        message(id::INTERESTED, &[]),
        vec![0; 4],
        request(0, 0, 16384),
        message(99, b"of the future"),
        request(1, 1, 1),
        request(2, 4, 1),
        block(id::CANCEL, 0, 0, 16384),
        message(20, b"\x01d8:msg_typei0e5:piecei0ee"),
        message(id::HAVE, &[0, 0, 0, 1]),
    ]
    .concat();
    let (heard, blocks) = means_the_same_wherever_it_is_split(&said);
    assert!(heard.ends_with(b"\x14\x03d8:msg_typei1e5:piecei0e10:total_sizei11eed4:name1:ae"));
    let unchoke = b"\0\0\0\x01\x01";
    assert!(heard.windows(5).any(|window| window == unchoke));
    assert_eq!(blocks, [Block { piece: 1, begin: 1, bytes: 1 }, Block { piece: 2, begin: 4, bytes: 1 }]);
}

/// What is heard from us, and the blocks we are asked for, after `said`: whole, in two parts, and byte by byte.
fn means_the_same_wherever_it_is_split(said: &[u8]) -> (Vec<u8>, Vec<Block>) {
    let mut whole = Peer::new();
    whole.say(said).expect("a conversation");
    let (heard, blocks) = (whole.hear(), whole.blocks());
    for split in 0..=said.len() {
        let mut peer = Peer::new();
        peer.say(&said[..split]).expect("its first part");
        peer.say(&said[split..]).expect("its second part");
        assert_eq!((peer.hear(), peer.blocks()), (heard.clone(), blocks.clone()), "split at {split}");
    }
    let mut peer = Peer::new();
    said.iter().for_each(|&byte| peer.say(&[byte]).expect("one byte"));
    assert_eq!((peer.hear(), peer.blocks()), (heard.clone(), blocks.clone()));
    (heard, blocks)
}

#[test]
fn odd_requests_are_answered_and_impossible_ones_end_the_conversation() {
    let piece = 256 * 1024;
    for (index, begin, bytes) in
        [(0, 0, 1), (0, 5, 777), (1, piece - 1, 1), (0, 0, BLOCK_BYTES_MAX), (0, 1, 32768), (2, 0, 5)]
    {
        let mut peer = Peer::talking();
        peer.say(&request(index, begin, bytes)).expect("an odd request");
        assert_eq!(peer.blocks(), [Block { piece: index, begin, bytes }]);
    }
    for (index, begin, bytes, close) in [
        (0, 0, 0, Close::OutOfRange),
        (0, piece - 1, 2, Close::OutOfRange),
        (2, 0, 6, Close::OutOfRange),
        (3, 0, 1, Close::OutOfRange),
        (u32::MAX, 0, 1, Close::OutOfRange),
        (0, u32::MAX, u32::MAX, Close::OutOfRange),
        (0, 0, BLOCK_BYTES_MAX + 1, Close::BlockTooLarge),
    ] {
        assert_eq!(Peer::talking().say(&request(index, begin, bytes)), Err(close), "{index} {begin} {bytes}");
    }
}

#[test]
fn what_no_leecher_sends_ends_the_conversation() {
    assert_eq!(Peer::new().say(b"GET / HTTP/1.1\r\n"), Err(Close::NotBitTorrent));
    assert_eq!(Peer::talking().say(&u32::MAX.to_be_bytes()), Err(Close::MessageTooLong));
    assert_eq!(Peer::talking().say(&message(id::REQUEST, &[0; 11])), Err(Close::Malformed));
    assert_eq!(Peer::talking().say(&message(id::PIECE, &[0; 9])), Err(Close::Malformed));
    let mut own = Vec::new();
    Handshake { extended: true, fast: false, v2: false, info_hash: HASH, peer_id: local().peer_id }.write(&mut own);
    assert_eq!(Peer::new().say(&own), Err(Close::Ourselves));
}

#[test]
fn a_hundred_thousand_requests_wait_outside() {
    let mut peer = Peer::talking();
    let mut sent = 0;
    // A shell reads while it is wanted, 4 KiB at a time.
    while peer.connection.wants_input() {
        let chunk: Vec<u8> = (0..240).flat_map(|n| request(0, sent + n, 1)).collect();
        peer.say(&chunk).expect("requests");
        sent += 240;
    }
    assert_eq!(peer.connection.requests.len(), REQUESTS_MAX);
    assert!(sent < 800 && peer.inbox.len() < 240 * 17);
    assert_eq!(peer.connection.take_blocks(100, peer.now).len(), 100);
    peer.work().expect("those that waited");
    assert_eq!(peer.connection.requests.len(), REQUESTS_MAX);
    assert_eq!(peer.connection.requests.front().map(|block| block.begin), Some(100));
}

#[test]
fn requests_for_metadata_without_reading_wait_outside_too() {
    let mut peer = Peer::talking();
    peer.say(&message(20, b"\x00d1:md11:ut_metadatai3eee")).expect("a handshake");
    let asked = message(20, b"\x01d8:msg_typei0e5:piecei0ee");
    let copies = usize::try_from(METADATA_COPIES_MAX).expect("few");
    peer.say(&asked.repeat(copies + 10_000)).expect("requests");
    assert!(!peer.connection.wants_input() && !peer.inbox.is_empty(), "rejects are replies");
    let said = peer.hear();
    assert!(said.len() < OUTPUT_BYTES_MAX + 17_000);
    let given = message(20, b"\x03d8:msg_typei1e5:piecei0e10:total_sizei11eed4:name1:ae").repeat(copies);
    assert!(said.ends_with(&given));
}

#[test]
fn metadata_wait_as_requests_and_are_sent_one_piece_at_a_time() {
    let metadata = vec![b'x'; 40 * 16384 + 5];
    let mut peer = Peer::to_be_offered(Offer { metadata: Some(metadata.into()), ..offer(&[0], false) });
    peer = peer.greeted(&hello(true));
    peer.say(&message(20, b"\x00d1:md11:ut_metadatai3eee")).expect("a handshake");
    let asked = |piece: u32| message(20, format!("\x01d8:msg_typei0e5:piecei{piece}ee").as_bytes());
    let all = (0..41).flat_map(asked).collect::<Vec<_>>();
    peer.say(&all.repeat(3)).expect("requests");
    assert_eq!(peer.connection.metadata_requests.len(), METADATA_REQUESTS_MAX);
    assert!(!peer.connection.wants_input() && peer.connection.output.is_empty(), "nothing is written yet");
    let sizes: Vec<_> = std::iter::from_fn(|| {
        let piece = peer.connection.take_metadata(peer.now)?;
        peer.work().expect("those that waited");
        Some(piece.bytes())
    })
    .collect();
    assert_eq!((sizes.len(), sizes[0], sizes[40], sizes[122]), (123, 16384, 5, 5));
    peer.say(&all.repeat(2)).expect("requests");
    assert_eq!(peer.connection.metadata_requests.len(), 41, "once more, and then it is told that it has them");
}

#[test]
fn one_batch_holds_what_fits_and_at_least_one_block() {
    let mut peer = Peer::talking();
    [request(0, 0, 100), request(0, 100, 100), request(0, 200, 100)].iter().for_each(|m| peer.say(m).expect("asked"));
    assert_eq!(peer.connection.take_blocks(250, peer.now).len(), 2);
    assert_eq!(peer.connection.take_blocks(10, peer.now).len(), 1);
    assert_eq!(peer.connection.take_blocks(10, peer.now), []);
}

#[test]
fn a_private_torrent_keeps_its_metadata() {
    let mut connection = Connection::new(START);
    connection.receive(&hello(true), START).expect("a handshake");
    connection.accept(&local(), offer(&[0], true), START).expect("accepted");
    connection.receive(&message(20, b"\x00d1:md11:ut_metadatai3eee"), START).expect("a handshake");
    let mut out = Vec::new();
    connection.take_output(&mut out, START);
    assert!(!out.escape_ascii().to_string().contains("metadata"));
    connection.receive(&message(20, b"\x01d8:msg_typei0e5:piecei0ee"), START).expect("a request");
    out.clear();
    connection.take_output(&mut out, START);
    assert_eq!(out[4..], *b"\x14\x03d8:msg_typei2e5:piecei0ee");
}

#[test]
fn a_piece_found_bad_is_no_longer_sent_and_one_restored_is_announced() {
    let mut peer = Peer::talking();
    peer.connection.offer_now(offer(&[0, 2], false).have).expect("nothing of it was asked for");
    assert!(peer.hear().is_empty());
    assert_eq!(peer.say(&request(1, 0, 1)), Err(Close::Withdrawn));

    let mut peer = Peer::talking();
    peer.say(&request(1, 0, 1)).expect("offered");
    assert_eq!(peer.connection.offer_now(offer(&[0], false).have), Err(Close::Withdrawn));

    let mut connection = Connection::new(START);
    connection.receive(&hello(false), START).expect("a handshake");
    connection.accept(&local(), offer(&[0], false), START).expect("accepted");
    assert_eq!(connection.receive(&request(1, 0, 1), START), Ok(17), "never offered, so left unanswered");
    assert_eq!(connection.take_blocks(100, START), []);
    let mut out = Vec::new();
    connection.take_output(&mut out, START);
    out.clear();
    connection.offer_now(offer(&[0, 1, 2], false).have).expect("more than before");
    connection.take_output(&mut out, START);
    assert_eq!(out, [message(id::HAVE, &[0, 0, 0, 1]), message(id::HAVE, &[0, 0, 0, 2])].concat());
    connection.receive(&request(1, 0, 1), START).expect("offered now");
    assert_eq!(connection.take_blocks(100, START).len(), 1);
}

#[test]
fn millions_of_restored_pieces_are_announced_in_bounded_portions() {
    let pieces = 100_000;
    let mut connection = Connection::new(START);
    connection.receive(&hello(false), START).expect("a handshake");
    let length = PieceLength::new(16384).expect("a power of two");
    let offer = Offer {
        pieces: Pieces::of_stream(length, u64::from(pieces) * 16384),
        have: Arc::new(Bitfield::empty(pieces)),
        metadata: None,
        v2: None,
        pex: false,
    };
    connection.accept(&local(), offer, START).expect("accepted");
    connection.offer_now(Arc::new(Bitfield::full(pieces))).expect("more than before");
    let mut heard = 0;
    loop {
        let mut out = Vec::new();
        connection.take_output(&mut out, START);
        assert!(out.len() < OUTPUT_BYTES_MAX + HELLO + 9);
        if out.is_empty() {
            break;
        }
        heard += out.len();
    }
    assert_eq!(heard, HELLO + 9 * pieces as usize);
}

#[test]
fn two_minutes_of_silence_are_survived_and_five_are_not() {
    let mut peer = Peer::talking();
    peer.later(130).expect("silence is normal");
    assert_eq!(peer.hear(), [0; 4], "a keep-alive of ours");
    peer.say(&[0; 4]).expect("a keep-alive");
    peer.later(130).expect("silence is normal");
    assert_eq!(peer.later(120), Err(Close::Silent));
}

#[test]
fn who_is_not_read_from_is_not_silent() {
    let mut peer = Peer::talking();
    (0..600).for_each(|n| peer.say(&request(0, n, 1)).expect("a request"));
    peer.hear();
    for _ in 0..8 {
        peer.later(110).expect("it waits for its turn");
        assert_eq!(peer.hear(), [0; 4], "a keep-alive of ours");
    }
    assert_eq!(peer.blocks().len(), REQUESTS_MAX);
    peer.later(110).expect("its time begins anew");
}

#[test]
fn who_takes_its_blocks_slowly_need_not_say_anything() {
    let mut peer = Peer::talking();
    (0..20).for_each(|n| peer.say(&request(0, n, 1)).expect("a request"));
    for _ in 0..20 {
        peer.later(200).expect("it takes a block now and then");
        assert_eq!(peer.connection.take_blocks(1, peer.now).len(), 1);
    }
    assert_eq!(peer.later(300), Err(Close::Silent));
}

#[test]
fn who_only_keeps_alive_goes_in_the_end() {
    let mut peer = Peer::talking();
    for _ in 0..8 {
        peer.later(110).expect("still welcome");
        peer.say(&[0; 4]).expect("a keep-alive");
    }
    assert_eq!(peer.later(110), Err(Close::Idle));
}

#[test]
fn a_handshake_has_its_time() {
    let mut peer = Peer::new();
    peer.say(&hello(true)[..HELLO - 1]).expect("its beginning");
    assert_eq!(peer.connection.deadline(), START + HANDSHAKE_WITHIN);
    peer.later(19).expect("in time");
    assert_eq!(peer.later(1), Err(Close::HandshakeLate));
}

#[test]
fn a_seed_is_let_go_unless_it_asks_for_something() {
    for said in [message(id::BITFIELD, &[0xe0]), message(20, b"\x00d11:upload_onlyi1ee")] {
        let mut peer = Peer::talking();
        peer.say(&said).expect("a seed");
        assert_eq!(peer.connection.deadline(), START + USELESS_AFTER);
        assert_eq!(peer.later(2), Err(Close::Useless));
        let mut peer = Peer::talking();
        peer.say(&said).expect("a seed");
        peer.say(&message(id::INTERESTED, &[])).expect("and yet");
        peer.later(2).expect("it is interested");
    }
    let mut peer = Peer::talking();
    peer.say(&message(id::BITFIELD, &[0xc0])).expect("a leecher");
    peer.later(2).expect("it lacks a piece");
}

proptest! {
    #[test]
    fn no_bytes_panic_and_nothing_grows(
        chunks in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..60),
                (0_u8..24, proptest::collection::vec(any::<u8>(), 0..60)).prop_map(|(id, body)| message(id, &body)),
                (0_u32..4, 0_u32..300_000, 0_u32..140_000).prop_map(|(piece, begin, n)| request(piece, begin, n)),
                Just(understands("11:lt_donthavei7e11:ut_metadatai3e6:ut_pexi1e")),
            ],
            0..40,
        ),
        is_modern: bool,
    ) {
        let mut peer = Peer::new().greeted(&if is_modern { modern_hello() } else { hello(true) });
        for chunk in chunks {
            if peer.say(&chunk).is_err() {
                break;
            }
            prop_assert!(peer.inbox.len() <= PARTIAL_BYTES_MAX || !peer.connection.wants_input());
            prop_assert!(peer.connection.requests.len() <= REQUESTS_MAX);
            prop_assert!(peer.connection.output.len() <= OUTPUT_BYTES_MAX + 17_000);
            peer.now += SECOND;
        }
    }
}
