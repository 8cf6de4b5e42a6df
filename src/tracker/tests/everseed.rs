//! Rules 14 and 26: the everseed, handed out by the tracker itself.

use super::*;
use crate::tracker::http::Form;

const SEED_ID: PeerId = PeerId(*b"-ES0100-everseedseed");

fn house(addresses: &[&str]) -> House {
    house_at(addresses, 6881)
}

fn house_at(addresses: &[&str], seed_port: u16) -> House {
    let mut house = House::with(Options {
        seed_addresses: addresses.iter().map(|text| ip(text)).collect(),
        seed_port,
        seed_id: SEED_ID,
        ..Options::default()
    });
    house.swarms.set_seed(&TORRENT, SeedState::Offered);
    house
}

#[test]
fn rule_14_the_everseed_stands_under_its_public_addresses_bep_7() {
    let mut house = house(&["203.0.113.1", "2001:db8::5eed"]);
    let both = set(&["203.0.113.1:6881", "[2001:db8::5eed]:6881"]);
    for asker in ["192.0.2.1:1", "[2001:db8::1]:1", "127.0.0.1:1"] {
        let asker = Announce { named: true, ..leecher(asker) };
        assert!(house.announce(&asker).is_superset(&both), "{}", asker.addr);
    }
    let body = house.body(Form::Dictionaries).escape_ascii().to_string();
    assert!(body.contains("d2:ip11:203.0.113.17:peer id20:-ES0100-everseedseed4:porti6881ee"), "{body}");
    let over_udp = Announce { families: Families::V4, ..leecher("192.0.2.1:1") };
    assert!(!house.announce(&over_udp).contains("[2001:db8::5eed]:6881"));
    let one = Announce { numwant: Some(1), ..leecher("[2001:db8::1]:1") };
    assert_eq!(house.announce(&one), set(&["[2001:db8::5eed]:6881"]), "the asker's own family first");
    assert!(house.announce(&Announce { numwant: Some(0), ..leecher("192.0.2.1:1") }).is_empty());
}

#[test]
fn rule_14_without_public_addresses_it_stands_where_the_announce_arrived() {
    let arriving = |client: &str, arrived_at: &str| {
        let mut house = house(&[]);
        house.announce(&Announce { arrived_at: ip(arrived_at), ..leecher(client) });
        (house.given().join(" "), house.reply.seed_unreachable)
    };
    assert_eq!(arriving("192.0.2.1:1", "198.51.100.1"), ("198.51.100.1:6881".into(), false));
    assert_eq!(arriving("127.0.0.1:1", "127.0.0.1"), ("127.0.0.1:6881".into(), false));
    assert_eq!(arriving("[::1]:1", "::1"), ("[::1]:6881".into(), false));
    assert_eq!(arriving("10.0.0.9:1", "10.0.0.1"), ("10.0.0.1:6881".into(), false));
    assert_eq!(arriving("127.0.0.1:1", "::ffff:127.0.0.1"), ("127.0.0.1:6881".into(), false));
    // Through a proxy, an address translation, or a socket that does not tell: the client would miss it.
    assert_eq!(arriving("192.0.2.1:1", "127.0.0.1"), (String::new(), true));
    assert_eq!(arriving("192.0.2.1:1", "10.0.0.1"), (String::new(), true));
    assert_eq!(arriving("192.0.2.1:1", "0.0.0.0"), (String::new(), true));
}

#[test]
fn rule_14_the_addresses_that_are_told_are_known_configured_or_learned() {
    let told = |house: &House| house.swarms.seed_addresses().iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut house = house(&["203.0.113.1", "::ffff:203.0.113.2"]);
    assert_eq!(told(&house), ["203.0.113.1:6881", "203.0.113.2:6881"]);
    house.announce(&leecher("192.0.2.1:1"));
    assert_eq!(told(&house).len(), 2);

    let mut house = self::house(&[]);
    let mut arriving = |client: &str, arrived_at: &str| {
        house.announce(&Announce { arrived_at: ip(arrived_at), ..leecher(client) });
        told(&house).join(" ")
    };
    assert_eq!(arriving("192.0.2.1:1", "0.0.0.0"), "");
    assert_eq!(arriving("127.0.0.1:1", "127.0.0.1"), "127.0.0.1:6881");
    assert_eq!(arriving("10.0.0.9:1", "10.0.0.1"), "10.0.0.1:6881");
    assert_eq!(arriving("192.0.2.1:1", "198.51.100.1"), "198.51.100.1:6881");
    assert_eq!(arriving("10.0.0.9:1", "10.0.0.1"), "198.51.100.1:6881", "the one that leads the farthest");
    assert_eq!(arriving("[2001:db8::9]:1", "2001:db8::1"), "198.51.100.1:6881 [2001:db8::1]:6881");
    assert_eq!(arriving("192.0.2.1:1", "198.51.100.2"), "198.51.100.2:6881 [2001:db8::1]:6881", "the latest");
}

#[test]
fn rule_14_a_client_of_this_host_is_not_handed_to_strangers_under_loopback() {
    let mut house = House::new();
    house.announce(&leecher("127.0.0.1:1"));
    house.announce(&leecher("[::1]:1"));
    assert!(house.announce(&leecher("192.0.2.1:1")).is_empty());
    assert_eq!(house.announce(&leecher("127.0.0.2:2")), set(&["127.0.0.1:1", "[::1]:1", "192.0.2.1:1"]));
    let behind_proxy = Announce { held_back: true, ..leecher("127.0.0.1:9") };
    assert_eq!(house.announce(&behind_proxy), set(&["192.0.2.1:1"]));
    assert_eq!(house.tallies(), (0, 4, 0), "it counts nevertheless");
}

