//! The content of a site: `content/**/*.md` and what it names, read and checked; every fault of the folder in one run.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use uuid::Uuid;
use walkdir::WalkDir;

use super::date::Published;
use super::files::{self, files_below};
use super::front::Located;
use super::links::{self, Assets, Site};
use super::locked::Locked;
use super::medium::{Medium, Place};
use super::options::Options;
use super::root::{Found, Root, is_dot_file};
use super::sheet::{Kind, Sheet, Source};
use crate::lock;
use crate::metainfo;
use crate::problem::Problem;
use crate::release::Origin;
use crate::sitepath::SitePath;

/// The most pages of a site.
pub const PAGES_MAX: usize = 100_000;
/// The most bytes of a page's source.
pub const PAGE_BYTES_MAX: u64 = 4 << 20;
/// The extensions of pictures that browsers and podcast apps show.
const IMAGES: [&str; 7] = ["avif", "gif", "jpeg", "jpg", "png", "svg", "webp"];
/// The extensions of transcripts that apps read.
const TRANSCRIPTS: [&str; 6] = ["htm", "html", "json", "srt", "txt", "vtt"];

const CONFIGURATION: &str = "the configuration of the site";

/// Everything that a site publishes, checked.
#[derive(Debug)]
pub struct Content {
    /// The text of the home page.
    pub home: Option<Text>,
    /// The plain pages, in the order of their files.
    pub pages: Vec<Page>,
    /// The releases, newest first.
    pub releases: Vec<Release>,
    /// The slugs of releases that are kept back as drafts.
    pub kept_back: BTreeSet<String>,
    /// The show's `podcast:guid`, where it is known already.
    pub show_guid: Option<Uuid>,
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
    /// For which versions of the protocol its torrent is made, where it says so itself.
    pub kind: Option<metainfo::Kind>,
    /// Its identity in feeds, where it names one.
    pub guid: Option<String>,
}

