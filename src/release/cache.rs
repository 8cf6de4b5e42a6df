//! What was found out before: the content of releases, keyed by what their files were like, in one file.
//!
//! It saves work and decides nothing: a cache that is missing, damaged or of another version is an empty one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{Content, Known, Origin, Remote};
use crate::bencode::{self, Dict, Value};
use crate::fingerprint::Fingerprint;
use crate::fsx;
use crate::id::{NodeHash, PieceHash};
use crate::media::{Chapter, Cover, Facts};
use crate::metainfo::{Hashes, Kind, Tree};
use crate::mime;
use crate::problem::Problem;
use crate::units::PieceLength;

/// Changes when the meaning of the file does.
const VERSION: i64 = 3;
/// The most releases that are remembered.
const ENTRIES_MAX: usize = 100_000;

/// What was found out before.
#[derive(Debug, Default)]
pub struct Cache {
    path: Option<PathBuf>,
    entries: HashMap<Key, Entry>,
    files_hashed: usize,
    bytes_hashed: u64,
    /// Whether it differs from what was loaded or saved.
    is_changed: bool,
}

/// One release's files and how they are cut; a changed file replaces the entry of its former self.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub origins: Vec<Origin>,
    pub single: bool,
    pub kind: Kind,
    pub piece_length: Option<PieceLength>,
}

/// What a file was like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stamp {
    /// As the file system kept it.
    Disk(Fingerprint),
    /// As its server told it, with [`Content::remote`].
    Web,
}

#[derive(Debug)]
struct Entry {
    stamps: Vec<Stamp>,
    content: Content,
    used: bool,
}

impl Cache {
    /// A cache that forgets when it is dropped.
    pub fn none() -> Self {
        Self::default()
    }

    /// The cache that was saved at `path`, or an empty one to be saved there.
    pub fn load(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let entries = std::fs::read(&path).ok().and_then(|bytes| decode(&bytes)).unwrap_or_default();
        Self { path: Some(path), entries, ..Self::default() }
    }

    /// What is known of the files of `key`, which are like `stamps`; with their SHA-384 where `integrity` is wanted.
    pub(super) fn get(&mut self, key: &Key, stamps: &[Stamp], integrity: bool) -> Option<Content> {
        let entry = self.entries.get_mut(key)?;
        let has_integrity = || entry.content.files.iter().all(|file| file.sha384.is_some());
        if entry.stamps != stamps || integrity && !has_integrity() {
            return None;
        }
        entry.used = true;
        Some(entry.content.clone())
    }

    /// Takes in what reading the files of `key` gave.
    pub(super) fn put(&mut self, key: Key, stamps: Vec<Stamp>, content: &Content) {
        self.files_hashed += content.files.len();
        self.bytes_hashed += content.files.iter().map(|file| file.bytes).sum::<u64>();
        self.is_changed = true;
        if self.entries.len() < ENTRIES_MAX {
            self.entries.insert(key, Entry { stamps, content: content.clone(), used: true });
        }
    }

    /// Takes files for what they were although their fingerprints differ: from the first to the second of each pair.
    ///
    /// A hard link that the caller made to a file, or took away, changes its `ctime` and not its content.
    pub fn relinked(&mut self, files: &HashMap<PathBuf, [Fingerprint; 2]>) {
        for (key, entry) in &mut self.entries {
            for (origin, stamp) in key.origins.iter().zip(&mut entry.stamps) {
                if let (Origin::File(path), Stamp::Disk(fingerprint)) = (origin, stamp)
                    && let Some([before, now]) = files.get(path)
                    && fingerprint == before
                    && before != now
                {
                    *fingerprint = *now;
                    self.is_changed = true;
                }
            }
        }
    }

