//! From feeds to media: each file that enclosures lead to, once, with all that the feeds say of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use time::OffsetDateTime;
use url::Url;

use super::address::Address;
use super::feeds::Feed;
use super::media::{Finder, Found};
use super::options::{Options, Place};
use super::prefix::Prefixes;
use super::report::{Error, Finding};
use super::site::Site;
use super::slug::{self, Given, Nameless};
use crate::feed::foreign::{Enclosure, Item};
use crate::lock::{Lock, Origin};
use crate::mime::TORRENT_MIME;
use crate::problem::Problem;
use crate::sitepath::{SitePath, is_plain_name};
use crate::units::count_text;

/// A file that enclosures lead to.
#[derive(Debug)]
pub struct Medium {
    /// What the lock knows it by: its path below the site's root, else its URL.
    pub source: String,
    /// Its address, as the first enclosure has it.
    pub address: Address,
    /// The enclosures that lead to it; the first is the one that is told of.
    pub uses: Vec<Use>,
    /// The file, where it is here.
    pub file: Option<Found>,
    /// Where that stands in the site, if its URL is not below the site's.
    in_site: Option<SitePath>,
    /// Whether it is to be placed in the site, for the server to have it.
    pub is_placed: bool,
    /// The name that it goes by.
    pub slug: String,
    /// The file's name in its torrent.
    pub name: String,
    /// When it was published.
    pub date: Option<OffsetDateTime>,
}

/// An enclosure: the indices of its feed, of its item there, and its own there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Use {
    /// Of the feed.
    pub feed: usize,
    /// Of the item in the feed.
    pub item: usize,
    /// Of the enclosure in the item.
    pub enclosure: usize,
}

impl Use {
    /// The item.
    pub fn item(self, feeds: &[Feed]) -> &Item {
        &feeds[self.feed].content.items[self.item]
    }

    /// The enclosure.
    pub fn enclosure(self, feeds: &[Feed]) -> &Enclosure {
        &self.item(feeds).enclosures[self.enclosure]
    }

    /// Something about it.
    pub fn problem(self, feeds: &[Feed], message: impl Into<String>) -> Problem {
        Problem::at(&feeds[self.feed].shown, message).line(self.enclosure(feeds).line)
    }
}

impl Medium {
    /// The first of its enclosures.
    pub fn first(&self) -> Use {
        self.uses[0]
    }

    /// What the lock knows it by.
    pub fn origin(&self) -> Origin {
        Origin::One(self.source.clone())
    }

    /// Where it stands below the site's root, or would stand.
    pub fn place(&self) -> SitePath {
        let place = self.address.site_path.as_ref().or(self.in_site.as_ref());
        place
            .cloned()
            .unwrap_or_else(|| SitePath::new(format!("media/{}", self.name)).expect("a safe name is a plain one"))
    }

    /// Where its `.torrent` stands.
    pub fn torrent_place(&self) -> SitePath {
        SitePath::new(format!("torrents/{}.torrent", self.slug)).expect("a slug is a plain name")
    }

    /// The path of its file, where it is here.
    pub fn path(&self) -> Option<&PathBuf> {
        self.file.as_ref().map(|file| &file.path)
    }
}

/// The media that the enclosures of `feeds` lead to, the oldest first, and what is odd about them.
pub fn gather(
    options: &Options,
    site: &Site,
    feeds: &[Feed],
    lock: Option<&Lock>,
) -> Result<(Vec<Medium>, Vec<Finding>), Error> {
    let refused = |problem| Error::Content(vec![problem]);
    let prefixes = Prefixes::new(&options.prefixes).map_err(refused)?;
    let mut findings = Vec::new();
    let finder = if options.locked { None } else { Some(Finder::new(&site.path, &options.media).map_err(refused)?) };
    let records: HashSet<_> = (lock.iter().flat_map(|lock| lock.media.values()))
        .filter_map(|record| if let Origin::One(source) = &record.origin { Some(&source[..]) } else { None })
        .collect();
    let is_file = |address: &Address| {
        let is_found = || finder.as_ref().is_some_and(|finder| matches!(finder.find(address), Ok(Some(_))));
        address.site_path.as_ref().is_some_and(|place| is_found() || records.contains(place.as_str()))
    };
    let mut media = listed(options, feeds, &prefixes, &is_file, &mut findings);
    // The oldest are named first: what comes later does not change their names.
    media.sort_by_cached_key(|medium| {
        let Use { feed, item, enclosure } = medium.first();
        (medium.date.is_none(), medium.date, Reverse(item), enclosure, feed, medium.source.clone())
    });
    if let Some(finder) = &finder {
        findings.extend(find_files(options, site, finder, feeds, &mut media)?);
    }
    name(&mut media, site, feeds, lock);
    Ok((media, findings))
}

