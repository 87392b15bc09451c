//! Summaries from outside: transcripts go in over HTTP, events and answers come out.

use serde_json::{Value, json};

use crate::support::{EventStream, Response, Server};

const TALK: &str = "WEBVTT\n\n00:01.000 --> 00:04.000\nDr. Lee says the harbour needs a new lamp.\n\n\
    00:05.500 --> 00:09.000\nEvery ship that enters the harbour looks for the lamp.\n\n\
    00:10.000 --> 00:12.000\nThe weather was fine on all of those days.\n\n\
    00:13.000 --> 00:15.000\nWithout a lamp no ship finds the harbour at night.\n";

/// A stream of a session's summaries, past its greeting.
fn watch(server: &Server, session: &str) -> EventStream {
    let types = "summary_progress,summary_complete,system";
    let mut stream = server.stream(&format!("/events?subscribe={types}&session_id={session}"));
    assert_eq!(stream.next().name, "connected");
    stream
}

fn post(server: &Server, session: &str, request: &Value) -> Response {
    server.post(&format!("/api/v1/summaries?session_id={session}"), &request.to_string())
}

/// The next event of this type, and its data.
fn next(stream: &mut EventStream, name: &str) -> Value {
    serde_json::from_str(&stream.next_named(name).data).unwrap()
}

/// Waits for the last event of a batch.
fn end(stream: &mut EventStream) -> Value {
    loop {
        let progress = next(stream, "summary_progress");
        if ["completed", "cancelled"].contains(&progress["status"].as_str().unwrap()) {
            return progress;
        }
    }
}

#[test]
fn a_transcript_is_summarized_while_its_session_watches() {
    let server = Server::start(&[]);
    let mut stream = watch(&server, "me");
    let taken = post(&server, "me", &json!({"transcripts": [{"title": "Lamp", "vtt": TALK}]}));
    assert_eq!(taken.head.status, 202, "{}", taken.body);
    let (item, status) =
        (taken.json()["items"][0]["id"].clone(), &taken.json()["items"][0]["status"]);
    assert_eq!(status, "queued");

    assert_eq!(next(&mut stream, "summary_progress")["status"], "starting");
    assert_eq!(next(&mut stream, "summary_progress")["current_video"]["title"], "Lamp");
    let complete = next(&mut stream, "summary_complete");
    assert_eq!((&complete["video_id"], &complete["source"]), (&item, &json!("generated")));
    assert_eq!(next(&mut stream, "system")["type"], "info");
    assert_eq!(end(&mut stream)["completed"], 1);

    let batch = server.get(taken.head.header("location").unwrap()).json();
    assert_eq!(
        (&batch["status"], &batch["items"][0]["status"]),
        (&json!("completed"), &json!("completed"))
    );
    let list = server.get("/api/v1/summaries?session_id=me").json();
    assert_eq!((&list["total"], &list["summaries"][0]["id"]), (&json!(1), &item));

    let path = format!("/api/v1/summaries/{}?session_id=me", item.as_str().unwrap());
    let summary = server.get(&path).json();
    let sentence = &summary["sentences"][1];
    assert_eq!(sentence["text"], "Every ship that enters the harbour looks for the lamp.");
    assert_eq!((&sentence["start_seconds"], &summary["sentence_count"]), (&json!(5.5), &json!(4)));
}

