//! What was hashed before: digests keyed by what the files were like, in one file.
//!
//! It saves work and decides nothing: a cache that is missing, damaged or of another version is an empty one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::tree::Tree;
use super::{Content, Digests, Order, Progress, Source, Wanted, hash};
use crate::bencode::{self, Dict, Value};
use crate::fingerprint::Fingerprint;
use crate::fsx;
use crate::problem::Problem;
use crate::units::PieceLength;

/// Changes when the meaning of the file does.
const VERSION: i64 = 2;
/// The most torrents that are remembered.
const ENTRIES_MAX: usize = 100_000;

/// Digests of files that were hashed before.
#[derive(Debug, Default)]
pub struct Cache {
    path: Option<PathBuf>,
    entries: HashMap<Key, Entry>,
    files_hashed: usize,
    bytes_hashed: u64,
    /// Whether it differs from what was loaded or saved.
    is_changed: bool,
}

/// One torrent's files and how they are cut; a changed file replaces the entry of its former self.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    paths: Vec<PathBuf>,
    /// The zeros behind each file.
    pads: Vec<u64>,
    piece_length: u32,
}

#[derive(Debug)]
struct Entry {
    fingerprints: Vec<Fingerprint>,
    /// What its digests are.
    known: Wanted,
    digests: Digests,
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

    /// The digests of `sources`, from memory where each is what it was and what is `wanted` is known, else by [`hash`].
    pub fn digests(
        &mut self,
        sources: &mut [Source],
        piece_length: PieceLength,
        wanted: Wanted,
        progress: &dyn Progress,
    ) -> Result<Digests, Problem> {
        let (mut paths, mut fingerprints, mut pads) = (Vec::new(), Vec::new(), Vec::new());
        for source in &*sources {
            if let Content::File { path, fingerprint } = &source.content {
                paths.push(path.clone());
                fingerprints.push(*fingerprint);
                pads.push(source.pad);
            }
        }
        let is_known = fingerprints.len() == sources.len();
        let key = Key { paths, pads, piece_length: piece_length.bytes() };
        let former = self.entries.get_mut(&key).filter(|entry| is_known && entry.fingerprints == fingerprints);
        if let Some(entry) = former
            && entry.known.has(wanted)
        {
            entry.used = true;
            return Ok(entry.digests.clone());
        }
        let bytes = sources.iter().map(Source::bytes).sum();
        progress.expect(bytes);
        let digests = hash(Order::new(sources, piece_length, wanted, progress))?;
        self.files_hashed += sources.len();
        self.bytes_hashed += bytes;
        self.is_changed = true;
        if self.entries.len() < ENTRIES_MAX && is_known {
            let mut entry = Entry { fingerprints, known: wanted, digests: digests.clone(), used: true };
            if let Some(former) = self.entries.remove(&key).filter(|former| former.fingerprints == entry.fingerprints) {
                entry.add(former);
            }
            self.entries.insert(key, entry);
        }
        Ok(digests)
    }

    /// Takes files for what they were although their fingerprints differ: from the first to the second of each pair.
    ///
    /// A hard link that the caller made to a file, or took away, changes its `ctime` and not its content.
    pub fn relinked(&mut self, files: &HashMap<PathBuf, [Fingerprint; 2]>) {
        for (key, entry) in &mut self.entries {
            for (path, fingerprint) in key.paths.iter().zip(&mut entry.fingerprints) {
                if let Some([before, now]) = files.get(path)
                    && fingerprint == before
                    && before != now
                {
                    *fingerprint = *now;
                    self.is_changed = true;
                }
            }
        }
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
        self.entries.retain(|key, entry| entry.used || key.paths.iter().all(|path| path.exists()));
        fsx::write_whole(path, &encode(&self.entries))
            .map_err(|error| Problem::at(path, format!("can't be written: {error}")))?;
        self.is_changed = false;
        Ok(())
    }
}

impl Entry {
    /// Knows also what was known before.
    fn add(&mut self, former: Self) {
        if former.known.v1 && !self.known.v1 {
            self.digests.pieces = former.digests.pieces;
        }
        if former.known.v2 && !self.known.v2 {
            self.digests.trees = former.digests.trees;
        }
        if former.known.sha384 && !self.known.sha384 {
            self.digests.sha384 = former.digests.sha384;
        }
        let known = [self.known, former.known].map(|known| [known.v1, known.v2, known.sha384]);
        let [v1, v2, sha384] = std::array::from_fn(|i| known[0][i] || known[1][i]);
        self.known = Wanted { v1, v2, sha384 };
    }

