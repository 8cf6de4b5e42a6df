//! `everseed torrent create`: a file or folder becomes a `.torrent`.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::Serialize;
use walkdir::WalkDir;

use super::show::{ShownFile, file_lines, kind_text, shown_files, table};
use crate::cli::args::CreateArgs;
use crate::cli::build::source_date_epoch;
use crate::cli::report::{Bar, Failure, say, warn};
use crate::fsx;
use crate::id::InfoHashes;
use crate::metainfo::{self, Info, PATH_NAMES_MAX, Torrent};
use crate::names;
use crate::problem::Problem;
use crate::release::{self, Cache, FileOrder, Order, Origin};
use crate::sitepath::is_plain_name;
use crate::units::{count_text, size_text};

/// The most files that `create` takes into one torrent.
const FILES_MAX: usize = 100_000;
/// The most warnings about names.
const WARNINGS_MAX: usize = 20;

/// Makes a `.torrent`.
pub fn create(args: &CreateArgs) -> Result<(), Failure> {
    let trackers = tiers(&args.announce);
    check_urls(&trackers, &args.web_seed).map_err(Failure::Usage)?;
    let choice = Choice::new(&args.include, &args.exclude)?;
    let name = name_of(args)?;
    let output = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.torrent")));
    let output = target(output)?;
    if output.exists() && !args.force {
        return Err(Failure::usage(
            Problem::at(&output, "exists already").help("add --force to write over it, or name another file"),
        ));
    }
    let (single, files) = content_of(&args.path, &choice, &output)?;
    name_warnings(&args.path, &name, &files).iter().for_each(warn);
    let order = Order {
        name,
        files,
        single,
        kind: args.kind.kind(),
        piece_length: args.piece_length,
        published: None,
        private: args.private,
        source: args.source.clone(),
        trackers,
        web_seeds: args.web_seed.iter().map(|url| web_seed(url, single)).collect(),
        creation_date: source_date_epoch()?,
        created_by: Some(crate::GENERATOR.to_owned()),
        comment: args.comment.clone(),
        integrity: false,
        threads: args.threads,
    };
    let plan = release::plan(&order).map_err(Failure::usage)?;
    if plan.info().total_bytes() == 0 {
        let (what, help) = match (single, order.files.is_empty()) {
            (false, true) if !choice.is_all() => {
                ("the folder holds no file that --include and --exclude leave", "choose others")
            }
            (true, _) => ("is empty (0 bytes)", "put the whole file there"),
            (false, true) => ("the folder holds no files", "put what is to be shared there"),
            (false, false) => ("all files of the folder are empty", "put what is to be shared there"),
        };
        return Err(Failure::usage(Problem::at(&args.path, what).help(help)));
    }
    if args.dry_run {
        let bytes = plan.torrent_bytes();
        return say(if args.json {
            as_json(&output, plan.info(), bytes, None)
        } else {
            planned(&output, plan.info(), bytes)
        });
    }
    let release = release::make(&order, &mut Cache::none(), &Bar::new()).map_err(Failure::Trouble)?;
    release.warnings.iter().for_each(|warning| warn(&Problem::at(&args.path, warning)));
    let torrent = release.torrent;
    fsx::write_whole(&output, torrent.bytes()).map_err(|error| {
        Failure::Trouble(
            Problem::at(&output, format!("can't be written: {error}"))
                .help("make room there, or name a folder that exists and can be written"),
        )
    })?;
    let info = &torrent.metainfo.info;
    if args.json {
        return say(as_json(&output, info, torrent.bytes().len(), Some(&torrent)));
    }
    let hashes = torrent.info_hashes;
    let hashes = [hashes.v1().map(|hash| hash.to_string()), hashes.v2().map(|hash| format!("v2 {hash}"))];
    say(format_args!(
        "{}: {} in {} of {}, info-hash {}",
        output.display(),
        size_text(info.total_bytes()),
        count_text(info.piece_count(), "piece"),
        info.piece_length,
        hashes.into_iter().flatten().collect::<Vec<_>>().join(", ")
    ))
}

/// The file that is written: a symbolic link stays, and what it leads to is replaced.
fn target(output: PathBuf) -> Result<PathBuf, Failure> {
    let wrong = |what: &str| Err(Failure::usage(Problem::at(&output, what).help("name a file with -o")));
    match output.metadata() {
        _ if output == Path::new("-") => wrong("is no file, and a torrent is no text for a terminal"),
        Ok(metadata) if metadata.is_dir() => wrong("is a folder"),
        Ok(metadata) if !metadata.is_file() => wrong("is a device or a pipe, and would be replaced"),
        Ok(_) if output.is_symlink() => Ok(output.canonicalize().unwrap_or(output)),
        _ => Ok(output),
    }
}

