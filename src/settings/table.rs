//! Every setting, once: its name, its kind and range, its field, and what it does.
//!
//! A table, and long as tables are. The flag, the environment variable, the key in the file, the help
//! and what `check-config` prints all come from here; defaults come from the limits structs.

// Those of summaries.
mod summaries;

use std::ops::RangeInclusive;

use self::summaries::{MODELS, SUMMARIES, VIDEOS};
use super::setting::Place::{
    Address, Backlog, Bytes, Choice as OneOf, Count, EventNames, EventTypes, Folder, Hosts, Keys,
    LogFilter, Milliseconds, Networks, Seconds, Text, Texts, TopicKinds,
};
use super::setting::{Choice, Setting};
use super::{Auth, LogFormat, PubsubAuth};
use crate::hub;
use crate::serve::RefuseStreams;
use crate::store::Sync;

const MILLION: u64 = 1_000_000;
const BILLION: u64 = 1_000_000_000;
const GIBIBYTE: u64 = 1 << 30;
const A_DAY: RangeInclusive<u64> = 0..=86_400;
const A_DAY_MS: RangeInclusive<u64> = 0..=86_400_000;
const A_YEAR: RangeInclusive<u64> = 0..=31_536_000;

/// The settings, under the headings of the help.
pub(super) static GROUPS: &[(&str, &[Setting])] = &[
    ("Access", ACCESS),
    ("Connections", CONNECTIONS),
    ("Streams", STREAMS),
    ("Events", EVENTS),
    ("Durability", DURABILITY),
    ("Jobs", JOBS),
    ("Queues", QUEUES),
    ("Batches", BATCHES),
    ("Summaries", SUMMARIES),
    ("Videos", VIDEOS),
    ("Language models", MODELS),
    ("Fetching", FETCHING),
    ("Pub/Sub", PUBSUB),
    ("Résumés", RESUMES),
    ("Logs", LOGS),
    ("Development", DEVELOPMENT),
];

/// Every setting, in the order of the table.
pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    GROUPS.iter().flat_map(|(_, settings)| settings.iter())
}

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    all().find(|setting| setting.name == name)
}

static ACCESS: &[Setting] = &[
    Setting::new(
        "listen",
        Address(|s| &mut s.listen),
        "Where to listen; port 0 takes any free one; a socket passed by LISTEN_FDS is served instead",
    )
    .also("PORT"),
    Setting::new(
        "auth",
        OneOf(&[Choice {
            word: "off",
            choose: |s| s.auth = Some(Auth::Off),
            // Not said means off too, on an address that only this machine can reach.
            is_chosen: |_| true,
        }]),
        "Who is let in; off is everyone, and must be said if other machines can reach the address",
    ),
    Setting::new(
        "trusted_proxies",
        Networks(|s| &mut s.serve.trusted_proxies),
        "Addresses and networks of proxies whose X-Forwarded-For and X-Real-IP count",
    ),
];

