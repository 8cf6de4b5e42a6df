//! Media on other servers: downloaded once, asked for when that is wanted, and never by a build from the lock.

#![cfg(feature = "fetch")]

mod house;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use expect_test::expect;
use house::web::{File, Web};
use house::{House, KIB, MIB, Run, episode, everseed, files, mp3, until};

/// A show with an episode whose audio is `ep.mp3` of `web`.
fn far_away(web: &Web, bytes: &[u8]) -> House {
    web.put("ep.mp3", File::of(bytes));
    House::new().described().page("ep1.md", &episode("One", "2026-05-01", &web.url("ep.mp3")))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("a text")
}

fn lock_of(house: &House) -> String {
    read(house.root().join("everseed.lock"))
}

/// The whole of a run without its port, and with its questions.
fn story(web: &Web, run: &Run) -> String {
    let mut text = run.whole();
    web.asked().iter().for_each(|line| text.extend(["[asked] ", line, "\n"]));
    web.hide_port(&text)
}

/// Nothing of a show that is published or locked.
fn nothing_is_written(house: &House) {
    for name in ["everseed.lock", "torrents", "public"] {
        assert!(!house.root().join(name).exists(), "{name}");
    }
}

#[test]
fn a_medium_is_downloaded_once_and_then_asked_after() {
    let (web, bytes) = (Web::new(), mp3(1, 300 * KIB));
    let house = far_away(&web, &bytes);
    expect![[r#"
        [stdout]
        everseed.lock: 1 record; added 1, changed 0, removed 0; hashed 1 file (307.2 kB)
        [exit 0]
        [asked] /ep.mp3, range: bytes=0-
    "#]]
    .assert_eq(&story(&web, &house.run(&["lock"])));
    expect![[r##"
        # Made by everseed: what is known of each medium. Keep it in version control, with the folder torrents/ beside it;
        # then `everseed build --locked` and `everseed attach --locked` need no media. `everseed lock` brings it up to date.
        version = 1

        [media.ep1]
        source = "http://127.0.0.1:PORT/ep.mp3"
        etag = '"e22884956327c0c2"'
        ranges = true
        bytes = 307200
        info_hash = "8b20703ba176a5c36333014d151e3772c7064861"
        piece_length = 32768
        sha384 = "2bf7827d51df58a1ca778292b7d49f348eb53f16c10181b48b454a2b74c16cc4ba137a65b7d709ace1468892da082f27"
        mime = "audio/mpeg"
        duration_ms = 19226
        bitrate_bps = 127826
        guid = "e07536c3-8ab9-5355-9341-a13139628591"
    "##]].assert_eq(&web.hide_port(&lock_of(&house)));
    let lock = lock_of(&house);
    expect![[r#"
        [stdout]
        everseed.lock: 1 record; added 0, changed 0, removed 0; hashed 0 files (0 B)
        [exit 0]
        [asked] /ep.mp3, range: bytes=0-, if-none-match: "e22884956327c0c2"
    "#]]
    .assert_eq(&story(&web, &house.run(&["lock"])));
    expect![[r#"
        [stdout]
        ./public: 3 pages, 1 torrent; hashed 0 files (0 B), wrote 13, removed 0, left 0 as they were
        [exit 0]
    "#]]
    .assert_eq(&story(&web, &house.build()));
    // A server that knows no conditions says with the head of the file what it is.
    web.change("ep.mp3", |file| file.etag = None);
    web.change("ep.mp3", |file| file.last_modified = Some("Fri, 01 May 2026 12:00:00 GMT".into()));
    house.run(&["lock"]).ok();
    web.asked();
    expect![[r#"
        [stdout]
        {"lock":"everseed.lock","records":1,"added":0,"changed":0,"unchanged":1,"removed":0,"files_hashed":0,"bytes_hashed":0,"warnings":[]}
        [exit 0]
        [asked] /ep.mp3, range: bytes=0-, if-modified-since: Fri, 01 May 2026 12:00:00 GMT
    "#]].assert_eq(&story(&web, &house.run(&["lock", "--json"])));
    let now = lock_of(&house);
    assert_eq!(now.replace("last_modified = \"Fri, 01 May 2026 12:00:00 GMT\"", &line(&lock, "etag")), lock);
}

/// The line of `key`.
fn line(text: &str, key: &str) -> String {
    text.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned()
}

#[test]
fn a_site_names_a_medium_where_it_is_and_serves_its_torrent() {
    let (web, bytes) = (Web::new(), mp3(1, 300 * KIB));
    let house = far_away(&web, &bytes);
    house.build().ok();
    let made = files(&house.public());
    let text = |name: &str| web.hide_port(&String::from_utf8_lossy(&made[name]));
    let part = |text: &str, start: &str, end: &str| {
        let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("{start} in {text}"));
        format!("{start}{}{end}", rest.split_once(end).map_or(rest, |(part, _)| part))
    };
    expect![[r#"
        <enclosure url="http://127.0.0.1:PORT/ep.mp3" length="307200" type="audio/mpeg"/>
              <itunes:duration>19</itunes:duration>
              <podcast:alternateEnclosure type="audio/mpeg" length="307200" bitrate="127826" default="true" title="Standard">
                <podcast:source uri="http://127.0.0.1:PORT/ep.mp3"/>
                <podcast:source uri="https://show.example.org/torrents/ep1.torrent" contentType="application/x-bittorrent"/>
                <podcast:source uri="magnet:?xt=urn:btih:8b20703ba176a5c36333014d151e3772c7064861&amp;dn=ep1.mp3&amp;xl=307200&amp;tr=https%3A%2F%2Fshow.example.org%2Fannounce&amp;ws=http%3A%2F%2F127.0.0.1%3APORT%2Fep.mp3" contentType="application/x-bittorrent"/>
                <podcast:integrity type="sri" value="sha384-K/eCfVHfWKHKd4KSt9SfNI61PxbBAYG0i0VKK3TBbMS6E3plt9cJrOFGiJLaCC8n"/>
              </podcast:alternateEnclosure>"#]].assert_eq(&part(&text("feed.xml"), "<enclosure", "</podcast:alternateEnclosure>"));
    expect![[r#"
        "files": [
                {
                  "path": "media/ep1.mp3",
                  "bytes": 307200,
                  "url": "http://127.0.0.1:PORT/ep.mp3"
                }
              ]"#]]
    .assert_eq(&part(&text("everseed.json"), "\"files\"", "]"));
    let page = text("episodes/ep1/index.html");
    let links: Vec<_> = page.split(['"', '\'']).filter(|text| text.contains("ep.mp3")).collect();
    expect![[r#"
        http://127.0.0.1:PORT/ep.mp3
        http://127.0.0.1:PORT/ep.mp3
        http://127.0.0.1:PORT/ep.mp3
        http://127.0.0.1:PORT/ep.mp3
        http://127.0.0.1:PORT/ep.mp3
        magnet:?xt=urn:btih:8b20703ba176a5c36333014d151e3772c7064861&amp;dn=ep1.mp3&amp;xl=307200&amp;tr=https%3A%2F%2Fshow.example.org%2Fannounce&amp;ws=http%3A%2F%2F127.0.0.1%3APORT%2Fep.mp3"#]].assert_eq(&links.join("\n"));
    let torrent = everseed::metainfo::parse(made["torrents/ep1.torrent"].clone()).expect("a torrent");
    assert_eq!(torrent.metainfo.web_seeds, [web.url("ep.mp3")]);
    assert_eq!(torrent.metainfo.info.total_bytes(), bytes.len() as u64);
    assert!(!house.public().join("media").exists());
}

#[test]
fn a_web_seed_is_the_end_of_an_open_redirect_and_feeds_name_what_is_written() {
    let (web, bytes) = (Web::new(), mp3(1, 100 * KIB));
    let house = far_away(&web, &bytes);
    let page = |name: &str| episode("One", "2026-05-01", &web.url(name));
    web.put("open.mp3", File::redirect(302, "ep.mp3"));
    web.put("signed.mp3", File::redirect(302, "/ep.mp3?token=1"));
    web.put("ep.mp3?token=1", File::of(&bytes));
    let web_seeds = |house: &House| {
        house.run(&["build"]).ok();
        let bytes = fs::read(house.public().join("torrents/ep1.torrent")).expect("a torrent");
        everseed::metainfo::parse(bytes).expect("a torrent").metainfo.web_seeds
    };
    let house = house.page("ep1.md", &page("open.mp3"));
    assert_eq!(house.run(&["lock"]).ok().stderr, "");
    assert_eq!(web_seeds(&house), [web.url("ep.mp3")]);
    assert!(read(house.public().join("feed.xml")).contains(&format!("<enclosure url=\"{}\"", web.url("open.mp3"))));
    // The redirect leads to another place, and to the same file.
    web.put("moved.mp3", File::of(&bytes));
    web.put("open.mp3", File::redirect(302, "moved.mp3"));
    house.run(&["lock"]).ok();
    assert_eq!(web_seeds(&house), [web.url("moved.mp3")]);
    let house = house.page("ep1.md", &page("signed.mp3"));
    web.asked();
    expect![[r#"
        [stdout]
        everseed.lock: 1 record; added 0, changed 0, removed 0; hashed 1 file (102.4 kB)
        [stderr]
        warning: content/ep1.md: http://127.0.0.1:PORT/signed.mp3: it is redirected to a URL that is made for the moment; torrent clients that do not follow it have no web seed
        [exit 0]
        [asked] /ep.mp3?token=1, range: bytes=0-
        [asked] /signed.mp3, range: bytes=0-
    "#]].assert_eq(&story(&web, &house.run(&["lock"])));
    assert_eq!(web_seeds(&house), [web.url("signed.mp3")]);
}

#[test]
fn a_broken_connection_is_taken_up_where_it_broke() {
    let (web, bytes) = (Web::new(), mp3(1, MIB));
    let house = far_away(&web, &bytes);
    web.change("ep.mp3", |file| file.cuts = vec![700_000, 100_000]);
    expect![[r#"
        [stdout]
        everseed.lock: 1 record; added 1, changed 0, removed 0; hashed 1 file (1.0 MB)
        [exit 0]
        [asked] /ep.mp3, range: bytes=0-
        [asked] /ep.mp3, range: bytes=700000-, if-range: "491f4cbc24d4a2b6"
        [asked] /ep.mp3, range: bytes=800000-, if-range: "491f4cbc24d4a2b6"
    "#]]
    .assert_eq(&story(&web, &house.run(&["lock"])));
    let mended = lock_of(&house);
    let other = far_away(&web, &bytes);
    other.run(&["lock"]).ok();
    assert_eq!(lock_of(&other), mended);
}

#[test]
fn several_media_are_downloaded_at_a_time() {
    let web = Web::new();
    let mut house = House::new().described();
    for number in 1..=4 {
        let name = format!("ep{number}.mp3");
        web.put(&name, File::of(&mp3(number, 100 * KIB)));
        house = house.page(&format!("ep{number}.md"), &episode("T", &format!("2026-05-0{number}"), &web.url(&name)));
    }
    // Each waits for the last of them.
    web.together(4);
    expect![[r#"
        [stdout]
        everseed.lock: 4 records; added 4, changed 0, removed 0; hashed 4 files (409.6 kB)
        [exit 0]
        [asked] /ep1.mp3, range: bytes=0-
        [asked] /ep2.mp3, range: bytes=0-
        [asked] /ep3.mp3, range: bytes=0-
        [asked] /ep4.mp3, range: bytes=0-
    "#]]
    .assert_eq(&story(&web, &house.run(&["lock"])));
}

#[test]
fn downloads_are_kept_under_their_published_names_when_that_is_wanted() {
    let (web, bytes) = (Web::new(), mp3(1, 300 * KIB));
    let house = far_away(&web, &bytes);
    house.run(&["lock"]).ok();
    web.asked();
    let lock = || house.run(&["lock", "--keep", "kept"]);
    expect![[r#"
        [stdout]
        everseed.lock: 1 record; added 0, changed 0, removed 0; hashed 1 file (307.2 kB)
        [exit 0]
        [asked] /ep.mp3, range: bytes=0-
    "#]]
    .assert_eq(&story(&web, &lock()));
    assert!(fs::read(house.root().join("kept/ep1.mp3")).expect("kept") == bytes);
    // What is there is held against the lock, and not downloaded again.
    expect![[r#"
        [stdout]
        everseed.lock: 1 record; added 0, changed 0, removed 0; hashed 0 files (0 B)
        [exit 0]
        [asked] /ep.mp3, range: bytes=0-, if-none-match: "e22884956327c0c2"
    "#]]
    .assert_eq(&story(&web, &lock()));
    fs::write(house.root().join("kept/ep1.mp3"), mp3(2, 300 * KIB)).expect("written");
    expect![[r#"
        [stderr]
        error: kept/ep1.mp3: is there already, with other bytes
          help: move it away, and it is downloaded again
        [exit 1]
        [asked] /ep.mp3, range: bytes=0-, if-none-match: "e22884956327c0c2"
    "#]]
    .assert_eq(&story(&web, &lock()));
    assert_eq!(files(&house.root().join("kept")).len(), 1);
}

#[test]
fn a_download_that_is_kept_in_the_output_is_seeded_from_there() {
    let (web, bytes) = (Web::new(), mp3(1, 300 * KIB));
    let house = far_away(&web, &bytes);
    house.build().ok();
    house.run(&["lock", "--keep", "public/media"]).ok();
    house.build().ok();
    assert!(fs::read(house.public().join("media/ep1.mp3")).expect("it stays") == bytes);
    let server = house.serve_site();
    assert_eq!(server.greeted("seeding"), "1 of 1 torrents");
}

#[test]
fn bytes_that_changed_are_told_and_taken_when_that_is_meant() {
    let (web, bytes) = (Web::new(), mp3(1, 300 * KIB));
    let house = far_away(&web, &bytes);
    house.run(&["lock"]).ok();
    web.asked();
    let before = files(&house.root());
    web.put("ep.mp3", File::of(&mp3(2, 200 * KIB)));
    expect![[r#"
        [stderr]
        error: content/ep1.md: the torrent of `ep1` would become another one: its info-hash is 595106d60bdf8c77835942a2efe25ad018af1d63, and was 8b20703ba176a5c36333014d151e3772c7064861 when it was published (204800 bytes, and was 307200)
          help: what is published under a name stays as it is: give the new one another slug, take the setting back, or say that it is meant with --accept-changed
        [exit 2]
        [asked] /ep.mp3, range: bytes=0-, if-none-match: "e22884956327c0c2"
    "#]].assert_eq(&story(&web, &house.run(&["lock"])));
    let but_memory = |mut files: std::collections::BTreeMap<String, Vec<u8>>| {
        files.retain(|name, _| !name.starts_with(".everseed/"));
        files
    };
    assert!(but_memory(files(&house.root())) == but_memory(before));
    // What was downloaded to find that out is not downloaded again.
    expect![[r#"
        [stdout]
        everseed.lock: 1 record; added 0, changed 1, removed 0; hashed 0 files (0 B)
        [exit 0]
        [asked] /ep.mp3, range: bytes=0-, if-none-match: "e22884956327c0c2"
    "#]]
    .assert_eq(&story(&web, &house.run(&["lock", "--accept-changed"])));
    expect![[r#"
        [stdout]
        everseed.lock: 1 record; added 0, changed 0, removed 0; hashed 0 files (0 B)
        [exit 0]
        [asked] /ep.mp3, range: bytes=0-, if-none-match: "d5af578ce93e76c0"
    "#]]
    .assert_eq(&story(&web, &house.run(&["lock"])));
}

#[test]
fn what_is_wrong_with_a_server_is_told_with_page_and_url() {
    let (web, bytes) = (Web::new(), mp3(1, 100 * KIB));
    let house = far_away(&web, &bytes).page("ep1.md", &episode("One", "2026-05-01", &web.url("gone.mp3")));
    expect![[r#"
        [stderr]
        error: content/ep1.md: http://127.0.0.1:PORT/gone.mp3: answered 404 Not Found
          help: correct the URL where it is written: the file is not there
        [exit 1]
        [asked] /gone.mp3, range: bytes=0-
    "#]]
    .assert_eq(&story(&web, &house.run(&["lock"])));
    expect![[r#"
        [stderr]
        error: content/ep1.md: http://127.0.0.1:PORT/gone.mp3: answered 404 Not Found
          help: correct the URL where it is written: the file is not there
        [exit 1]
        [asked] /gone.mp3, range: bytes=0-
    "#]]
    .assert_eq(&story(&web, &house.build()));
    web.put("gone.mp3", File { bytes: Vec::new(), ..File::of(b"") });
    expect![[r#"
        [stderr]
        error: content/ep1.md: http://127.0.0.1:PORT/gone.mp3: is empty (0 bytes)
          help: put the whole file there
        [exit 1]
        [asked] /gone.mp3
        [asked] /gone.mp3, range: bytes=0-
    "#]]
    .assert_eq(&story(&web, &house.run(&["lock"])));
    nothing_is_written(&house);
    web.put("gone.mp3", File { whole_only: true, ..File::of(&bytes) });
    expect![[r#"
        [stdout]
        everseed.lock: 1 record; added 1, changed 0, removed 0; hashed 1 file (102.4 kB)
        [stderr]
        warning: content/ep1.md: http://127.0.0.1:PORT/gone.mp3: its server does not answer ranges of bytes: podcast apps can't seek in it, and torrent clients can't use it as a web seed
        [exit 0]
        [asked] /gone.mp3, range: bytes=0-
    "#]].assert_eq(&story(&web, &house.run(&["lock"])));
    // It is a fault of the feed as long as it lasts.
    expect![[r#"
        [stdout]
        ./public: 3 pages, 1 torrent; hashed 0 files (0 B), wrote 13, removed 0, left 0 as they were
        [stderr]
        warning: content/ep1.md: http://127.0.0.1:PORT/gone.mp3: its server does not answer ranges of bytes: podcast apps can't seek in it, and torrent clients can't use it as a web seed
        [exit 0]
    "#]].assert_eq(&story(&web, &house.run(&["build", "--locked"])));
    web.change("gone.mp3", |file| (file.cuts, file.etag) = (vec![5000], None));
    expect![[r#"
        [stderr]
        error: content/ep1.md: http://127.0.0.1:PORT/gone.mp3: the connection broke at byte 5000 of 102400 (end of file before message length reached), and the server sends files from their start only
          help: try again; a server that answers Range with 206 could go on
        [exit 1]
        [asked] /gone.mp3, range: bytes=0-, if-none-match: "1bdd01853f28a78e"
    "#]].assert_eq(&story(&web, &house.run(&["lock"])));
    for (value, line) in [("http://me:secret@example.org/a.mp3", 4), ("ftp://example.org/a.mp3", 4)] {
        let house = House::new().page("ep1.md", &episode("One", "2026-05-01", value));
        let run = house.run(&["lock"]);
        assert_eq!(run.code, Some(3));
        assert!(run.stderr.contains(&format!("content/ep1.md:{line}: `media` {value:?} is no URL")), "{}", run.stderr);
    }
}

#[test]
fn a_server_that_is_gone_stops_the_lock_and_no_build() {
    let (web, bytes) = (Web::new(), mp3(1, 100 * KIB));
    let house = far_away(&web, &bytes);
    house.build().ok();
    let (before, url) = (files(&house.public()), web.url(""));
    drop(web);
    let run = house.run(&["lock"]);
    assert_eq!(run.code, Some(1));
    let said = run.stderr.replace(&url, "http://127.0.0.1:PORT/");
    expect![[r#"
        error: content/ep1.md: http://127.0.0.1:PORT/ep.mp3: Connection refused (os error 111)
          help: correct the host in the URL, or try again when it is reachable
    "#]]
    .assert_eq(&said);
    house.build().ok();
    assert!(files(&house.public()) == before);
    fs::remove_dir_all(house.root().join(".everseed")).expect("removed");
    fs::remove_dir_all(house.public()).expect("removed");
    house.run(&["build", "--locked"]).ok();
    assert!(files(&house.public()) == before);
    house.build().ok();
    assert!(files(&house.public()) == before);
}

#[test]
fn what_was_downloaded_before_a_lock_is_killed_is_not_downloaded_again() {
    let web = Web::new();
    web.put("one.mp3", File::of(&mp3(1, 300 * KIB)));
    web.put("two.mp3", File { held_after: Some(100 * KIB), ..File::of(&mp3(2, 300 * KIB)) });
    let house = House::new()
        .page("ep1.md", &episode("One", "2026-05-01", &web.url("one.mp3")))
        .page("ep2.md", &episode("Two", "2026-05-02", &web.url("two.mp3")))
        .described();
    let mut command = everseed();
    command.arg("lock").current_dir(house.root()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    until("the first one is written down", || house.root().join(".everseed/hashes").exists() && web.asked_count() == 2);
    child.kill().expect("killed");
    child.wait().expect("its status");
    nothing_is_written(&house);
    web.go_on();
    web.asked();
    expect![[r#"
        [stdout]
        everseed.lock: 2 records; added 2, changed 0, removed 0; hashed 1 file (307.2 kB)
        [exit 0]
        [asked] /one.mp3, range: bytes=0-, if-none-match: "e22884956327c0c2"
        [asked] /two.mp3, range: bytes=0-
    "#]]
    .assert_eq(&story(&web, &house.run(&["lock"])));
}

#[test]
fn verifying_downloads_every_medium_again() {
    let (web, bytes) = (Web::new(), mp3(1, 300 * KIB));
    let house = far_away(&web, &bytes).page("ep2.md", &episode("Two", "2026-05-02", "ep2.mp3")).media("ep2.mp3", KIB);
    house.run(&["lock"]).ok();
    web.asked();
    let lock = lock_of(&house);
    expect![[r#"
        [stdout]
        everseed.lock: 2 releases, all as it says
        [exit 0]
        [asked] /ep.mp3, range: bytes=0-
    "#]]
    .assert_eq(&story(&web, &house.run(&["lock", "--verify"])));
    // With the ETag of the former bytes.
    web.change("ep.mp3", |file| file.bytes[1000] ^= 1);
    expect![[r#"
        [stdout]
        content/ep1.md: the medium of `ep1`: its info-hash is 3db5a1af02fa555a66321149ff5b10c529960689, and was 8b20703ba176a5c36333014d151e3772c7064861 when it was published
        everseed.lock: 2 releases, 1 finding
        [exit 2]
        [asked] /ep.mp3, range: bytes=0-
    "#]].assert_eq(&story(&web, &house.run(&["lock", "--verify"])));
    web.put("ep.mp3", File::redirect(302, "nowhere.mp3"));
    expect![[r#"
        [stdout]
        content/ep1.md: http://127.0.0.1:PORT/ep.mp3 (redirected to http://127.0.0.1:PORT/nowhere.mp3): answered 404 Not Found
          help: correct the URL where it is written: the file is not there
        everseed.lock: 2 releases, 1 finding
        [exit 2]
        [asked] /ep.mp3, range: bytes=0-
        [asked] /nowhere.mp3, range: bytes=0-
    "#]].assert_eq(&story(&web, &house.run(&["lock", "--verify"])));
    assert_eq!(lock_of(&house), lock);
}

#[test]
fn a_preview_serves_what_is_elsewhere_and_leaves_the_lock() {
    let (web, bytes) = (Web::new(), mp3(1, 100 * KIB));
    let house = far_away(&web, &bytes);
    let server = house.serve();
    let swarms: serde_json::Value = serde_json::from_slice(&server.get("/api/swarms.json").body).expect("JSON");
    assert_eq!(swarms["torrents"][0]["health"], "elsewhere", "{swarms}");
    nothing_is_written(&house);
    drop(server);
    house.run(&["lock"]).ok();
    let guid = "an-identity-of-old";
    let locked = lock_of(&house);
    let locked = locked.replace(&line(&locked, "guid"), &format!("guid = \"{guid}\""));
    let house = house.write("everseed.lock", locked.as_bytes());
    web.asked();
    let server = house.serve();
    assert!(server.get("/feed.xml").text().contains(&format!(">{guid}</guid>")));
    assert_eq!(lock_of(&house), locked);
    assert_eq!(web.asked(), [""; 0]);
}
