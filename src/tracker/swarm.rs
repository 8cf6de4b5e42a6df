//! One torrent's peers: who is heard, who is drawn for whom, who is gone.

use std::net::SocketAddr;

use super::change::{Kind, Sighting, Tally};
use super::compact::{pack_v4, pack_v6, unpack};
use super::group::{Group, Heard, Peer};
use super::random::{Keyed, Random, Shuffle};
use super::swarms::{CALL_BATCH, SeedState};
use super::{Announce, Change, Counts, Event, Reply, Seconds};
use crate::id::{InfoHash, PeerId};

/// Names of the peers that completed last, so that a client that announces over IPv4 and IPv6 alike, or comes back
/// from another port, completes once.
const COMPLETED_REMEMBERED_MAX: usize = 16;

/// The swarm of one torrent. There are thousands of them, of which few have peers: the others hold nothing for them.
#[derive(Debug, Clone)]
pub struct Swarm {
    pub info_hash: InfoHash,
    /// The other swarm of a hybrid torrent (BEP 52).
    pub twin: Option<InfoHash>,
    pub seed: SeedState,
    pub tally: Tally,
    crowd: Option<Box<Crowd>>,
}

/// Who is in a swarm, and who completed of late.
#[derive(Debug, Clone, Default)]
struct Crowd {
    v4: Group<6>,
    v6: Group<18>,
    completed: Vec<PeerId>,
}

/// What stands for the crowd of a swarm that has none.
static NOBODY: Crowd = Crowd { v4: Group::new(), v6: Group::new(), completed: Vec::new() };

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
#[derive(Clone, Copy)]
pub struct Hearing {
    /// Whether a new peer may be stored.
    pub room: bool,
    /// Whether the twin of the swarm has counted a completion of this client.
    pub told: bool,
    pub keyed: Keyed,
}

/// Where an expiry that stopped half-way goes on: a place of one of the two arrays, counted from its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    v6: bool,
    /// The next place, one too high; `None` begins at the end of the array.
    next: Option<usize>,
}

impl Swarm {
    pub fn new(info_hash: InfoHash, twin: Option<InfoHash>, tally: Tally) -> Self {
        Self { info_hash, twin, seed: SeedState::default(), tally, crowd: None }
    }

    fn crowd(&self) -> &Crowd {
        self.crowd.as_deref().unwrap_or(&NOBODY)
    }

    /// The swarm in numbers.
    pub fn counts(&self) -> Counts {
        let peers = self.peers() as u64;
        let seeds = self.seeds() as u64;
        let Crowd { v4, v6, .. } = self.crowd();
        let partials = (v4.partials() + v6.partials()) as u64;
        Counts {
            complete: seeds + u64::from(self.seed == SeedState::Offered),
            incomplete: peers - seeds,
            downloaders: peers - seeds - partials,
            downloaded: self.tally.completed,
        }
    }

    /// All peers; the everseed is none of them.
    pub fn peers(&self) -> usize {
        let Crowd { v4, v6, .. } = self.crowd();
        v4.peers().len() + v6.peers().len()
    }

    /// The seeds among them.
    pub fn seeds(&self) -> usize {
        let Crowd { v4, v6, .. } = self.crowd();
        v4.seeds() + v6.seeds()
    }

