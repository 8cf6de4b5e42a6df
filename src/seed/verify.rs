//! The background: every file looked at again and again, and hashed where nothing is known of it.

use std::collections::HashSet;
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

    /// Hashes what is unknown, below [`VERIFY_BYTES_PER_SEC`]: a part of each torrent in turn, so that a small one does
    /// not wait for all of a large one.
    pub(super) async fn verify_what_is_unknown(self: Arc<Self>) {
        let mut pace = Instant::now();
        let mut turns: Vec<Turn> = Vec::new();
        let mut next = 0;
        loop {
            let is_wanted = tokio::select! {
                biased;
                () = self.verify_wanted.notified() => true,
                () = std::future::ready(()), if !turns.is_empty() => false,
            };
            if is_wanted {
                self.begin_turns(&mut turns);
            }
            let now = Instant::now();
            let count = turns.len();
            let Some(index) =
                (next..next + count).map(|index| index % count).find(|&index| turns[index].from_at <= now)
            else {
                if let Some(at) = turns.iter().map(|turn| turn.from_at).min() {
                    sleep_until(at).await;
                }
                continue;
            };
            next = index + 1;
            // What the disk does not give now is left to the next look.
            if !self.verify(&mut turns[index], &mut pace).await.unwrap_or(false) {
                turns.remove(index);
                next = index;
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
                    let _ = self.verify_suspects(&entry, &mut pace).await;
                }
            }
            sleep(SUSPECTS_PAUSE).await;
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Goes once through the suspect pieces of a torrent. What could not be settled is left to the next look.
    async fn verify_suspects(self: &Arc<Self>, entry: &Arc<Entry>, pace: &mut Instant) -> Result<(), Refused> {
        self.read_by_itself(entry, disk::look).await?;
        if let Some(rest) = entry.settles_in(Instant::now()) {
            sleep(rest).await;
        }
        let mut from = 0;
        while !entry.is_retired() {
            sleep_until(*pace).await;
            let began = Instant::now();
            let Batch { next, bytes, .. } =
                self.read_by_itself(entry, move |entry| hash_batch(entry, Entry::suspect_piece, from)).await?;
            *pace = began + cost(bytes);
            if bytes < BATCH_BYTES {
                break;
            }
            from = next;
        }
        Ok(())
    }

    /// Adds the torrents that something is to be hashed of, where they have no turn yet.
    fn begin_turns(&self, turns: &mut Vec<Turn>) {
        let known: HashSet<_> = turns.iter().map(|turn| Arc::as_ptr(&turn.entry)).collect();
        let entries = self.entries().into_iter();
        let unknown = entries.filter(|entry| entry.unknown_piece(0).is_some() && !known.contains(&Arc::as_ptr(entry)));
        let now = Instant::now();
        turns.extend(unknown.map(|entry| Turn { entry, from: None, from_at: now, hashed: 0 }));
    }

    /// Does a part of what is to be done for a torrent; true where there is more. It goes through its pieces once: what
    /// could not be settled is left to the next look.
    async fn verify(self: &Arc<Self>, turn: &mut Turn, pace: &mut Instant) -> Result<bool, Refused> {
        let entry = &turn.entry;
        if entry.is_retired() {
            return Ok(false);
        }
        let Some(from) = turn.from else {
            self.read_by_itself(entry, disk::look).await?;
            let now = Instant::now();
            turn.from_at = now + entry.settles_in(now).unwrap_or_default();
            turn.from = Some(0);
            return Ok(true);
        };
        sleep_until(*pace).await;
        let began = Instant::now();
        let Batch { next, pieces, bytes } =
            self.read_by_itself(entry, move |entry| hash_batch(entry, Entry::new_piece, from)).await?;
        turn.hashed += pieces;
        turn.from = Some(next);
        *pace = began + cost(bytes);
        if bytes >= BATCH_BYTES {
            return Ok(true);
        }
        let again = self.read_by_itself(entry, try_again).await?;
        *pace += cost(again.bytes);
        if again.bytes >= BATCH_BYTES {
            return Ok(true);
        }
        if turn.hashed == entry.content.pieces() && entry.unknown_piece(0).is_none() {
            // It has been read as a whole.
            entry.is_scrubbed();
        }
        Ok(false)
    }
}

/// How long so many bytes take, below [`VERIFY_BYTES_PER_SEC`].
fn cost(bytes: u64) -> Duration {
    Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / VERIFY_BYTES_PER_SEC)
}