static CONNECTIONS: &[Setting] = &[
    Setting::new(
        "max_connections",
        Count(0..=MILLION, |s| &mut s.serve.max_connections),
        "Open connections in all; 0 is no limit",
    ),
    Setting::new(
        "max_connections_per_address",
        Count(0..=MILLION, |s| &mut s.serve.max_connections_per_address),
        "Open connections of one client address; 0 is no limit",
    ),
    Setting::new(
        "max_head_bytes",
        Bytes(0..=GIBIBYTE, |s| &mut s.serve.head_bytes),
        "Size of a request's line and headers; 0 is no limit",
    ),
    Setting::new(
        "head_timeout_seconds",
        Seconds(A_DAY, |s| &mut s.serve.head_timeout),
        "How long a request's line and headers may take to arrive; 0 is no limit",
    ),
    Setting::new(
        "max_body_bytes",
        Bytes(0..=GIBIBYTE, |s| &mut s.serve.body_bytes),
        "Size of a request's body; 0 is no limit",
    ),
    Setting::new(
        "max_transcripts_body_bytes",
        Bytes(0..=GIBIBYTE, |s| &mut s.serve.transcripts_body_bytes),
        "Size of a request's body that brings transcripts, as JSON; 0 is no limit",
    ),
    Setting::new(
        "max_bulk_body_bytes",
        Bytes(0..=GIBIBYTE, |s| &mut s.serve.bulk_body_bytes),
        "Size of a request's body that brings many jobs; 0 is no limit",
    ),
    Setting::new(
        "body_timeout_seconds",
        Seconds(A_DAY, |s| &mut s.serve.body_timeout),
        "How long a request's body may take to arrive; 0 is no limit",
    ),
    Setting::new(
        "keep_alive_seconds",
        Seconds(A_DAY, |s| &mut s.serve.keep_alive),
        "How long a connection may wait for its next request; 0 is no limit",
    ),
    Setting::new(
        "write_timeout_seconds",
        Seconds(A_DAY, |s| &mut s.serve.write_timeout),
        "How long writing an answer may make no progress; 0 is no limit",
    ),
    Setting::new(
        "stop_timeout_seconds",
        Seconds(A_DAY, |s| &mut s.serve.stop_timeout),
        "How long a stop may take before what is still open is cut; 0 is no limit",
    ),
    Setting::new(
        "drain_seconds",
        Seconds(A_DAY, |s| &mut s.serve.drain),
        "Over how long clients come back, evenly, that a stop or an overload sent away, after \
         retry_ms; the server itself does not wait for that; 0 is all at once",
    ),
    Setting::new(
        "listen_backlog",
        Backlog(1..=65_535, |s| &mut s.serve.listen_backlog),
        "Connections that may wait in the kernel to be accepted",
    ),
    Setting::new(
        "thread_stack_bytes",
        Bytes(65_536..=GIBIBYTE, |s| &mut s.serve.thread_stack_bytes),
        "Stack of a connection's thread; only what is used takes memory",
    ),
];

static STREAMS: &[Setting] = &[
    Setting::new(
        "heartbeat_ms",
        Milliseconds(A_DAY_MS, |s| &mut s.hub.heartbeat),
        "Pause after which a stream that sent nothing sends a sign of life; 0 is never",
    )
    .also("SSE_HEARTBEAT_INTERVAL"),
    Setting::new(
        "stream_lifetime_seconds",
        Seconds(A_YEAR, |s| &mut s.hub.lifetime),
        "How long a stream lives before its client is told to resume on a new one, less up to a \
         tenth by chance; 0 is for ever",
    )
    .also("SSE_CONNECTION_TIMEOUT"),
    Setting::new(
        "stream_idle_seconds",
        Seconds(A_DAY, |s| &mut s.hub.idle),
        "How long a stream may take nothing, not even a heartbeat, before it ends; 0 is for ever",
    ),
    Setting::new(
        "stream_write_timeout_seconds",
        Seconds(A_DAY, |s| &mut s.hub.write_deadline),
        "How long one write to a stuck stream may make no progress; 0 is no limit",
    ),
    Setting::new(
        "stream_queue_events",
        Count(0..=BILLION, |s| &mut s.hub.outbox_events),
        "Events that may wait for one slow stream before it ends; 0 is no limit",
    ),
    Setting::new(
        "stream_queue_bytes",
        Bytes(0..=GIBIBYTE, |s| &mut s.hub.outbox_bytes),
        "Bytes that may wait for one slow stream before it ends; 0 is no limit",
    ),
    Setting::new(
        "stream_max_updates_per_second",
        Count(0..=1_000, |s| &mut s.hub.max_updates_per_second),
        "How often a second a stream is sent updates, which are events with a key that are not \
         terminal; those that come sooner are conflated; 0 is no ceiling",
    ),
    Setting::new(
        "max_subscriptions_per_stream",
        Count(0..=MILLION, |s| &mut s.serve.subscriptions_per_stream),
        "Jobs, queues and workers that one stream of /api/v1/sse may be subscribed to; 0 is no limit",
    ),
    Setting::new(
        "retry_ms",
        Milliseconds(A_DAY_MS, |s| &mut s.serve.retry),
        "How long a client waits before it reconnects, and up to half more by chance",
    ),
    Setting::new(
        "refuse_streams",
        OneOf(&[
            Choice {
                word: "event",
                choose: |s| s.serve.refuse_streams = RefuseStreams::Event,
                is_chosen: |s| s.serve.refuse_streams == RefuseStreams::Event,
            },
            Choice {
                word: "status",
                choose: |s| s.serve.refuse_streams = RefuseStreams::Status,
                is_chosen: |s| s.serve.refuse_streams == RefuseStreams::Status,
            },
        ]),
        "How a stream that cannot be had now is refused: by an event, and browsers come back by \
         themselves, or by status 429 or 503, and they give up",
    ),
];

