//! Rules 22 and 23: how long peers live, what a restart brings back, and torrents that come and go.

use super::*;
use crate::id::{InfoHashV2, InfoHashes};

#[test]
fn rule_22_a_peer_lives_for_one_and_a_half_intervals() {
    let mut house = House::new();
    house.announce(&leecher("192.0.2.1:1"));
    house.wait(2700);
    assert_eq!(house.expire(), 0);
    assert_eq!(house.announce(&Announce { numwant: Some(9), ..leecher("192.0.2.2:0") }), set(&["192.0.2.1:1"]));
    house.wait(1);
    assert!(house.announce(&leecher("192.0.2.2:0")).is_empty(), "also before it is taken out");
    house.expire();
    assert_eq!(house.tallies(), (0, 0, 0));
    let addr = leecher("192.0.2.1:1").addr;
    assert_eq!(house.changes.last(), Some(&Change::Gone { info_hash: TORRENT, addr, at: house.now }));
}

#[test]
fn rule_22_the_interval_varies_by_a_tenth() {
    let mut house = House::new();
    let intervals: Vec<u32> = (0..1000)
        .map(|_| {
            house.announce(&leecher("192.0.2.1:1"));
            house.reply.interval_secs
        })
        .collect();
    assert!(intervals.iter().all(|secs| (1620..=1980).contains(secs)));
    assert!(intervals.iter().min() < Some(&1640) && intervals.iter().max() > Some(&1960));
    assert_eq!(house.reply.interval_min_secs, 900);
}

#[test]
fn rule_22_expiry_goes_on_where_it_stopped_and_is_never_a_pause() {
    let mut house = House::new();
    let torrents: Vec<InfoHash> = (0..200).map(|number| InfoHash([number; 20])).collect();
    house.swarms.set_torrents(torrents.iter().copied());
    for round in 0_u32..40_000 {
        let [a, b, c, d] = round.to_be_bytes();
        let addr = format!("10.{}.{c}.{d}:{}", a + b, 1 + round % 7);
        let v6 = format!("[2001:db8::{c:x}{d:02x}]:1");
        let peer = leecher(if round % 3 == 0 { &v6 } else { &addr });
        // The first torrents are large, the last ones small or empty.
        let info_hash = torrents[(round % 97) as usize * (round % 2) as usize];
        house
            .swarms
            .announce(&Announce { info_hash, ..peer }, house.now, &mut house.reply, &mut house.changes)
            .expect("served");
    }
    let peers = house.swarms.peers();
    assert!(peers > 30_000, "{peers}");
    house.wait(2701);
    let alive = Announce { info_hash: torrents[5], ..leecher("192.0.2.1:1") };
    house.announce(&alive);
    house.changes.clear();
    let mut calls = 0;
    while house.swarms.peers() > 1 {
        let gone = house.swarms.expire(house.now, &mut house.changes);
        assert!(gone <= EXPIRE_BATCH / 4);
        calls += 1;
        assert!(calls < 24, "{} peers are left", house.swarms.peers());
    }
    assert!(house.changes.iter().all(|change| matches!(change, Change::Gone { .. })));
    assert!(house.changes.len() >= peers - 8);
    assert_eq!(house.expire(), 0);
}

#[test]
fn a_clock_that_jumps_neither_kills_nor_immortalises() {
    let mut house = House::new();
    house.announce(&leecher("192.0.2.1:1"));
    house.now = Seconds(0);
    house.announce(&Announce { uploaded: 5, ..leecher("192.0.2.2:2") });
    assert_eq!(house.expire(), 0);
    assert_eq!(house.given(), ["192.0.2.1:1"], "heard in the future, it is alive");
    house.now = Seconds(2700);
    house.expire();
    assert_eq!(house.swarms.peers(), 2);
    house.now = Seconds(2701);
    house.expire();
    assert_eq!(house.swarms.peers(), 0, "its life is counted from when the clock was set back");
    house.now = Seconds(u64::MAX);
    house.announce(&leecher("192.0.2.1:1"));
    house.expire();
    assert_eq!(house.swarms.peers(), 1);
}

