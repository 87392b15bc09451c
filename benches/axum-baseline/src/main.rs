//! An event stream with axum on tokio, the way its documentation shows it: one broadcast channel, one
//! task per client. A baseline for the fan-out benchmark.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use axum::serve::{Listener, ListenerExt};
use tokio::net::TcpSocket;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt};

/// Room for a whole flood: a client that falls further behind than this loses events.
const CAPACITY: usize = 32_768;

/// As many as the measured machine has cores, and as nchan has.
const WORKERS: usize = 2;

/// The backlog that all measured servers have.
const BACKLOG: u32 = 4_096;

#[derive(Clone)]
struct Published {
    id: u64,
    data: Arc<str>,
}

struct Channel {
    events: broadcast::Sender<Published>,
    next_id: AtomicU64,
}

fn main() -> std::io::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    runtime.block_on(serve())
}

async fn serve() -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], 0).into())?;
    // Without this every other answer and event waits 40 ms for the client's acknowledgement.
    let listener = socket.listen(BACKLOG)?.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            eprintln!("axum: {error}");
        }
    });
    eprintln!("axum: listening on http://{}", listener.local_addr()?);
    let channel = Channel { events: broadcast::channel(CAPACITY).0, next_id: AtomicU64::new(1) };
    let routes = Router::new()
        .route("/events", get(stream))
        .route("/publish", post(publish))
        .with_state(Arc::new(channel));
    axum::serve(listener, routes).await
}

async fn publish(State(channel): State<Arc<Channel>>, data: String) -> StatusCode {
    let id = channel.next_id.fetch_add(1, Ordering::Relaxed);
    // Fails only when nobody listens.
    let _ = channel.events.send(Published { id, data: data.into() });
    StatusCode::OK
}

async fn stream(
    State(channel): State<Arc<Channel>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = BroadcastStream::new(channel.events.subscribe());
    let events = events.filter_map(|published| {
        let Published { id, data } = published.ok()?;
        Some(Ok(Event::default().id(id.to_string()).event("test").data(data)))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}