/// Each source once, with its enclosures in the order in which they stand. `is_file` tells whether there is a file at the
/// path of an address: then a query behind the path does not make it another.
fn listed(
    options: &Options,
    feeds: &[Feed],
    prefixes: &Prefixes,
    is_file: &dyn Fn(&Address) -> bool,
    findings: &mut Vec<Finding>,
) -> Vec<Medium> {
    let addressed = addressed(options, feeds, prefixes, findings);
    let several = of_several_queries(&addressed);
    let mut media: Vec<Medium> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (use_, mut address) in addressed {
        let is_several = address.site_path.as_ref().is_some_and(|path| several.contains(path));
        if address.direct_url.contains('?') && (is_several || !is_file(&address)) {
            address.site_path = None;
        }
        let source =
            address.site_path.as_ref().map_or_else(|| address.direct_url.clone(), |path| path.as_str().to_owned());
        let (date, url) = (use_.item(feeds).date, &use_.enclosure(feeds).url);
        if let Some(&index) = known.get(&source) {
            let medium = &mut media[index];
            if let Some(other) = medium.uses.last().filter(|other| is_another_item(**other, use_, feeds)) {
                let line = other.enclosure(feeds).line;
                let message = format!("two items have the enclosure {url:?}; the other is on line {line}");
                findings.push(Finding { rule: "same-enclosure", problem: use_.problem(feeds, message) });
            }
            medium.date = [medium.date, date].into_iter().flatten().min();
            medium.uses.push(use_);
            continue;
        }
        findings.extend(address.remarks.iter().map(|remark| Finding {
            rule: "address",
            problem: use_.problem(feeds, format!("the enclosure {url:?} {remark}")),
        }));
        known.insert(source.clone(), media.len());
        let (uses, file, in_site, is_placed) = (vec![use_], None, None, false);
        let (slug, name) = Default::default();
        media.push(Medium { source, address, uses, file, in_site, is_placed, slug, name, date });
    }
    media
}

/// The addresses of all enclosures that have one, in the order in which they stand.
fn addressed(
    options: &Options,
    feeds: &[Feed],
    prefixes: &Prefixes,
    findings: &mut Vec<Finding>,
) -> Vec<(Use, Address)> {
    let mut addressed = Vec::new();
    for (number, feed) in feeds.iter().enumerate() {
        let feed_at = options.base_url.of(&feed.place);
        for (use_, enclosure) in enclosures(number, feed) {
            let base = enclosure.base.as_deref().and_then(|base| Url::parse(&feed_at).ok()?.join(base).ok());
            let base = base.as_ref().map_or(&*feed_at, Url::as_str);
            match Address::of(&enclosure.url, base, &options.base_url, prefixes) {
                Ok(address) => addressed.push((use_, address)),
                Err(why) => {
                    let problem = use_.problem(feeds, format!("the enclosure {:?} {why}", enclosure.url));
                    findings.push(Finding { rule: "address", problem });
                }
            }
        }
    }
    addressed
}

/// The paths of the site that enclosures of one feed have, each with another query: a program answers there, as it seems, and
/// not a file.
fn of_several_queries(addressed: &[(Use, Address)]) -> HashSet<SitePath> {
    let mut queries: HashMap<(usize, &SitePath), &str> = HashMap::new();
    let mut several = HashSet::new();
    for (use_, address) in addressed.iter().filter(|(_, address)| address.direct_url.contains('?')) {
        let Some(path) = &address.site_path else { continue };
        if *queries.entry((use_.feed, path)).or_insert(&address.direct_url) != address.direct_url {
            several.insert(path.clone());
        }
    }
    several
}

/// The enclosures of a feed that lead to media.
fn enclosures(number: usize, feed: &Feed) -> impl Iterator<Item = (Use, &Enclosure)> {
    let items = feed.content.items.iter().enumerate();
    let all = items.flat_map(move |(item, content)| {
        let of = move |(enclosure, content)| (Use { feed: number, item, enclosure }, content);
        content.enclosures.iter().enumerate().map(of)
    });
    all.filter(|(_, enclosure)| {
        let mime = enclosure.mime.as_deref().unwrap_or_default();
        // A cover is no episode, and a torrent has one already.
        mime != TORRENT_MIME && !mime.starts_with("image/") && !enclosure.url.starts_with("magnet:")
    })
}

