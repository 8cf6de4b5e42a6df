//! From a damaged file to a whole one: bad pieces come from one source after another, and what is whole comes into place.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;

use super::look::{Ill, Look, Reader};
use super::pieces::{Part, Pieces};
use super::quarantine::Ward;
use super::sources::{self, Source, Tried, sources};
use super::{Healer, Subject, Watch};
use crate::fetch::{Failed, Slow, swarm};
use crate::problem::Problem;
use crate::units::count_text;

/// A source of which the first so many pieces are wrong is another version: no more of it is fetched.
const WRONG_MAX: u64 = 8;
/// A source that can't give so many of the files is given up.
const FAILURES_MAX: usize = 3;

/// What came of healing a torrent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The files that are whole again.
    pub healed: Vec<Healed>,
    /// The files that are as they were, and why.
    pub left: Vec<Left>,
    /// What came of each source that was tried.
    pub tried: Vec<Tried>,
}

/// A file that is whole again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healed {
    /// Its path below the site's root.
    pub name: String,
    /// How many of its bytes were wrong, as far as whole pieces tell.
    pub bytes: u64,
    /// How many other names the damaged file has on this disk: behind them it is as it was.
    pub other_names: u64,
}

/// A file that is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Its path below the site's root.
    pub name: String,
    /// Why.
    pub problem: Problem,
}

impl Healed {
    /// What is still to be said of it.
    pub fn note(&self) -> Option<String> {
        (self.other_names > 0).then(|| {
            let names = count_text(self.other_names, "other name");
            format!("the damaged file has {names} on this disk, and is as it was there")
        })
    }
}

impl Outcome {
    /// Whether all that was wrong is right now.
    pub fn is_whole(&self) -> bool {
        self.left.is_empty()
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, count_text(self.pieces, "piece"))?;
        match &self.problem {
            Some(problem) => write!(f, "; {}", problem.message()),
            None => Ok(()),
        }
    }
}

/// See [`Healer::heal`].
pub(super) fn mend(
    healer: &Healer,
    subject: &Subject<'_>,
    look: &Look,
    consent: bool,
    peers: &(dyn Fn() -> Vec<SocketAddr> + Sync),
    watch: Watch<'_>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let (wanted, others): (Vec<&Ill>, Vec<&Ill>) = look.ills.iter().partition(|ill| ill.why.is_healed(consent));
    if wanted.is_empty() {
        others.iter().for_each(|ill| outcome.leave(subject, ill, Problem::new(ill.why.to_string())));
        return outcome;
    }
    let done = healer.quarantine.ward().and_then(|ward| {
        let mut mending = Mending::new(subject, look, &wanted, ward, watch);
        mending.copy()?;
        mending.fetch(healer, peers, &mut outcome.tried)?;
        Ok(mending)
    });
    match done {
        Ok(mut mending) => {
            // A piece that it shares with a damaged one may be all that seemed wrong with a file.
            let left = others.iter().filter(|ill| !mending.is_cleared(look, ill));
            left.for_each(|ill| outcome.leave(subject, ill, Problem::new(ill.why.to_string())));
            for &file in &mending.found {
                let problem = Problem::new("has turned out to be damaged as well").help("run it again");
                outcome.left.push(Left { name: subject.files[file].below.to_string(), problem });
            }
            for ill in &wanted {
                match mending.put_in_place(ill) {
                    Ok(Some(file)) => outcome.healed.push(file),
                    Ok(None) => {}
                    Err(problem) => outcome.leave(subject, ill, problem),
                }
            }
        }
        Err(problem) => {
            others.iter().for_each(|ill| outcome.leave(subject, ill, Problem::new(ill.why.to_string())));
            wanted.iter().for_each(|ill| outcome.leave(subject, ill, problem.clone()));
        }
    }
    outcome
}

impl Outcome {
    fn leave(&mut self, subject: &Subject<'_>, ill: &Ill, problem: Problem) {
        self.left.push(Left { name: subject.files[ill.file].below.to_string(), problem });
    }
}

/// What lies of a file in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copy {
    None,
    /// The bytes that were fetched, where they lie in the file, and nothing else.
    Fetched,
    /// All of it.
    Whole,
}

struct Mending<'m> {
    subject: &'m Subject<'m>,
    pieces: Pieces<'m>,
    wanted: &'m [&'m Ill],
    /// Whether the bytes that lie in the site are no good.
    is_ill: Vec<bool>,
    ward: Ward,
    /// The paths of the files below the ward.
    names: Vec<String>,
    copies: Vec<Copy>,
    /// The pieces that are still bad.
    bad: BTreeSet<u64>,
    /// Those that have been fetched and were right.
    fetched: BTreeSet<u64>,
    /// Files that nothing seemed wrong with, beside one that was known to be.
    found: BTreeSet<usize>,
    watch: Watch<'m>,
}

