//! The static site: files below one folder, and nothing else, over GET and HEAD.
//!
//! The layers, in this order:
//!
//! 1. The *method*, before the path: what can't be asked at all tells nothing about what exists.
//! 2. The *path* ([`path`]): decoded once, on text alone, so that no name that leads elsewhere reaches the file system.
//! 3. The *file* ([`resolve`]): real paths only, compared with the real root; symbolic links may move within it.
//! 4. The *folder*: redirected to its `/`, so that relative links on its page work, then its `index.html`.
//! 5. The *presentation* ([`mime`]): type, origins, caching; these headers stand on a 304 as well.
//! 6. The *conditions* ([`conditional`]), before the range: who has the file needs no part of it.
//! 7. The *range* ([`range`]), against the size of the file that is open, so that what is promised is what is sent.
//! 8. The *bytes*, of a file of torrents, by whatever name: those that are known to be bad are refused ([`damaged`]).
//!
//! Beside them stands the padding of torrents ([`pad`]), which is presented as a file is and lies in none.

pub mod conditional;
pub mod mime;
pub mod path;
pub mod range;
pub mod resolve;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use self::conditional::{Conditions, Validators, Verdict};
use self::mime::Presentation;
use self::path::UrlPath;
use self::range::Selection;
use self::resolve::{Found, NOT_FOUND_PAGE, OpenFile};
use super::body::{Body, Metered};
use super::reply::{self, Reply};
use super::shelf::Shelf;
use crate::seed::Warrant;

/// A request for a file.
#[derive(Debug)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// What is asked for, below the site's root.
    pub path: UrlPath,
    /// Path and query as they came; a folder's redirect leads to them with a `/` behind the path.
    pub target: (String, Option<String>),
    /// The headers.
    pub headers: HeaderMap,
}

/// A file that is one of torrents.
#[derive(Debug)]
pub struct Medium {
    /// What tells whether its bytes are right; nothing where the seed does not have it just now.
    pub warrant: Option<Warrant>,
    /// How it leaves.
    pub metered: Metered,
}

/// The files of a site. What asks for them blocks: it belongs on a thread that may.
#[derive(Debug)]
pub struct Files<'a, M> {
    /// The folder that they are below.
    pub root: &'a Path,
    /// What is read of them at one time.
    pub shelf: &'a Arc<Shelf>,
    /// Knows those that are of torrents, by any of the names that lead to one.
    pub media: M,
}

impl<M: Fn([&str; 2]) -> Option<Medium>> Files<'_, M> {
    /// Answers a request.
    pub fn answer(&self, ask: &Ask, now: SystemTime) -> Reply {
        if let Some(reply) = of_method(&ask.method) {
            return reply;
        }
        match resolve::resolve(self.root, &ask.path, now) {
            Ok(Some(Found::File(file))) => self.file(file, ask, now),
            Ok(Some(Found::Folder)) => to_folder(ask),
            Ok(None) => self.not_found(now),
            // No more is said than the kind: the message of the system may name a path.
            Err(error) => reply::unavailable(&format!("not to be had now: {}", error.kind())),
        }
    }

    fn file(&self, open: OpenFile, ask: &Ask, now: SystemTime) -> Reply {
        let medium = (self.media)(open.names());
        let OpenFile { file, bytes, validators, path, .. } = open;
        let part = |start, bytes| {
            let (warrant, metered) = medium.map_or((None, None), |medium| (medium.warrant, Some(medium.metered)));
            let mut body = match warrant {
                Some(warrant) => Body::right(self.shelf, warrant.open(file, start, bytes)?, start, bytes),
                None => Body::file(self.shelf, file, start, bytes),
            };
            if let Some(metered) = metered {
                body.meter(metered);
            }
            Ok(body)
        };
        let presentation = mime::present(&path);
        represent(Content { part, bytes, validators, presentation }, &ask.method, &ask.headers, now)
    }

    /// 404, with the site's own page where it has one that is no file of torrents.
    pub fn not_found(&self, now: SystemTime) -> Reply {
        let page = UrlPath { names: vec![NOT_FOUND_PAGE.to_owned()], folder: false };
        let mut reply = match resolve::resolve(self.root, &page, now) {
            Ok(Some(Found::File(open))) if (self.media)(open.names()).is_none() => {
                let mut reply = reply::with_type("text/html; charset=utf-8", "");
                *reply.body_mut() = Body::file(self.shelf, open.file, 0, open.bytes);
                reply
            }
            _ => reply::text(StatusCode::NOT_FOUND, "there is nothing here"),
        };
        *reply.status_mut() = StatusCode::NOT_FOUND;
        reply
    }
}

