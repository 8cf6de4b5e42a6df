//! What the server tells about itself: the status page, the numbers behind it as JSON, health, and metrics.
//!
//! All of it is made of one [`Snapshot`], taken by whoever holds the swarms and the seed.

use std::sync::LazyLock;

use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use minijinja::Environment;
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;

use super::reply::{self, Reply};
use crate::jinja;
use crate::units::size_text;

/// Seconds after which the page asks for new numbers.
const REFRESH_SECS: u32 = 15;
/// The most faults that are listed one by one.
pub const FAULTS_MAX: usize = 50;

/// The state of everything at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// The site's title.
    #[serde(skip)]
    pub title: String,
    /// The torrents, in the manifest's order.
    pub torrents: Vec<Row>,
    /// The permanent seed.
    pub everseed: Everseed,
    /// When, in seconds since 1970.
    pub generated: u64,
}

/// A torrent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The info-hash of v1, where it is shared by that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info_hash: Option<String>,
    /// The info-hash of v2, where it is shared by that (BEP 52).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info_hash_v2: Option<String>,
    /// `v1`, `v2` or `hybrid`.
    pub kind: &'static str,
    /// Its title.
    pub title: String,
    /// The page about it, below the site's root where it lies there.
    pub page: Option<String>,
    /// The `.torrent`, below the site's root.
    pub torrent: String,
    /// The size of its files.
    pub bytes: u64,
    /// Peers that have everything, the everseed among them. Those of both swarms of a hybrid torrent are added.
    pub seeds: u64,
    /// Peers that lack something.
    pub leechers: u64,
    /// Downloads completed in its lifetime.
    pub completed: u64,
    /// Bytes that the everseed has sent of it in its lifetime.
    pub sent_bytes: u64,
    /// `verified`, `verifying`, `web_seed_only`, `elsewhere`, `degraded` or `missing`.
    pub health: &'static str,
    /// Pieces whose bytes are not what the torrent says.
    pub bad_pieces: u64,
    /// Pieces.
    pub pieces: u64,
    /// When the site stopped publishing it, where it has (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retired: Option<String>,
}

impl Row {
    /// Whether these lower-case digits are an info-hash of it, or the truncated one of v2.
    pub fn is_known_as(&self, digits: &str) -> bool {
        let truncated = |v2: &String| v2 == digits || v2.get(..40) == Some(digits);
        self.info_hash.as_deref() == Some(digits) || self.info_hash_v2.as_ref().is_some_and(truncated)
    }
}

/// The permanent seed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Everseed {
    /// Where it listens for peers.
    pub peer_port: u16,
    /// Peers connected to it.
    pub connections: u64,
    /// Bytes sent to peers in the lifetime of the torrents.
    pub sent_bytes: u64,
    /// Torrents it has to seed.
    pub torrents: u64,
    /// Torrents it seeds.
    pub seeded: u64,
    /// What is wrong, a line each.
    pub faults: Vec<String>,
}

/// `/api/swarms.json`.
pub fn json(snapshot: &Snapshot) -> Reply {
    let body = serde_json::to_vec(snapshot).expect("strings and numbers are JSON");
    let mut reply = reply::with_type("application/json", body);
    reply::any_origin(reply.headers_mut());
    reply
}

/// `/swarms`: whole without a script, and kept current by one where scripts run.
pub fn page(snapshot: &Snapshot) -> Reply {
    #[derive(Serialize)]
    struct Context<'a> {
        title: &'a str,
        base: &'a str,
        generated_text: String,
        everseed: Sized<'a, Everseed>,
        torrents: Vec<Sized<'a, Row>>,
        refresh_secs: u32,
    }
    #[derive(Serialize)]
    struct Sized<'a, T> {
        #[serde(flatten)]
        of: &'a T,
        size_text: String,
        sent_text: String,
    }
    let row = |of| -> Sized<'_, Row> {
        let row: &Row = of;
        Sized { of, size_text: size_text(row.bytes), sent_text: size_text(row.sent_bytes) }
    };
    let everseed = &snapshot.everseed;
    let context = Context {
        title: &snapshot.title,
        // Relative links: the page is the same at the root, below the site's path and behind a proxy's prefix.
        base: "",
        generated_text: moment(snapshot.generated),
        everseed: Sized { of: everseed, size_text: String::new(), sent_text: size_text(everseed.sent_bytes) },
        torrents: snapshot.torrents.iter().map(row).collect(),
        refresh_secs: REFRESH_SECS,
    };
    let rendered = TEMPLATES.get_template(PAGE).and_then(|template| template.render(minijinja::value::Serde(context)));
    match rendered {
        Ok(html) => {
            let mut reply = reply::with_type("text/html; charset=utf-8", html);
            let policy = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'self'";
            reply.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
            reply
        }
        Err(error) => reply::text(StatusCode::INTERNAL_SERVER_ERROR, &format!("the status page: {error}")),
    }
}

