//! A whole document of a bounded size, such as a feed: asked for only if it has changed.

use bytes::Buf;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Body;
use hyper::header::{ETAG, HeaderMap, LAST_MODIFIED};
use tokio::time::timeout;
use url::Url;

use super::answer;
use super::http::{Answer, problem, reason};
use super::{Failed, Shared, Validators};
use crate::problem::Problem;

/// What came of [`super::Client::document`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// The server says that it is the one that is known.
    Same,
    /// The document.
    Body {
        /// All of it.
        bytes: Vec<u8>,
        /// The URL that answered, after the redirects.
        final_url: String,
        /// What tells it from a later one.
        validators: Validators,
    },
}

pub(super) fn get(shared: &Shared, url: &Url, known: Option<&Validators>, bytes_max: u64) -> Result<Document, Failed> {
    let within = shared.options.document_within;
    let got = shared.handle.block_on(async { timeout(within, asked(shared, url, known, bytes_max)).await });
    got.unwrap_or_else(|_| {
        let what = format_args!("was not there whole within {} s", within.as_secs_f64());
        Err(problem(url, url, what).help("try again later").into())
    })
}

async fn asked(shared: &Shared, url: &Url, known: Option<&Validators>, bytes_max: u64) -> Result<Document, Failed> {
    let mut headers = HeaderMap::new();
    if let Some(known) = known {
        known.unless_same(&mut headers);
    }
    let answer = shared.answer(url, &headers).await?;
    if answer.status == StatusCode::NOT_MODIFIED && known.is_some_and(Validators::any) {
        return Ok(Document::Same);
    }
    if answer.status != StatusCode::OK {
        return Err(super::http::refused(url, &answer.url, answer.status).into());
    }
    Ok(whole(shared, url, answer, bytes_max).await?)
}

async fn whole(shared: &Shared, url: &Url, mut answer: Answer, bytes_max: u64) -> Result<Document, Problem> {
    let wrong = |what| problem(url, &answer.url, what);
    if let Some(coding) = answer::coding(&answer.headers) {
        return Err(wrong(format_args!("is sent as `{coding}`, though the document itself was asked for"))
            .help("switch that off on the server for who does not ask for it"));
    }
    let too_large = || problem(url, &answer.url, format_args!("has more than {bytes_max} bytes"));
    if answer.body.size_hint().lower() > bytes_max {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let stall = shared.options.stall_within;
    loop {
        let data = match timeout(stall, answer.body.frame()).await {
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(None) => break,
            Ok(Some(Err(error))) => {
                let what = format_args!("the connection broke at byte {} ({})", bytes.len(), reason(&error));
                return Err(wrong(what).help("try again later"));
            }
            Err(_) => {
                let what = format_args!("nothing came for {} s at byte {}", stall.as_secs_f64(), bytes.len());
                return Err(wrong(what).help("try again later"));
            }
        };
        if data.remaining() as u64 > bytes_max - bytes.len() as u64 {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    let validators = Validators {
        bytes: bytes.len() as u64,
        etag: answer::value(&answer.headers, ETAG),
        last_modified: answer::value(&answer.headers, LAST_MODIFIED),
    };
    Ok(Document::Body { bytes, final_url: answer.url.to_string(), validators })
}
