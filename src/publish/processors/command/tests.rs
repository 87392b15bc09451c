//! Commands that behave, and what is made of them.

// Commands that do not.
mod hostile;

use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::clock::SystemClock;
use crate::publish::processors::tests::{Notebook, task};
use crate::publish::queues::config::Environment;
use crate::publish::queues::processor::Progress;

/// A script for the shell, in a directory that all users have, with what finds programs.
fn shell(script: &str) -> CommandConfig {
    let mut environment = Environment::default();
    environment.set("PATH", "/usr/local/bin:/usr/bin:/bin").unwrap();
    CommandConfig {
        program: "sh".into(),
        arguments: vec!["-c".into(), script.into()],
        working_directory: "/".into(),
        environment,
        limits: CommandLimits::default(),
    }
}

/// Runs it without a time-out.
fn run_config(config: CommandConfig, desk: &dyn Desk, data: Value) -> Result<Value, Failure> {
    Command::new(config, Duration::ZERO, Arc::new(SystemClock)).process(&task(data), desk)
}

fn run(script: &str) -> (Result<Value, Failure>, Vec<Progress>) {
    let desk = Notebook::default();
    (run_config(shell(script), &desk, json!({})), desk.reports())
}

fn messages(reports: &[Progress]) -> Vec<&str> {
    reports.iter().filter_map(|report| report.message.as_deref()).collect()
}

