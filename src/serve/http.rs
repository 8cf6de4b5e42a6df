//! HTTP/1 on a bound listener: connections, their limits and their end. What is asked for is another room's matter.
//!
//! Every request gets an answer: a malformed one an HTTP error, and a connection is closed so that its last answer
//! arrives. Where there are too many connections, one that waits gives way to a new one; where answers to all of them
//! are in progress, the new one gets a 503.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::body::Line;
use super::doors::{Doors, Ticket};
use super::front::{Front, Next};
use super::log::{Log, Throttle};
use super::reply::{self, Reply};
use super::socket::{self, Keeper};
use crate::tracker::address::Networks;
use crate::tracker::http::REQUEST_LINE_BYTES_MAX;

/// The most headers of a request; more are answered 431.
pub const HEADERS_MAX: usize = 128;
/// The most bytes of a request's head that are buffered; more are answered 431.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The most connections at one time, unless [`Options`] say otherwise.
pub const CONNECTIONS_MAX: usize = 4000;
/// Of the files and sockets that the system lets a process have open, one in so many is for a connection: an answer may
/// read a file as well, and the other half is for the peers of the seed.
const DESCRIPTORS_OF_A_CONNECTION: usize = 4;
/// The most connections that are on their way out, because they gave way or were turned away with a 503, at one time;
/// new ones wait to be accepted then.
pub const LEAVING_MAX: usize = 256;
/// An answer of more bytes is a download: the system may not take it at once.
const LONG_BYTES: u64 = 128 * 1024;
/// Connections that give way at a time where the system has no room for a new one.
const MAKE_ROOM: u64 = 64;
/// The longest that answers in progress may take after the end was asked for, unless [`Options`] say otherwise.
pub const SHUTDOWN_MAX: Duration = Duration::from_millis(800);
/// The longest that is waited for a client to close, after its last answer.
const LINGER_MAX: Duration = Duration::from_secs(2);
/// The same after the end was asked for.
const LINGER_AT_END_MAX: Duration = Duration::from_millis(250);
/// The pause after a failed accept where room could be made, and after the first one where it could not.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause after a failed accept, as long as they fail.
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Options {
    /// The most connections at one time. Those that wait for a request give way to new ones.
    pub connections_max: usize,
    /// Proxies, which may have any share of them.
    pub proxies: Networks,
    /// The longest that a request's head may take, and that a connection may wait for its next request.
    pub head_timeout: Duration,
    /// The longest that answers in progress may take after the end was asked for.
    pub shutdown_max: Duration,
}

impl Default for Options {
    /// `CONNECTIONS_MAX`, no proxies, 15 seconds, and `SHUTDOWN_MAX`.
    fn default() -> Self {
        Self {
            connections_max: CONNECTIONS_MAX,
            proxies: Networks::default(),
            head_timeout: Duration::from_secs(15),
            shutdown_max: SHUTDOWN_MAX,
        }
    }
}

/// The most connections unless somebody says otherwise, for a process that may have so many files and sockets open.
pub fn connections_max(descriptors: u64) -> usize {
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    (descriptors / DESCRIPTORS_OF_A_CONNECTION).clamp(1, CONNECTIONS_MAX)
}

/// The two ends of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    /// The client, or the proxy before it.
    pub peer: SocketAddr,
    /// The local address at which it arrived.
    pub local: SocketAddr,
}

/// What the server counts.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Requests that were understood.
    pub requests: AtomicU64,
    /// Connections that waited for a request and were closed because there were too many.
    pub gave_way: AtomicU64,
    /// Connections turned away because there were too many, and answers to all of them in progress.
    pub turned_away: AtomicU64,
    /// Bytes sent.
    pub sent: Arc<AtomicU64>,
}

