//! How events leave. (Being written.)

/// Bytes to requests, responses to bytes, over anything that reads and writes.
pub mod http;

/// How the server says no.
pub mod problem;

/// Files and pages, with everything a cache wants to know.
pub mod assets;

/// Who is at the other end, behind proxies or not.
pub mod address;

use std::time::Duration;

use ipnet::IpNet;

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
    /// Connections that wait in the kernel to be accepted.
    pub listen_backlog: i32,
    /// Proxies whose word on the client's address counts.
    pub trusted_proxies: Vec<IpNet>,
    /// How a stream that cannot be had now is refused.
    pub refuse_streams: RefuseStreams,
    /// How long a client waits before it reconnects; each is told up to half more, by chance.
    pub retry: Duration,
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
            body_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            thread_stack_bytes: 256 << 10,
            stop_timeout: Duration::from_secs(10),
            listen_backlog: 4_096,
            trusted_proxies: Vec::new(),
            refuse_streams: RefuseStreams::Event,
            retry: Duration::from_secs(2),
        }
    }
}