/// Whether two enclosures stand in one feed and not in one item, as far as people tell items apart.
fn is_another_item(one: Use, other: Use, feeds: &[Feed]) -> bool {
    let is_same = |a: &Item, b: &Item| a.guid.is_some() && a.guid == b.guid;
    one.feed == other.feed && one.item != other.item && !is_same(one.item(feeds), other.item(feeds))
}

/// Finds the files of `media`, and settles which of them are to be placed in the site.
fn find_files(
    options: &Options,
    site: &Site,
    finder: &Finder,
    feeds: &[Feed],
    media: &mut [Medium],
) -> Result<Vec<Finding>, Error> {
    let (mut problems, mut findings) = (Vec::new(), Vec::new());
    let mut named: HashMap<String, usize> = HashMap::new();
    for name in media.iter().filter_map(|medium| medium.address.path_names.last()) {
        *named.entry(name.clone()).or_default() += 1;
    }
    for medium in &mut *media {
        let is_only = medium.address.path_names.last().is_some_and(|name| named[name] == 1);
        let first = medium.first();
        let enclosure = first.enclosure(feeds);
        let found = match finder.find(&medium.address) {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            Err(problem) => {
                problems.push(problem.or_at_line(&feeds[first.feed].shown, enclosure.line));
                continue;
            }
        };
        // Another file of that name and path would be the wrong one.
        let is_elsewhere = found.is_in_site && medium.address.site_path.is_none();
        if is_elsewhere
            && enclosure.length.is_some_and(|length| found.path.metadata().is_ok_and(|it| it.len() != length))
        {
            continue;
        }
        if is_elsewhere {
            medium.in_site = site.place(&found.path);
        }
        if found.is_in_site {
            findings.extend(finder.differing(&medium.address, &found.path, is_only).map(|other| {
                let other = other.display();
                let message =
                    format!("the file of the enclosure {:?} in the site is another than {other}", enclosure.url);
                let help = "remove the one in the site, and it is placed there anew";
                Finding { rule: "stale-media", problem: first.problem(feeds, message).help(help) }
            }));
        }
        medium.file = Some(found);
    }
    if !problems.is_empty() {
        problems.sort();
        problems.dedup();
        return Err(Error::Content(problems));
    }
    findings.extend(contested(finder, feeds, media));
    for medium in media {
        let is_elsewhere = medium.file.as_ref().is_some_and(|file| !file.is_in_site);
        medium.is_placed = is_elsewhere
            && match options.place {
                Place::Linked => medium.address.site_path.is_some(),
                Place::All => true,
                Place::None => false,
            };
    }
    Ok(findings)
}

/// What is told where enclosures are not below the site's address, and files of the site are what they lead to: the address
/// is another one, as it seems.
pub fn elsewhere(options: &Options, feeds: &[Feed], media: &[Medium]) -> Option<Finding> {
    let mut found = media.iter().filter(|medium| medium.in_site.is_some());
    let (medium, others) = (found.next()?, found.count());
    let others =
        if others > 0 { format!(", and {} more so", count_text(others as u64, "enclosure")) } else { String::new() };
    let message = format!(
        "{:?} is not below {}, and seems to be a file of the site{others}",
        medium.address.direct_url, options.base_url
    );
    let problem = medium.first().problem(feeds, message);
    Some(Finding { rule: "base-url", problem: problem.help("give --base-url the address that the generator was told") })
}

