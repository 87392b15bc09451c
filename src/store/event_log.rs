//! The event log in its database: what is written, what is known at the start, what is let go.
//!
//! Everything here happens on one connection, that of the writer thread. Each method is one
//! transaction: it happens wholly or not at all.

// What is read at the start.
mod past;

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, params};

pub use self::past::Recent;

use super::row;
use super::schema;
use crate::event::{Event, EventId, EventName};
use crate::hub::{GapReason, Remains};

/// The event log, as its writer uses it.
#[derive(Debug)]
pub(super) struct EventLog {
    connection: Connection,
    /// It was begun when it was opened.
    is_new: bool,
    /// Whether a commit waits until the disk has it.
    is_synced: bool,
    size: Size,
}

/// What the log holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub events: u64,
    /// By [`row::weight`].
    pub bytes: u64,
}

/// What is written in one go.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub events: Vec<Arc<Event>>,
    /// Types that are from now on published without waiting.
    pub unsure: Vec<EventName>,
    /// Ids may be given up to this millisecond.
    pub reserve_ms: Option<u64>,
}

/// Up to where the log was let go of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub up_to: EventId,
    pub reason: GapReason,
    freed: Size,
}

/// Beyond so many types that were published without waiting, all types count as such.
pub(super) const MAX_UNSURE: usize = 4_096;

/// How many events one transaction lets go of, so that what waits to be written waits shortly.
const TRIM_EVENTS: usize = 1_500;

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.unsure.is_empty() && self.reserve_ms.is_none()
    }
}

impl EventLog {
    /// Opens the log, brings its tables up to date, and begins an empty one after `now`.
    pub fn open(path: &Path, now: EventId) -> rusqlite::Result<Self> {
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.set_prepared_statement_cache_capacity(32);
        let transaction = connection.transaction()?;
        schema::migrate(&transaction)?;
        let begun = transaction.execute(
            "INSERT OR IGNORE INTO state VALUES (1, ?1, ?2, 1, ?1, ?2, ?3, ?1, ?2, ?3, 0, 0)",
            params![now.ms as i64, now.n, number(GapReason::Restart)],
        )?;
        transaction.commit()?;
        let size = size(&connection)?;
        Ok(Self { connection, is_new: begun > 0, is_synced: true, size })
    }

    /// Opens the log to look into it, on a disk that may take nothing: whatever is done to it is undone
    /// when it is dropped. None: there is no log.
    pub fn peek(path: &Path) -> rusqlite::Result<Option<Self>> {
        if !path.try_exists().is_ok_and(|exists| !exists) {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(path, flags)?;
            // What several processes would share in a file is in memory then.
            connection.pragma_update(None, "locking_mode", "exclusive")?;
            connection.pragma_update(None, "temp_store", "memory")?;
            connection.pragma_update(None, "cache_spill", false)?;
            connection.execute_batch("BEGIN")?;
            if schema::version(&connection)? > 0 {
                schema::migrate(&connection)?;
                let size = size(&connection)?;
                return Ok(Some(Self { connection, is_new: false, is_synced: true, size }));
            }
        }
        Ok(None)
    }

    /// Whether there was none before.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// What the log holds.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Whether the last process ended in order.
    pub fn is_clean(&self) -> rusqlite::Result<bool> {
        self.connection.query_row("SELECT is_clean FROM state", [], |row| row.get(0))
    }

    /// Every id that was given is at most this one; before [`Self::begin`], by the process before.
    pub fn last(&self) -> rusqlite::Result<EventId> {
        self.connection.query_row("SELECT last_ms, last_n FROM state", [], |row| row::id(row, 0))
    }

    /// Looks for damage, in a file that may have been left in the middle of something.
    pub fn is_whole(&self) -> rusqlite::Result<bool> {
        let verdict: String =
            self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok(verdict == "ok")
    }

