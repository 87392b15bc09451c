//! The subscriptions door: one stream, and what it is subscribed to is changed by requests of their own
//! (seed 001).
//!
//! A stream that is lost takes its subscriptions along: the client connects again, under another name,
//! subscribes again and is told how everything is now. So nothing is replayed here. A browser's EventSource
//! that comes back by itself does so by its own address, which can name what to subscribe to at once.

mod change;
pub mod stats;
mod subject;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use self::change::{Changed, Desk, NotDone, Wishes};
use self::subject::{Kind, Subject};
use super::events::known_session;
use super::gate;
use crate::event::dialect::Dialect;
use crate::event::subscription::{NameFilter, Subscription};
use crate::event::topic::{Identifier, Topic};
use crate::hub::{Profile, Refused, Resume, Stream};
use crate::serve::conversation::Answer;
use crate::serve::http::{Request, Response};
use crate::serve::problem::{Problem, json_body};
use crate::serve::routes::Call;
use crate::serve::stream::{self, Open, Opening};

/// The name under which this door's streams stand in status, logs and metrics.
pub(super) const DOOR: &str = "subscriptions";

/// `GET /api/v1/sse/connect?job=a,b&queue=q&worker=w`: the stream, subscribed to what it names.
pub fn connect(call: &Call<'_>) -> Result<Answer, Problem> {
    gate::check_accept(call)?;
    let session = known_session(call)?;
    let add = named(call.request)?;
    let limit = call.app.limits.subscriptions_per_stream;
    if limit != 0 && add.len() > limit {
        return Err(too_many(limit));
    }
    gate::pass(call, session.as_ref(), HeaderMap::new(), open(call, session.clone(), add))
}

/// How the stream begins: `connected`, and then how everything is that it subscribes to at once.
fn open(call: &Call<'_>, session: Option<Identifier>, add: BTreeSet<Subject>) -> Open {
    let id = Uuid::new_v4();
    let profile = Profile {
        door: DOOR,
        project: Identifier::default_project(),
        session,
        user: None,
        address: Some(call.client.address),
        subscription: Subscription::new([Topic::connection(id)], NameFilter::All),
        dialect: Dialect::Subscriptions,
        envelope: stream::envelope(call.request.version),
        resume: Resume::FromNow,
    };
    let app = call.app.clone();
    Box::new(move |entrance| {
        let connected = json!({
            "type": "connected",
            "connectionId": id,
            "timestamp": app.clock.unix_ms(),
            "subscriptions": by_kind(&add),
        });
        let joined = entrance.join_as(id, profile)?;
        let first = stream::first_events(&app, &joined, &connected.to_string(), None);
        let desk = Desk { app: &app, stream: joined.writer.stream() };
        match desk.change(&Wishes { add, ..Wishes::default() }) {
            // What has ended already is found when it is served.
            Ok(_) | Err(NotDone::Gone) => Ok(Opening::Live(Box::new(joined), first)),
            Err(NotDone::Refused(refused)) => Err(refused),
            Err(NotDone::TooMany) => Err(Refused::Busy),
        }
    })
}

/// `POST /api/v1/sse/{connectionId}/subscribe/{job|queue|worker}/{id}`.
pub fn subscribe(call: &Call<'_>) -> Result<Answer, Problem> {
    let add = [subject(call)?].into();
    change(call, &Wishes { add, ..Wishes::default() })
}

/// `POST /api/v1/sse/{connectionId}/unsubscribe/{job|queue|worker}/{id}`.
pub fn unsubscribe(call: &Call<'_>) -> Result<Answer, Problem> {
    let remove = [subject(call)?].into();
    change(call, &Wishes { remove, ..Wishes::default() })
}

/// What is to be added or removed, in a request for many at once.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Lists {
    jobs: Vec<Identifier>,
    queues: Vec<Identifier>,
    workers: Vec<Identifier>,
}

/// The body of a request for many at once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    #[serde(default)]
    add: Lists,
    #[serde(default)]
    remove: Lists,
}

impl From<Lists> for BTreeSet<Subject> {
    fn from(lists: Lists) -> Self {
        let Lists { jobs, queues, workers } = lists;
        let all = [(Kind::Job, jobs), (Kind::Queue, queues), (Kind::Worker, workers)];
        let subjects = all
            .into_iter()
            .flat_map(|(kind, ids)| ids.into_iter().map(move |id| Subject { kind, id }));
        subjects.collect()
    }
}

