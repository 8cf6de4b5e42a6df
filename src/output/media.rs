//! Media as they were when a build began: what was hashed is what is published.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::fingerprint::Fingerprint;
use crate::problem::Problem;

/// Files and what they were like.
#[derive(Debug)]
pub struct Media(HashMap<PathBuf, Fingerprint>);

impl Media {
    /// Looks at the files at `paths`; one that is not there is none.
    pub fn look<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        Self(paths.into_iter().filter_map(|path| Some((path.clone(), fingerprint(path)?))).collect())
    }

    /// Looks at one more.
    pub fn add(&mut self, path: &Path) {
        self.0.extend(fingerprint(path).map(|fingerprint| (path.to_owned(), fingerprint)));
    }

    /// What was hashed is what is about to be published.
    pub fn unchanged(&self) -> Result<(), Problem> {
        for (path, before) in &self.0 {
            if !fingerprint(path).is_some_and(|now| is_same_but_for_links(before, &now)) {
                return Err(Problem::at(path, "changed meanwhile").help("run it again when nothing else writes to it"));
            }
        }
        Ok(())
    }

    /// Those that have other links now and the same content: what they were like, and what they are like.
    pub fn relinked(&self) -> HashMap<PathBuf, [Fingerprint; 2]> {
        let now = |(path, before): (&PathBuf, &Fingerprint)| Some((path.clone(), [*before, fingerprint(path)?]));
        self.0
            .iter()
            .filter_map(now)
            .filter(|(_, [before, now])| before != now && is_same_but_for_links(before, now))
            .collect()
    }
}

fn fingerprint(path: &Path) -> Option<Fingerprint> {
    fs::metadata(path).ok().map(|metadata| Fingerprint::of(&metadata))
}

fn is_same_but_for_links(a: &Fingerprint, b: &Fingerprint) -> bool {
    (a.bytes, a.mtime_ns, a.inode) == (b.bytes, b.mtime_ns, b.inode)
}
