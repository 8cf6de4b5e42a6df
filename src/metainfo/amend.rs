//! More trackers and web seeds for a torrent that somebody else has made. All other bytes stay as they are, and with them
//! the info-hash, which covers `info` alone.

use std::collections::BTreeMap;

use super::parse::LIMITS;
use super::{TORRENT_BYTES_MAX, Torrent, parse};
use crate::bencode::{self, Dict};

/// The torrent with a further tier of `trackers` behind its own (BEP 12), and `web_seeds` behind its own (BEP 19). What it
/// names already is not named twice; where nothing is left it is as it was, byte by byte. `None` where it would have
/// more than [`TORRENT_BYTES_MAX`].
pub fn with_sources(torrent: &Torrent, trackers: &[String], web_seeds: &[String]) -> Option<Torrent> {
    let named = &torrent.metainfo;
    let trackers: Vec<_> =
        trackers.iter().filter(|url| !named.trackers.iter().flatten().any(|own| own == *url)).collect();
    let web_seeds: Vec<_> = web_seeds.iter().filter(|url| !named.web_seeds.contains(url)).collect();
    if trackers.is_empty() && web_seeds.is_empty() {
        return Some(torrent.clone());
    }
    let root = bencode::decode_within(torrent.bytes(), LIMITS).expect("a torrent was decoded before");
    let fields = root.as_dict().expect("a torrent is a dictionary");
    let mut fields: BTreeMap<&[u8], Vec<u8>> = fields.iter().map(|(key, value)| (*key, value.raw.to_vec())).collect();
    if !trackers.is_empty() {
        let mut tiers: Vec<Vec<&String>> = named.trackers.iter().map(|tier| tier.iter().collect()).collect();
        tiers.push(trackers);
        // Where it had none, a client that knows tiers and one that does not find the same.
        fields.entry(b"announce").or_insert_with(|| written(|out| bencode::string(out, tiers[0][0])));
        let list = |out: &mut Vec<u8>| {
            bencode::list(out, &tiers, |out, tier| bencode::list(out, tier, bencode::string));
        };
        fields.insert(b"announce-list", written(list));
    }
    if !web_seeds.is_empty() {
        let all = named.web_seeds.iter().chain(web_seeds);
        fields.insert(b"url-list", written(|out| bencode::list(out, all, bencode::string)));
    }
    let bytes = written(|out| {
        let mut root = Dict::begin(out);
        for (key, value) in &fields {
            root.key(key).extend_from_slice(value);
        }
        root.end();
    });
    let more = (bytes.len() <= TORRENT_BYTES_MAX).then(|| parse(bytes).ok()).flatten()?;
    assert_eq!(more.info_hashes, torrent.info_hashes, "what is shared stands in it as it did");
    Some(more)
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "4:infod6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa7:x_extra1:ye";

    fn amended(torrent: &str, trackers: &[&str], web_seeds: &[&str]) -> String {
        let owned = |urls: &[&str]| urls.iter().map(|url| (*url).to_owned()).collect::<Vec<_>>();
        let torrent = parse(torrent.as_bytes().to_vec()).expect("a torrent");
        let more = with_sources(&torrent, &owned(trackers), &owned(web_seeds)).expect("small");
        assert_eq!((more.info_bytes(), more.info_hashes), (torrent.info_bytes(), torrent.info_hashes));
        String::from_utf8_lossy(more.bytes()).replace(INFO, "INFO")
    }

    #[test]
    fn trackers_make_a_tier_of_their_own_and_what_nobody_knows_stays() {
        let one = format!("d8:announce3:t:14:bodyi7e{INFO}8:url-list3:w:1e");
        assert_eq!(
            amended(&one, &["t:2"], &["w:2"]),
            "d8:announce3:t:113:announce-listll3:t:1el3:t:2ee4:bodyi7eINFO8:url-listl3:w:13:w:2ee"
        );
        assert_eq!(amended(&one, &["t:1"], &["w:1"]), one.replace(INFO, "INFO"), "it names them already");
        let tiers = format!("d8:announce3:t:113:announce-listll3:t:13:t:3el3:t:4ee{INFO}e");
        assert_eq!(
            amended(&tiers, &["t:3", "t:5"], &[]),
            "d8:announce3:t:113:announce-listll3:t:13:t:3el3:t:4el3:t:5eeINFOe"
        );
        let bare = format!("d{INFO}e");
        assert_eq!(
            amended(&bare, &["t:1"], &["w:1"]),
            "d8:announce3:t:113:announce-listll3:t:1eeINFO8:url-listl3:w:1ee"
        );
    }
}
