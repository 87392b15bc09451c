//! The other end of the wire: a client of the HTTP API, for the commands that use a running server.
//!
//! [`follower`] follows a stream as a browser does; [`listen`] shows what it brings, [`record`] puts it into
//! a [`recording`], and [`replay`] publishes one; [`publish`] publishes one event, [`summarize`] has talks summarized. Nothing here knows the server but by its addresses.

// A stream followed across its connections: resume, backoff.
pub mod follower;

// Requests, their addresses, and why they fail.
pub mod http;

// A stream in a file: one JSON object to a line.
pub mod recording;

// A stream into a recording.
pub mod record;

// A stream on the terminal.
pub mod listen;

// An event to a server.
pub mod publish;

// Talks to a server, and their summaries.
pub mod summarize;

// Texts of others where a terminal would obey them.
mod terminal;

// A recording to a server.
pub mod replay;

use std::io;

/// Why a command of the client failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is no answer, or it is not one to go on with.
    #[error("{url}: {why}")]
    Server {
        /// What was asked.
        url: String,
        /// What became of it.
        why: String,
    },
    /// A file cannot be opened, read or written.
    #[error("{name}: {source}")]
    File {
        /// As it was named.
        name: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// A line of the recording is not what it should be, or cannot be replayed.
    #[error("{name}, line {line}: {why}")]
    Line {
        /// The recording, as it was named.
        name: String,
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// What was given is not what it should be.
    #[error("{0}")]
    Input(String),
    /// A replay was stopped before its end.
    #[error("stopped after {done} of {all} events")]
    Stopped {
        /// Published.
        done: usize,
        /// In the recording.
        all: usize,
    },
}

/// A request to `url` came to nothing.
fn failed(url: &str, why: String) -> Failure {
    Failure::Server { url: url.to_owned(), why }
}
