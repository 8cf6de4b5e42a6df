//! The tracker's UDP wire on a socket: one task, and each reply leaves from the address that was asked.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::announce::Tracker;
use super::clock;
use super::log::Throttle;
use super::state::State;
use crate::tracker::udp::{self, ConnectionIds, REPLY_BYTES_MAX, Request};
use crate::tracker::{Change, Reply, Seconds};

/// Packets, or runs of packets that the system has put together, that are read with one call.
const BATCH: usize = 16;
/// Bytes of a run of packets at most.
const RUN_BYTES_MAX: usize = 64 * 1024;
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
        let local = socket.local_addr()?.ip();
        Ok(Self { socket: UdpSocket::from_std(socket)?, quinn, local })
    }

    /// Answers for ever. `key` is secret and new at each start: connection ids are made with it.
    pub async fn serve(self, state: Arc<State>, key: [u8; 16]) {
        static FAILED: Throttle = Throttle::new(60);
        let mut desk =
            Desk { ids: ConnectionIds::new(key), reply: Reply::default(), changes: Vec::new(), out: Vec::new() };
        let mut memory = vec![0; BATCH * RUN_BYTES_MAX];
        let mut metas = [RecvMeta::default(); BATCH];
        loop {
            let runs = match self.receive(&mut memory, &mut metas).await {
                Ok(runs) => runs,
                Err(error) => {
                    FAILED.line(&state.log, || format!("udp: packets can't be read: {error}"));
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let now = Seconds(clock::now_secs());
            for (run, meta) in memory.chunks(RUN_BYTES_MAX).zip(&metas).take(runs) {
                for packet in run[..meta.len].chunks(meta.stride.max(1)) {
                    desk.out.clear();
                    let arrived_at = meta.dst_ip.unwrap_or(self.local);
                    desk.answer(&state.tracker, packet, meta.addr, arrived_at, now);
                    if !desk.out.is_empty() {
                        self.send(&desk.out, meta).await;
                    }
                }
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

    /// Sends from the address at which the packet arrived (rule 21). A reply that the system refuses is lost, as any
    /// packet may be: the client asks again.
    async fn send(&self, contents: &[u8], meta: &RecvMeta) {
        let transmit =
            Transmit { destination: meta.addr, ecn: None, contents, segment_size: None, src_ip: meta.dst_ip };
        loop {
            let sent = self.socket.try_io(Interest::WRITABLE, || self.quinn.try_send((&self.socket).into(), &transmit));
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => return,
            }
            if self.socket.writable().await.is_err() {
                return;
            }
        }
    }
}

/// What is needed for a packet and kept for the next, so that nothing is allocated for each.
struct Desk {
    ids: ConnectionIds,
    reply: Reply,
    changes: Vec<Change>,
    out: Vec<u8>,
}

impl Desk {
    /// Leaves the answer in `out`, or nothing where there is none (rule 18).
    fn answer(&mut self, tracker: &Tracker, packet: &[u8], client: SocketAddr, arrived_at: IpAddr, now: Seconds) {
        let Some(request) = udp::parse(packet, client, arrived_at, &self.ids, now) else { return };
        match request {
            Request::Connect { transaction } => {
                udp::write_connect(&mut self.out, transaction, self.ids.issue(client.ip(), now));
            }
            Request::Announce { transaction, announce } => {
                tracker.counters().udp_announces.fetch_add(1, Ordering::Relaxed);
                match tracker.announce(&announce, &mut self.reply, &mut self.changes) {
                    Ok(()) => udp::write_announce(&mut self.out, transaction, &self.reply, announce.families),
                    Err(refusal) => {
                        tracker.refused(refusal);
                        udp::write_error(&mut self.out, transaction, refusal);
                    }
                }
            }
            Request::Scrape { transaction, hashes } => {
                tracker.counters().scrapes.fetch_add(1, Ordering::Relaxed);
                let swarms = tracker.swarms();
                udp::write_scrape(&mut self.out, transaction, hashes.iter().map(|hash| swarms.scrape(&hash)));
            }
        }
        debug_assert!(self.out.len() <= REPLY_BYTES_MAX, "an answer fits into one packet");
    }
}
