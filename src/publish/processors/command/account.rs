//! What a command has said so far, and what it comes to when it is over.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;
use signal_hook::low_level::signal_name;

use super::line::Said;
use crate::publish::queues::processor::{Failure, Progress, Task};

/// Exit codes that say that the job itself is wrong, by the old convention of sysexits.h: `EX_USAGE` and
/// `EX_DATAERR`. The others of that list may be better next time.
const FOR_GOOD: [i32; 2] = [64, 65];

/// Why an attempt is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The process has ended by itself.
    Itself,
    /// Nobody wants the result any more.
    Cancelled,
    /// It took longer than this.
    TimedOut(Duration),
    /// It wrote more than it may.
    TooMuch {
        /// In all or in one line.
        what: &'static str,
        /// The setting that says so.
        setting: &'static str,
        /// Its value.
        max: usize,
    },
}

/// What was said so far.
#[derive(Debug)]
pub(super) struct Account<'a> {
    task: &'a Task,
    percent: f64,
    result: Option<Value>,
    error: Option<String>,
    is_retryable: Option<bool>,
    is_odd: bool,
}

impl<'a> Account<'a> {
    pub(super) fn new(task: &'a Task) -> Self {
        Self { task, percent: 0.0, result: None, error: None, is_retryable: None, is_odd: false }
    }

    /// Adds what a line says; returns what of it the watchers are told.
    pub(super) fn take(&mut self, said: Said) -> Option<Progress> {
        self.result = said.result.or(self.result.take());
        self.error = said.error.or(self.error.take());
        self.is_retryable = said.is_retryable.or(self.is_retryable);
        if let Some(oddity) = said.oddity.filter(|_| !self.is_odd) {
            // Once: what writes one such line writes a thousand.
            self.is_odd = true;
            let (queue, job) = (self.task.queue_name.as_str(), self.task.job_id.as_str());
            log::warn!(queue, job; "a command's line is not understood: {oddity}");
        }
        let percent = said.progress.percent.and_then(|percent| self.forward(percent));
        let progress = Progress { percent, ..said.progress };
        (progress != Progress::default()).then_some(progress)
    }

    /// Within its bounds and never back: what goes back says nothing.
    fn forward(&mut self, percent: f64) -> Option<f64> {
        let percent = percent.clamp(0.0, 100.0);
        if percent < self.percent {
            return None;
        }
        self.percent = percent;
        Some(percent)
    }

    /// What the attempt comes to.
    pub(super) fn verdict(
        self,
        end: &End,
        status: Option<ExitStatus>,
        errors: &str,
    ) -> Result<Value, Failure> {
        let code = status.and_then(|status| status.code());
        let message = match end {
            End::Itself if code == Some(0) && self.error.is_none() => {
                return Ok(self.result.unwrap_or_default());
            }
            End::Itself => match self.error {
                Some(error) => error,
                None => with_errors(ending(status), errors),
            },
            End::Cancelled => "the job was cancelled".to_owned(),
            End::TimedOut(timeout) => {
                let limit = timeout.as_secs_f64();
                with_errors(format!("the command took longer than {limit} seconds"), errors)
            }
            End::TooMuch { what, setting, max } => {
                let much = format!("more than {max} bytes {what} ({setting})");
                return Err(Failure::for_good(format!("the command wrote {much}")));
            }
        };
        let by_code = *end != End::Itself || !code.is_some_and(|code| FOR_GOOD.contains(&code));
        Err(Failure::new(message, self.is_retryable.unwrap_or(by_code)))
    }
}

fn ending(status: Option<ExitStatus>) -> String {
    let code = status.and_then(|status| status.code());
    let signal = status.and_then(|status| status.signal());
    match (code, signal) {
        (Some(code), _) => format!("the command ended with exit code {code}"),
        (None, Some(signal)) => {
            let name = signal_name(signal).map(|name| format!(" ({name})")).unwrap_or_default();
            format!("the command was ended by signal {signal}{name}")
        }
        (None, None) => "nobody knows how the command ended".to_owned(),
    }
}

fn with_errors(what: String, errors: &str) -> String {
    if errors.is_empty() { what } else { format!("{what}: {errors}") }
}
