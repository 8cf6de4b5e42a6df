//! Asking trackers for the peers of a torrent that is still to be downloaded.

use std::net::SocketAddr;

use tokio::task::JoinSet;

use super::{ANNOUNCE_WITHIN, Announcer, Event, Request, STOP_WITHIN, announce_once};
use crate::id::{InfoHash, PeerId};

/// How many peers each tracker is asked for.
const PEERS_WANTED: u32 = 100;
/// The most peers that are taken from all of them.
pub const PEERS_MAX: usize = 500;

/// Who asks, and for what.
#[derive(Debug, Clone)]
pub struct Query {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Its trackers, in tiers (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// How the one that asks is called: not as the seed is, which is a peer of its own.
    pub peer_id: PeerId,
    /// Where it says that it listens.
    pub port: u16,
    /// The bytes that it lacks.
    pub left: u64,
}

/// The peers that the trackers name, each once. They are asked all at the same time, and told again that the one who
/// asked has gone: it takes what the peers give without being asked back. Those that do not answer name nobody.
pub async fn ask(query: &Query) -> Vec<SocketAddr> {
    let PeerId([.., a, b, c, d]) = query.peer_id;
    let mut request = Request {
        info_hash: query.info_hash,
        peer_id: query.peer_id,
        port: query.port,
        uploaded: 0,
        left: query.left,
        peers_wanted: PEERS_WANTED,
        key: u32::from_be_bytes([a, b, c, d]),
        event: Event::Started,
    };
    let mut asked = JoinSet::new();
    for url in Announcer::trackers_of(&query.trackers) {
        asked.spawn(async move { (announce_once(&url, request, ANNOUNCE_WITHIN).await, url) });
    }
    let (mut peers, mut answered) = (Vec::new(), Vec::new());
    while let Some(told) = asked.join_next().await {
        let Ok((Ok(answer), url)) = told else { continue };
        answered.push(url);
        for peer in answer.peers {
            if peers.len() < PEERS_MAX && peer.port() != 0 && !peers.contains(&peer) {
                peers.push(peer);
            }
        }
    }
    request.event = Event::Stopped;
    request.peers_wanted = 0;
    let mut told: JoinSet<_> =
        answered.into_iter().map(|url| async move { announce_once(&url, request, STOP_WITHIN).await }).collect();
    while told.join_next().await.is_some() {}
    peers
}
