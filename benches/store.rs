//! What keeping costs: insertion of 2,000 peers into SQLite, in one batch as the store writes it and in one transaction a
//! row for comparison; taking in what announces change; a flush into a database of a million peers, and a start with it.
//!
//! `cargo bench --bench store`. The first tracker that kept its peers in SQLite needed up to half a second for 2,000.

#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

#[path = "shared/torrents.rs"]
mod torrents;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use everseed::id::{InfoHash, PeerId};
use everseed::store::{Batch, FLUSH_PEERS_MAX, Store, Writer, WriterOptions};
use everseed::tracker::{Change, Kind, Options, Seconds, Sighting, Swarms};
use torrents::info_hash;

const PEERS: u32 = 2_000;
const RUNS: usize = 10;
/// A tracker of many torrents.
const MANY_PEERS: u32 = 1_000_000;
const MANY_TORRENTS: u32 = 10_000;
const NOW: Seconds = Seconds(1_700_000_000);
/// Peers of which changes are taken in, several times.
const CHANGED: u32 = 100_000;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    println!("insertion of {PEERS} peers, milliseconds of {RUNS} runs");
    println!("{:<42} {:>9} {:>9} {:>9}", "", "median", "fastest", "slowest");
    let mut new: Vec<Duration> = Vec::new();
    let mut known: Vec<Duration> = Vec::new();
    let mut naive: Vec<Duration> = Vec::new();
    // Alternating, so that whatever else the machine does disturbs all alike.
    for run in 0..RUNS {
        let path = folder.path().join(format!("batch-{run}.db"));
        let mut store = Store::open(&path).expect("opens").store;
        new.push(timed(|| store.append(&batch(0)).expect("written")));
        known.push(timed(|| store.append(&batch(1)).expect("written")));
        naive.push(one_by_one(&folder.path().join(format!("naive-{run}.db")), "NORMAL"));
    }
    // Once: it waits for the disk 2,000 times.
    let durable = vec![one_by_one(&folder.path().join("durable.db"), "FULL")];
    show("one batch, new peers", new);
    show("one batch, the same peers again", known);
    show("a transaction a row, WAL, synchronous NORMAL", naive);
    show("a transaction a row, synchronous FULL, once", durable);
    taken_in(&folder.path().join("taken-in.db"));
    with_many(&folder.path().join("many.db"));
}

/// What an announce pays for what it changed.
fn taken_in(path: &Path) {
    let options = WriterOptions { flush_every: Duration::from_secs(600), ..WriterOptions::default() };
    let writer = Writer::start(Store::open(path).expect("opens").store, options, |_| ()).expect("starts");
    for (round, what) in ["new peers", "the same again"].into_iter().enumerate() {
        let changes: Vec<Change> = (0..CHANGED).map(|number| Change::Seen(one_of_many(number, round as u64))).collect();
        let mut took = Duration::ZERO;
        for some in changes.chunks(32) {
            let mut some = some.to_vec();
            took += timed(|| writer.push(&mut some));
        }
        println!("{:<42} {:>9} ns a change", format!("taken in, {what}"), took.as_nanos() / u128::from(CHANGED));
    }
}

/// A flush under load, and a start, with a million peers in the database.
fn with_many(path: &Path) {
    let mut store = Store::open(path).expect("opens").store;
    for first in (0..MANY_PEERS).step_by(100_000) {
        append(&mut store, first..first + 100_000, 0);
    }
    let step = MANY_PEERS / u32::try_from(FLUSH_PEERS_MAX).expect("a small number");
    let flushes = (1..=RUNS).map(|run| {
        let first = u32::try_from(run).expect("a small number");
        append(&mut store, (0..MANY_PEERS).skip(first as usize).step_by(step as usize), run as u64)
    });
    let flushes = flushes.collect();
    show(&format!("a flush of {FLUSH_PEERS_MAX} of {MANY_PEERS} peers"), flushes);
    drop(store);
    let mut loaded = None;
    let open = timed(|| loaded = Some(Store::open(path).expect("opens").store.load(NOW).expect("loads")));
    let peers = loaded.expect("loaded").peers;
    let mut swarms = Swarms::new(Options::default(), 1);
    swarms.set_torrents((0..MANY_TORRENTS).map(info_hash));
    let restore = timed(|| assert_eq!(swarms.restore(peers, NOW), MANY_PEERS as usize));
    show(&format!("a start: {MANY_PEERS} peers opened and loaded"), vec![open]);
    show("a start: the same put back", vec![restore]);
}

