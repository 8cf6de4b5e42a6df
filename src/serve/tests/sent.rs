//! What leaves: counted by torrent and month, over restarts, shown over time, and slowed down when a quota is used up.

use std::num::NonZeroU64;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::client::{Answer, ask};
use super::server::{House, bound};
use super::show::{Show, link, noise};
use crate::id::InfoHash;
use crate::metainfo::Kind;
use crate::serve::{Options, Quota};

fn numbers(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).expect("JSON")
}

/// The bytes of each torrent that were sent over HTTP.
fn web_sent(answer: &Answer) -> Vec<u64> {
    let numbers = numbers(answer);
    let torrents = numbers["torrents"].as_array().expect("a list");
    torrents.iter().map(|row| row["web_sent_bytes"].as_u64().expect("a number")).collect()
}

#[tokio::test]
async fn what_leaves_of_a_torrents_files_is_counted_and_nothing_else() {
    let mut show = Show::at("http://show.example.org/show/");
    let one = show.release("one.mp3", &noise(40_000));
    show.release("two.mp3", &noise(300_000));
    show.publish();
    let house = House::open(&show).await;
    assert_eq!(house.get("/media/one.mp3").await.body.len(), 40_000);
    assert_eq!(ask(house.at, "GET", "/show/media/two.mp3", &["Range: bytes=10-1009"]).await.status, 206);
    for (method, target) in [
        ("HEAD", "/media/two.mp3"),
        ("GET", "/index.html"),
        ("GET", "/torrents/two.mp3.torrent"),
        ("GET", "/media/three.mp3"),
        ("GET", "/everseed.json"),
    ] {
        ask(house.at, method, target, &[]).await;
    }
    assert_eq!(ask(house.at, "GET", "/media/two.mp3", &["Range: bytes=900000-"]).await.status, 416);
    house.announce(one, b'a', "&left=40000").await;
    house.announce(one, b'a', "&left=0&event=completed").await;
    let answer = house.until("/api/swarms.json", |answer| web_sent(answer) == [40_000, 1000]).await;
    let told = numbers(&answer);
    assert_eq!(told["everseed"]["web_sent_bytes"], 41_000);
    assert_eq!(told["torrents"][0]["carried_bytes"], 0, "the one completed download came from here");
    house.until("/api/swarms.json", |answer| numbers(answer)["everseed"]["month"]["web_sent_bytes"] == 41_000).await;
    let metrics = house.get("/metrics").await.text();
    assert!(metrics.contains("everseed_web_sent_bytes_total 41000\\n"), "{metrics}");
    house.close().await;

    let house = House::open(&show).await;
    let answer = house.get("/api/swarms.json").await;
    assert_eq!(web_sent(&answer), [40_000, 1000]);
    assert_eq!(numbers(&answer)["everseed"]["month"]["web_sent_bytes"], 41_000);
    let last = |answer: &Answer| numbers(answer)["days"].as_array().expect("a list").last().expect("today").clone();
    let all = last(&house.get("/api/series.json").await);
    assert_eq!((&all["seeds"], &all["leechers"]), (&3.into(), &0.into()), "two of them the everseed");
    let of_one = last(&house.get(&format!("/api/series.json?info_hash={one}")).await);
    assert_eq!(of_one["seeds"], 2);
    house.close().await;
}

#[tokio::test]
async fn a_file_of_a_torrent_leaves_by_every_name_as_it_does_by_its_own() {
    let mut show = Show::at("http://show.example.org/");
    let [one, two, page] = [40_000, 50_000, 20_000].map(noise);
    show.release("one.mp3", &one);
    show.release("two.mp3", &two);
    show.release_files("web", Kind::V1, &[("index.html", &page), ("z", b"z")]);
    show.publish();
    // One is known by other names, two lies elsewhere than its torrent says, and the page stands for a folder.
    link("media/one.mp3", show.path("latest.mp3"));
    link("media", show.path("dl"));
    link("media/web/index.html", show.path("404.html"));
    std::fs::rename(show.path("media/two.mp3"), show.path("two.mp3")).expect("moved");
    link("../two.mp3", show.path("media/two.mp3"));
    let names = [
        ("media/one.mp3", &one, 0),
        ("latest.mp3", &one, 0),
        ("dl/one.mp3", &one, 0),
        ("media/two.mp3", &two, 1),
        ("two.mp3", &two, 1),
        ("dl/two.mp3", &two, 1),
        ("media/web/", &page, 2),
        ("dl/web/index.html", &page, 2),
    ];
    for (path, whole) in [("media/one.mp3", &one), ("two.mp3", &two), ("media/web/index.html", &page)] {
        let mut bad = whole.clone();
        bad[9] ^= 1;
        show.write(path, &bad);
    }
    let house = House::open(&show).await;
    for (name, ..) in names {
        let answer = house.get(&format!("/{name}")).await;
        assert!(answer.status == 503 && answer.text().contains("differs from its torrent"), "{name}: {}", answer.head);
    }
    let lost = house.get("/nothing").await;
    assert_eq!((lost.status, lost.text().as_str()), (404, "there is nothing here\\n"));

    for (path, whole) in [("media/one.mp3", &one), ("two.mp3", &two), ("media/web/index.html", &page)] {
        show.write(path, whole);
    }
    let mut sent = vec![0; 3];
    for (name, whole, torrent) in names {
        let answer = house.until(&format!("/{name}"), |answer| answer.status == 200).await;
        assert!(answer.body == *whole, "{name}");
        sent[torrent] += whole.len() as u64;
    }
    house.until("/api/swarms.json", |answer| web_sent(answer) == sent).await;
    house.close().await;
}

