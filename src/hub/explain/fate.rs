//! What can become of an event for a stream: a closed list.

use crate::event::EventId;
use crate::hub::gap::Gap;

/// What became of an event for a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The stream does not want it, or may not see it.
    Filtered(Rule),
    /// The connection took it.
    Delivered(How),
    /// A newer event about the same took its place while it waited.
    Conflated {
        /// That event.
        into: EventId,
        /// What became of that one.
        then: Box<Fate>,
    },
    /// It waits.
    Queued(WaitsFor),
    /// The client said when it came that it had everything up to this event.
    HadAlready {
        /// What it named.
        after: EventId,
    },
    /// The client was told that it could not have it.
    InGap(Gap),
    /// The stream joined later and asked for nothing from before.
    OpenedLater,
    /// The stream ended first.
    Ended(Missed),
    /// It cannot be said.
    Untraced(Untraced),
}

/// Why a stream does not get an event. The first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It is for another tenant.
    Project,
    /// It is for others, or for what it was not subscribed to then.
    Topic,
    /// It is of a type that was not asked for.
    Type,
}

/// In which way a connection took an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Straight from the dispatcher.
    Direct,
    /// After it had waited for its client.
    Queue,
    /// After the client had come back.
    Replay,
    /// As the answer to a poll.
    Poll,
    /// One of these; the notes are gone.
    Forgotten,
}

/// What an event waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// The dispatcher, which has not come to it or is just at it.
    Dispatcher,
    /// The client, which is slower than the events.
    Client,
    /// The next moment at which the stream may be sent updates.
    Pace,
    /// Its place in what the client missed before it came.
    Replay,
}

/// How the end of a stream forestalled an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// It was published afterwards.
    PublishedLater,
    /// The dispatcher had not come to it.
    NotDispatched,
    /// It waited.
    Waiting,
    /// It was being written: the client may have a part of it, or all.
    InPart,
    /// The poll had been answered.
    NotAnswered,
}

/// Why something cannot be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untraced {
    /// Dispatchers' rounds are not remembered.
    NoRounds,
    /// Notes on streams are not made.
    NoNotes,
    /// The notes that would tell are gone.
    Forgotten,
    /// The stream has changed what it wants since, more often than is remembered.
    Resubscribed,
}

/// The answer in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The client's connection took it.
    Delivered,
    /// The client gets, or got, a newer event in its stead.
    Conflated,
    /// It waits.
    Queued,
    /// The client said that it had it.
    HadAlready,
    /// The client was told that it could not have it.
    Gap,
    /// The connection ended first.
    EndedBefore,
    /// It cannot be said.
    NotTraced,
    /// It is not for this client.
    Filtered,
    /// There was no connection for it.
    NotConnected,
    /// The event is not kept any more.
    Forgotten,
    /// There is no such event.
    UnknownEvent,
}

impl Fate {
    /// The word for it.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Filtered(_) => Verdict::Filtered,
            Self::Delivered(_) => Verdict::Delivered,
            Self::Conflated { .. } => Verdict::Conflated,
            Self::Queued(_) => Verdict::Queued,
            Self::HadAlready { .. } => Verdict::HadAlready,
            Self::InGap(_) => Verdict::Gap,
            Self::OpenedLater => Verdict::NotConnected,
            Self::Ended(_) => Verdict::EndedBefore,
            Self::Untraced(_) => Verdict::NotTraced,
        }
    }
}

impl Rule {
    /// The stable word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Topic => "topic",
            Self::Type => "type",
        }
    }
}

impl Verdict {
    /// The stable word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Conflated => "conflated",
            Self::Queued => "queued",
            Self::HadAlready => "had_already",
            Self::Gap => "gap",
            Self::EndedBefore => "ended_before",
            Self::NotTraced => "not_traced",
            Self::Filtered => "filtered",
            Self::NotConnected => "not_connected",
            Self::Forgotten => "forgotten",
            Self::UnknownEvent => "unknown_event",
        }
    }
}
