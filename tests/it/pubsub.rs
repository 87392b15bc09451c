//! Pushes of Google Cloud Pub/Sub, from outside: what is acknowledged, what comes again, who is let in.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::signer::{Signer, encode};
use crate::support::{Response, Server};

/// The envelopes in `tests/pubsub`, as they are posted.
fn recorded(name: &str) -> String {
    let path = format!("{}/tests/pubsub/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// A recorded request, with the line ends that it had.
fn request(name: &str) -> String {
    let text = recorded(name);
    let (head, body) = text.split_once("\n\n").unwrap();
    format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n"))
}

/// A push with this update.
fn push(message_id: &str, update: &Value) -> String {
    let data = STANDARD.encode(update.to_string());
    json!({
        "message": {"messageId": message_id, "data": data},
        "subscription": "projects/myproject/subscriptions/mysubscription",
    })
    .to_string()
}

fn update(job: &str, progress: u8) -> Value {
    json!({"jobId": job, "status": "processing", "progress": progress})
}

/// Posts a push and checks the answer's status.
fn check(server: &Server, push: &str, status: u16) -> Response {
    let answer = server.post("/pubsub/push", push);
    assert_eq!(answer.head.status, status, "{push}: {}", answer.body);
    answer
}

/// How many pushes came to this outcome.
fn count(server: &Server, outcome: &str) -> u64 {
    figure(server, &format!("tidings_pubsub_messages_total{{outcome=\"{outcome}\"}} "))
}

/// How many jobs there are with this status.
fn jobs(server: &Server, status: &str) -> u64 {
    figure(server, &format!("tidings_jobs{{status=\"{status}\"}} "))
}

fn figure(server: &Server, sample: &str) -> u64 {
    let text = server.get("/metrics").body;
    let line = text.lines().find_map(|line| line.strip_prefix(sample));
    line.unwrap_or_else(|| panic!("{sample} is not in {text}")).parse().unwrap()
}

#[test]
fn what_pubsub_sends_is_taken() {
    let server = Server::start(&[]);
    for name in ["update.json", "ordered.json", "attributes_only.json"] {
        let answer = check(&server, &recorded(name), 204);
        assert_eq!(answer.body, "");
    }
    let answer = server.send(&request("unwrapped.http"));
    assert_eq!(answer.head.status, 204, "{}", answer.body);
    assert_eq!(count(&server, "taken"), 4);
    assert_eq!((jobs(&server, "completed"), jobs(&server, "processing")), (1, 1));
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("tidings_pubsub_message_latency_seconds_count 4\n"));
    let ended = push("1", &update("podcast-1", 100));
    check(&server, &ended, 204);
    assert_eq!(count(&server, "stale"), 1, "the job has ended by its attributes alone");
}

#[test]
fn what_says_nothing_of_a_job_is_malformed() {
    let server = Server::start(&[]);
    let answer = check(&server, &recorded("documented.json"), 400).json();
    assert_eq!(answer["code"], "malformed_message");
    assert!(answer["detail"].as_str().unwrap().contains("no status update"), "{answer}");
    let answer = server.send(&request("documented_unwrapped.http"));
    assert_eq!((answer.head.status, count(&server, "malformed")), (400, 2));
    assert_eq!((jobs(&server, "pending"), jobs(&server, "processing")), (0, 0), "none was made");
}

#[test]
fn a_message_that_comes_twice_has_one_effect() {
    let server = Server::start(&[]);
    for _ in 0..3 {
        check(&server, &push("7", &update("a", 40)), 204);
    }
    // Not even what the jobs would call a step back is one.
    check(&server, &push("8", &update("a", 60)), 204);
    check(&server, &push("7", &update("a", 40)), 204);
    let counts = ["taken", "repeated", "stale"].map(|outcome| count(&server, outcome));
    assert_eq!(counts, [2, 3, 0]);
}

#[test]
fn a_message_that_comes_again_after_a_crash_has_no_effect() {
    let mut server = Server::start(&[]);
    check(&server, &push("7", &update("a", 40)), 204);
    check(&server, &push("8", &update("a", 60)), 204);
    server.signal(Signal::KILL);
    server.wait();
    let again = server.start_again(&[]);
    check(&again, &push("7", &update("a", 40)), 204);
    check(&again, &push("9", &update("a", 60)), 204);
    let counts = ["taken", "repeated", "stale"].map(|outcome| count(&again, outcome));
    assert_eq!(counts, [1, 1, 0]);
}

#[test]
fn a_message_that_comes_many_times_at_once_is_taken_once() {
    let server = Server::start(&[]);
    let push = push("7", &update("a", 40));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let status = server.post("/pubsub/push", &push).head.status;
                assert!([204, 503].contains(&status), "{status}");
            });
        }
    });
    check(&server, &push, 204);
    assert_eq!(count(&server, "taken"), 1);
}

#[test]
fn what_comes_in_the_wrong_order_is_acknowledged() {
    let server = Server::start(&[]);
    check(&server, &push("1", &update("a", 60)), 204);
    check(&server, &push("2", &update("a", 40)), 204);
    check(&server, &push("3", &json!({"jobId": "a", "status": "completed"})), 204);
    check(&server, &push("4", &update("a", 80)), 204);
    assert_eq!(["taken", "stale"].map(|outcome| count(&server, outcome)), [2, 2]);
}

