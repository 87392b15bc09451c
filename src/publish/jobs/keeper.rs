//! What all handles on the jobs share: each change is made under the job's lock, written, and then shown.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use super::figures::{self, Counters};
use super::job::{Job, NewJob, hexadecimal};
use super::outcome::{CreateError, Created, UpdateError, Updated};
use super::report::{self, Report};
use super::table::{Kept, Slot, Table};
use super::{Change, Heir, Limits, Listener, Lost};
use crate::clock::Clock;
use crate::event::job_update::{JobStatus, JobUpdate};
use crate::event::topic::{Identifier, Topic};
use crate::event::{EventData, EventKey, EventName, InvalidEvent, NewEvent};
use crate::hub::Refused;
use crate::publish::Publisher;
use crate::publish::alarms::Alarms;
use crate::shutdown::Shutdown;
use crate::store::records::{Certainty, Record, Records, Then, Ticket};

/// The kind of a job's record.
pub(super) const KIND: &str = "job";

/// How long somebody who must tell something waits while the hub is busy.
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// What all handles share.
pub(super) struct Shared {
    pub publisher: Publisher,
    pub records: Records,
    pub limits: Limits,
    pub max_event_bytes: usize,
    pub clock: Arc<dyn Clock>,
    pub update_name: EventName,
    pub table: Mutex<Table>,
    pub listeners: RwLock<Vec<Listener>>,
    pub counters: Counters,
    /// What all jobs' records take, in bytes.
    pub weight: AtomicUsize,
    pub alarms: Alarms,
    /// Takes back the jobs of queues whose worker is lost.
    pub lost: OnceLock<Lost>,
    /// Is told of a job before its record is taken away.
    pub heir: OnceLock<Heir>,
    pub stop: Shutdown,
    pub thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// What became of a change.
#[derive(Debug)]
pub struct Altered {
    /// The job after it.
    pub job: Job,
    /// It had been made before.
    pub is_repeat: bool,
    /// When it is on disk.
    pub(super) ticket: Ticket,
}

impl Shared {
    pub fn load(&self, found: &[Record]) {
        let mut jobs: Vec<(Job, usize)> = Vec::new();
        for record in found.iter().filter(|record| record.kind == KIND) {
            match serde_json::from_str(&record.text) {
                Ok(job) => jobs.push((job, record.text.len())),
                Err(error) => log::error!("the record of job {} is broken: {error}", record.id),
            }
        }
        jobs.sort_by_key(|(job, _)| (job.created_ms, job.number));
        let now = self.clock.now();
        let mut table = self.table.lock();
        let mut ended = Vec::new();
        for (job, bytes) in jobs {
            let (shown, updated_ms, lease_ms) = (job.present.clone(), job.updated_ms, job.lease_ms);
            self.counters.note_shown(None, Some(&shown));
            let slot = table.add(job, Some(shown.clone()), now);
            self.weigh(&slot, bytes);
            if shown.is_terminal() {
                ended.push((updated_ms, slot.number));
            } else if lease_ms > 0 {
                self.alarms.set(now + Duration::from_millis(lease_ms), slot.number);
            }
        }
        ended.sort_unstable();
        for (at_ms, number) in ended {
            table.note_ended(number, at_ms);
        }
    }

    pub fn find(&self, id: &Identifier) -> Option<Arc<Slot>> {
        self.table.lock().find(id).cloned()
    }

