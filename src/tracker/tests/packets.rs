//! Rules 17 to 20 on the UDP wire, and one script of announces over every wire.

use super::*;
use crate::tracker::udp::{self, ConnectionIds, Request};
use proptest::prelude::*;

const V4: &str = "192.0.2.1:6881";
const V6: &str = "[2001:db8::1]:6881";
const TRANSACTION: u32 = 0x0102_0304;

fn ids() -> ConnectionIds {
    ConnectionIds::new(*b"sixteen secrets!")
}

fn client(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn head(client: SocketAddr, action: u32) -> Vec<u8> {
    let mut packet = ids().issue(client.ip(), START).to_be_bytes().to_vec();
    packet.extend_from_slice(&action.to_be_bytes());
    packet.extend_from_slice(&TRANSACTION.to_be_bytes());
    packet
}

fn packet(announce: &Announce) -> Vec<u8> {
    let mut packet = head(announce.addr, 1);
    packet.extend_from_slice(&announce.info_hash.0);
    packet.extend_from_slice(&announce.peer_id.0);
    packet.extend_from_slice(&announce.downloaded.to_be_bytes());
    packet.extend_from_slice(&announce.left.to_be_bytes());
    packet.extend_from_slice(&announce.uploaded.to_be_bytes());
    let event = match announce.event {
        Event::Update => 0_u32,
        Event::Completed => 1,
        Event::Started => 2,
        Event::Stopped => 3,
        Event::Paused => 4,
    };
    packet.extend_from_slice(&event.to_be_bytes());
    packet.extend_from_slice(&[203, 0, 113, 9]);
    packet.extend_from_slice(b"key!");
    let numwant = announce.numwant.map_or(-1, |wanted| i32::try_from(wanted).expect("fits"));
    packet.extend_from_slice(&numwant.to_be_bytes());
    packet.extend_from_slice(&announce.addr.port().to_be_bytes());
    packet
}

fn parsed<'p>(packet: &'p [u8], from: &str) -> Option<Request<'p>> {
    udp::parse(packet, client(from), ip("198.51.100.1"), &ids(), START)
}

/// What the tracker sends back to a packet from `from`; empty where it sends nothing.
fn answer(house: &mut House, packet: &[u8], from: SocketAddr) -> Vec<u8> {
    let mut out = Vec::new();
    let ids = ids();
    match udp::parse(packet, from, ip("198.51.100.1"), &ids, START) {
        None => {}
        Some(Request::Connect { transaction }) => {
            udp::write_connect(&mut out, transaction, ids.issue(from.ip(), START));
        }
        Some(Request::Announce { transaction, announce }) => {
            match house.swarms.announce(&announce, house.now, &mut house.reply, &mut house.changes) {
                Ok(()) => udp::write_announce(&mut out, transaction, &house.reply, announce.families),
                Err(refusal) => udp::write_error(&mut out, transaction, refusal),
            }
        }
        Some(Request::Scrape { transaction, hashes }) => {
            udp::write_scrape(&mut out, transaction, hashes.iter().map(|hash| house.swarms.scrape(&hash)));
        }
    }
    out
}

#[test]
fn rule_17_a_connect_is_answered_with_an_id_that_holds_bep_15() {
    let mut house = House::new();
    let mut connect = 0x0417_2710_1980_u64.to_be_bytes().to_vec();
    connect.extend_from_slice(&[0, 0, 0, 0, 1, 2, 3, 4]);
    let reply = answer(&mut house, &connect, client(V4));
    assert_eq!(&reply[..8], [0, 0, 0, 0, 1, 2, 3, 4]);
    assert_eq!(reply.len(), 16, "as many bytes as were sent: no amplification");
    let id = u64::from_be_bytes(reply[8..].try_into().expect("8 bytes"));
    assert!(ids().holds(id, ip("192.0.2.1"), START));
    connect.extend_from_slice(b"more");
    assert_eq!(answer(&mut house, &connect, client(V4)).len(), 16);
    connect[0] ^= 1;
    assert!(answer(&mut house, &connect, client(V4)).is_empty(), "another protocol");
}

#[test]
fn rule_18_a_wrong_id_is_met_with_silence_bep_15() {
    let mut house = House::new();
    let announce = packet(&leecher(V4));
    assert_eq!(answer(&mut house, &announce, client("192.0.2.1:9999")).len(), 20, "another port of one address");
    assert!(answer(&mut house, &announce, client("192.0.2.2:6881")).is_empty());
    let mut scrape = head(client(V4), 2);
    scrape[0] ^= 1;
    assert!(answer(&mut house, &scrape, client(V4)).is_empty());
    let mut unknown = head(client(V4), 7);
    assert!(answer(&mut house, &unknown, client(V4)).is_empty());
    unknown.truncate(15);
    assert!(answer(&mut house, &unknown, client(V4)).is_empty());
}

