//! What a show publishes, as its manifest or its feed says it: the torrents that a mirror is to have.

use std::io::Cursor;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use url::Url;

use super::place::Places;
use crate::baseurl::BaseUrl;
use crate::feed::foreign::{self, Foreign, Item};
use crate::id::{InfoHash, InfoHashV2, InfoHashes};
use crate::manifest::{self, Entry, Manifest};
use crate::metainfo::Torrent;
use crate::mime::TORRENT_MIME;
use crate::problem::Problem;

/// The most bytes of the document of a show.
pub const DOCUMENT_BYTES_MAX: u64 = manifest::BYTES_MAX;
/// The most characters of a title that are taken over.
const TITLE_CHARS_MAX: usize = 300;
/// The most bytes of an address that is taken over.
const URL_BYTES_MAX: usize = 4096;
/// What to name as the show.
const HELP: &str = "name the show's everseed.json, its torrents.xml, its feed, or the address of its site";

/// A show, as one document says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Show {
    /// Its title.
    pub title: String,
    /// The address of its site.
    pub base_url: BaseUrl,
    /// Its torrents, each once, the newest first and those that are retired last.
    pub wishes: Vec<Wish>,
}

/// A torrent of the show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Where the `.torrent` is.
    pub torrent_url: String,
    /// What the document says of its info-hash.
    pub said: Said,
    /// The title people know it by; empty where there is none.
    pub title: String,
    /// The address of the page about it.
    pub page: Option<String>,
    /// When it was published, in the format of RFC 3339.
    pub published: Option<String>,
    /// When it was retired, in the format of RFC 3339, where it was.
    pub retired: Option<String>,
    /// Its magnet link, where the document says it.
    pub magnet: Option<String>,
    /// Its size, where the document says it.
    pub bytes: Option<u64>,
    /// Where it lies below the site's root, where the document says it.
    pub places: Option<Places>,
    /// The URLs of its files, where the document says them.
    pub file_urls: Vec<String>,
}

/// What a document says of an info-hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Nothing.
    Nothing,
    /// The one by which it is called.
    Main(InfoHash),
    /// All that it has.
    All(InfoHashes),
}

impl Said {
    /// The one by which the torrent is called.
    pub fn main(self) -> Option<InfoHash> {
        match self {
            Self::Nothing => None,
            Self::Main(hash) => Some(hash),
            Self::All(hashes) => Some(hashes.main()),
        }
    }

    /// Whether `torrent` is the one that was meant.
    pub fn is_of(self, torrent: &Torrent) -> bool {
        match self {
            Self::Nothing => true,
            Self::Main(hash) => torrent.info_hashes.swarms().any(|swarm| swarm == hash),
            Self::All(hashes) => torrent.info_hashes == hashes,
        }
    }
}

impl Show {
    /// Reads the document that stands at `url`: a manifest, or a feed.
    pub fn read(document: &[u8], url: &Url) -> Result<Self, Problem> {
        let is_json = document.trim_ascii_start().first() == Some(&b'{');
        if is_json {
            let manifest = Manifest::parse(document).map_err(|error| {
                Problem::new(format!("{url}: {error}")).help("the show's site is to be built again")
            })?;
            return Ok(Self::of_manifest(manifest, url));
        }
        if !foreign::looks_like_a_feed(document.get(..beginning()).unwrap_or(document)) {
            return Err(Problem::new(format!("{url}: is neither a manifest of everseed nor a feed")).help(HELP));
        }
        let feed = foreign::read_links(&mut Cursor::new(document)).map_err(|error| {
            let line = error.line().map_or(String::new(), |line| format!("line {line}: "));
            Problem::new(format!("{url}: {line}{error}")).help("the show's feed is to be mended")
        })?;
        Ok(Self::of_feed(&feed, url))
    }

    fn of_manifest(manifest: Manifest, url: &Url) -> Self {
        let mut wishes: Vec<_> = manifest.torrents.into_iter().map(|entry| Wish::of_entry(entry, url)).collect();
        wishes.sort_by_key(|wish| wish.retired.is_some());
        Self::new(&manifest.title, Some(&manifest.base_url), url, wishes)
    }

    fn of_feed(feed: &Foreign, url: &Url) -> Self {
        let mut items: Vec<&Item> = feed.items.iter().collect();
        if items.iter().all(|item| item.date.is_some()) {
            items.sort_by_key(|item| std::cmp::Reverse(item.date));
        }
        let wishes = items.into_iter().flat_map(|item| Wish::of_item(item, url)).collect();
        Self::new(&feed.title, feed.link.as_deref(), url, wishes)
    }

