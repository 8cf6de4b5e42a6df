//! What is missing: what of it is fetched, in which order, and how it comes into the site.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use tokio::time::Instant;

use super::budget::Verdict;
use super::gather::{Failure, gather};
use super::place::Places;
use super::round::Round;
use super::settle::{Known, describe, size_of};
use super::web::{self, may_be_asked};
use super::wish::{Said, Show, Wish};
use super::{Mirror, Try};
use crate::fetch::{Document, Failed};
use crate::fsx;
use crate::id::InfoHash;
use crate::manifest::{Entry, File};
use crate::metainfo::{self, Layout, TORRENT_BYTES_MAX, Torrent};
use crate::output;
use crate::problem::Problem;
use crate::units::size_text;

/// The most files of a torrent that is mirrored.
pub const FILES_MAX: usize = 100_000;
/// The most bytes of padding in a torrent beyond as many as its files have: they are hashed, though they are zeros.
pub const PADDING_BYTES_MAX: u64 = 16 << 30;
/// So many bytes of the disk stay free.
pub const RESERVE_BYTES: u64 = 256 << 20;
/// The most torrents of a round of which it is told why they are not here.
const TOLD_MAX: u64 = 20;
/// The folder below the data folder in which torrents become whole.
const FETCHING: &str = "fetching";

/// A torrent that is to be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// Its place among the wishes, where the show still names it.
    wish: Option<usize>,
    hash: InfoHash,
}

/// Why there is no `.torrent`.
enum Absent {
    /// The others may be had.
    ThisOne(Problem),
    /// Its server is not asked again in this round.
    Server(Problem),
    /// This machine does not take it.
    Trouble(Problem),
}

impl Mirror {
    /// What is to be fetched, in this order: the newest first, as far as there is room. Their `.torrent` files are here
    /// then: with them the content can be had from others, whatever becomes of the show's server.
    pub(super) fn plan(
        &mut self,
        show: &Show,
        until: Option<Instant>,
        round: &mut Round,
    ) -> Result<Vec<Planned>, Problem> {
        let mut room = self.ledger.clone();
        let (mut plan, mut seen) = (Vec::new(), HashSet::new());
        if self.is_new {
            let urls: HashSet<_> = show.wishes.iter().map(|wish| wish.torrent_url.as_str()).collect();
            self.state.retain_torrents(|url| urls.contains(url));
            self.told.retain(|about, _| !about.contains("://") || urls.contains(about.as_str()));
        }
        for (place, wish) in show.wishes.iter().enumerate() {
            self.stop.check()?;
            let size = |bytes| size_of(bytes, place, wish.retired.as_deref(), wish.published.as_deref());
            if let (None, Some(bytes)) = (self.hash_of(wish).and_then(|hash| self.site.entry(hash)), wish.bytes)
                && let Verdict::Lacks(lacks) = room.admits(size(bytes))
            {
                self.leave_out(wish, bytes, lacks, round);
                continue;
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                round.is_cut = true;
                break;
            }
            let hash = match self.resolve(wish) {
                Ok(hash) => hash,
                Err(Absent::Trouble(problem)) => return Err(problem),
                Err(Absent::ThisOne(problem)) => {
                    round.missing += 1;
                    self.tell_about(wish, &format!("can't be mirrored: {problem}"), round);
                    continue;
                }
                Err(Absent::Server(problem)) => {
                    round.missing += 1;
                    self.tell_news("servers", &format!("WARNING: mirror: {problem}"));
                    continue;
                }
            };
            if !seen.insert(hash) {
                continue;
            }
            match self.site.entry(hash) {
                Some(entry) if self.is_whole(entry) => continue,
                Some(_) => {}
                None => {
                    let bytes = self.waiting.content_bytes(hash).unwrap_or_default();
                    match room.admits(size(bytes)) {
                        Verdict::Fits => {}
                        Verdict::After(leavers) => leavers.into_iter().for_each(|leaver| room.remove(leaver)),
                        Verdict::Lacks(lacks) => {
                            self.leave_out(wish, bytes, lacks, round);
                            continue;
                        }
                    }
                    room.put(hash, size(bytes));
                }
            }
            plan.push(Planned { wish: Some(place), hash });
        }
        // What the show has given up is mended too, as far as anybody still has it.
        let given_up = self.site.entries().iter().filter(|entry| !self.is_whole(entry));
        let given_up = given_up.map(|entry| entry.info_hashes.main()).filter(|hash| !seen.contains(hash));
        plan.extend(given_up.map(|hash| Planned { wish: None, hash }));
        self.state.write(&self.data)?;
        Ok(plan)
    }

