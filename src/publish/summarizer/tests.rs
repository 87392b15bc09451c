//! The whole way of a request, with an outlet that collects the events and can hold a worker up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use serde_json::{Value, json};

use super::batch::{BatchStatus, ItemStatus};
use super::request::InvalidRequest;
use super::shelf::Source;
use super::*;
use crate::clock::{ManualClock, SystemClock};
use crate::event::NewEvent;
use crate::event::topic::Topic;
use crate::hub::Refused;
use crate::publish::PublishError;

/// Nothing here takes long; a test that waits for this much has failed.
const TOO_LONG: Duration = Duration::from_secs(20);

struct Bench {
    summarizer: Summarizer,
    events: Receiver<NewEvent>,
}

fn bench(limits: Limits) -> Bench {
    let (sender, events) = unbounded();
    Bench { summarizer: start(limits, move |event| sender.send(event).unwrap()), events }
}

fn start(limits: Limits, see: impl Fn(NewEvent) + Send + Sync + 'static) -> Summarizer {
    let outlet = move |event| {
        see(event);
        Ok(())
    };
    let clock = Arc::new(ManualClock::at(1_705_314_600_000));
    Summarizer::with_outlet(Box::new(outlet), limits, clock).unwrap()
}

/// A bench whose only worker stops at the first event of each item until it is let go.
fn gated(mut limits: Limits) -> (Bench, Sender<()>) {
    limits.workers = 1;
    let (sender, events) = unbounded();
    let (open, gate) = unbounded::<()>();
    let see = move |event: NewEvent| {
        let begins = json_of(&event)["status"] == "processing";
        sender.send(event).unwrap();
        if begins {
            let _ = gate.recv_timeout(TOO_LONG);
        }
    };
    (Bench { summarizer: start(limits, see), events }, open)
}

impl Bench {
    fn submit(&self, session: &str, request: &Value) -> Result<Accepted, SubmitError> {
        let request = serde_json::from_value(request.clone()).unwrap();
        self.summarizer.submit(id(session), request)
    }

    fn next(&self) -> NewEvent {
        self.events.recv_timeout(TOO_LONG).expect("an event")
    }

    /// Waits until the next event tells of this status.
    fn until(&self, status: &str) -> NewEvent {
        loop {
            let event = self.next();
            if json_of(&event)["status"] == status {
                return event;
            }
        }
    }

    /// All events up to the end of a batch, as `name status progress/total`.
    fn story(&self) -> Vec<String> {
        let mut story = Vec::new();
        loop {
            let event = self.next();
            let data = json_of(&event);
            let status = data["status"].as_str().or(data["source"].as_str()).unwrap_or("");
            let progress = match event.name.as_str() {
                "summary_progress" => format!(" {}/{}", data["progress"], data["total"]),
                _ => String::new(),
            };
            story.push(format!("{} {status}{progress}", event.name));
            if ["completed", "cancelled"].contains(&status) {
                return story;
            }
        }
    }
}

fn id(text: &str) -> Identifier {
    text.parse().unwrap()
}

fn json_of(event: &NewEvent) -> Value {
    serde_json::from_str(event.data.as_str()).unwrap()
}

fn talk(word: &str) -> Value {
    let text = format!("The {word} is here. We like the {word} a lot. Nobody knows why it is so.");
    json!({"title": format!("On {word}"), "text": text})
}

fn talks(words: &[&str]) -> Value {
    json!({"transcripts": words.iter().map(|word| talk(word)).collect::<Vec<_>>()})
}

#[test]
fn a_request_is_told_from_start_to_end() {
    let bench = bench(Limits { workers: 1, ..Limits::default() });
    let accepted = bench.submit("me", &talks(&["rain", "snow"])).unwrap();
    assert_eq!((accepted.total, accepted.items[1].title.as_str()), (2, "On snow"));
    assert_eq!(
        bench.story(),
        [
            "summary_progress starting 0/2",
            "summary_progress processing 0/2",
            "summary_complete generated",
            "system ",
            "summary_progress processing 1/2",
            "summary_complete generated",
            "system ",
            "summary_progress completed 2/2",
        ]
    );
    let report = bench.summarizer.batch(&id("me"), accepted.batch_id.as_str()).unwrap();
    assert_eq!((report.status, report.completed), (BatchStatus::Completed, 2));
}

