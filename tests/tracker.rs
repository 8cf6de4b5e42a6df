//! The tracker of a running server: what it counts, what it takes and refuses, and what it does in trouble.
#![cfg(feature = "serve")]

mod house;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use house::{House, tracker};

fn of(server: &house::Server, slug: &str) -> everseed::id::InfoHash {
    let torrent = everseed::metainfo::parse(server.get(&format!("/torrents/{slug}.torrent")).body);
    torrent.expect("a torrent").info_hashes.main()
}

/// The value of a metric, by its name and labels.
fn counted(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no {name} in:\n{metrics}"))
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
        let of = |name: &str| counted(&metrics, &format!("everseed_announce_seconds_{name}"));
        let all = [of("count{wire=\"http\"}"), of("count{wire=\"udp\"}")];
        assert_eq!(all, [of("bucket{wire=\"http\",le=\"+Inf\"}"), of("bucket{wire=\"udp\",le=\"+Inf\"}")]);
        assert!(of("bucket{wire=\"http\",le=\"0.00001\"}") <= all[0] && of("sum{wire=\"http\"}") > 0.0);
        all
    };
    // They are counted when the answer has been sent.
    house::until("all are counted", || counts() == [3.0, 1.0]);
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