fn append(store: &mut Store, numbers: impl Iterator<Item = u32>, round: u64) -> Duration {
    let mut batch = Batch::default();
    numbers.for_each(|number| batch.change(&Change::Seen(one_of_many(number, round))));
    timed(|| store.append(&batch).expect("written"))
}

fn one_of_many(number: u32, round: u64) -> Sighting {
    let mut peer_id = *b"-EX0001-000000000000";
    peer_id[8..12].copy_from_slice(&number.to_be_bytes());
    Sighting {
        info_hash: info_hash(number.wrapping_mul(0x9e37_79b1) % MANY_TORRENTS),
        addr: SocketAddr::new(Ipv4Addr::from_bits(number.wrapping_mul(0x9e37_79b1)).into(), 6881),
        peer_id: PeerId(peer_id),
        kind: Kind::Leecher,
        counted: false,
        uploaded: round,
        downloaded: round,
        at: NOW,
    }
}

fn sightings(round: u64) -> impl Iterator<Item = Sighting> {
    (0..PEERS).map(move |number| {
        let mut peer_id = *b"-EX0001-000000000000";
        peer_id[8..12].copy_from_slice(&number.to_be_bytes());
        Sighting {
            info_hash: InfoHash([u8::try_from(number % 50).expect("below 50"); 20]),
            addr: SocketAddr::new(Ipv4Addr::from_bits(0x0a00_0000 + number * 77).into(), 6881),
            peer_id: PeerId(peer_id),
            kind: Kind::Leecher,
            counted: false,
            uploaded: round,
            downloaded: round,
            at: Seconds(NOW.0 + round),
        }
    })
}

fn batch(round: u64) -> Batch {
    let mut batch = Batch::default();
    sightings(round).for_each(|sighting| batch.change(&Change::Seen(sighting)));
    batch
}

/// What is to be compared with: the same table, and a statement and a transaction of its own for each peer.
fn one_by_one(path: &Path, synchronous: &str) -> Duration {
    let db = rusqlite::Connection::open(path).expect("opens");
    db.pragma_update(None, "journal_mode", "WAL").expect("set");
    db.pragma_update(None, "synchronous", synchronous).expect("set");
    db.execute_batch(
        "CREATE TABLE peer (info_hash BLOB, addr TEXT, peer_id BLOB, uploaded INTEGER, downloaded INTEGER,
         seen INTEGER, PRIMARY KEY (info_hash, addr)) WITHOUT ROWID",
    )
    .expect("made");
    timed(|| {
        for peer in sightings(0) {
            let (uploaded, downloaded) = (peer.uploaded.cast_signed(), peer.downloaded.cast_signed());
            let values = rusqlite::params![
                peer.info_hash.0,
                peer.addr.to_string(),
                peer.peer_id.0,
                uploaded,
                downloaded,
                peer.at.0.cast_signed()
            ];
            db.execute("INSERT OR REPLACE INTO peer VALUES (?1, ?2, ?3, ?4, ?5, ?6)", values).expect("written");
        }
    })
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let millis = |at: usize| times[at].as_secs_f64() * 1000.0;
    println!("{what:<42} {:>9.2} {:>9.2} {:>9.2}", millis(times.len() / 2), millis(0), millis(times.len() - 1));
}
