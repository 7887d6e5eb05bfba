"""The tables of a store's file, format by format."""

from typing import Final

POINTS: Final = """
    CREATE TABLE series (
        id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, tags TEXT NOT NULL,
        t INTEGER, data BLOB, UNIQUE (source, tags));
    CREATE TABLE journal (id INTEGER PRIMARY KEY, points INTEGER NOT NULL, entries BLOB NOT NULL);
    CREATE TABLE block (
        series INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
        points INTEGER NOT NULL, bytes INTEGER NOT NULL, chunk INTEGER NOT NULL,
        sums BLOB NOT NULL, PRIMARY KEY (series, first)) WITHOUT ROWID;
    CREATE TABLE chunk (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
    CREATE TABLE past (
        series INTEGER NOT NULL, hour INTEGER NOT NULL, field TEXT NOT NULL, sums BLOB NOT NULL,
        sketch BLOB NOT NULL, PRIMARY KEY (series, hour, field)) WITHOUT ROWID;
    CREATE TABLE damage (
        series INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, why TEXT NOT NULL,
        PRIMARY KEY (series, first)) WITHOUT ROWID;
    ALTER TABLE value ADD COLUMN type TEXT NOT NULL DEFAULT 'application/json';
    """
"""Format 3, from 2. `series.t`, `series.data`: its newest point that is in a block, so that it is
found without unpacking one. `block.chunk`: where its bytes are, apart, so that a page that cannot
be read costs only them."""

WITHOUT_READINGS: Final = "DROP TABLE reading; DROP TABLE source;"

STEPS: Final = (
    """
    CREATE TABLE source (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE reading (
        source INTEGER NOT NULL, t INTEGER NOT NULL, seq INTEGER NOT NULL, data BLOB NOT NULL,
        PRIMARY KEY (source, t, seq)) WITHOUT ROWID;
    CREATE TABLE value (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE item (
        n INTEGER PRIMARY KEY, href TEXT NOT NULL UNIQUE, json BLOB NOT NULL);
    CREATE TABLE audit (
        n INTEGER PRIMARY KEY, t INTEGER NOT NULL, total INTEGER NOT NULL,
        blob BLOB NOT NULL, head BLOB NOT NULL);
    CREATE TABLE ended (grant TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    """,
    """
    CREATE TABLE pack (
        last INTEGER PRIMARY KEY, total INTEGER NOT NULL, rows BLOB NOT NULL, head BLOB NOT NULL);
    """,
    POINTS + WITHOUT_READINGS,
)
