//! The clients: thousands of connections, all on the thread that calls.
//!
//! One thread is deliberate: on a small machine more of them would take from the server what is to
//! be measured. Each subscriber checks what it gets (see [`Tally`]); none reconnects, so what a
//! server cuts off shows.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use socket2::{Domain, Protocol, Socket, Type};

use crate::clock;
use crate::tally::Tally;
use crate::wire::{Signal, Wire};

/// Connections of one source address; more would run into the ports that earlier rounds left in
/// `TIME_WAIT`.
const CONNECTIONS_PER_ADDRESS: usize = 4_000;

/// What a stuck client's kernel takes before the server notices.
const STUCK_RECEIVE_BUFFER: usize = 4 << 10;

/// How long one look at the sockets may wait.
const TURN: Duration = Duration::from_millis(20);

/// Where and how subscribers join.
#[derive(Debug, Clone)]
pub struct Target {
    /// The server's address.
    pub address: SocketAddr,
    /// The stream's path.
    pub path: &'static str,
    /// Whether the server greets with an event; otherwise who has the response's head has joined.
    pub greets: bool,
}

/// All clients of one server.
pub struct Subscribers {
    epoll: OwnedFd,
    target: Target,
    all: Vec<Subscriber>,
    ready: Vec<epoll::Event>,
    buffer: Box<[u8]>,
    connecting: usize,
    /// Connected and served.
    pub joined: usize,
    /// Refused, reset or ended by the server.
    pub ended: usize,
    /// Distinct expected events received since [`Self::begin`], by all together.
    pub deliveries: u64,
    /// The time from publishing to receiving, of each delivery, in nanoseconds.
    pub latency: Histogram<u64>,
    /// When the last delivery came, on the steady clock.
    pub last_delivery: u64,
    /// The time from the beginning of [`Self::connect`] to being joined, in nanoseconds.
    pub joining: Histogram<u64>,
}

struct Subscriber {
    socket: Socket,
    stage: Stage,
    wire: Wire,
    tally: Tally,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The kernel is connecting; then the request goes out.
    Connecting,
    /// The request is out.
    Waiting,
    Joined,
    /// Joined, and will not read any more.
    Stuck,
    Ended,
}

/// What came of a flood, summed over the subscribers that are still there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Account {
    /// Events that a subscriber did not get.
    pub lost: u64,
    /// Events that a subscriber got again.
    pub repeated: u64,
    /// Events out of order, and subscribers that saw another order than the first one did.
    pub disordered: u64,
}