#[test]
fn events_have_the_fields_that_pages_read() {
    let bench = bench(Limits::default());
    let accepted = bench.submit("me", &talks(&["rain"])).unwrap();
    let (batch, video) = (accepted.batch_id.as_str(), accepted.items[0].id.as_str());
    let check = |expected: Value| {
        let event = bench.next();
        assert_eq!(event.target, Topic::session(id("me")));
        assert_eq!(json_of(&event), expected);
    };
    check(
        json!({"status": "starting", "message": "Starting: 1 transcript", "progress": 0, "total": 1,
                 "batch_id": batch}),
    );
    check(
        json!({"status": "processing", "message": "Processing: On rain", "progress": 0, "total": 1,
                 "current_video": {"id": video, "title": "On rain"}, "batch_id": batch,
                 "item_percent": 0}),
    );
    check(json!({"video_id": video, "title": "On rain", "source": "generated",
                 "model_used": "extractive", "batch_id": batch}));
    check(json!({"message": "Stored the summary of “On rain”", "type": "info",
                 "cache": "stored", "timestamp": "2024-01-15T10:30:00Z"}));
    check(json!({"status": "completed", "message": "Completed: 1 of 1 summarized", "progress": 1,
                 "total": 1, "batch_id": batch, "completed": 1, "failed": 0}));
}

#[test]
fn what_must_not_be_missed_is_terminal_and_progress_can_be_conflated() {
    let bench = bench(Limits { workers: 1, ..Limits::default() });
    bench.submit("me", &json!({"transcripts": [{"vtt": "nothing"}, talk("rain")]})).unwrap();
    let mut keys = Vec::new();
    for expected in [("starting", false), ("processing", false), ("failed", true)] {
        let event = bench.next();
        assert_eq!((json_of(&event)["status"].as_str().unwrap(), event.terminal), expected);
        keys.push(event.key.unwrap());
    }
    let last = bench.until("completed");
    assert!(last.terminal);
    assert!(keys.iter().all(|key| Some(key) == last.key.as_ref()), "one key for the batch");
}

#[test]
fn a_failed_item_is_told_and_the_others_go_on() {
    let bench = bench(Limits { workers: 1, ..Limits::default() });
    let request = json!({"transcripts": [{"title": "Bad", "vtt": "x"}, talk("rain")]});
    let accepted = bench.submit("me", &request).unwrap();
    let failed = json_of(&bench.until("failed"));
    let error = r#"line 1: a WebVTT file starts with WEBVTT, not "x""#;
    assert_eq!((&failed["error"], &failed["progress"]), (&json!(error), &json!(1)));
    assert_eq!(failed["current_video"]["title"], "Bad");
    let last = json_of(&bench.until("completed"));
    assert_eq!((&last["completed"], &last["failed"]), (&json!(1), &json!(1)));
    let report = bench.summarizer.batch(&id("me"), accepted.batch_id.as_str()).unwrap();
    assert_eq!(report.items[0].status, ItemStatus::Failed);
    assert_eq!(report.items[0].error.as_deref(), Some(error));
    assert_eq!(report.items[1].status, ItemStatus::Completed);
}

#[test]
fn the_same_transcript_comes_from_the_cache_under_its_own_title() {
    let bench = bench(Limits { workers: 1, ..Limits::default() });
    bench.submit("you", &talks(&["rain"])).unwrap();
    bench.until("completed");
    let mut again = talk("rain");
    again["title"] = json!("Weather");
    let accepted = bench.submit("me", &json!({"transcripts": [again]})).unwrap();
    assert_eq!(bench.story()[2], "summary_complete cache");
    let summary = bench.summarizer.summary(&id("me"), accepted.items[0].id.as_str()).unwrap();
    assert_eq!((summary.title.as_str(), summary.source), ("Weather", Source::Cache));
    assert_eq!(summary.content.sentences[0].text, "The rain is here.");
}