/// Answers requests on `listener` with `handle`, those that `front` takes without it, until `until`, and ends within
/// [`Options::shutdown_max`] then: answers in progress are finished, and connections that wait for a request, or for the
/// rest of one, are closed at once.
pub async fn serve<H, F>(
    listener: TcpListener,
    front: Option<Front>,
    options: Options,
    counters: Arc<Counters>,
    log: Log,
    handle: H,
    until: impl Future<Output = ()>,
) where
    H: Fn(Ends, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    static ACCEPT_FAILED: Throttle = Throttle::new(60);
    static TOO_MANY: Throttle = Throttle::new(60);
    let (end, ending) = watch::channel(());
    let doors = Arc::new(Doors::new(options.connections_max, options.proxies.clone()));
    let gave_way = |count: u64| counters.gave_way.fetch_add(count, Ordering::Relaxed);
    let mut tasks = JoinSet::new();
    let mut pause = Duration::ZERO;
    tokio::pin!(until);
    loop {
        let accept = async {
            // Also no time at all is a millisecond to the timer: a thousand connections a second.
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            listener.accept().await
        };
        let accepted = tokio::select! {
            () = &mut until => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
            accepted = accept, if tasks.len() < options.connections_max + LEAVING_MAX => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                // Out of file descriptors, most likely: those in use come back, and those that nobody needs are given.
                let made = doors.make_room(MAKE_ROOM);
                gave_way(made);
                pause = if made > 0 { ACCEPT_PAUSE } else { (pause * 2).clamp(ACCEPT_PAUSE, ACCEPT_PAUSE_MAX) };
                ACCEPT_FAILED.line(&log, || format!("http: a connection can't be accepted: {error}"));
                continue;
            }
        };
        pause = Duration::ZERO;
        counters.connections.fetch_add(1, Ordering::Relaxed);
        let Ok(local) = stream.set_nodelay(true).and_then(|()| stream.local_addr()) else {
            // The client has gone already.
            continue;
        };
        let (ticket, count) = doors.admit(peer.ip());
        if count > 0 {
            gave_way(count);
        }
        if let Some(ticket) = ticket {
            tasks.spawn(receive(
                stream,
                ticket,
                front.clone(),
                Ends { peer, local },
                options.clone(),
                Arc::clone(&counters),
                handle.clone(),
                ending.clone(),
            ));
            continue;
        }
        let (_, keeper) = socket::share(stream, Arc::clone(&counters.sent));
        counters.turned_away.fetch_add(1, Ordering::Relaxed);
        TOO_MANY.line(&log, || {
            format!(
                "http: too many downloads at one time, of all clients or of one; others get a 503. {} connections are \
                 the most, a quarter of them from one address (`connections_max` in [serve])",
                options.connections_max
            )
        });
        keeper.answer(StatusCode::SERVICE_UNAVAILABLE);
        // So that the client can read it; but those who are turned away keep no newcomer waiting.
        if tasks.len() < options.connections_max + LEAVING_MAX / 2 {
            tasks.spawn(linger(keeper, ending.clone()));
        }
    }
    drop(listener);
    drop(end);
    let finish = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(options.shutdown_max, finish).await;
    tasks.shutdown().await;
}

/// All requests of one connection, in their order.
#[expect(clippy::too_many_arguments, reason = "a task owns all that it needs")]
async fn receive<H, F>(
    stream: TcpStream,
    ticket: Ticket,
    front: Option<Front>,
    ends: Ends,
    options: Options,
    counters: Arc<Counters>,
    handle: H,
    ending: watch::Receiver<()>,
) where
    H: Fn(Ends, Request<Incoming>) -> F,
    F: Future<Output = Reply>,
{
    let (stream, before) = match front {
        None => (stream, Vec::new()),
        Some(front) => {
            match front.converse(stream, &ticket, ends, options.head_timeout, &counters, ending.clone()).await {
                Next::Over => return,
                Next::Linger(stream) => {
                    let (_, keeper) = socket::share(stream, Arc::clone(&counters.sent));
                    return part(keeper, &ticket, ending).await;
                }
                Next::HandOn(stream, before) => (stream, before),
            }
        }
    };
    // In a box, so that a connection that only announces has no room for the rest.
    Box::pin(converse(stream, before, &ticket, ends, options, counters, handle, ending)).await;
}

