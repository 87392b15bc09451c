//! The three pipes to a process, looked after by one thread.
//!
//! None of them is ever waited for alone: a process that does not read its standard input may fill its
//! standard error, and the other way round.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;

use super::tail::Tail;

/// What is read at a time; as much as a pipe holds.
const PIECE: usize = 64 << 10;

/// So many turns empty any pipe: Linux lets a process without privileges widen one to a mebibyte.
pub(super) const TURNS_TO_EMPTY: usize = 2 * (1 << 20) / PIECE;

/// Our ends of a process's pipes; one that is closed is none.
#[derive(Debug)]
pub(super) struct Pipes {
    input: Option<Input>,
    output: Option<ChildStdout>,
    errors: Option<ChildStderr>,
    piece: Vec<u8>,
    tail: Tail,
    /// Whether the last turn brought anything.
    is_busy: bool,
    /// How long to wait when there is nothing that could wake us.
    nap: Duration,
}

/// Standard input, and what is still to be written to it.
#[derive(Debug)]
struct Input {
    pipe: ChildStdin,
    line: Vec<u8>,
    written: usize,
}

impl Pipes {
    /// Takes the pipes from the process, and has `line` written to it. The last `error_bytes` of its
    /// standard error are kept.
    pub(super) fn of(process: &mut Child, line: Vec<u8>, error_bytes: usize) -> io::Result<Self> {
        let pipe = process.stdin.take();
        let (output, errors) = (process.stdout.take(), process.stderr.take());
        let input = pipe.as_ref().map(AsFd::as_fd);
        let outputs = [output.as_ref().map(AsFd::as_fd), errors.as_ref().map(AsFd::as_fd)];
        for end in outputs.into_iter().chain([input]).flatten() {
            // Only our end: the process has the other one, which blocks as it is used to.
            ioctl_fionbio(end, true)?;
        }
        let tail = Tail::new(error_bytes);
        let input = pipe.map(|pipe| Input { pipe, line, written: 0 });
        Ok(Self {
            input,
            output,
            errors,
            piece: vec![0; PIECE],
            tail,
            is_busy: false,
            nap: Duration::ZERO,
        })
    }

    /// Waits at most so long until a pipe can be read or written, does so once, and returns what came on
    /// standard output.
    pub(super) fn turn(&mut self, at_most: Duration) -> &[u8] {
        self.wait(at_most);
        self.write();
        let errors = read(&mut self.errors, &mut self.piece);
        self.tail.push(&self.piece[..errors]);
        let read = read(&mut self.output, &mut self.piece);
        self.is_busy = errors + read > 0;
        &self.piece[..read]
    }

    /// Whether the last turn brought anything.
    pub(super) fn are_busy(&self) -> bool {
        self.is_busy
    }

    /// Whether nobody writes any more.
    pub(super) fn are_closed(&self) -> bool {
        self.output.is_none() && self.errors.is_none()
    }

    /// The end of what came on standard error.
    pub(super) fn into_errors(self) -> String {
        self.tail.into_text()
    }

    fn wait(&mut self, at_most: Duration) {
        let ends = [
            (self.output.as_ref().map(AsFd::as_fd), PollFlags::IN),
            (self.errors.as_ref().map(AsFd::as_fd), PollFlags::IN),
            (self.input.as_ref().map(|input| input.pipe.as_fd()), PollFlags::OUT),
        ];
        let open = ends.into_iter().filter_map(|(end, flags)| Some((end?, flags)));
        let mut watched: Vec<_> =
            open.map(|(end, flags)| PollFd::from_borrowed_fd(end, flags)).collect();
        if watched.is_empty() {
            // Mostly it ends right after it has closed its pipes, and nothing tells us.
            self.nap = (self.nap * 2).clamp(Duration::from_millis(1), super::TICK);
            thread::sleep(self.nap.min(at_most));
            return;
        }
        let timeout = Timespec::try_from(at_most).ok();
        // Interrupted or refused, it is at worst looked at too early: the pipes do not block.
        if poll(&mut watched, timeout.as_ref()).is_err() {
            thread::sleep(Duration::from_millis(1).min(at_most));
        }
    }

    /// Writes what fits. A process need not read its task, and may be gone: that is its own business.
    fn write(&mut self) {
        let Some(input) = &mut self.input else { return };
        match input.pipe.write(&input.line[input.written..]) {
            Ok(written) => input.written += written,
            Err(error) if is_passing(&error) => return,
            Err(_) => self.input = None,
        }
        // The end of the task is the end of the file.
        if self.input.as_ref().is_some_and(|input| input.written == input.line.len()) {
            self.input = None;
        }
    }
}

/// Reads once; closes the pipe at its end.
fn read<R: Read>(pipe: &mut Option<R>, piece: &mut [u8]) -> usize {
    match pipe.as_mut().map(|pipe| pipe.read(piece)) {
        Some(Ok(read @ 1..)) => read,
        Some(Err(error)) if is_passing(&error) => 0,
        _ => {
            *pipe = None;
            0
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
