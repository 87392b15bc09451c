//! What a test of the whole server needs: the built program on a port of its own, and clients that
//! speak bytes.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use flate2::write::GzDecoder;
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use tidings::event::parser::{EventStreamParser, ReceivedEvent};

/// How long anything that should happen at once may take before a test gives up.
///
/// Nothing waits this long when all is well; a loaded machine must not fail a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The built program, serving on a free port of this machine until it is dropped.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    child: Child,
    /// Where it keeps what survives it; removed after the last server on it.
    data: Arc<TempDir>,
    /// What it says on standard error after its first line, as it says it.
    log: Mutex<Receiver<String>>,
}

impl Server {
    /// Starts it with these flags and a data directory of its own, and waits until it is ready.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_in(Arc::new(tempfile::tempdir().unwrap()), flags)
    }

    /// Starts another one, on the same data directory.
    pub(crate) fn start_again(&self, flags: &[&str]) -> Self {
        Self::start_in(self.data.clone(), flags)
    }

    /// Starts it on this data directory.
    pub(crate) fn start_in(data: Arc<TempDir>, flags: &[&str]) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_tidings"));
        // Nothing of the tester's own environment may decide a test.
        program.env_clear().args(["--listen", "127.0.0.1:0"]).args(flags);
        Self::spawn(program, data)
    }

    /// Starts it on a socket that listens already, and waits until it is ready.
    pub(crate) fn start_on(listener: &TcpListener, flags: &[&str]) -> Self {
        let data = Arc::new(tempfile::tempdir().unwrap());
        Self::spawn(inheriting(listener.try_clone().unwrap(), flags), data)
    }

    /// Starts another one, on a socket that listens already and on the same data directory.
    pub(crate) fn start_again_on(&self, listener: &TcpListener, flags: &[&str]) -> Self {
        Self::spawn(inheriting(listener.try_clone().unwrap(), flags), self.data.clone())
    }

    /// Starts it as `program`, on this data directory, and waits until it is ready.
    pub(crate) fn spawn(mut program: Command, data: Arc<TempDir>) -> Self {
        // A flag wins over it.
        program.env("TIDINGS_DATA_DIR", data.path());
        let mut child = program.stderr(Stdio::piped()).spawn().unwrap();
        let log = lines(child.stderr.take().unwrap());
        let address = loop {
            let line = log.recv_timeout(PATIENCE).expect("the server ended before it was ready");
            if let Some(url) = line.strip_prefix("tidings: listening on http://") {
                break url.parse().unwrap();
            }
        };
        Self { address, child, data, log: Mutex::new(log) }
    }

    /// Sends a request head and body as they are, and reads the whole answer.
    pub(crate) fn send(&self, request: &str) -> Response {
        let mut connection = connect(self.address, None);
        connection.write_all(request.as_bytes()).unwrap();
        Response::read(&mut connection)
    }

    /// Asks for a page.
    pub(crate) fn get(&self, path: &str) -> Response {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"))
    }

    /// Posts JSON.
    pub(crate) fn post(&self, path: &str, json: &str) -> Response {
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
            json.len()
        ))
    }

    /// What `/events/status` tells.
    pub(crate) fn status(&self) -> serde_json::Value {
        self.get("/events/status").json()
    }

    /// Waits until the status tells what is awaited; for what follows from something a while later.
    pub(crate) fn wait_for_status(&self, awaited: impl Fn(&serde_json::Value) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if awaited(&status) {
                return;
            }
            assert!(Instant::now() < deadline, "the status stays {status:#}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until no connection is left but the one that asks, and no stream.
    pub(crate) fn wait_until_quiet(&self) {
        self.wait_for_status(|status| {
            status["server"]["http_connections"] == 1 && status["total_connections"] == 0
        });
    }

    /// A number that the kernel tells of it: `Threads`, or `VmSize` in kibibytes.
    pub(crate) fn measure(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let mut lines = status.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(name, _)| *name == what).unwrap();
        value.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Leaves it no more of something than this, until more is allowed again.
    pub(crate) fn limit_for_now(&self, resource: Resource, most: Option<u64>) {
        let limit = Rlimit { current: most, maximum: None };
        prlimit(Some(Pid::from_child(&self.child)), resource, limit).unwrap();
    }

    /// Leaves it no more of something than this.
    pub(crate) fn limit(&self, resource: Resource, most: u64) {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        prlimit(Some(Pid::from_child(&self.child)), resource, limit).unwrap();
    }

    /// Opens an event stream and reads its head.
    pub(crate) fn stream(&self, path: &str) -> EventStream {
        EventStream::open(connect(self.address, None), path, &[])
    }

    /// Tells it to stop, as an operating system does.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a line of the log that contains `part`.
    pub(crate) fn wait_for_log(&self, part: &str) -> String {
        let mut seen = Vec::new();
        let log = self.log.lock().unwrap();
        loop {
            match log.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => seen.push(line),
                Err(e) => panic!("{part:?} was not logged ({e}), but {seen:#?}"),
            }
        }
    }
}

/// The program with a socket as descriptor 3, as systemd passes it. A shell does what a process can do
/// only for itself: say its own number. A file that may not grow is to be an error, as a full disk is,
/// and not the signal that a process dies of.
pub(crate) fn inheriting(socket: impl Into<OwnedFd>, flags: &[&str]) -> Command {
    let pass = r#"exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@""#;
    let mut shell = Command::new("/bin/sh");
    shell.env_clear().args(["-c", pass, env!("CARGO_BIN_EXE_tidings")]).args(flags);
    shell.stdin(socket.into());
    shell
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines as they arrive, read by a thread so that the writer never waits for the test.
pub(crate) fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // Shown only if the test fails.
            println!("{line}");
            let _ = sender.send(line);
        }
    });
    receiver
}

