//! Requests in, answers out, one after the other, until one of them makes the connection a stream.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{HeaderName, StatusCode};

use super::admission::{AddressClaim, Full, Place};
use super::entry::Entry;
use super::http::{Connection, Limits as HttpLimits, Persistence, Request, RequestError, Response};
use super::problem::Problem;
use super::routes::Call;
use super::socket::{Prospect, Socket};
use super::stream::{self, Begun, ReadyStream, RefusedForNow, StreamPlan};
use super::{App, RefuseStreams, address, routes};

/// What a connection's thread is for.
#[derive(Debug)]
pub(super) enum Mode {
    /// To be served.
    Serve(Ticket),
    /// To be told that it cannot be.
    Refuse(RefusalTicket),
}

impl Mode {
    /// The connection's number.
    pub fn number(&self) -> u64 {
        match self {
            Self::Serve(ticket) => ticket.number(),
            Self::Refuse(ticket) => ticket.place.number(),
        }
    }

    /// How long the connection may take to begin its first request; zero: for ever.
    pub fn patience(&self, app: &App) -> Duration {
        match self {
            Self::Serve(_) => app.limits.head_timeout,
            Self::Refuse(_) => REFUSAL_PATIENCE,
        }
    }
}

/// A connection's right to be served.
#[derive(Debug)]
pub(super) struct Ticket {
    peer: SocketAddr,
    place: Place,
    /// What the peer is counted by; a trusted proxy is not, its clients are.
    _claim: Option<AddressClaim>,
}

impl Ticket {
    /// The connection's number.
    pub fn number(&self) -> u64 {
        self.place.number()
    }

    /// A place for the connection, unless there are too many.
    pub fn claim(app: &App, peer: SocketAddr) -> Result<Self, Full> {
        let address = peer.ip().to_canonical();
        let is_proxy = address::is_trusted(address, &app.limits.trusted_proxies);
        let claim = if is_proxy { None } else { Some(app.admission.claim(address)?) };
        Ok(Self { peer, place: app.admission.enter()?, _claim: claim })
    }
}

/// Connections beyond the limits that may be told so at the same time.
const MAX_REFUSING: usize = 64;

/// A connection's right to be told why it is not served.
#[derive(Debug)]
pub(super) struct RefusalTicket {
    app: Arc<App>,
    peer: SocketAddr,
    place: Place,
    full: Full,
}

impl RefusalTicket {
    /// A place to be told in, unless too many are being told already.
    pub fn claim(app: &Arc<App>, peer: SocketAddr, full: Full) -> Option<Self> {
        if app.refusing.fetch_add(1, Ordering::Relaxed) >= MAX_REFUSING {
            app.refusing.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self { app: app.clone(), peer, place: app.admission.enter_to_be_refused(), full })
    }
}

impl Drop for RefusalTicket {
    fn drop(&mut self) {
        self.app.refusing.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Who asks, as far as the connection tells.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// The client's address, as its proxy tells it if that is trusted.
    pub address: IpAddr,
    /// Whether it came through a proxy whose word counts.
    pub is_proxied: bool,
    /// Whether it spoke TLS to that proxy.
    pub is_secure: bool,
}

/// What a handler wants done.
pub enum Answer {
    /// Answer, and read the next request.
    Respond(Response),
    /// Become a stream.
    Stream(Box<StreamPlan>),
    /// Refuse a stream that cannot be had now.
    Refuse(RefusedForNow),
    /// Hand the connection over whole: to another protocol.
    Upgrade(TakeOver),
}

/// Goes on with a connection in another protocol.
pub type TakeOver = Box<dyn FnOnce(Connection<Socket>) + Send>;

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self::Respond(response)
    }
}

/// How long a connection that is only refused may take for its request.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(2);

/// How long a worker stays with a connection that may have another request right behind the last.
const LINGER: Duration = Duration::from_millis(100);

/// Holds a conversation until it ends, or falls silent, or the connection is more than one.
pub(super) fn hold(app: &Arc<App>, socket: &Socket, mode: Mode) -> Next {
    match mode {
        Mode::Refuse(ticket) => refuse(app, socket, &ticket),
        Mode::Serve(ticket) => {
            ticket.place.begin_conversation(socket.clone());
            // The server may have begun to stop before this connection was listed.
            if app.is_draining() {
                socket.stop_reading();
            }
            converse(app, socket, ticket)
        }
    }
}

/// What becomes of a connection when its worker is done with it.
pub(super) enum Next {
    /// It is over, or a stream with a thread of its own.
    End,
    /// It is silent, and may have another request later.
    Wait(Mode),
    /// Another protocol goes on with it.
    Upgrade(Connection<Socket>, TakeOver, Ticket),
}

