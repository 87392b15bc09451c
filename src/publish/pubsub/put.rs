//! An update handed to the jobs, and what their answer means for the message.

use std::time::Duration;

use super::{Done, NotTaken, StatusUpdate};
use crate::event::topic::Identifier;
use crate::publish::jobs::{CreateError, Jobs, NewJob, UpdateError, Updated};

/// When a disk or a full table is worth another try.
const PATIENCE: Duration = Duration::from_secs(2);

/// Reports an update on its job, which is made if it is not there.
///
/// Whoever publishes updates may be faster than whoever makes the job, and may work on jobs that nobody makes
/// here. Refusing the update would keep it coming for days; a job made by its first update has lost nothing.
pub fn put(jobs: &Jobs, update: &StatusUpdate) -> Result<Done, NotTaken> {
    let StatusUpdate { job_id, report } = update;
    let updated = match jobs.update(job_id, report) {
        Err(UpdateError::Unknown) => jobs.could_begin_with(job_id, report).and_then(|()| {
            make(jobs, job_id)?;
            jobs.update(job_id, report)
        }),
        known => known,
    };
    match updated {
        Ok(Updated { stored: Err(why), .. }) => Err(NotTaken::ForNow(why, PATIENCE)),
        Ok(Updated { is_repeat: true, .. }) => Ok(Done::Repeated),
        Ok(_) => Ok(Done::Taken),
        Err(UpdateError::Conflict { conflict, .. }) => Err(NotTaken::Stale(conflict.to_string())),
        Err(UpdateError::Invalid(error)) => Err(NotTaken::Invalid(error.to_string())),
        Err(error @ (UpdateError::Busy | UpdateError::Unknown)) => {
            Err(NotTaken::ForNow(error.to_string(), PATIENCE))
        }
    }
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

    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::event::job_update::JobStatus;
    use crate::hub::{self, Hub};
    use crate::publish::jobs::{self, Report};
    use crate::publish::{self, Publisher};
    use crate::store::{self, records::Records};

    fn jobs(limits: jobs::Limits) -> Jobs {
        jobs_on(Records::in_memory().unwrap(), limits)
    }

    fn jobs_on(records: Records, limits: jobs::Limits) -> Jobs {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(0));
        let hub = Hub::start(hub::Limits::default(), clock.clone()).unwrap();
        let limits_of_events = publish::Limits::default();
        let publisher = Publisher::new(hub, None, &limits_of_events, clock.clone());
        Jobs::start(publisher, records, &[], limits, 1_000, clock).unwrap()
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
        let jobs = jobs(jobs::Limits::default());
        assert_eq!(put(&jobs, &update("a", Processing, 40.0, "1")), Ok(Done::Taken));
        let job = jobs.get(&"a".parse().unwrap()).unwrap();
        assert_eq!((job.present.status, job.present.progress), (Processing, 40.0));
        jobs.stop();
    }

    #[test]
    fn what_comes_again_or_too_late_changes_nothing() {
        let jobs = jobs(jobs::Limits::default());
        put(&jobs, &update("a", Processing, 40.0, "1")).unwrap();
        put(&jobs, &update("a", Processing, 60.0, "2")).unwrap();
        assert_eq!(put(&jobs, &update("a", Processing, 40.0, "1")), Ok(Done::Repeated));
        let late = put(&jobs, &update("a", Processing, 50.0, "3"));
        assert!(matches!(late, Err(NotTaken::Stale(why)) if why.contains("50")));
        put(&jobs, &update("a", Completed, 100.0, "4")).unwrap();
        let late = put(&jobs, &update("a", Processing, 100.0, "5"));
        assert!(matches!(late, Err(NotTaken::Stale(_))), "{late:?}");
        let job = jobs.get(&"a".parse().unwrap()).unwrap();
        assert_eq!(job.present.status, Completed);
        jobs.stop();
    }

    #[test]
    fn what_there_is_no_room_for_is_for_later() {
        let jobs = jobs(jobs::Limits { max_open: 1, ..jobs::Limits::default() });
        put(&jobs, &update("a", Processing, 1.0, "1")).unwrap();
        let refused = put(&jobs, &update("b", Processing, 1.0, "1"));
        assert!(matches!(refused, Err(NotTaken::ForNow(..))), "{refused:?}");
        put(&jobs, &update("a", Completed, 100.0, "2")).unwrap();
        assert_eq!(put(&jobs, &update("b", Processing, 1.0, "1")), Ok(Done::Taken));
        jobs.stop();
    }

    #[test]
    fn what_is_not_on_disk_is_not_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let limits = store::Limits::default();
        let (records, _) = Records::open(folder.path(), &limits, &ManualClock::at(0)).unwrap();
        let jobs = jobs_on(records.clone(), jobs::Limits::default());
        put(&jobs, &update("a", Processing, 1.0, "1")).unwrap();
        // Another process that holds the database, until it lets go.
        let other = rusqlite::Connection::open(folder.path().join("records.db")).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        for _ in 0..2 {
            let refused = put(&jobs, &update("a", Processing, 2.0, "2"));
            assert!(matches!(refused, Err(NotTaken::ForNow(..))), "{refused:?}");
        }
        drop(other);
        while records.trouble().is_some() {
            std::thread::yield_now();
        }
        assert_eq!(put(&jobs, &update("a", Processing, 2.0, "2")), Ok(Done::Repeated));
        jobs.stop();
    }

    #[test]
    fn what_cannot_be_told_is_invalid() {
        let jobs = jobs(jobs::Limits::default());
        let mut large = update("a", Processing, 1.0, "1");
        large.report.message = Some("m".repeat(2_000));
        assert!(matches!(put(&jobs, &large), Err(NotTaken::Invalid(_))));
        assert_eq!(jobs.open_count(), 0, "no job is made for it");
        jobs.stop();
    }
}
