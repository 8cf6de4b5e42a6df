//! `everseed torrent verify`: files against the hashes of a `.torrent`, by v1, by v2, or by both.

use std::path::{Path, PathBuf};

use super::read;
use crate::cli::args::VerifyArgs;
use crate::cli::check::{Outcome, Place, check, named};
use crate::cli::report::{Bar, Failure, say};
use crate::hash::Progress as _;
use crate::metainfo::{Info, Kind, Layout};
use crate::problem::Problem;
use crate::units::count_text;

/// Checks files against a `.torrent`.
pub fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let torrent = read(&args.file)?;
    let info = &torrent.metainfo.info;
    let progress = Bar::new();
    progress.expect(info.total_bytes());
    let checked = check(info, places(info, &args.path), &progress);
    drop(progress);
    let checked = checked.map_err(Failure::Trouble)?;
    let mut findings: Vec<_> = checked.files.iter().filter_map(Outcome::problem).collect();
    if !checked.contradicting.is_empty() {
        let pieces = named(&checked.contradicting);
        let message = format!("its v1 and v2 hashes are of different content, pieces: {pieces}");
        findings.push(Problem::at(&args.file, message));
    }
    // Each whole file that a bad piece lies in.
    findings.extend(checked.files.iter().filter_map(|file| {
        let bad = checked.bad_of(file);
        (!bad.is_empty()).then(|| Problem::at(&file.path, format!("bad pieces: {}", named(&bad))))
    }));
    let all = info.piece_count();
    if checked.bad.is_empty() && findings.is_empty() {
        return say(format_args!("{}: {}, all as the torrent says", args.path.display(), count_text(all, "piece")));
    }
    findings.iter().try_for_each(say)?;
    say(format_args!("{}: {} of {all} pieces are not as the torrent says", args.path.display(), checked.bad.len()))?;
    Err(Failure::Findings)
}

/// Where the files of the content are expected: at `path` itself, or below it under the torrent's name.
fn places(info: &Info, path: &Path) -> Vec<Place> {
    let place = |path: PathBuf| Place { path, is_elsewhere: false };
    let named = path.join(&info.name);
    let files = match &info.layout {
        Layout::Single(_) => return vec![place(if path.is_dir() { named } else { path.to_owned() })],
        Layout::Multi(files) => files,
    };
    let base = if named.is_dir() { named } else { path.to_owned() };
    // A v2 tree of one file is that file, and has no folder around it.
    if files.len() == 1 && info.kind() == Kind::V2 && base.is_file() {
        return vec![place(base)];
    }
    files.iter().filter(|file| !file.is_pad).map(|file| place(base.join(file.path.join("/")))).collect()
}
