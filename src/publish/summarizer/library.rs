//! The library: the summaries there are, what they were made from, and what was sent along and waits.
//!
//! It lies in a database of its own beside the event log. Workers write through one connection, readers have
//! others, so that a search holds up no worker. A commit survives a crash of the process but perhaps not a loss
//! of power: all that is here can be made again.
//!
//! A summary of a video is *shared*: everyone sees it, for everyone can watch the video. One of a transcript that
//! was sent along belongs to the session that sent it.

// SQLite has one kind of integer; what is counted here is far from its ends.
#![expect(clippy::cast_possible_wrap, clippy::cast_sign_loss)]

// What engines have made, and the videos and transcripts that they made it from.
mod cache;

// The connections: one that writes, some that read.
mod connections;

// Lists, single summaries, playlists.
mod reading;

// What has to go so that the library stays within its limits.
mod room;

// The tables.
mod schema;

// Words that somebody looks for, and where they stand.
mod search;

// Summaries come, and go.
mod shelf;

#[cfg(test)]
mod tests;

// What was sent along and waits for its job.
mod uploads;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

pub use self::reading::{Listed, Page, Piece, Query, WholeSummary};
pub use self::uploads::UploadId;

use self::connections::Connections;
use super::engine::{Summary, Usage, Written};
use super::transcript::{Fingerprint, Transcript};
use super::videos::Video;
use crate::clock::Clock;
use crate::event::topic::Identifier;

/// What the library may keep; `0` (or a zero duration) means off unless said otherwise.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Summaries that are kept; the oldest goes first. 0 is no limit.
    pub max_summaries: usize,
    /// Bytes of summaries that are kept; the newest always is. 0 is no limit.
    pub max_summary_bytes: usize,
    /// Bytes of transcripts that are kept, compressed; those that nothing was made from go first, the newest
    /// always is kept. 0 is no limit.
    pub max_transcript_bytes: usize,
    /// How long a summary is kept after it was made, however often it is asked for; zero: for ever.
    pub summary_age: Duration,
    /// How long a video is not looked up again; zero: it always is.
    pub video_age: Duration,
    /// Bytes of transcripts that were sent along and may wait. 0 is no limit.
    pub max_upload_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_summaries: 10_000,
            max_summary_bytes: 256 << 20,
            max_transcript_bytes: 1 << 30,
            summary_age: Duration::ZERO,
            video_age: Duration::from_secs(7 * 86_400),
            max_upload_bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// A summary that was made at this time, or before, is too old.
    fn aged_ms(&self, now_ms: u64) -> i64 {
        if self.summary_age.is_zero() { i64::MIN } else { before(now_ms, self.summary_age) }
    }

    /// A video that was looked up at this time, or before, is looked up again.
    fn stale_ms(&self, now_ms: u64) -> i64 {
        before(now_ms, self.video_age)
    }
}

fn before(now_ms: u64, age: Duration) -> i64 {
    let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    (now_ms as i64).saturating_sub(age_ms)
}

/// Why the library did not do what it was asked. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LibraryError {
    /// So many bytes of transcripts wait as may; later there will be room.
    #[error("{waiting_bytes} bytes of transcripts are waiting, there is no room for more")]
    Full {
        /// How many wait.
        waiting_bytes: u64,
    },
    /// The disk is full, or it fails; later it may not.
    #[error("{0}")]
    Database(String),
}

impl From<rusqlite::Error> for LibraryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.to_string())
    }
}

/// A video that was looked up, with its captions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownVideo {
    /// What it is.
    pub video: Video,
    /// The language of its captions.
    pub language: String,
    /// Whether a machine has made them.
    pub is_automatic: bool,
    /// What they say.
    pub transcript: Fingerprint,
    /// When it was looked up: milliseconds since 1970-01-01 UTC.
    pub fetched_ms: u64,
}

/// What the cache knows a summary by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContentKey {
    /// The video's key, or a word for what was sent along.
    pub subject: String,
    /// The engine.
    pub model: String,
    /// The talk's language; empty if nobody knows.
    pub language: String,
    /// What was said.
    pub transcript: Fingerprint,
}

/// What an engine has made, and for what.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// Its number in the library.
    pub number: i64,
    /// What it says.
    pub summary: Summary,
    /// What it took.
    pub usage: Usage,
}

