//! Disks that do not answer, for a while or for one torrent of many.

use tokio::time::advance;

use super::super::test_house::{House, PIECE, Way};
use super::super::{Health, Options, READS_MAX, READS_OF_ONE_MAX};
use super::*;
use crate::id::PeerId;

/// A seed of torrents that have been looked at, each house on the device of its number.
async fn seed(houses: &[(&House, u64)]) -> Arc<Seed> {
    let seed = Seed::new(&Options::new(PeerId(*b"-ES0100-abcdefghijkl"), 6881));
    houses.iter().for_each(|(house, device)| house.obstacle().set_device(*device));
    seed.set_torrents(houses.iter().map(|(house, _)| house.torrent.clone()).collect());
    seed.look().await;
    seed
}

/// An empty mount point lies on the disk that it was made on.
#[tokio::test(start_paused = true)]
async fn a_folder_that_lies_on_another_disk_than_its_files_did_has_lost_it() {
    let [gone, here] = ["a", "b"].map(|name| House::new(&[(name, PIECE)]));
    // What is mounted in a test, only root may: the disk of the first one was another than that of its folder is now.
    let seed = seed(&[(&gone, u64::MAX), (&here, 0)]).await;
    let has_lost = |house: &House| seed.has_lost_its_disk(&house.torrent.info_hash());
    assert_eq!([has_lost(&gone), has_lost(&here)], [true, false]);
    std::fs::remove_dir_all(here.path("")).expect("removed");
    assert!(!has_lost(&here), "its folder is gone, and that in which it lay is on the same disk");
}

fn entry(seed: &Seed, house: &House) -> Arc<Entry> {
    seed.entry(&house.torrent.info_hash()).expect("it is seeded")
}

async fn read(seed: &Arc<Seed>, entry: &Arc<Entry>) -> Result<(), Refused> {
    seed.read_for_peer(entry, |entry| disk::verify_piece(entry, 0)).await.and_then(|outcome| outcome)
}