    /// Asks which torrents they are of which nothing is known yet, as far as that can be had: what is retired, and what
    /// goes, is told by it.
    pub(super) fn resolve_unknown(&mut self, show: &Show, until: Option<Instant>) -> Result<(), Problem> {
        for wish in &show.wishes {
            self.stop.check()?;
            if until.is_some_and(|until| Instant::now() >= until) {
                break;
            }
            // What can't be had is told by the plan.
            if self.hash_of(wish).is_none()
                && let Err(Absent::Trouble(problem)) = self.resolve(wish)
            {
                return Err(problem);
            }
        }
        Ok(())
    }

    /// The info-hash of a wished torrent, which is in the site by now, or waits.
    fn resolve(&mut self, wish: &Wish) -> Result<InfoHash, Absent> {
        let said = self.hash_of(wish);
        let is_here = said.is_some_and(|hash| {
            let entry = self.site.entry(hash);
            // With another link it may have other trackers.
            let has_its_torrent = |entry| !self.record.is_damaged(hash) || self.site.torrent(entry).is_some();
            entry.is_some_and(|entry| {
                wish.magnet.as_ref().is_none_or(|magnet| self.is_link_of(entry, magnet)) && has_its_torrent(entry)
            }) || entry.is_none() && self.waiting.content_bytes(hash).is_some()
        });
        // Where the document does not tell, only the server can; and it is asked where the document is another one.
        let is_told = wish.said != Said::Nothing || !self.is_new || self.resolved.contains(&wish.torrent_url);
        if let Some(hash) = said.filter(|_| is_here && is_told) {
            return Ok(hash);
        }
        let url = &wish.torrent_url;
        let Some(document) = self.document_url() else { return Err(Absent::ThisOne(Problem::new("has no address"))) };
        if !may_be_asked(url, &document) {
            let problem = Problem::new(format!("{url} is an address of this machine or its network"));
            return Err(Absent::ThisOne(problem.help("the show's document names it, and stands elsewhere")));
        }
        if self.gone.contains(&web::host(url)) {
            return Err(Absent::Server(Problem::new(format!("{} is not asked again for now", web::host(url)))));
        }
        let known = self.state.torrent_at(url).filter(|_| is_here).map(|(_, validators)| validators);
        let (bytes, validators) = match self.client.document(url, known.as_ref(), TORRENT_BYTES_MAX as u64) {
            Ok(Document::Same) => return said.ok_or_else(|| Absent::ThisOne(Problem::new("is not known"))),
            Ok(Document::Body { bytes, validators, .. }) => (bytes, validators),
            Err(failed) => return Err(self.unanswered(url, failed)),
        };
        let at = |problem: Problem| Absent::ThisOne(Problem::new(format!("{url}: {problem}")));
        let torrent = metainfo::parse(bytes).map_err(|error| at(Problem::new(error.to_string())))?;
        if !wish.said.is_of(&torrent) {
            let own = torrent.info_hashes.main();
            return Err(at(Problem::new(format!("its info-hash is {own}, and the show says another"))
                .help("the show may be published again at this moment; it is tried again")));
        }
        check_files(&torrent).map_err(at)?;
        let hash = torrent.info_hashes.main();
        if wish.said == Said::Nothing {
            self.state.put_torrent(url, hash, &validators);
            self.resolved.insert(url.clone());
        }
        if let Some(entry) = self.site.entry(hash).cloned() {
            self.renew(entry, &torrent, wish).map_err(Absent::Trouble)?;
        } else if !self.waiting.put(&torrent).map_err(Absent::Trouble)? {
            return Err(Absent::ThisOne(Problem::new("too many others wait before it")));
        }
        Ok(hash)
    }

    fn unanswered(&mut self, url: &str, failed: Failed) -> Absent {
        if failed.is_unreachable || !failed.after.is_zero() {
            self.gone.insert(web::host(url));
            return Absent::Server(*failed.problem);
        }
        Absent::ThisOne(*failed.problem)
    }

    /// Puts another `.torrent` of the same torrent in the place of the one that is kept: its trackers have changed.
    fn renew(&mut self, mut entry: Entry, torrent: &Torrent, wish: &Wish) -> Result<(), Problem> {
        self.hand_out(&mut entry, torrent, wish.magnet.as_deref())?;
        self.site.renew(entry);
        Ok(())
    }

