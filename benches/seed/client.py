"""libtorrent with its default settings, seeding or downloading until it is killed:
client.py seed|leech ADDRESS:PORT FOLDER TORRENT

It finds peers by the tracker alone, so that it has nobody's bytes but the seed's that is measured."""

import sys
import time

import libtorrent as lt

role, address, folder, torrent = sys.argv[1:]
settings = {"listen_interfaces": address, "enable_dht": False, "enable_lsd": False}
# Without its plugins: one of them is the exchange of peers.
session = lt.session(settings, 0)
params = lt.load_torrent_file(torrent)
params.save_path = folder
session.add_torrent(params)
while True:
    time.sleep(60)
