"""libtorrent with its default settings, seeding or downloading until it is killed:
libtorrent.py seed|leech ADDRESS:PORT FOLDER TORRENT"""

import sys
import time

import libtorrent as lt

role, address, folder, torrent = sys.argv[1:]
session = lt.session({"listen_interfaces": address})
params = lt.load_torrent_file(torrent)
params.save_path = folder
session.add_torrent(params)
while True:
    time.sleep(60)
