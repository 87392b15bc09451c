//! What is printed while it runs, and whether the server grows.

use std::fmt::Write;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::process::{Figures, Process, of};
use super::shared::fleet::{GAP_REASONS, World};

/// How often a line is printed.
const LINE: Duration = Duration::from_secs(10);

/// A life that is shorter is not judged by its memory: the history is still filling.
const JUDGED_LIFE: Duration = Duration::from_secs(240);

/// What may be more at the end of the long life than a quarter into it: a quarter, and so much.
const RSS_SLACK_KIB: u64 = 8 << 10;
const COUNT_SLACK: u64 = 50;

#[derive(Debug, Default)]
pub(crate) struct Watch {
    last_line: Option<Instant>,
    /// Of the long life, a sample about every second.
    samples: Vec<Figures>,
    is_long_life: bool,
    long_life: Duration,
    long_life_began: Option<Instant>,
    peak_kib: u64,
    crashes: u64,
    stops: u64,
}

impl Watch {
    /// Takes a sample, and prints a line if it is time.
    pub fn look(&mut self, elapsed: Duration, server: &Process, world: &World) {
        let figures = server.figures();
        self.peak_kib = self.peak_kib.max(figures.rss_kib);
        if self.is_long_life {
            self.samples.push(figures);
        }
        if self.last_line.is_none_or(|last| last.elapsed() >= LINE) {
            self.tell(elapsed, server, world);
        }
    }

    /// Prints a line.
    pub fn tell(&mut self, elapsed: Duration, server: &Process, world: &World) {
        self.last_line = Some(Instant::now());
        let Figures { rss_kib, threads, descriptors } = server.figures();
        let (tally, ledger) = (&world.tally, &world.ledger);
        let mut gaps = String::new();
        for (reason, count) in GAP_REASONS.iter().zip(&tally.gaps) {
            let _ = write!(gaps, " {reason} {}", count.load(Relaxed));
        }
        println!(
            "{:5} s  life {}  events {}  deliveries {}  streams {} (of {} so far)  gaps{gaps}  \
             missed {}  conflated {}  again {}  unjudged {}  server {} MiB, {descriptors} descriptors, \
             {threads} threads  checker {} MiB",
            elapsed.as_secs(),
            ledger.life() + 1,
            ledger.acknowledged(),
            tally.deliveries.load(Relaxed),
            tally.open.load(Relaxed),
            tally.connections.load(Relaxed),
            tally.missed.load(Relaxed),
            tally.conflated.load(Relaxed),
            tally.again.load(Relaxed),
            ledger.unjudged(),
            rss_kib >> 10,
            of("self", "VmRSS") >> 10,
        );
    }

    pub fn note_end(&mut self, is_crash: bool) {
        *(if is_crash { &mut self.crashes } else { &mut self.stops }) += 1;
    }

    /// How the lives have ended.
    pub fn ends(&self) -> String {
        format!("{} ended by kill -9, {} in order", self.crashes, self.stops)
    }

    pub fn begin_long_life(&mut self) {
        self.is_long_life = true;
        self.long_life_began = Some(Instant::now());
    }

    pub fn end_long_life(&mut self) {
        self.is_long_life = false;
        self.long_life = self.long_life_began.map_or(Duration::ZERO, |began| began.elapsed());
    }

    /// Tells of the memory over time; what has grown that should not.
    pub fn verdict(&self) -> Vec<String> {
        let rss: Vec<_> = self.samples.iter().map(|figures| figures.rss_kib).collect();
        let tenths = rss.chunks(rss.len().div_ceil(10).max(1)).map(|tenth| median(tenth) >> 10);
        println!(
            "memory in the long life of {} s, median of each tenth, in MiB: {:?}; peak of all lives {}",
            self.long_life.as_secs(),
            tenths.collect::<Vec<_>>(),
            self.peak_kib >> 10
        );
        if self.long_life < JUDGED_LIFE {
            println!("too short a life to say whether it grows");
            return Vec::new();
        }
        let threads = self.samples.iter().map(|figures| figures.threads).collect::<Vec<_>>();
        let descriptors =
            self.samples.iter().map(|figures| figures.descriptors).collect::<Vec<_>>();
        [
            grown("memory in KiB", &rss, RSS_SLACK_KIB),
            grown("threads", &threads, COUNT_SLACK),
            grown("descriptors", &descriptors, COUNT_SLACK),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Compares the last quarter with the second one.
fn grown(what: &str, samples: &[u64], slack: u64) -> Option<String> {
    let quarter = samples.len() / 4;
    let (before, after) = (median(&samples[quarter..quarter * 2]), median(&samples[quarter * 3..]));
    (after > before + before / 4 + slack).then(|| {
        format!("the server grows: {what} {before} a quarter into its life, {after} at its end")
    })
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}
