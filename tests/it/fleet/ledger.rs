//! What the publishers know: which events exist, under which ids, and of which nobody knows.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tidings::event::EventId;

use super::witness::{Subject, Witness};
use super::{Kind, Tally, lock};

/// An event whose publisher got its answer.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    /// The publisher's own number for it, which is in its data.
    pub number: u64,
    pub subject: Subject,
    /// The type by which it is matched.
    pub matched: Kind,
    /// It has a key and is not the last word.
    pub is_update: bool,
    /// The answer said that it is on disk.
    pub is_stored: bool,
}

/// What all publishers know together.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    book: Mutex<Book>,
    /// Locked after the book or a witness, if at all.
    crashes: Mutex<Crashes>,
    numbers: AtomicU64,
    life: AtomicU64,
    /// A publisher was told that what it had waited for is not on disk.
    is_in_doubt: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct Book {
    /// What was acknowledged and is not judged by all.
    pub published: BTreeMap<EventId, Published>,
    /// Requests without their answer, each with an id that its event's is greater than.
    under_way: HashMap<u64, EventId>,
    /// Numbers of events that may have been given more than one id or none, and how many at most.
    pub uncertain: HashMap<u64, u64>,
    newest: EventId,
    acknowledged: u64,
    /// What is up to here was judged by all and is forgotten.
    pub forgotten: EventId,
}

#[derive(Debug, Default)]
struct Crashes {
    has_crashed: bool,
    /// No crash took anything from here on. None: nothing was published since the last one.
    safe_after: Option<EventId>,
}

impl Book {
    /// Everything that was acknowledged up to here is in the book.
    pub fn known_up_to(&self) -> EventId {
        self.under_way.values().copied().min().unwrap_or(self.newest)
    }
}

impl Ledger {
    /// The number for a new event, whose request is about to be sent for the first time.
    pub fn begin(&self) -> u64 {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let mut book = lock(&self.book);
        let newest = book.newest;
        book.under_way.insert(number, newest);
        number
    }

    /// Its answer has come, to a request sent in the life `sent_in`; the first was sent in `first_in`.
    pub fn acknowledge(&self, id: EventId, event: Published, first_in: u64, sent_in: u64) {
        let mut book = lock(&self.book);
        let life = self.life();
        book.under_way.remove(&event.number);
        if life > first_in {
            book.uncertain.insert(event.number, life - first_in + 1);
        }
        // Else the answer may be about an event of an earlier life.
        if first_in == life && sent_in == life {
            lock(&self.crashes).safe_after.get_or_insert(id);
        }
        book.newest = book.newest.max(id);
        book.acknowledged += 1;
        book.published.insert(id, event);
    }

    /// Its publisher has given up: the event may exist or not.
    pub fn give_up(&self, number: u64, first_in: u64) {
        let mut book = lock(&self.book);
        book.under_way.remove(&number);
        book.uncertain.insert(number, self.life() - first_in + 1);
    }

    /// How many events were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        lock(&self.book).acknowledged
    }

    /// Which life of the server this is.
    pub fn life(&self) -> u64 {
        self.life.load(Ordering::SeqCst)
    }

    /// The server has ended, and the next one has not begun.
    pub fn note_end(&self, is_crash: bool) {
        let _book = lock(&self.book);
        self.life.fetch_add(1, Ordering::SeqCst);
        if is_crash {
            *lock(&self.crashes) = Crashes { has_crashed: true, safe_after: None };
        }
    }

    /// Notes that a publisher was told that what it had waited for is not on disk: live clients have it,
    /// and a crash may keep it from the others.
    pub fn note_doubt(&self) {
        self.is_in_doubt.store(true, Ordering::Relaxed);
    }

    /// Whether even types that are always waited for may be concerned by a crash.
    pub fn is_in_doubt(&self) -> bool {
        self.is_in_doubt.load(Ordering::Relaxed)
    }

    /// Whether a crash can have taken something after `id`.
    pub fn may_be_lost_after(&self, id: EventId) -> bool {
        let crashes = lock(&self.crashes);
        crashes.has_crashed && crashes.safe_after.is_none_or(|safe| id < safe)
    }

    /// Judges every client up to where all is known, and forgets what all have behind them.
    pub fn judge(&self, witnesses: &[Arc<Mutex<Witness>>], tally: &Tally) -> Vec<String> {
        let mut violations = Vec::new();
        let mut book = lock(&self.book);
        let known = book.known_up_to();
        let mut behind_all = known;
        for witness in witnesses {
            let mut witness = lock(witness);
            violations.extend(witness.judge(&book, known, tally));
            behind_all = behind_all.min(witness.settled().unwrap_or(known));
        }
        let ahead = book.published.split_off(&behind_all);
        book.published = ahead;
        book.forgotten = book.forgotten.max(behind_all);
        violations
    }

    /// How many events are in memory to be judged.
    pub fn unjudged(&self) -> usize {
        lock(&self.book).published.len()
    }
}
