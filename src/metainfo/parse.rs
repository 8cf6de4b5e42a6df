//! Reading a `.torrent`: strict where a client could be misled, lenient in what only informs.

use std::fmt;

use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::{File, Hashes, Info, Kind, Layout, Metainfo, TORRENT_BYTES_MAX, Torrent, merkle, tree};
use crate::bencode::{self, Limits, Value};
use crate::id::{InfoHash, InfoHashV2, InfoHashes, PieceHash};
use crate::sitepath::is_plain_name;
use crate::units::PieceLength;

/// The most files of a torrent.
pub const FILES_MAX: usize = 1_000_000;
/// The deepest path of a file in a torrent.
pub const PATH_NAMES_MAX: usize = 64;

/// So that a `file tree` can be as deep as a path, and [`FILES_MAX`] files with three names each can be read.
pub(super) const LIMITS: Limits =
    Limits { depth_max: PATH_NAMES_MAX + 4, bytes_max: TORRENT_BYTES_MAX, values_max: 6 * FILES_MAX + 1000 };

/// Why bytes are no torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// They are not strict bencode.
    Bencode(bencode::Error),
    /// A field is missing or is not what BEP 3 or BEP 52 says.
    Field {
        /// The field's key, outer dictionary first: `info.piece length`.
        field: &'static str,
        /// The byte of the file near which it was looked for.
        offset: usize,
        /// What it should be.
        wanted: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bencode(error) => write!(f, "not a torrent: {error}"),
            Self::Field { field, offset, wanted } => write!(f, "byte {offset}: `{field}` is not {wanted}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<bencode::Error> for Error {
    fn from(error: bencode::Error) -> Self {
        Self::Bencode(error)
    }
}

/// Reads the bytes of a `.torrent` (BEP 3, 12, 19, 27, 47, 52). Unknown keys are passed over.
pub fn parse(bytes: Vec<u8>) -> Result<Torrent, Error> {
    let root = bencode::decode_within(&bytes, LIMITS)?;
    let info_value = root.get("info").ok_or_else(|| field(&root, "info", "a dictionary"))?;
    let metainfo = Metainfo {
        info: info(&root, info_value)?,
        trackers: trackers(&root)?,
        web_seeds: web_seeds(&root)?,
        creation_date: root.get("creation date").and_then(Value::as_int),
        created_by: text(&root, "created by"),
        comment: text(&root, "comment"),
    };
    let v1 = || InfoHash(Sha1::digest(info_value.raw).into());
    let v2 = || InfoHashV2(Sha256::digest(info_value.raw).into());
    let info_hashes = match metainfo.info.kind() {
        Kind::V1 => InfoHashes::V1(v1()),
        Kind::V2 => InfoHashes::V2(v2()),
        Kind::Hybrid => InfoHashes::Hybrid(v1(), v2()),
    };
    let info_span = info_value.span();
    Ok(Torrent { metainfo, info_hashes, bytes, info_span })
}

fn info(root: &Value, value: &Value) -> Result<Info, Error> {
    if value.as_dict().is_none() {
        return Err(field(value, "info", "a dictionary"));
    }
    let name = match value.get("name").and_then(Value::as_str) {
        Some(name) if is_plain_name(name) => name.to_owned(),
        _ => return Err(field(value, "info.name", "the UTF-8 name of one file or folder")),
    };
    let piece_length = value
        .get("piece length")
        .and_then(Value::as_int)
        .and_then(PieceLength::foreign)
        .ok_or_else(|| field(value, "info.piece length", "a positive number of bytes up to 256 MiB"))?;
    let (layout, hashes) = content(root, value, &name, piece_length)?;
    let info = Info {
        name,
        piece_length,
        private: value.get("private").and_then(Value::as_int) == Some(1),
        source: text(value, "source"),
        layout,
        hashes,
    };
    if info.pieces().is_some_and(|pieces| pieces.len() as u64 != info.piece_count()) {
        return Err(field(value, "info.pieces", "one hash for each piece of the content"));
    }
    Ok(info)
}

fn content(root: &Value, info: &Value, name: &str, length: PieceLength) -> Result<(Layout, Hashes), Error> {
    let is_v2 = match info.get("meta version") {
        None => false,
        Some(version) => match version.as_int() {
            Some(1) => false,
            Some(2) => true,
            _ => return Err(field(version, "info.meta version", "1 or 2, the versions that are known")),
        },
    };
    let leaves = match (info.get("file tree"), is_v2) {
        (None, false) => return Ok((layout(info)?, Hashes::V1(pieces(info)?))),
        (Some(leaves), true) => tree::read(leaves)?,
        _ => return Err(field(info, "info.meta version", "2 where there is a `file tree`, and there alone")),
    };
    if !length.bytes().is_power_of_two() || length.bytes() < merkle::BLOCK_BYTES {
        return Err(field(info, "info.piece length", "a power of two from 16 KiB to 256 MiB, as v2 has it"));
    }
    let trees = tree::read_layers(root, &leaves, length)?;
    if ["pieces", "files", "length"].iter().all(|key| info.get(key).is_none()) {
        let layout = match &leaves[..] {
            [leaf] if leaf.path == [name] => Layout::Single(leaf.bytes),
            _ => Layout::Multi(leaves.into_iter().map(tree::Leaf::into_file).collect()),
        };
        return Ok((layout, Hashes::V2(trees)));
    }
    let layout = layout(info)?;
    if tree::agrees(&layout, name, &leaves, length) {
        Ok((layout, Hashes::Hybrid { pieces: pieces(info)?, trees }))
    } else {
        Err(field(info, "info.file tree", "of the same files as v1's, in that order and padded to pieces"))
    }
}

fn layout(info: &Value) -> Result<Layout, Error> {
    match (info.get("length"), info.get("files")) {
        (Some(length), None) => Ok(Layout::Single(byte_count(length, "info.length")?)),
        (None, Some(files)) => {
            let list = files
                .as_list()
                .filter(|list| !list.is_empty() && list.len() <= FILES_MAX)
                .ok_or_else(|| field(files, "info.files", "a list of one to 1,000,000 files"))?;
            let files = list.iter().map(file).collect::<Result<Vec<_>, _>>()?;
            files
                .iter()
                .try_fold(0_u64, |sum, file| sum.checked_add(file.bytes))
                .filter(|&sum| i64::try_from(sum).is_ok())
                .ok_or_else(|| field(info, "info.files", "a list of files with fewer than 2^63 bytes in all"))?;
            Ok(Layout::Multi(files))
        }
        _ => Err(field(info, "info", "a dictionary with either `length` or `files`")),
    }
}

fn file(value: &Value) -> Result<File, Error> {
    let wanted = "a list of one to 64 UTF-8 names, none of them `..`";
    let names = value
        .get("path")
        .and_then(Value::as_list)
        .filter(|names| !names.is_empty() && names.len() <= PATH_NAMES_MAX)
        .ok_or_else(|| field(value, "info.files.path", wanted))?;
    let path = names
        .iter()
        .map(|name| name.as_str().filter(|name| is_plain_name(name)).map(str::to_owned))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| field(value, "info.files.path", wanted))?;
    let length = value.get("length").ok_or_else(|| field(value, "info.files.length", "a number of bytes"))?;
    let is_pad = value.get("attr").and_then(Value::as_bytes).is_some_and(|attributes| attributes.contains(&b'p'));
    Ok(File { path, bytes: byte_count(length, "info.files.length")?, is_pad })
}

