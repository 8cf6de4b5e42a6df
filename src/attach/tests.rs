//! Attaching while others write, stopped at every step, and with media that are not where one would look.

mod retired;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use expect_test::expect;

use super::*;
use crate::baseurl::BaseUrl;
use crate::manifest::Manifest;
use crate::output;
use crate::sitepath::SitePath;

/// A project's folder with a site in `public`.
struct House {
    folder: tempfile::TempDir,
    options: Options,
}

impl House {
    /// A site with a feed of `items`: each a guid and the URL of its enclosure.
    fn new(items: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = BaseUrl::parse("https://show.example.org/").expect("a URL");
        let options = Options { root: folder.path().into(), ..Options::new(folder.path().join("public"), url) };
        let house = Self { folder, options };
        house.put("public/feed.xml", &feed(items));
        house
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn put(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("in the house")).expect("made");
        fs::write(path, content).expect("written");
    }

    /// Files of the project, each with its path for its content.
    fn with(self, files: &[&str]) -> Self {
        files.iter().for_each(|file| self.put(file, file));
        self
    }

    fn set(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    fn attach(&self) -> Summary {
        attach(&self.options, &()).unwrap_or_else(|error| panic!("attached: {error}"))
    }

    /// What is said instead of attaching.
    fn refused(&self) -> String {
        let error = attach(&self.options, &()).expect_err("refused");
        let kind = match &error {
            Error::Content(_) => "content",
            Error::Changed(_) => "changed",
            Error::Findings(_) => "findings",
            Error::Media(_) => "media",
            Error::Trouble(_) => "trouble",
        };
        self.shown(&format!("{kind}: {error}"))
    }

    fn shown(&self, text: &str) -> String {
        let real = self.folder.path().canonicalize().expect("a folder");
        let named = |path: &Path| format!("{}/", path.display());
        text.replace(&named(&real), "").replace(&named(self.folder.path()), "")
    }

    /// The slugs with the bytes of their media and the findings of a run.
    fn told(&self) -> String {
        let summary = self.attach();
        let released = summary.releases.iter().map(|one| format!("{}: {} bytes, {}", one.slug, one.bytes, one.url));
        let findings = summary.findings.iter().map(|finding| format!("{}: {}", finding.rule, finding.problem));
        self.shown(&released.chain(findings).collect::<Vec<_>>().join("\n"))
    }

    /// The files of the site and the project with their contents, but what runs remember.
    fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let walk = walkdir::WalkDir::new(self.folder.path()).into_iter().flatten();
        let files = walk.filter(|entry| entry.file_type().is_file());
        files
            .map(|entry| (self.shown(&entry.path().display().to_string()), fs::read(entry.path()).expect("read")))
            .filter(|(path, _)| !path.starts_with(".everseed"))
            .collect()
    }

    fn manifest(&self) -> Manifest {
        Manifest::parse(&fs::read(self.path("public/everseed.json")).expect("there")).expect("a manifest")
    }
}

fn feed(items: &[(&str, &str)]) -> String {
    let item = |(index, (guid, url)): (usize, &(&str, &str))| {
        let day = 28 - index;
        format!(
            "<item><title>{guid}</title><guid>{guid}</guid><pubDate>{day} May 2026 06:00:00 GMT</pubDate>\
             <enclosure url=\"{}\" length=\"0\" type=\"audio/mpeg\"/></item>\n",
            url.replace('&', "&amp;")
        )
    };
    let items: String = items.iter().enumerate().map(item).collect();
    format!("<rss version=\"2.0\"><channel><title>A show</title>\n{items}</channel></rss>\n")
}

const EP1: (&str, &str) = ("one", "https://show.example.org/audio/ep1.mp3");
const EP2: (&str, &str) = ("two", "https://show.example.org/audio/ep2.mp3");

