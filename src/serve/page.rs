//! The status page: all torrents, or one of them, as HTML that is whole without a script and kept current by one.

use std::sync::LazyLock;

use hyper::StatusCode;
use hyper::header::{self, HeaderValue};
use minijinja::Environment;
use serde::Serialize;
use time::OffsetDateTime;
use time::macros::format_description;
use url::form_urlencoded;

use super::history::Series;
use super::plot::{self, DAY, Figure, TWO_MONTHS};
use super::reply::{self, Reply};
use super::status::{Ask, Everseed, Pages, Row, Snapshot};
use crate::jinja;
use crate::problem::Problem;
use crate::units::{count_text, size_text};

/// Seconds after which the page asks for itself again.
const REFRESH_SECS: u32 = 15;

/// What the template gets.
#[derive(Serialize)]
struct Context<'a> {
    title: &'a str,
    /// Relative links: the page is the same at the root, below the site's path and behind a proxy's prefix.
    base: &'a str,
    generated_text: String,
    refresh_secs: u32,
    /// What is wrong, of the one torrent alone where the page is about one.
    faults: Vec<&'a str>,
    warnings: &'a [String],
    everseed: Shown<'a>,
    torrents: Vec<Line<'a>>,
    /// The one that the page is about.
    one: Option<Line<'a>>,
    words: &'a str,
    pages: Option<Pages>,
    /// The queries of the pages before and after this one.
    before: Option<String>,
    after: Option<String>,
    plots: Vec<Plot>,
    plots_fault: Option<&'a str>,
}

/// The everseed with its numbers as people read them.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    of: &'a Everseed,
    sent_text: String,
    web_sent_text: String,
    carried_text: String,
    month_text: String,
    quota_text: Option<String>,
    /// Of the quota, 100 at most.
    quota_percent: u64,
    scrubbed_text: String,
    open_text: Option<String>,
}

/// A torrent with its numbers as people read them.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    of: &'a Row,
    /// The info-hash it is found by here.
    hash: String,
    health_text: String,
    size_text: String,
    sent_text: String,
    web_sent_text: String,
    carried_text: String,
    scrub_text: Option<String>,
    retired_text: Option<&'a str>,
}

/// A length of time, drawn.
#[derive(Serialize)]
struct Plot {
    name: &'static str,
    title: &'static str,
    bar: &'static str,
    #[serde(flatten)]
    figure: Figure,
}

