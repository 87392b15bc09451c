//! Bytes to requests, responses to bytes, over anything that reads and writes.
//!
//! Follows RFC 9112 strictly: where it lets a server guess what a doubtful message means, this one
//! refuses, because two programs that guess differently are how requests get smuggled past a
//! proxy. Knows no routes and no TCP. The way of a request:
//! [`connection`] reads, [`head`] and [`target`] understand, [`framing`] and [`chunked`] find the
//! body's end, [`request`] is what a handler sees, [`response`] is what it answers.

// Requests in, responses out, one after the other.
pub mod connection;

// Why there is no request, and what the client is told.
pub mod error;

// What a request is for a handler.
pub mod request;

// What a handler answers.
pub mod response;

// A request's first lines, from bytes.
pub mod head;

// What a request is aimed at: path and query.
pub mod target;

// Where a body ends.
pub mod framing;

// Bodies that come in chunks.
pub mod chunked;

// What a client prefers: lists with weights.
pub mod preference;

// Bytes that were read and not yet used.
pub mod buffer;

// What a connection runs over.
pub mod transport;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use connection::{Connection, Persistence};
pub use error::RequestError;
pub use framing::Framing;
pub use request::{Request, Version};
pub use response::{Body, Response};
pub use transport::Transport;

/// What one connection may cost; a zero means "no limit".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The size of a request's head, in bytes.
    pub head_bytes: usize,
    /// How long a head may take to arrive, counted from its first byte.
    pub head_timeout: Duration,
    /// The size of a request's body, in bytes, without what its framing adds.
    pub body_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long a connection may stay silent before a request.
    pub keep_alive: Duration,
    /// How long one write may make no progress.
    pub write_timeout: Duration,
}

impl From<&super::Limits> for Limits {
    fn from(limits: &super::Limits) -> Self {
        Self {
            head_bytes: limits.head_bytes,
            head_timeout: limits.head_timeout,
            body_bytes: limits.body_bytes,
            body_timeout: limits.body_timeout,
            keep_alive: limits.keep_alive,
            write_timeout: limits.write_timeout,
        }
    }
}

/// A size limit as a number to compare with.
fn at_most(bytes: usize) -> usize {
    if bytes == 0 { usize::MAX } else { bytes }
}

/// A time limit as an argument for a socket.
fn unless_zero(time: Duration) -> Option<Duration> {
    (!time.is_zero()).then_some(time)
}
