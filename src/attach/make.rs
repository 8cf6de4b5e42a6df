//! From media to releases: files are hashed, and what the lock knows is taken from there.

use std::path::PathBuf;

use super::feeds::Feed;
use super::gather::{Medium, Use};
use super::options::Options;
use super::site::Site;
use super::{Error, Finding};
use crate::GENERATOR;
use crate::hash;
use crate::lock;
use crate::problem::Problem;
use crate::release::{self, Cache, Content, Downloads, FileOrder, Ledger, Order, Origin, Release, Task};
use crate::sitepath::SitePath;
use crate::units::duration_text;

/// What to do about a published torrent that would become another one.
pub const CHANGED: &str = "what is published under a name stays as it is: give the new file another name, take the \
    setting back, or say that it is meant with --accept-changed";
/// What to do about a published torrent whose medium is not here any more.
pub const GONE: &str =
    "name the folder of the media with --media as before, or say that it is meant with --accept-changed";
/// What to do about an enclosure of which nothing is known.
const NO_MEDIA: &str = "name the folder of the media with --media, or let `everseed lock` download it once, and keep \
    everseed.lock and torrents/ in version control";
/// What to do about an enclosure that the lock does not have.
const NO_RECORD: &str =
    "run `everseed lock` where the media are, and keep everseed.lock and torrents/ in version control";

/// What runs are about.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// What was asked for.
    pub options: &'a Options,
    /// The site.
    pub site: &'a Site,
    /// Its feeds.
    pub feeds: &'a [Feed],
    /// The media that their enclosures lead to, the oldest first.
    pub media: &'a [Medium],
}

/// From where a release is made.
#[derive(Debug, Clone, Copy)]
pub enum From<'a> {
    /// The lock alone.
    Lock,
    /// Files, and where they are not here the lock.
    Files,
    /// Files, the lock, and where it knows nothing their servers.
    Servers(&'a Downloads),
}

/// Makes a release of each of `media`; `None` where its bytes are not to be had, which is a finding.
pub fn make(
    scene: Scene,
    from: From,
    ledger: &Ledger,
    cache: &mut Cache,
    progress: &dyn hash::Progress,
) -> Result<(Vec<Option<Release>>, Vec<Finding>), Error> {
    let Scene { options, media, feeds, .. } = scene;
    let mut findings = Vec::new();
    let mut problems = Vec::new();
    let mut made: Vec<Option<Release>> = vec![None; media.len()];
    let mut orders = Vec::new();
    for (index, medium) in media.iter().enumerate() {
        let has_record = ledger.record(&medium.slug).is_some_and(|record| record.origin == medium.origin());
        let is_web = matches!(from, From::Servers(_));
        let origin = match medium.path() {
            Some(path) if !matches!(from, From::Lock) => Some(Origin::File(path.clone())),
            // Asked for whether it is still what it was, as everything on other servers is.
            None if is_web => Some(Origin::Url(medium.address.direct_url.clone())),
            _ => None,
        };
        match origin {
            Some(origin) => orders.push((index, order(options, ledger, medium, feeds, origin))),
            None if has_record => match of_lock(options, ledger, medium, feeds) {
                Ok(release) => made[index] = Some(release),
                Err(problem) => problems.push(problem),
            },
            None => findings.push(nothing_known(scene, medium)),
        }
    }
    if !problems.is_empty() {
        return Err(Error::Content(problems));
    }
    for ((index, order), content) in survey(scene, &orders, from, ledger, cache, progress)? {
        made[*index] = Some(release::assemble(order, content));
    }
    Ok((made, findings))
}

/// The content of each order, in their order.
fn survey<'o>(
    scene: Scene,
    orders: &'o [(usize, Order)],
    from: From,
    ledger: &Ledger,
    cache: &mut Cache,
    progress: &dyn hash::Progress,
) -> Result<impl Iterator<Item = (&'o (usize, Order), Content)>, Error> {
    let Scene { media, feeds, .. } = scene;
    let first = |index: usize| media[index].first();
    let page = |index: usize| &feeds[first(index).feed].shown;
    let known = |index: usize, order: &Order| {
        let medium = &media[index];
        ledger.known(&medium.slug, &medium.origin(), order, page(index))
    };
    let tasks: Vec<_> = orders.iter().map(|(index, order)| Task { order, known: known(*index, order) }).collect();
    let none = Downloads::default();
    let downloads = if let From::Servers(downloads) = from { downloads } else { &none };
    let contents = release::survey(&tasks, cache, downloads, progress).map_err(|faults| {
        let told = |fault: release::Fault| match fault.task {
            Some(task) => fault.problem.or_at(page(orders[task].0)),
            None => fault.problem,
        };
        Error::Media(faults.into_iter().map(told).collect())
    })?;
    Ok(orders.iter().zip(contents))
}

