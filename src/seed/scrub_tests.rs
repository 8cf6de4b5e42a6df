//! Months of reading media again, in a moment.

use std::fs;
use std::num::NonZeroU64;

use tokio::task::JoinHandle;

use super::super::test_house::{House, PIECE, Way};
use super::super::{DamageKind, Health, Options, Verdict};
use super::*;
use crate::fingerprint::Fingerprint;
use crate::id::PeerId;

const DAY: Duration = Duration::from_secs(24 * 3600);
const MIB: u64 = 1 << 20;

fn scrub(days: u32, bytes_per_sec: u64) -> Scrub {
    Scrub { period: days * DAY, bytes_per_sec: NonZeroU64::new(bytes_per_sec).expect("it is not 0") }
}

/// A seed whose torrents have been looked at and not read, and its scrub.
async fn seed(houses: &[House], scrub: Scrub) -> (Arc<Seed>, JoinHandle<()>) {
    let mut options = Options::new(PeerId(*b"-ES0100-abcdefghijkl"), 6881);
    options.limits.scrub = Some(scrub);
    let seed = Seed::new(&options);
    seed.set_torrents(houses.iter().map(|house| house.torrent.clone()).collect());
    seed.look().await;
    let task = tokio::spawn(Arc::clone(&seed).scrub_again_and_again());
    (seed, task)
}

fn state(seed: &Seed, house: &House) -> ScrubState {
    seed.status(&house.torrent.info_hash()).expect("it is seeded").scrub
}

/// Lets time pass until a torrent has been read as a whole, and returns how many hours that took.
async fn scrubbed(seed: &Seed, house: &House) -> u64 {
    let began = Instant::now();
    loop {
        let done = seed.take_scrubs().iter().any(|scrubbed| scrubbed.info_hash == house.torrent.info_hash());
        if done {
            return began.elapsed().as_secs() / 3600;
        }
        sleep(Duration::from_secs(600)).await;
    }
}

#[test]
fn turns_are_spread_over_the_period_by_size_and_the_oldest_is_next() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let turn = |candidates: &[(u64, Option<u64>)], scrub: &Scrub| {
        let candidates: Vec<_> =
            candidates.iter().map(|&(mib, ago)| Candidate { bytes: mib * MIB, ago: ago.map(hours) }).collect();
        let turn = plan(&candidates, scrub)?;
        Some((turn.index, turn.wait.as_secs().div_ceil(3600), turn.bytes_per_sec))
    };
    let month = scrub(30, 32 * MIB);
    assert_eq!(turn(&[], &month), None);
    // 684 hours are the whole share of one alone; its turn takes a day of it.
    assert_eq!(turn(&[(1024, None)], &month), Some((0, 0, 12427)));
    assert_eq!(turn(&[(1024, Some(0))], &month), Some((0, 660, 12427)));
    assert_eq!(turn(&[(1024, Some(600))], &month), Some((0, 60, 12427)));
    // Overdue ones are read as fast as they may be.
    assert_eq!(turn(&[(1024, Some(720)), (1, Some(0))], &month), Some((0, 0, 32 * MIB)));
    // Of hundred equal ones each has some seven hours, which its turn takes.
    let mut many = vec![(1024, Some(100)); 100];
    many[7].1 = Some(300);
    assert_eq!(turn(&many, &month), Some((7, 0, 43605)));
    many[9].1 = None;
    assert_eq!(turn(&many, &month).map(|turn| turn.0), Some(9), "what was never read comes first");
    // Never faster than the operator allows, if that takes longer than the period.
    assert_eq!(turn(&many, &scrub(30, 1000)), Some((9, 0, 1000)));
    // And an empty torrent takes no time.
    assert_eq!(turn(&[(0, None), (1024, Some(1))], &month), Some((0, 0, 1)));
}

