//! What is to stand in the site: torrents and their feed, the manifest, media, and the edits of feeds and pages. It writes
//! nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::feeds::Feed;
use super::gather::{Medium, Use};
use super::make::is_alike;
use super::options::Options;
use super::page::Links;
use super::report::{Finding, Released};
use super::site::GENERATOR;
use crate::feed::foreign::{Alternate, Amendment, Enclosure, Format, ItemAmendment};
use crate::feed::{self, Channel, TorrentItem};
use crate::manifest::{self, Manifest};
use crate::problem::Problem;
use crate::release::{Origin, Release};
use crate::retired::Listed;
use crate::sitepath::SitePath;
use crate::splice::Edit;
use crate::units::whole_secs;

/// What becomes of a file.
#[derive(Debug)]
pub enum Entry<'r> {
    /// It holds these bytes.
    Bytes(Cow<'r, [u8]>),
    /// It is this medium.
    Media(PathBuf),
    /// It is edited so.
    Edits(Vec<Edit>),
}

/// Every file of the site that attaching has to do with.
pub type Plan<'r> = BTreeMap<SitePath, Entry<'r>>;

/// A medium with its torrent.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// The medium.
    pub medium: &'a Medium,
    /// Its release.
    pub release: &'a Release,
}

/// The way to all that plans are made of.
#[derive(Debug)]
pub struct Planner<'a> {
    options: &'a Options,
    feeds: &'a [Feed],
    /// The newest first.
    made: Vec<Made<'a>>,
    /// The indices of `made` by the enclosures that lead there.
    by_use: HashMap<Use, usize>,
    /// The same by the indices of the media.
    by_medium: HashMap<usize, usize>,
    /// The feed that the show goes by: the one nearest to the root; others are sections of it.
    main: &'a Feed,
}

impl<'a> Planner<'a> {
    /// Of `media`, which stand the oldest first, those that have a release are planned.
    pub fn new(options: &'a Options, feeds: &'a [Feed], media: &'a [Medium], releases: &'a [Option<Release>]) -> Self {
        let both = media.iter().zip(releases).enumerate().rev();
        let (indices, made): (Vec<_>, Vec<_>) = both
            .filter_map(|(index, (medium, release))| Some((index, Made { medium, release: release.as_ref()? })))
            .unzip();
        let by_medium = indices.into_iter().enumerate().map(|(made, medium)| (medium, made)).collect();
        let uses =
            made.iter().enumerate().flat_map(|(index, made)| made.medium.uses.iter().map(move |one| (*one, index)));
        let by_use = uses.collect();
        let main = feeds.iter().min_by_key(|feed| (feed.place.names().count(), &feed.place));
        let main = main.expect("there is a feed");
        Self { options, feeds, made, by_use, by_medium, main }
    }

    /// The media with their torrents, the newest first.
    pub fn made(&self) -> &[Made<'a>] {
        &self.made
    }

