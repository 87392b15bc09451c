//! `GET /ready`: whether the server can take work, part by part.
//!
//! Unlike `/health`, which only says that it is alive, this is for whoever decides where to send clients.

use std::time::Duration;

use http::HeaderValue;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use serde::Serialize;
use serde_json::json;

use crate::serve::App;
use crate::serve::conversation::Answer;
use crate::serve::http::Response;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;

/// When it makes sense to ask again.
const COME_BACK: Duration = Duration::from_secs(5);

/// Something that must work for the server to take work.
#[derive(Debug, Serialize)]
struct Part {
    name: &'static str,
    state: State,
    /// What is so, as a sentence.
    detail: String,
}

/// How a part is, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ready,
    /// It goes on without something that it should have.
    Degraded,
    /// It takes nothing new any more.
    Draining,
}

/// Answers 200 when every part is ready, 503 otherwise.
pub fn ready(call: &Call<'_>) -> Result<Answer, Problem> {
    Ok(answer(&parts(call.app)).header(CACHE_CONTROL, HeaderValue::from_static("no-store")).into())
}

fn parts(app: &App) -> Vec<Part> {
    let mut parts = vec![connections(app.is_draining()), dispatch(app.hub.snapshot().dead_threads)];
    parts.extend(app.store.as_ref().map(|store| storage(store.trouble())));
    parts.push(jobs(app.jobs.records().trouble()));
    parts
}

fn connections(is_draining: bool) -> Part {
    let (state, detail) = if is_draining {
        (State::Draining, "The server is stopping; no new streams are taken.")
    } else {
        (State::Ready, "Connections are accepted.")
    };
    Part { name: "connections", state, detail: detail.to_owned() }
}

fn dispatch(dead_threads: usize) -> Part {
    let (state, detail) = if dead_threads == 0 {
        (State::Ready, "Events are delivered.".to_owned())
    } else {
        let detail = format!(
            "{dead_threads} of the threads that deliver events have failed; some streams get nothing. \
             Restart the server."
        );
        (State::Degraded, detail)
    };
    Part { name: "dispatch", state, detail }
}

fn storage(trouble: Option<String>) -> Part {
    let (state, detail) = match trouble {
        None => (State::Ready, "Events are kept.".to_owned()),
        Some(trouble) => {
            let detail = format!("Events are delivered, but cannot be kept: {trouble}.");
            (State::Degraded, detail)
        }
    };
    Part { name: "storage", state, detail }
}

fn jobs(trouble: Option<String>) -> Part {
    let (state, detail) = match trouble {
        None => (State::Ready, "Jobs are kept.".to_owned()),
        Some(trouble) => {
            let detail = format!("Jobs go on, but their states cannot be kept: {trouble}.");
            (State::Degraded, detail)
        }
    };
    Part { name: "jobs", state, detail }
}

fn answer(parts: &[Part]) -> Response {
    let worst = parts.iter().map(|part| part.state).max().unwrap_or(State::Ready);
    if worst == State::Ready {
        return Response::json(StatusCode::OK, &json!({"status": worst, "parts": parts}));
    }
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let unready = parts.iter().filter(|part| part.state != State::Ready);
    let details: Vec<_> = unready.map(|part| part.detail.as_str()).collect();
    let problem = json!({
        "status": status.as_u16(),
        "title": status.canonical_reason(),
        "code": worst,
        "detail": details.join(" "),
        "parts": parts,
    });
    Response::json(status, &problem)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))
        .header(RETRY_AFTER, COME_BACK.as_secs().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(draining: bool, dead_threads: usize, trouble: bool, status: u16, code: &str) {
        let trouble = trouble.then(|| "no space".to_owned());
        let storage = storage(trouble.clone());
        let parts = [connections(draining), dispatch(dead_threads), storage, jobs(trouble)];
        let response = answer(&parts);
        let body: serde_json::Value = serde_json::from_slice(response.body.as_slice()).unwrap();
        assert_eq!(response.status.as_u16(), status, "{body}");
        assert_eq!(body[if status == 200 { "status" } else { "code" }], code, "{body}");
        assert_eq!(response.headers.contains_key(RETRY_AFTER), status == 503);
        let names: Vec<_> = body["parts"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
        assert_eq!(names, ["connections", "dispatch", "storage", "jobs"]);
    }

    #[test]
    fn a_server_is_ready_when_all_its_parts_are() {
        check(false, 0, false, 200, "ready");
        check(true, 0, false, 503, "draining");
        check(false, 1, false, 503, "degraded");
        check(false, 0, true, 503, "degraded");
        check(true, 1, true, 503, "draining");
    }

    #[test]
    fn what_is_wrong_is_said_for_each_part() {
        let response = answer(&[connections(true), dispatch(2)]);
        let body: serde_json::Value = serde_json::from_slice(response.body.as_slice()).unwrap();
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains("stopping") && detail.contains("2 of the threads"), "{detail}");
        assert_eq!(body["code"], "draining", "who stops will not get better");
        assert_eq!(response.headers[CONTENT_TYPE], "application/problem+json");
    }
}
