use std::os::unix::fs::PermissionsExt;

use expect_test::expect;
use time::Duration;
use time::macros::datetime;

use super::super::testing::{listing, published};
use super::*;

const NOW: OffsetDateTime = datetime!(2026-06-01 12:00:00.5 UTC);

/// A project's folder with a site in it.
struct House {
    folder: tempfile::TempDir,
    limits: Limits,
}

impl House {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), limits: Limits { days: 30, bytes_max: 100 } }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    /// An episode that was published: 10 bytes.
    fn episode(&self, name: &str) -> Candidate {
        published(&self.root().join("site"), name, &[("medium.mp3", &format!("{name:_>10}"))])
    }

    fn open(&self, days: i64, usage: Use) -> Shelf {
        Shelf::open(self.root(), self.limits, NOW + Duration::days(days), usage)
    }

    /// Retires these on a day, and tells what is kept then, since which day, and what is told.
    fn retire(&self, day: i64, candidates: &[Candidate]) -> String {
        self.retire_with(day, candidates, &HashSet::new(), Use::Write)
    }

    fn retire_with(&self, day: i64, candidates: &[Candidate], again: &HashSet<InfoHashes>, usage: Use) -> String {
        let mut opened = self.open(day, usage);
        opened.retire(candidates.to_vec(), again, &());
        let day = |kept: &Kept| (kept.record.retired - NOW.replace_nanosecond(0).expect("0 nanoseconds")).whole_days();
        let kept: Vec<_> =
            opened.kept().iter().map(|kept| format!("{} of day {}", kept.record.title, day(kept))).collect();
        let told = opened.close(true).into_iter().map(|problem| self.shown(&problem.to_string()));
        kept.into_iter().chain(told).collect::<Vec<_>>().join("\n")
    }

    fn shown(&self, text: &str) -> String {
        text.replace(&self.root().display().to_string(), "[folder]")
    }

    fn folders(&self) -> usize {
        fs::read_dir(self.root().join(FOLDER)).map_or(0, Iterator::count)
    }
}

#[test]
fn what_was_retired_stays_for_its_days_and_then_goes() {
    let house = House::new();
    let (one, two) = (house.episode("one"), house.episode("two"));
    assert_eq!(house.retire(0, &[one]), "ONE of day 0");
    assert_eq!(house.retire(3, &[two]), "TWO of day 3\nONE of day 0");
    assert_eq!(house.retire(29, &[]), "TWO of day 3\nONE of day 0");
    assert_eq!((house.retire(30, &[]), house.folders()), ("TWO of day 3".into(), 1));
    assert_eq!(house.retire(33, &[]), "");
    assert!(!house.root().join(FOLDER).exists());
}