#[test]
fn rule_23_a_restart_finds_the_peers_and_the_counts_again() {
    let mut house = House::new();
    house.announce(&leecher("192.0.2.1:1"));
    house.announce(&Announce { downloaded: 70, ..seed("192.0.2.1:1") });
    house.announce(&Announce { event: Event::Paused, ..leecher("[2001:db8::2]:2") });
    let sightings: Vec<Sighting> = house
        .changes
        .iter()
        .filter_map(|change| if let Change::Seen(sighting) = change { Some(sighting.clone()) } else { None })
        .collect();
    let lifetime = house.lifetime();

    let mut again = House::new();
    again.now = Seconds(START.0 + 2000);
    again.swarms.restore_tally(TORRENT, lifetime);
    let latest = sightings.iter().skip(1).cloned();
    let unfit = [
        Sighting { info_hash: OTHER, ..sightings[0].clone() },
        Sighting {
            at: Seconds(START.0 - 701),
            addr: "192.0.2.9:9".parse().expect("an address"),
            ..sightings[0].clone()
        },
        Sighting { addr: "192.0.2.9:0".parse().expect("an address"), ..sightings[0].clone() },
        sightings[1].clone(),
    ];
    assert_eq!(again.swarms.restore(latest.chain(unfit), again.now), 2);
    assert_eq!(
        again.swarms.status(&TORRENT).map(|status| status.counts),
        house.swarms.status(&TORRENT).map(|status| status.counts)
    );
    assert_eq!(again.lifetime(), Tally { completed: 1, uploaded: 0, downloaded: 70 });
    again.announce(&Announce { downloaded: 100, ..leecher("192.0.2.1:1") });
    again.announce(&Announce { downloaded: 100, ..seed("192.0.2.1:1") });
    assert_eq!(again.lifetime(), Tally { completed: 1, uploaded: 0, downloaded: 100 }, "not a second completion");
    again.wait(701).expire();
    assert_eq!(again.swarms.peers(), 1, "a peer's life goes on where it was");
}

#[test]
fn rule_23_sightings_of_the_future_are_clamped_to_now() {
    let mut house = House::new();
    let sighting = Sighting {
        info_hash: TORRENT,
        addr: "192.0.2.1:1".parse().expect("an address"),
        peer_id: PeerId([1; 20]),
        kind: Kind::Leecher,
        counted: false,
        uploaded: 0,
        downloaded: 0,
        at: Seconds(u64::MAX),
    };
    assert_eq!(house.swarms.restore([sighting], START), 1);
    house.wait(2701).expire();
    assert_eq!(house.swarms.peers(), 0);
}

#[test]
fn torrents_come_and_go_while_the_tracker_runs() {
    let mut house = House::new();
    house.announce(&leecher("192.0.2.1:1"));
    house.announce(&seed("192.0.2.1:1"));
    house.swarms.set_seed(&TORRENT, SeedState::Offered);
    let reloaded = house.swarms.set_torrents([OTHER, TORRENT, OTHER]);
    assert_eq!(reloaded, Reloaded { added: 1, removed: 0, left_out: 0 });
    assert_eq!(house.tallies(), (2, 0, 1), "who stays keeps peers and seed");
    let other = Announce { info_hash: OTHER, ..leecher("192.0.2.2:2") };
    house.announce(&other);

    assert_eq!(house.swarms.set_torrents([OTHER]), Reloaded { added: 0, removed: 1, left_out: 0 });
    assert_eq!((house.swarms.peers(), house.swarms.torrents()), (1, 1));
    let refusal = house.refusal(&leecher("192.0.2.1:1"));
    assert_eq!((refusal, refusal.retry()), (Refusal::Withdrawn, Retry::Never));
    assert_eq!(refusal.reason(), "this torrent was withdrawn by its publisher");
    assert!(!house.swarms.set_seed(&TORRENT, SeedState::Offered));
    assert_eq!(house.announce(&Announce { info_hash: OTHER, ..leecher("192.0.2.3:3") }), set(&["192.0.2.2:2"]));

    house.swarms.set_torrents([TORRENT, OTHER]);
    assert_eq!(house.tallies(), (0, 0, 1), "its counts come back with it");
    let all: BTreeSet<InfoHash> = house.swarms.statuses().map(|status| status.info_hash).collect();
    assert_eq!(all, BTreeSet::from([TORRENT, OTHER]));
}

