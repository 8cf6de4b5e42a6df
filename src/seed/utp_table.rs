//! Which uTP streams there are, who has said hello and who is called: packets and an instant in, what is let through out.
//!
//! It stands before `librqbit-utp` and knows what that knows, by the packets that pass; it has no socket and no clock.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

/// Streams whose conversation is over and that may still bring their last bytes and their end to the peer.
pub const LINGERING_MAX: usize = 256;
/// How long they may.
pub const LINGER_MAX: Duration = Duration::from_secs(3);
/// Hellos that `librqbit-utp` holds before it is asked for a stream; it refuses those beyond 32.
const HELLOS_MAX: usize = 24;
/// How long a hello is held for that became no stream.
const HELLO_MAX: Duration = Duration::from_secs(30);
/// How long a stream that was reset may take to go.
const GOING: Duration = Duration::from_secs(1);
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

#[derive(Default)]
pub(super) struct Table {
    /// Hellos that were let through and are no stream yet, with the number and the time of each.
    hellos: Vec<(Key, Instant)>,
    /// Streams of our own making that have not been answered, with the number of each.
    pub calls: HashMap<SocketAddr, u16>,
    /// Streams, and those of a moment ago.
    pub streams: HashMap<Key, Said>,
    /// Where the stream is from that was made last and whose number is not known yet; then its key.
    pub newest: Newest,
    lingering: VecDeque<(Instant, Key)>,
    /// Streams that are to be told that their peer has reset them.
    pub resets: VecDeque<Key>,
    /// Streams that have been told so, and when they will have gone.
    going: VecDeque<(Instant, Key)>,
    /// How many packets of unknown streams were answered since when.
    refused: Option<(Instant, u32)>,
}

/// The number of the last packet that the peer has sent; none before the first.
pub(super) type Said = Option<u16>;

#[derive(Default)]
pub(super) enum Newest {
    #[default]
    None,
    From(SocketAddr),
    Is(Key),
}

impl Table {
    /// Whether a packet from `address` is for somebody.
    pub fn admits(&mut self, address: SocketAddr, packet: &[u8], now: Instant) -> bool {
        let Some((kind, number)) = kind_and_number(packet) else { return false };
        let key = (address, number);
        match kind {
            HELLO => self.hears(address, number, now),
            STATE => self.said(key, packet) || self.calls.get(&address) == Some(&number),
            _ => self.said(key, packet),
        }
    }

    /// Notes what a peer has said over a stream; false where there is none.
    fn said(&mut self, key: Key, packet: &[u8]) -> bool {
        let Some(said) = self.streams.get_mut(&key) else { return false };
        *said = Some(u16::from_be_bytes([packet[16], packet[17]]));
        true
    }

    /// Notes a hello; false where it is known, as those are that are said again, or where there are too many.
    fn hears(&mut self, address: SocketAddr, number: u16, now: Instant) -> bool {
        // What is sent to who says hello has the number after it (BEP 29 "connection setup").
        let key = (address, number.wrapping_add(1));
        let is_new = !self.streams.contains_key(&key) && self.hellos.iter().all(|(known, _)| *known != key);
        let heard = is_new && self.hellos.len() < HELLOS_MAX;
        if heard {
            self.hellos.push((key, now));
        }
        heard
    }

    /// Looks at a packet that goes out.
    pub fn sends(&mut self, address: SocketAddr, packet: &[u8]) {
        let Some((kind, number)) = kind_and_number(packet) else { return };
        let key = (address, number.wrapping_add(1));
        match kind {
            HELLO => drop(self.calls.insert(address, number)),
            // A hello was refused.
            RESET => self.hellos.retain(|(known, _)| *known != key),
            // A hello is answered by the stream that was made for it. Those of our own making send under the number after
            // their own.
            STATE
                if matches!(self.newest, Newest::From(from) if from == address)
                    && !self.streams.contains_key(&key)
                    && !self.streams.contains_key(&(address, number.wrapping_sub(1))) =>
            {
                self.hellos.retain(|(known, _)| *known != key);
                self.streams.insert(key, None);
                self.newest = Newest::Is(key);
            }
            _ => {}
        }
    }

    /// Whether a packet of a stream that is not known is to be answered.
    pub fn may_refuse(&mut self, now: Instant) -> bool {
        let (since, count) =
            self.refused.filter(|(since, _)| now < *since + Duration::from_secs(1)).unwrap_or((now, 0));
        self.refused = Some((since, count + 1));
        count < REFUSALS_PER_SEC
    }

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
        self.resets.push_back(key);
        // A hello that comes before it has gone would be taken for one of its own.
        self.going.push_back((now + GOING, key));
    }

    pub fn sweep(&mut self, now: Instant) {
        while let Some((_, key)) = due(&mut self.lingering, now) {
            self.reset(key, now);
        }
        while let Some((_, key)) = due(&mut self.going, now) {
            self.streams.remove(&key);
        }
        self.hellos.retain(|(_, at)| now < *at + HELLO_MAX);
    }
}

fn due(queue: &mut VecDeque<(Instant, Key)>, now: Instant) -> Option<(Instant, Key)> {
    if queue.front()?.0 <= now { queue.pop_front() } else { None }
}

fn kind_and_number(packet: &[u8]) -> Option<(u8, u16)> {
    let header = packet.first_chunk::<HEADER_BYTES>()?;
    Some((header[0], u16::from_be_bytes([header[2], header[3]])))
}

/// A packet as the peer of a stream sends it, as far as [`refusals`] look at it.
pub(super) fn spoken(number: u16, said: u16) -> [u8; HEADER_BYTES] {
    let mut packet = [0; HEADER_BYTES];
    packet[0] = STATE;
    packet[2..4].copy_from_slice(&number.to_be_bytes());
    packet[16..18].copy_from_slice(&said.to_be_bytes());
    packet
}

/// What answers a packet of a stream that is not known. Its number is the one that we would listen to; the peer's own is
/// one less where it had called and one more where it was called (BEP 29 "connection setup").
pub(super) fn refusals(packet: &[u8]) -> Option<[[u8; HEADER_BYTES]; 2]> {
    let (kind, number) = kind_and_number(packet)?;
    // Whatever is no packet of uTP, and what needs no answer.
    if kind & 0x0f != 1 || kind >> 4 > 2 {
        return None;
    }
    let refusal = |number: u16| {
        let mut refusal = [0; HEADER_BYTES];
        refusal[0] = RESET;
        refusal[2..4].copy_from_slice(&number.to_be_bytes());
        // What it acknowledges must have been said.
        refusal[18..20].copy_from_slice(&packet[16..18]);
        refusal
    };
    Some([refusal(number.wrapping_sub(1)), refusal(number.wrapping_add(1))])
}

#[cfg(test)]
#[path = "utp_table_tests.rs"]
mod tests;
