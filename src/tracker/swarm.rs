//! One torrent's peers: who is heard, who is drawn for whom, who is gone.

use std::net::{Ipv6Addr, SocketAddr};
use std::ops::Range;

use super::change::{Kind, Sighting, Tally};
use super::compact::{pack_v4, pack_v6, unpack};
use super::completed::Completed;
use super::group::{Addresses, Group, Heard, View};
use super::peer::{Peer, tag};
use super::random::{Random, Shuffle};
use super::swarms::{CALL_BATCH, SeedState};
use super::{Announce, Change, Contacts, Counts, Event, Families, Reply, Seconds};
use crate::id::InfoHash;

/// The swarm of one torrent: 96 bytes, and its peers.
#[derive(Debug, Clone)]
pub struct Swarm {
    pub info_hash: InfoHash,
    pub seed: SeedState,
    /// An announce came since this was last looked at; of a torrent that is not of the site alone.
    pub heard: bool,
    /// Where the other swarm of a hybrid torrent stands (BEP 52), or [`NO_TWIN`].
    pub twin: u32,
    completed: u32,
    uploaded: u64,
    downloaded: u64,
    v4: Group<6>,
    v6: Group<18>,
}

/// Peers that can be looked at while one is taken out.
const REMOVAL_LOOKS: usize = 4;
/// Where no swarm stands.
pub const NO_TWIN: u32 = u32::MAX;

/// Who asks, and what it may be given.
pub struct Asker<'a> {
    pub announce: &'a Announce,
    pub kind: Kind,
    /// It is on the tracker's own host, so it may be given the others that are.
    pub local: bool,
    pub now: Seconds,
    pub life_secs: u64,
}

/// What a swarm is told beside an announce.
pub struct Hearing<'a> {
    /// Whether a new peer may be stored.
    pub room: bool,
    /// The twin of the swarm, where it has one.
    pub twin: Option<InfoHash>,
    pub completed: &'a mut Completed,
    pub addresses: Addresses,
}

/// When a peer is gone.
#[derive(Clone, Copy)]
pub struct Life {
    pub now: Seconds,
    /// The seconds that it lives unheard.
    pub secs: u64,
    pub addresses: Addresses,
}

/// Where an expiry that stopped half-way goes on: a place of one of the two arrays, counted from its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    v6: bool,
    /// The next place, one too high; `None` begins at the end of the array.
    next: Option<usize>,
}

impl Swarm {
    pub fn new(info_hash: InfoHash, tally: Tally) -> Self {
        let mut swarm = Self {
            info_hash,
            seed: SeedState::default(),
            heard: false,
            twin: NO_TWIN,
            completed: 0,
            uploaded: 0,
            downloaded: 0,
            v4: Group::default(),
            v6: Group::default(),
        };
        swarm.set_tally(tally);
        swarm
    }

    /// The swarm in numbers.
    pub fn counts(&self) -> Counts {
        let peers = self.peers() as u64;
        let seeds = self.seeds() as u64;
        let partials = (self.v4.partials() + self.v6.partials()) as u64;
        Counts {
            complete: seeds + u64::from(self.seed == SeedState::Offered),
            incomplete: peers - seeds,
            downloaders: peers - seeds - partials,
            downloaded: self.completed.into(),
        }
    }

    /// What peers reported of it in its lifetime.
    pub fn tally(&self) -> Tally {
        Tally { completed: self.completed.into(), uploaded: self.uploaded, downloaded: self.downloaded }
    }

    /// Takes what is known of its lifetime. Downloads beyond 2^32 are cut to that.
    pub fn set_tally(&mut self, tally: Tally) {
        self.completed = u32::try_from(tally.completed).unwrap_or(u32::MAX);
        (self.uploaded, self.downloaded) = (tally.uploaded, tally.downloaded);
    }

