//! What a release is made of: the files that its front matter names, and their names in the torrent and below `media/`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use url::Url;
use walkdir::WalkDir;

use super::front::Located;
use super::locked::Locked;
use super::root::{Fault, Found, Root, is_dot_file};
use crate::lock;
use crate::metainfo::{Kind, tree_order};
use crate::names::{self, NAME_BYTES_MAX};
use crate::problem::Problem;
use crate::release::{FileOrder, Origin};
use crate::sitepath::SitePath;

/// The most files of one release.
pub const FILES_MAX: usize = 100_000;
/// The most names of a path in a torrent; readers of torrents have such a limit also.
const PATH_NAMES_MAX: usize = 48;
/// The most bytes of a path in a torrent: with `media/` and the slug it stays a path below the site's root.
const PATH_BYTES_MAX: usize = 2000;
/// The most bytes of all paths of a release: its `.torrent` stays small enough for those who read it.
const PATHS_BYTES_MAX: usize = 16 << 20;

/// The content of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    /// The torrent's name, and the name below `media/`: `<slug>.<ext>` or `<slug>`.
    pub name: String,
    /// The files in the torrent's order.
    pub files: Vec<FileOrder>,
    /// Whether it is one file without a folder around it.
    pub single: bool,
    /// What the page names, as it stands in the lock.
    pub origin: lock::Origin,
    /// By which paths pages name the files ([`by_name`]), and the paths that these have in the torrent.
    pub names: Vec<(PathBuf, Vec<String>)>,
}

/// `path` as it is looked up among the files of releases: what was renamed for its torrent goes by the name that it has there,
/// which is all that a lock knows of it.
pub fn by_name(path: &Path) -> PathBuf {
    path.iter().map(|name| name.to_str().map_or_else(|| name.to_owned(), |name| names::safe(name).into())).collect()
}

impl Medium {
    /// It with its files in the order that a torrent of `kind` asks for: in v2 that of the file tree (BEP 52).
    pub fn ordered_for(mut self, kind: Kind) -> Self {
        if kind.has_v2() {
            self.files.sort_by(|a, b| tree_order(&a.path, &b.path));
        }
        self
    }

    /// Where one of its files stands below the site's root.
    pub fn path(&self, file: &FileOrder) -> SitePath {
        self.place(&file.path)
    }

    /// Where the file stands that has `path` in the torrent.
    pub fn place(&self, path: &[String]) -> SitePath {
        let names = ["media", &self.name].into_iter().chain(path.iter().map(String::as_str));
        SitePath::new(names.collect::<Vec<_>>().join("/"))
            .expect("the names are safe, and few enough to be a path on disk")
    }
}

/// Where a release is written down: for the paths in it and for what is wrong with it.
pub struct Place<'a> {
    /// The site's folder.
    pub root: &'a Root,
    /// The folder of the page.
    pub folder: &'a Path,
    /// The page, as people see it.
    pub page: &'a Path,
    /// The page itself, which is not a part of its release.
    pub page_path: &'a Path,
    /// Its slug.
    pub slug: &'a str,
    /// What is known of its medium, where that is not to be looked at.
    pub locked: Option<&'a Locked>,
}

