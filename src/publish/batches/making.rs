//! How a batch is made: of jobs that are there and of new ones, all or none.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Batches;
use super::batch::{Batch, State};
use super::keeper::Shared;
use super::tally::{Member, Weight};
use crate::event::RequestKey;
use crate::event::batch_update::BatchUpdate;
use crate::event::topic::Identifier;
use crate::publish::jobs::{CreateError, Created, fresh_id, hexadecimal, key_id};
use crate::publish::queues::{AddError, NewWork};

/// A batch that is to be.
#[derive(Debug, Clone, Default)]
pub struct NewBatch {
    /// Its id, if its maker chose one that nobody else has.
    pub id: Option<Identifier>,
    /// What its maker calls it.
    pub title: Option<String>,
    /// Its jobs.
    pub jobs: Vec<NewMember>,
    /// By what its maker will name the request when it tries again.
    pub request: Option<RequestKey>,
}

/// A job of a batch that is to be.
#[derive(Debug, Clone)]
pub struct NewMember {
    /// How much it counts.
    pub weight: Weight,
    /// The job.
    pub work: Work,
}

/// Where a batch's job comes from.
#[derive(Debug, Clone)]
pub enum Work {
    /// It is there.
    Existing(Identifier),
    /// It is made with the batch.
    New(Box<NewWork>),
}

/// A batch was made, or had been made by an earlier request with the same key.
#[derive(Debug, Clone)]
pub struct Made {
    /// How it is.
    pub present: BatchUpdate,
    /// Its jobs, in their maker's order.
    pub jobs: Vec<Identifier>,
    /// It was there already.
    pub is_repeat: bool,
    /// Whether it is on disk; a sentence if that is not known.
    pub stored: Result<(), String>,
}

/// Why a batch was not made. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MakeError {
    /// It has no jobs.
    #[error("a batch has at least one job")]
    Empty,
    /// It has more jobs than a batch may have.
    #[error("{0} jobs are more than the {1} that a batch may have")]
    TooManyJobs(usize, usize),
    /// Batches that have not ended have as many jobs as they may have together; later there will be room.
    #[error("the batches that have not ended have too many jobs together")]
    Full,
    /// The key was used for another batch.
    #[error("this key was used for another batch; a new batch needs a new key")]
    KeyReused,
    /// A job that should be there is not: its place in the request.
    #[error("there is no job {1}")]
    NoSuchJob(usize, Identifier),
    /// A job is named twice: its second place in the request.
    #[error("the job {1} is in the batch already")]
    Twice(usize, Identifier),
    /// The new jobs cannot be made.
    #[error(transparent)]
    Add(#[from] AddError),
}

impl Batches {
    /// Makes a batch and the new jobs in it, all or none, and waits until they are on disk.
    pub fn make(&self, new: NewBatch) -> Result<Made, MakeError> {
        let shared = &self.0;
        let making = shared.making.lock();
        let (batch, is_repeat) = match shared.made_before(new.request.as_ref())? {
            Some(batch) => (batch, true),
            None => (shared.make(new)?, false),
        };
        drop(making);
        // Those of an earlier request may still be on their way.
        let stored = shared.jobs.await_all_written();
        let state = batch.state.lock();
        let present = batch.roll_up(&state, shared.clock.now());
        let jobs = state.members.iter().map(|member| member.job.clone()).collect();
        Ok(Made { present, jobs, is_repeat, stored })
    }
}

impl Shared {
    /// The batch that an earlier request with this key has made.
    fn made_before(&self, request: Option<&RequestKey>) -> Result<Option<Arc<Batch>>, MakeError> {
        let Some(request) = request else { return Ok(None) };
        let found = self.table.lock().find(&batch_id(request)).cloned();
        let is_other = |batch: &Arc<Batch>| {
            batch.request_digest.as_deref() != Some(hexadecimal(&request.digest).as_str())
        };
        if found.as_ref().is_some_and(is_other) { Err(MakeError::KeyReused) } else { Ok(found) }
    }

