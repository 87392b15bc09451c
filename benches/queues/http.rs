//! Tidings' server as it is shipped, over HTTP: publishers on connections that stay open, and workers outside
//! who lease one job after the other and report its end, which is on disk when they are answered.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Deserialize;
use tempfile::TempDir;

use crate::child::{Child, PAUSE};
use crate::redis::free_address;
use crate::usage::{self, Processes};
use crate::work::{Delay, Outcome, Work, seconds};
use crate::{clock, work};

/// How long a server may take to start, and one answer to come.
const START_LIMIT: Duration = Duration::from_secs(20);

/// How long one measurement may take.
const LIMIT: Duration = Duration::from_secs(180);

/// Has a server do the work.
pub fn measure(work: &Work) -> io::Result<Outcome> {
    let server = Server::start(work)?;
    let processes = Processes::of(server.process.id());
    let (cpu, begun) = (processes.cpu() + usage::own_cpu(), clock::now());
    let left = AtomicUsize::new(work.jobs);
    let (accepted, done) = (Mutex::default(), Mutex::default());
    let accepted_at = thread::scope(|scope| {
        let workers = (0..work.concurrency).map(|number| {
            let (server, left, done) = (&server, &left, &done);
            scope.spawn(move || server.work(number, left, done))
        });
        let workers: Vec<_> = workers.collect();
        let publishers = (0..work.publishers).map(|number| {
            let (server, accepted) = (&server, &accepted);
            scope.spawn(move || server.publish(work, number, begun, accepted))
        });
        let publishers: Vec<_> = publishers.collect();
        let published = publishers.into_iter().try_for_each(joined);
        let accepted_at = clock::now();
        if published.is_err() {
            // Nobody waits for what will not come.
            left.store(0, Ordering::Relaxed);
        }
        workers.into_iter().try_for_each(joined)?;
        published.map(|()| accepted_at)
    })?;
    Ok(Outcome {
        accepted_seconds: seconds(begun as f64, accepted_at as f64),
        done_seconds: seconds(begun as f64, clock::now() as f64),
        accepted: Delay::of(accepted.into_inner()),
        done: Delay::of(done.into_inner()),
        cpu_nanoseconds: (processes.cpu() + usage::own_cpu() - cpu) as f64,
        ..Outcome::default()
    })
}

fn joined(thread: thread::ScopedJoinHandle<'_, io::Result<()>>) -> io::Result<()> {
    thread.join().map_err(|_| io::Error::other("a thread panicked"))?
}

/// A server that runs. Ends when it is dropped.
struct Server {
    address: SocketAddr,
    process: Child,
    _folder: TempDir,
}

/// What a worker is given.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Leased {
    job_id: String,
    lease_token: String,
    data: Made,
}

/// What a job is to do: nothing, but it knows since when.
#[derive(Deserialize)]
struct Made {
    at: u64,
}

impl Server {
    fn start(work: &Work) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let address = free_address()?;
        let settings = folder.path().join("tidings.toml");
        let text = format!(
            "listen = \"{address}\"\ndata_dir = \"{}\"\nlog = \"error\"\nmax_ended_jobs = {}\n\
             [queue.noop]\nmax_waiting_jobs = 0\n",
            folder.path().display(),
            work.keep
        );
        fs::write(&settings, text)?;
        let arguments = [OsStr::new("--config"), settings.as_os_str()];
        let process = Child::start(OsStr::new(env!("CARGO_BIN_EXE_tidings")), &arguments)?;
        let server = Self { address, process, _folder: folder };
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(address).is_err() {
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(PAUSE);
        }
        Ok(server)
    }

    /// Makes one publisher's share of the jobs; notes how long each request took.
    fn publish(
        &self,
        work: &Work,
        number: usize,
        begun: u64,
        delays: &Mutex<Vec<u64>>,
    ) -> io::Result<()> {
        let mut connection = Connection::open(self.address)?;
        for sent in (0..work.jobs / work.publishers).step_by(work.bulk) {
            work::await_turn(work, number, sent, begun);
            let at = clock::now();
            let job = format!(r#"{{"jobName":"noop","data":{{"at":{at}}}}}"#);
            let jobs = vec![job; work.bulk].join(",");
            let (queue, durable) = ("noop", work.durable);
            let body = format!(r#"{{"queueName":"{queue}","durable":{durable},"jobs":[{jobs}]}}"#);
            connection.ask("/api/v1/queue/add-bulk", &body)?;
            delays.lock().push(clock::now() - at);
        }
        Ok(())
    }

    /// Does jobs until all are done; notes how long after its making each had ended.
    fn work(&self, number: usize, left: &AtomicUsize, delays: &Mutex<Vec<u64>>) -> io::Result<()> {
        let mut connection = Connection::open(self.address)?;
        let deadline = Instant::now() + LIMIT;
        let wish = format!(r#"{{"workerId":"worker-{number}","waitSeconds":1}}"#);
        while left.load(Ordering::Relaxed) > 0 {
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let Some(given) = connection.ask("/api/v1/queues/noop/lease", &wish)? else { continue };
            let Leased { job_id, lease_token, data } = serde_json::from_slice(&given)?;
            let body = format!(r#"{{"status":"completed","leaseToken":"{lease_token}"}}"#);
            connection.ask(&format!("/api/v1/jobs/{job_id}/status"), &body)?;
            delays.lock().push(clock::now() - data.at);
            // Whoever has given up has set it to nothing.
            let _ = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        }
        Ok(())
    }
}

/// A connection that stays open.
struct Connection {
    stream: TcpStream,
    arrived: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(START_LIMIT))?;
        stream.set_write_timeout(Some(START_LIMIT))?;
        Ok(Self { stream, arrived: Vec::new() })
    }

    /// Posts `body` and returns the answer's body, none if it is empty. Asks again when it is told to come back
    /// later.
    fn ask(&mut self, path: &str, body: &str) -> io::Result<Option<Vec<u8>>> {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        loop {
            self.stream.write_all(request.as_bytes())?;
            match self.answer()? {
                (204, _) => return Ok(None),
                (200..=299, answer) => return Ok(Some(answer)),
                (429 | 503, _) => thread::sleep(PAUSE),
                (_, answer) => {
                    let text = String::from_utf8_lossy(&answer).into_owned();
                    return Err(io::Error::other(format!("{path} was answered: {text}")));
                }
            }
        }
    }

    fn answer(&mut self) -> io::Result<(u16, Vec<u8>)> {
        self.arrived.clear();
        loop {
            if let Some(answer) = read_answer(&self.arrived)? {
                return Ok(answer);
            }
            let mut bytes = [0; 16 << 10];
            match self.stream.read(&mut bytes)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.arrived.extend_from_slice(&bytes[..read]),
            }
        }
    }
}

/// The status and the body of an answer, if all of it is there.
fn read_answer(bytes: &[u8]) -> io::Result<Option<(u16, Vec<u8>)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let mut headers = response.headers.iter();
    let length = headers.find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    let length: usize = length.unwrap_or(0);
    let status = response.code.unwrap_or(0);
    Ok(bytes.get(head..head + length).map(|body| (status, body.to_vec())))
}
