//! What a peer with the fast extension (BEP 6) or `lt_donthave` (BEP 54) is told that others are not.

use super::*;

/// A peer with BEP 6 that has shaken hands.
fn fast() -> Peer {
    Peer::new().greeted(&modern_hello())
}

fn rejected(piece: u32, begin: u32, bytes: u32) -> Vec<u8> {
    block(id::REJECT, piece, begin, bytes)
}

fn gone(piece: u32) -> Vec<u8> {
    message(id::EXTENDED, &[&[7][..], &piece.to_be_bytes()].concat())
}

fn have(pieces: &[u32]) -> Arc<Bitfield> {
    offer(pieces, false).have
}

#[test]
fn what_there_is_to_have_is_said_in_the_shortest_way() {
    let first_of = |pieces: &[u32]| {
        let mut peer = Peer::to_be_offered(offer(pieces, false));
        peer.say(&modern_hello()).expect("a handshake");
        let heard = peer.hear();
        heard[HELLO..].split_at(usize::from(heard[HELLO + 3]) + 4).0.to_vec()
    };
    assert_eq!(first_of(&[0, 1, 2]), message(id::HAVE_ALL, &[]));
    assert_eq!(first_of(&[]), message(id::HAVE_NONE, &[]));
    assert_eq!(first_of(&[1]), message(id::BITFIELD, &[0x40]));
}

#[test]
fn a_request_is_answered_once_by_a_block_or_a_reject() {
    let mut peer = fast();
    peer.say(&[request(0, 0, 16384), request(0, 0, 16384), request(1, 0, 16384), request(0, 7, 1)].concat())
        .expect("requests");
    assert_eq!(peer.connection.take_blocks(1, START).len(), 1, "the first one is on its way");
    peer.hear();
    let cancel = |piece, begin, bytes| block(id::CANCEL, piece, begin, bytes);
    peer.say(&[cancel(0, 0, 16384), cancel(1, 0, 16384), cancel(1, 0, 16384), cancel(2, 0, 1)].concat())
        .expect("cancels");
    assert_eq!(peer.hear(), [rejected(0, 0, 16384), rejected(1, 0, 16384)].concat());
    assert_eq!(peer.blocks(), [Block { piece: 0, begin: 7, bytes: 1 }]);
}

#[test]
fn a_conversation_with_rejects_means_the_same_wherever_it_is_split() {
    let said = [
        modern_hello(),
        understands("11:ut_metadatai3e"),
        message(id::HAVE_NONE, &[]),
        message(id::INTERESTED, &[]),
        request(0, 0, 16384),
        request(0, 0, 16384),
        message(17, &[0; 4]),
        block(id::CANCEL, 0, 0, 16384),
        message(id::HASH_REQUEST, &[0; 48]),
        request(1, 1, 1),
        message(20, b"\x01d8:msg_typei0e5:piecei0ee"),
    ]
    .concat();
    let (heard, blocks) = means_the_same_wherever_it_is_split(&said);
    let expected = [
        message(id::UNCHOKE, &[]),
        rejected(0, 0, 16384).repeat(2),
        message(id::HASH_REJECT, &[0; 48]),
        message(20, b"\x03d8:msg_typei1e5:piecei0e10:total_sizei11eed4:name1:ae"),
    ]
    .concat();
    assert!(heard.ends_with(&expected), "{}", heard.escape_ascii());
    assert_eq!(blocks, [Block { piece: 1, begin: 1, bytes: 1 }]);
}

#[test]
fn what_cannot_be_sent_is_rejected_and_what_does_not_exist_ends_the_conversation() {
    let mut peer = Peer::to_be_offered(offer(&[0], false)).greeted(&modern_hello());
    peer.say(&[request(1, 5, 9), request(0, 0, BLOCK_BYTES_MAX + 1)].concat()).expect("requests");
    assert_eq!(peer.hear(), [rejected(1, 5, 9), rejected(0, 0, BLOCK_BYTES_MAX + 1)].concat());
    assert_eq!(peer.blocks(), []);
    assert_eq!(peer.say(&request(2, 0, 6)), Err(Close::OutOfRange));
}

