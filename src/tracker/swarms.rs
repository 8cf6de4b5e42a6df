//! All swarms of a tracker: the torrents it serves, and the rules that hold for each.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::change::{Kind, Sighting, Tally};
use super::completed::Completed;
use super::group::Addresses;
use super::load::Load;
use super::random::{Keyed, Random, Shuffle};
use super::shelf::Shelf;
use super::swarm::{Asker, Cursor, Hearing, Life, Swarm};
use super::{Announce, Change, Counts, Event, Refusal, Reply, Seconds};
use crate::id::{InfoHash, PeerId};

/// Torrents of a tracker at most; those beyond it are named as left out, and refused.
pub const TORRENTS_MAX: usize = 1_000_000;
/// Peers of one torrent at most. Those beyond it are answered and not stored.
pub const PEERS_PER_TORRENT_MAX: usize = 500_000;
/// Peers of all torrents at most, about 220 MB of them. Those beyond it are answered and not stored.
pub const PEERS_MAX: usize = 4_000_000;
/// Peers of one reply at most, whatever a client wants: the most that real clients ask for (libtorrent's 200), and
/// with 18 bytes each still a reply of three packets.
pub const NUMWANT_MAX: u32 = 200;
/// Withdrawn torrents that are remembered, so that their peers are told why and their counts come back with them.
pub const RETIRED_MAX: usize = 100_000;
/// Peers that one call of [`Swarms::expire`] looks at, of which it takes out a quarter at most: about a millisecond's
/// work where all are gone, a fraction of it where none is.
pub const EXPIRE_BATCH: usize = 10_000;
/// Swarms that one call of [`Swarms::leechers`] looks at, and peers of one family that it looks at in each.
pub const CALL_BATCH: usize = 1_000;
/// Leechers of one torrent that it names at most.
pub const LEECHERS_OF_ONE_MAX: usize = 16;
/// Peers of its own swarm that an announce looks at for expired ones, so that a small swarm is never out of date.
const EXPIRE_PER_ANNOUNCE: usize = 8;
/// Other seeds that must be known before the everseed is drawn like any peer instead of coming first (rule 26).
const OTHER_SEEDS_WANTED: usize = 2;

/// Announces a second beyond which peers are asked to return less often, unless an operator says otherwise. With the
/// usual interval that many come of 9 million peers.
pub const ANNOUNCES_PER_SEC_MAX: u32 = 5_000;
/// Torrents that are not of the site and that an open tracker tracks at most, unless its operator says otherwise.
pub const OPEN_TORRENTS_MAX: usize = 500_000;
/// Peers of one address in one torrent of an open tracker at most, unless its operator says otherwise.
pub const PEERS_PER_ADDRESS_MAX: u16 = 32;

/// What an open tracker tracks beside the torrents of the site: any that a peer announces, until its last peer is gone.
///
/// Nothing of it is told to a store. Beyond a maximum the oldest torrent goes that has no seed; where all have one, the
/// new one is refused. A torrent of the site never goes, and room for its peers is made in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Torrents at most; above [`TORRENTS_MAX`] that holds.
    pub torrents_max: usize,
    /// Peers of one address in one torrent at most, in those of the site too. Of IPv6 a network of 64 bits is one
    /// address. Those beyond it are answered and not stored.
    pub peers_per_address_max: u16,
}

impl Default for Open {
    fn default() -> Self {
        Self { torrents_max: OPEN_TORRENTS_MAX, peers_per_address_max: PEERS_PER_ADDRESS_MAX }
    }
}

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Options {
    /// Seconds after which a peer is asked to return; each reply varies it by 10 %.
    pub interval_secs: u32,
    /// Seconds before which a peer is asked not to return.
    pub interval_min_secs: u32,
    /// Peers given to a client that names no number.
    pub numwant_default: u32,
    /// Peers given at most; above [`NUMWANT_MAX`] that holds.
    pub numwant_max: u32,
    /// Torrents at most; those beyond it are left out.
    pub torrents_max: usize,
    /// Peers of one torrent at most.
    pub peers_per_torrent_max: usize,
    /// Peers of all torrents at most.
    pub peers_max: usize,
    /// Whether a scrape that names no torrent is answered with all of the site.
    pub full_scrape: bool,
    /// Whether torrents are tracked that are not of the site, and how many.
    pub open: Option<Open>,
    /// Announces a second beyond which peers are asked to return less often; 0 for no such number.
    pub announces_per_sec_max: u32,
    /// The public addresses of the everseed (rule 14). Empty: the local address at which an announce arrived, where
    /// the client can be expected to reach it.
    pub seed_addresses: Vec<IpAddr>,
    /// The port of the everseed; with 0 it is not handed out.
    pub seed_port: u16,
    /// The name of the everseed. A client of this name is the everseed itself and is neither stored nor given it.
    pub seed_id: PeerId,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            interval_secs: 1800,
            interval_min_secs: 900,
            numwant_default: 50,
            numwant_max: NUMWANT_MAX,
            torrents_max: TORRENTS_MAX,
            peers_per_torrent_max: PEERS_PER_TORRENT_MAX,
            peers_max: PEERS_MAX,
            full_scrape: false,
            open: None,
            announces_per_sec_max: ANNOUNCES_PER_SEC_MAX,
            seed_addresses: Vec::new(),
            seed_port: 0,
            seed_id: PeerId([0; 20]),
        }
    }
}