    fn new(title: &str, base_url: Option<&str>, url: &Url, mut wishes: Vec<Wish>) -> Self {
        let mut seen = std::collections::HashSet::new();
        wishes.retain(|wish| {
            let hash = wish.said.main();
            seen.insert((hash, if hash.is_some() { String::new() } else { wish.torrent_url.clone() }))
        });
        wishes.truncate(manifest::TORRENTS_MAX);
        Self {
            title: limited(title),
            base_url: base_url.and_then(|text| BaseUrl::parse(text).ok()).unwrap_or_else(|| folder(url)),
            wishes,
        }
    }
}

impl Wish {
    /// An entry of the manifest at `url`.
    fn of_entry(entry: Entry, url: &Url) -> Self {
        let root = folder(url);
        let file_urls = entry.files.iter().map(|file| match &file.url {
            Some(url) => url.clone(),
            None => root.of(&file.path),
        });
        Self {
            torrent_url: root.of(&entry.torrent),
            said: Said::All(entry.info_hashes),
            file_urls: file_urls.collect(),
            places: Some(Places::of(&entry)),
            title: limited(&entry.title),
            magnet: Some(entry.magnet).filter(|magnet| is_magnet_of(magnet, entry.info_hashes.main())),
            page: entry.page.filter(|page| is_web_page(page)),
            published: entry.published.filter(|date| moment(date).is_some()),
            retired: entry.retired.map(|since| if moment(&since).is_some() { since } else { EPOCH.to_owned() }),
            bytes: Some(entry.bytes),
        }
    }

    /// What is kept and nobody wishes any more: it is to stay as it is.
    pub fn of_kept(entry: &Entry) -> Self {
        Self {
            torrent_url: entry.torrent.to_string(),
            said: Said::All(entry.info_hashes),
            file_urls: Vec::new(),
            places: Some(Places::of(entry)),
            title: entry.title.clone(),
            magnet: Some(entry.magnet.clone()),
            page: entry.page.clone(),
            published: entry.published.clone(),
            retired: entry.retired.clone(),
            bytes: Some(entry.bytes),
        }
    }

    /// The torrents of an item of the feed at `url`.
    fn of_item(item: &Item, url: &Url) -> Vec<Self> {
        let resolved = |text: &str, base: Option<&str>| {
            let base = base.and_then(|base| url.join(base).ok()).unwrap_or_else(|| url.clone());
            base.join(text).ok().map(String::from)
        };
        let guid = item.guid.as_deref().and_then(|guid| guid.trim().parse::<InfoHash>().ok());
        let enclosed = item.enclosures.iter().filter(|enclosure| {
            let path = enclosure.url.split(['?', '#']).next().unwrap_or_default();
            enclosure.mime.as_deref() == Some(TORRENT_MIME) || path.ends_with(".torrent")
        });
        // The guid of an item of `torrents.xml` is the info-hash of its one torrent (BEP 36).
        let said = guid.map_or(Said::Nothing, Said::Main);
        let enclosed =
            enclosed.filter_map(|enclosure| Some((resolved(&enclosure.url, enclosure.base.as_deref())?, said, None)));
        let linked = item.links.iter().filter_map(|link| {
            let hash = link.magnet.as_deref().and_then(hash_of_magnet);
            let magnet = link.magnet.clone().filter(|magnet| hash.is_some_and(|hash| is_magnet_of(magnet, hash)));
            Some((resolved(link.torrent.as_deref()?, None)?, hash.map_or(Said::Nothing, Said::Main), magnet))
        });
        let mut page = item.link.clone();
        page = page.and_then(|page| resolved(&page, None)).filter(|page| is_web_page(page));
        let wish = |(torrent_url, said, magnet)| Self {
            torrent_url,
            said,
            magnet,
            title: limited(&item.title),
            page: page.clone(),
            published: item.date.and_then(|date| date.format(&Rfc3339).ok()),
            retired: None,
            bytes: None,
            places: None,
            file_urls: Vec::new(),
        };
        enclosed.chain(linked).map(wish).collect()
    }
}

