//! A store that has to begin without its log, because the disk takes nothing yet.

use super::*;
use crate::clock::SystemClock;

/// What keeps a store from its log: as long as it lives, the directory is somebody else's.
fn obstacle(place: &Place) -> Directory {
    let directory = Directory::at(place.folder.path());
    directory.claim(Duration::ZERO, &Shutdown::new()).unwrap();
    directory
}

fn birth(place: &Place) -> Birth {
    let directory = Arc::new(Directory::at(place.folder.path()));
    Birth::new(directory, RECENT, place.clock.clone(), Duration::ZERO, &Shutdown::new())
}

/// A store that begins without a log.
pub(super) fn open_later(place: &Place, limits: &Limits) -> (Store, Past) {
    let full = io::Error::from(io::ErrorKind::StorageFull);
    let error = OpenError::Directory { path: place.folder.path().to_owned(), source: full };
    Store::begin_later(limits, place.clock.clone(), birth(place), &error).unwrap()
}

pub(super) fn until_it_is_well(store: &Store) {
    while store.trouble().is_some() {
        std::thread::yield_now();
    }
}

/// A store in which something is kept, something is lost and somebody has asked.
fn an_earlier_life(place: &Place) -> Store {
    let (store, _) = place.open();
    keep_many(&store, (0..10).map(|n| id(n, 0)));
    let request = Some(Box::new(RequestKey { key: "r-1".into(), digest: [7; 32] }));
    let body = NewEvent { request, ..event(id(20, 0), "session:me", "b").body.clone() };
    keep(&store, &Arc::new(Event::new(id(20, 0), NOW, body)));
    store.note_unsure(&"c".parse().unwrap());
    store
}

#[test]
fn what_the_log_says_is_known_before_anything_can_be_written() {
    let place = Place::new();
    drop(an_earlier_life(&place));
    let before = fs::read(place.file("tidings.db")).unwrap();
    let first = birth(&place).glimpse();
    let second = birth(&place).glimpse();
    assert_eq!(format!("{first:?}"), format!("{second:?}"), "looking changes nothing");
    assert_eq!(fs::read(place.file("tidings.db")).unwrap(), before);
    assert_eq!(
        (first.past.recent.len(), first.past.asked.len(), first.past.lost.len()),
        (11, 1, 1)
    );
    let (_store, past) = place.open();
    assert_eq!(format!("{:?}", first.past), format!("{past:?}"), "it is what a life begins with");
}

#[test]
fn a_log_of_an_older_version_is_known_too_and_brought_up_to_date() {
    let place = Place::new();
    drop(an_earlier_life(&place));
    let file = || rusqlite::Connection::open(place.file("tidings.db")).unwrap();
    file().execute_batch("DROP INDEX event_by_request; PRAGMA user_version = 1").unwrap();
    let version = || schema::version(&file()).unwrap();
    assert_eq!(birth(&place).glimpse().past.asked.len(), 1);
    assert_eq!(version(), 1, "looking changes nothing");
    let (_store, past) = place.open();
    assert_eq!((past.asked.len(), past.recent.len(), version()), (1, 11, schema::VERSION));
}

#[test]
fn without_a_log_from_before_there_is_nothing_to_know() {
    let place = Place::new();
    let _obstacle = obstacle(&place);
    let check = || {
        let (store, past) = open_later(&place, &Limits::default());
        assert_eq!((past.last, past.unknown_up_to), (id(0, 0), id(0, 0)));
        let page = store.read(id(0, 0), id(9, 9), &wants(&["events"], &[]), 10).unwrap();
        assert_eq!((page.events.len(), page.complete_to), (0, id(9, 9)));
        assert!(store.find(id(1, 0)).unwrap().is_none());
    };
    check();
    // What a full disk leaves of a database that was to be made.
    fs::write(place.file("tidings.db"), "").unwrap();
    check();
}

