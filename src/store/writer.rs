//! A thread that owns the store: changes come in at once, and go to the disk a few seconds later.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Batch, MonthSent, Point, Sample, Scrubbed, Store, Verdict};
use crate::id::InfoHash;
use crate::problem::Problem;
use crate::tracker::Change;

/// After so long at the latest all counts are on the disk (rule 23), where the disk takes them, and the peers of a flush.
pub const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// Peers of one flush at most, unless it was asked for or is the last: as many as come in [`FLUSH_EVERY`] at the rate
/// that the tracker holds its peers to ([`crate::tracker::ANNOUNCES_PER_SEC_MAX`]). Where more come, writing does not
/// take more of the processor from answering them: those that wait longest are written first.
pub const FLUSH_PEERS_MAX: usize = 25_000;
/// Peers that are taken from those that wait while nobody else can add to them.
const TAKEN_AT_ONCE: usize = 500;
/// Peers that wait for the disk at most, about 20 MB of them. Beyond it, peers that do not wait yet are not kept:
/// after a restart they are missing until they announce again. Counts are never dropped.
pub const PENDING_PEERS_MAX: usize = 200_000;
/// Samples and verdicts that wait for the disk at most, of each; beyond it new ones are not kept.
pub const PENDING_SAMPLES_MAX: usize = 100_000;

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct WriterOptions {
    /// How long changes are gathered before they are written.
    pub flush_every: Duration,
    /// Peers that wait for the disk at most.
    pub pending_peers_max: usize,
    /// Peers of one flush at most, unless it was asked for or is the last.
    pub flush_peers_max: usize,
    /// The time that has passed since some moment: nothing is measured where it stands still.
    pub clock: fn() -> Duration,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            flush_every: FLUSH_EVERY,
            pending_peers_max: PENDING_PEERS_MAX,
            flush_peers_max: FLUSH_PEERS_MAX,
            clock: || Duration::ZERO,
        }
    }
}

/// What the writer says when writing begins to fail, and when it works again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A write failed; it is tried again, and nothing is lost but what does not fit into memory.
    Began(Problem),
    /// The same batch is on the disk now.
    Ended,
}

/// How the writer is doing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Health {
    /// Why the last write failed; `None` where it did not.
    pub trouble: Option<Problem>,
    /// Rows that wait for the disk.
    pub pending: usize,
    /// Batches written so far.
    pub flushes: u64,
    /// Rows written so far.
    pub rows: u64,
    /// Rows of the largest of these batches.
    pub rows_most: u64,
    /// How long these writes took together.
    pub took: Duration,
    /// How long the longest of them took.
    pub took_longest: Duration,
    /// Changes of peers, samples and verdicts that were not kept, because too many waited.
    pub dropped: u64,
}

/// Writes changes to a [`Store`] in batches, off everybody's path. Dropping it flushes, as [`Writer::close`] does.
pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    options: WriterOptions,
}

struct Shared {
    // A std Mutex: nothing is written to the disk and nothing awaits while it is held.
    state: Mutex<State>,
    wake: Condvar,
    done: Condvar,
}

#[derive(Default)]
struct State {
    pending: Batch,
    /// Flushes asked for, and those that came to an end, well or not.
    asked: u64,
    answered: u64,
    closing: bool,
    ended: bool,
    health: Health,
}

