//! From media to releases: files are hashed, and what the lock knows is taken from there.

use std::path::PathBuf;

use super::feeds::Feed;
use super::gather::{Medium, Use};
use super::options::Options;
use super::report::{Error, Finding};
use super::site::Site;
use crate::GENERATOR;
use crate::hash;
use crate::lock;
use crate::media::{self, Facts};
use crate::problem::Problem;
use crate::release::{self, Cache, Content, Downloads, Ledger, Order, Origin, Release, Task};
use crate::sitepath::SitePath;
use crate::units::{duration_text, whole_secs};

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

/// Where releases are made from.
#[derive(Debug, Clone, Copy)]
pub enum Whence<'a> {
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
    whence: Whence,
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
        let is_web = matches!(whence, Whence::Servers(_));
        let origin = match medium.path() {
            Some(path) if !matches!(whence, Whence::Lock) => Some(Origin::File(path.clone())),
            // Asked for whether it is still what it was, as everything on other servers is.
            None if is_web => Some(Origin::Url(medium.address.direct_url.clone())),
            _ => None,
        };
        match origin {
            Some(origin) => orders.push((index, order(options, ledger, medium, feeds, origin))),
            None if has_record(ledger, medium) => match of_lock(options, ledger, medium, feeds) {
                Ok(release) => made[index] = Some(release),
                Err(problem) => problems.push(problem),
            },
            None => findings.push(nothing_known(scene, medium)),
        }
    }
    if !problems.is_empty() {
        return Err(Error::Content(problems));
    }
    loop {
        match survey(scene, &orders, whence, ledger, cache, progress) {
            Ok(contents) => {
                for ((index, order), content) in orders.iter().zip(contents) {
                    made[*index] = Some(release::assemble(order, content));
                }
                break;
            }
            // One file that its server does not give is a finding, and the rest is done; what was read meanwhile is known.
            Err(faults) if is_of_some_servers(&faults, &orders) => {
                let without = |task: usize| faults.iter().any(|fault| fault.task == Some(task));
                findings.extend(faults.iter().filter_map(|fault| Some(unheard(scene, orders[fault.task?].0, fault))));
                let kept = orders.drain(..).enumerate().filter(|(task, _)| !without(*task)).map(|(_, order)| order);
                orders = kept.collect();
            }
            Err(faults) => return Err(told(scene, &orders, faults)),
        }
    }
    for (medium, made) in media.iter().zip(&mut made) {
        if made.is_none() && matches!(whence, Whence::Servers(_)) && has_record(ledger, medium) {
            *made = Some(of_lock(options, ledger, medium, feeds).map_err(|problem| Error::Content(vec![problem]))?);
        }
    }
    Ok((made, findings))
}

/// Whether no file of this machine is at fault, and something else was found: then it is not the network.
fn is_of_some_servers(faults: &[release::Fault], orders: &[(usize, Order)]) -> bool {
    let is_web = |order: &Order| order.files.iter().any(|file| file.origin.url().is_some());
    faults.len() < orders.len() && faults.iter().all(|fault| fault.task.is_some_and(|task| is_web(&orders[task].1)))
}

/// What is told of a file that its server did not give.
fn unheard(scene: Scene, medium: usize, fault: &release::Fault) -> Finding {
    let medium = &scene.media[medium];
    let problem = medium.first().problem(scene.feeds, fault.problem.message());
    Finding { rule: "no-media", problem: problem.help(NO_MEDIA) }
}

fn told(scene: Scene, orders: &[(usize, Order)], faults: Vec<release::Fault>) -> Error {
    let page = |task: usize| &scene.feeds[scene.media[orders[task].0].first().feed].shown;
    let of = |fault: release::Fault| match fault.task {
        Some(task) => fault.problem.or_at(page(task)),
        None => fault.problem,
    };
    Error::Media(faults.into_iter().map(of).collect())
}

fn has_record(ledger: &Ledger, medium: &Medium) -> bool {
    ledger.record(&medium.slug).is_some_and(|record| record.origin == medium.origin())
}

