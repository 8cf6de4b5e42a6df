//! Where the swarms stand, and which torrent's stands where; it knows none of their rules.

use super::array::Array;
use super::index::Index;
use super::random::Keyed;
use super::swarm::Swarm;
use crate::id::InfoHash;

/// The place of a swarm of another's torrent has this bit.
const FOREIGN: usize = 1 << 31;
/// No place: the end of the list.
const END: u32 = u32::MAX;
/// No place either: the swarm stands not in the list.
const UNLISTED: u32 = u32::MAX - 1;
/// Torrents that were heard again and are passed over at most, when the oldest is looked for.
const PASSED_OVER_MAX: usize = 16;

/// The swarms of the site's torrents and, apart from them, of others' (which an open tracker has): each has a place,
/// and an index finds it by its hash. Taking one out moves another to its place.
#[derive(Debug)]
pub struct Shelf {
    keyed: Keyed,
    site: Array<Swarm>,
    foreign: Array<Foreign>,
    index: Index,
    /// The ends of the list of the foreign swarms without seeds, the oldest first.
    oldest: u32,
    newest: u32,
}

#[derive(Debug)]
struct Foreign {
    swarm: Swarm,
    older: u32,
    newer: u32,
}

impl Shelf {
    pub fn new(keyed: Keyed) -> Self {
        Self {
            keyed,
            site: Array::default(),
            foreign: Array::default(),
            index: Index::default(),
            oldest: END,
            newest: END,
        }
    }

    /// Where the swarm of `info_hash` stands.
    pub fn find(&self, info_hash: &InfoHash) -> Option<usize> {
        let hash = self.keyed.hash(&info_hash.0);
        self.index.find(hash, |place| self.at(place).info_hash == *info_hash)
    }

    /// Whether a place is that of a torrent that is not of the site.
    pub fn is_foreign(place: usize) -> bool {
        place & FOREIGN != 0
    }

    pub fn at(&self, place: usize) -> &Swarm {
        at(&self.site, &self.foreign, place)
    }

    pub fn at_mut(&mut self, place: usize) -> &mut Swarm {
        if Self::is_foreign(place) { &mut self.foreign.at_mut(place & !FOREIGN).swarm } else { self.site.at_mut(place) }
    }

    /// Swarms of the site.
    pub fn site(&self) -> &Array<Swarm> {
        &self.site
    }

    /// How many others there are.
    pub fn foreign_len(&self) -> usize {
        self.foreign.len()
    }

    /// The place that comes `number`th, those of the site first.
    pub fn place(&self, number: usize) -> usize {
        number.checked_sub(self.site.len()).map_or(number, |number| number | FOREIGN)
    }

    /// All swarms.
    pub fn len(&self) -> usize {
        self.site.len() + self.foreign.len()
    }

    /// Adds a swarm of the site.
    pub fn add(&mut self, swarm: Swarm) {
        let place = self.site.len();
        self.insert(swarm.info_hash, place, |shelf| shelf.site.push(swarm));
    }

    /// Adds a swarm that is not of the site, as the newest one without seeds, and returns its place.
    pub fn add_foreign(&mut self, swarm: Swarm) -> usize {
        let at = self.foreign.len();
        self.insert(swarm.info_hash, at | FOREIGN, |shelf| {
            shelf.foreign.push(Foreign { swarm, older: UNLISTED, newer: UNLISTED });
        });
        self.list(at);
        at | FOREIGN
    }

    /// Takes out a swarm. The last of its kind takes the place; which one that was is returned as well.
    pub fn remove(&mut self, place: usize) -> (Swarm, usize) {
        let (at, bit) = (place & !FOREIGN, place & FOREIGN);
        let last = if bit == 0 { self.site.len() } else { self.foreign.len() } - 1;
        let (hash, hash_last) = (self.hash_at(place), self.hash_at(last | bit));
        let (keyed, site, foreign) = (self.keyed, &self.site, &self.foreign);
        self.index.remove(hash, place, |place| keyed.hash(&self::at(site, foreign, place).info_hash.0));
        if at != last {
            self.index.moved(hash_last, last | bit, place);
        }
        if bit == 0 {
            return (self.site.swap_remove(at), last);
        }
        self.unlist(at);
        let swarm = self.foreign.swap_remove(at).swarm;
        if at != last {
            // Its neighbours in the list are told its new place.
            let Foreign { older, newer, .. } = *self.foreign.at(at);
            if older != UNLISTED {
                *self.newer_of(older) = narrow(at);
                *self.older_of(newer) = narrow(at);
            }
        }
        (swarm, last | FOREIGN)
    }

