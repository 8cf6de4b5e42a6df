//! `everseed torrent show`: what a `.torrent` says, as text and as JSON.

use serde::Serialize;

use super::read;
use crate::cli::args::ShowArgs;
use crate::cli::report::{Failure, say};
use crate::id::InfoHashV2;
use crate::metainfo::{self, Info, Kind, Layout, Torrent};
use crate::units::size_text;

/// Shows a `.torrent`.
pub fn show(args: &ShowArgs) -> Result<(), Failure> {
    let torrent = read(&args.file)?;
    say(if args.json { as_json(&torrent) } else { as_text(&torrent) })
}

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    kind: &'static str,
    info_hash: Option<String>,
    info_hash_v2: Option<String>,
    info_hash_v2_truncated: Option<String>,
    bytes: u64,
    piece_length: u32,
    pieces: u64,
    pads: usize,
    pad_bytes: u64,
    private: bool,
    source: Option<&'a str>,
    trackers: &'a [Vec<String>],
    web_seeds: &'a [String],
    creation_date: Option<i64>,
    created_by: Option<&'a str>,
    comment: Option<&'a str>,
    files: Vec<ShownFile>,
    magnet: String,
}

/// A file as JSON has it.
#[derive(Serialize)]
pub struct ShownFile {
    path: String,
    bytes: u64,
}

/// The files of a torrent, without pads.
pub fn shown_files(info: &Info) -> Vec<ShownFile> {
    info.files().into_iter().map(|(path, bytes)| ShownFile { path, bytes }).collect()
}

/// How many pads there are.
fn pads(info: &Info) -> usize {
    match &info.layout {
        Layout::Single(_) => 0,
        Layout::Multi(files) => files.iter().filter(|file| file.is_pad).count(),
    }
}

fn as_json(torrent: &Torrent) -> String {
    let metainfo = &torrent.metainfo;
    let info = &metainfo.info;
    let hashes = torrent.info_hashes;
    let shown = Shown {
        name: &info.name,
        kind: info.kind().as_str(),
        info_hash: hashes.v1().map(|hash| hash.to_string()),
        info_hash_v2: hashes.v2().map(|hash| hash.to_string()),
        info_hash_v2_truncated: hashes.v2().map(InfoHashV2::truncated).map(|hash| hash.to_string()),
        bytes: info.total_bytes(),
        piece_length: info.piece_length.bytes(),
        pieces: info.piece_count(),
        pads: pads(info),
        pad_bytes: info.stream_bytes() - info.total_bytes(),
        private: info.private,
        source: info.source.as_deref(),
        trackers: &metainfo.trackers,
        web_seeds: &metainfo.web_seeds,
        creation_date: metainfo.creation_date,
        created_by: metainfo.created_by.as_deref(),
        comment: metainfo.comment.as_deref(),
        files: shown_files(info),
        magnet: metainfo::magnet(torrent),
    };
    serde_json::to_string_pretty(&shown).expect("strings and numbers are JSON")
}

fn as_text(torrent: &Torrent) -> String {
    let metainfo = &torrent.metainfo;
    let info = &metainfo.info;
    let hashes = torrent.info_hashes;
    let mut lines = vec![("name", info.name.clone()), ("kind", kind_text(info.kind()).to_owned())];
    lines.extend(hashes.v1().map(|hash| ("info-hash", hash.to_string())));
    lines.extend(hashes.v2().map(|hash| ("v2", hash.to_string())));
    lines.extend(hashes.v2().map(|hash| ("v2 short", hash.truncated().to_string())));
    lines.extend([
        ("size", format!("{} ({} bytes)", size_text(info.total_bytes()), info.total_bytes())),
        ("pieces", format!("{} of {}", info.piece_count(), info.piece_length)),
    ]);
    if pads(info) > 0 {
        lines.push(("padding", format!("{} pads ({} bytes)", pads(info), info.stream_bytes() - info.total_bytes())));
    }
    lines.push(("private", if info.private { "yes" } else { "no" }.to_owned()));
    lines.extend(info.source.iter().map(|text| ("source", text.clone())));
    for (index, tier) in metainfo.trackers.iter().enumerate() {
        lines.extend(tier.iter().map(|url| ("tracker", format!("{url} (tier {})", index + 1))));
    }
    lines.extend(metainfo.web_seeds.iter().map(|url| ("web seed", url.clone())));
    lines.extend(metainfo.creation_date.map(|secs| ("created", date_text(secs))));
    lines.extend(metainfo.created_by.iter().map(|text| ("created by", text.clone())));
    lines.extend(metainfo.comment.iter().map(|text| ("comment", text.clone())));
    lines.extend(file_lines(info));
    lines.push(("magnet", metainfo::magnet(torrent)));
    table(lines)
}

/// A kind with what it means.
pub fn kind_text(kind: Kind) -> &'static str {
    match kind {
        Kind::V1 => "v1",
        Kind::V2 => "v2",
        Kind::Hybrid => "hybrid (v1 and v2)",
    }
}

/// A line for each file.
pub fn file_lines(info: &Info) -> impl Iterator<Item = (&'static str, String)> {
    info.files().into_iter().map(|(path, bytes)| ("file", format!("{path} ({bytes} bytes)")))
}

/// Lines with their labels.
pub fn table(lines: Vec<(&'static str, String)>) -> String {
    let line = |(label, value): (&str, String)| {
        // Control characters of a foreign torrent do not reach the terminal.
        let value: String = value.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        format!("{label:<11}{value}")
    };
    lines.into_iter().map(line).collect::<Vec<_>>().join("\n")
}

fn date_text(secs: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(secs)
        .ok()
        .and_then(|date| date.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_else(|| secs.to_string())
}
