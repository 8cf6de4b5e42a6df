//! The scrub: all media are read again and again, so that what rots is found before somebody asks for it.
//!
//! The torrents take turns, the one that was read longest ago first, and their turns are spread over the period by their
//! sizes. So a disk never has to give more than it must, a restart loses one torrent's turn at most, and after a long
//! outage as much is read at a time as the operator allows.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::disk::{self, Refused};
use super::status::ScrubState;
use super::torrents::Entry;
use super::{Scrub, Seed};
use crate::id::InfoHash;

/// The longest that the turn of one torrent takes, where the pace allows it: a server that is restarted now and then
/// still comes to an end with it.
const TURN_MAX: Duration = Duration::from_secs(24 * 3600);
/// What a torrent's turn takes is counted a little larger than it is, so that the period is enough for all.
const SPARE_PERCENT: u32 = 5;
/// How long a torrent is passed over whose disk gave nothing.
const PUT_OFF: Duration = Duration::from_secs(3600);
/// How long nothing is planned ahead, as torrents come and go.
const PLAN_EVERY: Duration = Duration::from_secs(3600);
/// How often a piece is tried again that is not to be had just now.
const AGAIN_MAX: u32 = 3;
/// How long it takes until it is.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Small pieces are read so many bytes at a time.
const BATCH_BYTES: u64 = 1024 * 1024;

/// That all of a torrent was read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scrubbed {
    /// Which.
    pub info_hash: InfoHash,
    /// How long ago its last piece was read.
    pub ago: Duration,
    /// Pieces that were not as the torrent says.
    pub bad_pieces: u32,
}

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    bytes: u64,
    /// How long ago it was read as a whole; nothing where it was not.
    ago: Option<Duration>,
}

/// What is to be read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    /// Its index among the candidates.
    index: usize,
    /// After which time.
    wait: Duration,
    bytes_per_sec: u64,
}

/// Whose turn is next, when, and how fast.
fn plan(candidates: &[Candidate], scrub: &Scrub) -> Option<Turn> {
    let never = Duration::MAX;
    let (index, next) = candidates.iter().enumerate().max_by_key(|(_, candidate)| candidate.ago.unwrap_or(never))?;
    let limit = scrub.bytes_per_sec.get();
    if next.ago.is_some_and(|ago| ago >= scrub.period) {
        return Some(Turn { index, wait: Duration::ZERO, bytes_per_sec: limit });
    }
    let total: u128 = candidates.iter().map(|candidate| u128::from(candidate.bytes)).sum();
    let period_ms = scrub.period.as_millis();
    // What of the period is this torrent's.
    let share_ms = period_ms * u128::from(next.bytes) * u128::from(100 - SPARE_PERCENT) / (total.max(1) * 100);
    let per_sec = |over_ms: u128| u128::from(next.bytes) * 1000 / over_ms.max(1);
    let wanted = per_sec(share_ms.min(TURN_MAX.as_millis())).max(1);
    let bytes_per_sec = u64::try_from(wanted).unwrap_or(u64::MAX).min(limit);
    let takes_ms = u128::from(next.bytes) * 1000 / u128::from(bytes_per_sec.max(1));
    // It is to end when its share has passed since another one did.
    let since = candidates.iter().filter_map(|candidate| candidate.ago).min();
    let wait_ms = since.map_or(0, |since| share_ms.saturating_sub(takes_ms + since.as_millis()));
    Some(Turn { index, wait: Duration::from_millis(u64::try_from(wait_ms).unwrap_or(u64::MAX)), bytes_per_sec })
}

impl Seed {
    /// Takes what a former run had read again, for torrents that are set; what it found is looked for once more.
    pub fn remember_scrubs(&self, scrubs: &[Scrubbed]) {
        for scrubbed in scrubs {
            if let Some(entry) = self.entry(&scrubbed.info_hash) {
                entry.remember_scrub(scrubbed);
            }
        }
    }

    /// What was read again as a whole, to be given to [`Seed::remember_scrubs`] after a restart, but for what was taken
    /// before.
    pub fn take_scrubs(&self) -> Vec<Scrubbed> {
        self.entries().iter().filter_map(|entry| entry.take_scrub()).collect()
    }

    /// Reads all media again and again, where that is wanted.
    pub(super) async fn scrub_again_and_again(self: Arc<Self>) {
        let Some(scrub) = self.limits.scrub else { return pending().await };
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            let mut entries = self.entries();
            // So that of those that are equally old it is the same one every time.
            entries.sort_unstable_by_key(|entry| entry.info_hash());
            entries.retain(|entry| entry.can_be_scrubbed());
            let candidates: Vec<_> =
                entries.iter().map(|entry| Candidate { bytes: entry.bytes(), ago: entry.scrubbed_ago() }).collect();
            match plan(&candidates, &scrub) {
                Some(Turn { index, wait: Duration::ZERO, bytes_per_sec }) => {
                    self.scrub(&entries[index], bytes_per_sec).await;
                }
                turn => {
                    let wait = turn.map_or(PLAN_EVERY, |turn| turn.wait.min(PLAN_EVERY));
                    drop(entries);
                    // Torrents come, and disks come back.
                    let _ = timeout(wait, changes.changed()).await;
                }
            }
        }
    }

    /// Reads all of a torrent.
    async fn scrub(self: &Arc<Self>, entry: &Arc<Entry>, bytes_per_sec: u64) {
        let (mut next, mut tries) = (0, 0);
        let mut pace = Instant::now();
        let mut changes = self.changes();
        while let Some(from) = entry.scrubs_from(next) {
            match self.read_by_itself(entry, move |entry| scrub_batch(entry, from)).await.and_then(|batch| batch) {
                Ok((to, bytes)) => {
                    (next, tries) = (to, 0);
                    pace += Duration::from_millis(bytes.saturating_mul(1000) / bytes_per_sec.max(1));
                    // Behind the last one too: a turn takes its time however little is read in it.
                    entry.scrubs_from(next);
                    while !entry.is_retired() {
                        tokio::select! {
                            () = sleep_until(pace) => break,
                            _ = changes.changed() => {}
                        }
                    }
                }
                Err(Refused::Changing | Refused::Busy) if tries < AGAIN_MAX => {
                    tries += 1;
                    sleep(AGAIN_AFTER).await;
                }
                Err(_) => return entry.put_scrub_off(PUT_OFF),
            }
        }
        if !entry.is_retired() {
            entry.is_scrubbed();
        }
    }
}

