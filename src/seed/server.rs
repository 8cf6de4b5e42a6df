//! The door: sockets that are listened at, and a task for each connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::stream::Stream;
use super::{Seed, peer, utp_door};
use crate::chores::Chores;
use crate::problem::Problem;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// How long nothing is accepted after accepting failed, as it does when no descriptor is left: connections that end
/// meanwhile make room, and the others wait in the backlog.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens at `address`; `[::]` stands for IPv4 as well, where the system has both.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart finds the port of the connections it has just closed.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// What peers come to.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Where they come over TCP.
    pub tcp: Vec<TcpListener>,
    /// Where they come over uTP (BEP 29), and from where peers are called over it.
    pub utp: Option<std::net::UdpSocket>,
}

impl Seed {
    /// Serves at `sockets`, verifies in the background and announces to other trackers, `until` that is over.
    /// Connections are closed then, and those trackers are told, which takes [`super::Options::stop_within`] at most.
    ///
    /// It comes back before that, with an error, where a part of it has stopped by itself.
    pub async fn serve(self: Arc<Self>, sockets: Sockets, until: impl Future<Output = ()>) -> Result<(), Problem> {
        let (stop, stopped) = watch::channel(());
        let mut tasks = Chores::default();
        for listener in sockets.tcp {
            tasks.spawn("the seed's door", accept(Arc::clone(&self), listener, stopped.clone()));
        }
        if let Some(socket) = sockets.utp {
            let door = utp_door::keep(Arc::clone(&self), socket, stopped.clone());
            tasks.spawn_fallible("the seed's door over uTP", door);
        }
        if self.limits.dial {
            tasks.spawn("the calls of leechers", Arc::clone(&self).call_leechers(stopped.clone()));
        }
        tasks.spawn("the announcer to other trackers", Arc::clone(&self).announce(stopped));
        let mut background = Chores::default();
        background.spawn("the look at the media", Arc::clone(&self).look_again_and_again());
        background.spawn("the verification of the media", Arc::clone(&self).verify_what_is_unknown());
        background.spawn("the verification of what was bad", Arc::clone(&self).verify_what_is_suspect());
        background.spawn("the scrub of the media", Arc::clone(&self).scrub_again_and_again());
        let outcome = tokio::select! {
            () = until => Ok(()),
            problem = tasks.fallen() => Err(problem),
            problem = background.fallen() => Err(problem),
        };
        drop(stop);
        background.shutdown().await;
        tasks.ended().await;
        outcome
    }
}

/// Accepts until it is to stop, and ends the connections then.
async fn accept(seed: Arc<Seed>, listener: TcpListener, mut stopped: watch::Receiver<()>) {
    let mut peers = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                // Whoever is not admitted is hung up on.
                Ok((stream, address)) => if let Some(ticket) = seed.doors.admit(address.ip()) {
                    peers.spawn(peer::converse(Arc::clone(&seed), Stream::tcp(stream), Vec::new(), ticket));
                },
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = peers.join_next() => {}
            _ = stopped.changed() => break,
        }
    }
    peers.shutdown().await;
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