    pub fn create_all(
        self: &Arc<Self>,
        new: Vec<NewJob>,
    ) -> Result<(Vec<Created>, Ticket), CreateError> {
        if !self.records.has_room() {
            return Err(CreateError::Busy);
        }
        let (now, now_ms) = (self.clock.now(), self.clock.unix_ms());
        let bytes = new.iter().map(NewJob::bytes).sum();
        if self.missing_bytes(bytes) > 0 {
            self.let_go(bytes);
        }
        let mut table = self.table.lock();
        // All are looked at before the first is taken.
        let mut places = Vec::with_capacity(new.len());
        let mut chosen = HashSet::new();
        for job in new {
            let id = job.choose_id(now_ms);
            let there = match table.find(&id) {
                None if !chosen.insert(id.clone()) => return Err(CreateError::Exists(id)),
                None => None,
                Some(slot) => Some(same_request(slot, &job)?),
            };
            places.push((id, job, there));
        }
        let open = table.open_count();
        if self.limits.max_open != 0 && open + chosen.len() > self.limits.max_open {
            return Err(CreateError::Full(open));
        }
        if !chosen.is_empty() && self.missing_bytes(bytes) > 0 {
            return Err(CreateError::Heavy(self.limits.max_bytes));
        }
        self.counters.note_created(chosen.len());
        // Those that were there may still be on their way to the disk.
        let mut ticket = self.records.latest();
        let created = places.into_iter().map(|(id, job, there)| {
            let is_repeat = there.is_some();
            let present = there.unwrap_or_else(|| {
                let lease_ms = job.lease_ms;
                let slot = table.add(job.into_job(id, now_ms), None, now);
                if lease_ms > 0 {
                    self.alarms.set(now + Duration::from_millis(lease_ms), slot.number);
                }
                let mut kept = slot.kept.lock();
                kept.job.number = slot.number;
                ticket = self.save(&slot, &kept);
                kept.job.present.clone()
            });
            Created { present, is_repeat, stored: Ok(()) }
        });
        Ok((created.collect(), ticket))
    }

    pub fn update(
        self: &Arc<Self>,
        id: &Identifier,
        report: &Report,
    ) -> Result<(Updated, Ticket), UpdateError> {
        let outcome = self.try_update(id, report);
        let word = match &outcome {
            Ok((updated, _)) => figures::taken(updated.is_repeat),
            Err(error) => figures::refused(error),
        };
        self.counters.note_report(word);
        outcome
    }

    fn try_update(
        self: &Arc<Self>,
        id: &Identifier,
        report: &Report,
    ) -> Result<(Updated, Ticket), UpdateError> {
        let altered = self.alter(id, |_| Ok::<_, UpdateError>(vec![report.clone()]))?;
        let Altered { job, is_repeat, ticket } = altered;
        Ok((Updated { present: job.present, is_repeat, stored: Ok(()) }, ticket))
    }

    /// Changes a job and gives it one state after the other, in one moment; or neither, if `change` or
    /// one of its reports fails, or the first report has come before.
    pub fn alter<E: From<UpdateError>>(
        self: &Arc<Self>,
        id: &Identifier,
        change: impl FnOnce(&mut Job) -> Result<Vec<Report>, E>,
    ) -> Result<Altered, E> {
        let slot = self.find(id).ok_or(UpdateError::Unknown)?;
        self.alter_found(&slot, change)
    }

    /// The same for a job that was found.
    pub fn alter_found<E: From<UpdateError>>(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        change: impl FnOnce(&mut Job) -> Result<Vec<Report>, E>,
    ) -> Result<Altered, E> {
        let mut kept = slot.kept.lock();
        if kept.is_forgotten {
            return Err(UpdateError::Unknown.into());
        }
        let mut job = kept.job.clone();
        let reports = change(&mut job)?;
        let name = reports.first().and_then(|report| report.update_id.as_deref());
        if name.is_some_and(|name| job.update_ids.iter().any(|known| known == name)) {
            // What it came to the first time may still be on its way to the disk.
            let ticket = self.records.latest();
            return Ok(Altered { job: kept.job.clone(), is_repeat: true, ticket });
        }
        let mut states = Vec::with_capacity(reports.len());
        for report in &reports {
            let present = states.last().unwrap_or(&job.present);
            states.push(self.next(present, report)?);
        }
        if !self.records.has_room() && !states.is_empty() {
            return Err(UpdateError::Busy.into());
        }
        job.note_update_id(name, self.limits.update_ids);
        if job.lease_ms > 0 && job.lease_ms != kept.job.lease_ms {
            let due = self.clock.now() + Duration::from_millis(job.lease_ms);
            self.alarms.set(due, slot.number);
        }
        kept.job = job;
        let shown = states.into_iter().map(|state| self.put(slot, &mut kept, state)).last();
        let ticket = shown.unwrap_or_else(|| self.write(slot, &kept, Certainty::Process, None));
        Ok(Altered { job: kept.job.clone(), is_repeat: false, ticket })
    }

    /// Gives a job its next state.
    pub fn put(self: &Arc<Self>, slot: &Arc<Slot>, kept: &mut Kept, next: JobUpdate) -> Ticket {
        kept.heard_at = self.clock.now();
        self.set(slot, kept, next)
    }

