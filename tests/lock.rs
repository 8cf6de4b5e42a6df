//! The lock: what it says, what a build from it alone is, and what keeps a published torrent what it is.

mod house;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use expect_test::expect;
use house::web::{File, Web};
use house::{House, KIB, Run, episode, everseed, files, mp3, noise};

/// What comes between [`House::furnished`] and a show that takes all the ways: links to media, and one that is elsewhere.
fn furnished(web: &Web) -> House {
    web.put("far.mp3", File::of(&mp3(3, 200 * KIB)));
    let house = House::furnished().described().page(
        "about.md",
        "+++\ntitle = \"About\"\n+++\n[listen](ep1.mp3) [a](set/a.bin) [b](/content/set/sub/b.bin)\n",
    );
    let far = episode("Far", "2026-05-03", &web.url("far.mp3"));
    if cfg!(feature = "fetch") { house.page("far.md", &far) } else { house }
}

/// Everything that version control has of a show whose media are left out of it.
fn clone_of(house: &House) -> House {
    let is_kept = |name: &str| {
        let is_media = [".mp3", ".bin", ".txt"].iter().any(|end| name.ends_with(end));
        !is_media && !name.starts_with("public/") && !name.starts_with(".everseed/")
    };
    let kept = files(&house.root()).into_iter().filter(|(name, _)| is_kept(name));
    kept.fold(House::new(), |clone, (name, bytes)| clone.write(&name, &bytes))
}

/// What is built, without the media themselves.
fn built(house: &House) -> BTreeMap<String, Vec<u8>> {
    let mut made = files(&house.public());
    made.retain(|name, _| !name.starts_with("media/"));
    made
}

#[track_caller]
fn equal(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
    for (name, bytes) in one {
        assert!(*bytes == other[name], "{name} differs");
    }
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("a text")
}

fn with_env(house: &House, args: &[&str], variable: (&str, &str)) -> Run {
    Run::of(everseed().args(args).env(variable.0, variable.1).current_dir(house.root()), &house.beside(""))
}

#[test]
fn a_build_without_media_gives_the_same_bytes_for_every_kind_of_torrent() {
    let web = Web::new();
    for kind in ["v1", "v2", "hybrid"] {
        let house = furnished(&web);
        let toml = read(house.root().join("everseed.toml")) + &format!("[torrent]\nkind = \"{kind}\"\n");
        let house = house.toml(&toml);
        house.build().ok();
        let clone = clone_of(&house);
        web.asked();
        let run = clone.run(&["build", "--locked"]).ok();
        assert!(web.asked().is_empty(), "{kind}");
        assert_eq!(
            run.stderr.contains("do not complete a v2 torrent of several files"),
            kind == "v2",
            "{}",
            run.stderr
        );
        equal(&built(&clone), &built(&house));
        assert!(!clone.public().join("media").exists());
        // Again it finds nothing to do, and the lock is as it was.
        let again = clone.run(&["build", "--locked"]).ok();
        assert!(again.stdout.contains("hashed 0 files (0 B), wrote 0, removed 0"), "{}", again.stdout);
        assert!(fs::read(clone.root().join("everseed.lock")).ok() == fs::read(house.root().join("everseed.lock")).ok());
    }
}

#[test]
fn a_build_from_the_lock_does_not_look_at_media_that_are_there() {
    let house = House::furnished().described();
    house.run(&["lock"]).ok();
    house.build().ok();
    let before = built(&house);
    let house = house.media("ep1.mp3", KIB).write("content/ep2.mp3", b"");
    fs::remove_file(house.root().join("content/set/a.bin")).expect("removed");
    house.run(&["build", "--locked"]).ok();
    equal(&built(&house), &before);
    fs::remove_dir_all(house.public()).expect("removed");
    with_env(&house, &["build"], ("EVERSEED_LOCKED", "1")).ok();
    equal(&built(&house), &before);
    assert!(!house.public().join("media").exists());
    assert_eq!(with_env(&house, &["build"], ("EVERSEED_LOCKED", "0")).code, Some(3), "it looks at the media");
}

