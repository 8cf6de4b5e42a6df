//! Another list of torrents, put in force a little at a time, so that no announce waits for all of it.

use std::collections::HashMap;

use super::shelf::Shelf;
use super::swarm::{NO_TWIN, Swarm};
use super::swarms::{Options, SeedState, Swarms, TORRENTS_MAX};
use crate::id::{InfoHash, InfoHashes};

/// Torrents that one call of [`Swarms::reload`] looks at: about a millisecond's work.
pub const RELOAD_BATCH: usize = 1_000;

/// A list of torrents on its way into force; see [`Swarms::reload`].
#[derive(Debug)]
pub struct Reload {
    wanted: HashMap<InfoHash, Wanted>,
    /// The same in the order in which they come.
    order: Vec<InfoHash>,
    step: Step,
    reloaded: Reloaded,
}

/// What [`Swarms::set_torrents`] changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reloaded {
    /// Swarms that are served from now on.
    pub added: usize,
    /// Swarms that are withdrawn from now on.
    pub removed: usize,
    /// Swarms that are not served, because there are more than [`Options::torrents_max`].
    pub left_out: usize,
}

#[derive(Debug, Clone, Copy)]
struct Wanted {
    twin: Option<InfoHash>,
    seed: Option<SeedState>,
}

/// What is done next, and where.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// From the end on: what takes the place of one that goes has been looked at.
    Remove(usize),
    Add(usize),
    Pair(usize),
    Done,
}

impl Reload {
    /// Torrents of which `options` has room, each with whether the everseed has it; with none, it stays as it is.
    pub fn new<T: Into<InfoHashes>>(
        torrents: impl IntoIterator<Item = (T, Option<SeedState>)>,
        options: &Options,
    ) -> Self {
        let (mut wanted, mut order) = (HashMap::new(), Vec::new());
        let mut reloaded = Reloaded::default();
        for (torrent, seed) in torrents {
            let torrent: InfoHashes = torrent.into();
            for info_hash in torrent.swarms() {
                if wanted.len() < options.torrents_max.min(TORRENTS_MAX) {
                    let twin = torrent.swarms().find(|other| *other != info_hash);
                    if wanted.insert(info_hash, Wanted { twin, seed }).is_none() {
                        order.push(info_hash);
                    }
                } else if !wanted.contains_key(&info_hash) {
                    reloaded.left_out += 1;
                }
            }
        }
        Self { wanted, order, step: Step::Remove(usize::MAX), reloaded }
    }

    /// What it changed so far.
    pub fn reloaded(&self) -> Reloaded {
        self.reloaded
    }
}

impl Swarms {
    /// Serves exactly `torrents` from now on. A new one is accepted at once, one that is no longer named is refused
    /// as withdrawn, the others keep their peers.
    ///
    /// A hybrid torrent has two swarms, of v1 and of v2, that share no peers: they can't shake hands (rule 24).
    pub fn set_torrents<T: Into<InfoHashes>>(&mut self, torrents: impl IntoIterator<Item = T>) -> Reloaded {
        let torrents = torrents.into_iter().map(|torrent| (torrent, None));
        let mut reload = Reload::new(torrents, self.options());
        while !self.reload(&mut reload) {}
        reload.reloaded
    }

    /// Does the next [`RELOAD_BATCH`] steps of what [`Self::set_torrents`] does at once, and returns whether that was
    /// all. Announces may come between: meanwhile a torrent is either as it was or as it is to be.
    pub fn reload(&mut self, reload: &mut Reload) -> bool {
        for _ in 0..RELOAD_BATCH {
            reload.step = match reload.step {
                Step::Remove(end) => match end.min(self.shelf.site().len()).checked_sub(1) {
                    None => Step::Add(0),
                    Some(at) => {
                        if !reload.wanted.contains_key(&self.shelf.at(at).info_hash) {
                            self.withdraw(at);
                            reload.reloaded.removed += 1;
                        }
                        Step::Remove(at)
                    }
                },
                Step::Add(number) => match reload.order.get(number) {
                    None => Step::Pair(0),
                    Some(info_hash) => {
                        let is_new = self.add(*info_hash, reload.wanted[info_hash].seed);
                        reload.reloaded.added += usize::from(is_new);
                        Step::Add(number + 1)
                    }
                },
                Step::Pair(at) if at < self.shelf.site().len() => {
                    let wanted = reload.wanted.get(&self.shelf.at(at).info_hash);
                    let twin = wanted.and_then(|wanted| wanted.twin).and_then(|twin| self.shelf.find(&twin));
                    let twin = twin.filter(|&twin| !Shelf::is_foreign(twin));
                    self.shelf.at_mut(at).twin = twin.and_then(|twin| u32::try_from(twin).ok()).unwrap_or(NO_TWIN);
                    Step::Pair(at + 1)
                }
                Step::Pair(_) | Step::Done => Step::Done,
            };
        }
        // The next expiry may stand in a swarm that has another place now: it begins that one anew.
        self.forget_sweep();
        matches!(reload.step, Step::Done)
    }

    /// Serves a torrent of the site; returns whether it was none before.
    fn add(&mut self, info_hash: InfoHash, seed: Option<SeedState>) -> bool {
        let is_new = match self.shelf.find(&info_hash) {
            Some(at) if Shelf::is_foreign(at) => {
                self.adopt(at);
                true
            }
            Some(_) => false,
            None => {
                let tally = self.retired.remove(&info_hash).unwrap_or_default();
                self.shelf.add(Swarm::new(info_hash, tally));
                true
            }
        };
        if let Some(seed) = seed {
            self.set_seed(&info_hash, seed);
        }
        is_new
    }

    /// Serves the torrent of the site that stands at `at` no more.
    fn withdraw(&mut self, at: usize) {
        let (swarm, last) = self.shelf.remove(at);
        let place = u32::try_from(at).unwrap_or(NO_TWIN);
        // The last one stands here now, and its twin is told so.
        let twin = if swarm.twin as usize == last { place } else { swarm.twin };
        self.pair(twin, NO_TWIN);
        if at < self.shelf.site().len() {
            self.pair(self.shelf.at(at).twin, place);
        }
        self.peers -= swarm.peers();
        self.retire(swarm.info_hash, swarm.tally());
    }

    fn pair(&mut self, at: u32, twin: u32) {
        if (at as usize) < self.shelf.site().len() {
            self.shelf.at_mut(at as usize).twin = twin;
        }
    }
}
