//! A medium on another server as a reader: its bytes once, in order, over http or https; what is done with them is the
//! reader's affair.
//!
//! A connection that breaks is taken up again where it broke (`Range`, RFC 9110 section 14), and only if the server
//! says that the file is still the same. The calls block; they are made by threads that hash, not by tasks.

mod answer;
#[cfg(feature = "serve")]
pub mod dht;
mod document;
mod download;
mod http;
pub mod reach;
#[cfg(feature = "serve")]
pub mod swarm;
mod tls;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderMap;
use tokio::runtime::{Builder, Handle, Runtime};
use url::Url;

use crate::problem::Problem;
pub use document::Document;
use download::Tries;
pub use download::{Download, Slow};
use http::{Answer, Failure, Http};
use reach::Reach;

/// The most redirects that are followed for one file.
pub const REDIRECTS_MAX: usize = 10;
/// The most bytes of the head of an answer, and of one piece of its body.
///
/// Between the network and the reader stand one such piece, one that is being read, and what the system buffers for
/// the socket: a reader that is slow slows the sender.
const BUFFER_BYTES_MAX: usize = 256 * 1024;
/// The most bytes of an ETag, a Last-Modified and a Content-Type; longer ones are as good as none.
const VALUE_BYTES_MAX: usize = 1024;

/// How long is waited, and how often is tried.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a TCP connection may take.
    pub connect_within: Duration,
    /// How long an answer may take from the question to the end of its head, the connection included.
    pub head_within: Duration,
    /// How long a body may bring nothing.
    pub stall_within: Duration,
    /// How often in a row is tried again when no byte comes of it: the first time at once, then with pauses.
    pub tries_max: u32,
    /// How often altogether one download is taken up again.
    pub resumes_max: u32,
    /// The first pause; each further one is twice as long.
    pub pause: Duration,
    /// The longest pause, also where the server asks for a longer one (`Retry-After`).
    pub pause_max: Duration,
    /// How long a [`Client::document`] may take in all.
    pub document_within: Duration,
    /// How long a [`Client::part`] may take for `slow_bytes`; its file may be had elsewhere.
    pub slow_within: Duration,
    /// Bytes.
    pub slow_bytes: u64,
    /// Who may be asked.
    pub reach: Reach,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_within: Duration::from_secs(10),
            head_within: Duration::from_secs(30),
            stall_within: Duration::from_secs(30),
            tries_max: 6,
            resumes_max: 1000,
            pause: Duration::from_secs(1),
            pause_max: Duration::from_secs(30),
            document_within: Duration::from_secs(300),
            slow_within: Duration::from_secs(60),
            slow_bytes: 64 * 1024,
            reach: Reach::Anywhere,
        }
    }
}

/// Opens downloads. One serves any number of threads; each download of it is a connection.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

/// What came of [`Client::open`].
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one a file, and it is taken apart at once")]
pub enum Opened {
    /// The server says that the file is the one that some of the validators were taken from. No byte of it was read.
    Same {
        /// Whose: their place among those that were known.
        known: usize,
        /// The URL that answered, after the redirects.
        final_url: String,
    },
    /// The file, from its first byte.
    Body(Download),
}

/// Why there is no answer that is of use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// What went wrong. In a box: an answer is moved about more often than a failure.
    pub problem: Box<Problem>,
    /// How long the server asks to be left alone (`Retry-After`).
    pub after: Duration,
    /// Whether the server was not reached at all: no other question to it is worth a try now.
    pub is_unreachable: bool,
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), after: Duration::ZERO, is_unreachable: false }
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unreachable(problem) => Self { is_unreachable: true, ..problem.into() },
            Failure::Passing(problem, after) => Self { after, ..problem.into() },
            Failure::Lasting(problem) => problem.into(),
        }
    }
}

/// What a server says about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The URL as it was asked for.
    pub url: String,
    /// The URL that answered, after the redirects.
    pub final_url: String,
    /// The redirects on the way, in order.
    pub redirects: Vec<Redirect>,
    /// The bytes of the file.
    pub bytes: u64,
    /// The `ETag`, with its quotes, and with `W/` where it is weak.
    pub etag: Option<String>,
    /// The `Last-Modified`, as it was written.
    pub last_modified: Option<String>,
    /// The `Content-Type`, as it was written.
    pub content_type: Option<String>,
    /// Whether a `Range` is answered with 206, as web seeds (BEP 19) and the resuming of downloads need it.
    pub ranges: bool,
}

/// One step from the URL that was asked for to the one that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    /// Where to, as an absolute URL.
    pub url: String,
}

/// What tells a file from a later one under the same URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validators {
    /// The bytes of the file.
    pub bytes: u64,
    /// The `ETag`, as the server wrote it.
    pub etag: Option<String>,
    /// The `Last-Modified`, as the server wrote it.
    pub last_modified: Option<String>,
}

