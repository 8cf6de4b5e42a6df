//! Work on disks that may not answer: whoever waits gives up after a while, which is told, and takes no place that
//! others need.
//!
//! A thread that waits for such a disk can't be called back. So there are few of them: no more is asked of a torrent
//! while one of its reads is stuck, and nothing of a disk while many are, until they come back.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Seed;
use super::disk::{self, Refused};
use super::torrents::Entry;

/// How long a disk may take to give a first or a further byte.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Reads of one disk that are stuck when nothing more is asked of it. A look that is stuck counts as all of them: it
/// reads nothing, so that nothing else of that disk is to be had either.
pub(super) const STUCK_OF_A_DISK_MAX: usize = 32;

/// What is stuck on each disk.
#[derive(Debug, Default)]
pub(super) struct Disks {
    // A std Mutex: nothing awaits and no file is touched while it is held.
    stuck: Mutex<HashMap<u64, usize>>,
}

impl Disks {
    /// Whether the disk of a torrent does not answer.
    pub fn are_silent(&self, entry: &Entry) -> bool {
        let stuck = self.stuck();
        !stuck.is_empty()
            && entry.devices().any(|device| stuck.get(&device).is_some_and(|&count| count >= STUCK_OF_A_DISK_MAX))
    }

    fn add(&self, devices: &[u64], count: usize) {
        let mut stuck = self.stuck();
        devices.iter().for_each(|device| *stuck.entry(*device).or_default() += count);
    }

    fn remove(&self, devices: &[u64], count: usize) {
        let mut stuck = self.stuck();
        for device in devices {
            let left = stuck.get(device).map_or(0, |known| known.saturating_sub(count));
            if left > 0 {
                stuck.insert(*device, left)
            } else {
                stuck.remove(device)
            };
        }
    }

    fn stuck(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seed {
    /// Does `work` for a peer, in its turn: first among those of its torrent, so that whoever waits for a stalled disk
    /// holds no place that others need.
    pub(super) async fn read_for_peer<T: Send + 'static>(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        work: impl FnOnce(&Entry) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let own = self.turn_of(entry).await?;
        let all = Arc::clone(&self.reads).acquire_owned().await.map_err(|_| Refused::Busy)?;
        self.supervised(entry, Some(own), Some(all), work).await
    }

    /// The same in a `place` that is its own: it is given back when the disk falls silent, and not when the thread comes
    /// back from there.
    pub(super) async fn hash_for_peer<T: Send + 'static>(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        place: OwnedSemaphorePermit,
        work: impl FnOnce(&Entry) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        if self.is_silent(entry) {
            return Err(Refused::Silent);
        }
        self.supervised(entry, None, Some(place), work).await
    }