/// The style of the page.
pub fn style() -> Reply {
    asset("text/css; charset=utf-8", include_str!("../../templates/swarms.css"))
}

/// The script of the page.
pub fn script() -> Reply {
    asset("text/javascript; charset=utf-8", include_str!("../../templates/swarms.js"))
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
        "faults": unable.into_iter().chain(everseed.faults.iter().map(String::as_str)).collect::<Vec<_>>(),
    });
    let mut reply = reply::with_type("application/json", format!("{body}\n"));
    if unable.is_some() {
        *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    reply
}

fn asset(content_type: &'static str, text: &'static str) -> Reply {
    let mut reply = reply::with_type(content_type, text);
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    reply
}

fn moment(secs: u64) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    let time = i64::try_from(secs).ok().and_then(|secs| OffsetDateTime::from_unix_timestamp(secs).ok());
    time.and_then(|time| time.format(format).ok()).unwrap_or_default()
}

const PAGE: &str = "swarms.html";

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = jinja::environment();
    environment.add_template(PAGE, include_str!("../../templates/swarms.html")).expect("the page's template parses");
    environment
});

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use http_body_util::BodyExt;

    fn snapshot() -> Snapshot {
        let row = |title: &str, health, bad_pieces| Row {
            info_hash: Some("ab".repeat(20)),
            info_hash_v2: None,
            kind: "v1",
            title: title.into(),
            page: Some("episodes/one/".into()),
            torrent: "torrents/one.torrent".into(),
            bytes: 240_760,
            seeds: 2,
            leechers: 1,
            completed: 7,
            sent_bytes: 1_500_000,
            health,
            bad_pieces,
            pieces: 15,
            retired: None,
        };
        Snapshot {
            title: "A <show>".into(),
            torrents: vec![
                row("One & only", "verified", 0),
                Row { retired: Some("2025-10-01T12:00:00Z".into()), ..row("Two", "degraded", 2) },
            ],
            everseed: Everseed {
                peer_port: 6881,
                connections: 3,
                sent_bytes: 3_000_000,
                torrents: 2,
                seeded: 1,
                faults: vec!["Two: 2 of 15 pieces are bad".into()],
            },
            generated: 1_760_000_000,
        }
    }

    async fn text(reply: Reply) -> (u16, String) {
        let status = reply.status().as_u16();
        let body = reply.into_body().collect().await.expect("bytes in memory").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    #[tokio::test]
    async fn the_numbers_are_this_json() {
        let (_, json) = text(json(&Snapshot { torrents: snapshot().torrents[..1].to_vec(), ..snapshot() })).await;
        expect![[r#"{"torrents":[{"info_hash":"abababababababababababababababababababab","kind":"v1","title":"One & only","page":"episodes/one/","torrent":"torrents/one.torrent","bytes":240760,"seeds":2,"leechers":1,"completed":7,"sent_bytes":1500000,"health":"verified","bad_pieces":0,"pieces":15}],"everseed":{"peer_port":6881,"connections":3,"sent_bytes":3000000,"torrents":2,"seeded":1,"faults":["Two: 2 of 15 pieces are bad"]},"generated":1760000000}"#]].assert_eq(&json);
    }

    #[tokio::test]
    async fn the_page_is_whole_without_a_script_and_escapes_what_people_wrote() {
        let (status, html) = text(page(&snapshot())).await;
        assert_eq!(status, 200);
        for part in [
            "A &lt;show&gt;",
            "One &amp; only",
            "Degraded: 2 of 15 pieces bad",
            "240.8 kB",
            "1.5 MB",
            "3.0 MB",
            "6881",
            "2025-10-09 08:53:20 UTC",
            "Two: 2 of 15 pieces are bad",
            "retired 2025-10-01",
            "href=\"episodes/one/\"",
        ] {
            assert!(html.contains(part), "{part} is missing in {html}");
        }
    }

    #[tokio::test]
    async fn health_is_200_with_its_faults_and_503_only_where_nothing_is_served() {
        let (status, body) = text(health(&snapshot(), None)).await;
        assert_eq!(status, 200);
        expect![[r#"
            {"faults":["Two: 2 of 15 pieces are bad"],"seeded":1,"status":"degraded","torrents":2,"verifying":0,"version":"0.1.0"}
        "#]].assert_eq(&body);
        let (status, body) = text(health(&Snapshot::default(), None)).await;
        assert!(status == 200 && body.contains(r#""status":"ok""#), "{body}");
        let (status, body) = text(health(&Snapshot::default(), Some("the site's folder is gone"))).await;
        assert!(status == 503 && body.contains("the site's folder is gone"), "{body}");
    }
}
