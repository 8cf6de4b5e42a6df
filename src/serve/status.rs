//! What the server tells about itself: the numbers behind the status page, as JSON, and health.
//!
//! All of it is made of one [`Snapshot`], taken by whoever holds the swarms and the seed.

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;
use serde::{Serialize, Serializer};
use url::form_urlencoded;

use super::body::Body;
use super::history::Series;
use super::packed::Packed;
use super::quota::Usage;
use super::reply::{self, Reply};
use crate::id::{InfoHash, InfoHashV2, InfoHashes};
use crate::metainfo::Kind;
use crate::sitepath::SitePath;

/// The most faults, and warnings, that are listed one by one.
pub const FAULTS_MAX: usize = 50;
/// The most torrents of one page.
pub const ROWS_MAX: usize = 100;
/// The most torrents that one request names.
pub const NAMED_MAX: usize = 256;
/// The most bytes of the words that torrents are looked for with; what is beyond them is dropped.
pub const WORDS_BYTES_MAX: usize = 200;

/// The state of everything at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The site's title.
    pub title: String,
    /// The torrents, in the manifest's order.
    pub torrents: Vec<Row>,
    /// The permanent seed.
    pub everseed: Everseed,
    /// When, in seconds since 1970.
    pub generated: u64,
}

/// A torrent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What the manifest says of it.
    #[serde(flatten)]
    pub named: Named,
    /// Peers that have everything, the everseed among them. Those of both swarms of a hybrid torrent are added; the
    /// everseed counts once.
    pub seeds: u64,
    /// Peers that lack something.
    pub leechers: u64,
    /// Downloads completed in its lifetime.
    pub completed: u64,
    /// Bytes that the everseed has sent of it to peers in its lifetime.
    pub sent_bytes: u64,
    /// Bytes of its files that were sent over HTTP in its lifetime.
    pub web_sent_bytes: u64,
    /// About how many bytes peers gave each other: [`carried`].
    pub carried_bytes: u64,
    /// Peers that are connected to the everseed for it.
    pub connections: u64,
    /// `verified`, `verifying`, `elsewhere`, `degraded` or `missing`.
    pub health: &'static str,
    /// Pieces whose bytes are not what the torrent says.
    pub bad_pieces: u64,
    /// Pieces.
    pub pieces: u64,
    /// When all of it was last read again, and what came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrub: Option<Scrub>,
    /// How far it is being read again now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrubbing: Option<Scrubbing>,
    /// What is done, or would be, about its bad pieces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heal: Option<Box<str>>,
}

/// What the manifest says of a torrent: its texts are read where they stand for as long as the site is in force, since
/// a snapshot of thousands of torrents would hold them all a second time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    entry: Arc<Packed>,
    /// Where the part of its page's URL begins that is shown.
    page_from: usize,
}

impl Named {
    /// What `entry` says; its page is shown as `page`, which is the end of its URL.
    pub fn of(entry: &Arc<Packed>, page: Option<&str>) -> Self {
        let whole = entry.page().map_or(0, str::len);
        Self { entry: Arc::clone(entry), page_from: whole - page.map_or(0, str::len).min(whole) }
    }

    /// The info-hashes.
    pub fn info_hashes(&self) -> InfoHashes {
        self.entry.info_hashes
    }

    /// Its title.
    pub fn title(&self) -> &str {
        self.entry.shown_title()
    }

    /// The size of its files, in bytes.
    pub fn bytes(&self) -> u64 {
        self.entry.bytes()
    }

    /// When the site stopped publishing it, where it has (RFC 3339).
    pub fn retired(&self) -> Option<&str> {
        self.entry.retired()
    }
}

impl Serialize for Named {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct View<'a> {
            /// The info-hash of v1, where it is shared by that.
            #[serde(skip_serializing_if = "Option::is_none")]
            info_hash: Option<String>,
            /// The info-hash of v2, where it is shared by that (BEP 52).
            #[serde(skip_serializing_if = "Option::is_none")]
            info_hash_v2: Option<String>,
            /// `v1`, `v2` or `hybrid`.
            kind: &'static str,
            title: &'a str,
            /// The page about it, below the site's root where it lies there.
            page: Option<&'a str>,
            /// The `.torrent`, below the site's root.
            torrent: String,
            bytes: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            published: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            retired: Option<&'a str>,
        }
        let hashes = self.info_hashes();
        let view = View {
            info_hash: hashes.v1().map(|hash| hash.to_string()),
            info_hash_v2: hashes.v2().map(|hash| hash.to_string()),
            kind: Kind::of(hashes).as_str(),
            title: self.title(),
            page: self.entry.page().map(|page| &page[self.page_from..]),
            torrent: SitePath::new(self.entry.torrent()).map(|path| path.url()).unwrap_or_default(),
            bytes: self.bytes(),
            published: self.entry.published(),
            retired: self.retired(),
        };
        view.serialize(serializer)
    }
}