    fn make(&self, mut new: NewBatch) -> Result<Arc<Batch>, MakeError> {
        self.check_size(new.jobs.len())?;
        if let Some(request) = &new.request {
            name_jobs(&mut new.jobs, request);
        }
        let now_ms = self.clock.unix_ms();
        let members = choose_members(&mut new.jobs, now_ms)?;
        let batch = Arc::new(Batch {
            number: self.table.lock().take_number(),
            id: match (new.id, &new.request) {
                (Some(id), _) => id,
                (None, Some(request)) => batch_id(request),
                (None, None) => fresh_id(now_ms),
            },
            title: new.title.map(Into::into),
            created_ms: now_ms,
            request_digest: new.request.map(|request| hexadecimal(&request.digest)),
            size: members.len(),
            state: Mutex::new(State::new(members, now_ms)),
        });
        // Before it is looked at how they are: so no change of theirs is missed.
        self.register(&batch);
        if let Err(error) = self.gather(&batch, new.jobs) {
            self.deregister(&batch);
            self.forget(&batch);
            return Err(error);
        }
        // Behind the jobs: if it is on disk, they are.
        self.save(&batch);
        self.table.lock().add(batch.clone());
        self.begin(&batch);
        Ok(batch)
    }

    fn check_size(&self, jobs: usize) -> Result<(), MakeError> {
        let Limit { in_one, in_all } = self.limits.room();
        if jobs == 0 {
            return Err(MakeError::Empty);
        }
        if jobs > in_one {
            return Err(MakeError::TooManyJobs(jobs, in_one));
        }
        if !self.records.has_room() {
            return Err(AddError::from(CreateError::Busy).into());
        }
        if self.table.lock().jobs() + jobs > in_all {
            self.let_go(jobs);
        }
        if self.table.lock().jobs() + jobs > in_all { Err(MakeError::Full) } else { Ok(()) }
    }

    /// Looks at the jobs that are there, and makes the others.
    fn gather(&self, batch: &Batch, jobs: Vec<NewMember>) -> Result<(), MakeError> {
        let (mut new, mut places) = (Vec::new(), Vec::new());
        for (index, member) in jobs.into_iter().enumerate() {
            match member.work {
                Work::New(work) => {
                    new.push(*work);
                    places.push(index);
                }
                Work::Existing(id) => {
                    let Some(job) = self.jobs.get(&id) else {
                        return Err(MakeError::NoSuchJob(index, id));
                    };
                    batch.state.lock().take_up(index, &job.present, 0);
                }
            }
        }
        let ended = |state: &State| state.members.len() - state.open;
        let ended_before = ended(&batch.state.lock());
        let created = self.queues.make_all(new, false)?;
        for (index, Created { present, is_repeat, .. }) in places.into_iter().zip(created) {
            let known = if is_repeat {
                // What is further than that is told when it is on disk.
                self.jobs.get(&present.job_id).map(|job| job.present)
            } else {
                Some(present)
            };
            if let Some(known) = known {
                batch.state.lock().take_up(index, &known, 0);
            }
        }
        batch.state.lock().ended_before = ended_before;
        Ok(())
    }
}

/// How many jobs there may be.
pub(super) struct Limit {
    pub in_one: usize,
    pub in_all: usize,
}

/// The id of the batch that a request with this key makes.
fn batch_id(request: &RequestKey) -> Identifier {
    key_id(&format!("batch:{}", request.key))
}

/// Gives the new jobs names that follow from the request's, so that a second try finds those of a first one
/// that a crash cut off.
fn name_jobs(jobs: &mut [NewMember], request: &RequestKey) {
    for (index, member) in jobs.iter_mut().enumerate() {
        let key = format!("batch:{}:{index}", request.key);
        let named = Some(RequestKey { key, digest: request.digest });
        let Work::New(work) = &mut member.work else { continue };
        match &mut **work {
            NewWork::Job(job) if job.id.is_none() => job.request = named,
            NewWork::Task { task, .. } if task.id.is_none() => task.request = named,
            NewWork::Job(_) | NewWork::Task { .. } => {}
        }
    }
}

/// The batch's jobs, before anything is known of them.
fn choose_members(jobs: &mut [NewMember], now_ms: u64) -> Result<Vec<Member>, MakeError> {
    let mut chosen = HashSet::with_capacity(jobs.len());
    let members = jobs.iter_mut().enumerate().map(|(index, member)| {
        let id = match &mut member.work {
            Work::Existing(id) => id.clone(),
            Work::New(work) => work.choose_id(now_ms),
        };
        if !chosen.insert(id.clone()) {
            return Err(MakeError::Twice(index, id));
        }
        Ok(Member::new(id, member.weight))
    });
    members.collect()
}
