//! Files that are new, foreign, damaged, too new, or not to be written.

use super::*;
use rusqlite::Connection;

fn refused(path: &Path) -> String {
    Store::open(path).expect_err("refused").to_string()
}

fn aside(name: &str) -> String {
    format!("everseed.db.damaged-{name}")
}

#[test]
fn a_new_store_is_empty_and_its_folder_is_made() {
    let house = House::new();
    assert_eq!(house.load(), Loaded::default());
    assert_eq!(house.load(), Loaded::default(), "and opens again");
    let db = Connection::open(house.path()).expect("a database");
    let pragma = |name: &str| db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, String>(0));
    assert_eq!(pragma("journal_mode"), Ok("wal".into()));
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a number");
    assert_eq!(version, VERSION);
}

#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let house = House::new();
    house.open();
    let mode = std::fs::metadata(house.path()).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_newer_version_is_refused_with_both_versions_and_left_alone() {
    let house = House::new();
    house.open().append(&batch([completed(3)])).expect("written");
    let db = Connection::open(house.path()).expect("a database");
    db.pragma_update(None, "user_version", VERSION + 6).expect("set");
    assert_eq!(
        refused(&house.path()),
        format!(
            "{}: the database is of version 8, and this everseed knows versions up to 2\n  \
             help: run the newer everseed that wrote it, or name another folder with --data; nothing was changed",
            house.path().display()
        )
    );
    db.pragma_update(None, "user_version", VERSION).expect("set");
    drop(db);
    assert_eq!(house.load().lifetimes.len(), 1);
}

#[test]
fn a_database_of_version_1_is_brought_up_to_date_with_all_that_stands_in_it() {
    let house = House::new();
    std::fs::create_dir_all(house.path().parent().expect("a folder")).expect("made");
    let db = Connection::open(house.path()).expect("a database");
    db.execute_batch(include_str!("version_1.sql")).expect("made");
    drop(db);
    let mut store = house.open();
    let lifetime = Lifetime { completed: 3, uploaded: 40, downloaded: 50, sent: 60, web_sent: 0 };
    let loaded = store.load(NOW).expect("loads");
    assert_eq!((loaded.lifetimes, loaded.peers.len()), (vec![(TORRENT, lifetime)], 1));
    assert_eq!((loaded.scrubs, loaded.months), (vec![], vec![]));
    assert_eq!(store.verdicts().expect("read").len(), 1);
    let at = Seconds(NOW.0 / BUCKET_SECS * BUCKET_SECS);
    assert_eq!(house.reader().series(&TORRENT, NOW), Ok(vec![Point { at, seeds: 1, leechers: 2, lifetime }]));
    let total = Point { at, seeds: 0, leechers: 0, lifetime };
    assert_eq!(house.reader().series_total(NOW), Ok(vec![total]), "what was counted before is not of today");
    let mut batch = Batch::default();
    batch.web_sent(TORRENT, 70);
    batch.scrubbed(scrubbed(TORRENT, 0, 1));
    batch.month(month(202_611, 1, 2));
    batch.total(point(0, 1, 1));
    store.append(&batch).expect("written");
    drop(store);
    let loaded = house.load();
    assert_eq!(loaded.lifetimes, [(TORRENT, Lifetime { web_sent: 70, ..lifetime })]);
    assert_eq!((loaded.scrubs, loaded.months), (vec![scrubbed(TORRENT, 0, 1)], vec![month(202_611, 1, 2)]));
}

#[test]
fn a_database_of_another_program_is_refused() {
    let house = House::new();
    std::fs::create_dir_all(house.path().parent().expect("a folder")).expect("made");
    let db = Connection::open(house.path()).expect("a database");
    db.execute_batch("CREATE TABLE torrent (id); INSERT INTO torrent VALUES (1)").expect("made");
    assert!(refused(&house.path()).contains("this is a database of another program\n  help: name another folder"));
    assert_eq!(db.query_row("SELECT id FROM torrent", [], |row| row.get::<_, i64>(0)), Ok(1));
}

#[test]
fn a_damaged_file_is_set_aside_and_a_new_one_begun() {
    let house = House::new();
    let garbage = b"this is no database, and has not been one for a long time".repeat(40);
    for number in 1..=2 {
        house.open().append(&batch([completed(3)])).expect("written");
        std::fs::write(house.path(), &garbage).expect("written");
        let opened = Store::open(&house.path()).expect("opens");
        let notice = opened.notice.expect("said aloud").to_string();
        assert!(notice.contains("the database is damaged: file is not a database"), "{notice}");
        assert!(notice.contains(&aside(&number.to_string())), "{notice}");
        assert_eq!(opened.store.load(NOW), Ok(Loaded::default()));
        assert_eq!(
            std::fs::read(house.folder.path().join("data").join(aside(&number.to_string()))).ok(),
            Some(garbage.clone())
        );
    }
}

#[test]
fn a_torn_file_is_found_when_it_is_opened() {
    let house = House::new();
    let mut store = house.open();
    store.append(&batch((0..2000).map(|number| Change::Seen(sighting(number))))).expect("written");
    drop(store);
    let mut bytes = std::fs::read(house.path()).expect("a file");
    assert!(bytes.len() > 100_000);
    // Whole pages in the middle: the header is sound.
    bytes[8192..40_000].fill(0xa5);
    std::fs::write(house.path(), &bytes).expect("written");
    let opened = Store::open(&house.path()).expect("opens");
    assert!(opened.notice.expect("said aloud").to_string().contains("the database is damaged"));
    assert_eq!(opened.store.load(NOW), Ok(Loaded::default()));
    assert!(house.files().contains(&aside("1")));
}

#[test]
fn damaged_files_do_not_pile_up_without_end() {
    let house = House::new();
    house.open();
    for number in 1..=DAMAGED_KEPT_MAX {
        std::fs::write(house.folder.path().join("data").join(aside(&number.to_string())), "").expect("written");
    }
    std::fs::write(house.path(), "no database".repeat(100)).expect("written");
    assert!(refused(&house.path()).contains("remove the files *.damaged-*"));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let house = House::new();
    let file = house.folder.path().join("file");
    std::fs::write(&file, "").expect("written");
    let message = refused(&file.join("everseed.db"));
    assert!(message.contains("the database cannot be opened for writing"), "{message}");
    assert!(message.contains("name another one with --data"), "{message}");
    let folder = house.folder.path().join("folder");
    std::fs::create_dir(&folder).expect("made");
    assert!(refused(&folder).contains("cannot be opened for writing"), "a folder in the file's place");
}