    /// The files but the feeds and pages; with those of torrents that are `retired`, to which nothing leads.
    pub fn files(&self, retired: Vec<Listed>) -> Result<Plan<'a>, Problem> {
        let mut plan = Plan::new();
        for Made { medium, release } in &self.made {
            plan.insert(medium.torrent_place(), Entry::Bytes(Cow::Borrowed(release.torrent.bytes())));
            if let Some(file) = medium.file.as_ref().filter(|_| medium.is_placed) {
                plan.insert(medium.place(), Entry::Media(file.path.clone()));
            }
        }
        let feed = Entry::Bytes(Cow::Owned(self.torrents_feed()));
        let below = format!("{}/", self.options.torrents_feed);
        let is_folder = plan.keys().any(|place| place.as_str().starts_with(&below));
        if is_folder || plan.insert(self.options.torrents_feed.clone(), feed).is_some() {
            return Err(taken(self.options.torrents_feed.as_str().as_ref()));
        }
        let mut manifest = self.manifest();
        for Listed { entry, torrent, media } in retired {
            plan.insert(entry.torrent.clone(), Entry::Bytes(Cow::Owned(torrent)));
            plan.extend(media.into_iter().map(|(source, place)| (place, Entry::Media(source))));
            manifest.torrents.push(entry);
        }
        if manifest.torrents.len() > manifest::TORRENTS_MAX {
            let message =
                format!("{} torrents; at most {} are served", manifest.torrents.len(), manifest::TORRENTS_MAX);
            return Err(Problem::new(message));
        }
        let json = Entry::Bytes(Cow::Owned(manifest.to_json().into_bytes()));
        match plan.insert(manifest::place(), json) {
            Some(_) => Err(taken(manifest::FILE_NAME.as_ref())),
            None => Ok(plan),
        }
    }

    /// The address of the feed for torrent clients.
    pub fn torrents_feed_url(&self) -> String {
        self.options.base_url.of(&self.options.torrents_feed)
    }

    fn torrents_feed(&self) -> Vec<u8> {
        let options = self.options;
        let main = &self.main.content;
        let channel = Channel {
            title: if main.title.is_empty() { options.base_url.to_string() } else { main.title.clone() },
            description: if main.description.is_empty() { main.title.clone() } else { main.description.clone() },
            link: main.link.clone().unwrap_or_else(|| options.base_url.to_string()),
            feed_url: self.torrents_feed_url(),
            language: main.language.clone().unwrap_or_else(|| "en".into()),
            generator: crate::GENERATOR.into(),
            copyright: None,
        };
        let items: Vec<_> = self.made.iter().map(|made| self.item(made)).collect();
        feed::torrents(&channel, &items)
    }

    fn item(&self, made: &Made) -> TorrentItem {
        let item = made.medium.first().item(self.feeds);
        let torrent_url = self.torrent_url(made);
        TorrentItem {
            title: self.title(made),
            link: item.link.clone().unwrap_or_else(|| self.options.base_url.to_string()),
            date: made.medium.date,
            description: item.description.clone(),
            info_hash: made.release.torrent.info_hashes.main(),
            torrent_url,
            torrent_bytes: made.release.torrent.bytes().len() as u64,
        }
    }

    /// The title of its item; of one with several formats, with the name of the file.
    fn title(&self, made: &Made) -> String {
        let item = made.medium.first().item(self.feeds);
        let name = &made.medium.name;
        match (item.title.is_empty(), item.enclosures.len()) {
            (true, _) => name.clone(),
            (false, 1) => item.title.clone(),
            (false, _) => format!("{} ({name})", item.title),
        }
    }

    fn torrent_url(&self, made: &Made) -> String {
        self.options.base_url.of(&made.medium.torrent_place())
    }

    fn manifest(&self) -> Manifest {
        let torrents = self.made.iter().map(|made| {
            let (medium, release) = (made.medium, made.release);
            let bytes = release.files[0].bytes;
            let url = medium.address.site_path.is_none().then(|| medium.address.direct_url.clone());
            manifest::Entry {
                info_hashes: release.torrent.info_hashes,
                name: medium.name.clone(),
                title: self.title(made),
                torrent: medium.torrent_place(),
                magnet: release.magnet.clone(),
                bytes,
                files: vec![manifest::File { path: medium.place(), bytes, url }],
                page: medium.first().item(self.feeds).link.clone(),
                published: medium.date.map(rfc3339),
                retired: None,
            }
        });
        Manifest {
            generator: GENERATOR.into(),
            title: self.main.content.title.clone(),
            base_url: self.options.base_url.to_string(),
            torrents: torrents.collect(),
        }
    }

    /// What is to stand in the feed that has the index `number`.
    pub fn amendment(&self, number: usize) -> Amendment {
        let feed = &self.feeds[number];
        let items: Vec<_> = feed
            .content
            .items
            .iter()
            .enumerate()
            .map(|(item, content)| {
                let made: Vec<_> = (0..content.enclosures.len())
                    .map(|enclosure| {
                        self.by_use.get(&Use { feed: number, item, enclosure }).map(|&index| &self.made[index])
                    })
                    .collect();
                let first = made.first().copied().flatten();
                let duration_ms = first.and_then(|made| made.release.files[0].facts.duration_ms);
                let wants_duration =
                    self.options.fix.duration && !content.has_duration && feed.content.format == Format::Rss;
                ItemAmendment {
                    lengths: made
                        .iter()
                        .map(|made| made.map(|made| made.release.files[0].bytes).filter(|_| self.options.fix.length))
                        .collect(),
                    duration_secs: duration_ms.filter(|_| wants_duration).map(|ms| whole_secs(ms).max(1)),
                    alternates: made
                        .iter()
                        .zip(&content.enclosures)
                        .map(|(made, enclosure)| made.map(|made| self.alternate(made, enclosure)))
                        .collect(),
                }
            })
            .collect();
        let has_torrents = items.iter().any(|item| item.alternates.iter().any(Option::is_some));
        let torrents_feed = has_torrents.then(|| self.torrents_feed_url());
        Amendment { torrents_feed, items }
    }

    /// What is to be said of alternate enclosures that the feeds' own templates write.
    pub fn findings(&self) -> Vec<Finding> {
        let of = |made: &Made| {
            let torrent_url = self.torrent_url(made);
            let is_other = |one: &&Use| one.item(self.feeds).other_magnet(&torrent_url, &made.release.magnet).is_some();
            made.medium.uses.iter().find(is_other).map(|one| {
                let message = format!(
                    "an alternate enclosure that everseed did not mark gives another magnet link than {torrent_url}"
                );
                let help = "build the site again: its data, or an earlier run whose marks were taken away, are older";
                Finding { rule: "stale-alternate", problem: one.problem(self.feeds, message).help(help) }
            })
        };
        self.made.iter().filter_map(of).collect()
    }

    fn alternate(&self, made: &Made, enclosure: &Enclosure) -> Alternate {
        let file = &made.release.files[0];
        Alternate {
            url: (!enclosure.url.contains("://")).then(|| made.medium.address.feed_url.clone()),
            mime: enclosure
                .mime
                .as_ref()
                .filter(|said| is_alike(said, &file.facts))
                .unwrap_or(&file.facts.mime)
                .clone(),
            bytes: file.bytes,
            bitrate_bps: file.facts.bitrate_bps,
            torrent_url: self.torrent_url(made),
            magnet: made.release.magnet.clone(),
            sha384: file.sha384,
        }
    }

    /// What a page links to for the medium of an index.
    pub fn links_of(&self, medium: usize) -> Option<Links> {
        Some(self.links(&self.made[*self.by_medium.get(&medium)?]))
    }

    /// What a page links to for a medium.
    pub fn links(&self, made: &Made) -> Links {
        Links {
            title: self.title(made),
            download_url: made.medium.address.feed_url.clone(),
            bytes: made.release.files[0].bytes,
            torrent_url: self.torrent_url(made),
            magnet: made.release.magnet.clone(),
        }
    }

    /// What is told of the media.
    pub fn released(&self) -> Vec<Released> {
        let of = |made: &Made| Released {
            slug: made.medium.slug.clone(),
            title: self.title(made),
            url: made.medium.address.direct_url.clone(),
            torrent: self.torrent_url(made),
            magnet: made.release.magnet.clone(),
            info_hash: made.release.torrent.info_hashes.main().to_string(),
            bytes: made.release.files[0].bytes,
            is_in_site: made.medium.is_placed
                || made.medium.file.as_ref().is_some_and(|file| file.is_in_site)
                || made.medium.address.site_path.is_some() && matches!(made.release.files[0].origin, Origin::File(_)),
        };
        self.made.iter().map(of).collect()
    }
}

/// Two files that are to be written have one place.
pub fn taken(place: &Path) -> Problem {
    let problem = Problem::at(place, "is to be the feed for torrent clients, and another file or folder too");
    problem.help("name another place with --torrent-feed")
}

fn rfc3339(date: OffsetDateTime) -> String {
    date.format(&Rfc3339).expect("years up to 9999 stand in this format")
}
