//! Commands that do not behave: what they may do to a worker, which is nothing.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, test_kill_process};

use super::*;
use crate::clock::ManualClock;

/// How long anything that should happen at once may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A clock on which a second passes whenever somebody looks, once it runs.
#[derive(Debug)]
struct Hasty {
    clock: ManualClock,
    runs: AtomicBool,
}

impl Hasty {
    fn standing() -> Arc<Self> {
        Arc::new(Self { clock: ManualClock::at(0), runs: AtomicBool::new(false) })
    }

    fn running() -> Arc<Self> {
        let hasty = Self::standing();
        hasty.runs.store(true, Ordering::Relaxed);
        hasty
    }
}

impl Clock for Hasty {
    fn now(&self) -> Instant {
        if self.runs.load(Ordering::Relaxed) {
            self.clock.advance(Duration::from_secs(1));
        }
        self.clock.now()
    }

    fn unix_ms(&self) -> u64 {
        self.clock.unix_ms()
    }
}

/// Remembers what it is told; the first report lets the time run, or cancels the job, for which there
/// is then time without end.
#[derive(Debug)]
struct Trigger {
    notes: Notebook,
    clock: Arc<Hasty>,
    cancels: bool,
    is_cancelled: AtomicBool,
}

impl Trigger {
    fn new(cancels: bool) -> Self {
        let (notes, clock) = (Notebook::default(), Hasty::standing());
        Self { notes, clock, cancels, is_cancelled: AtomicBool::new(false) }
    }
}

