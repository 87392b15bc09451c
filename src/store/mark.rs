//! A mark for what the database cannot be told when the disk takes nothing.
//!
//! Normally the database knows what a crash may take: the types that are published without waiting, and
//! up to where ids are reserved. While the disk fails, a type may be published for the first time, and
//! ids pass what is reserved. To take a file away needs no room, so that is done then; and whoever starts
//! after a crash and does not find the file takes everything up to now for unsure.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use parking_lot::Mutex;

/// The file, if there is to be one.
#[derive(Debug, Default)]
pub(super) struct Mark {
    path: Option<PathBuf>,
    is_set: Mutex<bool>,
}

impl Mark {
    /// Sets it, for a process whose database knows everything.
    pub fn set(path: PathBuf) -> io::Result<Self> {
        File::create(&path)?;
        Ok(Self { path: Some(path), is_set: Mutex::new(true) })
    }

    /// From now on the database does not know everything.
    pub fn remove(&self) {
        let mut is_set = self.is_set.lock();
        let Some(path) = self.path.as_ref().filter(|_| *is_set) else { return };
        match fs::remove_file(path) {
            Ok(()) => *is_set = false,
            Err(error) => log::error!("cannot remove {}: {error}", path.display()),
        }
    }

    /// Sets it again, if the database knows everything. A failure is no loss: it is tried again.
    pub fn set_if(&self, knows_all: impl FnOnce() -> bool) {
        let mut is_set = self.is_set.lock();
        let Some(path) = self.path.as_ref().filter(|_| !*is_set) else { return };
        *is_set = knows_all() && File::create(path).is_ok();
    }
}
