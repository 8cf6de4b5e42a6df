//! One question and its answer: redirects are followed here, and a failure is told by whether another try may help.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use tokio::time::timeout;
use url::Url;

use super::reach::{NOT_ASKED, Reach, Resolver};
use super::{BUFFER_BYTES_MAX, Options, REDIRECTS_MAX, Redirect, allowed};
use crate::problem::Problem;

/// The most connections to one server that wait for the next file.
const IDLE_MAX: usize = 4;
/// How long they wait.
const IDLE_WITHIN: Duration = Duration::from_secs(20);

/// Asks servers.
pub(super) struct Http {
    client: legacy::Client<HttpsConnector<HttpConnector<Resolver>>, Empty<Bytes>>,
    head_within: Duration,
    reach: Reach,
}

/// An answer that is a file, a part of one, or the word that there is nothing to send: 200, 206, 304 or 416.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Incoming,
    /// Who answered.
    pub url: Url,
    pub redirects: Vec<Redirect>,
}

/// Why there is no such answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no connection to the server: now, or because there is no such server.
    Unreachable(Problem),
    /// It may pass, but not before so long has gone by.
    Passing(Problem, Duration),
    /// Another try would bring the same.
    Lasting(Problem),
}

impl Http {
    pub fn new(options: &Options, tls: ClientConfig) -> Self {
        let mut connector = HttpConnector::new_with_resolver(Resolver::new(options.reach.clone()));
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(options.connect_within));
        connector.set_nodelay(true);
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector);
        let client = legacy::Client::builder(TokioExecutor::new())
            .http1_max_buf_size(BUFFER_BYTES_MAX)
            .pool_max_idle_per_host(IDLE_MAX)
            .pool_idle_timeout(IDLE_WITHIN)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self { client, head_within: options.head_within, reach: options.reach.clone() }
    }

    /// Asks for `url` with `headers`, and wherever the answers point to.
    pub async fn get(&self, url: &Url, headers: &HeaderMap) -> Result<Answer, Failure> {
        let mut asked = Asked { first: url, url: url.clone(), redirects: Vec::new() };
        loop {
            let response = self.get_once(&asked, headers).await?;
            let status = response.status();
            match status.as_u16() {
                200 | 206 | 304 | 416 => {
                    let (head, body) = response.into_parts();
                    let Asked { url, redirects, .. } = asked;
                    return Ok(Answer { status, headers: head.headers, body, url, redirects });
                }
                301 | 302 | 303 | 307 | 308 => asked.follow(&response)?,
                408 | 429 | 500 | 502 | 503 | 504 => {
                    return Err(Failure::Passing(asked.refused(status), retry_after(response.headers())));
                }
                _ => return Err(Failure::Lasting(asked.refused(status))),
            }
        }
    }

    async fn get_once(&self, asked: &Asked<'_>, headers: &HeaderMap) -> Result<Response<Incoming>, Failure> {
        // Addresses; names are looked at when they are looked up.
        if !self.reach.admits(&asked.url) {
            let help = "copy it to a public address, or mirror it from a machine of that network itself";
            return Err(Failure::Lasting(asked.problem(format_args!("{NOT_ASKED}")).help(help)));
        }
        let mut request = Request::get(asked.url.as_str())
            .body(Empty::new())
            .map_err(|error| Failure::Lasting(asked.problem(format_args!("can't be asked for: {error}"))))?;
        *request.headers_mut() = headers.clone();
        // Another coding would be hashed, and offered to peers, in place of the file.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(AGENT));
        match timeout(self.head_within, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(asked.failed(&error)),
            Err(_) => {
                let within = self.head_within.as_secs_f64();
                let problem = asked.problem(format_args!("no answer came within {within} s"));
                Err(Failure::Passing(problem.help("try again later"), Duration::ZERO))
            }
        }
    }
}

/// What the program is called, as in the announces of its seed.
const AGENT: &str = concat!("everseed/", env!("CARGO_PKG_VERSION"));

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("head_within", &self.head_within).finish_non_exhaustive()
    }
}

