//! The database file: found, made, brought up to date, refused or set aside.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use crate::problem::Problem;

/// The version of the tables, in the file's `user_version`.
pub const VERSION: i64 = 2;
/// Damaged files that are kept beside the database; with so many, somebody should look.
pub const DAMAGED_KEPT_MAX: usize = 20;

/// The file's `application_id`: "EVRS".
const APPLICATION_ID: i64 = 0x4556_5253;
/// How long a write waits for another process that holds the file.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Bytes to which the write-ahead log is cut back after it was long.
const JOURNAL_BYTES: i64 = 16 << 20;
/// What SQLite keeps of the file in its own memory beside the page cache, in KiB; negative, as it is no number of pages.
pub(super) const CACHE_KIB: i64 = -512;

/// The step from each version to the next: `STEPS[0]` makes version 1 of an empty file.
const STEPS: [&str; 2] = [
    "
    CREATE TABLE torrent (
        id          INTEGER PRIMARY KEY,
        info_hash   BLOB    NOT NULL UNIQUE,
        completed   INTEGER NOT NULL DEFAULT 0,
        uploaded    INTEGER NOT NULL DEFAULT 0,
        downloaded  INTEGER NOT NULL DEFAULT 0,
        sent        INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE peer (
        torrent     INTEGER NOT NULL REFERENCES torrent(id),
        addr        BLOB    NOT NULL,
        peer_id     BLOB    NOT NULL,
        kind        INTEGER NOT NULL,
        counted     INTEGER NOT NULL,
        uploaded    INTEGER NOT NULL,
        downloaded  INTEGER NOT NULL,
        seen        INTEGER NOT NULL,
        PRIMARY KEY (torrent, addr)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE series (
        torrent     INTEGER NOT NULL REFERENCES torrent(id),
        bucket      INTEGER NOT NULL,
        seeds       INTEGER NOT NULL,
        leechers    INTEGER NOT NULL,
        completed   INTEGER NOT NULL,
        uploaded    INTEGER NOT NULL,
        downloaded  INTEGER NOT NULL,
        sent        INTEGER NOT NULL,
        PRIMARY KEY (torrent, bucket)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE verdict (
        path        BLOB    NOT NULL PRIMARY KEY,
        size        INTEGER NOT NULL,
        mtime_ns    INTEGER NOT NULL,
        inode       INTEGER NOT NULL,
        ctime_ns    INTEGER NOT NULL,
        verdict     BLOB    NOT NULL
    ) STRICT, WITHOUT ROWID;
    ",
    "
    ALTER TABLE torrent ADD COLUMN web_sent INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE series ADD COLUMN web_sent INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE total (
        bucket      INTEGER NOT NULL PRIMARY KEY,
        seeds       INTEGER NOT NULL,
        leechers    INTEGER NOT NULL,
        completed   INTEGER NOT NULL,
        uploaded    INTEGER NOT NULL,
        downloaded  INTEGER NOT NULL,
        sent        INTEGER NOT NULL,
        web_sent    INTEGER NOT NULL
    ) STRICT;
    INSERT INTO total SELECT max(bucket), 0, 0, sum(completed), sum(uploaded), sum(downloaded), sum(sent), 0
        FROM torrent, (SELECT max(bucket) AS bucket FROM series) WHERE bucket IS NOT NULL HAVING count(*) > 0;
    CREATE TABLE scrub (
        torrent     INTEGER NOT NULL PRIMARY KEY REFERENCES torrent(id),
        at          INTEGER NOT NULL,
        bad_pieces  INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE month (
        month       INTEGER NOT NULL PRIMARY KEY,
        sent        INTEGER NOT NULL,
        web_sent    INTEGER NOT NULL
    ) STRICT;
    ",
];

/// Why a file does not open.
enum Trouble {
    /// Its bytes are no sound database.
    Damaged(String),
    /// Anything else: for the operator.
    Refused(Problem),
}

/// Opens the database at `path`, at the current version. The second is said where a damaged one was set aside.
pub(super) fn open(path: &Path) -> Result<(Connection, Option<Problem>), Problem> {
    prepare(path)?;
    let fault = match connect(path) {
        Ok(db) => return Ok((db, None)),
        Err(Trouble::Refused(problem)) => return Err(problem),
        Err(Trouble::Damaged(fault)) => fault,
    };
    let aside = set_aside(path)?;
    let notice = Problem::at(path, format!("the database is damaged: {fault}")).help(format!(
        "it was set aside as {} and a new one begun: lifetime counts start again at 0; \
         stop everseed and put a backup in its place to have them back",
        aside.display()
    ));
    prepare(path)?;
    match connect(path) {
        Ok(db) => Ok((db, Some(notice))),
        Err(Trouble::Refused(problem)) => Err(problem),
        Err(Trouble::Damaged(fault)) => {
            Err(Problem::at(path, format!("a new database cannot be made: {fault}")).help("check the disk"))
        }
    }
}

/// Makes the folder, and the file readable for its owner alone: it holds the addresses of people.
fn prepare(path: &Path) -> Result<(), Problem> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| not_writable(path, &error))?;
    }
    let mut options = fs::OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    options.open(path).map(drop).map_err(|error| not_writable(path, &error))
}

fn connect(path: &Path) -> Result<Connection, Trouble> {
    let failed = |error: rusqlite::Error| trouble(path, &error);
    let mut db = Connection::open(path).map_err(failed)?;
    db.busy_timeout(BUSY_WAIT).map_err(failed)?;
    let found: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    let application: i64 = db.query_row("PRAGMA application_id", [], |row| row.get(0)).map_err(failed)?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if application != APPLICATION_ID && (tables > 0 || found != 0) {
        let problem = Problem::at(path, "this is a database of another program")
            .help("name another folder with --data; nothing was changed");
        return Err(Trouble::Refused(problem));
    }
    if found > VERSION {
        let problem = Problem::at(
            path,
            format!("the database is of version {found}, and this everseed knows versions up to {VERSION}"),
        )
        .help("run the newer everseed that wrote it, or name another folder with --data; nothing was changed");
        return Err(Trouble::Refused(problem));
    }
    // Before anything is read that is not needed again.
    db.pragma_update(None, "cache_size", CACHE_KIB).map_err(failed)?;
    let check: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if check != "ok" {
        return Err(Trouble::Damaged(check));
    }
    migrate(&mut db, found).map_err(failed)?;
    Ok(db)
}

/// Lets go of the memory that is not in use; what is needed again is read again.
pub(super) fn rest(db: &Connection) {
    // It frees memory and can't fail otherwise than by doing nothing.
    let _ = db.execute_batch("PRAGMA shrink_memory");
}

/// Sets the journal up and takes the missing steps, all in one transaction. It writes in every case, so that a
/// database that cannot be written is found now and not at the first flush.
fn migrate(db: &mut Connection, found: i64) -> rusqlite::Result<()> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    // In WAL a power cut can lose the last batches but never the file: that is what rule 23 allows.
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "journal_size_limit", JOURNAL_BYTES)?;
    let step = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let taken = usize::try_from(found).unwrap_or(0);
    for sql in STEPS.iter().skip(taken) {
        step.execute_batch(sql)?;
    }
    step.pragma_update(None, "application_id", APPLICATION_ID)?;
    step.pragma_update(None, "user_version", VERSION)?;
    step.commit()
}

