//! What a build is told: the site's own settings, as types that cannot be wrong.

use std::path::PathBuf;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::baseurl::BaseUrl;
use crate::feed::Category;
use crate::metainfo;
use crate::release;
use crate::retired;
use crate::units::PieceLength;

/// A site to be built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The site's folder: it holds `content/`, and `static/`, `templates/`, `themes/` where there are any.
    pub root: PathBuf,
    /// The file in which these settings are written, as people see it: what is wrong with one is told of it, and it is never
    /// published.
    pub config_path: PathBuf,
    /// The title of the site.
    pub title: String,
    /// What it is about, in plain text.
    pub description: String,
    /// Where this build will stand.
    pub base_url: BaseUrl,
    /// Where the site stands for the world: the show's identity follows from it, and nothing else does.
    pub identity_url: BaseUrl,
    /// The language tag (RFC 5646).
    pub language: String,
    /// The theme: a folder below `themes/`, or `default`, which is built in.
    pub theme: String,
    /// What the podcast feed says about the show.
    pub show: Show,
    /// Announce URLs of other trackers, one a tier, after the site's own.
    pub trackers: Vec<String>,
    /// The announce URL of the site's tracker, where it is not `announce` below `base_url`.
    pub tracker_url: Option<String>,
    /// Announce URLs of the site's tracker over UDP: the second tier.
    pub udp_announce: Vec<String>,
    /// Bytes in a piece; `None`: by the size of each release.
    pub piece_length: Option<PieceLength>,
    /// For which versions of the protocol torrents are made, where a release does not say it itself.
    pub kind: metainfo::Kind,
    /// Whether peers come from the trackers alone (BEP 27).
    pub private: bool,
    /// What is done with the lock.
    pub lock: LockUse,
    /// Whether a torrent that is published already may become another one.
    pub accept_changed: bool,
    /// How long what is not published any more is kept, and how much of it.
    pub retired: retired::Limits,
    /// The time of the build, for that alone; `None`: nothing is kept, and what is kept is left alone.
    pub now: Option<OffsetDateTime>,
    /// Whether drafts are built.
    pub drafts: bool,
    /// What templates find in `site.extra`.
    pub extra: Map<String, Value>,
}

/// What a build does with `everseed.lock`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LockUse {
    /// It is brought up to date; a change of what is published is an error.
    #[default]
    Write,
    /// It stays as it is, and a change of what is published is a warning: for a preview.
    Read,
    /// What is in it is built, and the media are not looked at.
    Alone,
}

impl LockUse {
    /// Whether the media are not looked at.
    pub fn is_alone(self) -> bool {
        self == Self::Alone
    }
}

/// What the podcast feed says about the show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Show {
    /// Who makes it.
    pub author: Option<String>,
    /// The address that directories write to; it is printed in the feed.
    pub email: Option<String>,
    /// The cover: a file below the site's folder.
    pub image: Option<String>,
    /// Categories, each with its sub-categories ([`categories`]).
    pub categories: Vec<Category>,
    /// Whether it holds matter for adults.
    pub explicit: bool,
    /// Whether episodes are heard from the first one on.
    pub kind: Kind,
    /// The copyright notice.
    pub copyright: Option<String>,
    /// `podcast:guid`, where it does not follow from the identity URL.
    pub guid: Option<Uuid>,
}

/// In which order episodes are heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// The newest first, or any.
    #[default]
    Episodic,
    /// From the first one on.
    Serial,
}

impl Options {
    /// A site in the folder `root` that stands at `base_url`; everything else has its default.
    pub fn new(root: impl Into<PathBuf>, title: impl Into<String>, base_url: BaseUrl) -> Self {
        Self {
            root: root.into(),
            config_path: "everseed.toml".into(),
            title: title.into(),
            description: String::new(),
            identity_url: base_url.clone(),
            base_url,
            language: "en".into(),
            theme: "default".into(),
            show: Show::default(),
            trackers: Vec::new(),
            tracker_url: None,
            udp_announce: Vec::new(),
            piece_length: None,
            kind: metainfo::Kind::V1,
            private: false,
            lock: LockUse::Write,
            accept_changed: false,
            retired: retired::Limits::default(),
            now: None,
            drafts: false,
            extra: Map::new(),
        }
    }

    /// The announce URLs in tiers (BEP 12): the site's own tracker, the same over UDP, then each other one.
    pub fn announce_tiers(&self) -> Vec<Vec<String>> {
        release::announce_tiers(&self.base_url, self.tracker_url.as_deref(), &self.udp_announce, &self.trackers)
    }
}

/// Categories as a person writes them, `Science` or `Science > Nature`, with those of one parent below it.
pub fn categories<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<Category> {
    let mut found: Vec<Category> = Vec::new();
    for line in lines {
        let (name, child) = line.split_once('>').map_or((line, None), |(name, child)| (name, Some(child.trim())));
        let name = name.trim();
        let at = found.iter().position(|category| category.name == name).unwrap_or_else(|| {
            found.push(Category { name: name.to_owned(), children: Vec::new() });
            found.len() - 1
        });
        found[at].children.extend(child.map(str::to_owned));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trackers_stand_in_tiers_the_sites_own_first() {
        let url = BaseUrl::parse("https://example.org/show/").expect("a URL");
        let mut options = Options::new("site", "A show", url);
        assert_eq!(options.announce_tiers(), [["https://example.org/show/announce"]]);
        options.tracker_url = Some("https://tracker.example.org/announce".into());
        options.udp_announce = vec!["udp://203.0.113.1:6969".into(), "udp://[2001:db8::1]:6969".into()];
        options.trackers = vec!["udp://other.example.org:1".into()];
        assert_eq!(
            options.announce_tiers(),
            [
                vec!["https://tracker.example.org/announce"],
                vec!["udp://203.0.113.1:6969", "udp://[2001:db8::1]:6969"],
                vec!["udp://other.example.org:1"],
            ]
        );
    }

    #[test]
    fn categories_of_one_parent_stand_below_it() {
        let category = |name: &str, children: &[&str]| Category {
            name: name.into(),
            children: children.iter().map(|&child| child.into()).collect(),
        };
        assert_eq!(
            categories(["Science > Nature", "Arts", "Science > Physics"]),
            [category("Science", &["Nature", "Physics"]), category("Arts", &[])]
        );
    }
}