static EVENTS: &[Setting] = &[
    Setting::new(
        "event_types",
        EventTypes(|s| &mut s.publish.event_types),
        "Event types that may be broadcast and subscribed to besides the built-in ones; * is all",
    ),
    Setting::new(
        "max_event_bytes",
        Bytes(0..=GIBIBYTE, |s| &mut s.publish.max_event_bytes),
        "Size of one event's data; 0 is no limit",
    ),
    Setting::new(
        "history_seconds",
        Seconds(A_YEAR, |s| &mut s.hub.history_age),
        "How long an event is kept for clients that resume; 0 keeps nothing",
    ),
    Setting::new(
        "history_events",
        Count(0..=BILLION, |s| &mut s.hub.history_events),
        "How many events are kept; 0 is no limit by number",
    ),
    Setting::new(
        "history_bytes",
        Bytes(0..=1024 * GIBIBYTE, |s| &mut s.hub.history_bytes),
        "How many bytes of events are kept; 0 is no limit by size",
    ),
    Setting::new(
        "shards",
        Count(1..=hub::MAX_SHARDS as u64, |s| &mut s.hub.shards),
        "Dispatcher threads, each with its share of the streams",
    ),
    Setting::new(
        "lone_shard_streams",
        Count(0..=BILLION, |s| &mut s.hub.lone_shard_streams),
        "Streams up to which one dispatcher serves them all; 0 spreads them from the first",
    ),
    Setting::new(
        "inbox_events",
        Count(0..=BILLION, |s| &mut s.hub.inbox_events),
        "Events that may wait for one dispatcher before publishers are held back; 0 is no limit",
    ),
    Setting::new(
        "inbox_bytes",
        Bytes(0..=1024 * GIBIBYTE, |s| &mut s.hub.inbox_bytes),
        "Bytes that may wait for one dispatcher before publishers are held back; 0 is no limit",
    ),
    Setting::new(
        "publish_wait_ms",
        Milliseconds(A_DAY_MS, |s| &mut s.hub.publish_wait),
        "How long a publisher is held back before it is told to come again; 0 is not at all",
    ),
    Setting::new(
        "trace_rounds",
        Count(0..=MILLION, |s| &mut s.hub.trace_rounds),
        "Rounds of each dispatcher that are remembered, so that /events/explain can say when an event was \
         delivered; 0 remembers none",
    ),
    Setting::new(
        "trace_notes",
        Count(0..=MILLION, |s| &mut s.hub.trace_notes),
        "Notes of each kind on one stream that lags or resumes, for /events/explain; 0 makes none",
    ),
    Setting::new(
        "trace_ended_streams",
        Count(0..=MILLION, |s| &mut s.hub.trace_ended_streams),
        "Ended streams that are remembered for /events/explain; 0 remembers none",
    ),
];

