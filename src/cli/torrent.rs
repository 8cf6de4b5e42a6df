//! `everseed torrent`: one `.torrent` at a time, without a site around it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{CreateArgs, MagnetArgs, ShowArgs, VerifyArgs};
use super::report::{Bar, Failure, say};
use crate::fsx;
use crate::hash::{self, Progress as _, Source, Wanted};
use crate::metainfo::{self, Layout, Torrent};
use crate::problem::Problem;
use crate::release::{self, FileOrder, Order};
use crate::sitepath::is_plain_name;
use crate::units::size_text;

/// The most files that `create` takes into one torrent.
const FILES_MAX: usize = 100_000;

/// Makes a `.torrent`.
pub fn create(args: &CreateArgs) -> Result<(), Failure> {
    check_urls(args).map_err(Failure::Usage)?;
    if args.output.exists() && !args.force {
        return Err(Failure::usage(
            Problem::at(&args.output, "exists already").help("add --force to write over it, or name another file"),
        ));
    }
    let (name, single, files) = content_of(&args.path, &args.output)?;
    let order = Order {
        name,
        files,
        single,
        piece_length: args.piece_length,
        private: args.private,
        trackers: args.announce.iter().map(|url| vec![url.clone()]).collect(),
        web_seeds: args.web_seed.iter().map(|url| web_seed(url, single)).collect(),
        creation_date: super::build::source_date_epoch()?,
        created_by: Some(crate::GENERATOR.to_owned()),
        comment: None,
        integrity: false,
    };
    let release = release::make(&order, &mut hash::Cache::none(), &Bar::new()).map_err(Failure::Trouble)?;
    fsx::write_whole(&args.output, release.torrent.bytes()).map_err(|error| {
        Failure::Trouble(
            Problem::at(&args.output, format!("can't be written: {error}"))
                .help("name a folder that exists and can be written"),
        )
    })?;
    let info = &release.torrent.metainfo.info;
    say(format_args!(
        "{}: {} in {} pieces of {}, info-hash {}",
        args.output.display(),
        size_text(info.total_bytes()),
        info.pieces.len(),
        info.piece_length,
        release.torrent.info_hash
    ))
}

fn check_urls(args: &CreateArgs) -> Result<(), Vec<Problem>> {
    let trackers =
        args.announce.iter().map(|url| ("--announce", metainfo::check_tracker(url, metainfo::TRACKER_SCHEMES)));
    let web_seeds = args.web_seed.iter().map(|url| ("--web-seed", metainfo::check_web_seed(url)));
    let problem =
        |(flag, error): (&str, metainfo::NotAUrl)| Problem::new(format!("{flag}: {error}")).help(error.help());
    let wrong = trackers.chain(web_seeds).filter_map(|(flag, checked)| checked.err().map(|error| (flag, error)));
    let problems: Vec<_> = wrong.map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The web seed of a folder ends in `/`: clients put the path of a file behind it (BEP 19).
fn web_seed(url: &str, single: bool) -> String {
    let slash = if single || url.ends_with('/') { "" } else { "/" };
    format!("{url}{slash}")
}

/// The torrent's name, whether it is one file, and the files, in the order of their paths. `output`, where the torrent
/// is written, is none of them: a torrent that held its former self would never be the same twice.
fn content_of(path: &Path, output: &Path) -> Result<(String, bool, Vec<FileOrder>), Failure> {
    let unreadable = |error: std::io::Error| Failure::usage(Problem::at(path, format!("can't be read: {error}")));
    let canonical = path.canonicalize().map_err(unreadable)?;
    let name = canonical
        .file_name()
        .and_then(|name| name.to_str())
        .filter(|name| is_plain_name(name))
        .ok_or_else(|| Failure::usage(Problem::at(path, "has no UTF-8 name that a torrent could have")))?
        .to_owned();
    let output = output.canonicalize().ok();
    if !canonical.is_dir() {
        if output.as_ref() == Some(&canonical) {
            let problem = Problem::at(path, "is the file to share, and would be written over");
            return Err(Failure::usage(problem.help("name another file with -o")));
        }
        if bytes_of(path)? == 0 {
            return Err(Failure::usage(Problem::at(path, "is empty (0 bytes)").help("put the whole file there")));
        }
        return Ok((name, true, vec![FileOrder { source: path.to_owned(), path: Vec::new() }]));
    }
    let (mut files, mut bytes) = (Vec::new(), 0_u64);
    let visible =
        |entry: &walkdir::DirEntry| entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".");
    for entry in walkdir::WalkDir::new(path).sort_by_file_name().into_iter().filter_entry(visible) {
        let entry = entry.map_err(|error| Failure::usage(Problem::new(format!("can't be read: {error}"))))?;
        let is_output = || output.is_some() && entry.path().canonicalize().ok() == output;
        if entry.file_type().is_dir() || is_output() {
            continue;
        }
        bytes += bytes_of(entry.path())?;
        let names = entry.path().strip_prefix(path).map(names).ok().flatten();
        let names = names
            .ok_or_else(|| Failure::usage(Problem::at(entry.path(), "has no UTF-8 name that a torrent could have")))?;
        files.push(FileOrder { source: entry.path().to_owned(), path: names });
        if files.len() > FILES_MAX {
            return Err(Failure::usage(Problem::at(path, format!("holds more than {FILES_MAX} files"))));
        }
    }
    if bytes == 0 {
        let what = if files.is_empty() { "the folder holds no files" } else { "all files of the folder are empty" };
        return Err(Failure::usage(Problem::at(path, what).help("put what is to be shared there")));
    }
    // By path names and not by folders first, so that the order is the same on every system.
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((name, false, files))
}

