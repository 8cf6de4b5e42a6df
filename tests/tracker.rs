//! The tracker of a running server: what it counts, what it takes and refuses, and what it does in trouble.
#![cfg(feature = "serve")]

mod house;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use house::{House, KIB, episode, tracker, until};

fn of(server: &house::Server, slug: &str) -> everseed::id::InfoHash {
    let torrent = everseed::metainfo::parse(server.get(&format!("/torrents/{slug}.torrent")).body);
    torrent.expect("a torrent").info_hashes.main()
}

/// The value of a metric, by its name and labels.
fn counted<'m>(metrics: &'m str, name: &str) -> &'m str {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in:\n{metrics}"))
}

#[test]
fn the_time_that_announces_take_is_counted_by_their_wire() {
    let house = House::furnished();
    let server = house.serve();
    let (at, hash) = (server.http(), of(&server, "ep1"));
    for _ in 0..2 {
        tracker::over_http(Ipv4Addr::LOCALHOST, at, &hash).expect("an answer");
    }
    tracker::over_udp(Ipv4Addr::LOCALHOST, at, &hash).expect("an answer");
    // One that the web server behind answers, as it is no ordinary one.
    server.get("/%61nnounce?info_hash=");
    let counts = || {
        let metrics = server.get("/metrics").text();
        let of = |name: &str| counted(&metrics, &format!("everseed_announce_seconds_{name}")).to_owned();
        let all = [of("count{wire=\"http\"}"), of("count{wire=\"udp\"}")];
        assert_eq!(all, [of("bucket{wire=\"http\",le=\"+Inf\"}"), of("bucket{wire=\"udp\",le=\"+Inf\"}")]);
        (all, of("sum{wire=\"http\"}"))
    };
    // They are counted when the answer has been sent.
    until("all are counted", || counts().0 == ["3", "1"]);
    assert_ne!(counts().1, "0");
}

