//! What a server says instead of an answer, and what that means.

use http::StatusCode;
use serde::Deserialize;

use super::Secret;
use super::client::Failed;

/// Of what a server says when it refuses, so much is shown.
const MAX_REFUSAL_CHARS: usize = 300;

/// What a server says, as everyone may see it: without the key, on one line, and not too long. What does not fit is
/// cut off last, or a piece of the key might be left.
pub(super) fn shown(said: &str, key: &Secret) -> String {
    let hidden = key.hidden_in(said);
    let plain = hidden.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.collect::<String>().trim().chars().take(MAX_REFUSAL_CHARS).collect()
}

/// What a status means, with what the server said about it.
pub(super) fn refused(status: StatusCode, said: &str, key: &Secret) -> Failed {
    let (message, code) = refusal(said).unwrap_or_else(|| (said.trim().to_owned(), String::new()));
    let lower = message.to_lowercase();
    let is_too_long = code == "context_length_exceeded"
        || lower.contains("context length")
        || lower.contains("maximum context")
        || lower.contains("too many tokens");
    if status == StatusCode::PAYLOAD_TOO_LARGE || status == StatusCode::BAD_REQUEST && is_too_long {
        return Failed::TooLong;
    }
    let clean = shown(&message, key);
    let tail = if clean.is_empty() { String::new() } else { format!(": {clean}") };
    // What one may use is over for the month, not for the moment.
    let is_spent = code == "insufficient_quota";
    match status.as_u16() {
        401 | 403 => Failed::for_good(format!(
            "The model's server does not let us in (openai_api_key){tail}"
        )),
        404 => Failed::for_good(format!(
            "The model's server does not know the model or the address{tail}"
        )),
        429 if is_spent => {
            Failed::for_good(format!("The model's server wants to be paid first{tail}"))
        }
        408 | 409 | 425 | 429 | 500..=599 => Failed::for_now(format!(
            "The model's server cannot answer now ({}){tail}",
            status.as_u16()
        )),
        300..=399 => Failed::for_good(
            "The model's server sends us elsewhere; openai_base_url must be where it is.",
        ),
        code => Failed::for_good(format!("The model's server refuses the question ({code}){tail}")),
    }
}

/// What a server says when it does not answer.
#[derive(Debug, Deserialize)]
struct Refusal {
    error: Trouble,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Trouble {
    Told {
        #[serde(default)]
        message: String,
        #[serde(default)]
        code: Option<serde_json::Value>,
    },
    Said(String),
}

/// What a refusal says, and the word for it; none if it is something else.
pub(super) fn refusal(body: &str) -> Option<(String, String)> {
    let Refusal { error } = serde_json::from_str(body).ok()?;
    Some(match error {
        Trouble::Told { message, code } => {
            let code = code.map(|code| code.as_str().map_or(code.to_string(), str::to_owned));
            (message, code.unwrap_or_default())
        }
        Trouble::Said(message) => (message, String::new()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_understood_in_every_form() {
        let check = |body: &str, message: &str, code: &str| {
            assert_eq!(refusal(body), Some((message.into(), code.into())), "{body}");
        };
        check(
            r#"{"error":{"message":"No.","type":"x","code":"invalid_api_key"}}"#,
            "No.",
            "invalid_api_key",
        );
        check(r#"{"error":{"message":"No.","code":404}}"#, "No.", "404");
        check(r#"{"error":"No."}"#, "No.", "");
        assert_eq!(refusal("Bad gateway\n"), None);
    }
}
