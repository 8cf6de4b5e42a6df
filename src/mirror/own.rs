//! What a mirror adds to the torrents that it hands out, where it knows its own address: its tracker, in a tier behind
//! those of the show, and its copy as a further web seed. Who has them finds the mirror when the show has gone.
//!
//! What was published stays beside the site byte by byte, so that a mirror at another address begins with that again. A
//! private torrent is handed out as it is: where its peers come from is the show's to say (BEP 27).

use std::fs;
use std::path::{Path, PathBuf};

use super::Mirror;
use super::place::Places;
use crate::baseurl::BaseUrl;
use crate::fsx;
use crate::id::InfoHash;
use crate::manifest::Entry;
use crate::metainfo::{self, Info, Kind, Layout, TORRENT_BYTES_MAX, Torrent};
use crate::output;
use crate::problem::Problem;
use crate::sitepath::{SitePath, encode_segment};

/// The folder below the data folder that holds `.torrent` files as they were published, where others are handed out.
const FOLDER: &str = "published";

/// The address of a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    base_url: BaseUrl,
}

impl Own {
    /// A mirror whose site stands at `base_url`.
    pub fn at(base_url: BaseUrl) -> Self {
        Self { base_url }
    }

    /// The root of its site.
    pub fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    /// Where its tracker is announced to over HTTP.
    pub fn tracker(&self) -> String {
        self.base_url.join("announce")
    }

    /// Its copy as a web seed (BEP 19), where the files lie so that clients find them.
    fn web_seed(&self, info: &Info, files: &[SitePath]) -> Option<String> {
        let named = info.files();
        if let (Layout::Single(_), Kind::V1 | Kind::Hybrid, [only]) = (&info.layout, info.kind(), files) {
            return Some(self.base_url.of(only));
        }
        // To a URL that ends in `/`, clients add the torrent's name and the path of the file.
        let before = |(place, (below, _)): (&SitePath, &(String, u64))| {
            let before = place.as_str().strip_suffix(below.as_str())?;
            (before.is_empty() || before.ends_with('/')).then(|| before.to_owned())
        };
        let mut folders = files.iter().zip(&named).map(before);
        let first = folders.next()??;
        let encoded = first.split('/').map(encode_segment).collect::<Vec<_>>().join("/");
        folders.all(|folder| folder.as_ref() == Some(&first)).then(|| self.base_url.join(&encoded))
    }

    /// The torrent as it is handed out.
    fn torrent(&self, published: &Torrent, files: &[SitePath]) -> Torrent {
        let info = &published.metainfo.info;
        if info.private {
            return published.clone();
        }
        let web_seed: Vec<_> = self.web_seed(info, files).into_iter().collect();
        metainfo::with_sources(published, &[self.tracker()], &web_seed).unwrap_or_else(|| published.clone())
    }

    /// The magnet link as it is handed out.
    fn magnet(&self, published: &str, info: &Info, files: &[SitePath]) -> String {
        if info.private {
            return published.to_owned();
        }
        let web_seed = self.web_seed(info, files).map(|url| format!("&ws={}", encode_segment(&url)));
        let more = [Some(format!("&tr={}", encode_segment(&self.tracker()))), web_seed];
        let mut link = self.stripped(published).to_owned();
        for parameter in more.into_iter().flatten() {
            if !link.split('&').any(|own| own == &parameter[1..]) {
                link += &parameter;
            }
        }
        link
    }

    /// A magnet link without what stands at its end of this mirror.
    pub fn stripped<'m>(&self, magnet: &'m str) -> &'m str {
        let tracker = format!("tr={}", encode_segment(&self.tracker()));
        let web_seeds = format!("ws={}", encode_segment(self.base_url.as_str()));
        let mut left = magnet;
        while let Some((before, last)) = left.rsplit_once('&')
            && (last == tracker || last.starts_with(&web_seeds))
        {
            left = before;
        }
        left
    }
}