/// A moment for what was retired nobody can say when: it is the first to go.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// Whether a stranger's magnet link may stand in our manifest and pages.
fn is_magnet_of(magnet: &str, hash: InfoHash) -> bool {
    magnet.len() <= URL_BYTES_MAX && !magnet.contains(char::is_control) && hash_of_magnet(magnet) == Some(hash)
}

/// Where a document stands: the folder that its relative addresses count from.
pub fn folder(url: &Url) -> BaseUrl {
    let mut root = url.join(".").unwrap_or_else(|_| url.clone());
    root.set_query(None);
    root.set_fragment(None);
    BaseUrl::parse(root.as_str()).expect("a document was fetched over http or https, without a user name")
}

/// The info-hash of a magnet link (BEP 9): of v1, else the truncated one of v2.
fn hash_of_magnet(magnet: &str) -> Option<InfoHash> {
    let url = Url::parse(magnet).ok().filter(|url| url.scheme() == "magnet")?;
    let topics: Vec<_> = url.query_pairs().filter(|(key, _)| key == "xt" || key.starts_with("xt.")).collect();
    let topic = |prefix: &str| topics.iter().find_map(|(_, value)| value.strip_prefix(prefix).map(str::to_owned));
    let v1 = topic("urn:btih:").and_then(|text| text.parse().ok());
    let v2 = || Some(topic("urn:btmh:1220")?.parse::<InfoHashV2>().ok()?.truncated());
    v1.or_else(v2)
}

fn beginning() -> usize {
    usize::try_from(foreign::SNIFFED_BYTES).unwrap_or(usize::MAX)
}

/// A stranger's title: one line, and not too long.
fn limited(title: &str) -> String {
    let title: String = title.chars().filter(|c| !c.is_control()).take(TITLE_CHARS_MAX).collect();
    title.trim().to_owned()
}

/// Whether a stranger's address may stand in our pages.
fn is_web_page(text: &str) -> bool {
    let is_web = |url: Url| matches!(url.scheme(), "http" | "https");
    text.len() <= URL_BYTES_MAX && Url::parse(text).is_ok_and(is_web)
}