    /// All peers; the everseed is none of them.
    pub fn peers(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// The seeds among them.
    pub fn seeds(&self) -> usize {
        self.v4.seeds() + self.v6.seeds()
    }

    /// The seeds that a wire of these families carries.
    pub fn seeds_of(&self, families: Families) -> usize {
        let v4 = if families.v4() { self.v4.seeds() } else { 0 };
        v4 + if families.v6() { self.v6.seeds() } else { 0 }
    }

    /// Whether the peer at `addr` is one of them.
    pub fn knows(&self, addr: SocketAddr, addresses: Addresses) -> bool {
        match addr {
            SocketAddr::V4(addr) => self.v4.position(&pack_v4(*addr.ip(), addr.port()), addresses).is_some(),
            SocketAddr::V6(addr) => self.v6.position(&pack_v6(*addr.ip(), addr.port()), addresses).is_some(),
        }
    }

    /// Takes in what a peer says of itself, and says what that changed.
    pub fn hear(&mut self, announce: &Announce, kind: Kind, now: Seconds, hearing: Hearing, changes: &mut Vec<Change>) {
        let Hearing { room, addresses, .. } = hearing;
        let (heard, counted) = match announce.addr {
            SocketAddr::V4(addr) => {
                let packed = pack_v4(*addr.ip(), addr.port());
                let heard = self.v4.hear(packed, announce, kind, now, room, addresses);
                (heard, heard.is_some_and(|(position, _)| self.v4.front(position).counted()))
            }
            SocketAddr::V6(addr) => {
                let packed = pack_v6(*addr.ip(), addr.port());
                let heard = self.v6.hear(packed, announce, kind, now, room, addresses);
                (heard, heard.is_some_and(|(position, _)| self.v6.front(position).counted()))
            }
        };
        if let Some((position, heard)) = heard {
            self.conclude(position, heard, counted, announce, kind, now, hearing, changes);
        }
    }

    /// Draws up to `want` peers for `asker` into `reply`: a uniform choice of those that it may be given.
    pub fn choose(
        &self,
        asker: &Asker,
        want: usize,
        shuffle: &mut Shuffle,
        random: &mut Random,
        seed_at: &[SocketAddr],
        reply: &mut Reply,
    ) {
        let families = asker.announce.families;
        // A seed wants no seeds (rule 10): it draws from behind them.
        let from = |seeds: usize| if asker.kind == Kind::Seed { seeds } else { 0 };
        let (v4_from, v6_from) = (from(self.v4.seeds()), from(self.v6.seeds()));
        let v4 = if families.v4() { self.v4.len() - v4_from } else { 0 };
        let v6 = if families.v6() { self.v6.len() - v6_from } else { 0 };
        let asked_by = asker.announce.addr;
        let (addr_v4, addr_v6) = match asked_by {
            SocketAddr::V4(addr) => (Some(pack_v4(*addr.ip(), addr.port())), None),
            SocketAddr::V6(addr) => (None, Some(pack_v6(*addr.ip(), addr.port()))),
        };
        let mut v4_drawer = Drawer::new(&self.v4, addr_v4, asker, seed_at);
        let mut v6_drawer = Drawer::new(&self.v6, addr_v6, asker, seed_at);
        shuffle.begin(v4 + v6);
        let mut open = want;
        while open > 0 {
            // First all places, then all peers: in a large swarm each is a wait for memory, and these waits overlap.
            let drawn = shuffle.draw(open, random);
            if drawn.is_empty() {
                break;
            }
            for &place in drawn {
                let place = place as usize;
                let is_given = match place.checked_sub(v4) {
                    None => v4_drawer.give(v4_from + place, &mut reply.v4),
                    Some(place) => v6_drawer.give(v6_from + place, &mut reply.v6),
                };
                open -= usize::from(is_given);
            }
        }
    }

    /// Adds up to `max` peers that still download to `into`, from a random place on. It looks at
    /// [`super::swarms::CALL_BATCH`] of each family at most.
    pub fn leechers(&self, max: usize, now: Seconds, life_secs: u64, random: &mut Random, into: &mut Vec<SocketAddr>) {
        let enough = into.len() + max;
        downloading(&self.v4, enough, now, life_secs, random, into);
        downloading(&self.v6, enough, now, life_secs, random, into);
    }

    /// Up to `max` peers, those that have everything first.
    pub fn members(&self, max: usize) -> Vec<SocketAddr> {
        fn unpacked<const N: usize>(group: &Group<N>, places: Range<usize>) -> impl Iterator<Item = SocketAddr> {
            places.filter_map(|at| unpack(&group.front(at).addr))
        }
        let seeds = unpacked(&self.v4, 0..self.v4.seeds()).chain(unpacked(&self.v6, 0..self.v6.seeds()));
        let v4_others = unpacked(&self.v4, self.v4.seeds()..self.v4.len());
        let v6_others = unpacked(&self.v6, self.v6.seeds()..self.v6.len());
        seeds.chain(v4_others).chain(v6_others).take(max).collect()
    }

    /// Takes out peers that were not heard for longer than they live, looking at `budget` peers at most, or taking out
    /// a quarter as many. Returns true when the whole swarm has been looked at.
    pub fn expire(&mut self, cursor: &mut Cursor, budget: &mut usize, life: Life, changes: &mut Vec<Change>) -> bool {
        if !cursor.v6 {
            if !sweep(&mut self.v4, self.info_hash, &mut cursor.next, budget, life, changes) {
                return false;
            }
            *cursor = Cursor { v6: true, next: None };
        }
        let done = sweep(&mut self.v6, self.info_hash, &mut cursor.next, budget, life, changes);
        if done {
            *cursor = Cursor::default();
        }
        done
    }

    /// Puts back a peer that a store remembered, unless it is there.
    pub fn restore(&mut self, sighting: &Sighting, at: Seconds, addresses: Addresses) -> bool {
        match sighting.addr {
            SocketAddr::V4(addr) => put_back(&mut self.v4, pack_v4(*addr.ip(), addr.port()), sighting, at, addresses),
            SocketAddr::V6(addr) => put_back(&mut self.v6, pack_v6(*addr.ip(), addr.port()), sighting, at, addresses),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what was heard, of whom, and who is told")]
    fn conclude(
        &mut self,
        position: usize,
        heard: Heard,
        counted: bool,
        announce: &Announce,
        kind: Kind,
        now: Seconds,
        hearing: Hearing,
        changes: &mut Vec<Change>,
    ) {
        let Hearing { twin, completed, addresses, .. } = hearing;
        let info_hash = self.info_hash;
        // A client of both versions completes once, and says so in both swarms.
        let is_news = |completed: &mut Completed| {
            !twin.is_some_and(|twin| completed.holds(twin, announce.peer_id))
                && completed.insert(info_hash, announce.peer_id)
        };
        if heard.completed && is_news(completed) {
            self.completed = self.completed.saturating_add(1);
            changes.push(Change::Completed {
                info_hash,
                addr: announce.addr,
                completed: self.completed.into(),
                at: now,
            });
        }
        if heard.uploaded > 0 || heard.downloaded > 0 {
            self.uploaded = self.uploaded.saturating_add(heard.uploaded);
            self.downloaded = self.downloaded.saturating_add(heard.downloaded);
            let (uploaded, downloaded) = (self.uploaded, self.downloaded);
            changes.push(Change::Moved { info_hash, uploaded, downloaded, at: now });
        }
        if announce.event == Event::Stopped {
            match announce.addr {
                SocketAddr::V4(_) => drop(self.v4.remove(position, addresses)),
                SocketAddr::V6(_) => drop(self.v6.remove(position, addresses)),
            }
            changes.push(Change::Gone { info_hash, addr: announce.addr, at: now });
        } else {
            changes.push(Change::Seen(Sighting {
                info_hash,
                addr: announce.addr,
                peer_id: announce.peer_id,
                kind,
                counted,
                uploaded: announce.uploaded,
                downloaded: announce.downloaded,
                at: now,
            }));
        }
    }
}

/// Gives peers of one family to an asker.
struct Drawer<'a, const N: usize> {
    group: &'a Group<N>,
    fronts: View<'a, N>,
    /// The asker's address, where it is of this family.
    addr: Option<[u8; N]>,
    asker: &'a Asker<'a>,
    tag: [u8; 2],
    seed_at: &'a [SocketAddr],
}

impl<'a, const N: usize> Drawer<'a, N> {
    fn new(group: &'a Group<N>, addr: Option<[u8; N]>, asker: &'a Asker, seed_at: &'a [SocketAddr]) -> Self {
        Self { group, fronts: group.view(), addr, asker, tag: tag(asker.announce.peer_id), seed_at }
    }

    /// Adds the peer at `at` to what is given, where it suits: alive, not the asker, and not an address that leads the
    /// asker to itself.
    #[inline]
    fn give(&mut self, at: usize, given: &mut Contacts<N>) -> bool {
        let (front, asker) = (self.fronts.at(at), self.asker);
        let suits = front.age_secs(asker.now) <= asker.life_secs
            && self.addr != Some(front.addr)
            && (asker.local || !is_loopback(&front.addr))
            && !(front.may_be(self.tag) && self.group.at(at).id() == asker.announce.peer_id)
            && (self.seed_at.is_empty() || unpack(&front.addr).is_none_or(|addr| !self.seed_at.contains(&addr)));
        if suits {
            given.push(front.addr, asker.announce.named.then(|| self.group.at(at).id()));
        }
        suits
    }
}

/// Whether a packed address is that of its own host.
fn is_loopback<const N: usize>(addr: &[u8; N]) -> bool {
    if N == 6 { addr[0] == 127 } else { addr[..16] == Ipv6Addr::LOCALHOST.octets() }
}

/// Adds peers of `group` that still download to `into`, until that holds `enough`.
fn downloading<const N: usize>(
    group: &Group<N>,
    enough: usize,
    now: Seconds,
    life_secs: u64,
    random: &mut Random,
    into: &mut Vec<SocketAddr>,
) {
    let (first, end) = (group.seeds(), group.len());
    let from = first + random.below(u32::try_from(end - first).unwrap_or(u32::MAX)) as usize;
    let fitting = (from..end)
        .chain(first..from)
        .take(CALL_BATCH)
        .map(|at| group.front(at))
        .filter(|peer| peer.kind() == Kind::Leecher && peer.age_secs(now) <= life_secs);
    into.extend(fitting.filter_map(|peer| unpack(&peer.addr)).take(enough.saturating_sub(into.len())));
}

/// Goes through `group` from its end to its beginning: what moves when a peer is taken out are peers that have been
/// looked at.
fn sweep<const N: usize>(
    group: &mut Group<N>,
    info_hash: InfoHash,
    next: &mut Option<usize>,
    budget: &mut usize,
    life: Life,
    changes: &mut Vec<Change>,
) -> bool {
    let mut at = next.unwrap_or(usize::MAX).min(group.len());
    while at > 0 && *budget > 0 {
        at -= 1;
        *budget -= 1;
        if group.is_dead(at, life.now, life.secs) {
            *budget = budget.saturating_sub(REMOVAL_LOOKS - 1);
            let gone = group.remove(at, life.addresses);
            let addr = unpack(&gone.front.addr);
            changes.extend(addr.map(|addr| Change::Gone { info_hash, addr, at: life.now }));
        }
    }
    *next = Some(at);
    at == 0
}

fn put_back<const N: usize>(
    group: &mut Group<N>,
    addr: [u8; N],
    sighting: &Sighting,
    at: Seconds,
    addresses: Addresses,
) -> bool {
    if group.position(&addr, addresses).is_some() {
        return false;
    }
    let mut peer = Peer::new(addr, sighting.peer_id, sighting.kind, at);
    peer.front.set_counted(sighting.counted);
    peer.back.set_moved(sighting.uploaded, sighting.downloaded);
    group.insert(&peer, addresses);
    true
}