/// Whether the everseed is handed out in a swarm, and counted there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SeedState {
    /// It has the torrent.
    Offered,
    /// It does not, or a fault was found.
    #[default]
    Withdrawn,
}

/// One torrent for a status page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Which.
    pub info_hash: InfoHash,
    /// Its swarm, the everseed included while it is offered.
    pub counts: Counts,
    /// What peers reported of it in its lifetime.
    pub lifetime: Tally,
    /// Whether the everseed is offered.
    pub seed: SeedState,
}

/// The swarms of all torrents that a tracker serves: those of the site, and where it is open any other.
#[derive(Debug)]
pub struct Swarms {
    options: Options,
    pub(super) shelf: Shelf,
    pub(super) retired: HashMap<InfoHash, Tally, Keyed>,
    pub(super) peers: usize,
    /// Those of them that are in torrents which are not of the site.
    open_peers: usize,
    completed: Completed,
    load: Load,
    random: Random,
    addresses: Addresses,
    shuffle: Shuffle,
    /// Where the next expiry goes on: a swarm, and a place in it.
    sweep: (usize, Cursor),
    /// The swarm whose leechers are named next.
    call: usize,
    seed_at: Vec<SocketAddr>,
    /// Where clients were last told the everseed is, of IPv4 and of IPv6, while no public address is configured.
    seed_learned: [Option<SocketAddr>; 2],
}

impl Swarms {
    /// A tracker that serves no torrent of a site yet. `seed` determines its random choices; take it from the system's
    /// randomness, except in a test.
    pub fn new(options: Options, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let keyed = Keyed::new(&mut random);
        let addresses = match options.open {
            // An address has no more ports than that.
            Some(open) if open.peers_per_address_max < u16::MAX => {
                Addresses::limited(keyed, open.peers_per_address_max)
            }
            _ => Addresses::any(keyed),
        };
        Self {
            shelf: Shelf::new(keyed),
            retired: HashMap::with_hasher(keyed),
            peers: 0,
            open_peers: 0,
            completed: Completed::new(keyed),
            load: Load::new(&options),
            options,
            random,
            addresses,
            shuffle: Shuffle::default(),
            sweep: (0, Cursor::default()),
            call: 0,
            seed_at: Vec::new(),
            seed_learned: [None; 2],
        }
    }

    /// The options in force.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Says whether the everseed has a torrent, which it is then handed out for (rule 26). Returns false where the
    /// torrent is not one of the site.
    pub fn set_seed(&mut self, info_hash: &InfoHash, state: SeedState) -> bool {
        let at = self.site_at(info_hash);
        at.map(|at| self.shelf.at_mut(at).seed = state).is_some()
    }

    /// Takes lifetime counts from a store, once and before the first announce. A torrent that is not served any more
    /// is remembered as withdrawn.
    pub fn restore_tally(&mut self, info_hash: InfoHash, tally: Tally) {
        match self.site_at(&info_hash) {
            Some(at) => self.shelf.at_mut(at).set_tally(tally),
            None => self.retire(info_hash, tally),
        }
    }

