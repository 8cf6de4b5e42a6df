//! `everseed.json`: the contract between publishing and serving.
//!
//! Whoever publishes writes it last; `serve` knows of a site only what stands in it and in the `.torrent` files it
//! names. Any other tool may write one. Unknown fields are ignored on reading; an unknown version is refused.
//!
//! ```
//! use everseed::id::InfoHashes;
//! use everseed::manifest::{Entry, File, Manifest};
//! use everseed::sitepath::SitePath;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let manifest = Manifest {
//!     generator: "my-generator 1.0".into(),
//!     title: "A show".into(),
//!     base_url: "https://show.example.org/".into(),
//!     torrents: vec![Entry {
//!         info_hashes: InfoHashes::V1("0123456789abcdef0123456789abcdef01234567".parse()?),
//!         name: "ep001.mp3".into(),
//!         title: "The first episode".into(),
//!         torrent: SitePath::new("torrents/ep001.torrent")?,
//!         magnet: "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567".into(),
//!         bytes: 40_000,
//!         files: vec![File { path: SitePath::new("audio/ep001.mp3")?, bytes: 40_000, url: None }],
//!         page: None,
//!         published: Some("2026-05-01".into()),
//!         retired: None,
//!     }],
//! };
//! let json = manifest.to_json();
//! assert!(json.contains(r#""torrent": "torrents/ep001.torrent""#));
//! assert_eq!(Manifest::parse(json.as_bytes())?, manifest);
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::io::{self, BufReader, Read as _};
use std::marker::PhantomData;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::id::{InfoHashes, NotAnInfoHash};
use crate::sitepath::SitePath;

/// The name of the manifest below a site's root.
pub const FILE_NAME: &str = "everseed.json";
/// The paths below a site's root that the server answers by itself: a file that a publisher puts there is not seen.
pub const SERVED: [&str; 9] = [
    "announce",
    "api/series.json",
    "api/swarms.json",
    "healthz",
    "metrics",
    "scrape",
    "swarms",
    "swarms.css",
    "swarms.js",
];
/// How the generator of a manifest ends where everseed was attached to the site of another generator: its other files are
/// that one's.
pub const ATTACHED: &str = " attach";
/// The version of the format that is written, and the only one that is read.
pub const VERSION: u32 = 1;
/// The most bytes a manifest has.
pub const BYTES_MAX: u64 = 64 << 20;
/// The most torrents a manifest names.
pub const TORRENTS_MAX: usize = 100_000;

/// What a site publishes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The program that wrote it, with its version.
    pub generator: String,
    /// The title of the site.
    pub title: String,
    /// The absolute URL of the site's root, with a `/` at its end.
    pub base_url: String,
    /// The torrents, newest first; those that are retired last.
    pub torrents: Vec<Entry>,
}

/// A torrent of the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The info-hashes: of v1 (BEP 3), of v2 (BEP 52), or both.
    pub info_hashes: InfoHashes,
    /// The torrent's `name`.
    pub name: String,
    /// The title people know it by.
    pub title: String,
    /// The path of the `.torrent` below the site's root.
    pub torrent: SitePath,
    /// The magnet link (BEP 9).
    pub magnet: String,
    /// The size of all files, in bytes.
    pub bytes: u64,
    /// The files, in the torrent's order.
    pub files: Vec<File>,
    /// The absolute URL of the page about it.
    pub page: Option<String>,
    /// The day or moment of publication, in the format of RFC 3339.
    pub published: Option<String>,
    /// The moment at which the site stopped publishing it, in the format of RFC 3339, where it has: another one took its place, or
    /// its page is gone. It is tracked and seeded as every other for those who still have its link, and nothing of the site leads to it.
    pub retired: Option<String>,
}

/// A file of a torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path below the site's root.
    pub path: SitePath,
    /// Its size in bytes.
    pub bytes: u64,
    /// Where it is published, if that is elsewhere than at its path: then it need not be there.
    pub url: Option<String>,
}

