//! A fleet of clients and publishers, and the judgement of what each client got.
//!
//! What must hold, whatever happens to the server meanwhile, is written once, in [`witness`]; the
//! tests of crashes and the soak both go by it. The clients do what an `EventSource` does: they keep
//! the last id and come back with it after the server's `retry:`.

mod client;
mod ledger;
mod publisher;
#[cfg(test)]
mod tests;
mod wire;
mod witness;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use self::client::Client;
use self::ledger::Ledger;
use self::publisher::Publisher;
use self::witness::Witness;

pub(crate) use self::client::Habit;
pub(crate) use self::publisher::Mix;

/// What a server needs to know of the fleet's types; it may be given more.
pub(crate) const FLAGS: [&str; 4] =
    ["--event-types", "order,note,tick,progress,bulk", "--passing-types", "tick"];

/// How many sessions the clients and publishers share.
const SESSIONS: u8 = 8;

/// The types of the fleet's events, and how each is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Always durable: whoever wants only these is never told of a gap by a crash.
    Order,
    /// Kept, but nobody waits for it.
    Note,
    /// Never kept.
    Tick,
    /// With a key, and sometimes the last word.
    Progress,
    /// Of any size, durable now and then.
    Bulk,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Order, Self::Note, Self::Tick, Self::Progress, Self::Bulk];

    fn name(self) -> &'static str {
        ["order", "note", "tick", "progress", "bulk"][self as usize]
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A fleet at work.
pub(crate) struct Fleet {
    pub world: Arc<World>,
    clients: Vec<JoinHandle<()>>,
    publishers: Vec<JoinHandle<()>>,
}

/// What the fleet's members share.
pub(crate) struct World {
    address: SocketAddr,
    pub ledger: Ledger,
    pub tally: Tally,
    witnesses: Mutex<Vec<Arc<Mutex<Witness>>>>,
    violations: Mutex<Vec<String>>,
    /// The publishers are done.
    rests: AtomicBool,
    /// Nobody dawdles, leaves or joins any more.
    hurries: AtomicBool,
    /// The clients are done.
    is_over: AtomicBool,
}

/// Counts for people.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Application events that clients got.
    pub deliveries: AtomicU64,
    /// Connections that became streams.
    pub connections: AtomicU64,
    /// Streams that are open.
    pub open: AtomicU64,
    /// Gaps by reason: expired, overflow, restart.
    pub gaps: [AtomicU64; 3],
    /// Events that a gap has announced as missing, and were.
    pub missed: AtomicU64,
    /// Updates that a newer one has replaced.
    pub conflated: AtomicU64,
    /// Events that came again under another id, because a crash took the first and its publisher did
    /// not know.
    pub again: AtomicU64,
}

/// The names of the reasons of gaps, as [`Tally::gaps`] counts them.
pub(crate) const GAP_REASONS: [&str; 3] = ["expired", "overflow", "restart"];

/// Violations beyond this many are only counted.
const TOLD_VIOLATIONS: usize = 20;

impl Fleet {
    /// Sends out clients, of these habits by turns, and publishers that publish this mix.
    pub(crate) fn start(
        address: SocketAddr,
        clients: usize,
        habits: &[Habit],
        publishers: usize,
        mix: Mix,
        seed: u64,
    ) -> Self {
        let world = Arc::new(World::new(address));
        let mut random = fastrand::Rng::with_seed(seed);
        let clients = (0..clients).map(|n| {
            let client = Client::new(n, habits[n % habits.len()], random.fork(), world.clone());
            spawn(move || client.run())
        });
        let clients: Vec<_> = clients.collect();
        let publishers = (0..publishers).map(|_| {
            let publisher = Publisher::new(mix, random.fork(), world.clone());
            spawn(move || publisher.run())
        });
        let publishers = publishers.collect();
        Self { world, clients, publishers }
    }

    /// Ends it: the publishers rest, every client gets to the end, and all is judged. The server must
    /// be there. Returns the violations.
    pub(crate) fn finish(self, patience: Duration) -> Vec<String> {
        let world = self.world;
        world.rests.store(true, Ordering::Relaxed);
        world.hurries.store(true, Ordering::Relaxed);
        for publisher in self.publishers {
            let _ = publisher.join();
        }
        // One more of each kind, which every client waits for.
        let mut publisher = Publisher::new(Mix::ALL, fastrand::Rng::with_seed(0), world.clone());
        let ends = Kind::ALL.map(|kind| (kind, publisher.publish_end(kind)));
        let deadline = Instant::now() + patience;
        for witness in world.witnesses() {
            while !lock(&witness).has_all(&ends) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(5));
            }
            let told = lock(&witness);
            if !told.has_all(&ends) {
                world.violated(format!("{told} does not get to the end: {ends:?}"));
            }
        }
        world.judge();
        for witness in world.witnesses() {
            world.violated_all(lock(&witness).close());
        }
        world.is_over.store(true, Ordering::Relaxed);
        for client in self.clients {
            let _ = client.join();
        }
        std::mem::take(&mut *lock(&world.violations))
    }
}

impl World {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            ledger: Ledger::default(),
            tally: Tally::default(),
            witnesses: Mutex::default(),
            violations: Mutex::default(),
            rests: AtomicBool::new(false),
            hurries: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        }
    }

    /// Judges what can be judged, and forgets it.
    pub(crate) fn judge(&self) {
        let mut witnesses = lock(&self.witnesses);
        let verdict = self.ledger.judge(&witnesses, &self.tally);
        witnesses.retain(|witness| !lock(witness).is_done());
        drop(witnesses);
        self.violated_all(verdict);
    }

    /// The rules that were broken so far.
    pub(crate) fn violations(&self) -> Vec<String> {
        lock(&self.violations).clone()
    }

    pub(crate) fn violated(&self, what: String) {
        self.violated_all([what]);
    }

    fn violated_all(&self, what: impl IntoIterator<Item = String>) {
        let mut violations = lock(&self.violations);
        for what in what {
            if violations.len() < TOLD_VIOLATIONS {
                violations.push(what);
            }
        }
    }

    fn witnesses(&self) -> Vec<Arc<Mutex<Witness>>> {
        lock(&self.witnesses).clone()
    }

    fn hurries(&self) -> bool {
        self.hurries.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

/// Small stacks: there are hundreds.
fn spawn(run: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new().stack_size(256 << 10).spawn(run).expect("a thread")
}

/// A member that panicked has said so; the others go on.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
