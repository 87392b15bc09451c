//! Settings: what was typed, as data, and what it means.

mod pubsub;
mod queues;

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Command;

use tidings::settings::{Reading, Unread, read};

/// What somebody typed.
#[derive(Default, Clone, Copy)]
struct Typed<'a> {
    arguments: &'a [&'a str],
    environment: &'a [(&'a str, &'a str)],
    /// What stands in `tidings.toml`; the only file there is.
    file: &'a str,
}

impl Typed<'_> {
    fn read(self) -> Result<Reading, Unread> {
        let arguments: Vec<OsString> =
            ["tidings"].iter().chain(self.arguments).map(OsString::from).collect();
        let environment: Vec<(OsString, OsString)> =
            self.environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        read(&arguments, &environment, |path| {
            let found = path == Path::new("tidings.toml");
            found.then(|| self.file.to_owned()).ok_or(io::ErrorKind::NotFound.into())
        })
    }
}

fn flags<'a>(arguments: &'a [&'a str]) -> Typed<'a> {
    Typed { arguments, ..Typed::default() }
}

fn variables<'a>(environment: &'a [(&'a str, &'a str)]) -> Typed<'a> {
    Typed { environment, ..Typed::default() }
}

fn file(file: &str) -> Typed<'_> {
    Typed { arguments: &["--config", "tidings.toml"], file, ..Typed::default() }
}

/// Checks one line of what `check-config` prints: `name = value # origin`.
fn check(typed: Typed<'_>, expected: &str) {
    let reading = typed.read().unwrap_or_else(|e| panic!("{expected}: {e}"));
    let lines: Vec<_> = reading.to_string().lines().map(squeeze).collect();
    assert!(lines.iter().any(|line| line == expected), "{expected} is not in {lines:#?}");
}

fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Checks that it is refused with exactly these sentences.
fn check_refused(typed: Typed<'_>, expected: &[&str]) {
    let Err(Unread::Mistakes(mistakes)) = typed.read() else { panic!("{expected:?}") };
    let sentences: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(sentences, expected);
}

#[test]
fn without_a_word_it_listens_on_this_machine_only() {
    check(Typed::default(), "listen = \"127.0.0.1:5001\" # default");
    check(Typed::default(), "auth = \"off\" # default");
    check(Typed::default(), "max_connections = 10000 # default");
    check(Typed::default(), "heartbeat_ms = 30000 # default");
    check(Typed::default(), "event_types = [] # default");
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let mut typed = file("max_connections = 1\n");
    check(typed, "max_connections = 1 # tidings.toml, line 1");
    typed.environment = &[("TIDINGS_MAX_CONNECTIONS", "2")];
    check(typed, "max_connections = 2 # environment variable TIDINGS_MAX_CONNECTIONS");
    typed.arguments = &["--config", "tidings.toml", "--max-connections", "3"];
    check(typed, "max_connections = 3 # flag --max-connections");
}

#[test]
fn flags_may_stand_before_and_after_the_command() {
    check(flags(&["--log", "debug", "check-config"]), "log = \"debug\" # flag --log");
    check(flags(&["check-config", "--log", "debug"]), "log = \"debug\" # flag --log");
}

#[test]
fn the_environment_can_name_the_file() {
    let typed =
        Typed { environment: &[("TIDINGS_CONFIG", "tidings.toml")], ..file("summarizer = false") };
    check(Typed { arguments: &[], ..typed }, "summarizer = \"off\" # tidings.toml, line 1");
}

#[test]
fn the_older_names_work_and_yield_to_ours() {
    check(
        variables(&[("PORT", "8080")]),
        "listen = \"127.0.0.1:8080\" # environment variable PORT",
    );
    check(
        variables(&[("SSE_HEARTBEAT_INTERVAL", "15000")]),
        "heartbeat_ms = 15000 # environment variable SSE_HEARTBEAT_INTERVAL",
    );
    check(
        variables(&[("SSE_CONNECTION_TIMEOUT", "60")]),
        "stream_lifetime_seconds = 60 # environment variable SSE_CONNECTION_TIMEOUT",
    );
    for both in [
        [("TIDINGS_HEARTBEAT_MS", "7"), ("SSE_HEARTBEAT_INTERVAL", "8")],
        [("SSE_HEARTBEAT_INTERVAL", "8"), ("TIDINGS_HEARTBEAT_MS", "7")],
    ] {
        let expected = "heartbeat_ms = 7 # environment variable TIDINGS_HEARTBEAT_MS";
        check(variables(&both), expected);
    }
}

