//! `everseed.lock`: what was found out about each medium, beside its `.torrent`, so that a site builds without media.
//!
//! It is made for version control: sorted, one table a release, nothing in it of the machine or the clock. It knows
//! neither how a medium is hashed nor what a site makes of it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fsx;
use crate::id::{self, InfoHash, InfoHashV2, InfoHashes, hex};
use crate::metainfo::{self, TORRENT_BYTES_MAX, Torrent};
use crate::problem::Problem;
use crate::sitepath::is_plain_name;
use crate::tomlfile;
use crate::units::PieceLength;

/// The name of the lock in a show's folder.
pub const FILE_NAME: &str = "everseed.lock";
/// The folder beside the lock that holds a `.torrent` for each of its records.
pub const TORRENTS: &str = "torrents";
/// The version of the format that is written, and the only one that is read.
pub const VERSION: u32 = 1;
/// The most bytes of a lock: some 100,000 records.
const BYTES_MAX: u64 = 64 << 20;
/// What stands at the head of a lock.
const HEAD: &str = "\
# Made by everseed: what is known of each medium. Keep it in version control, with the folder torrents/ beside it;
# then `everseed build --locked` and `everseed attach --locked` need no media. `everseed lock` brings it up to date.
";
/// The lines that version control leaves where two changes met.
const CONFLICT_MARKERS: [&str; 4] = ["<<<<<<< ", "||||||| ", "=======", ">>>>>>> "];

/// What is known of the media of a site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// The show's `podcast:guid`, from when it was first seen.
    pub show_guid: Option<Uuid>,
    /// The releases by their slugs.
    pub media: BTreeMap<String, Record>,
}

/// What is known of the medium of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it was made of.
    pub origin: Origin,
    /// The size of all files, in bytes.
    pub bytes: u64,
    /// The info-hashes of its torrent.
    pub info_hashes: InfoHashes,
    /// Bytes in each piece.
    pub piece_length: PieceLength,
    /// The SHA-384 of a file that feeds name it by.
    pub sha384: Option<[u8; 48]>,
    /// The MIME type of a single file.
    pub mime: Option<String>,
    /// Its duration in milliseconds.
    pub duration_ms: Option<u64>,
    /// Its mean bit rate in bits a second.
    pub bitrate_bps: Option<u32>,
    /// The identity of the episode in feeds, from when it was first seen.
    pub guid: Option<String>,
    /// What the server said of a remote one.
    pub remote: Option<Remote>,
    /// Its chapters.
    pub chapters: Vec<Chapter>,
}

/// What a release was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// One file: its path from the site's folder, or its URL.
    One(String),
    /// The files and folders that its page names, by their paths from the site's folder.
    Several(Vec<String>),
}

/// What the server of a remote medium said of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remote {
    /// The URL at the end of redirects, where that is another one.
    pub direct_url: Option<String>,
    /// Its `ETag`.
    pub etag: Option<String>,
    /// Its `Last-Modified`.
    pub last_modified: Option<String>,
    /// Whether it answers ranges of bytes.
    pub ranges: bool,
}

/// A chapter of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chapter {
    /// Where it begins, in milliseconds.
    pub start_ms: u64,
    /// Its title.
    pub title: String,
}

impl Record {
    /// The first key of those that reading the medium gives in which the two differ.
    pub fn first_difference(&self, other: &Self) -> Option<&'static str> {
        let differs = [
            ("bytes", self.bytes != other.bytes),
            ("info_hash", self.info_hashes != other.info_hashes),
            ("piece_length", self.piece_length != other.piece_length),
            ("sha384", self.sha384 != other.sha384),
            ("mime", self.mime != other.mime),
            ("duration_ms", self.duration_ms != other.duration_ms),
            ("bitrate_bps", self.bitrate_bps != other.bitrate_bps),
            ("chapters", self.chapters != other.chapters),
        ];
        differs.into_iter().find(|(_, differs)| *differs).map(|(key, _)| key)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(source) => f.write_str(source),
            Self::Several(sources) => f.write_str(&sources.join(", ")),
        }
    }
}

