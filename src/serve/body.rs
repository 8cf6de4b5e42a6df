//! The bodies of answers: nothing, bytes in memory, or a part of a file read as fast as the client takes it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::JoinHandle;

/// Bytes of a file that are read at a time; twice as many are in memory for one connection.
pub const CHUNK_BYTES_MAX: usize = 128 * 1024;

/// The body of an answer.
#[derive(Debug)]
pub struct Body {
    kind: Kind,
    /// Dropped with the body, when its last byte was taken.
    held: Option<Arc<()>>,
}

#[derive(Debug)]
enum Kind {
    Empty,
    Bytes(Bytes),
    File(FilePart),
    /// So many that are left.
    Zeros(u64),
}

/// What zeros are sent from.
static ZEROS: [u8; CHUNK_BYTES_MAX] = [0; CHUNK_BYTES_MAX];

impl Body {
    /// No body.
    pub fn empty() -> Self {
        Self { kind: Kind::Empty, held: None }
    }

    /// These bytes.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Bytes(bytes.into()), held: None }
    }

    /// `bytes` bytes of `file` from `start`. A file that ends before them ends the connection: what was promised in
    /// `Content-Length` can't be kept, and bytes that are made up would be taken for the file's.
    pub fn file(file: File, start: u64, bytes: u64) -> Self {
        if bytes == 0 {
            return Self::empty();
        }
        Self { kind: Kind::File(FilePart::new(Arc::new(file), start, bytes)), held: None }
    }

    /// So many bytes that are zero.
    pub fn zeros(bytes: u64) -> Self {
        Self { kind: Kind::Zeros(bytes), held: None }
    }

    /// Keeps `token` for as long as a part of the body has not been taken.
    pub fn hold(&mut self, token: Arc<()>) {
        self.held = Some(token);
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.get_mut().kind {
            Kind::Empty | Kind::Zeros(0) => Poll::Ready(None),
            Kind::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Zeros(left) => {
                let chunk = usize::try_from(*left).unwrap_or(usize::MAX).min(CHUNK_BYTES_MAX);
                *left -= chunk as u64;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&ZEROS[..chunk])))))
            }
            Kind::File(part) => part.poll_chunk(cx).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.kind {
            Kind::Empty => 0,
            Kind::Bytes(bytes) => bytes.len() as u64,
            Kind::File(part) => part.left,
            Kind::Zeros(left) => *left,
        })
    }
}

#[derive(Debug)]
struct FilePart {
    file: Arc<File>,
    at: u64,
    left: u64,
    /// The chunk at `at`. It is read while the socket takes the former one, and no further.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FilePart {
    fn new(file: Arc<File>, at: u64, left: u64) -> Self {
        Self { file, at, left, reading: None }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut reading = self.reading.take().unwrap_or_else(|| self.read_on());
        let Poll::Ready(chunk) = Pin::new(&mut reading).poll(cx) else {
            self.reading = Some(reading);
            return Poll::Pending;
        };
        let chunk = chunk.map_err(io::Error::other).flatten();
        if let Ok(chunk) = &chunk {
            self.at += chunk.len() as u64;
            self.left -= chunk.len() as u64;
            self.reading = (self.left > 0).then(|| self.read_on());
        }
        Poll::Ready(Some(chunk))
    }

    fn read_on(&self) -> JoinHandle<io::Result<Bytes>> {
        let (file, at) = (Arc::clone(&self.file), self.at);
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(CHUNK_BYTES_MAX);
        // File systems block; a worker thread of the runtime must not.
        tokio::task::spawn_blocking(move || read(&file, at, wanted))
    }
}

fn read(file: &File, at: u64, wanted: usize) -> io::Result<Bytes> {
    let mut chunk = vec![0; wanted];
    file.read_exact_at(&mut chunk, at)?;
    Ok(chunk.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::io::Write;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(bytes).expect("written");
        file
    }

    #[tokio::test]
    async fn a_part_of_a_file_comes_in_bounded_chunks() {
        let content: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let mut body = Body::file(file_of(&content), 1, 299_998);
        assert_eq!(body.size_hint().exact(), Some(299_998));
        let mut got = Vec::new();
        while let Some(frame) = body.frame().await {
            let chunk = frame.expect("readable").into_data().expect("data");
            assert!(chunk.len() <= CHUNK_BYTES_MAX);
            got.extend_from_slice(&chunk);
        }
        assert!(got == content[1..299_999]);
        assert!(body.is_end_stream());
    }

    #[tokio::test]
    async fn a_file_that_shrank_ends_the_body_with_an_error() {
        let error = Body::file(file_of(b"abc"), 0, 4).collect().await.map(|_| ()).expect_err("too short");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn zeros_come_in_bounded_chunks() {
        let mut body = Body::zeros(300_000);
        assert_eq!(body.size_hint().exact(), Some(300_000));
        let mut got = 0;
        while let Some(frame) = body.frame().await {
            let chunk = frame.expect("no error").into_data().expect("data");
            assert!(chunk.len() <= CHUNK_BYTES_MAX && chunk.iter().all(|&byte| byte == 0));
            got += chunk.len();
        }
        assert!(got == 300_000 && body.is_end_stream() && Body::zeros(0).is_end_stream());
    }

    #[tokio::test]
    async fn bytes_come_once() {
        assert_eq!(Body::bytes("abc").collect().await.expect("no error").to_bytes(), "abc");
        assert!(Body::empty().is_end_stream() && Body::bytes("").is_end_stream());
    }
}
