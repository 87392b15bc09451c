//! The connection's thread once it is a stream: opening, replay, catching up, heartbeats, end.

// What a door plans, and the first bytes.
mod opening;

use http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

pub use self::opening::{Entrance, Open, Opening, StreamPlan, connected};

pub(super) use self::opening::{first_events, gap_data};

use super::App;
use super::admission::{AddressClaim, Full};
use super::drain::End;
use super::http::request::EVENT_STREAM;
use super::http::{Response, Version};
use super::socket::Socket;
use crate::event::dialect::{Block, Dialect, Envelope, Frame};
use crate::event::time::iso;
use crate::event::topic::Identifier;
use crate::hub::{EndReason, Joined, Profile, Refused};

/// Why a stream cannot be had now, though it may be later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedForNow {
    /// A limit on connections or streams is reached.
    Full(Full),
    /// The server is behind, or out of resources.
    Overloaded,
    /// The server is stopping.
    Draining,
}

impl RefusedForNow {
    /// All reasons.
    pub const ALL: [Self; 4] =
        [Self::Full(Full::Server), Self::Full(Full::Address), Self::Overloaded, Self::Draining];

    /// The stable word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full(Full::Server) => "too_many_connections",
            Self::Full(Full::Address) => "too_many_connections_from_address",
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
        }
    }
}

impl From<Refused> for RefusedForNow {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Busy | Refused::Exhausted => Self::Overloaded,
            Refused::Stopping => Self::Draining,
        }
    }
}

/// A stream that has its place in the hub, and is live already if nothing was in the way. It lacks
/// the thread that serves it.
pub(super) struct ReadyStream {
    joined: Joined,
    /// What could not be written at once.
    opening: Vec<u8>,
    _claim: Option<AddressClaim>,
}

/// What becomes of a plan.
pub(super) enum Begun {
    /// A stream.
    Ready(Box<ReadyStream>),
    /// All that is to be sent, from head to end.
    Over(Vec<u8>),
}

impl ReadyStream {
    /// Takes the stream's place in the hub.
    pub fn begin(
        app: &App,
        socket: &Socket,
        version: Version,
        plan: StreamPlan,
    ) -> Result<Begun, RefusedForNow> {
        let (mut opening, envelope) =
            response(plan.headers).stream_head(version, app.clock.unix_ms());
        let mut joined = match (plan.open)(&Entrance { app, socket })? {
            Opening::Live(joined, first) => {
                opening.extend(first);
                *joined
            }
            Opening::Over(all) => {
                opening.extend(all);
                opening.extend_from_slice(end(envelope));
                return Ok(Begun::Over(opening));
            }
        };
        // Twice, because the kernel also counts for a client that is there and takes nothing: that one
        // its own writer is to find, as stuck.
        let limits = app.hub.limits();
        socket.limit_silence(limits.write_deadline * 2, !limits.heartbeat.is_zero());
        log_opened(&joined);
        if joined.replay.is_done() {
            opening = joined.writer.open(opening);
        }
        Ok(Begun::Ready(Box::new(Self { joined, opening, _claim: plan.claim })))
    }

    /// Serves the stream until it ends.
    pub fn serve(mut self, app: &App) {
        let reason = self.run();
        let is_clean = reason.is_planned() && self.say_goodbye(app, reason).is_ok();
        let unwritten = self.joined.writer.stream().queue_size();
        app.drain.note_stream(End { reason, is_clean, unwritten });
        // Here, because the hub's dispatcher may hold the socket for a moment longer.
        self.joined.writer.close();
        log_closed(app, &self.joined, reason);
    }

    /// Ends the stream as planned.
    fn say_goodbye(&mut self, app: &App, reason: EndReason) -> Result<(), EndReason> {
        let bytes = goodbye(app, &self.joined, reason);
        self.joined.writer.write(&bytes, 0)
    }

    /// Opening, replay, and then whatever comes.
    fn run(&mut self) -> EndReason {
        let profile = &self.joined.writer.stream().profile;
        let (dialect, envelope) = (profile.dialect, profile.envelope);
        if let Err(reason) = self.open() {
            return reason;
        }
        let heartbeat = dialect.heartbeat();
        self.joined.writer.run(heartbeat.bytes(envelope))
    }

    /// Ends the stream, because there is no thread for it after all. Its client is told when to come
    /// back, unless it is in the middle of something.
    pub fn give_up(mut self, app: &App) {
        if self.opening.is_empty() && self.joined.replay.is_done() {
            let goodbye = goodbye(app, &self.joined, EndReason::Overloaded);
            self.joined.writer.say_at_once(&goodbye);
        }
        self.joined.writer.stream().end(EndReason::Overloaded);
        log_closed(app, &self.joined, EndReason::Overloaded);
    }

    fn open(&mut self) -> Result<(), EndReason> {
        let opening = std::mem::take(&mut self.opening);
        let events = usize::from(!opening.is_empty());
        self.joined.writer.write(&opening, events)?;
        self.joined.catch_up()
    }
}

