//! The seed among the peers of the mainline DHT, where the operator wants that: torrents that are whole, and not private,
//! are announced there again and again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::site::Site;
use super::state::State;
use crate::fetch::dht::Node;
use crate::fetch::swarm::Dht;
use crate::id::InfoHash;
use crate::seed::{Health, Seed};

/// How often each torrent is announced: nodes forget after half an hour or so.
const EVERY: Duration = Duration::from_secs(25 * 60);
/// How long one announce looks for the nearest nodes.
const TIME_OF_ONE: Duration = Duration::from_secs(15);
/// The most announces at a time: with [`TIME_OF_ONE`] 16 a minute. More torrents than fit into [`EVERY`] take turns.
const IN_FLIGHT_MAX: usize = 4;
/// How often it is looked whether there is anything to announce, and anybody to tell.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After how long in vain a node begins anew.
const RESTART_AFTER: Duration = Duration::from_secs(15 * 60);

/// Announces that the torrents can be had at `port`, for as long as the server runs.
pub async fn announce(state: Arc<State>, options: Dht, port: u16) {
    loop {
        // Not a packet before there is something to say.
        while public(&state.site(), &state.seed).next().is_none() {
            sleep(LOOK_EVERY).await;
        }
        match Node::start(&options).await {
            Ok(node) => {
                let node = Arc::new(node);
                follow(&state, &node, port).await;
                state.log.line("WARNING: dht: no node answers; it is entered anew");
            }
            Err(problem) => {
                state.log.line(format!("WARNING: dht: {problem}"));
                sleep(RESTART_AFTER).await;
            }
        }
    }
}

/// Announces until nobody has been there to be told for [`RESTART_AFTER`].
async fn follow(state: &Arc<State>, node: &Arc<Node>, port: u16) {
    let mut due: HashMap<InfoHash, Instant> = HashMap::new();
    let mut under_way = JoinSet::new();
    let mut heard = Instant::now();
    let mut is_told = false;
    loop {
        let now = Instant::now();
        if node.nodes() > 0 {
            heard = now;
        } else if now >= heard + RESTART_AFTER {
            return;
        }
        if heard == now {
            if !is_told {
                is_told = true;
                state.log.line("dht: torrents that are not private are announced");
            }
            let site = state.site();
            let known: HashMap<InfoHash, Instant> =
                public(&site, &state.seed).map(|hash| (hash, due.get(&hash).copied().unwrap_or(now))).collect();
            due = known;
            let open = IN_FLIGHT_MAX.saturating_sub(under_way.len());
            for info_hash in next(&due, now, open) {
                due.insert(info_hash, now + EVERY);
                let node = Arc::clone(node);
                under_way.spawn(async move { node.announce(&info_hash, port, TIME_OF_ONE).await });
            }
        }
        tokio::select! {
            _ = under_way.join_next(), if !under_way.is_empty() => {}
            () = sleep_until(now + LOOK_EVERY) => {}
        }
    }
}

/// Those whose turn it is, `max` at most: who has waited longest comes first.
fn next(due: &HashMap<InfoHash, Instant>, now: Instant, max: usize) -> Vec<InfoHash> {
    let mut next: Vec<_> = due.iter().filter(|(_, due)| **due <= now).map(|(hash, due)| (*due, *hash)).collect();
    next.sort_unstable();
    next.into_iter().take(max).map(|(_, hash)| hash).collect()
}

/// The swarms of those torrents that are whole and that everybody may know of (BEP 27).
fn public<'s>(site: &'s Site, seed: &'s Seed) -> impl Iterator<Item = InfoHash> + 's {
    let torrents = site.torrents.iter().filter(|one| !one.is_private);
    let whole = torrents.filter(|one| {
        let health = seed.health(&one.entry.info_hashes.main());
        matches!(health, Some(Health::Verified | Health::Verifying))
    });
    whole.flat_map(|one| one.entry.info_hashes.swarms())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_waited_longest_is_announced_first() {
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        let hash = |n| InfoHash([n; 20]);
        let due = HashMap::from([(hash(1), at(5)), (hash(2), at(3)), (hash(3), at(4)), (hash(4), at(100))]);
        assert_eq!(next(&due, at(10), 2), [hash(2), hash(3)]);
        assert_eq!(next(&due, at(10), 9), [hash(2), hash(3), hash(1)]);
        assert!(next(&due, at(10), 0).is_empty() && next(&due, start, 9).is_empty());
    }
}
