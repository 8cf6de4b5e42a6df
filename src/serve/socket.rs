//! A TCP connection as hyper reads and writes it, that stays in our hands: what hyper would end in silence gets an
//! answer, and no answer is lost to a reset.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::StatusCode;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use crate::tracker::http::REQUEST_LINE_BYTES_MAX;

/// The longest a client may leave what was sent to it unread, before its connection is given up.
pub const STALL_MAX: Duration = Duration::from_secs(60);
/// The most bytes of a client that are thrown away while it is waited for to close.
const LINGER_BYTES_MAX: usize = 1 << 20;

/// What hyper gets.
#[derive(Debug)]
pub struct Socket {
    shared: Arc<Shared>,
    /// What was read before hyper came, and how much of it hyper has.
    before: (Vec<u8>, usize),
    line: Option<usize>,
    stall: Option<Pin<Box<Sleep>>>,
}

/// What stays with us.
#[derive(Debug, Clone)]
pub struct Keeper(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    stream: TcpStream,
    sent: Arc<AtomicU64>,
    /// Bytes came in since the last that went out.
    unanswered: AtomicBool,
    /// Bytes wait for room in the socket.
    sending: AtomicBool,
    line_too_long: AtomicBool,
}

/// Shares `stream` between hyper and its keeper; bytes written are added to `sent`.
pub fn share(stream: TcpStream, sent: Arc<AtomicU64>) -> (Socket, Keeper) {
    let [unanswered, sending, line_too_long] = [false; 3].map(AtomicBool::new);
    let shared = Arc::new(Shared { stream, sent, unanswered, sending, line_too_long });
    let socket = Socket { shared: Arc::clone(&shared), before: (Vec::new(), 0), line: Some(0), stall: None };
    (socket, Keeper(shared))
}

impl Keeper {
    /// Whether the client has sent something since it was last answered.
    pub fn is_unanswered(&self) -> bool {
        self.0.unanswered.load(Ordering::Relaxed)
    }

    /// Whether a part of an answer waits for the client to take what is before it.
    pub fn is_sending(&self) -> bool {
        self.0.sending.load(Ordering::Relaxed)
    }

    /// Whether the first request line was too long.
    pub fn is_line_too_long(&self) -> bool {
        self.0.line_too_long.load(Ordering::Relaxed)
    }

    /// Answers with nothing but a status, between two answers of hyper or instead of one, and waits for nothing.
    pub fn answer(&self, status: StatusCode) {
        let reason = status.canonical_reason().unwrap_or("Error");
        let retry = if status == StatusCode::SERVICE_UNAVAILABLE { "retry-after: 5\r\n" } else { "" };
        let reply = format!(
            "HTTP/1.1 {} {reason}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n\
             {retry}content-length: {}\r\n\r\n{reason}\n",
            status.as_u16(),
            reason.len() + 1,
        );
        // One attempt: a client that leaves no room for these few bytes does not read. It is made without tokio, which
        // makes none before it has heard of room, and of a connection that has just been accepted it has heard nothing.
        if let Ok(sent) = SockRef::from(&self.0.stream).send(reply.as_bytes()) {
            self.0.sent.fetch_add(sent as u64, Ordering::Relaxed);
        }
    }

    /// Closes, and reads on until the client has closed too, for `linger` at most. To close with unread bytes is to send a reset, which may
    /// overtake the answer (RFC 9112 section 9.6).
    pub async fn close(self, linger: Duration) {
        if SockRef::from(&self.0.stream).shutdown(std::net::Shutdown::Write).is_err() {
            return;
        }
        let drain = async {
            let (mut scrap, mut left) = ([0; 4096], LINGER_BYTES_MAX);
            while left > 0 && self.0.stream.readable().await.is_ok() {
                match self.0.stream.try_read(&mut scrap) {
                    Ok(0) => break,
                    Ok(bytes) => left = left.saturating_sub(bytes),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
            }
        };
        let _ = tokio::time::timeout(linger, drain).await;
    }
}

impl Socket {
    /// Lets `bytes` be read before what is to come.
    pub fn read_before(&mut self, bytes: Vec<u8>) {
        self.before = (bytes, 0);
    }

