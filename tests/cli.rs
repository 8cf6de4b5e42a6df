//! The command line as a user meets it: whole output and exit code.

mod house;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt;

use expect_test::{Expect, expect};
use house::{House, KIB, Run, episode, everseed, files};

fn told(house: &House, args: &[&str], expected: &Expect) {
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
    for args in [
        &["build", "--help"][..],
        &["attach", "--help"],
        &["lock", "--help"],
        &["serve", "--help"],
        &["torrent", "create", "--help"],
    ] {
        let help = house.run(args).ok().stdout;
        let options = help.split("Options:").nth(1).expect("options");
        for option in options.split("\n  -").skip(1).flat_map(|part| part.split("\n      --")) {
            let required = ["-o, --output <FILE>", "o, --output <FILE>", "h, --help"];
            if required.iter().any(|free| option.trim_start().trim_start_matches('-').starts_with(free)) {
                continue;
            }
            assert!(option.contains("[default:"), "{args:?}: {option}");
        }
    }
}

/// The program's standard output, of which nobody reads a byte.
fn unread() -> std::io::PipeWriter {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let house = House::furnished();
    let torrent = ["torrent", "create", "content/ep1.mp3", "-o", "a.torrent"];
    for args in [&["--help"][..], &["build", "--help"], &["build"], &torrent, &["torrent", "show", "a.torrent"]] {
        let mut command = everseed();
        let mut child = command.args(args).current_dir(house.root()).stdout(unread()).stderr(unread()).spawn();
        let status = child.as_mut().expect("the program starts").wait().expect("its status");
        assert_eq!(status.code(), Some(0), "{args:?}");
    }
    for (args, code) in [(&["build", "nowhere"][..], 3), (&["biuld"], 3)] {
        let mut child = everseed().args(args).current_dir(house.root()).stderr(unread()).spawn();
        let status = child.as_mut().expect("the program starts").wait().expect("its status");
        assert_eq!(status.code(), Some(code), "{args:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_behind_stdout_is_told() {
    let house = House::furnished().described();
    house.run(&["torrent", "create", "content/ep1.mp3", "-o", "a.torrent"]).ok();
    let full = || fs::File::options().write(true).open("/dev/full").expect("it is there");
    for args in [&["torrent", "show", "a.torrent"][..], &["build", "--json"], &["--version"], &["init", "new"]] {
        let mut command = everseed();
        command.args(args).current_dir(house.root()).stdout(full()).stderr(std::process::Stdio::piped());
        let output = command.spawn().and_then(std::process::Child::wait_with_output).expect("it runs");
        let told = String::from_utf8_lossy(&output.stderr);
        let error = "error: standard output can't be written: No space left on device (os error 28)\n";
        assert!(told.ends_with(error), "{args:?}: {told}");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
    }
}

#[test]
fn a_server_whose_greeting_nobody_reads_serves_on() {
    let house = House::new().write("public/index.html", b"<p>plain");
    let mut command = everseed();
    command
        .args(["serve", "--site", "public", "--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"])
        .current_dir(house.root())
        .stdout(unread())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut line = String::new();
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    stderr.read_line(&mut line).expect("its output");
    assert!(line.contains("nothing is tracked or seeded"), "{line}");
    // It catches the signal since before that line.
    let kill = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    assert_eq!(child.wait().expect("its status").code(), Some(0));
}

#[test]
fn init_makes_a_folder_that_builds_and_refuses_one_that_is_not_empty() {
    let house = House::new();
    let dir = house.beside("");
    let init = |name: &str| Run::of(everseed().args(["init", name]).current_dir(&dir), &dir);
    expect![[r#"
        [stdout]
        my-show: a show with one episode.
        Next: `everseed serve my-show` shows it, `everseed build my-show` builds it.
        [exit 0]
    "#]]
    .assert_eq(&init("my-show").whole());
    expect![[r#"
        [stderr]
        error: my-show: the folder is not empty
          help: name a new or an empty folder
        [exit 3]
    "#]]
    .assert_eq(&init("my-show").whole());
    let quoted = init("it's a # show").ok().stdout;
    assert!(quoted.contains(r"`everseed build 'it'\''s a # show'`"), "{quoted}");
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
#[expect(clippy::too_many_lines, reason = "the snapshots are long, the story is short")]
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
        &expect![[r#"
            [stdout]
            a.torrent: 133.1 kB in 5 pieces of 32 KiB, info-hash 378bb67988014f4a25560865c952cd43057b0b81
            [exit 0]
        "#]],
    );
    told(
        &house,
        &create,
        &expect![[r#"
            [stderr]
            error: a.torrent: exists already
              help: add --force to write over it, or name another file
            [exit 3]
        "#]],
    );
    told(
        &house,
        &["torrent", "show", "a.torrent"],
        &expect![[r#"
            [stdout]
            name       a
            kind       v1
            info-hash  378bb67988014f4a25560865c952cd43057b0b81
            size       133.1 kB (133120 bytes)
            pieces     5 of 32 KiB
            private    no
            tracker    https://show.example.org/announce (tier 1)
            web seed   https://show.example.org/media/
            created by everseed 0.1.0
            file       a/1.bin (102400 bytes)
            file       a/empty (0 bytes)
            file       a/sub/2.bin (30720 bytes)
            magnet     magnet:?xt=urn:btih:378bb67988014f4a25560865c952cd43057b0b81&dn=a&xl=133120&tr=https%3A%2F%2Fshow.example.org%2Fannounce&ws=https%3A%2F%2Fshow.example.org%2Fmedia%2F
            [exit 0]
        "#]],
    );
    told(
        &house,
        &["torrent", "show", "a.torrent", "--json"],
        &expect![[r#"
            [stdout]
            {
              "name": "a",
              "kind": "v1",
              "info_hash": "378bb67988014f4a25560865c952cd43057b0b81",
              "info_hash_v2": null,
              "info_hash_v2_truncated": null,
              "bytes": 133120,
              "piece_length": 32768,
              "pieces": 5,
              "pads": 0,
              "pad_bytes": 0,
              "private": false,
              "source": null,
              "trackers": [
                [
                  "https://show.example.org/announce"
                ]
              ],
              "web_seeds": [
                "https://show.example.org/media/"
              ],
              "creation_date": null,
              "created_by": "everseed 0.1.0",
              "comment": null,
              "files": [
                {
                  "path": "a/1.bin",
                  "bytes": 102400
                },
                {
                  "path": "a/empty",
                  "bytes": 0
                },
                {
                  "path": "a/sub/2.bin",
                  "bytes": 30720
                }
              ],
              "magnet": "magnet:?xt=urn:btih:378bb67988014f4a25560865c952cd43057b0b81&dn=a&xl=133120&tr=https%3A%2F%2Fshow.example.org%2Fannounce&ws=https%3A%2F%2Fshow.example.org%2Fmedia%2F"
            }
            [exit 0]
        "#]],
    );
    told(
        &house,
        &["torrent", "magnet", "a.torrent"],
        &expect![[r#"
            [stdout]
            magnet:?xt=urn:btih:378bb67988014f4a25560865c952cd43057b0b81&dn=a&xl=133120&tr=https%3A%2F%2Fshow.example.org%2Fannounce&ws=https%3A%2F%2Fshow.example.org%2Fmedia%2F
            [exit 0]
        "#]],
    );
    told(
        &house,
        &["torrent", "verify", "a.torrent", "content/a"],
        &expect![[r#"
            [stdout]
            content/a: 5 pieces, all as the torrent says
            [exit 0]
        "#]],
    );
    let house = house.write("content/a/1.bin", &vec![7; 50 * KIB]).media("a/sub/2.bin", 30 * KIB);
    let mut second = fs::read(house.root().join("content/a/sub/2.bin")).expect("read");
    second[20 * KIB] ^= 1;
    let house = house.write("content/a/sub/2.bin", &second);
    told(
        &house,
        &["torrent", "verify", "a.torrent", "content"],
        &expect![[r#"
            [stdout]
            content/a/1.bin: has 51200 bytes, not 102400
            content/a/1.bin: bad pieces: 0, 1, 2, 3
            content/a/sub/2.bin: bad pieces: 3
            content: 4 of 5 pieces are not as the torrent says
            [exit 2]
        "#]],
    );
    told(
        &house,
        &["torrent", "verify", "a.torrent", "nowhere"],
        &expect![[r#"
            [stdout]
            nowhere/1.bin: can't be read: No such file or directory (os error 2)
            nowhere/empty: can't be read: No such file or directory (os error 2)
            nowhere/sub/2.bin: can't be read: No such file or directory (os error 2)
            nowhere/1.bin: bad pieces: 0, 1, 2, 3
            nowhere/sub/2.bin: bad pieces: 3, 4
            nowhere: 5 of 5 pieces are not as the torrent says
            [exit 2]
        "#]],
    );
    let again = ["torrent", "create", "content/a/sub/2.bin", "-o", "a.torrent", "--force", "--private"];
    told(
        &house,
        &again,
        &expect![[r#"
            [stdout]
            a.torrent: 30.7 kB in 2 pieces of 16 KiB, info-hash 0b4dd4b4e36c4585972de55a0e93b8838cafbfdd
            [exit 0]
        "#]],
    );
}

#[test]
fn yes_and_no_are_said_in_many_ways_and_an_empty_variable_says_nothing() {
    let house = House::new().page("a.md", "+++\ntitle = \"A\"\ndraft = true\n+++\n");
    let run = |command: &str, env: &[(&str, &str)]| {
        let mut program = everseed();
        Run::of(program.arg(command).current_dir(house.root()).envs(env.iter().copied()), &house.beside(""))
    };
    for (value, built) in [("1", true), ("yes", true), ("true", true), ("0", false), ("no", false), ("", false)] {
        run("build", &[("EVERSEED_DRAFTS", value)]).ok();
        assert_eq!(house.public().join("a/index.html").exists(), built, "{value:?}");
    }
    let run_wrong = run("build", &[("EVERSEED_DRAFTS", "maybe")]);
    assert_eq!(run_wrong.code, Some(3), "{}", run_wrong.stderr);
    run("build", &[("EVERSEED_OUTPUT", ""), ("EVERSEED_BASE_URL", ""), ("EVERSEED_CONFIG", "")]).ok();
    // It gets as far as an address that is none.
    let empty = ["SITE", "LISTEN", "UDP_LISTEN", "DATA", "PUBLIC_ADDRESS", "TRUSTED_PROXY", "INTERVAL", "PRODUCTION"]
        .map(|name| format!("EVERSEED_{name}"));
    let mut env: Vec<_> = empty.iter().map(|name| (name.as_str(), "")).collect();
    env.push(("EVERSEED_PEER_LISTEN", "none"));
    let stderr = run("serve", &env).stderr;
    assert!(stderr.contains("\"none\" is not an address with a port"), "{stderr}");
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
    create("", "plain.torrent").ok();
    assert!(!house.run(&["torrent", "show", "plain.torrent"]).stdout.contains("created  "));
}

#[test]
fn what_makes_no_torrent_is_refused() {
    let house = House::new().media("a.bin", 10).page("empty.bin", "").page("folder/empty.bin", "").page("none/.x", "x");
    let told: String = [
        &[
            "content/a.bin",
            "-o",
            "x",
            "--announce",
            "ftp://foo/x",
            "--announce",
            "https://",
            "--web-seed",
            "udp://a:1/",
        ][..],
        &["content/empty.bin", "-o", "x"],
        &["content/folder", "-o", "x"],
        &["content/none", "-o", "x"],
        &["content/a.bin", "-o", "content/../content/a.bin", "--force"],
        &["/dev/null", "-o", "x"],
    ]
    .iter()
    .map(|args| house.run(&[&["torrent", "create"], *args].concat()).whole())
    .collect();
    expect![[r#"
        [stderr]
        error: --announce: "ftp://foo/x" is not an announce URL
          help: write it with its scheme, https or http or udp, as https://show.example.org/announce
        error: --announce: "https://" is not an announce URL
          help: write it with its scheme, https or http or udp, as https://show.example.org/announce
        error: --web-seed: "udp://a:1/" is not the URL of a web seed
          help: write it with its scheme, https or http, as https://show.example.org/media/
        3 errors; nothing was changed
        [exit 3]
        [stderr]
        error: content/empty.bin: is empty (0 bytes)
          help: put the whole file there
        [exit 3]
        [stderr]
        error: content/folder: all files of the folder are empty
          help: put what is to be shared there
        [exit 3]
        [stderr]
        error: content/none: the folder holds no files
          help: put what is to be shared there
        [exit 3]
        [stderr]
        error: content/a.bin: is the file to share, and would be written over
          help: name another file with -o
        [exit 3]
        [stderr]
        error: /dev/null: is not a regular file
        [exit 3]
    "#]]
    .assert_eq(&told);
    assert!(!house.root().join("x").exists());
}

#[test]
fn a_torrent_in_the_folder_it_describes_is_left_out_and_web_seeds_of_folders_end_in_a_slash() {
    let house = House::new().media("a/1.bin", 10);
    let create = ["torrent", "create", "content/a", "-o", "content/a/x.torrent", "--force"];
    let first = house.run(&[&create[..], &["--web-seed", "https://a.example.org/media"]].concat()).ok();
    let again = house.run(&[&create[..], &["--web-seed", "https://a.example.org/media/"]].concat()).ok();
    assert_eq!(first, again);
    let shown = house.run(&["torrent", "show", "content/a/x.torrent"]).ok().stdout;
    assert!(shown.contains("web seed   https://a.example.org/media/\n"), "{shown}");
    assert!(shown.contains("file       a/1.bin (10 bytes)\n") && !shown.contains("a/x.torrent"), "{shown}");
    let single = ["torrent", "create", "content/a/1.bin", "-o", "y", "--web-seed", "https://a.example.org/1.bin"];
    house.run(&single).ok();
    assert!(house.run(&["torrent", "show", "y"]).ok().stdout.contains("web seed   https://a.example.org/1.bin\n"));
}

#[test]
fn what_is_no_torrent_is_told_with_its_byte() {
    let house = House::new().write("a.torrent", b"d4:infode").write("b.torrent", b"d4:infod4:name1:aee");
    told(
        &house,
        &["torrent", "show", "a.torrent"],
        &expect![[r#"
            [stderr]
            error: a.torrent: not a torrent: byte 9: the data end inside a value
              help: name a .torrent; this is none, or a part of one
            [exit 3]
        "#]],
    );
    told(
        &house,
        &["torrent", "magnet", "b.torrent"],
        &expect![[r#"
            [stderr]
            error: b.torrent: byte 7: `info.piece length` is not a positive number of bytes up to 256 MiB
              help: make it again, or get it from elsewhere; clients would refuse it too
            [exit 3]
        "#]],
    );
    told(
        &house,
        &["torrent", "create", "nothing", "-o", "c.torrent"],
        &expect![[r#"
            [stderr]
            error: nothing: can't be read: No such file or directory (os error 2)
            [exit 3]
        "#]],
    );
    told(
        &house,
        &["torrent", "create", "a.torrent", "-o", "c.torrent", "--announce", "show.example.org"],
        &expect![[r#"
            [stderr]
            error: --announce: "show.example.org" is not an announce URL
              help: write it with its scheme, https or http or udp, as https://show.example.org/announce
            [exit 3]
        "#]],
    );
    told(
        &house,
        &["torrent", "create", "a.torrent", "-o", "no/folder/c.torrent"],
        &expect![[r#"
            [stderr]
            error: no/folder/c.torrent: can't be written: No such file or directory (os error 2)
              help: make room there, or name a folder that exists and can be written
            [exit 1]
        "#]],
    );
}

#[test]
fn what_has_no_end_is_not_read() {
    let house = House::new();
    let fifo = std::process::Command::new("mkfifo").arg(house.root().join("pipe")).status();
    assert!(fifo.expect("mkfifo runs").success());
    let told: String = [
        &["torrent", "show", "/dev/zero"][..],
        &["torrent", "magnet", "pipe"],
        &["torrent", "verify", "content", "content"],
        &["build", "--config", "pipe"],
        &["build", "--config", "/dev/zero"],
        &["build", "--config", "content"],
    ]
    .iter()
    .map(|args| house.run(args).whole())
    .collect();
    expect![[r#"
        [stderr]
        error: /dev/zero: can't be read: it is not a regular file
          help: name a .torrent, which describes the files; not the files themselves
        [exit 3]
        [stderr]
        error: pipe: can't be read: it is not a regular file
          help: name a .torrent, which describes the files; not the files themselves
        [exit 3]
        [stderr]
        error: content: can't be read: it is a folder
          help: name a .torrent, which describes the files; not the files themselves
        [exit 3]
        [stderr]
        error: pipe: can't be read: it is not a regular file
        [exit 3]
        [stderr]
        error: /dev/zero: can't be read: it is not a regular file
        [exit 3]
        [stderr]
        error: content: can't be read: it is a folder
          help: name the file, such as everseed.toml, in it
        [exit 3]
    "#]]
    .assert_eq(&told);
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
        &expect![[r#"
            [stderr]
            error: content/a-no-end.md:1: the front matter has no end
              help: write a line `+++` between it and the text
            error: content/b-key.md: has no `title`
              help: add a line to its front matter: title = "..."
            error: content/b-key.md:2: unknown key `titel`
              help: did you mean `title`? Keys of your own stand in a table [extra]
            error: content/c-no-title.md: has no `title`
              help: add a line to its front matter: title = "..."
            error: content/d-no-date.md: has no `date`
              help: add a line to its front matter: date = 2026-05-01
            error: content/e-date.md:4: `date` is not a date: "yesterday"
              help: write it as 2026-05-01 or 2026-05-01T06:00:00Z
            error: content/f-missing.md:4: `media` "nowhere.mp3" does not exist
              help: a path counts from the folder of this file; one that begins with `/`, from the site's folder
            error: content/g-empty.md:4: `media` "empty.mp3" is empty (0 bytes)
              help: put the whole file there
            error: content/h-folder.md:4: `media` "folder" is a folder
              help: name a file, or all files of the folder with files = ["folder"]
            error: content/i-outside.md:4: `media` "../../outside.mp3" is outside the site's folder
              help: put the file into the site's folder; a path that begins with `/` counts from there
            error: content/j-link.md:4: `media` "link.mp3" is outside the site's folder: a symbolic link leads to DIR/outside.mp3
              help: put the file itself, or a hard link to it, into the site's folder
            error: content/l-two.md:3: has the slug `same`, as content/k-one.md has
              help: give one of the two another: slug = "..."
            error: content/n-syntax.md:2: the front matter is not TOML: invalid basic string, expected `"`
              help: write each value as `key = value`; text stands in quotation marks
            error: content/o-plain.md:1: has no front matter
              help: begin the file with a line `+++`, a line title = "...", and another line `+++`
            14 errors; nothing was changed
            [exit 3]
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
        "[site]\ntitle = A show\n",
        "[site]\ntitle = \"A\"\ntitle = \"B\"\n",
        "[site]\ntitle = \" \"\nbase_url = \"a\"\n[torrent]\npiece_length = 5\ntrackers = [\"ftp://a/b\"]\n",
        "[site]\ntitle = \"A\"\nbase_url = \"https://a.example.org/\"\ntheme = \"none\"\n",
        "[site]\ntitle = \"A\"\nbase_url = \"https://a.example.org/\"\n[show]\nimage = \"nowhere.jpg\"\n",
    ];
    let mut told = String::new();
    for toml in cases {
        told += &House::new().toml(toml).build().whole();
    }
    let server = "[serve]\nlisten = \"somewhere\"\nudp_listen = \"8080\"\n[seed]\nlisten = \"x\"\n[tracker]\ntrusted_proxies = [\"x\"]\ninterval_secs = 1\n";
    told += &House::new().toml(server).run(&["serve"]).whole();
    told += &House::new().write("everseed.toml", b"[site]\n# \xe9t\xe9\n").build().whole();
    told += &House::new().run(&["build", "nowhere"]).whole();
    told += &House::new().run(&["build", "--base-url", "x"]).whole();
    expect![[r#"
        [stderr]
        error: everseed.toml:3: unknown key `baseurl`
          help: did you mean `base_url`?
        [exit 3]
        [stderr]
        error: everseed.toml:3: `base_url`: "a.example.org" is not a base URL: it does not begin with https://
          help: write it as https://show.example.org/ or https://example.org/show/
        [exit 3]
        [stderr]
        error: everseed.toml:1: `title` is missing
          help: add a line `title = ...`
        [exit 3]
        [stderr]
        error: everseed.toml: there is no table `[site]`
          help: add `[site]` with `title = ...` and `base_url = ...`
        [exit 3]
        [stderr]
        error: everseed.toml:1: unclosed table, expected `]`
          help: write the name of a table in brackets, on a line of its own: `[table]`
        [exit 3]
        [stderr]
        error: everseed.toml:2: `title`: string values must be quoted, expected literal string
          help: write each value as `key = value`; text stands in quotation marks
        [exit 3]
        [stderr]
        error: everseed.toml:3: `title` stands twice
          help: keep one of the two
        [exit 3]
        [stderr]
        error: everseed.toml:2: `title`: it is empty
          help: give the site a title
        error: everseed.toml:3: `base_url`: "a" is not a base URL: it does not begin with https://
          help: write it as https://show.example.org/ or https://example.org/show/
        error: everseed.toml:5: `piece_length`: a piece length is a power of two from 16384 to 16777216 bytes, not 5
          help: write a number of bytes, 16384 doubled up to 16777216, such as 262144, or leave it out
        error: everseed.toml:6: `trackers`: "ftp://a/b" is not an announce URL
          help: write it with its scheme, https or http or udp, as https://show.example.org/announce
        4 errors; nothing was changed
        [exit 3]
        [stderr]
        error: everseed.toml: `theme`: there is no theme "none"
          help: the themes are default; one of your own stands in themes/<name>/templates
        [exit 3]
        [stderr]
        error: everseed.toml: `image` "nowhere.jpg" does not exist
          help: a path counts from the folder of this file; one that begins with `/`, from the site's folder
        [exit 3]
        [stderr]
        error: everseed.toml:2: `listen`: "somewhere" is not an address with a port
          help: write it as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
        error: everseed.toml:3: `udp_listen`: "8080" is not an address with a port
          help: write it as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
        error: everseed.toml:5: `listen`: "x" is not an address with a port
          help: write it as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
        error: everseed.toml:7: `trusted_proxies`: not a network: "x"; write an address or a block of them, as 127.0.0.1, 10.0.0.0/8 or fd00::/8
        error: everseed.toml:8: `interval_secs`: 1 seconds are out of range
          help: name 60 to 86400 seconds
        5 errors; nothing was changed
        [exit 3]
        [stderr]
        error: everseed.toml:2: is not UTF-8
          help: save it as UTF-8
        [exit 3]
        [stderr]
        error: nowhere/everseed.toml: can't be read: No such file or directory (os error 2)
          help: name the folder that holds everseed.toml, or make one with `everseed init FOLDER`
        [exit 3]
        [stderr]
        error: --base-url: "x" is not a base URL: it does not begin with https://
          help: write it as https://show.example.org/ or https://example.org/show/
        [exit 3]
    "#]]
    .assert_eq(&told);
}

/// What was said of an address of which nobody knows the port before.
fn without_port(text: &str, addr: &str) -> String {
    let port = addr.rsplit(':').next().expect("a port");
    text.replace(addr, "ADDR").replace(port, "PORT")
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
        without_port(&house.run(&args).whole(), &port)
    };
    let replace = |flag: &str, value: &str| {
        let mut args = site.to_vec();
        let at = args.iter().position(|arg| *arg == flag).expect("it is there");
        args[at + 1] = value;
        without_port(&house.run(&args).whole(), &port)
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
        [stderr]
        error: TCP port PORT is in use (ADDR)
          help: stop what uses it, or take another one with `--listen 127.0.0.1:PORT` (0 takes any free one)
        [exit 1]
        [stderr]
        error: TCP port PORT is in use (ADDR)
          help: stop what uses it, or take another one with `--peer-listen 127.0.0.1:PORT` (0 takes any free one)
        [exit 1]
        [stderr]
        error: --listen: "somewhere" is not an address with a port
          help: write it as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080
        [exit 3]
        [stderr]
        error: --trusted-proxy: not a network: "x"; write an address or a block of them, as 127.0.0.1, 10.0.0.0/8 or fd00::/8
        [exit 3]
        [stderr]
        error: DIR/show/nowhere: can't be opened: No such file or directory (os error 2)
          help: name the folder of a built site
        [exit 3]
        [stderr]
        error: file: the data folder can't be made: File exists (os error 17)
          help: name a folder that can be written with `--data DIR`
        [exit 1]
        [stderr]
        error: DIR/show/public/everseed.json:1: not a manifest: EOF while parsing an object at line 1 column 1
          help: build the site again; the format is described in the README
        [exit 3]
        [stderr]
        error: DIR/show/public/everseed.json: a manifest of version 9; this everseed reads version 1
          help: use the version of everseed that built this site, or build it again with this one
        [exit 3]
    "#]]
    .assert_eq(&told);
}

#[test]
fn an_unreadable_medium_is_named() {
    let house = House::new().page("a.md", &episode("A", "2026-01-01", "a.mp3")).media("a.mp3", 1000);
    let path = house.root().join("content/a.mp3");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).expect("set");
    // Root reads everything: there is nothing to see then.
    if fs::read(&path).is_ok() {
        return;
    }
    let run = house.build();
    assert_eq!(run.code, Some(3));
    assert!(run.stderr.contains("a.mp3") && run.stderr.contains("can't be read"), "{}", run.stderr);
}
