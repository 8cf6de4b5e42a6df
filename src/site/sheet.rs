//! A file below `content/`, read by itself: what it is and at which address, before anything that it names is looked at.

use std::path::{Path, PathBuf};

use super::front::{self, Front, Located};
use crate::manifest::SERVED;
use crate::problem::Problem;

/// The most bytes of a slug: `<slug>.torrent` and the like stay within a file's name.
const SLUG_BYTES_MAX: usize = 120;
/// The addresses at the root that are the site's own, beside those of the server ([`SERVED`]).
const RESERVED: [&str; 8] = ["api", "episodes", "feed", "media", "sitemap", "static", "themes", "torrents"];

/// A file below `content/`, with its text.
#[derive(Debug)]
pub struct Source {
    /// Where it stands.
    pub path: PathBuf,
    /// The same for people.
    pub shown: PathBuf,
    /// Whether it is `content/index.md`.
    pub is_home: bool,
    /// Its text.
    pub text: String,
}

/// What such a file says about itself.
#[derive(Debug)]
pub struct Sheet<'a> {
    /// The file.
    pub source: &'a Source,
    /// Its front matter.
    pub front: Front,
    /// Its Markdown.
    pub body: &'a str,
    /// The line at which that begins.
    pub body_line: usize,
    /// What it is.
    pub kind: Kind,
    /// The last part of its address; empty where it has none.
    pub slug: String,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    keys: Vec<String>,
}

/// What a file below `content/` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The text of the home page.
    Home,
    /// A page without media.
    Page,
    /// A page with media.
    Release,
    /// A page that is kept back.
    Draft,
}

impl<'a> Sheet<'a> {
    /// Reads `source`; with `drafts`, a draft is like any other page. An error: there is no front matter to read.
    pub fn read(source: &'a Source, drafts: bool) -> Result<Self, Problem> {
        let front::Document { front, body, body_line, problems, keys } = front::read(&source.shown, &source.text)?;
        let mut sheet = Self { source, front, body, body_line, kind: Kind::Page, slug: String::new(), problems, keys };
        sheet.kind = match () {
            () if sheet.front.draft && !drafts => Kind::Draft,
            () if source.is_home => Kind::Home,
            () if sheet.has("media") || sheet.has("files") => Kind::Release,
            () => Kind::Page,
        };
        match sheet.find_slug() {
            Ok(slug) => sheet.slug = slug,
            Err(problem) => sheet.problems.push(problem),
        }
        sheet.check();
        Ok(sheet)
    }

    /// Whether its front matter has `key`, be its value right or wrong.
    pub fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|known| known == key)
    }

    /// The folder of its output, with a `/` at its end where it is not the root.
    pub fn url(&self) -> String {
        match self.kind {
            Kind::Home | Kind::Draft => String::new(),
            Kind::Page => format!("{}/", self.slug),
            Kind::Release => format!("episodes/{}/", self.slug),
        }
    }

    /// The folder of its source.
    pub fn folder(&self) -> &Path {
        self.source.path.parent().expect("a file stands in a folder")
    }

    /// What is wrong with its address.
    pub fn slug_problem(&self, why: &str) -> Problem {
        let problem = Problem::at(&self.source.shown, format!("has the slug `{}`, {why}", self.slug));
        match &self.front.slug {
            Some(slug) => problem.line(slug.line),
            None => problem,
        }
    }

    /// What is missing.
    fn check(&mut self) {
        let page = &self.source.shown;
        let mut problems = Vec::new();
        if !self.has("title") && matches!(self.kind, Kind::Page | Kind::Release) {
            let problem = Problem::at(page, "has no `title`");
            problems.push(problem.help("add a line to its front matter: title = \"...\""));
        }
        if !self.has("date") && self.kind == Kind::Release {
            let problem = Problem::at(page, "has no `date`");
            problems.push(problem.help("add a line to its front matter: date = 2026-05-01"));
        }
        if self.kind == Kind::Home && (self.has("media") || self.has("files")) {
            let line = self.front.media.as_ref().map_or(1, |media| media.line);
            let problem = Problem::at(page, "is the home page, which is no release").line(line);
            problems.push(problem.help("move it into a folder of its own: content/ep1/index.md"));
        }
        let slug = self.slug.as_str();
        if self.kind == Kind::Page && (RESERVED.contains(&slug) || SERVED.contains(&slug)) {
            let problem = self.slug_problem("which is an address of the site's own");
            problems.push(problem.help("give it another: slug = \"...\""));
        }
        self.problems.append(&mut problems);
    }

    /// The slug that is given, or that of the file's name, or that of the folder of an `index.md`.
    fn find_slug(&self) -> Result<String, Problem> {
        let page = &self.source.shown;
        let Some(Located { value, line }) = &self.front.slug else {
            let stem = match page.file_stem() {
                Some(stem) if stem == "index" => page.parent().and_then(Path::file_name),
                stem => stem,
            };
            let slug = slug::slugify(stem.unwrap_or_default().to_string_lossy());
            if slug.is_empty() || slug.len() > SLUG_BYTES_MAX {
                let why = format!("its name gives no address of 1 to {SLUG_BYTES_MAX} characters");
                return Err(Problem::at(page, why).help("add a line to its front matter: slug = \"...\""));
            }
            return Ok(slug);
        };
        let slug = slug::slugify(value);
        let problem = |why: String, help: String| {
            Err(Problem::at(page, format!("`slug` {value:?} {why}")).line(*line).help(help))
        };
        match slug.as_str() {
            "" => problem("holds no letter or digit".into(), "write it as slug = \"...\", of a-z, 0-9 and -".into()),
            _ if slug.len() > SLUG_BYTES_MAX => {
                problem(format!("has more than {SLUG_BYTES_MAX} characters"), "shorten it".into())
            }
            _ if slug != *value => {
                problem("holds more than a-z, 0-9 and single `-`".into(), format!("write it as slug = {slug:?}"))
            }
            _ => Ok(slug),
        }
    }
}
