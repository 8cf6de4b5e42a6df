//! Odd, broken and too many requests: each has an answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::{any_bytes_changed_are_answered, ask, first, raw};
use crate::serve::http::{Counters, Options, serve};
use crate::serve::log::Log;
use crate::serve::reply;

/// Longer than anything takes, so that what never comes fails the test instead of holding it.
const PATIENCE: Duration = Duration::from_secs(20);
/// What clients have sent whose connections wait, and whether something of it was answered.
const WAITING: [(&str, bool); 6] = [
    ("", false),
    ("GET /half HTTP/1.1\r\nHos", false),
    ("GET /idle HTTP/1.1\r\n\r\n", true),
    ("GET /more HTTP/1.1\r\n\r\nGET /half", true),
    // Answered, and waited for to close.
    ("GET /last HTTP/1.0\r\n\r\n", true),
    ("nonsense\r\n\r\n", true),
];

struct House {
    at: SocketAddr,
    counters: Arc<Counters>,
    end: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

/// A server that answers with the target it was asked for.
async fn house(options: Options) -> House {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = listener.local_addr().expect("bound");
    let (end, ended) = oneshot::channel::<()>();
    let counters = Arc::new(Counters::default());
    let until = async {
        let _ = ended.await;
    };
    let (log, _) = Log::memory();
    let echo = |_, request: hyper::Request<hyper::body::Incoming>| async move {
        match request.uri().path() {
            "/slow" => tokio::time::sleep(Duration::from_millis(50)).await,
            "/never" => std::future::pending().await,
            _ => {}
        }
        reply::text(StatusCode::OK, &request.uri().to_string())
    };
    let server = tokio::spawn(serve(listener, None, options, Arc::clone(&counters), log, echo, until));
    House { at, counters, end, server }
}

#[tokio::test]
async fn rule_1_every_request_gets_an_answer() {
    let house = house(Options::default()).await;
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n", "x".repeat(100_000));
    let headers = |count: usize| "X: y\r\n".repeat(count);
    let cases: &[(&str, String, u16)] = &[
        ("plain", "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".into(), 200),
        ("no host", "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n".into(), 200),
        ("line feeds alone", "GET /a HTTP/1.1\nHost: a\nConnection: close\n\n".into(), 200),
        ("absolute form", "GET http://other.example.org/a HTTP/1.0\r\n\r\n".into(), 200),
        ("a hundred headers", format!("GET /a HTTP/1.0\r\n{}\r\n", headers(100)), 200),
        ("too many headers", format!("GET /a HTTP/1.0\r\n{}\r\n", headers(2000)), 431),
        ("a large header", format!("GET /a HTTP/1.0\r\nX: {}\r\n\r\n", "y".repeat(200_000)), 431),
        ("nonsense", "nonsense\r\n\r\n".into(), 400),
        ("no version", "GET /a\r\n\r\n".into(), 400),
        ("a version that is none", "GET /a HTTP/9.9\r\n\r\n".into(), 400),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 400),
        ("a TLS hello", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}".into(), 400),
        ("a header without a name", "GET /a HTTP/1.1\r\n: b\r\n\r\n".into(), 400),
        ("two lengths", "POST /a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".into(), 400),
        ("a space in the target", "GET /a b HTTP/1.1\r\n\r\n".into(), 400),
        ("8 KiB of request line", format!("GET /{} HTTP/1.0\r\n\r\n", "x".repeat(8192 - 14)), 200),
        ("one byte more", format!("GET /{} HTTP/1.0\r\n\r\n", "x".repeat(8192 - 13)), 414),
        ("far more", long, 414),
        ("a body that never comes", "POST /a HTTP/1.1\r\nConnection: close\r\nContent-Length: 9\r\n\r\n".into(), 200),
    ];
    for (name, request, status) in cases {
        let bytes = raw(house.at, request).await;
        assert_eq!(first(&bytes).0.status, *status, "{name}: {}", bytes.escape_ascii());
    }
}

#[tokio::test]
async fn half_a_request_and_then_nothing_is_told_so() {
    let house = house(Options { head_timeout: Duration::from_millis(50), ..Options::default() }).await;
    let bytes = raw(house.at, "GET /a HTTP/1.1\r\nHos").await;
    assert_eq!(first(&bytes).0.status, 408);
    assert_eq!(raw(house.at, "").await, b"", "who asked nothing is told nothing");
}

#[tokio::test]
async fn a_request_with_any_bytes_changed_is_answered() {
    const REQUEST: &[u8] =
        b"GET /announce?info_hash=%aa%bb&left=1&port=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let house = house(Options::default()).await;
    any_bytes_changed_are_answered(house.at, REQUEST, 7).await;
}

#[tokio::test]
async fn what_clients_leave_unescaped_in_a_query_passes() {
    let house = house(Options::default()).await;
    // What RFC 3986 lets stand in a query.
    for byte in b"azAZ09-._~!$&'()*+,;=:@/?[]%" {
        let request = format!("GET /announce?info_hash={} HTTP/1.0\r\n\r\n", char::from(*byte));
        let bytes = raw(house.at, request).await;
        assert_eq!(first(&bytes).0.status, 200, "{:?}", char::from(*byte));
    }
    // Whoever sends other bytes unescaped is told.
    for query in [&b"\xff\xfe"[..], b"\"", b"a b", b"\x01"] {
        let bytes = raw(house.at, [b"GET /announce?info_hash=", query, b" HTTP/1.0\r\n\r\n"].concat()).await;
        assert_eq!(first(&bytes).0.status, 400, "{}", query.escape_ascii());
    }
}

