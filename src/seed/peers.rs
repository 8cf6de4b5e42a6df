//! Who is connected for a torrent, and where each takes connections: whom peers are told of (BEP 11), and whom not to
//! call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::InfoHash;
use crate::tracker::address::is_private;
use crate::wire::PEX_PEERS_MAX;

/// Comings and goings of a torrent that are kept for those who have not been told of them yet.
const NEWS_MAX: usize = 4 * PEX_PEERS_MAX;

/// The peers of a torrent. There are thousands of torrents, of which few have any: those hold nothing.
#[derive(Debug, Default)]
pub(super) struct Peers(Mutex<Option<Box<State>>>);

#[derive(Debug, Default)]
struct State {
    here: BTreeMap<u64, Here>,
    next: u64,
    news: VecDeque<News>,
    /// The number of the first of the news.
    first: u64,
}

#[derive(Debug)]
struct Here {
    /// The info-hash by which it asks: peers of the two swarms of a hybrid torrent can't shake hands (BEP 52).
    swarm: InfoHash,
    ip: IpAddr,
    /// The port at which it takes connections, once it has said so.
    port: Option<u16>,
}

#[derive(Debug)]
struct News {
    swarm: InfoHash,
    address: SocketAddr,
    came: bool,
}

/// What a peer has been told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told(Option<u64>);

impl Here {
    fn address(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.ip, self.port?))
    }
}

impl Peers {
    /// A peer is there; it is known by the number.
    pub fn come(&self, swarm: InfoHash, ip: IpAddr) -> u64 {
        let mut state = self.state();
        let state = state.get_or_insert_default();
        let number = state.next;
        state.next += 1;
        state.here.insert(number, Here { swarm, ip: ip.to_canonical(), port: None });
        number
    }

    /// It takes connections at this port.
    pub fn listens(&self, number: u64, port: u16) {
        let mut state = self.state();
        let Some(state) = state.as_mut() else { return };
        let Some(here) = state.here.get(&number).filter(|here| here.port.is_none()) else { return };
        let (swarm, address) = (here.swarm, SocketAddr::new(here.ip, port));
        if !state.knows(swarm, address) {
            state.tell(News { swarm, address, came: true });
        }
        if let Some(here) = state.here.get_mut(&number) {
            here.port = Some(port);
        }
    }

    /// It is gone.
    pub fn go(&self, number: u64) {
        let mut peers = self.state();
        let Some(state) = peers.as_mut() else { return };
        let Some(here) = state.here.remove(&number) else { return };
        if state.here.is_empty() {
            // Nobody is left to be told.
            *peers = None;
        } else if let Some(address) = here.address()
            && !state.knows(here.swarm, address)
        {
            state.tell(News { swarm: here.swarm, address, came: false });
        }
    }

    /// Whether whoever takes connections at `address` is there already. One that has not said where it does is taken for
    /// any at its IP address.
    pub fn has(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let is_at = |here: &Here| here.ip == ip && here.port.is_none_or(|port| port == address.port());
        self.state().as_ref().is_some_and(|state| state.here.values().any(is_at))
    }

    /// Who has come and who has gone since the peer `number` was told, up to [`PEX_PEERS_MAX`] of each; and what it has
    /// been told when it has been told that.
    pub fn news(&self, number: u64, told: Told) -> (Vec<SocketAddr>, Vec<SocketAddr>, Told) {
        let state = self.state();
        let Some(state) = state.as_ref() else { return (Vec::new(), Vec::new(), told) };
        let end = state.first + state.news.len() as u64;
        let Some(me) = state.here.get(&number) else { return (Vec::new(), Vec::new(), told) };
        let suits = |swarm: InfoHash, address: SocketAddr| {
            swarm == me.swarm && me.address() != Some(address) && scope(address.ip()) <= scope(me.ip)
        };
        let Some(from) = told.0 else {
            let others = state.here.values().filter_map(|here| Some((here.swarm, here.address()?)));
            let fitting = others.filter(|(swarm, address)| suits(*swarm, *address)).map(|(_, address)| address);
            let fitting: BTreeSet<SocketAddr> = fitting.collect();
            return (fitting.into_iter().take(PEX_PEERS_MAX).collect(), Vec::new(), Told(Some(end)));
        };
        let from = from.max(state.first);
        // What is beyond is told the next time.
        let until = end.min(from + PEX_PEERS_MAX as u64);
        let mut last: BTreeMap<SocketAddr, bool> = BTreeMap::new();
        let skipped = usize::try_from(from - state.first).unwrap_or(usize::MAX);
        for News { swarm, address, came } in state.news.iter().skip(skipped).take(PEX_PEERS_MAX) {
            if suits(*swarm, *address) {
                last.insert(*address, *came);
            }
        }
        let which = |wanted: bool| {
            let those = last.iter().filter(|(_, came)| **came == wanted).map(|(address, _)| *address);
            those.collect::<Vec<_>>()
        };
        (which(true), which(false), Told(Some(until)))
    }

