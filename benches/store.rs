//! Insertion of 2,000 peers into SQLite: one batch as the store writes it, and one transaction a row for comparison.
//!
//! `cargo bench --bench store`. The first tracker that kept its peers in SQLite needed up to half a second for them.

#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use everseed::id::{InfoHash, PeerId};
use everseed::store::{Batch, Store};
use everseed::tracker::{Change, Kind, Seconds, Sighting};

const PEERS: u32 = 2_000;
const RUNS: usize = 10;

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
            at: Seconds(1_700_000_000 + round),
        }
    })
}

fn batch(round: u64) -> Batch {
    let mut batch = Batch::default();
    sightings(round).for_each(|sighting| batch.change(Change::Seen(sighting)));
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
