//! Announces and scrapes as nearly all clients send them, read and answered here; every other request, and whatever
//! stands in one that is unusual, is handed on with its bytes to the web server behind.
//!
//! A request is taken when it has come whole with one read, is a GET of the tracker's addresses at the root or below the
//! path of the site's `base_url` with nothing encoded in its path, has no body, and asks for nothing but to keep or to
//! close its connection. So nothing is answered here that would be answered otherwise there. While a connection waits
//! for its next request, it holds no buffer.

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::announce::{Desk, FORWARDING_HEADERS_MAX};
use super::clock;
use super::doors::Ticket;
use super::http::{Counters, Ends};
use super::socket::STALL_MAX;
use super::state::State;
use crate::tracker::address::Forwarding;
use crate::tracker::http::{CONTENT_TYPE, REQUEST_LINE_BYTES_MAX};

/// Bytes that are read at a time; a request of more is handed on.
const READ_BYTES_MAX: usize = 16 * 1024;
/// Headers of a request; one of more is handed on.
const HEADERS_MAX: usize = 32;
/// Answers to requests that came together are sent when there are so many bytes of them.
const ANSWER_BYTES: usize = 64 * 1024;
/// Buffers that are kept while nobody needs them.
const KITS_MAX: usize = 64;
/// The bytes of a date.
const DATE_BYTES: usize = b"Sun, 06 Nov 1994 08:49:37 GMT".len();

/// Takes the announces. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Front(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Arc<State>,
    // Std Mutexes: nothing awaits while they are held.
    kits: Mutex<Vec<Kit>>,
    date: Mutex<Date>,
}

/// What comes after the last request that was taken.
#[derive(Debug)]
pub enum Next {
    /// Nothing: the connection is closed.
    Over,
    /// The connection is to be closed when the client has closed it: it has sent more than is answered.
    Linger(TcpStream),
    /// A request that others answer, of which these bytes are read.
    HandOn(TcpStream, Vec<u8>),
}

/// What one turn of a connection needs.
#[derive(Debug, Default)]
struct Kit {
    input: Vec<u8>,
    out: Vec<u8>,
    desk: Desk,
}

/// The date of answers, and of which second it is.
#[derive(Debug)]
struct Date {
    secs: u64,
    text: [u8; DATE_BYTES],
}

/// What became of the requests in a buffer.
enum Done {
    /// The next one may come.
    Open,
    /// The connection is to be closed; so many bytes of it are answered.
    Close(usize),
    /// So many bytes are answered, and the others are not for here.
    HandOn(usize),
}

impl Front {
    /// Answers for this tracker.
    pub fn new(state: Arc<State>) -> Self {
        let date = Date { secs: u64::MAX, text: [b' '; DATE_BYTES] };
        Self(Arc::new(Shared { state, kits: Mutex::default(), date: Mutex::new(date) }))
    }

    /// Answers as long as it is asked what is answered here.
    pub async fn converse(
        &self,
        mut stream: TcpStream,
        ticket: &Ticket,
        ends: Ends,
        idle_max: Duration,
        counters: &Counters,
        mut ending: watch::Receiver<()>,
    ) -> Next {
        let mut last = Instant::now();
        let mut idle = pin!(sleep(idle_max));
        let mut ended = pin!(ending.changed());
        let mut give_way = pin!(ticket.give_way());
        loop {
            // Nothing where the client has closed, is gone or has been silent for too long, where it gives way to
            // another, or the server ends.
            let heard = poll_fn(|cx| {
                if stream.poll_read_ready(cx).is_ready() {
                    let mut kit = self.take_kit();
                    let mut buffer = ReadBuf::new(&mut kit.input);
                    let read = Pin::new(&mut stream).poll_read(cx, &mut buffer);
                    let bytes = buffer.filled().len();
                    if read.is_ready() && bytes > 0 {
                        return Poll::Ready(Some((kit, bytes)));
                    }
                    self.give_back(kit);
                    if read.is_ready() {
                        return Poll::Ready(None);
                    }
                }
                // The timer is set again only when it rings: most connections are answered long before.
                while idle.as_mut().poll(cx).is_ready() {
                    if last.elapsed() >= idle_max {
                        return Poll::Ready(None);
                    }
                    idle.as_mut().reset(last + idle_max);
                }
                if give_way.as_mut().poll(cx).is_ready() || ended.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                Poll::Pending
            });
            let Some((mut kit, bytes)) = heard.await else { return Next::Over };
            let done = tokio::select! {
                biased;
                done = self.answer_all(&mut kit, bytes, &stream, ends, counters, &mut last) => done,
                // Who does not take so small an answer has no claim to the place.
                () = give_way.as_mut() => return Next::Over,
            };
            let rest = match done {
                Ok(Done::HandOn(at)) => kit.input[at..bytes].to_vec(),
                _ => Vec::new(),
            };
            self.give_back(kit);
            match done {
                Ok(Done::Open) => ticket.asked(),
                // Closed with bytes unread, the client would be told of nothing else.
                Ok(Done::Close(at)) if at < bytes || stream.try_read(&mut [0]).is_ok_and(|more| more > 0) => {
                    return Next::Linger(stream);
                }
                Ok(Done::HandOn(_)) => return Next::HandOn(stream, rest),
                Ok(Done::Close(_)) | Err(_) => return Next::Over,
            }
        }
    }