    /// Puts a foreign swarm into the list of those without seeds, or takes it out, as it now has seeds or not.
    pub fn settle(&mut self, place: usize) {
        let at = place & !FOREIGN;
        let Foreign { swarm, older, .. } = self.foreign.at(at);
        match (*older != UNLISTED, swarm.seeds() == 0) {
            (false, true) => self.list(at),
            (true, false) => self.unlist(at),
            _ => {}
        }
    }

    /// The foreign swarm that is the first to go, other than the one at `besides`: the oldest without seeds. One that
    /// was heard since it was last passed over is passed over once more, as if it were new.
    pub fn oldest(&mut self, besides: Option<usize>) -> Option<usize> {
        for _ in 0..PASSED_OVER_MAX {
            if self.oldest == END {
                return None;
            }
            let place = self.oldest as usize | FOREIGN;
            let foreign = self.foreign.at_mut(place & !FOREIGN);
            if !std::mem::take(&mut foreign.swarm.heard) && Some(place) != besides {
                return Some(place);
            }
            self.unlist(place & !FOREIGN);
            self.list(place & !FOREIGN);
        }
        let place = self.oldest as usize | FOREIGN;
        (Some(place) != besides).then_some(place)
    }

    /// A foreign swarm, with seeds or without.
    pub fn any_foreign(&self) -> Option<usize> {
        self.foreign.len().checked_sub(1).map(|last| last | FOREIGN)
    }

    fn hash_at(&self, place: usize) -> u64 {
        self.keyed.hash(&self.at(place).info_hash.0)
    }

    fn insert(&mut self, info_hash: InfoHash, place: usize, push: impl FnOnce(&mut Self)) {
        push(self);
        let (keyed, site, foreign) = (self.keyed, &self.site, &self.foreign);
        let hash_at = |place| keyed.hash(&at(site, foreign, place).info_hash.0);
        self.index.insert(keyed.hash(&info_hash.0), place, hash_at);
    }

    /// Puts the swarm at `at` behind all others of the list.
    fn list(&mut self, at: usize) {
        let former = std::mem::replace(&mut self.newest, narrow(at));
        *self.newer_of(former) = narrow(at);
        let foreign = self.foreign.at_mut(at);
        (foreign.older, foreign.newer) = (former, END);
    }

    fn unlist(&mut self, at: usize) {
        let foreign = self.foreign.at_mut(at);
        let older = std::mem::replace(&mut foreign.older, UNLISTED);
        let newer = std::mem::replace(&mut foreign.newer, UNLISTED);
        if older != UNLISTED {
            *self.newer_of(older) = newer;
            *self.older_of(newer) = older;
        }
    }

    /// What the swarm at `at` names as the next newer one; of the end of the list, the oldest of all.
    fn newer_of(&mut self, at: u32) -> &mut u32 {
        if at == END { &mut self.oldest } else { &mut self.foreign.at_mut(at as usize).newer }
    }

    fn older_of(&mut self, at: u32) -> &mut u32 {
        if at == END { &mut self.newest } else { &mut self.foreign.at_mut(at as usize).older }
    }
}

fn at<'a>(site: &'a Array<Swarm>, foreign: &'a Array<Foreign>, place: usize) -> &'a Swarm {
    if Shelf::is_foreign(place) { &foreign.at(place & !FOREIGN).swarm } else { site.at(place) }
}

fn narrow(at: usize) -> u32 {
    u32::try_from(at).expect("there are fewer torrents than 2^31: TORRENTS_MAX")
}
