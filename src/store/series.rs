//! The time series in its tables: one of each torrent, and one of all of them together.
//!
//! That of all is kept beside the others, so that it costs the same to read with one torrent and with thousands.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, Transaction, params};

use super::rows::{Finder, Known, count, integer, lifetime};
use super::{BUCKET_SECS, Batch, FINE_DAYS, HOURLY_DAYS, Lifetime, Point, SERIES_DAYS_MAX, Sample};
use crate::id::InfoHash;
use crate::tracker::Seconds;

const BUCKETS_A_DAY: u64 = 24 * 3600 / BUCKET_SECS;
const BUCKETS_AN_HOUR: u64 = 3600 / BUCKET_SECS;

/// The series of a torrent from the bucket of `since` on, in order, after the last point before it.
pub(super) fn of_torrent(db: &Connection, info_hash: &InfoHash, since: Seconds) -> rusqlite::Result<Vec<Point>> {
    let id: Option<i64> = db
        .prepare_cached("SELECT id FROM torrent WHERE info_hash = ?1")?
        .query_row([info_hash.0], |row| row.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(Vec::new()) };
    let statement = db.prepare_cached(
        "SELECT bucket, seeds, leechers, completed, uploaded, downloaded, sent, web_sent FROM series
         WHERE torrent = ?1 AND bucket >= coalesce(
            (SELECT max(bucket) FROM series WHERE torrent = ?1 AND bucket < ?2), ?2) ORDER BY bucket",
    )?;
    points(statement, params![id, integer(since.0 / BUCKET_SECS)])
}

/// The same of all torrents together.
pub(super) fn of_all(db: &Connection, since: Seconds) -> rusqlite::Result<Vec<Point>> {
    let statement = db.prepare_cached(
        "SELECT bucket, seeds, leechers, completed, uploaded, downloaded, sent, web_sent FROM total
         WHERE bucket >= coalesce((SELECT max(bucket) FROM total WHERE bucket < ?1), ?1) ORDER BY bucket",
    )?;
    points(statement, [integer(since.0 / BUCKET_SECS)])
}

/// Writes the samples of a batch that say something new.
pub(super) fn put(transaction: &Transaction, batch: &Batch, known: &mut Known) -> rusqlite::Result<()> {
    let mut finder = Finder::new(transaction, &mut known.torrents)?;
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO series
            (torrent, bucket, seeds, leechers, completed, uploaded, downloaded, sent, web_sent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut in_order: Vec<_> = batch.samples.values().collect();
    in_order.sort_unstable_by_key(|sample| sample.point.at);
    for &Sample { info_hash, point } in in_order {
        let said = point.digest();
        if known.sampled.insert(info_hash, said) != Some(said) {
            let [at, seeds, leechers, completed, uploaded, downloaded, sent, web_sent] = columns(point);
            let id = finder.id(&info_hash)?;
            put.execute(params![id, at, seeds, leechers, completed, uploaded, downloaded, sent, web_sent])?;
        }
    }
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO total (bucket, seeds, leechers, completed, uploaded, downloaded, sent, web_sent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut in_order: Vec<_> = batch.totals.values().collect();
    in_order.sort_unstable_by_key(|point| point.at);
    for point in in_order {
        let former = known.total.replace(*point);
        if !former.is_some_and(|former| is_same(former, *point)) {
            put.execute(columns(*point))?;
        }
    }
    Ok(())
}

/// Removes what is too old and joins the buckets of long ago.
pub(super) fn clear(transaction: &Transaction, now: Seconds) -> rusqlite::Result<()> {
    let bucket = now.0 / BUCKET_SECS;
    let forgotten = bucket.saturating_sub(SERIES_DAYS_MAX * BUCKETS_A_DAY);
    // The last one of each stays: the next one is told from there.
    for sql in [
        "DELETE FROM series WHERE bucket < ?1 AND EXISTS (
            SELECT 1 FROM series AS later WHERE later.torrent = series.torrent
            AND later.bucket > series.bucket AND later.bucket < ?1)",
        "DELETE FROM total WHERE bucket < (SELECT max(bucket) FROM total WHERE bucket < ?1)",
    ] {
        transaction.execute(sql, [integer(forgotten)])?;
    }
    for (days, width) in [(FINE_DAYS, BUCKETS_AN_HOUR), (HOURLY_DAYS, BUCKETS_A_DAY)] {
        // Only whole hours and days are joined, so that the next time finds nothing half done.
        let until = bucket.saturating_sub(days * BUCKETS_A_DAY) / width * width;
        // The last bucket stays, with the most peers that any of them had; the counts only grow.
        for sql in [
            "INSERT OR REPLACE INTO series (torrent, bucket, seeds, leechers, completed, uploaded, downloaded, sent,
                web_sent)
             SELECT torrent, max(bucket), max(seeds), max(leechers), max(completed), max(uploaded), max(downloaded),
                    max(sent), max(web_sent)
             FROM series WHERE bucket < ?1 GROUP BY torrent, bucket / ?2 HAVING count(*) > 1",
            "DELETE FROM series WHERE bucket < ?1 AND EXISTS (
                SELECT 1 FROM series AS later WHERE later.torrent = series.torrent
                AND later.bucket > series.bucket AND later.bucket < (series.bucket / ?2 + 1) * ?2)",
            "INSERT OR REPLACE INTO total (bucket, seeds, leechers, completed, uploaded, downloaded, sent, web_sent)
             SELECT max(bucket), max(seeds), max(leechers), max(completed), max(uploaded), max(downloaded),
                    max(sent), max(web_sent)
             FROM total WHERE bucket < ?1 GROUP BY bucket / ?2 HAVING count(*) > 1",
            "DELETE FROM total WHERE bucket < ?1 AND EXISTS (
                SELECT 1 FROM total AS later
                WHERE later.bucket > total.bucket AND later.bucket < (total.bucket / ?2 + 1) * ?2)",
        ] {
            transaction.execute(sql, params![integer(until), integer(width)])?;
        }
    }
    Ok(())
}

fn points(mut statement: CachedStatement, of: impl Params) -> rusqlite::Result<Vec<Point>> {
    statement.query_map(of, point)?.collect()
}

fn point(row: &Row) -> rusqlite::Result<Point> {
    Ok(Point {
        at: Seconds(count(row.get(0)?) * BUCKET_SECS),
        seeds: count(row.get(1)?),
        leechers: count(row.get(2)?),
        lifetime: lifetime(row, 3)?,
    })
}

fn columns(point: Point) -> [i64; 8] {
    let Point { at, seeds, leechers, lifetime } = point;
    let Lifetime { completed, uploaded, downloaded, sent, web_sent } = lifetime;
    [at.0 / BUCKET_SECS, seeds, leechers, completed, uploaded, downloaded, sent, web_sent].map(integer)
}

fn is_same(former: Point, point: Point) -> bool {
    Point { at: point.at, ..former } == point
}
