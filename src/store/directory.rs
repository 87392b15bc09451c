//! The data directory: one process at a time, and what is broken is put aside.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::OpenError;
use crate::shutdown::Shutdown;

/// How often a directory that is in use is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A data directory that belongs to this process until it is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Locked as long as it is open; the kernel lets go of it even after a crash.
    _lock: File,
}

impl Directory {
    /// Creates the directory if need be, and waits for an earlier process to let go of it, or until this
    /// one is told to stop.
    pub fn open(path: &Path, at_most: Duration, stop: &Shutdown) -> Result<Self, OpenError> {
        let unusable = |source| OpenError::Directory { path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("lock"));
        let lock = lock.map_err(unusable)?;
        let deadline = Instant::now() + at_most;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { path: path.to_owned(), _lock: lock }),
                Err(TryLockError::Error(source)) => return Err(unusable(source)),
                Err(TryLockError::WouldBlock) => {
                    if Instant::now() >= deadline || stop.wait_for(LOOK_AGAIN) {
                        return Err(OpenError::InUse { path: path.to_owned() });
                    }
                }
            }
        }
    }

    /// Where the database is.
    pub fn database(&self) -> PathBuf {
        self.path.join("tidings.db")
    }

    /// Where the file is that says that the database knows what a crash may have taken.
    pub fn mark(&self) -> PathBuf {
        self.path.join("certain")
    }

    /// When the database was last written, by the clock of that time, in milliseconds since 1970.
    pub fn last_written_ms(&self) -> u64 {
        let written = |path: &Path| {
            let since_epoch = fs::metadata(path).ok()?.modified().ok()?.duration_since(UNIX_EPOCH);
            u64::try_from(since_epoch.ok()?.as_millis()).ok()
        };
        let database = self.database();
        written(&with(&database, "-wal")).max(written(&database)).unwrap_or(0)
    }

    /// Puts a broken database out of the way, for people to look at; returns where it is now.
    pub fn set_aside(&self, unix_ms: u64) -> io::Result<PathBuf> {
        let broken = self.path.join(format!("tidings.db.broken-{unix_ms}"));
        fs::rename(self.database(), &broken)?;
        for suffix in ["-wal", "-shm"] {
            match fs::rename(with(&self.database(), suffix), with(&broken, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(broken)
    }
}

/// A file's path with more at its end, whatever characters it has.
fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const A_MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_directory_has_one_owner_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let first = Directory::open(&path, Duration::ZERO, &Shutdown::new()).unwrap();
        let second = Directory::open(&path, Duration::ZERO, &Shutdown::new());
        assert!(matches!(second, Err(OpenError::InUse { .. })), "{second:?}");
        let waiting = thread::spawn({
            let path = path.clone();
            move || Directory::open(&path, A_MINUTE, &Shutdown::new()).map(drop)
        });
        drop(first);
        waiting.join().unwrap().unwrap();
    }

    #[test]
    fn whoever_is_told_to_stop_waits_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let _owner = Directory::open(folder.path(), Duration::ZERO, &Shutdown::new()).unwrap();
        let stop = Shutdown::new();
        stop.trigger();
        let started = Instant::now();
        assert!(Directory::open(folder.path(), A_MINUTE, &stop).is_err());
        assert!(started.elapsed() < A_MINUTE);
    }

    #[test]
    fn what_is_no_directory_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let opened = Directory::open(file.path(), Duration::ZERO, &Shutdown::new());
        assert!(matches!(opened, Err(OpenError::Directory { .. })), "{opened:?}");
    }
}
