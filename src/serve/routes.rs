//! The table: method and path to function.

use std::sync::Arc;

use http::Method;
use http::header::ALLOW;

use super::conversation::{Answer, Client};
use super::doors::{
    batches, events, health, jobs, metrics, openapi, pages, pubsub, queues, reading, ready,
    subscriptions, summaries,
};
use super::http::{Request, Response};
use super::problem::Problem;
use super::socket::Socket;
use super::traffic::OTHER;
use super::{App, Limits};

/// A request on its way to its handler, whole.
pub struct Call<'a> {
    /// What the server shares.
    pub app: &'a Arc<App>,
    /// The request's head.
    pub request: &'a Request,
    /// Who asks.
    pub client: Client,
    /// What stands in the path where the route has `{}`.
    pub parameters: Vec<String>,
    /// The body.
    pub body: Vec<u8>,
    /// The connection it came on, for those who wait and want to know whether the client does.
    pub socket: &'a Socket,
}

/// What answers a request.
pub type Handler = fn(&Call<'_>) -> Result<Answer, Problem>;

/// The body that a request of a route may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// None that anyone looks at.
    Unread,
    /// A body as most have it: `max_body_bytes`.
    Usual,
    /// Many jobs at once: `max_bulk_body_bytes`.
    Bulk,
    /// Whole transcripts: `max_transcripts_body_bytes`.
    Transcripts,
}

