//! uTP (BEP 29): streams over the seed's UDP port, on a thread of their own.
//!
//! The protocol is that of `librqbit-utp`. Between it and the socket stands a [`Gate`], since a stranger can do to it
//! what it does not bound by itself:
//!
//! | a stranger | `librqbit-utp` | here |
//! |---|---|---|
//! | says hello from addresses that are not its own | holds a stream for each, up to a number | [`NEWCOMERS_MAX`] of them, of which the oldest gives way; only who has said something counts at the doors |
//! | sends faster than its stream takes packets in | queues them without bound | one thread, on which [`PACKETS_OF_A_TURN`] are read between two turns of each stream |
//! | closes its window and goes away | holds a stream with unsent bytes for ever | is reset [`LINGER_MAX`] after its conversation has ended |
//! | finds a way to stop the task that reads packets | is deaf from then on | it begins again |
//!
//! Where the socket is full, the gate wakes all who wait to send when it has room again. What streams send in a turn waits
//! until the turn is over, and goes with few calls (see [`super::utp_wire`]).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use librqbit_dualstack_sockets::PollSendToVectored;
use librqbit_utp::{SocketOpts, Transport, UtpSocket, UtpSocketUdp, UtpStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::utp_table::{HEADER_BYTES, Key, LINGERING_MAX, RESET, STATE, Table, refusals};
use super::utp_wire::{Pushed, Wire};

/// Streams of peers that have not said anything yet; each costs about 25 kB. The oldest gives way.
pub const NEWCOMERS_MAX: usize = 256;
/// Those of them from one IPv4 address or one IPv6 /64.
pub const NEWCOMERS_PER_ADDRESS_MAX: usize = 32;
/// Bytes of a stream that wait to be taken in: a thousand requests. A peer that sends them one in a packet makes some 64
/// bytes of each.
const RECEIVE_BYTES: usize = 16 * 1024;
/// Bytes of a stream that are sent and not acknowledged, at first.
const SEND_BYTES: usize = 16 * 1024;
/// The same where the line carries them: 2.5 MB a second at a tenth of a second's round trip.
const SEND_BYTES_MAX: usize = 256 * 1024;
/// How long a peer may leave unanswered what was sent to it. [`crate::wire::SILENCE_MAX`] comes first.
const INACTIVE_MAX: Duration = Duration::from_secs(5 * 60);
/// Packets that are read before every stream has had its turn to take them in.
const PACKETS_OF_A_TURN: u32 = 32;
/// The pause after reading failed, and before a socket that stopped is set up again.
const PAUSE: Duration = Duration::from_millis(100);

/// Names the type that `librqbit-utp` gives no name to.
trait HasClock {
    type Clock: Default;
}

impl<T, E: Default> HasClock for UtpSocket<T, E> {
    type Clock = E;
}

type Clock = <UtpSocketUdp as HasClock>::Clock;
type Streams = UtpSocket<Shared, Clock>;

/// The UDP socket with all streams over it.
pub(super) struct Utp {
    gate: Arc<Gate>,
    receive_bytes: usize,
    streams_max: usize,
    // A std Mutex: nothing awaits while it is held.
    run: Mutex<Run>,
}

/// What reads the packets, and the streams that it has made.
struct Run {
    streams: Arc<Streams>,
    options: SocketOpts,
}

/// A stream.
pub(super) struct Line {
    stream: UtpStream,
    end: End,
}

/// What happens to a stream when nobody holds it any more. It stands behind the stream, so that it is dropped after it.
struct End {
    gate: Arc<Gate>,
    key: Key,
    /// Whether its last bytes may be lost.
    at_once: bool,
}

impl Utp {
    /// Takes over a bound socket, for so many streams that are spoken over. To be called on the thread that is to do
    /// the work, in its runtime.
    pub fn new(socket: std::net::UdpSocket, streams_max: usize) -> io::Result<Self> {
        Self::with(socket, streams_max, RECEIVE_BYTES)
    }

    /// For one that downloads, as the tests do.
    pub(super) fn with(socket: std::net::UdpSocket, streams_max: usize, receive_bytes: usize) -> io::Result<Self> {
        let gate = Arc::new(Gate {
            wire: Wire::new(socket)?,
            taken: AtomicU32::new(0),
            nudge: Notify::new(),
            table: Mutex::default(),
            senders: Mutex::default(),
        });
        let streams_max = streams_max + NEWCOMERS_MAX + LINGERING_MAX;
        let run = Mutex::new(Run::begin(&gate, receive_bytes, streams_max)?);
        Ok(Self { gate, receive_bytes, streams_max, run })
    }

    /// The next stream that a peer opens; it has not said anything yet. To be called in the runtime of [`Utp::new`], and
    /// not a second time before it comes back.
    pub async fn accept(&self) -> Line {
        loop {
            let streams = self.streams();
            let Ok(stream) = streams.accept().await else {
                // What reads the packets has stopped. Its streams are lost, and others are taken from here on.
                sleep(PAUSE).await;
                self.begin_again(&streams);
                continue;
            };
            // One of which nothing is known is the peer's loss alone.
            if let Some(key) = self.gate.accepted(stream.remote_addr()).await {
                return Line { stream, end: End { gate: Arc::clone(&self.gate), key, at_once: true } };
            }
        }
    }

    /// Opens a stream to a peer. To be called in the runtime of [`Utp::new`], for one address one at a time.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<Line> {
        let _calling = Calling { gate: &self.gate, address };
        let streams = self.streams();
        let stream = streams.connect(address).await.map_err(io::Error::other)?;
        let key = self.gate.table().connected(address).ok_or(io::ErrorKind::ConnectionReset)?;
        Ok(Line { stream, end: End { gate: Arc::clone(&self.gate), key, at_once: false } })
    }

    /// Resets what has lingered for too long; to be called every second or so.
    pub fn sweep(&self) {
        self.gate.table().sweep(Instant::now());
        self.gate.nudge.notify_one();
    }

    /// Ends every stream that is left: its peer need not wait for what never comes.
    pub fn farewell(&self) {
        self.gate.reset_all();
    }

    fn streams(&self) -> Arc<Streams> {
        Arc::clone(&self.run().streams)
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_again(&self, stopped: &Arc<Streams>) {
        let mut run = self.run();
        if !Arc::ptr_eq(&run.streams, stopped) {
            return;
        }
        // Whatever is left of it must read no packet of those that come after it.
        run.options.cancellation_token.cancel();
        *self.gate.table() = Table::default();
        // They go with the streams they are of.
        self.gate.senders().clear();
        if let Ok(next) = Run::begin(&self.gate, self.receive_bytes, self.streams_max) {
            *run = next;
        }
    }
}

impl Run {
    fn begin(gate: &Arc<Gate>, receive_bytes: usize, streams_max: usize) -> io::Result<Self> {
        let options = SocketOpts {
            vsock_rx_bufsize_bytes: NonZeroUsize::new(receive_bytes),
            vsock_tx_bufsize_bytes_initial: NonZeroUsize::new(SEND_BYTES),
            vsock_tx_bufsize_bytes_max: NonZeroUsize::new(SEND_BYTES_MAX),
            // A block is written whole, and nobody waits for its end until the next one comes.
            disable_nagle: true,
            remote_inactivity_timeout: Some(INACTIVE_MAX),
            max_live_vsocks: NonZeroUsize::new(streams_max),
            ..SocketOpts::default()
        };
        let streams = UtpSocket::new_with_opts(Shared(Arc::clone(gate)), Clock::default(), options.clone());
        Ok(Self { streams: streams.map_err(io::Error::other)?, options })
    }
}

impl Line {
    /// Where the peer is.
    pub fn address(&self) -> SocketAddr {
        self.end.key.0
    }

    /// The peer has said something, so its address is its own: what is written from here on is to arrive.
    pub fn keep(&mut self) {
        self.end.at_once = false;
    }

    pub fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }

    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    /// Ready when the peer has said that it has all of it.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.gate.ended(self.key, self.at_once);
    }
}

