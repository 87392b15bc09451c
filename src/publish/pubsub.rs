//! What Google Cloud Pub/Sub pushes: services' status updates, each in an envelope.
//!
//! Pub/Sub delivers a message until it is acknowledged, now and then once more after that, and, without an
//! ordering key, in any order. So a message is remembered for a while once it was taken; and what comes too
//! late to count, because the job is further by then, is acknowledged too: sent again it would come later still.
//! What becomes of an update is for the jobs to say ([`put()`]).

mod counts;
mod envelope;
mod put;
mod update;
mod window;

use std::sync::Arc;
use std::time::Duration;

pub use self::counts::{Figures, Outcome};
pub use self::envelope::{Delivery, Malformed, Mistake};
pub use self::put::put;
pub use self::update::StatusUpdate;

use self::counts::Counts;
use self::window::{Begun, Window};
use crate::clock::Clock;

/// What is taken and what is remembered of it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The subscription whose messages are taken, by its last part or in full; empty: any.
    pub subscription: String,
    /// The project that the subscription belongs to; empty: any.
    pub project: String,
    /// How long a message is known as one that was taken; zero: not at all.
    pub window_age: Duration,
    /// How many messages are; beyond that the oldest are forgotten early. Zero: no limit.
    pub window_messages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            subscription: String::new(),
            project: String::new(),
            window_age: Duration::from_secs(3_600),
            window_messages: 100_000,
        }
    }
}

/// Takes pushed messages.
#[derive(Debug)]
pub struct Pubsub {
    limits: Limits,
    window: Window,
    counts: Counts,
    clock: Arc<dyn Clock>,
}

/// Why a message is not to be delivered again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Its update was taken.
    Taken,
    /// It had been taken before.
    Repeated,
    /// The job is further than this, for the reason given.
    Stale(String),
}

/// Why an update was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotTaken {
    /// It never can be: its job is further.
    Stale(String),
    /// It never can be: it is no valid update.
    Invalid(String),
    /// It can be after this time.
    ForNow(String, Duration),
}

/// Why a message is to be delivered again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is a mistake in it; whoever publishes must mend that.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is from a subscription that is not taken here.
    #[error("messages of the subscription {0:?} are not taken here")]
    OtherSubscription(String),
    /// The same message is being taken at this moment, or its update cannot be taken now.
    #[error("{0}")]
    ForNow(String, Duration),
}

/// When to come again with a message of which another copy is under way.
const MOMENT: Duration = Duration::from_secs(1);

impl Pubsub {
    /// Takes messages within these limits.
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        let window = Window::new(limits.window_age, limits.window_messages);
        Self { limits, window, counts: Counts::default(), clock }
    }

    /// Takes a message, if it is one: hands its update to `put`, unless that was done before.
    pub fn take(
        &self,
        delivery: Result<Delivery, Malformed>,
        put: impl FnOnce(&StatusUpdate) -> Result<Done, NotTaken>,
    ) -> Result<Done, Refused> {
        let published_ms = delivery.as_ref().ok().and_then(|delivery| delivery.published_ms);
        let seen =
            delivery.map_err(Refused::from).and_then(|delivery| self.deliver(&delivery, put));
        self.counts.note(Outcome::of(&seen));
        match &seen {
            Err(Refused::Malformed(malformed)) => self.counts.note_mistake(malformed.mistake),
            Ok(Done::Taken) => {
                if let Some(at) = published_ms {
                    self.counts.note_latency(self.clock.unix_ms().saturating_sub(at));
                }
            }
            _ => {}
        }
        seen
    }

    /// Notes a push whose sender was not let in.
    pub fn note_denied(&self) {
        self.counts.note(Outcome::Denied);
    }

    /// What has been pushed so far.
    pub fn figures(&self) -> Figures {
        self.counts.read()
    }

    fn deliver(
        &self,
        delivery: &Delivery,
        put: impl FnOnce(&StatusUpdate) -> Result<Done, NotTaken>,
    ) -> Result<Done, Refused> {
        if !self.limits.take_from(&delivery.subscription) {
            return Err(Refused::OtherSubscription(delivery.subscription.clone()));
        }
        let ticket = match self.window.begin(&delivery.message_id, self.clock.now()) {
            Begun::First(ticket) => ticket,
            Begun::Again => return Ok(Done::Repeated),
            Begun::UnderWay => {
                let why = "another copy of this message is being taken".to_owned();
                return Err(Refused::ForNow(why, MOMENT));
            }
        };
        let update = StatusUpdate::of(delivery)?;
        let done = match put(&update) {
            Ok(done) => done,
            Err(NotTaken::Stale(why)) => Done::Stale(why),
            Err(NotTaken::Invalid(why)) => return Err(Malformed::new(Mistake::Update, why).into()),
            Err(NotTaken::ForNow(why, wait)) => return Err(Refused::ForNow(why, wait)),
        };
        ticket.done();
        Ok(done)
    }
}

impl Limits {
    /// Whether messages of `projects/<project>/subscriptions/<name>` are taken.
    fn take_from(&self, subscription: &str) -> bool {
        let mut parts = subscription.split('/');
        let project = parts.nth(1).unwrap_or_default();
        let name = parts.nth(1).unwrap_or(subscription);
        let is_named = [subscription, name].contains(&self.subscription.as_str());
        (self.subscription.is_empty() || is_named)
            && (self.project.is_empty() || self.project == project)
    }
}

#[cfg(test)]
mod tests;
