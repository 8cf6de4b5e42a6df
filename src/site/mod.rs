//! From a folder of episodes to a site: pages, feeds, torrents and media, written as one.
//!
//! It knows nothing of servers: what it leaves for them is `everseed.json`.

mod content;
mod context;
mod date;
mod directories;
mod files;
mod front;
mod html;
mod item;
mod ledger;
mod links;
mod locked;
mod markdown;
mod medium;
mod options;
mod plan;
mod record;
mod retire;
mod root;
mod sheet;
mod update;
mod write;

pub use options::{Kind, LockUse, Options, Show, categories};
pub use update::{LockSummary, Update, Verified, update_lock, verify_lock};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::hash;
use crate::media;
use crate::metainfo;
use crate::output::{Media, Watch};
use crate::problem::Problem;
use crate::release::{self, Cache, Downloads, FileOrder, Origin, Task};
use crate::retired;
use crate::sitepath::encode_segment;
use content::{Content, Release};
use html::Theme;
use ledger::Ledger;
use locked::Locked;
use root::Root;
use write::Output;

/// Why a site was not built. The former output stands as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// What the author wrote is wrong: every fault that was found, in order.
    Content(Vec<Problem>),
    /// What is published already would become something else: each instance, in order.
    Changed(Vec<Problem>),
    /// Media can't be read: each of those that were tried, in order.
    Media(Vec<Problem>),
    /// What the author wrote may be right, and something else failed.
    Trouble(Problem),
}

/// What a build did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Pages: the home page, plain pages, those of the releases, and the one for what is not found.
    pub pages: usize,
    /// Releases: episodes and others.
    pub releases: usize,
    /// Torrents.
    pub torrents: usize,
    /// Files that were read and hashed; others were known.
    pub files_hashed: usize,
    /// Their bytes.
    pub bytes_hashed: u64,
    /// Files of the output that are new or differ.
    pub files_written: usize,
    /// Files of the output that are as they were.
    pub files_unchanged: usize,
    /// Files of the former output that are no more.
    pub files_removed: usize,
    /// Torrents that are not published any more and go on being seeded, the newest first.
    pub retired: Vec<retired::Told>,
    /// What is not wrong and still worth a look.
    #[serde(serialize_with = "as_texts")]
    pub warnings: Vec<Problem>,
    /// The output folder.
    pub output: PathBuf,
}

/// Builds the site into the folder `out`; what builds remember is kept below the folder `state`, outside of the output.
///
/// The first build of a site reads each medium once; the next ones read those that changed. A torrent's creation date is its
/// release's own date: no clock goes into the output, so that the same content gives the same bytes.
pub fn build(options: &Options, out: &Path, state: &Path, progress: &dyn hash::Progress) -> Result<Summary, Error> {
    build_watched(options, out, state, progress, &mut || Ok(()))
}

/// Builds; `watch` sees each change to the output, and can stop it there.
fn build_watched(
    options: &Options,
    out: &Path,
    state: &Path,
    progress: &dyn hash::Progress,
    watch: Watch,
) -> Result<Summary, Error> {
    let refused = |problem| Error::Content(vec![problem]);
    let root = Root::open(&options.root).map_err(refused)?;
    let output = Output::open(out, state, root.path())?;
    let mut ledger = Ledger::open(&options.root).map_err(refused)?;

    let mut theme_warnings = Vec::new();
    let locked = if options.lock.is_alone() { Some(ledger.locked().map_err(refused)?) } else { None };
    let (mut content, theme) = match (
        content::load(options, locked.as_ref(), &output.own()),
        Theme::load(&root, &options.config_path, &options.theme, &mut theme_warnings),
    ) {
        (Ok(content), Ok(theme)) => (content, theme),
        (content, theme) => {
            let faults = content.err().into_iter().chain(theme.err()).flatten();
            return Err(Error::Content(faults.collect()));
        }
    };
    no_medium_inside(&content, &root, &output).map_err(Error::Content)?;

    let mut cache = Cache::load(state.join("hashes"));
    let files = content.releases.iter().flat_map(|release| &release.medium.files);
    let media = Media::look(files.filter_map(|file| file.origin.path()));
    let mut shelf = retire::shelf(options);
    let built = (|| {
        let releases = if let Some(locked) = &locked {
            known(options, &content, locked).map_err(Error::Content)?
        } else {
            let downloads = Downloads::default();
            make_all(options, &content, &ledger, &downloads, &mut cache, progress)?
        };
        let warnings = keep(&mut ledger, options, &mut content, &releases)?;
        let mut plan = plan::plan(options, &content, &releases, &theme).map_err(Error::Content)?;
        plan.warnings.extend(warnings);
        plan.warnings.extend(remarks(&content, &releases));
        let retired = match &mut shelf {
            Some(shelf) => retire::retire(shelf, options, &content, &ledger, &output, &mut plan, progress),
            None => Vec::new(),
        };
        if options.lock == LockUse::Write {
            media.unchanged().and_then(|()| ledger.write()).map_err(Error::Trouble)?;
        }
        let written = output.write(&plan, || media.unchanged(), watch).map_err(Error::Trouble)?;
        Ok((plan, retired, written))
    })();
    // Placing media as hard links changes their ctime, and with it what the cache knows them by.
    cache.relinked(&media.relinked());
    let saved = cache.save();
    let shelf_warnings = shelf.map(|shelf| shelf.close(built.is_ok())).unwrap_or_default();
    let (plan, retired, written) = built?;
    saved.map_err(Error::Trouble)?;

    let mut warnings = plan.warnings;
    warnings.append(&mut theme_warnings);
    warnings.extend(shelf_warnings);
    Ok(Summary {
        pages: plan.pages,
        releases: content.releases.len(),
        torrents: content.releases.len(),
        files_hashed: cache.files_hashed(),
        bytes_hashed: cache.bytes_hashed(),
        files_written: written.changed,
        files_unchanged: written.unchanged,
        files_removed: written.removed,
        retired,
        warnings,
        output: out.to_owned(),
    })
}

