//! How the life of a process begins in its log: at once, or, on a disk that takes nothing, as soon as it
//! takes something.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::directory::{Directory, read_through, set_aside};
use super::event_log::{EventLog, Recent, Size};
use super::schema;
use super::writer;
use super::{OpenError, is_broken};
use crate::clock::Clock;
use crate::event::EventId;
use crate::hub::{GapReason, Past};
use crate::shutdown::Shutdown;

/// A log in which the life of this process has begun.
#[derive(Debug)]
pub(super) struct Life {
    pub log: EventLog,
    pub reserved_ms: u64,
    pub past: Past,
    pub begins_after: (EventId, GapReason),
}

/// What a process knows that cannot write to its log.
#[derive(Debug)]
pub(super) struct Glimpse {
    pub past: Past,
    pub begins_after: (EventId, GapReason),
    pub size: Size,
    /// There is nothing in it, or there is none.
    pub is_empty: bool,
}

/// A life that is to begin in the log, now or later.
#[derive(Debug)]
pub(super) struct Birth {
    directory: Arc<Directory>,
    recent: Recent,
    clock: Arc<dyn Clock>,
    /// How long an earlier process is waited for.
    lock_wait: Duration,
    stop: Shutdown,
    found: Option<Found>,
}

/// How things were before this process changed any of them.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// The log knows what earlier processes may have lost.
    is_certain: bool,
    /// Ids up to here may have been given that the log does not know of.
    given_ms: u64,
    /// A log that has nothing from before begins after this.
    begins_after: EventId,
    /// The same, if there was one, which is broken.
    begins_anew_after: EventId,
}

/// Up to this size a database is looked through after a crash.
const CHECKED_BYTES: u64 = 64 << 20;

impl Birth {
    pub fn new(
        directory: Arc<Directory>,
        recent: Recent,
        clock: Arc<dyn Clock>,
        lock_wait: Duration,
        stop: &Shutdown,
    ) -> Self {
        Self { directory, recent, clock, lock_wait, stop: stop.clone(), found: None }
    }

    /// Where the log is to be.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Opens the log and begins the life in it; a broken one is put aside and a new one begun. This
    /// process has given no id later than `newest_ms`, or than what the clock shows.
    pub fn begin(&mut self, newest_ms: u64) -> Result<Life, OpenError> {
        self.directory.claim(std::mem::take(&mut self.lock_wait), &self.stop)?;
        if self.found.is_none() {
            // Not later: what is closed here must not be open in a reader.
            self.directory.check_rights()?;
        }
        let found = self.look_around();
        let path = self.directory.database();
        match self.try_begin(newest_ms, found.begins_after) {
            Err(OpenError::Database { source, .. }) if is_broken(&source) => {
                let unusable = |source| OpenError::Directory { path: path.clone(), source };
                read_through(&path).map_err(unusable)?;
                let aside = set_aside(&path, self.clock.unix_ms()).map_err(unusable)?;
                log::error!(
                    "the database {} is broken ({source}); it is now {}, and a new one is begun",
                    path.display(),
                    aside.display()
                );
                self.try_begin(newest_ms, found.begins_anew_after)
            }
            outcome => outcome,
        }
    }

    fn look_around(&mut self) -> Found {
        let (directory, unix_ms) = (&self.directory, self.clock.unix_ms());
        *self.found.get_or_insert_with(|| {
            // What was not reserved in the log is known to nobody; but none is given further ahead.
            let given_ms = unix_ms.max(directory.last_written_ms()) + writer::RESERVED_MS;
            Found {
                is_certain: directory.mark().exists(),
                given_ms,
                begins_after: EventId { ms: unix_ms, n: 0 },
                begins_anew_after: EventId { ms: given_ms, n: u32::MAX },
            }
        })
    }

