//! Real generators build the sites of `site-example/generators`, everseed attaches to what they wrote, and who reads it
//! or downloads from it finds what was there before, and the torrents.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use everseed::metainfo::{self, Torrent};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::clients::{Client, Wanted};
use crate::downloads::{at_fixed_ports, rewritten};
use crate::house::{Run, Server, everseed, files};
use crate::net::{Net, SERVER};
use crate::{TOOLS, bounded, node_script, printed, script};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/site-example");

/// The slug of each episode and its sound, the newest first.
const EPISODES: [(&str, &[u8]); 2] = [
    ("ep003", include_bytes!("../../site-example/audio/ep003.mp3")),
    ("ep001", include_bytes!("../../site-example/content/ep001.mp3")),
];

#[test]
#[ignore = "needs Hugo and make; .ci/run installs them"]
fn a_site_of_hugo_is_attached_and_nothing_else_of_it_changes() {
    nothing_else_changes(Generator::Hugo);
}

#[test]
#[ignore = "needs Jekyll; .ci/run installs it"]
fn a_site_of_jekyll_is_attached_and_nothing_else_of_it_changes() {
    nothing_else_changes(Generator::Jekyll);
}

#[test]
#[ignore = "needs Eleventy; .ci/run installs it"]
fn a_site_of_eleventy_is_attached_and_nothing_else_of_it_changes() {
    nothing_else_changes(Generator::Eleventy);
}

#[test]
#[ignore = "needs Hugo, feedparser, podcastparser, podcast-partytime and feedsmith; .ci/run installs them"]
fn foreign_parsers_read_the_feeds_of_hugo_as_before_and_the_torrents() {
    is_read_as_before(Generator::Hugo);
}

#[test]
#[ignore = "needs Jekyll, feedparser, podcastparser, podcast-partytime and feedsmith; .ci/run installs them"]
fn foreign_parsers_read_the_feed_of_jekyll_as_before_and_the_torrents() {
    is_read_as_before(Generator::Jekyll);
}

#[test]
#[ignore = "needs Eleventy, feedparser, podcastparser, podcast-partytime and feedsmith; .ci/run installs them"]
fn foreign_parsers_read_the_feeds_of_eleventy_as_before_and_the_torrents() {
    is_read_as_before(Generator::Eleventy);
}

#[test]
#[ignore = "needs root, unshare, of util-linux, and Hugo; .ci/run installs them"]
fn a_site_of_hugo_without_media_and_network_is_attached_to_the_same_bytes() {
    is_attached_from_the_lock(Generator::Hugo);
}

#[test]
#[ignore = "needs root, unshare, of util-linux, and Jekyll; .ci/run installs them"]
fn a_site_of_jekyll_without_media_and_network_is_attached_to_the_same_bytes() {
    is_attached_from_the_lock(Generator::Jekyll);
}

#[test]
#[ignore = "needs root, unshare, of util-linux, and Eleventy; .ci/run installs them"]
fn a_site_of_eleventy_without_media_and_network_is_attached_to_the_same_bytes() {
    is_attached_from_the_lock(Generator::Eleventy);
}

#[test]
#[ignore = "needs root, iproute2, Hugo, aria2c and the Python module libtorrent; .ci/run installs them"]
fn clients_complete_an_episode_of_a_site_of_hugo() {
    clients_complete(Generator::Hugo);
}

#[test]
#[ignore = "needs root, iproute2, Jekyll, aria2c and the Python module libtorrent; .ci/run installs them"]
fn clients_complete_an_episode_of_a_site_of_jekyll() {
    clients_complete(Generator::Jekyll);
}

#[test]
#[ignore = "needs root, iproute2, Eleventy, aria2c and the Python module libtorrent; .ci/run installs them"]
fn clients_complete_an_episode_of_a_site_of_eleventy() {
    clients_complete(Generator::Eleventy);
}

