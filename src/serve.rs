//! How events leave: accept, limits, one named thread per connection.
//!
//! `reception` accepts from the [`listener`], [`admission`] counts, `workers` has the threads. A [`conversation`] reads
//! requests and hands each to the [`routes`]. A request that a door turns into a [`stream`] ends the
//! conversation, and the stream gets a thread of its own.

// The listening socket, and what is done when it fails.
pub mod listener;

// Where connections wait that have nothing to say.
mod reception;

// Who may hold a connection.
pub mod admission;

// The threads that read requests, and those that serve streams.
mod workers;

// Requests in, answers out, one after the other.
pub mod conversation;

// Bytes to requests, responses to bytes, over anything that reads and writes.
pub mod http;

// Who is at the other end, behind proxies or not.
pub mod address;

// The table: method and path to function.
pub mod routes;

// One door for each family of clients.
pub mod doors;

// A request on its way to its answer, for the log and the figures.
mod entry;

// Requests and refusals, counted.
mod traffic;

// Files and pages, with everything a cache wants to know.
pub mod assets;

// How the server says no.
pub mod problem;

// The connection's thread once it is a stream.
pub mod stream;

// When clients come back that were sent away.
mod pace;

// The end of a server, and the report on it.
mod drain;

// A TCP connection, shared by those who write it.
pub mod socket;

// What goes wrong on purpose, for those who try how their front end bears it.
pub mod faults;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use self::admission::Admission;
use self::doors::EventTypes;
use self::doors::pages::Pages;
use self::drain::Drain;
use self::faults::Faults;
use self::pace::Pace;
use self::reception::Reception;
use self::traffic::Traffic;
use self::workers::{StreamThreads, Workers};
use crate::access::oidc::Oidc;
use crate::clock::Clock;
use crate::hub::Hub;
use crate::publish::Publisher;
use crate::publish::batches::Batches;
use crate::publish::jobs::Jobs;
use crate::publish::pubsub::{self, Pubsub};
use crate::publish::queues::Queues;
use crate::publish::summarizer::Summarizer;
use crate::shutdown::Shutdown;
use crate::store::Store;

/// Everything a request's handler may need.
#[derive(Debug)]
pub struct App {
    /// Who gets events.
    pub hub: Hub,
    /// The one door by which events enter the hub.
    pub publisher: Publisher,
    /// What becomes of jobs, and who is told.
    pub jobs: Jobs,
    /// Jobs that wait for somebody to do them.
    pub queues: Queues,
    /// Many of them, looked at as one.
    pub batches: Batches,
    /// What outlives the process; none if everything is in memory only.
    pub store: Option<Store>,
    /// Who makes summaries; none if they are off.
    pub summarizer: Option<Summarizer>,
    /// What Pub/Sub pushes.
    pub pubsub: Pubsub,
    /// Who may push it; none if everyone may.
    pub pushers: Option<Oidc>,
    /// The limits in force.
    pub limits: Limits,
    /// What may be published.
    pub publish_limits: crate::publish::Limits,
    /// The event types there are.
    pub event_types: EventTypes,
    /// What is embedded in the program.
    pub pages: Pages,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// When the server started.
    pub started: Instant,
    /// When the server started: milliseconds since 1970-01-01 UTC.
    pub started_ms: u64,
    /// What goes wrong on purpose; none if that is off.
    pub faults: Option<Faults>,
    /// The open connections.
    pub admission: Admission,
    /// Those of them that wait for a request.
    reception: Reception,
    /// Starts the threads of those that are streams.
    stream_threads: StreamThreads,
    /// When clients come back.
    pace: Pace,
    /// Once it has begun: no new streams, and no request after the present one.
    drain: Drain,
    /// Connections beyond the limit that are being told so.
    refusing: AtomicUsize,
    /// What was asked, and what was refused.
    traffic: Traffic,
}

