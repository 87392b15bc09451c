//! Event to bytes, for each family of clients. No I/O.
//!
//! The rules are the WHATWG HTML standard's, section 9.2 "Server-sent events". Two are ours:
//! every block dispatches exactly one event (blocks of only comments or only `retry:` make some
//! client libraries dispatch an empty one), and nothing a publisher sends can start a field of its
//! own, because every line of its data is given its `data:`.

// A job's state, which each seed has in words of its own.
mod job;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::batch_update::BatchUpdate;
use super::job_update::JobUpdate;
use super::{Event, EventId};

/// How events look on the wire for one family of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// The events door (seed 004): `id`, `event` and `data`.
    Events,
    /// The jobs door (seed 000): a job's states are unnamed, for `onmessage`, and their ids are its
    /// revisions, for a watcher that comes back after a restart; and so are a batch's. Whatever else there is to say has a name,
    /// so that `onmessage` does not get to see it.
    Jobs,
    /// The subscriptions door (seed 001): as the events door, in its own words for a job's states.
    Subscriptions,
}

impl Dialect {
    /// How many dialects there are.
    pub const COUNT: usize = 3;

    /// Encodes an event, once for all streams of this dialect.
    pub fn encode(self, event: &Event) -> Frame {
        Fields::of(event, self).frame()
    }

    /// Encodes an event that stands for `stands_for` events of one stream, itself included, and says
    /// so: in its data if that is an object, otherwise in a comment that scripts do not see.
    pub fn encode_conflated(self, event: &Event, stands_for: u32) -> Frame {
        let fields = Fields::of(event, self);
        match conflated_data(&fields.data, stands_for) {
            Some(data) => Fields { data: data.into(), ..fields }.frame(),
            None => Fields { comment: Some(format!("conflated {stands_for}")), ..fields }.frame(),
        }
    }

    /// Encodes a job's state for one stream alone, such as its first event. It has an id where that is the
    /// job's revision.
    pub fn encode_job(self, job: &JobUpdate, retry: Option<Duration>) -> Frame {
        Fields { retry, ..Fields::of_job(job, None, self) }.frame()
    }

    /// Encodes a batch's state as the first event of a stream of the jobs door.
    pub fn encode_batch(batch: &BatchUpdate, retry: Option<Duration>) -> Frame {
        // Strings and numbers can always be written.
        let data = serde_json::to_string(batch).unwrap_or_default();
        Fields { retry, ..Fields::of_batch(batch.revision, data.into()) }.frame()
    }

    /// Encodes something only one stream says, such as `connected`.
    pub fn encode_block(self, block: &Block<'_>) -> Frame {
        let Block { id, retry, name, data } = *block;
        let id = id.map(Id::Event);
        Fields { id, retry, name: Some(name), comment: None, data: data.into() }.frame()
    }

    /// Whether a stream of this family is about one thing, and ends with the last word about it.
    pub fn ends_after_terminal(self) -> bool {
        self == Self::Jobs
    }

    /// The sign of life when nothing else was sent: an event that scripts can see, without an id so
    /// that it cannot move a client's resume point.
    pub fn heartbeat(self) -> Frame {
        match self {
            Self::Events | Self::Jobs => Frame::new(b"event: ping\ndata: keep-alive\n\n"),
            // Whoever parses the data of all events parses this one too.
            Self::Subscriptions => Frame::new(b"event: heartbeat\ndata: {}\n\n"),
        }
    }
}

/// One event as fields, before it is bytes.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    /// Moves the client's resume point here.
    pub id: Option<EventId>,
    /// Sets how long the client waits before it reconnects.
    pub retry: Option<Duration>,
    /// The event type; must not contain a line break (an [`super::EventName`] never does).
    pub name: &'a str,
    /// The data; may contain any line break.
    pub data: &'a str,
}

/// What moves a client's resume point.
#[derive(Debug, Clone, Copy)]
enum Id {
    Event(EventId),
    /// Which of a job's states it is.
    Revision(u64),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(id) => id.fmt(f),
            Self::Revision(revision) => revision.fmt(f),
        }
    }
}

