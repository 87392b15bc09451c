//! The embedded database: what outlives the process.
//!
//! One writer thread takes the events that are to be kept and writes them in batches ([`event_log`]); a few
//! connections of their own read what clients that come back are owed ([`reader`]). The hub knows the
//! store as its [`Journal`].
//!
//! Whoever publishes waits for the disk only if it wants to. A disk that fails does not stop the live
//! delivery: what waits is tried again every second, within bounds, and [`Store::trouble`] tells of it.

#![expect(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "SQLite's integers are signed; milliseconds and sizes stay far below 2^63"
)]

mod directory;
mod event_log;
mod figures;
mod mark;
mod reader;
pub mod records;
mod row;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

pub use self::event_log::Recent;
pub use self::figures::Figures;

use self::directory::Directory;
use self::event_log::EventLog;
use self::mark::Mark;
use self::reader::Readers;
use self::writer::Desk;
use crate::clock::Clock;
use crate::event::subscription::Subscription;
use crate::event::{Event, EventId, EventName};
use crate::hub::{GapReason, Journal, Page, Past, Remains};
use crate::shutdown::Shutdown;

/// What the store may use; `0` (or a zero duration) means off unless said otherwise.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long an event is kept; zero: for ever.
    pub log_age: Duration,
    /// How many bytes of events are kept, beyond which the oldest go; zero: no limit.
    pub log_bytes: usize,
    /// Events that may wait for the disk before publishers are held back.
    pub pending_events: usize,
    /// Bytes that may wait for the disk before publishers are held back.
    pub pending_bytes: usize,
    /// How long an event for which nobody waits may lie before it is written; zero: not at all.
    pub flush: Duration,
    /// Whether what somebody waits for is on the disk itself (fsync) and so survives a loss of power, or
    /// with the operating system, and so survives a crash of this process.
    pub sync: Sync,
    /// How long to wait at the start for an earlier process to let go of the directory; zero: not at all.
    pub lock_wait: Duration,
}

/// How sure a commit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// It survives a loss of power.
    Full,
    /// It survives a crash of the process.
    Normal,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            log_age: Duration::from_secs(86_400),
            log_bytes: 256 << 20,
            pending_events: 65_536,
            pending_bytes: 64 << 20,
            flush: Duration::from_millis(50),
            sync: Sync::Full,
            lock_wait: Duration::from_secs(15),
        }
    }
}

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made or used: its rights, a file in its place, a full disk.
    #[error("cannot use the data directory {}: {source}", .path.display())]
    Directory {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process uses it. Give this one a directory of its own.
    #[error("the data directory {} is in use by another process; choose another with --data-dir", .path.display())]
    InUse {
        /// Which one.
        path: PathBuf,
    },
    /// The database was written by a newer version of this program.
    #[error(
        "the database {} has version {found}, this program knows up to {known}; use the newer program, \
         or another directory",
        .path.display()
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The newest version that this program knows.
        known: usize,
    },
    /// The database does not let itself be used, though it is not broken: the disk is full, say.
    #[error("cannot use the database {}: {source}", .path.display())]
    Database {
        /// Which file.
        path: PathBuf,
        /// What the database says.
        source: rusqlite::Error,
    },
}

/// The open store. Cheap to clone. Dropping it without [`Store::close`] is a crash to its successor.
#[derive(Debug, Clone)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    desk: Arc<Desk>,
    readers: Readers,
    /// Gives the log back when it ends.
    writer: Mutex<Option<JoinHandle<EventLog>>>,
    _directory: Directory,
}

/// Up to this size a database is looked through after a crash.
const CHECKED_BYTES: u64 = 64 << 20;

impl Store {
    /// Opens the store in `path` and tells what the hub that goes on from it needs to know.
    pub fn open(
        path: &Path,
        limits: &Limits,
        recent: Recent,
        clock: Arc<dyn Clock>,
        stop: &Shutdown,
    ) -> Result<(Self, Past), OpenError> {
        let directory = Directory::open(path, limits.lock_wait, stop)?;
        let Life { log, reserved_ms, past, begins_after } =
            begin_life(&directory, recent, clock.unix_ms())?;
        let unmarked = |source| OpenError::Directory { path: path.to_owned(), source };
        let mark = Mark::set(directory.mark()).map_err(unmarked)?;
        let mut desk = Desk::new(limits, clock, reserved_ms, begins_after, log.size());
        desk.mark = mark;
        let desk = Arc::new(desk);
        let writer = writer::start(desk.clone(), log).map_err(unmarked)?;
        let readers = Readers::new(directory.database());
        let writer = Mutex::new(Some(writer));
        Ok((Self(Arc::new(Shared { desk, readers, writer, _directory: directory })), past))
    }

    /// Writes what waits and what the hub leaves, and ends in order.
    pub fn close(&self, remains: &Remains) -> io::Result<()> {
        self.0.desk.stop();
        let Some(writer) = self.0.writer.lock().take() else { return Ok(()) };
        let mut log = writer.join().map_err(|_| io::Error::other("the store's thread panicked"))?;
        if let Some(trouble) = self.trouble() {
            return Err(io::Error::other(trouble));
        }
        log.end(remains).map_err(io::Error::other)
    }

