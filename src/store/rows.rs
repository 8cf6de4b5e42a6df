//! Rows and what they stand for: the statements of the store.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::{CachedStatement, Connection, Row, Transaction, TransactionBehavior, params};

use super::pending::Keys;
use super::{Batch, Lifetime, Loaded, MONTHS_MAX, Month, MonthSent, PEER_KEPT_SECS, Point, Scrubbed, Verdict, series};
use crate::fingerprint::Fingerprint;
use crate::id::{InfoHash, PeerId};
use crate::tracker::{Kind, Seconds, Sighting, compact};

/// The row of a torrent.
type Torrents = HashMap<InfoHash, i64, Keys>;

/// What stands in the file, as far as it saves statements.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The row of each torrent met so far, so that a peer costs one statement.
    pub torrents: Torrents,
    /// The digest of the last sample written of each torrent; one that says the same is not written.
    pub sampled: HashMap<InfoHash, u64, Keys>,
    /// The last one of all torrents together.
    pub total: Option<Point>,
}

pub(super) fn load(db: &Connection, now: Seconds) -> rusqlite::Result<Loaded> {
    let mut statement = db.prepare("SELECT info_hash, completed, uploaded, downloaded, sent, web_sent FROM torrent")?;
    let lifetimes = statement.query_map([], |row| Ok((InfoHash(row.get(0)?), lifetime(row, 1)?)))?;
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
    let mut statement = db.prepare("SELECT info_hash, at, bad_pieces FROM scrub JOIN torrent ON id = torrent")?;
    let scrubs = statement.query_map([], |row| {
        Ok(Scrubbed { info_hash: InfoHash(row.get(0)?), at: Seconds(count(row.get(1)?)), bad_pieces: row.get(2)? })
    })?;
    let scrubs = scrubs.collect::<rusqlite::Result<_>>()?;
    let mut statement = db.prepare("SELECT month, sent, web_sent FROM month ORDER BY month")?;
    let months = statement.query_map([], |row| {
        let month = Month::of_number(row.get(0)?);
        Ok(MonthSent { month, sent: count(row.get(1)?), web_sent: count(row.get(2)?) })
    })?;
    let months = months.collect::<rusqlite::Result<_>>()?;
    Ok(Loaded { lifetimes, peers, scrubs, months })
}

/// The counts that stand in the columns of a row from this one on.
pub(super) fn lifetime(row: &Row, first: usize) -> rusqlite::Result<Lifetime> {
    Ok(Lifetime {
        completed: count(row.get(first)?),
        uploaded: count(row.get(first + 1)?),
        downloaded: count(row.get(first + 2)?),
        sent: count(row.get(first + 3)?),
        web_sent: count(row.get(first + 4)?),
    })
}

pub(super) fn append(db: &mut Connection, batch: &Batch, known: &mut Known, clearing: bool) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    put_lifetimes(&transaction, batch, &mut known.torrents)?;
    put_peers(&transaction, batch, &mut known.torrents)?;
    series::put(&transaction, batch, known)?;
    put_verdicts(&transaction, batch)?;
    put_scrubs(&transaction, batch, &mut known.torrents)?;
    put_months(&transaction, batch)?;
    if clearing {
        clear(&transaction, batch.latest())?;
    }
    transaction.commit()
}

pub(super) fn verdicts(db: &Connection) -> rusqlite::Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    each_verdict(db, |verdict| verdicts.push(verdict))?;
    Ok(verdicts)
}

fn each_verdict(db: &Connection, mut take: impl FnMut(Verdict)) -> rusqlite::Result<()> {
    let mut statement = db.prepare("SELECT path, size, mtime_ns, inode, ctime_ns, verdict FROM verdict")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(Verdict {
            path: path_of(row.get_ref(0)?.as_blob()?),
            fingerprint: Fingerprint {
                bytes: count(row.get(1)?),
                mtime_ns: row.get(2)?,
                inode: row.get::<_, i64>(3)?.cast_unsigned(),
                ctime_ns: row.get(4)?,
            },
            verdict: row.get(5)?,
        });
    }
    Ok(())
}

pub(super) fn retain_verdicts(db: &mut Connection, mut keep: impl FnMut(Verdict) -> bool) -> rusqlite::Result<()> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut forgotten = Vec::new();
    each_verdict(&transaction, |verdict| {
        let path = verdict.path.clone();
        if !keep(verdict) {
            forgotten.push(path);
        }
    })?;
    for path in forgotten {
        transaction.prepare_cached("DELETE FROM verdict WHERE path = ?1")?.execute([bytes_of(&path)])?;
    }
    transaction.commit()
}

