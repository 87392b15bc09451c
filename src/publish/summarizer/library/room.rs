//! What has to go so that the library stays within its limits, and what goes with it.

use rusqlite::{Connection, OptionalExtension, Row, Statement, Transaction};

use super::shelf::find;
use super::{KeptSummary, Limits, uploads};
use crate::publish::summarizer::transcript::Fingerprint;

/// What the library holds.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub summaries: u64,
    pub summary_bytes: u64,
    pub transcript_bytes: u64,
    pub upload_bytes: u64,
}

/// Lets the oldest go until what is left is within the limits; the newest stays. Returns those that went.
pub(super) fn make_room(
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
pub(super) fn drop_aged(
    transaction: &Transaction<'_>,
    aged_ms: i64,
) -> rusqlite::Result<Vec<KeptSummary>> {
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
pub(super) fn drop_summary(transaction: &Transaction<'_>, number: i64) -> rusqlite::Result<()> {
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
pub(super) fn forget(transaction: &Transaction<'_>, number: i64) -> rusqlite::Result<()> {
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
pub(super) fn drop_unknown(
    transaction: &Transaction<'_>,
    fingerprint: [u8; 32],
) -> rusqlite::Result<()> {
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
