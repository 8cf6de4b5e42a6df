//! What is wrong with a site is told whole, and the former output stays.

use std::fs;
use std::os::unix::fs::symlink;

use expect_test::expect;

use super::super::{Error, build};
use super::{EP1, EP2, House, two_episodes};

#[test]
fn paths_that_no_torrent_holds_are_refused() {
    let deep = "d/".repeat(60);
    let long = "x".repeat(200);
    let house = House::new()
        .page("a.md", "+++\ntitle = \"A\"\ndate = 2026-05-02\nfiles = [\"d\"]\n+++\n")
        .page("b.md", &format!("+++\ntitle = \"B\"\ndate = 2026-05-02\nfiles = [\"{deep}f\"]\n+++\n"))
        .file(&format!("content/{deep}f"), "f")
        .page("c.md", "+++\ntitle = \"C\"\ndate = 2026-05-02\nfiles = [\"l\"]\n+++\n")
        .file(&format!("content/l/{}", [long.as_str(); 11].join("/")), "f")
        .file("content/l/m", "m")
        .file("static/d/x", "x")
        .file(&format!("static/{deep}{deep}f"), "f");
    let told = house.faults().replace(&deep, "d/...").replace(&long, "x...").replace("d/d/d/", "");
    expect![[r#"
        content/a.md:4: `files` "d" holds folders in folders beyond 48
          help: pack them into an archive
        content/b.md:4: content/d/...f has a path of more than 48 names or 2000 bytes
          help: move the file nearer to the page
        content/c.md:4: content/l/x.../x.../x.../x.../x.../x.../x.../x.../x.../x.../x... has a path of more than 48 names or 2000 bytes
          help: move the file nearer to the page
        static/d/...d: stands in folders beyond 64, and is not read
          help: move it nearer"#]].assert_eq(&told);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one line a fault, and one run for all")]
fn every_fault_of_the_content_is_told_in_one_run() {
    let page = |lines: &str| format!("+++\n{lines}\n+++\n");
    let episode = |lines: &str| page(&format!("title = \"T\"\ndate = 2026-05-01\n{lines}"));
    let house = House::new()
        .page("a-unknown.md", &episode("medai = \"ok.mp3\""))
        .page("b-no-front.md", "# Hello\n")
        .page("c-no-end.md", "+++\ntitle = \"a\"\n")
        .page("d-syntax.md", &page("title = \"a\ndate = 2026-05-01"))
        .page("e-missing.md", &page("media = \"ok.mp3\""))
        .page("f-date.md", &page("title = \"T\"\nmedia = \"ok.mp3\"\ndate = \"yesterday\""))
        .page("g-gone.md", &episode("media = \"okk.mp3\""))
        .page("h-empty.md", &episode("media = \"empty.mp3\""))
        .page("i-folder.md", &episode("media = \"folder\""))
        .page("j-loop.md", &episode("media = \"loop.mp3\""))
        .page("k-outside.md", &episode("media = \"../../secret.mp3\""))
        .page("l-link.md", &episode("media = \"link.mp3\""))
        .page("m-url.md", &episode("media = \"https://a.example.org/a.mp3\""))
        .page("n-both.md", &episode("media = \"ok.mp3\"\nfiles = [\"ok.mp3\"]"))
        .page("o-twice.md", &episode("media = \"ok.mp3\"\nslug = \"same\""))
        .page("p-twice.md", &episode("media = \"ok.mp3\"\nslug = \"same\""))
        .page("q-slug.md", &episode("media = \"ok.mp3\"\nslug = \"Hello World\""))
        .page("r-files.md", &episode("files = [\"ok.mp3\", \"nope\", \".dot\", \"folder\", \"empty.mp3\"]"))
        .page("s-cases.md", &episode("files = [\"case/A\", \"case/a\", \"case/A\"]"))
        .page("t-image.md", &page("title = \"T\"\nimage = \"ok.mp3\""))
        .page("media.md", &page("title = \"T\""))
        .page("u-link.md", "+++\ntitle = \"T\"\n+++\n\n[a](../../secret.mp3)\n")
        .page("---.md", &page("title = \"T\""))
        .page("v-latin.md", "")
        .page("index.md", &page("media = \"ok.mp3\""))
        .file("content/ok.mp3", "ok")
        .file("content/empty.mp3", "")
        .file("content/.dot", "dot")
        .file("content/case/A", "1")
        .file("content/case/a", "2")
        .file("../secret.mp3", "secret")
        .file("content/v-latin.md", b"+++\ntitle = \"\xfc\"\n+++\n")
        .with(|options| {
            options.show.image = Some("cover.jpg".into());
            options.config_path = "show/other.toml".into();
        });
    fs::create_dir(house.root().join("content/folder")).expect("made");
    symlink("loop.mp3", house.root().join("content/loop.mp3")).expect("linked");
    symlink("../../secret.mp3", house.root().join("content/link.mp3")).expect("linked");
    expect![[r#"
        content/---.md: its name gives no address of 1 to 120 characters
          help: add a line to its front matter: slug = "..."
        content/a-unknown.md:4: unknown key `medai`
          help: did you mean `media`? Keys of your own stand in a table [extra]
        content/b-no-front.md:1: has no front matter
          help: begin the file with a line `+++`, a line title = "...", and another line `+++`
        content/c-no-end.md:1: the front matter has no end
          help: write a line `+++` between it and the text
        content/d-syntax.md:2: the front matter is not TOML: invalid basic string, expected `"`
          help: write each value as `key = value`; text stands in quotation marks
        content/e-missing.md: has no `date`
          help: add a line to its front matter: date = 2026-05-01
        content/e-missing.md: has no `title`
          help: add a line to its front matter: title = "..."
        content/f-date.md:4: `date` is not a date: "yesterday"
          help: write it as 2026-05-01 or 2026-05-01T06:00:00Z
        content/g-gone.md:4: `media` "okk.mp3" does not exist
          help: did you mean `ok.mp3`?
        content/h-empty.md:4: `media` "empty.mp3" is empty (0 bytes)
          help: put the whole file there
        content/i-folder.md:4: `media` "folder" is a folder
          help: name a file, or all files of the folder with files = ["folder"]
        content/index.md:2: is the home page, which is no release
          help: move it into a folder of its own: content/ep1/index.md
        content/j-loop.md:4: `media` "loop.mp3" can't be read: Too many levels of symbolic links (os error 40)
          help: make it readable for the user who builds
        content/k-outside.md:4: `media` "../../secret.mp3" is outside the site's folder
          help: put the file into the site's folder; a path that begins with `/` counts from there
        content/l-link.md:4: `media` "link.mp3" is outside the site's folder: a symbolic link leads to [folder]/secret.mp3
          help: put the file itself, or a hard link to it, into the site's folder
        content/media.md: has the slug `media`, which is an address of the site's own
          help: give it another: slug = "..."
        content/n-both.md:4: has both `media` and `files`
          help: keep `media` for one file, or `files` for several
        content/p-twice.md:5: has the slug `same`, as content/o-twice.md has
          help: give one of the two another: slug = "..."
        content/q-slug.md:5: `slug` "Hello World" holds more than a-z, 0-9 and single `-`
          help: write it as slug = "hello-world"
        content/r-files.md:4: `files` ".dot" is a dot-file, which page hosts drop
          help: give it a name without the dot
        content/r-files.md:4: `files` "empty.mp3" is empty (0 bytes)
          help: put the whole file there
        content/r-files.md:4: `files` "folder" is a folder without files
          help: put files into it, or leave it out
        content/r-files.md:4: `files` "nope" does not exist
          help: a path counts from the folder of this file; one that begins with `/`, from the site's folder
        content/s-cases.md:4: content/case/A and content/case/A have the same path in the torrent: "case/A"
          help: name each file once, and rename one where only upper and lower case or the Unicode form differ
        content/s-cases.md:4: content/case/A and content/case/a have the same path in the torrent: "case/a"
          help: name each file once, and rename one where only upper and lower case or the Unicode form differ
        content/t-image.md:3: `image` "ok.mp3" is of no known kind
          help: its name ends in one of .avif .gif .jpeg .jpg .png .svg .webp
        content/u-link.md:5: link "../../secret.mp3" is outside the site's folder
          help: put the file into the site's folder; a path that begins with `/` counts from there
        content/v-latin.md:2: is not UTF-8
          help: save it as UTF-8
        show/other.toml: `image` "cover.jpg" does not exist
          help: a path counts from the folder of this file; one that begins with `/`, from the site's folder"#]].assert_eq(&house.faults());
    assert!(!house.out().exists(), "nothing is written");
}

#[test]
fn a_link_publishes_nothing_that_is_not_for_readers() {
    let draft = EP1.replace("media", "draft = true\nmedia");
    let house = House::with_episode()
        .page("draft.md", &draft.replace("ep1.mp3", "secret.mp3"))
        .page("set/index.md", "+++\ndraft = true\nfiles = [\"data\", \"gone\"]\n+++\n")
        // Its medium is that of an episode also.
        .page("shared.md", &draft)
        .page(
            "links.md",
            "+++\ntitle = \"T\"\n+++\n[a](../everseed.toml) [b](/other.toml)\n[c](secret.mp3) [d](set/data/x.bin)\n\
             [e](/.everseed/hashes) ![f](.private/a/me.jpg)\n[g](/templates/index.html) [h](/themes/mine/notes.txt)\n\
             [i](/remembered/x) [k](/public/index.html)\n[fine](ep1.mp3) [fine](/static/logo.svg)\n",
        )
        .with(|options| options.config_path = options.root.join("other.toml"));
    let files = [
        "everseed.toml",
        "other.toml",
        "content/secret.mp3",
        "content/set/data/x.bin",
        ".everseed/hashes",
        "content/.private/a/me.jpg",
        "themes/mine/notes.txt",
        "remembered/x",
        "static/logo.svg",
    ];
    files.iter().for_each(|file| house.write(file, "secret"));
    house.write("templates/index.html", "home");
    let root = house.root();
    house.write("public/everseed.json", "{}");
    house.write("public/index.html", "home");
    let built = build(&house.options, &root.join("public"), &root.join("remembered"), &());
    let Err(Error::Content(problems)) = built else { panic!("it is refused: {built:?}") };
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    expect![[r#"
        content/links.md:4: link "../everseed.toml" leads to the configuration of the site, which is not published
          help: take the link away; what readers may have stands beside the page, or in static/
        content/links.md:4: link "/other.toml" leads to the configuration of the site, which is not published
          help: take the link away; what readers may have stands beside the page, or in static/
        content/links.md:5: link "secret.mp3" leads to the medium of a draft, which is not built
          help: publish the draft, or take the link away
        content/links.md:5: link "set/data/x.bin" leads to the medium of a draft, which is not built
          help: publish the draft, or take the link away
        content/links.md:6: image ".private/a/me.jpg" leads to a dot-file, or one in such a folder, which is not published
          help: give it a name without the dot, and its folder too
        content/links.md:6: link "/.everseed/hashes" leads to a dot-file, or one in such a folder, which is not published
          help: give it a name without the dot, and its folder too
        content/links.md:7: link "/templates/index.html" leads to a template of the site, which is not published
          help: take the link away; what readers may have stands beside the page, or in static/
        content/links.md:7: link "/themes/mine/notes.txt" leads to a part of a theme, which is not published
          help: take the link away; what readers may have stands beside the page, or in static/
        content/links.md:8: link "/public/index.html" leads to the output of builds, which is not published
          help: take the link away; what readers may have stands beside the page, or in static/
        content/links.md:8: link "/remembered/x" leads to what builds remember, which is not published
          help: take the link away; what readers may have stands beside the page, or in static/"#]].assert_eq(&told.join("\n"));
}

#[test]
fn a_site_without_content_says_what_to_do() {
    let house = House::new();
    fs::remove_dir(house.root().join("content")).expect("removed");
    expect![[r#"
        content: there is no such folder
          help: make it, and write a page into it: content/ep1.md"#]]
    .assert_eq(&house.faults());
    fs::remove_dir(house.root()).expect("removed");
    expect![[r#"
        [folder]/site: there is no such folder
          help: name the folder that holds everseed.toml, or make one with `everseed init`"#]]
    .assert_eq(&house.faults());
}

#[test]
fn a_build_that_fails_leaves_the_former_site() {
    let house = two_episodes();
    house.build();
    let before = house.contents();
    house.write("content/ep2.md", EP2.replace("2026", "26"));
    house.write("content/ep1.md", EP1.replace("One", "Another"));
    assert!(matches!(house.try_build(), Err(Error::Content(_))));
    assert_eq!(house.contents(), before);
    house.write("content/ep2.md", EP2);
    house.write("templates/index.html", "{{ nothing.here }}");
    expect![[r#"
        templates/index.html:1: undefined value: `nothing` is undefined
          help: the templates of themes/default show the names there are; ask `is defined` for one of your own"#]]
    .assert_eq(&house.faults());
    house.write("templates/index.html", "\n{% if %}");
    expect![[r#"
        templates/index.html:2: syntax error: unexpected end of block
          help: the template language is that of Jinja2"#]]
    .assert_eq(&house.faults());
    house.write("templates/index.html", "{% extends 'none.html' %}");
    expect![[r#"
        templates/index.html:1: template not found: template "none.html" does not exist
          help: a template stands in templates/ of the site or of its theme"#]]
    .assert_eq(&house.faults());
    house.write("templates/index.html", "{% include 'part.html' %}");
    house.write("templates/part.html", "\n\n{{ site.titel }}");
    expect![[r#"
        templates/part.html:3: undefined value: `site.titel` is undefined
          help: the templates of themes/default show the names there are; ask `is defined` for one of your own"#]]
    .assert_eq(&house.faults());
    house.write("templates/index.html", "index");
    house.write("static/everseed.json", "{}");
    house.write("static/episodes", "a file");
    house.write("static/swarms/index.html", "mine");
    house.write("static/swarms/logo.svg", "mine, and seen");
    house.write("static/announce", "hear ye");
    expect![[r#"
        static/announce: would be published as announce, where the server answers by itself
          help: give the file another name
        static/episodes: would be published as episodes, which the site has itself
          help: give the file another name
        static/everseed.json: would be published as everseed.json, which the site has itself
          help: give the file another name
        static/swarms/index.html: would be published as swarms/index.html, where the server answers by itself
          help: give the file another name"#]]
    .assert_eq(&house.faults());
    let house = house.with(|options| options.theme = "drak".into());
    expect![[r#"
        everseed.toml: `theme`: there is no theme "drak"
          help: the themes are default; one of your own stands in themes/<name>/templates"#]]
    .assert_eq(&house.faults());
    assert_eq!(house.contents(), before);
    let beside: Vec<_> = fs::read_dir(house.out().parent().expect("a folder")).expect("listed").flatten().collect();
    assert_eq!(beside.len(), 3, "site, state and public: {beside:?}");
}

#[test]
fn a_medium_that_changes_meanwhile_ends_the_build() {
    struct Meddler<'a>(&'a House);
    impl crate::hash::Progress for Meddler<'_> {
        fn expect(&self, _: u64) {
            // The newest is hashed first; when the second begins, the first changes.
            self.0.write("content/ep2.mp3", "another medium");
        }
    }
    let house = two_episodes().with(|options| options.accept_changed = true);
    let state = house.root().join("../state");
    // One of them is known already.
    build(&house.options, &house.out(), &state, &()).expect("it builds");
    let before = house.contents();
    house.write("content/ep1.mp3", "changed");
    let error = build(&house.options, &house.out(), &state, &Meddler(&house)).expect_err("it changed");
    let Error::Trouble(problem) = error else { panic!("{error:?}") };
    assert!(problem.to_string().contains("ep2.mp3: changed meanwhile"), "{problem}");
    let pages = |contents: Vec<(String, Vec<u8>)>| -> Vec<_> {
        // Media are hard links here, and changed with their sources.
        contents.into_iter().filter(|(path, _)| !path.starts_with("media/")).collect()
    };
    assert_eq!(pages(house.contents()), pages(before));
}