#[test]
fn hosts_to_fetch_from_are_a_list_and_may_be_none() {
    check(Typed::default(), "fetch_hosts = [\"*\"] # default");
    check(file("fetch_hosts = []"), "fetch_hosts = [] # tidings.toml, line 1");
    check(
        flags(&["--fetch-hosts", "files.example, *.example.org"]),
        "fetch_hosts = [\"files.example\", \"*.example.org\"] # flag --fetch-hosts",
    );
    check_refused(
        flags(&["--fetch-hosts", "https://files.example/"]),
        &["flag --fetch-hosts: fetch_hosts must be a list of hosts, each such as example.com, \
           *.example.com for what lies below it, or * for all, not \"https://files.example/\""],
    );
}

#[test]
fn a_port_alone_keeps_the_address() {
    check(flags(&["--listen", "0"]), "listen = \"127.0.0.1:0\" # flag --listen");
    let typed = Typed { environment: &[("PORT", "80")], ..file("listen = \"[::1]:5001\"") };
    check(typed, "listen = \"[::1]:80\" # environment variable PORT");
}

#[test]
fn lists_are_written_with_commas_or_as_lists() {
    let expected = "trusted_proxies = [\"127.0.0.1/32\", \"10.0.0.0/8\"]";
    let typed = flags(&["--trusted-proxies", "127.0.0.1, 10.0.0.0/8"]);
    check(typed, &format!("{expected} # flag --trusted-proxies"));
    let typed = flags(&["--trusted-proxies", "127.0.0.1", "--trusted-proxies", "10.0.0.0/8"]);
    check(typed, &format!("{expected} # flag --trusted-proxies"));
    let typed = file("\n\ntrusted_proxies = [\n  \"127.0.0.1\",\n  \"10.0.0.0/8\",\n]");
    check(typed, &format!("{expected} # tidings.toml, line 3"));
    check(file("event_types = [\"*\"]"), "event_types = [\"*\"] # tidings.toml, line 1");
}

#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    check(
        variables(&[("TIDINGS_MAX_CONNECTIONS", ""), ("PORT", ""), ("TIDINGS_CONFIG", "")]),
        "max_connections = 10000 # default",
    );
}

