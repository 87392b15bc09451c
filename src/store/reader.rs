//! Reading what is kept, beside the writer.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::row;
use crate::event::subscription::{NameFilter, Subscription};
use crate::event::{Event, EventId, EventName};
use crate::hub::Page;

/// How many read at the same time; the others wait for one of them. Each has pages in memory, and when
/// a server comes back, thousands of clients do.
const READERS: usize = 4;

/// A piece is no larger than this, but for its last event: a client that comes back may be owed a lot.
const PAGE_BYTES: usize = 4 << 20;

/// Connections that only read. Each serves one reader at a time.
#[derive(Debug)]
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Idle>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct Idle {
    connections: Vec<Connection>,
    /// How many are in use.
    lent: usize,
}

impl Readers {
    pub fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::default(), returned: Condvar::new() }
    }

    /// The kept events after one id up to another that match, the oldest first; at most `limit`. It
    /// costs what it returns, and a look at the index for each topic and type.
    pub fn read(
        &self,
        after: EventId,
        up_to: EventId,
        subscription: &Subscription,
        limit: usize,
    ) -> rusqlite::Result<Page> {
        self.with(|connection| {
            Span { after, up_to, limit, ids: Vec::new() }.read(connection, subscription)
        })
    }

    /// The kept event with this id.
    pub fn find(&self, id: EventId) -> rusqlite::Result<Option<Arc<Event>>> {
        let columns = row::COLUMNS;
        self.with(|connection| {
            let mut query = connection
                .prepare_cached(&format!("SELECT {columns} FROM event WHERE ms = ?1 AND n = ?2"))?;
            query.query_row(params![id.ms as i64, id.n], row::event).optional()
        })
    }

    fn with<T>(
        &self,
        read: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let (connection, outcome) = match self.lend() {
            Ok(mut connection) => {
                let outcome = read(&mut connection);
                (Some(connection), outcome)
            }
            Err(error) => (None, Err(error)),
        };
        let mut idle = self.idle.lock();
        idle.lent -= 1;
        // One that has failed is not used again.
        idle.connections.extend(connection.filter(|_| outcome.is_ok()));
        self.returned.notify_one();
        outcome
    }

    fn lend(&self) -> rusqlite::Result<Connection> {
        let mut idle = self.idle.lock();
        while idle.lent >= READERS {
            self.returned.wait(&mut idle);
        }
        idle.lent += 1;
        if let Some(connection) = idle.connections.pop() {
            return Ok(connection);
        }
        drop(idle);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(&self.path, flags)
    }
}

/// A stretch of the order, and what was found in it so far.
#[derive(Debug)]
struct Span {
    after: EventId,
    /// What is later is not wanted; it comes nearer when there are enough before it.
    up_to: EventId,
    limit: usize,
    ids: Vec<EventId>,
}

impl Span {
    /// First the ids, from the index alone, then the events that they belong to, in one view of the
    /// database.
    fn read(
        mut self,
        connection: &mut Connection,
        subscription: &Subscription,
    ) -> rusqlite::Result<Page> {
        let view = connection.transaction()?;
        for topic in subscription.topics() {
            let topic = topic.to_string();
            match subscription.names() {
                NameFilter::Only(names) => {
                    for name in names.iter().map(EventName::as_str) {
                        self.look(&view, &topic, name)?;
                    }
                }
                NameFilter::All => {
                    let mut next = next_name(&view, &topic, "")?;
                    while let Some(name) = next {
                        self.look(&view, &topic, &name)?;
                        next = next_name(&view, &topic, &name)?;
                    }
                }
            }
        }
        let columns = row::COLUMNS;
        let by_id = format!("SELECT {columns} FROM event WHERE ms = ?1 AND n = ?2");
        let mut by_id = view.prepare_cached(&by_id)?;
        let mut page = Page { events: Vec::new(), complete_to: self.up_to };
        let mut bytes = 0;
        for id in &self.ids {
            let event = by_id.query_row(params![id.ms as i64, id.n], row::event)?;
            bytes += event.weight();
            page.events.push(event);
            if bytes >= PAGE_BYTES {
                page.complete_to = *id;
                break;
            }
        }
        Ok(page)
    }

    /// Adds what there is of one topic and type.
    fn look(&mut self, view: &Connection, topic: &str, name: &str) -> rusqlite::Result<()> {
        let mut query = view.prepare_cached(
            "SELECT ms, n FROM event WHERE topic = ?1 AND matched = ?2
               AND (ms, n) > (?3, ?4) AND (ms, n) <= (?5, ?6)
             ORDER BY ms, n LIMIT ?7",
        )?;
        let (after, up_to, limit) = (self.after, self.up_to, self.limit as i64);
        let span = params![topic, name, after.ms as i64, after.n, up_to.ms as i64, up_to.n, limit];
        for id in query.query_map(span, |row| row::id(row, 0))? {
            self.ids.push(id?);
        }
        self.ids.sort_unstable();
        self.ids.truncate(self.limit);
        if let Some(last) = self.ids.last().filter(|_| self.ids.len() == self.limit) {
            self.up_to = *last;
        }
        Ok(())
    }
}

/// The first type after `name` of which there is something for a topic.
fn next_name(view: &Connection, topic: &str, name: &str) -> rusqlite::Result<Option<String>> {
    let mut query =
        view.prepare_cached("SELECT min(matched) FROM event WHERE topic = ?1 AND matched > ?2")?;
    query.query_row([topic, name], |row| row.get(0))
}
