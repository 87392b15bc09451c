//! The sections `[queue.NAME]`: what stands in the file, and what it means.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidings::publish::queues::config::{
    Backoff, BackoffKind, CommandConfig, ProcessorChoice, QueueConfig, RateLimit,
};

use super::{Typed, check, check_refused, file, in_force, run};

/// What the one section of this file means.
fn queue(typed: Typed<'_>) -> QueueConfig {
    let queues = typed.read().unwrap_or_else(|e| panic!("{e}")).settings.queues;
    let [queue] = <[_; 1]>::try_from(queues).unwrap();
    queue
}

fn command(typed: Typed<'_>) -> CommandConfig {
    let ProcessorChoice::Command(command) = queue(typed).processor else { panic!() };
    command
}

fn variables(command: &CommandConfig) -> Vec<(&OsStr, &OsStr)> {
    command.environment.iter().collect()
}

/// The directory that `tidings.toml` is in: a relative path is relative to where the program runs.
fn here() -> PathBuf {
    std::env::current_dir().unwrap()
}

#[test]
fn a_section_without_a_key_is_a_queue_with_every_default() {
    let expected = QueueConfig::named("emails".parse().unwrap());
    assert_eq!(queue(file("[queue.emails]")), expected);
    assert_eq!(expected.processor, ProcessorChoice::Outside);
    assert!(Typed::default().read().unwrap().settings.queues.is_empty());
}

#[test]
fn every_key_goes_to_its_field() {
    let queue = queue(file(
        r#"
        [queue.thumbnails]
        command = ["python3", "thumbnails.py", "--size", "a \"b\""]
        working_directory = "scripts"
        environment = { API_KEY = "x", LANG = "C" }
        concurrency = 4
        timeout_seconds = 30
        attempts = 5
        backoff = "fixed"
        backoff_ms = 250
        rate_limit_jobs = 10
        rate_limit_seconds = 60
        max_waiting_jobs = 7
        max_output_bytes = 1000
        max_line_bytes = 100
        max_error_bytes = 10
        kill_grace_ms = 1
        "#,
    ));
    assert_eq!(queue.name.as_str(), "thumbnails");
    assert_eq!((queue.concurrency, queue.attempts, queue.max_waiting_jobs), (4, 5, 7));
    assert_eq!(queue.timeout, Duration::from_secs(30));
    let first = Duration::from_millis(250);
    assert_eq!(queue.backoff, Backoff { kind: BackoffKind::Fixed, first });
    assert_eq!(queue.rate_limit, RateLimit { jobs: 10, period: Duration::from_secs(60) });
    let ProcessorChoice::Command(command) = queue.processor else { panic!() };
    assert_eq!(command.program, "python3");
    assert_eq!(command.arguments, ["thumbnails.py", "--size", "a \"b\""]);
    assert_eq!(command.working_directory, here().join("scripts"));
    let (limits, grace) = (command.limits, Duration::from_millis(1));
    assert_eq!((limits.output_bytes, limits.line_bytes, limits.error_bytes), (1000, 100, 10));
    assert_eq!(limits.kill_grace, grace);
}

#[test]
fn queues_stand_in_the_order_of_the_file() {
    let text = "[queue.z]\n[queue.a]\nprocessor = \"summarize\"\n[queue.\"m:1\"]";
    let queues = file(text).read().unwrap().settings.queues;
    let names: Vec<_> = queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["z", "a", "m:1"]);
    assert_eq!(queues[1].processor, ProcessorChoice::BuiltIn("summarize".into()));
}

#[test]
fn relative_paths_are_relative_to_the_files_directory() {
    let directory = |text: &str| command(file(text)).working_directory;
    assert_eq!(directory("[queue.q]\ncommand = [\"x\"]"), here());
    let text = |path: &str| format!("[queue.q]\nworking_directory = {path:?}\ncommand = [\"x\"]");
    assert_eq!(directory(&text("a/b")), here().join("a/b"));
    assert_eq!(directory(&text("")), here());
    assert_eq!(directory(&text("/srv/jobs")), Path::new("/srv/jobs"));
}