fn nothing_else_changes(generator: Generator) {
    let show = Show::new(generator, "https://show.example.org");
    show.generate();
    let before = files(&show.site());
    show.attach(&["--dry-run"]).ok();
    same(&files(&show.site()), &before);

    show.attach(&[]).ok();
    let after = files(&show.site());
    let added: Vec<_> = after.keys().filter(|name| !before.contains_key(*name)).map(String::as_str).collect();
    assert_eq!(added, generator.added());
    for (name, was) in &before {
        let Some(is) = after.get(name) else { panic!("{name} is gone") };
        let (text_was, text_is) = (String::from_utf8_lossy(was), String::from_utf8_lossy(is));
        if generator.feeds().contains(&name.as_str()) {
            assert_ne!(text_is, text_was, "{name} was to be amended");
            assert_eq!(unattached(&text_is, &text_was), text_was, "{name}");
        } else if generator.fills_pages() && name.ends_with("index.html") {
            assert_filled(&text_is, &text_was);
        } else {
            assert!(is == was, "{name} was changed");
        }
    }
    for (slug, sound) in EPISODES {
        assert!(after[&format!("audio/{slug}.mp3")] == sound, "{slug}");
    }

    // The examples leave nothing to be told, so that `--strict` has nothing against them.
    let stamps = show.stamps();
    show.attach(&["--strict"]).ok();
    assert_eq!(show.stamps(), stamps);
    same(&files(&show.site()), &after);

    // As the example itself does it: over what is there, and from nothing.
    show.publish();
    same(&files(&show.site()), &after);
    fs::remove_dir_all(show.site()).expect("removed");
    show.publish();
    same(&files(&show.site()), &after);
}

fn is_read_as_before(generator: Generator) {
    let show = Show::new(generator, "https://show.example.org");
    show.generate();
    let feeds = generator.feeds();
    let before: Vec<_> = feeds.iter().map(|feed| show.read(feed)).collect();
    show.attach(&[]).ok();
    for (feed, before) in feeds.iter().zip(before) {
        let after = show.read(feed);
        assert_eq!(after.common, before.common, "{feed}");
        for (count, item) in after.common["items"].as_array().expect("a list").iter().enumerate() {
            assert_eq!(item["enclosures"].as_array().expect("a list").len(), 1, "{feed}: {item}");
            assert_eq!(item["enclosures"][0][0], show.feed_url(EPISODES[count].0), "{feed}");
        }
        if let Some(alternates) = before.alternates {
            assert_eq!(alternates, json!([[], []]), "{feed}");
            assert_eq!(after.alternates, Some(show.alternates()), "{feed}");
        }
    }

    let torrents = show.read("torrents.xml").common;
    let mut read: Vec<_> = torrents["items"].as_array().expect("a list").iter().collect();
    read.sort_by_key(|item| std::cmp::Reverse(item["enclosures"][0][0].to_string()));
    assert_eq!(read.len(), EPISODES.len());
    for (item, (slug, _)) in read.iter().zip(EPISODES) {
        let path = format!("torrents/{slug}.torrent");
        let len = fs::metadata(show.site().join(&path)).expect("a torrent").len();
        let enclosure = json!([[show.url(&path), len, "application/x-bittorrent"]]);
        assert_eq!(item["enclosures"], enclosure);
    }
}

