//! `tidings publish`: one event to a server, and what became of it.

use std::io::{self, Read};
use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::http::{self as requests, Address};
use super::terminal::{print, shown, shown_json};
use super::{Failure, failed};

/// What to publish, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The server.
    pub server: Address,
    /// The event's type.
    pub name: String,
    /// Its data.
    pub data: Data,
    /// Only for this session.
    pub session: Option<String>,
    /// For the streams that subscribed to this type, whatever the event's own is.
    pub subscription: Option<String>,
    /// Waits until it is on disk.
    pub durable: bool,
    /// The server's answer as it is, for programs.
    pub json: bool,
}

/// Where the data is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// This JSON.
    Json(String),
    /// On standard input.
    Input,
}

/// What is posted.
#[derive(Serialize)]
struct Broadcast<'a> {
    event_type: &'a str,
    data: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_filter: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription_filter: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    durable: bool,
}

/// What is answered.
#[derive(Deserialize)]
struct Taken {
    event_id: String,
    matched: Option<u64>,
    stored: Option<bool>,
}

/// How long the server may take for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// No server takes so much; what is longer is most likely no data at all.
const MAX_INPUT_BYTES: u64 = 64 << 20;

/// Publishes it and prints its id.
pub fn publish(options: &Options) -> Result<(), Failure> {
    let data = match &options.data {
        Data::Json(text) => text.clone(),
        Data::Input => input()?,
    };
    let body = Broadcast {
        event_type: &options.name,
        data: serde_json::from_str(&data).map_err(|error| no_json(&error))?,
        session_filter: options.session.as_deref(),
        subscription_filter: options.subscription.as_deref(),
        durable: options.durable,
    };
    let url = options.server.at("/events/broadcast", &[]);
    let body = serde_json::to_vec(&body).unwrap_or_default();
    let request = requests::agent(ANSWER_TIMEOUT).post(&url).content_type("application/json");
    let response = request.send(&body[..]).map_err(|error| failed(&url, error.to_string()))?;
    if response.status() != StatusCode::OK {
        return Err(failed(&url, requests::refusal(response)));
    }
    let answer: Value = requests::json(&url, response)?;
    if options.json {
        return print(&shown_json(&answer.to_string()));
    }
    let taken = Taken::deserialize(answer)
        .map_err(|error| failed(&url, format!("this is no answer of a Tidings server: {error}")))?;
    print(&taken.line())
}

impl Taken {
    /// The id comes first, for `cut` and `awk`.
    fn line(&self) -> String {
        let matched = match self.matched {
            None => String::new(),
            Some(1) => "  matched 1 stream".to_owned(),
            Some(matched) => format!("  matched {matched} streams"),
        };
        let stored = if self.stored == Some(true) { "  stored" } else { "" };
        format!("{}{matched}{stored}", shown(&self.event_id))
    }
}

fn input() -> Result<String, Failure> {
    let mut text = String::new();
    let read = io::stdin().lock().take(MAX_INPUT_BYTES).read_to_string(&mut text);
    let read = read.map_err(|source| Failure::File { name: "standard input".into(), source })?;
    if read as u64 == MAX_INPUT_BYTES {
        return Err(Failure::Input(format!(
            "standard input has more than {MAX_INPUT_BYTES} bytes"
        )));
    }
    Ok(text)
}

fn no_json(error: &serde_json::Error) -> Failure {
    Failure::Input(format!("the data is no JSON: {error}"))
}