impl App {
    /// What a server with these parts shares; it makes no summaries until `summarizer` is set, and takes
    /// every push until `pubsub` and `pushers` are.
    pub fn new(
        hub: Hub,
        publisher: Publisher,
        (jobs, queues, batches): (Jobs, Queues, Batches),
        limits: Limits,
        publish_limits: crate::publish::Limits,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        Ok(Self {
            hub,
            publisher,
            jobs,
            queues,
            batches,
            store: None,
            summarizer: None,
            pubsub: Pubsub::new(pubsub::Limits::default(), clock.clone()),
            pushers: None,
            event_types: EventTypes::new(&publish_limits.event_types),
            pages: Pages::load(limits.faults),
            faults: limits.faults.then(|| Faults::new(clock.clone())),
            admission: Admission::new(limits.max_connections, limits.max_connections_per_address),
            reception: Reception::new()?,
            stream_threads: StreamThreads::new()?,
            pace: Pace::new(limits.retry, limits.drain),
            drain: Drain::default(),
            limits,
            publish_limits,
            started: clock.now(),
            started_ms: clock.unix_ms(),
            clock,
            refusing: AtomicUsize::new(0),
            traffic: Traffic::new(),
        })
    }

    /// Whether the server is stopping.
    pub fn is_draining(&self) -> bool {
        self.drain.has_begun()
    }
}

/// Accepts and serves connections until `shutdown` is given, then ends them: streams are told and
/// closed cleanly, requests under way are answered. Returns within the stop timeout.
pub fn run(listener: &TcpListener, app: &Arc<App>, shutdown: &Shutdown) -> io::Result<()> {
    if app.faults.is_some() {
        log::warn!(
            "faults are on: whoever reaches this server can break its streams at /events/faults"
        );
    }
    let mut workers = Workers::new();
    reception::run(app, listener, &mut workers, shutdown)?;
    drain::drain(app, workers);
    Ok(())
}

/// The server's limits; `0` (or a zero duration) means off.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open connections in all.
    pub max_connections: usize,
    /// Open connections of one client address.
    pub max_connections_per_address: usize,
    /// The size of a request's head, in bytes.
    pub head_bytes: usize,
    /// How long a request's head may take to arrive.
    pub head_timeout: Duration,
    /// The size of a request's body, in bytes.
    pub body_bytes: usize,
    /// The size of a request's body with transcripts, in bytes: as JSON, which can take twice or
    /// three times the transcripts' own bytes.
    pub transcripts_body_bytes: usize,
    /// The size of a request's body with many jobs, in bytes.
    pub bulk_body_bytes: usize,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// How long a connection may wait for its next request.
    pub keep_alive: Duration,
    /// How long writing an answer may make no progress.
    pub write_timeout: Duration,
    /// The stack of a connection's thread, in bytes; only what is used takes memory.
    pub thread_stack_bytes: usize,
    /// How long a stop may take.
    pub stop_timeout: Duration,
    /// Over how long clients come back that were sent away together, by a stop or by overload.
    pub drain: Duration,
    /// Connections that wait in the kernel to be accepted.
    pub listen_backlog: i32,
    /// Proxies whose word on the client's address counts.
    pub trusted_proxies: Vec<IpNet>,
    /// How many jobs, queues and workers one stream may be subscribed to.
    pub subscriptions_per_stream: usize,
    /// How a stream that cannot be had now is refused.
    pub refuse_streams: RefuseStreams,
    /// How long a client waits before it reconnects; each is told up to half more, by chance.
    pub retry: Duration,
    /// Whether streams can be broken on purpose, by anyone: for development.
    pub faults: bool,
}

/// How a stream that cannot be had now is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefuseStreams {
    /// By an event, with status 200: a browser's EventSource then comes back by itself.
    Event,
    /// By status 429 or 503: a browser's EventSource then gives up for good.
    Status,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            max_connections_per_address: 200,
            head_bytes: 16 << 10,
            head_timeout: Duration::from_secs(10),
            body_bytes: 1 << 20,
            transcripts_body_bytes: 16 << 20,
            bulk_body_bytes: 16 << 20,
            body_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            thread_stack_bytes: 256 << 10,
            stop_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(10),
            listen_backlog: 4_096,
            trusted_proxies: Vec::new(),
            subscriptions_per_stream: 1_000,
            refuse_streams: RefuseStreams::Event,
            retry: Duration::from_secs(2),
            faults: false,
        }
    }
}