impl Client {
    /// A client that trusts the certificates the system trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured).
    ///
    /// Errors: certificates that can't be read, a thread that can't be started.
    pub fn new(options: &Options) -> Result<Self, Problem> {
        Self::with_roots(options, tls::roots()?)
    }

    fn with_roots(options: &Options, roots: tls::Roots) -> Result<Self, Problem> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(LOOKUPS_MAX)
            .thread_name("fetch")
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| Problem::new(format!("can't start a thread for downloads: {error}")))?;
        let shared = Shared {
            handle: runtime.handle().clone(),
            http: Http::new(options, tls::config(roots)?),
            options: options.clone(),
            _threads: Threads(Some(runtime)),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Asks for `url` and waits for the head of the answer. The server is asked for the file only if it is no longer the
    /// one that the first of `known` was taken from; the answer is held against the others as well.
    ///
    /// It blocks, so it may not be called from an async task. A server that is overloaded (408, 429, 5xx) or breaks the
    /// connection is asked again; one that is not reached at all is not.
    ///
    /// Errors, each with URL and remedy: a URL that is not http or https or holds credentials, an unreachable server,
    /// a status other than success, too many redirects or one from https to http, a file whose size is not told, a
    /// content coding that was not asked for.
    pub fn open(&self, url: &str, known: &[Validators]) -> Result<Opened, Problem> {
        Download::open(&self.shared, url, parse(url)?, known)
    }

    /// Asks for the bytes `wanted` of a file that has `bytes` of them in all. A server that knows no ranges sends it from
    /// its first byte on: [`Download::at`] tells. Its reader checks what comes: where the connection breaks, the server
    /// need not say that the file is still the same.
    ///
    /// It blocks, as [`Client::open`] does. Errors beside the ones there: a file of another size, and later a server that
    /// hardly sends ([`Options::slow_bytes`]).
    pub fn part(&self, url: &str, wanted: &Range<u64>, bytes: u64) -> Result<Download, Failed> {
        Download::part(&self.shared, url, parse(url)?, wanted, bytes)
    }

    /// The document at `url`, whole and of `bytes_max` bytes at most, if it is not the one that `known` was taken from. Its
    /// size need not be told before.
    ///
    /// It blocks as [`Client::open`] does, and asks again as often; not where the server asks to be left alone for longer
    /// than this client pauses.
    pub fn document(&self, url: &str, known: Option<&Validators>, bytes_max: u64) -> Result<Document, Failed> {
        document::get(&self.shared, &parse(url)?, known, bytes_max)
    }
}

/// The most lookups of names at a time; further ones wait.
const LOOKUPS_MAX: usize = 4;

/// What a client and its downloads share. It lives as long as one of them.
#[derive(Debug)]
struct Shared {
    handle: Handle,
    http: Http,
    options: Options,
    _threads: Threads,
}

impl Shared {
    /// The answer to a question, asked again where it may help.
    async fn answer(&self, url: &Url, headers: &HeaderMap) -> Result<Answer, Failed> {
        let mut tries = Tries::default();
        loop {
            match self.http.get(url, headers).await {
                Ok(answer) if matches!(answer.status.as_u16(), 200 | 206 | 304) => return Ok(answer),
                Ok(answer) => return Err(http::refused(url, &answer.url, answer.status).into()),
                Err(Failure::Passing(problem, after)) if after <= self.options.pause_max => {
                    tries.pause(&self.options, after, &problem).await?;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }
}

/// The threads of the network, which end with it.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Not waited for: the lookup of a name can take a minute.
            runtime.shutdown_background();
        }
    }
}

impl Remote {
    /// What tells this file from a later one.
    pub fn validators(&self) -> Validators {
        Validators { bytes: self.bytes, etag: self.etag.clone(), last_modified: self.last_modified.clone() }
    }
}

/// Reads a URL that may be fetched.
fn parse(text: &str) -> Result<Url, Problem> {
    const HELP: &str = "write it as https://example.org/episode.mp3";
    let wrong = |message: String| Problem::new(message).help(HELP);
    let mut url = Url::parse(text).map_err(|error| wrong(format!("`{text}` is not a URL: {error}")))?;
    allowed(&url).map_err(wrong)?;
    url.set_fragment(None);
    Ok(url)
}

/// Whether the URL is one that is fetched; else the reason, which does not repeat a password.
fn allowed(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{url}: files are fetched over http and https only"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let mut shown = url.clone();
        // Neither fails for a URL with a host, which http and https have.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        return Err(format!(
            "{shown}: a user name or password stands in the URL, and all who read the feed would see it"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod part_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
