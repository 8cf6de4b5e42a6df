//! Whole builds: what comes out, what stays, and what is refused.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use expect_test::expect;

use super::testing::{EP1, House};
use super::{BaseUrl, Error};
use crate::metainfo;

const EP2: &str = "+++\ntitle = \"Two\"\ndate = 2026-05-08T06:00:00Z\nmedia = \"ep2.mp3\"\n+++\n";

fn two_episodes() -> House {
    House::with_episode().page("ep2.md", EP2).file("content/ep2.mp3", "medium 2")
}

#[test]
fn a_second_build_hashes_nothing_and_rewrites_nothing() {
    let house = two_episodes().file("static/logo.svg", "<svg/>").page("notes.txt", "not a page");
    let first = house.build();
    assert_eq!((first.releases, first.files_hashed, first.files_written, first.files_unchanged), (2, 2, 16, 0));
    let times = || house.listing().iter().map(|path| mtime(&house.out().join(path))).collect::<Vec<_>>();
    let before = times();
    let second = house.build();
    assert_eq!((second.files_hashed, second.bytes_hashed, second.files_written, second.files_unchanged), (0, 0, 0, 16));
    assert_eq!(times(), before);
}

#[test]
fn one_more_episode_hashes_one_file_and_a_lost_one_is_taken_away() {
    let house = House::with_episode();
    house.build();
    house.write("content/ep2.md", EP2);
    house.write("content/ep2.mp3", "medium 2");
    assert_eq!(house.build().files_hashed, 1);
    fs::remove_file(house.root().join("content/ep1.md")).expect("removed");
    let summary = house.build();
    assert_eq!((summary.files_hashed, summary.files_removed), (0, 3));
    assert!(!house.out().join("episodes/ep1").exists(), "emptied folders are removed");
    assert!(!house.listing().iter().any(|path| path.contains("ep1")));
}

#[test]
fn another_slug_for_the_same_file_hashes_it_once_more_at_most() {
    let house = House::with_episode();
    house.build();
    house.write("content/ep1.md", EP1.replace("media", "slug = \"first\"\nmedia"));
    let summary = house.build();
    assert_eq!((summary.files_hashed, summary.files_removed), (0, 3));
    assert_eq!(house.output("media/first.mp3"), "medium 1");
    assert_eq!(house.build().files_hashed, 0);
}

#[test]
fn two_builds_in_two_places_are_equal_byte_for_byte() {
    let (a, b) = (two_episodes(), two_episodes());
    a.build();
    b.build();
    // A history makes no difference either.
    b.write("content/page.md", "+++\ntitle = \"P\"\n+++\n");
    b.build();
    fs::remove_file(b.root().join("content/page.md")).expect("removed");
    b.build();
    assert_eq!(a.contents(), b.contents());
}

#[test]
fn a_changed_medium_is_another_torrent_and_the_same_guid() {
    let house = House::with_episode();
    house.build();
    let torrent = |house: &House| {
        metainfo::parse(fs::read(house.out().join("torrents/ep1.torrent")).expect("read")).expect("a torrent").info_hash
    };
    let guid = |house: &House| house.output("feed.xml").lines().find(|line| line.contains("<guid")).map(str::to_owned);
    let before = (torrent(&house), guid(&house));
    fs::remove_file(house.root().join("content/ep1.mp3")).expect("removed");
    house.write("content/ep1.mp3", "medium, mended");
    assert_eq!(house.build().files_hashed, 1);
    assert_eq!(house.output("media/ep1.mp3"), "medium, mended");
    assert_ne!(torrent(&house), before.0);
    assert_eq!(guid(&house), before.1);
}

