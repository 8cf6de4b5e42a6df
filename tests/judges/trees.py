"""What libtorrent makes of files, and what it and torf read in torrents: a JSON line a case of standard input.

A case is {"root", "files": [[path, bytes]], "kind", "piece_bytes", "torrent"}, where paths begin with the torrent's name;
or {"torrent"} alone, which libtorrent shall read.
"""

import json
import sys
import warnings

import libtorrent
import torf

warnings.simplefilter("ignore", DeprecationWarning)

FLAGS = {
    "v1": libtorrent.create_torrent.v1_only,
    "v2": libtorrent.create_torrent.v2_only,
    "hybrid": 0,
}


def hashes(info):
    both = info.info_hashes()
    return {
        "v1": str(both.v1) if both.has_v1() else None,
        "v2": str(both.v2) if both.has_v2() else None,
    }


def made(case):
    """The info dictionary and the piece layers that libtorrent writes, and whether it reads them."""
    entries = [libtorrent.create_file_entry(path, size) for path, size in case["files"]]
    torrent = libtorrent.create_torrent(entries, case["piece_bytes"], FLAGS[case["kind"]])
    libtorrent.set_piece_hashes(torrent, case["root"])
    entry = torrent.generate()
    layers = entry.get(b"piece layers")
    try:
        is_read = bool(libtorrent.load_torrent_buffer(libtorrent.bencode(entry)))
    except RuntimeError:
        is_read = False
    return {
        "info": libtorrent.bencode(entry[b"info"]).hex(),
        "layers": None if layers is None else libtorrent.bencode(layers).hex(),
        "is_read": is_read,
    }


def read(path):
    """What libtorrent reads in a torrent, without pads."""
    info = libtorrent.load_torrent_file(path).ti
    files = info.files()
    pad = libtorrent.file_storage.flag_pad_file
    whole = [i for i in range(files.num_files()) if not files.file_flags(i) & pad]
    return {
        **hashes(info),
        "files": [[files.file_path(i), files.file_size(i)] for i in whole],
        "pieces": info.num_pieces(),
    }


def read_by_torf(path):
    torrent = torf.Torrent.read(path)
    return {
        "v1": torrent.infohash,
        "files": [[str(file), file.size] for file in torrent.files if "/.pad/" not in str(file)],
        "pieces": torrent.pieces,
    }


for line in sys.stdin:
    case = json.loads(line)
    try:
        answer = {"read": read(case["torrent"])}
    except RuntimeError as error:
        answer = {"read": str(error)}
    if "files" in case:
        answer["made"] = made(case)
    if case.get("kind", "v2") != "v2":
        answer["torf"] = read_by_torf(case["torrent"])
    print(json.dumps(answer))
