//! Announces over UDP (BEP 15): the packets, and the exchange of them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{UdpSocket, lookup_host};
use tokio::time::timeout;
use url::Url;

use super::http::{compact4, compact6};
use super::{Answer, Failure, Request};
use crate::tracker::udp::{ANNOUNCE, ANNOUNCE_BYTES, CONNECT, CONNECT_BYTES, ERROR, PROTOCOL_ID};

/// How long an answer is waited for, the first time and the second. BEP 15 would wait for 15 s and go on doubling;
/// an answer that comes at all comes sooner, and the next try is a minute away.
const PATIENCE: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(6)];
/// The longest answer that is read, in bytes, with the peers that stand behind it.
const ANSWER_BYTES_MAX: usize = 2048;

/// Announces and waits for the reply.
pub(super) async fn announce(url: &str, request: &Request) -> Result<Answer, Failure> {
    let (host, port, options) =
        parse_url(url).ok_or_else(|| Failure::Refused("not a URL with host and port".into()))?;
    let socket = connect(&host, port).await.map_err(|error| Failure::Unreachable(error.to_string()))?;
    let ask_id = transaction()?;
    let answer = exchange(&socket, &connect_packet(ask_id), ask_id).await?;
    let connection = read_connect(&answer)?;
    let ask_id = transaction()?;
    let answer = exchange(&socket, &announce_packet(connection, ask_id, request, &options), ask_id).await?;
    // Peers are of the family by which the tracker was asked (BEP 15).
    let is_v6 = socket.peer_addr().is_ok_and(|tracker| tracker.is_ipv6());
    read_announce(&answer, is_v6)
}

async fn connect(host: &str, port: u16) -> io::Result<UdpSocket> {
    let address = lookup_host((host, port)).await?.next().ok_or(io::ErrorKind::HostUnreachable)?;
    let local: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local).await?;
    // A connected socket takes nothing from anyone else.
    socket.connect(address).await?;
    Ok(socket)
}

/// Sends a packet until its answer comes, twice at most.
async fn exchange(socket: &UdpSocket, packet: &[u8], transaction: u32) -> Result<Vec<u8>, Failure> {
    let unreachable = |error: io::Error| Failure::Unreachable(error.to_string());
    let mut buffer = [0; ANSWER_BYTES_MAX];
    for patience in PATIENCE {
        socket.send(packet).await.map_err(unreachable)?;
        let answer = async {
            loop {
                let bytes = socket.recv(&mut buffer).await?;
                if be_u32(&buffer[..bytes], 4) == Some(transaction) {
                    return Ok(bytes);
                }
            }
        };
        if let Ok(received) = timeout(patience, answer).await {
            let bytes = received.map_err(unreachable)?;
            return Ok(buffer[..bytes].to_vec());
        }
    }
    Err(Failure::Unreachable("no answer".into()))
}

/// Host, port, and what stands behind them in an announce (BEP 41).
fn parse_url(url: &str) -> Option<(String, u16, Vec<u8>)> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let mut path = url.path().to_owned();
    if let Some(query) = url.query() {
        path.push('?');
        path.push_str(query);
    }
    let mut options = Vec::new();
    // The bare path says nothing that a tracker needs.
    if !matches!(path.as_str(), "" | "/" | "/announce") {
        for part in path.as_bytes().chunks(255) {
            options.extend([2, u8::try_from(part.len()).unwrap_or(u8::MAX)]);
            options.extend_from_slice(part);
        }
    }
    Some((host, url.port()?, options))
}

fn connect_packet(transaction: u32) -> [u8; CONNECT_BYTES] {
    let mut packet = [0; CONNECT_BYTES];
    packet[..8].copy_from_slice(&PROTOCOL_ID.to_be_bytes());
    packet[8..12].copy_from_slice(&CONNECT.to_be_bytes());
    packet[12..].copy_from_slice(&transaction.to_be_bytes());
    packet
}

fn announce_packet(connection: [u8; 8], transaction: u32, request: &Request, options: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(ANNOUNCE_BYTES + options.len());
    packet.extend_from_slice(&connection);
    packet.extend_from_slice(&ANNOUNCE.to_be_bytes());
    packet.extend_from_slice(&transaction.to_be_bytes());
    packet.extend_from_slice(&request.info_hash.0);
    packet.extend_from_slice(&request.peer_id.0);
    // Downloaded: nothing. A seed is one from its first day, and who asks for peers has nothing yet.
    packet.extend_from_slice(&[0; 8]);
    packet.extend_from_slice(&request.left.to_be_bytes());
    packet.extend_from_slice(&request.uploaded.to_be_bytes());
    packet.extend_from_slice(&(request.event as u32).to_be_bytes());
    // The address is that of the packet.
    packet.extend_from_slice(&[0; 4]);
    packet.extend_from_slice(&request.key.to_be_bytes());
    packet.extend_from_slice(&request.peers_wanted.to_be_bytes());
    packet.extend_from_slice(&request.port.to_be_bytes());
    packet.extend_from_slice(options);
    packet
}

