"""The arbiter's tables, in the database it shares with the ledger."""

from typing import Final

# AUTOINCREMENT on grants: the number of a deleted or rolled-back grant must not come back, since
# tokens name their grant.
STEPS: Final = (
    """
    CREATE TABLE arbiter_record (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, type TEXT,
        key_digest BLOB, fields TEXT NOT NULL, secret TEXT);
    CREATE INDEX arbiter_record_key ON arbiter_record (key_digest);
    CREATE TABLE arbiter_grant (
        id INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, target TEXT NOT NULL,
        body TEXT NOT NULL, routes TEXT NOT NULL, until INTEGER, ended INTEGER,
        last_used INTEGER);
    CREATE INDEX arbiter_grant_client ON arbiter_grant (client, target) WHERE ended IS NULL;
    CREATE INDEX arbiter_grant_ended ON arbiter_grant (target) WHERE ended IS NOT NULL;
    CREATE TABLE arbiter_epoch (target TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE arbiter_owner (
        id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL, passphrase TEXT NOT NULL,
        recovery TEXT NOT NULL);
    CREATE TABLE arbiter_tries (
        what TEXT PRIMARY KEY, wrong INTEGER NOT NULL, next INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE arbiter_session (
        digest TEXT PRIMARY KEY, operator INTEGER NOT NULL, thumbprint TEXT NOT NULL,
        made INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE arbiter_clock (id INTEGER PRIMARY KEY CHECK (id = 1), mark INTEGER NOT NULL);
    """,
)
