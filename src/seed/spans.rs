//! Where the bytes of a torrent's pieces stand in its files.

use std::path::PathBuf;

use crate::metainfo::{Info, Layout};

/// A file with content, as its torrent sees it.
#[derive(Debug)]
pub(super) struct Slot {
    pub path: PathBuf,
    /// As people know it.
    pub name: String,
    /// Whether it is published elsewhere, so that it need not be here.
    pub is_elsewhere: bool,
    /// Where its bytes begin in the torrent's.
    pub start: u64,
    pub bytes: u64,
}

/// A run of bytes within one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Its index in [`Entry::slots`].
    pub slot: usize,
    /// Where it begins among the bytes that were asked for.
    pub at: u64,
    /// Where it begins in the file.
    pub offset: u64,
    pub bytes: u64,
}

/// Where each file that is no padding begins in the bytes that pieces are cut from, and how many it has.
pub(super) fn places(info: &Info) -> Vec<(u64, u64)> {
    match &info.layout {
        Layout::Single(bytes) => vec![(0, *bytes)],
        Layout::Multi(files) => {
            let starts = files.iter().scan(0, |end, file| {
                let start = *end;
                *end += file.bytes;
                Some((start, file))
            });
            starts.filter(|(_, file)| !file.is_pad).map(|(start, file)| (start, file.bytes)).collect()
        }
    }
}
