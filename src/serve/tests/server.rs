//! A whole server: site, tracker, seed and database.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use expect_test::expect;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::{Answer, ask, get};
use super::show::{Show, noise};
use crate::bencode;
use crate::id::InfoHash;
use crate::problem::Problem;
use crate::serve::socket::STALL_MAX;
use crate::serve::{Addresses, Bound, DataFolder, Log, Options, Server, Summary, Udp};

/// Longer than anything takes, so that what never comes fails the test instead of holding it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The data folder beside the site.
fn data(show: &Show) -> DataFolder {
    DataFolder::lock(show.data()).expect("a folder of its own")
}

pub struct House {
    pub at: SocketAddr,
    pub peer_port: u16,
    pub summary: Summary,
    lines: Arc<Mutex<Vec<String>>>,
    end: oneshot::Sender<()>,
    running: JoinHandle<Result<(), Problem>>,
}

/// Takes sockets on a loopback address.
pub fn bound() -> Bound {
    bound_at("127.0.0.1:0")
}

/// Takes sockets at `address`, the peers' on a loopback address.
pub fn bound_at(address: &str) -> Bound {
    let http = address.parse().expect("an address");
    let peer = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
    Bound::bind(&Addresses { http, udp: Udp::WithHttp, peer, metrics: None, utp: true }).expect("free ports")
}

impl House {
    pub async fn open(show: &Show) -> Self {
        Self::with(show, Options::new(show.root()), bound()).await
    }