/// A connection that fails rather than waits for ever; `from` is the client's own address.
pub(crate) fn connect(to: SocketAddr, from: Option<Ipv4Addr>) -> TcpStream {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
    if let Some(from) = from {
        socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    }
    socket.connect_timeout(&to.into(), PATIENCE).unwrap();
    let connection = TcpStream::from(socket);
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) head: Head,
    pub(crate) body: String,
}

impl Response {
    /// Reads a head and the body that it announces.
    pub(crate) fn read(connection: &mut impl Read) -> Self {
        let head = Head::read(connection);
        let mut body = Vec::new();
        if let Some(length) = head.header("content-length") {
            body.resize(length.parse().unwrap(), 0);
            connection.read_exact(&mut body).unwrap();
        } else if head.is_chunked() {
            while let Some(chunk) = read_chunk(connection).unwrap() {
                body.extend(chunk);
            }
        } else {
            connection.read_to_end(&mut body).unwrap();
        }
        Self { head, body: String::from_utf8(body).unwrap() }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// An answer's status line and headers.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Names in lower case.
    headers: Vec<(String, String)>,
}

impl Head {
    /// Reads a status line and headers, and nothing of what follows.
    pub(crate) fn read(connection: &mut impl Read) -> Self {
        let mut bytes = Vec::new();
        let mut byte = [0];
        // Byte by byte, so that nothing of the body is taken.
        while !bytes.ends_with(b"\r\n\r\n") {
            connection.read_exact(&mut byte).unwrap_or_else(|e| panic!("{e} after {bytes:?}"));
            bytes.push(byte[0]);
        }
        let text = String::from_utf8(bytes).unwrap();
        let mut lines = text.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(':').unwrap());
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        Self { status, headers: headers.collect() }
    }

    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding") == Some("chunked")
    }
}

/// The next chunk, or none after the last one.
fn read_chunk(connection: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut size = Vec::new();
    let mut byte = [0];
    while !size.ends_with(b"\r\n") {
        connection.read_exact(&mut byte)?;
        size.push(byte[0]);
    }
    let size = usize::from_str_radix(String::from_utf8_lossy(&size).trim(), 16).unwrap();
    let mut chunk = vec![0; size + 2];
    connection.read_exact(&mut chunk)?;
    chunk.truncate(size);
    Ok((size > 0).then_some(chunk))
}

/// An open event stream, as a browser sees it.
pub(crate) struct EventStream {
    pub(crate) head: Head,
    connection: Box<dyn Read + Send>,
    /// Of a stream that a proxy has compressed.
    decoder: Option<GzDecoder<Vec<u8>>>,
    parser: EventStreamParser,
    /// Events that arrived together with an earlier one.
    waiting: VecDeque<ReceivedEvent>,
}

impl EventStream {
    /// Asks for `path` as a browser does, with further header lines.
    pub(crate) fn open(
        mut connection: impl Read + Write + Send + 'static,
        path: &str,
        headers: &[&str],
    ) -> Self {
        let request = format!("GET {path} HTTP/1.1\r\nHost: t\r\nAccept: text/event-stream");
        let lines: Vec<_> = [request.as_str()].iter().chain(headers).copied().collect();
        let request = lines.join("\r\n") + "\r\n\r\n";
        connection.write_all(request.as_bytes()).unwrap();
        Self::answer(connection)
    }

    /// Reads the head of a stream that was asked for.
    pub(crate) fn answer(mut connection: impl Read + Send + 'static) -> Self {
        let head = Head::read(&mut connection);
        let is_compressed = head.header("content-encoding") == Some("gzip");
        Self {
            head,
            decoder: is_compressed.then(|| GzDecoder::new(Vec::new())),
            connection: Box::new(connection),
            parser: EventStreamParser::default(),
            waiting: VecDeque::new(),
        }
    }

    /// The next event, heartbeats included; none if the stream has ended cleanly.
    pub(crate) fn next_or_end(&mut self) -> Option<ReceivedEvent> {
        while self.waiting.is_empty() {
            let bytes = self.read()?;
            self.waiting.extend(self.parser.feed(&bytes));
        }
        self.waiting.pop_front()
    }

    /// The reconnection time it was told last, in milliseconds.
    pub(crate) fn retry_ms(&self) -> Option<u64> {
        self.parser.retry_ms()
    }

    /// The next event, heartbeats included.
    pub(crate) fn next(&mut self) -> ReceivedEvent {
        self.next_or_end().expect("the stream has ended")
    }

    /// The next event of this type; those before it are dropped.
    pub(crate) fn next_named(&mut self, name: &str) -> ReceivedEvent {
        loop {
            let event = self.next();
            if event.name == name {
                return event;
            }
        }
    }

    /// What arrives next; none at the end. An end that the protocol does not announce fails the test.
    fn read(&mut self) -> Option<Vec<u8>> {
        let bytes = self.read_encoded()?;
        let Some(decoder) = &mut self.decoder else { return Some(bytes) };
        decoder.write_all(&bytes).unwrap();
        decoder.flush().unwrap();
        Some(std::mem::take(decoder.get_mut()))
    }

    fn read_encoded(&mut self) -> Option<Vec<u8>> {
        if self.head.is_chunked() {
            return read_chunk(&mut self.connection).unwrap();
        }
        let mut buffer = vec![0; 4096];
        let count = self.connection.read(&mut buffer).unwrap();
        buffer.truncate(count);
        (count > 0).then_some(buffer)
    }
}
