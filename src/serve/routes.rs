//! The table: method and path to function.

use std::sync::Arc;

use http::Method;
use http::header::ALLOW;

use super::App;
use super::conversation::{Answer, Client};
use super::doors::{events, health, pages, summaries};
use super::http::{Request, Response};
use super::problem::Problem;
use super::socket::Socket;

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

/// All there is. `{}` stands for one segment of the path; GET answers HEAD as well.
static TABLE: &[(Method, &str, Handler)] = &[
    (Method::GET, "/events", events::stream),
    (Method::GET, "/events/poll", events::poll::poll),
    (Method::GET, "/events/status", events::status::status),
    (Method::POST, "/events/broadcast", events::broadcast::broadcast),
    (Method::POST, "/api/v1/summaries", summaries::submit),
    (Method::GET, "/api/v1/summaries", summaries::list),
    (Method::GET, "/api/v1/summaries/{}", summaries::summary),
    (Method::GET, "/api/v1/summaries/batches/{}", summaries::batch),
    (Method::DELETE, "/api/v1/summaries/batches/{}", summaries::cancel),
    (Method::GET, "/health", health::health),
    (Method::GET, "/", pages::home),
    (Method::GET, "/sse-test", pages::sse_test),
    (Method::GET, "/static/{}", pages::asset),
    (Method::GET, "/static/{}/{}", pages::asset),
];

/// What a request is for.
pub(super) struct Route {
    /// What answers it.
    pub handler: Handler,
    /// What stands in the path where the route has `{}`.
    pub parameters: Vec<String>,
    method: Method,
}

impl Route {
    /// Whether the body is read before the handler is called.
    pub fn takes_body(&self) -> bool {
        self.method != Method::GET
    }
}

/// Finds what answers a request.
pub(super) fn find(request: &Request) -> Result<Route, Problem> {
    let segments = request.segments();
    let method = if request.method == Method::HEAD { &Method::GET } else { &request.method };
    let mut allowed = Vec::new();
    for (candidate, pattern, handler) in TABLE {
        let Some(parameters) = matches(pattern, &segments) else { continue };
        if candidate == method {
            return Ok(Route { handler: *handler, parameters, method: candidate.clone() });
        }
        allowed.push(candidate.clone());
    }
    if allowed.is_empty() {
        return Err(Problem::not_found("There is nothing at this path."));
    }
    allow(&mut allowed);
    if request.method == Method::OPTIONS {
        return Ok(Route { handler: options, parameters: names(&allowed), method: Method::GET });
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
}
