//! The bodies of answers: nothing, bytes in memory, or a part of a file read as fast as the client takes it.
//!
//! Of the files of torrents it is counted what was written, and they leave at a pace where there is one.

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::oneshot;

use super::shelf::{self, CHUNK_BYTES_MAX, Of, Room, Shelf};
use crate::fsx::cached;
use crate::pace::Pace;
use crate::seed::Reading;

/// The body of an answer.
#[derive(Debug)]
pub struct Body {
    kind: Kind,
    /// Dropped with the body, when its last byte was taken.
    held: Option<Arc<Line>>,
    metered: Option<Metered>,
}

/// The connection that an answer goes to. Each answer in progress holds a part of it, from its request to its last byte.
#[derive(Debug, Default)]
pub struct Line(AtomicBool);

/// How a file of a torrent leaves.
#[derive(Debug, Clone)]
pub struct Metered {
    /// Bytes of the torrent's files that were written.
    pub of_torrent: Arc<AtomicU64>,
    /// The same of all torrents.
    pub of_all: Arc<AtomicU64>,
    /// How fast all of them may go.
    pub pace: Arc<Pace>,
}

impl Line {
    /// Says that nothing is written any more: what is dropped from now on was not sent.
    pub fn close(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug)]
enum Kind {
    Empty,
    Bytes(Bytes),
    File(FilePart),
    Parts(Parts),
    /// So many that are left.
    Zeros(u64),
}

/// What is made while it is sent.
struct Parts(Box<dyn Iterator<Item = Bytes> + Send>);

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// What zeros are sent from.
static ZEROS: [u8; CHUNK_BYTES_MAX] = [0; CHUNK_BYTES_MAX];

impl Body {
    /// No body.
    pub fn empty() -> Self {
        Self { kind: Kind::Empty, held: None, metered: None }
    }

