//! The folder that another generator wrote: opened, held by one process, and known by what people call it.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::fsx;
use crate::id::InfoHashes;
use crate::manifest::{self, Manifest};
use crate::output;
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// How the manifest of an attached site says who made it ([`manifest::ATTACHED`]).
pub const GENERATOR: &str = concat!("everseed ", env!("CARGO_PKG_VERSION"), " attach");
/// A site's folder.
#[derive(Debug)]
pub struct Site {
    /// Without symbolic links.
    pub path: PathBuf,
    /// As it was named.
    shown: PathBuf,
    /// What was attached to it before.
    pub former: Option<Manifest>,
    _held: File,
}

impl Site {
    /// Takes the folder `path` for this process; what a run that was killed left half done is taken back.
    pub fn open(path: &Path) -> Result<Self, Problem> {
        let wrong = |error: &io::Error| {
            let problem = Problem::at(path, format!("can't be read: {error}"));
            match error.kind() {
                ErrorKind::NotFound => problem.help("build the site first, or name its folder with --site"),
                _ => problem,
            }
        };
        let real = path.canonicalize().map_err(|error| wrong(&error))?;
        if !real.is_dir() {
            return Err(
                Problem::at(path, "is not a folder").help("name the folder that the generator writes with --site")
            );
        }
        let held = output::hold(&real)?;
        output::recover(&real, &mut || Ok(()))?;
        let mut site = Self { path: real, shown: path.to_owned(), former: None, _held: held };
        site.former = site.read_manifest()?;
        Ok(site)
    }

    /// The manifest of a former run. One that something else wrote is refused.
    fn read_manifest(&self) -> Result<Option<Manifest>, Problem> {
        let path = self.path.join(manifest::FILE_NAME);
        let shown = self.shown.join(manifest::FILE_NAME);
        let json = match fsx::read_at_most(&path, manifest::BYTES_MAX) {
            Ok(json) => json,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Problem::at(shown, format!("can't be read: {error}"))),
        };
        match Manifest::parse(&json) {
            Ok(manifest) if manifest.generator.ends_with(manifest::ATTACHED) => Ok(Some(manifest)),
            Ok(manifest) => {
                let problem = Problem::at(shown, format!("was written by {:?}, not by attaching", manifest.generator));
                Err(problem.help(
                    "a site that `everseed build` makes has its torrents already; else remove the file, and attach again",
                ))
            }
            Err(error) => Err(Problem::at(shown, error.to_string()).help("remove it, and attach again")),
        }
    }

    /// The info-hashes that the `.torrent` at `place` was published with.
    pub fn published(&self, place: &SitePath) -> Option<InfoHashes> {
        let mut entries = self.former.iter().flat_map(|former| &former.torrents);
        entries.find(|entry| entry.torrent == *place).map(|entry| entry.info_hashes)
    }

    /// The folder, as it was named.
    pub fn name(&self) -> &Path {
        &self.shown
    }

    /// The file at `place`, as people see it.
    pub fn shown(&self, place: &SitePath) -> PathBuf {
        place.below(&self.shown)
    }

    /// Where `path`, which is free of symbolic links, stands in the site; `None`: outside, or under a name that is no text.
    pub fn place(&self, path: &Path) -> Option<SitePath> {
        let names: Option<Vec<_>> = path.strip_prefix(&self.path).ok()?.iter().map(|name| name.to_str()).collect();
        SitePath::new(names?.join("/")).ok()
    }

    /// The files of the site whose names `is_wanted`, in the order of their paths. Names that begin with a dot are passed over,
    /// and symbolic links are not followed.
    pub fn files(&self, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<(SitePath, PathBuf)>, Problem> {
        let is_hidden = |entry: &walkdir::DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
        let walk = walkdir::WalkDir::new(&self.path).min_depth(1).sort_by_file_name();
        let mut files = Vec::new();
        for entry in walk.into_iter().filter_entry(|entry| !is_hidden(entry)) {
            let entry = entry.map_err(|error| Problem::at(&self.shown, format!("can't be read: {error}")))?;
            let is_file = entry.file_type().is_file() && entry.file_name().to_str().is_some_and(&is_wanted);
            let place = is_file.then(|| self.place(entry.path())).flatten();
            files.extend(place.map(|place| (place, entry.into_path())));
        }
        Ok(files)
    }
}
