//! How Pub/Sub packs a message: as JSON with its data in base64, or "unwrapped", as the data alone with
//! the rest in headers.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A message as it was delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// What Pub/Sub calls the message; unique within its topic.
    pub message_id: String,
    /// When it was published: milliseconds since 1970-01-01 UTC; none if that is not said.
    pub published_ms: Option<u64>,
    /// The subscription it comes by, as `projects/<project>/subscriptions/<name>`; empty if not said.
    pub subscription: String,
    /// Its place among those with the same key, if it has one. Pub/Sub holds back what has to wait for an
    /// earlier one, so there is nothing to be done with it but to log it.
    pub ordering_key: Option<String>,
    /// Words about the data, by name.
    pub attributes: BTreeMap<String, String>,
    /// What was published; may be empty.
    pub data: Vec<u8>,
}

/// Why something is no message, or has no update in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Malformed {
    /// What kind of mistake it is.
    pub mistake: Mistake,
    /// What is wrong, for people.
    pub detail: String,
}

/// What can be wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// It does not say that it is JSON.
    ContentType,
    /// It is not the JSON that Pub/Sub sends.
    Envelope,
    /// It has no id, or one that is too long.
    MessageId,
    /// Its data is not base64.
    Base64,
    /// What it says is no status update.
    Update,
}

impl Mistake {
    /// All there are.
    pub const ALL: [Self; 5] =
        [Self::ContentType, Self::Envelope, Self::MessageId, Self::Base64, Self::Update];

    /// The mistake in a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ContentType => "content_type",
            Self::Envelope => "envelope",
            Self::MessageId => "message_id",
            Self::Base64 => "base64",
            Self::Update => "update",
        }
    }
}

impl Malformed {
    /// A mistake, and what is wrong in words.
    pub fn new(mistake: Mistake, detail: impl Into<String>) -> Self {
        Self { mistake, detail: detail.into() }
    }
}

/// Pub/Sub writes two of the names twice, in either style.
#[derive(Deserialize)]
struct Envelope {
    message: Message,
    subscription: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    data: Option<String>,
    attributes: Option<BTreeMap<String, String>>,
    message_id: Option<String>,
    #[serde(rename = "message_id")]
    message_id_too: Option<String>,
    publish_time: Option<String>,
    #[serde(rename = "publish_time")]
    publish_time_too: Option<String>,
    ordering_key: Option<String>,
}

/// Ids of Pub/Sub have some 16 digits.
const MAX_ID_BYTES: usize = 255;

impl Delivery {
    /// Reads the JSON of a usual push.
    pub fn wrapped(body: &[u8]) -> Result<Self, Malformed> {
        let envelope: Envelope = serde_json::from_slice(body).map_err(|error| {
            Malformed::new(Mistake::Envelope, format!("it is no push of Pub/Sub's: {error}"))
        })?;
        let message = envelope.message;
        let data = STANDARD.decode(message.data.unwrap_or_default()).map_err(|error| {
            Malformed::new(Mistake::Base64, format!("`message.data` is not base64: {error}"))
        })?;
        let published = message.publish_time.or(message.publish_time_too);
        Self {
            message_id: message.message_id.or(message.message_id_too).unwrap_or_default(),
            published_ms: published.as_deref().and_then(unix_ms),
            subscription: envelope.subscription.unwrap_or_default(),
            ordering_key: message.ordering_key.filter(|key| !key.is_empty()),
            attributes: message.attributes.unwrap_or_default(),
            data,
        }
        .checked()
    }

    /// Reads an unwrapped push, whose metadata is in headers; none if it is not one. An attribute is a header
    /// by its own name, and only these names are looked for.
    pub fn unwrapped<'a>(
        header: impl Fn(&str) -> Option<&'a str>,
        attributes: &[&str],
        body: &[u8],
    ) -> Option<Result<Self, Malformed>> {
        let metadata = |name: &str| header(&format!("x-goog-pubsub-{name}"));
        let message_id = metadata("message-id")?;
        let attributes = attributes.iter().filter_map(|name| {
            Some(((*name).to_owned(), header(&name.to_ascii_lowercase())?.to_owned()))
        });
        let delivery = Self {
            message_id: message_id.to_owned(),
            published_ms: metadata("publish-time").and_then(unix_ms),
            subscription: metadata("subscription-name").unwrap_or_default().to_owned(),
            ordering_key: metadata("ordering-key").map(str::to_owned),
            attributes: attributes.collect(),
            data: body.to_vec(),
        };
        Some(delivery.checked())
    }

    fn checked(self) -> Result<Self, Malformed> {
        if (1..=MAX_ID_BYTES).contains(&self.message_id.len()) {
            return Ok(self);
        }
        let detail = format!("`message.messageId` must have 1 to {MAX_ID_BYTES} bytes");
        Err(Malformed::new(Mistake::MessageId, detail))
    }
}