fn trouble(path: &Path, error: &rusqlite::Error) -> Trouble {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Trouble::Damaged(error.to_string()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Trouble::Refused(
            Problem::at(path, "the database is in use by another process")
                .help("stop the other everseed, or give this one another folder with --data"),
        ),
        _ => Trouble::Refused(not_writable(path, error)),
    }
}

fn not_writable(path: &Path, error: &dyn std::fmt::Display) -> Problem {
    Problem::at(path, format!("the database cannot be opened for writing: {error}"))
        .help("let the user that runs everseed write to its folder, or name another one with --data")
}

/// Renames the database and its journals to the first free name, and returns it.
fn set_aside(path: &Path) -> Result<PathBuf, Problem> {
    let failed = |error: io::Error| {
        Problem::at(path, format!("the database is damaged and cannot be set aside: {error}"))
            .help("move it out of the way, or name another folder with --data")
    };
    for number in 1..=DAMAGED_KEPT_MAX {
        let aside = with_suffix(path, &format!(".damaged-{number}"));
        if aside.try_exists().map_err(failed)? {
            continue;
        }
        fs::rename(path, &aside).map_err(failed)?;
        for journal in ["-wal", "-shm"] {
            match fs::rename(with_suffix(path, journal), with_suffix(&aside, journal)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        return Ok(aside);
    }
    Err(Problem::at(path, format!("the database is damaged, as {DAMAGED_KEPT_MAX} before it were"))
        .help("check the disk, and remove the files *.damaged-*"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
