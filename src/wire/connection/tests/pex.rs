//! Peers told of each other (BEP 11).

use super::*;
use crate::wire::PEX_PEERS_MAX;

/// A peer that takes `ut_pex` messages as number 9, of a torrent that allows them.
fn peer() -> Peer {
    let mut peer = Peer::to_be_offered(Offer { pex: true, ..offer(&[0], false) }).greeted(&modern_hello());
    peer.say(&understands("6:ut_pexi9e")).expect("a handshake");
    peer
}

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[test]
fn peers_that_came_and_went_are_told_in_both_families() {
    let mut peer = peer();
    let added = [at("198.51.100.1:6881"), at("[2001:db8::1]:258"), at("[::ffff:198.51.100.2]:1"), at("192.0.2.1:0")];
    assert!(peer.connection.tell_peers(&added, &[at("192.0.2.9:80"), at("[2001:db8::9]:80")], peer.now));
    let expected = [
        &b"\0\0\0\x81\x14\x09d5:added12:\xc6\x33\x64\x01\x1a\xe1\xc6\x33\x64\x02\0\x017:added.f2:\0\0"[..],
        b"6:added618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x028:added6.f1:\0",
        b"7:dropped6:\xc0\0\x02\x09\0\x50",
        b"8:dropped618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\0\x50e",
    ]
    .concat();
    assert_eq!(peer.hear().escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn nobody_is_told_more_often_than_once_a_minute_nor_of_more_than_fifty() {
    let mut peer = peer();
    let many: Vec<_> = (1..=200).map(|port| SocketAddr::from(([198, 51, 100, 1], port))).collect();
    assert!(!peer.connection.tell_peers(&[], &[], peer.now), "there is nothing to tell");
    assert!(peer.connection.tell_peers(&many, &many, peer.now));
    let heard = peer.hear().escape_ascii().to_string();
    assert!(heard.contains("5:added300:") && heard.contains("7:added.f50:") && heard.contains("7:dropped300:"));
    assert_eq!(6 * PEX_PEERS_MAX, 300);
    for (secs, told) in [(59, false), (1, true), (30, false), (30, true)] {
        peer.now += SECOND * secs;
        assert_eq!(peer.connection.tell_peers(&many[..1], &[], peer.now), told, "{secs} later");
        assert_eq!(!peer.hear().is_empty(), told);
    }
}

#[test]
fn who_does_not_want_it_or_may_not_hear_it_hears_nothing() {
    let tells = |mut peer: Peer| {
        let wants = peer.connection.wants_pex();
        assert_eq!(peer.connection.tell_peers(&[at("192.0.2.9:80")], &[], peer.now), wants);
        wants
    };
    assert!(tells(peer()));
    let pex = Offer { pex: true, ..offer(&[0], false) };
    assert!(!tells(Peer::to_be_offered(pex).greeted(&modern_hello())));
    let mut no_longer = peer();
    no_longer.say(&understands("6:ut_pexi0e")).expect("a handshake");
    assert!(!tells(no_longer));
    let mut private = Peer::new().greeted(&modern_hello());
    private.say(&understands("6:ut_pexi9e")).expect("a handshake");
    assert!(!tells(private));
    assert!(!Connection::new(START).tell_peers(&[at("192.0.2.9:80")], &[], START));
}

#[test]
fn it_is_said_that_we_take_them_where_we_send_them_and_what_comes_is_passed_over() {
    let says = |pex| {
        let mut peer = Peer::to_be_offered(Offer { pex, ..offer(&[0], false) });
        peer.say(&modern_hello()).expect("a handshake");
        peer.hear().escape_ascii().to_string().contains("6:ut_pexi2e")
    };
    assert!(says(true) && !says(false));
    let mut peer = peer();
    peer.say(&message(id::EXTENDED, b"\x02d5:added6:\x7f\0\0\x01\0\x50e")).expect("what it tells");
    assert_eq!(peer.hear(), b"");
}
