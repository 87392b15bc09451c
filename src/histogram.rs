//! How often values of which size occurred: counted by many threads, none of which waits for another.
//!
//! For what happens millions of times a second: one value that occurred many times is one addition,
//! and nothing is locked. What the counts mean (seconds, events) is the reader's to say.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts values by size.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is greater than all of them.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// The counts of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// The greatest value that each count but the last includes.
    pub bounds: &'static [u64],
    /// How many values were greater than the bound before and at most this one; at the end, how many
    /// were greater than all bounds.
    pub counts: Vec<u64>,
    /// All values together. It is read a moment apart from the counts.
    pub sum: u64,
}

/// A time as the whole microseconds in which histograms count times: half a million years fit.
pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Histogram {
    /// Counts nothing yet; the bounds ascend.
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    /// Notes one value.
    pub fn note(&self, value: u64) {
        self.note_all([value], 1);
    }

    /// Notes that each of these values occurred so many times. Values of one size that follow each
    /// other are one addition.
    pub fn note_all(&self, values: impl IntoIterator<Item = u64>, times: u64) {
        let (mut bucket, mut run, mut sum) = (0, 0, 0u64);
        for value in values {
            let found = self.bounds.partition_point(|&bound| bound < value);
            if found != bucket {
                self.add(bucket, run * times);
                (bucket, run) = (found, 0);
            }
            run += 1;
            sum = sum.wrapping_add(value);
        }
        self.add(bucket, run * times);
        self.sum.fetch_add(sum.wrapping_mul(times), Ordering::Relaxed);
    }

    fn add(&self, bucket: usize, count: u64) {
        if count > 0 {
            self.counts[bucket].fetch_add(count, Ordering::Relaxed);
        }
    }

    /// The counts of this moment.
    pub fn read(&self) -> Distribution {
        Distribution {
            bounds: self.bounds,
            counts: self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect(),
            sum: self.sum.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[u64], times: u64, counts: &[u64], sum: u64) {
        let histogram = Histogram::new(&[1, 10, 100]);
        histogram.note_all(values.iter().copied(), times);
        let seen = histogram.read();
        assert_eq!((&seen.counts[..], seen.sum), (counts, sum), "{values:?} {times} times");
    }

    #[test]
    fn each_value_is_counted_below_its_bound() {
        check(&[], 5, &[0, 0, 0, 0], 0);
        check(&[0], 1, &[1, 0, 0, 0], 0);
        check(&[1], 1, &[1, 0, 0, 0], 1);
        check(&[2, 10, 11], 1, &[0, 2, 1, 0], 23);
        check(&[101, 1, 101], 1, &[1, 0, 0, 2], 203);
        check(&[5, 5, 50], 200, &[0, 400, 200, 0], 12_000);
        check(&[5], 0, &[0, 0, 0, 0], 0);
    }
}