/// Why a text is no manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Not JSON, or a field is missing or of another type.
    Json {
        /// Where, counted from 1.
        line: usize,
        /// What.
        message: String,
    },
    /// Written for another version of the format.
    Version(u64),
    /// A field whose value can't be what it says.
    Field {
        /// Which torrent, counted from 0.
        torrent: usize,
        /// What is wrong.
        message: String,
    },
    /// More torrents than [`TORRENTS_MAX`].
    TooManyTorrents(usize),
}

impl Error {
    /// The line of the fault, where it is known.
    pub fn line(&self) -> Option<usize> {
        if let Self::Json { line, .. } = self { Some(*line) } else { None }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Version(_) => "use the version of everseed that built this site, or build it again with this one",
            _ => "build the site again; the format is described in the README",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json { message, .. } => write!(f, "not a manifest: {message}"),
            Self::Version(version) => {
                write!(f, "a manifest of version {version}; this everseed reads version {VERSION}")
            }
            Self::Field { torrent, message } => write!(f, "torrents[{torrent}]: {message}"),
            Self::TooManyTorrents(count) => write!(f, "{count} torrents; at most {TORRENTS_MAX} are served"),
        }
    }
}

impl std::error::Error for Error {}

/// Where the manifest stands below a site's root.
pub fn place() -> SitePath {
    SitePath::new(FILE_NAME).expect("a plain name")
}

impl Manifest {
    /// Reads a manifest.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        // The version first: a later one may hold anything else.
        let Version { version } = serde_json::from_slice(json).map_err(|error| json_error(&error))?;
        if version != u64::from(VERSION) {
            return Err(Error::Version(version));
        }
        let whole = serde_json::from_slice::<Whole<Entry>>(json).map_err(|error| json_error(&error))?;
        whole.manifest().map(|(manifest, torrents)| Self { torrents, ..manifest })
    }

    /// Reads a manifest of at most [`BYTES_MAX`], without holding its text. The outer error is that of the file.
    pub fn read(file: impl io::Read + io::Seek) -> io::Result<Result<Self, Error>> {
        let manifest = |(manifest, torrents)| Self { torrents, ..manifest };
        Self::read_as(file).map(|read| read.map(manifest))
    }

    /// The same, with each torrent made into what it is kept as, while it is read: of thousands there are never two
    /// copies. They stand beside the manifest, which names none.
    pub fn read_as<T: From<Entry>>(mut file: impl io::Read + io::Seek) -> io::Result<Result<(Self, Vec<T>), Error>> {
        let version = serde_json::from_reader(text(&mut file)?);
        let read = match version {
            Ok(Version { version }) if version != u64::from(VERSION) => return Ok(Err(Error::Version(version))),
            Ok(_) => serde_json::from_reader::<_, Whole<T>>(text(&mut file)?),
            Err(error) => Err(error),
        };
        match read {
            Err(error) if error.is_io() => Err(error.into()),
            read => Ok(read.map_err(|error| json_error(&error)).and_then(Whole::manifest)),
        }
    }

    /// The manifest as indented JSON with a line feed at its end.
    pub fn to_json(&self) -> String {
        let wire = Wire {
            version: VERSION,
            generator: self.generator.clone(),
            title: self.title.clone(),
            base_url: self.base_url.clone(),
            torrents: self.torrents.iter().map(WireEntry::from).collect(),
        };
        let mut json = serde_json::to_string_pretty(&wire).expect("strings and numbers are JSON");
        json.push('\n');
        json
    }
}

fn text<F: io::Read + io::Seek>(file: &mut F) -> io::Result<impl io::Read> {
    file.rewind()?;
    Ok(BufReader::new(file.take(BYTES_MAX)))
}

