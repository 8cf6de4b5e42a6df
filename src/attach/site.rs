//! The folder that another generator wrote: opened, held by one process, and known by what people call it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::report::Error;
use crate::fsx;
use crate::id::InfoHashes;
use crate::manifest::{self, Manifest};
use crate::output;
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// How the manifest of an attached site says who made it ([`manifest::ATTACHED`]).
pub const GENERATOR: &str = concat!("everseed ", env!("CARGO_PKG_VERSION"), " attach");
/// The most files and folders of a site.
const FILES_MAX: usize = 5_000_000;

/// A site's folder.
#[derive(Debug)]
pub struct Site {
    /// Without symbolic links.
    pub path: PathBuf,
    /// As it was named.
    shown: PathBuf,
    /// What was attached to it before.
    pub former: Option<Manifest>,
    /// The info-hashes of that, by the places of the `.torrent` files.
    published: HashMap<SitePath, InfoHashes>,
    _held: File,
}

impl Site {
    /// Takes the folder `path` for this process; what a run that was killed left half done is taken back.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let real = path.canonicalize().map_err(|error| {
            let problem = Problem::at(path, format!("can't be read: {error}"));
            match error.kind() {
                ErrorKind::NotFound => {
                    Error::Content(vec![problem.help("build the site first, or name its folder with --site")])
                }
                _ => Error::Trouble(problem),
            }
        })?;
        if !real.is_dir() {
            let problem = Problem::at(path, "is not a folder");
            return Err(Error::Content(vec![problem.help("name the folder that the generator writes with --site")]));
        }
        let held = output::hold(&real).map_err(Error::Trouble)?;
        output::recover(&real, &mut || Ok(())).map_err(Error::Trouble)?;
        let (shown, published) = (path.to_owned(), HashMap::new());
        let mut site = Self { path: real, shown, former: None, published, _held: held };
        let former = site.read_manifest()?;
        site.keep(former);
        Ok(site)
    }

    fn keep(&mut self, former: Option<Manifest>) {
        let torrents = former.iter().flat_map(|former| &former.torrents);
        self.published = torrents.map(|entry| (entry.torrent.clone(), entry.info_hashes)).collect();
        self.former = former;
    }

    /// The manifest of a former run. One that something else wrote is refused.
    fn read_manifest(&self) -> Result<Option<Manifest>, Error> {
        let path = self.path.join(manifest::FILE_NAME);
        let shown = self.shown.join(manifest::FILE_NAME);
        let json = match fsx::read_at_most(&path, manifest::BYTES_MAX) {
            Ok(json) => json,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::Trouble(Problem::at(shown, format!("can't be read: {error}")))),
        };
        let problem = match Manifest::parse(&json) {
            Ok(manifest) if manifest.generator.ends_with(manifest::ATTACHED) => return Ok(Some(manifest)),
            Ok(manifest) => {
                let problem = Problem::at(shown, format!("was written by {:?}, not by attaching", manifest.generator));
                problem.help(
                    "a site that `everseed build` makes has its torrents already; else remove the file, and attach again",
                )
            }
            Err(error) => Problem::at(shown, error.to_string()).help("move it to another place, and attach again"),
        };
        Err(Error::Content(vec![problem]))
    }

    /// What a former run published, where the generator has removed it since: as it was remembered below the folder `state`.
    pub fn recall(&mut self, state: &Path) -> Result<(), Problem> {
        if self.former.is_some() {
            return Ok(());
        }
        let path = self.memory(state);
        let unknown = |why: String| {
            let problem = Problem::at(&path, format!("what was published before can't be read: {why}"));
            problem.help("remove it, if nothing that is published can have changed")
        };
        match fsx::read_at_most(&path, manifest::BYTES_MAX) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(unknown(error.to_string())),
            Ok(json) => {
                let former = Manifest::parse(&json).map_err(|error| unknown(error.to_string()))?;
                self.keep(Some(former));
                Ok(())
            }
        }
    }

    /// Remembers what is published, the manifest `json`, below the folder `state`.
    pub fn remember(&self, state: &Path, json: &[u8]) -> Result<(), Problem> {
        let path = self.memory(state);
        if fsx::read_at_most(&path, manifest::BYTES_MAX).is_ok_and(|found| found == json) {
            return Ok(());
        }
        let folder = path.parent().expect("a file stands in a folder");
        let written = fs::create_dir_all(folder).and_then(|()| fsx::write_whole(&path, json));
        written.map_err(|error| output::unwritable(&path, &error))
    }

    fn memory(&self, state: &Path) -> PathBuf {
        output::memory(state, "attached", &self.path)
    }

    /// The info-hashes that the `.torrent` at `place` was published with.
    pub fn published(&self, place: &SitePath) -> Option<InfoHashes> {
        self.published.get(place).copied()
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
        let mut count = 0;
        for entry in walk.into_iter().filter_entry(|entry| !is_hidden(entry)) {
            let entry = entry.map_err(|error| Problem::at(&self.shown, format!("can't be read: {error}")))?;
            count += 1;
            if count > FILES_MAX {
                let problem = Problem::at(&self.shown, format!("holds more than {FILES_MAX} files"));
                return Err(problem.help("name the folder that the generator writes, and no more, with --site"));
            }
            let is_file = entry.file_type().is_file() && entry.file_name().to_str().is_some_and(&is_wanted);
            let place = is_file.then(|| self.place(entry.path())).flatten();
            files.extend(place.map(|place| (place, entry.into_path())));
        }
        Ok(files)
    }
}
