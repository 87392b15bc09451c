//! The configuration in `nginx/`, in real nginx: events pass at once, addresses are forwarded, many
//! streams fit.
//!
//! What is tested are the files as they are shipped. Only what belongs to the machine is replaced:
//! ports, paths, and times that nobody wants to sit through.

use std::fs;
use std::io::{BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings::event::parser::EventStreamParser;
use tidings::settings::machine::raise_open_files;

use crate::support::{EventStream, PATIENCE, Server, connect};

/// Flags of a server that stands behind the proxy on this machine.
const BEHIND_PROXY: &[&str] = &["--trusted-proxies", "127.0.0.1"];

/// Another server in the same http block: what someone writes who has read nothing, under an http block
/// that compresses whatever it can.
const BARE: &str = "
    gzip on;
    gzip_types *;
    gzip_min_length 0;
    gzip_proxied any;
    server {
        listen BARE_ADDRESS;
        location / {
            proxy_pass http://tidings;
        }
    }
";

/// Real nginx with the shipped files, until it is dropped.
pub(crate) struct Nginx {
    child: Child,
    folder: TempDir,
    /// TLS and HTTP/2.
    tls: SocketAddr,
    /// The same location over plain HTTP, instead of the redirection, for clients without TLS.
    pub(crate) plain: SocketAddr,
    /// A bare `proxy_pass` with gzip on.
    bare: SocketAddr,
}

impl Nginx {
    /// Starts it in front of `server`, with further replacements in the stream's settings.
    pub(crate) fn start(server: &Server, stream: &[(&str, &str)]) -> Self {
        let folder = shipped_files();
        let [tls, plain, bare] = free_addresses();
        let bare_server = BARE.replace("BARE_ADDRESS", &bare.to_string());
        patch(&folder, "nginx.conf", &[("http {", &format!("{} {bare_server}", own_paths()))]);
        patch(
            &folder,
            "tidings.conf",
            &[
                ("127.0.0.1:5001", &server.address.to_string()),
                ("listen 443 ssl http2;", &format!("listen {tls} ssl http2;")),
                ("listen 80;", &format!("listen {plain};")),
                (
                    "return 308 https://$host$request_uri;",
                    "include tidings-away.conf;
                     location / { proxy_pass http://tidings; include tidings-stream.conf; }",
                ),
            ],
        );
        patch(&folder, "tidings-stream.conf", stream);
        let errors = fs::File::create(folder.path().join("error.log")).unwrap();
        let mut nginx = nginx(&folder);
        nginx.args(["-g", "daemon off; pid nginx.pid;"]).stderr(errors);
        let child = nginx.spawn().unwrap();
        let nginx = Self { child, folder, tls, plain, bare };
        nginx.wait_until_ready();
        nginx
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while std::net::TcpStream::connect(self.plain).is_err() {
            let errors = || fs::read_to_string(self.folder.path().join("error.log"));
            assert!(Instant::now() < deadline, "nginx does not listen: {:?}", errors());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// A stream over HTTP/2 and TLS, by curl.
    fn curl_stream(&self, path: &str) -> CurlStream {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--no-buffer", "--http2", "--cacert"]);
        curl.arg(self.folder.path().join("tls/tidings.crt"));
        // Printed at the very end, on standard error.
        curl.args(["--write-out", "%{stderr}HTTP/%{http_version}"]);
        curl.arg(format!("https://localhost:{}{path}", self.tls.port()));
        let mut child = curl.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        CurlStream { child, output, parser: EventStreamParser::default() }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM, so that the master takes its workers along.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// The files of `nginx/` in a folder of their own, with a self-made certificate.
fn shipped_files() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("nginx")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    fs::create_dir(folder.path().join("tls")).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    openssl.args(["-days", "30", "-subj", "/CN=localhost"]);
    openssl.args(["-addext", "subjectAltName=DNS:localhost"]);
    openssl.args(["-keyout", "tls/tidings.key", "-out", "tls/tidings.crt"]);
    let output = openssl.current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

/// Replaces what stands in a file exactly once, so that a test notices when the file has changed.
fn patch(folder: &TempDir, file: &str, replacements: &[(&str, &str)]) {
    let path = folder.path().join(file);
    let mut text = fs::read_to_string(&path).unwrap();
    for (from, to) in replacements {
        assert_eq!(text.matches(from).count(), 1, "{from:?} in {file}");
        text = text.replace(from, to);
    }
    fs::write(path, text).unwrap();
}

/// The start of the http block for an nginx that may not write where Debian's writes by default.
fn own_paths() -> String {
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};"));
    format!("http {{ access_log off; {}", paths.join(" "))
}

fn program() -> Option<PathBuf> {
    // Debian's folder for it is not in everybody's path.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
    path.split(':').map(|folder| Path::new(folder).join("nginx")).find(|file| file.is_file())
}

fn nginx(folder: &TempDir) -> Command {
    let mut nginx = Command::new(program().unwrap());
    nginx.arg("-p").arg(folder.path()).args(["-e", "stderr", "-c"]);
    nginx.arg(folder.path().join("nginx.conf"));
    nginx
}

/// Whether nginx is there; on a build machine it must be.
pub(crate) fn is_installed() -> bool {
    let found = program().is_some();
    assert!(found || std::env::var("CI").is_err(), "nginx is not installed");
    if !found {
        eprintln!("skipped: nginx is not installed");
    }
    found
}

/// Addresses that were free a moment ago: nginx cannot be asked which port it was given.
fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    let listeners: [_; N] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap())
}

/// An event stream that curl holds.
struct CurlStream {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    parser: EventStreamParser,
}

impl CurlStream {
    fn next(&mut self) -> tidings::event::parser::ReceivedEvent {
        let mut byte = [0];
        loop {
            self.output.read_exact(&mut byte).expect("curl has ended");
            if let Some(event) = self.parser.feed(&byte).pop() {
                return event;
            }
        }
    }

    /// Waits until the stream has ended and returns what curl says of it.
    fn end(&mut self) -> String {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
        said
    }
}

impl Drop for CurlStream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn broadcast(server: &Server, text: &str) -> u64 {
    let json = format!(r#"{{"event_type": "system", "data": {{"message": "{text}"}}}}"#);
    let response = server.post("/events/broadcast", &json);
    assert_eq!(response.head.status, 200, "{}", response.body);
    response.json()["matched"].as_u64().unwrap()
}

/// Publishes events one after the other, each only when the one before has arrived: an event that waits
/// in a buffer for the next would never come.
fn check_one_by_one(server: &Server, mut next: impl FnMut() -> (String, String)) {
    assert_eq!(next().0, "connected");
    for number in 0..5 {
        assert_ne!(broadcast(server, &format!("event {number}")), 0);
        let (name, data) = next();
        assert_eq!((name.as_str(), data.contains(&format!("event {number}"))), ("system", true));
    }
}

#[test]
fn the_configuration_is_valid_as_it_stands() {
    if !is_installed() {
        return;
    }
    let folder = shipped_files();
    // Only root may listen below 1024 and write where Debian's nginx writes.
    if !rustix::process::getuid().is_root() {
        let ports =
            [("listen 443 ssl http2;", "listen 8443 ssl http2;"), ("listen 80;", "listen 8080;")];
        patch(&folder, "tidings.conf", &ports);
        patch(&folder, "nginx.conf", &[("http {", &own_paths())]);
    }
    let output = nginx(&folder).args(["-t", "-g", "pid nginx.pid;"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("[warn]"), "{said}");
}

#[test]
fn events_pass_one_by_one_over_http_2_and_tls() {
    if !is_installed() {
        return;
    }
    let server = Server::start(&[BEHIND_PROXY, &["--stream-lifetime-seconds", "3"]].concat());
    let nginx = Nginx::start(&server, &[]);
    let mut stream = nginx.curl_stream("/events?subscribe=system");
    check_one_by_one(&server, || {
        let event = stream.next();
        (event.name, event.data)
    });
    // Its life over, the stream ends cleanly for HTTP/2 too, or curl would complain.
    assert_eq!(stream.end(), "HTTP/2");
}

#[test]
fn events_pass_one_by_one_through_a_bare_proxy_pass_with_gzip_on() {
    if !is_installed() {
        return;
    }
    let server = Server::start(BEHIND_PROXY);
    let nginx = Nginx::start(&server, &[]);
    for headers in [&[][..], &["Accept-Encoding: gzip"]] {
        let connection = connect(nginx.bare, None);
        let mut stream = EventStream::open(connection, "/events?subscribe=system", headers);
        assert_eq!(stream.head.status, 200);
        let expected = (!headers.is_empty()).then_some("gzip");
        assert_eq!(stream.head.header("content-encoding"), expected);
        check_one_by_one(&server, || {
            let event = stream.next();
            (event.name, event.data)
        });
    }
}

/// Reads heartbeats for three times as long as nginx would bear silence.
#[test]
fn heartbeats_keep_a_quiet_stream_open_beyond_the_read_timeout() {
    if !is_installed() {
        return;
    }
    // The shipped 95 s and 30 s, thirty times as fast.
    let server = Server::start(&[BEHIND_PROXY, &["--heartbeat-ms", "250"]].concat());
    let nginx = Nginx::start(&server, &[("proxy_read_timeout 95s", "proxy_read_timeout 1s")]);
    let mut stream = EventStream::open(connect(nginx.plain, None), "/events", &[]);
    assert_eq!(stream.next().name, "connected");
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(3) {
        assert_eq!(stream.next().name, "ping");
    }
    assert_eq!(broadcast(&server, "still there"), 1);
    assert!(stream.next_named("system").data.contains("still there"));
}

/// The counterpart of the test above: it is the heartbeats that keep it open.
#[test]
fn without_heartbeats_nginx_gives_a_quiet_stream_up() {
    if !is_installed() {
        return;
    }
    let server = Server::start(&[BEHIND_PROXY, &["--heartbeat-ms", "0"]].concat());
    let nginx = Nginx::start(&server, &[("proxy_read_timeout 95s", "proxy_read_timeout 1s")]);
    let mut connection = connect(nginx.plain, None);
    let request = "GET /events HTTP/1.0\r\nHost: t\r\n\r\n";
    std::io::Write::write_all(&mut connection, request.as_bytes()).unwrap();
    let mut received = String::new();
    // Cut off or ended: it is over long before the stream's hour.
    let _ = connection.read_to_string(&mut received);
    assert!(received.contains("event: connected"), "{received}");
    assert!(!received.contains("event: ping"), "{received}");
}

/// Opens a stream from `from` through nginx and returns the address that the server has for it.
fn forwarded(server: &Server, nginx: &Nginx, from: Ipv4Addr, headers: &[&str]) -> String {
    let mut stream = EventStream::open(connect(nginx.plain, Some(from)), "/events", headers);
    let greeting: serde_json::Value = serde_json::from_str(&stream.next().data).unwrap();
    let status = server.get("/events/status").json();
    let connections = status["connections"].as_array().unwrap();
    let ours = connections.iter().find(|c| c["connection_id"] == greeting["connection_id"]);
    ours.unwrap()["user_ip"].as_str().unwrap().to_owned()
}

#[test]
fn the_clients_address_comes_through_and_cannot_be_forged() {
    if !is_installed() {
        return;
    }
    let client = Ipv4Addr::new(127, 0, 0, 7);
    let trusting = Server::start(BEHIND_PROXY);
    let nginx = Nginx::start(&trusting, &[]);
    assert_eq!(forwarded(&trusting, &nginx, client, &[]), "127.0.0.7");
    let forged = ["X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.1"];
    assert_eq!(forwarded(&trusting, &nginx, client, &forged), "127.0.0.7");
    let wary = Server::start(&[]);
    let nginx = Nginx::start(&wary, &[]);
    assert_eq!(forwarded(&wary, &nginx, client, &forged), "127.0.0.1");
}

#[test]
fn a_thousand_streams_get_one_event() {
    if !is_installed() {
        return;
    }
    raise_open_files();
    let server = Server::start(BEHIND_PROXY);
    let nginx = Nginx::start(&server, &[]);
    // From ten addresses, because a hundred are within the limit of one and a thousand are not.
    let addresses = (1..=10).cycle().take(1000).map(|last| Ipv4Addr::new(127, 0, 1, last));
    let mut streams: Vec<_> = addresses
        .map(|from| EventStream::open(connect(nginx.plain, Some(from)), "/events", &[]))
        .collect();
    for stream in &mut streams {
        assert_eq!(stream.next().name, "connected");
    }
    assert_eq!(broadcast(&server, "to all"), 1000);
    for stream in &mut streams {
        assert!(stream.next_named("system").data.contains("to all"));
    }
}
