//! A torrent made whole in a folder of its own: from what is here already, from web seeds, then from peers. Every piece
//! is hashed at the end, whoever it came from.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tokio::runtime::Builder;
use tokio::time::Instant;

use super::Mirror;
use super::content::{Checked, Content};
use super::place::Places;
use super::plan::{RESERVE_BYTES, paths_in};
use super::web::{self, Asked, Files, Gathered, Patience, Seeds, WEB_SEEDS_MAX, may_announce, may_be_asked};
use super::wish::{Show, Wish};
use crate::fetch::swarm::{self, Wanted};
use crate::fsx;
use crate::id::PeerId;
use crate::metainfo::Torrent;
use crate::output;
use crate::problem::Problem;
use crate::seed::{self, Query};
use crate::units::{count_text, size_text};

/// Why a torrent is not whole.
pub enum Failure {
    /// Others may be had.
    ThisOne(Problem),
    /// It comes, but so slowly that others go before it.
    TooSlow(Problem),
    /// This machine takes nothing more, or the round is to end.
    Trouble(Problem),
}

impl Failure {
    /// What came of writing to `path`. A disk that is full, broken or not to be written to takes no other torrent either;
    /// whatever else it refuses, it refuses of this one.
    pub fn unwritable(path: &Path, error: &io::Error) -> Self {
        /// `EIO`, the same number on every Unix.
        const BROKEN: i32 = 5;
        let is_all =
            matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem)
                || error.raw_os_error() == Some(BROKEN);
        let problem = output::unwritable(path, error);
        if is_all { Self::Trouble(problem) } else { Self::ThisOne(problem) }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Trouble(problem)
    }
}

/// Where a torrent came from: bytes of whole pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct How {
    /// Pieces that were here, whole, or left by a former run.
    here: usize,
    web: usize,
    peers: usize,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pieces =
            |count: usize, whence: &str| (count > 0).then(|| format!("{} {whence}", count_text(count as u64, "piece")));
        let whence = [
            pieces(self.web, "from web seeds"),
            pieces(self.peers, "from peers"),
            pieces(self.here, "that were here already"),
        ];
        let whence: Vec<_> = whence.into_iter().flatten().collect();
        f.write_str(if whence.is_empty() { "empty" } else { "" })?;
        f.write_str(&whence.join(", "))
    }
}

/// Makes the files of a torrent whole below `folder`.
pub fn gather(mirror: &mut Mirror, show: &Show, wish: &Wish, torrent: &Torrent, folder: &Path) -> Result<How, Failure> {
    let info = &torrent.metainfo.info;
    let content = Content::new(info);
    let paths = paths_in(folder, torrent);
    fs::create_dir_all(folder).map_err(|error| Failure::unwritable(folder, &error))?;
    let wanted = Places::wanted(wish, torrent, &show.base_url);
    take_what_is_here(mirror, wanted, torrent, &paths)?;
    let mut good = checked(&content, &paths)?;
    let mut how = How { here: count(&good), ..How::default() };
    let sizes = info.files().into_iter().map(|(_, bytes)| bytes);
    let mut files = Files::new(paths.iter().cloned().zip(sizes).collect());
    let mut problems = Vec::new();
    // Those that are too slow to be asked before all others are, the fastest first.
    let mut last_resort = Seeds::new();
    if !is_whole(&good) {
        room(folder, missing_bytes(&content, &good))?;
        files.make_all()?;
        let seeds = seeds(mirror, wish, torrent);
        let brisk = Patience::Brisk(mirror.options.slow);
        let came = mirror.ask_web_seeds(&content, &seeds, &mut files, &mut good, brisk)?;
        last_resort.extend(came.slow.into_iter().map(|seed| seeds[seed].clone()));
        problems = came.problems;
        how.web = count(&good) - how.here;
    }
    if !is_whole(&good) {
        let outcome = from_peers(mirror, torrent, folder, &paths, missing_bytes(&content, &good));
        mirror.stop.check()?;
        // What has come of it is kept, and taken up the next time.
        good = checked(&content, &paths)?;
        how.peers = count(&good).saturating_sub(how.here + how.web);
        let (before, until) = (count(&good), Instant::now() + mirror.options.slow_for);
        if !is_whole(&good) && !last_resort.is_empty() {
            mirror.ask_web_seeds(&content, &last_resort, &mut files, &mut good, Patience::Until(until))?;
            how.web += count(&good) - before;
        }
        if !is_whole(&good) {
            let problem = combined(&problems, outcome.as_ref().err(), &good);
            return Err(if how.web + how.peers > 0 { Failure::TooSlow(problem) } else { Failure::ThisOne(problem) });
        }
    }
    files.make_all()?;
    if !is_whole(&checked(&content, &paths)?) {
        return Err(Failure::Trouble(
            Problem::at(folder, "holds other bytes than were written to it").help("check the disk"),
        ));
    }
    Ok(how)
}

impl Mirror {
    fn ask_web_seeds(
        &mut self,
        content: &Content,
        seeds: &Seeds,
        files: &mut Files,
        good: &mut [bool],
        patience: Patience,
    ) -> Result<Gathered, Failure> {
        let asked = Asked { client: &self.client, seeds, stop: &self.stop, patience };
        web::gather(&asked, content, files, good, &mut self.gone)
    }
}

/// Which pieces are there. A torrent that contradicts itself has no content at all.
fn checked(content: &Content, paths: &[PathBuf]) -> Result<Vec<bool>, Failure> {
    let Checked { good, is_contradictory } = content.check(paths)?;
    // Pieces of which nothing is there are wrong for both.
    if is_contradictory {
        return Err(Failure::ThisOne(Problem::new("its v1 and v2 hashes are of different content")));
    }
    Ok(good)
}