    /// Begins the life of a process: until [`Self::end`] it counts as crashed. What an earlier one that
    /// crashed was not sure of becomes what may be lost.
    pub fn begin(&mut self, reserve_ms: u64) -> rusqlite::Result<()> {
        let was_clean = self.is_clean()?;
        let transaction = self.connection.savepoint()?;
        if !was_clean {
            transaction.execute(
                "INSERT OR REPLACE INTO crashed SELECT name, last_ms, last_n FROM unsure, state",
                [],
            )?;
            // Too many to be listed: any type may be concerned.
            transaction.execute(
                "UPDATE state SET unknown_ms = last_ms, unknown_n = last_n, unknown_because = ?1
                 WHERE (SELECT count(*) FROM unsure) > ?2",
                params![number(GapReason::Restart), MAX_UNSURE as i64],
            )?;
        }
        transaction.execute("DELETE FROM unsure", [])?;
        transaction.execute(
            "DELETE FROM crashed WHERE (ms, n) <= (SELECT begins_ms, begins_n FROM state)",
            [],
        )?;
        reserve(&transaction, reserve_ms)?;
        transaction.execute("UPDATE state SET is_clean = 0", [])?;
        transaction.commit()
    }

    /// Anything may have been published up to there.
    pub fn know_nothing(&mut self, up_to_ms: u64) -> rusqlite::Result<()> {
        let transaction = self.connection.savepoint()?;
        transaction.execute(
            "UPDATE state SET last_ms = max(last_ms, ?1), last_n = ?2",
            params![up_to_ms as i64, u32::MAX],
        )?;
        transaction.execute(
            "UPDATE state SET unknown_ms = last_ms, unknown_n = last_n, unknown_because = ?1",
            params![number(GapReason::Restart)],
        )?;
        transaction.commit()
    }

    /// After which id the log begins, and why not earlier.
    pub fn begins_after(&self) -> rusqlite::Result<(EventId, GapReason)> {
        self.connection.query_row(
            "SELECT begins_ms, begins_n, begins_because FROM state",
            [],
            |row| Ok((row::id(row, 0)?, reason(row.get(2)?))),
        )
    }

    /// Writes a batch. With `sync` it is on the disk afterwards, else with the operating system, which
    /// survives a crash of this process.
    pub fn write(&mut self, batch: &Batch, sync: bool) -> rusqlite::Result<()> {
        if self.is_synced != sync {
            let level = if sync { "full" } else { "normal" };
            self.connection.pragma_update(None, "synchronous", level)?;
            self.is_synced = sync;
        }
        let mut size = self.size;
        let transaction = self.connection.transaction()?;
        {
            let mut statement = transaction.prepare_cached(row::INSERT)?;
            for event in &batch.events {
                if row::insert(&mut statement, event)? {
                    size.events += 1;
                    size.bytes += row::weight(event.body.data.as_str().len());
                }
            }
        }
        for name in &batch.unsure {
            transaction.execute("INSERT OR IGNORE INTO unsure VALUES (?1)", [name.as_str()])?;
        }
        if let Some(reserve_ms) = batch.reserve_ms {
            reserve(&transaction, reserve_ms)?;
        }
        note_size(&transaction, size)?;
        transaction.commit()?;
        self.size = size;
        Ok(())
    }

    /// What is to be let go of first, if there is anything: what is older than `oldest_ms`, and what
    /// passes `max_bytes` (zero: no limit).
    pub fn overdue(&self, oldest_ms: u64, max_bytes: u64) -> rusqlite::Result<Option<Cut>> {
        let mut query = self.connection.prepare_cached(
            "SELECT ms, n, octet_length(data) FROM event ORDER BY ms, n LIMIT ?1",
        )?;
        let mut rows = query.query([TRIM_EVENTS as i64])?;
        let mut cut: Option<Cut> = None;
        let mut freed = Size::default();
        while let Some(row) = rows.next()? {
            let id = row::id(row, 0)?;
            let is_too_much =
                max_bytes != 0 && self.size.bytes - freed.bytes.min(self.size.bytes) > max_bytes;
            let reason = match () {
                () if id.ms < oldest_ms => GapReason::Expired,
                () if is_too_much => GapReason::Overflow,
                () => break,
            };
            freed.events += 1;
            freed.bytes += row::weight(row.get::<_, i64>(2)? as usize);
            cut = Some(Cut { up_to: id, reason, freed });
        }
        Ok(cut)
    }

