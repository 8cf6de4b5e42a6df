//! The files of a v2 torrent: their order, their padding, `file tree` and `piece layers` (BEP 52, BEP 47), written and
//! read.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::parse::{Error, byte_count, field};
use super::{FILES_MAX, File, Layout, PATH_NAMES_MAX, TORRENT_BYTES_MAX, Tree, merkle};
use crate::bencode::{self, Dict, Value};
use crate::id::NodeHash;
use crate::sitepath::is_plain_name;
use crate::units::PieceLength;

/// The most bytes of the paths of all files of a `file tree`: a folder's name stands there once and in the path of
/// each of its files.
const PATHS_BYTES_MAX: usize = 128 << 20;
/// What each name of a path counts beside its bytes.
const NAME_BYTES: usize = 16;
/// The most hashes of all `piece layers`, one that several files share counted for each of them.
const LAYER_HASHES_MAX: u64 = (TORRENT_BYTES_MAX / size_of::<NodeHash>()) as u64;

/// Compares paths as a `file tree` orders its files: name by name, each by its bytes.
pub fn tree_order(a: &[String], b: &[String]) -> Ordering {
    // Not the paths with `/` between: `b-c` comes before `b/a` then, and behind it in the tree.
    a.cmp(b)
}

/// `files` with a pad behind each one that does not end with a piece, the last one too (BEP 47), so that each begins
/// with a piece. A file alone needs none.
pub fn padded(files: Vec<File>, piece_length: PieceLength) -> Vec<File> {
    if files.len() < 2 {
        return files;
    }
    let mut padded = Vec::with_capacity(files.len() * 2);
    for file in files {
        let bytes = gap(file.bytes, piece_length);
        padded.push(file);
        if bytes > 0 {
            padded.push(File { path: vec![".pad".to_owned(), bytes.to_string()], bytes, is_pad: true });
        }
    }
    padded
}

/// How many bytes are missing behind `bytes` bytes up to the end of the piece.
fn gap(bytes: u64, piece_length: PieceLength) -> u64 {
    let length = u64::from(piece_length.bytes());
    (length - bytes % length) % length
}

/// A file as the tree describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub path: Vec<String>,
    pub bytes: u64,
    root: Option<NodeHash>,
}

impl Leaf {
    pub fn into_file(self) -> File {
        File { path: self.path, bytes: self.bytes, is_pad: false }
    }
}

/// Writes `file tree`: `layout` in the order of a tree, and the tree of each file that is no pad.
///
/// # Panics
/// When the files are not in the order of a tree, or one of them is a folder of another: an error of this program.
pub(super) fn write<'a>(out: &mut Vec<u8>, name: &'a str, layout: &'a Layout, trees: &'a [Option<Tree>]) {
    let files: Vec<(Vec<_>, _)> = match layout {
        Layout::Single(bytes) => vec![(vec![name], *bytes)],
        Layout::Multi(files) => {
            let files = files.iter().filter(|file| !file.is_pad);
            files.map(|file| (file.path.iter().map(String::as_str).collect(), file.bytes)).collect()
        }
    };
    assert_eq!(files.len(), trees.len(), "each file has its tree, or none because it is empty");
    let inner = |((path, bytes), tree): ((_, _), &'a Option<Tree>)| Inner { path, bytes, tree: tree.as_ref() };
    let files: Vec<_> = files.into_iter().zip(trees).map(inner).collect();
    let is_next = |pair: &[Inner]| pair[0].path < pair[1].path && !pair[1].path.starts_with(&pair[0].path);
    assert!(files.windows(2).all(is_next), "the files stand in the order of a tree, and none is a folder of another");
    assert!(files.iter().all(|file| (1..=PATH_NAMES_MAX).contains(&file.path.len())), "paths are of bounded depth");
    write_folder(out, &files, 0);
}

struct Inner<'a> {
    path: Vec<&'a str>,
    bytes: u64,
    tree: Option<&'a Tree>,
}

/// Writes the folder that holds `files`, whose paths have `depth` names in common. As deep as a path is long.
fn write_folder(out: &mut Vec<u8>, files: &[Inner], depth: usize) {
    let mut dict = Dict::begin(out);
    for inside in files.chunk_by(|a, b| a.path[depth] == b.path[depth]) {
        let out = dict.key(inside[0].path[depth]);
        if inside[0].path.len() > depth + 1 {
            write_folder(out, inside, depth + 1);
        } else {
            write_file(out, &inside[0]);
        }
    }
    dict.end();
}

fn write_file(out: &mut Vec<u8>, file: &Inner) {
    let mut dict = Dict::begin(out);
    let mut facts = Dict::begin(dict.key(""));
    facts.int("length", file.bytes.cast_signed());
    if let Some(tree) = file.tree {
        facts.string("pieces root", tree.root);
    }
    facts.end();
    dict.end();
}

/// Writes `piece layers`; files with the same content share an entry.
pub(super) fn write_layers(out: &mut Vec<u8>, trees: &[Option<Tree>]) {
    let long = trees.iter().flatten().filter(|tree| !tree.layer.is_empty());
    let layers: BTreeMap<_, _> = long.map(|tree| (tree.root, &tree.layer)).collect();
    let mut dict = Dict::begin(out);
    for (root, layer) in layers {
        bencode::string(dict.key(root), layer.as_flattened());
    }
    dict.end();
}

/// Reads `file tree`: its files, in order.
pub(super) fn read(tree: &Value) -> Result<Vec<Leaf>, Error> {
    let mut reader = Reader { files: Vec::new(), path: Vec::new(), paths_bytes: 0, bytes: 0 };
    reader.folder(tree)?;
    Ok(reader.files)
}

struct Reader {
    files: Vec<Leaf>,
    /// Of the folder that is being read.
    path: Vec<String>,
    paths_bytes: usize,
    bytes: u64,
}

