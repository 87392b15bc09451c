//! One thread and one queue per client: the publisher puts the event into each queue, each client's
//! thread wakes up and writes it. The obvious way; every delivery pays for a wake-up.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;

use super::{Deliver, frame, listen, request};

type Event = Arc<[u8]>;
type Clients = Arc<Mutex<Vec<Sender<Event>>>>;

/// Starts to accept clients.
pub fn start() -> io::Result<(SocketAddr, Deliver)> {
    let (address, listener) = listen()?;
    let clients = Clients::default();
    let joining = Arc::clone(&clients);
    thread::spawn(move || accept(&listener, &joining));
    Ok((address, Box::new(move |data| deliver(&clients, data))))
}

fn accept(listener: &TcpListener, clients: &Clients) {
    for mut stream in listener.incoming().filter_map(Result::ok) {
        let clients = Arc::clone(clients);
        let client = thread::Builder::new().spawn(move || {
            // A client that hangs up is no error, and there is nobody to tell.
            let _ = join(&mut stream, &clients).and_then(|queue| write(&mut stream, &queue));
        });
        if let Err(error) = client {
            eprintln!("woken queue: no thread for a client: {error}");
        }
    }
}

fn join(stream: &mut TcpStream, clients: &Clients) -> io::Result<Receiver<Event>> {
    stream.set_nodelay(true)?;
    request::read_head(stream)?;
    // Who was welcomed must not miss anything, so the queue comes first.
    let (sender, queue) = unbounded();
    clients.lock().push(sender);
    request::welcome(stream)?;
    Ok(queue)
}

fn write(stream: &mut TcpStream, queue: &Receiver<Event>) -> io::Result<()> {
    queue.iter().try_for_each(|event| stream.write_all(&event))
}

fn deliver(clients: &Clients, data: &str) -> bool {
    let event = frame(data);
    clients.lock().retain(|client| client.send(Arc::clone(&event)).is_ok());
    true
}
