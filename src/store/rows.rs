//! Rows and what they stand for: the statements of the store.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::{CachedStatement, Connection, Transaction, TransactionBehavior, params};

use super::{
    BUCKET_SECS, Batch, FINE_DAYS, HOURLY_DAYS, Lifetime, Loaded, PEER_KEPT_SECS, SERIES_DAYS_MAX, Sample, Verdict,
};
use crate::fingerprint::Fingerprint;
use crate::id::{InfoHash, PeerId};
use crate::tracker::{Kind, Seconds, Sighting, compact};

const BUCKETS_A_DAY: u64 = 24 * 3600 / BUCKET_SECS;
const BUCKETS_AN_HOUR: u64 = 3600 / BUCKET_SECS;

pub(super) fn load(db: &Connection, now: Seconds) -> rusqlite::Result<Loaded> {
    let mut statement = db.prepare("SELECT info_hash, completed, uploaded, downloaded, sent FROM torrent")?;
    let lifetimes = statement.query_map([], |row| {
        let lifetime = Lifetime {
            completed: count(row.get(1)?),
            uploaded: count(row.get(2)?),
            downloaded: count(row.get(3)?),
            sent: count(row.get(4)?),
        };
        Ok((InfoHash(row.get(0)?), lifetime))
    })?;
    let lifetimes = lifetimes.collect::<rusqlite::Result<_>>()?;
    let mut statement = db.prepare(
        "SELECT info_hash, addr, peer_id, kind, counted, peer.uploaded, peer.downloaded, seen
         FROM peer JOIN torrent ON torrent.id = torrent WHERE seen >= ?1",
    )?;
    let peers = statement.query_map([integer(now.0.saturating_sub(PEER_KEPT_SECS))], |row| {
        let Some(addr) = compact::unpack(row.get_ref(1)?.as_blob()?) else { return Ok(None) };
        Ok(Some(Sighting {
            info_hash: InfoHash(row.get(0)?),
            addr,
            peer_id: PeerId(row.get(2)?),
            kind: kind(row.get(3)?),
            counted: row.get(4)?,
            uploaded: count(row.get(5)?),
            downloaded: count(row.get(6)?),
            at: Seconds(count(row.get(7)?)),
        }))
    })?;
    let peers = peers.filter_map(Result::transpose).collect::<rusqlite::Result<_>>()?;
    Ok(Loaded { lifetimes, peers })
}

pub(super) fn append(
    db: &mut Connection,
    batch: &Batch,
    torrents: &mut HashMap<InfoHash, i64>,
    sampled: &mut HashMap<InfoHash, Sample>,
    clearing: bool,
) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    put_lifetimes(&transaction, batch, torrents)?;
    put_peers(&transaction, batch, torrents)?;
    put_samples(&transaction, batch, torrents, sampled)?;
    put_verdicts(&transaction, batch)?;
    if clearing {
        clear(&transaction, batch.latest())?;
    }
    transaction.commit()
}

pub(super) fn series(db: &Connection, info_hash: &InfoHash, since: Seconds) -> rusqlite::Result<Vec<Sample>> {
    let mut statement = db.prepare_cached(
        "SELECT bucket, seeds, leechers, series.completed, series.uploaded, series.downloaded, series.sent
         FROM series JOIN torrent ON torrent.id = torrent WHERE info_hash = ?1 AND bucket >= ?2 ORDER BY bucket",
    )?;
    let rows = statement.query_map(params![info_hash.0, integer(since.0 / BUCKET_SECS)], |row| {
        Ok(Sample {
            info_hash: *info_hash,
            at: Seconds(count(row.get(0)?) * BUCKET_SECS),
            seeds: count(row.get(1)?),
            leechers: count(row.get(2)?),
            lifetime: Lifetime {
                completed: count(row.get(3)?),
                uploaded: count(row.get(4)?),
                downloaded: count(row.get(5)?),
                sent: count(row.get(6)?),
            },
        })
    })?;
    rows.collect()
}

