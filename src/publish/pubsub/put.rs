//! An update handed to the jobs, and what their answer means for the message.

use std::time::Duration;

use super::{Done, NotTaken, StatusUpdate};
use crate::event::topic::Identifier;
use crate::publish::jobs::{CreateError, Jobs, NewJob, UpdateError, Updated};
use crate::publish::queues::{LeaseError, Queues};

/// When a disk or a full table is worth another try.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reports an update on its job, which is made if it is not there.
///
/// Whoever publishes updates may be faster than whoever makes the job, and may work on jobs that nobody makes
/// here. Refusing the update would keep it coming for days; a job made by its first update has lost nothing.
///
/// A job that somebody has leased is theirs alone: what others push about it counts no more than what comes
/// too late.
pub fn put(jobs: &Jobs, queues: &Queues, update: &StatusUpdate) -> Result<Done, NotTaken> {
    let StatusUpdate { job_id, report } = update;
    let updated = match queues.report(job_id, report, None) {
        Err(LeaseError::Update(UpdateError::Unknown)) => {
            make_for(jobs, update).and_then(|()| queues.report(job_id, report, None))
        }
        known => known,
    };
    match updated {
        Ok(Updated { stored: Err(why), .. }) => Err(NotTaken::ForNow(why, PATIENCE)),
        Ok(Updated { is_repeat: true, .. }) => Ok(Done::Repeated),
        Ok(_) => Ok(Done::Taken),
        Err(error @ LeaseError::NotYours(_)) => Err(NotTaken::Stale(error.to_string())),
        Err(LeaseError::Update(error)) => Err(not_taken(&error)),
    }
}

fn not_taken(error: &UpdateError) -> NotTaken {
    match error {
        UpdateError::Conflict { conflict, .. } => NotTaken::Stale(conflict.to_string()),
        UpdateError::Invalid(error) => NotTaken::Invalid(error.to_string()),
        UpdateError::Busy | UpdateError::Unknown => NotTaken::ForNow(error.to_string(), PATIENCE),
    }
}

/// Makes the job that an update is about, if that can be what is said of it first.
fn make_for(jobs: &Jobs, update: &StatusUpdate) -> Result<(), LeaseError> {
    jobs.could_begin_with(&update.job_id, &update.report)?;
    Ok(make(jobs, &update.job_id)?)
}

