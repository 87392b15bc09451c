//! `GET /events/status`: who is connected and how the server fares (seed 004, and more).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::subscriptions;
use crate::event::time::iso;
use crate::event::topic::Identifier;
use crate::hub::{Snapshot, State, Stream};
use crate::serve::App;
use crate::serve::conversation::Answer;
use crate::serve::http::{Request, Response};
use crate::serve::problem::Problem;
use crate::serve::routes::Call;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// One page of the connections, and the server's totals.
pub fn status(call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call.request)?;
    let streams = call.app.hub.streams_after(None);
    let selected: Vec<_> = streams.iter().filter(|stream| page.selects(stream)).collect();
    let mut rest = selected.iter().filter(|stream| page.is_past(stream));
    let shown: Vec<_> = rest.by_ref().take(page.limit).collect();
    let next = rest.next().and(shown.last()).map(|stream| stream.number.to_string());
    let connections: Vec<Connection<'_>> =
        shown.iter().map(|stream| Connection::of(call.app, stream)).collect();
    let answer = Status {
        total_connections: selected.len(),
        connections,
        next,
        server: server(call.app, &call.app.hub.snapshot()),
    };
    Ok(Response::json(http::StatusCode::OK, &answer)
        .header(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .into())
}

/// The answer, with what seed 004 has of it first.
#[derive(Debug, Serialize)]
struct Status<'a> {
    total_connections: usize,
    connections: Vec<Connection<'a>>,
    next: Option<String>,
    #[serde(flatten)]
    server: Value,
}

/// Which connections to show: `?limit=&after=&session_id=`.
pub(in crate::serve::doors) struct Page {
    pub limit: usize,
    /// The last one of the page before: what that page gave as `next`.
    after: Option<u64>,
    session: Option<String>,
}

impl Page {
    pub fn of(request: &Request) -> Result<Self, Problem> {
        let number = |name: &str| -> Result<Option<u64>, Problem> {
            let wrong = |_| {
                Problem::bad_request("invalid_parameter", format!("`{name}` is a whole number."))
            };
            request.query(name).map(|text| text.parse().map_err(wrong)).transpose()
        };
        let limit = number("limit")?.unwrap_or(DEFAULT_LIMIT as u64);
        if limit == 0 || limit > MAX_LIMIT as u64 {
            return Err(Problem::bad_request(
                "invalid_parameter",
                format!("`limit` is between 1 and {MAX_LIMIT}."),
            ));
        }
        let session = request.query("session_id").map(std::borrow::Cow::into_owned);
        Ok(Self { limit: limit as usize, after: number("after")?, session })
    }

    /// Whether the page before ended with an earlier one.
    pub fn is_past(&self, stream: &Stream) -> bool {
        self.after.is_none_or(|after| stream.number > after)
    }

    pub fn selects(&self, stream: &Stream) -> bool {
        self.session
            .as_deref()
            .is_none_or(|id| stream.profile.session.as_ref().is_some_and(|s| s.as_str() == id))
    }
}

/// One stream, with the fields of seed 004 first.
#[derive(Debug, Serialize)]
struct Connection<'a> {
    connection_id: Uuid,
    session_id: Option<&'a Identifier>,
    user_ip: Option<IpAddr>,
    created_at: String,
    last_activity: String,
    is_active: bool,
    subscriptions: Vec<String>,
    queue_size: usize,
    state: &'static str,
    door: &'static str,
    events_sent: u64,
    bytes_sent: u64,
    events_conflated: u64,
}

impl<'a> Connection<'a> {
    fn of(app: &'a App, stream: &'a Arc<Stream>) -> Self {
        let state = stream.state();
        let door = stream.profile.door;
        Self {
            connection_id: stream.id,
            session_id: stream.profile.session.as_ref(),
            user_ip: stream.profile.address,
            created_at: iso(stream.created_ms),
            last_activity: iso(stream.created_ms + stream.last_activity().as_millis() as u64),
            is_active: state != State::Ending,
            subscriptions: stream.with_subscription(|wants| subscriptions(app, door, wants)),
            queue_size: stream.queue_size(),
            state: state.as_str(),
            door,
            events_sent: stream.events_sent(),
            bytes_sent: stream.bytes_sent(),
            events_conflated: stream.events_conflated(),
        }
    }
}

/// What concerns the whole server.
fn server(app: &App, snapshot: &Snapshot) -> Value {
    let counts = &snapshot.counts;
    let ended: BTreeMap<_, _> =
        counts.ended.iter().map(|(reason, count)| (reason.as_str(), count)).collect();
    let gaps: BTreeMap<_, _> =
        counts.gaps.iter().map(|(reason, count)| (json_word(reason), count)).collect();
    json!({
        "server": {
            "version": env!("CARGO_PKG_VERSION"),
            "started_at": iso(app.started_ms),
            "uptime_seconds": app.clock.now().saturating_duration_since(app.started).as_secs(),
            "http_connections": app.admission.total(),
            "waiting_events": snapshot.waiting_events,
        },
        "totals": {
            "events_published": counts.published,
            "publishes_refused": counts.refused_busy + counts.refused_stopping,
            "events_delivered": counts.delivered,
            "bytes_sent": counts.bytes,
            "events_conflated": counts.conflated,
            "events_dropped": snapshot.dropped_events,
            "streams_opened": counts.opened,
            "streams_resumed": counts.resumed,
            "streams_ended": ended,
            "gaps": gaps,
        },
        "rates": {
            "published_per_second": counts.rates.published_per_second,
            "delivered_per_second": counts.rates.delivered_per_second,
            "window_seconds": counts.rates.window.as_secs(),
        },
        "history": {
            "events": snapshot.history.events,
            "bytes": snapshot.history.bytes,
            "oldest_id": snapshot.history.oldest,
            "newest_id": snapshot.history.newest,
            "max_age_seconds": app.hub.limits().history_age.as_secs(),
            "max_events": app.hub.limits().history_events,
            "max_bytes": app.hub.limits().history_bytes,
        },
        "limits": limits(app),
    })
}

fn limits(app: &App) -> Value {
    let hub = app.hub.limits();
    let seconds = |limit: Duration| limit.as_secs();
    json!({
        "max_connections": app.limits.max_connections,
        "max_connections_per_address": app.limits.max_connections_per_address,
        "max_event_bytes": app.publish_limits.max_event_bytes,
        "outbox_events": hub.outbox_events,
        "outbox_bytes": hub.outbox_bytes,
        "max_updates_per_second": hub.max_updates_per_second,
        "heartbeat_ms": hub.heartbeat.as_millis() as u64,
        "idle_seconds": seconds(hub.idle),
        "lifetime_seconds": seconds(hub.lifetime),
    })
}

fn json_word(value: &impl Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|word| word.as_str().map(str::to_owned))
        .unwrap_or_default()
}
