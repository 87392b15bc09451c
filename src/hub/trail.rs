//! What is remembered of one stream, so that it can be said what became of an event.
//!
//! A stream that keeps up leaves no trail: what it was given, and when, follows from the order, from
//! the place at which it joined, and from its dispatcher's [rounds](super::trace). Only what is an
//! exception is noted: that events waited and when they were written, how far a replay came, which
//! events an end forestalled. Each note is for a run of events, and the oldest notes go when there are
//! too many.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::Mutex;

use super::gap::Gap;
use crate::clock::Clock;
use crate::event::EventId;

/// What all trails of a hub have in common.
#[derive(Debug)]
pub(super) struct Recorder {
    pub clock: Arc<dyn Clock>,
    /// Notes of each kind for one stream; `0` means none are made.
    pub max_notes: usize,
}

/// A stream's notes, if there have been any.
#[derive(Debug, Default)]
pub(super) struct Trail {
    recorder: Option<Arc<Recorder>>,
    /// Made with the first note: ten thousand streams that keep up need none. Shared, because it
    /// outlives the stream.
    notes: OnceLock<Arc<Mutex<Notes>>>,
}

/// The notes on one stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    /// What it was owed from before, if there was anything.
    pub owed: Option<Debt>,
    /// How far the replay is being written.
    pub replaying_to: Option<EventId>,
    /// How far it had come, and when.
    pub replays: Ring<Mark>,
    /// The runs of events that waited.
    pub waits: Ring<Wait>,
    /// The writes by which they ceased to wait.
    pub writes: Ring<Write>,
    /// How far these had come.
    pub written_to: Option<EventId>,
    /// What the answer to a poll brought it up to.
    pub answered: Option<Mark>,
    /// From this event on, an end was faster.
    pub missed_from: Option<EventId>,
}

/// What a stream was owed when it joined.
#[derive(Debug, Clone, Copy)]
pub(super) struct Debt {
    /// Everything after this that was to be had.
    pub after: EventId,
    /// What was not.
    pub gap: Option<Gap>,
}

/// Everything up to here, at this time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub to: EventId,
    pub at: Instant,
}

/// A run of events that waited: everything for the stream from one to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub from: EventId,
    pub to: EventId,
    /// When the first of them began to.
    pub since: Instant,
}

/// A write of what waited: everything after the write before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Write {
    pub to: EventId,
    /// The newest event that waited when it began: what it had replaced until then was not written.
    pub newest: EventId,
    pub begun: Instant,
    /// When the connection had taken it all.
    pub done: Option<Instant>,
}

/// The newest notes of one kind.
#[derive(Debug, Clone)]
pub(super) struct Ring<T> {
    notes: VecDeque<T>,
    /// Notes that are gone were on events up to this one.
    forgotten_to: Option<EventId>,
}

impl Trail {
    /// An empty trail.
    pub fn new(recorder: &Arc<Recorder>) -> Self {
        let recorder = (recorder.max_notes > 0).then(|| recorder.clone());
        Self { recorder, notes: OnceLock::new() }
    }

    /// Whether there has been nothing to note.
    #[cfg(test)]
    pub fn is_blank(&self) -> bool {
        self.notes.get().is_none()
    }

    /// The notes, to be kept when the stream is gone: the last may come after that.
    pub fn keep(&self) -> Option<Arc<Mutex<Notes>>> {
        self.recorder.as_ref().map(|_| self.notes.get_or_init(Arc::default).clone())
    }

    /// The notes at this moment; `None` if none are made.
    pub fn notes(&self) -> Option<Notes> {
        self.recorder.as_ref()?;
        Some(self.notes.get().map(|notes| notes.lock().clone()).unwrap_or_default())
    }

    /// Notes what the stream is owed from before.
    pub fn owes(&self, after: EventId, gap: Option<Gap>) {
        self.note(|notes, _| notes.owed = Some(Debt { after, gap }));
    }

    /// Notes that everything from before is being written up to here.
    pub fn replays(&self, to: EventId) {
        self.note(|notes, _| notes.replaying_to = Some(to));
    }

    /// Notes that everything from before has been written up to here.
    pub fn replayed(&self, to: EventId) {
        self.note(|notes, by| {
            notes.replays.push(Mark { to, at: by.clock.now() }, by.max_notes, |mark| mark.to);
        });
    }

    /// Notes that these events wait, from one to another. Later ones than all before.
    pub fn waits(&self, from: EventId, to: EventId) {
        self.note(|notes, by| match notes.waits.last_mut() {
            // Nothing was written past those that wait still: it is one run.
            Some(run) if notes.writes.last().is_none_or(|write| write.is_short_of(run.to)) => {
                run.to = to;
            }
            _ => {
                let since = by.clock.now();
                notes.waits.push(Wait { from, to, since }, by.max_notes, |wait| wait.to);
            }
        });
    }

    /// Notes that of what waits everything up to here is being written.
    pub fn takes(&self, to: EventId) {
        self.note(|notes, by| {
            let newest = notes.waits.last().map_or(to, |wait| wait.to);
            let write = Write { to, newest, begun: by.clock.now(), done: None };
            notes.writes.push(write, by.max_notes, |write| write.to);
        });
    }

    /// Notes that all that was being written is.
    pub fn written(&self) {
        self.note(|notes, by| {
            let now = by.clock.now();
            notes.written_to = notes.writes.last().map(|write| write.to);
            for write in
                notes.writes.notes.iter_mut().rev().take_while(|write| write.done.is_none())
            {
                write.done = Some(now);
            }
        });
    }

    /// Notes that a poll was answered with everything up to here.
    pub fn answered(&self, to: EventId) {
        self.note(|notes, by| notes.answered = Some(Mark { to, at: by.clock.now() }));
    }

    /// Notes that the stream had ended when this event was to be delivered.
    pub fn missed(&self, from: EventId) {
        self.note(|notes, _| notes.missed_from = notes.missed_from.or(Some(from)));
    }

    fn note(&self, note: impl FnOnce(&mut Notes, &Recorder)) {
        if let Some(recorder) = &self.recorder {
            note(&mut self.notes.get_or_init(Arc::default).lock(), recorder);
        }
    }
}

impl Write {
    /// Whether something up to `to` is not written yet.
    fn is_short_of(&self, to: EventId) -> bool {
        self.to < to || self.done.is_none()
    }
}

impl<T> Ring<T> {
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.notes.iter()
    }

    /// Whether the notes on this event are gone.
    pub fn has_forgotten(&self, id: EventId) -> bool {
        self.forgotten_to.is_some_and(|forgotten| id <= forgotten)
    }

    fn last(&self) -> Option<&T> {
        self.notes.back()
    }

    fn last_mut(&mut self) -> Option<&mut T> {
        self.notes.back_mut()
    }

    /// Adds a note, for which the oldest goes if there are as many as may be, which is one at least.
    pub fn push(&mut self, note: T, max_notes: usize, reach: impl Fn(&T) -> EventId) {
        if self.notes.len() >= max_notes {
            self.forgotten_to = self.notes.pop_front().map(|note| reach(&note));
        }
        self.notes.push_back(note);
    }
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Self { notes: VecDeque::new(), forgotten_to: None }
    }
}
