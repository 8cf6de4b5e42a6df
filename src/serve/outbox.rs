//! Datagrams on their way out: gathered, and sent with as few calls as the system allows, each from an address of its
//! own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use quinn_udp::UdpSocketState;
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Datagrams that are sent with one call.
#[cfg(target_os = "linux")]
const BATCH: usize = 32;

/// Datagrams that wait to be sent.
#[derive(Debug)]
pub struct Outbox {
    /// The contents of all of them. What stands behind the last one that was sealed is the next one's.
    pub bytes: Vec<u8>,
    sealed: Vec<Datagram>,
}

#[derive(Debug, Clone)]
struct Datagram {
    contents: Range<usize>,
    to: SocketAddr,
    from: Option<IpAddr>,
}

impl Outbox {
    /// With room for so many datagrams of so many bytes; more make it grow.
    pub fn with_capacity(datagrams: usize, bytes_of_each: usize) -> Self {
        Self { bytes: Vec::with_capacity(datagrams * bytes_of_each), sealed: Vec::with_capacity(datagrams) }
    }

    /// Makes a datagram of what was appended to the bytes since the last one; of nothing, it makes none. `from` is the
    /// local address that it leaves from; the system chooses where there is none.
    pub fn seal(&mut self, to: SocketAddr, from: Option<IpAddr>) {
        let start = self.sealed.last().map_or(0, |former| former.contents.end);
        let contents = start..self.bytes.len();
        if !contents.is_empty() {
            self.sealed.push(Datagram { contents, to, from });
        }
    }

    /// Sends all of them, and is empty then. One that the system refuses is lost, as any datagram may be.
    pub async fn send(&mut self, socket: &UdpSocket, quinn: &UdpSocketState) {
        let mut sent = 0;
        while sent < self.sealed.len() {
            let left = &self.sealed[sent..];
            match socket.try_io(Interest::WRITABLE, || send_some(socket, quinn, left, &self.bytes)) {
                Ok(some) => sent += some,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if socket.writable().await.is_err() {
                        break;
                    }
                }
                Err(_) => sent += 1,
            }
        }
        self.sealed.clear();
        self.bytes.clear();
    }
}

/// Sends the first of `datagrams`, or more of them, and returns how many; an error is that of the first one.
#[cfg(target_os = "linux")]
fn send_some(socket: &UdpSocket, _: &UdpSocketState, datagrams: &[Datagram], bytes: &[u8]) -> io::Result<usize> {
    linux::send_some(socket, datagrams, bytes)
}

/// The same where the system takes one at a time.
#[cfg(not(target_os = "linux"))]
fn send_some(socket: &UdpSocket, quinn: &UdpSocketState, datagrams: &[Datagram], bytes: &[u8]) -> io::Result<usize> {
    let Some(Datagram { contents, to, from }) = datagrams.first() else { return Ok(0) };
    let contents = &bytes[contents.clone()];
    let transmit = quinn_udp::Transmit { destination: *to, ecn: None, contents, segment_size: None, src_ip: *from };
    quinn.try_send(socket.into(), &transmit).map(|()| 1)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::cell::RefCell;
    use std::io::{self, IoSlice};
    use std::net::IpAddr;
    use std::os::fd::AsRawFd;

    use nix::cmsg_space;
    use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
    use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};
    use tokio::net::UdpSocket;

    use super::{BATCH, Datagram};

    /// What the system is called with: one for each form of the local address, of which the size is fixed in it.
    struct Headers {
        plain: MultiHeaders<SockaddrStorage>,
        v4: MultiHeaders<SockaddrStorage>,
        v6: MultiHeaders<SockaddrStorage>,
    }

    thread_local! {
        // It stays on its thread: it holds pointers, and no task may take it along.
        static HEADERS: RefCell<Headers> = RefCell::new(Headers {
            plain: MultiHeaders::preallocate(BATCH, None),
            v4: MultiHeaders::preallocate(BATCH, Some(cmsg_space!(in_pktinfo))),
            v6: MultiHeaders::preallocate(BATCH, Some(cmsg_space!(in6_pktinfo))),
        });
    }

    /// Sends those that leave from the same address as the first one, up to the first one that does not.
    pub(super) fn send_some(socket: &UdpSocket, datagrams: &[Datagram], bytes: &[u8]) -> io::Result<usize> {
        let Some(from) = datagrams.first().map(|first| first.from) else { return Ok(0) };
        let count = datagrams.iter().take(BATCH).take_while(|datagram| datagram.from == from).count();
        let contents: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|at| {
            let contents = datagrams.get(at).map_or(0..0, |datagram| datagram.contents.clone());
            [IoSlice::new(&bytes[contents])]
        });
        let to: [Option<SockaddrStorage>; BATCH] =
            std::array::from_fn(|at| datagrams.get(at).map(|datagram| datagram.to.into()));
        let (contents, to, fd, flags) = (&contents[..count], &to[..count], socket.as_raw_fd(), MsgFlags::empty());
        HEADERS.with_borrow_mut(|headers| {
            let sent = match from {
                None => sendmmsg(fd, &mut headers.plain, contents, to, [], flags)?.count(),
                Some(IpAddr::V4(ip)) => {
                    let info = in_pktinfo {
                        ipi_ifindex: 0,
                        ipi_spec_dst: in_addr { s_addr: u32::from_ne_bytes(ip.octets()) },
                        ipi_addr: in_addr { s_addr: 0 },
                    };
                    let from = [ControlMessage::Ipv4PacketInfo(&info)];
                    sendmmsg(fd, &mut headers.v4, contents, to, from, flags)?.count()
                }
                Some(IpAddr::V6(ip)) => {
                    let info = in6_pktinfo { ipi6_addr: in6_addr { s6_addr: ip.octets() }, ipi6_ifindex: 0 };
                    let from = [ControlMessage::Ipv6PacketInfo(&info)];
                    sendmmsg(fd, &mut headers.v6, contents, to, from, flags)?.count()
                }
            };
            Ok(sent)
        })
    }
}
