//! What healing a torrent would do, to be read before it is done.

use std::fmt;

use super::look::{Ill, Look, Why};
use super::sources::sources;
use super::{Options, Subject};
use crate::units::{count_text, size_text};

/// The most files that are named.
pub const FILES_NAMED_MAX: usize = 50;
/// The most sources that are named.
const SOURCES_NAMED_MAX: usize = 4;

/// What would be done about one torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The torrent, as people know it.
    pub title: String,
    /// The `.torrent`'s name of it, by which it can be named.
    pub name: String,
    /// What is wrong, and what would be done, a sentence a file.
    pub files: Vec<String>,
    /// How many files are not named.
    pub more_files: usize,
    /// How many pieces would be fetched.
    pub pieces: u64,
    /// How many bytes these have, at most.
    pub bytes: u64,
    /// From where, in this order.
    pub sources: Vec<String>,
    /// Whether a file is left because it may be a new version, and nobody has consented.
    pub needs_consent: bool,
    /// Whether anything would be done.
    pub is_healing: bool,
}

impl Plan {
    /// What would be done about what `look` found.
    pub fn of(subject: &Subject<'_>, look: &Look, options: &Options, consent: bool) -> Self {
        let healed = |ill: &&Ill| ill.why.is_healed(consent);
        let files = look.ills.iter().take(FILES_NAMED_MAX).map(|ill| sentence(subject, ill));
        let mut named: Vec<_> = sources(subject, options).into_iter().map(|source| source.name).collect();
        if options.swarm && subject.torrent.metainfo.info.pieces().is_some() {
            named.push("the swarm".into());
        }
        Self {
            title: subject.title.clone(),
            name: subject.torrent.metainfo.info.name.clone(),
            files: files.collect(),
            more_files: look.ills.len().saturating_sub(FILES_NAMED_MAX),
            pieces: look.ills.iter().filter(healed).map(|ill| ill.bad_pieces).sum(),
            bytes: look.ills.iter().filter(healed).map(|ill| ill.bad_bytes).sum(),
            sources: named,
            needs_consent: look.ills.iter().any(|ill| matches!(ill.why, Why::Changed(_)) && !consent),
            is_healing: look.ills.iter().any(|ill| ill.why.is_healed(consent)),
        }
    }

    /// What would be done, in a line: `2 pieces (512.0 kB) would be fetched from https://mirror.example.org/ or the swarm`.
    pub fn deed(&self) -> String {
        if !self.is_healing {
            return "nothing would be done".into();
        }
        if self.sources.is_empty() {
            return "nobody is known who has the bytes: name copies of the site in `mirrors` of [seed]".into();
        }
        let what = format!("{} ({})", count_text(self.pieces, "piece"), size_text(self.bytes));
        format!("{what} would be fetched from {}", alternatives(&self.sources))
    }
}

/// What is wrong, without what would be done about it.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.title)?;
        for file in &self.files {
            write!(f, "\n  {file}")?;
        }
        if self.more_files > 0 {
            write!(f, "\n  and {}", count_text(self.more_files as u64, "more file"))?;
        }
        Ok(())
    }
}

fn sentence(subject: &Subject<'_>, ill: &Ill) -> String {
    let below = &subject.files[ill.file].below;
    let Ill { why, bad_pieces, bad_bytes, .. } = ill;
    let bad = || format!("{} ({})", count_text(*bad_pieces, "bad piece"), size_text(*bad_bytes));
    match why {
        Why::Decayed => format!("{below} {why}: {}, and neither its size nor its time has changed", bad()),
        Why::Changed(_) => format!("{below} {why}: {}", bad()),
        Why::Missing => format!("{below} {why} ({})", size_text(*bad_bytes)),
        Why::Blocked(_) => format!("{below} {why}"),
    }
}

/// `a`, `a or b`, `a, b or c`.
fn alternatives(sources: &[String]) -> String {
    let more = sources.len().saturating_sub(SOURCES_NAMED_MAX);
    let mut named: Vec<_> = sources.iter().take(SOURCES_NAMED_MAX).cloned().collect();
    if more > 0 {
        named.push(format!("{more} more"));
    }
    match named.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => named.join(""),
    }
}
