//! The figures of Tidings itself: what the hub, the connections and the summarizer tell of this moment.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::sheet::Sheet;
use crate::hub::{Census, GapReason, Served, Snapshot, State};
use crate::publish::jobs;
use crate::publish::pubsub;
use crate::publish::queues;
use crate::publish::summarizer::library;
use crate::serve::App;
use crate::serve::doors::DOORS;
use crate::store::{self, Store, records};

/// One moment's figures.
#[derive(Debug)]
pub(super) struct Figures {
    hub: Snapshot,
    census: Census,
    store: Option<store::Figures>,
    http_connections: usize,
    jobs: jobs::Figures,
    /// Batches that have not ended, and those that have.
    batches: (usize, usize),
    queues: queues::Figures,
    records: records::Figures,
    pubsub: pubsub::Figures,
    /// What the summaries' library holds, if there is one.
    library: Option<library::Figures>,
}

const MICROSECONDS: f64 = 1e6;
const MILLISECONDS: f64 = 1e3;

impl Figures {
    pub fn of(app: &App) -> Self {
        Self {
            hub: app.hub.snapshot(),
            census: app.hub.census(),
            store: app.store.as_ref().map(Store::figures),
            http_connections: app.admission.total(),
            jobs: app.jobs.figures(),
            batches: app.batches.counts(),
            queues: app.queues.figures(),
            records: app.jobs.records().figures(),
            pubsub: app.pubsub.figures(),
            library: app.summarizer.as_ref().and_then(|s| s.library().figures().ok()),
        }
    }
}

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut sheet = Sheet(encoder);
        let version = [([("version", env!("CARGO_PKG_VERSION"))], 1u64)];
        sheet.gauges("build_info", "Which Tidings this is; always 1", version)?;
        self.streams(&mut sheet)?;
        self.events(&mut sheet)?;
        self.dispatch(&mut sheet)?;
        self.history(&mut sheet)?;
        self.store.as_ref().map_or(Ok(()), |store| kept(store, &mut sheet))?;
        worked(&self.jobs, &mut sheet)?;
        let (open, ended) = self.batches;
        let by_state = [("open", open), ("ended", ended)];
        let by_state = by_state.map(|(state, count)| ([("state", state)], count as u64));
        sheet.gauges("batches", "Batches of jobs, by whether they have ended", by_state)?;
        super::queues::write(&self.queues, &mut sheet)?;
        recorded(&self.records, &mut sheet)?;
        let help = "Open connections, streams included";
        sheet.gauge("http_connections", help, self.http_connections as u64)?;
        pushed(&self.pubsub, &mut sheet)?;
        self.library.as_ref().map_or(Ok(()), |library| super::summaries::write(library, &mut sheet))
    }
}

impl Figures {
    fn streams(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let counts = &self.hub.counts;
        let mut by_door: BTreeMap<&str, Served> =
            DOORS.iter().map(|door| (*door, Served::default())).collect();
        by_door.extend(&self.census.by_door);
        let states = by_door.iter().flat_map(|(door, served)| {
            let count = |state: State| (door_and_state(door, state), served.count(state) as u64);
            State::ALL.map(count)
        });
        sheet.gauges("streams", "Open streams by door and by how they are served", states)?;
        let help = "Events that wait in all streams' queues because their clients are slow";
        sheet.gauge("stream_queue_events", help, self.census.waiting_events as u64)?;
        sheet.counter("streams_opened", "Streams and polls that joined", counts.opened)?;
        let help = "Streams and polls that joined with the id of the last event they had";
        sheet.counter("streams_resumed", help, counts.resumed)?;
        let ended = counts.ended.iter().map(|(reason, count)| (reasoned(reason.as_str()), *count));
        sheet.counters("streams_ended", "Streams and polls that ended, by reason", ended)?;
        let gaps = counts.gaps.iter().map(|(reason, count)| (reasoned(gap(*reason)), *count));
        sheet.counters("gaps", "Resumes that were told that events are missing, by reason", gaps)
    }

    fn events(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let counts = &self.hub.counts;
        sheet.counter("events_published", "Events taken from publishers", counts.published)?;
        let refused = [("busy", counts.refused_busy), ("stopping", counts.refused_stopping)];
        let refused = refused.map(|(reason, count)| (reasoned(reason), count));
        let help = "Events not taken from publishers, by reason; they were told to come again";
        sheet.counters("events_refused", help, refused)?;
        let help = "Events handed to clients: one event to ten streams counts ten";
        sheet.counter("events_delivered", help, counts.delivered)?;
        let help = "Bytes of streams handed to clients' connections";
        sheet.counter("delivered_bytes", help, counts.bytes)?;
        let help = "Updates that were replaced by newer ones on their way to slow or paced streams";
        sheet.counter("events_conflated", help, counts.conflated)?;
        let help = "Events taken and then lost: their streams are open, do not get them, are not told; \
                    anything but 0 is a fault of the server's own";
        sheet.counter("events_dropped", help, self.hub.dropped_events)?;
        let help = "From taking an event to handing it to a stream's connection, once for each stream; \
                    without replays, polls, and updates held back for their ceiling";
        sheet.histogram("delivery_latency_seconds", help, &counts.delays, MICROSECONDS)
    }

