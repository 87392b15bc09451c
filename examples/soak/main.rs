//! The soak: minutes or hours of clients that come, go, stall and sip, of publishers, and of a server
//! that is killed and restarted; every client's share is judged all the while, and memory is watched.
//!
//! `scripts/soak` builds and starts it. An example and not a test, because it is a program with
//! options that runs the release build for as long as it is told; the fleet and its rules are those of
//! the tests.

#![allow(clippy::expect_used, clippy::panic, reason = "a soak that cannot go on ends")]

mod process;
mod watch;

// The tests' fleet, as it is.
#[path = "../../tests/it"]
mod shared {
    pub(crate) mod fleet;
}

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use tidings::settings::machine::raise_open_files;

use self::process::Process;
use self::shared::fleet::{FLAGS, Fleet, Habit, Mix};
use self::watch::Watch;

/// Publishes, joins, leaves, stalls, kills and restarts at random, and checks what every client gets.
#[derive(Debug, Parser)]
struct Options {
    /// How long; at least a third of it passes in one life of the server, to see its memory.
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// Clients at a time.
    #[arg(long, default_value_t = 200)]
    clients: usize,
    /// What chance begins with; told at the start.
    #[arg(long)]
    seed: Option<u64>,
    /// The server to test.
    #[arg(long, default_value = "target/release/tidings")]
    program: PathBuf,
}

const HABITS: [Habit; 8] = [
    Habit::Steady,
    Habit::Wanders,
    Habit::Steady,
    Habit::Stalls,
    Habit::Old,
    Habit::Wanders,
    Habit::Steady,
    Habit::Sips,
];

const PUBLISHERS: usize = 4;

const MIX: Mix = Mix { pause_ms: 30, large_bytes: 100_000, ..Mix::ALL };

/// How long the clients may take for what is left when all is over.
const PATIENCE: Duration = Duration::from_secs(90);

fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("soak of {} minutes with {} clients, seed {seed}", options.minutes, options.clients);
    raise_open_files();
    let mut soak = Soak::start(&options, seed);
    soak.run();
    soak.finish()
}

/// A soak under way.
struct Soak {
    program: PathBuf,
    address: SocketAddr,
    data: tempfile::TempDir,
    server: Process,
    fleet: Fleet,
    watch: Watch,
    random: fastrand::Rng,
    began: Instant,
    length: Duration,
}

impl Soak {
    fn start(options: &Options, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let address = free_address(&mut random);
        let data = tempfile::tempdir().expect("a directory for the data");
        let flags = flags(&mut random);
        let server = Process::start(&options.program, address, data.path(), &flags)
            .expect("the server to start");
        let fleet = Fleet::start(address, options.clients, &HABITS, PUBLISHERS, MIX, seed);
        Self {
            program: options.program.clone(),
            address,
            data,
            server,
            fleet,
            watch: Watch::default(),
            random,
            began: Instant::now(),
            length: Duration::from_secs_f64(options.minutes * 60.0),
        }
    }

    /// Lives of all lengths, and in the middle a long one.
    fn run(&mut self) {
        let (third, end) = (self.began + self.length / 3, self.began + self.length);
        self.live_until(third);
        self.watch.begin_long_life();
        self.one_life(third + self.length / 3);
        self.watch.end_long_life();
        self.end_life();
        self.live_until(end);
    }

    /// One life after the other.
    fn live_until(&mut self, end: Instant) {
        while Instant::now() < end && self.fleet.world.violations().is_empty() {
            let length = Duration::from_millis(self.random.u64(2_000..15_000));
            self.one_life(end.min(Instant::now() + length));
            if Instant::now() < end {
                self.end_life();
            }
        }
    }

    /// Lets the server be until then, and looks on.
    fn one_life(&mut self, until: Instant) {
        let mut next_judgement = Instant::now();
        while Instant::now() < until && self.fleet.world.violations().is_empty() {
            if Instant::now() >= next_judgement {
                next_judgement = Instant::now() + Duration::from_secs(1);
                self.fleet.world.judge();
                self.watch.look(self.began.elapsed(), &self.server, &self.fleet.world);
                if let Some(what) = self.server.own_end() {
                    self.fleet.world.violated(what);
                }
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends the life as chance wants it, and begins the next one after a while.
    fn end_life(&mut self) {
        let world = &self.fleet.world;
        let is_crash = self.random.u8(0..5) < 3;
        self.watch.note_end(is_crash);
        match self.server.end(is_crash) {
            Ok(complaints) => complaints.into_iter().for_each(|what| world.violated(what)),
            Err(what) => world.violated(what),
        }
        world.ledger.note_end(is_crash);
        thread::sleep(Duration::from_millis(self.random.u64(0..1_500)));
        let flags = flags(&mut self.random);
        match Process::start(&self.program, self.address, self.data.path(), &flags) {
            Ok(server) => self.server = server,
            Err(what) => world.violated(format!("the next life does not begin: {what}")),
        }
    }

    /// Judges what is left; says how it was.
    fn finish(mut self) -> ExitCode {
        let world = self.fleet.world.clone();
        let mut violations = self.fleet.finish(PATIENCE);
        self.watch.tell(self.began.elapsed(), &self.server, &world);
        match self.server.end(false) {
            Ok(complaints) => violations.extend(complaints),
            Err(what) => violations.push(what),
        }
        violations.extend(self.watch.verdict());
        let lives = world.ledger.life() + 1;
        println!("{lives} lives, {}", self.watch.ends());
        if violations.is_empty() {
            println!("PASS");
            return ExitCode::SUCCESS;
        }
        println!("FAIL: the first of what was broken:\n{}", violations.join("\n"));
        ExitCode::FAILURE
    }
}

/// How the server is told to be this time: sometimes short of room for what was; and what it remembers
/// for a while it has forgotten long before its memory is judged.
fn flags(random: &mut fastrand::Rng) -> Vec<String> {
    let mut choice = |these: &[u32]| these[random.usize(0..these.len())].to_string();
    let chosen = [
        ("--history-events", choice(&[1_000, 10_000, 100_000])),
        ("--stream-queue-events", choice(&[200, 4_096])),
        ("--stream-max-updates-per-second", choice(&[0, 0, 5])),
    ];
    let fixed = "--log warn --retry-ms 100 --drain-seconds 1 --max-connections-per-address 0 \
                 --heartbeat-ms 2000 --stop-timeout-seconds 5 --stream-lifetime-seconds 45 \
                 --history-seconds 60 --idempotency-seconds 60";
    let chosen = chosen.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
    FLAGS.into_iter().chain(fixed.split_whitespace()).map(str::to_owned).chain(chosen).collect()
}

/// A port that no client's own end can take while the server is away.
fn free_address(random: &mut fastrand::Rng) -> SocketAddr {
    loop {
        let address = SocketAddr::from(([127, 0, 0, 1], random.u16(20_000..30_000)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
