//! What a store promises: a restart finds everything again, a fault costs little and is said aloud.

mod opening;
mod writing;

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::fingerprint::Fingerprint;
use crate::id::PeerId;
use crate::tracker::{Change, Kind};

const TORRENT: InfoHash = InfoHash([1; 20]);
const OTHER: InfoHash = InfoHash([2; 20]);
const NOW: Seconds = Seconds(1_700_000_000);
const LONG: Duration = Duration::from_secs(60);

/// A folder with a database in it.
struct House {
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("data").join("everseed.db")
    }

    fn open(&self) -> Store {
        let opened = Store::open(&self.path()).expect("opens");
        assert_eq!(opened.notice, None);
        opened.store
    }

    fn load(&self) -> Loaded {
        self.open().load(NOW).expect("loads")
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.path()).expect("opens")
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("data")).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn sighting(number: u16) -> Sighting {
    let [high, low] = number.to_be_bytes();
    let addr = if number.is_multiple_of(2) {
        format!("192.0.{high}.{low}:6881")
    } else {
        format!("[2001:db8::{number:x}]:6881")
    };
    Sighting {
        info_hash: TORRENT,
        addr: addr.parse().expect("an address"),
        peer_id: PeerId([low; 20]),
        kind: [Kind::Seed, Kind::Leecher, Kind::Partial][usize::from(number % 3)],
        counted: number.is_multiple_of(5),
        uploaded: 1000 * u64::from(number),
        downloaded: u64::from(number),
        at: Seconds(NOW.0 - u64::from(number)),
    }
}

fn gone(number: u16) -> Change {
    Change::Gone { info_hash: TORRENT, addr: sighting(number).addr, at: NOW }
}

fn completed(completed: u64) -> Change {
    Change::Completed { info_hash: TORRENT, addr: sighting(0).addr, completed, at: NOW }
}

fn moved(uploaded: u64, downloaded: u64) -> Change {
    Change::Moved { info_hash: TORRENT, uploaded, downloaded, at: NOW }
}

fn batch(changes: impl IntoIterator<Item = Change>) -> Batch {
    let mut batch = Batch::default();
    changes.into_iter().for_each(|change| batch.change(&change));
    batch
}

fn sorted(mut peers: Vec<Sighting>) -> Vec<Sighting> {
    peers.sort_by_key(|peer| (peer.info_hash, peer.addr));
    peers
}

fn sample(secs: u64, seeds: u64, completed: u64) -> Sample {
    Sample { info_hash: TORRENT, point: point(secs, seeds, completed) }
}

fn point(secs: u64, seeds: u64, completed: u64) -> Point {
    let lifetime = Lifetime { completed, uploaded: 10 * completed, downloaded: completed, sent: 7, web_sent: 9 };
    Point { at: Seconds(NOW.0 + secs), seeds, leechers: 1, lifetime }
}

fn scrubbed(info_hash: InfoHash, secs: u64, bad_pieces: u32) -> Scrubbed {
    Scrubbed { info_hash, at: Seconds(NOW.0 + secs), bad_pieces }
}

fn month(number: u32, sent: u64, web_sent: u64) -> MonthSent {
    MonthSent { month: Month::of_number(number), sent, web_sent }
}

fn verdict(path: &str, size: u64) -> Verdict {
    let (mtime_ns, ctime_ns) = (NOW.0.cast_signed() * 1_000_000_000, -1);
    let fingerprint = Fingerprint { bytes: size, mtime_ns, ctime_ns, inode: u64::MAX };
    Verdict { path: path.into(), fingerprint, verdict: b"sound \xff".to_vec() }
}
