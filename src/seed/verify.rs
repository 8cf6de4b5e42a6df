//! The background: every file looked at again and again, and hashed where nothing is known of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::disk::{self, Refused};
use super::torrents::Entry;
use super::{Health, LOOK_EVERY, LOOK_PARTS, LOOK_TORRENTS_MIN, Seed, VERIFY_BYTES_PER_SEC};

/// Small pieces are hashed so many bytes at a time.
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
/// The least time between two looks for pieces that were bad before their files changed: many changes cost one.
const SUSPECTS_PAUSE: Duration = Duration::from_millis(100);

impl Seed {
    /// Looks at every file without reading it, so that [`Seed::statuses`] tell what is missing; what changed is then
    /// verified, where [`Seed::serve`] runs. That looks again by itself every [`LOOK_EVERY`]; a caller that wants to
    /// tell at its start what is missing looks once before.
    pub async fn look(self: &Arc<Self>) {
        self.look_at(self.entries()).await;
        self.verify_wanted.notify_one();
    }

    pub(super) async fn look_again_and_again(self: Arc<Self>) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut next = 0;
        loop {
            tokio::select! {
                _ = ticks.tick() => self.look_at(in_turn(self.entries(), &mut next)).await,
                () = self.look_wanted.notified() => self.look_at(self.entries()).await,
            }
            self.verify_wanted.notify_one();
            self.entries().iter().for_each(|entry| entry.rest());
        }
    }

    /// Hashes one torrent after another, below [`VERIFY_BYTES_PER_SEC`].
    pub(super) async fn verify_what_is_unknown(self: Arc<Self>) {
        let mut pace = Instant::now();
        loop {
            self.verify_wanted.notified().await;
            for entry in self.entries() {
                if entry.unknown_piece(0).is_some() {
                    // What the disk does not give now is left to the next look.
                    let _ = self.verify(&entry, Entry::unknown_piece, &mut pace).await;
                }
            }
        }
    }

    /// Hashes what was bad as soon as its file has changed, beside the pass over all that is unknown, which may take
    /// hours: a file that is restored does not wait for it.
    pub(super) async fn verify_what_is_suspect(self: Arc<Self>) {
        let mut pace = Instant::now();
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            for entry in self.entries() {
                if entry.suspect_piece(0).is_some() {
                    let _ = self.verify(&entry, Entry::suspect_piece, &mut pace).await;
                }
            }
            sleep(SUSPECTS_PAUSE).await;
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Goes once through those pieces of a torrent that `next` names. What could not be settled is left to the next look.
    async fn verify(self: &Arc<Self>, entry: &Arc<Entry>, next: NextPiece, pace: &mut Instant) -> Result<(), Refused> {
        self.read_by_itself(entry, disk::look).await?;
        if let Some(rest) = entry.settles_in(Instant::now()) {
            sleep(rest).await;
        }
        let (mut from, mut hashed) = (0, 0);
        while !entry.is_retired() {
            sleep_until(*pace).await;
            let began = Instant::now();
            let batch = self.read_by_itself(entry, move |entry| verify_batch(entry, next, from)).await?;
            let Some(Batch { behind, pieces, bytes }) = batch else { break };
            hashed += pieces;
            *pace = began + Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / VERIFY_BYTES_PER_SEC);
            if bytes < BATCH_BYTES {
                break;
            }
            from = behind;
        }
        if hashed == entry.content.pieces() && entry.unknown_piece(0).is_none() {
            // It has been read as a whole.
            entry.is_scrubbed();
        }
        Ok(())
    }
}

/// Of all torrents those to be looked at now: what is not well, and a part of the others from the `next` one on.
fn in_turn(mut entries: Vec<Arc<Entry>>, next: &mut usize) -> Vec<Arc<Entry>> {
    let part = entries.len().div_ceil(LOOK_PARTS).max(LOOK_TORRENTS_MIN);
    let first = if *next < entries.len() { *next } else { 0 };
    let turn = first..first + part;
    *next = turn.end;
    let mut index = 0..;
    entries
        .retain(|entry| index.next().is_some_and(|index| turn.contains(&index)) || entry.health() > Health::Verifying);
    entries
}

/// What was hashed at a time.
struct Batch {
    /// The piece behind it.
    behind: u32,
    pieces: u32,
    /// Less than [`BATCH_BYTES`] only where there are no more.
    bytes: u64,
}

/// Which piece from one on is to be hashed.
type NextPiece = fn(&Entry, u32) -> Option<u32>;

/// Hashes pieces from `from` on; nothing where there are none.
fn verify_batch(entry: &Entry, next: NextPiece, from: u32) -> Option<Batch> {
    let mut batch = Batch { behind: from, pieces: 0, bytes: 0 };
    while batch.bytes < BATCH_BYTES
        && let Some(piece) = next(entry, batch.behind)
    {
        // What came of it stands in the torrent's state.
        let _ = disk::verify_piece(entry, piece);
        batch.bytes += u64::from(entry.content.piece(piece).1);
        batch.pieces += 1;
        batch.behind = piece + 1;
    }
    (batch.pieces > 0).then_some(batch)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tokio::sync::watch;

    use super::super::disk::FileFault;
    use super::super::test_house::House;
    use super::*;

    #[test]
    fn of_many_torrents_some_are_looked_at_in_turn_and_what_is_not_well_always() {
        let house = House::new(&[("a", 5)]);
        let entry = |_| Arc::new(Entry::new(&house.torrent, watch::Sender::new(0), &HashMap::new()));
        let rounds = |count: usize, ill: usize| {
            let entries: Vec<_> = (0..count).map(entry).collect();
            entries[ill].saw(0, Err(FileFault::Missing), Instant::now());
            let mut next = 0;
            let mut looks = Vec::new();
            while looks.is_empty() || next < count {
                let turn = in_turn(entries.clone(), &mut next);
                assert!(turn.iter().any(|entry| Arc::ptr_eq(entry, &entries[ill])));
                looks.push(turn.len());
            }
            looks
        };
        assert_eq!(rounds(LOOK_TORRENTS_MIN, 7), [500]);
        assert_eq!(rounds(1100, 1050), [501, 501, 100]);
        assert_eq!(rounds(LOOK_PARTS * 600, 0), [600, 601, 601, 601, 601, 601, 601, 601]);
    }
}
