//! One file as it comes: what arrives is handed on, and where the connection breaks the rest is asked for.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Frame, Incoming};
use hyper::header::{HeaderMap, HeaderValue, RANGE};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::answer::{self, Span};
use super::http::{Answer, Failure, problem, reason, refused};
use super::{Failed, Opened, Options, Remote, Shared, Validators};
use crate::problem::Problem;

/// The bytes of one file, or of a part of it, read once and in order. What goes wrong is an [`io::Error`] that carries a
/// [`Problem`] ([`Problem::carried_by`]), and stays so for all later reads.
///
/// Dropped before the end it gives the connection up. Its `read` blocks, so it may not be called from an async task.
#[derive(Debug)]
pub struct Download {
    shared: Arc<Shared>,
    url: Url,
    last_url: Url,
    remote: Remote,
    /// `None` where there is no connection.
    body: Option<Incoming>,
    /// What has come and was not read yet.
    chunk: Bytes,
    /// The byte of the file behind those that have come.
    at: u64,
    /// The byte behind the last that is wanted.
    end: u64,
    /// Whether it is a part, whose reader knows what the bytes are to be: then the server need not say that the file is
    /// still the same, and it is not to hold up those who can have them elsewhere.
    is_part: bool,
    slowness: Slowness,
    slow: Slow,
    tries: Tries,
    failed: Option<Problem>,
}

/// What is too slow for a part of a file: fewer bytes than these in this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slow {
    /// Bytes.
    pub bytes: u64,
    /// How long is waited for them.
    pub within: Duration,
}

/// What a copy that others wait for should give, and hardly any server does not.
impl Default for Slow {
    fn default() -> Self {
        Self { bytes: 1 << 20, within: Duration::from_secs(30) }
    }
}

impl Download {
    /// What the server said about the file.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Which byte of the file is read next.
    pub fn at(&self) -> u64 {
        self.at - self.chunk.len() as u64
    }

    /// Behind which byte of the file nothing more is read.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// From now on fewer bytes than these are too slow, in the place of [`Options::slow_bytes`].
    pub fn hurry(&mut self, slow: Slow) {
        self.slow = slow;
    }

    /// Whether it has failed because it was too slow.
    pub fn was_too_slow(&self) -> bool {
        self.failed.is_some() && self.slowness.is_over
    }

