//! A model's server in the test, which answers as it was told to; also as no server should.

mod forms;
mod leaving;
mod refusals;
mod usage;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::clock::SystemClock;
use crate::publish::summarizer::talk::Chapter;
use crate::publish::summarizer::transcript::{Format, Transcript};

/// What opens the model's server; with what JSON may escape.
const KEY: &str = "sk-secret/0123+456";

/// Answers each request with the next of these, and remembers what was asked.
struct Model {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Model {
    fn answering(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<_>>> = Arc::default();
        let seen = asked.clone();
        std::thread::spawn(move || {
            let mut answers = answers.into_iter();
            for mut stream in listener.incoming().map_while(Result::ok) {
                let Some(request) = read(&stream) else { continue };
                seen.lock().unwrap().push(request);
                let answer = answers.next().unwrap_or_else(|| whole("OVERVIEW: Done."));
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { address, asked }
    }

    fn limits(&self) -> Limits {
        Limits {
            base_url: format!("http://{}/v1/", self.address),
            api_key: Secret::new(KEY),
            ..Limits::default()
        }
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Option<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse::<usize>())
    });
    let mut body = vec![0; length?.ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((head, serde_json::from_slice(&body).ok()?))
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn whole(text: &str) -> String {
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 10});
    let body = json!({"choices": [{"message": {"content": text}}], "usage": usage});
    answer("200 OK", "Content-Type: application/json\r\n", &body.to_string())
}

fn streamed(text: &str, end: &str) -> String {
    let delta =
        |piece: &str| format!("data: {}\n\n", json!({"choices": [{"delta": {"content": piece}}]}));
    let pieces: Vec<_> = text.split_inclusive(' ').map(delta).collect();
    let body = pieces.concat() + end;
    answer("200 OK", "Content-Type: text/event-stream\r\n", &body)
}

fn talk(sentences: usize) -> Talk {
    let cue = |n: usize| {
        format!(
            "{:02}:{:02}.000 --> {:02}:{:02}.900\nSentence number {n} is about boats.\n\n",
            n / 60,
            n % 60,
            n / 60,
            n % 60
        )
    };
    let vtt: Vec<_> = (0..sentences).map(cue).collect();
    let chapter =
        |title: &str, seconds| Chapter { title: title.into(), start: Duration::from_secs(seconds) };
    Talk {
        title: "Boats".into(),
        language: Some("en".into()),
        chapters: vec![chapter("One", 0), chapter("Two", 5)],
        transcript: Transcript::parse(Format::WebVtt, &format!("WEBVTT\n\n{}", vtt.concat()))
            .unwrap(),
    }
}

fn chat(limits: Limits) -> Chat {
    let mut chat = Chat::new("m".into(), limits, 5, Arc::new(SystemClock));
    chat.client.first_pause = Duration::from_millis(1);
    chat
}

fn summarize(limits: Limits, talk: &Talk) -> Result<Written, Unwritten> {
    chat(limits).summarize(talk, &mut |_| ControlFlow::Continue(()))
}

fn failure(limits: Limits) -> (String, bool) {
    match summarize(limits, &talk(3)).map_err(|unwritten| unwritten.error) {
        Err(EngineError::Failed { message, is_retryable, .. }) => (message, is_retryable),
        other => panic!("{other:?}"),
    }
}

#[test]
fn points_lead_to_their_moments_and_chapters() {
    let model = Model::answering(vec![whole(
        "OVERVIEW: On boats.\n- [8] Late.\n- [2] Early.\n- [99] Made up.",
    )]);
    let limits = Limits {
        prompt_price_micros: 2_000_000,
        answer_price_micros: 8_000_000,
        stream: false,
        ..model.limits()
    };
    let Written { summary, usage } = summarize(limits, &talk(10)).unwrap();
    assert_eq!(summary.overview.as_deref(), Some("On boats."));
    let points: Vec<_> = summary
        .sentences
        .iter()
        .map(|s| (s.text.as_str(), s.index, s.start.map(|t| t.as_secs()), s.chapter))
        .collect();
    assert_eq!(
        points,
        [
            ("Late.", Some(8), Some(8), Some(1)),
            ("Early.", Some(2), Some(2), Some(0)),
            ("Made up.", None, None, None),
        ]
    );
    assert_eq!((summary.total_sentences, summary.chapters.len()), (10, 2));
    let expected =
        Usage { requests: 1, prompt_tokens: 100, completion_tokens: 10, cost_micros: 280 };
    assert_eq!(usage, expected);
    let (head, body) = model.asked().remove(0);
    assert!(head.starts_with("POST /v1/chat/completions "), "{head}");
    assert!(head.contains(&format!(" Bearer {KEY}\r\n")), "{head}");
    assert_eq!((&body["model"], &body["messages"][0]["role"]), (&json!("m"), &json!("system")));
    assert!(body["messages"][1]["content"].as_str().unwrap().contains("[8] Sentence number 8"));
    assert_eq!(body["stream"], Value::Null);
}

#[test]
fn an_answer_may_come_piece_by_piece() {
    let end = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";
    let model = Model::answering(vec![streamed("OVERVIEW: On boats.\n- [1] One of them.", end)]);
    let Written { summary, usage } = summarize(model.limits(), &talk(3)).unwrap();
    assert_eq!(summary.sentences[0].text, "One of them.");
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (7, 3));
    let body = &model.asked()[0].1;
    assert_eq!(body["stream_options"]["include_usage"], true);
    // A server that was asked for pieces and sends all at once is understood as well.
    let model = Model::answering(vec![whole("OVERVIEW: At once.")]);
    let summary = summarize(model.limits(), &talk(3)).unwrap().summary;
    assert_eq!(summary.overview.as_deref(), Some("At once."));
}

#[test]
fn a_long_talk_is_summarized_in_parts_that_are_combined() {
    let model = Model::answering(vec![]);
    let limits = Limits { context_tokens: 2_600, max_answer_tokens: 500, ..model.limits() };
    let mut percents = Vec::new();
    let written = chat(limits.clone()).summarize(&talk(400), &mut |percent| {
        percents.push(percent);
        ControlFlow::Continue(())
    });
    assert_eq!(written.unwrap().summary.overview.as_deref(), Some("Done."));
    assert!(percents.is_sorted() && percents.iter().any(|p| (20..80).contains(p)), "{percents:?}");
    let asked = model.asked();
    let (last, parts) = asked.split_last().unwrap();
    assert!(parts.len() >= 4, "{}", parts.len());
    let content = |request: &(String, Value)| {
        request.1["messages"][1]["content"].as_str().unwrap().to_owned()
    };
    let all: String = parts.iter().map(content).collect();
    for n in [0, 100, 399] {
        assert_eq!(all.matches(&format!("[{n}] Sentence number {n} is")).count(), 1, "{n}");
    }
    assert!(parts.iter().all(|part| parts::tokens(&content(part)) <= 1_700));
    assert!(content(last).contains("Part 1:\nOVERVIEW: Done."));
    // There is a limit to that.
    let few = Limits { max_requests: 3, ..limits };
    let error = chat(few).summarize(&talk(400), &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(error.to_string().contains("more than 3"), "{error}");
}

#[test]
fn parts_become_smaller_if_the_model_says_that_they_are_too_large() {
    let body = r#"{"error":{"message":"This model's maximum context length is 1000 tokens.","code":"context_length_exceeded"}}"#;
    let model = Model::answering(vec![answer("400 Bad Request", "", body)]);
    summarize(Limits { context_tokens: 8_000, ..model.limits() }, &talk(400)).unwrap();
    assert!(model.asked().len() >= 5, "{}", model.asked().len());
}

#[test]
fn what_may_pass_is_asked_again() {
    let busy = answer(
        "429 Too Many Requests",
        "Retry-After: 0\r\n",
        r#"{"error":{"message":"slow down"}}"#,
    );
    let broken = answer("500 Internal Server Error", "Retry-After: 0\r\n", "oops");
    let cut = streamed("OVERVIEW: half", "");
    let nonsense = answer("200 OK", "Content-Type: application/json\r\n", "{\"choices\": [");
    for bad in [&busy, &broken, &cut, &nonsense, &String::new()] {
        let model = Model::answering(vec![bad.clone(), bad.clone(), whole("OVERVIEW: At last.")]);
        let written = summarize(model.limits(), &talk(3)).unwrap();
        assert_eq!(written.summary.overview.as_deref(), Some("At last."), "{bad}");
        assert_eq!((model.asked().len(), written.usage.requests), (3, 1), "{bad}");
    }
    let model = Model::answering(vec![busy.clone(); 9]);
    let (message, is_retryable) = failure(Limits { attempts: 2, ..model.limits() });
    assert_eq!(message, "The model's server cannot answer now (429): slow down");
    assert!(is_retryable && model.asked().len() == 2);
}

#[test]
fn a_server_that_wants_more_time_than_there_is_is_waited_for_elsewhere() {
    let check = |limits: &dyn Fn(Limits) -> Limits, wanted: u64| {
        let headers = format!("Retry-After: {wanted}\r\n");
        let model = Model::answering(vec![answer("503 Service Unavailable", &headers, "")]);
        let message = "The model's server cannot answer now (503)".to_owned();
        let retry_after = Some(Duration::from_secs(wanted));
        let expected = EngineError::Failed { message, is_retryable: true, retry_after };
        let unwritten = summarize(limits(model.limits()), &talk(3)).unwrap_err();
        assert_eq!((unwritten.error, model.asked().len()), (expected, 1));
    };
    check(&|limits| limits, 301);
    check(&|limits| limits, 99_999_999_999_999_999);
    check(&|limits| Limits { timeout: Duration::from_secs(20), ..limits }, 21);
    check(&|limits| Limits { attempts: 1, ..limits }, 1);
}

#[test]
fn an_answer_without_anything_in_it_may_do_better_next_time() {
    let model = Model::answering(vec![whole("<think>hm</think>")]);
    let (message, is_retryable) = failure(model.limits());
    assert!(is_retryable && message.contains("neither"), "{message}");
}

#[test]
fn what_was_answered_is_counted_though_nothing_comes_of_it() {
    let lost = answer("401 Unauthorized", "", r#"{"error":{"message":"no more"}}"#);
    let model = Model::answering(vec![whole("OVERVIEW: One."), whole("OVERVIEW: Two."), lost]);
    let limits = Limits {
        context_tokens: 2_600,
        max_answer_tokens: 500,
        answer_price_micros: 8_000_000,
        ..model.limits()
    };
    let unwritten = summarize(limits, &talk(400)).unwrap_err();
    assert!(matches!(unwritten.error, EngineError::Failed { is_retryable: false, .. }));
    let expected =
        Usage { requests: 2, prompt_tokens: 200, completion_tokens: 20, cost_micros: 160 };
    assert_eq!(unwritten.usage, expected);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let limits = Limits { base_url: format!("http://{gone}/v1"), attempts: 1, ..Limits::default() };
    let (message, is_retryable) = failure(limits);
    assert!(is_retryable && message.contains(&format!("cannot be reached at {gone}")), "{message}");
}