    /// Answers the requests in the first `bytes` of what was read, and leaves in `last` when that was done.
    async fn answer_all(
        &self,
        kit: &mut Kit,
        bytes: usize,
        stream: &TcpStream,
        ends: Ends,
        counters: &Counters,
        last: &mut Instant,
    ) -> io::Result<Done> {
        let begun = Instant::now();
        let Kit { input, out, desk } = kit;
        let (mut at, mut announces) = (0, 0);
        out.clear();
        let done = loop {
            if at == bytes {
                break Done::Open;
            }
            let Some(taken) = self.answer(&input[at..bytes], out, desk, ends) else { break Done::HandOn(at) };
            counters.requests.fetch_add(1, Ordering::Relaxed);
            at += taken.bytes;
            announces += u64::from(taken.is_announce);
            if !taken.is_kept {
                break Done::Close(at);
            }
            if out.len() >= ANSWER_BYTES {
                send(stream, out, counters).await?;
                out.clear();
            }
        };
        if !out.is_empty() {
            send(stream, out, counters).await?;
        }
        *last = Instant::now();
        self.0.state.tracker.counters().http_seconds.count(*last - begun, announces);
        Ok(done)
    }

    /// Appends the answer to the first request of `bytes`; `None` is one that is not answered here.
    fn answer(&self, bytes: &[u8], out: &mut Vec<u8>, desk: &mut Desk, ends: Ends) -> Option<Taken> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(head_bytes) = request.parse(bytes).ok()? else { return None };
        let (target, minor) = (request.path?.as_bytes(), request.version?);
        let line_bytes = "GET  HTTP/1.1".len() + target.len();
        if request.method != Some("GET") || line_bytes > REQUEST_LINE_BYTES_MAX || !target.iter().all(|&b| is_plain(b))
        {
            return None;
        }
        let end = target.iter().position(|&byte| byte == b'?');
        let (path, query) = end.map_or((target, &[][..]), |end| (&target[..end], &target[end + 1..]));
        let asked = self.asked(path)?;
        let connection = Connection::of(request.headers)?;
        let is_kept = connection.keeps.unwrap_or(minor == 1);
        let tracker = &self.0.state.tracker;
        match asked {
            Asked::Announce => tracker.write_announce(query, ends, connection.forwarding(), desk),
            Asked::Scrape => tracker.write_scrape(query, desk),
        }
        let told = match (minor, is_kept) {
            (0, true) => "connection: keep-alive\r\n",
            (1, false) => "connection: close\r\n",
            _ => "",
        };
        // The headers are those of every other answer; a vector takes all that is written.
        let _ = write!(
            out,
            "HTTP/1.{minor} 200 OK\r\ncontent-type: {CONTENT_TYPE}\r\ncache-control: no-store\r\n\
             x-content-type-options: nosniff\r\nreferrer-policy: strict-origin-when-cross-origin\r\n\
             {told}content-length: {}\r\ndate: ",
            desk.body.len(),
        );
        out.extend_from_slice(&self.date());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&desk.body);
        Some(Taken { bytes: head_bytes, is_kept, is_announce: matches!(asked, Asked::Announce) })
    }

    /// Whose path this is, at the root or below the site's.
    fn asked(&self, path: &[u8]) -> Option<Asked> {
        let of = |name: &[u8]| match name {
            b"/announce" => Some(Asked::Announce),
            b"/scrape" => Some(Asked::Scrape),
            _ => None,
        };
        let state = &self.0.state;
        let site = state.site();
        let base = state.base.as_deref().unwrap_or(&site.base);
        let mut below = Some(path);
        for name in base {
            below = below.and_then(|path| path.strip_prefix(b"/")?.strip_prefix(name.as_bytes()));
        }
        match below.filter(|below| below.is_empty() || below.starts_with(b"/")) {
            Some(below) => of(below),
            None => of(path),
        }
    }

    fn date(&self) -> [u8; DATE_BYTES] {
        let now = clock::now();
        let mut date = self.0.date.lock().unwrap_or_else(PoisonError::into_inner);
        if date.secs != clock::secs(now) {
            *date = Date::of(now);
        }
        date.text
    }

    fn take_kit(&self) -> Kit {
        let kept = self.0.kits.lock().unwrap_or_else(PoisonError::into_inner).pop();
        kept.unwrap_or_else(|| Kit { input: vec![0; READ_BYTES_MAX], ..Kit::default() })
    }

    fn give_back(&self, kit: Kit) {
        let mut kits = self.0.kits.lock().unwrap_or_else(PoisonError::into_inner);
        if kits.len() < KITS_MAX && kit.out.capacity() <= 2 * ANSWER_BYTES {
            kits.push(kit);
        }
    }
}