impl Lock {
    /// Reads the lock in `folder`; `None` where there is none.
    pub fn read(folder: &Path) -> Result<Option<Self>, Problem> {
        let path = path(folder);
        let bytes = match fsx::read_at_most(&path, BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Problem::at(&path, format!("can't be read: {error}"))),
        };
        let text = String::from_utf8(bytes)
            .map_err(|_| Problem::at(&path, "is not UTF-8").help("take it from version control again"))?;
        Self::parse(&text, &path).map(Some)
    }

    /// Reads the text of a lock, which stands at `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Problem> {
        let conflict = |line: &str| CONFLICT_MARKERS.iter().any(|marker| line.starts_with(marker));
        if let Some(index) = text.lines().position(conflict) {
            let problem = Problem::at(path, "holds a merge conflict that is not resolved").line(index + 1);
            return Err(
                problem.help("keep the records of both sides and take the marked lines out; then `everseed lock`")
            );
        }
        let wire: Wire = tomlfile::read(text, path, 1)?;
        if wire.version != VERSION {
            let problem = Problem::at(path, format!("is of version {}; this everseed reads {VERSION}", wire.version));
            return Err(problem.help("use the version of everseed that wrote it, or make it anew with this one"));
        }
        let mut media = BTreeMap::new();
        for (slug, record) in wire.media {
            let record = record.parse(&slug).map_err(|message| {
                let problem = Problem::at(path, format!("`media.{slug}`: {message}"));
                let header = [format!("[media.{slug}]"), format!("[media.\"{slug}\"]"), format!("[media.'{slug}']")];
                let line = text.lines().position(|line| header.iter().any(|header| line.trim() == header));
                let help = "take it from version control again, or remove the record; then `everseed lock`";
                line.map_or(problem.clone(), |line| problem.line(line + 1)).help(help)
            })?;
            media.insert(slug, record);
        }
        Ok(Self { show_guid: wire.show_guid, media })
    }

    /// The lock as it is written.
    pub fn to_toml(&self) -> String {
        let media = self.media.iter().map(|(slug, record)| (slug.clone(), WireRecord::from(record))).collect();
        let wire = Wire { version: VERSION, show_guid: self.show_guid, media };
        format!("{HEAD}{}", toml::to_string_pretty(&wire).expect("texts, numbers and lists are TOML"))
    }

    /// Writes it into `folder`, where it differs from what is there.
    pub fn write(&self, folder: &Path) -> Result<(), Problem> {
        write_if_other(&path(folder), self.to_toml().as_bytes())
    }
}

/// Where the lock of `folder` stands.
pub fn path(folder: &Path) -> PathBuf {
    beside(folder, Path::new(FILE_NAME))
}

/// What is told where a lock is all that is looked at, and `folder` has none.
pub fn missing(folder: &Path) -> Problem {
    Problem::at(path(folder), "is missing")
        .help("run `everseed lock` where the media are, and keep what it writes in version control")
}

/// Where the `.torrent` of the release `slug` stands.
pub fn torrent_path(folder: &Path, slug: &str) -> PathBuf {
    beside(folder, &Path::new(TORRENTS).join(format!("{slug}.torrent")))
}

/// Without `./` before it, as a person would write it.
fn beside(folder: &Path, path: &Path) -> PathBuf {
    if folder == Path::new(".") { path.to_owned() } else { folder.join(path) }
}

/// Reads the `.torrent` of `record`, which must be the one that the record was made with.
pub fn read_torrent(folder: &Path, slug: &str, record: &Record) -> Result<Torrent, Problem> {
    let path = torrent_path(folder, slug);
    let again = "take it from version control, or run `everseed lock` where the media are";
    let bytes = fsx::read_at_most(&path, TORRENT_BYTES_MAX as u64).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Problem::at(&path, "is missing; everseed.lock has a record of it").help(again),
        _ => Problem::at(&path, format!("can't be read: {error}")),
    })?;
    let torrent = metainfo::parse(bytes).map_err(|error| Problem::at(&path, error.to_string()).help(again))?;
    if torrent.info_hashes == record.info_hashes {
        return Ok(torrent);
    }
    let (is, said) = (names(torrent.info_hashes), names(record.info_hashes));
    Err(Problem::at(&path, format!("has the info-hash {is}, and everseed.lock says {said}")).help(again))
}

