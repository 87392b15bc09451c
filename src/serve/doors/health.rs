//! `GET /health`: whether the server is alive.

use http::HeaderValue;
use serde_json::json;

use crate::serve::conversation::Answer;
use crate::serve::http::Response;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;

/// Answers as soon as a thread is there to answer.
pub fn health(call: &Call<'_>) -> Result<Answer, Problem> {
    let uptime = call.app.clock.now().saturating_duration_since(call.app.started);
    let answer = json!({"status": "ok", "version": env!("CARGO_PKG_VERSION"), "uptime_seconds": uptime.as_secs()});
    Ok(Response::json(http::StatusCode::OK, &answer)
        .header(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .into())
}
