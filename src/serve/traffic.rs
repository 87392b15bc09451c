//! Requests and refusals, counted for [`metrics`](super::doors::metrics).
//!
//! Strangers choose paths and methods, but not how many figures there are: a request is counted under
//! its route's pattern, and everything that is none of ours under `other`.

use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::stream::RefusedForNow;

/// What is counted under when it is none of ours.
pub(super) const OTHER: &str = "other";

/// The reason of those who were sent away before anything was read from them.
const TURNED_AWAY: &str = "turned_away";

/// Seconds: what is answered from memory takes less than the first, a poll waits up to 25.
const DURATION_BOUNDS: [f64; 10] = [0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];

/// What has been asked, and what was refused for now.
#[derive(Debug)]
pub(super) struct Traffic {
    requests: Family<Answered, Counter>,
    durations: Family<Asked, Histogram, fn() -> Histogram>,
    refusals: Family<Refused, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: &'static str,
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

impl Traffic {
    pub fn new() -> Self {
        let refusals = Family::default();
        // So that they are there, as zero, before the first.
        for reason in RefusedForNow::ALL.map(RefusedForNow::as_str).into_iter().chain([TURNED_AWAY])
        {
            drop(refusals.get_or_create(&Refused { reason }));
        }
        let histogram: fn() -> Histogram = || Histogram::new(DURATION_BOUNDS);
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            refusals,
        }
    }

    /// Notes a request that was answered, or became a stream, after this time.
    pub fn note(&self, method: &Method, route: &'static str, status: StatusCode, took: Duration) {
        let method = method_label(method);
        let status = status.as_u16();
        self.requests.get_or_create(&Answered { method, route, status }).inc();
        self.durations.get_or_create(&Asked { method, route }).observe(took.as_secs_f64());
    }

    /// Notes what was no request, or one whose body could not be read.
    pub fn note_rejected(&self, status: StatusCode) {
        let labels = Answered { method: OTHER, route: OTHER, status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
    }

    /// Notes that someone was told to come back.
    pub fn note_refused(&self, reason: RefusedForNow) {
        self.refusals.get_or_create(&Refused { reason: reason.as_str() }).inc();
    }

    /// Notes a connection that was sent away before anything was read from it.
    pub fn note_turned_away(&self) {
        self.refusals.get_or_create(&Refused { reason: TURNED_AWAY }).inc();
    }

    /// Adds these figures to what a scrape shows.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "http_requests",
            "Requests that were answered or became streams, by the route's pattern",
            self.requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "From a request's head to its answer, or to the stream that it became",
            self.durations.clone(),
        );
        registry.register(
            "http_refusals",
            "Connections, streams and polls that were told to come back later",
            self.refusals.clone(),
        );
    }
}

fn method_label(method: &Method) -> &'static str {
    const KNOWN: [Method; 7] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    const LABELS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.iter().position(|known| known == method).map_or(OTHER, |index| LABELS[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_of_a_strangers_own_is_counted_as_other() {
        for (method, label) in
            [("GET", "GET"), ("OPTIONS", "OPTIONS"), ("get", OTHER), ("X", OTHER)]
        {
            assert_eq!(method_label(&method.parse().unwrap()), label);
        }
    }
}
