//! What was hashed before: digests keyed by what the files were like, in one file.
//!
//! It saves work and decides nothing: a cache that is missing, damaged or of another version is an empty one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{Content, Digests, Progress, Source, Wanted, hash};
use crate::bencode::{self, Dict, Value};
use crate::fingerprint::Fingerprint;
use crate::fsx;
use crate::problem::Problem;
use crate::units::PieceLength;

/// Changes when the meaning of the file does.
const VERSION: i64 = 1;
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    paths: Vec<PathBuf>,
    piece_length: u32,
}

#[derive(Debug)]
struct Entry {
    fingerprints: Vec<Fingerprint>,
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
        sources: &[Source],
        piece_length: PieceLength,
        wanted: Wanted,
        progress: &dyn Progress,
    ) -> Result<Digests, Problem> {
        let files = sources.iter().filter_map(|Source(content)| match content {
            Content::File { path, fingerprint } => Some((path.clone(), *fingerprint)),
            Content::Zeros { .. } => None,
        });
        let (paths, fingerprints): (Vec<_>, Vec<_>) = files.unzip();
        let key = Key { paths, piece_length: piece_length.bytes() };
        if let Some(entry) = self.entries.get_mut(&key)
            && fingerprints.len() == sources.len()
            && entry.fingerprints == fingerprints
            && (wanted == Wanted::Pieces || entry.digests.sha384.len() == sources.len())
        {
            entry.used = true;
            return Ok(entry.digests.clone());
        }
        let bytes = sources.iter().map(Source::bytes).sum();
        progress.expect(bytes);
        let digests = hash(sources, piece_length, wanted, None, progress)?;
        self.files_hashed += sources.len();
        self.bytes_hashed += bytes;
        self.is_changed = true;
        if self.entries.len() < ENTRIES_MAX && fingerprints.len() == sources.len() {
            self.entries.insert(key, Entry { fingerprints, digests: digests.clone(), used: true });
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

fn encode(entries: &HashMap<Key, Entry>) -> Vec<u8> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| (&a.paths, a.piece_length).cmp(&(&b.paths, b.piece_length)));
    let mut out = Vec::new();
    let mut root = Dict::begin(&mut out);
    bencode::list(root.key("entries"), sorted, |out, (key, entry)| {
        let mut dict = Dict::begin(out);
        bencode::list(dict.key("files"), key.paths.iter().zip(&entry.fingerprints), |out, (path, fingerprint)| {
            bencode::list(out, [()], |out, ()| {
                bencode::string(out, path.as_os_str().as_encoded_bytes());
                let Fingerprint { bytes, mtime_ns, ctime_ns, inode } = *fingerprint;
                for number in [bytes.cast_signed(), mtime_ns, ctime_ns, inode.cast_signed()] {
                    bencode::int(out, number);
                }
            });
        });
        dict.int("piece length", i64::from(key.piece_length));
        dict.string("pieces", entry.digests.pieces.as_flattened());
        dict.string("sha384", entry.digests.sha384.as_flattened());
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
    let mut paths = Vec::new();
    let mut fingerprints = Vec::new();
    for file in value.get("files")?.as_list()? {
        let [path, bytes, mtime_ns, ctime_ns, inode] = file.as_list()? else { return None };
        paths.push(os_path(path.as_bytes()?));
        fingerprints.push(Fingerprint {
            bytes: bytes.as_int()?.cast_unsigned(),
            mtime_ns: mtime_ns.as_int()?,
            ctime_ns: ctime_ns.as_int()?,
            inode: inode.as_int()?.cast_unsigned(),
        });
    }
    let piece_length = PieceLength::foreign(value.get("piece length")?.as_int()?)?;
    let (pieces, rest) = value.get("pieces")?.as_bytes()?.as_chunks::<20>();
    let (sha384, rest2) = value.get("sha384")?.as_bytes()?.as_chunks::<48>();
    let total = fingerprints.iter().map(|fingerprint| fingerprint.bytes).sum();
    let whole = rest.is_empty()
        && rest2.is_empty()
        && (sha384.is_empty() || sha384.len() == paths.len())
        && pieces.len() as u64 == piece_length.count(total);
    let digests = Digests { pieces: pieces.to_vec(), sha384: sha384.to_vec() };
    whole.then_some((Key { paths, piece_length: piece_length.bytes() }, Entry { fingerprints, digests, used: false }))
}

fn os_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(bytes)).to_owned()
}
