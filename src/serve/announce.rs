//! The tracker between the wires and the swarms: whose address counts, one lock around memory alone, and changes that
//! go their way after the reply is made.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::Method;
use hyper::header::HeaderMap;

use super::clock;
use super::histogram::Histogram;
use super::http::Ends;
use super::log::{Log, Throttle};
use super::reply::{self, Reply};
use crate::tracker::address::{self, Client, Doubt, Forwarding, Networks, Standing};
use crate::tracker::{self, Announce, Change, Refusal, Seconds, Swarms, http};

/// The most forwarding headers of a request that are looked at; the outermost proxies' are the last.
pub const FORWARDING_HEADERS_MAX: usize = 64;
/// Seconds between two warnings of one kind.
const WARN_EVERY_SECS: u64 = 60;

/// Takes the changes of an announce, at once and without waiting; what it leaves is thrown away.
pub type Sink = Box<dyn Fn(&mut Vec<Change>) + Send + Sync>;

/// The tracker's shell, shared by all wires.
pub struct Tracker {
    // A std Mutex: nothing awaits, reads or writes while it is held.
    swarms: Mutex<Swarms>,
    sink: Sink,
    trusted: Networks,
    counters: Counters,
    log: Log,
    not_trusted: Throttle,
    unreadable: Throttle,
    contradiction: Throttle,
    seed_unreachable: Throttle,
}

/// What an answer over HTTP needs: kept for the next one, so that nothing is allocated for each.
#[derive(Debug, Default)]
pub struct Desk {
    /// The answer.
    pub body: Vec<u8>,
    reply: tracker::Reply,
    changes: Vec<Change>,
}

/// What the tracker counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Announces over HTTP, the refused ones among them.
    pub http_announces: AtomicU64,
    /// Announces over UDP, the refused ones among them.
    pub udp_announces: AtomicU64,
    /// Scrapes over both.
    pub scrapes: AtomicU64,
    /// How long announces over HTTP took, from the moment their bytes are read to the one their answer is handed to the
    /// system. Of announces that came with one read, each took as long as all of them. Of those that the web server
    /// answers, as they are no ordinary ones, the time is counted from the parsed request to the answer.
    pub http_seconds: Histogram,
    /// The same over UDP, from the moment a batch of packets is read to the one all answers of a turn are handed to the
    /// system: each announce of a turn took as long as the turn, and as those of its batch before. A wait in the
    /// system's own queue is in neither.
    pub udp_seconds: Histogram,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
}

impl fmt::Debug for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracker").field("trusted", &self.trusted).finish_non_exhaustive()
    }
}

impl Tracker {
    /// A tracker over `swarms` that believes the headers of `trusted` proxies.
    pub fn new(swarms: Swarms, trusted: Networks, sink: Sink, log: Log) -> Self {
        let throttle = || Throttle::new(WARN_EVERY_SECS);
        Self {
            swarms: Mutex::new(swarms),
            sink,
            trusted,
            counters: Counters::default(),
            log,
            not_trusted: throttle(),
            unreadable: throttle(),
            contradiction: throttle(),
            seed_unreachable: throttle(),
        }
    }

    /// The swarms, until the guard is dropped: memory only, and never across an `.await`.
    pub fn swarms(&self) -> MutexGuard<'_, Swarms> {
        // A panic under the lock leaves at worst one torrent's numbers off by one; silence would be worse.
        self.swarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Answers `/announce` with whatever method and headers.
    pub fn http_announce(&self, method: &Method, query: &[u8], ends: Ends, headers: &HeaderMap) -> Reply {
        if let Some(reply) = other_than_get(method) {
            return reply;
        }
        let begun = clock::passed();
        let mut forwarding: Vec<(Forwarding, &[u8])> = headers
            .iter()
            .filter_map(|(name, value)| Some((Forwarding::of_header(name.as_str())?, value.as_bytes())))
            .collect();
        let surplus = forwarding.len().saturating_sub(FORWARDING_HEADERS_MAX);
        forwarding.drain(..surplus);
        let mut desk = Desk::default();
        self.write_announce(query, ends, &forwarding, &mut desk);
        self.counters.http_seconds.count(clock::passed().saturating_sub(begun), 1);
        reply::with_type(http::CONTENT_TYPE, desk.body)
    }

    /// Answers `/scrape` with whatever method.
    pub fn http_scrape(&self, method: &Method, query: &[u8]) -> Reply {
        if let Some(reply) = other_than_get(method) {
            return reply;
        }
        let mut desk = Desk::default();
        self.write_scrape(query, &mut desk);
        reply::with_type(http::CONTENT_TYPE, desk.body)
    }

