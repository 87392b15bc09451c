//! Summaries come, and the oldest make room.
//!
//! There is one row for what a session sees of a content, or everyone of a shared one: who asks for the same
//! again gets it under a new id, at the top, and the former id still leads to it.

use std::mem;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, OptionalExtension, Row, Statement, Transaction, params};

use super::{
    Added, KeptSummary, Library, LibraryError, Limits, Made, NewSummary, SummarySource, cache,
    search, uploads,
};
use crate::event::topic::Identifier;
use crate::publish::summarizer::transcript::Fingerprint;

/// The columns of a summary with those of its content, in the order that [`kept`] reads.
pub(super) const COLUMNS: &str = "s.id, s.session, s.is_shared, s.title, s.playlist, s.video, \
     s.language, s.source, s.created_ms, c.model, c.total_sentences, c.total_words";

/// How many these are.
pub(super) const KEPT_COLUMNS: usize = 12;

/// What the library holds.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub summaries: u64,
    pub summary_bytes: u64,
    pub transcript_bytes: u64,
    pub upload_bytes: u64,
}

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

/// Takes away the row that those who will see the new summary have of the same content; returns what it was.
fn take_former(
    transaction: &Transaction<'_>,
    new: &NewSummary,
    content: i64,
) -> rusqlite::Result<Former> {
    let mut query = transaction.prepare_cached(
        "SELECT number, id, playlist FROM summary
         WHERE content = ?1 AND is_shared = ?2 AND (?2 OR session = ?3)",
    )?;
    let values = params![content, new.is_shared, new.session.as_str()];
    let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get(2)?));
    let Some((number, id, playlist)) = query.query_row(values, row).optional()? else {
        return Ok(Former::default());
    };
    let mut query = transaction.prepare_cached("SELECT id FROM former WHERE summary = ?1")?;
    let mut ids: Vec<String> =
        query.query_map([number], |row| row.get(0))?.collect::<Result<_, _>>()?;
    // Of whoever asks again and again, the latest few.
    ids.truncate(MAX_FORMER);
    ids.push(id);
    forget(transaction, number)?;
    Ok(Former { ids, playlist })
}

/// So many former ids lead to a summary.
const MAX_FORMER: usize = 20;

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

/// Lets the oldest go until what is left is within the limits; the newest stays. Returns those that went.
fn make_room(
    transaction: &Transaction<'_>,
    limits: &Limits,
    newest: i64,
    now_ms: u64,
) -> rusqlite::Result<Vec<KeptSummary>> {
    let mut evicted = drop_aged(transaction, limits.aged_ms(now_ms))?;
    let is_over = |totals: &Totals| {
        let over = |is: u64, limit: usize| limit != 0 && is > limit as u64;
        over(totals.summaries, limits.max_summaries)
            || over(totals.summary_bytes, limits.max_summary_bytes)
            || over(totals.transcript_bytes, limits.max_transcript_bytes)
    };
    drop_stale_videos(transaction, limits, now_ms)?;
    // First those that are only there in case they are asked for: what is too much then is of summaries.
    shed_unused(transaction, limits, None)?;
    let mut totals = totals(transaction)?;
    let mut oldest =
        transaction.prepare_cached("SELECT number FROM summary ORDER BY number LIMIT 1")?;
    while is_over(&totals) {
        let Some(number) = oldest.query_row([], |row| row.get(0)).optional()? else { break };
        if number == newest {
            break;
        }
        evicted.extend(find(transaction, number)?);
        drop_summary(transaction, number)?;
        totals = self::totals(transaction)?;
    }
    Ok(evicted)
}

/// Takes away what was made at this time, or before, however lately it was asked for. Returns what people saw of it.
fn drop_aged(transaction: &Transaction<'_>, aged_ms: i64) -> rusqlite::Result<Vec<KeptSummary>> {
    let mut aged = Vec::new();
    let mut contents =
        transaction.prepare_cached("SELECT number FROM content WHERE made_ms <= ?1")?;
    let mut summaries =
        transaction.prepare_cached("SELECT number FROM summary WHERE content = ?1")?;
    for content in numbers(&mut contents, aged_ms)? {
        for number in numbers(&mut summaries, content)? {
            aged.extend(find(transaction, number)?);
            forget(transaction, number)?;
        }
        drop_content(transaction, content)?;
    }
    Ok(aged)
}

fn numbers(query: &mut Statement<'_>, of: i64) -> rusqlite::Result<Vec<i64>> {
    query.query_map([of], |row| row.get(0))?.collect()
}

/// Takes a summary away, its content if no other has it, and its transcript likewise.
fn drop_summary(transaction: &Transaction<'_>, number: i64) -> rusqlite::Result<()> {
    let mut content =
        transaction.prepare_cached("SELECT content FROM summary WHERE number = ?1")?;
    let content: Option<i64> = content.query_row([number], |row| row.get(0)).optional()?;
    forget(transaction, number)?;
    content.map_or(Ok(()), |content| drop_content(transaction, content))
}

