//! The keys of a section `[queue.NAME]`, once: name, kind and range, field, and what it does.

use super::Draft;
use crate::publish::queues::config::{BUILT_IN, BackoffKind};
use crate::settings::setting::Place::{
    Bytes, Choice as OneOf, CommandLine, Count, Folder, Milliseconds, Seconds, Times, Word,
};
use crate::settings::setting::{Choice, Key};

const MILLION: u64 = 1_000_000;
const GIBIBYTE: u64 = 1 << 30;
const A_WEEK: u64 = 604_800;
const A_DAY_MS: u64 = 86_400_000;

/// What does the jobs, one of the two.
pub(super) static COMMAND: Key<Draft> = Key::new(
    "command",
    CommandLine(|d| &mut d.command),
    "The program that does the jobs, and its arguments; it is started for each attempt",
);

/// The other.
pub(super) static PROCESSOR: Key<Draft> = Key::new(
    "processor",
    Word(&BUILT_IN, |d| &mut d.processor),
    "The built-in processor that does the jobs, instead of a command",
);

/// What every queue can be told.
pub(super) static OF_ALL: &[Key<Draft>] = &[
    Key::new(
        "concurrency",
        Count(1..=1024, |d| &mut d.config.concurrency),
        "How many jobs may be under way at the same time",
    ),
    Key::new(
        "timeout_seconds",
        Seconds(0..=A_WEEK, |d| &mut d.config.timeout),
        "How long one attempt may take; 0 is no limit",
    ),
    Key::new(
        "attempts",
        Times(1..=1000, |d| &mut d.config.attempts),
        "How often a job is tried before it has failed, if the job says nothing else",
    ),
    Key::new(
        "backoff",
        OneOf(&[
            Choice {
                word: "fixed",
                choose: |d| d.config.backoff.kind = BackoffKind::Fixed,
                is_chosen: |d| d.config.backoff.kind == BackoffKind::Fixed,
            },
            Choice {
                word: "exponential",
                choose: |d| d.config.backoff.kind = BackoffKind::Exponential,
                is_chosen: |d| d.config.backoff.kind == BackoffKind::Exponential,
            },
        ]),
        "Whether the pauses between attempts are all the same, or each is twice the last one",
    ),
    Key::new(
        "backoff_ms",
        Milliseconds(0..=A_DAY_MS, |d| &mut d.config.backoff.first),
        "The first pause; 0 is none",
    ),
    Key::new(
        "rate_limit_jobs",
        Count(0..=MILLION, |d| &mut d.config.rate_limit.jobs),
        "How many jobs may begin in rate_limit_seconds; 0 is no limit",
    ),
    Key::new(
        "rate_limit_seconds",
        Seconds(1..=A_WEEK, |d| &mut d.config.rate_limit.period),
        "The time for which rate_limit_jobs counts",
    ),
    Key::new(
        "max_waiting_jobs",
        Count(0..=100 * MILLION, |d| &mut d.config.max_waiting_jobs),
        "How many jobs may wait; more are refused; 0 is no limit",
    ),
];

/// What only a queue with a command can be told.
pub(super) static OF_COMMANDS: &[Key<Draft>] = &[
    Key::new(
        "working_directory",
        Folder(|d| &mut d.working_directory),
        "Where the command works, relative to the settings file's directory; empty is that directory",
    ),
    Key::new(
        "max_output_bytes",
        Bytes(0..=1024 * GIBIBYTE, |d| &mut d.limits.output_bytes),
        "Standard output in one attempt, beyond which it has failed; 0 is no limit",
    ),
    Key::new(
        "max_line_bytes",
        Bytes(64..=GIBIBYTE, |d| &mut d.limits.line_bytes),
        "One line of standard output, beyond which the attempt has failed",
    ),
    Key::new(
        "max_error_bytes",
        Bytes(0..=GIBIBYTE / 1024, |d| &mut d.limits.error_bytes),
        "How much of the end of standard error is kept to say why an attempt failed; 0 is nothing",
    ),
    Key::new(
        "kill_grace_ms",
        Milliseconds(0..=A_DAY_MS, |d| &mut d.limits.kill_grace),
        "How long a command that is stopped has between SIGTERM and SIGKILL; 0 is not at all",
    ),
];

/// The one key that is a table: variables for the command, each with a text.
pub(super) const ENVIRONMENT: &str = "environment";