    /// Opens the log, or begins an empty one. All that a start reads is read here, since damage may show
    /// wherever one looks.
    fn try_begin(&mut self, newest_ms: u64, begins_after: EventId) -> Result<Life, OpenError> {
        let path = self.directory.database();
        let mut log = try_open(&path, begins_after)?;
        let is_certain = log.is_new() || self.found.is_some_and(|found| found.is_certain);
        self.found = self.found.map(|found| Found { is_certain, ..found });
        let mut read = || Ok((log.is_clean()?, self.read(&mut log, newest_ms)?));
        let unusable = |source| OpenError::Database { path: path.clone(), source };
        let (is_clean, (reserved_ms, past, begins_after)) = read().map_err(unusable)?;
        if !(is_clean && is_certain) {
            log::warn!(
                "the process before did not end in order; clients that may have missed something are \
                 told so when they return"
            );
        }
        Ok(Life { log, reserved_ms, past, begins_after })
    }

    /// Begins the life in an open log.
    fn read(
        &self,
        log: &mut EventLog,
        newest_ms: u64,
    ) -> rusqlite::Result<(u64, Past, (EventId, GapReason))> {
        let unix_ms = self.clock.unix_ms();
        if let Some(found) = self.found.filter(|found| !found.is_certain) {
            log.know_nothing(found.given_ms)?;
        }
        let last = log.last()?;
        let reserved_ms = writer::reservation(unix_ms, last.ms.max(newest_ms));
        log.begin(reserved_ms)?;
        // What the crash of the process before has made unsure is known only now.
        Ok((reserved_ms, log.past(last, self.recent, unix_ms)?, log.begins_after()?))
    }

    /// What is known while nothing can be written: what the log says, if it can be read. From here on
    /// this process gives ids that no log knows of.
    pub fn glimpse(&mut self) -> Glimpse {
        let found = self.look_around();
        let glimpse = match self.peek() {
            Ok(Some(glimpse)) => glimpse,
            Ok(None) => Glimpse::nothing_after(found.begins_after, true),
            Err(error) => {
                log::error!("what was kept cannot be read either: {error}");
                Glimpse::nothing_after(found.begins_anew_after, false)
            }
        };
        let last = glimpse.past.last;
        self.found = Some(Found { begins_after: last, begins_anew_after: last, ..found });
        glimpse
    }

    /// Looks into the log as if the life began in it, and leaves it as it is. None: there is nothing.
    fn peek(&self) -> rusqlite::Result<Option<Glimpse>> {
        let Some(mut log) = EventLog::peek(&self.directory.database())? else { return Ok(None) };
        let (_, past, begins_after) = self.read(&mut log, 0)?;
        Ok(Some(Glimpse { past, begins_after, size: log.size(), is_empty: false }))
    }
}

impl Glimpse {
    /// Nothing is known of the time up to here.
    fn nothing_after(last: EventId, is_empty: bool) -> Self {
        let past = Past {
            last,
            unknown_up_to: last,
            unknown_because: GapReason::Restart,
            recent_after: last,
            ..Past::default()
        };
        Self { past, begins_after: (last, GapReason::Restart), size: Size::default(), is_empty }
    }
}

fn try_open(path: &Path, begins_after: EventId) -> Result<EventLog, OpenError> {
    let unusable = |source| OpenError::Database { path: path.to_owned(), source };
    if path.exists() {
        let found = rusqlite::Connection::open(path).and_then(|file| schema::version(&file));
        let (found, known) = (found.map_err(unusable)?, schema::VERSION);
        if found > known {
            return Err(OpenError::Newer { path: path.to_owned(), found, known });
        }
    }
    let log = EventLog::open(path, begins_after).map_err(unusable)?;
    let is_small = path.metadata().is_ok_and(|file| file.len() <= CHECKED_BYTES);
    if is_small && !log.is_clean().map_err(unusable)? && !log.is_whole().map_err(unusable)? {
        let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        let sentence = "its pages do not fit together".to_owned();
        return Err(unusable(rusqlite::Error::SqliteFailure(corrupt, Some(sentence))));
    }
    Ok(log)
}
