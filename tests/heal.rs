//! Files that are damaged get their bytes back: from mirrors, from web seeds, from the swarm; and nothing else changes.
#![cfg(feature = "serve")]

mod house;

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use everseed::fetch::swarm::{self, Limits, Wanted};
use everseed::heal;
use everseed::id::PeerId;
use everseed::metainfo::{Draft, File, Hashes, Info, Layout, Torrent, encode};
use everseed::seed::{Folders, Options, Seed, bind};
use everseed::sitepath::SitePath;
use everseed::units::PieceLength;
use expect_test::expect;
use house::dht;
use house::web::{self, Web};
use house::{House, KIB, PATIENCE, Run, episode, until};
use sha1::{Digest, Sha1};
use tempfile::TempDir;

const PIECE: usize = 64 * 1024;
/// Names and sizes: a piece that spans three files, an empty file, a last piece of 3 bytes.
const FILES: [(&str, usize); 4] = [("one.bin", 300_000), ("zwei ü.txt", 11), ("empty", 0), ("three.bin", 420_888)];

/// A folder of files and the torrent of them, with its pieces padded or not.
struct Release {
    media: TempDir,
    torrent: Torrent,
}

impl Release {
    fn new(is_padded: bool) -> Self {
        let media = TempDir::new().expect("a temporary folder");
        let (mut content, mut layout) = (Vec::new(), Vec::new());
        for (name, bytes) in FILES {
            // Squares of the position: no two pieces are alike.
            let at = content.len() as u64;
            let own: Vec<u8> = (at..at + bytes as u64).map(|n| (n * n / 251).to_le_bytes()[0]).collect();
            fs::write(media.path().join(name), &own).expect("a file");
            content.extend(own);
            layout.push(File { path: vec![name.into()], bytes: bytes as u64, is_pad: false });
            let pad = content.len().next_multiple_of(PIECE) - content.len();
            if is_padded && pad > 0 {
                content.resize(content.len() + pad, 0);
                layout.push(File { path: vec![".pad".into(), pad.to_string()], bytes: pad as u64, is_pad: true });
            }
        }
        let torrent = encode(&Draft {
            info: Info {
                name: "release".into(),
                piece_length: PieceLength::new(PIECE as u64).expect("a power of two"),
                private: false,
                layout: Layout::Multi(layout),
                source: None,
                hashes: Hashes::V1(content.chunks(PIECE).map(|piece| Sha1::digest(piece).into()).collect()),
            },
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            creation_date: None,
            created_by: None,
            comment: None,
        });
        Self { media, torrent }
    }

    /// Seeds it for as long as the test's runtime lives.
    fn seed(&self) -> SocketAddr {
        let listener = bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let seed = Seed::new(&Options::new(PeerId(*b"-ES0100-abcdefghijkl"), address.port()));
        let mut folders = Folders::below(self.media.path());
        let files = FILES.map(|(name, _)| folders.place(name, false)).to_vec();
        let torrent = everseed::seed::Torrent::new(&self.torrent, files, &[]).expect("all its files");
        seed.set_torrents(vec![torrent]);
        tokio::spawn(
            Arc::clone(&seed).serve(everseed::seed::Sockets { tcp: vec![listener], utp: None }, std::future::pending()),
        );
        address
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.media.path().join(name)).expect("a file")
    }
}