/// `/swarms`: the torrents that are asked for, or the one that is named, and what was sent of it over time.
pub fn answer(snapshot: &Snapshot, ask: &Ask, series: &Result<std::sync::Arc<Series>, Problem>) -> Reply {
    let (rows, pages) = Ask { page: ask.page.or(Some(1)), ..ask.clone() }.choose(&snapshot.torrents);
    let rows: Vec<&Row> = rows.into_iter().map(|index| &snapshot.torrents[index]).collect();
    let one = if ask.named.is_empty() { None } else { rows.first() };
    if one.is_none() && !ask.named.is_empty() {
        return reply::text(StatusCode::NOT_FOUND, "no torrent of this info-hash is served here");
    }
    let everseed = &snapshot.everseed;
    let is_of_one = |fault: &&str| one.is_none_or(|row| fault.starts_with(&format!("{}: ", row.named.title())));
    let query = |page: usize| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !ask.words.is_empty() {
            query.append_pair("q", &ask.words);
        }
        query.append_pair("page", &page.to_string()).finish()
    };
    let context = Context {
        title: &snapshot.title,
        base: "",
        generated_text: moment(snapshot.generated),
        refresh_secs: REFRESH_SECS,
        faults: everseed.faults.iter().map(String::as_str).filter(is_of_one).collect(),
        warnings: if one.is_none() { &everseed.warnings } else { &[] },
        everseed: shown(everseed),
        one: one.map(|row| line(row)),
        torrents: if one.is_none() { rows.into_iter().map(line).collect() } else { Vec::new() },
        words: &ask.words,
        before: pages.filter(|at| at.page > 1).map(|at| query(at.page - 1)),
        after: pages.filter(|at| at.page < at.of).map(|at| query(at.page + 1)),
        pages,
        plots: series.as_ref().map(|series| plots(series)).unwrap_or_default(),
        plots_fault: series.as_ref().err().map(Problem::message),
    };
    let rendered = TEMPLATES.get_template(PAGE).and_then(|template| template.render(minijinja::value::Serde(context)));
    match rendered {
        Ok(html) => {
            let mut reply = reply::with_type("text/html; charset=utf-8", html);
            let policy =
                "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'self'";
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

fn asset(content_type: &'static str, text: &'static str) -> Reply {
    let mut reply = reply::with_type(content_type, text);
    reply.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    reply
}

fn plots(series: &Series) -> Vec<Plot> {
    vec![
        Plot { name: "day", title: "24 hours", bar: "half hour", figure: plot::figure(DAY, &series.half_hours) },
        Plot { name: "months", title: "60 days", bar: "day", figure: plot::figure(TWO_MONTHS, &series.days) },
    ]
}

fn shown(of: &Everseed) -> Shown<'_> {
    let month = &of.month;
    let used = month.sent_bytes.saturating_add(month.web_sent_bytes);
    let percent = used / (month.quota_bytes.unwrap_or(u64::MAX) / 100).max(1);
    Shown {
        sent_text: size_text(of.sent_bytes),
        web_sent_text: size_text(of.web_sent_bytes),
        carried_text: size_text(of.carried_bytes),
        month_text: format!(
            "{} to peers and {} by web seed",
            size_text(month.sent_bytes),
            size_text(month.web_sent_bytes)
        ),
        quota_text: month.quota_bytes.map(|quota| {
            let slowed = if month.slowed { "; everything is slowed down" } else { "" };
            format!("{} of {} ({percent} %){slowed}", size_text(used), size_text(quota))
        }),
        quota_percent: percent.min(100),
        scrubbed_text: match of.scrubbed_since {
            Some(since) => {
                format!("{} of {} torrents were read again, each since {}", of.scrubbed, of.torrents, day(since))
            }
            None => "no torrent was read again yet".to_owned(),
        },
        open_text: of.open.map(|open| format!("{}, with {} peers", open.torrents, open.peers)),
        of,
    }
}

fn line(of: &Row) -> Line<'_> {
    let hashes = of.named.info_hashes();
    let v2 = || hashes.v2().map(|hash| hash.to_string());
    Line {
        hash: hashes.v1().map(|hash| hash.to_string()).or_else(v2).unwrap_or_default(),
        health_text: match of.health {
            "verified" => "Verified".to_owned(),
            "verifying" => "Verifying".to_owned(),
            "elsewhere" => "Elsewhere".to_owned(),
            "degraded" => format!("Degraded: {} of {} pieces bad", of.bad_pieces, of.pieces),
            _ => "Missing".to_owned(),
        },
        size_text: size_text(of.named.bytes()),
        sent_text: size_text(of.sent_bytes),
        web_sent_text: size_text(of.web_sent_bytes),
        carried_text: size_text(of.carried_bytes),
        scrub_text: match (of.scrubbing, of.scrub) {
            (Some(now), _) => Some(format!("reading again: {} of {}", now.done, count_text(now.of, "piece"))),
            (None, Some(scrub)) if scrub.bad_pieces == 0 => Some(format!("read again {}: all good", day(scrub.at))),
            (None, Some(scrub)) => {
                Some(format!("read again {}: {} bad", day(scrub.at), count_text(scrub.bad_pieces, "piece")))
            }
            (None, None) => None,
        },
        // The day is enough.
        retired_text: of.named.retired().map(|retired| retired.get(..10).unwrap_or(retired)),
        of,
    }
}

