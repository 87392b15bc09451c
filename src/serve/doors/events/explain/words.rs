//! An explanation in sentences.

use super::{Client, Question};
use crate::event::subscription::NameFilter;
use crate::event::time::iso;
use crate::event::topic::Audience;
use crate::event::{Event, EventName};
use crate::hub::{
    Account, Explanation, Fate, GapReason, How, Known, Lag, Missed, Resume, Rule, Unknown,
    Untraced, Verdict, WaitsFor, What,
};
use crate::serve::App;

/// Why the answer is what it is.
pub(super) fn because(question: &Question, explanation: &Explanation, app: &App) -> String {
    let known = match &explanation.event {
        Ok(known) => known,
        Err(unknown) => return of_unknown(question, *unknown, app),
    };
    let decisive =
        explanation.accounts.iter().find(|account| account.verdict() == Some(explanation.verdict));
    match (&question.client, decisive) {
        (Client::Connection(_), Some(account)) => for_connection(account, Ok(known), app),
        (Client::Connection(_), None) => {
            format!("{} {}", no_connection(explanation), replayable(known))
        }
        (Client::Session(_), Some(account)) if explanation.verdict != Verdict::NotConnected => {
            format!("Connection {}: {}", account.id, for_connection(account, Ok(known), app))
        }
        (Client::Session(session), _) if explanation.verdict == Verdict::Filtered => {
            format!("The event is for {}, not for session {session}.", audience(&known.event))
        }
        (Client::Session(session), _) => format!(
            "Session {session} had no connection then, as far as is remembered. {}",
            replayable(known)
        ),
    }
}

/// Why one connection got the event, or did not.
pub(super) fn for_connection(
    account: &Account,
    event: Result<&Known, Unknown>,
    app: &App,
) -> String {
    match (event, &account.fate) {
        (Ok(known), Some(fate)) => of_fate(fate, account, known),
        (Err(unknown), _) => of_missing(unknown, app),
        (Ok(_), None) => String::new(),
    }
}

/// That neither the event nor the client is known.
pub(super) fn nothing_known(question: &Question, explanation: &Explanation, app: &App) -> String {
    let event = match explanation.event {
        Ok(_) => String::new(),
        Err(unknown) => of_unknown(question, unknown, app),
    };
    let client = match &question.client {
        Client::Connection(_) => no_connection(explanation),
        Client::Session(session) => {
            format!("And no connection of session {session} is open or remembered.")
        }
    };
    format!("{event} {client}")
}

/// What a step says.
pub(super) fn of_step(what: What) -> String {
    match what {
        What::Published => "The event was published.".into(),
        What::Opened => "The connection was opened.".into(),
        What::Dispatched => "The connection's dispatcher took it.".into(),
        What::Queued => "It began to wait for the client.".into(),
        What::Replaced { by } => {
            format!("Event {by}, a newer word about the same, took its place while it waited.")
        }
        What::Taken => "The connection's own thread began to write what waited.".into(),
        What::Written => "The connection had taken it.".into(),
        What::Replayed => "The connection had taken it, among what the client had missed.".into(),
        What::Answered => "The poll was answered with it.".into(),
        What::Ended(reason) => format!("The connection had ended: {}.", reason.as_str()),
    }
}

fn no_connection(explanation: &Explanation) -> String {
    match explanation.max_ended {
        0 => "No such connection is open, and ended ones are not remembered \
              (trace_ended_streams is 0)."
            .into(),
        max => format!("No such connection is open, or among the last {max} that ended."),
    }
}

fn of_unknown(question: &Question, unknown: Unknown, app: &App) -> String {
    format!("Event {}: {}", question.event, of_missing(unknown, app))
}

const NEVER: &str = "there never was an event with this id, or it showed a state of the moment, which is \
                     not remembered.";

fn of_missing(unknown: Unknown, app: &App) -> String {
    let age = app.hub.limits().history_age.as_secs();
    match unknown {
        Unknown::NotYet { newest } => {
            format!("there is no event with this id yet; the newest is {newest}.")
        }
        Unknown::Unreadable => "the disk on which it may be cannot be read at present.".into(),
        Unknown::Never => NEVER.into(),
        Unknown::Gone { reason: GapReason::Restart, .. } => {
            "what had this id, if anything did, is not remembered: it was from before the server last \
             started."
                .into()
        }
        Unknown::Gone { reason, since_ms } => {
            let since = since_ms.map(|ms| format!(" since {}", iso(ms))).unwrap_or_default();
            let why = match reason {
                GapReason::Expired if since_ms.is_some() => format!("it was kept for {age} s"),
                GapReason::Expired => "it was too old".into(),
                GapReason::Overflow | GapReason::Restart => "newer events needed its place".into(),
            };
            format!("what had this id, if anything did, is gone{since}: {why}.")
        }
    }
}