/// Each flag is a tier; commas stand between its trackers.
fn tiers(flags: &[String]) -> Vec<Vec<String>> {
    flags.iter().map(|urls| urls.split(',').map(|url| url.trim().to_owned()).collect()).collect()
}

fn check_urls(trackers: &[Vec<String>], web_seeds: &[String]) -> Result<(), Vec<Problem>> {
    let trackers =
        trackers.iter().flatten().map(|url| ("--announce", metainfo::check_tracker(url, metainfo::TRACKER_SCHEMES)));
    let web_seeds = web_seeds.iter().map(|url| ("--web-seed", metainfo::check_web_seed(url)));
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

/// The torrent's name: what was typed, else what PATH is called.
fn name_of(args: &CreateArgs) -> Result<String, Failure> {
    if let Some(name) = &args.name {
        let wrong = || Problem::new(format!("--name: {name:?} is not the name of a file or folder"));
        return if is_plain_name(name) {
            Ok(name.clone())
        } else {
            Err(Failure::usage(wrong().help("write a name without /, \\ and NUL")))
        };
    }
    let unreadable = |error: std::io::Error| Failure::usage(Problem::at(&args.path, format!("can't be read: {error}")));
    let canonical = args.path.canonicalize().map_err(unreadable)?;
    let name = canonical.file_name().and_then(|name| name.to_str()).filter(|name| is_plain_name(name));
    name.map(str::to_owned).ok_or_else(|| nameless(&args.path, "name the torrent with --name"))
}

fn nameless(path: &Path, help: &str) -> Failure {
    Failure::usage(Problem::at(path, "has no UTF-8 name that a torrent could have").help(help))
}

/// Which files of a folder come into the torrent.
struct Choice {
    include: GlobSet,
    /// Those of `include` that have a name that begins with a dot.
    hidden: GlobSet,
    exclude: GlobSet,
}

impl Choice {
    fn new(include: &[String], exclude: &[String]) -> Result<Self, Failure> {
        let is_hidden = |glob: &&String| glob.split('/').any(|name| name.starts_with('.'));
        Ok(Self {
            include: globs("--include", include.iter())?,
            hidden: globs("--include", include.iter().filter(is_hidden))?,
            exclude: globs("--exclude", exclude.iter())?,
        })
    }

    fn is_all(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether the file or folder `path`, as seen from the folder that is shared, is to be looked at.
    fn takes(&self, path: &Path, is_folder: bool) -> bool {
        let is_hidden = path.iter().any(|name| name.as_encoded_bytes().starts_with(b"."));
        let is_included = match (is_folder, is_hidden) {
            (true, false) => true,
            (true, true) => !self.hidden.is_empty(),
            (false, false) => self.include.is_empty() || self.include.is_match(path),
            (false, true) => self.hidden.is_match(path),
        };
        is_included && !self.exclude.is_match(path)
    }
}

fn globs<'a>(flag: &str, globs: impl Iterator<Item = &'a String>) -> Result<GlobSet, Failure> {
    let wrong = |error: globset::Error| {
        Failure::usage(Problem::new(format!("{flag}: {error}")).help("write it as *.mp3, notes/* or {a,b}.txt"))
    };
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(GlobBuilder::new(glob).build().map_err(wrong)?);
    }
    set.build().map_err(wrong)
}

/// Whether the content is one file, and the files, in the order of their paths. `output`, where the torrent is written,
/// is none of them: a torrent that held its former self would never be the same twice.
fn content_of(path: &Path, choice: &Choice, output: &Path) -> Result<(bool, Vec<FileOrder>), Failure> {
    let unreadable = |error: std::io::Error| Failure::usage(Problem::at(path, format!("can't be read: {error}")));
    let canonical = path.canonicalize().map_err(unreadable)?;
    let output = output.canonicalize().ok();
    if !canonical.is_dir() {
        if output.as_ref() == Some(&canonical) {
            let problem = Problem::at(path, "is the file to share, and would be written over");
            return Err(Failure::usage(problem.help("name another file with -o")));
        }
        if !choice.is_all() {
            let problem = Problem::at(path, "is a file; --include and --exclude choose the files of a folder");
            return Err(Failure::usage(problem.help("leave them out")));
        }
        return Ok((true, vec![FileOrder { origin: Origin::File(path.to_owned()), path: Vec::new() }]));
    }
    let mut files = Vec::new();
    let inner = |whole: &Path| whole.strip_prefix(path).map(Path::to_owned).unwrap_or_default();
    let wanted = |entry: &walkdir::DirEntry| {
        entry.depth() == 0 || choice.takes(&inner(entry.path()), entry.file_type().is_dir())
    };
    let walk = WalkDir::new(path).sort_by_file_name().max_depth(PATH_NAMES_MAX + 1);
    for entry in walk.into_iter().filter_entry(wanted) {
        let entry = entry.map_err(|error| Failure::usage(Problem::new(format!("can't be read: {error}"))))?;
        let is_output = || output.is_some() && entry.path().canonicalize().ok() == output;
        if entry.depth() > PATH_NAMES_MAX {
            let problem = Problem::at(path, format!("holds folders in folders beyond {PATH_NAMES_MAX}"));
            return Err(Failure::usage(problem.help("pack them into an archive")));
        }
        if entry.file_type().is_dir() || is_output() {
            continue;
        }
        let names = names_of(&inner(entry.path()))
            .ok_or_else(|| nameless(entry.path(), "rename it, or leave it out with --exclude"))?;
        files.push(FileOrder { origin: Origin::File(entry.path().to_owned()), path: names });
        if files.len() > FILES_MAX {
            let problem = Problem::at(path, format!("holds more than {FILES_MAX} files"));
            return Err(Failure::usage(problem.help("pack them into an archive, or choose some with --include")));
        }
    }
    // By path names and not by folders first, so that the order is the same on every system.
    files.sort_by(|a, b| metainfo::tree_order(&a.path, &b.path));
    Ok((false, files))
}

