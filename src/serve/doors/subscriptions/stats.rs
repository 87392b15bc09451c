//! `GET /api/v1/sse/stats`: how many streams there are on this door, and what they are subscribed to.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use uuid::Uuid;

use super::subject::{Kind, Subject};
use crate::event::topic::Identifier;
use crate::hub::Stream;
use crate::serve::conversation::Answer;
use crate::serve::doors::events::status::Page;
use crate::serve::http::Response;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;

/// The answer, with what seed 001 has of it first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Stats<'a> {
    total_connections: usize,
    total_job_subscriptions: usize,
    total_queue_subscriptions: usize,
    total_worker_subscriptions: usize,
    /// Some of them, if there are many.
    connections: Vec<Connection<'a>>,
    next: Option<String>,
}

/// One stream.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection<'a> {
    connection_id: Uuid,
    session_id: Option<&'a Identifier>,
    address: Option<IpAddr>,
    /// Milliseconds, as in all of this door's events.
    connected_at: u64,
    last_activity_at: u64,
    job_subscriptions: usize,
    queue_subscriptions: usize,
    worker_subscriptions: usize,
    state: &'static str,
    queue_size: usize,
    events_sent: u64,
    bytes_sent: u64,
}

/// How many subscriptions there are of each kind.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    jobs: usize,
    queues: usize,
    workers: usize,
}

impl Count {
    fn of(stream: &Stream) -> Self {
        let mut count = Self::default();
        stream.with_subscription(|wants| {
            for kind in wants.topics().iter().filter_map(Subject::kind_of) {
                match kind {
                    Kind::Job => count.jobs += 1,
                    Kind::Queue => count.queues += 1,
                    Kind::Worker => count.workers += 1,
                }
            }
        });
        count
    }

    fn add(&mut self, other: Self) {
        self.jobs += other.jobs;
        self.queues += other.queues;
        self.workers += other.workers;
    }
}

impl<'a> Connection<'a> {
    fn of(stream: &'a Stream, count: Count) -> Self {
        Self {
            connection_id: stream.id,
            session_id: stream.profile.session.as_ref(),
            address: stream.profile.address,
            connected_at: stream.created_ms,
            last_activity_at: stream.created_ms + stream.last_activity().as_millis() as u64,
            job_subscriptions: count.jobs,
            queue_subscriptions: count.queues,
            worker_subscriptions: count.workers,
            state: stream.state().as_str(),
            queue_size: stream.queue_size(),
            events_sent: stream.events_sent(),
            bytes_sent: stream.bytes_sent(),
        }
    }
}

/// Counts all streams of the door and shows some: `?limit=&after=&session_id=`, as the events door's
/// status does.
pub fn stats(call: &Call<'_>) -> Result<Answer, Problem> {
    let page = Page::of(call.request)?;
    let streams = call.app.hub.streams_after(None);
    let is_meant = |stream: &&Arc<Stream>| stream.profile.door == super::DOOR;
    let streams: Vec<_> = streams.iter().filter(is_meant).filter(|s| page.selects(s)).collect();
    let counts: Vec<_> = streams.iter().map(|stream| Count::of(stream)).collect();
    let mut total = Count::default();
    for count in &counts {
        total.add(*count);
    }
    let mut rest = streams.iter().zip(&counts).filter(|(stream, _)| page.is_past(stream));
    let shown: Vec<_> = rest.by_ref().take(page.limit).collect();
    let next = rest.next().and(shown.last()).map(|(stream, _)| stream.number.to_string());
    let answer = Stats {
        total_connections: streams.len(),
        total_job_subscriptions: total.jobs,
        total_queue_subscriptions: total.queues,
        total_worker_subscriptions: total.workers,
        connections: shown.iter().map(|(stream, count)| Connection::of(stream, **count)).collect(),
        next,
    };
    let response = Response::json(StatusCode::OK, &answer);
    Ok(response.header(CACHE_CONTROL, HeaderValue::from_static("no-store")).into())
}
