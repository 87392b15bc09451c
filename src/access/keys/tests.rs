//! Keys against an issuer that rotates, fails, hangs and sends too much: a listener in the test.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use serde_json::json;

use super::*;
use crate::access::signer::Signer;
use crate::clock::ManualClock;

/// Answers each connection with the next of these, and with nothing when there are none left.
struct Issuer {
    address: SocketAddr,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<usize>>,
}

enum Answer {
    /// These bytes, and the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes once the test lets go.
    Held(Receiver<()>, Vec<u8>),
    /// Bytes for as long as the client takes any.
    Endless,
}

impl Issuer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (answers, asked) = (Arc::new(Mutex::new(VecDeque::new())), Arc::new(Mutex::new(0)));
        let (queue, count) = (answers.clone(), asked.clone());
        thread::spawn(move || {
            for connection in listener.incoming() {
                *count.lock() += 1;
                let answer = queue.lock().pop_front();
                if let Some(answer) = answer {
                    reply(connection.unwrap(), answer);
                }
            }
        });
        Self { address, answers, asked }
    }

    fn will(&self, answer: Answer) {
        self.answers.lock().push_back(answer);
    }

    fn will_publish(&self, keys: &[(&Signer, &str)]) {
        self.will(Answer::Bytes(published(keys)));
    }

    fn asked(&self) -> usize {
        *self.asked.lock()
    }

    fn keys(&self) -> (Arc<Keys>, Arc<ManualClock>) {
        let clock = clock();
        let source = format!("http://{}/certs", self.address).parse().unwrap();
        (Arc::new(Keys::new(source, clock.clone())), clock)
    }
}

fn published(keys: &[(&Signer, &str)]) -> Vec<u8> {
    let keys: Vec<_> = keys.iter().map(|(signer, id)| signer.jwk(id)).collect();
    ok("Cache-Control: public, max-age=1000", &json!({"keys": keys}).to_string())
}

fn ok(header: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{header}\r\n\r\n{body}").into_bytes()
}

fn reply(mut connection: TcpStream, answer: Answer) {
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let _ = match answer {
        Answer::Bytes(bytes) => connection.write_all(&bytes),
        Answer::Held(released, bytes) => {
            released.recv().unwrap();
            connection.write_all(&bytes)
        }
        Answer::Endless => {
            let head = connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"keys\": [");
            while connection.write_all(&[b' '; 4096]).is_ok() {}
            head
        }
    };
}

/// What becomes of a token by this signer that names this key.
fn try_key(keys: &Keys, signer: &Signer, id: &str) -> Result<(), NoKey> {
    let text = signer.sign(id, &json!({}));
    let token = Token::parse(&text).unwrap();
    let key = keys.key_for(&token)?;
    assert!(token.open(&key).is_ok());
    Ok(())
}

fn is_for_now(seen: Result<(), NoKey>) -> bool {
    matches!(seen, Err(NoKey::ForNow(wait)) if !wait.is_zero())
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(0))
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn keys_are_fetched_once_and_again_when_they_are_no_longer_fresh() {
    let (issuer, signer) = (Issuer::start(), Signer::rsa());
    let (keys, clock) = issuer.keys();
    issuer.will_publish(&[(&signer, "a")]);
    issuer.will_publish(&[(&signer, "a")]);
    for _ in 0..3 {
        assert_eq!(try_key(&keys, &signer, "a"), Ok(()));
    }
    assert_eq!(issuer.asked(), 1);
    clock.advance(999 * SECOND);
    assert_eq!((try_key(&keys, &signer, "a"), issuer.asked()), (Ok(()), 1));
    clock.advance(SECOND);
    assert_eq!((try_key(&keys, &signer, "a"), issuer.asked()), (Ok(()), 2));
}

