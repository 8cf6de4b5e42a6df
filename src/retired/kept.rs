//! One torrent that is kept, in a folder of its own.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::FOLDER;
use super::intact::{self, Fault};
use super::record::{self, Record};
use crate::fingerprint::Fingerprint;
use crate::fsx;
use crate::hash::Progress;
use crate::manifest;
use crate::metainfo::{self, TORRENT_BYTES_MAX, Torrent};
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// The `.torrent`, as it was published.
const TORRENT: &str = "published.torrent";
/// The folder of the files.
const FILES: &str = "files";
/// What the name of a folder begins with that is on its way in.
const COMING: &str = ".new-";
/// What the name of a folder begins with that is on its way out.
const GOING: &str = ".gone-";

/// A torrent that was published, and is not any more.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What the manifest said of it.
    pub entry: manifest::Entry,
    /// Where its `.torrent` may stand.
    pub torrents: Vec<PathBuf>,
    /// Where its files may stand: in each of these places all of them, in the torrent's order.
    pub places: Vec<Vec<PathBuf>>,
    /// What to do another time, so that its bytes are not written over.
    pub help: &'static str,
}

impl Candidate {
    /// Whether there is something that may be its bytes.
    pub fn is_there(&self) -> bool {
        self.places.iter().any(|paths| paths.iter().all(|path| path.exists()))
    }
}

/// A torrent that is kept.
#[derive(Debug)]
pub struct Kept {
    /// The torrent as it was published.
    pub torrent: Torrent,
    /// What is known of it.
    pub record: Record,
    /// Where its files stand, in the torrent's order: on this machine, and below the root of a site.
    pub files: Vec<(PathBuf, SitePath)>,
    /// Its own folder.
    pub folder: PathBuf,
}

/// What the name of a folder says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// It is that of a torrent.
    Torrent,
    /// It was on its way when a build was killed.
    Leftover,
}

impl Named {
    /// `None`: it is none of ours.
    pub fn of(name: &str) -> Option<Self> {
        let left = name.strip_prefix(COMING).or_else(|| name.strip_prefix(GOING));
        let is_hash = |text: &str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash(left.unwrap_or(name)).then_some(if left.is_some() { Self::Leftover } else { Self::Torrent })
    }
}

impl Kept {
    /// Reads what is kept in `folder`; `None`: nothing. What is wrong with its record or its torrent is a problem.
    pub fn read(folder: &Path) -> Result<Option<Self>, Problem> {
        let path = folder.join(record::FILE_NAME);
        let unreadable = |path: &Path, error: &io::Error| {
            Problem::at(path, format!("can't be read: {error}")).help("make it readable, or remove the folder")
        };
        let text = match fsx::read_at_most(&path, record::BYTES_MAX) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(unreadable(&path, &error)),
        };
        let record = Record::parse(&text, &path)?;
        let path = folder.join(TORRENT);
        let bytes = fsx::read_at_most(&path, TORRENT_BYTES_MAX as u64).map_err(|error| unreadable(&path, &error))?;
        let torrent =
            metainfo::parse(bytes).map_err(|error| Problem::at(&path, error.to_string()).help("remove the folder"))?;
        let is_it = folder.file_name().is_some_and(|name| name == &*name_of(&torrent));
        let files = torrent.metainfo.info.files();
        let is_it = is_it
            && files
                .iter()
                .map(|(path, bytes)| (path, bytes))
                .eq(record.files.iter().map(|file| (&file.path, &file.bytes)));
        if !is_it {
            return Err(Problem::at(folder, "is not the folder of the torrent in it").help("remove it"));
        }
        let files = files_of(&torrent, folder).map_err(|error| Problem::at(folder, error.to_string()))?;
        Ok(Some(Self { torrent, record, files, folder: folder.to_owned() }))
    }

    /// The first of its files that is not what it was when it was kept.
    pub fn changed(&self) -> Option<&Path> {
        let is_same = |path: &Path, file: &record::File| {
            fs::symlink_metadata(path).is_ok_and(|metadata| {
                let now = Fingerprint::of(&metadata);
                metadata.is_file() && (now.bytes, now.mtime_ns) == (file.bytes, file.mtime_ns)
            })
        };
        let files = self.files.iter().zip(&self.record.files);
        files.map(|((path, _), file)| (&**path, file)).find(|(path, file)| !is_same(path, file)).map(|(path, _)| path)
    }

    /// The bytes of its files.
    pub fn bytes(&self) -> u64 {
        self.torrent.metainfo.info.total_bytes()
    }

    /// Writes down that it was retired `at` another moment.
    pub fn retire_again(&mut self, at: OffsetDateTime) -> io::Result<()> {
        self.record.retired = at;
        fsx::write_whole(&self.folder.join(record::FILE_NAME), self.record.to_toml().as_bytes())
    }

    /// Brings the bytes of `candidate` into a folder of their own below `shelf`, which is there; else it is told why that can't be.
    pub fn bring(
        candidate: &Candidate,
        shelf: &Path,
        now: OffsetDateTime,
        progress: &dyn Progress,
    ) -> Result<Self, Problem> {
        let entry = &candidate.entry;
        let lost = |why: String| {
            Problem::new(format!("{:?} is not published any more, and can't be seeded any longer: {why}", entry.title))
        };
        let torrent = torrent_of(candidate).ok_or_else(|| lost("its .torrent is not there any more".into()))?;
        let mut first_fault = None;
        for paths in candidate.places.iter().filter(|paths| paths.len() == torrent.metainfo.info.files().len()) {
            // Not a link to it: a second name of a link would be a link.
            let paths: Vec<_> = paths.iter().map(|path| path.canonicalize().unwrap_or_else(|_| path.clone())).collect();
            match intact::check(&torrent.metainfo.info, &paths, progress) {
                Ok(read) => {
                    let placed = place(entry, torrent, paths.iter().zip(&read), shelf, now);
                    let told = |error| lost(format!("it can't be kept in {}: {error}", shelf.display()));
                    return placed.map_err(told);
                }
                // The first place is where it was published.
                Err(fault) => first_fault = first_fault.or(Some(fault)),
            }
        }
        let fault = first_fault.unwrap_or(Fault::Missing(0));
        let problem = lost(said(&fault, entry));
        Err(if matches!(fault, Fault::Length(_) | Fault::Bytes) { problem.help(candidate.help) } else { problem })
    }
}

