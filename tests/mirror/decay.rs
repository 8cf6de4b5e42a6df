//! What becomes of files that are here: somebody writes to them, or the disk gives other bytes than it took.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use everseed::mirror::Reread;
use expect_test::expect;

use super::house::{House, KIB, Run, everseed};
use super::{Fan, Publisher, day};

/// Changes one byte of a file, and gives it its old time again.
fn flip(path: &Path, at: usize) {
    let modified = fs::metadata(path).expect("it is there").modified().expect("a time");
    let mut bytes = fs::read(path).expect("read");
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("written");
    let file = File::options().write(true).open(path).expect("opened");
    file.set_modified(modified).expect("the old time");
}

#[test]
fn a_byte_that_was_changed_behind_its_back_is_found_and_its_piece_fetched_again() {
    let publisher = Publisher::new();
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    assert_eq!((fan.round().read, fan.round().remembered), (0, 3));
    let before = fan.files();
    flip(&fan.site().join("media/set/sub/b.bin"), 40_000);
    let torrent = fan.site().join("torrents/ep2.torrent");
    let pieces = fs::read(&torrent).expect("read").windows(8).position(|bytes| bytes == b"6:pieces");
    flip(&torrent, pieces.expect("it has pieces") + 20);
    fan.told();
    publisher.web.asked();
    let round = fan.round();
    expect![[r#"
        WARNING: mirror: A set: media/set/sub/b.bin has 1 bad piece
        WARNING: mirror: Two: torrents/ep2.torrent is not its .torrent
        mirror: A set is whole again, 153.6 kB, 1 piece from web seeds, 9 pieces that were here already
        mirror: Two is whole again, 1.0 MB, 17 pieces that were here already"#]]
    .assert_eq(&fan.told());
    assert_eq!((round.read, round.remembered, round.fetched, round.missing), (1, 1, 2, 0));
    assert!(fan.files() == before);
    assert_eq!(publisher.web.asked().len(), 3, "the manifest, a .torrent, and a piece");
    let round = fan.round();
    assert_eq!((round.read, round.remembered, round.fetched), (0, 3, 0), "and it stays so");
}

#[test]
fn what_nobody_has_any_more_is_named_and_counts_as_missing() {
    let publisher = Publisher::new();
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    fan.round();
    drop(publisher);
    flip(&fan.site().join("media/ep1.mp3"), 300 * KIB - 1);
    fs::remove_file(fan.site().join("media/set/a.bin")).expect("removed");
    fan.told();
    let mut mirror = fan.mirror();
    let round = mirror.round(day(2), None);
    assert_eq!((round.unread.is_some(), round.fetched, round.missing), (true, 0, 2));
    assert_eq!(mirror.summary().mirrored, 1);
    let told = fan.told();
    assert!(told.contains("WARNING: mirror: One: media/ep1.mp3 has 1 bad piece\n"), "{told}");
    assert!(told.contains("WARNING: mirror: A set: media/set/a.bin is missing\n"), "{told}");
    assert!(told.contains("WARNING: mirror: One can't be fetched: 1 of 10 pieces are missing"), "{told}");
    // It is told once, and known at the next start.
    mirror.round(day(2), None);
    assert_eq!(fan.told(), "");
    drop(mirror);
    assert_eq!(fan.round().missing, 2);
    // Somebody puts it right by hand.
    flip(&fan.site().join("media/ep1.mp3"), 300 * KIB - 1);
    assert_eq!(fan.round().missing, 1);
}

#[test]
fn what_the_show_has_given_up_is_looked_after_as_well() {
    let publisher = Publisher::of(super::house::House::furnished(), "[torrent]\nretired_days = 0\n");
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    fan.round();
    let publisher = publisher.change(|house| {
        fs::remove_file(house.root().join("content/ep2.md")).expect("removed");
        fs::remove_dir_all(house.root().join("retired")).ok();
        house
    });
    fan.round();
    fan.told();
    flip(&fan.site().join("media/ep2.mp3"), 0);
    let round = fan.round();
    assert_eq!((round.fetched, round.missing), (0, 1));
    assert!(fan.told().contains("WARNING: mirror: Two: media/ep2.mp3 has 1 bad piece\n"));
    // Its web seed has it again.
    let mut bytes = fs::read(fan.site().join("media/ep2.mp3")).expect("read");
    bytes[0] ^= 1;
    publisher.web.put("media/ep2.mp3", super::house::web::File::of(&bytes));
    assert_eq!(fan.round().fetched, 1);
    assert!(fs::read(fan.site().join("media/ep2.mp3")).expect("read") == bytes);
    let retired: Vec<_> = fan.entries().into_iter().filter(|entry| entry.retired.is_some()).collect();
    assert_eq!(retired.len(), 1, "and it is retired as before");
}

#[test]
fn files_that_look_as_they_did_are_read_again_after_a_while_or_where_that_is_wanted() {
    let publisher = Publisher::new();
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    fan.round();
    let fan = fan.with(|options| options.reread = Reread::After(Duration::from_secs(10 * 86_400)));
    let read = |fan: &Fan, at| fan.mirror().round(day(at), None).read;
    assert_eq!([2, 11, 12].map(|at| read(&fan, at)), [0, 3, 0]);
    let fan = fan.with(|options| options.reread = Reread::Always);
    assert_eq!(read(&fan, 12), 3);
}

#[test]
fn once_it_says_what_was_not_read_and_a_bad_file_is_no_success() {
    let publisher = Publisher::new();
    let (url, data) = (publisher.web.url("everseed.json"), publisher.house.beside("mirror"));
    let once = |more: &[&str]| {
        let data = data.display().to_string();
        let args = [&["mirror", &url, "--once", "--data", &data], more].concat();
        Run::of(everseed().args(args), &publisher.house.beside(""))
    };
    once(&[]).ok();
    expect![[r#"
        [stdout]
        A show: 3 of 3 torrents here, 1.5 MB
        [exit 0]
    "#]]
    .assert_eq(&once(&["--verify"]).whole());
    let path = data.join("site/media/ep1.mp3");
    flip(&path, 9);
    expect![[r#"
        [stdout]
        A show: 3 of 3 torrents here, 1.5 MB; not read: 2 torrents with files as they were last found right (--verify reads all)
        [stderr]
        WARNING: mirror: One: media/ep1.mp3 has 1 bad piece
        mirror: One is whole again, 307.2 kB, 1 piece from web seeds, 9 pieces that were here already
        [exit 0]
    "#]]
    .assert_eq(&once(&[]).whole());
    flip(&path, 9);
    publisher.web.remove("everseed.json");
    publisher.web.remove("media/ep1.mp3");
    let run = publisher.web.hide_port(&once(&[]).whole());
    assert!(run.contains("One: media/ep1.mp3 has 1 bad piece") && run.ends_with("[exit 1]\n"), "{run}");
}

/// Without its `.torrent` a torrent is not served; its files may be the last ones, and stay.
#[test]
fn what_has_lost_its_torrent_stays_and_is_back_with_it() {
    let publisher = Publisher::of(House::furnished(), "[torrent]\nretired_days = 0\n");
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    fan.round();
    let torrent = fan.files()["torrents/ep1.torrent"].clone();
    let publisher = publisher.change(|house| {
        fs::remove_file(house.root().join("content/ep1.md")).expect("removed");
        house
    });
    fan.round();
    let retired = fan.entries().into_iter().find(|entry| entry.title == "One").expect("it is kept");
    let (at, file) = (retired.torrent.to_string(), retired.files[0].path.to_string());
    let media = fan.files()[&file].clone();
    fs::remove_file(fan.site().join(&at)).expect("removed");
    fan.told();
    for _ in 0..2 {
        let mut mirror = fan.mirror();
        // More than one round: what is left over is removed at the end of each.
        (2..4).for_each(|n| assert_eq!(mirror.round(day(n), None).trouble, None));
        assert_eq!(fan.entries().len(), 2);
        assert!(fan.files()[&file] == media);
        let told = fan.told();
        assert!(told.contains(&format!("WARNING: mirror: One: DIR/data/site/{at} is gone")), "{told}");
    }
    fs::write(fan.site().join(&at), torrent).expect("put back");
    fan.round();
    assert!(fan.entries().contains(&retired) && !fan.told().contains("WARNING"));
    assert!(!fan.data().join("lost.json").exists());

    // Where another one is handed out, what was published is kept, and made into it again.
    let fan = fan.with(|options| options.base_url = everseed::baseurl::BaseUrl::parse("https://fan.example.org/").ok());
    fan.round();
    let handed_out = fan.files()[&at].clone();
    fs::remove_file(fan.site().join(&at)).expect("removed");
    fan.round();
    assert!(fan.files()[&at] == handed_out && fan.entries().len() == 3, "{}", fan.told());
    drop(publisher);
}