/// A response that is a stream of events, before its first one.
pub(super) fn response(headers: HeaderMap) -> Response {
    let mut response = Response::stream(EVENT_STREAM)
        .header(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"))
        .header(X_ACCEL_BUFFERING, HeaderValue::from_static("no"))
        .header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.headers.extend(headers);
    response
}

/// Asks nginx not to hold events back.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How frames are delimited for a client of this version.
pub(super) fn envelope(version: Version) -> Envelope {
    match version {
        Version::Http10 => Envelope::Bare,
        Version::Http11 => Envelope::Sized,
    }
}

/// The last bytes of a stream: why it ends, if its client is to stay away for a while, and that this is
/// the end.
fn goodbye(app: &App, joined: &Joined, reason: EndReason) -> Vec<u8> {
    let Profile { dialect, envelope, .. } = joined.writer.stream().profile;
    let message = match reason {
        EndReason::Shutdown => Some("The server is stopping. The connection will be back shortly."),
        EndReason::Overloaded => {
            Some("The server is out of resources. The connection will be back shortly.")
        }
        _ => None,
    };
    let notice = message.map(|message| notice(app, dialect, "reconnect", reason.as_str(), message));
    let mut bytes = notice.map_or_else(Vec::new, |notice| notice.bytes(envelope).to_vec());
    bytes.extend_from_slice(end(envelope));
    bytes
}

/// All that is sent for a stream that is refused in a way after which a browser comes back by
/// itself: every status but 200 would end its EventSource for good.
pub(super) fn refusal(app: &App, version: Version, reason: RefusedForNow) -> Vec<u8> {
    let message = "The stream cannot be had right now.";
    let notice = notice(app, Dialect::Events, "refused", reason.as_str(), message);
    let head = response(HeaderMap::new()).stream_head(version, app.clock.unix_ms());
    let (mut bytes, envelope) = head;
    bytes.extend_from_slice(notice.bytes(envelope));
    bytes.extend_from_slice(end(envelope));
    bytes
}

/// A `system` event that sends the client away, and says when to come back.
fn notice(app: &App, dialect: Dialect, kind: &str, reason: &str, message: &str) -> Frame {
    let (retry, now_ms) = (app.pace.among_many(), app.clock.unix_ms());
    let data = json!({
        "type": kind,
        "reason": reason,
        "message": message,
        "retry_ms": retry.as_millis() as u64,
        "deadline": deadline(app, now_ms),
        "timestamp": iso(now_ms),
    });
    let data = data.to_string();
    dialect.encode_block(&Block { id: None, retry: Some(retry), name: "system", data: &data })
}

/// When the last of those who are sent away now comes back. Who is not connected a while later has
/// met with something else.
pub(super) fn deadline(app: &App, now_ms: u64) -> String {
    iso(now_ms + app.pace.longest().as_millis() as u64)
}

/// What a transport that delimits by size takes for the end.
fn end(envelope: Envelope) -> &'static [u8] {
    match envelope {
        Envelope::Bare => b"",
        Envelope::Sized => b"0\r\n\r\n",
    }
}

fn log_opened(joined: &Joined) {
    let stream = joined.writer.stream();
    let profile = &stream.profile;
    log::info!(
        target: "streams",
        connection:% = stream.id,
        door = profile.door,
        address:% = profile.address.map_or_else(String::new, |address| address.to_string()),
        session = profile.session.as_ref().map_or("", Identifier::as_str),
        user = profile.user.as_ref().map_or("", Identifier::as_str);
        "stream opened"
    );
}

fn log_closed(app: &App, joined: &Joined, reason: EndReason) {
    let stream = joined.writer.stream();
    log::info!(
        target: "streams",
        connection:% = stream.id,
        reason = reason.as_str(),
        lifetime_ms = app.clock.now().saturating_duration_since(stream.created).as_millis() as u64,
        events = stream.events_sent(),
        bytes = stream.bytes_sent();
        "stream closed"
    );
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;

    use super::*;
    use crate::clock::SystemClock;
    use crate::event::subscription::{NameFilter, Subscription};
    use crate::event::topic::Topic;
    use crate::hub::Resume;
    use crate::serve::conversation::tests::app;

    #[test]
    fn a_stream_for_which_there_is_no_thread_is_told_when_to_come_back() {
        let app = app(Arc::new(SystemClock));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let socket = Socket::from(listener.accept().unwrap().0);
        let profile = Profile {
            door: "test",
            project: Topic::events().project,
            session: None,
            user: None,
            address: None,
            subscription: Subscription::new([Topic::events()], NameFilter::All),
            dialect: Dialect::Events,
            envelope: Envelope::Sized,
            resume: Resume::FromNow,
        };
        let open = connected(profile, None, |_| "{}".to_owned());
        let plan = StreamPlan { headers: HeaderMap::new(), claim: None, open };
        let begun = ReadyStream::begin(&app, &socket, Version::Http11, plan);
        let Ok(Begun::Ready(stream)) = begun else { panic!("it does not begin") };
        stream.give_up(&app);
        let mut said = String::new();
        client.read_to_string(&mut said).unwrap();
        assert!(said.contains(r#"{"type":"reconnect","reason":"overloaded""#), "{said}");
        assert!(said.ends_with("\r\n0\r\n\r\n"), "{said}");
    }
}