#[test]
fn nobody_sees_what_is_not_theirs() {
    let bench = bench(Limits::default());
    let accepted = bench.submit("me", &talks(&["rain"])).unwrap();
    bench.until("completed");
    let (batch, item) = (accepted.batch_id.as_str(), accepted.items[0].id.as_str());
    let check = |session: &str, theirs: bool| {
        let (summarizer, session) = (&bench.summarizer, id(session));
        assert_eq!(summarizer.batch(&session, batch).is_some(), theirs);
        assert_eq!(summarizer.summary(&session, item).is_some(), theirs);
        assert_eq!(summarizer.summaries(&session).len(), usize::from(theirs));
        let refused = if theirs { CancelError::Ended } else { CancelError::NotFound };
        assert_eq!(summarizer.cancel(&session, batch), Err(refused));
    };
    check("me", true);
    check("you", false);
}

#[test]
fn a_request_that_does_not_fit_is_refused_whole_and_changes_nothing() {
    let (bench, open) = gated(Limits { queue_items: 3, ..Limits::default() });
    bench.submit("me", &talks(&["a"])).unwrap();
    bench.until("processing");
    bench.submit("me", &talks(&["b", "c"])).unwrap();
    let full = bench.submit("me", &talks(&["d", "e"])).unwrap_err();
    assert_eq!(full, SubmitError::Full { waiting: 2, asked: 2 });
    bench.submit("me", &talks(&["f"])).unwrap();
    drop(open);
    let titles: Vec<_> = (0..4)
        .map(|_| {
            loop {
                let event = bench.next();
                if event.name.as_str() == "summary_complete" {
                    break json_of(&event)["title"].as_str().unwrap().to_owned();
                }
            }
        })
        .collect();
    assert_eq!(titles, ["On a", "On b", "On c", "On f"]);
}

#[test]
fn cancelling_ends_what_waits_and_what_is_being_made() {
    let (bench, open) = gated(Limits::default());
    let accepted = bench.submit("me", &talks(&["a", "b"])).unwrap();
    bench.until("processing");
    let batch = accepted.batch_id.as_str();
    let report = bench.summarizer.cancel(&id("me"), batch).unwrap();
    assert_eq!(report.items[0].status, ItemStatus::Processing);
    assert_eq!(report.items[1].status, ItemStatus::Cancelled);
    drop(open);
    assert_eq!(bench.story(), ["summary_progress cancelled 2/2"], "nothing more of either item");
    assert_eq!(bench.summarizer.cancel(&id("me"), batch).unwrap().status, BatchStatus::Cancelled);
    assert!(bench.summarizer.summaries(&id("me")).is_empty());
}

#[test]
fn a_batch_that_only_waits_is_cancelled_at_once() {
    let (bench, open) = gated(Limits::default());
    bench.submit("you", &talks(&["a"])).unwrap();
    bench.until("processing");
    let accepted = bench.submit("me", &talks(&["b", "c"])).unwrap();
    bench.summarizer.cancel(&id("me"), accepted.batch_id.as_str()).unwrap();
    let event = bench.next();
    assert_eq!(event.target, Topic::session(id("me")));
    assert_eq!(json_of(&event)["status"], "cancelled");
    drop(open);
    assert_eq!(bench.story().last().unwrap(), "summary_progress completed 1/1");
}

#[test]
fn cancelling_frees_the_bytes_that_wait() {
    let bytes = talk("a")["text"].as_str().unwrap().len();
    let (bench, _open) = gated(Limits { queue_bytes: bytes, ..Limits::default() });
    bench.submit("me", &talks(&["a"])).unwrap();
    bench.until("processing");
    let waiting = bench.submit("me", &talks(&["b"])).unwrap();
    assert!(matches!(bench.submit("me", &talks(&["c"])), Err(SubmitError::Full { .. })));
    bench.summarizer.cancel(&id("me"), waiting.batch_id.as_str()).unwrap();
    assert!(bench.submit("me", &talks(&["c"])).is_ok());
}

