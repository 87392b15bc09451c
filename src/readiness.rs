//! Tells which descriptors have something to read, for one thread that waits for many of them.
//!
//! epoll or kqueue through the `polling` crate, and the only place in the program that is `unsafe`:
//! the kernel must not be left watching a descriptor that was closed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use polling::{Event, Events, PollMode, Poller};

/// What the kernel watches for one thread. Any thread may add and remove.
#[derive(Debug)]
pub struct Readiness(Poller);

impl Readiness {
    /// Watches nothing yet. Fails when the process is out of descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Poller::new()?))
    }

    /// Tells once whenever something has come to read, or the other end has closed. Whoever adds a
    /// descriptor removes it before it is closed, and keeps it open until then.
    pub fn add(&self, descriptor: BorrowedFd<'_>, key: u64) -> io::Result<()> {
        self.watch(descriptor, key, PollMode::Edge)
    }

    /// Tells as long as there is something to read. Otherwise like [`Self::add`].
    pub fn add_insistent(&self, descriptor: BorrowedFd<'_>, key: u64) -> io::Result<()> {
        self.watch(descriptor, key, PollMode::Level)
    }

    fn watch(&self, descriptor: BorrowedFd<'_>, key: u64, mode: PollMode) -> io::Result<()> {
        // SAFETY: the descriptor must be removed before it is closed. Those who add one hold what
        // owns it: `hub` in the guard that removes it when a stream leaves, `serve` in the table
        // from which it is taken when it is removed.
        #[allow(unsafe_code)]
        unsafe {
            self.0.add_with_mode(&descriptor, Event::readable(key as usize), mode)
        }
    }

    /// Watches no longer. One that was never added is none to be removed.
    pub fn remove(&self, descriptor: impl AsFd) {
        let _ = self.0.delete(descriptor.as_fd());
    }

    /// Waits until there is something to read, someone calls [`Self::wake`], or it takes longer than
    /// `at_most`; returns the keys of what there is.
    pub fn wait(&self, at_most: Option<Duration>) -> io::Result<Vec<u64>> {
        let mut events = Events::new();
        self.0.wait(&mut events, at_most)?;
        Ok(events.iter().map(|event| event.key as u64).collect())
    }

    /// Ends the present or the next wait.
    pub fn wake(&self) {
        // Whoever cannot be woken wakes by itself, when its wait has lasted long enough.
        let _ = self.0.notify();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_has_something_to_read_is_told_until_it_is_removed() {
        let readiness = Readiness::new().unwrap();
        let (mut theirs, ours) = UnixStream::pair().unwrap();
        readiness.add_insistent(ours.as_fd(), 7).unwrap();
        let told = || readiness.wait(Some(Duration::ZERO)).unwrap();
        assert!(told().is_empty());
        theirs.write_all(b"x").unwrap();
        assert_eq!((told(), told()), (vec![7], vec![7]));
        readiness.remove(&ours);
        assert!(told().is_empty());
    }

    #[test]
    fn a_hang_up_is_told_once() {
        let readiness = Readiness::new().unwrap();
        let (theirs, ours) = UnixStream::pair().unwrap();
        readiness.add(ours.as_fd(), 7).unwrap();
        drop(theirs);
        let told = || readiness.wait(Some(Duration::ZERO)).unwrap();
        assert_eq!((told(), told()), (vec![7], vec![]));
        readiness.remove(&ours);
    }

    #[test]
    fn a_wake_ends_a_wait_without_limit() {
        let readiness = Readiness::new().unwrap();
        readiness.wake();
        assert!(readiness.wait(None).unwrap().is_empty());
    }
}
