//! What leaves of each torrent's files over HTTP, and how fast.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::body::Metered;
use crate::id::InfoHash;
use crate::pace::Pace;

/// Counts the bytes of content that are written, by torrent.
#[derive(Debug)]
pub struct WebSent {
    // A std Mutex: nothing awaits while it is held. A torrent stays here when it is withdrawn, as it does in the store.
    each: Mutex<HashMap<InfoHash, Each>>,
    all: Arc<AtomicU64>,
    pace: Arc<Pace>,
}

#[derive(Debug, Default)]
struct Each {
    sent: Arc<AtomicU64>,
    /// As it was last passed on.
    passed_on: u64,
}

impl WebSent {
    /// Nothing sent and no pace, but for what is known of a former run.
    pub fn new(known: impl IntoIterator<Item = (InfoHash, u64)>) -> Self {
        let each = |(info_hash, sent)| (info_hash, Each { sent: Arc::new(AtomicU64::new(sent)), passed_on: sent });
        let each = Mutex::new(known.into_iter().filter(|(_, sent)| *sent > 0).map(each).collect());
        Self { each, all: Arc::default(), pace: Arc::new(Pace::new(None)) }
    }

    /// How a file of this torrent leaves.
    pub fn metered(&self, info_hash: InfoHash) -> Metered {
        let of_torrent = Arc::clone(&self.lock().entry(info_hash).or_default().sent);
        Metered { of_torrent, of_all: Arc::clone(&self.all), pace: Arc::clone(&self.pace) }
    }

    /// Bytes of all torrents since the start.
    pub fn since_start(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    /// The bytes of each torrent of which anything was sent, in its lifetime.
    pub fn each(&self) -> HashMap<InfoHash, u64> {
        self.lock().iter().map(|(info_hash, each)| (*info_hash, each.sent.load(Ordering::Relaxed))).collect()
    }

    /// Those of them that have grown since the last call.
    pub fn grown(&self) -> Vec<(InfoHash, u64)> {
        let mut each = self.lock();
        let grown = each.iter_mut().filter_map(|(info_hash, each)| {
            let sent = each.sent.load(Ordering::Relaxed);
            let former = std::mem::replace(&mut each.passed_on, sent);
            (former != sent).then_some((*info_hash, sent))
        });
        grown.collect()
    }

    /// Whether none has grown since the last call of [`WebSent::grown`].
    pub fn is_passed_on(&self) -> bool {
        self.lock().values().all(|each| each.sent.load(Ordering::Relaxed) == each.passed_on)
    }

    /// How fast all of it may go.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InfoHash, Each>> {
        // It is whole at every moment.
        self.each.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_torrent_goes_on_where_it_stopped_and_is_passed_on_once() {
        let [one, other] = [1, 2].map(|byte| InfoHash([byte; 20]));
        let web = WebSent::new([(one, 10), (other, 0)]);
        assert_eq!((web.each(), web.grown(), web.since_start()), (HashMap::from([(one, 10)]), vec![], 0));
        let metered = web.metered(one);
        metered.of_torrent.fetch_add(5, Ordering::Relaxed);
        metered.of_all.fetch_add(5, Ordering::Relaxed);
        drop(web.metered(other));
        assert_eq!((web.grown(), web.grown(), web.since_start()), (vec![(one, 15)], vec![], 5));
    }
}
