//! A release as pages, feeds and the manifest show it.

use super::content::{Content, Release};
use super::context;
use super::markdown;
use super::options::Options;
use crate::feed;
use crate::manifest;
use crate::media::{Chapter, Kind};
use crate::mime;
use crate::release;
use crate::sitepath::SitePath;
use crate::units::{duration_text, size_text, whole_secs};

/// A release with its source.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    /// What its author wrote.
    pub source: &'a Release,
    /// Its torrent, and what is known of its files.
    pub made: &'a release::Release,
    options: &'a Options,
}

impl<'a> Item<'a> {
    /// The releases of `content` with what was `made` of them, in the same order.
    pub fn all(content: &'a Content, made: &'a [release::Release], options: &'a Options) -> Vec<Self> {
        content.releases.iter().zip(made).map(|(source, made)| Self { source, made, options }).collect()
    }

    /// The path of its page.
    pub fn url(&self) -> String {
        format!("episodes/{}/", self.source.slug)
    }

    /// Where its `.torrent` stands.
    pub fn torrent_path(&self) -> SitePath {
        SitePath::new(format!("torrents/{}.torrent", self.source.slug)).expect("a slug is a plain name")
    }

    fn absolute(&self, place: &SitePath) -> String {
        self.options.base_url.of(place)
    }

    /// The absolute URL of a file of its.
    fn medium_url(&self, file: &release::FileOrder) -> String {
        file.origin.url().map_or_else(|| self.absolute(&self.source.medium.path(file)), str::to_owned)
    }

    /// What can be done with it: only one file alone is listened to or watched.
    pub fn kind(&self) -> Kind {
        match &self.made.files[..] {
            [file] if self.source.medium.single => file.facts.kind,
            _ => Kind::Other,
        }
    }