#[test]
fn the_oldest_make_room_which_is_told() {
    let mut house = House::new();
    house.limits.bytes_max = 25;
    let [one, two, three] = ["one", "two", "three"].map(|name| house.episode(name));
    house.retire(0, &[one]);
    house.retire(1, &[two]);
    expect![[r#"
        THREE of day 2
        TWO of day 1
        [folder]/retired: has no room for what is not published any more: "ONE"
          help: give it more than 25 B with `retired_max` in [torrent]"#]]
    .assert_eq(&house.retire(2, &[three]));
    assert_eq!(house.folders(), 2);
    house.limits.bytes_max = 9;
    expect![[r#"
        [folder]/retired: has no room for what is not published any more: "THREE", "TWO"
          help: give it more than 9 B with `retired_max` in [torrent]"#]]
    .assert_eq(&house.retire(3, &[]));
    assert_eq!(house.folders(), 0);
}

#[test]
fn nothing_is_kept_where_that_is_said() {
    let mut house = House::new();
    house.retire(0, &[house.episode("one")]);
    house.limits.days = 0;
    assert_eq!((house.retire(0, &[house.episode("two")]), house.folders()), (String::new(), 0));
}

#[test]
fn what_is_published_again_is_not_retired() {
    let house = House::new();
    let (one, two) = (house.episode("one"), house.episode("two"));
    house.retire(0, &[one.clone(), two.clone()]);
    let again = HashSet::from([one.entry.info_hashes]);
    assert_eq!(house.retire_with(1, &[one, two], &again, Use::Write), "TWO of day 1");
    assert_eq!(house.folders(), 1);
}

#[test]
fn a_preview_shows_what_is_kept_and_changes_nothing() {
    let house = House::new();
    let (one, two) = (house.episode("one"), house.episode("two"));
    house.retire(0, std::slice::from_ref(&one));
    let before = listing(house.root());
    let again = HashSet::from([one.entry.info_hashes]);
    assert_eq!(house.retire_with(1, std::slice::from_ref(&two), &HashSet::new(), Use::Read), "ONE of day 0");
    assert_eq!(house.retire_with(1, std::slice::from_ref(&two), &again, Use::Read), "");
    assert_eq!(house.retire_with(99, &[two], &HashSet::new(), Use::Read), "");
    assert_eq!(listing(house.root()), before);
}

#[test]
fn a_build_that_fails_keeps_what_was_kept_before() {
    let house = House::new();
    house.retire(0, &[house.episode("one")]);
    let before = listing(house.root());
    let two = house.episode("two");
    let mut shelf = house.open(40, Use::Write);
    shelf.retire(vec![two], &HashSet::new(), &());
    assert_eq!((shelf.kept().len(), house.folders()), (1, 2));
    assert_eq!(shelf.close(false), []);
    let mut after = listing(house.root());
    after.retain(|path| !path.contains("two"));
    assert_eq!(after, before);
    // Of a first one nothing is left.
    let house = House::new();
    let mut shelf = house.open(0, Use::Write);
    shelf.retire(vec![house.episode("one")], &HashSet::new(), &());
    shelf.close(false);
    assert!(!house.root().join(FOLDER).exists());
}

#[test]
fn one_that_a_killed_build_took_in_is_retired_when_it_is() {
    let house = House::new();
    let one = house.episode("one");
    let mut shelf = house.open(0, Use::Write);
    shelf.retire(vec![one.clone()], &HashSet::new(), &());
    drop(shelf);
    for left in [".new-", ".gone-"] {
        fs::create_dir_all(house.root().join(FOLDER).join(format!("{left}{}", "a".repeat(40)))).expect("made");
    }
    assert_eq!(house.retire(40, &[one]), "ONE of day 40");
    assert_eq!(house.retire(41, &[]), "ONE of day 40");
    assert_eq!(house.folders(), 1);
}

#[test]
fn what_is_lost_is_told_up_to_a_number() {
    let house = House::new();
    let names: Vec<_> = (0..=TOLD_MAX).map(|number| format!("ep{number:02}")).collect();
    let candidates: Vec<_> = names.iter().map(|name| house.episode(name)).collect();
    for candidate in &candidates {
        fs::write(&candidate.places[0][0], "overwritten").expect("written");
    }
    let told = house.retire(0, &candidates);
    let lines: Vec<_> = told.lines().collect();
    expect![[r#"
          help: do not write over it
        "EP09" is not published any more, and can't be seeded any longer: media/ep09/medium.mp3 has other bytes now
          help: do not write over it
        1 more torrent can't be seeded any longer"#]]
    .assert_eq(&lines[lines.len() - 4..].join("\n"));
    assert_eq!(lines.len(), 2 * TOLD_MAX + 1);
    assert!(!house.root().join(FOLDER).exists());
    for candidate in &candidates {
        fs::remove_file(&candidate.places[0][0]).expect("removed");
    }
    expect![[r#"not published any more, and not seeded any longer, for the files are gone: "EP00", "EP01", "EP02", "EP03", "EP04", "EP05", "EP06", "EP07", "EP08", "EP09" and 1 more"#]].assert_eq(&house.retire(0, &candidates));
}

#[test]
fn a_folder_that_is_damaged_or_was_written_into_is_told_and_somebody_elses_stays() {
    let house = House::new();
    house.retire(0, &[house.episode("one"), house.episode("two"), house.episode("three")]);
    let shelf = house.open(1, Use::Write);
    let of = |title: &str| shelf.kept().iter().find(|kept| kept.record.title == title).expect("kept");
    fs::write(&of("ONE").files[0].0, "overwritten").expect("written");
    fs::write(of("TWO").folder.join("retired.toml"), "version = 2\n").expect("written");
    fs::create_dir_all(house.root().join(FOLDER).join("mine")).expect("made");
    let hashes = [of("ONE"), of("TWO")].map(|kept| kept.torrent.info_hashes.main().to_string());
    let told = house.retire(1, &[]);
    let told = told.replace(&hashes[0], "[one]").replace(&hashes[1], "[two]");
    expect![[r#"
        THREE of day 0
        [folder]/retired/[two]/retired.toml: is of version 2; this everseed reads 1
          help: use the version of everseed that wrote it, or remove the folder
        [folder]/retired/[one]/files/medium.mp3: changed since "ONE" was retired, which is not seeded any longer"#]]
    .assert_eq(&told);
    assert!(house.root().join(FOLDER).join("mine").is_dir());
    assert_eq!(house.folders(), 3, "what can't be read stays");
}

#[test]
fn one_that_was_damaged_is_brought_in_again() {
    let house = House::new();
    let one = house.episode("one");
    house.retire(0, std::slice::from_ref(&one));
    let shelf = house.open(1, Use::Write);
    let path = &shelf.kept()[0].files[0].0;
    fs::remove_file(path).and_then(|()| fs::write(path, "overwritten")).expect("written");
    let told = house.retire(1, &[one]);
    assert!(told.starts_with("ONE of day 1\n") && told.contains("changed since"), "{told}");
    assert_eq!(house.retire(2, &[]), "ONE of day 1");
}

#[test]
fn a_folder_that_cannot_be_written_is_told_and_holds_nobody_up() {
    let house = House::new();
    let one = house.episode("one");
    fs::write(house.root().join(FOLDER), "a file").expect("written");
    expect![[r#"
        [folder]/retired: can't be written: File exists (os error 17); what is not published any more is not seeded any longer
          help: make it a folder that the user who builds can write, or say `retired_days = 0` in [torrent]"#]].assert_eq(&house.retire(0, std::slice::from_ref(&one)));
    fs::remove_file(house.root().join(FOLDER)).expect("removed");
    fs::create_dir(house.root().join(FOLDER)).expect("made");
    let set = |mode| fs::set_permissions(house.root().join(FOLDER), fs::Permissions::from_mode(mode)).expect("set");
    set(0o555);
    // Whoever may do anything writes there all the same.
    let is_root = fs::create_dir(house.root().join(FOLDER).join("probe")).is_ok();
    let told = house.retire(0, &[one]);
    set(0o755);
    assert!(is_root || told.contains("it can't be kept in [folder]/retired: Permission denied"), "{told}");
}