/// Keeps the content's hashes as the `.torrent` of the release `slug`: what a site adds to it, trackers and the like, is left
/// out, so that the file changes when the content does, and never else.
pub fn write_torrent(folder: &Path, slug: &str, torrent: &Torrent) -> Result<(), Problem> {
    let bare = metainfo::encode(&metainfo::Draft {
        info: torrent.metainfo.info.clone(),
        trackers: Vec::new(),
        web_seeds: Vec::new(),
        creation_date: None,
        created_by: None,
        comment: None,
    });
    let path = torrent_path(folder, slug);
    let parent = path.parent().expect("a file stands in a folder");
    fs::create_dir_all(parent).map_err(|error| unwritable(parent, &error))?;
    write_if_other(&path, bare.bytes())
}

/// Removes the `.torrent` of a release that is no more.
pub fn remove_torrent(folder: &Path, slug: &str) -> Result<(), Problem> {
    let path = torrent_path(folder, slug);
    fsx::remove_if_there(&path).map_err(|error| Problem::at(&path, format!("can't be removed: {error}")))
}

/// The info-hashes for a person.
pub fn names(hashes: InfoHashes) -> String {
    match hashes {
        InfoHashes::V1(v1) => v1.to_string(),
        InfoHashes::V2(v2) => v2.to_string(),
        InfoHashes::Hybrid(v1, v2) => format!("{v1} and {v2}"),
    }
}

