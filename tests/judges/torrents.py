"""Tells what libtorrent and torf read in torrents: a JSON object a file and reader, in that order."""

import json
import sys

import libtorrent
import torf


def of_libtorrent(path):
    params = libtorrent.load_torrent_file(path)
    info = params.ti
    files = info.files()
    return {
        "info_hash": str(info.info_hashes().v1),
        "name": info.name(),
        "files": [[files.file_path(i), files.file_size(i)] for i in range(files.num_files())],
        "piece_bytes": info.piece_length(),
        "pieces": info.num_pieces(),
        "private": info.priv(),
        "trackers": list(params.trackers),
        "web_seeds": list(params.url_seeds),
        "created": params.creation_date,
        "created_by": params.created_by,
    }


def of_torf(path):
    torrent = torf.Torrent.read(path)
    return {
        "info_hash": torrent.infohash,
        "name": torrent.name,
        "files": [[str(file), file.size] for file in torrent.files],
        "piece_bytes": torrent.piece_size,
        "pieces": torrent.pieces,
        "private": bool(torrent.private),
        "trackers": [url for tier in torrent.trackers for url in tier],
        "web_seeds": list(torrent.webseeds),
        "created": int(torrent.creation_date.timestamp()) if torrent.creation_date else 0,
        "created_by": torrent.created_by,
    }


for path in sys.argv[1:]:
    for read in (of_libtorrent, of_torf):
        print(json.dumps(read(path)))
