//! What a client calls a request that it may have to send twice.

use sha2::{Digest, Sha256};

use crate::event::RequestKey;
use crate::serve::problem::Problem;
use crate::serve::routes::Call;

/// Whether this can be the name of a request.
pub(super) fn is_good(key: &str) -> bool {
    (1..=255).contains(&key.len()) && key.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// What the header `Idempotency-Key` calls this request, if it is there.
pub(super) fn header<'a>(call: &'a Call<'_>) -> Result<Option<&'a str>, Problem> {
    let Some(value) = call.request.headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| is_good(key));
    let detail = "Idempotency-Key is 1 to 255 printable ASCII characters.";
    key.map(Some).ok_or_else(|| Problem::bad_request("invalid_idempotency_key", detail))
}

/// This request under that name.
pub(super) fn named(call: &Call<'_>, key: &str) -> RequestKey {
    RequestKey { key: key.to_owned(), digest: Sha256::digest(&call.body).into() }
}