#[test]
fn a_key_that_nobody_knows_is_asked_for_once_in_a_while() {
    let (issuer, old, new) = (Issuer::start(), Signer::rsa(), Signer::other_rsa());
    let (keys, clock) = issuer.keys();
    issuer.will_publish(&[(&old, "a")]);
    issuer.will_publish(&[(&old, "a"), (&new, "b")]);
    assert_eq!(try_key(&keys, &old, "a"), Ok(()));
    // Tokens of strangers are no reason to ask again and again.
    for _ in 0..10 {
        assert_eq!(try_key(&keys, &new, "b"), Err(NoKey::Unknown));
    }
    assert_eq!(issuer.asked(), 1);
    clock.advance(PAUSE);
    assert_eq!((try_key(&keys, &new, "b"), issuer.asked()), (Ok(()), 2), "rotated");
    assert_eq!(try_key(&keys, &old, "a"), Ok(()));
}

#[test]
fn a_key_that_was_withdrawn_is_good_no_longer() {
    let (issuer, old, new) = (Issuer::start(), Signer::rsa(), Signer::other_rsa());
    let (keys, clock) = issuer.keys();
    issuer.will_publish(&[(&old, "a")]);
    issuer.will_publish(&[(&new, "b")]);
    assert_eq!(try_key(&keys, &old, "a"), Ok(()));
    clock.advance(1000 * SECOND);
    assert_eq!(try_key(&keys, &old, "a"), Err(NoKey::Unknown));
}

#[test]
fn old_keys_serve_on_for_a_day_while_new_ones_cannot_be_had() {
    let (issuer, signer) = (Issuer::start(), Signer::rsa());
    let (keys, clock) = issuer.keys();
    issuer.will_publish(&[(&signer, "a")]);
    assert_eq!(try_key(&keys, &signer, "a"), Ok(()));
    clock.advance(1000 * SECOND);
    issuer.will(Answer::Bytes(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_vec()));
    assert_eq!((try_key(&keys, &signer, "a"), issuer.asked()), (Ok(()), 2));
    assert!(is_for_now(try_key(&keys, &signer, "b")), "it may be a new one");
    assert_eq!(issuer.asked(), 2, "not before a pause");
    clock.advance(LAST_RESORT / 2);
    assert_eq!((try_key(&keys, &signer, "a"), issuer.asked()), (Ok(()), 3));
    clock.advance(LAST_RESORT / 2);
    assert!(is_for_now(try_key(&keys, &signer, "a")), "a day is over");
    clock.advance(PAUSE_AFTER_FAILURE);
    issuer.will_publish(&[(&signer, "a")]);
    assert_eq!(try_key(&keys, &signer, "a"), Ok(()), "it is back");
}

#[test]
fn what_is_no_set_of_keys_is_a_failure() {
    let (issuer, signer) = (Issuer::start(), Signer::rsa());
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://{}/certs\r\nContent-Length: 0\r\n\r\n",
        issuer.address
    );
    let bad = [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
        b"nonsense\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\"".to_vec(),
        ok("Content-Type: text/html", "<html>"),
        ok("Content-Type: application/json", "{\"keys\": []}"),
        ok("X: y", &format!("{{\"keys\": [{}]}}", "[".repeat(30_000))),
        Vec::new(),
    ];
    let redirects = (0..4).map(|_| redirect.clone().into_bytes());
    for answer in bad {
        let (keys, _) = issuer.keys();
        issuer.will(Answer::Bytes(answer));
        assert!(is_for_now(try_key(&keys, &signer, "a")));
    }
    redirects.for_each(|answer| issuer.will(Answer::Bytes(answer)));
    let (keys, _) = issuer.keys();
    assert!(is_for_now(try_key(&keys, &signer, "a")), "round and round");
}

#[test]
fn more_than_a_set_of_keys_can_be_is_not_read() {
    let (issuer, signer) = (Issuer::start(), Signer::rsa());
    let (keys, clock) = issuer.keys();
    issuer.will(Answer::Endless);
    assert!(is_for_now(try_key(&keys, &signer, "a")));
    clock.advance(PAUSE_AFTER_FAILURE);
    let jwk = signer.jwk("a").to_string();
    let large = format!("{{\"keys\": [{jwk}{}]}}", " ".repeat(64 << 10));
    issuer.will(Answer::Bytes(ok("X: y", &large)));
    assert!(is_for_now(try_key(&keys, &signer, "a")));
}

