//! A medium is replaced, or its episode goes, while people are downloading it: the torrent that they have is seeded for a while longer.

mod house;

use std::fs;
use std::path::Path;

use everseed::manifest::Manifest;
use everseed::metainfo::{self, Torrent};
use expect_test::expect;
use house::attach::{Attached, BASE, episodes, rss};
use house::{House, KIB, Run, episode, everseed, files, mp3};

/// The first of June 2026 at noon, in seconds since 1970.
const JUNE: u64 = 1_780_315_200;
const DAY: u64 = 24 * 3600;

/// A show with two episodes and no remark.
fn show() -> House {
    House::new()
        .described()
        .page("ep1.md", &episode("One", "2026-05-01", "ep1.mp3"))
        .media("ep1.mp3", 300 * KIB)
        .page("ep2.md", &episode("Two", "2026-05-08", "ep2.mp3"))
        .media("ep2.mp3", 200 * KIB)
}

/// Moves another file into the place of a medium.
fn replace(house: &House, name: &str, bytes: &[u8]) {
    let path = house.root().join("content").join(name);
    let new = path.with_extension("new");
    fs::write(&new, bytes).and_then(|()| fs::rename(new, path)).expect("moved there");
}

/// Builds on a day of June 2026 and later.
fn build(house: &House, day: u64, args: &[&str]) -> Run {
    let now = (JUNE + (day - 1) * DAY).to_string();
    let mut command = everseed();
    command.arg("build").args(args).env("SOURCE_DATE_EPOCH", now).current_dir(house.root());
    Run::of(&mut command, house.root().parent().expect("a folder"))
}

fn torrent(path: &Path) -> Torrent {
    metainfo::parse(fs::read(path).expect("there")).expect("a torrent")
}

/// The titles of the manifest's torrents; those that are retired with the day of that.
fn listed(house: &House) -> Vec<String> {
    let json = fs::read(house.public().join("everseed.json")).expect("there");
    let torrents = Manifest::parse(&json).expect("a manifest").torrents;
    let day = |moment: String| moment[..10].to_owned();
    torrents
        .into_iter()
        .map(|entry| {
            entry.title + &entry.retired.map(|moment| format!(", retired {}", day(moment))).unwrap_or_default()
        })
        .collect()
}

