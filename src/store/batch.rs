//! Changes on their way to the disk, coalesced: of each peer, count and bucket the latest.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::PathBuf;

use super::pending::{Keys, Peers, Place, Row};
use super::{BUCKET_SECS, Lifetime, Month, MonthSent, Point, Sample, Scrubbed, VERDICT_BYTES_MAX, Verdict};
use crate::id::InfoHash;
use crate::tracker::{Change, Seconds};

/// Changes to be written together. However many announces it has seen, it holds a peer once.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub(super) peers: Peers,
    /// Who completed a download.
    completed: Vec<Place>,
    /// The largest of each count.
    pub(super) lifetimes: HashMap<InfoHash, Lifetime, Keys>,
    /// The last sample of each bucket.
    pub(super) samples: HashMap<(InfoHash, u64), Sample, Keys>,
    /// The last sample of all torrents together of each bucket.
    pub(super) totals: HashMap<u64, Point, Keys>,
    /// The latest scrub of each torrent.
    pub(super) scrubs: HashMap<InfoHash, Scrubbed, Keys>,
    /// The largest count of each month.
    pub(super) months: HashMap<Month, MonthSent, Keys>,
    /// The latest verdict on each file.
    pub(super) verdicts: HashMap<PathBuf, Verdict, Keys>,
    latest: Seconds,
}

/// Peers that completed a download and are written before their turn.
const COMPLETED_MAX: usize = 10_000;

impl Batch {
    /// Takes in a change.
    pub fn change(&mut self, change: &Change) {
        self.change_within(change, usize::MAX);
    }

    /// Takes in a change, of a peer that it does not hold yet only where it holds fewer than `peers_max`. Returns
    /// whether it was taken.
    pub(super) fn change_within(&mut self, change: &Change, peers_max: usize) -> bool {
        match *change {
            Change::Seen(ref sighting) => {
                self.passes(sighting.at);
                return self.peers.put(Row::seen(sighting), peers_max);
            }
            Change::Gone { info_hash, addr, at } => {
                self.passes(at);
                return self.peers.put(Row::gone(info_hash, addr), peers_max);
            }
            Change::Completed { info_hash, addr, completed, at } => {
                self.passes(at);
                self.count(info_hash, Lifetime { completed, ..Lifetime::default() });
                if self.completed.len() < COMPLETED_MAX {
                    self.completed.push(Place::new(info_hash, addr));
                }
            }
            Change::Moved { info_hash, uploaded, downloaded, at } => {
                self.passes(at);
                self.count(info_hash, Lifetime { uploaded, downloaded, ..Lifetime::default() });
            }
        }
        true
    }

    /// Takes out all but the peers. With the counts of completed downloads go the peers that completed them, so that
    /// after a restart none of them completes again.
    pub(super) fn take_counts(&mut self) -> Self {
        let peers = std::mem::take(&mut self.peers);
        let mut taken = std::mem::take(self);
        for place in taken.completed.drain(..) {
            if let Some(&row) = peers.get(&place) {
                taken.peers.put(row, usize::MAX);
            }
        }
        self.peers = peers;
        taken
    }

    /// Takes in the bytes that the everseed has sent of a torrent in its lifetime.
    pub fn sent(&mut self, info_hash: InfoHash, sent: u64) {
        self.count(info_hash, Lifetime { sent, ..Lifetime::default() });
    }

    /// Takes in the bytes of a torrent's files that were sent over HTTP in its lifetime.
    pub fn web_sent(&mut self, info_hash: InfoHash, web_sent: u64) {
        self.count(info_hash, Lifetime { web_sent, ..Lifetime::default() });
    }

    /// Takes in a sample for the time series, and the counts that it holds.
    pub fn sample(&mut self, sample: Sample) {
        let Sample { info_hash, point } = sample;
        self.passes(point.at);
        self.count(info_hash, point.lifetime);
        self.samples.insert((info_hash, point.at.0 / BUCKET_SECS), sample);
    }