/// Waits until so many threads hang at the disks of `houses`, and then for as long as a disk may take, until the seed
/// knows of it.
async fn stall(seed: &Seed, houses: &[impl std::borrow::Borrow<House>], threads: usize) {
    while houses.iter().map(|house| house.borrow().obstacle().waiting()).sum::<usize>() < threads {
        // What paces itself gets its milliseconds.
        advance(Duration::from_micros(10)).await;
    }
    while seed.disks.stuck().values().sum::<usize>() < threads {
        // Timers go off at whole milliseconds.
        advance(ANSWER_WITHIN + Duration::from_millis(2)).await;
        // Each task that waited for that takes in what it means before more time passes.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

/// Waits until a torrent stands so; no time passes.
async fn until(seed: &Seed, house: &House, is_there: impl Fn(Health) -> bool) {
    let mut changes = seed.changes();
    while !seed.health(&house.torrent.info_hash()).is_some_and(&is_there) {
        changes.changed().await.expect("the seed lives");
    }
}

/// Waits until the disk of a torrent answers. Whether what was read then counts depends on when it was begun.
async fn answers(seed: &Seed, house: &House) {
    until(seed, house, |health| health <= Health::Verifying).await;
}

#[tokio::test(start_paused = true)]
async fn a_torrent_whose_disk_stalls_is_told_and_withdrawn_and_others_are_read_on() {
    let [stalled, other] = ["a", "b"].map(|name| House::new(&[(name, PIECE)]));
    let seed = seed(&[(&stalled, 1), (&other, 2)]).await;
    let (a, b) = (entry(&seed, &stalled), entry(&seed, &other));
    let mut offers = a.offers();
    stalled.obstacle().set(Way::ReadsHang);
    let waiting = (0..READS_OF_ONE_MAX + 3).map(|_| {
        let (seed, a) = (Arc::clone(&seed), Arc::clone(&a));
        tokio::spawn(async move { read(&seed, &a).await })
    });
    let waiting: Vec<_> = waiting.collect();
    tokio::task::yield_now().await;
    assert_eq!(read(&seed, &b).await, Ok(()));
    stall(&seed, &[&stalled], READS_OF_ONE_MAX).await;
    for one in waiting {
        assert_eq!(one.await.expect("no panic"), Err(Refused::Silent), "those that wait for a place as well");
    }
    let status = a.status();
    assert_eq!((status.health, status.pieces_bad), (Health::Missing, 0));
    assert_eq!(status.faults, ["media/a does not answer: reading takes more than 5 s"]);
    assert!(offers.borrow_and_update().as_ref().is_some_and(|have| have.none()), "nothing of it can be sent");
    assert_eq!(read(&seed, &a).await, Err(Refused::Silent), "at once");
    assert_eq!(read(&seed, &b).await, Ok(()));
    assert_eq!(seed.reads.available_permits(), READS_MAX, "no place is taken");

    stalled.obstacle().set(Way::Free);
    answers(&seed, &stalled).await;
    assert!(offers.borrow_and_update().as_ref().is_some_and(|have| have.all()));
    assert_eq!((read(&seed, &a).await, a.status().faults), (Ok(()), Vec::new()));
    assert!(seed.disks.stuck().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stall_is_found_also_where_the_peer_that_met_it_has_left() {
    let house = House::new(&[("a", PIECE), ("b", PIECE)]);
    let seed = seed(&[(&house, 1)]).await;
    house.obstacle().set(Way::ReadsHang);
    let a = entry(&seed, &house);
    let reading = tokio::spawn({
        let (seed, a) = (Arc::clone(&seed), Arc::clone(&a));
        async move { read(&seed, &a).await }
    });
    while house.obstacle().waiting() == 0 {
        tokio::task::yield_now().await;
    }
    reading.abort();
    stall(&seed, &[&house], 1).await;
    until(&seed, &house, |health| health == Health::Missing).await;
    assert_eq!(a.status().faults, ["its files do not answer: reading takes more than 5 s"]);
    assert_eq!(seed.reads.available_permits(), READS_MAX);
    house.obstacle().set(Way::Free);
    answers(&seed, &house).await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_reads_slowly_is_waited_for() {
    let house = House::new(&[("a", PIECE)]);
    let seed = seed(&[(&house, 1)]).await;
    let a = entry(&seed, &house);
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let reading = tokio::spawn({
        let (seed, a) = (Arc::clone(&seed), Arc::clone(&a));
        async move {
            seed.read_for_peer(&a, move |entry| {
                while told.recv().is_ok() {
                    entry.beat();
                }
            })
            .await
        }
    });
    for _ in 0..10 {
        // Who waits for it has seen how far it is.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let pulse = a.pulse();
        tell.send(()).expect("it reads");
        while a.pulse() == pulse {
            tokio::task::yield_now().await;
        }
        advance(ANSWER_WITHIN).await;
    }
    drop(tell);
    assert_eq!((reading.await.expect("no panic"), a.health()), (Ok(()), Health::Verifying));
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_slow_to_tell_of_many_files_is_waited_for() {
    let house = House::new(&["a", "b", "c", "d", "e"].map(|name| (name, PIECE)));
    let seed = seed(&[(&house, 1)]).await;
    let entry = entry(&seed, &house);
    for of_all in [true, false] {
        house.obstacle().set(Way::LooksHang);
        let looking = tokio::spawn({
            let (seed, entry) = (Arc::clone(&seed), Arc::clone(&entry));
            async move {
                if of_all {
                    seed.look().await;
                } else {
                    seed.read_by_itself(&entry, disk::look).await.expect("it answers");
                }
            }
        });
        // All of them together take longer than a disk may take for one.
        for _ in 0..4 {
            while house.obstacle().waiting() == 0 {
                tokio::task::yield_now().await;
            }
            advance(ANSWER_WITHIN * 4 / 5).await;
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            let pulse = entry.pulse();
            house.obstacle().set(Way::OneLooks);
            while entry.pulse() == pulse {
                tokio::task::yield_now().await;
            }
        }
        house.obstacle().set(Way::Free);
        looking.await.expect("no panic");
        assert!(seed.disks.stuck().is_empty());
        assert_eq!(entry.health(), Health::Verifying);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hung_mount_is_passed_over_by_the_look_and_told_of_all_its_torrents() {
    let houses = ["a", "b", "c", "d"].map(|name| House::new(&[(name, PIECE)]));
    let seed = seed(&[(&houses[0], 1), (&houses[1], 1), (&houses[2], 2), (&houses[3], 1)]).await;
    houses[0].obstacle().set(Way::LooksHang);
    // Nobody but the first look finds out, as the others are not asked any more.
    let look = tokio::spawn({
        let seed = Arc::clone(&seed);
        async move { seed.look().await }
    });
    stall(&seed, &houses, 1).await;
    look.await.expect("no panic");
    seed.look().await;
    let health = |n: usize| seed.health(&houses[n].torrent.info_hash());
    let expected = [Health::Missing, Health::Missing, Health::Verifying, Health::Missing];
    assert_eq!([0, 1, 2, 3].map(health), expected.map(Some));
    let why = |n: usize| entry(&seed, &houses[n]).status().faults;
    assert_eq!(why(3), ["media/d does not answer: reading takes more than 5 s"]);
    assert_eq!(read(&seed, &entry(&seed, &houses[1])).await, Err(Refused::Silent));

    houses[0].obstacle().set(Way::Free);
    while !seed.disks.stuck().is_empty() {
        tokio::task::yield_now().await;
    }
    seed.look().await;
    assert_eq!([0, 1, 2, 3].map(health), [Some(Health::Verifying); 4]);
}

#[tokio::test(start_paused = true)]
async fn of_a_disk_that_stalls_no_more_is_asked_than_its_bound() {
    let houses: Vec<_> = (0..6).map(|n| House::new(&[(&format!("f{n}"), PIECE)])).collect();
    let mut on_devices: Vec<_> = houses.iter().map(|house| (house, 1)).collect();
    on_devices[5].1 = 2;
    let seed = seed(&on_devices).await;
    let entries: Vec<_> = houses.iter().map(|house| entry(&seed, house)).collect();
    houses[..5].iter().for_each(|house| house.obstacle().set(Way::ReadsHang));
    let mut waiting = Vec::new();
    for entry in &entries[..4] {
        for _ in 0..READS_OF_ONE_MAX {
            let (seed, entry) = (Arc::clone(&seed), Arc::clone(entry));
            waiting.push(tokio::spawn(async move { read(&seed, &entry).await }));
        }
    }
    assert_eq!(waiting.len(), STUCK_OF_A_DISK_MAX);
    stall(&seed, &houses, STUCK_OF_A_DISK_MAX).await;
    for one in waiting {
        assert_eq!(one.await.expect("no panic"), Err(Refused::Silent));
    }
    assert_eq!(seed.disks.stuck().clone(), HashMap::from([(1, STUCK_OF_A_DISK_MAX)]));
    assert_eq!(read(&seed, &entries[4]).await, Err(Refused::Silent), "nothing of it has been tried");
    assert_eq!(read(&seed, &entries[5]).await, Ok(()));
    houses[..5].iter().for_each(|house| house.obstacle().set(Way::Free));
    for house in &houses[..4] {
        answers(&seed, house).await;
    }
    assert_eq!(read(&seed, &entries[4]).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_verification_of_others_does_not_wait_for_a_stalled_disk() {
    let [stalled, other] = ["a", "b"].map(|name| House::new(&[(name, PIECE)]));
    let seed = seed(&[(&stalled, 1), (&other, 2)]).await;
    // So that what is read counts.
    advance(Duration::from_secs(3)).await;
    stalled.obstacle().set(Way::ReadsHang);
    let tasks = [
        tokio::spawn(Arc::clone(&seed).look_again_and_again()),
        tokio::spawn(Arc::clone(&seed).verify_what_is_unknown()),
    ];
    stall(&seed, &[&stalled], 1).await;
    until(&seed, &other, |health| health == Health::Verified).await;
    until(&seed, &stalled, |health| health == Health::Missing).await;
    stalled.obstacle().set(Way::Free);
    until(&seed, &stalled, |health| health == Health::Verified).await;
    tasks.iter().for_each(JoinHandle::abort);
}