    /// Counts the first request line, which hyper would buffer to the end before it refuses it.
    fn look(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(before) = self.line else { return Ok(()) };
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let length = before + end.unwrap_or(bytes.len());
        self.line = end.is_none().then_some(length);
        // One more for the carriage return.
        if length > REQUEST_LINE_BYTES_MAX + 1 {
            self.shared.line_too_long.store(true, Ordering::Relaxed);
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the request line is too long"));
        }
        Ok(())
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let shared = Arc::clone(&self.shared);
        loop {
            match shared.stream.poll_write_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    shared.sending.store(true, Ordering::Relaxed);
                    let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALL_MAX)));
                    ready!(stall.as_mut().poll(cx));
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
            match write(&shared.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => {
                    self.stall = None;
                    shared.unanswered.store(false, Ordering::Relaxed);
                    shared.sending.store(false, Ordering::Relaxed);
                    shared.sent.fetch_add(*sent.as_ref().unwrap_or(&0) as u64, Ordering::Relaxed);
                    return Poll::Ready(sent);
                }
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (before, at) = &mut this.before;
        if *at < before.len() {
            let bytes = (before.len() - *at).min(buf.remaining());
            buf.put_slice(&before[*at..*at + bytes]);
            *at += bytes;
            if *at == before.len() {
                this.before = (Vec::new(), 0);
            }
            this.shared.unanswered.store(true, Ordering::Relaxed);
            let read = buf.filled().len();
            return Poll::Ready(this.look(&buf.filled()[read - bytes..]));
        }
        loop {
            ready!(this.shared.stream.poll_read_ready(cx))?;
            match this.shared.stream.try_read(buf.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(bytes) => {
                    this.shared.unanswered.store(true, Ordering::Relaxed);
                    this.look(&buf.initialize_unfilled()[..bytes])?;
                    buf.advance(bytes);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().poll_send(cx, |stream| stream.try_write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Left to [`Keeper::close`], which may have something to say before.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// A connection as a server has it, and as its client does.
    async fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
        (listener.accept().await.expect("a connection").0, client)
    }

    #[tokio::test]
    async fn a_client_that_leaves_no_room_is_not_waited_for() {
        let (stream, client) = connection().await;
        let sent = Arc::new(AtomicU64::new(0));
        let (_, keeper) = share(stream, Arc::clone(&sent));
        // The client's system may take some of it a little later.
        let mut before = u64::MAX;
        let mut written = 0;
        while std::mem::replace(&mut before, written) != written {
            tokio::task::yield_now().await;
            while let Ok(bytes) = SockRef::from(&keeper.0.stream).send(&[0; 8192]) {
                written += bytes as u64;
            }
        }
        // A task of its own: what waits there has to be told apart from what holds the thread.
        let answering = tokio::spawn(async move { keeper.answer(StatusCode::REQUEST_TIMEOUT) });
        tokio::time::timeout(Duration::from_secs(20), answering).await.expect("at once").expect("no panic");
        assert_eq!(sent.load(Ordering::Relaxed), 0);
        drop(client);
    }

    #[tokio::test]
    async fn a_client_that_was_just_accepted_is_answered() {
        let (stream, client) = connection().await;
        let sent = Arc::new(AtomicU64::new(0));
        let (_, keeper) = share(stream, Arc::clone(&sent));
        keeper.answer(StatusCode::SERVICE_UNAVAILABLE);
        client.readable().await.expect("an answer");
        let mut answer = [0; 1000];
        let bytes = client.try_read(&mut answer).expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 503 ") && bytes as u64 == sent.load(Ordering::Relaxed));
    }
}
