//! What becomes of a request, and what its session is told.

use super::*;
use crate::publish::summarizer::library::SummarySource;
use crate::publish::summarizer::request::InvalidRequest;

#[test]
fn a_request_is_told_from_start_to_end() {
    let bench = Bench::new(&Limits { workers: 1, ..Limits::default() });
    let accepted = bench.submit("me", talks(&["rain", "snow"])).unwrap();
    assert_eq!((accepted.total, accepted.items[1].title.as_str()), (2, "On snow"));
    let story = bench.story();
    assert_eq!(story.first().unwrap(), "summary_progress starting 0/2");
    assert_eq!(story.last().unwrap(), "summary_progress completed 2/2");
    let count = |line: &str| story.iter().filter(|told| *told == line).count();
    assert_eq!(count("summary_complete generated"), 2, "{story:?}");
    assert_eq!((count("system miss"), count("system stored")), (2, 2), "{story:?}");
    let report = bench.summarizer.batch(&id("me"), accepted.batch_id.as_str()).unwrap();
    assert_eq!((report.status, report.completed), (BatchStatus::Completed, 2));
}

#[test]
fn events_have_the_fields_that_pages_read() {
    let bench = Bench::slow(&Limits::default());
    let accepted = bench.submit("me", talks(&["rain"])).unwrap();
    let (batch, item) = (accepted.batch_id.as_str(), accepted.items[0].id.as_str());
    bench.begun();
    let first = bench.next();
    assert_eq!(first.target, Topic::session(id("me")));
    assert_eq!(
        json_of(&first),
        json!({"status": "starting", "message": "Starting: 1 talk", "progress": 0, "total": 1,
               "batch_id": batch, "percent": json_of(&first)["percent"], "eta_seconds": null})
    );
    let processing = json_of(&bench.until("stage", "summarize"));
    let video = json!({"id": item, "item_id": item, "title": "On rain"});
    assert_eq!(processing["current_video"], video);
    assert_eq!(processing["message"], "Processing: On rain");
    assert_eq!(processing["item_percent"], 7.0);
    bench.let_one();
    let complete = bench.until("source", "generated");
    assert!(complete.terminal);
    assert_eq!(
        json_of(&complete),
        json!({"video_id": item, "summary_id": item, "title": "On rain", "source": "generated",
               "model_used": "slow", "batch_id": batch})
    );
    assert_eq!(
        json_of(&bench.next()),
        json!({"message": "Stored the summary of “On rain”", "type": "info", "cache": "stored",
               "timestamp": "2024-01-15T10:30:00.000Z", "summary_id": item})
    );
    let last = bench.next();
    assert!(last.terminal);
    assert_eq!(
        json_of(&last),
        json!({"status": "completed", "message": "Completed: 1 of 1 summarized", "progress": 1,
               "total": 1, "batch_id": batch, "percent": 100, "eta_seconds": 0,
               "completed": 1, "failed": 0})
    );
}

#[test]
fn a_failed_item_is_told_and_the_others_go_on() {
    let bench = Bench::new(&Limits { workers: 1, ..Limits::default() });
    let request = json!({"transcripts": [{"title": "Bad", "vtt": "x"}, talk("rain")]});
    let accepted = bench.submit("me", request).unwrap();
    let failed = bench.until("status", "failed");
    assert!(failed.terminal);
    let failed = json_of(&failed);
    let error = r#"line 1: a WebVTT file starts with WEBVTT, not "x""#;
    assert_eq!(failed["error"], error);
    assert_eq!(failed["current_video"]["title"], "Bad");
    let last = json_of(&bench.until("status", "completed"));
    assert_eq!((&last["completed"], &last["failed"]), (&json!(1), &json!(1)));
    let report = bench.summarizer.batch(&id("me"), accepted.batch_id.as_str()).unwrap();
    assert_eq!(report.items[0].status, ItemStatus::Failed);
    assert_eq!(report.items[0].error.as_deref(), Some(error));
    assert_eq!(report.items[1].status, ItemStatus::Completed);
}

