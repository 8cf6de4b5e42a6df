//! What holds after any sequence of announces, reloads, expiries and jumps of the clock.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

#[derive(Debug, Clone)]
enum Step {
    Announce { announce: Box<Announce>, torrent: u8 },
    Torrents(u8),
    Seed(u8, bool),
    Expire,
    Clock(i64),
}

fn torrent(number: u8) -> InfoHash {
    InfoHash([number; 20])
}

fn announces() -> impl Strategy<Value = Announce> {
    let addr = (0_u8..40, any::<bool>(), 0_u16..3).prop_map(|(host, v6, port)| match (host, v6) {
        (0, false) => format!("127.0.0.1:{port}"),
        (_, false) => format!("192.0.2.{host}:{port}"),
        (_, true) => format!("[2001:db8::{host:x}]:{port}"),
    });
    let event = prop_oneof![
        4 => Just(Event::Update), 1 => Just(Event::Started), 1 => Just(Event::Completed), 2 => Just(Event::Stopped),
        1 => Just(Event::Paused),
    ];
    let families = prop_oneof![Just(Families::Both), Just(Families::V4), Just(Families::V6)];
    let left = prop_oneof![Just(0_u64), any::<u64>()];
    (addr, event, families, left, any::<u64>(), prop::option::of(0_u32..60), 0_u8..20, any::<[bool; 2]>()).prop_map(
        |(addr, event, families, left, uploaded, numwant, id, [held_back, named])| Announce {
            peer_id: if id == 0 { PeerId([0xee; 20]) } else { leecher(&addr).peer_id },
            event,
            families,
            left,
            uploaded,
            numwant,
            named,
            held_back: held_back && id == 1,
            ..leecher(&addr)
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        30 => (announces(), 0_u8..3).prop_map(|(announce, torrent)| Step::Announce { announce: Box::new(announce), torrent }),
        1 => (0_u8..8).prop_map(Step::Torrents),
        2 => (0_u8..3, any::<bool>()).prop_map(|(torrent, offered)| Step::Seed(torrent, offered)),
        2 => Just(Step::Expire),
        2 => prop_oneof![Just(600_i64), Just(-600), Just(3000), any::<i64>()].prop_map(Step::Clock),
    ];
    prop::collection::vec(step, 1..150)
}

/// The peers that a store would hold after `changes`.
fn replay(changes: &[Change]) -> HashMap<(InfoHash, SocketAddr), Sighting> {
    let mut peers = HashMap::new();
    for change in changes {
        match change {
            Change::Seen(sighting) => drop(peers.insert((sighting.info_hash, sighting.addr), sighting.clone())),
            Change::Gone { info_hash, addr, .. } => drop(peers.remove(&(*info_hash, *addr))),
            Change::Completed { .. } | Change::Moved { .. } => {}
        }
    }
    peers
}

fn check_reply(house: &House, announce: &Announce) -> Result<(), TestCaseError> {
    let given: Vec<(SocketAddr, Option<PeerId>)> = house.reply.v4.iter().chain(house.reply.v6.iter()).collect();
    let distinct: BTreeSet<SocketAddr> = given.iter().map(|(addr, _)| *addr).collect();
    prop_assert_eq!(distinct.len(), given.len(), "no peer stands twice");
    prop_assert!(given.len() <= announce.numwant.unwrap_or(50) as usize);
    prop_assert!(given.iter().all(|(addr, id)| *addr != announce.addr && *id != Some(announce.peer_id)));
    prop_assert!(given.iter().all(|(_, id)| id.is_some() == announce.named));
    prop_assert!(given.iter().all(|(addr, _)| addr.port() != 0));
    prop_assert!(announce.families.v4() || house.reply.v4.is_empty());
    prop_assert!(announce.families.v6() || house.reply.v6.is_empty());
    if announce.event == Event::Stopped {
        prop_assert!(given.is_empty());
    }
    prop_assert!((1620..=1980).contains(&house.reply.interval_secs));
    house.body(http::Form::Compact);
    house.body(http::Form::Dictionaries);
    Ok(())
}

proptest! {
    #[test]
    fn numbers_agree_whatever_happens(steps in steps()) {
        let mut house = House::with(Options {
            seed_addresses: vec![ip("203.0.113.1"), ip("2001:db8::5eed")],
            seed_port: 6881,
            seed_id: PeerId([0xee; 20]),
            ..Options::default()
        });
        house.swarms.set_torrents([0, 1, 2].map(torrent));
        let mut completed: HashMap<InfoHash, u64> = HashMap::new();
        for step in steps {
            match step {
                Step::Announce { announce, torrent: number } => {
                    let announce = Announce { info_hash: torrent(number), ..*announce };
                    let before = (house.swarms.peers(), house.changes.len());
                    if house.swarms.announce(&announce, house.now, &mut house.reply, &mut house.changes).is_ok() {
                        check_reply(&house, &announce)?;
                    } else {
                        prop_assert_eq!((house.swarms.peers(), house.changes.len()), before);
                    }
                }
                Step::Torrents(bits) => {
                    house.swarms.set_torrents((0..3).filter(|number| bits & 1 << number != 0).map(torrent));
                    // A store learns of withdrawn peers by their age.
                    let served: Vec<InfoHash> = house.swarms.statuses().map(|status| status.info_hash).collect();
                    house.changes.retain(|change| match change {
                        Change::Seen(Sighting { info_hash, .. }) | Change::Gone { info_hash, .. } => served.contains(info_hash),
                        Change::Completed { .. } | Change::Moved { .. } => true,
                    });
                }
                Step::Seed(number, offered) => {
                    let state = if offered { SeedState::Offered } else { SeedState::Withdrawn };
                    house.swarms.set_seed(&torrent(number), state);
                }
                Step::Expire => drop(house.swarms.expire(house.now, &mut house.changes)),
                Step::Clock(secs) => house.now = Seconds(house.now.0.saturating_add_signed(secs)),
            }
            let stored = replay(&house.changes);
            prop_assert_eq!(stored.len(), house.swarms.peers(), "the changes tell of every peer");
            for status in house.swarms.statuses() {
                let kinds = |kind| stored.values().filter(|peer| peer.info_hash == status.info_hash && peer.kind == kind).count() as u64;
                let everseed = u64::from(status.seed == SeedState::Offered);
                prop_assert_eq!(status.counts.complete, kinds(Kind::Seed) + everseed);
                prop_assert_eq!(status.counts.downloaders, kinds(Kind::Leecher));
                prop_assert_eq!(status.counts.incomplete, kinds(Kind::Leecher) + kinds(Kind::Partial));
                let former = completed.insert(status.info_hash, status.counts.downloaded).unwrap_or(0);
                prop_assert!(status.counts.downloaded >= former, "lifetime counts never go down");
            }
        }
        let told = house.changes.iter().filter(|change| matches!(change, Change::Completed { .. })).count() as u64;
        prop_assert_eq!(told, completed.values().sum::<u64>());

        // A restart from the changes gives the same swarms.
        let mut again = Swarms::new(house.swarms.options().clone(), 7);
        again.set_torrents(house.swarms.statuses().map(|status| status.info_hash));
        again.restore(replay(&house.changes).into_values(), Seconds(0));
        for status in house.swarms.statuses() {
            let counts = again.scrape(&status.info_hash).expect("served");
            prop_assert_eq!(counts.incomplete, status.counts.incomplete);
            prop_assert_eq!(counts.downloaders, status.counts.downloaders);
        }
    }
}
