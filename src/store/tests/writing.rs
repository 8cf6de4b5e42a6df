//! What is written is found again, once; what cannot be written waits.

use super::pending::{Place, Row};
use super::*;
use rusqlite::Connection;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

fn quiet(store: Store) -> Writer {
    let options = WriterOptions { flush_every: LONG, ..WriterOptions::default() };
    Writer::start(store, options, |_| ()).expect("starts")
}

#[test]
fn rule_23_a_restart_finds_the_peers_and_the_counts() {
    let house = House::new();
    let mut store = house.open();
    let seen = (0..2000).map(|number| Change::Seen(sighting(number)));
    let mut changes = batch(seen.chain([gone(7), gone(9999), completed(3), moved(500, 600)]));
    changes.sent(TORRENT, 77);
    changes.web_sent(TORRENT, 88);
    store.append(&changes).expect("written");
    drop(store);
    let loaded = house.load();
    let expected = (0..2000).filter(|&number| number != 7).map(sighting).collect();
    assert_eq!(sorted(loaded.peers), sorted(expected));
    let lifetime = Lifetime { completed: 3, uploaded: 500, downloaded: 600, sent: 77, web_sent: 88 };
    assert_eq!(loaded.lifetimes, [(TORRENT, lifetime)]);
}

#[test]
fn a_batch_written_twice_or_late_changes_nothing() {
    let house = House::new();
    let mut store = house.open();
    let (former, latter) = (batch([completed(3), moved(5, 6)]), batch([completed(4), moved(9, 9)]));
    for batch in [&former, &latter, &latter, &former] {
        store.append(batch).expect("written");
    }
    let expected = Lifetime { completed: 4, uploaded: 9, downloaded: 9, ..Lifetime::default() };
    assert_eq!(store.load(NOW).expect("loads").lifetimes, [(TORRENT, expected)]);
}

#[test]
fn a_batch_holds_a_peer_once_and_its_latest_state() {
    let changes = (0..1000).map(|uploaded| Change::Seen(Sighting { uploaded, ..sighting(1) }));
    let mut newer = batch(changes);
    assert_eq!(newer.len(), 1);
    assert_eq!(newer.latest(), sighting(1).at);
    let older = batch([Change::Seen(sighting(1)), gone(2), completed(5), gone(4)]);
    newer.change(&completed(4));
    assert_eq!(newer.absorb_older(older, 2, 2), 1, "what has no room is counted");
    let kept = newer.peers.get(&Place::new(TORRENT, sighting(1).addr)).and_then(|row| row.seen);
    assert_eq!(kept.map(|seen| seen.uploaded), Some(999));
    assert_eq!((newer.peers.len(), newer.lifetimes[&TORRENT].completed, newer.latest()), (2, 5, NOW));
}

#[test]
fn the_largest_counts_saturate() {
    let house = House::new();
    let mut store = house.open();
    store.append(&batch([completed(u64::MAX), moved(u64::MAX, 1)])).expect("written");
    let lifetime = store.load(NOW).expect("loads").lifetimes[0].1;
    assert_eq!((lifetime.completed, lifetime.uploaded), (i64::MAX as u64, i64::MAX as u64));
}

#[test]
fn peers_that_were_not_heard_for_a_day_are_not_kept() {
    let house = House::new();
    let mut store = house.open();
    store.append(&batch([Change::Seen(sighting(1)), Change::Seen(sighting(2))])).expect("written");
    let later = Seconds(NOW.0 - 1 + PEER_KEPT_SECS);
    assert_eq!(store.load(later).expect("loads").peers, [sighting(1)]);
    store
        .append(&batch([Change::Completed { info_hash: TORRENT, addr: sighting(0).addr, completed: 1, at: later }]))
        .expect("written");
    assert_eq!(store.load(NOW).expect("loads").peers, [sighting(1)]);
}

