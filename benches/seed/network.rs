//! A network of the bench's own: Transmission turns away peers at 127.0.0.1, and nobody else's bytes are counted here.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Where seeds and trackers are; every address of its /16 is this machine's.
pub const SEED: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 1);

/// What tells the bench that it is where it wants to be.
const INSIDE: &str = "EVERSEED_BENCH_INSIDE";

pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Runs this program again, in a network of its own.
pub fn enter() {
    let program = std::env::current_exe().expect("it runs");
    let furnish = format!(
        "ip link set lo up && ip address add {SEED}/16 dev lo && ip route replace local 10.78.0.0/16 dev lo && exec \"$@\""
    );
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", &furnish, "sh"]).arg(program).args(std::env::args().skip(1)).env(INSIDE, "1");
    if !command.status().is_ok_and(|status| status.success()) {
        println!("nothing was measured: a network of one's own needs root, util-linux and iproute2");
    }
}

/// An address for a leecher, which nobody had before: some seeds turn away who comes from the address of one that they
/// have not missed yet.
pub fn leecher() -> Ipv4Addr {
    static LEECHERS: AtomicU16 = AtomicU16::new(1);
    let [high, low] = LEECHERS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(10, 78, high.checked_add(1).expect("leechers are few"), low)
}

/// All bytes that went through the network.
pub fn bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/net/dev").expect("Linux tells");
    let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:")).expect("the loopback device");
    line.split_whitespace().next().and_then(|count| count.parse().ok()).expect("a number")
}

/// A tracker that knows one peer, whatever it is asked; it ends with the program.
pub struct Tracker {
    pub address: SocketAddr,
    asked: Receiver<Instant>,
}

impl Tracker {
    pub fn new(peer: SocketAddrV4) -> Self {
        let listener = TcpListener::bind((SEED, 0)).expect("a port");
        let (tell, asked) = channel();
        let address = listener.local_addr().expect("bound");
        std::thread::spawn(move || {
            let mut peers = peer.ip().octets().to_vec();
            peers.extend(peer.port().to_be_bytes());
            let body = [b"d8:completei1e10:incompletei0e8:intervali1800e5:peers6:", &peers[..], b"e"].concat();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let Ok(reading) = stream.try_clone() else { return };
                // A client that goes away is everyday life.
                let _ = BufReader::new(reading).lines().map_while(Result::ok).find(String::is_empty);
                let _ =
                    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
                let _ = stream.write_all(&body);
                let _ = tell.send(Instant::now());
            }
        });
        Self { address, asked }
    }

    /// When somebody asked for the first time.
    pub fn asked(&self, within: Duration) -> Option<Instant> {
        self.asked.recv_timeout(within).ok()
    }
}
