//! Summaries as jobs: a talk's key sentences, by the summarizer's own engine.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::publish::queues::processor::{Desk, Failure, Processor, Progress, Task};
use crate::publish::summarizer::EXTRACTIVE;
use crate::publish::summarizer::sentences::Sentences;
use crate::publish::summarizer::textrank::{self, KeySentence, Length, Summary};
use crate::publish::summarizer::transcript::{Format, Transcript};

/// Summarizes what was said. The data: exactly one of `text`, `vtt` and `srt`, and a `title` if there is
/// one.
#[derive(Debug)]
pub struct Summarize {
    length: Length,
    /// The size of one transcript, in bytes; 0 is no limit.
    max_transcript_bytes: usize,
}

/// What the publisher sends. What else it sends is its own business.
#[derive(Debug, Deserialize)]
struct Order {
    title: Option<String>,
    text: Option<String>,
    vtt: Option<String>,
    srt: Option<String>,
}

/// What comes of it.
#[derive(Debug, Serialize)]
struct Brief<'a> {
    title: Option<&'a str>,
    model_used: &'static str,
    summary: Vec<Point<'a>>,
    total_sentences: usize,
    total_words: usize,
}

#[derive(Debug, Serialize)]
struct Point<'a> {
    text: &'a str,
    /// Absent if the transcript has no times.
    start_seconds: Option<f64>,
    index: usize,
}

impl Summarize {
    /// Makes summaries of this length, of transcripts of at most this many bytes (0: of any).
    pub fn new(length: Length, max_transcript_bytes: usize) -> Self {
        Self { length, max_transcript_bytes }
    }

    fn check_size(&self, body: &str) -> Result<(), Failure> {
        let (bytes, max) = (body.len(), self.max_transcript_bytes);
        if max == 0 || bytes <= max {
            return Ok(());
        }
        Err(Failure::for_good(format!("the transcript has {bytes} bytes, the limit is {max}")))
    }
}