/// The content of each order, in their order.
fn survey(
    scene: Scene,
    orders: &[(usize, Order)],
    whence: Whence,
    ledger: &Ledger,
    cache: &mut Cache,
    progress: &dyn hash::Progress,
) -> Result<Vec<Content>, Vec<release::Fault>> {
    let known = |index: usize, order: &Order| {
        let medium = &scene.media[index];
        let page = &scene.feeds[medium.first().feed].shown;
        ledger.known(&medium.slug, &medium.origin(), order, page)
    };
    let tasks: Vec<_> = orders.iter().map(|(index, order)| Task { order, known: known(*index, order) }).collect();
    let none = Downloads::default();
    let downloads = if let Whence::Servers(downloads) = whence { downloads } else { &none };
    release::survey(&tasks, cache, downloads, progress)
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
        kind: options.kind,
        piece_length: options.piece_length,
        published: ledger.piece_length(&medium.slug),
        private: options.private,
        trackers: options.announce_tiers(),
        web_seeds: vec![medium.address.direct_url.clone()],
        creation_date: medium.date.map(time::OffsetDateTime::unix_timestamp),
        created_by: Some(GENERATOR.into()),
        comment: medium.first().item(feeds).link.clone(),
        integrity: true,
        ..Order::of_file(&medium.name, origin)
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
    let is_there = |path: &SitePath| !options.locked && path.below(&site.path).exists();
    let help = match in_site.filter(is_there) {
        // What is a file there was found, unless it has another length.
        Some(path) if medium.address.site_path.is_some() => format!(
            "{} leads out of the site, and page hosts and servers do not follow it: put the file there, or name its \
             folder with --media",
            site.shown(&path).display(),
        ),
        Some(path) => format!(
            "{} has another length, and the URL is not below {}: see whether --base-url is what the generator was told",
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
        if let Some(said) = enclosure.mime.as_ref().filter(|said| !is_alike(said, &file.facts)) {
            let message = format!("the enclosure {url:?} has the type {said}, and its file is {}", file.facts.mime);
            find("type", *use_, message, Some("mend the feed's template".into()));
        }
        if use_.enclosure > 0 || feeds[use_.feed].content.format != crate::feed::foreign::Format::Rss {
            continue;
        }
        if let Some(ms) = file.facts.duration_ms.filter(|_| !item.has_duration && !options.fix.duration) {
            let message =
                format!("{:?} has no itunes:duration; its file lasts {}", item.title, duration_text(whole_secs(ms)));
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

/// Whether a feed may call a file of which these `facts` are known by the type that is `said`. Each has several names.
pub fn is_alike(said: &str, facts: &Facts) -> bool {
    let parts = |mime: &str| {
        let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let (kind, format) = mime.split_once('/').unwrap_or((&*mime, ""));
        let format = match format.strip_prefix("x-").unwrap_or(format) {
            "mp3" | "mpeg3" | "mpeg-3" | "mpg" => "mpeg",
            "m4a" | "m4b" | "m4v" | "aac" | "mp4a-latm" | "quicktime" => "mp4",
            "opus" | "vorbis" => "ogg",
            "wave" | "vnd.wave" | "pn-wav" => "wav",
            format => format,
        };
        (kind.to_owned(), format.to_owned())
    };
    // Of other files only their names are known.
    if facts.kind == media::Kind::Other {
        return true;
    }
    let ((kind, format), (is_kind, is_format)) = (parts(said), parts(&facts.mime));
    // Ogg and MP4 hold sound or pictures, and their names do not tell.
    let is_either = |kind: &str| matches!(kind, "audio" | "video" | "application");
    format == is_format && (kind == is_kind || is_either(&kind) && is_either(&is_kind))
}

/// The identity of the episode of `medium`, as its feed gives it.
pub fn guid(medium: &Medium, feeds: &[Feed]) -> Option<String> {
    medium.first().item(feeds).guid.clone()
}

/// The files that are to stay what they are until all is in place.
pub fn files(media: &[Medium]) -> impl Iterator<Item = &PathBuf> {
    media.iter().filter_map(Medium::path)
}
