//! A client that sends what no real one would.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longer than any answer takes, so that a missing one fails the test instead of holding it.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub fn text(&self) -> String {
        self.body.escape_ascii().to_string()
    }
}

/// All bytes that come back for `request`, until the server closes.
pub async fn raw(server: SocketAddr, request: impl AsRef<[u8]>) -> Vec<u8> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await.expect("the server listens");
        stream.write_all(request.as_ref()).await.expect("the server reads");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("an end without a reset");
        bytes
    };
    tokio::time::timeout(ANSWER_MAX, exchange).await.expect("an answer")
}

/// The same of a client that closes its half then, so that a torn head has an end.
pub async fn half_closed(server: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).await.expect("connected");
    stream.write_all(request).await.expect("sent");
    stream.shutdown().await.expect("half closed");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("no reset");
    bytes
}

/// Each of 300 requests that differ from `request` in up to three bytes, as `random` has it, gets an answer.
pub async fn any_bytes_changed_are_answered(server: SocketAddr, request: &[u8], mut random: u64) {
    let mut below = |bound: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(random >> 40).expect("24 bits") % bound
    };
    for _ in 0..300 {
        let mut request = request.to_vec();
        for _ in 0..=below(3) {
            let at = below(request.len());
            request[at] = u8::try_from(below(256)).expect("a byte");
        }
        let bytes = half_closed(server, &request).await;
        assert!(bytes.starts_with(b"HTTP/1."), "{}: {}", request.escape_ascii(), bytes.escape_ascii());
    }
}

/// The answer to one request with these header lines.
pub async fn ask(server: SocketAddr, method: &str, target: &str, headers: &[&str]) -> Answer {
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: show.example.org\r\nConnection: close\r\n");
    headers.iter().for_each(|line| request.extend([line, "\r\n"]));
    request.push_str("\r\n");
    let bytes = raw(server, request).await;
    first(&bytes).0
}

pub async fn get(server: SocketAddr, target: &str) -> Answer {
    ask(server, "GET", target, &[]).await
}

/// The first answer in `bytes`, and what follows it. A body ends where `Content-Length` says, or with the bytes.
pub fn first(bytes: &[u8]) -> (Answer, &[u8]) {
    let text = || bytes.escape_ascii().to_string();
    let end =
        bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_else(|| panic!("no head: {}", text()));
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head in ASCII");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let answer = Answer { status, head, body: Vec::new() };
    let rest = &bytes[end + 4..];
    let length = answer.header("content-length").map_or(rest.len(), |length| length.parse().expect("a number"));
    let (body, rest) = rest.split_at(length.min(rest.len()));
    (Answer { body: body.to_vec(), ..answer }, rest)
}