    /// What is wrong with the disk at present, in a sentence.
    pub fn trouble(&self) -> Option<String> {
        self.0.desk.trouble()
    }

    /// The numbers of this moment.
    pub fn figures(&self) -> Figures {
        self.0.desk.figures()
    }
}

impl Journal for Store {
    fn has_room(&self) -> bool {
        self.0.desk.has_room()
    }

    fn append(&self, event: &Arc<Event>) {
        self.0.desk.append(event);
    }

    fn latest_ms(&self) -> u64 {
        self.0.desk.latest_ms()
    }

    fn await_stored(&self, event: &Event, at_most: Duration) -> Result<(), String> {
        self.0.desk.await_stored(event, at_most)
    }

    fn note_unsure(&self, matched_name: &EventName) {
        self.0.desk.note_unsure(matched_name);
    }

    fn begins_after(&self) -> (EventId, GapReason) {
        self.0.desk.begins_after()
    }

    fn read(
        &self,
        after: EventId,
        up_to: EventId,
        subscription: &Subscription,
        limit: usize,
    ) -> io::Result<Page> {
        self.0.readers.read(after, up_to, subscription, limit).map_err(io::Error::other)
    }

    fn find(&self, id: EventId) -> io::Result<Option<Arc<Event>>> {
        self.0.readers.find(id).map_err(io::Error::other)
    }

    fn age(&self) -> Duration {
        self.0.desk.age()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.desk.stop();
        if let Some(writer) = self.writer.get_mut().take() {
            let _ = writer.join();
        }
    }
}

/// A log in which the life of this process has begun.
struct Life {
    log: EventLog,
    reserved_ms: u64,
    past: Past,
    begins_after: (EventId, GapReason),
}

/// Opens the log and begins a life in it; a broken one is put aside and a new one begun.
fn begin_life(directory: &Directory, recent: Recent, unix_ms: u64) -> Result<Life, OpenError> {
    let path = directory.database();
    match try_begin(directory, recent, unix_ms, EventId { ms: unix_ms, n: 0 }) {
        Err(OpenError::Database { source, .. }) if is_broken(&source) => {
            // Which ids it had given is as lost as the rest; but none was reserved longer ahead.
            let last_ms = unix_ms.max(directory.last_written_ms()) + writer::RESERVED_MS;
            let aside = directory
                .set_aside(unix_ms)
                .map_err(|source| OpenError::Directory { path: path.clone(), source })?;
            log::error!(
                "the database {} is broken ({source}); it is now {}, and a new one is begun",
                path.display(),
                aside.display()
            );
            try_begin(directory, recent, unix_ms, EventId { ms: last_ms, n: u32::MAX })
        }
        outcome => outcome,
    }
}

/// Opens the log, or begins an empty one after `now`. All that a start reads is read here, since damage
/// may show wherever one looks.
fn try_begin(
    directory: &Directory,
    recent: Recent,
    unix_ms: u64,
    now: EventId,
) -> Result<Life, OpenError> {
    let path = directory.database();
    let mut log = try_open(&path, now)?;
    let mut read = || {
        if !directory.mark().exists() {
            log.know_nothing(unix_ms)?;
        }
        let last = log.last()?;
        let reserved_ms = writer::reservation(unix_ms, last.ms);
        log.begin(reserved_ms)?;
        // What the crash of the process before has made unsure is known only now.
        Ok((reserved_ms, log.past(last, recent, unix_ms)?, log.begins_after()?))
    };
    let begun = read().map_err(|source| OpenError::Database { path, source });
    begun.map(|(reserved_ms, past, begins_after)| Life { log, reserved_ms, past, begins_after })
}

fn try_open(path: &Path, now: EventId) -> Result<EventLog, OpenError> {
    let unusable = |source| OpenError::Database { path: path.to_owned(), source };
    if path.exists() {
        let found = rusqlite::Connection::open(path).and_then(|file| schema::version(&file));
        let (found, known) = (found.map_err(unusable)?, schema::VERSION);
        if found > known {
            return Err(OpenError::Newer { path: path.to_owned(), found, known });
        }
    }
    let log = EventLog::open(path, now).map_err(unusable)?;
    let is_small = path.metadata().is_ok_and(|file| file.len() <= CHECKED_BYTES);
    if is_small && !log.is_clean().map_err(unusable)? && !log.is_whole().map_err(unusable)? {
        let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        let sentence = "its pages do not fit together".to_owned();
        return Err(unusable(rusqlite::Error::SqliteFailure(corrupt, Some(sentence))));
    }
    Ok(log)
}

/// Whether the file itself is damaged, as opposed to a disk that is full or a right that is missing.
fn is_broken(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, QueryReturnedNoRows,
    };
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, Unknown};
    // Unknown is how a missing table or column is reported.
    let by_code = error.sqlite_error_code();
    matches!(by_code, Some(DatabaseCorrupt | NotADatabase | Unknown))
        || matches!(error, FromSqlConversionFailure(..) | IntegralValueOutOfRange(..))
        || matches!(error, InvalidColumnType(..) | QueryReturnedNoRows)
}