impl Writer {
    /// Starts the thread. `told` hears of trouble when it begins and when it ends, from that thread.
    pub fn start(
        store: Store,
        options: WriterOptions,
        told: impl Fn(Trouble) + Send + 'static,
    ) -> Result<Self, Problem> {
        let shared = Arc::new(Shared { state: Mutex::default(), wake: Condvar::new(), done: Condvar::new() });
        let path = store.path().to_owned();
        let (theirs, settings) = (Arc::clone(&shared), options.clone());
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || work(store, &theirs, &settings, told))
            .map_err(|error| {
                Problem::at(path, format!("no thread can be started for the database: {error}"))
                    .help("raise the limit of threads (ulimit -u)")
            })?;
        Ok(Self { shared, thread: Some(thread), options })
    }

    /// Takes in changes, and leaves the list empty. It never waits for the disk.
    pub fn push(&self, changes: &mut Vec<Change>) {
        let mut state = self.shared.lock();
        for change in changes.drain(..) {
            let is_taken = state.pending.change_within(&change, self.options.pending_peers_max);
            state.health.dropped += u64::from(!is_taken);
        }
    }

    /// Takes in samples for the time series.
    pub fn sample(&self, samples: impl IntoIterator<Item = Sample>) {
        let mut state = self.shared.lock();
        for sample in samples {
            if state.pending.samples.len() < PENDING_SAMPLES_MAX {
                state.pending.sample(sample);
            } else {
                state.health.dropped += 1;
            }
        }
    }

    /// Takes in a sample of all torrents together.
    pub fn total(&self, point: Point) {
        let mut state = self.shared.lock();
        if state.pending.totals.len() < PENDING_SAMPLES_MAX {
            state.pending.total(point);
        } else {
            state.health.dropped += 1;
        }
    }

    /// Takes in the bytes that the everseed has sent of a torrent in its lifetime.
    pub fn sent(&self, info_hash: InfoHash, sent: u64) {
        self.shared.lock().pending.sent(info_hash, sent);
    }

    /// Takes in the bytes of a torrent's files that were sent over HTTP in its lifetime.
    pub fn web_sent(&self, info_hash: InfoHash, web_sent: u64) {
        self.shared.lock().pending.web_sent(info_hash, web_sent);
    }

    /// Takes in what came of reading a torrent's files.
    pub fn scrubbed(&self, scrubbed: Scrubbed) {
        self.shared.lock().pending.scrubbed(scrubbed);
    }

    /// Takes in what was sent in a month so far.
    pub fn month(&self, sent: MonthSent) {
        self.shared.lock().pending.month(sent);
    }

    /// Takes in verdicts of the seed.
    pub fn put_verdicts(&self, verdicts: impl IntoIterator<Item = Verdict>) {
        let mut state = self.shared.lock();
        for verdict in verdicts {
            if state.pending.verdicts.len() < PENDING_SAMPLES_MAX {
                state.pending.verdict(verdict);
            } else {
                state.health.dropped += 1;
            }
        }
    }

    /// Waits until all that was taken in so far is on the disk, for `at_most` so long.
    pub fn flush(&self, at_most: Duration) -> Result<(), Problem> {
        let mut state = self.shared.lock();
        state.asked += 1;
        let mine = state.asked;
        self.shared.wake.notify_one();
        let waiting =
            self.shared.done.wait_timeout_while(state, at_most, |state| state.answered < mine && !state.ended);
        let (state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        outcome(&state, state.answered >= mine)
    }

    /// How it is doing.
    pub fn health(&self) -> Health {
        let state = self.shared.lock();
        Health { pending: state.pending.len(), ..state.health.clone() }
    }

    /// Writes what waits, and ends the thread, within `at_most`; says what could not be written.
    pub fn close(mut self, at_most: Duration) -> Result<(), Problem> {
        self.end(at_most)
    }

    fn end(&mut self, at_most: Duration) -> Result<(), Problem> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let mut state = self.shared.lock();
        state.closing = true;
        self.shared.wake.notify_one();
        let waiting = self.shared.done.wait_timeout_while(state, at_most, |state| !state.ended);
        let (state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        let (ended, outcome) = (state.ended, outcome(&state, state.ended));
        drop(state);
        if ended {
            // The thread has nothing left to do. One that hangs in a write is left to itself.
            drop(thread.join());
        }
        outcome
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Who wants to know calls `close`.
        drop(self.end(FLUSH_EVERY));
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("health", &self.health()).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked left a batch that is whole at every moment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn outcome(state: &State, answered: bool) -> Result<(), Problem> {
    match &state.health.trouble {
        Some(problem) => Err(problem.clone()),
        None if answered => Ok(()),
        None => Err(Problem::new("the database did not take the last changes in time").help("check the disk")),
    }
}

/// Tells those who wait that the thread has ended, and all others where nobody asked it to.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.ended = true;
        if !state.closing {
            let problem = Problem::new("the thread that writes the database has stopped by itself; nothing is kept");
            state.health.trouble = Some(problem.help("start everseed again, and report this"));
        }
        drop(state);
        self.0.done.notify_all();
    }
}

fn work(mut store: Store, shared: &Shared, options: &WriterOptions, told: impl Fn(Trouble)) {
    let _ending = Ending(shared);
    loop {
        let waiting = shared.wake.wait_timeout_while(shared.lock(), options.flush_every, |state| {
            state.asked == state.answered && !state.closing
        });
        let (mut state, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        let (asked, closing) = (state.asked, state.closing);
        let mut batch = state.pending.take_counts();
        let all = closing || asked > state.answered;
        drop(state);
        let mut open = if all { usize::MAX } else { options.flush_peers_max };
        while open > 0 {
            // A little at a time: announces wait for this.
            let mut state = shared.lock();
            let waiting = state.pending.peers.len();
            let count = waiting.min(open).min(TAKEN_AT_ONCE);
            state.pending.peers.take(count, &mut batch.peers);
            open = if count == waiting { 0 } else { open - count };
        }

        let begun = (options.clock)();
        let written = if batch.is_empty() { Ok(()) } else { store.append(&batch) };
        let took = (options.clock)().saturating_sub(begun);

        let mut state = shared.lock();
        let news = match written {
            Ok(()) if batch.is_empty() => None,
            Ok(()) => {
                state.health.flushes += 1;
                state.health.rows += batch.len() as u64;
                state.health.rows_most = state.health.rows_most.max(batch.len() as u64);
                state.health.took += took;
                state.health.took_longest = state.health.took_longest.max(took);
                state.health.trouble.take().map(|_| Trouble::Ended)
            }
            Err(problem) => {
                let dropped = state.pending.absorb_older(batch, options.pending_peers_max, PENDING_SAMPLES_MAX);
                state.health.dropped += dropped as u64;
                let former = state.health.trouble.replace(problem.clone());
                former.is_none().then_some(Trouble::Began(problem))
            }
        };
        drop(state);
        if let Some(news) = news {
            told(news);
        }
        let mut state = shared.lock();
        state.answered = asked;
        drop(state);
        if closing {
            return;
        }
        shared.done.notify_all();
    }
}