    /// Takes in a sample of all torrents together.
    pub fn total(&mut self, point: Point) {
        self.passes(point.at);
        self.totals.insert(point.at.0 / BUCKET_SECS, point);
    }

    /// Takes in what came of reading a torrent's files; of two scrubs the later one counts.
    pub fn scrubbed(&mut self, scrubbed: Scrubbed) {
        self.passes(scrubbed.at);
        let known = self.scrubs.entry(scrubbed.info_hash).or_insert(scrubbed);
        if known.at <= scrubbed.at {
            *known = scrubbed;
        }
    }

    /// Takes in what was sent in a month so far.
    pub fn month(&mut self, sent: MonthSent) {
        let counted = self.months.entry(sent.month).or_insert(sent);
        counted.sent = counted.sent.max(sent.sent);
        counted.web_sent = counted.web_sent.max(sent.web_sent);
    }

    /// Takes in a verdict; one longer than [`VERDICT_BYTES_MAX`] is left out.
    pub fn verdict(&mut self, verdict: Verdict) {
        if verdict.verdict.len() <= VERDICT_BYTES_MAX {
            self.verdicts.insert(verdict.path.clone(), verdict);
        }
    }

    /// Takes in what a batch of before could not bring to the disk; what stands here already is newer. All counts
    /// and scrubs are kept, one a torrent and month, of peers `peers_max` at most, of samples and verdicts `samples_max`;
    /// returns how many were not.
    pub fn absorb_older(&mut self, older: Self, peers_max: usize, samples_max: usize) -> usize {
        for (info_hash, lifetime) in older.lifetimes {
            self.count(info_hash, lifetime);
        }
        older.scrubs.into_values().for_each(|scrubbed| self.scrubbed(scrubbed));
        older.months.into_values().for_each(|sent| self.month(sent));
        self.passes(older.latest);
        let peers = older.peers.iter().filter(|row| self.peers.get(&row.place).is_none());
        let peers: Vec<Row> = peers.copied().collect();
        let taken = peers.iter().filter(|&&row| self.peers.put(row, peers_max)).count();
        (peers.len() - taken)
            + absorb(&mut self.samples, older.samples, samples_max)
            + absorb(&mut self.totals, older.totals, samples_max)
            + absorb(&mut self.verdicts, older.verdicts, samples_max)
    }

    /// The latest time of all that it took in.
    pub fn latest(&self) -> Seconds {
        self.latest
    }

    /// How many rows it will write.
    pub fn len(&self) -> usize {
        self.peers.len()
            + self.lifetimes.len()
            + self.samples.len()
            + self.totals.len()
            + self.scrubs.len()
            + self.months.len()
            + self.verdicts.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn count(&mut self, info_hash: InfoHash, lifetime: Lifetime) {
        let counted = self.lifetimes.entry(info_hash).or_default();
        counted.completed = counted.completed.max(lifetime.completed);
        counted.uploaded = counted.uploaded.max(lifetime.uploaded);
        counted.downloaded = counted.downloaded.max(lifetime.downloaded);
        counted.sent = counted.sent.max(lifetime.sent);
        counted.web_sent = counted.web_sent.max(lifetime.web_sent);
    }

    fn passes(&mut self, at: Seconds) {
        self.latest = self.latest.max(at);
    }
}

/// Adds what `newer` does not hold yet, up to `max`, and returns how many were left out.
fn absorb<K: Eq + Hash, V>(newer: &mut HashMap<K, V, Keys>, older: HashMap<K, V, Keys>, max: usize) -> usize {
    if newer.is_empty() && older.len() <= max {
        *newer = older;
        return 0;
    }
    let mut left_out = 0;
    for (key, value) in older {
        if newer.len() < max || newer.contains_key(&key) {
            newer.entry(key).or_insert(value);
        } else {
            left_out += 1;
        }
    }
    left_out
}