fn converse(app: &Arc<App>, socket: &Socket, ticket: Ticket) -> Next {
    let peer = ticket.peer;
    let limits = HttpLimits { keep_alive: LINGER, ..HttpLimits::from(&app.limits) };
    let mut connection = Connection::new(socket.clone(), limits, app.clock.clone());
    loop {
        let request = match connection.next_request() {
            Ok(Some(request)) => request,
            Ok(None) if app.is_draining() || socket.peek() == Prospect::End => return Next::End,
            // A request that has come at this very moment is noticed where it waits.
            Ok(None) => {
                ticket.place.end_conversation();
                return Next::Wait(Mode::Serve(ticket));
            }
            Err(error) => return reject(app, connection, peer.ip(), "-", &error),
        };
        let mut entry = Entry::new(app, Client::of(app, peer, &request), &request);
        let client = entry.client;
        let response = match answer(app, &mut connection, &mut entry) {
            Ok(Answer::Respond(response)) => response,
            Ok(Answer::Refuse(reason)) => return refuse_stream(connection, &entry, reason),
            Ok(Answer::Upgrade(take_over)) => {
                entry.count(StatusCode::SWITCHING_PROTOCOLS);
                return Next::Upgrade(connection, take_over, ticket);
            }
            Ok(Answer::Stream(plan)) => {
                // Off the list before it is a stream: a stop that has not come by now comes too late to
                // shut it for reading, which the hub would take for a client that has hung up.
                ticket.place.end_conversation();
                if app.is_draining() {
                    return refuse_stream(connection, &entry, RefusedForNow::Draining);
                }
                // A connection that is no stream after all keeps its place until its client was told.
                return match ReadyStream::begin(app, socket, request.version, *plan) {
                    Ok(Begun::Ready(ready)) => {
                        entry.count(StatusCode::OK);
                        app.stream_threads.start(app, *ready, ticket);
                        Next::End
                    }
                    Ok(Begun::Over(bytes)) => {
                        entry.answered(StatusCode::OK, bytes.len());
                        connection.close_with_bytes(&bytes);
                        Next::End
                    }
                    Err(reason) => refuse_stream(connection, &entry, reason),
                };
            }
            Err(error) => return reject(app, connection, client.address, request.path(), &error),
        };
        entry.answered(response.status, response.body.as_slice().len());
        if app.is_draining() {
            connection.close_with(&response);
            app.drain.note_request();
            return Next::End;
        }
        if !matches!(connection.respond(&request, &response), Ok(Persistence::KeepAlive)) {
            return Next::End;
        }
    }
}

fn answer(
    app: &Arc<App>,
    connection: &mut Connection<Socket>,
    entry: &mut Entry<'_>,
) -> Result<Answer, RequestError> {
    let (request, client) = (entry.request, entry.client);
    let route = match routes::find(request) {
        Ok(route) => route,
        Err(problem) => return Ok(Response::from(problem).into()),
    };
    entry.route = route.pattern;
    let body = match route.body_bytes(&app.limits) {
        Some(max_bytes) => connection.read_body_within(request, max_bytes)?,
        None => Vec::new(),
    };
    let socket = connection.transport();
    let call = Call { app, request, client, parameters: route.parameters, body, socket };
    Ok((route.handler)(&call).unwrap_or_else(|problem| Response::from(problem).into()))
}

/// Answers what is no request, or the request whose body cannot be read: the connection is over.
fn reject(
    app: &App,
    connection: Connection<Socket>,
    from: IpAddr,
    path: &str,
    error: &RequestError,
) -> Next {
    log::info!(target: "access", address:% = from, path; "not a request: {error}");
    if let Some(response) = error.response() {
        app.traffic.note_rejected(response.status);
    }
    connection.refuse(error);
    Next::End
}

/// Tells a connection beyond the limits so.
fn refuse(app: &Arc<App>, socket: &Socket, ticket: &RefusalTicket) -> Next {
    let limits = HttpLimits {
        head_timeout: REFUSAL_PATIENCE,
        keep_alive: REFUSAL_PATIENCE,
        write_timeout: REFUSAL_PATIENCE,
        ..HttpLimits::from(&app.limits)
    };
    let mut connection = Connection::new(socket.clone(), limits, app.clock.clone());
    match connection.next_request() {
        Ok(Some(request)) => {
            let entry = Entry::new(app, Client::of(app, ticket.peer, &request), &request);
            refuse_stream(connection, &entry, RefusedForNow::Full(ticket.full))
        }
        Ok(None) => Next::End,
        Err(error) => reject(app, connection, ticket.peer.ip(), "-", &error),
    }
}