#[test]
fn metrics_at_an_address_of_their_own_are_not_at_that_of_the_site() {
    let house = House::furnished().serving_with(&["--metrics-listen", "127.0.0.1:0"]);
    let server = house.serve();
    let url = server.greeted("metrics").to_owned();
    server.said(&format!("the metrics are at {url}, and not at the address of the site"));
    let at: SocketAddr = url.trim_start_matches("http://").trim_end_matches("/metrics").parse().expect("an address");
    assert_ne!(at, server.http());
    let get = |path: &str| house::get(at, path);
    let metrics = get("/metrics");
    assert_eq!(metrics.status, 200);
    assert!(metrics.text().contains("# TYPE everseed_announce_seconds histogram"), "{}", metrics.text());
    for path in ["/", "/feed.xml", "/announce", "/healthz", "/swarms"] {
        assert_eq!(get(path).status, 404, "{path}");
    }
    assert_eq!(server.get("/metrics").status, 404);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn an_address_of_metrics_that_is_in_use_is_told_with_what_to_do() {
    let house = House::furnished();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = taken.local_addr().expect("bound");
    let args =
        ["serve", "--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0", "--metrics-listen", &at.to_string()];
    let run = house.run(&args);
    assert_eq!(run.code, Some(1));
    expect_test::expect![[r#"
        error: TCP port PORT is in use (127.0.0.1:PORT)
          help: stop what uses it, or take another one with `--metrics-listen 127.0.0.1:PORT` (0 takes any free one)
    "#]]
    .assert_eq(&run.stderr.replace(&at.port().to_string(), "PORT"));
}

#[test]
fn more_connections_than_the_system_has_room_for_are_told_with_what_to_do() {
    let house = House::furnished()
        .toml("[site]\ntitle = \"A\"\nbase_url = \"https://a.example.org/\"\n[serve]\nconnections_max = 1000000\n");
    let server = house.serve();
    server.said("files and sockets");
    server.said("LimitNOFILE");
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_torrent_that_is_published_is_taken_and_one_that_is_withdrawn_refused_without_a_restart() {
    let site = "[site]\ntitle = \"A\"\nbase_url = \"https://a.example.org/\"\n[torrent]\nretired_days = 0\n";
    let house = House::furnished().toml(site);
    house.build().ok();
    let server = house.serve_site();
    let at = server.http();
    let first = of(&server, "ep1");
    assert_eq!(tracker::refusals(at, &first), [None, None]);

    // Found by the look at the manifest.
    let house = house.page("ep3.md", &episode("Three", "2026-05-10", "ep3.mp3")).media("ep3.mp3", 40 * KIB);
    let torrent = |slug: &str| house.public().join(format!("torrents/{slug}.torrent"));
    assert!(!torrent("ep3").exists());
    house.build().ok();
    let new = everseed::metainfo::parse(fs::read(torrent("ep3")).expect("built")).expect("a torrent");
    let new = new.info_hashes.main();
    until("the new one is tracked", || tracker::refusals(at, &new) == [None, None]);
    assert_eq!(tracker::refusals(at, &first), [None, None], "and so is the old one");
    server.said("1 new, 0 withdrawn");

    // And when it is asked to look.
    fs::remove_file(house.root().join("content/ep1.md")).expect("removed");
    house.build().ok();
    server.signal("HUP");
    server.said("0 new, 1 withdrawn");
    let reason = Some("this torrent was withdrawn by its publisher".to_owned());
    assert_eq!(tracker::refusals(at, &first), [reason.clone(), reason]);
    assert_eq!(tracker::refusals(at, &new), [None, None]);
    let unknown = Some("this tracker does not serve that torrent".to_owned());
    let nobodys = everseed::id::InfoHash([9; 20]);
    assert_eq!(tracker::refusals(at, &nobodys), [unknown.clone(), unknown]);
}

/// A limit on the size of files has the same effect as a disk that is full: no write of the database succeeds.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_nobody_from_announcing_is_told_everywhere_and_is_written_again_when_it_has_room() {
    let house = House::furnished();
    house.build().ok();
    let server = house.serve_site();
    let (at, hash) = (server.http(), of(&server, "ep1"));
    let file_bytes_max = |most: &str| {
        let (pid, most) = (server.pid().to_string(), format!("--fsize={most}:"));
        let status = std::process::Command::new("prlimit").args(["--pid", &pid, &most]).status();
        assert!(status.expect("prlimit, of util-linux").success());
    };
    file_bytes_max("1");
    assert_eq!(tracker::refusals(at, &hash), [None, None]);
    let told = server.said("WARNING: ");
    assert!(told.contains("the database"), "{told}");
    let health = server.get("/healthz");
    assert!(health.status == 200 && health.text().contains("\"status\":\"degraded\""), "{}", health.text());
    assert!(health.text().contains("the database can"), "{}", health.text());
    let page = server.get("/swarms").text();
    assert!(page.contains("the database can"), "{page}");
    assert_eq!(counted(&server.get("/metrics").text(), "everseed_store_failing"), "1");
    assert_eq!(tracker::refusals(at, &hash), [None, None]);

    file_bytes_max("unlimited");
    server.said("the database is written again");
    until("all is well", || server.get("/healthz").text().contains("\"status\":\"ok\""));
    server.kill();
    let server = house.serve_site();
    let json: serde_json::Value = serde_json::from_slice(&server.get("/api/swarms.json").body).expect("JSON");
    let torrents = json["torrents"].as_array().expect("a list");
    let leechers: u64 = torrents.iter().filter_map(|torrent| torrent["leechers"].as_u64()).sum();
    assert_eq!(leechers, 1, "what was announced meanwhile is kept");
}

#[test]
fn a_damaged_database_is_set_aside_with_a_warning_and_the_tracker_starts() {
    let house = House::furnished();
    house.build().ok();
    house.serve_site().stop();
    let path = house.beside("data/everseed.sqlite3");
    let mut bytes = fs::read(&path).expect("a database");
    let middle = bytes.len() / 2;
    bytes[100..middle].fill(0x5a);
    fs::write(&path, &bytes).expect("written");
    let server = house.serve_site();
    let told = server.said("the database is damaged");
    assert!(told.starts_with("WARNING: "), "{told}");
    let aside = server.said("it was set aside as");
    assert!(aside.contains("everseed.sqlite3.damaged-1"), "{aside}");
    assert!(fs::read(house.beside("data/everseed.sqlite3.damaged-1")).expect("kept") == bytes);
    let hash = of(&server, "ep1");
    assert_eq!(tracker::refusals(server.http(), &hash), [None, None]);
}
