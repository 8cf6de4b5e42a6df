//! What attaching found and did, as data: errors, findings, and the summary.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use crate::problem::Problem;
use crate::retired::Told;

/// Why nothing was attached. The site stands as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// A feed, a name or a setting is wrong: every fault that was found, in order.
    Content(Vec<Problem>),
    /// What is published already would become something else: each instance, in order.
    Changed(Vec<Problem>),
    /// There are findings, and they were not to be overlooked ([`strict`](super::Options::strict)).
    Findings(Vec<Finding>),
    /// Media can't be read: each of those that were tried, in order.
    Media(Vec<Problem>),
    /// The site may be right, and something else failed.
    Trouble(Problem),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems: Vec<&Problem> = match self {
            Self::Content(problems) | Self::Changed(problems) | Self::Media(problems) => problems.iter().collect(),
            Self::Findings(findings) => findings.iter().map(|finding| &finding.problem).collect(),
            Self::Trouble(problem) => vec![problem],
        };
        let texts: Vec<_> = problems.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join("\n"))
    }
}

impl std::error::Error for Error {}

/// Something in the site that its author should look at, and that keeps nothing else from being done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Finding {
    /// Where, what, and what to do.
    pub problem: Problem,
    /// A word for what kind of thing it is, the same in each version: `no-media`, `length`, `duration`, `guid`, ...
    pub rule: &'static str,
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("Finding", 2)?;
        fields.serialize_field("rule", self.rule)?;
        fields.serialize_field("message", &self.problem.to_string())?;
        fields.end()
    }
}

/// What was attached, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// The site's folder.
    pub site: PathBuf,
    /// Where the site stands.
    pub base_url: String,
    /// Whether nothing was written because that was asked for.
    pub dry_run: bool,
    /// The feeds that were looked at, in the order of their paths.
    pub feeds: Vec<FeedSummary>,
    /// What was released, the newest first.
    pub releases: Vec<Released>,
    /// Elements of pages that were filled.
    pub slots: usize,
    /// Files that were read and hashed; others were known.
    pub files_hashed: usize,
    /// Their bytes.
    pub bytes_hashed: u64,
    /// Files of the site that are new or differ.
    pub files_written: usize,
    /// Files that are as they were.
    pub files_unchanged: usize,
    /// Files of a former run that are no more.
    pub files_removed: usize,
    /// What should be looked at, in the order of the files.
    pub findings: Vec<Finding>,
    /// Torrents that are not published any more and go on being seeded, the newest first.
    pub retired: Vec<Told>,
    /// What can't be mended any more, and is worth a look.
    #[serde(serialize_with = "as_texts")]
    pub warnings: Vec<Problem>,
    /// What becomes of each file that differs, in the order of their paths.
    pub changes: Vec<Change>,
}

/// A feed that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FeedSummary {
    /// Its path below the site.
    pub path: String,
    /// Its items that have enclosures.
    pub items: usize,
    /// Their enclosures.
    pub enclosures: usize,
    /// The enclosures that have a torrent now.
    pub with_torrent: usize,
}

/// A medium that has a torrent now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Released {
    /// The name it goes by in `torrents/`, in the lock and in pages.
    pub slug: String,
    /// The title of its item.
    pub title: String,
    /// Its URL without tracking prefixes: the web seed.
    pub url: String,
    /// The URL of its `.torrent`.
    pub torrent: String,
    /// Its magnet link.
    pub magnet: String,
    /// The info-hash that it goes by.
    pub info_hash: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether its bytes are in the site, where the server seeds them.
    pub is_in_site: bool,
}

/// What becomes of a file of the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// Its path below the site.
    pub path: String,
    /// What is done to it.
    pub does: Done,
    /// What is put into it, and where; told where nothing is written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Inserted>,
}

/// What is done to a file of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Done {
    /// There was none.
    Added,
    /// It is written anew.
    Replaced,
    /// Spans of it become others.
    Amended,
    /// It goes.
    Removed,
}

/// A span of a file that becomes another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Inserted {
    /// The line in the file as it was, counted from 1.
    pub line: usize,
    /// How many bytes go.
    pub removed_bytes: u64,
    /// What comes.
    pub text: String,
}

pub(super) fn as_texts<S: Serializer>(warnings: &[Problem], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(warnings.iter().map(ToString::to_string))
}
