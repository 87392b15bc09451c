//! The data directory: one process at a time, and what is broken is put aside.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant, UNIX_EPOCH};

use super::OpenError;
use crate::shutdown::Shutdown;

/// How often a directory that is in use is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A data directory that belongs to this process from when it is claimed until it is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Locked as long as it is open; the kernel lets go of it even after a crash.
    lock: OnceLock<File>,
}

impl Directory {
    /// The directory at this path, which is nobody's yet.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: OnceLock::new() }
    }

    /// Makes it this process's, unless it is already: creates it if need be, and waits for an earlier
    /// process to let go of it, or until this one is told to stop.
    pub fn claim(&self, at_most: Duration, stop: &Shutdown) -> Result<(), OpenError> {
        if self.lock.get().is_some() {
            return Ok(());
        }
        let path = &self.path;
        let unusable = |source| OpenError::Directory { path: path.clone(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("lock"));
        let lock = lock.map_err(unusable)?;
        let deadline = Instant::now() + at_most;
        let mut has_waited = false;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(unusable(source)),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(OpenError::InUse { path: path.clone() });
                }
                Err(TryLockError::WouldBlock) => {}
            }
            if !std::mem::replace(&mut has_waited, true) {
                log::info!(
                    "waiting at most {} s for another process to let go of the data directory {}",
                    at_most.as_secs(),
                    path.display()
                );
            }
            if stop.wait_for(LOOK_AGAIN) {
                return Err(OpenError::InUse { path: path.clone() });
            }
        }
        let _ = self.lock.set(lock);
        Ok(())
    }

    /// Fails if there are files of the database that this process may not read and write, which no
    /// waiting makes right.
    pub fn check_rights(&self) -> Result<(), OpenError> {
        let database = self.database();
        for path in [with(&database, "-wal"), with(&database, "-shm"), database] {
            match File::options().read(true).write(true).open(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(OpenError::Directory { path, source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Where the database is.
    pub fn database(&self) -> PathBuf {
        self.path.join("tidings.db")
    }

    /// Where the file is that says that the database knows what a crash may have taken.
    pub fn mark(&self) -> PathBuf {
        self.path.join("certain")
    }

    /// When the database was last written, or a file here made or taken away, by the clock of that time,
    /// in milliseconds since 1970.
    pub fn last_written_ms(&self) -> u64 {
        let written = |path: &Path| {
            let since_epoch = fs::metadata(path).ok()?.modified().ok()?.duration_since(UNIX_EPOCH);
            u64::try_from(since_epoch.ok()?.as_millis()).ok()
        };
        let database = self.database();
        let files = [&with(&database, "-wal"), &database, &self.path];
        files.into_iter().filter_map(|path| written(path)).max().unwrap_or(0)
    }
}

/// Puts a broken database out of the way, for people to look at; returns where it is now.
pub(crate) fn set_aside(database: &Path, unix_ms: u64) -> io::Result<PathBuf> {
    let broken = with(database, &format!(".broken-{unix_ms}"));
    fs::rename(database, &broken)?;
    for suffix in ["-wal", "-shm"] {
        match fs::rename(with(database, suffix), with(&broken, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(broken)
}

/// Reads a database's files to their ends, which a healthy disk can: on another one, a database may seem
/// broken that is not.
pub(super) fn read_through(database: &Path) -> io::Result<()> {
    for path in [database.to_owned(), with(database, "-wal")] {
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        let (mut piece, mut at) = (vec![0; 64 << 10], 0);
        loop {
            match file.read_at(&mut piece, at)? {
                0 => break,
                read => at += read as u64,
            }
        }
    }
    Ok(())
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

    fn claimed(path: &Path, at_most: Duration, stop: &Shutdown) -> Result<Directory, OpenError> {
        let directory = Directory::at(path);
        directory.claim(at_most, stop).map(|()| directory)
    }

    #[test]
    fn a_directory_has_one_owner_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let first = claimed(&path, Duration::ZERO, &Shutdown::new()).unwrap();
        let second = claimed(&path, Duration::ZERO, &Shutdown::new());
        assert!(matches!(second, Err(OpenError::InUse { .. })), "{second:?}");
        let waiting = thread::spawn({
            let path = path.clone();
            move || claimed(&path, A_MINUTE, &Shutdown::new()).map(drop)
        });
        drop(first);
        waiting.join().unwrap().unwrap();
    }

    #[test]
    fn whoever_is_told_to_stop_waits_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let _owner = claimed(folder.path(), Duration::ZERO, &Shutdown::new()).unwrap();
        let stop = Shutdown::new();
        stop.trigger();
        let started = Instant::now();
        assert!(claimed(folder.path(), A_MINUTE, &stop).is_err());
        assert!(started.elapsed() < A_MINUTE);
    }

    #[test]
    fn files_are_read_to_their_ends() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("tidings.db");
        read_through(&database).unwrap();
        fs::write(&database, vec![7; 200_000]).unwrap();
        read_through(&database).unwrap();
        // What cannot be read here stands for what a disk cannot read.
        fs::create_dir(with(&database, "-wal")).unwrap();
        assert!(read_through(&database).is_err());
    }

    #[test]
    fn what_is_no_directory_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let opened = claimed(file.path(), Duration::ZERO, &Shutdown::new());
        assert!(matches!(opened, Err(OpenError::Directory { .. })), "{opened:?}");
    }
}
