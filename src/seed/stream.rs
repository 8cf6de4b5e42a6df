//! What a conversation goes over: TCP or uTP (BEP 29). It knows bytes, and not what they say.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use bytes::BufMut;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

use super::utp::Line;

/// What is read from a socket at a time, in bytes.
pub(super) const READ_BYTES: usize = 4096;

/// A connection to a peer.
pub(super) enum Stream {
    Tcp(TcpStream),
    Utp(Box<Line>),
}

/// What [`Stream::transfer`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moved {
    /// So many bytes have come; with 0, none will come any more.
    In(usize),
    /// So many bytes have gone.
    Out(usize),
}

impl Stream {
    /// A connection over TCP.
    pub fn tcp(stream: TcpStream) -> Self {
        // Blocks are written whole and replies are small: neither is to wait for the other. Failing, it is only slower.
        let _ = stream.set_nodelay(true);
        Self::Tcp(stream)
    }

    pub fn is_utp(&self) -> bool {
        matches!(self, Self::Utp(_))
    }

    /// Where the peer is, as people write it.
    pub fn peer_address(&self) -> io::Result<SocketAddr> {
        let address = match self {
            Self::Tcp(stream) => stream.peer_addr()?,
            Self::Utp(line) => line.address(),
        };
        Ok(match address.ip().to_canonical() {
            ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
            IpAddr::V6(_) => address,
        })
    }

    /// The address at which the connection is here, over TCP.
    pub fn local_ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(stream) => Some(stream.local_addr().ok()?.ip().to_canonical()),
            Self::Utp(_) => None,
        }
    }

    /// Waits until bytes have come, which are put behind `inbox`, or until the first of `outbox` have gone. Nothing is
    /// lost where the waiting is given up.
    ///
    /// Both in one, since a peer that does not read until it is read from would wait for ever; and without a task or a
    /// buffer for either direction.
    pub async fn transfer(&mut self, inbox: Option<&mut Vec<u8>>, outbox: &[u8]) -> io::Result<Moved> {
        let mut inbox = inbox;
        std::future::poll_fn(|cx| {
            if !outbox.is_empty()
                && let Poll::Ready(written) = self.poll_write(cx, outbox)?
            {
                return Poll::Ready(Ok(Moved::Out(written)));
            }
            match &mut inbox {
                Some(inbox) => self.poll_read(cx, inbox).map_ok(Moved::In),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Reads what has come, or waits for it.
    pub async fn read(&mut self, inbox: &mut Vec<u8>) -> io::Result<usize> {
        match self.transfer(Some(inbox), &[]).await? {
            Moved::In(0) => Err(ErrorKind::UnexpectedEof.into()),
            Moved::In(bytes) | Moved::Out(bytes) => Ok(bytes),
        }
    }

    /// Writes all of it. It is for the few bytes before a conversation, which nobody reads before they are written.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if let Moved::Out(written) = self.transfer(None, rest).await? {
                rest = &rest[written..];
            }
        }
        Ok(())
    }

    /// Waits until the peer has all that was written over uTP, so that what is written next shares no packet with it;
    /// over TCP, until others have had their turn.
    pub async fn arrived(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) => {
                tokio::task::yield_now().await;
                Ok(())
            }
            Self::Utp(line) => std::future::poll_fn(|cx| line.poll_flush(cx)).await,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, inbox: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        inbox.reserve(READ_BYTES);
        match self {
            Self::Tcp(stream) => loop {
                std::task::ready!(stream.poll_read_ready(cx))?;
                match stream.try_read_buf(&mut (&mut *inbox).limit(READ_BYTES)) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    read => return Poll::Ready(read),
                }
            },
            Self::Utp(line) => {
                let mut bytes = [0; READ_BYTES];
                let mut buffer = ReadBuf::new(&mut bytes);
                std::task::ready!(line.poll_read(cx, &mut buffer))?;
                inbox.extend_from_slice(buffer.filled());
                Poll::Ready(Ok(buffer.filled().len()))
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, outbox: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => loop {
                std::task::ready!(stream.poll_write_ready(cx))?;
                match stream.try_write(outbox) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    written => return Poll::Ready(written),
                }
            },
            Self::Utp(line) => line.poll_write(cx, outbox),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use tokio::net::{TcpListener, TcpStream};

    use super::Stream;

    #[tokio::test]
    async fn over_tcp_a_turn_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mut stream = Stream::tcp(TcpStream::connect(address).await.expect("a listener"));
        let mut arrived = std::pin::pin!(stream.arrived());
        let waits = std::future::poll_fn(|cx| Poll::Ready(arrived.as_mut().poll(cx).is_pending()));
        assert!(waits.await, "others have theirs first");
        arrived.await.expect("and then it goes on");
    }
}
