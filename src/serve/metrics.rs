//! `/metrics`: what was counted, in the text format of Prometheus.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use super::announce;
use super::histogram::Histogram;
use super::http;
use super::reply::{self, Reply};
use super::status::Snapshot;
use crate::store;

/// The content type of the format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What [`render`] reads.
#[derive(Debug)]
pub struct Sources<'a> {
    /// Torrents and the seed.
    pub snapshot: &'a Snapshot,
    /// Peers in memory.
    pub peers: usize,
    /// The tracker's counts.
    pub tracker: &'a announce::Counters,
    /// The web server's counts.
    pub http: &'a http::Counters,
    /// How the database is doing.
    pub store: &'a store::Health,
    /// When the server started, in seconds since 1970.
    pub started_secs: u64,
}

/// The answer to `/metrics`.
pub fn render(sources: &Sources<'_>) -> Reply {
    reply::with_type(CONTENT_TYPE, text(sources))
}

fn text(sources: &Sources<'_>) -> String {
    let Sources { snapshot, tracker, http, store, .. } = sources;
    let (everseed, rows) = (&snapshot.everseed, &snapshot.torrents);
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let sum = |of: fn(&super::status::Row) -> u64| rows.iter().map(of).sum::<u64>();
    let mut out = Text::default();
    out.gauge("everseed_start_time_seconds", "When the server started.", sources.started_secs);
    out.family("everseed_announces_total", "counter", "Announces, the refused ones among them.");
    out.value("{wire=\"http\"}", read(&tracker.http_announces));
    out.value("{wire=\"udp\"}", read(&tracker.udp_announces));
    out.family(
        "everseed_announce_seconds",
        "histogram",
        "Announces, from their being read to their reply's being sent.",
    );
    out.histogram("wire=\"http\"", &tracker.http_seconds);
    out.histogram("wire=\"udp\"", &tracker.udp_seconds);
    out.counter("everseed_scrapes_total", "Scrapes.", read(&tracker.scrapes));
    out.family("everseed_refusals_total", "counter", "Announces and scrapes that were refused.");
    for (label, count) in tracker.refusals() {
        out.value(&format!("{{reason=\"{label}\"}}"), count);
    }
    out.gauge("everseed_swarms", "Torrents that are tracked.", rows.len() as u64);
    out.gauge("everseed_peers", "Peers known to the tracker, the everseed not among them.", sources.peers as u64);
    if let Some(open) = everseed.open {
        out.gauge("everseed_open_swarms", "Torrents that are tracked and not of the site.", open.torrents);
        out.gauge("everseed_open_peers", "Peers of these.", open.peers);
    }
    out.gauge("everseed_swarm_seeds", "Peers that have everything, the everseed among them.", sum(|row| row.seeds));
    out.gauge("everseed_swarm_leechers", "Peers that lack something.", sum(|row| row.leechers));
    out.counter("everseed_completed_total", "Downloads completed in the torrents' lifetime.", sum(|row| row.completed));
    out.counter(
        "everseed_seed_sent_bytes_total",
        "Bytes sent to peers in the torrents' lifetime.",
        everseed.sent_bytes,
    );
    out.counter(
        "everseed_web_sent_bytes_total",
        "Bytes of the torrents' files sent over HTTP in their lifetime.",
        everseed.web_sent_bytes,
    );
    out.gauge(
        "everseed_carried_bytes",
        "About how many bytes peers gave each other: the sizes of completed downloads less what was sent from here.",
        everseed.carried_bytes,
    );
    out.family("everseed_month_sent_bytes", "gauge", "Bytes of content sent in this calendar month (UTC).");
    out.value("{way=\"peers\"}", everseed.month.sent_bytes);
    out.value("{way=\"web\"}", everseed.month.web_sent_bytes);
    if let Some(quota) = everseed.month.quota_bytes {
        out.gauge("everseed_quota_bytes", "Bytes of content that may be sent in a month at full speed.", quota);
    }
    out.gauge(
        "everseed_quota_slowed",
        "Whether everything is slowed down because the month's quota is used up.",
        everseed.month.slowed.into(),
    );
    out.gauge("everseed_seed_connections", "Peers connected to the everseed.", everseed.connections);
    out.family("everseed_seed_torrents", "gauge", "Torrents by what is known of their files.");
    for health in ["verified", "verifying", "elsewhere", "degraded", "missing"] {
        let count = rows.iter().filter(|row| row.health == health).count();
        out.value(&format!("{{health=\"{health}\"}}"), count as u64);
    }
    out.gauge(
        "everseed_seed_pieces_bad",
        "Pieces whose bytes are not what their torrent says.",
        sum(|row| row.bad_pieces),
    );
    out.gauge("everseed_scrubbed_torrents", "Torrents that were read again at least once.", everseed.scrubbed);
    if let Some(since) = everseed.scrubbed_since {
        out.gauge(
            "everseed_scrub_oldest_timestamp_seconds",
            "When the one of them was read again whose turn was the longest ago.",
            since,
        );
    }
    out.gauge("everseed_warnings", "Things that will be wrong; /healthz names them.", everseed.warnings.len() as u64);
    out.gauge("everseed_faults", "Things that are wrong; /healthz names them.", everseed.faults.len() as u64);
    out.family("everseed_store_write_seconds", "summary", "Writes of the database, each of all that had gathered.");
    out.fraction("_sum", store.took.as_secs_f64());
    out.value("_count", store.flushes);
    out.family("everseed_store_write_longest_seconds", "gauge", "The longest of these writes.");
    out.fraction("", store.took_longest.as_secs_f64());
    out.counter("everseed_store_rows_total", "Rows written by them.", store.rows);
    out.gauge("everseed_store_write_largest_rows", "Rows of the largest of these writes.", store.rows_most);
    out.gauge("everseed_store_pending_rows", "Rows that wait to be written.", store.pending as u64);
    out.counter("everseed_store_dropped_total", "Rows not kept because too many waited.", store.dropped);
    out.gauge("everseed_store_failing", "Whether the last write failed.", store.trouble.is_some().into());
    out.counter("everseed_http_requests_total", "HTTP requests.", read(&http.requests));
    out.counter("everseed_http_connections_total", "HTTP connections.", read(&http.connections));
    out.counter(
        "everseed_http_gave_way_total",
        "HTTP connections that waited for a request and were closed for new ones.",
        read(&http.gave_way),
    );
    out.counter("everseed_http_turned_away_total", "HTTP connections answered with a 503.", read(&http.turned_away));
    out.counter("everseed_http_sent_bytes_total", "Bytes sent over HTTP, heads included.", read(&http.sent));
    out.text
}