/// A day or a moment, as manifests have it.
pub fn moment(text: &str) -> Option<OffsetDateTime> {
    let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    parse(text).or_else(|| parse(&format!("{text}T00:00:00Z")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn read(document: &str, url: &str) -> String {
        match Show::read(document.as_bytes(), &Url::parse(url).expect("a URL")) {
            Err(problem) => problem.to_string(),
            Ok(show) => {
                let wishes = show.wishes.iter().map(|wish| {
                    let said = match wish.said {
                        Said::Nothing => "-".to_owned(),
                        Said::Main(hash) => hash.to_string()[..8].to_owned(),
                        Said::All(hashes) => format!("{}!", &hashes.main().to_string()[..8]),
                    };
                    let retired = wish.retired.as_ref().map_or(String::new(), |since| format!(" retired {since}"));
                    let (published, page) =
                        (wish.published.as_deref().unwrap_or("-"), wish.page.as_deref().unwrap_or("-"));
                    format!("\n{said} {:?} {} {published} {page}{retired}", wish.title, wish.torrent_url)
                });
                format!("{:?} {}{}", show.title, show.base_url, wishes.collect::<String>())
            }
        }
    }

    #[test]
    fn a_feed_of_a_stranger_is_read_for_its_torrents() {
        let hash = "ab".repeat(20);
        let feed = format!(
            r#"<rss version="2.0" xmlns:podcast="https://podcastindex.org/namespace/1.0"><channel><title>A
            show</title><link>https://show.example.org/</link>
            <item><title>Old</title><guid>{hash}</guid><pubDate>01 May 2026 06:00:00 GMT</pubDate><link>javascript:1</link>
              <enclosure url="t/old.torrent?x=1" type="application/octet-stream"/></item>
            <item><title>New</title><pubDate>03 May 2026 06:00:00 GMT</pubDate><link>/new</link>
              <enclosure url="https://a.example.org/download" type="application/x-bittorrent" xml:base="https://b.example.org/"/></item>
            <item><title>Both</title><pubDate>02 May 2026 06:00:00 GMT</pubDate><enclosure url="a.mp3" type="audio/mpeg"/>
              <podcast:alternateEnclosure type="audio/mpeg"><podcast:source uri="a.torrent"/><podcast:source
              uri="magnet:?xt=urn:btih:{}&amp;dn=a"/></podcast:alternateEnclosure>
              <podcast:alternateEnclosure type="audio/mpeg"><podcast:source uri="magnet:?xt=urn:btih:{hash}"/></podcast:alternateEnclosure></item>
            <item><title>None</title><pubDate>02 May 2026 06:00:00 GMT</pubDate><enclosure url="b.mp3" type="audio/mpeg"/></item>
            </channel></rss>"#,
            "cd".repeat(20),
        );
        expect![[r#"
            "A show" https://show.example.org/
            - "New" https://a.example.org/download 2026-05-03T06:00:00Z https://feeds.example.net/new
            cdcdcdcd "Both" https://feeds.example.net/show/a.torrent 2026-05-02T06:00:00Z -
            abababab "Old" https://feeds.example.net/show/t/old.torrent?x=1 2026-05-01T06:00:00Z -"#]]
        .assert_eq(&read(&feed, "https://feeds.example.net/show/feed.xml?key=1"));
    }

    #[test]
    fn a_manifest_is_read_with_what_is_retired_behind() {
        let entry = |hash: &str, more: &str| {
            format!(
                r#"{{"info_hash": "{}", "name": "a.mp3", "torrent": "t/a b.torrent", "magnet": "magnet:?xt=urn:btih:00", "bytes": 1,
                "files": [{{"path": "a.mp3", "bytes": 1}}]{more}}}"#,
                hash.repeat(20)
            )
        };
        let entries = [
            entry("01", r#", "retired": "2026-05-01T00:00:00Z", "title": "Gone""#),
            entry(
                "02",
                r#", "published": "2026-05-01", "page": "https://show.example.org/2/", "title": " Two\u0007 ""#,
            ),
            entry("02", ""),
            entry("03", r#", "published": "long ago", "retired": "yesterday", "page": "file:///etc/passwd""#),
        ];
        let manifest = format!(
            r#"{{"version": 1, "base_url": "nonsense", "title": "A show", "torrents": [{}]}}"#,
            entries.join(",")
        );
        expect![[r#"
            "A show" http://a.example.org/show/
            02020202! "Two" http://a.example.org/show/t/a%20b.torrent 2026-05-01 https://show.example.org/2/
            01010101! "Gone" http://a.example.org/show/t/a%20b.torrent - - retired 2026-05-01T00:00:00Z
            03030303! "" http://a.example.org/show/t/a%20b.torrent - - retired 1970-01-01T00:00:00Z"#]]
        .assert_eq(&read(&manifest, "http://a.example.org/show/everseed.json#x"));
    }

    #[test]
    fn what_is_no_show_says_so() {
        let documents = ["", "<html>", "{}", "<rss><channel><item></channel></rss>", "<rss"];
        let told = documents.map(|document| read(document, "https://a.example.org/x"));
        expect![[r#"
            https://a.example.org/x: is neither a manifest of everseed nor a feed
              help: name the show's everseed.json, its torrents.xml, its feed, or the address of its site
            https://a.example.org/x: is neither a manifest of everseed nor a feed
              help: name the show's everseed.json, its torrents.xml, its feed, or the address of its site
            https://a.example.org/x: not a manifest: missing field `version` at line 1 column 2
              help: the show's site is to be built again
            https://a.example.org/x: line 1: `</channel>` ends `<item>`, which begins on line 1
              help: the show's feed is to be mended
            https://a.example.org/x: line 1: tag not closed: `>` not found before end of input
              help: the show's feed is to be mended"#]]
        .assert_eq(&told.join("\n"));
    }

    #[test]
    fn a_magnet_link_names_a_torrent_by_v1_or_by_v2() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let v1: InfoHash = hash.parse().expect("a hash");
        let v2 = "ab".repeat(32);
        let both = format!("magnet:?xt=urn:btmh:1220{v2}&dn=a&xt=urn:btih:{hash}");
        assert_eq!(hash_of_magnet(&both), Some(v1));
        assert_eq!(hash_of_magnet(&format!("magnet:?xt.1=urn:btmh:1220{v2}")), Some(InfoHash([0xab; 20])));
        for none in ["magnet:?dn=a", "magnet:?xt=urn:btih:xyz", "https://a.example.org/?xt=urn:btih:0", "x"] {
            assert_eq!(hash_of_magnet(none), None, "{none}");
        }
        assert!(is_magnet_of(&both, v1) && !is_magnet_of(&both, InfoHash([1; 20])));
    }
}
