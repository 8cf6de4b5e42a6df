//! Whether what is kept is still what it was: every file is looked at, and what looks otherwise is read.

use std::fs;
use std::io::ErrorKind;

use time::OffsetDateTime;
use tokio::time::Instant;

use super::Mirror;
use super::content::Content;
use super::record::Looks;
use super::round::Round;
use super::settle::title_of;
use crate::fingerprint::Fingerprint;
use crate::manifest::Entry;
use crate::metainfo::Torrent;
use crate::problem::Problem;
use crate::units::count_text;

/// The most files that are named for one torrent.
const FILES_NAMED_MAX: usize = 5;

impl Mirror {
    /// Looks at all files, and reads those of torrents that look otherwise than when they were last found right, or were
    /// read too long ago. What is damaged is told, and known from then on.
    pub(super) fn look(
        &mut self,
        now: OffsetDateTime,
        until: Option<Instant>,
        round: &mut Round,
    ) -> Result<(), Problem> {
        for entry in self.site.entries().to_vec() {
            self.stop.check()?;
            if until.is_some_and(|until| Instant::now() >= until) {
                round.is_cut = true;
                break;
            }
            let hash = entry.info_hashes.main();
            let looks = match self.looks(&entry) {
                Ok(looks) if !self.record.is_due(hash, &looks, self.options.reread, now) => {
                    round.remembered += 1;
                    continue;
                }
                Ok(looks) => looks,
                Err(faults) => {
                    self.tell_damaged(&entry, &faults);
                    continue;
                }
            };
            let Some(torrent) = self.site.torrent(&entry) else {
                self.tell_damaged(&entry, &[format!("{} is not its .torrent", entry.torrent)]);
                continue;
            };
            let faults = self.faults(&entry, &torrent);
            round.read += 1;
            if !faults.is_empty() {
                self.tell_damaged(&entry, &faults);
            } else if self.looks(&entry).as_ref() == Ok(&looks) {
                self.told.remove(&about(&entry));
                self.record.found_right(hash, looks, now);
            }
        }
        self.record.write(&self.data)
    }

    /// Whether a torrent is here, and not known to be damaged.
    pub(super) fn is_whole(&self, entry: &Entry) -> bool {
        self.site.is_whole(entry) && !self.record.is_damaged(entry.info_hashes.main())
    }

    /// How the files of a torrent look, and its `.torrent`; else what can be seen to be wrong with them.
    pub(super) fn looks(&self, entry: &Entry) -> Result<Looks, Vec<String>> {
        let (mut prints, mut faults) = (Vec::with_capacity(entry.files.len()), Vec::new());
        let files = entry.files.iter().map(|file| (&file.path, Some(file.bytes)));
        for (path, wanted) in files.chain([(&entry.torrent, None)]) {
            match fs::metadata(path.below(self.site.root())) {
                Ok(metadata) if !metadata.is_file() => faults.push(format!("{path} is not a file")),
                Ok(metadata) => {
                    let bytes = metadata.len();
                    match wanted {
                        Some(wanted) if wanted != bytes => {
                            faults.push(format!("{path} has {bytes} bytes, not {wanted}"));
                        }
                        _ => prints.push(Fingerprint::of(&metadata)),
                    }
                }
                Err(error) if error.kind() == ErrorKind::NotFound => faults.push(format!("{path} is missing")),
                Err(error) => faults.push(format!("{path} can't be looked at: {error}")),
            }
        }
        if faults.is_empty() { Ok(Looks::of(prints)) } else { Err(faults) }
    }

    /// Whether the files of a torrent look as they did when they were last found right.
    pub(super) fn is_known(&self, entry: &Entry) -> bool {
        self.looks(entry).is_ok_and(|looks| self.record.is_known(entry.info_hashes.main(), &looks))
    }

    /// Its files look otherwise by what was done here: their bytes are the same.
    pub(super) fn still_knows(&mut self, entry: &Entry) {
        if let Ok(looks) = self.looks(entry) {
            self.record.moved(entry.info_hashes.main(), looks);
        }
    }

    /// Reads the files of a torrent: what is wrong with each of them.
    fn faults(&self, entry: &Entry, torrent: &Torrent) -> Vec<String> {
        let content = Content::new(&torrent.metainfo.info);
        let paths: Vec<_> = entry.files.iter().map(|file| file.path.below(self.site.root())).collect();
        let good = match content.check(&paths) {
            Ok(checked) => checked.good,
            // A disk that does not give them is no better than one that gives others.
            Err(problem) => return vec![problem.to_string().lines().next().unwrap_or_default().to_owned()],
        };
        let mut bad = vec![0; paths.len()];
        for piece in good.iter().enumerate().filter(|(_, is_good)| !**is_good).map(|(piece, _)| piece) {
            content.parts(piece).iter().filter_map(|part| part.file).for_each(|file| bad[file] += 1);
        }
        let bad = entry.files.iter().zip(bad).filter(|(_, bad)| *bad > 0);
        bad.map(|(file, bad)| format!("{} has {}", file.path, count_text(bad, "bad piece"))).collect()
    }

    fn tell_damaged(&mut self, entry: &Entry, faults: &[String]) {
        self.record.found_damaged(entry.info_hashes.main());
        let more = faults.len().saturating_sub(FILES_NAMED_MAX);
        let mut said: Vec<_> = faults.iter().take(FILES_NAMED_MAX).cloned().collect();
        if more > 0 {
            said.push(format!("and {}", count_text(more as u64, "more file")));
        }
        self.tell_news(&about(entry), &format!("WARNING: mirror: {}: {}", title_of(entry), said.join("; ")));
    }
}

/// What [`Mirror::tell_news`] calls the files of a torrent.
fn about(entry: &Entry) -> String {
    format!("files of {}", entry.info_hashes.main())
}