/// Removes a folder: all of it, or it is a [`Named::Leftover`].
pub fn remove(folder: &Path) -> io::Result<()> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let going = folder.with_file_name(format!("{GOING}{}", name.trim_start_matches(COMING).trim_start_matches(GOING)));
    let removed = if going == folder {
        fs::remove_dir_all(&going)
    } else {
        // Of two builds that were killed on the way.
        fs::remove_dir_all(&going).or_else(there_is_none)?;
        fs::rename(folder, &going).and_then(|()| fs::remove_dir_all(&going))
    };
    removed.or_else(there_is_none)
}

fn there_is_none(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// The name of its folder: the info-hash that it goes by.
pub fn name_of(torrent: &Torrent) -> String {
    torrent.info_hashes.main().to_string()
}

/// Where the files of `torrent` stand in its `folder`, and below the root of a site.
pub fn files_of(torrent: &Torrent, folder: &Path) -> io::Result<Vec<(PathBuf, SitePath)>> {
    let name = name_of(torrent);
    let place = |(path, _): (String, u64)| {
        let place = SitePath::new(format!("{FOLDER}/{name}/{path}")).map_err(io::Error::other)?;
        Ok((folder.join(FILES).join(path), place))
    };
    torrent.metainfo.info.files().into_iter().map(place).collect()
}

/// The `.torrent` of `candidate`, as it was published.
fn torrent_of(candidate: &Candidate) -> Option<Torrent> {
    let read = |path: &PathBuf| metainfo::parse(fsx::read_at_most(path, TORRENT_BYTES_MAX as u64).ok()?).ok();
    candidate.torrents.iter().filter_map(read).find(|torrent| torrent.info_hashes == candidate.entry.info_hashes)
}

/// Places `files`, each as it was when it was read, and all that is said of them, as a folder below `shelf`.
fn place<'f>(
    entry: &manifest::Entry,
    torrent: Torrent,
    files: impl Iterator<Item = (&'f PathBuf, &'f Fingerprint)>,
    shelf: &Path,
    now: OffsetDateTime,
) -> io::Result<Kept> {
    let name = name_of(&torrent);
    let (folder, coming) = (shelf.join(&name), shelf.join(format!("{COMING}{name}")));
    [&folder, &coming].into_iter().try_for_each(|left| remove(left))?;
    let placed = (|| {
        fs::create_dir(&coming)?;
        let mut record = Record {
            retired: now,
            title: if entry.title.is_empty() { entry.name.clone() } else { entry.title.clone() },
            page: entry.page.clone(),
            published: entry.published.clone(),
            files: Vec::new(),
        };
        let on_the_way = files_of(&torrent, &coming)?;
        for (((path, bytes), (to, _)), (from, read)) in
            torrent.metainfo.info.files().into_iter().zip(on_the_way).zip(files)
        {
            fs::create_dir_all(to.parent().expect("a file stands in a folder"))?;
            fsx::place(from, &to)?;
            let mtime_ns = Fingerprint::of(&fs::metadata(&to)?).mtime_ns;
            record.files.push(record::File { path, bytes, mtime_ns });
            let now = Fingerprint::of(&fs::metadata(from)?);
            if (now.bytes, now.mtime_ns, now.inode) != (read.bytes, read.mtime_ns, read.inode) {
                return Err(io::Error::other(format!("{} changed meanwhile", from.display())));
            }
        }
        fs::write(coming.join(TORRENT), torrent.bytes())?;
        fs::write(coming.join(record::FILE_NAME), record.to_toml())?;
        // The bytes are on the disk before the name is.
        fsx::sync_below(&coming)?;
        fs::rename(&coming, &folder)?;
        Ok((record, files_of(&torrent, &folder)?))
    })();
    match placed {
        Ok((record, files)) => Ok(Kept { torrent, record, files, folder }),
        Err(error) => {
            // Else it goes with the next build.
            let _ = remove(&coming);
            Err(error)
        }
    }
}

/// What is wrong with the files of `entry`, for a person.
fn said(fault: &Fault, entry: &manifest::Entry) -> String {
    let file = |number: usize| entry.files.get(number).map_or("a file", |file| file.path.as_str());
    match fault {
        Fault::Missing(number) => format!("{} is not there any more", file(*number)),
        Fault::Length(number) => format!("{} has other bytes now", file(*number)),
        Fault::Bytes if entry.files.len() == 1 => format!("{} has other bytes now", file(0)),
        Fault::Bytes => "its files have other bytes now".to_owned(),
        Fault::Unreadable(problem) => problem.message().to_owned(),
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
