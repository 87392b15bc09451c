//! Records: what has a present state rather than a history, such as jobs, batches and queues.
//!
//! A record is a kind, an id and a text that is overwritten whole. They lie in a database of their own beside
//! the event log, and one thread writes them in batches: what has come together while one batch is written is
//! the next, and of several states of one record only the last is written. Whoever puts a record may say what is
//! to be done once it is on disk; so nobody is shown what a crash would take back.
//!
//! A disk that fails does not stop anything: what is to be done is done, what was to be written waits in
//! memory (each record once) and is tried again every second, and [`Records::trouble`] tells of it.

// The table.
mod table;

// What waits for the writer, and the writer.
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use self::table::Table;
use self::writer::Tray;
use super::directory::{read_through, set_aside};
use super::{Limits, Sync, is_broken};
use crate::clock::Clock;
use crate::event::topic::Identifier;
use crate::histogram::Distribution;

/// What a record is of: the first half of its name.
pub type Kind = &'static str;

/// A record as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is of.
    pub kind: String,
    /// Which one.
    pub id: Identifier,
    /// Its state, in its owner's form.
    pub text: String,
}

/// What is done when a record's state is on disk, or is known not to be for now. It runs on the writer's
/// thread, in the order of the states.
pub type Then = Box<dyn FnOnce(Result<(), &str>) + Send>;

/// How sure a state is to be before it counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// It survives a crash of the process.
    Process,
    /// It survives a loss of power, if the settings want that at all.
    Power,
}

/// The records at one moment.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// States that wait for the disk.
    pub waiting: usize,
    /// Tries that failed.
    pub failures: u64,
    /// How long each batch took to be written, in microseconds.
    pub commits: Distribution,
}