#[test]
fn blocks_that_turn_out_bad_are_rejected_by_who_took_them() {
    let mut peer = fast();
    peer.say(&[request(0, 0, 5), request(1, 0, 5)].concat()).expect("requests");
    peer.hear();
    let blocks = peer.blocks();
    assert_eq!(peer.connection.reject(&blocks), Ok(()));
    assert_eq!(peer.hear(), [rejected(0, 0, 5), rejected(1, 0, 5)].concat());
    let mut peer = Peer::talking();
    assert_eq!(peer.connection.reject(&[]), Ok(()));
    assert_eq!(peer.connection.reject(&blocks), Err(Close::Withdrawn));
}

#[test]
fn a_piece_found_bad_is_taken_back_before_its_requests_are_rejected() {
    let mut peer = fast();
    peer.say(&[understands("11:lt_donthavei7e"), request(1, 0, 5), request(0, 0, 5), request(1, 5, 5)].concat())
        .expect("requests");
    peer.hear();
    assert_eq!(peer.connection.offer_now(have(&[0, 2])), Ok(()));
    assert_eq!(peer.hear(), [gone(1), rejected(1, 0, 5), rejected(1, 5, 5)].concat());
    assert_eq!(peer.blocks(), [Block { piece: 0, begin: 0, bytes: 5 }]);
    peer.say(&request(1, 0, 5)).expect("it was on its way");
    assert_eq!(peer.hear(), rejected(1, 0, 5));
    peer.connection.offer_now(have(&[0, 1, 2])).expect("more than before");
    assert_eq!(peer.hear(), message(id::HAVE, &[0, 0, 0, 1]));
    peer.say(&request(1, 0, 5)).expect("offered again");
    assert_eq!(peer.blocks(), [Block { piece: 1, begin: 0, bytes: 5 }]);
}

#[test]
fn while_pieces_are_bad_nobody_is_told_that_there_will_be_no_more() {
    let upload_only = |value| message(id::EXTENDED, &[3, value]);
    let mut peer = fast();
    peer.say(&understands("11:lt_donthavei7e11:upload_onlyi3e")).expect("a handshake");
    assert_eq!(peer.hear(), b"", "the handshake has said that we are a seed");
    peer.connection.offer_now(have(&[0, 2])).expect("nothing of it is asked for");
    assert_eq!(peer.hear(), [upload_only(0), gone(1)].concat());
    peer.connection.offer_now(have(&[2])).expect("nothing of it is asked for");
    assert_eq!(peer.hear(), gone(0));
    peer.connection.offer_now(have(&[0, 2])).expect("more than before");
    assert_eq!(peer.hear(), message(id::HAVE, &[0; 4]));
    peer.connection.offer_now(have(&[0, 1, 2])).expect("more than before");
    assert_eq!(peer.hear(), [message(id::HAVE, &[0, 0, 0, 1]), upload_only(1)].concat());

    let says = |pieces: &[u32]| {
        let mut peer = Peer::to_be_offered(offer(pieces, false));
        peer.say(&modern_hello()).expect("a handshake");
        peer.hear().escape_ascii().to_string().contains("11:upload_onlyi1e")
    };
    assert!(says(&[0, 1, 2]) && !says(&[0, 1]));
}

#[test]
fn who_knows_no_rejects_but_that_pieces_may_go_is_told_that_alone() {
    let mut peer = Peer::talking();
    peer.say(&[understands("11:lt_donthavei7e"), request(1, 0, 5), request(0, 0, 5)].concat()).expect("requests");
    peer.hear();
    assert_eq!(peer.connection.offer_now(have(&[0, 2])), Ok(()));
    assert_eq!((peer.hear(), peer.blocks().len()), (gone(1), 1));
    peer.say(&request(1, 0, 5)).expect("it was on its way");
    assert_eq!((peer.hear(), peer.blocks().len()), (vec![], 0));
}