/// The socket, and what is let through between it and the streams.
struct Gate {
    wire: Wire,
    /// Packets that were taken in in this turn.
    taken: AtomicU32,
    /// There is something to do beside reading.
    nudge: Notify,
    // std Mutexes: nothing awaits while they are held.
    table: Mutex<Table>,
    /// Those who wait for room in the socket.
    senders: Mutex<Vec<Waker>>,
}

struct Calling<'a> {
    gate: &'a Gate,
    address: SocketAddr,
}

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        self.gate.table().hangs_up(self.address, Instant::now());
        self.gate.nudge.notify_one();
    }
}

impl Gate {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn senders(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which stream it is that has been made for a hello from there: it says so by its answer.
    async fn accepted(&self, address: SocketAddr) -> Option<Key> {
        self.table().expect(address);
        // Its task was begun before this one, on the same thread, and says that in its first turn; so it has when this one
        // has had its own.
        let _ = tokio::spawn(async {}).await;
        self.table().accepted()
    }

    /// Nobody holds the stream any more.
    fn ended(&self, key: Key, at_once: bool) {
        self.table().ended(key, at_once, Instant::now());
        self.nudge.notify_one();
    }

    /// What is next for the streams: a packet, or a word of our own to one of them.
    async fn receive(&self, buffer: &mut [u8]) -> (usize, SocketAddr) {
        loop {
            if let Some((address, number)) = self.table().next_reset() {
                let [high, low] = number.to_be_bytes();
                let packet = &mut buffer[..HEADER_BYTES];
                packet.fill(0);
                packet[0] = RESET;
                packet[2..4].copy_from_slice(&[high, low]);
                return (HEADER_BYTES, address);
            }
            let is_over = self.taken.load(Ordering::Relaxed) >= PACKETS_OF_A_TURN;
            if !is_over && let Some((bytes, address)) = self.wire.take(buffer) {
                self.taken.fetch_add(1, Ordering::Relaxed);
                let address = canonical(address);
                if self.table().admits(address, &buffer[..bytes], Instant::now()) {
                    return (bytes, address);
                }
                self.refuse(address, &buffer[..bytes]);
                continue;
            }
            if self.taken.load(Ordering::Relaxed) > 0 {
                // Every stream has its turn with what came for it.
                yield_now().await;
                self.taken.store(0, Ordering::Relaxed);
            }
            let has_room = self.wire.flush();
            if !has_room || !self.senders().is_empty() {
                // Nothing is read meanwhile: it would be answered, and the answers would have to wait.
                let _ = self.wire.writable().await;
                let senders = std::mem::take(&mut *self.senders());
                if !senders.is_empty() {
                    senders.into_iter().for_each(Waker::wake);
                    yield_now().await;
                }
                continue;
            }
            if is_over {
                continue;
            }
            tokio::select! {
                biased;
                () = self.nudge.notified() => {}
                read = self.wire.read() => if read.is_err() {
                    sleep(PAUSE).await;
                },
            }
        }
    }

    /// Tells who speaks over a stream that is not known, as one of before a restart, that it is gone: else the peer
    /// waits for a minute or more for what never comes, and takes nobody else of this name meanwhile.
    fn refuse(&self, address: SocketAddr, packet: &[u8]) {
        let Some(refusals) = refusals(packet) else { return };
        if self.table().may_refuse(Instant::now()) {
            // Where there is no room it is said at the next packet.
            refusals.iter().for_each(|packet| self.wire.send_alone(packet, address));
        }
    }

    /// Tells the peer of each stream there is that it is gone.
    fn reset_all(&self) {
        let farewells = self.table().farewells();
        farewells.iter().for_each(|(address, packet)| self.wire.send_alone(packet, *address));
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
        address: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        if let Some(packet) = parts.first()
            && packet.first() == Some(&STATE)
        {
            self.table().sends(address, packet);
        }
        match self.wire.push(parts, address)? {
            Pushed::Sent => {}
            Pushed::Waits => self.nudge.notify_one(),
            Pushed::Full => {
                let mut senders = self.senders();
                if !senders.iter().any(|known| known.will_wake(cx.waker())) {
                    senders.push(cx.waker().clone());
                }
                drop(senders);
                self.nudge.notify_one();
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()))
    }
}

/// An address as people write it. One of IPv6 keeps its scope.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

/// The gate, as `librqbit-utp` takes it.
struct Shared(Arc<Gate>);

impl Transport for Shared {
    async fn recv_from<'a>(&'a self, buffer: &'a mut [u8]) -> io::Result<(usize, SocketAddr)> {
        // Never an error: it would stop what reads the packets.
        Ok(self.0.receive(buffer).await)
    }

    async fn send_to<'a>(&'a self, packet: &'a [u8], address: SocketAddr) -> io::Result<usize> {
        if !self.0.table().sends(address, packet) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        // What reads the packets waits for this, and so can't wake it.
        while self.0.wire.push(&[io::IoSlice::new(packet)], address)? == Pushed::Full {
            self.0.wire.writable().await?;
        }
        Ok(packet.len())
    }

    fn poll_send_to(&self, cx: &mut Context<'_>, packet: &[u8], address: SocketAddr) -> Poll<io::Result<usize>> {
        self.0.poll_send(cx, &[io::IoSlice::new(packet)], address)
    }

    fn bind_addr(&self) -> SocketAddr {
        self.0.wire.local_addr().unwrap_or_else(|_| SocketAddr::from(([0; 4], 0)))
    }
}

impl PollSendToVectored for Shared {
    fn poll_send_to_vectored(
        &self,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
        address: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send(cx, parts, address)
    }
}

#[cfg(test)]
#[path = "utp_tests.rs"]
mod tests;
