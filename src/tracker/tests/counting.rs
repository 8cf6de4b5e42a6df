//! Rules 8 to 10, 12 and 13: who is stored, who is counted, and what counts as a completion.

use super::*;
use crate::id::{InfoHashV2, InfoHashes};

fn completions(changes: &[Change]) -> usize {
    changes.iter().filter(|change| matches!(change, Change::Completed { .. })).count()
}

#[test]
fn rule_08_only_stopped_has_an_effect_of_its_own_bep_3() {
    let mut house = House::new();
    let peer = leecher("192.0.2.1:1");
    for event in [Event::Started, Event::Completed, Event::Update, Event::Started] {
        house.announce(&Announce { event, ..peer.clone() });
        assert_eq!(house.tallies(), (0, 1, 0), "{event:?}");
    }
    house.announce(&leecher("192.0.2.2:2"));
    let given = house.announce(&Announce { event: Event::Stopped, ..peer.clone() });
    assert!(given.is_empty(), "one who leaves needs no peers");
    assert_eq!(house.tallies(), (0, 1, 0));
    assert_eq!(house.changes.last(), Some(&Change::Gone { info_hash: TORRENT, addr: peer.addr, at: START }));
    let changes = house.changes.len();
    house.announce(&Announce { event: Event::Stopped, ..peer });
    assert_eq!(house.changes.len(), changes, "one who is not there cannot leave");
}

#[test]
fn rule_08_a_partial_seed_is_incomplete_and_no_downloader_bep_21() {
    let mut house = House::new();
    let partial = Announce { event: Event::Paused, ..leecher("192.0.2.1:1") };
    house.announce(&partial);
    house.announce(&leecher("192.0.2.2:2"));
    assert_eq!(house.reply.counts, Counts { complete: 0, incomplete: 2, downloaders: 1, downloaded: 0 });
    house.announce(&leecher("192.0.2.1:1"));
    assert_eq!(house.reply.counts.downloaders, 2);
    house.announce(&Announce { left: 0, ..partial });
    assert_eq!(house.reply.counts, Counts { complete: 1, incomplete: 1, downloaders: 1, downloaded: 1 });
}

#[test]
fn rule_24_a_hybrid_torrent_has_two_swarms_and_a_client_of_both_completes_once_bep_52() {
    let mut house = House::new();
    let v2 = InfoHashV2([7; 32]);
    house.swarms.set_torrents([InfoHashes::Hybrid(TORRENT, v2), OTHER.into()]);
    let side = |announce: Announce| Announce { info_hash: v2.truncated(), ..announce };
    let of_v2 = |house: &House| house.swarms.scrape(&v2.truncated()).map(|counts| (counts.complete, counts.downloaded));

    house.announce(&leecher("192.0.2.1:1"));
    assert_eq!(house.announce(&side(leecher("192.0.2.1:1"))), set(&[]), "the swarms share no peers");
    house.announce(&side(leecher("192.0.2.2:2")));
    assert_eq!(house.announce(&leecher("192.0.2.3:3")), set(&["192.0.2.1:1"]));
    house.announce(&seed("192.0.2.1:1"));
    house.announce(&side(seed("192.0.2.1:1")));
    assert_eq!((house.tallies(), of_v2(&house)), ((1, 1, 1), Some((1, 0))));
    house.announce(&side(seed("192.0.2.2:2")));
    assert_eq!((house.tallies(), of_v2(&house)), ((1, 1, 1), Some((2, 1))), "a client of v2 alone counts there");
    assert_eq!(completions(&house.changes), 2);

    let reloaded = house.swarms.set_torrents([OTHER]);
    assert_eq!((reloaded.removed, house.swarms.torrents()), (2, 1));
    assert_eq!(house.refusal(&side(leecher("192.0.2.1:1"))), Refusal::Withdrawn);
}

