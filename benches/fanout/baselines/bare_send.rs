//! A loop of send(2) over the clients' sockets: what the kernel takes anyway, about the least
//! that a delivery can cost. No threads, no queues, no care for slow clients.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use super::{Deliver, frame, listen, request};

type Clients = Arc<Mutex<Vec<TcpStream>>>;

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
        let asked = stream.set_nodelay(true).and_then(|()| request::read_head(&mut stream));
        // Under the lock: who was welcomed must not miss anything.
        let mut clients = clients.lock();
        if asked.and_then(|()| request::welcome(&mut stream)).is_ok() {
            clients.push(stream);
        }
    }
}

fn deliver(clients: &Clients, data: &str) -> bool {
    let frame = frame(data);
    clients.lock().retain(|mut stream| stream.write_all(&frame).is_ok());
    true
}