    /// Takes peers from a store, and returns how many are alive and of a torrent of the site.
    pub fn restore(&mut self, peers: impl IntoIterator<Item = Sighting>, now: Seconds) -> usize {
        let peers: Vec<Sighting> = peers.into_iter().collect();
        self.load.restore(peers.len(), now, &self.options);
        let before = self.peers;
        for sighting in peers {
            let Some(at) = self.site_at(&sighting.info_hash) else { continue };
            let swarm = self.shelf.at_mut(at);
            let room = self.peers < self.options.peers_max && swarm.peers() < self.options.peers_per_torrent_max;
            let alive = now.since(sighting.at) <= self.load.life_secs() && sighting.addr.port() != 0;
            if room && alive && swarm.restore(&sighting, sighting.at.min(now), self.addresses) {
                self.peers += 1;
            }
        }
        self.peers - before
    }

    /// Answers an announce: fills `reply`, and adds to `changes` what it changed. A refused one changes nothing.
    pub fn announce(
        &mut self,
        announce: &Announce,
        now: Seconds,
        reply: &mut Reply,
        changes: &mut Vec<Change>,
    ) -> Result<(), Refusal> {
        self.load.look(now, self.peers, &self.options);
        let heard = !announce.held_back && announce.addr.port() != 0 && !self.options.is_everseed(announce.peer_id);
        let stored = heard && announce.event != Event::Stopped;
        let at = match self.shelf.find(&announce.info_hash) {
            Some(at) => Some(self.with_room(at, announce, stored)),
            None => self.begin(announce, stored)?,
        };
        self.load.count();
        reply.clear();
        if announce.held_back {
            reply.warning =
                Some("the tracker could not tell your address from its proxy's; other peers are not told of you");
        } else if announce.addr.port() == 0 {
            reply.warning = Some("you named no port; other peers are not told of you");
        }
        match at {
            Some(at) => self.hear(at, announce, heard, now, reply, changes),
            None => reply.counts = Counts::default(),
        }
        let interval_secs = self.load.interval_secs();
        let jitter = interval_secs / 10;
        reply.interval_secs = interval_secs - jitter + self.random.below(2 * jitter + 1);
        reply.interval_min_secs = self.load.interval_min_secs().min(reply.interval_secs);
        reply.external_ip = if announce.held_back { Ipv4Addr::UNSPECIFIED.into() } else { announce.addr.ip() };
        Ok(())
    }

    /// A swarm in numbers; `None` where the torrent is not served.
    pub fn scrape(&self, info_hash: &InfoHash) -> Option<Counts> {
        self.shelf.find(info_hash).map(|at| self.shelf.at(at).counts())
    }

    /// One torrent of the site for a status page; `None` where it is not one of them.
    pub fn status(&self, info_hash: &InfoHash) -> Option<Status> {
        self.site_at(info_hash).map(|at| status(self.shelf.at(at)))
    }

    /// All torrents of the site for a status page, in no particular order.
    pub fn statuses(&self) -> impl Iterator<Item = Status> {
        self.shelf.site().iter().map(status)
    }

    /// Where clients are told the everseed is: the public addresses of [`Options::seed_addresses`], or where none are
    /// configured, those at which announces arrived, as far as one did.
    pub fn seed_addresses(&self) -> Vec<SocketAddr> {
        let configured = self.options.seed_addresses.iter();
        let configured = configured.map(|ip| SocketAddr::new(ip.to_canonical(), self.options.seed_port));
        configured.chain(self.seed_learned.iter().copied().flatten()).collect()
    }

    /// Peers of all torrents; the everseed is none of them.
    pub fn peers(&self) -> usize {
        self.peers
    }

    /// Torrents of the site.
    pub fn torrents(&self) -> usize {
        self.shelf.site().len()
    }

    /// Torrents that are tracked beside those of the site, and the peers of them; none where the tracker is closed.
    pub fn open(&self) -> (usize, usize) {
        (self.shelf.foreign_len(), self.open_peers)
    }

    /// Announces that are answered in a second, of the last ten seconds or so, and the interval that follows.
    pub fn load(&self) -> (u64, u32) {
        (self.load.per_sec(), self.load.interval_secs())
    }

    /// Seconds after which peers are asked to return, as the load has it, and before which they are asked not to.
    pub fn intervals_secs(&self) -> (u32, u32) {
        (self.load.interval_secs(), self.load.interval_min_secs())
    }