    /// Knows the file at the second path of each pair for what the one at the first is, of which it was made just now.
    pub fn placed<'p>(&mut self, pairs: impl IntoIterator<Item = (&'p PathBuf, PathBuf)>) {
        let places: HashMap<_, _> = pairs.into_iter().collect();
        let copy = |(key, entry): (&Key, &Entry)| {
            let [Origin::File(from)] = &key.origins[..] else { return None };
            let to = places.get(from)?;
            let fingerprint = Fingerprint::of(&std::fs::metadata(to).ok()?);
            let is_whole = entry.content.files.iter().all(|file| file.bytes == fingerprint.bytes);
            let key = Key { origins: vec![Origin::File(to.clone())], ..key.clone() };
            let stamps = vec![Stamp::Disk(fingerprint)];
            (entry.used && is_whole).then(|| (key, Entry { stamps, content: entry.content.clone(), used: true }))
        };
        let copies: Vec<_> = self.entries.iter().filter_map(copy).collect();
        self.is_changed |= !copies.is_empty();
        let room = ENTRIES_MAX.saturating_sub(self.entries.len());
        self.entries.extend(copies.into_iter().take(room));
    }

    /// How many files were hashed since the cache was loaded.
    pub fn files_hashed(&self) -> usize {
        self.files_hashed
    }

    /// How many bytes were hashed since the cache was loaded.
    pub fn bytes_hashed(&self) -> u64 {
        self.bytes_hashed
    }

    /// Writes the cache, without what was not used and whose files are gone, if it changed.
    pub fn save(&mut self) -> Result<(), Problem> {
        let Some(path) = &self.path else { return Ok(()) };
        if !self.is_changed {
            return Ok(());
        }
        let is_there = |origin: &Origin| origin.path().is_none_or(|path| path.exists());
        self.entries.retain(|key, entry| entry.used || key.origins.iter().all(is_there));
        fsx::write_whole(path, &encode(&self.entries))
            .map_err(|error| Problem::at(path, format!("can't be written: {error}")))?;
        self.is_changed = false;
        Ok(())
    }
}

fn encode(entries: &HashMap<Key, Entry>) -> Vec<u8> {
    let mut sorted: Vec<_> = entries.iter().collect();
    let order = |key: &Key| (key.origins.clone(), key.single, key.kind, key.piece_length);
    sorted.sort_by_cached_key(|(key, _)| order(key));
    let mut out = Vec::new();
    let mut root = Dict::begin(&mut out);
    bencode::list(root.key("entries"), sorted, |out, (key, entry)| {
        let content = &entry.content;
        let mut dict = Dict::begin(out);
        if let [file] = &content.files[..] {
            facts(dict.key("facts"), file);
        }
        bencode::list(dict.key("files"), key.origins.iter().zip(&entry.stamps).zip(&content.files), |out, one| {
            let ((origin, stamp), file) = one;
            let mut dict = Dict::begin(out);
            dict.int("bytes", file.bytes.cast_signed());
            match origin {
                Origin::File(path) => dict.string("path", path.as_os_str().as_encoded_bytes()),
                Origin::Url(url) => dict.string("url", url),
            };
            if let Stamp::Disk(fingerprint) = stamp {
                let Fingerprint { bytes, mtime_ns, ctime_ns, inode } = *fingerprint;
                let numbers = [bytes.cast_signed(), mtime_ns, ctime_ns, inode.cast_signed()];
                bencode::list(dict.key("was"), numbers, bencode::int);
            }
            dict.end();
        });
        dict.string("kind", key.kind.as_str());
        dict.int("piece length", i64::from(content.piece_length.bytes()));
        if let Hashes::V1(pieces) | Hashes::Hybrid { pieces, .. } = &content.hashes {
            dict.string("pieces", pieces.as_flattened());
        }
        if let Some(remote) = &content.remote {
            let mut dict = Dict::begin(dict.key("remote"));
            for (key, value) in
                [("direct", &remote.direct_url), ("etag", &remote.etag), ("modified", &remote.last_modified)]
            {
                if let Some(value) = value {
                    dict.string(key, value);
                }
            }
            dict.int("ranges", i64::from(remote.ranges));
            dict.end();
        }
        dict.int("single", i64::from(key.single));
        if let Hashes::V2(trees) | Hashes::Hybrid { trees, .. } = &content.hashes {
            bencode::list(dict.key("trees"), trees, |out, tree| {
                let bytes: Vec<NodeHash> =
                    tree.iter().flat_map(|tree| [tree.root].into_iter().chain(tree.layer.iter().copied())).collect();
                bencode::string(out, bytes.as_flattened());
            });
        }
        // Whether the piece length was known before the content was.
        dict.int("wanted", i64::from(key.piece_length.is_some()));
        bencode::list(dict.key("warnings"), &content.warnings, bencode::string);
        dict.end();
    });
    root.int("version", VERSION);
    root.end();
    out
}

