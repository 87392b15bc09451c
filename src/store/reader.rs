//! Reading what is kept, beside the writer.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, params};

use super::row;
use crate::event::subscription::{NameFilter, Subscription};
use crate::event::topic::Topic;
use crate::event::{Event, EventId, EventName};

/// How many connections are kept for the next reader.
const KEPT: usize = 4;

/// Connections that only read. Each serves one reader at a time.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default() }
    }

    /// The kept events after one id up to another that match, the oldest first; at most `limit`.
    pub fn read(
        &self,
        after: EventId,
        up_to: EventId,
        subscription: &Subscription,
        limit: usize,
    ) -> rusqlite::Result<Vec<Arc<Event>>> {
        let connection = self.connection()?;
        let span = Span { after, up_to, limit };
        let mut events = Vec::new();
        for topic in subscription.topics() {
            events.extend(span.read(&connection, topic, subscription.names())?);
        }
        // Each topic gave its oldest; so these are the oldest of all.
        events.sort_by_key(|event| event.id);
        events.truncate(limit);
        self.put_back(connection);
        Ok(events)
    }

    fn connection(&self) -> rusqlite::Result<Connection> {
        if let Some(connection) = self.idle.lock().pop() {
            return Ok(connection);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(&self.path, flags)
    }

    fn put_back(&self, connection: Connection) {
        let mut idle = self.idle.lock();
        if idle.len() < KEPT {
            idle.push(connection);
        }
    }
}

/// A stretch of the order.
#[derive(Debug, Clone, Copy)]
struct Span {
    after: EventId,
    up_to: EventId,
    limit: usize,
}

impl Span {
    fn read(
        &self,
        connection: &Connection,
        topic: &Topic,
        names: &NameFilter,
    ) -> rusqlite::Result<Vec<Arc<Event>>> {
        let columns = row::COLUMNS;
        // An empty list means every type.
        let mut query = connection.prepare_cached(&format!(
            "SELECT {columns} FROM event
             WHERE topic = ?1 AND (ms, n) > (?2, ?3) AND (ms, n) <= (?4, ?5)
               AND (?6 IS NULL OR matched IN (SELECT value FROM json_each(?6)))
             ORDER BY ms, n LIMIT ?7"
        ))?;
        let listed = match names {
            NameFilter::All => None,
            NameFilter::Only(names) => {
                let names: Vec<&str> = names.iter().map(EventName::as_str).collect();
                // Names need no escaping, whatever they are.
                Some(format!("[\"{}\"]", names.join("\",\"")))
            }
        };
        let (after, up_to) = (self.after, self.up_to);
        let rows = query.query_map(
            params![
                topic.to_string(),
                after.ms as i64,
                after.n,
                up_to.ms as i64,
                up_to.n,
                listed,
                self.limit as i64
            ],
            row::event,
        )?;
        rows.collect()
    }
}
