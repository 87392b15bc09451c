//! Summaries come, and go.
//!
//! There is one row for what a session sees of a content, or everyone of a shared one: who asks for the same
//! again gets it under a new id, at the top, and the former id still leads to it. So does the id of what a
//! refreshed summary has taken the place of.

use std::mem;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::room::{drop_aged, drop_summary, forget, make_room};
use super::{
    Added, KeptSummary, Library, LibraryError, Made, NewSummary, SummarySource, cache, search,
};
use crate::event::topic::Identifier;

/// The columns of a summary with those of its content, in the order that [`kept`] reads.
pub(super) const COLUMNS: &str = "s.id, s.session, s.is_shared, s.title, s.playlist, s.video, \
     s.language, s.source, s.created_ms, c.model, c.total_sentences, c.total_words";

/// How many these are.
pub(super) const KEPT_COLUMNS: usize = 12;

impl Library {
    /// Keeps a summary; the oldest may have to make room. None if what was found for it is gone since then: it
    /// has to be made after all.
    pub fn add(&self, new: &NewSummary) -> Result<Option<Added>, LibraryError> {
        let now_ms = self.0.clock.unix_ms();
        let limits = &self.0.limits;
        // Before anybody has to wait for the connection.
        let cues = match &new.made {
            Made::Found => None,
            Made::Written(_, transcript) => Some(cache::deflate(transcript)?),
        };
        let added = self.0.connections.write(|transaction| {
            if let Some(cues) = &cues {
                cache::put_transcript(transaction, new.key.transcript, cues, now_ms)?;
            }
            let (content, source) = match &new.made {
                // By its key: the number of what is gone is given again, perhaps to what is not everyone's.
                Made::Found => {
                    match cache::find_content(transaction, &new.key, limits.aged_ms(now_ms))? {
                        None => return Ok(None),
                        Some(content) => (content.number, SummarySource::Cache),
                    }
                }
                Made::Written(written, _) => {
                    let content = cache::put_content(transaction, &new.key, written, now_ms)?;
                    (content, SummarySource::Generated)
                }
            };
            let former = take_former(transaction, new, content)?;
            // Who asks for a video by itself does not take it out of its playlist.
            let playlist = new.playlist.as_ref().or(former.playlist.as_ref());
            let origin = Origin { content, source, playlist, now_ms };
            let number = insert(transaction, new, &origin)?;
            for id in former.ids {
                let put = "INSERT OR REPLACE INTO former (id, summary) VALUES (?1, ?2)";
                transaction.execute(put, params![id, number])?;
            }
            search::index(transaction, number)?;
            let evicted = make_room(transaction, limits, number, now_ms)?;
            let summary = find(transaction, number)?;
            let lost = || LibraryError::Database("a summary is gone that was just kept".into());
            Ok::<_, LibraryError>(Some(Added { summary: summary.ok_or_else(lost)?, evicted }))
        })?;
        let evicted = added.as_ref().map_or(0, |added| added.evicted.len());
        self.0.evictions.fetch_add(evicted as u64, Ordering::Relaxed);
        Ok(added)
    }

    /// Takes the summaries away that are too old, before somebody looks. On a disk that takes nothing they stay.
    pub(super) fn let_age(&self) {
        if self.0.limits.summary_age.is_zero() {
            return;
        }
        let aged_ms = self.0.limits.aged_ms(self.0.clock.unix_ms());
        let has_aged = |connection: &Connection| {
            let mut query = connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM content WHERE made_ms <= ?1)")?;
            query.query_row([aged_ms], |row| row.get(0))
        };
        let aged = match self.0.connections.read(has_aged) {
            Ok(true) => self.0.connections.write(|transaction| drop_aged(transaction, aged_ms)),
            Ok(false) => return,
            Err(error) => Err(error),
        };
        match aged {
            Ok(aged) => {
                self.0.evictions.fetch_add(aged.len() as u64, Ordering::Relaxed);
                self.0.aged.lock().extend(aged);
            }
            Err(error) => log::warn!("summaries that are too old are still there: {error}"),
        }
    }

    /// The summaries that have gone because of their age since this was asked last.
    pub fn take_aged(&self) -> Vec<KeptSummary> {
        mem::take(&mut *self.0.aged.lock())
    }

    /// Takes a summary away: one's own, or a shared one, whoever asks (there are no rights among people yet).
    /// None if the viewer sees no such summary.
    pub fn remove(
        &self,
        viewer: &Identifier,
        id: &Identifier,
    ) -> Result<Option<KeptSummary>, LibraryError> {
        self.0.connections.write(|transaction| {
            let Some(number) = visible(transaction, viewer, id)? else { return Ok(None) };
            let summary = find(transaction, number)?;
            drop_summary(transaction, number)?;
            Ok(summary)
        })
    }
}

