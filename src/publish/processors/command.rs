//! Outside commands as processors: any program that reads a line and writes lines does jobs.
//!
//! Each attempt starts the program anew, in a process group of its own. It gets the [`Task`] as one line
//! of JSON on standard input and says how far it is by lines of JSON on standard output
//! (`command/line.rs`). Exit code 0 completes the job with the last `result`; anything else fails the
//! attempt with the end of standard error. When the attempt is over, whatever is left of the group is
//! killed, so that no attempt leaves processes behind unless they have left the group themselves.
//! `docs/commands.md` says the same to those who write such programs.

// Starting the process.
mod child;

// The three pipes, none of which can be waited for too long.
mod pipes;

// Bytes to lines, within a limit.
mod lines;

// What a line says.
mod line;

// The end of standard error.
mod tail;

// What was said so far, and what it comes to.
mod account;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use self::account::{Account, End};
use self::line::Said;
use self::lines::Lines;
use self::pipes::Pipes;
use crate::clock::Clock;
use crate::publish::process_group::ProcessGroup;
use crate::publish::queues::config::{CommandConfig, CommandLimits};
use crate::publish::queues::processor::{Desk, Failure, Processor, Task};

/// How long the process may do nothing before somebody looks whether the job is still wanted.
const TICK: Duration = Duration::from_millis(50);

/// Does jobs by starting a program for each attempt.
#[derive(Debug)]
pub struct Command {
    config: CommandConfig,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

impl Command {
    /// Starts `config`'s program for each job, and stops it after `timeout` (zero: never).
    pub fn new(config: CommandConfig, timeout: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { config, timeout, clock }
    }
}

impl Processor for Command {
    fn process(&self, task: &Task, desk: &dyn Desk) -> Result<Value, Failure> {
        let (child, pipes) = child::start(&self.config, task)?;
        let limits = self.config.limits;
        let mut attempt = Attempt {
            desk,
            clock: &*self.clock,
            limits,
            child,
            pipes,
            lines: Lines::new(limits.line_bytes),
            output_bytes: 0,
            account: Account::new(task),
        };
        let end = attempt.run(self.timeout);
        let Attempt { child, pipes, account, .. } = attempt;
        account.verdict(&end, child.reap(), &pipes.into_errors())
    }
}

/// One run of the program.
struct Attempt<'a> {
    desk: &'a dyn Desk,
    clock: &'a dyn Clock,
    limits: CommandLimits,
    child: ProcessGroup,
    pipes: Pipes,
    lines: Lines,
    /// What came on standard output so far.
    output_bytes: usize,
    account: Account<'a>,
}

impl Attempt<'_> {
    /// Listens until the process has ended, or has to; then nothing is left of its group.
    fn run(&mut self, timeout: Duration) -> End {
        let deadline = self.clock.now().checked_add(timeout).filter(|_| !timeout.is_zero());
        let end = loop {
            if let Err(end) = self.listen(TICK) {
                break end;
            }
            if self.child.has_ended() {
                break End::Itself;
            }
            if self.desk.is_cancelled() {
                break End::Cancelled;
            }
            if self.is_past(deadline) {
                break End::TimedOut(timeout);
            }
        };
        if !matches!(end, End::Itself) {
            self.stop();
            return end;
        }
        // Others of the group may hold the pipes open; what the process itself wrote is in them.
        self.child.kill();
        match self.hear_rest() {
            Ok(()) => End::Itself,
            Err(end) => end,
        }
    }

    /// Waits at most so long for the pipes to have something, and does with it what is to be done.
    fn listen(&mut self, at_most: Duration) -> Result<(), End> {
        let bytes = self.pipes.turn(at_most);
        self.output_bytes = self.output_bytes.saturating_add(bytes.len());
        let max = self.limits.output_bytes;
        if max > 0 && self.output_bytes > max {
            return Err(End::TooMuch { what: "in all", setting: "max_output_bytes", max });
        }
        let (account, desk) = (&mut self.account, self.desk);
        let taken = self.lines.push(bytes, &mut |line| tell(account, desk, line));
        taken.map_err(|lines::TooLong| End::TooMuch {
            what: "in one line",
            setting: "max_line_bytes",
            max: self.limits.line_bytes,
        })
    }

    /// What the pipes still hold, and the line that no line feed ended.
    fn hear_rest(&mut self) -> Result<(), End> {
        // Not until they are quiet: someone outside of the group may go on writing for ever.
        for _ in 0..pipes::TURNS_TO_EMPTY {
            self.listen(Duration::ZERO)?;
            if !self.pipes.are_busy() {
                break;
            }
        }
        let (account, desk) = (&mut self.account, self.desk);
        self.lines.finish(&mut |line| tell(account, desk, line));
        Ok(())
    }

    /// Ends the group: politely, and after a while by force. What is still said does not count.
    ///
    /// The time is the whole group's: a shell ends at once, and what it had started may need it. It is
    /// over when the process has ended and nobody holds the pipes.
    fn stop(&mut self) {
        self.child.ask_to_end();
        let until = self.clock.now().checked_add(self.limits.kill_grace);
        while !self.is_past(until) {
            if self.child.has_ended() && self.pipes.are_closed() {
                break;
            }
            self.pipes.turn(TICK);
        }
        self.child.kill();
    }

    fn is_past(&self, deadline: Option<Instant>) -> bool {
        deadline.is_some_and(|deadline| self.clock.now() >= deadline)
    }
}

fn tell(account: &mut Account<'_>, desk: &dyn Desk, line: &[u8]) {
    let progress = Said::in_line(line).and_then(|said| account.take(said));
    if let Some(progress) = progress {
        desk.report(progress);
    }
}
