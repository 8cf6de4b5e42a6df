//! A node of the mainline DHT (BEP 5), by which peers of torrents that are not private are found without a tracker.
//!
//! librqbit's: it looks for the nodes nearest to a torrent and tells them who has it. Nothing of it is kept, and nothing
//! is sent before it is started.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use librqbit::dht::{self, DhtBuilder, DhtConfig, Id20};
use tokio::time::sleep;

use super::swarm::Dht;
use crate::id::InfoHash;
use crate::problem::Problem;

/// A running node; dropped, it ends.
pub struct Node {
    dht: dht::Dht,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("addr", &self.dht.listen_addr()).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts a node at a port that is free, and lets it find its way in, which it goes on trying by itself.
    pub async fn start(options: &Dht) -> Result<Self, Problem> {
        let config = DhtConfig {
            bootstrap_addrs: (!options.bootstrap.is_empty()).then(|| options.bootstrap.clone()),
            listen_addr: Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0)),
            ..DhtConfig::default()
        };
        let dht = DhtBuilder::with_config(config).await;
        let dht = dht.map_err(|error| Problem::new(format!("the DHT can't be entered: {error}")))?;
        Ok(Self { dht })
    }

    /// How many nodes it knows.
    pub fn nodes(&self) -> usize {
        self.dht.with_routing_tables(|v4, v6| v4.len() + v6.len())
    }

    /// Tells the nodes that are nearest to a torrent that it can be had from this machine at TCP port `port`, and takes so
    /// much time for it.
    pub async fn announce(&self, info_hash: &InfoHash, port: u16, time: Duration) {
        let lookup = self.dht.get_peers(Id20::new(info_hash.0), Some(port));
        // It doesn't say when it has told them: it would look again and again as long as it is held. What peers it finds
        // stands in its queue until then, a few thousand addresses at most.
        sleep(time).await;
        drop(lookup);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.dht.cancellation_token().cancel();
    }
}
