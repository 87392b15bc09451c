//! Other ways to deliver an event, each as simple as it can be said: what Tidings is compared with.
//!
//! Each runs in a process of its own and publishes on command: a line on standard input says what
//! (a [`Flood`]), a line on standard output says what came of it.

mod bare_send;
mod library;
mod request;
mod tiny_http;
mod woken_queue;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

use crate::flood::Flood;

/// The baselines that are part of this executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Baseline {
    /// See `baselines/library.rs`.
    Library,
    /// See `baselines/tiny_http.rs`.
    TinyHttp,
    /// See `baselines/woken_queue.rs`.
    WokenQueue,
    /// See `baselines/bare_send.rs`.
    BareSend,
}

/// Delivers an event to all clients; false if it cannot take the event now.
type Deliver = Box<dyn Fn(&str) -> bool>;

/// Is that baseline until standard input ends.
pub fn serve(baseline: Baseline) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let (address, deliver) = match baseline {
        Baseline::Library => library::start()?,
        Baseline::TinyHttp => tiny_http::start()?,
        Baseline::WokenQueue => woken_queue::start()?,
        Baseline::BareSend => bare_send::start()?,
    };
    eprintln!("fanout: listening on http://{address}");
    for line in io::stdin().lines() {
        let published = line?.parse::<Flood>()?.run(&deliver);
        println!("{published}");
        io::stdout().flush()?;
    }
    Ok(())
}

/// The event as all baselines send it, with the next number as its id.
fn frame(data: &str) -> Arc<[u8]> {
    static SENT: AtomicU64 = AtomicU64::new(0);
    let id = SENT.fetch_add(1, Ordering::Relaxed) + 1;
    format!("id: {id}\nevent: test\ndata: {data}\n\n").into_bytes().into()
}

/// Listens with the same backlog as Tidings does: std's is 128, and clients that find it full wait
/// a second, which would say nothing about the way of delivering.
fn listen() -> io::Result<(SocketAddr, TcpListener)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(4_096)?;
    let listener = TcpListener::from(socket);
    Ok((listener.local_addr()?, listener))
}
