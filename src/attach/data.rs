//! `data/everseed.json`: the links of each medium, for templates of generators that want them before they render.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;

use super::plan::Planner;
use crate::feed;
use crate::fsx;
use crate::output;
use crate::problem::Problem;
use crate::units::whole_secs;

/// The version of the format.
pub const VERSION: u32 = 1;

/// What templates find.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Data {
    /// The version of the format: 1.
    pub version: u32,
    /// The address of the feed for torrent clients.
    pub torrents_feed: String,
    /// The media by their slugs.
    pub media: BTreeMap<String, Medium>,
}

/// A medium for templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Medium {
    /// Its address without tracking prefixes.
    pub url: String,
    /// The address of its `.torrent`.
    pub torrent: String,
    /// Its magnet link.
    pub magnet: String,
    /// The info-hash that it goes by.
    pub info_hash: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its MIME type.
    pub mime: String,
    /// Its duration in whole seconds, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// Its integrity, `sha384-` and base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrity: Option<String>,
}

impl Data {
    /// What is planned, for templates.
    pub fn of(planner: &Planner) -> Self {
        let media = planner.made().iter().map(|made| {
            let file = &made.release.files[0];
            let links = planner.links(made);
            let medium = Medium {
                url: made.medium.address.direct_url.clone(),
                torrent: links.torrent_url,
                magnet: links.magnet,
                info_hash: made.release.torrent.info_hashes.main().to_string(),
                bytes: file.bytes,
                mime: file.facts.mime.clone(),
                duration: file.facts.duration_ms.map(whole_secs),
                integrity: file.sha384.as_ref().map(feed::integrity),
            };
            (made.medium.slug.clone(), medium)
        });
        Self { version: VERSION, torrents_feed: planner.torrents_feed_url(), media: media.collect() }
    }

    /// Writes it to `path`, where it differs from what is there.
    pub fn write(&self, path: &Path) -> Result<(), Problem> {
        let mut json = serde_json::to_string_pretty(self).expect("texts and numbers are JSON");
        json.push('\n');
        match fs::read(path) {
            Ok(found) if found == json.as_bytes() => return Ok(()),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(output::unwritable(path, &error)),
            _ => {}
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let made = if folder.as_os_str().is_empty() { Ok(()) } else { fs::create_dir_all(folder) };
        made.and_then(|()| fsx::write_whole(path, json.as_bytes())).map_err(|error| output::unwritable(path, &error))
    }
}
