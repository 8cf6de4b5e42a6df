//! Load over HTTP: on connections that are kept, or with a new one for each announce.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::wire::{Announcer, Crowd, Dice};
use super::{Latencies, now};

/// Announces on their way at a time, each on a connection of its own.
const SLOTS: usize = 32;
/// Addresses of the server that new connections go to in turn, so that their ports are not used up.
const ADDRESSES: u16 = 64;
/// How long a server may keep all clients waiting.
const SILENT_NANOS_MAX: u64 = 10_000_000_000;
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Whether a connection serves for more than one announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It is kept.
    Kept,
    /// Each announce has a new one, as real clients do.
    New,
}

/// A client of a tracker over HTTP.
pub struct Client {
    to: SocketAddr,
    epoll: Epoll,
    slots: Vec<Slot>,
    opened: u16,
    request: String,
    dice: Dice,
}

#[derive(Default)]
struct Slot {
    stream: Option<TcpStream>,
    /// When the announce should have left, in nanoseconds from the start.
    due: u64,
    is_busy: bool,
    answer: Vec<u8>,
}

impl Client {
    /// A client of the tracker at this port of the loopback addresses.
    pub fn new(port: u16) -> Self {
        Self {
            to: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
            epoll: Epoll::new(EpollCreateFlags::empty()).expect("the system has epoll"),
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            opened: 0,
            request: String::new(),
            dice: Dice::new(u64::from(port)),
        }
    }

