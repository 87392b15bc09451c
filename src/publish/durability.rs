//! Which events are to survive a restart, and for which of them the publisher waits.

use super::Limits;
use crate::event::topic::Audience;
use crate::event::{EventName, Keeping, NewEvent};

/// The rules, from the settings.
#[derive(Debug)]
pub(super) struct Policy {
    kept_topics: Vec<String>,
    passing_types: Vec<EventName>,
    awaited_types: Vec<EventName>,
    keeps_updates: bool,
}

impl Policy {
    pub fn new(limits: &Limits) -> Self {
        let names = |texts: &[String]| texts.iter().filter_map(|text| text.parse().ok()).collect();
        Self {
            kept_topics: limits.kept_topics.clone(),
            passing_types: names(&limits.passing_types),
            awaited_types: names(&limits.awaited_types),
            keeps_updates: limits.keep_updates,
        }
    }

    /// What is done for this event if its publisher asks for nothing.
    pub fn keeping(&self, event: &NewEvent) -> Keeping {
        let is_update = event.key.is_some() && !event.terminal;
        let kind = kind(&event.target.audience);
        if !self.kept_topics.iter().any(|kept| kept == kind)
            || self.passing_types.contains(&event.name)
            || (is_update && !self.keeps_updates)
        {
            return Keeping::Passing;
        }
        let is_awaited = event.terminal || self.awaited_types.contains(&event.name);
        if is_awaited { Keeping::Awaited } else { Keeping::Kept }
    }
}

/// The kinds of topics there are, by the names that the settings use.
pub const TOPIC_KINDS: [&str; 9] =
    ["events", "session", "user", "job", "batch", "queue", "worker", "channel", "connection"];

/// Those whose events survive a restart unless the settings say otherwise. Of jobs, batches, queues and
/// workers their state does, and a client that comes back is told that; what one stream was told of
/// itself means nothing to the next.
pub(super) const KEPT_BY_DEFAULT: [&str; 4] = ["events", "session", "user", "channel"];

fn kind(audience: &Audience) -> &'static str {
    match audience {
        Audience::Events => "events",
        Audience::Session(_) => "session",
        Audience::User(_) => "user",
        Audience::Job(_) => "job",
        Audience::Batch(_) => "batch",
        Audience::Queue(_) => "queue",
        Audience::Worker(_) => "worker",
        Audience::Channel(_) => "channel",
        Audience::Connection(_) => "connection",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::topic::Topic;
    use crate::event::{EventData, EventKey};

    fn check(limits: &Limits, name: &str, key: Option<&str>, terminal: bool, expected: Keeping) {
        let data = EventData::encode(&1, 0).unwrap();
        let event = NewEvent::new(Topic::events(), name.parse().unwrap(), data);
        let event = NewEvent { key: key.map(EventKey::new), terminal, ..event };
        assert_eq!(Policy::new(limits).keeping(&event), expected, "{name} {key:?} {terminal}");
    }

    #[test]
    fn everything_is_kept_but_signs_of_life_and_plain_progress() {
        let limits = Limits::default();
        check(&limits, "system", None, false, Keeping::Kept);
        check(&limits, "notification", None, false, Keeping::Awaited);
        check(&limits, "ping", None, false, Keeping::Passing);
        check(&limits, "progress", Some("job"), false, Keeping::Passing);
        check(&limits, "progress", Some("job"), true, Keeping::Awaited);
    }

    #[test]
    fn the_settings_decide() {
        let limits = Limits {
            keep_updates: true,
            passing_types: vec!["chatter".into()],
            awaited_types: vec!["order".into()],
            ..Limits::default()
        };
        check(&limits, "progress", Some("job"), false, Keeping::Kept);
        check(&limits, "chatter", None, true, Keeping::Passing);
        check(&limits, "order", None, false, Keeping::Awaited);
        check(&limits, "ping", None, false, Keeping::Kept);
        let sessions_only = Limits { kept_topics: vec!["session".into()], ..Limits::default() };
        check(&sessions_only, "system", None, true, Keeping::Passing);
    }

    #[test]
    fn what_has_a_state_of_its_own_or_one_listener_is_not_kept() {
        let policy = Policy::new(&Limits::default());
        for (topic, expected) in [
            ("default/user:1", Keeping::Kept),
            ("default/channel:1", Keeping::Kept),
            ("default/job:1", Keeping::Passing),
            ("default/queue:1", Keeping::Passing),
            ("default/connection:1", Keeping::Passing),
        ] {
            let data = EventData::encode(&1, 0).unwrap();
            let event = NewEvent::new(topic.parse().unwrap(), "system".parse().unwrap(), data);
            assert_eq!(policy.keeping(&event), expected, "{topic}");
        }
    }
}
