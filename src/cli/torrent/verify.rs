//! `everseed torrent verify`: files against the hashes of a `.torrent`, by v1, by v2, or by both.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::read;
use crate::cli::args::VerifyArgs;
use crate::cli::report::{Bar, Failure, say};
use crate::hash::{self, Progress as _, Source, Wanted};
use crate::id::PieceHash;
use crate::metainfo::{File, Info, Kind, Layout, Tree};
use crate::problem::Problem;
use crate::units::count_text;

/// The most bad pieces that are named for one file.
const BAD_PIECES_NAMED_MAX: usize = 20;

/// Checks files against a `.torrent`.
pub fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let torrent = read(&args.file)?;
    let info = &torrent.metainfo.info;
    let mut findings = Vec::new();
    let (parts, mut sources) = parts(info, &args.path, &mut findings);
    let progress = Bar::new();
    progress.expect(info.total_bytes());
    let wanted = Wanted { v1: info.kind().has_v1(), v2: info.kind().has_v2(), sha384: false };
    let digests = hash::hash(hash::Order::new(&mut sources, info.piece_length, wanted, &progress));
    drop(progress);
    let digests = digests.map_err(Failure::Trouble)?;
    let absent = absent_pieces(info, &parts);
    let v1 = info.pieces().map(|pieces| &bad_of_v1(pieces, &digests.pieces) | &absent);
    let v2 = info.trees().map(|trees| &bad_of_v2(info, &parts, trees, &digests.trees) | &absent);
    if let (Some(v1), Some(v2)) = (&v1, &v2)
        && v1 != v2
    {
        let pieces: Vec<_> = v1.symmetric_difference(v2).copied().collect();
        let message = format!("its v1 and v2 hashes are of different content, pieces: {}", named(&pieces));
        findings.push(Problem::at(&args.file, message));
    }
    let bad = [v1, v2].into_iter().flatten().reduce(|one, other| &one | &other).unwrap_or_default();
    findings.extend(bad_files(info, &parts, &bad));
    let all = info.piece_count();
    if bad.is_empty() && findings.is_empty() {
        return say(format_args!("{}: {}, all as the torrent says", args.path.display(), count_text(all, "piece")));
    }
    findings.iter().try_for_each(say)?;
    say(format_args!("{}: {} of {all} pieces are not as the torrent says", args.path.display(), bad.len()))?;
    Err(Failure::Findings)
}

/// A file or a pad of the torrent, in its order.
struct Part {
    /// Where it is expected; a pad is nowhere.
    path: Option<PathBuf>,
    bytes: u64,
    /// Whether it is there, with its size.
    is_present: bool,
    /// The byte of the content, pads and all, at which it begins.
    start: u64,
}

/// The parts of the content, each expected at `path` itself or below it under the torrent's name; and what is there: zeros
/// in the place of a pad, nothing in that of a file that is not there or has another size.
fn parts(info: &Info, path: &Path, findings: &mut Vec<Problem>) -> (Vec<Part>, Vec<Source>) {
    let named = path.join(&info.name);
    let piece_bytes = u64::from(info.piece_length.bytes());
    let mut start = 0;
    let mut sources = Vec::new();
    let mut part = |path: Option<PathBuf>, bytes: u64| {
        let source = path.as_ref().map_or_else(|| Source::zeros(bytes), |path| source_or_absent(path, bytes, findings));
        let part = Part { is_present: path.is_some() && !source.is_zeros(), path, bytes, start };
        sources.push(source);
        start += match info.kind() {
            // Each file begins with a piece, also where no pads say so.
            Kind::V2 => info.piece_length.count(bytes) * piece_bytes,
            Kind::V1 | Kind::Hybrid => bytes,
        };
        part
    };
    let parts = match &info.layout {
        Layout::Single(bytes) => vec![part(Some(if path.is_dir() { named } else { path.to_owned() }), *bytes)],
        Layout::Multi(files) => {
            let base = if named.is_dir() { named } else { path.to_owned() };
            let below = |file: &File| match &files[..] {
                // A v2 tree of one file is that file, and has no folder around it.
                [_] if info.kind() == Kind::V2 && base.is_file() => base.clone(),
                _ => base.join(file.path.join("/")),
            };
            files.iter().map(|file| part((!file.is_pad).then(|| below(file)), file.bytes)).collect()
        }
    };
    (parts, sources)
}

fn source_or_absent(path: &Path, bytes: u64, findings: &mut Vec<Problem>) -> Source {
    match Source::open(path) {
        Ok(source) if source.bytes() == bytes => source,
        Ok(source) => {
            findings.push(Problem::at(path, format!("has {} bytes, not {bytes}", source.bytes())));
            Source::absent(bytes)
        }
        Err(problem) => {
            findings.push(problem);
            Source::absent(bytes)
        }
    }
}

/// The pieces with a byte of a file that is not there. What stands in its place says nothing of them.
fn absent_pieces(info: &Info, parts: &[Part]) -> BTreeSet<u64> {
    let piece_bytes = u64::from(info.piece_length.bytes());
    let absent = parts.iter().filter(|part| part.path.is_some() && !part.is_present && part.bytes > 0);
    absent.flat_map(|part| part.start / piece_bytes..=(part.start + part.bytes - 1) / piece_bytes).collect()
}

/// The pieces that are not what v1 says.
fn bad_of_v1(wanted: &[PieceHash], found: &[PieceHash]) -> BTreeSet<u64> {
    let pairs = (0..).zip(wanted.iter().zip(found));
    pairs.filter(|(_, (wanted, found))| wanted != found).map(|(index, _)| index).collect()
}

/// The pieces that are not what v2 says. What was `found` has a place for each part, what is `wanted` for each file.
fn bad_of_v2(info: &Info, parts: &[Part], wanted: &[Option<Tree>], found: &[Option<Tree>]) -> BTreeSet<u64> {
    let mut bad = BTreeSet::new();
    let nodes = |tree: &Tree| if tree.layer.is_empty() { vec![tree.root] } else { tree.layer.clone() };
    for ((part, found), wanted) in parts.iter().zip(found).filter(|(part, _)| part.path.is_some()).zip(wanted) {
        let (wanted, found) = (wanted.as_ref().map(nodes), found.as_ref().map(nodes));
        let first = part.start / u64::from(info.piece_length.bytes());
        let pairs = (first..)
            .zip(wanted.unwrap_or_default())
            .zip(found.unwrap_or_default().into_iter().map(Some).chain(std::iter::repeat(None)));
        bad.extend(pairs.filter(|((_, wanted), found)| Some(*wanted) != *found).map(|((index, _), _)| index));
    }
    bad
}

/// A finding for each whole file that a bad piece lies in.
fn bad_files(info: &Info, parts: &[Part], bad: &BTreeSet<u64>) -> Vec<Problem> {
    let piece_bytes = u64::from(info.piece_length.bytes());
    let finding = |part: &Part| {
        let path = part.path.as_ref().filter(|_| part.bytes > 0)?;
        let last = (part.start + part.bytes - 1) / piece_bytes;
        let inside: Vec<_> = bad.range(part.start / piece_bytes..=last).copied().collect();
        (!inside.is_empty()).then(|| Problem::at(path, format!("bad pieces: {}", named(&inside))))
    };
    parts.iter().filter_map(finding).collect()
}

/// The numbers of `pieces`, as far as they are named.
fn named(pieces: &[u64]) -> String {
    let named: Vec<_> = pieces.iter().take(BAD_PIECES_NAMED_MAX).map(ToString::to_string).collect();
    match pieces.len().saturating_sub(BAD_PIECES_NAMED_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