/// What came of reading all of a torrent again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Scrub {
    /// When, in seconds since 1970.
    pub at: u64,
    /// Pieces that were not as the torrent says.
    pub bad_pieces: u64,
}

/// How far a torrent is being read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Scrubbing {
    /// Pieces read.
    pub done: u64,
    /// Pieces to read.
    pub of: u64,
}

/// About how many bytes the swarm carried instead of us: the size of a torrent for each completed download, less what
/// was sent from here. Never below 0, and rather too little than too much: what podcast clients download over HTTP, and
/// downloads that break off, count as sent and complete nothing.
pub fn carried(completed: u64, bytes: u64, sent: u64, web_sent: u64) -> u64 {
    completed.saturating_mul(bytes).saturating_sub(sent).saturating_sub(web_sent)
}

impl Row {
    /// Whether these lower-case digits are an info-hash of it, or the truncated one of v2.
    pub fn is_known_as(&self, digits: &str) -> bool {
        matches!(digits.len(), 40 | 64) && self.is_begun_by(digits)
    }

    /// Whether an info-hash of it begins with these lower-case digits.
    fn is_begun_by(&self, digits: &str) -> bool {
        let hashes = self.named.info_hashes();
        let is_begun = |hash: &[u8]| {
            let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
            let digit = |nibble: u8| char::from_digit(nibble.into(), 16);
            digits.len() <= 2 * hash.len()
                && nibbles.map(digit).zip(digits.chars()).all(|(own, said)| own == Some(said))
        };
        hashes.v1().is_some_and(|hash| is_begun(&hash.0)) || hashes.v2().is_some_and(|hash| is_begun(&hash.0))
    }

    /// Whether each of these words, in lower case, stands in its title, or is its state or the beginning of an info-hash.
    fn has(&self, words: &[String]) -> bool {
        if words.is_empty() {
            return true;
        }
        let title = self.named.title().to_lowercase();
        words.iter().all(|word| {
            title.contains(word)
                || self.health == word
                || (word == "retired" && self.named.retired().is_some())
                || self.is_begun_by(word)
        })
    }

    /// How soon somebody should look at it; the least number first.
    fn trouble(&self) -> u8 {
        match self.health {
            "missing" => 0,
            "degraded" => 1,
            _ if self.bad_pieces > 0 || self.heal.is_some() => 2,
            _ => 3,
        }
    }
}

/// The permanent seed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Everseed {
    /// Where it listens for peers.
    pub peer_port: u16,
    /// Peers connected to it.
    pub connections: u64,
    /// The addresses, with ports, at which peers are told it is.
    pub addresses: Vec<String>,
    /// Whether they are those at which announces arrived, because none are configured.
    pub addresses_learned: bool,
    /// Bytes sent to peers in the lifetime of the torrents.
    pub sent_bytes: u64,
    /// Bytes of the torrents' files that were sent over HTTP in their lifetime.
    pub web_sent_bytes: u64,
    /// About how many bytes peers gave each other, of all torrents together.
    pub carried_bytes: u64,
    /// What left in this month, and how much may.
    pub month: Usage,
    /// The oldest of the torrents' last scrubs, in seconds since 1970; none while there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrubbed_since: Option<u64>,
    /// Torrents that were scrubbed at least once.
    pub scrubbed: u64,
    /// Torrents it has to seed.
    pub torrents: u64,
    /// Torrents it seeds.
    pub seeded: u64,
    /// What is tracked beside the site, by a tracker that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<Open>,
    /// What is wrong, a line each.
    pub faults: Vec<String>,
    /// What will be wrong if nothing is done, a line each.
    pub warnings: Vec<String>,
}

/// Torrents that are not of the site, in numbers alone: there may be hundreds of thousands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Open {
    /// How many there are.
    pub torrents: u64,
    /// The peers of all of them.
    pub peers: u64,
}

