//! The content of a site: `content/**/*.md` and what it names, read and checked; every fault of the folder in one run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use walkdir::WalkDir;

use super::date::Published;
use super::front::{self, Front, Located};
use super::links::{self, Assets, Site};
use super::medium::{Medium, Place};
use super::options::Options;
use super::root::{Found, Root, is_dot_file};
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// The most pages of a site.
pub const PAGES_MAX: usize = 100_000;
/// The most bytes of a page's source.
pub const PAGE_BYTES_MAX: u64 = 4 << 20;
/// The deepest folder below `content/`.
const DEPTH_MAX: usize = 64;
/// The most bytes of a slug: `<slug>.torrent` and the like stay within a file's name.
const SLUG_BYTES_MAX: usize = 120;
/// The most files of `static/`.
const STATIC_FILES_MAX: usize = 100_000;
/// The addresses at the root that are the site's own or the server's.
const RESERVED: [&str; 13] = [
    "announce", "api", "episodes", "feed", "healthz", "media", "metrics", "scrape", "sitemap", "static", "swarms",
    "themes", "torrents",
];
/// The extensions of pictures that browsers and podcast apps show.
const IMAGES: [&str; 7] = ["avif", "gif", "jpeg", "jpg", "png", "svg", "webp"];
/// The extensions of transcripts that apps read.
const TRANSCRIPTS: [&str; 6] = ["htm", "html", "json", "srt", "txt", "vtt"];

/// Everything that a site publishes, checked.
#[derive(Debug)]
pub struct Content {
    /// The text of the home page.
    pub home: Option<Text>,
    /// The plain pages, in the order of their files.
    pub pages: Vec<Page>,
    /// The releases, newest first.
    pub releases: Vec<Release>,
    /// The show's cover.
    pub cover: Option<(SitePath, PathBuf)>,
    /// The files of `static/`, by their place in the output.
    pub statics: BTreeMap<SitePath, PathBuf>,
    /// What is not wrong and still worth a look.
    pub warnings: Vec<Problem>,
}

/// What every page has.
#[derive(Debug, Default)]
pub struct Text {
    /// Its source, as people see it.
    pub file: PathBuf,
    /// The title.
    pub title: String,
    /// A sentence on what it is.
    pub description: Option<String>,
    /// Its Markdown.
    pub body: String,
    /// Its picture, by its place in the output.
    pub image: Option<SitePath>,
    /// Where links lead that lead into the site: from what is written to the encoded path below the root.
    pub links: HashMap<String, String>,
    /// Links to addresses of the site that no file of the author's stands for: the path and its line.
    pub unproven: Vec<(String, usize)>,
    /// The files that come with it, by their place in the output.
    pub assets: BTreeMap<SitePath, PathBuf>,
    /// What templates find in `page.extra`.
    pub extra: Map<String, Value>,
}

/// A plain page.
#[derive(Debug)]
pub struct Page {
    /// What every page has.
    pub text: Text,
    /// Its address: `<slug>/`.
    pub slug: String,
}

/// A page with media: an episode, or another release.
#[derive(Debug)]
pub struct Release {
    /// What every page has.
    pub text: Text,
    /// Its address: `episodes/<slug>/`.
    pub slug: String,
    /// When it was published.
    pub date: Published,
    /// The files.
    pub medium: Medium,
    /// The number of its season.
    pub season: Option<u32>,
    /// Its number in the season.
    pub episode: Option<u32>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Its transcript, by its place in the output.
    pub transcript: Option<SitePath>,
    /// Whether it holds matter for adults.
    pub explicit: Option<bool>,
    /// Whether its peers come from the trackers alone (BEP 27), where it says so itself.
    pub private: Option<bool>,
    /// Its identity in feeds, where it names one.
    pub guid: Option<String>,
}

/// Reads the content of the site. An error: every fault that was found, in the order of the files.
pub fn load(options: &Options) -> Result<Content, Vec<Problem>> {
    let root = Root::open(&options.root).map_err(|problem| vec![problem])?;
    let mut reader = Reader { root: &root, problems: Vec::new(), warnings: Vec::new() };
    let sources = reader.sources();
    let sheets = reader.sheets(&sources, options.drafts);
    let content = reader.content(sheets, options);
    let Reader { mut problems, mut warnings, .. } = reader;
    if !problems.is_empty() {
        problems.sort();
        problems.dedup();
        return Err(problems);
    }
    warnings.sort();
    warnings.dedup();
    Ok(Content { warnings, ..content })
}