impl Desk for Trigger {
    fn report(&self, progress: Progress) {
        self.notes.report(progress);
        self.is_cancelled.store(self.cancels, Ordering::Relaxed);
        self.clock.runs.store(!self.cancels, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }
}

const TIMEOUT: Duration = Duration::from_secs(5);

/// Runs a script that says something when it is ready for its time to be over, or to be cancelled.
fn run_until(cancels: bool, script: &str) -> (Failure, Vec<String>) {
    let desk = Trigger::new(cancels);
    let command = Command::new(shell(script), TIMEOUT, desk.clock.clone());
    let failure = command.process(&task(json!({})), &desk).unwrap_err();
    let reports = desk.notes.reports();
    (failure, messages(&reports).into_iter().map(str::to_owned).collect())
}

/// Waits until the process is gone; one that nobody reaps is gone too.
fn check_gone(pid: &str) {
    let number = Pid::from_raw(pid.parse().unwrap()).unwrap();
    let stat = format!("/proc/{pid}/stat");
    let is_there = || {
        let stat = std::fs::read_to_string(&stat).unwrap_or_default();
        let is_zombie = stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z"));
        test_kill_process(number).is_ok() && !is_zombie
    };
    let began = Instant::now();
    while is_there() {
        assert!(began.elapsed() < PATIENCE, "{pid} is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn one_that_never_reads_its_task_is_not_waited_for() {
    let data = json!({"text": "x".repeat(1 << 20)});
    let script = r#"echo '{"result":1}'"#;
    assert_eq!(run_config(shell(script), &Notebook::default(), data.clone()), Ok(json!(1)));
    // While it is open and full, too, and when it is closed.
    let script = r#"exec <&-; head -c 300000 /dev/zero >&2; echo '{"result":2}'"#;
    assert_eq!(run_config(shell(script), &Notebook::default(), data.clone()), Ok(json!(2)));
    // It writes much before it reads.
    let script = r#"head -c 300000 /dev/zero >&2; printf '{"result":%s}' "$(wc -c)""#;
    let Ok(Value::Number(bytes)) = run_config(shell(script), &Notebook::default(), data) else {
        panic!()
    };
    assert!(bytes.as_u64().unwrap() > 1 << 20, "{bytes}");
}

#[test]
fn a_line_without_an_end_fails_for_good() {
    let (result, reports) = run("echo begun; tr '\\0' x </dev/zero");
    let message = "the command wrote more than 262144 bytes in one line (max_line_bytes)";
    assert_eq!((result, messages(&reports)), (Err(Failure::for_good(message)), vec!["begun"]));
}

#[test]
fn lines_without_an_end_fail_for_good() {
    let mut config = shell("yes word");
    config.limits.output_bytes = 200_000;
    let desk = Notebook::default();
    let message = "the command wrote more than 200000 bytes in all (max_output_bytes)";
    assert_eq!(run_config(config, &desk, json!({})), Err(Failure::for_good(message)));
    assert!(desk.reports().len() <= 40_000);
    // Also if it has ended before anybody has seen it.
    let mut config = shell(r#"head -c 1000 /dev/zero; echo '{"result":1}'"#);
    config.limits.output_bytes = 500;
    let failure = run_config(config, &Notebook::default(), json!({})).unwrap_err();
    assert_eq!(failure.message, "the command wrote more than 500 bytes in all (max_output_bytes)");
}

#[test]
fn as_much_as_the_limits_allow_is_taken() {
    let mut config = shell(r"head -c 64 /dev/zero | tr '\0' x");
    (config.limits.output_bytes, config.limits.line_bytes) = (64, 64);
    let desk = Notebook::default();
    assert_eq!(run_config(config, &desk, json!({})), Ok(Value::Null));
    assert_eq!(messages(&desk.reports()), ["x".repeat(64)]);
}

#[test]
fn noise_on_standard_error_is_read_and_forgotten_but_for_its_end() {
    let command = Command::new(shell("yes noise >&2"), TIMEOUT, Hasty::running());
    let failure = command.process(&task(json!({})), &Notebook::default()).unwrap_err();
    assert!(failure.is_retryable);
    let expected = "the command took longer than 5 seconds: …";
    assert!(failure.message.starts_with(expected), "{failure}");
    assert!(failure.message.ends_with("noise"), "{failure}");
    assert!(failure.message.len() < 5000);
    // What stands at its very end is there even if much came before.
    let (result, _) = run("head -c 900000 /dev/zero | tr '\\0' x >&2; echo the end >&2; exit 1");
    assert!(result.unwrap_err().message.ends_with("xthe end"));
}

#[test]
fn a_child_of_its_own_that_holds_the_pipes_does_not_hold_the_worker() {
    let (result, reports) = run(r#"sleep 1000 & echo $!; echo '{"result":1}'"#);
    assert_eq!(result, Ok(json!(1)));
    check_gone(messages(&reports)[0]);
    // One that goes on writing, and one that has failed.
    let (result, reports) = run("(yes >&2) & echo $!; exit 3");
    assert!(result.unwrap_err().message.starts_with("the command ended with exit code 3"));
    check_gone(messages(&reports)[0]);
}

#[test]
fn one_that_leaves_the_group_is_let_go() {
    let directory = tempfile::tempdir().unwrap();
    let left = directory.path().join("left");
    let left = left.display();
    // It is gone before the command ends, and still holds the pipes.
    let (result, reports) = run(&format!(
        r#"setsid sh -c 'echo $$; touch {left}; exec sleep 1000' &
           until [ -e {left} ]; do sleep 0.01; done; echo '{{"result":1}}'"#
    ));
    assert_eq!(result, Ok(json!(1)));
    let pid = messages(&reports)[0];
    let number = Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(number, rustix::process::Signal::KILL).unwrap();
    check_gone(pid);
}

#[test]
fn one_that_closes_its_outputs_and_goes_on_is_waited_for() {
    check_failed("exec >&- 2>&-; sleep 0.3; exit 7", "the command ended with exit code 7", true);
}

#[test]
fn a_time_out_ends_the_whole_group() {
    let (failure, messages) =
        run_until(false, "echo why >&2; sleep 1000 & echo $$ $!; wait; echo never");
    let message = "the command took longer than 5 seconds: why";
    assert_eq!(failure, Failure::retryable(message));
    assert_eq!(messages.len(), 1);
    messages[0].split(' ').for_each(check_gone);
}

#[test]
fn a_cancelled_job_ends_the_whole_group() {
    let (failure, messages) = run_until(true, "sleep 1000 & echo $$ $!; wait; echo never");
    assert_eq!(failure.message, "the job was cancelled");
    assert_eq!(messages.len(), 1);
    messages[0].split(' ').for_each(check_gone);
}

#[test]
fn one_that_is_asked_to_end_can_tidy_up_and_so_can_what_it_has_started() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display();
    // The shell in front ends at once; the one behind it takes its time.
    let behind = format!(
        "trap \"sleep 0.2; touch {at}/tidy; exit\" TERM; echo $$; while :; do sleep 0.01; done"
    );
    let (_, messages) = run_until(true, &format!("sh -c '{behind}' & wait"));
    assert!(directory.path().join("tidy").exists());
    check_gone(&messages[0]);
}

#[test]
fn one_that_ignores_it_is_killed() {
    let (failure, messages) =
        run_until(false, "trap '' TERM; echo $$; while :; do sleep 1000; done");
    assert_eq!(failure.message, "the command took longer than 5 seconds");
    check_gone(&messages[0]);
}

#[test]
fn one_that_is_halted_hears_it_too() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display();
    // Somebody else says when it is halted.
    let script = format!(
        "trap 'touch {at}/tidy; exit' TERM
         (until grep -q 'T (stopped)' /proc/$$/status; do sleep 0.01; done; echo $$) &
         kill -STOP $$; while :; do sleep 0.01; done"
    );
    let (_, messages) = run_until(true, &script);
    assert!(directory.path().join("tidy").exists());
    check_gone(&messages[0]);
}

#[test]
fn a_result_counts_if_it_came_in_time_and_not_if_the_end_did_not() {
    let (failure, _) = run_until(false, r#"echo '{"result":1}'; echo here; sleep 1000"#);
    assert_eq!(failure.message, "the command took longer than 5 seconds");
    let script = r#"echo '{"result":1}'; echo here"#;
    let desk = Trigger::new(false);
    let command = Command::new(shell(script), Duration::from_secs(1000), desk.clock.clone());
    assert_eq!(command.process(&task(json!({})), &desk), Ok(json!(1)));
}

#[test]
fn bytes_that_are_no_text_are_shown_as_such() {
    let (result, reports) = run(
        r#"printf 'caf\351\n'; printf '{"message":"\377"}\n'; printf 'x\377y' >&2; printf 'a\0b\n'; exit 1"#,
    );
    assert_eq!(result.unwrap_err().message, "the command ended with exit code 1: x\u{fffd}y");
    assert_eq!(messages(&reports), ["caf\u{fffd}", "{\"message\":\"\u{fffd}\"}", "a\0b"]);
}

/// Does not come back from its first report before the command has ended.
#[derive(Debug, Default)]
struct Late(AtomicBool);

impl Desk for Late {
    fn report(&self, progress: Progress) {
        if !self.0.swap(true, Ordering::Relaxed) {
            check_gone(&progress.message.unwrap());
        }
    }

    fn is_cancelled(&self) -> bool {
        false
    }
}

#[test]
#[cfg(target_os = "linux")]
fn all_that_an_ended_command_has_written_is_read_however_much_the_pipe_holds() {
    let mut config = shell("");
    config.program = "python3".into();
    let script = r#"
import fcntl, os
fcntl.fcntl(1, 1031, 1 << 20)  # F_SETPIPE_SZ
os.write(1, b"%d\n" % os.getpid() + b"a line\n" * 130_000 + b'{"result": 1}\n')
"#;
    config.arguments = vec!["-c".into(), script.into()];
    assert_eq!(run_config(config, &Late::default(), json!({})), Ok(json!(1)));
}

#[test]
fn a_watcher_that_panics_leaves_no_process_behind() {
    #[derive(Debug, Default)]
    struct Panicking(parking_lot::Mutex<String>);
    impl Desk for Panicking {
        fn report(&self, progress: Progress) {
            *self.0.lock() = progress.message.unwrap();
            panic!("on purpose");
        }
        fn is_cancelled(&self) -> bool {
            false
        }
    }
    let desk = Panicking::default();
    let attempt = std::panic::AssertUnwindSafe(|| {
        let _ = run_config(shell("echo $$; sleep 1000"), &desk, json!({}));
    });
    assert!(std::panic::catch_unwind(attempt).is_err());
    check_gone(&desk.0.lock());
}
