//! Templates: those of the site, of its theme, and of the theme that is built in; a page's data in, its HTML out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use minijinja::value::{Serde, Value};
use minijinja::{Environment, ErrorKind};
use serde::Serialize;

use super::files::{files_below, read_text};
use super::root::Root;
use crate::jinja;
use crate::problem::Problem;
use crate::sitepath::{SitePath, is_plain_name};

/// The theme that is built in.
const DEFAULT_THEME: &str = "default";
/// The most bytes of a template.
const TEMPLATE_BYTES_MAX: u64 = 1 << 20;
const BUILT_IN: [(&str, &str); 6] = [
    ("404.html", include_str!("../../themes/default/templates/404.html")),
    ("base.html", include_str!("../../themes/default/templates/base.html")),
    ("episode.html", include_str!("../../themes/default/templates/episode.html")),
    ("index.html", include_str!("../../themes/default/templates/index.html")),
    ("macros.html", include_str!("../../themes/default/templates/macros.html")),
    ("page.html", include_str!("../../themes/default/templates/page.html")),
];
const BUILT_IN_STATIC: [(&str, &str); 3] = [
    ("chapters.js", include_str!("../../themes/default/static/chapters.js")),
    ("style.css", include_str!("../../themes/default/static/style.css")),
    ("swarm.js", include_str!("../../themes/default/static/swarm.js")),
];

/// The templates and files of a theme, with what the site puts in their places.
#[derive(Debug)]
pub struct Theme {
    /// Templates by name: where each stands, for people, and its text.
    templates: BTreeMap<String, (PathBuf, String)>,
    /// Files that are published as they are, by their paths below the site's root.
    pub statics: BTreeMap<SitePath, Static>,
}

/// A file of a theme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Static {
    /// It is built in.
    BuiltIn(&'static str),
    /// It stands on disk.
    File(PathBuf),
}

impl Theme {
    /// Reads the theme `name` of the site, which the file `config` names.
    pub fn load(root: &Root, config: &Path, name: &str, warnings: &mut Vec<Problem>) -> Result<Self, Vec<Problem>> {
        let path = |text: &str| SitePath::new(text).expect("a plain name");
        let mut theme = Self {
            templates: BUILT_IN
                .map(|(name, text)| {
                    (name.to_owned(), (Path::new("themes/default/templates").join(name), text.to_owned()))
                })
                .into(),
            statics: BUILT_IN_STATIC.map(|(name, text)| (path(name), Static::BuiltIn(text))).into(),
        };
        let folder = root.path().join("themes").join(name);
        if !is_plain_name(name) || (name != DEFAULT_THEME && !folder.is_dir()) {
            return Err(vec![unknown_theme(root, config, name)]);
        }
        let mut problems = Vec::new();
        theme.add_templates(root, &folder.join("templates"), &mut problems);
        theme.add_templates(root, &root.path().join("templates"), &mut problems);
        if folder.join("static").is_dir() {
            let files = files_below(root, &folder.join("static"), &mut problems, warnings);
            theme.statics.extend(files.into_iter().map(|(path, source)| (path, Static::File(source))));
        }
        if problems.is_empty() { Ok(theme) } else { Err(problems) }
    }

    fn add_templates(&mut self, root: &Root, folder: &Path, problems: &mut Vec<Problem>) {
        if !folder.is_dir() {
            return;
        }
        for (name, source) in files_below(root, folder, problems, &mut Vec::new()) {
            let shown = root.shown(&source).to_owned();
            match read_text(&source, &shown, TEMPLATE_BYTES_MAX) {
                Ok(text) => {
                    self.templates.insert(name.to_string(), (shown, text));
                }
                Err(problem) => problems.push(problem),
            }
        }
    }

    /// Makes the templates ready. An error: what is wrong with each of those that are not.
    pub fn compile(&self) -> Result<Pages<'_>, Vec<Problem>> {
        let mut environment = jinja::environment();
        let mut problems = Vec::new();
        for (name, (_, text)) in &self.templates {
            if let Err(error) = environment.add_template(name, text) {
                problems.push(self.problem(name, &error));
            }
        }
        if problems.is_empty() { Ok(Pages { theme: self, environment }) } else { Err(problems) }
    }

    /// An error of the engine, at the innermost template that it names.
    fn problem(&self, template: &str, error: &minijinja::Error) -> Problem {
        let mut place = (template, error.line());
        let mut innermost = error;
        let mut next: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<minijinja::Error>() {
                innermost = error;
                if let (Some(name), Some(line)) = (error.name(), error.line()) {
                    place = (name, Some(line));
                }
            }
            next = error.source();
        }
        let (name, line) = place;
        let shown = self.templates.get(name).map_or(Path::new(name), |(shown, _)| shown);
        let message = match innermost.detail() {
            Some(detail) => format!("{}: {detail}", innermost.kind()),
            None => innermost.kind().to_string(),
        };
        let help = match innermost.kind() {
            ErrorKind::UndefinedError => {
                "the templates of themes/default show the names there are; ask `is defined` for one of your own"
            }
            ErrorKind::TemplateNotFound => "a template stands in templates/ of the site or of its theme",
            _ => "the template language is that of Jinja2",
        };
        let problem = Problem::at(shown, message).help(help);
        line.map_or(problem.clone(), |line| problem.line(line))
    }
}

/// Templates, ready to be filled.
pub struct Pages<'a> {
    theme: &'a Theme,
    environment: Environment<'a>,
}

impl Pages<'_> {
    /// The data of something that many pages share, converted once.
    pub fn value(data: impl Serialize) -> Value {
        Value::from(Serde(data))
    }

    /// The HTML of the template `name` with `data`.
    pub fn render(&self, name: &str, data: Value) -> Result<String, Problem> {
        self.environment
            .get_template(name)
            .and_then(|template| template.render(data))
            .map_err(|error| self.theme.problem(name, &error))
    }
}

fn unknown_theme(root: &Root, config: &Path, name: &str) -> Problem {
    let mut known = vec![DEFAULT_THEME.to_owned()];
    let folders = fs::read_dir(root.path().join("themes")).into_iter().flatten().flatten();
    known
        .extend(folders.filter(|entry| entry.path().is_dir()).filter_map(|entry| entry.file_name().into_string().ok()));
    known.sort();
    known.dedup();
    Problem::at(config, format!("`theme`: there is no theme {name:?}"))
        .help(format!("the themes are {}; one of your own stands in themes/<name>/templates", known.join(", ")))
}
