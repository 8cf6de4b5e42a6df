//! Whether files still hold what a torrent says, by reading all of them.

use std::path::PathBuf;

use crate::fingerprint::Fingerprint;
use crate::hash::{self, Progress, Source, Wanted};
use crate::metainfo::{File, Info, Layout};
use crate::problem::Problem;

/// Why they do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The file of this number is not there.
    Missing(usize),
    /// The file of this number has another length.
    Length(usize),
    /// Some of their bytes are others.
    Bytes,
    /// They can't be read.
    Unreadable(Problem),
}

/// Reads the files at `paths`, those of `info` in its order and without padding, and tells what each is like where they hold what
/// `info` says.
pub fn check(info: &Info, paths: &[PathBuf], progress: &dyn Progress) -> Result<Vec<Fingerprint>, Fault> {
    // A look at all of them first: most that are not what they were show it.
    let mut files = Vec::with_capacity(paths.len());
    for (number, (path, (_, bytes))) in paths.iter().zip(info.files()).enumerate() {
        if !path.exists() {
            return Err(Fault::Missing(number));
        }
        let source = Source::open(path).map_err(Fault::Unreadable)?;
        if source.bytes() != bytes {
            return Err(Fault::Length(number));
        }
        files.push(source);
    }
    let fingerprints = files.iter().filter_map(Source::fingerprint).copied().collect();

    let no_pads = [];
    let parts: &[File] = if let Layout::Multi(parts) = &info.layout { parts } else { &no_pads };
    let mut sources = Vec::with_capacity(parts.len().max(1));
    let mut files = files.into_iter();
    for part in parts {
        sources.extend(if part.is_pad { Some(Source::zeros(part.bytes)) } else { files.next() });
    }
    sources.extend(files);
    progress.expect(info.total_bytes());
    let wanted = Wanted { v1: info.kind().has_v1(), v2: info.kind().has_v2(), sha384: false };
    let order = hash::Order::new(&mut sources, info.piece_length, wanted, progress);
    let digests = hash::hash(order).map_err(Fault::Unreadable)?;
    let is_file = |number: usize| parts.get(number).is_none_or(|part| !part.is_pad);
    let trees = digests.trees.iter().enumerate().filter(|(number, _)| is_file(*number)).map(|(_, tree)| tree);
    let is_right = info.pieces().is_none_or(|pieces| pieces == digests.pieces)
        && info.trees().is_none_or(|wanted| wanted.iter().eq(trees));
    if is_right { Ok(fingerprints) } else { Err(Fault::Bytes) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::testing::torrent;
    use super::*;
    use crate::metainfo::Kind;

    #[test]
    fn files_of_every_kind_of_torrent_are_known_again() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let one: &[(&str, &str)] = &[("ep1.mp3", "a medium")];
        let set: &[(&str, &str)] = &[("a", "one"), ("b/c", ""), ("b/d", "three")];
        for (kind, files) in [Kind::V1, Kind::V2, Kind::Hybrid].into_iter().flat_map(|kind| [(kind, one), (kind, set)])
        {
            let (torrent, paths) = torrent(dir.path(), "set", kind, files);
            let info = &torrent.metainfo.info;
            let check = || check(info, &paths, &());
            assert_eq!(check().map(|files| files.len()), Ok(files.len()), "{kind}");
            let last = paths.last().expect("a file");
            let bytes = fs::read(last).expect("read");
            fs::write(last, bytes.to_ascii_uppercase()).expect("written");
            assert_eq!(check(), Err(Fault::Bytes), "{kind}");
            fs::write(last, "other").expect("written");
            let is_as_long = bytes.len() == 5;
            assert_eq!(check(), Err(if is_as_long { Fault::Bytes } else { Fault::Length(paths.len() - 1) }));
            fs::remove_file(last).expect("removed");
            assert_eq!(check(), Err(Fault::Missing(paths.len() - 1)));
            fs::create_dir(last).expect("made");
            assert!(matches!(check(), Err(Fault::Unreadable(_))));
            fs::remove_dir(last).expect("removed");
        }
    }
}