fn bytes_of(path: &Path) -> Result<u64, Failure> {
    Source::open(path).map(|source| source.bytes()).map_err(Failure::usage)
}

fn names(path: &Path) -> Option<Vec<String>> {
    let name = |name: &std::ffi::OsStr| name.to_str().filter(|name| is_plain_name(name)).map(str::to_owned);
    path.iter().map(name).collect()
}

/// Shows a `.torrent`.
pub fn show(args: &ShowArgs) -> Result<(), Failure> {
    let torrent = read(&args.file)?;
    say(if args.json { as_json(&torrent) } else { as_text(&torrent) })
}

/// Prints a magnet link.
pub fn magnet(args: &MagnetArgs) -> Result<(), Failure> {
    say(metainfo::magnet(&read(&args.file)?))
}

/// Checks files against a `.torrent`.
pub fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let torrent = read(&args.file)?;
    let info = &torrent.metainfo.info;
    let files = expected_files(info, &args.path);
    let mut findings = Vec::new();
    let mut sources: Vec<_> = files.iter().map(|(path, bytes)| source_or_zeros(path, *bytes, &mut findings)).collect();
    let progress = Bar::new();
    progress.expect(info.total_bytes());
    let wanted = Wanted { v1: true, ..Wanted::default() };
    let order = hash::Order::new(&mut sources, info.piece_length, wanted, &progress);
    let digests = hash::hash(order).map_err(Failure::Trouble)?;
    drop(progress);
    let bad: Vec<_> = (0..info.pieces.len()).filter(|&index| digests.pieces[index] != info.pieces[index]).collect();
    findings.extend(bad_files(&files, &sources, &bad, u64::from(info.piece_length.bytes())));
    if bad.is_empty() && findings.is_empty() {
        return say(format_args!("{}: {} pieces, all as the torrent says", args.path.display(), info.pieces.len()));
    }
    findings.iter().try_for_each(say)?;
    let (bad, all) = (bad.len(), info.pieces.len());
    say(format_args!("{}: {bad} of {all} pieces are not as the torrent says", args.path.display()))?;
    Err(Failure::Findings)
}

/// Where each file is expected: at `path` itself, or below it under the torrent's name.
fn expected_files(info: &metainfo::Info, path: &Path) -> Vec<(PathBuf, u64)> {
    let named = path.join(&info.name);
    match &info.layout {
        Layout::Single(bytes) => vec![(if path.is_dir() { named } else { path.to_owned() }, *bytes)],
        Layout::Multi(files) => {
            let base = if named.is_dir() { named } else { path.to_owned() };
            files.iter().map(|file| (base.join(file.path.join("/")), file.bytes)).collect()
        }
    }
}

