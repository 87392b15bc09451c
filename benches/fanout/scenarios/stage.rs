//! A running server and its subscribers.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::Trouble;
use crate::clock;
use crate::flood::{Flood, Published};
use crate::servers::{Kind, Server};
use crate::subscribers::{Account, Subscribers};
use crate::usage;

/// How long clients may take to join when it is not joining that is measured.
const JOIN_LIMIT: Duration = Duration::from_secs(10);

/// How long publishing may take.
const PUBLISH_LIMIT: Duration = Duration::from_secs(10);

/// How long the last deliveries may take after publishing has ended.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// How long one look at the sockets may wait.
const TURN: Duration = Duration::from_millis(10);

/// A server and those who listen to it. Both end when it is dropped, the clients first: a server
/// would wait for the stuck ones among them.
pub struct Stage {
    kind: Kind,
    /// Those who listen.
    pub subscribers: Subscribers,
    /// The server.
    pub server: Server,
}

/// What one flood brought.
pub struct Delivery {
    /// What the publisher saw.
    pub published: Published,
    /// From the first event published to the last delivery, in seconds.
    pub seconds: f64,
    /// Processor time of the server, in nanoseconds.
    pub server_cpu: u64,
    /// Processor time of this process, in nanoseconds.
    pub own_cpu: u64,
    /// What is missing, twice or out of order.
    pub account: Account,
    /// Clients that the server cut off meanwhile.
    pub cut_off: usize,
}

impl Stage {
    /// Starts a server, without subscribers.
    pub fn start(kind: Kind) -> Result<Self, Trouble> {
        let server = Server::start(kind)?.map_err(Trouble::Missing)?;
        let subscribers = Subscribers::new(server.target())?;
        Ok(Self { kind, subscribers, server })
    }

    /// Lets `clients` join, without haste. How many could is seen from `subscribers.joined`.
    pub fn join(&mut self, clients: usize) -> Result<(), Trouble> {
        self.subscribers.connect(clients, self.kind.at_once(), JOIN_LIMIT)?;
        self.check_alive()
    }

    /// Whether the server is still there; a figure of one that is not would mean nothing.
    fn check_alive(&mut self) -> Result<(), Trouble> {
        let served = self.subscribers.joined + self.subscribers.ended;
        self.server.ended().map_or(Ok(()), |status| Err(Trouble::Died(served, status)))
    }

    /// Publishes `count` events from a thread of its own while the subscribers receive; `per_second`
    /// 0 is as fast as the server takes them.
    pub fn deliver(
        &mut self,
        count: u64,
        bytes: usize,
        per_second: u64,
    ) -> Result<Delivery, Trouble> {
        let delivery = self.try_deliver(count, bytes, per_second);
        self.check_alive()?;
        Ok(delivery?)
    }

    fn try_deliver(&mut self, count: u64, bytes: usize, per_second: u64) -> io::Result<Delivery> {
        let first = self.server.next_event();
        let flood = Flood { first, count, bytes, per_second, limit: PUBLISH_LIMIT };
        let (server, subscribers) = (&mut self.server, &mut self.subscribers);
        subscribers.begin(first, count);
        let ended_before = subscribers.ended;
        let (server_before, own_before) = (server.processes.cpu(), usage::own_cpu());
        let start = clock::now();
        let published = thread::scope(|scope| {
            let publisher = scope.spawn(|| server.flood(&flood));
            while !publisher.is_finished() {
                subscribers.turn(TURN)?;
            }
            publisher.join().unwrap_or_else(|_| Err(io::Error::other("the publisher panicked")))
        })?;
        Self::drain(subscribers, published.accepted)?;
        let seconds = subscribers.last_delivery.saturating_sub(start) as f64 / 1e9;
        Ok(Delivery {
            published,
            seconds,
            server_cpu: server.processes.cpu().saturating_sub(server_before),
            own_cpu: usage::own_cpu() - own_before,
            account: subscribers.account(published.accepted),
            cut_off: subscribers.ended - ended_before,
        })
    }

    /// Waits until everybody has everything, and a moment longer: what a server does after the last
    /// delivery is its work, too, and what it sends twice comes late.
    fn drain(subscribers: &mut Subscribers, accepted: u64) -> io::Result<()> {
        let deadline = Instant::now() + DRAIN_LIMIT;
        while subscribers.deliveries < subscribers.joined as u64 * accepted
            && Instant::now() < deadline
        {
            subscribers.turn(TURN)?;
        }
        subscribers.listen(Duration::from_millis(20))
    }
}
