//! What stands in the output, and where its links lead.

use std::fs;
use std::os::unix::fs::symlink;

use expect_test::expect;

use super::{EP1, House, two_episodes};
use crate::baseurl::BaseUrl;
use crate::media::testing::mp3_with_chapters;
use crate::metainfo;

#[test]
fn a_summary_is_json_for_scripts() {
    let house = House::with_episode().described().page("about.md", "+++\ntitle = \"About\"\n+++\n[x](gone.md)\n");
    let mut summary = house.build();
    assert_eq!(summary.output, house.out());
    summary.output = "public".into();
    expect![[r#"
        {
          "pages": 4,
          "releases": 1,
          "torrents": 1,
          "files_hashed": 1,
          "bytes_hashed": 8,
          "files_written": 15,
          "files_unchanged": 0,
          "files_removed": 0,
          "retired": [],
          "warnings": [
            "content/about.md:4: link \"gone.md\" does not exist\n  help: a path counts from the folder of this file; one that begins with `/`, from the site's folder",
            "content/ep1.md: content/ep1.mp3: its name says audio/mpeg, but its content is not"
          ],
          "output": "public"
        }"#]].assert_eq(&serde_json::to_string_pretty(&summary).expect("JSON"));
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
fn a_podcast_feed_outlives_its_last_episode() {
    let house = House::with_episode().described();
    let guid = |house: &House| house.output("feed.xml").lines().find(|line| line.contains("guid")).map(str::to_owned);
    house.build();
    let before = guid(&house);
    fs::remove_file(house.root().join("content/ep1.md")).expect("removed");
    house.build();
    assert_eq!(guid(&house), before);
    assert!(house.output("index.html").contains("feed.xml\""));
    expect![[r#"
        <?xml version="1.0" encoding="utf-8"?>
        <rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/">
          <channel>
            <title>A show</title>
            <link>https://show.example.org/</link>
            <atom:link href="https://show.example.org/feed.xml" rel="self" type="application/rss+xml"/>
            <description>About things.</description>
            <language>en</language>
            <generator>everseed 0.1.0</generator>
            <podcast:guid>ee8652b0-fb36-5d4d-b957-cb3daeec47a6</podcast:guid>
            <podcast:locked>yes</podcast:locked>
            <itunes:type>episodic</itunes:type>
            <itunes:explicit>false</itunes:explicit>
            <itunes:category text="Arts"/>
            <itunes:image href="https://show.example.org/cover.jpg"/>
            <image>
              <url>https://show.example.org/cover.jpg</url>
              <title>A show</title>
              <link>https://show.example.org/</link>
            </image>
          </channel>
        </rss>
    "#]].assert_eq(&house.output("feed.xml"));
}

#[test]
fn what_podcast_directories_refuse_is_told() {
    let house = House::with_episode()
        .page("ep2.md", &super::EP2.replace("ep2.mp3", "voice"))
        .file("content/voice", "a recording of some kind")
        .file("cover.webp", "a cover");
    let warnings = |house: &House| {
        let warnings = house.build().warnings;
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    expect![[r#"
        content/ep2.md:4: `media` "voice" has no extension that tells its kind, and is not in feed.xml
          help: rename it to end in .mp3, .m4a, .mp4 or what else it is
        everseed.toml: the podcast feed has no category, for which podcast directories refuse it
          help: add a line to [show]: category = ["Arts"], from the list of Apple Podcasts
        everseed.toml: the podcast feed has no cover, for which podcast directories refuse it
          help: add a line to [show]: image = "cover.jpg", a square JPEG or PNG of 1400 to 3000 pixels a side
        everseed.toml: the podcast feed has no description, for which podcast directories refuse it
          help: add a line to [site]: description = "What it is about."
        content/ep1.md: content/ep1.mp3: its name says audio/mpeg, but its content is not"#]]
    .assert_eq(&warnings(&house));
    fs::remove_file(house.root().join("content/ep2.md")).expect("removed");
    let house = house.described().with(|options| {
        options.show.email = Some("me at example.org".into());
        options.show.image = Some("cover.webp".into());
    });
    expect![[r#"
        everseed.toml: `email` "me at example.org" is not an e-mail address; podcast directories write to it
          help: write it as hello@show.example.org, or leave it out
        everseed.toml: `image` "cover.webp" is of a kind that podcast directories refuse
          help: name a square JPEG or PNG of 1400 to 3000 pixels a side
        content/ep1.md: content/ep1.mp3: its name says audio/mpeg, but its content is not"#]]
    .assert_eq(&warnings(&house));
    let house = house.described().with(|options| options.show.email = Some("me@example.org".into()));
    expect!["content/ep1.md: content/ep1.mp3: its name says audio/mpeg, but its content is not"]
        .assert_eq(&warnings(&house));
    // Who publishes no podcast is not asked for a cover.
    let house = House::new().page("about.md", "+++\ntitle = \"About\"\n+++\n");
    assert_eq!(warnings(&house), "");
}

#[test]
fn below_a_path_every_link_stays_there() {
    let url = BaseUrl::parse("https://example.org/show").expect("a URL");
    let house = House::with_episode()
        .described()
        .page("about.md", "+++\ntitle = \"About\"\n+++\n[one](ep1.md), [listen](ep1.mp3), [feed](/feed.xml)\n")
        .with(|options| options.base_url = url);
    let warnings = house.build().warnings;
    assert!(warnings.iter().all(|warning| warning.message().starts_with("content/ep1.mp3: ")), "{warnings:?}");
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
        .described()
        .page(
            "about/index.md",
            "+++\ntitle = \"About\"\nimage = \"Über uns.PNG\"\n+++\n\n![](Über%20uns.PNG) [pdf](docs/Info.pdf#page=2)\n\
             [gone](gone.pdf) [draft](../draft.md)\n[folder](docs) [nowhere](/nowhere/) [home](/) [served](/swarms)\n\
             [other](https://a.example.org/x) [mail](mailto:a@show.example.org) <a@show.example.org> [here](#here)\n",
        )
        .page("draft.md", "+++\ndraft = true\n+++\n")
        .file("content/about/Über uns.PNG", "png")
        .file("content/about/docs/Info.pdf", "pdf");
    let summary = house.build();
    let warnings: Vec<_> = summary.warnings.iter().map(ToString::to_string).collect();
    expect![[r#"
        content/about/index.md:7: link "../draft.md" leads to a draft
          help: publish the draft, or take the link away
        content/about/index.md:7: link "gone.pdf" does not exist
          help: a path counts from the folder of this file; one that begins with `/`, from the site's folder
        content/about/index.md:8: link "/nowhere/" leads to nothing on this site
          help: a link to a page is written as the path of its .md file
        content/about/index.md:8: link "docs" leads to a folder
          help: name a file in it
        content/ep1.md: content/ep1.mp3: its name says audio/mpeg, but its content is not"#]]
    .assert_eq(&warnings.join("\n"));
    assert_eq!(house.output("about/uber-uns.png"), "png");
    assert_eq!(house.output("about/docs/info.pdf"), "pdf");
    let page = house.output("about/index.html");
    let prose: Vec<_> = page.lines().skip_while(|line| !line.contains("prose")).skip(1).take(4).collect();
    expect![[r##"
        <p><img src="../about/uber-uns.png" alt="" /> <a href="../about/docs/info.pdf#page=2">pdf</a>
        <a href="gone.pdf">gone</a> <a href="../draft.md">draft</a>
        <a href="docs">folder</a> <a href="../nowhere/">nowhere</a> <a href="../">home</a> <a href="../swarms">served</a>
        <a href="https://a.example.org/x">other</a> <a href="mailto:a@show.example.org">mail</a> <a href="mailto:a@show.example.org">a@show.example.org</a> <a href="#here">here</a></p>"##]].assert_eq(&prose.join("\n"));
}

#[test]
fn a_page_that_a_release_names_is_its_data() {
    let house = House::new()
        .page("set/index.md", "+++\ntitle = \"Set\"\ndate = 2026-05-02\nfiles = [\".\"]\n+++\n")
        .page("set/README.md", "# No front matter\n");
    assert_eq!(house.build().pages, 3, "the home page, that of the release, and 404.html");
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
        content/set/index.md:4: content/set/a#1?.txt is published as "a_1_.txt", because it has a name with #, which some clients can't save or ask for
          help: rename the file, or leave it at that"#]].assert_eq(&warnings.join("\n"));
    assert_eq!(house.output("media/set/a_1_.txt"), "1");
    assert!(house.output("episodes/set/index.html").contains("media/set/%C3%BC%20b.txt"));
}

#[test]
fn the_sites_own_templates_and_files_take_the_place_of_the_themes() {
    let house = House::with_episode()
        .described()
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
    house.write("static/.DS_Store", "desktop");
    house.write("static/.well-known/a/b.txt", "b");
    let summary = house.build();
    assert_eq!(house.output("style.css"), "site");
    assert_eq!(house.output("robots.txt"), "none");
    assert_eq!(house.output("swarm.js"), "theme");
    assert_eq!(house.output("about/index.html"), "theme About");
    assert_eq!(house.output("404.html"), "A show / &lt;&amp;&quot;/");
    assert!(!house.out().join("link").exists() && !house.out().join(".dot").exists());
    let warnings: Vec<_> = summary.warnings.iter().map(ToString::to_string).collect();
    expect![[r#"
        static/.dot: begins with a dot, and is not published: page hosts drop such names
          help: name it without the dot, or put it onto the web server by yourself
        static/.well-known: begins with a dot, and is not published: page hosts drop such names
          help: name it without the dot, or put it onto the web server by yourself
        static/link: is a symbolic link, and not published
          help: put the file itself there
        content/ep1.md: content/ep1.mp3: its name says audio/mpeg, but its content is not"#]]
    .assert_eq(&warnings.join("\n"));
}

/// The contract with the authors of themes: a name that is missing here is one that their templates fail on.
#[test]
#[expect(clippy::too_many_lines, reason = "all that templates find, once for each kind")]
fn templates_find_these_names() {
    let house = two_episodes()
        .page(
            "set/index.md",
            "+++\ntitle = \"Set\"\ndate = 2026-05-02\nfiles = [\"b c.txt\"]\n[extra]\nx = 1\n+++\nText\n",
        )
        .file("content/set/b c.txt", "bb")
        .page("about.md", "+++\ntitle = \"About\"\nimage = \"a.png\"\n+++\n")
        .file("content/a.png", "png")
        .page("ep3.md", &EP1.replace("ep1", "ep3").replace("05-01", "04-01"))
        .file("content/ep3.mp3", mp3_with_chapters(&[(0, "In"), (400, "")]))
        .file(
            "templates/index.html",
            "{{ root|tojson }}\n{{ site|tojson(true) }}\n{{ page|tojson(true) }}\n{{ episodes|length }}",
        )
        .file("templates/episode.html", "{{ page|tojson(true) }}\n{{ episode|tojson(true) }}");
    house.build();
    expect![[r#"
        ""
        {
          "title": "A show",
          "description": "",
          "language": "en",
          "base_url": "https://show.example.org/",
          "author": null,
          "image": null,
          "generator": "everseed 0.1.0",
          "feed": "feed.xml",
          "torrent_feed": "torrents.xml",
          "swarms_api": "/api/swarms.json",
          "swarms_page": "swarms",
          "pages": [
            {
              "title": "About",
              "url": "about/"
            }
          ],
          "extra": {}
        }
        {
          "kind": "index",
          "title": "A show",
          "description": "",
          "url": "",
          "canonical": "https://show.example.org/",
          "image": null,
          "content": "",
          "extra": {}
        }
        4"#]]
    .assert_eq(&house.output("index.html"));
    expect![[r#"
        {
          "kind": "episode",
          "title": "Set",
          "description": "",
          "url": "episodes/set/",
          "canonical": "https://show.example.org/episodes/set/",
          "image": null,
          "content": "\u003cp\u003eText\u003c/p\u003e\n",
          "extra": {
            "x": 1
          }
        }
        {
          "title": "Set",
          "description": "",
          "date": "2026-05-02",
          "date_text": "2 May 2026",
          "url": "episodes/set/",
          "season": null,
          "episode": null,
          "tags": [],
          "image": null,
          "kind": "files",
          "content": "\u003cp\u003eText\u003c/p\u003e\n",
          "media": null,
          "files": [
            {
              "name": "b c.txt",
              "url": "media/set/b%20c.txt",
              "is_remote": false,
              "bytes": 2,
              "size_text": "2 B"
            }
          ],
          "multi": true,
          "duration_text": null,
          "duration_secs": null,
          "bytes": 2,
          "size_text": "2 B",
          "transcript": null,
          "chapters": [],
          "chapters_url": null,
          "torrent": {
            "url": "torrents/set.torrent",
            "magnet": "magnet:?xt=urn:btih:6bb762882fc56e87a29e8690737dbd92806c68ab\u0026dn=set\u0026xl=2\u0026tr=https%3A%2F%2Fshow.example.org%2Fannounce\u0026ws=https%3A%2F%2Fshow.example.org%2Fmedia%2F",
            "info_hash": "6bb762882fc56e87a29e8690737dbd92806c68ab",
            "info_hash_v2": null,
            "kind": "v1",
            "name": "set",
            "piece_length_text": "16 KiB",
            "pieces": 1,
            "private": false
          },
          "newer": {
            "title": "Two",
            "url": "episodes/ep2/"
          },
          "older": {
            "title": "One",
            "url": "episodes/ep1/"
          },
          "extra": {
            "x": 1
          }
        }"#]].assert_eq(&house.output("episodes/set/index.html"));
    expect![[r#"
        {
          "kind": "episode",
          "title": "One",
          "description": "",
          "url": "episodes/ep1/",
          "canonical": "https://show.example.org/episodes/ep1/",
          "image": null,
          "content": "\u003cp\u003eThe \u003cem\u003efirst\u003c/em\u003e.\u003c/p\u003e\n",
          "extra": {}
        }
        {
          "title": "One",
          "description": "",
          "date": "2026-05-01",
          "date_text": "1 May 2026",
          "url": "episodes/ep1/",
          "season": null,
          "episode": null,
          "tags": [],
          "image": null,
          "kind": "audio",
          "content": "\u003cp\u003eThe \u003cem\u003efirst\u003c/em\u003e.\u003c/p\u003e\n",
          "media": {
            "url": "media/ep1.mp3",
            "is_remote": false,
            "name": "ep1.mp3",
            "mime": "audio/mpeg",
            "bytes": 8,
            "size_text": "8 B"
          },
          "files": [
            {
              "name": "ep1.mp3",
              "url": "media/ep1.mp3",
              "is_remote": false,
              "bytes": 8,
              "size_text": "8 B"
            }
          ],
          "multi": false,
          "duration_text": null,
          "duration_secs": null,
          "bytes": 8,
          "size_text": "8 B",
          "transcript": null,
          "chapters": [],
          "chapters_url": null,
          "torrent": {
            "url": "torrents/ep1.torrent",
            "magnet": "magnet:?xt=urn:btih:5c6e4ecb6d8590f70fb72e704699996d2939b185\u0026dn=ep1.mp3\u0026xl=8\u0026tr=https%3A%2F%2Fshow.example.org%2Fannounce\u0026ws=https%3A%2F%2Fshow.example.org%2Fmedia%2Fep1.mp3",
            "info_hash": "5c6e4ecb6d8590f70fb72e704699996d2939b185",
            "info_hash_v2": null,
            "kind": "v1",
            "name": "ep1.mp3",
            "piece_length_text": "16 KiB",
            "pieces": 1,
            "private": false
          },
          "newer": {
            "title": "Set",
            "url": "episodes/set/"
          },
          "older": {
            "title": "One",
            "url": "episodes/ep3/"
          },
          "extra": {}
        }"#]].assert_eq(&house.output("episodes/ep1/index.html"));
    let page = house.output("episodes/ep3/index.html");
    let lines = page.lines().map(str::trim).skip_while(|line| !line.starts_with("\"chapters\""));
    let chapters: Vec<_> = lines.take(13).collect();
    expect![[r#"
        "chapters": [
        {
        "title": "In",
        "start_secs": 0,
        "start_text": "0:00"
        },
        {
        "title": "",
        "start_secs": 0.4,
        "start_text": "0:00"
        }
        ],
        "chapters_url": "episodes/ep3/chapters.json","#]]
    .assert_eq(&chapters.join("\n"));
}

#[test]
fn the_lists_of_a_site_are_these() {
    let house = two_episodes().page("about.md", "+++\ntitle = \"About\"\n+++\n");
    house.build();
    let all = ["everseed.json", "sitemap.xml", "robots.txt", "torrents.xml"].map(|path| house.output(path));
    expect![[r#"
        {
          "version": 1,
          "generator": "everseed 0.1.0",
          "title": "A show",
          "base_url": "https://show.example.org/",
          "torrents": [
            {
              "info_hash": "67c849313e3e5bd126ccfa9cc9c05572bd4c4835",
              "name": "ep2.mp3",
              "title": "Two",
              "torrent": "torrents/ep2.torrent",
              "magnet": "magnet:?xt=urn:btih:67c849313e3e5bd126ccfa9cc9c05572bd4c4835&dn=ep2.mp3&xl=8&tr=https%3A%2F%2Fshow.example.org%2Fannounce&ws=https%3A%2F%2Fshow.example.org%2Fmedia%2Fep2.mp3",
              "bytes": 8,
              "files": [
                {
                  "path": "media/ep2.mp3",
                  "bytes": 8
                }
              ],
              "page": "https://show.example.org/episodes/ep2/",
              "published": "2026-05-08T06:00:00Z"
            },
            {
              "info_hash": "5c6e4ecb6d8590f70fb72e704699996d2939b185",
              "name": "ep1.mp3",
              "title": "One",
              "torrent": "torrents/ep1.torrent",
              "magnet": "magnet:?xt=urn:btih:5c6e4ecb6d8590f70fb72e704699996d2939b185&dn=ep1.mp3&xl=8&tr=https%3A%2F%2Fshow.example.org%2Fannounce&ws=https%3A%2F%2Fshow.example.org%2Fmedia%2Fep1.mp3",
              "bytes": 8,
              "files": [
                {
                  "path": "media/ep1.mp3",
                  "bytes": 8
                }
              ],
              "page": "https://show.example.org/episodes/ep1/",
              "published": "2026-05-01"
            }
          ]
        }

        <?xml version="1.0" encoding="utf-8"?>
        <urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
          <url><loc>https://show.example.org/</loc><lastmod>2026-05-08</lastmod></url>
          <url><loc>https://show.example.org/about/</loc></url>
          <url><loc>https://show.example.org/episodes/ep2/</loc><lastmod>2026-05-08</lastmod></url>
          <url><loc>https://show.example.org/episodes/ep1/</loc><lastmod>2026-05-01</lastmod></url>
        </urlset>

        User-agent: *
        Allow: /

        Sitemap: https://show.example.org/sitemap.xml

        <?xml version="1.0" encoding="utf-8"?>
        <rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom">
          <channel>
            <title>A show</title>
            <link>https://show.example.org/</link>
            <atom:link href="https://show.example.org/torrents.xml" rel="self" type="application/rss+xml"/>
            <description>A show</description>
            <language>en</language>
            <generator>everseed 0.1.0</generator>
            <lastBuildDate>Fri, 08 May 2026 06:00:00 +0000</lastBuildDate>
            <item>
              <title>Two</title>
              <link>https://show.example.org/episodes/ep2/</link>
              <guid isPermaLink="false">67c849313e3e5bd126ccfa9cc9c05572bd4c4835</guid>
              <pubDate>Fri, 08 May 2026 06:00:00 +0000</pubDate>
              <enclosure url="https://show.example.org/torrents/ep2.torrent" length="296" type="application/x-bittorrent"/>
            </item>
            <item>
              <title>One</title>
              <link>https://show.example.org/episodes/ep1/</link>
              <guid isPermaLink="false">5c6e4ecb6d8590f70fb72e704699996d2939b185</guid>
              <pubDate>Fri, 01 May 2026 00:00:00 +0000</pubDate>
              <description>The first.</description>
              <enclosure url="https://show.example.org/torrents/ep1.torrent" length="296" type="application/x-bittorrent"/>
            </item>
          </channel>
        </rss>
    "#]].assert_eq(&all.join("\n"));
}
