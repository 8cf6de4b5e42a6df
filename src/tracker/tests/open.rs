//! An open tracker: any torrent within its maxima, and a closed one that no stranger can fill.

use super::*;

fn house(options: Options) -> House {
    let open = options.open.or(Some(Open::default()));
    House::with(Options { open, ..options })
}

fn open_to(torrents_max: usize, peers_per_address_max: u16) -> Options {
    Options { open: Some(Open { torrents_max, peers_per_address_max }), ..Options::default() }
}

/// The torrent of a stranger.
fn stranger(number: u32) -> InfoHash {
    let mut hash = [0x77; 20];
    hash[..4].copy_from_slice(&number.to_be_bytes());
    InfoHash(hash)
}

fn of(info_hash: InfoHash, mut announce: Announce) -> Announce {
    announce.info_hash = info_hash;
    announce
}

fn is_tracked(house: &House, number: u32) -> bool {
    house.swarms.scrape(&stranger(number)).is_some()
}

#[test]
fn any_torrent_is_tracked_until_its_last_peer_is_gone_and_no_store_hears_of_it() {
    let mut house = house(Options::default());
    house.announce(&of(stranger(1), leecher("192.0.2.1:1")));
    assert_eq!(house.announce(&of(stranger(1), leecher("192.0.2.2:2"))), set(&["192.0.2.1:1"]));
    house.announce(&of(stranger(1), Announce { downloaded: 50, ..seed("192.0.2.2:2") }));
    assert_eq!(
        house.swarms.scrape(&stranger(1)),
        Some(Counts { complete: 1, incomplete: 1, downloaders: 1, downloaded: 1 })
    );
    assert_eq!((house.swarms.open(), house.swarms.torrents(), house.swarms.peers()), ((1, 2), 1, 2));
    assert!(house.swarms.statuses().all(|status| status.info_hash == TORRENT), "a status page names the site's alone");
    assert_eq!(house.swarms.status(&stranger(1)), None);
    house.announce(&of(stranger(1), Announce { event: Event::Stopped, ..leecher("192.0.2.1:1") }));
    house.wait(2701).expire();
    assert!(!is_tracked(&house, 1));
    assert_eq!((house.swarms.open(), house.swarms.peers()), ((0, 0), 0));

    house.announce(&of(stranger(2), leecher("192.0.2.1:1")));
    house.announce(&of(stranger(2), Announce { event: Event::Stopped, ..leecher("192.0.2.1:1") }));
    assert_eq!(house.swarms.open(), (0, 0), "also when it says that it goes");
    assert_eq!(house.changes, []);
}

#[test]
fn who_cannot_be_stored_begins_no_torrent_and_is_answered() {
    let mut house = house(Options { seed_port: 1, seed_id: PeerId([9; 20]), ..Options::default() });
    let one = leecher("192.0.2.1:1");
    for announce in [
        leecher("192.0.2.1:0"),
        Announce { held_back: true, ..one.clone() },
        Announce { event: Event::Stopped, ..one.clone() },
        Announce { peer_id: PeerId([9; 20]), ..one },
    ] {
        house.reply.counts.complete = 7;
        assert!(house.announce(&of(stranger(1), announce)).is_empty());
        assert_eq!(house.reply.counts, Counts::default());
        assert!((1620..=1980).contains(&house.reply.interval_secs));
        assert_eq!(house.swarms.open(), (0, 0));
    }
}

#[test]
fn beyond_the_maximum_the_oldest_torrent_without_seeds_goes() {
    let mut house = house(open_to(3, 32));
    house.announce(&leecher("192.0.2.1:1"));
    house.announce(&of(stranger(0), seed("192.0.2.1:1")));
    house.announce(&of(stranger(1), leecher("192.0.2.1:1")));
    house.announce(&of(stranger(2), leecher("192.0.2.1:1")));
    house.announce(&of(stranger(3), leecher("192.0.2.1:1")));
    assert_eq!((0..4).map(|number| is_tracked(&house, number)).collect::<Vec<_>>(), [true, false, true, true]);
    house.announce(&of(stranger(2), leecher("192.0.2.2:1")));
    house.announce(&of(stranger(4), leecher("192.0.2.1:1")));
    assert!(is_tracked(&house, 2) && !is_tracked(&house, 3), "one that was heard again is passed over");
    house.announce(&of(stranger(4), seed("192.0.2.1:1")));
    house.announce(&of(stranger(2), seed("192.0.2.1:1")));
    let refusal = house.refusal(&of(stranger(5), leecher("192.0.2.1:1")));
    assert_eq!((refusal, refusal.retry()), (Refusal::Full, Retry::Minutes(60)), "all have seeds");
    house.announce(&of(stranger(0), Announce { event: Event::Stopped, ..seed("192.0.2.1:1") }));
    house.announce(&of(stranger(5), leecher("192.0.2.1:1")));
    house.announce(&of(stranger(4), leecher("192.0.2.1:1")));
    house.announce(&of(stranger(6), leecher("192.0.2.1:1")));
    assert!(!is_tracked(&house, 5) && is_tracked(&house, 4), "it was put behind when its seed went");
    assert_eq!(house.tallies(), (0, 1, 0), "a torrent of the site stays");
}

