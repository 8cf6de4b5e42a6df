//! The manifest that stands while media come into place: without the torrents whose bytes are about to become others.
//!
//! A medium that was mended has the path that its former bytes had, and a torrent of its own. Until both its bytes and
//! its torrent are in place, no manifest names either, so that whoever reads the site meanwhile, or after a build
//! that was killed, finds of each torrent that is named the bytes that it names. Where its former bytes are kept, they are in
//! their new place before this manifest is, and it names them there.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::manifest::{Entry, Manifest};
use crate::sitepath::SitePath;

/// The manifest between `former` and `new` when the files at the places `replaced` become others; `None` where `former` is true
/// until `new` is in its place.
pub fn manifest(former: &[u8], new: &[u8], replaced: &BTreeSet<&SitePath>) -> Option<String> {
    let (Ok(mut former), Ok(new)) = (Manifest::parse(former), Manifest::parse(new)) else { return None };
    let stays: HashMap<_, _> = new.torrents.iter().map(|entry| (entry.info_hashes, entry)).collect();
    let is_true = |entry: &Entry| {
        // One info-hash is one content: what takes the place of such files is what they were.
        stays.get(&entry.info_hashes).is_some_and(|new| (&new.torrent, &new.files) == (&entry.torrent, &entry.files))
            || !entry.files.iter().map(|file| &file.path).chain([&entry.torrent]).any(|path| replaced.contains(path))
    };
    let before = former.torrents.len();
    former.torrents.retain(is_true);
    if former.torrents.len() == before {
        return None;
    }
    let stand: HashSet<_> = former.torrents.iter().map(|entry| entry.info_hashes).collect();
    let is_kept = |entry: &&Entry| {
        let mut places = entry.files.iter().map(|file| &file.path).chain([&entry.torrent]);
        entry.retired.is_some() && !stand.contains(&entry.info_hashes) && !places.any(|path| replaced.contains(path))
    };
    former.torrents.extend(new.torrents.iter().filter(is_kept).cloned());
    Some(former.to_json())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{InfoHash, InfoHashes};
    use crate::manifest::File;

    fn path(text: &str) -> SitePath {
        SitePath::new(text).expect("a path")
    }

    /// Of each its hash and its name; those that are retired stand below a folder of that name.
    fn json(torrents: &[(u8, &str)]) -> Vec<u8> {
        let entry = |&(hash, name): &(u8, &str)| Entry {
            info_hashes: InfoHashes::V1(InfoHash([hash; 20])),
            name: name.into(),
            title: name.into(),
            torrent: path(&format!("torrents/{name}.torrent")),
            magnet: String::new(),
            bytes: 1,
            files: vec![File { path: path(&format!("media/{name}")), bytes: 1, url: None }],
            page: None,
            published: None,
            retired: name.starts_with("retired/").then(|| "2026-05-01T12:00:00Z".into()),
        };
        let torrents = torrents.iter().map(entry).collect();
        let base_url = "https://show.example.org/".into();
        Manifest { generator: String::new(), title: String::new(), base_url, torrents }.to_json().into_bytes()
    }

    #[test]
    fn only_torrents_whose_files_become_others_are_left_out() {
        let former = json(&[(1, "a"), (2, "b"), (3, "c")]);
        let (a, b, b_torrent) = (path("media/a"), path("media/b"), path("torrents/b.torrent"));
        let between = |new: &[(u8, &str)], replaced: &[&SitePath]| {
            let json = manifest(&former, &json(new), &replaced.iter().copied().collect())?;
            let names = Manifest::parse(json.as_bytes()).expect("a manifest").torrents;
            Some(names.into_iter().map(|entry| entry.name).collect::<Vec<_>>())
        };
        // Added, removed, and another `.torrent` of the same content.
        assert_eq!(between(&[(1, "a"), (2, "b"), (4, "d")], &[&b_torrent]), None);
        assert_eq!(between(&[(9, "a"), (2, "b")], &[&a, &b]), Some(vec!["b".into(), "c".into()]));
        assert_eq!(between(&[(1, "a"), (9, "b")], &[&b_torrent]), Some(vec!["a".into(), "c".into()]));
        assert_eq!(manifest(b"{}", &former, &[&a].into()), None);
        // The former bytes are kept, and stand there before `a` becomes another.
        let kept = between(&[(9, "a"), (2, "b"), (1, "retired/a")], &[&a]);
        assert_eq!(kept, Some(vec!["b".into(), "c".into(), "retired/a".into()]));
        let moved = path("media/retired/a");
        assert_eq!(between(&[(9, "a"), (1, "retired/a")], &[&a, &moved]), Some(vec!["b".into(), "c".into()]));
    }
}
