//! Who may connect over HTTP, and who gives way where all places are taken: a count of connections in all, from each
//! address and from each network. Of sockets it knows nothing.
//!
//! A connection waits while no answer to it is in progress: for its first or next request, for the rest of a head, or
//! for its client to close. One that waits gives way to a newcomer, the one that has waited longest first; one whose
//! answer is in progress does not. So silence keeps nobody out. Nor do the connections of one push out those of all
//! others: at its share of the places, an address or a network has new ones in the place of its own.
//!
//! What it costs is the same however many there are: those that wait are linked to each other through their places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::tracker::address::{Networks, household, network};

/// One address (of IPv6, one /64) has at most one in so many of all places.
pub const ADDRESS_SHARE: usize = 4;
/// One network (a /24, of IPv6 a /48) has at most one in so many of all places.
pub const NETWORK_SHARE: usize = 2;

/// Downloads have three in four of all places at most: one that is slow keeps its place for long, and what is asked for
/// in passing finds one of the others.
const DOWNLOADS_SHARE: (usize, usize) = (3, 4);

/// Those that share places: an address and a network.
const PARTIES: usize = 2;
/// The queues that a place stands in while it waits: that of all, and those of its parties.
const QUEUES: usize = 1 + PARTIES;
/// The queue of all.
const ALL: usize = 0;

/// Whose a connection's place is, as it is called and as it is counted; nobody's, where it is a proxy's.
type Names = Option<[IpAddr; PARTIES]>;
type Of = Option<[usize; PARTIES]>;

/// The places and who has them.
#[derive(Debug)]
pub struct Doors {
    places_max: usize,
    downloads_max: usize,
    /// Places of one address, and of one network, at most.
    shares: [usize; PARTIES],
    /// They stand for many clients, and so have no share.
    proxies: Networks,
    // A std Mutex: nothing awaits while it is held.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    places: Vec<Place>,
    /// Places that nobody has.
    free: Vec<usize>,
    /// Places of those who were not asked to give way.
    taken: usize,
    downloads: usize,
    waiting: Queue,
    parties: [Parties; PARTIES],
}

#[derive(Debug, Default)]
struct Place {
    names: Names,
    of: Of,
    bell: Arc<Bell>,
    is_waiting: bool,
    /// It was asked to give way, and is not counted any more.
    is_leaving: bool,
    links: [Links; QUEUES],
}

/// What a place and its ticket share.
#[derive(Debug, Default)]
struct Bell {
    give_way: Notify,
    /// A request was answered since its turn came last.
    has_asked: AtomicBool,
    is_answering: AtomicBool,
    is_downloading: AtomicBool,
}

/// All addresses, or all networks, of which somebody is in. One is looked for when somebody comes or goes, and has a
/// number meanwhile.
#[derive(Debug, Default)]
struct Parties {
    numbers: HashMap<IpAddr, usize>,
    all: Vec<Party>,
    /// Numbers that are nobody's.
    free: Vec<usize>,
}

/// What is counted of an address or a network.
#[derive(Debug, Default)]
struct Party {
    taken: usize,
    waiting: Queue,
}

/// Places that wait, the one that has waited longest first.
#[derive(Debug, Default)]
struct Queue {
    first: Option<usize>,
    last: Option<usize>,
}

/// A place's neighbours in a queue.
#[derive(Debug, Default, Clone, Copy)]
struct Links {
    before: Option<usize>,
    behind: Option<usize>,
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub struct Ticket {
    doors: Arc<Doors>,
    number: usize,
    bell: Arc<Bell>,
}

impl Doors {
    /// So many places in all.
    pub fn new(places_max: usize, proxies: Networks) -> Self {
        let shares = [ADDRESS_SHARE, NETWORK_SHARE].map(|share| (places_max / share).max(1));
        let downloads_max = (places_max * DOWNLOADS_SHARE.0 / DOWNLOADS_SHARE.1).max(1);
        Self { places_max, downloads_max, shares, proxies, state: Mutex::default() }
    }

