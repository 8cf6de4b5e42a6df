//! The page and the feed of a mirror.

use std::fs;

use everseed::baseurl::BaseUrl;
use expect_test::expect;

use super::house::web::{File, Web};
use super::{Fan, Publisher};

#[test]
fn a_mirror_has_a_page_of_what_is_here() {
    let publisher = Publisher::new();
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    fan.round();
    let page = fs::read_to_string(fan.site().join("index.html")).expect("a page");
    let (head, body) = page.split_once("<style>").expect("a style");
    let body = body.split_once("</style>").expect("its end").1;
    let mut shown = format!("{head}{body}").replace(&publisher.web.url(""), "SHOW/");
    for entry in fan.entries() {
        shown = shown.replace(&entry.magnet.replace('&', "&amp;"), "magnet:...");
    }
    let lines: Vec<_> = shown.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    expect![[r##"
        <!DOCTYPE html>
        <html lang="en">
        <head>
          <meta charset="utf-8">
          <meta name="viewport" content="width=device-width, initial-scale=1">
          <title>A show – mirror</title>
          <meta name="generator" content="everseed 0.1.0 mirror">
          <meta name="color-scheme" content="light dark">
          <link rel="icon" href="data:,">
        </head>
        <body>
          <a class="skip" href="#main">Skip to the content</a>
          <main id="main" tabindex="-1">
            <h1><bdi>A show</bdi></h1>
            <p>A mirror of the show that is published at <a href="SHOW/">SHOW/</a>, kept and seeded by somebody else.</p>
            <p><a href="swarms">What is seeded here</a> · <a href="everseed.json">everseed.json</a></p>
            <h2>Episodes</h2>
            <ul class="torrents">
        <li>
          <h3><bdi>A set</bdi></h3>
          <p class="facts"><time datetime="2026-05-09">2026-05-09</time> · 153.6 kB · <a href="SHOW/episodes/set/">the show's own page</a></p>
          <p class="links">
            <a href="torrents/set.torrent" type="application/x-bittorrent" aria-label="Torrent of A set">Torrent</a>
            <a href="magnet:..." aria-label="Magnet link of A set">Magnet link</a>
          </p>
          <details>
            <summary>3 files</summary>
            <ul class="files">
              <li><a href="media/set/a.bin"><bdi>a.bin</bdi></a> <span class="quiet">102.4 kB</span></li>
              <li><a href="media/set/sub/b.bin"><bdi>b.bin</bdi></a> <span class="quiet">51.2 kB</span></li>
              <li><a href="media/set/sub/empty.txt"><bdi>empty.txt</bdi></a> <span class="quiet">0 B</span></li>
            </ul>
          </details>
        </li>
        <li>
          <h3><bdi>Two</bdi></h3>
          <p class="facts"><time datetime="2026-05-08">2026-05-08</time> · 1.0 MB · <a href="SHOW/episodes/ep2/">the show's own page</a></p>
          <p class="links">
            <a href="media/ep2.mp3" aria-label="Download Two">Download</a>
            <a href="torrents/ep2.torrent" type="application/x-bittorrent" aria-label="Torrent of Two">Torrent</a>
            <a href="magnet:..." aria-label="Magnet link of Two">Magnet link</a>
          </p>
        </li>
        <li>
          <h3><bdi>One</bdi></h3>
          <p class="facts"><time datetime="2026-05-01">2026-05-01</time> · 307.2 kB · <a href="SHOW/episodes/ep1/">the show's own page</a></p>
          <p class="links">
            <a href="media/ep1.mp3" aria-label="Download One">Download</a>
            <a href="torrents/ep1.torrent" type="application/x-bittorrent" aria-label="Torrent of One">Torrent</a>
            <a href="magnet:..." aria-label="Magnet link of One">Magnet link</a>
          </p>
        </li>
            </ul>
          </main>
        </body>
        </html>
    "##]].assert_eq(&(lines.join("\n") + "\n"));
    assert!(!fan.site().join("torrents.xml").exists(), "nobody knows where its links would lead");
    // The same is not written again.
    let modified = || fs::metadata(fan.site().join("index.html")).expect("a page").modified().expect("a time");
    let before = modified();
    fan.round();
    assert_eq!(modified(), before);
}

#[test]
fn a_mirror_that_knows_its_address_has_a_feed_that_can_be_mirrored() {
    let publisher = Publisher::new();
    let web = Web::new();
    let address = BaseUrl::parse(&web.url("")).expect("an address");
    let fan = Fan::of(&publisher.web.url("everseed.json")).with(|options| options.base_url = Some(address));
    fan.round();
    let bytes = fs::read(fan.site().join("torrents.xml")).expect("a feed");
    let feed = rss::Channel::read_from(&bytes[..]).expect("RSS");
    assert_eq!(feed.link(), web.url(""));
    let enclosures: Vec<_> = feed.items().iter().filter_map(|item| item.enclosure()).collect();
    let sizes: Vec<_> =
        fan.entries().iter().map(|entry| (entry.torrent.url(), entry.torrent.below(&fan.site()))).collect();
    assert_eq!(enclosures.len(), 3);
    for (enclosure, (url, at)) in enclosures.iter().zip(sizes) {
        assert_eq!(enclosure.url(), web.url(&url));
        assert_eq!(enclosure.length(), fs::metadata(at).expect("it is there").len().to_string());
    }
    fan.files().iter().for_each(|(name, bytes)| web.put(name, File::of(bytes)));
    drop(publisher);
    let other = Fan::of(&web.url("torrents.xml"));
    assert_eq!(other.round().fetched, 3, "{}", other.told());
    // Without an address it goes again.
    let fan = fan.with(|options| options.base_url = None);
    fan.round();
    assert!(!fan.site().join("torrents.xml").exists());
}

#[test]
fn what_a_stranger_calls_his_episodes_is_text_and_a_page_of_the_operators_own_stays() {
    let publisher = Publisher::new();
    let mut manifest = publisher.manifest();
    manifest.title = "</title><script>alert(1)</script>".into();
    manifest.torrents[0].title = "\"><img src=x onerror=alert(2)>".into();
    manifest.torrents[1].page = Some("javascript:alert(3)".into());
    publisher.web.put("everseed.json", File::of(manifest.to_json().as_bytes()));
    let fan = Fan::of(&publisher.web.url("everseed.json"));
    fan.round();
    let at = fan.site().join("index.html");
    let page = fs::read_to_string(&at).expect("a page");
    assert!(page.contains("&lt;script&gt;") && page.contains("&lt;img src=x"), "{page}");
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("javascript"), "{page}");
    fs::write(&at, "<h1>My own page</h1>").expect("written");
    fan.told();
    fan.round();
    assert_eq!(fs::read(&at).expect("a page"), b"<h1>My own page</h1>");
    assert_eq!(fan.told(), "WARNING: mirror: DIR/data/site/index.html is somebody else's, and stays");
}
