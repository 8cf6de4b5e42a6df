//! Torrents of v2, hybrid ones, and those whose media are elsewhere.

use std::fs;

use serde_json::{Value, json};

use super::client::{Answer, ask};
use super::server::{House, bound, escaped, int, peers};
use super::show::{Show, noise};
use crate::id::{InfoHash, InfoHashes};
use crate::metainfo::Kind;
use crate::serve::Options;

/// A show with a hybrid release of three files, of which the first leaves 1,384 bytes of its piece, the second 16,379
/// and the third none.
fn hybrid() -> (Show, InfoHashes) {
    let mut show = Show::at("https://show.example.org/a/");
    let hashes = show.release_files("set", Kind::Hybrid, &HYBRID.map(|(name, bytes)| (name, bytes)));
    show.publish();
    (show, hashes)
}

const HYBRID: [(&str, &[u8]); 3] = [("a.bin", &[7; 15_000]), ("b.bin", b"bytes"), ("sub/c.bin", &[8; 16_384])];

fn numbers(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).expect("JSON")
}

fn truncated(hashes: InfoHashes) -> InfoHash {
    hashes.v2().expect("it has v2").truncated()
}

#[tokio::test(flavor = "multi_thread")]
async fn padding_is_answered_where_a_torrent_has_it() {
    let (mut show, _) = hybrid();
    show.release_files("plain", Kind::V1, &[("a.bin", b"sound"), ("b.bin", b"more")]);
    show.publish();
    let house = House::open(&show).await;
    for base in ["", "/a", "/%61"] {
        let answer = house.get(&format!("{base}/media/set/.pad/1384")).await;
        assert_eq!((answer.status, &answer.body[..]), (200, &[0; 1384][..]), "{base}");
    }
    let answer = house.get("/media/set/.pad/16379").await;
    assert_eq!(answer.body, [0; 16379]);
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("content-length", "16379"),
        ("cache-control", "public, max-age=3600"),
        ("accept-ranges", "bytes"),
        ("access-control-allow-origin", "*"),
        ("etag", "\"zeros-3ffb\""),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }

    let at = "/media/set/.pad/16379";
    let part = ask(house.at, "GET", at, &["Range: bytes=16370-"]).await;
    assert_eq!((part.status, part.header("content-range")), (206, Some("bytes 16370-16378/16379")));
    assert_eq!(part.body, [0; 9]);
    assert_eq!(ask(house.at, "GET", at, &["Range: bytes=16379-"]).await.status, 416);
    assert_eq!(ask(house.at, "GET", at, &["If-None-Match: \"zeros-3ffb\""]).await.status, 304);
    let head = ask(house.at, "HEAD", at, &[]).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("16379"), 0));
    assert_eq!(ask(house.at, "OPTIONS", at, &[]).await.status, 204);
    assert_eq!(ask(house.at, "POST", at, &[]).await.status, 405);

    for other in [
        "/media/set/.pad/1385",
        "/media/set/.pad/0",
        "/media/set/.pad/01384",
        "/media/set/.pad/+1384",
        "/media/set/.pad/18446744073709551616",
        "/media/set/.pad/",
        "/media/set/.pad",
        "/media/set/.pad/1384/",
        "/media/set/.pad/1384/.pad/1384",
        "/media/set/sub/.pad/1384",
        "/media/.pad/1384",
        "/.pad/1384",
        "/media/plain/.pad/1384",
        "/media/../media/set/.pad/1384",
        "/b/media/set/.pad/1384",
    ] {
        assert_eq!(house.get(other).await.status, 404, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn padding_comes_and_goes_with_its_torrent() {
    let (mut show, _) = hybrid();
    show.release("ep1.mp3", b"sound");
    let house = House::open(&show).await;
    show.manifest.torrents.remove(0);
    show.publish();
    house.until("/media/set/.pad/1384", |answer| answer.status == 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hybrid_torrent_is_seeded_in_both_of_its_swarms_and_stands_once() {
    let (show, hashes) = hybrid();
    let house = House::open(&show).await;
    assert_eq!((house.summary.seeded, house.summary.torrents, house.summary.faults.len()), (1, 1, 0));
    let (v1, v2) = (hashes.main(), truncated(hashes));
    let answer = house.announce(v1, b'a', "&left=5").await;
    assert_eq!((int(&answer, "complete"), peers(&answer)[0].port()), (Some(1), house.peer_port));
    let answer = house.announce(v2, b'a', "&left=5").await;
    assert_eq!((int(&answer, "complete"), peers(&answer)[0].port()), (Some(1), house.peer_port));
    house.announce(v2, b'b', "&left=5").await;
    for swarm in [v1, v2] {
        house.announce(swarm, b'a', "&left=0&event=completed").await;
    }
    let answer = house.until("/api/swarms.json", |answer| answer.text().contains("verified")).await;
    let mut row = numbers(&answer)["torrents"][0].clone();
    assert_eq!(row["info_hash_v2"].take(), Value::from(hashes.v2().map(|hash| hash.to_string())));
    assert_eq!(row["info_hash"].take(), Value::from(v1.to_string()));
    // The first reading of all of it counts as a scrub, whichever of the two came first.
    let scrub = ["scrub", "scrubbing"].map(|key| row.as_object_mut().expect("a row").remove(key));
    assert!(scrub.iter().any(Option::is_some), "{scrub:?}");
    let expected = json!({
        "info_hash": null, "info_hash_v2": null, "kind": "hybrid", "title": "Title of set", "page": null,
        "torrent": "torrents/set.torrent", "bytes": 31_389, "seeds": 3, "leechers": 1, "completed": 1,
        "sent_bytes": 0, "web_sent_bytes": 0, "carried_bytes": 31_389, "connections": 0,
        "health": "verified", "bad_pieces": 0, "pieces": 3,
    });
    assert_eq!(row, expected);
    let whole = hashes.v2().expect("it has v2").to_string();
    for name in [v1.to_string(), v2.to_string(), whole.to_uppercase()] {
        let answer = numbers(&house.get(&format!("/api/swarms.json?info_hash={name}")).await);
        assert_eq!(answer["torrents"].as_array().map(Vec::len), Some(1), "{name}");
    }
    assert_eq!(house.get(&format!("/api/swarms.json?info_hash={}", &whole[..63])).await.status, 400);
    let metrics = house.get("/metrics").await.text();
    for line in ["everseed_swarms 1\\n", "everseed_swarm_seeds 3\\n", "everseed_completed_total 1\\n"] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    let page = house.get("/swarms").await.text();
    assert!(page.contains(&v1.to_string()) && page.contains("hybrid"), "{page}");
    let scrape = house.get(&format!("/scrape?info_hash={}&info_hash={}", escaped(v1), escaped(v2))).await;
    assert_eq!(scrape.text().matches("8:completei").count(), 2, "each swarm has its own: {}", scrape.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torrent_of_v2_alone_is_tracked_and_seeded() {
    let mut show = Show::at("https://show.example.org/");
    let hashes = show.release_files("set", Kind::V2, &HYBRID);
    show.publish();
    let house = House::open(&show).await;
    assert_eq!((house.summary.seeded, house.summary.torrents, house.summary.faults.len()), (1, 1, 0));
    assert_eq!(house.lines(), "", "nothing is wrong");
    let answer = house.announce(truncated(hashes), b'a', "&left=5").await;
    assert_eq!((int(&answer, "complete"), peers(&answer)[0].port()), (Some(1), house.peer_port));
    assert_eq!(int(&house.announce(truncated(hashes), b'b', "&left=5").await, "incomplete"), Some(2));
    let answer = house.until("/api/swarms.json", |answer| answer.text().contains("verified")).await;
    let row = numbers(&answer)["torrents"][0].clone();
    assert_eq!((row.get("info_hash"), &row["kind"], &row["leechers"]), (None, &json!("v2"), &json!(2)));
    assert!(house.get("/healthz").await.text().contains("\\\"ok\\\""));
    let page = house.get("/swarms").await.text();
    assert!(page.contains("Verified") && page.contains(&hashes.v2().expect("it has v2").to_string()), "{page}");
    assert_eq!(house.get("/media/set/b.bin").await.body, b"bytes");
    assert_eq!(house.get("/media/set/.pad/1384").await.status, 404, "files of v2 are not padded");
    house.close().await;

    fs::remove_file(show.path("media/set/b.bin")).expect("removed");
    let house = House::open(&show).await;
    assert_eq!(house.summary.faults, ["Title of set: media/set/b.bin is missing"]);
    assert!(house.lines().contains("Title of set is not seeded, it is degraded"), "{}", house.lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_medium_that_is_published_elsewhere_may_come_here_and_is_seeded_then() {
    let mut show = Show::at("https://show.example.org/");
    let content = noise(40_000);
    let hash = show.release("ep1.mp3", &content);
    show.manifest.torrents[0].files[0].url = Some("https://media.example.org/ep1.mp3".into());
    show.publish();
    fs::remove_dir_all(show.path("media")).expect("removed");
    let house = House::with(&show, Options::new(show.root()), bound()).await;
    assert_eq!((house.summary.seeded, house.summary.torrents, house.summary.faults.len()), (0, 1, 0));
    assert_eq!(int(&house.announce(hash, b'a', "&left=5").await, "complete"), Some(0));
    let row = numbers(&house.get("/api/swarms.json").await)["torrents"][0].clone();
    assert_eq!((&row["health"], &row["leechers"]), (&json!("elsewhere"), &json!(1)));
    assert!(house.get("/healthz").await.text().contains("\\\"ok\\\""));
    show.write("media/ep1.mp3", &content);
    // What it looks at by itself it looks at again in some seconds; a site that is published is looked at at once.
    show.publish();
    house.until("/api/swarms.json", |answer| answer.text().contains("verified")).await;
    assert_eq!(int(&house.announce(hash, b'a', "&left=5").await, "complete"), Some(1));
    assert!(!house.lines().contains("WARNING"), "nothing was wrong at any time: {}", house.lines());
}