#[test]
fn a_log_that_cannot_be_read_either_is_taken_for_one_that_had_given_all_ids() {
    let place = Place::new();
    drop(an_earlier_life(&place));
    fs::write(place.file("tidings.db"), "no database".repeat(999)).unwrap();
    let glimpse = birth(&place).glimpse();
    assert!(glimpse.past.last >= id(90_000, u32::MAX));
    assert_eq!(glimpse.past.unknown_up_to, glimpse.past.last);
    assert_eq!(glimpse.past.unknown_because, GapReason::Restart);
    assert!(!glimpse.is_empty);
}

#[test]
fn as_soon_as_there_is_room_everything_that_waits_is_written() {
    let place = Place::new();
    let obstacle = obstacle(&place);
    let (store, past) = open_later(&place, &Limits::default());
    assert!(store.trouble().unwrap().contains("data directory"), "{:?}", store.trouble());
    assert!(store.has_room() && store.latest_ms() == u64::MAX, "nobody is held back");
    let first = event(past.last.next(NOW + 1), "events", "a");
    store.append(&first);
    assert!(store.await_stored(&first, FOR_EVER).unwrap_err().contains("does not take it"));
    store.note_unsure(&"b".parse().unwrap());
    drop(obstacle);
    until_it_is_well(&store);
    store.await_stored(&first, FOR_EVER).unwrap();
    let second = event(first.id.next(NOW + 2), "events", "a");
    keep(&store, &second);
    assert!(store.latest_ms() < u64::MAX && store.begins_after().0 < first.id);
    assert!(place.file("certain").exists());
    drop(store);
    let (_store, past) = place.open();
    assert_eq!(ids(&past.recent), [first.id, second.id]);
    let lost: Vec<_> = past.lost.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(lost, ["a", "b"], "whoever waited for the first was told that it is not sure");
}

#[test]
fn what_an_earlier_life_kept_is_there_before_and_after() {
    let place = Place::new();
    drop(an_earlier_life(&place));
    let obstacle = obstacle(&place);
    let (store, past) = open_later(&place, &Limits::default());
    assert_eq!((past.recent.len(), past.asked.len()), (11, 1));
    let all = || {
        let wants = wants(&["events", "session:me"], &[]);
        store.read(id(0, 0), EventId { ms: u64::MAX >> 1, n: 0 }, &wants, 99).unwrap().events.len()
    };
    assert_eq!(all(), 10, "after the first");
    let new = event(past.last.next(NOW), "events", "a");
    store.append(&new);
    drop(obstacle);
    until_it_is_well(&store);
    store.await_stored(&new, FOR_EVER).unwrap();
    assert_eq!(all(), 11);
    assert_eq!(store.figures().events, 12);
}

#[test]
fn a_life_that_never_got_its_log_leaves_everything_unsure() {
    let place = Place::new();
    let store = an_earlier_life(&place);
    store.close(&Remains { last: id(30, 0), ..Remains::default() }).unwrap();
    drop(store);
    let obstacle = obstacle(&place);
    let (store, past) = open_later(&place, &Limits::default());
    assert_eq!((past.last, past.lost.len()), (id(30, 0), 0), "the one before ended in order");
    place.clock.advance(Duration::from_secs(3_600));
    let lost = event(past.last.next(place.clock.unix_ms()), "events", "a");
    store.append(&lost);
    assert!(store.close(&Remains::default()).is_err(), "it is not kept");
    drop((store, obstacle));
    let (store, past) = place.open();
    assert!(past.last > lost.id && past.unknown_up_to > lost.id, "{past:?}");
    assert_eq!(past.unknown_because, GapReason::Restart);
    store.close(&Remains { last: past.last, ..Remains::default() }).unwrap();
    drop(store);
    let (_store, next) = place.open();
    assert_eq!(next.last, past.last, "and that is over when one has ended in order");
}

#[test]
fn no_id_is_given_twice_by_lives_without_a_log() {
    let place = Place::new();
    drop(an_earlier_life(&place));
    let _obstacle = obstacle(&place);
    // Later than the files, whose time is the system's.
    place.clock.set_unix_ms(SystemClock.unix_ms() + 3_600_000);
    let mut newest = id(0, 0);
    for _ in 0..3 {
        let (_store, past) = open_later(&place, &Limits::default());
        assert!(past.last > newest, "{newest} was given");
        newest = past.last.next(place.clock.unix_ms());
        place.clock.advance(Duration::from_millis(5));
    }
}

