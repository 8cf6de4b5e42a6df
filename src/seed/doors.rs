//! Who may connect: a count of connections in all, from each address, and of those that have not said what they want.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Limits;

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
    /// Those who have not said what they want, oldest first.
    strangers: BTreeMap<u64, Arc<Place>>,
    known: HashMap<u64, Arc<Place>>,
    next: u64,
}

#[derive(Debug)]
struct Place {
    address: IpAddr,
    give_way: Notify,
    /// When its peer last asked for something, in milliseconds since the epoch.
    asked_ms: AtomicU64,
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
    /// nothing for the longest time.
    ///
    /// Whoever gives way is taken off the counts by its own task; until then there is one too many.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Ticket> {
        let address = network(address);
        let mut state = self.state();
        if state.of_address.get(&address).is_some_and(|&count| count >= self.per_address_max) {
            // Only its own: whoever fills the places of one address gains nothing from others.
            let own = state.strangers.iter().find(|(_, place)| place.address == address);
            let number = own.map(|(number, _)| *number)?;
            state.show_out(number);
        } else if state.connections >= self.connections_max {
            let number = state.strangers.first_key_value().map(|(number, _)| *number);
            let number = number.or_else(|| state.idle_since(self.now_ms().checked_sub(as_ms(GIVES_WAY_AFTER))?))?;
            state.show_out(number);
        } else if state.strangers.len() >= self.half_open_max {
            let (&number, _) = state.strangers.first_key_value()?;
            state.show_out(number);
        }
        state.connections += 1;
        *state.of_address.entry(address).or_default() += 1;
        let number = state.next;
        state.next += 1;
        let place = Arc::new(Place { address, give_way: Notify::new(), asked_ms: AtomicU64::new(self.now_ms()) });
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
        if let Some(count) = state.of_address.get_mut(&self.place.address) {
            *count -= 1;
            if *count == 0 {
                state.of_address.remove(&self.place.address);
            }
        }
    }
}

fn as_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What counts as one address: an IPv4 address, however it is written, or the /64 that one IPv6 household has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits())),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
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
}
