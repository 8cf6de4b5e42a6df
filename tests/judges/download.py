"""Downloads torrents with libtorrent: download.py MANNER FOLDER BYTES_PER_SECOND TORRENT_OR_MAGNET...

MANNER is `default`, `encrypted` (peers are spoken with in no other way) or `utp` (and no TCP). It ends when all files
are there and the tracker, if there is one, has been told; and with an error as soon as a peer has sent a bad byte.
"""

import sys

import libtorrent as lt

manner, folder, limit, *wanted = sys.argv[1:]
manners = {
    "default": {},
    "encrypted": {
        "in_enc_policy": lt.enc_policy.forced,
        "out_enc_policy": lt.enc_policy.forced,
        "allowed_enc_level": lt.enc_level.rc4,
    },
    "utp": {"enable_outgoing_tcp": False, "enable_incoming_tcp": False},
}
session = lt.session(
    {
        "listen_interfaces": "0.0.0.0:6881,[::]:6881",
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        # Seconds: a server that came back is found again soon.
        "min_reconnect_time": 1,
        "alert_mask": lt.alert.category_t.status_notification
        | lt.alert.category_t.error_notification
        | lt.alert.category_t.tracker_notification,
        **manners[manner],
    }
)
# What is not yet done with, and whether a tracker is to be told.
torrents = {}
for one in wanted:
    params = lt.parse_magnet_uri(one) if one.startswith("magnet:") else lt.load_torrent_file(one)
    params.save_path = folder
    # The limit of the session does not hold for peers of a private network.
    params.download_limit = int(limit) or -1
    params.flags &= ~lt.torrent_flags.auto_managed & ~lt.torrent_flags.paused
    has_tracker = bool(params.trackers) or bool(params.ti and list(params.ti.trackers()))
    torrents[session.add_torrent(params)] = has_tracker


def alerts():
    """What happens, one thing after another; `timeout` ends a program that waits for ever."""
    while True:
        session.wait_for_alert(1000)
        for alert in session.pop_alerts():
            print(type(alert).__name__, alert.message(), flush=True)
            yield alert


# The tracker's answers alone do not tell what was asked.
events = {}
for alert in alerts():
    if isinstance(alert, lt.hash_failed_alert):
        sys.exit("a peer has sent a bad byte")
    if isinstance(alert, lt.torrent_finished_alert) and torrents.get(alert.handle) is False:
        del torrents[alert.handle]
    if isinstance(alert, lt.tracker_announce_alert):
        # A hybrid torrent is announced to both of its swarms, each with events of its own.
        events[alert.handle, alert.url, alert.local_endpoint, alert.version] = alert.event
    if isinstance(alert, (lt.tracker_reply_alert, lt.tracker_error_alert)):
        event = events[alert.handle, alert.url, alert.local_endpoint, alert.version]
        if event == lt.event_t.completed and isinstance(alert, lt.tracker_reply_alert):
            alert.handle.pause()
        if event == lt.event_t.stopped:
            torrents.pop(alert.handle, None)
    if not torrents:
        break