#[test]
fn a_command_gets_little_of_our_environment_and_what_its_section_says() {
    let environment = [
        ("PATH", "/bin"),
        ("HOME", "/root"),
        ("LANG", "de"),
        ("TZ", "UTC"),
        ("SECRET", "x"),
        ("TIDINGS_LOG", "warn"),
    ];
    let typed = Typed { environment: &environment, ..file("[queue.q]\ncommand = [\"x\"]") };
    let expected = [("HOME", "/root"), ("LANG", "de"), ("PATH", "/bin"), ("TZ", "UTC")];
    let expected = expected.map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
    assert_eq!(variables(&command(typed)), expected);

    let text = "[queue.q]\ncommand = [\"x\"]\n[queue.q.environment]\nLANG = \"C\"\nA = \"\"";
    let typed = Typed { environment: &[("LANG", "de")], ..file(text) };
    let expected = [("A", ""), ("LANG", "C")].map(|(n, v)| (OsStr::new(n), OsStr::new(v)));
    assert_eq!(variables(&command(typed)), expected);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_one() {
    check_refused(
        file("[queue.q]\n\ncomand = [\"x\"]"),
        &["tidings.toml, line 3: there is no setting queue.q.comand; did you mean command?"],
    );
    check_refused(
        file("[queue.q]\nenviroment = {}"),
        &[
            "tidings.toml, line 2: there is no setting queue.q.enviroment; did you mean environment?",
        ],
    );
    check_refused(
        file("[queue.q]\nxyz = 1"),
        &["tidings.toml, line 2: there is no setting queue.q.xyz"],
    );
    check_refused(
        file("[queue.q]\nlog = \"warn\""),
        &[
            "tidings.toml, line 2: there is no setting queue.q.log; did you mean log, above the first \
           section?",
        ],
    );
    check_refused(
        file("log = \"warn\"\n[queues.q]"),
        &["tidings.toml, line 2: there is no setting queues; did you mean [queue.NAME]?"],
    );
}

#[test]
fn what_is_no_section_is_refused() {
    check_refused(
        file("queue = 5"),
        &[
            "tidings.toml, line 1: queue must be a section for each queue, such as [queue.emails], not 5",
        ],
    );
    check_refused(
        file("[[queue]]\nname = \"q\""),
        &[
            "tidings.toml, line 1: queue must be a section for each queue, such as [queue.emails], not \
           a value of the type array",
        ],
    );
    check_refused(
        file("[queue]\ncommand = [\"x\"]"),
        &["tidings.toml, line 2: queue.command must be a section, [queue.command], not [\"x\"]"],
    );
    check_refused(
        file("[queue.\"a b\"]"),
        &["tidings.toml, line 1: a queue's name must be 1 to 128 of A-Z a-z 0-9 _ . : @ -, not \
           \"a b\""],
    );
    let message = file("[queue.q]\n[queue.q]").read().unwrap_err().to_string();
    assert!(message.starts_with("tidings: tidings.toml, line 2: duplicate key"), "{message}");
    let message = file("[queue.q]\nattempts = 1\nattempts = 2").read().unwrap_err().to_string();
    assert!(message.starts_with("tidings: tidings.toml, line 3: duplicate key"), "{message}");
}

#[test]
fn a_wrong_value_is_refused_with_its_line_and_what_would_be_right() {
    for (line, expected) in [
        ("command = \"ls -l\"", "a list of a program and its arguments, such as [\"python3\", "),
        ("command = []", "a list of a program"),
        ("command = [\"\"]", "a list of a program"),
        ("command = [\"ls\", 5]", "a list of a program"),
        ("command = [\"ls\", \"a\\u0000b\"]", "a list of a program"),
        ("processor = \"sumarize\"", "summarize or resume-analysis, not \"sumarize\""),
        ("concurrency = 0", "a whole number from 1 to 1024, not 0"),
        ("concurrency = \"4\"", "a whole number from 1 to 1024, not \"4\""),
        ("timeout_seconds = -1", "a whole number of seconds from 0 to 604800, not such a number"),
        ("attempts = 0", "a whole number from 1 to 1000, not 0"),
        ("backoff = \"linear\"", "fixed or exponential, not \"linear\""),
        ("backoff_ms = 1.5", "a whole number of milliseconds from 0 to 86400000"),
        ("rate_limit_seconds = 0", "a whole number of seconds from 1 to 604800, not 0"),
        ("max_line_bytes = 1", "a whole number of bytes from 64 to 1073741824, not 1"),
        ("working_directory = 5", "the path of a directory, or empty, not 5"),
        ("environment = \"A=b\"", "a table of texts, such as { LANG = \"C.UTF-8\" }, not \"A=b\""),
    ] {
        let message = file(&format!("[queue.q]\n{line}")).read().unwrap_err().to_string();
        let key = line.split_once(' ').unwrap().0;
        let expected = format!("tidings: tidings.toml, line 2: queue.q.{key} must be {expected}");
        assert!(message.starts_with(&expected), "{message}\n{expected}");
    }
}

#[test]
fn a_wrong_variable_is_refused_with_its_own_line() {
    let text = |line: &str| {
        format!("[queue.q]\ncommand = [\"x\"]\n[queue.q.environment]\nA = \"b\"\n{line}")
    };
    let name = "tidings.toml, line 5: queue.q.environment";
    let nul = "a variable's name may not be empty or contain = or NUL, its value no NUL";
    for (line, expected) in [
        ("PORT = 5", format!("{name}.PORT must be a text, not 5")),
        ("\"A=B\" = \"\"", format!("{name}.A=B: {nul}")),
        ("SECRET = \"hunter\\u00002\"", format!("{name}.SECRET: {nul}")),
        (
            "TIDINGS_QUEUE = \"\"",
            format!("{name}.TIDINGS_QUEUE: says which job it is and is set for each"),
        ),
    ] {
        check_refused(file(&text(line)), &[&expected]);
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    check_refused(
        file("[queue.q]\ncommand = [\"x\"]\nprocessor = \"summarize\""),
        &["tidings.toml, line 3: queue.q has a command and a processor; take one"],
    );
    check_refused(
        file("[queue.q]\nmax_output_bytes = 5\nenvironment = {}"),
        &[
            "tidings.toml, line 2: queue.q.max_output_bytes says nothing without a command",
            "tidings.toml, line 3: queue.q.environment says nothing without a command",
        ],
    );
    check_refused(
        file("[queue.q]\nrate_limit_seconds = 5"),
        &["tidings.toml, line 2: queue.q.rate_limit_seconds says nothing without rate_limit_jobs"],
    );
}

#[test]
fn every_mistake_in_every_section_is_told_at_once() {
    check_refused(
        file("shards = 0\n[queue.a]\nattempts = 0\nx = 1\n[queue.b]\nconcurrency = 0"),
        &[
            "tidings.toml, line 1: shards must be a whole number from 1 to 64, not 0",
            "tidings.toml, line 3: queue.a.attempts must be a whole number from 1 to 1000, not 0",
            "tidings.toml, line 4: there is no setting queue.a.x",
            "tidings.toml, line 6: queue.b.concurrency must be a whole number from 1 to 1024, not 0",
        ],
    );
}

#[test]
fn check_config_prints_each_queue_with_where_it_came_from() {
    let text = "log = \"warn\"\n[queue.a]\ncommand = [\"sh\", \"-c\", 'echo \"x\\y\"']\n\
                environment = { API_KEY = \"hunter2\" }\n\n[queue.\"b:1\"]\nprocessor = \"summarize\"\n\
                attempts = 9";
    let typed = Typed { environment: &[("PATH", "/secret/bin")], ..file(text) };
    check(typed, "[queue.a] # tidings.toml, line 2");
    let command = r#"command = ["sh", "-c", "echo \"x\\y\""] # tidings.toml, line 3"#;
    check(typed, command);
    check(typed, &format!("working_directory = \"{}\" # default", here().display()));
    check(typed, "# environment, without its values: API_KEY, PATH");
    check(typed, "[queue.\"b:1\"] # tidings.toml, line 6");
    check(typed, "processor = \"summarize\" # tidings.toml, line 7");
    check(typed, "attempts = 3 # default");
    check(typed, "attempts = 9 # tidings.toml, line 8");
    check(file("[queue.c]"), "# no command and no processor: workers elsewhere take the jobs");
    let reading = typed.read().unwrap();
    let told = format!("{reading}{:?}", reading.settings);
    assert!(!told.contains("hunter2") && !told.contains("/secret"), "{told}");
}

#[test]
fn what_is_printed_of_queues_can_be_read_back() {
    let text = r#"
        [queue.a]
        command = ["sh", "-c", "echo \"\u007F\\y\"\u200b\n"]
        attempts = 9
        rate_limit_jobs = 5
        [queue."b:1"]
        processor = "summarize"
        [queue.c]
        "#;
    let reading = file(text).read().unwrap();
    let again = file(&reading.to_string()).read().unwrap();
    assert_eq!(in_force(&again), in_force(&reading));
    assert_eq!(again.settings.queues, reading.settings.queues);
}

#[test]
fn check_config_says_which_line_is_wrong_and_the_help_lists_the_keys() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.toml");
    std::fs::write(&path, "[queue.q]\nconcurrency = 0\n").unwrap();
    let path = path.to_str().unwrap();
    let (code, out, err) = run(&["check-config", "--config", path]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert_eq!(
        err,
        format!(
            "tidings: {path}, line 2: queue.q.concurrency must be a whole number from 1 to 1024, not 0\n"
        )
    );
    std::fs::write(path, "[queue.q]\ncommand = [\"x\"]\n").unwrap();
    let (code, out, _) = run(&["check-config", "--config", path]);
    assert_eq!(code, Some(0));
    let (_, section) = out.split_once("[queue.q]").unwrap();
    let (_, help, _) = run(&["--help"]);
    let keys = section.lines().filter_map(|line| line.split_once(" = "));
    let keys: Vec<_> = keys.map(|(key, _)| key).chain(["processor", "environment"]).collect();
    assert!(keys.len() > 12, "{section}");
    for key in keys {
        assert!(help.contains(&format!("  {key}: ")), "{key} is not in the help");
    }
}
