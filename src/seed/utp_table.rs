//! Which uTP streams there are, who has said hello and who is called: packets and an instant in, what is let through out.
//!
//! It stands before `librqbit-utp` and knows what that knows, by the packets that pass; it has no socket and no clock.
//!
//! A stream is known by the peer's address and the number that the peer's packets bear. Our own bear the next number where
//! we have called, and the one before where the peer has (BEP 29 "connection setup"). What would make two streams of one
//! address alike in either number is let through in neither direction: a packet would be taken for one of the other. No
//! client of sound mind does that, as its own table could not tell them apart.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Streams whose conversation is over and that may still bring their last bytes and their end to the peer.
pub const LINGERING_MAX: usize = 256;
/// How long they may.
pub const LINGER_MAX: Duration = Duration::from_secs(3);
/// Hellos that `librqbit-utp` holds before it is asked for a stream; it refuses those beyond 32.
pub const HELLOS_MAX: usize = 24;
/// How long a hello keeps its place that becomes no stream. Each becomes one within some turns of the thread.
pub const HELLO_MAX: Duration = Duration::from_secs(1);
/// How long a stream that was reset may take to go; in truth it takes a turn of the thread.
pub const GOING: Duration = Duration::from_secs(1);
/// Streams that do; of more, the oldest has gone.
pub const GOING_MAX: usize = 1024;
/// Packets of streams that are not known, which are answered in a second.
const REFUSALS_PER_SEC: u32 = 64;

/// The bytes of a packet's header.
pub(super) const HEADER_BYTES: usize = 20;
/// The kinds of packets that matter here, with the version (BEP 29 "header format").
pub(super) const STATE: u8 = 0x21;
pub(super) const RESET: u8 = 0x31;
pub(super) const HELLO: u8 = 0x41;

/// The peer's address and the number by which its packets name the stream.
pub(super) type Key = (SocketAddr, u16);

/// What `librqbit-utp` is thought to hold.
#[derive(Default)]
pub(super) struct Table {
    /// Hellos that were let through and are no stream yet, each with its time; the oldest stands first.
    hellos: VecDeque<(Instant, Key)>,
    /// Streams of our own making that nobody holds yet.
    calls: HashMap<SocketAddr, Call>,
    /// Streams, and those of a moment ago.
    streams: HashMap<Key, Stream>,
    newest: Newest,
    lingering: VecDeque<(Instant, Key)>,
    /// Streams that are to be told that their peer has reset them.
    resets: VecDeque<Key>,
    /// Streams that have been told so, and when they will have gone.
    going: VecDeque<(Instant, Key)>,
    /// How many packets of unknown streams were answered since when.
    refused: Option<(Instant, u32)>,
}

struct Call {
    number: u16,
    /// The number of our hello, which its answer acknowledges.
    sequence: u16,
    is_answered: bool,
}

struct Stream {
    /// Whether we have called, and not the peer.
    is_called: bool,
    is_going: bool,
    /// The number of the last packet that the peer has sent; none before the first.
    said: Option<u16>,
}

/// The stream that was made last for a hello.
#[derive(Default)]
enum Newest {
    #[default]
    None,
    /// Its number is not known yet.
    From(SocketAddr),
    Is(Key),
}

impl Table {
    /// Whether a packet from `address` is for somebody.
    pub fn admits(&mut self, address: SocketAddr, packet: &[u8], now: Instant) -> bool {
        let Some(header) = Header::read(packet) else { return false };
        let key = (address, header.number);
        match header.kind {
            // Any other would be thrown away behind us, and keep its place here.
            HELLO => is_bare(packet) && self.hears(key, now),
            STATE => self.answers(key, header).unwrap_or_else(|| self.said(key, header)),
            _ => self.said(key, header),
        }
    }

    /// Notes what a peer has said over a stream; false where there is none.
    fn said(&mut self, key: Key, header: Header) -> bool {
        let Some(stream) = self.streams.get_mut(&key).filter(|stream| !stream.is_going) else { return false };
        stream.said = Some(header.sequence);
        true
    }

    /// Whether our call is answered; nothing where this is no answer. `librqbit-utp` looks at what is acknowledged alone,
    /// and would make the stream under any number.
    fn answers(&mut self, key: Key, header: Header) -> Option<bool> {
        let unanswered = self.calls.get_mut(&key.0).filter(|call| !call.is_answered);
        let call = unanswered.filter(|call| call.sequence == header.acknowledged)?;
        call.is_answered = call.number == key.1;
        if call.is_answered {
            self.streams.insert(key, Stream { is_called: true, is_going: false, said: Some(header.sequence) });
        }
        Some(call.is_answered)
    }