/// One event as the fields that are written.
#[derive(Debug)]
struct Fields<'a> {
    id: Option<Id>,
    retry: Option<Duration>,
    name: Option<&'a str>,
    /// For people who look at the wire. It stands inside a block that has data: one that stood alone would
    /// make an empty event in some clients.
    comment: Option<String>,
    data: Cow<'a, str>,
}

impl<'a> Fields<'a> {
    fn of(event: &'a Event, dialect: Dialect) -> Self {
        let (name, data) = (event.body.name.as_str(), event.body.data.as_str());
        let is_of_job = dialect != Dialect::Events && name == JobUpdate::EVENT;
        // What only calls itself so is shown as it is.
        if let Some(job) = is_of_job.then(|| JobUpdate::decode(data)).flatten() {
            return Self::of_job(&job, Some(event.id), dialect);
        }
        if dialect == Dialect::Jobs
            && name == BatchUpdate::EVENT
            && let Some(revision) = BatchUpdate::revision_of(data)
        {
            return Self::of_batch(revision, data.into());
        }
        let id = Some(Id::Event(event.id));
        Self { id, retry: None, name: Some(name), comment: None, data: data.into() }
    }

    /// A batch's state on the jobs door.
    fn of_batch(revision: u64, data: Cow<'a, str>) -> Self {
        let id = Some(Id::Revision(revision));
        Self { id, retry: None, name: None, comment: None, data }
    }

    fn of_job(job: &JobUpdate, id: Option<EventId>, dialect: Dialect) -> Self {
        let (id, name) = match dialect {
            Dialect::Jobs => (Some(Id::Revision(job.revision)), None),
            Dialect::Events | Dialect::Subscriptions => (id.map(Id::Event), Some(JobUpdate::EVENT)),
        };
        Self { id, retry: None, name, comment: None, data: job.render(dialect).into() }
    }

    fn frame(&self) -> Frame {
        let mut bytes = Vec::with_capacity(self.data.len() + 96);
        self.write(&mut bytes);
        Frame::new(&bytes)
    }

    fn write(&self, out: &mut Vec<u8>) {
        if let Some(id) = self.id {
            field(out, "id", &id.to_string());
        }
        if let Some(retry) = self.retry {
            field(out, "retry", &retry.as_millis().to_string());
        }
        if let Some(comment) = &self.comment {
            field(out, "", comment);
        }
        if let Some(name) = self.name {
            field(out, "event", name);
        }
        for line in lines(&self.data) {
            field(out, "data", line);
        }
        out.push(b'\n');
    }
}

/// JSON data that says how many events it stands for: as the last member `conflated`, if it is an
/// object. A member of that name that was there before is overruled, as the last one counts.
pub fn conflated_data(data: &str, stands_for: u32) -> Option<String> {
    let members = data.trim().strip_prefix('{')?.strip_suffix('}')?;
    let comma = if members.trim().is_empty() { "" } else { ", " };
    Some(format!("{{{members}{comma}\"conflated\": {stands_for}}}"))
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

/// Splits at every line end the standard knows: CR LF, LF and CR.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let current = rest?;
        let Some(end) = current.find(['\r', '\n']) else {
            rest = None;
            return Some(current);
        };
        let after = &current[end..];
        rest = Some(after.strip_prefix("\r\n").unwrap_or(&after[1..]));
        Some(&current[..end])
    })
}

/// How a transport delimits what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Envelope {
    /// Not at all: the end of the connection is the end of the stream.
    Bare,
    /// By size: each frame follows its length in hexadecimal and CR LF, and is followed by CR LF.
    Sized,
}

/// An encoded event: one allocation that serves both envelopes, shared by all streams.
#[derive(Debug, Clone)]
pub struct Frame {
    sized: Box<[u8]>,
    /// What comes before the bare bytes. What comes after them is [`SIZED_END`]. Ten thousands of frames
    /// are remembered, so they say no more than they must.
    head: u8,
}

