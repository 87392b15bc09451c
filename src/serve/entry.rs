//! A request on its way to its answer, as the access log and the figures have it.

use std::time::Instant;

use http::StatusCode;

use super::App;
use super::conversation::Client;
use super::http::Request;
use super::traffic::OTHER;

/// One request, until it is answered.
pub(super) struct Entry<'a> {
    pub app: &'a App,
    pub client: Client,
    pub request: &'a Request,
    /// The pattern of its route, once that is found.
    pub route: &'static str,
    since: Instant,
}

impl<'a> Entry<'a> {
    pub fn new(app: &'a App, client: Client, request: &'a Request) -> Self {
        Self { app, client, request, route: OTHER, since: app.clock.now() }
    }

    /// Logs and counts the answer.
    pub fn answered(&self, status: StatusCode, bytes: usize) {
        self.count(status);
        log::info!(
            target: "access",
            address:% = self.client.address,
            method:% = self.request.method,
            path = self.request.path(),
            status = status.as_u16(),
            bytes;
            "request answered"
        );
    }

    /// Counts it only: it became something that has a log of its own.
    pub fn count(&self, status: StatusCode) {
        let took = self.app.clock.now().saturating_duration_since(self.since);
        self.app.traffic.note(&self.request.method, self.route, status, took);
    }
}