impl Reader {
    /// As deep as [`PATH_NAMES_MAX`] allows.
    fn folder(&mut self, value: &Value) -> Result<(), Error> {
        let wanted = "folders that each hold a file or a folder";
        let entries = value.as_dict().filter(|entries| !entries.is_empty());
        for (name, inner) in entries.ok_or_else(|| field(value, TREE, wanted))? {
            let wanted = "of UTF-8 names, none of them `..`, at most 64 in a path";
            let name = str::from_utf8(name).ok().filter(|name| is_plain_name(name) && self.path.len() < PATH_NAMES_MAX);
            self.path.push(name.ok_or_else(|| field(inner, TREE, wanted))?.to_owned());
            match inner.get("") {
                None => self.folder(inner)?,
                Some(facts) if inner.as_dict().is_some_and(|entries| entries.len() == 1) => self.file(facts)?,
                Some(_) => return Err(field(inner, TREE, "of names that are either a file or a folder")),
            }
            self.path.pop();
        }
        Ok(())
    }

    fn file(&mut self, facts: &Value) -> Result<(), Error> {
        self.paths_bytes += self.path.iter().map(|name| name.len() + NAME_BYTES).sum::<usize>();
        if self.files.len() == FILES_MAX || self.paths_bytes > PATHS_BYTES_MAX {
            return Err(field(facts, TREE, "of at most 1,000,000 files, with 128 MiB of paths"));
        }
        let length = facts.get("length").ok_or_else(|| field(facts, "info.file tree.length", "a number of bytes"))?;
        let bytes = byte_count(length, "info.file tree.length")?;
        let sum = self.bytes.checked_add(bytes).filter(|&sum| i64::try_from(sum).is_ok());
        self.bytes = sum.ok_or_else(|| field(facts, TREE, "of files with fewer than 2^63 bytes in all"))?;
        let root = match bytes {
            0 => None,
            _ => Some(
                facts
                    .get("pieces root")
                    .and_then(Value::as_bytes)
                    .and_then(|bytes| bytes.try_into().ok())
                    .ok_or_else(|| field(facts, "info.file tree.pieces root", "a hash of 32 bytes"))?,
            ),
        };
        self.files.push(Leaf { path: self.path.clone(), bytes, root });
        Ok(())
    }
}

const TREE: &str = "info.file tree";
const LAYERS: &str = "piece layers";

/// Reads the tree of each of `files` from `piece layers` of the torrent `root`, and checks it.
pub(super) fn read_layers(root: &Value, files: &[Leaf], length: PieceLength) -> Result<Vec<Option<Tree>>, Error> {
    let pieces = |leaf: &Leaf| Some(length.count(leaf.bytes)).filter(|&count| count > 1);
    let all = files.iter().filter_map(pieces).try_fold(0_u64, u64::checked_add);
    if all.is_none_or(|all| all > LAYER_HASHES_MAX) {
        return Err(field(root, LAYERS, "of at most 2,097,152 hashes, shared ones counted for each file"));
    }
    let layers = match root.get(LAYERS) {
        None => &[],
        Some(value) => value.as_dict().ok_or_else(|| field(value, LAYERS, "a dictionary"))?,
    };
    let tree = |leaf: &Leaf| {
        let Some(hash) = leaf.root else { return Ok(None) };
        let Some(count) = pieces(leaf) else { return Ok(Some(Tree { root: hash, layer: Vec::new() })) };
        let index = layers.binary_search_by(|(key, _)| (*key).cmp(&hash[..]));
        let index = index.map_err(|_| field(root, LAYERS, "there for each file that is longer than a piece"))?;
        let value = &layers[index].1;
        let (nodes, rest) = value.as_bytes().unwrap_or_default().as_chunks::<32>();
        if !rest.is_empty() || nodes.len() as u64 != count {
            return Err(field(value, LAYERS, "a hash of 32 bytes for each piece of its file"));
        }
        if merkle::root_of_pieces(nodes, length) != hash {
            return Err(field(value, LAYERS, "of hashes that lead to the root of their file"));
        }
        Ok(Some(Tree { root: hash, layer: nodes.to_vec() }))
    };
    let trees = files.iter().map(tree).collect::<Result<Vec<_>, _>>()?;
    let long: BTreeSet<_> =
        trees.iter().flatten().filter(|tree| !tree.layer.is_empty()).map(|tree| tree.root).collect();
    if long.len() != layers.len() {
        return Err(field(root, LAYERS, "of files that are longer than a piece alone"));
    }
    Ok(trees)
}

/// Whether the v1 part of a hybrid torrent, `layout`, says of the content what its tree says: the same files in the
/// same order, each at the beginning of a piece, by one pad where it takes padding (BEP 52, "upgrade path"). The last file
/// need not be padded.
pub(super) fn agrees(layout: &Layout, name: &str, tree: &[Leaf], length: PieceLength) -> bool {
    let files = match layout {
        Layout::Single(bytes) => {
            return matches!(tree, [leaf] if leaf.path == [name] && leaf.bytes == *bytes);
        }
        Layout::Multi(files) => files,
    };
    let mut leaves = tree.iter();
    // The padding that the next file needs, as long as it is missing.
    let mut missing = 0;
    for file in files {
        if file.is_pad {
            if missing == 0 || file.bytes != missing {
                return false;
            }
            missing = 0;
        } else {
            let is_next = leaves.next().is_some_and(|leaf| leaf.path == file.path && leaf.bytes == file.bytes);
            if !is_next || (file.bytes > 0 && missing > 0) {
                return false;
            }
            if file.bytes > 0 {
                missing = gap(file.bytes, length);
            }
        }
    }
    leaves.next().is_none()
}