    /// Fetches a torrent and puts it into the site. What can't be fetched is told; errors are those of this machine.
    pub(super) fn fetch(
        &mut self,
        planned: &Planned,
        show: &Show,
        known: &Known,
        now: OffsetDateTime,
        round: &mut Round,
    ) -> Result<(), Problem> {
        let hash = planned.hash;
        let kept = self.site.entry(hash).cloned();
        let wish = match (planned.wish, &kept) {
            (Some(place), _) => show.wishes[place].clone(),
            (None, Some(entry)) => Wish::of_kept(entry),
            (None, None) => return Ok(()),
        };
        let (place, wish) = (planned.wish.unwrap_or(usize::MAX), &wish);
        if self.tries.get(&hash).is_some_and(|last| last.next > Instant::now()) {
            round.missing += 1;
            return Ok(());
        }
        let torrent = kept.as_ref().and_then(|entry| self.published(entry)).or_else(|| self.waiting.read(hash));
        let Some(torrent) = torrent else {
            round.missing += 1;
            return Ok(());
        };
        if kept.is_none() && !self.has_a_line_for(wish, &torrent, show) {
            round.left_out += 1;
            self.tell_about(wish, "is left out: with it, the manifest would be too large to be read again", round);
            return Ok(());
        }
        let folder = self.data.join(FETCHING).join(hash.to_string());
        let how = match gather(self, show, wish, &torrent, &folder) {
            Ok(how) => how,
            Err(Failure::Trouble(problem)) => return Err(problem),
            Err(Failure::TooSlow(problem)) => {
                // Something has come of it: the pauses do not become longer.
                self.tries.remove(&hash);
                self.put_off(hash, wish, &problem, round);
                return Ok(());
            }
            Err(Failure::ThisOne(problem)) => {
                self.put_off(hash, wish, &problem, round);
                return Ok(());
            }
        };
        let bytes = torrent.metainfo.info.total_bytes();
        let size = size_of(bytes, place, wish.retired.as_deref(), wish.published.as_deref());
        let verdict = if kept.is_some() { Verdict::Fits } else { self.ledger.admits(size) };
        match verdict {
            Verdict::Fits => {}
            // Not before it is whole: nothing goes for what may never come.
            Verdict::After(leavers) => {
                leavers
                    .into_iter()
                    .for_each(|leaver| self.drop_torrent(leaver, "the budget is needed for a newer one"));
            }
            Verdict::Lacks(lacks) => {
                self.leave_out(wish, bytes, lacks, round);
                return Ok(());
            }
        }
        let places = match &kept {
            Some(entry) => Places::of(entry),
            None => self.places_for(wish, &torrent, show, known)?,
        };
        fsx::sync_below(&folder).map_err(|error| output::unwritable(&folder, &error))?;
        let own = Places::own(&torrent);
        let places = match self.put_there(&folder, &torrent, places) {
            // Where the show has them this disk does not take them, or something is in the way.
            Err(Failure::ThisOne(_)) if kept.is_none() => self.put_there(&folder, &torrent, own),
            outcome => outcome,
        };
        let places = match places {
            Ok(places) => places,
            Err(Failure::Trouble(problem)) => return Err(problem),
            Err(Failure::ThisOne(problem) | Failure::TooSlow(problem)) => {
                self.put_off(hash, wish, &problem, round);
                return Ok(());
            }
        };
        let link = self.link(&torrent, wish.magnet.as_deref(), &places);
        self.site.put(entry_of(&torrent, wish, &places, link));
        self.ledger.put(hash, size);
        self.waiting.remove(hash);
        self.tries.remove(&hash);
        self.told.remove(&wish.torrent_url);
        let _ = fs::remove_dir_all(&folder);
        round.fetched += 1;
        let entry = self.site.entry(hash).cloned();
        if let Some(looks) = entry.and_then(|entry| self.looks(&entry).ok()) {
            // All of it was read before it was put there.
            self.record.found_right(hash, looks, now);
        }
        self.told.remove(&format!("files of {hash}"));
        let deed = if kept.is_some() { "is whole again" } else { "is here" };
        self.tell(&format!("mirror: {} {deed}, {}, {how}", name_of(wish), size_text(bytes)));
        Ok(())
    }

