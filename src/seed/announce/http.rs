//! Announces over HTTP (BEP 3, 23): the query, the reply, and the call between them.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::{Event, Failure, Request};
use crate::wire::loose;

/// The most bytes of a reply. Peers are not asked for, so a reply is short.
const REPLY_BYTES_MAX: u64 = 64 * 1024;
/// The interval where a tracker names none.
const INTERVAL: Duration = Duration::from_secs(1800);
/// All but the unreserved characters of RFC 3986.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Announces and waits for the reply.
pub(super) fn announce(url: &str, request: &Request, within: Duration) -> Result<Duration, Failure> {
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
        "{url}{separator}info_hash={}&peer_id={}&port={}&uploaded={}&downloaded=0&left=0&compact=1&numwant=0&key={:08x}{event}",
        percent_encode(&request.info_hash.0, QUERY),
        percent_encode(&request.peer_id.0, QUERY),
        request.port,
        request.uploaded,
        request.key,
    )
}

fn read_reply(status: u16, body: &[u8]) -> Result<Duration, Failure> {
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
    Ok(interval.map_or(INTERVAL, Duration::from_secs))
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
        assert_eq!(read_reply(200, b"d8:completei1e8:intervali900e5:peers0:e"), Ok(Duration::from_secs(900)));
        assert_eq!(read_reply(200, b"d5:peers0:8:intervali900ee"), Ok(Duration::from_secs(900)));
        assert_eq!(read_reply(200, b"d8:intervali-5ee"), Ok(INTERVAL));
        assert_eq!(read_reply(400, b"d14:failure reason2:noe"), Err(Failure::Refused("no".into())));
        assert_eq!(read_reply(503, b"<html>"), Err(Failure::Unreachable("HTTP status 503".into())));
        assert!(matches!(read_reply(200, b"<html>"), Err(Failure::Unreachable(_))));
    }
}