fn moment(secs: u64) -> String {
    text(secs, format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC"))
}

fn day(secs: u64) -> String {
    text(secs, format_description!("[year]-[month]-[day]"))
}

fn text(secs: u64, format: &(impl time::formatting::Formattable + ?Sized)) -> String {
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
    use crate::serve::plot::Bar;
    use crate::serve::status::tests::{row, snapshot, text as text_of};
    use std::sync::Arc;

    fn series() -> Arc<Series> {
        let bar = |at, sent_bytes| Bar { at, sent_bytes, web_sent_bytes: 7_000, seeds: 2, leechers: 3 };
        let half_hours = (0..48).map(|n| bar(1_759_914_000 + n * 1800, n * 1000)).collect();
        let days = (0..60).map(|n| bar(1_754_870_400 + n * 86_400, 1_000_000 + n)).collect();
        Arc::new(Series { half_hours, days })
    }

    fn assert_all(html: &str, parts: &[&str]) {
        for part in parts {
            assert!(html.contains(part), "{part} is missing in {html}");
        }
    }

    #[tokio::test]
    async fn the_page_is_whole_without_a_script_and_escapes_what_people_wrote() {
        let (status, html) = text_of(answer(&snapshot(), &Ask::default(), &Ok(series()))).await;
        assert_eq!(status, 200);
        assert_all(
            &html,
            &[
                "A &lt;show&gt;",
                "One &amp; only",
                "retired 2025-09-01",
                "read again 2025-10-08: all good",
                "Degraded: 2 of 15 pieces bad",
                "2 pieces would be fetched",
                "240.8 kB",
                "1.5 MB",
                "3.0 MB",
                "203.0.113.1:6881 (configured)",
                "800.0 kB to peers and 50.0 kB by web seed",
                "850.0 kB of 1.0 MB (85 %)",
                "value=\"85\"",
                "1 of 2 torrents were read again, each since 2025-10-08",
                "little is left",
                "2025-10-09 08:53:20 UTC",
                "Two: 2 of 15 pieces are bad",
                "href=\"episodes/one/\"",
                "swarms?info_hash=cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
                "1.1 MB to peers and 336.0 kB by web seed. The most in one half hour was 54.0 kB, at 2025-10-09 08:30 UTC.",
                "<path class=\"peers\" d=\"M11 1000V984h8V1000z",
                "<th scope=\"row\">2025-10-08</th>",
            ],
        );
        assert!(html.find(">Two<") < html.find(">One &amp; only<"), "what is in trouble stands first");
        assert!(
            !html.contains("style=") && !html.contains("<style") && !html.contains("onclick="),
            "the policy lets no style or script stand in it"
        );
    }

    #[tokio::test]
    async fn the_page_of_one_torrent_tells_all_of_it() {
        let ask = Ask { named: vec!["ab".repeat(20)], ..Ask::default() };
        let (status, html) = text_of(answer(&snapshot(), &ask, &Ok(series()))).await;
        assert_eq!(status, 200);
        assert_all(
            &html,
            &[
                "<h1>One &amp; only</h1>",
                "All swarms",
                "85.3 kB",
                "no longer published",
                "torrents/one.torrent",
                "Numbers of 60 days",
            ],
        );
        assert!(!html.contains("class=\"torrents\"") && !html.contains("2 of 15 pieces are bad"), "{html}");
        let unknown = Ask { named: vec!["00".repeat(20)], ..Ask::default() };
        assert_eq!(text_of(answer(&snapshot(), &unknown, &Ok(series()))).await.0, 404);
    }

    #[tokio::test]
    async fn five_thousand_torrents_make_a_page_of_bounded_weight_with_its_neighbours() {
        let torrents =
            (0..5000).map(|n| row(&format!("Episode {n}: {}", "words ".repeat(15)), 7, "verified", 0)).collect();
        let snapshot = Snapshot { torrents, ..snapshot() };
        let ask = Ask { words: "episode w".into(), page: Some(2), ..Ask::default() };
        let (_, html) = text_of(answer(&snapshot, &ask, &Ok(series()))).await;
        assert_all(
            &html,
            &[
                "Page 2 of 50: 5000 torrents",
                "swarms?q=episode+w&amp;page=1",
                "swarms?q=episode+w&amp;page=3",
                "value=\"episode w\"",
            ],
        );
        assert!(html.len() < 200_000, "{} bytes", html.len());
    }

    #[tokio::test]
    async fn a_page_without_its_time_series_is_a_page() {
        let gone = Err(Problem::new("the database cannot be read"));
        let (status, html) = text_of(answer(&snapshot(), &Ask::default(), &gone)).await;
        assert!(status == 200 && html.contains("the database cannot be read"), "{html}");
        let nothing = Ok(Arc::new(Series { half_hours: vec![], days: vec![] }));
        let (_, html) = text_of(answer(&Snapshot::default(), &Ask::default(), &nothing)).await;
        assert_all(&html, &["Nothing was sent, and nobody was there.", "not known yet; port 0"]);
    }
}