#[test]
fn what_was_published_is_kept_for_its_days_and_the_build_says_so() {
    let house = show();
    let mut told = String::new();
    let mut tell = |what: &str, run: Run| told.extend([what, "\n", &run.whole(), "\n"]);
    tell("published", build(&house, 1, &[]));
    replace(&house, "ep1.mp3", &mp3(1, 100 * KIB));
    tell("replaced by mistake", build(&house, 2, &[]));
    tell("replaced", build(&house, 2, &["--accept-changed"]));
    fs::remove_file(house.root().join("content/ep2.md")).expect("removed");
    tell("one gone", build(&house, 9, &[]));
    let json: serde_json::Value = serde_json::from_str(&build(&house, 9, &["--json"]).ok().stdout).expect("JSON");
    tell("a month later", build(&house, 32, &[]));
    tell("and a week", build(&house, 39, &[]));
    expect![[r#"
        published
        [stdout]
        ./public: 4 pages, 2 torrents; hashed 2 files (512.0 kB), wrote 17, removed 0, left 0 as they were
        [exit 0]

        replaced by mistake
        [stderr]
        error: content/ep1.md: the torrent of `ep1` would become another one: its info-hash is cd69c59ce67e91112726a3a650bf347fa4757664, and was e40f9fc054874c25db1463d1115da237f938ec48 when it was published (102400 bytes, and was 307200)
          help: what is published under a name stays as it is: give the new one another slug, take the setting back, or say that it is meant with --accept-changed
        [exit 2]

        replaced
        [stdout]
        ./public: 4 pages, 2 torrents; hashed 0 files (0 B), wrote 9, removed 0, left 10 as they were
        ./public: 1 torrent retired, seeded until 2026-07-02
        [exit 0]

        one gone
        [stdout]
        ./public: 3 pages, 1 torrent; hashed 0 files (0 B), wrote 8, removed 3, left 10 as they were
        ./public: 2 torrents retired, seeded until 2026-07-02, the last until 2026-07-09
        [exit 0]

        a month later
        [stdout]
        ./public: 3 pages, 1 torrent; hashed 0 files (0 B), wrote 1, removed 2, left 15 as they were
        ./public: 1 torrent retired, seeded until 2026-07-09
        [exit 0]

        and a week
        [stdout]
        ./public: 3 pages, 1 torrent; hashed 0 files (0 B), wrote 1, removed 2, left 13 as they were
        [exit 0]

    "#]].assert_eq(&told);
    expect![[r#"
        [
          {
            "bytes": 204800,
            "info_hash": "9a966d11062aef8abea0d18483327a7596a36c59",
            "retired": "2026-06-09T12:00:00Z",
            "title": "Two",
            "until": "2026-07-09T12:00:00Z"
          },
          {
            "bytes": 307200,
            "info_hash": "e40f9fc054874c25db1463d1115da237f938ec48",
            "retired": "2026-06-02T12:00:00Z",
            "title": "One",
            "until": "2026-07-02T12:00:00Z"
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&json["retired"]).expect("JSON"));
    assert!(!house.root().join("retired").exists());
    assert!(!files(&house.public()).keys().any(|path| path.starts_with("retired/")));
}

#[test]
fn so_much_is_kept_and_so_long_as_the_configuration_says() {
    let house = show();
    let toml = fs::read_to_string(house.root().join("everseed.toml")).expect("a configuration");
    let with = |house: House, lines: &str| house.toml(&format!("{toml}[torrent]\n{lines}"));
    let house = with(house, "retired_max = \"400 kB\"\nretired_days = 3\n");
    build(&house, 1, &[]).ok();
    replace(&house, "ep1.mp3", &mp3(1, 100 * KIB));
    build(&house, 2, &["--accept-changed"]).ok();
    assert_eq!(listed(&house), ["Two", "One", "One, retired 2026-06-02"]);
    replace(&house, "ep2.mp3", &mp3(2, 100 * KIB));
    let told = build(&house, 3, &["--accept-changed"]).ok();
    expect![[r#"
        [stdout]
        ./public: 4 pages, 2 torrents; hashed 1 file (102.4 kB), wrote 9, removed 2, left 10 as they were
        ./public: 1 torrent retired, seeded until 2026-06-06
        [stderr]
        warning: retired: has no room for what is not published any more: "One"
          help: give it more than 400.0 kB with `retired_max` in [torrent]
        [exit 0]
    "#]]
    .assert_eq(&told.whole());
    assert_eq!(listed(&house), ["Two", "One", "Two, retired 2026-06-03"]);
    build(&house, 6, &[]).ok();
    assert_eq!(listed(&house), ["Two", "One"]);
    let house = with(house, "retired_days = 0\n");
    replace(&house, "ep1.mp3", &mp3(3, 100 * KIB));
    let told = build(&house, 7, &["--accept-changed"]).ok();
    assert_eq!((listed(&house), &*told.stderr), (vec!["Two".to_owned(), "One".to_owned()], ""));
}

#[test]
fn a_torrent_is_taken_back_at_once_by_removing_its_folder() {
    let house = show();
    build(&house, 1, &[]).ok();
    fs::remove_file(house.root().join("content/ep2.md")).expect("removed");
    build(&house, 2, &[]).ok();
    let shelf = house.root().join("retired");
    let folder = fs::read_dir(&shelf).expect("a folder").next().expect("a torrent").expect("a name").path();
    let record = fs::read_to_string(folder.join("retired.toml")).expect("a record");
    // Times of change are those of this run.
    let record: Vec<_> = record.lines().filter(|line| !line.starts_with("mtime_ns")).collect();
    expect![[r##"
        # Made by everseed: a torrent that the site does not publish any more. It is seeded for a while longer, see `retired_days`.
        # To stop that at once, remove this folder and build again.
        version = 1
        retired = "2026-06-02T12:00:00Z"
        title = "Two"
        page = "https://show.example.org/episodes/ep2/"
        published = "2026-05-08"

        [[files]]
        path = "ep2.mp3"
        bytes = 204800"##]].assert_eq(&record.join("\n"));
    fs::remove_dir_all(folder).expect("removed");
    build(&house, 3, &[]).ok();
    assert_eq!(listed(&house), ["One"]);
}

#[test]
fn the_lock_and_builds_from_it_know_nothing_of_what_is_retired() {
    let house = show();
    build(&house, 1, &[]).ok();
    replace(&house, "ep1.mp3", &mp3(1, 100 * KIB));
    // The lock first, as who keeps it in version control does.
    house.run(&["lock", "--accept-changed"]).ok();
    build(&house, 2, &[]).ok();
    assert_eq!(listed(&house), ["Two", "One", "One, retired 2026-06-02"]);
    house.run(&["lock", "--verify"]).ok();
    let lock = fs::read_to_string(house.root().join("everseed.lock")).expect("a lock");
    assert_eq!(lock.matches("info_hash").count(), 2);
    let before = files(&house.public());
    build(&house, 3, &["--locked"]).ok();
    assert!(files(&house.public()) == before);
}

#[test]
fn a_medium_that_was_written_over_is_lost_and_the_build_says_so() {
    let house = show();
    build(&house, 1, &[]).ok();
    let (published, content) = (house.public().join("media/ep1.mp3"), house.root().join("content/ep1.mp3"));
    // As where the file system has no reflinks.
    fs::remove_file(&published).and_then(|()| fs::hard_link(&content, &published)).expect("linked");
    fs::write(content, mp3(1, 300 * KIB)).expect("written over");
    let run = build(&house, 2, &["--accept-changed"]).ok();
    expect![[r#"
        warning: "One" is not published any more, and can't be seeded any longer: media/ep1.mp3 has other bytes now
          help: move a new file into the place of a medium (`mv`) rather than writing into the one that is there: then peers can finish what they began
    "#]].assert_eq(&run.stderr);
    assert_eq!(listed(&house), ["Two", "One"]);
}

#[test]
fn where_nothing_can_be_kept_the_site_is_built_all_the_same() {
    let house = show().write("retired", b"a file");
    build(&house, 1, &[]).ok();
    replace(&house, "ep1.mp3", &mp3(1, 100 * KIB));
    let run = build(&house, 2, &["--accept-changed"]).ok();
    expect![[r#"
        [stdout]
        ./public: 4 pages, 2 torrents; hashed 1 file (102.4 kB), wrote 7, removed 0, left 10 as they were
        [stderr]
        warning: retired: can't be written: File exists (os error 17); what is not published any more is not seeded any longer
          help: make it a folder that the user who builds can write, or say `retired_days = 0` in [torrent]
        [exit 0]
    "#]].assert_eq(&run.whole());
    assert_eq!(fs::read(house.root().join("retired")).expect("it stays"), b"a file");
}

#[test]
fn no_site_is_built_where_torrents_are_kept() {
    let house = show();
    let run = build(&house, 1, &["--output", "retired/site"]);
    expect![[r#"
        [stderr]
        error: retired/site: is inside the site's folder retired, which holds what is not published any more
          help: name a folder that holds nothing else: public
        [exit 3]
    "#]]
    .assert_eq(&run.whole());
}

#[test]
fn an_episode_that_a_generators_feed_drops_is_seeded_for_as_long() {
    let site = Attached::show();
    let attach = |day: u64| {
        let now = (JUNE + (day - 1) * DAY).to_string();
        site.run_with(&["attach", "--base-url", BASE], &[("SOURCE_DATE_EPOCH", &now)])
    };
    attach(1).ok();
    fs::write(site.public().join("feed.xml"), rss(&episodes()[..1])).expect("written");
    let told = [attach(2), attach(3), attach(32), attach(33)].map(|run| run.whole()).join("\n");
    expect![[r#"
        [stdout]
        public: 1 feed, 1 torrent; hashed 0 files (0 B), wrote 5, removed 1, left 1 as they were, 1 finding
        public: 1 torrent retired, seeded until 2026-07-02
        [stderr]
        warning: public/torrents/ep1.torrent: is retired: no feed has an enclosure for "One" any more
          help: let the feed name all episodes, if its torrent is to stay
        [exit 0]

        [stdout]
        public: 1 feed, 1 torrent; hashed 0 files (0 B), wrote 0, removed 0, left 6 as they were
        public: 1 torrent retired, seeded until 2026-07-02
        [exit 0]

        [stdout]
        public: 1 feed, 1 torrent; hashed 0 files (0 B), wrote 1, removed 2, left 3 as they were
        [exit 0]

        [stdout]
        public: 1 feed, 1 torrent; hashed 0 files (0 B), wrote 0, removed 0, left 4 as they were
        [exit 0]
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_new_show_keeps_it_out_of_version_control() {
    let house = House::new();
    house.run(&["init", "new"]).ok();
    let ignored = fs::read_to_string(house.root().join("new/.gitignore")).expect("a file");
    assert_eq!(ignored, "/public/\n/.everseed/\n/retired/\n");
    assert_eq!(include_str!("../site-example/.gitignore"), ignored);
}

#[cfg(feature = "serve")]
mod served {
    use std::sync::Arc;

    use super::*;
    use house::{PATIENCE, Server, until};
    use librqbit::{AddTorrent, AddTorrentOptions, Session, SessionOptions};

    /// Downloads `torrent` from the server's seed alone, with a client that is not ours.
    async fn download(server: &Server, torrent: &Torrent, folder: &Path) {
        let options = SessionOptions {
            dht: None,
            disable_trackers: true,
            disable_local_service_discovery: true,
            persistence: None,
            listen: None,
            ..SessionOptions::default()
        };
        let session: Arc<Session> = Session::new_with_opts(folder.to_owned(), options).await.expect("a session");
        let options = AddTorrentOptions {
            initial_peers: Some(vec![server.peers()]),
            disable_trackers: true,
            overwrite: true,
            ..AddTorrentOptions::default()
        };
        let whole = async {
            let bare = metainfo::encode(&metainfo::Draft { web_seeds: Vec::new(), ..torrent.metainfo.clone() });
            let bytes = AddTorrent::from_bytes(bare.bytes().to_vec());
            let added = session.add_torrent(bytes, Some(options)).await.expect("added");
            added.into_handle().expect("a torrent").wait_until_completed().await.expect("completed");
        };
        tokio::time::timeout(PATIENCE, whole).await.expect("in time");
        session.stop().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_torrent_that_is_replaced_while_it_is_served_completes_for_those_who_have_it() {
        let house = show();
        build(&house, 1, &[]).ok();
        let server = house.serve_site();
        let former = torrent(&house.public().join("torrents/ep1.torrent"));
        let bytes = fs::read(house.root().join("content/ep1.mp3")).expect("a medium");
        replace(&house, "ep1.mp3", &mp3(1, 100 * KIB));
        build(&house, 2, &["--accept-changed"]).ok();
        let hash = former.info_hashes.main().to_string();
        let row = || {
            let answer: serde_json::Value = serde_json::from_str(&server.get("/api/swarms.json").text()).expect("JSON");
            let rows = answer["torrents"].as_array().expect("a list").clone();
            rows.into_iter().find(|row| row["info_hash"] == hash.as_str()).expect("it is tracked all the while")
        };
        until("the server knows that it is retired", || row()["retired"] == "2026-06-02T12:00:00Z");
        until("its bytes are verified", || row()["health"] == "verified");
        assert_eq!(row()["page"], "episodes/ep1/");

        let folder = house.beside("got");
        download(&server, &former, &folder).await;
        assert!(fs::read(folder.join("ep1.mp3")).expect("downloaded") == bytes);
        // Who has the link from the page finds the other one, and who asks for the retired one its new web seed.
        let answer = server.get(&format!("/retired/{hash}.torrent"));
        let dressed = metainfo::parse(answer.body).expect("a torrent");
        assert_eq!(dressed.info_hashes, former.info_hashes);
        let path = dressed.metainfo.web_seeds[0].trim_start_matches("https://show.example.org").to_owned();
        assert!(server.get(&path).body == bytes);
        assert_ne!(torrent(&house.public().join("torrents/ep1.torrent")).info_hashes, former.info_hashes);

        // When its time is over it is neither tracked nor seeded.
        build(&house, 40, &[]).ok();
        until("it is gone", || !server.get("/api/swarms.json").text().contains(&hash));
        assert_eq!(server.get(&path).status, 404);
    }

    #[test]
    fn a_preview_keeps_nothing() {
        let house = show();
        build(&house, 1, &[]).ok();
        drop(house.serve());
        replace(&house, "ep1.mp3", &mp3(1, 100 * KIB));
        let server = house.serve();
        assert!(!server.get("/everseed.json").text().contains("retired"));
        assert!(!house.root().join("retired").exists());
        drop(server);
        build(&house, 2, &["--accept-changed"]).ok();
        assert_eq!(listed(&house), ["Two", "One", "One, retired 2026-06-02"]);
    }
}