    /// Whether as many hashes are there as the files have.
    fn is_whole(&self, key: &Key) -> bool {
        let Digests { pieces, trees, sha384 } = &self.digests;
        let piece = u64::from(key.piece_length);
        let files = || self.fingerprints.iter().map(|fingerprint| fingerprint.bytes);
        let total: u64 = files().chain(key.pads.iter().copied()).fold(0, u64::saturating_add);
        let fits = |(bytes, tree): (u64, &Option<Tree>)| {
            let layer = if bytes <= piece { 0 } else { bytes.div_ceil(piece) };
            tree.as_ref().map(|tree| tree.layer.len() as u64) == (bytes > 0).then_some(layer)
        };
        let Wanted { v1, v2, sha384: wants_sha384 } = self.known;
        pieces.len() as u64 == if v1 { total.div_ceil(piece) } else { 0 }
            && trees.len() == if v2 { key.paths.len() } else { 0 }
            && files().zip(trees).all(fits)
            && sha384.len() == if wants_sha384 { key.paths.len() } else { 0 }
    }
}

impl Wanted {
    fn has(self, other: Self) -> bool {
        self.v1 >= other.v1 && self.v2 >= other.v2 && self.sha384 >= other.sha384
    }
}

fn encode(entries: &HashMap<Key, Entry>) -> Vec<u8> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    let mut out = Vec::new();
    let mut root = Dict::begin(&mut out);
    bencode::list(root.key("entries"), sorted, |out, (key, entry)| {
        let mut dict = Dict::begin(out);
        let files = key.paths.iter().zip(&entry.fingerprints).zip(&key.pads);
        bencode::list(dict.key("files"), files, |out, ((path, fingerprint), pad)| {
            bencode::list(out, [()], |out, ()| {
                bencode::string(out, path.as_os_str().as_encoded_bytes());
                let Fingerprint { bytes, mtime_ns, ctime_ns, inode } = *fingerprint;
                for number in [bytes.cast_signed(), mtime_ns, ctime_ns, inode.cast_signed(), pad.cast_signed()] {
                    bencode::int(out, number);
                }
            });
        });
        let Wanted { v1, v2, sha384 } = entry.known;
        bencode::list(dict.key("known"), [v1, v2, sha384], |out, known| bencode::int(out, i64::from(known)));
        dict.int("piece length", i64::from(key.piece_length));
        dict.string("pieces", entry.digests.pieces.as_flattened());
        dict.string("sha384", entry.digests.sha384.as_flattened());
        bencode::list(dict.key("trees"), &entry.digests.trees, |out, tree| {
            let nodes = tree.iter().flat_map(|tree| [tree.root].into_iter().chain(tree.layer.iter().copied()));
            bencode::string(out, nodes.collect::<Vec<_>>().as_flattened());
        });
        dict.end();
    });
    root.int("version", VERSION);
    root.end();
    out
}

fn decode(bytes: &[u8]) -> Option<HashMap<Key, Entry>> {
    let root = bencode::decode(bytes).ok()?;
    if root.get("version")?.as_int()? != VERSION {
        return None;
    }
    root.get("entries")?.as_list()?.iter().take(ENTRIES_MAX).map(decode_entry).collect()
}

fn decode_entry(value: &Value) -> Option<(Key, Entry)> {
    let (mut paths, mut fingerprints, mut pads) = (Vec::new(), Vec::new(), Vec::new());
    for file in value.get("files")?.as_list()? {
        let [path, bytes, mtime_ns, ctime_ns, inode, pad] = file.as_list()? else { return None };
        paths.push(os_path(path.as_bytes()?));
        fingerprints.push(Fingerprint {
            bytes: bytes.as_int()?.cast_unsigned(),
            mtime_ns: mtime_ns.as_int()?,
            ctime_ns: ctime_ns.as_int()?,
            inode: inode.as_int()?.cast_unsigned(),
        });
        pads.push(pad.as_int()?.cast_unsigned());
    }
    let [v1, v2, wants_sha384] = value.get("known")?.as_list()? else { return None };
    let known = |value: &Value| Some(value.as_int()? != 0);
    let known = Wanted { v1: known(v1)?, v2: known(v2)?, sha384: known(wants_sha384)? };
    let piece_length = PieceLength::foreign(value.get("piece length")?.as_int()?)?.bytes();
    let digests = Digests {
        pieces: hashes(value.get("pieces")?)?,
        trees: value.get("trees")?.as_list()?.iter().map(decode_tree).collect::<Option<_>>()?,
        sha384: hashes(value.get("sha384")?)?,
    };
    let (key, entry) = (Key { paths, pads, piece_length }, Entry { fingerprints, known, digests, used: false });
    entry.is_whole(&key).then_some((key, entry))
}

/// The outer `None` is a damaged tree, the inner one that of an empty file.
#[expect(clippy::option_option, reason = "a tree that can't be read, and a tree that is not there")]
fn decode_tree(value: &Value) -> Option<Option<Tree>> {
    let nodes = hashes(value)?;
    Some(nodes.split_first().map(|(root, layer)| Tree { root: *root, layer: layer.to_vec() }))
}

fn hashes<const N: usize>(value: &Value) -> Option<Vec<[u8; N]>> {
    let (hashes, rest) = value.as_bytes()?.as_chunks();
    rest.is_empty().then(|| hashes.to_vec())
}

fn os_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(bytes)).to_owned()
}