/// A file that several enclosures seem to lead to is that of the one whose path it has; else of the one that has its length;
/// else of several that have it and the same path at several hosts. The others have none.
fn contested(finder: &Finder, feeds: &[Feed], media: &mut [Medium]) -> Vec<Finding> {
    let mut by_path: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (index, medium) in media.iter().enumerate() {
        // Also where it was found in the site: what was placed there came from here.
        let owned = finder.owned(&medium.address);
        let found = medium.path().cloned();
        for path in found.iter().chain(owned.iter().filter(|owned| Some(*owned) != found.as_ref())) {
            by_path.entry(path.clone()).or_default().push(index);
        }
    }
    let mut findings = Vec::new();
    for (path, contenders) in by_path.into_iter().filter(|(_, contenders)| contenders.len() > 1) {
        let bytes = path.metadata().ok().map(|metadata| metadata.len());
        let is_by_name =
            |index: &usize| media[*index].file.as_ref().is_some_and(|file| file.is_by_name && file.path == path);
        let owners: Vec<_> = contenders.iter().copied().filter(|index| !is_by_name(index)).collect();
        let rivals = if owners.is_empty() { &contenders } else { &owners };
        let has_length = |index: &&usize| bytes.is_some() && media[**index].first().enclosure(feeds).length == bytes;
        let fitting: Vec<_> =
            if rivals.len() == 1 { rivals.clone() } else { rivals.iter().filter(has_length).copied().collect() };
        let is_one_path = |index: &usize| {
            let (a, b) = (&media[*index].address, &media[fitting[0]].address);
            a.path_names == b.path_names && (*index == fitting[0] || host(&a.direct_url) != host(&b.direct_url))
        };
        let keep = if fitting.len() < 2 || fitting.iter().all(is_one_path) { fitting.clone() } else { Vec::new() };
        for index in contenders.into_iter().filter(|index| !keep.contains(index)) {
            let first = media[index].first();
            let url = &first.enclosure(feeds).url;
            let message = format!("the enclosure {url:?} may be {}, and so may another", path.display());
            let help = "let the folders of --media hold the files as their URLs do, or let the feed tell their lengths";
            findings.push(Finding { rule: "same-file", problem: first.problem(feeds, message).help(help) });
            if media[index].file.as_ref().is_some_and(|file| file.path == path) {
                media[index].file = None;
                media[index].in_site = None;
            }
        }
    }
    findings
}

/// The host of a URL, with its port.
fn host(url: &str) -> Option<&str> {
    url.split("://").nth(1)?.split(['/', '?']).next()
}

/// Gives each its slug: the one that it has in the lock, or in the site by a former run, before any other.
fn name(media: &mut [Medium], site: &Site, feeds: &[Feed], lock: Option<&Lock>) {
    let mut given = Given::default();
    for entry in site.former.iter().flat_map(|former| &former.torrents) {
        let ([file], Some(slug)) = (&entry.files[..], slug_of(entry.torrent.as_str())) else { continue };
        // What the lock says of a name comes first.
        if lock.is_none_or(|lock| !lock.media.contains_key(slug)) {
            given.slugs.insert(file.url.as_deref().unwrap_or(file.path.as_str()), slug);
        }
    }
    for (slug, record) in lock.iter().flat_map(|lock| &lock.media) {
        let Origin::One(source) = &record.origin else { continue };
        given.slugs.insert(source, slug);
        given.left_over.insert(slug, record.bytes);
    }
    for medium in &*media {
        if let Some(slug) = given.slugs.get(&*medium.source) {
            given.left_over.remove(slug);
        }
    }
    let bytes = |medium: &Medium| {
        let file = medium.path().and_then(|path| path.metadata().ok());
        file.map(|metadata| metadata.len()).or(medium.first().enclosure(feeds).length)
    };
    let nameless: Vec<_> = media
        .iter()
        .map(|medium| Nameless { source: &medium.source, path: &medium.address.path_names, bytes: bytes(medium) })
        .collect();
    let slugs = slug::assign(&nameless, &given);
    for (medium, slug) in media.iter_mut().zip(slugs) {
        medium.name = slug::file_name(&slug, &medium.address.path_names);
        medium.slug = slug;
    }
}

/// The slug of the medium whose `.torrent` stands at `place`.
pub fn slug_of(place: &str) -> Option<&str> {
    place.strip_prefix("torrents/")?.strip_suffix(".torrent").filter(|slug| is_plain_name(slug))
}

/// The media by the texts that pages name them by: slugs, URLs, and paths from the root.
pub fn by_name(options: &Options, media: &[Medium], feeds: &[Feed]) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for (index, medium) in media.iter().enumerate() {
        let path = medium.address.site_path.as_ref();
        let below = path.map(|path| format!("{}{}", options.base_url.path(), path.url()));
        let urls = medium.uses.iter().map(|one| one.enclosure(feeds).url.clone());
        let addresses = [medium.address.feed_url.clone(), medium.address.direct_url.clone()];
        for name in urls.chain(addresses).chain(path.map(ToString::to_string)).chain(below) {
            names.entry(name).or_insert(index);
        }
    }
    // A slug is what is meant by a word that is both.
    names.extend(media.iter().enumerate().map(|(index, medium)| (medium.slug.clone(), index)));
    names
}
