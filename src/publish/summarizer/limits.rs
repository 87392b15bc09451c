//! What the summarizer may use.

use std::time::Duration;

/// What the summarizer may use; `0` (or a zero duration) means off unless said otherwise.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Talks that are summarized at the same time; at least 1.
    pub workers: usize,
    /// Talks that may wait for a worker; 0 is no limit.
    pub queue_items: usize,
    /// Talks in one request, a playlist's included; 0 is no limit.
    pub max_items: usize,
    /// Transcripts in one request; 0 is no limit.
    pub max_transcripts: usize,
    /// The size of one transcript, in bytes; 0 is no limit. Automatic captions take about 600 KB an hour.
    pub max_transcript_bytes: usize,
    /// Items of ended batches that are remembered; the oldest batch is forgotten first. 0 is no limit.
    pub kept_items: usize,
    /// Playlists that are looked up at the same time; at least 1.
    pub lookups: usize,
    /// The pause between two reports on an item that takes long; zero: as often as something moves.
    pub report_pause: Duration,
    /// How long it is tried to publish what must not be lost (failures and ends) while the hub is
    /// busy; zero: once.
    pub report_patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            workers: 2,
            queue_items: 1_000,
            max_items: 500,
            max_transcripts: 50,
            max_transcript_bytes: 4 << 20,
            kept_items: 10_000,
            lookups: 4,
            report_pause: Duration::from_secs(1),
            report_patience: Duration::from_secs(60),
        }
    }
}

impl Limits {
    /// The same, where a batch has at most so many jobs (0 is no limit): a request becomes one.
    #[must_use]
    pub fn within_batches_of(self, max_jobs: usize) -> Self {
        Self { max_items: least([self.max_items, max_jobs]).unwrap_or(0), ..self }
    }

    /// Talks that one request can have: more than may wait would be told to come again for ever.
    pub(super) fn most_items(&self) -> usize {
        least([self.max_items, self.queue_items]).unwrap_or(usize::MAX)
    }
}

/// The least of some limits, of which 0 is none.
fn least(limits: [usize; 2]) -> Option<usize> {
    limits.into_iter().filter(|limit| *limit != 0).min()
}