const SIZED_END: &[u8] = b"\r\n";

impl Frame {
    fn new(block: &[u8]) -> Self {
        let head = format!("{:x}\r\n", block.len());
        let sized = [head.as_bytes(), block, SIZED_END].concat().into_boxed_slice();
        // At most the sixteen digits of a size and a line's end.
        Self { sized, head: head.len() as u8 }
    }

    /// The bytes to send.
    pub fn bytes(&self, envelope: Envelope) -> &[u8] {
        match envelope {
            Envelope::Bare => {
                &self.sized[usize::from(self.head)..self.sized.len() - SIZED_END.len()]
            }
            Envelope::Sized => &self.sized,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::topic::Topic;
    use crate::event::{EventData, NewEvent};

    fn frame(data: &str) -> Frame {
        let data = EventData::from_json(data, 0).unwrap();
        let body = NewEvent::new(Topic::events(), "note".parse().unwrap(), data);
        Dialect::Events.encode(&Event::new(EventId { ms: 7, n: 1 }, 7, body))
    }

    fn check(data: &str, expected: &str) {
        assert_eq!(std::str::from_utf8(frame(data).bytes(Envelope::Bare)).unwrap(), expected);
    }

    #[test]
    fn an_event_is_a_block_with_an_id() {
        check(r#"{"a":1}"#, "id: 7-1\nevent: note\ndata: {\"a\":1}\n\n");
    }

    #[test]
    fn every_line_end_starts_a_data_line() {
        check(
            "[1,\n2,\r\n3,\r4]",
            "id: 7-1\nevent: note\ndata: [1,\ndata: 2,\ndata: 3,\ndata: 4]\n\n",
        );
        check("[\n\n1]", "id: 7-1\nevent: note\ndata: [\ndata: \ndata: 1]\n\n");
    }

    fn check_conflated(data: &str, expected: &str) {
        let data = EventData::from_json(data, 0).unwrap();
        let body = NewEvent::new(Topic::events(), "note".parse().unwrap(), data);
        let event = Event::new(EventId { ms: 7, n: 1 }, 7, body);
        let frame = Dialect::Events.encode_conflated(&event, 3);
        let bytes = std::str::from_utf8(frame.bytes(Envelope::Bare)).unwrap();
        assert_eq!(bytes, format!("id: 7-1\n{expected}\n\n"));
    }

    #[test]
    fn a_conflated_event_says_how_many_it_stands_for() {
        check_conflated(r#"{"a":1}"#, "event: note\ndata: {\"a\":1, \"conflated\": 3}");
        check_conflated("{}", "event: note\ndata: {\"conflated\": 3}");
        check_conflated(" { }\t", "event: note\ndata: { \"conflated\": 3}");
        check_conflated(
            "{\"a\":\n{}\n}\n",
            "event: note\ndata: {\"a\":\ndata: {}\ndata: , \"conflated\": 3}",
        );
        for data in ["1", "[{}]", r#""{}""#, "null"] {
            check_conflated(data, &format!(": conflated 3\nevent: note\ndata: {data}"));
        }
    }

    /// How a state of a job, event 7-1 and the job's third, looks for each family.
    fn check_job(dialect: Dialect, stands_for: u32, expected: &str) {
        let job = JobUpdate { revision: 3, ..JobUpdate::pending("j".parse().unwrap(), 0) };
        let data = job.encode(0).unwrap();
        let name = JobUpdate::EVENT.parse().unwrap();
        let body = NewEvent::new(Topic::job(job.job_id.clone()), name, data);
        let event = Event::new(EventId { ms: 7, n: 1 }, 7, body);
        let frame = match stands_for {
            1 => dialect.encode(&event),
            many => dialect.encode_conflated(&event, many),
        };
        let bytes = std::str::from_utf8(frame.bytes(Envelope::Bare)).unwrap();
        assert_eq!(bytes, expected, "{dialect:?}");
        if stands_for == 1 && dialect != Dialect::Events {
            let alone = dialect.encode_job(&job, Some(Duration::from_secs(1)));
            let alone = std::str::from_utf8(alone.bytes(Envelope::Bare)).unwrap();
            let id = if dialect == Dialect::Jobs { "" } else { "id: 7-1\n" };
            assert_eq!(format!("{id}{}", alone.replace("retry: 1000\n", "")), expected);
        }
    }

    #[test]
    fn a_jobs_states_are_in_each_familys_words() {
        let canonical =
            r#"{"jobId":"j","revision":3,"status":"pending","progress":0,"timeMs":0,"attempt":1}"#;
        check_job(
            Dialect::Events,
            1,
            &format!("id: 7-1\nevent: job_update\ndata: {canonical}\n\n"),
        );
        let of_000 = r#"{"jobId":"j","status":"pending","progress":0,"stage":"","message":"","timestamp":"1970-01-01T00:00:00.000Z""#;
        check_job(Dialect::Jobs, 1, &format!("id: 3\ndata: {of_000}}}\n\n"));
        check_job(Dialect::Jobs, 4, &format!("id: 3\ndata: {of_000}, \"conflated\": 4}}\n\n"));
        let of_001 = r#"{"type":"job_update","jobId":"j","timestamp":0,"status":"pending","progress":0,"stage":"","message":"""#;
        let head = "id: 7-1\nevent: job_update\ndata: ";
        check_job(Dialect::Subscriptions, 1, &format!("{head}{of_001}}}\n\n"));
        check_job(Dialect::Subscriptions, 4, &format!("{head}{of_001}, \"conflated\": 4}}\n\n"));
    }

    /// Nothing but a job's states reaches `onmessage` on the jobs door, and what only calls itself one is
    /// shown as it is.
    #[test]
    fn what_is_no_state_of_a_job_keeps_its_name_and_its_words() {
        for (name, data) in [("gap", "{}"), ("job_update", r#"{"jobId": "j"}"#)] {
            let data = EventData::from_json(data, 0).unwrap();
            let body = NewEvent::new(Topic::events(), name.parse().unwrap(), data);
            let event = Event::new(EventId { ms: 7, n: 1 }, 7, body);
            let bytes = |dialect: Dialect| dialect.encode(&event).bytes(Envelope::Bare).to_vec();
            assert_eq!(bytes(Dialect::Jobs), bytes(Dialect::Events));
            assert_eq!(bytes(Dialect::Subscriptions), bytes(Dialect::Events));
        }
    }

    #[test]
    fn a_heartbeat_is_an_event_that_onmessage_does_not_get() {
        for dialect in [Dialect::Events, Dialect::Jobs, Dialect::Subscriptions] {
            let heartbeat = dialect.heartbeat();
            let text = std::str::from_utf8(heartbeat.bytes(Envelope::Bare)).unwrap();
            assert!(text.starts_with("event: ") && text.ends_with("\n\n"), "{text}");
            assert_eq!((text.contains("\ndata: "), text.contains("id:")), (true, false), "{text}");
        }
    }

    #[test]
    fn what_is_sized_says_its_size() {
        assert_eq!(
            frame("1").bytes(Envelope::Sized),
            b"1d\r\nid: 7-1\nevent: note\ndata: 1\n\n\r\n"
        );
        assert_eq!(frame("1").bytes(Envelope::Bare).len(), 0x1d);
    }

    #[test]
    fn a_retry_travels_inside_a_real_event() {
        let block = Block {
            id: Some(EventId { ms: 1, n: 0 }),
            retry: Some(Duration::from_millis(2500)),
            name: "connected",
            data: "{}",
        };
        let frame = Dialect::Events.encode_block(&block);
        assert_eq!(
            frame.bytes(Envelope::Bare),
            b"id: 1-0\nretry: 2500\nevent: connected\ndata: {}\n\n"
        );
    }
}