/// Where a summary comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    /// It was there.
    Found,
    /// It is new, and made of this.
    Written(Written, Transcript),
}

/// Where a summary came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SummarySource {
    /// The same had been summarized before, by the same engine.
    Cache,
    /// It was made for this request.
    Generated,
}

/// A summary that is to be kept.
#[derive(Debug, Clone)]
pub struct NewSummary {
    /// What it is called by.
    pub id: Identifier,
    /// Who asked.
    pub session: Identifier,
    /// Whether everyone sees it.
    pub is_shared: bool,
    /// What to call it.
    pub title: String,
    /// The playlist that it was asked for with.
    pub playlist: Option<String>,
    /// The video, if it is one.
    pub video: Option<Video>,
    /// The talk's language.
    pub language: Option<String>,
    /// What the cache knows it by.
    pub key: ContentKey,
    /// Whether it takes the place of what was made of the same subject before, whatever was said then. Not for what
    /// a session has sent: all of that is one subject.
    pub is_refreshed: bool,
    /// Where it comes from.
    pub made: Made,
}

/// A summary, but for what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSummary {
    /// What it is called by.
    pub id: Identifier,
    /// Who asked for it last.
    pub session: Identifier,
    /// Whether everyone sees it.
    pub is_shared: bool,
    /// What to call it.
    pub title: String,
    /// The playlist that it was asked for with.
    pub playlist: Option<String>,
    /// The video, if it is one.
    pub video: Option<Video>,
    /// The talk's language.
    pub language: Option<String>,
    /// The engine that made it.
    pub model: String,
    /// Whether it was made or found.
    pub source: SummarySource,
    /// When it was asked for: milliseconds since 1970-01-01 UTC.
    pub created_ms: u64,
    /// How many sentences the talk has.
    pub total_sentences: usize,
    /// How many words the talk has.
    pub total_words: usize,
}

/// What became of a summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// It as it is kept.
    pub summary: KeptSummary,
    /// Those that had to make room for it, or had grown too old.
    pub evicted: Vec<KeptSummary>,
}

/// The numbers of this moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Summaries that are kept.
    pub summaries: u64,
    /// Their bytes.
    pub summary_bytes: u64,
    /// Bytes of transcripts, compressed.
    pub transcript_bytes: u64,
    /// Bytes of transcripts that wait.
    pub upload_bytes: u64,
    /// How often a summary was there already, since the start.
    pub hits: u64,
    /// How often not.
    pub misses: u64,
    /// Summaries that made room for others, since the start.
    pub evictions: u64,
    /// What models took, over all time.
    pub usage: Vec<(String, Usage)>,
}

/// Keeps summaries and what they are made from. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Library(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connections: Connections,
    limits: Limits,
    clock: Arc<dyn Clock>,
    hits: AtomicU64,
    misses: AtomicU64,
    evictions: AtomicU64,
    /// Summaries that have grown too old, and of which nobody was told yet.
    aged: Mutex<Vec<KeptSummary>>,
}

impl Library {
    /// Opens the library in the data directory, or one that is gone with the process.
    ///
    /// A broken database is put aside and a new one begun. On a disk that takes nothing, what is made now is
    /// kept in memory only. Fails if the database is of a newer version of this program.
    pub fn open(
        data_dir: Option<&Path>,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let connections = match data_dir {
            Some(folder) => Connections::open(&folder.join("summaries.db"), clock.unix_ms())?,
            None => Connections::in_memory().map_err(io::Error::other)?,
        };
        Ok(Self(Arc::new(Shared {
            connections,
            limits,
            clock,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
            aged: Mutex::default(),
        })))
    }

    /// What may be kept.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// The numbers of this moment.
    pub fn figures(&self) -> Result<Figures, LibraryError> {
        self.let_age();
        let totals = self.0.connections.read(room::totals)?;
        let usage = self.0.connections.read(cache::usage)?;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ok(Figures {
            summaries: totals.summaries,
            summary_bytes: totals.summary_bytes,
            transcript_bytes: totals.transcript_bytes,
            upload_bytes: totals.upload_bytes,
            hits: read(&self.0.hits),
            misses: read(&self.0.misses),
            evictions: read(&self.0.evictions),
            usage,
        })
    }
}
