//! Filling the elements of HTML pages that ask for it, `<div data-everseed="URL-or-slug"></div>`, and leaving every
//! other byte as it is.

use crate::splice::Edit;

/// What a filled element links to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    /// What it is called, for screen readers; may be empty.
    pub title: String,
    /// Where a browser downloads it from.
    pub download_url: String,
    /// Its size.
    pub bytes: u64,
    /// The URL of its .torrent.
    pub torrent_url: String,
    /// Its magnet link.
    pub magnet: String,
}

/// What is to be changed in a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filled {
    /// The edits, in the order of their spans; none where the page is as it should be.
    pub edits: Vec<Edit>,
    /// What could not be filled and why, with its line, counted from 1.
    pub faults: Vec<(usize, String)>,
    /// How many elements ask to be filled.
    pub slots: usize,
}

/// Fills the elements of the page `html` with what `find` knows of the URL or slug that each names.
pub fn fill(_html: &[u8], _find: &dyn Fn(&str) -> Option<Links>) -> Filled {
    Filled::default()
}
