//! Where the files of a torrent lie in the mirrored site: at the paths that the show gives them, where these are free and
//! harmless, else in a folder of their own. It reads no disk.

use std::collections::{HashMap, HashSet};

use super::wish::Wish;
use crate::id::InfoHash;
use crate::manifest::{self, Entry};
use crate::metainfo::Torrent;
use crate::names;
use crate::sitepath::SitePath;

/// The folder below the site's root that holds those that can't lie where the show has them.
pub const FOLDER: &str = "kept";

/// The paths of a torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Of the `.torrent`.
    pub torrent: SitePath,
    /// Of the files, in the torrent's order.
    pub files: Vec<SitePath>,
}

impl Places {
    /// Those of an entry.
    pub fn of(entry: &Entry) -> Self {
        Self { torrent: entry.torrent.clone(), files: entry.files.iter().map(|file| file.path.clone()).collect() }
    }

    /// The paths at which the show has a torrent, where it says so; else those that `everseed build` would give it.
    /// `None` where they are not to be written to, or are not those of this torrent's files.
    pub fn wanted(wish: &Wish, torrent: &Torrent) -> Option<Self> {
        let files = torrent.metainfo.info.files();
        let places = match &wish.places {
            Some(places) => places.clone(),
            None => Self {
                torrent: SitePath::new(format!("torrents/{}.torrent", torrent.metainfo.info.name)).ok()?,
                files: files
                    .iter()
                    .map(|(path, _)| SitePath::new(format!("media/{path}")))
                    .collect::<Result<_, _>>()
                    .ok()?,
            },
        };
        let mut taken = Taken::default();
        let is_one_each = places.all().all(|path| is_harmless(path) && taken.claim(path, torrent.info_hashes.main()));
        (places.files.len() == files.len() && is_one_each).then_some(places)
    }

    /// Paths in a folder of the torrent's own.
    pub fn own(torrent: &Torrent) -> Self {
        let hash = torrent.info_hashes.main();
        let path = |name: String| SitePath::new(name).expect("a path of harmless names");
        let files = torrent.metainfo.info.files();
        let file = |(index, (name, _)): (usize, &(String, u64))| {
            let last = names::safe(name.rsplit('/').next().unwrap_or_default());
            path(format!("{FOLDER}/{hash}/{index}/{last}"))
        };
        Self {
            torrent: path(format!("{FOLDER}/{hash}/published.torrent")),
            files: files.iter().enumerate().map(file).collect(),
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &SitePath> {
        std::iter::once(&self.torrent).chain(&self.files)
    }
}

/// Whether a stranger may name this path: the server finds a file there, and nothing of the mirror's own lies there.
fn is_harmless(path: &SitePath) -> bool {
    let is_name = |name: &str| {
        !name.starts_with('.') && name.len() <= names::NAME_BYTES_MAX && !name.chars().any(char::is_control)
    };
    let folded = names::folded(path.as_str());
    let first = folded.split('/').next().unwrap_or_default();
    let is_served = manifest::SERVED.iter().any(|served| folded == *served || first == *served);
    path.names().all(is_name) && !is_served && first != FOLDER && first != manifest::FILE_NAME
}

/// The paths that are taken, and by which torrent.
#[derive(Debug, Default)]
pub struct Taken {
    files: HashMap<String, InfoHash>,
    /// The folders in which they lie.
    folders: HashSet<String>,
}

/// Whether paths can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Free {
    /// They can.
    Yes,
    /// They can when these torrents have moved elsewhere.
    After(Vec<InfoHash>),
    /// They can't: there is a file where a folder would have to be, or the other way round.
    Never,
}

impl Taken {
    /// The paths of these entries.
    pub fn by<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Self {
        let mut taken = Self::default();
        entries.into_iter().for_each(|entry| taken.add(entry));
        taken
    }

    /// Takes the paths of an entry.
    pub fn add(&mut self, entry: &Entry) {
        for path in Places::of(entry).all() {
            self.claim(path, entry.info_hashes.main());
        }
    }

    /// Whether a path is taken.
    pub fn has(&self, path: &SitePath) -> bool {
        self.files.contains_key(&names::folded(path.as_str()))
    }

    /// Whether `places` can be had by the torrent `hash`.
    pub fn is_free(&self, places: &Places, hash: InfoHash) -> Free {
        let mut movers = Vec::new();
        for path in places.all() {
            let folded = names::folded(path.as_str());
            let is_in_a_file =
                folders(&folded).any(|folder| self.files.get(folder).is_some_and(|owner| *owner != hash));
            if is_in_a_file || self.folders.contains(&folded) {
                return Free::Never;
            }
            movers.extend(self.files.get(&folded).filter(|owner| **owner != hash && !movers.contains(*owner)).copied());
        }
        if movers.is_empty() { Free::Yes } else { Free::After(movers) }
    }

    /// Takes a path; `false` where it can't be had beside the others.
    fn claim(&mut self, path: &SitePath, hash: InfoHash) -> bool {
        let folded = names::folded(path.as_str());
        let is_free = !self.files.contains_key(&folded)
            && !self.folders.contains(&folded)
            && !folders(&folded).any(|folder| self.files.contains_key(folder));
        self.folders.extend(folders(&folded).map(str::to_owned));
        self.files.entry(folded).or_insert(hash);
        is_free
    }
}

/// The folders in which a path lies.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}