#[test]
fn rule_23_the_series_is_bounded_by_days() {
    let house = House::new();
    let mut store = house.open();
    let days = 63;
    for hours in 0..days * 8 {
        let mut batch = Batch::default();
        for step in hours * 18..(hours + 1) * 18 {
            // Two samples of one bucket are one row.
            batch.sample(sample(step * 600, step % 100, step));
            batch.sample(sample(step * 600 + 300, 1 + step % 100, step));
            batch.total(point(step * 600, step % 100, step));
            batch.total(point(step * 600 + 300, 1 + step % 100, step));
        }
        store.append(&batch).expect("written");
    }
    let reader = house.reader();
    let series = reader.series(&TORRENT, Seconds(0)).expect("read");
    assert_eq!(reader.series_total(Seconds(0)).expect("read"), series);
    let bound = FINE_DAYS * 144 + HOURLY_DAYS * 24 + (days - HOURLY_DAYS) + 150;
    assert!((series.len() as u64) < bound, "{} rows, {bound} allowed", series.len());
    assert!(series.len() as u64 > bound - 300, "{} rows", series.len());
    assert!(series.is_sorted_by_key(|point| (point.at, point.lifetime.completed)));
    let last = series.last().expect("rows");
    assert_eq!((last.seeds, last.lifetime), (1 + (days * 144 - 1) % 100, point(0, 0, days * 144 - 1).lifetime));
    assert_eq!(series[1].seeds, 100, "a day has the most peers that any of its buckets had");
    let since = Seconds(NOW.0 + (days - 1) * 86_400);
    for series in [reader.series(&TORRENT, since), reader.series_total(since)] {
        let series = series.expect("read");
        assert_eq!(series.len(), 145, "a day, and what stood before it");
        assert!(series[0].at < Seconds(since.0 / 600 * 600) && series[1].at == Seconds(since.0 / 600 * 600));
    }
    assert_eq!(reader.series(&OTHER, since), Ok(Vec::new()));
}

#[test]
fn the_last_of_what_is_too_old_stays_so_that_the_next_is_told_from_there() {
    let house = House::new();
    let mut store = house.open();
    for day in [0, 1, SERIES_DAYS_MAX + 3] {
        let mut batch = Batch::default();
        batch.sample(sample(day * 86_400, 1, day));
        batch.total(point(day * 86_400, 1, day));
        store.append(&batch).expect("written");
    }
    let reader = house.reader();
    for series in [reader.series(&TORRENT, Seconds(0)), reader.series_total(Seconds(0))] {
        let counts: Vec<_> = series.expect("read").iter().map(|point| point.lifetime.completed).collect();
        assert_eq!(counts, [1, SERIES_DAYS_MAX + 3]);
    }
}

#[test]
fn a_torrent_in_which_nothing_moves_adds_no_rows() {
    let house = House::new();
    let mut store = house.open();
    for step in 0..100 {
        let mut batch = Batch::default();
        batch.sample(sample(step * 600, 1 + step / 50, 5));
        batch.total(point(step * 600, 1 + step / 50, 5));
        store.append(&batch).expect("written");
    }
    let reader = house.reader();
    assert_eq!(reader.series(&TORRENT, Seconds(0)).expect("read").len(), 2);
    assert_eq!(reader.series_total(Seconds(0)).expect("read").len(), 2);
    assert_eq!(reader.series(&TORRENT, Seconds(NOW.0 + 86_400)).expect("read").len(), 1, "what holds still");
    assert_eq!(store.load(NOW).expect("loads").lifetimes[0].1, point(0, 0, 5).lifetime);
}

#[test]
fn of_each_torrent_the_latest_scrub_is_remembered() {
    let house = House::new();
    let mut store = house.open();
    for (secs, bad_pieces) in [(5, 1), (9, 0), (7, 4)] {
        let mut batch = Batch::default();
        batch.scrubbed(scrubbed(TORRENT, secs, bad_pieces));
        batch.scrubbed(scrubbed(TORRENT, secs - 1, 8));
        store.append(&batch).expect("written");
    }
    drop(store);
    assert_eq!(house.load().scrubs, [scrubbed(TORRENT, 9, 0)]);
}