#[tokio::test]
async fn a_long_line_behind_another_request_is_refused_too() {
    let house = house(Options::default()).await;
    let bytes = raw(house.at, format!("GET /a HTTP/1.1\r\n\r\nGET /{} HTTP/1.0\r\n\r\n", "x".repeat(9000))).await;
    let (one, rest) = first(&bytes);
    assert_eq!((one.status, first(rest).0.status), (200, 414));
}

#[tokio::test]
async fn a_client_that_closes_its_half_early_is_answered() {
    let house = house(Options::default()).await;
    for (request, status) in [("GET /a HTTP/1.1\r\n\r\n", 200), ("GET /a HT", 400)] {
        let mut stream = TcpStream::connect(house.at).await.expect("connected");
        stream.write_all(request.as_bytes()).await.expect("sent");
        stream.shutdown().await.expect("half closed");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("no reset");
        assert_eq!(first(&bytes).0.status, status, "{request}");
    }
}

#[tokio::test]
async fn rule_2_pipelined_requests_are_answered_in_order_and_close_is_honoured() {
    let house = house(Options::default()).await;
    let requests = "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\nConnection: close\r\n\r\n\
                    GET /4 HTTP/1.1\r\n\r\n";
    let bytes = raw(house.at, requests).await;
    let (mut rest, mut bodies) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let (answer, after) = first(rest);
        bodies.push(answer.text());
        rest = after;
    }
    assert_eq!(bodies, ["/1\\n", "/2\\n", "/3\\n"]);
    let old = raw(house.at, "GET /old HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with(b"HTTP/1.0 200"), "{}", old.escape_ascii());
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let house = house(Options::default()).await;
    let answer = ask(house.at, "HEAD", "/four", &[]).await;
    assert_eq!((answer.header("content-length"), &answer.body[..]), (Some("6"), &b""[..]));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn where_answers_to_all_are_in_progress_one_connection_too_many_gets_a_503() {
    let house = house(Options { connections_max: 1, ..Options::default() }).await;
    let mut held = TcpStream::connect(house.at).await.expect("connected");
    held.write_all(b"GET /never HTTP/1.1\r\n\r\n").await.expect("sent");
    while house.counters.requests.load(Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    let bytes = raw(house.at, "GET /a HTTP/1.1\r\n\r\n").await;
    let (answer, _) = first(&bytes);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!((house.counters.turned_away.load(Relaxed), house.counters.gave_way.load(Relaxed)), (1, 0));
}

#[tokio::test]
async fn a_connection_that_waits_gives_way_to_a_new_one() {
    // Whatever waits for one of these to pass is found out.
    let hour = Duration::from_secs(3600);
    let options = Options { connections_max: 1, head_timeout: hour, ..Options::default() };
    for (request, answered) in WAITING {
        let house = house(options.clone()).await;
        let mut held = TcpStream::connect(house.at).await.expect("connected");
        held.write_all(request.as_bytes()).await.expect("sent");
        if answered {
            held.read_exact(&mut [0; 20]).await.expect("answered");
        }
        while house.counters.connections.load(Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let bytes = raw(house.at, "GET /a HTTP/1.0\r\n\r\n").await;
        assert_eq!(first(&bytes).0.status, 200, "after {request:?}");
        let closed = tokio::time::timeout(PATIENCE, held.read_to_end(&mut Vec::new())).await;
        assert!(closed.is_ok(), "{request:?} has given way");
        assert_eq!((house.counters.gave_way.load(Relaxed), house.counters.turned_away.load(Relaxed)), (1, 0));
    }
}

#[tokio::test]
async fn the_end_closes_idle_connections() {
    let house = house(Options::default()).await;
    let mut idle = TcpStream::connect(house.at).await.expect("connected");
    idle.write_all(b"GET /a HTTP/1.1\r\n\r\n").await.expect("sent");
    let mut byte = [0];
    idle.read_exact(&mut byte).await.expect("answered");
    house.end.send(()).expect("running");
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.expect("closed in order");
    drop(idle);
    house.server.await.expect("no panic");
    assert!(TcpStream::connect(house.at).await.is_err());
}

#[tokio::test]
async fn the_end_waits_for_nobody_who_has_not_asked() {
    // Whatever waits for one of these to pass is found out.
    let hour = Duration::from_secs(3600);
    let house = house(Options { head_timeout: hour, shutdown_max: hour, ..Options::default() }).await;
    let mut clients = Vec::new();
    for (request, answered) in WAITING {
        let mut client = TcpStream::connect(house.at).await.expect("connected");
        client.write_all(request.as_bytes()).await.expect("sent");
        if answered {
            client.read_exact(&mut [0; 20]).await.expect("answered");
        }
        clients.push(client);
    }
    while house.counters.connections.load(Relaxed) < 6 {
        tokio::task::yield_now().await;
    }
    house.end.send(()).expect("running");
    tokio::time::timeout(PATIENCE, house.server).await.expect("an end").expect("no panic");
    let mut half = Vec::new();
    clients[1].read_to_end(&mut half).await.expect("no reset");
    assert!(half.starts_with(b"HTTP/1.1 503") || half.is_empty(), "{}", half.escape_ascii());
}

#[tokio::test]
async fn the_end_finishes_what_was_asked_for() {
    let house = house(Options::default()).await;
    let mut client = TcpStream::connect(house.at).await.expect("connected");
    client.write_all(b"GET /slow HTTP/1.1\r\n\r\n").await.expect("sent");
    while house.counters.requests.load(Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    house.end.send(()).expect("running");
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).await.expect("no reset");
    assert_eq!(first(&bytes).0.text(), "/slow\\n");
    house.server.await.expect("no panic");
}
