//! Rule 22 under load: the interval grows before a reply slows, and who was told a longer one lives longer.

use super::*;
use crate::tracker::http;

fn house(announces_per_sec_max: u32) -> House {
    House::with(Options { announces_per_sec_max, ..Options::default() })
}

fn known(house: &mut House, peers: u32) {
    for number in 0..peers {
        let [_, b, c, d] = number.to_be_bytes();
        house.announce(&leecher(&format!("10.{b}.{c}.{d}:1")));
        house.changes.clear();
    }
}

/// A second with so many announces of one peer, and the interval at its end.
fn second(house: &mut House, announces: u32) -> u32 {
    house.wait(1);
    for _ in 0..announces {
        house.announce(&Announce { numwant: Some(0), ..leecher("192.0.2.1:0") });
    }
    house.swarms.load().1
}

#[test]
fn rule_22_known_peers_are_spread_over_the_rate() {
    let mut house = house(1);
    known(&mut house, 3000);
    house.wait(600).expire();
    assert_eq!(house.swarms.load(), (0, 3000), "3,000 peers, one a second");
    house.announce(&leecher("192.0.2.1:0"));
    assert!((2700..=3300).contains(&house.reply.interval_secs));
    assert_eq!(house.reply.interval_min_secs, 1500, "in proportion");
}

#[test]
fn rule_22_a_restart_lets_peers_live_as_long_as_they_were_told() {
    let mut house = house(1);
    let mut sightings = Vec::new();
    for number in 0..3000_u32 {
        let [_, b, c, d] = number.to_be_bytes();
        house.announce(&leecher(&format!("10.{b}.{c}.{d}:1")));
        sightings.extend(house.changes.drain(..).filter_map(|change| match change {
            Change::Seen(sighting) => Some(sighting),
            _ => None,
        }));
    }
    let restarted = |peers: usize, secs: u64| {
        let mut again = self::house(1);
        again.wait(secs);
        let restored = again.swarms.restore(sightings[..peers].iter().cloned(), again.now);
        (again, restored)
    };
    let (mut again, restored) = restarted(3000, 4500);
    assert_eq!(restored, 3000, "they were told 3000 seconds");
    again.expire();
    assert_eq!(again.swarms.peers(), 3000);
    again.wait(1).expire();
    assert_eq!(again.swarms.peers(), 0);
    assert_eq!((restarted(3000, 4501).1, restarted(10, 2700).1, restarted(10, 2701).1), (0, 10, 0));
}

#[test]
fn rule_22_who_is_refused_is_asked_to_return_as_late_as_others() {
    let mut house = house(1);
    known(&mut house, 3000);
    house.wait(600).expire();
    let mut body = Vec::new();
    http::write_failure(&mut body, Refusal::NotServed, &house.swarms);
    let body = String::from_utf8_lossy(&body);
    assert!(body.contains("8:intervali3000e12:min intervali1500e"), "{body}");
}

#[test]
fn rule_22_a_measured_rate_above_the_maximum_makes_the_interval_longer_within_seconds() {
    let mut house = house(10);
    for _ in 0..60 {
        assert_eq!(second(&mut house, 10), 1800);
    }
    let grown: Vec<u32> = (0..30).map(|_| second(&mut house, 20)).collect();
    assert!(grown.is_sorted() && grown[8] > 2700 && (3400..=3600).contains(&grown[29]), "{grown:?}");
    assert_eq!(house.swarms.load().0, 19, "20, as far as it has come");
    let most = (0..60).map(|_| second(&mut house, 400)).last();
    assert_eq!(most, Some(INTERVAL_GROWN_MAX_SECS), "two hours at most");
    assert!(house.reply.interval_secs >= 6480 && house.reply.interval_min_secs == 3600);
    let fallen: Vec<u32> = (0..60).map(|_| second(&mut house, 5)).collect();
    assert_eq!(fallen.last(), Some(&1800));
}

#[test]
fn rule_22_who_was_told_a_longer_interval_is_not_dropped_before_it_ends() {
    let mut house = house(1);
    known(&mut house, 5000);
    let start = house.now;
    house.wait(60).expire();
    assert_eq!(house.swarms.load().1, 5000);
    house.announce(&leecher("192.0.2.1:1"));
    house.wait(7000);
    house.expire();
    assert!(house.swarms.peers() > 4990, "alive beyond 1.5 usual intervals: {}", house.swarms.peers());
    house.now = Seconds(start.0 + 60 + 7501);
    house.expire();
    house.announce(&seed("192.0.2.2:1"));
    house.wait(1).expire();
    assert_eq!((house.swarms.peers(), house.swarms.load().1), (1, 1800));
    house.wait(7502).expire();
    house.announce(&seed("192.0.2.3:1"));
    house.wait(2701).expire();
    assert_eq!(house.swarms.peers(), 0, "the usual life again, when nobody waits longer");
}

#[test]
fn rule_22_refused_announces_and_a_clock_that_jumps_make_no_load() {
    let mut house = house(1);
    for _ in 0..100 {
        house.wait(1);
        for _ in 0..100 {
            house.refusal(&Announce { info_hash: OTHER, ..leecher("192.0.2.1:1") });
        }
    }
    assert_eq!(house.swarms.load(), (0, 1800));
    for secs in [u64::MAX, 0, 1_700_000_000, 5] {
        house.now = Seconds(secs);
        house.announce(&leecher("192.0.2.1:1"));
        assert_eq!(house.swarms.load().1, 1800, "at {secs}");
    }
    house.wait(2701).expire();
    assert_eq!(house.swarms.peers(), 0);
}

#[test]
fn rule_22_a_longer_interval_of_the_operators_stays_and_0_is_no_maximum() {
    let mut house = House::with(Options { interval_secs: 9000, announces_per_sec_max: 1, ..Options::default() });
    (0..50).for_each(|_| assert_eq!(second(&mut house, 50), 9000));
    let mut house = self::house(0);
    (0..50).for_each(|_| assert_eq!(second(&mut house, 50), 1800));
}