/// All there is. `{}` stands for one segment of the path; GET answers HEAD as well.
static TABLE: &[(Method, &str, Body, Handler)] = &[
    (Method::GET, "/events", Body::Unread, events::stream),
    (Method::GET, "/events/poll", Body::Unread, events::poll::poll),
    (Method::GET, "/events/status", Body::Unread, events::status::status),
    (Method::GET, "/events/explain", Body::Unread, events::explain::explain),
    (Method::POST, "/events/broadcast", Body::Usual, events::broadcast::broadcast),
    (Method::GET, "/events/faults", Body::Unread, events::faults::list),
    (Method::POST, "/events/faults", Body::Usual, events::faults::put),
    (Method::DELETE, "/events/faults", Body::Unread, events::faults::lift),
    (Method::POST, "/api/v1/jobs", Body::Usual, jobs::create),
    (Method::GET, "/api/v1/jobs", Body::Unread, jobs::list),
    (Method::POST, "/api/v1/jobs/status", Body::Usual, jobs::report::reports),
    (Method::GET, "/api/v1/jobs/{}", Body::Unread, jobs::job),
    (Method::DELETE, "/api/v1/jobs/{}", Body::Unread, jobs::remove),
    (Method::GET, "/api/v1/jobs/{}/events", Body::Unread, jobs::events::stream),
    (Method::POST, "/api/v1/jobs/{}/status", Body::Usual, jobs::report::report),
    (Method::POST, "/api/v1/jobs/{}/heartbeat", Body::Usual, jobs::heartbeat),
    (Method::POST, "/api/v1/jobs/{}/cancel", Body::Usual, jobs::cancel),
    (Method::POST, "/api/v1/jobs/{}/retry", Body::Usual, queues::retry),
    (Method::POST, "/api/v1/queue/add", Body::Usual, queues::add::add),
    (Method::POST, "/api/v1/queue/add-bulk", Body::Bulk, queues::add::add_bulk),
    (Method::GET, "/api/v1/queues", Body::Unread, queues::list),
    (Method::GET, "/api/v1/queues/{}", Body::Unread, queues::queue),
    (Method::GET, "/api/v1/queues/{}/jobs", Body::Unread, queues::jobs),
    (Method::POST, "/api/v1/queues/{}/pause", Body::Usual, queues::pause),
    (Method::POST, "/api/v1/queues/{}/resume", Body::Usual, queues::resume),
    (Method::POST, "/api/v1/queues/{}/lease", Body::Usual, queues::lease::lease),
    (Method::POST, "/api/v1/batches", Body::Bulk, batches::create),
    (Method::GET, "/api/v1/batches", Body::Unread, batches::list),
    (Method::GET, "/api/v1/batches/{}", Body::Unread, batches::batch),
    (Method::GET, "/api/v1/batches/{}/jobs", Body::Unread, batches::jobs),
    (Method::GET, "/api/v1/batches/{}/events", Body::Unread, batches::events::stream),
    (Method::POST, "/api/v1/batches/{}/cancel", Body::Usual, batches::cancel),
    (Method::GET, "/api/v1/workers", Body::Unread, queues::workers),
    (Method::POST, "/api/v1/summaries", Body::Transcripts, summaries::submit),
    (Method::GET, "/api/v1/summaries", Body::Unread, summaries::list),
    (Method::GET, "/api/v1/summaries/options", Body::Unread, summaries::options),
    (Method::GET, "/api/v1/summaries/batches", Body::Unread, summaries::batches),
    (Method::GET, "/api/v1/summaries/batches/{}", Body::Unread, summaries::batch),
    (Method::DELETE, "/api/v1/summaries/batches/{}", Body::Unread, summaries::cancel),
    (Method::POST, "/api/v1/summaries/batches/{}/items/{}/retry", Body::Usual, summaries::retry),
    (Method::GET, "/api/v1/summaries/{}", Body::Unread, summaries::summary),
    (Method::DELETE, "/api/v1/summaries/{}", Body::Unread, summaries::remove),
    (Method::POST, "/api/v1/summaries/{}/refresh", Body::Usual, summaries::refresh),
    (Method::GET, "/api/v1/summaries/{}/transcript", Body::Unread, summaries::transcript),
    (Method::GET, "/api/v1/summaries/{}/markdown", Body::Unread, summaries::as_markdown),
    (Method::GET, "/api/v1/sse/connect", Body::Unread, subscriptions::connect),
    (Method::GET, "/api/v1/sse/stats", Body::Unread, subscriptions::stats::stats),
    (Method::POST, "/api/v1/sse/{}/subscribe/{}/{}", Body::Usual, subscriptions::subscribe),
    (Method::POST, "/api/v1/sse/{}/unsubscribe/{}/{}", Body::Usual, subscriptions::unsubscribe),
    (Method::POST, "/api/v1/sse/{}/subscriptions", Body::Usual, subscriptions::subscriptions),
    (Method::POST, "/pubsub/push", Body::Usual, pubsub::push),
    (Method::GET, "/health", Body::Unread, health::health),
    (Method::GET, "/ready", Body::Unread, ready::ready),
    (Method::GET, "/metrics", Body::Unread, metrics::metrics),
    (Method::GET, "/openapi.json", Body::Unread, openapi::openapi),
    (Method::GET, "/", Body::Unread, reading::home),
    (Method::GET, "/summaries/{}", Body::Unread, reading::summary),
    (Method::GET, "/jobs", Body::Unread, pages::jobs),
    (Method::GET, "/sse-test", Body::Unread, pages::sse_test),
    (Method::GET, "/static/{}", Body::Unread, pages::asset),
    (Method::GET, "/static/{}/{}", Body::Unread, pages::asset),
    // No door hands connections over yet; this one shows that it can be done.
    #[cfg(test)]
    (Method::GET, "/upgrade", Body::Unread, super::conversation::tests::upgrade),
    // A stream in whose very moment the server stops.
    #[cfg(test)]
    (Method::GET, "/stop-and-stream", Body::Unread, super::drain::tests::stop_and_stream),
];

/// What a request is for.
pub(super) struct Route {
    /// Its path with `{}`, for the figures.
    pub pattern: &'static str,
    /// What answers it.
    pub handler: Handler,
    /// What stands in the path where the route has `{}`.
    pub parameters: Vec<String>,
    body: Body,
}

impl Route {
    /// How many bytes the body may have that is read before the handler is called (0 is no limit);
    /// none if it is not read.
    pub fn body_bytes(&self, limits: &Limits) -> Option<usize> {
        match self.body {
            Body::Unread => None,
            Body::Usual => Some(limits.body_bytes),
            Body::Bulk => Some(limits.bulk_body_bytes),
            Body::Transcripts => Some(limits.transcripts_body_bytes),
        }
    }
}