static DURABILITY: &[Setting] = &[
    Setting::new(
        "data_dir",
        Folder(|s| &mut s.data_dir),
        "Where the database is kept that survives a restart; empty keeps everything in memory only",
    ),
    Setting::new(
        "log_age_seconds",
        Seconds(0..=3_153_600_000, |s| &mut s.store.log_age),
        "How long an event is kept on disk; 0 is for ever",
    ),
    Setting::new(
        "log_bytes",
        Bytes(0..=1024 * GIBIBYTE, |s| &mut s.store.log_bytes),
        "How many bytes of events are kept on disk, beyond which the oldest go; 0 is no limit",
    ),
    Setting::new(
        "store_queue_events",
        Count(0..=BILLION, |s| &mut s.store.pending_events),
        "Events that may wait for the disk before publishers are held back; 0 is no limit",
    ),
    Setting::new(
        "store_queue_bytes",
        Bytes(0..=GIBIBYTE, |s| &mut s.store.pending_bytes),
        "Bytes that may wait for the disk before publishers are held back; 0 is no limit",
    ),
    Setting::new(
        "store_flush_ms",
        Milliseconds(0..=60_000, |s| &mut s.store.flush),
        "How long an event for which nobody waits may lie before it is written; 0 is not at all",
    ),
    Setting::new(
        "store_sync",
        OneOf(&[
            Choice {
                word: "full",
                choose: |s| s.store.sync = Sync::Full,
                is_chosen: |s| s.store.sync == Sync::Full,
            },
            Choice {
                word: "normal",
                choose: |s| s.store.sync = Sync::Normal,
                is_chosen: |s| s.store.sync == Sync::Normal,
            },
        ]),
        "Whether what a publisher waits for survives a loss of power (full) or a crash of the process \
         (normal)",
    ),
    Setting::new(
        "data_dir_wait_seconds",
        Seconds(A_DAY, |s| &mut s.store.lock_wait),
        "How long to wait at the start for an earlier process to let go of the data directory; 0 is not \
         at all",
    ),
    Setting::new(
        "kept_topics",
        TopicKinds(|s| &mut s.publish.kept_topics),
        "Kinds of topics whose events survive a restart: some of events, session, user, job, batch, \
         queue, worker, channel, connection; an empty list keeps only what is published as durable",
    ),
    Setting::new(
        "passing_types",
        EventNames(|s| &mut s.publish.passing_types),
        "Types of events that do not survive a restart, whatever their topic",
    ),
    Setting::new(
        "keep_updates",
        OneOf(&[
            Choice {
                word: "on",
                choose: |s| s.publish.keep_updates = true,
                is_chosen: |s| s.publish.keep_updates,
            },
            Choice {
                word: "off",
                choose: |s| s.publish.keep_updates = false,
                is_chosen: |s| !s.publish.keep_updates,
            },
        ]),
        "Whether progress that a newer word replaces (an event with a key that is not the last word) \
         survives a restart",
    ),
    Setting::new(
        "awaited_types",
        EventNames(|s| &mut s.publish.awaited_types),
        "Types of events whose publisher is answered when they are on disk, as it always is for last \
         words and for what is published as durable",
    ),
    Setting::new(
        "store_wait_ms",
        Milliseconds(A_DAY_MS, |s| &mut s.publish.store_wait),
        "How long a publisher waits for the disk before it is told that it is not known whether the \
         event is there; 0 is for ever",
    ),
    Setting::new(
        "idempotency_seconds",
        Seconds(A_DAY, |s| &mut s.publish.request_key_age),
        "How long a second try with the same Idempotency-Key is known as one; 0 ignores such keys",
    ),
    Setting::new(
        "idempotency_keys",
        Count(0..=BILLION, |s| &mut s.publish.request_keys),
        "How many such keys are remembered, beyond which the oldest are forgotten early; 0 is no limit",
    ),
];

static JOBS: &[Setting] = &[
    Setting::new(
        "max_open_jobs",
        Count(0..=BILLION, |s| &mut s.jobs.max_open),
        "Jobs that have not ended, beyond which no more are taken; 0 is no limit",
    ),
    Setting::new(
        "max_job_bytes",
        Bytes(0..=1024 * GIBIBYTE, |s| &mut s.jobs.max_bytes),
        "Bytes of all jobs, with their requests and results, beyond which the first ended go early and then \
         no more are taken; 0 is no limit",
    ),
    Setting::new(
        "max_ended_jobs",
        Count(0..=BILLION, |s| &mut s.jobs.max_ended),
        "Jobs that have ended and can still be asked for, beyond which the first ended go; 0 is no limit",
    ),
    Setting::new(
        "ended_job_seconds",
        Seconds(0..=3_153_600_000, |s| &mut s.jobs.ended_age),
        "How long a job that has ended can still be asked for; 0 is for ever",
    ),
    Setting::new(
        "job_stall_grace_seconds",
        Seconds(A_DAY, |s| &mut s.jobs.stall_grace),
        "How long a job is called stalled, after its lease is over and nothing was heard of it, before it \
         has failed; 0 is not at all",
    ),
    Setting::new(
        "job_update_ids",
        Count(0..=100_000, |s| &mut s.jobs.update_ids),
        "Names of reports (updateId) that are remembered of each job, the latest, so that a second try is \
         known as one; 0 ignores such names",
    ),
    Setting::new(
        "job_store_wait_ms",
        Milliseconds(A_DAY_MS, |s| &mut s.jobs.store_wait),
        "How long whoever makes a job or reports on one waits for the disk before it is told that it is \
         not known whether that is there; 0 is for ever",
    ),
];