    /// These bytes.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Bytes(bytes.into()), held: None, metered: None }
    }

    /// These parts, of which each is made when the one before is sent.
    pub fn parts(parts: impl Iterator<Item = Bytes> + Send + 'static) -> Self {
        Self { kind: Kind::Parts(Parts(Box::new(parts))), held: None, metered: None }
    }

    /// `bytes` bytes of `file` from `start`. A file that ends before them ends the connection: what was promised in
    /// `Content-Length` can't be kept, and bytes that are made up would be taken for the file's.
    pub fn file(shelf: &Arc<Shelf>, file: File, start: u64, bytes: u64) -> Self {
        if bytes == 0 {
            return Self::empty();
        }
        let line = match file.metadata() {
            Ok(metadata) => Of::File { device: metadata.dev(), inode: metadata.ino() },
            Err(_) => Of::Root,
        };
        Self::part(shelf, Source::Plain(Arc::new(file), shelf.line(line)), start, bytes)
    }

    /// The same of a file of torrents, each byte of which is as they say. One that is not ends the connection.
    pub fn right(shelf: &Arc<Shelf>, reading: Reading, start: u64, bytes: u64) -> Self {
        if bytes == 0 {
            return Self::empty();
        }
        Self::part(shelf, Source::Right(Arc::new(reading)), start, bytes)
    }

    fn part(shelf: &Arc<Shelf>, source: Source, start: u64, bytes: u64) -> Self {
        let shelf = Arc::clone(shelf);
        let part = FilePart { source, shelf, at: start, left: bytes, reading: None, waiting: None, former: None };
        Self { kind: Kind::File(part), held: None, metered: None }
    }

    /// Reads the first bytes of a file of torrents, so that an answer is begun only where there is one.
    pub async fn begin(&mut self) -> io::Result<()> {
        let Self { kind: Kind::File(part @ FilePart { source: Source::Right(_), .. }), metered, .. } = self else {
            return Ok(());
        };
        poll_fn(|cx| part.poll_fill(cx, metered.as_ref().map(|metered| &metered.pace))).await
    }

    /// So many bytes that are zero.
    pub fn zeros(bytes: u64) -> Self {
        Self { kind: Kind::Zeros(bytes), held: None, metered: None }
    }

    /// Keeps `line` for as long as a part of the body has not been taken.
    pub fn hold(&mut self, line: Arc<Line>) {
        self.held = Some(line);
    }

    /// Counts what is sent of a file, and sends it at the pace.
    pub fn meter(&mut self, metered: Metered) {
        self.metered = Some(metered);
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self { kind, held, metered } = self.get_mut();
        match kind {
            Kind::Empty | Kind::Zeros(0) => Poll::Ready(None),
            Kind::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Parts(Parts(parts)) => Poll::Ready(parts.next().map(|part| Ok(Frame::data(part)))),
            Kind::Zeros(left) => {
                let chunk = usize::try_from(*left).unwrap_or(usize::MAX).min(CHUNK_BYTES_MAX);
                *left -= chunk as u64;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&ZEROS[..chunk])))))
            }
            Kind::File(part) => {
                let chunk = ready!(part.poll_chunk(cx, metered.as_ref().map(|metered| &metered.pace)));
                let counted = metered.clone().zip(held.clone());
                Poll::Ready(chunk.map(|chunk| chunk.map(|chunk| Frame::data(part.hand_out(chunk, counted)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.kind {
            Kind::Empty => 0,
            Kind::Bytes(bytes) => bytes.len() as u64,
            Kind::File(part) => part.left(),
            Kind::Parts(_) => return SizeHint::default(),
            Kind::Zeros(left) => *left,
        })
    }
}

/// A chunk on its way: whoever writes it lets go of it when its last byte is written. It is counted when it is dropped
/// while its connection is open; one that a client left half read is not.
struct Sent {
    bytes: Bytes,
    _room: Room,
    _written: oneshot::Sender<Infallible>,
    counted: Option<(Metered, Arc<Line>)>,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some((metered, line)) = &self.counted
            && !line.0.load(Ordering::Relaxed)
        {
            let bytes = self.bytes.len() as u64;
            metered.of_torrent.fetch_add(bytes, Ordering::Relaxed);
            metered.of_all.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

/// Where the bytes of a file come from.
enum Source {
    Plain(Arc<File>, shelf::Line),
    Right(Arc<Reading>),
}

struct FilePart {
    source: Source,
    shelf: Arc<Shelf>,
    at: u64,
    left: u64,
    /// The chunk at `at`. It is read when it is asked for: what the system holds of the former ones for the client is
    /// more than a chunk, so that it has something to do meanwhile.
    reading: Option<(Underway, Room)>,
    /// The chunk before `at`, which waits for its turn.
    waiting: Option<(Chunk, Option<Turn>)>,
    /// It ends when the chunk that was handed out last is written.
    former: Option<oneshot::Receiver<Infallible>>,
}

/// Bytes that were read, and their room.
type Chunk = (Bytes, Room);

type Underway = Pin<Box<dyn Future<Output = io::Result<Bytes>> + Send>>;

type Turn = Pin<Box<dyn Future<Output = ()> + Send>>;

impl fmt::Debug for FilePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilePart").field("at", &self.at).field("left", &self.left).finish_non_exhaustive()
    }
}

impl FilePart {
    /// Bytes that are not handed out yet.
    fn left(&self) -> u64 {
        self.left + self.waiting.as_ref().map_or(0, |((bytes, _), _)| bytes.len() as u64)
    }

    /// Reads the next chunk, if there is one and it does not wait already.
    fn poll_fill(&mut self, cx: &mut Context<'_>, pace: Option<&Arc<Pace>>) -> Poll<io::Result<()>> {
        while self.waiting.is_none() && self.left > 0 {
            if let Some((mut reading, room)) = self.reading.take() {
                let Poll::Ready(chunk) = reading.as_mut().poll(cx) else {
                    self.reading = Some((reading, room));
                    return Poll::Pending;
                };
                self.take_in(chunk?, room, pace);
                continue;
            }
            ready!(self.poll_room(cx));
            let room = self.shelf.take(self.wanted(pace));
            if let Some(chunk) = self.read_at_once(room.bytes()) {
                self.take_in(chunk, room, pace);
            } else {
                self.reading = Some((self.read(room.bytes()), room));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn take_in(&mut self, chunk: Bytes, room: Room, pace: Option<&Arc<Pace>>) {
        let bytes = chunk.len() as u64;
        self.at += bytes;
        self.left -= bytes;
        self.waiting = Some(((chunk, room), turn(pace, bytes)));
    }

    /// Waits, where room is scarce, until nothing of this body is in memory any more: a client that does not read keeps
    /// one chunk.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(former) = self.former.as_mut().filter(|_| !self.shelf.is_ample()) {
            // Nothing is ever sent: that the sender is gone is the message.
            let Err(_) = ready!(Pin::new(former).poll(cx));
            self.former = None;
        }
        Poll::Ready(())
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>, pace: Option<&Arc<Pace>>) -> Poll<Option<io::Result<Chunk>>> {
        ready!(self.poll_fill(cx, pace))?;
        let Some((chunk, mut turn)) = self.waiting.take() else { return Poll::Ready(None) };
        if turn.as_mut().is_some_and(|turn| turn.as_mut().poll(cx).is_pending()) {
            self.waiting = Some((chunk, turn));
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(chunk)))
    }

    fn hand_out(&mut self, (bytes, room): Chunk, counted: Option<(Metered, Arc<Line>)>) -> Bytes {
        let (written, former) = oneshot::channel();
        self.former = Some(former);
        Bytes::from_owner(Sent { bytes, _room: room, _written: written, counted })
    }

    /// Reads the next so many bytes, where the system has them in its cache.
    fn read_at_once(&self, wanted: usize) -> Option<Bytes> {
        match &self.source {
            Source::Plain(file, _) => {
                let mut chunk = vec![0; wanted];
                let bytes = cached::read(file, &mut [IoSliceMut::new(&mut chunk)], self.at).ok()?;
                (bytes == wanted).then(|| chunk.into())
            }
            Source::Right(reading) => reading.read_at_once(self.at, wanted),
        }
    }

    /// Reads the next so many bytes beside the threads of the runtime: file systems block.
    fn read(&self, wanted: usize) -> Underway {
        let at = self.at;
        match &self.source {
            Source::Plain(file, line) => {
                let (file, line) = (Arc::clone(file), line.clone());
                Box::pin(async move { line.wait(move || read(&file, at, wanted)).await? })
            }
            Source::Right(reading) => Box::pin(Arc::clone(reading).read(at, wanted)),
        }
    }

    /// The bytes of the next chunk, where there is room.
    fn wanted(&self, pace: Option<&Arc<Pace>>) -> usize {
        let most = u32::try_from(CHUNK_BYTES_MAX).expect("a chunk is small");
        let most = pace.map_or(most, |pace| pace.turn_bytes(most));
        usize::try_from(self.left.min(most.into())).expect("a chunk is small")
    }
}

/// When `bytes` may go; `None` is now.
fn turn(pace: Option<&Arc<Pace>>, bytes: u64) -> Option<Turn> {
    let pace = Arc::clone(pace.filter(|pace| !pace.pass(bytes))?);
    Some(Box::pin(async move { pace.take(bytes).await }))
}

fn read(file: &File, at: u64, wanted: usize) -> io::Result<Bytes> {
    let mut chunk = vec![0; wanted];
    file.read_exact_at(&mut chunk, at)?;
    Ok(chunk.into())
}

#[cfg(test)]
mod tests {
    use super::super::shelf::CHUNK_BYTES_MIN;
    use super::*;
    use http_body_util::BodyExt;
    use std::io::Write;
    use std::num::NonZeroU64;

    fn file_of(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(bytes).expect("written");
        file
    }

    fn body(file: File, start: u64, bytes: u64) -> Body {
        Body::file(&Arc::default(), file, start, bytes)
    }

    #[tokio::test]
    async fn clients_that_do_not_read_share_what_is_read_for_them() {
        const BYTES_MAX: usize = 4 << 20;
        // What hyper takes of an answer before it waits for the client.
        const TAKEN_MIN: usize = 64 * 1024;
        let shelf = Arc::new(Shelf::of(BYTES_MAX));
        let file = tempfile::tempfile().expect("a temporary file");
        file.set_len(1 << 20).expect("a sparse file");
        let mut bodies = Vec::new();
        for _ in 0..200 {
            let mut body = Body::file(&shelf, file.try_clone().expect("a descriptor"), 0, 1 << 20);
            let mut taken: Vec<Bytes> = Vec::new();
            while taken.iter().map(Bytes::len).sum::<usize>() < TAKEN_MIN {
                // One who has something gets no more where it waits for that to be taken.
                let next = poll_fn(|cx| match Pin::new(&mut body).poll_frame(cx) {
                    Poll::Pending if matches!(&body.kind, Kind::File(FilePart { reading: None, .. })) => {
                        Poll::Ready(None)
                    }
                    frame => frame,
                });
                let Some(frame) = next.await else { break };
                taken.push(frame.expect("readable").into_data().expect("data"));
            }
            assert!(!taken.is_empty(), "everybody gets something");
            bodies.push((body, taken));
        }
        assert!(shelf.held() <= BYTES_MAX + bodies.len() * CHUNK_BYTES_MIN, "{}", shelf.held());
        // Who reads on is served on, to the end.
        let (mut body, taken) = bodies.pop().expect("many");
        let mut got = taken.iter().map(Bytes::len).sum::<usize>();
        drop(taken);
        while let Some(frame) = body.frame().await {
            got += frame.expect("readable").into_data().expect("data").len();
        }
        assert_eq!(got, 1 << 20);
        drop(bodies);
        assert_eq!(shelf.held(), 0);
    }

    #[tokio::test]
    async fn a_part_of_a_file_comes_in_bounded_chunks() {
        let content: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[1]).collect();
        let mut body = body(file_of(&content), 1, 299_998);
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
        let error = body(file_of(b"abc"), 0, 4).collect().await.map(|_| ()).expect_err("too short");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    fn metered(pace: Option<u64>) -> Metered {
        let pace = Arc::new(Pace::new(pace.and_then(NonZeroU64::new)));
        Metered { of_torrent: Arc::default(), of_all: Arc::default(), pace }
    }

    #[tokio::test]
    async fn what_is_written_is_counted_when_it_is_let_go_and_not_after_the_connection_is_closed() {
        let (line, metered) = (Arc::new(Line::default()), metered(None));
        let mut body = body(file_of(&vec![1; 300_000]), 0, 300_000);
        body.hold(Arc::clone(&line));
        body.meter(metered.clone());
        let mut next = async || body.frame().await.expect("a chunk").expect("readable").into_data().expect("data");
        let [first, second, third] = [next().await, next().await, next().await];
        let counted = || metered.of_torrent.load(Ordering::Relaxed);
        assert_eq!(counted(), 0);
        drop(first);
        assert_eq!(counted(), 131_072);
        drop(third);
        assert_eq!((counted(), metered.of_all.load(Ordering::Relaxed)), (168_928, 168_928));
        line.close();
        drop(second);
        assert_eq!(counted(), 168_928);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_leaves_at_the_pace_in_small_parts_and_at_once_when_the_pace_is_lifted() {
        let metered = metered(Some(100_000));
        let mut body = body(file_of(&vec![1; 300_000]), 0, 300_000);
        body.meter(metered.clone());
        let start = tokio::time::Instant::now();
        let mut got = 0;
        for _ in 0..5 {
            let chunk = body.frame().await.expect("a chunk").expect("readable").into_data().expect("data");
            got += chunk.len();
        }
        assert_eq!((got, start.elapsed().as_millis()), (125_000, 1000), "the first turn is free");
        assert_eq!(body.size_hint().exact(), Some(175_000));
        metered.pace.set(None);
        assert_eq!(body.collect().await.expect("readable").to_bytes().len(), 175_000);
        assert_eq!(start.elapsed().as_millis(), 1000);
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
