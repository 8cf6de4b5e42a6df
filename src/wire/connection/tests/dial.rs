//! Conversations that we begin, and what both kinds say first.

use super::*;

const V2: InfoHash = InfoHash([2; 20]);

/// Our call over the torrent of three pieces, with the v2 hash of a hybrid where it has one.
fn call(v2: Option<InfoHash>) -> Connection {
    Connection::dial(&local(), HASH, Offer { v2, ..offer(&[0, 1, 2], false) }, START)
}

fn answer(info_hash: InfoHash) -> Handshake {
    Handshake { extended: false, fast: true, v2: false, info_hash, peer_id: PeerId([b'p'; 20]) }
}

fn hears(connection: &mut Connection, handshake: Handshake) -> Result<usize, Close> {
    connection.receive(&greeting(handshake), START)
}

fn output(connection: &mut Connection) -> Vec<u8> {
    let mut out = Vec::new();
    connection.take_output(&mut out, START);
    out
}

#[test]
fn who_is_called_hears_our_handshake_and_once_it_answers_what_there_is() {
    let mut connection = call(None);
    let ours = Handshake { extended: true, fast: true, v2: false, info_hash: HASH, peer_id: local().peer_id };
    assert_eq!(output(&mut connection), greeting(ours));
    assert!(!connection.is_open() && connection.peer_id().is_none() && connection.asks_for().is_none());
    let theirs = [greeting(answer(HASH)), message(id::INTERESTED, &[]), request(2, 0, 5)].concat();
    for end in 0..HELLO {
        assert_eq!(connection.receive(&theirs[..end], START), Ok(0), "{end}");
    }
    assert_eq!(connection.receive(&theirs, START), Ok(theirs.len()));
    assert!(connection.is_open());
    assert_eq!(connection.peer_id(), Some(PeerId([b'p'; 20])));
    assert_eq!(output(&mut connection), [message(id::HAVE_ALL, &[]), message(id::UNCHOKE, &[])].concat());
    assert_eq!(connection.take_blocks(100, START), [Block { piece: 2, begin: 0, bytes: 5 }]);
}

#[test]
fn what_goes_bad_before_the_answer_is_not_offered() {
    let mut connection = call(None);
    output(&mut connection);
    connection.offer_now(offer(&[1], false).have).expect("nobody has asked for anything");
    assert_eq!(hears(&mut connection, answer(HASH)), Ok(HELLO));
    assert_eq!(output(&mut connection), message(id::BITFIELD, &[0x40]));
}

#[test]
fn who_answers_wrongly_or_not_at_all_is_let_go() {
    assert_eq!(hears(&mut call(None), answer(InfoHash([8; 20]))), Err(Close::OtherTorrent));
    assert_eq!(hears(&mut call(None), answer(V2)), Err(Close::OtherTorrent));
    let own = Handshake { peer_id: local().peer_id, ..answer(HASH) };
    assert_eq!(hears(&mut call(None), own), Err(Close::Ourselves));
    assert_eq!(call(None).receive(b"HTTP/1.1 400", START), Err(Close::NotBitTorrent));
    let mut connection = call(None);
    assert_eq!(connection.deadline(), START + HANDSHAKE_WITHIN);
    assert_eq!(connection.tick(START + HANDSHAKE_WITHIN), Err(Close::HandshakeLate));
}

#[test]
fn a_hybrid_that_is_called_by_v1_may_answer_by_v2() {
    for by in [HASH, V2] {
        let mut connection = call(Some(V2));
        assert_eq!(output(&mut connection)[27], 0x14, "it says that we take v2");
        assert_eq!(hears(&mut connection, answer(by)), Ok(HELLO));
        assert!(connection.is_open());
    }
    assert_eq!(hears(&mut call(Some(V2)), answer(InfoHash([8; 20]))), Err(Close::OtherTorrent));
    let mut by_v2 = Connection::dial(&local(), V2, Offer { v2: Some(V2), ..offer(&[0], false) }, START);
    assert_eq!(output(&mut by_v2)[27], 0x04, "there is nothing to go up to");
}

#[test]
fn a_hybrid_is_answered_by_the_hash_it_was_asked_by() {
    for (by, bits) in [(HASH, 0x14), (V2, 0x04)] {
        let mut connection = Connection::new(START);
        assert_eq!(hears(&mut connection, Handshake { v2: true, ..answer(by) }), Ok(HELLO));
        assert_eq!(connection.asks_for(), Some(by));
        let offer = Offer { v2: Some(V2), ..offer(&[0], false) };
        connection.accept(&local(), offer, START).expect("accepted");
        let heard = output(&mut connection);
        assert_eq!((heard[27], &heard[28..48]), (bits, &by.0[..]));
    }
}

#[test]
fn our_handshake_can_be_sent_alone() {
    let mut peer = Peer::new();
    let mut out = Vec::new();
    assert!(!peer.connection.take_handshake(&mut out, START), "there is none yet");
    peer.say(&[modern_hello(), message(id::INTERESTED, &[])].concat()).expect("a handshake");
    assert!(peer.connection.take_handshake(&mut out, START));
    assert_eq!(out.len(), HELLO);
    assert!(!peer.connection.take_handshake(&mut out, START));
    assert!(peer.hear().starts_with(&message(id::HAVE_ALL, &[])));

    // Whoever does not care takes all at once, and it does not come again.
    let mut peer = Peer::talking();
    assert!(!peer.connection.take_handshake(&mut out, START));
    assert_eq!(out.len(), HELLO);
}

#[test]
fn the_peer_is_told_its_address_and_tells_its_port() {
    for (ip, said) in [
        ("198.51.100.7", &b"6:yourip4:\xc6\x33\x64\x07ee"[..]),
        ("::ffff:198.51.100.7", b"6:yourip4:\xc6\x33\x64\x07ee"),
    ] {
        let mut connection = Connection::new(START).with_peer_at(ip.parse().expect("an address"));
        connection.receive(&hello(true), START).expect("a handshake");
        connection.accept(&local(), offer(&[0], false), START).expect("accepted");
        let heard = output(&mut connection);
        assert!(heard.ends_with(&said[..said.len() - 1]), "{}", heard.escape_ascii());
    }
    let mut peer = Peer::talking();
    assert_eq!(peer.connection.listen_port(), None);
    for (said, port) in [("i0e", None), ("i65536e", None), ("i6881e", Some(6881)), ("i-1e", Some(6881))] {
        peer.say(&message(id::EXTENDED, format!("\0d1:p{said}e").as_bytes())).expect("a handshake");
        assert_eq!(peer.connection.listen_port(), port, "{said}");
    }
}