/// A site that was attached to, and then other content: a medium mended, an episode new, one gone.
fn changed() -> House {
    let house = House::new(&[EP2, EP1]).with(&["public/audio/ep1.mp3", "media/audio/ep2.mp3"]);
    let house = house.set(|options| {
        options.media = vec![options.root.join("media")];
        options.accept_changed = true;
        options.html = true;
    });
    house.put("public/index.html", "<p data-everseed=ep1></p>");
    house.attach();
    house.put("public/audio/ep1.mp3", "mended");
    house.put("public/feed.xml", &feed(&[("three", "https://show.example.org/audio/ep3.mp3"), EP1]));
    house.put("public/index.html", "<p data-everseed=ep3></p>");
    house.with(&["media/audio/ep3.mp3"])
}

#[test]
fn a_run_that_is_killed_or_fails_at_any_step_leaves_the_site_as_it_was() {
    for is_killed in [true, false] {
        let mut steps = 0;
        for stop in 0.. {
            let house = changed();
            let before = house.tree();
            let mut step = 0;
            let mut watch = || {
                step += 1;
                match is_killed {
                    _ if step != stop + 1 => Ok(()),
                    // Past everything that would tidy up after an error.
                    true => resume_unwind(Box::new("killed")),
                    false => Err(io::ErrorKind::StorageFull.into()),
                }
            };
            let run = || attach_watched(&house.options, &(), &mut watch).is_ok();
            if matches!(catch_unwind(AssertUnwindSafe(run)), Ok(true)) {
                steps = stop;
                break;
            }
            if is_killed {
                assert_eq!(output::restore(&house.options.site), Ok(true), "step {stop}");
            }
            assert_eq!(house.tree(), before, "step {stop}");
            house.attach();
            assert_eq!(house.attach().files_written, 0);
        }
        assert!(steps > 12, "it ended after {steps} steps");
    }
}

/// Writes a file as soon as media are read.
struct Rewrite {
    path: PathBuf,
    text: String,
}

impl hash::Progress for Rewrite {
    fn advance(&self, _bytes: u64) {
        fs::write(&self.path, &self.text).expect("written");
    }
}

