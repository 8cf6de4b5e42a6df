//! Who may connect: a count of connections in all, from each address, and of those that have not said what they want.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Limits;
use crate::tracker::address::{household, network};

/// For how long a peer has asked for nothing when it gives way to a new one in a full house.
const GIVES_WAY_AFTER: Duration = Duration::from_secs(60);

/// The limits and who is in.
#[derive(Debug)]
pub(super) struct Doors {
    connections_max: usize,
    per_address_max: usize,
    half_open_max: usize,
    epoch: Instant,
    // A std Mutex: nothing awaits while it is held.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connections: usize,
    of_address: HashMap<IpAddr, usize>,
    /// Connections of each network that one owner may have many addresses of.
    of_group: HashMap<IpAddr, usize>,
    /// Those who have not said what they want, oldest first.
    strangers: BTreeMap<u64, Arc<Place>>,
    known: HashMap<u64, Arc<Place>>,
    next: u64,
}

#[derive(Debug)]
struct Place {
    address: IpAddr,
    group: IpAddr,
    give_way: Notify,
    /// When it came, in milliseconds since the epoch.
    came_ms: u64,
    /// When its peer last asked for something, in milliseconds since the epoch.
    asked_ms: AtomicU64,
    /// How many bytes its peer has taken.
    taken: AtomicU64,
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    doors: Arc<Doors>,
    number: u64,
    place: Arc<Place>,
}

impl Doors {
    pub fn new(limits: &Limits) -> Self {
        Self {
            connections_max: limits.connections_max,
            per_address_max: limits.connections_per_address_max,
            half_open_max: limits.half_open_max,
            epoch: Instant::now(),
            state: Mutex::default(),
        }
    }

    /// Lets a connection in. At a limit the oldest one that has not finished its handshake gives way, so that silent
    /// connections do not keep good clients out; in a house full of those that have, the one that has asked for
    /// nothing for the longest time, or, where all ask, one of the network that has the most, if that has more than the
    /// new one's: of those that are not new there, the one that has taken the least.
    ///
    /// Whoever gives way is taken off the counts by its own task; until then there is one too many.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Ticket> {
        let address = household(address);
        let mut state = self.state();
        if state.of_address.get(&address).is_some_and(|&count| count >= self.per_address_max) {
            // Only its own: whoever fills the places of one address gains nothing from others.
            let own = state.strangers.iter().find(|(_, place)| place.address == address);
            let number = own.map(|(number, _)| *number)?;
            state.show_out(number);
        } else if state.connections >= self.connections_max {
            let number = state.strangers.first_key_value().map(|(number, _)| *number);
            let long_ago = self.now_ms().checked_sub(as_ms(GIVES_WAY_AFTER));
            let number = number.or_else(|| state.idle_since(long_ago?));
            let number = number.or_else(|| state.least_of_many(network(address), long_ago.unwrap_or_default()))?;
            state.show_out(number);
        } else if state.strangers.len() >= self.half_open_max {
            let (&number, _) = state.strangers.first_key_value()?;
            state.show_out(number);
        }
        state.connections += 1;
        let group = network(address);
        *state.of_address.entry(address).or_default() += 1;
        *state.of_group.entry(group).or_default() += 1;
        let number = state.next;
        state.next += 1;
        let now_ms = self.now_ms();
        let place = Arc::new(Place {
            address,
            group,
            give_way: Notify::new(),
            came_ms: now_ms,
            asked_ms: AtomicU64::new(now_ms),
            taken: AtomicU64::new(0),
        });
        state.strangers.insert(number, Arc::clone(&place));
        Some(Ticket { doors: Arc::clone(self), number, place })
    }

    pub fn connections(&self) -> usize {
        self.state().connections
    }

    fn now_ms(&self) -> u64 {
        as_ms(self.epoch.elapsed())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn show_out(&mut self, number: u64) {
        let place = self.strangers.remove(&number).or_else(|| self.known.remove(&number));
        place.iter().for_each(|place| place.give_way.notify_one());
    }

    /// Of those that have asked for nothing since `ms`, the one that asked first.
    fn idle_since(&self, ms: u64) -> Option<u64> {
        let asked = self.known.iter().map(|(number, place)| (place.asked_ms.load(Ordering::Relaxed), *number));
        asked.min().filter(|(asked, _)| *asked <= ms).map(|(_, number)| number)
    }

    /// Of the network that has the most places, if these are more than those that `group` has with a new one, the
    /// connection that has taken the least: of those that came before `ms`, or else of the others.
    fn least_of_many(&self, group: IpAddr, ms: u64) -> Option<u64> {
        let most = *self.of_group.values().max()?;
        let own = self.of_group.get(&group).copied().unwrap_or_default();
        let many = self.known.iter().filter(|(_, place)| self.of_group.get(&place.group) == Some(&most));
        let least = many.min_by_key(|(number, place)| {
            (place.came_ms > ms, place.taken.load(Ordering::Relaxed), place.asked_ms.load(Ordering::Relaxed), **number)
        });
        least.filter(|_| most > own + 1).map(|(number, _)| *number)
    }
}

impl Ticket {
    /// The handshake is done: the place is kept.
    pub fn known(&self) {
        let mut state = self.doors.state();
        // One that was shown out already stays so.
        if let Some(place) = state.strangers.remove(&self.number) {
            state.known.insert(self.number, place);
        }
    }

    /// The peer asks for something, and so is not the first to give way.
    pub fn asked(&self) {
        self.place.asked_ms.store(self.doors.now_ms(), Ordering::Relaxed);
    }

