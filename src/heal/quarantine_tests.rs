use super::*;

#[test]
fn it_is_one_healers_at_a_time_and_begins_empty() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir_all(dir.path().join("heal/ward/set")).expect("what a killed run left");
    fs::write(dir.path().join("heal/ward/set/a"), "left").expect("written");
    fs::write(dir.path().join("heal/b"), "left").expect("written");
    let quarantine = Quarantine::take(dir.path(), None).expect("taken");
    let names = || {
        let mut names: Vec<_> = fs::read_dir(dir.path().join(FOLDER))
            .expect("listed")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("Unicode"))
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(), [LOCK]);
    let problem = Quarantine::take(dir.path(), None).expect_err("it has a healer").to_string();
    assert!(problem.ends_with("heal: another everseed is healing\n  help: wait until it is done"), "{problem}");
    let ward = quarantine.ward().expect("a ward");
    fs::write(ward.folder.join("a"), "copied").expect("written");
    drop(ward);
    assert_eq!(names(), [LOCK]);
    drop(quarantine);
    Quarantine::take(dir.path(), None).expect("free again");
}

#[test]
fn a_disk_keeps_a_reserve() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let Some(available) = fsx::available_bytes(dir.path()) else { return };
    room(dir.path(), 1).expect("there is room for a byte");
    let problem = room(dir.path(), available).expect_err("the reserve is not given away");
    assert!(problem.message().contains("are to be written, and the disk has"), "{problem}");
    assert!(room(dir.path(), u64::MAX).is_err());
}

#[test]
fn a_copy_on_another_disk_is_compared_with_what_was_hashed() {
    // Whether there is another file system is the machine's affair; shared memory often is one.
    let (one, Ok(other)) = (tempfile::tempdir().expect("a temporary folder"), tempfile::tempdir_in("/dev/shm")) else {
        return;
    };
    let from = one.path().join("a");
    fs::write(&from, "whole").expect("written");
    let to = other.path().join("a");
    if fs::metadata(one.path()).expect("there").dev() == fs::metadata(other.path()).expect("there").dev() {
        return;
    }
    let (copy, remove) = beside(&from, &to, other.path()).expect("copied");
    let copy = copy.expect("a copy");
    assert_eq!((fs::read(&copy).expect("read"), copy.file_name()), (b"whole".to_vec(), Some(".a.healed".as_ref())));
    drop(remove);
    assert_eq!(fs::read_dir(other.path()).expect("listed").count(), 0);
}