#[derive(Default)]
struct Text {
    text: String,
    family: &'static str,
}

impl Text {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    }

    fn value(&mut self, labels: &str, value: u64) {
        let family = self.family;
        self.write(format_args!("{family}{labels} {value}\n"));
    }

    fn fraction(&mut self, labels: &str, value: f64) {
        let family = self.family;
        self.write(format_args!("{family}{labels} {value}\n"));
    }

    /// What was counted under this label.
    fn histogram(&mut self, label: &str, histogram: &Histogram) {
        let counted = histogram.counted();
        for (le, count) in counted.buckets {
            self.value(&format!("_bucket{{{label},le=\"{le}\"}}"), count);
        }
        self.fraction(&format!("_sum{{{label}}}"), counted.sum.as_secs_f64());
        self.value(&format!("_count{{{label}}}"), counted.count());
    }

    fn counter(&mut self, name: &'static str, help: &str, value: u64) {
        self.family(name, "counter", help);
        self.value("", value);
    }

    fn gauge(&mut self, name: &'static str, help: &str, value: u64) {
        self.family(name, "gauge", help);
        self.value("", value);
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("a String takes all that is written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::quota::Usage;
    use crate::serve::status::tests::row;
    use crate::serve::status::{Everseed, Row};
    use expect_test::expect;
    use std::time::Duration;

    fn snapshot() -> Snapshot {
        let row = |health| Row { seeds: 2, leechers: 3, completed: 4, ..row("One", 1, health, 11) };
        Snapshot {
            torrents: vec![row("verified"), row("missing")],
            everseed: Everseed {
                connections: 5,
                sent_bytes: 6,
                web_sent_bytes: 12,
                carried_bytes: 13,
                month: Usage { sent_bytes: 14, web_sent_bytes: 15, quota_bytes: Some(16), ..Usage::default() },
                scrubbed: 1,
                scrubbed_since: Some(17),
                faults: vec!["a".into()],
                warnings: vec!["b".into(), "c".into()],
                ..Everseed::default()
            },
            ..Snapshot::default()
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a snapshot is whole")]
    fn every_metric_has_its_help_and_type() {
        let snapshot = snapshot();
        let (tracker, http) = (announce::Counters::default(), http::Counters::default());
        tracker.udp_announces.store(7, Ordering::Relaxed);
        tracker.udp_seconds.count(Duration::from_micros(60), 6);
        tracker.udp_seconds.count(Duration::from_secs(2), 1);
        let store = store::Health {
            pending: 18,
            flushes: 19,
            rows: 20,
            rows_most: 22,
            took: Duration::from_millis(1500),
            took_longest: Duration::from_millis(250),
            dropped: 21,
            ..store::Health::default()
        };
        let sources =
            Sources { snapshot: &snapshot, peers: 9, tracker: &tracker, http: &http, store: &store, started_secs: 10 };
        expect![[r##"
            # HELP everseed_start_time_seconds When the server started.
            # TYPE everseed_start_time_seconds gauge
            everseed_start_time_seconds 10
            # HELP everseed_announces_total Announces, the refused ones among them.
            # TYPE everseed_announces_total counter
            everseed_announces_total{wire="http"} 0
            everseed_announces_total{wire="udp"} 7
            # HELP everseed_announce_seconds Announces, from their being read to their reply's being sent.
            # TYPE everseed_announce_seconds histogram
            everseed_announce_seconds_bucket{wire="http",le="0.00001"} 0
            everseed_announce_seconds_bucket{wire="http",le="0.000025"} 0
            everseed_announce_seconds_bucket{wire="http",le="0.00005"} 0
            everseed_announce_seconds_bucket{wire="http",le="0.0001"} 0
            everseed_announce_seconds_bucket{wire="http",le="0.00025"} 0
            everseed_announce_seconds_bucket{wire="http",le="0.0005"} 0
            everseed_announce_seconds_bucket{wire="http",le="0.001"} 0
            everseed_announce_seconds_bucket{wire="http",le="0.0025"} 0
            everseed_announce_seconds_bucket{wire="http",le="0.005"} 0
            everseed_announce_seconds_bucket{wire="http",le="0.01"} 0
            everseed_announce_seconds_bucket{wire="http",le="0.025"} 0
            everseed_announce_seconds_bucket{wire="http",le="0.1"} 0
            everseed_announce_seconds_bucket{wire="http",le="0.5"} 0
            everseed_announce_seconds_bucket{wire="http",le="1"} 0
            everseed_announce_seconds_bucket{wire="http",le="+Inf"} 0
            everseed_announce_seconds_sum{wire="http"} 0
            everseed_announce_seconds_count{wire="http"} 0
            everseed_announce_seconds_bucket{wire="udp",le="0.00001"} 0
            everseed_announce_seconds_bucket{wire="udp",le="0.000025"} 0
            everseed_announce_seconds_bucket{wire="udp",le="0.00005"} 0
            everseed_announce_seconds_bucket{wire="udp",le="0.0001"} 6
            everseed_announce_seconds_bucket{wire="udp",le="0.00025"} 6
            everseed_announce_seconds_bucket{wire="udp",le="0.0005"} 6
            everseed_announce_seconds_bucket{wire="udp",le="0.001"} 6
            everseed_announce_seconds_bucket{wire="udp",le="0.0025"} 6
            everseed_announce_seconds_bucket{wire="udp",le="0.005"} 6
            everseed_announce_seconds_bucket{wire="udp",le="0.01"} 6
            everseed_announce_seconds_bucket{wire="udp",le="0.025"} 6
            everseed_announce_seconds_bucket{wire="udp",le="0.1"} 6
            everseed_announce_seconds_bucket{wire="udp",le="0.5"} 6
            everseed_announce_seconds_bucket{wire="udp",le="1"} 6
            everseed_announce_seconds_bucket{wire="udp",le="+Inf"} 7
            everseed_announce_seconds_sum{wire="udp"} 2.00036
            everseed_announce_seconds_count{wire="udp"} 7
            # HELP everseed_scrapes_total Scrapes.
            # TYPE everseed_scrapes_total counter
            everseed_scrapes_total 0
            # HELP everseed_refusals_total Announces and scrapes that were refused.
            # TYPE everseed_refusals_total counter
            # HELP everseed_swarms Torrents that are tracked.
            # TYPE everseed_swarms gauge
            everseed_swarms 2
            # HELP everseed_peers Peers known to the tracker, the everseed not among them.
            # TYPE everseed_peers gauge
            everseed_peers 9
            # HELP everseed_swarm_seeds Peers that have everything, the everseed among them.
            # TYPE everseed_swarm_seeds gauge
            everseed_swarm_seeds 4
            # HELP everseed_swarm_leechers Peers that lack something.
            # TYPE everseed_swarm_leechers gauge
            everseed_swarm_leechers 6
            # HELP everseed_completed_total Downloads completed in the torrents' lifetime.
            # TYPE everseed_completed_total counter
            everseed_completed_total 8
            # HELP everseed_seed_sent_bytes_total Bytes sent to peers in the torrents' lifetime.
            # TYPE everseed_seed_sent_bytes_total counter
            everseed_seed_sent_bytes_total 6
            # HELP everseed_web_sent_bytes_total Bytes of the torrents' files sent over HTTP in their lifetime.
            # TYPE everseed_web_sent_bytes_total counter
            everseed_web_sent_bytes_total 12
            # HELP everseed_carried_bytes About how many bytes peers gave each other: the sizes of completed downloads less what was sent from here.
            # TYPE everseed_carried_bytes gauge
            everseed_carried_bytes 13
            # HELP everseed_month_sent_bytes Bytes of content sent in this calendar month (UTC).
            # TYPE everseed_month_sent_bytes gauge
            everseed_month_sent_bytes{way="peers"} 14
            everseed_month_sent_bytes{way="web"} 15
            # HELP everseed_quota_bytes Bytes of content that may be sent in a month at full speed.
            # TYPE everseed_quota_bytes gauge
            everseed_quota_bytes 16
            # HELP everseed_quota_slowed Whether everything is slowed down because the month's quota is used up.
            # TYPE everseed_quota_slowed gauge
            everseed_quota_slowed 0
            # HELP everseed_seed_connections Peers connected to the everseed.
            # TYPE everseed_seed_connections gauge
            everseed_seed_connections 5
            # HELP everseed_seed_torrents Torrents by what is known of their files.
            # TYPE everseed_seed_torrents gauge
            everseed_seed_torrents{health="verified"} 1
            everseed_seed_torrents{health="verifying"} 0
            everseed_seed_torrents{health="elsewhere"} 0
            everseed_seed_torrents{health="degraded"} 0
            everseed_seed_torrents{health="missing"} 1
            # HELP everseed_seed_pieces_bad Pieces whose bytes are not what their torrent says.
            # TYPE everseed_seed_pieces_bad gauge
            everseed_seed_pieces_bad 22
            # HELP everseed_scrubbed_torrents Torrents that were read again at least once.
            # TYPE everseed_scrubbed_torrents gauge
            everseed_scrubbed_torrents 1
            # HELP everseed_scrub_oldest_timestamp_seconds When the one of them was read again whose turn was the longest ago.
            # TYPE everseed_scrub_oldest_timestamp_seconds gauge
            everseed_scrub_oldest_timestamp_seconds 17
            # HELP everseed_warnings Things that will be wrong; /healthz names them.
            # TYPE everseed_warnings gauge
            everseed_warnings 2
            # HELP everseed_faults Things that are wrong; /healthz names them.
            # TYPE everseed_faults gauge
            everseed_faults 1
            # HELP everseed_store_write_seconds Writes of the database, each of all that had gathered.
            # TYPE everseed_store_write_seconds summary
            everseed_store_write_seconds_sum 1.5
            everseed_store_write_seconds_count 19
            # HELP everseed_store_write_longest_seconds The longest of these writes.
            # TYPE everseed_store_write_longest_seconds gauge
            everseed_store_write_longest_seconds 0.25
            # HELP everseed_store_rows_total Rows written by them.
            # TYPE everseed_store_rows_total counter
            everseed_store_rows_total 20
            # HELP everseed_store_write_largest_rows Rows of the largest of these writes.
            # TYPE everseed_store_write_largest_rows gauge
            everseed_store_write_largest_rows 22
            # HELP everseed_store_pending_rows Rows that wait to be written.
            # TYPE everseed_store_pending_rows gauge
            everseed_store_pending_rows 18
            # HELP everseed_store_dropped_total Rows not kept because too many waited.
            # TYPE everseed_store_dropped_total counter
            everseed_store_dropped_total 21
            # HELP everseed_store_failing Whether the last write failed.
            # TYPE everseed_store_failing gauge
            everseed_store_failing 0
            # HELP everseed_http_requests_total HTTP requests.
            # TYPE everseed_http_requests_total counter
            everseed_http_requests_total 0
            # HELP everseed_http_connections_total HTTP connections.
            # TYPE everseed_http_connections_total counter
            everseed_http_connections_total 0
            # HELP everseed_http_gave_way_total HTTP connections that waited for a request and were closed for new ones.
            # TYPE everseed_http_gave_way_total counter
            everseed_http_gave_way_total 0
            # HELP everseed_http_turned_away_total HTTP connections answered with a 503.
            # TYPE everseed_http_turned_away_total counter
            everseed_http_turned_away_total 0
            # HELP everseed_http_sent_bytes_total Bytes sent over HTTP, heads included.
            # TYPE everseed_http_sent_bytes_total counter
            everseed_http_sent_bytes_total 0
        "##]]
        .assert_eq(&text(&sources));
    }
}
