//! Rule 25: the choice of peers is uniform and costs what was asked for.

use super::*;
use std::collections::HashMap;

/// How far `seen` is from a uniform choice: the sum of squared distances over the expected number, which for a
/// uniform choice is near the number of peers.
fn chi_square(seen: &HashMap<String, u32>, peers: u32, drawn: u32) -> f64 {
    let expected = f64::from(drawn) / f64::from(peers);
    let known: f64 = seen.values().map(|&times| (f64::from(times) - expected).powi(2) / expected).sum();
    let never = peers - u32::try_from(seen.len()).expect("no more than there are");
    known + f64::from(never) * expected
}

fn tally(house: &mut House, asker: &Announce, announces: u32) -> (HashMap<String, u32>, u32) {
    let (mut seen, mut drawn) = (HashMap::new(), 0);
    for _ in 0..announces {
        let given = house.announce(asker);
        drawn += u32::try_from(given.len()).expect("at most 200");
        given.into_iter().for_each(|addr| *seen.entry(addr).or_default() += 1);
        house.changes.clear();
    }
    (seen, drawn)
}

#[test]
fn rule_25_every_peer_of_a_thousand_comes_up_as_often() {
    let mut house = House::new();
    for number in 0..500 {
        house.announce(&leecher(&format!("192.0.2.{}:{}", number % 250, 1 + number)));
        house.announce(&seed(&format!("[2001:db8::{number:x}]:1")));
    }
    let asker = Announce { numwant: Some(50), ..leecher("203.0.113.1:0") };
    let (seen, drawn) = tally(&mut house, &asker, 10_000);
    assert_eq!((seen.len(), drawn), (1000, 500_000));
    let chi_square = chi_square(&seen, 1000, drawn);
    // 999 degrees of freedom, a deviation of 45; a draw without replacement varies a little less.
    assert!((780.0..1200.0).contains(&chi_square), "{chi_square}");
    assert!(seen.values().all(|times| (380..620).contains(times)));
}

#[test]
fn rule_25_pairs_are_drawn_as_often_as_others() {
    let mut house = House::new();
    for number in 0..30 {
        house.announce(&leecher(&format!("192.0.2.{number}:1")));
    }
    let asker = Announce { numwant: Some(2), ..leecher("203.0.113.1:0") };
    let mut pairs: HashMap<String, u32> = HashMap::new();
    for _ in 0..43_500 {
        let pair: Vec<String> = house.announce(&asker).into_iter().collect();
        *pairs.entry(pair.join(" ")).or_default() += 1;
    }
    assert_eq!(pairs.len(), 435, "every pair, and not contiguous runs alone");
    let chi_square = chi_square(&pairs, 435, 43_500);
    assert!((310.0..570.0).contains(&chi_square), "{chi_square}");
}

#[test]
fn rule_25_a_seed_draws_leechers_evenly_and_udp_one_family() {
    let mut house = House::new();
    for number in 0..100 {
        house.announce(&leecher(&format!("192.0.2.{number}:1")));
        house.announce(&seed(&format!("192.0.2.{number}:2")));
        house.announce(&leecher(&format!("[2001:db8::{number:x}]:1")));
    }
    let asker = Announce { numwant: Some(10), families: Families::V4, ..seed("203.0.113.1:0") };
    let (seen, drawn) = tally(&mut house, &asker, 2000);
    assert_eq!(drawn, 20_000);
    assert!(seen.keys().all(|addr| addr.starts_with("192.0.2.") && addr.ends_with(":1")));
    let chi_square = chi_square(&seen, 100, drawn);
    assert!((50.0..160.0).contains(&chi_square), "{chi_square}");
    let asker = Announce { families: Families::V6, ..leecher("[2001:db8::ffff]:0") };
    assert!(house.announce(&asker).iter().all(|addr| addr.starts_with('[')));
}

#[test]
fn rule_25_small_swarms_are_given_whole_and_in_any_order() {
    let mut house = House::new();
    for number in 1..=5 {
        house.announce(&leecher(&format!("192.0.2.{number}:1")));
    }
    let asker = leecher("203.0.113.1:0");
    let orders: BTreeSet<Vec<String>> = (0..2000)
        .map(|_| {
            assert_eq!(house.announce(&asker).len(), 5);
            house.given()
        })
        .collect();
    assert_eq!(orders.len(), 120);
}
