//! The commands that use a server, as they are run: the real program against real servers, and against
//! some that do not behave.

mod listen;
mod publish;
mod summarize;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{PATIENCE, Server, lines};

/// A command that runs.
struct Program {
    child: Child,
    output: Receiver<String>,
    errors: Receiver<String>,
}

/// A command that has ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    output: String,
    errors: String,
}

/// It as it is called.
fn program(arguments: &[&str]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tidings"));
    program.env_clear().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    program
}

impl Program {
    /// Starts it with this on its standard input.
    fn start_with(arguments: &[&str], input: &[u8]) -> Self {
        let mut child = program(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // Who does not read its input has ended already, and says why.
        let _ = child.stdin.take().unwrap().write_all(input);
        let output = lines(child.stdout.take().unwrap());
        let errors = lines(child.stderr.take().unwrap());
        Self { child, output, errors }
    }

    fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, b"")
    }

    /// The next line of its output.
    fn next(&self) -> String {
        self.output.recv_timeout(PATIENCE).expect("no line came")
    }

    /// Waits until it has said this on standard error; the line.
    fn wait_for(&self, part: &str) -> String {
        loop {
            let line = self.errors.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("it did not say {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    /// Waits for its end; what it said since somebody last looked.
    fn end(mut self) -> Ended {
        let rest = |lines: &Receiver<String>| {
            // A program that does not end must fail the test rather than hold it up.
            let mut text = String::new();
            while let Ok(line) = lines.recv_timeout(PATIENCE) {
                text.push_str(&line);
                text.push('\n');
            }
            text
        };
        let (output, errors) = (rest(&self.output), rest(&self.errors));
        let _ = self.child.kill();
        Ended { code: self.child.wait().unwrap().code(), output, errors }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(arguments: &[&str]) -> Ended {
    Program::start(arguments).end()
}

fn url(server: &Server) -> String {
    format!("http://{}", server.address)
}

/// A server that answers each connection, in turn, with these bytes, whatever it is asked, and hangs up.
fn misbehaving(answers: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for answer in answers {
            let Ok((mut connection, _)) = listener.accept() else { return };
            // The head of a request that has no body is short.
            let _ = connection.read(&mut [0; 16 << 10]);
            let _ = connection.write_all(&answer);
        }
    });
    format!("http://{address}")
}

/// An event stream's answer with this body, which ends where the connection does.
fn stream_of(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n{body}")
        .into_bytes()
}

/// Checks that these arguments are refused, with this exit code and a sentence with this part.
fn check_refused(arguments: &[&str], code: i32, part: &str) {
    let ended = run(arguments);
    assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
    assert!(ended.errors.contains(part), "{arguments:?}: {ended:?}");
    assert_eq!(ended.output, "", "{arguments:?}");
}