impl Subscribers {
    /// Nobody yet.
    pub fn new(target: Target) -> io::Result<Self> {
        Ok(Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            target,
            all: Vec::new(),
            ready: Vec::with_capacity(1_024),
            buffer: vec![0; 256 << 10].into(),
            connecting: 0,
            joined: 0,
            ended: 0,
            deliveries: 0,
            latency: histogram()?,
            last_delivery: 0,
            joining: histogram()?,
        })
    }

    /// Connects `count` more, `at_once` of them at a time, and waits until each has joined or
    /// `limit` is over. Gives back how many did not make it.
    pub fn connect(&mut self, count: usize, at_once: usize, limit: Duration) -> io::Result<usize> {
        let (deadline, start) = (Instant::now() + limit, clock::now());
        let (goal, joined_before) = (self.all.len() + count, self.joined);
        self.joining.reset();
        loop {
            while self.all.len() < goal && self.connecting < at_once {
                self.start_one(None)?;
            }
            if self.connecting == 0 || Instant::now() >= deadline {
                return Ok((joined_before + count).saturating_sub(self.joined));
            }
            let joined = self.joined;
            self.turn(TURN)?;
            let took = clock::now() - start;
            self.joining.saturating_record_n(took, self.joined.saturating_sub(joined) as u64);
        }
    }

    /// Connects `count` clients that join and then never read again. Gives back how many did.
    pub fn connect_stuck(&mut self, count: usize, limit: Duration) -> io::Result<usize> {
        let deadline = Instant::now() + limit;
        let first = self.all.len();
        for _ in 0..count {
            self.start_one(Some(STUCK_RECEIVE_BUFFER))?;
        }
        while self.connecting > 0 && Instant::now() < deadline {
            self.turn(TURN)?;
        }
        let joined = |subscriber: &&mut Subscriber| subscriber.stage == Stage::Joined;
        let mut stuck = 0;
        for subscriber in self.all[first..].iter_mut().filter(joined) {
            epoll::delete(&self.epoll, &subscriber.socket)?;
            subscriber.stage = Stage::Stuck;
            stuck += 1;
        }
        self.joined -= stuck;
        Ok(stuck)
    }

    /// Expects `count` events from number `first` on, and forgets what was before.
    pub fn begin(&mut self, first: u64, count: u64) {
        for subscriber in &mut self.all {
            subscriber.tally.begin(first, count);
        }
        self.deliveries = 0;
        self.last_delivery = clock::now();
        self.latency.reset();
    }

    /// Takes what arrives within `at_most`, one look at the sockets.
    pub fn turn(&mut self, at_most: Duration) -> io::Result<()> {
        let timeout = at_most.try_into().map_err(io::Error::other)?;
        self.ready.clear();
        match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut self.ready),
            Some(&timeout),
        ) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for index in 0..self.ready.len() {
            self.advance(self.ready[index].data.u64() as usize);
        }
        Ok(())
    }

    /// Takes what arrives for this long.
    pub fn listen(&mut self, duration: Duration) -> io::Result<()> {
        let deadline = Instant::now() + duration;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            self.turn(left)?;
        }
        Ok(())
    }

    /// What the joined subscribers have of `count` published events.
    pub fn account(&self, count: u64) -> Account {
        let joined = || self.all.iter().filter(|subscriber| subscriber.stage == Stage::Joined);
        let first = joined().next().map(|subscriber| subscriber.tally.digest);
        joined().fold(Account::default(), |sum, Subscriber { tally, .. }| Account {
            lost: sum.lost + count.saturating_sub(tally.received),
            repeated: sum.repeated + tally.repeated,
            disordered: sum.disordered
                + tally.disordered
                + u64::from(tally.received == count && Some(tally.digest) != first),
        })
    }

    /// Starts one connection; a small receive buffer makes it one that fills soon.
    fn start_one(&mut self, receive_buffer: Option<usize>) -> io::Result<()> {
        let index = self.all.len();
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.bind(&source_address().into())?;
        match socket.connect(&self.target.address.into()) {
            Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => {
                return Err(error);
            }
            _ => {}
        }
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&self.epoll, &socket, data, epoll::EventFlags::OUT)?;
        let (wire, tally) = (Wire::default(), Tally::default());
        self.all.push(Subscriber { socket, stage: Stage::Connecting, wire, tally });
        self.connecting += 1;
        Ok(())
    }

    fn advance(&mut self, index: usize) {
        let outcome = match self.all[index].stage {
            Stage::Connecting => self.request(index),
            Stage::Waiting | Stage::Joined => self.receive(index),
            Stage::Stuck | Stage::Ended => Ok(()),
        };
        if outcome.is_err() {
            self.end(index);
        }
    }

    /// Sends the request as soon as the connection is there.
    fn request(&mut self, index: usize) -> io::Result<()> {
        let Target { path, address, .. } = &self.target;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\
             Cache-Control: no-cache\r\n\r\n"
        );
        let subscriber = &mut self.all[index];
        rustix::net::send(&subscriber.socket, request.as_bytes(), SendFlags::NOSIGNAL)?;
        let data = epoll::EventData::new_u64(index as u64);
        epoll::modify(&self.epoll, &subscriber.socket, data, epoll::EventFlags::IN)?;
        subscriber.stage = Stage::Waiting;
        Ok(())
    }

    /// Takes what one read gives; what is left shows at the next look, after the others' turn.
    fn receive(&mut self, index: usize) -> io::Result<()> {
        let subscriber = &mut self.all[index];
        let read =
            match rustix::net::recv(&subscriber.socket, &mut *self.buffer, RecvFlags::empty()) {
                Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((read, _)) => read,
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
        let now = clock::now();
        let (mut head, mut greeting, mut over) = (false, false, false);
        subscriber.wire.feed(&self.buffer[..read], &mut |signal| match signal {
            Signal::Head(200) => head = true,
            Signal::Head(_) | Signal::End => over = true,
            Signal::Event(event) => {
                greeting = true;
                if subscriber.tally.take(&event) {
                    self.deliveries += 1;
                    self.last_delivery = now;
                    let latency = event.stamp.map_or(0, |stamp| now.saturating_sub(stamp.at));
                    self.latency.saturating_record(latency);
                }
            }
        });
        if over {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let welcome = if self.target.greets { greeting } else { head };
        if subscriber.stage == Stage::Waiting && welcome {
            subscriber.stage = Stage::Joined;
            self.connecting -= 1;
            self.joined += 1;
        }
        Ok(())
    }

    fn end(&mut self, index: usize) {
        let subscriber = &mut self.all[index];
        match subscriber.stage {
            Stage::Joined => self.joined -= 1,
            _ => self.connecting -= 1,
        }
        subscriber.stage = Stage::Ended;
        self.ended += 1;
        // As a browser does. It may be reset already, and then there is nothing left to close.
        let _ = subscriber.socket.shutdown(Shutdown::Both);
        if let Err(error) = epoll::delete(&self.epoll, &subscriber.socket) {
            eprintln!("fanout: a connection that ended is still watched: {error}");
        }
    }
}

/// Spreads the connections over loopback addresses, other ones in each run of this process, so that
/// no round meets the ports of the one before.
fn source_address() -> SocketAddr {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    let block = STARTED.fetch_add(1, Ordering::Relaxed) / CONNECTIONS_PER_ADDRESS;
    let [third, fourth] = [block / 250 % 250, block % 250].map(|part| part as u8 + 1);
    SocketAddr::from((Ipv4Addr::new(127, 0, third, fourth), 0))
}

/// Up to a minute, in nanoseconds, to one part in a thousand.
fn histogram() -> io::Result<Histogram<u64>> {
    Histogram::new_with_bounds(1_000, 60_000_000_000, 3).map_err(io::Error::other)
}