#[test]
fn room_for_a_peer_is_made_among_the_torrents_of_strangers() {
    let mut house = house(Options { peers_max: 4, ..Options::default() });
    for number in 0..4 {
        house.announce(&of(stranger(number), leecher("192.0.2.1:1")));
    }
    house.announce(&of(stranger(0), leecher("192.0.2.1:1")));
    assert_eq!(house.swarms.open(), (4, 4), "who is known needs no room");
    house.announce(&of(stranger(3), leecher("192.0.2.2:2")));
    assert_eq!(house.swarms.open(), (3, 4));
    assert!(!is_tracked(&house, 1));
    house.announce(&leecher("192.0.2.1:1"));
    house.announce(&leecher("192.0.2.2:1"));
    assert!(house.swarms.peers() <= 4);
    assert_eq!(house.tallies(), (0, 2, 0));
    for number in 10..20 {
        house.announce(&of(stranger(number), leecher("192.0.2.1:1")));
        house.announce(&of(stranger(number), seed("192.0.2.1:1")));
        if house.swarms.peers() == 4 {
            break;
        }
    }
    for host in 1..=4 {
        house.announce(&leecher(&format!("192.0.2.{host}:1")));
    }
    assert_eq!((house.tallies(), house.swarms.open()), ((0, 4, 0), (0, 0)), "the site comes before seeded ones");
    assert_eq!(house.refusal(&of(stranger(9), leecher("192.0.2.9:9"))), Refusal::Full);
    house.announce(&leecher("192.0.2.5:1"));
    assert_eq!(house.swarms.peers(), 4);
}

#[test]
fn an_address_is_a_few_peers_of_a_torrent_at_most() {
    let mut house = house(open_to(9, 3));
    for port in 1..=60 {
        for host in ["192.0.2.1", "[2001:db8::1]", "192.0.2.2"] {
            house.announce(&of(stranger(1), leecher(&format!("{host}:{port}"))));
        }
        house.announce(&of(stranger(1), leecher(&format!("[2001:db8::{port}]:1"))));
        house.announce(&of(stranger(1), leecher(&format!("10.0.0.{port}:1"))));
    }
    assert_eq!(house.swarms.open(), (1, 3 + 3 + 3 + 60), "one network of IPv6 is one address");
    house.announce(&of(stranger(1), seed("192.0.2.1:2")));
    assert_eq!(house.swarms.scrape(&stranger(1)).map(|counts| counts.complete), Some(1), "who is known is heard");
}

#[test]
fn a_torrent_that_the_site_takes_up_keeps_its_peers() {
    let mut house = house(Options::default());
    house.announce(&of(stranger(0), leecher("192.0.2.1:1")));
    house.announce(&of(OTHER, leecher("192.0.2.1:1")));
    house.announce(&of(OTHER, seed("192.0.2.1:1")));
    house.announce(&of(stranger(1), leecher("192.0.2.1:1")));
    assert_eq!(house.swarms.set_torrents([TORRENT, OTHER]), Reloaded { added: 1, removed: 0, left_out: 0 });
    assert_eq!((house.swarms.torrents(), house.swarms.open(), house.swarms.peers()), (2, (2, 2), 3));
    let status = house.swarms.status(&OTHER).expect("of the site");
    assert_eq!((status.counts.complete, status.lifetime.completed), (1, 1));
    house.swarms.set_torrents([TORRENT]);
    assert_eq!(house.refusal(&of(OTHER, leecher("192.0.2.1:1"))), Refusal::Withdrawn);
    assert_eq!(house.swarms.open(), (2, 2));
    assert!(is_tracked(&house, 0) && is_tracked(&house, 1));
}

/// What the list of the oldest holds is what it should hold, whatever was taken out of its middle.
#[test]
fn torrents_of_strangers_come_and_go_in_any_order() {
    let mut house = house(open_to(50, 4));
    let mut random = random::Random::new(5);
    for step in 0..20_000 {
        let announce = of(stranger(random.below(90)), leecher(&format!("192.0.2.{}:1", 1 + random.below(3))));
        let announce = match random.below(6) {
            0 => Announce { left: 0, ..announce },
            1 => Announce { event: Event::Stopped, ..announce },
            _ => announce,
        };
        let answered = house.swarms.announce(&announce, house.now, &mut house.reply, &mut house.changes);
        assert!(matches!(answered, Ok(()) | Err(Refusal::Full)));
        if step % 97 == 0 {
            house.wait(500);
            house.swarms.expire(house.now, &mut house.changes);
        }
        let counts: Vec<Counts> = (0..90).filter_map(|number| house.swarms.scrape(&stranger(number))).collect();
        let peers: u64 = counts.iter().map(|counts| counts.complete + counts.incomplete).sum();
        assert_eq!((counts.len(), usize::try_from(peers).expect("few")), house.swarms.open());
        assert!(counts.len() <= 50 && counts.iter().all(|counts| counts.complete + counts.incomplete > 0));
    }
    // Whoever is left goes when room is needed, but those with seeds.
    let seeded =
        (0..90).filter_map(|number| house.swarms.scrape(&stranger(number))).filter(|it| it.complete > 0).count();
    for number in 1000..1100 {
        house.announce(&of(stranger(number), leecher("192.0.2.1:1")));
    }
    let left = (0..90).filter(|&number| is_tracked(&house, number)).count();
    assert_eq!((left, house.swarms.open().0), (seeded, 50));
    house.wait(2701).expire();
    assert_eq!((house.swarms.open(), house.changes.len()), ((0, 0), 0));
}

#[test]
fn a_closed_tracker_keeps_nothing_of_torrents_it_does_not_serve() {
    let mut house = House::new();
    house.refusal(&of(stranger(99_999), leecher("192.0.2.1:1")));
    let before = format!("{:?}", house.swarms);
    for number in 0..20_000 {
        assert_eq!(house.refusal(&of(stranger(number), leecher("192.0.2.1:1"))), Refusal::NotServed);
    }
    assert_eq!((house.swarms.peers(), house.swarms.open(), house.changes.len()), (0, (0, 0), 0));
    assert!(format!("{:?}", house.swarms) == before, "nothing of it is left anywhere");
}