fn limits() -> Limits {
    Limits { stall_within: Duration::from_secs(60), ..Limits::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_swarm_gives_all_files_and_what_is_there_is_kept() {
    for is_padded in [false, true] {
        let release = Release::new(is_padded);
        let folder = TempDir::new().expect("a temporary folder");
        // Half of it is there, and a file that is too long.
        fs::create_dir(folder.path().join("release")).expect("a folder");
        fs::write(folder.path().join("release/one.bin"), &release.bytes("one.bin")[..4 * PIECE]).expect("a part");
        fs::write(folder.path().join("release/zwei ü.txt"), [7; 30]).expect("a file");
        let got = std::sync::atomic::AtomicU64::new(0);
        let wanted = Wanted {
            peers: vec![release.seed()],
            progress: &|bytes| got.store(bytes, std::sync::atomic::Ordering::Relaxed),
            ..Wanted::new(&release.torrent, folder.path())
        };
        swarm::download(wanted, &limits()).await.expect("a download");
        for (name, _) in FILES {
            assert!(
                fs::read(folder.path().join("release").join(name)).expect("a file") == release.bytes(name),
                "{name}"
            );
        }
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
        let fetched = got.into_inner();
        assert!(fetched <= 720_899 - 4 * PIECE as u64 + PIECE as u64, "{fetched} bytes came");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_files_those_that_are_wanted_come() {
    for is_padded in [false, true] {
        let release = Release::new(is_padded);
        let folder = TempDir::new().expect("a temporary folder");
        let wanted =
            Wanted { peers: vec![release.seed()], files: Some(&[0]), ..Wanted::new(&release.torrent, folder.path()) };
        swarm::download(wanted, &limits()).await.expect("a download");
        let one = fs::read(folder.path().join("release/one.bin")).expect("a file");
        assert!(one == release.bytes("one.bin"));
        let three = fs::metadata(folder.path().join("release/three.bin"));
        assert!(three.map_or(0, |three| three.len()) < PIECE as u64, "no more than its share of a piece");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swarm_of_nobody_ends_with_why() {
    let release = Release::new(false);
    let folder = TempDir::new().expect("a temporary folder");
    let wanted = Wanted::new(&release.torrent, folder.path());
    let problem = swarm::download(wanted.clone(), &limits()).await.expect_err("nobody");
    assert_eq!(problem.to_string(), "nobody is known who has \"release\"\n  help: try again when a peer is there");

    // Somebody who accepts and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let peers = vec![silent.local_addr().expect("bound")];
    let limits = Limits { stall_within: Duration::from_millis(500), ..Limits::default() };
    let problem = swarm::download(Wanted { peers, ..wanted }, &limits).await.expect_err("nothing comes");
    assert_eq!(
        problem.to_string(),
        "\"release\" can't be fetched from peers: nothing came for 0.5 s (of 1 known peers 0 are connected)\n  \
         help: try again when more peers are there"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_nothing_is_told_by_its_own_words() {
    let release = Release::new(false);
    let folder = TempDir::new().expect("a temporary folder");
    // A folder stands where a file should come to be.
    fs::create_dir_all(folder.path().join("release/one.bin")).expect("a folder");
    let wanted = Wanted { peers: vec![release.seed()], ..Wanted::new(&release.torrent, folder.path()) };
    let problem = swarm::download(wanted, &limits()).await.expect_err("it can't be written").to_string();
    let below = problem.strip_prefix(&*folder.path().display().to_string());
    assert_eq!(below, Some("/release/one.bin: can't be written: Is a directory (os error 21)"), "{problem}");
}

/// Dropped in the middle, nothing of it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_is_dropped_ends() {
    let release = Release::new(false);
    let folder = TempDir::new().expect("a temporary folder");
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let peers = vec![silent.local_addr().expect("bound")];
    let mut peer = {
        // Its future may go to another thread.
        fn is_send<T: Send>(it: T) -> T {
            it
        }
        let limits = limits();
        let wanted = Wanted { peers, ..Wanted::new(&release.torrent, folder.path()) };
        let download = is_send(swarm::download(wanted, &limits));
        tokio::pin!(download);
        tokio::select! {
            outcome = &mut download => panic!("it waits for the peer: {outcome:?}"),
            peer = silent.accept() => peer.expect("a connection").0,
        }
    };
    // The connection is closed by who has no more use for it.
    let mut said = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut peer, &mut said);
    let ended = tokio::time::timeout(Duration::from_secs(30), read).await;
    assert!(ended.is_ok(), "the peer is still connected");
}

/// Pieces go over the borders of files: those that are damaged come from the swarm, and their neighbours stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_share_pieces_are_healed_from_the_swarm() {
    for is_padded in [false, true] {
        let release = Release::new(is_padded);
        let peer = release.seed();
        let site = TempDir::new().expect("a temporary folder");
        fs::create_dir(site.path().join("media")).expect("a folder");
        let path = |name: &str| site.path().join("media").join(name);
        for (name, _) in FILES {
            fs::write(path(name), release.bytes(name)).expect("a file");
        }
        // The last one begins in a piece with the end of the first, where nothing pads.
        let mut one = release.bytes("one.bin");
        one[200_000] ^= 1;
        fs::write(path("one.bin"), one).expect("written");
        fs::remove_file(path("three.bin")).expect("removed");
        let neighbour = fs::metadata(path("zwei ü.txt")).and_then(|metadata| metadata.modified()).expect("its time");

        let healed = tokio::task::spawn_blocking(move || {
            let place = |(name, _): &(&str, usize)| heal::Place {
                path: site.path().join("media").join(name),
                below: SitePath::new(format!("media/{name}")).expect("below the root"),
                url: None,
            };
            let subject = heal::Subject {
                title: "Release".into(),
                root: site.path().to_owned(),
                base_url: "https://show.example.org/".into(),
                torrent: &release.torrent,
                files: FILES.iter().map(place).collect(),
                published_ns: i64::MAX,
            };
            let stop = AtomicBool::new(false);
            let watch = heal::Watch { progress: &(), stop: &stop };
            let look = heal::examine(&subject, |_| None, 2, watch).expect("a look");
            let healer = heal::Healer::new(heal::Options::default(), &site.path().join("data")).expect("a quarantine");
            let outcome = healer.heal(&subject, &look, false, &|| vec![peer], watch);
            assert!(outcome.is_whole(), "{outcome:?}");
            let whole = heal::examine(&subject, |_| None, 2, watch).expect("a look");
            assert!(whole.is_whole(), "{whole:?}");
            for (name, _) in FILES {
                let is = fs::read(site.path().join("media").join(name)).expect("a file");
                assert!(is == release.bytes(name), "{name}");
            }
            let time = fs::metadata(site.path().join("media/zwei ü.txt")).and_then(|metadata| metadata.modified());
            assert_eq!(time.expect("its time"), neighbour);
            outcome.healed.into_iter().map(|healed| healed.name).collect::<Vec<_>>()
        });
        assert_eq!(healed.await.expect("healed"), ["media/one.bin", "media/three.bin"]);
    }
}

/// The DHT tells who has a torrent, and those give it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_announced_to_the_dht_is_found_there() {
    let release = Release::new(false);
    let info_hash = release.torrent.info_hashes.main();
    let node = dht::Node::new(info_hash.0);
    let dht = swarm::Dht { bootstrap: vec![node.addr.to_string()] };
    let seed = release.seed();
    let ours = everseed::fetch::dht::Node::start(&dht).await.expect("a node");
    let announce = ours.announce(&info_hash, seed.port(), Duration::from_secs(3600));
    let announced = async {
        while node.announced() != [(info_hash.0, seed)] {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = announce => panic!("it takes its time"),
        told = tokio::time::timeout(PATIENCE, announced) => told.expect("it is announced"),
    }
    assert_eq!(ours.nodes(), 1);

    let folder = TempDir::new().expect("a temporary folder");
    let wanted = Wanted { dht: Some(dht), ..Wanted::new(&release.torrent, folder.path()) };
    swarm::download(wanted, &limits()).await.expect("a download");
    assert!(fs::read(folder.path().join("release/one.bin")).expect("a file") == release.bytes("one.bin"));
}

/// The DHT is asked about what everybody may know of, and announced to where the operator says so.
#[test]
fn a_server_announces_its_torrents_to_the_dht_if_it_is_told_to() {
    let show = Copied::new();
    let torrent = fs::read(show.house.public().join("torrents/ep1.torrent")).expect("a torrent");
    let info_hash = everseed::metainfo::parse(torrent).expect("a torrent").info_hashes.main();
    let node = dht::Node::new(info_hash.0);
    let off = format!("[seed]\ndht_nodes = [\"{}\"]\n", node.addr);
    let on = format!("{off}dht = true\n");
    let serve = |toml: &str| {
        let config = show.house.beside("server.toml");
        fs::write(&config, toml).expect("written");
        show.house.serve_site_with(&["--config", &config.display().to_string()])
    };
    let server = serve(&on);
    until("it is announced", || node.announced() == [(info_hash.0, server.peers())]);
    server.said("dht: torrents that are not private are announced");
    let (status, took) = server.stop();
    assert!(status.success() && took < PATIENCE, "{status} {took:?}");
    // Not a packet where it is off.
    let asked = node.asked().len();
    let server = serve(&off);
    until("it serves", || server.get("/healthz").text().contains("ok"));
    assert_eq!(node.asked().len(), asked);
}

/// A show of two episodes, built, and a web server with another copy of it below `/copy/`.
struct Copied {
    house: House,
    web: Web,
}

impl Copied {
    fn new() -> Self {
        let house = House::new()
            .page("ep1.md", &episode("One", "2026-05-01", "ep1.mp3"))
            .media("ep1.mp3", 100 * KIB)
            .page("ep2.md", &episode("Two", "2026-05-02", "ep2.mp3"))
            .media("ep2.mp3", 200 * KIB);
        house.build().ok();
        let web = Web::new();
        for (name, bytes) in house::files(&house.public().join("media")) {
            web.put(&format!("copy/media/{name}"), web::File::of(&bytes));
        }
        Self { house, web }
    }

    fn mirror(&self) -> String {
        self.web.url("copy/")
    }

    /// `everseed heal --site` with these arguments.
    fn heal(&self, args: &[&str]) -> Run {
        let (site, data) = (self.house.public().display().to_string(), self.house.beside("data").display().to_string());
        let all: Vec<_> = [&["heal", "--site", &site, "--data", &data], args].concat();
        let run = self.house.run(&all);
        let hidden = |text: &str| text.replace(&self.web.url(""), "http://WEB/");
        Run { stdout: hidden(&run.stdout), stderr: hidden(&run.stderr), ..run }
    }

    /// Changes a byte of a file of the site, and neither its size nor its time.
    fn rot(&self, name: &str, at: usize) {
        let path = self.house.public().join("media").join(name);
        let time = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("its time");
        let mut bytes = fs::read(&path).expect("a file");
        bytes[at] ^= 0x55;
        // The episode's own file may be the same one under another name.
        fs::remove_file(&path).expect("removed");
        fs::write(&path, bytes).expect("written");
        fs::File::options().write(true).open(&path).and_then(|file| file.set_modified(time)).expect("set");
    }
}

#[test]
fn a_new_version_is_taken_back_only_where_its_torrent_is_named() {
    let show = Copied::new();
    let mirror = show.mirror();
    let path = show.house.public().join("media/ep1.mp3");
    let published = fs::read(&path).expect("a file");
    fs::remove_file(&path).expect("removed");
    fs::write(&path, "a new version").expect("written");
    expect![[r#"
        [stdout]
        One
          media/ep1.mp3 has 13 bytes now, and may be a new version: 7 bad pieces (102.4 kB)
          build the site again to publish a new version, or take the published one back with --force "ep1.mp3"
          left: media/ep1.mp3: has 13 bytes now, and may be a new version
        2 torrents, 1 damaged, 0 healed
        [exit 2]
    "#]]
    .assert_eq(&show.heal(&["--mirror", &mirror, "--yes"]).whole());
    assert_eq!(fs::read(&path).expect("a file"), b"a new version");
    expect![[r#"
        [stdout]
        One
          media/ep1.mp3 has 13 bytes now, and may be a new version: 7 bad pieces (102.4 kB)
          http://WEB/copy/: 7 pieces
          healed: media/ep1.mp3 (102.4 kB)
        2 torrents, 1 damaged, 1 healed
        [exit 0]
    "#]]
    .assert_eq(&show.heal(&["--mirror", &mirror, "--yes", "--force", "ep1"]).whole());
    assert!(fs::read(&path).expect("a file") == published);
}

#[test]
fn what_cannot_be_had_stays_damaged_and_each_source_says_why() {
    let show = Copied::new();
    show.rot("ep1.mp3", 5);
    show.web.change("copy/media/ep1.mp3", |file| file.bytes[5] ^= 0x55);
    let mirror = show.mirror();
    expect![[r#"
        [stdout]
        One
          media/ep1.mp3 has decayed: 1 bad piece (16.4 kB), and neither its size nor its time has changed
          http://WEB/copy/: 0 pieces; what is there is not what the torrent says
          the swarm: 0 pieces; nobody is known who has "ep1.mp3"
          left: media/ep1.mp3: 1 piece could not be had
            help: name another copy of the site in `mirrors` of [seed], or try again when a peer has them
        1 torrent, 1 damaged, 0 healed
        [exit 2]
    "#]]
    .assert_eq(&show.heal(&["--mirror", &mirror, "--yes", "ep1.mp3"]).whole());
}

#[test]
fn what_was_typed_wrongly_is_told_before_anything_is_read() {
    let show = Copied::new();
    let cases: [&[&str]; 4] = [&["epi1"], &["--force", "xyzzy"], &["--mirror", "mirror"], &["--frob"]];
    let told = cases.map(|args| show.heal(args).whole()).join("\n");
    expect![[r#"
        [stderr]
        error: "epi1" is no torrent of the site
          help: did you mean "ep1"?
        [exit 3]

        [stderr]
        error: "xyzzy" is no torrent of the site
          help: name it by its info-hash, or as its .torrent is called; the folder of a show comes first
        [exit 3]

        [stderr]
        error: --mirror: "mirror" is not the address of a copy of the site
          help: write the root of the copy, https or http, as https://mirror.example.org/show/
        [exit 3]

        [stderr]
        error: unexpected argument '--frob' found

          tip: to pass '--frob' as a value, use '-- --frob'

        Usage: everseed heal --site <DIR> --data <DIR> [ROOT] [TORRENT]...

        For more information, try '--help'.
        [exit 3]
    "#]]
    .assert_eq(&told);
    let run = show.house.run(&["heal", "--site", &show.house.beside("empty").display().to_string()]);
    expect![[r#"
        [stderr]
        error: DIR/empty: can't be opened: No such file or directory (os error 2)
          help: name the folder of a built site
        [exit 3]
    "#]]
    .assert_eq(&run.whole());
    expect![[r#"
        [stderr]
        error: DIR/: holds no built site
          help: build it, or name the folder of a built site with --site
        [exit 3]
    "#]]
    .assert_eq(&show.house.run(&["heal", &show.house.beside("").display().to_string()]).whole());
}

/// The whole way: the tracker names the everseed of a server that is whole, and the damaged copy takes from it.
#[test]
fn a_copy_is_healed_from_the_swarm_of_its_torrent() {
    let house = House::new().page("ep1.md", &episode("One", "2026-05-01", "ep1.mp3")).media("ep1.mp3", 300 * KIB);
    let server = house.serve();
    let (site, copy) = (house.root().join(".everseed/site"), house.beside("copy"));
    let whole = house::files(&site);
    for (name, bytes) in &whole {
        let path = copy.join(name);
        fs::create_dir_all(path.parent().expect("below a folder")).expect("a folder");
        fs::write(path, bytes).expect("written");
    }
    fs::remove_file(copy.join("media/ep1.mp3")).expect("removed");
    let (copied, data) = (copy.display().to_string(), house.beside("data").display().to_string());
    let run = house.run(&["heal", "--site", &copied, "--data", &data, "--yes"]);
    expect![[r#"
        [stdout]
        One
          media/ep1.mp3 is missing (307.2 kB)
          the swarm: 10 pieces
          healed: media/ep1.mp3 (307.2 kB)
        1 torrent, 1 damaged, 1 healed
        [exit 0]
    "#]]
    .assert_eq(&run.whole());
    assert!(house::files(&copy) == whole);
    // Nobody is left behind in the swarm.
    let swarms = server.get("/api/swarms.json").text();
    assert!(swarms.contains("\"leechers\":0"), "{swarms}");
}

/// The server serves the file again without being told.
#[test]
fn a_running_server_finds_the_healed_file() {
    let show = Copied::new();
    show.rot("ep1.mp3", 5);
    let server = show.house.serve_site();
    let health = || server.get("/healthz").text();
    until("the damage is found", || health().contains("degraded"));
    assert_eq!(show.heal(&["--mirror", &show.mirror(), "--yes"]).code, Some(0));
    until("it is served again", || health().contains("\"status\":\"ok\""));
}

#[test]
fn heal_says_what_it_would_do_and_does_it_when_told() {
    let show = Copied::new();
    let before = house::files(&show.house.public());
    expect![[r#"
        [stdout]
        2 torrents, all of them whole
        [exit 0]
    "#]]
    .assert_eq(&show.heal(&[]).whole());
    show.rot("ep1.mp3", 70_000);
    fs::remove_file(show.house.public().join("media/ep2.mp3")).expect("removed");
    let mirror = show.mirror();
    expect![[r#"
        [stdout]
        Two
          media/ep2.mp3 is missing (204.8 kB)
          13 pieces (204.8 kB) would be fetched from http://WEB/copy/ or the swarm
        One
          media/ep1.mp3 has decayed: 1 bad piece (16.4 kB), and neither its size nor its time has changed
          1 piece (16.4 kB) would be fetched from http://WEB/copy/ or the swarm
        2 torrents, 2 damaged; nothing was changed: --yes does what is said above
        [exit 2]
    "#]]
    .assert_eq(&show.heal(&["--mirror", &mirror]).whole());
    expect![[r#"
        [stdout]
        One
          media/ep1.mp3 has decayed: 1 bad piece (16.4 kB), and neither its size nor its time has changed
          http://WEB/copy/: 1 piece
          healed: media/ep1.mp3 (16.4 kB)
        1 torrent, 1 damaged, 1 healed
        [exit 0]
    "#]]
    .assert_eq(&show.heal(&["--mirror", &mirror, "--no-swarm", "ep1", "--yes"]).whole());
    expect![[r#"
        [stdout]
        Two
          media/ep2.mp3 is missing (204.8 kB)
          http://WEB/copy/: 13 pieces
          healed: media/ep2.mp3 (204.8 kB)
        2 torrents, 1 damaged, 1 healed
        [exit 0]
    "#]]
    .assert_eq(&show.heal(&["--mirror", &mirror, "--yes"]).whole());
    assert!(house::files(&show.house.public()) == before);
}
