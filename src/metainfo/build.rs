//! Making a `.torrent`: what it shall say in, its bytes out, parsed back and compared.

use super::{Info, Layout, Metainfo, Torrent, parse, tree};
use crate::bencode::{self, Dict};

/// A torrent to be made.
///
/// There is no clock here: `creation_date` is the content's own date or absent, so that the same content gives the
/// same bytes on every machine.
pub type Draft = Metainfo;

/// Encodes `draft` and returns it as a reader will see it.
///
/// # Panics
/// When what was written does not read back as `draft`: an error of this program, which must never reach a file.
pub fn encode(draft: &Draft) -> Torrent {
    let torrent = parse(written(draft)).expect("what the encoder writes, the parser reads");
    assert_eq!(&torrent.metainfo, draft, "a torrent reads back as it was meant");
    torrent
}

/// How many bytes the `.torrent` of `draft` has; its hashes need not be those of any content.
pub fn encoded_bytes(draft: &Draft) -> usize {
    written(draft).len()
}

fn written(draft: &Draft) -> Vec<u8> {
    let mut out = Vec::new();
    let mut root = Dict::begin(&mut out);
    if let Some(url) = draft.trackers.first().and_then(|tier| tier.first()) {
        root.string("announce", url);
    }
    // BEP 12: a client that knows `announce-list` ignores `announce`, so one URL alone needs no list.
    if draft.trackers.iter().map(Vec::len).sum::<usize>() > 1 {
        bencode::list(root.key("announce-list"), &draft.trackers, |out, tier| {
            bencode::list(out, tier, bencode::string);
        });
    }
    if let Some(comment) = &draft.comment {
        root.string("comment", comment);
    }
    if let Some(created_by) = &draft.created_by {
        root.string("created by", created_by);
    }
    if let Some(date) = draft.creation_date {
        root.int("creation date", date);
    }
    info(root.key("info"), &draft.info);
    if let Some(trees) = draft.info.trees() {
        tree::write_layers(root.key("piece layers"), trees);
    }
    if !draft.web_seeds.is_empty() {
        bencode::list(root.key("url-list"), &draft.web_seeds, bencode::string);
    }
    root.end();
    out
}

fn info(out: &mut Vec<u8>, info: &Info) {
    let kind = info.kind();
    let mut dict = Dict::begin(out);
    if let Some(trees) = info.trees() {
        tree::write(dict.key("file tree"), &info.name, &info.layout, trees);
    }
    if let Layout::Multi(files) = &info.layout
        && kind.has_v1()
    {
        bencode::list(dict.key("files"), files, |out, file| {
            let mut dict = Dict::begin(out);
            if file.is_pad {
                dict.string("attr", "p");
            }
            dict.int("length", file.bytes.cast_signed());
            bencode::list(dict.key("path"), &file.path, bencode::string);
            dict.end();
        });
    }
    if let Layout::Single(bytes) = info.layout
        && kind.has_v1()
    {
        dict.int("length", bytes.cast_signed());
    }
    if kind.has_v2() {
        dict.int("meta version", 2);
    }
    dict.string("name", &info.name);
    dict.int("piece length", i64::from(info.piece_length.bytes()));
    if let Some(pieces) = info.pieces() {
        dict.string("pieces", pieces.as_flattened());
    }
    if info.private {
        dict.int("private", 1);
    }
    if let Some(source) = &info.source {
        dict.string("source", source);
    }
    dict.end();
}
