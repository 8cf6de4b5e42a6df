//! Damaged and missing files get their bytes back: the bad pieces from other copies of the site, from web seeds or from
//! the swarm, into quarantine; and only a file that is then whole comes into the place of the damaged one, at once.
//!
//! Which is the truth, the file or the torrent? Bits that rotted and files that are gone are healed plainly. A file whose
//! size or time has changed since it was last known to be right may be its author's new version: it is told, and written
//! over only with consent. [`examine`] finds out what is wrong, [`Plan`] says what would be done, [`Healer::heal`] does it.
//!
//! The calls block; they are made by threads that may wait, not by tasks.
//!
//! ```text
//! files -> examine (hash) -> Look -> Plan
//!                             v
//! copy of the file, in quarantine <- pieces <- sources: mirrors, web seeds, swarm
//!                             v
//!                   hash the whole -> fsync -> rename
//! ```

mod look;
mod mend;
mod pieces;
mod plan;
mod quarantine;
mod sources;
#[cfg(test)]
mod testing;

pub use look::{Ill, Look, Why, examine};
pub use mend::{Healed, Left, Outcome};
pub use plan::Plan;
pub use quarantine::{FOLDER, RESERVE_BYTES};
pub use sources::{SOURCES_MAX, Tried};

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use url::Url;

use crate::fetch::swarm;
use crate::fetch::{self, Slow};
use crate::hash::Progress;
use crate::metainfo;
use crate::problem::Problem;
use crate::sitepath::SitePath;
use quarantine::Quarantine;

/// A torrent of a site, and where its files should lie.
#[derive(Debug, Clone)]
pub struct Subject<'t> {
    /// As people know it.
    pub title: String,
    /// The folder of the site.
    pub root: PathBuf,
    /// Where the site is published, with a `/` at its end: web seeds below it are the damaged files themselves.
    pub base_url: String,
    /// The torrent.
    pub torrent: &'t metainfo::Torrent,
    /// Its files, in the order of [`metainfo::Info::files`].
    pub files: Vec<Place>,
    /// When its `.torrent` was written, in nanoseconds since 1970: of a file about which nothing else is known, and that
    /// was not written to after that, the bytes have rotted.
    pub published_ns: i64,
}

/// Where a file should lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// On this machine.
    pub path: PathBuf,
    /// Below the site's root.
    pub below: SitePath,
    /// Where it is published, if elsewhere: then it need not be here.
    pub url: Option<String>,
}

/// Where bytes may come from, and how much may be taken.
#[derive(Clone)]
pub struct Options {
    /// Roots of other copies of the site, each with a `/` at its end.
    pub mirrors: Vec<String>,
    /// Whether the swarm is asked: peers, and for torrents that are not private the DHT where it is named.
    pub swarm: bool,
    /// The mainline DHT, if peers may be looked for there.
    pub dht: Option<swarm::Dht>,
    /// The most bytes that are written into quarantine for one torrent; unset, as many as the disk has room for.
    pub quarantine_bytes_max: Option<u64>,
    /// How web servers are asked.
    pub http: fetch::Options,
    /// Servers that send less are asked when nobody else has what is missing.
    pub slow: Slow,
    /// How the swarm is.
    pub limits: swarm::Limits,
}

impl Default for Options {
    fn default() -> Self {
        let http = fetch::Options { tries_max: 3, pause_max: Duration::from_secs(10), ..fetch::Options::default() };
        Self {
            mirrors: Vec::new(),
            swarm: true,
            dht: None,
            quarantine_bytes_max: None,
            http,
            slow: Slow::default(),
            limits: swarm::Limits::default(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("mirrors", &self.mirrors).field("swarm", &self.swarm).finish_non_exhaustive()
    }
}

/// Whether a server heals by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// It neither heals nor says what would be done.
    Off,
    /// It says what would be done, and `everseed heal` does it.
    #[default]
    Ask,
    /// It heals what has decayed or is missing.
    On,
}

impl Mode {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Ask, Self::On];

    /// As it is written in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Ask => "ask",
            Self::On => "on",
        }
    }
}

/// The root of another copy of a site, as it is written: http or https, without credentials; with a `/` at its end.
pub fn mirror(text: &str) -> Result<String, String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(url) = url else { return Err(format!("{text:?} is not the address of a copy of the site")) };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user name or password stands in the address of a copy of the site".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("{text:?} is not the root of a copy of the site: it has a `?` or a `#`"));
    }
    let slash = if url.path().ends_with('/') { "" } else { "/" };
    Ok(format!("{url}{slash}"))
}

/// What to write for a [`mirror`].
pub const MIRROR_HELP: &str = "write the root of the copy, https or http, as https://mirror.example.org/show/";

/// Who watches, and who may stop it.
#[derive(Clone, Copy)]
pub struct Watch<'w> {
    /// Told of bytes that are read and fetched.
    pub progress: &'w dyn Progress,
    /// Set to end soon: what is in place by then stays, nothing else is changed.
    pub stop: &'w AtomicBool,
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl Watch<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn go_on(&self) -> Result<(), Problem> {
        if self.is_stopped() { Err(Problem::new("stopped before it was done")) } else { Ok(()) }
    }
}

/// Heals one torrent after another, in a quarantine that is its own as long as it lives.
#[derive(Debug)]
pub struct Healer {
    options: Options,
    quarantine: Quarantine,
    client: OnceLock<fetch::Client>,
}

impl Healer {
    /// Takes the quarantine below the folder `data`, and removes what a killed run left there.
    ///
    /// Errors: a folder that can't be written, another healer that uses it.
    pub fn new(options: Options, data: &Path) -> Result<Self, Problem> {
        let quarantine = Quarantine::take(data, options.quarantine_bytes_max)?;
        Ok(Self { options, quarantine, client: OnceLock::new() })
    }

    /// Brings the files of `subject` into the state that its torrent says, as far as that can be done: those that `look`
    /// found wrong, and of those that may be new versions none without `consent`. `peers`, who may have bytes of it, are
    /// asked for when nobody else has them.
    ///
    /// Only whole files change, each at once; what went wrong stands in the outcome.
    pub fn heal(
        &self,
        subject: &Subject<'_>,
        look: &Look,
        consent: bool,
        peers: &(dyn Fn() -> Vec<SocketAddr> + Sync),
        watch: Watch<'_>,
    ) -> Outcome {
        mend::mend(self, subject, look, consent, peers, watch)
    }

    /// Made when it is first needed: reading the certificates of the system takes a while.
    fn client(&self) -> Result<&fetch::Client, Problem> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = fetch::Client::new(&self.options.http)?;
        Ok(self.client.get_or_init(|| client))
    }
}

#[cfg(test)]
mod tests {
    use super::mirror;

    #[test]
    fn a_mirror_is_a_root_that_paths_can_be_put_behind() {
        let roots = [
            "https://a.example.org",
            "http://a.example.org/show",
            "https://a.example.org/show/",
            "a.example.org",
            "ftp://a.example.org/",
            "https://me:secret@a.example.org/",
            "https://a.example.org/?show=1",
        ];
        let told = roots.map(|text| mirror(text).unwrap_or_else(|wrong| format!("! {wrong}"))).join("\n");
        expect_test::expect![[r#"
            https://a.example.org/
            http://a.example.org/show/
            https://a.example.org/show/
            ! "a.example.org" is not the address of a copy of the site
            ! "ftp://a.example.org/" is not the address of a copy of the site
            ! a user name or password stands in the address of a copy of the site
            ! "https://a.example.org/?show=1" is not the root of a copy of the site: it has a `?` or a `#`"#]]
        .assert_eq(&told);
    }
}
