//! What a build is told: the site's own settings, as types that cannot be wrong.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value};
use url::{Host, Url};
use uuid::Uuid;

use crate::feed::Category;
use crate::metainfo;
use crate::sitepath::SitePath;
use crate::units::PieceLength;

/// The absolute URL of a site's root: `http` or `https`, with a host and with a `/` at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// A text that is no [`BaseUrl`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotABaseUrl {
    text: String,
    why: &'static str,
}

impl fmt::Display for NotABaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a base URL: {}", self.text, self.why)
    }
}

impl std::error::Error for NotABaseUrl {}

impl BaseUrl {
    /// What to write instead of a text that is no base URL.
    pub const HELP: &str = "write it as https://show.example.org/ or https://example.org/show/";

    /// Reads a base URL; the `/` at its end may be missing.
    pub fn parse(text: &str) -> Result<Self, NotABaseUrl> {
        let refuse = |why| NotABaseUrl { text: text.to_owned(), why };
        let mut url = Url::parse(text.trim()).map_err(|_| refuse("it does not begin with https://"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("it does not begin with https:// or http://"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it has a `?` or a `#`"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it holds a user name, which everybody would read"));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self(url))
    }

    /// The URL, with its `/` at the end.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it stands for an address that is still to come, or for this machine alone: a name that is reserved for
    /// examples and tests (RFC 2606), `localhost`, or a loopback address. Whoever goes by it is nobody in particular.
    pub fn is_placeholder(&self) -> bool {
        const RESERVED: [&str; 7] =
            ["example", "example.com", "example.net", "example.org", "invalid", "localhost", "test"];
        match self.0.host() {
            Some(Host::Domain(name)) => RESERVED
                .iter()
                .any(|reserved| name.strip_suffix(reserved).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// Its path, from `/` to `/`.
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// The absolute URL of a path below the root that is percent-encoded already.
    pub fn join(&self, encoded: &str) -> String {
        format!("{}{encoded}", self.0)
    }

    /// The absolute URL of a file of the site.
    pub fn of(&self, path: &SitePath) -> String {
        self.join(&path.url())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

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
            drafts: false,
            extra: Map::new(),
        }
    }

    /// The announce URLs in tiers (BEP 12): the site's own tracker, the same over UDP, then each other one.
    pub fn announce_tiers(&self) -> Vec<Vec<String>> {
        let own = self.tracker_url.clone().unwrap_or_else(|| self.base_url.join("announce"));
        let mut tiers = vec![vec![own]];
        if !self.udp_announce.is_empty() {
            tiers.push(self.udp_announce.clone());
        }
        tiers.extend(self.trackers.iter().map(|url| vec![url.clone()]));
        tiers
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
    fn a_base_url_ends_with_a_slash_and_holds_no_more_than_a_place() {
        let parse = |text| BaseUrl::parse(text).map(|url| url.to_string());
        assert_eq!(parse("https://show.example.org"), Ok("https://show.example.org/".into()));
        assert_eq!(parse("http://example.org:8080/show"), Ok("http://example.org:8080/show/".into()));
        let refused =
            ["show.example.org", "", "ftp://a/", "https://a/?b", "https://a/#b", "https://u:p@a/", "https://"];
        for text in refused {
            let error = parse(text).expect_err(text);
            assert!(error.to_string().contains("is not a base URL: it"), "{error}");
        }
    }

    #[test]
    fn an_address_for_examples_is_nobodys() {
        let is = |text| BaseUrl::parse(text).expect("a URL").is_placeholder();
        for text in [
            "https://show.example.org/",
            "http://example.com",
            "http://a.test/b",
            "http://localhost:8080",
            "http://127.0.0.1/",
            "http://[::1]/",
        ] {
            assert!(is(text), "{text}");
        }
        for text in
            ["https://show.internal/", "https://anexample.org.internal", "http://192.0.2.1/", "https://myexample.org"]
        {
            assert!(!is(text), "{text}");
        }
    }

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
