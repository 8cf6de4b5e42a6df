use std::os::unix::fs::symlink;

use expect_test::expect;
use time::macros::datetime;

use super::super::testing::{listing, published};
use super::*;

const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);
const SET: &[(&str, &str)] = &[("a.bin", "one"), ("sub/b.bin", ""), ("sub/c.bin", "three")];

/// A site, and a shelf beside it.
struct House(tempfile::TempDir);

impl House {
    fn new() -> Self {
        let house = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::create_dir(house.shelf()).expect("made");
        house
    }

    fn site(&self) -> PathBuf {
        self.0.path().join("site")
    }

    fn shelf(&self) -> PathBuf {
        self.0.path().join("retired")
    }

    fn bring(&self, candidate: &Candidate) -> Result<Kept, String> {
        let told = |why: Problem| why.to_string().replace(&self.0.path().display().to_string(), "[folder]");
        Kept::bring(candidate, &self.shelf(), NOW, &()).map_err(told)
    }
}

#[test]
fn what_is_brought_in_reads_back_and_outlives_where_it_stood() {
    let house = House::new();
    let candidate = published(&house.site(), "set", SET);
    let kept = house.bring(&candidate).expect("whole");
    fs::remove_dir_all(house.site()).expect("removed");
    assert_eq!(kept.bytes(), 8);
    expect![[r#"
        9af54c04b50a1646988bb44f43fbd524fad95b77/files/set/a.bin
        9af54c04b50a1646988bb44f43fbd524fad95b77/files/set/sub/b.bin
        9af54c04b50a1646988bb44f43fbd524fad95b77/files/set/sub/c.bin
        9af54c04b50a1646988bb44f43fbd524fad95b77/published.torrent
        9af54c04b50a1646988bb44f43fbd524fad95b77/retired.toml"#]]
    .assert_eq(&listing(&house.shelf()).join("\n"));
    assert_eq!(fs::read_to_string(&kept.files[2].0).expect("there"), "three");
    assert!(kept.files[2].1.as_str().ends_with("/set/sub/c.bin"), "{}", kept.files[2].1);
    let read = Kept::read(&kept.folder).expect("well-formed").expect("kept");
    assert_eq!((&read.torrent, &read.record, &read.files), (&kept.torrent, &kept.record, &kept.files));
    assert_eq!(read.changed(), None);
}

#[test]
fn one_is_brought_in_from_the_first_place_that_is_whole() {
    let house = House::new();
    let mut candidate = published(&house.site(), "set", SET);
    let right = candidate.places[0].clone();
    let wrong: Vec<_> = (0..3).map(|number| house.site().join(format!("wrong-{number}"))).collect();
    fs::write(&wrong[0], "ONE").expect("written");
    candidate.places = vec![wrong.clone(), vec![], right];
    candidate.torrents.insert(0, wrong[0].clone());
    house.bring(&candidate).expect("whole");
    candidate.places.truncate(2);
    let why = house.bring(&candidate).expect_err("it is lost");
    assert!(why.ends_with("media/set/sub/b.bin is not there any more"), "{why}");
}

#[test]
fn links_are_followed_and_not_kept() {
    let house = House::new();
    let mut candidate = published(&house.site(), "ep1", &[("ep1.mp3", "a medium")]);
    let link = house.site().join("link");
    symlink(&candidate.places[0][0], &link).expect("linked");
    candidate.places = vec![vec![link]];
    let kept = house.bring(&candidate).expect("whole");
    assert!(fs::symlink_metadata(&kept.files[0].0).expect("there").is_file());
}

#[test]
fn what_is_lost_says_why_and_leaves_nothing() {
    let house = House::new();
    let site = house.site();
    let one = |change: &dyn Fn(&Candidate)| {
        let candidate = published(&site, "ep1", &[("ep1.mp3", "a medium")]);
        change(&candidate);
        house.bring(&candidate).expect_err("it is lost")
    };
    let medium = |candidate: &Candidate| candidate.places[0][0].clone();
    let mut told = vec![
        one(&|candidate| fs::write(medium(candidate), "A MEDIUM").expect("written")),
        one(&|candidate| fs::write(medium(candidate), "longer than before").expect("written")),
        one(&|candidate| fs::remove_file(medium(candidate)).expect("removed")),
        one(&|candidate| fs::remove_file(&candidate.torrents[0]).expect("removed")),
        one(&|candidate| fs::write(&candidate.torrents[0], "d4:info").expect("written")),
    ];
    let set = published(&site, "set", SET);
    fs::write(&set.places[0][2], "THREE").expect("written");
    told.push(house.bring(&set).expect_err("it is lost"));
    assert_eq!(listing(&house.shelf()), [""; 0]);
    fs::remove_dir(house.shelf()).expect("removed");
    let candidate = published(&site, "ep1", &[("ep1.mp3", "a medium")]);
    told.push(house.bring(&candidate).expect_err("nowhere to keep it"));
    expect![[r#"
        "EP1" is not published any more, and can't be seeded any longer: media/ep1/ep1.mp3 has other bytes now
          help: do not write over it
        "EP1" is not published any more, and can't be seeded any longer: media/ep1/ep1.mp3 has other bytes now
          help: do not write over it
        "EP1" is not published any more, and can't be seeded any longer: media/ep1/ep1.mp3 is not there any more
        "EP1" is not published any more, and can't be seeded any longer: its .torrent is not there any more
        "EP1" is not published any more, and can't be seeded any longer: its .torrent is not there any more
        "SET" is not published any more, and can't be seeded any longer: its files have other bytes now
          help: do not write over it
        "EP1" is not published any more, and can't be seeded any longer: it can't be kept in [folder]/retired: No such file or directory (os error 2)"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn a_file_that_was_written_into_is_found_out() {
    let house = House::new();
    let kept = house.bring(&published(&house.site(), "set", SET)).expect("whole");
    let path = &kept.files[2].0;
    let mtime = fs::metadata(path).and_then(|metadata| metadata.modified()).expect("its time");
    let later = mtime + std::time::Duration::from_nanos(1);
    fs::File::options().write(true).open(path).and_then(|file| file.set_modified(later)).expect("set");
    assert_eq!(kept.changed(), Some(&**path));
    fs::remove_file(&kept.files[0].0).expect("removed");
    assert_eq!(kept.changed(), Some(&*kept.files[0].0));
}

#[test]
fn a_folder_that_does_not_fit_is_told_and_one_that_is_not_ours_is_none() {
    let house = House::new();
    let kept = house.bring(&published(&house.site(), "ep1", &[("ep1.mp3", "a medium")])).expect("whole");
    let told = |folder: &Path| {
        let problem = Kept::read(folder).expect_err("wrong");
        problem
            .to_string()
            .replace(&house.0.path().display().to_string(), "[folder]")
            .replace(&name_of(&kept.torrent), "[hash]")
    };
    let other = house.shelf().join("f".repeat(40));
    fs::rename(&kept.folder, &other).expect("renamed");
    let mut all = vec![told(&other)];
    fs::rename(&other, &kept.folder).expect("renamed");
    fs::write(kept.folder.join(TORRENT), "d4:info").expect("written");
    all.push(told(&kept.folder));
    fs::remove_file(kept.folder.join(TORRENT)).expect("removed");
    all.push(told(&kept.folder));
    fs::write(kept.folder.join(record::FILE_NAME), "retired").expect("written");
    all.push(told(&kept.folder));
    expect![[r#"
        [folder]/retired/ffffffffffffffffffffffffffffffffffffffff: is not the folder of the torrent in it
          help: remove it
        [folder]/retired/[hash]/published.torrent: not a torrent: byte 7: the data end inside a value
          help: remove the folder
        [folder]/retired/[hash]/published.torrent: can't be read: No such file or directory (os error 2)
          help: make it readable, or remove the folder
        [folder]/retired/[hash]/retired.toml:1: key with no value, expected `=`
          help: write each value as `key = value`; text stands in quotation marks"#]]
    .assert_eq(&all.join("\n"));
    fs::remove_file(kept.folder.join(record::FILE_NAME)).expect("removed");
    assert!(Kept::read(&kept.folder).expect("nothing").is_none());
    let named = [
        "ep1",
        ".new-",
        "0123",
        &"a".repeat(40),
        &format!(".new-{}", "a".repeat(40)),
        &format!(".gone-{}", "A".repeat(40)),
    ];
    let (torrent, left) = (Some(Named::Torrent), Some(Named::Leftover));
    assert_eq!(named.map(Named::of), [None, None, None, torrent, left, left]);
}

#[test]
fn a_folder_goes_whole_whatever_was_left_on_its_way() {
    let house = House::new();
    let kept = house.bring(&published(&house.site(), "set", SET)).expect("whole");
    let name = name_of(&kept.torrent);
    fs::create_dir_all(house.shelf().join(format!("{GOING}{name}/files"))).expect("made");
    remove(&kept.folder).expect("removed");
    assert_eq!(fs::read_dir(house.shelf()).expect("listed").count(), 0);
    for left in [format!("{GOING}{name}"), format!("{COMING}{name}")] {
        fs::create_dir_all(house.shelf().join(&left).join("files")).expect("made");
        remove(&house.shelf().join(&left)).expect("removed");
        assert_eq!(fs::read_dir(house.shelf()).expect("listed").count(), 0, "{left}");
    }
    remove(&kept.folder).expect("that there is none is no error");
}