/// The torrent of an entry as it was published, where another one is handed out.
fn kept_as_published(data: &Path, entry: &Entry) -> Option<Torrent> {
    let bytes = fsx::read_at_most(&published_at(data, entry.info_hashes.main()), TORRENT_BYTES_MAX as u64).ok()?;
    metainfo::parse(bytes).ok().filter(|torrent| torrent.info_hashes == entry.info_hashes)
}

/// The `.torrent` of an entry that is gone, as a mirror at `address` hands it out.
pub fn restored(data: &Path, address: Option<&Own>, entry: &Entry) -> Option<Torrent> {
    let published = kept_as_published(data, entry)?;
    Some(address.map_or_else(|| published.clone(), |own| own.torrent(&published, &Places::of(entry).files)))
}

fn published_at(data: &Path, hash: InfoHash) -> PathBuf {
    data.join(FOLDER).join(format!("{hash}.torrent"))
}

impl Mirror {
    /// Whether the link of what is kept is this one of the show, as it is handed out here.
    pub(super) fn is_link_of(&self, entry: &Entry, magnet: &str) -> bool {
        let stripped = |magnet| self.address.as_ref().map_or(magnet, |own| own.stripped(magnet));
        stripped(&entry.magnet) == stripped(magnet)
    }

    /// The torrent of what is kept, as it was published.
    pub(super) fn published(&self, entry: &Entry) -> Option<Torrent> {
        kept_as_published(&self.data, entry).or_else(|| self.site.torrent(entry))
    }

    /// A torrent as it is handed out, whose files lie at `places`. What was published is kept, if that is something else.
    pub(super) fn handed_out(&self, published: &Torrent, places: &Places) -> Result<Torrent, Problem> {
        let own = self.address.as_ref().map(|own| own.torrent(published, &places.files));
        let at = published_at(&self.data, published.info_hashes.main());
        match own.filter(|own| own != published) {
            Some(own) => {
                let folder = self.data.join(FOLDER);
                let written = fs::create_dir_all(&folder).and_then(|()| fsx::write_whole(&at, published.bytes()));
                written.map_err(|error| output::unwritable(&at, &error))?;
                Ok(own)
            }
            None => Ok(published.clone()),
        }
    }

    /// The link that is handed out: that of the show, or one that is made of its torrent.
    pub(super) fn link(&self, published: &Torrent, magnet: Option<&str>, places: &Places) -> String {
        let magnet = magnet.map_or_else(|| metainfo::magnet(published), str::to_owned);
        match &self.address {
            Some(own) => own.magnet(&magnet, &published.metainfo.info, &places.files),
            None => magnet,
        }
    }

    /// Writes what is handed out of a torrent whose files lie where its entry says, and brings the entry in line.
    pub(super) fn hand_out(
        &mut self,
        entry: &mut Entry,
        published: &Torrent,
        magnet: Option<&str>,
    ) -> Result<(), Problem> {
        let places = Places::of(entry);
        let is_known = self.is_known(entry);
        let torrent = self.handed_out(published, &places)?;
        let at = entry.torrent.below(self.site.root());
        if fsx::read_at_most(&at, TORRENT_BYTES_MAX as u64).ok().as_deref() != Some(torrent.bytes()) {
            fsx::write_whole(&at, torrent.bytes()).map_err(|error| output::unwritable(&at, &error))?;
        }
        entry.magnet = self.link(published, magnet, &places);
        if is_known {
            self.still_knows(entry);
        }
        Ok(())
    }

    /// Brings all torrents in line with the address of this mirror, where that is another one than it was.
    pub(super) fn hand_out_all(&mut self) -> Result<(), Problem> {
        let now = self.address.as_ref().map(|own| own.base_url().to_string());
        if self.state.base_url == now {
            return Ok(());
        }
        let former = self.state.base_url.as_deref().and_then(|text| BaseUrl::parse(text).ok()).map(Own::at);
        for mut entry in self.site.entries().to_vec() {
            self.stop.check()?;
            let Some(published) = self.published(&entry) else { continue };
            let magnet = former.as_ref().map_or(&*entry.magnet, |former| former.stripped(&entry.magnet)).to_owned();
            self.hand_out(&mut entry, &published, Some(&magnet))?;
            self.site.renew(entry);
        }
        self.write()?;
        self.state.base_url = now;
        self.state.write(&self.data)?;
        self.tidy_published();
        Ok(())
    }

