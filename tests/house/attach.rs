//! A project whose site another generator has built: feeds and media in `public/`, and what `everseed attach` makes of
//! them.
//!
//! ```text
//! let site = Attached::show();
//! site.attach(&[]).ok();
//! assert_eq!(bare(&site.text("feed.xml")), rss(&EPISODES.concat()));
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{KIB, MIB, Run, Server, everseed, files, mp3, noise};

/// The address of the site, unless a test names another.
pub const BASE: &str = "https://show.example.org/";
/// The comment before everything that stands in a feed since it was amended.
const MARK: &str = "<!-- everseed -->";

/// An item of an RSS feed with all that apps ask for; its media are those of `enclosures`.
pub fn item(title: &str, day: u8, enclosures: &[String]) -> String {
    let lower = title.to_lowercase();
    format!(
        "    <item>\n      <title>{title}</title>\n      <guid isPermaLink=\"false\">{lower}</guid>\n      \
         <link>{BASE}{lower}/</link>\n      <pubDate>{day:02} May 2026 06:00:00 GMT</pubDate>\n      \
         <itunes:duration>0:20</itunes:duration>\n{}    </item>\n",
        enclosures.concat()
    )
}

/// An enclosure of an item.
pub fn enclosure(url: &str, length: usize) -> String {
    let is_ogg = Path::new(url).extension().is_some_and(|extension| extension == "ogg");
    let mime = if is_ogg { "audio/ogg" } else { "audio/mpeg" };
    format!("      <enclosure url=\"{url}\" length=\"{length}\" type=\"{mime}\"/>\n")
}

/// An RSS feed of these items.
pub fn rss(items: &[String]) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rss version=\"2.0\" xmlns:itunes=\"http://www.itunes.com/dtds/podcast-1.0.dtd\" \
         xmlns:atom=\"http://www.w3.org/2005/Atom\" xmlns:podcast=\"https://podcastindex.org/namespace/1.0\">\n  \
         <channel>\n    <title>A show</title>\n    <link>{BASE}</link>\n    <description>About things.</description>\n    \
         <language>en</language>\n{}  </channel>\n</rss>\n",
        items.concat()
    )
}

/// The two episodes of [`Attached::show`], the newer one first.
pub fn episodes() -> Vec<String> {
    let url = |name: &str| format!("{BASE}audio/{name}.mp3");
    vec![item("Two", 8, &[enclosure(&url("ep2"), MIB + 17)]), item("One", 1, &[enclosure(&url("ep1"), 300 * KIB)])]
}

/// `text` without what was inserted into it and marked so: each element behind the mark, the mark, and the space before.
pub fn bare(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once(MARK) {
        out += before.trim_end();
        let element = behind.trim_start();
        let name: String = element.chars().skip(1).take_while(|c| !c.is_whitespace() && !"/>".contains(*c)).collect();
        let open = element.find('>').expect("an element ends") + 1;
        rest = if element[..open].ends_with("/>") {
            &element[open..]
        } else {
            element.split_once(&format!("</{name}>")).expect("an element ends").1
        };
    }
    out + rest
}

/// A project in a temporary folder. Its site stands in `public/`.
pub struct Attached {
    dir: TempDir,
    base_url: String,
}

impl Attached {
    /// A project whose site has a page and no feed.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let site = Self { dir, base_url: BASE.into() };
        site.put("public/index.html", b"<!doctype html>\n<title>A show</title>\n<p>About things.\n")
    }

    /// A site with a feed of two episodes, and their media.
    pub fn show() -> Self {
        Self::new()
            .feed("feed.xml", &rss(&episodes()))
            .media("public/audio/ep1.mp3", 300 * KIB)
            .media("public/audio/ep2.mp3", MIB + 17)
    }

    /// The same project, whose site stands at another address.
    pub fn at(mut self, base_url: &str) -> Self {
        self.base_url = base_url.into();
        self
    }

    /// The project's folder.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    /// A folder beside the project.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The site.
    pub fn public(&self) -> PathBuf {
        self.root().join("public")
    }

    /// Writes a file below the project's folder.
    pub fn put(self, name: &str, bytes: &[u8]) -> Self {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a folder");
        // Another one: the former may be one file with a copy elsewhere.
        let _ = fs::remove_file(&path);
        fs::write(path, bytes).expect("written");
        self
    }

    /// Writes a feed of the site.
    pub fn feed(self, name: &str, text: &str) -> Self {
        self.put(&format!("public/{name}"), text.as_bytes())
    }

    /// Writes noise of its own below the project's folder, in frames of sound where its name says so. Files of one name
    /// have the same bytes.
    pub fn media(self, name: &str, len: usize) -> Self {
        let file = name.rsplit('/').next().unwrap_or_default();
        let seed = file.bytes().fold(7, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let is_mp3 = Path::new(name).extension().is_some_and(|extension| extension == "mp3");
        let bytes = if is_mp3 { mp3(seed, len) } else { noise(seed, len) };
        self.put(name, &bytes)
    }

    /// Removes a file or folder below the project's folder.
    pub fn without(self, name: &str) -> Self {
        let path = self.root().join(name);
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        removed.expect("removed");
        self
    }

    /// Takes these files from another project.
    pub fn taking(self, from: &Self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let wanted = files(&from.root()).into_iter().filter(|(name, _)| is_wanted(name));
        wanted.fold(self, |site, (name, bytes)| site.put(&name, &bytes))
    }

    /// Runs `everseed` with `args` in the project's folder.
    pub fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, &[])
    }

    /// Runs `everseed` with these variables in its environment.
    pub fn run_with(&self, args: &[&str], env: &[(&str, &str)]) -> Run {
        let mut command = everseed();
        Run::of(command.args(args).envs(env.iter().copied()).current_dir(self.root()), self.dir.path())
    }

    /// Attaches to the site, which is found; `args` follow.
    pub fn attach(&self, args: &[&str]) -> Run {
        self.run(&[&["attach", "--base-url", &self.base_url], args].concat())
    }

    /// Brings the lock up to date, or what `args` say.
    pub fn lock(&self, args: &[&str]) -> Run {
        self.run(&[&["lock", "--site", "public", "--base-url", &self.base_url], args].concat())
    }

    /// Every file of the site.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        files(&self.public())
    }

    /// A text of the site.
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.public().join(name)).expect("a text")
    }

    /// A torrent of the site.
    pub fn torrent(&self, slug: &str) -> everseed::metainfo::Torrent {
        let bytes = fs::read(self.public().join(format!("torrents/{slug}.torrent"))).expect("it is there");
        everseed::metainfo::parse(bytes).expect("a torrent")
    }

    /// Inode and times of every file of the site: what changes when a file is rewritten.
    pub fn stamps(&self) -> Vec<(String, u64, i64, i64)> {
        let stamp = |name: String| {
            let metadata = fs::metadata(self.public().join(&name)).expect("a file");
            (name, metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
        };
        self.files().into_keys().map(stamp).collect()
    }

    /// Serves the site.
    pub fn serve(&self) -> Server {
        let (site, data) = (self.public().display().to_string(), self.beside("data").display().to_string());
        let args = ["--site", &site, "--data", &data, "--listen", "127.0.0.1:0", "--peer-listen", "127.0.0.1:0"];
        Server::start(&args.map(str::to_owned), self.dir.path())
    }
}
