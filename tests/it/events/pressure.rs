//! Too much to publish: publishers are told to come again, and what they say again is said once.

use std::thread;

use serde_json::json;

use super::{JSON, connected, request};
use crate::support::{Response, Server};

const PUBLISHERS: usize = 4;
const EVENTS_EACH: usize = 60;

/// Publishes under a key of its own, once.
fn try_publish(server: &Server, data: &str) -> Response {
    let body = json!({"event_type": "test", "data": data}).to_string();
    let length = format!("Content-Length: {}", body.len());
    let key = format!("Idempotency-Key: {data}");
    server.send(&(request("POST", "/events/broadcast", &[JSON, &length, &key]) + &body))
}

/// Publishes until the event is taken; how often it was not.
fn publish_stubbornly(server: &Server, data: &str) -> usize {
    for refusals in 0.. {
        let answer = try_publish(server, data);
        match answer.head.status {
            200 => return refusals,
            503 => {
                assert_eq!(answer.json()["code"], "overloaded");
                let wait = answer.head.header("retry-after").unwrap().parse::<u64>();
                assert!(wait.unwrap() >= 1);
            }
            other => panic!("{other}: {}", answer.body),
        }
    }
    unreachable!()
}

#[test]
fn a_full_inbox_is_an_answer_and_nothing_is_delivered_twice() {
    // A dispatcher with many streams takes a while for each event, and only one may wait for it.
    let flags = ["--inbox-events", "1", "--publish-wait-ms", "0", "--stream-queue-events", "0"];
    let server = Server::start(&flags);
    let mut streams: Vec<_> = (0..150).map(|_| connected(&server, "/events")).collect();
    let refused: usize = thread::scope(|scope| {
        let publish = |publisher: usize| {
            let server = &server;
            scope.spawn(move || {
                let data = (0..EVENTS_EACH).map(|n| format!("{publisher}-{n}"));
                data.map(|data| publish_stubbornly(server, &data)).sum::<usize>()
            })
        };
        let publishers: Vec<_> = (0..PUBLISHERS).map(publish).collect();
        publishers.into_iter().map(|publisher| publisher.join().unwrap()).sum()
    });
    assert!(refused > 0, "the inbox was never full");
    assert_eq!(server.status()["totals"]["publishes_refused"], refused);
    // The last event, which may be refused as well while the others are being delivered.
    publish_stubbornly(&server, "end");
    for stream in &mut streams {
        let mut of_each = [0; PUBLISHERS];
        loop {
            let data: String = serde_json::from_str(&stream.next().data).unwrap();
            let Some((publisher, n)) = data.split_once('-') else { break };
            let expected = &mut of_each[publisher.parse::<usize>().unwrap()];
            assert_eq!(n.parse::<usize>().unwrap(), *expected, "of publisher {publisher}");
            *expected += 1;
        }
        assert_eq!(of_each, [EVENTS_EACH; PUBLISHERS]);
    }
}