#[test]
fn the_count_of_a_month_only_grows_and_old_months_are_forgotten() {
    let house = House::new();
    let mut store = house.open();
    for (sent, web_sent) in [(5, 50), (9, 20), (7, 60)] {
        let mut batch = Batch::default();
        batch.month(month(202_612, sent, web_sent));
        store.append(&batch).expect("written");
    }
    let mut batch = batch([completed(1)]);
    (1..=12).for_each(|number| (2000..2026).for_each(|year| batch.month(month(100 * year + number, 1, 1))));
    store.append(&batch).expect("written");
    let months = store.load(NOW).expect("loads").months;
    assert_eq!(
        (months.len(), months.first(), months.last()),
        (MONTHS_MAX as usize, Some(&month(201_602, 1, 1)), Some(&month(202_612, 9, 60)),)
    );
}

#[test]
fn a_batch_that_failed_keeps_its_counts_and_scrubs_beside_newer_ones() {
    let [mut older, mut newer] = [Batch::default(), Batch::default()];
    older.scrubbed(scrubbed(TORRENT, 1, 3));
    older.scrubbed(scrubbed(OTHER, 1, 4));
    older.month(month(202_611, 9, 1));
    older.total(point(0, 1, 1));
    older.total(point(600, 1, 1));
    newer.scrubbed(scrubbed(TORRENT, 2, 0));
    newer.month(month(202_611, 8, 2));
    newer.total(point(601, 2, 2));
    assert_eq!(newer.absorb_older(older, 1, 1), 1, "a point has no room");
    assert_eq!(newer.scrubs[&TORRENT], scrubbed(TORRENT, 2, 0));
    assert_eq!(newer.scrubs[&OTHER], scrubbed(OTHER, 1, 4));
    assert_eq!(newer.months[&Month::of_number(202_611)], month(202_611, 9, 2));
    assert_eq!(newer.totals.into_values().collect::<Vec<_>>(), [point(601, 2, 2)]);
}

#[test]
fn a_reader_reads_while_the_store_writes_and_never_writes() {
    let house = House::new();
    let mut store = house.open();
    let reader = house.reader();
    let blocker = Connection::open(house.path()).expect("a database");
    blocker.execute_batch("BEGIN IMMEDIATE").expect("locks");
    assert_eq!(reader.series_total(NOW), Ok(Vec::new()));
    blocker.execute_batch("COMMIT").expect("unlocks");
    let mut batch = Batch::default();
    batch.total(point(0, 1, 2));
    store.append(&batch).expect("written");
    assert_eq!(reader.series_total(NOW).expect("read").len(), 1);
    let missing = Reader::open(&house.path().with_extension("other")).expect_err("nothing is made").to_string();
    assert!(missing.contains("the database cannot be read"), "{missing}");
    assert!(house.files().iter().all(|name| !name.ends_with("other")));
}

#[test]
fn verdicts_are_remembered_by_path() {
    let house = House::new();
    let mut store = house.open();
    store.put_verdicts([verdict("media/a.mp3", 1), verdict("media/b.mp3", 2)]).expect("written");
    store.put_verdicts([verdict("media/a.mp3", 3)]).expect("written");
    let too_long = Verdict { verdict: vec![0; VERDICT_BYTES_MAX + 1], ..verdict("media/c.mp3", 1) };
    store.put_verdicts([too_long]).expect("written");
    drop(store);
    let mut store = house.open();
    let mut found = store.verdicts().expect("read");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(found, [verdict("media/a.mp3", 3), verdict("media/b.mp3", 2)]);
    store.retain_verdicts(|verdict| verdict.path.ends_with("b.mp3")).expect("written");
    assert_eq!(store.verdicts(), Ok(vec![verdict("media/b.mp3", 2)]));
}

#[test]
fn the_writer_brings_to_the_disk_what_it_is_asked_to() {
    let house = House::new();
    let writer = quiet(house.open());
    let mut changes: Vec<Change> = (0..100).map(|number| Change::Seen(sighting(number))).collect();
    writer.push(&mut changes);
    assert!(changes.is_empty());
    writer.sent(TORRENT, 9);
    writer.web_sent(TORRENT, 9);
    writer.sample([sample(0, 4, 2)]);
    writer.total(point(0, 4, 2));
    writer.scrubbed(scrubbed(OTHER, 0, 2));
    writer.month(month(202_611, 3, 4));
    writer.put_verdicts([verdict("media/a.mp3", 1)]);
    assert_eq!(writer.health().pending, 106);
    writer.flush(LONG).expect("written");
    let health = writer.health();
    assert_eq!((health.pending, health.flushes, health.rows, health.trouble), (0, 1, 106, None));
    let store = house.open();
    let loaded = store.load(NOW).expect("loads");
    assert_eq!(loaded.peers.len(), 100);
    assert_eq!((loaded.scrubs, loaded.months), (vec![scrubbed(OTHER, 0, 2)], vec![month(202_611, 3, 4)]));
    assert_eq!(house.reader().series(&TORRENT, NOW).expect("read").len(), 1);
    assert_eq!(house.reader().series_total(NOW).expect("read").len(), 1);
    assert_eq!(store.verdicts().expect("read").len(), 1);
    writer.close(LONG).expect("written");
}

