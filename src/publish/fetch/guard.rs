//! A proxy that stands between a program of others and the network: it connects only where the gate lets it, and
//! to the very address that was judged.
//!
//! It speaks as much of HTTP as a client needs of a proxy: `CONNECT`, and requests with a whole address. It
//! listens on this machine only, for those who know its password, as long as somebody holds it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use uuid::Uuid;

use super::gate::{Gate, Refusal};

/// Connections that it serves at the same time; others are closed.
const MAX_CONNECTIONS: usize = 32;
/// The head of a request is no longer.
const MAX_HEAD_BYTES: usize = 32 << 10;
/// How long either side may be silent.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long it is waited when no connection can be taken.
const TICK: Duration = Duration::from_millis(20);
/// How often the thread is woken at the end.
const WAKES: usize = 1_000;
const USER: &str = "tidings";

/// The proxy; dropped, it is gone.
#[derive(Debug)]
pub struct Guard {
    shared: Arc<Shared>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    gate: Gate,
    password: String,
    connections: AtomicUsize,
    is_over: AtomicBool,
    /// The first thing that was refused: what follows is a consequence.
    refusal: Mutex<Option<String>>,
}

impl Guard {
    /// Listens on a port that is free.
    pub fn start(gate: Gate) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            gate,
            password: Uuid::new_v4().simple().to_string(),
            connections: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            refusal: Mutex::default(),
        });
        let serving = shared.clone();
        let serve = move || accept(&listener, &serving);
        let thread = thread::Builder::new().name("guard".into()).spawn(serve)?;
        Ok(Self { shared, address, thread: Some(thread) })
    }

    /// Its address, with what only those know who are to use it.
    pub fn url(&self) -> String {
        format!("http://{USER}:{}@{}", self.shared.password, self.address)
    }

    /// What it has refused first, in a sentence without an end.
    pub fn refusal(&self) -> Option<String> {
        self.shared.refusal.lock().clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let Some(thread) = self.thread.take() else { return };
        for _ in 0..WAKES {
            // Wakes the thread, which then sees that it is over.
            let _ = TcpStream::connect_timeout(&self.address, CONNECT_TIMEOUT);
            if thread.is_finished() {
                let _ = thread.join();
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        // Left to itself, it ends with the next connection.
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.is_over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else {
            // Perhaps there are no descriptors left: others close some.
            thread::sleep(TICK);
            continue;
        };
        if shared.connections.fetch_add(1, Ordering::SeqCst) >= MAX_CONNECTIONS {
            shared.connections.fetch_sub(1, Ordering::SeqCst);
            continue;
        }
        let serving = shared.clone();
        let serve = move || {
            // A client that hangs up, or says nothing that can be understood, is none of our troubles.
            let _ = serving.serve(client);
            serving.connections.fetch_sub(1, Ordering::SeqCst);
        };
        if thread::Builder::new().name("guarded".into()).spawn(serve).is_err() {
            shared.connections.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// What a client asks of a proxy.
struct Request {
    is_tunnel: bool,
    host: String,
    port: u16,
    /// What the server is to be told: the request as it would have been without a proxy.
    head: Vec<u8>,
    /// What the client has sent behind the head.
    rest: Vec<u8>,
}

impl Shared {
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(SILENCE))?;
        client.set_write_timeout(Some(SILENCE))?;
        let (head, rest) = read_head(&mut client)?;
        let request = match self.understand(&head, rest) {
            Ok(request) => request,
            Err(status) => return refuse(&mut client, status),
        };
        let mut server = match self.connect(&request.host, request.port) {
            Ok(server) => server,
            Err(Failed::Refused(refusal)) => {
                self.refusal.lock().get_or_insert(refusal.to_string());
                return refuse(&mut client, "403 Forbidden");
            }
            Err(Failed::Unreachable) => return refuse(&mut client, "502 Bad Gateway"),
        };
        server.set_read_timeout(Some(SILENCE))?;
        server.set_write_timeout(Some(SILENCE))?;
        if request.is_tunnel {
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        }
        server.write_all(&request.head)?;
        server.write_all(&request.rest)?;
        self.carry(client, server)
    }

    fn understand(&self, head: &[u8], rest: Vec<u8>) -> Result<Request, &'static str> {
        const BAD: &str = "400 Bad Request";
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut parsed = httparse::Request::new(&mut headers);
        parsed.parse(head).map_err(|_| BAD)?;
        let (method, target) = (parsed.method.ok_or(BAD)?, parsed.path.ok_or(BAD)?);
        let expected = format!("Basic {}", STANDARD.encode(format!("{USER}:{}", self.password)));
        let is_known = parsed.headers.iter().any(|header| {
            header.name.eq_ignore_ascii_case("proxy-authorization")
                && header.value == expected.as_bytes()
        });
        if !is_known {
            return Err("407 Proxy Authentication Required");
        }
        if method == "CONNECT" {
            let (host, port) = target.rsplit_once(':').ok_or(BAD)?;
            let (host, port) = (host.to_owned(), port.parse().map_err(|_| BAD)?);
            return Ok(Request { is_tunnel: true, host, port, head: Vec::new(), rest });
        }
        let target: http::Uri = target.parse().map_err(|_| BAD)?;
        if target.scheme_str() != Some("http") {
            return Err(BAD);
        }
        let host = target.host().ok_or(BAD)?.to_owned();
        let path = target.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let mut forwarded = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
        for header in parsed.headers.iter() {
            let name = header.name.to_ascii_lowercase();
            if !name.starts_with("proxy-") && !["connection", "keep-alive"].contains(&&*name) {
                forwarded.extend_from_slice(header.name.as_bytes());
                forwarded.extend_from_slice(b": ");
                forwarded.extend_from_slice(header.value);
                forwarded.extend_from_slice(b"\r\n");
            }
        }
        // One request, so that the next one's address is judged as well.
        forwarded.extend_from_slice(b"Connection: close\r\n\r\n");
        let port = target.port_u16().unwrap_or(80);
        Ok(Request { is_tunnel: false, host, port, head: forwarded, rest })
    }

    fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Failed> {
        let addresses = self.gate.resolve(host, port).map_err(|refusal| match refusal {
            Refusal::Unknown(_) => Failed::Unreachable,
            refusal => Failed::Refused(refusal),
        })?;
        let mut tries = addresses.iter().map(|at| TcpStream::connect_timeout(at, CONNECT_TIMEOUT));
        tries.find_map(Result::ok).ok_or(Failed::Unreachable)
    }

    /// Carries what either side says to the other, until both have said all, one is silent for too long, or
    /// nobody holds the guard any more.
    fn carry(&self, client: TcpStream, server: TcpStream) -> io::Result<()> {
        let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
        let (mut from_server, mut to_client) = (server, client);
        thread::scope(|scope| {
            scope.spawn(|| self.pour(&mut from_client, &mut to_server));
            self.pour(&mut from_server, &mut to_client);
            // The server has said all: whatever the client still says, nobody hears.
            let _ = from_server.shutdown(Shutdown::Both);
            let _ = to_client.shutdown(Shutdown::Both);
        });
        Ok(())
    }

    fn pour(&self, from: &mut TcpStream, to: &mut TcpStream) {
        let mut buffer = [0; 16 << 10];
        while !self.is_over.load(Ordering::Relaxed) {
            match from.read(&mut buffer) {
                Ok(bytes) if bytes > 0 && to.write_all(&buffer[..bytes]).is_ok() => {}
                _ => break,
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }
}

enum Failed {
    Refused(Refusal),
    Unreachable,
}

/// The head of a request, and what came behind it.
fn read_head(client: &mut TcpStream) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut head = Vec::new();
    let mut buffer = [0; 4 << 10];
    loop {
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = head.split_off(end + 4);
            return Ok((head, rest));
        }
        let bytes = client.read(&mut buffer)?;
        if bytes == 0 || head.len() + bytes > MAX_HEAD_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(&buffer[..bytes]);
    }
}

fn refuse(client: &mut TcpStream, status: &str) -> io::Result<()> {
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    client.write_all(answer.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers each connection with what it was sent, up to the end of a head.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut stream = stream;
                let Ok((head, _)) = read_head(&mut stream) else { continue };
                let length = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", head.len());
                let _ = stream.write_all(length.as_bytes()).and_then(|()| stream.write_all(&head));
            }
        });
        address
    }

    fn guard(hosts: &[&str], private: bool) -> Guard {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        Guard::start(Gate::new("video_hosts", hosts, private)).unwrap()
    }

    fn ask(guard: &Guard, request: &str, password: &str) -> String {
        let mut stream = TcpStream::connect(guard.address).unwrap();
        let credentials = STANDARD.encode(format!("{USER}:{password}"));
        let request = request.replace("AUTH", &format!("Proxy-Authorization: Basic {credentials}"));
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    fn password(guard: &Guard) -> String {
        guard.shared.password.clone()
    }

    #[test]
    fn a_request_goes_where_it_may_as_if_there_were_no_proxy() {
        let (server, guard) = (echo(), guard(&["127.0.0.1"], true));
        let request = format!(
            "GET http://{server}/a?b=c HTTP/1.1\r\nHost: {server}\r\nAUTH\r\nConnection: keep-alive\r\n\r\n"
        );
        let answer = ask(&guard, &request, &password(&guard));
        let expected =
            format!("GET /a?b=c HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n");
        assert!(answer.ends_with(&expected), "{answer}");
        assert_eq!(guard.refusal(), None);
    }

    #[test]
    fn a_tunnel_carries_bytes_both_ways() {
        let (server, guard) = (echo(), guard(&["127.0.0.1"], true));
        let request = format!("CONNECT {server} HTTP/1.1\r\nAUTH\r\n\r\nhello\r\n\r\n");
        let answer = ask(&guard, &request, &password(&guard));
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello\r\n\r\n"),
            "{answer}"
        );
    }

    #[test]
    fn nothing_goes_where_it_may_not() {
        let server = echo();
        let status = |guard: &Guard, request: String| {
            let answer = ask(guard, &request, &password(guard));
            answer.split(' ').nth(1).unwrap_or_default().to_owned()
        };
        let connect =
            |host: &str| format!("CONNECT {host}:{} HTTP/1.1\r\nAUTH\r\n\r\n", server.port());
        let to_public = guard(&["*"], false);
        // By address, and by a name that leads there.
        assert_eq!(status(&to_public, connect("127.0.0.1")), "403");
        assert_eq!(status(&to_public, connect("localhost")), "403");
        let refusal = "the host 127.0.0.1 is not on the public internet (fetch_private_addresses)";
        assert_eq!(to_public.refusal().as_deref(), Some(refusal));
        let to_some = guard(&["example.com"], true);
        assert_eq!(status(&to_some, connect("127.0.0.1")), "403");
        let get = format!("GET http://{server}/ HTTP/1.1\r\nHost: example.com\r\nAUTH\r\n\r\n");
        assert_eq!(status(&to_some, get), "403", "what counts is where it goes");
    }

    #[test]
    fn strangers_and_nonsense_are_turned_away() {
        let (server, guard) = (echo(), guard(&["*"], true));
        let get = format!("GET http://{server}/ HTTP/1.1\r\nAUTH\r\n\r\n");
        assert!(ask(&guard, &get, "guessed").starts_with("HTTP/1.1 407 "));
        let known = password(&guard);
        for bad in [
            "GET / HTTP/1.1\r\nAUTH\r\n\r\n",
            "CONNECT nowhere HTTP/1.1\r\nAUTH\r\n\r\n",
            "GET https://example.com/ HTTP/1.1\r\nAUTH\r\n\r\n",
            "\u{1}\r\n\r\n",
        ] {
            assert!(ask(&guard, bad, &known).starts_with("HTTP/1.1 400 "), "{bad:?}");
        }
        assert_eq!(ask(&guard, &"x".repeat(MAX_HEAD_BYTES + 1), &known), "");
    }

    #[test]
    fn it_is_gone_when_nobody_holds_it() {
        let guard = guard(&["*"], true);
        let address = guard.address;
        drop(guard);
        assert!(TcpStream::connect(address).is_err());
    }
}