/// What is known of the scrubs of a torrent.
#[derive(Debug, Default)]
pub(super) struct Scrubs {
    last: Option<Last>,
    /// What there is to know of few torrents at a time.
    now: Option<Box<Now>>,
    /// Whether the last one was not given to [`Seed::take_scrubs`] yet.
    has_news: bool,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    /// How many seconds ago it was at the time of `since`.
    secs_before: u32,
    since: Instant,
    bad_pieces: u32,
}

#[derive(Debug, Clone, Copy)]
enum Now {
    /// So many pieces have been read.
    Done(u32),
    PutOffUntil(Instant),
}

impl Scrubs {
    /// As it is shown.
    pub fn state(&self, pieces: u32) -> ScrubState {
        let last = self.last.map(|last| (last.ago(), last.bad_pieces));
        let progress = match self.now.as_deref() {
            Some(Now::Done(done)) => Some((*done, pieces)),
            _ => None,
        };
        ScrubState { last, progress }
    }
}

impl Last {
    fn ago(&self) -> Duration {
        Duration::from_secs(self.secs_before.into()) + self.since.elapsed()
    }
}

impl Entry {
    /// The bytes of its pieces.
    fn bytes(&self) -> u64 {
        self.content.slots.iter().map(|slot| slot.bytes).sum()
    }

    /// Whether there is something to read, and nothing stands in the way of it.
    fn can_be_scrubbed(&self) -> bool {
        let state = self.state();
        let is_put_off = matches!(state.scrubs.now.as_deref(), Some(Now::PutOffUntil(then)) if *then > Instant::now());
        !is_put_off && !state.is_retired && !state.is_silent() && state.faulty < state.files.len()
    }

    fn scrubbed_ago(&self) -> Option<Duration> {
        self.state().scrubs.last.map(|last| last.ago())
    }

    fn remember_scrub(&self, scrubbed: &Scrubbed) {
        let secs_before = u32::try_from(scrubbed.ago.as_secs()).unwrap_or(u32::MAX);
        let last = Last { secs_before, since: Instant::now(), bad_pieces: scrubbed.bad_pieces };
        self.state().scrubs.last = Some(last);
    }

    fn take_scrub(&self) -> Option<Scrubbed> {
        let mut state = self.state();
        let last = state.scrubs.last.filter(|_| state.scrubs.has_news)?;
        state.scrubs.has_news = false;
        Some(Scrubbed { info_hash: self.info_hash(), ago: last.ago(), bad_pieces: last.bad_pieces })
    }

    /// Takes in that the pieces before `next` have been read; returns it where there is more to read.
    fn scrubs_from(&self, next: u32) -> Option<u32> {
        let mut state = self.state();
        state.scrubs.now = (!state.is_retired).then(|| Box::new(Now::Done(next)));
        (next < self.content.pieces() && !state.is_retired).then_some(next)
    }

    fn put_scrub_off(&self, pause: Duration) {
        self.state().scrubs.now = Some(Box::new(Now::PutOffUntil(Instant::now() + pause)));
    }

    /// Takes in that all of it was read.
    pub(super) fn is_scrubbed(&self) {
        let mut state = self.state();
        let bad_pieces = state.bad.count() - state.excused_pieces.count();
        state.scrubs = Scrubs {
            last: Some(Last { secs_before: 0, since: Instant::now(), bad_pieces }),
            now: None,
            has_news: true,
        };
    }

    /// Whether nothing is known to stand in the way of reading a piece.
    fn is_readable(&self, piece: u32) -> bool {
        let state = self.state();
        !self.content.slots_of(piece).any(|slot| state.files[slot].is_faulty())
    }
}

/// Reads pieces from `from` on; returns the piece behind them, and how many bytes were read.
fn scrub_batch(entry: &Entry, from: u32) -> Result<(u32, u64), Refused> {
    let (mut next, mut bytes) = (from, 0);
    while next < entry.content.pieces() && bytes < BATCH_BYTES {
        match disk::scrub_piece(entry, next) {
            // What is bad is told of by the torrent's state.
            Ok(()) | Err(Refused::Bad) => {}
            Err(refused) if next == from => return Err(refused),
            Err(_) => break,
        }
        // What can't be opened costs nothing, and all of it is gone through at once.
        bytes += if entry.is_readable(next) { u64::from(entry.content.piece(next).1) } else { 0 };
        next += 1;
    }
    entry.rest_from_reading();
    Ok((next, bytes))
}

#[cfg(test)]
#[path = "scrub_tests.rs"]
mod tests;
