//! Load over UDP from one socket: as fast as it is answered, or at a rate.

use std::io::{IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg};

use super::wire::{Announcer, Crowd, Dice, PACKET_BYTES, connect, packet};
use super::{Latencies, now};

/// Packets that are sent or received with one call.
const BATCH: usize = 32;
/// Announces that wait for their answer while the rate is looked for.
const WINDOW: usize = 128;
/// After so long without an answer, those in the window are taken for lost.
const LOST_AFTER: Duration = Duration::from_millis(100);
/// Announces of which the start is known, at a rate; one that is older is lost.
const STARTS: usize = 1 << 16;
const REPLY_BYTES_MAX: usize = 2048;

/// A client of a tracker over UDP.
pub struct Client {
    socket: UdpSocket,
    packets: [[u8; PACKET_BYTES]; BATCH],
    replies: Vec<[u8; REPLY_BYTES_MAX]>,
    sending: MultiHeaders<SockaddrIn>,
    receiving: MultiHeaders<SockaddrIn>,
    dice: Dice,
}

impl Client {
    /// Asks for a connection id, again and again until the tracker is there.
    pub fn connect(to: SocketAddr, within: Duration) -> Option<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        socket.connect(to).ok()?;
        socket.set_read_timeout(Some(Duration::from_millis(50))).ok()?;
        let (start, mut answer) = (now(), [0; 64]);
        while start.elapsed() < within {
            let sent = socket.send(&connect());
            if sent.is_ok() && socket.recv(&mut answer).is_ok_and(|bytes| bytes == 16 && answer[3] == 0) {
                socket.set_nonblocking(true).ok()?;
                let connection = answer[8..16].first_chunk().copied()?;
                return Some(Self {
                    socket,
                    packets: [packet(connection); BATCH],
                    replies: vec![[0; REPLY_BYTES_MAX]; BATCH],
                    sending: MultiHeaders::preallocate(BATCH, None),
                    receiving: MultiHeaders::preallocate(BATCH, None),
                    dice: Dice::new(u64::from(to.port())),
                });
            }
        }
        None
    }

    /// Lets every peer of the crowd announce itself once.
    pub fn fill(&mut self, crowd: &Crowd) {
        let (mut next, mut answered) = (0, 0);
        self.closed(
            |answers| {
                answered += answers;
                (answered < crowd.len()).then(|| {
                    next += 1;
                    crowd.at((next - 1) % crowd.len())
                })
            },
            crowd,
        );
    }

    /// How many announces were answered in this time, as fast as they are.
    pub fn rate(&mut self, crowd: &Crowd, lasting: Duration) -> f64 {
        let mut dice = Dice::new(self.dice.below(usize::MAX) as u64);
        let (start, mut answered) = (now(), 0);
        let mut clock = 0;
        self.closed(
            |answers| {
                answered += answers;
                clock += 1;
                let goes_on = clock % 64 != 0 || start.elapsed() < lasting;
                goes_on.then(|| crowd.at(dice.below(crowd.len())))
            },
            crowd,
        );
        answered as f64 / start.elapsed().as_secs_f64()
    }

    /// How long answers take at `rate` announces a second, each counted from when it should have left.
    pub fn latencies(&mut self, crowd: &Crowd, rate: f64, lasting: Duration) -> Latencies {
        let mut latencies = Latencies::default();
        let mut starts = vec![0_u64; STARTS];
        let (start, mut sent) = (now(), 0_usize);
        let all = (rate * lasting.as_secs_f64()) as usize;
        let due_at = |index: usize| (index as f64 * 1e9 / rate) as u64;
        // What is on its way at the end has as long again as anything takes.
        let end = lasting + Duration::from_millis(200);
        while start.elapsed() < end && latencies.count() < all {
            let elapsed = u64::try_from(start.elapsed().as_nanos()).expect("seconds");
            let due = ((elapsed as f64 * rate / 1e9) as usize).min(all).saturating_sub(sent).min(BATCH);
            for at in 0..due {
                let transaction = sent + at;
                starts[transaction % STARTS] = due_at(transaction);
                let announcer = crowd.at(self.dice.below(crowd.len()));
                let transaction = u32::try_from(transaction).expect("few");
                crowd.write_packet(&mut self.packets[at], transaction, announcer);
            }
            sent += self.send(due);
            let received = self.receive();
            let elapsed = u64::try_from(start.elapsed().as_nanos()).expect("seconds");
            for reply in &self.replies[..received] {
                let transaction = u32::from_be_bytes(reply[4..8].first_chunk().copied().expect("four bytes"));
                latencies.add(elapsed.saturating_sub(starts[transaction as usize % STARTS]));
            }
        }
        latencies.lost = all.saturating_sub(latencies.count());
        latencies
    }

    /// Sends an announce for each that was answered, until `next` has none any more.
    fn closed(&mut self, mut next: impl FnMut(usize) -> Option<Announcer>, crowd: &Crowd) {
        let mut free = WINDOW;
        let mut answers = 0;
        let mut silent_since = None;
        loop {
            let mut ready = 0;
            for packet in self.packets.iter_mut().take(free.min(BATCH)) {
                let Some(announcer) = next(std::mem::take(&mut answers)) else { return };
                crowd.write_packet(packet, 0, announcer);
                ready += 1;
            }
            free -= self.send(ready);
            if free >= BATCH {
                continue;
            }
            answers = self.receive();
            free += answers;
            // It never sleeps: to wake it would be a part of the server's work.
            if answers > 0 {
                silent_since = None;
            } else if silent_since.get_or_insert_with(now).elapsed() > LOST_AFTER {
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

    fn receive(&mut self) -> usize {
        let mut replies = self.replies.iter_mut();
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(replies.next().expect("one for each of a batch"))]);
        let received =
            recvmmsg(self.socket.as_raw_fd(), &mut self.receiving, &mut slices, MsgFlags::MSG_DONTWAIT, None);
        match received {
            Ok(received) => received.count(),
            Err(Errno::EAGAIN | Errno::ECONNREFUSED) => 0,
            Err(error) => panic!("answers can't be received: {error}"),
        }
    }
}
