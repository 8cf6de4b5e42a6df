//! `everseed torrent` and the files around it: those that are not there, and those that must stay.

mod house;

use expect_test::expect;
use house::{House, KIB};

#[test]
fn what_is_not_there_is_not_hashed_and_is_no_contradiction() {
    // 25 TB that nobody has, in pieces of 256 MiB.
    let pieces = "x".repeat(20 * 100_000);
    let huge = format!(
        "d4:infod6:lengthi26843545600000e4:name1:a12:piece lengthi268435456e6:pieces{}:{pieces}ee",
        pieces.len()
    );
    let house =
        House::new().write("huge.torrent", huge.as_bytes()).write("set/a", &vec![0; 50 * KIB]).write("set/b", b"b");
    let run = house.run(&["torrent", "verify", "huge.torrent", "nowhere"]);
    assert_eq!((run.code, run.stdout.lines().count()), (Some(2), 3), "{run:?}");
    assert!(run.stdout.contains("100000 of 100000 pieces"), "{run:?}");
    // Zeros are what its pieces are hashes of.
    house.run(&["torrent", "create", "set", "--hybrid", "--piece-length", "16K"]).ok();
    std::fs::remove_file(house.root().join("set/a")).expect("removed");
    expect![[r#"
        set/a: can't be read: No such file or directory (os error 2)
        set/a: bad pieces: 0, 1, 2, 3
        set: 4 of 5 pieces are not as the torrent says
    "#]]
    .assert_eq(&house.run(&["torrent", "verify", "set.torrent", "set"]).stdout);
}

#[test]
fn only_files_are_written_over() {
    use std::os::unix::fs::symlink;
    let house = House::new().write("a.bin", b"a").write("real.torrent", b"old");
    symlink("real.torrent", house.root().join("link.torrent")).expect("linked");
    house.run(&["torrent", "create", "a.bin", "-o", "link.torrent", "--force"]).ok();
    assert!(house.root().join("link.torrent").is_symlink());
    house.run(&["torrent", "show", "real.torrent"]).ok();
    let told = ["/dev/null", "-", "."].map(|output| {
        let run = house.run(&["torrent", "create", "a.bin", "--force", "-o", output]);
        assert_eq!(run.code, Some(3));
        run.stderr
    });
    expect![[r#"
        error: /dev/null: is a device or a pipe, and would be replaced
          help: name a file with -o
        error: -: is no file, and a torrent is no text for a terminal
          help: name a file with -o
        error: .: is a folder
          help: name a file with -o
    "#]]
    .assert_eq(&told.concat());
}
