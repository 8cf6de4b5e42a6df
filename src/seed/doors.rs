//! Who may connect: a count of connections in all and from each address.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The limits and who is in.
#[derive(Debug)]
pub(super) struct Doors {
    connections_max: usize,
    per_address_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connections: usize,
    of_address: HashMap<IpAddr, usize>,
    /// Those who have not said what they want, oldest first.
    strangers: BTreeMap<u64, Arc<Notify>>,
    next: u64,
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    doors: Arc<Doors>,
    address: IpAddr,
    number: u64,
    give_way: Arc<Notify>,
}

impl Doors {
    pub fn new(connections_max: usize, per_address_max: usize) -> Self {
        Self { connections_max, per_address_max, state: Mutex::default() }
    }

    /// Lets a connection in. In a full house the oldest one that has not finished its handshake gives way, so that
    /// silent connections do not keep good clients out.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Ticket> {
        let address = network(address);
        let mut state = self.state();
        if state.of_address.get(&address).is_some_and(|&count| count >= self.per_address_max) {
            return None;
        }
        if state.connections >= self.connections_max {
            // Its own task takes it off the count; until then there is one too many.
            state.strangers.pop_first()?.1.notify_one();
        }
        state.connections += 1;
        *state.of_address.entry(address).or_default() += 1;
        let number = state.next;
        state.next += 1;
        let give_way = Arc::new(Notify::new());
        state.strangers.insert(number, Arc::clone(&give_way));
        Some(Ticket { doors: Arc::clone(self), address, number, give_way })
    }

    pub fn connections(&self) -> usize {
        self.state().connections
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The handshake is done: the place is kept.
    pub fn known(&self) {
        self.doors.state().strangers.remove(&self.number);
    }

    /// Comes back when the place is needed for another.
    pub async fn give_way(&self) {
        self.give_way.notified().await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.doors.state();
        state.connections -= 1;
        state.strangers.remove(&self.number);
        if let Some(count) = state.of_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                state.of_address.remove(&self.address);
            }
        }
    }
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

    #[test]
    fn an_address_has_its_limit_and_places_come_back() {
        let doors = Arc::new(Doors::new(10, 2));
        let (one, two) = (doors.admit(address("192.0.2.1")), doors.admit(address("::ffff:192.0.2.1")));
        assert!(one.is_some() && two.is_some());
        assert!(doors.admit(address("192.0.2.1")).is_none());
        let other = doors.admit(address("2001:db8::1"));
        let neighbours = doors.admit(address("2001:db8::ffff"));
        assert!(other.is_some() && neighbours.is_some() && doors.admit(address("2001:db8::2")).is_none());
        drop(one);
        assert!(doors.admit(address("192.0.2.1")).is_some());
        drop((two, other, neighbours));
        assert_eq!(doors.connections(), 0);
        assert!(doors.state().of_address.is_empty() && doors.state().strangers.is_empty());
    }

    #[tokio::test]
    async fn in_a_full_house_the_oldest_stranger_gives_way() {
        let doors = Arc::new(Doors::new(2, 10));
        let stranger = doors.admit(address("192.0.2.1")).expect("room");
        let friend = doors.admit(address("192.0.2.2")).expect("room");
        friend.known();
        let new = doors.admit(address("192.0.2.3")).expect("the stranger's place");
        stranger.give_way().await;
        drop(stranger);
        new.known();
        assert!(doors.admit(address("192.0.2.4")).is_none(), "all are known");
        assert_eq!(doors.connections(), 2);
    }
}
