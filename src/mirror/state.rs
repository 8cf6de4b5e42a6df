//! What a mirror remembers between two runs beside the site itself: the document of the show, and what tells whether it
//! is still the same. All of it can be had again; without it more is asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::wish::DOCUMENT_BYTES_MAX;
use crate::fetch::Validators;
use crate::fsx;
use crate::id::InfoHash;
use crate::problem::Problem;
use crate::sitepath::SitePath;

/// The file below the data folder.
const FILE_NAME: &str = "mirror.json";
/// The document of the show, as it came.
const DOCUMENT: &str = "mirror.document";
/// The most bytes of the file.
const BYTES_MAX: u64 = 64 << 20;
/// The version of its format; another one is begun anew.
const VERSION: u32 = 1;

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    version: u32,
    /// The show, as it was typed.
    pub source: String,
    /// Where its document was found.
    #[serde(default)]
    pub document: Option<String>,
    /// Where it stands, after redirects, where that is elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redirected: Option<String>,
    #[serde(default)]
    said: Seen,
    /// The address of this mirror that the torrents name which are handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// The torrents that feeds name without an info-hash, by their URLs.
    #[serde(default)]
    torrents: BTreeMap<String, SeenTorrent>,
    /// Paths below the site's root whose files are the mirror's, whether its manifest names them or not: they are being
    /// put there, or removed.
    #[serde(default)]
    pub ours: Vec<String>,
}

/// What told a document from a later one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SeenTorrent {
    info_hash: String,
    #[serde(flatten)]
    seen: Seen,
}

impl Seen {
    fn of(validators: &Validators) -> Self {
        let Validators { bytes, etag, last_modified } = validators.clone();
        Self { bytes, etag, last_modified }
    }

    fn validators(&self) -> Validators {
        let Self { bytes, etag, last_modified } = self.clone();
        Validators { bytes, etag, last_modified }
    }
}

impl State {
    /// Nothing is known of the show at `source` yet; the files at the paths `ours` are the mirror's.
    pub fn of(source: &str, ours: Vec<String>) -> Self {
        Self { source: source.to_owned(), ours, ..Self::default() }
    }

    /// What is remembered below `data`; nothing where that can't be read.
    pub fn read(data: &Path) -> Self {
        let bytes = fsx::read_at_most(&data.join(FILE_NAME), BYTES_MAX).unwrap_or_default();
        serde_json::from_slice(&bytes).ok().filter(|state: &Self| state.version == VERSION).unwrap_or_default()
    }

    /// Writes it below `data`.
    pub fn write(&mut self, data: &Path) -> Result<(), Problem> {
        self.version = VERSION;
        let json = serde_json::to_vec_pretty(self).expect("strings and numbers are JSON");
        write(&data.join(FILE_NAME), &json)
    }

    /// What told the document from a later one.
    pub fn validators(&self) -> Validators {
        self.said.validators()
    }

    /// The document that was last found, with the address from which its relative ones count.
    pub fn read_document(&self, data: &Path) -> Option<(String, Vec<u8>)> {
        let bytes = fsx::read_at_most(&data.join(DOCUMENT), DOCUMENT_BYTES_MAX).ok()?;
        Some((self.redirected.as_ref().or(self.document.as_ref())?.clone(), bytes))
    }

    /// Keeps a document that was asked for at `url` and stands at `final_url`. The state is to be written after it.
    pub fn keep_document(
        &mut self,
        data: &Path,
        url: &str,
        final_url: &str,
        document: &[u8],
        validators: &Validators,
    ) -> Result<(), Problem> {
        write(&data.join(DOCUMENT), document)?;
        self.document = Some(url.to_owned());
        self.redirected = Some(final_url.to_owned()).filter(|last| last != url);
        self.said = Seen::of(validators);
        Ok(())
    }

    /// The torrent that stood at `url`, and what told it from a later one.
    pub fn torrent_at(&self, url: &str) -> Option<(InfoHash, Validators)> {
        let seen = self.torrents.get(url)?;
        Some((seen.info_hash.parse().ok()?, seen.seen.validators()))
    }

    /// Remembers the torrent that stands at `url`.
    pub fn put_torrent(&mut self, url: &str, hash: InfoHash, validators: &Validators) {
        self.torrents.insert(url.to_owned(), SeenTorrent { info_hash: hash.to_string(), seen: Seen::of(validators) });
    }

    /// Forgets the torrents at other URLs than these.
    pub fn retain_torrents(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.torrents.retain(|url, _| is_wanted(url));
    }

    /// The paths of [`State::ours`].
    pub fn own_paths(&self) -> Vec<SitePath> {
        self.ours.iter().filter_map(|path| SitePath::new(path.as_str()).ok()).collect()
    }
}

fn write(path: &PathBuf, bytes: &[u8]) -> Result<(), Problem> {
    fsx::write_whole(path, bytes).map_err(|error| Problem::at(path, format!("can't be written: {error}")))
}