    /// The peer has taken so many bytes more.
    pub fn took(&self, bytes: u64) {
        self.place.taken.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Comes back when the place is needed for another.
    pub async fn give_way(&self) {
        self.place.give_way.notified().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.doors.state();
        state.connections -= 1;
        state.strangers.remove(&self.number);
        state.known.remove(&self.number);
        give_back(&mut state.of_address, self.place.address);
        give_back(&mut state.of_group, self.place.group);
    }
}

fn give_back(counts: &mut HashMap<IpAddr, usize>, of: IpAddr) {
    if let Some(count) = counts.get_mut(&of) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&of);
        }
    }
}

fn as_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn doors(connections_max: usize, connections_per_address_max: usize, half_open_max: usize) -> Arc<Doors> {
        let limits = Limits { connections_max, connections_per_address_max, half_open_max, ..Limits::default() };
        Arc::new(Doors::new(&limits))
    }

    fn known(doors: &Arc<Doors>, from: &str) -> Option<Ticket> {
        doors.admit(address(from)).inspect(Ticket::known)
    }

    #[test]
    fn an_address_has_its_limit_and_places_come_back() {
        let doors = doors(10, 2, 10);
        let (one, two) = (known(&doors, "192.0.2.1"), known(&doors, "::ffff:192.0.2.1"));
        assert!(one.is_some() && two.is_some());
        assert!(doors.admit(address("192.0.2.1")).is_none());
        let other = known(&doors, "2001:db8::1");
        let neighbours = known(&doors, "2001:db8::ffff");
        assert!(other.is_some() && neighbours.is_some() && doors.admit(address("2001:db8::2")).is_none());
        drop(one);
        assert!(doors.admit(address("192.0.2.1")).is_some());
        drop((two, other, neighbours));
        assert_eq!(doors.connections(), 0);
        let state = doors.state();
        assert!(state.of_address.is_empty() && state.strangers.is_empty() && state.known.is_empty());
    }

    #[tokio::test]
    async fn in_a_full_house_the_oldest_stranger_gives_way() {
        let doors = doors(2, 10, 10);
        let stranger = doors.admit(address("192.0.2.1")).expect("room");
        let _friend = known(&doors, "192.0.2.2").expect("room");
        let new = doors.admit(address("192.0.2.3")).expect("the stranger's place");
        stranger.give_way().await;
        stranger.known();
        drop(stranger);
        new.known();
        assert!(doors.admit(address("192.0.2.4")).is_none(), "all are known");
        assert_eq!((doors.connections(), doors.state().known.len()), (2, 2));
    }

    #[tokio::test]
    async fn strangers_are_few_and_those_of_an_address_give_way_to_its_own_alone() {
        let doors = doors(10, 2, 3);
        let first = doors.admit(address("192.0.2.1")).expect("room");
        let second = doors.admit(address("192.0.2.2")).expect("room");
        let third = doors.admit(address("192.0.2.2")).expect("room");
        let fourth = doors.admit(address("192.0.2.3")).expect("the first one's place");
        first.give_way().await;
        let fifth = doors.admit(address("192.0.2.2")).expect("the second one's place");
        second.give_way().await;
        drop((first, second, third, fourth, fifth));
        assert_eq!(doors.connections(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_house_full_of_peers_the_one_that_asks_for_nothing_gives_way() {
        let doors = doors(2, 10, 10);
        let idle = known(&doors, "192.0.2.1").expect("room");
        let busy = known(&doors, "192.0.2.2").expect("room");
        tokio::time::advance(GIVES_WAY_AFTER).await;
        busy.asked();
        let new = known(&doors, "192.0.2.3").expect("the idle one's place");
        idle.give_way().await;
        drop(idle);
        assert!(doors.admit(address("192.0.2.4")).is_none(), "both ask");
        drop((busy, new));
        assert_eq!(doors.connections(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_house_full_of_peers_that_ask_the_network_with_the_most_places_gives_way() {
        let doors = doors(4, 10, 10);
        let from = ["2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:1:3::1", "198.51.100.1"];
        let [slow, fast, other, alone] = from.map(|from| known(&doors, from).expect("room"));
        tokio::time::advance(GIVES_WAY_AFTER + Duration::from_secs(1)).await;
        [&slow, &fast, &other, &alone].iter().for_each(|ticket| ticket.asked());
        [&slow, &fast, &other].iter().zip([1, 16384, 2]).for_each(|(ticket, bytes)| ticket.took(bytes));
        assert!(doors.admit(address("2001:db8:1:4::1")).is_none(), "one more of those");
        let first = known(&doors, "203.0.113.1").expect("the place of who took the least");
        slow.give_way().await;
        drop(slow);
        let second = known(&doors, "192.0.2.1").expect("the next one's");
        other.give_way().await;
        drop(other);
        assert!(
            doors.admit(address("192.0.2.129")).is_none() && doors.admit(address("192.0.3.1")).is_none(),
            "all have one"
        );
        drop((fast, alone, first, second));
        let state = doors.state();
        assert!(state.of_address.is_empty() && state.of_group.is_empty() && state.known.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_new_in_a_network_with_many_places_has_time_to_take_something() {
        let doors = doors(3, 10, 10);
        let old = known(&doors, "192.0.2.1").expect("room");
        old.took(1);
        tokio::time::advance(GIVES_WAY_AFTER + Duration::from_secs(1)).await;
        old.asked();
        let _new = [2, 3].map(|n| known(&doors, &format!("192.0.2.{n}")).expect("room"));
        let _other = known(&doors, "203.0.113.1").expect("a place");
        old.give_way().await;
    }
}
