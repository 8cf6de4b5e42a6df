//! Answers in the making: status, headers and body, the small ones that several rooms give, and the headers that all
//! answers carry.

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::body::Body;

/// An answer.
pub type Reply = Response<Body>;

/// The methods that anything but the tracker's addresses is asked with.
pub const METHODS: &str = "GET, HEAD, OPTIONS";

/// An answer of one line of plain text, which no cache keeps.
pub fn text(status: StatusCode, line: &str) -> Reply {
    let mut reply = with_type("text/plain; charset=utf-8", format!("{line}\n"));
    *reply.status_mut() = status;
    reply
}

/// A 200 of this type, which no cache keeps.
pub fn with_type(content_type: &'static str, body: impl Into<bytes::Bytes>) -> Reply {
    let mut reply = Response::new(Body::bytes(body));
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// 503, for something that may be there in a moment.
pub fn unavailable(line: &str) -> Reply {
    let mut reply = text(StatusCode::SERVICE_UNAVAILABLE, line);
    reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    reply
}

/// 405, with the methods that are allowed here.
pub fn method_not_allowed(allowed: &'static str) -> Reply {
    let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here");
    reply.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// The answer to `OPTIONS`: what is allowed, also for a page of another origin that is about to ask for a range.
pub fn options(allowed: &'static str) -> Reply {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    let headers = reply.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
    any_origin(headers);
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, allowed),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "range, if-range, if-none-match, if-modified-since, cache-control, pragma, content-type",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    reply
}

/// Lets pages of every origin read the answer, and the headers a player or a web seed client looks at.
pub fn any_origin(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = "accept-ranges, content-length, content-range, etag, last-modified";
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
}

/// What every answer carries: browsers take the type that is said, and learn no more of a visitor's way than they need.
pub fn finish(reply: &mut Reply) {
    const ALWAYS: [(HeaderName, &str); 2] =
        [(header::X_CONTENT_TYPE_OPTIONS, "nosniff"), (header::REFERRER_POLICY, "strict-origin-when-cross-origin")];
    for (name, value) in ALWAYS {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}