#[test]
fn the_last_result_is_the_jobs_and_the_rest_is_its_progress() {
    let (result, reports) =
        run(r#"echo '{"progress":10,"stage":"reading","message":"One","data":{"page":1}}'
           echo '{"result":{"sum":1}}'
           echo plain words
           echo '{"progress":100,"result":{"sum":2}}'"#);
    assert_eq!(result, Ok(json!({"sum": 2})));
    let first = Progress {
        percent: Some(10.0),
        stage: Some("reading".into()),
        message: Some("One".into()),
        data: Some(json!({"page": 1})),
    };
    let words = Progress { message: Some("plain words".into()), ..Progress::default() };
    let last = Progress { percent: Some(100.0), ..Progress::default() };
    assert_eq!(reports, [first, words, last]);
}

#[test]
fn without_a_result_it_is_null_and_a_last_line_needs_no_end() {
    assert_eq!(run("true"), (Ok(Value::Null), Vec::new()));
    assert_eq!(run(r#"printf '{"result":5}'"#).0, Ok(json!(5)));
    assert_eq!(run(r#"echo '{"result":5}'; echo '{"result":null}'"#).0, Ok(Value::Null));
}

#[test]
fn the_task_is_one_line_of_json_and_then_the_input_ends() {
    let desk = Notebook::default();
    let script = r#"IFS= read -r line; printf '{"result":%s}\n' "$line"; cat"#;
    let result = run_config(shell(script), &desk, json!({"path": "a\nb", "ä": 1.5}));
    let expected = json!({
        "jobId": "job-1", "queueName": "queue-1", "jobName": "", "data": {"path": "a\nb", "ä": 1.5},
        "attempt": 1, "attempts": 3,
    });
    assert_eq!(result, Ok(expected));
    assert_eq!(desk.reports(), []);
}

#[test]
fn the_environment_is_what_was_said_and_which_job_it_is() {
    let mut config = shell("");
    config.program = "env".into();
    config.arguments.clear();
    config.environment.set("GREETING", "a b=c").unwrap();
    let desk = Notebook::default();
    assert_eq!(run_config(config, &desk, json!({})), Ok(Value::Null));
    let reports = desk.reports();
    let mut found = messages(&reports);
    found.sort_unstable();
    let expected = [
        "GREETING=a b=c",
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "TIDINGS_ATTEMPT=1",
        "TIDINGS_JOB_ID=job-1",
        "TIDINGS_QUEUE=queue-1",
    ];
    assert_eq!(found, expected);
}

fn script_at(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn it_works_in_its_directory_and_is_found_from_there_or_in_its_path() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    std::fs::create_dir_all(root.join("bin")).unwrap();
    script_at(&root.join("bin/whereabouts"), "#!/bin/sh\nprintf '{\"result\":\"%s\"}' \"$PWD\"");
    for program in ["./bin/whereabouts", "bin/whereabouts", "whereabouts"] {
        let mut config = shell("");
        config.environment.set("PATH", root.join("bin")).unwrap();
        (config.program, config.working_directory) = (program.into(), root.clone());
        config.arguments.clear();
        let result = run_config(config, &Notebook::default(), json!({}));
        assert_eq!(result, Ok(json!(root.to_str().unwrap())), "{program}");
    }
}

#[test]
fn what_cannot_be_started_says_why_and_may_be_there_next_time() {
    let check = |program: &str, directory: &str, expected: &str| {
        let mut config = shell("");
        (config.program, config.working_directory) = (program.into(), directory.into());
        let failure = run_config(config, &Notebook::default(), json!({})).unwrap_err();
        assert!(failure.message.starts_with(expected), "{failure:?}");
        assert!(failure.is_retryable);
    };
    check("no-such-program", "/", "the command no-such-program cannot be started: No such file");
    check("/etc/passwd", "/", "the command /etc/passwd cannot be started: Permission denied");
    check("sh", "/no/such/place", "the command's working directory /no/such/place is not there");
}

/// Checks how a script that ends like this fails.
fn check_failed(script: &str, message: &str, is_retryable: bool) {
    let failure = Failure::new(message, is_retryable);
    assert_eq!(run(script).0, Err(failure), "{script}");
}

#[test]
fn another_exit_code_fails_with_the_end_of_standard_error() {
    check_failed("exit 3", "the command ended with exit code 3", true);
    check_failed(
        r#"echo '{"result":5}'; printf 'a\n  no such file\n' >&2; exit 1"#,
        "the command ended with exit code 1: a\n  no such file",
        true,
    );
    check_failed("kill -SEGV $$", "the command was ended by signal 11 (SIGSEGV)", true);
    let mut config = shell("printf 0123456789 >&2; exit 1");
    config.limits.error_bytes = 4;
    let failure = run_config(config, &Notebook::default(), json!({})).unwrap_err();
    assert_eq!(failure.message, "the command ended with exit code 1: …6789");
}

#[test]
fn a_command_can_say_that_another_attempt_will_not_help() {
    for (code, is_retryable) in [(2, true), (64, false), (65, false), (66, true), (75, true)] {
        let message = format!("the command ended with exit code {code}");
        check_failed(&format!("exit {code}"), &message, is_retryable);
    }
    let code_1 = "the command ended with exit code 1";
    check_failed(r#"echo '{"retryable":false}'; exit 1"#, code_1, false);
    let code_65 = "the command ended with exit code 65";
    check_failed(r#"echo '{"retryable":true}'; exit 65"#, code_65, true);
}

#[test]
fn an_error_is_a_failure_whatever_the_exit_code() {
    let error = r#"echo '{"error":"no such page","retryable":false}'; echo noise >&2"#;
    check_failed(error, "no such page", false);
    check_failed(&format!("{error}; exit 9"), "no such page", false);
    check_failed(r#"echo '{"error":"first"}'; echo '{"error":"last"}'"#, "last", true);
    check_failed(r#"echo '{"error":"no"}'; echo '{"result":5}'"#, "no", true);
}

#[test]
fn progress_stays_within_its_bounds_and_never_goes_back() {
    let (_, reports) = run(
        r#"for p in -5 20 10 150 99 1e300; do echo "{\"progress\":$p,\"message\":\"$p\"}"; done
           echo '{"progress":"60%"}'"#,
    );
    let percents: Vec<_> = reports.iter().map(|report| report.percent).collect();
    assert_eq!(percents, [Some(0.0), Some(20.0), None, Some(100.0), None, Some(100.0)]);
    assert_eq!(messages(&reports), ["-5", "20", "10", "150", "99", "1e300"]);
}

/// What the descriptors of a child lead to.
fn seen_by_a_child() -> Vec<String> {
    let (_, reports) = run("for fd in /proc/$$/fd/*; do readlink $fd; done");
    messages(&reports).into_iter().map(str::to_owned).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn a_child_gets_none_of_our_sockets() {
    use rustix::io::{FdFlags, fcntl_setfd};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let inode = rustix::fs::fstat(&listener).unwrap().st_ino;
    let ours = format!("socket:[{inode}]");
    let seen = seen_by_a_child();
    assert!(seen.iter().any(|fd| fd.starts_with("pipe:")), "{seen:?}");
    assert!(!seen.contains(&ours), "{seen:?}");
    // It would be seen if it were there.
    fcntl_setfd(listener.as_fd(), FdFlags::empty()).unwrap();
    assert!(seen_by_a_child().contains(&ours));
}

#[test]
fn several_jobs_are_done_at_the_same_time() {
    let directory = tempfile::tempdir().unwrap();
    // Each waits for the other.
    let script = |mine: &str, other: &str| {
        let at = directory.path().display();
        shell(&format!("touch {at}/{mine}; until [ -e {at}/{other} ]; do sleep 0.01; done"))
    };
    std::thread::scope(|scope| {
        for (mine, other) in [("a", "b"), ("b", "a")] {
            let config = script(mine, other);
            scope.spawn(move || {
                assert_eq!(run_config(config, &Notebook::default(), json!({})), Ok(Value::Null));
            });
        }
    });
}