    /// Does `work` in the background.
    pub(super) async fn read_by_itself<T: Send + 'static>(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        work: impl FnOnce(&Entry) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let own = self.turn_of(entry).await?;
        self.supervised(entry, Some(own), None, work).await
    }

    /// Whether nothing is asked of a torrent's disk just now.
    pub(super) fn is_silent(&self, entry: &Entry) -> bool {
        entry.is_stuck() || self.disks.are_silent(entry)
    }

    async fn turn_of(&self, entry: &Arc<Entry>) -> Result<OwnedSemaphorePermit, Refused> {
        if self.is_silent(entry) {
            return Err(Refused::Silent);
        }
        // Closed when the torrent falls silent.
        entry.reads().acquire_owned().await.map_err(|_| Refused::Silent)
    }

    async fn supervised<T: Send + 'static>(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        own: Option<OwnedSemaphorePermit>,
        all: Option<OwnedSemaphorePermit>,
        work: impl FnOnce(&Entry) -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let worked = Arc::clone(entry);
        let task = tokio::task::spawn_blocking(move || {
            // The torrent's own place is taken for as long as the thread is.
            let _own = own;
            work(&worked)
        });
        let mut wait = Wait { seed: Arc::clone(self), entry: Arc::clone(entry), task: Some(task), all };
        wait.end().await
    }

    /// Looks at each of `entries`. One whose disk does not answer is passed over, with all others of that disk.
    pub(super) async fn look_at(self: &Arc<Self>, entries: Vec<Arc<Entry>>) {
        let entries: Arc<[Arc<Entry>]> = entries.into();
        let mut from = 0;
        while from < entries.len() {
            let at = Arc::new(AtomicUsize::new(from));
            let given_up = Arc::new(AtomicBool::new(false));
            let mut task = {
                let (seed, entries) = (Arc::clone(self), Arc::clone(&entries));
                let (at, given_up) = (Arc::clone(&at), Arc::clone(&given_up));
                tokio::task::spawn_blocking(move || {
                    for (index, entry) in entries.iter().enumerate().skip(from) {
                        at.store(index, Ordering::Relaxed);
                        if given_up.load(Ordering::Relaxed) {
                            return;
                        }
                        let is_silent = seed.disks.are_silent(entry);
                        entry.disk_is_silent(is_silent);
                        if !is_silent && !entry.is_stuck() {
                            disk::look(entry);
                        }
                    }
                    at.store(entries.len(), Ordering::Relaxed);
                })
            };
            // How far it is: at which torrent, and how many of its files it has looked at.
            let so_far = || {
                let index = at.load(Ordering::Relaxed);
                (index, entries.get(index).map(|entry| entry.pulse()))
            };
            let mut seen = so_far();
            loop {
                // A task can only fail by a panic, which the panic hook has told of.
                if timeout(ANSWER_WITHIN, &mut task).await.is_ok() {
                    return;
                }
                let now = so_far();
                if std::mem::replace(&mut seen, now) == now {
                    break;
                }
            }
            given_up.store(true, Ordering::Relaxed);
            if let Some(entry) = entries.get(seen.0) {
                self.leave_stuck(entry, task, STUCK_OF_A_DISK_MAX);
            }
            from = seen.0 + 1;
        }
    }

    /// Takes in that a thread is stuck, and waits for it to come back, beside all else.
    fn leave_stuck<T: Send + 'static>(self: &Arc<Self>, entry: &Arc<Entry>, task: JoinHandle<T>, count: usize) {
        let devices: Vec<u64> = entry.devices().collect();
        self.disks.add(&devices, count);
        entry.falls_silent();
        let (seed, entry) = (Arc::clone(self), Arc::clone(entry));
        tokio::spawn(async move {
            let _ = task.await;
            seed.disks.remove(&devices, count);
            entry.answers_again();
            seed.look_wanted.notify_one();
        });
    }
}

/// The wait for a thread, which goes on when nobody needs what it does any more: a peer that leaves does not take along
/// the knowledge that a disk is stalled.
struct Wait<T: Send + 'static> {
    seed: Arc<Seed>,
    entry: Arc<Entry>,
    /// Nothing once it has come to its end, or was left to itself.
    task: Option<JoinHandle<T>>,
    all: Option<OwnedSemaphorePermit>,
}

impl<T: Send + 'static> Wait<T> {
    async fn end(&mut self) -> Result<T, Refused> {
        // It stays here while it is waited for, so that it is here when that is given up.
        let Some(task) = &mut self.task else { return Err(Refused::Busy) };
        let done = answer(&self.entry, task).await;
        let task = self.task.take();
        match (done, task) {
            (Some(done), _) => done,
            (None, Some(task)) => {
                self.all = None;
                self.seed.leave_stuck(&self.entry, task, 1);
                Err(Refused::Silent)
            }
            (None, None) => Err(Refused::Silent),
        }
    }
}

impl<T: Send + 'static> Drop for Wait<T> {
    fn drop(&mut self) {
        let Some(mut task) = self.task.take() else { return };
        let (seed, entry, all) = (Arc::clone(&self.seed), Arc::clone(&self.entry), self.all.take());
        // Where the runtime ends, all do.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if answer(&entry, &mut task).await.is_none() {
                    drop(all);
                    seed.leave_stuck(&entry, task, 1);
                }
            });
        }
    }
}

/// What a thread that reads for `entry` comes back with; nothing where the disk gives it nothing for too long.
async fn answer<T>(entry: &Entry, task: &mut JoinHandle<T>) -> Option<Result<T, Refused>> {
    loop {
        let pulse = entry.pulse();
        match timeout(ANSWER_WITHIN, &mut *task).await {
            // It can only fail by a panic, which the panic hook has told of.
            Ok(done) => return Some(done.map_err(|_| Refused::Busy)),
            Err(_) if entry.pulse() != pulse => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
#[path = "disks_tests.rs"]
mod tests;
