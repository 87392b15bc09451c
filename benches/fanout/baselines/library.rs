//! Tidings' own library in this process: the same engine and the same HTTP edge towards the clients,
//! but no HTTP between the publisher and the hub. The difference to the program is what publishing
//! over HTTP costs.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;

use tidings::clock::SystemClock;
use tidings::event::topic::Topic;
use tidings::event::{EventData, EventName, NewEvent};
use tidings::hub::{self, Hub};
use tidings::publish::batches::Batches;
use tidings::publish::jobs::Jobs;
use tidings::publish::queues::Queues;
use tidings::publish::{self, Publisher};
use tidings::serve::{self, App, listener};
use tidings::shutdown::Shutdown;

use super::Deliver;

/// Starts to accept clients.
pub fn start() -> io::Result<(SocketAddr, Deliver)> {
    let limits =
        serve::Limits { max_connections: 0, max_connections_per_address: 0, ..Default::default() };
    let listener = listener::bind((Ipv4Addr::LOCALHOST, 0).into(), limits.listen_backlog)?;
    let address = listener.local_addr()?;
    let clock = Arc::new(SystemClock);
    let hub = Hub::start(hub::Limits::default(), clock.clone())?;
    let publish_limits = publish::Limits::default();
    let publisher = Publisher::new(hub.clone(), None, &publish_limits, clock.clone());
    let jobs = Jobs::in_memory(publisher.clone(), clock.clone())?;
    let queues = Queues::in_memory(&jobs, &publisher, clock.clone())?;
    let batches = Batches::in_memory(&jobs, &queues, &publisher, clock.clone())?;
    let work = (jobs, queues, batches);
    let app = Arc::new(App::new(hub.clone(), publisher, work, limits, publish_limits, clock)?);
    thread::spawn(move || serve::run(&listener, &app, &Shutdown::new()));
    let name: EventName = "test".parse().map_err(io::Error::other)?;
    Ok((address, Box::new(move |data| deliver(&hub, &name, data))))
}

fn deliver(hub: &Hub, name: &EventName, data: &str) -> bool {
    let data = EventData::from_json(data, 0);
    data.is_ok_and(|data| hub.publish(NewEvent::new(Topic::events(), name.clone(), data)).is_ok())
}