    /// Notes a hello; false where it is known, as those are that are said again, where it can't be told from another
    /// stream, and where there are too many.
    fn hears(&mut self, (address, number): Key, now: Instant) -> bool {
        let (before, after) = (number.wrapping_sub(1), number.wrapping_add(1));
        let key = (address, after);
        // With the number of a stream it would be taken for a packet of that one.
        let is_known =
            [number, after].iter().any(|n| self.streams.contains_key(&(address, *n)) || self.has_heard(address, *n));
        let call = self.calls.get(&address).is_some_and(|call| [before, number, after].contains(&call.number));
        if is_known || call || self.is_stream(address, before, true) {
            return false;
        }
        if self.hellos.len() >= HELLOS_MAX {
            // Those that are waited for are young, and become streams at once: the next one finds room.
            if self.hellos.front().is_some_and(|(at, _)| now < *at + HELLO_MAX) {
                return false;
            }
            self.hellos.pop_front();
        }
        self.hellos.push_back((now, key));
        true
    }

    fn has_heard(&self, address: SocketAddr, number: u16) -> bool {
        self.hellos.iter().any(|(_, known)| *known == (address, number))
    }

    fn is_stream(&self, address: SocketAddr, number: u16, is_called: bool) -> bool {
        self.streams.get(&(address, number)).is_some_and(|stream| stream.is_called == is_called)
    }

    /// Looks at a packet that goes out; false where it must not.
    pub fn sends(&mut self, address: SocketAddr, packet: &[u8]) -> bool {
        let Some(header) = Header::read(packet) else { return true };
        match header.kind {
            HELLO => return self.calls(address, header),
            // A hello was refused.
            RESET => self.forget_hello((address, header.number.wrapping_add(1))),
            STATE => self.welcomes(address, header.number),
            _ => {}
        }
        true
    }

    /// Notes a call; false where it can't be told from a stream that there is.
    fn calls(&mut self, address: SocketAddr, header: Header) -> bool {
        let number = header.number;
        // What is sent over this one has the same number.
        let twin = number.wrapping_add(2);
        let is_taken = self.streams.contains_key(&(address, number)) || self.has_heard(address, number);
        if is_taken || self.is_stream(address, twin, false) || self.has_heard(address, twin) {
            return false;
        }
        self.calls.insert(address, Call { number, sequence: header.sequence, is_answered: false });
        true
    }

    /// A hello is answered by the stream that was made for it.
    fn welcomes(&mut self, address: SocketAddr, number: u16) {
        let (key, before) = ((address, number.wrapping_add(1)), number.wrapping_sub(1));
        let is_new = matches!(self.newest, Newest::From(from) if from == address) && !self.streams.contains_key(&key);
        let is_call = self.calls.get(&address).is_some_and(|call| call.number == before);
        if is_new && !is_call && !self.is_stream(address, before, true) {
            self.forget_hello(key);
            self.streams.insert(key, Stream { is_called: false, is_going: false, said: None });
            self.newest = Newest::Is(key);
        }
    }

    fn forget_hello(&mut self, key: Key) {
        self.hellos.retain(|(_, known)| *known != key);
    }

    /// A stream was made for a hello from there; its first packet says which.
    pub fn expect(&mut self, address: SocketAddr) {
        self.newest = Newest::From(address);
    }

    /// The stream that was expected; none where it has sent nothing.
    pub fn accepted(&mut self) -> Option<Key> {
        match std::mem::take(&mut self.newest) {
            Newest::Is(key) => Some(key),
            _ => None,
        }
    }

    /// The stream of our own making to there, once it is answered.
    pub fn connected(&mut self, address: SocketAddr) -> Option<Key> {
        let call = self.calls.get(&address).filter(|call| call.is_answered)?;
        let key = (address, call.number);
        self.calls.remove(&address);
        Some(key)
    }

    /// A call is over, whether a stream came of it or not: one that nobody was given must go.
    pub fn hangs_up(&mut self, address: SocketAddr, now: Instant) {
        let Some(call) = self.calls.remove(&address) else { return };
        let key = (address, call.number);
        self.streams.entry(key).or_insert(Stream { is_called: true, is_going: false, said: None });
        self.reset(key, now);
    }

    /// The next stream that is to be told that its peer has reset it.
    pub fn next_reset(&mut self) -> Option<Key> {
        self.resets.pop_front()
    }

