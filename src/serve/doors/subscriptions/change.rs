//! A stream's subscriptions, changed and confirmed.
//!
//! A subscription begins under its subject's own lock, together with the subject's present state: what the
//! client is told next is the very next state, and none comes twice. What is said to one stream alone goes
//! to the stream's own topic, so that it has its place among everything else.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use super::subject::{Kind, Present, Subject};
use crate::event::subscription::Change;
use crate::event::topic::Topic;
use crate::event::{EventData, InvalidEvent, NewEvent};
use crate::hub::{NotChanged, Refused, Stream};
use crate::serve::App;

/// What a client wants changed. What is in both is to be added.
#[derive(Debug, Clone, Default)]
pub(super) struct Wishes {
    pub add: BTreeSet<Subject>,
    pub remove: BTreeSet<Subject>,
}

/// What made a difference.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub added: BTreeSet<Subject>,
    pub removed: BTreeSet<Subject>,
}

/// Why nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotDone {
    /// The stream has ended.
    Gone,
    /// It may not have so many subscriptions.
    TooMany,
    /// It could not be told.
    Refused(Refused),
}

/// A subscription that has begun.
struct Begun {
    /// There was none before.
    is_new: bool,
    /// Whether it could be told how its subject is; none if that is not there.
    told: Option<Result<(), NotDone>>,
}

/// Changes one stream's subscriptions.
pub(super) struct Desk<'a> {
    pub app: &'a App,
    pub stream: &'a Arc<Stream>,
}

impl Wishes {
    /// What they are to the hub.
    fn change(&self) -> Change {
        Change { add: topics(&self.add), remove: topics(&self.remove) }
    }
}

impl Desk<'_> {
    /// Changes all or nothing, and confirms each to the stream.
    pub fn change(&self, wishes: &Wishes) -> Result<Changed, NotDone> {
        self.check_room(wishes)?;
        let removed = self.leave(&(&wishes.remove - &wishes.add))?;
        let mut changed = Changed { added: BTreeSet::new(), removed };
        for subject in &wishes.add {
            match self.join(subject) {
                Ok(true) => drop(changed.added.insert(subject.clone())),
                Ok(false) => {}
                Err(reason) => {
                    self.undo(&changed);
                    return Err(reason);
                }
            }
        }
        Ok(changed)
    }

    /// Beforehand, so that a request that is refused changes nothing. Should another one come in between,
    /// the hub finds it out.
    fn check_room(&self, wishes: &Wishes) -> Result<(), NotDone> {
        let change = wishes.change();
        let (now, made) = self.stream.with_subscription(|wants| wants.changed(&change));
        let is_full = now.topics().len() > self.max_topics() && !made.add.is_empty();
        if is_full { Err(NotDone::TooMany) } else { Ok(()) }
    }

    /// Those that it may be subscribed to, and its own.
    fn max_topics(&self) -> usize {
        match self.app.limits.subscriptions_per_stream {
            0 => usize::MAX,
            subjects => subjects.saturating_add(1),
        }
    }

    /// Subscribes to something and tells how it is; returns whether that makes a difference.
    fn join(&self, subject: &Subject) -> Result<bool, NotDone> {
        let mut begun = self.begin(subject)?;
        if begun.told.is_none() && subject.kind != Kind::Job {
            // Under no lock, unlike that of all jobs: it may have come in between.
            begun.told = self.begin(subject)?.told;
        }
        // What is not there has no state to be told first.
        let told = begun.told.unwrap_or_else(|| self.confirm("subscribed", subject, Some(false)));
        if told.is_err() && begun.is_new {
            self.take_back(&[subject.clone()].into());
        }
        told.map(|()| begun.is_new)
    }

    /// Subscribes to something and, if it is there, tells how it is, all in one moment.
    fn begin(&self, subject: &Subject) -> Result<Begun, NotDone> {
        let begin = |present: Option<Present<'_>>| {
            let change = Change { add: [subject.topic()].into(), ..Change::default() };
            let made = self.app.hub.resubscribe(self.stream, &change, self.max_topics())?;
            let told = present.map(|present| {
                self.confirm("subscribed", subject, Some(true))?;
                self.tell(present.event(self.own_topic(), self.app.clock.unix_ms()))
            });
            Ok(Begun { is_new: !made.change.is_empty(), told })
        };
        let (queues, id) = (&self.app.queues, &subject.id);
        match subject.kind {
            Kind::Job => self.app.jobs.watch(id, |job| begin(job.map(Present::Job))),
            Kind::Queue => queues.watch_queue(id, |queue| begin(queue.map(Present::Queue))),
            Kind::Worker => queues.watch_worker(id, |worker| begin(worker.map(Present::Worker))),
        }
    }

    /// Ends subscriptions; returns those that there were.
    fn leave(&self, subjects: &BTreeSet<Subject>) -> Result<BTreeSet<Subject>, NotDone> {
        if subjects.is_empty() {
            return Ok(BTreeSet::new());
        }
        let change = Change { remove: topics(subjects), ..Change::default() };
        let made = self.app.hub.resubscribe(self.stream, &change, self.max_topics())?;
        for subject in subjects {
            // The answer confirms it as well.
            let _ = self.confirm("unsubscribed", subject, None);
        }
        let was_there = |subject: &&Subject| made.change.remove.contains(&subject.topic());
        Ok(subjects.iter().filter(was_there).cloned().collect())
    }

    /// Puts things back as they were, as far as that can be done now.
    fn undo(&self, changed: &Changed) {
        self.take_back(&changed.added);
        for subject in &changed.removed {
            // What came meanwhile is in the present state that is told.
            let _ = self.join(subject);
        }
    }

    fn take_back(&self, added: &BTreeSet<Subject>) {
        // Only if the stream has ended is there nothing to take back.
        let _ = self.leave(added);
    }

    /// Tells the stream that something has begun or ended, and of what has begun whether it is there.
    fn confirm(&self, what: &str, subject: &Subject, exists: Option<bool>) -> Result<(), NotDone> {
        let mut data = json!({
            "type": what,
            "kind": subject.kind,
            subject.kind.id_member(): subject.id,
            "timestamp": self.app.clock.unix_ms(),
        });
        if let Some(exists) = exists {
            data["exists"] = exists.into();
        }
        let event = || {
            let data = EventData::encode(&data, 0)?;
            Ok(NewEvent::new(self.own_topic(), what.parse()?, data))
        };
        self.tell(event())
    }

    fn tell(&self, event: Result<NewEvent, InvalidEvent>) -> Result<(), NotDone> {
        // Everything in it is valid: ids, names of ours, JSON of ours.
        let Ok(event) = event else { return Ok(()) };
        self.app.publisher.show(event).map(drop).map_err(NotDone::Refused)
    }

    fn own_topic(&self) -> Topic {
        Topic::connection(self.stream.id)
    }
}

fn topics(subjects: &BTreeSet<Subject>) -> BTreeSet<Topic> {
    subjects.iter().map(Subject::topic).collect()
}

impl From<NotChanged> for NotDone {
    fn from(reason: NotChanged) -> Self {
        match reason {
            NotChanged::Gone => Self::Gone,
            NotChanged::TooMany => Self::TooMany,
        }
    }
}
