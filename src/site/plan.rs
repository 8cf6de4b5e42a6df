//! The plan of the output: content, releases and templates in, every file of the site out. It is pure: no clock, no
//! disk; the same input gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::content::{Content, Text};
use super::context;
use super::directories;
use super::html::{Pages, Static, Theme};
use super::item::Item;
use super::markdown;
use super::options::{Kind as Order, Options, Show};
use crate::GENERATOR;
use crate::feed;
use crate::manifest::{self, Manifest};
use crate::media::Kind;
use crate::output::Entry;
use crate::problem::Problem;
use crate::release::{self, Origin};
use crate::retired::{self, Listed};
use crate::sitepath::SitePath;

/// Every file of the output.
#[derive(Debug, Default)]
pub struct Plan {
    /// The files by their places.
    pub files: BTreeMap<SitePath, Entry>,
    /// The places of media that are not to be had here: what stands there stays, and nothing is put there.
    pub kept: BTreeSet<SitePath>,
    /// What stands in `everseed.json`.
    pub manifest: Manifest,
    /// How many of them are pages made from templates.
    pub pages: usize,
    /// What is not wrong and still worth a look.
    pub warnings: Vec<Problem>,
}

/// Plans the output. `releases` are those of `content`, in the same order.
pub fn plan(
    options: &Options,
    content: &Content,
    releases: &[release::Release],
    theme: &Theme,
) -> Result<Plan, Vec<Problem>> {
    let pages = theme.compile()?;
    let items = Item::all(content, releases, options);
    let mut planner = Planner { options, content, items, plan: Plan::default(), problems: Vec::new() };
    planner.files(theme);
    planner.pages(&pages);
    planner.feeds();
    planner.lists();
    planner.links();
    planner.folders();
    if planner.problems.is_empty() {
        Ok(planner.plan)
    } else {
        planner.problems.sort();
        Err(planner.problems)
    }
}

impl Plan {
    /// Adds torrents that are retired, for which there must be nothing else at their places. No page and no feed leads to them.
    pub fn add_retired(&mut self, listed: Vec<Listed>) {
        for Listed { entry, torrent, media } in listed {
            self.files.insert(entry.torrent.clone(), Entry::Bytes(torrent));
            self.files.extend(media.into_iter().map(|(source, place)| (place, Entry::Media(source))));
            self.manifest.torrents.push(entry);
        }
        self.put_manifest();
    }

    /// Whether the site itself has something where torrents that are retired stand.
    pub fn is_in_the_way_of_retired(&self) -> bool {
        self.files.keys().chain(&self.kept).any(retired::is_place)
    }

    fn put_manifest(&mut self) {
        self.files.insert(manifest::place(), Entry::Bytes(self.manifest.to_json().into_bytes()));
    }
}

struct Planner<'a> {
    options: &'a Options,
    content: &'a Content,
    items: Vec<Item<'a>>,
    plan: Plan,
    problems: Vec<Problem>,
}

fn texts(content: &Content) -> impl Iterator<Item = &Text> {
    let pages = content.pages.iter().map(|page| &page.text);
    content.home.iter().chain(pages).chain(content.releases.iter().map(|release| &release.text))
}

fn path(text: impl Into<String>) -> SitePath {
    SitePath::new(text).expect("made of plain names")
}

