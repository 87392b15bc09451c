//! The tables, and how an older database becomes a newer one.

use rusqlite::Connection;

/// What brings a database from each version to the next. The version is how many of these have been
/// applied, kept in `user_version`; a step that has been released is never changed.
const STEPS: &[&str] = &[
    "
    -- The kept events, by their place in the order.
    CREATE TABLE event (
        ms INTEGER NOT NULL,
        n INTEGER NOT NULL,
        topic TEXT NOT NULL,
        name TEXT NOT NULL,
        -- The type that subscriptions are matched against.
        matched TEXT NOT NULL,
        key TEXT,
        terminal INTEGER NOT NULL,
        time_ms INTEGER NOT NULL,
        data TEXT NOT NULL,
        request_key TEXT,
        request_digest BLOB,
        PRIMARY KEY (ms, n)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX event_by_topic ON event (topic, matched, ms, n);

    -- One row: where the log stands.
    CREATE TABLE state (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        -- Every id that was given is at most this.
        last_ms INTEGER NOT NULL,
        last_n INTEGER NOT NULL,
        -- Whether the last process ended in order.
        is_clean INTEGER NOT NULL,
        -- The log begins after this id, and why not earlier.
        begins_ms INTEGER NOT NULL,
        begins_n INTEGER NOT NULL,
        begins_because INTEGER NOT NULL,
        -- What was never kept may be gone up to this id, if it is not listed in `gone`.
        unknown_ms INTEGER NOT NULL,
        unknown_n INTEGER NOT NULL,
        unknown_because INTEGER NOT NULL,
        -- What the log holds.
        events INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    ) STRICT;

    -- What a process that ended in order knew to be gone.
    CREATE TABLE gone (
        topic TEXT NOT NULL,
        name TEXT NOT NULL,
        ms INTEGER NOT NULL,
        n INTEGER NOT NULL,
        because INTEGER NOT NULL,
        PRIMARY KEY (topic, name)
    ) STRICT, WITHOUT ROWID;

    -- Types that the present process has published without waiting for the disk.
    CREATE TABLE unsure (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

    -- Types of which a crash may have taken events up to this id.
    CREATE TABLE crashed (
        name TEXT PRIMARY KEY,
        ms INTEGER NOT NULL,
        n INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    "
    -- The events whose publishers may ask again.
    CREATE INDEX event_by_request ON event (ms, n) WHERE request_key IS NOT NULL;
",
];

/// The version that this program writes.
pub(super) const VERSION: usize = STEPS.len();

/// Which version a database has.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).map(|v| v as usize)
}

/// Brings a database of this version or an older one up to date.
pub(super) fn migrate(transaction: &Connection) -> rusqlite::Result<()> {
    for step in STEPS.iter().skip(version(transaction)?) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION as i64)
}