/// Takes a content away if no summary has it, and its transcript if no other content has that.
fn drop_content(transaction: &Transaction<'_>, content: i64) -> rusqlite::Result<()> {
    let mut drop_content = transaction.prepare_cached(
        "DELETE FROM content WHERE number = ?1
         AND NOT EXISTS (SELECT 1 FROM summary WHERE content = ?1) RETURNING transcript",
    )?;
    let transcript = drop_content.query_row([content], |row| row.get(0)).optional()?;
    transcript.map_or(Ok(()), |transcript| drop_transcript(transaction, transcript))
}

/// Takes a transcript away that nothing is made from, and the videos that it is of. Whoever is at it meanwhile
/// puts it there again with its summary.
fn drop_transcript(transaction: &Transaction<'_>, fingerprint: [u8; 32]) -> rusqlite::Result<()> {
    let mut drop_transcript = transaction.prepare_cached(
        "DELETE FROM transcript WHERE fingerprint = ?1
         AND NOT EXISTS (SELECT 1 FROM content WHERE transcript = ?1)",
    )?;
    drop_transcript.execute([fingerprint])?;
    let mut drop_videos = transaction.prepare_cached(
        "DELETE FROM video WHERE transcript = ?1
         AND NOT EXISTS (SELECT 1 FROM transcript WHERE fingerprint = ?1)",
    )?;
    drop_videos.execute([fingerprint]).map(drop)
}

/// Takes a summary's row, its words and its former ids away.
fn forget(transaction: &Transaction<'_>, number: i64) -> rusqlite::Result<()> {
    for statement in [
        "DELETE FROM words WHERE rowid = ?1",
        "DELETE FROM former WHERE summary = ?1",
        "DELETE FROM summary WHERE number = ?1",
    ] {
        transaction.prepare_cached(statement)?.execute([number])?;
    }
    Ok(())
}

/// Takes the videos away that have to be looked up again anyhow, and what they say if nothing was made from it.
fn drop_stale_videos(
    transaction: &Transaction<'_>,
    limits: &Limits,
    now_ms: u64,
) -> rusqlite::Result<()> {
    let mut drop_videos = transaction
        .prepare_cached("DELETE FROM video WHERE fetched_ms <= ?1 RETURNING transcript")?;
    let said = drop_videos.query_map([limits.stale_ms(now_ms)], |row| row.get(0))?;
    for fingerprint in said.collect::<rusqlite::Result<Vec<_>>>()? {
        drop_unknown(transaction, fingerprint)?;
    }
    Ok(())
}

/// Takes a transcript away that nothing was made from and that no video is known to say.
fn drop_unknown(transaction: &Transaction<'_>, fingerprint: [u8; 32]) -> rusqlite::Result<()> {
    let mut query =
        transaction.prepare_cached("SELECT EXISTS (SELECT 1 FROM video WHERE transcript = ?1)")?;
    let is_known: bool = query.query_row([fingerprint], |row| row.get(0))?;
    if is_known { Ok(()) } else { drop_transcript(transaction, fingerprint) }
}

/// Lets transcripts go that nothing was made from, but for the newest, until what is left is within the limit.
/// What was put there first goes first.
pub(super) fn shed_unused(
    transaction: &Transaction<'_>,
    limits: &Limits,
    newest: Option<Fingerprint>,
) -> rusqlite::Result<()> {
    let max_bytes = limits.max_transcript_bytes as u64;
    let mut excess_bytes = transcript_bytes(transaction)?.saturating_sub(max_bytes);
    if max_bytes == 0 || excess_bytes == 0 {
        return Ok(());
    }
    let mut query = transaction.prepare_cached(
        "SELECT fingerprint, bytes FROM transcript WHERE fingerprint IS NOT ?1
         AND NOT EXISTS (SELECT 1 FROM content WHERE content.transcript = fingerprint)
         ORDER BY used_ms, rowid",
    )?;
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64));
    let newest = newest.map(|newest| newest.bytes().to_vec());
    let unused = query.query_map([newest], row)?.collect::<rusqlite::Result<Vec<_>>>()?;
    for (fingerprint, bytes) in unused {
        drop_transcript(transaction, fingerprint)?;
        excess_bytes = excess_bytes.saturating_sub(bytes);
        if excess_bytes == 0 {
            break;
        }
    }
    Ok(())
}

/// What the library holds.
pub(super) fn totals(connection: &Connection) -> rusqlite::Result<Totals> {
    Ok(Totals {
        summaries: number(connection, "SELECT count(*) FROM summary")?,
        summary_bytes: number(connection, "SELECT coalesce(sum(bytes), 0) FROM content")?,
        transcript_bytes: transcript_bytes(connection)?,
        upload_bytes: uploads::bytes(connection)?,
    })
}

fn transcript_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    number(connection, "SELECT coalesce(sum(bytes), 0) FROM transcript")
}

fn number(connection: &Connection, query: &str) -> rusqlite::Result<u64> {
    let mut query = connection.prepare_cached(query)?;
    query.query_row([], |row| row.get::<_, i64>(0)).map(|number| number as u64)
}
