//! The connections to the library's database: one that writes, and some that read beside it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, Transaction};

use super::schema::{self, SchemaError};
use crate::store::{is_broken, set_aside};

/// Connections that read and are kept for the next reader.
const IDLE_READERS: usize = 4;

/// How long somebody waits for another process that looks at the database, such as its owner's shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// One that writes, and some that read.
#[derive(Debug)]
pub(super) struct Connections {
    writer: Mutex<Connection>,
    /// Where readers find the database; none if it is in memory, where the writer's connection is all
    /// there is.
    path: Option<PathBuf>,
    readers: Mutex<Vec<Connection>>,
}

impl Connections {
    /// Opens the database at this path, and makes it if there is none.
    pub fn open(path: &Path, now_ms: u64) -> io::Result<Self> {
        let opened = match open(path) {
            Err(SchemaError::Database(error)) if is_broken(&error) => {
                let aside = set_aside(path, now_ms)?;
                log::error!(
                    "the database {} is broken ({error}); it is now {}, and a new one is begun",
                    path.display(),
                    aside.display()
                );
                open(path)
            }
            opened => opened,
        };
        match opened {
            Ok(writer) => {
                let (writer, path) = (Mutex::new(writer), Some(path.to_owned()));
                Ok(Self { writer, path, readers: Mutex::default() })
            }
            Err(error @ SchemaError::Newer(_)) => {
                Err(io::Error::other(format!("the database {}: {error}", path.display())))
            }
            Err(SchemaError::Database(error)) => {
                log::error!(
                    "cannot use the database {}: {error}; until the next start summaries are kept in \
                     memory only",
                    path.display()
                );
                Self::in_memory().map_err(io::Error::other)
            }
        }
    }

    /// A database that is gone with the process.
    pub fn in_memory() -> Result<Self, SchemaError> {
        let mut writer = Connection::open_in_memory()?;
        schema::migrate(&mut writer)?;
        Ok(Self { writer: Mutex::new(writer), path: None, readers: Mutex::default() })
    }

    /// Changes something, wholly or not at all.
    pub fn write<T, E: From<rusqlite::Error>>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut writer = self.writer.lock();
        let transaction = writer.transaction()?;
        let changed = change(&transaction)?;
        transaction.commit()?;
        Ok(changed)
    }

    /// Looks at something, as it is at one moment.
    pub fn read<T>(
        &self,
        look: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let Some(path) = &self.path else {
            let writer = self.writer.lock();
            return look(&writer);
        };
        let idle = self.readers.lock().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => open_to_read(path)?,
        };
        let transaction = connection.transaction()?;
        let seen = look(&transaction);
        drop(transaction);
        let mut readers = self.readers.lock();
        // One that has failed is not used again.
        if seen.is_ok() && readers.len() < IDLE_READERS {
            readers.push(connection);
        }
        seen
    }
}

fn open(path: &Path) -> Result<Connection, SchemaError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    schema::migrate(&mut connection)?;
    Ok(connection)
}

fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}
