//! Which room answers a request.
//!
//! Every address is answered at the root and below the path of the site's `base_url`, so that it is found by a proxy
//! that strips the path and by one that does not.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode, Uri};

use super::clock;
use super::files::path::{self, Refused, UrlPath};
use super::files::{self, Ask};
use super::http::Ends;
use super::metrics;
use super::reply::{self, Reply};
use super::state::State;
use super::status::{self, Row, Snapshot};
use crate::id::{InfoHash, InfoHashV2};

/// The most torrents that one request of `/api/swarms.json` names.
const NAMED_MAX: usize = 256;

/// Answers a request.
pub async fn answer(state: Arc<State>, ends: Ends, request: Request<Incoming>) -> Reply {
    let uri = request.uri().clone();
    let path = match path::parse(uri.path()) {
        Ok(path) => path,
        // The one hidden name that clients ask for, where a torrent has it.
        Err(Refused::Hidden) if let Some(bytes) = pad(&state, uri.path()) => {
            return files::pad(bytes, request.method(), request.headers(), clock::now());
        }
        Err(Refused::Malformed) => return reply::text(StatusCode::BAD_REQUEST, "this is not the path of a URL"),
        Err(Refused::Hidden) => return from_files(state, None, &request).await,
    };
    let path = below_base(&state, path);
    let query = uri.query().unwrap_or_default().as_bytes();
    let method = request.method();
    match path.text().as_str() {
        "announce" => state.tracker.http_announce(method, query, ends, request.headers()),
        "scrape" => state.tracker.http_scrape(method, query),
        "swarms" => shown(method, || status::page(&state.snapshot())),
        "swarms.css" => shown(method, status::style),
        "swarms.js" => shown(method, status::script),
        "api/swarms.json" => shown(method, || numbers(&state.snapshot(), &uri)),
        "healthz" => {
            let unable = tokio::fs::metadata(&state.root)
                .await
                .err()
                .map(|error| format!("the folder of the site can't be read: {}", error.kind()));
            shown(method, || status::health(&state.snapshot(), unable.as_deref()))
        }
        "metrics" => shown(method, || {
            metrics::render(&metrics::Sources {
                snapshot: &state.snapshot(),
                peers: state.tracker.swarms().peers(),
                tracker: state.tracker.counters(),
                http: &state.http,
                started_secs: state.started_secs,
            })
        }),
        _ => from_files(state, Some(path), &request).await,
    }
}

/// The bytes of the padding (BEP 47) that a path such as `/media/NAME/.pad/N` names, where a torrent of the site has it.
fn pad(state: &State, path: &str) -> Option<u64> {
    let (folder, bytes) = path.rsplit_once("/.pad/")?;
    let folder = below_base(state, path::parse(folder).ok()?);
    state.site().pad(&folder.text(), bytes)
}

/// The path as it is at the root.
fn below_base(state: &State, path: UrlPath) -> UrlPath {
    let site = state.site();
    let base = state.base.as_deref().unwrap_or(&site.base);
    if base.is_empty() { path } else { path.below(base).unwrap_or(path) }
}

/// A page that GET and HEAD show.
fn shown(method: &Method, page: impl FnOnce() -> Reply) -> Reply {
    match *method {
        Method::GET | Method::HEAD => page(),
        Method::OPTIONS => reply::options(reply::METHODS),
        _ => reply::method_not_allowed(reply::METHODS),
    }
}

/// `None` is a path that is not told from one that does not exist.
async fn from_files(state: Arc<State>, path: Option<UrlPath>, request: &Request<Incoming>) -> Reply {
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let target = (request.uri().path().to_owned(), request.uri().query().map(str::to_owned));
    // File systems block; a worker thread of the runtime must not.
    let answer = tokio::task::spawn_blocking(move || match path {
        Some(path) => files::answer(&state.root, &Ask { method, path, target, headers }, clock::now()),
        None => shown(&method, || files::not_found(&state.root, clock::now())),
    });
    answer.await.unwrap_or_else(|_| reply::text(StatusCode::INTERNAL_SERVER_ERROR, "this should not have happened"))
}

/// All torrents, or those that the query names: by the info-hash of v1 or v2, or the truncated one of v2.
fn numbers(snapshot: &Snapshot, uri: &Uri) -> Reply {
    let named = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.strip_prefix("info_hash="));
    let named: Option<Vec<String>> = named.take(NAMED_MAX).map(info_hash).collect();
    match named {
        None => reply::text(
            StatusCode::BAD_REQUEST,
            "info_hash is written with 40 hexadecimal digits here, or with 64 for that of v2",
        ),
        Some(named) if named.is_empty() => status::json(snapshot),
        Some(named) => {
            let is_named = |row: &&Row| named.iter().any(|hash| row.is_known_as(hash));
            let torrents = snapshot.torrents.iter().filter(is_named).cloned().collect();
            status::json(&Snapshot { torrents, ..snapshot.clone() })
        }
    }
}

/// The digits of an info-hash of either version, in lower case.
fn info_hash(text: &str) -> Option<String> {
    let v1 = || text.parse::<InfoHash>().ok().map(|hash| hash.to_string());
    v1().or_else(|| text.parse::<InfoHashV2>().ok().map(|hash| hash.to_string()))
}