fn of_fate(fate: &Fate, account: &Account, known: &Known) -> String {
    match fate {
        Fate::Filtered(rule) => of_rule(*rule, account, &known.event),
        Fate::Delivered(how) => of_delivery(*how, account),
        Fate::Conflated { into, then } => format!(
            "While it waited for the client, event {into} came as a newer word about the same and took \
             its place. Of that one: {}",
            of_fate(then, account, known)
        ),
        Fate::Queued(waits_for) => of_waiting(*waits_for).into(),
        Fate::HadAlready { after } => {
            format!("The client resumed after {after}: so it said that it had this event already.")
        }
        Fate::InGap(gap) => format!(
            "The client was told, by a gap up to {}, that events such as this one were not to be had.",
            gap.to
        ),
        Fate::OpenedLater => format!(
            "The event was published before this connection opened, and the client did not resume. {}",
            replayable(known)
        ),
        Fate::Ended(missed) => {
            let reason = account.reason.map_or("", |reason| reason.as_str());
            format!("{} ({reason}). {}", of_miss(*missed), replayable(known))
        }
        Fate::Untraced(untraced) => of_untraced(*untraced).into(),
    }
}

fn of_rule(rule: Rule, account: &Account, event: &Event) -> String {
    let profile = &account.profile;
    match rule {
        Rule::Project => format!(
            "The event is for project {}, the connection belongs to project {}.",
            event.body.target.project, profile.project
        ),
        Rule::Topic => {
            let whom = audience(event);
            match (&event.body.target.audience, &profile.session) {
                (Audience::Session(_), Some(session)) => {
                    format!("The event is for {whom}, the connection belongs to session {session}.")
                }
                _ => format!(
                    "The event is for {whom}, to which the connection was not subscribed then."
                ),
            }
        }
        Rule::Type => {
            let asked = match profile.subscription.names() {
                NameFilter::All => "everything".to_owned(),
                NameFilter::Only(names) => {
                    names.iter().map(EventName::as_str).collect::<Vec<_>>().join(", ")
                }
            };
            let (name, counts_as) = (&event.body.name, event.body.matched_name());
            if name == counts_as {
                format!("The connection asked for {asked}; the event is of type {name}.")
            } else {
                format!(
                    "The connection asked for {asked}; the event, of type {name}, counts as \
                     {counts_as} because its subscription_filter says so."
                )
            }
        }
    }
}

/// Whom an event is for.
fn audience(event: &Event) -> String {
    match &event.body.target.audience {
        Audience::Events => "everyone".into(),
        Audience::Session(id) => format!("session {id}"),
        _ => event.body.target.to_string(),
    }
}

fn of_delivery(how: How, account: &Account) -> String {
    let when = account.lag.map(|Lag { time, .. }| {
        format!(", at most {:.1} ms after it was published", time.as_secs_f64() * 1_000.0)
    });
    let when = when.unwrap_or_else(|| "; when that was is not remembered any more".into());
    match how {
        How::Direct | How::Forgotten => format!("It was handed to the client's connection{when}."),
        How::Queue => format!(
            "The client was slower than the events, so it waited; it was handed to the connection{when}."
        ),
        How::Replay => {
            let after = match account.profile.resume {
                Resume::After(id) => format!(" after {id}"),
                Resume::FromNow | Resume::Unknown => String::new(),
            };
            format!("The client resumed{after}, and it was replayed{when}.")
        }
        How::Poll => format!("The answer to the poll carried it{when}."),
    }
}

fn of_waiting(waits_for: WaitsFor) -> &'static str {
    match waits_for {
        WaitsFor::Dispatcher => {
            "It waits for the connection's dispatcher, or is just being written."
        }
        WaitsFor::Client => "It waits because the client is slower than the events.",
        WaitsFor::Pace => {
            "It waits because updates are sent only so often (max_updates_per_second)."
        }
        WaitsFor::Replay => "It waits for its place among what the client missed before it came.",
    }
}

fn of_miss(missed: Missed) -> &'static str {
    match missed {
        Missed::PublishedLater => "The connection had ended when the event was published",
        Missed::NotDispatched => "The connection ended before the event's turn came",
        Missed::Waiting => "The connection ended while the event waited for the client",
        Missed::InPart => {
            "The connection ended while the event was being written: the client may have a part of it, \
             or all"
        }
        Missed::NotAnswered => "The poll had been answered without it; the next one brings it",
    }
}

fn of_untraced(untraced: Untraced) -> &'static str {
    match untraced {
        Untraced::NoRounds => {
            "It matched, but whether it was delivered is not recorded (trace_rounds is 0)."
        }
        Untraced::NoNotes => {
            "It matched, but whether it was delivered is not recorded (trace_notes is 0)."
        }
        Untraced::Forgotten => {
            "It matched; whether it was delivered or replaced by a newer word about the same is not known \
             any more: the notes on it are gone (trace_notes)."
        }
        Untraced::Resubscribed => {
            "Whether the connection was subscribed to it then is not known any more: its subscriptions have \
             changed since, more often than is remembered (trace_notes)."
        }
    }
}

/// Until when a client that comes back gets the event.
fn replayable(known: &Known) -> String {
    match known.replayable_until_ms {
        Some(ms) => format!(
            "A client that resumes with an earlier id gets it replayed until {}, unless newer events \
             need its place.",
            iso(ms)
        ),
        None => "A client that resumes with an earlier id gets it replayed, as long as newer events do not \
                 need its place."
            .into(),
    }
}