#[test]
fn what_kubernetes_puts_there_for_a_service_called_tidings_is_not_ours() {
    check(
        variables(&[
            ("TIDINGS_SERVICE_HOST", "10.0.0.1"),
            ("TIDINGS_SERVICE_PORT_HTTP", "80"),
            ("TIDINGS_PORT", "tcp://10.0.0.1:80"),
            ("TIDINGS_PORT_80_TCP_ADDR", "10.0.0.1"),
            ("OTHER", "x"),
        ]),
        "listen = \"127.0.0.1:5001\" # default",
    );
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_one() {
    check_refused(
        file("\nmax_conections = 5"),
        &[
            "tidings.toml, line 2: there is no setting max_conections; did you mean max_connections?",
        ],
    );
    check_refused(
        file("[server]\nlisten = 1"),
        &["tidings.toml, line 1: there is no setting server"],
    );
    check_refused(
        variables(&[("TIDINGS_HEARTBEAT_SECONDS", "5")]),
        &["environment variable TIDINGS_HEARTBEAT_SECONDS: there is no setting \
           TIDINGS_HEARTBEAT_SECONDS; did you mean TIDINGS_HEARTBEAT_MS?"],
    );
    check_refused(
        variables(&[("TIDINGS_X", "5")]),
        &["environment variable TIDINGS_X: there is no setting TIDINGS_X"],
    );
    check_refused(
        variables(&[("TIDINGS_PORT", "5")]),
        &["environment variable TIDINGS_PORT: there is no setting TIDINGS_PORT; did you mean \
           TIDINGS_LISTEN?"],
    );
    let Err(Unread::CommandLine(clap)) = flags(&["--max-conections", "5"]).read() else { panic!() };
    assert!(clap.to_string().contains("'--max-connections'"), "{clap}");
}

#[test]
fn a_wrong_value_is_refused_with_what_would_be_right() {
    let whole = "max_connections must be a whole number from 0 to 1000000, not";
    for (value, found) in [
        ("\"many\"", "\"many\""),
        ("\"5\"", "\"5\""),
        ("-1", "such a number"),
        ("1000001", "1000001"),
        ("5.5", "a value of the type float"),
        ("true", "true"),
        ("[5]", "a value of the type array"),
    ] {
        let text = format!("log = \"warn\"\nmax_connections = {value}");
        check_refused(file(&text), &[&format!("tidings.toml, line 2: {whole} {found}")]);
    }
    for value in ["many", "-1", "+5", "5.0", "1000001", "0x10", "99999999999999999999", " 5"] {
        let variable = "environment variable TIDINGS_MAX_CONNECTIONS";
        check_refused(
            variables(&[("TIDINGS_MAX_CONNECTIONS", value)]),
            &[&format!("{variable}: {whole} {value:?}")],
        );
    }
}

#[test]
fn each_kind_of_value_says_what_it_takes() {
    for (flag, expected) in [
        ("--listen=here", "an IP address and a port, such as 127.0.0.1:5001 or [::1]:5001, or a"),
        ("--listen=65536", "an IP address and a port"),
        ("--trusted-proxies=nginx", "a list of IP addresses and networks, such as 127.0.0.1 and"),
        ("--event-types=a b", "a list of event types, each a letter and then at most 63 of"),
        ("--log=inof", "off, error, warn, info, debug or trace, or a list such as info,tidings::"),
        ("--log=tidings=loud", "off, error, warn"),
        ("--log-format=xml", "text or json, not \"xml\""),
        ("--auth=on", "off, not \"on\""),
        ("--refuse-streams=maybe", "event or status, not \"maybe\""),
        ("--shards=0", "a whole number from 1 to 64, not \"0\""),
        ("--thread-stack-bytes=1", "a whole number of bytes from 65536 to 1073741824"),
    ] {
        let message = flags(&[flag]).read().unwrap_err().to_string();
        assert!(message.contains(&format!("must be {expected}")), "{message}");
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    let typed = Typed {
        environment: &[("TIDINGS_LOG", "loud")],
        ..file("shards = 0\nheartbeat = 5\nstream_idle_seconds = \"x\"")
    };
    let Err(Unread::Mistakes(mistakes)) = typed.read() else { panic!() };
    let sentences: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(sentences.len(), 4, "{sentences:#?}");
    for (sentence, origin) in sentences.iter().zip(["line 1", "line 2", "line 3", "TIDINGS_LOG"]) {
        assert!(sentence.contains(origin), "{sentence}");
    }
}

#[test]
fn a_file_that_is_no_toml_or_not_there_is_refused() {
    let message = file("log = \"info\"\nlisten 5").read().unwrap_err().to_string();
    assert!(message.starts_with("tidings: tidings.toml, line 2: "), "{message}");
    let message = file("log = \"a\"\nlog = \"b\"").read().unwrap_err().to_string();
    assert!(message.starts_with("tidings: tidings.toml, line 2: duplicate key"), "{message}");
    let message = flags(&["--config", "other.toml"]).read().unwrap_err().to_string();
    assert!(message.starts_with("tidings: the settings file other.toml cannot be read: "));
}

#[test]
fn an_address_that_others_reach_needs_an_open_door_said_aloud() {
    for listen in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "[::ffff:192.0.2.1]:80"] {
        let message = flags(&["--listen", listen]).read().unwrap_err().to_string();
        assert!(
            message.contains(&format!("listen is {listen}, which other machines")),
            "{message}"
        );
        assert!(message.contains("`--auth off`"), "{message}");
        let expected = format!("listen = \"{listen}\" # flag --listen");
        check(flags(&["--listen", listen, "--auth", "off"]), &expected);
    }
    for listen in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
        check(flags(&["--listen", listen]), &format!("listen = \"{listen}\" # flag --listen"));
    }
}