    /// Lets a connection in, and says how many were asked to give way to it: at its share of the places one of its own
    /// address or network, and in a full house anybody. Nobody has a place where answers to all of these are in
    /// progress.
    ///
    /// Who gives way is gone when its own task has seen to it; until then there is one too many.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> (Option<Ticket>, u64) {
        let names = (!self.proxies.contain(address.to_canonical())).then(|| [household(address), network(address)]);
        let bell = Arc::new(Bell::default());
        let mut state = self.state();
        let number = state.take(names, &bell);
        let of = state.places[number].of;
        let limits = self.shares.iter().enumerate().map(|(party, share)| (party + 1, *share));
        let mut gave_way = 0;
        for (queue, limit) in limits.chain([(ALL, self.places_max)]) {
            while state.taken(queue, of) > limit {
                if !state.show_out(queue, of) {
                    state.give_back(number);
                    return (None, gave_way);
                }
                gave_way += 1;
            }
        }
        state.wait(number);
        drop(state);
        (Some(Ticket { doors: Arc::clone(self), number, bell }), gave_way)
    }

    /// Asks those that have waited longest to give way, so many at most, and says how many there were.
    pub fn make_room(&self, at_most: u64) -> u64 {
        let mut state = self.state();
        (0..at_most).take_while(|_| state.show_out(ALL, None)).map(|_| 1).sum()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Places taken by those who stand in this queue when they wait.
    fn taken(&self, queue: usize, of: Of) -> usize {
        if queue == ALL { self.taken } else { self.party(queue, of).map_or(0, |party| party.taken) }
    }

    fn first(&self, queue: usize, of: Of) -> Option<usize> {
        if queue == ALL { self.waiting.first } else { self.party(queue, of)?.waiting.first }
    }

    fn party(&self, queue: usize, of: Of) -> Option<&Party> {
        Some(&self.parties[queue - 1].all[of?[queue - 1]])
    }

    /// A place that is counted, and does not wait.
    fn take(&mut self, names: Names, bell: &Arc<Bell>) -> usize {
        let number = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() - 1
        });
        self.places[number] = Place { names, bell: Arc::clone(bell), ..Place::default() };
        self.count(number);
        number
    }

    fn give_back(&mut self, number: usize) {
        self.wait_no_more(number);
        if !self.places[number].is_leaving {
            self.discount(number);
        }
        self.places[number] = Place::default();
        self.free.push(number);
    }

    /// Asks the one that has waited longest in this queue to give way, if there is one. One that was answered since its
    /// turn came last goes to the end.
    fn show_out(&mut self, queue: usize, of: Of) -> bool {
        while let Some(number) = self.first(queue, of) {
            self.wait_no_more(number);
            if self.places[number].bell.has_asked.swap(false, Ordering::Relaxed) {
                self.wait(number);
                continue;
            }
            self.discount(number);
            self.places[number].is_leaving = true;
            self.places[number].bell.give_way.notify_one();
            return true;
        }
        false
    }

    fn count(&mut self, number: usize) {
        self.taken += 1;
        let Place { names: Some(names), of, .. } = &mut self.places[number] else { return };
        let [addresses, networks] = &mut self.parties;
        *of = Some([addresses.count(names[0]), networks.count(names[1])]);
    }

    fn discount(&mut self, number: usize) {
        self.taken -= 1;
        let Place { names: Some(names), of, .. } = &mut self.places[number] else { return };
        for ((parties, name), of) in self.parties.iter_mut().zip(names).zip(of.take().into_iter().flatten()) {
            parties.discount(*name, of);
        }
    }

    fn wait(&mut self, number: usize) {
        self.places[number].is_waiting = true;
        self.each_queue(number, |queue, which, places| {
            let last = queue.last.replace(number);
            places[number].links[which] = Links { before: last, behind: None };
            match last {
                Some(last) => places[last].links[which].behind = Some(number),
                None => queue.first = Some(number),
            }
        });
    }

    fn wait_no_more(&mut self, number: usize) {
        if !std::mem::take(&mut self.places[number].is_waiting) {
            return;
        }
        self.each_queue(number, |queue, which, places| {
            let Links { before, behind } = std::mem::take(&mut places[number].links[which]);
            match before {
                Some(before) => places[before].links[which].behind = behind,
                None => queue.first = behind,
            }
            match behind {
                Some(behind) => places[behind].links[which].before = before,
                None => queue.last = before,
            }
        });
    }

    fn each_queue(&mut self, number: usize, mut change: impl FnMut(&mut Queue, usize, &mut [Place])) {
        let Self { places, waiting, parties, .. } = self;
        let of = places[number].of;
        change(waiting, ALL, places);
        for (which, (parties, of)) in parties.iter_mut().zip(of.into_iter().flatten()).enumerate() {
            change(&mut parties.all[of].waiting, which + 1, places);
        }
    }
}

