//! Announces over HTTP (BEP 3, 23): the query, the reply, and the call between them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::{Answer, Event, Failure, Request};
use crate::wire::loose;

/// The most bytes of a reply: a seed asks for no peers, and others for few.
const REPLY_BYTES_MAX: u64 = 64 * 1024;
/// The interval where a tracker names none.
const INTERVAL: Duration = Duration::from_secs(1800);
/// All but the unreserved characters of RFC 3986.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Announces and waits for the reply.
pub(super) fn announce(url: &str, request: &Request, within: Duration) -> Result<Answer, Failure> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(within))
        // A tracker that refuses may say why in the body.
        .http_status_as_error(false)
        .max_redirects(3)
        // A tracker takes our address from the connection, which a proxy would hide.
        .proxy(None)
        .user_agent(concat!("everseed/", env!("CARGO_PKG_VERSION")));
    let call = || {
        let agent: ureq::Agent = config.build().into();
        let response = agent.get(address(url, request)).call()?;
        let status = response.status().as_u16();
        let body = response.into_body().into_with_config().limit(REPLY_BYTES_MAX).read_to_vec()?;
        Ok((status, body))
    };
    let (status, body) = call().map_err(|error: ureq::Error| Failure::Unreachable(error.to_string()))?;
    read_reply(status, &body)
}

/// The URL with the query behind it.
fn address(url: &str, request: &Request) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let event = match request.event {
        Event::Started => "&event=started",
        Event::Stopped => "&event=stopped",
        Event::Periodic => "",
    };
    format!(
        "{url}{separator}info_hash={}&peer_id={}&port={}&uploaded={}&downloaded=0&left={}&compact=1&numwant={}&key={:08x}{event}",
        percent_encode(&request.info_hash.0, QUERY),
        percent_encode(&request.peer_id.0, QUERY),
        request.port,
        request.uploaded,
        request.left,
        request.peers_wanted,
        request.key,
    )
}

fn read_reply(status: u16, body: &[u8]) -> Result<Answer, Failure> {
    if let Some(reason) = loose::find(body, b"failure reason") {
        let reason = loose::as_bytes(reason).unwrap_or_default();
        return Err(Failure::Refused(String::from_utf8_lossy(reason).into_owned()));
    }
    if !(200..300).contains(&status) {
        return Err(Failure::Unreachable(format!("HTTP status {status}")));
    }
    if body.first() != Some(&b'd') {
        return Err(Failure::Unreachable("the answer is not a tracker's".into()));
    }
    let interval = loose::find(body, b"interval").and_then(loose::as_int).and_then(|secs| u64::try_from(secs).ok());
    let mut peers = loose::find(body, b"peers").map(peers_of).unwrap_or_default();
    peers.extend(loose::find(body, b"peers6").and_then(loose::as_bytes).map(compact6).unwrap_or_default());
    Ok(Answer { interval: interval.map_or(INTERVAL, Duration::from_secs), peers })
}

/// The value of `peers`: compact (BEP 23), or a list of dictionaries, as BEP 3 has it and some trackers still give it.
fn peers_of(value: &[u8]) -> Vec<SocketAddr> {
    if let Some(compact) = loose::as_bytes(value) {
        return compact4(compact);
    }
    let peer = |peer: &[u8]| {
        let ip: IpAddr = std::str::from_utf8(loose::find(peer, b"ip").and_then(loose::as_bytes)?).ok()?.parse().ok()?;
        let port = loose::find(peer, b"port").and_then(loose::as_int)?;
        Some(SocketAddr::new(ip, u16::try_from(port).ok()?))
    };
    loose::list(value).into_iter().filter_map(peer).collect()
}

/// Addresses of IPv4, six bytes each.
pub(super) fn compact4(bytes: &[u8]) -> Vec<SocketAddr> {
    let (peers, _) = bytes.as_chunks::<6>();
    let peer = |[a, b, c, d, high, low]: &[u8; 6]| {
        SocketAddr::new(Ipv4Addr::new(*a, *b, *c, *d).into(), u16::from_be_bytes([*high, *low]))
    };
    peers.iter().map(peer).collect()
}

/// Addresses of IPv6, eighteen bytes each (BEP 7).
pub(super) fn compact6(bytes: &[u8]) -> Vec<SocketAddr> {
    let (peers, _) = bytes.as_chunks::<18>();
    let peer = |peer: &[u8; 18]| {
        let (ip, port) = peer.split_first_chunk::<16>()?;
        Some(SocketAddr::new(Ipv6Addr::from(*ip).into(), u16::from_be_bytes(port.try_into().ok()?)))
    };
    peers.iter().filter_map(peer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{InfoHash, PeerId};
    use expect_test::expect;

    #[test]
    fn the_query_carries_every_byte() {
        let mut hash = [0xff; 20];
        hash[..5].copy_from_slice(b" a&~/");
        let mut request = Request {
            info_hash: InfoHash(hash),
            peer_id: PeerId(*b"-ES0100-abcdefghijkl"),
            port: 6881,
            uploaded: 12,
            left: 0,
            peers_wanted: 0,
            key: 0xbeef,
            event: Event::Started,
        };
        expect!["http://t.example.org/a?info_hash=%20a%26~%2F%FF%FF%FF%FF%FF%FF%FF%FF%FF%FF%FF%FF%FF%FF%FF&peer_id=-ES0100-abcdefghijkl&port=6881&uploaded=12&downloaded=0&left=0&compact=1&numwant=0&key=0000beef&event=started"]
            .assert_eq(&address("http://t.example.org/a", &request));
        request.event = Event::Periodic;
        let address = address("http://t.example.org/a?pass=1", &request);
        assert!(address.starts_with("http://t.example.org/a?pass=1&info_hash=") && address.ends_with("&key=0000beef"));
    }

    #[test]
    fn a_reply_is_an_interval_a_refusal_or_not_a_trackers() {
        let answer = |interval, peers: &[&str]| {
            Ok(Answer { interval, peers: peers.iter().map(|peer| peer.parse().expect("an address")).collect() })
        };
        let quarter = Duration::from_secs(900);
        assert_eq!(read_reply(200, b"d8:completei1e8:intervali900e5:peers0:e"), answer(quarter, &[]));
        assert_eq!(read_reply(200, b"d5:peers0:8:intervali900ee"), answer(quarter, &[]));
        assert_eq!(read_reply(200, b"d8:intervali-5ee"), answer(INTERVAL, &[]));
        let both =
            b"d8:intervali900e5:peers7:\x7f\0\0\x01\x1a\xe1x6:peers618:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x01e";
        assert_eq!(read_reply(200, both), answer(quarter, &["127.0.0.1:6881", "[::1]:1"]));
        let listed =
            b"d8:intervali900e5:peersld2:ip9:127.0.0.14:porti6881eed2:ip1:x4:porti1eed2:ip3:::14:porti70000eeee";
        assert_eq!(read_reply(200, listed), answer(quarter, &["127.0.0.1:6881"]));
        assert_eq!(read_reply(400, b"d14:failure reason2:noe"), Err(Failure::Refused("no".into())));
        assert_eq!(read_reply(503, b"<html>"), Err(Failure::Unreachable("HTTP status 503".into())));
        assert!(matches!(read_reply(200, b"<html>"), Err(Failure::Unreachable(_))));
    }
}
