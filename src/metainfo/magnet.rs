//! Magnet links (BEP 9).

use std::fmt::Write;

use super::Torrent;
use crate::sitepath::encode_segment;

/// The magnet link of a torrent: `xt` (`btih` alone, which every client takes), `dn`, `xl` in bytes, a `tr` for each
/// announce URL and a `ws` for each web seed.
pub fn magnet(torrent: &Torrent) -> String {
    let metainfo = &torrent.metainfo;
    let mut link = format!(
        "magnet:?xt=urn:btih:{}&dn={}&xl={}",
        torrent.info_hashes.main(),
        encode_segment(&metainfo.info.name),
        metainfo.info.total_bytes()
    );
    let parameters = (metainfo.trackers.iter().flatten().map(|url| ("tr", url)))
        .chain(metainfo.web_seeds.iter().map(|url| ("ws", url)));
    for (key, url) in parameters {
        write!(link, "&{key}={}", encode_segment(url)).expect("a String takes all that is written");
    }
    link
}