#[test]
fn what_a_model_took_for_nothing_is_counted_too() {
    let mut bench = Bench::slow(&Limits::default());
    bench.submit("me", talks(&["luck", "unlucky"])).unwrap();
    bench.let_all();
    let last = json_of(&bench.until("status", "completed"));
    assert_eq!((&last["completed"], &last["failed"]), (&json!(1), &json!(1)));
    let (_, usage) = bench.summarizer.library().figures().unwrap().usage.remove(0);
    assert_eq!((usage.requests, usage.prompt_tokens), (2, 13));
}

#[test]
fn what_others_say_of_a_job_is_no_summary() {
    let mut bench = Bench::slow(&Limits::default());
    let accepted = bench.submit("me", talks(&["a"])).unwrap();
    bench.begun();
    let made_up = json!({"summary_id": "x", "title": "Made up", "source": "generated",
                         "model_used": "m", "url": "javascript:1", "is_shared": true});
    let report = jobs::Report {
        result: serde_json::value::to_raw_value(&made_up).ok().map(Arc::from),
        ..jobs::Report::of(JobStatus::Completed)
    };
    bench.queues.report(&accepted.items[0].id, &report, None).unwrap();
    let mut told = Vec::new();
    while told.last().is_none_or(|event: &Value| event["status"] != "completed") {
        told.push(json_of(&bench.next()));
    }
    assert!(told.iter().all(|event| !event.to_string().contains("Made up")), "{told:#?}");
    assert!(told.iter().any(|event| event["error"] == "There is no summary of it."), "{told:#?}");
    bench.let_all();
}

#[test]
fn what_was_sent_and_came_to_nothing_does_not_stay() {
    let mut bench = Bench::slow(&Limits::default());
    bench.submit("me", talks(&["unlucky"])).unwrap();
    bench.let_all();
    let last = json_of(&bench.until("status", "completed"));
    assert_eq!(last["failed"], json!(1));
    assert_eq!(bench.summarizer.library().figures().unwrap().transcript_bytes, 0);
    bench.submit("me", talks(&["luck"])).unwrap();
    bench.until("status", "completed");
    assert!(bench.summarizer.library().figures().unwrap().transcript_bytes > 0);
}

#[test]
fn the_same_transcript_comes_from_the_cache_under_its_own_title() {
    let bench = Bench::new(&Limits { workers: 1, ..Limits::default() });
    bench.submit("me", talks(&["rain"])).unwrap();
    bench.until("status", "completed");
    // What another session has sent is not there for it.
    bench.submit("you", talks(&["rain"])).unwrap();
    assert!(bench.story().contains(&"summary_complete generated".to_owned()));
    let mut again = talk("rain");
    again["title"] = json!("Weather");
    let accepted = bench.submit("me", json!({"transcripts": [again.clone()]})).unwrap();
    let story = bench.story();
    assert!(story.contains(&"summary_complete cache".to_owned()), "{story:?}");
    assert!(story.contains(&"system hit".to_owned()), "{story:?}");
    let find = |accepted: &Accepted| {
        bench.summarizer.summary(&id("me"), accepted.items[0].id.as_str()).unwrap().unwrap()
    };
    let summary = find(&accepted);
    assert_eq!(
        (summary.kept.title.as_str(), summary.kept.source),
        ("Weather", SummarySource::Cache)
    );
    assert_eq!(summary.content.summary.sentences[0].text, "The rain is here.");
    let anew = bench.submit("me", json!({"transcripts": [again], "refresh": true})).unwrap();
    bench.until("status", "completed");
    assert_eq!(find(&anew).kept.source, SummarySource::Generated);
}

#[test]
fn nobody_sees_what_is_not_theirs() {
    let bench = Bench::new(&Limits::default());
    let accepted = bench.submit("me", talks(&["rain"])).unwrap();
    bench.until("status", "completed");
    let (batch, item) = (accepted.batch_id.as_str(), accepted.items[0].id.as_str());
    let check = |session: &str, theirs: bool| {
        let (summarizer, session) = (&bench.summarizer, id(session));
        assert_eq!(summarizer.batch(&session, batch).is_some(), theirs);
        assert_eq!(summarizer.batches(&session, 10).len(), usize::from(theirs));
        assert_eq!(summarizer.summary(&session, item).unwrap().is_some(), theirs);
        let page = summarizer.summaries(&session, &Query { limit: 9, ..Query::default() });
        assert_eq!(page.unwrap().total, usize::from(theirs));
        let refused = if theirs { CancelError::Ended } else { CancelError::NotFound };
        assert_eq!(summarizer.cancel(&session, batch), Err(refused));
        assert_eq!(summarizer.remove(&session, item).unwrap().is_some(), theirs);
    };
    check("you", false);
    check("me", true);
}

