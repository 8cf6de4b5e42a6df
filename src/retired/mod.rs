//! Torrents that a site does not publish any more: their bytes are kept beside the lock for a while, so that whoever is
//! downloading one, or has its link, still gets it. It knows neither what took their place nor who serves them.
//!
//! A build that is about to replace or remove what the former one published gives it to the [`Shelf`] as [`Candidate`]s. The
//! shelf keeps those whose bytes are still what their torrents say, up to its [`Limits`]; what it holds is [`Listed`] in
//! the new site, below `retired/`, and in its manifest. Each has a folder of its own:
//!
//! ```text
//! retired/<info-hash>/retired.toml      since when, and what it was
//! retired/<info-hash>/published.torrent
//! retired/<info-hash>/files/...         by the paths that the torrent gives them
//! ```
//!
//! The folders are written before the output changes and removed after it has changed, so that a build which is killed leaves
//! one too many at worst. The next build needs it, or removes it.

mod choose;
mod intact;
mod kept;
mod listed;
mod record;
mod shelf;
#[cfg(test)]
mod testing;

pub use kept::{Candidate, Kept};
pub use listed::{Listed, Scene, Told};
pub use shelf::{Shelf, Use};

use time::{Duration, OffsetDateTime};

use crate::id::InfoHashes;
use crate::sitepath::SitePath;

/// The folder beside the lock, and the one below the site's root.
pub const FOLDER: &str = "retired";
/// The most torrents that are kept.
pub const TORRENTS_MAX: usize = 10_000;

/// Whether a file of a site at `place` would stand where what is retired stands, or keep it from being there.
pub fn is_place(place: &SitePath) -> bool {
    let mut names = place.names();
    let is_hash = |name: &str| name.len() == 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    names.next() == Some(FOLDER)
        && names.next().is_none_or(|name| is_hash(name.strip_suffix(".torrent").unwrap_or(name)))
}

/// Where the `.torrent` of these info-hashes stands in a site.
pub fn torrent_place(hashes: InfoHashes) -> SitePath {
    SitePath::new(format!("{FOLDER}/{}.torrent", hashes.main())).expect("digits are a plain name")
}

/// How long torrents are kept, and how many bytes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Days after which one goes; 0: none is ever kept.
    pub days: u32,
    /// The most bytes of all of them; the oldest go first.
    pub bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { days: 30, bytes_max: 20_000_000_000 }
    }
}

impl Limits {
    /// When one goes that was `retired` then.
    fn end(self, retired: OffsetDateTime) -> OffsetDateTime {
        retired.saturating_add(Duration::days(self.days.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_of_what_is_retired_are_told_from_others() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let is_place = |text: &str| is_place(&SitePath::new(text).expect("below the root"));
        for place in ["retired".to_owned(), format!("retired/{hash}.torrent"), format!("retired/{hash}/a/b.mp3")] {
            assert!(is_place(&place), "{place}");
        }
        for place in ["retired/index.html", "retired.html", "media/ep1.mp3", &format!("other/{hash}.torrent")] {
            assert!(!is_place(place), "{place}");
        }
    }
}
