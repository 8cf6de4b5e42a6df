//! What people and torrent clients find at the root of a mirror: a page of what is here, `index.html`, and, where the mirror
//! knows its own address, the feed `torrents.xml`. Both say what the manifest says, with the same bytes for the same.

use std::fs;
use std::sync::LazyLock;

use minijinja::Environment;
use serde::Serialize;

use super::Mirror;
use super::settle::title_of;
use super::site::MIRROR;
use super::wish::moment;
use crate::GENERATOR;
use crate::feed::{self, Channel, TorrentItem};
use crate::fsx;
use crate::jinja;
use crate::manifest::{self, Entry};
use crate::output;
use crate::problem::Problem;
use crate::sitepath::SitePath;
use crate::units::{count_text, size_text};

/// The page, below the site's root.
pub const PAGE: &str = "index.html";
/// The feed.
pub const FEED: &str = "torrents.xml";
/// The most torrents that the page and the feed name, the newest first.
pub const TORRENTS_MAX: usize = 2000;
/// The most files of a torrent that the page names.
const FILES_MAX: usize = 100;
/// The most bytes of a file that is looked at before another takes its place.
const LOOKED_AT_BYTES_MAX: u64 = 64 << 20;
/// The name of the template; its ending has it escape for HTML.
const TEMPLATE: &str = "mirror.html";

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = jinja::environment();
    environment
        .add_template(TEMPLATE, include_str!("../../templates/mirror.html"))
        .expect("the template is part of the program");
    environment
});

/// What the template gets.
#[derive(Serialize)]
struct Context<'a> {
    title: &'a str,
    generator: &'a str,
    show_url: &'a str,
    feed: Option<&'static str>,
    current: Vec<Line<'a>>,
    retired: Vec<Line<'a>>,
    more: usize,
}

/// A torrent.
#[derive(Serialize)]
struct Line<'a> {
    title: &'a str,
    day: Option<&'a str>,
    retired: Option<&'a str>,
    size_text: String,
    page: Option<&'a str>,
    torrent: String,
    magnet: &'a str,
    files: Vec<FileLine<'a>>,
    files_text: String,
    more_files: usize,
}

#[derive(Serialize)]
struct FileLine<'a> {
    name: &'a str,
    href: String,
    size_text: String,
}

impl<'a> Line<'a> {
    fn of(entry: &'a Entry) -> Self {
        let file = |file: &'a manifest::File| FileLine {
            name: file.path.names().last().unwrap_or_default(),
            href: file.path.url(),
            size_text: size_text(file.bytes),
        };
        Self {
            title: title_of(entry),
            day: entry.published.as_deref().and_then(day),
            retired: entry.retired.as_deref().and_then(day),
            size_text: size_text(entry.bytes),
            page: entry.page.as_deref(),
            torrent: entry.torrent.url(),
            magnet: &entry.magnet,
            files: entry.files.iter().take(FILES_MAX).map(file).collect(),
            files_text: count_text(entry.files.len() as u64, "file"),
            more_files: entry.files.len().saturating_sub(FILES_MAX),
        }
    }
}

/// The day of a moment in the format of RFC 3339.
fn day(moment: &str) -> Option<&str> {
    moment.get(..10)
}

impl Mirror {
    /// Writes page and feed, where they are other ones than they should be. A file of somebody else's stays.
    pub(super) fn write_pages(&mut self) -> Result<(), Problem> {
        let (page, feed) = (self.page()?, self.feed());
        self.write_page(PAGE, Some(page.into_bytes()))?;
        self.write_page(FEED, feed)
    }

    fn write_page(&mut self, name: &str, bytes: Option<Vec<u8>>) -> Result<(), Problem> {
        let path = SitePath::new(name).expect("a plain name");
        let at = path.below(self.site.root());
        let standing = fsx::read_at_most(&at, LOOKED_AT_BYTES_MAX).ok();
        if standing == bytes {
            return Ok(());
        }
        let is_free = fs::symlink_metadata(&at).is_err();
        if self.site.taken().has(&path) || !is_free && !standing.is_some_and(|bytes| is_of_a_mirror(&bytes)) {
            if bytes.is_some() {
                self.tell_news(name, &format!("WARNING: mirror: {} is somebody else's, and stays", at.display()));
            }
            return Ok(());
        }
        match bytes {
            Some(bytes) => fsx::write_whole(&at, &bytes).map_err(|error| output::unwritable(&at, &error)),
            None => fsx::remove_if_there(&at).map_err(|error| output::unwritable(&at, &error)),
        }
    }

    fn page(&self) -> Result<String, Problem> {
        let entries = self.site.entries();
        let shown = &entries[..entries.len().min(TORRENTS_MAX)];
        let (retired, current) = shown.iter().partition::<Vec<_>, _>(|entry| entry.retired.is_some());
        let context = Context {
            title: self.site.title_or("A show"),
            generator: self.site.generator(),
            show_url: self.show_url.as_str(),
            feed: self.address.as_ref().map(|_| FEED),
            current: current.into_iter().map(Line::of).collect(),
            retired: retired.into_iter().map(Line::of).collect(),
            more: entries.len() - shown.len(),
        };
        let rendered = TEMPLATES.get_template(TEMPLATE).and_then(|page| page.render(minijinja::value::Serde(context)));
        rendered.map_err(|error| Problem::new(format!("the page of the mirror: {error}")))
    }

    /// The feed; its links are absolute, so there is none of a mirror that does not know its address.
    fn feed(&self) -> Option<Vec<u8>> {
        let base_url = self.address.as_ref()?.base_url();
        let title = self.site.title_or("A show");
        let about = Channel {
            title: title.to_owned(),
            description: format!("A mirror of {title}, which is published at {}", self.show_url),
            link: base_url.to_string(),
            feed_url: base_url.join(FEED),
            language: "en".into(),
            generator: self.site.generator().to_owned(),
            copyright: None,
        };
        let item = |entry: &Entry| TorrentItem {
            title: title_of(entry).to_owned(),
            link: entry.page.clone().unwrap_or_else(|| base_url.to_string()),
            date: entry.published.as_deref().and_then(moment),
            description: String::new(),
            info_hash: entry.info_hashes.main(),
            torrent_url: base_url.of(&entry.torrent),
            torrent_bytes: fs::metadata(entry.torrent.below(self.site.root())).map_or(0, |metadata| metadata.len()),
        };
        let current = self.site.entries().iter().filter(|entry| entry.retired.is_none()).take(TORRENTS_MAX);
        Some(feed::torrents(&about, &current.map(item).collect::<Vec<_>>()))
    }
}

/// Whether a mirror has written a page or a feed: it names its generator.
fn is_of_a_mirror(bytes: &[u8]) -> bool {
    // Of whatever version.
    let program = GENERATOR.split(' ').next().unwrap_or_default();
    let is_named = |line: &str| line.contains("generator") && line.contains(program) && line.contains(MIRROR);
    String::from_utf8_lossy(bytes).lines().any(is_named)
}