#[test]
fn a_summary_that_is_deleted_is_told_of_and_gone() {
    let bench = Bench::new(&Limits::default());
    let accepted = bench.submit("me", talks(&["rain"])).unwrap();
    bench.until("status", "completed");
    let item = accepted.items[0].id.as_str();
    assert!(bench.summarizer.remove(&id("me"), item).unwrap().is_some());
    let told = bench.until("cache", "deleted");
    assert_eq!(
        (&told.target, &json_of(&told)["summary_id"]),
        (&Topic::session(id("me")), &json!(item))
    );
    assert!(bench.summarizer.summary(&id("me"), item).unwrap().is_none());
    assert!(bench.summarizer.remove(&id("me"), "no/id").unwrap().is_none());
}

#[test]
fn a_request_that_does_not_fit_is_refused_whole_and_changes_nothing() {
    let mut bench = Bench::slow(&Limits { queue_items: 3, ..Limits::default() });
    bench.submit("me", talks(&["a"])).unwrap();
    assert_eq!(bench.begun(), "On a");
    bench.submit("me", talks(&["b", "c"])).unwrap();
    let full = bench.submit("me", talks(&["d", "e"])).unwrap_err();
    assert!(matches!(full, SubmitError::Full), "{full}");
    bench.submit("me", talks(&["f"])).unwrap();
    bench.let_all();
    assert_eq!([bench.begun(), bench.begun(), bench.begun()], ["On b", "On c", "On f"]);
    for _ in 0..3 {
        bench.until("status", "completed");
    }
    let figures = bench.summarizer.library().figures().unwrap();
    assert_eq!((figures.summaries, figures.upload_bytes), (4, 0));
    assert_eq!(figures.usage[0].1.prompt_tokens, 40);
}

#[test]
fn cancelling_ends_what_waits_and_what_is_being_made() {
    let bench = Bench::slow(&Limits::default());
    let accepted = bench.submit("me", talks(&["a", "b"])).unwrap();
    bench.begun();
    let batch = accepted.batch_id.as_str();
    let report = bench.summarizer.cancel(&id("me"), batch).unwrap();
    assert_eq!(report.status, BatchStatus::Cancelled);
    assert!(report.items.iter().all(|item| item.status == ItemStatus::Cancelled));
    assert_eq!(bench.story().last().unwrap(), "summary_progress cancelled 2/2");
    assert_eq!(bench.summarizer.cancel(&id("me"), batch).unwrap().status, BatchStatus::Cancelled);
    let page = bench.summarizer.summaries(&id("me"), &Query { limit: 9, ..Query::default() });
    assert_eq!(page.unwrap().total, 0);
    // What was sent along is let go of, so that there is room for others.
    assert_eq!(bench.summarizer.library().figures().unwrap().upload_bytes, 0);
}

#[test]
fn so_many_bytes_may_wait() {
    let bytes = talk("a")["text"].as_str().unwrap().len();
    let library = library::Limits { max_upload_bytes: bytes * 2, ..library::Limits::default() };
    let limits = Limits { workers: 1, ..Limits::default() };
    let bench = Bench::open(None, &limits, library, true);
    let first = bench.submit("me", talks(&["a", "b"])).unwrap();
    assert!(matches!(bench.submit("me", talks(&["c"])), Err(SubmitError::Full)));
    bench.summarizer.cancel(&id("me"), first.batch_id.as_str()).unwrap();
    bench.until("status", "cancelled");
    assert!(bench.submit("me", talks(&["c"])).is_ok());
}

