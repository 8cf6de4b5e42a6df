//! From the lock and to it: the content of an order without its media, and what is written down of a release.

use std::path::Path;

use super::{Content, Known, Order, Release};
use crate::id::InfoHashes;
use crate::lock::{Chapter, Origin, Record, names};
use crate::media::{self, Facts};
use crate::metainfo::{File, Kind, Layout, Torrent};
use crate::mime;
use crate::problem::Problem;

/// The content of `order` as `record` and its `torrent` know it; the media are not looked at.
///
/// A problem, told of the file `page`: they were made with other settings than those that now stand.
pub fn locked(order: &Order, record: &Record, torrent: &Torrent, page: &Path) -> Result<Content, Problem> {
    let info = &torrent.metainfo.info;
    let differs = |what: &str, is: &dyn std::fmt::Display, was: &dyn std::fmt::Display| {
        let problem = Problem::at(page, format!("{what} is {is}, and everseed.lock was made with {was}"));
        Err(problem.help("run `everseed lock --accept-changed` where the media are, or take the setting back"))
    };
    if info.kind() != order.kind {
        return differs("the kind of its torrent", &order.kind, &info.kind());
    }
    if let Some(length) = order.piece_length.filter(|length| *length != info.piece_length) {
        return differs("the piece length", &length, &info.piece_length);
    }
    if info.private != order.private {
        return differs("`private`", &order.private, &info.private);
    }
    if info.name != order.name {
        return differs("its name", &order.name, &info.name);
    }
    let file = |bytes: u64, name: &str| Known { bytes, sha384: None, facts: facts(record, name) };
    let files: Vec<_> = match &info.layout {
        Layout::Single(bytes) => vec![Known { sha384: record.sha384, ..file(*bytes, &info.name) }],
        Layout::Multi(files) => {
            content(files).map(|one| file(one.bytes, one.path.last().unwrap_or(&info.name))).collect()
        }
    };
    if files.len() != order.files.len() {
        return differs("the number of its files", &order.files.len(), &files.len());
    }
    let hashes = info.hashes.clone();
    Ok(Content { piece_length: info.piece_length, hashes, files, remote: record.remote.clone(), warnings: Vec::new() })
}

/// The files of a torrent that are content.
fn content(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| !file.is_pad)
}

fn facts(record: &Record, name: &str) -> Facts {
    let is_single = matches!(record.origin, Origin::One(_));
    let mime = record.mime.clone().filter(|_| is_single).unwrap_or_else(|| mime::of(name));
    let chapters =
        record.chapters.iter().map(|one| media::Chapter { start_ms: one.start_ms, title: one.title.clone() });
    Facts {
        duration_ms: record.duration_ms,
        bitrate_bps: record.bitrate_bps,
        chapters: chapters.collect(),
        ..Facts::of_mime(mime)
    }
}

/// What is written down of `release`, which was made of `origin` and goes by `guid` in feeds.
pub fn record(release: &Release, origin: Origin, guid: Option<String>) -> Record {
    let info = &release.torrent.metainfo.info;
    let single = match (&release.files[..], &origin) {
        ([file], Origin::One(_)) => Some(file),
        _ => None,
    };
    Record {
        origin,
        bytes: info.total_bytes(),
        info_hashes: release.torrent.info_hashes,
        piece_length: info.piece_length,
        sha384: single.and_then(|file| file.sha384),
        mime: single.map(|file| file.facts.mime.clone()),
        duration_ms: single.and_then(|file| file.facts.duration_ms),
        bitrate_bps: single.and_then(|file| file.facts.bitrate_bps),
        guid,
        remote: release.remote.clone(),
        chapters: single.map(|file| chapters(&file.facts)).unwrap_or_default(),
    }
}

fn chapters(facts: &Facts) -> Vec<Chapter> {
    facts.chapters.iter().map(|one| Chapter { start_ms: one.start_ms, title: one.title.clone() }).collect()
}

fn kind(record: &Record) -> Kind {
    match record.info_hashes {
        InfoHashes::V1(_) => Kind::V1,
        InfoHashes::V2(_) => Kind::V2,
        InfoHashes::Hybrid(..) => Kind::Hybrid,
    }
}

/// What is to be said of the medium of `slug`, of which `made` was made, where it is not as `record` says.
pub fn held_against(record: &Record, slug: &str, made: &Release) -> Option<Problem> {
    let now = self::record(made, record.origin.clone(), record.guid.clone());
    if let Some(change) = change(record, &now) {
        return Some(Problem::new(format!("the medium of `{slug}`: {change}")));
    }
    let key = now.first_difference(record)?;
    Some(Problem::new(format!("`{key}` of `{slug}` is not what the medium says")).help("run `everseed lock`"))
}

/// What is different between what is written down of a release and what it is now, for a person.
pub fn change(former: &Record, now: &Record) -> Option<String> {
    if former.info_hashes == now.info_hashes {
        return None;
    }
    let why = if former.bytes != now.bytes {
        format!(" ({} bytes, and was {})", now.bytes, former.bytes)
    } else if kind(former) != kind(now) {
        format!(" (of kind {}, and was {})", kind(now), kind(former))
    } else if former.piece_length != now.piece_length {
        format!(" (pieces of {}, and was {})", now.piece_length, former.piece_length)
    } else {
        String::new()
    };
    let (was, is) = (names(former.info_hashes), names(now.info_hashes));
    Some(format!("its info-hash is {is}, and was {was} when it was published{why}"))
}
