//! A retired torrent as a site has it: what stands below its root, and in its manifest. It writes nothing.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::Serialize;

use super::kept::{Kept, name_of};
use super::record::moment;
use super::{FOLDER, Limits, torrent_place};
use crate::GENERATOR;
use crate::baseurl::BaseUrl;
use crate::manifest;
use crate::metainfo::{self, Draft, Kind, Layout, Torrent};
use crate::sitepath::SitePath;

/// The site that a torrent stands in.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// Where its root is.
    pub base_url: &'a BaseUrl,
    /// Its announce URLs, in tiers (BEP 12).
    pub trackers: &'a [Vec<String>],
    /// The absolute URLs of the pages that it has.
    pub pages: &'a HashSet<&'a str>,
}

/// A torrent in a site.
#[derive(Debug)]
pub struct Listed {
    /// What the manifest says of it.
    pub entry: manifest::Entry,
    /// Its `.torrent`.
    pub torrent: Vec<u8>,
    /// Where its files come from, each with its place in the site.
    pub media: Vec<(PathBuf, SitePath)>,
}

/// A retired torrent, as those who build are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The title people know it by.
    pub title: String,
    /// The info-hash that it goes by.
    pub info_hash: String,
    /// The bytes of its files.
    pub bytes: u64,
    /// When it was retired.
    pub retired: String,
    /// Until when it is seeded, if there is room for so long.
    pub until: String,
}

impl Kept {
    /// It as it stands in a site.
    pub fn listed(&self, scene: Scene) -> Listed {
        let (Self { torrent, record, files, .. }, name) = (self, name_of(&self.torrent));
        let torrent = dressed(torrent, &self.web_seed(scene.base_url, &name), scene);
        let file = |((_, place), file): (&(PathBuf, SitePath), &super::record::File)| manifest::File {
            path: place.clone(),
            bytes: file.bytes,
            url: None,
        };
        let entry = manifest::Entry {
            info_hashes: torrent.info_hashes,
            name: torrent.metainfo.info.name.clone(),
            title: record.title.clone(),
            torrent: torrent_place(torrent.info_hashes),
            magnet: metainfo::magnet(&torrent),
            bytes: self.bytes(),
            files: files.iter().zip(&record.files).map(file).collect(),
            page: record.page.clone().filter(|page| scene.pages.contains(&**page)),
            published: record.published.clone(),
            retired: Some(moment(record.retired)),
        };
        Listed { entry, torrent: torrent.bytes().to_vec(), media: files.clone() }
    }

    /// It as those who build are told of it.
    pub fn told(&self, limits: Limits) -> Told {
        Told {
            title: self.record.title.clone(),
            info_hash: name_of(&self.torrent),
            bytes: self.bytes(),
            retired: moment(self.record.retired),
            until: moment(limits.end(self.record.retired)),
        }
    }

    /// Where clients find its bytes over HTTP. To a URL that ends in `/` they add the torrent's name and the file's path (BEP 19);
    /// to a v2 torrent they count the padding of its only file, and so ask for the name below the URL.
    fn web_seed(&self, base_url: &BaseUrl, name: &str) -> String {
        let info = &self.torrent.metainfo.info;
        match (&info.layout, &self.files[..]) {
            (Layout::Single(_), [(_, place)]) if info.kind() != Kind::V2 => base_url.of(place),
            _ => base_url.join(&format!("{FOLDER}/{name}/")),
        }
    }
}

/// The torrent with the site's trackers and the web seed at which its bytes are now: what it had of both may lead to others. That
/// changes nothing of what the info-hash is the hash of.
fn dressed(torrent: &Torrent, web_seed: &str, scene: Scene) -> Torrent {
    let metainfo = &torrent.metainfo;
    let dressed = metainfo::encode(&Draft {
        info: metainfo.info.clone(),
        trackers: scene.trackers.to_vec(),
        web_seeds: vec![web_seed.to_owned()],
        creation_date: metainfo.creation_date,
        created_by: Some(metainfo.created_by.clone().unwrap_or_else(|| GENERATOR.into())),
        comment: metainfo.comment.clone(),
    });
    // One of another program may say more in its `info` than is read here.
    if dressed.info_hashes == torrent.info_hashes { dressed } else { torrent.clone() }
}