    /// What tells the peer of each stream there is that it is gone.
    pub fn farewells(&mut self) -> Vec<(SocketAddr, [u8; HEADER_BYTES])> {
        let farewell = |((address, number), stream): (Key, Stream)| {
            let number = if stream.is_called { number.wrapping_add(1) } else { number.wrapping_sub(1) };
            Some((address, refusal(number, stream.said?)))
        };
        self.streams.drain().filter_map(farewell).collect()
    }

    /// Whether a packet of a stream that is not known is to be answered.
    pub fn may_refuse(&mut self, now: Instant) -> bool {
        let (since, count) =
            self.refused.filter(|(since, _)| now < *since + Duration::from_secs(1)).unwrap_or((now, 0));
        self.refused = Some((since, count + 1));
        count < REFUSALS_PER_SEC
    }

    /// Nobody holds the stream any more.
    pub fn ended(&mut self, key: Key, at_once: bool, now: Instant) {
        if at_once {
            self.reset(key, now);
            return;
        }
        self.lingering.push_back((now + LINGER_MAX, key));
        if self.lingering.len() > LINGERING_MAX
            && let Some((_, oldest)) = self.lingering.pop_front()
        {
            self.reset(oldest, now);
        }
    }

    fn reset(&mut self, key: Key, now: Instant) {
        // It is one of before everything began again where it is not known.
        let Some(stream) = self.streams.get_mut(&key) else { return };
        stream.is_going = true;
        self.resets.push_back(key);
        // A hello that comes before it has gone would be taken for one of its own.
        self.going.push_back((now + GOING, key));
        if self.going.len() > GOING_MAX
            && let Some((_, oldest)) = self.going.pop_front()
        {
            self.streams.remove(&oldest);
        }
    }

    /// Resets what has lingered for too long, and forgets what has gone.
    pub fn sweep(&mut self, now: Instant) {
        while let Some((_, key)) = due(&mut self.lingering, now) {
            self.reset(key, now);
        }
        while let Some((_, key)) = due(&mut self.going, now) {
            self.streams.remove(&key);
        }
        self.hellos.retain(|(at, _)| now < *at + HELLO_MAX);
    }
}

fn due(queue: &mut VecDeque<(Instant, Key)>, now: Instant) -> Option<(Instant, Key)> {
    if queue.front()?.0 <= now { queue.pop_front() } else { None }
}

/// What a packet says before its bytes.
#[derive(Clone, Copy)]
struct Header {
    kind: u8,
    number: u16,
    sequence: u16,
    acknowledged: u16,
}

impl Header {
    fn read(packet: &[u8]) -> Option<Self> {
        let header = packet.first_chunk::<HEADER_BYTES>()?;
        let number = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        Some(Self { kind: header[0], number: number(2), sequence: number(16), acknowledged: number(18) })
    }
}

/// Whether there is nothing behind a packet's header but whole extensions (BEP 29 "extension").
fn is_bare(packet: &[u8]) -> bool {
    let (Some(mut extension), Some(mut rest)) = (packet.get(1).copied(), packet.get(HEADER_BYTES..)) else {
        return false;
    };
    while extension != 0 {
        let [next, bytes, following @ ..] = rest else { return false };
        let Some(following) = following.get(usize::from(*bytes)..) else { return false };
        (extension, rest) = (*next, following);
    }
    rest.is_empty()
}

fn refusal(number: u16, acknowledged: u16) -> [u8; HEADER_BYTES] {
    let mut refusal = [0; HEADER_BYTES];
    refusal[0] = RESET;
    refusal[2..4].copy_from_slice(&number.to_be_bytes());
    // What it acknowledges must have been said.
    refusal[18..20].copy_from_slice(&acknowledged.to_be_bytes());
    refusal
}

/// What answers a packet of a stream that is not known. Its number is the one that we would listen to; the peer's own is
/// one less where it had called and one more where it was called (BEP 29 "connection setup").
pub(super) fn refusals(packet: &[u8]) -> Option<[[u8; HEADER_BYTES]; 2]> {
    let Header { kind, number, sequence, .. } = Header::read(packet)?;
    // Whatever is no packet of uTP, and what needs no answer.
    if kind & 0x0f != 1 || kind >> 4 > 2 {
        return None;
    }
    Some([number.wrapping_sub(1), number.wrapping_add(1)].map(|number| refusal(number, sequence)))
}

#[cfg(test)]
#[path = "utp_table_tests.rs"]
pub(super) mod tests;