    /// Takes out peers that were not heard for 1.5 intervals (rule 22), looking at [`EXPIRE_BATCH`] peers and going
    /// on where the last call stopped; to be called every second. Returns how many were taken out.
    pub fn expire(&mut self, now: Seconds, changes: &mut Vec<Change>) -> usize {
        self.load.look(now, self.peers, &self.options);
        let life = self.life(now);
        let before = self.peers;
        let mut budget = EXPIRE_BATCH;
        // A swarm costs one of the budget also where it has no peers: a million empty ones are no pause either.
        for _ in 0..self.shelf.len() {
            if budget == 0 {
                break;
            }
            let (number, cursor) = &mut self.sweep;
            *number %= self.shelf.len();
            let at = self.shelf.place(*number);
            let (kept, peers) = (changes.len(), self.shelf.at(at).peers());
            budget -= 1;
            let done = self.shelf.at_mut(at).expire(cursor, &mut budget, life, changes);
            let stays = self.settle(at, peers, kept, changes);
            if done {
                self.sweep = (self.sweep.0 + usize::from(stays), Cursor::default());
            }
        }
        before - self.peers
    }

    /// Names leechers of torrents that the everseed has, so that it can call on those that have not come: at most
    /// [`LEECHERS_OF_ONE_MAX`] of each and `max` in all. It looks at [`CALL_BATCH`] swarms and goes on where the last
    /// call stopped.
    pub fn leechers(&mut self, max: usize, now: Seconds) -> Vec<(InfoHash, Vec<SocketAddr>)> {
        let life_secs = self.load.life_secs();
        let mut named = Vec::new();
        let mut open = max;
        for _ in 0..self.torrents().min(CALL_BATCH) {
            if open == 0 {
                break;
            }
            self.call = (self.call + 1) % self.torrents();
            let swarm = self.shelf.at(self.call);
            if swarm.seed != SeedState::Offered || swarm.peers() == swarm.seeds() {
                continue;
            }
            let mut leechers = Vec::new();
            swarm.leechers(open.min(LEECHERS_OF_ONE_MAX), now, life_secs, &mut self.random, &mut leechers);
            if !leechers.is_empty() {
                open -= leechers.len();
                named.push((swarm.info_hash, leechers));
            }
        }
        named
    }

    /// Peers of a torrent, those that have everything first: at most `max`.
    pub fn members(&self, info_hash: &InfoHash, max: usize) -> Vec<SocketAddr> {
        self.shelf.find(info_hash).map(|at| self.shelf.at(at).members(max)).unwrap_or_default()
    }

    /// Where the swarm of a torrent of the site stands.
    fn site_at(&self, info_hash: &InfoHash) -> Option<usize> {
        self.shelf.find(info_hash).filter(|&at| !Shelf::is_foreign(at))
    }

    fn life(&self, now: Seconds) -> Life {
        Life { now, secs: self.load.life_secs(), addresses: self.addresses }
    }

    /// Begins the swarm of a torrent that is not of the site, where the tracker is open; no swarm where it would have
    /// no peer.
    fn begin(&mut self, announce: &Announce, stored: bool) -> Result<Option<usize>, Refusal> {
        if self.retired.contains_key(&announce.info_hash) {
            return Err(Refusal::Withdrawn);
        }
        let Some(open) = self.options.open else { return Err(Refusal::NotServed) };
        if !stored {
            return Ok(None);
        }
        let is_full = self.shelf.foreign_len() >= open.torrents_max.min(TORRENTS_MAX);
        if is_full || self.peers >= self.options.peers_max {
            let oldest = self.shelf.oldest(None).ok_or(Refusal::Full)?;
            self.drop_foreign(oldest);
        }
        Ok(Some(self.shelf.add_foreign(Swarm::new(announce.info_hash, Tally::default()))))
    }

    /// Makes room for a new peer of the swarm at `at`, where an open tracker has as many peers as it may have: the
    /// oldest torrent without seeds goes, and for a torrent of the site one with seeds where there is no other.
    /// Returns where the swarm stands then.
    fn with_room(&mut self, at: usize, announce: &Announce, stored: bool) -> usize {
        let is_full = self.options.open.is_some() && self.peers >= self.options.peers_max;
        if !is_full || !stored || self.shelf.at(at).knows(announce.addr, self.addresses) {
            return at;
        }
        let is_foreign = Shelf::is_foreign(at);
        let goes = self.shelf.oldest(Some(at)).or_else(|| self.shelf.any_foreign().filter(|_| !is_foreign));
        if let Some(goes) = goes {
            self.drop_foreign(goes);
        }
        self.shelf.find(&announce.info_hash).expect("another one was taken out")
    }

