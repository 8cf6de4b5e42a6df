//! The UDP socket below uTP: packets are read and sent many at a time, since a system call for each costs more than all
//! else that is done for it. It knows addresses and bytes, and not what they say.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Packets, or runs of packets that the system has put together, that are read with one call.
const BATCH: usize = 32;
/// Bytes of a run that is read, at most.
const READ_RUN_BYTES_MAX: usize = 64 * 1024;
/// Packets that are sent with one call, at most. More would fill a receiver's socket, which has room for about 90 of
/// them where nobody has enlarged it, before it can read the first.
pub(super) const RUN_PACKETS_MAX: usize = 32;
/// The longest packet that is sent: what Ethernet carries.
pub(super) const PACKET_BYTES_MAX: usize = 1500;

/// The socket, with what was read of it and not taken, and what is to be sent with the next call.
pub(super) struct Wire {
    socket: UdpSocket,
    quinn: UdpSocketState,
    is_ipv6: bool,
    /// The longest packet that the system has sent.
    sent_bytes_max: AtomicUsize,
    // std Mutexes: nothing awaits while they are held.
    came: Mutex<Came>,
    run: Mutex<Run>,
}

/// What was read with one call.
struct Came {
    memory: Vec<u8>,
    metas: [RecvMeta; BATCH],
    runs: usize,
    /// What is taken next: the run, and the place in it.
    run: usize,
    at: usize,
}

/// Packets to one address, all of them as long as the first but for the last, which may be shorter (UDP_SEGMENT).
#[derive(Default)]
struct Run {
    bytes: Vec<u8>,
    to: Option<SocketAddr>,
    packet_bytes: usize,
    /// Whether the last of them is shorter.
    is_closed: bool,
}

/// What became of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It was sent.
    Sent,
    /// It goes with the next [`Wire::flush`].
    Waits,
    /// The socket has no room for what is before it, and it was not taken.
    Full,
}

