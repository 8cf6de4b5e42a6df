//! Finding the file of an enclosure: in the site, or below the folders that hold its media.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use walkdir::{DirEntry, WalkDir};

use super::address::Address;
use crate::names::composed;
use crate::problem::Problem;
use crate::sitepath::{SitePath, is_plain_name};

/// The most files below the folders of media.
const FILES_MAX: usize = 1_000_000;
/// The deepest folder below one of media that is looked into.
const DEPTH_MAX: usize = 64;
/// The most names at the end of a URL's path that are looked for as a path.
const NAMES_MAX: usize = 32;
/// The ending of files that are never media.
const TORRENT: &str = ".torrent";

/// Where the files of enclosures are looked for.
#[derive(Debug)]
pub struct Finder {
    /// The site, without symbolic links in its own path; and the folders of media.
    site: PathBuf,
    folders: Vec<PathBuf>,
    /// The files below those folders; they are walked when the first is looked for by its name.
    below: OnceLock<Result<Below, Problem>>,
}

/// The file of an enclosure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is, below the site or below a folder of media.
    pub path: PathBuf,
    /// Whether it stands in the site, at the path that its URL names.
    pub is_in_site: bool,
    /// Whether it was found by its name alone.
    pub is_by_name: bool,
}

impl Finder {
    /// Looks in the folder `site`, then below `folders`. A folder that is not there is a problem.
    pub fn new(site: &Path, folders: &[PathBuf]) -> Result<Self, Problem> {
        let site = opened(site, "name the folder that your generator writes the site to: --site")?;
        let open = |folder: &PathBuf| opened(folder, "name the folder that holds the media: --media");
        let mut folders = folders.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        folders.sort();
        folders.dedup();
        Ok(Self { site, folders, below: OnceLock::new() })
    }

    /// The file of `address`, where there is one: in the site at its path; else below a folder of media at the longest
    /// ending of the URL's path that leads to a file; else anywhere below those folders by its name, where the one
    /// counts whose folders have most in common with the URL's. Two of them are a problem, which names both.
    pub fn find(&self, address: &Address) -> Result<Option<Found>, Problem> {
        let Some(name) = address.path_names.last().filter(|name| !name.to_ascii_lowercase().ends_with(TORRENT)) else {
            return Ok(None);
        };
        // A URL of another host may be that of the site before it moved.
        let elsewhere = || SitePath::new(address.path_names.join("/")).ok();
        if let Some(path) = address.site_path.clone().or_else(elsewhere)
            && let Some(path) = file_inside(&self.site, &path.below(&self.site))?
        {
            return Ok(Some(Found { path, is_in_site: true, is_by_name: false }));
        }
        let names = &address.path_names[address.path_names.len().saturating_sub(NAMES_MAX)..];
        let (path, is_by_name) = match self.by_path(names, address)? {
            Some(path) => (Some(path), false),
            None => (self.by_name(name, names, address)?, true),
        };
        // Not a link to it: where it is placed, a second name of a link would be a link.
        let real = |path: PathBuf| path.canonicalize().map_err(|error| unreadable(&path, &error));
        Ok(path.map(real).transpose()?.map(|path| Found { path, is_in_site: false, is_by_name }))
    }

    /// The file below a folder of media that has the path of `address`, and other bytes than `found`, as it seems: another
    /// size, or written later.
    ///
    /// `is_only` tells that no other medium has this name: then a file of that name is it.
    pub fn differing(&self, address: &Address, found: &Path, is_only: bool) -> Option<PathBuf> {
        let name = address.path_names.last()?;
        let names = &address.path_names[address.path_names.len().saturating_sub(NAMES_MAX)..];
        let by_name = || if is_only { self.by_name(name, names, address).ok().flatten() } else { None };
        let outside = self.owned(address).or_else(by_name)?;
        let [here, there] = [found, &outside].map(fs::metadata);
        let (here, there) = (here.ok()?, there.ok()?);
        let is_other = here.len() != there.len() || there.modified().ok()? > here.modified().ok()?;
        (!is_same(&here, &there) && is_other).then_some(outside)
    }

    /// The file below a folder of media that has the path of `address`, wherever else there is one.
    pub fn owned(&self, address: &Address) -> Option<PathBuf> {
        let names = &address.path_names[address.path_names.len().saturating_sub(NAMES_MAX)..];
        self.by_path(names, address).ok().flatten()?.canonicalize().ok()
    }

