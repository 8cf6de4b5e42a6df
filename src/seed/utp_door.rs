//! The door over uTP: its thread, and strangers who are let in once they have said something.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::doors::{Doors, Ticket};
use super::stream::Stream;
use super::utp::{Line, NEWCOMERS_MAX, NEWCOMERS_PER_ADDRESS_MAX, Utp};
use super::{Limits, Seed, peer};
use crate::problem::Problem;
use crate::wire::HANDSHAKE_WITHIN;

/// How often streams are looked for that have lingered for too long.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// What streams have, at the end, to tell their peers that it is one.
const FAREWELL: Duration = Duration::from_millis(50);

/// The open door, for those who call peers.
#[derive(Clone)]
pub(super) struct Door {
    pub utp: Arc<Utp>,
    /// The thread that streams live on.
    thread: Handle,
    stopped: watch::Receiver<()>,
}

impl Door {
    /// Does `work` on the thread that streams live on; nothing comes of it where the door is closed meanwhile. Then its
    /// stream still has the time to say so to its peer.
    pub async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let mut stopped = self.stopped.clone();
        let work = async move {
            tokio::select! {
                biased;
                _ = stopped.changed() => None,
                done = work => Some(done),
            }
        };
        self.thread.spawn(work).await.ok().flatten()
    }
}

/// Keeps the door until it is to stop.
///
/// A thread of its own, since there each stream has its turn between two turns of what reads the packets, whatever
/// strangers send (see [`super::utp`]); and a flood of packets takes this thread's time alone.
pub(super) async fn keep(
    seed: Arc<Seed>,
    socket: std::net::UdpSocket,
    stopped: watch::Receiver<()>,
) -> Result<(), Problem> {
    let (end, ended) = oneshot::channel();
    let work = move || {
        let kept = Builder::new_current_thread().enable_all().build().and_then(|runtime| {
            let kept = runtime.block_on(greet(&seed, socket, stopped));
            seed.set_utp_door(None);
            // A read from a stalled disk is not waited for.
            runtime.shutdown_background();
            kept
        });
        // Nobody listens only where nobody is left.
        let _ = end.send(kept);
    };
    let problem = |error| Problem::new(format!("peers can't be spoken with over uTP: {error}"));
    std::thread::Builder::new().name("everseed-utp".into()).spawn(work).map_err(problem)?;
    // Of a panic the thread has told by itself.
    ended.await.unwrap_or_else(|_| Err(io::Error::other("its thread panicked"))).map_err(problem)
}

async fn greet(seed: &Arc<Seed>, socket: std::net::UdpSocket, mut stopped: watch::Receiver<()>) -> io::Result<()> {
    let utp = Arc::new(Utp::new(socket, seed.limits.connections_max)?);
    seed.set_utp_door(Some(Door { utp: Arc::clone(&utp), thread: Handle::current(), stopped: stopped.clone() }));
    let newcomers = Arc::new(Doors::new(&Limits {
        connections_max: NEWCOMERS_MAX,
        half_open_max: NEWCOMERS_MAX,
        connections_per_address_max: NEWCOMERS_PER_ADDRESS_MAX,
        ..Limits::default()
    }));
    let mut peers = JoinSet::new();
    let mut sweeps = interval(SWEEP_EVERY);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut accepting = pin!(utp.accept());
    loop {
        tokio::select! {
            line = &mut accepting => {
                if let Some(place) = newcomers.admit(line.address().ip()) {
                    peers.spawn(welcome(Arc::clone(seed), line, place));
                }
                accepting.set(utp.accept());
            }
            Some(_) = peers.join_next() => {}
            _ = sweeps.tick() => utp.sweep(),
            _ = stopped.changed() => break,
        }
    }
    peers.shutdown().await;
    sleep(FAREWELL).await;
    // Those that could not say it, since bytes before that are still on their way.
    utp.farewell();
    Ok(())
}

/// Waits for the first word of a stranger. Until then anybody may stand at the address: to count it there at the doors
/// would let a flood of forged packets push out those who come over TCP.
async fn welcome(seed: Arc<Seed>, line: Line, place: Ticket) {
    let address = line.address();
    let mut stream = Stream::Utp(Box::new(line));
    let mut came = Vec::new();
    tokio::select! {
        biased;
        () = place.give_way() => return,
        read = timeout(HANDSHAKE_WITHIN, stream.read(&mut came)) => if !matches!(read, Ok(Ok(_))) {
            return;
        }
    }
    if let Stream::Utp(line) = &mut stream {
        line.keep();
    }
    let Some(ticket) = seed.doors.admit(address.ip()) else { return };
    drop(place);
    peer::converse(seed, stream, came, ticket).await;
}