#[test]
fn two_who_want_the_same_share_the_work() {
    let bench = Bench::open(
        None,
        &Limits { workers: 2, ..Limits::default() },
        library::Limits::default(),
        true,
    );
    bench.submit("me", talks(&["rain"])).unwrap();
    bench.begun();
    bench.submit("me", talks(&["rain"])).unwrap();
    // The other worker has it by now and waits, or comes later and finds it.
    bench.let_one();
    let mut sources: Vec<_> = (0..2)
        .map(|_| {
            let event = loop {
                let event = bench.next();
                if event.name.as_str() == "summary_complete" {
                    break event;
                }
            };
            json_of(&event)["source"].as_str().unwrap().to_owned()
        })
        .collect();
    sources.sort();
    assert_eq!(sources, ["cache", "generated"]);
    assert!(bench.begun.is_empty(), "it was made once");
}

#[test]
fn what_makes_room_for_others_is_told_to_its_owner() {
    let library = library::Limits { max_summaries: 1, ..library::Limits::default() };
    let bench = Bench::open(None, &Limits { workers: 1, ..Limits::default() }, library, false);
    bench.submit("you", talks(&["rain"])).unwrap();
    bench.until("status", "completed");
    bench.submit("me", talks(&["snow"])).unwrap();
    let warning = bench.until("type", "warning");
    assert_eq!(warning.target, Topic::session(id("you")));
    let told = json_of(&warning);
    assert_eq!(
        (&told["cache"], &told["message"]),
        (&json!("evicted"), &json!("Dropped the summary of “On rain” to make room"))
    );
}

#[test]
fn an_invalid_request_changes_nothing() {
    let bench = Bench::new(&Limits::default());
    let check = |request: Value, expected: InvalidRequest| match bench.submit("me", request.clone())
    {
        Err(SubmitError::Invalid(error)) => assert_eq!(error, expected),
        other => panic!("{request}: {other:?}"),
    };
    check(json!({}), InvalidRequest::Nothing);
    let request = json!({"videos": ["dQw4w9WgXcQ"], "transcripts": [talk("rain")]});
    check(request, InvalidRequest::NotAvailable { field: "videos" });
    let request = json!({"playlist": "https://example.com/list"});
    check(request, InvalidRequest::NotAvailable { field: "playlist" });
    let mut request = talks(&["rain"]);
    request["language"] = json!("en_US; rm");
    check(request, InvalidRequest::Language("en_US; rm".into()));
    bench.stop();
    assert!(bench.events.is_empty());
    assert_eq!(bench.jobs.open_count(), 0);
}

#[test]
fn only_what_has_an_address_can_be_asked_for_again() {
    let bench = Bench::new(&Limits::default());
    let request = json!({"transcripts": [{"title": "Bad", "vtt": "x"}, talk("rain")]});
    let accepted = bench.submit("me", request).unwrap();
    bench.until("status", "completed");
    let (batch, items) = (accepted.batch_id.as_str(), &accepted.items);
    let again = bench.summarizer.retry(&id("me"), batch, items[0].id.as_str());
    assert!(matches!(again, Err(SubmitError::NotAgain)));
    let again = bench.summarizer.refresh(&id("me"), items[1].id.as_str());
    assert!(matches!(again, Err(SubmitError::NotAgain)));
    let again = bench.summarizer.retry(&id("you"), batch, items[0].id.as_str());
    assert!(matches!(again, Err(SubmitError::NotAgain)));
}

#[test]
fn several_workers_tell_a_batch_in_order() {
    let bench = Bench::new(&Limits { workers: 4, ..Limits::default() });
    let words: Vec<_> = (0..40).map(|i| format!("thing{i}")).collect();
    bench.submit("me", talks(&words.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
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
fn how_long_it_will_take_is_said_once_it_can_be() {
    assert_eq!(teller::eta_seconds(0, 10_000, 50.0), Some(10));
    assert_eq!(teller::eta_seconds(0, 10_000, 3.0), None);
    assert_eq!(teller::eta_seconds(0, 500, 50.0), None);
    assert_eq!(teller::eta_seconds(0, 10_000, 100.0), Some(0));
}
