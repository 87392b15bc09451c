//! Starting the process, in surroundings of its own.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{self, Stdio};

use super::pipes::Pipes;
use crate::publish::process_group::ProcessGroup;
use crate::publish::queues::config::{CommandConfig, JOB_VARIABLES};
use crate::publish::queues::processor::{Failure, Task};

/// Starts the program and lays its task on its standard input.
pub(super) fn start(config: &CommandConfig, task: &Task) -> Result<(ProcessGroup, Pipes), Failure> {
    let cannot = |error| Failure::retryable(why_not(config, &error));
    let input = input(task)?;
    let mut process = command(config, task).spawn().map_err(cannot)?;
    let pipes = Pipes::of(&mut process, input, config.limits.error_bytes);
    // From here on the group ends whatever happens.
    let group = ProcessGroup::of(process);
    pipes.map(|pipes| (group, pipes)).map_err(cannot)
}

fn command(config: &CommandConfig, task: &Task) -> process::Command {
    let job = [task.job_id.as_str(), task.queue_name.as_str(), &task.attempt.to_string()]
        .map(str::to_owned);
    let mut command = process::Command::new(program(config));
    command
        .args(&config.arguments)
        .current_dir(&config.working_directory)
        .env_clear()
        .envs(config.environment.iter())
        .envs(JOB_VARIABLES.into_iter().zip(job))
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A name without a slash is looked up in the command's `PATH`; a path is relative to where it works,
/// which the operating system alone would not promise.
fn program(config: &CommandConfig) -> PathBuf {
    let program = PathBuf::from(&config.program);
    if config.program.contains('/') { config.working_directory.join(program) } else { program }
}

fn input(task: &Task) -> Result<Vec<u8>, Failure> {
    let line = serde_json::to_vec(task);
    let mut line = line.map_err(|e| Failure::for_good(format!("the job is no JSON: {e}")))?;
    line.push(b'\n');
    Ok(line)
}

/// "No such file" is said of both the program and the directory.
fn why_not(config: &CommandConfig, error: &io::Error) -> String {
    let directory = &config.working_directory;
    if directory.is_dir() {
        format!("the command {} cannot be started: {error}", config.program)
    } else {
        format!("the command's working directory {} is not there", directory.display())
    }
}
