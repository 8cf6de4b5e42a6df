//! What attaching is told.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use time::OffsetDateTime;

use crate::baseurl::BaseUrl;
use crate::metainfo::Kind;
use crate::release;
use crate::retired;
use crate::sitepath::SitePath;
use crate::units::PieceLength;

/// A site that another generator has built, and what is to be attached to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for or not, whatever the others are")]
pub struct Options {
    /// The project's folder: it holds `everseed.lock` and `torrents/` where there are any.
    pub root: PathBuf,
    /// The folder that the generator wrote.
    pub site: PathBuf,
    /// Where the site stands, or will stand.
    pub base_url: BaseUrl,
    /// The feeds, by their paths or by those below the site; empty: those that are found in it.
    pub feeds: Vec<PathBuf>,
    /// Folders in which media are looked for that are not in the site.
    pub media: Vec<PathBuf>,
    /// Prefixes of enclosure URLs that count downloads and lead to the rest of the URL, beyond those that are known.
    pub prefixes: Vec<String>,
    /// Which media that are found outside of the site are placed in it.
    pub place: Place,
    /// Whether the elements of pages that ask for links are filled.
    pub html: bool,
    /// What of a feed is mended.
    pub fix: Fix,
    /// Whether everything is taken from the lock, and media are not looked at.
    pub locked: bool,
    /// Whether a torrent that is published already may become another one.
    pub accept_changed: bool,
    /// How long what is not published any more is kept, and how much of it.
    pub retired: retired::Limits,
    /// The time of the run, for that alone; `None`: nothing is kept, and what is kept is left alone.
    pub now: Option<OffsetDateTime>,
    /// Whether findings keep everything from being written.
    pub strict: bool,
    /// Whether nothing is written at all.
    pub dry_run: bool,
    /// Where the feed for torrent clients stands below the site's root.
    pub torrents_feed: SitePath,
    /// The file in which templates find the links of each medium: where it is there, it is kept up to date with the lock.
    pub data: Option<PathBuf>,
    /// Announce URLs of other trackers, one a tier, after the site's own.
    pub trackers: Vec<String>,
    /// The announce URL of the site's tracker, where it is not `announce` below `base_url`.
    pub tracker_url: Option<String>,
    /// Announce URLs of the site's tracker over UDP: the second tier.
    pub udp_announce: Vec<String>,
    /// Bytes in a piece; `None`: by the size of each medium.
    pub piece_length: Option<PieceLength>,
    /// For which versions of the protocol torrents are made.
    pub kind: Kind,
    /// Whether peers come from the trackers alone (BEP 27).
    pub private: bool,
}

impl Options {
    /// A site in the folder `site` that stands at `base_url`; everything else has its default.
    pub fn new(site: impl Into<PathBuf>, base_url: BaseUrl) -> Self {
        Self {
            root: ".".into(),
            site: site.into(),
            base_url,
            feeds: Vec::new(),
            media: Vec::new(),
            prefixes: Vec::new(),
            place: Place::Linked,
            html: false,
            fix: Fix::default(),
            locked: false,
            accept_changed: false,
            retired: retired::Limits::default(),
            now: None,
            strict: false,
            dry_run: false,
            torrents_feed: SitePath::new("torrents.xml").expect("a plain name"),
            data: None,
            trackers: Vec::new(),
            tracker_url: None,
            udp_announce: Vec::new(),
            piece_length: None,
            kind: Kind::V1,
            private: false,
        }
    }

    /// The announce URLs in tiers (BEP 12).
    pub fn announce_tiers(&self) -> Vec<Vec<String>> {
        release::announce_tiers(&self.base_url, self.tracker_url.as_deref(), &self.udp_announce, &self.trackers)
    }
}

/// Which media that are found outside of a site are placed in it, for the server of the site to have them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Place {
    /// Those whose URLs are below the site's: what the feed links to is there then.
    #[default]
    Linked,
    /// Those, and below `media/` those that other servers have: the permanent seed has a copy then.
    All,
    /// None.
    None,
}

/// What of a foreign feed is mended, where it is not what the medium says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fix {
    /// The `length` of enclosures.
    pub length: bool,
    /// An `itunes:duration` that is missing.
    pub duration: bool,
}

/// A word that stands for none of a list of choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAChoice {
    word: String,
    choices: &'static str,
}

impl fmt::Display for NotAChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not one of {}", self.word, self.choices)
    }
}

impl std::error::Error for NotAChoice {}

impl FromStr for Place {
    type Err = NotAChoice;

    fn from_str(word: &str) -> Result<Self, NotAChoice> {
        match word {
            "linked" => Ok(Self::Linked),
            "all" => Ok(Self::All),
            "none" => Ok(Self::None),
            _ => Err(NotAChoice { word: word.into(), choices: "linked, all, none" }),
        }
    }
}

impl Fix {
    /// Reads a list of words: `length`, `duration`.
    pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, NotAChoice> {
        words.into_iter().try_fold(Self::default(), |fix, word| match word.trim() {
            "length" => Ok(Self { length: true, ..fix }),
            "duration" => Ok(Self { duration: true, ..fix }),
            word => Err(NotAChoice { word: word.into(), choices: "length, duration" }),
        })
    }
}