/// The number of the summary that the viewer sees under this id, or under one that it had.
pub(super) fn visible(
    connection: &Connection,
    viewer: &Identifier,
    id: &Identifier,
) -> rusqlite::Result<Option<i64>> {
    let mut query = connection.prepare_cached(
        "SELECT number FROM summary WHERE (is_shared = 1 OR session = ?2) AND number = coalesce(
             (SELECT number FROM summary WHERE id = ?1),
             (SELECT summary FROM former WHERE id = ?1))",
    )?;
    query.query_row([id.as_str(), viewer.as_str()], |row| row.get(0)).optional()
}

/// A summary by its number.
pub(super) fn find(connection: &Connection, number: i64) -> rusqlite::Result<Option<KeptSummary>> {
    let mut query = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM summary s JOIN content c ON c.number = s.content WHERE s.number = ?1"
    ))?;
    query.query_row([number], kept).optional()
}

/// A summary in a row that begins with [`COLUMNS`].
pub(super) fn kept(row: &Row<'_>) -> rusqlite::Result<KeptSummary> {
    let identifier = |index: usize| -> rusqlite::Result<Identifier> {
        let text: String = row.get(index)?;
        text.parse().map_err(|error| {
            let kind = rusqlite::types::Type::Text;
            rusqlite::Error::FromSqlConversionFailure(index, kind, Box::new(error))
        })
    };
    let video = match row.get_ref(5)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(cache::json(row, 5)?),
    };
    let source: String = row.get(7)?;
    Ok(KeptSummary {
        id: identifier(0)?,
        session: identifier(1)?,
        is_shared: row.get(2)?,
        title: row.get(3)?,
        playlist: row.get(4)?,
        video,
        language: row.get(6)?,
        source: if source == "cache" { SummarySource::Cache } else { SummarySource::Generated },
        created_ms: row.get::<_, i64>(8)? as u64,
        model: row.get(9)?,
        total_sentences: row.get::<_, i64>(10)? as usize,
        total_words: row.get::<_, i64>(11)? as usize,
    })
}

/// What a summary was before somebody asked for the same again.
#[derive(Debug, Default)]
struct Former {
    ids: Vec<String>,
    playlist: Option<String>,
}

/// Takes away the rows that those who will see the new summary have of what it takes the place of; returns what
/// they were.
fn take_former(
    transaction: &Transaction<'_>,
    new: &NewSummary,
    content: i64,
) -> rusqlite::Result<Former> {
    let mut query = transaction.prepare_cached(
        "SELECT number, id, playlist, content FROM summary
         WHERE is_shared = ?1 AND (?1 OR session = ?2) AND content IN
         (SELECT number FROM content WHERE subject = ?3 AND model = ?4 AND language = ?5
          AND (?6 OR transcript = ?7))
         ORDER BY number",
    )?;
    let key = &new.key;
    let values = params![
        new.is_shared,
        new.session.as_str(),
        key.subject,
        key.model,
        key.language,
        new.is_refreshed,
        key.transcript.bytes(),
    ];
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let rows: Vec<(i64, String, Option<String>, i64)> =
        query.query_map(values, row)?.collect::<Result<_, _>>()?;
    let mut former = Former::default();
    for (number, id, playlist, of) in rows {
        former.ids.extend(former_ids(transaction, number)?);
        former.ids.push(id);
        former.playlist = playlist.or(former.playlist);
        if of == content {
            forget(transaction, number)?;
        } else {
            drop_summary(transaction, number)?;
        }
    }
    Ok(former)
}

/// The ids that a summary had before; of whoever asks again and again, a few.
fn former_ids(transaction: &Transaction<'_>, number: i64) -> rusqlite::Result<Vec<String>> {
    let mut query =
        transaction.prepare_cached("SELECT id FROM former WHERE summary = ?1 LIMIT ?2")?;
    query.query_map([number, MAX_FORMER], |row| row.get(0))?.collect()
}

/// So many former ids lead to a summary.
const MAX_FORMER: i64 = 20;

/// Where a summary comes from.
struct Origin<'a> {
    content: i64,
    source: SummarySource,
    playlist: Option<&'a String>,
    now_ms: u64,
}

fn insert(
    transaction: &Transaction<'_>,
    new: &NewSummary,
    origin: &Origin<'_>,
) -> Result<i64, LibraryError> {
    let video = new.video.as_ref().map(serde_json::to_string).transpose();
    let video = video.map_err(|error| LibraryError::Database(error.to_string()))?;
    let source = if origin.source == SummarySource::Cache { "cache" } else { "generated" };
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO summary
         (id, session, is_shared, title, playlist, video, language, source, content, created_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING number",
    )?;
    let values = params![
        new.id.as_str(),
        new.session.as_str(),
        new.is_shared,
        new.title,
        origin.playlist,
        video,
        new.language,
        source,
        origin.content,
        origin.now_ms as i64,
    ];
    Ok(insert.query_row(values, |row| row.get(0))?)
}
