"""Downloads a torrent with Deluge's own core: download_deluge.py FOLDER BYTES_PER_SECOND TORRENT_OR_MAGNET

It ends when all files are there. The session's state lies beside FOLDER. Only Debian packages Deluge, so this is for
the machine's own Python.
"""

import base64
import os
import sys

folder, limit, wanted = sys.argv[1:]

import deluge.configmanager

deluge.configmanager.set_config_dir(os.path.abspath("deluge"))

import deluge.component as component
import deluge.log
from deluge.core.daemon import Daemon
from twisted.internet import reactor

deluge.log.setup_logger(level="info")
daemon = Daemon(standalone=True)
settings = dict.fromkeys(("dht", "upnp", "natpmp", "utpex", "lsd"), False)
settings["download_location"] = os.path.abspath(folder)
if int(limit):
    settings["max_download_speed"] = int(limit) / 1024
daemon.core.set_config(settings)
daemon.start()


def finished(alert):
    print("finished", flush=True)
    alert.handle.flush_cache()


def flushed(_):
    # Its own end would wait for the state of a torrent whose first hash has changed, as that of a hybrid magnet link does.
    os._exit(0)


def add(_):
    if wanted.startswith("magnet:"):
        added = daemon.core.add_torrent_magnet(wanted, {})
    else:
        with open(wanted, "rb") as file:
            added = daemon.core.add_torrent_file(os.path.basename(wanted), base64.b64encode(file.read()), {})
    print("added", added, flush=True)


# The library's, since Deluge's own event is not told of such a torrent either.
component.get("AlertManager").register_handler("torrent_finished_alert", finished)
component.get("AlertManager").register_handler("cache_flushed_alert", flushed)
reactor.callWhenRunning(lambda: component.start().addCallback(add))
reactor.run()
