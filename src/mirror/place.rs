//! Where the files of a torrent lie in the mirrored site: at the paths that the show gives them, where these are free and
//! harmless, else in a folder of their own. It reads no disk.

use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode_str;

use super::page;
use super::web;
use super::wish::Wish;
use crate::baseurl::BaseUrl;
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

    /// The paths at which the show has a torrent, as its manifest says or the addresses of its files show; else those
    /// that `everseed build` would give it. `None` where they are not to be written to, or are not those of this torrent's
    /// files.
    pub fn wanted(wish: &Wish, torrent: &Torrent, site: &BaseUrl) -> Option<Self> {
        let files = torrent.metainfo.info.files();
        let places = match &wish.places {
            Some(places) => places.clone(),
            None => Self::published(wish, torrent, site).or_else(|| Self::usual(torrent))?,
        };
        let mut taken = Taken::default();
        let is_one_each = places.all().all(|path| is_harmless(path) && taken.claim(path, torrent.info_hashes.main()));
        (places.files.len() == files.len() && is_one_each).then_some(places)
    }

    /// Where the addresses of a torrent are below the address of its site.
    fn published(wish: &Wish, torrent: &Torrent, site: &BaseUrl) -> Option<Self> {
        let below = |url: &str| {
            let path = url.strip_prefix(site.as_str())?;
            SitePath::new(percent_decode_str(path).decode_utf8().ok()?).ok().filter(|_| !path.contains(['?', '#']))
        };
        let at_seed = |seed: &String| {
            let urls = web::at_seed(seed, &torrent.metainfo.info)?;
            urls.iter().map(|url| below(url.as_ref()?)).collect::<Option<Vec<_>>>()
        };
        let files = torrent.metainfo.web_seeds.iter().find_map(at_seed)?;
        Some(Self { torrent: below(&wish.torrent_url)?, files })
    }

    /// Where `everseed build` puts a torrent.
    fn usual(torrent: &Torrent) -> Option<Self> {
        let info = &torrent.metainfo.info;
        let files = info.files().into_iter().map(|(path, _)| SitePath::new(format!("media/{path}")));
        let torrent = SitePath::new(format!("torrents/{}.torrent", info.name)).ok()?;
        Some(Self { torrent, files: files.collect::<Result<_, _>>().ok()? })
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

    /// Whether a file that comes from `former` would come to lie where another of them is still, or in it as if it were a
    /// folder; also where their names differ in their case alone.
    pub fn cross(&self, former: &Self) -> bool {
        let held: HashSet<String> = former.all().map(|path| names::folded(path.as_str())).collect();
        let is_held = |to: &SitePath| {
            let to = names::folded(to.as_str());
            held.contains(&to) || folders(&to).any(|folder| held.contains(folder))
        };
        self.all().zip(former.all()).any(|(to, from)| to != from && is_held(to))
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
    let is_ours = [FOLDER, manifest::FILE_NAME, page::PAGE, page::FEED].contains(&first);
    path.names().all(is_name) && !is_served && !is_ours
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

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> SitePath {
        SitePath::new(text).expect("below the root")
    }

    fn places(torrent: &str, files: &[&str]) -> Places {
        Places { torrent: path(torrent), files: files.iter().map(|file| path(file)).collect() }
    }

    #[test]
    fn a_stranger_names_no_path_that_is_ours_or_the_servers() {
        for fine in
            ["a", "media/a b.mp3", "media/x.../y", "swarms2/a", "retired/a.torrent", "a/everseed.json", "x/announce"]
        {
            assert!(is_harmless(&path(fine)), "{fine}");
        }
        let long = "a/".to_owned() + &"x".repeat(256);
        for ours in [
            "everseed.json",
            "Everseed.JSON",
            "everseed.json/a",
            "Index.html",
            "torrents.xml",
            "kept",
            "Kept/a",
            "announce",
            "announce/a",
            "swarms",
            "SCRAPE",
            "healthz",
            "metrics",
            "swarms.css",
            "api/swarms.json",
            ".git/config",
            "a/.htaccess",
            "a\nb",
            &long,
        ] {
            assert!(!is_harmless(&path(ours)), "{ours}");
        }
    }

    #[test]
    fn paths_cross_where_one_would_be_written_over_another() {
        let former = places("t/a.torrent", &["set/a", "set/b"]);
        let crosses = |torrent: &str, files: &[&str]| places(torrent, files).cross(&former);
        for files in [["set/b", "set/a"], ["set/b", "set/c"], ["set/a/x", "set/c"], ["set/A", "set/b"]] {
            assert!(crosses("t/a.torrent", &files), "{files:?}");
        }
        for files in [["set/a", "set/b"], ["set/c", "set/b"], ["other/a", "other/b"]] {
            assert!(!crosses("t/a.torrent", &files), "{files:?}");
        }
        assert!(crosses("set/a", &["x/a", "x/b"]) && crosses("T/a.torrent", &["set/a", "set/b"]));
    }

    #[test]
    fn paths_are_free_or_become_so_or_never() {
        let (one, other) = (InfoHash([1; 20]), InfoHash([2; 20]));
        let mut taken = Taken::default();
        for held in ["t/a.torrent", "media/A.mp3", "dir/file"] {
            assert!(taken.claim(&path(held), one), "{held}");
        }
        assert_eq!(taken.is_free(&places("t/b.torrent", &["media/b.mp3"]), other), Free::Yes);
        assert_eq!(taken.is_free(&places("t/a.torrent", &["media/a.mp3"]), one), Free::Yes, "they are its own");
        assert_eq!(taken.is_free(&places("t/A.torrent", &["media/a.mp3"]), other), Free::After(vec![one]));
        assert_eq!(taken.is_free(&places("t/b.torrent", &["dir/file/x"]), other), Free::Never);
        assert_eq!(taken.is_free(&places("t/b.torrent", &["dir"]), other), Free::Never);
        assert!(!taken.claim(&path("DIR"), other) && !taken.claim(&path("dir/file/x"), other));
    }
}