fn read_connect(answer: &[u8]) -> Result<[u8; 8], Failure> {
    check_action(answer, CONNECT)?;
    answer.get(8..16).and_then(|id| id.try_into().ok()).ok_or_else(not_a_tracker)
}

fn read_announce(answer: &[u8], is_v6: bool) -> Result<Answer, Failure> {
    check_action(answer, ANNOUNCE)?;
    let interval = be_u32(answer, 8).map(|secs| Duration::from_secs(secs.into())).ok_or_else(not_a_tracker)?;
    let peers = answer.get(20..).unwrap_or_default();
    Ok(Answer { interval, peers: if is_v6 { compact6(peers) } else { compact4(peers) } })
}

fn check_action(answer: &[u8], wanted: u32) -> Result<(), Failure> {
    match be_u32(answer, 0) {
        Some(action) if action == wanted => Ok(()),
        Some(ERROR) => Err(Failure::Refused(String::from_utf8_lossy(&answer[8..]).into_owned())),
        _ => Err(not_a_tracker()),
    }
}

fn not_a_tracker() -> Failure {
    Failure::Unreachable("the answer is not a tracker's".into())
}

fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(bytes))
}

/// A number that a stranger who does not see our packets can't guess.
fn transaction() -> Result<u32, Failure> {
    getrandom::u32().map_err(|error| Failure::Unreachable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::Event;
    use super::*;
    use crate::id::{InfoHash, PeerId};

    #[test]
    fn packets_are_those_of_bep_15() {
        assert_eq!(connect_packet(7), [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 0, 0, 0, 7]);
        let request = Request {
            info_hash: InfoHash([1; 20]),
            peer_id: PeerId([2; 20]),
            port: 6881,
            uploaded: 5,
            left: 0,
            peers_wanted: 0,
            key: 9,
            event: Event::Stopped,
        };
        let packet = announce_packet([8; 8], 7, &request, &[]);
        assert_eq!(packet.len(), ANNOUNCE_BYTES);
        assert_eq!(packet[..16], [8, 8, 8, 8, 8, 8, 8, 8, 0, 0, 0, 1, 0, 0, 0, 7]);
        assert_eq!(packet[16..56], [[1; 20], [2; 20]].concat());
        assert_eq!(packet[56..80], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
        assert_eq!(packet[80..], [0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0x1a, 0xe1]);
    }

    #[test]
    fn a_url_gives_host_port_and_what_a_tracker_needs_of_its_path() {
        let parsed = |url| parse_url(url).map(|(host, port, options)| (host, port, options.escape_ascii().to_string()));
        let expected = |host: &str, port, options: &str| Some((host.to_owned(), port, options.to_owned()));
        assert_eq!(parsed("udp://t.example.org:6969/announce"), expected("t.example.org", 6969, ""));
        assert_eq!(parsed("udp://[2001:db8::1]:80"), expected("2001:db8::1", 80, ""));
        assert_eq!(parsed("udp://t.example.org:1/a?b=c"), expected("t.example.org", 1, "\\x02\\x06/a?b=c"));
        assert_eq!(parsed("udp://t.example.org/announce"), None);
    }

    #[test]
    fn answers_are_read_and_others_are_not_a_trackers() {
        assert_eq!(read_connect(&[0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8]), Ok([1, 2, 3, 4, 5, 6, 7, 8]));
        let head = [0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1];
        let answer = |peers: &[&str]| {
            let peers = peers.iter().map(|peer| peer.parse().expect("an address")).collect();
            Ok(Answer { interval: Duration::from_secs(1800), peers })
        };
        assert_eq!(read_announce(&head[..12], false), answer(&[]));
        let peers = [&head[..], &[127, 0, 0, 1, 0x1a, 0xe1, 9]].concat();
        assert_eq!(read_announce(&peers, false), answer(&["127.0.0.1:6881"]));
        let peers = [&head[..], &[0; 15], &[1, 0, 1]].concat();
        assert_eq!(read_announce(&peers, true), answer(&["[::1]:1"]));
        let refusal = [&[0, 0, 0, 3, 0, 0, 0, 7][..], b"not here"].concat();
        assert_eq!(read_announce(&refusal, false), Err(Failure::Refused("not here".into())));
        for answer in [&[][..], &[0, 0, 0, 1, 0, 0, 0, 7, 0], &[0, 0, 0, 9, 0, 0, 0, 7, 0, 0, 0, 0]] {
            assert_eq!(read_announce(answer, false), Err(not_a_tracker()));
            assert_eq!(read_connect(answer), Err(not_a_tracker()));
        }
    }
}