    /// Answers a peer of the swarm at `at`, and where it can be reached takes in what it says of itself.
    fn hear(
        &mut self,
        at: usize,
        announce: &Announce,
        heard: bool,
        now: Seconds,
        reply: &mut Reply,
        changes: &mut Vec<Change>,
    ) {
        let life = self.life(now);
        let (kept, before) = (changes.len(), self.shelf.at(at).peers());
        let kind = match (announce.left, announce.event) {
            (0, _) => Kind::Seed,
            (_, Event::Paused) => Kind::Partial,
            _ => Kind::Leecher,
        };
        let twin = self.shelf.at(at).twin;
        // None too where torrents are just being withdrawn of which two share a hash.
        let twin = Some(twin).filter(|&twin| announce.left == 0 && (twin as usize) < self.torrents());
        let twin = twin.map(|twin| self.shelf.at(twin as usize).info_hash);
        let swarm = self.shelf.at_mut(at);
        if heard {
            let room = announce.event != Event::Stopped
                && self.peers < self.options.peers_max
                && before < self.options.peers_per_torrent_max;
            let hearing = Hearing { room, twin, completed: &mut self.completed, addresses: self.addresses };
            swarm.hear(announce, kind, now, hearing, changes);
        }
        swarm.expire(&mut Cursor::default(), &mut { EXPIRE_PER_ANNOUNCE }, life, changes);
        reply.counts = swarm.counts();
        if announce.event != Event::Stopped {
            let kind = if may_lack_metadata(announce) { Kind::Leecher } else { kind };
            self.give_peers(at, announce, kind, now, reply);
        }
        self.settle(at, before, kept, changes);
    }

    /// Counts the peers of the swarm at `at`, of which there were `before`. A swarm that is not of the site is dropped
    /// with its last peer, and what changed in it since there were `kept` changes is told to nobody. Returns whether it
    /// stays.
    fn settle(&mut self, at: usize, before: usize, kept: usize, changes: &mut Vec<Change>) -> bool {
        let peers = self.shelf.at(at).peers();
        self.peers = self.peers + peers - before;
        if !Shelf::is_foreign(at) {
            return true;
        }
        changes.truncate(kept);
        self.open_peers = self.open_peers + peers - before;
        if peers == 0 {
            self.drop_foreign(at);
        } else {
            // A new one was not heard again yet.
            self.shelf.at_mut(at).heard |= before > 0;
            self.shelf.settle(at);
        }
        peers > 0
    }

    fn give_peers(&mut self, at: usize, announce: &Announce, kind: Kind, now: Seconds, reply: &mut Reply) {
        let swarm = self.shelf.at(at);
        let want_max = self.options.numwant_max.min(NUMWANT_MAX);
        let want = announce.numwant.unwrap_or(self.options.numwant_default).min(want_max) as usize;
        let offered = swarm.seed == SeedState::Offered && self.options.seed_port != 0;
        self.seed_at.clear();
        if offered {
            seed_addresses(&self.options, announce, &mut self.seed_at);
            if self.options.seed_addresses.is_empty() {
                self.seed_at.iter().for_each(|addr| learn(&mut self.seed_learned, *addr));
            }
        }
        // Of several addresses of the everseed those that the wire cannot carry still are its own: no stranger's
        // announce takes their place. So they are left out only when it comes to giving.
        let is_wanted = swarm.seeds_of(announce.families) < OTHER_SEEDS_WANTED;
        let given = offered && kind != Kind::Seed && !self.options.is_everseed(announce.peer_id) && want > 0;
        let mut open = want;
        if given {
            reply.seed_unreachable = self.seed_at.is_empty();
            let candidates = swarm.peers() + 1;
            if is_wanted || (self.random.below(position(candidates)) as usize) < want {
                open -= give_seed(&self.seed_at, announce, self.options.seed_id, want, reply);
            }
        }
        let (first_v4, first_v6) = (reply.v4.len(), reply.v6.len());
        let local = announce.addr.ip().is_loopback() && !announce.held_back;
        let asker = Asker { announce, kind, local, now, life_secs: self.load.life_secs() };
        swarm.choose(&asker, open, &mut self.shuffle, &mut self.random, &self.seed_at, reply);
        if !is_wanted {
            // Drawn like any peer, the everseed stands anywhere among them.
            for index in 0..first_v4 {
                reply.v4.swap(index, self.random.below(position(reply.v4.len())) as usize);
            }
            for index in 0..first_v6 {
                reply.v6.swap(index, self.random.below(position(reply.v6.len())) as usize);
            }
        }
    }