    pub(super) fn open(shared: &Arc<Shared>, text: &str, url: Url, known: &[Validators]) -> Result<Opened, Problem> {
        let answer = shared.handle.block_on(first_answer(shared, &url, &answer::range(0, None), known.first()));
        let answer = answer.map_err(|failed| *failed.problem)?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(Opened::Same { known: 0, final_url: answer.url.to_string() });
        }
        let span = span(&url, &answer, 0)?;
        let download = Self::new(shared, text, url, answer, span, span.total);
        match known.iter().position(|known| known.prove(&download.remote)) {
            Some(known) => Ok(Opened::Same { known, final_url: download.remote.final_url }),
            None => Ok(Opened::Body(download)),
        }
    }

    pub(super) fn part(
        shared: &Arc<Shared>,
        text: &str,
        url: Url,
        wanted: &Range<u64>,
        bytes: u64,
    ) -> Result<Self, Failed> {
        let range = answer::range(wanted.start, Some(wanted.end));
        let answer = shared.handle.block_on(first_answer(shared, &url, &range, None))?;
        let span = span(&url, &answer, wanted.start)?;
        if span.total != bytes {
            let total = span.total;
            return Err(problem(&url, &answer.url, format_args!("has {total} bytes, and {bytes} are wanted"))
                .help("it is another file: correct the URL, or copy the file there")
                .into());
        }
        // A server without ranges sends all of it, from its first byte.
        let end = if answer.status == StatusCode::PARTIAL_CONTENT { wanted.end } else { bytes };
        Ok(Self { is_part: true, ..Self::new(shared, text, url, answer, span, end) })
    }

    fn new(shared: &Arc<Shared>, text: &str, url: Url, answer: Answer, span: Span, end: u64) -> Self {
        let remote = answer::remote(&answer, text, span.total);
        Self {
            shared: Arc::clone(shared),
            url,
            last_url: answer.url,
            remote,
            body: Some(answer.body),
            chunk: Bytes::new(),
            at: span.from,
            end,
            is_part: false,
            slowness: Slowness::default(),
            slow: Slow { bytes: shared.options.slow_bytes, within: shared.options.slow_within },
            tries: Tries::default(),
            failed: None,
        }
    }

    /// The next bytes; none at the end of the file.
    async fn receive(&mut self) -> Result<Bytes, Problem> {
        loop {
            if self.is_part && self.at == self.end {
                // What a server sends beyond it is not waited for.
                self.body = None;
            }
            let why = match &mut self.body {
                // The connection was left at the end.
                None => return Ok(Bytes::new()),
                Some(body) => match self.slowness.frame(body, &self.shared.options).await {
                    Ok(Some(Ok(frame))) => match frame.into_data() {
                        Ok(data) if !data.is_empty() => return self.received(data),
                        // Trailers say nothing about the bytes.
                        _ => continue,
                    },
                    Ok(Some(Err(error))) => reason(&error),
                    Ok(None) => "the answer ended".to_owned(),
                    Err(_) => format!("nothing came for {} s", self.shared.options.stall_within.as_secs_f64()),
                },
            };
            self.body = None;
            if self.at < self.end {
                self.resume(&why).await?;
            }
        }
    }

    fn received(&mut self, mut data: Bytes) -> Result<Bytes, Problem> {
        let left = self.end - self.at;
        if self.is_part {
            // Some servers send more than was asked for.
            data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            if self.slowness.is_too_slow(data.len() as u64, self.slow) {
                let (bytes, secs) = (self.slow.bytes, self.slow.within.as_secs_f64());
                return Err(self
                    .problem(format_args!("sent less than {bytes} bytes in {secs} s"))
                    .help("try again later"));
            }
        } else if data.len() as u64 > left {
            let bytes = self.remote.bytes;
            return Err(self
                .problem(format_args!("more came than the {bytes} bytes that were announced"))
                .help("mend what the server says about the size"));
        }
        self.at += data.len() as u64;
        self.tries.progress();
        Ok(data)
    }

    /// Asks for the rest until it comes.
    async fn resume(&mut self, why: &str) -> Result<(), Problem> {
        let (at, bytes) = (self.at, self.remote.bytes);
        let broken = format_args!("the connection broke at byte {at} of {bytes} ({why})");
        if !self.remote.ranges {
            let what = format_args!("{broken}, and the server sends files from their start only");
            return Err(self.problem(what).help("try again; a server that answers Range with 206 could go on"));
        }
        let validators = self.remote.validators();
        if !validators.any() && !self.is_part {
            let what = format_args!("{broken}, and the server doesn't say whether the file is still the same");
            return Err(self.problem(what).help("try again; a server that sends ETag or Last-Modified could go on"));
        }
        let mut headers = HeaderMap::new();
        if self.is_part {
            headers.insert(RANGE, answer::range(at, Some(self.end)));
        } else {
            validators.rest(at, &mut headers);
        }
        let mut last = self.problem(broken).help("try again later");
        let mut at_least = Duration::ZERO;
        loop {
            self.tries.pause(&self.shared.options, at_least, &last).await?;
            // The URL that was asked for, not the last one: a redirect may be signed for a short time.
            (last, at_least) = match self.shared.http.get(&self.url, &headers).await {
                Ok(answer) => {
                    self.last_url = answer.url.clone();
                    self.body = Some(self.rest(answer, &validators)?);
                    return Ok(());
                }
                Err(Failure::Lasting(problem)) => return Err(problem),
                Err(Failure::Unreachable(problem)) => (problem, Duration::ZERO),
                Err(Failure::Passing(problem, after)) => (problem, after),
            };
        }
    }

    /// The body of an answer that goes on where the former one broke.
    fn rest(&self, answer: Answer, validators: &Validators) -> Result<Incoming, Problem> {
        let (at, bytes) = (self.at, self.remote.bytes);
        let span = Span::of(&answer);
        // A 416 says that the file ends before this byte; If-Range asks for the whole of a file that is another one.
        if answer.status == StatusCode::RANGE_NOT_SATISFIABLE
            || !(self.is_part || validators.fit(&answer))
            || span.is_some_and(|span| span.total != bytes)
        {
            return Err(self
                .problem(format_args!("the file changed while it was downloaded, at byte {at} of {bytes}"))
                .help("run it again when the file is complete on its server"));
        }
        if answer.status != StatusCode::PARTIAL_CONTENT || span.is_none_or(|span| span.from != at) {
            return Err(self
                .problem(format_args!("asked for the bytes from {at} on, the server sent others"))
                .help("mend how the server answers Range"));
        }
        Ok(answer.body)
    }

    fn problem(&self, what: std::fmt::Arguments<'_>) -> Problem {
        problem(&self.url, &self.last_url, what)
    }
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(problem) = &self.failed {
            return Err(problem.clone().into());
        }
        if self.chunk.is_empty() && !buffer.is_empty() {
            let shared = Arc::clone(&self.shared);
            self.chunk = shared.handle.block_on(self.receive()).inspect_err(|problem| {
                self.failed = Some(problem.clone());
                self.body = None;
            })?;
        }
        let len = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..len]);
        Ok(len)
    }
}