    /// Takes in what a peer says of itself, and says what that changed.
    pub fn hear(&mut self, announce: &Announce, kind: Kind, now: Seconds, hearing: Hearing, changes: &mut Vec<Change>) {
        let Hearing { room, told, keyed } = hearing;
        let news = |(position, heard): (usize, Heard)| {
            let completed = heard.completed && !told;
            (position, Heard { completed, ..heard })
        };
        let crowd = self.crowd.get_or_insert_default();
        match announce.addr {
            SocketAddr::V4(addr) => {
                let packed = pack_v4(*addr.ip(), addr.port());
                let heard = crowd.v4.hear(packed, announce, kind, now, room, keyed);
                let counted = heard.is_some_and(|(position, _)| crowd.v4.peers()[position].counted);
                self.conclude(heard.map(news), counted, announce, kind, now, changes);
            }
            SocketAddr::V6(addr) => {
                let packed = pack_v6(*addr.ip(), addr.port());
                let heard = crowd.v6.hear(packed, announce, kind, now, room, keyed);
                let counted = heard.is_some_and(|(position, _)| crowd.v6.peers()[position].counted);
                self.conclude(heard.map(news), counted, announce, kind, now, changes);
            }
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
        let Crowd { v4, v6, .. } = self.crowd();
        let v4 = if families.v4() { &v4.peers()[from(v4.seeds())..] } else { &[] };
        let v6 = if families.v6() { &v6.peers()[from(v6.seeds())..] } else { &[] };
        shuffle.begin(v4.len() + v6.len());
        let mut open = want;
        while open > 0 {
            // First all places, then all peers: in a large swarm each is a wait for memory, and these waits overlap.
            let drawn = shuffle.draw(open, random);
            if drawn.is_empty() {
                break;
            }
            for &place in drawn {
                let place = place as usize;
                let pushed = match place.checked_sub(v4.len()) {
                    None => suits(&v4[place], asker, seed_at).then(|| reply.v4.push(v4[place].addr, v4[place].id)),
                    Some(at) => suits(&v6[at], asker, seed_at).then(|| reply.v6.push(v6[at].addr, v6[at].id)),
                };
                open -= usize::from(pushed.is_some());
            }
        }
    }

    /// Adds up to `max` peers that still download to `into`, from a random place on. It looks at
    /// [`super::swarms::CALL_BATCH`] of each family at most.
    pub fn leechers(&self, max: usize, now: Seconds, life_secs: u64, random: &mut Random, into: &mut Vec<SocketAddr>) {
        let enough = into.len() + max;
        let Some(crowd) = &self.crowd else { return };
        downloading(&crowd.v4, enough, now, life_secs, random, into);
        downloading(&crowd.v6, enough, now, life_secs, random, into);
    }

    /// Up to `max` peers, those that have everything first.
    pub fn members(&self, max: usize) -> Vec<SocketAddr> {
        fn unpacked<const N: usize>(peers: &[Peer<N>]) -> impl Iterator<Item = SocketAddr> {
            peers.iter().filter_map(|peer| unpack(&peer.addr))
        }
        let Crowd { v4, v6, .. } = self.crowd();
        let (v4_seeds, v4_others) = v4.peers().split_at(v4.seeds());
        let (v6_seeds, v6_others) = v6.peers().split_at(v6.seeds());
        let seeds = unpacked(v4_seeds).chain(unpacked(v6_seeds));
        seeds.chain(unpacked(v4_others)).chain(unpacked(v6_others)).take(max).collect()
    }

    /// Takes out peers that were not heard for longer than `life_secs`, looking at `budget` peers at most. Returns
    /// true when the whole swarm has been looked at.
    pub fn expire(
        &mut self,
        cursor: &mut Cursor,
        budget: &mut usize,
        now: Seconds,
        life_secs: u64,
        changes: &mut Vec<Change>,
    ) -> bool {
        let Some(crowd) = &mut self.crowd else {
            *cursor = Cursor::default();
            return true;
        };
        if !cursor.v6 {
            if !sweep(&mut crowd.v4, self.info_hash, &mut cursor.next, budget, now, life_secs, changes) {
                return false;
            }
            *cursor = Cursor { v6: true, next: None };
        }
        let done = sweep(&mut crowd.v6, self.info_hash, &mut cursor.next, budget, now, life_secs, changes);
        if done {
            *cursor = Cursor::default();
            if crowd.is_forgotten() {
                self.crowd = None;
            }
        }
        done
    }

    /// Puts back a peer that a store remembered, unless it is there.
    pub fn restore(&mut self, sighting: &Sighting, at: Seconds, keyed: Keyed) -> bool {
        let crowd = self.crowd.get_or_insert_default();
        match sighting.addr {
            SocketAddr::V4(addr) => put_back(&mut crowd.v4, pack_v4(*addr.ip(), addr.port()), sighting, at, keyed),
            SocketAddr::V6(addr) => put_back(&mut crowd.v6, pack_v6(*addr.ip(), addr.port()), sighting, at, keyed),
        }
    }

    fn conclude(
        &mut self,
        heard: Option<(usize, Heard)>,
        counted: bool,
        announce: &Announce,
        kind: Kind,
        now: Seconds,
        changes: &mut Vec<Change>,
    ) {
        let Some((position, heard)) = heard else { return };
        let info_hash = self.info_hash;
        if heard.completed && self.completes(announce.peer_id) {
            self.tally.completed = self.tally.completed.saturating_add(1);
            changes.push(Change::Completed {
                info_hash,
                addr: announce.addr,
                completed: self.tally.completed,
                at: now,
            });
        }
        if heard.uploaded > 0 || heard.downloaded > 0 {
            self.tally.uploaded = self.tally.uploaded.saturating_add(heard.uploaded);
            self.tally.downloaded = self.tally.downloaded.saturating_add(heard.downloaded);
            let Tally { uploaded, downloaded, .. } = self.tally;
            changes.push(Change::Moved { info_hash, uploaded, downloaded, at: now });
        }
        if announce.event == Event::Stopped {
            let crowd = self.crowd.get_or_insert_default();
            match announce.addr {
                SocketAddr::V4(_) => drop(crowd.v4.remove(position)),
                SocketAddr::V6(_) => drop(crowd.v6.remove(position)),
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

    /// Whether this client is one of the last that completed.
    pub fn knows_completed(&self, peer_id: PeerId) -> bool {
        self.crowd().completed.contains(&peer_id)
    }

    /// Whether a completion of this client is a new one.
    fn completes(&mut self, peer_id: PeerId) -> bool {
        if self.knows_completed(peer_id) {
            return false;
        }
        let completed = &mut self.crowd.get_or_insert_default().completed;
        if completed.len() == COMPLETED_REMEMBERED_MAX {
            completed.remove(0);
        }
        completed.push(peer_id);
        true
    }
}

impl Crowd {
    /// Whether nothing of it would be missed.
    fn is_forgotten(&self) -> bool {
        self.v4.peers().is_empty() && self.v6.peers().is_empty() && self.completed.is_empty()
    }
}

/// Whether `peer` may be given to `asker`: alive, not itself, and not an address that leads the asker to itself.
fn suits<const N: usize>(peer: &Peer<N>, asker: &Asker, seed_at: &[SocketAddr]) -> bool {
    if asker.now.since(peer.seen) > asker.life_secs || peer.id == asker.announce.peer_id {
        return false;
    }
    let Some(addr) = unpack(&peer.addr) else { return false };
    addr != asker.announce.addr && (asker.local || !addr.ip().is_loopback()) && !seed_at.contains(&addr)
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
    let others = &group.peers()[group.seeds()..];
    let from = random.below(u32::try_from(others.len()).unwrap_or(u32::MAX)) as usize;
    let (before, behind) = others.split_at(from.min(others.len()));
    let fitting = behind
        .iter()
        .chain(before)
        .take(CALL_BATCH)
        .filter(|peer| peer.kind == Kind::Leecher && now.since(peer.seen) <= life_secs);
    into.extend(fitting.filter_map(|peer| unpack(&peer.addr)).take(enough.saturating_sub(into.len())));
}

/// Goes through `group` from its end to its beginning: what moves when a peer is taken out are peers that have been
/// looked at.
fn sweep<const N: usize>(
    group: &mut Group<N>,
    info_hash: InfoHash,
    next: &mut Option<usize>,
    budget: &mut usize,
    now: Seconds,
    life_secs: u64,
    changes: &mut Vec<Change>,
) -> bool {
    let mut at = next.unwrap_or(usize::MAX).min(group.peers().len());
    while at > 0 && *budget > 0 {
        at -= 1;
        *budget -= 1;
        if group.is_dead(at, now, life_secs)
            && let Some(addr) = unpack(&group.remove(at).addr)
        {
            changes.push(Change::Gone { info_hash, addr, at: now });
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
    keyed: Keyed,
) -> bool {
    if group.position(&addr).is_some() {
        return false;
    }
    let peer = Peer {
        uploaded: sighting.uploaded,
        downloaded: sighting.downloaded,
        seen: at,
        addr,
        id: sighting.peer_id,
        kind: sighting.kind,
        counted: sighting.counted,
    };
    group.insert(peer, keyed);
    true
}
