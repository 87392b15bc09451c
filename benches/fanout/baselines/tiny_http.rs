//! `tiny_http` as it comes, and one writer thread per client: the design this project started from,
//! and the reason why it has an HTTP edge of its own.
//!
//! Two things cannot be mended from outside. Its pool of threads counts a thread that was woken but
//! has not run yet as idle, so a connection that arrives at that moment is queued behind another
//! one; and that one's thread never comes back when its request is a stream. The scenario `stall`
//! shows it. And the socket cannot be reached, so a stuck client can be neither timed out nor ended.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;
use tiny_http::{Request, Server};

use super::{Deliver, frame, request};

type Event = Arc<[u8]>;
type Clients = Arc<Mutex<Vec<Sender<Event>>>>;

/// Starts to take requests.
pub fn start() -> io::Result<(SocketAddr, Deliver)> {
    let server = Server::http("127.0.0.1:0").map_err(io::Error::other)?;
    let address = server.server_addr().to_ip().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let clients = Clients::default();
    let joining = Arc::clone(&clients);
    thread::spawn(move || server.incoming_requests().for_each(|request| join(request, &joining)));
    Ok((address, Box::new(move |data| deliver(&clients, data))))
}

fn join(request: Request, clients: &Clients) {
    let (sender, queue) = unbounded();
    clients.lock().push(sender);
    let client = thread::Builder::new().spawn(move || {
        // A client that hangs up is no error, and there is nobody to tell.
        let _ = write(&mut request.into_writer(), &queue);
    });
    if let Err(error) = client {
        eprintln!("tiny_http: no thread for a client: {error}");
    }
}

fn write(stream: &mut impl Write, queue: &Receiver<Event>) -> io::Result<()> {
    request::welcome(stream)?;
    queue.iter().try_for_each(|event| {
        stream.write_all(&event)?;
        stream.flush()
    })
}

fn deliver(clients: &Clients, data: &str) -> bool {
    let event = frame(data);
    clients.lock().retain(|client| client.send(Arc::clone(&event)).is_ok());
    true
}
