//! The tracker's UDP wire on a socket: packets are read, answered and sent many at a time, and each reply leaves from the
//! address that was asked.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use quinn_udp::{RecvMeta, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::announce::Tracker;
use super::clock;
use super::log::Throttle;
use super::outbox::Outbox;
use super::state::State;
use crate::tracker::udp::{self, ConnectionIds, REPLY_BYTES_MAX, Request};
use crate::tracker::{Change, Reply, Seconds, Swarms};

/// Packets, or runs of packets that the system has put together, that are read with one call.
const BATCH: usize = 32;
/// Bytes of a run of packets at most. Linux is asked for single packets, and of one that is larger the rest is lost: a
/// scrape of more hashes than are answered, of which a whole number is left.
const RUN_BYTES_MAX: usize = if cfg!(target_os = "linux") { 16 + 101 * 20 } else { 64 * 1024 };
/// Packets that are answered at most before others have the swarms, and the answers are sent.
const TURN_PACKETS_MAX: usize = 64;
/// Batches that are answered in a row before other tasks have their turn.
const BATCHES_IN_A_ROW: usize = 4;
/// How long nothing is read after reading failed.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket of the UDP tracker.
#[derive(Debug)]
pub struct Wire {
    socket: UdpSocket,
    quinn: UdpSocketState,
    /// Where it is bound, for systems that do not tell where a packet arrived.
    local: IpAddr,
}

