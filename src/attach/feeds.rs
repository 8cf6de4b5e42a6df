//! The feeds of a site: those that are named, or all that have enclosures.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::options::Options;
use super::report::{Error, Finding};
use super::site::Site;
use crate::feed::foreign::{self, Foreign};
use crate::mime::TORRENT_MIME;
use crate::output::Media;
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// The endings of files in which feeds are looked for.
const ENDINGS: [&str; 4] = [".xml", ".rss", ".atom", ".rdf"];
/// The names without an ending of such files.
const NAMES: [&str; 4] = ["atom", "feed", "podcast", "rss"];

/// A feed of the site.
#[derive(Debug)]
pub struct Feed {
    /// Where it stands in the site.
    pub place: SitePath,
    /// The file.
    pub path: PathBuf,
    /// The file, as people see it.
    pub shown: PathBuf,
    /// What stands in it.
    pub content: Foreign,
    /// What the file was like when that was read: what is spliced must be that.
    pub still: Media,
}

/// The feeds that are named, or those of the site that have enclosures, in the order of their paths; there is one at least.
pub fn find(options: &Options, site: &Site) -> Result<Vec<Feed>, Error> {
    let refused = |problem| Error::Content(vec![problem]);
    let is_named = !options.feeds.is_empty();
    let mut files = if is_named { named(options, site)? } else { sniffed(site).map_err(Error::Trouble)? };
    files.sort();
    files.dedup();
    let (mut feeds, mut problems) = (Vec::new(), Vec::new());
    for (place, path) in files {
        let shown = site.shown(&place);
        match read(&path) {
            Ok((content, _)) if content.items.is_empty() && !is_named => {}
            // A feed of torrents has them already, whoever wrote it.
            Ok((content, _)) if !is_named && is_of_torrents(&content) => {}
            Ok((content, _)) if !content.items.is_empty() && is_of_torrents(&content) => {
                let problem = Problem::at(shown, "is a feed of torrents, which have them already");
                problems.push(problem.help("name the feed whose enclosures are the media"));
            }
            Ok((content, still)) => feeds.push(Feed { place, path, shown, content, still }),
            // What only might have been one.
            Err(foreign::Error::NotAFeed(_)) if !is_named => {}
            Err(foreign::Error::Io(error)) => {
                return Err(Error::Trouble(Problem::at(shown, format!("can't be read: {error}"))));
            }
            Err(error) => problems.push(told(&shown, &error)),
        }
    }
    if !problems.is_empty() {
        return Err(Error::Content(problems));
    }
    if feeds.iter().all(|feed: &Feed| feed.content.items.is_empty()) {
        let problem = Problem::at(&options.site, "holds no feed whose items have enclosures");
        return Err(refused(
            problem.help("let the generator write an RSS feed with an <enclosure> in each item; --feed names one"),
        ));
    }
    Ok(feeds)
}

fn is_of_torrents(content: &Foreign) -> bool {
    let mut enclosures = content.items.iter().flat_map(|item| &item.enclosures);
    enclosures.all(|enclosure| enclosure.mime.as_deref() == Some(TORRENT_MIME))
}

fn read(path: &Path) -> Result<(Foreign, Media), foreign::Error> {
    let path = path.to_owned();
    let still = Media::look([&path]);
    let mut file = File::open(path).map_err(foreign::Error::Io)?;
    Ok((foreign::read(&mut file)?, still))
}

fn told(shown: &Path, error: &foreign::Error) -> Problem {
    let problem = Problem::at(shown, error.to_string());
    let problem = if let Some(line) = error.line() { problem.line(line) } else { problem };
    let problem = if let Some(column) = error.column() { problem.column(column) } else { problem };
    if let Some(help) = error.help() { problem.help(help) } else { problem }
}

/// The feeds that are named, each by its path or by that below the site.
fn named(options: &Options, site: &Site) -> Result<Vec<(SitePath, PathBuf)>, Error> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for name in &options.feeds {
        // As it stands in the site, where there is such a file: a template beside it may have the same name. Else as it was
        // typed.
        let path = [site.path.join(name), name.clone()].into_iter().find(|path| path.is_file());
        match path.map(|path| path.canonicalize()) {
            Some(Ok(path)) => match site.place(&path) {
                Some(place) => found.push((place, path)),
                None => problems.push(
                    Problem::at(name, format!("is not in the site {}", options.site.display()))
                        .help("name a feed of the folder that --site names"),
                ),
            },
            Some(Err(error)) => problems.push(Problem::at(name, format!("can't be read: {error}"))),
            None => problems.push(
                Problem::at(name, format!("is not there, nor in {}", options.site.display()))
                    .help("name a feed by its path, or by that below the site"),
            ),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(Error::Content(problems)) }
}

/// The files of the site that begin as feeds do.
fn sniffed(site: &Site) -> Result<Vec<(SitePath, PathBuf)>, Problem> {
    let is_wanted =
        |name: &str| ENDINGS.iter().any(|ending| name.to_ascii_lowercase().ends_with(ending)) || NAMES.contains(&name);
    let files = site.files(is_wanted)?;
    let mut feeds = Vec::new();
    for (place, path) in files {
        let mut beginning = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(foreign::SNIFFED_BYTES).read_to_end(&mut beginning));
        read.map_err(|error| Problem::at(site.shown(&place), format!("can't be read: {error}")))?;
        if foreign::looks_like_a_feed(&beginning) {
            feeds.push((place, path));
        }
    }
    Ok(feeds)
}

/// The edits of `feed` that its `amendment` asks for and that change something.
pub fn edits(feed: &Feed, amendment: &foreign::Amendment) -> Result<Vec<crate::splice::Edit>, Problem> {
    feed.still.unchanged()?;
    let unreadable = |error| Problem::at(&feed.shown, format!("can't be read: {error}"));
    let file = File::open(&feed.path).map_err(unreadable)?;
    crate::splice::changing(feed.content.amend(amendment), &mut BufReader::new(file)).map_err(unreadable)
}

/// What is wrong with single elements of the feeds.
pub fn findings(feeds: &[Feed]) -> impl Iterator<Item = Finding> {
    feeds.iter().flat_map(|feed| {
        let faults = feed.content.faults.iter().map(|(line, fault)| Finding {
            rule: "feed",
            problem: Problem::at(&feed.shown, fault.clone()).line(*line),
        });
        let mut lines = HashMap::new();
        let same = feed.content.items.iter().filter_map(move |item| {
            let guid = item.guid.as_ref()?;
            let former = lines.insert(guid.clone(), item.line)?;
            let message =
                format!("the guid {guid:?} is that of the item on line {former} too: apps show one of the two");
            let problem = Problem::at(&feed.shown, message).line(item.line);
            Some(Finding { rule: "same-guid", problem: problem.help("let the feed's template write another for each") })
        });
        faults.chain(same)
    })
}
