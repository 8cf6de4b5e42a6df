//! Releases as the lock knows them: what they are made of, without a look at their media.

use std::path::PathBuf;

use super::medium::Place;
use crate::lock::{self, Lock, Record};
use crate::metainfo::{Layout, Torrent};
use crate::names;
use crate::problem::Problem;
use crate::release::{FileOrder, Origin};

/// What to do when the lock does not fit what stands in the content.
const HELP: &str = "run `everseed lock` where the media are, and keep what it writes in version control";

/// A lock and where it stands.
#[derive(Debug)]
pub struct Locked {
    /// The folder of the lock.
    pub folder: PathBuf,
    /// The lock.
    pub lock: Lock,
}

impl Locked {
    /// The record of the release at `place`, which is made of `origin`.
    pub fn record(&self, place: &Place, origin: &lock::Origin) -> Result<&Record, Problem> {
        let Some(record) = self.lock.media.get(place.slug) else {
            let problem = Problem::at(place.page, format!("has no record in everseed.lock: `{}`", place.slug));
            return Err(problem.help(HELP));
        };
        if record.origin != *origin {
            let message = format!("is made of {origin}, and everseed.lock of {}", record.origin);
            return Err(Problem::at(place.page, message).help(HELP));
        }
        Ok(record)
    }

    /// The torrent of a release of which there is a record.
    pub fn torrent(&self, slug: &str, record: &Record) -> Result<Torrent, Problem> {
        lock::read_torrent(&self.folder, slug, record)
    }

    /// The files of the release of several files at `place`, of which there is a `record`. `meant` are the files and folders that its page names.
    pub fn files(&self, place: &Place, record: &Record, meant: &[PathBuf]) -> Result<Vec<FileOrder>, Problem> {
        let torrent = self.torrent(place.slug, record)?;
        let info = &torrent.metainfo.info;
        let paths: Vec<Vec<String>> = match &info.layout {
            Layout::Multi(files) => files.iter().filter(|file| !file.is_pad).map(|file| file.path.clone()).collect(),
            // A v2 tree of one file that has the torrent's own name.
            Layout::Single(_) => vec![vec![info.name.clone()]],
        };
        let source = |path: &[String]| {
            // What is not below the page's folder stands in the torrent under its last name.
            let far = meant.iter().find(|meant| {
                let name = meant.file_name().and_then(|name| name.to_str());
                !meant.starts_with(place.folder) && name.map(names::safe).as_ref() == path.first()
            });
            let base = far.and_then(|far| far.parent()).unwrap_or(place.folder);
            path.iter().fold(base.to_owned(), |path, name| path.join(name))
        };
        Ok(paths.into_iter().map(|path| FileOrder { origin: Origin::File(source(&path)), path }).collect())
    }
}
