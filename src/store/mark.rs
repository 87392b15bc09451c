//! A mark for what the database cannot be told when the disk takes nothing.
//!
//! Normally the database knows what a crash may take: the types that are published without waiting, and
//! up to where ids are reserved. While the disk fails, a type may be published for the first time, and
//! ids pass what is reserved; and whoever starts on such a disk cannot even note that it has. To take a
//! file away needs no room, so that is done then; and whoever starts and does not find the file takes
//! everything up to now for unsure.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use parking_lot::Mutex;

/// The file, if there is to be one.
#[derive(Debug, Default)]
pub(super) struct Mark {
    path: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Absent,
    Set,
    /// It should not be there, and cannot be removed.
    Stuck,
}

impl Mark {
    /// Sets it, for a process whose database knows everything. If the disk has no room for it, that is
    /// made up for by [`Self::set_if`].
    pub fn set(path: PathBuf) -> Self {
        let mark = Self { path: Some(path), state: Mutex::default() };
        mark.set_if(|| true);
        mark
    }

    /// Takes away what an earlier process has set, for one that cannot write to its database.
    pub fn removed(path: PathBuf) -> Self {
        let mark = Self { path: Some(path), state: Mutex::new(State::Set) };
        mark.remove();
        mark
    }

    /// From now on the database does not know everything.
    pub fn remove(&self) {
        let mut state = self.state.lock();
        let Some(path) = self.path.as_ref().filter(|_| *state != State::Absent) else { return };
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                if *state == State::Set {
                    log::error!("cannot remove {}: {error}", path.display());
                }
                *state = State::Stuck;
            }
            _ => *state = State::Absent,
        }
    }

    /// Sets it again, if the database knows everything. A failure is no loss: it is tried again.
    pub fn set_if(&self, knows_all: impl FnOnce() -> bool) {
        let mut state = self.state.lock();
        let Some(path) = self.path.as_ref().filter(|_| *state != State::Set) else { return };
        if knows_all() && File::create(path).is_ok() {
            *state = State::Set;
        }
    }
}