/// Which torrents are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// These, by the digits of their info-hashes in lower case; none: all.
    pub named: Vec<String>,
    /// Those that have all these words in their title, info-hash or state.
    pub words: String,
    /// The page of them, counted from 1; none: all of them at once.
    pub page: Option<usize>,
}

/// Where a page stands among all that were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pages {
    /// This one, counted from 1.
    pub page: usize,
    /// How many pages there are.
    #[serde(rename = "pages")]
    pub of: usize,
    /// Torrents of all pages.
    pub found: usize,
}

impl Ask {
    /// Reads the query of a URL. A page that is no number is the first; an info-hash that is none is an error.
    pub fn parse(query: &str) -> Result<Self, &'static str> {
        let mut ask = Self::default();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "info_hash" if ask.named.len() < NAMED_MAX => ask.named.push(
                    info_hash(&value)
                        .ok_or("info_hash is written with 40 hexadecimal digits here, or with 64 for that of v2")?,
                ),
                "q" => {
                    let words = value.trim();
                    let ends = words.char_indices().map(|(at, char)| at + char.len_utf8());
                    let end = ends.take_while(|&end| end <= WORDS_BYTES_MAX).last().unwrap_or(0);
                    ask.words = words[..end].into();
                    ask.page.get_or_insert(1);
                }
                "page" => ask.page = Some(value.parse().unwrap_or(1)),
                _ => {}
            }
        }
        Ok(ask)
    }

    /// The indices of the torrents that are meant. Page by page, those in trouble come first.
    pub fn choose(&self, torrents: &[Row]) -> (Vec<usize>, Option<Pages>) {
        let words: Vec<String> = self.words.split_whitespace().map(str::to_lowercase).collect();
        let is_named = |row: &&Row| self.named.is_empty() || self.named.iter().any(|hash| row.is_known_as(hash));
        let meant = torrents.iter().enumerate().filter(|(_, row)| is_named(row) && row.has(&words));
        let mut rows: Vec<usize> = meant.map(|(index, _)| index).collect();
        let Some(page) = self.page else { return (rows, None) };
        // The sort is stable: the manifest names the newest first, and those that are retired last.
        rows.sort_by_key(|&index| torrents[index].trouble());
        let (found, pages) = (rows.len(), rows.len().div_ceil(ROWS_MAX).max(1));
        let page = page.clamp(1, pages);
        let rows = rows.into_iter().skip((page - 1) * ROWS_MAX).take(ROWS_MAX).collect();
        (rows, Some(Pages { page, of: pages, found }))
    }
}

/// The digits of an info-hash of either version, in lower case.
fn info_hash(text: &str) -> Option<String> {
    let v1 = || text.parse::<InfoHash>().ok().map(|hash| hash.to_string());
    v1().or_else(|| text.parse::<InfoHashV2>().ok().map(|hash| hash.to_string()))
}

/// `/api/swarms.json`, written while it is sent: of thousands of torrents it has megabytes.
pub fn json(snapshot: Arc<Snapshot>, ask: &Ask) -> Reply {
    let (rows, pages) = ask.choose(&snapshot.torrents);
    let mut parts = JsonParts { snapshot, rows: rows.into_iter(), pages, place: Place::Start };
    let body = if parts.rows.len() <= ROWS_MAX {
        Body::bytes(parts.by_ref().flatten().collect::<Vec<u8>>())
    } else {
        Body::parts(parts)
    };
    let mut reply = reply::with_type(JSON, Vec::new());
    *reply.body_mut() = body;
    reply::any_origin(reply.headers_mut());
    reply
}

/// The JSON of many torrents, some of them at a time.
struct JsonParts {
    snapshot: Arc<Snapshot>,
    rows: std::vec::IntoIter<usize>,
    pages: Option<Pages>,
    place: Place,
}

/// What of the JSON comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Rows,
    Over,
}

impl Iterator for JsonParts {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        #[derive(Serialize)]
        struct Rest<'a> {
            everseed: &'a Everseed,
            generated: u64,
            #[serde(flatten)]
            pages: Option<Pages>,
        }
        let mut part = match self.place {
            Place::Start => br#"{"torrents":["#.to_vec(),
            Place::Rows => Vec::new(),
            Place::Over => return None,
        };
        let mut is_first = self.place == Place::Start;
        self.place = Place::Rows;
        for index in self.rows.by_ref().take(ROWS_MAX) {
            if !std::mem::take(&mut is_first) {
                part.push(b',');
            }
            part.extend_from_slice(&written(&self.snapshot.torrents[index]));
        }
        if self.rows.len() == 0 {
            let Snapshot { everseed, generated, .. } = &*self.snapshot;
            let rest = written(&Rest { everseed, generated: *generated, pages: self.pages });
            // Behind the list, and without the brace that opens it.
            part.extend_from_slice(b"],");
            part.extend_from_slice(&rest[1..]);
            self.place = Place::Over;
        }
        Some(part.into())
    }
}

