//! What the log tells a process that begins.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::params;

use super::{EventLog, reason};
use crate::event::{Event, EventId, EventName, RequestKey};
use crate::hub::{Asked, Gone, Past};
use crate::store::row;

/// How much of the log a process takes into its memory when it begins.
#[derive(Debug, Clone, Copy)]
pub struct Recent {
    /// For the hub's history: not older than this; zero: nothing.
    pub age: Duration,
    /// At most so many; zero: no limit.
    pub events: usize,
    /// At most so many bytes; zero: no limit.
    pub bytes: usize,
    /// The names of requests not older than this, whatever the history holds; zero: none.
    pub request_age: Duration,
    /// At most so many names; zero: no limit.
    pub requests: usize,
}

impl EventLog {
    /// What a hub that goes on after `last` is told.
    pub fn past(&self, last: EventId, recent: Recent, unix_ms: u64) -> rusqlite::Result<Past> {
        let mut past = self.connection.query_row(
            "SELECT begins_ms, begins_n, begins_because, unknown_ms, unknown_n, unknown_because
             FROM state",
            [],
            |row| {
                let begins = (row::id(row, 0)?, reason(row.get(2)?));
                let unknown = (row::id(row, 3)?, reason(row.get(5)?));
                let (unknown_up_to, unknown_because) =
                    if unknown.0 > begins.0 { unknown } else { begins };
                Ok(Past { last, unknown_up_to, unknown_because, ..Past::default() })
            },
        )?;
        past.gone = self.gone()?;
        past.lost = self.crashed()?;
        (past.recent, past.recent_after) = self.recent(recent, unix_ms)?;
        past.asked = self.asked(recent, unix_ms)?;
        Ok(past)
    }

    fn gone(&self) -> rusqlite::Result<Vec<Gone>> {
        let mut query = self.connection.prepare("SELECT topic, name, ms, n, because FROM gone")?;
        let rows = query.query_map([], |row| {
            Ok(Gone {
                topic: row::parsed(row, 0)?,
                name: row::parsed(row, 1)?,
                id: row::id(row, 2)?,
                reason: reason(row.get(4)?),
            })
        })?;
        rows.collect()
    }

    fn crashed(&self) -> rusqlite::Result<Vec<(EventName, EventId)>> {
        let mut query = self.connection.prepare("SELECT name, ms, n FROM crashed")?;
        let rows = query.query_map([], |row| Ok((row::parsed(row, 0)?, row::id(row, 1)?)))?;
        rows.collect()
    }

    /// The newest events within bounds, the oldest first, and the id of the newest one before them.
    fn recent(&self, bounds: Recent, unix_ms: u64) -> rusqlite::Result<(Vec<Arc<Event>>, EventId)> {
        let columns = row::COLUMNS;
        let sql = format!("SELECT {columns} FROM event ORDER BY ms DESC, n DESC");
        let mut query = self.connection.prepare(&sql)?;
        let mut rows = query.query([])?;
        let (mut events, mut bytes) = (Vec::new(), 0);
        let mut recent_after = EventId::default();
        while let Some(row) = rows.next()? {
            let event = row::event(row)?;
            bytes += event.weight();
            let age = Duration::from_millis(unix_ms.saturating_sub(event.time_ms));
            let is_beyond = |value, limit| limit != 0 && value > limit;
            if age >= bounds.age
                || is_beyond(events.len() + 1, bounds.events)
                || is_beyond(bytes, bounds.bytes)
            {
                recent_after = event.id;
                break;
            }
            events.push(event);
        }
        events.reverse();
        Ok((events, recent_after))
    }

    /// The requests of late that have a name, the oldest first.
    fn asked(&self, bounds: Recent, unix_ms: u64) -> rusqlite::Result<Vec<Asked>> {
        let age_ms = bounds.request_age.as_millis() as u64;
        let since_ms = unix_ms.saturating_sub(age_ms);
        let most = if bounds.requests == 0 { i64::MAX } else { bounds.requests as i64 };
        let mut query = self.connection.prepare(
            "SELECT ms, n, time_ms, request_key, request_digest
             FROM event INDEXED BY event_by_request
             WHERE request_key IS NOT NULL AND ms >= ?1 ORDER BY ms DESC, n DESC LIMIT ?2",
        )?;
        let rows = query.query_map(params![since_ms as i64, most], |row| {
            Ok(Asked {
                id: row::id(row, 0)?,
                time_ms: row.get::<_, i64>(2)? as u64,
                request: RequestKey { key: row.get(3)?, digest: row.get(4)? },
            })
        })?;
        let mut asked = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        asked.retain(|asked| unix_ms.saturating_sub(asked.time_ms) < age_ms);
        asked.reverse();
        Ok(asked)
    }
}