pub(super) fn verdicts(db: &Connection) -> rusqlite::Result<Vec<Verdict>> {
    let mut statement = db.prepare("SELECT path, size, mtime_ns, inode, ctime_ns, verdict FROM verdict")?;
    let rows = statement.query_map([], |row| {
        Ok(Verdict {
            path: path_of(row.get_ref(0)?.as_blob()?),
            fingerprint: Fingerprint {
                bytes: count(row.get(1)?),
                mtime_ns: row.get(2)?,
                inode: row.get::<_, i64>(3)?.cast_unsigned(),
                ctime_ns: row.get(4)?,
            },
            verdict: row.get(5)?,
        })
    })?;
    rows.collect()
}

pub(super) fn retain_verdicts(db: &mut Connection, keep: impl Fn(&Path) -> bool) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for verdict in verdicts(&transaction)?.iter().filter(|verdict| !keep(&verdict.path)) {
        transaction.prepare_cached("DELETE FROM verdict WHERE path = ?1")?.execute([bytes_of(&verdict.path)])?;
    }
    transaction.commit()
}

fn put_lifetimes(
    transaction: &Transaction,
    batch: &Batch,
    torrents: &mut HashMap<InfoHash, i64>,
) -> rusqlite::Result<()> {
    // The larger count is the truth, so that a batch written twice changes nothing.
    let mut put = transaction.prepare_cached(
        "INSERT INTO torrent (info_hash, completed, uploaded, downloaded, sent) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (info_hash) DO UPDATE SET
            completed = max(completed, excluded.completed), uploaded = max(uploaded, excluded.uploaded),
            downloaded = max(downloaded, excluded.downloaded), sent = max(sent, excluded.sent)
         RETURNING id",
    )?;
    for (info_hash, lifetime) in &batch.lifetimes {
        let Lifetime { completed, uploaded, downloaded, sent } = *lifetime;
        let values = params![info_hash.0, integer(completed), integer(uploaded), integer(downloaded), integer(sent)];
        let id = put.query_row(values, |row| row.get(0))?;
        torrents.insert(*info_hash, id);
    }
    Ok(())
}

