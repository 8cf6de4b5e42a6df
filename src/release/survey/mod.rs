//! Finding out what there is to know of the content of orders: from memory where the files are what they were, else by
//! reading each file once. Several are read at a time, as far as that is quicker.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::thread;

use super::cache::{Cache, Key, Stamp};
use super::plan::settle;
use super::{Content, FileOrder, Known, Order, Origin};
#[cfg(feature = "fetch")]
use crate::fetch::{self, Client};
use crate::hash::{Progress, Source};
use crate::media::Facts;
use crate::metainfo::Kind;
use crate::mime;
use crate::problem::Problem;
use crate::units::PieceLength;

/// No downloads, no client.
#[cfg(not(feature = "fetch"))]
struct Client;

mod read;
#[cfg(feature = "fetch")]
mod web;

/// The most files that are hashed at a time for their SHA-384, each on a core of its own.
const FILES_AT_ONCE_MAX: usize = 4;
/// The most media that are downloaded at a time.
const DOWNLOADS_AT_ONCE_MAX: usize = 4;

/// The hash cache is saved whenever this many bytes have been hashed since.
const SAVE_EVERY_BYTES: u64 = 1 << 30;

/// An order whose content is wanted, and what is known of it already.
#[derive(Debug, Clone)]
pub struct Task<'a> {
    /// The order.
    pub order: &'a Order,
    /// What a lock says of a remote medium; without it the medium is downloaded.
    pub known: Option<Content>,
}

/// Why not everything was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The index of the task whose files are at fault; `None`: none are.
    pub task: Option<usize>,
    /// What is wrong.
    pub problem: Problem,
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        Self { task: None, problem }
    }
}

/// How media on other servers are dealt with.
#[derive(Debug, Clone, Default)]
pub struct Downloads {
    /// Whether their servers are asked if those that are known have changed.
    pub check: bool,
    /// The folder in which downloads are kept, under the names that they are published by.
    pub keep: Option<PathBuf>,
}

/// Finds out the content of each task, in their order.
///
/// Up to four files are read at a time, each with less than 32 MiB in buffers. A file that can't be read, or that
/// changes meanwhile, is a fault that names it; what was read before is in `cache` all the same, which is saved now and
/// then, so that who is killed does not begin anew. The faults stand in the
/// order of the tasks, and there is at least one.
pub fn survey(
    tasks: &[Task],
    cache: &mut Cache,
    downloads: &Downloads,
    progress: &dyn Progress,
) -> Result<Vec<Content>, Vec<Fault>> {
    let mut found = vec![None; tasks.len()];
    let mut jobs: [Vec<Job>; 3] = Default::default();
    for (index, task) in tasks.iter().enumerate() {
        let fault = |problem| Fault { task: Some(index), problem };
        match look(index, task, cache, downloads).map_err(|problem| vec![fault(problem)])? {
            Looked::Known(content) => found[index] = Some(content),
            Looked::Unknown(job) => jobs[job.way()].push(job),
        }
    }
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let client = OnceLock::new();
    let mut saved = cache.bytes_hashed();
    let [alone, several, remote] = jobs;
    for (jobs, at_once) in [(alone, 1), (several, cores.min(FILES_AT_ONCE_MAX)), (remote, DOWNLOADS_AT_ONCE_MAX)] {
        let one = NonZeroUsize::new(1).filter(|_| jobs.len() > 1 && at_once > 1);
        let run = |job: &Job| job.run(one.or(job.order.threads), &client, downloads, progress);
        each(&jobs, at_once, &run, &mut |job, Answer { content, is_read }| {
            if is_read {
                cache.put(job.key.clone(), job.stamps.clone(), &content);
                // A download is not repeated for want of a line in a file.
                if content.remote.is_some() || cache.bytes_hashed() - saved >= SAVE_EVERY_BYTES {
                    cache.save()?;
                    saved = cache.bytes_hashed();
                }
            }
            found[job.index] = Some(content);
            Ok(())
        })?;
    }
    Ok(found.into_iter().map(|content| content.expect("what was not known was read")).collect())
}

/// Runs `jobs` on as many threads, and takes each result where it is called. The first problem ends it, when those that
/// have begun are done; but of media on other servers all are asked for, so that all that are wrong are told at once.
fn each<'j, 'a>(
    jobs: &'j [Job<'a>],
    at_once: usize,
    run: &(dyn Fn(&Job) -> Result<Answer, Problem> + Sync),
    take: &mut dyn FnMut(&'j Job<'a>, Answer) -> Result<(), Problem>,
) -> Result<(), Vec<Fault>> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (results, inbox) = mpsc::channel();
        for _ in 0..at_once.min(jobs.len()) {
            let (results, next) = (results.clone(), &next);
            scope.spawn(move || {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Nobody listens any more when a problem has ended it.
                    let _ = results.send((job, run(job)));
                }
            });
        }
        drop(results);
        let mut faults = Vec::new();
        for (job, result) in inbox {
            let read = result.map_err(|problem| Fault { task: Some(job.index), problem });
            let taken = read.and_then(|answer| Ok(take(job, answer)?));
            if let Err(fault) = taken {
                if !matches!(job.reads, Reads::Web(..)) {
                    next.store(jobs.len(), Ordering::Relaxed);
                }
                faults.push(fault);
            }
        }
        faults.sort_by_key(|fault| fault.task);
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    })
}