/// Takes over files of the site that may be those of the torrent: what a run put there that was killed before it was
/// written down, and what another torrent of the same show has in the same place.
fn take_what_is_here(
    mirror: &Mirror,
    wanted: Option<Places>,
    torrent: &Torrent,
    paths: &[PathBuf],
) -> Result<(), Failure> {
    let root = mirror.site.root();
    let kept = mirror.site.entry(torrent.info_hashes.main()).map(Places::of);
    let candidates: Vec<Places> = [kept, Some(Places::own(torrent)), wanted].into_iter().flatten().collect();
    for (file, (path, (_, bytes))) in paths.iter().zip(torrent.metainfo.info.files()).enumerate() {
        if path.exists() {
            continue;
        }
        let here = candidates.iter().filter_map(|places| places.files.get(file)).map(|place| place.below(root));
        let here = here.into_iter().find(|here| {
            fs::metadata(here).is_ok_and(|metadata| metadata.is_file() && metadata.len() == bytes && bytes > 0)
        });
        if let Some(here) = here {
            room(root, bytes)?;
            let taken = fs::create_dir_all(path.parent().unwrap_or(path)).and_then(|()| fsx::duplicate(&here, path));
            match taken {
                Err(error) if error.kind() == ErrorKind::StorageFull => {
                    return Err(Problem::at(path, format!("can't be written: {error}")).into());
                }
                // What the disk does not give is fetched as if it were not there.
                Err(_) => _ = fsx::remove_if_there(path),
                Ok(()) => {}
            }
        }
    }
    Ok(())
}

/// The web seeds that are asked: the show's own files first, then those that the torrent names.
fn seeds(mirror: &Mirror, wish: &Wish, torrent: &Torrent) -> Seeds {
    let info = &torrent.metainfo.info;
    let Some(document) = mirror.document_url() else { return Seeds::new() };
    let published = (wish.file_urls.len() == info.files().len())
        .then(|| wish.file_urls.iter().map(|url| Some(url.clone())).collect());
    let named = torrent.metainfo.web_seeds.iter().filter_map(|seed| web::at_seed(seed, info));
    let mut seeds = Seeds::new();
    for mut seed in published.into_iter().chain(named) {
        seed.iter_mut().for_each(|url| *url = url.take().filter(|url| may_be_asked(url, &document)));
        if seeds.len() < WEB_SEEDS_MAX && !seeds.contains(&seed) {
            seeds.push(seed);
        }
    }
    seeds
}

/// Has peers complete what is there.
fn from_peers(mirror: &Mirror, torrent: &Torrent, folder: &Path, paths: &[PathBuf], left: u64) -> Result<(), Problem> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Problem::new(format!("can't wait for trackers: {error}")))?;
    let mut peer_id = PeerId(*b"-ES0100-############");
    getrandom::fill(&mut peer_id.0[8..])
        .map_err(|error| Problem::new(format!("the system gives no random numbers: {error}")))?;
    let mut trackers = torrent.metainfo.trackers.clone();
    let document = mirror.document_url();
    trackers.iter_mut().for_each(|tier| tier.retain(|url| document.as_ref().is_some_and(|at| may_announce(url, at))));
    let query =
        Query { info_hash: torrent.info_hashes.main(), trackers, peer_id, port: mirror.options.peer_port, left };
    let peers = runtime.block_on(seed::ask(&query));
    runtime.shutdown_background();
    let wanted = Wanted { paths: Some(paths), peers, dht: mirror.options.dht.clone(), ..Wanted::new(torrent, folder) };
    swarm::download_here(wanted, &mirror.options.swarm, &|| mirror.stop.is_said())
}

/// Whether the disk has room for so many bytes more.
fn room(folder: &Path, bytes: u64) -> Result<(), Failure> {
    match fsx::available_bytes(folder) {
        Some(available) if available < bytes.saturating_add(RESERVE_BYTES) => {
            let (wanted, available) = (size_text(bytes), size_text(available));
            let reserve = size_text(RESERVE_BYTES);
            let problem = Problem::at(
                folder,
                format!("{wanted} are to come, and the disk has {available} left, of which {reserve} stay free"),
            );
            Err(Failure::ThisOne(problem.help("make room on the disk, or name a folder on another one with --data")))
        }
        _ => Ok(()),
    }
}

/// Why pieces are still missing, as one problem: what web seeds said first, then what peers did.
fn combined(problems: &[Problem], peers: Option<&Problem>, good: &[bool]) -> Problem {
    let whole = good.len() as u64;
    let missing = whole - count(good) as u64;
    let why: Vec<_> = problems.first().into_iter().chain(peers).map(Problem::message).map(str::to_owned).collect();
    let message = format!("{missing} of {} are missing", count_text(whole, "piece"));
    Problem::new(if why.is_empty() { message } else { format!("{message}: {}", why.join("; ")) })
        .help("try again later; a mirror that runs does so by itself")
}

fn missing_bytes(content: &Content, good: &[bool]) -> u64 {
    let missing = good.iter().enumerate().filter(|(_, is_good)| !**is_good);
    missing.flat_map(|(piece, _)| content.parts(piece)).filter(|part| part.file.is_some()).map(|part| part.bytes).sum()
}

fn count(good: &[bool]) -> usize {
    good.iter().filter(|is_good| **is_good).count()
}

fn is_whole(good: &[bool]) -> bool {
    good.iter().all(|is_good| *is_good)
}