#[test]
fn an_item_that_takes_long_is_told_of_again() {
    let bench = bench(Limits { report_pause: Duration::ZERO, ..Limits::default() });
    bench.submit("me", &talks(&["rain"])).unwrap();
    bench.until("starting");
    let mut percents = Vec::new();
    loop {
        let event = bench.next();
        match json_of(&event)["item_percent"].as_u64() {
            Some(percent) => percents.push(percent),
            None => break,
        }
    }
    assert!(percents.len() > 2 && percents.is_sorted(), "{percents:?}");
}

#[test]
fn what_no_longer_fits_on_the_shelf_is_told_to_its_owner() {
    let bench = bench(Limits { workers: 1, kept_summaries: 1, ..Limits::default() });
    bench.submit("you", &talks(&["rain"])).unwrap();
    bench.until("completed");
    bench.submit("me", &talks(&["snow"])).unwrap();
    let warning = loop {
        let event = bench.next();
        if json_of(&event)["type"] == "warning" {
            break event;
        }
    };
    assert_eq!(warning.target, Topic::session(id("you")));
    assert_eq!(json_of(&warning)["message"], "Dropped the summary of “On rain” to make room");
}

#[test]
fn an_invalid_request_changes_nothing() {
    let bench = bench(Limits::default());
    let request = json!({"videos": ["x"], "transcripts": [talk("rain")]});
    let error = bench.submit("me", &request).unwrap_err();
    assert_eq!(error, InvalidRequest::NotAvailable { field: "videos" }.into());
    assert!(bench.summarizer.stop(TOO_LONG));
    assert!(bench.events.is_empty());
}

#[test]
fn several_workers_tell_a_batch_in_order() {
    let bench = bench(Limits { workers: 4, ..Limits::default() });
    let words: Vec<_> = (0..40).map(|i| format!("thing{i}")).collect();
    bench.submit("me", &talks(&words.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
    let (mut last, mut complete) = (0, 0);
    loop {
        let event = bench.next();
        let data = json_of(&event);
        complete += usize::from(event.name.as_str() == "summary_complete");
        if let Some(progress) = data["progress"].as_u64() {
            assert!(progress >= last, "progress goes back from {last} to {progress}");
            last = progress;
        }
        if data["status"] == "completed" {
            break;
        }
    }
    assert_eq!((last, complete), (40, 40), "the end is told last");
}

#[test]
fn stopping_cancels_what_is_open_and_ends_the_workers() {
    let (bench, open) = gated(Limits::default());
    bench.submit("me", &talks(&["a", "b"])).unwrap();
    bench.until("processing");
    bench.submit("me", &talks(&["c"])).unwrap();
    assert!(!bench.summarizer.stop(Duration::ZERO), "the worker is held up");
    drop(open);
    assert!(bench.summarizer.stop(TOO_LONG));
    assert_eq!(bench.submit("me", &talks(&["d"])), Err(SubmitError::Stopping));
    let cancelled = bench.events.try_iter().filter(|e| json_of(e)["status"] == "cancelled");
    assert_eq!(cancelled.count(), 2);
}

#[test]
fn a_hub_that_takes_nothing_holds_nobody_up_for_good() {
    let refuse = |_| Err(PublishError::from(Refused::Stopping));
    let summarizer =
        Summarizer::with_outlet(Box::new(refuse), Limits::default(), Arc::new(SystemClock))
            .unwrap();
    let request = serde_json::from_value(talks(&["rain", "snow"])).unwrap();
    let accepted = summarizer.submit(id("me"), request).unwrap();
    let deadline = Instant::now() + TOO_LONG;
    let ended = || {
        let report = summarizer.batch(&id("me"), accepted.batch_id.as_str()).unwrap();
        report.status == BatchStatus::Completed
    };
    while !ended() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert!(ended() && summarizer.stop(TOO_LONG));
}
