//! Rules 2 to 8, 11, 15 and 16: what HTTP queries say and what their replies look like.

use super::*;
use crate::tracker::http::{self, Form};
use proptest::prelude::*;

const IDS: &str = "info_hash=everseed%20torrent%20one&peer_id=-EX0001-000000000000";

fn parsed(rest: &str) -> http::Query {
    http::parse_announce(format!("{IDS}&{rest}").as_bytes()).expect("an announce")
}

fn failure(refusal: Refusal) -> String {
    let mut body = Vec::new();
    http::write_failure(&mut body, refusal, &House::new().swarms);
    bencode::decode(&body).expect("strict bencode");
    body.escape_ascii().to_string()
}

#[test]
fn rule_02_a_failure_says_why_and_when_to_come_again_bep_31() {
    assert_eq!(
        failure(Refusal::NotServed),
        "d14:failure reason40:this tracker does not serve that torrent8:intervali1800e12:min intervali900e8:retry ini60ee"
    );
    assert_eq!(
        failure(Refusal::InfoHashMissing),
        "d14:failure reason20:info_hash is missing8:intervali1800e12:min intervali900e8:retry in5:nevere"
    );
}

#[test]
fn rule_02_a_refused_announce_changes_nothing() {
    let mut house = House::new();
    house.announce(&leecher("192.0.2.1:1"));
    let before = (house.changes.clone(), house.tallies(), house.swarms.peers());
    let stranger = Announce { info_hash: OTHER, ..leecher("192.0.2.2:2") };
    assert_eq!(house.refusal(&stranger), Refusal::NotServed);
    assert_eq!((house.changes.clone(), house.tallies(), house.swarms.peers()), before);
    assert_eq!(house.swarms.scrape(&OTHER), None);
}

#[test]
fn rule_03_a_reply_is_strict_and_in_order_bep_3_7_21_23_24() {
    let mut house = House::with(Options { interval_secs: 9, interval_min_secs: 5, ..Options::default() });
    house.announce(&seed("192.0.2.1:258"));
    house.announce(&Announce { event: Event::Paused, ..leecher("[2001:db8::1]:1") });
    house.announce(&leecher("192.0.2.3:3"));
    assert_eq!(
        house.body(Form::Compact).escape_ascii().to_string(),
        r"d8:completei1e10:downloadedi0e11:downloadersi1e11:external ip4:\xc0\x00\x02\x0310:incompletei2e8:intervali9e\
12:min intervali5e5:peers6:\xc0\x00\x02\x01\x01\x026:peers618: \x01\r\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01e"
            .replace("\\\n", "")
    );
    house.announce(&Announce { event: Event::Paused, ..leecher("[2001:db8::1]:1") });
    let body = house.body(Form::Compact).escape_ascii().to_string();
    assert!(body.contains(r"11:external ip16: \x01\r\xb8"), "{body}");
}

#[test]
fn rule_04_peers_is_there_when_there_are_none_and_holds_both_families_bep_7() {
    let mut house = House::new();
    house.announce(&leecher("192.0.2.1:1"));
    let body = house.body(Form::Compact);
    let reply = bencode::decode(&body).expect("strict");
    assert_eq!(reply.get("peers").and_then(bencode::Value::as_bytes), Some(&b""[..]));
    assert!(reply.get("peers6").is_none());
    assert_eq!(house.announce(&leecher("[2001:db8::2]:2")), set(&["192.0.2.1:1"]));
    assert_eq!(house.announce(&leecher("192.0.2.3:3")), set(&["192.0.2.1:1", "[2001:db8::2]:2"]));
}

#[test]
fn rule_05_identifiers_are_twenty_bytes_bep_3() {
    let peer = "peer_id=-EX0001-000000000000";
    let hash = |value: &str| http::parse_announce(format!("info_hash={value}&{peer}").as_bytes()).map(|q| q.info_hash);
    assert_eq!(hash(&"%aB".repeat(20)), Ok(InfoHash([0xab; 20])));
    assert_eq!(hash(&"+".repeat(20)), Ok(InfoHash([b'+'; 20])));
    assert_eq!(hash("a/b:c@d!e$f'(g)*,;~="), Ok(InfoHash(*b"a/b:c@d!e$f'(g)*,;~=")));
    let forty = "0".repeat(40);
    for value in ["", &"a".repeat(19), &"a".repeat(21), &"%00".repeat(21), &"a".repeat(32), &forty] {
        assert_eq!(hash(value), Err(Refusal::InfoHashMalformed), "{value}");
    }
    for torn in ["%zz", "%", "%a", "%a%", "%0g", "%%41"] {
        assert_eq!(hash(&format!("{}{torn}", "a".repeat(19))), Err(Refusal::InfoHashMalformed), "{torn}");
    }
    let parse = |query: &str| http::parse_announce(query.as_bytes()).map(drop);
    assert_eq!(parse(""), Err(Refusal::InfoHashMissing));
    assert_eq!(parse("info_hash"), Err(Refusal::InfoHashMalformed));
    assert_eq!(parse("info_hash=aaaaaaaaaaaaaaaaaaaa"), Err(Refusal::PeerIdMissing));
    assert_eq!(parse("info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=short"), Err(Refusal::PeerIdMalformed));
    assert_eq!(parse(&format!("{IDS}&info_hash=aaaaaaaaaaaaaaaaaaaa")), Err(Refusal::InfoHashTwice));
    assert_eq!(parse(&format!("{IDS}&peer_id=-EX0001-000000000000")), Err(Refusal::PeerIdTwice));
    assert_eq!(parse(&format!("&&key&a=b=c=d&{IDS}&=&==&")), Ok(()));
}

