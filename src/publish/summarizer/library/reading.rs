//! Lists, single summaries, playlists: what a viewer sees of the library.

use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;

use super::search::Wanted;
use super::shelf::{COLUMNS, KEPT_COLUMNS, find, kept, visible};
use super::{Content, KeptSummary, Library, LibraryError, cache};
use crate::event::topic::Identifier;
use crate::publish::summarizer::transcript::Fingerprint;

/// So many of what a search finds are looked at, the best.
const MAX_FOUND: usize = 500;
/// What a search finds comes in pages of at most so many: each is read for the passage that is shown.
const MAX_FOUND_PAGE: usize = 50;

/// What somebody wants to see.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Words in titles, summaries or transcripts: all of them, the last perhaps only begun.
    pub words: Option<String>,
    /// Only what was asked for with this playlist.
    pub playlist: Option<String>,
    /// Only what comes behind this: a page's `next`.
    pub after: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The newest first, or what fits a search best.
    pub summaries: Vec<Listed>,
    /// How many there are on all pages.
    pub total: usize,
    /// Where the next page begins; none if there is none. It stays good when a summary is asked for again, or is
    /// gone: of the newest it is a number that none gets twice, of a search how many were shown.
    pub next: Option<u64>,
}

/// A summary in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// It.
    pub summary: KeptSummary,
    /// Where it has what was looked for.
    pub snippet: Option<Vec<Piece>>,
}

/// A piece of a passage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// What stands there.
    pub text: String,
    /// Whether it was looked for.
    pub is_match: bool,
}

/// A summary by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct WholeSummary {
    /// It.
    pub kept: KeptSummary,
    /// What it says.
    pub content: Content,
    /// What it was made from.
    pub transcript: Fingerprint,
    /// What the cache knows it by, besides its words: of a video its key.
    pub subject: String,
}

impl Library {
    /// What a viewer sees of the library and asks for.
    pub fn list(&self, viewer: &Identifier, query: &Query) -> Result<Page, LibraryError> {
        self.let_age();
        let wanted = query.words.as_deref().map(Wanted::of);
        let page = self.0.connections.read(|connection| match &wanted {
            None => newest(connection, viewer, query),
            // Nothing but marks was typed.
            Some(None) => Ok(Page::default()),
            Some(Some(wanted)) => found(connection, viewer, query, wanted),
        });
        Ok(page?)
    }

    /// The playlists of what a viewer sees, by name, and how many summaries there are of each.
    pub fn playlists(&self, viewer: &Identifier) -> Result<Vec<(String, usize)>, LibraryError> {
        self.let_age();
        let playlists = self.0.connections.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT playlist, count(*) FROM summary
                 WHERE playlist IS NOT NULL AND (is_shared = 1 OR session = ?1)
                 GROUP BY playlist ORDER BY playlist LIMIT 1000",
            )?;
            let row = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)? as usize));
            query.query_map([viewer.as_str()], row)?.collect()
        });
        Ok(playlists?)
    }

    /// One summary that the viewer sees, under this id or one that it had.
    pub fn find(
        &self,
        viewer: &Identifier,
        id: &Identifier,
    ) -> Result<Option<WholeSummary>, LibraryError> {
        self.let_age();
        let found = self.0.connections.read(|connection| {
            let Some(number) = visible(connection, viewer, id)? else { return Ok(None) };
            whole(connection, number)
        });
        Ok(found?)
    }
}

fn whole(connection: &Connection, number: i64) -> rusqlite::Result<Option<WholeSummary>> {
    let mut query = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, c.number, c.summary, c.usage, c.transcript, c.subject FROM summary s
         JOIN content c ON c.number = s.content WHERE s.number = ?1"
    ))?;
    let row = |row: &Row<'_>| {
        let content = cache::content(row, KEPT_COLUMNS)?;
        let transcript = Fingerprint::from_bytes(row.get(KEPT_COLUMNS + 3)?);
        let subject = row.get(KEPT_COLUMNS + 4)?;
        Ok(WholeSummary { kept: kept(row)?, content, transcript, subject })
    };
    query.query_row([number], row).optional()
}

