//! Load over UDP from one socket: as fast as it is answered, or at a rate.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

use super::wire::{Announcer, Crowd, Dice, PACKET_BYTES, connect, packet};
use super::{Answered, Latencies, Load, Measured, SILENT_MAX, TOO_LATE, now};

/// Packets that are sent or received with one call.
const BATCH: usize = 32;
/// Announces that wait for their answer while the rate is looked for.
const WINDOW: usize = 128;
/// After so long without an answer, those in the window are taken for lost.
const LOST_AFTER: Duration = Duration::from_millis(100);
/// Announces of which the start is known, at a rate; one that is older is lost.
const STARTS: usize = 1 << 16;
/// How long what is on its way at the end of a turn has.
const LATE: Duration = Duration::from_millis(200);
const REPLY_BYTES_MAX: usize = 2048;
/// Of a reply to a connect and to an announce (BEP 15).
const CONNECTED_BYTES: usize = 16;
const ANNOUNCED_BYTES_MIN: usize = 20;

/// A client of a tracker over UDP.
pub struct Client {
    socket: UdpSocket,
    packets: [[u8; PACKET_BYTES]; BATCH],
    replies: Vec<[u8; REPLY_BYTES_MAX]>,
    lengths: [usize; BATCH],
    sending: MultiHeaders<SockaddrIn>,
    receiving: MultiHeaders<SockaddrIn>,
    dice: Dice,
    /// Tells the answers of this window from those of one that was given up.
    window: u32,
}

impl Client {
    /// A client of the tracker at this address, which need not be there yet.
    pub fn new(to: SocketAddr) -> Measured<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
        socket.connect(to).and_then(|()| socket.set_nonblocking(true)).map_err(|error| error.to_string())?;
        Ok(Self {
            socket,
            packets: [packet([0; 8]); BATCH],
            replies: vec![[0; REPLY_BYTES_MAX]; BATCH],
            lengths: [0; BATCH],
            sending: MultiHeaders::preallocate(BATCH, None),
            receiving: MultiHeaders::preallocate(BATCH, None),
            dice: Dice::new(u64::from(to.port())),
            window: 0,
        })
    }

    /// Waits until the tracker takes an announce: opentracker reads its list after it has begun to answer.
    pub fn wait(&mut self, crowd: &Crowd, within: Duration) -> Measured<()> {
        let start = now();
        loop {
            let answered = self.connect(within).and_then(|()| self.announce_all(crowd, 0..1));
            if answered.is_ok() || start.elapsed() > within {
                return answered.map(drop);
            }
            std::thread::sleep(LOST_AFTER);
        }
    }

    /// Asks for a connection id, again and again until the tracker is there; an id is good for two minutes.
    fn connect(&mut self, within: Duration) -> Measured<()> {
        let start = now();
        while start.elapsed() < within {
            // Refused while nobody listens.
            let _ = self.socket.send(&connect());
            let asked = now();
            while asked.elapsed() < LOST_AFTER {
                let mut answer = [0; REPLY_BYTES_MAX];
                match self.socket.recv(&mut answer) {
                    Ok(CONNECTED_BYTES) if answer[3] == 0 => {
                        let connection = *answer[8..].first_chunk().expect("it has 16 bytes");
                        self.packets = [packet(connection); BATCH];
                        return Ok(());
                    }
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                        std::thread::sleep(Duration::from_millis(20));
                        break;
                    }
                    _ => {}
                }
            }
        }
        Err("it does not answer a connect".into())
    }

    /// Lets every peer of the crowd announce itself once, and looks whether they are known then.
    pub fn fill(&mut self, crowd: &Crowd, until: Instant) -> Measured<()> {
        for start in (0..crowd.len()).step_by(WINDOW) {
            if now() > until {
                return Err(TOO_LATE.into());
            }
            self.announce_all(crowd, start..crowd.len().min(start + WINDOW))?;
        }
        let torrents = crowd.torrents.len();
        let least = self.announce_all(crowd, 0..torrents.min(WINDOW))?;
        crowd.check(least)
    }

    /// Announces these peers, those that are not answered again, and returns the fewest peers that an answer told of.
    fn announce_all(&mut self, crowd: &Crowd, peers: Range<usize>) -> Measured<usize> {
        let (mut least, mut missing, heard) = (usize::MAX, peers.clone().collect::<Vec<_>>(), now());
        while !missing.is_empty() {
            for some in missing.chunks(BATCH) {
                for (packet, &index) in self.packets.iter_mut().zip(some) {
                    crowd.write_packet(packet, u32::try_from(index).expect("peers are few"), crowd.at(index));
                }
                self.send(some.len());
            }
            let asked = now();
            while !missing.is_empty() && asked.elapsed() < LOST_AFTER {
                for at in 0..self.receive()? {
                    let (transaction, known) = (self.transaction(at) as usize, self.known(at));
                    if let Some(at) = missing.iter().position(|&index| index == transaction) {
                        missing.swap_remove(at);
                        least = least.min(known);
                    }
                }
            }
            if heard.elapsed() > SILENT_MAX {
                return Err(format!("{} announces were not answered", missing.len()));
            }
        }
        Ok(least)
    }

    /// Sends an announce for each that was answered, until `next` has none any more.
    fn closed(&mut self, mut next: impl FnMut(usize) -> Option<Announcer>, crowd: &Crowd) -> Measured<()> {
        let (mut free, mut answers, mut silent_since) = (WINDOW, 0, None);
        self.window += 1;
        loop {
            let ready = free.min(BATCH);
            for at in 0..ready {
                let Some(announcer) = next(std::mem::take(&mut answers)) else { return Ok(()) };
                crowd.write_packet(&mut self.packets[at], self.window, announcer);
            }
            free -= self.send(ready);
            if free >= BATCH {
                continue;
            }
            // It never sleeps: to wake it would be a part of the server's work.
            let received = self.receive()?;
            answers = (0..received).filter(|&at| self.transaction(at) == self.window).count();
            free += answers;
            if answers > 0 {
                silent_since = None;
                continue;
            }
            let silent = silent_since.get_or_insert_with(now).elapsed();
            if silent > SILENT_MAX {
                return Err("it has stopped to answer".into());
            }
            // All of them are taken for lost; those that come yet are not counted.
            if silent > LOST_AFTER && free < WINDOW {
                self.window += 1;
                free = WINDOW;
            }
        }
    }

    /// Sends the first `count` packets, or as many as the system takes.
    fn send(&mut self, count: usize) -> usize {
        if count == 0 {
            return 0;
        }
        let slices: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|at| [IoSlice::new(&self.packets[at])]);
        let to = [None; BATCH];
        let sent = sendmmsg(
            self.socket.as_raw_fd(),
            &mut self.sending,
            &slices[..count],
            &to[..count],
            [],
            MsgFlags::MSG_DONTWAIT,
        );
        sent.map_or(0, Iterator::count)
    }

    /// Takes in what has come; each is the answer to an announce.
    fn receive(&mut self) -> Measured<usize> {
        let mut replies = self.replies.iter_mut();
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(replies.next().expect("one for each of a batch"))]);
        let fd = self.socket.as_raw_fd();
        let received = match recvmmsg(fd, &mut self.receiving, &mut slices, MsgFlags::MSG_DONTWAIT, None) {
            Ok(received) => received,
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => return Ok(0),
            Err(error) => return Err(format!("answers can't be received: {error}")),
        };
        let mut count = 0;
        for message in received {
            self.lengths[count] = message.bytes;
            count += 1;
        }
        for at in 0..count {
            let answer = &self.replies[at][..self.lengths[at]];
            // A late answer to a connect is nothing bad.
            let is_fine = match answer.get(3) {
                Some(0) => true,
                Some(1) => answer.len() >= ANNOUNCED_BYTES_MIN,
                _ => false,
            };
            if !is_fine {
                return Err(format!("it answers: {}", answer.escape_ascii()));
            }
        }
        Ok(count)
    }

    fn word(&self, at: usize, from: usize) -> u32 {
        u32::from_be_bytes(*self.replies[at][from..].first_chunk().expect("four bytes"))
    }

    fn transaction(&self, at: usize) -> u32 {
        self.word(at, 4)
    }

    /// Leechers and seeds.
    fn known(&self, at: usize) -> usize {
        (self.word(at, 12) + self.word(at, 16)) as usize
    }
}