#[test]
fn rule_06_left_that_makes_no_sense_is_a_leecher_bep_3() {
    for (text, left) in [
        ("left=0", 0),
        ("left=7", 7),
        ("left=", LEFT_UNKNOWN),
        ("left", LEFT_UNKNOWN),
        ("nothing=1", LEFT_UNKNOWN),
        ("left=-1", LEFT_UNKNOWN),
        ("left=abc", LEFT_UNKNOWN),
        ("left=0x0", LEFT_UNKNOWN),
        ("left=9223372036854775808", LEFT_UNKNOWN),
        ("left=18446744073709551616", LEFT_UNKNOWN),
        ("left=99999999999999999999999999", LEFT_UNKNOWN),
    ] {
        assert_eq!(parsed(text).left, left, "{text}");
    }
    let mut house = House::new();
    house.announce(&Announce { left: u64::MAX, ..leecher("192.0.2.1:1") });
    assert_eq!(house.tallies(), (0, 1, 0));
}

#[test]
fn rule_07_numwant_has_a_default_a_nought_and_a_maximum() {
    assert_eq!(parsed("numwant=-1").numwant, None);
    assert_eq!(parsed("numwant=").numwant, None);
    assert_eq!(parsed("compact=1").numwant, None);
    assert_eq!(parsed("numwant=0").numwant, Some(0));
    assert_eq!(parsed("numwant=99999999999999999999").numwant, Some(u32::MAX));
    let mut house = House::new();
    for port in 1..=500 {
        house.announce(&leecher(&format!("192.0.2.1:{port}")));
    }
    let asker = leecher("192.0.2.9:9");
    for (numwant, given) in [(None, 50), (Some(0), 0), (Some(3), 3), (Some(u32::MAX), NUMWANT_MAX as usize)] {
        assert_eq!(house.announce(&Announce { numwant, ..asker.clone() }).len(), given, "{numwant:?}");
    }
    house.announce(&Announce { numwant: Some(0), ..asker });
    assert!(house.body(Form::Compact).windows(9).any(|window| window == b"5:peers0:"));
}

#[test]
fn rule_08_events_that_are_not_known_are_updates_bep_21() {
    for (text, event) in [
        ("event=started", Event::Started),
        ("event=completed", Event::Completed),
        ("event=stopped", Event::Stopped),
        ("event=paused", Event::Paused),
        ("event=", Event::Update),
        ("event", Event::Update),
        ("event=STOPPED", Event::Update),
        ("event=resumed", Event::Update),
        ("uploaded=0", Event::Update),
    ] {
        assert_eq!(parsed(text).event, event, "{text}");
    }
}

#[test]
fn rule_10_a_port_that_is_none_is_nought() {
    for text in ["port=0", "port=", "port=65536", "port=-1", "port=abc", "nothing=1"] {
        assert_eq!(parsed(text).port, 0, "{text}");
    }
    assert_eq!(parsed("port=65535").port, 65535);
}

#[test]
fn rule_11_dictionaries_are_for_those_who_ask_bep_23() {
    assert_eq!(parsed("compact=1").form, Form::Compact);
    assert_eq!(parsed("nothing=1").form, Form::Compact);
    assert_eq!(parsed("no_peer_id=1").form, Form::Compact);
    assert_eq!(parsed("compact=0").form, Form::Dictionaries);
    assert_eq!(parsed("no_peer_id=1&compact=0").form, Form::DictionariesWithoutId);
    let mut house = House::new();
    house.announce(&leecher("192.0.2.1:1"));
    house.announce(&leecher("[2001:db8::2]:2"));
    house.announce(&Announce { named: true, ..leecher("192.0.2.3:3") });
    let body = house.body(Form::Dictionaries).escape_ascii().to_string();
    assert!(body.contains("5:peersld2:ip9:192.0.2.17:peer id20:-EX0001-192.0.2.1:1 4:porti1ee"), "{body}");
    assert!(body.contains("d2:ip11:2001:db8::27:peer id20:-EX0001-01:db8::2]:2"), "{body}");
    let body = house.body(Form::DictionariesWithoutId).escape_ascii().to_string();
    assert!(body.contains("5:peersld2:ip9:192.0.2.14:porti1eed2:ip11:2001:db8::24:porti2eeee"), "{body}");
}

#[test]
fn rule_12_the_ip_parameter_is_ignored_and_mapped_addresses_are_unmapped() {
    let announce = parsed("port=5&ip=203.0.113.9").announce(ip("::ffff:192.0.2.7"), ip("::ffff:198.51.100.1"));
    assert_eq!(announce.addr.to_string(), "192.0.2.7:5");
    assert_eq!(announce.arrived_at, ip("198.51.100.1"));
}