    /// Its chapters, where it is listened to or watched.
    pub fn chapters(&self) -> &'a [Chapter] {
        if self.kind() == Kind::Other { &[] } else { &self.made.files[0].facts.chapters }
    }

    /// Where those stand as JSON, if there are any.
    pub fn chapters_path(&self) -> Option<SitePath> {
        let path = || SitePath::new(format!("{}chapters.json", self.url())).expect("a slug is a plain name");
        (!self.chapters().is_empty()).then(path)
    }

    fn bytes(&self) -> u64 {
        self.made.torrent.metainfo.info.total_bytes()
    }

    /// A link of its text, made absolute for feeds.
    fn link(&self, target: &str) -> String {
        match self.source.text.links.get(target) {
            Some(link) => self.options.base_url.join(link),
            None if target.starts_with(['#', '?']) => format!("{}{target}", self.options.base_url.join(&self.url())),
            None => target.to_owned(),
        }
    }

    /// It for templates, without its text and its neighbours.
    pub fn context(&self) -> context::Episode {
        let Self { source, made, options } = self;
        let info = &made.torrent.metainfo.info;
        let files: Vec<_> = made
            .files
            .iter()
            .zip(&source.medium.files)
            .map(|(file, order)| context::File {
                is_remote: order.origin.url().is_some(),
                name: if source.medium.single { source.medium.name.clone() } else { file.path.join("/") },
                url: order.origin.url().map_or_else(|| source.medium.path(order).url(), str::to_owned),
                bytes: file.bytes,
                size_text: size_text(file.bytes),
            })
            .collect();
        let first = &made.files[0];
        let duration_secs = first.facts.duration_ms.filter(|_| source.medium.single).map(whole_secs);
        context::Episode {
            title: source.text.title.clone(),
            description: source.text.description.clone().unwrap_or_default(),
            date: source.date.day(),
            date_text: source.date.text(),
            url: self.url(),
            season: source.season,
            episode: source.episode,
            tags: source.tags.clone(),
            image: source.text.image.as_ref().map(SitePath::url),
            kind: match self.kind() {
                Kind::Audio => "audio",
                Kind::Video => "video",
                Kind::Other => "files",
            },
            content: String::new(),
            media: source.medium.single.then(|| context::Media {
                url: files[0].url.clone(),
                is_remote: files[0].is_remote,
                name: source.medium.name.clone(),
                mime: first.facts.mime.clone(),
                bytes: first.bytes,
                size_text: size_text(first.bytes),
            }),
            files,
            multi: !source.medium.single,
            duration_text: duration_secs.map(duration_text),
            duration_secs,
            bytes: self.bytes(),
            size_text: size_text(self.bytes()),
            transcript: source.transcript.as_ref().map(|place| context::Transcript {
                url: place.url(),
                mime: mime::of(place.as_str()),
                language: options.language.clone(),
            }),
            chapters: (self.chapters().iter())
                .map(|chapter| context::Chapter {
                    title: chapter.title.clone(),
                    start_secs: feed::seconds(chapter.start_ms),
                    start_text: duration_text(chapter.start_ms / 1000),
                })
                .collect(),
            chapters_url: self.chapters_path().map(|place| place.url()),
            torrent: context::Torrent {
                url: self.torrent_path().url(),
                magnet: made.magnet.clone(),
                info_hash: made.torrent.info_hashes.main().to_string(),
                info_hash_v2: made.torrent.info_hashes.v2().map(|hash| hash.to_string()),
                kind: info.kind().as_str(),
                name: info.name.clone(),
                piece_length_text: info.piece_length.to_string(),
                pieces: info.piece_count(),
                private: info.private,
            },
            newer: None,
            older: None,
            extra: source.text.extra.clone(),
        }
    }

    /// It in the podcast feed.
    pub fn episode(&self) -> feed::Episode {
        let Self { source, made, options } = self;
        let file = &made.files[0];
        let link = |target: &str| self.link(target);
        let notes = markdown::description(&source.text.body, &link);
        let summary = source.text.description.as_deref().unwrap_or_default();
        feed::Episode {
            title: source.text.title.clone(),
            link: options.base_url.join(&self.url()),
            guid: source.guid.clone().unwrap_or_else(|| feed::episode_guid(&source.slug).to_string()),
            date: source.date.at(),
            description: match (notes.is_empty(), summary.is_empty()) {
                (true, false) => format!("<p>{}</p>", markdown::escape(summary)),
                _ => notes,
            },
            content: markdown::page(&source.text.body, &link),
            medium: feed::Medium {
                url: self.medium_url(&source.medium.files[0]),
                bytes: file.bytes,
                mime: file.facts.mime.clone(),
                bitrate_bps: file.facts.bitrate_bps,
                duration_ms: file.facts.duration_ms,
                sha384: file.sha384,
                torrent_url: self.absolute(&self.torrent_path()),
                magnet: made.magnet.clone(),
            },
            image: source.text.image.as_ref().map(|place| self.absolute(place)),
            explicit: source.explicit,
            season: source.season,
            episode: source.episode,
            transcript: source.transcript.as_ref().map(|place| feed::Transcript {
                url: self.absolute(place),
                mime: mime::of(place.as_str()),
                language: options.language.clone(),
            }),
            chapters_url: self.chapters_path().map(|place| self.absolute(&place)),
        }
    }

    /// It in the torrent feed.
    pub fn torrent(&self) -> feed::TorrentItem {
        let text = &self.source.text;
        feed::TorrentItem {
            title: text.title.clone(),
            link: self.options.base_url.join(&self.url()),
            date: Some(self.source.date.at()),
            description: text.description.clone().unwrap_or_else(|| markdown::plain(&text.body)),
            info_hash: self.made.torrent.info_hashes.main(),
            torrent_url: self.absolute(&self.torrent_path()),
            torrent_bytes: self.made.torrent.bytes().len() as u64,
        }
    }

    /// It in the manifest.
    pub fn manifest(&self) -> manifest::Entry {
        let files = self.made.files.iter().zip(&self.source.medium.files);
        manifest::Entry {
            info_hashes: self.made.torrent.info_hashes,
            name: self.source.medium.name.clone(),
            title: self.source.text.title.clone(),
            torrent: self.torrent_path(),
            magnet: self.made.magnet.clone(),
            bytes: self.bytes(),
            files: files
                .map(|(file, order)| manifest::File {
                    path: self.source.medium.path(order),
                    bytes: file.bytes,
                    url: order.origin.url().map(str::to_owned),
                })
                .collect(),
            page: Some(self.options.base_url.join(&self.url())),
            published: Some(self.source.date.to_string()),
            retired: None,
        }
    }
}