/// Takes the releases into the lock, and finds what would change of what is published: an error, or warnings for a preview.
fn keep(
    ledger: &mut Ledger,
    options: &Options,
    content: &mut Content,
    releases: &[release::Release],
) -> Result<Vec<Problem>, Error> {
    ledger.identify(options, content);
    ledger.enter_all(content, releases);
    let changes = ledger.take_changes();
    let renamed = ledger.renamed(content);
    match options.lock {
        LockUse::Read => Ok(changes.into_iter().chain(renamed).collect()),
        _ if changes.is_empty() || options.accept_changed => Ok(renamed),
        _ => Err(Error::Changed(changes)),
    }
}

/// The releases as the lock knows them.
fn known(options: &Options, content: &Content, locked: &Locked) -> Result<Vec<release::Release>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut releases = Vec::with_capacity(content.releases.len());
    for source in &content.releases {
        let order = order(options, source);
        let made = locked.lock.media.get(&source.slug).map(|record| {
            let torrent = locked.torrent(&source.slug, record)?;
            let content = release::locked(&order, record, &torrent, &source.text.file)?;
            Ok(release::assemble(&order, content))
        });
        match made {
            Some(Ok(made)) => releases.push(made),
            Some(Err(problem)) => problems.push(problem),
            // It is told where the content is read.
            None => {}
        }
    }
    if problems.is_empty() { Ok(releases) } else { Err(problems) }
}

fn make_all(
    options: &Options,
    content: &Content,
    ledger: &Ledger,
    downloads: &Downloads,
    cache: &mut Cache,
    progress: &dyn hash::Progress,
) -> Result<Vec<release::Release>, Error> {
    let orders: Vec<_> = content.releases.iter().map(|source| order_again(options, ledger, source)).collect();
    let known = |source: &Release, order| ledger.known(source, order);
    let tasks: Vec<_> = (content.releases.iter().zip(&orders))
        .map(|(source, order)| Task { order, known: known(source, order) })
        .collect();
    let told = |fault: release::Fault| match fault.task {
        Some(index) => fault.problem.or_at(&content.releases[index].text.file),
        None => fault.problem,
    };
    let contents = release::survey(&tasks, cache, downloads, progress);
    let contents = contents.map_err(|faults| Error::Media(faults.into_iter().map(told).collect()))?;
    Ok(orders.iter().zip(contents).map(|(order, content)| release::assemble(order, content)).collect())
}

/// What was noticed in the media themselves.
fn remarks(content: &Content, releases: &[release::Release]) -> Vec<Problem> {
    let of = |(source, made): (&Release, &release::Release)| -> Vec<Problem> {
        let page = &source.text.file;
        made.warnings.iter().map(|warning| Problem::at(page, format!("{}: {warning}", source.medium.origin))).collect()
    };
    content.releases.iter().zip(releases).flat_map(of).collect()
}

/// What is ordered of a release of which `ledger` may know how it is published.
fn order_again(options: &Options, ledger: &Ledger, source: &Release) -> release::Order {
    release::Order { published: ledger.piece_length(source), ..order(options, source) }
}

fn order(options: &Options, source: &Release) -> release::Order {
    let medium = &source.medium;
    let kind = source.kind.unwrap_or(options.kind);
    // BEP 19: to a URL that ends in `/`, clients add the torrent's name and the file's path.
    let web_seed = match &medium.files[..] {
        [FileOrder { origin: Origin::Url(url), .. }] => url.clone(),
        [file] if medium.single => options.base_url.of(&medium.path(file)),
        // A v2 tree of one file at its root has no folder around it.
        [file] if kind == metainfo::Kind::V2 && file.path.len() == 1 => {
            options.base_url.join(&format!("media/{}/", encode_segment(&medium.name)))
        }
        _ => options.base_url.join("media/"),
    };
    release::Order {
        name: medium.name.clone(),
        files: medium.files.clone(),
        single: medium.single,
        kind,
        piece_length: options.piece_length,
        published: None,
        private: source.private.unwrap_or(options.private),
        source: None,
        trackers: options.announce_tiers(),
        web_seeds: vec![web_seed],
        creation_date: Some(source.date.at().unix_timestamp()),
        created_by: Some(crate::GENERATOR.into()),
        comment: Some(options.base_url.join(&format!("episodes/{}/", source.slug))),
        // For the podcast feed alone.
        threads: None,
        integrity: medium.single && media::Kind::of(&medium.name) != media::Kind::Other,
    }
}

/// Media that are a part of the former output would be replaced by themselves, or removed.
fn no_medium_inside(content: &Content, root: &Root, output: &Output) -> Result<(), Vec<Problem>> {
    let problems: Vec<_> = content
        .releases
        .iter()
        .flat_map(|release| release.medium.files.iter().map(move |file| (&release.text.file, file)))
        .filter_map(|(page, file)| Some((page, file.origin.path()?)))
        .filter(|(_, source)| source.starts_with(output.path()))
        .map(|(page, source)| {
            Problem::at(page, format!("names {}, which is inside the output", root.shown(source).display()))
                .help("keep media outside of the folder that is built")
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn as_texts<S: Serializer>(warnings: &[Problem], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(warnings.iter().map(ToString::to_string))
}