/// The newest that a viewer sees. Its own and the shared ones are two walks along two indexes.
pub(super) const NEWEST: &str = "
    SELECT number FROM (
        SELECT * FROM (SELECT number FROM summary WHERE is_shared = 0 AND session = ?1
                       AND number < ?2 AND (?3 IS NULL OR playlist = ?3)
                       ORDER BY number DESC LIMIT ?4)
        UNION ALL
        SELECT * FROM (SELECT number FROM summary WHERE is_shared = 1
                       AND number < ?2 AND (?3 IS NULL OR playlist = ?3)
                       ORDER BY number DESC LIMIT ?4)
    ) ORDER BY number DESC LIMIT ?4";

fn newest(connection: &Connection, viewer: &Identifier, query: &Query) -> rusqlite::Result<Page> {
    let before = query.after.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(NEWEST)?;
    let limit = query.limit.saturating_add(1) as i64;
    let values = rusqlite::params![viewer.as_str(), before, query.playlist, limit];
    let mut numbers: Vec<i64> =
        select.query_map(values, |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut count = connection.prepare_cached(
        "SELECT (SELECT count(*) FROM summary WHERE is_shared = 0 AND session = ?1
                 AND (?2 IS NULL OR playlist = ?2))
              + (SELECT count(*) FROM summary WHERE is_shared = 1 AND (?2 IS NULL OR playlist = ?2))",
    )?;
    let total: i64 =
        count.query_row(rusqlite::params![viewer.as_str(), query.playlist], |row| row.get(0))?;
    let has_more = numbers.len() > query.limit;
    numbers.truncate(query.limit);
    let next = numbers.last().filter(|_| has_more).map(|number| *number as u64);
    let mut summaries = Vec::new();
    for number in numbers {
        let summary = find(connection, number)?;
        summaries.extend(summary.map(|summary| Listed { summary, snippet: None }));
    }
    Ok(Page { summaries, total: total as usize, next })
}

/// What fits a search best: a word in a title counts more than one in a summary, and that more than one that was
/// only said.
fn found(
    connection: &Connection,
    viewer: &Identifier,
    query: &Query,
    wanted: &Wanted,
) -> rusqlite::Result<Page> {
    let mut select = connection.prepare_cached(
        "SELECT s.number FROM words JOIN summary s ON s.number = words.rowid
         WHERE words MATCH ?1 AND (s.is_shared = 1 OR s.session = ?2)
         AND (?3 IS NULL OR s.playlist = ?3)
         ORDER BY bm25(words, 10.0, 4.0, 1.0), s.number DESC LIMIT ?4",
    )?;
    let (expression, most) = (wanted.expression(), MAX_FOUND as i64);
    let values = rusqlite::params![expression, viewer.as_str(), query.playlist, most];
    let all: Vec<i64> = select.query_map(values, |row| row.get(0))?.collect::<Result<_, _>>()?;
    let begin = query.after.map_or(0, |shown| usize::try_from(shown).unwrap_or(usize::MAX));
    let limit = query.limit.min(MAX_FOUND_PAGE);
    let mut summaries = Vec::new();
    for number in all.iter().skip(begin).take(limit) {
        let Some(WholeSummary { kept, content, transcript, .. }) = whole(connection, *number)?
        else {
            continue;
        };
        // A transcript is long: only if the summary itself does not have the words.
        let mut snippet = wanted.snippet(&content.summary, None);
        if snippet.is_none() {
            let transcript = cache::transcript(connection, transcript)?;
            snippet = wanted.snippet(&content.summary, transcript.as_ref());
        }
        summaries.push(Listed { summary: kept, snippet });
    }
    let end = begin.saturating_add(limit);
    let next = (all.len() > end).then_some(end as u64);
    Ok(Page { summaries, total: all.len(), next })
}