/// The type of all that is data.
const JSON: &str = "application/json";

fn written(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings and numbers are JSON")
}

/// `/api/series.json`.
pub fn series(series: &Series, generated: u64) -> Reply {
    #[derive(Serialize)]
    struct View<'a> {
        #[serde(flatten)]
        series: &'a Series,
        generated: u64,
    }
    data(&View { series, generated })
}

fn data(value: &impl Serialize) -> Reply {
    let mut reply = reply::with_type(JSON, written(value));
    reply::any_origin(reply.headers_mut());
    reply
}

/// `/healthz`: 200 while the server serves, with everything that is not as it should be; 503 where `unable` says why
/// it can't serve at all.
pub fn health(snapshot: &Snapshot, unable: Option<&str>) -> Reply {
    let everseed = &snapshot.everseed;
    let verifying = snapshot.torrents.iter().filter(|row| row.health == "verifying").count();
    let status = match unable {
        Some(_) => "unable",
        None if everseed.faults.is_empty() => "ok",
        None => "degraded",
    };
    let body = serde_json::json!({
        "status": status,
        "version": env!("CARGO_PKG_VERSION"),
        "torrents": everseed.torrents,
        "seeded": everseed.seeded,
        "verifying": verifying,
        "warnings": everseed.warnings,
        "faults": unable.into_iter().chain(everseed.faults.iter().map(String::as_str)).collect::<Vec<_>>(),
    });
    let mut reply = reply::with_type(JSON, format!("{body}\n"));
    if unable.is_some() {
        *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    reply
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::manifest::Entry;
    use crate::serve::plot::Bar;
    use expect_test::expect;
    use http_body_util::BodyExt;

    pub fn row(title: &str, byte: u8, health: &'static str, bad_pieces: u64) -> Row {
        retired_row(title, byte, health, bad_pieces, None)
    }

    pub fn retired_row(title: &str, byte: u8, health: &'static str, bad_pieces: u64, retired: Option<&str>) -> Row {
        let entry = Entry {
            info_hashes: InfoHashes::V1(InfoHash([byte; 20])),
            name: "one.mp3".into(),
            title: title.into(),
            torrent: SitePath::new("torrents/one.torrent").expect("below the root"),
            magnet: String::new(),
            bytes: 240_760,
            files: Vec::new(),
            page: Some("https://show.example.org/episodes/one/".into()),
            published: None,
            retired: retired.map(str::to_owned),
        };
        Row {
            named: Named::of(&Packed::of(&entry).into(), Some("episodes/one/")),
            seeds: 2,
            leechers: 1,
            completed: 7,
            sent_bytes: 1_500_000,
            web_sent_bytes: 100_000,
            carried_bytes: 85_320,
            connections: 1,
            health,
            bad_pieces,
            pieces: 15,
            scrub: None,
            scrubbing: None,
            heal: None,
        }
    }

    pub fn snapshot() -> Snapshot {
        let scrub = Some(Scrub { at: 1_759_900_000, bad_pieces: 0 });
        let one = retired_row("One & only", 0xab, "verified", 0, Some("2025-09-01T12:00:00Z"));
        Snapshot {
            title: "A <show>".into(),
            torrents: vec![
                Row { scrub, ..one },
                Row { heal: Some("2 pieces would be fetched".into()), ..row("Two", 0xcd, "degraded", 2) },
            ],
            everseed: Everseed {
                peer_port: 6881,
                connections: 3,
                addresses: vec!["203.0.113.1:6881".into()],
                sent_bytes: 3_000_000,
                web_sent_bytes: 200_000,
                carried_bytes: 170_640,
                month: Usage {
                    month: "2025-10".into(),
                    sent_bytes: 800_000,
                    web_sent_bytes: 50_000,
                    quota_bytes: Some(1_000_000),
                    slowed: false,
                },
                scrubbed: 1,
                scrubbed_since: Some(1_759_900_000),
                torrents: 2,
                seeded: 1,
                faults: vec!["Two: 2 of 15 pieces are bad".into()],
                warnings: vec!["little is left".into()],
                ..Everseed::default()
            },
            generated: 1_760_000_000,
        }
    }

    pub async fn text(reply: Reply) -> (u16, String) {
        let status = reply.status().as_u16();
        let body = reply.into_body().collect().await.expect("bytes in memory").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    fn ask(query: &str) -> Ask {
        Ask::parse(query).expect("a query")
    }

    #[tokio::test]
    async fn the_numbers_are_this_json() {
        let (_, json) = text(json(Arc::new(snapshot()), &ask(""))).await;
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        expect![[r#"
            {
              "everseed": {
                "addresses": [
                  "203.0.113.1:6881"
                ],
                "addresses_learned": false,
                "carried_bytes": 170640,
                "connections": 3,
                "faults": [
                  "Two: 2 of 15 pieces are bad"
                ],
                "month": {
                  "month": "2025-10",
                  "quota_bytes": 1000000,
                  "sent_bytes": 800000,
                  "slowed": false,
                  "web_sent_bytes": 50000
                },
                "peer_port": 6881,
                "scrubbed": 1,
                "scrubbed_since": 1759900000,
                "seeded": 1,
                "sent_bytes": 3000000,
                "torrents": 2,
                "warnings": [
                  "little is left"
                ],
                "web_sent_bytes": 200000
              },
              "generated": 1760000000,
              "torrents": [
                {
                  "bad_pieces": 0,
                  "bytes": 240760,
                  "carried_bytes": 85320,
                  "completed": 7,
                  "connections": 1,
                  "health": "verified",
                  "info_hash": "abababababababababababababababababababab",
                  "kind": "v1",
                  "leechers": 1,
                  "page": "episodes/one/",
                  "pieces": 15,
                  "retired": "2025-09-01T12:00:00Z",
                  "scrub": {
                    "at": 1759900000,
                    "bad_pieces": 0
                  },
                  "seeds": 2,
                  "sent_bytes": 1500000,
                  "title": "One & only",
                  "torrent": "torrents/one.torrent",
                  "web_sent_bytes": 100000
                },
                {
                  "bad_pieces": 2,
                  "bytes": 240760,
                  "carried_bytes": 85320,
                  "completed": 7,
                  "connections": 1,
                  "heal": "2 pieces would be fetched",
                  "health": "degraded",
                  "info_hash": "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
                  "kind": "v1",
                  "leechers": 1,
                  "page": "episodes/one/",
                  "pieces": 15,
                  "seeds": 2,
                  "sent_bytes": 1500000,
                  "title": "Two",
                  "torrent": "torrents/one.torrent",
                  "web_sent_bytes": 100000
                }
              ]
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&json).expect("JSON"));
    }

    #[tokio::test]
    async fn the_json_of_many_torrents_is_written_in_parts_and_whole() {
        for count in [0, 1, ROWS_MAX, ROWS_MAX + 1, 2 * ROWS_MAX, 1000] {
            let torrents = (0..count).map(|n| row(&format!("Episode {n}"), 1, "verified", 0)).collect();
            let (_, json) = text(json(Arc::new(Snapshot { torrents, ..snapshot() }), &ask(""))).await;
            let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
            let titles = json["torrents"].as_array().expect("a list").iter().map(|torrent| torrent["title"].clone());
            assert!(titles.eq((0..count).map(|n| format!("Episode {n}"))), "{count}");
            assert_eq!((&json["generated"], &json["everseed"]["peer_port"]), (&1_760_000_000.into(), &6881.into()));
        }
    }

    #[tokio::test]
    async fn the_series_are_this_json() {
        let bar = Bar { at: 1_759_999_800, sent_bytes: 1, web_sent_bytes: 2, seeds: 3, leechers: 4 };
        let (_, json) = text(series(&Series { half_hours: vec![bar], days: vec![] }, 1_760_000_000)).await;
        expect![[r#"{"half_hours":[{"at":1759999800,"sent_bytes":1,"web_sent_bytes":2,"seeds":3,"leechers":4}],"days":[],"generated":1760000000}"#]].assert_eq(&json);
    }

    #[test]
    fn torrents_are_found_by_their_words_page_by_page_and_those_in_trouble_stand_first() {
        let mut torrents: Vec<Row> = (0..250).map(|n| row(&format!("Episode {n}"), 1, "verified", 0)).collect();
        torrents[200].health = "degraded";
        torrents[220].health = "missing";
        torrents[230].heal = Some("asks".into());
        torrents[240] = retired_row("Füllhorn", 0xef, "verified", 0, Some("2026"));
        let found = |query: &str| {
            let (rows, pages) = ask(query).choose(&torrents);
            let pages = pages.map(|pages| (pages.page, pages.of, pages.found));
            let titles = rows.iter().take(4).map(|&row| torrents[row].named.title()).collect::<Vec<_>>().join(", ");
            format!("{query}: {} {pages:?} {titles}", rows.len())
        };
        let queries = [
            "",
            "page=1",
            "page=3",
            "page=9",
            "page=x",
            "q=",
            "q=episode+22",
            "q=F%C3%9CLL",
            "q=degraded",
            "q=retired",
            "q=efef",
            "q=nothing&page=2",
        ];
        let info_hash = "info_hash=EFEFEFEFEFEFEFEFEFEFEFEFEFEFEFEFEFEFEFEF";
        let told: Vec<String> = queries.into_iter().chain([info_hash]).map(found).collect();
        expect![[r#"
            : 250 None Episode 0, Episode 1, Episode 2, Episode 3
            page=1: 100 Some((1, 3, 250)) Episode 220, Episode 200, Episode 230, Episode 0
            page=3: 50 Some((3, 3, 250)) Episode 197, Episode 198, Episode 199, Episode 201
            page=9: 50 Some((3, 3, 250)) Episode 197, Episode 198, Episode 199, Episode 201
            page=x: 100 Some((1, 3, 250)) Episode 220, Episode 200, Episode 230, Episode 0
            q=: 100 Some((1, 3, 250)) Episode 220, Episode 200, Episode 230, Episode 0
            q=episode+22: 12 Some((1, 1, 12)) Episode 220, Episode 22, Episode 122, Episode 221
            q=F%C3%9CLL: 1 Some((1, 1, 1)) Füllhorn
            q=degraded: 1 Some((1, 1, 1)) Episode 200
            q=retired: 1 Some((1, 1, 1)) Füllhorn
            q=efef: 1 Some((1, 1, 1)) Füllhorn
            q=nothing&page=2: 0 Some((1, 1, 0)) 
            info_hash=EFEFEFEFEFEFEFEFEFEFEFEFEFEFEFEFEFEFEFEF: 1 None Füllhorn"#]]
        .assert_eq(&told.join("\n"));
    }

    #[test]
    fn words_and_names_have_their_maxima_and_a_wrong_info_hash_is_told() {
        let long = ask(&format!("q={}", "ü".repeat(WORDS_BYTES_MAX)));
        assert_eq!(long.words, "ü".repeat(WORDS_BYTES_MAX / 2));
        let many = format!("info_hash={}&", "ab".repeat(20)).repeat(NAMED_MAX + 1);
        assert_eq!(ask(&many).named.len(), NAMED_MAX);
        assert!(Ask::parse("info_hash=abc").is_err());
    }

    #[test]
    fn what_the_swarm_carried_is_never_below_0_and_never_too_much() {
        assert_eq!(carried(3, 100, 120, 80), 100);
        assert_eq!(carried(1, 100, 120, 80), 0);
        assert_eq!(carried(u64::MAX, u64::MAX, u64::MAX, 1), 0);
    }

    #[tokio::test]
    async fn health_is_200_with_its_faults_and_503_only_where_nothing_is_served() {
        let (status, body) = text(health(&snapshot(), None)).await;
        assert_eq!(status, 200);
        expect![[r#"
            {"faults":["Two: 2 of 15 pieces are bad"],"seeded":1,"status":"degraded","torrents":2,"verifying":0,"version":"0.1.0","warnings":["little is left"]}
        "#]].assert_eq(&body);
        let warned = Everseed { warnings: vec!["little is left".into()], ..Everseed::default() };
        let (status, body) = text(health(&Snapshot { everseed: warned, ..Snapshot::default() }, None)).await;
        assert!(status == 200 && body.contains(r#""status":"ok""#), "{body}");
        let (status, body) = text(health(&Snapshot::default(), Some("the site's folder is gone"))).await;
        assert!(status == 503 && body.contains("the site's folder is gone"), "{body}");
    }
}