#[test]
fn what_is_too_much_to_wait_is_given_up_and_known_to_be_missing() {
    let place = Place::new();
    let obstacle = obstacle(&place);
    let limits = Limits { pending_events: 3, ..Limits::default() };
    let (store, past) = open_later(&place, &limits);
    let events: Vec<_> =
        (0..5).map(|n| event(EventId { n, ..past.last.next(NOW + 1) }, "events", "a")).collect();
    for event in &events {
        store.append(event);
    }
    drop(obstacle);
    until_it_is_well(&store);
    store.await_stored(&events[4], FOR_EVER).unwrap();
    let stored: Vec<_> = events.iter().map(|event| event.is_stored()).collect();
    assert_eq!(stored, [false, false, true, true, true]);
    drop(store);
    assert_eq!(place.open().1.lost.len(), 1);
}

#[test]
fn only_a_disk_may_change_its_mind() {
    let check = |error: OpenError, expected: bool| {
        assert_eq!(error.may_pass(), expected, "{error}");
    };
    let io = |source: io::Error| OpenError::Directory { path: "data".into(), source };
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::ReadOnlyFilesystem] {
        check(io(kind.into()), true);
    }
    check(io(rustix::io::Errno::IO.into()), true);
    check(io(rustix::io::Errno::DQUOT.into()), true);
    for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::NotADirectory] {
        check(io(kind.into()), false);
    }
    let sqlite = |code| {
        let source = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        OpenError::Database { path: "data".into(), source }
    };
    check(sqlite(rusqlite::ffi::SQLITE_FULL), true);
    check(sqlite(rusqlite::ffi::SQLITE_IOERR_READ), true);
    check(sqlite(rusqlite::ffi::SQLITE_CORRUPT), false);
    check(OpenError::InUse { path: "data".into() }, false);
}

#[test]
fn a_database_that_is_no_file_is_a_mistake() {
    let place = Place::new();
    fs::create_dir(place.file("tidings.db")).unwrap();
    let error = place.try_open(&Limits::default(), RECENT).unwrap_err();
    assert!(matches!(error, OpenError::Directory { .. }) && !error.may_pass(), "{error}");
}

/// A clock that stops the store's thread as a mistake in the program would.
#[derive(Debug)]
struct Trap {
    clock: Arc<ManualClock>,
    is_set: std::sync::atomic::AtomicBool,
}

impl Clock for Trap {
    fn now(&self) -> std::time::Instant {
        self.clock.now()
    }

    fn unix_ms(&self) -> u64 {
        let is_store = std::thread::current().name() == Some("store");
        assert!(!(is_store && self.is_set.load(std::sync::atomic::Ordering::Relaxed)), "the trap");
        self.clock.unix_ms()
    }
}

#[test]
fn nobody_waits_for_a_thread_that_has_failed() {
    let place = Place::new();
    let trap = Arc::new(Trap { clock: place.clock.clone(), is_set: false.into() });
    let open = || {
        let (limits, stop) = (Limits::default(), Shutdown::new());
        Store::open(place.folder.path(), &limits, RECENT, trap.clone(), &stop).unwrap()
    };
    let (store, _) = open();
    keep(&store, &event(id(1, 0), "events", "a"));
    trap.is_set.store(true, std::sync::atomic::Ordering::Relaxed);
    let lost = event(id(2, 0), "events", "a");
    store.append(&lost);
    assert!(store.await_stored(&lost, FOR_EVER).is_err());
    assert!(store.trouble().unwrap().contains("restart"), "{:?}", store.trouble());
    store.note_unsure(&"b".parse().unwrap());
    assert!(store.has_room() && store.latest_ms() == u64::MAX);
    assert!(store.close(&Remains::default()).is_err());
    drop(store);
    trap.is_set.store(false, std::sync::atomic::Ordering::Relaxed);
    let (_store, past) = open();
    assert!(past.unknown_up_to > lost.id, "whatever was lost is announced: {past:?}");
    assert_eq!(ids(&past.recent), [id(1, 0)]);
}
