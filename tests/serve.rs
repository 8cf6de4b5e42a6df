//! A running server as its operator sees it: what it says, what it shows, what survives.
#![cfg(feature = "serve")]

mod house;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use everseed::metainfo;
use expect_test::expect;
use house::tracker::escaped;
use house::{House, KIB, Server, episode, until};

fn info_hash(server: &Server, slug: &str) -> [u8; 20] {
    let torrent = metainfo::parse(server.get(&format!("/torrents/{slug}.torrent")).body).expect("a torrent");
    torrent.info_hashes.main().0
}

fn announce(server: &Server, slug: &str, peer: u8, left: u64, event: &str) -> String {
    let hash = escaped(&info_hash(server, slug));
    let peer_id = escaped(&[peer; 20]);
    let port = 20_000 + u16::from(peer);
    let path = format!(
        "/announce?info_hash={hash}&peer_id={peer_id}&port={port}&uploaded=0&downloaded=0&left={left}&compact=1&event={event}"
    );
    server.get(&path).body.escape_ascii().to_string()
}

/// The field of a torrent in the JSON of the swarms.
fn shown(server: &Server, slug: &str, field: &str) -> serde_json::Value {
    let json: serde_json::Value = serde_json::from_slice(&server.get("/api/swarms.json").body).expect("JSON");
    let torrents = json["torrents"].as_array().expect("a list");
    let torrent = torrents.iter().find(|one| one["torrent"] == format!("torrents/{slug}.torrent"));
    torrent.expect("the torrent")[field].clone()
}

#[test]
fn it_says_where_it_is_and_stays_out_of_public() {
    let house = House::furnished();
    let server = house.serve();
    let http = server.http();
    assert_eq!(server.url(), format!("http://{http}/"));
    assert!(server.greeting.contains(&format!("announce  http://{http}/announce")), "{}", server.greeting);
    assert!(server.greeting.contains(&format!("announce  udp://{http}/announce")), "{}", server.greeting);
    assert_eq!(server.greeted("seeding"), "3 of 3 torrents");
    assert_eq!(server.get("/healthz").status, 200);
    assert!(!house.public().exists(), "torrents of this machine are not published");
    let torrent = metainfo::parse(server.get("/torrents/ep1.torrent").body).expect("a torrent");
    let http = format!("http://{http}/announce");
    assert_eq!(torrent.metainfo.trackers, [[http.clone()], [http.replace("http", "udp")]]);
    let feed = server.get("/feed.xml");
    assert_eq!(feed.header("content-type"), Some("application/rss+xml; charset=utf-8"));
    // The identity of the show is that of its configured address: it is the one of the production build.
    house.build().ok();
    let guid = |text: &str| text.split("<podcast:guid>").nth(1).map(|rest| rest[..36].to_owned());
    let built = fs::read_to_string(house.public().join("feed.xml")).expect("built");
    assert_eq!(guid(&feed.text()), guid(&built));
}