/// A place in the order in which states are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// Keeps records. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Records(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tray: Arc<Tray>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Records {
    /// Keeps records in memory only: what is put is at once as sure as it will ever be.
    pub fn in_memory() -> io::Result<Self> {
        Self::start(Tray::new(0, Sync::Normal), None)
    }

    /// Opens the records in `folder`, which belongs to this process, and returns those that are there.
    ///
    /// A broken database is put aside and a new one begun. One that cannot be written to now (the disk is
    /// full) is tried again later; what it has is found if it can be read.
    pub fn open(
        folder: &Path,
        limits: &Limits,
        clock: &dyn Clock,
    ) -> io::Result<(Self, Vec<Record>)> {
        let path = folder.join("records.db");
        let tray = Tray::new(limits.pending_events, limits.sync);
        let opened = Table::open(&path).and_then(|table| Ok((table.all()?, table)));
        let opened = match opened {
            Err(error) if is_broken(&error) && read_through(&path).is_ok() => {
                let aside = set_aside(&path, clock.unix_ms())?;
                log::error!(
                    "the database {} is broken ({error}); it is now {}, and a new one is begun",
                    path.display(),
                    aside.display()
                );
                Table::open(&path).map(|table| (Vec::new(), table))
            }
            opened => opened,
        };
        let (found, table) = match opened {
            Ok((found, table)) => (found, Some(table)),
            Err(error) => {
                log::error!("cannot use the database {}: {error}", path.display());
                tray.note_trouble(&error.to_string());
                let found = Table::peek(&path).unwrap_or_else(|error| {
                    log::error!("and what it has cannot be read either: {error}");
                    Vec::new()
                });
                (found, None)
            }
        };
        Ok((Self::start(tray, Some((path, table)))?, found))
    }

    fn start(tray: Tray, place: Option<(PathBuf, Option<Table>)>) -> io::Result<Self> {
        let tray = Arc::new(tray);
        let run = {
            let tray = tray.clone();
            move || writer::run(&tray, place)
        };
        let writer = std::thread::Builder::new().name("records".into()).spawn(run)?;
        Ok(Self(Arc::new(Shared { tray, writer: Mutex::new(Some(writer)) })))
    }

    /// Takes a record's new state. Never waits.
    pub fn put(
        &self,
        kind: Kind,
        id: &Identifier,
        text: String,
        certainty: Certainty,
        then: Option<Then>,
    ) -> Ticket {
        self.0.tray.put((kind, id.clone()), Some(text), certainty, then)
    }

    /// Takes a record away. Never waits.
    pub fn remove(&self, kind: Kind, id: &Identifier) -> Ticket {
        self.0.tray.put((kind, id.clone()), None, Certainty::Process, None)
    }

    /// The place of what was put last, by whomever.
    pub fn latest(&self) -> Ticket {
        self.0.tray.latest()
    }

    /// Waits until everything up to there is on disk; zero: as long as it takes. Fails, with a sentence for
    /// whoever asked, when the disk does not take it.
    pub fn await_written(&self, ticket: Ticket, at_most: Duration) -> Result<(), String> {
        self.0.tray.await_written(ticket, at_most)
    }

    /// Whether more is welcome: `false` while too much waits for the disk.
    pub fn has_room(&self) -> bool {
        self.0.tray.has_room()
    }

    /// The numbers of this moment.
    pub fn figures(&self) -> Figures {
        self.0.tray.figures()
    }

    /// What is wrong with the disk at present, in a sentence.
    pub fn trouble(&self) -> Option<String> {
        self.0.tray.trouble()
    }

    /// Writes what waits and ends.
    pub fn close(&self) -> io::Result<()> {
        self.0.tray.stop();
        if let Some(writer) = self.0.writer.lock().take() {
            writer.join().map_err(|_| io::Error::other("the thread for records panicked"))?;
        }
        self.trouble().map_or(Ok(()), |trouble| Err(io::Error::other(trouble)))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.tray.stop();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::clock::SystemClock;

    const A_MINUTE: Duration = Duration::from_secs(60);

    fn id(text: &str) -> Identifier {
        text.parse().unwrap()
    }

    fn open(folder: &Path) -> (Records, Vec<Record>) {
        Records::open(folder, &Limits::default(), &SystemClock).unwrap()
    }

    fn put(records: &Records, name: &str, text: &str) -> Ticket {
        records.put("job", &id(name), text.into(), Certainty::Process, None)
    }

    fn names(found: &[Record]) -> Vec<String> {
        let mut names: Vec<_> =
            found.iter().map(|record| format!("{}={}", record.id, record.text)).collect();
        names.sort();
        names
    }

    #[test]
    fn a_record_is_found_again_in_its_last_state() {
        let folder = tempfile::tempdir().unwrap();
        let (records, found) = open(folder.path());
        assert_eq!(found, []);
        put(&records, "a", "1");
        put(&records, "b", "1");
        put(&records, "a", "2");
        let ticket = records.remove("job", &id("b"));
        records.await_written(ticket, A_MINUTE).unwrap();
        // Not closed: as after a crash.
        std::mem::forget(records);
        assert_eq!(names(&open(folder.path()).1), ["a=2"]);
    }

    #[test]
    fn what_is_to_be_done_is_done_in_order_and_when_it_is_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let (records, _) = open(folder.path());
        let (done, order) = mpsc::channel();
        for n in 0..100 {
            let (done, path) = (done.clone(), folder.path().to_owned());
            let then = move |written: Result<(), &str>| {
                let file = rusqlite::Connection::open(path.join("records.db")).unwrap();
                let on_disk = file.query_row("SELECT text FROM record", [], |row| {
                    Ok(row.get::<_, String>(0)?.parse::<u32>().unwrap())
                });
                done.send((n, written.is_ok(), on_disk.unwrap() >= n)).unwrap();
            };
            records.put("n", &id("n"), n.to_string(), Certainty::Process, Some(Box::new(then)));
        }
        for n in 0..100 {
            assert_eq!(order.recv_timeout(A_MINUTE), Ok((n, true, true)));
        }
    }

    #[test]
    fn a_broken_file_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("records.db"), "no database at all".repeat(100)).unwrap();
        let (records, found) = open(folder.path());
        assert_eq!(found, []);
        let ticket = put(&records, "a", "1");
        records.await_written(ticket, A_MINUTE).unwrap();
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert!(names.iter().any(|file| file.file_name().to_string_lossy().contains("broken")));
    }

    #[test]
    fn a_disk_that_takes_nothing_at_the_start_is_tried_again_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        // A directory in the database's place: it cannot be opened, and is not broken either.
        let path = folder.path().join("records.db");
        std::fs::create_dir(&path).unwrap();
        let (records, _) = open(folder.path());
        assert!(records.trouble().is_some());
        std::fs::remove_dir(&path).unwrap();
        let deadline = std::time::Instant::now() + A_MINUTE;
        while records.trouble().is_some() {
            assert!(std::time::Instant::now() < deadline, "nothing is put, and it is not tried");
            std::thread::yield_now();
        }
    }

    #[test]
    fn in_memory_everything_is_done_and_nothing_is_kept() {
        let records = Records::in_memory().unwrap();
        let (done, order) = mpsc::channel();
        let then: Then = Box::new(move |written| done.send(written.is_ok()).unwrap());
        let ticket = records.put("n", &id("n"), "1".into(), Certainty::Power, Some(then));
        assert_eq!(order.recv_timeout(A_MINUTE), Ok(true));
        records.await_written(ticket, A_MINUTE).unwrap();
        records.close().unwrap();
    }

    #[test]
    fn a_disk_that_takes_nothing_at_the_start_is_tried_again_though_nobody_puts_anything() {
        let folder = tempfile::tempdir().unwrap();
        let (records, _) = open(folder.path());
        put(&records, "a", "1");
        records.close().unwrap();
        let path = folder.path().join("records.db");
        assert_eq!(names(&Table::peek(&path).unwrap()), ["a=1"]);
        assert_eq!(Table::peek(&folder.path().join("none")).unwrap(), []);
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("PRAGMA locking_mode = exclusive; BEGIN EXCLUSIVE").unwrap();
        let (records, _) = open(folder.path());
        assert!(records.trouble().is_some());
        drop(other);
        while records.trouble().is_some() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_disk_that_takes_nothing_stops_nobody_and_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let (records, _) = open(folder.path());
        let other = rusqlite::Connection::open(folder.path().join("records.db")).unwrap();
        // Another process that holds the database, until it lets go.
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let (done, order) = mpsc::channel();
        let then: Then = Box::new(move |written| done.send(written.is_err()).unwrap());
        let ticket = records.put("n", &id("n"), "1".into(), Certainty::Process, Some(then));
        assert_eq!(order.recv_timeout(A_MINUTE), Ok(true));
        assert!(records.await_written(ticket, A_MINUTE).is_err());
        assert!(records.trouble().is_some());
        other.execute_batch("ROLLBACK").unwrap();
        drop(other);
        // What waits is written in the end.
        records.close().unwrap();
        assert_eq!(names(&open(folder.path()).1), ["n=1"]);
    }

    #[test]
    fn what_could_not_be_written_does_not_come_back_over_what_is_newer() {
        let folder = tempfile::tempdir().unwrap();
        let (records, _) = open(folder.path());
        let other = rusqlite::Connection::open(folder.path().join("records.db")).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let (tried, waits) = mpsc::channel();
        let then = |newer: Option<Records>| -> Then {
            let tried = tried.clone();
            Box::new(move |written| {
                // While the older state is on its way back to those that wait, the newer one comes.
                if let Some(records) = newer {
                    put(&records, "n", "2");
                }
                tried.send(written.is_err()).unwrap();
            })
        };
        let first = then(Some(records.clone()));
        records.put("job", &id("n"), "1".into(), Certainty::Process, Some(first));
        assert_eq!(waits.recv_timeout(A_MINUTE), Ok(true));
        drop(other);
        records.close().unwrap();
        assert_eq!(names(&open(folder.path()).1), ["n=2"]);
    }
}
