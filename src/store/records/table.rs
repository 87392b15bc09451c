//! The one table of records, on the writer's connection.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

use super::super::row::parsed;
use super::writer::Name;
use super::{Certainty, Record};

/// The version of the table, kept in `user_version`.
const VERSION: i64 = 1;

const CREATE: &str = "CREATE TABLE IF NOT EXISTS record (
        kind TEXT NOT NULL,
        id TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (kind, id)
    ) STRICT, WITHOUT ROWID";

/// The records on disk.
#[derive(Debug)]
pub(super) struct Table {
    connection: Connection,
    /// How sure the present commits are.
    certainty: Option<Certainty>,
}

impl Table {
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        // Nobody else writes here; who does is in the way for good.
        connection.busy_timeout(std::time::Duration::from_millis(100))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.execute_batch(CREATE)?;
        connection.pragma_update(None, "user_version", VERSION)?;
        Ok(Self { connection, certainty: None })
    }

    /// Every record that a database has which cannot be written to at present.
    pub fn peek(path: &Path) -> rusqlite::Result<Vec<Record>> {
        if path.try_exists().is_ok_and(|exists| !exists) {
            return Ok(Vec::new());
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(std::time::Duration::from_millis(100))?;
        // What several processes would share in a file is in memory then.
        connection.pragma_update(None, "locking_mode", "exclusive")?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let table = Self { connection, certainty: None };
        if version == 0 { Ok(Vec::new()) } else { table.all() }
    }

    /// Every record there is.
    pub fn all(&self) -> rusqlite::Result<Vec<Record>> {
        let mut query = self.connection.prepare("SELECT kind, id, text FROM record")?;
        let rows = query.query_map([], |row| {
            Ok(Record { kind: row.get(0)?, id: parsed(row, 1)?, text: row.get(2)? })
        })?;
        rows.collect()
    }

    /// Writes states in one transaction; none takes the record away.
    pub fn write<'a>(
        &mut self,
        states: impl Iterator<Item = (&'a Name, &'a Option<String>)>,
        certainty: Certainty,
    ) -> rusqlite::Result<()> {
        if self.certainty != Some(certainty) {
            let synchronous = if certainty == Certainty::Power { "full" } else { "normal" };
            self.connection.pragma_update(None, "synchronous", synchronous)?;
            self.certainty = Some(certainty);
        }
        // In the table's own order: neighbours are then written together, and pages filled to the brim.
        let mut states: Vec<_> = states.collect();
        states.sort_unstable_by_key(|(name, _)| *name);
        let transaction = self.connection.transaction()?;
        {
            let mut put = transaction.prepare_cached(
                "INSERT INTO record VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET text = excluded.text",
            )?;
            let mut remove =
                transaction.prepare_cached("DELETE FROM record WHERE kind = ?1 AND id = ?2")?;
            for ((kind, id), text) in states {
                match text {
                    Some(text) => put.execute(params![kind, id.as_str(), text])?,
                    None => remove.execute(params![kind, id.as_str()])?,
                };
            }
        }
        transaction.commit()
    }

    /// A small file for the next start; not being able to is no loss.
    pub fn tidy_up(&self) {
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
}
