//! The links of a page: to other pages, to media, and to files beside it, which are published with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::markdown;
use super::medium::by_name;
use super::root::{Fault, Found, Root, is_dot_file};
use crate::lock;
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// What links can lead to.
pub struct Site<'a> {
    /// The site's folder.
    pub root: &'a Root,
    /// The pages by their sources, with their encoded paths below the site's root.
    pub pages: HashMap<PathBuf, String>,
    /// The sources of drafts that are not built.
    pub drafts: BTreeSet<PathBuf>,
    /// The files of releases, with their encoded paths below the site's root.
    pub media: HashMap<PathBuf, String>,
    /// The files of releases that are not built.
    pub draft_media: BTreeSet<PathBuf>,
    /// Files and folders of the site's that are not for readers, and what each is.
    pub private: Vec<(PathBuf, &'static str)>,
}

/// A page with links.
pub struct Page<'a> {
    /// Its source, as people see it.
    pub shown: &'a Path,
    /// The folder of its source.
    pub folder: &'a Path,
    /// Its Markdown.
    pub body: &'a str,
    /// The line at which that begins.
    pub body_line: usize,
}

/// Where the links of a page lead, and which lead nowhere.
#[derive(Debug, Default)]
pub struct Resolved {
    /// From what is written to the encoded path below the site's root; other links stay as they are.
    pub links: HashMap<String, String>,
    /// Paths of the site for which no file of the author's stands, with their lines.
    pub unproven: Vec<(String, usize)>,
    /// Links that must not be published.
    pub problems: Vec<Problem>,
    /// Links that lead nowhere.
    pub warnings: Vec<Problem>,
}

/// The files that are published with a page, in a folder of the output.
pub struct Assets {
    url: String,
    /// The files by their places in the output.
    pub files: BTreeMap<SitePath, PathBuf>,
}

impl Assets {
    /// The files below `url`, which ends in `/`; there are none yet.
    pub fn new(url: String) -> Self {
        Self { url, files: BTreeMap::new() }
    }

    /// Publishes the file `source` of a page in `folder`: under its path as seen from there, or its name alone, in ASCII; one that
    /// differs from all others of the page.
    pub fn add(&mut self, folder: &Path, source: &Path) -> SitePath {
        if let Some((path, _)) = self.files.iter().find(|(_, known)| *known == source) {
            return path.clone();
        }
        let below = source.strip_prefix(folder).ok().or_else(|| source.file_name().map(Path::new)).unwrap_or(source);
        let folders: Vec<_> =
            below.parent().into_iter().flat_map(Path::iter).map(|name| ascii(Path::new(name))).collect();
        let stem = ascii(below.file_stem().map_or(below, Path::new));
        let extension =
            below.extension().map(|extension| format!(".{}", ascii(Path::new(extension)))).unwrap_or_default();
        for attempt in 1.. {
            let suffix = if attempt == 1 { String::new() } else { format!("-{attempt}") };
            let name = format!("{stem}{suffix}{extension}");
            let names = folders.iter().chain([&name]).map(String::as_str).collect::<Vec<_>>().join("/");
            let path = SitePath::new(format!("{}{names}", self.url)).expect("names of a-z, 0-9 and - are plain");
            // `index.html` is the page.
            if names != "index.html" && !self.files.contains_key(&path) {
                self.files.insert(path.clone(), source.to_owned());
                return path;
            }
        }
        unreachable!("a page has fewer files than there are numbers")
    }
}

fn ascii(name: &Path) -> String {
    let slug = slug::slugify(name.to_string_lossy());
    if slug.is_empty() { "file".into() } else { slug }
}