    /// Gives a job its next state, though nothing was heard of it.
    pub fn set(self: &Arc<Self>, slot: &Arc<Slot>, kept: &mut Kept, next: JobUpdate) -> Ticket {
        kept.job.advance(next, self.clock.unix_ms());
        self.save(slot, kept)
    }

    /// Writes a job's record, and shows its present state when that is done.
    pub fn save(self: &Arc<Self>, slot: &Arc<Slot>, kept: &Kept) -> Ticket {
        let update = kept.job.present.clone();
        let is_end = update.is_terminal();
        let certainty =
            if is_end || update.revision == 1 { Certainty::Power } else { Certainty::Process };
        let (shared, place) = (self.clone(), slot.clone());
        let then: Then = Box::new(move |_| shared.show(&place, &update));
        self.write(slot, kept, certainty, Some(then))
    }

    fn weigh(&self, slot: &Slot, bytes: usize) {
        self.weight.fetch_add(bytes, Ordering::Relaxed);
        self.weight.fetch_sub(slot.weight.swap(bytes, Ordering::Relaxed), Ordering::Relaxed);
    }

    fn write(&self, slot: &Slot, kept: &Kept, certainty: Certainty, then: Option<Then>) -> Ticket {
        // Strings, numbers and JSON that was read as such can always be written.
        let text = serde_json::to_string(&kept.job).unwrap_or_default();
        self.weigh(slot, text.len());
        self.records.put(KIND, &slot.id, text, certainty, then)
    }

    /// Tells the watchers, and whoever else listens, of a state that is on disk.
    fn show(&self, slot: &Slot, update: &JobUpdate) {
        let mut kept = slot.kept.lock();
        self.tell_watchers(update);
        let before = kept.shown.replace(update.clone());
        self.counters.note_shown(before.as_ref(), Some(update));
        let listeners = self.listeners.read();
        let job = (!listeners.is_empty()).then(|| kept.job.clone());
        drop(kept);
        // After it is shown: only then may it be let go of.
        if update.is_terminal() {
            self.table.lock().note_ended(slot.number, self.clock.unix_ms());
        }
        let Some(job) = job else { return };
        for listener in listeners.iter() {
            listener(&Change { job: &job, before: before.as_ref(), shown: update });
        }
    }

    fn tell_watchers(&self, update: &JobUpdate) {
        let topic = Topic::job(update.job_id.clone());
        if !self.publisher.is_heard(&topic) {
            return;
        }
        let Ok(data) = self.encode(update) else { return };
        let event = NewEvent {
            key: Some(EventKey::new(update.job_id.as_str())),
            terminal: update.is_terminal(),
            ..NewEvent::new(topic, self.update_name.clone(), data)
        };
        // The dispatchers are behind: whoever reports is held back in turn, when the records are full.
        while let Err(Refused::Busy | Refused::Exhausted) = self.publisher.show(event.clone()) {
            // Where publishers are told so at once (`publish_wait_ms` is 0), the wait is here.
            std::thread::sleep(BUSY_PAUSE);
        }
    }

    /// The job's state after this report, if it can be and can be told.
    pub fn next(&self, present: &JobUpdate, report: &Report) -> Result<JobUpdate, UpdateError> {
        let mut next =
            report::apply(present, report, self.clock.unix_ms()).map_err(|conflict| {
                UpdateError::Conflict { conflict, present: Box::new(present.clone()) }
            })?;
        if let Err(error) = self.encode(&next) {
            if report.status == JobStatus::Processing {
                return Err(error.into());
            }
            // Every attempt can end: what was said while it lasted gives way to how it ends.
            report::give_way(&mut next, report);
            self.encode(&next)?;
        }
        Ok(next)
    }

    pub fn encode(&self, update: &JobUpdate) -> Result<EventData, InvalidEvent> {
        update.encode(self.max_event_bytes)
    }
}

/// The present state of a job that is there, if this request has made it.
fn same_request(slot: &Slot, new: &NewJob) -> Result<JobUpdate, CreateError> {
    let kept = slot.kept.lock();
    let digest = new.request.as_ref().map(|request| hexadecimal(&request.digest));
    if digest.is_some() && kept.job.request_digest == digest {
        return Ok(kept.job.present.clone());
    }
    // Who has chosen the id has met another one's job, rather than used a key twice.
    let is_reused = digest.is_some() && new.id.is_none();
    Err(if is_reused { CreateError::KeyReused } else { CreateError::Exists(slot.id.clone()) })
}