    /// The file at the longest ending of the path of `names` that stands in a folder of media.
    fn by_path(&self, names: &[String], address: &Address) -> Result<Option<PathBuf>, Problem> {
        // A name alone is looked for in all of the folders.
        let shortest = if names.len() > 1 { 2 } else { 1 };
        for at in 0..=names.len() - shortest {
            let ending = &names[at..];
            if !ending.iter().all(|name| is_plain_name(name) && !name.starts_with('.')) {
                continue;
            }
            let below: PathBuf = ending.iter().collect();
            let mut files = Vec::new();
            for folder in &self.folders {
                files.extend(file_at(&folder.join(&below))?);
            }
            if let Some(file) = the_one(files, address)? {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// The file of this name anywhere below the folders of media.
    fn by_name(&self, name: &str, names: &[String], address: &Address) -> Result<Option<PathBuf>, Problem> {
        if self.folders.is_empty() {
            return Ok(None);
        }
        let below = self.below.get_or_init(|| Below::walk(&self.folders, &self.site, FILES_MAX));
        let below = below.as_ref().map_err(Clone::clone)?;
        let Some(candidates) = below.0.get(&*composed(name)) else { return Ok(None) };
        let in_common = |path: &Path| {
            let below = self.folders.iter().find_map(|folder| path.strip_prefix(folder).ok()).unwrap_or(path);
            let found = below.iter().rev().map(|name| name.to_str().map(composed));
            found.zip(names.iter().rev()).take_while(|(found, name)| *found == Some(composed(name))).count()
        };
        let most = candidates.iter().map(|path| in_common(path)).max();
        let files: Vec<_> = candidates.iter().filter(|path| Some(in_common(path)) == most).cloned().collect();
        // Who names a folder and one within it means the inner one first.
        let inner = files.iter().filter_map(|path| self.innermost(path)).max_by_key(|folder| folder.iter().count());
        let is_nested = |path: &PathBuf| match (self.innermost(path), inner) {
            (Some(own), Some(inner)) => own == inner || !inner.starts_with(own),
            _ => true,
        };
        let files = files.iter().filter(|path| is_nested(path)).cloned().collect();
        the_one(files, address)
    }
}

impl Finder {
    /// The innermost folder of media that holds the file at `path`.
    fn innermost(&self, path: &Path) -> Option<&PathBuf> {
        let holders = self.folders.iter().filter(|folder| path.starts_with(folder));
        holders.max_by_key(|folder| folder.iter().count())
    }
}

/// The files below the folders of media by their names, in the one form that Unicode composes them to.
#[derive(Debug)]
struct Below(HashMap<String, Vec<PathBuf>>);

impl Below {
    /// Walks `folders`, but not the site where that stands in them: what is there is a copy.
    fn walk(folders: &[PathBuf], site: &Path, files_max: usize) -> Result<Self, Problem> {
        let mut files: HashMap<String, Vec<PathBuf>> = HashMap::new();
        let mut count = 0;
        for folder in folders {
            // Media are often links to a store of large files.
            let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name().max_depth(DEPTH_MAX);
            let is_wanted = |entry: &DirEntry| {
                let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
                entry.depth() == 0 || (!is_hidden && entry.path() != site)
            };
            for entry in walk.into_iter().filter_entry(is_wanted) {
                let entry = match entry {
                    Ok(entry) => entry,
                    // A link in a circle, or to nothing.
                    Err(error) if error.loop_ancestor().is_some() || is_link(error.path()) => continue,
                    Err(error) => {
                        let path = error.path().unwrap_or(folder).to_owned();
                        return Err(unreadable(&path, &error.into()));
                    }
                };
                if entry.file_type().is_dir() {
                    continue;
                }
                count += 1;
                if count > files_max {
                    return Err(Problem::at(folder, format!("holds more than {files_max} files"))
                        .help("name the folder that holds the media, and no more: --media"));
                }
                let Some(name) = entry.file_name().to_str() else { continue };
                if entry.file_type().is_file() {
                    files.entry(composed(name).into_owned()).or_default().push(entry.into_path());
                }
            }
        }
        Ok(Self(files))
    }
}

/// The folder at `path` without symbolic links in its path.
fn opened(path: &Path, help: &str) -> Result<PathBuf, Problem> {
    let unusable = |why: &str| Problem::at(path, why.to_owned()).help(help);
    let real = path.canonicalize().map_err(|error| match error.kind() {
        ErrorKind::NotFound => unusable("there is no such folder"),
        _ => unusable(&format!("can't be read: {error}")),
    })?;
    if real.is_dir() { Ok(real) } else { Err(unusable("is not a folder")) }
}

fn is_link(path: Option<&Path>) -> bool {
    path.is_some_and(Path::is_symlink)
}

/// `path`, if a file stands there, through whatever links.
fn file_at(path: &Path) -> Result<Option<PathBuf>, Problem> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_file().then(|| path.to_owned())),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(unreadable(path, &error)),
        // There is nothing, a file where a folder is named, links in a circle, or a name that is too long.
        Err(_) => Ok(None),
    }
}

