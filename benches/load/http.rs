//! Load over HTTP: on connections that are kept, or with a new one for each announce.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::wire::{Announcer, Crowd, Dice};
use super::{Answered, Latencies, Load, Measured, SILENT_MAX, TOO_LATE, now};

/// Announces on their way at a time, each on a connection of its own.
const SLOTS: usize = 32;
/// Addresses of the server that new connections go to in turn, so that their ports are not used up.
const ADDRESSES: u16 = 64;
/// Torrents that are asked for after the peers have announced themselves.
const SAMPLE: usize = 64;
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
    /// How it announces.
    pub manner: Manner,
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
            manner: Manner::Kept,
            to: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
            epoll: Epoll::new(EpollCreateFlags::empty()).expect("the system has epoll"),
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            opened: 0,
            request: String::new(),
            dice: Dice::new(u64::from(port)),
        }
    }

    /// Waits until the tracker accepts connections.
    pub fn wait(&self, within: Duration) -> Measured<()> {
        let start = now();
        while let Err(error) = TcpStream::connect(self.to) {
            if start.elapsed() > within {
                return Err(error.to_string());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Lets every peer of the crowd announce itself once.
    pub fn fill(&mut self, crowd: &Crowd, until: Instant) -> Measured<()> {
        let mut next = 0;
        let left = u64::try_from(until.saturating_duration_since(now()).as_nanos()).expect("minutes");
        let announced = self.run(crowd, |elapsed, _| {
            next += 1;
            Step::Go((next <= crowd.len() && elapsed < left).then(|| (crowd.at(next - 1), 0)))
        })?;
        if announced.count() < crowd.len() { Err(TOO_LATE.into()) } else { Ok(()) }
    }

    /// Whether the tracker knows the peers of the crowd.
    pub fn check(&mut self, crowd: &Crowd) -> Measured<()> {
        for index in 0..SAMPLE.min(crowd.torrents.len()) {
            let mut announcer = Some(crowd.at(index));
            // One alone goes through the slot that is free at first, where its answer stays.
            self.run(crowd, |_, _| Step::Go(announcer.take().map(|announcer| (announcer, 0))))?;
            let answer = &self.slots[SLOTS - 1].answer;
            let number = |key: &[u8]| {
                let at = answer.windows(key.len()).position(|bytes| bytes == key).map_or(0, |at| at + key.len());
                let digits = answer[at..].iter().take_while(|byte| byte.is_ascii_digit());
                digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
            };
            crowd.check(number(b"8:completei") + number(b"10:incompletei"))?;
        }
        Ok(())
    }

    /// Sends what `next` says, which is given the nanoseconds since the start and the announces sent, until it has none
    /// any more and all are answered.
    fn run(&mut self, crowd: &Crowd, next: impl FnMut(u64, usize) -> Step) -> Measured<Latencies> {
        let latencies = self.run_all(crowd, next);
        // The next run may be of the other manner.
        for slot in &mut self.slots {
            (slot.stream, slot.is_busy) = (None, false);
        }
        latencies
    }

    fn run_all(&mut self, crowd: &Crowd, mut next: impl FnMut(u64, usize) -> Step) -> Measured<Latencies> {
        let silent_max = u64::try_from(SILENT_MAX.as_nanos()).expect("seconds");
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
                        self.send(crowd, slot, announcer, due).map_err(|error| error.to_string())?;
                    }
                }
            }
            // It never sleeps: to wake it would be a part of the server's work.
            let ready = self.epoll.wait(&mut events, EpollTimeout::ZERO).map_err(|error| error.to_string())?;
            if ready > 0 || waits {
                heard = elapsed(start);
            }
            if elapsed(start) - heard > silent_max {
                return Err("it has stopped to answer".into());
            }
            for event in &events[..ready] {
                let slot = usize::try_from(event.data()).expect("a slot");
                if self.slots[slot].is_busy && self.receive(slot)? {
                    latencies.add(self.slots[slot].due, elapsed(start));
                    free.push(slot);
                }
            }
        }
        Ok(latencies)
    }

    fn send(&mut self, crowd: &Crowd, slot: usize, announcer: Announcer, due: u64) -> io::Result<()> {
        crowd.write_request(&mut self.request, announcer, self.manner == Manner::New);
        if self.slots[slot].stream.is_none() {
            let stream = self.open(slot)?;
            self.slots[slot].stream = Some(stream);
        }
        let slot = &mut self.slots[slot];
        (slot.due, slot.is_busy) = (due, true);
        slot.answer.clear();
        let mut stream = slot.stream.as_ref().expect("opened above");
        stream.write_all(self.request.as_bytes())
    }

    /// A new connection. On loopback it is there at once.
    fn open(&mut self, slot: usize) -> io::Result<TcpStream> {
        self.opened = (self.opened + 1) % ADDRESSES;
        let host = Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + u32::from(self.opened));
        let stream = TcpStream::connect((host, self.to.port()))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, slot as u64))?;
        Ok(stream)
    }

    /// Reads on; whether the answer is complete.
    fn receive(&mut self, slot: usize) -> Measured<bool> {
        let slot = &mut self.slots[slot];
        let mut buffer = [0; ANSWER_BYTES_MAX];
        let mut stream = slot.stream.as_ref().expect("it is waited for");
        match stream.read(&mut buffer) {
            Ok(0) => return Err(format!("it closed after `{}`", slot.answer.escape_ascii())),
            Ok(bytes) => slot.answer.extend_from_slice(&buffer[..bytes]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.to_string()),
        }
        if !is_whole(&slot.answer)? {
            return Ok(false);
        }
        slot.is_busy = false;
        if self.manner == Manner::New {
            slot.stream = None;
        }
        Ok(true)
    }
}