/// The requests of one connection that hyper reads, of which it has begun with the bytes `before`.
#[expect(clippy::too_many_arguments, reason = "it goes on with all that `receive` has")]
async fn converse<H, F>(
    stream: TcpStream,
    before: Vec<u8>,
    ticket: &Ticket,
    ends: Ends,
    options: Options,
    counters: Arc<Counters>,
    handle: H,
    mut ending: watch::Receiver<()>,
) where
    H: Fn(Ends, Request<Incoming>) -> F,
    F: Future<Output = Reply>,
{
    let (mut socket, keeper) = socket::share(stream, Arc::clone(&counters.sent));
    socket.read_before(before);
    let answering = Arc::new(Line::default());
    let counters = &counters;
    let service = service_fn(|request: Request<Incoming>| {
        counters.requests.fetch_add(1, Ordering::Relaxed);
        ticket.asked();
        let in_progress = Arc::clone(&answering);
        let answer = (!is_line_too_long(&request)).then(|| handle(ends, request));
        async move {
            let mut reply = match answer {
                Some(answer) => answer.await,
                None => reply::text(StatusCode::URI_TOO_LONG, "the request line is longer than 8 KiB"),
            };
            if is_download(&reply) && !ticket.begins_download() {
                counters.turned_away.fetch_add(1, Ordering::Relaxed);
                reply = reply::unavailable("too many downloads at one time; try again in a moment");
            }
            reply::finish(&mut reply);
            reply.body_mut().hold(in_progress);
            Ok::<_, std::convert::Infallible>(reply)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.head_timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .half_close(true)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = std::pin::pin!(connection);
    // Dropped before the connection, however this ends: what that drops unwritten is not counted as sent.
    let _closing = Closing(&answering);
    let is_owed = || Arc::strong_count(&answering) > 1 || keeper.is_sending();
    let result = loop {
        let served = poll_fn(|cx| {
            let result = connection.as_mut().poll(cx);
            ticket.set_answering(result.is_pending() && is_owed());
            result
        });
        tokio::select! {
            // First, so that a request that has come is answered.
            biased;
            result = served => break result,
            // The sender never sends: that it is gone is the message.
            _ = ending.changed() => {}
            () = ticket.give_way() => if is_owed() {
                ticket.stay();
                continue;
            }
        }
        let linger = if is_owed() { LINGER_AT_END_MAX } else { Duration::ZERO };
        connection.as_mut().graceful_shutdown();
        let finished = poll_fn(|cx| match connection.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if is_owed() => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
        });
        match finished.await {
            Some(Err(error)) => answer_for_hyper(&error, &keeper),
            // Half a request, whose rest is not waited for.
            None if keeper.is_unanswered() => keeper.answer(StatusCode::SERVICE_UNAVAILABLE),
            _ => {}
        }
        return keeper.close(linger).await;
    };
    if let Err(error) = result {
        answer_for_hyper(&error, &keeper);
    }
    part(keeper, ticket, ending).await;
}

/// Closes a line when it is dropped.
struct Closing<'a>(&'a Line);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Closes a connection while the server goes on; neither its end nor a new connection is held up.
async fn part(keeper: Keeper, ticket: &Ticket, ending: watch::Receiver<()>) {
    tokio::select! {
        () = linger(keeper, ending) => {}
        () = ticket.give_way() => {}
    }
}

async fn linger(keeper: Keeper, mut ending: watch::Receiver<()>) {
    tokio::select! {
        () = keeper.close(LINGER_MAX) => {}
        _ = ending.changed() => {}
    }
}

/// Where hyper ends a connection without a word, the client still hears why.
fn answer_for_hyper(error: &hyper::Error, keeper: &Keeper) {
    let status = if keeper.is_line_too_long() {
        StatusCode::URI_TOO_LONG
    } else if !keeper.is_unanswered() {
        return;
    } else if error.is_timeout() {
        StatusCode::REQUEST_TIMEOUT
    } else if error.is_parse() || error.is_incomplete_message() {
        StatusCode::BAD_REQUEST
    } else {
        // An answer in progress broke off: whatever followed would be taken for its rest.
        return;
    };
    keeper.answer(status);
}

fn is_download(reply: &Reply) -> bool {
    hyper::body::Body::size_hint(reply.body()).exact().is_none_or(|bytes| bytes > LONG_BYTES)
}

fn is_line_too_long<B>(request: &Request<B>) -> bool {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    request.method().as_str().len() + target + " HTTP/1.1 ".len() > REQUEST_LINE_BYTES_MAX
}

/// Errors of the connection that was about to be accepted, not of the listener (accept(2)).
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