fn json_error(error: &serde_json::Error) -> Error {
    Error::Json { line: error.line(), message: error.to_string() }
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

#[derive(Serialize)]
struct Wire {
    version: u32,
    generator: String,
    title: String,
    base_url: String,
    torrents: Vec<WireEntry>,
}

#[derive(Deserialize)]
#[serde(bound = "T: From<Entry>")]
struct Whole<T> {
    #[serde(default)]
    generator: String,
    #[serde(default)]
    title: String,
    base_url: String,
    torrents: Entries<T>,
}

impl<T> Whole<T> {
    fn manifest(self) -> Result<(Manifest, Vec<T>), Error> {
        let Self { generator, title, base_url, torrents } = self;
        Ok((Manifest { generator, title, base_url, torrents: Vec::new() }, torrents.0?))
    }
}

/// The torrents, each taken as it is read.
struct Entries<T>(Result<Vec<T>, Error>);

impl<'de, T: From<Entry>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: From<Entry>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut wires: A) -> Result<Entries<T>, A::Error> {
        let (mut entries, mut count) = (Ok(Vec::new()), 0);
        // To the end: what is no JSON is told before what is wrong in it.
        while let Some(wire) = wires.next_element::<WireEntry>()? {
            if let Ok(parsed) = &mut entries {
                match wire.parse() {
                    Ok(entry) => parsed.push(entry.into()),
                    Err(message) => entries = Err(Error::Field { torrent: count, message }),
                }
            }
            count += 1;
            if count > TORRENTS_MAX {
                entries = Err(Error::TooManyTorrents(count));
            }
        }
        Ok(Entries(entries))
    }
}