fn put_lifetimes(transaction: &Transaction, batch: &Batch, torrents: &mut Torrents) -> rusqlite::Result<()> {
    // The larger count is the truth, so that a batch written twice changes nothing.
    let mut put = transaction.prepare_cached(
        "INSERT INTO torrent (info_hash, completed, uploaded, downloaded, sent, web_sent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (info_hash) DO UPDATE SET
            completed = max(completed, excluded.completed), uploaded = max(uploaded, excluded.uploaded),
            downloaded = max(downloaded, excluded.downloaded), sent = max(sent, excluded.sent),
            web_sent = max(web_sent, excluded.web_sent)
         RETURNING id",
    )?;
    for (info_hash, lifetime) in &batch.lifetimes {
        let Lifetime { completed, uploaded, downloaded, sent, web_sent } = *lifetime;
        let counts = [completed, uploaded, downloaded, sent, web_sent].map(integer);
        let [completed, uploaded, downloaded, sent, web_sent] = counts;
        let values = params![info_hash.0, completed, uploaded, downloaded, sent, web_sent];
        let id = put.query_row(values, |row| row.get(0))?;
        torrents.insert(*info_hash, id);
    }
    Ok(())
}

fn put_peers(transaction: &Transaction, batch: &Batch, torrents: &mut Torrents) -> rusqlite::Result<()> {
    let mut finder = Finder::new(transaction, torrents)?;
    let mut put = transaction.prepare_cached(
        "INSERT OR REPLACE INTO peer (torrent, addr, peer_id, kind, counted, uploaded, downloaded, seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let mut remove = transaction.prepare_cached("DELETE FROM peer WHERE torrent = ?1 AND addr = ?2")?;
    let rows = batch.peers.iter().map(|row| Ok((finder.id(&row.place.info_hash)?, row)));
    let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    // As they stand in the file: what is side by side there is read and written once.
    rows.sort_unstable_by(|(a, row_a), (b, row_b)| (a, row_a.place.addr()).cmp(&(b, row_b.place.addr())));
    for (torrent, row) in rows {
        let addr = row.place.addr();
        match row.seen {
            Some(seen) => put.execute(params![
                torrent,
                addr,
                seen.peer_id.0,
                seen.kind as u8,
                seen.counted,
                integer(seen.uploaded),
                integer(seen.downloaded),
                integer(seen.at.0),
            ])?,
            None => remove.execute(params![torrent, addr])?,
        };
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

fn put_scrubs(transaction: &Transaction, batch: &Batch, torrents: &mut Torrents) -> rusqlite::Result<()> {
    let mut finder = Finder::new(transaction, torrents)?;
    let mut put = transaction.prepare_cached(
        "INSERT INTO scrub (torrent, at, bad_pieces) VALUES (?1, ?2, ?3)
         ON CONFLICT (torrent) DO UPDATE SET at = excluded.at, bad_pieces = excluded.bad_pieces
         WHERE excluded.at >= at",
    )?;
    for Scrubbed { info_hash, at, bad_pieces } in batch.scrubs.values() {
        put.execute(params![finder.id(info_hash)?, integer(at.0), bad_pieces])?;
    }
    Ok(())
}

fn put_months(transaction: &Transaction, batch: &Batch) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO month (month, sent, web_sent) VALUES (?1, ?2, ?3)
         ON CONFLICT (month) DO UPDATE SET
            sent = max(sent, excluded.sent), web_sent = max(web_sent, excluded.web_sent)",
    )?;
    for MonthSent { month, sent, web_sent } in batch.months.values() {
        put.execute(params![month.number(), integer(*sent), integer(*web_sent)])?;
    }
    Ok(())
}

/// Removes what is too old to matter and joins the buckets of long ago.
fn clear(transaction: &Transaction, now: Seconds) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM peer WHERE seen < ?1", [integer(now.0.saturating_sub(PEER_KEPT_SECS))])?;
    transaction.execute(
        "DELETE FROM month WHERE month NOT IN (SELECT month FROM month ORDER BY month DESC LIMIT ?1)",
        [MONTHS_MAX],
    )?;
    series::clear(transaction, now)
}

/// Finds the row of a torrent, and makes one where there is none.
pub(super) struct Finder<'t> {
    make: CachedStatement<'t>,
    torrents: &'t mut Torrents,
}

impl<'t> Finder<'t> {
    pub(super) fn new(transaction: &'t Transaction, torrents: &'t mut Torrents) -> rusqlite::Result<Self> {
        // An update that changes nothing, because a conflict that does nothing returns no row.
        let make = transaction.prepare_cached(
            "INSERT INTO torrent (info_hash) VALUES (?1)
             ON CONFLICT (info_hash) DO UPDATE SET sent = sent RETURNING id",
        )?;
        Ok(Self { make, torrents })
    }

    pub(super) fn id(&mut self, info_hash: &InfoHash) -> rusqlite::Result<i64> {
        if let Some(&id) = self.torrents.get(info_hash) {
            return Ok(id);
        }
        let id = self.make.query_row([info_hash.0], |row| row.get(0))?;
        self.torrents.insert(*info_hash, id);
        Ok(id)
    }
}

/// A count as SQLite holds it: signed, so that the largest ones are saturated.
pub(super) fn integer(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn count(integer: i64) -> u64 {
    u64::try_from(integer).unwrap_or(0)
}

fn kind(number: u8) -> Kind {
    match number {
        0 => Kind::Seed,
        2 => Kind::Partial,
        _ => Kind::Leecher,
    }
}

fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

fn path_of(bytes: &[u8]) -> PathBuf {
    OsStr::from_bytes(bytes).into()
}