/// A request that was answered.
struct Taken {
    bytes: usize,
    is_kept: bool,
    is_announce: bool,
}

/// What the tracker is asked for.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Announce,
    Scrape,
}

/// What the headers say that matters here.
struct Connection<'h> {
    /// Whether the client says that it is kept or not.
    keeps: Option<bool>,
    forwarding: [(Forwarding, &'h [u8]); HEADERS_MAX],
    count: usize,
}

const _: () = assert!(HEADERS_MAX <= FORWARDING_HEADERS_MAX, "all of them may be those of proxies");

impl<'h> Connection<'h> {
    /// `None` where a header asks for more than is done here.
    fn of(headers: &[httparse::Header<'h>]) -> Option<Self> {
        let mut this = Self { keeps: None, forwarding: [(Forwarding::Forwarded, &[]); HEADERS_MAX], count: 0 };
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            // By their lengths, which tell most of them apart.
            match header.name.len() {
                10 if is("connection") => {
                    let says = |value: &str| header.value.eq_ignore_ascii_case(value.as_bytes());
                    let keeps = says("keep-alive").then_some(true).or_else(|| says("close").then_some(false))?;
                    if this.keeps.replace(keeps).is_some() {
                        return None;
                    }
                }
                6 if is("expect") => return None,
                7 if is("upgrade") => return None,
                14 if is("content-length") => return None,
                17 if is("transfer-encoding") => return None,
                9 | 15 => {
                    if let Some(kind) = Forwarding::of_header(header.name) {
                        this.forwarding[this.count] = (kind, header.value);
                        this.count += 1;
                    }
                }
                _ => {}
            }
        }
        Some(this)
    }

    fn forwarding(&self) -> &[(Forwarding, &'h [u8])] {
        &self.forwarding[..self.count]
    }
}

impl Date {
    fn of(now: SystemTime) -> Self {
        let mut text = [b' '; DATE_BYTES];
        // It has always the same length.
        let _ = write!(&mut text[..], "{}", httpdate::HttpDate::from(now));
        Self { secs: clock::secs(now), text }
    }
}

/// What may stand in a target that is answered here: what every parser of URLs lets pass. It is handed on otherwise.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

/// Sends all of it, to a client that reads.
async fn send(stream: &TcpStream, mut bytes: &[u8], counters: &Counters) -> io::Result<()> {
    loop {
        match stream.try_write(bytes) {
            Ok(sent) => {
                counters.sent.fetch_add(sent as u64, Ordering::Relaxed);
                bytes = &bytes[sent..];
                if bytes.is_empty() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                timeout(STALL_MAX, stream.writable()).await.map_err(|_| io::ErrorKind::TimedOut)??;
            }
            Err(error) => return Err(error),
        }
    }
}
