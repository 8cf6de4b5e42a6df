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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retired::testing::{kept, torrent};

    #[test]
    fn clients_find_the_bytes_of_every_kind_at_the_web_seed() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let base_url = BaseUrl::parse("https://example.org/show/").expect("a URL");
        let trackers = [vec!["https://example.org/show/announce".to_owned()]];
        let pages = HashSet::from(["https://show.example.org/episodes/ep1/"]);
        let scene = Scene { base_url: &base_url, trackers: &trackers, pages: &pages };
        for kind in [Kind::V1, Kind::V2, Kind::Hybrid] {
            for files in [&[("ep 1.mp3", "a medium")][..], &[("a", "one"), ("b/c", "two")]] {
                let (torrent, _) = torrent(dir.path(), "set", kind, files);
                let listed = kept(torrent.clone()).listed(scene);
                let read = metainfo::parse(listed.torrent).expect("a torrent");
                assert_eq!((read.info_hashes, read.info_bytes()), (torrent.info_hashes, torrent.info_bytes()));
                assert_eq!(
                    (&read.metainfo.trackers[..], read.metainfo.creation_date),
                    (&trackers[..], torrent.metainfo.creation_date)
                );
                let folder = format!("https://example.org/show/retired/{}/", torrent.info_hashes.main());
                let is_one = files.len() == 1 && kind != Kind::V2;
                let seed = if is_one { format!("{folder}ep%201.mp3") } else { folder.clone() };
                assert_eq!(read.metainfo.web_seeds, [seed]);
                // What a client asks for there is where the files are.
                let places: Vec<_> = listed.media.iter().map(|(_, place)| base_url.of(place)).collect();
                let wanted = torrent.metainfo.info.files();
                let wanted: Vec<_> =
                    wanted.iter().map(|(path, _)| format!("{folder}{}", path.replace(' ', "%20"))).collect();
                assert_eq!(places, wanted);
                assert_eq!(listed.entry.page.as_deref(), Some("https://show.example.org/episodes/ep1/"));
            }
        }
    }

    #[test]
    fn a_torrent_that_says_more_than_is_read_stays_as_it_is() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (torrent, _) = torrent(dir.path(), "set", Kind::V1, &[("ep1.mp3", "a medium")]);
        let text = torrent.bytes().to_vec();
        let at = text.windows(5).position(|bytes| bytes == b"4:nam").expect("a key");
        let foreign = metainfo::parse([&text[..at], b"4:mineli1ee", &text[at..]].concat()).expect("a torrent");
        assert_ne!(foreign.info_hashes, torrent.info_hashes);
        let base_url = BaseUrl::parse("https://example.org/").expect("a URL");
        let scene = Scene { base_url: &base_url, trackers: &[], pages: &HashSet::new() };
        let listed = kept(foreign.clone()).listed(scene);
        assert_eq!((listed.torrent, listed.entry.info_hashes), (foreign.bytes().to_vec(), foreign.info_hashes));
        assert_eq!(listed.entry.page, None);
    }
}
