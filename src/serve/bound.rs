//! The sockets of a server, taken before anything else is done: a port in use is known before a site is built for it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

use crate::problem::Problem;

/// Connections that wait to be accepted; the system may hold fewer.
const BACKLOG: i32 = 1024;
/// Attempts to find one port number that is free for TCP and UDP, where any will do.
const PAIR_ATTEMPTS: usize = 16;
/// Bytes that may wait to be read from a UDP socket, where the system allows it: some 20,000 announces, or as many
/// packets that acknowledge what the seed sends.
const UDP_RECEIVE_BYTES: usize = 4 << 20;

/// Where a server listens. Port 0 takes any free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The site and the HTTP tracker.
    pub http: SocketAddr,
    /// The UDP tracker.
    pub udp: Udp,
    /// The permanent seed.
    pub peer: SocketAddr,
    /// `/metrics`, if they are not to be at the address of the site.
    pub metrics: Option<SocketAddr>,
    /// Whether it is to be reached over uTP (BEP 29) too, at the same port number of UDP.
    pub utp: bool,
}

/// Where the UDP tracker listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Udp {
    /// At the address and port number of HTTP.
    #[default]
    WithHttp,
    /// Here.
    At(SocketAddr),
    /// Nowhere.
    Off,
}

/// Sockets of the UDP tracker at most, one for each processor: the system deals the packets out among them, all of one
/// client to the same one.
pub const UDP_SOCKETS_MAX: usize = 16;

/// Sockets that are taken, and not served yet: what comes waits.
#[derive(Debug)]
pub struct Bound {
    pub(super) http: TcpListener,
    /// None, or several at the same address.
    pub(super) udp: Vec<UdpSocket>,
    pub(super) metrics: Option<TcpListener>,
    pub(super) peer: TcpListener,
    pub(super) utp: Option<UdpSocket>,
    /// Why peers can't come over uTP, where they should.
    pub(super) utp_fault: Option<Problem>,
    http_addr: SocketAddr,
    udp_addr: Option<SocketAddr>,
    metrics_addr: Option<SocketAddr>,
    peer_addr: SocketAddr,
}

impl Bound {
    /// Takes the sockets. An IPv6 wildcard address (`[::]`) takes IPv4 as well, and is `0.0.0.0` where the system has
    /// no IPv6.
    pub fn bind(addresses: &Addresses) -> Result<Self, Problem> {
        let (http, udp) = match addresses.udp {
            Udp::Off => (tcp(addresses.http, "--listen")?, None),
            Udp::At(addr) => (tcp(addresses.http, "--listen")?, Some(udp(addr, "--udp-listen")?)),
            Udp::WithHttp => {
                let (http, udp) = pair(addresses.http, "--listen", "--udp-listen")?;
                (http, Some(udp?))
            }
        };
        let metrics = addresses.metrics.map(|addr| tcp(addr, "--metrics-listen")).transpose()?;
        let (peer, utp) = if addresses.utp {
            let (peer, utp) = pair(addresses.peer, "--peer-listen", "--peer-listen")?;
            (peer, Some(utp))
        } else {
            (tcp(addresses.peer, "--peer-listen")?, None)
        };
        // Over TCP alone the seed is slower to find and not less of one.
        let (utp, utp_fault) = match utp {
            Some(Err(problem)) => (None, Some(problem)),
            Some(Ok(socket)) => (Some(socket), None),
            None => (None, None),
        };
        Ok(Self {
            http_addr: local(&http, "--listen")?,
            udp_addr: udp.as_ref().map(|udp| local(udp, "--udp-listen")).transpose()?,
            metrics_addr: metrics.as_ref().map(|socket| local(socket, "--metrics-listen")).transpose()?,
            peer_addr: local(&peer, "--peer-listen")?,
            http: http.into(),
            udp: udp.map(|udp| siblings(udp, processors())).unwrap_or_default(),
            metrics: metrics.map(TcpListener::from),
            peer: peer.into(),
            utp: utp.map(UdpSocket::from),
            utp_fault,
        })
    }

    /// Where HTTP is served.
    pub fn http_addr(&self) -> SocketAddr {
        self.http_addr
    }

    /// Where the UDP tracker listens.
    pub fn udp_addr(&self) -> Option<SocketAddr> {
        self.udp_addr
    }

