-- What everseed wrote with version 1 of the tables.
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
PRAGMA application_id = 0x45565253;
PRAGMA user_version = 1;
INSERT INTO torrent VALUES (7, unhex('0101010101010101010101010101010101010101'), 3, 40, 50, 60);
INSERT INTO peer VALUES (7, unhex('C0000201 1AE1', ' '), zeroblob(20), 1, 0, 5, 6, 1700000000);
INSERT INTO series VALUES (7, 2833333, 1, 2, 3, 40, 50, 60);
INSERT INTO verdict VALUES (unhex('61'), 1, 2, 3, 4, zeroblob(20));