fn write_if_other(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    if fs::read(path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    fsx::write_whole(path, bytes).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Problem {
    Problem::at(path, format!("can't be written: {error}")).help("make it writable, or build with --locked")
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    show_guid: Option<Uuid>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    media: BTreeMap<String, WireRecord>,
}

/// Also the order in which the keys stand.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRecord {
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sources: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    direct_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ranges: Option<bool>,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    info_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info_hash_v2: Option<String>,
    piece_length: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha384: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bitrate_bps: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    guid: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    chapters: Vec<Chapter>,
}

impl From<&Record> for WireRecord {
    fn from(record: &Record) -> Self {
        let (source, sources) = match &record.origin {
            Origin::One(source) => (Some(source.clone()), None),
            Origin::Several(sources) => (None, Some(sources.clone())),
        };
        let remote = record.remote.as_ref();
        Self {
            source,
            sources,
            direct_url: remote.and_then(|remote| remote.direct_url.clone()),
            etag: remote.and_then(|remote| remote.etag.clone()),
            last_modified: remote.and_then(|remote| remote.last_modified.clone()),
            ranges: remote.map(|remote| remote.ranges),
            bytes: record.bytes,
            info_hash: record.info_hashes.v1().map(|hash| hash.to_string()),
            info_hash_v2: record.info_hashes.v2().map(|hash| hash.to_string()),
            piece_length: record.piece_length.bytes(),
            sha384: record.sha384.map(|hash| hex(&hash)),
            mime: record.mime.clone(),
            duration_ms: record.duration_ms,
            bitrate_bps: record.bitrate_bps,
            guid: record.guid.clone(),
            chapters: record.chapters.clone(),
        }
    }
}

impl WireRecord {
    fn parse(self, slug: &str) -> Result<Record, String> {
        if !is_plain_name(slug) {
            return Err("its name is no slug".into());
        }
        let v1 = self.info_hash.map(|text| text.parse::<InfoHash>()).transpose().map_err(|error| error.to_string())?;
        let v2 =
            self.info_hash_v2.map(|text| text.parse::<InfoHashV2>()).transpose().map_err(|error| error.to_string())?;
        let remote = self.ranges.map(|ranges| Remote {
            direct_url: self.direct_url,
            etag: self.etag,
            last_modified: self.last_modified,
            ranges,
        });
        let sha384 = |text: String| id::from_hex(&text).ok_or("`sha384` has not 96 hexadecimal digits");
        Ok(Record {
            origin: match (self.source, self.sources) {
                (Some(source), None) => Origin::One(source),
                (None, Some(sources)) => Origin::Several(sources),
                _ => return Err("it has not one of `source` and `sources`".into()),
            },
            bytes: self.bytes,
            info_hashes: InfoHashes::of(v1, v2).ok_or("it has neither `info_hash` nor `info_hash_v2`")?,
            piece_length: PieceLength::new(self.piece_length.into()).map_err(|error| error.to_string())?,
            sha384: self.sha384.map(sha384).transpose()?,
            mime: self.mime,
            duration_ms: self.duration_ms,
            bitrate_bps: self.bitrate_bps,
            guid: self.guid,
            remote,
            chapters: self.chapters,
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::metainfo::{Draft, Hashes, Info, Layout};

    fn torrent(byte: u8) -> Torrent {
        metainfo::encode(&Draft {
            info: Info {
                name: "ep003.mp3".into(),
                piece_length: PieceLength::new(16384).expect("a power of two"),
                private: false,
                source: None,
                layout: Layout::Single(1),
                hashes: Hashes::V1(vec![[byte; 20]]),
            },
            trackers: vec![vec!["https://show.example.org/announce".into()]],
            web_seeds: vec![],
            creation_date: Some(1),
            created_by: Some("everseed".into()),
            comment: None,
        })
    }

    fn record(origin: Origin) -> Record {
        Record {
            origin,
            bytes: 1,
            info_hashes: torrent(1).info_hashes,
            piece_length: PieceLength::new(16384).expect("a power of two"),
            sha384: None,
            mime: None,
            duration_ms: None,
            bitrate_bps: None,
            guid: None,
            remote: None,
            chapters: Vec::new(),
        }
    }

    fn lock() -> Lock {
        let local = Record {
            sha384: Some([0xab; 48]),
            mime: Some("audio/mpeg".into()),
            duration_ms: Some(60_012),
            bitrate_bps: Some(64_000),
            guid: Some("cb5eda7b-b9a4-5b82-a2b0-55e2e9d9e0ac".into()),
            chapters: vec![Chapter { start_ms: 0, title: "The \"door\"".into() }],
            ..record(Origin::One("content/ep003.mp3".into()))
        };
        let remote = Remote {
            direct_url: Some("https://media.example.org/ep 4.mp3".into()),
            etag: Some("\"x\"".into()),
            last_modified: Some("Fri, 01 May 2026 00:00:00 GMT".into()),
            ranges: true,
        };
        let far = Record {
            info_hashes: InfoHashes::Hybrid(InfoHash([3; 20]), InfoHashV2([4; 32])),
            remote: Some(remote),
            ..record(Origin::One("https://example.org/ep004.mp3".into()))
        };
        let several = record(Origin::Several(vec!["content/set/a".into(), "content/set/b".into()]));
        let media = [("set".to_owned(), several), ("ep003".to_owned(), local), ("ep 4.x".to_owned(), far)];
        Lock { show_guid: Some(Uuid::nil()), media: media.into() }
    }

    #[test]
    fn it_is_sorted_toml_and_reads_back_the_same() {
        let text = lock().to_toml();
        expect![[r##"
            # Made by everseed: what is known of each medium. Keep it in version control, with the folder torrents/ beside it;
            # then `everseed build --locked` and `everseed attach --locked` need no media. `everseed lock` brings it up to date.
            version = 1
            show_guid = "00000000-0000-0000-0000-000000000000"

            [media."ep 4.x"]
            source = "https://example.org/ep004.mp3"
            direct_url = "https://media.example.org/ep 4.mp3"
            etag = '"x"'
            last_modified = "Fri, 01 May 2026 00:00:00 GMT"
            ranges = true
            bytes = 1
            info_hash = "0303030303030303030303030303030303030303"
            info_hash_v2 = "0404040404040404040404040404040404040404040404040404040404040404"
            piece_length = 16384

            [media.ep003]
            source = "content/ep003.mp3"
            bytes = 1
            info_hash = "ae3231adaa0086600017c912dc2fecc6baa11870"
            piece_length = 16384
            sha384 = "abababababababababababababababababababababababababababababababababababababababababababababababab"
            mime = "audio/mpeg"
            duration_ms = 60012
            bitrate_bps = 64000
            guid = "cb5eda7b-b9a4-5b82-a2b0-55e2e9d9e0ac"

            [[media.ep003.chapters]]
            start_ms = 0
            title = 'The "door"'

            [media.set]
            sources = [
                "content/set/a",
                "content/set/b",
            ]
            bytes = 1
            info_hash = "ae3231adaa0086600017c912dc2fecc6baa11870"
            piece_length = 16384
        "##]].assert_eq(&text);
        assert_eq!(Lock::parse(&text, Path::new("everseed.lock")), Ok(lock()));
    }

    #[test]
    fn what_is_wrong_in_it_is_told_with_its_line_and_a_remedy() {
        let text = lock().to_toml();
        let cases = [
            text.replacen("[media.ep003]", "<<<<<<< HEAD\n[media.ep003]", 1),
            text.replace("version = 1", "version = 2"),
            text.replace("sha384 = \"ab", "sha384 = \"xy"),
            text.replace("info_hash_v2 = \"04", "info_hash_v2 = \"4"),
            text.replace("source = \"content/ep003.mp3\"\n", ""),
            text.replace("piece_length = 16384", "piece_length = 5"),
            text.replace("[media.set]", "[media.\"../set\"]"),
            text.replace("duration_ms", "duration"),
            text.replace("bytes = 1\n", ""),
            text[..text.len() - 3].to_owned(),
        ];
        let told = cases.map(|text| match Lock::parse(&text, Path::new("everseed.lock")) {
            Ok(lock) => panic!("it is wrong: {lock:?}"),
            Err(problem) => problem.to_string(),
        });
        expect![[r#"
            everseed.lock:17: holds a merge conflict that is not resolved
              help: keep the records of both sides and take the marked lines out; then `everseed lock`
            everseed.lock: is of version 2; this everseed reads 1
              help: use the version of everseed that wrote it, or make it anew with this one
            everseed.lock:17: `media.ep003`: `sha384` has not 96 hexadecimal digits
              help: take it from version control again, or remove the record; then `everseed lock`
            everseed.lock:6: `media.ep 4.x`: not an info-hash of 64 hexadecimal digits: "404040404040404040404040404040404040404040404040404040404040404"
              help: take it from version control again, or remove the record; then `everseed lock`
            everseed.lock:17: `media.ep003`: it has not one of `source` and `sources`
              help: take it from version control again, or remove the record; then `everseed lock`
            everseed.lock:6: `media.ep 4.x`: a piece length is a power of two from 16384 to 16777216 bytes, not 5
              help: take it from version control again, or remove the record; then `everseed lock`
            everseed.lock:32: `media.../set`: its name is no slug
              help: take it from version control again, or remove the record; then `everseed lock`
            everseed.lock:24: unknown key `duration`
              help: did you mean `duration_ms`?
            everseed.lock:6: `bytes` is missing
              help: add a line `bytes = ...`
            everseed.lock:32: `media.set`: a piece length is a power of two from 16384 to 16777216 bytes, not 163
              help: take it from version control again, or remove the record; then `everseed lock`"#]].assert_eq(&told.join("\n"));
    }

    #[test]
    fn a_torrent_is_kept_without_what_its_site_adds_and_is_known_again() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let record = record(Origin::One("content/ep003.mp3".into()));
        let read = || {
            read_torrent(dir.path(), "ep003", &record)
                .map_err(|problem| problem.to_string().replace(&dir.path().display().to_string(), "[folder]"))
        };
        expect![[r#"
            [folder]/torrents/ep003.torrent: is missing; everseed.lock has a record of it
              help: take it from version control, or run `everseed lock` where the media are"#]]
        .assert_eq(&read().expect_err("not there yet"));
        write_torrent(dir.path(), "ep003", &torrent(1)).expect("written");
        let kept = read().expect("the torrent");
        assert_eq!(kept.metainfo.info, torrent(1).metainfo.info);
        assert_eq!((kept.metainfo.trackers.len(), kept.metainfo.creation_date), (0, None));
        write_torrent(dir.path(), "ep003", &torrent(2)).expect("written");
        expect![[r#"
            [folder]/torrents/ep003.torrent: has the info-hash 58a2d02e36002601f67754757ced9da020416f0c, and everseed.lock says ae3231adaa0086600017c912dc2fecc6baa11870
              help: take it from version control, or run `everseed lock` where the media are"#]].assert_eq(&read().expect_err("another torrent"));
        fs::write(torrent_path(dir.path(), "ep003"), "d4:info").expect("written");
        expect![[r#"
            [folder]/torrents/ep003.torrent: not a torrent: byte 7: the data end inside a value
              help: take it from version control, or run `everseed lock` where the media are"#]]
        .assert_eq(&read().expect_err("no torrent"));
        remove_torrent(dir.path(), "ep003").and_then(|()| remove_torrent(dir.path(), "ep003")).expect("no more");
    }

    #[test]
    fn a_folder_without_a_lock_has_none_and_one_that_is_written_is_read() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(Lock::read(dir.path()), Ok(None));
        lock().write(dir.path()).expect("written");
        assert_eq!(Lock::read(dir.path()), Ok(Some(lock())));
        fs::write(path(dir.path()), b"\xff").expect("written");
        Lock::read(dir.path()).expect_err("not UTF-8");
    }
}