/// Refuses for now: by an event after which a browser comes back by itself, or by a status.
fn refuse_stream(connection: Connection<Socket>, entry: &Entry<'_>, reason: RefusedForNow) -> Next {
    let (app, request) = (entry.app, entry.request);
    app.traffic.note_refused(reason);
    if app.limits.refuse_streams == RefuseStreams::Event && request.names_event_stream() {
        let bytes = stream::refusal(app, request.version, reason);
        entry.answered(StatusCode::OK, bytes.len());
        connection.close_with_bytes(&bytes);
    } else {
        let response = Response::from(for_now(reason, app.pace.among_many()));
        entry.answered(response.status, response.body.as_slice().len());
        connection.close_with(&response);
    }
    Next::End
}

impl Client {
    fn of(app: &App, peer: SocketAddr, request: &Request) -> Self {
        let trusted = &app.limits.trusted_proxies;
        let is_proxied = address::is_trusted(peer.ip().to_canonical(), trusted);
        let scheme = request.header(&HeaderName::from_static("x-forwarded-proto"));
        Self {
            address: address::client_address(peer.ip(), &request.headers, trusted),
            is_proxied,
            is_secure: is_proxied
                && scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")),
        }
    }
}

/// A refusal for now as a problem, with the time to come back.
fn for_now(reason: RefusedForNow, retry: Duration) -> Problem {
    let unavailable = |detail| Problem::unavailable(retry).detail(detail);
    let problem = match reason {
        RefusedForNow::Full(Full::Address) => Problem::too_many_requests(retry)
            .detail("this address holds as many connections as it may"),
        RefusedForNow::Full(Full::Server) => {
            unavailable("the server holds as many connections as it may")
        }
        RefusedForNow::Overloaded => unavailable("the server is behind or out of resources"),
        RefusedForNow::Draining => unavailable("the server is stopping"),
    };
    Problem { code: reason.as_str(), ..problem }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::thread;

    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::hub::{self, Hub};
    use crate::publish::batches::Batches;
    use crate::publish::jobs::Jobs;
    use crate::publish::queues::Queues;
    use crate::publish::{self, Publisher};
    use crate::serve::{self, Limits, listener};
    use crate::shutdown::Shutdown;

    /// What a server shares, with the usual limits.
    pub(in crate::serve) fn app(clock: Arc<dyn Clock>) -> Arc<App> {
        let limits = publish::Limits::default();
        let hub = Hub::start(hub::Limits::default(), clock.clone()).unwrap();
        let publisher = Publisher::new(hub.clone(), None, &limits, clock.clone());
        let jobs = Jobs::in_memory(publisher.clone(), clock.clone()).unwrap();
        let queues = Queues::in_memory(&jobs, &publisher, clock.clone()).unwrap();
        let batches = Batches::in_memory(&jobs, &queues, &publisher, clock.clone()).unwrap();
        Arc::new(
            App::new(hub, publisher, (jobs, queues, batches), Limits::default(), limits, clock)
                .unwrap(),
        )
    }

    /// A handler that goes on in a protocol of its own: it sends back what it is sent.
    pub(in crate::serve) fn upgrade(_: &Call<'_>) -> Result<Answer, Problem> {
        Ok(Answer::Upgrade(Box::new(|connection| {
            let (mut socket, read_already) = connection.into_parts();
            socket.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").unwrap();
            socket.write_all(&read_already).unwrap();
            let mut rest = Vec::new();
            socket.read_to_end(&mut rest).unwrap();
            socket.write_all(&rest).unwrap();
        })))
    }

    /// Serves on a port of its own while `visit` talks to it as a client, and then stops.
    pub(in crate::serve) fn with_client(visit: impl FnOnce(TcpStream)) {
        let app = app(Arc::new(SystemClock));
        let listener = listener::bind(([127, 0, 0, 1], 0).into(), 16).unwrap();
        let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::new());
        let stop = shutdown.clone();
        let server = thread::spawn(move || serve::run(&listener, &app, &stop).unwrap());
        visit(TcpStream::connect(address).unwrap());
        shutdown.trigger();
        server.join().unwrap();
    }

    #[test]
    fn a_connection_is_handed_over_whole_to_another_protocol() {
        with_client(|mut client| {
            client.write_all(b"GET /upgrade HTTP/1.1\r\nHost: t\r\n\r\nfirst words,").unwrap();
            client.write_all(b" last words").unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
            assert!(answer.ends_with("\r\n\r\nfirst words, last words"), "{answer}");
        });
    }
}