/// A torrent that is being verified.
struct Turn {
    entry: Arc<Entry>,
    /// The piece that it is to go on at; nothing before its files were looked at.
    from: Option<u32>,
    /// When: what is read of its files before does not count.
    from_at: Instant,
    /// How many pieces were hashed.
    hashed: u32,
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
    next: u32,
    pieces: u32,
    /// Less than [`BATCH_BYTES`] only where there are no more.
    bytes: u64,
}

/// Which piece from one on is to be hashed.
type NextPiece = fn(&Entry, u32) -> Option<u32>;

impl Batch {
    fn hash(&mut self, entry: &Entry, piece: u32) {
        // What came of it stands in the torrent's state.
        let _ = disk::verify_piece(entry, piece);
        self.bytes += u64::from(entry.content.piece(piece).1);
        self.pieces += 1;
        self.next = piece + 1;
    }
}

/// Hashes those pieces from `from` on that `next` names.
fn hash_batch(entry: &Entry, next: NextPiece, from: u32) -> Batch {
    let mut batch = Batch { next: from, pieces: 0, bytes: 0 };
    // Without its hashes, none of it can be told.
    while batch.bytes < BATCH_BYTES
        && !entry.lacks_meta()
        && let Some(piece) = next(entry, batch.next)
    {
        batch.hash(entry, piece);
    }
    entry.rest_from_reading();
    batch
}

/// Hashes bad pieces that may be good by now, up to the first that still can't be told: a disk that fails is asked for
/// one of its bad pieces at each look, for another one each time, and for all when it works again.
fn try_again(entry: &Entry) -> Batch {
    let mut batch = Batch { next: 0, pieces: 0, bytes: 0 };
    while batch.bytes < BATCH_BYTES
        && let Some(piece) = entry.piece_to_try_again()
    {
        batch.hash(entry, piece);
        if !entry.knows(piece) {
            // For now there is no more.
            batch.bytes = 0;
            break;
        }
    }
    entry.rest_from_reading();
    batch
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tokio::sync::watch;

    use super::super::disk::FileFault;
    use super::super::test_house::{House, PIECE, Way};
    use super::super::test_peer::options;
    use super::*;
    use crate::metainfo::Kind;

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

    #[test]
    fn of_a_disk_that_fails_one_piece_is_tried_at_a_time_and_when_it_works_all() {
        let house = House::new(&[("a", PIECE * 5)]);
        let entry = Entry::new(&house.torrent, watch::Sender::new(0), &HashMap::new());
        disk::look(&entry);
        entry.age();
        house.obstacle().set(Way::ReadsFail(5));
        assert_eq!(
            (hash_batch(&entry, Entry::new_piece, 0).pieces, hash_batch(&entry, Entry::new_piece, 0).pieces),
            (5, 0),
            "each once"
        );
        assert_eq!([0; 3].map(|_| entry.piece_to_try_again()), [0, 1, 2].map(Some), "another one each time");
        assert_eq!(try_again(&entry).pieces, 1);
        house.obstacle().set(Way::Free);
        assert_eq!((try_again(&entry).pieces, entry.health()), (5, Health::Verified));
        assert_eq!(try_again(&entry).pieces, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn small_torrents_do_not_wait_for_all_of_a_large_one() {
        const PIECES: usize = 4;
        let batch = usize::try_from(BATCH_BYTES).expect("small");
        let large = House::with_pieces(batch, Kind::V1, &[("large", batch * PIECES)]);
        let small = [1, 2, 3, 4].map(|bytes| House::new(&[("small", bytes)]));
        let seed = Seed::new(&options());
        seed.set_torrents(small.iter().chain([&large]).map(|house| house.torrent.clone()).collect());
        seed.look().await;
        tokio::time::advance(Duration::from_secs(3)).await;
        let mut turns = Vec::new();
        seed.begin_turns(&mut turns);
        // The large one first, as it may be.
        turns.sort_by_key(|turn| turn.entry.info_hash() != large.torrent.info_hash());
        let mut pace = Instant::now();
        for _ in 0..3 {
            for turn in &mut turns {
                seed.verify(turn, &mut pace).await.expect("the disk answers");
            }
        }
        let verified = |house: &House| seed.status(&house.torrent.info_hash()).expect("seeded").pieces_verified;
        assert_eq!((small.each_ref().map(verified), verified(&large)), ([1; 4], 2), "the first turn was a look");
        let verifying = tokio::spawn(Arc::clone(&seed).verify_what_is_unknown());
        let mut changes = seed.changes();
        while seed.health(&large.torrent.info_hash()) != Some(Health::Verified) {
            changes.changed().await.expect("the seed lives");
        }
        verifying.abort();
    }
}
