//! `everseed.toml`, read strictly and lowered once into the options that each module owns.

mod attach;
#[cfg(feature = "serve")]
mod heal;
#[cfg(feature = "serve")]
mod server;
mod site;

pub use attach::TypedAttach;
#[cfg(feature = "serve")]
pub use server::Typed;
pub use site::Target;

use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::fsx;
use crate::metainfo;
use crate::problem::Problem;
use crate::retired;
use crate::tomlfile;
use crate::units::parse_size;

/// The name of the configuration in a show's folder.
pub const FILE_NAME: &str = "everseed.toml";
/// The most bytes of a configuration.
const BYTES_MAX: u64 = 1 << 20;

/// A configuration as it stands in its file; every table and key may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[site]`
    pub site: Option<Site>,
    /// `[attach]`
    pub attach: Option<Attach>,
    /// `[show]`
    pub show: Show,
    /// `[torrent]`
    pub torrent: Torrent,
    /// `[tracker]`
    pub tracker: Tracker,
    /// `[seed]`
    pub seed: Seed,
    /// `[serve]`
    pub serve: Serve,
    /// Where it was read from, and the text, to name the lines of values that are wrong.
    #[serde(skip)]
    source: (PathBuf, String),
}

/// `[site]`: what is built.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The title of the site and its feeds.
    pub title: String,
    /// The absolute URL of the site's root.
    pub base_url: String,
    /// What it is about, in plain text.
    #[serde(default)]
    pub description: String,
    /// The language, as BCP 47 writes it.
    pub language: Option<String>,
    /// The name of a folder in `themes/`, or `default`.
    pub theme: Option<String>,
    /// Where the site is written, from the configuration's folder.
    pub output: Option<PathBuf>,
}

/// `[attach]`: what is attached to a site that another generator builds. Paths count from the configuration's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attach {
    /// The folder that the generator writes.
    pub site: Option<PathBuf>,
    /// The absolute URL of the site's root, where it is not that of `[site]`.
    pub base_url: Option<String>,
    /// Folders in which media are looked for that are not in the site.
    pub media: Vec<PathBuf>,
    /// The feeds, below the site or by their paths; empty: those that are found.
    pub feeds: Vec<PathBuf>,
    /// Prefixes of enclosure URLs that count downloads, beyond those that are known.
    pub prefixes: Vec<String>,
    /// Whether the elements of pages that ask for links are filled.
    pub html: bool,
    /// What of the feeds is mended: `length`, `duration`.
    pub fix: Vec<String>,
    /// Whether findings keep everything from being written.
    pub strict: bool,
    /// `linked`, `all` or `none`: which media are placed in the site.
    pub place: Option<String>,
    /// Where the feed for torrent clients stands below the site.
    pub torrent_feed: Option<String>,
    /// The file in which templates find the links of each medium.
    pub data: Option<PathBuf>,
}

/// `[show]`: what directories of podcasts ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Show {
    /// Who makes it.
    pub author: Option<String>,
    /// The public address of the owner.
    pub email: Option<String>,
    /// The path of the cover below the site's folder.
    pub image: Option<String>,
    /// Apple's categories, `Parent > Child`.
    pub category: Vec<String>,
    /// Whether it holds matter for adults.
    pub explicit: bool,
    /// `episodic` or `serial`.
    #[serde(rename = "type")]
    pub kind: ShowKind,
    /// The copyright notice.
    pub copyright: Option<String>,
    /// The show's `podcast:guid`, where it is not that of `base_url`.
    pub guid: Option<String>,
}

/// In which order a show is heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShowKind {
    /// The newest first.
    #[default]
    Episodic,
    /// From the first on.
    Serial,
}

/// `[torrent]`: how torrents are made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Torrent {
    /// Further announce URLs.
    pub trackers: Vec<String>,
    /// `v1`, `v2` or `hybrid`.
    pub kind: Option<String>,
    /// Bytes of a piece.
    pub piece_length: Option<u64>,
    /// Whether peers come from the trackers alone (BEP 27).
    pub private: bool,
    /// Days for which a torrent is seeded that is not published any more; 0 for none.
    pub retired_days: Option<u32>,
    /// The most bytes of these.
    pub retired_max: Option<Size>,
}

/// `[tracker]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tracker {
    /// The announce URL, where it is not `base_url` + `announce`.
    pub url: Option<String>,
    /// The announce URL over UDP, where the tracker is reached so.
    pub udp_url: Option<String>,
    /// Seconds between the announces of a peer.
    pub interval_secs: Option<u32>,
    /// Networks of proxies whose headers are believed.
    pub trusted_proxies: Vec<String>,
    /// Whether a scrape that names no torrent is answered with all of the site's.
    pub full_scrape: bool,
    /// Whether torrents are tracked that are not of the site.
    pub open: bool,
    /// The most of these.
    pub open_torrents_max: Option<u32>,
    /// The most peers of one address in one torrent, where the tracker is open.
    pub peers_per_address_max: Option<u16>,
    /// The most peers of all torrents.
    pub peers_max: Option<u32>,
    /// Announces a second beyond which peers are asked to return less often.
    pub announces_per_sec_max: Option<u32>,
}