    /// Where `/metrics` is served alone, if it is.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_addr
    }

    /// Where the permanent seed listens.
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer_addr
    }

    /// Whether the permanent seed is reached over uTP there, too.
    pub fn has_utp(&self) -> bool {
        self.utp.is_some()
    }
}

/// A TCP socket, and a UDP socket at the same port number or why there is none. Where any number will do, one is taken
/// that is free for both.
fn pair(addr: SocketAddr, tcp_flag: &str, udp_flag: &str) -> Result<(Socket, Result<Socket, Problem>), Problem> {
    let mut attempt = 1;
    loop {
        let listener = tcp(addr, tcp_flag)?;
        let datagrams = udp(local(&listener, tcp_flag)?, udp_flag);
        if datagrams.is_ok() || addr.port() != 0 || attempt == PAIR_ATTEMPTS {
            return Ok((listener, datagrams));
        }
        attempt += 1;
    }
}

/// `socket` and others at its address, `count` in all or as many as the system allows. The first one was bound alone, so
/// that a port in use is known as such; nobody but this user's programs can join it from now on.
fn siblings(socket: Socket, count: usize) -> Vec<UdpSocket> {
    let mut sockets = Vec::with_capacity(count);
    let addr = socket.local_addr().ok().and_then(|addr| addr.as_socket());
    // Only Linux deals the packets out.
    if let Some(addr) = addr.filter(|_| cfg!(target_os = "linux") && count > 1 && socket.set_reuse_port(true).is_ok()) {
        let sibling = || {
            open(addr, Type::DGRAM, Protocol::UDP, |socket| {
                let _ = socket.set_recv_buffer_size(UDP_RECEIVE_BYTES);
                socket.set_reuse_port(true)
            })
        };
        sockets.extend((1..count).map_while(|_| sibling().ok()).map(UdpSocket::from));
    }
    sockets.push(socket.into());
    sockets
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(UDP_SOCKETS_MAX)
}

fn tcp(addr: SocketAddr, flag: &str) -> Result<Socket, Problem> {
    open(addr, Type::STREAM, Protocol::TCP, |socket| {
        // Not for two servers at one port, but for a restart while connections of the former one fade away.
        socket.set_reuse_address(true)
    })
    .and_then(|socket| socket.listen(BACKLOG).map(|()| socket))
    .map_err(|error| in_the_way(&error, addr, "TCP", flag))
}

fn udp(addr: SocketAddr, flag: &str) -> Result<Socket, Problem> {
    open(addr, Type::DGRAM, Protocol::UDP, |socket| {
        // As much as the system gives.
        let _ = socket.set_recv_buffer_size(UDP_RECEIVE_BYTES);
        Ok(())
    })
    .map_err(|error| in_the_way(&error, addr, "UDP", flag))
}

fn open(
    addr: SocketAddr,
    kind: Type,
    protocol: Protocol,
    prepare: impl Fn(&Socket) -> io::Result<()>,
) -> io::Result<Socket> {
    let bind = |addr: SocketAddr| -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(addr), kind, Some(protocol))?;
        if addr.is_ipv6() && addr.ip().is_unspecified() {
            socket.set_only_v6(false)?;
        }
        prepare(&socket)?;
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        Ok(socket)
    };
    match bind(addr) {
        Err(error) if addr.is_ipv6() && addr.ip().is_unspecified() && error.kind() != io::ErrorKind::AddrInUse => {
            bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), addr.port()))
        }
        bound => bound,
    }
}

fn local(socket: &Socket, flag: &str) -> Result<SocketAddr, Problem> {
    let addr = socket.local_addr().ok().and_then(|addr| addr.as_socket());
    addr.ok_or_else(|| Problem::new(format!("the system does not tell the address taken for {flag}")))
}

fn in_the_way(error: &io::Error, addr: SocketAddr, protocol: &str, flag: &str) -> Problem {
    let port = addr.port();
    let (message, help) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            format!("{protocol} port {port} is in use ({addr})"),
            format!("stop what uses it, or take another one with `{flag} {}:PORT` (0 takes any free one)", host(addr)),
        ),
        io::ErrorKind::PermissionDenied => (
            format!("{protocol} port {port} may not be taken ({addr}): {error}"),
            format!("take a port above 1023 with `{flag} {}:PORT`, or give the program the right to it", host(addr)),
        ),
        io::ErrorKind::AddrNotAvailable => {
            (format!("{addr} is no address of this machine"), format!("name one that is with `{flag} ADDR`"))
        }
        _ => {
            (format!("{protocol} can't listen on {addr}: {error}"), format!("name another address with `{flag} ADDR`"))
        }
    };
    Problem::new(message).help(help)
}