impl Planner<'_> {
    /// What stands on disk already: files of the theme, then of the site in their places, media, and what pages bring.
    fn files(&mut self, theme: &Theme) {
        for (place, file) in &theme.statics {
            let entry = match file {
                Static::BuiltIn(text) => Entry::Bytes(text.as_bytes().to_vec()),
                Static::File(source) => Entry::Copy(source.clone()),
            };
            self.plan.files.insert(place.clone(), entry);
        }
        for (place, source) in &self.content.statics {
            if manifest::SERVED.contains(&place.as_str().trim_end_matches("/index.html")) {
                let problem = Problem::at(
                    format!("static/{place}"),
                    format!("would be published as {place}, where the server answers by itself"),
                );
                self.problems.push(problem.help("give the file another name"));
            }
            self.plan.files.insert(place.clone(), Entry::Copy(source.clone()));
        }
        if let Some((place, source)) = &self.content.cover {
            self.put(place.clone(), Entry::Copy(source.clone()));
        }
        for text in texts(self.content) {
            for (place, source) in &text.assets {
                self.put(place.clone(), Entry::Copy(source.clone()));
            }
        }
        for item in self.items.clone() {
            for file in &item.source.medium.files {
                let place = item.source.medium.path(file);
                match &file.origin {
                    Origin::File(source) if !self.options.lock.is_alone() => {
                        self.put(place, Entry::Media(source.clone()));
                    }
                    _ => {
                        self.put_nothing(&place);
                    }
                }
            }
            self.put(item.torrent_path(), Entry::Bytes(item.made.torrent.bytes().to_vec()));
            if let Some(place) = item.chapters_path() {
                let chapters = item.chapters().iter().map(|chapter| (chapter.start_ms, chapter.title.as_str()));
                self.put(place, Entry::Bytes(feed::chapters(chapters)));
            }
        }
    }

    /// Leaves a place to whoever else puts a medium there.
    fn put_nothing(&mut self, place: &SitePath) {
        if self.plan.files.contains_key(place) {
            self.in_the_way(place);
        }
        self.plan.kept.insert(place.clone());
    }

    fn put(&mut self, place: SitePath, entry: Entry) {
        if self.plan.files.contains_key(&place) || self.plan.kept.contains(&place) {
            self.in_the_way(&place);
        }
        self.plan.files.insert(place, entry);
    }

    /// A file of `static/`, beside a page, or of the theme, stands where the site has one of its own.
    fn in_the_way(&mut self, place: &SitePath) {
        let message = format!("would be published as {place}, which the site has itself");
        let problem = if self.content.statics.contains_key(place) {
            Problem::at(format!("static/{place}"), message)
        } else if let Some(text) = texts(self.content).find(|text| text.assets.contains_key(place)) {
            Problem::at(&text.file, format!("a file that it names {message}"))
        } else {
            Problem::at(format!("themes/{}/static/{place}", self.options.theme), message)
        };
        self.problems.push(problem.help("give the file another name"));
    }

    /// A file that would have to be a folder also.
    fn folders(&mut self) {
        let mut rivals = Vec::new();
        for place in self.plan.files.keys().chain(&self.plan.kept) {
            let ends = place.as_str().match_indices('/').map(|(at, _)| &place.as_str()[..at]);
            rivals.extend(ends.map(path).filter(|folder| self.plan.files.contains_key(folder)));
        }
        rivals.dedup();
        rivals.iter().for_each(|place| self.in_the_way(place));
    }

    fn pages(&mut self, pages: &Pages) {
        let site = Pages::value(self.site());
        let none = || Text { title: self.options.title.clone(), ..Text::default() };
        let fallback = none();

        let home = self.content.home.as_ref().unwrap_or(&fallback);
        let mut page = self.page("index", home, "");
        page.title.clone_from(&self.options.title);
        if page.description.is_empty() {
            page.description.clone_from(&self.options.description);
        }
        let episodes: Vec<_> = self.items.iter().map(Item::context).collect();
        let mut outputs = vec![("index.html", path("index.html"), page, "", Some(Pages::value(&episodes)), None)];

        let mut lost = self.page("404", &fallback, "404.html");
        lost.title = "Page not found".into();
        // It is shown at every address, so that its links begin at the host.
        outputs.push(("404.html", path("404.html"), lost, self.options.base_url.path(), None, None));

        for page in &self.content.pages {
            let url = format!("{}/", page.slug);
            outputs.push((
                "page.html",
                path(format!("{url}index.html")),
                self.page("page", &page.text, &url),
                "../",
                None,
                None,
            ));
        }
        for (at, item) in self.items.iter().enumerate() {
            let url = item.url();
            let page = self.page("episode", &item.source.text, &url);
            let link = |item: Option<&Item>| {
                item.map(|item| context::Link { title: item.source.text.title.clone(), url: item.url() })
            };
            let episode = context::Episode {
                content: page.content.clone(),
                newer: link(at.checked_sub(1).and_then(|at| self.items.get(at))),
                older: link(self.items.get(at + 1)),
                ..episodes[at].clone()
            };
            outputs.push(("episode.html", path(format!("{url}index.html")), page, "../../", None, Some(episode)));
        }

        for (template, place, page, root, episodes, episode) in outputs {
            let data = minijinja::context! {
                root,
                site => site.clone(),
                page => Pages::value(page),
                episodes => episodes.unwrap_or_default(),
                episode => episode.map(Pages::value).unwrap_or_default(),
            };
            match pages.render(template, data) {
                Ok(html) => {
                    self.put(place, Entry::Bytes(html.into_bytes()));
                    self.plan.pages += 1;
                }
                Err(problem) if self.problems.contains(&problem) => {}
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    fn site(&self) -> context::Site {
        let options = self.options;
        // A tracker elsewhere need not be an everseed.
        let served = options.tracker_url.as_ref().is_none_or(|url| url.starts_with(options.base_url.as_str()));
        context::Site {
            title: options.title.clone(),
            description: options.description.clone(),
            language: options.language.clone(),
            base_url: options.base_url.to_string(),
            author: options.show.author.clone(),
            image: self.content.cover.as_ref().map(|(place, _)| place.url()),
            generator: GENERATOR,
            feed: self.has_podcast().then_some("feed.xml"),
            torrent_feed: "torrents.xml",
            swarms_api: if served { format!("{}api/swarms.json", options.base_url.path()) } else { String::new() },
            swarms_page: served.then_some("swarms"),
            pages: self
                .content
                .pages
                .iter()
                .map(|page| context::Link { title: page.text.title.clone(), url: format!("{}/", page.slug) })
                .collect(),
            extra: options.extra.clone(),
        }
    }

    fn page(&self, kind: &'static str, text: &Text, url: &str) -> context::Page {
        let options = self.options;
        let root = "../".repeat(url.matches('/').count());
        let image = text.image.as_ref().or(self.content.cover.as_ref().map(|(place, _)| place));
        context::Page {
            kind,
            title: text.title.clone(),
            description: text.description.clone().unwrap_or_default(),
            url: url.to_owned(),
            canonical: options.base_url.join(url),
            image: image.map(|place| options.base_url.of(place)),
            content: markdown::page(&text.body, &|target| match text.links.get(target) {
                // An empty link leads to the page itself, and not to the folder's index.
                Some(link) if root.is_empty() && link.is_empty() => "./".to_owned(),
                Some(link) => format!("{root}{link}"),
                None => target.to_owned(),
            }),
            extra: text.extra.clone(),
        }
    }

    /// Whether there is a podcast feed: where something is heard or watched, or where the author speaks of a show. The feed then
    /// outlives its last episode, and those who subscribed to it find it empty, and not gone.
    fn has_podcast(&self) -> bool {
        self.options.show != Show::default() || self.items.iter().any(|item| item.kind() != Kind::Other)
    }

    fn feeds(&mut self) {
        let options = self.options;
        let channel = |name: &str| feed::Channel {
            title: options.title.clone(),
            description: if options.description.is_empty() {
                options.title.clone()
            } else {
                options.description.clone()
            },
            link: options.base_url.to_string(),
            feed_url: options.base_url.join(name),
            language: options.language.clone(),
            generator: GENERATOR.into(),
            copyright: options.show.copyright.clone(),
        };
        if self.has_podcast() {
            let show = feed::Show {
                author: options.show.author.clone(),
                email: options.show.email.clone(),
                image: self.content.cover.as_ref().map(|(place, _)| options.base_url.of(place)),
                categories: options.show.categories.clone(),
                explicit: options.show.explicit,
                serial: options.show.kind == Order::Serial,
                guid: (self.content.show_guid.or(options.show.guid))
                    .unwrap_or_else(|| feed::show_guid(&options.identity_url.join("feed.xml"))),
            };
            let episodes: Vec<_> =
                self.items.iter().filter(|item| item.kind() != Kind::Other).map(Item::episode).collect();
            self.put(path("feed.xml"), Entry::Bytes(feed::podcast(&channel("feed.xml"), &show, &episodes)));
        }
        let items: Vec<_> = self.items.iter().map(Item::torrent).collect();
        self.put(path("torrents.xml"), Entry::Bytes(feed::torrents(&channel("torrents.xml"), &items)));
    }

    /// What lists the site for machines.
    fn lists(&mut self) {
        let options = self.options;
        let day = |date: OffsetDateTime| format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day());
        let newest = self.items.iter().map(|item| item.source.date.at()).max().map(day);
        let mut sitemap = String::from(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n",
        );
        let mut add = |url: &str, date: Option<String>| {
            let date = date.map(|date| format!("<lastmod>{date}</lastmod>")).unwrap_or_default();
            let url = markdown::escape(&options.base_url.join(url));
            sitemap.extend(["  <url><loc>", &url, "</loc>", &date, "</url>\n"]);
        };
        add("", newest);
        self.content.pages.iter().for_each(|page| add(&format!("{}/", page.slug), None));
        self.items.iter().for_each(|item| add(&item.url(), Some(item.source.date.day())));
        sitemap.push_str("</urlset>\n");
        self.put(path("sitemap.xml"), Entry::Bytes(sitemap.into_bytes()));

        // The site's own takes its place.
        let robots = format!("User-agent: *\nAllow: /\n\nSitemap: {}\n", options.base_url.join("sitemap.xml"));
        self.plan.files.entry(path("robots.txt")).or_insert(Entry::Bytes(robots.into_bytes()));

        let manifest = Manifest {
            generator: GENERATOR.into(),
            title: options.title.clone(),
            base_url: options.base_url.to_string(),
            torrents: self.items.iter().map(Item::manifest).collect(),
        };
        self.put(manifest::place(), Entry::Bytes(Vec::new()));
        self.plan.manifest = manifest;
        self.plan.put_manifest();
    }

    /// Links to addresses of the site are looked up among what is planned.
    fn links(&mut self) {
        let mut warnings = self.content.warnings.clone();
        if self.has_podcast() {
            warnings.append(&mut directories::warnings(self.options));
        }
        for text in texts(self.content) {
            for (target, line) in &text.unproven {
                let bare = target.trim_end_matches('/');
                let is_planned = |text: &str| {
                    SitePath::new(text)
                        .is_ok_and(|place| self.plan.files.contains_key(&place) || self.plan.kept.contains(&place))
                };
                let known = bare.is_empty()
                    || manifest::SERVED.contains(&bare)
                    || (is_planned(bare) && bare == target)
                    || is_planned(&format!("{bare}/index.html"));
                if !known {
                    let warning = Problem::at(&text.file, format!("link \"/{target}\" leads to nothing on this site"));
                    warnings.push(warning.line(*line).help("a link to a page is written as the path of its .md file"));
                }
            }
        }
        warnings.sort();
        warnings.dedup();
        self.plan.warnings = warnings;
    }
}