/// Finds what answers a request.
pub(super) fn find(request: &Request) -> Result<Route, Problem> {
    let segments = request.segments();
    let method = if request.method == Method::HEAD { &Method::GET } else { &request.method };
    let (mut allowed, mut known) = (Vec::new(), OTHER);
    for (candidate, pattern, body, handler) in TABLE {
        let Some(parameters) = matches(pattern, &segments) else { continue };
        // What can be read at a path is there by itself, and nothing that `{}` stands for. (What can only be
        // posted to is not: a job may be called `status`.)
        if known != *pattern && allowed.contains(&Method::GET) {
            continue;
        }
        if candidate == method {
            return Ok(Route { pattern, handler: *handler, parameters, body: *body });
        }
        allowed.push(candidate.clone());
        known = pattern;
    }
    if allowed.is_empty() {
        return Err(Problem::not_found("There is nothing at this path."));
    }
    allow(&mut allowed);
    if request.method == Method::OPTIONS {
        let parameters = names(&allowed);
        return Ok(Route { pattern: known, handler: options, parameters, body: Body::Unread });
    }
    Err(Problem::method_not_allowed(&allowed))
}

/// Adds what every path answers.
fn allow(methods: &mut Vec<Method>) {
    if methods.contains(&Method::GET) {
        methods.push(Method::HEAD);
    }
    methods.push(Method::OPTIONS);
}

fn names(methods: &[Method]) -> Vec<String> {
    methods.iter().map(ToString::to_string).collect()
}

fn options(call: &Call<'_>) -> Result<Answer, Problem> {
    Ok(Response::empty(http::StatusCode::NO_CONTENT)
        .header(ALLOW, call.parameters.join(", "))
        .into())
}

/// The segments that stand for `{}`, if the path is of this form.
fn matches(pattern: &str, segments: &[&str]) -> Option<Vec<String>> {
    let mut parameters = Vec::new();
    let mut expected = pattern.trim_start_matches('/').split('/');
    for segment in segments {
        match expected.next()? {
            "{}" if !segment.is_empty() => parameters.push((*segment).to_owned()),
            literal if literal == *segment => {}
            _ => return None,
        }
    }
    expected.next().is_none().then_some(parameters)
}

/// Each route as `GET /a/{}`, but for those of tests.
#[cfg(test)]
pub(super) fn listed() -> impl Iterator<Item = String> {
    let public = TABLE.iter().filter(|(_, path, ..)| !TEST_PATHS.contains(path));
    public.map(|(method, path, ..)| format!("{method} {path}"))
}

#[cfg(test)]
const TEST_PATHS: [&str; 2] = ["/upgrade", "/stop-and-stream"];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, path: &str, expected: Option<&[&str]>) {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let parameters = matches(pattern, &segments);
        let expected = expected
            .map(|parameters| parameters.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(parameters, expected, "{path} as {pattern}");
    }

    #[test]
    fn a_path_matches_segment_by_segment() {
        check("/", "/", Some(&[]));
        check("/events", "/events", Some(&[]));
        check("/events", "/events/", None);
        check("/events", "/events/poll", None);
        check("/static/{}", "/static/a.js", Some(&["a.js"]));
        check("/static/{}", "/static/", None);
        check("/static/{}", "/static", None);
        check("/a/{}/b/{}", "/a/1/b/2", Some(&["1", "2"]));
    }

    #[test]
    fn a_body_has_the_room_that_its_route_needs() {
        let (body_bytes, transcripts_body_bytes, bulk_body_bytes) = (1, 2, 3);
        let limits =
            Limits { body_bytes, transcripts_body_bytes, bulk_body_bytes, ..Limits::default() };
        for (method, path, body, handler) in TABLE {
            let (parameters, body, handler) = (Vec::new(), *body, *handler);
            let route = Route { pattern: path, handler, parameters, body };
            let expected = match (method.as_str(), *path) {
                ("POST", "/api/v1/summaries") => Some(2),
                ("POST", "/api/v1/queue/add-bulk" | "/api/v1/batches") => Some(3),
                ("POST", _) => Some(1),
                _ => None,
            };
            assert_eq!(route.body_bytes(&limits), expected, "{method} {path}");
        }
    }
}