fn names_of(path: &Path) -> Option<Vec<String>> {
    let name = |name: &std::ffi::OsStr| name.to_str().filter(|name| is_plain_name(name)).map(str::to_owned);
    path.iter().map(name).collect()
}

/// What is to be said of names that clients change, with names that none does.
fn name_warnings(root: &Path, name: &str, files: &[FileOrder]) -> Vec<Problem> {
    let mut warnings = Vec::new();
    if let Some(fault) = names::fault(name) {
        let help = format!("name it with --name {:?}", names::safe(name));
        warnings.push(Problem::new(format!("the torrent {name:?} has {fault}")).help(help));
    }
    let (mut told, mut folded) = (BTreeSet::new(), HashMap::new());
    for file in files {
        let source = root.join(file.path.join("/"));
        for (index, name) in file.path.iter().enumerate() {
            let path = &file.path[..=index];
            if let Some(fault) = names::fault(name)
                && told.insert(path)
            {
                let help = format!("rename it, for example to {:?}", names::safe(name));
                warnings.push(Problem::at(root.join(path.join("/")), format!("has {fault}")).help(help));
            }
        }
        let path: Vec<_> = file.path.iter().map(|name| names::folded(name)).collect();
        if let Some(other) = folded.insert(path, source.clone()) {
            let message = format!(
                "differs from {} in upper and lower case or in Unicode form alone; many systems take them for one",
                other.display()
            );
            let other = names::another(file.path.last().map_or("", |name| name));
            let help = format!("rename it, for example to {other:?}");
            warnings.push(Problem::at(&source, message).help(help));
        }
    }
    let more = warnings.len().saturating_sub(WARNINGS_MAX);
    if more > 0 {
        warnings.truncate(WARNINGS_MAX);
        warnings.push(Problem::new(format!("{} more that some clients change", count_text(more as u64, "name"))));
    }
    warnings
}

/// What would be done.
fn planned(output: &Path, info: &Info, torrent_bytes: usize) -> String {
    let mut lines = vec![
        ("torrent", format!("{} ({torrent_bytes} bytes), not written", output.display())),
        ("name", info.name.clone()),
        ("kind", kind_text(info.kind()).to_owned()),
        ("size", format!("{} ({} bytes)", size_text(info.total_bytes()), info.total_bytes())),
        ("pieces", format!("{} of {}", info.piece_count(), info.piece_length)),
    ];
    lines.extend(file_lines(info));
    table(lines)
}

#[derive(Serialize)]
struct Made<'a> {
    torrent: String,
    torrent_bytes: usize,
    name: &'a str,
    kind: &'static str,
    info_hash: Option<String>,
    info_hash_v2: Option<String>,
    bytes: u64,
    piece_length: u32,
    pieces: u64,
    files: Vec<ShownFile>,
    magnet: Option<String>,
}

/// What was made, or without a `torrent` would be.
fn as_json(output: &Path, info: &Info, torrent_bytes: usize, torrent: Option<&Torrent>) -> String {
    let hashes = torrent.map(|torrent| torrent.info_hashes);
    let made = Made {
        torrent: output.display().to_string(),
        torrent_bytes,
        name: &info.name,
        kind: info.kind().as_str(),
        info_hash: hashes.and_then(InfoHashes::v1).map(|hash| hash.to_string()),
        info_hash_v2: hashes.and_then(InfoHashes::v2).map(|hash| hash.to_string()),
        bytes: info.total_bytes(),
        piece_length: info.piece_length.bytes(),
        pieces: info.piece_count(),
        files: shown_files(info),
        magnet: torrent.map(metainfo::magnet),
    };
    serde_json::to_string_pretty(&made).expect("strings and numbers are JSON")
}