/// What a look at a task gave.
enum Looked<'a> {
    Known(Content),
    Unknown(Job<'a>),
}

/// A content that is to be read.
struct Job<'a> {
    index: usize,
    order: &'a Order,
    key: Key,
    /// What the files were like.
    stamps: Vec<Stamp>,
    reads: Reads,
}

/// What came of a job.
struct Answer {
    content: Content,
    /// Whether it was read for that, and not known to be what it was.
    is_read: bool,
}

enum Reads {
    /// Files on disk.
    Disk(Mutex<Vec<Source>>, PieceLength),
    /// What stands at a URL, if it is not still one of those that are known.
    Web(String, Vec<Content>),
}

impl Job<'_> {
    /// Whether it is read alone with all cores, with others, or from other servers.
    fn way(&self) -> usize {
        match &self.reads {
            Reads::Disk(..) if !self.order.integrity => 0,
            Reads::Disk(..) => 1,
            Reads::Web(..) => 2,
        }
    }

    fn run(
        &self,
        threads: Option<NonZeroUsize>,
        client: &OnceLock<Result<Client, Problem>>,
        downloads: &Downloads,
        progress: &dyn Progress,
    ) -> Result<Answer, Problem> {
        match &self.reads {
            Reads::Disk(sources, piece_length) => {
                let mut sources = sources.lock().unwrap_or_else(PoisonError::into_inner);
                let content = read::files(self.order, &mut sources, *piece_length, threads, progress)?;
                Ok(Answer { content, is_read: true })
            }
            #[cfg(feature = "fetch")]
            Reads::Web(url, known) => {
                let client = client.get_or_init(|| Client::new(&fetch::Options::default()));
                let client = client.as_ref().map_err(Clone::clone)?;
                web::medium(self.order, url, known, client, downloads, threads, progress)
            }
            #[cfg(not(feature = "fetch"))]
            Reads::Web(url, known) => {
                let _ = (client, downloads, known);
                Err(Problem::new(format!("{url}: this everseed was compiled without downloads"))
                    .help("compile it with the feature `fetch`, or put the file into the site's folder"))
            }
        }
    }
}

/// What is known of a task without reading its files.
fn look<'a>(index: usize, task: &Task<'a>, cache: &mut Cache, downloads: &Downloads) -> Result<Looked<'a>, Problem> {
    let order = task.order;
    let origins = order.files.iter().map(|file| file.origin.clone()).collect();
    if let [FileOrder { origin: Origin::Url(url), .. }] = &order.files[..] {
        let key = Key { origins, single: order.single, kind: order.kind, piece_length: order.piece_length };
        let stamps = vec![Stamp::Web];
        let (locked, cached) = (task.known.clone(), cache.get(&key, &stamps, order.integrity));
        let mut known: Vec<_> = match (locked, cached) {
            // A lock holds no warnings.
            (Some(locked), Some(cached)) if locked.hashes == cached.hashes => {
                vec![Content { warnings: cached.warnings, ..locked }]
            }
            // What was downloaded last may be what was not accepted yet.
            (locked, cached) => locked.into_iter().chain(cached).collect(),
        };
        if !downloads.check && !known.is_empty() {
            return Ok(Looked::Known(known.swap_remove(0)));
        }
        let reads = Reads::Web(url.clone(), known);
        return Ok(Looked::Unknown(Job { index, order, key, stamps, reads }));
    }
    let (mut sources, mut stamps) = (Vec::new(), Vec::new());
    for file in &order.files {
        let Origin::File(path) = &file.origin else {
            unreachable!("a release of several files has them on disk");
        };
        let source = Source::open(path)?;
        stamps.extend(source.fingerprint().copied().map(Stamp::Disk));
        sources.push(source);
    }
    let sizes: Vec<_> = sources.iter().map(Source::bytes).collect();
    let piece_length = settle(order, &sizes)?;
    // As `metainfo::padded` writes it down: a file alone has no pad.
    if order.kind == Kind::Hybrid && sources.len() > 1 {
        sources = sources.into_iter().map(|source| source.padded(piece_length)).collect();
    }
    let key = Key { origins, single: order.single, kind: order.kind, piece_length: Some(piece_length) };
    if let Some(content) = cache.get(&key, &stamps, order.integrity) {
        return Ok(Looked::Known(content));
    }
    let reads = Reads::Disk(Mutex::new(sources), piece_length);
    Ok(Looked::Unknown(Job { index, order, key, stamps, reads }))
}

/// What a file's name alone tells.
fn named(order: &Order, index: usize, bytes: u64) -> Known {
    let name = order.files[index].path.last().unwrap_or(&order.name);
    Known { bytes, sha384: None, facts: Facts::of_mime(mime::of(name)) }
}