#[test]
fn an_issuer_that_says_nothing_is_given_up() {
    let (issuer, signer) = (Issuer::start(), Signer::rsa());
    let (released, held): (Sender<()>, _) = mpsc::channel();
    issuer.will(Answer::Held(held, Vec::new()));
    let source = format!("http://{}/certs", issuer.address).parse().unwrap();
    let keys = Keys {
        fetcher: Fetcher::within(Duration::from_millis(50), source),
        clock: clock(),
        state: Mutex::default(),
    };
    assert!(is_for_now(try_key(&keys, &signer, "a")));
    released.send(()).unwrap();
}

#[test]
fn nobody_waits_while_another_fetches() {
    let (issuer, signer) = (Issuer::start(), Signer::rsa());
    let (keys, clock) = issuer.keys();
    let fetch = |answer: Vec<u8>, meanwhile: &dyn Fn()| {
        let (release, held) = mpsc::channel();
        issuer.will(Answer::Held(held, answer));
        let fetching = {
            let keys = keys.clone();
            thread::spawn(move || try_key(&keys, &Signer::rsa(), "a"))
        };
        while !keys.state.lock().is_fetching {
            thread::yield_now();
        }
        meanwhile();
        release.send(()).unwrap();
        assert_eq!(fetching.join().unwrap(), Ok(()));
    };
    fetch(published(&[(&signer, "a")]), &|| {
        assert_eq!(try_key(&keys, &signer, "a"), Err(NoKey::ForNow(MOMENT)), "there is none yet");
    });
    clock.advance(1000 * SECOND);
    fetch(published(&[(&signer, "a")]), &|| {
        assert_eq!(try_key(&keys, &signer, "a"), Ok(()), "the old one");
        assert_eq!(try_key(&keys, &signer, "b"), Err(NoKey::ForNow(MOMENT)));
    });
}

#[test]
fn a_file_is_read_again_after_a_while() {
    let (old, new) = (Signer::rsa(), Signer::other_rsa());
    let file = tempfile::NamedTempFile::new().unwrap();
    let write = |signer: &Signer, id: &str| {
        std::fs::write(file.path(), json!({"keys": [signer.jwk(id)]}).to_string()).unwrap();
    };
    let clock = clock();
    let keys = Keys::new(file.path().to_str().unwrap().parse().unwrap(), clock.clone());
    write(&old, "a");
    assert_eq!(try_key(&keys, &old, "a"), Ok(()));
    write(&new, "b");
    assert_eq!(try_key(&keys, &old, "a"), Ok(()));
    clock.advance(60 * SECOND);
    assert_eq!(try_key(&keys, &old, "a"), Err(NoKey::Unknown));
    assert_eq!(try_key(&keys, &new, "b"), Ok(()));
}

#[test]
fn keys_are_at_an_address_or_in_a_file() {
    let check = |text: &str, expected: Option<KeySource>| {
        assert_eq!(text.parse().ok(), expected, "{text}");
    };
    check("keys.json", Some(KeySource::File("keys.json".into())));
    check("/etc/keys", Some(KeySource::File("/etc/keys".into())));
    for url in ["https://www.googleapis.com/oauth2/v3/certs", "http://127.0.0.1:1/"] {
        check(url, Some(KeySource::Url(url.into())));
    }
    for wrong in ["", "ftp://a/b", "https://", "file:///etc/keys"] {
        check(wrong, None);
    }
}

#[test]
fn a_thread_with_little_stack_can_ask() {
    // TLS takes more than half of what a connection's thread has, and more than all of the least.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = format!("https://{}/certs", listener.local_addr().unwrap()).parse().unwrap();
    let server = thread::spawn(move || {
        // What a server says that has no such host: a fatal alert.
        let (mut connection, _) = listener.accept().unwrap();
        connection.write_all(&[21, 3, 3, 0, 2, 2, 112]).unwrap();
    });
    let ask = move || is_for_now(try_key(&Keys::new(source, clock()), &Signer::rsa(), "a"));
    let asking = thread::Builder::new().stack_size(64 << 10).spawn(ask).unwrap();
    assert!(asking.join().unwrap());
    server.join().unwrap();
}
