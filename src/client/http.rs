//! Requests: where they go, how long they may take, and what a refusal says.

use std::fmt;
use std::io::{BufReader, Read};
use std::str::FromStr;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Response, StatusCode, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::{Agent, Body};

use super::terminal::shown;
use super::{Failure, failed};

/// The address of a server, or of something on it: `http://` or `https://`, without a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Uri);

impl Address {
    /// The path that is meant, if the address names none, with these parameters added.
    pub fn url(&self, default_path: &str, parameters: &[(&str, &str)]) -> String {
        self.at(if self.0.path() == "/" { default_path } else { "" }, parameters)
    }

    /// This path on the server, below what stands in the address already, with these parameters added.
    pub fn at(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        let base = self.0.to_string();
        let base = base.split('?').next().unwrap_or_default().trim_end_matches('/');
        let given = self.0.query().into_iter().map(str::to_owned);
        let added =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let query: Vec<_> = given.chain([added]).filter(|part| !part.is_empty()).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{base}{path}{mark}{}", query.join("&"))
    }
}

impl Default for Address {
    /// Where a server listens to which nothing was said.
    fn default() -> Self {
        Self(Uri::from_static("http://127.0.0.1:5001"))
    }
}

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let uri: Uri = text.parse().map_err(|_| NoAddress)?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        if is_http && uri.host().is_some() { Ok(Self(uri)) } else { Err(NoAddress) }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is no [`Address`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an address looks like http://127.0.0.1:5001")]
pub struct NoAddress;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks, and gives up when nothing at all comes for this long.
pub(super) fn agent(silence: Duration) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_per_read(Some(silence))
        .build()
        .new_agent()
}

/// Whether the same request may be answered otherwise a little later.
pub(super) fn is_for_now(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

/// When the server wants to be asked again.
pub(super) fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// How much of an answer is read.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// What an answer says, in JSON.
pub(super) fn json<T: DeserializeOwned>(url: &str, response: Response<Body>) -> Result<T, Failure> {
    let body = BufReader::new(response.into_body().into_reader().take(MAX_ANSWER_BYTES));
    let no_json = |error| failed(url, format!("the server's answer cannot be read: {error}"));
    serde_json::from_reader(body).map_err(no_json)
}

/// How much of a refusal is read.
const MAX_REFUSAL_BYTES: u64 = 64 << 10;

/// What a refusal says, for people.
pub(super) fn refusal(response: Response<Body>) -> String {
    #[derive(Deserialize)]
    struct Problem {
        title: Option<String>,
        detail: Option<String>,
        /// Where in the request the mistake is.
        field: Option<String>,
    }
    let status = response.status();
    let mut text = String::new();
    // A refusal that cannot be read still has its status.
    let _ = response.into_body().into_reader().take(MAX_REFUSAL_BYTES).read_to_string(&mut text);
    let mut said = format!("the server answered {status}");
    let Ok(Problem { title, detail, field }) = serde_json::from_str(&text) else { return said };
    // Most titles are the status's own.
    let title = title.filter(|title| Some(title.as_str()) != status.canonical_reason());
    for part in [title, detail].into_iter().flatten() {
        said = format!("{said}: {}", shown(&part));
    }
    if let Some(field) = field {
        said = format!("{said} (field {})", shown(&field));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, parameters: &[(&str, &str)], expected: &str) {
        let address: Address = address.parse().unwrap();
        assert_eq!(address.url("/events", parameters), expected);
    }

    #[test]
    fn an_address_without_a_path_gets_the_usual_one() {
        check("http://a:1", &[], "http://a:1/events");
        check("https://a/", &[], "https://a/events");
        check("http://a/live/events", &[], "http://a/live/events");
        check(
            "http://a",
            &[("subscribe", "a,b"), ("x", "&")],
            "http://a/events?subscribe=a%2Cb&x=%26",
        );
        check("http://a/e?k=1", &[("x", "2")], "http://a/e?k=1&x=2");
        check("http://a/e?k=1", &[], "http://a/e?k=1");
    }

    #[test]
    fn a_path_stands_below_what_the_address_names() {
        let at = |address: &str| address.parse::<Address>().unwrap().at("/a/b", &[("x", "1")]);
        assert_eq!(at("http://a:1"), "http://a:1/a/b?x=1");
        assert_eq!(at("https://a/tidings/?k=1"), "https://a/tidings/a/b?k=1&x=1");
    }

    #[test]
    fn what_cannot_be_asked_is_no_address() {
        for wrong in ["", "a", "127.0.0.1:5001", "/events", "ftp://a", "http://"] {
            assert_eq!(wrong.parse::<Address>(), Err(NoAddress), "{wrong}");
        }
    }
}
