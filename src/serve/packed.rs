//! What the manifest says of a torrent, in little memory: there are thousands of them, held for years, and few are
//! looked at.

use std::sync::Arc;

use crate::id::InfoHashes;
use crate::manifest::{Entry, File};
use crate::sitepath::SitePath;

/// An entry of the manifest without its magnet link.
#[derive(Debug, PartialEq, Eq)]
pub struct Packed {
    /// The info-hashes.
    pub info_hashes: InfoHashes,
    /// The texts, one behind the other: those of the entry and then those of each file.
    text: Box<str>,
    /// Where each of [`Words`] ends.
    ends: [u32; WORDS],
    files: Box<[PackedFile]>,
    bytes: u64,
}

/// The texts of an entry, in this order.
#[derive(Clone, Copy)]
enum Words {
    Name,
    Title,
    Torrent,
    Page,
    Published,
    Retired,
}

const WORDS: usize = Words::Retired as usize + 1;
/// Stands before a text that may be missing, where it is not.
const HERE: &str = "+";

/// A file of an entry.
#[derive(Debug, PartialEq, Eq)]
struct PackedFile {
    bytes: u64,
    path_end: u32,
    url_end: u32,
}

/// A file of a torrent, as the manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileWords<'a> {
    /// Its path below the site's root.
    pub path: &'a str,
    /// Its size.
    pub bytes: u64,
    /// Where it is published, if elsewhere.
    pub url: Option<&'a str>,
}

impl From<Entry> for Arc<Packed> {
    fn from(entry: Entry) -> Self {
        Self::new(Packed::of(&entry))
    }
}

impl Packed {
    /// Packs `entry`.
    pub fn of(entry: &Entry) -> Self {
        let optional_bytes = |word: &Option<String>| word.as_ref().map_or(0, |word| HERE.len() + word.len());
        let own = entry.name.len() + entry.title.len() + entry.torrent.as_str().len();
        let optional: usize = [&entry.page, &entry.published, &entry.retired].into_iter().map(optional_bytes).sum();
        let of_files =
            entry.files.iter().map(|file| file.path.as_str().len() + optional_bytes(&file.url)).sum::<usize>();
        // As long as it will be: what is cut off later leaves holes in the memory.
        let mut text = String::with_capacity(own + optional + of_files);
        let end = |text: &String| u32::try_from(text.len()).expect("a whole manifest has fewer bytes");
        let mut add = |words: &[&str]| {
            words.iter().for_each(|word| text += word);
            end(&text)
        };
        let add_optional = |add: &mut dyn FnMut(&[&str]) -> u32, word: &Option<String>| match word {
            Some(word) => add(&[HERE, word]),
            None => add(&[]),
        };
        let ends = [
            add(&[&entry.name]),
            add(&[&entry.title]),
            add(&[entry.torrent.as_str()]),
            add_optional(&mut add, &entry.page),
            add_optional(&mut add, &entry.published),
            add_optional(&mut add, &entry.retired),
        ];
        let file = |file: &File| PackedFile {
            bytes: file.bytes,
            path_end: add(&[file.path.as_str()]),
            url_end: add_optional(&mut add, &file.url),
        };
        let files = entry.files.iter().map(file).collect();
        Self { info_hashes: entry.info_hashes, text: text.into(), ends, files, bytes: entry.bytes }
    }

    /// The entry, with an empty magnet link.
    pub fn unpack(&self) -> Entry {
        let path = |path: &str| SitePath::new(path).expect("one was packed");
        let file =
            |file: FileWords<'_>| File { path: path(file.path), bytes: file.bytes, url: file.url.map(str::to_owned) };
        Entry {
            info_hashes: self.info_hashes,
            name: self.name().to_owned(),
            title: self.title().to_owned(),
            torrent: path(self.torrent()),
            magnet: String::new(),
            bytes: self.bytes,
            files: self.files().map(file).collect(),
            page: self.page().map(str::to_owned),
            published: self.published().map(str::to_owned),
            retired: self.retired().map(str::to_owned),
        }
    }

    /// The torrent's `name`.
    pub fn name(&self) -> &str {
        self.word(Words::Name)
    }

    /// The title people know it by.
    pub fn title(&self) -> &str {
        self.word(Words::Title)
    }

    /// What it is called where people look: its title, or its name where it has none.
    pub fn shown_title(&self) -> &str {
        if self.title().is_empty() { self.name() } else { self.title() }
    }

    /// The path of the `.torrent` below the site's root.
    pub fn torrent(&self) -> &str {
        self.word(Words::Torrent)
    }

    /// The absolute URL of the page about it.
    pub fn page(&self) -> Option<&str> {
        self.word(Words::Page).strip_prefix(HERE)
    }

    /// When it was published.
    pub fn published(&self) -> Option<&str> {
        self.word(Words::Published).strip_prefix(HERE)
    }

    /// When the site stopped publishing it, where it has.
    pub fn retired(&self) -> Option<&str> {
        self.word(Words::Retired).strip_prefix(HERE)
    }

    /// The size of all files.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The files, in the torrent's order.
    pub fn files(&self) -> impl ExactSizeIterator<Item = FileWords<'_>> {
        (0..self.files.len()).map(|index| self.file(index))
    }

    /// The file of this index.
    pub fn file(&self, index: usize) -> FileWords<'_> {
        let start = index.checked_sub(1).map_or(self.ends[WORDS - 1], |before| self.files[before].url_end);
        let PackedFile { bytes, path_end, url_end } = self.files[index];
        let url = self.text[path_end as usize..url_end as usize].strip_prefix(HERE);
        FileWords { path: &self.text[start as usize..path_end as usize], bytes, url }
    }

    fn word(&self, word: Words) -> &str {
        let at = word as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[at] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::InfoHash;

    #[test]
    fn what_is_packed_comes_out_as_it_was_but_for_the_magnet_link() {
        let path = |text: &str| SitePath::new(text).expect("below the root");
        let file = |name: &str, url: Option<&str>| File { path: path(name), bytes: 7, url: url.map(Into::into) };
        let whole = Entry {
            info_hashes: InfoHashes::V1(InfoHash([7; 20])),
            name: "ép".into(),
            title: "+ One\0".into(),
            torrent: path("torrents/ep.torrent"),
            magnet: String::new(),
            bytes: 21,
            files: vec![file("a", None), file("b/ü", Some("https://media.example.org/b")), file("c", Some(""))],
            page: Some("+https://show.example.org/".into()),
            published: Some("2026-05-01".into()),
            retired: Some("2026-06-01T12:00:00Z".into()),
        };
        let sparse = Entry {
            name: String::new(),
            title: String::new(),
            files: Vec::new(),
            page: None,
            published: Some(String::new()),
            retired: None,
            ..whole.clone()
        };
        for entry in [whole, sparse] {
            assert_eq!(Packed::of(&entry).unpack(), entry);
            let linked = Entry { magnet: "magnet:?xt=urn:btih:07".into(), ..entry.clone() };
            assert_eq!(Packed::of(&linked).unpack(), entry);
        }
    }
}