#[test]
fn a_site_that_was_built_elsewhere_is_served_tracked_and_seeded() {
    let house = House::furnished();
    house.run(&["build", "--base-url", "https://example.org/show/"]).ok();
    let server = house.serve_site();
    assert_eq!(server.greeted("seeding"), "3 of 3 torrents");
    for path in ["/feed.xml", "/show/feed.xml", "/show/", "/", "/show/api/swarms.json", "/show/swarms"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    assert!(announce(&server, "ep1", 1, 5, "started").contains("8:intervali"));
}

#[test]
fn a_folder_without_a_manifest_is_served_with_a_warning() {
    let house = House::new();
    fs::create_dir(house.public()).expect("made");
    fs::write(house.public().join("index.html"), "<p>plain").expect("written");
    let server = house.serve_site();
    server.said("nothing is tracked or seeded");
    assert_eq!(server.get("/").text(), "<p>plain");
    assert_eq!(server.greeted("seeding"), "0 of 0 torrents");
}

#[test]
fn a_damaged_and_a_missing_medium_are_named_loudly_and_the_others_are_seeded() {
    let house = House::furnished();
    house.build().ok();
    fs::remove_file(house.public().join("media/ep1.mp3")).expect("removed");
    // Of the same size: only reading finds it.
    let path = house.public().join("media/ep2.mp3");
    let mut bytes = fs::read(&path).expect("read");
    bytes[500_000] ^= 1;
    fs::remove_file(&path).expect("removed");
    fs::write(&path, bytes).expect("written");
    let server = house.serve_site();
    server.said("One is not seeded, it is missing");
    server.said("media/ep1.mp3");
    server.said("Two is not seeded, it is degraded");
    server.said("media/ep2.mp3");
    assert_eq!(shown(&server, "ep1", "health"), "missing");
    assert_eq!(shown(&server, "ep2", "health"), "degraded");
    assert_eq!(shown(&server, "ep2", "bad_pieces"), 1);
    assert_eq!(shown(&server, "ep1", "seeds"), 0, "it is not handed out");
    assert_eq!(shown(&server, "set", "seeds"), 1);
    let page = server.get("/swarms").text();
    assert!(page.contains("media/ep1.mp3") && page.contains("media/ep2.mp3"), "{page}");
    let health = server.get("/healthz");
    assert_eq!(health.status, 200);
    assert!(health.text().contains("degraded"), "{}", health.text());
}

/// Changes a bit of a file in place.
fn flip(path: &Path, at: u64) {
    let file = fs::File::options().read(true).write(true).open(path).expect("a file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("it is so long");
    file.write_all_at(&[byte[0] ^ 1], at).expect("written");
}

fn piece_bytes(house: &House, slug: &str) -> usize {
    let torrent = fs::read(house.public().join(format!("torrents/{slug}.torrent"))).expect("built");
    metainfo::parse(torrent).expect("a torrent").metainfo.info.piece_length.bytes() as usize
}

fn ranged(server: &Server, path: &str, from: usize, to: usize) -> house::Response {
    server
        .request(&format!("GET {path} HTTP/1.1\r\nHost: test\r\nRange: bytes={from}-{to}\r\nConnection: close\r\n\r\n"))
}

#[test]
fn bytes_that_are_known_to_be_bad_do_not_leave_over_http() {
    let house = House::furnished();
    house.build().ok();
    let [one, two] = ["ep1", "ep2"].map(|slug| house.public().join(format!("media/{slug}.mp3")));
    let whole = fs::read(&two).expect("built");
    let piece = piece_bytes(&house, "ep2");
    let (bad, pieces) = (500_000 / piece, whole.len().div_ceil(piece));
    flip(&two, 500_000);
    fs::File::options().write(true).open(&one).and_then(|file| file.set_len(1000)).expect("cut short");
    let server = house.serve_site();
    server.said("Two is not seeded, it is degraded");

    let path = "/media/ep2.mp3";
    let refused = server.get(path);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    assert_eq!(refused.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
    assert_eq!(refused.header("etag"), None);
    assert_eq!(
        refused.text(),
        format!(
            "media/ep2.mp3 differs from its torrent in 1 of {pieces} pieces: bytes that are not right are not sent. \
             Peers, and other servers that have this file, may give them.\n"
        )
    );
    let head = server.request(&format!("HEAD {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"));
    assert_eq!((head.status, head.header("retry-after"), head.body.len()), (503, Some("5"), 0));
    let bad = (bad * piece, (bad + 1) * piece);
    for (from, to, status) in [
        (0, bad.0 - 1, 206),
        (0, bad.0, 503),
        (bad.0, bad.1 - 1, 503),
        (bad.1 - 1, bad.1, 503),
        (bad.1, whole.len() - 1, 206),
        (500_000, 500_000, 503),
    ] {
        let answer = ranged(&server, path, from, to);
        assert_eq!(answer.status, status, "{from} to {to}");
        assert!(status == 503 || answer.body == whole[from..=to], "{from} to {to}");
    }
    let short = ranged(&server, "/media/ep1.mp3", 0, 9);
    assert_eq!(short.status, 503);
    assert!(
        short.text().starts_with("media/ep1.mp3 is 306200 bytes shorter than its torrent says: "),
        "{}",
        short.text()
    );
    assert!(fs::read(house.public().join("media/set/a.bin")).is_ok_and(|a| server.get("/media/set/a.bin").body == a));

    // A change that repairs nothing is none: it stays told.
    fs::File::options().write(true).open(&two).and_then(|file| file.set_modified(UNIX_EPOCH)).expect("touched");
    server.signal("HUP");
    server.said("the site was read again");
    assert_eq!((shown(&server, "ep2", "health"), server.get(path).status), ("degraded".into(), 503));

    fs::write(&two, &whole).expect("restored");
    until("it is given again", || server.get(path).body == whole);
    until("it is seeded again", || shown(&server, "ep2", "health") == "verified");
}

#[test]
fn a_download_ends_before_bytes_that_have_become_bad() {
    let house = House::new().page("ep1.md", &episode("One", "2026-05-01", "ep1.bin")).media("ep1.bin", 24 * house::MIB);
    house.build().ok();
    let medium = house.public().join("media/ep1.bin");
    let whole = fs::read(&medium).expect("built");
    let bad = whole.len() - 5 * piece_bytes(&house, "ep1");
    let server = house.serve_site();
    until("it is verified", || shown(&server, "ep1", "health") == "verified");
    let begin = || {
        let mut stream = TcpStream::connect(server.http()).expect("connected");
        stream.set_read_timeout(Some(house::PATIENCE)).expect("set");
        stream.write_all(b"GET /media/ep1.bin HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").expect("asked");
        stream.read_exact(&mut [0]).expect("an answer");
        stream
    };
    let rest = |mut stream: TcpStream| {
        let mut bytes = Vec::new();
        // That the connection is broken off says that it is not all.
        let _ = stream.read_to_end(&mut bytes);
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a header's end");
        assert!(String::from_utf8_lossy(&bytes[..head]).contains(&format!("content-length: {}", whole.len())));
        bytes.split_off(head + 4)
    };

    // Whoever downloads what another file replaces gets the former one to its end.
    let stream = begin();
    let new = house.public().join("media/new");
    fs::write(&new, &whole).expect("written");
    fs::rename(&new, &medium).expect("renamed");
    assert!(rest(stream) == whole);

    until("it is verified", || server.get("/media/ep1.bin").body == whole);
    let stream = begin();
    flip(&medium, bad as u64 + 9);
    let got = rest(stream);
    assert!(got.len() <= bad && got == whole[..got.len()], "{} of {}", got.len(), whole.len());
    until("it is told", || server.get("/media/ep1.bin").status == 503);
}

#[test]
fn a_medium_that_its_author_replaces_goes_out_as_soon_as_it_is_published() {
    let house = House::furnished();
    house.build().ok();
    let server = house.serve_site();
    let path = "/media/ep1.mp3";
    until("it is verified", || shown(&server, "ep1", "health") == "verified");
    let house = house.media("ep1.mp3", 300 * KIB + 1);
    let new = fs::read(house.root().join("content/ep1.mp3")).expect("written");
    assert!(server.get(path).body != new);
    house.run(&["build", "--accept-changed"]).ok();
    server.signal("HUP");
    until("it goes out", || server.get(path).body == new);
}

/// Nothing can be told where stderr is full; what is missing is not handed out all the same.
#[test]
#[cfg(target_os = "linux")]
fn a_stderr_that_cannot_be_written_stops_nothing() {
    let house = House::furnished();
    house.build().ok();
    let full = fs::File::options().write(true).open("/dev/full").expect("a device that takes nothing");
    let server = house.serve_site_telling(full.into());
    for slug in ["ep1", "ep2"] {
        assert_eq!(shown(&server, slug, "seeds"), 1, "{slug}");
        fs::remove_file(house.public().join(format!("media/{slug}.mp3"))).expect("removed");
        // It looks at its files, and would say what it found.
        server.signal("HUP");
        until("the missing medium is withdrawn", || shown(&server, slug, "seeds") == 0);
    }
    let (status, _) = server.stop();
    assert!(status.success(), "{status}");
}

#[test]
fn counts_and_peers_survive_a_restart() {
    let house = House::furnished();
    house.build().ok();
    let server = house.serve_site();
    announce(&server, "ep1", 1, 100, "started");
    announce(&server, "ep1", 2, 100, "started");
    announce(&server, "ep1", 1, 0, "completed");
    assert_eq!(shown(&server, "ep1", "completed"), 1);
    let (status, _) = server.stop();
    assert!(status.success());

    let server = house.serve_site();
    assert_eq!(shown(&server, "ep1", "completed"), 1);
    assert_eq!(shown(&server, "ep1", "leechers"), 1);
    assert_eq!(shown(&server, "ep1", "seeds"), 2, "a peer and the everseed");
    // A peer that is known completes once, whatever it says of itself.
    announce(&server, "ep1", 1, 0, "completed");
    assert_eq!(shown(&server, "ep1", "completed"), 1);
}

#[test]
fn what_is_published_again_is_in_force_after_a_hangup_signal() {
    let house = House::furnished();
    let toml = fs::read_to_string(house.root().join("everseed.toml")).expect("its configuration");
    let house = house.toml(&format!("{toml}[torrent]\nretired_days = 0\n"));
    house.build().ok();
    let server = house.serve_site();
    let gone = info_hash(&server, "ep1");
    fs::remove_file(house.root().join("content/ep1.md")).expect("removed");
    let house = house.page("ep3.md", &episode("Three", "2026-06-01", "ep3.mp3")).media("ep3.mp3", 30 * KIB);
    house.build().ok();
    server.signal("HUP");
    server.said("3 torrents, 1 new, 1 withdrawn");
    assert!(announce(&server, "ep3", 1, 100, "started").contains("8:intervali"));
    let hash = escaped(&gone);
    let path = format!("/announce?info_hash={hash}&peer_id={}&port=1&left=1", escaped(&[9; 20]));
    assert!(server.get(&path).text().contains("failure reason"));
}

/// The program with these arguments, in the show's folder, until it ends.
fn ended(house: &House, args: &[&str]) -> house::Run {
    house.run(&[&["serve", "--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"], args].concat())
}

#[test]
fn a_second_server_leaves_the_site_of_the_first_as_it_is() {
    let house = House::furnished();
    let server = house.serve();
    let manifest = || fs::read(house.root().join(".everseed/site/everseed.json")).expect("built");
    let before = manifest();
    let second = ended(&house, &["."]);
    expect![[r"
        [stderr]
        error: ./.everseed: another everseed uses this data folder
          help: stop it, or give this one a folder of its own with `--data DIR`
        [exit 1]
    "]]
    .assert_eq(&second.whole());
    assert!(manifest() == before, "built for the address of the second");
    assert_eq!(server.get("/").status, 200);
}

#[test]
fn what_a_build_has_hashed_is_known_wherever_the_data_lies() {
    let house = House::furnished();
    let hashed = |house: &House| {
        let json: serde_json::Value = serde_json::from_str(&house.run(&["build", "--json"]).ok().stdout).expect("JSON");
        json["files_hashed"].as_u64().expect("a number")
    };
    assert_eq!(hashed(&house), 5);
    let elsewhere = house.beside("elsewhere");
    let house = house.serving_with(&["--data", &elsewhere.display().to_string()]);
    let (status, _) = house.serve().stop();
    assert!(status.success());
    assert!(!elsewhere.join("hashes").exists(), "a second memory would not hear of the first");
    assert_eq!(hashed(&house), 0);
}

#[test]
fn a_show_that_cannot_be_written_is_served_with_its_data_elsewhere() {
    let house = House::furnished();
    // A file where the folder would be: no right to write helps here.
    let house = house.write(".everseed", b"");
    let elsewhere = house.beside("elsewhere");
    let house = house.serving_with(&["--data", &elsewhere.display().to_string()]);
    assert_eq!(house.serve().greeted("seeding"), "3 of 3 torrents");
    assert!(elsewhere.join("hashes").exists());
}

#[test]
fn a_manifest_that_leads_out_of_the_site_is_refused() {
    let house = House::furnished();
    house.build().ok();
    let manifest = house.public().join("everseed.json");
    let json = fs::read_to_string(&manifest).expect("built");
    fs::write(&manifest, json.replace("media/ep1.mp3", "../etc/passwd")).expect("written");
    expect![[r#"
        [stderr]
        error: DIR/show/public/everseed.json: torrents[2]: "../etc/passwd" is not a path below the site's root (no `..`, no leading `/`, no `\`)
          help: build the site again; the format is described in the README
        [exit 3]
    "#]]
    .assert_eq(&ended(&house, &["--site", "public", "--data", "data"]).whole());
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let house = House::furnished();
    house.build().ok();
    house.serve_site().stop();
    let path = house.beside("data/everseed.sqlite3");
    let database = rusqlite::Connection::open(&path).expect("the database");
    database.pragma_update(None, "user_version", 99).expect("written");
    drop(database);
    let before = fs::read(&path).expect("read");
    expect![[r"
        [stderr]
        error: ../data/everseed.sqlite3: the database is of version 99, and this everseed knows versions up to 2
          help: run the newer everseed that wrote it, or name another folder with --data; nothing was changed
        [exit 1]
    "]]
    .assert_eq(&ended(&house, &["--site", "public", "--data", "../data"]).whole());
    assert!(fs::read(&path).expect("read") == before);
}

#[test]
fn port_0_of_an_ipv6_address_is_taken_and_told() {
    // A machine without IPv6 has nothing to show here.
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let house = House::furnished().serving_with(&["--listen", "[::1]:0", "--peer-listen", "[::1]:0"]);
    let server = house.serve();
    let http = server.http();
    assert!(http.is_ipv6() && http.port() != 0 && server.peers().port() != 0, "{}", server.greeting);
    assert!(server.greeting.contains(&format!("announce  udp://{http}/announce")), "{}", server.greeting);
    let torrent = metainfo::parse(server.get("/torrents/ep1.torrent").body).expect("a torrent");
    let http = format!("http://{http}/announce");
    assert_eq!(torrent.metainfo.trackers, [[http.clone()], [http.replace("http", "udp")]]);
    assert!(announce(&server, "ep1", 1, 5, "started").contains("6:peers618:"), "the everseed is there");
}

#[test]
fn flags_come_before_the_environment_and_that_before_the_file() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("its address").to_string();
    let toml = format!("[site]\ntitle = \"A\"\nbase_url = \"https://a.example.org/\"\n[serve]\nlisten = \"{taken}\"\n");
    let house = House::new().toml(&toml);
    let run = |env: Option<&str>, flag: Option<&str>| {
        let mut command = house::everseed();
        command.arg("serve").args(["--peer-listen", "127.0.0.1:0"]).current_dir(house.root());
        command
            .envs(env.map(|addr| ("EVERSEED_LISTEN", addr)))
            .args(flag.map(|addr| ["--listen", addr]).into_iter().flatten());
        house::Run::of(&mut command, &house.root()).stderr
    };
    // Each is tried with an address that is none, so that nothing stays running.
    assert!(run(Some("from-env"), None).contains("from-env"));
    assert!(run(Some("from-env"), Some("from-flag")).contains("from-flag"));
    assert!(run(None, None).contains(&taken), "the file's");
}

#[test]
fn what_is_typed_contradicts_only_what_is_typed() {
    let house = House::new();
    let serve = |env: &[(&str, &str)], args: &[&str]| {
        let mut command = house::everseed();
        command.arg("serve").args(args).envs(env.iter().copied()).current_dir(house.root());
        house::Run::of(&mut command, &house.root())
    };
    let run = serve(&[], &["--site", "public", "--base-url", "https://a.example.org/"]);
    assert_eq!(run.code, Some(3));
    assert!(run.stderr.contains("--site and --base-url contradict each other"), "{}", run.stderr);
    // The environment gives way: each gets as far as an address that is none.
    for args in [&["--site", "public"][..], &["."], &["--production"]] {
        let env = [
            ("EVERSEED_BASE_URL", "https://a.example.org/"),
            ("EVERSEED_SITE", "elsewhere"),
            ("EVERSEED_LISTEN", "none"),
        ];
        let run = serve(&env, args);
        assert!(run.stderr.contains("not an address with a port"), "{args:?}: {}", run.stderr);
    }
}

#[test]
fn paths_in_a_configuration_count_from_its_own_folder() {
    let house = House::furnished().toml(
        "[site]\ntitle = \"A\"\nbase_url = \"https://a.example.org/\"\noutput = \"out\"\n[serve]\ndata = \"state\"\nsite = \"out\"\n",
    );
    let config = house.root().join("everseed.toml").display().to_string();
    // Each is run in the folder above, where nothing is left.
    let above = |command: &[&str]| {
        let mut program = house::everseed();
        house::Run::of(program.args(command).current_dir(house.beside("")), &house.beside(""))
    };
    above(&["build", "show", "--config", &config]).ok();
    assert!(house.root().join("out/feed.xml").exists());
    let args = ["--config", &config, "--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"].map(str::to_owned);
    let server = Server::start(&args, &house.beside(""));
    assert_eq!(server.greeted("seeding"), "3 of 3 torrents");
    // The site that was built elsewhere, for its own address.
    assert!(server.get("/feed.xml").text().contains("https://a.example.org/feed.xml"));
    assert!(house.root().join("state").is_dir());
    drop(server);
    let there = fs::read_dir(house.beside("")).expect("listed").count();
    assert_eq!(there, 1, "only the show");
}

#[test]
fn what_is_typed_or_in_the_environment_comes_before_the_site_of_the_file() {
    let house = House::furnished()
        .toml("[site]\ntitle = \"A\"\nbase_url = \"https://a.example.org/\"\n[serve]\nsite = \"nowhere\"\n");
    let served = |env: &[(&str, &str)], args: &[&str]| {
        let mut program = house::everseed();
        program.args(["serve", "--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"]);
        program.args(args).envs(env.iter().copied()).current_dir(house.root());
        house::Run::of(&mut program, &house.root()).stderr
    };
    // None of them stays up: there is no such site, and no such theme.
    assert!(served(&[], &[]).contains("nowhere: can't be opened"));
    assert!(served(&[("EVERSEED_SITE", "env")], &[]).contains("env: can't be opened"));
    assert!(served(&[("EVERSEED_SITE", "env")], &["--site", "flag"]).contains("flag: can't be opened"));
    let house = house.write("content/broken.md", b"no front matter");
    for args in [&["."][..], &["--drafts"], &["--production"], &["--base-url", "https://b.example.org/"]] {
        let mut program = house::everseed();
        program.args(["serve", "--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"]);
        let run = house::Run::of(program.args(args).current_dir(house.root()), &house.root());
        assert!(run.stderr.contains("content/broken.md"), "{args:?}: {}", run.stderr);
    }
}

#[test]
fn a_connection_id_over_udp_is_good_after_a_restart() {
    let house = House::furnished();
    house.build().ok();
    let server = house.serve_site();
    let http = server.http();
    let hash = info_hash(&server, "ep1");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(house::PATIENCE)).expect("set");
    let ask = |request: &[u8]| {
        socket.send_to(request, http).expect("sent");
        let mut reply = [0; 1500];
        let length = socket.recv(&mut reply).expect("a reply");
        reply[..length].to_vec()
    };
    // BEP 15: connect with the protocol's number, action 0 and a transaction id.
    let connected = ask(&[&0x0417_2710_1980_u64.to_be_bytes()[..], &[0; 4], b"abcd"].concat());
    assert_eq!(&connected[..8], b"\0\0\0\0abcd");
    server.stop();

    let house = house.serving_with(&["--listen", &http.to_string()]);
    let _server = house.serve_site();
    let mut announce = [&connected[8..16], &[0, 0, 0, 1], b"efgh", &hash, &[7; 20]].concat();
    announce.resize(98, 0);
    assert_eq!(&ask(&announce)[..8], b"\0\0\0\x01efgh");
}