#[test]
fn another_session_finds_and_hears_nothing() {
    let server = Server::start(&[]);
    let (mut mine, mut theirs) = (watch(&server, "me"), watch(&server, "you"));
    let taken = post(&server, "me", &json!({"transcripts": [{"vtt": TALK}]})).json();
    end(&mut mine);
    let [batch, item] =
        [&taken["batch_id"], &taken["items"][0]["id"]].map(|id| id.as_str().unwrap());
    assert_eq!(server.get(&format!("/api/v1/summaries/{item}?session_id=you")).head.status, 404);
    let path = format!("/api/v1/summaries/batches/{batch}?session_id=you");
    assert_eq!(server.get(&path).head.status, 404);
    assert_eq!(delete(&server, &path).head.status, 404);
    assert_eq!(server.get("/api/v1/summaries?session_id=you").json()["total"], 0);
    // The first that the other stream gets is what was sent to it.
    server.post(
        "/events/broadcast",
        r#"{"event_type":"system","data":"only you","session_filter":"you"}"#,
    );
    assert_eq!(theirs.next().data, r#""only you""#);
}

#[test]
fn one_bad_transcript_does_not_keep_the_others_back() {
    let server = Server::start(&[]);
    let mut stream = watch(&server, "me");
    post(&server, "me", &json!({"transcripts": [{"title": "Bad", "srt": "none"}, {"vtt": TALK}]}));
    let last = end(&mut stream);
    assert_eq!((&last["completed"], &last["failed"]), (&json!(1), &json!(1)));
}

#[test]
fn a_batch_can_be_cancelled_until_it_has_ended() {
    let server = Server::start(&[]);
    let mut stream = watch(&server, "me");
    let path = cancelled_batch(&server);
    while end(&mut stream)["status"] != "cancelled" {}
    assert_eq!(delete(&server, &path).json()["status"], "cancelled", "again changes nothing");

    let ended = post(&server, "me", &json!({"transcripts": [{"vtt": TALK}]}));
    end(&mut stream);
    let late = delete(&server, ended.head.header("location").unwrap());
    assert_eq!((late.head.status, &late.json()["code"]), (409, &json!("batch_ended")));
}

/// The path of a batch that was cancelled in time: should a machine be so slow that the batch ends before
/// the request to cancel it comes, another is tried.
fn cancelled_batch(server: &Server) -> String {
    for attempt in 0..20 {
        let talk = |number| {
            let sentence = |n| format!("The number {n} follows {} of {attempt}. ", n / 7);
            json!({"text": (number..number + 400).map(sentence).collect::<Vec<_>>().concat()})
        };
        let request = json!({"transcripts": (0..50).map(talk).collect::<Vec<_>>()});
        let path = post(server, "me", &request).head.header("location").unwrap().to_owned();
        let cancelled = delete(server, &path);
        if cancelled.head.status == 200 {
            return path;
        }
        assert_eq!(cancelled.head.status, 409, "{}", cancelled.body);
    }
    panic!("no batch could be cancelled in time");
}

#[test]
fn two_hours_of_captions_are_taken_but_not_everything() {
    let server = Server::start(&["--max-transcripts-body-bytes", "2000000"]);
    let captions = |bytes: usize| {
        let line = "00:00:01.000 --> 00:00:04.000\nand so it goes on and on and on, for hours\n\n";
        json!({"transcripts": [{"vtt": format!("WEBVTT\n\n{}", line.repeat(bytes / line.len()))}]})
    };
    assert_eq!(post(&server, "me", &captions(1_100_000)).head.status, 202);
    let refused = post(&server, "me", &captions(2_000_000));
    assert_eq!((refused.head.status, &refused.json()["code"]), (413, &json!("body_too_large")));
    let elsewhere = server.post("/events/broadcast", &captions(1_100_000).to_string());
    assert_eq!(elsewhere.head.status, 413, "other requests have no such room");
}

#[test]
fn a_bad_request_is_answered_with_what_would_be_right() {
    let server = Server::start(&[]);
    let check = |request: Value, status: u16, code: &str, field: &str| {
        let answer = post(&server, "me", &request);
        let problem = answer.json();
        let seen = (answer.head.status, &problem["code"], &problem["field"]);
        assert_eq!(seen, (status, &json!(code), &json!(field)), "{request}");
    };
    check(json!({}), 422, "invalid", "transcripts");
    check(json!({"transcripts": [{"text": "a", "vtt": "b"}]}), 422, "invalid", "transcripts[0]");
    check(json!({"transcripts": [{"text": 7}]}), 422, "invalid", "transcripts[0].text");
    check(json!({"videos": ["x"]}), 422, "invalid", "videos[0]");
    check(json!({"videos": ["https://example.com/"]}), 422, "video_forbidden", "videos[0]");
    check(json!({"playlist": "x"}), 422, "invalid", "playlist");
    check(json!({"language": "??", "videos": ["dQw4w9WgXcQ"]}), 422, "invalid", "language");
    let few = Server::start(&["--max-batch-jobs", "1"]);
    let two = json!({"transcripts": [{"text": "A."}, {"text": "B."}]});
    let refused = few.post("/api/v1/summaries", &two.to_string());
    assert_eq!((refused.head.status, &refused.json()["field"]), (422, &json!("transcripts")));
    let other = json!({"model": "gpt-4o", "transcripts": [{"text": "a"}]});
    check(other, 422, "unknown_model", "model");
    assert_eq!(server.post("/api/v1/summaries", "{").head.status, 400);
    assert_eq!(server.get("/api/v1/summaries?limit=0").head.status, 400);
    for after in ["x", "", "%2B5", "-1", "18446744073709551615"] {
        let status = server.get(&format!("/api/v1/summaries?after={after}")).head.status;
        assert_eq!(status, 400, "{after}");
    }
}

#[test]
fn a_first_visit_gets_a_session_that_the_next_one_can_use() {
    let server = Server::start(&[]);
    let taken = server.post("/api/v1/summaries", r#"{"transcripts":[{"text":"Hello."}]}"#);
    let cookie = taken.head.header("set-cookie").unwrap().split(';').next().unwrap();
    let path = taken.head.header("location").unwrap();
    let batch = |cookie: &str| {
        server.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n"
        ))
    };
    assert_eq!(batch(cookie).head.status, 200);
    assert_eq!(batch("sid=other").head.status, 404);
}

#[test]
fn the_list_comes_in_pages() {
    let server = Server::start(&[]);
    let mut stream = watch(&server, "me");
    let talks: Vec<_> = (0..5).map(|n| json!({"text": format!("Talk number {n}.")})).collect();
    post(&server, "me", &json!({ "transcripts": talks }));
    end(&mut stream);
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/api/v1/summaries?session_id=me&limit=2{after}")).json();
        seen.extend(page["summaries"].as_array().unwrap().iter().map(|s| s["id"].to_string()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((all, seen.len()), (5, 5));
}

#[test]
fn an_installation_without_it_says_so() {
    let server = Server::start(&["--summarizer", "off"]);
    assert_eq!(server.get("/api/v1/summaries").head.status, 404);
}

fn delete(server: &Server, path: &str) -> Response {
    server.send(&format!("DELETE {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"))
}
