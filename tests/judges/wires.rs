//! Each client downloads through one wire of the tracker alone, HTTP or UDP, over IPv4 or IPv6, and is counted once at most.

use std::fs;
use std::thread;

use everseed::metainfo;

use crate::clients::{Client, Wanted};
use crate::downloads::{Scrape, rewritten, scrape};
use crate::house::{House, MIB, episode, files};
use crate::net::{Family, Net};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Http,
    Udp,
}

const CLIENTS: [Client; 5] =
    [Client::Aria2, Client::Libtorrent, Client::Qbittorrent, Client::Rtorrent, Client::Transmission];
const WIRES: [(Wire, Family); 4] =
    [(Wire::Http, Family::V4), (Wire::Udp, Family::V4), (Wire::Http, Family::V6), (Wire::Udp, Family::V6)];

/// Whether a client asks a tracker over UDP at an address of IPv6; the others never do.
fn knows(client: Client, way: (Wire, Family)) -> bool {
    way != (Wire::Udp, Family::V6) || matches!(client, Client::Libtorrent | Client::Qbittorrent)
}

#[test]
#[ignore = "needs root, iproute2 and the clients; .ci/run installs them"]
fn each_client_completes_through_each_wire_alone_and_is_counted_once_at_most() {
    Net::inside(|net| {
        let house = House::new()
            .page("ep1.md", &episode("One", "2026-05-01", "ep1.mp3"))
            .media("ep1.mp3", 3 * MIB + 17)
            .serving_with(&["--listen", "[::]:8080", "--peer-listen", "[::]:6881"]);
        house.build().ok();
        let published = fs::read(house.public().join("media/ep1.mp3")).expect("built");
        let torrent = fs::read(house.public().join("torrents/ep1.torrent")).expect("built");
        let torrent = metainfo::parse(torrent).expect("a torrent");
        let server = house.serve_site();
        let ways: Vec<_> = CLIENTS
            .into_iter()
            .flat_map(|client| WIRES.map(|way| (client, way)))
            .filter(|&(client, way)| knows(client, way))
            .collect();
        let failures: Vec<_> = thread::scope(|scope| {
            let all: Vec<_> = ways
                .iter()
                .map(|&(client, (wire, family))| {
                    let (room, house, torrent, published) = (net.room_of(family), &house, &torrent, &published);
                    scope.spawn(move || {
                        let (scheme, server) = (if wire == Wire::Udp { "udp" } else { "http" }, family.server());
                        let torrent = rewritten(torrent, |metainfo| {
                            metainfo.web_seeds.clear();
                            metainfo.trackers = vec![vec![format!("{scheme}://{server}:8080/announce")]];
                        });
                        let folder = house.beside(&format!("{client:?}-{wire:?}-{family:?}"));
                        let ended = client.start(&room, &Wanted::Torrent(torrent.bytes()), &folder, None).ended();
                        let got = ended.map_err(|how| format!("{client:?} over {wire:?}, {family:?}: {how}"))?;
                        let is_same = files(&got).get("ep1.mp3").is_some_and(|bytes| bytes == published);
                        is_same
                            .then_some(())
                            .ok_or_else(|| format!("{client:?} over {wire:?}, {family:?}: other bytes"))
                    })
                })
                .collect();
            all.into_iter().filter_map(|one| one.join().expect("what fails is told").err()).collect()
        });
        assert!(failures.is_empty(), "{}", failures.join("\n\n"));
        let all = i64::try_from(ways.len()).expect("few");
        // Some leave before the tracker has answered their first word, and never say that they are done.
        let Scrape { downloaded, incomplete, .. } = scrape(&server, &torrent);
        assert!(downloaded + incomplete <= all && downloaded > all / 2, "{downloaded} and {incomplete} of {all}");
        let metrics = server.get("/metrics").text();
        for (wire, of) in [(Wire::Http, "http"), (Wire::Udp, "udp")] {
            let line = format!("everseed_announces_total{{wire=\"{of}\"}} ");
            let count = metrics.lines().find_map(|told| told.strip_prefix(&line)?.parse::<usize>().ok());
            let at_least = 2 * ways.iter().filter(|(_, way)| way.0 == wire).count();
            assert!(count >= Some(at_least), "{count:?} over {wire:?}: each says that it comes and that it goes");
        }
    });
}
