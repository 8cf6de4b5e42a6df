//! Magnet links (BEP 9).

use std::fmt::Write;

use super::Torrent;
use crate::id::{InfoHashes, hex};
use crate::sitepath::encode_segment;

/// The magnet link of a torrent: `xt`, `dn`, `xl` in bytes, a `tr` for each announce URL and a `ws` for each web seed.
///
/// `xt` is `btih` alone where there is v1, which every client takes: rtorrent fails on a link that has `btmh` as well.
pub fn magnet(torrent: &Torrent) -> String {
    link(
        torrent,
        match torrent.info_hashes {
            InfoHashes::Hybrid(v1, _) => InfoHashes::V1(v1),
            one => one,
        },
    )
}

/// As [`magnet`], with an `xt` for each info-hash that the torrent has: for clients that know v2.
pub fn full_magnet(torrent: &Torrent) -> String {
    link(torrent, torrent.info_hashes)
}

fn link(torrent: &Torrent, info_hashes: InfoHashes) -> String {
    /// The multihash of SHA-256: its number, and 32, how many bytes follow.
    const SHA256: &str = "1220";
    let metainfo = &torrent.metainfo;
    let topics = (info_hashes.v1().map(|hash| format!("xt=urn:btih:{hash}")).into_iter())
        .chain(info_hashes.v2().map(|hash| format!("xt=urn:btmh:{SHA256}{}", hex(&hash.0))));
    let mut link = format!(
        "magnet:?{}&dn={}&xl={}",
        topics.collect::<Vec<_>>().join("&"),
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