#[test]
fn a_torrent_names_the_site_as_its_web_seed() {
    let house = House::with_episode()
        .page(
            "set/index.md",
            "+++\ntitle = \"Set\"\ndate = 2026-05-02\nfiles = [\"b.txt\", \"sub\"]\nprivate = true\n+++\n",
        )
        .file("content/set/b.txt", "bb")
        .file("content/set/sub/a.txt", "a")
        .file("content/set/sub/.hidden", "no")
        .file("content/set/sub/empty", "");
    house.build();
    let torrent = |name: &str| {
        metainfo::parse(fs::read(house.out().join("torrents").join(name)).expect("read")).expect("a torrent").metainfo
    };
    let single = torrent("ep1.torrent");
    assert_eq!(single.web_seeds, ["https://show.example.org/media/ep1.mp3"]);
    assert_eq!(single.trackers, [["https://show.example.org/announce"]]);
    assert_eq!((single.info.name.as_str(), single.creation_date), ("ep1.mp3", Some(1_777_593_600)));
    assert_eq!(single.comment.as_deref(), Some("https://show.example.org/episodes/ep1/"));
    let multi = torrent("set.torrent");
    assert_eq!(multi.web_seeds, ["https://show.example.org/media/"]);
    assert!(multi.info.private && !single.info.private);
    let files = [("set/b.txt".to_owned(), 2), ("set/sub/a.txt".to_owned(), 1), ("set/sub/empty".to_owned(), 0)];
    assert_eq!(multi.info.files(), files);
    // What a client adds to the web seed's URL is where the file stands.
    for (path, bytes) in files {
        assert_eq!(house.output(&format!("media/{path}")).len() as u64, bytes);
    }
    assert!(!house.output("feed.xml").contains("Set"));
    assert!(house.output("torrents.xml").contains("Set"));
}

#[test]
fn a_site_without_audio_has_no_podcast_feed() {
    let house = House::new()
        .page("image.md", "+++\ntitle = \"Disk\"\ndate = 2026-05-01\nmedia = \"disk.tar.GZ\"\n+++\n")
        .file("content/disk.tar.GZ", "disk");
    house.build();
    assert!(!house.listing().contains(&"feed.xml".to_owned()));
    assert!(!house.output("index.html").contains("feed.xml\""));
    assert_eq!(house.output("media/image.tar.gz"), "disk");
}