fn facts(out: &mut Vec<u8>, file: &Known) {
    let facts = &file.facts;
    let mut dict = Dict::begin(out);
    if let Some(bps) = &facts.bitrate_bps {
        dict.int("bitrate", i64::from(*bps));
    }
    bencode::list(dict.key("chapters"), &facts.chapters, |out, chapter| {
        let mut dict = Dict::begin(out);
        dict.int("ms", chapter.start_ms.cast_signed());
        dict.string("title", &chapter.title);
        dict.end();
    });
    if let Some(cover) = &facts.cover {
        dict.int("cover bytes", cover.bytes.cast_signed());
        dict.string("cover mime", &cover.mime);
    }
    if let Some(ms) = &facts.duration_ms {
        dict.int("duration", ms.cast_signed());
    }
    dict.string("mime", &facts.mime);
    if let Some(hash) = &file.sha384 {
        dict.string("sha384", hash);
    }
    if let Some(title) = &facts.title {
        dict.string("title", title);
    }
    dict.end();
}

fn decode(bytes: &[u8]) -> Option<HashMap<Key, Entry>> {
    let root = bencode::decode(bytes).ok()?;
    if root.get("version")?.as_int()? != VERSION {
        return None;
    }
    root.get("entries")?.as_list()?.iter().take(ENTRIES_MAX).map(decode_entry).collect()
}

