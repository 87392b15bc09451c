//! The tables, and how an older database becomes a newer one.

use rusqlite::Connection;

/// What brings a database from each version to the next. The version is how many of these have been
/// applied, kept in `user_version`; a step that has been released is never changed.
const STEPS: &[&str] = &[
    "
    -- What was sent along, by its SHA-256 in hexadecimal, and how many jobs wait for it.
    CREATE TABLE upload (
        id TEXT PRIMARY KEY,
        format TEXT NOT NULL,
        body TEXT NOT NULL,
        bytes INTEGER NOT NULL,
        uses INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- What is counted and compared is in indexes: the rows themselves are long.
    CREATE INDEX upload_bytes ON upload (bytes);

    -- What was said: cues as JSON, deflated.
    CREATE TABLE transcript (
        fingerprint BLOB PRIMARY KEY,
        cues BLOB NOT NULL,
        bytes INTEGER NOT NULL,
        used_ms INTEGER NOT NULL
    ) STRICT;

    CREATE INDEX transcript_bytes ON transcript (bytes);
    CREATE INDEX transcript_by_use ON transcript (used_ms);

    -- What was found when a video was looked up with a wish for a language (which may be none).
    CREATE TABLE video (
        key TEXT NOT NULL,
        wanted TEXT NOT NULL,
        facts TEXT NOT NULL,
        language TEXT NOT NULL,
        is_automatic INTEGER NOT NULL,
        transcript BLOB NOT NULL,
        fetched_ms INTEGER NOT NULL,
        PRIMARY KEY (key, wanted)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX video_by_transcript ON video (transcript);

    -- What engines have made.
    CREATE TABLE content (
        number INTEGER PRIMARY KEY,
        subject TEXT NOT NULL,
        model TEXT NOT NULL,
        language TEXT NOT NULL,
        transcript BLOB NOT NULL,
        summary TEXT NOT NULL,
        usage TEXT NOT NULL,
        total_sentences INTEGER NOT NULL,
        total_words INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        UNIQUE (subject, model, language, transcript)
    ) STRICT;
    CREATE INDEX content_by_transcript ON content (transcript);
    CREATE INDEX content_bytes ON content (bytes);

    -- What people see; the numbers grow.
    CREATE TABLE summary (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        session TEXT NOT NULL,
        is_shared INTEGER NOT NULL,
        title TEXT NOT NULL,
        playlist TEXT,
        video TEXT,
        language TEXT,
        source TEXT NOT NULL,
        content INTEGER NOT NULL REFERENCES content (number),
        created_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX summary_of_session ON summary (session, number) WHERE is_shared = 0;
    CREATE INDEX summary_of_all ON summary (number) WHERE is_shared = 1;
    CREATE INDEX summary_by_content ON summary (content);
    CREATE INDEX summary_by_playlist ON summary (playlist, number) WHERE playlist IS NOT NULL;

    -- Ids of summaries of which there is a newer one.
    CREATE TABLE former (
        id TEXT PRIMARY KEY,
        summary INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX former_by_summary ON former (summary);

    -- What models took, by day since 1970; it outlives the summaries.
    CREATE TABLE usage (
        model TEXT NOT NULL,
        day INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        completion_tokens INTEGER NOT NULL,
        cost_micros INTEGER NOT NULL,
        PRIMARY KEY (model, day)
    ) STRICT, WITHOUT ROWID;

    -- Where which words are, by the summary's number; the texts themselves are above.
    CREATE VIRTUAL TABLE words USING fts5 (
        title, summary, transcript,
        content = '', contentless_delete = 1,
        tokenize = 'unicode61 remove_diacritics 2'
    );
",
    "
    -- The first version left these behind.
    DELETE FROM video WHERE NOT EXISTS
        (SELECT 1 FROM transcript WHERE fingerprint = video.transcript);
    DELETE FROM transcript
        WHERE NOT EXISTS (SELECT 1 FROM content WHERE content.transcript = fingerprint)
        AND NOT EXISTS (SELECT 1 FROM video WHERE video.transcript = fingerprint);

    CREATE INDEX video_by_age ON video (fetched_ms);

    -- When it was made; of what the first version made, when it was asked for the longest ago that is known.
    ALTER TABLE content ADD COLUMN made_ms INTEGER NOT NULL DEFAULT 0;
    UPDATE content SET made_ms =
        coalesce((SELECT min(created_ms) FROM summary WHERE summary.content = content.number), 0);
    CREATE INDEX content_by_age ON content (made_ms);
",
];

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaError {
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    #[error("it is of version {0}, which only a newer version of this program knows")]
    Newer(usize),
}

/// Brings a database to the present version.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), SchemaError> {
    migrate_to(connection, STEPS.len())
}

/// Brings a database to a version, if it is not of a later one.
pub(super) fn migrate_to(connection: &mut Connection, last: usize) -> Result<(), SchemaError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    let steps = STEPS.get(version..last).ok_or(SchemaError::Newer(version))?;
    for (done, step) in steps.iter().enumerate() {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", (version + done + 1) as i64)?;
        transaction.commit()?;
    }
    Ok(())
}