/// How little comes from a server that sends, but hardly.
#[derive(Debug, Default)]
struct Slowness {
    /// How long was waited for it.
    waited: Duration,
    /// What has come of it.
    bytes: u64,
    /// Whether it was too little.
    is_over: bool,
}

impl Slowness {
    /// The next frame; an error where none comes in time. A reader that takes its time is not the server's fault.
    async fn frame(
        &mut self,
        body: &mut Incoming,
        options: &Options,
    ) -> Result<Option<Result<Frame<Bytes>, hyper::Error>>, Elapsed> {
        let begun = Instant::now();
        let frame = timeout(options.stall_within, body.frame()).await;
        self.waited += begun.elapsed();
        frame
    }

    /// Takes in so many bytes; whether it was too little for the time.
    fn is_too_slow(&mut self, bytes: u64, slow: Slow) -> bool {
        self.bytes += bytes;
        if self.bytes >= slow.bytes {
            *self = Self::default();
        }
        self.is_over = self.waited > slow.within;
        self.is_over
    }
}

/// Which bytes an answer holds that was to begin at byte 0 or, where it is a part, at byte `from`.
fn span(url: &Url, answer: &Answer, from: u64) -> Result<Span, Problem> {
    let wrong = |what| problem(url, &answer.url, what);
    if let Some(coding) = answer::coding(&answer.headers) {
        return Err(wrong(format_args!("is sent as `{coding}`, though the file itself was asked for"))
            .help("switch compression off for media on the server"));
    }
    let Some(span) = Span::of(answer) else {
        return Err(wrong(format_args!("the server doesn't say how large the file is"))
            .help("let it send Content-Length: podcast apps need it"));
    };
    let wanted = if answer.status == StatusCode::PARTIAL_CONTENT { from } else { 0 };
    if span.from != wanted {
        let from = span.from;
        return Err(wrong(format_args!("the answer begins at byte {from} instead of byte {wanted}"))
            .help("mend how the server answers Range"));
    }
    Ok(span)
}

/// Asks until there is an answer that is a file, or no use in asking.
async fn first_answer(
    shared: &Shared,
    url: &Url,
    range: &HeaderValue,
    known: Option<&Validators>,
) -> Result<Answer, Failed> {
    let mut headers = HeaderMap::new();
    // From the first byte on is the whole file, and the answer tells whether there are ranges.
    headers.insert(RANGE, range.clone());
    if let Some(known) = known {
        known.unless_same(&mut headers);
    }
    let conditional = known.is_some_and(Validators::any);
    let mut tries = Tries::default();
    loop {
        match shared.http.get(url, &headers).await {
            Ok(answer) => match answer.status.as_u16() {
                200 | 206 => return Ok(answer),
                304 if conditional => return Ok(answer),
                // An empty file has no byte 0, and some servers know no ranges.
                416 if headers.remove(RANGE).is_some() => {}
                _ => return Err(refused(url, &answer.url, answer.status).into()),
            },
            Err(Failure::Passing(problem, after)) => tries.pause(&shared.options, after, &problem).await?,
            Err(failure) => return Err(failure.into()),
        }
    }
}

/// How often was tried again.
#[derive(Debug, Default)]
pub(super) struct Tries {
    /// Since the last byte.
    in_row: u32,
    total: u32,
}

impl Tries {
    fn progress(&mut self) {
        self.in_row = 0;
    }

    /// Waits before the next try; where there is none, `last` is why.
    pub(super) async fn pause(&mut self, options: &Options, at_least: Duration, last: &Problem) -> Result<(), Problem> {
        if self.in_row == options.tries_max || self.total == options.resumes_max {
            return Err(last.clone());
        }
        // The first time at once: a connection that was long silent is often just gone.
        let pause = self
            .in_row
            .checked_sub(1)
            .map_or(Duration::ZERO, |doubled| options.pause.saturating_mul(2_u32.saturating_pow(doubled)));
        self.in_row += 1;
        self.total += 1;
        sleep(pause.max(at_least).min(options.pause_max)).await;
        Ok(())
    }
}