#[test]
fn rule_09_a_completion_counts_once_and_without_its_event_bep_3() {
    let mut house = House::new();
    let (downloading, done) = (leecher("192.0.2.1:1"), seed("192.0.2.1:1"));
    house.announce(&downloading);
    house.announce(&Announce { event: Event::Completed, ..downloading.clone() });
    assert_eq!(house.tallies(), (0, 1, 0), "an event without left=0");
    house.announce(&done);
    assert_eq!(house.tallies(), (1, 0, 1), "left=0 without its event");
    for _ in 0..3 {
        house.announce(&Announce { event: Event::Completed, ..done.clone() });
    }
    assert_eq!(house.tallies(), (1, 0, 1), "the event on every announce");
    house.announce(&downloading);
    house.announce(&done);
    assert_eq!(house.tallies(), (1, 0, 1), "a peer that goes back and forth");
    assert_eq!(completions(&house.changes), 1);
    assert!(house.changes.contains(&Change::Completed {
        info_hash: TORRENT,
        addr: done.addr,
        completed: 1,
        at: START
    }));
}

#[test]
fn rule_09_a_seed_that_starts_is_no_completion() {
    let mut house = House::new();
    house.announce(&Announce { event: Event::Completed, ..seed("192.0.2.1:1") });
    house.announce(&Announce { event: Event::Completed, ..seed("192.0.2.1:1") });
    assert_eq!(house.tallies(), (1, 0, 0));
}

#[test]
fn rule_09_stopped_with_nothing_left_completes_as_aria2_says_it() {
    let mut house = House::new();
    house.announce(&leecher("192.0.2.1:1"));
    house.announce(&Announce { event: Event::Stopped, ..seed("192.0.2.1:1") });
    assert_eq!(house.tallies(), (0, 0, 1));
    house.announce(&leecher("192.0.2.2:2"));
    house.announce(&Announce { event: Event::Stopped, left: LEFT_UNKNOWN, ..seed("192.0.2.2:2") });
    assert_eq!(house.tallies(), (0, 0, 1), "WebTorrent leaves with left=-1");
}

#[test]
fn rule_09_one_client_with_two_addresses_completes_once() {
    let mut house = House::new();
    let v6 = Announce { peer_id: leecher("192.0.2.1:1").peer_id, ..leecher("[2001:db8::1]:1") };
    house.announce(&leecher("192.0.2.1:1"));
    house.announce(&v6);
    house.announce(&seed("192.0.2.1:1"));
    house.announce(&Announce { left: 0, ..v6 });
    assert_eq!(house.tallies(), (2, 0, 1));
    for number in 10..40 {
        house.announce(&leecher(&format!("192.0.2.{number}:1")));
        house.announce(&seed(&format!("192.0.2.{number}:1")));
    }
    assert_eq!(house.tallies(), (32, 0, 31), "others are not mistaken for it");
}

#[test]
fn rule_10_without_a_port_peers_are_given_and_nothing_is_stored() {
    let mut house = House::new();
    house.announce(&leecher("192.0.2.1:1"));
    let changes = house.changes.len();
    assert_eq!(house.announce(&leecher("192.0.2.2:0")), set(&["192.0.2.1:1"]));
    assert!(house.reply.warning.is_some_and(|text| text.contains("port")));
    assert_eq!((house.tallies(), house.changes.len()), ((0, 1, 0), changes));
}

#[test]
fn rule_10_another_client_at_one_address_replaces_the_former() {
    let mut house = House::new();
    house.announce(&Announce { uploaded: 500, ..leecher("192.0.2.1:1") });
    let other = Announce { peer_id: PeerId([7; 20]), uploaded: 900, ..seed("192.0.2.1:1") };
    house.announce(&other);
    assert_eq!(house.tallies(), (1, 0, 0), "its start as a seed is no completion of the former's download");
    assert_eq!(house.lifetime(), Tally::default(), "nor are its bytes the difference to the former's");
    house.announce(&Announce { named: true, ..leecher("192.0.2.2:2") });
    assert_eq!(house.reply.v4.iter().collect::<Vec<_>>(), [(other.addr, Some(other.peer_id))]);
}