#[test]
fn what_is_wrong_with_a_lock_stops_a_build_from_it_and_leaves_the_site() {
    let house = House::furnished().described();
    house.build().ok();
    let (before, whole) = (files(&house.public()), files(&house.root()));
    let lock = read(house.root().join("everseed.lock"));
    let torrent = |name: &str| whole[&format!("torrents/{name}.torrent")].clone();
    let conflict = lock.replace("[media.ep2]", "<<<<<<< HEAD\n[media.ep2]");
    let cases: [(&str, Option<Vec<u8>>); 6] = [
        ("everseed.lock", Some(conflict.into_bytes())),
        ("everseed.lock", Some(lock.replace("version = 1", "version = 9").into_bytes())),
        ("everseed.lock", Some(format!("{}piece", lock.split_once("piece_length").expect("a record").0).into_bytes())),
        ("everseed.lock", None),
        ("torrents/ep1.torrent", None),
        ("torrents/ep1.torrent", Some(torrent("ep2"))),
    ];
    let mut told = String::new();
    for (name, bytes) in cases {
        let path = house.root().join(name);
        match bytes {
            Some(bytes) => fs::write(&path, bytes).expect("written"),
            None => fs::remove_file(&path).expect("removed"),
        }
        let run = house.run(&["build", "--locked"]);
        told += &run.whole();
        assert!(files(&house.public()) == before, "{name}");
        fs::write(path, &whole[name]).expect("written");
    }
    told += &house.run(&["build", "--locked", "--accept-changed"]).whole();
    expect![[r#"
        [stderr]
        error: everseed.lock:16: holds a merge conflict that is not resolved
          help: keep the records of both sides and take the marked lines out; then `everseed lock`
        [exit 3]
        [stderr]
        error: everseed.lock: is of version 9; this everseed reads 1
          help: use the version of everseed that wrote it, or make it anew with this one
        [exit 3]
        [stderr]
        error: everseed.lock:9: key with no value, expected `=`
          help: write each value as `key = value`; text stands in quotation marks
        [exit 3]
        [stderr]
        error: everseed.lock: is missing
          help: run `everseed lock` where the media are, and keep what it writes in version control
        [exit 3]
        [stderr]
        error: torrents/ep1.torrent: is missing; everseed.lock has a record of it
          help: take it from version control, or run `everseed lock` where the media are
        [exit 3]
        [stderr]
        error: torrents/ep1.torrent: has the info-hash a1fa75228a293c219553145aaf24d58d3cc6922b, and everseed.lock says e40f9fc054874c25db1463d1115da237f938ec48
          help: take it from version control, or run `everseed lock` where the media are
        [exit 3]
        [stderr]
        error: --locked and --accept-changed contradict each other
          help: `everseed lock --accept-changed` changes what is locked
        [exit 3]
    "#]].assert_eq(&told);
    house.run(&["build", "--locked"]).ok();
    // What is typed comes before the environment.
    with_env(&house, &["build", "--accept-changed"], ("EVERSEED_LOCKED", "0")).ok();
}

#[test]
fn a_lock_is_brought_up_to_date_verified_and_pruned() {
    let house = House::furnished().described();
    let mut told = String::new();
    let mut tell = |house: &House, args: &[&str]| {
        told.extend(["$ ", &args.join(" "), "\n", &house.run(args).whole()]);
    };
    tell(&house, &["lock", "--verify"]);
    tell(&house, &["lock"]);
    tell(&house, &["lock", "--json"]);
    tell(&house, &["lock", "--verify"]);
    let house = house.write("content/ep1.mp3", &mp3(9, 300 * KIB));
    fs::remove_file(house.root().join("content/ep2.md")).expect("removed");
    fs::remove_file(house.root().join("content/set/sub/b.bin")).expect("removed");
    let lock = read(house.root().join("everseed.lock"));
    tell(&house, &["lock", "--verify"]);
    tell(&house, &["lock"]);
    assert_eq!(read(house.root().join("everseed.lock")), lock);
    tell(&house, &["lock", "--accept-changed", "--prune", "--json"]);
    assert_eq!(files(&house.root().join("torrents")).len(), 2);
    tell(&house, &["lock", "--verify"]);
    tell(&house, &["lock", "--verify", "--prune"]);
    expect![[r#"
        $ lock --verify
        [stderr]
        error: everseed.lock: is missing
          help: run `everseed lock` where the media are, and keep what it writes in version control
        [exit 3]
        $ lock
        [stdout]
        everseed.lock: 3 records; added 3, changed 0, removed 0; hashed 5 files (1.5 MB)
        [exit 0]
        $ lock --json
        [stdout]
        {"lock":"everseed.lock","records":3,"added":0,"changed":0,"unchanged":3,"removed":0,"files_hashed":0,"bytes_hashed":0,"warnings":[]}
        [exit 0]
        $ lock --verify
        [stdout]
        everseed.lock: 3 releases, all as it says
        [exit 0]
        $ lock --verify
        [stdout]
        content/set/index.md: the medium of `set`: its info-hash is 5a51478e0867b289108ee5c84c960581de0fd929, and was d4849d3470f79061dae2e2e8b0cd94c079a62437 when it was published (102401 bytes, and was 153601)
        content/ep1.md: the medium of `ep1`: its info-hash is 4de009cfbc7e7e9db81c2d271f3563f29b201332, and was e40f9fc054874c25db1463d1115da237f938ec48 when it was published
        everseed.lock: `ep2` has a record, and no page that is published
          help: take it out with `everseed lock --prune`, if it is not to come back
        everseed.lock: 2 releases, 3 findings
        [exit 2]
        $ lock
        [stderr]
        error: content/ep1.md: the torrent of `ep1` would become another one: its info-hash is 4de009cfbc7e7e9db81c2d271f3563f29b201332, and was e40f9fc054874c25db1463d1115da237f938ec48 when it was published
          help: what is published under a name stays as it is: give the new one another slug, take the setting back, or say that it is meant with --accept-changed
        error: content/set/index.md: the torrent of `set` would become another one: its info-hash is 5a51478e0867b289108ee5c84c960581de0fd929, and was d4849d3470f79061dae2e2e8b0cd94c079a62437 when it was published (102401 bytes, and was 153601)
          help: what is published under a name stays as it is: give the new one another slug, take the setting back, or say that it is meant with --accept-changed
        2 errors; nothing was changed
        [exit 2]
        $ lock --accept-changed --prune --json
        [stdout]
        {"lock":"everseed.lock","records":2,"added":0,"changed":2,"unchanged":0,"removed":1,"files_hashed":0,"bytes_hashed":0,"warnings":[]}
        [exit 0]
        $ lock --verify
        [stdout]
        everseed.lock: 2 releases, all as it says
        [exit 0]
        $ lock --verify --prune
        [stderr]
        error: the argument '--verify' cannot be used with '--prune'

        Usage: everseed lock --verify [ROOT]

        For more information, try '--help'.
        [exit 3]
    "#]].assert_eq(&told);
    assert!(!house.public().exists());
}

#[test]
fn the_kind_of_a_torrent_is_a_setting_a_key_a_variable_or_a_flag() {
    let kinds = |house: &House| -> Vec<String> {
        let kind = |(_, bytes)| everseed::metainfo::parse(bytes).expect("a torrent").metainfo.info.kind().to_string();
        let mut made = files(&house.public().join("torrents"));
        made.retain(|name, _| name.ends_with(".torrent"));
        made.into_iter().map(kind).collect()
    };
    let show = |setting: &str| {
        let house = House::new().described();
        let toml = read(house.root().join("everseed.toml")) + setting;
        let own = episode("One", "2026-05-01", "ep.mp3").replace("media", "kind = \"v2\"\nmedia");
        let house = house.toml(&toml).page("ep1.md", &own).media("ep.mp3", 100 * KIB);
        house.page("ep2.md", &episode("Two", "2026-05-02", "ep.mp3"))
    };
    let house = show("");
    house.build().ok();
    assert_eq!(kinds(&house), ["v2", "v1"]);
    let run = house.run(&["build", "--kind", "hybrid"]);
    expect![[r#"
        [stderr]
        error: content/ep2.md: the torrent of `ep2` would become another one: its info-hash is cf52e217fd314b434d9f4b731a1280d484f42f98 and c2a95fd3b5dea586607d9da963f29192edca95e4da28e3c2ff091bad5bb54e6b, and was 8f233bc3d13bbf9513626dc0c989854b9c07d525 when it was published (of kind hybrid, and was v1)
          help: what is published under a name stays as it is: give the new one another slug, take the setting back, or say that it is meant with --accept-changed
        [exit 2]
    "#]].assert_eq(&run.whole());
    assert_eq!(kinds(&house), ["v2", "v1"]);
    expect![[r#"
        [stderr]
        error: content/ep2.md: the kind of its torrent is hybrid, and everseed.lock was made with v1
          help: run `everseed lock --accept-changed` where the media are, or take the setting back
        [exit 3]
    "#]]
    .assert_eq(&house.run(&["build", "--locked", "--kind", "hybrid"]).whole());
    house.run(&["build", "--kind", "hybrid", "--accept-changed"]).ok();
    assert_eq!(kinds(&house), ["v2", "hybrid"]);

    let house = show("[torrent]\nkind = \"hybrid\"\n");
    house.build().ok();
    assert_eq!(kinds(&house), ["v2", "hybrid"]);
    let house = show("[torrent]\nkind = \"hybrid\"\n");
    with_env(&house, &["build"], ("EVERSEED_KIND", "v1")).ok();
    assert_eq!(kinds(&house), ["v2", "v1"]);
    let house = show("[torrent]\nkind = \"hybrid\"\n");
    with_env(&house, &["build", "--kind", "v2"], ("EVERSEED_KIND", "v1")).ok();
    assert_eq!(kinds(&house), ["v2", "v2"]);
    expect![[r#"
        [stderr]
        error: invalid value 'v3' for '--kind <KIND>': "v3" is no kind of torrent; write v1, v2 or hybrid

        For more information, try '--help'.
        [exit 3]
    "#]]
    .assert_eq(&house.run(&["lock", "--kind", "v3"]).whole());
}

#[test]
fn episodes_of_two_branches_meet_in_one_lock() {
    let house = House::furnished().described().write(".gitignore", b"*.mp3\npublic/\n.everseed/\n");
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Author", "-c", "user.email=author@example.org"]).args(args);
        // Nothing of the machine's own settings.
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        Run::of(command.current_dir(house.root()), &house.beside(""))
    };
    let add = |house: &House, slug: &str| {
        let page = episode("New", "2026-06-01", &format!("{slug}.mp3"));
        fs::write(house.root().join(format!("content/{slug}.md")), page).expect("written");
        fs::write(house.root().join(format!("content/{slug}.mp3")), mp3(slug.len() as u64, 10 * KIB)).expect("written");
        house.run(&["lock"]).ok();
        git(&["add", "."]).ok();
        git(&["commit", "--quiet", "-m", slug]).ok();
    };
    git(&["init", "--quiet", "--initial-branch=main"]).ok();
    house.run(&["lock"]).ok();
    git(&["add", "."]).ok();
    git(&["commit", "--quiet", "-m", "a show"]).ok();
    for (branch, slug) in [("one", "a-first"), ("two", "z-last"), ("three", "z-lasting")] {
        git(&["switch", "--quiet", "--create", branch, "main"]).ok();
        // Media are not in version control: each author has those of the show.
        let leave = |name: &str| fs::remove_file(house.root().join(format!("content/{name}.mp3")));
        let _ = ["a-first", "z-last"].map(leave);
        add(&house, slug);
    }
    git(&["switch", "--quiet", "main"]).ok();
    git(&["merge", "--quiet", "one"]).ok();
    git(&["merge", "--quiet", "--no-edit", "two"]).ok();
    let run = house.run(&["build", "--locked", "--json"]).ok();
    assert!(run.stdout.contains("\"torrents\":5"), "{}", run.stdout);
    // Neighbours: version control cannot tell one from the other.
    assert_eq!(git(&["merge", "--quiet", "three"]).code, Some(1));
    let mut told = String::new();
    for args in [&["build", "--locked"][..], &["lock"]] {
        told += &house.run(args).whole();
    }
    expect![[r#"
        [stderr]
        error: everseed.lock:48: holds a merge conflict that is not resolved
          help: keep the records of both sides and take the marked lines out; then `everseed lock`
        [exit 3]
        [stderr]
        error: everseed.lock:48: holds a merge conflict that is not resolved
          help: keep the records of both sides and take the marked lines out; then `everseed lock`
        [exit 3]
    "#]]
    .assert_eq(&told);
    // As the message says: both records are kept.
    let lock = read(house.root().join("everseed.lock"));
    let both = lock.lines().filter(|line| !["<<<", "===", ">>>"].iter().any(|marker| line.starts_with(marker)));
    fs::write(house.root().join("everseed.lock"), both.collect::<Vec<_>>().join("\n")).expect("written");
    assert!(house.run(&["build", "--locked", "--json"]).ok().stdout.contains("\"torrents\":6"));
}

#[test]
fn media_that_are_cut_or_noise_are_told_of_and_published() {
    let whole = include_bytes!("../site-example/content/ep001.mp3");
    let house = House::new()
        .described()
        .write("content/noise.mp3", &noise(1, 100 * KIB))
        .write("content/noise.m4a", &noise(2, 100 * KIB))
        .write("content/text.ogg", b"no sound at all")
        .write("content/cut.mp3", &whole[..whole.len() / 2])
        .page("a.md", &episode("A", "2026-05-01", "noise.mp3"))
        .page("b.md", &episode("B", "2026-05-02", "noise.m4a"))
        .page("c.md", &episode("C", "2026-05-03", "text.ogg"))
        .page("d.md", &episode("D", "2026-05-04", "cut.mp3"));
    let run = house.build();
    expect![[r#"
        [stdout]
        ./public: 6 pages, 4 torrents; hashed 4 files (514.6 kB), wrote 23, removed 0, left 0 as they were
        [stderr]
        warning: content/d.md: content/cut.mp3: its last frame is cut off
        warning: content/d.md: content/cut.mp3: it is cut off: it holds 1479 of 2962 frames
        warning: content/c.md: content/text.ogg: its name says audio/ogg, but its content is not
        warning: content/b.md: content/noise.m4a: its name says audio/mp4, but its content is not
        warning: content/a.md: content/noise.mp3: its name says audio/mpeg, but its content is not
        [exit 0]
    "#]]
    .assert_eq(&run.whole());
    // As long as they are so.
    assert_eq!(house.build().stderr, run.stderr);
    fs::remove_dir_all(house.root().join(".everseed")).expect("removed");
    let before = built(&house);
    house.run(&["build", "--locked", "-o", "elsewhere"]).ok();
    let mut other = files(&house.root().join("elsewhere"));
    other.retain(|name, _| !name.starts_with("media/"));
    equal(&other, &before);
}
