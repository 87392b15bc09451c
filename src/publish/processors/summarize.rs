//! Summaries as jobs: those of the summarizer's own requests, and talks that somebody puts in the queue
//! with the job's data.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::publish::queues::processor::{Desk, Failure, Processor, Progress, Task};
use crate::publish::summarizer::engine::{KeySentence, Summary};
use crate::publish::summarizer::talk::Talk;
use crate::publish::summarizer::transcript::{Format, Transcript};
use crate::publish::summarizer::{Tools, Workshop};

/// Summarizes what was said. A job that the summarizer has not made itself says what: exactly one of `text`,
/// `vtt` and `srt`, a `title` if there is one, and by which `model` if not by the default one.
#[derive(Debug)]
pub struct Summarize {
    workshop: Arc<Workshop>,
}

/// What the publisher sends. What else it sends is its own business.
#[derive(Debug, Deserialize)]
struct Order {
    title: Option<String>,
    text: Option<String>,
    vtt: Option<String>,
    srt: Option<String>,
    model: Option<String>,
}

/// What comes of it.
#[derive(Debug, Serialize)]
struct Brief<'a> {
    title: Option<&'a str>,
    model_used: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    overview: Option<&'a str>,
    summary: Vec<Point<'a>>,
    total_sentences: usize,
    total_words: usize,
}

#[derive(Debug, Serialize)]
struct Point<'a> {
    text: &'a str,
    /// Absent if the transcript has no times.
    start_seconds: Option<f64>,
    index: Option<usize>,
}

impl Summarize {
    /// Makes summaries with these tools.
    pub fn new(tools: &Tools) -> Self {
        Self { workshop: tools.workshop() }
    }

    fn check_size(&self, body: &str) -> Result<(), Failure> {
        let (bytes, max) = (body.len(), self.workshop.max_transcript_bytes());
        if max == 0 || bytes <= max {
            return Ok(());
        }
        Err(Failure::for_good(format!("the transcript has {bytes} bytes, the limit is {max}")))
    }

    /// What a job's own data asks for.
    fn follow(&self, order: &Order, desk: &dyn Desk) -> Result<Value, Failure> {
        let (format, body) = order.transcript()?;
        self.check_size(body)?;
        let engine = self.workshop.engine(order.model.as_deref())?;
        tell(desk, 0, "reading", "Reading the transcript");
        let transcript = Transcript::parse(format, body).map_err(|error| for_good(&error))?;
        let title = order.title.clone().unwrap_or_default();
        let talk = Talk { title, language: None, chapters: Vec::new(), transcript };
        let written = self.workshop.write(&*engine, &talk, &mut |percent| {
            tell(desk, percent, "summarizing", "Summarizing");
            if desk.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        self.workshop.count(&*engine, written.usage);
        let summary = written.summary;
        tell(desk, 100, "done", &format!("Chose {} sentences", summary.sentences.len()));
        let brief = Brief::of(order.title.as_deref(), engine.model(), &summary);
        serde_json::to_value(brief).map_err(|error| for_good(&error))
    }
}

impl Processor for Summarize {
    fn process(&self, task: &Task, desk: &dyn Desk) -> Result<Value, Failure> {
        match self.workshop.make(&task.job_id, desk) {
            Some(outcome) => outcome,
            None => self.follow(&Order::of(&task.data)?, desk),
        }
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
    fn of(title: Option<&'a str>, model_used: &'a str, summary: &'a Summary) -> Self {
        let point = |KeySentence { text, start, index, .. }: &'a KeySentence| Point {
            text,
            start_seconds: start.map(|start| start.as_secs_f64()),
            index: *index,
        };
        Self {
            title,
            model_used,
            overview: summary.overview.as_deref(),
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
    use crate::publish::summarizer::Limits;
    use crate::publish::summarizer::textrank::Length;

    const TALK: &str = "The lighthouse keeper trims the lamp every night. \
                        Sailors trust the lamp of the lighthouse at night. \
                        My cousin prefers coffee to tea in general. \
                        The keeper of the lighthouse never leaves the lamp to the sailors.";

    fn summarize(data: Value, desk: &Notebook) -> Result<Value, Failure> {
        let length = Length { percent: 0, min_sentences: 2, max_sentences: 2 };
        let limits = Limits { max_transcript_bytes: 1_000, ..Limits::default() };
        Summarize::new(&Tools::for_tests(length, &limits)).process(&task(data), desk)
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
        assert_eq!(desk.stages(), ["reading", "summarizing", "done"]);
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