#[test]
fn rule_15_a_scrape_takes_74_hashes_and_a_full_one_is_closed_bep_48() {
    let hashes: Vec<InfoHash> = (0..74).map(|number| InfoHash([number; 20])).collect();
    let mut swarms = Swarms::new(Options::default(), 1);
    swarms.set_torrents(hashes.iter().copied());
    let query: Vec<String> =
        hashes.iter().map(|hash| format!("info_hash={}", hash.0.map(|b| format!("%{b:02x}")).concat())).collect();
    let query = query.join("&");
    assert!(query.len() < http::REQUEST_LINE_BYTES_MAX);
    let named = http::parse_scrape(query.as_bytes()).expect("a scrape");
    let files = http::scrape(&swarms, &named).expect("answered");
    assert_eq!(files.len(), 74);
    let mut body = Vec::new();
    http::write_scrape(&mut body, &files);
    let reply = bencode::decode(&body).expect("strict bencode");
    assert_eq!(reply.get("files").and_then(bencode::Value::as_dict).map(<[_]>::len), Some(74));

    assert_eq!(
        http::parse_scrape(b"nothing=1").map(|hashes| http::scrape(&swarms, &hashes)),
        Ok(Err(Refusal::FullScrapeClosed))
    );
    let mut open = Swarms::new(Options { full_scrape: true, ..Options::default() }, 1);
    open.set_torrents(hashes);
    assert_eq!(http::scrape(&open, &[]).map(|files| files.len()), Ok(74));
    assert_eq!(http::parse_scrape(b"info_hash=short"), Err(Refusal::InfoHashMalformed));
    let many = "info_hash=aaaaaaaaaaaaaaaaaaaa&".repeat(http::SCRAPE_HASHES_MAX + 1);
    assert_eq!(http::parse_scrape(many.as_bytes()), Err(Refusal::ScrapeTooLong));
}

#[test]
fn rule_16_a_scrape_leaves_unknown_hashes_out_bep_48() {
    let mut house = House::new();
    house.announce(&seed("192.0.2.1:1"));
    let files = http::scrape(&house.swarms, &[OTHER, TORRENT, TORRENT]).expect("answered");
    let mut body = Vec::new();
    http::write_scrape(&mut body, &files);
    assert_eq!(
        body.escape_ascii().to_string(),
        "d5:filesd20:everseed torrent oned8:completei1e10:downloadedi0e11:downloadersi0e10:incompletei0eeee"
    );
    body.clear();
    http::write_scrape(&mut body, &http::scrape(&house.swarms, &[OTHER]).expect("answered"));
    assert_eq!(body, b"d5:filesdee");
}

proptest! {
    #[test]
    fn no_query_panics_and_every_answer_is_strict(query in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "(info_hash=everseed%20torrent%20one|peer_id=-EX0001-0000000000(00|%zz|0)|&|port=[0-9]{1,6}|left=-?[0-9]{0,30}|numwant=-?[0-9]{0,12}|compact=[01]|event=[a-z]{0,9}|=|%){0,12}"
            .prop_map(String::into_bytes),
    ]) {
        let mut house = House::new();
        house.announce(&leecher("192.0.2.1:1"));
        let mut body = Vec::new();
        let outcome = http::parse_announce(&query).and_then(|query| {
            let announce = query.announce(ip("192.0.2.2"), ip("198.51.100.1"));
            house.swarms.announce(&announce, START, &mut house.reply, &mut house.changes)?;
            Ok(query.form)
        });
        match outcome {
            Ok(form) => http::write_reply(&mut body, &house.reply, form),
            Err(refusal) => {
                prop_assert_eq!(house.swarms.peers(), 1);
                prop_assert_eq!(house.changes.len(), 1);
                http::write_failure(&mut body, refusal, &house.swarms);
            }
        }
        prop_assert!(bencode::decode(&body).is_ok());
        body.clear();
        match http::parse_scrape(&query).and_then(|hashes| http::scrape(&house.swarms, &hashes)) {
            Ok(files) => http::write_scrape(&mut body, &files),
            Err(refusal) => http::write_failure(&mut body, refusal, &house.swarms),
        }
        prop_assert!(bencode::decode(&body).is_ok());
    }

    #[test]
    fn what_a_client_writes_is_what_is_read(
        hash in any::<[u8; 20]>(), id in any::<[u8; 20]>(), port in any::<u16>(), left in 0..LEFT_UNKNOWN, numwant in any::<u32>(),
    ) {
        let announce = Announce {
            info_hash: InfoHash(hash),
            peer_id: PeerId(id),
            addr: SocketAddr::new(ip("192.0.2.1"), port),
            left,
            numwant: Some(numwant),
            event: Event::Started,
            ..leecher("192.0.2.1:1")
        };
        let again = http::parse_announce(query(&announce).as_bytes()).map(|query| query.announce(announce.addr.ip(), announce.arrived_at));
        prop_assert_eq!(again, Ok(announce));
    }
}