#[tokio::test]
async fn the_page_of_a_torrent_and_its_numbers_over_time_can_be_asked_for() {
    let mut show = Show::at("http://show.example.org/");
    let hash = show.release("one.mp3", &noise(40_000));
    show.publish();
    let house = House::open(&show).await;
    let page = house.get(&format!("/swarms?info_hash={hash}")).await;
    assert!(page.status == 200 && page.text().contains("<h1>Title of one.mp3</h1>"), "{}", page.text());
    assert!(house.get("/swarms?q=mp3&page=1").await.text().contains("Title of one.mp3"));
    assert!(house.get("/swarms?q=ogg").await.text().contains("No torrent is found"));
    let unknown = "00".repeat(20);
    for (target, status) in [
        (format!("/swarms?info_hash={unknown}"), 404),
        (format!("/api/series.json?info_hash={unknown}"), 404),
        ("/swarms?info_hash=x".to_owned(), 400),
        ("/api/series.json?info_hash=x".to_owned(), 400),
        ("/api/swarms.json?page=7&q=one".to_owned(), 200),
    ] {
        assert_eq!(house.get(&target).await.status, status, "{target}");
    }
    assert_eq!(ask(house.at, "POST", "/swarms", &["Content-Length: 0"]).await.status, 405);
    assert_eq!(ask(house.at, "HEAD", "/api/series.json", &[]).await.status, 200);
    house.close().await;
}

#[tokio::test]
async fn the_address_of_the_everseed_is_learned_and_shown() {
    let mut show = Show::at("http://show.example.org/");
    let hash = show.release("one.mp3", &noise(40_000));
    show.publish();
    let house = House::open(&show).await;
    let everseed = |answer: &Answer| numbers(answer)["everseed"].clone();
    assert_eq!(everseed(&house.get("/api/swarms.json").await)["addresses"], serde_json::json!([]));
    house.announce(hash, b'a', "&left=1").await;
    let told = everseed(&house.get("/api/swarms.json").await);
    assert_eq!(told["addresses"], serde_json::json!([format!("127.0.0.1:{}", house.peer_port)]));
    assert_eq!(told["addresses_learned"], true);
    house.close().await;
}