/// `[seed]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Seed {
    /// The addresses at which peers are told the everseed is.
    pub public_addresses: Vec<IpAddr>,
    /// Where peers connect.
    pub listen: Option<String>,
    /// Connections in all.
    pub connections_max: Option<usize>,
    /// Connections from one IPv4 address or one IPv6 /64.
    pub connections_per_address_max: Option<usize>,
    /// Connections that have not said yet which torrent they are for.
    pub half_open_max: Option<usize>,
    /// Bytes a second to all peers together.
    pub upload_rate: Option<Size>,
    /// Bytes a second of each torrent.
    pub upload_rate_per_torrent: Option<Size>,
    /// Bytes that may leave in a calendar month before everything is slowed down.
    pub monthly_quota: Option<Size>,
    /// Bytes a second from then on.
    pub quota_rate: Option<Size>,
    /// Whether peers may come over uTP.
    pub utp: Option<bool>,
    /// Whether leechers that the tracker knows are dialled.
    pub dial: Option<bool>,
    /// Whether peers are told of each other.
    pub pex: Option<bool>,
    /// Whether torrents that are not private are announced to the DHT.
    pub dht: Option<bool>,
    /// Where the DHT is entered, as `host:port`; empty: where the world enters it.
    pub dht_nodes: Vec<String>,
    /// Days within which all media are read again; 0 for never.
    pub scrub_days: Option<u32>,
    /// Bytes a second that are read for it.
    pub scrub_rate: Option<Size>,
    /// What is done about a bad piece: `off`, `ask` or `on`.
    pub heal: Option<String>,
    /// Roots of other copies of the site, from which damaged files are fetched.
    pub mirrors: Vec<String>,
}

/// A number of bytes, bare or with its unit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Written")]
pub enum Size {
    /// As `1500`.
    Bytes(u64),
    /// As `"1.5 kB"`; what is no size as well, to be told with its key.
    Text(String),
}

/// What may stand where a size belongs.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Bytes(u64),
    Less(i64),
    Fraction(f64),
    Text(String),
}

impl From<Written> for Size {
    fn from(written: Written) -> Self {
        match written {
            Written::Bytes(bytes) => Self::Bytes(bytes),
            Written::Less(number) => Self::Text(number.to_string()),
            Written::Fraction(number) => Self::Text(number.to_string()),
            Written::Text(text) => Self::Text(text),
        }
    }
}

/// `[serve]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Serve {
    /// Where HTTP is served.
    pub listen: Option<String>,
    /// Where UDP announces are answered, or `off`.
    pub udp_listen: Option<String>,
    /// Where `/metrics` is served alone.
    pub metrics_listen: Option<String>,
    /// HTTP connections in all.
    pub connections_max: Option<usize>,
    /// The folder of the database, from the configuration's folder.
    pub data: Option<PathBuf>,
    /// A built site to serve, from the configuration's folder.
    pub site: Option<PathBuf>,
}

impl Config {
    /// Reads the configuration at `path`.
    pub fn read(path: &Path) -> Result<Self, Problem> {
        let bytes = fsx::read_at_most(path, BYTES_MAX).map_err(|error| {
            let problem = Problem::at(path, format!("can't be read: {error}"));
            match error.kind() {
                ErrorKind::NotFound => {
                    problem.help("name the folder that holds everseed.toml, or make one with `everseed init FOLDER`")
                }
                ErrorKind::FileTooLarge => problem.help("a configuration holds a few lines"),
                ErrorKind::IsADirectory => problem.help("name the file, such as everseed.toml, in it"),
                _ => problem,
            }
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = before.split(|&byte| byte == b'\n').count();
            Problem::at(path, "is not UTF-8").line(line).help("save it as UTF-8")
        })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Problem> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let config: Self = tomlfile::read(text, path, 1)?;
        Ok(Self { source: (path.to_owned(), text.to_owned()), ..config })
    }

    /// Where the configuration lets the site be written.
    pub fn output(&self) -> Option<PathBuf> {
        Some(self.folder().join(self.site.as_ref()?.output.as_ref()?))
    }

    /// The built site that the configuration lets be served.
    pub fn served_site(&self) -> Option<PathBuf> {
        Some(self.folder().join(self.serve.site.as_ref()?))
    }

    /// Where the configuration lets the database be kept.
    pub fn data(&self) -> Option<PathBuf> {
        Some(self.folder().join(self.serve.data.as_ref()?))
    }

    /// The folder from which paths in the configuration count: its own.
    pub fn folder(&self) -> &Path {
        self.source.0.parent().unwrap_or(Path::new(""))
    }

    /// Notes each announce URL that is none.
    fn check_trackers(&self, faults: &mut Faults) {
        let mut check = |table, key, urls: &[String], schemes| {
            for text in urls {
                let checked = metainfo::check_tracker(text, schemes);
                faults.ok(checked.map_err(|error| self.wrong(table, key, &error).help(error.help())));
            }
        };
        check("tracker", "url", self.tracker.url.as_slice(), &["https", "http"]);
        check("tracker", "udp_url", self.tracker.udp_url.as_slice(), &["udp"]);
        check("torrent", "trackers", &self.torrent.trackers, metainfo::TRACKER_SCHEMES);
    }