    fn state(&self) -> MutexGuard<'_, Option<Box<State>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn knows(&self, swarm: InfoHash, address: SocketAddr) -> bool {
        self.here.values().any(|here| here.swarm == swarm && here.address() == Some(address))
    }

    fn tell(&mut self, news: News) {
        if self.news.len() == NEWS_MAX {
            self.news.pop_front();
            self.first += 1;
        }
        self.news.push_back(news);
    }
}

/// How near a peer must be to make something of an address: on the same machine, in the same network, or anywhere.
fn scope(ip: IpAddr) -> u8 {
    match ip {
        _ if ip.is_loopback() => 2,
        _ if is_private(ip) => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWARM: InfoHash = InfoHash([1; 20]);

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn peer(peers: &Peers, address: &str) -> u64 {
        let address: SocketAddr = address.parse().expect("an address with a port");
        let number = peers.come(SWARM, address.ip());
        peers.listens(number, address.port());
        number
    }

    fn said(news: &[SocketAddr]) -> String {
        news.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn peers_are_told_of_the_others_and_then_of_what_has_changed() {
        let peers = Peers::default();
        let one = peer(&peers, "192.0.2.1:1");
        let two = peer(&peers, "192.0.2.2:2");
        peers.come(SWARM, ip("192.0.2.3"));
        let (added, dropped, told) = peers.news(one, Told::default());
        assert_eq!((said(&added), dropped.len()), ("192.0.2.2:2".into(), 0));
        let three = peer(&peers, "[2001:db8::1]:3");
        let again = peer(&peers, "192.0.2.2:2");
        peers.go(two);
        let (added, dropped, told) = peers.news(one, told);
        assert_eq!(
            (said(&added), said(&dropped)),
            ("[2001:db8::1]:3".into(), String::new()),
            "the second is still there"
        );
        peers.go(again);
        peers.go(three);
        peer(&peers, "[2001:db8::1]:3");
        let (added, dropped, told) = peers.news(one, told);
        assert_eq!((said(&added), said(&dropped)), ("[2001:db8::1]:3".into(), "192.0.2.2:2".into()));
        let (added, dropped, _) = peers.news(one, told);
        assert!(added.is_empty() && dropped.is_empty());
    }

    #[test]
    fn nobody_is_told_of_itself_of_the_other_swarm_or_of_addresses_that_lead_nowhere() {
        let peers = Peers::default();
        for address in ["127.0.0.1:1", "10.0.0.1:1", "192.0.2.1:1", "192.0.2.2:1"] {
            peer(&peers, address);
        }
        let other = peers.come(InfoHash([2; 20]), ip("192.0.2.9"));
        peers.listens(other, 9);
        let told = |address| said(&peers.news(peer(&peers, address), Told::default()).0);
        assert_eq!(told("192.0.2.1:1"), "192.0.2.2:1");
        assert_eq!(told("10.0.0.2:1"), "10.0.0.1:1 192.0.2.1:1 192.0.2.2:1");
        assert_eq!(peers.news(other, Told::default()).0, []);
    }

    #[test]
    fn many_news_are_told_in_parts_and_the_oldest_are_forgotten() {
        let peers = Peers::default();
        let one = peer(&peers, "192.0.2.1:1");
        let (.., mut told) = peers.news(one, Told::default());
        for port in 1..=1000_u16 {
            peer(&peers, &format!("192.0.2.2:{port}"));
        }
        assert_eq!(peers.news(one, Told::default()).0.len(), PEX_PEERS_MAX);
        let mut sum = 0;
        for _ in 0..NEWS_MAX / PEX_PEERS_MAX {
            let (added, _, later) = peers.news(one, told);
            assert_eq!(added.len(), PEX_PEERS_MAX);
            sum += added.len();
            told = later;
        }
        assert_eq!((sum, peers.news(one, told).0.len()), (NEWS_MAX, 0));
    }

    #[test]
    fn who_is_there_is_not_called() {
        let peers = Peers::default();
        peer(&peers, "192.0.2.1:1");
        peers.come(SWARM, ip("::ffff:192.0.2.2"));
        let has = |address: &str| peers.has(address.parse().expect("an address with a port"));
        assert!(has("192.0.2.1:1") && !has("192.0.2.1:2"));
        assert!(has("192.0.2.2:1") && has("192.0.2.2:2") && !has("192.0.2.3:1"));
    }
}