fn decode_entry(value: &Value) -> Option<(Key, Entry)> {
    let piece_length = PieceLength::foreign(value.get("piece length")?.as_int()?)?;
    let kind: Kind = text(value, "kind")?.parse().ok()?;
    let (mut origins, mut stamps, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for file in value.get("files")?.as_list()? {
        let (origin, name) = match file.get("path") {
            Some(path) => (Origin::File(os_path(path.as_bytes()?)), String::new()),
            None => (Origin::Url(text(file, "url")?), String::new()),
        };
        let name = origin.path().map_or(name, |path| path.to_string_lossy().into_owned());
        files.push(Known {
            bytes: file.get("bytes")?.as_int()?.cast_unsigned(),
            sha384: None,
            facts: Facts::of_mime(mime::of(&name)),
        });
        stamps.push(match file.get("was") {
            Some(was) => Stamp::Disk(fingerprint(was)?),
            None => Stamp::Web,
        });
        origins.push(origin);
    }
    if let ([file], Some(facts)) = (&mut files[..], value.get("facts")) {
        (file.sha384, file.facts) = decode_facts(facts)?;
    }
    let pieces = || {
        let (pieces, rest) = value.get("pieces")?.as_bytes()?.as_chunks::<20>();
        rest.is_empty().then(|| pieces.to_vec())
    };
    let trees = || {
        let trees = value.get("trees")?.as_list()?.iter().map(decode_tree).collect::<Option<Vec<_>>>()?;
        (trees.len() == files.len()).then_some(trees)
    };
    let hashes = match kind {
        Kind::V1 => Hashes::V1(pieces()?),
        Kind::V2 => Hashes::V2(trees()?),
        Kind::Hybrid => Hashes::Hybrid { pieces: pieces()?, trees: trees()? },
    };
    is_whole(&hashes, &files, piece_length).then_some(())?;
    let remote = value.get("remote").map(|remote| Remote {
        direct_url: text(remote, "direct"),
        etag: text(remote, "etag"),
        last_modified: text(remote, "modified"),
        ranges: remote.get("ranges").and_then(Value::as_int) == Some(1),
    });
    let warnings = value.get("warnings")?.as_list()?.iter().map(|text| text.as_str().map(str::to_owned));
    let content = Content { piece_length, hashes, files, remote, warnings: warnings.collect::<Option<_>>()? };
    let wanted = (value.get("wanted")?.as_int()? == 1).then_some(piece_length);
    let single = value.get("single")?.as_int()? == 1;
    Some((Key { origins, single, kind, piece_length: wanted }, Entry { stamps, content, used: false }))
}

/// Whether there are as many hashes as the files have pieces.
fn is_whole(hashes: &Hashes, files: &[Known], piece_length: PieceLength) -> bool {
    let of_file = |file: &Known| piece_length.count(file.bytes);
    let all_pieces = |pieces: &[PieceHash], count| pieces.len() as u64 == count;
    let all_nodes = |trees: &[Option<Tree>]| {
        trees.iter().zip(files).all(|(tree, file)| match (tree, of_file(file)) {
            (None, count) => count == 0,
            (Some(tree), 1) => tree.layer.is_empty(),
            (Some(tree), count) => tree.layer.len() as u64 == count,
        })
    };
    match hashes {
        Hashes::V1(pieces) => all_pieces(pieces, piece_length.count(files.iter().map(|file| file.bytes).sum())),
        Hashes::V2(trees) => all_nodes(trees),
        Hashes::Hybrid { pieces, trees } => all_nodes(trees) && all_pieces(pieces, files.iter().map(of_file).sum()),
    }
}

fn decode_facts(value: &Value) -> Option<(Option<[u8; 48]>, Facts)> {
    let number = |key: &str| value.get(key).and_then(Value::as_int).map(i64::cast_unsigned);
    let chapters = value.get("chapters")?.as_list()?.iter().map(|chapter| {
        let start_ms = chapter.get("ms")?.as_int()?.cast_unsigned();
        Some(Chapter { start_ms, title: text(chapter, "title")? })
    });
    let facts = Facts {
        duration_ms: number("duration"),
        bitrate_bps: number("bitrate").and_then(|bps| u32::try_from(bps).ok()),
        title: text(value, "title"),
        cover: text(value, "cover mime").zip(number("cover bytes")).map(|(mime, bytes)| Cover { mime, bytes }),
        chapters: chapters.collect::<Option<_>>()?,
        ..Facts::of_mime(text(value, "mime")?)
    };
    let sha384 = value.get("sha384").and_then(Value::as_bytes).map(<[u8; 48]>::try_from).transpose().ok()?;
    Some((sha384, facts))
}

#[expect(clippy::option_option, reason = "an empty file has no tree, and what is damaged gives nothing at all")]
fn decode_tree(value: &Value) -> Option<Option<Tree>> {
    let (hashes, rest) = value.as_bytes()?.as_chunks::<32>();
    let tree = hashes.split_first().map(|(root, layer)| Tree { root: *root, layer: layer.to_vec() });
    rest.is_empty().then_some(tree)
}

fn fingerprint(value: &Value) -> Option<Fingerprint> {
    let [bytes, mtime_ns, ctime_ns, inode] = value.as_list()? else { return None };
    Some(Fingerprint {
        bytes: bytes.as_int()?.cast_unsigned(),
        mtime_ns: mtime_ns.as_int()?,
        ctime_ns: ctime_ns.as_int()?,
        inode: inode.as_int()?.cast_unsigned(),
    })
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

fn os_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(bytes)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::{FileOrder, Order, Release, make};

    /// A folder with files, and a cache in it.
    struct Desk {
        folder: tempfile::TempDir,
        cache: Cache,
    }

    impl Desk {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let cache = Cache::load(folder.path().join("hashes"));
            Self { folder, cache }
        }

        fn write(&self, name: &str, content: &[u8]) {
            std::fs::write(self.folder.path().join(name), content).expect("written");
        }

        /// The cache as another run finds it.
        fn reload(&mut self) {
            self.cache.save().expect("saved");
            self.cache = Cache::load(self.folder.path().join("hashes"));
        }

        fn make(&mut self, order: &Order) -> Release {
            make(order, &mut self.cache, &()).expect("made")
        }

        /// An order of the files `names`.
        fn order(&self, names: &[&str], kind: Kind) -> Order {
            let file = |name: &&str| FileOrder {
                origin: Origin::File(self.folder.path().join(name)),
                path: if names.len() == 1 { Vec::new() } else { vec![(*name).to_owned()] },
            };
            Order {
                name: "release.wav".into(),
                files: names.iter().map(file).collect(),
                single: names.len() == 1,
                kind,
                piece_length: PieceLength::new(16384).ok(),
                published: None,
                private: false,
                source: None,
                trackers: vec![],
                web_seeds: vec![],
                creation_date: None,
                created_by: None,
                comment: None,
                integrity: names.len() == 1,
                threads: None,
            }
        }
    }

    #[test]
    fn a_second_time_nothing_is_hashed_until_a_file_changes() {
        for kind in Kind::ALL {
            let mut desk = Desk::new();
            desk.write("a", &vec![1; 40_000]);
            desk.write("b", &[]);
            for names in [&["a"][..], &["a", "b"]] {
                let order = desk.order(names, kind);
                let first = desk.make(&order);
                desk.reload();
                assert_eq!(desk.make(&order), first, "{kind}");
                assert_eq!((desk.cache.files_hashed(), desk.cache.bytes_hashed()), (0, 0), "{kind}");
                std::fs::remove_file(desk.folder.path().join("a")).expect("removed");
                desk.write("takes the inode", b"");
                desk.write("a", &vec![if names.len() == 1 { 2 } else { 3 }; 40_000]);
                assert_ne!(desk.make(&order).torrent, first.torrent);
                assert_eq!(desk.cache.files_hashed(), names.len());
                desk.reload();
            }
        }
    }

    #[test]
    fn what_was_not_wanted_before_is_hashed() {
        let mut desk = Desk::new();
        desk.write("a", &vec![1; 40_000]);
        let order = desk.order(&["a"], Kind::V1);
        let without = Order { integrity: false, ..order.clone() };
        assert_eq!(desk.make(&without).files[0].sha384, None);
        let with = desk.make(&order);
        assert!(with.files[0].sha384.is_some());
        assert_eq!(desk.cache.files_hashed(), 2);
        desk.make(&Order { kind: Kind::Hybrid, ..order.clone() });
        desk.make(&Order { piece_length: PieceLength::new(32768).ok(), ..order.clone() });
        assert_eq!(desk.cache.files_hashed(), 4);
        // The automatic piece length is the one that was asked for.
        desk.make(&Order { piece_length: None, ..order });
        assert_eq!(desk.cache.files_hashed(), 4);
    }

    #[test]
    fn facts_and_warnings_are_remembered() {
        let content = Content {
            piece_length: PieceLength::new(16384).expect("a power of two"),
            hashes: Hashes::V1(vec![[1; 20]]),
            files: vec![Known {
                bytes: 3,
                sha384: Some([2; 48]),
                facts: Facts {
                    duration_ms: Some(60_012),
                    bitrate_bps: Some(64_000),
                    title: Some("Title".into()),
                    cover: Some(Cover { mime: "image/png".into(), bytes: 5 }),
                    chapters: vec![Chapter { start_ms: 7, title: "One".into() }],
                    ..Facts::of_mime("audio/mpeg".into())
                },
            }],
            remote: Some(Remote {
                direct_url: Some("https://b.example.org/a.mp3".into()),
                etag: Some("\"x\"".into()),
                last_modified: None,
                ranges: true,
            }),
            warnings: vec!["it is odd".into()],
        };
        let key = Key {
            origins: vec![Origin::Url("https://a.example.org/a.mp3".into())],
            single: true,
            kind: Kind::V1,
            piece_length: None,
        };
        let mut desk = Desk::new();
        desk.cache.put(key.clone(), vec![Stamp::Web], &content);
        desk.reload();
        assert_eq!(desk.cache.get(&key, &[Stamp::Web], true), Some(content));
    }

    #[test]
    fn a_damaged_cache_is_an_empty_one() {
        let mut desk = Desk::new();
        desk.write("a", &vec![1; 40_000]);
        let order = desk.order(&["a"], Kind::Hybrid);
        desk.make(&order);
        desk.reload();
        let path = desk.folder.path().join("hashes");
        let saved = std::fs::read(&path).expect("saved");
        let hole = |what: &[u8]| {
            let at = saved.windows(what.len()).position(|window| window == what).expect("in it");
            // One piece less.
            let text = [&saved[..at], b"6:pieces40:", &saved[at + what.len() + 20..]].concat();
            assert_ne!(text, saved);
            text
        };
        let damaged = [&saved[..saved.len() - 1], b"", b"de", b"d7:entriesle7:versioni99ee"];
        for bytes in damaged.iter().map(|bytes| bytes.to_vec()).chain([hole(b"6:pieces60:")]) {
            std::fs::write(&path, bytes).expect("written");
            desk.cache = Cache::load(&path);
            desk.make(&order);
            assert_eq!(desk.cache.files_hashed(), 1);
        }
    }

    #[test]
    fn a_hard_link_that_was_made_to_a_file_is_no_change_of_it() {
        let mut desk = Desk::new();
        let of = |path: &Path| Fingerprint::of(&std::fs::metadata(path).expect("the file"));
        desk.write("a", b"medium");
        let order = desk.order(&["a"], Kind::V1);
        desk.make(&order);
        let path = desk.folder.path().join("a");
        let before = of(&path);
        std::fs::hard_link(&path, desk.folder.path().join("b")).expect("linked");
        desk.cache.relinked(&[(path.clone(), [before, of(&path)])].into());
        desk.reload();
        desk.make(&order);
        assert_eq!(desk.cache.files_hashed(), 0);
        // Another file's fingerprint changes nothing.
        let other = Fingerprint { bytes: 1, ..before };
        desk.cache.relinked(&[(path, [other, before])].into());
        desk.make(&order);
        assert_eq!(desk.cache.files_hashed(), 0);
    }
}
