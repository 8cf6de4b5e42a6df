//! `everseed verify`: every file of every torrent of a site is read and held against its hashes.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use serde::Serialize;

use super::built::Asked;
use super::check::{self, Absence, BAD_PIECES_NAMED_MAX, Checked, Place, named};
use super::report::{self, Bar, Failure, as_json, say};
use crate::config;
use crate::fingerprint::Fingerprint;
use crate::hash::Progress;
use crate::id::InfoHash;
use crate::manifest;
use crate::problem::Problem;
use crate::serve::{self, Published};
use crate::units::{count_text, size_text};

/// The most files that are named for one torrent.
const FILES_NAMED_MAX: usize = 20;

/// Read all files of the site's torrents, and tell which are damaged
///
/// Retired torrents are read as well. Prints a line for each torrent that is not whole, and one that sums up. Nothing is
/// changed: `everseed heal` does that. A file that is published on another server, and is not here, is no finding. A
/// server may run meanwhile. Exit code 0 where all is whole, 2 where something is not.
#[derive(Debug, clap::Args)]
pub struct VerifySiteArgs {
    /// The folder of a built site, or one that holds everseed.toml [default: `[serve] site` of everseed.toml, else what
    /// `build`, `attach` and `serve` have made of the current folder]
    #[arg(value_name = "SITE", env = "EVERSEED_SITE")]
    pub site: Option<PathBuf>,
    /// Read every file now [default: leave out torrents whose files all look as they did when the server last found them
    /// right]
    #[arg(long)]
    pub all: bool,
    /// Print JSON [default: lines of text]
    #[arg(long)]
    pub json: bool,
    /// Read in DIR what the server knows of the files [default: as `everseed serve`]
    #[arg(long, value_name = "DIR", env = "EVERSEED_DATA")]
    pub data: Option<PathBuf>,
    /// Read the configuration from FILE [default: everseed.toml of the folder]
    #[arg(long, value_name = "FILE", env = "EVERSEED_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Reads, and tells. The matches are for a build without a server, which takes whatever was typed.
#[expect(clippy::needless_pass_by_value, reason = "a build without a server takes whatever was typed")]
pub fn run(args: VerifySiteArgs, _: &ArgMatches) -> Result<(), Failure> {
    let here = Path::new(".");
    let typed = args.site.as_deref();
    let is_show =
        |folder: &Path| !folder.join(manifest::FILE_NAME).is_file() && folder.join(config::FILE_NAME).is_file();
    let root = typed.filter(|folder| is_show(folder));
    let asked = Asked {
        root: root.unwrap_or(here),
        has_root: root.is_some(),
        site: typed.filter(|_| root.is_none()),
        config: args.config.as_deref(),
        data: args.data.as_deref(),
        help: "name the folder of a built site",
    };
    let config = asked.config()?;
    let data = asked.data(&config);
    let sites = asked.sites(&config, &data)?;
    let remembered = if args.all { HashMap::new() } else { remembered(&data) };
    let mut report = Report::default();
    let mut to_read = Vec::new();
    for (root, site) in &sites {
        for one in &site.torrents {
            report.torrents += 1;
            if looks_as_remembered(root, one, &remembered) {
                report.remembered += 1;
            } else {
                to_read.push((root, one));
            }
        }
    }
    let progress = Bar::new();
    progress.expect(to_read.iter().map(|(root, one)| bytes_here(root, one)).sum());
    // Torrents of several sites are called the same.
    let has_sites = sites.len() > 1;
    for (root, one) in to_read {
        if let Some(damage) = report.read(root, one, &progress) {
            if !args.json {
                let name = if has_sites { root.join(&damage.torrent) } else { PathBuf::from(&damage.torrent) };
                progress.aside(|| say(Problem::at(name, damage.to_string())))?;
            }
            report.damaged.push(damage);
        }
    }
    drop(progress);
    if args.json {
        say(as_json(&report)?)?;
    } else {
        say(&report)?;
    }
    if report.damaged.is_empty() { Ok(()) } else { Err(Failure::Findings) }
}

/// How a file looked when it was last found right, and for which torrent that was.
type Remembered = HashMap<PathBuf, (InfoHash, Fingerprint)>;

fn remembered(data: &Path) -> Remembered {
    let verdicts = serve::remembered_files(data).unwrap_or_else(|problem| {
        // Everything is read then.
        report::warn(&problem);
        Vec::new()
    });
    let right = verdicts.into_iter().filter(|verdict| !verdict.is_damaged);
    right.map(|verdict| (verdict.path, (verdict.info_hash, verdict.fingerprint))).collect()
}

/// Whether each file of a torrent that holds a byte looks as it did when it was last found right. A piece may hold several
/// files: where one of them is to be read, all are.
fn looks_as_remembered(root: &Path, one: &Published, remembered: &Remembered) -> bool {
    let info_hash = one.entry.info_hashes.main();
    !remembered.is_empty()
        && one.files(root).zip(one.entry.files()).all(|(path, file)| {
            let Ok(metadata) = path.metadata() else { return false };
            let is_empty = file.bytes == 0 && metadata.is_file() && metadata.len() == 0;
            is_empty || remembered.get(&path) == Some(&(info_hash, Fingerprint::of(&metadata)))
        })
}

/// How many bytes of a torrent will be read, as far as that can be told before.
fn bytes_here(root: &Path, one: &Published) -> u64 {
    let here = |path: &PathBuf, bytes: u64| path.metadata().is_ok_and(|found| found.is_file() && found.len() == bytes);
    one.files(root)
        .zip(one.entry.files())
        .filter(|(path, file)| here(path, file.bytes))
        .map(|(_, file)| file.bytes)
        .sum()
}

/// What was found in all.
#[derive(Debug, Default, Serialize)]
struct Report {
    torrents: usize,
    /// Torrents that were not read, because their files look as they did when they were last found right.
    remembered: usize,
    /// Files that are published on another server and are not here.
    files_elsewhere: usize,
    read_bytes: u64,
    damaged: Vec<Damage>,
}

/// What is wrong with a torrent's files.
#[derive(Debug, Serialize)]
struct Damage {
    site: PathBuf,
    torrent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    info_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info_hash_v2: Option<String>,
    title: String,
    retired: bool,
    /// The first of the damaged files, at most [`FILES_NAMED_MAX`].
    files: Vec<Ill>,
    /// How many damaged files there are beside those.
    more_files: usize,
    /// What is wrong with all of it: reading broke off, or the torrent contradicts itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// A damaged file.
#[derive(Debug, Serialize)]
struct Ill {
    path: String,
    #[serde(flatten)]
    fault: Fault,
}

#[derive(Debug, Serialize)]
#[serde(tag = "fault", rename_all = "lowercase")]
enum Fault {
    Missing,
    Size {
        bytes: u64,
        expected_bytes: u64,
    },
    Unreadable {
        why: String,
    },
    Pieces {
        bad_pieces: usize,
        of_pieces: u64,
        /// The first of them, at most [`BAD_PIECES_NAMED_MAX`].
        pieces: Vec<u64>,
    },
}

impl Report {
    /// Reads the files of a torrent of the site below `root`. What is wrong with them, if something is.
    fn read(&mut self, root: &Path, one: &Published, progress: &dyn Progress) -> Option<Damage> {
        let places = one.files(root).zip(one.entry.unpack().files);
        let places = places.map(|(path, file)| Place { path, is_elsewhere: file.url.is_some() });
        let checked = one.read(root).and_then(|torrent| {
            let info = &torrent.metainfo.info;
            check::check(info, places.collect(), progress)
        });
        let (mut ills, problem) = match checked {
            Ok(checked) => {
                self.read_bytes += checked.read_bytes;
                let is_elsewhere = |file: &&check::Outcome| matches!(file.absence, Some(Absence::Elsewhere));
                self.files_elsewhere += checked.files.iter().filter(is_elsewhere).count();
                let pieces = named(&checked.contradicting);
                let message = || format!("its v1 and v2 hashes are of different content, pieces: {pieces}");
                (ills(one, &checked), (!pieces.is_empty()).then(message))
            }
            // The disk failed, or somebody wrote to the file meanwhile. Whichever: it can't be said to be whole.
            Err(problem) => (Vec::new(), Some(problem.to_string().lines().next().unwrap_or_default().to_owned())),
        };
        if ills.is_empty() && problem.is_none() {
            return None;
        }
        let more_files = ills.len().saturating_sub(FILES_NAMED_MAX);
        ills.truncate(FILES_NAMED_MAX);
        let hashes = one.entry.info_hashes;
        Some(Damage {
            site: root.to_owned(),
            torrent: one.entry.torrent().to_owned(),
            info_hash: hashes.v1().map(|hash| hash.to_string()),
            info_hash_v2: hashes.v2().map(|hash| hash.to_string()),
            title: one.entry.title().to_owned(),
            retired: one.entry.retired().is_some(),
            files: ills,
            more_files,
            problem,
        })
    }
}

/// The damaged files of a torrent.
fn ills(one: &Published, checked: &Checked) -> Vec<Ill> {
    let ill = |(file, entry): (&check::Outcome, manifest::File)| {
        let fault = match &file.absence {
            Some(Absence::Elsewhere) => return None,
            Some(Absence::Missing(_)) => Fault::Missing,
            &Some(Absence::Size(bytes, expected_bytes)) => Fault::Size { bytes, expected_bytes },
            Some(Absence::Unreadable(problem)) => Fault::Unreadable { why: problem.message().to_owned() },
            None => {
                // A piece that a file is missing in says nothing of its neighbours.
                let bad: Vec<_> =
                    checked.bad_of(file).into_iter().filter(|piece| !checked.absent.contains(piece)).collect();
                if bad.is_empty() {
                    return None;
                }
                let of_pieces = file.pieces.end - file.pieces.start;
                let pieces = bad.iter().copied().take(BAD_PIECES_NAMED_MAX).collect();
                Fault::Pieces { bad_pieces: bad.len(), of_pieces, pieces }
            }
        };
        Some(Ill { path: entry.path.as_str().to_owned(), fault })
    };
    checked.files.iter().zip(one.entry.unpack().files).filter_map(ill).collect()
}

/// To be said behind the name of the torrent.
impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = Vec::new();
        said.extend(self.problem.clone());
        said.extend(self.files.iter().map(Ill::to_string));
        if self.more_files > 0 {
            said.push(format!("and {}", count_text(self.more_files as u64, "more file")));
        }
        let retired = if self.retired { "retired; " } else { "" };
        // A name may hold a line feed, and this is one line.
        write!(f, "{retired}{}", said.join("; ").replace('\n', " "))
    }
}

