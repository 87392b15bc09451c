//! How a queue works: what the section `[queue.NAME]` of the settings file says, and the defaults.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::topic::Identifier;

/// The built-in processors, by the word that stands for each in the settings.
pub const BUILT_IN: [&str; 2] = ["summarize", "resume-analysis"];

/// The variables that say to a command which job it has, set for each; a section cannot set them.
pub const JOB_VARIABLES: [&str; 3] = ["TIDINGS_JOB_ID", "TIDINGS_QUEUE", "TIDINGS_ATTEMPT"];

/// How one queue works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueConfig {
    /// Its name.
    pub name: Identifier,
    /// Who does its jobs.
    pub processor: ProcessorChoice,
    /// How many of its jobs may be under way at the same time in this process. Default 1.
    pub concurrency: usize,
    /// How long one attempt may take. Default 10 minutes; zero: no limit.
    pub timeout: Duration,
    /// How often a job is tried before it has failed, if the job says nothing else. Default 3.
    pub attempts: u32,
    /// The pause before another attempt, if the job says nothing else.
    pub backoff: Backoff,
    /// How many jobs may begin in a while.
    pub rate_limit: RateLimit,
    /// How many jobs may wait; more are refused. Default 10,000; zero: no limit.
    pub max_waiting_jobs: usize,
}

impl QueueConfig {
    /// A queue of this name with every default, whose jobs are done outside this process.
    pub fn named(name: Identifier) -> Self {
        Self {
            name,
            processor: ProcessorChoice::Outside,
            concurrency: 1,
            timeout: Duration::from_secs(600),
            attempts: 3,
            backoff: Backoff::default(),
            rate_limit: RateLimit::default(),
            max_waiting_jobs: 10_000,
        }
    }
}

/// Who does a queue's jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ProcessorChoice {
    /// Nobody in this process: workers elsewhere take them.
    #[default]
    Outside,
    /// Code of ours, by its word: one of [`BUILT_IN`].
    BuiltIn(String),
    /// A program that is started for each attempt.
    Command(CommandConfig),
}

/// The pause between two attempts at a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// Whether it grows.
    pub kind: BackoffKind,
    /// The first pause. Default 1 s; zero: none.
    pub first: Duration,
}

/// Whether the pauses between attempts grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackoffKind {
    /// They are all the same.
    Fixed,
    /// Each is twice the last one, up to a day.
    Exponential,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { kind: BackoffKind::Exponential, first: Duration::from_secs(1) }
    }
}

impl Backoff {
    /// However often it is doubled, a pause is not made longer than this.
    const LONGEST: Duration = Duration::from_secs(86_400);

    /// The pause after attempt number `attempt`, counted from 1, has failed.
    pub fn after(self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1);
        match self.kind {
            BackoffKind::Fixed => self.first,
            BackoffKind::Exponential => {
                let times = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
                // A first pause that is longer was meant so.
                self.first.saturating_mul(times).min(Self::LONGEST.max(self.first))
            }
        }
    }
}

/// How many of a queue's jobs may begin in a while, counted over all attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// So many. Default 0: no limit.
    pub jobs: usize,
    /// In so long. Default 1 s.
    pub period: Duration,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { jobs: 0, period: Duration::from_secs(1) }
    }
}

/// A program that does jobs, and in what surroundings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandConfig {
    /// The program: a name that is looked up in the environment's `PATH`, or a path, relative to the
    /// working directory.
    pub program: String,
    /// What it is given, as it stands; no shell looks at it.
    pub arguments: Vec<String>,
    /// Where it works.
    pub working_directory: PathBuf,
    /// All that is in its environment, except what says which job it has.
    pub environment: Environment,
    /// What it may do before it is stopped.
    pub limits: CommandLimits,
}

/// What a command may do before it is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandLimits {
    /// Bytes on its standard output in one attempt; more, and the attempt has failed. Default 16 MiB;
    /// zero: no limit.
    pub output_bytes: usize,
    /// Bytes in one line of it; more, and the attempt has failed. Default 256 KiB.
    pub line_bytes: usize,
    /// Bytes of its standard error that are kept for the failure, the last ones. Default 4 KiB.
    pub error_bytes: usize,
    /// How long it has to end between SIGTERM and SIGKILL. Default 5 s; zero: not at all.
    pub kill_grace: Duration,
}

impl Default for CommandLimits {
    fn default() -> Self {
        Self {
            output_bytes: 16 << 20,
            line_bytes: 256 << 10,
            error_bytes: 4 << 10,
            kill_grace: Duration::from_secs(5),
        }
    }
}

/// Variables for a command. What is printed of them is their names: the values may be secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<OsString, OsString>);

/// No operating system takes a variable with such a name or value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a variable's name may not be empty or contain = or NUL, its value no NUL")]
pub struct InvalidVariable;

impl Environment {
    /// Sets a variable; the last value counts.
    pub fn set(
        &mut self,
        name: impl AsRef<OsStr>,
        value: impl AsRef<OsStr>,
    ) -> Result<(), InvalidVariable> {
        let (name, value) = (name.as_ref(), value.as_ref());
        let is_clean = |text: &OsStr, unwanted: &[u8]| {
            !text.as_bytes().iter().any(|byte| unwanted.contains(byte))
        };
        if name.is_empty() || !is_clean(name, b"=\0") || !is_clean(value, b"\0") {
            return Err(InvalidVariable);
        }
        self.0.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &OsStr> {
        self.0.keys().map(OsString::as_os_str)
    }

    /// The variables, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_stay_or_double_up_to_a_day() {
        let check = |kind, first_ms, attempt, expected_ms| {
            let backoff = Backoff { kind, first: Duration::from_millis(first_ms) };
            assert_eq!(backoff.after(attempt), Duration::from_millis(expected_ms), "{attempt}");
        };
        check(BackoffKind::Fixed, 1000, 1, 1000);
        check(BackoffKind::Fixed, 1000, 9, 1000);
        check(BackoffKind::Exponential, 1000, 1, 1000);
        check(BackoffKind::Exponential, 1000, 2, 2000);
        check(BackoffKind::Exponential, 1000, 5, 16_000);
        check(BackoffKind::Exponential, 1000, 40, 86_400_000);
        check(BackoffKind::Exponential, 1000, u32::MAX, 86_400_000);
        check(BackoffKind::Exponential, 0, u32::MAX, 0);
        check(BackoffKind::Exponential, 90_000_000, 3, 90_000_000);
    }

    #[test]
    fn a_variables_value_is_not_printed() {
        let mut environment = Environment::default();
        environment.set("API_KEY", "hunter2").unwrap();
        assert_eq!(format!("{environment:?}"), "{\"API_KEY\"}");
    }

    #[test]
    fn what_no_system_takes_is_refused() {
        let mut environment = Environment::default();
        for (name, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0y")] {
            assert_eq!(environment.set(name, value), Err(InvalidVariable), "{name:?}");
        }
        environment.set("A", "").unwrap();
        assert_eq!(environment.iter().collect::<Vec<_>>(), [("A".as_ref(), "".as_ref())]);
    }
}