fn make(jobs: &Jobs, id: &Identifier) -> Result<(), UpdateError> {
    match jobs.create(NewJob { id: Some(id.clone()), ..NewJob::default() }) {
        Err(CreateError::Invalid(error)) => Err(error.into()),
        Err(CreateError::Full(_) | CreateError::Heavy(_) | CreateError::Busy) => {
            Err(UpdateError::Busy)
        }
        // Another update may have made it in between.
        Ok(_) | Err(CreateError::Exists(_) | CreateError::KeyReused) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::event::job_update::JobStatus;
    use crate::hub::{self, Hub};
    use crate::publish::jobs::{self, Report};
    use crate::publish::queues::NewTask;
    use crate::publish::{self, Publisher};
    use crate::store::{self, records::Records};

    /// Where updates go.
    struct House {
        jobs: Jobs,
        queues: Queues,
    }

    fn house(limits: jobs::Limits) -> House {
        house_on(Records::in_memory().unwrap(), limits)
    }

    fn house_on(records: Records, limits: jobs::Limits) -> House {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(0));
        let hub = Hub::start(hub::Limits::default(), clock.clone()).unwrap();
        let limits_of_events = publish::Limits::default();
        let publisher = Publisher::new(hub, None, &limits_of_events, clock.clone());
        let jobs =
            Jobs::start(publisher.clone(), records, &[], limits, 1_000, clock.clone()).unwrap();
        let queues = Queues::in_memory(&jobs, &publisher, clock).unwrap();
        House { jobs, queues }
    }

    fn put(house: &House, update: &StatusUpdate) -> Result<Done, NotTaken> {
        super::put(&house.jobs, &house.queues, update)
    }

    fn update(job: &str, status: JobStatus, progress: f64, update_id: &str) -> StatusUpdate {
        let report = Report {
            progress: Some(progress),
            update_id: Some(update_id.into()),
            ..Report::of(status)
        };
        StatusUpdate { job_id: job.parse().unwrap(), report }
    }

    use JobStatus::{Completed, Processing};

    #[test]
    fn a_job_is_made_by_its_first_update() {
        let house = house(jobs::Limits::default());
        assert_eq!(put(&house, &update("a", Processing, 40.0, "1")), Ok(Done::Taken));
        let job = house.jobs.get(&"a".parse().unwrap()).unwrap();
        assert_eq!((job.present.status, job.present.progress), (Processing, 40.0));
        house.jobs.stop();
    }

    #[test]
    fn what_comes_again_or_too_late_changes_nothing() {
        let house = house(jobs::Limits::default());
        put(&house, &update("a", Processing, 40.0, "1")).unwrap();
        put(&house, &update("a", Processing, 60.0, "2")).unwrap();
        assert_eq!(put(&house, &update("a", Processing, 40.0, "1")), Ok(Done::Repeated));
        let late = put(&house, &update("a", Processing, 50.0, "3"));
        assert!(matches!(late, Err(NotTaken::Stale(why)) if why.contains("50")));
        put(&house, &update("a", Completed, 100.0, "4")).unwrap();
        let late = put(&house, &update("a", Processing, 100.0, "5"));
        assert!(matches!(late, Err(NotTaken::Stale(_))), "{late:?}");
        let job = house.jobs.get(&"a".parse().unwrap()).unwrap();
        assert_eq!(job.present.status, Completed);
        house.jobs.stop();
    }

    #[test]
    fn a_job_that_somebody_has_leased_is_theirs_alone() {
        let house = house(jobs::Limits::default());
        let queue: Identifier = "q".parse().unwrap();
        let task = NewTask { id: Some("a".parse().unwrap()), ..NewTask::default() };
        house.queues.add(&queue, vec![task], true).unwrap();
        let (worker, lease) = ("w".parse().unwrap(), Duration::from_secs(30));
        let leased = house.queues.lease(&queue, &worker, lease, Instant::now()).unwrap().unwrap();
        let pushed = put(&house, &update("a", Completed, 100.0, "1"));
        assert!(matches!(pushed, Err(NotTaken::Stale(_))), "{pushed:?}");
        let heard = house.queues.hear(&leased.task.job_id, Some(&leased.token)).unwrap();
        assert_eq!(heard.status, Processing);
        house.jobs.stop();
    }

    #[test]
    fn what_there_is_no_room_for_is_for_later() {
        let house = house(jobs::Limits { max_open: 1, ..jobs::Limits::default() });
        put(&house, &update("a", Processing, 1.0, "1")).unwrap();
        let refused = put(&house, &update("b", Processing, 1.0, "1"));
        assert!(matches!(refused, Err(NotTaken::ForNow(..))), "{refused:?}");
        put(&house, &update("a", Completed, 100.0, "2")).unwrap();
        assert_eq!(put(&house, &update("b", Processing, 1.0, "1")), Ok(Done::Taken));
        house.jobs.stop();
    }

    #[test]
    fn what_is_not_on_disk_is_not_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let limits = store::Limits::default();
        let (records, _) = Records::open(folder.path(), &limits, &ManualClock::at(0)).unwrap();
        let house = house_on(records.clone(), jobs::Limits::default());
        put(&house, &update("a", Processing, 1.0, "1")).unwrap();
        // Another process that holds the database, until it lets go.
        let other = rusqlite::Connection::open(folder.path().join("records.db")).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        for _ in 0..2 {
            let refused = put(&house, &update("a", Processing, 2.0, "2"));
            assert!(matches!(refused, Err(NotTaken::ForNow(..))), "{refused:?}");
        }
        drop(other);
        while records.trouble().is_some() {
            std::thread::yield_now();
        }
        assert_eq!(put(&house, &update("a", Processing, 2.0, "2")), Ok(Done::Repeated));
        house.jobs.stop();
    }

    #[test]
    fn what_cannot_be_told_is_invalid() {
        let house = house(jobs::Limits::default());
        let mut large = update("a", Processing, 1.0, "1");
        large.report.message = Some("m".repeat(2_000));
        assert!(matches!(put(&house, &large), Err(NotTaken::Invalid(_))));
        assert_eq!(house.jobs.open_count(), 0, "no job is made for it");
        house.jobs.stop();
    }
}
