//! Which room answers a request.
//!
//! Every address is answered at the root and below the path of the site's `base_url`, so that it is found by a proxy
//! that strips the path and by one that does not.

use std::io::ErrorKind;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode, Uri};

use super::clock;
use super::files;
use super::files::path::{self, Refused, UrlPath};
use super::files::{Files, Medium};
use super::http::Ends;
use super::metrics;
use super::page;
use super::reply::{self, Reply};
use super::shelf::Of;
use super::site::Site;
use super::state::State;
use super::status::{self, Ask};
use crate::id::InfoHash;
use crate::tracker::Seconds;

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
        "swarms" | "api/series.json" => match not_shown(method) {
            Some(reply) => reply,
            None => over_time(&state, &path, &uri).await,
        },
        "swarms.css" => shown(method, page::style),
        "swarms.js" => shown(method, page::script),
        "api/swarms.json" => shown(method, || match asked(&uri) {
            Ok(ask) => status::json(state.snapshot(), &ask),
            Err(error) => reply::text(StatusCode::BAD_REQUEST, error),
        }),
        "healthz" => {
            let root = state.root.clone();
            let looked = state.shelf.line(Of::Root).wait(move || std::fs::metadata(root)).await;
            let unable =
                looked.flatten().err().map(|error| format!("the folder of the site can't be read: {}", error.kind()));
            shown(method, || status::health(&state.snapshot(), unable.as_deref()))
        }
        "metrics" if !state.has_metrics_apart => shown(method, || metrics(&state)),
        _ => from_files(state, Some(path), &request).await,
    }
}

/// Answers a request at the address of the metrics, where there is nothing else.
pub fn answer_metrics(state: &State, request: &Request<Incoming>) -> Reply {
    match request.uri().path() {
        "/metrics" => shown(request.method(), || metrics(state)),
        _ => reply::text(StatusCode::NOT_FOUND, "there is nothing here but /metrics"),
    }
}

fn metrics(state: &State) -> Reply {
    metrics::render(&metrics::Sources {
        snapshot: &state.snapshot(),
        peers: state.tracker.swarms().peers(),
        tracker: state.tracker.counters(),
        http: &state.http,
        store: &state.writer.health(),
        started_secs: state.started_secs,
    })
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
    not_shown(method).unwrap_or_else(page)
}

/// The answer to a method that shows nothing.
fn not_shown(method: &Method) -> Option<Reply> {
    match *method {
        Method::GET | Method::HEAD => None,
        Method::OPTIONS => Some(reply::options(reply::METHODS)),
        _ => Some(reply::method_not_allowed(reply::METHODS)),
    }
}

/// `None` is a path that is not told from one that does not exist.
async fn from_files(state: Arc<State>, path: Option<UrlPath>, request: &Request<Incoming>) -> Reply {
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let target = (request.uri().path().to_owned(), request.uri().query().map(str::to_owned));
    let is_get = method == Method::GET;
    // File systems block; a worker thread of the runtime must not.
    let first = path.as_ref().and_then(|path| path.names.first()).cloned().unwrap_or_default();
    let line = state.shelf.line(Of::Below(first));
    let site = state.site();
    // Its own name will do: what is found by another one is asked for again when it is open.
    let warrant = path.as_ref().and_then(|path| state.seed.warrant(&holders(&site, [&path.text()])));
    let work = move || {
        let media = |names: [&str; 2]| medium(&state, names);
        let files = Files { root: &state.root, shelf: &state.shelf, media };
        match path {
            Some(path) => files.answer(&files::Ask { method, path, target, headers }, clock::now()),
            None => shown(&method, || files.not_found(clock::now())),
        }
    };
    let answer = match warrant {
        Some(warrant) => warrant.supervise(work).await,
        None => line.wait(work).await,
    };
    let mut reply = match answer {
        Ok(reply) => reply,
        Err(error) if error.kind() == ErrorKind::TimedOut => return files::refused(&error),
        Err(_) => return reply::text(StatusCode::INTERNAL_SERVER_ERROR, "this should not have happened"),
    };
    if is_get && let Err(fault) = reply.body_mut().begin().await {
        return files::refused(&fault);
    }
    reply
}

/// What is known of a file by the names that lead to it, where torrents have it by one of them.
fn medium(state: &State, names: [&str; 2]) -> Option<Medium> {
    let site = state.site();
    let holders = holders(&site, names);
    let (first, _) = holders.first()?;
    Some(Medium { warrant: state.seed.warrant(&holders), metered: state.web.metered(*first) })
}

/// The torrents that have a file by one of these names, and what each of them calls it.
fn holders<'s, const N: usize>(site: &'s Site, names: [&str; N]) -> Vec<(InfoHash, &'s str)> {
    let mut holders = Vec::new();
    for name in names {
        for holder in site.holders(name) {
            if !holders.contains(&holder) {
                holders.push(holder);
            }
        }
    }
    holders
}

/// The pages that show what was sent over time: of all torrents together, or of the one that the query names.
async fn over_time(state: &State, path: &UrlPath, uri: &Uri) -> Reply {
    let ask = match asked(uri) {
        Ok(ask) => ask,
        Err(error) => return reply::text(StatusCode::BAD_REQUEST, error),
    };
    let snapshot = state.snapshot();
    let one = snapshot.torrents.iter().find(|row| ask.named.iter().any(|hash| row.is_known_as(hash)));
    let swarms = match one {
        Some(row) => row.named.info_hashes().swarms().collect(),
        None if ask.named.is_empty() => Vec::new(),
        None => return reply::text(StatusCode::NOT_FOUND, "no torrent of this info-hash is served here"),
    };
    let series = state.history.of(swarms, Seconds(snapshot.generated)).await;
    if path.text() == "swarms" {
        return page::answer(&snapshot, &ask, &series);
    }
    match series {
        Ok(series) => status::series(&series, snapshot.generated),
        Err(problem) => reply::unavailable(problem.message()),
    }
}

fn asked(uri: &Uri) -> Result<Ask, &'static str> {
    Ask::parse(uri.query().unwrap_or_default())
}
