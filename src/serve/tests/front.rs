//! Announces as they come before the web server: what is taken, what is handed on, and that nobody sees the difference.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::client::{Answer, any_bytes_changed_are_answered, ask, first, half_closed, raw};
use super::server::{House, bound, escaped, int, one_release, peers};
use crate::id::InfoHash;
use crate::serve::{HttpOptions, Options};
use crate::tracker::address::Networks;

/// What makes a request one that is handed on, and changes nothing else.
const HANDED_ON: &str = "Content-Length: 0";

fn target(hash: InfoHash, peer: char) -> String {
    let port = 7000 + u32::from(peer);
    format!("/announce?info_hash={}&peer_id={}&port={port}&left=5", escaped(hash), String::from(peer).repeat(20))
}

/// All answers in `bytes`.
fn answers(bytes: &[u8]) -> Vec<Answer> {
    let (mut rest, mut answers) = (bytes, Vec::new());
    while !rest.is_empty() {
        let (answer, after) = first(rest);
        answers.push(answer);
        rest = after;
    }
    answers
}

/// The lines of an answer's head, but for what differs from second to second.
fn lines(answer: &Answer) -> Vec<&str> {
    answer.head.lines().map(|line| if line.starts_with("date: ") { "date: " } else { line }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_is_answered_as_what_is_handed_on() {
    let (show, hash) = one_release();
    let house = House::open(&show).await;
    house.announce(hash, b'a', "&left=5").await;
    let scrape = format!("/scrape?info_hash={}", escaped(hash));
    for target in [&scrape, "/scrape", "/announce", "/announce?info_hash=%zz", "/show/scrape", "/show/announce?x"] {
        let taken = ask(house.at, "GET", target, &[]).await;
        let handed_on = ask(house.at, "GET", target, &[HANDED_ON]).await;
        assert_eq!((taken.status, taken.text()), (200, handed_on.text()), "{target}");
        assert_eq!(lines(&taken), lines(&handed_on), "{target}");
    }
    for path in ["", "/show"] {
        let taken = ask(house.at, "GET", &format!("{path}{}", target(hash, 'b')), &[]).await;
        let handed_on = ask(house.at, "GET", &format!("{path}{}", target(hash, 'c')), &[HANDED_ON]).await;
        assert!(int(&taken, "interval").is_some() && taken.header("date").is_some_and(|date| date.ends_with("GMT")));
        assert_eq!(lines(&taken).len(), lines(&handed_on).len(), "{}", taken.head);
        assert!(peers(&handed_on).iter().any(|peer| peer.port() == 7000 + u16::from(b'b')), "{}", handed_on.text());
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_1_whatever_is_odd_about_an_announce_is_answered() {
    let (show, hash) = one_release();
    let house = House::open(&show).await;
    let target = target(hash, 'a');
    let headers = |count: usize| "X: y\r\n".repeat(count);
    let cases: &[(&str, String, &str)] = &[
        ("line feeds alone", format!("GET {target} HTTP/1.0\n\n"), "HTTP/1.0 200"),
        ("no host", format!("GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n"), "HTTP/1.1 200"),
        ("a hundred headers", format!("GET {target} HTTP/1.0\r\n{}\r\n", headers(100)), "HTTP/1.0 200"),
        ("too many headers", format!("GET {target} HTTP/1.0\r\n{}\r\n", headers(200)), "HTTP/1.0 431"),
        ("8 KiB", format!("GET {target}&{} HTTP/1.0\r\n\r\n", "x".repeat(8192 - 14 - target.len())), "HTTP/1.0 200"),
        (
            "one byte more",
            format!("GET {target}&{} HTTP/1.0\r\n\r\n", "x".repeat(8193 - 14 - target.len())),
            "HTTP/1.0 414",
        ),
        ("far more", format!("GET {target}&{} HTTP/1.0\r\n\r\n", "x".repeat(100_000)), "HTTP/1.1 414"),
        ("an encoded path", format!("GET {} HTTP/1.0\r\n\r\n", target.replace("/a", "/%61")), "HTTP/1.0 200"),
        ("POST", format!("POST {target} HTTP/1.0\r\n\r\n"), "HTTP/1.0 405"),
        ("HEAD", format!("HEAD {target} HTTP/1.0\r\n\r\n"), "HTTP/1.0 200"),
        ("absolute form", format!("GET http://a.example.org{target} HTTP/1.0\r\n\r\n"), "HTTP/1.0 200"),
        ("no version", format!("GET {target}\r\n\r\n"), "HTTP/1.1 400"),
        ("HTTP/9.9", format!("GET {target} HTTP/9.9\r\n\r\n"), "HTTP/1.1 400"),
        ("no name", format!("GET {target} HTTP/1.1\r\n: b\r\n\r\n"), "HTTP/1.1 400"),
        ("a quote", format!("GET {target}\" HTTP/1.0\r\n\r\n"), "HTTP/1.0 400"),
        ("a fragment", format!("GET {target}#a HTTP/1.0\r\n\r\n"), "HTTP/1.0 200"),
        ("a body", format!("GET {target} HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"), "HTTP/1.0 200"),
        ("half", format!("GET {target} HTTP/1.1\r\nHos"), "HTTP/1.1 400"),
    ];
    for (name, request, status) in cases {
        let bytes = half_closed(house.at, request.as_bytes()).await;
        let status = status.split_at(8).1;
        assert!(
            bytes.get(8..).is_some_and(|rest| rest.starts_with(status.as_bytes())),
            "{name}: {}",
            bytes.escape_ascii()
        );
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announce_with_any_bytes_changed_is_answered() {
    let (show, hash) = one_release();
    let house = House::open(&show).await;
    let request = format!("GET {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", target(hash, 'a'));
    any_bytes_changed_are_answered(house.at, request.as_bytes(), 11).await;
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_2_announces_and_pages_that_come_together_are_answered_in_order() {
    let (show, hash) = one_release();
    let house = House::open(&show).await;
    let announce = |peer, rest: &str| format!("GET {} HTTP/1.1\r\n{rest}\r\n", target(hash, peer));
    let requests = [
        announce('a', ""),
        announce('b', "Connection: Keep-Alive\r\n"),
        "GET /healthz HTTP/1.1\r\n\r\n".to_owned(),
        announce('c', ""),
        "GET /nowhere HTTP/1.1\r\n\r\n".to_owned(),
        announce('d', "Connection: close\r\n"),
        announce('e', ""),
    ];
    let bytes = raw(house.at, requests.concat()).await;
    let told: Vec<_> = answers(&bytes).iter().map(|answer| (answer.status, int(answer, "incomplete"))).collect();
    assert_eq!(told, [(200, Some(1)), (200, Some(2)), (200, None), (200, Some(3)), (404, None), (200, Some(4))]);
    // The same where nothing of it is handed on: what stands behind the last one is not answered, and does not harm it.
    let bytes =
        raw(house.at, [announce('a', ""), announce('b', "Connection: close\r\n"), announce('e', "")].concat()).await;
    assert_eq!(answers(&bytes).len(), 2);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_2_http_1_0_is_closed_unless_it_asks_to_be_kept() {
    let (show, hash) = one_release();
    let house = House::open(&show).await;
    let bytes = raw(house.at, format!("GET {} HTTP/1.0\r\n\r\n", target(hash, 'a'))).await;
    assert!(bytes.starts_with(b"HTTP/1.0 200 OK\r\n"), "{}", bytes.escape_ascii());
    let kept = format!("GET {} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", target(hash, 'a'));
    let bytes = raw(house.at, format!("{kept}GET {} HTTP/1.0\r\n\r\n", target(hash, 'a'))).await;
    let answers = answers(&bytes);
    let says: Vec<_> = answers.iter().map(|answer| answer.header("connection")).collect();
    assert_eq!(says, [Some("keep-alive"), None]);
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_in_pieces_is_answered() {
    let (show, hash) = one_release();
    let house = House::open(&show).await;
    let request = format!("GET {} HTTP/1.1\r\n\r\n", target(hash, 'a'));
    for split in [1, 30, request.len() - 1] {
        let mut stream = TcpStream::connect(house.at).await.expect("connected");
        stream.set_nodelay(true).expect("a TCP socket");
        let (one, other) = request.split_at(split);
        stream.write_all(one.as_bytes()).await.expect("sent");
        tokio::task::yield_now().await;
        stream.write_all(other.as_bytes()).await.expect("sent");
        stream.shutdown().await.expect("half closed");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("no reset");
        let answers = answers(&bytes);
        assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200], "{split}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed() {
    let (show, _) = one_release();
    let http = HttpOptions { head_timeout: Duration::from_millis(300), ..HttpOptions::default() };
    let house = House::with(&show, Options { http, ..Options::new(show.root()) }, bound()).await;
    assert_eq!(raw(house.at, "").await, b"", "who asked nothing is told nothing");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_13_a_trusted_proxy_is_believed_also_on_a_connection_that_is_kept() {
    let (show, hash) = one_release();
    let trusted_proxies = Networks::parse(["127.0.0.1"]).expect("a network");
    let house = House::with(&show, Options { trusted_proxies, ..Options::new(show.root()) }, bound()).await;
    let forwarded = |peer, header: &str| format!("GET {} HTTP/1.1\r\n{header}\r\n\r\n", target(hash, peer));
    let requests = [
        forwarded('a', "X-Forwarded-For: 6.6.6.6, 192.0.2.7"),
        forwarded('b', "FORWARDED: for=192.0.2.8"),
        forwarded('c', "Connection: close"),
    ];
    let bytes = raw(house.at, requests.concat()).await;
    let answers = answers(&bytes);
    let ips = [
        &b"11:external ip4:\xc0\x00\x02\x07"[..],
        b"11:external ip4:\xc0\x00\x02\x08",
        b"11:external ip4:\x7f\0\0\x01",
    ];
    for (answer, ip) in answers.iter().zip(ips) {
        assert!(answer.body.windows(ip.len()).any(|bytes| bytes == ip), "{}", answer.text());
    }
    assert!(peers(&answers[2]).contains(&"192.0.2.7:7097".parse().expect("an address")), "{}", answers[2].text());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_closes_a_connection_that_is_kept() {
    let (show, hash) = one_release();
    let house = House::open(&show).await;
    let mut kept = TcpStream::connect(house.at).await.expect("connected");
    kept.write_all(format!("GET {} HTTP/1.1\r\n\r\n", target(hash, 'a')).as_bytes()).await.expect("sent");
    kept.read_exact(&mut [0; 20]).await.expect("answered");
    house.close().await;
    kept.read_to_end(&mut Vec::new()).await.expect("closed in order");
}