/// The release of `medium` as the lock knows it.
fn of_lock(options: &Options, ledger: &Ledger, medium: &Medium, feeds: &[Feed]) -> Result<Release, Problem> {
    let record = ledger.record(&medium.slug).expect("it was found before");
    let torrent = lock::read_torrent(ledger.folder(), &medium.slug, record)?;
    let origin = match (&record.remote, &medium.address.site_path) {
        (None, Some(place)) => Origin::File(place.as_str().into()),
        _ => Origin::Url(medium.address.direct_url.clone()),
    };
    let order = order(options, ledger, medium, feeds, origin);
    let content = release::locked(&order, record, &torrent, &feeds[medium.first().feed].shown)?;
    Ok(release::assemble(&order, content))
}

/// What is ordered of `medium`, whose bytes are at `origin`.
pub fn order(options: &Options, ledger: &Ledger, medium: &Medium, feeds: &[Feed], origin: Origin) -> Order {
    Order {
        name: medium.name.clone(),
        files: vec![FileOrder { origin, path: Vec::new() }],
        single: true,
        kind: options.kind,
        piece_length: options.piece_length,
        published: ledger.piece_length(&medium.slug),
        private: options.private,
        source: None,
        trackers: options.announce_tiers(),
        web_seeds: vec![medium.address.direct_url.clone()],
        creation_date: medium.date.map(time::OffsetDateTime::unix_timestamp),
        created_by: Some(GENERATOR.into()),
        comment: medium.first().item(feeds).link.clone(),
        integrity: true,
        threads: None,
    }
}

fn nothing_known(scene: Scene, medium: &Medium) -> Finding {
    let Scene { options, site, feeds, .. } = scene;
    let url = &medium.uses[0].enclosure(feeds).url;
    let (rule, message, help) = if options.locked {
        ("no-record", format!("the enclosure {url:?} has no record in everseed.lock"), NO_RECORD)
    } else {
        ("no-media", format!("the enclosure {url:?} leads to no file that is here"), NO_MEDIA)
    };
    let in_site = SitePath::new(medium.address.path_names.join("/")).ok();
    let help = match in_site.filter(|path| medium.address.site_path.is_none() && path.below(&site.path).is_file()) {
        Some(path) => format!(
            "{} is there, and the URL is not below {}: see whether --base-url is what the generator was told",
            site.shown(&path).display(),
            options.base_url,
        ),
        None => help.to_owned(),
    };
    Finding { rule, problem: medium.first().problem(feeds, message).help(help) }
}

/// What differs between what the feeds say of `medium` and what it is.
pub fn differences(
    options: &Options,
    medium: &Medium,
    release: &Release,
    ledger: &Ledger,
    feeds: &[Feed],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let file = &release.files[0];
    let mut find = |rule, use_: Use, message: String, help: Option<String>| {
        let problem = use_.problem(feeds, message);
        findings.push(Finding { rule, problem: if let Some(help) = help { problem.help(help) } else { problem } });
    };
    for use_ in &medium.uses {
        let (item, enclosure) = (use_.item(feeds), use_.enclosure(feeds));
        let url = &enclosure.url;
        if enclosure.length != Some(file.bytes) && !options.fix.length {
            let said = enclosure.length.map_or("no length".to_owned(), |length| format!("the length {length}"));
            let message = format!("the enclosure {url:?} has {said}, and its file has {} bytes", file.bytes);
            find("length", *use_, message, Some("mend the feed's template, or let --fix length do it".into()));
        }
        if use_.enclosure > 0 || feeds[use_.feed].content.format != crate::feed::foreign::Format::Rss {
            continue;
        }
        if let Some(ms) = file.facts.duration_ms.filter(|_| !item.has_duration && !options.fix.duration) {
            let message =
                format!("{:?} has no itunes:duration; its file lasts {}", item.title, duration_text((ms + 500) / 1000));
            find("duration", *use_, message, Some("add it to the feed's template, or let --fix duration do it".into()));
        }
        if item.guid.is_none() {
            let message = format!(
                "{:?} has no guid: apps take its URL for it, and download it again when that changes",
                item.title
            );
            find("guid", *use_, message, Some("let the feed's template write one that never changes".into()));
        }
    }
    let former = ledger.record(&medium.slug).and_then(|record| record.guid.as_ref());
    let now = guid(medium, feeds);
    if let Some(former) = former.filter(|former| now.as_ref() != Some(*former)) {
        let now = now.as_deref().unwrap_or("none");
        let message =
            format!("the guid is {now:?}, and was {former:?} when it was locked: apps will download it again");
        find("guid-changed", medium.first(), message, Some("let the feed's template write the former one".into()));
    }
    findings
}

/// The identity of the episode of `medium`, as its feed gives it.
pub fn guid(medium: &Medium, feeds: &[Feed]) -> Option<String> {
    medium.first().item(feeds).guid.clone()
}

/// The files that are to stay what they are until all is in place.
pub fn files(media: &[Medium]) -> impl Iterator<Item = &PathBuf> {
    media.iter().filter_map(Medium::path)
}