#[test]
fn rule_23_closing_and_dropping_flush() {
    let house = House::new();
    let writer = quiet(house.open());
    writer.push(&mut vec![completed(1)]);
    writer.close(LONG).expect("written");
    let writer = quiet(house.open());
    writer.push(&mut vec![completed(2)]);
    drop(writer);
    assert_eq!(house.load().lifetimes[0].1.completed, 2);
}

#[test]
fn rule_23_a_kill_loses_what_is_pending_and_nothing_more() {
    let house = House::new();
    let writer = quiet(house.open());
    writer.push(&mut vec![completed(1), Change::Seen(sighting(1))]);
    writer.flush(LONG).expect("written");
    writer.push(&mut vec![completed(2), Change::Seen(sighting(2))]);
    // The thread stays asleep, its connection open, as the file of a killed process is found.
    let loaded = house.load();
    assert_eq!(loaded.peers, [sighting(1)]);
    assert_eq!(loaded.lifetimes[0].1.completed, 1);
}

#[test]
fn without_being_asked_the_writer_flushes_in_its_time() {
    let house = House::new();
    let options = WriterOptions { flush_every: Duration::from_millis(1), ..WriterOptions::default() };
    let writer = Writer::start(house.open(), options, |_| ()).expect("starts");
    writer.push(&mut vec![completed(1)]);
    while writer.health().flushes == 0 {
        std::thread::yield_now();
    }
    assert_eq!(house.load().lifetimes[0].1.completed, 1);
}

#[test]
fn where_more_peers_come_than_a_flush_has_they_take_turns() {
    let house = House::new();
    let options =
        WriterOptions { flush_every: Duration::from_millis(1), flush_peers_max: 700, ..WriterOptions::default() };
    let writer = Writer::start(house.open(), options, |_| ()).expect("starts");
    writer.push(&mut (0..2000).map(|number| Change::Seen(sighting(number))).collect());
    while writer.health().rows < 2000 {
        std::thread::yield_now();
    }
    let health = writer.health();
    assert_eq!((health.flushes, health.rows, health.pending, health.dropped), (3, 2000, 0, 0));
    assert_eq!(house.load().peers.len(), 2000);
}

#[test]
fn who_completed_is_written_with_the_count() {
    let mut waiting = batch((0..10).map(|number| Change::Seen(sighting(number))));
    waiting.change(&Change::Completed { info_hash: TORRENT, addr: sighting(7).addr, completed: 3, at: NOW });
    let first = waiting.take_counts();
    assert_eq!(first.lifetimes[&TORRENT].completed, 3);
    assert!(first.peers.iter().eq([&Row::seen(&sighting(7))]));
    assert_eq!((waiting.len(), waiting.take_counts().len()), (10, 0), "it keeps its turn, and is written again");
}

#[test]
fn writes_are_timed_by_the_clock_that_is_given() {
    fn clock() -> Duration {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        // The first write takes 10 ms, the second one 30, and what writes nothing counts for nothing.
        let at = [0, 10, 10, 40, 50, 90];
        Duration::from_millis(at.get(CALLS.fetch_add(1, Ordering::Relaxed) as usize).copied().unwrap_or(90))
    }
    let house = House::new();
    let options = WriterOptions { flush_every: LONG, clock, ..WriterOptions::default() };
    let writer = Writer::start(house.open(), options, |_| {}).expect("starts");
    for number in [1, 2] {
        writer.push(&mut vec![completed(number)]);
        writer.flush(LONG).expect("written");
    }
    writer.flush(LONG).expect("nothing to be written");
    let health = writer.health();
    let millis = |time: Duration| time.as_millis();
    assert_eq!((health.flushes, millis(health.took), millis(health.took_longest)), (2, 40, 30));
}

