//! An event as a row, and back.

use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{CachedStatement, Row, params};

use crate::event::topic::Topic;
use crate::event::{Event, EventData, EventId, EventKey, EventName, Keeping, NewEvent, RequestKey};

/// What every query for events selects, in the order of [`event`].
pub(super) const COLUMNS: &str =
    "ms, n, topic, name, matched, key, terminal, time_ms, data, request_key, request_digest";

/// Writes one event. One that is there already is left alone: a batch may be tried twice.
pub(super) const INSERT: &str = "INSERT OR IGNORE INTO event
    (ms, n, topic, name, matched, key, terminal, time_ms, data, request_key, request_digest)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

/// Writes an event with [`INSERT`]; whether it was not there yet.
pub(super) fn insert(statement: &mut CachedStatement<'_>, event: &Event) -> rusqlite::Result<bool> {
    let body = &event.body;
    let request = body.request.as_deref();
    let written = statement.execute(params![
        event.id.ms as i64,
        event.id.n,
        body.target.to_string(),
        body.name.as_str(),
        body.matched_name().as_str(),
        body.key.as_ref().map(EventKey::as_str),
        body.terminal,
        event.time_ms as i64,
        body.data.as_str(),
        request.map(|request| request.key.as_str()),
        request.map(|request| request.digest.as_slice()),
    ])?;
    Ok(written == 1)
}

/// What an event counts for in the log's size, in bytes: its data, and about what else a row and its index
/// take.
pub(super) fn weight(data_bytes: usize) -> u64 {
    data_bytes as u64 + 200
}

/// The event of a row that selects [`COLUMNS`].
pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<Arc<Event>> {
    let name: EventName = parsed(row, 3)?;
    let matched: EventName = parsed(row, 4)?;
    let text: String = row.get(8)?;
    let data = EventData::from_json(&text, 0).map_err(|error| broken(8, error))?;
    let body = NewEvent {
        matched_as: (matched != name).then_some(matched),
        key: row.get::<_, Option<String>>(5)?.map(|key| EventKey::new(&key)),
        terminal: row.get(6)?,
        keeping: Keeping::Kept,
        request: request(row)?,
        ..NewEvent::new(parsed::<Topic>(row, 2)?, name, data)
    };
    let event = Event::new(id(row, 0)?, row.get::<_, i64>(7)? as u64, body);
    event.note_stored();
    Ok(Arc::new(event))
}

/// The id in two neighbouring columns.
pub(super) fn id(row: &Row<'_>, first: usize) -> rusqlite::Result<EventId> {
    Ok(EventId { ms: row.get::<_, i64>(first)? as u64, n: row.get(first + 1)? })
}

fn request(row: &Row<'_>) -> rusqlite::Result<Option<Box<RequestKey>>> {
    let key: Option<String> = row.get(9)?;
    let digest: Option<[u8; 32]> = row.get(10)?;
    Ok(key.zip(digest).map(|(key, digest)| Box::new(RequestKey { key, digest })))
}

/// A column whose text must be valid.
pub(super) fn parsed<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error| broken(column, error))
}

fn broken(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