#[test]
fn who_knows_rejects_alone_is_kept_and_told_nothing_twice() {
    let mut peer = fast();
    peer.say(&request(1, 0, 5)).expect("a request");
    peer.hear();
    assert_eq!(peer.connection.offer_now(have(&[0, 2])), Ok(()));
    assert_eq!(peer.hear(), rejected(1, 0, 5));
    // It believes still that there is a piece 1, and is right again later.
    peer.connection.offer_now(have(&[0, 1, 2])).expect("more than before");
    assert_eq!(peer.hear(), b"");
    peer.connection.offer_now(have(&[0, 2])).expect("nothing of it is asked for");
    peer.say(&understands("11:lt_donthavei7e")).expect("late, but said");
    assert_eq!(peer.hear(), gone(1));
}

#[test]
fn who_asks_for_nothing_but_what_is_rejected_goes_in_the_end() {
    let mut peer = Peer::to_be_offered(offer(&[0], false)).greeted(&modern_hello());
    for _ in 0..8 {
        peer.later(110).expect("still welcome");
        peer.hear();
        peer.say(&request(1, 0, 5)).expect("a request");
        assert_eq!(peer.hear(), rejected(1, 0, 5));
    }
    assert_eq!(peer.later(110), Err(Close::Idle));
}

#[test]
fn a_seed_that_says_so_in_one_message_is_let_go_and_advice_is_passed_over() {
    let mut peer = fast();
    // Suggest piece, allowed fast, have none.
    peer.say(&[message(13, &[0; 4]), message(17, &[0; 4]), message(id::HAVE_NONE, &[])].concat()).expect("advice");
    peer.later(2).expect("a leecher");
    peer.say(&message(id::HAVE_ALL, &[])).expect("a seed");
    assert_eq!(peer.later(2), Err(Close::Useless));
}

#[test]
fn a_million_requests_that_are_rejected_wait_outside() {
    let mut peer = Peer::to_be_offered(offer(&[0], false)).greeted(&modern_hello());
    let chunk = request(1, 0, 1).repeat(240);
    let mut chunks = 0;
    while peer.connection.wants_input() {
        peer.say(&chunk).expect("requests");
        chunks += 1;
        assert!(chunks < 30);
    }
    assert!(peer.connection.output.len() < OUTPUT_BYTES_MAX + 17 && peer.inbox.len() < chunk.len());
    peer.hear();
    peer.work().expect("those that waited");
    assert!(peer.connection.wants_input());
}

#[test]
fn of_a_v2_torrent_each_file_ends_with_a_piece_of_its_own_length_whose_block_may_be_asked_for_whole() {
    let length = PieceLength::new(16384).expect("a power of two");
    let pieces = Pieces::of_files(length, [7, 16384 + 5, 16384]);
    let offer = Offer { pieces, have: Arc::new(Bitfield::full(4)), v2: Some(HASH), ..offer(&[], false) };
    let asks = |piece, begin, bytes| {
        Peer::to_be_offered(offer.clone()).greeted(&modern_hello()).say(&request(piece, begin, bytes))
    };
    for (piece, bytes) in [(0, 7), (1, 16384), (2, 5), (3, 16384)] {
        assert_eq!(asks(piece, 0, bytes), Ok(()), "{piece}");
        assert_eq!(asks(piece, 0, 16384), Ok(()), "{piece}");
        assert_eq!(asks(piece, 1, 16384), Err(Close::OutOfRange), "{piece}");
        assert_eq!(asks(piece, bytes, 1), Err(Close::OutOfRange), "{piece}");
    }
    assert_eq!(asks(4, 0, 1), Err(Close::OutOfRange));
}

#[test]
fn a_handshake_that_is_said_again_asks_for_nothing_to_be_told_again() {
    let mut peer = fast();
    let is_to_be_told =
        |peer: &Peer| matches!(&peer.connection.stage, Stage::Talking(talk) if talk.tell_from.is_some());
    for (said, is_new) in [("11:lt_donthavei7e", true), ("11:lt_donthavei7e", false), ("11:upload_onlyi3e", true)] {
        peer.say(&understands(said)).expect("a handshake");
        assert_eq!(is_to_be_told(&peer), is_new, "{said}");
        assert_eq!((peer.hear(), is_to_be_told(&peer)), (Vec::new(), false));
    }
}