    pub async fn with(show: &Show, options: Options, bound: Bound) -> Self {
        let (log, lines) = Log::memory();
        let options = Options { goodbye_max: PATIENCE, ..options };
        let (at, peer_port) = (bound.http_addr(), bound.peer_addr().port());
        let mut server = Server::start(bound, data(show), options, log).await.expect("it starts");
        server.tick = Duration::from_millis(20);
        let summary = server.summary();
        let (end, ended) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async {
            let _ = ended.await;
        }));
        Self { at, peer_port, summary, lines, end, running }
    }

    pub async fn close(self) {
        self.end.send(()).expect("it runs");
        let ended = tokio::time::timeout(PATIENCE, self.running).await.expect("an end");
        ended.expect("no panic").expect("all is written");
    }

    pub async fn get(&self, target: &str) -> Answer {
        get(self.at, target).await
    }

    /// An announce of a peer that names itself with this byte.
    pub async fn announce(&self, hash: InfoHash, peer: u8, query: &str) -> Answer {
        let id = char::from(peer).to_string().repeat(20);
        self.get(&format!("/announce?info_hash={}&peer_id={id}&port={}{query}", escaped(hash), 7000 + u16::from(peer)))
            .await
    }

    pub fn lines(&self) -> String {
        self.lines.lock().expect("no panic").join("\n")
    }

    /// Asks until the answer is as wanted.
    pub async fn until(&self, target: &str, fits: impl Fn(&Answer) -> bool) -> Answer {
        let wait = async {
            loop {
                let answer = self.get(target).await;
                if fits(&answer) {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{target} never was as wanted"))
    }
}

pub fn escaped(hash: InfoHash) -> String {
    use std::fmt::Write;
    hash.0.iter().fold(String::new(), |mut text, byte| {
        write!(text, "%{byte:02x}").expect("a String takes all that is written");
        text
    })
}

/// A number of a bencoded answer.
pub fn int(answer: &Answer, key: &str) -> Option<i64> {
    bencode::decode(&answer.body).ok()?.get(key)?.as_int()
}

/// The compact peers of an announce.
pub fn peers(answer: &Answer) -> Vec<SocketAddr> {
    let value = bencode::decode(&answer.body).expect("bencode");
    let bytes = value.get("peers").and_then(bencode::Value::as_bytes).expect("peers");
    let peer = |peer: &[u8; 6]| {
        let [a, b, c, d, high, low] = *peer;
        SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([high, low]))
    };
    bytes.as_chunks().0.iter().map(peer).collect()
}

pub fn one_release() -> (Show, InfoHash) {
    let mut show = Show::at("https://show.example.org/show/");
    let hash = show.release("ep1.mp3", &noise(40_000));
    show.publish();
    (show, hash)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_served_tracked_and_seeded() {
    let (show, hash) = one_release();
    let house = House::open(&show).await;
    assert_eq!((house.summary.seeded, house.summary.torrents), (1, 1));
    assert_eq!(house.get("/").await.text(), "<p>home");
    assert_eq!(house.get("/healthz").await.status, 200);
    let answer = house.announce(hash, b'a', "&left=1").await;
    let everseed = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), house.peer_port);
    assert_eq!(peers(&answer), [everseed], "{}", answer.text());
    assert_eq!((int(&answer, "complete"), int(&answer, "incomplete")), (Some(1), Some(1)));
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    let scrape = house.get(&format!("/scrape?info_hash={}", escaped(hash))).await;
    assert!(scrape.text().contains("8:completei1e10:downloadedi0e"), "{}", scrape.text());
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_found_at_the_root_and_below_the_sites_path() {
    let (show, hash) = one_release();
    let house = House::open(&show).await;
    let announce = format!("announce?info_hash={}&peer_id=aaaaaaaaaaaaaaaaaaaa&port=1&left=0", escaped(hash));
    for path in [&announce, "scrape", "swarms", "swarms.css", "swarms.js", "api/swarms.json", "healthz", "metrics", ""]
    {
        for base in ["/", "/show/", "/%73how/"] {
            let answer = house.get(&format!("{base}{path}")).await;
            assert_eq!(answer.status, 200, "{base}{path}: {}", answer.text());
        }
    }
    assert_eq!(house.get("/show/media/ep1.mp3").await.body.len(), 40_000);
    let redirect = house.get("/show").await;
    assert_eq!((redirect.status, redirect.header("location")), (301, Some("/show/")));
    assert_eq!(house.get("/shows/").await.status, 404);
    for path in ["/announce", "/scrape", "/swarms", "/api/swarms.json", "/healthz", "/metrics"] {
        let answer = ask(house.at, "POST", path, &["Content-Length: 3", "\r\nabc"]).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, OPTIONS")), "POST {path}");
        assert_eq!(ask(house.at, "HEAD", path, &[]).await.body, b"", "HEAD {path}");
        assert_eq!(ask(house.at, "OPTIONS", path, &[]).await.status, 204, "OPTIONS {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_2_a_failure_is_a_200_with_a_reason_and_a_time() {
    let (show, hash) = one_release();
    let house = House::open(&show).await;
    let unknown = escaped(InfoHash([7; 20]));
    for target in [
        "/announce".to_owned(),
        "/announce?".to_owned(),
        format!("/announce?info_hash={unknown}&peer_id=aaaaaaaaaaaaaaaaaaaa&port=1"),
        format!("/announce?info_hash={}&peer_id=short&port=1", escaped(hash)),
        "/announce?info_hash=%zz&peer_id=aaaaaaaaaaaaaaaaaaaa".to_owned(),
        "/scrape".to_owned(),
    ] {
        let answer = house.get(&target).await;
        let text = answer.text();
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain")), "{target}");
        assert!(text.starts_with("d14:failure reason") && text.contains("8:intervali") && text.contains("8:retry in"));
        assert!(!text.contains('/') && !text.contains("show"), "{text}");
    }
    let metrics = house.get("/metrics").await.text();
    assert!(metrics.contains("everseed_refusals_total{reason=\\\"not_served\\\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_tracker_tracks_any_torrent_tells_their_number_alone_and_writes_none_down() {
    let (show, hash) = one_release();
    let options = || {
        let mut options = Options::new(show.root());
        options.tracker.open = Some(crate::tracker::Open::default());
        options
    };
    let house = House::with(&show, options(), bound()).await;
    house.announce(hash, b'a', "&left=5").await;
    house.announce(InfoHash([0x5a; 20]), b'a', "&left=5&compact=1").await;
    let answer = house.announce(InfoHash([0x5a; 20]), b'b', "&left=0&event=completed").await;
    assert_eq!((int(&answer, "complete"), int(&answer, "incomplete")), (Some(1), Some(1)));
    let json = house.get("/api/swarms.json").await.text();
    assert!(json.contains("\\\"open\\\":{\\\"torrents\\\":1,\\\"peers\\\":2}"), "{json}");
    assert!(!json.contains("5a5a5a"), "{json}");
    let page = house.get("/swarms").await.text();
    assert!(page.contains("<dd>1, with 2 peers</dd>") && !page.contains("5a5a5a"), "{page}");
    let metrics = house.get("/metrics").await.text();
    assert!(metrics.contains("everseed_open_swarms 1") && metrics.contains("everseed_open_peers 2"), "{metrics}");
    house.close().await;

    let house = House::with(&show, options(), bound()).await;
    assert_eq!(house.summary.peers_restored, 1);
    assert!(!house.get("/api/swarms.json").await.text().contains("5a5a5a"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_13_a_proxys_client_counts_only_where_the_proxy_is_trusted() {
    let (show, hash) = one_release();
    let target = |peer: char| {
        let id = peer.to_string().repeat(20);
        format!("/announce?info_hash={}&peer_id={id}&port=6881&left=9", escaped(hash))
    };
    let forwarded = ["x-forwarded-FOR: 6.6.6.6, 192.0.2.7"];

    let house = House::open(&show).await;
    let answer = ask(house.at, "GET", &target('a'), &forwarded).await;
    assert!(answer.text().contains("warning message"), "{}", answer.text());
    assert_eq!(int(&answer, "incomplete"), Some(0), "a proxy's address is not handed to strangers");
    assert!(house.lines().contains("WARNING: tracker: a proxy that is not trusted"), "{}", house.lines());
    house.close().await;

    let mut options = Options::new(show.root());
    options.trusted_proxies = crate::tracker::address::Networks::parse(["127.0.0.0/8"]).expect("a network");
    let house = House::with(&show, options, bound()).await;
    let answer = ask(house.at, "GET", &target('a'), &forwarded).await;
    assert_eq!(int(&answer, "incomplete"), Some(1));
    let other = ask(house.at, "GET", &target('b'), &["Forwarded: for=\"198.51.100.9:1\""]).await;
    assert!(peers(&other).contains(&"192.0.2.7:6881".parse().expect("an address")), "{}", other.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_15_74_hashes_in_one_scrape_and_8_kib_of_line() {
    let mut show = Show::at("https://show.example.org/");
    let hashes: Vec<InfoHash> = (0..74).map(|n: u8| show.release(&format!("f{n}"), &[n])).collect();
    show.publish();
    let house = House::open(&show).await;
    let query: Vec<String> = hashes.iter().map(|hash| format!("info_hash={}", escaped(*hash))).collect();
    let answer = house.get(&format!("/scrape?{}", query.join("&"))).await;
    let files = bencode::decode(&answer.body).expect("bencode");
    assert_eq!(files.get("files").and_then(bencode::Value::as_dict).map(<[_]>::len), Some(74));
    let long = house.get(&format!("/scrape?{}&{}", query.join("&"), "x".repeat(4000))).await;
    assert_eq!(long.status, 414);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_finds_the_counts_the_peers_and_what_was_read() {
    let (show, hash) = one_release();
    let house = House::open(&show).await;
    house.announce(hash, b'a', "&left=5").await;
    house.announce(hash, b'a', "&left=0&event=completed&downloaded=40000").await;
    house.announce(hash, b'b', "&left=5").await;
    house.until("/api/swarms.json", |answer| answer.text().contains("\\\"scrub\\\":{")).await;
    house.close().await;

    let house = House::open(&show).await;
    assert_eq!(house.summary.peers_restored, 2);
    let answer = house.get("/api/swarms.json").await.text();
    for part in ["\\\"completed\\\":1", "\\\"seeds\\\":2", "\\\"leechers\\\":1", "\\\"scrub\\\":{", "\\\"verified\\\""]
    {
        assert!(answer.contains(part), "{part} in {answer}");
    }
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_is_published_again_is_in_force_without_a_restart() {
    let (mut show, first) = one_release();
    let house = House::open(&show).await;
    house.announce(first, b'a', "&left=5").await;
    let second = show.release("ep2.mp3", &noise(20_000));
    show.publish();
    house.until("/api/swarms.json", |answer| answer.text().contains(&second.to_string())).await;
    let answer = house.announce(second, b'a', "&left=5").await;
    assert_eq!(peers(&answer).len(), 1, "the new one is seeded: {}", answer.text());
    let kept = house.announce(first, b'b', "&left=5").await;
    assert_eq!(int(&kept, "incomplete"), Some(2), "the others keep their peers");

    show.manifest.torrents.remove(0);
    show.publish();
    house.until("/api/swarms.json", |answer| !answer.text().contains(&first.to_string())).await;
    let gone = house.announce(first, b'a', "&left=5").await;
    assert!(gone.text().contains("withdrawn by its publisher"), "{}", gone.text());
    assert!(house.lines().contains("the site was read again: 1 torrents, 0 new, 1 withdrawn"), "{}", house.lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_manifest_is_told_once_and_the_former_stays_in_force() {
    let (show, hash) = one_release();
    let house = House::open(&show).await;
    show.write("everseed.json", b"{ half");
    let health = house.until("/healthz", |answer| answer.text().contains("can\\'t be read: everseed.json: ")).await;
    assert!(health.status == 200 && health.text().contains("degraded"), "{}", health.text());
    assert_eq!(int(&house.announce(hash, b'a', "&left=5").await, "complete"), Some(1));
    let told = house.lines().matches("what was there before is served on").count();
    assert_eq!(told, 1, "{}", house.lines());
    show.publish();
    house.until("/healthz", |answer| answer.text().contains("\\\"ok\\\"")).await;

    std::fs::remove_file(show.path("everseed.json")).expect("removed");
    house.until("/healthz", |answer| answer.text().contains("is gone")).await;
    assert_eq!(int(&house.announce(hash, b'a', "&left=5").await, "complete"), Some(1));
    show.publish();
    house.until("/healthz", |answer| answer.text().contains("\\\"ok\\\"")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_whose_files_are_still_on_their_way_is_tried_again() {
    let (mut show, _) = one_release();
    let house = House::open(&show).await;
    let second = show.release("ep2.mp3", b"sound");
    std::fs::rename(show.path("torrents/ep2.mp3.torrent"), show.path("late")).expect("renamed");
    show.publish();
    house.until("/healthz", |answer| answer.text().contains("can\\'t be read: torrents/ep2.mp3.torrent: ")).await;
    std::fs::rename(show.path("late"), show.path("torrents/ep2.mp3.torrent")).expect("renamed");
    house.until("/api/swarms.json", |answer| answer.text().contains(&second.to_string())).await;
    let told = house.lines().matches("what was there before is served on").count();
    assert_eq!(told, 1, "{}", house.lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_medium_is_named_and_the_others_are_seeded() {
    let (mut show, first) = one_release();
    let second = show.release("ep2.mp3", &noise(20_000));
    show.publish();
    std::fs::remove_file(show.path("media/ep2.mp3")).expect("removed");
    let house = House::open(&show).await;
    assert_eq!((house.summary.seeded, house.summary.torrents), (1, 2));
    expect!["Title of ep2.mp3: media/ep2.mp3 is missing"].assert_eq(&house.summary.faults.join("\n"));
    let health = house.get("/healthz").await;
    assert!(health.status == 200 && health.text().contains("media/ep2.mp3"), "{}", health.text());
    assert!(house.get("/api/swarms.json").await.text().contains("missing"));
    assert_eq!(int(&house.announce(second, b'a', "&left=5").await, "complete"), Some(0));
    assert_eq!(int(&house.announce(first, b'a', "&left=5").await, "complete"), Some(1));
    assert!(house.lines().contains("Title of ep2.mp3 is not seeded, it is missing"), "{}", house.lines());
}

#[tokio::test]
async fn a_site_that_is_broken_keeps_a_server_from_starting() {
    let (show, _) = one_release();
    show.write("everseed.json", b"{");
    let (log, _) = Log::memory();
    let started = Server::start(bound(), data(&show), Options::new(show.root()), log).await;
    let problem = show.anonymous(&started.map(|_| ()).expect_err("a fault").to_string());
    assert!(problem.starts_with("SITE/everseed.json:1: not a manifest"), "{problem}");
}

#[test]
fn a_data_folder_is_for_one_server_and_for_none_where_it_cannot_be_written() {
    let show = Show::at("https://show.example.org/");
    let refused = |path: &Path| show.anonymous(&DataFolder::lock(path).map(|_| ()).expect_err("a fault").to_string());
    let blocked = refused(&show.path("index.html"));
    assert!(blocked.contains("SITE/index.html: the data folder can't be made"), "{blocked}");
    assert!(blocked.contains("`--data DIR`"), "{blocked}");
    let first = data(&show);
    let second = refused(&show.data());
    assert!(second.starts_with("DIR/data: another everseed uses this data folder"), "{second}");
    drop(first);
    data(&show);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_a_manifest_is_served_with_a_warning() {
    let show = Show::at("https://show.example.org/");
    std::fs::remove_file(show.path("everseed.json")).expect("removed");
    let house = House::open(&show).await;
    assert!(!house.summary.has_manifest);
    assert!(house.lines().contains("nothing is tracked or seeded"), "{}", house.lines());
    assert_eq!(house.get("/").await.status, 200);
    assert!(house.get("/swarms").await.text().contains("Nothing is tracked or seeded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_of_one_torrent_can_be_asked_for() {
    let (mut show, first) = one_release();
    let second = show.release("ep2.mp3", b"sound");
    show.publish();
    let house = House::open(&show).await;
    let answer = house.get(&format!("/api/swarms.json?info_hash={second}")).await;
    let text = answer.text();
    assert!(text.contains(&second.to_string()) && !text.contains(&first.to_string()), "{text}");
    assert!(text.contains("\\\"page\\\":\\\"episodes/ep2.mp3/\\\""), "{text}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(house.get("/api/swarms.json?info_hash=nonsense").await.status, 400);
    let none = house.get(&format!("/api/swarms.json?info_hash={}", InfoHash([7; 20]))).await;
    assert!(none.text().starts_with("{\\\"torrents\\\":[],"), "{}", none.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_comes_also_for_a_client_that_does_not_read() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (show, hash) = one_release();
    let large = std::fs::File::create(show.path("media/large.bin")).expect("created");
    large.set_len(64 << 20).expect("a sparse file");
    let house = House::open(&show).await;
    let mut stalled = tokio::net::TcpStream::connect(house.at).await.expect("connected");
    stalled.write_all(b"GET /media/large.bin HTTP/1.1\r\n\r\n").await.expect("sent");
    stalled.read_exact(&mut [0; 16]).await.expect("it begins");
    house.announce(hash, b'a', "&left=5").await;
    let (at, lines) = (house.at, Arc::clone(&house.lines));
    tokio::time::timeout(STALL_MAX / 2, house.close()).await.expect("an end, long before the client counts as stalled");
    assert!(tokio::net::TcpStream::connect(at).await.is_err());
    assert_eq!(*lines.lock().expect("no panic"), Vec::<String>::new());
    assert_eq!(House::open(&show).await.summary.peers_restored, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_stops_by_itself_ends_the_server_and_is_named() {
    let (show, hash) = one_release();
    let log = Log::new(|line| assert!(!line.starts_with("the site was read again"), "no room for lines"));
    let mut server = Server::start(bound(), data(&show), Options::new(show.root()), log).await.expect("it starts");
    server.tick = Duration::from_millis(20);
    let at = server.http.local_addr().expect("bound");
    let running = tokio::spawn(server.run(std::future::pending()));
    get(at, &format!("/announce?info_hash={}&peer_id={}&port=1&left=9", escaped(hash), "a".repeat(20))).await;
    show.write("new.html", b"<p>new");
    show.publish();
    let ended = tokio::time::timeout(PATIENCE, running).await.expect("an end").expect("no panic");
    expect![[r"
        the look at the manifest has stopped by itself: it panicked: no room for lines
          help: start it again, and report this
    "]]
    .assert_eq(&format!("{}\n", ended.expect_err("a fault")));
    assert_eq!(House::open(&show).await.summary.peers_restored, 1, "what was known is written all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_left_is_counted_on_while_the_look_at_the_manifest_hangs() {
    let (show, _) = one_release();
    let (free, way) = std::sync::mpsc::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let (way, tell) = (Mutex::new(way), Mutex::new(tell));
    // Where a line is written is as good a place to hang as the disk.
    let log = Log::new(move |line| {
        if line.starts_with("the site was read again") {
            let _ = tell.lock().expect("no panic").send(());
            let _ = way.lock().expect("no panic").recv();
        }
    });
    let mut server = Server::start(bound(), data(&show), Options::new(show.root()), log).await.expect("it starts");
    server.tick = Duration::from_millis(20);
    let at = server.http.local_addr().expect("bound");
    let running = tokio::spawn(server.run(std::future::pending()));
    show.write("new.html", b"<p>new");
    show.publish();
    let hangs = tokio::task::spawn_blocking(move || told.recv_timeout(PATIENCE));
    hangs.await.expect("no panic").expect("the site is read again");
    assert_eq!(get(at, "/media/ep1.mp3").await.body.len(), 40_000);
    let counted = async {
        let month = |answer: &Answer| {
            serde_json::from_slice::<serde_json::Value>(&answer.body).expect("JSON")["everseed"]["month"]["web_sent_bytes"].clone()
        };
        while month(&get(at, "/api/swarms.json").await) != 40_000 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let counted = tokio::time::timeout(PATIENCE, counted).await;
    drop(free);
    running.abort();
    counted.expect("it is counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_trackers_hear_of_the_everseed_and_of_its_end() {
    let content = noise(40_000);
    let mut theirs = Show::at("https://other.example.org/");
    let hash = theirs.release_with("ep1.mp3", &content, Vec::new());
    theirs.publish();
    // They have lost the file: what completes the swarm there is our seed.
    std::fs::remove_file(theirs.path("media/ep1.mp3")).expect("removed");
    let other = House::open(&theirs).await;

    let mut show = Show::at("https://show.example.org/");
    let urls = ["https://show.example.org/announce".to_owned(), format!("http://{}/announce", other.at)];
    let ours = show.release_with("ep1.mp3", &content, urls.map(|url| vec![url]).into());
    assert_eq!(ours, hash);
    show.publish();
    let house = House::open(&show).await;
    let scrape = format!("/scrape?info_hash={}", escaped(hash));
    other.until(&scrape, |answer| answer.text().contains("8:completei1e")).await;
    house.close().await;
    let after = other.get(&scrape).await;
    assert!(after.text().contains("8:completei0e"), "{}", after.text());
    other.close().await;
}
