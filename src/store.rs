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
mod life;
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

pub(crate) use self::directory::set_aside;

use self::directory::Directory;
use self::event_log::EventLog;
use self::life::{Birth, Glimpse, Life};
use self::mark::Mark;
use self::reader::Readers;
use self::writer::Desk;
use crate::clock::Clock;
use crate::event::subscription::Subscription;
use crate::event::{Event, EventId, EventName};
use crate::hub::{Asked, GapReason, Journal, Page, Past, Remains};
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
    /// The directory, or a file in it, cannot be made or used: its rights, a file in its place, a full
    /// disk.
    #[error("cannot use the data directory: {}: {source}", .path.display())]
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

impl OpenError {
    /// Whether the disk is to blame and may take later what it does not take now. All else is a mistake
    /// that somebody must know of before anything begins.
    fn may_pass(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DiskFull, ReadOnly, SystemIoFailure};
        match self {
            Self::InUse { .. } | Self::Newer { .. } => false,
            Self::Directory { source, .. } => is_the_disks(source),
            Self::Database { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(CannotOpen | DatabaseBusy | DiskFull | ReadOnly | SystemIoFailure)
            ),
        }
    }
}

/// Whether an error comes of a disk that is full, over a quota or failing; a failing one is often made
/// read-only by the system.
fn is_the_disks(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull, TimedOut};
    matches!(
        error.kind(),
        FileTooLarge | QuotaExceeded | ReadOnlyFilesystem | StorageFull | TimedOut
    ) || rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::IO)
}

/// The open store. Cheap to clone. Dropping it without [`Store::close`] is a crash to its successor.
#[derive(Debug, Clone)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    desk: Arc<Desk>,
    readers: Readers,
    /// Gives the log back when it ends, if there is one by then.
    writer: Mutex<Option<JoinHandle<Option<EventLog>>>>,
    /// Claimed as long as anything is written.
    _directory: Arc<Directory>,
}

impl Store {
    /// Opens the store in `path` and tells what the hub that goes on from it needs to know. A disk that
    /// takes nothing is no reason to stand still: then the log is opened as soon as there is room.
    pub fn open(
        path: &Path,
        limits: &Limits,
        recent: Recent,
        clock: Arc<dyn Clock>,
        stop: &Shutdown,
    ) -> Result<(Self, Past), OpenError> {
        let directory = Arc::new(Directory::at(path));
        let mut birth =
            Birth::new(directory.clone(), recent, clock.clone(), limits.lock_wait, stop);
        match birth.begin(0) {
            Ok(Life { log, reserved_ms, past, begins_after }) => {
                let mut desk = Desk::new(limits, clock, reserved_ms, begins_after, log.size());
                desk.mark = Mark::set(directory.mark());
                Self::start(desk, Ok(log), directory).map(|store| (store, past))
            }
            Err(error) if error.may_pass() => Self::begin_later(limits, clock, birth, &error),
            Err(error) => Err(error),
        }
    }

    /// Goes on without a log, until it lets itself be opened.
    fn begin_later(
        limits: &Limits,
        clock: Arc<dyn Clock>,
        mut birth: Birth,
        error: &OpenError,
    ) -> Result<(Self, Past), OpenError> {
        log::error!("{error}; events are delivered, and kept as soon as that is possible");
        let Glimpse { past, begins_after, size, is_empty } = birth.glimpse();
        let directory = birth.directory().clone();
        let mark = Mark::removed(directory.mark());
        let desk = Desk::new(limits, clock, past.last.ms, begins_after, size);
        let desk = desk.without_log(error.to_string(), is_empty, mark);
        Self::start(desk, Err(birth), directory).map(|store| (store, past))
    }

    fn start(
        desk: Desk,
        log: Result<EventLog, Birth>,
        directory: Arc<Directory>,
    ) -> Result<Self, OpenError> {
        let desk = Arc::new(desk);
        let readers = Readers::new(directory.database());
        let writer = writer::start(desk.clone(), log)
            .map_err(|source| OpenError::Directory { path: directory.database(), source })?;
        let writer = Mutex::new(Some(writer));
        Ok(Self(Arc::new(Shared { desk, readers, writer, _directory: directory })))
    }

    /// Writes what waits and what the hub leaves, and ends in order.
    pub fn close(&self, remains: &Remains) -> io::Result<()> {
        self.0.desk.stop();
        let Some(writer) = self.0.writer.lock().take() else { return Ok(()) };
        let log = writer.join().map_err(|_| io::Error::other("the store's thread panicked"))?;
        if let Some(trouble) = self.trouble() {
            return Err(io::Error::other(trouble));
        }
        let Some(mut log) = log else { return Ok(()) };
        log.end(remains).map_err(io::Error::other)?;
        // Whatever the mark could not be set for is in the log now.
        self.0.desk.mark.set_if(|| true);
        Ok(())
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
        if self.0.desk.is_empty() {
            return Ok(Page { events: Vec::new(), complete_to: up_to });
        }
        self.0.readers.read(after, up_to, subscription, limit).map_err(io::Error::other)
    }

    fn find(&self, id: EventId) -> io::Result<Option<Arc<Event>>> {
        if self.0.desk.is_empty() {
            return Ok(None);
        }
        self.0.readers.find(id).map_err(io::Error::other)
    }

    fn age(&self) -> Duration {
        self.0.desk.age()
    }

    fn asked_before(&self) -> Vec<Asked> {
        self.0.desk.asked_before()
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

/// Whether the file itself is damaged, as opposed to a disk that is full or a right that is missing.
pub(crate) fn is_broken(error: &rusqlite::Error) -> bool {
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