static BATCHES: &[Setting] = &[
    Setting::new(
        "max_batch_jobs",
        Count(0..=BILLION, |s| &mut s.batches.max_jobs),
        "Jobs in one batch; 0 is no limit",
    ),
    Setting::new(
        "max_batched_jobs",
        Count(0..=BILLION, |s| &mut s.batches.max_jobs_in_all),
        "Jobs in all batches together, beyond which those that ended first go, and then no more are \
         taken; 0 is no limit",
    ),
    Setting::new(
        "max_ended_batches",
        Count(0..=BILLION, |s| &mut s.batches.max_ended),
        "Batches that have ended and can still be asked for, beyond which the first ended go; 0 is no limit",
    ),
    Setting::new(
        "ended_batch_seconds",
        Seconds(0..=3_153_600_000, |s| &mut s.batches.ended_age),
        "How long a batch that has ended can still be asked for; 0 is for ever",
    ),
    Setting::new(
        "batch_report_ms",
        Milliseconds(A_DAY_MS, |s| &mut s.batches.report_pause),
        "Pause between two reports on how a batch is; 0 reports every change. Its end is reported at once",
    ),
];

static QUEUES: &[Setting] = &[
    Setting::new(
        "max_queues",
        Count(0..=MILLION, |s| &mut s.queue_limits.max_queues),
        "Queues that there may be, those of the file included; one is made by the first job or worker that \
         names it; 0 is no limit",
    ),
    Setting::new(
        "queue_report_ms",
        Milliseconds(A_DAY_MS, |s| &mut s.queue_limits.report_pause),
        "Pause between two reports on how a queue and its workers are; 0 is a millisecond",
    ),
    Setting::new(
        "max_job_losses",
        Count(0..=MILLION, |s| &mut s.queue_limits.max_losses),
        "How often a queue's job may lose its worker, or the server under it, before it has failed; 0 is no \
         limit",
    ),
    Setting::new(
        "job_lease_seconds",
        Seconds(1..=86_400, |s| &mut s.queue_limits.lease),
        "How long a worker outside may say nothing of a job that it leased, if it does not choose",
    ),
    Setting::new(
        "max_job_lease_seconds",
        Seconds(1..=31_536_000, |s| &mut s.queue_limits.max_lease),
        "The longest that it can choose",
    ),
    Setting::new(
        "max_lease_wait_seconds",
        Seconds(A_DAY, |s| &mut s.queue_limits.max_lease_wait),
        "The longest that a worker outside can wait for a job in one request; 0 is not at all",
    ),
];

static FETCHING: &[Setting] = &[
    Setting::new(
        "fetch_hosts",
        Hosts(|s| &mut s.fetch.hosts),
        "Hosts from which documents are fetched that a job names by address: names, *.example.com for \
         what lies below one, or * for all; an empty list fetches nothing",
    ),
    Setting::new(
        "fetch_private_addresses",
        OneOf(&[
            Choice {
                word: "on",
                choose: |s| s.fetch.private_addresses = true,
                is_chosen: |s| s.fetch.private_addresses,
            },
            Choice {
                word: "off",
                choose: |s| s.fetch.private_addresses = false,
                is_chosen: |s| !s.fetch.private_addresses,
            },
        ]),
        "Whether documents are also fetched from this machine and its network, wherever a job says; \
         off refuses every address that is not on the public internet",
    ),
    Setting::new(
        "max_fetch_bytes",
        Bytes(0..=GIBIBYTE, |s| &mut s.fetch.max_bytes),
        "Size of one fetched document; 0 is no limit",
    ),
    Setting::new(
        "fetch_timeout_seconds",
        Seconds(A_DAY, |s| &mut s.fetch.timeout),
        "How long one document may take, redirects included; 0 is no limit",
    ),
];