#[test]
fn rule_26_it_comes_first_while_fewer_than_two_other_seeds_are_known() {
    let mut house = house(&["203.0.113.1"]);
    for number in 0..200 {
        house.announce(&leecher(&format!("192.0.2.{number}:1")));
    }
    house.announce(&seed("198.51.100.7:1"));
    // Who asks over a wire that does not carry them is not helped by these.
    house.announce(&seed("[2001:db8::7]:1"));
    house.announce(&seed("[2001:db8::8]:1"));
    let asker = Announce { numwant: Some(5), families: Families::V4, ..leecher("192.0.2.250:1") };
    for _ in 0..50 {
        house.announce(&asker);
        assert_eq!(house.given().len(), 5);
        assert_eq!(house.given()[0], "203.0.113.1:6881");
    }
    house.announce(&seed("198.51.100.8:1"));
    let times: Vec<usize> = (0..2000)
        .filter_map(|_| {
            house.announce(&asker);
            house.given().iter().position(|addr| addr.starts_with("203."))
        })
        .collect();
    assert!((20..90).contains(&times.len()), "afterwards it is drawn like any peer, 5 of 203 times: {}", times.len());
    assert!(times.iter().any(|&place| place > 0), "and not always first");
}

#[test]
fn rule_26_it_counts_as_a_seed_only_while_it_is_offered() {
    let mut house = house(&["203.0.113.1"]);
    house.announce(&leecher("192.0.2.1:1"));
    assert_eq!(house.reply.counts.complete, 1);
    assert_eq!(house.given(), ["203.0.113.1:6881"]);
    assert_eq!(house.swarms.peers(), 1, "it is no peer of the swarm");
    house.swarms.set_seed(&TORRENT, SeedState::Withdrawn);
    assert!(house.announce(&leecher("192.0.2.1:1")).is_empty());
    assert_eq!(house.reply.counts.complete, 0);
    assert!(!house.reply.seed_unreachable);
}

#[test]
fn rule_26_seeds_and_the_everseed_itself_are_not_given_it() {
    let mut house = house(&["203.0.113.1"]);
    assert!(house.announce(&seed("192.0.2.1:1")).is_empty());
    let itself = Announce { peer_id: SEED_ID, ..leecher("203.0.113.9:7") };
    assert_eq!(house.announce(&itself), set(&["192.0.2.1:1"]));
    assert_eq!(house.swarms.peers(), 1, "it is known without being stored");
    let at_its_address = leecher("203.0.113.1:6881");
    assert_eq!(house.announce(&at_its_address), set(&["192.0.2.1:1"]));
    assert_eq!(house.announce(&leecher("192.0.2.2:2")), set(&["203.0.113.1:6881", "192.0.2.1:1"]), "and stands once");
}

#[test]
fn rule_26_without_a_port_it_is_not_handed_out() {
    let mut house = house_at(&["203.0.113.1"], 0);
    assert!(house.announce(&leecher("192.0.2.1:1")).is_empty());
    assert!(!house.reply.seed_unreachable);
}

#[test]
fn the_everseed_is_told_of_those_that_still_download_and_of_no_others() {
    let mut house = house(&[]);
    assert_eq!(house.swarms.leechers(100, house.now), []);
    for addr in ["192.0.2.1:1", "[2001:db8::1]:1"] {
        house.announce(&leecher(addr));
    }
    house.announce(&seed("192.0.2.2:1"));
    house.announce(&Announce { event: Event::Paused, ..leecher("192.0.2.3:1") });
    let mut named = house.swarms.leechers(100, house.now);
    let (info_hash, leechers) = named.pop().expect("one torrent");
    let leechers: BTreeSet<String> = leechers.iter().map(ToString::to_string).collect();
    assert_eq!((info_hash, leechers), (TORRENT, set(&["192.0.2.1:1", "[2001:db8::1]:1"])));
    assert_eq!(house.swarms.leechers(1, house.now)[0].1.len(), 1);
    house.swarms.set_seed(&TORRENT, SeedState::Withdrawn);
    assert_eq!(house.swarms.leechers(100, house.now), [], "nothing is to be had");
    house.swarms.set_seed(&TORRENT, SeedState::Offered);
    house.wait(2701);
    assert_eq!(house.swarms.leechers(100, house.now), [], "all are gone");
}

#[test]
fn of_many_leechers_of_many_torrents_a_share_is_named_and_later_the_others() {
    let mut house = house(&[]);
    let hash = |n: u8| InfoHash([n; 20]);
    house.swarms.set_torrents((1..=5).map(hash));
    for torrent in 1..=5 {
        house.swarms.set_seed(&hash(torrent), SeedState::Offered);
        for n in 1..=100 {
            let addr = format!("192.0.2.{n}:1");
            house.announce(&Announce { info_hash: hash(torrent), ..leecher(&addr) });
        }
    }
    let mut called: Vec<InfoHash> = Vec::new();
    for _ in 0..5 {
        let named = house.swarms.leechers(LEECHERS_OF_ONE_MAX, house.now);
        assert_eq!((named.len(), named[0].1.len()), (1, LEECHERS_OF_ONE_MAX));
        called.push(named[0].0);
    }
    called.sort_unstable_by_key(|hash| hash.0);
    assert_eq!(called, (1..=5).map(hash).collect::<Vec<_>>());
    assert_eq!(house.swarms.leechers(1000, house.now).len(), 5);
}
