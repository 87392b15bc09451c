//! Files that are no database any more.

use super::*;

/// Breaks the file of a store that has crashed, and opens it again.
fn check(harm: impl FnOnce(PathBuf)) {
    let place = Place::new();
    let (store, _) = place.open();
    keep_many(&store, (0..2_000).map(|n| id(1, n)));
    let reserved_ms = store.latest_ms();
    drop(store);
    harm(place.file("tidings.db"));
    place.clock.set_unix_ms(NOW - 3_600_000);
    let (store, past) = place.open();
    assert_eq!(past.recent.len(), 0);
    assert!(place.file(&format!("tidings.db.broken-{}", NOW - 3_600_000)).exists());
    assert_eq!((past.unknown_up_to, past.unknown_because), (past.last, GapReason::Restart));
    assert!(past.last.ms >= reserved_ms, "{} may have been given before", past.last.next(0));
    assert!(store.latest_ms() > past.last.ms);
    keep(&store, &event(past.last.next(0), "events", "a"));
}

#[test]
fn a_file_that_is_no_database_is_put_aside() {
    check(|file| fs::write(file, "no database").unwrap());
    check(|file| fs::write(file, "this is no database, and long".repeat(999)).unwrap());
}

#[test]
fn damaged_pages_are_found_after_a_crash() {
    check(|file| {
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 8_192].fill(0x5a);
        fs::write(file, bytes).unwrap();
    });
}

#[test]
fn a_file_that_ends_too_early_is_put_aside() {
    check(|file| {
        let file = OpenOptions::new().write(true).open(file).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    });
}

#[test]
fn a_database_without_its_tables_is_put_aside() {
    check(|file| {
        rusqlite::Connection::open(file).unwrap().execute_batch("DROP TABLE state").unwrap();
    });
}

#[test]
fn a_file_that_is_damaged_after_an_end_in_order_is_put_aside() {
    let place = Place::new();
    let (store, _) = place.open();
    keep_many(&store, (0..2_000).map(|n| id(1, n)));
    store.close(&Remains { last: id(1, 3_000), ..Remains::default() }).unwrap();
    drop(store);
    let file = place.file("tidings.db");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0x5a);
    fs::write(&file, bytes).unwrap();
    let (store, past) = place.open();
    assert!(place.file(&format!("tidings.db.broken-{NOW}")).exists());
    assert_eq!((past.recent.len(), past.unknown_up_to), (0, past.last));
    keep(&store, &event(past.last.next(0), "events", "a"));
}
