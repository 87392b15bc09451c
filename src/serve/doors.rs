//! One door for each family of clients.

// Many jobs, looked at as one.
pub mod batches;

// Everyone's events: stream, poll, status, broadcast (seed 004).
pub mod events;

// What every door's stream has to pass.
mod gate;

// Whether the server is alive.
pub mod health;

// Jobs, and those who watch them (seed 000).
pub mod jobs;

// The server in figures.
pub mod metrics;

// All of this, described for programs.
pub mod openapi;

// What people look at.
pub mod pages;

// What Google Cloud Pub/Sub pushes.
pub mod pubsub;

// Jobs that wait for somebody to do them (seed 001).
pub mod queues;

// Summaries for people, also without a script.
pub mod reading;

// Whether the server can take work.
pub mod ready;

// What a client calls a request that it may send twice.
mod request_key;

// Streams that subscribe to jobs, queues and workers (seed 001).
pub mod subscriptions;

// Talks in, summaries out.
pub mod summaries;

use std::collections::BTreeSet;

use crate::event::EventName;

/// The names under which the doors' streams stand in status, logs and metrics.
pub const DOORS: &[&str] = &[events::DOOR, jobs::DOOR, batches::DOOR, subscriptions::DOOR];

/// The event types that may be broadcast and subscribed to.
#[derive(Debug, Clone)]
pub struct EventTypes {
    listed: BTreeSet<EventName>,
    /// `*` was configured: any valid name will do.
    any: bool,
}

/// The types of seed 004.
const BUILT_IN: [&str; 4] = ["summary_complete", "summary_progress", "system", "test"];

/// What streams say of themselves. Nobody publishes such events: clients would take them for the
/// server's own word. (`system` is both, by seed 004.)
pub const OWN_TYPES: [&str; 3] = ["connected", "gap", "ping"];

impl EventTypes {
    /// The built-in types and the configured ones, which were validated when they were read.
    pub fn new(configured: &[String]) -> Self {
        let names = BUILT_IN.iter().copied().chain(configured.iter().map(String::as_str));
        Self {
            listed: names.filter_map(|name| name.parse().ok()).collect(),
            any: configured.iter().any(|name| name == "*"),
        }
    }

    /// A type as it was written, if there is such a type.
    pub fn allowed(&self, name: &str) -> Option<EventName> {
        let name = name.parse().ok().filter(|name| self.any || self.listed.contains(name));
        name.filter(|name| !OWN_TYPES.contains(&name.as_str()))
    }

    /// That there is no such type, and which there are.
    pub fn unknown(&self, name: &str) -> String {
        if OWN_TYPES.contains(&name) {
            return format!(
                "{name:?} is what the server itself says on every stream; it is no event type."
            );
        }
        let name: String = name.chars().take(80).collect();
        format!("There is no event type {name:?}; there are: {}.", self.names().join(", "))
    }

    /// The types by name, for people and for those who subscribe to all of them.
    pub fn names(&self) -> Vec<&str> {
        self.listed.iter().map(EventName::as_str).chain(self.any.then_some("*")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(configured: &[&str], name: &str, expected: bool) {
        let configured: Vec<String> = configured.iter().map(ToString::to_string).collect();
        assert_eq!(
            EventTypes::new(&configured).allowed(name).is_some(),
            expected,
            "{name} of {configured:?}"
        );
    }

    #[test]
    fn built_in_and_configured_types_are_allowed() {
        check(&[], "system", true);
        check(&[], "order_paid", false);
        check(&["order_paid"], "order_paid", true);
        check(&["*"], "anything", true);
        check(&["*"], "not a name", false);
        check(&["*"], "*", false);
        check(&["*"], "gap", false);
    }
}
