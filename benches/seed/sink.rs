//! Leechers that do nothing but ask and throw away: many requests ahead, nothing verified.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use socket2::{Domain, Socket, Type};

use crate::network;
use crate::seeds::Content;

const BLOCK: u64 = 16 * 1024;
const CHOKE: u8 = 0;
const UNCHOKE: u8 = 1;
const INTERESTED: u8 = 2;
const REQUEST: u8 = 6;
const PIECE: u8 = 7;

/// Sinks at work; they end when this is dropped.
pub struct Sinks {
    counts: Vec<Arc<AtomicU64>>,
    over: Arc<AtomicBool>,
    streams: Vec<TcpStream>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

/// So many, each from an address of its own and with so many requests ahead.
pub fn start(seed: SocketAddrV4, content: &Content, sinks: usize, ahead: u64) -> Sinks {
    let mut all = Sinks { counts: Vec::new(), over: Arc::default(), streams: Vec::new(), threads: Vec::new() };
    for number in 0..sinks {
        let Ok(stream) = connect(seed) else { continue };
        let count = Arc::new(AtomicU64::new(0));
        let (blocks, of_piece) = (content.bytes / BLOCK, content.piece_bytes / BLOCK);
        let sink = Sink {
            stream: stream.try_clone().expect("the same socket"),
            info_hash: content.info_hash,
            // Each begins elsewhere.
            next: blocks * number as u64 / sinks as u64,
            blocks,
            of_piece,
            count: Arc::clone(&count),
            over: Arc::clone(&all.over),
        };
        all.threads.push(std::thread::spawn(move || sink.run(ahead)));
        all.streams.push(stream);
        all.counts.push(count);
    }
    all
}

impl Sinks {
    /// The bytes that each has got so far.
    pub fn each(&self) -> Vec<u64> {
        self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }
}

impl Sinks {
    /// Whether none of them is connected any more.
    pub fn are_over(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }
}

impl Drop for Sinks {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for stream in &self.streams {
            // The seed may have been first.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        for thread in self.threads.drain(..) {
            // What ended it was this, or it is told by its count.
            let _ = thread.join();
        }
    }
}

fn connect(to: SocketAddrV4) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(network::leecher().into(), 0).into())?;
    socket.connect(&to.into())?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

struct Sink {
    stream: TcpStream,
    info_hash: [u8; 20],
    /// The next block to ask for, of all of the file.
    next: u64,
    blocks: u64,
    of_piece: u64,
    count: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Sink {
    fn run(mut self, ahead: u64) -> io::Result<()> {
        let mut hello = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".to_vec();
        hello.extend(self.info_hash);
        hello.extend(b"-XX0001-");
        hello.extend(format!("{:012}", self.next).as_bytes());
        hello.extend([0, 0, 0, 1, INTERESTED]);
        self.stream.write_all(&hello)?;
        let mut stream = io::BufReader::with_capacity(256 * 1024, self.stream.try_clone()?);
        stream.read_exact(&mut [0; 68])?;
        let (mut open, mut asked) = (false, 0);
        let mut body = vec![0; 64 * 1024];
        while !self.over.load(Ordering::Relaxed) {
            let mut head = [0; 5];
            stream.read_exact(&mut head[..4])?;
            let Some(mut left) = (u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize).checked_sub(1)
            else {
                continue;
            };
            stream.read_exact(&mut head[4..])?;
            let bytes = left.saturating_sub(8) as u64;
            while left > 0 {
                let taken = stream.read(&mut body[..left.min(64 * 1024)])?;
                if taken == 0 {
                    return Ok(());
                }
                left -= taken;
            }
            match head[4] {
                // What was asked for is forgotten by the seed (BEP 3).
                CHOKE => (open, asked) = (false, 0),
                UNCHOKE => open = true,
                PIECE => {
                    asked = u64::saturating_sub(asked, 1);
                    self.count.fetch_add(bytes, Ordering::Relaxed);
                }
                _ => {}
            }
            if open && asked <= ahead / 2 {
                self.ask(ahead - asked)?;
                asked = ahead;
            }
        }
        Ok(())
    }

    fn ask(&mut self, requests: u64) -> io::Result<()> {
        let mut out = Vec::new();
        for _ in 0..requests {
            let (piece, begin) = (self.next / self.of_piece, self.next % self.of_piece * BLOCK);
            self.next = (self.next + 1) % self.blocks;
            out.extend([0, 0, 0, 13, REQUEST]);
            for number in [piece, begin, BLOCK] {
                out.extend(u32::try_from(number).expect("files of the bench are small").to_be_bytes());
            }
        }
        self.stream.write_all(&out)
    }
}