impl Parties {
    fn count(&mut self, name: IpAddr) -> usize {
        let number = *self.numbers.entry(name).or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.all.push(Party::default());
                self.all.len() - 1
            })
        });
        self.all[number].taken += 1;
        number
    }

    fn discount(&mut self, name: IpAddr, number: usize) {
        self.all[number].taken -= 1;
        if self.all[number].taken == 0 {
            self.numbers.remove(&name);
            self.free.push(number);
        }
    }
}

impl Ticket {
    /// A request was answered: whoever asked for nothing meanwhile gives way before.
    pub fn asked(&self) {
        self.bell.has_asked.store(true, Ordering::Relaxed);
    }

    /// Says whether an answer is in progress, which costs something only where that has changed.
    pub fn set_answering(&self, is_answering: bool) {
        if self.bell.is_answering.swap(is_answering, Ordering::Relaxed) == is_answering {
            return;
        }
        let mut state = self.doors.state();
        if !is_answering {
            self.ends_download(&mut state);
        }
        if state.places[self.number].is_leaving {
            return;
        }
        if is_answering {
            state.wait_no_more(self.number);
        } else {
            state.wait(self.number);
        }
    }

    /// Whether there is room for another download. It is one until its answer is no longer in progress.
    pub fn begins_download(&self) -> bool {
        let mut state = self.doors.state();
        let is_new = !self.bell.is_downloading.load(Ordering::Relaxed);
        if is_new && state.downloads >= self.doors.downloads_max {
            return false;
        }
        state.downloads += usize::from(is_new);
        self.bell.is_downloading.store(true, Ordering::Relaxed);
        true
    }

    fn ends_download(&self, state: &mut State) {
        state.downloads -= usize::from(self.bell.is_downloading.swap(false, Ordering::Relaxed));
    }

    /// Comes back when the place is needed for another.
    pub async fn give_way(&self) {
        self.bell.give_way.notified().await;
    }