    /// Whether the manifest can name a torrent, wherever it comes to lie.
    fn has_a_line_for(&self, wish: &Wish, torrent: &Torrent, show: &Show) -> bool {
        let places = [Some(Places::own(torrent)), Places::wanted(wish, torrent, &show.base_url)];
        places.into_iter().flatten().all(|places| {
            let link = self.link(torrent, wish.magnet.as_deref(), &places);
            self.site.fits(&entry_of(torrent, wish, &places, link))
        })
    }

    /// Puts a torrent that is whole into the site.
    fn put_there(&mut self, folder: &Path, torrent: &Torrent, places: Places) -> Result<Places, Failure> {
        self.own(places.all().map(ToString::to_string).collect())?;
        let handed_out = self.handed_out(torrent, &places)?;
        self.site.place(&paths_in(folder, torrent), &handed_out, &places)?;
        Ok(places)
    }

    /// A torrent can't be had now.
    fn put_off(&mut self, hash: InfoHash, wish: &Wish, problem: &Problem, round: &mut Round) {
        round.missing += 1;
        self.tries.insert(hash, Try::after(self.tries.get(&hash).copied()));
        self.tell_about(wish, &format!("can't be fetched: {problem}"), round);
    }

    /// Where a new torrent comes to lie.
    fn places_for(&mut self, wish: &Wish, torrent: &Torrent, show: &Show, known: &Known) -> Result<Places, Problem> {
        if let Some(wanted) = Places::wanted(wish, torrent, &show.base_url)
            && self.clear(&wanted, torrent.info_hashes.main(), show, known)?
        {
            return Ok(wanted);
        }
        Ok(Places::own(torrent))
    }

    /// Removes what was left by torrents that are not wished any more, or are here.
    pub(super) fn tidy(&mut self, known: &Known) -> Result<(), Problem> {
        let is_missing = |hash: InfoHash| {
            let entry = self.site.entry(hash);
            entry.map_or_else(|| known.contains_key(&hash), |entry| !self.is_whole(entry))
        };
        let fetching = self.data.join(FETCHING);
        for left in fs::read_dir(&fetching).into_iter().flatten().flatten() {
            let hash = left.file_name().to_str().and_then(|name| name.parse().ok());
            if !hash.is_some_and(is_missing) {
                let _ = fs::remove_dir_all(left.path());
            }
        }
        let missing: HashSet<_> = known.keys().copied().filter(|hash| is_missing(*hash)).collect();
        self.waiting.retain(|hash| missing.contains(&hash));
        self.tries.retain(|hash, _| missing.contains(hash));
        self.tidy_published();
        let left = self.state.own_paths();
        if !left.is_empty() {
            self.site.doom(left);
            self.write()?;
            self.state.write(&self.data)?;
        }
        Ok(())
    }

    fn leave_out(&mut self, wish: &Wish, bytes: u64, lacks: u64, round: &mut Round) {
        round.left_out += 1;
        let (bytes, lacks) = (size_text(bytes), size_text(lacks));
        self.tell_about(wish, &format!("is left out: it has {bytes}, and the budget lacks {lacks}"), round);
    }

    /// Tells why a torrent is not here. How many there are is told by the round.
    fn tell_about(&mut self, wish: &Wish, what: &str, round: &mut Round) {
        if round.left_out + round.missing <= TOLD_MAX {
            self.tell_news(&wish.torrent_url, &format!("WARNING: mirror: {} {what}", name_of(wish)));
        }
    }
}

/// Where the files of a torrent lie in the folder in which it becomes whole: its own names may be none that this disk
/// takes.
pub fn paths_in(folder: &Path, torrent: &Torrent) -> Vec<PathBuf> {
    (0..torrent.metainfo.info.files().len()).map(|index| folder.join(index.to_string())).collect()
}

/// Refuses a torrent whose files can't lie beside each other, or are too many, or have too much padding between them.
fn check_files(torrent: &Torrent) -> Result<(), Problem> {
    let info = &torrent.metainfo.info;
    if let Layout::Multi(files) = &info.layout {
        let piece_bytes = u64::from(info.piece_length.bytes());
        if let Some(pad) = files.iter().find(|file| file.is_pad && file.bytes >= piece_bytes) {
            let (pad, piece) = (size_text(pad.bytes), size_text(piece_bytes));
            return Err(Problem::new(format!("its files are {pad} apart, and a piece has {piece}")));
        }
        let padding = info.stream_bytes().saturating_sub(info.total_bytes());
        if padding > PADDING_BYTES_MAX.saturating_add(info.total_bytes()) {
            let (padding, bytes) = (size_text(padding), size_text(info.total_bytes()));
            return Err(Problem::new(format!("it has {padding} of padding beside {bytes} of files")));
        }
    }
    let files = info.files();
    if files.len() > FILES_MAX {
        return Err(Problem::new(format!("it has {} files; at most {FILES_MAX} are mirrored", files.len())));
    }
    let mut names = HashSet::new();
    let mut folders = HashSet::new();
    for (path, _) in &files {
        folders.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
        if !names.insert(path.as_str()) {
            return Err(Problem::new(format!("two of its files are called {path:?}")));
        }
    }
    match names.intersection(&folders).next() {
        Some(both) => Err(Problem::new(format!("{both:?} is a file and a folder of it"))),
        None => Ok(()),
    }
}