/// `path`, if a file that is inside of `folder` stands there, through whatever links.
fn file_inside(folder: &Path, path: &Path) -> Result<Option<PathBuf>, Problem> {
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(unreadable(path, &error)),
        // There is nothing, a file where a folder is named, links in a circle, or a name that is too long.
        Err(_) => return Ok(None),
    };
    let metadata = fs::metadata(&real).map_err(|error| unreadable(path, &error))?;
    Ok((real.starts_with(folder) && metadata.is_file()).then(|| path.to_owned()))
}

/// The only one of `files`, of which none are there or several are the same file.
fn the_one(files: Vec<PathBuf>, address: &Address) -> Result<Option<PathBuf>, Problem> {
    let mut files = files.into_iter();
    let Some(first) = files.next() else { return Ok(None) };
    for other in files {
        let [a, b] = [&first, &other].map(|path| fs::metadata(path).map_err(|error| unreadable(path, &error)));
        if !is_same(&a?, &b?) {
            let message =
                format!("{}: two files could be it: {} and {}", address.direct_url, first.display(), other.display());
            return Err(Problem::new(message)
                .help("name the folder that holds the right one: --media; or move the other one out of it"));
        }
    }
    Ok(Some(first))
}

fn is_same(a: &Metadata, b: &Metadata) -> bool {
    a.dev() == b.dev() && a.ino() == b.ino()
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::at(path, format!("can't be read: {error}")).help("make it readable for the user who attaches")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::os::unix::fs::symlink;

    use expect_test::expect;
    use tempfile::TempDir;

    use super::super::prefix::Prefixes;
    use super::*;
    use crate::baseurl::BaseUrl;

    /// A project's folder with a site in `public`.
    struct House(TempDir);

    impl House {
        fn new(files: &[&str]) -> Self {
            let house = Self(tempfile::tempdir().expect("a temporary folder"));
            fs::create_dir(house.path("public")).expect("made");
            files.iter().for_each(|file| house.put(file));
            house
        }

        fn path(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn put(&self, file: &str) {
            let path = self.path(file);
            fs::create_dir_all(path.parent().expect("in the house")).expect("made");
            fs::write(path, file).expect("written");
        }

        fn link(&self, to: &str, at: &str) {
            fs::create_dir_all(self.path(at).parent().expect("in the house")).expect("made");
            symlink(to, self.path(at)).expect("linked");
        }

        fn finder(&self, folders: &[&str]) -> Result<Finder, Problem> {
            Finder::new(&self.path("public"), &folders.iter().map(|folder| self.path(folder)).collect::<Vec<_>>())
        }

        fn shown(&self, text: &str) -> String {
            text.replace(&format!("{}/", self.0.path().canonicalize().expect("there").display()), "")
                .replace(&format!("{}/", self.0.path().display()), "")
        }

        /// Where the file of each path below the site's root is found.
        fn find(&self, folders: &[&str], paths: &[&str]) -> String {
            let base = BaseUrl::parse("https://show.example.org/").expect("a base URL");
            let prefixes = Prefixes::new(&[]).expect("the built-in ones");
            let finder = self.finder(folders).expect("folders");
            let mut table = String::new();
            for path in paths {
                let address = Address::of(path, base.as_str(), &base, &prefixes).expect("an address");
                let found = match finder.find(&address) {
                    Ok(Some(found)) => {
                        format!("{}{}", found.path.display(), if found.is_in_site { " (in the site)" } else { "" })
                    }
                    Ok(None) => "nothing".into(),
                    Err(problem) => problem.to_string(),
                };
                let found = self.shown(&found).replace('\u{308}', "\\u{308}");
                writeln!(table, "{path} -> {found}").expect("written");
            }
            table
        }
    }

    #[test]
    fn a_file_of_the_site_comes_first_and_stays_inside() {
        let house = House::new(&[
            "public/audio/ep1.mp3",
            "public/audio/folge ü.mp3",
            "public/torrents/ep1.torrent",
            "public/audio/x.mp3/y",
            "secret.mp3",
            "media/ep1.mp3",
            "media/ep1.torrent",
            "media/linked.mp3",
        ]);
        house.link("ep1.mp3", "public/audio/inner.mp3");
        house.link("../../secret.mp3", "public/audio/outer.mp3");
        house.link("../../secret.mp3", "public/audio/linked.mp3");
        house.link("loop.mp3", "public/audio/loop.mp3");
        let paths = [
            "/audio/ep1.mp3",
            "/audio/folge%20%C3%BC.mp3",
            "/audio/inner.mp3",
            "/audio/outer.mp3",
            "/audio/linked.mp3",
            "/audio/loop.mp3",
            "/audio/x.mp3",
            "/audio/ep1.mp3/more.mp3",
            "/torrents/ep1.torrent",
            "/ep1.mp3",
            "https://cdn.example.org/audio/ep1.mp3",
            "https://cdn.example.org/audio/ep2.mp3",
        ];
        expect![[r#"
            /audio/ep1.mp3 -> public/audio/ep1.mp3 (in the site)
            /audio/folge%20%C3%BC.mp3 -> public/audio/folge ü.mp3 (in the site)
            /audio/inner.mp3 -> public/audio/inner.mp3 (in the site)
            /audio/outer.mp3 -> nothing
            /audio/linked.mp3 -> media/linked.mp3
            /audio/loop.mp3 -> nothing
            /audio/x.mp3 -> nothing
            /audio/ep1.mp3/more.mp3 -> nothing
            /torrents/ep1.torrent -> nothing
            /ep1.mp3 -> media/ep1.mp3
            https://cdn.example.org/audio/ep1.mp3 -> public/audio/ep1.mp3 (in the site)
            https://cdn.example.org/audio/ep2.mp3 -> nothing
        "#]]
        .assert_eq(&house.find(&["media"], &paths));
        assert_eq!(house.find(&[], &["/ep1.mp3"]), "/ep1.mp3 -> nothing\n");
    }

    #[test]
    fn the_longest_ending_of_the_path_counts_then_the_name() {
        let house = House::new(&[
            "media/ep1.mp3",
            "media/2026/ep1.mp3",
            "media/audio/2025/ep1.mp3",
            "media/deep/down/2025/ep2.mp3",
            "media/deep/down/2024/ep2.mp3",
            "media/deep/down/ep3.mp3",
            "media/.hidden/ep4.mp3",
            "media/.ep5.mp3",
            "media/EP6.mp3",
            "media/nfd/a\u{308}.mp3",
            "other/ep7.mp3",
            "outside/ep8.mp3",
        ]);
        house.link("../../outside", "media/deep/outside");
        house.link("../../outside/ep8.mp3", "media/deep/ep8.mp3");
        house.link("down/ep3.mp3", "media/deep/same.mp3");
        house.link("down", "media/deep/through");
        let paths = [
            "/ep1.mp3",
            "/show/2026/ep1.mp3",
            "/audio/2025/ep1.mp3",
            "/2024/ep1.mp3",
            "/files/2025/ep2.mp3",
            "/ep3.mp3",
            "/.hidden/ep4.mp3",
            "/ep4.mp3",
            "/.ep5.mp3",
            "/ep6.mp3",
            "/%C3%A4.mp3",
            "/ep7.mp3",
            "/ep8.mp3",
            "/same.mp3",
            "/deep/through/ep3.mp3",
            "/down",
        ];
        expect![[r#"
            /ep1.mp3 -> media/ep1.mp3
            /show/2026/ep1.mp3 -> media/2026/ep1.mp3
            /audio/2025/ep1.mp3 -> media/audio/2025/ep1.mp3
            /2024/ep1.mp3 -> https://show.example.org/2024/ep1.mp3: two files could be it: media/2026/ep1.mp3 and media/audio/2025/ep1.mp3
              help: name the folder that holds the right one: --media; or move the other one out of it
            /files/2025/ep2.mp3 -> media/deep/down/2025/ep2.mp3
            /ep3.mp3 -> media/deep/down/ep3.mp3
            /.hidden/ep4.mp3 -> nothing
            /ep4.mp3 -> nothing
            /.ep5.mp3 -> nothing
            /ep6.mp3 -> nothing
            /%C3%A4.mp3 -> media/nfd/a\u{308}.mp3
            /ep7.mp3 -> other/ep7.mp3
            /ep8.mp3 -> outside/ep8.mp3
            /same.mp3 -> media/deep/down/ep3.mp3
            /deep/through/ep3.mp3 -> media/deep/down/ep3.mp3
            /down -> nothing
        "#]]
        .assert_eq(&house.find(&["media", "other", "media"], &paths));
    }

    #[test]
    fn two_files_that_could_be_it_are_named_both() {
        let house = House::new(&["a/ep1.mp3", "b/ep1.mp3", "a/x/ep2.mp3", "b/y/ep2.mp3", "a/ep3.mp3", "a/ep4.mp3"]);
        fs::hard_link(house.path("a/ep3.mp3"), house.path("b/ep3.mp3")).expect("linked");
        fs::create_dir_all(house.path("a/again")).expect("made");
        fs::hard_link(house.path("a/ep4.mp3"), house.path("a/again/ep4.mp3")).expect("linked");
        let paths = ["/ep1.mp3", "/ep2.mp3", "/y/ep2.mp3", "/ep3.mp3", "/z/ep4.mp3"];
        expect![[r#"
            /ep1.mp3 -> https://show.example.org/ep1.mp3: two files could be it: a/ep1.mp3 and b/ep1.mp3
              help: name the folder that holds the right one: --media; or move the other one out of it
            /ep2.mp3 -> https://show.example.org/ep2.mp3: two files could be it: a/x/ep2.mp3 and b/y/ep2.mp3
              help: name the folder that holds the right one: --media; or move the other one out of it
            /y/ep2.mp3 -> b/y/ep2.mp3
            /ep3.mp3 -> a/ep3.mp3
            /z/ep4.mp3 -> a/again/ep4.mp3
        "#]]
        .assert_eq(&house.find(&["a", "b"], &paths));
    }

    #[test]
    fn the_site_in_a_folder_of_media_is_not_walked() {
        let house = House::new(&["raw/ep1.mp3", "public/copies/ep1.mp3"]);
        assert_eq!(house.find(&["."], &["/ep1.mp3"]), "/ep1.mp3 -> raw/ep1.mp3\n");
        assert_eq!(house.find(&["public"], &["/ep1.mp3"]), "/ep1.mp3 -> public/copies/ep1.mp3\n");
    }

    #[test]
    fn a_folder_that_is_not_there_and_one_with_too_many_files_are_problems() {
        let house = House::new(&["media/a.mp3", "media/b/c.mp3"]);
        let why = |folder: &str| house.shown(&house.finder(&[folder]).expect_err("no folder").to_string());
        expect![[r#"
            nowhere: there is no such folder
              help: name the folder that holds the media: --media
            media/a.mp3: is not a folder
              help: name the folder that holds the media: --media"#]]
        .assert_eq(&[why("nowhere"), why("media/a.mp3")].join("\n"));
        let problem = Finder::new(&house.path("dist"), &[]).expect_err("no site");
        expect![[r#"
            dist: there is no such folder
              help: name the folder that your generator writes the site to: --site"#]]
        .assert_eq(&house.shown(&problem.to_string()));
        let folders = [house.path("media")];
        assert!(Below::walk(&folders, &house.path("public"), 2).is_ok());
        let problem = Below::walk(&folders, &house.path("public"), 1).expect_err("too many");
        expect![[r#"
            media: holds more than 1 files
              help: name the folder that holds the media, and no more: --media"#]]
        .assert_eq(&house.shown(&problem.to_string()));
    }
}
