//! The events door: events for everyone and for one's own session, filtered by type (seed 004).

pub mod broadcast;
pub mod explain;
pub mod faults;
pub mod poll;
pub mod status;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use serde_json::json;
use uuid::Uuid;

use super::{EventTypes, gate};
use crate::event::dialect::Dialect;
use crate::event::subscription::{NameFilter, Subscription};
use crate::event::topic::{Audience, Identifier, Topic};
use crate::hub::{Profile, Resume};
use crate::serve::App;
use crate::serve::conversation::Answer;
use crate::serve::http::Request;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;
use crate::serve::stream;

/// The name under which this door's streams stand in status, logs and metrics.
pub(super) const DOOR: &str = "events";

/// `GET /events?subscribe=a,b`: the stream.
pub fn stream(call: &Call<'_>) -> Result<Answer, Problem> {
    gate::check_accept(call)?;
    let visit = Visit::of(call)?;
    let (subscriptions, session) = (visit.wanted.clone(), visit.session.clone());
    let connected = move |id: Uuid| {
        json!({
            "connection_id": id,
            "message": "Connected to notification stream",
            "subscriptions": subscriptions,
            "session_id": session,
        })
        .to_string()
    };
    let open = stream::connected(visit.profile(call), visit.last_event_id, connected);
    gate::pass(call, Some(&visit.session), visit.headers, open)
}

/// What a request to this door says of its sender and its wishes.
struct Visit {
    session: Identifier,
    /// The types it named, or all there are.
    wanted: Vec<String>,
    names: NameFilter,
    last_event_id: Option<String>,
    /// A cookie, if this is the first visit.
    headers: HeaderMap,
}

impl Visit {
    fn of(call: &Call<'_>) -> Result<Self, Problem> {
        let (session, headers) = session(call)?;
        let (wanted, names) = wanted(call.request, &call.app.event_types)?;
        Ok(Self {
            session,
            wanted,
            names,
            last_event_id: gate::last_event_id(call.request),
            headers,
        })
    }

    fn profile(&self, call: &Call<'_>) -> Profile {
        let topics = [Topic::events(), Topic::session(self.session.clone())];
        Profile {
            door: DOOR,
            project: Identifier::default_project(),
            session: Some(self.session.clone()),
            user: None,
            address: Some(call.client.address),
            subscription: Subscription::new(topics, self.names.clone()),
            dialect: Dialect::Events,
            envelope: stream::envelope(call.request.version),
            resume: resume(self.last_event_id.as_deref()),
        }
    }
}

/// The caller's session: the one it knows, else a new one and its cookie.
pub fn session(call: &Call<'_>) -> Result<(Identifier, HeaderMap), Problem> {
    if let Some(session) = known_session(call)? {
        return Ok((session, HeaderMap::new()));
    }
    let session = Identifier::from(Uuid::new_v4());
    Ok((session.clone(), HeaderMap::from_iter([(SET_COOKIE, session_cookie(call, &session)?)])))
}

/// The session that the caller knows: what the query names, else the `sid` cookie.
pub fn known_session(call: &Call<'_>) -> Result<Option<Identifier>, Problem> {
    if let Some(id) = call.request.query("session_id") {
        let session = id.parse().map_err(|error| {
            Problem::bad_request("invalid_session_id", format!("session_id: {error}"))
        })?;
        return Ok(Some(session));
    }
    // A cookie that is no session id of ours is as good as none.
    Ok(call.request.cookie("sid").and_then(|id| id.parse().ok()))
}

const COOKIE_LIFETIME_DAYS: i64 = 30;

fn session_cookie(call: &Call<'_>, session: &Identifier) -> Result<HeaderValue, Problem> {
    let cookie = cookie::Cookie::build(("sid", session.as_str()))
        .path("/")
        .http_only(true)
        .same_site(cookie::SameSite::Lax)
        .secure(call.client.is_secure)
        .max_age(cookie::time::Duration::days(COOKIE_LIFETIME_DAYS))
        .build();
    HeaderValue::from_str(&cookie.to_string())
        .map_err(|_| Problem::bad_request("invalid_session_id", "session_id"))
}

/// The types that `subscribe` names, as they will be shown and as a filter.
fn wanted(request: &Request, types: &EventTypes) -> Result<(Vec<String>, NameFilter), Problem> {
    let named: Vec<String> = request
        .query_all("subscribe")
        .flat_map(|list| list.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>())
        .filter(|name| !name.is_empty())
        .collect();
    if named.is_empty() {
        return Ok((types.names().into_iter().map(str::to_owned).collect(), NameFilter::All));
    }
    let allowed =
        named.iter().map(|name| types.allowed(name).ok_or_else(|| unknown_type(name, types)));
    let filter = NameFilter::only(allowed.collect::<Result<Vec<_>, _>>()?);
    Ok((named, filter))
}

/// So many topics of one stream are shown.
const SHOWN_TOPICS: usize = 100;

/// What a stream is subscribed to, for people: the types of this door, and what those of other doors are
/// about.
fn subscriptions(app: &App, door: &str, wants: &Subscription) -> Vec<String> {
    if door != DOOR {
        let topics = wants.topics().iter();
        let others = topics.filter(|topic| !matches!(topic.audience, Audience::Connection(_)));
        return others.take(SHOWN_TOPICS).map(|topic| topic.audience.to_string()).collect();
    }
    match wants.names() {
        NameFilter::All => app.event_types.names().into_iter().map(str::to_owned).collect(),
        NameFilter::Only(names) => names.iter().map(ToString::to_string).collect(),
    }
}

fn unknown_type(name: &str, types: &EventTypes) -> Problem {
    Problem::bad_request("unknown_event_type", types.unknown(name))
}

fn resume(last_event_id: Option<&str>) -> Resume {
    match last_event_id {
        None => Resume::FromNow,
        Some(id) => id.parse().map_or(Resume::Unknown, Resume::After),
    }
}