/// A file below `content/`, with its text.
struct Source {
    path: PathBuf,
    shown: PathBuf,
    text: String,
}

/// What a file below `content/` is, before anything that it names was looked at.
struct Sheet<'a> {
    source: &'a Source,
    front: Front,
    body: &'a str,
    body_line: usize,
    /// Keys that are there, also those whose values are wrong.
    keys: Vec<String>,
    kind: Kind,
    slug: String,
    problems: Vec<Problem>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Home,
    Page,
    Release,
    Draft,
}

impl Sheet<'_> {
    /// The folder of its output, with a `/` at its end where it is not the root.
    fn url(&self) -> String {
        match self.kind {
            Kind::Home | Kind::Draft => String::new(),
            Kind::Page => format!("{}/", self.slug),
            Kind::Release => format!("episodes/{}/", self.slug),
        }
    }

    fn folder(&self) -> &Path {
        self.source.path.parent().expect("a file stands in a folder")
    }
}

struct Reader<'a> {
    root: &'a Root,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Reader<'_> {
    fn sources(&mut self) -> Vec<Source> {
        let folder = self.root.path().join("content");
        if !folder.is_dir() {
            self.problems.push(
                Problem::at("content", "there is no such folder")
                    .help("make it, and write a page into it: content/ep1.md"),
            );
            return Vec::new();
        }
        let mut sources = Vec::new();
        let walk = WalkDir::new(&folder).sort_by_file_name().max_depth(DEPTH_MAX);
        for entry in walk.into_iter().filter_entry(|entry| entry.depth() == 0 || !is_dot_file(entry.path())) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let path = error.path().unwrap_or(&folder);
                    self.problems.push(Problem::at(self.root.shown(path), format!("can't be read: {error}")));
                    continue;
                }
            };
            let path = entry.path();
            let shown = self.root.shown(path).to_owned();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            if entry.file_type().is_symlink() {
                let warning = Problem::at(shown, "is a symbolic link, and not read as a page");
                self.warnings.push(warning.help("put the file itself there"));
            } else if entry.file_type().is_file() {
                match read_text(path) {
                    Ok(text) => sources.push(Source { path: path.to_owned(), shown, text }),
                    Err(why) => self.problems.push(Problem::at(shown, why)),
                }
            }
            if sources.len() > PAGES_MAX {
                self.problems.push(Problem::at("content", format!("holds more than {PAGES_MAX} pages")));
                break;
            }
        }
        sources
    }

    /// Reads the front matter of all sources. Files that a release names are its data, and no pages.
    fn sheets<'s>(&mut self, sources: &'s [Source], drafts: bool) -> Vec<Sheet<'s>> {
        let mut sheets = Vec::new();
        let mut faults = Vec::new();
        for source in sources {
            match front::read(&source.shown, &source.text) {
                Ok(document) => sheets.push(self.sheet(source, document, drafts)),
                Err(problem) => faults.push((source.path.clone(), problem)),
            }
        }
        let data = self.data(&sheets);
        sheets.retain(|sheet| !data.contains(&sheet.source.path));
        self.problems.extend(faults.into_iter().filter(|(path, _)| !data.contains(path)).map(|(_, problem)| problem));
        for sheet in &mut sheets {
            // What is kept back may be half written.
            if sheet.kind != Kind::Draft {
                self.problems.append(&mut sheet.problems);
            }
        }
        sheets
    }

    fn sheet<'s>(&self, source: &'s Source, document: front::Document<'s>, drafts: bool) -> Sheet<'s> {
        let front::Document { front, body, body_line, problems, keys } = document;
        let has = |key: &str| keys.iter().any(|known| known == key);
        let is_home = source.path == self.root.path().join("content").join("index.md");
        let kind = match () {
            () if front.draft && !drafts => Kind::Draft,
            () if is_home => Kind::Home,
            () if has("media") || has("files") => Kind::Release,
            () => Kind::Page,
        };
        let mut sheet = Sheet { source, slug: String::new(), front, body, body_line, keys, kind, problems };
        match slug(&sheet) {
            Ok(slug) => sheet.slug = slug,
            Err(problem) => sheet.problems.push(problem),
        }
        sheet
    }

    /// The files that releases name, and those in folders that releases name.
    fn data(&self, sheets: &[Sheet]) -> BTreeSet<PathBuf> {
        let mut data = BTreeSet::new();
        let ignored = &mut Vec::new();
        for sheet in sheets.iter().filter(|sheet| sheet.kind == Kind::Release) {
            let place = self.place(sheet);
            if let Some(files) = &sheet.front.files {
                for file in files {
                    let medium = place.several(std::slice::from_ref(file), ignored);
                    data.extend(medium.into_iter().flat_map(|medium| medium.files).map(|file| file.source));
                }
            }
        }
        data
    }

    fn place<'s>(&'s self, sheet: &'s Sheet) -> Place<'s> {
        Place {
            root: self.root,
            folder: sheet.folder(),
            page: &sheet.source.shown,
            page_path: &sheet.source.path,
            slug: &sheet.slug,
        }
    }

    fn content(&mut self, sheets: Vec<Sheet>, options: &Options) -> Content {
        self.clashes(&sheets);
        let media: Vec<_> = sheets.iter().map(|sheet| self.medium(sheet)).collect();
        let site = site(self.root, &sheets, &media);
        let mut content = Content {
            home: None,
            pages: Vec::new(),
            releases: Vec::new(),
            cover: self.cover(options),
            statics: self.statics(),
            warnings: Vec::new(),
        };
        for (sheet, medium) in sheets.into_iter().zip(media) {
            let mut text = self.text(&sheet, options);
            match sheet.kind {
                Kind::Draft => continue,
                Kind::Home => {
                    self.link(
                        &sheet,
                        &site,
                        &mut Assets::new("static/", &mut text.assets),
                        &mut text.links,
                        &mut text.unproven,
                    );
                    content.home = Some(text);
                }
                Kind::Page | Kind::Release => {
                    let transcript = {
                        let mut assets = Assets::new(&sheet.url(), &mut text.assets);
                        text.image = self.asset(&sheet, "image", sheet.front.image.as_ref(), &IMAGES, &mut assets);
                        let transcript = self.asset(
                            &sheet,
                            "transcript",
                            sheet.front.transcript.as_ref(),
                            &TRANSCRIPTS,
                            &mut assets,
                        );
                        self.link(&sheet, &site, &mut assets, &mut text.links, &mut text.unproven);
                        transcript
                    };
                    if sheet.kind == Kind::Page {
                        content.pages.push(Page { text, slug: sheet.slug });
                    } else if let (Some(medium), Some(date)) = (medium, sheet.front.date) {
                        content.releases.push(release(text, sheet.slug, sheet.front, date, medium, transcript));
                    }
                }
            }
        }
        content.releases.sort_by(|a, b| b.date.at().cmp(&a.date.at()).then_with(|| a.slug.cmp(&b.slug)));
        content
    }

    /// Two pages at one address.
    fn clashes(&mut self, sheets: &[Sheet]) {
        let mut taken: HashMap<String, &Path> = HashMap::new();
        let built = |sheet: &&Sheet| matches!(sheet.kind, Kind::Page | Kind::Release) && !sheet.slug.is_empty();
        for sheet in sheets.iter().filter(built) {
            let shown = &sheet.source.shown;
            if let Some(other) = taken.insert(sheet.url(), shown) {
                let problem = Problem::at(shown, format!("has the slug `{}`, as {} has", sheet.slug, other.display()));
                let problem = sheet.front.slug.iter().fold(problem, |problem, slug| problem.line(slug.line));
                self.problems.push(problem.help("give one of the two another: slug = \"...\""));
            }
            if sheet.kind == Kind::Page && RESERVED.contains(&sheet.slug.as_str()) {
                let problem =
                    Problem::at(shown, format!("has the slug `{}`, which is an address of the site's own", sheet.slug));
                let problem = sheet.front.slug.iter().fold(problem, |problem, slug| problem.line(slug.line));
                self.problems.push(problem.help("give it another: slug = \"...\""));
            }
        }
    }

    fn medium(&mut self, sheet: &Sheet) -> Option<Medium> {
        if sheet.kind != Kind::Release {
            return None;
        }
        let page = &sheet.source.shown;
        match (&sheet.front.media, &sheet.front.files) {
            (Some(media), Some(_)) => {
                self.problems.push(
                    Problem::at(page, "has both `media` and `files`")
                        .line(media.line)
                        .help("keep `media` for one file, or `files` for several"),
                );
                None
            }
            (Some(media), None) => self.place(sheet).single(media).map_err(|problem| self.problems.push(problem)).ok(),
            (None, Some(files)) => {
                let mut warnings = Vec::new();
                let medium = self.place(sheet).several(files, &mut warnings);
                self.warnings.append(&mut warnings);
                medium.map_err(|mut problems| self.problems.append(&mut problems)).ok()
            }
            // The value is wrong, which is told already.
            (None, None) => None,
        }
    }

    fn text(&mut self, sheet: &Sheet, options: &Options) -> Text {
        let page = &sheet.source.shown;
        let has = |key: &str| sheet.keys.iter().any(|known| known == key);
        if !has("title") && matches!(sheet.kind, Kind::Page | Kind::Release) {
            self.problems
                .push(Problem::at(page, "has no `title`").help("add a line to its front matter: title = \"...\""));
        }
        if !has("date") && sheet.kind == Kind::Release {
            self.problems
                .push(Problem::at(page, "has no `date`").help("add a line to its front matter: date = 2026-05-01"));
        }
        if sheet.kind == Kind::Home && (has("media") || has("files")) {
            let line = sheet.front.media.as_ref().map_or(1, |media| media.line);
            self.problems.push(
                Problem::at(page, "is the home page, which is no release")
                    .line(line)
                    .help("move it into a folder of its own: content/ep1/index.md"),
            );
        }
        Text {
            file: page.clone(),
            title: sheet.front.title.clone().unwrap_or_else(|| options.title.clone()),
            description: sheet.front.description.clone(),
            body: sheet.body.to_owned(),
            extra: sheet.front.extra.clone(),
            ..Text::default()
        }
    }

    /// The file that a key of the front matter names, to be published beside the page.
    fn asset(
        &mut self,
        sheet: &Sheet,
        key: &str,
        named: Option<&Located<String>>,
        extensions: &[&str],
        assets: &mut Assets,
    ) -> Option<SitePath> {
        let named = named?;
        let page = &sheet.source.shown;
        match self.file(page, sheet.folder(), key, &named.value, extensions) {
            Ok(path) => Some(assets.add(sheet.folder(), &path)),
            Err(problem) => {
                self.problems.push(problem.line(named.line));
                None
            }
        }
    }

    fn file(&self, page: &Path, folder: &Path, key: &str, text: &str, extensions: &[&str]) -> Result<PathBuf, Problem> {
        let what = format!("`{key}` {text:?}");
        match self.root.resolve(folder, text).map_err(|fault| fault.problem(page, &what))? {
            Found::Folder(_) => Err(Problem::at(page, format!("{what} is a folder")).help("name a file")),
            Found::File { bytes: 0, .. } => {
                Err(Problem::at(page, format!("{what} is empty (0 bytes)")).help("put the whole file there"))
            }
            Found::File { path, .. } => {
                let fits = path
                    .extension()
                    .is_some_and(|extension| extensions.iter().any(|known| extension.eq_ignore_ascii_case(known)));
                let help = || format!("its name ends in one of .{}", extensions.join(" ."));
                if fits { Ok(path) } else { Err(Problem::at(page, format!("{what} is of no known kind")).help(help())) }
            }
        }
    }

    fn link(
        &mut self,
        sheet: &Sheet,
        site: &Site,
        assets: &mut Assets,
        found: &mut HashMap<String, String>,
        unproven: &mut Vec<(String, usize)>,
    ) {
        let page = links::Page {
            shown: &sheet.source.shown,
            folder: sheet.folder(),
            body: sheet.body,
            body_line: sheet.body_line,
        };
        let resolved = links::resolve(site, &page, assets);
        found.extend(resolved.links);
        unproven.extend(resolved.unproven);
        self.problems.extend(resolved.problems);
        self.warnings.extend(resolved.warnings);
    }

    fn cover(&mut self, options: &Options) -> Option<(SitePath, PathBuf)> {
        let image = options.show.image.as_ref()?;
        match self.file(Path::new("everseed.toml"), self.root.path(), "image", image, &IMAGES) {
            Ok(path) => {
                let extension =
                    path.extension().map(|extension| extension.to_ascii_lowercase().to_string_lossy().into_owned());
                let name = format!("cover.{}", extension.expect("a picture has one of the known extensions"));
                Some((SitePath::new(name).expect("a plain name"), path))
            }
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    /// The files of `static/`. Dot-files and symbolic links never reach the output.
    fn statics(&mut self) -> BTreeMap<SitePath, PathBuf> {
        let folder = self.root.path().join("static");
        if !folder.is_dir() {
            return BTreeMap::new();
        }
        files_below(self.root, &folder, &mut self.problems, &mut self.warnings)
    }
}

/// The files of a folder that is published as it is, by their paths in it.
pub fn files_below(
    root: &Root,
    folder: &Path,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> BTreeMap<SitePath, PathBuf> {
    let mut files = BTreeMap::new();
    let walk = WalkDir::new(folder).sort_by_file_name().max_depth(DEPTH_MAX);
    for entry in walk.into_iter().filter_entry(|entry| entry.depth() == 0 || !is_dot_file(entry.path())) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                problems
                    .push(Problem::at(root.shown(error.path().unwrap_or(folder)), format!("can't be read: {error}")));
                continue;
            }
        };
        let shown = root.shown(entry.path());
        if entry.file_type().is_symlink() {
            warnings
                .push(Problem::at(shown, "is a symbolic link, and not published").help("put the file itself there"));
        } else if entry.file_type().is_file() {
            let below = entry.path().strip_prefix(folder).expect("found below it");
            match below.to_str().and_then(|below| SitePath::new(below).ok()) {
                Some(path) => {
                    files.insert(path, entry.path().to_owned());
                }
                None => problems.push(Problem::at(shown, "has a name that no URL can hold").help("rename the file")),
            }
        }
        if files.len() > STATIC_FILES_MAX {
            problems.push(Problem::at(root.shown(folder), format!("holds more than {STATIC_FILES_MAX} files")));
            break;
        }
    }
    files
}