impl Place<'_> {
    /// The release that is the one file `media`.
    pub fn single(&self, media: &Located<String>) -> Result<Medium, Problem> {
        if media.value.contains("://") {
            return self.remote(media).map_err(|problem| problem.line(media.line));
        }
        let what = format!("`media` {:?}", media.value);
        let at = |problem: Problem| problem.line(media.line);
        let meant = self.root.meant(self.folder, &media.value);
        let meant = meant.map_err(|fault| at(fault.problem(self.page, &what)))?;
        let origin = lock::Origin::One(self.origin(&meant));
        let medium = |path: PathBuf, origin| Medium {
            name: self.name(&meant),
            files: vec![FileOrder { origin: Origin::File(path), path: Vec::new() }],
            single: true,
            origin,
            names: vec![(by_name(&meant), Vec::new())],
        };
        if let Some(locked) = self.locked {
            locked.record(self, &origin).map_err(at)?;
            return Ok(medium(meant.clone(), origin));
        }
        match self.root.resolve(self.folder, &media.value) {
            Err(fault) => Err(at(self.faulty(&fault, &what))),
            Ok(Found::Folder(_)) => Err(at(Problem::at(self.page, format!("{what} is a folder"))
                .help(format!("name a file, or all files of the folder with files = [{:?}]", media.value)))),
            Ok(Found::File { bytes: 0, .. }) => Err(at(self.empty(&what))),
            Ok(Found::File { path, .. }) => Ok(medium(path, origin)),
        }
    }

    /// The release that is the one file at a URL.
    fn remote(&self, media: &Located<String>) -> Result<Medium, Problem> {
        let url = Url::parse(&media.value).ok().filter(|url| {
            let is_open = url.username().is_empty() && url.password().is_none();
            matches!(url.scheme(), "http" | "https") && url.has_host() && is_open && url.fragment().is_none()
        });
        let Some(url) = url else {
            let problem = Problem::at(self.page, format!("`media` {:?} is no URL of a file", media.value));
            return Err(problem.help("write it as https://media.example.org/ep1.mp3, without a user name and a `#`"));
        };
        let origin = lock::Origin::One(url.to_string());
        if let Some(locked) = self.locked {
            locked.record(self, &origin)?;
        }
        let files = vec![FileOrder { origin: Origin::Url(url.to_string()), path: Vec::new() }];
        Ok(Medium { name: self.name(Path::new(url.path())), files, single: true, origin, names: Vec::new() })
    }

    /// The name of a torrent of the file at `path`.
    fn name(&self, path: &Path) -> String {
        match extension(path) {
            Some(extension) => format!("{}.{extension}", self.slug),
            None => self.slug.to_owned(),
        }
    }

    /// A path for the lock: from the site's folder, with `/` between names.
    fn origin(&self, path: &Path) -> String {
        self.root.shown(path).iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>().join("/")
    }

    /// The release that is the files and folders `names`, in their order; the files of a folder stand in the order of their
    /// names. A file keeps its path as seen from the page's folder; what is elsewhere keeps its last name alone.
    pub fn several(&self, names: &[Located<String>], warnings: &mut Vec<Problem>) -> Result<Medium, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut origins = Vec::new();
        let mut meant = Vec::new();
        for name in names {
            match self.root.meant(self.folder, &name.value) {
                Ok(path) => {
                    origins.push(self.origin(&path));
                    meant.push(path);
                }
                Err(fault) => {
                    problems.push(fault.problem(self.page, &format!("`files` {:?}", name.value)).line(name.line));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let origin = lock::Origin::Several(origins);
        if let Some(locked) = self.locked {
            let line = names.first().map_or(1, |name| name.line);
            let record = locked.record(self, &origin).map_err(|problem| vec![problem.line(line)])?;
            let files = locked.files(self, record, &meant).map_err(|problem| vec![problem])?;
            let name = |file: &FileOrder| Some((by_name(file.origin.path()?), file.path.clone()));
            let names = files.iter().filter_map(name).collect();
            return Ok(Medium { name: self.slug.to_owned(), files, single: false, origin, names });
        }
        let mut found = Vec::new();
        for name in names {
            if let Err(problem) = self.collect(name, &mut found) {
                problems.push(problem.line(name.line));
            }
        }
        if found.len() > FILES_MAX {
            return Err(vec![
                Problem::at(self.page, format!("`files` are more than {FILES_MAX}")).help("pack them into an archive"),
            ]);
        }
        let (files, names) = self.named(found, warnings, &mut problems);
        if files.iter().flat_map(|file| &file.path).map(String::len).sum::<usize>() > PATHS_BYTES_MAX {
            let problem =
                Problem::at(self.page, format!("the paths of `files` have more than {PATHS_BYTES_MAX} bytes"));
            problems.push(problem.help("pack them into an archive"));
        }
        if files.is_empty() && problems.is_empty() {
            problems.push(Problem::at(self.page, "`files` holds no file").help("name the files of the release"));
        }
        if problems.is_empty() {
            Ok(Medium { name: self.slug.to_owned(), files, single: false, origin, names })
        } else {
            Err(problems)
        }
    }

    /// The files that `named` stands for, of those that can be found.
    pub fn sources<'n>(&self, named: impl Iterator<Item = &'n Located<String>>) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for name in named {
            // What is wrong with it is told where it counts.
            let _ = self.collect(name, &mut found);
        }
        found.into_iter().map(|candidate| candidate.source).collect()
    }

    /// A fault of a medium; where there is a lock, the medium may be missing because it is not wanted.
    fn faulty(&self, fault: &Fault, what: &str) -> Problem {
        let problem = fault.problem(self.page, what);
        match fault {
            Fault::Missing { near: None } if lock::path(self.root.path()).exists() => {
                problem.help("put it there, or build from everseed.lock without media: --locked")
            }
            _ => problem,
        }
    }

    fn empty(&self, what: &str) -> Problem {
        Problem::at(self.page, format!("{what} is empty (0 bytes)")).help("put the whole file there")
    }

    /// Adds the files that one entry of `files` stands for, with their paths as they are on disk.
    fn collect(&self, name: &Located<String>, found: &mut Vec<Candidate>) -> Result<(), Problem> {
        let what = format!("`files` {:?}", name.value);
        let line = name.line;
        let faulty = |fault: Fault| self.faulty(&fault, &what);
        // The names are those that the author wrote, also where a symbolic link leads to others.
        let meant = self.root.meant(self.folder, &name.value).map_err(faulty)?;
        match self.root.resolve(self.folder, &name.value).map_err(faulty)? {
            Found::File { path, .. } if is_dot_file(&path) => {
                Err(Problem::at(self.page, format!("{what} is a dot-file, which page hosts drop"))
                    .help("give it a name without the dot"))
            }
            Found::File { bytes: 0, .. } => Err(self.empty(&what)),
            Found::File { path, .. } => {
                let inner = self.inner(&meant).to_owned();
                found.push(Candidate { source: path, meant, inner, line });
                Ok(())
            }
            Found::Folder(folder) => {
                let before = found.len();
                let walk = WalkDir::new(&folder).sort_by_file_name().max_depth(PATH_NAMES_MAX);
                for entry in walk.into_iter().filter_entry(|entry| entry.depth() == 0 || !is_dot_file(entry.path())) {
                    let entry = entry.map_err(|error| {
                        Problem::at(self.page, format!("{what} can't be read: {error}"))
                            .help("make it readable for the user who builds")
                    })?;
                    if entry.file_type().is_symlink() {
                        return Err(Problem::at(
                            self.page,
                            format!("{what} holds a symbolic link: {}", self.root.shown(entry.path()).display()),
                        )
                        .help("put the file itself, or a hard link to it, in its place"));
                    }
                    let path = entry.path();
                    if entry.file_type().is_dir() && entry.depth() == PATH_NAMES_MAX {
                        let message = format!("{what} holds folders in folders beyond {PATH_NAMES_MAX}");
                        return Err(Problem::at(self.page, message).help("pack them into an archive"));
                    }
                    if entry.file_type().is_file() && path != self.page_path && found.len() <= FILES_MAX {
                        let below = path.strip_prefix(&folder).expect("a walk stays below its folder");
                        let meant = meant.join(below);
                        let inner = self.inner_below(&meant, below).to_owned();
                        found.push(Candidate { source: path.to_owned(), meant, inner, line });
                    }
                }
                if found.len() == before {
                    return Err(Problem::at(self.page, format!("{what} is a folder without files"))
                        .help("put files into it, or leave it out"));
                }
                Ok(())
            }
        }
    }

    /// The path of a file or folder in the torrent: as seen from the page's folder, or its last name.
    fn inner<'p>(&self, meant: &'p Path) -> &'p Path {
        let last = meant.file_name().map_or(meant, Path::new);
        meant.strip_prefix(self.folder).unwrap_or(last)
    }

    /// The path in the torrent of what is `below` a folder that is named, at `meant`.
    fn inner_below<'p>(&self, meant: &'p Path, below: &Path) -> &'p Path {
        if meant.starts_with(self.folder) {
            return self.inner(meant);
        }
        let folder = meant.ancestors().nth(below.iter().count() + 1).unwrap_or(meant);
        meant.strip_prefix(folder).unwrap_or(meant)
    }

    /// Gives each file its path in the torrent, which every client can save and every web seed can be asked for.
    fn named(
        &self,
        found: Vec<Candidate>,
        warnings: &mut Vec<Problem>,
        problems: &mut Vec<Problem>,
    ) -> (Vec<FileOrder>, Vec<(PathBuf, Vec<String>)>) {
        let mut files = Vec::with_capacity(found.len());
        let mut by_names = Vec::with_capacity(found.len());
        // Paths without regard to case and Unicode form, as many file systems take them, and what holds each.
        let mut taken: BTreeMap<Vec<String>, PathBuf> = BTreeMap::new();
        for Candidate { source, meant, inner, line } in found {
            let shown = self.root.shown(&source).to_owned();
            let Some(names) = inner.iter().map(|name| name.to_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
            else {
                problems.push(
                    Problem::at(self.page, format!("{} has a name that is not UTF-8", shown.display()))
                        .line(line)
                        .help("rename the file"),
                );
                continue;
            };
            let bytes = names.iter().map(|name| name.len() + 1).sum::<usize>();
            if names.len() > PATH_NAMES_MAX || bytes > PATH_BYTES_MAX {
                problems.push(
                    Problem::at(
                        self.page,
                        format!(
                            "{} has a path of more than {PATH_NAMES_MAX} names or {PATH_BYTES_MAX} bytes",
                            shown.display()
                        ),
                    )
                    .line(line)
                    .help("move the file nearer to the page"),
                );
                continue;
            }
            if names.iter().any(|name| name.len() > NAME_BYTES_MAX) {
                problems.push(
                    Problem::at(
                        self.page,
                        format!("{} has a name of more than {NAME_BYTES_MAX} bytes", shown.display()),
                    )
                    .line(line)
                    .help("rename the file"),
                );
                continue;
            }
            let path: Vec<_> = names.iter().map(|name| names::safe(name)).collect();
            if let Some(fault) = names.iter().find_map(|name| names::fault(name)) {
                let message =
                    format!("{} is published as {:?}, because it has {fault}", shown.display(), path.join("/"));
                let help = "rename the file, or leave it at that";
                warnings.push(Problem::at(self.page, message).line(line).help(help));
            }
            let folded: Vec<_> = path.iter().map(|name| names::folded(name)).collect();
            // The same path, or one that is a file here and a folder there.
            let rival = taken
                .get(&folded)
                .or_else(|| (1..folded.len()).find_map(|length| taken.get(&folded[..length])))
                .or_else(|| {
                    taken
                        .range(folded.clone()..)
                        .next()
                        .filter(|(other, _)| other.starts_with(&folded))
                        .map(|(_, source)| source)
                });
            if let Some(rival) = rival {
                let message = format!(
                    "{} and {} have the same path in the torrent: {:?}",
                    rival.display(),
                    shown.display(),
                    path.join("/")
                );
                problems.push(Problem::at(self.page, message).line(line).help(
                    "name each file once, and rename one where only upper and lower case or the Unicode form differ",
                ));
                continue;
            }
            taken.insert(folded, shown);
            by_names.push((by_name(&meant), path.clone()));
            files.push(FileOrder { origin: Origin::File(source), path });
        }
        (files, by_names)
    }
}