fn put_peers(transaction: &Transaction, batch: &Batch, torrents: &mut HashMap<InfoHash, i64>) -> rusqlite::Result<()> {
    let mut finder = Finder::new(transaction, torrents)?;
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO peer (torrent, addr, peer_id, kind, counted, uploaded, downloaded, seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut remove = transaction.prepare_cached("DELETE FROM peer WHERE torrent = ?1 AND addr = ?2")?;
    for ((info_hash, addr), sighting) in &batch.peers {
        let torrent = finder.id(info_hash)?;
        let (v4, v6);
        let addr: &[u8] = match addr {
            SocketAddr::V4(addr) => {
                v4 = compact::pack_v4(*addr.ip(), addr.port());
                &v4
            }
            SocketAddr::V6(addr) => {
                v6 = compact::pack_v6(*addr.ip(), addr.port());
                &v6
            }
        };
        match sighting {
            Some(sighting) => put.execute(params![
                torrent,
                addr,
                sighting.peer_id.0,
                sighting.kind as u8,
                sighting.counted,
                integer(sighting.uploaded),
                integer(sighting.downloaded),
                integer(sighting.at.0),
            ])?,
            None => remove.execute(params![torrent, addr])?,
        };
    }
    Ok(())
}

fn put_samples(
    transaction: &Transaction,
    batch: &Batch,
    torrents: &mut HashMap<InfoHash, i64>,
    sampled: &mut HashMap<InfoHash, Sample>,
) -> rusqlite::Result<()> {
    let mut finder = Finder::new(transaction, torrents)?;
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO series (torrent, bucket, seeds, leechers, completed, uploaded, downloaded, sent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut in_order: Vec<_> = batch.samples.values().collect();
    in_order.sort_unstable_by_key(|sample| sample.at);
    for sample in in_order {
        let former = sampled.insert(sample.info_hash, *sample);
        if former.is_some_and(|former| Sample { at: sample.at, ..former } == *sample) {
            continue;
        }
        let Lifetime { completed, uploaded, downloaded, sent } = sample.lifetime;
        put.execute(params![
            finder.id(&sample.info_hash)?,
            integer(sample.at.0 / BUCKET_SECS),
            integer(sample.seeds),
            integer(sample.leechers),
            integer(completed),
            integer(uploaded),
            integer(downloaded),
            integer(sent),
        ])?;
    }
    Ok(())
}

fn put_verdicts(transaction: &Transaction, batch: &Batch) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO verdict (path, size, mtime_ns, inode, ctime_ns, verdict)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for Verdict { path, fingerprint, verdict } in batch.verdicts.values() {
        let Fingerprint { bytes, mtime_ns, ctime_ns, inode } = *fingerprint;
        put.execute(params![bytes_of(path), integer(bytes), mtime_ns, inode.cast_signed(), ctime_ns, verdict])?;
    }
    Ok(())
}

/// Removes what is too old to matter and joins the buckets of long ago.
fn clear(transaction: &Transaction, now: Seconds) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM peer WHERE seen < ?1", [integer(now.0.saturating_sub(PEER_KEPT_SECS))])?;
    let bucket = now.0 / BUCKET_SECS;
    let forgotten = bucket.saturating_sub(SERIES_DAYS_MAX * BUCKETS_A_DAY);
    transaction.execute("DELETE FROM series WHERE bucket < ?1", [integer(forgotten)])?;
    for (days, width) in [(FINE_DAYS, BUCKETS_AN_HOUR), (HOURLY_DAYS, BUCKETS_A_DAY)] {
        // Only whole hours and days are joined, so that the next time finds nothing half done.
        let until = bucket.saturating_sub(days * BUCKETS_A_DAY) / width * width;
        // The last bucket stays, with the most peers that any of them had; the counts only grow.
        transaction.execute(
            "INSERT OR REPLACE INTO series
             SELECT torrent, max(bucket), max(seeds), max(leechers), max(completed), max(uploaded), max(downloaded),
                    max(sent)
             FROM series WHERE bucket < ?1 GROUP BY torrent, bucket / ?2 HAVING count(*) > 1",
            params![integer(until), integer(width)],
        )?;
        transaction.execute(
            "DELETE FROM series WHERE bucket < ?1 AND EXISTS (
                SELECT 1 FROM series AS later WHERE later.torrent = series.torrent
                AND later.bucket > series.bucket AND later.bucket < (series.bucket / ?2 + 1) * ?2)",
            params![integer(until), integer(width)],
        )?;
    }
    Ok(())
}

/// Finds the row of a torrent, and makes one where there is none.
struct Finder<'t> {
    make: CachedStatement<'t>,
    torrents: &'t mut HashMap<InfoHash, i64>,
}

impl<'t> Finder<'t> {
    fn new(transaction: &'t Transaction, torrents: &'t mut HashMap<InfoHash, i64>) -> rusqlite::Result<Self> {
        // An update that changes nothing, because a conflict that does nothing returns no row.
        let make = transaction.prepare_cached(
            "INSERT INTO torrent (info_hash) VALUES (?1)
             ON CONFLICT (info_hash) DO UPDATE SET sent = sent RETURNING id",
        )?;
        Ok(Self { make, torrents })
    }

    fn id(&mut self, info_hash: &InfoHash) -> rusqlite::Result<i64> {
        if let Some(&id) = self.torrents.get(info_hash) {
            return Ok(id);
        }
        let id = self.make.query_row([info_hash.0], |row| row.get(0))?;
        self.torrents.insert(*info_hash, id);
        Ok(id)
    }
}

/// A count as SQLite holds it: signed, so that the largest ones are saturated.
fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count(integer: i64) -> u64 {
    u64::try_from(integer).unwrap_or(0)
}

fn kind(number: u8) -> Kind {
    match number {
        0 => Kind::Seed,
        2 => Kind::Partial,
        _ => Kind::Leecher,
    }
}

/// An address and port in network order, 6 or 18 bytes of the array.
fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn path_of(bytes: &[u8]) -> PathBuf {
    OsStr::from_bytes(bytes).into()
}