fn read_text(path: &Path) -> Result<String, String> {
    let bytes = fs::metadata(path).map_err(|error| format!("can't be read: {error}"))?.len();
    if bytes > PAGE_BYTES_MAX {
        return Err(format!("has {bytes} bytes; a page has at most {PAGE_BYTES_MAX}"));
    }
    let bytes = fs::read(path).map_err(|error| format!("can't be read: {error}"))?;
    String::from_utf8(bytes).map_err(|error| {
        let lines = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
        format!("is not UTF-8 in line {}", lines + 1)
    })
}

/// The slug that is given, or that of the file's name, or that of the folder of an `index.md`.
fn slug(sheet: &Sheet) -> Result<String, Problem> {
    let page = &sheet.source.shown;
    if let Some(Located { value, line }) = &sheet.front.slug {
        let slug = slug::slugify(value);
        let problem = |why: String, help: String| {
            Err(Problem::at(page, format!("`slug` {value:?} {why}")).line(*line).help(help))
        };
        return match slug.as_str() {
            "" => problem("holds no letter or digit".into(), "write it as slug = \"...\", of a-z, 0-9 and -".into()),
            _ if slug.len() > SLUG_BYTES_MAX => {
                problem(format!("has more than {SLUG_BYTES_MAX} characters"), "shorten it".into())
            }
            _ if slug != *value => {
                problem("holds more than a-z, 0-9 and single `-`".into(), format!("write it as slug = {slug:?}"))
            }
            _ => Ok(slug),
        };
    }
    let stem = match page.file_stem() {
        Some(stem) if stem == "index" => page.parent().and_then(Path::file_name),
        stem => stem,
    };
    let slug = slug::slugify(stem.unwrap_or_default().to_string_lossy());
    if slug.is_empty() || slug.len() > SLUG_BYTES_MAX {
        let why = format!("its name gives no address of 1 to {SLUG_BYTES_MAX} characters");
        return Err(Problem::at(page, why).help("add a line to its front matter: slug = \"...\""));
    }
    Ok(slug)
}

/// What links can lead to.
fn site<'a>(root: &'a Root, sheets: &[Sheet], media: &[Option<Medium>]) -> Site<'a> {
    let mut site = Site { root, pages: HashMap::new(), drafts: BTreeSet::new(), media: HashMap::new() };
    for (sheet, medium) in sheets.iter().zip(media) {
        let path = sheet.source.path.clone();
        if sheet.kind == Kind::Draft {
            site.drafts.insert(path);
        } else {
            site.pages.insert(path, sheet.url());
        }
        if let Some(medium) = medium {
            for file in &medium.files {
                site.media.insert(file.source.clone(), medium.path(file).url());
            }
        }
    }
    site
}

fn release(
    text: Text,
    slug: String,
    front: Front,
    date: Published,
    medium: Medium,
    transcript: Option<SitePath>,
) -> Release {
    Release {
        text,
        slug,
        date,
        medium,
        season: front.season,
        episode: front.episode,
        tags: front.tags,
        transcript,
        explicit: front.explicit,
        private: front.private,
        guid: front.guid,
    }
}