/// A time in RFC 3339; what is none, or before 1970, is not a mistake worth losing a message for.
pub(super) fn unix_ms(text: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check_refused(body: &[u8], expected: Mistake) {
        let text = String::from_utf8_lossy(body);
        let malformed = Delivery::wrapped(body).expect_err(&text);
        assert_eq!(malformed.mistake, expected, "{text}: {malformed}");
        assert!(!malformed.detail.is_empty());
    }

    fn hello(ordering_key: &str, data: &str) -> Delivery {
        Delivery {
            message_id: "2070443601311540".into(),
            published_ms: Some(1_614_366_835_749),
            subscription: "projects/myproject/subscriptions/mysubscription".into(),
            ordering_key: Some(ordering_key.into()),
            data: data.into(),
            ..Delivery::default()
        }
    }

    #[test]
    fn the_documented_push_is_read() {
        let body = include_bytes!("../../../tests/pubsub/documented.json");
        let expected = Delivery {
            attributes: BTreeMap::from([("key".into(), "value".into())]),
            ..hello("key", "Hello Cloud Pub/Sub! Here is my message!")
        };
        assert_eq!(Delivery::wrapped(body), Ok(expected));
    }

    #[test]
    fn the_documented_unwrapped_push_is_read() {
        let text = include_str!("../../../tests/pubsub/documented_unwrapped.http");
        let (head, body) = text.split_once("\n\n").unwrap();
        let lines: Vec<_> = head.lines().filter_map(|line| line.split_once(": ")).collect();
        let header = |name: &str| {
            lines.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|line| line.1)
        };
        let names = ["User-Agent", "jobId"];
        let delivery = Delivery::unwrapped(header, &names, body.as_bytes()).unwrap().unwrap();
        let agent = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)";
        let expected = Delivery {
            attributes: BTreeMap::from([("User-Agent".into(), agent.into())]),
            ..hello("some-key", r#"{"status": "Hello there"}"#)
        };
        assert_eq!(delivery, expected);
        assert_eq!(Delivery::unwrapped(|_| None, &names, b"{}"), None);
    }

    #[test]
    fn either_style_of_a_name_will_do() {
        for (id, time) in [("messageId", "publishTime"), ("message_id", "publish_time")] {
            let body =
                json!({"message": {id: "7", time: "1970-01-01T00:00:01.5+00:00", "data": "e30="}});
            let expected = Delivery {
                message_id: "7".into(),
                published_ms: Some(1_500),
                data: b"{}".to_vec(),
                ..Delivery::default()
            };
            assert_eq!(Delivery::wrapped(body.to_string().as_bytes()), Ok(expected));
        }
    }

    #[test]
    fn what_pubsub_does_not_send_is_refused() {
        for body in [
            "",
            "{",
            "null",
            "[]",
            "{}",
            r#"{"message": "text"}"#,
            r#"{"message": null}"#,
            r#"{"message": {"messageId": 7}}"#,
            r#"{"message": {"messageId": "7", "messageId": "8"}}"#,
            r#"{"message": {"messageId": "7", "data": {}}}"#,
            r#"{"message": {"messageId": "7", "attributes": {"a": 1}}}"#,
            r#"{"message": {"messageId": "7"}, "subscription": 1}"#,
            r#"{"message": {"messageId": "7"}} x"#,
        ] {
            check_refused(body.as_bytes(), Mistake::Envelope);
        }
        check_refused(b"{\"message\": {\"messageId\": \"\xff\"}}", Mistake::Envelope);
        check_refused("[".repeat(100_000).as_bytes(), Mistake::Envelope);
        let deep = format!("{{\"message\": {{\"x\": {}", "[".repeat(100_000));
        check_refused(deep.as_bytes(), Mistake::Envelope);
    }

    #[test]
    fn data_is_standard_base64_with_padding() {
        for data in ["e30", "e30==", "e3 0=", "_-8=", "e31=", "=", "\u{e9}"] {
            let body = json!({"message": {"messageId": "7", "data": data}}).to_string();
            check_refused(body.as_bytes(), Mistake::Base64);
        }
    }

    #[test]
    fn a_message_has_an_id_of_some_length() {
        check_refused(br#"{"message": {"data": "e30="}}"#, Mistake::MessageId);
        check_refused(br#"{"message": {"messageId": ""}}"#, Mistake::MessageId);
        let long = json!({"message": {"messageId": "7".repeat(256)}}).to_string();
        check_refused(long.as_bytes(), Mistake::MessageId);
    }

    #[test]
    fn a_time_that_is_none_is_passed_over() {
        for time in ["", "yesterday", "2021-02-26", "1969-12-31T23:59:59Z", "9"] {
            let body = json!({"message": {"messageId": "7", "publishTime": time}}).to_string();
            let delivery = Delivery::wrapped(body.as_bytes()).unwrap();
            assert_eq!(delivery.published_ms, None, "{time}");
        }
    }
}