    /// The bytes that stand under `key`.
    fn bytes(&self, table: &str, key: &str, size: &Size) -> Result<u64, Problem> {
        match size {
            Size::Bytes(bytes) => Ok(*bytes),
            Size::Text(text) => parse_size(text).ok_or_else(|| {
                self.wrong(table, key, format!("{text:?} is not a number of bytes"))
                    .help("write it as 20 MB or 1.5 GiB")
            }),
        }
    }

    /// How long what is not published any more is kept, and how much of it.
    fn retired(&self) -> Result<retired::Limits, Problem> {
        let torrent = &self.torrent;
        let default = retired::Limits::default();
        let bytes_max =
            torrent.retired_max.as_ref().map(|size| self.bytes("torrent", "retired_max", size)).transpose()?;
        Ok(retired::Limits {
            days: torrent.retired_days.unwrap_or(default.days),
            bytes_max: bytes_max.unwrap_or(default.bytes_max),
        })
    }

    /// A problem of the value of `key` in `[table]`.
    fn wrong(&self, table: &str, key: &str, message: impl std::fmt::Display) -> Problem {
        let (path, text) = &self.source;
        let problem = Problem::at(path, format!("`{key}`: {message}"));
        let mut inside = false;
        let line = text.lines().position(|line| {
            let line = line.trim();
            if let Some(header) = line.strip_prefix('[') {
                inside = header.split(']').next().is_some_and(|name| name.trim() == table);
            }
            inside && line.split('=').next().is_some_and(|name| name.trim() == key)
        });
        match line {
            Some(index) => problem.line(index + 1),
            None => problem,
        }
    }
}

/// What was typed, else what stands in the file.
fn or_configured<T: Clone>(typed: &[T], configured: &[T]) -> Vec<T> {
    if typed.is_empty() { configured.to_vec() } else { typed.to_vec() }
}

/// What is wrong, gathered until all has been looked at.
#[derive(Debug, Default)]
struct Faults(Vec<Problem>);

impl Faults {
    /// What `result` holds; its problem is kept.
    fn ok<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.0.push(problem)).ok()
    }

    /// `value`, where nothing is wrong.
    fn none<T>(self, value: T) -> Result<T, Vec<Problem>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn read(text: &str) -> Result<Config, Problem> {
        Config::parse(text, Path::new("everseed.toml"))
    }

    #[test]
    fn a_site_needs_only_a_title_and_a_base_url() {
        let config = read("[site]\ntitle = \"A\"\nbase_url = \"https://a.example.org/\"").expect("enough");
        assert_eq!(config.site.map(|site| site.title), Some("A".to_owned()));
        assert_eq!(read("").expect("a server's configuration may say nothing of a site").site, None);
    }

    #[test]
    fn a_slip_of_the_hand_is_named_with_what_was_meant() {
        let cases = [
            "[site]\ntitle = \"A\"\nbaseurl = \"x\"",
            "[tracker]\ninterval = 3",
            "[sit]",
            "[seed]\npublic_addresses = [\"x\"]",
            "[show]\ntype = \"weekly\"",
            "[attach]\nfeed = [\"feed.xml\"]",
        ];
        let told = cases.map(|text| read(text).expect_err("wrong").to_string());
        expect![[r#"
            everseed.toml:3: unknown key `baseurl`
              help: did you mean `base_url`?
            everseed.toml:2: unknown key `interval`
              help: did you mean `interval_secs`?
            everseed.toml:1: unknown key `sit`
              help: did you mean `site`?
            everseed.toml:2: `public_addresses`: invalid IP address syntax
              help: write an address without a name or port, as 192.0.2.1 or 2001:db8::1
            everseed.toml:2: `type`: unknown variant `weekly`, expected `episodic` or `serial`
            everseed.toml:2: unknown key `feed`
              help: did you mean `feeds`?"#]]
        .assert_eq(&told.join("\n"));
    }

    /// Every key of the example, the commented ones switched on, is a key that is known.
    #[test]
    fn the_commented_example_reads_as_a_configuration() {
        let text = include_str!("../../site-example/everseed.toml");
        let switched_on: Vec<_> = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(rest) if rest.contains(" = ") && rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest,
                _ => line,
            })
            .collect();
        let config = read(&switched_on.join("\n")).expect("the example is right");
        assert_eq!(config.seed.public_addresses.len(), 2);
        let attach = config.attach.as_ref().expect("a table");
        assert_eq!((attach.media.len(), attach.strict), (1, false));
        config.attach_options(Path::new("."), &TypedAttach::default()).expect("what it says means something");
        assert_eq!(config.serve.data, Some(".everseed".into()));
        read(include_str!("../../templates/init/everseed.toml")).expect("the scaffold is right");
    }
}