#[tokio::test]
async fn a_quota_that_is_used_up_warns_and_slows_down_and_everybody_is_served_on_also_after_a_restart() {
    let mut show = Show::at("http://show.example.org/");
    show.release("one.mp3", &noise(90_000));
    show.publish();
    let quota = |monthly| {
        let [monthly_bytes, then_bytes_per_sec] = [monthly, 100_000_000].map(|n| NonZeroU64::new(n).expect("a number"));
        Some(Quota { monthly_bytes, then_bytes_per_sec })
    };
    let slowed = |answer: &Answer| numbers(answer)["everseed"]["month"]["slowed"] == true;
    let house = House::with(&show, Options { quota: quota(100_000), ..Options::new(show.root()) }, bound()).await;
    assert_eq!(house.get("/media/one.mp3").await.body.len(), 90_000);
    let warned = house.until("/healthz", |answer| answer.text().contains("90.0 kB of the 100.0 kB of")).await;
    assert!(warned.status == 200 && warned.text().contains(r#"\"status\":\"ok\""#), "{}", warned.text());
    assert!(!slowed(&house.get("/api/swarms.json").await));
    for _ in 0..3 {
        assert_eq!(house.get("/media/one.mp3").await.body.len(), 90_000);
    }
    house.until("/api/swarms.json", slowed).await;
    assert!(house.get("/swarms").await.text().contains("everything is slowed down to 100.0 MB a second"));
    assert_eq!(house.get("/media/one.mp3").await.body.len(), 90_000);
    let lines = house.lines();
    assert_eq!(lines.matches("WARNING: quota: ").count(), 2, "{lines}");
    house.close().await;

    let house = House::with(&show, Options { quota: quota(400_000), ..Options::new(show.root()) }, bound()).await;
    assert!(slowed(&house.get("/api/swarms.json").await), "it is known from the start");
    assert_eq!(house.get("/media/one.mp3").await.body.len(), 90_000);
    house.close().await;
    let house = House::with(&show, Options { quota: quota(1_000_000), ..Options::new(show.root()) }, bound()).await;
    assert!(!slowed(&house.get("/api/swarms.json").await), "more is allowed");
    house.close().await;
}

/// Takes the first blocks of a torrent as a peer does (BEP 3), and returns how many bytes they were.
async fn leech(house: &House, hash: InfoHash, blocks: u32) -> usize {
    let mut peer = TcpStream::connect(("127.0.0.1", house.peer_port)).await.expect("it listens");
    let handshake = [b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".as_slice(), &hash.0, &[b'x'; 20]].concat();
    peer.write_all(&handshake).await.expect("it reads");
    // Interested.
    peer.write_all(&[0, 0, 0, 1, 2]).await.expect("it reads");
    peer.read_exact(&mut [0; 68]).await.expect("a handshake");
    let mut got = 0;
    for asked in 0..=blocks {
        // Unchoke comes before the first block, and a block for each request.
        let wanted = if asked == 0 { 1 } else { 7 };
        let message = loop {
            let bytes = peer.read_u32().await.expect("a length");
            let mut message = vec![0; usize::try_from(bytes).expect("it is small")];
            peer.read_exact(&mut message).await.expect("a message");
            if message.first() == Some(&wanted) {
                break message;
            }
        };
        got += message.len().saturating_sub(9);
        if asked == blocks {
            break;
        }
        let request: Vec<u8> = [13, 0x0600_0000, asked, 0, 16_384].iter().flat_map(|n: &u32| n.to_be_bytes()).collect();
        let request = [&request[..5], &request[8..]].concat();
        peer.write_all(&request).await.expect("it reads");
    }
    got
}

#[tokio::test]
async fn peers_are_slowed_down_too_and_counted() {
    let mut show = Show::at("http://show.example.org/");
    let hash = show.release("one.mp3", &noise(90_000));
    show.publish();
    let [monthly_bytes, then_bytes_per_sec] = [60_000, 200_000].map(|n| NonZeroU64::new(n).expect("a number"));
    let quota = Some(Quota { monthly_bytes, then_bytes_per_sec });
    let house = House::with(&show, Options { quota, ..Options::new(show.root()) }, bound()).await;
    assert_eq!(leech(&house, hash, 4).await, 65_536);
    let everseed = |answer: &Answer| numbers(answer)["everseed"].clone();
    let answer = house.until("/api/swarms.json", |answer| everseed(answer)["month"]["slowed"] == true).await;
    assert_eq!(everseed(&answer)["month"]["sent_bytes"], 65_536);
    let start = Instant::now();
    assert_eq!(leech(&house, hash, 4).await, 65_536);
    // Half of the rate is for peers, and the first turn is free.
    assert!(start.elapsed() >= Duration::from_millis(3 * 16_384 / 100 - 110), "{:?}", start.elapsed());
    house.close().await;
}

#[tokio::test]
async fn the_end_of_a_quota_holds_in_the_middle_of_what_one_peer_asks_for() {
    let mut show = Show::at("http://show.example.org/");
    let hash = show.release("one.mp3", &noise(400_000));
    show.publish();
    let [monthly_bytes, then_bytes_per_sec] = [40_000, 100_000].map(|n| NonZeroU64::new(n).expect("a number"));
    let quota = Some(Quota { monthly_bytes, then_bytes_per_sec });
    let house = House::with(&show, Options { quota, ..Options::new(show.root()) }, bound()).await;
    let start = Instant::now();
    assert_eq!(leech(&house, hash, 6).await, 6 * 16_384);
    // Three blocks are allowed, the next turn is free, and the two after it pay at half of the rate.
    assert!(start.elapsed() >= Duration::from_millis(2 * 16_384 / 50 - 110), "{:?}", start.elapsed());
    house.close().await;
}