    /// An answer has begun while the place was asked for: it is finished, and the place is kept.
    pub fn stay(&self) {
        let mut state = self.doors.state();
        if std::mem::take(&mut state.places[self.number].is_leaving) {
            state.count(self.number);
            if !self.bell.is_answering.load(Ordering::Relaxed) {
                state.wait(self.number);
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.doors.state();
        self.ends_download(&mut state);
        state.give_back(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn doors(places_max: usize) -> Arc<Doors> {
        let proxies = Networks::parse(["10.0.0.0/8"]).expect("a network");
        Arc::new(Doors::new(places_max, proxies))
    }

    /// Lets somebody in, who says nothing.
    fn waiting(doors: &Arc<Doors>, from: &str) -> Ticket {
        doors.admit(address(from)).0.expect("a place")
    }

    /// Lets somebody in, who is being answered.
    fn answered(doors: &Arc<Doors>, from: &str) -> Ticket {
        let ticket = waiting(doors, from);
        ticket.set_answering(true);
        ticket
    }

    fn is_asked_to_leave(ticket: &Ticket) -> bool {
        ticket.doors.state().places[ticket.number].is_leaving
    }

    #[track_caller]
    fn leave(tickets: impl IntoIterator<Item = Ticket>) {
        let tickets: Vec<_> = tickets.into_iter().collect();
        let doors = Arc::clone(&tickets.first().expect("somebody").doors);
        drop(tickets);
        let state = doors.state();
        assert_eq!((state.taken, state.downloads, state.free.len()), (0, 0, state.places.len()));
        assert!(state.waiting.first.is_none() && state.waiting.last.is_none());
        assert!(state.parties.iter().all(|of| of.numbers.is_empty() && of.free.len() == of.all.len()));
    }

    #[tokio::test]
    async fn in_a_full_house_the_one_that_has_waited_longest_gives_way() {
        let doors = doors(8);
        let all: Vec<_> = (0..8).map(|n| waiting(&doors, &format!("192.0.{n}.1"))).collect();
        all[0].set_answering(true);
        all[1].asked();
        let (new, gave_way) = doors.admit(address("198.51.100.1"));
        all[2].give_way().await;
        assert_eq!(gave_way, 1);
        assert_eq!(all.iter().filter(|ticket| is_asked_to_leave(ticket)).count(), 1);
        // Its answer has been taken: it waits anew, behind all others.
        all[0].set_answering(false);
        let newer: Vec<_> = (0..7).map(|n| waiting(&doors, &format!("203.0.{n}.1"))).collect();
        assert!(all.iter().skip(1).all(is_asked_to_leave) && !is_asked_to_leave(&all[0]));
        leave(all.into_iter().chain(newer).chain(new));
    }

    #[test]
    fn who_is_being_answered_gives_way_to_nobody() {
        let doors = doors(4);
        let mut all: Vec<_> = (0..4).map(|n| answered(&doors, &format!("192.0.{n}.1"))).collect();
        assert!(matches!(doors.admit(address("198.51.100.1")), (None, 0)));
        all.pop();
        all.push(waiting(&doors, "198.51.100.1"));
        leave(all);
    }

    #[test]
    fn an_address_at_its_share_has_new_ones_in_the_place_of_its_own() {
        let doors = doors(8);
        let other = waiting(&doors, "198.51.100.1");
        let own = [1, 2].map(|_| waiting(&doors, "2001:db8::1"));
        let third = waiting(&doors, "2001:db8::2");
        assert!(is_asked_to_leave(&own[0]) && !is_asked_to_leave(&own[1]) && !is_asked_to_leave(&other));
        own[1].set_answering(true);
        third.set_answering(true);
        assert!(matches!(doors.admit(address("2001:db8::3")), (None, 0)), "there is room, for others");
        let neighbour = waiting(&doors, "2001:db8:0:1::1");
        leave(own.into_iter().chain([other, third, neighbour]));
    }

    #[test]
    fn a_network_at_its_share_has_new_ones_in_the_place_of_its_own() {
        let doors = doors(8);
        let other = waiting(&doors, "198.51.100.1");
        let own: Vec<_> = (0..4).map(|n| waiting(&doors, &format!("192.0.2.{n}"))).collect();
        let fifth = waiting(&doors, "192.0.2.5");
        assert!(is_asked_to_leave(&own[0]) && !is_asked_to_leave(&other));
        leave(own.into_iter().chain([other, fifth]));
    }

    #[test]
    fn a_proxy_stands_for_many_and_has_no_share() {
        let doors = doors(8);
        let mut all: Vec<_> = (0..8).map(|_| answered(&doors, "::ffff:10.0.0.1")).collect();
        assert!(doors.admit(address("10.0.0.1")).0.is_none());
        all[3].set_answering(false);
        all.push(waiting(&doors, "192.0.2.1"));
        assert!(is_asked_to_leave(&all[3]));
        leave(all);
    }

    #[test]
    fn an_answer_that_begins_while_the_place_is_asked_for_is_finished() {
        let doors = doors(2);
        let old = waiting(&doors, "192.0.2.1");
        let other = answered(&doors, "198.51.100.1");
        let new = answered(&doors, "203.0.113.1");
        assert!(is_asked_to_leave(&old));
        old.set_answering(true);
        old.stay();
        assert_eq!(doors.state().taken, 3);
        assert!(doors.admit(address("192.0.2.1")).0.is_none());
        // The house is within its limit again as soon as it can be.
        old.set_answering(false);
        new.set_answering(false);
        let newer = waiting(&doors, "198.18.0.1");
        assert_eq!(doors.state().taken, 2);
        leave([old, other, new, newer]);
    }

    #[test]
    fn downloads_leave_places_for_others() {
        let doors = doors(8);
        let all: Vec<_> = (0..7).map(|n| answered(&doors, &format!("192.0.{n}.1"))).collect();
        let begun: Vec<_> = all.iter().map(Ticket::begins_download).collect();
        assert_eq!(begun, [true, true, true, true, true, true, false]);
        assert!(all[5].begins_download(), "its next one, on the same connection");
        all[5].set_answering(false);
        assert!(all[6].begins_download());
        leave(all);
    }

    #[test]
    fn room_is_made_of_those_that_wait() {
        let doors = doors(9);
        let all: Vec<_> = (0..9).map(|n| waiting(&doors, &format!("192.0.{n}.1"))).collect();
        all.iter().skip(3).for_each(|ticket| ticket.set_answering(true));
        assert_eq!((doors.make_room(2), doors.make_room(2), doors.make_room(2)), (2, 1, 0));
        leave(all);
    }
}