fn pieces(info: &Value) -> Result<Vec<PieceHash>, Error> {
    let wanted = "a string of 20 bytes for each piece";
    let bytes = info.get("pieces").and_then(Value::as_bytes).ok_or_else(|| field(info, "info.pieces", wanted))?;
    let (hashes, rest) = bytes.as_chunks::<20>();
    if rest.is_empty() { Ok(hashes.to_vec()) } else { Err(field(info, "info.pieces", wanted)) }
}

/// `announce-list` where it holds anything, else `announce` (BEP 12).
fn trackers(root: &Value) -> Result<Vec<Vec<String>>, Error> {
    let announce = match root.get("announce") {
        None => None,
        Some(url) => Some(url.as_str().ok_or_else(|| field(url, "announce", "a URL"))?.to_owned()),
    };
    let tiers = match root.get("announce-list") {
        None => Vec::new(),
        Some(list) => list
            .as_list()
            .and_then(|tiers| tiers.iter().map(strings).collect::<Option<Vec<_>>>())
            .ok_or_else(|| field(list, "announce-list", "a list of lists of URLs"))?,
    };
    let tiers: Vec<_> = tiers.into_iter().filter(|tier| !tier.is_empty()).collect();
    Ok(if tiers.is_empty() { announce.map(|url| vec![vec![url]]).unwrap_or_default() } else { tiers })
}

/// `url-list`: a list, or one string, as some tools write it (BEP 19).
fn web_seeds(root: &Value) -> Result<Vec<String>, Error> {
    let Some(list) = root.get("url-list") else { return Ok(Vec::new()) };
    let urls = if let Some(url) = list.as_str() { Some(vec![url.to_owned()]) } else { strings(list) };
    let urls = urls.ok_or_else(|| field(list, "url-list", "a URL or a list of URLs"))?;
    Ok(urls.into_iter().filter(|url| !url.is_empty()).collect())
}

fn strings(list: &Value) -> Option<Vec<String>> {
    list.as_list()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}

/// A field that only informs: what is not UTF-8 in it is replaced.
fn text(root: &Value, key: &str) -> Option<String> {
    root.get(key)?.as_bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

pub(super) fn byte_count(value: &Value, name: &'static str) -> Result<u64, Error> {
    value.as_int().and_then(|n| u64::try_from(n).ok()).ok_or_else(|| field(value, name, "a number of bytes"))
}

pub(super) fn field(near: &Value, field: &'static str, wanted: &'static str) -> Error {
    Error::Field { field, offset: near.offset, wanted }
}
