//! What web seeds do not have, or lie about, comes from peers.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use expect_test::expect;

use super::house::{House, KIB, episode, files};
use super::{Fan, Publisher, day};

/// A tracker that names these peers to whoever asks, over HTTP, and keeps what it was asked.
struct Tracker {
    url: String,
    peers: Arc<Mutex<Vec<SocketAddr>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tracker {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/announce", listener.local_addr().expect("bound"));
        let (peers, asked) = (Arc::<Mutex<Vec<SocketAddr>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (named, kept) = (Arc::clone(&peers), Arc::clone(&asked));
        // It ends with the process.
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut line = String::new();
                let mut reader = BufReader::new(&stream);
                if reader.read_line(&mut line).is_err() {
                    continue;
                }
                kept.lock().expect("no panic").push(line);
                let mut compact = Vec::new();
                for peer in named.lock().expect("no panic").iter() {
                    let SocketAddr::V4(peer) = peer else { continue };
                    compact.extend(peer.ip().octets());
                    compact.extend(peer.port().to_be_bytes());
                }
                let mut body = format!("d8:intervali1800e5:peers{}:", compact.len()).into_bytes();
                body.extend(compact);
                body.push(b'e');
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                // A client that has gone is not the tracker's affair.
                let _ = stream.write_all(&[head.into_bytes(), body].concat());
            }
        });
        Self { url, peers, asked }
    }

    fn toml(&self) -> String {
        format!("[torrent]\ntrackers = [\"{}\"]\n", self.url)
    }
}

#[test]
fn a_web_seed_that_lies_is_left_and_peers_have_the_rest() {
    let tracker = Tracker::new();
    let publisher = Publisher::of(House::furnished(), &tracker.toml());
    let seed = publisher.house.serve_site();
    tracker.peers.lock().expect("no panic").push(seed.peers());
    // From the fourth piece on it is something else; the release of several files is not there at all.
    publisher.web.change("media/ep1.mp3", |file| file.bytes[100 * KIB..].fill(7));
    publisher.web.remove("media/set/a.bin");
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    let round = fan.round();
    expect![[r#"
        mirror: A set is here, 153.6 kB, 3 pieces from web seeds, 7 pieces from peers
        mirror: Two is here, 1.0 MB, 17 pieces from web seeds
        mirror: One is here, 307.2 kB, 3 pieces from web seeds, 7 pieces from peers"#]]
    .assert_eq(&publisher.web.hide_port(&fan.told()));
    assert_eq!((round.fetched, round.missing), (3, 0));
    let original = files(&publisher.house.public());
    for (name, bytes) in fan.files() {
        let is_its_own = ["everseed.json", "index.html"].contains(&name.as_str());
        assert!(is_its_own || original[&name] == bytes, "{name}");
    }
    let asked = tracker.asked.lock().expect("no panic").clone();
    // The one who seeds it asks for none.
    assert_eq!(asked.iter().filter(|line| line.contains("numwant=100")).count(), 2, "{asked:?}");
    assert!(!asked.iter().any(|line| line.contains("event=completed")), "{asked:?}");
}

#[test]
fn what_nobody_has_is_tried_again_and_what_has_come_is_kept() {
    let tracker = Tracker::new();
    let show = House::new().page("ep1.md", &episode("One", "2026-05-01", "ep1.mp3")).media("ep1.mp3", 300 * KIB);
    let publisher = Publisher::of(show, &tracker.toml());
    publisher.web.change("media/ep1.mp3", |file| file.bytes[100 * KIB..].fill(7));
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    let mut mirror = fan.mirror();
    let round = mirror.round(day(1), None);
    assert_eq!((round.fetched, round.missing), (0, 1));
    expect![[r#"
        WARNING: mirror: One can't be fetched: 7 of 10 pieces are missing: http://127.0.0.1:PORT/media/ep1.mp3: has other bytes than the torrent says; nobody is known who has "ep1.mp3"
          help: try again later; a mirror that runs does so by itself"#]].assert_eq(&publisher.web.hide_port(&fan.told()));
    publisher.web.asked();
    let round = mirror.round(day(1), None);
    assert_eq!((round.fetched, round.missing, publisher.web.asked().len()), (0, 1, 1), "not at once again");
    // The publisher dies, and one who has it all is found.
    let seed = publisher.house.serve_site();
    tracker.peers.lock().expect("no panic").push(seed.peers());
    drop((mirror, publisher.web));
    let round = fan.round();
    assert_eq!((round.fetched, round.missing), (1, 0));
    expect!["mirror: One is here, 307.2 kB, 7 pieces from peers, 3 pieces that were here already"]
        .assert_eq(&fan.told());
    assert!(fan.files()["media/ep1.mp3"] == files(&publisher.house.public())["media/ep1.mp3"]);
}

#[test]
fn every_kind_of_torrent_comes_by_web_seed_and_those_with_v1_by_peers() {
    for (kind, by_peers) in [("v2", false), ("hybrid", true)] {
        let tracker = Tracker::new();
        let toml = format!("{}kind = \"{kind}\"\n", tracker.toml());
        let publisher = Publisher::of(House::furnished(), &toml);
        let original = files(&publisher.house.public());
        let by_web = Fan::of(&publisher.web.url("everseed.json"));
        assert_eq!(by_web.round().fetched, 3, "{kind}: {}", by_web.told());
        let seed = publisher.house.serve_site();
        tracker.peers.lock().expect("no panic").push(seed.peers());
        let media: Vec<_> = original.keys().filter(|name| name.starts_with("media/")).collect();
        media.iter().for_each(|name| publisher.web.remove(name));
        let from_peers = Fan::of(&publisher.web.url("everseed.json"));
        let round = from_peers.round();
        assert_eq!((round.fetched, round.missing), if by_peers { (3, 0) } else { (0, 3) }, "{}", from_peers.told());
        for fan in [by_web, from_peers] {
            let mirrored = fan.files();
            let mut mirrored = mirrored.iter().filter(|(name, _)| name.starts_with("media/"));
            assert!(mirrored.all(|(name, bytes)| original[name] == *bytes), "{kind}");
        }
    }
}
