//! What a server says instead of an answer, and what that means.

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::Secret;
use super::client::{Failed, Form};

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
    let whole = || Refusal { message: said.trim().to_owned(), ..Refusal::default() };
    let refusal = Refusal::read(said).unwrap_or_else(whole);
    let Refusal { message, code, .. } = &refusal;
    let lower = message.to_lowercase();
    let is_too_long = code == "context_length_exceeded"
        || lower.contains("context length")
        || lower.contains("maximum context")
        || lower.contains("too many tokens");
    if status == StatusCode::PAYLOAD_TOO_LARGE || status == StatusCode::BAD_REQUEST && is_too_long {
        return Failed::TooLong;
    }
    let clean = shown(message, key);
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
        code => {
            let message = format!("The model's server refuses the question ({code}){tail}");
            match refusal.unwanted() {
                unwanted if code == 400 && unwanted != Form::default() => {
                    Failed::Form { unwanted, message }
                }
                _ => Failed::for_good(message),
            }
        }
    }
}

/// What a server says when it does not answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    pub message: String,
    /// The word for it; empty if there is none.
    code: String,
    /// What in the question it is about; empty if that is not said.
    param: String,
}

/// The same in JSON.
#[derive(Debug, Deserialize)]
struct Written {
    error: Trouble,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Trouble {
    Told {
        #[serde(default)]
        message: Option<String>,
        #[serde(default)]
        code: Option<Value>,
        #[serde(default)]
        param: Option<Value>,
    },
    Said(String),
}

impl Refusal {
    /// None if it is something else.
    pub fn read(body: &str) -> Option<Self> {
        let word = |value: Value| value.as_str().map_or(value.to_string(), str::to_owned);
        Some(match serde_json::from_str(body).ok()? {
            Written { error: Trouble::Told { message, code, param } } => Self {
                message: message.unwrap_or_default(),
                code: code.map(word).unwrap_or_default(),
                param: param.map(word).unwrap_or_default(),
            },
            Written { error: Trouble::Said(message) } => Self { message, ..Self::default() },
        })
    }

    /// What it names of the ways in which a question can be put.
    fn unwanted(&self) -> Form {
        let Self { message, code, param } = self;
        let is_named = |name| [message, code, param].iter().any(|said| said.contains(name));
        Form { has_new_limit: is_named("max_tokens"), has_no_temperature: is_named("temperature") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_understood_in_every_form() {
        let check = |body: &str, message: &str, code: &str, param: &str| {
            let [message, code, param] = [message, code, param].map(str::to_owned);
            assert_eq!(Refusal::read(body), Some(Refusal { message, code, param }), "{body}");
        };
        check(
            r#"{"error":{"message":"No.","type":"x","code":"invalid_api_key","param":"key"}}"#,
            "No.",
            "invalid_api_key",
            "key",
        );
        check(r#"{"error":{"message":"No.","code":404,"param":null}}"#, "No.", "404", "");
        check(r#"{"error":{"message":null}}"#, "", "", "");
        check(r#"{"error":"No."}"#, "No.", "", "");
        assert_eq!(Refusal::read("Bad gateway\n"), None);
        assert_eq!(Refusal::read(r#"{"error":null,"choices":[]}"#), None);
    }

    #[test]
    fn what_a_server_does_not_want_is_known_by_its_name() {
        let check = |said: &str, has_new_limit, has_no_temperature| {
            let refusal = Refusal { message: said.to_owned(), ..Refusal::default() };
            assert_eq!(refusal.unwanted(), Form { has_new_limit, has_no_temperature }, "{said}");
        };
        check("'max_tokens' is not supported. Use 'max_completion_tokens' instead.", true, false);
        check("'temperature' does not support 0.2 with this model.", false, true);
        check("max_completion_tokens is too large", false, false);
        let param = Refusal { param: "temperature".into(), ..Refusal::default() };
        assert!(param.unwanted().has_no_temperature);
    }
}
