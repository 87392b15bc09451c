//! A publisher that says everything under a key of its own, again and again until it has its answer; or
//! that gives up now and then when its connection breaks.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings::event::EventId;

use super::ledger::Published;
use super::wire::{ask, connect};
use super::witness::{Body, Subject};
use super::{Kind, SESSIONS, World};

/// What is published.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mix {
    /// Which kinds, each as often.
    pub kinds: &'static [Kind],
    /// Whether some are waited for until they are on disk.
    pub is_certain: bool,
    /// The longest pause between two events of one publisher, in milliseconds.
    pub pause_ms: u64,
    /// The largest event, in bytes; most are small.
    pub large_bytes: usize,
    /// How many of a hundred requests are given up when their connection breaks.
    pub gives_up_percent: u8,
}

impl Mix {
    /// Of everything something, as fast as it goes.
    pub(crate) const ALL: Self = Self {
        kinds: &Kind::ALL,
        is_certain: true,
        pause_ms: 0,
        large_bytes: 10_000,
        gives_up_percent: 30,
    };
}

/// How long an answer may take, and how long the last one is tried for.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Publisher {
    mix: Mix,
    random: fastrand::Rng,
    world: Arc<World>,
    connection: Option<TcpStream>,
}

/// An event before it has an id.
#[derive(Debug)]
struct Draft {
    subject: Subject,
    matched: Kind,
    terminal: bool,
    durable: bool,
    size: usize,
    /// It has a name, so that it can be tried again; what has one is always kept.
    is_named: bool,
}

impl Draft {
    fn request(&self, number: u64) -> String {
        let Subject { kind, session, key } = self.subject;
        let data = Body {
            number,
            matched: self.matched.name().to_owned(),
            session,
            key,
            terminal: self.terminal,
            size: self.size,
            pad: "x".repeat(self.size),
        };
        let mut body = json!({"event_type": kind.name(), "data": data});
        if let Some(session) = session {
            body["session_filter"] = json!(format!("s{session}"));
        }
        if self.matched != kind {
            body["subscription_filter"] = json!(self.matched.name());
        }
        if let Some(key) = key {
            body["key"] = json!(format!("job-{key}"));
            body["terminal"] = json!(self.terminal);
        }
        if self.durable {
            body["durable"] = json!(true);
        }
        let body = body.to_string();
        let name =
            if self.is_named { format!("Idempotency-Key: {number}\r\n") } else { String::new() };
        format!(
            "POST /events/broadcast HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n\
             {name}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

impl Publisher {
    pub fn new(mix: Mix, random: fastrand::Rng, world: Arc<World>) -> Self {
        Self { mix, random, world, connection: None }
    }

    pub fn run(mut self) {
        while !self.world.rests.load(Relaxed) {
            let draft = self.draft();
            self.publish(&draft);
            thread::sleep(Duration::from_millis(self.random.u64(0..=self.mix.pause_ms)));
        }
    }

    /// The last event of a kind, for everyone; its id.
    pub fn publish_end(&mut self, kind: Kind) -> EventId {
        let subject = Subject { kind, session: None, key: None };
        let (terminal, durable, is_named) = (false, true, true);
        let draft = Draft { subject, matched: kind, terminal, durable, size: 0, is_named };
        self.publish(&draft).unwrap_or_default()
    }

    fn draft(&mut self) -> Draft {
        let random = &mut self.random;
        let kind = self.mix.kinds[random.usize(0..self.mix.kinds.len())];
        let session = random.bool().then(|| random.u8(0..SESSIONS));
        let key = (kind == Kind::Progress).then(|| random.u16(0..6));
        let is_rare = random.u8(0..5) == 0;
        let matched = if kind == Kind::Note && is_rare { Kind::Tick } else { kind };
        let is_large = kind == Kind::Bulk && random.u8(0..20) == 0;
        let size = random.usize(0..=if is_large { self.mix.large_bytes } else { 200 });
        let durable = self.mix.is_certain && (kind == Kind::Order || kind == Kind::Bulk && is_rare);
        let terminal = self.mix.is_certain && key.is_some() && is_rare;
        Draft {
            subject: Subject { kind, session, key },
            matched,
            terminal,
            durable,
            size,
            is_named: durable || random.bool(),
        }
    }

    /// Tries until it has an answer, or gives up; the id.
    fn publish(&mut self, draft: &Draft) -> Option<EventId> {
        let ledger = &self.world.clone().ledger;
        let first_in = ledger.life();
        let number = ledger.begin();
        let request = draft.request(number);
        let mut deadline = None;
        loop {
            let sent_in = ledger.life();
            match self.try_once(&request) {
                Some((200, answer)) => {
                    let Some((id, is_stored)) = read_answer(&answer) else {
                        self.world.violated(format!("no id in the answer to {draft:?}: {answer}"));
                        ledger.give_up(number, first_in);
                        return None;
                    };
                    let is_update = draft.subject.key.is_some() && !draft.terminal;
                    let (subject, matched) = (draft.subject, draft.matched);
                    let event = Published { number, subject, matched, is_update, is_stored };
                    ledger.acknowledge(id, event, first_in, sent_in);
                    return Some(id);
                }
                // Not now: full, stopping, the disk, or the first try is still under way.
                Some((503 | 429 | 409, answer)) => {
                    if answer.contains("\"not_stored\"") || answer.contains("\"not_kept\"") {
                        ledger.note_doubt();
                    }
                    thread::sleep(Duration::from_millis(self.random.u64(10..100)));
                }
                Some((status, answer)) => {
                    self.world.violated(format!("{status} for {draft:?}: {answer}"));
                    ledger.give_up(number, first_in);
                    return None;
                }
                None if !draft.is_named || self.random.u8(0..100) < self.mix.gives_up_percent => {
                    ledger.give_up(number, first_in);
                    return None;
                }
                None => thread::sleep(Duration::from_millis(self.random.u64(5..50))),
            }
            if self.world.rests.load(Relaxed) {
                let deadline = *deadline.get_or_insert(Instant::now() + PATIENCE);
                if Instant::now() > deadline {
                    self.world.violated(format!("no answer to {draft:?} in {PATIENCE:?}"));
                    ledger.give_up(number, first_in);
                    return None;
                }
            }
        }
    }

    /// The answer; none if the connection broke.
    fn try_once(&mut self, request: &str) -> Option<(u16, String)> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(self.world.address, PATIENCE, None).ok()?,
        };
        let answer = ask(&mut connection, request).ok()?;
        // What is refused may end the connection as well.
        if answer.0 == 200 {
            self.connection = Some(connection);
        }
        Some(answer)
    }
}

/// The id, and whether the event is on disk.
fn read_answer(answer: &str) -> Option<(EventId, bool)> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let id = answer["event_id"].as_str()?.parse().ok()?;
    Some((id, answer["stored"] == true))
}
