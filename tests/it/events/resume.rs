//! Coming back: exactly what was missed, or a `gap` that says that it cannot be had.

use serde_json::{Value, json};
use tidings::event::parser::ReceivedEvent;

use super::{broadcast, connected, publish};
use crate::support::{EventStream, Server, connect};

/// A stream of someone who comes back: by the header that a browser sends, and by the query.
fn resumed(server: &Server, header: Option<&str>, query: &str) -> EventStream {
    let header = header.map(|id| format!("Last-Event-ID: {id}"));
    let lines: Vec<_> = header.iter().map(String::as_str).collect();
    EventStream::open(connect(server.address, None), &format!("/events?{query}"), &lines)
}

/// The next event, which is a gap, and its data.
fn gap(stream: &mut EventStream) -> (ReceivedEvent, Value) {
    let event = stream.next();
    assert_eq!(event.name, "gap");
    let data = serde_json::from_str(&event.data).unwrap();
    (event, data)
}

#[test]
fn who_comes_back_gets_exactly_what_was_missed() {
    let server = Server::start(&[]);
    let ids: Vec<_> = (0..10).map(|n| publish(&server, n)).collect();
    broadcast(&server, &json!({"event_type": "test", "data": "other", "session_filter": "other"}));
    let check = |mut stream: EventStream, last: usize| {
        let greeting = stream.next();
        // Whose connection breaks right here resumes from the same place.
        assert_eq!((greeting.name.as_str(), &greeting.id), ("connected", &ids[last]));
        for (n, id) in ids.iter().enumerate().skip(last + 1) {
            let event = stream.next();
            assert_eq!((event.data, &event.id), (n.to_string(), id));
        }
        stream
    };
    let by_header = check(resumed(&server, Some(&ids[4]), "session_id=me"), 4);
    let query = format!("session_id=me&last_event_id={}", ids[8]);
    let by_query = check(resumed(&server, None, &query), 8);
    // Nothing is owed: what the other session got moves the resume point on.
    let mut with_nothing_missed = resumed(&server, Some(&ids[9]), "");
    assert!(with_nothing_missed.next().id > ids[9]);
    let id = publish(&server, "new");
    for mut stream in [by_header, by_query, with_nothing_missed] {
        assert_eq!(stream.next().id, id, "what is new follows at once");
    }
}

#[test]
fn the_header_wins_over_the_query() {
    let server = Server::start(&[]);
    let ids: Vec<_> = (0..3).map(|n| publish(&server, n)).collect();
    let check = |header: Option<&str>, query: &str, expected: &str| {
        let mut stream = resumed(&server, header, &format!("last_event_id={query}"));
        assert_eq!(stream.next().name, "connected");
        assert_eq!(stream.next().data, expected, "{header:?} and {query}");
    };
    check(None, &ids[0], "1");
    check(Some(&ids[1]), &ids[0], "2");
    // An empty header names nothing; a browser would not have sent it.
    check(Some(""), &ids[0], "1");
}

#[test]
fn who_got_nothing_but_the_greeting_can_resume() {
    let server = Server::start(&[]);
    publish(&server, "before");
    let mut stream = server.stream("/events");
    let greeting = stream.next();
    drop(stream);
    publish(&server, "after");
    let mut stream = resumed(&server, Some(&greeting.id), "");
    assert_eq!(
        (stream.next().name.as_str(), stream.next().data.as_str()),
        ("connected", r#""after""#)
    );
}

#[test]
fn an_id_that_was_never_given_is_a_gap() {
    let server = Server::start(&[]);
    let ids: Vec<_> = (0..2).map(|n| publish(&server, n)).collect();
    for unknown in ["nonsense", "1-0", "99999999999999-0", "-", "1", "\u{fc}"] {
        let mut stream = resumed(&server, Some(unknown), "");
        assert_eq!(stream.next().name, "connected");
        let (event, data) = gap(&mut stream);
        assert_eq!((&data["from"], &data["reason"]), (&json!(unknown), &json!("restart")));
        assert_eq!(
            data["to"],
            json!(event.id),
            "the client's resume point is where it is complete"
        );
        let rest: Vec<_> = ids.iter().map(|_| stream.next().id).collect();
        assert_eq!(rest, ids, "what there is follows");
    }
    assert_eq!(server.status()["totals"]["gaps"]["restart"], 6);
}

#[test]
fn a_restarted_server_admits_that_it_has_forgotten() {
    let before = Server::start(&[]);
    let id = publish(&before, 1);
    drop(before);
    let after = Server::start(&[]);
    let mut stream = resumed(&after, Some(&id), "");
    assert_eq!(stream.next().name, "connected");
    let (event, data) = gap(&mut stream);
    assert_eq!((&data["from"], &data["reason"]), (&json!(id), &json!("restart")));
    // Told once: from here on the new server knows everything.
    let mut again = resumed(&after, Some(&event.id), "");
    assert_eq!(again.next().name, "connected");
    publish(&after, 2);
    assert_eq!(again.next().data, "2");
}

#[test]
fn what_the_history_could_not_hold_is_a_gap_without_a_disk() {
    let server = Server::start(&["--history-events", "3", "--data-dir", ""]);
    let ids: Vec<_> = (0..6).map(|n| publish(&server, n)).collect();
    let mut stream = resumed(&server, Some(&ids[0]), "");
    assert_eq!(stream.next().name, "connected");
    let (event, data) = gap(&mut stream);
    assert_eq!(data, json!({"from": ids[0], "to": ids[2], "reason": "overflow"}));
    assert_eq!(event.id, ids[2]);
    assert_eq!([3, 4, 5].map(|_| stream.next().id), ids[3..]);
    let mut complete = resumed(&server, Some(&ids[2]), "");
    assert_eq!([0; 3].map(|_| complete.next().name), ["connected", "test", "test"]);
}

#[test]
fn what_the_history_could_not_hold_comes_from_the_disk() {
    let server = Server::start(&["--history-events", "3"]);
    let ids: Vec<_> = (0..200).map(|n| publish(&server, n)).collect();
    let mut stream = resumed(&server, Some(&ids[0]), "");
    assert_eq!(stream.next().name, "connected");
    for id in &ids[1..] {
        assert_eq!(stream.next().id, *id);
    }
}

#[test]
fn who_missed_nothing_is_not_alarmed_by_what_others_got() {
    let server = Server::start(&["--history-events", "3"]);
    let mut stream = connected(&server, "/events?session_id=quiet");
    let mine = json!({"event_type": "test", "data": "mine", "session_filter": "quiet"});
    let id = broadcast(&server, &mine)["event_id"].as_str().unwrap().to_owned();
    assert_eq!(stream.next().id, id);
    drop(stream);
    for n in 0..10 {
        broadcast(&server, &json!({"event_type": "test", "data": n, "session_filter": "busy"}));
    }
    let mut stream = resumed(&server, Some(&id), "session_id=quiet");
    assert_eq!(stream.next().name, "connected");
    publish(&server, "new");
    assert_eq!(stream.next().data, r#""new""#);
}