#[derive(Serialize, Deserialize)]
struct WireEntry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    info_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    info_hash_v2: Option<String>,
    name: String,
    #[serde(default)]
    title: String,
    torrent: String,
    magnet: String,
    bytes: u64,
    files: Vec<WireFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retired: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireFile {
    path: String,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl From<&Entry> for WireEntry {
    fn from(entry: &Entry) -> Self {
        Self {
            info_hash: entry.info_hashes.v1().map(|hash| hash.to_string()),
            info_hash_v2: entry.info_hashes.v2().map(|hash| hash.to_string()),
            name: entry.name.clone(),
            title: entry.title.clone(),
            torrent: entry.torrent.to_string(),
            magnet: entry.magnet.clone(),
            bytes: entry.bytes,
            files: entry.files.iter().map(WireFile::from).collect(),
            page: entry.page.clone(),
            published: entry.published.clone(),
            retired: entry.retired.clone(),
        }
    }
}

impl From<&File> for WireFile {
    fn from(file: &File) -> Self {
        Self { path: file.path.to_string(), bytes: file.bytes, url: file.url.clone() }
    }
}

impl WireEntry {
    fn parse(self) -> Result<Entry, String> {
        let files = self.files.into_iter().map(|file| {
            let path = SitePath::new(file.path).map_err(|error| error.to_string())?;
            Ok(File { path, bytes: file.bytes, url: file.url })
        });
        let wrong = |error: NotAnInfoHash| error.to_string();
        let v1 = self.info_hash.map(|text| text.parse()).transpose().map_err(wrong)?;
        let v2 = self.info_hash_v2.map(|text| text.parse()).transpose().map_err(wrong)?;
        Ok(Entry {
            info_hashes: InfoHashes::of(v1, v2).ok_or("it has neither `info_hash` nor `info_hash_v2`")?,
            torrent: SitePath::new(self.torrent).map_err(|error| error.to_string())?,
            files: files.collect::<Result<_, String>>()?,
            name: self.name,
            title: self.title,
            magnet: self.magnet,
            bytes: self.bytes,
            page: self.page,
            published: self.published,
            retired: self.retired,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{InfoHash, InfoHashV2};
    use expect_test::expect;

    fn manifest() -> Manifest {
        let path = |text: &str| SitePath::new(text).expect("below the root");
        Manifest {
            generator: "everseed 0.1.0".into(),
            title: "A show".into(),
            base_url: "https://show.example.org/".into(),
            torrents: vec![Entry {
                info_hashes: InfoHashes::V1(InfoHash([0xab; 20])),
                name: "ep1.mp3".into(),
                title: "One".into(),
                torrent: path("torrents/ep1.torrent"),
                magnet: "magnet:?xt=urn:btih:abab".into(),
                bytes: 3,
                files: vec![File { path: path("media/ep1.mp3"), bytes: 3, url: None }],
                page: Some("https://show.example.org/episodes/ep1/".into()),
                published: Some("2026-05-01".into()),
                retired: None,
            }],
        }
    }

    fn error(json: &str) -> String {
        let error = Manifest::parse(json.as_bytes()).expect_err("no manifest");
        format!("{error} [{:?}] {}", error.line(), error.help())
    }

    #[test]
    fn it_is_this_json_and_reads_back_the_same() {
        let json = manifest().to_json();
        expect![[r#"
            {
              "version": 1,
              "generator": "everseed 0.1.0",
              "title": "A show",
              "base_url": "https://show.example.org/",
              "torrents": [
                {
                  "info_hash": "abababababababababababababababababababab",
                  "name": "ep1.mp3",
                  "title": "One",
                  "torrent": "torrents/ep1.torrent",
                  "magnet": "magnet:?xt=urn:btih:abab",
                  "bytes": 3,
                  "files": [
                    {
                      "path": "media/ep1.mp3",
                      "bytes": 3
                    }
                  ],
                  "page": "https://show.example.org/episodes/ep1/",
                  "published": "2026-05-01"
                }
              ]
            }
        "#]]
        .assert_eq(&json);
        assert_eq!(Manifest::parse(json.as_bytes()), Ok(manifest()));
        assert_eq!(Manifest::read(io::Cursor::new(json)).expect("no file fails"), Ok(manifest()));
    }

    #[test]
    fn a_torrent_is_named_by_the_info_hashes_that_it_has() {
        let (v1, v2) = (InfoHash([1; 20]), InfoHashV2([2; 32]));
        for hashes in [InfoHashes::V1(v1), InfoHashes::V2(v2), InfoHashes::Hybrid(v1, v2)] {
            let mut manifest = manifest();
            manifest.torrents[0].info_hashes = hashes;
            manifest.torrents[0].files[0].url = Some("https://media.example.org/ep1.mp3".into());
            let json = manifest.to_json();
            assert_eq!(json.contains("\"info_hash\""), hashes.v1().is_some(), "{json}");
            assert_eq!(json.contains("\"info_hash_v2\""), hashes.v2().is_some(), "{json}");
            assert_eq!(Manifest::parse(json.as_bytes()), Ok(manifest));
        }
        let nameless = manifest().to_json().replace("info_hash", "other_hash");
        expect!["torrents[0]: it has neither `info_hash` nor `info_hash_v2` [None] build the site again; the format is described in the README"]
            .assert_eq(&error(&nameless));
    }

    #[test]
    fn a_torrent_that_was_retired_says_when() {
        let mut manifest = manifest();
        manifest.torrents[0].retired = Some("2026-06-01T12:00:00Z".into());
        let json = manifest.to_json();
        assert!(
            json.contains("\"published\": \"2026-05-01\",\n      \"retired\": \"2026-06-01T12:00:00Z\"\n"),
            "{json}"
        );
        assert_eq!(Manifest::parse(json.as_bytes()), Ok(manifest));
    }

    #[test]
    fn unknown_fields_are_ignored_and_optional_ones_may_be_missing() {
        let json = r#"{"version": 1, "later": {}, "base_url": "http://a/", "torrents": []}"#;
        assert_eq!(Manifest::parse(json.as_bytes()).map(|m| m.torrents.len()), Ok(0));
    }

    #[test]
    fn what_is_no_manifest_says_why_and_what_to_do() {
        let outside = manifest().to_json().replace("media/ep1.mp3", "../etc/passwd");
        let hash = manifest().to_json().replace("abababababababababababababababababababab", "xyz");
        let cases = ["", "{\n\"version\": 1,\n}", "{}", r#"{"version": 2, "anything": true}"#, &outside, &hash];
        expect![[r#"
            not a manifest: EOF while parsing a value at line 1 column 0 [Some(1)] build the site again; the format is described in the README
            not a manifest: trailing comma at line 3 column 1 [Some(3)] build the site again; the format is described in the README
            not a manifest: missing field `version` at line 1 column 2 [Some(1)] build the site again; the format is described in the README
            a manifest of version 2; this everseed reads version 1 [None] use the version of everseed that built this site, or build it again with this one
            torrents[0]: "../etc/passwd" is not a path below the site's root (no `..`, no leading `/`, no `\`) [None] build the site again; the format is described in the README
            torrents[0]: not an info-hash of 40 hexadecimal digits: "xyz" [None] build the site again; the format is described in the README"#]]
        .assert_eq(&cases.map(error).join("\n"));
    }
}