fn host(addr: SocketAddr) -> String {
    if addr.is_ipv6() { format!("[{}]", addr.ip()) } else { addr.ip().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any() -> Addresses {
        let any = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        Addresses { http: any, udp: Udp::WithHttp, peer: any, metrics: None, utp: true }
    }

    #[test]
    fn port_0_takes_free_ports_and_udp_the_number_of_http() {
        let bound = Bound::bind(&any()).expect("free ports");
        assert_ne!(bound.http_addr().port(), 0);
        assert_eq!(bound.udp_addr(), Some(bound.http_addr()));
        assert_ne!(bound.peer_addr().port(), bound.http_addr().port());
        let utp = bound.utp.as_ref().and_then(|socket| socket.local_addr().ok());
        assert_eq!(utp, Some(bound.peer_addr()));
        let without = Bound::bind(&Addresses { udp: Udp::Off, utp: false, ..any() }).expect("free ports");
        assert_eq!(without.udp_addr(), None);
        assert!(without.utp.is_none() && without.utp_fault.is_none());
    }

    #[test]
    fn where_utp_has_no_port_the_seed_is_reached_over_tcp() {
        // A number that UDP has free may be taken of TCP.
        let attempt = |_| {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let peer = udp.local_addr().expect("bound");
            Some((Bound::bind(&Addresses { peer, ..any() }).ok()?, peer, udp))
        };
        let (bound, peer, _udp) = (0..100).find_map(attempt).expect("a free port of TCP");
        assert_eq!((bound.peer_addr(), bound.utp.is_none()), (peer, true));
        let fault = bound.utp_fault.expect("told").to_string();
        assert!(fault.starts_with(&format!("UDP port {} is in use", peer.port())), "{fault}");
    }

    #[test]
    fn a_port_in_use_names_the_port_and_the_flag() {
        let taken = Bound::bind(&any()).expect("free ports");
        let at = taken.http_addr();
        let cases = [
            (Addresses { http: at, ..any() }, "TCP", "--listen"),
            (Addresses { udp: Udp::At(at), ..any() }, "UDP", "--udp-listen"),
            (Addresses { peer: at, ..any() }, "TCP", "--peer-listen"),
            (Addresses { metrics: Some(at), ..any() }, "TCP", "--metrics-listen"),
        ];
        for (addresses, protocol, flag) in cases {
            let text = Bound::bind(&addresses).expect_err("in use").to_string();
            assert!(text.starts_with(&format!("{protocol} port {} is in use", at.port())), "{text}");
            assert!(text.contains(&format!("`{flag} 127.0.0.1:PORT`")), "{text}");
        }
    }

    #[test]
    fn udp_has_a_socket_for_each_processor_at_one_address() {
        let bound = Bound::bind(&any()).expect("free ports");
        let addresses: Vec<_> = bound.udp.iter().map(|socket| socket.local_addr().expect("bound")).collect();
        assert!((1..=UDP_SOCKETS_MAX).contains(&addresses.len()), "{addresses:?}");
        assert!(addresses.iter().all(|addr| Some(*addr) == bound.udp_addr()), "{addresses:?}");
        if cfg!(target_os = "linux") {
            assert_eq!(addresses.len(), processors());
        }
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let addresses = Addresses { http: "192.0.2.1:0".parse().expect("an address"), ..any() };
        let text = Bound::bind(&addresses).expect_err("not ours").to_string();
        assert!(text.contains("is no address of this machine"), "{text}");
    }

    #[test]
    fn the_ipv6_wildcard_takes_ipv4_too() {
        let wildcard: SocketAddr = "[::]:0".parse().expect("an address");
        let bound = Bound::bind(&Addresses { http: wildcard, ..any() }).expect("free ports");
        let v4 = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), bound.http_addr().port());
        std::net::TcpStream::connect(v4).expect("reached over IPv4");
    }
}