impl Load for Client {
    fn rate(&mut self, crowd: &Crowd, lasting: Duration) -> Measured<Answered> {
        let mut dice = Dice::new(self.dice.below(usize::MAX) as u64);
        let nanos = u64::try_from(lasting.as_nanos()).expect("seconds");
        let start = now();
        let answered =
            self.run(crowd, |elapsed, _| Step::Go((elapsed < nanos).then(|| (crowd.at(dice.below(crowd.len())), 0))))?;
        Ok(Answered { count: answered.count(), within: start.elapsed() })
    }

    fn latencies(
        &mut self,
        crowd: &Crowd,
        rate: f64,
        lasting: Duration,
        watch: &mut dyn FnMut(u64),
    ) -> Measured<Latencies> {
        let mut dice = Dice::new(self.dice.below(usize::MAX) as u64);
        let all = (rate * lasting.as_secs_f64()) as usize;
        let end = u64::try_from(2 * lasting.as_nanos()).expect("seconds");
        let mut latencies = self.run(crowd, |elapsed, sent| {
            watch(elapsed);
            let due = (sent as f64 * 1e9 / rate) as u64;
            match sent {
                _ if sent >= all || elapsed > end => Step::Go(None),
                _ if due > elapsed => Step::Wait,
                _ => Step::Go(Some((crowd.at(dice.below(crowd.len())), due))),
            }
        })?;
        latencies.lost = all.saturating_sub(latencies.count());
        Ok(latencies)
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
fn is_whole(answer: &[u8]) -> Measured<bool> {
    let odd = || format!("it answers: {}", answer.escape_ascii());
    let Some(head) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(false) };
    if !(answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.0 200")) {
        return Err(odd());
    }
    let length = answer[..head].split(|&byte| byte == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(15)?;
        let value = std::str::from_utf8(value).ok()?.trim();
        name.eq_ignore_ascii_case(b"content-length:").then(|| value.parse::<usize>().ok())?
    });
    let body = &answer[head + 4..];
    let is_whole = body.len() >= length.ok_or_else(odd)?;
    if is_whole && body.starts_with(b"d14:failure") { Err(odd()) } else { Ok(is_whole) }
}
