//! What those who make jobs and report on them are told.

use super::report::Conflict;
use crate::event::InvalidEvent;
use crate::event::job_update::{JobStatus, JobUpdate};
use crate::event::topic::Identifier;

/// A job was made, or had been made by an earlier request with the same key.
#[derive(Debug, Clone)]
pub struct Created {
    /// How it is.
    pub present: JobUpdate,
    /// It was there already.
    pub is_repeat: bool,
    /// Whether it is on disk; a sentence if that is not known.
    pub stored: Result<(), String>,
}

/// What a report came to.
#[derive(Debug, Clone)]
pub struct Updated {
    /// The job's state after it.
    pub present: JobUpdate,
    /// The report had been made before.
    pub is_repeat: bool,
    /// Whether it is on disk; a sentence if that is not known.
    pub stored: Result<(), String>,
}

/// Why a job was not made. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// There is a job with this id.
    #[error("there is a job {0} already")]
    Exists(Identifier),
    /// The key was used for another job.
    #[error("this key was used for another job; a new job needs a new key")]
    KeyReused,
    /// It cannot be told as an event.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
    /// So many jobs have not ended; later there will be room.
    #[error("{0} jobs have not ended, and no more are taken")]
    Full(usize),
    /// The jobs that have not ended take as many bytes as they may; later there will be room.
    #[error(
        "with this one, the jobs that have not ended would take more than {0} bytes; no more are taken"
    )]
    Heavy(usize),
    /// The disk is behind; later it will have room.
    #[error("the server is behind with writing; try again in a moment")]
    Busy,
}

/// Why a report was not taken. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum UpdateError {
    /// There is no such job.
    #[error("there is no job with this id")]
    Unknown,
    /// The job's state does not allow it.
    #[error("{conflict}")]
    Conflict {
        /// Why not.
        conflict: Conflict,
        /// How the job is.
        present: Box<JobUpdate>,
    },
    /// It cannot be told as an event.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
    /// The disk is behind; later it will have room.
    #[error("the server is behind with writing; try again in a moment")]
    Busy,
}

/// Why a job was not taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RemoveError {
    /// There is no such job.
    #[error("there is no job with this id")]
    Unknown,
    /// It has not ended; it can be cancelled first.
    #[error("the job has not ended; cancel it first")]
    Open(JobStatus),
}