#[test]
fn counts_of_a_torrent_that_is_no_longer_served_mark_it_as_withdrawn() {
    let mut house = House::new();
    house.swarms.restore_tally(OTHER, Tally { completed: 3, ..Tally::default() });
    assert_eq!(house.refusal(&Announce { info_hash: OTHER, ..leecher("192.0.2.1:1") }), Refusal::Withdrawn);
    house.swarms.set_torrents([OTHER]);
    assert_eq!(house.swarms.scrape(&OTHER).map(|counts| counts.downloaded), Some(3));
}

#[test]
fn swarms_have_their_maxima_and_answer_beyond_them() {
    let mut house = House::with(Options { peers_per_torrent_max: 3, peers_max: 4, ..Options::default() });
    house.swarms.set_torrents([TORRENT, OTHER]);
    for port in 1..=9 {
        house.announce(&leecher(&format!("192.0.2.1:{port}")));
    }
    assert_eq!(house.swarms.peers(), 3);
    assert_eq!(house.announce(&leecher("192.0.2.1:9")).len(), 3, "who is not stored is answered");
    assert_eq!(house.announce(&seed("192.0.2.1:1")).len(), 2, "who is stored stays");
    assert_eq!(house.tallies(), (1, 2, 1));
    for port in 1..=9 {
        house.announce(&Announce { info_hash: OTHER, ..leecher(&format!("192.0.2.1:{port}")) });
    }
    assert_eq!(house.swarms.peers(), 4);
    house.announce(&Announce { event: Event::Stopped, ..leecher("192.0.2.1:1") });
    assert_eq!(house.swarms.peers(), 3);
}

#[test]
fn torrents_beyond_the_maximum_are_left_out() {
    let mut house = House::with(Options { torrents_max: 2, ..Options::default() });
    let reloaded = house.swarms.set_torrents((0..5).map(|number| InfoHash([number; 20])));
    assert_eq!(reloaded, Reloaded { added: 2, removed: 1, left_out: 3 });
    assert_eq!(house.swarms.torrents(), 2);
}

#[test]
fn announces_come_between_while_many_torrents_are_reloaded() {
    let hash = |number: u32| {
        let mut hash = [7; 20];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        InfoHash(hash)
    };
    let mut house = House::new();
    // Pairs, as of hybrid torrents: the odd one is the v2 hash of the one before.
    let hybrid = |number: u32| {
        let mut v2 = [8; 32];
        v2[..20].copy_from_slice(&hash(2 * number + 1).0);
        InfoHashes::Hybrid(hash(2 * number), InfoHashV2(v2))
    };
    let in_force = |house: &mut House, numbers: std::ops::Range<u32>, first: u32| {
        let torrents = numbers.map(|number| (hybrid(number), Some(SeedState::Offered)));
        let mut reload = Reload::new(torrents, house.swarms.options());
        let mut calls = 0;
        while !house.swarms.reload(&mut reload) {
            calls += 1;
            house.wait(1);
            let stays = first + calls;
            // It completes in both swarms, and once.
            let addr = format!("192.0.2.7:{}", 1 + stays);
            for (number, left) in [(2 * stays, 9), (2 * stays, 0), (2 * stays + 1, 9), (2 * stays + 1, 0)] {
                let one = Announce { info_hash: hash(number), left, ..leecher(&addr) };
                let answered = house.swarms.announce(&one, house.now, &mut house.reply, &mut house.changes);
                assert!(answered.is_ok() || house.swarms.torrents() < 4000, "{number}: {answered:?}");
            }
        }
        (calls, reload.reloaded())
    };
    let (calls, reloaded) = in_force(&mut house, 0..2000, 1500);
    assert_eq!((calls, reloaded), (8, Reloaded { added: 4000, removed: 1, left_out: 0 }));
    house.changes.clear();
    let (calls, reloaded) = in_force(&mut house, 1000..2500, 1700);
    assert_eq!((calls, reloaded), (10, Reloaded { added: 1000, removed: 2000, left_out: 0 }));
    let completions = house.changes.iter().filter(|change| matches!(change, Change::Completed { .. })).count();
    assert_eq!(completions, 10, "one of each client");
    assert_eq!(house.swarms.torrents(), 3000);
    assert!(house.swarms.statuses().all(|status| status.seed == SeedState::Offered));
    let gone = Announce { info_hash: hash(1), ..leecher("192.0.2.1:1") };
    assert_eq!(house.refusal(&gone), Refusal::Withdrawn);
}
