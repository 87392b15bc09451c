//! What keeping events on disk costs: the publisher, the writer, and the start.
//!
//! `cargo bench --bench journal` prints a table. The files lie in a directory of their own below the
//! present one, so that the disk measured is that of the working directory; they are removed at the end.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tidings::clock::{Clock, SystemClock};
use tidings::event::topic::Topic;
use tidings::event::{Event, EventData, EventId, Keeping, NewEvent};
use tidings::hub::{Journal, Remains};
use tidings::shutdown::Shutdown;
use tidings::store::{Limits, Recent, Store, Sync};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// As the hub's history is bounded by default, but whatever the age.
const RECENT: Recent = Recent {
    age: Duration::from_secs(86_400),
    events: 100_000,
    bytes: 64 << 20,
    request_age: Duration::from_secs(300),
    requests: 250_000,
};

fn main() -> Outcome<()> {
    // Cargo says this when it only wants to see that a benchmark runs.
    let is_trial = std::env::args().any(|argument| argument == "--test");
    let scale = if is_trial { 100 } else { 1 };
    println!("Events of 300 bytes of data.\n\n| | |\n|---|---|");
    throughput(300_000 / scale)?;
    for sync in [Sync::Full, Sync::Normal] {
        awaited(sync, 2_000 / scale)?;
    }
    for count in [100_000, 1_000_000] {
        start(count / scale)?;
    }
    Ok(())
}

/// A store in a directory.
fn open(directory: &Path, sync: Sync) -> Outcome<(Store, EventId)> {
    // Nothing is trimmed meanwhile.
    let limits = Limits { sync, log_bytes: 0, ..Limits::default() };
    let (store, past) =
        Store::open(directory, &limits, RECENT, Arc::new(SystemClock), &Shutdown::new())?;
    Ok((store, past.last))
}

fn event(last: &mut EventId, keeping: Keeping) -> Outcome<Arc<Event>> {
    let unix_ms = SystemClock.unix_ms();
    *last = last.next(unix_ms);
    let data = EventData::encode(&"x".repeat(298), 0)?;
    let body = NewEvent::new(Topic::events(), "system".parse()?, data);
    Ok(Arc::new(Event::new(*last, unix_ms, NewEvent { keeping, ..body })))
}

/// Puts events in as fast as they are taken; returns how long putting them in took in all.
fn fill(store: &Store, last: &mut EventId, count: usize) -> Outcome<Duration> {
    let mut putting = Duration::ZERO;
    for _ in 0..count / 1_000 {
        let events: Vec<_> =
            (0..1_000).map(|_| event(last, Keeping::Kept)).collect::<Outcome<_>>()?;
        while !store.has_room() {
            thread::sleep(Duration::from_micros(200));
        }
        let started = Instant::now();
        for event in &events {
            store.append(event);
        }
        putting += started.elapsed();
    }
    Ok(putting)
}

fn throughput(count: usize) -> Outcome<()> {
    let directory = tempfile::tempdir_in(".")?;
    let (store, mut last) = open(directory.path(), Sync::Full)?;
    let started = Instant::now();
    let putting = fill(&store, &mut last, count)?;
    while store.figures().events < count as u64 {
        thread::sleep(Duration::from_micros(200));
    }
    let took = started.elapsed();
    println!("| kept, nobody waits | {:.0} events/s |", count as f64 / took.as_secs_f64());
    println!(
        "| putting one in, while the writer works | {:.0} ns |",
        putting.as_nanos() as f64 / count as f64
    );
    Ok(())
}

fn awaited(sync: Sync, count: usize) -> Outcome<()> {
    let directory = tempfile::tempdir_in(".")?;
    let (store, mut last) = open(directory.path(), sync)?;
    let mut took = Vec::with_capacity(count);
    for _ in 0..count {
        let event = event(&mut last, Keeping::Awaited)?;
        let started = Instant::now();
        store.append(&event);
        store.await_stored(&event, Duration::ZERO)?;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    let (p50, p99) = (took[count / 2], took[count * 99 / 100]);
    println!("| one awaited, sync {sync:?} | p50 {p50:.2?}, p99 {p99:.2?} |");
    Ok(())
}

fn start(count: usize) -> Outcome<()> {
    let directory = tempfile::tempdir_in(".")?;
    let (store, mut last) = open(directory.path(), Sync::Full)?;
    fill(&store, &mut last, count)?;
    store.close(&Remains { last, ..Remains::default() })?;
    drop(store);
    let size = directory.path().join("tidings.db").metadata()?.len() >> 20;
    let started = Instant::now();
    let (store, _) = open(directory.path(), Sync::Full)?;
    let clean = started.elapsed();
    drop(store);
    // The second one finds that the first did not end in order.
    let started = Instant::now();
    open(directory.path(), Sync::Full)?;
    let crashed = started.elapsed();
    println!(
        "| start with {count} events, {size} MiB | {clean:.2?}; {crashed:.2?} after a crash |"
    );
    Ok(())
}