#[test]
fn drafts_are_built_when_they_are_asked_for() {
    let draft = EP2.replace("media", "draft = true\nmedia");
    let mut house = House::with_episode().page("ep2.md", &draft).page("bad.md", "+++\ndraft = true\nseason = 0\n+++\n");
    assert_eq!(house.build().releases, 1);
    house.options.drafts = true;
    expect![[r#"
        content/bad.md: has no `title`
          help: add a line to its front matter: title = "..."
        content/bad.md:3: `season` is 0, not a whole number from 1
          help: write it as season = 1, or leave it out
        content/ep2.md:5: `media` "ep2.mp3" does not exist
          help: did you mean `ep1.mp3`?"#]]
    .assert_eq(&house.faults());
    fs::remove_file(house.root().join("content/bad.md")).expect("removed");
    house.write("content/ep2.mp3", "medium 2");
    assert_eq!(house.build().releases, 2);
}

#[test]
fn below_a_path_every_link_stays_there() {
    let url = BaseUrl::parse("https://example.org/show").expect("a URL");
    let house = House::with_episode()
        .page("about.md", "+++\ntitle = \"About\"\n+++\n[one](ep1.md), [listen](ep1.mp3), [feed](/feed.xml)\n")
        .with(|options| options.base_url = url);
    assert_eq!(house.build().warnings, []);
    let lost = house.output("404.html");
    assert!(lost.contains("href=\"/show/style.css\"") && lost.contains("href=\"/show/about/\""), "{lost}");
    let about = house.output("about/index.html");
    assert!(
        about.contains(
            "<a href=\"../episodes/ep1/\">one</a>, <a href=\"../media/ep1.mp3\">listen</a>, <a href=\"../feed.xml\">feed</a>"
        ),
        "{about}"
    );
    assert!(house.output("feed.xml").contains("https://example.org/show/media/ep1.mp3"));
    assert!(house.output("robots.txt").contains("https://example.org/show/sitemap.xml"));
}

#[test]
fn the_identity_of_the_show_is_that_of_its_configured_address() {
    let guid = |house: &House| {
        house.build();
        house.output("feed.xml").lines().find(|line| line.contains("podcast:guid")).map(str::to_owned)
    };
    let here = BaseUrl::parse("http://127.0.0.1:8080/").expect("a URL");
    assert_eq!(guid(&House::with_episode()), guid(&House::with_episode().with(|options| options.base_url = here)));
}

#[test]
fn files_beside_a_page_are_published_with_it_and_links_that_lead_nowhere_are_told() {
    let house = House::with_episode()
        .page(
            "about/index.md",
            "+++\ntitle = \"About\"\nimage = \"Über uns.PNG\"\n+++\n\n![](Über%20uns.PNG) [pdf](docs/Info.pdf#page=2)\n\
             [gone](gone.pdf) [draft](../draft.md)\n[folder](docs) [nowhere](/nowhere/) [home](/) [served](/swarms)\n\
             [other](https://a.example.org/x) [mail](mailto:a@show.example.org) <a@show.example.org> [here](#here) [dot](.dot)\n",
        )
        .page("draft.md", "+++\ndraft = true\n+++\n")
        .file("content/about/Über uns.PNG", "png")
        .file("content/about/docs/Info.pdf", "pdf")
        .file("content/about/.dot", "dot");
    let summary = house.build();
    let warnings: Vec<_> = summary.warnings.iter().map(ToString::to_string).collect();
    expect![[r#"
        content/about/index.md:7: link "../draft.md" leads to a draft
          help: publish the draft, or take the link away
        content/about/index.md:7: link "gone.pdf" does not exist
          help: a path counts from the folder of this file; one that begins with `/`, from the site's folder
        content/about/index.md:8: link "/" leads to a folder
          help: name a file in it
        content/about/index.md:8: link "/nowhere/" leads to nothing on this site
          help: a link to a page is written as the path of its .md file
        content/about/index.md:8: link "docs" leads to a folder
          help: name a file in it
        content/about/index.md:9: link ".dot" leads to a dot-file, which is not published
          help: give the file a name without the dot"#]]
    .assert_eq(&warnings.join("\n"));
    assert_eq!(house.output("about/uber-uns.png"), "png");
    assert_eq!(house.output("about/docs/info.pdf"), "pdf");
    let page = house.output("about/index.html");
    let prose: Vec<_> = page.lines().skip_while(|line| !line.contains("prose")).skip(1).take(4).collect();
    expect![[r##"
        <p><img src="../about/uber-uns.png" alt="" /> <a href="../about/docs/info.pdf#page=2">pdf</a>
        <a href="gone.pdf">gone</a> <a href="../draft.md">draft</a>
        <a href="docs">folder</a> <a href="../nowhere/">nowhere</a> <a href="/">home</a> <a href="../swarms">served</a>
        <a href="https://a.example.org/x">other</a> <a href="mailto:a@show.example.org">mail</a> <a href="mailto:a@show.example.org">a@show.example.org</a> <a href="#here">here</a> <a href=".dot">dot</a></p>"##]].assert_eq(&prose.join("\n"));
}

#[test]
fn a_page_that_a_release_names_is_its_data() {
    let house = House::new()
        .page("set/index.md", "+++\ntitle = \"Set\"\ndate = 2026-05-02\nfiles = [\".\"]\n+++\n")
        .page("set/README.md", "# No front matter\n");
    assert_eq!(house.build().pages, 0);
    assert_eq!(house.output("media/set/README.md"), "# No front matter\n");
    assert!(!house.out().join("media/set/index.md").exists());
}

#[test]
fn names_that_some_clients_cannot_ask_for_are_changed_with_a_warning() {
    let house = House::new()
        .page("set/index.md", "+++\ntitle = \"Set\"\ndate = 2026-05-02\nfiles = [\"a#1?.txt\", \"ü b.txt\"]\n+++\n")
        .file("content/set/a#1?.txt", "1")
        .file("content/set/ü b.txt", "2");
    let warnings: Vec<_> = house.build().warnings.iter().map(ToString::to_string).collect();
    expect![[r#"
        content/set/index.md:4: content/set/a#1?.txt is published as "a_1_.txt": some clients can't save or ask for its own name
          help: rename the file without any of " * : < > ? | \ # %, and without spaces or dots at the ends of its name"#]].assert_eq(&warnings.join("\n"));
    assert_eq!(house.output("media/set/a_1_.txt"), "1");
    assert!(house.output("episodes/set/index.html").contains("media/set/%C3%BC%20b.txt"));
}

#[test]
fn the_sites_own_templates_and_files_take_the_place_of_the_themes() {
    let house = House::with_episode()
        .file("static/style.css", "site")
        .file("static/robots.txt", "none")
        .file("static/.dot", "dot")
        .file("themes/dark/static/swarm.js", "theme")
        .file("themes/dark/static/style.css", "theme")
        .file("themes/dark/templates/page.html", "theme {{ page.title }}")
        .file("themes/dark/templates/404.html", "theme")
        .file("templates/404.html", "{{ site.title }} {{ root }} {{ '<&\"/' }}")
        .page("about.md", "+++\ntitle = \"About\"\n+++\n")
        .with(|options| options.theme = "dark".into());
    symlink("/etc/hostname", house.root().join("static/link")).expect("linked");
    let summary = house.build();
    assert_eq!(house.output("style.css"), "site");
    assert_eq!(house.output("robots.txt"), "none");
    assert_eq!(house.output("swarm.js"), "theme");
    assert_eq!(house.output("about/index.html"), "theme About");
    assert_eq!(house.output("404.html"), "A show / &lt;&amp;&quot;/");
    assert!(!house.out().join("link").exists() && !house.out().join(".dot").exists());
    assert_eq!(summary.warnings.len(), 1);
}

#[test]
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
        .with(|options| options.show.image = Some("cover.jpg".into()));
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
        content/m-url.md:4: `media` "https://a.example.org/a.mp3" is a URL; media are read from the site's folder
          help: put the file into the site's folder and write its path
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
          help: name each file once, and rename one where only upper and lower case differ
        content/s-cases.md:4: content/case/A and content/case/a have the same path in the torrent: "case/a"
          help: name each file once, and rename one where only upper and lower case differ
        content/t-image.md:3: `image` "ok.mp3" is of no known kind
          help: its name ends in one of .avif .gif .jpeg .jpg .png .svg .webp
        content/u-link.md:5: link "../../secret.mp3" is outside the site's folder
          help: put the file into the site's folder; a path that begins with `/` counts from there
        content/v-latin.md: is not UTF-8 in line 2
        everseed.toml: `image` "cover.jpg" does not exist
          help: a path counts from the folder of this file; one that begins with `/`, from the site's folder"#]].assert_eq(&house.faults());
    assert!(!house.out().exists(), "nothing is written");
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
          help: the names that a template finds are listed in the README; ask `is defined` for one of your own"#]]
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
    house.write("templates/index.html", "index");
    house.write("static/everseed.json", "{}");
    house.write("static/episodes", "a file");
    expect![[r#"
        static/episodes: would be published as episodes, which the site has itself
          help: give the file another name
        static/everseed.json: would be published as everseed.json, which the site has itself
          help: give the file another name"#]]
    .assert_eq(&house.faults());
    let house = house.with(|options| options.theme = "drak".into());
    expect![[r#"
        everseed.toml: there is no theme "drak"
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
    let house = two_episodes();
    let state = house.root().join("../state");
    // One of them is known already.
    super::build(&house.options, &house.out(), &state, &()).expect("it builds");
    let before = house.contents();
    house.write("content/ep1.mp3", "changed");
    let error = super::build(&house.options, &house.out(), &state, &Meddler(&house)).expect_err("it changed");
    let Error::Trouble(problem) = error else { panic!("{error:?}") };
    assert!(problem.to_string().contains("ep2.mp3: changed while the site was built"), "{problem}");
    let pages = |contents: Vec<(String, Vec<u8>)>| -> Vec<_> {
        // Media are hard links here, and changed with their sources.
        contents.into_iter().filter(|(path, _)| !path.starts_with("media/")).collect()
    };
    assert_eq!(pages(house.contents()), pages(before));
}

fn mtime(path: &Path) -> (i64, i64) {
    let metadata = fs::metadata(path).expect("there");
    (metadata.mtime(), metadata.mtime_nsec())
}