impl Wire {
    /// Takes over a bound socket, in the runtime in which it is used.
    pub fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        // It makes the socket non-blocking.
        let quinn = UdpSocketState::new((&socket).into())?;
        let is_ipv6 = socket.local_addr()?.is_ipv6();
        let memory = vec![0; BATCH * READ_RUN_BYTES_MAX];
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            quinn,
            is_ipv6,
            sent_bytes_max: AtomicUsize::new(0),
            came: Mutex::new(Came { memory, metas: [RecvMeta::default(); BATCH], runs: 0, run: 0, at: 0 }),
            run: Mutex::default(),
        })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Takes the next packet of those that were read.
    pub fn take(&self, into: &mut [u8]) -> Option<(usize, SocketAddr)> {
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        came.take(into)
    }

    /// Reads packets, once some have come and all of those before are taken. Nothing is lost where the waiting is given
    /// up.
    pub async fn read(&self) -> io::Result<()> {
        loop {
            self.socket.readable().await?;
            let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
            let Came { memory, metas, .. } = &mut *came;
            let received = self.socket.try_io(Interest::READABLE, || {
                let mut runs = memory.chunks_mut(READ_RUN_BYTES_MAX).map(IoSliceMut::new);
                let mut runs: [IoSliceMut<'_>; BATCH] =
                    std::array::from_fn(|_| runs.next().expect("memory for BATCH runs was taken"));
                self.quinn.recv((&self.socket).into(), &mut runs, metas)
            });
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                received => {
                    (came.runs, came.run, came.at) = (received?, 0, 0);
                    return Ok(());
                }
            }
        }
    }

    /// Puts a packet behind those that wait, or sends it.
    ///
    /// One that is longer than all before is sent at once, and alone: it may be longer than the link carries, and whoever
    /// tries that wants to know.
    pub fn push(&self, parts: &[IoSlice<'_>], to: SocketAddr) -> io::Result<Pushed> {
        let bytes = parts.iter().map(|part| part.len()).sum::<usize>();
        if bytes > PACKET_BYTES_MAX {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let to = self.on_the_wire(to);
        let mut run = self.run();
        if !run.has_room(bytes, to, self.quinn.max_gso_segments()) && !self.send(&mut run) {
            return Ok(Pushed::Full);
        }
        let is_first = run.to.is_none();
        run.push(parts, bytes, to);
        if is_first && bytes > self.sent_bytes_max.load(Ordering::Relaxed) {
            let sent = self.try_send(&run.bytes, to, None);
            run.clear();
            return match sent {
                Ok(()) => {
                    self.sent_bytes_max.store(bytes, Ordering::Relaxed);
                    Ok(Pushed::Sent)
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Pushed::Full),
                Err(error) => Err(error),
            };
        }
        Ok(Pushed::Waits)
    }

    /// Sends what waits; false where the socket has no room for it.
    pub fn flush(&self) -> bool {
        self.send(&mut self.run())
    }

    /// Sends a packet without those that wait; it is lost where there is no room for it.
    pub fn send_alone(&self, packet: &[u8], to: SocketAddr) {
        // As any packet may be lost.
        let _ = self.try_send(packet, self.on_the_wire(to), None);
    }

    /// Ready when the socket has room again.
    pub async fn writable(&self) -> io::Result<()> {
        self.socket.writable().await
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the system refuses is lost, as any packet may be: whoever sent it waits for its acknowledgement.
    fn send(&self, run: &mut Run) -> bool {
        let Some(to) = run.to else { return true };
        let is_single = run.bytes.len() <= run.packet_bytes;
        let sent = self.try_send(&run.bytes, to, (!is_single).then_some(run.packet_bytes));
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            // There are links that can't cut a run into packets.
            Err(_) if !is_single => {
                run.bytes.chunks(run.packet_bytes).for_each(|packet| drop(self.try_send(packet, to, None)));
            }
            _ => {}
        }
        run.clear();
        true
    }

    fn try_send(&self, contents: &[u8], destination: SocketAddr, segment_size: Option<usize>) -> io::Result<()> {
        let transmit = Transmit { destination, ecn: None, contents, segment_size, src_ip: None };
        self.socket.try_io(Interest::WRITABLE, || self.quinn.try_send((&self.socket).into(), &transmit))
    }

    /// `address` as the socket takes it: one for both families knows IPv6 alone.
    fn on_the_wire(&self, address: SocketAddr) -> SocketAddr {
        match address.ip() {
            IpAddr::V4(ip) if self.is_ipv6 => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
            _ => address,
        }
    }
}

impl Came {
    fn take(&mut self, into: &mut [u8]) -> Option<(usize, SocketAddr)> {
        while self.run < self.runs {
            let meta = &self.metas[self.run];
            let run = &self.memory[self.run * READ_RUN_BYTES_MAX..][..meta.len.min(READ_RUN_BYTES_MAX)];
            if let Some(packet) = run.get(self.at..).filter(|rest| !rest.is_empty()) {
                let packet = &packet[..meta.stride.clamp(1, packet.len())];
                self.at += packet.len();
                // A longer one is none of uTP, and is cut off as the system does it.
                let bytes = packet.len().min(into.len());
                into[..bytes].copy_from_slice(&packet[..bytes]);
                return Some((bytes, meta.addr));
            }
            (self.run, self.at) = (self.run + 1, 0);
        }
        None
    }
}

impl Run {
    fn has_room(&self, bytes: usize, to: SocketAddr, packets_max: usize) -> bool {
        self.to.is_none_or(|known| {
            known == to
                && !self.is_closed
                && bytes <= self.packet_bytes
                && self.bytes.len() < self.packet_bytes * packets_max.min(RUN_PACKETS_MAX)
        })
    }

    fn push(&mut self, parts: &[IoSlice<'_>], bytes: usize, to: SocketAddr) {
        if self.to.is_none() {
            (self.to, self.packet_bytes) = (Some(to), bytes);
        }
        self.is_closed = bytes < self.packet_bytes;
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
    }

    fn clear(&mut self) {
        self.bytes.clear();
        (self.to, self.is_closed) = (None, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pair() -> (Wire, Wire, SocketAddr) {
        let wire = || {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
            Wire::new(socket).expect("a socket")
        };
        let (one, other) = (wire(), wire());
        let to = other.local_addr().expect("bound");
        one.writable().await.expect("it has room");
        (one, other, to)
    }

    async fn next(wire: &Wire) -> Vec<u8> {
        let mut packet = [0; 2 * PACKET_BYTES_MAX];
        loop {
            if let Some((bytes, _)) = wire.take(&mut packet) {
                return packet[..bytes].to_vec();
            }
            wire.read().await.expect("it reads");
        }
    }

    #[tokio::test]
    async fn packets_of_all_lengths_arrive_as_they_were_in_their_order() {
        let (one, other, to) = pair().await;
        let lengths = [40, 1000, 1000, 1000, 7, 1000, 1001, 20, 20, 1500, 1500, 1499, 1500];
        let mut waited = 0;
        for (n, length) in (0_u8..).zip(lengths) {
            let (head, body) = ([n; 5], vec![n; length - 5]);
            let pushed = one.push(&[IoSlice::new(&head), IoSlice::new(&body)], to).expect("it is sent");
            assert_ne!(pushed, Pushed::Full);
            waited += usize::from(pushed == Pushed::Waits);
        }
        assert!(one.flush());
        // The lengths that were new went alone: 40, 1000, 1001 and 1500.
        assert_eq!(waited, lengths.len() - 4);
        for (n, length) in (0..).zip(lengths) {
            assert_eq!(next(&other).await, vec![n; length]);
        }
    }

    #[tokio::test]
    async fn a_run_has_its_maximum_and_a_packet_too() {
        let (one, other, to) = pair().await;
        let packet = [9; 100];
        let push = || one.push(&[IoSlice::new(&packet)], to).expect("it is sent");
        assert_eq!(push(), Pushed::Sent);
        for _ in 0..=RUN_PACKETS_MAX {
            assert_eq!(push(), Pushed::Waits);
            assert!(one.run().bytes.len() <= RUN_PACKETS_MAX * packet.len());
        }
        assert_eq!(one.run().bytes.len(), packet.len(), "those before it were sent");
        assert!(one.flush() && one.run().bytes.is_empty());
        for _ in 0..RUN_PACKETS_MAX + 2 {
            assert_eq!(next(&other).await, packet);
        }
        assert!(one.push(&[IoSlice::new(&[0; PACKET_BYTES_MAX + 1])], to).is_err());
    }
}
