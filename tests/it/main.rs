//! Tidings from outside: the library's public face and the built program. One binary, a line per module.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends by panicking; clippy knows that of test functions, not of their helpers"
)]

mod batches;
mod command_line;
mod commands;
mod crash;
mod disk;
mod events;
mod fanout;
mod faults;
mod fleet;
mod handover;
mod hostile;
mod jobs;
mod limits;
mod metrics;
mod nginx;
mod openapi;
mod pubsub;
mod quality;
mod queues;
mod record;
mod rolling;
mod settings;
#[path = "../access/signer.rs"]
mod signer;
mod slow;
mod stop;
mod subscriptions;
mod summaries;
mod support;
mod tidy;
mod videos;