/// A file that `files` stands for, and the path it has as seen from the page.
struct Candidate {
    source: PathBuf,
    /// Where its page says that it is.
    meant: PathBuf,
    inner: PathBuf,
    line: usize,
}

/// The extension of a published file: in lower case and ASCII, `tar.gz` and its like whole.
fn extension(path: &Path) -> Option<String> {
    let ascii = |text: &std::ffi::OsStr| {
        let text: String = text.to_str()?.chars().filter(char::is_ascii_alphanumeric).collect();
        (!text.is_empty()).then(|| text.to_ascii_lowercase())
    };
    let last = ascii(path.extension()?)?;
    match path.file_stem().map(Path::new).and_then(Path::extension) {
        Some(inner) if inner.eq_ignore_ascii_case("tar") => Some(format!("tar.{last}")),
        _ => Some(last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_is_ascii_in_lower_case() {
        let of = |name: &str| extension(Path::new(name));
        assert_eq!(of("a.MP3").as_deref(), Some("mp3"));
        assert_eq!(of("a.b.Tar.XZ").as_deref(), Some("tar.xz"));
        assert_eq!(of("a.mp3\u{301}").as_deref(), Some("mp3"));
        assert_eq!(of("a.é"), None);
        assert_eq!(of("tar.gz").as_deref(), Some("gz"));
        assert_eq!(of(".mp3"), None);
    }
}