    /// Leaves the answer to an announce of these headers, [`FORWARDING_HEADERS_MAX`] at most, in the body of `desk`.
    pub fn write_announce(&self, query: &[u8], ends: Ends, forwarding: &[(Forwarding, &[u8])], desk: &mut Desk) {
        self.counters.http_announces.fetch_add(1, Ordering::Relaxed);
        let Desk { body, reply, changes } = desk;
        body.clear();
        let outcome = http::parse_announce(query).and_then(|query| {
            let client = self.client(ends.peer.ip(), forwarding);
            let announce = Announce { held_back: client.held_back(), ..query.announce(client.ip, ends.local.ip()) };
            self.announce(&announce, reply, changes)?;
            http::write_reply(body, reply, query.form);
            Ok(())
        });
        self.write_refusal(outcome, body);
    }

    /// Leaves the answer to a scrape in the body of `desk`.
    pub fn write_scrape(&self, query: &[u8], desk: &mut Desk) {
        self.counters.scrapes.fetch_add(1, Ordering::Relaxed);
        desk.body.clear();
        let outcome = http::parse_scrape(query).and_then(|hashes| {
            let files = http::scrape(&self.swarms(), &hashes)?;
            http::write_scrape(&mut desk.body, &files);
            Ok(())
        });
        self.write_refusal(outcome, &mut desk.body);
    }

    /// Fills `reply` and passes on what changed; `changes` is empty before and after.
    pub fn announce(
        &self,
        announce: &Announce,
        reply: &mut tracker::Reply,
        changes: &mut Vec<Change>,
    ) -> Result<(), Refusal> {
        self.announce_to(&mut self.swarms(), announce, Seconds(clock::now_secs()), reply, changes)?;
        self.pass_on(changes);
        Ok(())
    }

    /// Fills `reply` and appends what changed to `changes`, for a caller who has taken the swarms for several announces
    /// and passes on what they changed when it has given them back.
    pub fn announce_to(
        &self,
        swarms: &mut Swarms,
        announce: &Announce,
        now: Seconds,
        reply: &mut tracker::Reply,
        changes: &mut Vec<Change>,
    ) -> Result<(), Refusal> {
        swarms.announce(announce, now, reply, changes)?;
        if reply.seed_unreachable {
            self.seed_unreachable.line(&self.log, || {
                format!(
                    "tracker: a peer at {} was not told of the everseed, since no address it could reach is known; \
                     set public_addresses in [seed], or --public-address",
                    announce.addr.ip()
                )
            });
        }
        Ok(())
    }

    /// Gives what changed to the store; `changes` is empty then.
    pub fn pass_on(&self, changes: &mut Vec<Change>) {
        (self.sink)(changes);
        changes.clear();
    }

    /// Takes out a share of the peers that fell silent; to be called every second.
    pub fn expire(&self) {
        let mut changes = Vec::new();
        self.swarms().expire(Seconds(clock::now_secs()), &mut changes);
        (self.sink)(&mut changes);
    }

    /// Counts a refusal.
    pub fn refused(&self, refusal: Refusal) {
        let mut refusals = self.counters.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        *refusals.entry(refusal.label()).or_default() += 1;
    }

    /// The client of a request (rule 13), and a line for the operator where a proxy stands in the way.
    fn client(&self, socket: IpAddr, forwarding: &[(Forwarding, &[u8])]) -> Client {
        let client = address::client(socket, forwarding, &self.trusted);
        if let Standing::HeldBack(doubt) = client.standing {
            let throttle = match doubt {
                Doubt::ProxyNotTrusted => &self.not_trusted,
                Doubt::Unreadable => &self.unreadable,
                Doubt::Contradiction => &self.contradiction,
            };
            throttle.line(&self.log, || format!("WARNING: tracker: {doubt} ({})", client.ip));
        }
        client
    }

    /// A refusal is a body like any other, with status 200 (rule 2).
    fn write_refusal(&self, outcome: Result<(), Refusal>, body: &mut Vec<u8>) {
        if let Err(refusal) = outcome {
            self.refused(refusal);
            body.clear();
            http::write_failure(body, refusal, &self.swarms());
        }
    }
}

impl Counters {
    /// Refusals by their label, sorted.
    pub fn refusals(&self) -> Vec<(&'static str, u64)> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.iter().map(|(label, count)| (*label, *count)).collect()
    }
}

/// The answer to anything but GET. HEAD announces nothing: it asks what a GET would look like.
fn other_than_get(method: &Method) -> Option<Reply> {
    match *method {
        Method::GET => None,
        Method::HEAD => Some(reply::with_type(http::CONTENT_TYPE, "")),
        Method::OPTIONS => Some(reply::options(reply::METHODS)),
        _ => Some(reply::method_not_allowed(reply::METHODS)),
    }
}