/// Answers as a file of `bytes` zeros would be: the padding of a torrent (BEP 47), which no file holds.
pub fn pad(bytes: u64, method: &Method, headers: &HeaderMap, now: SystemTime) -> Reply {
    let content = Content {
        part: |_, bytes| Ok(Body::zeros(bytes)),
        bytes,
        validators: Validators { etag: format!("\"zeros-{bytes:x}\""), modified: None },
        presentation: mime::medium(),
    };
    of_method(method).unwrap_or_else(|| represent(content, method, headers, now))
}

/// The answer to a method that no file is asked with.
fn of_method(method: &Method) -> Option<Reply> {
    match *method {
        Method::GET | Method::HEAD => None,
        Method::OPTIONS => Some(reply::options(reply::METHODS)),
        _ => Some(reply::method_not_allowed(reply::METHODS)),
    }
}

fn to_folder(ask: &Ask) -> Reply {
    let (path, query) = &ask.target;
    let location = match query {
        Some(query) => format!("{path}/?{query}"),
        None => format!("{path}/"),
    };
    // 308 would be as right; 301 is what every old client follows, and a GET or HEAD stays what it is.
    let mut reply = reply::text(StatusCode::MOVED_PERMANENTLY, "the folder stands behind a `/`");
    if let Ok(location) = HeaderValue::from_str(&location) {
        reply.headers_mut().insert(header::LOCATION, location);
    }
    reply
}

/// What is sent of, and what is said of it.
struct Content<F> {
    /// The body of so many bytes from a byte on, or what is wrong with them.
    part: F,
    bytes: u64,
    validators: Validators,
    presentation: Presentation,
}

fn represent(
    content: Content<impl FnOnce(u64, u64) -> Result<Body, String>>,
    method: &Method,
    asked: &HeaderMap,
    now: SystemTime,
) -> Reply {
    let Content { part, bytes: total, validators, presentation } = content;
    let mut reply = Reply::new(Body::empty());
    let headers = reply.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(presentation.cache_control));
    put(headers, header::ETAG, &validators.etag);
    if let Some(modified) = validators.modified {
        put(headers, header::LAST_MODIFIED, &httpdate::fmt_http_date(modified));
    }
    if presentation.any_origin {
        reply::any_origin(headers);
    }

    let ranges = match conditional::evaluate(&conditions(asked), &validators, now) {
        Verdict::Proceed { ranges } => ranges,
        Verdict::NotModified => {
            *reply.status_mut() = StatusCode::NOT_MODIFIED;
            return reply;
        }
        Verdict::PreconditionFailed => {
            *reply.status_mut() = StatusCode::PRECONDITION_FAILED;
            return reply;
        }
    };
    // A range is defined for GET alone (RFC 9110 section 14.2).
    let range = asked.get(header::RANGE).filter(|_| ranges && *method == Method::GET);
    let selection = range.map_or(Selection::Whole, |value| range::select(value.as_bytes(), total));
    let (start, bytes) = match selection {
        Selection::Whole => (0, total),
        Selection::Part { start, bytes } => {
            *reply.status_mut() = StatusCode::PARTIAL_CONTENT;
            let text = format!("bytes {start}-{}/{}", start + bytes - 1, total);
            put(reply.headers_mut(), header::CONTENT_RANGE, &text);
            (start, bytes)
        }
        Selection::Unsatisfiable => {
            *reply.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
            put(reply.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{total}"));
            return reply;
        }
    };
    match part(start, bytes) {
        Ok(body) => *reply.body_mut() = body,
        Err(fault) => return damaged(&fault),
    }
    put(reply.headers_mut(), header::CONTENT_TYPE, &presentation.content_type);
    reply
}

/// The answer where the bytes of a file are not those of its torrent: 503, since a copy of it that is whole may stand
/// here in a moment, and elsewhere now.
fn damaged(fault: &str) -> Reply {
    let mut reply = reply::unavailable(&format!(
        "{fault}: bytes that are not right are not sent. Peers, and other servers that have this file, may give them."
    ));
    // So that a player on a page of another origin learns why.
    reply::any_origin(reply.headers_mut());
    reply
}

/// The answer where nothing is to be had of a file: its bytes are not right, or its disk does not answer (`TimedOut`).
pub fn refused(error: &io::Error) -> Reply {
    if error.kind() != io::ErrorKind::TimedOut {
        return damaged(&error.to_string());
    }
    let mut reply = reply::unavailable(&format!("not to be had now: {error}"));
    reply::any_origin(reply.headers_mut());
    reply
}

fn conditions(headers: &HeaderMap) -> Conditions<'_> {
    let get = |name: HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    Conditions {
        if_match: get(header::IF_MATCH),
        if_none_match: get(header::IF_NONE_MATCH),
        if_modified_since: get(header::IF_MODIFIED_SINCE),
        if_unmodified_since: get(header::IF_UNMODIFIED_SINCE),
        if_range: get(header::IF_RANGE),
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    headers.insert(name, HeaderValue::from_str(value).expect("digits, types and dates are visible ASCII"));
}