#[test]
fn a_disk_that_takes_nothing_is_reported_and_tried_again() {
    let house = House::new();
    let store = house.open();
    store.db.busy_timeout(Duration::ZERO).expect("set");
    let news = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&news);
    let options = WriterOptions { flush_every: LONG, pending_peers_max: 3, ..WriterOptions::default() };
    let writer = Writer::start(store, options, move |trouble| heard.lock().expect("not poisoned").push(trouble))
        .expect("starts");
    let blocker = Connection::open(house.path()).expect("a database");
    blocker.execute_batch("BEGIN IMMEDIATE").expect("locks");

    writer.push(&mut vec![completed(1), Change::Seen(sighting(1)), Change::Seen(sighting(2))]);
    let error = writer.flush(LONG).expect_err("locked");
    assert!(error.to_string().contains("the database cannot be written: database is locked"), "{error}");
    assert_eq!(writer.health().trouble, Some(error.clone()));
    let newer = Sighting { uploaded: 123, ..sighting(1) };
    let seen = [3, 4, 5].map(|number| Change::Seen(sighting(number)));
    writer.push(&mut [Change::Seen(newer.clone()), completed(2)].into_iter().chain(seen).collect());
    writer.flush(LONG).expect_err("still locked");
    let health = writer.health();
    assert_eq!((health.pending, health.dropped, health.flushes), (4, 2, 0), "three peers and the counts wait");

    blocker.execute_batch("COMMIT").expect("unlocks");
    writer.flush(LONG).expect("written");
    assert_eq!(writer.health().trouble, None);
    assert_eq!(*news.lock().expect("not poisoned"), [Trouble::Began(error), Trouble::Ended]);
    let loaded = house.load();
    assert_eq!(loaded.lifetimes[0].1.completed, 2, "counts are never dropped");
    assert_eq!(sorted(loaded.peers), sorted(vec![newer, sighting(2), sighting(3)]));
}

#[test]
fn a_thread_that_stops_by_itself_is_reported_and_holds_nobody() {
    let house = House::new();
    let store = house.open();
    store.db.busy_timeout(Duration::ZERO).expect("set");
    let options = WriterOptions { flush_every: LONG, ..WriterOptions::default() };
    let writer = Writer::start(store, options, |_| panic!("nobody listens")).expect("starts");
    let blocker = Connection::open(house.path()).expect("a database");
    blocker.execute_batch("BEGIN IMMEDIATE").expect("locks");
    writer.push(&mut vec![completed(1)]);
    let error = writer.flush(LONG).expect_err("the thread is gone");
    assert!(error.message().contains("has stopped by itself"), "{error}");
    assert_eq!(writer.health().trouble, Some(error.clone()));
    assert_eq!(writer.close(LONG), Err(error));
}

#[test]
fn a_full_disk_and_a_read_only_file_fail_whole_and_recover() {
    let house = House::new();
    let mut store = house.open();
    store.append(&batch([completed(1)])).expect("written");
    let many = batch((0..2000).map(|number| Change::Seen(sighting(number))).chain([completed(2)]));
    store.db.execute_batch("PRAGMA max_page_count = 12").expect("set");
    let full = store.append(&many).expect_err("full").to_string();
    assert!(full.contains("database or disk is full\n  help: see that the disk has room"), "{full}");
    store.db.execute_batch("PRAGMA max_page_count = 100000; PRAGMA query_only = ON").expect("set");
    let read_only = store.append(&many).expect_err("read-only").to_string();
    assert!(read_only.contains("readonly"), "{read_only}");
    let loaded = store.load(NOW).expect("loads");
    assert_eq!((loaded.peers.len(), loaded.lifetimes[0].1.completed), (0, 1), "nothing of a batch that failed");
    store.db.execute_batch("PRAGMA query_only = OFF").expect("set");
    store.append(&many).expect("written");
    assert_eq!(store.load(NOW).expect("loads").peers.len(), 2000);
}