impl Load for Client {
    fn rate(&mut self, crowd: &Crowd, lasting: Duration) -> Measured<Answered> {
        self.connect(SILENT_MAX)?;
        let mut dice = Dice::new(self.dice.below(usize::MAX) as u64);
        let (start, mut count, mut clock) = (now(), 0, 0);
        self.closed(
            |answers| {
                count += answers;
                clock += 1;
                let goes_on = clock % 64 != 0 || start.elapsed() < lasting;
                goes_on.then(|| crowd.at(dice.below(crowd.len())))
            },
            crowd,
        )?;
        Ok(Answered { count, within: start.elapsed() })
    }

    fn latencies(
        &mut self,
        crowd: &Crowd,
        rate: f64,
        lasting: Duration,
        watch: &mut dyn FnMut(u64),
    ) -> Measured<Latencies> {
        self.connect(SILENT_MAX)?;
        let mut latencies = Latencies::default();
        let mut starts = vec![0_u64; STARTS];
        let (start, mut sent) = (now(), 0_usize);
        let all = (rate * lasting.as_secs_f64()) as usize;
        let due_at = |index: usize| (index as f64 * 1e9 / rate) as u64;
        let elapsed = || u64::try_from(start.elapsed().as_nanos()).expect("seconds");
        while start.elapsed() < lasting + LATE && latencies.count() < all {
            let at_once = elapsed();
            watch(at_once);
            let due = ((at_once as f64 * rate / 1e9) as usize).min(all).saturating_sub(sent).min(BATCH);
            for at in 0..due {
                let transaction = sent + at;
                starts[transaction % STARTS] = due_at(transaction);
                let announcer = crowd.at(self.dice.below(crowd.len()));
                let transaction = u32::try_from(transaction).expect("few");
                crowd.write_packet(&mut self.packets[at], transaction, announcer);
            }
            sent += self.send(due);
            let received = self.receive()?;
            let heard = elapsed();
            for at in 0..received {
                let transaction = self.transaction(at) as usize;
                // What is older than all starts that are known is lost, as what was sent in an earlier turn.
                if transaction < sent && transaction + STARTS > sent {
                    latencies.add(starts[transaction % STARTS], heard);
                }
            }
        }
        latencies.lost = all.saturating_sub(latencies.count());
        Ok(latencies)
    }
}