    /// Removes what was published where that is handed out as it is, or is not here any more.
    pub(super) fn tidy_published(&self) {
        for file in fs::read_dir(self.data.join(FOLDER)).into_iter().flatten().flatten() {
            let name = file.file_name();
            let hash = name.to_str().and_then(|name| name.strip_suffix(".torrent")?.parse().ok());
            let is_of_use = hash.filter(|_| self.address.is_some()).is_some_and(|hash: InfoHash| {
                let mut lost = self.site.lost().iter();
                self.site.entry(hash).is_some() || lost.any(|lost| lost.entry.info_hashes.main() == hash)
            });
            if !is_of_use {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    /// Forgets what was published of a torrent that goes.
    pub(super) fn forget_published(&self, hash: InfoHash) {
        // One that stays is found by the next round that tidies.
        let _ = fsx::remove_if_there(&published_at(&self.data, hash));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metainfo::{File, Hashes};
    use crate::units::PieceLength;

    fn own() -> Own {
        Own::at(BaseUrl::parse("https://archive.example.org/a show/").expect("an address"))
    }

    fn info(layout: Layout) -> Info {
        Info {
            name: "set".into(),
            piece_length: PieceLength::new(16384).expect("a power of two"),
            private: false,
            source: None,
            layout,
            hashes: Hashes::V1(Vec::new()),
        }
    }

    fn web_seed(layout: Layout, files: &[&str]) -> Option<String> {
        let files: Vec<_> = files.iter().map(|path| SitePath::new(*path).expect("a path")).collect();
        own().web_seed(&info(layout), &files)
    }

    #[test]
    fn files_are_a_web_seed_where_clients_find_them() {
        let base = "https://archive.example.org/a%20show/";
        assert_eq!(web_seed(Layout::Single(1), &["kept/0/a b.mp3"]), Some(format!("{base}kept/0/a%20b.mp3")));
        let file = |name: &str| File { path: vec!["sub".into(), name.into()], bytes: 1, is_pad: false };
        let multi = Layout::Multi(vec![file("a"), file("b")]);
        let at = |files: &[&str]| web_seed(multi.clone(), files);
        assert_eq!(at(&["me dia/set/sub/a", "me dia/set/sub/b"]), Some(format!("{base}me%20dia/")));
        assert_eq!(at(&["set/sub/a", "set/sub/b"]), Some(base.into()));
        assert_eq!(at(&["media/set/sub/a", "other/set/sub/b"]), None);
        assert_eq!(at(&["kept/0/a", "kept/1/b"]), None);
        assert_eq!(at(&["offset/sub/a", "offset/sub/b"]), None);
    }

    #[test]
    fn a_link_names_the_mirror_once_and_without_it_is_the_shows() {
        let (own, info) = (own(), info(Layout::Single(1)));
        let files = [SitePath::new("media/set").expect("a path")];
        let show = "magnet:?xt=urn:btih:00&tr=https%3A%2F%2Fshow.example.org%2Fannounce";
        let link = own.magnet(show, &info, &files);
        let more = "&tr=https%3A%2F%2Farchive.example.org%2Fa%2520show%2Fannounce\
            &ws=https%3A%2F%2Farchive.example.org%2Fa%2520show%2Fmedia%2Fset";
        assert_eq!(link, format!("{show}{more}"));
        assert_eq!((own.magnet(&link, &info, &files), own.stripped(&link)), (link.clone(), show));
        let private = Info { private: true, ..info };
        assert_eq!(own.magnet(show, &private, &files), show);
    }
}
