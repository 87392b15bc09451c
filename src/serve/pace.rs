//! When clients come back that were sent away: each at its own moment, and all of them evenly.
//!
//! Moments drawn by chance pile up and leave holes. These are places of a golden-ratio sequence: any
//! number of clients in a row, be they five or five thousand, fills the time evenly, without anyone
//! having to know beforehand how many there will be. So a stop and a time of overload have one pace.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Gives out the moments at which clients come back.
#[derive(Debug)]
pub(super) struct Pace {
    /// Nobody comes back sooner.
    least: Duration,
    /// Over how long they come back from then on.
    spread: Duration,
    /// Where in that time the next one comes: a fraction in 64 bits.
    next: AtomicU64,
}

/// The golden ratio's fraction in 64 bits: steps of this size fall as far as can be from all before.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Pace {
    /// A zero `spread` lets all come back together.
    pub fn new(least: Duration, spread: Duration) -> Self {
        // Servers that stop together do not send their clients back in step.
        Self { least, spread, next: AtomicU64::new(fastrand::u64(..)) }
    }

    /// How long a client waits that comes back on its own account: up to half more than the least, by
    /// chance, so that clients that were cut together do not return together.
    pub fn alone(&self) -> Duration {
        self.least.mul_f64(1.0 + fastrand::f64() / 2.0)
    }

    /// How long the next client waits of many that are sent away.
    pub fn among_many(&self) -> Duration {
        if self.spread.is_zero() {
            return self.alone();
        }
        let place = self.next.fetch_add(STEP, Ordering::Relaxed);
        self.least + self.spread.mul_f64(place as f64 / 2_f64.powi(64))
    }

    /// The longest that anyone is told to wait.
    pub fn longest(&self) -> Duration {
        self.least + self.spread.max(self.least / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many clients in a row come back in each second after the least.
    fn per_second(pace: &Pace, clients: usize) -> [usize; 10] {
        let mut seconds = [0; 10];
        for _ in 0..clients {
            seconds[pace.among_many().saturating_sub(pace.least).as_secs() as usize] += 1;
        }
        seconds
    }

    #[test]
    fn any_number_of_clients_in_a_row_comes_back_evenly() {
        let pace = Pace::new(Duration::from_secs(2), Duration::from_secs(10));
        for clients in [10, 100, 5_000, 20, 1_000] {
            let seconds = per_second(&pace, clients);
            let (fewest, most) = (seconds.iter().min().unwrap(), seconds.iter().max().unwrap());
            // By chance it would be some 70 for five thousand.
            assert!(most - fewest <= 6, "{clients}: {seconds:?}");
        }
    }

    #[test]
    fn without_a_spread_all_come_back_after_the_least_and_at_most_half_more() {
        let pace = Pace::new(Duration::from_secs(2), Duration::ZERO);
        for _ in 0..100 {
            let pause = pace.among_many();
            assert!((Duration::from_secs(2)..=Duration::from_secs(3)).contains(&pause));
            assert!(pause <= pace.longest());
        }
    }
}