    /// Makes the torrent at `at` one of the site, with its peers and counts.
    pub(super) fn adopt(&mut self, at: usize) {
        let swarm = self.take_foreign(at);
        self.peers += swarm.peers();
        self.shelf.add(swarm);
    }

    fn drop_foreign(&mut self, at: usize) {
        drop(self.take_foreign(at));
    }

    fn take_foreign(&mut self, at: usize) -> Swarm {
        let (swarm, last) = self.shelf.remove(at);
        self.peers -= swarm.peers();
        self.open_peers -= swarm.peers();
        let swept = self.shelf.place(self.sweep.0);
        if swept == at || swept == last {
            self.sweep.1 = Cursor::default();
        }
        swarm
    }

    /// The next expiry begins the swarm anew in which the last one stopped.
    pub(super) fn forget_sweep(&mut self) {
        self.sweep.1 = Cursor::default();
    }

    pub(super) fn retire(&mut self, info_hash: InfoHash, tally: Tally) {
        if self.retired.len() < RETIRED_MAX {
            self.retired.insert(info_hash, tally);
        }
    }
}

impl Options {
    fn is_everseed(&self, peer_id: PeerId) -> bool {
        self.seed_port != 0 && peer_id == self.seed_id
    }
}

/// Whether a client that says it lacks nothing may only not know yet what it lacks: rqbit starts with a magnet link
/// and `left=0`, and without a seed it would never learn more. It can't be told from a seed that starts, so both are
/// given seeds, once; the next announce tells them apart (rule 10).
fn may_lack_metadata(announce: &Announce) -> bool {
    announce.left == 0 && announce.event == Event::Started && announce.uploaded == 0 && announce.downloaded == 0
}

fn status(swarm: &Swarm) -> Status {
    Status { info_hash: swarm.info_hash, counts: swarm.counts(), lifetime: swarm.tally(), seed: swarm.seed }
}

/// Where `announce`'s client may reach the everseed, addresses of the client's own family first.
fn seed_addresses(options: &Options, announce: &Announce, seed_at: &mut Vec<SocketAddr>) {
    let port = options.seed_port;
    if options.seed_addresses.is_empty() {
        let ip = announce.arrived_at.to_canonical();
        if leads_here(announce, ip) {
            seed_at.push(SocketAddr::new(ip, port));
        }
    } else {
        seed_at.extend(options.seed_addresses.iter().map(|ip| SocketAddr::new(ip.to_canonical(), port)));
        seed_at.sort_by_key(|addr| addr.is_ipv4() != announce.addr.is_ipv4());
    }
}

/// Keeps an address that leads here, where none is known of its family that leads farther.
fn learn(learned: &mut [Option<SocketAddr>; 2], addr: SocketAddr) {
    let reach = |ip: IpAddr| (!ip.is_loopback(), !super::address::is_private(ip));
    let known = &mut learned[usize::from(addr.is_ipv6())];
    if known.is_none_or(|known| reach(known.ip()) <= reach(addr.ip())) {
        *known = Some(addr);
    }
}

/// Whether the local address at which an announce arrived leads its client to this host: a stranger who came through
/// a proxy or an address translation would reach another one, or itself.
fn leads_here(announce: &Announce, local: IpAddr) -> bool {
    let client = announce.addr.ip();
    if local.is_unspecified() || announce.held_back {
        false
    } else if local.is_loopback() {
        client.is_loopback()
    } else {
        !super::address::is_private(local) || super::address::is_private(client) || client.is_loopback()
    }
}

/// Puts the everseed into the reply, and returns how many of the wanted places it took.
fn give_seed(seed_at: &[SocketAddr], announce: &Announce, id: PeerId, want: usize, reply: &mut Reply) -> usize {
    let carried = |addr: &&SocketAddr| if addr.is_ipv4() { announce.families.v4() } else { announce.families.v6() };
    let (mut given, id) = (0, announce.named.then_some(id));
    for addr in seed_at.iter().filter(carried).filter(|addr| **addr != announce.addr).take(want) {
        match addr {
            SocketAddr::V4(addr) => reply.v4.push(super::compact::pack_v4(*addr.ip(), addr.port()), id),
            SocketAddr::V6(addr) => reply.v6.push(super::compact::pack_v6(*addr.ip(), addr.port()), id),
        }
        given += 1;
    }
    given
}

fn position(index: usize) -> u32 {
    u32::try_from(index).expect("there are fewer torrents and peers than 2^32: TORRENTS_MAX and PEERS_MAX")
}