#[test]
fn a_feed_or_a_medium_that_changes_meanwhile_is_not_spliced() {
    let house = House::new(&[EP1]).with(&["public/audio/ep1.mp3"]);
    let text = feed(&[("another", EP1.1)]);
    let rewrite = Rewrite { path: house.path("public/feed.xml"), text: text.clone() };
    let error = attach(&house.options, &rewrite).expect_err("it is another feed now");
    expect![[r#"
        public/feed.xml: changed meanwhile
          help: run it again when nothing else writes to it"#]]
    .assert_eq(&house.shown(&error.to_string()));
    let files = house.tree();
    assert_eq!(files["public/feed.xml"], text.as_bytes());
    assert!(!files.contains_key("public/everseed.json"));
}

#[test]
fn a_medium_of_another_host_is_placed_once_and_over_nothing_of_the_authors() {
    let house = House::new(&[("one", "https://cdn.example.org/x/ep1.mp3")]).with(&["media/ep1.mp3"]);
    let house = house.set(|options| {
        options.media = vec![options.root.join("media")];
        options.place = Place::All;
    });
    assert_eq!(house.attach().files_written, 5);
    assert_eq!(house.tree()["public/media/ep1.mp3"], b"media/ep1.mp3");
    let entry = &house.manifest().torrents[0];
    assert_eq!(entry.files[0].url.as_deref(), Some("https://cdn.example.org/x/ep1.mp3"));
    let again = house.attach();
    assert_eq!((again.files_written, again.files_hashed), (0, 0));
    let house = House::new(&[("one", "https://cdn.example.org/x/ep1.mp3")]).with(&["media/ep1.mp3"]);
    let house = house.set(|options| {
        options.media = vec![options.root.join("media")];
        options.place = Place::All;
    });
    house.put("public/media/ep1.mp3", "the author's own");
    expect![[r#"
        content: public/media/ep1.mp3: was not placed by everseed, and is not media/ep1.mp3
          help: move it to another place, or use --place linked"#]]
    .assert_eq(&house.refused());
}

#[test]
fn a_name_is_kept_when_the_generator_has_removed_what_was_published() {
    let house = House::new(&[("two", "https://show.example.org/b/ep.mp3")]).with(&["public/b/ep.mp3"]);
    house.attach();
    // An older one comes, and the site is built anew from nothing.
    let items = [("two", "https://show.example.org/b/ep.mp3"), ("one", "https://show.example.org/a/ep.mp3")];
    fs::remove_dir_all(house.path("public")).expect("removed");
    house.put("public/feed.xml", &feed(&items));
    let house = house.with(&["public/a/ep.mp3", "public/b/ep.mp3"]);
    expect![[r#"
        ep: 15 bytes, https://show.example.org/b/ep.mp3
        a-ep: 15 bytes, https://show.example.org/a/ep.mp3
        medium: public/feed.xml:2: b/ep.mp3: its name says audio/mpeg, but its content is not
        length: public/feed.xml:2: the enclosure "https://show.example.org/b/ep.mp3" has the length 0, and its file has 15 bytes
          help: mend the feed's template, or let --fix length do it
        medium: public/feed.xml:3: a/ep.mp3: its name says audio/mpeg, but its content is not
        length: public/feed.xml:3: the enclosure "https://show.example.org/a/ep.mp3" has the length 0, and its file has 15 bytes
          help: mend the feed's template, or let --fix length do it"#]].assert_eq(&house.told());
    // Nor does another file take its place unnoticed.
    fs::remove_dir_all(house.path("public")).expect("removed");
    house.put("public/feed.xml", &feed(&items));
    house.put("public/a/ep.mp3", "public/a/ep.mp3");
    house.put("public/b/ep.mp3", "another file");
    assert!(house.refused().starts_with("changed: public/feed.xml:2: the torrent of `ep` would become another one"));
}

#[test]
fn a_query_makes_another_file_unless_there_is_one_at_the_path() {
    let urls = [("one", "https://show.example.org/play.mp3?ep=1"), ("two", "https://show.example.org/play.mp3?ep=2")];
    let house = House::new(&urls);
    let findings = house.attach().findings;
    assert_eq!(findings.iter().filter(|finding| finding.rule == "no-media").count(), 2);
    let house = House::new(&[("one", "https://show.example.org/ep1.mp3?source=feed")]).with(&["public/ep1.mp3"]);
    assert_eq!(house.attach().releases[0].slug, "ep1");
    assert_eq!(house.manifest().torrents[0].files[0].path.as_str(), "ep1.mp3");
}

#[test]
fn a_file_that_two_enclosures_may_mean_is_that_of_neither() {
    let urls = [("one", "https://cdn.example.org/s1/01.mp3"), ("two", "https://cdn.example.org/s2/01.mp3")];
    let house = House::new(&urls).with(&["media/01.mp3"]);
    let house = house.set(|options| options.media = vec![options.root.join("media")]);
    let findings = house.attach().findings;
    let rules: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, ["no-media", "same-file", "no-media", "same-file"]);
    assert!(house.manifest().torrents.is_empty());
}

#[test]
fn a_file_is_that_of_the_enclosure_whose_path_it_has() {
    let urls = [("two", "https://show.example.org/2026/ep.mp3"), ("one", "https://show.example.org/2025/ep.mp3")];
    let house = House::new(&urls).with(&["media/2025/ep.mp3"]);
    let house = house.set(|options| options.media = vec![options.root.join("media")]);
    // Its own length tells nothing, and the other's is that of the file.
    let text = feed(&urls).replacen("length=\"0\"", "length=\"17\"", 1);
    house.put("public/feed.xml", &text);
    for _ in 0..2 {
        let summary = house.attach();
        let released: Vec<_> = summary.releases.iter().map(|one| &one.url[..]).collect();
        assert_eq!(released, ["https://show.example.org/2025/ep.mp3"]);
        assert!(summary.findings.iter().any(|finding| finding.rule == "same-file"), "{:?}", summary.findings);
        assert!(!house.tree().contains_key("public/2026/ep.mp3"));
    }
    // The same path at two hosts is one file.
    let urls = [("two", "https://a.example.org/x/ep.mp3"), ("one", "https://b.example.org/x/ep.mp3")];
    let house = House::new(&urls).with(&["media/ep.mp3"]);
    house.put("public/feed.xml", &feed(&urls).replace("length=\"0\"", "length=\"12\""));
    let house = house.set(|options| options.media = vec![options.root.join("media")]);
    assert_eq!(house.attach().releases.len(), 2);
}

#[test]
fn what_is_older_than_the_torrent_and_not_marked_is_told() {
    let house = House::new(&[EP1]).with(&["public/audio/ep1.mp3"]);
    house.attach();
    let text = String::from_utf8(house.tree()["public/feed.xml"].clone()).expect("UTF-8");
    house.put("public/feed.xml", &text.replace("<!-- everseed -->", ""));
    let rules = |summary: &Summary| summary.findings.iter().map(|finding| finding.rule).collect::<Vec<_>>();
    let summary = house.attach();
    assert!(!rules(&summary).contains(&"stale-alternate"));
    assert_eq!(summary.files_written, 0, "there is no second one");
    let house = house.set(|options| options.tracker_url = Some("https://tracker.example.org/announce".into()));
    assert!(rules(&house.attach()).contains(&"stale-alternate"));
}

#[test]
fn a_run_that_fails_has_published_nothing() {
    let house = House::new(&[EP1]).with(&["public/audio/ep1.mp3"]);
    let mut watch = || Err(io::ErrorKind::StorageFull.into());
    attach_watched(&house.options, &(), &mut watch).expect_err("nothing can be written");
    house.put("public/audio/ep1.mp3", "another file");
    house.attach();
    // What was published, and can't be read any more, is not taken for nothing.
    fs::remove_file(house.path("public/everseed.json")).expect("removed");
    for entry in fs::read_dir(house.path(".everseed/attached")).expect("there").flatten() {
        fs::write(entry.path(), "damaged").expect("written");
    }
    assert!(house.refused().contains("what was published before can't be read"), "{}", house.refused());
}

#[test]
fn a_site_at_another_address_than_its_feed_says_is_told_of() {
    let house = House::new(&[("one", "https://www.show.example.org/audio/ep1.mp3")]).with(&["public/audio/ep1.mp3"]);
    house.put(
        "public/feed.xml",
        &feed(&[("one", "https://www.show.example.org/audio/ep1.mp3")]).replace("\"0\"", "\"20\""),
    );
    expect![[r#"
        ep1: 20 bytes, https://www.show.example.org/audio/ep1.mp3
        base-url: public/feed.xml:2: "https://www.show.example.org/audio/ep1.mp3" is not below https://show.example.org/, and seems to be a file of the site
          help: give --base-url the address that the generator was told
        medium: public/feed.xml:2: https://www.show.example.org/audio/ep1.mp3: its name says audio/mpeg, but its content is not"#]].assert_eq(&house.told());
    assert_eq!(house.manifest().torrents[0].files[0].path.as_str(), "audio/ep1.mp3");
}

#[test]
fn a_relative_url_counts_from_the_base_that_the_feed_gives() {
    let house = House::new(&[]).with(&["public/audio/1.mp3", "public/x/audio/1.mp3"]);
    house.put(
        "public/feed.xml",
        "<feed xmlns='http://www.w3.org/2005/Atom' xml:base='x/'><title>T</title><entry><id>1</id>\
         <link rel='enclosure' href='audio/1.mp3'/></entry></feed>",
    );
    let released = house.attach().releases;
    assert_eq!(released[0].url, "https://show.example.org/x/audio/1.mp3");
    // Apps know no base of a source.
    let text = String::from_utf8(house.tree()["public/feed.xml"].clone()).expect("UTF-8");
    assert!(text.contains("<podcast:source uri=\"https://show.example.org/x/audio/1.mp3\"/>"), "{text}");
}

#[test]
fn the_feed_for_torrent_clients_takes_no_others_place() {
    let house = House::new(&[EP1]).with(&["public/audio/ep1.mp3"]);
    for place in ["everseed.json", "feed.xml", "torrents/ep1.torrent", "torrents"] {
        let house = House::new(&[EP1]).with(&["public/audio/ep1.mp3"]);
        let house = house.set(|options| options.torrents_feed = SitePath::new(place).expect("a path"));
        let refused = house.refused();
        assert!(refused.contains("is to be the feed for torrent clients, and another file or folder too"), "{refused}");
    }
    // Where it moves, the former one is not taken for a feed of the show.
    house.attach();
    let house = house.set(|options| options.torrents_feed = SitePath::new("bt.xml").expect("a path"));
    assert_eq!(house.attach().feeds.len(), 1);
}

#[test]
fn a_guid_stays_in_the_lock_as_it_was_first_seen() {
    let house = House::new(&[EP1]).with(&["public/audio/ep1.mp3"]);
    update_lock(&house.options, &Update::default(), &()).expect("locked");
    house.put("public/feed.xml", &feed(&[("other", EP1.1)]));
    for _ in 0..2 {
        let findings = house.attach().findings;
        assert!(findings.iter().any(|finding| finding.rule == "guid-changed"), "{findings:?}");
        assert!(String::from_utf8_lossy(&house.tree()["everseed.lock"]).contains("guid = \"one\""));
    }
    let house = house.set(|options| options.accept_changed = true);
    house.attach();
    assert!(String::from_utf8_lossy(&house.tree()["everseed.lock"]).contains("guid = \"other\""));
}

#[test]
fn what_the_lock_changed_on_purpose_needs_no_second_word() {
    let house = House::new(&[EP1]).with(&["public/audio/ep1.mp3"]);
    update_lock(&house.options, &Update::default(), &()).expect("locked");
    house.attach();
    house.put("public/audio/ep1.mp3", "another file");
    let accepting = Options { accept_changed: true, ..house.options.clone() };
    update_lock(&accepting, &Update::default(), &()).expect("locked");
    let house = house.set(|options| options.locked = true);
    assert_eq!(house.attach().files_written, 4);
    assert_eq!(house.attach().files_written, 0);
}

#[test]
fn what_templates_find_is_kept_up_to_date_with_the_lock() {
    let house = House::new(&[EP1]).with(&["public/audio/ep1.mp3"]);
    let house = house.set(|options| options.data = Some(options.root.join("data/everseed.json")));
    update_lock(&house.options, &Update::default(), &()).expect("locked");
    house.put("public/feed.xml", &feed(&[EP2, EP1]));
    let house = house.with(&["public/audio/ep2.mp3"]);
    house.attach();
    let data = house.tree()["data/everseed.json"].clone();
    assert!(String::from_utf8(data).expect("UTF-8").contains("\"ep2\": {"));
}

#[test]
fn a_site_that_another_run_holds_is_trouble_and_no_fault_of_its_author() {
    let house = House::new(&[EP1]).with(&["public/audio/ep1.mp3"]);
    let held = output::hold(&house.path("public")).expect("held");
    assert!(house.refused().starts_with("trouble: "), "{}", house.refused());
    drop(held);
    house.attach();
}

#[test]
fn a_medium_that_was_placed_is_not_read_a_second_time() {
    let house = House::new(&[EP1]).with(&["media/ep1.mp3"]);
    let house = house.set(|options| options.media = vec![options.root.join("media")]);
    let old = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = fs::File::options().write(true).open(house.path("media/ep1.mp3")).expect("opened");
    file.set_modified(old).expect("set");
    assert_eq!(house.attach().files_hashed, 1);
    assert_eq!(house.attach().files_hashed, 0);
}

#[test]
fn links_to_a_store_of_large_files_are_media() {
    use std::os::unix::fs::symlink;
    let house = House::new(&[EP1, EP2]).with(&["store/1", "store/2"]);
    let house = house.set(|options| options.media = vec![options.root.join("media")]);
    fs::create_dir_all(house.path("media/deep")).expect("made");
    symlink(house.path("store/1"), house.path("media/ep1.mp3")).expect("linked");
    symlink(house.path("store/2"), house.path("media/deep/ep2.mp3")).expect("linked");
    symlink(house.path("media"), house.path("media/deep/circle")).expect("linked");
    assert_eq!(house.attach().releases.len(), 2);
    assert_eq!(house.tree()["public/audio/ep1.mp3"], b"store/1");
}
