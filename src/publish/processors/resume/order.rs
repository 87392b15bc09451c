//! What a job asks for: a document, and whose it is.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::publish::queues::processor::Failure;

/// A job's data. What else it holds is its publisher's business.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    /// Given back as it came, as is the candidate's.
    resume_id: Option<Value>,
    candidate_id: Option<Value>,
    file_url: Option<String>,
    file_base64: Option<String>,
    text: Option<String>,
    #[serde(default)]
    pub(super) file_name: Option<String>,
    #[serde(default)]
    pub(super) mime_type: Option<String>,
}

/// Where the document is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Source<'a> {
    /// At an address.
    Url(&'a str),
    /// In the job, encoded.
    Base64(&'a str),
    /// In the job, as text.
    Text(&'a str),
}

impl Order {
    pub(super) fn of(data: &Value) -> Result<Self, Failure> {
        let order = Self::deserialize(data);
        order.map_err(|error| Failure::for_good(format!("the job's data: {error}")))
    }

    pub(super) fn source(&self) -> Result<Source<'_>, Failure> {
        let given = [
            self.file_url.as_deref().map(Source::Url),
            self.file_base64.as_deref().map(Source::Base64),
            self.text.as_deref().map(Source::Text),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(source), None) => Ok(source),
            _ => Err(Failure::for_good(
                "the job's data must have exactly one of fileUrl, fileBase64 and text",
            )),
        }
    }

    /// Whose résumé it is, as far as that was said.
    pub(super) fn ids(&self) -> Map<String, Value> {
        let ids = [("resumeId", &self.resume_id), ("candidateId", &self.candidate_id)];
        let given = ids.into_iter().filter_map(|(name, id)| Some((name.to_owned(), id.clone()?)));
        given.collect()
    }
}

/// Decodes what stands in a job, with or without padding, also as a `data:` address, over several lines.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, Failure> {
    const FORGIVING: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let encoded = match text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((_, encoded)) => encoded,
        None => text,
    };
    let encoded: String = encoded.split_ascii_whitespace().collect();
    // Two alphabets are in use.
    let encoded = encoded.replace('-', "+").replace('_', "/");
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, FORGIVING);
    let decoded = engine.decode(encoded);
    decoded.map_err(|error| Failure::for_good(format!("fileBase64 is not base64: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn there_is_exactly_one_document() {
        let one = json!({"fileUrl": "https://a.example/x", "organisationId": "o", "mimeType": "x"});
        assert_eq!(Order::of(&one).unwrap().source(), Ok(Source::Url("https://a.example/x")));
        for data in [json!({}), json!({"text": "a", "fileBase64": "b"}), json!({"text": null})] {
            let failure = Order::of(&data).unwrap().source().unwrap_err();
            let expected = "the job's data must have exactly one of fileUrl, fileBase64 and text";
            assert_eq!(failure, Failure::for_good(expected));
        }
        let failure = Order::of(&json!({"text": 1})).unwrap_err();
        assert!(
            !failure.is_retryable && failure.message.contains("expected a string"),
            "{failure}"
        );
    }

    #[test]
    fn ids_are_given_back_as_they_came() {
        let order = Order::of(&json!({"resumeId": 7, "text": "x"})).unwrap();
        assert_eq!(Value::Object(order.ids()), json!({"resumeId": 7}));
    }

    #[test]
    fn base64_is_read_as_people_send_it() {
        for text in ["aGk/", "aGk_", "data:text/plain;base64,aGk/", "aG\nk/\n"] {
            assert_eq!(decode(text).unwrap(), b"hi?", "{text}");
        }
        assert_eq!(decode("aGk").unwrap(), b"hi");
        assert!(decode("a?").unwrap_err().message.contains("not base64"));
    }
}