/// Reads the content of the site. `own` are files and folders of the build's, and what each is: if they stand in the site's
/// folder, they are no content. An error: every fault that was found, in the order of the files.
///
/// With a lock, the media are not looked at: they need not be there.
pub fn load(
    options: &Options,
    locked: Option<&Locked>,
    own: &[(PathBuf, &'static str)],
) -> Result<Content, Vec<Problem>> {
    let root = Root::open(&options.root).map_err(|problem| vec![problem])?;
    let mut reader = Reader { root: &root, locked, problems: Vec::new(), warnings: Vec::new() };
    let sources = reader.sources();
    let sheets = reader.sheets(&sources, options.drafts);
    let content = reader.content(&sheets, options, own);
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

struct Reader<'a> {
    root: &'a Root,
    locked: Option<&'a Locked>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn sources(&mut self) -> Vec<Source> {
        let folder = self.root.path().join("content");
        if !folder.is_dir() {
            let problem = Problem::at("content", "there is no such folder");
            self.problems.push(problem.help("make it, and write a page into it: content/ep1.md"));
            return Vec::new();
        }
        let mut sources = Vec::new();
        let walk = WalkDir::new(&folder).sort_by_file_name().max_depth(files::DEPTH_MAX);
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
            let is_page = path.extension().is_some_and(|extension| extension == "md");
            let shown = self.root.shown(path).to_owned();
            if files::is_too_deep(&entry) {
                self.problems.push(files::too_deep(&shown));
            } else if entry.file_type().is_symlink() && (is_page || path.is_dir()) {
                let warning = Problem::at(shown, "is a symbolic link, and no page is read from it");
                self.warnings.push(warning.help("put the page itself there"));
            } else if entry.file_type().is_file() && is_page {
                let is_home = path == folder.join("index.md");
                match files::read_text(path, &shown, PAGE_BYTES_MAX) {
                    Ok(text) => sources.push(Source { path: path.to_owned(), shown, is_home, text }),
                    Err(problem) => self.problems.push(problem),
                }
            }
            if sources.len() > PAGES_MAX {
                self.problems.push(Problem::at("content", format!("holds more than {PAGES_MAX} pages")));
                break;
            }
        }
        sources
    }

    /// Reads all sources. Files that a release names are its data, and no pages.
    fn sheets<'s>(&mut self, sources: &'s [Source], drafts: bool) -> Vec<Sheet<'s>> {
        let mut sheets = Vec::new();
        let mut faults = Vec::new();
        for source in sources {
            match Sheet::read(source, drafts) {
                Ok(sheet) => sheets.push(sheet),
                Err(problem) => faults.push((&source.path, problem)),
            }
        }
        let data = self.data(&sheets);
        sheets.retain(|sheet| !data.contains(&sheet.source.path));
        self.problems.extend(faults.into_iter().filter(|(path, _)| !data.contains(*path)).map(|(_, problem)| problem));
        // What is kept back may be half written.
        let built = sheets.iter_mut().filter(|sheet| sheet.kind != Kind::Draft);
        self.problems.extend(built.flat_map(|sheet| std::mem::take(&mut sheet.problems)));
        sheets
    }

    /// The pages' sources that releases name as files, by themselves or by their folders.
    fn data(&self, sheets: &[Sheet]) -> BTreeSet<PathBuf> {
        let mut data = BTreeSet::new();
        for sheet in sheets.iter().filter(|sheet| sheet.kind == Kind::Release) {
            let place = self.place(sheet);
            for file in sheet.front.files.iter().flatten() {
                let medium = place.several(std::slice::from_ref(file), &mut Vec::new());
                data.extend(
                    medium.into_iter().flat_map(|medium| medium.files).filter_map(|file| file.origin.path().cloned()),
                );
            }
        }
        data
    }

    fn content(&mut self, sheets: &[Sheet], options: &Options, own: &[(PathBuf, &'static str)]) -> Content {
        self.clashes(sheets);
        let media: Vec<_> = sheets
            .iter()
            .map(|sheet| {
                let medium = self.medium(sheet)?;
                Some(medium.ordered_for(sheet.front.kind.unwrap_or(options.kind)))
            })
            .collect();
        let mut site = self.site(sheets, &media);
        site.private = private(self.root, options, own);
        let drafts = sheets.iter().filter(|sheet| sheet.kind == Kind::Draft).map(|sheet| sheet.slug.clone());
        let mut content = Content {
            home: None,
            pages: Vec::new(),
            releases: Vec::new(),
            kept_back: drafts.collect(),
            show_guid: None,
            cover: self.cover(options),
            statics: self.statics(),
            warnings: Vec::new(),
        };
        for (sheet, medium) in sheets.iter().zip(media).filter(|(sheet, _)| sheet.kind != Kind::Draft) {
            // The home page's own files stand where no page's address can be.
            let mut assets = Assets::new(if sheet.kind == Kind::Home { "static/".into() } else { sheet.url() });
            let image = self.asset(sheet, "image", sheet.front.image.as_ref(), &IMAGES, &mut assets);
            let named = sheet.front.transcript.as_ref();
            let transcript = self.asset(sheet, "transcript", named, &TRANSCRIPTS, &mut assets);
            let text = self.text(sheet, options, image, &site, assets);
            match (sheet.kind, medium, sheet.front.date) {
                (Kind::Home, ..) => content.home = Some(text),
                (Kind::Page, ..) => content.pages.push(Page { text, slug: sheet.slug.clone() }),
                (_, Some(medium), Some(date)) => content.releases.push(release(sheet, text, date, medium, transcript)),
                // What is missing is told already.
                _ => {}
            }
        }
        content.releases.sort_by(|a, b| b.date.at().cmp(&a.date.at()).then_with(|| a.slug.cmp(&b.slug)));
        content
    }

    /// What links can lead to.
    fn site(&self, sheets: &[Sheet], media: &[Option<Medium>]) -> Site<'a> {
        let (pages, drafts, private) = (HashMap::new(), BTreeSet::new(), Vec::new());
        let mut site =
            Site { root: self.root, pages, drafts, media: HashMap::new(), draft_media: BTreeSet::new(), private };
        for (sheet, medium) in sheets.iter().zip(media) {
            let path = sheet.source.path.clone();
            if sheet.kind == Kind::Draft {
                site.drafts.insert(path);
                let named = sheet.front.media.iter().chain(sheet.front.files.iter().flatten());
                site.draft_media.extend(self.place(sheet).sources(named));
            } else {
                site.pages.insert(path, sheet.url());
            }
            if let Some(medium) = medium {
                for file in &medium.files {
                    if let Origin::File(path) = &file.origin {
                        site.media.insert(path.clone(), medium.path(file).url());
                    }
                }
                for (name, path) in &medium.names {
                    site.media.insert(name.clone(), medium.place(path).url());
                }
            }
        }
        site
    }

    fn place<'s>(&self, sheet: &'s Sheet) -> Place<'s>
    where
        'a: 's,
    {
        Place {
            root: self.root,
            folder: sheet.folder(),
            page: &sheet.source.shown,
            page_path: &sheet.source.path,
            slug: &sheet.slug,
            locked: self.locked,
        }
    }

    /// Two pages at one address.
    fn clashes(&mut self, sheets: &[Sheet]) {
        let mut taken: HashMap<String, &Path> = HashMap::new();
        let has_address = |sheet: &&Sheet| matches!(sheet.kind, Kind::Page | Kind::Release) && !sheet.slug.is_empty();
        for sheet in sheets.iter().filter(has_address) {
            match taken.entry(sheet.url()) {
                Entry::Vacant(entry) => {
                    entry.insert(&sheet.source.shown);
                }
                Entry::Occupied(entry) => {
                    let problem = sheet.slug_problem(&format!("as {} has", entry.get().display()));
                    self.problems.push(problem.help("give one of the two another: slug = \"...\""));
                }
            }
        }
    }

    fn medium(&mut self, sheet: &Sheet) -> Option<Medium> {
        if sheet.kind != Kind::Release {
            return None;
        }
        match (&sheet.front.media, &sheet.front.files) {
            (Some(media), Some(_)) => {
                let problem = Problem::at(&sheet.source.shown, "has both `media` and `files`").line(media.line);
                self.problems.push(problem.help("keep `media` for one file, or `files` for several"));
                None
            }
            (Some(media), None) => {
                let medium = self.place(sheet).single(media);
                let medium = medium.map_err(|problem| self.problems.push(problem)).ok()?;
                if !medium.name.contains('.') {
                    let what = format!("`media` {:?} has no extension that tells its kind", media.value);
                    let warning = Problem::at(&sheet.source.shown, format!("{what}, and is not in feed.xml"));
                    let help = "rename it to end in .mp3, .m4a, .mp4 or what else it is";
                    self.warnings.push(warning.line(media.line).help(help));
                }
                Some(medium)
            }
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

    fn text(
        &mut self,
        sheet: &Sheet,
        options: &Options,
        image: Option<SitePath>,
        site: &Site,
        mut assets: Assets,
    ) -> Text {
        let page = links::Page {
            shown: &sheet.source.shown,
            folder: sheet.folder(),
            body: sheet.body,
            body_line: sheet.body_line,
        };
        let mut resolved = links::resolve(site, &page, &mut assets);
        self.problems.append(&mut resolved.problems);
        self.warnings.append(&mut resolved.warnings);
        Text {
            file: sheet.source.shown.clone(),
            title: sheet.front.title.clone().unwrap_or_else(|| options.title.clone()),
            description: sheet.front.description.clone(),
            body: sheet.body.to_owned(),
            image,
            links: resolved.links,
            unproven: resolved.unproven,
            assets: assets.files,
            extra: sheet.front.extra.clone(),
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
        match self.file(&sheet.source.shown, sheet.folder(), key, &named.value, extensions) {
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

    fn cover(&mut self, options: &Options) -> Option<(SitePath, PathBuf)> {
        let image = options.show.image.as_ref()?;
        match self.file(&options.config_path, self.root.path(), "image", image, &IMAGES) {
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

/// Files and folders that are not published because a page links to them.
fn private(root: &Root, options: &Options, own: &[(PathBuf, &'static str)]) -> Vec<(PathBuf, &'static str)> {
    let config = options.config_path.canonicalize().map(|path| (path, CONFIGURATION));
    let sources = [
        ("everseed.toml", CONFIGURATION),
        (lock::FILE_NAME, "what is known of the media"),
        ("templates", "a template of the site"),
        ("themes", "a part of a theme"),
    ]
    .map(|(name, what)| (root.path().join(name), what));
    own.iter().cloned().chain(config).chain(sources).collect()
}

fn release(sheet: &Sheet, text: Text, date: Published, medium: Medium, transcript: Option<SitePath>) -> Release {
    let front = &sheet.front;
    Release {
        text,
        slug: sheet.slug.clone(),
        date,
        medium,
        season: front.season,
        episode: front.episode,
        tags: front.tags.clone(),
        transcript,
        explicit: front.explicit,
        private: front.private,
        kind: front.kind,
        guid: front.guid.clone(),
    }
}
