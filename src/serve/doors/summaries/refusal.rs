//! Why a request of the summarizer's was not taken, for the client.

use std::time::Duration;

use http::StatusCode;

use crate::publish::summarizer::library::LibraryError;
use crate::publish::summarizer::request::InvalidRequest;
use crate::publish::summarizer::videos::{SITE_RETRY, VideoError};
use crate::publish::summarizer::{CancelError, SubmitError};
use crate::serve::problem::Problem;

/// When a full queue is worth another try: an item takes a fraction of this.
const QUEUE_RETRY: Duration = Duration::from_secs(2);

/// A request was not taken.
pub(super) fn not_taken(error: SubmitError) -> Problem {
    let detail = error.to_string();
    match error {
        SubmitError::Invalid(invalid) => {
            let (status, code) = kind(&invalid);
            Problem::new(status, code).field(invalid.field()).detail(detail)
        }
        SubmitError::Video { field, error } => no_video(&error).field(field),
        SubmitError::Full => {
            Problem { code: "queue_full", ..Problem::unavailable(QUEUE_RETRY).detail(detail) }
        }
        SubmitError::TooManyLookups | SubmitError::Busy => {
            Problem { code: "busy", ..Problem::unavailable(QUEUE_RETRY).detail(detail) }
        }
        SubmitError::Library(error) => not_read(&error),
        SubmitError::NotAgain => Problem::conflict("not_again", detail),
        SubmitError::Exists(_) => Problem::conflict("job_exists", detail),
    }
}

/// The library cannot be read or written.
pub(in crate::serve::doors) fn not_read(error: &LibraryError) -> Problem {
    log::warn!("the summaries' database: {error}");
    let detail = "The summaries' database cannot be used at the moment.";
    Problem { code: "library_unavailable", ..Problem::unavailable(QUEUE_RETRY).detail(detail) }
}

/// A batch was not cancelled.
pub(super) fn not_cancelled(error: &CancelError) -> Problem {
    match error {
        CancelError::NotFound => Problem::not_found("There is no such batch."),
        CancelError::Ended => Problem::conflict("batch_ended", "The batch has already ended."),
        CancelError::Busy => {
            let problem = Problem::unavailable(QUEUE_RETRY).detail(error.to_string());
            Problem { code: "busy", ..problem }
        }
    }
}

/// A playlist cannot be had: for good, for now, or because of something that is wrong here.
fn no_video(error: &VideoError) -> Problem {
    let status = match error {
        VideoError::RateLimited
        | VideoError::Cancelled
        | VideoError::NotInstalled
        | VideoError::TooOld(_)
        | VideoError::Trouble(_) => StatusCode::SERVICE_UNAVAILABLE,
        VideoError::Network(_) => StatusCode::BAD_GATEWAY,
        VideoError::Timeout(_) => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let problem = Problem::new(status, error.code()).detail(error.to_string());
    if error.is_retryable() { problem.retry_after(SITE_RETRY) } else { problem }
}

fn kind(invalid: &InvalidRequest) -> (StatusCode, &'static str) {
    match invalid {
        InvalidRequest::NotAvailable { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "not_available"),
        InvalidRequest::UnknownModel { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "unknown_model"),
        InvalidRequest::Forbidden { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "video_forbidden"),
        InvalidRequest::TooLarge { .. } | InvalidRequest::TooLargeTogether { .. } => {
            (StatusCode::PAYLOAD_TOO_LARGE, "transcript_too_large")
        }
        _ => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
    }
}