static PUBSUB: &[Setting] = &[
    Setting::new(
        "pubsub_auth",
        OneOf(&[
            Choice {
                word: "off",
                choose: |s| s.pubsub_auth = PubsubAuth::Off,
                is_chosen: |s| s.pubsub_auth == PubsubAuth::Off,
            },
            Choice {
                word: "oidc",
                choose: |s| s.pubsub_auth = PubsubAuth::Oidc,
                is_chosen: |s| s.pubsub_auth == PubsubAuth::Oidc,
            },
        ]),
        "Who may push to /pubsub/push: everyone, or who has a token for pubsub_audience",
    ),
    Setting::new(
        "pubsub_audience",
        Text(|s| &mut s.pubsub_token.audience),
        "The audience of these tokens: what the push subscription was given, or else the URL it pushes to",
    ),
    Setting::new(
        "pubsub_service_account",
        Text(|s| &mut s.pubsub_token.email),
        "The address of the one service account that may push; empty lets in every token for the audience, \
         and anyone at Google can make one",
    ),
    Setting::new(
        "pubsub_issuers",
        Texts(|s| &mut s.pubsub_token.issuers),
        "Who may have issued these tokens",
    ),
    Setting::new(
        "pubsub_jwks",
        Keys(|s| &mut s.pubsub_token.keys),
        "Where the issuer publishes its keys: an address, or a file with such a set of keys",
    ),
    Setting::new(
        "pubsub_subscription",
        Text(|s| &mut s.pubsub.subscription),
        "The subscription whose messages are taken, in full or its last part; empty takes any",
    )
    .also("PUBSUB_STATUS_UPDATES_SUBSCRIPTION"),
    Setting::new(
        "pubsub_project",
        Text(|s| &mut s.pubsub.project),
        "The project whose subscriptions are taken; empty takes any",
    )
    .also("GOOGLE_CLOUD_PROJECT_ID"),
    Setting::new(
        "pubsub_window_seconds",
        Seconds(A_DAY, |s| &mut s.pubsub.window_age),
        "How long a message is known as one that was taken; 0 is not at all",
    ),
    Setting::new(
        "pubsub_window_messages",
        Count(0..=BILLION, |s| &mut s.pubsub.window_messages),
        "How many messages are, beyond which the oldest are forgotten early; 0 is no limit",
    ),
];

static RESUMES: &[Setting] = &[
    Setting::new(
        "max_resume_bytes",
        Bytes(0..=GIBIBYTE, |s| &mut s.resumes.max_bytes),
        "Size of one résumé that is analyzed; 0 is no limit",
    ),
    Setting::new(
        "max_resume_pages",
        Count(0..=MILLION, |s| &mut s.resumes.max_pages),
        "Pages of one résumé that is a PDF file; 0 is no limit",
    ),
    Setting::new(
        "resume_timeout_seconds",
        Seconds(A_DAY, |s| &mut s.resumes.timeout),
        "How long reading one PDF file may take; 0 is no limit",
    ),
];

static LOGS: &[Setting] = &[
    Setting::new(
        "log",
        LogFilter(|s| &mut s.log.filter),
        "What is logged: a level, or levels by module such as info,tidings::hub=debug",
    ),
    Setting::new(
        "log_format",
        OneOf(&[
            Choice {
                word: "text",
                choose: |s| s.log.format = LogFormat::Text,
                is_chosen: |s| s.log.format == LogFormat::Text,
            },
            Choice {
                word: "json",
                choose: |s| s.log.format = LogFormat::Json,
                is_chosen: |s| s.log.format == LogFormat::Json,
            },
        ]),
        "How log lines look: for people, or one JSON object each",
    ),
];

static DEVELOPMENT: &[Setting] = &[Setting::new(
    "faults",
    OneOf(&[
        Choice { word: "on", choose: |s| s.serve.faults = true, is_chosen: |s| s.serve.faults },
        Choice { word: "off", choose: |s| s.serve.faults = false, is_chosen: |s| !s.serve.faults },
    ]),
    "Faults on purpose, to try how a front end bears them: /events/faults and a panel on /sse-test; \
     for anyone, so never in production",
)];
