//! Whole pages as they are published: what a visitor's browser gets, to be read by a person before it is accepted.

mod house;

use expect_test::{Expect, expect};
use house::{House, files};

/// A page without the lines that are empty, and without the info-hash of noise.
fn page(house: &House, name: &str, expected: &Expect) {
    let made = files(&house.public());
    let torrent = everseed::metainfo::parse(made["torrents/ep1.torrent"].clone()).expect("a torrent");
    let text =
        String::from_utf8(made[name].clone()).expect("UTF-8").replace(&torrent.info_hashes.main().to_string(), "HASH");
    let lines: Vec<_> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    expected.assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "they are the pages themselves")]
fn the_pages_of_a_small_show() {
    let house = House::furnished().page("about.md", "+++\ntitle = \"About\"\n+++\nWe <b>& you</b>.\n");
    house.build().ok();
    page(
        &house,
        "episodes/ep1/index.html",
        &expect![[r##"
            <!DOCTYPE html>
            <html lang="en">
            <head>
              <meta charset="utf-8">
              <meta name="viewport" content="width=device-width, initial-scale=1">
              <title>One – A show</title>
              <meta name="generator" content="everseed 0.1.0">
              <meta name="color-scheme" content="light dark">
              <link rel="canonical" href="https://show.example.org/episodes/ep1/">
              <meta property="og:type" content="article">
              <meta property="og:site_name" content="A show">
              <meta property="og:title" content="One">
              <meta property="og:url" content="https://show.example.org/episodes/ep1/">
              <link rel="alternate" type="application/rss+xml" title="A show" href="../../feed.xml">
              <link rel="alternate" type="application/rss+xml" title="A show (torrents)" href="../../torrents.xml">
              <link rel="icon" href="data:,">
              <link rel="stylesheet" href="../../style.css">
              <meta property="og:audio" content="https://show.example.org/media/ep1.mp3">
              <meta property="og:audio:type" content="audio/mpeg">
              <script type="application/ld+json">{"@context": "https://schema.org", "@type": "PodcastEpisode", "associatedMedia": {"@type": "AudioObject", "contentSize": "307200 B", "contentUrl": "https://show.example.org/media/ep1.mp3", "encodingFormat": "audio/mpeg"}, "datePublished": "2026-05-01", "description": "", "name": "One", "partOfSeries": {"@type": "PodcastSeries", "name": "A show", "url": "https://show.example.org/"}, "url": "https://show.example.org/episodes/ep1/"}</script>
              <script src="../../swarm.js" defer></script>
            </head>
            <body class="kind-episode">
              <a class="skip" href="#main">Skip to the content</a>
              <header class="bar">
                <a class="brand" href="../../">
                  <span class="cover cover-letter cover-brand" aria-hidden="true">A</span>
                  <span>A show</span>
                </a>
                <nav class="pages" aria-label="Pages">
                  <ul>
                    <li><a href="../../about/">About</a></li>
                    <li><a href="../../swarms">Swarms</a></li>
                  </ul>
                </nav>
              </header>
              <main id="main" tabindex="-1">
            <article class="episode">
              <header class="episode-head">
                <span class="cover cover-letter cover-episode" aria-hidden="true">O</span>
                <div class="episode-words">
                  <p class="when"><time datetime="2026-05-01">1 May 2026</time></p>
                  <h1>One</h1>
                  <ul class="facts">
              <li><span class="unseen">Size </span>307.2 kB</li>
            </ul>
                </div>
              </header>
              <audio class="player" controls preload="none" aria-label="One">
              <source src="../../media/ep1.mp3" type="audio/mpeg">
              <a href="../../media/ep1.mp3">ep1.mp3</a>
            </audio>
              <aside class="get" aria-labelledby="get">
                <h2 id="get" class="label">Download</h2>
                <ul class="actions">
                  <li><a class="button primary" href="../../media/ep1.mp3" download><svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><path d="M12 4v11M7.5 10.5 12 15l4.5-4.5M5 19.5h14"/></svg><span>Download <small>307.2 kB</small></span></a></li>
                  <li><a class="button" href="../../torrents/ep1.torrent" type="application/x-bittorrent"><svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><circle cx="12" cy="12" r="2.6"/><circle cx="12" cy="4.4" r="1.8"/><circle cx="5.2" cy="17.4" r="1.8"/><circle cx="18.8" cy="17.4" r="1.8"/><path d="M12 6.2v3.2M9.8 13.4 6.7 16.2M14.2 13.4l3.1 2.8"/></svg><span>Torrent</span></a></li>
                  <li><a class="button" href="magnet:?xt=urn:btih:HASH&amp;dn=ep1.mp3&amp;xl=307200&amp;tr=https%3A%2F%2Fshow.example.org%2Fannounce&amp;ws=https%3A%2F%2Fshow.example.org%2Fmedia%2Fep1.mp3"><svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><path d="M5 4h4v8.5a3 3 0 0 0 6 0V4h4v8.5a7 7 0 0 1-14 0zM5 8h4M15 8h4"/></svg><span>Magnet link</span></a></li>
                </ul>
                <dl class="swarm" data-swarms="/api/swarms.json" data-info-hash="HASH" hidden>
                  <div><dt>Seeds</dt><dd data-count="seeds">–</dd></div>
                  <div><dt>Peers</dt><dd data-count="leechers">–</dd></div>
                  <div><dt>Completed</dt><dd data-count="completed">–</dd></div>
                </dl>
                <p class="hint">A BitTorrent client takes the torrent or the magnet link, and fetches the file from everyone who shares it and from this site.</p>
                <dl class="torrent">
                  <div class="wide"><dt>Size</dt><dd>307.2 kB <span class="exact">(307200 bytes)</span></dd></div>
                  <div><dt>Pieces</dt><dd>10</dd></div>
                  <div><dt>Piece length</dt><dd>32 KiB</dd></div>
                  <div class="wide"><dt>Info-hash</dt><dd><code>HASH</code></dd></div>
                </dl>
              </aside>
              <div class="episode-body">
                <section class="prose" aria-label="Show notes">
            <p>Notes of <em>One</em>.</p>
                </section>
              </div>
            </article>
            <nav class="neighbours" aria-label="Newer and older">
              <a class="newer" href="../../episodes/ep2/" rel="next"><span>Newer</span> Two</a>
            </nav>
              </main>
              <footer class="foot">
                <p>A show</p>
                <ul>
                  <li><a href="../../feed.xml">Podcast feed</a></li>
                  <li><a href="../../torrents.xml">Torrent feed</a></li>
                  <li class="made">Published with everseed 0.1.0</li>
                </ul>
              </footer>
            </body>
            </html>
        "##]],
    );
    page(
        &house,
        "index.html",
        &expect![[r##"
            <!DOCTYPE html>
            <html lang="en">
            <head>
              <meta charset="utf-8">
              <meta name="viewport" content="width=device-width, initial-scale=1">
              <title>A show</title>
              <meta name="description" content="About things.">
              <meta name="generator" content="everseed 0.1.0">
              <meta name="color-scheme" content="light dark">
              <link rel="canonical" href="https://show.example.org/">
              <meta property="og:type" content="website">
              <meta property="og:site_name" content="A show">
              <meta property="og:title" content="A show">
              <meta property="og:url" content="https://show.example.org/">
              <meta property="og:description" content="About things.">
              <link rel="alternate" type="application/rss+xml" title="A show" href="feed.xml">
              <link rel="alternate" type="application/rss+xml" title="A show (torrents)" href="torrents.xml">
              <link rel="icon" href="data:,">
              <link rel="stylesheet" href="style.css">
            </head>
            <body class="kind-index">
              <a class="skip" href="#main">Skip to the content</a>
              <header class="bar">
                <nav class="pages" aria-label="Pages">
                  <ul>
                    <li><a href="about/">About</a></li>
                    <li><a href="swarms">Swarms</a></li>
                  </ul>
                </nav>
              </header>
              <main id="main" tabindex="-1">
            <div class="masthead">
              <span class="cover cover-letter cover-show" aria-hidden="true">A</span>
              <div class="masthead-words">
                <h1>A show</h1>
                <p class="lede">About things.</p>
              </div>
              <ul class="subscribe">
                <li>
                  <a class="button primary" href="feed.xml" type="application/rss+xml"><svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><path d="M5 11a8 8 0 0 1 8 8M5 5a14 14 0 0 1 14 14"/><circle cx="6" cy="18" r="1.4" fill="currentColor"/></svg>Podcast feed</a>
                  <p>For podcast apps: <code>https://show.example.org/feed.xml</code></p>
                </li>
                <li>
                  <a class="button" href="torrents.xml" type="application/rss+xml"><svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><circle cx="12" cy="12" r="2.6"/><circle cx="12" cy="4.4" r="1.8"/><circle cx="5.2" cy="17.4" r="1.8"/><circle cx="18.8" cy="17.4" r="1.8"/><path d="M12 6.2v3.2M9.8 13.4 6.7 16.2M14.2 13.4l3.1 2.8"/></svg>Torrent feed</a>
                  <p>For BitTorrent clients: <code>https://show.example.org/torrents.xml</code></p>
                </li>
              </ul>
            </div>
            <section class="latest" aria-labelledby="latest">
              <h2 id="latest" class="label">Latest episode</h2>
              <article>
                <div class="latest-words">
                  <p class="when"><time datetime="2026-05-08">8 May 2026</time></p>
                  <h3><a href="episodes/ep2/">Two</a></h3>
                  <ul class="facts">
              <li><span class="unseen">Size </span>1.0 MB</li>
            </ul>
                </div>
                <audio class="player" controls preload="none" aria-label="Two">
              <source src="media/ep2.mp3" type="audio/mpeg">
              <a href="media/ep2.mp3">ep2.mp3</a>
            </audio>
              </article>
            </section>
            <section aria-labelledby="episodes">
              <h2 id="episodes" class="label">Earlier episodes</h2>
              <ol class="ledger">
                <li>
                  <article class="row">
                    <p class="when"><time datetime="2026-05-01">1 May 2026</time></p>
                    <div class="row-words">
                      <h3><a href="episodes/ep1/">One</a></h3>
                      <ul class="facts">
              <li><span class="unseen">Size </span>307.2 kB</li>
            </ul>
                    </div>
                  </article>
                </li>
              </ol>
            </section>
            <section aria-labelledby="downloads">
              <h2 id="downloads" class="label">Downloads</h2>
              <ol class="ledger">
                <li>
                  <article class="row">
                    <p class="when"><time datetime="2026-05-09">9 May 2026</time></p>
                    <div class="row-words">
                      <h3><a href="episodes/set/">A set</a></h3>
                      <ul class="facts">
              <li>3 files</li>
              <li><span class="unseen">Size </span>153.6 kB</li>
            </ul>
                      <ul class="fetch">
                        <li><a href="torrents/set.torrent" type="application/x-bittorrent"><svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><circle cx="12" cy="12" r="2.6"/><circle cx="12" cy="4.4" r="1.8"/><circle cx="5.2" cy="17.4" r="1.8"/><circle cx="18.8" cy="17.4" r="1.8"/><path d="M12 6.2v3.2M9.8 13.4 6.7 16.2M14.2 13.4l3.1 2.8"/></svg>Torrent<span class="unseen"> of A set</span></a></li>
                        <li><a href="magnet:?xt=urn:btih:d4849d3470f79061dae2e2e8b0cd94c079a62437&amp;dn=set&amp;xl=153601&amp;tr=https%3A%2F%2Fshow.example.org%2Fannounce&amp;ws=https%3A%2F%2Fshow.example.org%2Fmedia%2F"><svg class="icon" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><path d="M5 4h4v8.5a3 3 0 0 0 6 0V4h4v8.5a7 7 0 0 1-14 0zM5 8h4M15 8h4"/></svg>Magnet link<span class="unseen"> of A set</span></a></li>
                      </ul>
                    </div>
                  </article>
                </li>
              </ol>
            </section>
              </main>
              <footer class="foot">
                <p>A show</p>
                <ul>
                  <li><a href="feed.xml">Podcast feed</a></li>
                  <li><a href="torrents.xml">Torrent feed</a></li>
                  <li class="made">Published with everseed 0.1.0</li>
                </ul>
              </footer>
            </body>
            </html>
        "##]],
    );
    page(
        &house,
        "about/index.html",
        &expect![[r##"
            <!DOCTYPE html>
            <html lang="en">
            <head>
              <meta charset="utf-8">
              <meta name="viewport" content="width=device-width, initial-scale=1">
              <title>About – A show</title>
              <meta name="generator" content="everseed 0.1.0">
              <meta name="color-scheme" content="light dark">
              <link rel="canonical" href="https://show.example.org/about/">
              <meta property="og:type" content="website">
              <meta property="og:site_name" content="A show">
              <meta property="og:title" content="About">
              <meta property="og:url" content="https://show.example.org/about/">
              <link rel="alternate" type="application/rss+xml" title="A show" href="../feed.xml">
              <link rel="alternate" type="application/rss+xml" title="A show (torrents)" href="../torrents.xml">
              <link rel="icon" href="data:,">
              <link rel="stylesheet" href="../style.css">
            </head>
            <body class="kind-page">
              <a class="skip" href="#main">Skip to the content</a>
              <header class="bar">
                <a class="brand" href="../">
                  <span class="cover cover-letter cover-brand" aria-hidden="true">A</span>
                  <span>A show</span>
                </a>
                <nav class="pages" aria-label="Pages">
                  <ul>
                    <li><a href="../about/" aria-current="page">About</a></li>
                    <li><a href="../swarms">Swarms</a></li>
                  </ul>
                </nav>
              </header>
              <main id="main" tabindex="-1">
            <article class="plain">
              <h1>About</h1>
              <div class="prose">
            <p>We <b>&amp; you</b>.</p>
              </div>
            </article>
              </main>
              <footer class="foot">
                <p>A show</p>
                <ul>
                  <li><a href="../feed.xml">Podcast feed</a></li>
                  <li><a href="../torrents.xml">Torrent feed</a></li>
                  <li class="made">Published with everseed 0.1.0</li>
                </ul>
              </footer>
            </body>
            </html>
        "##]],
    );
}

#[test]
fn nothing_published_holds_the_marks_of_a_merge() {
    let house = House::furnished();
    house.build().ok();
    for (name, bytes) in files(&house.public()) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.lines().any(|line| line.starts_with("<<<<<<< ")), "{name}");
    }
}