#[test]
fn rule_18_a_hash_that_is_not_served_is_an_error_smaller_than_its_request_bep_15() {
    let mut house = House::new();
    let stranger = packet(&Announce { info_hash: OTHER, ..leecher(V4) });
    let reply = answer(&mut house, &stranger, client(V4));
    assert_eq!(&reply[..8], [0, 0, 0, 3, 1, 2, 3, 4]);
    assert_eq!(&reply[8..], b"this tracker does not serve that torrent");
    assert_eq!((house.swarms.peers(), house.changes.len()), (0, 0));
    for refusal in [
        Refusal::NotServed,
        Refusal::Withdrawn,
        Refusal::InfoHashMissing,
        Refusal::InfoHashTwice,
        Refusal::InfoHashMalformed,
        Refusal::PeerIdMissing,
        Refusal::PeerIdTwice,
        Refusal::PeerIdMalformed,
        Refusal::FullScrapeClosed,
        Refusal::ScrapeTooLong,
    ] {
        assert!(8 + refusal.reason().len() <= 98, "{refusal}");
    }
}

#[test]
fn rule_19_an_announce_has_98_bytes_or_more_bep_15_41() {
    let announce = Announce { families: Families::V4, uploaded: 5, downloaded: 6, numwant: Some(7), ..leecher(V4) };
    let packet = packet(&announce);
    assert_eq!(packet.len(), 98);
    let expected = Some(Request::Announce { transaction: TRANSACTION, announce });
    assert_eq!(parsed(&packet, V4), expected);
    for options in [&b"\x02\x0c/announce?a="[..], b"\x01\x01\x00", b"\x02\xff", b"\x00\x00"] {
        let longer = [&packet, options].concat();
        assert_eq!(parsed(&longer, V4), expected, "aria2 sends 100 bytes, libtorrent options (BEP 41)");
    }
    for length in 16..98 {
        assert_eq!(parsed(&packet[..length], V4), None, "{length} bytes");
    }
    assert_eq!(parsed(&packet, "[::ffff:192.0.2.1]:6881"), expected, "a v4 client at a dual-stack socket");
}

#[test]
fn rule_19_replies_fit_one_packet_of_their_socket_bep_15() {
    let mut house = House::new();
    for port in 1..=300 {
        house.announce(&leecher(&format!("192.0.2.9:{port}")));
        house.announce(&leecher(&format!("[2001:db8::9]:{port}")));
    }
    for (from, head, size, peers) in [(V4, 20, 6, 200), (V6, 20, 18, 67)] {
        let asker = Announce { numwant: Some(5000), ..leecher(from) };
        let reply = answer(&mut house, &packet(&asker), client(from));
        assert_eq!(reply.len(), head + size * peers, "{from}");
        assert!(reply.len() <= udp::REPLY_BYTES_MAX);
    }
    let reply = answer(&mut house, &packet(&Announce { numwant: Some(1), ..leecher(V6) }), client(V6));
    assert_eq!((&reply[..8], &reply[12..20]), (&[0, 0, 0, 1, 1, 2, 3, 4][..], &[0, 0, 2, 90, 0, 0, 0, 0][..]));
    assert_eq!(&reply[20..24], [0x20, 1, 0x0d, 0xb8]);
    let default = answer(&mut house, &packet(&leecher(V4)), client(V4));
    assert_eq!(default.len(), 20 + 6 * 50, "numwant -1");
    let none = answer(&mut house, &packet(&Announce { numwant: Some(0), ..leecher(V4) }), client(V4));
    assert_eq!(none.len(), 20);
}

#[test]
fn rule_20_a_scrape_is_positional_bep_15() {
    let mut house = House::new();
    house.announce(&seed("192.0.2.5:5"));
    house.announce(&leecher("192.0.2.6:6"));
    let mut scrape = head(client(V4), 2);
    for hash in [OTHER, TORRENT, TORRENT] {
        scrape.extend_from_slice(&hash.0);
    }
    let numbers = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
    let reply = answer(&mut house, &scrape, client(V4));
    assert_eq!(reply, [&[0, 0, 0, 2, 1, 2, 3, 4][..], &[0; 12], &numbers, &numbers].concat());
    assert_eq!(answer(&mut house, &head(client(V4), 2), client(V4)), [0, 0, 0, 2, 1, 2, 3, 4], "no hash");
    for torn in 1..20 {
        let packet = [&scrape[..], &vec![0; torn]].concat();
        assert!(answer(&mut house, &packet, client(V4)).is_empty(), "{torn} bytes more");
    }
    let many = [head(client(V4), 2), TORRENT.0.repeat(90)].concat();
    let reply = answer(&mut house, &many, client(V4));
    assert_eq!(reply.len(), 8 + 12 * 74);
    assert!(reply.len() <= udp::REPLY_BYTES_MAX);
}