    /// Waits until the tracker accepts connections.
    pub fn wait(&self, within: Duration) {
        let start = now();
        while TcpStream::connect(self.to).is_err() {
            assert!(start.elapsed() < within, "nobody listens at {}", self.to);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lets every peer of the crowd announce itself once.
    pub fn fill(&mut self, crowd: &Crowd) {
        let mut next = 0;
        self.run(crowd, Manner::Kept, |_, _| {
            next += 1;
            Step::Go((next <= crowd.len()).then(|| (crowd.at(next - 1), 0)))
        });
    }

    /// How many announces were answered in this time, as fast as they are.
    pub fn rate(&mut self, crowd: &Crowd, manner: Manner, lasting: Duration) -> f64 {
        let mut dice = Dice::new(self.dice.below(usize::MAX) as u64);
        let nanos = u64::try_from(lasting.as_nanos()).expect("seconds");
        let start = now();
        let answered = self.run(crowd, manner, |elapsed, _| {
            Step::Go((elapsed < nanos).then(|| (crowd.at(dice.below(crowd.len())), 0)))
        });
        answered.count() as f64 / start.elapsed().as_secs_f64()
    }

    /// How long answers take at `rate` announces a second, each counted from when it should have left.
    pub fn latencies(&mut self, crowd: &Crowd, manner: Manner, rate: f64, lasting: Duration) -> Latencies {
        let mut dice = Dice::new(self.dice.below(usize::MAX) as u64);
        let all = (rate * lasting.as_secs_f64()) as usize;
        self.run(crowd, manner, |elapsed, sent| {
            let due = (sent as f64 * 1e9 / rate) as u64;
            match sent {
                _ if sent >= all => Step::Go(None),
                _ if due > elapsed => Step::Wait,
                _ => Step::Go(Some((crowd.at(dice.below(crowd.len())), due))),
            }
        })
    }

    /// Sends what `next` says, which is given the nanoseconds since the start and the announces sent, until it has none
    /// any more and all are answered.
    fn run(&mut self, crowd: &Crowd, manner: Manner, mut next: impl FnMut(u64, usize) -> Step) -> Latencies {
        let mut latencies = Latencies::default();
        let (start, mut sent, mut is_over) = (now(), 0, false);
        let elapsed = |start: Instant| u64::try_from(start.elapsed().as_nanos()).expect("seconds");
        let mut free: Vec<usize> = (0..SLOTS).collect();
        let mut events = [EpollEvent::empty(); SLOTS];
        let mut heard = 0;
        while !is_over || free.len() < SLOTS {
            let mut waits = false;
            while let Some(&slot) = free.last().filter(|_| !is_over) {
                match next(elapsed(start), sent) {
                    Step::Wait => {
                        waits = true;
                        break;
                    }
                    Step::Go(None) => is_over = true,
                    Step::Go(Some((announcer, due))) => {
                        free.pop();
                        sent += 1;
                        self.send(crowd, manner, slot, announcer, due);
                    }
                }
            }
            // It never sleeps: to wake it would be a part of the server's work.
            let ready = self.epoll.wait(&mut events, EpollTimeout::ZERO).expect("epoll waits");
            if ready > 0 || waits {
                heard = elapsed(start);
            }
            assert!(elapsed(start) - heard < SILENT_NANOS_MAX, "the server at {} has stopped to answer", self.to);
            for event in &events[..ready] {
                let slot = usize::try_from(event.data()).expect("a slot");
                if self.slots[slot].is_busy && self.receive(slot, manner) {
                    latencies.add(elapsed(start).saturating_sub(self.slots[slot].due));
                    free.push(slot);
                }
            }
        }
        // The next run may be of the other manner.
        self.slots.iter_mut().for_each(|slot| slot.stream = None);
        latencies
    }

    fn send(&mut self, crowd: &Crowd, manner: Manner, slot: usize, announcer: Announcer, due: u64) {
        crowd.write_request(&mut self.request, announcer, manner == Manner::New);
        if self.slots[slot].stream.is_none() {
            let stream = self.open(slot);
            self.slots[slot].stream = Some(stream);
        }
        let slot = &mut self.slots[slot];
        (slot.due, slot.is_busy) = (due, true);
        slot.answer.clear();
        let mut stream = slot.stream.as_ref().expect("opened above");
        stream.write_all(self.request.as_bytes()).expect("a request fits into the socket");
    }

    /// A new connection. On loopback it is there at once.
    fn open(&mut self, slot: usize) -> TcpStream {
        self.opened = (self.opened + 1) % ADDRESSES;
        let host = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + u32::from(self.opened));
        let stream = TcpStream::connect((host, self.to.port())).expect("the tracker accepts connections");
        stream.set_nodelay(true).expect("a TCP socket");
        stream.set_nonblocking(true).expect("a socket");
        let event = EpollEvent::new(EpollFlags::EPOLLIN, slot as u64);
        self.epoll.add(&stream, event).expect("few are watched");
        stream
    }

    /// Reads on; whether the answer is complete.
    fn receive(&mut self, slot: usize, manner: Manner) -> bool {
        let slot = &mut self.slots[slot];
        let mut buffer = [0; ANSWER_BYTES_MAX];
        let mut stream = slot.stream.as_ref().expect("it is waited for");
        match stream.read(&mut buffer) {
            Ok(0) => panic!("the tracker closed without an answer: {}", slot.answer.escape_ascii()),
            Ok(bytes) => slot.answer.extend_from_slice(&buffer[..bytes]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("an answer can't be read: {error}"),
        }
        if !is_whole(&slot.answer) {
            return false;
        }
        slot.is_busy = false;
        if manner == Manner::New {
            slot.stream = None;
        }
        true
    }
}

/// What a client does next.
enum Step {
    /// An announce, and when it should have left; none is the end.
    Go(Option<(Announcer, u64)>),
    /// Nothing is due yet.
    Wait,
}

/// Whether an answer is there to its last byte.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    assert!(answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.0 200"), "{}", answer.escape_ascii());
    let length = answer[..head].split(|&byte| byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(15)?;
        let value = std::str::from_utf8(value).ok()?.trim();
        name.eq_ignore_ascii_case(b"content-length:").then(|| value.parse::<usize>().expect("a number"))
    });
    let body = &answer[head + 4..];
    let is_whole = body.len() >= length.expect("the answer has a length");
    assert!(!is_whole || !body.starts_with(b"d14:failure"), "{}", answer.escape_ascii());
    is_whole
}
