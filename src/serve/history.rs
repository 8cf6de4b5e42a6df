//! The time series for those who look at it: read beside the writer, by one at a time, and kept for a few seconds.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::plot::{Bar, DAY, TWO_MONTHS, Window};
use crate::id::InfoHash;
use crate::problem::Problem;
use crate::store::{Point, Reader};
use crate::tracker::Seconds;

/// Seconds for which a series that was read is given again.
const KEPT_SECS: u64 = 10;
/// Series that are kept at most.
const KEPT_MAX: usize = 64;
/// How long a reader may have to wait for those before it.
const WAIT_MAX: Duration = Duration::from_secs(3);

/// What was sent, and who was there, over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Series {
    /// The last day in half hours.
    pub half_hours: Vec<Bar>,
    /// The last two months in days.
    pub days: Vec<Bar>,
}

/// Reads series from the database.
#[derive(Debug)]
pub struct History {
    database: PathBuf,
    // Held while the database is read, which is a matter of milliseconds: so many who look at once cost what one costs.
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    reader: Option<Reader>,
    kept: HashMap<Vec<InfoHash>, (u64, Arc<Series>)>,
}

impl History {
    /// Of the database at this path, which a store has open.
    pub fn new(database: PathBuf) -> Self {
        Self { database, inner: Arc::default() }
    }

    /// The series of a torrent with these swarms, or of all torrents together where there are none, as it is `now`.
    pub async fn of(&self, swarms: Vec<InfoHash>, now: Seconds) -> Result<Arc<Series>, Problem> {
        let busy = || Problem::new("too many wait to read the time series").help("look again in a moment");
        let mut inner = timeout(WAIT_MAX, Arc::clone(&self.inner).lock_owned()).await.map_err(|_| busy())?;
        let is_fresh = move |at: u64| (at..at.saturating_add(KEPT_SECS)).contains(&now.0);
        if let Some((_, series)) = inner.kept.get(&swarms).filter(|(at, _)| is_fresh(*at)) {
            return Ok(Arc::clone(series));
        }
        let database = self.database.clone();
        // The lock goes with it: who goes away meanwhile lets nobody else in before it is done.
        let read = tokio::task::spawn_blocking(move || {
            let reader = match inner.reader.take() {
                Some(reader) => reader,
                None => Reader::open(&database)?,
            };
            // Where this fails, the next one opens it anew.
            let series = Arc::new(read(&reader, &swarms, now)?);
            inner.reader = Some(reader);
            if inner.kept.len() >= KEPT_MAX {
                inner.kept.retain(|_, (at, _)| is_fresh(*at));
            }
            if inner.kept.len() < KEPT_MAX {
                inner.kept.insert(swarms, (now.0, Arc::clone(&series)));
            }
            Ok(series)
        });
        read.await.unwrap_or_else(|error| Err(Problem::new(format!("the time series was not read: {error}"))))
    }
}

fn read(reader: &Reader, swarms: &[InfoHash], now: Seconds) -> Result<Series, Problem> {
    let mut sums = [DAY, TWO_MONTHS].map(|window| window.fold(&[], now));
    for (window, sum) in [DAY, TWO_MONTHS].into_iter().zip(&mut sums) {
        let since = window.begin(now);
        if swarms.is_empty() {
            *sum = window.fold(&reader.series_total(since)?, now);
        }
        for info_hash in swarms {
            add(sum, window, &reader.series(info_hash, since)?, now);
        }
    }
    let [half_hours, days] = sums;
    Ok(Series { half_hours, days })
}

/// Adds one of the swarms of a torrent, of which a hybrid one has two.
fn add(sum: &mut [Bar], window: Window, points: &[Point], now: Seconds) {
    for (sum, bar) in sum.iter_mut().zip(window.fold(points, now)) {
        sum.sent_bytes = sum.sent_bytes.saturating_add(bar.sent_bytes);
        sum.web_sent_bytes = sum.web_sent_bytes.saturating_add(bar.web_sent_bytes);
        sum.seeds = sum.seeds.saturating_add(bar.seeds);
        sum.leechers = sum.leechers.saturating_add(bar.leechers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Batch, Lifetime, Sample, Store};

    const NOW: Seconds = Seconds(1_795_378_200);
    const ONE: InfoHash = InfoHash([1; 20]);
    const TWIN: InfoHash = InfoHash([2; 20]);

    fn point(ago: u64, seeds: u64, sent: u64) -> Point {
        Point { at: Seconds(NOW.0 - ago), seeds, leechers: 1, lifetime: Lifetime { sent, ..Lifetime::default() } }
    }

    fn last(series: &Series) -> (u64, u64, u64) {
        let bar = series.days.last().expect("today");
        assert_eq!(series.half_hours.iter().map(|bar| bar.sent_bytes).sum::<u64>(), bar.sent_bytes);
        (bar.sent_bytes, bar.seeds, bar.leechers)
    }

    #[tokio::test]
    async fn series_are_read_of_one_torrent_or_of_all_and_kept_for_a_while() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("everseed.sqlite3");
        let mut store = Store::open(&path).expect("opens").store;
        let mut batch = Batch::default();
        for (ago, seeds, sent) in [(7200, 1, 10), (3600, 2, 30)] {
            batch.sample(Sample { info_hash: ONE, point: point(ago, seeds, sent) });
            batch.sample(Sample { info_hash: TWIN, point: point(ago, seeds, 0) });
            batch.total(point(ago, 9, 5 * sent));
        }
        store.append(&batch).expect("written");
        let history = History::new(path);
        let all = history.of(vec![], NOW).await.expect("read");
        assert_eq!((last(&all), all.half_hours.len(), all.days.len()), ((150, 9, 1), 48, 60));
        assert_eq!(last(&history.of(vec![ONE, TWIN], NOW).await.expect("read")), (30, 4, 2));
        assert_eq!(last(&history.of(vec![InfoHash([9; 20])], NOW).await.expect("read")), (0, 0, 0));

        let mut batch = Batch::default();
        batch.total(point(0, 9, 650));
        store.append(&batch).expect("written");
        let soon = history.of(vec![], Seconds(NOW.0 + KEPT_SECS - 1)).await.expect("kept");
        assert!(Arc::ptr_eq(&all, &soon));
        let later = history.of(vec![], Seconds(NOW.0 + KEPT_SECS)).await.expect("read again");
        assert_eq!(last(&later), (650, 9, 1));
    }

    #[tokio::test]
    async fn no_more_series_are_kept_than_are_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("everseed.sqlite3");
        drop(Store::open(&path).expect("opens"));
        let history = History::new(path);
        for number in 0..=KEPT_MAX {
            let hash = InfoHash([u8::try_from(number).expect("small"); 20]);
            history.of(vec![hash], NOW).await.expect("read");
        }
        assert_eq!(history.inner.lock().await.kept.len(), KEPT_MAX);
        history.of(vec![ONE, TWIN], Seconds(NOW.0 + 60)).await.expect("read");
        assert_eq!(history.inner.lock().await.kept.len(), 1, "what is old gives way");
    }

    #[tokio::test]
    async fn a_database_that_is_gone_is_said_and_found_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("everseed.sqlite3");
        let history = History::new(path.clone());
        let error = history.of(vec![], NOW).await.expect_err("no file").to_string();
        assert!(error.contains("the database cannot be read"), "{error}");
        drop(Store::open(&path).expect("opens"));
        assert!(history.of(vec![], NOW).await.is_ok());
    }
}