fn entry_of(torrent: &Torrent, wish: &Wish, places: &Places, magnet: String) -> Entry {
    let info = &torrent.metainfo.info;
    let sizes = info.files();
    let files = places.files.iter().zip(&sizes);
    let mut entry = Entry {
        info_hashes: torrent.info_hashes,
        name: info.name.clone(),
        title: String::new(),
        torrent: places.torrent.clone(),
        magnet,
        bytes: info.total_bytes(),
        files: files.map(|(path, (_, bytes))| File { path: path.clone(), bytes: *bytes, url: None }).collect(),
        page: None,
        published: None,
        retired: None,
    };
    describe(&mut entry, wish);
    entry
}

/// What a person calls a wished torrent.
fn name_of(wish: &Wish) -> &str {
    if wish.title.is_empty() { &wish.torrent_url } else { &wish.title }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::{Draft, File as Listed, Hashes, Info, encode};
    use crate::units::PieceLength;

    fn refusal(files: Vec<Vec<String>>) -> Option<String> {
        let file = |path| Listed { path, bytes: 0, is_pad: false };
        refusal_of(files.into_iter().map(file).collect(), 16384)
    }

    fn refusal_of(files: Vec<Listed>, piece_bytes: u64) -> Option<String> {
        let pieces = files.iter().map(|file| file.bytes).sum::<u64>().div_ceil(piece_bytes);
        let info = Info {
            name: "set".into(),
            piece_length: PieceLength::new(piece_bytes).expect("a power of two"),
            private: false,
            source: None,
            layout: Layout::Multi(files),
            hashes: Hashes::V1(vec![[0; 20]; usize::try_from(pieces).expect("a few")]),
        };
        let (trackers, web_seeds) = (Vec::new(), Vec::new());
        let draft = Draft { info, trackers, web_seeds, creation_date: None, created_by: None, comment: None };
        check_files(&encode(&draft)).err().map(|problem| problem.message().to_owned())
    }

    #[test]
    fn padding_is_less_than_a_piece_and_in_all_not_much_more_than_the_files() {
        let file = |bytes| Listed { path: vec![format!("f{bytes}")], bytes, is_pad: false };
        let pad = |bytes: u64| Listed { path: vec![".pad".into(), bytes.to_string()], bytes, is_pad: true };
        assert_eq!(refusal_of(vec![file(1), pad(16383), file(2)], 16384), None);
        let apart = refusal_of(vec![file(1), pad(16384), file(2)], 16384);
        assert_eq!(apart.as_deref(), Some("its files are 16.4 kB apart, and a piece has 16.4 kB"));
        let piece = 16 << 20;
        let many = |count: u64| refusal_of((0..count).flat_map(|n| [file(n + 1), pad(piece - n - 1)]).collect(), piece);
        assert_eq!(many(1024), None);
        assert_eq!(many(1026).as_deref(), Some("it has 17.2 GB of padding beside 526.9 kB of files"));
    }

    #[test]
    fn files_that_cannot_lie_beside_each_other_are_refused_and_so_are_too_many() {
        let paths = |paths: &[&str]| paths.iter().map(|path| path.split('/').map(str::to_owned).collect()).collect();
        assert_eq!(refusal(paths(&["a", "b/a", "b/c"])), None);
        assert_eq!(refusal(paths(&["a", "a"])).as_deref(), Some("two of its files are called \"set/a\""));
        assert_eq!(refusal(paths(&["a/b", "a"])).as_deref(), Some("\"set/a\" is a file and a folder of it"));
        let many = |count: usize| refusal((0..count).map(|index| vec![index.to_string()]).collect());
        assert_eq!(many(FILES_MAX), None);
        assert_eq!(many(FILES_MAX + 1).as_deref(), Some("it has 100001 files; at most 100000 are mirrored"));
    }
}