/// `POST /api/v1/sse/{connectionId}/subscriptions` `{add: {jobs, queues, workers}, remove: {…}}`.
pub fn subscriptions(call: &Call<'_>) -> Result<Answer, Problem> {
    let Many { add, remove } = json_body(call.request, &call.body)?;
    change(call, &Wishes { add: add.into(), remove: remove.into() })
}

fn change(call: &Call<'_>, wishes: &Wishes) -> Result<Answer, Problem> {
    let stream = own_stream(call)?;
    let desk = Desk { app: call.app, stream: &stream };
    let Changed { added, removed } = desk.change(wishes).map_err(|reason| match reason {
        NotDone::Gone => gone(),
        NotDone::TooMany => too_many(call.app.limits.subscriptions_per_stream),
        NotDone::Refused(refused) => unavailable(refused),
    })?;
    let is_subject = |topic: &&Topic| Subject::kind_of(topic).is_some();
    let total = stream.with_subscription(|wants| wants.topics().iter().filter(is_subject).count());
    let answer = json!({
        "connectionId": stream.id,
        "added": by_kind(&added),
        "removed": by_kind(&removed),
        "total": total,
    });
    Ok(Response::json(StatusCode::OK, &answer).into())
}

/// The stream that the path names, if it is the caller's own. One that was opened without a session
/// belongs to whoever knows its name, which cannot be guessed.
fn own_stream(call: &Call<'_>) -> Result<Arc<Stream>, Problem> {
    let id = call.parameters.first().and_then(|id| id.parse::<Uuid>().ok());
    let stream = id.and_then(|id| call.app.hub.stream(id)).ok_or_else(gone)?;
    if stream.profile.door != DOOR || stream.end_reason().is_some() {
        return Err(gone());
    }
    let session = known_session(call)?;
    if stream.profile.session.is_some() && stream.profile.session != session {
        return Err(Problem::forbidden(
            "This connection belongs to another session. Send the cookie or the session_id with which it \
             was opened.",
        ));
    }
    Ok(stream)
}

/// What the path names: `…/{connectionId}/subscribe/{job|queue|worker}/{id}`.
fn subject(call: &Call<'_>) -> Result<Subject, Problem> {
    let [_, kind, id] = &call.parameters[..] else { return Err(no_such_kind()) };
    let kind = Kind::from_word(kind).ok_or_else(no_such_kind)?;
    Ok(Subject { kind, id: parse_id(kind.as_str(), id)? })
}

/// What the query names: `?job=a,b&queue=q&worker=w`.
fn named(request: &Request) -> Result<BTreeSet<Subject>, Problem> {
    let mut subjects = BTreeSet::new();
    for kind in Kind::ALL {
        for list in request.query_all(kind.as_str()) {
            for id in list.split(',').map(str::trim).filter(|id| !id.is_empty()) {
                subjects.insert(Subject { kind, id: parse_id(kind.as_str(), id)? });
            }
        }
    }
    Ok(subjects)
}

fn parse_id(name: &str, id: &str) -> Result<Identifier, Problem> {
    id.parse().map_err(|error| Problem::bad_request("invalid_id", format!("{name}: {error}.")))
}

/// The subjects as lists by their kinds.
fn by_kind(subjects: &BTreeSet<Subject>) -> Value {
    let lists = Kind::ALL.map(|kind| {
        let of_kind = subjects.iter().filter(|subject| subject.kind == kind);
        let ids: Vec<&str> = of_kind.map(|subject| subject.id.as_str()).collect();
        (kind.plural().to_owned(), json!(ids))
    });
    Value::Object(Map::from_iter(lists))
}

fn gone() -> Problem {
    Problem::not_found(
        "There is no such connection, or not any more. Connect again: `connected` names the new one, which \
         has no subscriptions yet.",
    )
}

fn no_such_kind() -> Problem {
    Problem::not_found("One can subscribe to a job, a queue or a worker.")
}

fn too_many(limit: usize) -> Problem {
    let detail = format!(
        "One connection may have {limit} subscriptions (max_subscriptions_per_stream). Unsubscribe from \
         what is not shown any more, or open another connection."
    );
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too_many_subscriptions").detail(detail)
}

fn unavailable(refused: Refused) -> Problem {
    let code = if refused == Refused::Stopping { "draining" } else { "overloaded" };
    let problem = Problem::unavailable(Duration::from_secs(1)).detail(refused.to_string());
    Problem { code, ..problem }
}