/// The way that a question has gone so far.
struct Asked<'u> {
    first: &'u Url,
    url: Url,
    redirects: Vec<Redirect>,
}

impl Asked<'_> {
    /// Goes where the answer points to.
    fn follow(&mut self, response: &Response<Incoming>) -> Result<(), Failure> {
        let lasting = |problem: Problem| Failure::Lasting(problem.help("use the URL that the file has now"));
        let status = response.status().as_u16();
        if self.redirects.len() == REDIRECTS_MAX {
            return Err(lasting(self.problem(format_args!("redirects more than {REDIRECTS_MAX} times"))));
        }
        let location = response.headers().get(LOCATION).and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
        let Some(mut to) = location.and_then(|location| self.url.join(location).ok()) else {
            return Err(lasting(self.problem(format_args!("answered {status} without saying where the file is"))));
        };
        to.set_fragment(None);
        allowed(&to).map_err(|reason| lasting(self.problem(format_args!("redirects to {reason}"))))?;
        if self.url.scheme() == "https" && to.scheme() == "http" {
            return Err(lasting(
                self.problem(format_args!("redirects from https to {to}, where anybody could change it")),
            ));
        }
        self.redirects.push(Redirect { status, url: to.to_string() });
        self.url = to;
        Ok(())
    }

    fn problem(&self, what: fmt::Arguments<'_>) -> Problem {
        problem(self.first, &self.url, what)
    }

    fn refused(&self, status: StatusCode) -> Problem {
        refused(self.first, &self.url, status)
    }

    fn failed(&self, error: &legacy::Error) -> Failure {
        let problem = self.problem(format_args!("{}", reason(error)));
        let untrusted = |cause: &rustls::Error| matches!(cause, rustls::Error::InvalidCertificate(_));
        if sources(error).any(|cause| cause.downcast_ref().is_some_and(untrusted)) {
            let help =
                "mend the certificate of the server; SSL_CERT_FILE names certificates to trust instead of the system's";
            Failure::Lasting(problem.help(help))
        } else if error.is_connect() {
            Failure::Unreachable(problem.help("correct the host in the URL, or try again when it is reachable"))
        } else if sources(error).any(|cause| cause.downcast_ref().is_some_and(hyper::Error::is_parse)) {
            Failure::Lasting(problem.help("open the URL in a browser: what answers there is not a web server"))
        } else {
            Failure::Passing(problem.help("try again later"), Duration::ZERO)
        }
    }
}

/// A problem of the file `url`, with the place where it was found after redirects.
pub(super) fn problem(url: &Url, last: &Url, what: fmt::Arguments<'_>) -> Problem {
    if url == last {
        Problem::new(format!("{url}: {what}"))
    } else {
        Problem::new(format!("{url} (redirected to {last}): {what}"))
    }
}

/// The problem of an answer that is not the file, which its status tells.
pub(super) fn refused(url: &Url, last: &Url, status: StatusCode) -> Problem {
    let help = match status.as_u16() {
        404 | 410 => "correct the URL where it is written: the file is not there",
        401 | 403 => "let the server give the file to everybody, as listeners need it",
        429 => "try again later, with fewer downloads at a time",
        500..=599 | 408 => "try again later",
        _ => "open the URL in a browser: it should give the file itself",
    };
    problem(url, last, format_args!("answered {status}")).help(help)
}

/// The innermost cause, which says most: the outer ones say that a client met an error.
pub(super) fn reason(error: &(dyn Error + 'static)) -> String {
    sources(error).last().map(ToString::to_string).unwrap_or_default()
}

/// The error, what it comes from, and so on.
fn sources<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        // Asked for its source, an `io::Error` passes over what it was made of.
        match error.downcast_ref().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

/// How long the server asks to wait, where it says it in seconds.
fn retry_after(headers: &HeaderMap) -> Duration {
    let secs = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(secs.unwrap_or_default())
}