#[tokio::test(start_paused = true)]
async fn all_torrents_are_read_within_the_period_again_and_again() {
    let houses = ["a", "b", "c", "d"].map(|name| House::new(&[(name, PIECE * 2)]));
    let (seed, task) = seed(&houses, scrub(4, 1 << 30)).await;
    let mut days: Vec<Vec<u64>> = vec![Vec::new(); 4];
    for hour in 0..8 * 24 {
        for scrubbed in seed.take_scrubs() {
            assert_eq!(scrubbed.bad_pieces, 0);
            let is_it = |house: &House| house.torrent.info_hash() == scrubbed.info_hash;
            days[houses.iter().position(is_it).expect("one of them")].push(hour / 24);
        }
        sleep(Duration::from_secs(3600)).await;
    }
    days.sort();
    assert_eq!(days, [[0, 4], [1, 5], [2, 6], [3, 7]], "one each day, in turn");
    let statuses = seed.statuses(|_| true);
    assert!(statuses.iter().all(|(_, status)| status.health == Health::Verified && status.scrub.last.is_some()));
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn a_long_turn_shows_how_far_it_is_and_goes_on_at_its_pace() {
    let house = [House::new(&[("a", PIECE * 192)])];
    let (seed, task) = seed(&house, scrub(30, 1 << 30)).await;
    assert_eq!(state(&seed, &house[0]), ScrubState::default());
    let mut shown = Vec::new();
    for _ in 0..25 {
        sleep(Duration::from_secs(3600)).await;
        let progress = state(&seed, &house[0]).progress;
        if progress != shown.last().copied() {
            shown.extend(progress);
        }
    }
    // It has a whole month, and takes a day.
    assert_eq!(shown, [(64, 192), (128, 192), (192, 192)]);
    let done = state(&seed, &house[0]);
    assert_eq!((done.progress, done.last.map(|(_, bad)| bad)), (None, Some(0)));
    assert_eq!(seed.take_scrubs().len(), 1);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn what_a_former_run_has_read_is_not_read_before_its_time() {
    let house = [House::new(&[("a", PIECE)])];
    let (seed, task) = seed(&house, scrub(30, 1 << 30)).await;
    let info_hash = house[0].torrent.info_hash();
    seed.remember_scrubs(&[Scrubbed { info_hash, ago: 10 * DAY, bad_pieces: 3 }]);
    // It had begun with it, not knowing better.
    scrubbed(&seed, &house[0]).await;
    seed.remember_scrubs(&[Scrubbed { info_hash, ago: 10 * DAY, bad_pieces: 3 }]);
    let last = state(&seed, &house[0]).last.expect("remembered");
    assert_eq!((last.0.as_secs() / 3600, last.1), (240, 3));
    assert_eq!(seed.take_scrubs(), [], "it is known");
    let hours = scrubbed(&seed, &house[0]).await;
    assert!((18 * 24..20 * 24).contains(&hours), "{hours} hours");
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn decay_is_found_though_the_file_looks_as_it_did() {
    let house = [House::new(&[("a", PIECE * 3), ("b", PIECE)])];
    let mut bytes = fs::read(house[0].path("a")).expect("a file");
    bytes[PIECE * 2] ^= 4;
    fs::write(house[0].path("a"), bytes).expect("written");
    let mut options = Options::new(PeerId(*b"-ES0100-abcdefghijkl"), 6881);
    options.limits.scrub = Some(scrub(30, 1 << 30));
    let seed = Seed::new(&options);
    // As if it had matched when it looked as it does now.
    let verdicts = ["a", "b"].map(|name| {
        let path = house[0].path(name);
        let fingerprint = Fingerprint::of(&fs::metadata(&path).expect("a file"));
        Verdict { info_hash: house[0].torrent.info_hash(), path, fingerprint, is_damaged: false }
    });
    seed.remember(verdicts.into());
    seed.set_torrents(vec![house[0].torrent.clone()]);
    seed.look().await;
    let info_hash = house[0].torrent.info_hash();
    assert_eq!(seed.health(&info_hash), Some(Health::Verified));
    let task = tokio::spawn(Arc::clone(&seed).scrub_again_and_again());
    scrubbed(&seed, &house[0]).await;
    let status = seed.status(&info_hash).expect("it is seeded");
    assert_eq!((status.health, status.scrub.last.map(|(_, bad)| bad)), (Health::Degraded, Some(1)));
    assert_eq!(status.faults, ["media/a differs from its torrent in 1 of 3 pieces"]);
    let damage = seed.damage(&info_hash).expect("there is some");
    assert_eq!(
        (damage.files[0].kind, damage.files[0].bad_pieces.clone()),
        (DamageKind::Decayed, std::iter::once(2..3).collect())
    );
    assert!(seed.take_verdicts().iter().any(|verdict| verdict.is_damaged), "also after a restart");
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_passed_over_and_others_are_read() {
    let houses = ["a", "b", "c"].map(|name| House::new(&[(name, PIECE), (&format!("{name}2"), PIECE)]));
    houses[0].files.iter().for_each(|(name, _)| fs::remove_file(houses[0].path(name)).expect("removed"));
    fs::remove_file(houses[1].path("b")).expect("removed");
    houses[2].obstacle().set(Way::ReadsFail(5));
    let (seed, task) = seed(&houses, scrub(3, 1 << 30)).await;
    sleep(4 * DAY).await;
    let bad = |n: usize| state(&seed, &houses[n]).last.map(|(_, bad)| bad);
    assert_eq!([0, 1, 2].map(bad), [None, Some(1), Some(2)], "nothing, all that is there, and what fails");
    houses[2].obstacle().set(Way::Free);
    houses[0].restore();
    seed.look().await;
    sleep(4 * DAY).await;
    assert_eq!([0, 1, 2].map(bad), [Some(0), Some(1), Some(0)]);
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn where_it_is_not_wanted_nothing_is_read() {
    let house = House::new(&[("a", PIECE)]);
    let mut options = Options::new(PeerId(*b"-ES0100-abcdefghijkl"), 6881);
    options.limits.scrub = None;
    let seed = Seed::new(&options);
    seed.set_torrents(vec![house.torrent.clone()]);
    seed.look().await;
    let task = tokio::spawn(Arc::clone(&seed).scrub_again_and_again());
    sleep(100 * DAY).await;
    assert_eq!((seed.take_scrubs(), task.is_finished()), (Vec::new(), false));
    task.abort();
}