impl fmt::Display for Ill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.path)?;
        match &self.fault {
            Fault::Missing => f.write_str("is missing"),
            Fault::Size { bytes, expected_bytes } => write!(f, "has {bytes} bytes, not {expected_bytes}"),
            Fault::Unreadable { why } => f.write_str(why),
            Fault::Pieces { bad_pieces, of_pieces, pieces } => {
                let pieces: Vec<_> = pieces.iter().map(ToString::to_string).collect();
                let more = bad_pieces - pieces.len();
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                write!(f, "has {bad_pieces} bad of {}: {}{more}", count_text(*of_pieces, "piece"), pieces.join(", "))
            }
        }
    }
}

/// The line that sums up.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, read) = (count_text(self.torrents as u64, "torrent"), size_text(self.read_bytes));
        match (self.damaged.len(), self.remembered) {
            (0, 0) => write!(f, "{all}, all of them whole; read {read}")?,
            (0, _) => write!(f, "{all}, none of them damaged; read {read}")?,
            (damaged, _) => write!(f, "{all}, {damaged} damaged; read {read}")?,
        }
        if self.remembered > 0 {
            let torrents = count_text(self.remembered as u64, "torrent");
            write!(f, "; not read: {torrents} with files as the server last found them right (--all reads them)")?;
        }
        if self.files_elsewhere > 0 {
            write!(f, "; {} elsewhere", count_text(self.files_elsewhere as u64, "file"))?;
        }
        Ok(())
    }
}