impl Processor for Summarize {
    fn process(&self, task: &Task, desk: &dyn Desk) -> Result<Value, Failure> {
        let order = Order::of(&task.data)?;
        let (format, body) = order.transcript()?;
        self.check_size(body)?;
        tell(desk, 0, "reading", "Reading the transcript");
        let transcript = Transcript::parse(format, body).map_err(|error| for_good(&error))?;
        let sentences = Sentences::of(&transcript.cues);
        let summary = textrank::summarize(&sentences, self.length, &mut |percent| {
            let message = format!("Ranking {} sentences", sentences.len());
            tell(desk, percent, "ranking", &message);
            if desk.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .map_err(|textrank::Stopped| Failure::retryable("the job was cancelled"))?;
        tell(desk, 100, "done", &format!("Chose {} sentences", summary.sentences.len()));
        let brief = Brief::of(order.title.as_deref(), &summary);
        serde_json::to_value(brief).map_err(|error| for_good(&error))
    }
}

impl Order {
    fn of(data: &Value) -> Result<Self, Failure> {
        let order = Self::deserialize(data);
        order.map_err(|error| Failure::for_good(format!("the job's data: {error}")))
    }

    fn transcript(&self) -> Result<(Format, &str), Failure> {
        match (&self.text, &self.vtt, &self.srt) {
            (Some(body), None, None) => Ok((Format::Text, body)),
            (None, Some(body), None) => Ok((Format::WebVtt, body)),
            (None, None, Some(body)) => Ok((Format::SubRip, body)),
            _ => {
                Err(Failure::for_good("the job's data must have exactly one of text, vtt and srt"))
            }
        }
    }
}

impl<'a> Brief<'a> {
    fn of(title: Option<&'a str>, summary: &'a Summary) -> Self {
        let point = |KeySentence { text, start, index }: &'a KeySentence| Point {
            text,
            start_seconds: start.map(|start| start.as_secs_f64()),
            index: *index,
        };
        Self {
            title,
            model_used: EXTRACTIVE,
            summary: summary.sentences.iter().map(point).collect(),
            total_sentences: summary.total_sentences,
            total_words: summary.total_words,
        }
    }
}

fn for_good(error: &impl ToString) -> Failure {
    Failure::for_good(error.to_string())
}

fn tell(desk: &dyn Desk, percent: u8, stage: &str, message: &str) {
    desk.report(Progress {
        percent: Some(percent.into()),
        stage: Some(stage.to_owned()),
        message: Some(message.to_owned()),
        data: None,
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::{Notebook, task};
    use super::*;

    const TALK: &str = "The lighthouse keeper trims the lamp every night. \
                        Sailors trust the lamp of the lighthouse at night. \
                        My cousin prefers coffee to tea in general. \
                        The keeper of the lighthouse never leaves the lamp to the sailors.";

    fn summarize(data: Value, desk: &Notebook) -> Result<Value, Failure> {
        let length = Length { percent: 0, min_sentences: 2, max_sentences: 2 };
        Summarize::new(length, 1_000).process(&task(data), desk)
    }

    fn check_failure(data: Value, expected: &str) {
        let failure = summarize(data, &Notebook::default()).unwrap_err();
        assert_eq!(failure, Failure::for_good(expected));
    }

    #[test]
    fn a_talk_becomes_its_key_sentences() {
        let brief =
            summarize(json!({"title": "Lamps", "text": TALK}), &Notebook::default()).unwrap();
        assert_eq!(brief["title"], "Lamps");
        assert_eq!(brief["model_used"], "extractive");
        assert_eq!(brief["total_sentences"], 4);
        let points = brief["summary"].as_array().unwrap();
        assert_eq!(points.len(), 2);
        for point in points {
            assert!(point["text"].as_str().unwrap().contains("lighthouse"), "{point}");
            assert_eq!(point["start_seconds"], Value::Null);
        }
    }

    #[test]
    fn captions_bring_their_times() {
        let vtt = "WEBVTT\n\n00:01.500 --> 00:03.000\nBoats float on water.\n\n\
                   01:00:00.000 --> 01:00:02.000\nWater carries boats.";
        let brief = summarize(json!({"vtt": vtt}), &Notebook::default()).unwrap();
        let starts: Vec<_> = (0..2).map(|i| brief["summary"][i]["start_seconds"].clone()).collect();
        assert_eq!(starts, [json!(1.5), json!(3600.0)]);
        let srt = "1\n00:00:02,250 --> 00:00:03,000\nBoats float.\n";
        let brief = summarize(json!({"srt": srt}), &Notebook::default()).unwrap();
        assert_eq!(brief["summary"][0]["start_seconds"], 2.25);
    }

    #[test]
    fn watchers_see_the_stages_and_a_growing_percentage() {
        let desk = Notebook::default();
        summarize(json!({"text": TALK.repeat(3)}), &desk).unwrap();
        assert_eq!(desk.stages(), ["reading", "ranking", "done"]);
        assert!(desk.percents().is_sorted() && desk.percents().len() > 3, "{:?}", desk.percents());
        assert_eq!(desk.percents().last(), Some(&100.0));
    }

    #[test]
    fn a_cancelled_job_ends_early() {
        let desk = Notebook::cancelled_after(1);
        summarize(json!({"text": TALK}), &desk).unwrap_err();
        assert!(!desk.stages().contains(&"done".to_owned()));
    }

    #[test]
    fn what_is_no_transcript_fails_for_good() {
        let one = "the job's data must have exactly one of text, vtt and srt";
        check_failure(json!({"title": "x"}), one);
        check_failure(json!({"text": "a", "vtt": "b"}), one);
        check_failure(
            json!({"text": 5}),
            "the job's data: invalid type: integer `5`, expected a string",
        );
        check_failure(json!({"text": " "}), "line 1: there are no words in the transcript");
        check_failure(
            json!({"vtt": "Hello"}),
            r#"line 1: a WebVTT file starts with WEBVTT, not "Hello""#,
        );
        check_failure(
            json!({"text": "a ".repeat(501)}),
            "the transcript has 1002 bytes, the limit is 1000",
        );
    }
}