    fn dispatch(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let counts = &self.hub.counts;
        let help = "How long publishers were held until their event had its place or was refused";
        sheet.histogram("publish_duration_seconds", help, &counts.publish_times, MICROSECONDS)?;
        let help = "Events that no dispatcher has taken yet";
        sheet.gauge("inbox_events", help, self.hub.waiting_events as u64)?;
        let help = "Events that a dispatcher took in one round";
        sheet.histogram("dispatch_round_events", help, &counts.rounds, 1.0)
    }

    fn history(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let history = &self.hub.history;
        let help = "Events kept in memory for clients that resume";
        sheet.gauge("history_events", help, history.events as u64)?;
        sheet.gauge("history_bytes", "What these events weigh", history.bytes as u64)?;
        let age = history.oldest_age.unwrap_or_default().as_secs_f64();
        sheet.gauge("history_age_seconds", "The age of the oldest of them; 0 if there is none", age)
    }
}

fn kept(store: &store::Figures, sheet: &mut Sheet<'_>) -> fmt::Result {
    sheet.gauge("store_events", "Events kept on disk", store.events)?;
    sheet.gauge("store_bytes", "What these events take, about", store.bytes)?;
    sheet.gauge("store_pending_events", "Events that wait for the disk", store.pending_events)?;
    sheet.gauge("store_pending_bytes", "What these events take", store.pending_bytes)?;
    let help = "How long each batch of events took to be safe on disk";
    sheet.histogram("store_commit_duration_seconds", help, &store.commits, MICROSECONDS)?;
    let help = "Batches that the disk did not take; they are tried again";
    sheet.counter("store_failures", help, store.failures)?;
    let help = "Events that were delivered but not kept, because too many waited for a disk that failed; \
                after a restart a gap says so";
    sheet.counter("store_given_up_events", help, store.given_up)
}

fn worked(jobs: &jobs::Figures, sheet: &mut Sheet<'_>) -> fmt::Result {
    let by_status =
        jobs.by_status.iter().map(|(status, count)| ([("status", status.as_str())], *count));
    sheet.gauges("jobs", "Jobs there are, ended ones included, by status", by_status)?;
    sheet.counter("jobs_created", "Jobs that were made", jobs.created)?;
    let reports = jobs.reports.iter().map(|(outcome, count)| ([("outcome", *outcome)], *count));
    sheet.counters("job_reports", "Reports on jobs, by what became of them", reports)
}

fn recorded(records: &records::Figures, sheet: &mut Sheet<'_>) -> fmt::Result {
    let help = "States of jobs that wait for the disk";
    sheet.gauge("records_waiting", help, records.waiting as u64)?;
    let help = "How long each batch of states took to be safe on disk";
    sheet.histogram("records_commit_duration_seconds", help, &records.commits, MICROSECONDS)?;
    let help = "Batches of states that the disk did not take; they are tried again";
    sheet.counter("records_failures", help, records.failures)
}

fn pushed(pubsub: &pubsub::Figures, sheet: &mut Sheet<'_>) -> fmt::Result {
    let outcomes =
        pubsub.outcomes.iter().map(|(outcome, count)| ([("outcome", outcome.as_str())], *count));
    sheet.counters(
        "pubsub_messages",
        "Messages that Pub/Sub pushed, by what became of them",
        outcomes,
    )?;
    let mistakes =
        pubsub.mistakes.iter().map(|(mistake, count)| (reasoned(mistake.as_str()), *count));
    let help = "Messages that Pub/Sub pushed and that are malformed, by what is wrong with them";
    sheet.counters("pubsub_malformed_messages", help, mistakes)?;
    let help =
        "From a message's publication to taking it, by the clocks of Pub/Sub and of this machine";
    sheet.histogram("pubsub_message_latency_seconds", help, &pubsub.latency, MILLISECONDS)
}

fn door_and_state(door: &str, state: State) -> [(&'static str, &str); 2] {
    [("door", door), ("state", state.as_str())]
}

fn reasoned(reason: &str) -> [(&'static str, &str); 1] {
    [("reason", reason)]
}

fn gap(reason: GapReason) -> &'static str {
    match reason {
        GapReason::Expired => "expired",
        GapReason::Overflow => "overflow",
        GapReason::Restart => "restart",
    }
}
