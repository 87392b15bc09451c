//! What becomes of requests when the process ends, in order or not.

use super::*;

fn open(folder: &Path, is_slow: bool) -> Bench {
    let limits = Limits { workers: 1, ..Limits::default() };
    Bench::open(Some(folder), &limits, library::Limits::default(), is_slow)
}

#[test]
fn a_restart_goes_on_with_what_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let bench = open(folder.path(), true);
    let accepted = bench.submit("me", talks(&["a", "b", "c"])).unwrap();
    bench.begun();
    bench.let_one();
    assert_eq!(bench.begun(), "On b");
    bench.until("source", "generated");
    bench.stop();
    drop(bench);

    let mut bench = open(folder.path(), true);
    let batch = accepted.batch_id.as_str();
    let report = bench.summarizer.batch(&id("me"), batch).unwrap();
    assert_eq!((report.status, report.completed), (BatchStatus::Processing, 1));
    bench.let_all();
    let last = json_of(&bench.until("status", "completed"));
    assert_eq!((&last["batch_id"], &last["completed"]), (&json!(batch), &json!(3)));
    let mut begun = vec![bench.begun(), bench.begun()];
    begun.sort();
    assert_eq!(begun, ["On b", "On c"], "nothing is made twice");
    let figures = bench.summarizer.library().figures().unwrap();
    assert_eq!((figures.summaries, figures.upload_bytes), (3, 0));
    bench.stop();
    drop(bench);

    let bench = open(folder.path(), true);
    assert_eq!(bench.summarizer.batch(&id("me"), batch).unwrap().status, BatchStatus::Completed);
    bench.stop();
    assert!(bench.events.is_empty(), "an end is told once");
}

#[test]
fn an_end_that_a_crash_kept_from_being_told_is_told_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let bench = open(folder.path(), false);
    let accepted = bench.submit("me", talks(&["a"])).unwrap();
    bench.until("status", "completed");
    bench.stop_working();
    // As if the process had ended right before it was told.
    let submission = bench.summarizer.submission(&id("me"), accepted.batch_id.as_str()).unwrap();
    let what = submission.what.clone();
    let untold = Submission::new(submission.id.clone(), submission.session.clone(), what);
    let submissions = &bench.summarizer.0.workshop.submissions;
    submissions.remove(&untold.id);
    submissions.add(Arc::new(untold)).unwrap();
    bench.close();
    drop(bench);
    let bench = open(folder.path(), false);
    let last = json_of(&bench.next());
    assert_eq!((&last["status"], &last["progress"]), (&json!("completed"), &json!(1)));
    bench.stop();
}