/// Looks at every link of `page`. Files that stand beside it are added to `assets`.
pub fn resolve(site: &Site, page: &Page, assets: &mut Assets) -> Resolved {
    let mut resolved = Resolved::default();
    for reference in markdown::references(page.body) {
        let target = &reference.target;
        let line = page.body_line + reference.line;
        if leads_elsewhere(target) || resolved.links.contains_key(target) {
            continue;
        }
        let (path, suffix) = target.split_at(target.find(['?', '#']).unwrap_or(target.len()));
        let path = percent_decode_str(path).decode_utf8_lossy();
        match destination(site, page, &path, assets) {
            Ok(url) => {
                resolved.links.insert(target.clone(), format!("{url}{suffix}"));
            }
            Err(Nowhere::Unproven(path)) => {
                resolved.links.insert(target.clone(), target.trim_start_matches('/').to_owned());
                resolved.unproven.push((path, line));
            }
            Err(Nowhere::Fault(fault @ (Fault::Outside | Fault::Linked(_) | Fault::Unreadable(_)))) => {
                resolved.problems.push(fault.problem(page.shown, &what(&reference)).line(line));
            }
            Err(Nowhere::Fault(fault)) => {
                resolved.warnings.push(fault.problem(page.shown, &what(&reference)).line(line));
            }
            Err(Nowhere::Private(why, help)) => {
                let problem = Problem::at(page.shown, format!("{} leads to {why}", what(&reference))).line(line);
                resolved.problems.push(problem.help(help));
            }
            Err(Nowhere::Because(why, help)) => {
                let warning = Problem::at(page.shown, format!("{} {why}", what(&reference))).line(line);
                resolved.warnings.push(warning.help(help));
            }
        }
    }
    resolved
}

fn what(reference: &markdown::Reference) -> String {
    format!("{} {:?}", if reference.is_image { "image" } else { "link" }, reference.target)
}

/// Why a link leads to nothing that is known.
enum Nowhere {
    Unproven(String),
    Fault(Fault),
    Because(&'static str, &'static str),
    Private(String, &'static str),
}

fn destination(site: &Site, page: &Page, path: &str, assets: &mut Assets) -> Result<String, Nowhere> {
    // Media need not be there.
    let meant = site.root.meant(page.folder, path);
    if let Some(url) = meant.as_ref().ok().and_then(|meant| site.media.get(&by_name(meant))) {
        return Ok(url.clone());
    }
    // Torrents are published there, with all that the lock's own lack.
    if meant.is_ok_and(|meant| meant.starts_with(site.root.path().join(lock::TORRENTS))) {
        return Err(match path.strip_prefix('/') {
            Some(rest) => Nowhere::Unproven(rest.to_owned()),
            None => Nowhere::Because("leads to a torrent", "write it as it is published: /torrents/ep1.torrent"),
        });
    }
    let file = match site.root.resolve(page.folder, path) {
        Ok(Found::File { path, .. }) => path,
        Ok(Found::Folder(folder)) => {
            let index = folder.join("index.md");
            if !site.pages.contains_key(&index) && !site.drafts.contains(&index) {
                return Err(match path.strip_prefix('/') {
                    Some(rest) => Nowhere::Unproven(rest.to_owned()),
                    None => Nowhere::Because("leads to a folder", "name a file in it"),
                });
            }
            index
        }
        Err(Fault::Missing { .. }) if path.starts_with('/') => {
            return Err(Nowhere::Unproven(path.trim_start_matches('/').to_owned()));
        }
        Err(fault) => return Err(Nowhere::Fault(fault)),
    };
    if let Some(url) = site.pages.get(&file).or_else(|| site.media.get(&file)) {
        return Ok(url.clone());
    }
    if site.drafts.contains(&file) {
        return Err(Nowhere::Because("leads to a draft", "publish the draft, or take the link away"));
    }
    if let Some(private) = private(site, &file) {
        return Err(private);
    }
    Ok(assets.add(page.folder, &file).url())
}

/// Whether `file` must not be copied into the site only because a link leads there.
fn private(site: &Site, file: &Path) -> Option<Nowhere> {
    if site.draft_media.contains(file) {
        let why = "the medium of a draft, which is not built";
        return Some(Nowhere::Private(why.into(), "publish the draft, or take the link away"));
    }
    if let Some((_, what)) = site.private.iter().find(|(private, _)| file.starts_with(private)) {
        let help = "take the link away; what readers may have stands beside the page, or in static/";
        return Some(Nowhere::Private(format!("{what}, which is not published"), help));
    }
    site.root.shown(file).ancestors().any(is_dot_file).then(|| {
        let help = "give it a name without the dot, and its folder too";
        Nowhere::Private("a dot-file, or one in such a folder, which is not published".into(), help)
    })
}

/// A link within the page, or one with a scheme or a host of its own.
fn leads_elsewhere(target: &str) -> bool {
    let scheme = target.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    scheme || target.is_empty() || target.starts_with(['#', '?']) || target.starts_with("//")
}