    /// Lets go of everything up to there.
    pub fn trim(&mut self, cut: Cut) -> rusqlite::Result<()> {
        let Cut { up_to, reason, freed } = cut;
        let size = Size {
            events: self.size.events.saturating_sub(freed.events),
            bytes: self.size.bytes.saturating_sub(freed.bytes),
        };
        let transaction = self.connection.transaction()?;
        transaction
            .prepare_cached("DELETE FROM event WHERE (ms, n) <= (?1, ?2)")?
            .execute(params![up_to.ms as i64, up_to.n])?;
        transaction
            .prepare_cached(
                "UPDATE state SET begins_ms = ?1, begins_n = ?2, begins_because = ?3
                 WHERE (begins_ms, begins_n) < (?1, ?2)",
            )?
            .execute(params![up_to.ms as i64, up_to.n, number(reason)])?;
        note_size(&transaction, size)?;
        transaction.commit()?;
        self.size = size;
        Ok(())
    }

    /// Ends the life of a process in order: its successor need not guess.
    pub fn end(&mut self, remains: &Remains) -> rusqlite::Result<()> {
        // Before its begin the log has gaps anyway; nothing comes back there.
        let (begins, _) = self.begins_after()?;
        let events = remains.unstored.iter().filter(|event| event.id > begins).cloned().collect();
        self.write(&Batch { events, ..Batch::default() }, true)?;
        let transaction = self.connection.transaction()?;
        transaction.execute("DELETE FROM gone", [])?;
        for gone in &remains.gone {
            transaction.prepare_cached("INSERT INTO gone VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(
                params![
                    gone.topic.to_string(),
                    gone.name.as_str(),
                    gone.id.ms as i64,
                    gone.id.n,
                    number(gone.reason)
                ],
            )?;
        }
        if let Some((id, reason)) = remains.gone_up_to {
            transaction.execute(
                "UPDATE state SET unknown_ms = ?1, unknown_n = ?2, unknown_because = ?3",
                params![id.ms as i64, id.n, number(reason)],
            )?;
        }
        transaction.execute("DELETE FROM unsure", [])?;
        transaction.execute(
            "UPDATE state SET is_clean = 1, last_ms = ?1, last_n = ?2",
            params![remains.last.ms as i64, remains.last.n],
        )?;
        transaction.commit()?;
        // A small file for the next start; not being able to is no loss.
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        Ok(())
    }

    /// Lets the database grow no further than to so many pages, as a full disk does.
    #[cfg(test)]
    pub fn limit_pages(&self, pages: u32) {
        self.connection.pragma_update(None, "max_page_count", pages).unwrap();
    }
}

fn size(connection: &Connection) -> rusqlite::Result<Size> {
    connection.query_row("SELECT events, bytes FROM state", [], |row| {
        let number = |column| row.get::<_, i64>(column).map(|number| number.max(0) as u64);
        Ok(Size { events: number(0)?, bytes: number(1)? })
    })
}

/// From here on every id is at most the last one of this millisecond.
fn reserve(transaction: &Connection, ms: u64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE state SET last_ms = max(last_ms, ?1), last_n = ?2")?
        .execute(params![ms as i64, u32::MAX])
        .map(drop)
}

fn note_size(transaction: &Connection, size: Size) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("UPDATE state SET events = ?1, bytes = ?2")?
        .execute(params![size.events as i64, size.bytes as i64])
        .map(drop)
}

fn number(reason: GapReason) -> u8 {
    match reason {
        GapReason::Expired => 0,
        GapReason::Overflow => 1,
        GapReason::Restart => 2,
    }
}

fn reason(number: u8) -> GapReason {
    match number {
        0 => GapReason::Expired,
        1 => GapReason::Overflow,
        _ => GapReason::Restart,
    }
}