impl Wire {
    /// Takes over a bound socket.
    pub fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let quinn = UdpSocketState::new((&socket).into())?;
        #[cfg(target_os = "linux")]
        plain(&socket)?;
        let local = socket.local_addr()?.ip();
        Ok(Self { socket: UdpSocket::from_std(socket)?, quinn, local })
    }

    /// Answers for ever. `key` is secret, and the same for all sockets and after a restart: connection ids are made with it,
    /// and those that clients hold stay good.
    pub async fn serve(self, state: Arc<State>, key: [u8; 16]) {
        static FAILED: Throttle = Throttle::new(60);
        let mut desk = Desk {
            ids: ConnectionIds::new(key),
            reply: Reply::default(),
            changes: Vec::new(),
            announces: 0,
            outbox: Outbox::with_capacity(TURN_PACKETS_MAX, REPLY_BYTES_MAX),
        };
        let mut memory = vec![0; BATCH * RUN_BYTES_MAX];
        let mut metas = [RecvMeta::default(); BATCH];
        let mut in_a_row = 0;
        loop {
            let runs = match self.receive(&mut memory, &mut metas).await {
                Ok(runs) => runs,
                Err(error) => {
                    FAILED.line(&state.log, || format!("udp: packets can't be read: {error}"));
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let (now, begun) = (Seconds(clock::now_secs()), clock::passed());
            let mut packets = Packets { memory: &memory, metas: &metas[..runs], run: 0, at: 0 };
            while desk.take_turn(&state.tracker, &mut packets, self.local, now) {
                desk.outbox.send(&self.socket, &self.quinn).await;
                let took = clock::passed().saturating_sub(begun);
                state.tracker.counters().udp_seconds.count(took, std::mem::take(&mut desk.announces));
            }
            in_a_row += 1;
            if in_a_row == BATCHES_IN_A_ROW {
                in_a_row = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    async fn receive(&self, memory: &mut [u8], metas: &mut [RecvMeta; BATCH]) -> io::Result<usize> {
        loop {
            self.socket.readable().await?;
            let received = self.socket.try_io(Interest::READABLE, || {
                let mut runs = memory.chunks_mut(RUN_BYTES_MAX).map(IoSliceMut::new);
                let mut runs: [IoSliceMut<'_>; BATCH] =
                    std::array::from_fn(|_| runs.next().expect("memory for BATCH runs was taken"));
                self.quinn.recv((&self.socket).into(), &mut runs, metas)
            });
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                received => return received,
            }
        }
    }
}

/// Takes back what QUIC has asked the system for and a tracker has no use for: times, marks and runs of packets, which
/// cost something with each packet.
#[cfg(target_os = "linux")]
fn plain(socket: &std::net::UdpSocket) -> io::Result<()> {
    use nix::sys::socket::{setsockopt, sockopt};
    let socket2 = socket2::SockRef::from(socket);
    setsockopt(socket, sockopt::UdpGroSegment, &false)?;
    setsockopt(socket, sockopt::ReceiveTimestampns, &false)?;
    socket2.set_recv_tos_v4(false)?;
    if socket.local_addr()?.is_ipv6() {
        socket2.set_recv_tclass_v6(false)?;
    }
    Ok(())
}

/// The packets of a batch, one after the other.
struct Packets<'p> {
    memory: &'p [u8],
    metas: &'p [RecvMeta],
    /// The run that the next one stands in, and where it begins there.
    run: usize,
    at: usize,
}

impl<'p> Iterator for Packets<'p> {
    type Item = (&'p [u8], &'p RecvMeta);

    fn next(&mut self) -> Option<Self::Item> {
        let meta = self.metas.get(self.run)?;
        let run = &self.memory[self.run * RUN_BYTES_MAX..][..meta.len];
        let packet = &run[self.at..(self.at + meta.stride.max(1)).min(run.len())];
        self.at += packet.len();
        if self.at == run.len() {
            (self.run, self.at) = (self.run + 1, 0);
        }
        Some((packet, meta))
    }
}

/// What is needed for a packet and kept for the next, so that nothing is allocated for each.
struct Desk {
    ids: ConnectionIds,
    reply: Reply,
    changes: Vec<Change>,
    /// Announces of this turn.
    announces: u64,
    outbox: Outbox,
}

impl Desk {
    /// Answers the next packets, as many as one turn has, and passes on what they changed; whether there was one. The
    /// swarms are taken once for all of them.
    fn take_turn(&mut self, tracker: &Tracker, packets: &mut Packets<'_>, local: IpAddr, now: Seconds) -> bool {
        let mut taken = 0;
        let mut swarms = tracker.swarms();
        for (packet, meta) in packets.by_ref().take(TURN_PACKETS_MAX) {
            taken += 1;
            let before = self.outbox.bytes.len();
            self.answer(tracker, &mut swarms, packet, meta.addr, meta.dst_ip.unwrap_or(local), now);
            debug_assert!(self.outbox.bytes.len() - before <= REPLY_BYTES_MAX, "an answer fits into one packet");
            // It leaves from the address at which the packet arrived (rule 21).
            self.outbox.seal(meta.addr, meta.dst_ip);
        }
        drop(swarms);
        tracker.pass_on(&mut self.changes);
        taken > 0
    }

    /// Appends the answer to what is sent, or nothing where there is none (rule 18).
    fn answer(
        &mut self,
        tracker: &Tracker,
        swarms: &mut Swarms,
        packet: &[u8],
        client: SocketAddr,
        arrived_at: IpAddr,
        now: Seconds,
    ) {
        let Some(request) = udp::parse(packet, client, arrived_at, &self.ids, now) else { return };
        let out = &mut self.outbox.bytes;
        match request {
            Request::Connect { transaction } => {
                udp::write_connect(out, transaction, self.ids.issue(client.ip(), now));
            }
            Request::Announce { transaction, announce } => {
                tracker.counters().udp_announces.fetch_add(1, Ordering::Relaxed);
                self.announces += 1;
                match tracker.announce_to(swarms, &announce, now, &mut self.reply, &mut self.changes) {
                    Ok(()) => udp::write_announce(out, transaction, &self.reply, announce.families),
                    Err(refusal) => {
                        tracker.refused(refusal);
                        udp::write_error(out, transaction, refusal);
                    }
                }
            }
            Request::Scrape { transaction, hashes } => {
                tracker.counters().scrapes.fetch_add(1, Ordering::Relaxed);
                udp::write_scrape(out, transaction, hashes.iter().map(|hash| swarms.scrape(&hash)));
            }
        }
    }
}
