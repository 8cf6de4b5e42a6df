//! The command line as a user meets it: whole output and exit code.

mod house;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use expect_test::{Expect, expect};
use house::{House, KIB, Run, episode, everseed, files};

fn told(house: &House, args: &[&str], expected: Expect) {
    expected.assert_eq(&house.run(args).whole());
}

#[test]
fn wrong_usage_ends_with_3_and_help_with_0() {
    let house = House::new();
    for args in
        [&["--help"][..], &["build", "--help"], &["serve", "--help"], &["torrent", "create", "--help"], &["--version"]]
    {
        let run = house.run(args).ok();
        assert!(!run.stdout.is_empty() && run.stderr.is_empty(), "{args:?}");
    }
    for args in [
        &[][..],
        &["biuld"],
        &["build", "--no-such-flag"],
        &["torrent", "create", "x"],
        &["torrent", "create", "x", "-o", "y", "--piece-length", "5"],
        &["serve", "x", "--site", "y"],
    ] {
        let run = house.run(args);
        assert_eq!(run.code, Some(3), "{args:?}\n{}", run.stderr);
        assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn every_option_says_its_default() {
    let house = House::new();
    for args in [&["build", "--help"][..], &["serve", "--help"], &["torrent", "create", "--help"]] {
        let help = house.run(args).ok().stdout;
        let options = help.split("Options:").nth(1).expect("options");
        for option in options.split("\n  -").skip(1).flat_map(|part| part.split("\n      --")) {
            let required = ["-o, --output <FILE>", "o, --output <FILE>", "h, --help", "site <DIR>"];
            if required.iter().any(|free| option.trim_start().trim_start_matches('-').starts_with(free)) {
                continue;
            }
            assert!(option.contains("[default:"), "{args:?}: {option}");
        }
    }
}

#[test]
fn init_makes_a_folder_that_builds_and_refuses_one_that_is_not_empty() {
    let house = House::new();
    let dir = house.beside("");
    let init = |name: &str| Run::of(everseed().args(["init", name]).current_dir(&dir), &dir);
    expect![[r#"
    "#]]
    .assert_eq(&init("my-show").whole());
    expect![[r#"
    "#]]
    .assert_eq(&init("my-show").whole());
    let built = Run::of(everseed().args(["build", "my-show"]).current_dir(&dir), &dir).ok();
    assert_eq!(built.stderr, "");
    let made = files(&dir.join("my-show/public"));
    for name in [
        "index.html",
        "about/index.html",
        "episodes/first-episode/index.html",
        "feed.xml",
        "torrents.xml",
        "torrents/first-episode.torrent",
        "media/first-episode.mp3",
        "everseed.json",
        "404.html",
    ] {
        assert!(made.contains_key(name), "{name} is not in {:?}", made.keys());
    }
    assert!(String::from_utf8_lossy(&made["index.html"]).contains("My show"));
    assert_eq!(init("my-show/everseed.toml").code, Some(3));
}

#[test]
fn a_torrent_is_made_shown_verified_and_linked() {
    let house = House::new()
        .media("a/1.bin", 100 * KIB)
        .media("a/sub/2.bin", 30 * KIB)
        .page("a/.hidden", "x")
        .page("a/empty", "");
    let create = [
        "torrent",
        "create",
        "content/a",
        "-o",
        "a.torrent",
        "--announce",
        "https://show.example.org/announce",
        "--web-seed",
        "https://show.example.org/media/",
        "--piece-length",
        "32K",
    ];
    told(
        &house,
        &create,
        expect![[r#"
    "#]],
    );
    told(
        &house,
        &create,
        expect![[r#"
    "#]],
    );
    told(
        &house,
        &["torrent", "show", "a.torrent"],
        expect![[r#"
    "#]],
    );
    told(
        &house,
        &["torrent", "show", "a.torrent", "--json"],
        expect![[r#"
    "#]],
    );
    told(
        &house,
        &["torrent", "magnet", "a.torrent"],
        expect![[r#"
    "#]],
    );
    told(
        &house,
        &["torrent", "verify", "a.torrent", "content/a"],
        expect![[r#"
    "#]],
    );
    let house = house.write("content/a/1.bin", &[7; 50 * KIB]).media("a/sub/2.bin", 30 * KIB);
    let mut second = fs::read(house.root().join("content/a/sub/2.bin")).expect("read");
    second[20 * KIB] ^= 1;
    let house = house.write("content/a/sub/2.bin", &second);
    told(
        &house,
        &["torrent", "verify", "a.torrent", "content"],
        expect![[r#"
    "#]],
    );
    told(
        &house,
        &["torrent", "verify", "a.torrent", "nowhere"],
        expect![[r#"
    "#]],
    );
    let again = ["torrent", "create", "content/a/sub/2.bin", "-o", "a.torrent", "--force", "--private"];
    told(
        &house,
        &again,
        expect![[r#"
    "#]],
    );
}

#[test]
fn creation_date_is_source_date_epoch_or_absent() {
    let house = House::new().media("a.bin", 10);
    let create = |epoch: &str, out: &str| {
        let mut command = everseed();
        command.args(["torrent", "create", "content/a.bin", "-o", out]).current_dir(house.root());
        Run::of(command.env("SOURCE_DATE_EPOCH", epoch), &house.beside(""))
    };
    create("1700000000", "dated.torrent").ok();
    assert!(house.run(&["torrent", "show", "dated.torrent"]).stdout.contains("2023-11-14T22:13:20Z"));
    assert_eq!(create("yesterday", "x.torrent").code, Some(3));
    house.run(&["torrent", "create", "content/a.bin", "-o", "plain.torrent"]).ok();
    assert!(!house.run(&["torrent", "show", "plain.torrent"]).stdout.contains("created  "));
}

#[test]
fn what_is_no_torrent_is_told_with_its_byte() {
    let house = House::new().write("a.torrent", b"d4:infode").write("b.torrent", b"d4:infod4:name1:aee");
    told(
        &house,
        &["torrent", "show", "a.torrent"],
        expect![[r#"
    "#]],
    );
    told(
        &house,
        &["torrent", "magnet", "b.torrent"],
        expect![[r#"
    "#]],
    );
    told(
        &house,
        &["torrent", "create", "nothing", "-o", "c.torrent"],
        expect![[r#"
    "#]],
    );
    told(
        &house,
        &["torrent", "create", "a.torrent", "-o", "c.torrent", "--announce", "show.example.org"],
        expect![[r#"
    "#]],
    );
    told(
        &house,
        &["torrent", "create", "a.torrent", "-o", "no/folder/c.torrent"],
        expect![[r#"
    "#]],
    );
}

#[test]
fn all_faults_of_a_content_folder_are_told_in_one_run() {
    let house = House::new()
        .page("a-no-end.md", "+++\ntitle = \"A\"\n")
        .page("b-key.md", "+++\ntitel = \"B\"\n+++\n")
        .page("c-no-title.md", "+++\ndate = 2026-01-01\nmedia = \"ok.mp3\"\n+++\n")
        .page("d-no-date.md", "+++\ntitle = \"D\"\nmedia = \"ok.mp3\"\n+++\n")
        .page("e-date.md", "+++\ntitle = \"E\"\n\ndate = \"yesterday\"\nmedia = \"ok.mp3\"\n+++\n")
        .page("f-missing.md", &episode("F", "2026-01-01", "nowhere.mp3"))
        .page("g-empty.md", &episode("G", "2026-01-01", "empty.mp3"))
        .page("empty.mp3", "")
        .page("h-folder.md", &episode("H", "2026-01-01", "folder"))
        .page("folder/x.txt", "x")
        .page("i-outside.md", &episode("I", "2026-01-01", "../../outside.mp3"))
        .page("j-link.md", &episode("J", "2026-01-01", "link.mp3"))
        .page("k-one.md", "+++\ntitle = \"K\"\nslug = \"same\"\ndate = 2026-01-01\nmedia = \"ok.mp3\"\n+++\n")
        .page("l-two.md", "+++\ntitle = \"L\"\nslug = \"same\"\ndate = 2026-01-01\nmedia = \"ok.mp3\"\n+++\n")
        .page("m-url.md", &episode("M", "2026-01-01", "https://example.org/a.mp3"))
        .page("n-syntax.md", "+++\ntitle = \"N\ndate = 2026-01-01\n+++\n")
        .page("o-plain.md", "No front matter.\n")
        .media("ok.mp3", 1000);
    fs::write(house.beside("outside.mp3"), "outside").expect("written");
    std::os::unix::fs::symlink(house.beside("outside.mp3"), house.root().join("content/link.mp3")).expect("linked");
    told(
        &house,
        &["build"],
        expect![[r#"
    "#]],
    );
    assert!(!house.public().exists(), "nothing was written");
}

#[test]
fn a_wrong_configuration_is_told_with_line_and_remedy() {
    let cases = [
        "[site]\ntitle = \"A\"\nbaseurl = \"https://a.example.org/\"\n",
        "[site]\ntitle = \"A\"\nbase_url = \"a.example.org\"\n",
        "[site]\nbase_url = \"https://a.example.org/\"\n",
        "[show]\nauthor = \"B\"\n",
        "[site\n",
        "[site]\ntitle = \"A\"\nbase_url = \"https://a.example.org/\"\ntheme = \"none\"\n",
        "[site]\ntitle = \"A\"\nbase_url = \"https://a.example.org/\"\n[show]\nimage = \"nowhere.jpg\"\n",
    ];
    let mut told = String::new();
    for toml in cases {
        told += &House::new().toml(toml).build().whole();
    }
    told += &House::new().run(&["build", "nowhere"]).whole();
    told += &House::new().run(&["build", "--base-url", "x"]).whole();
    expect![[r#"
    "#]]
    .assert_eq(&told);
}

#[test]
fn serve_names_what_it_can_not_use() {
    let house = House::furnished();
    house.build().ok();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("its address").to_string();
    let site =
        ["serve", "--site", "public", "--data", "data", "--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"];
    let with = |more: &[&str]| {
        let args: Vec<_> = site.iter().copied().filter(|arg| !more.contains(arg)).collect();
        let args = if let Some(flag) = more.first().filter(|flag| args.contains(flag)) {
            let at = args.iter().position(|arg| arg == flag).expect("it is there");
            [&args[..at], &args[at + 2..], more].concat()
        } else {
            [&args[..], more].concat()
        };
        house.run(&args).whole().replace(&port, "ADDR")
    };
    let replace = |flag: &str, value: &str| {
        let mut args = site.to_vec();
        let at = args.iter().position(|arg| *arg == flag).expect("it is there");
        args[at + 1] = value;
        house.run(&args).whole().replace(&port, "ADDR")
    };
    let mut told = replace("--listen", &port);
    told += &replace("--peer-listen", &port);
    told += &replace("--listen", "somewhere");
    told += &with(&["--trusted-proxy", "x"]);
    told += &replace("--site", "nowhere");
    fs::write(house.root().join("file"), "").expect("written");
    told += &replace("--data", "file");
    for manifest in ["{", "{\"version\": 9}"] {
        fs::write(house.public().join("everseed.json"), manifest).expect("written");
        told += &with(&[]);
    }
    expect![[r#"
    "#]]
    .assert_eq(&told);
}

#[test]
fn an_unreadable_medium_is_named() {
    let house = House::new().page("a.md", &episode("A", "2026-01-01", "a.mp3")).media("a.mp3", 1000);
    let path = house.root().join("content/a.mp3");
    fs::set_permissions(&path, fs::Permissions::from_mode(0)).expect("set");
    // Root reads everything: there is nothing to see then.
    if fs::read(&path).is_ok() {
        return;
    }
    let run = house.build();
    assert_eq!(run.code, Some(3));
    assert!(run.stderr.contains("a.mp3") && run.stderr.contains("can't be read"), "{}", run.stderr);
}