#[test]
fn rule_06_and_08_over_udp_as_clients_really_send_them_bep_15() {
    let mut house = House::new();
    answer(&mut house, &packet(&leecher(V4)), client(V4));
    let webtorrent = Announce { event: Event::Stopped, left: u64::MAX, ..leecher(V4) };
    answer(&mut house, &packet(&webtorrent), client(V4));
    assert_eq!(house.tallies(), (0, 0, 0));
    let mut unknown_event = packet(&leecher(V4));
    unknown_event[83] = 200;
    answer(&mut house, &unknown_event, client(V4));
    assert_eq!(house.tallies(), (0, 1, 0));
    answer(&mut house, &packet(&Announce { event: Event::Paused, ..leecher(V4) }), client(V4));
    assert_eq!(house.reply.counts.downloaders, 0);
}

/// An announce, the peers of its own family that it is given, and the tallies after it.
type Step = (Announce, &'static [&'static str], (u64, u64, u64));

fn script() -> Vec<Step> {
    let started = |addr| Announce { event: Event::Started, ..leecher(addr) };
    let stopped = |addr, left| Announce { event: Event::Stopped, left, ..leecher(addr) };
    vec![
        (Announce { event: Event::Started, ..seed("192.0.2.1:1") }, &[], (1, 0, 0)),
        (started("192.0.2.2:2"), &["192.0.2.1:1"], (1, 1, 0)),
        (started("[2001:db8::3]:3"), &[], (1, 2, 0)),
        (started("[2001:db8::4]:4"), &["[2001:db8::3]:3"], (1, 3, 0)),
        (Announce { numwant: Some(0), ..leecher("192.0.2.5:5") }, &[], (1, 4, 0)),
        (leecher("192.0.2.6:0"), &["192.0.2.1:1", "192.0.2.2:2", "192.0.2.5:5"], (1, 4, 0)),
        (Announce { event: Event::Completed, ..seed("192.0.2.2:2") }, &["192.0.2.5:5"], (2, 3, 1)),
        (Announce { event: Event::Completed, ..seed("192.0.2.2:2") }, &["192.0.2.5:5"], (2, 3, 1)),
        (seed("[2001:db8::3]:3"), &["[2001:db8::4]:4"], (3, 2, 2)),
        (stopped("192.0.2.5:5", 0), &[], (3, 1, 3)),
        (Announce { event: Event::Paused, ..leecher("[2001:db8::4]:4") }, &["[2001:db8::3]:3"], (3, 1, 3)),
        (stopped("192.0.2.1:1", u64::MAX), &[], (2, 1, 3)),
        (leecher("192.0.2.9:9"), &["192.0.2.2:2"], (2, 2, 3)),
    ]
}

#[test]
fn one_script_gives_the_same_over_every_wire() {
    let (mut over_http, mut over_udp) = (House::new(), House::new());
    for (step, (announce, peers, tallies)) in script().into_iter().enumerate() {
        let from = announce.addr.ip();
        let read =
            http::parse_announce(query(&announce).as_bytes()).expect("an announce").announce(from, announce.arrived_at);
        let own_family = |addr: &String| addr.starts_with('[') == from.is_ipv6();
        let given: BTreeSet<String> = over_http.announce(&read).into_iter().filter(own_family).collect();
        assert_eq!(given, set(peers), "step {step} over HTTP");

        answer(&mut over_udp, &packet(&announce), SocketAddr::new(from, 40_000));
        assert_eq!(over_udp.given().into_iter().collect::<BTreeSet<_>>(), set(peers), "step {step} over UDP");
        assert_eq!((over_http.tallies(), over_udp.tallies()), (tallies, tallies), "step {step}");
    }
    assert_eq!(over_http.changes, over_udp.changes);
    assert_eq!(over_http.lifetime(), over_udp.lifetime());
}

proptest! {
    #[test]
    fn no_packet_panics_and_no_reply_is_too_large(
        bytes in prop::collection::vec(any::<u8>(), 0..2048), action in 0_u32..4, valid in any::<bool>(), v6 in any::<bool>(),
    ) {
        let mut house = House::new();
        house.announce(&leecher("192.0.2.9:9"));
        let from = client(if v6 { V6 } else { V4 });
        let packet = if valid { [head(from, action), bytes].concat() } else { bytes };
        let reply = answer(&mut house, &packet, from);
        prop_assert!(reply.len() <= udp::REPLY_BYTES_MAX);
        if !valid {
            prop_assert!(reply.is_empty());
            prop_assert_eq!(house.swarms.peers(), 1);
        }
    }
}