impl<'m> Mending<'m> {
    fn new(subject: &'m Subject<'m>, look: &Look, wanted: &'m [&'m Ill], ward: Ward, watch: Watch<'m>) -> Self {
        let info = &subject.torrent.metainfo.info;
        let pieces = Pieces::new(info);
        let mut is_ill = vec![false; subject.files.len()];
        look.ills.iter().for_each(|ill| is_ill[ill.file] = true);
        let bad = wanted.iter().flat_map(|ill| look.bad.range(pieces.of_file(ill.file))).copied().collect();
        Self {
            subject,
            wanted,
            is_ill,
            ward,
            names: info.files().into_iter().map(|(path, _)| path).collect(),
            copies: vec![Copy::None; subject.files.len()],
            bad,
            fetched: BTreeSet::new(),
            found: BTreeSet::new(),
            pieces,
            watch,
        }
    }

    /// Brings what is there of the files into quarantine.
    fn copy(&mut self) -> Result<(), Problem> {
        for ill in self.wanted {
            let from = ill.seen.map(|_| self.subject.files[ill.file].path.as_path());
            self.ward.copy(from, &self.names[ill.file], self.pieces.file_bytes(ill.file), self.watch)?;
            self.copies[ill.file] = Copy::Whole;
        }
        Ok(())
    }

    /// Fetches the bad pieces, from one source after another, until none is left.
    fn fetch(
        &mut self,
        healer: &Healer,
        peers: &(dyn Fn() -> Vec<SocketAddr> + Sync),
        tried: &mut Vec<Tried>,
    ) -> Result<(), Problem> {
        let mut too_slow = Vec::new();
        for source in sources(self.subject, &healer.options) {
            if self.bad.is_empty() {
                return Ok(());
            }
            self.watch.go_on()?;
            let (came, is_too_slow) = self.fetch_from(&source, healer, Some(healer.options.slow))?;
            too_slow.extend(is_too_slow.then_some((came.bytes, source)));
            tried.push(came);
        }
        let has_v1 = self.subject.torrent.metainfo.info.pieces().is_some();
        if !self.bad.is_empty() && healer.options.swarm && has_v1 {
            self.watch.go_on()?;
            tried.push(self.fetch_from_swarm(healer, peers())?);
        }
        // Nobody else has it: then however slow they are, the fastest first.
        too_slow.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
        for (_, source) in &too_slow {
            if self.bad.is_empty() {
                break;
            }
            self.watch.go_on()?;
            tried.push(self.fetch_from(source, healer, None)?.0);
        }
        Ok(())
    }

    /// What came of a source, and whether it was too slow. An error is one of the disk here; one of the source stands in
    /// what it returns.
    fn fetch_from(&mut self, source: &Source, healer: &Healer, slow: Option<Slow>) -> Result<(Tried, bool), Problem> {
        let mut tried = Tried { source: source.name.clone(), pieces: 0, bytes: 0, problem: None };
        let client = match healer.client() {
            Ok(client) => client,
            Err(problem) => return Ok((Tried { problem: Some(problem), ..tried }, false)),
        };
        let mut visit = Visit {
            source,
            remote: sources::Reader::new(client, slow),
            local: Reader::default(),
            failed: vec![false; self.subject.files.len()],
            run: 0..0,
        };
        let mut wrong: u64 = 0;
        let mut buffer = Vec::new();
        for piece in self.bad.iter().copied().collect::<Vec<_>>() {
            self.watch.go_on()?;
            match self.piece_from(&mut visit, piece, &mut buffer) {
                Ok(true) => {
                    self.keep(piece, &buffer)?;
                    tried.pieces += 1;
                }
                Ok(false) => wrong += 1,
                Err(failed) => {
                    tried.problem.get_or_insert(*failed.problem);
                    let files = visit.failed.iter().filter(|failed| **failed).count();
                    if failed.is_unreachable || files >= FAILURES_MAX {
                        break;
                    }
                }
            }
            if wrong >= WRONG_MAX && tried.pieces == 0 {
                break;
            }
        }
        tried.bytes = visit.remote.bytes;
        if wrong > 0 && tried.problem.is_none() {
            let message = match tried.pieces {
                0 => "what is there is not what the torrent says".to_owned(),
                _ => format!("wrong there as well: {}", count_text(wrong, "piece")),
            };
            tried.problem = Some(Problem::new(message));
        }
        Ok((tried, visit.remote.was_too_slow))
    }

    /// Fills `buffer` with a piece, and tells whether it is right.
    fn piece_from(&self, visit: &mut Visit<'_>, piece: u64, buffer: &mut Vec<u8>) -> Result<bool, Failed> {
        buffer.clear();
        buffer.resize(self.pieces.bytes(piece), 0);
        let parts = self.pieces.parts(piece);
        let mut is_local = Vec::with_capacity(parts.len());
        for part in &parts {
            let path = &self.subject.files[part.file].path;
            let is_here =
                !self.is_ill[part.file] && visit.local.read(path, part.offset, &mut buffer[part.range()]).is_ok();
            if !is_here {
                self.part_from(visit, piece, part, &mut buffer[part.range()])?;
            }
            is_local.push(is_here);
        }
        if self.pieces.is(piece, buffer) {
            return Ok(true);
        }
        // It may be a neighbour that is bad, behind a file that certainly is.
        if is_local.contains(&true) {
            for (part, _) in parts.iter().zip(&is_local).filter(|(_, is_local)| **is_local) {
                self.part_from(visit, piece, part, &mut buffer[part.range()])?;
            }
            return Ok(self.pieces.is(piece, buffer));
        }
        Ok(false)
    }

    fn part_from(&self, visit: &mut Visit<'_>, piece: u64, part: &Part, buffer: &mut [u8]) -> Result<(), Failed> {
        let Some(url) = visit.source.urls[part.file].as_deref().filter(|_| !visit.failed[part.file]) else {
            return Err(Problem::new(format!("{} is not there", self.subject.files[part.file].below)).into());
        };
        let total = self.pieces.file_bytes(part.file);
        let until = self.run_end(visit, piece, part);
        let read = visit.remote.read(part.file, url, total, part.offset, until, buffer);
        read.inspect_err(|_| visit.failed[part.file] = true)?;
        self.watch.progress.advance(buffer.len() as u64);
        Ok(())
    }

    /// Where in a file the run of bad pieces ends that this one is in.
    fn run_end(&self, visit: &mut Visit<'_>, piece: u64, part: &Part) -> u64 {
        if !visit.run.contains(&piece) {
            let end = (piece..self.pieces.count()).find(|piece| !self.bad.contains(piece));
            visit.run = piece..end.unwrap_or(self.pieces.count());
        }
        let of_last =
            self.pieces.parts(visit.run.end.saturating_sub(1)).into_iter().find(|last| last.file == part.file);
        // The run goes on in the next file, or this piece was not known to be bad.
        let end = of_last.map_or(self.pieces.file_bytes(part.file), |last| last.end());
        end.max(part.end())
    }

    /// Writes a piece that is right into quarantine.
    fn keep(&mut self, piece: u64, bytes: &[u8]) -> Result<(), Problem> {
        for part in self.pieces.parts(piece) {
            if !self.is_ill[part.file] && !self.has(&part, &bytes[part.range()]) {
                self.found.insert(part.file);
            }
            if self.copies[part.file] == Copy::None {
                self.ward.claim(part.bytes as u64)?;
                self.copies[part.file] = Copy::Fetched;
            }
            self.ward.write(&self.names[part.file], part.offset, &bytes[part.range()])?;
        }
        self.bad.remove(&piece);
        self.fetched.insert(piece);
        Ok(())
    }

    /// Whether the file of the site has these bytes there.
    fn has(&self, part: &Part, bytes: &[u8]) -> bool {
        let mut here = vec![0; part.bytes];
        let path = &self.subject.files[part.file].path;
        Reader::default().read(path, part.offset, &mut here).is_ok() && here == bytes
    }

    fn fetch_from_swarm(&mut self, healer: &Healer, peers: Vec<SocketAddr>) -> Result<Tried, Problem> {
        let files: Vec<_> = self.wanted.iter().map(|ill| ill.file).collect();
        let wanted = swarm::Wanted {
            files: Some(&files),
            peers,
            dht: healer.options.dht.clone(),
            ..swarm::Wanted::new(self.subject.torrent, &self.ward.folder)
        };
        let is_stopped = || self.watch.is_stopped();
        let outcome = swarm::download_here(wanted, &healer.options.limits, &is_stopped);
        self.watch.go_on()?;
        // Also after a failure: some pieces may have come. None of them is right because librqbit says so.
        let mut reader = Reader::default();
        let mut buffer = Vec::new();
        let mut tried = Tried { source: "the swarm".into(), pieces: 0, bytes: 0, problem: outcome.err() };
        for piece in self.bad.clone() {
            self.watch.go_on()?;
            buffer.clear();
            buffer.resize(self.pieces.bytes(piece), 0);
            let read = self.pieces.parts(piece).iter().all(|part| {
                let path = self.ward.folder.join(&self.names[part.file]);
                reader.read(&path, part.offset, &mut buffer[part.range()]).is_ok()
            });
            if read && self.pieces.is(piece, &buffer) {
                self.keep(piece, &buffer)?;
                tried.pieces += 1;
                tried.bytes += buffer.len() as u64;
            }
        }
        if !self.bad.is_empty() && tried.problem.is_none() {
            tried.problem = Some(Problem::new("what came is not what the torrent says"));
        }
        Ok(tried)
    }

    /// Puts a file in place that is whole, as a last look at all of its pieces tells. Nothing where it was right all along.
    fn put_in_place(&mut self, ill: &Ill) -> Result<Option<Healed>, Problem> {
        let place = &self.subject.files[ill.file];
        let missing = self.bad.range(self.pieces.of_file(ill.file)).count() as u64;
        if missing > 0 {
            return Err(Problem::new(format!("{} could not be had", count_text(missing, "piece")))
                .help("name another copy of the site in `mirrors` of [seed], or try again when a peer has them"));
        }
        let mut reader = Reader::default();
        let mut buffer = Vec::new();
        for piece in self.pieces.of_file(ill.file) {
            self.watch.go_on()?;
            if !self.is_right(piece, &mut reader, &mut buffer) {
                return Err(Problem::new(format!("piece {piece} is not right in quarantine either"))
                    .help("check the disk of the data folder, or run it again where a build was at work"));
            }
        }
        if self.is_as_before(ill, &mut reader) {
            return Ok(None);
        }
        let other_names = fs::metadata(&place.path).map_or(0, |metadata| other_names(&metadata));
        let like = self.subject.root.join(crate::manifest::FILE_NAME);
        self.ward.put_in_place(&self.names[ill.file], &place.path, ill, &self.subject.root, &like)?;
        // From now on it is read where it belongs, by whoever shares a piece with it.
        self.copies[ill.file] = Copy::None;
        Ok(Some(Healed { name: place.below.to_string(), bytes: ill.bad_bytes, other_names }))
    }

    /// Whether a piece is right, with those of its bytes that lie in quarantine.
    fn is_right(&self, piece: u64, reader: &mut Reader, buffer: &mut Vec<u8>) -> bool {
        buffer.clear();
        buffer.resize(self.pieces.bytes(piece), 0);
        let parts = self.pieces.parts(piece);
        let read = parts.iter().all(|part| {
            let path = self.path(part.file, self.fetched.contains(&piece));
            reader.read(&path, part.offset, &mut buffer[part.range()]).is_ok()
        });
        read && self.pieces.is(piece, buffer)
    }

    fn path(&self, file: usize, is_fetched: bool) -> PathBuf {
        match self.copies[file] {
            Copy::Whole => self.ward.folder.join(&self.names[file]),
            Copy::Fetched if is_fetched => self.ward.folder.join(&self.names[file]),
            _ => self.subject.files[file].path.clone(),
        }
    }

    /// Whether nothing is wrong with a file that is not to be touched.
    fn is_cleared(&self, look: &Look, ill: &Ill) -> bool {
        let mut bad = look.bad.range(self.pieces.of_file(ill.file));
        bad.all(|piece| self.fetched.contains(piece)) && self.is_as_before(ill, &mut Reader::default())
    }

    /// Whether the pieces that were fetched hold what stood in the file before: another one was to blame for them.
    fn is_as_before(&self, ill: &Ill, reader: &mut Reader) -> bool {
        if ill.seen.is_none_or(|seen| seen.bytes != self.pieces.file_bytes(ill.file)) {
            return false;
        }
        let (mut before, mut now) = (Vec::new(), Vec::new());
        let path = &self.subject.files[ill.file].path;
        let copy = self.ward.folder.join(&self.names[ill.file]);
        let mut is_same = |part: Part| {
            before.resize(part.bytes, 0);
            now.resize(part.bytes, 0);
            reader.read(path, part.offset, &mut before).is_ok()
                && reader.read(&copy, part.offset, &mut now).is_ok()
                && before == now
        };
        let fetched = self.fetched.range(self.pieces.of_file(ill.file));
        let mut parts = fetched.flat_map(|&piece| self.pieces.parts(piece)).filter(|part| part.file == ill.file);
        parts.all(&mut is_same)
    }
}

/// A source, and what is known of it.
struct Visit<'v> {
    source: &'v Source,
    remote: sources::Reader<'v>,
    local: Reader,
    /// The files that it could not give.
    failed: Vec<bool>,
    /// The run of bad pieces that is being fetched.
    run: Range<u64>,
}

fn other_names(metadata: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    metadata.nlink().saturating_sub(1)
}

#[cfg(test)]
#[path = "mend_tests.rs"]
mod tests;