/// A file that is not there, or has another size, is read as zeros, so that the pieces of the others are still checked.
fn source_or_zeros(path: &Path, bytes: u64, findings: &mut Vec<Problem>) -> Source {
    match Source::open(path) {
        Ok(source) if source.bytes() == bytes => source,
        Ok(source) => {
            findings.push(Problem::at(path, format!("has {} bytes, not {bytes}", source.bytes())));
            Source::zeros(bytes)
        }
        Err(problem) => {
            findings.push(problem);
            Source::zeros(bytes)
        }
    }
}

/// A finding for each whole file that a bad piece lies in.
fn bad_files(files: &[(PathBuf, u64)], sources: &[Source], bad: &[usize], piece_length: u64) -> Vec<Problem> {
    let mut start = 0;
    let mut findings = Vec::new();
    for ((path, bytes), source) in files.iter().zip(sources) {
        let end = start + bytes;
        let inside: Vec<_> = bad
            .iter()
            .filter(|&&index| {
                let at = index as u64 * piece_length;
                at < end && at + piece_length > start
            })
            .map(ToString::to_string)
            .collect();
        if *bytes > 0 && !inside.is_empty() && !source.is_zeros() {
            findings.push(Problem::at(path, format!("bad pieces: {}", inside.join(", "))));
        }
        start = end;
    }
    findings
}

fn read(path: &Path) -> Result<Torrent, Failure> {
    let bytes = fsx::read_at_most(path, metainfo::TORRENT_BYTES_MAX as u64).map_err(|error| {
        let problem = Problem::at(path, format!("can't be read: {error}"));
        Failure::usage(match error.kind() {
            ErrorKind::FileTooLarge | ErrorKind::IsADirectory | ErrorKind::InvalidInput => {
                problem.help("name a .torrent, which describes the files; not the files themselves")
            }
            _ => problem,
        })
    })?;
    metainfo::parse(bytes).map_err(|error| Failure::usage(Problem::at(path, error.to_string())))
}

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    info_hash: String,
    bytes: u64,
    piece_length: u32,
    pieces: usize,
    private: bool,
    trackers: &'a [Vec<String>],
    web_seeds: &'a [String],
    creation_date: Option<i64>,
    created_by: Option<&'a str>,
    comment: Option<&'a str>,
    files: Vec<ShownFile>,
    magnet: String,
}

#[derive(Serialize)]
struct ShownFile {
    path: String,
    bytes: u64,
}

fn as_json(torrent: &Torrent) -> String {
    let metainfo = &torrent.metainfo;
    let info = &metainfo.info;
    let shown = Shown {
        name: &info.name,
        info_hash: torrent.info_hash.to_string(),
        bytes: info.total_bytes(),
        piece_length: info.piece_length.bytes(),
        pieces: info.pieces.len(),
        private: info.private,
        trackers: &metainfo.trackers,
        web_seeds: &metainfo.web_seeds,
        creation_date: metainfo.creation_date,
        created_by: metainfo.created_by.as_deref(),
        comment: metainfo.comment.as_deref(),
        files: info.files().into_iter().map(|(path, bytes)| ShownFile { path, bytes }).collect(),
        magnet: metainfo::magnet(torrent),
    };
    serde_json::to_string_pretty(&shown).expect("strings and numbers are JSON")
}

fn as_text(torrent: &Torrent) -> String {
    let metainfo = &torrent.metainfo;
    let info = &metainfo.info;
    let mut lines = vec![
        ("name", info.name.clone()),
        ("info-hash", torrent.info_hash.to_string()),
        ("size", format!("{} ({} bytes)", size_text(info.total_bytes()), info.total_bytes())),
        ("pieces", format!("{} of {}", info.pieces.len(), info.piece_length)),
        ("private", if info.private { "yes" } else { "no" }.to_owned()),
    ];
    for (index, tier) in metainfo.trackers.iter().enumerate() {
        lines.extend(tier.iter().map(|url| ("tracker", format!("{url} (tier {})", index + 1))));
    }
    lines.extend(metainfo.web_seeds.iter().map(|url| ("web seed", url.clone())));
    lines.extend(metainfo.creation_date.map(|secs| ("created", date_text(secs))));
    lines.extend(metainfo.created_by.iter().map(|text| ("created by", text.clone())));
    lines.extend(metainfo.comment.iter().map(|text| ("comment", text.clone())));
    lines.extend(info.files().into_iter().map(|(path, bytes)| ("file", format!("{path} ({bytes} bytes)"))));
    lines.push(("magnet", metainfo::magnet(torrent)));
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