#[test]
fn mistakes_are_refused_and_counted() {
    let server = Server::start(&[]);
    for bad in ["", "{", "[]", "{}", r#"{"message": {}}"#, r#"{"message": {"messageId": "1"}}"#] {
        check(&server, bad, 400);
    }
    check(&server, r#"{"message": {"messageId": "1", "data": "?"}}"#, 400);
    let deep = format!("{{\"jobId\": \"a\", \"status\": \"failed\", \"data\": {}1", "[".repeat(80));
    check(&server, &push("1", &json!(deep)), 400);
    let nested = STANDARD.encode(deep + &"]".repeat(80) + "}");
    let nested = json!({"message": {"messageId": "1", "data": nested}}).to_string();
    let answer = check(&server, &nested, 400).json();
    assert!(answer["detail"].as_str().unwrap().contains("64 levels"), "{answer}");
    let form = "POST /pubsub/push HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\
                Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(server.send(form).head.status, 415);
    assert_eq!(count(&server, "malformed"), 10);
    let get = server.get("/pubsub/push");
    assert_eq!((get.head.status, get.head.header("allow")), (405, Some("POST, OPTIONS")));
}

#[test]
fn other_subscriptions_are_not_taken() {
    let server = Server::start(&["--pubsub-subscription", "mysubscription"]);
    let other = recorded("update.json").replace("subscriptions/my", "subscriptions/your");
    assert_eq!(check(&server, &other, 403).json()["code"], "forbidden");
    check(&server, &recorded("update.json"), 204);
    assert_eq!(count(&server, "other_subscription"), 1);
}

const AUDIENCE: &str = "https://tidings.example.com/pubsub/push";
const PUSHER: &str = "pusher@myproject.iam.gserviceaccount.com";

/// A server that lets in the pusher by keys from here, on the least stack that it may be given.
fn guarded(keys: &str) -> Server {
    Server::start(&[
        "--pubsub-auth",
        "oidc",
        "--pubsub-audience",
        AUDIENCE,
        "--pubsub-service-account",
        PUSHER,
        "--pubsub-jwks",
        keys,
        "--thread-stack-bytes",
        "65536",
    ])
}

fn claims() -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    json!({
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "sub": "113774264463038321964",
        "email": PUSHER,
        "email_verified": true,
        "iat": now,
        "exp": now + 3_600,
    })
}

fn with(member: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[member] = value.into();
    claims
}

/// Pushes with a token.
fn push_as(server: &Server, token: &str) -> Response {
    let body = recorded("update.json");
    server.send(&format!(
        "POST /pubsub/push HTTP/1.1\r\nHost: t\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

#[test]
fn only_the_service_account_may_push() {
    let file = NamedTempFile::new().unwrap();
    let keys = json!({"keys": [Signer::rsa().jwk("a"), Signer::ec().jwk("c")]});
    std::fs::write(file.path(), keys.to_string()).unwrap();
    let server = guarded(file.path().to_str().unwrap());
    let check = |token: &str, status: u16| {
        let answer = push_as(&server, token);
        assert_eq!(answer.head.status, status, "{token}: {}", answer.body);
        assert_eq!(answer.head.header("www-authenticate").is_some(), status == 401);
    };
    let rsa = Signer::rsa();
    check(&rsa.sign("a", &claims()), 204);
    check(&Signer::ec().sign("c", &claims()), 204);
    check(&Signer::other_rsa().sign("a", &claims()), 401);
    check(&Signer::other_rsa().sign("b", &claims()), 401);
    check(&rsa.sign("a", &with("aud", "https://example.com")), 401);
    check(&rsa.sign("a", &with("iss", "https://example.com")), 401);
    check(&rsa.sign("a", &with("exp", 1_000_000_000)), 401);
    check(&rsa.sign("a", &with("email", "else@myproject.iam.gserviceaccount.com")), 403);
    check(&rsa.sign("a", &with("email_verified", false)), 403);
    for algorithm in ["none", "HS256"] {
        let header = json!({"alg": algorithm, "kid": "a"});
        let parts = [header, claims()].map(|part| encode(part.to_string().as_bytes()));
        check(&format!("{}.", parts.join(".")), 401);
        check(&rsa.seal(&parts.join(".")), 401);
    }
    check("nonsense", 401);
    // Nobody learns from the answer what a message would have come to.
    assert_eq!(server.post("/pubsub/push", "{").head.status, 401);
    assert_eq!(["taken", "repeated", "denied"].map(|o| count(&server, o)), [1, 1, 13]);
}

#[test]
fn keys_are_fetched_from_the_issuer() {
    let issuer = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = issuer.local_addr().unwrap();
    let server = guarded(&format!("http://{address}/certs"));
    let publishing = thread::spawn(move || {
        let (mut connection, _) = issuer.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let keys = json!({"keys": [Signer::rsa().jwk("a")]}).to_string();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{keys}", keys.len());
        connection.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(head).unwrap()
    });
    for _ in 0..3 {
        let answer = push_as(&server, &Signer::rsa().sign("a", &claims()));
        assert_eq!(answer.head.status, 204, "{}", answer.body);
    }
    assert!(publishing.join().unwrap().starts_with("GET /certs HTTP/1.1\r\n"), "asked once");
}

#[test]
fn without_keys_a_push_is_for_later() {
    // A port on which nobody listens.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = guarded(&format!("http://{nobody}/certs"));
    let answer = push_as(&server, &Signer::rsa().sign("a", &claims()));
    assert_eq!((answer.head.status, answer.json()["code"].as_str()), (503, Some("no_keys")));
    assert!((1..=5).contains(&answer.head.header("retry-after").unwrap().parse().unwrap()));
    server.wait_for_log("no keys to check tokens with");
}
