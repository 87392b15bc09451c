//! An answer of the chat completions, whole or piece by piece: the text, and what it took.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::refusal::Refusal;
use crate::event::parser::EventStreamParser;

/// No answer has more tokens; a server that counts more counts wrong, and the sums of a library must hold it.
const MOST_TOKENS: u64 = 1_000_000_000;

/// A reply as far as it has come.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    pub text: String,
    /// Tokens read and written, by the server's own count.
    pub tokens: Option<(u64, u64)>,
    /// The model was cut off, because the answer became too long.
    pub is_cut: bool,
    /// The model has said why it ended.
    pub has_ended: bool,
}

/// Both forms: `message` of a whole answer, `delta` of a piece.
#[derive(Debug, Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    usage: Option<Tokens>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default, alias = "delta")]
    message: Option<Said>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Said {
    #[serde(default)]
    content: Option<String>,
}

/// What a server counts, as far as it does.
#[derive(Debug, Deserialize)]
struct Tokens {
    #[serde(default, deserialize_with = "count")]
    prompt_tokens: Option<u64>,
    #[serde(default, deserialize_with = "count")]
    completion_tokens: Option<u64>,
}

/// A number of tokens; none if it is anything else, for an answer is not worth less by a wrong count.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let is_too_much = value.as_f64().is_some_and(|number| number >= MOST_TOKENS as f64);
    Ok(if is_too_much { Some(MOST_TOKENS) } else { value.as_u64() })
}

impl Reply {
    /// Takes a whole answer, or a piece of one; fails if it is neither.
    pub fn take(&mut self, json: &str) -> Result<(), String> {
        if let Some(refusal) = Refusal::read(json) {
            return Err(refusal.message);
        }
        let completion: Completion = serde_json::from_str(json)
            .map_err(|error| format!("it is no chat completion: {error}"))?;
        if let Some(choice) = completion.choices.unwrap_or_default().into_iter().next() {
            let said = choice.message.and_then(|said| said.content);
            self.text.push_str(said.as_deref().unwrap_or_default());
            self.is_cut |= choice.finish_reason.as_deref() == Some("length");
            self.has_ended |= choice.finish_reason.is_some();
        }
        let counted =
            completion.usage.map(|tokens| (tokens.prompt_tokens, tokens.completion_tokens));
        if let Some((prompt, written)) = counted
            && (prompt.is_some() || written.is_some())
        {
            self.tokens = Some((prompt.unwrap_or_default(), written.unwrap_or_default()));
        }
        Ok(())
    }
}

impl Reply {
    /// The text; of one that was cut off, without the line in which that happened, if there is another.
    pub fn whole_lines(self) -> String {
        match self.text.trim_end().rsplit_once('\n') {
            Some((whole, _)) if self.is_cut => whole.to_owned(),
            _ => self.text,
        }
    }
}

/// A reply that comes as an event stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    parser: EventStreamParser,
    pub reply: Reply,
    /// `[DONE]` has come: nothing is missing.
    pub is_done: bool,
}

impl Stream {
    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        for event in self.parser.feed(bytes) {
            if event.data.trim() == "[DONE]" {
                self.is_done = true;
            } else {
                self.reply.take(&event.data)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_answer_has_its_text_and_its_cost() {
        let mut reply = Reply::default();
        let json = r#"{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},
            "finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}}"#;
        reply.take(json).unwrap();
        assert_eq!(
            reply,
            Reply { text: "Hi".into(), tokens: Some((5, 1)), is_cut: false, has_ended: true }
        );
        assert!(reply.take("<html>").unwrap_err().starts_with("it is no chat completion"));
    }

    #[test]
    fn pieces_make_the_same() {
        let stream_text = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"H\"}}]}\r\n\r\n: a comment\n\n\
            data: {\"choices\":[{\"delta\":{\"content\":\"i\"},\"finish_reason\":\"length\"}]}\n\n\
            data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1}}\n\n\
            data: [DONE]\n\n";
        for size in [1, 7, 10_000] {
            let mut stream = Stream::default();
            for piece in stream_text.as_bytes().chunks(size) {
                stream.feed(piece).unwrap();
            }
            assert_eq!(
                stream.reply,
                Reply { text: "Hi".into(), tokens: Some((5, 1)), is_cut: true, has_ended: true }
            );
            assert!(stream.is_done);
        }
        let error = "data: {\"error\":{\"message\":\"overloaded\"}}\n\n";
        assert_eq!(Stream::default().feed(error.as_bytes()), Err("overloaded".into()));
    }

    #[test]
    fn what_a_server_counts_wrong_does_not_cost_the_answer() {
        let check = |usage: &str, expected: Option<(u64, u64)>| {
            let mut reply = Reply::default();
            let said = format!(r#"{{"choices":[{{"delta":{{"content":"Hi"}}}}],"usage":{usage}}}"#);
            reply.take(&said).unwrap();
            assert_eq!((reply.text.as_str(), reply.tokens), ("Hi", expected), "{usage}");
        };
        check("null", None);
        check("{}", None);
        check(r#"{"prompt_tokens":null,"completion_tokens":null}"#, None);
        check(r#"{"prompt_tokens":7,"completion_tokens":null}"#, Some((7, 0)));
        check(r#"{"prompt_tokens":9223372036854775807}"#, Some((MOST_TOKENS, 0)));
        check(r#"{"prompt_tokens":1e300,"completion_tokens":-5}"#, Some((MOST_TOKENS, 0)));
        check(r#"{"prompt_tokens":5,"completion_tokens":"many"}"#, Some((5, 0)));
        let mut reply = Reply::default();
        reply.take(r#"{"choices":null,"usage":null}"#).unwrap();
        assert_eq!(reply, Reply::default());
    }

    #[test]
    fn a_line_that_was_cut_off_is_left_out() {
        let reply = |text: &str, is_cut| Reply { text: text.into(), is_cut, ..Reply::default() };
        assert_eq!(reply("a\nb", true).whole_lines(), "a");
        assert_eq!(reply("a\nb", false).whole_lines(), "a\nb");
        assert_eq!(reply("a", true).whole_lines(), "a");
    }
}
