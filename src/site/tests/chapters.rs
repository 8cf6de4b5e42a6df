//! Chapters of a recording: as JSON, in the feed and on the page; and none where nobody listens.

use std::fs;

use expect_test::expect;

use super::super::LockUse;
use super::{EP1, House};
use crate::media::testing::mp3_with_chapters;

fn with_chapters() -> House {
    let medium = mp3_with_chapters(&[(400, "The <out>"), (0, "In"), (750, "")]);
    House::new().described().page("ep1.md", EP1).file("content/ep1.mp3", medium)
}

/// The lines of a page that lead to chapters.
fn on_page(house: &House) -> String {
    let page = house.output("episodes/ep1/index.html");
    let lines: Vec<_> =
        page.lines().map(str::trim).filter(|line| line.contains("hapters") || line.contains("#t=")).collect();
    lines.join("\n")
}

fn in_feed(house: &House) -> String {
    let feed = house.output("feed.xml");
    feed.lines().map(str::trim).filter(|line| line.contains("chapters")).collect::<Vec<_>>().join("\n")
}

#[test]
fn chapters_are_published_as_json_in_the_feed_and_on_the_page() {
    let house = with_chapters();
    assert_eq!(house.build().warnings, []);
    expect![[r#"
        {
          "version": "1.2.0",
          "chapters": [
            {
              "startTime": 0,
              "title": "In"
            },
            {
              "startTime": 0.4,
              "title": "The <out>"
            },
            {
              "startTime": 0.75
            }
          ]
        }
    "#]]
    .assert_eq(&house.output("episodes/ep1/chapters.json"));
    expect![[r#"<podcast:chapters url="https://show.example.org/episodes/ep1/chapters.json" type="application/json+chapters"/>"#]].assert_eq(&in_feed(&house));
    expect![[r#"
        <link rel="alternate" type="application/json+chapters" href="../../episodes/ep1/chapters.json" title="Chapters">
        <script src="../../chapters.js" defer></script>
        <section class="chapters" aria-labelledby="chapters">
        <h2 id="chapters" class="label">Chapters</h2>
        <li><a href="../../media/ep1.mp3#t=0" data-start="0"><span class="mark">0:00</span> <span>In</span></a></li>
        <li><a href="../../media/ep1.mp3#t=0.4" data-start="0.4"><span class="mark">0:00</span> <span>The &lt;out&gt;</span></a></li>
        <li><a href="../../media/ep1.mp3#t=0.75" data-start="0.75"><span class="mark">0:00</span> <span>Chapter 3</span></a></li>"#]].assert_eq(&on_page(&house));
    assert!(house.listing().contains(&"chapters.js".to_owned()));
}

#[test]
fn they_are_the_same_without_the_medium() {
    let house = with_chapters();
    house.build();
    let mut with_media = house.contents();
    fs::remove_file(house.root().join("content/ep1.mp3")).expect("removed");
    fs::remove_dir_all(house.out()).expect("removed");
    let house = house.with(|options| options.lock = LockUse::Alone);
    assert_eq!(house.build().files_hashed, 0);
    with_media.retain(|(path, _)| !path.starts_with("media/"));
    assert!(with_media.iter().any(|(path, _)| path == "episodes/ep1/chapters.json"));
    assert_eq!(house.contents(), with_media);
}

#[test]
fn there_are_none_where_nothing_is_listened_to() {
    let house = with_chapters().page("ep1.md", &EP1.replace("media = \"ep1.mp3\"", "files = [\"ep1.mp3\"]"));
    house.build();
    assert!(!house.output("feed.xml").contains("chapters"));
    assert_eq!(on_page(&house), "");
    assert!(!house.listing().iter().any(|path| path.ends_with("chapters.json")));
    let house = House::with_episode();
    house.build();
    assert_eq!((in_feed(&house), on_page(&house)), (String::new(), String::new()));
}

#[test]
fn a_file_of_the_authors_that_would_stand_in_their_place_is_told() {
    let house = with_chapters()
        .page("ep1/index.md", &EP1.replace("ep1.mp3", "/content/ep1.mp3").replace("The", "[mine](chapters.json)"))
        .file("content/ep1/chapters.json", "{}");
    fs::remove_file(house.root().join("content/ep1.md")).expect("removed");
    expect![[r#"
        content/ep1/index.md: a file that it names would be published as episodes/ep1/chapters.json, which the site has itself
          help: give the file another name"#]].assert_eq(&house.faults());
    let house = with_chapters().file("static/episodes/ep1/chapters.json", "{}");
    expect![[r#"
        static/episodes/ep1/chapters.json: would be published as episodes/ep1/chapters.json, which the site has itself
          help: give the file another name"#]]
    .assert_eq(&house.faults());
}

#[test]
fn a_long_list_is_folded_on_the_page() {
    let is_folded = |count: u32| {
        let chapters: Vec<_> = (0..count).map(|number| (number * 10, "Part")).collect();
        let house = House::new().page("ep1.md", EP1).file("content/ep1.mp3", mp3_with_chapters(&chapters));
        house.build();
        house.output("episodes/ep1/index.html").contains(&format!("<summary>{count} chapters</summary>"))
    };
    assert_eq!([12, 13].map(is_folded), [false, true]);
}