fn is_attached_from_the_lock(generator: Generator) {
    let show = Show::new(generator, "https://show.example.org");
    show.generate();
    show.attach(&[]).ok();
    let with_media = files(&show.site());
    show.everseed(&["lock"], &show.flags()).ok();
    assert!(show.root().join("everseed.lock").exists());

    fs::remove_dir_all(show.audio()).expect("removed");
    fs::remove_dir_all(show.site()).expect("removed");
    fs::remove_dir_all(show.root().join(".everseed")).unwrap_or_default();
    show.generate();
    for (name, bytes) in files(&show.site()) {
        let text = String::from_utf8_lossy(&bytes);
        if name == "index.html" || name.starts_with("episodes/ep") {
            assert!(text.contains("magnet:?xt=urn:btih:"), "{name} shows {}:\n{text}", generator.data());
        }
    }
    // Not even the loopback is up there.
    let mut alone = Command::new("unshare");
    alone.arg("--net").arg(everseed().get_program()).args(["attach", "--locked", "--site", generator.site()]);
    alone.args(["--base-url", &show.base_url]).current_dir(show.root());
    Run::of(&mut alone, show.dir.path()).ok();

    let mut without = files(&show.site());
    for name in generator.feeds().iter().chain(&["everseed.json", "torrents.xml"]) {
        assert!(without[*name] == with_media[*name], "{name} differs");
    }
    without.retain(|name, _| name.starts_with("torrents/"));
    let mut torrents = with_media;
    torrents.retain(|name, _| name.starts_with("torrents/"));
    same(&without, &torrents);

    let data = fs::read(show.root().join(generator.data())).expect("the data for templates");
    let data: Value = serde_json::from_slice(&data).expect("JSON");
    assert_eq!(data["version"], 1);
    assert_eq!(data["media"].as_object().expect("by slug").len(), EPISODES.len());
    for (slug, sound) in EPISODES {
        let (file, torrent) = (&data["media"][slug], show.torrent(slug));
        assert_eq!(file["url"], show.url(&format!("audio/{slug}.mp3")), "as it stands without a counter");
        assert_eq!(file["torrent"], show.url(&format!("torrents/{slug}.torrent")));
        assert_eq!(file["magnet"], metainfo::magnet(&torrent));
        assert_eq!(file["info_hash"], torrent.info_hashes.main().to_string());
        assert_eq!(file["bytes"], sound.len());
        assert_eq!(file["mime"], "audio/mpeg");
    }
}

fn clients_complete(generator: Generator) {
    Net::inside(|net| {
        let show = Show::new(generator, &format!("http://{SERVER}:8080"));
        show.publish();
        let server = show.serve();
        let home = fs::read(show.site().join("index.html")).expect("a page");
        assert!(server.get(generator.path()).body == home, "the home page stands at {}", show.base_url);
        let room = net.room();
        let (slug, sound) = EPISODES[0];
        let torrent = show.torrent(slug);
        let path = show.url(&format!("torrents/{slug}.torrent"));
        let path = path.strip_prefix(&format!("http://{SERVER}:8080")).expect("on the server");
        assert!(server.get(path).body == torrent.bytes(), "{path}");
        assert_eq!(torrent.metainfo.trackers[0][0], show.url("announce"));
        assert_eq!(torrent.metainfo.web_seeds, [show.url(&format!("audio/{slug}.mp3"))]);
        let of_the_seed = rewritten(&torrent, |metainfo| metainfo.web_seeds.clear());
        let of_the_web_seed = rewritten(&torrent, |metainfo| metainfo.trackers.clear());
        for client in [Client::Aria2, Client::Libtorrent] {
            for (way, torrent) in [("seed", &of_the_seed), ("web-seed", &of_the_web_seed)] {
                let folder = show.dir.path().join(format!("{slug}-{client:?}-{way}"));
                let got = files(&client.start(&room, &Wanted::Torrent(torrent.bytes()), &folder, None).finished());
                assert_eq!(got.keys().collect::<Vec<_>>(), [&format!("{slug}.mp3")], "{client:?}, {way}");
                assert!(got[&format!("{slug}.mp3")] == sound, "{client:?}, {way}: other bytes");
            }
        }
    });
}

/// Who writes a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generator {
    Hugo,
    Jekyll,
    Eleventy,
}

impl Generator {
    /// The name of its example.
    fn name(self) -> &'static str {
        match self {
            Self::Hugo => "hugo",
            Self::Jekyll => "jekyll",
            Self::Eleventy => "eleventy",
        }
    }

    /// Where it writes to.
    fn site(self) -> &'static str {
        if self == Self::Hugo { "public" } else { "_site" }
    }

    /// The path below which the example is published.
    fn path(self) -> &'static str {
        if self == Self::Eleventy { "/podcast/" } else { "/" }
    }

    /// Where the example looks for data for its templates.
    fn data(self) -> &'static str {
        match self {
            Self::Hugo => "data/everseed.json",
            Self::Jekyll => "_data/everseed.json",
            Self::Eleventy => "src/_data/everseed.json",
        }
    }

    /// The feeds that the example has.
    fn feeds(self) -> &'static [&'static str] {
        match self {
            Self::Hugo => &["feed.xml", "episodes/feed.xml"],
            Self::Jekyll => &["feed.xml"],
            Self::Eleventy => &["feed.xml", "atom.xml"],
        }
    }

    /// Whether the example has its pages filled.
    fn fills_pages(self) -> bool {
        self != Self::Hugo
    }

    /// What attaching adds to the site, by name. The sound is in the site already where the generator copies it.
    fn added(self) -> Vec<&'static str> {
        let placed: &[_] = if self == Self::Hugo { &["audio/ep001.mp3", "audio/ep003.mp3"] } else { &[] };
        let ours = ["everseed.json", "torrents.xml", "torrents/ep001.torrent", "torrents/ep003.torrent"];
        placed.iter().copied().chain(ours).collect()
    }
}

