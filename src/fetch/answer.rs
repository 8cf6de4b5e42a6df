//! What the head of an answer says about the file.

use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::{
    AsHeaderName, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
};

use super::http::Answer;
use super::{Remote, VALUE_BYTES_MAX, Validators};

/// Which bytes an answer holds, and of how many (RFC 9110 section 14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Its first byte, counted from 0.
    pub from: u64,
    /// The bytes of the whole file.
    pub total: u64,
}

impl Span {
    /// What the answer holds; `None` where it holds nothing, or doesn't say how large the file is.
    pub fn of(answer: &Answer) -> Option<Self> {
        match answer.status {
            StatusCode::PARTIAL_CONTENT => content_range(answer.headers.get(CONTENT_RANGE)?.to_str().ok()?),
            StatusCode::OK => Some(Self { from: 0, total: answer.body.size_hint().exact()? }),
            _ => None,
        }
    }
}

/// Reads `bytes 0-99/1000`.
fn content_range(text: &str) -> Option<Span> {
    let (span, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (from, to) = span.split_once('-')?;
    let (from, to, total) = (number(from)?, number(to)?, number(total)?);
    (from <= to && to < total).then_some(Span { from, total })
}

/// Digits only: `parse` alone would take a `+`.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// What the answer says about the file of `bytes` bytes that was asked for as `url`.
pub(super) fn remote(answer: &Answer, url: &str, bytes: u64) -> Remote {
    Remote {
        url: url.to_owned(),
        final_url: answer.url.to_string(),
        redirects: answer.redirects.clone(),
        bytes,
        etag: value(&answer.headers, ETAG),
        last_modified: value(&answer.headers, LAST_MODIFIED),
        content_type: value(&answer.headers, CONTENT_TYPE),
        ranges: answer.status == StatusCode::PARTIAL_CONTENT,
    }
}

/// The content coding that the body has though none was asked for.
pub(super) fn coding(headers: &HeaderMap) -> Option<String> {
    let coding = String::from_utf8_lossy(headers.get(CONTENT_ENCODING)?.as_bytes()).trim().to_ascii_lowercase();
    (!matches!(coding.as_str(), "" | "identity")).then_some(coding)
}

/// The value of a header, where it is one that is kept.
pub(super) fn value(headers: &HeaderMap, name: impl AsHeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty() && value.len() <= VALUE_BYTES_MAX).then(|| value.to_owned())
}

impl Validators {
    /// What is sent to have the file only if it is another one.
    pub(super) fn unless_same(&self, headers: &mut HeaderMap) {
        let condition = match (&self.etag, &self.last_modified) {
            (Some(etag), _) => Some((IF_NONE_MATCH, etag)),
            (None, Some(date)) => Some((IF_MODIFIED_SINCE, date)),
            (None, None) => None,
        };
        insert(headers, condition);
    }

    /// What is sent to have the rest of the file from byte `from` on, and the whole if it is another one.
    pub(super) fn rest(&self, from: u64, headers: &mut HeaderMap) {
        headers.insert(RANGE, range(from, None));
        // A weak ETag may not stand in If-Range (RFC 9110 section 13.1.5).
        let strong = self.etag.as_ref().filter(|etag| !etag.starts_with("W/"));
        insert(headers, strong.or(self.last_modified.as_ref()).map(|validator| (IF_RANGE, validator)));
    }

    /// Whether the answer is about the same file, as far as both say something that can be compared.
    pub(super) fn fit(&self, answer: &Answer) -> bool {
        let same = |own: &Option<String>, name| match value(&answer.headers, name) {
            Some(other) => own.as_ref() == Some(&other),
            // A 206 may leave them out when If-Range held (RFC 9110 section 15.3.7).
            None => true,
        };
        same(&self.etag, ETAG) && same(&self.last_modified, LAST_MODIFIED)
    }

    /// Whether these say that `remote` is the file they were taken from. Equal sizes alone say nothing.
    pub(super) fn prove(&self, remote: &Remote) -> bool {
        let told = if self.etag.is_some() {
            self.etag == remote.etag
        } else {
            self.last_modified.is_some() && self.last_modified == remote.last_modified
        };
        told && self.bytes == remote.bytes
    }

    /// Whether there is anything to compare but the size.
    pub(super) fn any(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some()
    }
}

/// `bytes=N-`, or `bytes=N-M` up to the byte before `end`.
pub(super) fn range(from: u64, end: Option<u64>) -> HeaderValue {
    let last = end.map(|end| (end.max(from + 1) - 1).to_string()).unwrap_or_default();
    HeaderValue::try_from(format!("bytes={from}-{last}")).expect("digits and ASCII may stand in a header")
}

fn insert(headers: &mut HeaderMap, header: Option<(HeaderName, &String)>) {
    // Validators come from a header, or from a file that somebody edited: what can't be sent is not.
    if let Some((name, value)) = header.and_then(|(name, value)| Some((name, value.parse().ok()?))) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_names_a_span_inside_the_file_or_nothing() {
        assert_eq!(content_range("bytes 0-99/1000"), Some(Span { from: 0, total: 1000 }));
        assert_eq!(content_range("bytes 999-999/1000"), Some(Span { from: 999, total: 1000 }));
        for wrong in [
            "",
            "bytes",
            "bytes 0-99/*",
            "bytes */1000",
            "bytes 0-1000/1000",
            "bytes 5-4/1000",
            "bytes +0-+9/+10",
            "bytes 0-/10",
            "bytes 0-99999999999999999999/100000000000000000000",
            "items 0-99/1000",
        ] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }
}
