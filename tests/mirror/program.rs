//! The program against the program: `everseed mirror` of a show that `everseed serve` serves.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use everseed::metainfo;
use expect_test::expect;
use librqbit::{AddTorrent, AddTorrentOptions, Session, SessionOptions};

use super::house::{House, KIB, MIB, PATIENCE, Run, Server, episode, everseed, files, until};
use super::{Publisher, manifest};

/// Mirrors a show once into `data`.
fn once(house: &House, url: &str, more: &[&str]) -> Run {
    let data = house.beside("mirror").display().to_string();
    let args = [&["mirror", url, "--once", "--data", &data], more].concat();
    Run::of(everseed().args(args), &house.beside(""))
}

#[test]
fn once_it_fetches_what_there_is_and_says_how_it_went() {
    let publisher = Publisher::new();
    let url = publisher.web.url("everseed.json");
    expect![[r#"
        [stdout]
        A show: 3 of 3 torrents here, 1.5 MB
        [stderr]
        mirror: A set is here, 153.6 kB, 10 pieces from web seeds
        mirror: Two is here, 1.0 MB, 17 pieces from web seeds
        mirror: One is here, 307.2 kB, 10 pieces from web seeds
        [exit 0]
    "#]]
    .assert_eq(&once(&publisher.house, &url, &[]).whole());
    expect![[r#"
        [stdout]
        A show: 3 of 3 torrents here, 1.5 MB; not read: 3 torrents with files as they were last found right (--verify reads all)
        [exit 0]
    "#]]
    .assert_eq(&once(&publisher.house, &url, &[]).whole());
    let publisher = publisher
        .change(|house| house.page("ep3.md", &episode("Three", "2026-05-15", "ep3.mp3")).media("ep3.mp3", 100 * KIB));
    publisher.web.remove("media/ep3.mp3");
    expect![[r#"
        [stdout]
        A show: 3 of 4 torrents here, 1.5 MB; not read: 3 torrents with files as they were last found right (--verify reads all)
        [stderr]
        WARNING: mirror: Three can't be fetched: 7 of 7 pieces are missing: http://127.0.0.1:PORT/media/ep3.mp3: answered 404 Not Found; nobody is known who has "ep3.mp3"
          help: try again later; a mirror that runs does so by itself
        [exit 2]
    "#]].assert_eq(&publisher.web.hide_port(&once(&publisher.house, &url, &[]).whole()));
    let left_out = once(&publisher.house, &url, &["--budget", "1.6 MB"]);
    expect![[r#"
        [stdout]
        A show: 3 of 4 torrents here, 1.5 MB; not read: 3 torrents with files as they were last found right (--verify reads all)
        [stderr]
        WARNING: mirror: Three is left out: it has 102.4 kB, and the budget lacks 11.8 kB
        [exit 0]
    "#]]
    .assert_eq(&publisher.web.hide_port(&left_out.whole()));
    drop(publisher.web);
    let run = once(&publisher.house, &url, &[]);
    assert_eq!(run.code, Some(1), "{}", run.whole());
    let wrong = [once(&publisher.house, "show.example.org", &[]), once(&publisher.house, &url, &["--every", "5"])];
    expect![[r#"
        [stderr]
        error: "show.example.org" is not the address of a show: relative URL without a base
          help: write it as https://show.example.org/ or https://show.example.org/feed.xml
        [exit 3]

        [stderr]
        error: --every: 5 seconds are out of range
          help: name 60 to 604800 seconds
        [exit 3]
    "#]]
    .assert_eq(&wrong.map(|run| run.whole()).join("\n"));
}

#[test]
fn killed_in_the_middle_it_goes_on_behind_what_was_right() {
    let show = House::new().page("ep1.md", &episode("One", "2026-05-01", "ep1.mp3")).media("ep1.mp3", 3 * MIB);
    let publisher = Publisher::of(show, "");
    publisher.web.change("media/ep1.mp3", |file| file.held_after = Some(2 * MIB + 5));
    let (url, data) = (publisher.web.url("everseed.json"), publisher.house.beside("mirror"));
    let mut child: Child = everseed()
        .args(["mirror", &url, "--once", "--data"])
        .arg(&data)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let hash = publisher.manifest().torrents[0].info_hashes.main().to_string();
    let part: PathBuf = data.join("fetching").join(hash).join("0");
    let original = fs::read(publisher.house.public().join("media/ep1.mp3")).expect("a file");
    until("two MiB are written", || fs::read(&part).is_ok_and(|bytes| bytes.get(..2 * MIB) == original.get(..2 * MIB)));
    child.kill().expect("killed");
    child.wait().expect("its status");
    publisher.web.go_on();
    publisher.web.asked();
    once(&publisher.house, &url, &[]).ok();
    let asked = publisher.web.asked();
    let piece = 64 * KIB;
    assert_eq!(2 * MIB % piece, 0);
    assert!(asked.contains(&format!("/media/ep1.mp3, range: bytes={}-{}", 2 * MIB, 3 * MIB - 1)), "{asked:?}");
    assert!(!asked.iter().any(|line| line.contains(".torrent")), "it waits already: {asked:?}");
    assert!(fs::read(data.join("site/media/ep1.mp3")).expect("it is there") == original);
}

/// A running mirror of the show at `url`.
fn follow(house: &House, url: &str) -> Server {
    let data = house.beside("mirror").display().to_string();
    let args = ["mirror", url, "--data", &data, "--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"];
    Server::start_command(&args.map(str::to_owned), &house.beside(""))
}

/// Downloads with librqbit from this peer alone.
async fn download(torrent: &[u8], peer: std::net::SocketAddr, folder: PathBuf) {
    let options = SessionOptions {
        dht: None,
        disable_trackers: true,
        disable_local_service_discovery: true,
        persistence: None,
        listen: None,
        ..SessionOptions::default()
    };
    let session = Session::new_with_opts(folder, options).await.expect("a session");
    let options =
        AddTorrentOptions { initial_peers: Some(vec![peer]), disable_trackers: true, ..AddTorrentOptions::default() };
    let whole = async {
        let added = session.add_torrent(AddTorrent::from_bytes(torrent.to_vec()), Some(options)).await.expect("added");
        added.into_handle().expect("a torrent").wait_until_completed().await.expect("a download");
    };
    tokio::time::timeout(PATIENCE, whole).await.expect("in time");
    session.stop().await;
}

#[test]
fn a_mirror_seeds_to_the_shows_tracker_follows_the_show_and_outlives_it() {
    let show = House::new().page("ep1.md", &episode("One", "2026-05-01", "ep1.mp3")).media("ep1.mp3", 300 * KIB);
    let publisher = show.serve();
    let url = format!("{}everseed.json", publisher.url());
    let mirror = follow(&show, &url);
    let greeting = mirror.greeting.replace(&url, "URL").replace(mirror.url(), "HERE/");
    let greeting =
        greeting.replace(&mirror.peers().to_string(), "PEERS").replace(&show.beside("").display().to_string(), "DIR/");
    expect![[r#"
        mirror    URL
        kept      0 B in DIR/mirror
        site      HERE/
        swarms    HERE/swarms
        peers     PEERS
        links     name the show alone; --base-url URL adds this mirror
        seeding   0 of 0 torrents
    "#]]
    .assert_eq(&greeting);
    mirror.said("One is here");
    mirror.said("1 of 1 torrents are here");

    // The publisher's tracker hands the mirror out to who asks it.
    let entry = manifest(&show.beside("mirror/site")).torrents[0].clone();
    let hex = entry.info_hashes.main().to_string();
    let hash = format!("%{}", hex.as_bytes().chunks(2).map(String::from_utf8_lossy).collect::<Vec<_>>().join("%"));
    let announce = format!(
        "/announce?info_hash={hash}&peer_id=-XX0001-123456789012&port=7&left=5&uploaded=0&downloaded=0&compact=1"
    );
    let named = mirror.peers().port().to_be_bytes();
    until("the tracker knows the mirror", || {
        publisher.get(&announce).body.windows(6).any(|peer| peer[..4] == [127, 0, 0, 1] && peer[4..] == named)
    });

    // A new episode is followed, at once where that is asked for.
    let show = show.page("ep2.md", &episode("Two", "2026-05-08", "ep2.mp3")).media("ep2.mp3", 200 * KIB);
    let http = publisher.http().to_string();
    publisher.stop();
    let show = show.serving_with(&["--listen", &http]);
    let publisher = show.serve();
    mirror.signal("HUP");
    mirror.said("Two is here");
    mirror.said("the site was read again: 2 torrents, 1 new, 0 withdrawn");

    // The publisher dies, and whoever has a link still gets it.
    let torrents: Vec<_> = ["ep1", "ep2"].map(|slug| publisher.get(&format!("/torrents/{slug}.torrent")).body).into();
    publisher.kill();
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let folder = show.beside("downloaded");
    for torrent in torrents {
        let name = metainfo::parse(torrent.clone()).expect("a torrent").metainfo.info.name;
        runtime.block_on(download(&torrent, mirror.peers(), folder.clone()));
        let (got, original) = (files(&folder), files(&show.root().join(".everseed/site/media")));
        assert!(got[&name] == original[&name], "{name}");
        assert_eq!(mirror.get(&format!("/media/{name}")).body, original[&name], "and over HTTP");
    }
    let swarms = mirror.get("/api/swarms.json").text();
    assert!(
        swarms.contains(&format!("\"page\":\"http://{http}/episodes/ep1/\"")),
        "pages are the show's own: {swarms}"
    );
    let (status, took) = mirror.stop();
    assert!(status.success() && took < PATIENCE, "{status} {took:?}");
}

#[test]
fn a_mirror_is_there_before_its_show_is_and_can_be_mirrored_itself() {
    let publisher = Publisher::new();
    let (house, url) = (&publisher.house, publisher.web.url(""));
    once(house, &url, &[]).ok();
    drop(publisher.web);
    let mirror = follow(house, &url);
    assert_eq!(mirror.greeted("seeding"), "3 of 3 torrents");
    assert!(mirror.greeted("mirror").starts_with("A show, http"), "{}", mirror.greeting);
    mirror.said("the show can't be read");
    until("who watches it is told too", || {
        let health = mirror.get("/healthz").text();
        health.contains("mirror: in the round of") && health.contains("the show can't be read")
    });
    let again = Run::of(
        everseed().args(["mirror", mirror.url(), "--once", "--data", "again"]).current_dir(house.beside("")),
        &house.beside(""),
    );
    assert_eq!(again.ok().stdout.split(", ").next(), Some("A show: 3 of 3 torrents here"));
    let media = |folder: PathBuf| files(&folder.join("media"));
    assert!(media(house.beside("again/site")) == media(house.public()));
}
