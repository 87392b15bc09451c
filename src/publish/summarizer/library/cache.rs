//! What engines have made, and the videos and transcripts that they made it from.

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::de::DeserializeOwned;

use super::{Content, ContentKey, KnownVideo, Library, LibraryError, Usage, Written, room};
use crate::publish::summarizer::transcript::{Cue, Fingerprint, Transcript};

const A_DAY_MS: u64 = 86_400_000;

/// More than that nothing took in a day, whatever a model's server says: sums over all days stay whole numbers.
const MOST_A_DAY: i64 = 1_000_000_000_000_000;

impl Library {
    /// A video that was looked up not long ago with the same wish for a language; empty is none.
    pub fn video(&self, key: &str, wanted: &str) -> Result<Option<KnownVideo>, LibraryError> {
        let found = self.0.connections.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT facts, language, is_automatic, transcript, fetched_ms FROM video
                 WHERE key = ?1 AND wanted = ?2",
            )?;
            query.query_row([key, wanted], known_video).optional()
        })?;
        let stale_ms = self.0.limits.stale_ms(self.0.clock.unix_ms());
        Ok(found.filter(|known| known.fetched_ms as i64 > stale_ms))
    }

    /// Remembers a video that was looked up, and what is said in it. Transcripts that nothing was made from may
    /// have to make room; this one stays.
    pub fn put_video(
        &self,
        key: &str,
        wanted: &str,
        known: &KnownVideo,
        transcript: &Transcript,
    ) -> Result<(), LibraryError> {
        let (facts, cues) = (text(&known.video)?, deflate(transcript)?);
        let now_ms = self.0.clock.unix_ms();
        self.0.connections.write(|transaction| {
            put_transcript(transaction, known.transcript, &cues, now_ms)?;
            let mut put = transaction.prepare_cached(
                "INSERT OR REPLACE INTO video
                 (key, wanted, facts, language, is_automatic, transcript, fetched_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            put.execute(params![
                key,
                wanted,
                facts,
                known.language,
                known.is_automatic,
                known.transcript.bytes(),
                known.fetched_ms as i64,
            ])?;
            Ok(room::shed_unused(transaction, &self.0.limits, Some(known.transcript))?)
        })
    }

    /// Forgets what was found when a video was looked up, whatever language was wanted.
    pub fn forget_video(&self, key: &str) -> Result<(), LibraryError> {
        self.0.connections.write(|transaction| {
            let mut drop_videos = transaction
                .prepare_cached("DELETE FROM video WHERE key = ?1 RETURNING transcript")?;
            let said = drop_videos.query_map([key], |row| row.get(0))?;
            for fingerprint in said.collect::<rusqlite::Result<Vec<_>>>()? {
                room::drop_unknown(transaction, fingerprint)?;
            }
            Ok(())
        })
    }

    /// What was said, if it is still kept.
    pub fn transcript(&self, of: Fingerprint) -> Result<Option<Transcript>, LibraryError> {
        Ok(self.0.connections.read(|connection| transcript(connection, of))?)
    }

    /// What an engine has made of the same before, and not too long ago. Counts whether it was there.
    pub fn content(&self, key: &ContentKey) -> Result<Option<Content>, LibraryError> {
        let aged_ms = self.0.limits.aged_ms(self.0.clock.unix_ms());
        let found = self.0.connections.read(|connection| find_content(connection, key, aged_ms))?;
        let counter = if found.is_some() { &self.0.hits } else { &self.0.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(found)
    }

    /// Counts what a model took for nothing; what comes with a summary is counted with it.
    pub fn note_usage(&self, model: &str, usage: Usage) -> Result<(), LibraryError> {
        let now_ms = self.0.clock.unix_ms();
        self.0.connections.write(|transaction| Ok(note_usage(transaction, model, usage, now_ms)?))
    }
}

fn known_video(row: &Row<'_>) -> rusqlite::Result<KnownVideo> {
    Ok(KnownVideo {
        video: json(row, 0)?,
        language: row.get(1)?,
        is_automatic: row.get(2)?,
        transcript: Fingerprint::from_bytes(row.get(3)?),
        fetched_ms: row.get::<_, i64>(4)? as u64,
    })
}

/// Keeps what was said, deflated.
pub(super) fn put_transcript(
    transaction: &Transaction<'_>,
    fingerprint: Fingerprint,
    cues: &[u8],
    now_ms: u64,
) -> rusqlite::Result<()> {
    let mut put = transaction.prepare_cached(
        "INSERT INTO transcript (fingerprint, cues, bytes, used_ms) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (fingerprint) DO UPDATE SET used_ms = excluded.used_ms",
    )?;
    put.execute(params![fingerprint.bytes(), cues, cues.len() as i64, now_ms as i64]).map(drop)
}

pub(super) fn transcript(
    connection: &Connection,
    of: Fingerprint,
) -> rusqlite::Result<Option<Transcript>> {
    let mut query =
        connection.prepare_cached("SELECT cues FROM transcript WHERE fingerprint = ?1")?;
    let row = query.query_row([of.bytes()], |row| inflate(&row.get::<_, Vec<u8>>(0)?));
    Ok(row.optional()?.map(|cues| Transcript { cues }))
}

pub(super) fn find_content(
    connection: &Connection,
    key: &ContentKey,
    aged_ms: i64,
) -> rusqlite::Result<Option<Content>> {
    let mut query = connection.prepare_cached(
        "SELECT number, summary, usage FROM content
         WHERE subject = ?1 AND model = ?2 AND language = ?3 AND transcript = ?4 AND made_ms > ?5",
    )?;
    let values = params![key.subject, key.model, key.language, key.transcript.bytes(), aged_ms];
    query.query_row(values, |row| content(row, 0)).optional()
}

/// A content in three columns from this one on: its number, what it says, what it took.
pub(super) fn content(row: &Row<'_>, at: usize) -> rusqlite::Result<Content> {
    Ok(Content { number: row.get(at)?, summary: json(row, at + 1)?, usage: json(row, at + 2)? })
}

/// Keeps what an engine has made, in place of what it made of the same before.
pub(super) fn put_content(
    transaction: &Transaction<'_>,
    key: &ContentKey,
    written: &Written,
    now_ms: u64,
) -> Result<i64, LibraryError> {
    let (summary, usage) = (text(&written.summary)?, text(&written.usage)?);
    let mut put = transaction.prepare_cached(
        "INSERT INTO content (subject, model, language, transcript, summary, usage,
                              total_sentences, total_words, bytes, made_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (subject, model, language, transcript) DO UPDATE SET
         summary = excluded.summary, usage = excluded.usage, bytes = excluded.bytes,
         made_ms = excluded.made_ms
         RETURNING number",
    )?;
    let values = params![
        key.subject,
        key.model,
        key.language,
        key.transcript.bytes(),
        summary,
        usage,
        written.summary.total_sentences as i64,
        written.summary.total_words as i64,
        (summary.len() + usage.len()) as i64,
        now_ms as i64,
    ];
    let number = put.query_row(values, |row| row.get(0))?;
    note_usage(transaction, &key.model, written.usage, now_ms)?;
    Ok(number)
}

fn note_usage(
    transaction: &Transaction<'_>,
    model: &str,
    usage: Usage,
    now_ms: u64,
) -> rusqlite::Result<()> {
    if usage.requests == 0 {
        return Ok(());
    }
    let mut note = transaction.prepare_cached(
        "INSERT INTO usage VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (model, day) DO UPDATE SET
         requests = min(requests + excluded.requests, ?7),
         prompt_tokens = min(prompt_tokens + excluded.prompt_tokens, ?7),
         completion_tokens = min(completion_tokens + excluded.completion_tokens, ?7),
         cost_micros = min(cost_micros + excluded.cost_micros, ?7)",
    )?;
    let day = (now_ms / A_DAY_MS) as i64;
    let [requests, prompt, completion, cost] =
        [usage.requests, usage.prompt_tokens, usage.completion_tokens, usage.cost_micros].map(
            |number| i64::try_from(number).map_or(MOST_A_DAY, |number| number.min(MOST_A_DAY)),
        );
    note.execute(params![model, day, requests, prompt, completion, cost, MOST_A_DAY]).map(drop)
}

/// What each model took, over all time.
pub(super) fn usage(connection: &Connection) -> rusqlite::Result<Vec<(String, Usage)>> {
    let mut query = connection.prepare_cached(
        "SELECT model, sum(min(requests, ?1)), sum(min(prompt_tokens, ?1)),
                sum(min(completion_tokens, ?1)), sum(min(cost_micros, ?1))
         FROM usage GROUP BY model ORDER BY model",
    )?;
    let number = |row: &Row<'_>, index| row.get::<_, i64>(index).map(|number| number as u64);
    let rows = query.query_map([MOST_A_DAY], |row| {
        let usage = Usage {
            requests: number(row, 1)?,
            prompt_tokens: number(row, 2)?,
            completion_tokens: number(row, 3)?,
            cost_micros: number(row, 4)?,
        };
        Ok((row.get(0)?, usage))
    })?;
    rows.collect()
}

/// A cue as it is written down: its times in milliseconds, and its text.
type StoredCue = (Option<u64>, Option<u64>, String);

pub(super) fn deflate(transcript: &Transcript) -> Result<Vec<u8>, LibraryError> {
    let ms = |time: Option<Duration>| time.map(|time| time.as_millis() as u64);
    let cues = transcript.cues.iter();
    let cues: Vec<(_, _, &str)> =
        cues.map(|cue| (ms(cue.start), ms(cue.end), cue.text.as_str())).collect();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(text(&cues)?.as_bytes()).and_then(|()| encoder.finish());
    written.map_err(|error| LibraryError::Database(error.to_string()))
}

fn inflate(bytes: &[u8]) -> rusqlite::Result<Vec<Cue>> {
    let broken = |error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, error)
    };
    let mut text = String::new();
    ZlibDecoder::new(bytes).read_to_string(&mut text).map_err(|error| broken(error.into()))?;
    let cues: Vec<StoredCue> = serde_json::from_str(&text).map_err(|error| broken(error.into()))?;
    let time = |ms: Option<u64>| ms.map(Duration::from_millis);
    let cue = |(start, end, text)| Cue { start: time(start), end: time(end), text };
    Ok(cues.into_iter().map(cue).collect())
}

fn text(value: &impl serde::Serialize) -> Result<String, LibraryError> {
    serde_json::to_string(value).map_err(|error| LibraryError::Database(error.to_string()))
}

/// A column that holds JSON.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(index)?.as_str()?;
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            index,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}