/// An example site in a temporary folder.
struct Show {
    dir: TempDir,
    generator: Generator,
    /// With the slash at its end.
    base_url: String,
}

impl Show {
    /// A copy of the example with its sound, to be published at `host`, which is a scheme and a name.
    fn new(generator: Generator, host: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let show = Self { dir, generator, base_url: format!("{host}{}", generator.path()) };
        let sources = Path::new(SOURCES).join("generators").join(generator.name());
        for (name, bytes) in files(&sources) {
            write(&show.root().join(name), &bytes);
        }
        for (slug, sound) in EPISODES {
            write(&show.audio().join(format!("{slug}.mp3")), sound);
        }
        write(&show.dir.path().join("url.yml"), format!("url: {host}\n").as_bytes());
        // For a generator that is to attach nothing.
        fs::create_dir(show.dir.path().join("idle")).expect("a folder");
        symlink("/bin/true", show.dir.path().join("idle/everseed")).expect("linked");
        show
    }

    /// The generator's project.
    fn root(&self) -> PathBuf {
        self.dir.path().join("show")
    }

    fn site(&self) -> PathBuf {
        self.root().join(self.generator.site())
    }

    /// Where the sound is kept: outside of the project, in it, and where the generator copies it from.
    fn audio(&self) -> PathBuf {
        self.root().join(match self.generator {
            Generator::Hugo => "../audio",
            Generator::Jekyll => "audio",
            Generator::Eleventy => "src/audio",
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// The URL of an episode's sound as its feed has it.
    fn feed_url(&self, slug: &str) -> String {
        let url = self.url(&format!("audio/{slug}.mp3"));
        match self.generator {
            Generator::Jekyll => format!("https://stats.example.org/e/{}", url.trim_start_matches("https://")),
            _ => url,
        }
    }

    /// Runs the generator, and nothing after it.
    fn generate(&self) {
        let command = match self.generator {
            Generator::Hugo => {
                let mut command = bounded("hugo");
                command.args(["--quiet", "--baseURL", &self.base_url]);
                command
            }
            _ => self.with_hook(),
        };
        self.run(command, &self.dir.path().join("idle"));
    }

    /// Runs the generator and what it is followed by: rules of make, or a hook of the generator's.
    fn publish(&self) {
        let command = match self.generator {
            Generator::Hugo => {
                let mut command = bounded("make");
                command.arg("--silent").arg(format!("--file={SOURCES}/deploy/Makefile"));
                command.arg(format!("BASE_URL={}", self.base_url));
                command
            }
            _ => self.with_hook(),
        };
        let program = Path::new(env!("CARGO_BIN_EXE_everseed")).parent().expect("its folder");
        self.run(command, program);
    }

    /// A generator whose example attaches by itself.
    fn with_hook(&self) -> Command {
        if self.generator == Generator::Jekyll {
            let mut command = bounded("jekyll");
            command.args(["build", "--quiet", "--config", "_config.yml,../url.yml"]);
            return command;
        }
        let mut command = bounded("node");
        command.arg(format!("{TOOLS}/node_modules/@11ty/eleventy/cmd.cjs")).arg("--quiet");
        command.env("SITE_URL", &self.base_url);
        command
    }

    /// Runs `command` in the project, where `everseed` is that of the folder `program`.
    fn run(&self, mut command: Command, program: &Path) {
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{TOOLS}/venv/bin:{path}", program.display()));
        // Ruby reads files in the locale's encoding.
        command.env("LC_ALL", "C.UTF-8").env("TZ", "UTC").current_dir(self.root());
        printed(command);
    }

    /// What the example's configuration leaves to be said.
    fn flags(&self) -> Vec<&str> {
        let mut flags = vec!["--site", self.generator.site(), "--base-url", &self.base_url];
        if self.generator == Generator::Hugo {
            flags.extend(["--media", "../audio"]);
        }
        flags
    }

    fn everseed(&self, command: &[&str], args: &[&str]) -> Run {
        Run::of(everseed().args(command).args(args).current_dir(self.root()), self.dir.path())
    }

    fn attach(&self, more: &[&str]) -> Run {
        self.everseed(&[&["attach"], more].concat(), &self.flags())
    }

    fn serve(&self) -> Server {
        let (site, data) = (self.site().display().to_string(), self.dir.path().join("data").display().to_string());
        let ports = at_fixed_ports();
        let args = ["--site", &site, "--data", &data].into_iter().chain(ports).map(str::to_owned);
        Server::start(&args.collect::<Vec<_>>(), self.dir.path())
    }

    fn torrent(&self, slug: &str) -> Torrent {
        let bytes = fs::read(self.site().join(format!("torrents/{slug}.torrent"))).expect("a torrent");
        metainfo::parse(bytes).expect("a torrent")
    }

    /// When each file of the site was last written to.
    fn stamps(&self) -> BTreeMap<String, SystemTime> {
        let stamp = |name: &String| fs::metadata(self.site().join(name)).and_then(|file| file.modified());
        files(&self.site()).into_keys().map(|name| (name.clone(), stamp(&name).expect("a time"))).collect()
    }

    /// What all readers make of a feed, who read the same.
    fn read(&self, feed: &str) -> Read {
        let mut python = script("feeds.py");
        python.arg(self.site().join(feed));
        let mut common = objects(&printed(python));
        let mut alternates = Vec::new();
        if feed != "atom.xml" {
            let mut node = node_script("attached.cjs");
            node.arg(self.site().join(feed)).arg(self.audio());
            let read = objects(&printed(node));
            let [first, second, theirs @ ..] = &read[..] else { panic!("an object from each") };
            common.extend([first.clone(), second.clone()]);
            alternates.extend_from_slice(theirs);
        }
        for both in common.windows(2) {
            assert_eq!(
                both[0], both[1],
                "{feed} as feedparser, podcastparser, podcast-partytime and feedsmith read it"
            );
        }
        if let [first, second] = &alternates[..] {
            assert_eq!(first, second, "{feed} as podcast-partytime and feedsmith read it");
        }
        Read { common: common.swap_remove(0), alternates: alternates.pop() }
    }

    /// What the readers are to find beside each enclosure.
    fn alternates(&self) -> Value {
        let items = EPISODES.map(|(slug, sound)| {
            let torrent = self.url(&format!("torrents/{slug}.torrent"));
            json!([{
                "type": "audio/mpeg",
                "length": sound.len(),
                "title": "Standard",
                "default": true,
                "sources": [
                    [self.feed_url(slug), "audio/mpeg"],
                    [torrent, "application/x-bittorrent"],
                    [metainfo::magnet(&self.torrent(slug)), "application/x-bittorrent"],
                ],
                "integrity_is_right": true,
            }])
        });
        Value::from(items.to_vec())
    }
}

/// What readers found in a feed.
struct Read {
    common: Value,
    /// For each item those of it; none where nobody knows of them.
    alternates: Option<Value>,
}

fn objects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a folder");
    fs::write(path, bytes).expect("written");
}

/// Whether both hold the same files.
#[track_caller]
fn same(is: &BTreeMap<String, Vec<u8>>, was: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(is.keys().collect::<Vec<_>>(), was.keys().collect::<Vec<_>>());
    for (name, bytes) in is {
        assert!(*bytes == was[name], "{name} differs:\n{}", String::from_utf8(bytes.clone()).unwrap_or_default());
    }
}

/// `feed` without the elements that are marked as ours and the white space before them, and without the namespaces that
/// `before` does not declare.
fn unattached(feed: &str, before: &str) -> String {
    const MARK: &str = "<!-- everseed -->";
    let mut kept = String::new();
    let mut rest = feed;
    while let Some((head, marked)) = rest.split_once(MARK) {
        kept.push_str(head.trim_end());
        let name = marked.strip_prefix('<').and_then(|tag| tag.split([' ', '\n', '/', '>']).next());
        let name = name.unwrap_or_else(|| panic!("an element after {MARK}"));
        let end = marked.find('>').expect("the tag's end") + 1;
        let closing = format!("</{name}>");
        let is_empty = marked[..end].ends_with("/>");
        let end = if is_empty { end } else { marked.find(&closing).expect("the element's end") + closing.len() };
        rest = &marked[end..];
    }
    kept.push_str(rest);
    for uri in ["https://podcastindex.org/namespace/1.0", "http://www.w3.org/2005/Atom"] {
        let value = format!("=\"{uri}\"");
        let Some(at) = kept.find(&value).filter(|_| !before.contains(&value)) else { continue };
        let name = kept[..at].rfind(char::is_whitespace).expect("an attribute");
        kept.replace_range(kept[..name].trim_end().len()..at + value.len(), "");
    }
    kept
}

/// Whether `is` is the page `was` with links in each element that asks for them, and with nothing else.
#[track_caller]
fn assert_filled(is: &str, was: &str) {
    const EMPTY: &str = "\"></div>";
    let mut pieces = was.split(EMPTY);
    let first = pieces.next().unwrap_or_default();
    let mut rest = is.strip_prefix(first).unwrap_or_else(|| panic!("it began\n{first}\nand is\n{is}"));
    let mut pieces = pieces.peekable();
    assert!(pieces.peek().is_some(), "an element to fill:\n{was}");
    while let Some(piece) = pieces.next() {
        let piece = format!("</div>{piece}");
        let at = if pieces.peek().is_some() { rest.find(&piece) } else { rest.rfind(&piece) };
        let at = at.unwrap_or_else(|| panic!("nowhere is\n{piece}\nin\n{rest}"));
        assert!(rest.starts_with("\">"), "{rest}");
        for link in ["/audio/ep", "/torrents/ep", "magnet:?xt=urn:btih:"] {
            assert!(rest[..at].contains(link), "no {link} in {}", &rest[..at]);
        }
        rest = &rest[at + piece.len()..];
    }
    assert_eq!(rest, "", "after the page's end");
}

#[test]
fn what_is_marked_is_taken_off() {
    let before = "<rss version=\"2.0\">\n <link/>\n <item>\n  <enclosure/>\n </item>\n</rss>\n";
    let after = "<rss version=\"2.0\" xmlns:podcast=\"https://podcastindex.org/namespace/1.0\" \
                 xmlns:atom=\"http://www.w3.org/2005/Atom\">\n <link/>\n <!-- everseed --><atom:link href=\"a\"/>\n <item>\n  \
                 <enclosure/>\n  <!-- everseed --><podcast:alternateEnclosure type=\"a/b\">\n   <podcast:source/>\n  \
                 </podcast:alternateEnclosure>\n </item>\n</rss>\n";
    assert_eq!(unattached(after, before), before);
    assert_ne!(unattached(&after.replace(" </item>", "</item>"), before), before);
}

#[test]
fn what_is_filled_is_told_from_what_is_changed() {
    let before = "<p>1</p><div data-everseed=\"ep1\"></div>\n<p>2</p><div data-everseed=\"ep2\"></div>\n<p>3</p>";
    let links = |slug| {
        format!(
            "<div><a href=\"/audio/{slug}\"></a><a href=\"/torrents/{slug}\"></a><a href=\"magnet:?xt=urn:btih:a\"></a></div>"
        )
    };
    let after = format!(
        "<p>1</p><div data-everseed=\"ep1\">{}</div>\n<p>2</p><div data-everseed=\"ep2\">{}</div>\n<p>3</p>",
        links("ep1"),
        links("ep2")
    );
    assert_filled(&after, before);
    let changed = after.replace("<p>2</p>", "<p>4</p>");
    assert!(std::panic::catch_unwind(|| assert_filled(&changed, before)).is_err());
}
