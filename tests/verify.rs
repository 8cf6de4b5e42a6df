//! `everseed verify`: all files of a site's torrents against their hashes, from the command line.
#![cfg(feature = "serve")]

mod house;

use std::fs;
use std::path::PathBuf;

use expect_test::expect;
use house::{House, KIB, Run, episode, mp3, until};

/// Two episodes and a set of files, built as torrents of `kind`.
fn show(kind: &str) -> House {
    let house = House::furnished();
    house.run(&["build", "--kind", kind]).ok();
    house
}

fn published(house: &House, name: &str) -> PathBuf {
    house.public().join("media").join(name)
}

/// Puts other bytes into the place of a file; the episode's own may be the same one under another name.
fn put(house: &House, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let path = published(house, name);
    let mut bytes = fs::read(&path).expect("a file");
    change(&mut bytes);
    fs::remove_file(&path).and_then(|()| fs::write(&path, bytes)).expect("written");
}

fn verify(house: &House, args: &[&str]) -> Run {
    house.run(&[&["verify"], args].concat())
}

/// The same with the folders of a server that serves `public/`.
fn verify_served(house: &House, args: &[&str]) -> Run {
    let data = house.beside("data").display().to_string();
    verify(house, &[&["public", "--data", &data], args].concat())
}

#[test]
fn each_torrent_that_is_not_whole_gets_a_line_in_every_kind() {
    let mut told = String::new();
    for kind in ["v1", "hybrid", "v2"] {
        let house = show(kind);
        let mut tell = |what: &str| told.extend([kind, ", ", what, "\n", &verify(&house, &["--all"]).whole(), "\n"]);
        tell("whole");
        put(&house, "ep1.mp3", |bytes| bytes[70_000] ^= 1);
        tell("a byte");
        put(&house, "ep2.mp3", |bytes| bytes.truncate(1000));
        put(&house, "set/sub/b.bin", |bytes| bytes[0] ^= 1);
        tell("and more");
        fs::remove_file(published(&house, "ep1.mp3")).expect("removed");
        fs::remove_file(published(&house, "set/a.bin")).expect("removed");
        tell("and some are gone");
    }
    expect![[r#"
        v1, whole
        [stdout]
        3 torrents, all of them whole; read 1.5 MB
        [exit 0]

        v1, a byte
        [stdout]
        torrents/ep1.torrent: media/ep1.mp3 has 1 bad of 10 pieces: 2
        3 torrents, 1 damaged; read 1.5 MB
        [exit 2]

        v1, and more
        [stdout]
        torrents/set.torrent: media/set/a.bin has 1 bad of 7 pieces: 6; media/set/sub/b.bin has 1 bad of 4 pieces: 6
        torrents/ep2.torrent: media/ep2.mp3 has 1000 bytes, not 1048593
        torrents/ep1.torrent: media/ep1.mp3 has 1 bad of 10 pieces: 2
        3 torrents, 3 damaged; read 460.8 kB
        [exit 2]

        v1, and some are gone
        [stdout]
        torrents/set.torrent: media/set/a.bin is missing
        torrents/ep2.torrent: media/ep2.mp3 has 1000 bytes, not 1048593
        torrents/ep1.torrent: media/ep1.mp3 is missing
        3 torrents, 3 damaged; read 51.2 kB
        [exit 2]

        hybrid, whole
        [stdout]
        3 torrents, all of them whole; read 1.5 MB
        [exit 0]

        hybrid, a byte
        [stdout]
        torrents/ep1.torrent: media/ep1.mp3 has 1 bad of 10 pieces: 2
        3 torrents, 1 damaged; read 1.5 MB
        [exit 2]

        hybrid, and more
        [stdout]
        torrents/set.torrent: media/set/sub/b.bin has 1 bad of 4 pieces: 7
        torrents/ep2.torrent: media/ep2.mp3 has 1000 bytes, not 1048593
        torrents/ep1.torrent: media/ep1.mp3 has 1 bad of 10 pieces: 2
        3 torrents, 3 damaged; read 460.8 kB
        [exit 2]

        hybrid, and some are gone
        [stdout]
        torrents/set.torrent: media/set/a.bin is missing; media/set/sub/b.bin has 1 bad of 4 pieces: 7
        torrents/ep2.torrent: media/ep2.mp3 has 1000 bytes, not 1048593
        torrents/ep1.torrent: media/ep1.mp3 is missing
        3 torrents, 3 damaged; read 51.2 kB
        [exit 2]

        v2, whole
        [stdout]
        3 torrents, all of them whole; read 1.5 MB
        [exit 0]

        v2, a byte
        [stdout]
        torrents/ep1.torrent: media/ep1.mp3 has 1 bad of 10 pieces: 2
        3 torrents, 1 damaged; read 1.5 MB
        [exit 2]

        v2, and more
        [stdout]
        torrents/set.torrent: media/set/sub/b.bin has 1 bad of 4 pieces: 7
        torrents/ep2.torrent: media/ep2.mp3 has 1000 bytes, not 1048593
        torrents/ep1.torrent: media/ep1.mp3 has 1 bad of 10 pieces: 2
        3 torrents, 3 damaged; read 460.8 kB
        [exit 2]

        v2, and some are gone
        [stdout]
        torrents/set.torrent: media/set/a.bin is missing; media/set/sub/b.bin has 1 bad of 4 pieces: 7
        torrents/ep2.torrent: media/ep2.mp3 has 1000 bytes, not 1048593
        torrents/ep1.torrent: media/ep1.mp3 is missing
        3 torrents, 3 damaged; read 51.2 kB
        [exit 2]

    "#]]
    .assert_eq(&told);
}

#[test]
fn a_retired_torrent_is_read_as_every_other() {
    let house =
        House::new().described().page("ep1.md", &episode("One", "2026-05-01", "ep1.mp3")).media("ep1.mp3", 100 * KIB);
    house.build().ok();
    let path = house.root().join("content/ep1.mp3");
    fs::write(path.with_extension("new"), mp3(1, 50 * KIB)).expect("written");
    fs::rename(path.with_extension("new"), &path).expect("moved there");
    house.run(&["build", "--accept-changed"]).ok();
    let whole = verify(&house, &["--all"]).whole();
    let retired = house::files(&house.public())
        .into_keys()
        .find(|name| name.starts_with("retired/") && !name.ends_with(".torrent"));
    fs::remove_file(house.public().join(retired.expect("a retired file"))).expect("removed");
    expect![[r#"
        [stdout]
        2 torrents, all of them whole; read 153.6 kB
        [exit 0]
        [stdout]
        retired/ab58e93543b470d2a4855b953f8224ef6cdee24e.torrent: retired; retired/ab58e93543b470d2a4855b953f8224ef6cdee24e/ep1.mp3 is missing
        2 torrents, 1 damaged; read 51.2 kB
        [exit 2]
    "#]].assert_eq(&(whole + &verify(&house, &["--all"]).whole()));
}

#[test]
fn json_names_what_text_does() {
    let house = show("v1");
    put(&house, "ep1.mp3", |bytes| bytes.iter_mut().for_each(|byte| *byte ^= 1));
    put(&house, "ep2.mp3", |bytes| bytes.truncate(1000));
    fs::remove_file(published(&house, "set/sub/b.bin")).expect("removed");
    let run = verify(&house, &["--json"]);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let pretty = serde_json::to_string_pretty(&json).expect("JSON");
    let site = house.public().parent().expect("below one").parent().expect("a folder").display().to_string();
    assert_eq!((run.code, run.stdout.lines().count()), (Some(2), 1), "{run:?}");
    expect![[r#"
        {
          "damaged": [
            {
              "files": [
                {
                  "fault": "missing",
                  "path": "media/set/sub/b.bin"
                }
              ],
              "info_hash": "d4849d3470f79061dae2e2e8b0cd94c079a62437",
              "more_files": 0,
              "retired": false,
              "site": "DIR/show/public",
              "title": "A set",
              "torrent": "torrents/set.torrent"
            },
            {
              "files": [
                {
                  "bytes": 1000,
                  "expected_bytes": 1048593,
                  "fault": "size",
                  "path": "media/ep2.mp3"
                }
              ],
              "info_hash": "a1fa75228a293c219553145aaf24d58d3cc6922b",
              "more_files": 0,
              "retired": false,
              "site": "DIR/show/public",
              "title": "Two",
              "torrent": "torrents/ep2.torrent"
            },
            {
              "files": [
                {
                  "bad_pieces": 10,
                  "fault": "pieces",
                  "of_pieces": 10,
                  "path": "media/ep1.mp3",
                  "pieces": [
                    0,
                    1,
                    2,
                    3,
                    4,
                    5,
                    6,
                    7,
                    8,
                    9
                  ]
                }
              ],
              "info_hash": "e40f9fc054874c25db1463d1115da237f938ec48",
              "more_files": 0,
              "retired": false,
              "site": "DIR/show/public",
              "title": "One",
              "torrent": "torrents/ep1.torrent"
            }
          ],
          "files_elsewhere": 0,
          "read_bytes": 409601,
          "remembered": 0,
          "torrents": 3
        }"#]]
    .assert_eq(&pretty.replace(&site, "DIR"));
}

/// A server has read the files, and remembers them. What it remembers is nothing to `--all`.
#[test]
fn files_that_look_as_a_server_remembers_them_are_read_where_that_is_asked_for() {
    let house = show("v1");
    let server = house.serve_site();
    let rows = || server.get("/api/swarms.json").text().matches("\"health\":\"verified\"").count();
    until("all is verified", || rows() == 3);
    assert!(server.stop().0.success());
    // Another one has the database open.
    let server = house.serve_site();
    let mut told = verify_served(&house, &[]).whole() + &verify_served(&house, &["--all"]).whole();
    assert!(server.stop().0.success());
    put(&house, "ep1.mp3", |bytes| bytes[5] ^= 1);
    told += &verify_served(&house, &[]).whole();
    // A database that says nothing leaves everything to be read.
    for entry in fs::read_dir(house.beside("data")).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_file() {
            fs::write(path, "no database").expect("written");
        }
    }
    told += &verify_served(&house, &[]).whole();
    expect![[r#"
        [stdout]
        3 torrents, none of them damaged; read 0 B; not read: 3 torrents with files as the server last found them right (--all reads them)
        [exit 0]
        [stdout]
        3 torrents, all of them whole; read 1.5 MB
        [exit 0]
        [stdout]
        torrents/ep1.torrent: media/ep1.mp3 has 1 bad of 10 pieces: 0
        3 torrents, 1 damaged; read 307.2 kB; not read: 2 torrents with files as the server last found them right (--all reads them)
        [exit 2]
        [stdout]
        torrents/ep1.torrent: media/ep1.mp3 has 1 bad of 10 pieces: 0
        3 torrents, 1 damaged; read 1.5 MB
        [stderr]
        warning: DIR/data/everseed.sqlite3: the database cannot be read: file is not a database
          help: see that the disk has room and the file can be written; everseed goes on and tries again
        [exit 2]
    "#]].assert_eq(&told);
}

#[test]
fn a_site_that_cannot_be_read_is_told_as_wrong_usage() {
    let house = show("v1");
    let empty = house.beside("empty");
    fs::create_dir(&empty).expect("made");
    let cases = [empty.display().to_string(), house.beside("nowhere").display().to_string(), "--frob".into()];
    let mut told = cases.map(|arg| verify(&house, &[&arg]).whole()).concat();
    // The folder of the show is as good as that of its site.
    told += &verify(&house, &[&house.root().display().to_string()]).whole();
    fs::write(house.public().join("torrents/ep1.torrent"), "none").expect("written");
    told += &verify(&house, &[]).whole();
    fs::remove_dir_all(house.public()).expect("removed");
    told += &verify(&house, &[]).whole();
    expect![[r#"
        [stderr]
        error: DIR/empty: has no everseed.json
          help: name the folder of a built site
        [exit 3]
        [stderr]
        error: DIR/nowhere: can't be opened: No such file or directory (os error 2)
          help: name the folder of a built site
        [exit 3]
        [stderr]
        error: unexpected argument '--frob' found

          tip: to pass '--frob' as a value, use '-- --frob'

        Usage: everseed verify [OPTIONS] [SITE]

        For more information, try '--help'.
        [exit 3]
        [stdout]
        3 torrents, all of them whole; read 1.5 MB
        [exit 0]
        [stderr]
        error: DIR/show/public/torrents/ep1.torrent: not a torrent: byte 0: no value begins with this byte
          help: build the site again, or copy all of it
        [exit 3]
        [stderr]
        error: .: holds no built site
          help: build it, or name the folder of a built site
        [exit 3]
    "#]]
    .assert_eq(&told);
}

/// What another server publishes need not be here; what is not there is no finding, and what is there is read.
#[test]
fn files_elsewhere_are_counted_and_are_no_findings() {
    let house = show("v1");
    let path = house.public().join("everseed.json");
    let json = fs::read_to_string(&path).expect("a manifest");
    let mut json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    for torrent in json["torrents"].as_array_mut().expect("a list") {
        torrent["files"][0]["url"] = "https://media.example.org/a".into();
    }
    fs::write(&path, json.to_string()).expect("written");
    fs::remove_file(published(&house, "ep1.mp3")).expect("removed");
    fs::remove_file(published(&house, "set/a.bin")).expect("removed");
    let whole = verify(&house, &["--all"]).whole();
    put(&house, "ep2.mp3", |bytes| bytes[0] ^= 1);
    put(&house, "set/sub/b.bin", |bytes| bytes[50_000] ^= 1);
    expect![[r#"
        [stdout]
        3 torrents, all of them whole; read 1.1 MB; 2 files elsewhere
        [exit 0]
        [stdout]
        torrents/set.torrent: media/set/sub/b.bin has 1 bad of 4 pieces: 9
        torrents/ep2.torrent: media/ep2.mp3 has 1 bad of 17 pieces: 0
        3 torrents, 2 damaged; read 1.1 MB; 2 files elsewhere
        [exit 2]
    "#]]
    .assert_eq(&(whole + &verify(&house, &["--all"]).whole()));
}