#[test]
fn rule_10_a_reply_never_holds_the_asker_and_a_seed_gets_no_seeds() {
    let mut house = House::new();
    let v6 = Announce { peer_id: leecher("192.0.2.1:1").peer_id, ..leecher("[2001:db8::1]:1") };
    assert!(house.announce(&leecher("192.0.2.1:1")).is_empty());
    assert!(house.announce(&v6).is_empty(), "its other address is the asker too");
    assert_eq!(house.announce(&seed("192.0.2.3:3")), set(&["192.0.2.1:1", "[2001:db8::1]:1"]));
    assert_eq!(house.announce(&seed("192.0.2.4:4")), set(&["192.0.2.1:1", "[2001:db8::1]:1"]));
    assert_eq!(house.announce(&leecher("192.0.2.1:1")), set(&["192.0.2.3:3", "192.0.2.4:4"]));
}

#[test]
fn rule_10_a_client_that_starts_with_nothing_left_may_know_nothing_yet_and_gets_seeds_once() {
    let mut house = House::new();
    house.announce(&seed("192.0.2.3:3"));
    let magnet = Announce { event: Event::Started, ..seed("192.0.2.4:4") };
    assert_eq!(house.announce(&magnet), set(&["192.0.2.3:3"]));
    assert!(house.announce(&seed("192.0.2.4:4")).is_empty(), "now it is a seed");
}

#[test]
fn rule_12_a_mapped_address_and_its_ipv4_address_are_one_peer() {
    let mut house = House::new();
    let query = http::parse_announce(query(&leecher("192.0.2.1:1")).as_bytes()).expect("an announce");
    for client in ["192.0.2.1", "::ffff:192.0.2.1"] {
        house.announce(&query.announce(ip(client), ip("198.51.100.1")));
        assert_eq!(house.tallies(), (0, 1, 0));
    }
}

#[test]
fn rule_13_a_held_back_address_gets_peers_and_is_given_to_nobody() {
    let mut house = House::new();
    house.announce(&leecher("192.0.2.1:1"));
    let behind_proxy = Announce { held_back: true, ..leecher("127.0.0.1:4711") };
    assert_eq!(house.announce(&behind_proxy), set(&["192.0.2.1:1"]));
    assert!(house.reply.external_ip.is_unspecified(), "the proxy's address is not the client's");
    assert!(house.reply.warning.is_some_and(|text| text.contains("proxy")));
    assert!(house.announce(&leecher("192.0.2.1:1")).is_empty());
    assert_eq!(house.tallies(), (0, 1, 0));
}

#[test]
fn rule_23_bytes_are_summed_from_the_differences_of_a_peers_announces() {
    let mut house = House::new();
    let at = |uploaded, downloaded| Announce { uploaded, downloaded, ..leecher("192.0.2.1:1") };
    house.announce(&at(1000, 2000));
    assert_eq!(house.lifetime(), Tally::default(), "what a client did before it was known is not counted");
    house.wait(10).announce(&at(1500, 2100));
    house.wait(10).announce(&at(300, 2100));
    let expected = Tally { completed: 0, uploaded: 800, downloaded: 100 };
    assert_eq!(house.lifetime(), expected, "a counter that goes back counts from 0");
    assert!(house.changes.contains(&Change::Moved {
        info_hash: TORRENT,
        uploaded: 800,
        downloaded: 100,
        at: house.now
    }));
    house.wait(9).announce(&Announce { event: Event::Stopped, ..at(u64::MAX, u64::MAX) });
    let believed = 10 * 1_250_000_000;
    assert_eq!(house.lifetime().uploaded, 800 + believed, "a liar adds what a fast line could have carried");
    house.swarms.restore_tally(TORRENT, Tally { uploaded: u64::MAX, ..Tally::default() });
    house.announce(&at(0, 0));
    house.announce(&at(5, 0));
    assert_eq!(house.lifetime().uploaded, u64::MAX, "saturated, not wrapped");
}