#[test]
fn quiet_streams_must_outlive_their_heartbeat() {
    let message = flags(&["--stream-idle-seconds", "30"]).read().unwrap_err().to_string();
    assert!(message.contains("must be longer than heartbeat_ms (30000)"), "{message}");
    check(
        flags(&["--stream-idle-seconds", "31"]),
        "stream_idle_seconds = 31 # flag --stream-idle-seconds",
    );
    check(
        flags(&["--stream-idle-seconds", "0"]),
        "stream_idle_seconds = 0 # flag --stream-idle-seconds",
    );
}

/// The settings in force as `(name, value)`, in the order they are printed.
fn in_force(reading: &Reading) -> Vec<(String, String)> {
    let report = reading.to_string();
    let settings = report.lines().filter_map(|line| line.split("  #").next()?.split_once(" = "));
    settings.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

#[test]
fn what_is_printed_can_be_read_back() {
    let typed = flags(&[
        "--trusted-proxies=10.0.0.0/8,::1",
        "--event-types=a,b",
        "--log=info,tidings::hub=debug",
        "--retry-ms=1",
        "--refuse-streams=status",
        "--log-format=json",
        "--summarizer=off",
    ]);
    let reading = typed.read().unwrap();
    let again = file(&reading.to_string()).read().unwrap();
    assert_eq!(in_force(&again), in_force(&reading));
}

#[test]
fn every_setting_works_in_all_three_forms() {
    for (name, value) in in_force(&Typed::default().read().unwrap()) {
        let text = value.trim_matches(['[', ']']).replace('"', "");
        check(
            file(&format!("{name} = {value}")),
            &format!("{name} = {value} # tidings.toml, line 1"),
        );
        let flag = format!("--{}", name.replace('_', "-"));
        check(flags(&[&format!("{flag}={text}")]), &format!("{name} = {value} # flag {flag}"));
        if !text.is_empty() {
            let variable = format!("TIDINGS_{}", name.to_uppercase());
            let expected = format!("{name} = {value} # environment variable {variable}");
            check(variables(&[(&variable, &text)]), &expected);
        }
    }
}

/// Runs the built program in an empty environment.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidings"));
    let output = program.args(arguments).env_clear().output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn check_config_prints_what_is_in_force_and_exits_0() {
    let (code, out, _) = run(&["check-config", "--max-connections", "77"]);
    assert_eq!(code, Some(0));
    assert!(
        out.lines().any(|line| squeeze(line) == "max_connections = 77 # flag --max-connections")
    );
}

#[test]
fn bad_settings_exit_2_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.toml");
    std::fs::write(&path, "\nshards = \"two\"\n").unwrap();
    let path = path.to_str().unwrap();
    for command in [&["check-config", "--config", path][..], &["--config", path]] {
        let (code, out, err) = run(command);
        assert_eq!((code, out.as_str()), (Some(2), ""));
        let expected =
            format!("tidings: {path}, line 2: shards must be a whole number from 1 to 64");
        assert!(err.starts_with(&expected), "{err}");
    }
    let (code, _, err) = run(&["--shard", "5"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("'--shards'"), "{err}");
}

#[test]
fn help_and_version_go_to_standard_output() {
    let (code, out, err) = run(&["--version"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, format!("tidings {}\n", env!("CARGO_PKG_VERSION")));
    let (code, out, _) = run(&["--help"]);
    assert_eq!(code, Some(0));
    for (name, _) in in_force(&Typed::default().read().unwrap()) {
        assert!(out.contains(&format!("--{}", name.replace('_', "-"))), "{name}");
    }
}
